package imports

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/imports/importstest"
	"kithline/campaigns/supporters"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// tagsOf are the tags of a person, sorted.
func (d *desk) tagsOf(address string) (names []string) {
	d.t.Helper()
	m, _ := d.mailbox(address)
	if err := d.DB.Table("tags").Joins("JOIN taggings ON taggings.tag_id = tags.id").Where("supporter_id = ?", m.SupporterID).Order("tags.name").Pluck("tags.name", &names).Error; err != nil {
		d.t.Fatal(err)
	}
	return names
}

// TestEverySource: a list in each source's shape, with what it says in the shape of a record here.
func TestEverySource(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		for _, c := range []struct {
			source string
			file   []byte
			want   Counts
			unused []string
			check  func(d *desk)
		}{
			{FromActionNetwork, importstest.ActionNetwork(), Counts{Rows: 3, New: 1, Suppressed: 1, Skipped: 1, Consents: 1}, []string{"uuid", "can2_sms_status", "Shirt size"}, func(d *desk) {
				p := d.person(importstest.June)
				if p.Street != "12 Ferry Street" || p.City != "Cambridge" || p.Region != "MA" || p.PostalArea != "02139" || len(p.Phones) != 1 {
					d.t.Errorf("%+v", p)
				}
			}},
			{FromNationBuilder, importstest.NationBuilder(), Counts{Rows: 3, New: 1, Suppressed: 1, Skipped: 1, Consents: 1}, []string{
				"nationbuilder_id", "external_id", "prefix", "middle_name", "suffix", "is_volunteer", "support_level", "employer", "occupation", "billing_address1", "billing_city", "billing_zip",
			}, func(d *desk) {
				p := d.person(importstest.June)
				if p.Street != "12 Ferry Street, Apt 4" || p.Region != "MA" || p.PostalArea != "02139" || p.Country != "US" || len(p.Phones) != 2 || !p.CreatedAt.Equal(time.Date(2019, 3, 4, 15, 0, 0, 0, time.UTC)) {
					d.t.Errorf("%+v", p)
				}
				var notes []models.Note
				if err := d.DB.Find(&notes).Error; err != nil || len(notes) != 1 {
					d.t.Fatalf("%d notes, %v", len(notes), err)
				}
				if body, err := d.Vault.Open("notes", "body_sealed", notes[0].ID, notes[0].BodySealed); err != nil || body != "Met at the fair.\nKnows the law." {
					d.t.Errorf("%q, %v", body, err)
				}
				if _, yes := d.mailbox(importstest.June); len(yes) != 1 || !yes[0].GivenAt.Equal(start) {
					d.t.Errorf("a day of making counts as a day of agreeing: %+v", yes)
				}
			}},
			{FromMailchimp, importstest.Mailchimp(), Counts{Rows: 5, New: 2, Suppressed: 2, Skipped: 1, Consents: 1, Held: 1}, nil, func(d *desk) {
				p := d.person(importstest.June)
				if p.TimeZone != "America/New_York" || p.Country != "US" || p.Region != "MA" {
					d.t.Errorf("%+v", p)
				}
				if tags := d.tagsOf(importstest.June); !slices.Equal(tags, []string{"spring, fair", "volunteer"}) {
					d.t.Errorf("tags %q", tags)
				}
				for _, gone := range []string{importstest.Sam, "gone@example.org"} {
					if m, yes := d.mailbox(gone); m.SuppressedAt == nil || len(yes) != 0 {
						d.t.Errorf("%s, who left, may be mailed: %+v %v", gone, m, yes)
					}
				}
			}},
			{FromListmonk, importstest.Listmonk(), Counts{Rows: 3, New: 1, Suppressed: 1, Skipped: 1, Consents: 1}, []string{"uuid", "attributes", "updated_at", "attributes: nested", "attributes: shirt"}, func(d *desk) {
				if p := d.person(importstest.June); p.City != "Cambridge" || p.GivenName != "June" || p.FamilyName != "Okafor" {
					d.t.Errorf("%+v", p)
				}
				if tags := d.tagsOf(importstest.June); !slices.Equal(tags, []string{"spring, fair", "volunteer"}) {
					d.t.Errorf("tags %q", tags)
				}
			}},
			{FromEFF, importstest.EFF(), Counts{Rows: 3, New: 2, Skipped: 1, Consents: 2}, nil, func(d *desk) {
				if p := d.person(importstest.June); p.PostalArea != "02139" || p.Country != "US" {
					d.t.Errorf("%+v", p)
				}
			}},
		} {
			d := newDesk(t, db)
			for _, table := range []string{"notes", "taggings", "phones", "consents", "mailboxes", "supporters", "tags"} {
				if err := db.Exec("DELETE FROM " + table).Error; err != nil {
					t.Fatal(err)
				}
			}
			file := string(c.file)
			d.want(c.source+", dry", d.run(file, RunOptions{DryRun: true, Basis: newsletter}).Counts, c.want)
			r := d.run(file, RunOptions{Basis: newsletter})
			d.want(c.source, r.Counts, c.want)
			if r.Source != c.source || c.unused != nil && !slices.Equal(r.Unused, c.unused) {
				t.Errorf("%s: taken for %q, left out %q", c.source, r.Source, r.Unused)
			}
			c.check(d)
			again := d.run(file, RunOptions{Basis: newsletter})
			if again.New+again.Updated+again.Suppressed+again.Consents != 0 {
				t.Errorf("%s again: %+v", c.source, again.Counts)
			}
		}
	})
}

