package letters

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/inbound"
	"kithline/models"
	"kithline/models/database"
)

// Words by which inbound tells what a mail that came back is: those by which a letter surely did not arrive.
var (
	bounced = []string{"hard", "soft", "policy", "ours"}
	nobody  = "hard" // there is no such mailbox
)

// replyLimit is how much of a reply is passed on, in characters.
const replyLimit = 20000

// CameBack is what follows, in tx, when a mail that carried letters came back (an inbound.Handler): where there is no such mailbox the
// channel is not used again, and each letter in it goes on to its next channel.
func (s *Service) CameBack(ctx context.Context, tx *gorm.DB, d models.Delivery, r models.InboundReport) (string, error) {
	if !slices.Contains(bounced, r.Class) {
		return "", nil
	}
	now := s.Clock.Now()
	tx = tx.WithContext(ctx)
	var list []models.Dispatch
	err := tx.Clauses(forUpdate).Where("delivery_id = ? AND state IN ?", d.ID, []models.DispatchState{models.DispatchHanded, models.DispatchPresumed}).Order("id").Find(&list).Error
	if err != nil {
		return "", err
	}
	for i, x := range list {
		if i == 0 && x.ChannelID != nil && r.Class == nobody {
			if err := tx.Model(&models.Channel{}).Where("id = ? AND bounced_at IS NULL", *x.ChannelID).Updates(map[string]any{"bounced_at": now, "updated_at": now}).Error; err != nil {
				return "", err
			}
		}
		var l models.Letter
		if err := tx.Select("id", "state").Where("id = ?", x.LetterID).Take(&l).Error; err != nil {
			return "", err
		}
		if l.State != models.LetterReleased { // it is over
			if err := set(tx, x.ID, now, map[string]any{"state": models.DispatchBounced}); err != nil {
				return "", err
			}
			continue
		}
		if err := s.reroute(ctx, tx, x, now); err != nil {
			return "", err
		}
	}
	return "", nil
}

// Answered is what follows, in tx, when an office answers to the address that a letter came from (an inbound.Reader): what a person
// wrote is passed on to the writer by mail, and its text goes from here once it went. Of a machine's answer it is noted that it came.
func (s *Service) Answered(ctx context.Context, tx *gorm.DB, d models.Delivery, a inbound.Answer) (passed bool, err error) {
	if d.Kind != KindLetter { // an answer to many letters at once is the organisation's to read
		return false, nil
	}
	now := s.Clock.Now()
	tx = tx.WithContext(ctx)
	var x models.Dispatch
	err = tx.Where("delivery_id = ?", d.ID).Take(&x).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && x.MailboxID == uuid.Nil {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var l models.Letter
	if err := tx.Select("id", "keeps").Where("id = ?", x.LetterID).Take(&l).Error; err != nil {
		return false, err
	}
	r := models.LetterReply{
		ID: models.NewID(), Kept: l.Keeps, DispatchID: x.ID, MailboxID: x.MailboxID, Kind: "reply", Digest: s.Vault.Hash("letters/reply", a.Raw), ReceivedAt: now,
	}
	if a.Automatic {
		r.Kind = "automatic"
	} else {
		text := []rune(a.Text)
		r.BodySealed = s.Vault.Seal("letter_replies", "body_sealed", r.ID, strings.TrimSpace(string(text[:min(len(text), replyLimit)])))
	}
	fresh, err := database.InsertNew(tx, []models.LetterReply{r}, "ON CONFLICT (dispatch_id, digest) DO NOTHING")
	if err != nil || !fresh[r.ID] || a.Automatic {
		return !a.Automatic, err
	}
	return true, s.tell(ctx, tx, KindReply, x.MailboxID, r.ID, "1", now)
}

// passedOn empties, in the hourly look, the replies that were mailed to their writers, but for those that they keep.
func (s *Service) passedOn(ctx context.Context) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		return tx.Exec(`UPDATE letter_replies SET forwarded_at = ?, body_sealed = CASE WHEN kept THEN body_sealed END WHERE forwarded_at IS NULL AND kind = 'reply'
			AND EXISTS (SELECT 1 FROM deliveries d WHERE d.mailbox_id = letter_replies.mailbox_id AND d.subject_id = letter_replies.id AND d.kind = ? AND d.state = 'sent')`,
			now, KindReply).Error
	})
}
