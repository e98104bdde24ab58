package imports

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/app/locales"
	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/petitions"
	"kithline/campaigns/supporters"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 1, 15, 0, 0, 0, time.UTC)

// desk is everything an import needs, with the jobs it enqueued.
type desk struct {
	*Service
	t      testing.TB
	clock  *clock.Fixed
	folder string
	mu     sync.Mutex
	jobs   []RunArgs
}

func newDesk(t testing.TB, db *database.DB) *desk {
	t.Helper()
	clk, v := clock.NewFixed(start), vault.New(vault.NewKey())
	dir := t.TempDir()
	folder, err := files.NewFolder(filepath.Join(dir, "files"))
	if err != nil {
		t.Fatal(err)
	}
	words, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	store := files.New(db, v, clk, folder)
	d := &desk{t: t, clock: clk, folder: filepath.Join(dir, "files")}
	d.Service = New(Options{
		DB: db, Vault: v, Clock: clk, Files: store, Petitions: petitions.New(db, v, clk, tokens.New(v), store, petitions.Options{}),
		Enqueue: func(_ context.Context, _ *gorm.DB, args river.JobArgs) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.jobs = append(d.jobs, args.(RunArgs))
			return nil
		},
		Words: func(lang, key string, args ...any) string {
			data := map[string]any{}
			for i := 0; i+1 < len(args); i += 2 {
				data[args[i].(string)] = args[i+1]
			}
			s, err := words.Text(lang, key, data, nil)
			if err != nil {
				t.Error(err)
			}
			return s
		},
	})
	d.batch = batchSize
	return d
}

// batchSize is how many rows one transaction of a test holds.
const batchSize = 500

// work runs the last job in steps of so many batches until it is done, and returns the number of steps.
func (d *desk) work(batches int) (steps int) {
	d.t.Helper()
	for done := false; !done; steps++ {
		n := 0
		var err error
		done, err = d.step(context.Background(), d.jobs[len(d.jobs)-1], func(int) bool { n++; return n == batches })
		if err != nil {
			d.t.Fatal(err)
		}
	}
	return steps
}

func organizer() actor.Actor {
	return actor.Actor{Kind: actor.User, UserID: models.NewID(), Role: actor.Organizer}
}

var newsletter = Basis{Purpose: models.PurposeNewsletter, Text: "Yes, send me the newsletter.", Source: "Spring meeting, 12 May 2026"}

