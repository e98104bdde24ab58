package web

import (
	"net/url"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kithline/campaigns/fault"
)

// sameSite refuses a request that changes something and was started by another site. The browser says where a request
// comes from: in Sec-Fetch-Site (W3C Fetch Metadata) or, before it had that, in Origin. Neither can be set by a page. A
// request with neither is not a browser's and carries nobody's cookie. So a form needs no token, and its page can be
// cached.
func (w *Web) sameSite(c *fiber.Ctx) error {
	switch c.Method() {
	case fiber.MethodGet, fiber.MethodHead, fiber.MethodOptions:
		return nil
	}
	refused := fault.New(fault.Forbidden, "error.other_site")
	origin := c.Get(fiber.HeaderOrigin)
	switch c.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return nil
	case "":
		if origin == "" || w.ownOrigin(c, origin) {
			return nil
		}
		// A page that sends no referrer sends the origin "null" too, in browsers of before 2023. On such a page the address
		// itself holds the secret that a forged request would need.
		if origin == "null" && w.secretPath(c.Path()) && !strings.HasPrefix(c.Path(), "/admin") {
			return nil
		}
	default: // same-site, cross-site, and whatever comes later
		if origin != "" && strings.EqualFold(origin, w.base.String()) {
			return nil // our own page, reached by another of our names
		}
	}
	if w.oneClick(c) {
		return nil
	}
	return refused
}

// ownOrigin reports whether an Origin header names this site. Behind a proxy the scheme of the request is not known: the
// host and port must agree, or all of it with the base address.
func (w *Web) ownOrigin(c *fiber.Ctx, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return false
	}
	return strings.EqualFold(u.Host, string(c.Context().Host())) || strings.EqualFold(origin, w.base.String())
}

// oneClick reports whether the route takes a POST from anywhere.
func (w *Web) oneClick(c *fiber.Ctx) bool {
	if c.Method() != fiber.MethodPost {
		return false
	}
	for _, r := range w.opt.OneClick {
		if matches(r, c.Path()) {
			return true
		}
	}
	return false
}

// matches compares a path with a pattern such as "/u/:token", part by part.
func matches(pattern, path string) bool {
	a, b := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if strings.HasPrefix(a[i], ":") && b[i] != "" {
			continue
		}
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// secretPath reports whether a path holds a token.
func (w *Web) secretPath(path string) bool {
	for _, p := range w.opt.TokenPrefixes {
		if strings.HasPrefix(path, p) && len(path) > len(p) {
			return true
		}
	}
	return false
}
