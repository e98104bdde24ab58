package petitions

import (
	"context"
	"errors"
	"strings"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
)

// The kinds of mails of this package, which are also the names of their templates.
const (
	KindConfirm   = confirmations.PetitionConfirm // subject: the signature
	KindAlready   = confirmations.PetitionAlready // subject: the signature
	KindReminder  = confirmations.PetitionRemind  // subject: the signature
	KindReceipt   = "petition_receipt"            // subject: the signature
	KindState     = "petition_state"              // subject: the petition
	KindEdit      = "petition_edit"               // subject: the petition; its template is that of KindState
	KindStart     = confirmations.PetitionStart   // subject: the starter
	KindCostart   = confirmations.PetitionCostart // subject: the starter
	KindThreshold = "petition_threshold"          // subject: the threshold
)

// Renderers makes the content of each kind of mail at the moment it goes: register them with deliveries.Service.Handle.
func (s *Service) Renderers() map[string]deliveries.Renderer {
	return map[string]deliveries.Renderer{KindConfirm: s.confirmMail, KindReminder: s.confirmMail, KindAlready: s.alreadyMail, KindReceipt: s.receiptMail, KindState: s.stateMail, KindEdit: s.editMail, KindStart: s.startMail, KindCostart: s.startMail, KindOutcome: s.outcomeMail, KindDigest: s.digestMail, KindDigestConfirm: s.digestConfirmMail, KindThreshold: s.thresholdMail}
}

// ConfirmMail is the data of the templates petition_confirm and petition_reminder.
type ConfirmMail struct {
	GivenName, PetitionTitle, SignedAs string
	WithUpdates                        bool
	confirmations.Links
}

// AlreadyMail is the data of the template petition_already.
type AlreadyMail struct{ GivenName, PetitionTitle, PetitionURL string }

// ReceiptMail is the data of the template petition_receipt.
type ReceiptMail struct {
	GivenName, PetitionTitle, SignedAs, PetitionURL, OwnURL string
	Days                                                    int // the link works
}

// StateMail is the data of the template petition_state. State is published, returned or submitted; changed or kept about a change that starters asked for.
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
	return deliveries.Content{Template: d.Kind, Lang: sig.Locale, Data: ConfirmMail{
		GivenName: given, PetitionTitle: p.Title, SignedAs: shown(sig.Display, given, family), WithUpdates: sig.WantsUpdates,
		Links: confirmations.LinksOf(s.signer, s.opt.BaseURL, sig.MailboxID, sig.ID, sig.ExpiresAt, now),
	}}, nil
}

func (s *Service) receiptMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	sig, p, given, family, err := s.signed(ctx, d, pressed)
	if err != nil {
		return deliveries.Content{}, err
	}
	if !p.State.Public() {
		return deliveries.Content{}, gone()
	}
	return deliveries.Content{Template: KindReceipt, Lang: sig.Locale, Data: ReceiptMail{
		GivenName: given, PetitionTitle: p.Title, SignedAs: shown(sig.Display, given, family), PetitionURL: s.opt.BaseURL + "/petitions/" + p.Slug,
		OwnURL: s.opt.BaseURL + s.OwnLink(p.Slug, sig.ID, s.clk.Now()), Days: int(ownFor / day),
	}}, nil
}

// receipts queues in tx the receipts of signatures that were confirmed just now.
func receipts(ctx context.Context, tx *gorm.DB, presses []press, now time.Time) error {
	ends := now.Add(3 * day)
	var rows []models.Delivery
	for _, p := range presses {
		for _, sig := range p.sigs {
			rows = append(rows, deliveries.New{
				Kind: KindReceipt, MailboxID: p.mailbox.ID, SubjectID: sig.ID, Purpose: models.PurposeReceipt, DedupeKey: KindReceipt + "/" + sig.ID.String(),
				Priority: models.PriorityReceipt, OnUnknown: models.Resend, ExpiresAt: &ends,
			}.Row(now))
		}
	}
	err := database.InsertAll(tx.WithContext(ctx), rows, "ON CONFLICT (dedupe_key) DO NOTHING")
	if err == nil && len(rows) > 0 {
		deliveries.Wake(tx)
	}
	return err
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

// editMail says what became of the change that starters asked for last.
func (s *Service) editMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	p, err := take(ctx, s.db.DB, d.SubjectID)
	if fault.Is(err, fault.NotFound) || err == nil && (p.State != models.PetitionPublished || p.ProposedAt != nil) {
		return deliveries.Content{}, gone()
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	lang, own, _, err := s.told(ctx, p, d)
	if err != nil {
		return deliveries.Content{}, err
	}
	m := StateMail{PetitionTitle: p.Title, State: "changed", URL: s.opt.BaseURL + "/petitions/" + p.Slug}
	if wanted, _ := Proposal(p); wanted.Answer != "" {
		m.State, m.Reason, m.URL = "kept", wanted.Answer, own
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
