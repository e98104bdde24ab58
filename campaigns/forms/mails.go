package forms

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Renderers makes the content of each kind of mail at the moment it goes: register them with deliveries.Service.Handle.
func (s *Service) Renderers() map[string]deliveries.Renderer {
	return map[string]deliveries.Renderer{confirmations.JoinConfirm: s.confirmMail}
}

// ConfirmMail is the data of the template join_confirm. It holds nothing that was typed: the form may have been filled in by
// somebody else.
type ConfirmMail struct {
	Title    string // of the form; "" for /join
	Agreeing bool   // asks for something that goes on, such as a newsletter
	confirmations.Links
}

func (s *Service) confirmMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	gone := fault.New(fault.Gone, "error.mail_gone")
	var sub models.Submission
	err := s.db.WithContext(ctx).Where("id = ? AND mailbox_id = ? AND state = ?", d.SubjectID, d.MailboxID, models.SubmissionPending).Take(&sub).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return deliveries.Content{}, gone
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	now := s.clk.Now()
	if !now.Before(sub.ExpiresAt) {
		return deliveries.Content{}, gone
	}
	m := ConfirmMail{Agreeing: len(agreedIn(sub)) > 0, Links: confirmations.LinksOf(s.signer, s.opt.BaseURL, sub.MailboxID, sub.ID, sub.ExpiresAt, now)}
	if sub.FormID != nil {
		f, err := take(ctx, s.db.DB, "id = ?", *sub.FormID)
		if err != nil {
			return deliveries.Content{}, err
		}
		m.Title = f.Title
	}
	return deliveries.Content{Template: confirmations.JoinConfirm, Lang: sub.Locale, Data: m}, nil
}
