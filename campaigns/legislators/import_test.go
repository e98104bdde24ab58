package legislators_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// now is the day that the real files in testdata are checked for.
var now = time.Date(2026, 6, 20, 12, 0, 0, 0, time.UTC)

var ctx = context.Background()

// world is a service with a clock, and whom it said that they left their seats.
type world struct {
	*legislators.Service
	t    *testing.T
	db   *database.DB
	clk  *clock.Fixed
	left []uuid.UUID
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, clk: clock.NewFixed(now)}
	w.Service = legislators.New(legislators.Options{DB: db, Clock: w.clk})
	w.OnLeft(func(_ context.Context, _ *gorm.DB, ids []uuid.UUID) error {
		w.left = append(w.left, ids...)
		return nil
	})
	return w
}

func each(t *testing.T, fn func(t *testing.T, w *world)) {
	testdb.Each(t, func(t *testing.T, db *database.DB) { fn(t, newWorld(t, db)) })
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// read imports a path.
func (w *world) read(kind models.LegislatorSource, path string, o legislators.ImportOptions) (legislators.Result, error) {
	w.t.Helper()
	src, err := legislators.OpenPath(path)
	if err != nil {
		return legislators.Result{}, err
	}
	o.Kind = kind
	res, err := w.Import(ctx, actor.TheSystem(), src, o)
	return res, errors.Join(err, src.Close())
}

// take imports a path that is good.
func (w *world) take(kind models.LegislatorSource, path string) legislators.Result {
	w.t.Helper()
	res, err := w.read(kind, path, legislators.ImportOptions{})
	w.must(err)
	return res
}

// file writes a file and returns its path.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// members are all who sit on a day.
func (w *world) members(at time.Time) []legislators.Member {
	w.t.Helper()
	var ids []uuid.UUID
	w.must(w.db.Model(&models.Legislator{}).Order("external_id").Pluck("id", &ids).Error)
	var out []legislators.Member
	for part := range slices.Chunk(ids, 500) {
		ms, err := legislators.Members(ctx, w.db.DB, part, at)
		w.must(err)
		out = append(out, ms...)
	}
	return out
}

// who finds one who sits by external id, or by the end of their name.
func who(t *testing.T, ms []legislators.Member, key string) legislators.Member {
	t.Helper()
	for _, m := range ms {
		if m.ExternalID == key || m.Name == key {
			return m
		}
	}
	t.Fatalf("nobody is %s", key)
	return legislators.Member{}
}

func (w *world) count(query string, args ...any) (n int64) {
	w.t.Helper()
	w.must(w.db.Raw(query, args...).Scan(&n).Error)
	return n
}

// isFault fails unless err is an Invalid fault of a key, and returns its values.
func isFault(t *testing.T, err error, key string) map[string]any {
	t.Helper()
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != fault.Invalid || e.Key != key {
		t.Fatalf("%v, want %s", err, key)
	}
	out := map[string]any{}
	for i := 0; i+1 < len(e.Args); i += 2 {
		out[e.Args[i].(string)] = e.Args[i+1]
	}
	return out
}

// unzip reads a file of testdata.
func unzip(t *testing.T, name string) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		out[f.Name] = b
	}
	return out
}

