package web

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
)

// sessionCookie is the name of the session's cookie. The prefix __Host- makes the browser refuse it from anywhere but this
// very host over https (RFC 6265bis, section 4.1.3.2); over http on this machine the browser would refuse the prefix.
func (w *Web) sessionCookie() string {
	if w.secure() {
		return "__Host-kithline"
	}
	return "kithline"
}

// StartSession gives the browser its session. token is the secret, expires the session's end. Over plain http it works on
// this machine only: elsewhere it returns a Forbidden fault, error.login_needs_https.
func (w *Web) StartSession(c *fiber.Ctx, token string, expires time.Time) error {
	if err := w.LoginAllowed(c); err != nil {
		return err
	}
	c.Cookie(&fiber.Cookie{
		Name: w.sessionCookie(), Value: token, Path: "/", HTTPOnly: true, Secure: w.secure(),
		SameSite: fiber.CookieSameSiteLaxMode, Expires: expires,
	})
	return nil
}

// LoginAllowed is nil where a session may start. Ask it before a password or a login link is read.
func (w *Web) LoginAllowed(c *fiber.Ctx) error {
	if w.secure() || loopback(w.base.Host) && w.ForLocalName(c) {
		return nil
	}
	return fault.New(fault.Forbidden, "error.login_needs_https")
}

// EndSession takes the session from the browser.
func (w *Web) EndSession(c *fiber.Ctx) {
	c.Cookie(&fiber.Cookie{
		Name: w.sessionCookie(), Path: "/", HTTPOnly: true, Secure: w.secure(), SameSite: fiber.CookieSameSiteLaxMode,
		Expires: time.Unix(1, 0),
	})
}

// SessionToken returns what the browser holds, "" for nothing.
func (w *Web) SessionToken(c *fiber.Ctx) string { return c.Cookies(w.sessionCookie()) }

// SetCookie keeps a small secret in the browser, such as the mark that binds a short code to who signed. Over https its
// name gets the prefix __Host-; read it with Cookie.
func (w *Web) SetCookie(c *fiber.Ctx, name, value string, life time.Duration) {
	k := &fiber.Cookie{
		Name: w.hostName(name), Value: value, Path: "/", HTTPOnly: true, Secure: w.secure(),
		SameSite: fiber.CookieSameSiteLaxMode, MaxAge: int(life / time.Second),
	}
	if value == "" {
		k.MaxAge, k.Expires = 0, time.Unix(1, 0)
	}
	c.Cookie(k)
}

// Cookie reads what SetCookie wrote.
func (w *Web) Cookie(c *fiber.Ctx, name string) string { return c.Cookies(w.hostName(name)) }

func (w *Web) hostName(name string) string {
	if w.secure() {
		return "__Host-" + name
	}
	return name
}

func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

type actorKey struct{}

type whoActs struct {
	actor actor.Actor
	name  string
}

// authenticate finds out who acts, once a request. It returns an error only where that could not be found out.
func (w *Web) authenticate(c *fiber.Ctx) error {
	who := whoActs{actor: actor.Actor{RequestID: RequestID(c)}}
	if token := w.SessionToken(c); token != "" && w.opt.Authenticate != nil {
		a, name, err := w.opt.Authenticate(c.UserContext(), token)
		switch {
		case err == nil:
			a.RequestID = who.actor.RequestID
			who = whoActs{a, name}
		case fault.Is(err, fault.Unauthenticated):
			// an old cookie is nobody's
		default:
			return err
		}
	}
	c.Locals(actorKey{}, who)
	c.SetUserContext(actor.With(c.UserContext(), who.actor))
	return nil
}

// Again returns a function that says who acts by the session of this request at another time: for answers that go on for minutes.
// It is nobody once the session has ended.
func (w *Web) Again(c *fiber.Ctx) func(ctx context.Context) (actor.Actor, error) {
	token, id := w.SessionToken(c), RequestID(c)
	return func(ctx context.Context) (actor.Actor, error) {
		if token == "" || w.opt.Authenticate == nil {
			return actor.Actor{RequestID: id}, nil
		}
		a, _, err := w.opt.Authenticate(ctx, token)
		if fault.Is(err, fault.Unauthenticated) {
			return actor.Actor{RequestID: id}, nil
		}
		a.RequestID = id
		return a, err
	}
}

// Actor says who acts: Nobody on a public page, User with a session. Operations check rights, handlers need not.
func (w *Web) Actor(c *fiber.Ctx) actor.Actor {
	who, _ := c.Locals(actorKey{}).(whoActs)
	return who.actor
}

func (w *Web) actorName(c *fiber.Ctx) string {
	who, _ := c.Locals(actorKey{}).(whoActs)
	return who.name
}

// Signed is a handler that lets only signed-in users pass: for groups such as /admin. Rights are checked by operations.
func (w *Web) Signed(c *fiber.Ctx) error {
	if w.Actor(c).Kind != actor.User {
		return fault.New(fault.Unauthenticated, "error.login_needed")
	}
	return c.Next()
}

type requestIDKey struct{}

// RequestID is the name of this request in the log and on error pages.
func RequestID(c *fiber.Ctx) string { id, _ := c.Locals(requestIDKey{}).(string); return id }

// RequestIDFrom is RequestID from a context.
func RequestIDFrom(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
