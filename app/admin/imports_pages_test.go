package admin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/imports"
	"kithline/campaigns/jobs"
	"kithline/campaigns/petitions"
	"kithline/campaigns/supporters"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// Every page about people and lists runs in every language and in every state.
func TestPagesOfPeople(t *testing.T) {
	now := webtest.Time
	id, other := uuid.New(), uuid.New()
	reason := imports.Reason{Key: "error.import_columns", Args: []any{"Cells", "1", "Columns", "2"}}
	for _, x := range []struct {
		state   models.ImportState
		dry     bool
		full    bool
		message string
	}{
		{models.ImportUploaded, true, true, ""},
		{models.ImportUploaded, true, false, ""},
		{models.ImportRunning, true, false, ""},
		{models.ImportRunning, false, true, ""},
		{models.ImportFinished, true, true, ""},
		{models.ImportFinished, true, false, ""},
		{models.ImportFinished, false, true, ""},
		{models.ImportFinished, false, false, ""},
		{models.ImportFailed, true, true, "error.file_expired"},
		{models.ImportFailed, false, true, "error.import_stopped"},
		{models.ImportFailed, false, false, "error.import_damaged"},
	} {
		webtest.All(t, "admin/imports/", func(_ *web.Web, p web.Page) map[string]any {
			i := imports.Import{Import: models.Import{ID: id, State: x.state, DryRun: x.dry, Message: x.message, RowsTotal: 1200, RowsDone: 700, CreatedAt: now, UpdatedAt: now}}
			show := &importPage{Page: p, Stalled: !x.full}
			show.Path = "/admin/imports/" + id.String()
			if x.full {
				i.FileID, i.FileName, i.BasisPurpose, i.Campaign, i.ErrorFileID = &other, "spring <list>.csv", "updates", "Twenty visits", &other
				i.BasisText, i.BasisSource = "Yes & please", "At the <market>"
				i.Counts = imports.Counts{Rows: 700, New: 600, Updated: 10, Unchanged: 5, Suppressed: 5, Skipped: 80, Consents: 590, Held: 20}
				show.Head = imports.Head{
					Columns: []string{"E-Mail", "Name"}, Delimiter: ';', Encoding: "Windows-1252", Twice: []string{"Name"},
					First: []imports.Row{{Line: 2, Cells: []string{"june@example.org", strings.Repeat("J", 90)}}, {Line: 3, Cells: []string{"x"}, Bad: &reason}},
				}
				show.offer([]models.CustomField{{ID: other, Label: "Shirt <size>"}}, x.dry)
				i.Tag, show.Head.Left = "Spring & fair", []string{"picture.png"}
				show.Campaigns = []web.Option{{Value: "", Label: "-"}}
				show.Form.set(imports.Mapping{0: imports.Email}, 2)
				show.Form.Basis = "updates"
				if x.state == models.ImportUploaded {
					show.Errors = []web.FieldError{{Name: "columns", Text: "Say which."}, {Name: "basis", Text: "Choose."}, {Name: "words", Text: "Write."}}
				}
			} else if x.dry {
				i.FileID, i.Gone = &other, true
			}
			show.Import = i
			list := &importsPage{Page: p, Rows: []imports.Import{i}, Next: "abc"}
			if !x.full {
				list.Rows, list.Next, list.Errors = nil, "", []web.FieldError{{Name: "file", Text: "Choose a file."}}
			}
			return map[string]any{"admin/imports/list": list, "admin/imports/show": show}
		})
	}
}

// counter is the pages about people over real services, with real jobs.
type counter struct {
	t    *testing.T
	app  *fiber.App
	done <-chan *river.Event
}