// zipped writes files into a ZIP and returns its path.
func zipped(t *testing.T, files map[string][]byte) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := z.Create(name)
		if err == nil {
			_, err = f.Write(files[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return file(t, "older.zip", b.String())
}

// What FACTS say of Congress, from the real files.
func TestCongress(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		res := w.take(models.SourceCongress, "testdata/congress.zip")
		if res.People != 537 || res.Joined() != 537 || len(res.Changes) != 537 || res.Version != "congress.zip 2026-06-20" {
			t.Fatalf("%d people, %v, %q", res.People, res.Counts, res.Version)
		}
		ms := w.members(now)
		senators, house, noVote, parties, perState := 0, 0, 0, map[string]int{}, map[string]int{}
		forms, phones, emails, capitols, districts, atLarge := 0, 0, 0, 0, 0, []string{}
		reached, seats := map[string]bool{}, map[string]bool{}
		for _, m := range ms {
			parties[m.Term.Party]++
			seats[m.Term.District] = true
			switch m.Chamber.Code {
			case "upper":
				senators++
				perState[m.Term.District]++
				if m.Title() != "Senator" || !strings.HasPrefix(m.Term.OCDID, "ocd-division/country:us/state:") || strings.Contains(m.Term.OCDID, "cd:") {
					t.Errorf("%s: %s, %s", m.Name, m.Title(), m.Term.OCDID)
				}
			default:
				house++
				if m.Title() == "Delegate" || m.Title() == "Resident Commissioner" {
					noVote++
				}
				if strings.HasSuffix(m.Term.District, "-0") {
					atLarge = append(atLarge, m.Term.District[:2])
					if !strings.HasSuffix(m.Term.OCDID, "/cd:at-large") {
						t.Errorf("%s is elected by %s", m.Name, m.Term.OCDID)
					}
				}
			}
			for _, c := range m.Channels {
				switch c.Kind {
				case models.ChannelWebForm:
					forms++
				case models.ChannelEmail:
					emails++
				}
			}
			if slices.ContainsFunc(m.Channels, func(c models.Channel) bool { return c.Kind == models.ChannelPhone }) {
				phones++
			}
			for _, o := range m.Offices {
				if o.Kind == "capitol" {
					capitols++
				} else {
					districts++
					reached[m.ExternalID] = true
				}
			}
		}
		slices.Sort(atLarge)
		if senators != 100 || len(perState) != 50 || house != 437 || noVote != 6 {
			t.Errorf("%d senators of %d states, %d in the House, %d without a vote", senators, len(perState), house, noVote)
		}
		for state, n := range perState {
			if n != 2 {
				t.Errorf("%s has %d senators", state, n)
			}
		}
		if parties["Republican"] != 274 || parties["Democrat"] != 260 || parties["Independent"] != 3 {
			t.Errorf("%v", parties)
		}
		if strings.Join(atLarge, " ") != "AK AS DC DE GU MP ND PR SD VI VT WY" {
			t.Errorf("at large: %v", atLarge)
		}
		for _, vacant := range []string{"CA-14", "FL-20", "GA-13", "TX-23"} {
			if seats[vacant] {
				t.Errorf("%s is not vacant", vacant)
			}
		}
		// James Gallagher has neither web page nor office.
		if emails != 0 || forms != 536 || phones != 536 || capitols != 536 || districts != 1312 || len(reached) != 536 {
			t.Errorf("%d e-mails, %d forms, %d with phones, %d capitol and %d district offices of %d", emails, forms, phones, capitols, districts, len(reached))
		}
		for _, x := range []struct{ id, name, district, rank string }{
			{"B001318", "Becca Balint", "VT-0", ""},
			{"D000230", "Donald G. Davis", "NC-1", ""},
			{"F000477", "Valerie P. Foushee", "NC-4", ""},
			{"A000370", "Alma S. Adams", "NC-12", ""},
			{"F000474", "Mike Flood", "NE-1", ""},
			{"B001298", "Don Bacon", "NE-2", ""},
			{"S001172", "Adrian Smith", "NE-3", ""},
			{"H001096", "Harriet M. Hageman", "WY-0", ""},
			{"M001238", "Sarah McBride", "DE-0", ""},
			{"N000147", "Eleanor Holmes Norton", "DC-0", ""},
			{"M001246", "Analilia Mejia", "NJ-11", ""},
			{"G000607", "James Gallagher", "CA-1", ""},
			{"S000033", "Bernard Sanders", "VT", "senior"},
			{"W000800", "Peter Welch", "VT", "junior"},
			{"T000476", "Thomas Tillis", "NC", "senior"},
			{"B001305", "Ted Budd", "NC", "junior"},
			{"F000463", "Deb Fischer", "NE", "senior"},
			{"R000618", "Pete Ricketts", "NE", "junior"},
			{"B001261", "John Barrasso", "WY", "senior"},
			{"L000571", "Cynthia M. Lummis", "WY", "junior"},
		} {
			m := who(t, ms, x.id)
			if m.Term.District != x.district || m.Term.SeatRank != x.rank || x.name != m.Name && x.id != "T000476" {
				t.Errorf("%s: %s, %s, %s", x.id, m.Name, m.Term.District, m.Term.SeatRank)
			}
		}
		var cities []string
		for _, o := range who(t, ms, "S001172").Offices {
			if o.Kind == "district" {
				cities = append(cities, o.City)
			}
		}
		slices.Sort(cities)
		if strings.Join(cities, ", ") != "Grand Island, Nebraska City, Scottsbluff" {
			t.Errorf("%v", cities)
		}
		balint := who(t, ms, "B001318")
		if o := balint.Offices[0]; o.Kind != "capitol" || o.City != "Washington" || o.Region != "DC" || !strings.HasPrefix(o.PostalCode, "20515") || strings.Contains(o.Street, "Washington") {
			t.Errorf("%+v", o)
		}
		for _, name := range []string{"Luján", "Sánchez", "Velázquez", "Barragán", "García", "Hernández Rivera"} {
			if !slices.ContainsFunc(ms, func(m legislators.Member) bool { return strings.Contains(m.FamilyName, name) }) {
				t.Errorf("nobody is called %s", name)
			}
		}
		for at, want := range map[string]int{"2026-06-15": 537, "2026-11-03": 537, "2026-11-20": 535, "2027-01-04": 65} {
			day, err := time.Parse(time.DateOnly, at)
			w.must(err)
			got := w.members(day.Add(time.Minute))
			if len(got) != want {
				t.Errorf("%s: %d sit", at, len(got))
			}
			if at == "2027-01-04" && slices.ContainsFunc(got, func(m legislators.Member) bool { return m.Chamber.Code != "upper" }) {
				t.Error("the House sits without having been elected")
			}
		}
		if n := w.count("SELECT count(*) FROM committees WHERE parent_id IS NULL"); n < 40 {
			t.Errorf("%d committees", n)
		}
		if n := w.count("SELECT count(*) FROM committee_members WHERE title = 'Chairman'"); n < 40 {
			t.Errorf("%d chairs", n)
		}
		again := w.take(models.SourceCongress, "testdata/congress.zip")
		if !again.Empty() || again.Same != 537 || again.People != 537 {
			t.Errorf("the same again: %v, %v", again.Counts, again.Changes[:min(3, len(again.Changes))])
		}
	})
}

