package mailings

import (
	"bytes"
	"context"
	"html"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// ImportHTML puts HTML that somebody brings in the place of a mailing's text in one language; locale "" is the first one. What mail
// programs would not show, and what would tell others who reads, is left out: Taken says what. Pictures inside of it are stored. It
// needs the right actor.WriteMailing. HTML that cannot be taken is an Invalid fault on "html", a picture of it on "picture"; a
// mailing that was changed meanwhile is a Conflict fault.
func (s *Service) ImportHTML(ctx context.Context, a actor.Actor, id uuid.UUID, seenRevision int, locale, src string) (Taken, error) {
	m, err := s.Get(ctx, a, id)
	if err != nil {
		return Taken{}, err
	}
	switch {
	case m.State != models.MailingDraft:
		return Taken{}, errMoved
	case m.Revision != seenRevision: // before a picture is stored
		return Taken{}, fault.New(fault.Conflict, "error.mailing_changed")
	}
	src = tidyText(src)
	parts, wrong := parseMerge(src, "html", false)
	if err := mergeFault(wrong); err != nil && len(src) <= MaxHTML {
		return Taken{}, err
	}
	k := newMarks(src, parts) // so that a field in a link comes through as it was written
	if len(src) <= MaxHTML {
		src = k.marked()
	}
	clean, taken, err := cleanHTML(src, s.BaseURL, func(content []byte) (string, error) {
		p, err := s.AddPicture(ctx, a, "picture", bytes.NewReader(content))
		return s.BaseURL + PicturePath(p.FileID), err
	})
	if err != nil {
		return Taken{}, err
	}
	if clean == "" {
		return taken, errHTML("error.html_empty")
	}
	clean = k.written(clean)
	_, err = s.change(ctx, a, id, seenRevision, func(tx *gorm.DB, m *models.Mailing, now time.Time) error {
		if err := s.putText(ctx, tx, m, locale, now, func(t *Text) { t.Format, t.Body, t.Plain = models.FormatHTML, clean, "" }); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "mailing.import_html", "mailings", id, map[string]any{"bytes": len(clean)})
	})
	return taken, err
}

// written puts fields back where their marks stand, as they are written in HTML.
func (k *marks) written(clean string) string {
	for i := len(k.fields) - 1; i >= 0; i-- {
		f := "{{" + k.fields[i].field
		if k.fields[i].fallback != "" {
			f += "|" + html.EscapeString(html.UnescapeString(k.fields[i].fallback))
		}
		clean = strings.ReplaceAll(clean, k.mark(i), f+"}}")
	}
	return clean
}

// BackToMarkdown puts plain Markdown, made of the text part, in the place of HTML that was brought; the HTML is kept as a revision. It
// needs the right actor.WriteMailing.
func (s *Service) BackToMarkdown(ctx context.Context, a actor.Actor, id uuid.UUID, seenRevision int, locale string) (int, error) {
	return s.change(ctx, a, id, seenRevision, func(tx *gorm.DB, m *models.Mailing, now time.Time) error {
		return s.putText(ctx, tx, m, locale, now, func(t *Text) {
			if t.Format != models.FormatHTML {
				return
			}
			body := t.Plain
			if body == "" {
				body = htmlText(t.Body)
			}
			t.Format, t.Body, t.Plain = models.FormatMarkdown, body[:min(len(body), MaxBody)], ""
		})
	})
}

// putText changes the text of a mailing in one language.
func (s *Service) putText(ctx context.Context, tx *gorm.DB, m *models.Mailing, locale string, now time.Time, fn func(*Text)) error {
	if locale == "" || locale == m.Locale {
		t := firstText(*m)
		fn(&t)
		t.put(m)
		return nil
	}
	texts, err := textsOf(ctx, tx, *m)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(texts[1:], func(t Text) bool { return t.Locale == locale })
	if i < 0 {
		return fault.New(fault.NotFound, "error.mailing_language_unknown")
	}
	t := texts[1+i]
	fn(&t)
	return putFurther(tx, m.ID, t, now)
}