func newCounter(t *testing.T, db *database.DB) *counter {
	t.Helper()
	clk, v := clock.NewFixed(webtest.Time), vault.New(vault.NewKey())
	folder, err := files.NewFolder(filepath.Join(t.TempDir(), "files"))
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	w, err := web.New(web.Options{
		BaseURL: "https://act.example.org", Secret: []byte(strings.Repeat("k", 32)), Clock: clk, Logger: quiet,
		Authenticate: func(_ context.Context, cookie string) (actor.Actor, string, error) {
			if cookie == "" {
				return actor.Actor{}, "", fault.New(fault.Unauthenticated, "error.login_needed")
			}
			return actor.Actor{Kind: actor.User, UserID: uuid.MustParse("0190a000-0000-7000-8000-000000000001"), Role: actor.Role(cookie)}, "Ilse", nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	var client *jobs.Client
	store := files.New(db, v, clk, folder)
	pets := petitions.New(db, v, clk, tokens.New(v), store, petitions.Options{})
	svc := imports.New(imports.Options{
		DB: db, Vault: v, Clock: clk, Files: store, Petitions: pets, Words: w.Text,
		Enqueue: func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error { return client.Enqueue(ctx, tx, args) },
	})
	workers := river.NewWorkers()
	svc.AddWorkers(workers)
	if client, err = jobs.New(db, jobs.Options{Workers: workers, Log: quiet, Poll: 100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	done, stop := client.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed, river.EventKindJobCancelled)
	t.Cleanup(stop)
	if err := client.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := client.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	app := web.NewFiber(w)
	MountSupporters(app, w, supporters.New(db, v, clk))
	MountImports(app, w, svc, campaigns.New(db, clk), pets, clk)
	t.Cleanup(func() {
		if m := w.Missed(); len(m) > 0 {
			t.Errorf("words are missing: %v", m)
		}
	})
	return &counter{t, app, done}
}

// send asks as somebody with a role, "" for nobody, and returns status, where it leads, and the body.
func (c *counter) send(role, method, path, kind string, body io.Reader) (int, string, string) {
	c.t.Helper()
	r := httptest.NewRequest(method, path, body)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if role != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-kithline", Value: role})
	}
	resp, err := c.app.Test(r, 20_000)
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err := resp.Body.Close(); err != nil {
		c.t.Fatal(err)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Location"), string(b)
}

func (c *counter) get(path string) (int, string) {
	c.t.Helper()
	status, _, body := c.send("organizer", "GET", path, "", nil)
	if status == 200 {
		for _, p := range webtest.Problems(body) {
			c.t.Errorf("%s: %s", path, p)
		}
	}
	return status, body
}

func (c *counter) post(path string, pairs ...string) (int, string, string) {
	c.t.Helper()
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return c.send("organizer", "POST", path, "application/x-www-form-urlencoded", strings.NewReader(v.Encode()))
}

func (c *counter) upload(role, name, content string) (int, string, string) {
	c.t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	f, err := m.CreateFormFile("file", name)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := io.WriteString(f, content); err != nil {
		c.t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		c.t.Fatal(err)
	}
	return c.send(role, "POST", "/admin/imports", m.FormDataContentType(), &b)
}

// wait waits for the next job to end.
func (c *counter) wait() {
	c.t.Helper()
	select {
	case e := <-c.done:
		if e.Kind != river.EventKindJobCompleted {
			c.t.Fatalf("a job ended as %s: %v", e.Kind, e.Job.Errors)
		}
	case <-time.After(30 * time.Second):
		c.t.Fatal("no job ended")
	}
}

func (c *counter) want(body string, parts ...string) {
	c.t.Helper()
	for _, p := range parts {
		if !strings.Contains(body, p) {
			c.t.Errorf("no %q in\n%s", p, body)
		}
	}
}

func TestAListFromUploadToPeople(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		c := newCounter(t, db)
		var file strings.Builder
		file.WriteString("Mail;Given;Family;Shoe\n")
		for i := range 1200 {
			fmt.Fprintf(&file, "person%d@example.org;Ann%d;Lee;\n", i, i)
		}
		file.WriteString("=broken;Zed;Zett;\n")
		status, at, body := c.upload("organizer", "spring.csv", file.String())
		if status != 303 || !strings.HasPrefix(at, "/admin/imports/") {
			t.Fatalf("%d %s\n%s", status, at, body)
		}
		_, body = c.get(at)
		c.want(body, "<h1>spring.csv</h1>", "1,201 rows, read as UTF-8, cells parted by semicolons.", "<td>person0@example.org</td>", `<option value="email" selected>E-mail address</option>`, "Left out, and not kept: Shoe.")
		for _, name := range []string{`id="column-1"`, `id="tag"`, `id="basis"`, `id="words"`} {
			c.want(body, name)
		}

		status, _, body = c.post(at+"/check", "column", "-", "column", "given_name", "basis", "newsletter")
		if status != 422 {
			t.Errorf("a check without a column: %d", status)
		}
		c.want(body, "Say which column holds the e-mail address.", `<option value="given_name" selected>Given name</option>`)
		status, _, body = c.post(at+"/check", "column", "email", "column", "given_name", "basis", "newsletter", "words", "Yes <please>")
		if status != 422 || strings.Contains(body, "Yes <please>") {
			t.Errorf("a check without a source: %d", status)
		}
		c.want(body, "Write where and when they agreed", "Yes &lt;please&gt;")
		if status, _, _ = c.post(at+"/check", "column", "email"); status != 422 {
			t.Errorf("a check that does not say on what ground: %d", status)
		}
		if status, _, _ = c.post(at + "/start"); status != 409 {
			t.Errorf("an import that was not checked: %d", status)
		}

		ok := []string{"column", "email", "column", "given_name", "column", "family_name", "tag", "Spring", "basis", "newsletter", "words", "Yes, please.", "source", "Spring meeting"}
		if status, _, body = c.post(at+"/check", ok...); status != 303 {
			t.Fatalf("%d\n%s", status, body)
		}
		c.wait()
		_, body = c.get(at)
		c.want(body, "Checked. Nothing was written yet.", "Import 1,200 rows now", "1 row was not taken.", "Yes, please.")
		if _, body = c.get("/admin/supporters"); !strings.Contains(body, "Nobody is here yet.") {
			t.Error("a check wrote people")
		}

		if status, _, _ = c.post(at + "/start"); status != 303 {
			t.Fatalf("start: %d", status)
		}
		c.wait()
		_, body = c.get(at)
		c.want(body, "The list is imported.", "<dd>1,200</dd>")
		if status, _, _ = c.post(at + "/start"); status != 409 {
			t.Errorf("started twice: %d", status)
		}
		if status, _ = c.get(at + "/progress"); status != 303 {
			t.Errorf("progress without htmx: %d", status)
		}
		r := httptest.NewRequest("GET", at+"/progress", nil)
		r.Header.Set("HX-Request", "true")
		r.AddCookie(&http.Cookie{Name: "__Host-kithline", Value: "organizer"})
		if resp, err := c.app.Test(r, 20_000); err != nil || resp.StatusCode != 200 || resp.Header.Get("HX-Refresh") != "true" {
			t.Errorf("progress once it is done: %v, %v", resp, err)
		}
		status, _, body = c.send("organizer", "GET", at+"/errors.csv", "", nil)
		if status != 200 || body != "Mail,Given,Family,Shoe,line,reason\n'=broken,Zed,Zett,,1202,This is not an e-mail address.\n" {
			t.Errorf("%d %q", status, body)
		}
		_, body = c.get("/admin/imports")
		c.want(body, "spring.csv", "Imported")

		// The people, page by page, and one of them by address.
		_, body = c.get("/admin/supporters")
		c.want(body, "1,200 people", "Newsletter", "@example.org", "after=")
		if n := strings.Count(body, "<tr>"); n != 51 {
			t.Errorf("%d rows on the first page", n)
		}
		status, at, _ = c.post("/admin/supporters/find", "q", " Person7@Example.org")
		if status != 303 {
			t.Fatalf("find: %d", status)
		}
		_, body = c.get(at)
		c.want(body, "Ann7 Lee", "person7@example.org", "Yes, please.", "Spring meeting", "Not confirmed by mail yet", "Spring")
		for _, path := range []string{"/admin/supporters/" + uuid.NewString(), "/admin/supporters/x", "/admin/imports/" + uuid.NewString(), "/admin/imports/x", "/admin/imports/x/errors.csv"} {
			if status, _ := c.get(path); status != 404 {
				t.Errorf("%s: %d", path, status)
			}
		}
	})
}

func TestWhoMaySeePeople(t *testing.T) {
	c := newCounter(t, testdb.SQLite(t))
	for _, x := range []struct {
		role, path string
		status     int
	}{
		{"", "/admin/supporters", 303},
		{"", "/admin/imports", 303},
		{"viewer", "/admin/supporters", 403},
		{"advocate", "/admin/supporters", 403},
		{"coordinator", "/admin/supporters", 200},
		{"coordinator", "/admin/imports", 403},
		{"owner", "/admin/imports", 200},
		{"organizer", "/admin/supporters", 200},
	} {
		if status, _, _ := c.send(x.role, "GET", x.path, "", nil); status != x.status {
			t.Errorf("%s as %q: %d, want %d", x.path, x.role, status, x.status)
		}
	}
	if status, _, _ := c.upload("coordinator", "x.csv", "email\na@example.org\n"); status != 403 {
		t.Errorf("an upload without the right: %d", status)
	}
	status, _, body := c.upload("organizer", "people.xlsx", "PK\x03\x04 and so on")
	if status != 422 {
		t.Errorf("a damaged workbook: %d", status)
	}
	c.want(body, "This file is damaged", `<a href="#file">`)
	if status, _, _ := c.send("organizer", "POST", "/admin/imports", "text/plain", strings.NewReader("email\n")); status != 422 {
		t.Errorf("no form: %d", status)
	}
}