// What FACTS say of three states, from the real files.
func TestStates(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		res := w.take(models.SourceOpenStates, "testdata/states.zip")
		if res.People != 180+170+49 || len(res.Notes) != 0 {
			t.Fatalf("%d people, %v", res.People, res.Notes)
		}
		// One was appointed later: Dan Kiger of North Carolina's House 90, on 23 June.
		before := w.members(now)
		if len(before) != 398 || slices.ContainsFunc(before, func(m legislators.Member) bool { return m.Name == "Dan Kiger" }) {
			t.Errorf("%d sit", len(before))
		}
		ms := w.members(time.Date(2026, 6, 23, 0, 0, 0, 0, time.UTC))
		perChamber, mails, seats, parties := map[string]int{}, map[string]int{}, map[string]int{}, map[string]bool{}
		for _, m := range ms {
			state := m.Term.OCDID[len("ocd-division/country:us/state:"):][:2]
			perChamber[state+" "+m.Chamber.Code]++
			seats[m.Term.OCDID]++
			parties[m.Term.Party] = true
			if len(m.Channels) > 0 && m.Channels[0].Kind == models.ChannelEmail {
				mails[state]++
			}
		}
		if want := (map[string]int{"vt lower": 150, "vt upper": 30, "nc lower": 120, "nc upper": 50, "ne legislature": 49}); !maps.Equal(perChamber, want) {
			t.Errorf("%v", perChamber)
		}
		if mails["vt"] != 180 || mails["nc"] != 170 {
			t.Errorf("%v", mails)
		}
		lower, upper, several, most := 0, 0, 0, 0
		for ocd, n := range seats {
			if strings.Contains(ocd, "state:vt/sldl:") {
				lower++
			} else if strings.Contains(ocd, "state:vt/sldu:") {
				upper++
			}
			if strings.Contains(ocd, "state:vt/") && n > 1 {
				several, most = several+1, max(most, n)
			}
			if strings.Contains(ocd, "state:nc/") && n != 1 {
				t.Errorf("%s has %d seats", ocd, n)
			}
		}
		if lower != 109 || upper != 16 || several != 50 || most != 3 || !parties["Democratic/Progressive"] {
			t.Errorf("%d and %d districts, %d with several seats, at most %d, %v", lower, upper, several, most, parties)
		}
		duke := who(t, ms, "ocd-person/90da5348-421e-435b-8458-67123462addf")
		if duke.Name != "Abbey Duke" || duke.Term.District != "Chittenden-17" || duke.Channels[0].Value != "aduke@leg.state.vt.us" || duke.Title() != "Representative" || duke.Chamber.Name != "Vermont House of Representatives" {
			t.Errorf("%+v", duke)
		}
		if o := duke.Offices[0]; o.Street != "Vermont State House 115 State St." || o.City != "Montpelier" || o.Region != "VT" || o.PostalCode != "05633" || o.Phone != "802-828-2228" {
			t.Errorf("%+v", o)
		}
		at := func(ocd string) (names []string) {
			for _, m := range ms {
				if m.Term.OCDID == "ocd-division/country:us/state:"+ocd {
					names = append(names, m.Name)
				}
			}
			slices.Sort(names)
			return names
		}
		for ocd, want := range map[string]string{
			"vt/sldu:chittenden-central": "Martine Gulick, Phil Baruth, Tanya Vyhovsky", "nc/sldl:65": "Reece Pyrtle", "nc/sldu:1": "Bobby Hanig", "nc/sldu:20": "Natalie Murdock",
			"vt/sldu:grand_isle": "Patrick Brennan", "vt/sldl:grand_isle-chittenden": "Leland Morgan, Mike Morgan",
			"ne/sldu:31": "Kathleen Kauth", "ne/sldu:8": "Megan Hunt",
		} {
			if got := strings.Join(at(ocd), ", "); got != want {
				t.Errorf("%s: %s", ocd, got)
			}
		}
		if kauth := who(t, ms, "Kathleen Kauth"); kauth.Term.Party != "Nonpartisan" || kauth.Title() != "Senator" || kauth.Chamber.Name != "Nebraska Legislature" {
			t.Errorf("%+v", kauth)
		}
		if again := w.take(models.SourceOpenStates, "testdata/states.zip"); !again.Empty() || again.Same != 399 {
			t.Errorf("the same again: %v", again.Counts)
		}
	})
}

