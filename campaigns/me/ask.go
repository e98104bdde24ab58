package me

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/address"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/models"
)

var forUpdate = clause.Locking{Strength: "UPDATE"}

// The kinds of mails of this package. Each brings a link; all have the template me_link. The subject is the mailbox.
const (
	KindLink     = "me_link"
	KindDownload = "me_download"
	KindErase    = "me_erase"
)

// Limits of asking. Tries are kept as those of signing in are, and swept with them.
const (
	window      = 15 * time.Minute
	perAddress  = 3  // in a window, whoever asks
	perClient   = 10 // in a window, whatever is asked for
	mailsPerDay = 10 // to one mailbox, of each kind; then nothing more is sent, without a word
)

// Ask mails a link to the page of an address, if anything is kept about it. The answer is the same where nothing is, after the
// same work. client names who asks, such as an IP network. The faults are Invalid with the field email, and TooMany,
// error.me_asked_often, with RetryAfter.
func (s *Service) Ask(ctx context.Context, client, email string) error {
	canonical, _, err := address.CanonicalAddress(email)
	if err != nil {
		var bad fault.Fields
		bad.Add("email", address.Key(err))
		return bad.Err()
	}
	hash := s.o.Vault.AddressHash(canonical)
	if err := s.attempt(ctx, s.o.Vault.Hash("me/ask/client", []byte(client)), s.o.Vault.Hash("me/ask/address", hash)); err != nil {
		return err
	}
	now := s.o.Clock.Now()
	return s.o.DB.Tx(ctx, func(tx *gorm.DB) error {
		var box models.Mailbox
		err := tx.Where("address_hash = ? AND address_sealed IS NOT NULL", hash).Take(&box).Error
		known := err == nil
		if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
			return err
		}
		sent, err := mailed(ctx, tx, box.ID, KindLink, now)
		if err != nil {
			return err
		}
		if !known || sent >= mailsPerDay { // something is written and committed all the same: the time it takes tells nothing
			return tx.Create(&models.LoginFailure{ID: models.NewID(), KeyHash: s.o.Vault.Hash("me/ask/nobody", hash), At: now}).Error
		}
		return queue(ctx, tx, box.ID, KindLink, linkLife, now)
	})
}

// attempt counts a try before it is made. It writes its rows first and counts after, so that of tries made at the same moment,
// on whichever node, never more than the limits pass. One that is refused does not count.
func (s *Service) attempt(ctx context.Context, client, addressed []byte) error {
	now := s.o.Clock.Now()
	db := s.o.DB.WithContext(ctx)
	rows := []models.LoginFailure{{ID: models.NewID(), KeyHash: client, At: now}, {ID: models.NewID(), KeyHash: addressed, At: now}}
	ids := []uuid.UUID{rows[0].ID, rows[1].ID}
	if err := db.Create(&rows).Error; err != nil {
		return err
	}
	var wait time.Duration
	for i, limit := range []int{perClient, perAddress} {
		var times []time.Time
		err := db.Model(&models.LoginFailure{}).Where("key_hash = ? AND at > ? AND id NOT IN ?", rows[i].KeyHash, now.Add(-window), ids).
			Order("at DESC").Limit(limit).Pluck("at", &times).Error
		if err != nil {
			return err
		}
		if len(times) == limit {
			wait = max(wait, times[limit-1].Add(window).Sub(now), time.Second)
		}
	}
	if wait == 0 {
		return nil
	}
	if err := db.Where("id IN ?", ids).Delete(&models.LoginFailure{}).Error; err != nil {
		return err
	}
	return fault.New(fault.TooMany, "error.me_asked_often", "Count", int((wait+time.Minute-1)/time.Minute), "RetryAfter", wait)
}

// mailed counts the mails of a kind that a mailbox got in the last day.
func mailed(ctx context.Context, tx *gorm.DB, box uuid.UUID, kind string, now time.Time) (int64, error) {
	var n int64
	err := tx.WithContext(ctx).Model(&models.Delivery{}).Where("mailbox_id = ? AND kind = ? AND created_at > ?", box, kind, now.Add(-24*time.Hour)).Count(&n).Error
	return n, err
}

func queue(ctx context.Context, tx *gorm.DB, box uuid.UUID, kind string, life time.Duration, now time.Time) error {
	id, ends := models.NewID(), now.Add(life)
	_, err := deliveries.Insert(ctx, tx, deliveries.New{
		ID: id, Kind: kind, MailboxID: box, SubjectID: box, Purpose: models.PurposeReceipt, DedupeKey: kind + "/" + id.String(),
		Priority: models.PriorityReceipt, OnUnknown: models.Resend, ExpiresAt: &ends,
	}, now)
	return err
}

// AskDownload mails the second link, which downloads and does nothing else, to the mailbox of a link. The faults are those of
// Show, and TooMany, error.me_mailed_often.
func (s *Service) AskDownload(ctx context.Context, token string) error {
	return s.askAgain(ctx, token, KindDownload)
}

// AskErase mails the second link, which erases and does nothing else, to the mailbox of a link. The faults are those of
// AskDownload.
func (s *Service) AskErase(ctx context.Context, token string) error {
	return s.askAgain(ctx, token, KindErase)
}

func (s *Service) askAgain(ctx context.Context, token, kind string) error {
	now := s.o.Clock.Now()
	return s.o.DB.Tx(ctx, func(tx *gorm.DB) error {
		p, err := s.hold(ctx, tx, tokens.Me, token)
		if err != nil {
			return err
		}
		n, err := mailed(ctx, tx, p.Mailbox, kind, now)
		if err != nil {
			return err
		}
		if n >= mailsPerDay {
			return fault.New(fault.TooMany, "error.me_mailed_often")
		}
		return queue(ctx, tx, p.Mailbox, kind, actLife, now)
	})
}

// LinkMail is the data of the template me_link.
type LinkMail struct {
	For     string // page, download, erase
	URL     string
	Minutes int // that it is good for
}

// Renderers makes the content of each kind of mail at the moment it goes: register them with deliveries.Service.Handle.
func (s *Service) Renderers() map[string]deliveries.Renderer {
	return map[string]deliveries.Renderer{
		KindLink:     s.linkMail("page", "/me/", tokens.Me, linkLife),
		KindDownload: s.linkMail("download", "/me/download/", tokens.Download, actLife),
		KindErase:    s.linkMail("erase", "/me/erase/", tokens.Erase, actLife),
	}
}

func (s *Service) linkMail(what, path string, k tokens.Kind, life time.Duration) deliveries.Renderer {
	return func(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
		ends := d.CreatedAt.Add(life)
		if !s.o.Clock.Now().Before(ends) {
			return deliveries.Content{}, fault.New(fault.Gone, "error.link_expired")
		}
		token := s.o.Signer.Make(k, d.MailboxID, ends)
		p, err := s.open(ctx, s.o.DB.DB, k, token)
		if err != nil {
			return deliveries.Content{}, err
		}
		wished, err := s.language(ctx, s.o.DB.DB, p)
		if err != nil {
			return deliveries.Content{}, err
		}
		o, err := s.o.Organisation.Current(ctx)
		return deliveries.Content{
			Template: KindLink, Lang: organisation.Language(o, wished),
			Data: LinkMail{For: what, URL: s.o.BaseURL + path + token, Minutes: int(life / time.Minute)},
		}, err
	}
}