func (d *desk) run(file string, o RunOptions) Result {
	d.t.Helper()
	if o.Locale == "" {
		o.Locale = "en"
	}
	r, err := d.Run(context.Background(), actor.TheSystem(), strings.NewReader(file), o, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	return r
}

func (d *desk) want(what string, got, want Counts) {
	d.t.Helper()
	if got != want {
		d.t.Errorf("%s:\n%+v, want\n%+v", what, got, want)
	}
	if sum := got.New + got.Updated + got.Unchanged + got.Suppressed + got.Skipped; sum != got.Rows {
		d.t.Errorf("%s: %d rows became %d", what, got.Rows, sum)
	}
}

// mailbox is the mailbox of an address with what it may be mailed for.
func (d *desk) mailbox(address string) (m models.Mailbox, yes []models.Consent) {
	d.t.Helper()
	m, err := mailboxes.Find(context.Background(), d.DB.DB, d.Vault, address)
	if err != nil {
		d.t.Fatalf("%s: %v", address, err)
	}
	if err := d.DB.Where("mailbox_id = ?", m.ID).Order("given_at").Find(&yes).Error; err != nil {
		d.t.Fatal(err)
	}
	return m, yes
}

func (d *desk) person(address string) supporters.View {
	d.t.Helper()
	m, _ := d.mailbox(address)
	if m.SupporterID == nil {
		d.t.Fatalf("%s has no supporter", address)
	}
	v, err := supporters.New(d.DB, d.Vault, d.clock).Show(context.Background(), organizer(), *m.SupporterID)
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

// rows is the number of rows of every table that an import could touch.
func (d *desk) rows() string {
	d.t.Helper()
	var b strings.Builder
	for _, table := range []string{"mailboxes", "supporters", "consents", "consent_texts", "imports", "files", "audit_entries", "deliveries"} {
		var n int64
		if err := d.DB.Table(table).Count(&n).Error; err != nil {
			d.t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %d; ", table, n)
	}
	return b.String()
}

func troublesome(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile("testdata/troublesome.csv")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What the fixture holds, with a consent asked for.
var troubles = Counts{Rows: 19, New: 6, Unchanged: 1, Suppressed: 2, Skipped: 10, Consents: 5, Held: 1}

func TestATroublesomeFile(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		d, file := newDesk(t, db), troublesome(t)
		before := d.rows()
		var bad bytes.Buffer
		dry := d.run(file, RunOptions{DryRun: true, Basis: newsletter, Errors: &bad})
		d.want("the dry run", dry.Counts, troubles)
		if after := d.rows(); after != before || dry.ImportID != nil {
			t.Errorf("the dry run changed something:\n%s\n%s", before, after)
		}
		if dry.Encoding != "Windows-1252" || !slices.Equal(dry.Unused, []string{"Notes", "Favourite colour"}) || !slices.Equal(dry.Twice, []string{"Notes"}) {
			t.Errorf("told: %q, %q, %q", dry.Encoding, dry.Unused, dry.Twice)
		}
		var lines []int
		for _, b := range dry.Bad {
			lines = append(lines, b.Line)
		}
		if !slices.Equal(lines, []int{2, 7, 8, 14, 16, 17, 18, 19, 20, 21}) {
			t.Errorf("bad lines: %v", lines)
		}

		wet := d.run(file, RunOptions{Basis: newsletter})
		d.want("the import", wet.Counts, troubles)
		june := d.person("june.okafor@example.org")
		if june.GivenName != "June" || june.FamilyName != "Okafor" || june.Phones[0].Number != "555-0101" || june.PostalArea != "02139" || june.Country != "US" || june.Locale != "en" || june.Source != "import" {
			t.Errorf("june: %+v", june)
		}
		if len(june.Consents) != 1 {
			t.Fatalf("june: %+v", june.Consents)
		}
		c := june.Consents[0]
		if c.Words != newsletter.Text || c.Source != newsletter.Source || c.How != models.ConsentByImport || !c.GivenAt.Equal(time.Date(2026, 4, 30, 10, 15, 0, 0, time.UTC)) {
			t.Errorf("june agreed: %+v", c)
		}
		if _, yes := d.mailbox("sam.lee@example.org"); len(yes) != 1 || !yes[0].GivenAt.Equal(start) || yes[0].EvidenceID == nil || *yes[0].EvidenceID != *wet.ImportID {
			t.Errorf("sam agreed: %+v", yes)
		}
		for address, want := range map[string][3]string{
			"sam.lee@example.org": {"Sam", "Lee; Jr", "02139"}, "jose@example.org": {"José", "Muñoz", "28001"}, "zoe@example.org": {"Zoë", "Łukasz", "SW1A 1AA"},
			"formula@example.org": {`=HYPERLINK("http://x.example")`, "@SUM(1)", ""}, "maybe@example.org": {"May", "Be", ""},
		} {
			if p := d.person(address); p.GivenName != want[0] || p.FamilyName != want[1] || p.PostalArea != want[2] {
				t.Errorf("%s: %+v", address, p)
			}
		}
		for _, address := range []string{"left@example.org", "gone@example.org"} {
			if m, yes := d.mailbox(address); m.SuppressedAt == nil || m.SuppressedReason != models.SuppressedImport || m.SupporterID != nil || len(yes) != 0 {
				t.Errorf("%s: %+v, %v", address, m, yes)
			}
		}
		if _, yes := d.mailbox("maybe@example.org"); len(yes) != 0 {
			t.Errorf("somebody who had not confirmed elsewhere may be mailed: %v", yes)
		}
		var mailable int64
		if err := db.Table("mailable").Count(&mailable).Error; err != nil || mailable != 5 {
			t.Errorf("%d may be mailed, %v", mailable, err)
		}

		tables := strings.Split(d.rows(), "imports")[0]
		again := d.run(file, RunOptions{Basis: newsletter})
		d.want("the same again", again.Counts, Counts{Rows: 19, Unchanged: 9, Skipped: 10, Held: 1})
		if after := strings.Split(d.rows(), "imports")[0]; after != tables {
			t.Errorf("the same file again changed something:\n%s\n%s", tables, after)
		}
		d.want("the same again, dry", d.run(file, RunOptions{DryRun: true, Basis: newsletter}).Counts, again.Counts)

		checkErrorFile(t, bad.Bytes())
		// It can be read again as it is: a short row now has all its cells, a NUL is gone.
		d.want("the rows not taken, read again", d.run(bad.String(), RunOptions{}).Counts, Counts{Rows: 10, New: 3, Skipped: 7})
	})
}

// checkErrorFile looks at the rows of the fixture that were not taken: each with line and reason, nothing a spreadsheet
// would run.
func checkErrorFile(t *testing.T, file []byte) {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(file))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 11 || rows[0][0] != "E-Mail Address" || rows[0][12] != "line" || rows[0][13] != "reason" {
		t.Fatalf("%q", rows)
	}
	want := map[string]string{
		"2": "The row has 13 cells, the file 12 columns.", "7": "This is not an e-mail address.", "8": "There is no e-mail address.",
		"14": "A quote is open or stands where none can be.", "16": "This is not an e-mail address.", "17": "The row has 2 cells, the file 12 columns.",
		"18": "The row has characters that are no text.", "19": "The row has 11 cells, the file 12 columns.", "20": "given_name is longer than 100 characters.",
		"21": "A quote is open or stands where none can be.",
	}
	for _, row := range rows[1:] {
		if want[row[12]] != row[13] {
			t.Errorf("line %s: %q", row[12], row[13])
		}
		for _, c := range row {
			if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) {
				t.Errorf("line %s: a spreadsheet would run %q", row[12], c)
			}
		}
		switch row[12] {
		case "14":
			if row[0] != `open@example.org;"Open;Quote;;;;;;;;;` {
				t.Errorf("line 14: %q", row[0])
			}
		case "16":
			if row[0] != "too@many@example.org" || row[1] != "'=cmd()" || row[2] != "'-1" || row[9] != "'\t=1+1" {
				t.Errorf("line 16: %q", row)
			}
		}
	}
}