// By the real files: a district office lies in the district of its own member, also where a state is one district; and a district of
// several members has all of them.
func TestPlacesOfRealMembers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		realDivisions(t, w.db, "us_congressional_districts.csv", "cd118_nebraska.geojson", "cd118_wyoming.geojson", "cd118_vermont.geojson", "cd118_delaware.geojson")
		w.take(models.SourceCongress, "testdata/congress.zip")
		offices := map[string]int{}
		for _, m := range w.members(now) {
			state, ok := strings.CutPrefix(m.Term.OCDID, "ocd-division/country:us/state:")
			if ok = ok && slices.Contains([]string{"ne", "wy", "vt", "de"}, state[:2]) && m.Chamber.Code == "lower"; !ok {
				continue
			}
			for _, o := range m.Offices {
				if o.Latitude == nil || o.Kind == "capitol" {
					continue
				}
				offices[state[:2]]++
				found, err := legislators.Find(ctx, w.db.DB, legislators.Place{Country: "US", Lat: o.Latitude, Lon: o.Longitude}, now)
				w.must(err)
				if !slices.ContainsFunc(found.Seats, func(s legislators.Seats) bool {
					return s.Chamber.ID == m.Chamber.ID && len(s.Members) == 1 && s.Members[0].ID == m.ID
				}) {
					t.Errorf("the office of %s in %s: %+v", m.Name, o.City, found)
				}
			}
		}
		if want := (map[string]int{"ne": 6, "wy": 2, "vt": 2, "de": 1}); !maps.Equal(offices, want) {
			t.Errorf("%v", offices)
		}
		w.take(models.SourceOpenStates, "testdata/states.zip")
		at := func(end string) models.Division {
			t.Helper()
			d := models.Division{
				ID: models.NewID(), OCDID: "ocd-division/country:us/state:vt/" + end, Name: end, Country: "US", Region: "VT", Kind: models.DivisionKind(end[:4]), Version: "1", CreatedAt: now, UpdatedAt: now,
			}
			w.must(w.db.Create(&d).Error)
			return d
		}
		for end, want := range map[string]string{"sldu:chittenden-central": "Baruth Gulick Vyhovsky", "sldl:chittenden-17": "Duke", "sldl:grand_isle-chittenden": "Morgan Morgan", "sldu:grand_isle": "Brennan"} {
			found, err := legislators.Find(ctx, w.db.DB, legislators.Place{Country: "US", Divisions: []uuid.UUID{at(end).ID}}, now)
			w.must(err)
			var names []string
			for _, s := range found.Seats {
				if strings.HasPrefix(s.Chamber.Name, "Vermont") {
					for _, m := range s.Members {
						names = append(names, m.FamilyName)
					}
				}
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); got != want {
				t.Errorf("%s: %s, %+v", end, got, found.Problem)
			}
		}
	})
}

