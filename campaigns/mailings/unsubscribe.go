package mailings

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/consents"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// undoFor is how long somebody can take back that they left.
const undoFor = 30 * time.Minute

// How a consent is withdrawn by a mail, for the record.
const (
	ByOneClick = "one_click" // a mail program's button (RFC 8058)
	ByPage     = "page"      // the button on our page
	ByReply    = "reply"     // the answer "stop", see CameBack
)

// Subscription is what the unsubscribe link of a mail is about.
type Subscription struct {
	Purpose models.Purpose // "" where the mail is not known any more: erased
	About   string         // the campaign's title, or the topic's name; "" for the whole newsletter
	Active  bool           // mails still come
	Undo    bool           // it was ended a moment ago and can be taken back
}

// Stopper is how mail of another feature, that is a receipt for this package, is stopped by its own link. All three are needed.
type Stopper struct {
	// Read tells what the mails are about, and since when they are stopped, nil for not; About is "" where all is gone.
	Read func(ctx context.Context, tx *gorm.DB, d models.Delivery) (about string, stopped *time.Time, err error)
	// Stop stops them, or lets them come again.
	Stop func(ctx context.Context, tx *gorm.DB, d models.Delivery, stop bool, now time.Time) error
	// Purpose is what the page knows them by: not "receipt", which cannot be stopped.
	Purpose models.Purpose
}

// Stops registers how a kind of mail is stopped, at start only.
func (s *Service) Stops(kind string, st Stopper) { s.stoppers[kind] = st }

// subscription is Subscription with the rows behind it.
type subscription struct {
	Subscription
	mailbox, scope uuid.UUID
	last           models.Consent // the newest one
	stopper        *Stopper       // of another feature's mail
	delivery       models.Delivery
}

// Subscription reads what a link is about and changes nothing. The token is the proof: who has it reads the mailbox. A token
// that we did not make is a NotFound fault.
func (s *Service) Subscription(ctx context.Context, token string) (Subscription, error) {
	v, err := s.subscription(ctx, s.DB.DB, token)
	return v.Subscription, err
}

func (s *Service) subscription(ctx context.Context, tx *gorm.DB, token string) (subscription, error) {
	var v subscription
	id, err := s.Signer.Read(tokens.Unsubscribe, token, s.Clock.Now())
	if err != nil {
		return v, err
	}
	tx = tx.WithContext(ctx)
	var d models.Delivery
	if err := tx.Take(&d, "id = ?", id).Error; err != nil {
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return v, nil
		}
		return v, err
	}
	v.Purpose, v.mailbox, v.scope, v.delivery = d.Purpose, d.MailboxID, d.ScopeID, d
	if st, ok := s.stoppers[d.Kind]; ok && d.MailboxID != uuid.Nil {
		about, stopped, err := st.Read(ctx, tx, d)
		if err != nil || about == "" {
			return v, err
		}
		v.stopper, v.Purpose, v.About, v.Active = &st, st.Purpose, about, stopped == nil
		v.Undo = stopped != nil && s.Clock.Now().Sub(*stopped) < undoFor
		return v, nil
	}
	if d.Purpose == models.PurposeReceipt {
		return v, nil
	}
	if v.About, err = about(ctx, tx, d.Purpose, d.ScopeID); err != nil {
		return v, err
	}
	var last []models.Consent
	err = tx.Where("mailbox_id = ? AND purpose = ? AND scope_id = ?", v.mailbox, v.Purpose, v.scope).
		Order("given_at DESC, id DESC").Limit(1).Find(&last).Error
	if err == nil && len(last) == 1 {
		v.last = last[0]
		v.Active = v.last.WithdrawnAt == nil
		v.Undo = !v.Active && (v.last.WithdrawnHow == ByOneClick || v.last.WithdrawnHow == ByPage) &&
			s.Clock.Now().Sub(*v.last.WithdrawnAt) < undoFor
	}
	return v, err
}

