package mailings

import (
	"context"

	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/tokens"
	"kithline/mailer"
	"kithline/models"
)

// pausedReturned is why a mailing is paused whose mail a server refused for what is in it.
const pausedReturned = "mailings.paused_returned"

// CameBack is what follows, in tx, when a mail came back (an inbound.Handler): the answer "stop" does what the link in that mail does, of
// a mailing or of another feature's mail that has one; and a mailing whose message a server calls faulty (RFC 3463: too big, or of a form
// that cannot be taken) is paused, since it will be refused by others too.
func (s *Service) CameBack(ctx context.Context, tx *gorm.DB, d models.Delivery, r models.InboundReport) (effect string, err error) {
	switch mailer.Class(r.Class) {
	case mailer.StopReply:
		v, err := s.leave(ctx, tx, s.Signer.MakeForever(tokens.Unsubscribe, d.ID), ByReply)
		if err != nil || v.Purpose == "" || v.Purpose == models.PurposeReceipt {
			return "", err
		}
		return models.EffectStopped, nil
	case mailer.Complaint: // what follows for the person is done already: this is for the report
		return "", NoteLeft(ctx, tx, d, ByComplaint, s.Clock.Now())
	case mailer.BounceOurs:
		if d.MailingID == nil {
			return "", nil
		}
		now := s.Clock.Now()
		u := tx.WithContext(ctx).Model(&models.Mailing{}).Where("id = ? AND state = ?", *d.MailingID, models.MailingSending).
			Updates(map[string]any{"state": models.MailingPaused, "paused_at": now, "paused_reason": pausedReturned, "updated_at": now})
		if u.Error != nil || u.RowsAffected == 0 {
			return "", u.Error
		}
		return models.EffectPaused, audit.Write(ctx, tx, actor.TheSystem(), now, "mailing.pause", "mailings", *d.MailingID, map[string]any{"status": r.Status})
	}
	return "", nil
}
