package legislators_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/divisions"
	"kithline/campaigns/legislators"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// june is the day that the real lists of divisions and postal codes are checked for.
var june = time.Date(2026, 6, 20, 12, 0, 0, 0, time.UTC)

// seating is a store with bodies and people who sit in them.
type seating struct {
	*testing.T
	db       *database.DB
	chambers map[string]models.Chamber
}

func newSeating(t *testing.T, db *database.DB) *seating {
	return &seating{t, db, map[string]models.Chamber{}}
}

func (w *seating) put(row any) {
	w.Helper()
	if err := w.db.Create(row).Error; err != nil {
		w.Fatal(err)
	}
}

// chamber makes a body, by a name such as "us upper", with its jurisdiction.
func (w *seating) chamber(name string) models.Chamber {
	w.Helper()
	if c, ok := w.chambers[name]; ok {
		return c
	}
	code, body, _ := strings.Cut(name, " ")
	var j models.Jurisdiction
	if err := w.db.Where("code = ?", code).Limit(1).Find(&j).Error; err != nil {
		w.Fatal(err)
	}
	if j.ID == uuid.Nil {
		country, region, _ := strings.Cut(strings.ToUpper(code), "-")
		j = models.Jurisdiction{ID: models.NewID(), Code: code, Name: "Place " + code, Country: country, Region: region, CreatedAt: june, UpdatedAt: june}
		w.put(&j)
	}
	kind := map[string]models.DivisionKind{"us upper": "", "us lower": models.DivisionCongress}[name]
	if code != "us" {
		kind = divisions.Chamber(body)
	}
	c := models.Chamber{ID: models.NewID(), JurisdictionID: j.ID, Code: body, Name: name, MemberTitle: "Member", DivisionKind: kind, CreatedAt: june, UpdatedAt: june}
	w.put(&c)
	w.chambers[name] = c
	return c
}

// sits puts somebody into a seat. The division is named without its country: state:vt/cd:at-large.
func (w *seating) sits(name, chamber, at string, change ...func(*models.Legislator, *models.Term)) models.Term {
	w.Helper()
	l := models.Legislator{ID: models.NewID(), Source: string(models.SourceCongress), Name: name, FamilyName: name[strings.LastIndexByte(name, ' ')+1:], CreatedAt: june, UpdatedAt: june}
	l.ExternalID = l.ID.String()
	t := models.Term{ID: models.NewID(), LegislatorID: l.ID, ChamberID: w.chamber(chamber).ID, OCDID: "ocd-division/country:us/" + at, ValidFrom: "2025-01-03", ValidThrough: "2027-01-03", CreatedAt: june, UpdatedAt: june}
	var d models.Division
	if err := w.db.Where("ocd_id = ?", t.OCDID).Limit(1).Find(&d).Error; err != nil {
		w.Fatal(err)
	}
	if d.ID != uuid.Nil {
		t.DivisionID = &d.ID
	}
	for _, fn := range change {
		fn(&l, &t)
	}
	w.put(&l)
	w.put(&t)
	return t
}

func (w *seating) division(id string) models.Division {
	w.Helper()
	var d models.Division
	if err := w.db.Where("ocd_id = ?", "ocd-division/country:us/"+id).Take(&d).Error; err != nil {
		w.Fatal(id, err)
	}
	return d
}

func (w *seating) find(p legislators.Place, now time.Time) legislators.Match {
	w.Helper()
	m, err := legislators.Find(context.Background(), w.db.DB, p, now)
	if err != nil {
		w.Fatal(err)
	}
	return m
}

// told is a match as a text: the seats with their members, then the questions, then the problem.
func told(m legislators.Match) string {
	var parts []string
	short := func(id string) string { return strings.TrimPrefix(id, "ocd-division/country:us/") }
	names := func(list []legislators.Member) string {
		var out []string
		for _, x := range list {
			out = append(out, x.FamilyName)
		}
		return strings.Join(out, "+")
	}
	for _, s := range m.Seats {
		text := s.Chamber.Name + ": " + names(s.Members)
		if s.Vacant > 0 {
			text = strings.TrimSuffix(text, " ") + " " + strings.Repeat("vacant ", s.Vacant)
		}
		parts = append(parts, strings.TrimSpace(text))
	}
	for _, c := range m.Choices {
		var out []string
		for _, d := range c.Divisions {
			out = append(out, short(d.Division.OCDID)+" "+names(d.Members))
		}
		parts = append(parts, "which "+string(c.Kind)+"? "+strings.Join(out, ", "))
	}
	if m.Problem != "" {
		parts = append(parts, m.Problem)
	}
	return strings.Join(parts, "; ")
}

