package web

import (
	"slices"
	"strings"
	"sync"
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
		for _, l := range w.wishes.of(wish) {
			if slices.Contains(all, l) {
				return l
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

// wishes remembers what browsers ask for, which is the same few lines from most of them.
type wishes struct {
	mu   sync.RWMutex
	read map[string][]string
}

// of are the languages of an Accept-Language line, the most wanted first.
func (w *wishes) of(line string) []string {
	w.mu.RLock()
	langs, ok := w.read[line]
	w.mu.RUnlock()
	if ok {
		return langs
	}
	tags, _, _ := language.ParseAcceptLanguage(line) // none, where it cannot be read
	for _, t := range tags {
		b, _ := t.Base()
		langs = append(langs, b.String())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.read == nil || len(w.read) >= 500 { // somebody makes lines up
		w.read = map[string][]string{}
	}
	w.read[strings.Clone(line)] = langs
	return langs
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