func TestARecordIsFilledAndNeverWrittenOver(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		d, ctx := newDesk(t, db), context.Background()
		// June signed: her record comes from a form. Sam's mailbox waits for his confirmation.
		m, err := mailboxes.Ensure(ctx, db.DB, d.Vault, "june@example.org", start)
		if err != nil {
			t.Fatal(err)
		}
		id, err := supporters.Attach(ctx, db.DB, d.Vault, m, supporters.Facts{GivenName: "June", PostalArea: "02139", Source: "petition"}, start)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mailboxes.Ensure(ctx, db.DB, d.Vault, "sam@example.org", start); err != nil {
			t.Fatal(err)
		}
		// A second address of June's in the same file.
		other, err := mailboxes.Ensure(ctx, db.DB, d.Vault, "june@work.example", start)
		if err != nil {
			t.Fatal(err)
		}
		if err := supporters.SetMailbox(ctx, db.DB, other.ID, id, start); err != nil {
			t.Fatal(err)
		}
		file := "email,first name,last name,phone,zip\njune@example.org,Juniper,Okafor,,99999\nsam@example.org,Sam,Lee,555,\njune@work.example,,,555-0101,\n"
		want := Counts{Rows: 3, New: 1, Updated: 2}
		d.want("dry", d.run(file, RunOptions{DryRun: true}).Counts, want)
		d.clock.Add(time.Hour)
		d.want("first", d.run(file, RunOptions{}).Counts, want)
		v := d.person("june@example.org")
		if v.ID != id || v.GivenName != "June" || v.FamilyName != "Okafor" || v.PostalArea != "02139" || v.Phones[0].Number != "555-0101" || v.Source != "petition" || len(v.Mailboxes) != 2 {
			t.Errorf("june: %+v", v)
		}
		if p := d.person("sam@example.org"); p.GivenName != "Sam" || p.Phones[0].Number != "555" || len(p.Consents) != 0 {
			t.Errorf("sam: %+v", p)
		}
		d.clock.Add(time.Hour)
		d.want("second", d.run(file, RunOptions{}).Counts, Counts{Rows: 3, Unchanged: 3})
		var changed int64
		if err := db.Model(&models.Supporter{}).Where("updated_at > ?", start.Add(90*time.Minute)).Count(&changed).Error; err != nil || changed != 0 {
			t.Errorf("%d records changed by a file that says nothing new, %v", changed, err)
		}
	})
}

