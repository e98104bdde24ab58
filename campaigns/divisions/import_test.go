package divisions_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/divisions"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

func service(db *database.DB) *divisions.Service { return divisions.New(db, clock.NewFixed(now)) }

// load imports a file of testdata.
func load(t *testing.T, s *divisions.Service, kind, name string) divisions.Result {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Import(ctx, actor.TheSystem(), f, divisions.Options{Kind: kind, Version: name + " 2026-06-20"}, nil)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(name, err)
	}
	return res
}

// text imports a text.
func text(s *divisions.Service, kind, content string, o divisions.Options) (divisions.Result, error) {
	o.Kind = kind
	if o.Version == "" {
		o.Version = "typed 2026-06-20"
	}
	return s.Import(ctx, actor.TheSystem(), strings.NewReader(content), o, nil)
}

// candidates is what a ZIP code lies in: "NC-4 NC-9", at large as 0.
func candidates(t *testing.T, db *database.DB, zip string) string {
	t.Helper()
	list, err := divisions.Candidates(ctx, db.DB, "US", zip, now)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, c := range list {
		if c.Kind != models.DivisionCongress {
			t.Errorf("%s: a %s", zip, c.Kind)
		}
		for _, d := range c.Divisions {
			out = append(out, short(d))
		}
	}
	return strings.Join(out, " ")
}

func short(d models.Division) string {
	n := d.OCDID[strings.LastIndexByte(d.OCDID, ':')+1:]
	if n == "at-large" {
		n = "0"
	}
	return d.Region + "-" + n
}

// The real files say what their README and the list of facts say.
func TestRealData(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		s := service(db)
		if r := load(t, s, divisions.FileOCD, "us_congressional_districts.csv"); r.New != 461 || r.Skipped != 0 {
			t.Errorf("%+v", r)
		}
		// People who were there before the data are placed by it.
		early := person(t, db, "US", "05401")
		r := load(t, s, divisions.FileZIP, "zccd-vt-nc-ne-wy-dc-de.csv")
		if r.New != 2387 || r.Skipped != 0 || r.Placed.Looked != 1 || r.Placed.Found != 1 {
			t.Errorf("%+v", r)
		}
		if got := home(t, db, early, "cd", now); got != "ocd-division/country:us/state:vt/cd:at-large postal" {
			t.Errorf("%q", got)
		}
		var n struct{ Areas, Alone, Zero int }
		err := db.Raw(`SELECT COUNT(*) AS areas, SUM(CASE WHEN n = 1 THEN 1 ELSE 0 END) AS alone, SUM(CASE WHEN postal_area LIKE '0%' THEN 1 ELSE 0 END) AS zero
			FROM (SELECT postal_area, COUNT(*) AS n FROM postal_divisions GROUP BY postal_area) a`).Scan(&n).Error
		if err != nil || n.Areas != 2016 || n.Alone != 1681 || n.Zero != 265 {
			t.Errorf("%+v, %v", n, err)
		}
		for zip, want := range map[string]string{
			"05401": "VT-0", "27599": "NC-4", "27601": "NC-2", "28202": "NC-12", "68102": "NE-2", "68502": "NE-1", "82001": "WY-0", "20001": "DC-0", "19901": "DE-0", "27510": "NC-4",
			"27713": "NC-4 NC-9", "28078": "NC-6 NC-12 NC-14", "28655": "NC-5 NC-11 NC-14", "68025": "NE-1 NE-2 NE-3", "68007": "NE-2 NE-3",
			"57717": "MT-2 WY-0", "82082": "CO-4 CO-8 NE-3 WY-0", "20500": "",
			"5401": "VT-0", "05401-1234": "VT-0", " 054011234": "VT-0", // as spreadsheets and people write it
		} {
			if got := candidates(t, db, zip); got != want {
				t.Errorf("%s: %q, want %q", zip, got, want)
			}
		}
		// Montana at large is over; its two districts took its place.
		var d models.Division
		if err := db.Where("ocd_id = ?", "ocd-division/country:us/state:mt/cd:at-large").Take(&d).Error; err != nil || d.ValidThrough != "2023-01-03" || divisions.Valid(d, now) {
			t.Errorf("%+v, %v", d, err)
		}
		var mt []string
		rows, err := s.List(ctx, actor.TheSystem(), "US", "MT", "cd")
		for _, x := range rows {
			if !x.Ended {
				mt = append(mt, x.OCDID[len("ocd-division/country:us/"):])
			}
		}
		if err != nil || strings.Join(mt, " ") != "state:mt/cd:1 state:mt/cd:2" {
			t.Errorf("%v, %v", mt, err)
		}

		// The same files again change nothing.
		for kind, name := range map[string]string{divisions.FileOCD: "us_congressional_districts.csv", divisions.FileZIP: "zccd-vt-nc-ne-wy-dc-de.csv"} {
			if r := load(t, s, kind, name); r.New+r.Changed+r.Gone != 0 || r.Placed.Found+r.Placed.Open != 0 {
				t.Errorf("%s again: %+v", name, r)
			}
		}
		// The chambers of the states, and other names: Nebraska's lower house is its upper one.
		lower := load(t, s, divisions.FileOCD, "us_sldl.csv")
		upper := load(t, s, divisions.FileOCD, "us_sldu.csv")
		other := load(t, s, divisions.FileOCD, "aliases.csv")
		if lower.New != 5052 || lower.Skipped != 1 || upper.New != 2019 || other.New+other.Changed+other.Kept+other.Skipped != 424 || other.Gone != 0 {
			t.Errorf("%+v\n%+v\n%+v", lower, upper, other)
		}
		d = models.Division{}
		if err := db.Where("ocd_id = ?", "ocd-division/country:us/state:ne/sldl:31").Take(&d).Error; err != nil || d.SameAs != "ocd-division/country:us/state:ne/sldu:31" {
			t.Errorf("%+v, %v", d, err)
		}
		if r := load(t, s, divisions.FileOCD, "us_sldl.csv"); r.New+r.Changed+r.Gone != 0 {
			t.Errorf("a list without other names takes none away: %+v", r)
		}
	})
}

