package mailings

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/campaigns/today"
	"kithline/models"
)

// A mailing that would reach more people than the owner allows one person to write to alone needs a second person's yes: somebody
// else with the right to send, who looks at this very revision. Whatever is changed afterwards takes the yes back.

// above is the size from which a second person's yes is needed; 0 for none.
func (s *Service) above(ctx context.Context) (int, error) {
	if s.ApproveAbove == nil {
		return 0, nil
	}
	return s.ApproveAbove(ctx)
}

// missesApproval is the size above which a second person's yes is needed that a mailing to so many people has not got; 0 where it needs
// none or has it.
func (s *Service) missesApproval(ctx context.Context, m models.Mailing, people int) (int, error) {
	limit, err := s.above(ctx)
	if err != nil || limit <= 0 || people <= limit || m.Approved() {
		return 0, err
	}
	return limit, nil
}

// MayApprove reports whether somebody can be the second person of a mailing: not who began it, and not who saved it last.
func MayApprove(a actor.Actor, m models.Mailing) bool {
	return a.Kind == actor.User && a.May(actor.Send) && !a.Is(m.CreatedBy) && !a.Is(m.EditedBy)
}

// AskApproval says that a mailing is ready to be looked at by a second person: it waits on their first page. It needs the right
// actor.WriteMailing. A mailing that is no draft is a Conflict fault.
func (s *Service) AskApproval(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.WriteMailing); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := seen(ctx, tx, a, id); err != nil {
			return err
		}
		now := s.Clock.Now()
		r := tx.Model(&models.Mailing{}).Where("id = ? AND state = ?", id, models.MailingDraft).Updates(map[string]any{"approval_asked_at": now})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return errMoved
		}
		return audit.Write(ctx, tx, a, now, "mailing.ask_approval", "mailings", id, nil)
	})
}

// Approve is a second person's yes to a mailing at the revision that they looked at. It needs the right actor.Send; whoever began or
// last changed the mailing is a Forbidden fault, error.mailing_own_approval; words that were changed meanwhile a Conflict fault. What
// else stops the mailing is an Invalid fault with one entry for each check.
func (s *Service) Approve(ctx context.Context, a actor.Actor, id uuid.UUID, revision int) error {
	if err := a.Need(actor.Send); err != nil {
		return err
	}
	m, err := seen(ctx, s.DB.DB, a, id)
	if err != nil {
		return err
	}
	switch {
	case m.State != models.MailingDraft:
		return errMoved
	case !MayApprove(a, m):
		return fault.New(fault.Forbidden, "error.mailing_own_approval")
	case m.Revision != revision:
		return fault.New(fault.Conflict, "error.mailing_changed_seen")
	}
	list, people, err := s.Checks(ctx, a, id)
	if err != nil {
		return err
	}
	var stop fault.Fields
	for _, c := range list {
		if c.Tone == Stop && !c.Approve {
			stop.Add("", c.Key, c.Args...)
		}
	}
	if err := stop.Err(); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		now := s.Clock.Now()
		r := tx.Model(&models.Mailing{}).Where("id = ? AND state = ? AND revision = ?", id, models.MailingDraft, revision).
			Updates(map[string]any{"approved_at": now, "approved_by": a.Account(), "approved_revision": revision, "approval_asked_at": nil})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return fault.New(fault.Conflict, "error.mailing_changed_seen")
		}
		return audit.Write(ctx, tx, a, now, "mailing.approve", "mailings", id, map[string]any{"revision": revision, "people": people.People})
	})
}

// approvalQueue is what waits for a second person's yes.
func (s *Service) approvalQueue(ctx context.Context, a actor.Actor) ([]today.Queue, error) {
	var rows []models.Mailing
	err := s.DB.WithContext(ctx).Scopes(chapters.Scope(a, "chapter_id")).Where("state = ? AND approval_asked_at IS NOT NULL", models.MailingDraft).
		Order("approval_asked_at, id").Limit(100).Find(&rows).Error
	rows = slices.DeleteFunc(rows, func(m models.Mailing) bool { return m.Approved() || !MayApprove(a, m) })
	var out []today.Queue
	for _, m := range rows {
		out = append(out, today.Queue{
			Key: "mailings.queue_approval", Path: "/admin/mailings/" + m.ID.String() + "/approve", Count: 1, Oldest: *m.ApprovalAskedAt, Minutes: 5, Right: actor.Send,
		})
	}
	return out, err
}
