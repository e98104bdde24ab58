package mailings

import (
	"context"
	"errors"
	"html"
	"html/template"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// A mailing can be read on the site: by the link in each mail, which is the same for everybody, and where it is public, by its address
// in the archive once it went out. The copy holds nothing of any person: merge fields show what stands there for somebody unknown.

// webURL is the address of a mailing's copy in a language; "" for a Mail, which has no row of its own and no copy.
func (s *Service) webURL(m models.Mailing, locale string) string {
	if m.CreatedAt.IsZero() {
		return ""
	}
	u := s.BaseURL + "/m/" + s.Signer.MakeForever(tokens.WebCopy, m.ID)
	if locale != m.Locale {
		u += "?version=" + locale
	}
	return u
}

// slugFor is the address of a public draft in the archive: it follows its subject.
func slugFor(ctx context.Context, tx *gorm.DB, m models.Mailing) (string, error) {
	if !m.Public {
		return "", nil
	}
	parts, _ := parseMerge(m.Subject, "subject", false)
	return campaigns.FreeSlug(ctx, tx, &models.Mailing{}, splice(parts, values{}, func(s string) string { return s }), m.ID)
}

// WebCopy is a mailing as a page of the site.
type WebCopy struct {
	ID        uuid.UUID
	Title     string // its subject
	Lang      string
	Languages []string      // all that it has, its own first
	HTML      template.HTML // sanitized, without styles; "" for HTML that the organisation brought
	Document  string        // that HTML as a document of its own
	Text      string
	At        *time.Time // when it went out; nil before
	Public    bool       // in the archive
	Slug      string     // its address there
}

var errNoCopy = fault.New(fault.NotFound, "error.mailing_unknown")

// WebCopy returns the copy behind an address: the slug of a mailing in the archive, or the token in a mail. locale chooses a version;
// without one of that name it is the first. It checks no rights. The fault is NotFound.
func (s *Service) WebCopy(ctx context.Context, ref, locale string) (WebCopy, error) {
	m, err := s.copied(ctx, ref)
	if err != nil {
		return WebCopy{}, err
	}
	l, err := s.load(ctx, m)
	if err != nil {
		return WebCopy{}, err
	}
	return s.copyIn(l, locale), nil
}

func (s *Service) copied(ctx context.Context, ref string) (m models.Mailing, err error) {
	if id, bad := s.Signer.Read(tokens.WebCopy, ref, s.Clock.Now()); bad == nil {
		return find(ctx, s.DB.DB, id)
	}
	if ref == "" {
		return m, errNoCopy
	}
	err = s.DB.WithContext(ctx).Take(&m, "slug = ? AND public AND frozen_at IS NOT NULL", ref).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = errNoCopy
	}
	return m, err
}

func (s *Service) copyIn(l *loaded, locale string) WebCopy {
	v, m := l.in(locale), l.mailing
	nobody := v.person(recipient{})
	c := v.compiled.fill(nobody)
	out := WebCopy{
		ID: m.ID, Title: c.Subject, Lang: v.text.Locale, Text: c.Text, At: m.FrozenAt, Public: m.Public && m.FrozenAt != nil, Slug: m.Slug,
		HTML: template.HTML(splice(v.compiled.page, nobody, html.EscapeString)), //nolint:gosec // sanitized, values escaped
	}
	out.Languages = []string{v.text.Locale}
	for _, o := range l.versions {
		if o.text.Locale != v.text.Locale {
			out.Languages = append(out.Languages, o.text.Locale)
		}
	}
	if v.compiled.own {
		out.HTML = ""
		out.Document = `<!doctype html><html lang="` + html.EscapeString(v.text.Locale) + `"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>` +
			html.EscapeString(c.Subject) + `</title></head><body>` + s.ownPictures(string(c.HTML)) + `</body></html>`
	}
	out.HTML = template.HTML(s.ownPictures(string(out.HTML))) //nolint:gosec // as above
	return out
}

// ownPictures makes the addresses of pictures paths of the site that shows them, which may be reached by another name just now.
func (s *Service) ownPictures(page string) string {
	return strings.ReplaceAll(page, `src="`+s.BaseURL+picturesPath, `src="`+picturesPath)
}

// ArchiveMost is how many mailings the archive shows.
const ArchiveMost = 100

// Archive lists the public mailings that went out, newest first. It checks no rights.
func (s *Service) Archive(ctx context.Context) ([]WebCopy, error) {
	var rows []models.Mailing
	err := s.DB.WithContext(ctx).Where("public AND frozen_at IS NOT NULL AND slug <> ''").Order("frozen_at DESC, id DESC").Limit(ArchiveMost).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	out := make([]WebCopy, len(rows))
	for i, m := range rows {
		parts, _ := parseMerge(m.Subject, "subject", false)
		out[i] = WebCopy{ID: m.ID, Title: oneLine(splice(parts, values{}, func(s string) string { return s })), Lang: m.Locale, At: m.FrozenAt, Public: true, Slug: m.Slug}
	}
	return out, nil
}

// FeedMost is how many mailings the feed of the archive holds, with all their words.
const FeedMost = 20

// Feed returns the newest public mailings that went out, with their words. It checks no rights.
func (s *Service) Feed(ctx context.Context) ([]WebCopy, error) {
	var rows []models.Mailing
	err := s.DB.WithContext(ctx).Where("public AND frozen_at IS NOT NULL AND slug <> ''").Order("frozen_at DESC, id DESC").Limit(FeedMost).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	out := make([]WebCopy, len(rows))
	for i, m := range rows {
		l, err := s.load(ctx, m)
		if err != nil {
			return nil, err
		}
		out[i] = s.copyIn(l, m.Locale)
	}
	return out, nil
}

// SetPublic puts a mailing that went out into the archive, or takes it away. It needs the right actor.Send; a mailing that has not gone
// out is a Conflict fault: a draft says it itself.
func (s *Service) SetPublic(ctx context.Context, a actor.Actor, id uuid.UUID, public bool) error {
	if err := a.Need(actor.Send); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		m, err := seen(ctx, tx, a, id)
		if err != nil {
			return err
		}
		if m.FrozenAt == nil {
			return errMoved
		}
		if m.Public == public {
			return nil
		}
		if m.Public = public; m.Slug == "" {
			if m.Slug, err = slugFor(ctx, tx, m); err != nil {
				return err
			}
		}
		action := map[bool]string{true: "mailing.publish", false: "mailing.unpublish"}[public]
		if err := tx.Model(&models.Mailing{}).Where("id = ?", id).Updates(map[string]any{"public": public, "slug": m.Slug}).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, s.Clock.Now(), action, "mailings", id, nil)
	})
}