func TestPointsOfRealBoundaries(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		s := service(db)
		load(t, s, divisions.FileOCD, "us_congressional_districts.csv")
		for name, n := range map[string]int{"nebraska": 3, "wyoming": 1, "vermont": 1, "delaware": 1} {
			if r := load(t, s, divisions.FileGeo, "cd118_"+name+".geojson"); r.New != n || r.Skipped != 0 || r.Gone != 0 {
				t.Errorf("%s: %+v", name, r)
			}
		}
		point := func(lat, lon float64) string {
			t.Helper()
			list, err := s.Point(ctx, lat, lon)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, d := range list {
				out = append(out, short(d))
			}
			return strings.Join(out, " ")
		}
		for _, x := range []struct {
			place    string
			lat, lon float64
			want     string
		}{
			{"Omaha", 41.2565, -95.9345, "NE-2"},
			{"Lincoln", 40.8136, -96.7026, "NE-1"},
			{"North Platte", 41.1239, -100.7654, "NE-3"},
			{"Scottsbluff", 41.8666, -103.6672, "NE-3"},
			{"Norfolk", 42.0283, -97.4170, "NE-1"},
			{"Cheyenne", 41.1400, -104.8202, "WY-0"},
			{"Burlington", 44.4759, -73.2121, "VT-0"},
			{"Dover", 39.1582, -75.5244, "DE-0"},
			{"the Gulf of Guinea", 0, 0, ""},
			{"nowhere", 91, 200, ""},
		} {
			if got := point(x.lat, x.lon); got != x.want {
				t.Errorf("%s: %q, want %q", x.place, got, x.want)
			}
		}
		f, err := os.ReadFile("testdata/offices.csv")
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(f)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for _, r := range rows[1:] {
			lat, err1 := strconv.ParseFloat(r[4], 64)
			lon, err2 := strconv.ParseFloat(r[5], 64)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			if got := point(lat, lon); got != r[1]+"-"+r[2] {
				t.Errorf("the office in %s: %q, want %s-%s", r[3], got, r[1], r[2])
			}
			seen[r[1]]++
		}
		if seen["NE"] != 6 || seen["WY"] != 2 || seen["VT"] != 2 || seen["DE"] != 1 {
			t.Errorf("%v", seen)
		}

		// A supporter by a point; the postal code does not take it back, a choice of theirs stays.
		id := person(t, db, "US", "68025")
		org := actor.Actor{Kind: actor.User, UserID: user(t, db), Role: actor.Organizer}
		if n, err := s.Locate(ctx, org, id, 41.2565, -95.9345); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		place(t, db, now, id)
		if got := home(t, db, id, "cd", now); got != "ocd-division/country:us/state:ne/cd:2 point" {
			t.Errorf("%q", got)
		}
		for key, err := range map[string]error{"error.point_nowhere": second(s.Locate(ctx, org, id, 0, 0)), "error.point_invalid": second(s.Locate(ctx, org, id, 95, 0))} {
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), key) {
				t.Errorf("%s: %v", key, err)
			}
		}
		if _, err := s.Locate(ctx, actor.Actor{Kind: actor.User, Role: actor.Coordinator}, id, 41, -96); !fault.Is(err, fault.Forbidden) {
			t.Errorf("without the right: %v", err)
		}
		elsewhere := actor.Actor{Kind: actor.User, UserID: org.UserID, Role: actor.Organizer, ChapterID: models.NewID()}
		if _, err := s.Locate(ctx, elsewhere, id, 41.2565, -95.9345); !fault.Is(err, fault.NotFound) {
			t.Errorf("of another chapter: %v", err)
		}
		if _, err := s.Homes(ctx, elsewhere, id); !fault.Is(err, fault.NotFound) {
			t.Errorf("of another chapter: %v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func user(t *testing.T, db *database.DB) uuid.UUID {
	t.Helper()
	m := models.Mailbox{ID: models.NewID(), AddressHash: []byte(models.NewID().String()), CreatedAt: now, UpdatedAt: now}
	u := models.User{ID: models.NewID(), MailboxID: m.ID, Role: string(actor.Organizer), CreatedAt: now, UpdatedAt: now}
	if err := errors.Join(db.Create(&m).Error, db.Create(&u).Error); err != nil {
		t.Fatal(err)
	}
	return u.ID
}

const square = `{"type":"Feature","properties":{"ocd_id":"ocd-division/country:us/state:zz/cd:%d"},"geometry":{"type":"%s","coordinates":%s}}`

func TestPointsOfShapes(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		s := service(db)
		list := "id,name\n"
		for i := 1; i <= 5; i++ {
			list += "ocd-division/country:us/state:zz/cd:" + strconv.Itoa(i) + ",x\n"
		}
		if _, err := text(s, divisions.FileOCD, list, divisions.Options{}); err != nil {
			t.Fatal(err)
		}
		var parts []string
		for _, f := range []struct {
			n            int
			kind, points string
		}{
			{2, "Polygon", `[[[0,0],[4,0],[4,4],[0,4],[0,0]],[[1,1],[3,1],[3,3],[1,3],[1,1]]]`},        // with a hole
			{1, "Polygon", `[[[4,0],[4,4],[8,4],[8,0],[4,0]]]`},                                        // its neighbour, drawn the other way round
			{3, "MultiPolygon", `[[[[1,1],[3,1],[3,3],[1,3],[1,1]]],[[[10,0],[12,0],[11,2],[10,0]]]]`}, // fills the hole, and is an island
			{4, "Polygon", `[[[20,0],[24,0,7],[24,4],[20,4],[20,0]]]`},
			{5, "Polygon", `[[[22,0],[26,0],[26,4],[22,4],[22,0]]]`}, // overlaps with 4
		} {
			parts = append(parts, strings.NewReplacer("%d", strconv.Itoa(f.n), `"%s"`, `"`+f.kind+`"`, "%s", f.points).Replace(square))
		}
		r, err := text(s, divisions.FileGeo, `{"type":"FeatureCollection","features":[`+strings.Join(parts, ",")+`]}`, divisions.Options{})
		if err != nil || r.New != 5 {
			t.Fatal(r, err)
		}
		for range 2 { // from the table, then from memory
			for _, x := range []struct {
				lat, lon float64
				want     string
			}{
				{0.5, 0.5, "2"},
				{2, 2, "3"},
				{2, 6, "1"},
				{1, 11, "3"},
				{1.5, 10.2, ""},
				{3.5, 9, ""},
				{2, 4, "1"},
				{0, 4, "1"},
				{4, 4, "1"}, // on the border of two: the first of both, always
				{1, 2, "2"},
				{1, 1, "2"}, // on the edge of the hole
				{0, 0, "2"},
				{4, 8, "1"},
				{0, 2, "2"},
				{2, 0, "2"},
				{2, 11, "3"},
				{0, 10.5, "3"}, // on an outer border: inside
				{2, 21, "4"},
				{2, 23, "4 5"},
				{2, 25, "5"},
				{2, 22, "4"},
				{2, 24, "5"}, // only an overlap gives two
				{-0.001, 2, ""},
				{4.001, 2, ""},
				{2, -0.001, ""},
			} {
				found, err := s.Point(ctx, x.lat, x.lon)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, d := range found {
					got = append(got, d.OCDID[len(d.OCDID)-1:])
				}
				if strings.Join(got, " ") != x.want {
					t.Errorf("%v, %v: %v, want %q", x.lat, x.lon, got, x.want)
				}
			}
		}
		// Another shape under the same id counts at once, though the old one is in memory.
		moved := strings.ReplaceAll(strings.NewReplacer("%d", "1", `"%s"`, `"Polygon"`, "%s", `[[[40,0],[44,0],[44,4],[40,0]]]`).Replace(square), "\n", "")
		later := clock.NewFixed(now)
		s = divisions.New(db, later)
		if _, err := s.Point(ctx, 2, 6); err != nil {
			t.Fatal(err)
		}
		later.Add(time.Minute)
		if r, err := text(s, divisions.FileGeo, `{"features":[`+moved+`]}`, divisions.Options{Part: true}); err != nil || r.Changed != 1 || r.Gone != 0 {
			t.Fatal(r, err)
		}
		if found, err := s.Point(ctx, 1, 43); err != nil || len(found) != 1 {
			t.Errorf("%v, %v", found, err)
		}
	})
}

