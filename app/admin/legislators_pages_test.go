package admin

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"mime/multipart"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/jobs"
	"kithline/campaigns/legislators"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// Every page about legislators runs in every language and in every state.
func TestPagesOfLegislators(t *testing.T) {
	now := webtest.Time
	chamber := models.Chamber{ID: uuid.New(), Name: "Vermont <Senate>", MemberTitle: "Senator"}
	other := models.Chamber{ID: uuid.New(), Name: "Vermont House"}
	one := models.Legislator{ID: uuid.New(), Name: "Núria & Co", Source: "openstates", Salutation: "Dear Senator"}
	office := models.Office{ID: uuid.New(), Kind: "capitol", Name: "Room 1", Street: "115 State St.", City: "Montpelier", Region: "VT", PostalCode: "05633", Phone: "802", Fax: "803", Hours: "9 to 5"}
	term := models.Term{ID: uuid.New(), District: "Chittenden-17", Party: "Progressive", SeatRank: "junior", ValidFrom: "2025-01-03", ValidThrough: "2027-01-03", OCDID: "ocd-division/country:us/state:vt"}
	over := term
	over.ID, over.EndedAt, over.EndedByHand = uuid.New(), &now, true
	for _, state := range []models.LegislatorImportState{models.ImportChecking, models.ImportChecked, models.ImportApplying, models.ImportApplied, models.ImportRefused, models.ImportDropped} {
		for _, full := range []bool{false, true} {
			webtest.All(t, "admin/legislators/", func(_ *web.Web, p web.Page) map[string]any {
				base := legislatorBase{p}
				list := legislatorsPage{legislatorBase: base, Bodies: []web.Option{{Label: "All"}}, Parties: []web.Option{{Label: "All"}}}
				add := newLegislatorPage{legislatorBase: base, Bodies: []web.Option{{Label: "Another"}}}
				show := legislatorPage{legislatorBase: base, Person: legislators.Person{Legislator: one}}
				read := legislatorImportPage{legislatorBase: base, Import: legislators.Imported{LegislatorImport: models.LegislatorImport{ID: uuid.New(), Kind: models.SourceCSV, State: state}}}
				before := legislatorImportsPage{legislatorBase: base, Kind: models.SourceCSV}
				if state == models.ImportRefused {
					read.Import.Why = legislators.Message{Key: "error.legislators_yaml", Args: []any{"File", "x.yml", "Line", 3}}
				}
				if full {
					list.Form, list.Next = legislatorForm{Left: state == models.ImportChecked, Name: "x"}, "abc"
					list.Bodies = bodyOptions([]legislators.Body{{Jurisdiction: models.Jurisdiction{ID: uuid.New(), Name: "Vermont"}, Chambers: []models.Chamber{chamber, other}}}, false)
					list.Parties = append(list.Parties, web.Option{Value: "a", Label: "a"}, web.Option{Value: "b", Label: "b"})
					list.Rows = []legislators.Row{{Legislator: one, Term: term, Chamber: chamber, First: models.Channel{Kind: models.ChannelEmail, BouncedAt: &now}}, {Legislator: one}}
					add.Errors = []web.FieldError{{Name: "name", Text: "Write a name."}, {Name: "form", Text: "No."}}
					show.Person.Seats = []legislators.Seat{{Term: term, Chamber: chamber, Sits: true}, {Term: over, Chamber: other}}
					show.Person.Offices = []models.Office{office, {ID: uuid.New(), Kind: "district"}}
					for _, k := range []models.ChannelKind{models.ChannelEmail, models.ChannelWebForm, models.ChannelPost, models.ChannelPhone} {
						show.Person.Channels = append(show.Person.Channels, models.Channel{ID: uuid.New(), OfficeID: &office.ID, Kind: k, Value: "https://example.org/", BouncedAt: &now})
					}
					show.Person.Committees = []legislators.OnCommittee{{Name: "Health", Title: "Chair"}, {Name: "Budget"}}
					for _, k := range legislators.ChangeKinds {
						show.Person.History = append(show.Person.History, models.LegislatorChange{Kind: k, BeforeText: "a", AfterText: "<b>", CreatedAt: now})
						read.Import.Result.Changes = append(read.Import.Result.Changes, legislators.Change{Kind: k, Name: "A", Before: "a", After: "b"})
					}
					met := uuid.New()
					show.Person.Said = []legislators.Said{
						{Position: models.Position{LetterCampaignID: met, Stance: "support", SaidOn: "2027-02-01", SourceTitle: "Hearing <1>", SourceURL: "https://example.org/"}, Campaign: "Twenty <visits>"},
						{Position: models.Position{LetterCampaignID: met, Stance: "yes", SaidOn: "2027-02-01", Note: "Vote <yes>?", MeetingID: &met}, Campaign: "Twenty <visits>", RosterID: &met},
					}
					show.Near = state == models.ImportChecked
					show.Errors = []web.FieldError{{Name: "value", Text: "No."}}
					read.Import.Version = "x 2026-06-20"
					read.Import.Result.Counts, read.Import.Result.Refused = map[string]int{"joined": 2000, "left": 7, "party": 1}, true
					read.Import.Result.Notes = []legislators.Note{{Key: "legislators.note_other_kind", Name: "Senate", Value: "congress"}, {Key: "legislators.note_over", Name: "A", Value: "2026-01-01"}}
					before.Kind, before.Next = models.SourceCongress, "abc"
					before.Errors = []web.FieldError{{Name: "file", Text: "Choose a file."}}
					applied := read.Import
					applied.Summary, applied.Name = "{}", "congress.zip"
					before.Rows = []legislators.Imported{read.Import, applied}
				}
				return map[string]any{
					"admin/legislators/list": &list, "admin/legislators/new": &add, "admin/legislators/show": &show, "admin/legislators/import": &read, "admin/legislators/imports": &before,
				}
			})
		}
	}
}

