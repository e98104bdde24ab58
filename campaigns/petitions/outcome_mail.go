package petitions

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/markdown"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/models/database"
)

// KindOutcome is the mail that says what became of a petition, once to each mailbox that a confirmed signature came from. It is
// a receipt of that signature: see docs/adr/0007-outcome-mail.md. Its subject is the petition.
const KindOutcome = "petition_outcome"

// OutcomeMail is the data of the template petition_outcome. Outcome is won, partly or lost; Text is plain.
type OutcomeMail struct {
	GivenName, PetitionTitle, Outcome, Text, PetitionURL, StopURL string
}

const (
	toldBatch = 500
	toldFor   = 40 * time.Second // of one run; the next goes on from there
	// longPause is up to how long a pause puts the mail off; whoever paused for longer, or until they say, does not get it.
	longPause = 180 * 24 * time.Hour
)

// TellOutcome begins the mails that tell every signer what became of a petition; a job makes them. Done again, after a
// correction say, it reaches those alone who have none yet. It needs actor.Send. The faults are NotFound,
// error.petition_unknown; Conflict, error.handover_no_outcome where nothing is recorded yet, error.handover_telling while the
// job is at it.
func (s *Service) TellOutcome(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Petition, error) {
	if err := a.Need(actor.Send); err != nil {
		return models.Petition{}, err
	}
	if a.Chapter() != nil {
		return models.Petition{}, fault.New(fault.Forbidden, "error.forbidden", "Right", string(actor.Send))
	}
	now := s.clk.Now()
	var p models.Petition
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if p, err = take(ctx, tx, id); err != nil {
			return err
		}
		if p.State != models.PetitionAnswered {
			return fault.New(fault.Conflict, "error.handover_no_outcome")
		}
		r := tx.Model(&models.Petition{}).Where("id = ? AND state = ? AND (outcome_told_at IS NULL OR outcome_told_done_at IS NOT NULL)", id, models.PetitionAnswered).
			Updates(map[string]any{"outcome_told_at": now, "outcome_told_after": nil, "outcome_told_done_at": nil, "updated_at": now})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return fault.New(fault.Conflict, "error.handover_telling")
		}
		details := map[string]any{"again": p.OutcomeToldAt != nil, "signatures": p.SignatureCount}
		if err := audit.Write(ctx, tx, a, now, "petition.tell_outcome", "petitions", id, details); err != nil {
			return err
		}
		p, err = take(ctx, tx, id)
		return err
	})
	return p, err
}

// TellOn makes the mails of all petitions whose telling began and is not done. It may be stopped at any moment, and run on
// several nodes at once: where it is stands in the petition's row, moved in the transaction of the mails, and the key of each
// mail is the petition and the mailbox. Signatures that were confirmed up to a day after the end get theirs by a second look.
func (s *Service) TellOn(ctx context.Context) error {
	if err := s.lookAgain(ctx); err != nil {
		return err
	}
	var ids []uuid.UUID
	err := s.db.WithContext(ctx).Model(&models.Petition{}).
		Where("state = ? AND outcome_told_at IS NOT NULL AND outcome_told_done_at IS NULL", models.PetitionAnswered).Order("outcome_told_at, id").Limit(100).Pluck("id", &ids).Error
	if err != nil {
		return err
	}
	end := time.Now().Add(toldFor)
	for _, id := range ids {
		for {
			done, err := s.tellBatch(ctx, id)
			if err != nil {
				return err
			}
			if done {
				break
			}
			if time.Now().After(end) {
				return nil
			}
		}
	}
	return nil
}

// lookAgain begins anew where the job was done before the last signature could have been confirmed.
func (s *Service) lookAgain(ctx context.Context) error {
	now := s.clk.Now()
	var rows []models.Petition
	err := s.db.WithContext(ctx).Select("id", "closed_at", "outcome_told_done_at").
		Where("state = ? AND outcome_told_done_at IS NOT NULL AND closed_at > ? AND closed_at <= ?", models.PetitionAnswered, now.Add(-7*day), now.Add(-afterClose)).Find(&rows).Error
	for _, p := range rows {
		if err == nil && p.OutcomeToldDoneAt.Before(p.ClosedAt.Add(afterClose)) {
			err = s.db.WithContext(ctx).Model(&models.Petition{}).Where("id = ? AND outcome_told_done_at = ?", p.ID, *p.OutcomeToldDoneAt).
				Updates(map[string]any{"outcome_told_after": nil, "outcome_told_done_at": nil}).Error
		}
	}
	return err
}

