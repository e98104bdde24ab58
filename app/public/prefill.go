package public

import (
	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/me"
)

// Prefiller fills in what a person told before, in the one browser where they pressed the button for it, for an hour.
//
// It is a cookie rather than a token in the address of a form: an address is kept in histories, is passed on with a link, and
// is told to the next site; and a form that is filled in because of a button on another page would be empty again after its
// first error. The cookie names no one, opens no page and changes nothing; no script reads it, no other site sends it.
//
// A page that is filled in is made for one reader and never kept. Everybody else gets the kept one, as before:
//
//	if facts, ok := h.use.Facts(c); ok {
//		return h.web.Render(c, ...) // never Cached
//	}
//
// Boxes that give consent are never ticked by it.
type Prefiller struct {
	web *web.Web
	me  *me.Service
}

// NewPrefiller makes it, for the Mount functions of forms.
func NewPrefiller(w *web.Web, s *me.Service) *Prefiller { return &Prefiller{w, s} }

const prefillCookie = "prefill"

// Facts are what the person behind this browser told before; ok is false where nobody pressed the button in it. An answer that
// holds any of them must not be kept by anybody: Facts says so in its headers.
func (f *Prefiller) Facts(c *fiber.Ctx) (facts me.Facts, ok bool) {
	token := f.web.Cookie(c, prefillCookie)
	if token == "" {
		return me.Facts{}, false
	}
	facts, err := f.me.Prefill(c.UserContext(), token)
	if err != nil { // over, or erased since: the form is empty, which is no error
		return me.Facts{}, false
	}
	c.Set(fiber.HeaderCacheControl, "no-store, private")
	return facts, true
}

// keep gives the browser its token, or takes it away where it is empty.
func (f *Prefiller) keep(c *fiber.Ctx, token string) {
	f.web.SetCookie(c, prefillCookie, token, me.PrefillLife)
}