func TestNobodyComesBackByAList(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		d, ctx := newDesk(t, db), context.Background()
		campaign := models.Campaign{ID: models.NewID(), Slug: "twenty-visits", Title: "Twenty visits", State: models.CampaignPublished, CreatedAt: start, UpdatedAt: start}
		if err := db.Create(&campaign).Error; err != nil {
			t.Fatal(err)
		}
		updates := Basis{Purpose: models.PurposeUpdates, CampaignID: campaign.ID, Text: "Tell me what happens.", Source: "Stand at the market"}
		file := "email,status\nstay@example.org,subscribed\nleft@example.org,subscribed\nsome@example.org,subscribed\nstop@example.org,subscribed\nerased@example.org,subscribed\n"
		d.want("before", d.run(file, RunOptions{Basis: newsletter}).Counts, Counts{Rows: 5, New: 5, Consents: 5})

		withdraw := func(address string, p models.Purpose, scope uuid.UUID) {
			t.Helper()
			m, _ := d.mailbox(address)
			if was, err := consents.Withdraw(ctx, db.DB, m.ID, p, scope, "page", start); err != nil || !was {
				t.Fatal(was, err)
			}
		}
		withdraw("left@example.org", models.PurposeNewsletter, uuid.Nil)
		m, _ := d.mailbox("some@example.org")
		text, err := consents.Text(ctx, db.DB, models.PurposeUpdates, "en", "Tell me.", start)
		if err != nil {
			t.Fatal(err)
		}
		if err := consents.Give(ctx, db.DB, consents.Given{MailboxID: m.ID, Purpose: models.PurposeUpdates, ScopeID: campaign.ID, TextID: text.ID, Locale: "en", ShownAt: start, Source: "petition", How: models.ConsentByMail}, start); err != nil {
			t.Fatal(err)
		}
		withdraw("some@example.org", models.PurposeNewsletter, uuid.Nil)
		if m, _ = d.mailbox("stop@example.org"); mailboxes.Suppress(ctx, db.DB, m.ID, models.SuppressedComplaint, start) != nil {
			t.Fatal("not suppressed")
		}
		m, _ = d.mailbox("erased@example.org")
		erase(t, db, m)

		mailable := func(p models.Purpose) (n int64) {
			t.Helper()
			if err := db.Table("mailable").Where("purpose = ?", p).Count(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n
		}
		want := Counts{Rows: 5, Unchanged: 4, Skipped: 1, Held: 3}
		for _, dry := range []bool{true, false} {
			r := d.run(file, RunOptions{Basis: newsletter, DryRun: dry})
			want.Held = 2 // left, some; the complaint's consent is in force, it only gets no mail
			d.want("the newsletter again", r.Counts, want)
			if len(r.Bad) != 1 || r.Bad[0].Line != 6 {
				t.Errorf("bad: %+v", r.Bad)
			}
		}
		if n := mailable(models.PurposeNewsletter); n != 1 {
			t.Errorf("%d get the newsletter", n)
		}
		// Another purpose: who left everything stays out, who stopped all mail too, who kept something may agree to more.
		want = Counts{Rows: 5, Updated: 1, Unchanged: 3, Skipped: 1, Consents: 1, Held: 2}
		d.want("another purpose, dry", d.run(file, RunOptions{Basis: updates, DryRun: true}).Counts, want)
		d.want("another purpose", d.run(file, RunOptions{Basis: updates}).Counts, want)
		if n := mailable(models.PurposeUpdates); n != 2 {
			t.Errorf("%d get updates", n)
		}
		if m, err := mailboxes.Find(ctx, db.DB, d.Vault, "erased@example.org"); !errors.Is(err, gorm.ErrRecordNotFound) {
			t.Errorf("an erased person came back: %+v, %v", m, err)
		}
		if m, _ := d.mailbox("stop@example.org"); m.SuppressedReason != models.SuppressedComplaint {
			t.Errorf("the reason changed: %s", m.SuppressedReason)
		}
	})
}

