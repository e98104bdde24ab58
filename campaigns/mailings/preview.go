package mailings

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/mailer"
	"kithline/models"
)

// Preview is a mailing as its writer would get it.
type Preview struct {
	Subject, Preheader string
	Text, HTML         string // the whole parts, HTML a document of its own; empty while there is no text
	Sender             string // the name it comes from
	Locale             string
	Screens            []Line // each subject as a locked screen shows it
}

// Preview makes the mail in its first language: see PreviewIn.
func (s *Service) Preview(ctx context.Context, a actor.Actor, id uuid.UUID) (Preview, error) {
	return s.PreviewIn(ctx, a, id, "", 0)
}

// PreviewIn makes the mail in a language with one of its subjects, from 0, and with the writer's own name in it; the first ones where
// there are no such. It needs the right actor.WriteMailing. A merge field that does not exist stands in it as it was typed: see Checks.
func (s *Service) PreviewIn(ctx context.Context, a actor.Actor, id uuid.UUID, locale string, variant int) (Preview, error) {
	m, err := s.Get(ctx, a, id)
	if err != nil {
		return Preview{}, err
	}
	return s.preview(ctx, a, m, locale, variant)
}

func (s *Service) preview(ctx context.Context, a actor.Actor, m models.Mailing, locale string, variant int) (Preview, error) {
	name := ""
	if a.Kind == actor.User {
		var u models.User
		err := s.DB.WithContext(ctx).Take(&u, "id = ?", a.UserID).Error
		if err == nil {
			name, err = s.nameOf(u)
		}
		if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
			return Preview{}, err
		}
	}
	l, err := s.load(ctx, m)
	if err != nil {
		return Preview{}, err
	}
	v := l.in(locale)
	who := v.person(recipient{GivenName: name})
	c := v.compiled.fillWith(who, variant)
	p := Preview{Subject: c.Subject, Preheader: c.Preheader, Sender: l.from.FromName, Locale: v.text.Locale}
	for i := range v.text.Lines {
		o := v.compiled.fillWith(who, i)
		p.Screens = append(p.Screens, Line{o.Subject, o.Preheader})
	}
	if v.empty() {
		return p, nil
	}
	head := l.from.Letterhead
	if strings.TrimSpace(head.PostalAddress) == "" { // the checks say so; the rest can be looked at
		head.PostalAddress = s.Words.Text(v.text.Locale, "mailings.address_missing")
	}
	r, err := s.Mail.Bulk(head, mailer.BulkBody{
		Subject: c.Subject, Preheader: c.Preheader, HTML: c.HTML, Text: c.Text, Reason: s.reason(l, v.text.Locale, m.ScopeID, nil), WebURL: v.web, UnsubscribeURL: s.BaseURL + "/u/",
		Lang: v.text.Locale,
	})
	p.Text, p.HTML = r.Text, s.ownPictures(r.HTML)
	return p, err
}
