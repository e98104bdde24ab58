package mailings

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Mail is a mail of another feature that is written as mailings are: Markdown with merge fields, for people who agreed to a
// purpose. That feature keeps the words and decides who gets it and when; here it is checked, compiled, filled in and shown.
type Mail struct {
	ID         uuid.UUID // of the words
	Revision   int       // grows with every change of them, and of anything else here
	Purpose    models.Purpose
	ScopeID    uuid.UUID
	PetitionID *uuid.UUID // whose merge fields it may use; nil for none
	Locale     string
	Subject    string
	Preheader  string
	Body       string
}

func (m Mail) mailing() models.Mailing {
	return models.Mailing{
		ID: m.ID, Revision: m.Revision, Purpose: m.Purpose, ScopeID: m.ScopeID, PetitionID: m.PetitionID, Locale: m.Locale, Subject: m.Subject,
		Preheader: m.Preheader, Body: m.Body, State: models.MailingSending,
	}
}

// CheckMail brings the words of a mail into the form that is kept. What cannot be kept is an Invalid fault on the fields
// subject, preheader and body: too long, unreadable, a merge field that does not exist.
func CheckMail(m Mail) (Mail, error) {
	d := Draft{Subject: m.Subject, Preheader: m.Preheader, Body: m.Body}
	err := d.check()
	m.Subject, m.Preheader, m.Body = d.Subject, d.Preheader, d.Body
	return m, err
}

// MailReady is nil for a mail that can go out. Else it is an Invalid fault with everything that is missing: a subject, a text, the
// postal address, an address of the site that mail programs accept, a petition for the merge fields of one.
func (s *Service) MailReady(ctx context.Context, m Mail) error {
	if !oneClick(s.BaseURL) {
		var bad fault.Fields
		bad.Add("", "mailings.check_https")
		return bad.Err()
	}
	return s.mailable(ctx, m.mailing())
}

// MailPreview makes a mail as its writer would get it. It needs the right actor.WriteMailing; whether the actor may see the words is
// for the caller to know.
func (s *Service) MailPreview(ctx context.Context, a actor.Actor, m Mail) (Preview, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return Preview{}, err
	}
	return s.preview(ctx, a, m.mailing(), "", 0)
}

// MailMaker gets a mail ready that is about to go out, and returns what makes one copy of it, for a deliveries.Batch of the feature: for
// a person with a given name, who said yes at a time, nil where nobody knows. The maker may be called by many goroutines at once.
func (s *Service) MailMaker(ctx context.Context, m Mail) (func(d models.Delivery, givenName string, agreed *time.Time) deliveries.Content, error) {
	l, err := s.fresh(ctx, m.mailing())
	return func(d models.Delivery, givenName string, agreed *time.Time) deliveries.Content {
		return s.content(l, d, recipient{GivenName: givenName, Agreed: agreed})
	}, err
}

// MailTest makes the copy that goes to whoever writes it: their own name stands in it, and its subject says what it is. A mail that
// cannot go out is a Gone fault.
func (s *Service) MailTest(ctx context.Context, m Mail, d models.Delivery) (deliveries.Content, error) {
	l, err := s.load(ctx, m.mailing())
	if err != nil {
		return deliveries.Content{}, err
	}
	v := l.in("")
	if len(v.compiled.problems) > 0 || v.empty() || m.Subject == "" { // changed since the button was pressed
		return deliveries.Content{}, fault.New(fault.Gone, "error.mail_gone")
	}
	var u models.User
	if err := s.DB.WithContext(ctx).Take(&u, "mailbox_id = ?", d.MailboxID).Error; err != nil {
		return deliveries.Content{}, err
	}
	name, err := s.nameOf(u)
	if err != nil {
		return deliveries.Content{}, err
	}
	c := s.contentOf(l, v, d, recipient{GivenName: name}, 0)
	c.Bulk.Form = v.form(0).titled(s.Words.Text(m.Locale, "mailings.test_subject", "Subject", v.compiled.fill(v.person(recipient{GivenName: name})).Subject))
	return c, nil
}

// fresh is load that uses what was made for the same words a moment ago.
func (s *Service) fresh(ctx context.Context, m models.Mailing) (*loaded, error) {
	s.mu.Lock()
	l := s.ready[m.ID]
	s.mu.Unlock()
	if l != nil && l.mailing.Revision == m.Revision && time.Since(l.at) < loadedFor {
		return l, nil
	}
	return s.load(ctx, m)
}

// Aim reads whom mail of another feature is for, as for a mailing: the purpose, scope, petition and language come back in a Mail. was is
// what it was for until now, so that a topic which was archived since may stay. A petition that is not public, an archived topic or
// an unknown language is an Invalid fault on "to" or "locale". To.SegmentID is not looked at.
func (s *Service) Aim(ctx context.Context, tx *gorm.DB, a actor.Actor, to To, was Mail) (Mail, error) {
	m := was.mailing()
	to.SegmentID = uuid.Nil
	err := s.aim(ctx, tx, a, to, &m)
	was.Purpose, was.ScopeID, was.PetitionID, was.Locale = m.Purpose, m.ScopeID, m.PetitionID, m.Locale
	return was, err
}
