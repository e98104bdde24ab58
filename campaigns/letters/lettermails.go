package letters

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// The mails to a writer that no form asks for: kinds of deliveries. Their subject is the letter.
const (
	KindCopy = "letter_copy"
	KindHeld = "letter_held"
)

// WriterMails makes the content of each mail to a writer at the moment it goes: register them with deliveries.Service.Handle.
func (s *Service) WriterMails() map[string]deliveries.Renderer {
	return map[string]deliveries.Renderer{
		confirmations.LetterConfirm: s.confirmMail, confirmations.LetterResume: s.resumeMail, KindCopy: s.copyMail, KindHeld: s.heldMail,
	}
}

// MailText is a letter as a mail shows it to its writer.
type MailText struct{ Name, Subject, Text string }

// ConfirmMail is the data of the templates letter_confirm and letter_already. It has the full text of every letter that a press
// releases.
type ConfirmMail struct {
	GivenName string
	Title     string // of the campaign
	URL       string // of the campaign's page
	Letters   []MailText
	Already   []string // who got a letter from this mailbox before
	Updates   bool
	confirmations.Links
}

// CopyMail is the data of the template letter_copy.
type CopyMail struct {
	GivenName, Title string
	Letters          []MailText
}

// HeldMail is the data of the template letter_held.
type HeldMail struct{ GivenName, Title string }

// ResumeMail is the data of the template letter_resume. Nothing that was typed stands here: it may have been typed by somebody else.
type ResumeMail struct {
	Title      string
	URL        string
	ResumeHost string // the address of the page for the code as one types it: act.example.org/letters/resume
	Code       string
	Days       int // that the link works
}

func mailGone() error { return fault.New(fault.Gone, "error.mail_gone") }

// mailed reads the letter that a delivery is about, in one of the states.
func (s *Service) mailed(ctx context.Context, d models.Delivery, states ...models.LetterState) (l models.Letter, c models.LetterCampaign, given string, err error) {
	db := s.DB.WithContext(ctx)
	err = db.Where("id = ? AND mailbox_id = ? AND state IN ?", d.SubjectID, d.MailboxID, states).Take(&l).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return l, c, "", mailGone()
	}
	if err != nil {
		return l, c, "", err
	}
	if err = db.Where("id = ?", l.LetterCampaignID).Take(&c).Error; err != nil {
		return l, c, "", err
	}
	given, err = s.Vault.Open("letters", "given_name_sealed", l.ID, l.GivenNameSealed)
	return l, c, given, err
}

// fullTexts opens the texts of dispatches, with the names of those they go to.
func (s *Service) fullTexts(ctx context.Context, tx *gorm.DB, list []models.Dispatch) ([]FullText, error) {
	out := make([]FullText, len(list))
	for i, d := range list {
		var err error
		if out[i].Subject, out[i].Body, err = s.words(d); err != nil {
			return nil, err
		}
		if out[i].Legislator, err = legislatorNamed(ctx, tx, d); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// legislatorNamed reads whom a dispatch goes to, with the title of the term that the letter was written in before the name.
func legislatorNamed(ctx context.Context, tx *gorm.DB, d models.Dispatch) (models.Legislator, error) {
	tx = tx.WithContext(ctx)
	var m legislators.Member
	if err := tx.Where("id = ?", d.LegislatorID).Take(&m.Legislator).Error; err != nil {
		return m.Legislator, err
	}
	if err := tx.Where("id = ?", d.TermID).Take(&m.Term).Error; err != nil {
		return m.Legislator, err
	}
	if err := tx.Where("id = ?", m.Term.ChamberID).Take(&m.Chamber).Error; err != nil {
		return m.Legislator, err
	}
	m.Name = addressee(m)
	return m.Legislator, nil
}

func mailTexts(list []FullText) []MailText {
	out := make([]MailText, len(list))
	for i, t := range list {
		out[i] = MailText{t.Name, t.Subject, t.Body}
	}
	return out
}

func (s *Service) confirmMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	l, c, given, err := s.mailed(ctx, d, models.LetterAwaiting)
	if err != nil {
		return deliveries.Content{}, err
	}
	now := s.Clock.Now()
	if !now.Before(l.ExpiresAt) {
		return deliveries.Content{}, mailGone()
	}
	left, before, err := s.remaining(ctx, s.DB.DB, l)
	if err != nil {
		return deliveries.Content{}, err
	}
	full, err := s.fullTexts(ctx, s.DB.DB, left)
	if err != nil {
		return deliveries.Content{}, err
	}
	m := ConfirmMail{
		GivenName: given, Title: c.Title, URL: s.BaseURL + "/letters/" + c.Slug, Letters: mailTexts(full), Updates: len(readAgreed(l.Consents)) > 0,
		Links: confirmations.LinksOf(s.Signer, s.BaseURL, l.MailboxID, l.ID, l.ExpiresAt, now),
	}
	for _, b := range before {
		to, err := legislatorNamed(ctx, s.DB.DB, b)
		if err != nil {
			return deliveries.Content{}, err
		}
		m.Already = append(m.Already, to.Name)
	}
	if len(left) == 0 {
		return deliveries.Content{Template: "letter_already", Lang: l.Locale, Data: m}, nil
	}
	return deliveries.Content{Template: d.Kind, Lang: l.Locale, Data: m}, nil
}

func (s *Service) resumeMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	l, c, _, err := s.mailed(ctx, d, models.LetterDraft)
	if err != nil {
		return deliveries.Content{}, err
	}
	_, host, ok := strings.Cut(s.BaseURL, "://")
	if !ok {
		host = s.BaseURL
	}
	return deliveries.Content{Template: d.Kind, Lang: l.Locale, Data: ResumeMail{
		Title: c.Title, URL: s.DraftURL(l.ID), ResumeHost: host + "/letters/resume", Code: s.Signer.Code(tokens.LetterDraft, l.ID), Days: int(DraftFor.Hours() / 24),
	}}, nil
}

// DraftURL is the link that goes on with a draft. It goes to the draft's own address and nowhere else.
func (s *Service) DraftURL(id uuid.UUID) string {
	return s.BaseURL + "/letters/draft/" + s.Signer.Make(tokens.LetterDraft, id, s.Clock.Now().Add(DraftFor))
}

func (s *Service) copyMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	l, c, given, err := s.mailed(ctx, d, models.LetterConfirmed, models.LetterHeld, models.LetterReleased, models.LetterClosed)
	if err != nil {
		return deliveries.Content{}, err
	}
	var list []models.Dispatch
	if err := s.DB.WithContext(ctx).Where("letter_id = ?", l.ID).Order("created_at, id").Find(&list).Error; err != nil {
		return deliveries.Content{}, err
	}
	full, err := s.fullTexts(ctx, s.DB.DB, list)
	return deliveries.Content{Template: d.Kind, Lang: l.Locale, Data: CopyMail{given, c.Title, mailTexts(full)}}, err
}

func (s *Service) heldMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	l, c, given, err := s.mailed(ctx, d, models.LetterHeld)
	if err != nil {
		return deliveries.Content{}, err
	}
	return deliveries.Content{Template: d.Kind, Lang: l.Locale, Data: HeldMail{GivenName: given, Title: c.Title}}, nil
}