// TestSignaturesWithoutAddressesAreAFigure: a list of Change.org becomes a count at a petition, and no people.
func TestSignaturesWithoutAddressesAreAFigure(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		d, ctx, a := newDesk(t, db), context.Background(), organizer()
		campaign := models.Campaign{ID: models.NewID(), Slug: "x", Title: "X", State: models.CampaignPublished, CreatedAt: start, UpdatedAt: start}
		p := models.Petition{ID: models.NewID(), CampaignID: campaign.ID, Slug: "x", Title: "X", State: models.PetitionPublished, Locale: "en", Goal: 100, CreatedAt: start, UpdatedAt: start}
		if err := errors.Join(db.Create(&campaign).Error, db.Create(&p).Error); err != nil {
			t.Fatal(err)
		}
		id, err := d.Upload(ctx, a, UploadInput{Name: "change.csv", Content: bytes.NewReader(importstest.Change()), Locale: "en"})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.CountElsewhere(ctx, a, id, models.NewID()); !fault.Is(err, fault.NotFound) {
			t.Errorf("an unknown petition: %v", err)
		}
		if err := d.CountElsewhere(ctx, a, id, p.ID); err != nil {
			t.Fatal(err)
		}
		if err := d.CountElsewhere(ctx, a, id, p.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("counted twice: %v", err)
		}
		if err := db.Take(&p, "id = ?", p.ID).Error; err != nil || p.LegacyCount != 3 || p.LegacySource != "Change.org" || p.SignatureCount != 0 {
			t.Errorf("%+v, %v", p, err)
		}
		if got := strings.Split(d.rows(), "consents")[0]; got != "mailboxes 0; supporters 0; " {
			t.Errorf("people came of it: %s", got)
		}
		people, err := d.Upload(ctx, a, UploadInput{Content: strings.NewReader("email\na@example.org\n"), Locale: "en"})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.CountElsewhere(ctx, a, people, p.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("a list with addresses: %v", err)
		}
	})
}