// erase leaves of a person what erasing leaves: the keyed hash of the address.
func erase(t testing.TB, db *database.DB, m models.Mailbox) {
	t.Helper()
	if err := errors.Join(
		db.Exec("DELETE FROM consents WHERE mailbox_id = ?", m.ID).Error,
		db.Exec("DELETE FROM mailboxes WHERE id = ?", m.ID).Error,
		db.Exec("DELETE FROM supporters WHERE id = ?", m.SupporterID).Error,
		db.Create(&models.Erasure{ID: models.NewID(), AddressHash: m.AddressHash, How: "person", CreatedAt: start}).Error,
	); err != nil {
		t.Fatal(err)
	}
}

// big is a file of n people, every tenth bad and every fiftieth gone elsewhere; some stand twice, far apart.
func big(n int) string {
	var b strings.Builder
	b.WriteString("email,first_name,last_name,phone,zip,country,status\n")
	for i := range n {
		switch {
		case i%10 == 9:
			fmt.Fprintf(&b, "nobody %d,X,Y,,,,\n", i)
		case i%50 == 7:
			fmt.Fprintf(&b, "person%d@example.org,Left,Person,,,,unsubscribed\n", i)
		case i%50 == 8 && i > 1000:
			fmt.Fprintf(&b, "person%d@example.org,Again,%d,,,,\n", i-1000, i)
		default:
			fmt.Fprintf(&b, "person%d@mail%d.example.org,Given%d,Family%d,555-%04d,%05d,US,subscribed\n", i, i%30, i, i%700, i%10000, i%100000)
		}
	}
	return b.String()
}

