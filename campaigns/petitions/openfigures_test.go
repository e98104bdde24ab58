package petitions

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"kithline/campaigns/actor"
	"kithline/campaigns/divisions"
	"kithline/models"
)

var update = flag.Bool("update", false, "write docs/open-figures.md anew")

// TestOpenFiguresPageIsCurrent: docs/open-figures.md describes every field, in the words that stand beside it, and shows an example.
func TestOpenFiguresPageIsCurrent(t *testing.T) {
	const page, begin = "../../docs/open-figures.md", "<!-- from here on generated: make generate -->\n"
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(have), begin)
	if !ok {
		t.Fatalf("%s does not say where the generated part begins", page)
	}
	for _, word := range []string{fmt.Sprintf("at least %d signed", divisions.Least), "/petitions/SLUG.json", "/petitions/SLUG/districts.json", fmt.Sprintf("the last %d days", figureDays)} {
		if !strings.Contains(head, word) {
			t.Errorf("%s does not say %q", page, word)
		}
	}
	f, err := parser.ParseFile(token.NewFileSet(), "openfigures.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	about := map[string]string{} // by type and field
	ast.Inspect(f, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if st, ok := spec.Type.(*ast.StructType); ok {
				for _, field := range st.Fields.List {
					about[spec.Name.Name+"."+field.Names[0].Name] = strings.TrimSpace(field.Comment.Text())
				}
			}
		}
		return true
	})
	at := func(month time.Month, day int) *time.Time {
		d := time.Date(2027, month, day, 15, 0, 0, 0, time.UTC)
		return &d
	}
	const url = "https://act.example.org/petitions/twenty-visits"
	want := head + begin
	for _, part := range []struct {
		title   string
		of      []any
		example any
	}{
		{"/petitions/SLUG.json", []any{Figures{}, DayCount{}}, Figures{
			Slug: "twenty-visits", Title: "Twenty visits", State: "published", Decider: "House Health Committee", Locale: "en", URL: url, PublishedAt: at(2, 1), DeadlineAt: at(3, 31), Goal: 5000,
			SignatureCount: 1362, ConfirmedCount: 1250, PaperCount: 112, LegacyCount: 40, LegacySource: "the list of 2024", TimeZone: "America/New_York", Days: []DayCount{{"2027-02-01", 31}, {"2027-02-02", 47}},
		}},
		{"/petitions/SLUG/districts.json", []any{DistrictFigures{}, DistrictCount{}}, DistrictFigures{
			Slug: "twenty-visits", URL: url, Kind: "sldl", SignatureCount: 1362, Least: divisions.Least, NotShown: 1242, Districts: []DistrictCount{
				{"ocd-division/country:us/state:wk/sldl:4", "House District 4", 71}, {"ocd-division/country:us/state:wk/sldl:12", "House District 12", 49},
			},
		}},
	} {
		want += "\n## `" + part.title + "`\n"
		for i, v := range part.of {
			typ := reflect.TypeOf(v)
			if i > 0 {
				want += "\nEach of `" + strings.ToLower(strings.TrimSuffix(typ.Name(), "Count")) + "s`:\n"
			}
			want += "\n| Field | About |\n|---|---|\n"
			for field := range typ.Fields() {
				says := about[typ.Name()+"."+field.Name]
				if says == "" {
					t.Errorf("nothing is said of %s.%s", typ.Name(), field.Name)
				}
				want += "| `" + field.Tag.Get("json") + "` | " + says + " |\n"
			}
		}
		b, err := json.MarshalIndent(part.example, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		want += "\n```json\n" + string(b) + "\n```\n"
	}
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil { //nolint:gosec // a page to read
			t.Fatal(err)
		}
	} else if string(have) != want {
		t.Errorf("%s is not current: run make generate", page)
	}
}

// Paper counts in its district as signatures do: once, at least ten together, and never one district alone hidden.
func TestPaperByDistrict(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		system := actor.TheSystem()
		p := w.published("Twenty visits")
		var all []models.Division
		for i := range 3 {
			all = append(all, models.Division{
				ID: models.NewID(), OCDID: fmt.Sprintf("ocd-division/country:us/state:wk/sldl:%d", i+1), Name: fmt.Sprintf("District %d", i+1), Country: "US", Region: "WK", Kind: "sldl", Version: "test", CreatedAt: start, UpdatedAt: start,
			})
		}
		areas := []models.PostalDivision{
			{Country: "US", PostalArea: "00011", DivisionID: all[0].ID, Kind: "sldl", Version: "test"}, {Country: "US", PostalArea: "00012", DivisionID: all[1].ID, Kind: "sldl", Version: "test"},
		}
		tallies := []models.PetitionTally{
			{PetitionID: p.ID, Kind: models.TallyPlace, Name: "00011", Signed: 25, Confirmed: 25},
			{PetitionID: p.ID, Kind: models.TallyPlace, Name: "00012", Signed: 6, Confirmed: 4},
			{PetitionID: p.ID, Kind: models.TallyPlace, Name: "00099", Signed: 2, Confirmed: 2},
		}
		for _, rows := range []any{&all, &areas, &tallies} {
			if err := w.db.Create(rows).Error; err != nil {
				t.Fatal(err)
			}
		}
		if err := w.db.Model(&models.Petition{}).Where("id = ?", p.ID).Update("signature_count", 31).Error; err != nil {
			t.Fatal(err)
		}
		if err := w.SetDistrictKind(w.ctx, system, p.ID, "sldl"); err != nil {
			t.Fatal(err)
		}
		paper := func(division, n int) {
			t.Helper()
			in := PaperInput{Count: n, Note: "Sheet", CollectedAt: start}
			if division > 0 {
				in.Division = all[division-1].ID
			}
			if _, err := w.AddPaper(w.ctx, system, p.ID, in); err != nil {
				t.Fatal(err)
			}
		}
		told := func() string {
			t.Helper()
			f, err := w.DistrictFigures(w.ctx, p.Slug)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			sum := f.NotShown
			for _, d := range f.Districts {
				sum += d.SignatureCount
				out = append(out, fmt.Sprint(d.Name, " ", d.SignatureCount))
			}
			if sum != f.SignatureCount {
				t.Errorf("%+v does not add up", f)
			}
			return strings.Join(out, ", ") + fmt.Sprintf("; %d of %d", f.NotShown, f.SignatureCount)
		}
		for _, step := range []struct {
			division, n int
			want        string
		}{
			{2, 8, "District 1 25; 14 of 39"}, // 4 by mail and 8 on paper would show; where nobody signed one alone would be hidden
			{3, 9, "District 1 25; 23 of 48"}, // 9 alone would be hidden: 12 is too
			{0, 5, "District 1 25; 28 of 53"}, // of no district
			{3, 1, "District 1 25, District 2 12, District 3 10; 7 of 54"},
		} {
			paper(step.division, step.n)
			if got := told(); got != step.want {
				t.Errorf("%q, not %q", got, step.want)
			}
		}
		r, err := w.Report(w.ctx, system, p.ID, time.UTC)
		if err != nil || len(r.Districts.Rows) != 3 || r.Districts.Rows[1].N != 12 || r.Districts.Rows[2].N != 10 || r.Districts.Rest != 7 {
			t.Errorf("the report: %+v, %v", r.Districts, err)
		}
	})
}
