package letters

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
)

// KindState is the mail that tells an author where their letter campaign is now, which is also the name of its template. Its subject is
// the letter campaign.
const KindState = "letter_state"

// StateMail is the data of the template letter_state. State is published, returned or submitted; Reason is for returned.
type StateMail struct{ Title, State, Reason, URL string }

// tellAuthor queues in tx the mail that says where a letter campaign is now. Who published what they wrote themselves needs none.
func tellAuthor(ctx context.Context, tx *gorm.DB, c Campaign, now time.Time) error {
	if c.AuthorID == nil || c.State == models.LettersPublished && c.ReviewedBy != nil && *c.ReviewedBy == *c.AuthorID {
		return nil
	}
	var boxes []uuid.UUID
	if err := tx.WithContext(ctx).Model(&models.User{}).Where("id = ?", *c.AuthorID).Pluck("mailbox_id", &boxes).Error; err != nil {
		return err
	}
	for _, box := range boxes {
		_, err := deliveries.Insert(ctx, tx, deliveries.New{
			Kind: KindState, MailboxID: box, SubjectID: c.ID, Purpose: models.PurposeReceipt, DedupeKey: fmt.Sprintf("%s/%s/%s/%d", KindState, c.ID, c.State, now.UnixMicro()),
			Priority: models.PriorityReceipt, OnUnknown: models.Resend,
		}, now)
		if err != nil {
			return err
		}
	}
	return nil
}

// StateMail renders the mail that tells an author where their letter campaign is now. Register it for KindState.
func (s *Service) StateMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	c, err := load(ctx, s.DB.DB, d.SubjectID)
	if fault.Is(err, fault.NotFound) || err == nil && c.AuthorID == nil {
		return deliveries.Content{}, mailGone()
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	var author models.User
	if err := s.DB.WithContext(ctx).Where("id = ?", *c.AuthorID).Take(&author).Error; err != nil {
		return deliveries.Content{}, err
	}
	own := s.BaseURL + "/admin/letters/" + c.ID.String()
	m := StateMail{Title: c.Title, State: string(c.State), URL: own}
	switch c.State {
	case models.LettersPublished:
		m.URL = s.BaseURL + "/letters/" + c.Slug
	case models.LettersReturned:
		m.URL, m.Reason = own+"/edit", c.ReturnText
	case models.LettersSubmitted:
	default: // it went on since: a later mail tells
		return deliveries.Content{}, mailGone()
	}
	lang := author.Locale
	if lang == "" {
		lang = c.OwnLocale
	}
	return deliveries.Content{Template: KindState, Lang: lang, Data: m}, nil
}
