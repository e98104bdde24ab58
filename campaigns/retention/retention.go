// Package retention takes the names away when their time is over.
//
// The rules:
//
//   - A campaign may say for how many months names are kept once it ended. 0 keeps them; the organisation has a number that
//     it suggests to itself.
//   - A campaign ended when the last of its petitions and forms did, and none is open: a petition when it closed, a form when
//     it was closed. Drafts do not count. An archived campaign without either ended when it was archived.
//   - When the months have passed, every signature under its petitions loses name, address, unpublished comment and the link
//     to the person. The number of signatures, the postal areas and comments that were published stay, without a name.
//     Answers to its forms go. The yes to news of this campaign ends with it.
//   - The record of a person goes too where nothing else holds it: no yes in force to anything else, no signature or form of
//     another campaign, no letter that says who wrote it, no account here, and no list that they were imported from. A note, a tag
//     or a field alone holds nobody.
//   - Letters go by a time of their own, 28 days after each is over, unless its writer keeps it (campaigns/letters). They are counted
//     here, and are gone by no number of months.
//   - An address that takes no mail, because it bounced or complained, stays without a record, so that no list mails it again.
//   - A yes that was withdrawn is kept as proof for as long as the address is known here, and goes with it.
//   - What nobody confirmed goes after 7 days, whatever a campaign says: petitions, forms and mailboxes see to that.
//   - Before anything goes, Plan says how many it is. The work is done in small steps, by a job, and goes on where it ended.
package retention

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/models"
	"kithline/models/database"
)

// MonthsMax is the longest time that a campaign may keep names, in months.
const MonthsMax = 240

// Service holds the operations. It is made by New.
type Service struct {
	db        *database.DB
	clk       clock.Clock
	forgotten func()
}

// New makes the service. forgotten is called in this process once names went: pages that are kept with them are made anew.
func New(db *database.DB, clk clock.Clock, forgotten func()) *Service {
	if forgotten == nil {
		forgotten = func() {}
	}
	return &Service{db, clk, forgotten}
}

// Due is what retention does to one campaign, now or later.
type Due struct {
	ID         uuid.UUID
	Title      string
	Months     int
	Ended      *time.Time // nil: it goes on
	On         *time.Time // the day from which names go; nil: they are kept, or it goes on
	Signatures int64      // that name somebody, under petitions that ended
	Comments   int64      // of those, comments that were never published
	Answers    int64      // to its forms
	Records    int64      // of people whom nothing else holds; counted where names go, or would
	Letters    int64      // that say who wrote them, and go when each has its time, whatever the months are
	Kept       int64      // beside those, letters that their writers keep
	Done       bool       // there is nothing left to do
}

// Now reports whether the names go now.
func (d Due) Now(at time.Time) bool { return d.On != nil && !at.Before(*d.On) && !d.Done }

// Plan lists the campaigns, newest first, with what retention will do to each. Nothing is changed. It needs the right
// actor.Delete.
func (s *Service) Plan(ctx context.Context, a actor.Actor, after paging.Cursor) (paging.Page[Due], error) {
	if err := a.Need(actor.Delete); err != nil {
		return paging.Page[Due]{}, err
	}
	q := s.db.WithContext(ctx).Where("state <> ?", models.CampaignDraft).Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if !after.First() {
		q = q.Where("(created_at, id) < (?, ?)", after.At, after.ID)
	}
	var rows []models.Campaign
	if err := q.Find(&rows).Error; err != nil {
		return paging.Page[Due]{}, err
	}
	page := paging.Cut(rows, paging.Size, func(c models.Campaign) paging.Cursor { return paging.Cursor{At: c.CreatedAt, ID: c.ID} })
	out := paging.Page[Due]{Next: page.Next}
	for _, c := range page.Rows {
		d, err := s.due(ctx, c, c.RetentionMonths)
		if err != nil {
			return out, err
		}
		out.Rows = append(out.Rows, d)
	}
	return out, nil
}

// Preview is what retention would do to a campaign with a number of months. Nothing is changed. It needs the right
// actor.Delete; the faults are NotFound, error.campaign_unknown, and Invalid on the field months.
func (s *Service) Preview(ctx context.Context, a actor.Actor, campaign uuid.UUID, months int) (Due, error) {
	if err := a.Need(actor.Delete); err != nil {
		return Due{}, err
	}
	c, err := s.campaign(ctx, s.db.DB, campaign)
	if err != nil {
		return Due{}, err
	}
	d, err := s.due(ctx, c, months)
	if err == nil {
		err = checkMonths(months)
	}
	return d, err
}

// Saved is for how many months a campaign keeps names. The rights and faults are those of Preview.
func (s *Service) Saved(ctx context.Context, a actor.Actor, campaign uuid.UUID) (int, error) {
	if err := a.Need(actor.Delete); err != nil {
		return 0, err
	}
	c, err := s.campaign(ctx, s.db.DB, campaign)
	return c.RetentionMonths, err
}

func checkMonths(months int) error {
	var f fault.Fields
	if months < 0 || months > MonthsMax {
		f.Add("months", "error.retention_months", "Most", MonthsMax)
	}
	return f.Err()
}

func (s *Service) campaign(ctx context.Context, tx *gorm.DB, id uuid.UUID) (models.Campaign, error) {
	var c models.Campaign
	err := tx.WithContext(ctx).Where("id = ?", id).Take(&c).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = fault.New(fault.NotFound, "error.campaign_unknown")
	}
	return c, err
}

