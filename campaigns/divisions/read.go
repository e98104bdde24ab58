package divisions

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/paulmach/orb"

	"kithline/campaigns/fault"
	"kithline/campaigns/postal"
	"kithline/models"
)

// Limits of a file: what is read is held until it is compared.
const (
	maxLines  = 500_000
	maxLoaded = 128 << 20 // bytes of boundaries
	maxShown  = 100       // lines with errors that are told one by one
)

// BadLine is a line, or a feature of a GeoJSON file, that was not taken, and why: a locale key with name, value pairs.
type BadLine struct {
	Line int
	Key  string
	Args []any
}

// bad gathers lines that were not taken.
type bad struct {
	list []BadLine
	n    int
}

func (b *bad) add(line int, key string, args ...any) {
	if b.n++; len(b.list) < maxShown {
		b.list = append(b.list, BadLine{line, key, args})
	}
}

// table reads a CSV file with headers, and hands each row on as a function from header to value; nil where a row has the wrong
// number of columns or quotes that cannot be read.
func table(r io.Reader, need []string, row func(line int, get func(column string) string, has func(column string) bool), wrong func(line int)) error {
	in := bufio.NewReader(r)
	if mark, err := in.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3) // what was peeked at is there
	}
	c := csv.NewReader(in)
	c.FieldsPerRecord, c.ReuseRecord = -1, true
	head, err := c.Read()
	if errors.Is(err, io.EOF) {
		return fault.New(fault.Invalid, "error.divisions_empty")
	}
	var syntax *csv.ParseError
	if errors.As(err, &syntax) {
		return fault.New(fault.Invalid, "error.divisions_header", "Columns", strings.Join(need, ", "))
	}
	if err != nil {
		return err
	}
	at := map[string]int{}
	for i, h := range head {
		at[strings.ToLower(strings.TrimSpace(h))] = i
	}
	for _, n := range need {
		if _, ok := at[n]; !ok {
			return fault.New(fault.Invalid, "error.divisions_header", "Columns", strings.Join(need, ", "))
		}
	}
	width := len(head)
	for n := 0; ; n++ {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if errors.As(err, &syntax) {
			wrong(syntax.StartLine)
			continue
		}
		if err != nil {
			return err
		}
		if n >= maxLines {
			return fault.New(fault.Invalid, "error.divisions_many", "Count", maxLines)
		}
		line, _ := c.FieldPos(0)
		if len(rec) != width {
			wrong(line)
			continue
		}
		has := func(column string) bool { _, ok := at[column]; return ok }
		row(line, func(column string) string {
			if i, ok := at[column]; ok {
				return strings.Clone(strings.TrimSpace(rec[i]))
			}
			return ""
		}, has)
	}
}

// readOCD reads a list of divisions: id, and name, sameAs, validFrom, validThrough where they are. A list of other names (id and
// sameAs, no name) has divisions too, each of which is another name for one.
func readOCD(r io.Reader, wrong *bad) ([]listed, error) {
	var out []listed
	seen := map[string]int{}
	err := table(r, []string{"id"}, func(line int, get func(string) string, has func(string) bool) {
		id := get("id")
		country, region, kind, ok := parse(id)
		if !ok {
			wrong.add(line, "divisions.line_id", "ID", brief(id))
			return
		}
		d := listed{
			Division: models.Division{
				OCDID: id, Name: get("name"), Country: country, Region: region, Kind: kind,
				SameAs: get("sameas"), ValidFrom: get("validfrom"), ValidThrough: get("validthrough"),
			},
			names: has("name"), aliases: has("sameas"),
		}
		switch {
		case !date(d.ValidFrom) || !date(d.ValidThrough):
			wrong.add(line, "divisions.line_date", "From", brief(d.ValidFrom), "Through", brief(d.ValidThrough))
		case d.ValidFrom != "" && d.ValidThrough != "" && d.ValidThrough < d.ValidFrom:
			wrong.add(line, "divisions.line_order", "From", d.ValidFrom, "Through", d.ValidThrough)
		case d.SameAs != "" && !ocdID.MatchString(d.SameAs), d.SameAs == id:
			wrong.add(line, "divisions.line_id", "ID", brief(d.SameAs))
		case len(d.Name) > maxID:
			wrong.add(line, "divisions.line_name")
		case seen[id] > 0:
			// An id that was used again after it was over stands twice in some lists: the one that lasts counts.
			wrong.add(line, "divisions.line_twice", "ID", id, "Line", seen[id])
			if at := slices.IndexFunc(out, func(x listed) bool { return x.OCDID == id }); out[at].ValidThrough != "" && (d.ValidThrough == "" || d.ValidThrough > out[at].ValidThrough) {
				out[at] = d
			}
		default:
			if d.Name == "" {
				d.Name = id[strings.LastIndexByte(id, '/')+1:]
			}
			seen[id] = line
			out = append(out, d)
		}
	}, func(line int) { wrong.add(line, "divisions.line_broken") })
	return out, err
}

