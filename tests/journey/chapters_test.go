package journey

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/users"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// mark stands in every text of another chapter.
const mark = "wombatseven"

// belongs says by which column a row is another chapter's: its own chapter, or the person whose it is. A table with one of these
// columns that stands neither here nor in everybodys fails the test.
var belongs = map[string]string{
	"supporters": "chapter_id", "imports": "chapter_id", "segments": "chapter_id", "exports": "chapter_id", "forms": "chapter_id", "mailings": "chapter_id", "series": "chapter_id", "files": "chapter_id",
	"mail_templates": "chapter_id", "mail_pictures": "chapter_id", "volunteers": "chapter_id", "rosters": "chapter_id", "events": "chapter_id",
	"phones": "supporter_id", "taggings": "supporter_id", "field_values": "supporter_id", "notes": "supporter_id", "supporter_divisions": "supporter_id", "merges": "supporter_id",
	"segment_members": "supporter_id", "series_people": "supporter_id", "mailboxes": "supporter_id", "signatures": "mailbox_id", "submissions": "mailbox_id", "consents": "mailbox_id", "deliveries": "mailbox_id",
}

// everybodys are accounts and invitations: those who manage users see them, and nobody of a chapter does.
var everybodys = []string{"users", "invitations"}

// words are columns whose texts come from a short list or are read by the program: what somebody typed is never in them.
var words = map[string][]string{
	"supporters": {"country", "locale", "time_zone", "frequency", "source"},
	"imports":    {"state", "mapping", "basis_purpose", "locale", "message", "source"},
	"segments":   {"rule"}, "exports": {"kind", "format", "purpose", "columns", "state", "message"},
	"forms":    {"state", "locale", "questions", "consents", "tags", "slug", "embed_hosts"},
	"mailings": {"purpose", "locale", "state", "paused_reason", "format", "variants"}, "mail_templates": {"content"}, "files": {"kind", "content_type", "sha256", "store_key", "state", "key_id"},
	"series": {"purpose", "locale", "trigger_kind", "trigger_date", "state"}, "series_people": {"state", "reason", "done"},
	"volunteers":          {"state", "likes", "skills", "languages", "trainings", "hours", "modes", "country", "locale", "time_zone", "ask_by", "source"},
	"rosters":             {"slug", "state", "locale", "time_zone", "copied_from"},
	"events":              {"slug", "state", "kind", "locale", "time_zone", "starts_on", "recurrence", "venue", "country", "access", "types"},
	"supporter_divisions": {"kind", "how"}, "mailboxes": {"domain", "suppressed_reason"},
	// A name and a comment that somebody chose to show are shown to everybody.
	// The source is a word of the link, which the figures of a petition count for everybody who works here.
	"signatures":  {"state", "display", "display_name", "comment_state", "comment_shown", "locale", "source"},
	"submissions": {"state", "consents", "locale"}, "consents": {"purpose", "locale", "source", "how", "withdrawn_how"}, // rows that the database lets nobody change
	"deliveries": {"kind", "purpose", "dedupe_key", "state", "on_unknown", "node"},
}

// isID reports whether a column leads to another row.
func isID(column string) bool {
	return column == "id" || strings.HasSuffix(column, "_id") || strings.HasSuffix(column, "_by")
}

// textColumns are the columns of a table that hold texts, by the database itself.
func textColumns(t *testing.T, a *testapp.App, table string) []string {
	t.Helper()
	q := `SELECT name FROM pragma_table_info(?) WHERE lower(type) = 'text'`
	if a.DB.Postgres() {
		q = `SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ? AND data_type = 'text'`
	}
	var out []string
	if err := a.DB.Raw(q, table).Scan(&out).Error; err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(out, isID)
}