// An older list becomes the real one: who joined, left, moved and changed is told, and only that.
func TestUpdate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		files := unzip(t, "congress.zip")
		var list []map[string]any
		w.must(json.Unmarshal(files["legislators-current.json"], &list))
		last := func(p map[string]any) map[string]any {
			terms := p["terms"].([]any)
			return terms[len(terms)-1].(map[string]any)
		}
		var older []map[string]any
		for _, p := range list {
			switch p["id"].(map[string]any)["bioguide"] {
			case "G000607", "M001246": // were not elected yet
				continue
			case "F000477":
				last(p)["party"] = "Independent"
			case "B001298":
				last(p)["district"] = 3
			case "B001318":
				p["name"].(map[string]any)["official_full"] = "Rebecca Balint"
				last(p)["phone"] = "202-555-0100"
			case "W000800":
				last(p)["contact_form"] = "https://welch.example.org/old"
			}
			older = append(older, p)
		}
		older = append(older, map[string]any{
			"id": map[string]any{"bioguide": "X000001"}, "name": map[string]any{"first": "Wanda", "last": "Wennick"},
			"terms": []any{map[string]any{"type": "rep", "start": "2025-01-03", "end": "2027-01-03", "state": "CA", "district": 14, "party": "Democrat", "url": "https://wennick.example.org"}},
		})
		b, err := json.Marshal(older)
		w.must(err)
		real := files["legislators-current.json"]
		files["legislators-current.json"] = b
		if res := w.take(models.SourceCongress, zipped(t, files)); res.Joined() != 536 {
			t.Fatalf("%v", res.Counts)
		}
		bacon := who(t, w.members(now), "B001298")
		w.clk.Add(24 * time.Hour)
		files["legislators-current.json"] = real
		path := zipped(t, files)
		dry, err := w.read(models.SourceCongress, path, legislators.ImportOptions{DryRun: true})
		w.must(err)
		if n := w.count("SELECT count(*) FROM legislator_imports"); n != 1 || len(w.left) != 0 {
			t.Fatalf("a dry run wrote: %d imports, %d left", n, len(w.left))
		}
		res := w.take(models.SourceCongress, path)
		if !slices.Equal(names(dry.Changes), names(res.Changes)) {
			t.Errorf("the dry run said\n%v\nand it was\n%v", dry.Changes, res.Changes)
		}
		want := map[string]int{"joined": 2, "left": 1, "moved": 1, "party": 1, "name": 1, "office": 1, "channel": 4}
		if !maps.Equal(res.Counts, want) || res.Same != 537-2-4 {
			t.Errorf("%v, %d the same", res.Counts, res.Same)
		}
		for _, c := range res.Changes {
			switch c.Kind {
			case "moved":
				if c.Name != "Don Bacon" || c.Before != "United States House of Representatives NE-3" || c.After != "United States House of Representatives NE-2" {
					t.Errorf("%+v", c)
				}
			case "left":
				if c.Name != "Wanda Wennick" {
					t.Errorf("%+v", c)
				}
			case "party":
				if c.Name != "Valerie P. Foushee" || c.Before != "Independent" || c.After != "Democrat" {
					t.Errorf("%+v", c)
				}
			}
		}
		var gone models.Legislator
		w.must(w.db.Take(&gone, "external_id = 'X000001'").Error)
		slices.SortFunc(w.left, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
		if len(w.left) != 2 || !slices.Contains(w.left, gone.ID) || !slices.Contains(w.left, bacon.ID) {
			t.Errorf("told that they left: %v", w.left)
		}
		if _, err := legislators.Sitting(ctx, w.db.DB, gone.ID, w.clk.Now()); !fault.Is(err, fault.NotFound) {
			t.Errorf("who left sits: %v", err)
		}
		moved, err := legislators.Sitting(ctx, w.db.DB, bacon.ID, w.clk.Now())
		w.must(err)
		if moved.Term.ID == bacon.Term.ID || moved.Term.District != "NE-2" {
			t.Errorf("%+v", moved.Term)
		}
		if n := w.count("SELECT count(*) FROM legislator_changes WHERE import_id = (SELECT id FROM legislator_imports ORDER BY created_at DESC LIMIT 1)"); int(n) != len(res.Changes) {
			t.Errorf("%d in the history, %d said", n, len(res.Changes))
		}
		if n := w.count("SELECT count(*) FROM channels WHERE value = 'https://welch.example.org/old' AND removed_at IS NOT NULL"); n != 1 {
			t.Errorf("%d old forms are gone", n)
		}
	})
}

func names(list []legislators.Change) (out []string) {
	for _, c := range list {
		out = append(out, c.Kind+" "+c.Name+" "+c.Before+" "+c.After)
	}
	return out
}

// A file that lacks too many is refused, and taken when somebody says so.
func TestTooManyLeave(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		files := unzip(t, "states.zip")
		w.take(models.SourceOpenStates, "testdata/states.zip")
		n := 0
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if strings.HasPrefix(name, "data/ne/") && n < 6 {
				delete(files, name)
				n++
			}
		}
		path := zipped(t, files)
		args := isFault(t, second(w.read(models.SourceOpenStates, path, legislators.ImportOptions{})), "error.legislators_leaving")
		if args["Name"] != "Nebraska" || args["Left"] != 6 || args["Had"] != 49 {
			t.Errorf("%v", args)
		}
		if got := len(w.members(now)); got != 398 || len(w.left) != 0 {
			t.Errorf("%d sit, %d left", got, len(w.left))
		}
		dry, err := w.read(models.SourceOpenStates, path, legislators.ImportOptions{DryRun: true})
		if err != nil || !dry.Refused || dry.Left() != 6 {
			t.Errorf("%v, refused %v, %v", err, dry.Refused, dry.Counts)
		}
		// One state's folder says nothing about others.
		for name := range files {
			if !strings.HasPrefix(name, "data/ne/") {
				delete(files, name)
			}
		}
		res, err := w.read(models.SourceOpenStates, zipped(t, files), legislators.ImportOptions{AllowLeaving: true})
		if err != nil || res.Left() != 6 || len(res.Changes) != 6 || len(w.left) != 6 {
			t.Errorf("%v, %v, %d told", err, res.Counts, len(w.left))
		}
		if got := len(w.members(now)); got != 392 {
			t.Errorf("%d sit", got)
		}
		// They are back: the same people, in new terms.
		if res := w.take(models.SourceOpenStates, "testdata/states.zip"); res.Joined() != 6 || len(res.Changes) != 6 {
			t.Errorf("%v", res.Counts)
		}
		if got, rows := len(w.members(now)), w.count("SELECT count(*) FROM legislators"); got != 398 || rows != 399 {
			t.Errorf("%d of %d sit", got, rows)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// A folder is read as a ZIP is.
func TestFolder(t *testing.T) {
	w := newWorld(t, testdb.SQLite(t))
	dir := t.TempDir()
	for name, b := range unzip(t, "states.zip") {
		if strings.HasPrefix(name, "data/ne/") {
			path := filepath.Join(dir, filepath.FromSlash(name))
			w.must(errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)))
		}
	}
	for _, at := range []string{"", "data", "data/ne", "data/ne/legislature"} {
		res := w.take(models.SourceOpenStates, filepath.Join(dir, at))
		if res.People != 49 {
			t.Errorf("%q: %d people", at, res.People)
		}
	}
	if n := w.count("SELECT count(*) FROM legislators"); n != 49 {
		t.Errorf("%d rows", n)
	}
}

