package petitions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// The mails to the office of who decides: one asks whether they want it, the other comes every so many signatures. The subject
// of both is the digest.
const (
	KindDigest        = "petition_digest"
	KindDigestConfirm = confirmations.DigestConfirm
)

// DigestConfirmMail is the data of the template petition_digest_confirm.
type DigestConfirmMail struct {
	PetitionTitle, PetitionURL, Every string
	confirmations.Links
}

// DigestMail is the data of the template petition_digest. Count is the public number, Growth what came since the mail before.
type DigestMail struct {
	PetitionTitle, Decider, PetitionURL, StopURL, Count, Growth, Every string
}

// Limits of digests.
const (
	DigestEveryMin = 100
	DigestEveryMax = 1_000_000
	digestsMost    = 5                   // of one petition
	digestAgain    = 30 * 24 * time.Hour // after a stop, before the same office can be asked once more
)

// Digest is a digest on the organizer's side.
type Digest struct {
	models.PetitionDigest
	Address string
	State   string // waiting, running, stopped
}

// DigestInput asks an office whether it wants a mail every so many signatures.
type DigestInput struct {
	Email string
	Every int
}

// Digests lists those of a petition, oldest first. It needs actor.ModeratePetition.
func (s *Service) Digests(ctx context.Context, a actor.Actor, id uuid.UUID) ([]Digest, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return nil, err
	}
	var rows []models.PetitionDigest
	if err := s.db.WithContext(ctx).Where("petition_id = ?", id).Order("created_at, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make([]Digest, len(rows))
	for i, d := range rows {
		var m models.Mailbox
		if err := s.db.WithContext(ctx).Take(&m, "id = ?", d.MailboxID).Error; err != nil {
			return nil, err
		}
		to, err := mailboxes.Address(s.vault, m)
		if err != nil {
			return nil, err
		}
		out[i] = Digest{d, to, "running"}
		switch {
		case d.StoppedAt != nil:
			out[i].State = "stopped"
		case d.LastAt == nil:
			out[i].State = "waiting"
		}
	}
	return out, nil
}

// AddDigest asks an office by mail whether it wants a mail every so many signatures; nothing else goes there before somebody who
// reads that mailbox pressed the button. For an office that was asked before it changes how often. It needs
// actor.ModeratePetition. The faults are NotFound, error.petition_unknown; Conflict, error.petition_not_public; Invalid with the
// fields email, every.
func (s *Service) AddDigest(ctx context.Context, a actor.Actor, id uuid.UUID, in DigestInput) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	now := s.clk.Now()
	var bad fault.Fields
	if in.Every < DigestEveryMin || in.Every > DigestEveryMax {
		bad.Add("every", "error.handover_every", "Min", DigestEveryMin, "Max", DigestEveryMax)
	}
	if _, err := mailboxes.NewRow(s.vault, in.Email, now); err != nil {
		bad.Add("email", "error.email_invalid")
	}
	if err := bad.Err(); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		p, err := take(ctx, tx, id)
		if err != nil {
			return err
		}
		if !p.State.Public() {
			return fault.New(fault.Conflict, "error.petition_not_public")
		}
		box, err := mailboxes.Ensure(ctx, tx, s.vault, in.Email, now)
		if err != nil {
			return onField("email", err)
		}
		if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Take(&box, "id = ?", box.ID).Error; err != nil {
			return err
		}
		var all []models.PetitionDigest
		if err := tx.Where("petition_id = ?", id).Find(&all).Error; err != nil {
			return err
		}
		at := slices.IndexFunc(all, func(d models.PetitionDigest) bool { return d.MailboxID == box.ID })
		var d models.PetitionDigest
		switch {
		case box.SuppressedAt != nil:
			return fault.Fields{{Name: "email", Key: "error.handover_digest_suppressed"}}.Err()
		case at < 0 && len(all) >= digestsMost:
			return fault.Fields{{Name: "email", Key: "error.handover_digest_many", Args: []any{"Max", digestsMost}}}.Err()
		case at < 0:
			d = models.PetitionDigest{ID: models.NewID(), PetitionID: id, MailboxID: box.ID, Every: in.Every, CreatedBy: a.Account(), CreatedAt: now}
			err = tx.Create(&d).Error
		case all[at].StoppedAt != nil && now.Before(all[at].StoppedAt.Add(digestAgain)):
			return fault.Fields{{Name: "email", Key: "error.handover_digest_stopped"}}.Err()
		default:
			d = all[at]
			set := map[string]any{"every": in.Every}
			if d.StoppedAt != nil {
				d.LastAt = nil
				set["stopped_at"], set["last_at"] = nil, nil
			}
			if d.LastAt == nil {
				set["created_at"] = now
			}
			err = tx.Model(&models.PetitionDigest{}).Where("id = ?", d.ID).Updates(set).Error
		}
		if err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, a, now, "petition.digest_ask", "petitions", id, map[string]any{"digest": d.ID, "every": in.Every}); err != nil {
			return err
		}
		if d.LastAt != nil {
			return nil
		}
		return confirmations.Queue(ctx, tx, []confirmations.Request{{
			Kind: KindDigestConfirm, MailboxID: box.ID, Subject: d.ID, DedupeKey: KindDigestConfirm + "/" + d.ID.String() + "/" + now.Format("2006-01-02"),
			Ends: now.Add(pendingFor),
		}}, map[uuid.UUID]models.Mailbox{box.ID: box}, []uuid.UUID{box.ID}, now)
	})
}

