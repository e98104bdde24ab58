package retention

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/erasures"
	"kithline/campaigns/jobs"
	"kithline/models"
	"kithline/models/database"
)

// batch is how many signatures or answers go in one transaction.
const batch = 500

// within is how long one run goes on; the next one continues.
const within = 40 * time.Second

// ownConsents are the purposes whose scope is a campaign: a yes to one of them ends with it.
const ownConsents = "purpose IN ('updates', 'publish')"

// held is the condition on a mailbox m under which something else than a campaign holds it. Its arguments are: the campaign,
// three times, and now.
const held = `(EXISTS (SELECT 1 FROM users u WHERE u.mailbox_id = m.id)
	OR EXISTS (SELECT 1 FROM consents c WHERE c.mailbox_id = m.id AND c.withdrawn_at IS NULL AND NOT (c.` + ownConsents + ` AND c.scope_id = ?))
	OR EXISTS (SELECT 1 FROM signatures g WHERE g.mailbox_id = m.id AND g.petition_id NOT IN (` + minePetitions + `))
	OR EXISTS (SELECT 1 FROM submissions b WHERE b.mailbox_id = m.id AND (b.form_id IS NULL OR b.form_id NOT IN (` + mineForms + `)))
	OR EXISTS (SELECT 1 FROM letters l WHERE l.mailbox_id = m.id)
	OR EXISTS (SELECT 1 FROM invitations i WHERE i.mailbox_id = m.id AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > ?))`

func heldArgs(campaign uuid.UUID, now time.Time) []any {
	return []any{campaign, campaign, campaign, now}
}

// imported are records that an organizer brought: the list they came from holds them.
const imported = "s.source = 'import'"

// records counts the people whom only this campaign holds.
func (s *Service) records(ctx context.Context, campaign uuid.UUID) (n int64, err error) {
	args := append([]any{campaign, campaign}, heldArgs(campaign, s.clk.Now())...)
	return n, s.db.WithContext(ctx).Raw(`SELECT COUNT(*) FROM supporters s WHERE s.id IN (
			SELECT o.supporter_id FROM mailboxes o WHERE o.id IN (SELECT mailbox_id FROM signatures WHERE petition_id IN (`+minePetitions+`))
			UNION SELECT o.supporter_id FROM mailboxes o WHERE o.id IN (SELECT mailbox_id FROM submissions WHERE form_id IN (`+mineForms+`)))
		AND NOT `+imported+` AND NOT EXISTS (SELECT 1 FROM mailboxes m WHERE m.supporter_id = s.id AND `+held+`)`, args...).Scan(&n).Error
}

// Regular lists what runs by itself: see Run.
func (s *Service) Regular() []jobs.Regular {
	return []jobs.Regular{{Name: "retention", Every: time.Hour, Run: func(ctx context.Context) error { _, err := s.Run(ctx); return err }}}
}

// Done counts what a run did.
type Done struct {
	Signatures, Answers, Records, Addresses int
	More                                    bool // time was up: the next run goes on
}

// Run takes away the names whose time is over, in small transactions. It may run on several nodes at once, and again.
func (s *Service) Run(ctx context.Context) (done Done, err error) {
	defer func() {
		if done.Signatures+done.Records > 0 {
			s.forgotten()
		}
	}()
	until := time.Now().Add(within)
	for last := uuid.Nil; ; {
		var rows []models.Campaign
		err := s.db.WithContext(ctx).Where("retention_months > 0 AND id > ?", last).Order("id").Limit(100).Find(&rows).Error
		if err != nil || len(rows) == 0 {
			return done, err
		}
		for _, c := range rows {
			end, err := s.ended(ctx, c)
			if err != nil {
				return done, err
			}
			if end == nil || s.clk.Now().Before(end.AddDate(0, c.RetentionMonths, 0)) {
				continue
			}
			if err := s.run(ctx, c, until, &done); err != nil || done.More {
				return done, err
			}
		}
		last = rows[len(rows)-1].ID
	}
}