// TestWhoLeftStaysOutWhateverTheOrder: in a ZIP the stricter file wins, whichever comes first in it.
func TestWhoLeftStaysOutWhateverTheOrder(t *testing.T) {
	in := importstest.Named{Name: "a/subscribed.csv", Content: []byte("email,name\nann@example.org,Ann\nbob@example.org,Bob\n")}
	out := importstest.Named{Name: "b/unsubscribed_members.tsv", Content: []byte("name\tE-Mail\nBob\tbob@example.org\n")}
	picture := importstest.Named{Name: "picture.png", Content: []byte("x")}
	nested := importstest.Named{Name: "more.zip", Content: importstest.ZIP(in)}
	book := importstest.Named{Name: "late.xlsx", Content: importstest.Workbook([]string{"Email", "Phone"}, []string{"bob@example.org", "617 555 0101"}, []string{"cleo@example.org", ""})}
	for _, files := range [][]importstest.Named{{in, out, picture, nested, book}, {book, nested, picture, out, in}} {
		d := newDesk(t, testdb.SQLite(t))
		r := d.run(string(importstest.ZIP(files...)), RunOptions{Basis: newsletter})
		d.want("a ZIP", r.Counts, Counts{Rows: 5, New: 3, Updated: 1, Suppressed: 1, Consents: 2, Held: 2})
		if m, yes := d.mailbox("bob@example.org"); m.SuppressedAt == nil || len(yes) != 0 || m.SupporterID == nil {
			t.Errorf("bob, who left: %+v, %v", m, yes)
		}
		slices.Sort(r.Left)
		if !slices.Equal(r.Left, []string{"more.zip", "picture.png"}) {
			t.Errorf("told as not read: %q", r.Left)
		}
	}
}