// What is broken is told with the file and the line, and nothing is written.
func TestBadFiles(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		congress, states := unzip(t, "congress.zip"), unzip(t, "states.zip")
		whole := congress["legislators-current.json"]
		zipBytes, err := os.ReadFile("testdata/states.zip")
		w.must(err)
		const person = "data/ne/legislature/x.yml"
		ne := func(content string) string { return zipped(t, map[string][]byte{person: []byte(content)}) }
		good := "id: ocd-person/1\nname: A\nroles:\n- type: legislature\n  jurisdiction: ocd-jurisdiction/country:us/state:ne/government\n  district: '1'\n"
		damaged := maps.Clone(states)
		name := slices.Sorted(maps.Keys(states))[100]
		damaged[name] = append(slices.Clone(states[name][:40]), []byte("\n\t: [")...)
		head := "id,name,jurisdiction,email,start,end\n"
		for _, x := range []struct {
			kind models.LegislatorSource
			path string
			key  string
			args map[string]any
		}{
			{"congress", file(t, "legislators-current.json", string(whole[:len(whole)/2])), "error.legislators_cut", map[string]any{"File": "legislators-current.json", "Line": 1 + bytes.Count(whole[:len(whole)/2], []byte("\n"))}},
			{"congress", file(t, "x.json", ""), "error.legislators_empty", map[string]any{"File": "x.json"}},
			{"congress", file(t, "x.json", "[\n{]"), "error.legislators_json", map[string]any{"File": "x.json", "Line": 2}},
			{"congress", file(t, "x.json", "[]"), "error.legislators_none", nil},
			{"congress", file(t, "x.json", `{"a":1}`), "error.legislators_other", nil},
			{"congress", file(t, "x.json", `[{"id":{"bioguide":"A"},"terms":[]}]`), "error.legislators_congress", map[string]any{"Entry": 1}},
			{"congress", file(t, "x.csv", "a,b\n1,2\n"), "error.legislators_json", nil},
			{"congress", "testdata/states.zip", "error.legislators_missing", map[string]any{"Missing": "legislators-current.json"}},
			{"openstates", "testdata/congress.zip", "error.legislators_no_tree", nil},
			{"openstates", file(t, "cut.zip", string(zipBytes[:len(zipBytes)/2])), "error.legislators_zip", map[string]any{"File": "cut.zip"}},
			{"openstates", zipped(t, damaged), "error.legislators_yaml", map[string]any{"File": name}},
			{"openstates", ne("name: [\n"), "error.legislators_yaml", nil},
			{"openstates", ne(""), "error.legislators_empty", map[string]any{"File": person}},
			{"openstates", ne("name: A\n"), "error.legislators_openstates", map[string]any{"File": person}},
			{"openstates", zipped(t, map[string][]byte{person: []byte(good), "data/ne/legislature/y.yml": []byte(good)}), "error.legislators_twice_files", nil},
			{"openstates", file(t, "x.yml", "a: b\n"), "error.legislators_openstates", nil},
			{"csv", file(t, "x.csv", head), "error.legislators_none", nil},
			{"csv", file(t, "x.csv", "name,email\nA,b@example.org\n"), "error.legislators_csv_column", map[string]any{"Column": "jurisdiction"}},
			{"csv", file(t, "x.csv", head+"1,A,x,a@example.org,,\n2,,x,,,\n"), "error.legislators_csv_name", map[string]any{"Line": 3}},
			{"csv", file(t, "x.csv", head+"1,A,x,nonsense,,\n"), "error.legislators_csv_mail", map[string]any{"Line": 2}},
			{"csv", file(t, "x.csv", head+"1,A,x,\"a@example.org\nBcc: b@example.org\",,\n"), "error.legislators_csv_mail", map[string]any{"Line": 2}},
			{"csv", file(t, "x.csv", head+"1,A,x,,2026-02-30,\n"), "error.legislators_csv_day", map[string]any{"Line": 2}},
			{"csv", file(t, "x.csv", head+"1,A,x,,2026-02-03,2026-02-02\n"), "error.legislators_csv_order", nil},
			{"csv", file(t, "x.csv", head+"1,A,x\n"), "error.legislators_csv_width", map[string]any{"Line": 2}},
			{"csv", file(t, "x.csv", head+"1,\"A,x\n"), "error.legislators_csv_broken", nil},
			{"csv", file(t, "x.csv", head+"1,A,x,,,\n1,B,x,,,\n"), "error.legislators_csv_same", map[string]any{"Line": 3}},
			{"csv", file(t, "x.csv", "\xff\xfen\x00"), "error.legislators_encoding", nil},
			{"csv", "testdata/states.zip", "error.legislators_csv_alone", nil},
			{"osdi", file(t, "x.csv", head), "error.legislators_kind", nil},
		} {
			args := isFault(t, second(w.read(x.kind, x.path, legislators.ImportOptions{})), x.key)
			for k, v := range x.args {
				if args[k] != v {
					t.Errorf("%s: %s is %v, not %v", x.key, k, args[k], v)
				}
			}
		}
		for _, table := range []string{"jurisdictions", "chambers", "legislators", "terms", "legislator_imports"} {
			if n := w.count("SELECT count(*) FROM " + table); n != 0 {
				t.Errorf("%d rows in %s", n, table)
			}
		}
	})
}

