package legislators

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/models"
)

// Filter narrows a list of legislators. The zero value shows everybody who sits.
type Filter struct {
	Jurisdiction uuid.UUID
	Chamber      uuid.UUID
	Party        string
	Name         string // a part of it
	Left         bool   // those who sit nowhere, and not those who sit
	After        string // where the page before ended: List.Next
}

// Row is one legislator in a list.
type Row struct {
	models.Legislator
	Term    models.Term // the one in force, or the last
	Chamber models.Chamber
	First   models.Channel // the first choice; its kind is "" for none
}

// List is a page of legislators by name.
type List struct {
	Rows []Row
	Next string
}

// cursor is where a page by name ends.
type cursor struct {
	Family, Given string
	ID            uuid.UUID
}

// escape makes a text stand for itself in LIKE.
var escape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// List returns legislators by family name. It needs the right actor.SeeFigures; the fault is Invalid, error.page_unknown.
func (s *Service) List(ctx context.Context, a actor.Actor, f Filter) (List, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return List{}, err
	}
	today := day(s.Clock.Now())
	of := "t.legislator_id = legislators.id"
	var args []any
	for _, x := range []struct {
		sql string
		on  bool
		arg any
	}{
		{"t.chamber_id IN (SELECT id FROM chambers WHERE jurisdiction_id = ?)", f.Jurisdiction != uuid.Nil, f.Jurisdiction},
		{"t.chamber_id = ?", f.Chamber != uuid.Nil, f.Chamber},
		{"t.party = ?", f.Party != "", f.Party},
	} {
		if x.on {
			of, args = of+" AND "+x.sql, append(args, x.arg)
		}
	}
	q := s.DB.WithContext(ctx).Model(&models.Legislator{})
	if f.Left {
		q = q.Where("NOT EXISTS (SELECT 1 FROM terms t WHERE t.legislator_id = legislators.id AND "+inForce+")", today, today).Where("EXISTS (SELECT 1 FROM terms t WHERE "+of+")", args...)
	} else {
		q = q.Where("EXISTS (SELECT 1 FROM terms t WHERE "+of+" AND "+inForce+")", append(args, today, today)...)
	}
	if name := flat(f.Name, maxName); name != "" {
		q = q.Where(`LOWER(legislators.name) LIKE LOWER(?) ESCAPE '\'`, "%"+escape.Replace(name)+"%")
	}
	if f.After != "" {
		var c cursor
		b, err := base64.RawURLEncoding.DecodeString(f.After)
		if err == nil {
			err = json.Unmarshal(b, &c)
		}
		if err != nil {
			return List{}, fault.New(fault.Invalid, "error.page_unknown")
		}
		q = q.Where("(family_name, given_name, id) > (?, ?, ?)", c.Family, c.Given, c.ID)
	}
	var people []models.Legislator
	if err := q.Order("family_name, given_name, id").Limit(paging.Size + 1).Find(&people).Error; err != nil {
		return List{}, err
	}
	var out List
	if len(people) > paging.Size {
		people = people[:paging.Size]
		last := people[paging.Size-1]
		b, err := json.Marshal(cursor{last.FamilyName, last.GivenName, last.ID})
		if err != nil {
			return List{}, err
		}
		out.Next = base64.RawURLEncoding.EncodeToString(b)
	}
	var err error
	out.Rows, err = s.rows(ctx, people)
	return out, err
}

// rows adds what a list shows beside the person.
func (s *Service) rows(ctx context.Context, people []models.Legislator) ([]Row, error) {
	if len(people) == 0 {
		return nil, nil
	}
	ids := make([]uuid.UUID, len(people))
	for i, p := range people {
		ids[i] = p.ID
	}
	db := s.DB.WithContext(ctx)
	var terms []models.Term
	var chambers []models.Chamber
	var channels []models.Channel
	err := errors.Join(
		db.Where("legislator_id IN ?", ids).Order("valid_from, created_at, id").Find(&terms).Error,
		db.Where("id IN (SELECT chamber_id FROM terms WHERE legislator_id IN ?)", ids).Find(&chambers).Error,
		db.Where("legislator_id IN ? AND removed_at IS NULL", ids).Order("position, id").Find(&channels).Error,
	)
	if err != nil {
		return nil, err
	}
	now := s.Clock.Now()
	out := make([]Row, len(people))
	for i, p := range people {
		out[i].Legislator = p
		for _, t := range terms {
			if t.LegislatorID == p.ID && (InForce(t, now) || !InForce(out[i].Term, now) || out[i].Term.ID == uuid.Nil) {
				out[i].Term = t
			}
		}
		if c := slices.IndexFunc(chambers, func(c models.Chamber) bool { return c.ID == out[i].Term.ChamberID }); c >= 0 {
			out[i].Chamber = chambers[c]
		}
		if c := slices.IndexFunc(channels, func(c models.Channel) bool { return c.LegislatorID == p.ID }); c >= 0 {
			out[i].First = channels[c]
		}
	}
	return out, nil
}

