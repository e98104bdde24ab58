package letters

import (
	"context"
	"crypto/subtle"
	"errors"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/organisation"
	"kithline/models"
)

// DispatchRenderers makes the content of each kind of mail about dispatches at the moment it goes: register them with
// deliveries.Service.Handle.
func (s *Service) DispatchRenderers() map[string]deliveries.Renderer {
	return map[string]deliveries.Renderer{
		KindLetter: s.letterMail, KindDigest: s.digestMail, KindByHand: s.byHandMail, KindQuestion: s.questionMail, KindRetarget: s.retargetMail, KindReply: s.replyMail,
	}
}

var errGone = fault.New(fault.Gone, "error.mail_gone")

// letterMail is a letter to an office: exactly the text that was confirmed, from its writer, or nothing.
func (s *Service) letterMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	tx := s.DB.WithContext(ctx)
	var x models.Dispatch
	err := tx.Where("id = ? AND delivery_id = ? AND state = ?", d.SubjectID, d.ID, models.DispatchHanded).Take(&x).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return deliveries.Content{}, errGone
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	if err := s.reads(ctx, x.LegislatorID, x.OfficeID); err != nil {
		return deliveries.Content{}, err
	}
	w, subject, text, err := s.toGo(ctx, tx, x)
	if err != nil {
		return deliveries.Content{}, err
	}
	return deliveries.Content{Letter: &deliveries.Letter{FromName: w.name(), ReplyTo: w.email, Subject: subject, Text: text}}, nil
}

// reads asks whether an office reads just now: its legislator sits in a seat, and it is open. Else the mail waits, or does not go.
func (s *Service) reads(ctx context.Context, legislator uuid.UUID, office *uuid.UUID) error {
	now := s.Clock.Now()
	m, err := legislators.Sitting(ctx, s.DB.DB, legislator, now)
	if fault.Is(err, fault.NotFound) {
		return errGone
	}
	if err != nil {
		return err
	}
	o, err := s.Organisation.Current(ctx)
	if err != nil {
		return err
	}
	if t := opening(now, zoneOf(m, way{channel: models.Channel{OfficeID: office}}, organisation.Zone(o))); t.After(now) {
		return deliveries.NotYet{Until: t.Add(morning())}
	}
	return nil
}

// toGo opens the text of a dispatch and who wrote it, if it is what was confirmed. Else the fault is Gone.
func (s *Service) toGo(ctx context.Context, tx *gorm.DB, x models.Dispatch) (w writer, subject, text string, err error) {
	var l models.Letter
	if err := tx.Where("id = ?", x.LetterID).Take(&l).Error; err != nil {
		return w, "", "", err
	}
	if l.MailboxID == uuid.Nil || l.State != models.LetterReleased {
		return w, "", "", errGone
	}
	var all []models.Dispatch
	if err := tx.Where("letter_id = ?", l.ID).Order("id").Find(&all).Error; err != nil {
		return w, "", "", err
	}
	sum, err := s.digestOf(l, all)
	if err != nil {
		return w, "", "", err
	}
	if subtle.ConstantTimeCompare(sum, l.ConfirmedDigest) != 1 {
		s.Log.Error("a letter is not what was confirmed: it does not go", "dispatch", x.ID)
		return w, "", "", errGone
	}
	if subject, text, err = s.words(x); err != nil {
		return w, "", "", err
	}
	w, err = s.writer(ctx, tx, l)
	return w, subject, text, err
}

// digestMail is all that was handed over for an office and day in one letter campaign, as one mail of the organisation's.
func (s *Service) digestMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	tx := s.DB.WithContext(ctx)
	var list []models.Dispatch
	if err := tx.Where("delivery_id = ? AND state = ?", d.ID, models.DispatchHanded).Order("due_at, id").Find(&list).Error; err != nil {
		return deliveries.Content{}, err
	}
	if len(list) == 0 {
		return deliveries.Content{}, errGone
	}
	if err := s.reads(ctx, list[0].LegislatorID, list[0].OfficeID); err != nil {
		return deliveries.Content{}, err
	}
	var c models.LetterCampaign
	if err := tx.Where("id = ?", d.SubjectID).Take(&c).Error; err != nil {
		return deliveries.Content{}, err
	}
	var b strings.Builder
	n := 0
	for _, x := range list {
		w, subject, text, err := s.toGo(ctx, tx, x)
		if fault.Is(err, fault.Gone) {
			continue
		}
		if err != nil {
			return deliveries.Content{}, err
		}
		n++
		b.WriteString("\n\n----------------------------------------\n" + w.name() + " <" + w.email + ">\n" + subject + "\n\n" + strings.TrimSpace(text))
	}
	if n == 0 {
		return deliveries.Content{}, errGone
	}
	intro := s.Words(c.Locale, "dispatch.digest_intro", "Count", n, "Title", c.Title)
	return deliveries.Content{Letter: &deliveries.Letter{Subject: s.Words(c.Locale, "dispatch.digest_subject", "Count", n, "Title", c.Title), Text: intro + b.String() + "\n"}}, nil
}