// RemoveDigest ends a digest from the organizer's side. It needs actor.ModeratePetition. The fault is NotFound,
// error.handover_digest_unknown. One that its reader stopped stays, so that nobody asks them again too soon.
func (s *Service) RemoveDigest(ctx context.Context, a actor.Actor, id, digest uuid.UUID) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		r := tx.Where("id = ? AND petition_id = ? AND stopped_at IS NULL", digest, id).Delete(&models.PetitionDigest{})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return fault.New(fault.NotFound, "error.handover_digest_unknown")
		}
		return audit.Write(ctx, tx, a, now, "petition.digest_remove", "petitions", id, map[string]any{"digest": digest})
	})
}

// Digest makes the mails whose number is reached, and forgets offices that did not answer. It reads the counters of petitions and
// counts nothing. It may run on several nodes at once, and again: a step is taken by one of them.
func (s *Service) Digest(ctx context.Context) error {
	now := s.clk.Now()
	err := s.db.WithContext(ctx).Where("last_at IS NULL AND stopped_at IS NULL AND created_at <= ?", now.Add(-pendingFor)).Delete(&models.PetitionDigest{}).Error
	if err != nil {
		return err
	}
	var due []struct {
		models.PetitionDigest
		Total int
	}
	err = s.db.WithContext(ctx).Raw(`SELECT d.*, p.signature_count + p.paper_count AS total FROM petition_digests d JOIN petitions p ON p.id = d.petition_id
		WHERE d.last_at IS NOT NULL AND d.stopped_at IS NULL AND p.state IN ? AND (p.signature_count + p.paper_count) / d.every > d.last_count / d.every
		ORDER BY d.id LIMIT 1000`, models.PublicPetitionStates).Scan(&due).Error
	if err != nil {
		return err
	}
	for _, d := range due {
		err := s.db.Tx(ctx, func(tx *gorm.DB) error {
			r := tx.Model(&models.PetitionDigest{}).Where("id = ? AND last_count = ? AND every = ? AND stopped_at IS NULL", d.ID, d.LastCount, d.Every).
				Updates(map[string]any{"last_count": d.Total, "before_count": d.LastCount, "last_at": now})
			if r.Error != nil || r.RowsAffected == 0 {
				return r.Error
			}
			// The key is the step: one that was passed before, by signatures that were invalidated since, makes no second mail.
			_, err := deliveries.Insert(ctx, tx, deliveries.New{
				Kind: KindDigest, MailboxID: d.MailboxID, SubjectID: d.ID, Purpose: models.PurposeReceipt,
				DedupeKey: digestKey(d.ID, d.Every, d.Total), Priority: models.PriorityBulk, OnUnknown: models.Resend,
			}, now)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// digestKey is the step that a count has reached.
func digestKey(id uuid.UUID, every, count int) string {
	return fmt.Sprintf("%s/%s/%d/%d", KindDigest, id, every, count/every)
}

// digested reads the digest that a mail is about and its petition. The fault is Gone where it is not wanted any more.
func (s *Service) digested(ctx context.Context, d models.Delivery) (models.PetitionDigest, models.Petition, error) {
	var g models.PetitionDigest
	err := s.db.WithContext(ctx).Where("id = ? AND mailbox_id = ? AND stopped_at IS NULL", d.SubjectID, d.MailboxID).Take(&g).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = gone()
	}
	if err != nil {
		return g, models.Petition{}, err
	}
	p, err := take(ctx, s.db.DB, g.PetitionID)
	if err == nil && !p.State.Public() {
		err = gone()
	}
	return g, p, err
}

func (s *Service) digestMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	g, p, err := s.digested(ctx, d)
	if err == nil && d.DedupeKey != digestKey(g.ID, g.Every, g.LastCount) { // the next step was reached before this mail could go
		err = gone()
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	stop := s.opt.BaseURL + "/u/" + s.signer.MakeForever(tokens.Unsubscribe, d.ID)
	return deliveries.Content{Template: KindDigest, Lang: p.Locale, UnsubscribeURL: stop, Data: DigestMail{
		PetitionTitle: p.Title, Decider: p.Decider, PetitionURL: s.opt.BaseURL + "/petitions/" + p.Slug, StopURL: stop,
		Count: s.number(p.Locale, g.LastCount), Growth: s.number(p.Locale, g.LastCount-g.BeforeCount), Every: s.number(p.Locale, g.Every),
	}}, nil
}

func (s *Service) digestConfirmMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	g, p, err := s.digested(ctx, d)
	if err != nil {
		return deliveries.Content{}, err
	}
	now, ends := s.clk.Now(), g.CreatedAt.Add(pendingFor)
	if g.LastAt != nil || !now.Before(ends) {
		return deliveries.Content{}, gone()
	}
	return deliveries.Content{Template: KindDigestConfirm, Lang: p.Locale, Data: DigestConfirmMail{
		PetitionTitle: p.Title, PetitionURL: s.opt.BaseURL + "/petitions/" + p.Slug, Every: s.number(p.Locale, g.Every),
		Links: confirmations.LinksOf(s.signer, s.opt.BaseURL, g.MailboxID, g.ID, ends, now),
	}}, nil
}

// StopDigest ends a digest at the word of whoever reads its mails, or lets it go on. It checks no rights: whoever calls it has
// made sure whose the mailbox is.
func StopDigest(ctx context.Context, tx *gorm.DB, digest, box uuid.UUID, stop bool, now time.Time) error {
	set := map[string]any{"stopped_at": nil}
	where := "id = ? AND mailbox_id = ? AND stopped_at IS NOT NULL"
	if stop {
		set["stopped_at"], where = now, "id = ? AND mailbox_id = ? AND stopped_at IS NULL"
	}
	return tx.WithContext(ctx).Model(&models.PetitionDigest{}).Where(where, digest, box).Updates(set).Error
}

// KindDigestWaits is what a digest is on the page that confirms.
const KindDigestWaits = "digest"

// DigestSource lets digests wait behind the door of campaigns/confirmations: app/wire.go registers it there.
func (s *Service) DigestSource() confirmations.Source { return digestSource{s} }

type digestSource struct{ s *Service }

func (c digestSource) item(d models.PetitionDigest, p models.Petition) confirmations.Item {
	path := "/petitions/" + p.Slug
	i := confirmations.Item{
		ID: d.ID, Kind: KindDigestWaits, Title: p.Title, TitleLocale: p.Locale, Path: path, Thanks: path, At: d.CreatedAt, Open: true,
		Says: []confirmations.Said{{Key: "confirm.said_every", Text: fmt.Sprint(d.Every)}},
	}
	if d.LastAt != nil {
		i.At, i.Says = *d.LastAt, nil
	}
	return i
}

// read returns the digests of a mailbox that wait or run, with their petitions where those are public.
func (c digestSource) read(ctx context.Context, tx *gorm.DB, box uuid.UUID, now time.Time) (rows []models.PetitionDigest, petitions map[uuid.UUID]models.Petition, err error) {
	tx = tx.WithContext(ctx)
	err = tx.Where("mailbox_id = ? AND stopped_at IS NULL AND (last_at IS NOT NULL OR created_at > ?)", box, now.Add(-pendingFor)).Order("created_at, id").Limit(100).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, nil, err
	}
	ids := make([]uuid.UUID, len(rows))
	for i, d := range rows {
		ids[i] = d.PetitionID
	}
	var found []models.Petition
	if err := tx.Where("id IN ? AND state IN ?", ids, models.PublicPetitionStates).Find(&found).Error; err != nil {
		return nil, nil, err
	}
	petitions = map[uuid.UUID]models.Petition{}
	for _, p := range found {
		petitions[p.ID] = p
	}
	return slices.DeleteFunc(rows, func(d models.PetitionDigest) bool { return petitions[d.PetitionID].ID == uuid.Nil }), petitions, nil
}

// Waiting is part of confirmations.Source.
func (c digestSource) Waiting(ctx context.Context, box uuid.UUID, now time.Time) (confirmations.Waiting, error) {
	var out confirmations.Waiting
	rows, petitions, err := c.read(ctx, c.s.db.DB, box, now)
	for _, d := range rows {
		if i := c.item(d, petitions[d.PetitionID]); d.LastAt == nil {
			out.Items = append(out.Items, i)
		} else {
			out.Done = append(out.Done, i)
		}
	}
	return out, err
}

// Confirm is part of confirmations.Source.
func (c digestSource) Confirm(ctx context.Context, box uuid.UUID, ids []uuid.UUID) (confirmations.Confirmed, error) {
	now := c.s.clk.Now()
	var out confirmations.Confirmed
	err := c.s.db.Tx(ctx, func(tx *gorm.DB) error {
		out = confirmations.Confirmed{Already: true}
		var m models.Mailbox
		err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Take(&m, "id = ?", box).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return fault.New(fault.Gone, "error.confirm_nothing")
		}
		if err != nil {
			return err
		}
		rows, petitions, err := c.read(ctx, tx, box, now)
		if err != nil {
			return err
		}
		for _, d := range rows {
			if !slices.Contains(ids, d.ID) {
				continue
			}
			p := petitions[d.PetitionID]
			if d.LastAt == nil {
				out.Already, d.LastAt = false, &now
				err := tx.Model(&models.PetitionDigest{}).Where("id = ?", d.ID).
					Updates(map[string]any{"last_at": now, "last_count": p.Total(), "before_count": p.Total()}).Error
				if err != nil {
					return err
				}
			}
			out.Items = append(out.Items, c.item(d, p))
		}
		if len(out.Items) == 0 {
			return fault.New(fault.Gone, "error.confirm_nothing")
		}
		if out.Already {
			return nil
		}
		return mailboxes.SignedUp(ctx, tx, []models.Mailbox{m}, now)
	})
	return out, err
}

