package legislators

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/divisions"
	"kithline/models"
)

// located is a place as the divisions know it.
type located struct {
	country, region string // "" where they are not known, or not yet
	known           []models.Division
	open            []divisions.Choice
	states          []models.Division // several: the state has to be asked before anything else
	electors        []elector         // what the place is known to lie in, the country and the state first
	rows            map[string]models.Division
}

// elector is a division that elects somebody: one that is known, or one that the state itself is.
type elector struct {
	id       string
	kind     models.DivisionKind
	whole    bool // the state itself, or the country
	division models.Division
}

// name is what people call it.
func (e elector) name(b bodies) string {
	if e.division.Name != "" {
		return e.division.Name
	}
	code := strings.NewReplacer("ocd-division/country:", "", "/state:", "-", "/district:", "-", "/territory:", "-", "/province:", "-").Replace(e.id)
	for _, j := range b.jurisdictions {
		if j.Code == code {
			return j.Name
		}
	}
	if e.whole {
		return strings.ToUpper(code[strings.LastIndexAny(code, "-:")+1:])
	}
	return ""
}

// area is a state of a country.
type area struct{ country, region string }

func areaOf(d models.Division) area { return area{d.Country, d.Region} }

// locate finds the divisions of a place.
func locate(ctx context.Context, tx *gorm.DB, p Place, now time.Time) (located, error) {
	at := located{country: strings.ToUpper(strings.TrimSpace(p.Country))}
	said := strings.ToUpper(strings.TrimSpace(p.Region))
	own, err := ownDivisions(tx, p.Divisions, now)
	if err != nil {
		return at, err
	}
	point, err := locateAtPoint(ctx, tx, p, now)
	if err != nil {
		return at, err
	}
	list, err := divisions.Candidates(ctx, tx, at.country, p.PostalCode, now)
	if err != nil {
		return at, err
	}
	areas := areasOf(append(slices.Clone(own), point...))
	if len(areas) == 0 && said != "" {
		country := at.country
		for _, a := range areasOf(flatten(list)) {
			if country == "" && a.region == said {
				country = a.country
			}
		}
		areas = []area{{country, said}}
	}
	if len(areas) == 0 {
		areas = areasOf(flatten(list))
	}
	switch len(areas) {
	case 0:
		return at, nil
	case 1:
		at.country, at.region = areas[0].country, areas[0].region
	default:
		return at, at.ask(tx, areas)
	}
	for _, source := range [][]divisions.Choice{grouped(own), grouped(point), list} {
		for _, c := range source {
			at.add(c, p.Statewide)
		}
	}
	ids := append(at.roots(), divisions.StateID(at.country, at.region)+atLarge)
	if err := at.read(tx, ids); err != nil {
		return at, err
	}
	at.elect(ids, now)
	return at, nil
}

// atLarge ends the id of a district of Congress that is a whole state.
const atLarge = "/cd:at-large"

// elect lists what the place is known to lie in. A state without districts is one itself, whether it is in the list of divisions or not.
func (at *located) elect(ids []string, now time.Time) {
	for _, id := range ids {
		kind, _, _ := strings.Cut(id[strings.LastIndexByte(id, '/')+1:], ":")
		e := elector{id: id, kind: models.DivisionKind(kind), whole: !strings.HasSuffix(id, atLarge), division: at.rows[id]}
		if !e.whole {
			has := func(c divisions.Choice) bool { return c.Kind == e.kind }
			if e.division.ID != uuid.Nil && !divisions.Valid(e.division, now) || slices.ContainsFunc(grouped(at.known), has) || slices.ContainsFunc(at.open, has) {
				continue
			}
		}
		at.electors = append(at.electors, e)
	}
	for _, d := range at.known {
		at.electors = append(at.electors, elector{id: d.OCDID, kind: d.Kind, division: d})
	}
}

// ask makes the state the question.
func (at *located) ask(tx *gorm.DB, areas []area) error {
	ids := make([]string, len(areas))
	for i, a := range areas {
		ids[i] = divisions.StateID(a.country, a.region)
	}
	if err := at.read(tx, ids); err != nil {
		return err
	}
	for i, a := range areas {
		d, ok := at.rows[ids[i]]
		if !ok {
			d = models.Division{OCDID: ids[i], Name: a.region, Country: a.country, Region: a.region}
		}
		d.Kind = KindState
		at.states = append(at.states, d)
	}
	slices.SortFunc(at.states, func(x, y models.Division) int {
		return cmp.Or(strings.Compare(x.Country, y.Country), strings.Compare(x.Region, y.Region))
	})
	return nil
}

