package public_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/app/public"
	"kithline/app/web"
	"kithline/mailer"
)

// captured is a site with an outbox that holds one mail.
func captured(t *testing.T, open func(*fiber.Ctx) bool) *fiber.App {
	t.Helper()
	w, err := web.New(web.Options{BaseURL: "http://127.0.0.1:8080", Secret: []byte(strings.Repeat("k", 32)), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	t.Cleanup(func() {
		if m := w.Missed(); len(m) > 0 {
			t.Errorf("words are missing: %v", m)
		}
	})
	box := mailer.NewCapture(t.TempDir())
	conn, err := box.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	o := conn.Send(context.Background(), mailer.Message{
		MessageID: "d.1@example.org", FromName: "WCPC", FromAddress: "hello@example.org", To: "june@example.org", Date: time.Date(2027, 2, 1, 12, 0, 0, 0, time.UTC),
		Subject: "Please confirm <b>", Text: "Press: http://127.0.0.1:8080/confirm/abc.\n<script>alert(1)</script>",
		HTML: "<!doctype html><html><head><style>p{color:red}</style></head><body><p><a href=\"http://127.0.0.1:8080/confirm/abc\">Press</a></p><script>alert(1)</script></body></html>",
	})
	if o.State != mailer.Accepted {
		t.Fatal(o)
	}
	app := web.NewFiber(w)
	public.MountOutbox(app, w, box, open)
	return app
}

func get(t *testing.T, app *fiber.App, path string) (int, string, map[string][]string) {
	t.Helper()
	res, err := app.Test(httptest.NewRequest("GET", path, nil), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

func TestOutbox(t *testing.T) {
	app := captured(t, nil)
	status, body, _ := get(t, app, "/outbox/messages.json")
	var all []struct {
		ID, To, From, Subject, Text, HTML string
		MessageID                         string              `json:"message_id"`
		CreatedAt                         time.Time           `json:"created_at"`
		Headers                           map[string][]string `json:"headers"`
		Links                             []string            `json:"links"`
	}
	if err := json.Unmarshal([]byte(body), &all); err != nil || status != 200 || len(all) != 1 {
		t.Fatalf("%d, %v: %s", status, err, body)
	}
	m := all[0]
	if m.To != "june@example.org" || m.From != "hello@example.org" || m.Subject != "Please confirm <b>" || m.MessageID != "d.1@example.org" ||
		m.CreatedAt.IsZero() || len(m.Headers["Message-ID"]) != 1 || len(m.Links) != 1 || m.Links[0] != "http://127.0.0.1:8080/confirm/abc" {
		t.Errorf("%+v", m)
	}

	status, body, _ = get(t, app, "/outbox")
	if status != 200 || !strings.Contains(body, `href="/outbox/`+m.ID+`"`) || !strings.Contains(body, "Please confirm &lt;b&gt;") {
		t.Errorf("the list: %d %s", status, body)
	}
	status, body, head := get(t, app, "/outbox/"+m.ID)
	if status != 200 || !strings.Contains(body, `<a href="http://127.0.0.1:8080/confirm/abc">http://127.0.0.1:8080/confirm/abc</a>.`) || strings.Contains(body, "<script>alert") ||
		!strings.Contains(body, `sandbox="allow-top-navigation-by-user-activation"`) || !strings.HasSuffix(head["Content-Security-Policy"][0], "frame-src 'self'") {
		t.Errorf("one mail: %d %v %s", status, head["Content-Security-Policy"], body)
	}
	status, body, head = get(t, app, "/outbox/"+m.ID+"/html")
	csp := head["Content-Security-Policy"][0]
	if status != 200 || !strings.Contains(body, `<head><base target="_top"><style>`) || !strings.HasPrefix(csp, "default-src 'none'; style-src 'unsafe-inline';") ||
		strings.Contains(csp, "script-src") || !strings.Contains(csp, "; img-src 'self'; base-uri") || !strings.HasSuffix(csp, "sandbox allow-top-navigation-by-user-activation") || !strings.Contains(csp, "frame-ancestors 'self'") {
		t.Errorf("its HTML: %d %s %s", status, csp, body)
	}
	status, body, head = get(t, app, "/outbox/"+m.ID+".eml")
	if status != 200 || head["Content-Type"][0] != "message/rfc822" || !strings.Contains(body, "Message-ID: <d.1@example.org>\r\n") {
		t.Errorf("its file: %d %v %s", status, head["Content-Type"], body)
	}
	for _, path := range []string{"/outbox/nothing", "/outbox/00000009-abc", "/outbox/nothing.eml", "/outbox/nothing/html", "/outbox/..%2f..%2fkey.eml", "/outbox/" + m.ID + "x.eml"} {
		if status, _, _ := get(t, app, path); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
}

func TestOutboxIsShutWhereMailIsSent(t *testing.T) {
	app := captured(t, func(*fiber.Ctx) bool { return false })
	for _, path := range []string{"/outbox", "/outbox/messages.json", "/outbox/00000001-abc", "/outbox/00000001-abc.eml", "/outbox/00000001-abc/html"} {
		if status, _, _ := get(t, app, path); status != 404 {
			t.Errorf("%s: %d", path, status)
		}
	}
}