func TestAnImportGoesOnWhereItWasKilled(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		d, a, ctx, file := newDesk(t, db), organizer(), context.Background(), big(2600)
		whole := newDesk(t, testdb.SQLite(t)).run(file, RunOptions{Basis: newsletter})

		id, err := d.Upload(ctx, a, UploadInput{Name: "list.csv", Content: strings.NewReader(file), Locale: "es"})
		if err != nil {
			t.Fatal(err)
		}
		head, mapping, err := d.Preview(ctx, a, id)
		if err != nil || len(head.First) != previewRows || mapping[6] != Status || len(mapping) != 7 {
			t.Fatalf("%+v, %v, %v", head, mapping, err)
		}
		if err := d.Start(ctx, a, id); !fault.Is(err, fault.Conflict) {
			t.Errorf("started unchecked: %v", err)
		}
		if err := d.Check(ctx, a, id, CheckInput{Mapping: mapping, Basis: newsletter}); err != nil {
			t.Fatal(err)
		}
		if err := d.Check(ctx, a, id, CheckInput{Mapping: mapping, Basis: newsletter}); !fault.Is(err, fault.Conflict) {
			t.Errorf("checked twice at once: %v", err)
		}
		if steps := d.work(2); steps != 4 {
			t.Errorf("the dry run took %d steps", steps)
		}
		checked, err := d.Get(ctx, a, id)
		if err != nil || !checked.Checked() || checked.ErrorFileID == nil || checked.Counts != whole.Counts {
			t.Fatalf("%+v, %v; want %+v", checked, err, whole.Counts)
		}
		if n := strings.Split(d.rows(), "consents")[0]; n != "mailboxes 0; supporters 0; " {
			t.Errorf("the dry run wrote: %s", n)
		}

		if err := d.Start(ctx, a, id); err != nil {
			t.Fatal(err)
		}
		job := d.jobs[len(d.jobs)-1]
		// Killed in the middle of a batch: the context ends, the batch is rolled back, what was committed stays.
		killed, kill := context.WithCancel(ctx)
		n := 0
		if _, err := d.step(killed, job, func(int) bool {
			if n++; n == 2 {
				kill()
			}
			return false
		}); !errors.Is(err, context.Canceled) {
			t.Fatalf("killed: %v", err)
		}
		if m, err := d.Get(ctx, a, id); err != nil || m.RowsDone != 2*batchSize || !m.Running() {
			t.Fatalf("after the kill: %+v, %v", m, err)
		}
		// An earlier run's job, which comes late, changes nothing.
		if done, err := d.step(ctx, d.jobs[0], func(int) bool { return false }); !done || err != nil {
			t.Errorf("an old job: %v, %v", done, err)
		}
		d.work(1)
		m, err := d.Get(ctx, a, id)
		if err != nil || !m.Done() || m.Counts != whole.Counts {
			t.Fatalf("%+v, %v; want %+v", m.Counts, err, whole.Counts)
		}
		var people int64
		if err := db.Model(&models.Supporter{}).Count(&people).Error; err != nil || int(people) != whole.New {
			t.Errorf("%d supporters, %v; want %d", people, err, whole.New)
		}
		var audits []string
		if err := db.Model(&models.AuditEntry{}).Where("object_id = ?", id).Order("id").Pluck("action", &audits).Error; err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(audits, []string{"import.upload", "import.check", "import.start", "import.finish"}) {
			t.Errorf("audit: %v", audits)
		}
		if err := d.Start(ctx, a, id); !fault.Is(err, fault.Conflict) {
			t.Errorf("started twice: %v", err)
		}

		rc, err := d.ErrorFile(ctx, a, id)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(rc)
		if err := errors.Join(err, rc.Close()); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(b), "\n"); got != 1+whole.Skipped || !strings.Contains(string(b), "nobody 9,X,Y,,,,,11,Esto no es una dirección de correo.\n") {
			t.Errorf("%d lines: %.300s", got, b)
		}
		d.clock.Add(keep + time.Minute)
		if _, err := d.ErrorFile(ctx, a, id); !fault.Is(err, fault.Gone) {
			t.Errorf("after a week: %v", err)
		}
		if _, _, err := d.Preview(ctx, a, id); !fault.Is(err, fault.Gone) {
			t.Errorf("after a week: %v", err)
		}
	})
}