// where narrows a table to the rows of the other chapter.
func where(table string, theirs uuid.UUID) (string, []any) {
	people := "SELECT id FROM supporters WHERE chapter_id = ?"
	switch belongs[table] {
	case "chapter_id":
		return "chapter_id = ?", []any{theirs}
	case "supporter_id":
		return "supporter_id IN (" + people + ")", []any{theirs}
	}
	return "mailbox_id IN (SELECT id FROM mailboxes WHERE supporter_id IN (" + people + "))", []any{theirs}
}

// plant puts the mark into every text and every sealed text of the other chapter's rows, and returns in which columns.
func plant(t *testing.T, a *testapp.App, theirs uuid.UUID) (planted []string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	sealed := models.SealedColumns()
	for table := range belongs {
		cond, args := where(table, theirs)
		for _, column := range textColumns(t, a, table) {
			if slices.Contains(words[table], column) {
				continue
			}
			r := a.DB.Exec("UPDATE "+table+" SET "+column+" = ? WHERE "+cond, append([]any{mark + " " + table + " " + column}, args...)...)
			must(r.Error)
			if r.RowsAffected > 0 {
				planted = append(planted, table+"."+column)
			}
		}
		for _, column := range sealed[table] {
			if column == "address_sealed" || column == "answers_sealed" || column == "before_sealed" || column == "phone_sealed" {
				continue // an address is one already; the others are read as what they are
			}
			key := models.SealKey(table)
			var found []map[string]any
			must(a.DB.Table(table).Select(key).Where(cond, args...).Find(&found).Error)
			for _, row := range found {
				var place []byte
				test, values := make([]string, len(key)), make([]any, len(key))
				for i, k := range key {
					var id uuid.UUID
					must(id.Scan(fmt.Sprint(row[k])))
					place, test[i], values[i] = append(place, id[:]...), k+" = ?", id
				}
				text := mark + "-" + table + "-" + column
				must(a.DB.Exec("UPDATE "+table+" SET "+column+" = ? WHERE "+strings.Join(test, " AND "), append([]any{a.Vault.SealBytes(table, column, place, []byte(text))}, values...)...).Error)
			}
			if len(found) > 0 {
				planted = append(planted, table+"."+column)
			}
		}
	}
	return planted
}

// theirRows is what the rows of the other chapter hold, as hashes.
func theirRows(t *testing.T, a *testapp.App, theirs uuid.UUID) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for table := range belongs {
		cond, args := where(table, theirs)
		var all []map[string]any
		if err := a.DB.Table(table).Where(cond, args...).Find(&all).Error; err != nil {
			t.Fatal(err)
		}
		for _, row := range all {
			out[table] = append(out[table], fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%v", row))))
		}
		slices.Sort(out[table])
	}
	return out
}