// Body is a jurisdiction with its chambers.
type Body struct {
	models.Jurisdiction
	Chambers []models.Chamber
}

// Filters are what a list can be narrowed by: bodies, and the parties of who sits there.
type Filters struct {
	Bodies  []Body
	Parties []string
}

// Filters returns what lists can be narrowed by; the parties are those of one jurisdiction, uuid.Nil for all. It needs the right
// actor.SeeFigures.
func (s *Service) Filters(ctx context.Context, a actor.Actor, jurisdiction uuid.UUID) (f Filters, err error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return f, err
	}
	db := s.DB.WithContext(ctx)
	var js []models.Jurisdiction
	var cs []models.Chamber
	if err := errors.Join(db.Order("name, id").Find(&js).Error, db.Order("name, id").Find(&cs).Error); err != nil {
		return f, err
	}
	for _, j := range js {
		b := Body{Jurisdiction: j}
		for _, c := range cs {
			if c.JurisdictionID == j.ID {
				b.Chambers = append(b.Chambers, c)
			}
		}
		f.Bodies = append(f.Bodies, b)
	}
	today := day(s.Clock.Now())
	q := db.Table("terms AS t").Where(inForce, today, today).Where("t.party <> ''")
	if jurisdiction != uuid.Nil {
		q = q.Where("t.chamber_id IN (SELECT id FROM chambers WHERE jurisdiction_id = ?)", jurisdiction)
	}
	return f, q.Distinct("t.party").Order("t.party").Limit(200).Pluck("t.party", &f.Parties).Error
}

// Seat is a term with its chamber.
type Seat struct {
	models.Term
	Chamber models.Chamber
	Sits    bool
}

// OnCommittee is a place on a committee: which one, and as what.
type OnCommittee struct{ Name, Title string }

// Person is all that is known about a legislator.
type Person struct {
	models.Legislator
	Seats      []Seat // the newest first
	Offices    []models.Office
	Channels   []models.Channel // the first choice first
	Committees []OnCommittee
	Said       []Said                    // the newest first; for who may write it
	History    []models.LegislatorChange // the newest first
}

// Sits reports whether one of the terms is in force.
func (p Person) Sits() bool { return slices.ContainsFunc(p.Seats, func(s Seat) bool { return s.Sits }) }

// shownHistory is how many changes a person's page shows.
const shownHistory = 100

// Get returns a legislator; what they said for who has the right actor.ManageLetters alone. It needs the right actor.SeeFigures; the fault is
// NotFound, error.legislator_unknown.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (p Person, err error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return p, err
	}
	db := func() *gorm.DB { return s.DB.WithContext(ctx) }
	if err := db().Where("id = ?", id).Take(&p.Legislator).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return p, errUnknown
	} else if err != nil {
		return p, err
	}
	var terms []models.Term
	var chambers []models.Chamber
	err = errors.Join(
		db().Where("legislator_id = ?", id).Order("valid_from DESC, created_at DESC, id DESC").Find(&terms).Error,
		db().Where("id IN (SELECT chamber_id FROM terms WHERE legislator_id = ?)", id).Find(&chambers).Error,
		db().Where("legislator_id = ? AND removed_at IS NULL", id).Order("kind, name, id").Find(&p.Offices).Error,
		db().Where("legislator_id = ? AND removed_at IS NULL", id).Order("position, id").Find(&p.Channels).Error,
		db().Table("committee_members AS m").Joins("JOIN committees c ON c.id = m.committee_id").Where("m.legislator_id = ? AND m.ended_at IS NULL AND c.removed_at IS NULL", id).
			Select("c.name, m.title").Order("c.name, c.id").Scan(&p.Committees).Error,
		db().Where("legislator_id = ?", id).Order("created_at DESC, id DESC").Limit(shownHistory).Find(&p.History).Error,
	)
	if err == nil && a.May(actor.ManageLetters) {
		p.Said, err = SaidWhere(ctx, s.DB.DB, "p.legislator_id = ?", id)
	}
	now := s.Clock.Now()
	for _, t := range terms {
		seat := Seat{Term: t, Sits: InForce(t, now)}
		if i := slices.IndexFunc(chambers, func(c models.Chamber) bool { return c.ID == t.ChamberID }); i >= 0 {
			seat.Chamber = chambers[i]
		}
		p.Seats = append(p.Seats, seat)
	}
	return p, err
}
