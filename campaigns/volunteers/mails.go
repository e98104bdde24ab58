package volunteers

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// The kinds of mail beside confirmations.VolunteerConfirm, and names of their templates.
const (
	KindWelcome     = "volunteer_welcome"     // subject: the volunteer
	KindCertificate = "volunteer_certificate" // subject: the certificate
)

// Renderers makes the content of each kind of mail at the moment it goes: register them with deliveries.Service.Handle.
func (s *Service) Renderers() map[string]deliveries.Renderer {
	return map[string]deliveries.Renderer{confirmations.VolunteerConfirm: s.confirmMail, KindWelcome: s.welcomeMail, KindCertificate: s.certificateMail}
}

func gone() error { return fault.New(fault.Gone, "error.mail_gone") }

// ConfirmMail is the data of the template volunteer_confirm. It holds nothing that was typed: the form may have been filled in by somebody
// else.
type ConfirmMail struct {
	confirmations.Links
}

func (s *Service) confirmMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	var v models.Volunteer
	err := s.DB.WithContext(ctx).Where("id = ? AND mailbox_id = ? AND state = ?", d.SubjectID, d.MailboxID, models.VolunteerPending).Take(&v).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return deliveries.Content{}, gone()
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	now := s.Clock.Now()
	if !now.Before(*v.ExpiresAt) {
		return deliveries.Content{}, gone()
	}
	return deliveries.Content{
		Template: confirmations.VolunteerConfirm, Lang: v.Locale, Data: ConfirmMail{confirmations.LinksOf(s.Signer, s.BaseURL, v.MailboxID, v.ID, *v.ExpiresAt, now)},
	}, nil
}

// WelcomeMail is the data of the template volunteer_welcome.
type WelcomeMail struct {
	GivenName       string
	RostersURL, URL string // what there is to do, and the person's own page
	Asked           bool   // they want to be asked
}

func (s *Service) welcomeMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	v, err := of(ctx, s.DB.DB, []uuid.UUID{d.MailboxID})
	if fault.Is(err, fault.NotFound) {
		return deliveries.Content{}, gone()
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	said, err := s.said(v)
	return deliveries.Content{
		Template: KindWelcome, Lang: v.Locale, Data: WelcomeMail{said.GivenName, s.BaseURL + "/rosters", s.BaseURL + "/me", v.AskBy != models.AskNot},
	}, err
}

// CertificateMail is the data of the template volunteer_certificate.
type CertificateMail struct {
	GivenName string
	URL       string // of the certificate
	Days      int    // that the link works
}

// certificateLife is how long the link of the mail works.
const certificateLife = 90 * 24 * time.Hour

func (s *Service) certificateMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	var c models.Certificate
	err := s.DB.WithContext(ctx).Where("id = ? AND mailbox_id = ? AND state = ?", d.SubjectID, d.MailboxID, models.CertificateGiven).Take(&c).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return deliveries.Content{}, gone()
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	m := CertificateMail{URL: s.BaseURL + "/certificates/" + s.Signer.Make(tokens.Certificate, c.ID, s.Clock.Now().Add(certificateLife)), Days: int(certificateLife / (24 * time.Hour))}
	lang, name, err := s.nameOf(ctx, c.MailboxID)
	m.GivenName = name
	return deliveries.Content{Template: KindCertificate, Lang: lang, Data: m}, err
}

// nameOf is the language and given name of the person behind a mailbox, as far as anything tells.
func (s *Service) nameOf(ctx context.Context, box uuid.UUID) (lang, given string, err error) {
	v, err := of(ctx, s.DB.DB, []uuid.UUID{box})
	if err == nil {
		d, err := s.said(v)
		return v.Locale, d.GivenName, err
	}
	if !fault.Is(err, fault.NotFound) {
		return "", "", err
	}
	var p []models.Supporter
	err = s.DB.WithContext(ctx).Where("id = (SELECT supporter_id FROM mailboxes WHERE id = ?)", box).Limit(1).Find(&p).Error
	if err != nil || len(p) == 0 {
		return "", "", err
	}
	given, err = s.Vault.Open("supporters", "given_name_sealed", p[0].ID, p[0].GivenNameSealed)
	return p[0].Locale, given, err
}
