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
}

// Preview makes the mail with the writer's own name in it. It needs the right actor.WriteMailing. A merge field that does
// not exist stands in it as it was typed: see Checks.
func (s *Service) Preview(ctx context.Context, a actor.Actor, id uuid.UUID) (Preview, error) {
	m, err := s.Get(ctx, a, id)
	if err != nil {
		return Preview{}, err
	}
	return s.preview(ctx, a, m)
}

func (s *Service) preview(ctx context.Context, a actor.Actor, m models.Mailing) (Preview, error) {
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
	c := l.compiled.fill(l.person(name))
	p := Preview{Subject: c.Subject, Preheader: c.Preheader}
	if l.empty() {
		return p, nil
	}
	head := l.from.Letterhead
	if strings.TrimSpace(head.PostalAddress) == "" { // the checks say so; the rest can be looked at
		head.PostalAddress = s.Words.Text(m.Locale, "mailings.address_missing")
	}
	r, err := s.Mail.Bulk(head, mailer.BulkBody{
		Subject: c.Subject, Preheader: c.Preheader, HTML: c.HTML, Text: c.Text, Reason: s.reason(l, m.ScopeID, nil), UnsubscribeURL: s.BaseURL + "/u/",
		Lang: m.Locale,
	})
	p.Text, p.HTML = r.Text, r.HTML
	return p, err
}
