package journey

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"kithline/campaigns/petitions"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// atOnce does n things, 32 at a time.
func atOnce(t *testing.T, n int, do func(i int) error) {
	t.Helper()
	next := make(chan int)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

// TestExactly: a thousand forms, 40 of them a second time and 10 that nobody confirms, are 950 wherever they are counted.
func TestExactly(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx := context.Background()
		p, boss := factory.Petition(t, a, "Twenty visits"), a.Owner(t)
		districts(t, a)
		if err := a.Petitions.SetDistrictKind(ctx, factory.Owner(t, a), p.ID, models.DivisionLower); err != nil {
			t.Fatal(err)
		}
		// So many of twenty are from each area; that before the last lies in two districts, the last in none.
		var areas []string
		for area, n := range map[string]int{"00209": 7, "00210": 5, "00212": 3, "00213": 2, "00211": 2, "00300": 1} {
			areas = append(areas, slices.Repeat([]string{area}, n)...)
		}
		slices.Sort(areas)
		ins := make([]petitions.SignInput, 1000)
		for i := range ins {
			n := i
			if i >= 960 {
				n = i - 960 // a duplicate, typed in another way
			}
			ins[i] = petitions.SignInput{
				Slug: p.Slug, GivenName: "June", FamilyName: fmt.Sprintf("Okafor%c%c", 'a'+n%26, 'a'+n/26%26), Email: fmt.Sprintf("p%d@example.org", n), PostalCode: areas[n%20],
				Display: []string{"name", "initials", "anonymous"}[n%3], Locale: "en", Source: []string{"", "qr", "mail"}[n%3],
			}
			if i >= 960 {
				ins[i].Email, ins[i].GivenName = fmt.Sprintf(" P%d@EXAMPLE.org ", n), "JUNE"
			}
		}
		atOnce(t, 1000, func(i int) error { _, err := a.Petitions.Sign(ctx, ins[i]); return err })
		var boxes []models.Mailbox
		// The ten last signers never press the button.
		if err := a.DB.Joins("JOIN signatures s ON s.mailbox_id = mailboxes.id").Where("s.petition_id = ?", p.ID).Order("s.created_at, s.id").Find(&boxes).Error; err != nil || len(boxes) != 960 {
			t.Fatalf("%d signatures of 1,000 forms, %v", len(boxes), err)
		}
		atOnce(t, 950, func(i int) error {
			_, err := a.Petitions.Confirm(ctx, a.Signer.Make(tokens.Confirm, boxes[i].ID, a.Clock.Now().AddDate(0, 0, 7)), nil)
			return err
		})
		by, shownAs := map[string]int{}, map[models.Display]int{}
		var sigs []models.Signature
		if err := a.DB.Select("postal_area", "display").Where("petition_id = ? AND state = 'confirmed'", p.ID).Find(&sigs).Error; err != nil {
			t.Fatal(err)
		}
		for _, sig := range sigs {
			by[sig.PostalArea]++
			shownAs[sig.Display]++
		}

		// The rows, and what is kept beside them.
		var row models.Petition
		if err := a.DB.Take(&row, "id = ?", p.ID).Error; err != nil || row.Total() != 950 || row.SignatureCount != 950 || row.PendingCount != 10 || len(sigs) != 950 {
			t.Errorf("%d confirmed, %d wait, %d rows, %v", row.SignatureCount, row.PendingCount, len(sigs), err)
		}
		var numbers int64
		if err := a.DB.Raw("SELECT COUNT(DISTINCT number) FROM signatures WHERE number BETWEEN 1 AND 950").Scan(&numbers).Error; err != nil || numbers != 950 {
			t.Errorf("%d numbers, %v", numbers, err)
		}
		for _, kind := range []models.TallyKind{models.TallyHour, models.TallySource, models.TallyPlace} {
			rows, err := petitions.Tallies(ctx, a.DB.DB, p.ID, kind)
			signed, confirmed := 0, 0
			for _, r := range rows {
				signed, confirmed = signed+r.Signed, confirmed+r.Confirmed
			}
			if err != nil || signed != 960 || confirmed != 950 {
				t.Errorf("%s: %d, %d, %v", kind, signed, confirmed, err)
			}
		}
		for kind, want := range map[string]int64{petitions.KindReceipt: 950, petitions.KindConfirm: 960} {
			var n int64
			if err := a.DB.Model(&models.Delivery{}).Where("kind = ?", kind).Count(&n).Error; err != nil || n != want {
				t.Errorf("%d mails %s, not %d; %v", n, kind, want, err)
			}
		}
		if n, err := a.Petitions.Recount(ctx); err != nil || n != 0 {
			t.Errorf("a recount repairs %d, %v", n, err)
		}

		// What everybody reads.
		public, reader := "/petitions/"+p.Slug, a.Client(t)
		if n := count(t, a, public); n != 950 {
			t.Errorf("the figures: %d", n)
		}
		for path, want := range map[string]string{public: "950 people have signed", public + "/embed": "950", "/petitions": "950 people have signed"} {
			if text := reader.Get(path).Want(200).Text("main"); !strings.Contains(text, want) {
				t.Errorf("%s: %s", path, text)
			}
		}
		if badge := reader.Get(public + "/badge.svg").Want(200); !strings.Contains(string(badge.Body), ">950</text>") {
			t.Errorf("the badge: %s", badge.Body)
		}
		if report := boss.Get("/admin/petitions/" + p.ID.String()).Want(200); report.Text("[data-live-n='confirmed']") != "950" || report.Text("[data-live-n='pending']") != "10" {
			t.Errorf("the report: %s", report.Text("dl.figures"))
		}
		type district struct {
			Name  string `json:"name"`
			Count int    `json:"signature_count"`
		}
		var figures struct {
			SignatureCount int        `json:"signature_count"`
			NotShown       int        `json:"not_shown"`
			Districts      []district `json:"districts"`
		}
		if err := json.Unmarshal(reader.Get(public+"/districts.json").Want(200).Body, &figures); err != nil {
			t.Fatal(err)
		}
		// The third district has nobody, so the smallest of the others, the fifth, is not told either.
		shown := figures.NotShown
		for _, d := range figures.Districts {
			if want := by[map[string]string{"House District 1": "00209", "House District 2": "00210", "House District 4": "00212"}[d.Name]]; d.Count != want {
				t.Errorf("%s: %d, not %d", d.Name, d.Count, want)
			}
			shown += d.Count
		}
		if figures.SignatureCount != 950 || shown != 950 || len(figures.Districts) != 3 {
			t.Errorf("by district: %+v", figures)
		}

		// What is handed over: a list, a PDF and a manifest that agree.
		handover := "/admin/petitions/" + p.ID.String() + "/handover"
		page := boss.Get(handover).Want(200).Submit("form[action$='/packs'] button", nil).Want(200)
		for !page.Has("main form[action$='/file']") {
			pause(t)
			page = boss.Get(handover).Want(200)
		}
		files := unzipped(t, page.Submit("main form[action$='/file'] button", nil).Want(200).Body)
		var manifest struct {
			Counts struct {
				Total      int `json:"total"`
				Confirmed  int `json:"confirmed"`
				ByName     int `json:"shown_by_name"`
				ByInitials int `json:"shown_by_initials"`
				Anonymous  int `json:"anonymous"`
			} `json:"counts"`
			Districts struct {
				NotShown int `json:"not_shown"`
				Rows     []struct {
					Name  string `json:"name"`
					Count int    `json:"count"`
				} `json:"rows"`
			} `json:"districts"`
			Files []struct {
				Name, SHA256 string
				Size         int
			} `json:"files"`
		}
		if err := json.Unmarshal(files["manifest.json"], &manifest); err != nil {
			t.Fatal(err)
		}
		m := manifest.Counts
		if m.Total != 950 || m.Confirmed != 950 || m.ByName != shownAs[models.DisplayName] || m.ByInitials != shownAs[models.DisplayInitials] || m.Anonymous != shownAs[models.DisplayAnonymous] {
			t.Errorf("the manifest: %+v", m)
		}
		var rows []district
		for _, r := range manifest.Districts.Rows {
			rows = append(rows, district{r.Name, r.Count})
		}
		if fmt.Sprint(rows) != fmt.Sprint(figures.Districts) || manifest.Districts.NotShown != figures.NotShown {
			t.Errorf("districts of the pack: %+v; of the page: %+v", manifest.Districts, figures)
		}
		for _, f := range manifest.Files {
			if sum := sha256.Sum256(files[f.Name]); hex.EncodeToString(sum[:]) != f.SHA256 || len(files[f.Name]) != f.Size {
				t.Errorf("%s is not what the manifest says", f.Name)
			}
		}
		lines, err := csv.NewReader(bytes.NewReader(files["signatures.csv"])).ReadAll()
		if err != nil || len(lines) != 951 || lines[950][0] != "950" {
			t.Errorf("%d lines in the pack, %v", len(lines), err)
		}
		if tool, err := exec.LookPath("pdftotext"); err == nil {
			cmd := exec.Command(tool, "-layout", "-", "-")
			cmd.Stdin = bytes.NewReader(files["petition.pdf"])
			text, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			listed := regexp.MustCompile(`(?m)^\s*\d+\s+(June |A supporter).*\d{4}-\d\d-\d\d\s*$`).FindAll(text, -1)
			if len(listed) != 950 || !regexp.MustCompile(`(?m)^\s*Signatures\s+950\s*$`).Match(text) {
				t.Errorf("%d lines in the PDF: %.1500s", len(listed), text)
			}
			for _, d := range figures.Districts {
				if !regexp.MustCompile(`(?m)^\s*` + d.Name + `\s+` + fmt.Sprint(d.Count) + `\b`).Match(text) {
					t.Errorf("%s is not in the PDF", d.Name)
				}
			}
		}

		// What is exported.
		export := boss.Get("/admin/exports?petition="+p.ID.String()).Submit(`form[action="/admin/exports/signatures"] button`, map[string]string{"format": "csv"}).Want(200)
		for !export.Has(`main form[action$="/file"]`) {
			pause(t)
			export = boss.Get(export.Path).Want(200)
		}
		lines, err = csv.NewReader(bytes.NewReader(export.Submit(`main form[action$="/file"] button`, nil).Want(200).Body)).ReadAll()
		if err != nil || len(lines) != 951 {
			t.Errorf("%d lines in the export, %v", len(lines), err)
		}
	})
}

// unzipped are the files of an archive.
func unzipped(t *testing.T, b []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if out[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