// A list of targets of any kind: several lines of a person, two in a district, one address for two, homes, links in the place of mail.
func TestCSV(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		list := "\xef\xbb\xbfID;Full Name;Jurisdiction;Jurisdiction_Name;Country;Chamber;Chamber_Name;Title;OCD_ID;District;Party;E-mail;Contact_Form;Phone;Office_Type;Address;Town;Postcode;Hours;Committees\n" +
			"1;Núria Okafor;Wennick;State of Wennick;xw;House;House of Wennick;Delegate;ocd-division/country:xw/state:wn/sldl:1;1;Green;;;+1 555 0100;capitol;1 Hill St;Wennick;00100;9 to 5;Health (Chair); Budget\n"
		list = strings.Replace(list, "E-mail", "Email", 1)
		list = strings.Replace(list, "Health (Chair); Budget", "\"Health (Chair); Budget\"", 1)
		list += "1;Núria Okafor;Wennick;;xw;House;;;ocd-division/country:xw/state:wn/sldl:1;1;Green;;;+1 555 0101;district;2 Quay;Portsend;00200;;Health\n" +
			"2;Bo Lind;Wennick;;xw;House;;;ocd-division/country:xw/state:wn/sldl:1;1;;office@example.org;;;;;;;;\n" +
			"3;Ada Sorn;Wennick;;xw;House;;;ocd-division/country:xw/state:wn/sldl:2;2;;office@example.org;;;home;9 Private Lane;Wennick;00100;;\n" +
			"4;Ivo Ferro;Wennick;;xw;Senate;Senate of Wennick;Senator;ocd-division/country:xw/state:wn/sldu:1;1;;https://ferro.example.org/contact;;;;;;;;Budget\n"
		path := file(t, "wennick.csv", list)
		res := w.take(models.SourceCSV, path)
		if res.People != 4 || res.Joined() != 4 || len(res.Jurisdictions) != 1 || res.Jurisdictions[0].Name != "State of Wennick" {
			t.Fatalf("%+v", res)
		}
		ms := w.members(now)
		okafor := who(t, ms, "Núria Okafor")
		if len(okafor.Offices) != 2 || okafor.Offices[0].Street != "1 Hill St" || okafor.Offices[0].Hours != "9 to 5" || okafor.Title() != "Delegate" || okafor.Chamber.Name != "House of Wennick" || okafor.Chamber.DivisionKind != "sldl" {
			t.Errorf("%+v", okafor)
		}
		kinds := func(m legislators.Member) (out []string) {
			for _, c := range m.Channels {
				out = append(out, string(c.Kind)+" "+c.Value)
			}
			return out
		}
		if got := kinds(okafor); strings.Join(got, ", ") != "post , post , phone +1 555 0100, phone +1 555 0101" {
			t.Errorf("%v", got)
		}
		if got := kinds(who(t, ms, "Ivo Ferro")); strings.Join(got, ", ") != "webform https://ferro.example.org/contact" {
			t.Errorf("%v", got)
		}
		if a, b := kinds(who(t, ms, "Bo Lind")), kinds(who(t, ms, "Ada Sorn")); !slices.Equal(a, []string{"email office@example.org"}) || !slices.Equal(a, b) {
			t.Errorf("%v, %v", a, b)
		}
		if n := w.count("SELECT count(*) FROM offices WHERE street LIKE '%Private%'"); n != 0 {
			t.Error("a home is kept")
		}
		if n := w.count("SELECT count(*) FROM committee_members m JOIN committees c ON c.id = m.committee_id WHERE c.name = 'Health' AND m.title = 'Chair'"); n != 1 {
			t.Errorf("%d chairs of Health", n)
		}
		if again := w.take(models.SourceCSV, path); !again.Empty() || again.Same != 4 {
			t.Errorf("%v", again.Changes)
		}
		// Another list of another body leaves this one alone.
		if res := w.take(models.SourceCSV, file(t, "board.csv", "name,jurisdiction,email\nKai Aro,Acme Board,kai@example.org\n")); res.Joined() != 1 || res.Left() != 0 {
			t.Errorf("%v", res.Counts)
		}
	})
}

