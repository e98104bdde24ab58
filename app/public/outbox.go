package public

import (
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
)

type outbox struct {
	web  *web.Web
	mail *deliveries.Outbox
	open func(*fiber.Ctx) bool
}

// MountOutbox shows the mails that were captured instead of sent, to everybody who reaches the site: mount it only in demo and
// development. Where that may change while the program runs, open is asked for each request; nil is always.
func MountOutbox(r fiber.Router, w *web.Web, mail *deliveries.Outbox, open func(*fiber.Ctx) bool) {
	h := &outbox{w, mail, open}
	r.Get("/outbox", h.guard, h.list)
	r.Get("/outbox/messages.json", h.guard, h.messages)
	r.Get("/outbox/:id.eml", h.guard, h.file)
	r.Get("/outbox/:id/html", h.guard, h.html)
	r.Get("/outbox/:id", h.guard, h.show)
}

func (h *outbox) guard(c *fiber.Ctx) error {
	if h.open != nil && !h.open(c) {
		return fault.New(fault.NotFound, "error.not_found")
	}
	c.Set("X-Robots-Tag", "noindex, nofollow")
	return c.Next()
}

// noMail turns an unknown id into a NotFound fault.
func noMail(err error) error {
	if errors.Is(err, deliveries.ErrNoMail) {
		return fault.New(fault.NotFound, "error.outbox_unknown")
	}
	return err
}

// mail is one captured mail as pages show it.
type mail struct {
	ID, To, From, Subject, Text string
	At                          time.Time
	HTML                        bool
	Headers                     []header
}

type header struct{ Name, Value string }

type outboxPage struct {
	web.Page
	Mails []mail
}

func (h *outbox) list(c *fiber.Ctx) error {
	p := outboxPage{Page: h.web.Page(c, "outbox.title", "")}
	all, err := h.mail.List()
	if err != nil {
		return err
	}
	for _, m := range all[:min(len(all), 200)] {
		p.Mails = append(p.Mails, mail{ID: m.ID, To: m.To, Subject: m.Subject, At: m.CreatedAt})
	}
	return h.web.Render(c, "public/outbox/list", &p)
}

// messages gives every mail as JSON, the last one sent first: for tests and tools.
func (h *outbox) messages(c *fiber.Ctx) error {
	all, err := h.mail.List()
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(all)
}

type outboxMailPage struct {
	web.Page
	Mail mail
}

// piece is a piece of a text: words, or an address to follow.
type piece struct {
	Text string
	Link bool
}

var address = regexp.MustCompile(`https?://[^\s<>"]*[^\s<>".,;:!?)\]}'”’»]`)

// Lines are the text part with its addresses as links.
func (p outboxMailPage) Lines() []piece {
	var out []piece
	at := 0
	for _, m := range address.FindAllStringIndex(p.Mail.Text, -1) {
		out = append(out, piece{Text: p.Mail.Text[at:m[0]]}, piece{Text: p.Mail.Text[m[0]:m[1]], Link: true})
		at = m[1]
	}
	return append(out, piece{Text: p.Mail.Text[at:]})
}

// shownHeaders are the ones that a page shows, in order; the rest is in the file.
var shownHeaders = []string{"From", "To", "Reply-To", "Date", "Message-ID", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Precedence", "Auto-Submitted"}

func (h *outbox) show(c *fiber.Ctx) error {
	m, err := h.mail.Get(c.Params("id"))
	if err != nil {
		return noMail(err)
	}
	p := outboxMailPage{Page: h.web.Page(c, "outbox.title", "")}
	p.Mail = mail{ID: m.ID, To: m.To, From: m.From, Subject: m.Subject, Text: m.Text, At: m.CreatedAt, HTML: m.HTML != ""}
	for _, name := range shownHeaders {
		for k, values := range m.Headers {
			if strings.EqualFold(k, name) {
				for _, v := range values {
					p.Mail.Headers = append(p.Mail.Headers, header{name, v})
				}
			}
		}
	}
	p.Title = m.Subject
	if strings.TrimSpace(p.Title) == "" {
		p.Title = p.T("outbox.no_subject")
	}
	web.ShowFrames(c)
	return h.web.Render(c, "public/outbox/show", &p)
}

// html is the mail's HTML part, for the frame of its page. Its links lead out of the frame.
func (h *outbox) html(c *fiber.Ctx) error {
	m, err := h.mail.Get(c.Params("id"))
	if err != nil {
		return noMail(err)
	}
	if m.HTML == "" {
		return fault.New(fault.NotFound, "error.outbox_unknown")
	}
	before, after, found := strings.Cut(m.HTML, "<head>")
	if !found {
		before, after = "", m.HTML
	}
	return web.Document(c, before+`<head><base target="_top">`+after, true)
}

func (h *outbox) file(c *fiber.Ctx) error {
	id := c.Params("id")
	b, err := h.mail.Raw(id)
	if err != nil {
		return noMail(err)
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentType, "message/rfc822")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+id+`.eml"`) // an id is digits, letters and a hyphen
	return c.Send(b)
}
