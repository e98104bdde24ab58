package legislators

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"kithline/campaigns/divisions"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Columns are the columns of a CSV of targets, in the order of docs/legislators.md, each with the other names that it is found by.
var Columns = []struct {
	Name    string
	Aliases []string
}{
	{"id", []string{"external_id", "person_id", "uuid"}},
	{"name", []string{"full_name", "official_full", "person", "nombre"}},
	{"given_name", []string{"first_name", "firstname", "given"}},
	{"family_name", []string{"last_name", "lastname", "surname", "family"}},
	{"suffix", []string{"name_suffix"}},
	{"salutation", []string{"greeting", "dear"}},
	{"title", []string{"role", "position", "office_title"}},
	{"jurisdiction", []string{"jurisdiction_code", "body", "organisation", "organization"}},
	{"jurisdiction_name", []string{"organisation_name", "organization_name"}},
	{"country", []string{"country_code"}},
	{"region", []string{"state", "province"}},
	{"chamber", []string{"chamber_code", "house", "type"}},
	{"chamber_name", []string{"body_name"}},
	{"division", []string{"ocd_id", "division_id", "ocd_division"}},
	{"district", []string{"constituency", "ward", "seat", "current_district"}},
	{"party", []string{"current_party"}},
	{"start", []string{"start_date", "from", "valid_from"}},
	{"end", []string{"end_date", "through", "until", "valid_through"}},
	{"email", []string{"email_address", "mail"}},
	{"web_form", []string{"webform", "contact_form", "form", "url", "website"}},
	{"phone", []string{"telephone", "voice", "phone_number", "capitol_voice"}},
	{"fax", []string{"capitol_fax"}},
	{"office_kind", []string{"office_type"}},
	{"office_name", []string{"office"}},
	{"street", []string{"address", "address1", "capitol_address"}},
	{"city", []string{"town"}},
	{"office_region", []string{"office_state"}},
	{"postal_code", []string{"zip", "zip_code", "zipcode", "postcode"}},
	{"office_country", nil},
	{"hours", []string{"office_hours", "opening_hours"}},
	{"latitude", []string{"lat"}},
	{"longitude", []string{"lon", "lng"}},
	{"committees", []string{"committee"}},
}

// header is a column's name as headers are compared.
func header(s string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return '_'
	}, strings.TrimSpace(s)), "_")
}

// columnAt finds the columns of a header line.
func columnAt(line []string) map[string]int {
	at := map[string]int{}
	for _, c := range Columns {
		for _, name := range append([]string{c.Name}, c.Aliases...) {
			if i := slices.IndexFunc(line, func(s string) bool { return header(s) == name }); i >= 0 {
				if _, has := at[c.Name]; !has {
					at[c.Name] = i
				}
			}
		}
	}
	return at
}

// csvRow is a line with its values by column.
type csvRow struct {
	file   string
	line   int
	values []string
	at     map[string]int
}

func (c csvRow) get(column string, most int) string {
	if i, ok := c.at[column]; ok && i < len(c.values) {
		return flat(c.values[i], most)
	}
	return ""
}

func (c csvRow) wrong(key string, args ...any) error {
	return fault.New(fault.Invalid, key, append([]any{"File", c.file, "Line", c.line}, args...)...)
}

