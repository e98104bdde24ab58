package packs

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/organisation"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 23, 10, 0, 0, 0, time.UTC)

type world struct {
	*Service
	t     testing.TB
	ctx   context.Context
	asked []RunArgs
	boss  actor.Actor
}

func newWorld(t testing.TB, db *database.DB) *world {
	t.Helper()
	v, clk := vault.New(vault.NewKey()), clock.NewFixed(start)
	blobs, err := files.NewFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	org := organisation.New(db, v, clk)
	if _, err := org.Ensure(context.Background()); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, ctx: context.Background(), boss: actor.TheSystem()}
	w.Service = New(Options{
		DB: db, Clock: clk, Files: files.New(db, v, clk, blobs), Organisation: org, BaseURL: "https://act.example.org",
		Enqueue: func(_ context.Context, _ *gorm.DB, a river.JobArgs) error {
			w.asked = append(w.asked, a.(RunArgs))
			return nil
		},
		Words: Words{
			Text: func(_, key string, args ...any) string {
				if key == "pack.supporter" {
					return "A supporter"
				}
				return strings.TrimSpace(fmt.Sprintln(append([]any{key}, args...)...))
			}, Date: func(_ string, t time.Time) string { return t.Format("2 January 2006") },
			Number: func(_ string, n int64) string { return fmt.Sprint(n) },
		},
	})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%+v", err)
	}
}

// petition makes a public one with signatures, in their order, and its tallies by place.
func (w *world) petition(sigs []models.Signature) models.Petition {
	w.t.Helper()
	db := w.DB.WithContext(w.ctx)
	c := models.Campaign{ID: models.NewID(), Slug: "c", Title: "C", State: models.CampaignPublished, CreatedAt: start, UpdatedAt: start}
	w.must(db.Create(&c).Error)
	p := models.Petition{
		ID: models.NewID(), CampaignID: c.ID, Slug: "twenty-visits", State: models.PetitionClosed, Title: "Twenty visits", Summary: "We ask for twenty.", Body: "Most plans **stop** after six.",
		Decider: "House Health Committee", WhyNow: "The hearing.", SystemChange: "Twenty a year.", Goal: 100, Locale: "en", PublishedAt: &start, ClosedAt: &start,
		SignatureCount: len(sigs), PaperCount: 12, LegacyCount: 40, LegacySource: "a list of 2026", CreatedAt: start, UpdatedAt: start, Revision: 1,
	}
	w.must(db.Create(&p).Error)
	places := map[string]int{}
	for i := range sigs {
		g := &sigs[i]
		at := start.Add(time.Duration(i) * time.Second)
		g.ID, g.PetitionID, g.State, g.ConfirmedAt, g.CreatedAt, g.ExpiresAt, g.Locale = models.NewID(), p.ID, models.SignatureConfirmed, &at, at, at, "en"
		places[g.PostalArea]++
	}
	for part := range slices.Chunk(sigs, 500) {
		w.must(db.Omit("MailboxID").Create(&part).Error)
	}
	for name, n := range places {
		w.must(db.Create(&models.PetitionTally{PetitionID: p.ID, Kind: models.TallyPlace, Name: name, Signed: n, Confirmed: n}).Error)
	}
	return p
}

// made makes the pack that was asked for and returns its files.
func (w *world) made(p models.Petition, comments ...uuid.UUID) (map[string][]byte, Pack) {
	w.t.Helper()
	id, err := w.Ask(w.ctx, w.boss, p.ID, comments)
	w.must(err)
	w.must(w.run(w.ctx, id, false))
	rc, k, err := w.Open(w.ctx, w.boss, p.ID, id)
	w.must(err)
	b, err := io.ReadAll(rc)
	w.must(errors.Join(err, rc.Close()))
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	w.must(err)
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		w.must(err)
		out[f.Name], err = io.ReadAll(r)
		w.must(errors.Join(err, r.Close()))
	}
	return out, k
}

var hard = []string{"Nguyễn Thị Ánh", "李明", "محمد العربي", "דוד כהן", "Zoë Ångström", "=HYPERLINK(1)"}