// Disown is part of confirmations.Source.
func (c digestSource) Disown(ctx context.Context, box uuid.UUID, ids []uuid.UUID) error {
	q := c.s.db.WithContext(ctx).Where("mailbox_id = ? AND last_at IS NULL", box)
	if len(ids) > 0 {
		q = q.Where("id IN ?", ids)
	}
	return q.Delete(&models.PetitionDigest{}).Error
}

// Try is part of confirmations.Source: no browser sent a form, so no code is typed.
func (c digestSource) Try(context.Context, []uuid.UUID, int) ([]confirmations.Tried, error) {
	return nil, nil
}

// Again is part of confirmations.Source: the organizer asks again.
func (c digestSource) Again(context.Context, []uuid.UUID) error { return nil }

// DigestStopper is OutcomeStopper for the mails to offices.
func (s *Service) DigestStopper() (read func(ctx context.Context, tx *gorm.DB, d models.Delivery) (about string, stopped *time.Time, err error),
	stop func(ctx context.Context, tx *gorm.DB, d models.Delivery, stop bool, now time.Time) error,
) {
	read = func(ctx context.Context, tx *gorm.DB, d models.Delivery) (string, *time.Time, error) {
		var rows []models.PetitionDigest
		err := tx.WithContext(ctx).Where("id = ? AND mailbox_id = ?", d.SubjectID, d.MailboxID).Find(&rows).Error
		if err != nil || len(rows) == 0 {
			return "", nil, err
		}
		p, err := take(ctx, tx, rows[0].PetitionID)
		return p.Title, rows[0].StoppedAt, err
	}
	return read, func(ctx context.Context, tx *gorm.DB, d models.Delivery, stop bool, now time.Time) error {
		return StopDigest(ctx, tx, d.SubjectID, d.MailboxID, stop, now)
	}
}
