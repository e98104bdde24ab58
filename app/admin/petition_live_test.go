package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"kithline/campaigns/actor"
	"kithline/campaigns/petitions"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

// events reads server-sent events: each name with its data, until the answer ends.
func events(t *testing.T, body io.Reader) <-chan [2]string {
	out := make(chan [2]string, 100)
	go func() {
		defer close(out)
		var e [2]string
		lines := bufio.NewScanner(body)
		for lines.Scan() {
			switch line := lines.Text(); {
			case strings.HasPrefix(line, "event: "):
				e[0] = line[len("event: "):]
			case strings.HasPrefix(line, "data: "):
				e[1] = line[len("data: "):]
			case line == "" && e != [2]string{}:
				out <- e
				e = [2]string{}
			}
		}
		if err := lines.Err(); err != nil {
			out <- [2]string{"cut", err.Error()}
		}
	}()
	return out
}

// The numbers of a report follow while one looks: a signature arrives as an event with no page loaded anew. Without JavaScript the page
// says the same. When the server stops, what goes on ends, and the server waits for none of it.
func TestLiveNumbers(t *testing.T) {
	testdb.EachMigratedURL(t, func(t *testing.T, dsn string) {
		var left []<-chan [2]string // that were open when the server stopped
		var began time.Time
		var ends []io.Closer
		defer func() {
			for _, end := range ends {
				_ = end.Close()
			}
		}()
		t.Run("while it runs", func(t *testing.T) {
			a := testapp.New(t, dsn, "KITHLINE_SHUTDOWN_SECONDS=30")
			a.SetUp()
			ctx, system := context.Background(), actor.TheSystem()
			p, err := a.Petitions.Create(ctx, system, petitions.CreateInput{Draft: petitions.Draft{
				Title: "Twenty visits", Summary: "We ask for it.", Body: "Most plans stop.", Decider: "Committee", WhyNow: "Soon.", SystemChange: "Twenty.", Goal: 500, Locale: "en",
			}})
			for _, step := range []func() error{
				func() error { return err },
				func() (err error) { p, err = a.Petitions.Submit(ctx, system, p.ID, p.Revision); return err },
				func() (err error) { p, err = a.Petitions.Publish(ctx, system, p.ID, p.Revision); return err },
			} {
				if err := step(); err != nil {
					t.Fatal(err)
				}
			}
			owner := a.Owner(t)
			at := "/admin/petitions/" + p.ID.String()
			page := owner.Get(at).Want(200)
			live := page.Doc.Find("[data-live]").AttrOr("data-live", "")
			if live != at+"/live" {
				t.Fatalf("live at %q", live)
			}
			// Without scripts: numbers, and each chart with a table.
			if n := page.Doc.Find("figure .plot").Length(); n != 2 || page.Doc.Find("figure details table").Length() != n || page.Text("[data-live-n=confirmed]") != "0" {
				t.Errorf("%d charts, %d tables", n, page.Doc.Find("figure details table").Length())
			}
			if page := a.Client(t).Get(live); !strings.HasPrefix(page.Path, "/admin/login") {
				t.Errorf("anybody may look: %d at %s", page.Status, page.Path)
			}
			if page := owner.Get("/admin/petitions/00000000-0000-0000-0000-000000000000/live"); page.Status != 404 {
				t.Errorf("of a petition that is not there: %d", page.Status)
			}
			open := func() <-chan [2]string {
				t.Helper()
				res := owner.Stream(live, "text/event-stream")
				ends = append(ends, res.Body)
				if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
					t.Fatalf("%d %v", res.StatusCode, res.Header)
				}
				return events(t, res.Body)
			}
			until := func(all <-chan [2]string, name, value string) {
				t.Helper()
				late := time.After(testapp.Patience)
				for {
					select {
					case e, ok := <-all:
						var now map[string]string
						if !ok || e[0] != "numbers" {
							t.Fatalf("%q", e)
						} else if err := json.Unmarshal([]byte(e[1]), &now); err != nil {
							t.Fatal(err)
						}
						if now[name] == value {
							return
						}
					case <-late:
						t.Fatalf("%s does not become %s", name, value)
					}
				}
			}
			first := open()
			until(first, "confirmed", "0")
			made, err := a.Petitions.Sign(ctx, petitions.SignInput{Slug: p.Slug, GivenName: "June", FamilyName: "Okafor", Email: "june@example.org", PostalCode: "00012", Locale: "en"})
			if err != nil {
				t.Fatal(err)
			}
			until(first, "pending", "1")
			var sig models.Signature
			if err := a.DB.Take(&sig, "id = ?", made.ID).Error; err != nil {
				t.Fatal(err)
			}
			if _, err := a.Petitions.Confirm(ctx, a.Signer.Make(tokens.Confirm, sig.MailboxID, a.Clock.Now().AddDate(0, 0, 7)), nil); err != nil {
				t.Fatal(err)
			}
			until(first, "confirmed", "1")
			// Who does not ask for events gets the numbers once; the page has the same.
			var once map[string]string
			if err := json.Unmarshal(owner.Get(live).Want(200).Body, &once); err != nil || once["confirmed"] != "1" || once["pending"] != "0" || once["hour"] != "1" {
				t.Errorf("%v, %v", once, err)
			}
			if page := owner.Get(at).Want(200); page.Text("[data-live-n=confirmed]") != "1" || page.Text("[data-live-n=pending]") != "0" {
				t.Errorf("the page says %s", page.Text("[data-live]"))
			}
			// One account has so many open, and others have theirs.
			all := []<-chan [2]string{first}
			for range 19 {
				all = append(all, open())
			}
			if res := owner.Stream(live, "text/event-stream"); res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || res.Body.Close() != nil {
				t.Errorf("one more than an account may have open: %d", res.StatusCode)
			}
			if n, people := a.Petitions.Watching(); n != 1 || people != 20 {
				t.Errorf("%d petitions are watched by %d", n, people)
			}
			other := as(t, a, actor.Organizer, "other@example.org").Stream(live, "text/event-stream")
			if other.StatusCode != 200 {
				t.Errorf("somebody else: %d", other.StatusCode)
			}
			ends, left, began = append(ends, other.Body), all, time.Now()
		})
		if took := time.Since(began); took > 20*time.Second || len(left) != 20 {
			t.Errorf("the server took %v to stop with %d streams open", took, len(left))
		}
		for _, all := range left { // each came to its end, not to a broken connection
			for e := range all {
				if e[0] == "cut" {
					t.Errorf("a stream was cut: %s", e[1])
				}
			}
		}
	})
}