// tellBatch makes the mails of the next mailboxes of a petition, in one transaction with how far it is. done says that there were
// none, or that another node is at it.
func (s *Service) tellBatch(ctx context.Context, id uuid.UUID) (done bool, err error) {
	now := s.clk.Now()
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		done = false
		p, err := take(ctx, tx, id)
		if err != nil {
			return err
		}
		if p.State != models.PetitionAnswered || p.OutcomeToldAt == nil || p.OutcomeToldDoneAt != nil {
			done = true
			return nil
		}
		after, at := uuid.Nil, "outcome_told_after IS NULL"
		var args []any
		if p.OutcomeToldAfter != nil {
			after, at, args = *p.OutcomeToldAfter, "outcome_told_after = ?", []any{*p.OutcomeToldAfter}
		}
		var boxes []uuid.UUID
		err = tx.Raw(`SELECT DISTINCT mailbox_id FROM signatures WHERE petition_id = ? AND mailbox_id > ? AND state = 'confirmed' ORDER BY mailbox_id LIMIT ?`,
			id, after, toldBatch).Scan(&boxes).Error
		if err != nil {
			return err
		}
		set := map[string]any{"updated_at": now}
		if len(boxes) == 0 {
			done = true
			set["outcome_told_done_at"] = now
		} else {
			n, err := s.tell(ctx, tx, p, boxes, now)
			if err != nil {
				return err
			}
			set["outcome_told_after"], set["outcome_told_count"] = boxes[len(boxes)-1], gorm.Expr("outcome_told_count + ?", n)
		}
		r := tx.Model(&models.Petition{}).Where("id = ? AND outcome_told_done_at IS NULL AND "+at, append([]any{id}, args...)...).Updates(set)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return errOvertaken
		}
		return nil
	})
	if errors.Is(err, errOvertaken) {
		return true, nil
	}
	return done, err
}

// errOvertaken undoes a batch that another node has made meanwhile.
var errOvertaken = errors.New("petitions: another node is at it")

// tell queues the mail to those of the mailboxes that may get it, and returns how many it is new for. One that was not wanted when it
// was to go, since the petition was hidden for a while, say, is queued again.
func (s *Service) tell(ctx context.Context, tx *gorm.DB, p models.Petition, boxes []uuid.UUID, now time.Time) (int, error) {
	willing, err := wanting(ctx, tx, p.CampaignID, boxes, now)
	if err != nil {
		return 0, err
	}
	rows := make([]models.Delivery, 0, len(willing))
	for _, m := range willing {
		n := deliveries.New{
			Kind: KindOutcome, MailboxID: m.ID, SubjectID: p.ID, Purpose: models.PurposeReceipt, DedupeKey: KindOutcome + "/" + p.ID.String() + "/" + m.ID.String(),
			Priority: models.PriorityBulk, OnUnknown: models.Resend,
		}
		if m.PausedUntil != nil && m.PausedUntil.After(now) {
			n.NotBefore = *m.PausedUntil
		}
		rows = append(rows, n.Row(now))
	}
	written, err := database.InsertNew(tx, rows, `ON CONFLICT (dedupe_key) DO UPDATE SET state = 'queued', not_before = excluded.not_before, updated_at = excluded.updated_at
		WHERE deliveries.state = 'expired'`)
	if err == nil && len(written) > 0 {
		deliveries.Wake(tx)
	}
	fresh := 0
	for _, r := range rows {
		if written[r.ID] {
			fresh++
		}
	}
	return fresh, err
}

// wanting returns those of the mailboxes that may get the mail about a petition of a campaign: not suppressed, whatever for; not
// paused for long; not of somebody who left the mails about the campaign, or stopped mails of this kind.
func wanting(ctx context.Context, tx *gorm.DB, campaign uuid.UUID, boxes []uuid.UUID, now time.Time) ([]models.Mailbox, error) {
	tx = tx.WithContext(ctx)
	var found []models.Mailbox
	err := tx.Select("id", "paused_until").Where("id IN ? AND suppressed_at IS NULL AND address_sealed IS NOT NULL AND (paused_until IS NULL OR paused_until <= ?)", boxes, now.Add(longPause)).
		Order("id").Find(&found).Error
	if err != nil || len(found) == 0 {
		return nil, err
	}
	var left []uuid.UUID
	err = tx.Raw(`SELECT mailbox_id FROM consents WHERE mailbox_id IN ? AND purpose = ? AND scope_id = ? GROUP BY mailbox_id
		HAVING MAX(CASE WHEN withdrawn_at IS NULL THEN 1 ELSE 0 END) = 0`, boxes, models.PurposeUpdates, campaign).Scan(&left).Error
	if err != nil {
		return nil, err
	}
	keys := make([]string, len(found))
	for i, m := range found {
		keys[i] = stopKey(m.ID)
	}
	var stopped []string
	if err := tx.Model(&models.Delivery{}).Where("dedupe_key IN ?", keys).Pluck("dedupe_key", &stopped).Error; err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(m models.Mailbox) bool {
		return slices.Contains(left, m.ID) || slices.Contains(stopped, stopKey(m.ID))
	}), nil
}

