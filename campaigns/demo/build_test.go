package demo

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/duplicates"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/paging"
	"kithline/campaigns/petitions"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// end is when the worlds of these tests end: a Tuesday morning.
var end = time.Date(2027, 2, 23, 16, 42, 7, 0, time.UTC)

// build makes a world as the command does.
func build(t *testing.T, url string, w World) made { t.Helper(); return buildAt(t, url, w, end) }

func buildAt(t *testing.T, url string, w World, end time.Time) made {
	t.Helper()
	ctx := context.Background()
	db, err := database.Open(ctx, database.Options{URL: url, Connections: 4, Building: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	clk := clock.NewFixed(end.AddDate(0, 0, -60))
	m := services(t, db, clk)
	t.Cleanup(m.Petitions.Close)
	told := 0
	if err := Build(ctx, m.Services, w, clk, end, func(done, total int) { told = done * 100 / total }); err != nil {
		t.Fatal(err)
	}
	if told != 100 {
		t.Errorf("progress ended at %d %%", told)
	}
	if !clk.Now().Equal(end) {
		t.Errorf("the clock stands at %v", clk.Now())
	}
	return m
}

func sampleWorld(t *testing.T) World {
	t.Helper()
	w, err := Sample()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (m made) count(t *testing.T, model any, where string, args ...any) int {
	t.Helper()
	var n int64
	if err := m.DB.Model(model).Where(where, args...).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return int(n)
}

func TestSampleWorld(t *testing.T) {
	testdb.EachMigratedURL(t, func(t *testing.T, url string) {
		w := sampleWorld(t)
		m := build(t, url, w)
		ctx, system := context.Background(), actor.TheSystem()

		var public []models.Petition
		if err := m.DB.Where("state = ?", models.PetitionPublished).Find(&public).Error; err != nil || len(public) != 1 {
			t.Fatal("public petitions:", len(public), err)
		}
		p := public[0]

		t.Run("counts", func(t *testing.T) {
			if p.SignatureCount != 3184 || p.PendingCount != w.Pending {
				t.Errorf("the petition counts %d confirmed and %d waiting", p.SignatureCount, p.PendingCount)
			}
			if n := m.count(t, &models.Signature{}, "state = ?", models.SignatureConfirmed); n != 3184 {
				t.Errorf("%d rows are confirmed", n)
			}
			if n := m.count(t, &models.Signature{}, "state = ? AND expires_at > ?", models.SignaturePending, end); n != w.Pending {
				t.Errorf("%d rows wait", n)
			}
			f, err := m.Petitions.Figures(ctx, p.Slug, time.UTC)
			if err != nil || f.SignatureCount != 3184 || f.Goal != 5000 {
				t.Errorf("open figures: %+v, %v", f, err)
			}
			var numbers []int
			if err := m.DB.Model(&models.Signature{}).Where("state = 'confirmed'").Order("number").Pluck("number", &numbers).Error; err != nil {
				t.Fatal(err)
			}
			for i, n := range numbers {
				if n != i+1 {
					t.Fatalf("the signature after number %d has number %d", i, n)
				}
			}
			if n := m.count(t, &models.Supporter{}, "source = 'petition'"); n != 3184 {
				t.Errorf("%d supporters came by the petition", n)
			}
		})

		t.Run("petitions", func(t *testing.T) {
			for state, want := range map[models.PetitionState]int{models.PetitionSubmitted: 2, models.PetitionReturned: 1, models.PetitionDraft: 1} {
				if n := m.count(t, &models.Petition{}, "state = ?", state); n != want {
					t.Errorf("%d petitions are %s", n, state)
				}
			}
			// One of those that wait was begun without an account, and is near its hour.
			queue, err := m.Petitions.ReviewQueue(ctx, system, "", paging.Cursor{})
			if err != nil || len(queue.Rows) != 2 {
				t.Fatalf("%d in the queue, %v", len(queue.Rows), err)
			}
			first := queue.Rows[0]
			if by, err := m.Petitions.AuthorName(ctx, system, first.Petition); err != nil || first.AuthorID != nil || by != "Lena Tamsin" || first.Pace != petitions.Near {
				t.Errorf("the first in the queue is by %q, %s, %v", by, first.Pace, err)
			}
			if n := m.count(t, &models.Petition{}, "return_reason <> '' AND return_text <> ''"); n != 1 {
				t.Errorf("%d petitions came back with a reason", n)
			}
			if n := m.count(t, &models.Post{}, "petition_id = ?", p.ID); n != 3 {
				t.Errorf("%d updates", n)
			}
			v, err := m.Petitions.Public(ctx, p.Slug)
			if err != nil || !v.Open || len(v.Signers) != 12 || len(v.Comments) != 10 || len(v.Updates) != 3 {
				t.Errorf("the page shows %d signers, %d comments, %d updates: %v", len(v.Signers), len(v.Comments), len(v.Updates), err)
			}
			if age := end.Sub(v.Signers[0].At); age < 0 || age > time.Hour {
				t.Errorf("the newest signer came %v ago", age)
			}
			for _, text := range []string{p.Body, p.WhyNow, v.Updates[0].Body} {
				if strings.ContainsAny(text, "{}") {
					t.Errorf("a date is missing in %q", text)
				}
			}
		})

		t.Run("days", func(t *testing.T) {
			zone, err := time.LoadLocation("America/Chicago")
			if err != nil {
				t.Fatal(err)
			}
			r, err := m.Petitions.Report(ctx, system, p.ID, zone)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range r.Days {
				if d.Confirmed == 0 {
					t.Errorf("nobody signed on %s", d.At.Format(time.DateOnly))
				}
			}
			if best := end.Sub(r.Best().At) / (24 * time.Hour); best != 12 && best != 11 { // the mailing went out on day 30 of 42
				t.Errorf("most signed %d days ago", best)
			}
			if len(r.Sources) != 5 {
				t.Errorf("sources: %v", r.Sources)
			}
		})

		t.Run("comments", func(t *testing.T) {
			queue, waiting, err := m.Petitions.CommentQueue(ctx, system, p.ID)
			if err != nil || waiting != 10 || len(queue) != 10 {
				t.Fatalf("%d comments wait: %v", waiting, err)
			}
			for _, want := range []string{"Dr Sesay", "555-0177"} {
				found := false
				for _, c := range queue {
					found = found || strings.Contains(c.Text, want)
				}
				if !found {
					t.Errorf("no comment with %q waits", want)
				}
			}
			if n := m.count(t, &models.Signature{}, "comment_state <> ''"); n != 60 {
				t.Errorf("%d comments", n)
			}
			if n := m.count(t, &models.Signature{}, "comment_state = 'shown' AND locale = 'es'"); n != 6 {
				t.Errorf("%d comments in Spanish are shown", n)
			}
		})

		t.Run("mailings", func(t *testing.T) {
			page, err := m.Mailings.List(ctx, system, paging.Cursor{})
			if err != nil || len(page.Rows) != 3 || page.Rows[0].State != models.MailingDraft || page.Rows[1].State != models.MailingDraft ||
				page.Rows[1].Segment != "Signed, in Harrow Bay" || page.Rows[2].State != models.MailingFinished {
				t.Fatalf("%+v, %v", page.Rows, err)
			}
			sent := page.Rows[2]
			agreed := m.count(t, &models.Consent{}, "given_at < ? AND purpose = 'updates'", *sent.FrozenAt)
			if sent.Sent != agreed || sent.AudienceCount != agreed || agreed < 1000 {
				t.Errorf("sent to %d of %d, %d had agreed", sent.Sent, sent.AudienceCount, agreed)
			}
			copies := 0
			for _, mail := range m.mail.Messages() {
				if mail.Bulk {
					copies++
				}
			}
			if copies != agreed {
				t.Errorf("%d copies went out", copies)
			}
			if n := m.count(t, &models.Consent{}, "withdrawn_at IS NOT NULL"); n != left {
				t.Errorf("%d left the list", n)
			}
			if n := m.count(t, &models.Delivery{}, "state NOT IN ('sent', 'expired')"); n != 0 {
				t.Errorf("%d deliveries are under way still", n)
			}
		})

		t.Run("list", func(t *testing.T) {
			page, err := m.Imports.List(ctx, system, paging.Cursor{})
			if err != nil || len(page.Rows) != 1 {
				t.Fatal(len(page.Rows), err)
			}
			if c := page.Rows[0].Counts; c.Rows != 12 || c.New != 10 || c.Skipped != 1 || c.Suppressed != 1 || c.Consents != 10 {
				t.Errorf("%+v", c)
			}
		})

		t.Run("chapters", func(t *testing.T) { inChapters(t, m, w) })
		t.Run("districts", func(t *testing.T) { inDistricts(t, m) })
		t.Run("legislators", func(t *testing.T) { inOffice(t, m) })
		t.Run("roster", func(t *testing.T) { rosterOf(t, m) })
		t.Run("joining", func(t *testing.T) { joined(t, m, w) })
		t.Run("segments", func(t *testing.T) { segmentsCount(t, m) })

		t.Run("duplicates", func(t *testing.T) {
			page, err := m.Duplicates.List(ctx, system, paging.Cursor{})
			if err != nil || len(page.Rows) == 0 || len(page.Rows) > 3 { // some have the same name and postal code by chance
				t.Fatalf("%+v, %v", page.Rows, err)
			}
			same := 0
			for _, p := range page.Rows {
				if p.A.GivenName+p.A.FamilyName != p.B.GivenName+p.B.FamilyName || p.A.PostalArea != p.B.PostalArea {
					t.Errorf("%+v", p)
				}
				if slices.Equal(p.Rules, []duplicates.Rule{duplicates.ByName, duplicates.ByAddress}) {
					same++
				}
			}
			if same != 1 {
				t.Errorf("%d joined twice: %+v", same, page.Rows)
			}
		})

		t.Run("accounts", func(t *testing.T) {
			id, err := Owner(ctx, m.Users)
			if err != nil {
				t.Fatal(err)
			}
			names, err := m.Users.Names(ctx, system, []uuid.UUID{id})
			if err != nil || names[id] != "Ilse Halvorsen" {
				t.Errorf("the owner is %q: %v", names[id], err)
			}
		})

		t.Run("nobody real", func(t *testing.T) {
			var boxes []models.Mailbox
			if err := m.DB.Find(&boxes).Error; err != nil {
				t.Fatal(err)
			}
			for _, b := range boxes {
				a, err := mailboxes.Address(m.vault, b)
				if err != nil || !invented(a) {
					t.Fatalf("an address is %q: %v", a, err)
				}
			}
			for _, mail := range m.mail.Messages() {
				if !invented(mail.To) {
					t.Fatalf("a mail went to %q", mail.To)
				}
			}
			if n := m.count(t, &models.Signature{}, "postal_area < '00011' OR postal_area > '00215'"); n != 0 {
				t.Errorf("%d people live outside the invented state", n)
			}
		})

		t.Run("nothing ahead of its time", func(t *testing.T) {
			for _, c := range []struct{ table, column string }{
				{"signatures", "created_at"},
				{"signatures", "confirmed_at"},
				{"posts", "published_at"},
				{"deliveries", "sent_at"},
				{"audit_entries", "at"},
				{"mailings", "updated_at"},
				{"consents", "given_at"},
				{"users", "created_at"},
				{"submissions", "created_at"},
				{"submissions", "confirmed_at"},
				{"supporters", "updated_at"},
				{"supporter_divisions", "updated_at"},
				{"taggings", "created_at"},
				{"notes", "created_at"},
				{"segments", "updated_at"},
			} {
				var n int64
				if err := m.DB.Table(c.table).Where(c.column+" > ?", end).Count(&n).Error; err != nil || n != 0 {
					t.Errorf("%d rows of %s lie ahead: %v", n, c.table, err)
				}
			}
		})

		t.Run("once only", func(t *testing.T) {
			if s, err := Look(ctx, m.DB); err != nil || s != Finished {
				t.Errorf("the database is %v: %v", s, err)
			}
			if err := Build(ctx, m.Services, w, clock.NewFixed(end), end, nil); err == nil {
				t.Error("a second world was made on top of the first")
			}
		})

		t.Run("nothing in clear", func(t *testing.T) { inClear(t, m, w) })
	})
}

// inClear looks in everything that the database stores for what must be sealed there.
func inClear(t *testing.T, m made, w World) {
	stored := dump(t, m.DB)
	has := func(s string) bool { return bytes.Contains(stored, []byte(s)) }

	form := regexp.MustCompile(`[a-z]{2,}\.[a-z0-9]{2,}@example\.org`)
	crowd := w.crowd(rand.New(rand.NewPCG(w.Seed, w.Seed)), w.Signatures+w.Pending)
	shown, hidden := 0, 0
	for i, p := range crowd {
		whole := p.given + " " + p.family
		if p.display == models.DisplayName && i < w.Signatures {
			if shown++; !has(whole) { // else this test would find nothing anywhere
				t.Fatalf("%s chose to be shown and is not there", whole)
			}
			continue
		}
		if slices.Contains(w.names.Private, p.family) {
			hidden++
		}
	}
	if shown < 1000 || hidden < 100 {
		t.Errorf("%d show their name, %d of the others have a name that can be told", shown, hidden)
	}
	for _, family := range w.names.Private {
		if has(family) || has(strings.ToLower(family)) {
			t.Errorf("the family name %s of somebody who does not show it is in clear", family)
		}
	}
	// Everybody's address is given.family@example.org. The column of domains may stand behind any byte, so less than that
	// proves nothing; and the organisation's own two stand side by side.
	own := w.story.Organisation.FromAddress + w.story.Organisation.ReplyTo
	for _, a := range form.FindAllString(string(stored), -1) {
		if !strings.HasSuffix(own, a) {
			t.Errorf("an address is in clear: %s", a)
		}
	}
	for i, p := range crowd {
		if form.FindString(p.email) != p.email {
			t.Errorf("%d has the address %s", i, p.email)
		}
	}
	for _, phone := range regexp.MustCompile(`555-01\d\d`).FindAllString(w.list, -1) {
		if has(phone) {
			t.Errorf("a telephone number is in clear: %s", phone)
		}
	}
	for _, j := range w.joining.People {
		if has(j.Family) || has(strings.ToLower(j.Family)) || has(plain(j.Given)+"."+plain(j.Family)) {
			t.Errorf("%s %s joined and is in clear", j.Given, j.Family)
		}
		if s := j.Answers["access_needs"]; s != "" && has(s) {
			t.Errorf("what somebody needs to take part is in clear: %s", s)
		}
		if s := j.Answers["phone"]; s != "" && has(s[len(s)-8:]) {
			t.Errorf("a telephone number is in clear: %s", s)
		}
	}
	if has("+news@") || has("+1202555") {
		t.Error("an address or a telephone number is in clear")
	}
	for _, r := range w.joining.Records {
		if has(r.Note) || has(r.Email) {
			t.Errorf("a note is in clear: %s", r.Note)
		}
	}
	if !has(w.joining.Segments[0].Name) { // else this test would find nothing of what organizers write
		t.Error("the name of a segment is not there")
	}
	for _, c := range w.comments {
		if has(c.Text) != (c.State == "shown") {
			t.Errorf("a comment that is %s: in clear %v: %s", c.State, has(c.Text), c.Text)
		}
	}
}

// dump is every byte that the database stores.
func dump(t *testing.T, db *database.DB) []byte {
	t.Helper()
	ctx := context.Background()
	if !db.Postgres() {
		if err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)").Error; err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(db.Path())
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var tables []string
	err := db.Raw("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'").Scan(&tables).Error
	if err != nil || len(tables) < 20 {
		t.Fatal(tables, err)
	}
	conn, err := db.Pool.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	var b bytes.Buffer
	for _, table := range tables {
		if _, err := conn.Conn().PgConn().CopyTo(ctx, &b, fmt.Sprintf("COPY %q TO STDOUT (FORMAT binary)", table)); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestTheSameSeedMakesTheSameWorld(t *testing.T) {
	w := sampleWorld(t)
	w.Signatures = fewest
	var names [2][]string
	for i := range names {
		m := build(t, testdb.SQLiteURL(t), w)
		if err := m.DB.Model(&models.Signature{}).Where("display_name <> ''").Order("confirmed_at, display_name").Pluck("display_name", &names[i]).Error; err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(names[0], names[1]) || len(names[0]) < 80 {
		t.Errorf("%d and %d names, not the same", len(names[0]), len(names[1]))
	}
}

// At any time of a day, on any day of a week, over both changes of the clocks.
func TestItCanEndAtAnyTime(t *testing.T) {
	w := sampleWorld(t)
	w.Signatures = fewest
	for _, now := range []time.Time{
		time.Date(2027, 3, 14, 6, 30, 0, 0, time.UTC), time.Date(2027, 3, 15, 15, 31, 0, 0, time.UTC), time.Date(2027, 11, 7, 6, 59, 0, 0, time.UTC),
		time.Date(2027, 12, 11, 23, 59, 59, 0, time.UTC), time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC),
	} {
		t.Run(now.Format(time.RFC3339), func(t *testing.T) {
			t.Parallel()
			m := buildAt(t, testdb.SQLiteURL(t), w, now)
			if n := m.count(t, &models.Signature{}, "state = 'confirmed' AND confirmed_at <= ?", now); n != fewest {
				t.Errorf("%d are confirmed", n)
			}
			if n := m.count(t, &models.Signature{}, "comment_state = 'waiting'"); n != 10 {
				t.Errorf("%d comments wait", n)
			}
			if n := m.count(t, &models.Signature{}, "comment_state = 'shown'"); n != 48 {
				t.Errorf("%d comments are shown", n)
			}
		})
	}
}

func TestBrokenOff(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, stop := context.WithCancel(context.Background())
		w := sampleWorld(t)
		w.Signatures = fewest
		clk := clock.NewFixed(end.AddDate(0, 0, -60))
		m := services(t, db, clk)
		defer m.Petitions.Close()
		if s, err := Look(ctx, db); err != nil || s != Empty {
			t.Fatalf("a new database is %v: %v", s, err)
		}
		err := Build(ctx, m.Services, w, clk, end, func(done, _ int) {
			if done > 20 {
				stop()
			}
		})
		if err == nil {
			t.Fatal("the world was made to its end")
		}
		if s, err := Look(context.Background(), db); err != nil || s != Unfinished {
			t.Errorf("the database is %v: %v", s, err)
		}
	})
}

func TestSomebodyElsesDatabase(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx := context.Background()
		clk := clock.NewFixed(end)
		m := services(t, db, clk)
		defer m.Petitions.Close()
		if err := m.Organisation.KeepRecoverySheet(ctx, actor.TheSystem()); err != nil { // anything at all
			t.Fatal(err)
		}
		if s, err := Look(ctx, db); err != nil || s != Foreign {
			t.Errorf("a database in use is %v: %v", s, err)
		}
		if err := Build(ctx, m.Services, sampleWorld(t), clk, end, nil); err == nil {
			t.Error("a world was made in it")
		}
	})
}

func TestShare(t *testing.T) {
	for _, n := range []int{0, 1, 150, 3184} {
		sum := 0
		for _, x := range share(n, weights(rand.New(rand.NewPCG(1, 2)), 43, 30, time.Tuesday)) {
			if x < 0 {
				t.Errorf("%d: a day with %d", n, x)
			}
			sum += x
		}
		if sum != n {
			t.Errorf("%d were shared, %d came out", n, sum)
		}
	}
}

// invented reports whether an address is of nobody: in the domain that RFC 2606 keeps for examples, or below it, as offices are.
func invented(address string) bool {
	_, domain, _ := strings.Cut(address, "@")
	return domain == "example.org" || strings.HasSuffix(domain, ".example.org")
}