func TestImportOfBadFiles(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		s := service(db)
		for _, x := range []struct{ kind, content, key string }{
			{divisions.FileOCD, "", "error.divisions_empty"},
			{divisions.FileOCD, "name,place\nx,y\n", "error.divisions_header"},
			{divisions.FileOCD, "id,name\nnonsense,x\n", "error.divisions_none"},
			{divisions.FileZIP, "zip,district\n05401,0\n", "error.divisions_header"},
			{divisions.FileZIP, "state_fips,state_abbr,zcta,cd\n50,VT,05401,0\n", "error.divisions_none"}, // no divisions yet
			{divisions.FileGeo, "[]", "error.divisions_geojson"},
			{divisions.FileGeo, `{"type":"FeatureCollection"}`, "error.divisions_geojson"},
			{divisions.FileGeo, `{"features":[{"type":"Feature"`, "error.divisions_json"},
			{divisions.FileGeo, `{"features":[]}`, "error.divisions_none"},
			{divisions.FileGeo, `{"crs":{"properties":{"name":"urn:ogc:def:crs:EPSG::3857"}},"features":[]}`, "error.divisions_crs"},
			{"shapefile", "x", "error.divisions_kind"},
		} {
			_, err := text(s, x.kind, x.content, divisions.Options{})
			if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), x.key) {
				t.Errorf("%s %q: %v", x.kind, x.content, err)
			}
		}
		good := "\xef\xbb\xbfid,name,validFrom,validThrough\nocd-division/country:us/state:vt/cd:at-large,Vermont,,\nocd-division/country:us/state:nc/cd:4,Fourth,,\nocd-division/country:us/state:nc/cd:9,\"Ninth\",,2020-01-01\n" +
			"ocd-division/country:us/state:nc/cd:5,Fifth,yesterday,\nocd-division/country:us/state:nc/cd:6,Sixth,2026-01-02,2026-01-01\nocd-division/country:us/state:nc/cd:4,Again,,\nnonsense,x,,\n\"ocd-division,x\nshort,row\n"
		r, err := text(s, divisions.FileOCD, good, divisions.Options{})
		if err != nil || r.New != 3 || r.Skipped != 5 {
			t.Fatalf("%+v, %v", r, err)
		}
		for i, want := range []string{"5 divisions.line_date", "6 divisions.line_order", "7 divisions.line_twice", "8 divisions.line_id", "9 divisions.line_broken"} {
			if b := r.Bad[i]; strconv.Itoa(b.Line)+" "+b.Key != want {
				t.Errorf("%+v, want %s", b, want)
			}
		}
		r, err = text(s, divisions.FileZIP, "cd,zcta,state_abbr,state_fips\n0,5401,vt,50\n4,27510,NC,37\n4,27510,NC,37\n9,27713,NC,37\n7,27713,NC,37\n4,27x13,NC,37\n4,27713,NC,38\nx,27713,NC,37\n1,27713\n", divisions.Options{})
		if err != nil || r.New != 2 || r.Skipped != 6 {
			t.Fatalf("%+v, %v", r, err)
		}
		want := map[string]bool{"5 divisions.line_over": true, "6 divisions.line_unknown": true, "7 divisions.line_zip": true, "8 divisions.line_fips": true, "9 divisions.line_district": true, "10 divisions.line_broken": true}
		for _, b := range r.Bad {
			if !want[strconv.Itoa(b.Line)+" "+b.Key] {
				t.Errorf("%+v", b)
			}
		}
		bow := `[[[0,0],[4,0],[4,4]]]`
		feature := func(id, geometry string) string {
			return `{"type":"Feature","properties":{` + id + `},"geometry":` + geometry + `}`
		}
		r, err = text(s, divisions.FileGeo, `{"features":[`+strings.Join([]string{
			feature(`"STATEFP20":"50","CD118FP":"00"`, `{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,0]]]}`),
			feature(`"STATEFP":"50","CD119FP":"00"`, `{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,0]]]}`), // the same again
			feature(`"STATEFP":"37","CD119FP":"04"`, `{"type":"Polygon","coordinates":`+bow+`}`),                     // not closed
			feature(`"STATEFP":"37","CD119FP":"04"`, `{"type":"Point","coordinates":[1,1]}`),
			feature(`"STATEFP":"37","CD119FP":"04"`, `{"type":"Polygon","coordinates":[[[0,0],[400,0],[4,4],[0,0]]]}`), // not on Earth
			feature(`"STATEFP":"37","CD119FP":"04"`, `{"type":"Polygon","coordinates":"everywhere"}`),
			feature(`"STATEFP":"37","CD119FP":"ZZ"`, `{"type":"Polygon","coordinates":[]}`),
			feature(`"STATEFP":"99","CD119FP":"01"`, `{"type":"Polygon","coordinates":[]}`),
			feature(`"ocd_id":"elsewhere"`, `{"type":"Polygon","coordinates":[]}`),
			feature(`"ocd_id":"ocd-division/country:us/state:nc/cd:77"`, `{"type":"Polygon","coordinates":[[[0,0],[4,0],[4,4],[0,0]]]}`),
			`{"properties":7}`,
		}, ",")+`]}`, divisions.Options{})
		if err != nil || r.New != 1 || r.Skipped != 10 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// Postal codes of any country, in districts of more than one kind.
