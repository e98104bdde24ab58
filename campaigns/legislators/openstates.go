package legislators

import (
	"bytes"
	"context"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"kithline/campaigns/divisions"
	"kithline/campaigns/fault"
	"kithline/models"
)

type statePerson struct {
	ID     string `yaml:"id"`
	Name   string `yaml:"name"`
	Given  string `yaml:"given_name"`
	Family string `yaml:"family_name"`
	Suffix string `yaml:"suffix"`
	Email  string `yaml:"email"`
	Death  string `yaml:"death_date"`
	Party  []struct {
		Name string `yaml:"name"`
		End  string `yaml:"end_date"`
	} `yaml:"party"`
	Roles []struct {
		Type         string `yaml:"type"`
		Jurisdiction string `yaml:"jurisdiction"`
		District     string `yaml:"district"`
		Start        string `yaml:"start_date"`
		End          string `yaml:"end_date"`
	} `yaml:"roles"`
	Offices []struct {
		Class   string `yaml:"classification"`
		Name    string `yaml:"name"`
		Address string `yaml:"address"`
		Voice   string `yaml:"voice"`
		Fax     string `yaml:"fax"`
	} `yaml:"offices"`
	Links []struct {
		URL string `yaml:"url"`
	} `yaml:"links"`
}

type stateCommittee struct {
	ID           string `yaml:"id"`
	Jurisdiction string `yaml:"jurisdiction"`
	Name         string `yaml:"name"`
	Chamber      string `yaml:"chamber"`
	Parent       string `yaml:"parent"`
	Members      []struct {
		Role   string `yaml:"role"`
		Person string `yaml:"person_id"`
	} `yaml:"members"`
}

// government is how openstates names a jurisdiction: the United States, or a part of them.
var government = regexp.MustCompile(`^ocd-jurisdiction/country:us(?:/(?:state|district|territory):([a-z]{2}))?/government$`)

// stateOf is the state of a jurisdiction, "" for the United States; ok is false for a city or what is none.
func stateOf(jurisdiction string) (state string, ok bool) {
	m := government.FindStringSubmatch(jurisdiction)
	if m == nil {
		return "", false
	}
	state = strings.ToUpper(m[1])
	return state, state == "" || stateNames[state] != ""
}

// readOpenStates reads the tree of openstates/people, or a part of it: the files in folders called legislature and committees, and those
// of a folder that holds nothing else. Who retired, mayors and executives are left out.
func readOpenStates(ctx context.Context, p *pack, today string) (*reading, error) {
	var people, groups []string
	for _, n := range p.names {
		if ext := path.Ext(n); ext != ".yml" && ext != ".yaml" {
			continue
		}
		switch dir := path.Base(path.Dir(n)); {
		case dir == "legislature", p.alone, dir == "." && path.Base(n) != "settings.yml" && p.label == "legislature":
			people = append(people, n)
		case dir == "committees":
			groups = append(groups, n)
		}
	}
	if len(people) == 0 {
		return nil, fault.New(fault.Invalid, "error.legislators_no_tree", "File", p.label)
	}
	persons := make([]statePerson, len(people))
	if err := p.each(ctx, people, func(i int, b []byte) error { return readYAML(p, people[i], b, &persons[i]) }); err != nil {
		return nil, err
	}
	r, at := newReading(), map[string]string{}
	for i, s := range persons {
		file := p.where(people[i])
		if first, twice := at[s.ID]; twice {
			return nil, fault.New(fault.Invalid, "error.legislators_twice_files", "File", file, "Other", first)
		}
		at[s.ID] = file
		x, err := stateRecord(r, s, today)
		if err != nil {
			return nil, named(err, file, 1)
		}
		if len(x.terms) == 0 {
			r.note("legislators.note_no_role", x.name, "")
			continue
		}
		r.people = append(r.people, x)
	}
	if len(r.people) == 0 {
		return nil, fault.New(fault.Invalid, "error.legislators_none", "File", p.label)
	}
	slices.SortFunc(r.people, func(a, b record) int { return strings.Compare(a.external, b.external) })
	return r, readStateGroups(ctx, p, groups, r)
}