// run does one campaign.
func (s *Service) run(ctx context.Context, c models.Campaign, until time.Time, done *Done) error {
	steps := func(step func(tx *gorm.DB, d *Done) (bool, error)) error {
		for more := true; more; {
			if done.More = !time.Now().Before(until); done.More {
				return nil
			}
			var d Done
			err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
				d = Done{}
				if more, err = step(tx, &d); d.Signatures+d.Records > 0 {
					database.Announce(tx, erasures.Topic)
				}
				return err
			})
			if err != nil {
				return err
			}
			done.Signatures, done.Answers = done.Signatures+d.Signatures, done.Answers+d.Answers
			done.Records, done.Addresses = done.Records+d.Records, done.Addresses+d.Addresses
		}
		return nil
	}
	if err := steps(func(tx *gorm.DB, d *Done) (bool, error) { return s.answers(ctx, tx, c, d) }); err != nil || done.More {
		return err
	}
	var petitions []models.Petition
	err := s.db.WithContext(ctx).Where("campaign_id = ? AND anonymised_at IS NULL AND state IN "+ended, c.ID).Order("id").Find(&petitions).Error
	if err != nil {
		return err
	}
	for _, p := range petitions {
		if err := steps(func(tx *gorm.DB, d *Done) (bool, error) { return s.signatures(ctx, tx, c, p, d) }); err != nil || done.More {
			return err
		}
	}
	return nil
}

// answers removes some answers to the forms of a campaign.
func (s *Service) answers(ctx context.Context, tx *gorm.DB, c models.Campaign, d *Done) (more bool, err error) {
	var rows []models.Submission
	err = tx.Select("id", "mailbox_id").Where("form_id IN ("+mineForms+")", c.ID).Order("id").Limit(batch).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return false, err
	}
	ids, boxes := make([]uuid.UUID, len(rows)), make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i], boxes[i] = r.ID, r.MailboxID
	}
	people, err := s.hold(ctx, tx, boxes)
	if err != nil {
		return false, err
	}
	if err := tx.Where("id IN ?", ids).Delete(&models.Submission{}).Error; err != nil {
		return false, err
	}
	d.Answers = len(rows)
	return true, s.loosen(ctx, tx, c, people, ids, d)
}

// signatures takes the names off some signatures of a petition; with the last of them the petition is marked.
func (s *Service) signatures(ctx context.Context, tx *gorm.DB, c models.Campaign, p models.Petition, d *Done) (more bool, err error) {
	now := s.clk.Now()
	var rows []models.Signature
	err = tx.Select("id", "mailbox_id").Where("petition_id = ? AND mailbox_id IS NOT NULL", p.ID).Order("id").Limit(batch).Find(&rows).Error
	if err != nil {
		return false, err
	}
	if len(rows) == 0 {
		r := tx.Model(&models.Petition{}).Where("id = ? AND anonymised_at IS NULL", p.ID).UpdateColumn("anonymised_at", now)
		if r.Error != nil || r.RowsAffected == 0 {
			return false, r.Error
		}
		return false, audit.Write(ctx, tx, actor.TheSystem(), now, "petition.anonymise", "petitions", p.ID, map[string]any{"months": c.RetentionMonths})
	}
	ids, boxes := make([]uuid.UUID, len(rows)), make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i], boxes[i] = r.ID, r.MailboxID
	}
	people, err := s.hold(ctx, tx, boxes)
	if err != nil {
		return false, err
	}
	// A comment that was published stays, as everybody could read it, without a name.
	for _, x := range []struct {
		except []string
		where  string
	}{{[]string{"comment_shown", "comment_state"}, "comment_state = 'shown'"}, {nil, "comment_state <> 'shown'"}} {
		n, err := erasures.Strip(ctx, tx, "signatures", x.except, "id IN ? AND "+x.where, ids)
		if err != nil {
			return false, err
		}
		d.Signatures += int(n)
	}
	return true, s.loosen(ctx, tx, c, people, ids, d)
}