func TestImportOfPostalCodes(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		s := service(db)
		const at = "ocd-division/country:xw/state:wn/"
		list := "id,name\n" + at + "sldl:1,House 1\n" + at + "sldl:2,House 2\n" + at + "sldu:1,Senate 1\n"
		if _, err := text(s, divisions.FileOCD, list, divisions.Options{}); err != nil {
			t.Fatal(err)
		}
		has := func(area string) (out []string) {
			t.Helper()
			choices, err := divisions.Candidates(context.Background(), db.DB, "XW", area, now)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range choices {
				for _, d := range c.Divisions {
					out = append(out, d.Name)
				}
			}
			return out
		}
		first := "postal_code,id\n001," + at + "sldl:1\n001," + at + "sldu:1\n002," + at + "sldl:1\n 002 ," + at + "sldl:2\n002," + at + "sldl:9\n," + at + "sldl:1\n003,elsewhere\n"
		r, err := text(s, divisions.FilePostal, first, divisions.Options{})
		if err != nil || r.New != 4 || r.Skipped != 3 {
			t.Fatalf("%+v, %v", r, err)
		}
		if one, two := has("001"), has("002"); !slices.Equal(one, []string{"Senate 1", "House 1"}) || !slices.Equal(two, []string{"House 1", "House 2"}) {
			t.Errorf("%v, %v", one, two)
		}
		// A list of one kind says nothing about the other.
		if r, err = text(s, divisions.FilePostal, "postal_code,id\n001,"+at+"sldl:1\n002,"+at+"sldl:2\n", divisions.Options{Force: true}); err != nil || r.Gone != 1 || r.Kept != 2 {
			t.Fatalf("%+v, %v", r, err)
		}
		if one, two := has("001"), has("002"); !slices.Equal(one, []string{"Senate 1", "House 1"}) || !slices.Equal(two, []string{"House 2"}) {
			t.Errorf("%v, %v", one, two)
		}
	})
}