func TestTwoWorkersOfOneImportWriteNobodyTwice(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		d, a, ctx, file := newDesk(t, db), organizer(), context.Background(), big(2600)
		whole := newDesk(t, testdb.SQLite(t)).run(file, RunOptions{})
		id, err := d.Upload(ctx, a, UploadInput{Content: strings.NewReader(file), Locale: "en"})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Check(ctx, a, id, CheckInput{Mapping: Mapping{0: Email, 1: GivenName}}); err != nil {
			t.Fatal(err)
		}
		d.work(100)
		if err := d.Start(ctx, a, id); err != nil {
			t.Fatal(err)
		}
		job := d.jobs[len(d.jobs)-1]
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := d.step(ctx, job, func(int) bool { return false }); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		m, err := d.Get(ctx, a, id)
		if err != nil || !m.Done() || m.RowsDone != 2600 || m.Counts.Skipped != whole.Skipped {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

func TestTwoPeopleImportTheSameFileAtOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		d, file := newDesk(t, db), big(2600)
		var wg sync.WaitGroup
		results := make([]Result, 3)
		for i := range results {
			wg.Go(func() {
				var err error
				if results[i], err = d.Run(context.Background(), organizer(), strings.NewReader(file), RunOptions{Locale: "en", Basis: newsletter}, nil); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		sum := Counts{}
		for _, r := range results {
			sum.add(r.Counts)
		}
		once := newDesk(t, testdb.SQLite(t)).run(file, RunOptions{Basis: newsletter})
		if sum.New != once.New || sum.Consents != once.Consents || sum.Suppressed != once.Suppressed {
			t.Errorf("%+v, want what one makes: %+v", sum, once.Counts)
		}
		for table, want := range map[string]int{"supporters": once.New, "consents": once.Consents, "consent_texts": 1} {
			var n int64
			if err := db.Table(table).Count(&n).Error; err != nil || int(n) != want {
				t.Errorf("%s: %d rows, %v; want %d", table, n, err, want)
			}
		}
		var orphans int64
		if err := db.Table("supporters s").Where("NOT EXISTS (SELECT 1 FROM mailboxes m WHERE m.supporter_id = s.id)").Count(&orphans).Error; err != nil || orphans != 0 {
			t.Errorf("%d records without a mailbox, %v", orphans, err)
		}
	})
}

func TestWhatAnImportRefuses(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		d, ctx, a := newDesk(t, db), context.Background(), organizer()
		wantFields := func(err error, fields ...string) {
			t.Helper()
			var e *fault.Error
			if !errors.As(err, &e) || e.Kind != fault.Invalid {
				t.Errorf("%v", err)
				return
			}
			var got []string
			for _, f := range e.Fields {
				got = append(got, f.Name)
			}
			if !slices.Equal(got, fields) {
				t.Errorf("fields %v, want %v", got, fields)
			}
		}
		for _, content := range []string{"", "email,name\n", "PK\x03\x04", "PK\x05\x06 and so on"} {
			_, err := d.Upload(ctx, a, UploadInput{Content: strings.NewReader(content), Locale: "en"})
			wantFields(err, "file")
		}
		id, err := d.Upload(ctx, a, UploadInput{Content: strings.NewReader("email,name\na@example.org,A\n"), Locale: "en"})
		if err != nil {
			t.Fatal(err)
		}
		wantFields(d.Check(ctx, a, id, CheckInput{Mapping: Mapping{1: Name}}), "columns")
		wantFields(d.Check(ctx, a, id, CheckInput{Mapping: Mapping{7: Email}}), "columns")
		wantFields(d.Check(ctx, a, id, CheckInput{Mapping: Mapping{0: Email}, Basis: Basis{Purpose: models.PurposeNewsletter}}), "words", "source")
		wantFields(d.Check(ctx, a, id, CheckInput{Mapping: Mapping{0: Email}, Basis: Basis{Purpose: models.PurposeUpdates, CampaignID: models.NewID(), Text: "x", Source: "y"}}), "campaign")
		wantFields(d.Check(ctx, a, id, CheckInput{Mapping: Mapping{0: Email}, Basis: Basis{Purpose: models.PurposeReceipt, Text: "x", Source: "y"}}), "basis")
		if _, err := d.Run(ctx, a, strings.NewReader("name\nAnn\n"), RunOptions{}, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("no addresses: %v", err)
		}
		if _, err := d.Get(ctx, a, models.NewID()); !fault.Is(err, fault.NotFound) {
			t.Errorf("unknown: %v", err)
		}
		for role, kind := range map[actor.Role]fault.Kind{actor.Advocate: fault.Forbidden, actor.Viewer: fault.Forbidden, actor.Coordinator: fault.Forbidden, "": fault.Unauthenticated} {
			who := actor.Actor{Kind: actor.User, Role: role}
			if role == "" {
				who = actor.Actor{}
			}
			_, err1 := d.Upload(ctx, who, UploadInput{})
			_, err2 := d.Get(ctx, who, id)
			_, _, err3 := d.Preview(ctx, who, id)
			_, err4 := d.ErrorFile(ctx, who, id)
			_, err5 := d.Run(ctx, who, strings.NewReader(""), RunOptions{}, nil)
			_, err6 := d.CampaignBySlug(ctx, who, "x")
			for i, err := range []error{err1, err2, err3, err4, err5, err6, d.Check(ctx, who, id, CheckInput{}), d.Start(ctx, who, id), d.Resume(ctx, who, id)} {
				if !fault.Is(err, kind) {
					t.Errorf("%s, %d: %v", role, i, err)
				}
			}
		}
	})
}