// readCSV reads a list of targets of any country, council, company or ministry. A line that repeats an id adds an office or a seat to the
// person whose id it is.
func readCSV(_ context.Context, p *pack, today string) (*reading, error) {
	if !p.alone {
		return nil, fault.New(fault.Invalid, "error.legislators_csv_alone", "File", p.label)
	}
	b, err := p.read(p.names[0])
	if err != nil {
		return nil, err
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if len(bytes.TrimSpace(b)) == 0 {
		return nil, fault.New(fault.Invalid, "error.legislators_empty", "File", p.label)
	}
	if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
		return nil, fault.New(fault.Invalid, "error.legislators_encoding", "File", p.label)
	}
	in := csv.NewReader(bytes.NewReader(b))
	in.FieldsPerRecord = -1
	first, _, _ := bytes.Cut(b, []byte("\n"))
	if bytes.Count(first, []byte(";")) > bytes.Count(first, []byte(",")) {
		in.Comma = ';'
	}
	var at map[string]int
	width := 0
	r, index, grouped := newReading(), map[string]int{}, map[string]*group{}
	var order []string
	for {
		values, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			line := 1
			var e *csv.ParseError
			if errors.As(err, &e) {
				line = e.StartLine
			}
			return nil, fault.Because(err, fault.Invalid, "error.legislators_csv_broken", "File", p.label, "Line", line)
		}
		line, _ := in.FieldPos(0)
		c := csvRow{p.label, line, values, at}
		if at == nil {
			at, width = columnAt(values), len(values)
			for _, need := range []string{"name", "jurisdiction"} {
				_, has := at[need]
				_, family := at["family_name"]
				if !has && (need != "name" || !family) {
					return nil, fault.New(fault.Invalid, "error.legislators_csv_column", "File", p.label, "Column", need)
				}
			}
			continue
		}
		if len(strings.Join(values, "")) == 0 {
			continue
		}
		if len(values) != width {
			return nil, c.wrong("error.legislators_csv_width", "Count", len(values), "Want", width)
		}
		x, err := c.record(r)
		if err != nil {
			return nil, err
		}
		i, again := index[x.external]
		if !again {
			i = len(r.people)
			index[x.external] = i
			r.people = append(r.people, record{
				external: x.external, name: x.name, given: x.given, family: x.family, suffix: x.suffix, salutation: x.salutation,
			})
		}
		if err := c.join(&r.people[i], x); err != nil {
			return nil, err
		}
		if _, has := at["committees"]; has {
			r.grouped[x.terms[0].in.jurisdiction] = true
			order = c.groups(x, grouped, order)
		}
	}
	if len(r.people) == 0 {
		return nil, fault.New(fault.Invalid, "error.legislators_none", "File", p.label)
	}
	for i := range r.people {
		x := &r.people[i]
		x.terms = current(x.terms, today)
		slices.SortStableFunc(x.channels, func(a, b way) int { return rankOf[a.kind] - rankOf[b.kind] })
	}
	for _, id := range order {
		r.groups = append(r.groups, *grouped[id])
	}
	return r, nil
}

// rankOf orders kinds of channels as they are tried.
var rankOf = map[models.ChannelKind]int{models.ChannelEmail: 1, models.ChannelWebForm: 2, models.ChannelPost: 3, models.ChannelPhone: 4}

// code makes a word of a name: letters and figures in lower case with hyphens between.
func code(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), "-")
}

// record reads one line: a person with one seat, and at most one office.
func (c csvRow) record(r *reading) (record, error) {
	x := record{
		name: c.get("name", maxName), given: c.get("given_name", maxName), family: c.get("family_name", maxName), suffix: c.get("suffix", maxName), salutation: c.get("salutation", maxName),
	}
	if x.name == "" {
		x.name = flat(strings.Join([]string{x.given, x.family, x.suffix}, " "), maxName)
	}
	if x.family == "" {
		x.family = lastWord(x.name)
	}
	j := models.Jurisdiction{Code: code(c.get("jurisdiction", 60)), Name: c.get("jurisdiction_name", maxName), Country: strings.ToUpper(c.get("country", 2)), Region: strings.ToUpper(c.get("region", 10))}
	switch {
	case x.name == "":
		return x, c.wrong("error.legislators_csv_name")
	case j.Code == "":
		return x, c.wrong("error.legislators_csv_empty", "Column", "jurisdiction")
	}
	s, err := c.seat(j.Code)
	if err != nil {
		return x, err
	}
	if j.Name == "" {
		j.Name = c.get("jurisdiction", 60)
	}
	if _, has := r.jurisdictions[j.Code]; !has {
		r.jurisdictions[j.Code] = j
	}
	if _, has := r.chambers[s.in]; !has {
		ch := models.Chamber{Code: s.in.chamber, Name: c.get("chamber_name", maxName), MemberTitle: s.title}
		if ch.Name == "" {
			ch.Name = r.jurisdictions[j.Code].Name
		}
		if s.ocd != "" {
			ch.DivisionKind = kindOf(s.ocd)
		}
		r.chambers[s.in] = ch
	}
	x.terms = []seat{s}
	id := c.get("id", 100)
	if id == "" {
		id = code(s.in.chamber + " " + s.district + " " + x.name)
	}
	x.external = j.Code + "/" + id
	return x, c.office(&x)
}

// kindOf is the kind of a division by the last part of its id.
func kindOf(ocd string) models.DivisionKind {
	kind, _, _ := strings.Cut(ocd[strings.LastIndex(ocd, "/")+1:], ":")
	return models.DivisionKind(kind)
}

func (c csvRow) seat(jurisdiction string) (seat, error) {
	s := seat{
		in: body{jurisdiction, code(c.get("chamber", 60))}, district: c.get("district", maxName), title: c.get("title", maxName), party: c.get("party", maxName),
		from: c.get("start", 10), through: c.get("end", 10), ocd: strings.ToLower(c.get("division", maxText)),
	}
	if s.in.chamber == "" {
		s.in.chamber = "members"
	}
	for _, d := range []struct{ column, day string }{{"start", s.from}, {"end", s.through}} {
		if d.day != "" && !isDay(d.day) {
			return s, c.wrong("error.legislators_csv_day", "Column", d.column, "Value", d.day)
		}
	}
	if s.from != "" && s.through != "" && s.through < s.from {
		return s, c.wrong("error.legislators_csv_order")
	}
	if s.ocd != "" && !divisions.IsOCD(s.ocd) {
		return s, c.wrong("error.legislators_csv_division", "Value", s.ocd)
	}
	return s, nil
}