// realDivisions imports the lists that the divisions are tested with.
func realDivisions(t *testing.T, db *database.DB, files ...string) {
	t.Helper()
	s := divisions.New(db, clock.NewFixed(june))
	for _, file := range files {
		kind := divisions.FileOCD
		switch {
		case strings.HasPrefix(file, "zccd"):
			kind = divisions.FileZIP
		case strings.HasSuffix(file, ".geojson"):
			kind = divisions.FileGeo
		}
		f, err := os.Open("../divisions/testdata/" + file)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Import(context.Background(), actor.TheSystem(), f, divisions.Options{Kind: kind, Version: file, Part: true}, nil)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(file, err)
		}
	}
}

// congress puts the members of Congress of some states into their seats, by the data of June 2026.
func (w *seating) congress() {
	w.Helper()
	rank := func(r string) func(*models.Legislator, *models.Term) {
		return func(_ *models.Legislator, t *models.Term) { t.SeatRank = r }
	}
	for state, names := range map[string][2]string{
		"nc": {"Thom Tillis", "Ted Budd"}, "ne": {"Deb Fischer", "Pete Ricketts"}, "vt": {"Bernard Sanders", "Peter Welch"}, "wy": {"John Barrasso", "Cynthia Lummis"},
	} {
		w.sits(names[1], "us upper", "state:"+state, rank("junior"))
		w.sits(names[0], "us upper", "state:"+state, rank("senior"))
	}
	for at, name := range map[string]string{
		"state:vt/cd:at-large": "Becca Balint", "state:wy/cd:at-large": "Harriet M. Hageman", "state:de/cd:at-large": "Sarah McBride", "district:dc/cd:at-large": "Eleanor Holmes Norton",
		"state:nc/cd:1": "Donald G. Davis", "state:nc/cd:4": "Valerie P. Foushee", "state:nc/cd:12": "Alma S. Adams",
		"state:ne/cd:1": "Mike Flood", "state:ne/cd:2": "Don Bacon", "state:ne/cd:3": "Adrian Smith",
		"state:sd/cd:at-large": "Dusty Johnson",
	} {
		w.sits(name, "us lower", at)
	}
	w.sits("Pablo José Hernández Rivera", "us lower", "territory:pr/cd:at-large", func(l *models.Legislator, _ *models.Term) { l.FamilyName = "Hernández Rivera" })
}