// listed is a division as a file has it. names and aliases tell whether the file has these columns at all.
type listed struct {
	models.Division
	names, aliases bool
}

func date(s string) bool {
	if s == "" {
		return true
	}
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// brief is what an error shows of a value.
func brief(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}

// crossing is one line of a list of postal codes: it lies, as a whole or in part, in a division.
type crossing struct {
	line     int
	area, id string
}

// readZIP reads rows of ZIP code areas and districts of Congress: state_fips, state_abbr, zcta, cd. ZIP codes are text; district 0
// is the state at large.
func readZIP(r io.Reader, wrong *bad) ([]crossing, error) {
	var out []crossing
	err := table(r, []string{"state_abbr", "zcta", "cd"}, func(line int, get func(string) string, _ func(string) bool) {
		state, zip, fips := strings.ToUpper(get("state_abbr")), get("zcta"), get("state_fips")
		area := postal.Area("US", zip)
		id, ok := OCD(state, models.DivisionCongress, get("cd"))
		switch {
		case len(area) != 5 || strings.Trim(area, "0123456789") != "":
			wrong.add(line, "divisions.line_zip", "Code", brief(zip))
		case !ok:
			wrong.add(line, "divisions.line_district", "State", brief(state), "District", brief(get("cd")))
		case fips != "" && states[pad(fips)] != state:
			wrong.add(line, "divisions.line_fips", "State", brief(state), "Code", brief(fips))
		default:
			out = append(out, crossing{line, area, id})
		}
	}, func(line int) { wrong.add(line, "divisions.line_broken") })
	return out, err
}

// readPostal reads rows of postal codes and divisions of any country and kind: postal_code, id.
func readPostal(r io.Reader, wrong *bad) ([]crossing, error) {
	var out []crossing
	err := table(r, []string{"postal_code", "id"}, func(line int, get func(string) string, _ func(string) bool) {
		code, id := get("postal_code"), get("id")
		country, _, _, ok := parse(id)
		area := postal.Area(country, code)
		switch {
		case !ok:
			wrong.add(line, "divisions.line_id", "ID", brief(id))
		case area == "" || len(area) > 20:
			wrong.add(line, "divisions.line_postal", "Code", brief(code))
		default:
			out = append(out, crossing{line, area, id})
		}
	}, func(line int) { wrong.add(line, "divisions.line_broken") })
	return out, err
}

// pad gives a FIPS code of a state back the zero that a spreadsheet took.
func pad(fips string) string {
	if len(fips) == 1 {
		return "0" + fips
	}
	return fips
}

// outline is one feature of a file of boundaries.
type outline struct {
	line  int // the number of the feature, from 1
	id    string
	shape []byte
	bound orb.Bound
}

// readGeo reads a GeoJSON FeatureCollection (RFC 7946), a feature at a time. A feature tells its division by a property ocd_id, or by
// those of the Census Bureau's files: the state's FIPS code and the district of Congress or of a state's legislature.
func readGeo(r io.Reader, wrong *bad) ([]outline, error) {
	dec := json.NewDecoder(bufio.NewReader(r))
	dec.UseNumber()
	broken := func(err error) error {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fault.New(fault.Invalid, "error.divisions_json", "At", dec.InputOffset())
		}
		return err
	}
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		if err == nil || errors.Is(err, io.EOF) {
			return nil, fault.New(fault.Invalid, "error.divisions_geojson")
		}
		return nil, broken(err)
	}
	var out []outline
	found, size := false, 0
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, broken(err)
		}
		switch t {
		case "crs":
			var crs struct {
				Properties struct {
					Name string `json:"name"`
				} `json:"properties"`
			}
			if err := dec.Decode(&crs); err != nil {
				return nil, broken(err)
			}
			// NAD 83, which the Census Bureau uses, differs from WGS 84 by less than two metres.
			if n := crs.Properties.Name; n != "" && !slices.ContainsFunc([]string{":4269", ":4326", ":CRS84"}, func(s string) bool { return strings.HasSuffix(n, s) }) {
				return nil, fault.New(fault.Invalid, "error.divisions_crs", "Name", brief(n))
			}
		case "features":
			found = true
			if t, err := dec.Token(); err != nil || t != json.Delim('[') {
				return nil, fault.New(fault.Invalid, "error.divisions_geojson")
			}
			for n := 1; dec.More(); n++ {
				var f feature
				if err := dec.Decode(&f); err != nil {
					var kind *json.UnmarshalTypeError
					if !errors.As(err, &kind) {
						return nil, broken(err)
					}
					wrong.add(n, "divisions.feature_shape")
					continue
				}
				o, key := f.outline(n)
				if key != "" {
					wrong.add(n, key)
					continue
				}
				if size += len(o.shape); size > maxLoaded {
					return nil, fault.New(fault.Invalid, "error.divisions_large", "Size", maxLoaded>>20)
				}
				out = append(out, o)
			}
			if _, err := dec.Token(); err != nil {
				return nil, broken(err)
			}
		default:
			var skip json.RawMessage
			if err := dec.Decode(&skip); err != nil {
				return nil, broken(err)
			}
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, broken(err)
	}
	if !found {
		return nil, fault.New(fault.Invalid, "error.divisions_geojson")
	}
	return out, nil
}