// stopKey is the key of the row, never sent, that says that a mailbox wants no mails about outcomes.
func stopKey(box uuid.UUID) string { return KindOutcome + "/stop/" + box.String() }

// OutcomeStopped reports whether a mailbox wants no mails about outcomes, and since when.
func OutcomeStopped(ctx context.Context, tx *gorm.DB, box uuid.UUID) (*time.Time, error) {
	var rows []models.Delivery
	err := tx.WithContext(ctx).Select("created_at").Where("dedupe_key = ?", stopKey(box)).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0].CreatedAt, nil
}

// StopOutcome ends the mails about outcomes to a mailbox, also those that wait to go, or lets them come again. It checks no
// rights: whoever calls it has made sure whose the mailbox is.
func StopOutcome(ctx context.Context, tx *gorm.DB, box uuid.UUID, stop bool, now time.Time) error {
	tx = tx.WithContext(ctx)
	if !stop {
		return tx.Where("dedupe_key = ?", stopKey(box)).Delete(&models.Delivery{}).Error
	}
	row := deliveries.New{
		Kind: KindOutcome, MailboxID: box, SubjectID: box, Purpose: models.PurposeReceipt, DedupeKey: stopKey(box), Priority: models.PriorityBulk, OnUnknown: models.Park,
	}.Row(now)
	row.State = models.DeliverySuppressed
	if err := database.InsertAll(tx, []models.Delivery{row}, "ON CONFLICT (dedupe_key) DO NOTHING"); err != nil {
		return err
	}
	return tx.Model(&models.Delivery{}).Where("mailbox_id = ? AND kind = ? AND state IN ?", box, KindOutcome,
		[]models.DeliveryState{models.DeliveryQueued, models.DeliveryDeferred}).
		Updates(map[string]any{"state": models.DeliverySuppressed, "lease_until": nil, "updated_at": now}).Error
}

// outcomeMail makes the mail when it goes: who took the signature back since, or wants no mail any more, does not get it.
func (s *Service) outcomeMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	p, err := take(ctx, s.db.DB, d.SubjectID)
	if fault.Is(err, fault.NotFound) || err == nil && p.State != models.PetitionAnswered {
		return deliveries.Content{}, gone()
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	now := s.clk.Now()
	var sigs []models.Signature
	err = s.db.WithContext(ctx).Where("petition_id = ? AND mailbox_id = ? AND state = ?", p.ID, d.MailboxID, models.SignatureConfirmed).Order("seat").Find(&sigs).Error
	if err != nil {
		return deliveries.Content{}, err
	}
	willing, err := wanting(ctx, s.db.DB, p.CampaignID, []uuid.UUID{d.MailboxID}, now)
	if err != nil {
		return deliveries.Content{}, err
	}
	if len(sigs) == 0 || len(willing) == 0 || willing[0].PausedUntil != nil && willing[0].PausedUntil.After(now) {
		return deliveries.Content{}, gone()
	}
	given := ""
	if len(sigs) == 1 { // two people of one mailbox are greeted without a name
		if given, _, err = s.names(sigs[0]); err != nil {
			return deliveries.Content{}, err
		}
	}
	stop := s.opt.BaseURL + "/u/" + s.signer.MakeForever(tokens.Unsubscribe, d.ID)
	return deliveries.Content{Template: KindOutcome, Lang: sigs[0].Locale, UnsubscribeURL: stop, Data: OutcomeMail{
		GivenName: given, PetitionTitle: p.Title, Outcome: string(p.Outcome), Text: markdown.Text(p.OutcomeText),
		PetitionURL: s.opt.BaseURL + "/petitions/" + p.Slug, StopURL: stop,
	}}, nil
}

// OutcomeStopper is how the link in a mail about an outcome stops such mails: app/wire.go hands its parts to the page of the link.
// Read has the title of the petition for about; it is "" where the person was erased.
func (s *Service) OutcomeStopper() (read func(ctx context.Context, tx *gorm.DB, d models.Delivery) (about string, stopped *time.Time, err error),
	stop func(ctx context.Context, tx *gorm.DB, d models.Delivery, stop bool, now time.Time) error,
) {
	read = func(ctx context.Context, tx *gorm.DB, d models.Delivery) (string, *time.Time, error) {
		p, err := take(ctx, tx, d.SubjectID)
		if fault.Is(err, fault.NotFound) {
			return "", nil, nil
		}
		if err != nil {
			return "", nil, err
		}
		stopped, err := OutcomeStopped(ctx, tx, d.MailboxID)
		return p.Title, stopped, err
	}
	return read, func(ctx context.Context, tx *gorm.DB, d models.Delivery, stop bool, now time.Time) error {
		return StopOutcome(ctx, tx, d.MailboxID, stop, now)
	}
}