func TestWhoRepresentsAPostalCode(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		realDivisions(t, db, "us_congressional_districts.csv", "zccd-vt-nc-ne-wy-dc-de.csv")
		w := newSeating(t, db)
		w.congress()
		const (
			nc = "us upper: Tillis+Budd"
			ne = "us upper: Fischer+Ricketts"
			vt = "us upper: Sanders+Welch; us lower: Balint"
			wy = "us upper: Barrasso+Lummis; us lower: Hageman"
		)
		for _, x := range []struct {
			what  string
			place legislators.Place
			want  string
		}{
			{"one district", legislators.Place{Country: "US", PostalCode: "27599"}, nc + "; us lower: Foushee"},
			{"at large, with the zero in front", legislators.Place{Country: "US", PostalCode: "05401"}, vt},
			{"the zero that a spreadsheet took", legislators.Place{Country: "US", PostalCode: "5401"}, vt},
			{"with four more digits", legislators.Place{Country: "US", PostalCode: "05401-1234"}, vt},
			{"with four more digits and spaces", legislators.Place{Country: "US", PostalCode: "  05401 1234 "}, vt},
			{"in small letters", legislators.Place{Country: "us", PostalCode: "05401"}, vt},
			{"no country said", legislators.Place{PostalCode: "82001"}, wy},
			{"several districts", legislators.Place{Country: "US", PostalCode: "27713"}, nc + "; which cd? state:nc/cd:4 Foushee, state:nc/cd:9 "},
			{"several districts, all known", legislators.Place{Country: "US", PostalCode: "68025"}, ne + "; which cd? state:ne/cd:1 Flood, state:ne/cd:2 Bacon, state:ne/cd:3 Smith"},
			{"several, and they cannot say", legislators.Place{Country: "US", PostalCode: "68025", Statewide: true}, ne},
			{"in four states", legislators.Place{Country: "US", PostalCode: "82082"}, "which state? state:co , state:ne Fischer+Ricketts, state:wy Barrasso+Lummis"},
			{"in four states, and they cannot say which district", legislators.Place{Country: "US", PostalCode: "82082", Statewide: true}, "which state? state:co , state:ne Fischer+Ricketts, state:wy Barrasso+Lummis"},
			{"in four states, one said", legislators.Place{Country: "US", PostalCode: "82082", Region: "WY"}, wy},
			{"a state that the list lacks", legislators.Place{Country: "US", PostalCode: "57717"}, "which state? state:mt , state:wy Barrasso+Lummis"},
			{"a state that the list lacks, said", legislators.Place{Country: "US", PostalCode: "57717", Region: "SD"}, "us upper: vacant vacant; us lower: Johnson"},
			{"the capital has a delegate and no senators", legislators.Place{Country: "US", PostalCode: "20001"}, "us lower: Norton"},
			{"a territory", legislators.Place{Country: "US", Region: "PR"}, "us lower: Hernández Rivera"},
			{"a vacant seat", legislators.Place{Country: "US", PostalCode: "27601"}, nc + "; us lower: vacant"},
			{"unknown", legislators.Place{Country: "US", PostalCode: "20500"}, legislators.ProblemUnknown},
			{"nothing", legislators.Place{}, legislators.ProblemUnknown},
			{"no code", legislators.Place{Country: "US", PostalCode: "'; DROP TABLE terms"}, legislators.ProblemUnknown},
			{"the state alone", legislators.Place{Country: "US", Region: "nc"}, nc},
			{"the state alone, at large", legislators.Place{Country: "US", Region: "VT"}, vt},
			{"abroad", legislators.Place{Country: "GB", PostalCode: "SW1A 1AA"}, legislators.ProblemForeign},
			{"abroad with a code of here", legislators.Place{Country: "DE", PostalCode: "27599"}, legislators.ProblemForeign},
		} {
			if got := told(w.find(x.place, june)); got != x.want {
				t.Errorf("%s: %q, want %q", x.what, got, x.want)
			}
		}
		m := w.find(legislators.Place{Country: "US", PostalCode: "05401"}, june)
		if s := m.Seats[1]; s.Place != "Vermont's at-large congressional district" || s.DivisionID != w.division("state:vt/cd:at-large").ID || s.Region != "VT" || m.Region != "VT" {
			t.Errorf("%+v", s)
		}
		if got := w.find(legislators.Place{Country: "US", PostalCode: "27599"}, june).Seats[0].Members[0].Term.SeatRank; got != "senior" {
			t.Errorf("first of two senators: %q", got)
		}
	})
}

