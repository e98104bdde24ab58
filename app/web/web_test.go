package web

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
)

var testTime = time.Date(2027, 2, 23, 10, 42, 0, 0, time.UTC)

// house makes a Web and its app for a test. change may alter the options.
func house(t *testing.T, change func(*Options)) (*Web, *fiber.App) {
	t.Helper()
	o := Options{
		BaseURL: "https://act.example.org", Secret: []byte(strings.Repeat("k", 32)), Clock: clock.NewFixed(testTime),
		Logger: slog.New(slog.DiscardHandler),
		Site: func(context.Context) Site {
			return Site{Name: "Wennick Coalition", Phone: "555-0142", CrisisLine: "988", Accent: "#1c5c4d", AccentVersion: "1"}
		},
		Authenticate: func(_ context.Context, cookie string) (actor.Actor, string, error) {
			if cookie == "owner" {
				return actor.Actor{Kind: actor.User, Role: actor.Owner}, "Ilse Halvorsen", nil
			}
			return actor.Actor{}, "", fault.New(fault.Unauthenticated, "error.login_needed")
		},
	}
	if change != nil {
		change(&o)
	}
	w, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	t.Cleanup(func() {
		if m := w.Missed(); len(m) > 0 {
			t.Errorf("words are missing: %v", m)
		}
	})
	return w, NewFiber(w)
}

// do sends a request with headers given as name, value pairs.
func do(t *testing.T, app *fiber.App, method, target, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	if body != "" && r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := app.Test(r, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestDisplayKeepsTheReadersChoice(t *testing.T) {
	_, app := house(t, nil)
	resp, body := do(t, app, "GET", "/display", "")
	if resp.StatusCode != 200 || !strings.Contains(body, "<h1>Light, dark and language</h1>") {
		t.Fatalf("%d\n%s", resp.StatusCode, body)
	}
	resp, _ = do(t, app, "POST", "/display", "theme=dark&lang=es&next=%2Fdisplay%3Fa%3Db", "Sec-Fetch-Site", "same-origin")
	if resp.StatusCode != 303 || resp.Header.Get("Location") != "/display?a=b" {
		t.Fatalf("%d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	cookies := map[string]string{}
	for _, k := range resp.Cookies() {
		cookies[k.Name] = k.Value
	}
	_, body = do(t, app, "GET", "/display", "", "Cookie", "theme="+cookies["theme"]+"; lang="+cookies["lang"]+"; flash="+cookies["flash"])
	for _, want := range []string{`<html lang="es" data-theme="dark">`, "Guardado. Todas", "Teléfono: 555-0142."} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
}