// Everything that a route can lead to is another chapter's, with the mark in every text. Whoever belongs to a chapter tries every
// route: no answer may hold the mark, and no row of the other chapter may change.
func TestNothingOfAnotherChapterShows(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx, owner := context.Background(), factory.Owner(t, a)
		w := newWorld(t, a)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		save := func(name string) uuid.UUID {
			t.Helper()
			id, err := a.Chapters.Save(ctx, owner, uuid.Nil, chapters.Input{Name: name})
			must(err)
			return id
		}
		ours, theirs := save("Our chapter"), save("Their chapter")
		w.ids["/admin/chapters/:id"] = []string{theirs.String()}
		for table, column := range belongs {
			if column == "chapter_id" {
				must(a.DB.Exec("UPDATE "+table+" SET chapter_id = ?", theirs).Error)
			}
		}
		for table, columns := range tablesOf(t, a) {
			if slices.ContainsFunc(columns, func(c string) bool { return c == "chapter_id" || c == "supporter_id" }) && belongs[table] == "" && !slices.Contains(everybodys, table) {
				t.Errorf("%s leads to people or to a chapter: say in belongs how", table)
			}
		}
		planted := plant(t, a, theirs)
		for _, want := range []string{"supporters.given_name_sealed", "notes.body_sealed", "signatures.comment_sealed", "segments.name", "forms.title", "mailings.subject", "series.name", "files.name_sealed"} {
			if !slices.Contains(planted, want) {
				t.Errorf("no mark in %s", want)
			}
		}
		must(a.DB.Exec("UPDATE supporters SET updated_at = ?", a.Clock.Add(time.Second)).Error) // so that the search by name reads them anew

		clients := map[string]*testapp.Client{}
		for _, role := range []actor.Role{actor.Organizer, actor.Coordinator, actor.Advocate, actor.Viewer} {
			id, err := a.Users.Add(ctx, actor.TheSystem(), users.NewUser{Name: "Ours", Email: string(role) + "@ours.example", Role: role, ChapterID: ours})
			must(err)
			clients[string(role)] = signIn(t, a, id)
		}
		// The mark is real: who works for the whole organisation sees it.
		seen := 0
		for _, route := range routes(t, a, http.MethodGet) {
			for _, path := range w.paths(t, route) {
				if strings.Contains(string(w.clients["owner"].Get(path).Body), mark) {
					seen++
				}
			}
		}
		if seen < 10 {
			t.Errorf("the owner sees the mark on %d pages only: it is no canary", seen)
		}

		before := theirRows(t, a, theirs)
		leaks := func(who, method, path string, p *testapp.Page, typed url.Values) {
			t.Helper()
			body := string(p.Body)
			for _, c := range []string{mark + " ", mark + "-", canaryEmail} {
				if c == typed.Get("email") { // a form keeps what was typed into it
					continue
				}
				if i := strings.Index(body, c); i >= 0 {
					t.Errorf("%s: %s %s (%d) shows %q", who, method, path, p.Status, body[max(0, i-60):min(len(body), i+80)])
				}
			}
			if p.Status >= 500 {
				t.Errorf("%s: %s %s answered %d", who, method, path, p.Status)
			}
		}
		for who, c := range clients {
			for _, route := range routes(t, a, http.MethodGet) {
				if !strings.HasPrefix(route, "/admin") {
					continue // public pages show everybody the same: a form that is open, a petition
				}
				for _, path := range w.paths(t, route) {
					leaks(who, "GET", path, c.Get(path), nil)
				}
			}
			for _, route := range routes(t, a, http.MethodPost) {
				if !strings.HasPrefix(route, "/admin") || route == "/admin/logout" || strings.HasPrefix(route, "/admin/login") || strings.HasPrefix(route, "/admin/account") {
					continue
				}
				for _, path := range w.paths(t, route) {
					for _, values := range guesses(w) {
						leaks(who, "POST", path, c.Post(path, values), values)
					}
				}
			}
			for table, now := range theirRows(t, a, theirs) {
				if !slices.Equal(before[table], now) {
					t.Errorf("%s changed %s of the other chapter: %d rows, then %d", who, table, len(before[table]), len(now))
					before[table] = now
				}
			}
		}
	})
}

// guesses are forms that ask for other people by all that a page could be asked by.
func guesses(w *world) []url.Values {
	out := []url.Values{form}
	for _, q := range []string{canaryEmail, mark, canaryGiven, "+1 555 0142"} {
		v := url.Values{}
		for k := range form {
			v[k] = form[k]
		}
		v.Set("q", q)
		v.Set("query", q)
		v.Set("email", q)
		v.Set("segment", w.ids["/admin/segments/:id"][0])
		v.Set("supporter", w.ids["/admin/supporters/:id"][0])
		out = append(out, v)
	}
	return out
}

// tablesOf lists the columns of every table of the program's own.
func tablesOf(t *testing.T, a *testapp.App) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for table, columns := range models.NotPersonal {
		out[table] = append(out[table], columns...)
	}
	for _, p := range models.PersonalColumns {
		out[p.Table] = append(out[p.Table], p.Column)
	}
	return out
}