func TestWhatAPersonSaysComesFirst(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		realDivisions(t, db, "us_congressional_districts.csv", "zccd-vt-nc-ne-wy-dc-de.csv", "cd118_nebraska.geojson", "cd118_wyoming.geojson", "cd118_vermont.geojson", "cd118_delaware.geojson")
		w := newSeating(t, db)
		w.congress()
		four, nine, over := w.division("state:nc/cd:4"), w.division("state:nc/cd:9"), w.division("state:mt/cd:at-large")
		at := func(lat, lon float64) legislators.Place {
			return legislators.Place{Country: "US", Lat: &lat, Lon: &lon}
		}
		near := at(41.2565, -95.9345)
		near.PostalCode = "68025"
		for _, x := range []struct {
			what  string
			place legislators.Place
			want  string
		}{
			{"one of several", legislators.Place{Country: "US", PostalCode: "27713", Divisions: []uuid.UUID{four.ID}}, "us upper: Tillis+Budd; us lower: Foushee"},
			{"against the postal code", legislators.Place{Country: "US", PostalCode: "05401", Divisions: []uuid.UUID{four.ID}}, "us upper: Tillis+Budd; us lower: Foushee"},
			{"two of a kind are no answer", legislators.Place{Country: "US", Divisions: []uuid.UUID{nine.ID, four.ID}}, "us upper: Tillis+Budd; which cd? state:nc/cd:4 Foushee, state:nc/cd:9 "},
			{"one that is over", legislators.Place{Country: "US", PostalCode: "82001", Divisions: []uuid.UUID{over.ID}}, "us upper: Barrasso+Lummis; us lower: Hageman"},
			{"one that is not there", legislators.Place{Country: "US", PostalCode: "82001", Divisions: []uuid.UUID{models.NewID()}}, "us upper: Barrasso+Lummis; us lower: Hageman"},
			{"in four states, a district said", legislators.Place{Country: "US", PostalCode: "82082", Divisions: []uuid.UUID{w.division("state:ne/cd:3").ID}}, "us upper: Fischer+Ricketts; us lower: Smith"},
			{"Omaha", at(41.2565, -95.9345), "us upper: Fischer+Ricketts; us lower: Bacon"},
			{"Lincoln", at(40.8136, -96.7026), "us upper: Fischer+Ricketts; us lower: Flood"},
			{"North Platte", at(41.1239, -100.7654), "us upper: Fischer+Ricketts; us lower: Smith"},
			{"Scottsbluff", at(41.8666, -103.6672), "us upper: Fischer+Ricketts; us lower: Smith"},
			{"Norfolk", at(42.0283, -97.4170), "us upper: Fischer+Ricketts; us lower: Flood"},
			{"Cheyenne", at(41.1400, -104.8202), "us upper: Barrasso+Lummis; us lower: Hageman"},
			{"Burlington", at(44.4759, -73.2121), "us upper: Sanders+Welch; us lower: Balint"},
			{"Dover", at(39.1582, -75.5244), "us upper: vacant vacant; us lower: McBride"}, // its senators are not in the list above
			{"the middle of the sea", at(0, 0), legislators.ProblemNowhere},
			{"no place on Earth", at(200, 900), legislators.ProblemNowhere},
			{"a point in a postal code of several", near, "us upper: Fischer+Ricketts; us lower: Bacon"},
		} {
			if got := told(w.find(x.place, june)); got != x.want {
				t.Errorf("%s: %q, want %q", x.what, got, x.want)
			}
		}
	})
}

// What a supporter's record says comes before the postal code in it, and that before the state.
func TestPlaceOfASupporter(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		realDivisions(t, db, "us_congressional_districts.csv", "zccd-vt-nc-ne-wy-dc-de.csv")
		w := newSeating(t, db)
		w.congress()
		person := func(area, region string) uuid.UUID {
			s := models.Supporter{ID: models.NewID(), Country: "US", PostalArea: area, Region: region, Source: "form", CreatedAt: june, UpdatedAt: june}
			w.put(&s)
			if err := divisions.Place(context.Background(), db.DB, []uuid.UUID{s.ID}, june); err != nil {
				t.Fatal(err)
			}
			return s.ID
		}
		split, chosen, box, alone := person("27713", "NC"), person("27713", "NC"), person("20500", "WY"), person("68502", "KS")
		if err := divisions.Choose(context.Background(), db.DB, chosen, w.division("state:nc/cd:4").ID, june); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[uuid.UUID]string{
			split:  "us upper: Tillis+Budd; which cd? state:nc/cd:4 Foushee, state:nc/cd:9 ",
			chosen: "us upper: Tillis+Budd; us lower: Foushee",
			box:    "us upper: Barrasso+Lummis; us lower: Hageman",
			alone:  "us upper: Fischer+Ricketts; us lower: Flood",
		} {
			p, err := legislators.PlaceOf(context.Background(), db.DB, id, june)
			if err != nil {
				t.Fatal(err)
			}
			if got := told(w.find(p, june)); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	})
}

