package letters

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/models"
)

// PositionStances are what a legislator may have said, in the order of the form.
var PositionStances = []string{"support", "oppose", "undecided", "unclear"}

// PositionInput is what a legislator said about the bill of a letter campaign, with where it can be read.
type PositionInput struct {
	LegislatorID uuid.UUID
	Stance       string
	SourceTitle  string
	SourceURL    string
	Note         string
	SaidOn       string // 2006-01-02
}

// Stood is what a legislator said, the newest first.
type Stood struct {
	Member legislators.Member
	Said   []legislators.Said
}

// Now is the newest.
func (p Stood) Now() legislators.Said { return p.Said[0] }

// AddPosition writes down what a legislator said. Nothing that was written down is ever changed: who says something else later gets a
// further row. It needs actor.ManageLetters, and a campaign that keeps positions. The faults are Conflict, error.letters_positions_off;
// Invalid with the fields legislator, stance, said_on, source_title, source_url and note.
func (s *Service) AddPosition(ctx context.Context, a actor.Actor, id uuid.UUID, in PositionInput) error {
	if err := a.Need(actor.ManageLetters); err != nil {
		return err
	}
	for _, t := range []*string{&in.SourceTitle, &in.SourceURL, &in.Note} {
		*t = strings.TrimSpace(*t)
	}
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		c, err := load(ctx, tx, id)
		if err != nil {
			return err
		}
		if !c.Positions || !c.Public() {
			return fault.New(fault.Conflict, "error.letters_positions_off")
		}
		var bad fault.Fields
		if _, err := legislators.Sitting(ctx, tx, in.LegislatorID, now); fault.Is(err, fault.NotFound) {
			bad.Add("legislator", "error.letters_legislator_missing") // who only wants the seat has no position here
		} else if err != nil {
			return err
		}
		if !slices.Contains(PositionStances, in.Stance) {
			bad.Add("stance", "error.letters_stance_missing")
		}
		if at, err := time.Parse(time.DateOnly, in.SaidOn); err != nil {
			bad.Add("said_on", "error.letters_day")
		} else if at.After(now.Add(24 * time.Hour)) {
			bad.Add("said_on", "error.letters_day_ahead")
		}
		if in.SourceTitle == "" {
			bad.Add("source_title", "error.letters_source_title_missing")
		}
		if in.SourceURL == "" {
			bad.Add("source_url", "error.letters_source_missing")
		}
		planSource(&bad, "source_title", "source_url", in.SourceTitle, in.SourceURL)
		planText(&bad, "note", in.Note, SummaryMax)
		if err := bad.Err(); err != nil {
			return err
		}
		row := models.Position{
			ID: models.NewID(), LegislatorID: in.LegislatorID, LetterCampaignID: id, Stance: in.Stance, SourceTitle: in.SourceTitle, SourceURL: in.SourceURL, Note: in.Note,
			SaidOn: in.SaidOn, CreatedBy: a.Account(), CreatedAt: now,
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "letters.position", "letter_campaigns", id, map[string]any{"legislator": in.LegislatorID})
	})
}

// PositionsOf returns what legislators said about the bill of a letter campaign, at its meetings too, by name; nothing where it keeps no positions. It needs
// actor.ManageLetters.
func (s *Service) PositionsOf(ctx context.Context, a actor.Actor, id uuid.UUID) (Campaign, []Stood, error) {
	if err := a.Need(actor.ManageLetters); err != nil {
		return Campaign{}, nil, err
	}
	c, err := load(ctx, s.DB.DB, id)
	if err != nil || !c.Positions {
		return c, nil, err
	}
	rows, err := legislators.SaidWhere(ctx, s.DB.DB, "p.letter_campaign_id = ?", id)
	if err != nil {
		return c, nil, err
	}
	by := map[uuid.UUID][]legislators.Said{}
	var ids []uuid.UUID
	for _, p := range rows {
		if by[p.LegislatorID] == nil {
			ids = append(ids, p.LegislatorID)
		}
		by[p.LegislatorID] = append(by[p.LegislatorID], p)
	}
	members, err := s.named(ctx, ids, s.Clock.Now())
	if err != nil {
		return c, nil, err
	}
	var out []Stood
	for _, id := range ids {
		out = append(out, Stood{Member: members[id], Said: by[id]})
	}
	slices.SortFunc(out, func(x, y Stood) int {
		return strings.Compare(x.Member.FamilyName+x.Member.Name, y.Member.FamilyName+y.Member.Name)
	})
	return c, out, nil
}

// ElectionNear reports whether a general election of the United States is at most 60 days ahead: the Tuesday after the first Monday of
// November of an even year. In those weeks what names a legislator can be an electioneering communication (52 U.S.C. 30104(f)(3)), and
// the pages of positions say so. Of primaries and of elections elsewhere nothing is known here, and the pages say that too.
func ElectionNear(now time.Time) bool {
	now = now.UTC()
	if now.Year()%2 != 0 {
		return false
	}
	first := time.Date(now.Year(), time.November, 1, 0, 0, 0, 0, time.UTC)
	monday := first.AddDate(0, 0, (int(time.Monday)-int(first.Weekday())+7)%7)
	voting := monday.AddDate(0, 0, 1)
	return now.Before(voting.AddDate(0, 0, 1)) && !now.Before(voting.AddDate(0, 0, -60))
}