// Unsubscribe ends what the mail of a token belongs to: the consent is withdrawn, and what is queued for the same purpose and
// scope is suppressed in the same transaction. Doing it again, or for a mail that was erased, is no error. how is ByOneClick
// or ByPage. A token that we did not make is a NotFound fault.
func (s *Service) Unsubscribe(ctx context.Context, token, how string) (Subscription, error) {
	var v subscription
	err := s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		v, err = s.leave(ctx, tx, token, how)
		return err
	})
	return v.Subscription, err
}

// leave is Unsubscribe in a transaction.
func (s *Service) leave(ctx context.Context, tx *gorm.DB, token, how string) (subscription, error) {
	v, err := s.subscription(ctx, tx, token)
	if err != nil || v.mailbox == uuid.Nil || v.Purpose == models.PurposeReceipt {
		return v, err
	}
	now := s.Clock.Now()
	if v.stopper != nil {
		if err := v.stopper.Stop(ctx, tx, v.delivery, true, now); err != nil {
			return v, err
		}
		return s.subscription(ctx, tx, token)
	}
	if _, err := consents.Withdraw(ctx, tx, v.mailbox, v.Purpose, v.scope, how, now); err != nil {
		return v, err
	}
	if v.Active {
		if err := NoteLeft(ctx, tx, v.delivery, how, now); err != nil {
			return v, err
		}
	}
	// One that a process has read too: it asks for its state before it goes on the wire.
	err = tx.Exec(`UPDATE deliveries SET state = 'suppressed', lease_until = NULL, updated_at = ?
		WHERE mailbox_id = ? AND purpose = ? AND scope_id = ? AND state IN ('queued', 'deferred')`, now, v.mailbox, v.Purpose, v.scope).Error
	if err != nil {
		return v, err
	}
	return s.subscription(ctx, tx, token)
}

// undoSource names the page in the record of a consent that was given again.
const undoSource = "unsubscribe page undo"

// Undo takes an Unsubscribe back, for 30 minutes: a new consent in the words of the old one. Later it changes nothing: the
// result says whether mails come. A token that we did not make is a NotFound fault.
func (s *Service) Undo(ctx context.Context, token string) (Subscription, error) {
	var v subscription
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var err error
		if v, err = s.subscription(ctx, tx, token); err != nil || !v.Undo {
			return err
		}
		now := s.Clock.Now()
		if v.stopper != nil {
			if err := v.stopper.Stop(ctx, tx, v.delivery, false, now); err != nil {
				return err
			}
			v, err = s.subscription(ctx, tx, token)
			return err
		}
		err = consents.Give(ctx, tx, consents.Given{
			MailboxID: v.mailbox, Purpose: v.Purpose, ScopeID: v.scope, TextID: v.last.TextID, Locale: v.last.Locale, ShownAt: now,
			Source: undoSource, How: models.ConsentByMail, EvidenceID: v.last.EvidenceID,
		}, now)
		if err != nil {
			return err
		}
		if err := tx.Where("delivery_id = ? AND how <> ?", v.delivery.ID, ByComplaint).Delete(&models.Unsubscribe{}).Error; err != nil {
			return err
		}
		v, err = s.subscription(ctx, tx, token)
		return err
	})
	return v.Subscription, err
}

// LeaveAll ends every consent of the mailbox that the mail of a token went to. The fault is NotFound, error.link_unknown.
func (s *Service) LeaveAll(ctx context.Context, token string) error {
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		v, err := s.subscription(ctx, tx, token)
		if err != nil || v.mailbox == uuid.Nil {
			return err
		}
		now := s.Clock.Now()
		if v.Active && v.stopper == nil {
			if err := NoteLeft(ctx, tx, v.delivery, ByPage, now); err != nil {
				return err
			}
		}
		return consents.EndAll(ctx, tx, v.mailbox, consents.ByPage, now)
	})
}