// ToCarry is a recipient in a mail to a writer.
type ToCarry struct{ To, How string }

// ByHandMail is the data of the template letter_by_hand: what is in the writer's hands, and what nobody can reach.
type ByHandMail struct {
	GivenName string
	Carry     []ToCarry // How: webform, print, call
	Lost      []string  // nobody can be reached there
	URL       string
}

// forWriter reads the letter that a mail to its writer is about.
func (s *Service) forWriter(ctx context.Context, where string, id uuid.UUID) (models.Letter, writer, error) {
	var l models.Letter
	err := s.DB.WithContext(ctx).Where(where, id).Take(&l).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && l.MailboxID == uuid.Nil {
		return l, writer{}, errGone
	}
	if err != nil {
		return l, writer{}, err
	}
	w, err := s.writer(ctx, s.DB.DB, l)
	return l, w, err
}

func (s *Service) byHandMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	l, w, err := s.forWriter(ctx, "id = ?", d.SubjectID)
	if err != nil {
		return deliveries.Content{}, err
	}
	m, err := s.mine(ctx, s.DB.DB, l)
	if err != nil {
		return deliveries.Content{}, err
	}
	data := ByHandMail{GivenName: w.given, URL: s.BaseURL + s.Path(l.ID)}
	for _, p := range m.Parts {
		switch {
		case p.State == models.DispatchByHand && p.Done == nil:
			data.Carry = append(data.Carry, ToCarry{To: p.To, How: string(p.Channel)})
		case p.State == models.DispatchFailed:
			data.Lost = append(data.Lost, p.To)
		}
	}
	if len(data.Carry)+len(data.Lost) == 0 {
		return deliveries.Content{}, errGone
	}
	return deliveries.Content{Template: KindByHand, Lang: l.Locale, ToName: w.name(), Data: data}, nil
}

// QuestionMail is the data of the template letter_question.
type QuestionMail struct {
	GivenName string
	To        []string
	Again     bool
	URL       string
}

func (s *Service) questionMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	l, w, err := s.forWriter(ctx, "id = ?", d.SubjectID)
	if err != nil {
		return deliveries.Content{}, err
	}
	m, err := s.mine(ctx, s.DB.DB, l)
	if err != nil {
		return deliveries.Content{}, err
	}
	data := QuestionMail{GivenName: w.given, Again: strings.HasSuffix(d.DedupeKey, "/2"), URL: s.BaseURL + s.Path(l.ID)}
	for _, p := range m.Parts {
		if p.AsksAnswered {
			data.To = append(data.To, p.To)
		}
	}
	if len(data.To) == 0 {
		return deliveries.Content{}, errGone
	}
	return deliveries.Content{Template: KindQuestion, Lang: l.Locale, ToName: w.name(), Data: data}, nil
}

// RetargetMail is the data of the template letter_retarget.
type RetargetMail struct {
	GivenName string
	To        string
	Successor string // "" where nobody sits in the seat yet
	URL       string
}

func (s *Service) retargetMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	l, w, err := s.forWriter(ctx, "id = (SELECT letter_id FROM dispatches WHERE id = ?)", d.SubjectID)
	if err != nil {
		return deliveries.Content{}, err
	}
	c, err := s.carry(ctx, s.DB.WithContext(ctx), l, d.SubjectID)
	if err != nil {
		return deliveries.Content{}, err
	}
	if c.State != models.DispatchRetarget {
		return deliveries.Content{}, errGone
	}
	data := RetargetMail{GivenName: w.given, To: c.To, URL: s.BaseURL + s.Path(l.ID) + "/" + d.SubjectID.String()}
	if c.Successor != nil {
		data.Successor = strings.TrimSpace(c.Successor.Title() + " " + c.Successor.Name)
	}
	return deliveries.Content{Template: KindRetarget, Lang: l.Locale, ToName: w.name(), Data: data}, nil
}

// ReplyMail is the data of the template letter_reply.
type ReplyMail struct {
	GivenName string
	To        string
	Text      string
	URL       string
}

func (s *Service) replyMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	var r models.LetterReply
	err := s.DB.WithContext(ctx).Where("id = ? AND body_sealed IS NOT NULL", d.SubjectID).Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return deliveries.Content{}, errGone
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	l, w, err := s.forWriter(ctx, "id = (SELECT letter_id FROM dispatches WHERE id = ?)", r.DispatchID)
	if err != nil {
		return deliveries.Content{}, err
	}
	c, err := s.carry(ctx, s.DB.WithContext(ctx), l, r.DispatchID)
	if err != nil {
		return deliveries.Content{}, err
	}
	text, err := s.Vault.Open("letter_replies", "body_sealed", r.ID, r.BodySealed)
	if err != nil {
		return deliveries.Content{}, err
	}
	return deliveries.Content{Template: KindReply, Lang: l.Locale, ToName: w.name(), Data: ReplyMail{GivenName: w.given, To: c.To, Text: text, URL: s.BaseURL + s.Path(l.ID)}}, nil
}
