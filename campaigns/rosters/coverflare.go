package rosters

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/pacing"
	"kithline/models"
)

// flareFar is how far away the end of a bad time may be: further away is "until I say".
const flareFar = 3 * 366 * 24 * time.Hour

// Flare begins a bad time of the person behind a mailbox, until a moment or until they say where that is nil; the caller knows that it is
// they who ask. Mail but receipts stops, the places that begin until then are let go and offered to others, and nobody asks them for
// anything. The fault is Invalid with the field until: error.me_pause_past or error.me_pause_far.
func (s *Service) Flare(ctx context.Context, box uuid.UUID, until *time.Time) error {
	now := s.Clock.Now()
	switch {
	case until == nil:
	case !until.After(now):
		return fault.Fields{{Name: "until", Key: "error.me_pause_past"}}.Err()
	case until.After(now.Add(flareFar)):
		return fault.Fields{{Name: "until", Key: "error.me_pause_far"}}.Err()
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		tx = tx.WithContext(ctx)
		boxes, err := flareBoxes(tx, box)
		if err != nil {
			return err
		}
		if err := s.flareLetsGo(ctx, tx, boxes, until, now); err != nil {
			return err
		}
		for _, b := range boxes {
			if err := coverBox(tx, b); err != nil {
				return err
			}
			if err := pacing.Flare(ctx, tx, s.Vault, b, until, now); err != nil {
				return err
			}
		}
		rest := models.PausedUntilTold
		if until != nil {
			rest = *until
		}
		return tx.Model(&models.Mailbox{}).Where("id IN ?", boxes).Updates(map[string]any{"paused_until": rest, "updated_at": now}).Error
	})
}

// flareBoxes are the mailboxes of the person behind one, in the order of their ids.
func flareBoxes(tx *gorm.DB, box uuid.UUID) ([]uuid.UUID, error) {
	var out []uuid.UUID
	err := tx.Model(&models.Mailbox{}).Where("id = ? OR supporter_id = (SELECT supporter_id FROM mailboxes WHERE id = ?)", box, box).Order("id").Pluck("id", &out).Error
	return out, err
}

