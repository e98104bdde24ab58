package legislators

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"path"
	"strings"

	"kithline/campaigns/divisions"
	"kithline/campaigns/fault"
	"kithline/models"
)

// The files of unitedstates/congress-legislators that are read; the first must be there.
const (
	congressPeople     = "legislators-current.json"
	congressOffices    = "legislators-district-offices.json"
	congressCommittees = "committees-current.json"
	congressMembers    = "committee-membership-current.json"
)

type congressPerson struct {
	ID struct {
		Bioguide string `json:"bioguide"`
	} `json:"id"`
	Name struct {
		First, Last, Suffix string
		Nickname            string `json:"nickname"`
		Full                string `json:"official_full"`
	} `json:"name"`
	Terms []struct {
		Type, Start, End, State string
		District                *int
		Rank                    string `json:"state_rank"`
		Party, URL, Address     string
		Form                    string `json:"contact_form"`
		Phone, Fax              string
	} `json:"terms"`
}

type congressOffice struct {
	ID      struct{ Bioguide string } `json:"id"`
	Offices []struct {
		ID, Address, Suite, Building, City, State, ZIP loose
		Latitude, Longitude                            *float64
		Phone, Fax, Hours                              loose
	} `json:"offices"`
}

// loose is a text that stands as a number in places.
type loose string

// UnmarshalJSON is part of json.Unmarshaler.
func (l *loose) UnmarshalJSON(b []byte) error {
	var n json.Number
	if err := json.Unmarshal(b, &n); err == nil && len(b) > 0 && b[0] != '"' {
		*l = loose(n)
		return nil
	}
	return json.Unmarshal(b, (*string)(l))
}

type congressCommittee struct {
	Type, Name string
	ID         string `json:"thomas_id"`
	Parts      []struct {
		Name string
		ID   string `json:"thomas_id"`
	} `json:"subcommittees"`
}

type congressMember struct {
	Bioguide, Title string
	Rank            int
}

// congressTitles are the members of the House who have no vote there.
var congressTitles = map[string]string{"AS": "Delegate", "DC": "Delegate", "GU": "Delegate", "MP": "Delegate", "VI": "Delegate", "PR": "Resident Commissioner"}

// readCongress reads the JSON files of unitedstates/congress-legislators: the file of the people alone, or a folder or ZIP with more of them.
func readCongress(_ context.Context, p *pack, today string) (*reading, error) {
	find := func(name string) string {
		for _, n := range p.names {
			if path.Base(n) == name {
				return n
			}
		}
		return ""
	}
	main := find(congressPeople)
	if p.alone {
		main = p.names[0]
	}
	if main == "" {
		return nil, fault.New(fault.Invalid, "error.legislators_missing", "File", p.label, "Missing", congressPeople)
	}
	var list []congressPerson
	if err := readJSON(p, main, &list); err != nil {
		return nil, err
	}
	r, at := newReading(), map[string]int{}
	for i, c := range list {
		x, err := congressRecord(r, c, today)
		if err == nil {
			if _, twice := at[x.external]; twice {
				err = fault.New(fault.Invalid, "error.legislators_twice", "File", p.where(main), "Name", x.name, "ID", x.external)
			}
		}
		if err != nil {
			return nil, named(err, p.where(main), i+1)
		}
		at[x.external] = len(r.people)
		r.people = append(r.people, x)
	}
	if len(r.people) == 0 {
		return nil, fault.New(fault.Invalid, "error.legislators_none", "File", p.where(main))
	}
	if name := find(congressOffices); name != "" && !p.alone {
		var offices []congressOffice
		if err := readJSON(p, name, &offices); err != nil {
			return nil, err
		}
		for _, o := range offices {
			if i, known := at[o.ID.Bioguide]; known {
				r.people[i].districtOffices(o)
			}
		}
	}
	for i := range r.people {
		x := &r.people[i]
		var form string
		if len(x.channels) > 0 {
			form = x.channels[0].value
		}
		x.channels = ways("", form, x.offices)
	}
	return r, readGroups(p, find(congressCommittees), find(congressMembers), at, r)
}