// A state's own chambers: one house alone, several members of a district, names that are no numbers.
func TestStateChambers(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		realDivisions(t, db, "us_congressional_districts.csv", "us_sldu.csv", "us_sldl.csv")
		w := newSeating(t, db)
		lies := func(zip string, ids ...string) {
			for _, id := range ids {
				d := w.division(id)
				w.put(&models.PostalDivision{Country: "US", PostalArea: zip, DivisionID: d.ID, Kind: d.Kind, Version: "v"})
			}
		}
		open := func(l *models.Legislator, t *models.Term) {
			l.Source, t.ValidFrom, t.ValidThrough = string(models.SourceOpenStates), "", ""
		}
		for _, name := range []string{"Martine Gulick", "Phil Baruth", "Tanya Vyhovsky"} {
			w.sits(name, "us-vt upper", "state:vt/sldu:chittenden-central", open)
		}
		w.sits("Abbey Duke", "us-vt lower", "state:vt/sldl:chittenden-17", open)
		w.sits("Kathleen Kauth", "us-ne legislature", "state:ne/sldu:31", open)
		w.sits("Megan Hunt", "us-ne legislature", "state:ne/sldu:8", open)
		w.sits("Mike Flood", "us lower", "state:ne/cd:1")
		for _, name := range []string{"Ann Ade", "Bo Bell", "Cy Cole", "Di Dunn", "Ed Eads", "Flo Fox", "Gus Grey", "Hal Hill", "Ida Inch", "Jo Jett"} {
			w.sits(name, "us-nc lower", "state:nc/sldl:65", open)
		}
		lies("05401", "state:vt/cd:at-large", "state:vt/sldu:chittenden-central", "state:vt/sldl:chittenden-17", "state:vt/sldl:chittenden-16")
		lies("68137", "state:ne/cd:1", "state:ne/sldu:31")
		lies("68132", "state:ne/cd:1", "state:ne/sldu:8", "state:ne/sldu:9")
		lies("27300", "state:nc/sldl:65")
		const vt = "us lower: vacant; us-vt upper: Baruth+Gulick+Vyhovsky; "
		for zip, want := range map[string]string{
			"05401": vt + "which sldl? state:vt/sldl:chittenden-16 , state:vt/sldl:chittenden-17 Duke",
			"68137": "us lower: Flood; us-ne legislature: Kauth",
			"68132": "us lower: Flood; which sldu? state:ne/sldu:8 Hunt, state:ne/sldu:9 ",
			"27300": "us-nc lower: Ade+Bell+Cole+Dunn+Eads+Fox+Grey+Hill+Inch+Jett",
		} {
			if got := told(w.find(legislators.Place{Country: "US", PostalCode: zip}, june)); got != want {
				t.Errorf("%s: %q, want %q", zip, got, want)
			}
		}
		seventeen := w.division("state:vt/sldl:chittenden-17")
		if got, want := told(w.find(legislators.Place{Country: "US", PostalCode: "05401", Divisions: []uuid.UUID{seventeen.ID}}, june)), vt[:len(vt)-2]+"; us-vt lower: Duke"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestTermsAreAskedForTheDay(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		realDivisions(t, db, "us_congressional_districts.csv")
		w := newSeating(t, db)
		until := func(day string) func(*models.Legislator, *models.Term) {
			return func(_ *models.Legislator, t *models.Term) { t.ValidThrough = day }
		}
		w.sits("Jon Husted", "us upper", "state:oh", until("2026-11-03"))
		w.sits("Bernie Moreno", "us upper", "state:oh")
		w.sits("Jo Last", "us lower", "state:vt/cd:at-large", until("2026-06-20"))
		gone := w.sits("Al Gone", "us lower", "state:wy/cd:at-large", func(_ *models.Legislator, t *models.Term) { t.EndedAt = &june })
		for _, x := range []struct {
			region, day, want string
		}{
			{"OH", "2026-06-20", "us upper: Husted+Moreno"},
			{"OH", "2026-11-03", "us upper: Husted+Moreno"},
			{"OH", "2026-11-20", "us upper: Moreno vacant"},
			{"VT", "2026-06-19", "us upper: vacant vacant; us lower: Last"},
			{"VT", "2026-06-20", "us upper: vacant vacant; us lower: Last"}, // the last day counts
			{"VT", "2026-06-21", "us upper: vacant vacant; us lower: vacant"},
			{"WY", "2026-06-20", "us upper: vacant vacant; us lower: vacant"},
		} {
			day, err := time.Parse(time.DateOnly, x.day)
			if err != nil {
				t.Fatal(err)
			}
			if got := told(w.find(legislators.Place{Country: "US", Region: x.region}, day.Add(23*time.Hour))); got != x.want {
				t.Errorf("%s on %s: %q, want %q", x.region, x.day, got, x.want)
			}
		}
		if _, err := legislators.Sitting(context.Background(), db.DB, gone.LegislatorID, june); err == nil {
			t.Error("a term that was ended is in force")
		}
	})
}

