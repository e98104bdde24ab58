package public

import (
	"context"
	"html/template"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
)

type archivePages struct {
	web *web.Web
	svc *mailings.Service
}

// MountArchive puts in place what can be read of mailings on the site: the copy behind the link in each mail and the pictures in it,
// and the public ones with their feed.
func MountArchive(r fiber.Router, w *web.Web, s *mailings.Service) {
	h := &archivePages{w, s}
	r.Get("/archive", h.list)
	r.Get("/archive.atom", h.feed)
	r.Get("/m/pictures/:picture", h.picture)
	r.Get("/m/:mail", h.show)
	r.Get("/m/:mail/mail", h.document)
}

type archivePage struct {
	web.Page
	Rows []mailings.WebCopy
}

func (h *archivePages) list(c *fiber.Ctx) error {
	return h.web.Cached(c, "public/archive/list", "archive", func(ctx context.Context, p web.Page) (any, error) {
		rows, err := h.svc.Archive(ctx)
		p.Title = p.T("mailings.archive")
		return archivePage{Page: p, Rows: rows}, err
	})
}

type mailCopyPage struct {
	web.Page
	Copy     mailings.WebCopy
	Body     template.HTML
	Versions []web.Link // in other languages
}

// Framed reports whether the mail is a document of its own.
func (p mailCopyPage) Framed() bool { return p.Copy.Document != "" }

func (h *archivePages) show(c *fiber.Ctx) error {
	ref, version := c.Params("mail"), c.Query("version")
	web.ShowFrames(c)
	c.Set("X-Robots-Tag", "noindex") // those that the archive shows are found by it
	return h.web.Cached(c, "public/archive/mail", "archive", func(ctx context.Context, p web.Page) (any, error) {
		m, err := h.svc.WebCopy(ctx, ref, version)
		if err != nil {
			return nil, err
		}
		p.Title = m.Title
		page := mailCopyPage{Page: p, Copy: m, Body: headings(m.HTML)}
		for _, o := range p.LanguageOptions() {
			for _, l := range m.Languages[1:] {
				if l == o.Value {
					page.Versions = append(page.Versions, web.Link{URL: p.Path + "?version=" + l, Label: o.Label})
				}
			}
		}
		return page, nil
	}, "version")
}

// document is what the frame of a mail shows that is HTML of its own.
func (h *archivePages) document(c *fiber.Ctx) error {
	m, err := h.svc.WebCopy(c.UserContext(), c.Params("mail"), c.Query("version"))
	if err != nil {
		return err
	}
	if m.Document == "" {
		return fault.New(fault.NotFound, "error.mailing_unknown")
	}
	return web.Document(c, m.Document, true)
}

func (h *archivePages) picture(c *fiber.Ctx) error {
	id, err := uuid.Parse(c.Params("picture"))
	if err != nil {
		return fault.New(fault.NotFound, "error.file_unknown")
	}
	rc, f, err := h.svc.Picture(c.UserContext(), id)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }()
	web.ForOtherSites(c) // mail programs on the web show it
	return sendPicture(c, rc, f)
}

func (h *archivePages) feed(c *fiber.Ctx) error {
	self := h.web.URL(c.Path())
	web.ForOtherSites(c)
	return h.web.KeptContent(c, atomType, func(ctx context.Context) ([]byte, error) {
		rows, err := h.svc.Feed(ctx)
		if err != nil {
			return nil, err
		}
		site := h.web.Blank(ctx, "en", "/").Site
		lang := "en"
		if len(site.Languages) > 0 {
			lang = web.Spoken(site.Languages[0])
		}
		f := atomFeed{
			Lang: lang, ID: self, Title: h.web.Text(lang, "mailings.archive_of", "Name", site.Name), Author: atomAuthor{site.Name}, Updated: stamp(time.Unix(0, 0)),
			Links: []atomLink{{Rel: "self", Type: "application/atom+xml", Href: self}, {Rel: "alternate", Type: "text/html", Href: h.web.URL("/archive")}},
		}
		for i, m := range rows {
			at := stamp(*m.At)
			if i == 0 {
				f.Updated = at
			}
			e := atomEntry{
				Lang: m.Lang, ID: "urn:uuid:" + m.ID.String(), Title: m.Title, Published: at, Updated: at,
				Link: atomLink{Rel: "alternate", Type: "text/html", Href: h.web.URL("/m/" + m.Slug)},
			}
			if e.Content = (&atomText{"html", string(m.HTML)}); m.HTML == "" {
				e.Content = &atomText{"text", m.Text}
			}
			f.Entries = append(f.Entries, e)
		}
		return xmlOf(f)
	})
}