// office reads what a line says about how somebody is reached.
func (c csvRow) office(x *record) error {
	email, form := c.get("email", 320), c.get("web_form", 1000)
	if form == "" && link(email) != "" {
		email, form = "", email
	}
	if email != "" {
		if email = mail(email); email == "" {
			return c.wrong("error.legislators_csv_mail")
		}
	}
	if form != "" {
		if form = link(form); form == "" {
			return c.wrong("error.legislators_csv_link")
		}
	}
	o := place{
		kind: strings.ToLower(c.get("office_kind", 20)), name: c.get("office_name", maxName), street: c.get("street", maxText), city: c.get("city", maxName), region: c.get("office_region", 20),
		postal: c.get("postal_code", 20), country: strings.ToUpper(c.get("office_country", 2)), phone: c.get("phone", 40), fax: c.get("fax", 40), hours: c.get("hours", maxText),
	}
	switch o.kind {
	case "home":
		o = place{} // homes are never kept
	case "", "capitol":
		o.kind = "capitol"
	default:
		o.kind = "district"
	}
	if o.region == "" && o.street != "" {
		o.region = strings.ToUpper(c.get("region", 10))
	}
	if o.country == "" {
		o.country = strings.ToUpper(c.get("country", 2))
	}
	for _, d := range []struct {
		column string
		most   float64
		into   **float64
	}{{"latitude", 90, &o.latitude}, {"longitude", 180, &o.longitude}} {
		if v := c.get(d.column, 20); v != "" {
			n, err := strconv.ParseFloat(v, 64)
			if err != nil || !(n >= -d.most && n <= d.most) {
				return c.wrong("error.legislators_csv_number", "Column", d.column, "Value", v)
			}
			*d.into = &n
		}
	}
	if o.street+o.phone+o.fax+o.city != "" {
		o.key = o.kind + "/1"
		x.offices = []place{o}
	}
	x.channels = ways(email, form, x.offices)
	return nil
}

// join puts what a further line says to the person whom it is about.
func (c csvRow) join(to *record, x record) error {
	if to.name != x.name {
		return c.wrong("error.legislators_csv_same", "ID", c.get("id", 100), "Name", to.name)
	}
	for _, t := range x.terms {
		if !slices.Contains(to.terms, t) {
			to.terms = append(to.terms, t)
		}
	}
	for _, o := range x.offices {
		was := o.key
		n := 0
		for _, y := range to.offices {
			if y.kind == o.kind {
				n++
			}
		}
		o.key = o.kind + "/" + strconv.Itoa(n+1)
		if same := slices.IndexFunc(to.offices, func(y place) bool { y.key = o.key; return samePlace(y, o) }); same >= 0 {
			o.key = to.offices[same].key
		} else {
			to.offices = append(to.offices, o)
		}
		for i := range x.channels {
			if x.channels[i].office == was {
				x.channels[i].office = o.key
			}
		}
	}
	for _, w := range x.channels {
		if !slices.Contains(to.channels, w) {
			to.channels = append(to.channels, w)
		}
	}
	return nil
}

// samePlace compares offices by what they say.
func samePlace(a, b place) bool {
	same := func(x, y *float64) bool { return (x == nil) == (y == nil) && (x == nil || *x == *y) }
	sameAt := same(a.latitude, b.latitude) && same(a.longitude, b.longitude)
	a.latitude, a.longitude, b.latitude, b.longitude = nil, nil, nil, nil
	return sameAt && a == b
}

// groups reads the committees of a line: names with semicolons between, and a title in brackets after each where there is one.
func (c csvRow) groups(x record, known map[string]*group, order []string) []string {
	in := x.terms[0].in
	for part := range strings.SplitSeq(c.get("committees", 2000), ";") {
		name, title, _ := strings.Cut(strings.TrimSuffix(strings.TrimSpace(part), ")"), "(")
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		id := "csv/" + in.jurisdiction + "/" + in.chamber + "/" + code(name)
		g := known[id]
		if g == nil {
			g = &group{external: id, name: flat(name, maxName), in: in}
			known[id] = g
			order = append(order, id)
		}
		if !slices.ContainsFunc(g.members, func(m member) bool { return m.external == x.external }) {
			g.members = append(g.members, member{x.external, flat(title, maxName), len(g.members) + 1})
		}
	}
	return order
}