// add takes the divisions of a kind that lie in the state: one is where the person lives, several are a question. What is known stays.
func (at *located) add(c divisions.Choice, quiet bool) {
	has := func(d models.Division) bool { return d.Kind == c.Kind }
	if slices.ContainsFunc(at.known, has) || slices.ContainsFunc(at.open, func(o divisions.Choice) bool { return o.Kind == c.Kind }) {
		return
	}
	var in []models.Division
	for _, d := range c.Divisions {
		if areaOf(d) == (area{at.country, at.region}) {
			in = append(in, d)
		}
	}
	switch {
	case len(in) == 1:
		at.known = append(at.known, in[0])
	case len(in) > 1 && !quiet:
		at.open = append(at.open, divisions.Choice{Kind: c.Kind, Divisions: in})
	}
}

// read fetches the rows of divisions by their ids; many have none.
func (at *located) read(tx *gorm.DB, ids []string) error {
	var rows []models.Division
	if err := tx.Where("ocd_id IN ?", ids).Find(&rows).Error; err != nil {
		return err
	}
	at.rows = map[string]models.Division{}
	for _, d := range rows {
		at.rows[d.OCDID] = d
	}
	return nil
}

// roots are the ids that the state itself, and the country, may have.
func (at located) roots() []string {
	if at.region == "" {
		return nil
	}
	ids := []string{"ocd-division/country:" + strings.ToLower(at.country), divisions.StateID(at.country, at.region)}
	for _, d := range at.known {
		for id := d.OCDID; strings.Count(id, "/") > 1; {
			id = id[:strings.LastIndexByte(id, '/')]
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// every lists the divisions that the place lies or may lie in.
func (at located) every() []models.Division {
	return append(append(slices.Clone(at.known), flatten(at.open)...), at.states...)
}

// elects are the ids of all that elects somebody, or may.
func (at located) elects() []string {
	ids := []string{}
	for _, e := range at.electors {
		ids = append(ids, e.id)
	}
	for _, d := range at.every() {
		ids = append(ids, d.OCDID)
	}
	return ids
}

// electorOf is the division whose term it is, if the place is known to lie in it.
func (at located) electorOf(t models.Term) (elector, bool) {
	for _, e := range at.electors {
		if e.id == t.OCDID || t.DivisionID != nil && e.division.ID == *t.DivisionID {
			return e, true
		}
	}
	return elector{}, false
}

// choices are the open questions, with who sits for each candidate.
func (at located) choices(sitting []Member) []Choice {
	open := at.open
	if len(at.states) > 0 {
		open = []divisions.Choice{{Kind: KindState, Divisions: at.states}}
	}
	out := make([]Choice, 0, len(open))
	for _, o := range open {
		c := Choice{Kind: o.Kind}
		for _, d := range o.Divisions {
			x := Candidate{Division: d}
			for _, m := range sitting {
				if m.Term.OCDID == d.OCDID || m.Term.DivisionID != nil && d.ID == *m.Term.DivisionID {
					x.Members = append(x.Members, m)
				}
			}
			c.Divisions = append(c.Divisions, x)
		}
		out = append(out, c)
	}
	return out
}

// ownDivisions reads what somebody says, as far as it is valid.
func ownDivisions(tx *gorm.DB, ids []uuid.UUID, now time.Time) ([]models.Division, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []models.Division
	if err := tx.Where("id IN ?", ids).Order("ocd_id").Find(&rows).Error; err != nil {
		return nil, err
	}
	for i, d := range rows {
		if d.SameAs == "" {
			continue
		}
		var newer []models.Division
		if err := tx.Where("ocd_id = ?", d.SameAs).Find(&newer).Error; err != nil {
			return nil, err
		}
		if len(newer) > 0 {
			rows[i] = newer[0]
		}
	}
	return slices.DeleteFunc(rows, func(d models.Division) bool { return !divisions.Valid(d, now) }), nil
}

// grouped puts divisions of a kind together.
func grouped(list []models.Division) []divisions.Choice {
	var out []divisions.Choice
	for _, d := range list {
		i := slices.IndexFunc(out, func(c divisions.Choice) bool { return c.Kind == d.Kind })
		if i < 0 {
			i = len(out)
			out = append(out, divisions.Choice{Kind: d.Kind})
		}
		out[i].Divisions = append(out[i].Divisions, d)
	}
	return out
}

func flatten(list []divisions.Choice) []models.Division {
	var out []models.Division
	for _, c := range list {
		out = append(out, c.Divisions...)
	}
	return out
}

// areasOf lists the states that divisions lie in.
func areasOf(list []models.Division) []area {
	var out []area
	for _, d := range list {
		if a := areaOf(d); !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}