// workbook is what a spreadsheet program writes: shared texts, numbers, dates, a formula with its result, a second sheet.
func workbook(t *testing.T) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer func() { _ = f.Close() }()
	date, err := f.NewStyle(&excelize.Style{NumFmt: 22})
	if err != nil {
		t.Fatal(err)
	}
	own := "yyyy\\-mm\\-dd"
	day, err := f.NewStyle(&excelize.Style{CustomNumFmt: &own})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range [][]any{
		{"E-Mail", "First name", "Zip", "Phone", "Opt-in time", "Shirt", "Born"},
		{"june@example.org", "June", 2139, 6175550101, 46142.427083333336, 38.5, 46142},
		{},
		{"  sam@example.org ", "=Sam", "10001", "", "", true, ""},
		{"bad", "x"},
	} {
		for j, v := range row {
			cell, _ := excelize.CoordinatesToCellName(j+1, i+1)
			if err := f.SetCellValue("Sheet1", cell, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err = f.NewSheet("Other")
	if err := errors.Join(err, f.SetCellStyle("Sheet1", "E2", "E2", date), f.SetCellStyle("Sheet1", "G2", "G2", day)); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAWorkbook(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		d := newDesk(t, db)
		file := filepath.Join(t.TempDir(), "people.xlsx")
		if err := os.WriteFile(file, workbook(t), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Close() }()
		o := RunOptions{Basis: newsletter, Locale: "en", Tag: "Spring", Mapping: Mapping{0: Email, 1: GivenName, 2: PostalArea, 3: Phone, 4: OptedIn, 5: NewField(models.FieldText), 6: NewField(models.FieldDate)}}
		r, err := d.Run(context.Background(), actor.TheSystem(), f, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		d.want("a workbook", r.Counts, Counts{Rows: 3, New: 2, Skipped: 1, Consents: 2})
		if r.Encoding != "XLSX" || !slices.Equal(r.Left, []string{"Other"}) || len(r.Bad) != 1 || r.Bad[0].Line != 5 {
			t.Errorf("%+v", r)
		}
		_, yes := d.mailbox("june@example.org")
		if len(yes) != 1 || !yes[0].GivenAt.Equal(time.Date(2026, 4, 30, 10, 15, 0, 0, time.UTC)) {
			t.Errorf("a date of a workbook: %+v", yes)
		}
		if p := d.person("sam@example.org"); p.GivenName != "=Sam" || p.PostalArea != "10001" {
			t.Errorf("%+v", p)
		}
		if tags := d.tagsOf("sam@example.org"); !slices.Equal(tags, []string{"Spring"}) {
			t.Errorf("%q", tags)
		}
		var values []string
		if err := db.Table("field_values").Joins("JOIN custom_fields f ON f.id = field_id").Order("f.name, text_value").Pluck("f.name || '=' || text_value", &values).Error; err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(values, []string{"born=2026-04-30", "shirt=38.5", "shirt=true"}) {
			t.Errorf("%q", values)
		}
		// Read from a pipe, the same, and nothing new: its fields are there now and taken again.
		o.Mapping = Mapping{0: Email, 1: GivenName, 2: PostalArea, 3: Phone, 4: OptedIn, 5: NewField(models.FieldText), 6: NewField(models.FieldDate)}
		again, err := d.Run(context.Background(), actor.TheSystem(), io.MultiReader(bytes.NewReader(workbook(t))), o, nil)
		if err != nil {
			t.Fatal(err)
		}
		d.want("again", again.Counts, Counts{Rows: 3, Unchanged: 2, Skipped: 1})
		var fields int64
		if err := db.Model(&models.CustomField{}).Count(&fields).Error; err != nil || fields != 2 {
			t.Errorf("%d fields, %v", fields, err)
		}
	})
}

// TestEveryTroubleAtOnce: many thousand rows with everything that is wrong with lists; the rest is imported.
func TestEveryTroubleAtOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		n := 20_000
		if testing.Short() {
			n = 5000
		}
		d := newDesk(t, db)
		d.batch = 0
		file, err := os.Create(filepath.Join(t.TempDir(), "troubles.csv"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = file.Close() }()
		told, err := importstest.Troubles(file, n)
		if err != nil {
			t.Fatal(err)
		}
		want := Counts{Rows: told.Rows, New: told.New, Unchanged: told.Unchanged, Suppressed: told.Suppressed, Skipped: told.Skipped, Consents: told.Consents, Held: told.Held}
		for _, dry := range []bool{true, false} {
			if _, err := file.Seek(0, io.SeekStart); err != nil {
				t.Fatal(err)
			}
			r, err := d.Run(context.Background(), actor.TheSystem(), file, RunOptions{DryRun: dry, Basis: newsletter, Locale: "en"}, nil)
			if err != nil {
				t.Fatal(err)
			}
			d.want(fmt.Sprintf("dry %v", dry), r.Counts, want)
		}
		if p := d.person(importstest.Address(7)); p.GivenName != "José" || p.City != "Málaga" {
			t.Errorf("%+v", p)
		}
		if p := d.person(importstest.Address(9)); p.GivenName != "June9" {
			t.Errorf("%+v", p)
		}
	})
}