// hold locks the mailboxes behind a batch, with the records they belong to and these records' other mailboxes, so that nothing
// is added to them meanwhile.
func (s *Service) hold(ctx context.Context, tx *gorm.DB, boxes []uuid.UUID) ([]models.Mailbox, error) {
	var rows []models.Mailbox
	if err := tx.Select("id", "supporter_id").Where("id IN ?", boxes).Find(&rows).Error; err != nil {
		return nil, err
	}
	var w erasures.Whom
	seen := map[uuid.UUID]bool{}
	for _, m := range rows {
		if m.SupporterID == nil {
			w.Mailboxes = append(w.Mailboxes, m.ID)
		} else if !seen[*m.SupporterID] {
			seen[*m.SupporterID] = true
			w.Supporters = append(w.Supporters, *m.SupporterID)
		}
	}
	return erasures.Hold(ctx, tx, w)
}

// loosen cuts the last links between people and what they did for a campaign, subjects, and forgets those whom nothing holds.
func (s *Service) loosen(ctx context.Context, tx *gorm.DB, c models.Campaign, people []models.Mailbox, subjects []uuid.UUID, d *Done) error {
	now := s.clk.Now()
	boxes := make([]uuid.UUID, len(people))
	var records []uuid.UUID
	for i, m := range people {
		boxes[i] = m.ID
		if m.SupporterID != nil && !slices.Contains(records, *m.SupporterID) {
			records = append(records, *m.SupporterID)
		}
	}
	var looseBoxes, loose []uuid.UUID
	for part := range slices.Chunk(boxes, batch) {
		for ids := range slices.Chunk(subjects, batch) { // a receipt would lead from the signature to the person
			_, err := erasures.Strip(ctx, tx, "deliveries", nil, "mailbox_id IN ? AND subject_id IN ? AND state NOT IN ('queued', 'deferred', 'sending')", part, ids)
			if err != nil {
				return err
			}
		}
		if err := tx.Where("mailbox_id IN ? AND scope_id = ? AND "+ownConsents, part, c.ID).Delete(&models.Consent{}).Error; err != nil {
			return err
		}
		var free []uuid.UUID
		args := append([]any{part}, heldArgs(c.ID, now)...)
		err := tx.Raw("SELECT m.id FROM mailboxes m WHERE m.id IN ? AND m.supporter_id IS NULL AND m.suppressed_at IS NULL AND NOT "+held+stillMine, append(args, c.ID, c.ID)...).Scan(&free).Error
		if err != nil {
			return err
		}
		looseBoxes = append(looseBoxes, free...)
	}
	for part := range slices.Chunk(records, batch) {
		var free []uuid.UUID
		args := append([]any{part}, heldArgs(c.ID, now)...)
		err := tx.Raw(`SELECT s.id FROM supporters s WHERE s.id IN ? AND NOT `+imported+` AND NOT EXISTS (
				SELECT 1 FROM mailboxes m WHERE m.supporter_id = s.id AND (`+held+` OR NOT (1 = 1`+stillMine+`)))`, append(args, c.ID, c.ID)...).Scan(&free).Error
		if err != nil {
			return err
		}
		loose = append(loose, free...)
	}
	for _, m := range people {
		if m.SupporterID != nil && m.SuppressedAt == nil && slices.Contains(loose, *m.SupporterID) {
			looseBoxes = append(looseBoxes, m.ID)
		}
	}
	if len(loose)+len(looseBoxes) == 0 {
		return nil
	}
	d.Records, d.Addresses = len(loose), len(looseBoxes)
	_, err := erasures.Forget(ctx, tx, loose, looseBoxes, now)
	return err
}

// stillMine adds to a condition that nothing of the campaign itself is left at the mailbox m: a later step comes to that.
const stillMine = ` AND NOT EXISTS (SELECT 1 FROM signatures g WHERE g.mailbox_id = m.id AND g.petition_id IN (` + minePetitions + `))
	AND NOT EXISTS (SELECT 1 FROM submissions b WHERE b.mailbox_id = m.id AND b.form_id IN (` + mineForms + `))`