func TestImportAgain(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		s := service(db)
		list := func(from, to int) string {
			b := "id,name,validFrom,validThrough\n"
			for i := from; i <= to; i++ {
				b += "ocd-division/country:us/state:nc/cd:" + strconv.Itoa(i) + ",District " + strconv.Itoa(i) + ",,\n"
			}
			return b
		}
		rows := func(zips ...string) string {
			return "state_fips,state_abbr,zcta,cd\n" + strings.Join(zips, "\n") + "\n"
		}
		if _, err := text(s, divisions.FileOCD, list(1, 30)+"ocd-division/country:us/state:vt/cd:at-large,Vermont,,\n", divisions.Options{}); err != nil {
			t.Fatal(err)
		}
		first := rows("37,NC,27601,2", "37,NC,27713,4", "37,NC,27713,9", "37,NC,27510,4", "37,NC,28202,12", "50,VT,05401,0")
		dry, err := text(s, divisions.FileZIP, first, divisions.Options{DryRun: true})
		var n int64
		if e := db.Model(&models.PostalDivision{}).Count(&n).Error; e != nil || err != nil || n != 0 || dry.New != 6 || dry.Placed.Looked != 0 {
			t.Fatalf("a dry run wrote: %+v, %d, %v, %v", dry, n, err, e)
		}
		a, b, c := person(t, db, "US", "27601"), person(t, db, "", "27713"), person(t, db, "US", "28202")
		if r, err := text(s, divisions.FileZIP, first, divisions.Options{}); err != nil || r.Placed != (divisions.Placed{Looked: 3, Found: 2}) {
			t.Fatalf("%+v, %v", r, err)
		}
		homes := func(want ...string) {
			t.Helper()
			for i, id := range []uuid.UUID{a, b, c} {
				if got := strings.TrimPrefix(home(t, db, id, "cd", now), "ocd-division/country:us/state:nc/"); got != want[i] {
					t.Errorf("%d: %q, want %q", i, got, want[i])
				}
			}
		}
		homes("cd:2 postal", "", "cd:12 postal")

		// New lines: one code spans two now, one does not any more, one is gone. That is more than a tenth: it needs force.
		next := rows("37,NC,27601,2", "37,NC,27601,4", "37,NC,27713,9", "37,NC,27510,4")
		if _, err := text(s, divisions.FileZIP, next, divisions.Options{}); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "error.divisions_gone") {
			t.Fatalf("two of five lines are gone: %v", err)
		}
		homes("cd:2 postal", "", "cd:12 postal")
		if r, err := text(s, divisions.FileZIP, next, divisions.Options{DryRun: true}); err != nil || r.Gone != 2 || r.New != 1 || r.Kept != 3 {
			t.Errorf("%+v, %v", r, err)
		}
		if r, err := text(s, divisions.FileZIP, next, divisions.Options{Part: true}); err != nil || r.Gone != 0 || r.New != 1 {
			t.Errorf("a part takes nothing away: %+v, %v", r, err)
		}
		homes("", "", "cd:12 postal")
		r, err := text(s, divisions.FileZIP, next, divisions.Options{Force: true})
		if err != nil || r.Gone != 2 || r.Placed.Found != 1 || r.Placed.Open != 1 {
			t.Errorf("%+v, %v", r, err)
		}
		homes("", "cd:9 postal", "")
		if got := candidates(t, db, "05401"); got != "VT-0" {
			t.Errorf("a file about one state says nothing about another: %q", got)
		}

		// A division that a newer list lacks is over, and stays with its people as ended. It is never deleted.
		if _, err := text(s, divisions.FileOCD, list(1, 8), divisions.Options{}); !fault.Is(err, fault.Invalid) {
			t.Errorf("most are gone: %v", err)
		}
		if r, err := text(s, divisions.FileOCD, list(1, 8)+list(10, 30)[len("id,name,validFrom,validThrough\n"):], divisions.Options{Version: "newer"}); err != nil || r.Gone != 1 || r.Kept != 29 {
			t.Errorf("%+v, %v", r, err)
		}
		homes("", "cd:9 postal ended", "")
		if r, err := text(s, divisions.FileOCD, list(1, 30), divisions.Options{}); err != nil || r.Changed != 1 || r.New != 0 {
			t.Errorf("it is back: %+v, %v", r, err)
		}
		homes("", "cd:9 postal", "")
		var entries int64
		if err := db.Model(&models.AuditEntry{}).Where("action = 'divisions.import'").Count(&entries).Error; err != nil || entries != 6 {
			t.Errorf("%d entries, %v", entries, err)
		}
		if _, err := s.Import(ctx, actor.Actor{Kind: actor.User, Role: actor.Organizer}, strings.NewReader(""), divisions.Options{}, nil); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an organizer imports: %v", err)
		}
	})
}