// Set changes for how many months a campaign keeps names; 0 keeps them. Names whose time is over then go with the next run of
// the job. It needs the right actor.Delete; the faults are those of Preview.
func (s *Service) Set(ctx context.Context, a actor.Actor, campaign uuid.UUID, months int) error {
	if err := a.Need(actor.Delete); err != nil {
		return err
	}
	if err := checkMonths(months); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		c, err := s.campaign(ctx, tx, campaign)
		if err != nil || c.RetentionMonths == months {
			return err
		}
		// The time of change stays: an archived campaign's clock begins there.
		if err := tx.Model(&models.Campaign{}).Where("id = ?", c.ID).UpdateColumn("retention_months", months).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "campaign.retention", "campaigns", c.ID, map[string]any{"months": months, "before": c.RetentionMonths})
	})
}

// Suggested is the number of months that the organisation suggests for its campaigns.
func (s *Service) Suggested(ctx context.Context) (int, error) {
	var o models.Organisation
	err := s.db.WithContext(ctx).Select("retention_months").Take(&o).Error
	return o.RetentionMonths, err
}

// Suggest changes that number. Campaigns keep theirs. It needs the right actor.Delete; the fault is Invalid on the field months.
func (s *Service) Suggest(ctx context.Context, a actor.Actor, months int) error {
	if err := a.Need(actor.Delete); err != nil {
		return err
	}
	if err := checkMonths(months); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		if err := tx.Model(&models.Organisation{}).Where("1 = 1").UpdateColumn("retention_months", months).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "organisation.retention", "organisations", uuid.Nil, map[string]any{"months": months})
	})
}

// ended are the states of a petition that is over.
const ended = "('closed', 'handed_over', 'answered', 'hidden', 'withdrawn')"

// mine are the petitions and forms of a campaign whose names go.
const (
	minePetitions = "SELECT id FROM petitions WHERE campaign_id = ? AND state IN " + ended
	mineForms     = "SELECT id FROM forms WHERE campaign_id = ? AND state = 'closed'"
)

// due looks at one campaign, as if it kept names for that many months.
func (s *Service) due(ctx context.Context, c models.Campaign, months int) (Due, error) {
	d := Due{ID: c.ID, Title: c.Title, Months: months}
	db := s.db.WithContext(ctx)
	var written struct{ Letters, Kept int64 }
	err := db.Raw(`SELECT COUNT(CASE WHEN NOT keeps THEN 1 END) AS letters, COUNT(CASE WHEN keeps THEN 1 END) AS kept FROM letters
		WHERE confirmed_at IS NOT NULL AND mailbox_id IS NOT NULL AND letter_campaign_id IN (SELECT id FROM letter_campaigns WHERE campaign_id = ?)`, c.ID).Scan(&written).Error
	if err != nil {
		return d, err
	}
	d.Letters, d.Kept = written.Letters, written.Kept
	end, err := s.ended(ctx, c)
	if err != nil || end == nil {
		return d, err
	}
	d.Ended = end
	if months > 0 {
		on := end.AddDate(0, months, 0)
		d.On = &on
	}
	var n struct{ Signatures, Comments int64 }
	err = db.Raw(`SELECT COUNT(*) AS signatures, COUNT(CASE WHEN comment_sealed IS NOT NULL AND comment_state <> 'shown' THEN 1 END) AS comments
		FROM signatures WHERE mailbox_id IS NOT NULL AND petition_id IN (`+minePetitions+`)`, c.ID).Scan(&n).Error
	if err != nil {
		return d, err
	}
	d.Signatures, d.Comments = n.Signatures, n.Comments
	if err := db.Raw("SELECT COUNT(*) FROM submissions WHERE form_id IN ("+mineForms+")", c.ID).Scan(&d.Answers).Error; err != nil {
		return d, err
	}
	var open int64
	if err := db.Model(&models.Petition{}).Where("campaign_id = ? AND anonymised_at IS NULL AND state IN "+ended, c.ID).Count(&open).Error; err != nil {
		return d, err
	}
	d.Done = open == 0 && d.Signatures == 0 && d.Answers == 0
	if d.On == nil || d.Done {
		return d, nil
	}
	d.Records, err = s.records(ctx, c.ID)
	return d, err
}

// ended tells when a campaign ended; nil while it goes on.
func (s *Service) ended(ctx context.Context, c models.Campaign) (*time.Time, error) {
	db := s.db.WithContext(ctx)
	var open int64
	err := db.Raw(`SELECT (SELECT COUNT(*) FROM petitions WHERE campaign_id = ? AND state = 'published') + (SELECT COUNT(*) FROM forms WHERE campaign_id = ? AND state = 'open')`,
		c.ID, c.ID).Scan(&open).Error
	if err != nil || open > 0 {
		return nil, err
	}
	var end *time.Time
	later := func(t time.Time) {
		if end == nil || t.After(*end) {
			end = &t
		}
	}
	var p models.Petition // not MAX: SQLite gives a text for it
	err = db.Where("campaign_id = ? AND state IN "+ended, c.ID).Order("COALESCE(closed_at, updated_at) DESC").Limit(1).Take(&p).Error
	switch {
	case err == nil && p.ClosedAt != nil:
		later(*p.ClosedAt)
	case err == nil:
		later(p.UpdatedAt)
	case !errors.Is(err, gorm.ErrRecordNotFound):
		return nil, err
	}
	var f models.Form
	err = db.Where("campaign_id = ? AND state = 'closed'", c.ID).Order("updated_at DESC").Limit(1).Take(&f).Error
	switch {
	case err == nil:
		later(f.UpdatedAt)
	case !errors.Is(err, gorm.ErrRecordNotFound):
		return nil, err
	}
	if end == nil && c.State == models.CampaignArchived {
		later(c.UpdatedAt)
	}
	return end, nil
}
