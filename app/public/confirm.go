package public

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/fault"
)

// tryWindow is the window of limits on codes and on asking again, for one client.
const tryWindow = 15 * time.Minute

// signedCookie holds the mark of the forms that were sent from this browser, which binds the short code to it.
const signedCookie = "signed"

// ownCookie holds for a few minutes where the page of the signature is that was just confirmed in this browser, for the page of thanks.
const ownCookie = "own"

type confirmPages struct {
	web  *web.Web
	door *confirmations.Service
}

// MountConfirm puts the pages that a confirmation mail leads to in place: /confirm/:token with its one button, and /confirm
// for the code.
func MountConfirm(r fiber.Router, w *web.Web, s *confirmations.Service) {
	h := &confirmPages{w, s}
	r.Get("/confirm", h.codePage)
	r.Post("/confirm", w.Limit(30, tryWindow), h.code)
	r.Get("/confirm/:token", h.show)
	r.Post("/confirm/:token", h.confirm)
	r.Post("/confirm/:token/delete", h.disown)
}

// mark notes in the browser that a form was sent from it.
func mark(c *fiber.Ctx, w *web.Web, door *confirmations.Service, id uuid.UUID) {
	w.SetCookie(c, signedCookie, door.Mark(w.Cookie(c, signedCookie), id), confirmations.PendingFor)
}

// mailAgain asks for the mails of what was sent from the browser once more, and leads back. Whoever asks gets the same answer.
func mailAgain(c *fiber.Ctx, w *web.Web, door *confirmations.Service, said, to string) error {
	if err := door.Again(c.UserContext(), door.Marked(w.Cookie(c, signedCookie))); err != nil {
		return err
	}
	w.Flash(c, "good", said)
	return web.SeeOther(c, to)
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
	done, err := h.door.ConfirmCode(c.UserContext(), h.door.Marked(h.web.Cookie(c, signedCookie)), p.Form.Code)
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
	Waiting confirmations.Waiting
	Open    []confirmations.Item // what waits and can be confirmed
	Chosen  []string
	Choices []web.Option // of Open, where more than one waits
}

type confirmForm struct {
	Items []string `form:"item,max=40"`
}

func (h *confirmPages) page(c *fiber.Ctx) (*confirmPage, error) {
	token := c.Params("token")
	waiting, err := h.door.Waiting(c.UserContext(), token)
	if err != nil {
		return nil, err
	}
	p := &confirmPage{Page: h.web.Page(c, "", "home"), Token: token, Waiting: waiting}
	signatures := true
	for _, i := range waiting.Items {
		if i.Open {
			signatures = signatures && i.Kind == "petition"
			p.Open = append(p.Open, i)
			p.Choices = append(p.Choices, web.Option{Value: i.ID.String(), Label: p.Named(i), Hint: p.Detail(i)})
			p.Chosen = append(p.Chosen, i.ID.String())
		}
	}
	switch {
	case len(waiting.Items) == 0 && len(waiting.Done) > 0:
		p.Title = p.T("confirm.counted_title")
	case len(waiting.Items) == 0:
		p.Title = p.T("confirm.nothing_title")
	case signatures:
		p.Title = p.T("confirm.title", "Count", max(1, len(waiting.Items)))
	default:
		p.Title = p.T("confirm.title_any")
	}
	return p, nil
}

// Name is what an item is called.
func (p confirmPage) Name(i confirmations.Item) string {
	if i.Title != "" {
		return i.Title
	}
	return p.T("confirm.kind_" + i.Kind)
}

// Named is Name and, of a signature, whose it is: two people may sign from one mailbox.
func (p confirmPage) Named(i confirmations.Item) string {
	if i.Person == "" {
		return p.Name(i)
	}
	return p.T("sign.whose", "Title", p.Name(i), "Name", i.Person)
}

// Detail says when a form was sent and, of a signature, under which name, with or without mails.
func (p confirmPage) Detail(i confirmations.Item) string {
	switch i.Kind {
	case "petition":
	case "draft":
		return p.T("confirm.begun_on", "Date", p.Date(i.At))
	default:
		return p.T("confirm.sent_on", "Date", p.Date(i.At))
	}
	key := "confirm.as"
	if i.ShownName == "" {
		key = "confirm.as_nobody"
	}
	if i.Updates {
		key += "_updates"
	}
	return p.T(key, "Name", i.ShownName, "Date", p.Date(i.At))
}

// Question is what an answer was given to.
func (p confirmPage) Question(i confirmations.Item, s confirmations.Said) string {
	if s.Key == "" {
		return s.Label
	}
	return p.T(s.Key, "Title", i.Title)
}

// Answer is the answer in words.
func (p confirmPage) Answer(s confirmations.Said) string {
	if s.Value == "" {
		return s.Text
	}
	return p.T(s.Value)
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
	done, err := h.door.Confirm(c.UserContext(), c.Params("token"), ids(form.Items))
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

// thank goes to the page of thanks of the first thing that was confirmed, which says once how many they were.
func (h *confirmPages) thank(c *fiber.Ctx, done confirmations.Confirmed) error {
	first, signatures := done.Items[0], 0
	for _, i := range done.Items {
		if i.Kind == "petition" {
			signatures++
		}
	}
	switch {
	case done.Already:
		h.web.Flash(c, "good", "confirm.already")
	case len(done.Items) > 1 && signatures == len(done.Items):
		h.web.Flash(c, "good", "confirm.done_many", "Count", signatures)
	case len(done.Items) > 1:
		h.web.Flash(c, "good", "confirm.done_all", "Count", len(done.Items))
	case first.Number > 0:
		h.web.Flash(c, "good", "confirm.done", "Count", first.Number)
	}
	if first.Own != "" {
		h.web.SetCookie(c, ownCookie, strings.TrimPrefix(first.Own, "/petitions/"), tryWindow)
	}
	return web.SeeOther(c, first.Thanks)
}

func (h *confirmPages) disown(c *fiber.Ctx) error {
	var form confirmForm
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	if err := h.door.Disown(c.UserContext(), c.Params("token"), ids(form.Items)); err != nil {
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