// stateRecord reads one person.
func stateRecord(r *reading, s statePerson, today string) (record, error) {
	x := record{
		external: flat(s.ID, maxName), name: flat(s.Name, maxName), given: flat(s.Given, maxName), family: flat(s.Family, maxName), suffix: flat(s.Suffix, maxName),
	}
	if !strings.HasPrefix(x.external, "ocd-person/") || x.name == "" {
		return record{}, fault.New(fault.Invalid, "error.legislators_openstates")
	}
	if x.family == "" {
		x.family = lastWord(x.name)
	}
	party := ""
	for _, y := range s.Party {
		if end := flat(y.End, maxName); end == "" || end >= today {
			party = strings.Trim(party+"/"+flat(y.Name, maxName), "/")
		}
	}
	if flat(s.Death, 10) != "" {
		return x, nil
	}
	for _, y := range s.Roles {
		state, ok := stateOf(y.Jurisdiction)
		if !ok {
			continue // of a city
		}
		from, through := flat(y.Start, 10), flat(y.End, 10)
		if through != "" && (!isDay(through) || through < today) {
			continue
		}
		if from != "" && !isDay(from) {
			from = ""
		}
		in, ok := r.add(state, y.Type)
		if !ok {
			continue // governor, mayor
		}
		t := seat{in: in, district: flat(y.District, maxName), party: party, from: from, through: through}
		t.ocd = districtOf(state, y.Type, t.district)
		x.terms = append(x.terms, t)
	}
	if len(x.terms) > 0 {
		x.terms = current(x.terms, today)
	}
	count := map[string]int{}
	for _, o := range s.Offices {
		kind, post, _ := strings.Cut(o.Class, "-")
		if kind != "capitol" && kind != "district" { // homes, and what is not said to be none
			continue
		}
		count[o.Class]++
		f := place{key: o.Class + "/" + strconv.Itoa(count[o.Class]), kind: kind, name: flat(o.Name, maxName), country: "US", phone: flat(o.Voice, maxName), fax: flat(o.Fax, maxName)}
		if post != "" && f.name == "" {
			f.name = "Mail"
		}
		f.street, f.city, f.region, f.postal = split(o.Address)
		x.offices = append(x.offices, f)
	}
	email, form := mail(s.Email), link(s.Email)
	if email == "" && form == "" {
		if s.Email != "" {
			r.note("legislators.note_mail", x.name, flat(s.Email, maxName))
		}
		for _, l := range s.Links {
			if u := link(l.URL); form == "" && strings.Contains(strings.ToLower(path.Base(u)), "contact") {
				form = u
			}
		}
	}
	x.channels = ways(email, form, x.offices)
	return x, nil
}

// districtOf is the id of a district as openstates names it; "" where nothing on a map belongs to the name.
func districtOf(state, word, district string) string {
	if state != "" {
		id, ok := divisions.OCD(state, divisions.Chamber(word), district)
		if !ok {
			return ""
		}
		return id
	}
	if word == "upper" { // the name of the state
		id, ok := divisions.State(stateCodes[strings.ToLower(district)])
		if !ok {
			return ""
		}
		return id
	}
	code, number, _ := strings.Cut(district, "-")
	if number == "AL" {
		number = "0"
	}
	id, ok := divisions.OCD(code, models.DivisionCongress, number)
	if !ok {
		return ""
	}
	return id
}

// readStateGroups reads the committees of the jurisdictions whose people the file has.
func readStateGroups(ctx context.Context, p *pack, names []string, r *reading) error {
	list := make([]stateCommittee, len(names))
	if err := p.each(ctx, names, func(i int, b []byte) error { return readYAML(p, names[i], b, &list[i]) }); err != nil {
		return err
	}
	known := map[string]bool{}
	for i := range r.people {
		known[r.people[i].external] = true
	}
	for i, c := range list {
		state, ok := stateOf(c.Jurisdiction)
		j := jurisdictionOf(state).Code
		if !strings.HasPrefix(c.ID, "ocd-organization/") || flat(c.Name, maxName) == "" {
			return fault.New(fault.Invalid, "error.legislators_committee", "File", p.where(names[i]))
		}
		if _, has := r.jurisdictions[j]; !ok || !has {
			continue
		}
		g := group{external: flat(c.ID, maxName), parent: flat(c.Parent, maxName), name: flat(c.Name, maxName), in: body{j, c.Chamber}}
		if _, has := r.chambers[g.in]; !has {
			g.in.chamber = "" // a joint one
		}
		for n, m := range c.Members {
			if known[m.Person] {
				title := flat(m.Role, maxName)
				if strings.EqualFold(title, "member") {
					title = ""
				}
				g.members = append(g.members, member{m.Person, title, n + 1})
			}
		}
		r.groups = append(r.groups, g)
		r.grouped[j] = true
	}
	return nil
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// readYAML reads a file of YAML. Its errors name the file and the line.
func readYAML(p *pack, name string, b []byte, into any) error {
	if len(bytes.TrimSpace(b)) == 0 {
		return fault.New(fault.Invalid, "error.legislators_empty", "File", p.where(name))
	}
	if err := yaml.Unmarshal(b, into); err != nil {
		line := 1
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1])
		}
		return fault.Because(err, fault.Invalid, "error.legislators_yaml", "File", p.where(name), "Line", line)
	}
	return nil
}