// An import whose job failed for good says so, and goes on from there when asked.
func TestAnImportThatStoppedGoesOn(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		d, a, ctx, file := newDesk(t, db), organizer(), context.Background(), big(1700)
		whole := newDesk(t, testdb.SQLite(t)).run(file, RunOptions{})
		id, err := d.Upload(ctx, a, UploadInput{Content: strings.NewReader(file), Locale: "en"})
		if err != nil {
			t.Fatal(err)
		}
		_, mapping, err := d.Preview(ctx, a, id)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Check(ctx, a, id, CheckInput{Mapping: mapping}); err != nil {
			t.Fatal(err)
		}
		d.work(100)
		if err := d.Start(ctx, a, id); err != nil {
			t.Fatal(err)
		}
		job := d.jobs[len(d.jobs)-1]
		if _, err := d.step(ctx, job, func(int) bool { return true }); err != nil {
			t.Fatal(err)
		}
		if err := d.fail(ctx, job, "error.import_stopped"); err != nil {
			t.Fatal(err)
		}
		if m, err := d.Get(ctx, a, id); err != nil || m.State != models.ImportFailed || m.RowsDone != batchSize {
			t.Fatalf("%+v, %v", m, err)
		}
		if err := d.Resume(ctx, a, id); err != nil {
			t.Fatal(err)
		}
		d.work(100)
		if m, err := d.Get(ctx, a, id); err != nil || !m.Done() || m.Counts != whole.Counts {
			t.Errorf("%+v, %v; want %+v", m.Counts, err, whole.Counts)
		}
	})
}

func BenchmarkImport(b *testing.B) {
	const people = 100000
	var file strings.Builder
	file.WriteString("email,first_name,last_name,phone,zip,country\n")
	for i := range people {
		fmt.Fprintf(&file, "person%d@mail%d.example.org,Given%d,Family%d,617-555-%04d,%05d,US\n", i, i%30, i, i%700, i%10000, i%100000)
	}
	for name, open := range map[string]func(testing.TB) *database.DB{"sqlite": testdb.SQLite, "postgres": testdb.Postgres} {
		b.Run(name, func(b *testing.B) {
			for _, kind := range []string{"new", "again", "dry"} {
				b.Run(kind, func(b *testing.B) {
					for b.Loop() {
						b.StopTimer()
						d := newDesk(b, open(b))
						d.batch = 0
						o := RunOptions{Basis: newsletter, DryRun: kind == "dry"}
						if kind == "again" {
							d.run(file.String(), o)
						}
						b.StartTimer()
						if r := d.run(file.String(), o); r.Rows != people {
							b.Fatal(r.Counts)
						}
					}
					b.ReportMetric(float64(people*b.N)/b.Elapsed().Seconds(), "rows/s")
				})
			}
		})
	}
}