// feature is a feature of GeoJSON as far as it matters here.
type feature struct {
	Properties map[string]any `json:"properties"`
	Geometry   struct {
		Type        string          `json:"type"`
		Coordinates json.RawMessage `json:"coordinates"`
	} `json:"geometry"`
}

// outline reads a feature; key says why it cannot be taken.
func (f feature) outline(n int) (_ outline, key string) {
	o := outline{line: n}
	if o.id, key = f.division(); key != "" {
		return o, key
	}
	var m orb.MultiPolygon
	var err error
	switch f.Geometry.Type {
	case "Polygon":
		m = make(orb.MultiPolygon, 1)
		m[0], err = polygon(f.Geometry.Coordinates)
	case "MultiPolygon":
		var parts []json.RawMessage
		err = json.Unmarshal(f.Geometry.Coordinates, &parts)
		for _, p := range parts {
			g, e := polygon(p)
			m, err = append(m, g), errors.Join(err, e)
		}
	}
	if err != nil || check(m) != nil {
		return o, "divisions.feature_shape"
	}
	o.bound = m.Bound()
	if o.shape, err = encode(m); err != nil {
		return o, "divisions.feature_shape"
	}
	return o, ""
}

// polygon reads rings of points; a height after longitude and latitude is left out.
func polygon(raw json.RawMessage) (orb.Polygon, error) {
	var rings [][][]float64
	if err := json.Unmarshal(raw, &rings); err != nil {
		return nil, err
	}
	g := make(orb.Polygon, len(rings))
	for i, r := range rings {
		g[i] = make(orb.Ring, len(r))
		for j, p := range r {
			if len(p) < 2 {
				return nil, errShape
			}
			g[i][j] = orb.Point{p[0], p[1]}
		}
	}
	return g, nil
}

// division is the id of a feature's division; key says why there is none.
func (f feature) division() (id, key string) {
	text := func(want func(name string) bool) (string, bool) {
		names := []string{}
		for name := range f.Properties {
			if want(strings.ToUpper(name)) {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			switch v := f.Properties[name].(type) {
			case string:
				return strings.TrimSpace(v), true
			case json.Number:
				return v.String(), true
			}
		}
		return "", false
	}
	match := func(patterns ...string) func(string) bool {
		return func(name string) bool {
			return slices.ContainsFunc(patterns, func(p string) bool { ok, err := path.Match(p, name); return ok && err == nil })
		}
	}
	if id, ok := text(match("OCD_ID", "OCDID", "OCD-ID")); ok {
		if _, _, _, ok := parse(id); !ok {
			return "", "divisions.feature_id"
		}
		return id, ""
	}
	fips, _ := text(match("STATEFP", "STATEFP[0-9][0-9]"))
	state := states[pad(fips)]
	for _, k := range []struct {
		kind  models.DivisionKind
		names []string
	}{
		{models.DivisionCongress, []string{"CD[0-9][0-9][0-9]FP"}},
		{models.DivisionUpper, []string{"SLDUST", "SLDUST[0-9][0-9]"}},
		{models.DivisionLower, []string{"SLDLST", "SLDLST[0-9][0-9]"}},
	} {
		d, ok := text(match(k.names...))
		if !ok {
			continue
		}
		if strings.Trim(d, "Z") == "" {
			return "", "divisions.feature_none" // water, or no district there
		}
		if k.kind == models.DivisionCongress && d == "98" {
			d = "0" // a delegate
		}
		if id, ok := OCD(state, k.kind, d); ok {
			return id, ""
		}
		return "", "divisions.feature_district"
	}
	return "", "divisions.feature_district"
}
