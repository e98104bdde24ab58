package web

import (
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/text/language"

	"kithline/app/locales"
)

const (
	langCookie  = "lang"
	themeCookie = "theme"
	oneYear     = 365 * 24 * time.Hour
)

// Lang returns the reader's language among the organisation's: ?lang=, then what they chose before, then what the browser
// asks for, then the organisation's first.
func (w *Web) Lang(c *fiber.Ctx, site Site) string {
	all := site.languages()
	for _, l := range []string{c.Query("lang"), c.Cookies(langCookie)} {
		if slices.Contains(all, l) {
			return l
		}
	}
	if wish := c.Get(fiber.HeaderAcceptLanguage); wish != "" && len(wish) < 500 {
		tags, _, err := language.ParseAcceptLanguage(wish)
		if err == nil {
			for _, t := range tags {
				if b, _ := t.Base(); slices.Contains(all, b.String()) {
					return b.String()
				}
			}
		}
	}
	return all[0]
}

// Spoken is the language of ours for what is in any language, as a petition may be.
func Spoken(locale string) string {
	base, _, _ := strings.Cut(locale, "-")
	if slices.Contains(locales.Languages, base) {
		return base
	}
	return locales.Languages[0]
}

// keepLang remembers ?lang= in the browser, so that the next page is in the same language.
func (w *Web) keepLang(c *fiber.Ctx) {
	l := c.Query("lang")
	if l != "" && l != c.Cookies(langCookie) && slices.Contains(w.opt.Site(c.UserContext()).languages(), l) {
		w.keep(c, langCookie, l)
	}
}

// keep sets a cookie that holds a reader's choice of how pages look.
func (w *Web) keep(c *fiber.Ctx, name, value string) {
	k := &fiber.Cookie{
		Name: name, Value: value, Path: "/", HTTPOnly: true, SameSite: fiber.CookieSameSiteLaxMode, Secure: w.secure(),
		Expires: w.opt.Clock.Now().Add(oneYear),
	}
	if value == "" {
		k.Expires = time.Unix(1, 0)
	}
	c.Cookie(k)
}

// theme returns the reader's choice: light, dark or "".
func theme(c *fiber.Ctx) string {
	if t := c.Cookies(themeCookie); t == "light" || t == "dark" {
		return t
	}
	return ""
}