// newBench is the pages about legislators over real services, with real jobs.
func newBench(t *testing.T, db *database.DB) *counter {
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
	svc := legislators.New(legislators.Options{
		DB: db, Clock: clk, Files: files.New(db, v, clk, folder),
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
	MountLegislators(app, w, svc)
	t.Cleanup(func() {
		if m := w.Missed(); len(m) > 0 {
			t.Errorf("words are missing: %v", m)
		}
	})
	return &counter{t, app, done}
}

func (c *counter) uploadTo(role, path, name, content string) (int, string, string) {
	c.t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	f, err := m.CreateFormFile("file", name)
	if err == nil {
		_, err = io.WriteString(f, content)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		c.t.Fatal(err)
	}
	return c.send(role, "POST", path, m.FormDataContentType(), &b)
}

// ended waits for the next job to end, whatever became of it.
func (c *counter) ended() {
	c.t.Helper()
	select {
	case <-c.done:
	case <-time.After(30 * time.Second):
		c.t.Fatal("no job ended")
	}
}

func TestLegislatorsOnPages(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		c := newBench(t, db)
		const at = "/admin/legislators"
		_, body := c.get(at)
		c.want(body, "Nobody is here yet.")
		_, body = c.get(at + "/imports")
		c.want(body, "A council, a company, a ministry", "<code>jurisdiction</code>")

		states, err := os.ReadFile("../../campaigns/legislators/testdata/states.zip")
		if err != nil {
			t.Fatal(err)
		}
		status, page, body := c.uploadTo("organizer", at+"/imports/new/openstates", "states.zip", string(states))
		if status != 303 || !strings.HasPrefix(page, at+"/imports/") {
			t.Fatalf("%d %s\n%s", status, page, body)
		}
		c.wait()
		_, body = c.get(page)
		c.want(body, "Nothing is changed yet.", "<dt>Joined</dt><dd>399</dd>", "Apply these changes", "What would change", "Vermont House of Representatives Addison-1")
		var n int64
		if db.Table("legislators").Count(&n); n != 0 {
			t.Fatalf("looking at a file wrote %d people", n)
		}
		if status, _, _ := c.send("viewer", "POST", page+"/apply", "application/x-www-form-urlencoded", nil); status != 403 {
			t.Errorf("a viewer applies: %d", status)
		}
		if status, to, _ := c.post(page + "/apply"); status != 303 || to != page {
			t.Errorf("%d %s", status, to)
		}
		c.wait()
		_, body = c.get(page)
		c.want(body, "Applied.", "<dt>Joined</dt><dd>399</dd>", "What changed")
		if status, _, _ := c.post(page + "/apply"); status != 409 {
			t.Errorf("applied twice: %d", status)
		}
		if db.Table("legislators").Count(&n); n != 399 {
			t.Errorf("%d people", n)
		}

		// Lists, narrowed by the address.
		_, body = c.get(at)
		c.want(body, "Those who sit", "Next")
		_, body = c.get(at + "?name=kauth")
		c.want(body, "Kathleen Kauth", "Nebraska Legislature", "Nonpartisan")
		var senate models.Chamber
		if err := db.Where("name = 'Vermont Senate'").Take(&senate).Error; err != nil {
			t.Fatal(err)
		}
		_, body = c.get(at + "?body=c-" + senate.ID.String() + "&party=Republican")
		if strings.Contains(body, "Phil Baruth") || !strings.Contains(body, "Vermont Senate</td>") {
			t.Error("the list is not narrowed to a chamber and a party")
		}
		_, body = c.get(at + "?name=%25&left=on")
		c.want(body, "Nobody is like that.")
		if status, _ := c.get(at + "?after=x"); status != 422 {
			t.Errorf("a page that is none: %d", status)
		}

		// One person: channels, greeting, the end of a term.
		var kauth models.Legislator
		if err := db.Where("name = 'Kathleen Kauth'").Take(&kauth).Error; err != nil {
			t.Fatal(err)
		}
		person := at + "/" + kauth.ID.String()
		_, body = c.get(person)
		c.want(body, "<h1>Kathleen Kauth</h1>", "in office", "End this term", "Joined", "ocd-division/country:us/state:ne/sldu:31")
		status, _, body = c.post(person+"/channels", "kind", "email", "value", "nonsense")
		if status != 422 || !strings.Contains(body, `value="nonsense"`) {
			t.Errorf("a bad address: %d", status)
		}
		for _, x := range [][]string{{"/channels", "kind", "webform", "value", "https://kauth.example.org/write"}, {"/salutation", "salutation", "Dear Senator Kauth"}} {
			if status, to, _ := c.post(person+x[0], x[1:]...); status != 303 || to != person {
				t.Errorf("%v: %d %s", x, status, to)
			}
		}
		var ways []models.Channel
		if err := db.Where("legislator_id = ?", kauth.ID).Order("position, id").Find(&ways).Error; err != nil {
			t.Fatal(err)
		}
		last := ways[len(ways)-1]
		if last.Value != "https://kauth.example.org/write" || last.Source != "hand" {
			t.Fatalf("%+v", ways)
		}
		for range len(ways) - 1 {
			if status, _, _ := c.post(person+"/channels/"+last.ID.String(), "do", "up"); status != 303 {
				t.Fatal(status)
			}
		}
		bounced := webtest.Time.Add(-time.Hour)
		if err := db.Model(&models.Channel{}).Where("id = ?", ways[0].ID).Update("bounced_at", bounced).Error; err != nil {
			t.Fatal(err)
		}
		_, body = c.get(person)
		c.want(body, "Try it again", "came back")
		for _, do := range []string{"trust", "remove"} {
			if status, _, _ := c.post(person+"/channels/"+ways[0].ID.String(), "do", do); status != 303 {
				t.Error(do, status)
			}
		}
		if status, _, _ := c.post(person+"/channels/"+ways[0].ID.String(), "do", "trust"); status != 404 {
			t.Errorf("what was removed is there: %d", status)
		}
		// The same file again: the order, what was removed and what was added by hand stay.
		_, page, _ = c.uploadTo("organizer", at+"/imports/new/openstates", "states.zip", string(states))
		c.wait()
		_, body = c.get(page)
		c.want(body, "Nothing is different.")
		m, err := legislators.Sitting(context.Background(), db.DB, kauth.ID, webtest.Time)
		if err != nil || m.Channels[0].ID != last.ID || m.Salutation != "Dear Senator Kauth" {
			t.Errorf("%+v, %v", m.Channels, err)
		}
		for _, w := range m.Channels {
			if w.ID == ways[0].ID || w.Value == ways[0].Value && w.Kind == ways[0].Kind && w.Value != "" {
				t.Errorf("%s is back", w.Value)
			}
		}
		if status, _, _ := c.send("viewer", "POST", person+"/terms/"+m.Term.ID.String()+"/end", "", nil); status != 403 {
			t.Errorf("a viewer ends a term: %d", status)
		}
		if status, _, _ := c.post(person + "/terms/" + m.Term.ID.String() + "/end"); status != 303 {
			t.Error(status)
		}
		_, body = c.get(person)
		c.want(body, "in no office today", "An organizer said so.")
		_, body = c.get(at + "?left=on")
		c.want(body, "Those who left", "Kathleen Kauth")

		// Somebody by hand.
		status, _, body = c.post(at, "name", "", "email", "x", "form", "ftp://x", "through", "soon", "division", "x")
		for _, id := range []string{`href="#name"`, `href="#jurisdiction"`, `href="#email"`, `href="#form"`, `href="#through"`, `href="#division"`} {
			c.want(body, id)
		}
		if status != 422 {
			t.Error(status)
		}
		status, person, _ = c.post(at, "name", "Bo Lind", "title", "Mayor", "jurisdiction", "Portsend", "chamber", "City Hall", "email", "mayor@example.org", "phone", "555 0100", "street", "1 Quay")
		if status != 303 {
			t.Fatal(status)
		}
		_, body = c.get(person)
		c.want(body, "Bo Lind", "Mayor", "City Hall", "mayor@example.org", "1 Quay")

		// A broken file is told with its name and line, and given up.
		_, page, _ = c.uploadTo("organizer", at+"/imports/new/csv", "council.csv", "name,jurisdiction,end\nA,B,soon\n")
		c.ended()
		_, body = c.get(page)
		c.want(body, "council.csv, line 2, end: soon is no day")
		if status, _, _ := c.post(page + "/drop"); status != 303 {
			t.Error(status)
		}
		// Too many leave: a box has to be ticked.
		council := "id,name,jurisdiction\n1,A One,Hill\n2,B Two,Hill\n3,C Three,Hill\n4,D Four,Hill\n"
		for _, list := range []string{council, council[:strings.Index(council, "2,")]} {
			_, page, _ = c.uploadTo("organizer", at+"/imports/new/csv", "council.csv", list)
			c.wait()
			if list == council {
				c.post(page + "/apply")
				c.wait()
			}
		}
		_, body = c.get(page)
		c.want(body, "Many would leave", "Yes, so many leave")
		status, _, body = c.post(page + "/apply")
		if status != 422 || !strings.Contains(body, `href="#allow"`) {
			t.Errorf("without the tick: %d", status)
		}
		if status, _, _ := c.post(page+"/apply", "allow", "on"); status != 303 {
			t.Error(status)
		}
		c.wait()
		_, body = c.get(page)
		c.want(body, "<dt>Left</dt><dd>3</dd>")
		_, body = c.get(at + "/imports")
		c.want(body, "council.csv", "given up", "applied")
		if status, _, _ := c.uploadTo("viewer", at+"/imports/new/csv", "x.csv", council); status != 403 {
			t.Errorf("a viewer uploads: %d", status)
		}
		if status, _, _ := c.send("", "GET", at, "", nil); status != 303 && status != 302 {
			t.Errorf("a stranger: %d", status)
		}
		if db.Table("audit_entries").Where("action LIKE 'legislator%'").Count(&n); n < 15 {
			t.Errorf("%d entries in the audit log", n)
		}
	})
}
