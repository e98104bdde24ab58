package letters

import (
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// CreateInput starts a letter campaign. With CampaignID zero a campaign is made with it.
type CreateInput struct {
	Plan
	CampaignID uuid.UUID
}

// Create starts a draft. It needs actor.DraftPetition. The faults are Invalid with fields, of which only the title must be there;
// NotFound, error.campaign_unknown.
func (s *Service) Create(ctx context.Context, a actor.Actor, in CreateInput) (Campaign, error) {
	if err := a.Need(actor.DraftPetition); err != nil {
		return Campaign{}, err
	}
	if in.Position == "" {
		in.Position = models.StanceSupport
	}
	if in.HourlyCap == 0 {
		in.HourlyCap = HourlyDefault
	}
	in.trim()
	bad := in.check()
	if in.Title == "" {
		bad = append(fault.Fields{{Name: "title", Key: "error.letters_title_missing"}}, bad...)
	}
	if err := bad.Err(); err != nil {
		return Campaign{}, err
	}
	now := s.Clock.Now()
	row := in.row()
	row.ID, row.CampaignID, row.State, row.AuthorID, row.Revision = models.NewID(), in.CampaignID, models.LettersDraft, a.Account(), 1
	row.Slug, row.CreatedAt, row.UpdatedAt = campaigns.DraftSlug(row.ID), now, now
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if in.CampaignID == uuid.Nil {
			c, err := campaigns.Insert(ctx, tx, a, in.Title, now)
			if err != nil {
				return err
			}
			row.CampaignID = c.ID
		} else if err := campaigns.MayAdd(ctx, tx, a, in.CampaignID); err != nil {
			return err
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "letters.create", "letter_campaigns", row.ID, nil)
	})
	return Campaign{LetterCampaign: row, OwnLocale: row.Locale}, err
}

// Draft returns a letter campaign for its author, or for somebody with actor.ManageLetters. It needs actor.DraftPetition. The fault
// is NotFound, error.letters_unknown.
func (s *Service) Draft(ctx context.Context, a actor.Actor, id uuid.UUID) (Campaign, error) {
	return mine(ctx, s.DB.DB, a, id)
}

// SaveInput is a letter campaign as it was typed over the revision that the page showed.
type SaveInput struct {
	Plan
	Revision int
}

// Save keeps what a letter campaign says in its own language and its numbers, of a draft also what is not complete. It is for whom
// Draft is. Nothing is kept when it cannot be stored as it is, or is public and would miss something (Invalid, with fields), when
// another page changed it since (Conflict, error.letters_changed: what is stored comes back beside it), or when it is not the actor's
// turn to change it (Conflict, error.letters_state).
func (s *Service) Save(ctx context.Context, a actor.Actor, id uuid.UUID, in SaveInput) (Campaign, error) {
	in.trim()
	c, err := mine(ctx, s.DB.DB, a, id)
	if err != nil {
		return Campaign{}, err
	}
	bad := in.check()
	if c.Public() {
		bad = append(bad, in.missing()...)
		planEffort(&bad, in.Plan)
	}
	for _, t := range c.Texts {
		if t.Locale == in.Locale {
			bad.Add("locale", "error.letters_locale")
		}
	}
	if err := bad.Err(); err != nil {
		return c, err
	}
	now := s.Clock.Now()
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if c, err = mine(ctx, tx, a, id); err != nil {
			return err
		}
		if samePlan(PlanOf(c.LetterCampaign), in.Plan) && Editable(a, c.LetterCampaign) {
			return nil
		}
		if err := touch(ctx, tx, a, c, in.Revision, now, in.columns()); err != nil {
			return err
		}
		if in.Locale != c.Locale { // the points were in the language that it had
			if err := tx.Model(&models.LetterPoint{}).Where("letter_campaign_id = ? AND locale = ?", id, c.Locale).Update("locale", in.Locale).Error; err != nil {
				return err
			}
		}
		if err := audit.Write(ctx, tx, a, now, "letters.save", "letter_campaigns", id, map[string]any{"revision": in.Revision + 1}); err != nil {
			return err
		}
		c, err = load(ctx, tx, id)
		return err
	})
	return c, err
}

// planEffort notes that the effort label is not whole.
func planEffort(bad *fault.Fields, d Plan) {
	if d.Minutes == 0 {
		bad.Add("minutes", "error.letters_minutes_missing")
	}
	if d.Energy == 0 {
		bad.Add("energy", "error.letters_energy_missing")
	}
}

func samePlan(a, b Plan) bool {
	equal := func(x, y *time.Time) bool { return (x == nil) == (y == nil) && (x == nil || x.Equal(*y)) }
	times := equal(a.OpensAt, b.OpensAt) && equal(a.ClosesAt, b.ClosesAt) && slices.Equal(a.Demands, b.Demands)
	a.OpensAt, a.ClosesAt, a.Demands, b.OpensAt, b.ClosesAt, b.Demands = nil, nil, nil, nil, nil, nil
	return times && reflect.DeepEqual(a, b)
}
