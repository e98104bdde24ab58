package petitions

import (
	"context"
	"errors"
	"strings"

	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
)

// The kinds of mails of this package, which are also the names of their templates.
const (
	KindConfirm = confirmations.PetitionConfirm // subject: the signature
	KindAlready = confirmations.PetitionAlready // subject: the signature
	KindState   = "petition_state"              // subject: the petition
	KindStart   = confirmations.PetitionStart   // subject: the starter
	KindCostart = confirmations.PetitionCostart // subject: the starter

	KindThreshold = "petition_threshold" // subject: the threshold
)

// Renderers makes the content of each kind of mail at the moment it goes: register them with deliveries.Service.Handle.
func (s *Service) Renderers() map[string]deliveries.Renderer {
	return map[string]deliveries.Renderer{KindConfirm: s.confirmMail, KindAlready: s.alreadyMail, KindState: s.stateMail, KindStart: s.startMail, KindCostart: s.startMail, KindOutcome: s.outcomeMail, KindDigest: s.digestMail, KindDigestConfirm: s.digestConfirmMail, KindThreshold: s.thresholdMail}
}

// ConfirmMail is the data of the template petition_confirm.
type ConfirmMail struct {
	GivenName, PetitionTitle, SignedAs string
	WithUpdates                        bool
	confirmations.Links
}

// AlreadyMail is the data of the template petition_already.
type AlreadyMail struct{ GivenName, PetitionTitle, PetitionURL string }

// StateMail is the data of the template petition_state. State is published, returned or submitted.
type StateMail struct{ PetitionTitle, State, Reason, URL string }

func gone() error { return fault.New(fault.Gone, "error.mail_gone") }

// signed reads the signature and petition of a delivery, if the signature is one that where picks.
func (s *Service) signed(ctx context.Context, d models.Delivery, where string) (sig models.Signature, p models.Petition, given, family string, err error) {
	err = s.db.WithContext(ctx).Where("id = ? AND mailbox_id = ? AND "+where, d.SubjectID, d.MailboxID).Take(&sig).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = gone()
	}
	if err != nil {
		return sig, p, "", "", err
	}
	if p, err = take(ctx, s.db.DB, sig.PetitionID); err != nil {
		return sig, p, "", "", err
	}
	given, family, err = s.names(sig)
	return sig, p, given, family, err
}

func (s *Service) confirmMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	sig, p, given, family, err := s.signed(ctx, d, unconfirmed)
	if err != nil {
		return deliveries.Content{}, err
	}
	now := s.clk.Now()
	if !now.Before(sig.ExpiresAt) || !confirmableAt(p, now) {
		return deliveries.Content{}, gone()
	}
	return deliveries.Content{Template: KindConfirm, Lang: sig.Locale, Data: ConfirmMail{
		GivenName: given, PetitionTitle: p.Title, SignedAs: shown(sig.Display, given, family), WithUpdates: sig.WantsUpdates,
		Links: confirmations.LinksOf(s.signer, s.opt.BaseURL, sig.MailboxID, sig.ID, sig.ExpiresAt, now),
	}}, nil
}

func (s *Service) alreadyMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	sig, p, given, _, err := s.signed(ctx, d, pressed)
	if err != nil {
		return deliveries.Content{}, err
	}
	if !p.State.Public() {
		return deliveries.Content{}, gone()
	}
	return deliveries.Content{Template: KindAlready, Lang: sig.Locale, Data: AlreadyMail{
		GivenName: given, PetitionTitle: p.Title, PetitionURL: s.opt.BaseURL + "/petitions/" + p.Slug,
	}}, nil
}

func (s *Service) stateMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	p, err := take(ctx, s.db.DB, d.SubjectID)
	if fault.Is(err, fault.NotFound) {
		return deliveries.Content{}, gone()
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	lang, own, edit, err := s.told(ctx, p, d)
	if err != nil {
		return deliveries.Content{}, err
	}
	m := StateMail{PetitionTitle: p.Title, State: string(p.State)}
	switch p.State {
	case models.PetitionPublished:
		m.URL = s.opt.BaseURL + "/petitions/" + p.Slug
	case models.PetitionReturned:
		m.URL = edit
		m.Reason = s.reasonWords(lang, p.ReturnReason, p.ReturnText)
	case models.PetitionSubmitted:
		m.URL = own
	default: // it went on since: a later mail tells
		return deliveries.Content{}, gone()
	}
	return deliveries.Content{Template: KindState, Lang: lang, Data: m}, nil
}

func (s *Service) word(lang, key string) string {
	if s.opt.Words == nil {
		return ""
	}
	return s.opt.Words(lang, key)
}

// reasonWords is what a mail says about why a petition came back: each reason in full, then the moderator's own words.
func (s *Service) reasonWords(lang, reasons, own string) string {
	var parts []string
	for _, r := range ReasonsOf(reasons) {
		parts = append(parts, strings.TrimSpace(s.word(lang, "petition.reason_"+r)+" "+s.word(lang, "moderate.reason_"+r)))
	}
	if own = strings.TrimSpace(own); own != "" {
		parts = append(parts, own)
	}
	return strings.Join(parts, "\n\n")
}
