package mailings

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Later counts who came into the audience of a mailing since it was frozen, and explains who did not: Already are those who have it.
// It needs the right actor.Send; a mailing that is not finished is a Conflict fault.
func (s *Service) Later(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Mailing, Audience, error) {
	if err := a.Need(actor.Send); err != nil {
		return models.Mailing{}, Audience{}, err
	}
	m, err := seen(ctx, s.DB.DB, a, id)
	if err != nil {
		return m, Audience{}, err
	}
	// Nothing is left to send before the periodic job has written down that it is finished.
	if p, err := s.count(ctx, m); err != nil || p.State != models.MailingFinished {
		if err == nil {
			err = errMoved
		}
		return m, Audience{}, err
	}
	who, err := s.audience(ctx, m)
	return m, who, err
}

// SendLater sends a finished mailing to those who came into its audience since: nobody gets it twice. It needs the right actor.Send.
// A mailing that is not finished, or whose time is over, is a Conflict fault; that nobody came is an Invalid one.
func (s *Service) SendLater(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	m, who, err := s.Later(ctx, a, id)
	switch {
	case err != nil:
		return err
	case m.ExpiresAt != nil && !m.ExpiresAt.After(s.Clock.Now()):
		return fault.New(fault.Conflict, "error.mailing_expired")
	case who.People == 0:
		return fault.Fields{{Key: "mailings.check_nobody"}}.Err()
	}
	l, err := s.load(ctx, m)
	if err != nil {
		return err
	}
	list, err := s.checks(ctx, l, who)
	if err == nil {
		err = stops(list)
	}
	if err != nil {
		return err
	}
	return s.move(ctx, a, id, "mailing.send_later", []models.MailingState{models.MailingFinished, models.MailingSending}, func(tx *gorm.DB) (map[string]any, error) {
		return map[string]any{"state": models.MailingFreezing, "finished_at": nil}, s.Enqueue(ctx, tx, FreezeArgs{MailingID: id})
	})
}