// TestArchivesThatMeanTrouble: each ends in a clear report, and what can be read is.
func TestArchivesThatMeanTrouble(t *testing.T) {
	d := newDesk(t, testdb.SQLite(t))
	people := importstest.Named{Name: "people.csv", Content: []byte("email\nann@example.org\n")}
	bomb := func() []byte { // a list of one person and then zeros without end
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for _, f := range []string{"bomb.csv", "zeta.csv"} {
			w, err := z.Create(f)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(w, "email,name\n"+strings.TrimSuffix(f, ".csv")+"@example.org,A\n")
			if f == "bomb.csv" {
				zeros := bytes.Repeat([]byte(","), 1<<20)
				for range 80 {
					_, _ = w.Write(zeros)
				}
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	bad := func(r Result) string {
		if len(r.Bad) == 0 {
			return ""
		}
		return r.Bad[len(r.Bad)-1].Reason
	}
	r := d.run(string(bomb()), RunOptions{})
	if d.want("a bomb", r.Counts, Counts{Rows: 3, New: 2, Skipped: 1}); !strings.Contains(bad(r), "unpacks to far more") {
		t.Errorf("%q", bad(r))
	}
	good := importstest.ZIP(people, importstest.Named{Name: "zz.xlsx", Content: []byte("no workbook")})
	if r = d.run(string(good), RunOptions{}); r.New != 1 || !strings.Contains(bad(r), "damaged") || r.Bad[0].File != "zz.xlsx" {
		t.Errorf("%+v", r)
	}
	// A workbook in a ZIP lies on the disk while it is read: it has a limit of its own.
	defer func(was int64) { maxInner = was }(maxInner)
	book := importstest.Workbook([]string{"email"}, []string{"bea@example.org"})
	for most, want := range map[int64]Counts{int64(len(book)): {Rows: 2, New: 1, Unchanged: 1}, int64(len(book)) - 1: {Rows: 2, Unchanged: 1, Skipped: 1}} {
		maxInner = most
		r = d.run(string(importstest.ZIP(people, importstest.Named{Name: "zz.xlsx", Content: book})), RunOptions{DryRun: true})
		if d.want("a large workbook in a ZIP", r.Counts, want); (r.Skipped > 0) != strings.Contains(bad(r), "unpacks to far more") {
			t.Errorf("%q", bad(r))
		}
	}
	// Bytes changed in the middle of what is packed.
	torn := importstest.ZIP(people, importstest.Named{Name: "zz.csv", Content: []byte("email\n" + big(500))})
	copy(torn[bytes.Index(torn, []byte("zz.csv"))+200:], "torn here")
	if r = d.run(string(torn), RunOptions{}); r.Unchanged != 1 || !strings.Contains(bad(r), "damaged") {
		t.Errorf("%+v", r.Counts)
	}
	var rows strings.Builder
	rows.WriteString(`<worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>email</t></is></c></row>`)
	for i := range 1_000_000 {
		fmt.Fprintf(&rows, `<row r="%d"><c r="A%d" s="1"/></row>`, i+2, i+2)
	}
	rows.WriteString(`<row r="1000002"><c r="A1000002" t="inlineStr"><is><t>last@example.org</t></is></c></row></sheetData></worksheet>`)
	if r = d.run(string(importstest.Sheet(rows.String())), RunOptions{}); r.Rows != 1 || r.New != 1 {
		t.Errorf("a million empty rows: %+v", r.Counts)
	}
	texts := importstest.Named{Name: "xl/sharedStrings.xml", Content: []byte("<sst>" + strings.Repeat("<si><t>"+strings.Repeat("x", 1000)+"</t></si>", 110_000) + "</sst>")}
	deep := `<worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>email</t></is></c></row>` + strings.Repeat("<a>", 100_000) + `</sheetData></worksheet>`
	if r = d.run(string(importstest.Sheet(deep)), RunOptions{}); r.Rows != 0 {
		t.Errorf("a deep one: %+v", r.Counts)
	}
	for name, c := range map[string]struct {
		file []byte
		key  string
	}{
		"texts without end":   {importstest.Sheet(deep, texts), "error.import_b"},
		"no list in it":       {importstest.ZIP(importstest.Named{Name: "x.png", Content: []byte("x")}), "error.import_zip_empty"},
		"a ZIP in a ZIP":      {importstest.ZIP(importstest.Named{Name: "x.zip", Content: good}), "error.import_zip_empty"},
		"half of a ZIP":       {good[:len(good)/2], "error.import_archive"},
		"no directory":        {append([]byte("PK\x03\x04"), make([]byte, 3000)...), "error.import_archive"},
		"a directory too big": {append([]byte("PK\x03\x04"), append(make([]byte, 3<<20), []byte("PK\x05\x06\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f\x00\x00\x00\x00\x00\x00")...)...), "error.import_bomb"},
		"too many files":      {importstest.ZIP(slices.Repeat([]importstest.Named{people}, maxMembers+1)...), "error.import_zip_many"},
	} {
		_, err := d.Run(context.Background(), actor.TheSystem(), bytes.NewReader(c.file), RunOptions{Locale: "en"}, nil)
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != fault.Invalid || !strings.HasPrefix(e.Key, c.key) {
			t.Errorf("%s: %v, want %s", name, err, c.key)
		}
	}
}

// endless gives size bytes of a list and counts what it gave.
type endless struct {
	head string
	line []byte
	left int64
	at   int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	n := 0
	if e.head != "" {
		n = copy(p, e.head)
		e.head = e.head[n:]
	}
	for n < len(p) && e.left > 0 {
		c := copy(p[n:], e.line[e.at:])
		n, e.left, e.at = n+c, e.left-int64(c), (e.at+c)%len(e.line)
	}
	return n, nil
}

// TestTwoGigabytes: memory does not grow with a file, whatever is in it.
func TestTwoGigabytes(t *testing.T) {
	if testing.Short() {
		t.Skip("two gigabytes take a while")
	}
	var peak atomic.Uint64
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				peak.Store(max(peak.Load(), live()))
			}
		}
	}()
	runtime.GC()
	before := live()
	d := newDesk(t, testdb.SQLite(t))
	const gigabytes = 2 << 30
	for _, c := range []struct {
		name string
		line []byte
		size int64
		want func(Counts) bool
	}{
		{"one line", bytes.Repeat([]byte("x"), 1<<20), gigabytes, func(c Counts) bool { return c.Rows == 1 && c.Skipped == 1 }},
		{"nothing at all", bytes.Repeat([]byte("\n"), 1<<16), gigabytes, func(c Counts) bool { return c.Rows == 0 }},
		{"long notes", []byte("a@example.org,\"" + strings.Repeat("x", 60<<10) + "\"\n"), gigabytes / 8, func(c Counts) bool { return c.New == 1 && c.Unchanged > 4000 }},
		{"open quotes", []byte("b@example.org,\"" + strings.Repeat("x", 100<<10) + "\n"), gigabytes / 8, func(c Counts) bool { return c.Rows > 2000 && c.Skipped == c.Rows }},
	} {
		r, err := d.Run(context.Background(), actor.TheSystem(), &endless{head: "email,shoe\n", line: c.line, left: c.size}, RunOptions{Locale: "en", DryRun: true}, nil)
		if err != nil {
			t.Fatal(c.name, err)
		}
		if !c.want(r.Counts) {
			t.Errorf("%s: %+v", c.name, r.Counts)
		}
	}
	close(done)
	if grown := int64(peak.Load()) - int64(before); grown > 60<<20 {
		t.Errorf("what the heap holds grew by %d MB", grown>>20)
	}
	t.Logf("what the heap holds grew by %d MB", (int64(peak.Load())-int64(before))>>20)
}

