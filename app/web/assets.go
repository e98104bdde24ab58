package web

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"kithline/app/static"
)

// serveStatic serves the embedded files under their hashed names.
func (w *Web) serveStatic(c *fiber.Ctx) error {
	a := static.Find(c.Path())
	if a == nil {
		return fiber.ErrNotFound
	}
	c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	c.Set(fiber.HeaderContentType, a.Type)
	c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	if a.Name == "js/embed.js" { // the one asset that is made for other sites
		ForOtherSites(c)
	}
	switch coding(c) {
	case "br":
		c.Set(fiber.HeaderContentEncoding, "br")
		c.Response().SetBodyRaw(a.Brotli())
	case "gzip":
		c.Set(fiber.HeaderContentEncoding, "gzip")
		c.Response().SetBodyRaw(a.Gzip())
	default:
		c.Response().SetBodyRaw(a.Plain)
	}
	return nil
}

// coding picks br, gzip or "" by Accept-Encoding. A coding with q=0 is refused by the reader.
func coding(c *fiber.Ctx) string {
	var br, gz bool
	for part := range strings.SplitSeq(c.Get(fiber.HeaderAcceptEncoding), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		q = strings.ReplaceAll(q, " ", "")
		if q == "q=0" || strings.HasPrefix(q, "q=0.0") && strings.Trim(q[len("q=0."):], "0") == "" {
			continue
		}
		br = br || strings.EqualFold(strings.TrimSpace(name), "br")
		gz = gz || strings.EqualFold(strings.TrimSpace(name), "gzip")
	}
	switch {
	case br:
		return "br"
	case gz:
		return "gzip"
	}
	return ""
}