// Terms know their division by its Open Civic Data id alone; it may have another name; and a list of targets says nothing about vacancies.
func TestWithoutAListOfDivisions(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newSeating(t, db)
		w.sits("Becca Balint", "us lower", "state:vt/cd:at-large")
		w.sits("Peter Welch", "us upper", "state:vt")
		w.sits("Mel Mayor", "us-vt executive", "state:vt")
		if got, want := told(w.find(legislators.Place{Country: "US", Region: "VT"}, june)), "us upper: Welch vacant; us lower: Balint; us-vt executive: Mayor"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got := told(w.find(legislators.Place{Country: "US", Region: "NC"}, june)); got != "us upper: vacant vacant" {
			t.Errorf("%q", got) // whether North Carolina has a seat at large is not known: nothing is said about it
		}
		if got := told(w.find(legislators.Place{Country: "US", Region: "GU"}, june)); got != legislators.ProblemNobody {
			t.Errorf("%q", got)
		}

		put := func(id, name, same string) models.Division {
			d := models.Division{ID: models.NewID(), OCDID: "ocd-division/country:us/" + id, Name: name, Country: "US", Region: "NH", Kind: "sldl", SameAs: same, Version: "v", CreatedAt: june, UpdatedAt: june}
			w.put(&d)
			return d
		}
		now := put("state:nh/sldl:new", "New", "")
		old := put("state:nh/sldl:old", "Old", now.OCDID)
		w.put(&models.PostalDivision{Country: "US", PostalArea: "03031", DivisionID: now.ID, Kind: "sldl", Version: "v"})
		hand := func(l *models.Legislator, _ *models.Term) { l.Source = string(models.SourceCSV) }
		term := w.sits("Nan New", "us-nh lower", "state:nh/sldl:old", hand, func(_ *models.Legislator, t *models.Term) { t.DivisionID = &now.ID })
		for _, p := range []legislators.Place{{Country: "US", PostalCode: "03031"}, {Country: "US", Divisions: []uuid.UUID{old.ID}}} {
			if got := told(w.find(p, june)); got != "us upper: vacant vacant; us-nh lower: New" {
				t.Errorf("by another name: %q", got)
			}
		}
		if err := db.Model(&models.Term{}).Where("id = ?", term.ID).Update("ended_at", june).Error; err != nil {
			t.Fatal(err)
		}
		if got := told(w.find(legislators.Place{Country: "US", PostalCode: "03031"}, june)); got != "us upper: vacant vacant" {
			t.Errorf("a list of targets: %q", got)
		}

		// But one that has nearly everybody is a list of all.
		for i := range 9 {
			d := put(fmt.Sprint("state:nh/sldl:", i), fmt.Sprint("District ", i), "")
			w.sits(fmt.Sprint("Member ", i), "us-nh lower", d.OCDID[len("ocd-division/country:us/"):], hand)
		}
		if got := told(w.find(legislators.Place{Country: "US", PostalCode: "03031"}, june)); got != "us upper: vacant vacant; us-nh lower: vacant" {
			t.Errorf("a list of nearly all: %q", got)
		}
	})
}

func TestMembersOfACommittee(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newSeating(t, db)
		a, b := w.sits("Ada Chair", "us lower", "state:vt/cd:at-large"), w.sits("Bo Member", "us lower", "state:wy/cd:at-large")
		left := w.sits("Cy Left", "us lower", "state:de/cd:at-large", func(_ *models.Legislator, t *models.Term) { t.EndedAt = &june })
		c := models.Committee{ID: models.NewID(), JurisdictionID: w.chamber("us lower").JurisdictionID, ExternalID: "HSXX", Name: "Health", CreatedAt: june, UpdatedAt: june}
		w.put(&c)
		for i, t := range []models.Term{b, a, left} {
			w.put(&models.CommitteeMember{ID: models.NewID(), CommitteeID: c.ID, LegislatorID: t.LegislatorID, Rank: []int{2, 1, 3}[i], CreatedAt: june})
		}
		list, err := legislators.Committee(context.Background(), db.DB, c.ID, june)
		names := []string{}
		for _, m := range list {
			names = append(names, m.FamilyName)
		}
		if err != nil || !slices.Equal(names, []string{"Chair", "Member"}) {
			t.Errorf("%v, %v", names, err)
		}
	})
}