// What one run wrote before it was stopped, and did not place any more, the next one places.
func TestImportGoesOn(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		s := service(db)
		if _, err := text(s, divisions.FileOCD, "id,name\nocd-division/country:us/state:vt/cd:at-large,Vermont\n", divisions.Options{}); err != nil {
			t.Fatal(err)
		}
		id := person(t, db, "US", "05401")
		stopped, stop := context.WithCancel(ctx)
		_, err := s.Import(stopped, actor.TheSystem(), strings.NewReader("state_abbr,zcta,cd\nVT,05401,0\n"), divisions.Options{Kind: divisions.FileZIP, Version: "z"}, func(p divisions.Progress) {
			if p.Step == "write" {
				stop()
			}
		})
		if !errors.Is(err, context.Canceled) || home(t, db, id, "cd", now) != "" {
			t.Fatal(err)
		}
		if r, err := text(s, divisions.FileZIP, "state_abbr,zcta,cd\nVT,05401,0\n", divisions.Options{Version: "z"}); err != nil || r.Kept != 1 || r.Placed.Found != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestDaily(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		old := division(t, db, "cd:at-large", "cd", "", "2027-01-02")
		one, two := division(t, db, "cd:1", "cd", "2027-01-03", ""), division(t, db, "cd:2", "cd", "2027-01-03", "")
		covers(t, db, "US", "59001", old, one)
		covers(t, db, "US", "59002", one, two)
		a, b, c := person(t, db, "US", "59001"), person(t, db, "US", "59002"), person(t, db, "", "59001")
		place(t, db, now, a, b, c)
		at := clock.NewFixed(now)
		s := divisions.New(db, at)
		at.Set(time.Date(2027, 1, 4, 3, 0, 0, 0, time.UTC))
		for range 2 {
			if err := s.Daily(ctx); err != nil {
				t.Fatal(err)
			}
			if x, y, z := home(t, db, a, "cd", at.Now()), home(t, db, b, "cd", at.Now()), home(t, db, c, "cd", at.Now()); x != "cd:1 postal" || y != "" || z != "cd:1 postal" {
				t.Errorf("%q, %q, %q", x, y, z)
			}
		}
	})
}

