package web

import (
	"strings"

	"github.com/gofiber/fiber/v2"
)

// ShowFrames lets the page of this answer show documents of this site in frames: see Document.
func ShowFrames(c *fiber.Ctx) {
	c.Set(fiber.HeaderContentSecurityPolicy, csp+"; frame-src 'self'")
}

// Document answers with a whole HTML document that is not a page of ours but something to look at in a frame: a mail. It has
// its own styles, pictures of this site, and nothing else: no script, no form, no origin. Where leave is set, its links may take the
// place of the page around it, when somebody presses them.
func Document(c *fiber.Ctx, document string, leave bool) error {
	sandbox := "sandbox"
	if leave {
		sandbox += " allow-top-navigation-by-user-activation"
	}
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "+sandbox)
	c.Set(fiber.HeaderXFrameOptions, "SAMEORIGIN")
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.SendString(document)
}

// FramedBy lets other sites show the page of this answer in a frame: those of hosts, each as "https://www.example.org", and
// nobody else. Its form leads out of the frame (target="_top"), so that cookies and the address are those of this site.
func FramedBy(c *fiber.Ctx, hosts []string) {
	if len(hosts) == 0 {
		return
	}
	c.Set(fiber.HeaderContentSecurityPolicy, strings.Replace(csp, "frame-ancestors 'none'", "frame-ancestors "+strings.Join(hosts, " "), 1))
	c.Response().Header.Del(fiber.HeaderXFrameOptions) // it knows no list; the policy says it
}

// FramedByAnybody lets every site show the page of this answer in a frame. It is for pages without a form and without anything
// that is the reader's own: no cookie goes out with it.
func FramedByAnybody(c *fiber.Ctx) {
	FramedBy(c, []string{"*"})
	ForOtherSites(c)
}

// ForOtherSites lets pages of other sites load this answer: a picture, a script, figures. No cookie goes out with it.
func ForOtherSites(c *fiber.Ctx) {
	c.Set("Cross-Origin-Resource-Policy", "cross-origin")
	c.Response().Header.DelAllCookies()
}