// live returns the bytes that the last collection of garbage found in use. What waits to be collected says more about the machine than about
// the import.
func live() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// TestAChapterKeepsToItsOwn: an import by a chapter's account makes and fills people of that chapter only, and no figure tells
// that somebody is known elsewhere.
func TestAChapterKeepsToItsOwn(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		d, ctx := newDesk(t, db), context.Background()
		north := models.Chapter{ID: models.NewID(), Slug: "north", Name: "North Shore", CreatedAt: start, UpdatedAt: start}
		south := models.Chapter{ID: models.NewID(), Slug: "south", Name: "South", CreatedAt: start, UpdatedAt: start}
		if err := errors.Join(db.Create(&north).Error, db.Create(&south).Error); err != nil {
			t.Fatal(err)
		}
		r := d.run("email,chapter\nsouth@example.org,South\nnobody@example.org,\nnorth@example.org,NORTH shore\nx@example.org,East\ngone@example.org,south\n", RunOptions{})
		d.want("the whole organisation", r.Counts, Counts{Rows: 5, New: 4, Skipped: 1})
		m, _ := d.mailbox("gone@example.org")
		erase(t, db, m)

		a := organizer()
		a.ChapterID = north.ID
		file := "email,first name,phone,tags,status\nsouth@example.org,Sue,617 555 0101,x,\nnobody@example.org,Ned,,,unsubscribed\nnorth@example.org,Nora,,,\nnew@example.org,New,,,\ngone@example.org,Gone,,,\n"
		for _, dry := range []bool{true, false} {
			var bad bytes.Buffer
			r, err := d.Run(ctx, a, strings.NewReader(file), RunOptions{Locale: "en", DryRun: dry, Basis: newsletter, Errors: &bad}, nil)
			if err != nil {
				t.Fatal(err)
			}
			d.want("a chapter", r.Counts, Counts{Rows: 5, New: 1, Updated: 1, Unchanged: 3, Consents: 2})
			if len(r.Bad) != 0 || strings.Contains(bad.String(), "@") {
				t.Errorf("told: %v %s", r.Bad, bad.String())
			}
		}
		for address, chapter := range map[string]string{"south@example.org": south.ID.String(), "north@example.org": north.ID.String(), "new@example.org": north.ID.String(), "nobody@example.org": "<nil>"} {
			m, yes := d.mailbox(address)
			var s models.Supporter
			if err := db.Take(&s, "id = ?", m.SupporterID).Error; err != nil {
				t.Fatal(err)
			}
			got := "<nil>"
			if s.ChapterID != nil {
				got = s.ChapterID.String()
			}
			foreign := address[0] == 's' || address[1] == 'o' && address[2] == 'b'
			if got != chapter || m.SuppressedAt != nil || foreign && (s.GivenNameSealed != nil || len(yes) != 0) {
				t.Errorf("%s: chapter %s, %+v, %d consents", address, got, m, len(yes))
			}
		}
		var phones, tags int64
		if err := errors.Join(db.Table("phones").Count(&phones).Error, db.Table("taggings").Count(&tags).Error); err != nil || phones+tags != 0 {
			t.Errorf("%d phones, %d tags of somebody else's people", phones, tags)
		}
		// What needs the whole organisation, and imports of others.
		for _, m := range []Mapping{{0: Email, 1: Chapter}, {0: Email, 1: NewField(models.FieldText)}} {
			if _, err := d.Run(ctx, a, strings.NewReader(file), RunOptions{Locale: "en", Mapping: m}, nil); !fault.Is(err, fault.Invalid) {
				t.Errorf("%v: %v", m, err)
			}
		}
		id, err := d.Upload(ctx, organizer(), UploadInput{Content: strings.NewReader(file), Locale: "en"})
		if err != nil {
			t.Fatal(err)
		}
		_, err1 := d.Get(ctx, a, id)
		_, _, err2 := d.Preview(ctx, a, id)
		_, err3 := d.ErrorFile(ctx, a, id)
		for i, err := range []error{err1, err2, err3, d.Check(ctx, a, id, CheckInput{Mapping: Mapping{0: Email}}), d.Start(ctx, a, id), d.Resume(ctx, a, id), d.CountElsewhere(ctx, a, id, id)} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("another's import, %d: %v", i, err)
			}
		}
	})
}