// flareLetsGo lets go of the places that begin in a bad time, and takes back what they are being asked.
func (s *Service) flareLetsGo(ctx context.Context, tx *gorm.DB, boxes []uuid.UUID, until *time.Time, now time.Time) error {
	var ids []uuid.UUID
	err := tx.Raw(`SELECT shift_id FROM assignments WHERE mailbox_id IN ? AND as_what = 'place' UNION SELECT shift_id FROM offers WHERE mailbox_id IN ? AND state = 'open'`, boxes, boxes).Scan(&ids).Error
	if err != nil {
		return err
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	for _, id := range ids {
		sh, err := hold(ctx, tx, id)
		if err != nil {
			return err
		}
		var offers []models.Offer
		if err := tx.Where("shift_id = ? AND mailbox_id IN ? AND state = ?", id, boxes, models.OfferOpen).Find(&offers).Error; err != nil {
			return err
		}
		for _, o := range offers {
			if err := closeOffer(tx, o, models.OfferExpired, now); err != nil {
				return err
			}
		}
		if len(offers) > 0 {
			if err := s.again(ctx, tx, id, now); err != nil {
				return err
			}
		}
		if !flareIn(sh, until, now) {
			continue
		}
		var places []models.Assignment
		if err := tx.Where("shift_id = ? AND mailbox_id IN ? AND as_what = ?", id, boxes, models.AsPlace).Find(&places).Error; err != nil {
			return err
		}
		for _, a := range places {
			if err := s.letGo(ctx, tx, sh, a, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// flareIn reports whether a shift falls into a bad time: one with a time that begins in it, another that would have to be done in it.
func flareIn(sh models.Shift, until *time.Time, now time.Time) bool {
	if over(sh, now) || sh.CancelledAt != nil {
		return false
	}
	at := sh.EndsAt
	if sh.Kind == models.ShiftFixed {
		at = sh.StartsAt
	}
	return at != nil && (until == nil || at.Before(*until))
}

// EndFlare ends the bad time of the person behind a mailbox; the caller knows that it is they who ask. Mail goes again, they can be asked
// again, and one short mail tells them what they hold and what changed meanwhile. Without a bad time it does nothing.
func (s *Service) EndFlare(ctx context.Context, box uuid.UUID) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error { return s.flareOver(ctx, tx.WithContext(ctx), box, now) })
}

func (s *Service) flareOver(ctx context.Context, tx *gorm.DB, box uuid.UUID, now time.Time) error {
	boxes, err := flareBoxes(tx, box)
	if err != nil {
		return err
	}
	told := false
	for _, b := range boxes {
		if err := coverBox(tx, b); err != nil {
			return err
		}
		was, err := pacing.Ended(ctx, tx, s.Vault, b, now)
		if err != nil {
			return err
		}
		if !was {
			continue
		}
		if err := tx.Model(&models.Mailbox{}).Where("id = ?", b).Updates(map[string]any{"paused_until": nil, "updated_at": now}).Error; err != nil {
			return err
		}
		if told && b != box {
			continue
		}
		told = true
		_, err = deliveries.Insert(ctx, tx, deliveries.New{
			Kind: KindBack, MailboxID: b, SubjectID: b, Purpose: models.PurposeReceipt, Priority: models.PriorityReceipt, OnUnknown: models.Resend,
			DedupeKey: KindBack + "/" + b.String() + "/" + now.UTC().Format(time.RFC3339),
		}, now)
		if err != nil {
			return err
		}
		// Whatever waits for somebody whom they stand by for looks again.
		var ids []uuid.UUID
		err = tx.Raw("SELECT c.shift_id FROM covers c JOIN assignments a ON a.shift_id = c.shift_id WHERE a.mailbox_id = ? AND a.state = 'held' ORDER BY c.shift_id", b).Scan(&ids).Error
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := s.again(ctx, tx, id, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// FlaresOver ends the bad times whose day has come. It may run on several nodes at once, and again.
func (s *Service) FlaresOver(ctx context.Context) error {
	now := s.Clock.Now()
	db := s.DB.WithContext(ctx)
	for after := uuid.Nil; ; {
		var boxes []uuid.UUID
		err := db.Raw("SELECT p.mailbox_id FROM pacings p JOIN mailboxes m ON m.id = p.mailbox_id WHERE m.paused_until <= ? AND p.mailbox_id > ? ORDER BY p.mailbox_id LIMIT 200", now, after).Scan(&boxes).Error
		if err != nil || len(boxes) == 0 {
			return err
		}
		plans, err := pacing.Of(ctx, db, s.Vault, boxes)
		if err != nil {
			return err
		}
		for _, b := range boxes {
			if p := plans[b]; !p.Flare || p.InFlare(now) {
				continue
			}
			if err := s.DB.Tx(ctx, func(tx *gorm.DB) error { return s.flareOver(ctx, tx.WithContext(ctx), b, now) }); err != nil {
				return err
			}
		}
		after = boxes[len(boxes)-1]
	}
}

// BackMail is the data of the template roster_back.
type BackMail struct {
	GivenName string
	Holds     []OfferShift // the next places that they hold or stand by for
	Changed   []OfferShift // those of them that changed meanwhile
	Off       []OfferShift // those that were called off meanwhile
	URL       string       // their own page
}

// backShown is how many shifts the mail names.
const backShown = 10

func (s *Service) backMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	db, now := s.DB.WithContext(ctx), s.Clock.Now()
	plans, err := pacing.Of(ctx, db, s.Vault, []uuid.UUID{d.MailboxID})
	if err != nil {
		return deliveries.Content{}, err
	}
	plan := plans[d.MailboxID]
	if plan.InFlare(now) {
		return deliveries.Content{}, offerGone()
	}
	var rows []struct {
		AssignmentID uuid.UUID
		AssignedAs   models.PlaceAs
		Lang         string
		Home         string
		Zone         string
		models.Shift
	}
	err = db.Table("shifts").Select("a.id AS assignment_id, a.as_what AS assigned_as, a.locale AS lang, a.time_zone AS home, r.time_zone AS zone, shifts.*").
		Joins("JOIN assignments a ON a.shift_id = shifts.id").Joins("JOIN rosters r ON r.id = shifts.roster_id").
		Where("a.mailbox_id = ? AND a.state <> ? AND shifts.settled_at IS NULL AND (shifts.ends_at IS NULL OR shifts.ends_at > ?)", d.MailboxID, models.AssignmentPending, now).
		Order("shifts.starts_at, shifts.id").Limit(50).Scan(&rows).Error
	if err != nil {
		return deliveries.Content{}, err
	}
	m, lang := BackMail{URL: s.BaseURL + "/me"}, ""
	for _, r := range rows {
		if lang == "" {
			var a models.Assignment
			if err := db.Where("id = ?", r.AssignmentID).Take(&a).Error; err != nil {
				return deliveries.Content{}, err
			}
			lang = r.Lang
			if m.GivenName, err = s.Vault.Open("assignments", "given_name_sealed", a.ID, a.GivenNameSealed); err != nil {
				return deliveries.Content{}, err
			}
		}
		zone, err := time.LoadLocation(r.Zone)
		if err != nil {
			return deliveries.Content{}, err
		}
		var home *time.Location
		if r.Home != "" {
			if home, err = time.LoadLocation(r.Home); err != nil {
				return deliveries.Content{}, err
			}
		}
		w := s.offerWords(lang, r.Shift, zone, offerElsewhere(r.Shift, zone, home))
		since := func(t *time.Time) bool { return t != nil && plan.FlareSince != nil && !t.Before(*plan.FlareSince) }
		switch {
		case r.CancelledAt != nil:
			if since(r.CancelledAt) && len(m.Off) < backShown {
				m.Off = append(m.Off, w)
			}
		case since(&r.UpdatedAt) && r.Revision > 1 && len(m.Changed) < backShown:
			m.Changed = append(m.Changed, w)
		case len(m.Holds) < backShown:
			m.Holds = append(m.Holds, w)
		}
	}
	if lang == "" {
		org, err := s.Organisation.Current(ctx)
		if err != nil {
			return deliveries.Content{}, err
		}
		lang = organisation.Spoken(org)[0]
	}
	return deliveries.Content{Template: d.Kind, Lang: lang, ToName: m.GivenName, Data: m}, nil
}