func TestCountsByDivision(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		one, two, over := division(t, db, "cd:1", "cd", "", ""), division(t, db, "cd:2", "cd", "", ""), division(t, db, "cd:3", "cd", "", "2020-01-01")
		upper := division(t, db, "sldu:1", "sldu", "", "")
		covers(t, db, "US", "27601", one, over, upper)
		covers(t, db, "US", "27602", one)
		covers(t, db, "US", "27713", one, two)
		covers(t, db, "US", "27900", two)
		campaign := models.Campaign{ID: models.NewID(), Slug: "c", Title: "c", State: models.CampaignPublished, CreatedAt: now, UpdatedAt: now}
		if err := db.Create(&campaign).Error; err != nil {
			t.Fatal(err)
		}
		petition := func(slug string) uuid.UUID {
			p := models.Petition{ID: models.NewID(), CampaignID: campaign.ID, Slug: slug, State: models.PetitionPublished, Title: "p", Locale: "en", Goal: 10, CreatedAt: now, UpdatedAt: now}
			if err := db.Create(&p).Error; err != nil {
				t.Fatal(err)
			}
			return p.ID
		}
		mine, others := petition("a"), petition("b")
		sign := func(p uuid.UUID, kind models.TallyKind, area string, signed, confirmed int) {
			if err := db.Create(&models.PetitionTally{PetitionID: p, Kind: kind, Name: area, Signed: signed, Confirmed: confirmed}).Error; err != nil {
				t.Fatal(err)
			}
		}
		sign(mine, models.TallyPlace, "27601", 10, 3)
		sign(mine, models.TallyPlace, "27602", 2, 2)
		sign(mine, models.TallyPlace, "27713", 4, 4)
		sign(mine, models.TallyPlace, "27900", 1, 1)
		sign(mine, models.TallyPlace, "99999", 5, 5)
		sign(mine, models.TallyPlace, "", 6, 6)
		sign(mine, models.TallyPlace, "27999", 7, 0)
		sign(mine, models.TallySource, "27601", 9, 9)
		sign(others, models.TallyPlace, "27601", 8, 8)
		got, err := divisions.CountByDivision(ctx, db.DB, mine, "cd", now)
		if err != nil || len(got.Divisions) != 2 || got.Divisions[0].Division.ID != one.ID || got.Divisions[0].N != 5 || got.Divisions[1].N != 1 || got.Open != 4 || got.Elsewhere != 11 {
			t.Errorf("%+v, %v", got, err)
		}
		got, err = divisions.CountByDivision(ctx, db.DB, mine, "sldu", now)
		if err != nil || len(got.Divisions) != 1 || got.Divisions[0].N != 3 || got.Open != 0 || got.Elsewhere != 18 {
			t.Errorf("%+v, %v", got, err)
		}
		// Paper is counted once: where it was counted for, and elsewhere what has another kind of division, one that is over, or none.
		for i, d := range []*uuid.UUID{&one.ID, &one.ID, &two.ID, &upper.ID, &over.ID, nil} {
			paper := models.PaperCount{ID: models.NewID(), PetitionID: mine, DivisionID: d, Count: 10 + i, CollectedAt: now, CreatedAt: now}
			if i == 1 {
				paper.RemovedAt = &now
			}
			if err := db.Create(&paper).Error; err != nil {
				t.Fatal(err)
			}
		}
		got, err = divisions.CountByDivision(ctx, db.DB, mine, "cd", now)
		if err != nil || len(got.Divisions) != 2 || got.Divisions[0].N != 5+10 || got.Divisions[1].N != 1+12 || got.Open != 4 || got.Elsewhere != 11+13+14+15 {
			t.Errorf("with paper: %+v, %v", got, err)
		}
		if got, err := divisions.CountByDivision(ctx, db.DB, models.NewID(), "cd", now); err != nil || len(got.Divisions) != 0 || got.Open+got.Elsewhere != 0 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestHide(t *testing.T) {
	show := func(counts ...int) string {
		var out []string
		for _, x := range divisions.Hide(counts) {
			if x.Hidden {
				if x.N != 0 {
					t.Error("a hidden count is told")
				}
				out = append(out, "-")
			} else {
				out = append(out, strconv.Itoa(x.N))
			}
		}
		return strings.Join(out, " ")
	}
	for _, x := range []struct {
		counts []int
		want   string
	}{
		{[]int{10, 250, 11}, "10 250 11"},
		{[]int{9, 250, 11}, "- 250 -"}, // one alone could be reckoned from the sum
		{[]int{9, 0, 11}, "- - 11"},
		{[]int{3}, "-"},
		{nil, ""},
	} {
		if got := show(x.counts...); got != x.want {
			t.Errorf("%v: %s, want %s", x.counts, got, x.want)
		}
	}
}
