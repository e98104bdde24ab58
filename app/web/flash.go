package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
)

const (
	flashCookie = "flash"
	flashLife   = 5 * time.Minute
)

type flash struct {
	Kind    string `json:"k"`
	Key     string `json:"m"`
	Args    []any  `json:"a,omitempty"`
	Expires int64  `json:"e"`
}

// Flash keeps a message for the next page that this browser shows. kind is good, warn or bad; key is a locale key. args are
// name, value pairs of strings and whole numbers; no names or addresses of people: the cookie is signed, not sealed.
func (w *Web) Flash(c *fiber.Ctx, kind, key string, args ...any) {
	b, err := json.Marshal(flash{kind, key, args, w.opt.Clock.Now().Add(flashLife).Unix()})
	if err != nil || len(b) > 2000 {
		w.opt.Logger.Error("a flash does not fit its cookie", "key", key, "error", err)
		return
	}
	text := base64.RawURLEncoding.EncodeToString(b)
	c.Cookie(&fiber.Cookie{
		Name: flashCookie, Value: text + "." + w.mark(flashCookie, text), Path: "/", HTTPOnly: true, Secure: w.secure(),
		SameSite: fiber.CookieSameSiteLaxMode, MaxAge: int(flashLife / time.Second),
	})
}

// takeFlash reads the message and clears its cookie.
func (w *Web) takeFlash(c *fiber.Ctx, p Page) *Flash {
	v := c.Cookies(flashCookie)
	if v == "" || c.Method() == fiber.MethodHead {
		return nil
	}
	c.Cookie(&fiber.Cookie{
		Name: flashCookie, Path: "/", HTTPOnly: true, Secure: w.secure(), SameSite: fiber.CookieSameSiteLaxMode,
		Expires: time.Unix(1, 0),
	})
	text, mark, _ := strings.Cut(v, ".")
	if !hmac.Equal([]byte(mark), []byte(w.mark(flashCookie, text))) {
		return nil
	}
	var f flash
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	if d.Decode(&f) != nil || f.Expires < w.opt.Clock.Now().Unix() {
		return nil
	}
	for i, a := range f.Args {
		if n, ok := a.(json.Number); ok {
			if whole, err := n.Int64(); err == nil {
				f.Args[i] = whole
			}
		}
	}
	return &Flash{Kind: f.Kind, Text: p.T(f.Key, f.Args...)}
}

// mark signs a cookie's text for one purpose.
func (w *Web) mark(purpose, text string) string {
	h := hmac.New(sha256.New, w.opt.Secret)
	h.Write([]byte(purpose + "\x00" + text))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