// congressRecord reads one person. Their web form stands in channels until the offices are known.
func congressRecord(r *reading, c congressPerson, today string) (record, error) {
	if c.ID.Bioguide == "" || len(c.Terms) == 0 {
		return record{}, fault.New(fault.Invalid, "error.legislators_congress")
	}
	x := record{
		external: flat(c.ID.Bioguide, maxName), name: flat(c.Name.Full, maxName), given: flat(c.Name.First, maxName), family: flat(c.Name.Last, maxName), suffix: flat(c.Name.Suffix, maxName),
	}
	if x.name == "" {
		x.name = flat(strings.Join([]string{x.given, x.family, x.suffix}, " "), maxName)
	}
	if x.name == "" {
		return record{}, fault.New(fault.Invalid, "error.legislators_congress")
	}
	for _, t := range c.Terms {
		word := map[string]string{"sen": "upper", "rep": "lower"}[t.Type]
		state := strings.ToUpper(t.State)
		if word == "" || stateNames[state] == "" || !isDay(t.Start) || !isDay(t.End) {
			return record{}, fault.New(fault.Invalid, "error.legislators_congress")
		}
		in, _ := r.add("", word)
		s := seat{in: in, party: flat(t.Party, maxName), rank: t.Rank, from: t.Start, through: t.End}
		if t.Type == "sen" {
			s.ocd, _ = divisions.State(state)
			s.district = state
		} else {
			n := 0
			if t.District != nil {
				n = *t.District
			}
			s.district = state + "-" + itoa(n)
			s.ocd, _ = divisions.OCD(state, models.DivisionCongress, itoa(n))
			s.title = congressTitles[state]
		}
		x.terms = append(x.terms, s)
	}
	x.terms = current(x.terms, today)
	last := c.Terms[len(c.Terms)-1]
	form := link(last.Form)
	if form == "" {
		form = link(last.URL)
	}
	if form != "" {
		x.channels = []way{{kind: models.ChannelWebForm, value: form}}
	}
	if last.Address+last.Phone != "" {
		o := place{key: "capitol", kind: "capitol", country: "US", phone: flat(last.Phone, maxName), fax: flat(last.Fax, maxName)}
		o.street, o.city, o.region, o.postal = capitol(last.Address)
		x.offices = append(x.offices, o)
	}
	return x, nil
}

// capitol takes the address of an office in Washington apart, which is written without commas.
func capitol(line string) (street, city, region, postal string) {
	line = flat(line, maxText)
	if before, zip, ok := strings.Cut(line, " Washington DC "); ok {
		return strings.TrimRight(before, ",; "), "Washington", "DC", zip
	}
	return split(line)
}

func (x *record) districtOffices(o congressOffice) {
	for i, f := range o.Offices {
		var street []string
		for _, part := range []loose{f.Address, f.Suite, f.Building} {
			if t := part.flat(maxText); t != "" {
				street = append(street, t)
			}
		}
		key := f.ID.flat(maxName)
		if key == "" {
			key = "district/" + itoa(i+1)
		}
		x.offices = append(x.offices, place{
			key: key, kind: "district", street: flat(strings.Join(street, ", "), maxText), city: f.City.flat(maxName), region: f.State.flat(10), postal: f.ZIP.flat(20), country: "US",
			phone: f.Phone.flat(maxName), fax: f.Fax.flat(maxName), hours: f.Hours.flat(maxText), latitude: f.Latitude, longitude: f.Longitude,
		})
	}
}

func (l loose) flat(most int) string { return flat(string(l), most) }

// readGroups reads the committees and who is on them, where both files are there.
func readGroups(p *pack, committees, members string, known map[string]int, r *reading) error {
	if p.alone || committees == "" || members == "" {
		return nil
	}
	var list []congressCommittee
	var on map[string][]congressMember
	if err := errors.Join(readJSON(p, committees, &list), readJSON(p, members, &on)); err != nil {
		return err
	}
	words := map[string]string{"house": "lower", "senate": "upper"}
	add := func(g group) {
		for _, m := range on[g.external] {
			if _, is := known[m.Bioguide]; is {
				g.members = append(g.members, member{m.Bioguide, flat(m.Title, maxName), m.Rank})
			}
		}
		g.external, g.parent = prefixed(g.external), prefixed(g.parent)
		r.groups = append(r.groups, g)
	}
	for _, c := range list {
		in := body{"us", words[c.Type]}
		add(group{external: c.ID, name: flat(c.Name, maxName), in: in})
		for _, s := range c.Parts {
			add(group{external: c.ID + s.ID, parent: c.ID, name: flat(c.Name+": "+s.Name, maxName), in: in})
		}
	}
	r.grouped["us"] = true
	return nil
}

func prefixed(id string) string {
	if id == "" {
		return ""
	}
	return "congress/" + id
}

// readJSON reads a file of JSON. Its errors name the file and the line.
func readJSON(p *pack, name string, into any) error {
	b, err := p.read(name)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return fault.New(fault.Invalid, "error.legislators_empty", "File", p.where(name))
	}
	d := json.NewDecoder(bytes.NewReader(b))
	err = d.Decode(into)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			return fault.New(fault.Invalid, "error.legislators_json", "File", p.where(name), "Line", lineAt(b, d.InputOffset()))
		}
		return nil
	}
	at := int64(len(b))
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &kind):
		at = kind.Offset
		return fault.Because(err, fault.Invalid, "error.legislators_other", "File", p.where(name), "Line", lineAt(b, at))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault.Because(err, fault.Invalid, "error.legislators_cut", "File", p.where(name), "Line", lineAt(b, at))
	}
	return fault.Because(err, fault.Invalid, "error.legislators_json", "File", p.where(name), "Line", lineAt(b, at))
}

// lineAt is the line of a place in a text, from 1.
func lineAt(b []byte, at int64) int {
	return 1 + bytes.Count(b[:min(max(at, 0), int64(len(b)))], []byte("\n"))
}

// named puts the file and the number of the entry into a fault that has none.
func named(err error, file string, entry int) error {
	var e *fault.Error
	if errors.As(err, &e) && len(e.Args) == 0 {
		return fault.New(e.Kind, e.Key, "File", file, "Entry", entry)
	}
	return err
}
