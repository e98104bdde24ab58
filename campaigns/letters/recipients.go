package letters

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/models"
)

// Recipient is somebody whom a letter may go to, and why.
type Recipient struct {
	legislators.Member
	Target models.LetterTarget
	Place  string // the division that they represent; "" where they are written to for another reason
}

// Recipients are those whom the rules of a campaign give for a place.
type Recipients struct {
	Members  []Recipient
	Choices  []legislators.Choice // open questions: nothing goes before they are answered
	Vacant   []legislators.Seats  // with a seat in which nobody sits
	Problem  string               // locale key of a plain sentence about the place; "" where nothing was found wrong
	Instead  bool                 // those of the fallback: nobody else was found
	Homes    []models.Division    // where the place lies, of each kind one
	Country  string
	Region   string
	OnlyWide bool // the writer does not know their district: those alone whom everybody there elects, or who are always written to
}

// Has reports whether a legislator is among them.
func (r Recipients) Has(id uuid.UUID) bool {
	return slices.ContainsFunc(r.Members, func(m Recipient) bool { return m.ID == id })
}

// recipients applies the rules of a campaign to a place: who is written to, what has to be asked first, and where nobody sits. Everybody
// is listed once, in the order of the rules. Any caller, in tx.
func recipients(ctx context.Context, tx *gorm.DB, c Campaign, place legislators.Place, now time.Time) (Recipients, error) {
	chambers, err := targeted(ctx, tx, c)
	if err != nil {
		return Recipients{}, err
	}
	if place.Country == "" {
		if place.Country, err = countryOf(ctx, tx, chambers); err != nil {
			return Recipients{}, err
		}
	}
	match, err := legislators.Find(ctx, tx, place, now)
	if err != nil {
		return Recipients{}, err
	}
	out := Recipients{Problem: match.Problem, Homes: match.Divisions, Country: match.Country, Region: match.Region}
	kinds := map[models.DivisionKind]bool{legislators.KindState: true}
	for _, t := range c.Targets {
		if t.Rule == models.TargetCommittee && t.OnlyMine { // any of the person's own may be on it
			for _, choice := range match.Choices {
				kinds[choice.Kind] = true
			}
		}
	}
	for _, ch := range chambers {
		kinds[ch.DivisionKind] = true
	}
	mine := false // whether any rule asks where the writer lives
	for _, t := range c.Targets {
		mine = mine || t.Rule == models.TargetRepresents || t.Rule == models.TargetCommittee && t.OnlyMine
	}
	if !mine {
		out.Problem = ""
	}
	out.OnlyWide = mine && place.Statewide
	for _, choice := range match.Choices {
		if mine && kinds[choice.Kind] && !place.Statewide {
			out.Choices = append(out.Choices, choice)
		}
	}
	for _, t := range c.Targets {
		if t.Rule == models.TargetFallback {
			continue
		}
		if err := out.apply(ctx, tx, t, chambers, match, now); err != nil {
			return Recipients{}, err
		}
	}
	if len(out.Members) == 0 && len(out.Choices) == 0 {
		for _, t := range c.Targets {
			if t.Rule == models.TargetFallback {
				if err := out.apply(ctx, tx, t, chambers, match, now); err != nil {
					return Recipients{}, err
				}
			}
		}
		out.Instead = len(out.Members) > 0
	}
	return out, nil
}

// apply adds whom one rule gives.
func (r *Recipients) apply(ctx context.Context, tx *gorm.DB, t models.LetterTarget, chambers []models.Chamber, match legislators.Match, now time.Time) error {
	add := func(m legislators.Member, place string) {
		if !r.Has(m.ID) {
			r.Members = append(r.Members, Recipient{Member: m, Target: t, Place: place})
		}
	}
	switch t.Rule {
	case models.TargetRepresents:
		if t.ChamberID == nil {
			return nil
		}
		known := false
		for _, s := range match.Seats {
			if s.Chamber.ID != *t.ChamberID {
				continue
			}
			known = true
			for _, m := range s.Members {
				add(m, s.Place)
			}
			if s.Vacant > 0 || len(s.Members) == 0 {
				r.Vacant = append(r.Vacant, s)
			}
		}
		for _, ch := range chambers {
			for _, d := range match.Divisions { // the place is in a district of that chamber, and nobody is known for it
				if !known && ch.ID == *t.ChamberID && d.Kind == ch.DivisionKind {
					r.Vacant = append(r.Vacant, legislators.Seats{Chamber: ch, DivisionID: d.ID, OCDID: d.OCDID, Place: d.Name, Vacant: 1})
				}
			}
		}
	case models.TargetCommittee:
		if t.CommitteeID == nil {
			return nil
		}
		list, err := legislators.Committee(ctx, tx, *t.CommitteeID, now)
		if err != nil {
			return err
		}
		for _, m := range list {
			place, represents := "", false
			for _, s := range match.Seats {
				if slices.ContainsFunc(s.Members, func(x legislators.Member) bool { return x.ID == m.ID }) {
					place, represents = s.Place, true
				}
			}
			if represents || !t.OnlyMine {
				add(m, place)
			}
		}
	case models.TargetPerson, models.TargetFallback:
		if t.LegislatorID == nil {
			return nil
		}
		m, err := legislators.Sitting(ctx, tx, *t.LegislatorID, now)
		if fault.Is(err, fault.NotFound) { // left: somebody else of the rules is there, or nobody
			return nil
		}
		if err != nil {
			return err
		}
		add(m, "")
	}
	return nil
}

// targeted are the chambers in which the rules look for who represents the writer.
func targeted(ctx context.Context, tx *gorm.DB, c Campaign) ([]models.Chamber, error) {
	var ids []uuid.UUID
	for _, t := range c.Targets {
		if t.ChamberID != nil {
			ids = append(ids, *t.ChamberID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []models.Chamber
	return rows, tx.WithContext(ctx).Where("id IN ?", ids).Find(&rows).Error
}

// countryOf is the country of all the chambers, "" where they are of several or of none.
func countryOf(ctx context.Context, tx *gorm.DB, chambers []models.Chamber) (string, error) {
	var ids []uuid.UUID
	for _, ch := range chambers {
		ids = append(ids, ch.JurisdictionID)
	}
	if len(ids) == 0 {
		return "", nil
	}
	var countries []string
	err := tx.WithContext(ctx).Model(&models.Jurisdiction{}).Where("id IN ?", ids).Distinct().Pluck("country", &countries).Error
	if err != nil || len(countries) != 1 {
		return "", err
	}
	return countries[0], nil
}
