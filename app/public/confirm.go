package public

import (
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/petitions"
)

// tryWindow is the window of limits on codes and on asking again, for one client.
const tryWindow = 15 * time.Minute

type confirmPages struct {
	web       *web.Web
	petitions *petitions.Service
}

// MountConfirm puts the pages that a confirmation mail leads to in place: /confirm/:token with its one button, and /confirm
// for the code.
func MountConfirm(r fiber.Router, w *web.Web, s *petitions.Service) {
	h := &confirmPages{w, s}
	r.Get("/confirm", h.codePage)
	r.Post("/confirm", w.Limit(30, tryWindow), h.code)
	r.Get("/confirm/:token", h.show)
	r.Post("/confirm/:token", h.confirm)
	r.Post("/confirm/:token/delete", h.disown)
}

type codeForm struct {
	Code string `form:"code,max=40"`
}

type codePage struct {
	web.Page
	Form codeForm
}

func (h *confirmPages) codePage(c *fiber.Ctx) error {
	return h.web.Render(c, "public/confirm/code", &codePage{Page: h.web.Page(c, "confirm.code_title", "home")})
}

func (h *confirmPages) code(c *fiber.Ctx) error {
	p := codePage{Page: h.web.Page(c, "confirm.code_title", "home")}
	if err := web.Bind(c, &p.Form); p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/confirm/code", &p)
	} else if err != nil {
		return err
	}
	done, err := h.petitions.ConfirmCode(c.UserContext(), h.petitions.Marked(h.web.Cookie(c, signedCookie)), p.Form.Code)
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/confirm/code", &p)
	}
	if fault.Is(err, fault.Gone) {
		return h.old(c, err)
	}
	if err != nil {
		return err
	}
	return h.thank(c, done)
}

// confirmPage lists what waits at a mailbox.
type confirmPage struct {
	web.Page
	Token   string
	Waiting petitions.Waiting
	Chosen  []string
	Choices []web.Option // of the signatures, where more than one waits
}

type confirmForm struct {
	Signatures []string `form:"signature,max=40"`
}

func (h *confirmPages) page(c *fiber.Ctx) (*confirmPage, error) {
	token := c.Params("token")
	waiting, err := h.petitions.Waiting(c.UserContext(), token)
	if err != nil {
		return nil, err
	}
	p := &confirmPage{Page: h.web.Page(c, "confirm.title", "home", "Count", max(1, len(waiting.Signatures))), Token: token, Waiting: waiting}
	if len(waiting.Signatures) == 0 {
		p.Title = p.T("confirm.nothing_title")
		if len(waiting.Counted) > 0 {
			p.Title = p.T("confirm.counted_title")
		}
	}
	for _, s := range waiting.Signatures {
		if s.Open {
			p.Choices = append(p.Choices, web.Option{Value: s.ID.String(), Label: s.Title, Hint: h.detail(p.Page, s)})
			p.Chosen = append(p.Chosen, s.ID.String())
		}
	}
	return p, nil
}

// detail says when somebody signed, under which name, with or without mails.
func (h *confirmPages) detail(p web.Page, s petitions.WaitingSignature) string {
	key := "confirm.as"
	if s.ShownName == "" {
		key = "confirm.as_nobody"
	}
	if s.Updates {
		key += "_updates"
	}
	return p.T(key, "Name", s.ShownName, "Date", p.Date(s.SignedAt))
}

// Detail is detail for the one signature that waits.
func (p *confirmPage) Detail() string {
	if len(p.Choices) == 1 {
		return p.Choices[0].Hint
	}
	return ""
}

func (h *confirmPages) show(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return h.old(c, err)
	}
	return h.web.Render(c, "public/confirm/show", p)
}

func (h *confirmPages) confirm(c *fiber.Ctx) error {
	var form confirmForm
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	done, err := h.petitions.Confirm(c.UserContext(), c.Params("token"), ids(form.Signatures))
	if _, wrong := web.Invalid(err); wrong {
		p, again := h.page(c)
		if again != nil {
			return h.old(c, again)
		}
		p.Failed(err)
		p.Chosen = []string{}
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/confirm/show", p)
	}
	if err != nil {
		return h.old(c, err)
	}
	return h.thank(c, done)
}

// ids reads the ids of a form; what is none is left out.
func ids(in []string) []uuid.UUID {
	var out []uuid.UUID
	for _, s := range in {
		if id, err := uuid.Parse(s); err == nil {
			out = append(out, id)
		}
	}
	return out
}

// thank goes to the page of thanks, which says the number once.
func (h *confirmPages) thank(c *fiber.Ctx, done petitions.Confirmed) error {
	switch {
	case done.Already:
		h.web.Flash(c, "good", "confirm.already")
	case len(done.Counted) > 1:
		h.web.Flash(c, "good", "confirm.done_many", "Count", len(done.Counted))
	default:
		h.web.Flash(c, "good", "confirm.done", "Count", done.Counted[0].Number)
	}
	return web.SeeOther(c, "/petitions/"+done.Counted[0].Slug+"/thanks")
}

func (h *confirmPages) disown(c *fiber.Ctx) error {
	var form confirmForm
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	if err := h.petitions.Disown(c.UserContext(), c.Params("token"), ids(form.Signatures)); err != nil {
		return h.old(c, err)
	}
	return h.web.Render(c, "public/confirm/deleted", &oldPage{Page: h.web.Page(c, "confirm.deleted_title", "home")})
}

// oldPage says why a link does nothing, and what can be done.
type oldPage struct {
	web.Page
	Text string
}

// old answers a link that is unknown, too old, or whose work is done, with a page that says how to go on.
func (h *confirmPages) old(c *fiber.Ctx, err error) error {
	status := fiber.StatusGone
	switch fault.KindOf(err) {
	case fault.Gone:
	case fault.NotFound:
		status = fiber.StatusNotFound
	default:
		return err
	}
	p := oldPage{Page: h.web.Page(c, "confirm.old_title", "home")}
	p.Text = p.Says(err)
	return h.web.RenderStatus(c, status, "public/confirm/old", &p)
}