func TestAPackHoldsWhatItsSignersAllowed(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		var sigs []models.Signature
		for _, name := range hard {
			sigs = append(sigs, models.Signature{Display: models.DisplayName, DisplayName: name, PostalArea: "00209"})
		}
		for i := range 12 {
			sigs = append(sigs, models.Signature{Display: models.DisplayInitials, DisplayName: fmt.Sprintf("June %c.", 'A'+i), PostalArea: "00209", CommentState: models.CommentShown, CommentShown: fmt.Sprintf("Words number %d", i)})
		}
		sigs = append(sigs, models.Signature{Display: models.DisplayAnonymous, GivenNameSealed: []byte("hidden"), PostalArea: "00777", CommentState: models.CommentHidden})
		p := w.petition(sigs)
		got, k := w.made(p, sigs[7].ID, sigs[18].ID, uuid.New())

		var m manifest
		w.must(json.Unmarshal(got[manifestName], &m))
		if m.Counts != (counts{Total: 31, Confirmed: 19, Paper: 12, ByName: 6, ByInitials: 12, Anonymous: 1, Legacy: 40, LegacySource: "a list of 2026"}) || m.Counts.Total != p.Total() {
			t.Errorf("counts: %+v", m.Counts)
		}
		if len(m.Files) != 2 {
			t.Fatalf("files: %+v", m.Files)
		}
		for _, f := range m.Files {
			sum := sha256.Sum256(got[f.Name])
			if hex.EncodeToString(sum[:]) != f.SHA256 || int64(len(got[f.Name])) != f.Size {
				t.Errorf("%s is not what the manifest says", f.Name)
			}
		}
		rows, err := csv.NewReader(bytes.NewReader(got[csvName])).ReadAll()
		w.must(err)
		if len(rows) != 20 || !slices.Equal(rows[1], []string{"1", hard[0], "00209", "2027-02-23"}) || rows[6][1] != "'=HYPERLINK(1)" || !slices.Equal(rows[19], []string{"19", "A supporter", "", "2027-02-23"}) {
			t.Errorf("%d rows: %q", len(rows), rows)
		}
		if k.SignatureCount != 19 {
			t.Errorf("%+v", k)
		}
		if dir := os.Getenv("PACK_OUT"); dir != "" {
			w.must(os.WriteFile(filepath.Join(dir, "pack.pdf"), got[pdfName], 0o600))
		}
		if words := pdfText(t, got[pdfName]); words != "" {
			for _, want := range []string{hard[0], hard[1], hard[4], "June A.", "June L.", "A supporter", "00209", "Words number 1"} {
				if !strings.Contains(words, want) {
					t.Errorf("the PDF does not say %q", want)
				}
			}
			for _, never := range []string{"00777", "hidden", "Words number 2"} {
				if strings.Contains(words, never) {
					t.Errorf("the PDF says %q", never)
				}
			}
		}
		for _, action := range []string{"pack.ask", "pack.finish", "pack.fetch"} {
			var n int64
			w.must(db.Model(&models.AuditEntry{}).Where("action = ?", action).Count(&n).Error)
			if n != 1 {
				t.Errorf("%s stands %d times in the log", action, n)
			}
		}
		if _, err := w.Ask(w.ctx, actor.Actor{Kind: actor.User, Role: actor.Organizer, OneStep: true}, p.ID, nil); !fault.Is(err, fault.Forbidden) {
			t.Errorf("without a second step: %v", err)
		}
		if _, err := w.Ask(w.ctx, actor.Actor{Kind: actor.User, Role: actor.Organizer, ChapterID: uuid.New()}, p.ID, nil); !fault.Is(err, fault.Forbidden) {
			t.Errorf("of a chapter: %v", err)
		}
	})
}