// TestFieldsTagsAndNotes: what lies beside the record is added once, never written over, and private where it is private.
func TestFieldsTagsAndNotes(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		d := newDesk(t, db)
		private := models.CustomField{ID: models.NewID(), Name: "diet", Label: "Diet", Kind: models.FieldText, Private: true, SeenBy: "organizer", CreatedAt: start, UpdatedAt: start}
		size := models.CustomField{ID: models.NewID(), Name: "size", Label: "Size", Kind: models.FieldNumber, SeenBy: "organizer", CreatedAt: start, UpdatedAt: start}
		if err := errors.Join(db.Create(&private).Error, db.Create(&size).Error); err != nil {
			t.Fatal(err)
		}
		o := RunOptions{Mapping: Mapping{0: Email, 1: CustomField(private.ID), 2: CustomField(size.ID), 3: Tags, 4: Note, 5: Phone, 6: Phone}}
		head := "email,diet,size,tags,note,phone,phone 2\n"
		one := head + "a@example.org,no nuts,38,\"x, Y, x\",hello,617 555 0101,(617) 555-0101\na@example.org,,,z,hello,,617 555 0102\nb@example.org,,not a number,,,,\n"
		want := Counts{Rows: 3, New: 1, Updated: 1, Skipped: 1}
		o.DryRun = true
		d.want("dry", d.run(one, o).Counts, want)
		o.DryRun = false
		d.want("first", d.run(one, o).Counts, want)
		two := head + "a@example.org,all nuts,40,y,hello,617 555 0101,\n"
		d.want("nothing new", d.run(two, o).Counts, Counts{Rows: 1, Unchanged: 1})
		three := head + "a@example.org,,,w,other,,\n"
		o.DryRun = true
		d.want("more, dry", d.run(three, o).Counts, Counts{Rows: 1, Updated: 1})
		o.DryRun = false
		d.want("more", d.run(three, o).Counts, Counts{Rows: 1, Updated: 1})
		if tags := d.tagsOf("a@example.org"); !slices.Equal(tags, []string{"Y", "w", "x", "z"}) && !slices.Equal(tags, []string{"w", "x", "Y", "z"}) {
			t.Errorf("%q", tags)
		}
		if p := d.person("a@example.org"); len(p.Phones) != 2 {
			t.Errorf("%+v", p.Phones)
		}
		var values []models.FieldValue
		if err := db.Order("number_value").Find(&values).Error; err != nil || len(values) != 2 {
			t.Fatalf("%+v, %v", values, err)
		}
		for _, v := range values {
			s, err := supporters.FieldValue(d.Vault, v)
			if err != nil || v.FieldID == private.ID && (s != "no nuts" || v.TextValue != "" || v.ValueSealed == nil) || v.FieldID == size.ID && (s != "38" || *v.NumberValue != 38) {
				t.Errorf("%+v: %q, %v", v, s, err)
			}
		}
		var notes int64
		if err := db.Table("notes").Count(&notes).Error; err != nil || notes != 2 {
			t.Errorf("%d notes, %v", notes, err)
		}
		// Somebody took the wrong column for tags.
		var names strings.Builder
		names.WriteString("email,tags\n")
		for i := range maxFreshTags + 10 {
			fmt.Fprintf(&names, "p%d@example.org,tag %d\n", i, i)
		}
		if _, err := d.Run(context.Background(), actor.TheSystem(), strings.NewReader(names.String()), RunOptions{DryRun: true, Locale: "en"}, nil); !fault.Is(err, fault.Invalid) {
			t.Errorf("too many tags: %v", err)
		}
	})
}

// An upload that breaks off, or is no list, leaves nothing in the store.
func TestAnUploadThatFailsLeavesNothing(t *testing.T) {
	d, ctx, a := newDesk(t, testdb.SQLite(t)), context.Background(), organizer()
	broken := io.MultiReader(strings.NewReader("email\n"+strings.Repeat("a@example.org\n", 500_000)), &failing{})
	if _, err := d.Upload(ctx, a, UploadInput{Content: broken, Locale: "en"}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("broken off: %v", err)
	}
	for name, content := range map[string]io.Reader{
		"no list":   strings.NewReader("%PDF-1.7 and so on"),
		"no people": strings.NewReader("email\n"),
		"too large": &endless{head: "email\n", line: []byte("a@example.org\n"), left: MaxUpload},
	} {
		if _, err := d.Upload(ctx, a, UploadInput{Content: content, Locale: "en"}); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var left []string
	if err := filepath.WalkDir(d.folder, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			left = append(left, path)
		}
		return err
	}); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
