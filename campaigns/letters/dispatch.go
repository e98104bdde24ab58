package letters

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/legislators"
	"kithline/models"
)

// The ways of a dispatch. How it travels is chosen when it goes (pace.go), from the term in force and the channels as they are then, in
// their order. What an office cannot be sent by mail is put into its writer's hands: a form of the office's own, paper, a call. It is
// never called sent before the writer, or who carried it, says so. Where mail comes back, the next channel is taken, and never the same
// one twice.

// The reasons why a dispatch was closed: codes. What rejected a letter is beside them.
const (
	ClosedWithdrawn   = "withdrawn"   // by the writer, before it went
	ClosedDeclined    = "declined"    // the writer does not want to carry it
	ClosedUnreachable = "unreachable" // no channel is left
	ClosedNobody      = "nobody"      // who was written to left, and the writer did not want a successor, or there is none
	ClosedErased      = "erased"      // the writer was erased
	ClosedChanged     = "changed"     // it is not the text that was confirmed: it never goes
	ClosedTime        = "time"        // 60 days went by
	ClosedAnswered    = "told"        // the writer said what came of it
)

// byHand puts a dispatch into its writer's hands, and tells them by one mail a letter and day.
func (s *Service) byHand(ctx context.Context, tx *gorm.DB, d models.Dispatch, m legislators.Member, w way, now time.Time) error {
	to := map[string]any{
		"state": models.DispatchByHand, "channel": w.by, "channel_id": w.channel.ID, "office_id": w.channel.OfficeID, "handed_at": now, "delivery_id": nil, "remind_at": nil,
	}
	if w.by == models.ByPrint {
		if o := postal(m, w.channel); o.ID != uuid.Nil {
			to["office_id"] = o.ID
		}
	}
	if err := set(tx, d.ID, now, to); err != nil {
		return err
	}
	return s.tell(ctx, tx, KindByHand, d.MailboxID, d.LetterID, now.UTC().Format(time.DateOnly), now)
}

// tell queues a mail to the writer of a letter, once for each occasion.
func (s *Service) tell(ctx context.Context, tx *gorm.DB, kind string, box, subject uuid.UUID, occasion string, now time.Time) error {
	if box == uuid.Nil {
		return nil
	}
	ends := now.Add(14 * 24 * time.Hour)
	_, err := deliveries.Insert(ctx, tx, deliveries.New{
		Kind: kind, MailboxID: box, SubjectID: subject, Purpose: models.PurposeReceipt, Priority: models.PriorityReceipt, OnUnknown: models.Resend,
		DedupeKey: kind + "/" + subject.String() + "/" + occasion, ExpiresAt: &ends,
	}, now)
	return err
}

// unreachable closes a dispatch for which no channel is left. The report and the writer's page say so.
func (s *Service) unreachable(ctx context.Context, tx *gorm.DB, d models.Dispatch, now time.Time) error {
	if err := set(tx, d.ID, now, map[string]any{"state": models.DispatchFailed, "closed_at": now, "closed_reason": ClosedUnreachable}); err != nil {
		return err
	}
	return s.tell(ctx, tx, KindByHand, d.MailboxID, d.LetterID, now.UTC().Format(time.DateOnly), now)
}

// reroute sends a dispatch back into the queue that did not get through on its channel, for the next one.
func (s *Service) reroute(ctx context.Context, tx *gorm.DB, d models.Dispatch, now time.Time) error {
	to := map[string]any{"state": models.DispatchWaiting, "due_at": now, "channel": "", "channel_id": nil, "office_id": nil, "delivery_id": nil, "handed_at": nil}
	if d.ChannelID != nil {
		to["tried"] = tried(d, *d.ChannelID)
	}
	if err := set(tx, d.ID, now, to); err != nil {
		return err
	}
	return wake(ctx, tx, now, d)
}

// closed ends a dispatch with a reason.
func closed(tx *gorm.DB, id uuid.UUID, reason string, now time.Time) error {
	return set(tx, id, now, map[string]any{"state": models.DispatchClosed, "closed_at": now, "closed_reason": reason, "remind_at": nil})
}