// many districts with long names of many scripts stand in the table with their numbers; small ones are one line.
func TestDistrictsOfAPack(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.petition([]models.Signature{{Display: models.DisplayName, DisplayName: "June Okafor", PostalArea: "00209"}})
		names := append([]string{
			"The United Counties of Wennick, Harrow Bay and the Outer Islands, including the former boroughs of North and South Ferry", "Quận Nguyễn Thị Ánh", "港湾第七选区", "دائرة الميناء الشمالية", "מחוז הנמל הצפוני",
		}, hard...)
		for i := len(names); i < 60; i++ {
			names = append(names, fmt.Sprintf("House District %d", i+1))
		}
		var sum, small int
		for i, name := range names {
			d := models.Division{
				ID: models.NewID(), OCDID: fmt.Sprintf("ocd-division/country:us/state:wn/sldl:%d", i+1), Name: name, Country: "US", Region: "WN", Kind: models.DivisionLower, Version: "test", CreatedAt: start, UpdatedAt: start,
			}
			n := 1000 - 16*i
			if i >= 56 {
				n = i - 50
				small += n
			}
			sum += n
			w.must(db.Create(&d).Error)
			w.must(db.Create(&models.PaperCount{ID: models.NewID(), PetitionID: p.ID, DivisionID: &d.ID, Count: n, CollectedAt: start, CreatedAt: start}).Error)
		}
		w.must(db.Exec("UPDATE petitions SET paper_count = ?, district_kind = 'sldl' WHERE id = ?", sum, p.ID).Error)
		got, _ := w.made(p)
		var m manifest
		w.must(json.Unmarshal(got[manifestName], &m))
		told := 0
		for _, r := range m.Districts.Rows {
			told += r.Count
		}
		if len(m.Districts.Rows) != 56 || told != sum-small || m.Districts.NotShown != small+1 || m.Counts.Total != sum+1 {
			t.Errorf("%d rows, %d and %d of %d", len(m.Districts.Rows), told, m.Districts.NotShown, m.Counts.Total)
		}
		if dir := os.Getenv("PACK_OUT"); dir != "" {
			w.must(os.WriteFile(filepath.Join(dir, "districts.pdf"), got[pdfName], 0o600))
		}
		words := pdfText(t, got[pdfName])
		if words == "" {
			return
		}
		for _, r := range m.Districts.Rows {
			if name := r.Name; !strings.ContainsAny(name, "مי=,") && !strings.Contains(words, name) { // right-to-left ones come out reordered, a long one in lines
				t.Errorf("the PDF does not name %s", name)
			}
			if !regexp.MustCompile(fmt.Sprintf(`(?m)\s%d\s*$`, r.Count)).MatchString(words) {
				t.Errorf("the PDF does not say %d of %s", r.Count, r.Name)
			}
		}
		if !regexp.MustCompile(fmt.Sprintf(`(?m)pack.not_shown\s+%d\s*$`, small+1)).MatchString(words) {
			t.Error("the PDF does not say how many are not told")
		}
	})
}

// pdfText is what a PDF says, "" where there is nothing to read it with.
func pdfText(t *testing.T, pdf []byte) string {
	t.Helper()
	tool, err := exec.LookPath("pdftotext")
	if err != nil {
		return ""
	}
	cmd := exec.Command(tool, "-layout", "-", "-")
	cmd.Stdin = bytes.NewReader(pdf)
	b, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A hundred thousand signatures take less than 150 MB.
func TestALargePackStaysSmallInMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes its time")
	}
	w := newWorld(t, testdb.SQLite(t))
	many := func() []models.Signature { // in a function of its own, so that they are gone when it is measured
		sigs := make([]models.Signature, 100_000)
		for i := range sigs {
			sigs[i] = models.Signature{Display: models.DisplayName, DisplayName: fmt.Sprintf("June Okafor %d", i), PostalArea: fmt.Sprintf("%05d", i%300)}
		}
		return sigs
	}
	p := w.petition(many())
	runtime.GC()
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		var peak uint64
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				most <- peak
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				peak = max(peak, m.HeapInuse)
			}
		}
	}()
	began := time.Now()
	id, err := w.Ask(w.ctx, w.boss, p.ID, nil)
	w.must(err)
	w.must(w.run(w.ctx, id, false))
	close(stop)
	peak := <-most
	t.Logf("%s, %d MB", time.Since(began).Round(time.Millisecond), peak>>20)
	if peak > 150<<20 {
		t.Errorf("%d MB", peak>>20)
	}
}
