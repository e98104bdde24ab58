// Package volunteers is people who offer time: what they like to do, when, from where, and how they want to be asked.
//
// The rules:
//
//   - Nobody needs an account. Whoever offers time gives a name and an address; all the rest may be left empty. What was filled in waits,
//     as a pending row, until the reader of the mailbox presses the button on a mailed page, and changes nothing before. The answer to the
//     form is the same for every address.
//   - Whoever fills in the form once more changes what they said, once that is confirmed: what they left empty stays. A record takes from
//     it what is empty there.
//   - Somebody is asked for help only in the way they chose and between the hours they chose, and only with a consent to it in exact words.
//   - On their own page people change what they said, pause, and stop. Stopping deletes the row.
//   - A coordinator sees what people said, what they were trained for and which steps of beginning they did. Never what somebody plans with
//     their energy, whether they have a bad time, or whether they let a place go.
//   - A certificate names hours that somebody asked to have confirmed. Nobody else can ask for one.
//
// The operations are the methods of Service. Who may do what stands at each.
package volunteers

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/abuse"
	"kithline/campaigns/clock"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/jobs"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Options of a Service. All are needed but Guard, Flare and EndFlare.
type Options struct {
	DB           *database.DB
	Vault        *vault.Vault
	Clock        clock.Clock
	Signer       *tokens.Signer
	Organisation *organisation.Service
	Consents     *consents.Service
	BaseURL      string                                     // of the site, without a slash at the end: for links in mails
	Words        func(lang, key string, args ...any) string // translates a locale key
	Date         func(lang string, t time.Time) string      // a day in words
	Log          *slog.Logger
	Guard        *abuse.Service // judges what strangers send; nil judges nobody

	// Flare begins a bad time at a mailbox, until a moment or until they say, and offers the places they hold to others. EndFlare ends it.
	Flare    func(ctx context.Context, box uuid.UUID, until *time.Time) error
	EndFlare func(ctx context.Context, box uuid.UUID) error
}

// Service holds the operations on volunteers. It is safe for concurrent use.
type Service struct {
	Options
}

// New makes the service. Register its renderers, jobs and sources before it is used.
func New(o Options) *Service { return &Service{Options: o} }

// Regular lists what runs by itself: see Expire and Resume.
func (s *Service) Regular() []jobs.Regular {
	return []jobs.Regular{
		{Name: "volunteers_expire", Every: 10 * time.Minute, Run: func(ctx context.Context) error { _, err := s.Expire(ctx); return err }},
		{Name: "volunteers_resume", Every: 10 * time.Minute, Run: s.ResumeAll},
	}
}

// expireBatch is how many rows go in one transaction.
const expireBatch = 500

// Expire removes what nobody confirmed in time, and forgets addresses that nothing waits for any more. It returns how many rows went. It may
// run on several nodes at once, and again.
func (s *Service) Expire(ctx context.Context) (int, error) {
	now, total := s.Clock.Now(), 0
	for {
		n := 0
		err := s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
			n, err = drop(ctx, tx, now, "id IN (SELECT id FROM volunteers WHERE state = 'pending' AND expires_at <= ? ORDER BY expires_at, id LIMIT ?)", now, expireBatch)
			return err
		})
		total += n
		if err != nil {
			return total, err
		}
		if n == 0 {
			break
		}
	}
	_, err := mailboxes.Sweep(ctx, s.DB, now)
	return total, err
}

// ResumeAll ends the pauses whose day has come.
func (s *Service) ResumeAll(ctx context.Context) error {
	now := s.Clock.Now()
	return s.DB.WithContext(ctx).Model(&models.Volunteer{}).Where("state = ? AND paused_until <= ?", models.VolunteerPaused, now).
		Updates(map[string]any{"state": models.VolunteerActive, "paused_until": nil, "updated_at": now}).Error
}

// drop deletes the pending rows that the condition picks, and ends their mails.
func drop(ctx context.Context, tx *gorm.DB, now time.Time, where string, args ...any) (int, error) {
	var gone []models.Volunteer
	if err := tx.WithContext(ctx).Raw("DELETE FROM volunteers WHERE state = 'pending' AND "+where+" RETURNING id, mailbox_id", args...).Scan(&gone).Error; err != nil || len(gone) == 0 {
		return 0, err
	}
	var ids, boxes []uuid.UUID
	for _, g := range gone {
		ids = append(ids, g.ID)
		if !slices.Contains(boxes, g.MailboxID) {
			boxes = append(boxes, g.MailboxID)
		}
	}
	return len(gone), confirmations.Drop(ctx, tx, confirmations.VolunteerConfirm, boxes, ids, now)
}