// A chamber has people of one kind of file alone, so that nobody is written to twice.
func TestOneKindForAChamber(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.take(models.SourceCongress, "testdata/congress.zip")
		person := "id: ocd-person/1\nname: Somebody Else\nemail: https://else.example.org/contact\nparty:\n- name: Green\nroles:\n- type: lower\n  jurisdiction: ocd-jurisdiction/country:us/government\n  district: CA-14\n"
		state := strings.NewReplacer("ocd-person/1", "ocd-person/2", "us/government", "us/state:ne/government", "lower", "legislature", "CA-14", "'1'").Replace(person)
		res := w.take(models.SourceOpenStates, zipped(t, map[string][]byte{"data/us/legislature/a.yml": []byte(person), "data/ne/legislature/b.yml": []byte(state)}))
		if res.People != 1 || res.Joined() != 1 || len(res.Notes) != 1 || res.Notes[0].Key != "legislators.note_other_kind" {
			t.Errorf("%+v", res)
		}
		if n := len(w.members(now)); n != 538 {
			t.Errorf("%d sit", n)
		}
	})
}

// A term that ends today holds today, one that an organizer ended is not begun again, and one that is renewed is the same.
func TestTermsInTime(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		head := "id,name,jurisdiction,district,start,end\n"
		w.take(models.SourceCSV, file(t, "a.csv", head+"1,Ends Today,x,1,,2026-06-20\n2,Renewed,x,2,2025-01-01,2026-06-30\n3,Ended By Hand,x,3,2025-01-01,\n4,Over,x,4,,2026-06-19\n"))
		ms := w.members(now)
		if len(ms) != 3 {
			t.Fatalf("%d sit", len(ms))
		}
		if got := w.members(now.AddDate(0, 0, 1)); len(got) != 2 {
			t.Errorf("%d sit tomorrow", len(got))
		}
		hand, renewed := who(t, ms, "Ended By Hand"), who(t, ms, "Renewed")
		w.must(w.EndTerm(ctx, actor.TheSystem(), hand.Term.ID))
		w.clk.Add(30 * 24 * time.Hour)
		res := w.take(models.SourceCSV, file(t, "b.csv", head+"2,Renewed,x,2,2026-07-01,2027-06-30\n3,Ended By Hand,x,3,2025-01-01,\n"))
		if !maps.Equal(res.Counts, map[string]int{"term": 1}) {
			t.Errorf("%v %v", res.Counts, res.Changes)
		}
		after := w.members(w.clk.Now())
		if len(after) != 1 || after[0].Term.ID != renewed.Term.ID || after[0].Term.ValidThrough != "2027-06-30" {
			t.Errorf("%+v", after)
		}
		if len(w.left) != 1 || w.left[0] != hand.ID {
			t.Errorf("%v", w.left)
		}
	})
}

// Only who manages letters imports.
func TestImportRights(t *testing.T) {
	w := newWorld(t, testdb.SQLite(t))
	src, err := legislators.OpenPath("testdata/states.zip")
	w.must(err)
	defer src.Close()
	for role, may := range map[actor.Role]bool{actor.Owner: true, actor.Organizer: true, actor.Advocate: false, actor.Viewer: false} {
		_, err := w.Import(ctx, actor.Actor{Kind: actor.User, Role: role, UserID: models.NewID()}, src, legislators.ImportOptions{Kind: models.SourceOpenStates, DryRun: true})
		if may != (err == nil) || !may && !fault.Is(err, fault.Forbidden) {
			t.Errorf("%s: %v", role, err)
		}
	}
}
