package legislators

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models"
	"kithline/models/database"
)

// differ compares a file with what is known and gathers what is to be written.
type differ struct {
	kind    models.LegislatorSource
	version string
	now     time.Time
	today   string
	file    *reading

	jurisdictions map[string]models.Jurisdiction
	chambers      map[body]models.Chamber
	byChamber     map[uuid.UUID]body
	divisions     map[string]uuid.UUID
	people        map[string]models.Legislator
	terms         map[uuid.UUID][]models.Term
	offices       map[uuid.UUID][]models.Office
	channels      map[uuid.UUID][]models.Channel

	speaks  map[body]bool // the chambers that the file decides about
	counts  map[string]*Count
	total   int
	same    int
	changes []Change
	notes   []Note
	ended   []uuid.UUID
	out     rowsOut
}

// rowsOut is what is to be written.
type rowsOut struct {
	newJurisdictions, setJurisdictions []models.Jurisdiction
	newChambers, setChambers           []models.Chamber
	newPeople, setPeople               []models.Legislator
	newTerms, setTerms                 []models.Term
	newOffices, setOffices             []models.Office
	newChannels, setChannels           []models.Channel
	newGroups, setGroups               []models.Committee
	newMembers, setMembers             []models.CommitteeMember
}

// compare finds what differs. It reads, and writes nothing.
func compare(ctx context.Context, tx *gorm.DB, file *reading, o ImportOptions, now time.Time) (*differ, error) {
	d := &differ{
		kind: o.Kind, version: o.Version, now: now, today: day(now), file: file, notes: file.notes,
		jurisdictions: map[string]models.Jurisdiction{}, chambers: map[body]models.Chamber{}, byChamber: map[uuid.UUID]body{}, divisions: map[string]uuid.UUID{},
		people: map[string]models.Legislator{}, terms: map[uuid.UUID][]models.Term{}, offices: map[uuid.UUID][]models.Office{}, channels: map[uuid.UUID][]models.Channel{},
		speaks: map[body]bool{}, counts: map[string]*Count{},
	}
	tx = tx.WithContext(ctx)
	if err := d.load(tx); err != nil {
		return nil, err
	}
	d.bodies()
	if err := d.others(tx); err != nil {
		return nil, err
	}
	in := map[string]bool{}
	for i := range file.people {
		x := file.people[i]
		x.terms = slices.DeleteFunc(slices.Clone(x.terms), func(t seat) bool { return !d.speaks[t.in] })
		if len(x.terms) > 0 {
			in[x.external] = true
			d.person(x)
		}
	}
	d.vanished(in)
	if err := d.groups(tx); err != nil {
		return nil, err
	}
	order := func(c Change) int { return slices.Index(ChangeKinds, c.Kind) }
	slices.SortStableFunc(d.changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), strings.Compare(a.Before+a.After, b.Before+b.After), strings.Compare(a.Name, b.Name))
	})
	return d, nil
}

// load reads what is known.
func (d *differ) load(tx *gorm.DB) error {
	var js []models.Jurisdiction
	var cs []models.Chamber
	if err := tx.Find(&js).Error; err != nil {
		return err
	}
	code := map[uuid.UUID]string{}
	for _, j := range js {
		d.jurisdictions[j.Code], code[j.ID] = j, j.Code
	}
	if err := tx.Find(&cs).Error; err != nil {
		return err
	}
	for _, c := range cs {
		b := body{code[c.JurisdictionID], c.Code}
		d.chambers[b], d.byChamber[c.ID] = c, b
	}
	var people []models.Legislator
	if err := tx.Where("source = ?", d.kind).Find(&people).Error; err != nil {
		return err
	}
	for _, l := range people {
		d.people[l.ExternalID] = l
	}
	ours := "legislator_id IN (SELECT id FROM legislators WHERE source = ?)"
	var terms []models.Term
	var offices []models.Office
	var channels []models.Channel
	if len(people) > 0 {
		if err := tx.Where(ours, d.kind).Order("id").Find(&terms).Error; err != nil {
			return err
		}
		if err := tx.Where(ours+" AND removed_at IS NULL", d.kind).Order("id").Find(&offices).Error; err != nil {
			return err
		}
		if err := tx.Where(ours+" AND (removed_at IS NULL OR source = ?)", d.kind, models.SourceHand).Order("position, id").Find(&channels).Error; err != nil {
			return err
		}
	}
	for _, t := range terms {
		d.terms[t.LegislatorID] = append(d.terms[t.LegislatorID], t)
	}
	for _, o := range offices {
		d.offices[o.LegislatorID] = append(d.offices[o.LegislatorID], o)
	}
	for _, c := range channels {
		d.channels[c.LegislatorID] = append(d.channels[c.LegislatorID], c)
	}
	return d.places(tx)
}

// places finds the divisions that the file names, through their other names.
func (d *differ) places(tx *gorm.DB) error {
	named := map[string]bool{}
	for i := range d.file.people {
		for _, t := range d.file.people[i].terms {
			if t.ocd != "" {
				named[t.ocd] = true
			}
		}
	}
	ids := make([]string, 0, len(named))
	for id := range named {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var rows, others []models.Division
	if err := database.FindIn(tx, "ocd_id", ids, &rows); err != nil {
		return err
	}
	var further []string
	for _, r := range rows {
		if r.SameAs != "" {
			further = append(further, r.SameAs)
		}
	}
	if err := database.FindIn(tx, "ocd_id", further, &others); err != nil {
		return err
	}
	for _, r := range append(others, rows...) {
		d.divisions[r.OCDID] = r.ID
	}
	for _, r := range rows {
		if to, ok := d.divisions[r.SameAs]; ok {
			d.divisions[r.OCDID] = to
		}
	}
	return nil
}

// bodies compares jurisdictions and chambers.
func (d *differ) bodies() {
	for code, j := range d.file.jurisdictions {
		old, known := d.jurisdictions[code]
		if !known {
			j.ID, j.CreatedAt, j.UpdatedAt = models.NewID(), d.now, d.now
			d.out.newJurisdictions = append(d.out.newJurisdictions, j)
			d.jurisdictions[code] = j
		} else if old.Name != j.Name || old.Country != j.Country || old.Region != j.Region {
			old.Name, old.Country, old.Region, old.UpdatedAt = j.Name, j.Country, j.Region, d.now
			d.out.setJurisdictions = append(d.out.setJurisdictions, old)
			d.jurisdictions[code] = old
		}
		d.counts[code] = &Count{Code: code, Name: d.jurisdictions[code].Name}
	}
	for b, c := range d.file.chambers {
		old, known := d.chambers[b]
		d.speaks[b] = true
		if !known {
			c.ID, c.JurisdictionID, c.CreatedAt, c.UpdatedAt = models.NewID(), d.jurisdictions[b.jurisdiction].ID, d.now, d.now
			d.out.newChambers = append(d.out.newChambers, c)
			d.chambers[b], d.byChamber[c.ID] = c, b
		} else if old.Name != c.Name || old.MemberTitle != c.MemberTitle || old.DivisionKind != c.DivisionKind {
			old.Name, old.MemberTitle, old.DivisionKind, old.UpdatedAt = c.Name, c.MemberTitle, c.DivisionKind, d.now
			d.out.setChambers = append(d.out.setChambers, old)
			d.chambers[b] = old
		}
	}
}

// others leaves chambers alone whose people come from another kind of file: nobody is to stand there twice.
func (d *differ) others(tx *gorm.DB) error {
	var taken []struct {
		ChamberID uuid.UUID
		Source    string
	}
	err := tx.Table("terms AS t").Joins("JOIN legislators l ON l.id = t.legislator_id").Where(inForce, d.today, d.today).
		Where("l.source NOT IN ?", []models.LegislatorSource{d.kind, models.SourceHand}).Distinct("t.chamber_id", "l.source").Scan(&taken).Error
	for _, t := range taken {
		if b := d.byChamber[t.ChamberID]; d.speaks[b] {
			delete(d.speaks, b)
			d.notes = append(d.notes, Note{"legislators.note_other_kind", d.chambers[b].Name, t.Source})
		}
	}
	return err
}

// active reports whether a term holds today or will.
func (d *differ) active(t models.Term) bool {
	return t.EndedAt == nil && (t.ValidThrough == "" || t.ValidThrough >= d.today)
}

// said is a seat in words.
func (d *differ) said(t models.Term) string {
	return strings.TrimSpace(strings.Join([]string{d.chambers[d.byChamber[t.ChamberID]].Name, t.District}, " "))
}

func (d *differ) change(l models.Legislator, kind, before, after string) {
	d.changes = append(d.changes, Change{Kind: kind, Name: l.Name, Before: before, After: after, ID: l.ID})
}

// person compares one person of the file.
func (d *differ) person(x record) {
	wanted := make([]models.Term, len(x.terms))
	some := false
	for i, t := range x.terms {
		wanted[i] = models.Term{
			ChamberID: d.chambers[t.in].ID, OCDID: t.ocd, District: t.district, Title: t.title, Party: t.party, SeatRank: t.rank, ValidFrom: t.from, ValidThrough: t.through,
		}
		if id, ok := d.divisions[t.ocd]; ok {
			wanted[i].DivisionID = &id
		}
		some = some || d.active(wanted[i])
	}
	l, known := d.people[x.external]
	if !known && !some {
		d.notes = append(d.notes, Note{"legislators.note_over", x.name, wanted[len(wanted)-1].ValidThrough})
		return
	}
	d.total++
	d.counts[x.terms[0].in.jurisdiction].People++
	if !known {
		l = models.Legislator{
			ID: models.NewID(), Source: string(d.kind), ExternalID: x.external, Name: x.name, GivenName: x.given, FamilyName: x.family, Suffix: x.suffix, Salutation: x.salutation,
			CreatedAt: d.now, UpdatedAt: d.now,
		}
		d.out.newPeople = append(d.out.newPeople, l)
		for _, t := range wanted {
			d.begin(l.ID, t)
		}
		d.change(l, "joined", "", d.said(wanted[len(wanted)-1]))
		d.counts[x.terms[0].in.jurisdiction].Joined++
		d.reach(l, x, true)
		return
	}
	before := len(d.changes)
	d.named(&l, x)
	joined := d.seats(l, x, wanted)
	d.reach(l, x, joined)
	if len(d.changes) == before {
		d.same++
	}
}

func (d *differ) begin(id uuid.UUID, t models.Term) {
	t.ID, t.LegislatorID, t.Version, t.CreatedAt, t.UpdatedAt = models.NewID(), id, d.version, d.now, d.now
	d.out.newTerms = append(d.out.newTerms, t)
}

// named compares how somebody is called.
func (d *differ) named(l *models.Legislator, x record) {
	if x.salutation == "" {
		x.salutation = l.Salutation // the file says nothing about it
	}
	if l.Name == x.name && l.GivenName == x.given && l.FamilyName == x.family && l.Suffix == x.suffix && l.Salutation == x.salutation {
		return
	}
	was := l.Name
	l.Name, l.GivenName, l.FamilyName, l.Suffix, l.Salutation, l.UpdatedAt = x.name, x.given, x.family, x.suffix, x.salutation, d.now
	d.out.setPeople = append(d.out.setPeople, *l)
	d.change(*l, "name", was, x.name)
}

// sameSeat reports whether two terms are in one seat.
func sameSeat(a, b models.Term) bool {
	return a.ChamberID == b.ChamberID && a.OCDID == b.OCDID && (a.OCDID != "" || a.District == b.District)
}

// seats compares the terms of somebody who is known. It reports whether they sat nowhere before.
func (d *differ) seats(l models.Legislator, x record, wanted []models.Term) (joined bool) {
	old := d.terms[l.ID]
	was := slices.ContainsFunc(old, d.active)
	used := map[uuid.UUID]bool{}
	var begun, over []models.Term
	remains := false
	for _, w := range wanted {
		i := slices.IndexFunc(old, func(t models.Term) bool { return !used[t.ID] && t.EndedAt == nil && sameSeat(t, w) })
		if i >= 0 {
			used[old[i].ID] = true
			d.renew(l, old[i], w)
			remains = remains || d.active(w)
			continue
		}
		byHand := slices.ContainsFunc(old, func(t models.Term) bool {
			return t.EndedByHand && sameSeat(t, w) && (w.ValidFrom == "" || w.ValidFrom <= day(*t.EndedAt))
		})
		if byHand || !d.active(w) {
			continue // an organizer said that it is over
		}
		d.begin(l.ID, w)
		begun, remains = append(begun, w), true
	}
	mine := map[string]bool{}
	for _, t := range x.terms {
		mine[t.in.jurisdiction] = true
	}
	for _, t := range old {
		if used[t.ID] || !d.active(t) || !mine[d.byChamber[t.ChamberID].jurisdiction] {
			if !used[t.ID] && d.active(t) {
				remains = true
			}
			continue
		}
		over = append(over, d.end(t))
	}
	at := d.counts[x.terms[0].in.jurisdiction]
	if was {
		at.Had++
	}
	switch {
	case !was && remains && len(begun) > 0:
		d.change(l, "joined", "", d.said(begun[0]))
		at.Joined++
		return true
	case was && !remains:
		d.change(l, "left", d.said(old[len(old)-1]), "")
		at.Left++
	case len(over) > 0 && len(begun) > 0:
		d.change(l, "moved", d.said(over[0]), d.said(begun[0]))
	case len(over) > 0:
		d.change(l, "term", d.said(over[0]), "")
	case len(begun) > 0:
		d.change(l, "term", "", d.said(begun[0]))
	}
	if len(over) > 0 || was && !remains {
		d.ended = append(d.ended, l.ID)
	}
	return false
}

// end ends a term now.
func (d *differ) end(t models.Term) models.Term {
	t.EndedAt, t.UpdatedAt, t.Version = &d.now, d.now, d.version
	d.out.setTerms = append(d.out.setTerms, t)
	return t
}

// renew brings a term to what the file says about the same seat.
func (d *differ) renew(l models.Legislator, t, w models.Term) {
	if w.DivisionID == nil {
		w.DivisionID = t.DivisionID
	}
	sameID := (t.DivisionID == nil) == (w.DivisionID == nil) && (t.DivisionID == nil || *t.DivisionID == *w.DivisionID)
	if t.Party != w.Party {
		d.change(l, "party", t.Party, w.Party)
	}
	said := func(x models.Term) string {
		return strings.TrimSpace(strings.Join([]string{x.District, x.Title, x.SeatRank, x.ValidFrom + "/" + x.ValidThrough}, " "))
	}
	if before, after := said(t), said(w); before != after {
		d.change(l, "term", before, after)
	} else if t.Party == w.Party && sameID {
		return
	}
	t.DivisionID, t.District, t.Title, t.Party, t.SeatRank, t.ValidFrom, t.ValidThrough = w.DivisionID, w.District, w.Title, w.Party, w.SeatRank, w.ValidFrom, w.ValidThrough
	t.Version, t.UpdatedAt = d.version, d.now
	d.out.setTerms = append(d.out.setTerms, t)
}

// vanished ends the terms of those whom the file lacks, in the chambers that it speaks for.
func (d *differ) vanished(in map[string]bool) {
	var gone []models.Legislator
	for external, l := range d.people {
		if !in[external] {
			gone = append(gone, l)
		}
	}
	slices.SortFunc(gone, func(a, b models.Legislator) int { return strings.Compare(a.ExternalID, b.ExternalID) })
	for _, l := range gone {
		var over []models.Term
		remains := false
		for _, t := range d.terms[l.ID] {
			switch {
			case !d.active(t):
			case d.speaks[d.byChamber[t.ChamberID]]:
				over = append(over, d.end(t))
			default:
				remains = true
			}
		}
		if len(over) == 0 {
			continue
		}
		d.ended = append(d.ended, l.ID)
		at := d.counts[d.byChamber[over[0].ChamberID].jurisdiction]
		at.Had++
		if remains {
			d.change(l, "term", d.said(over[0]), "")
			continue
		}
		d.change(l, "left", d.said(over[0]), "")
		at.Left++
	}
}

// result puts what was found into words and counts.
func (d *differ) result(r *Result) {
	r.People, r.Same, r.Changes, r.Notes, r.Counts = d.total, d.same, d.changes, d.notes, map[string]int{}
	if r.Changes == nil {
		r.Changes = []Change{}
	}
	if r.Notes == nil {
		r.Notes = []Note{}
	}
	for _, c := range d.changes {
		r.Counts[c.Kind]++
	}
	r.Jurisdictions = []Count{}
	for _, c := range d.counts {
		if c.People+c.Had > 0 {
			r.Jurisdictions = append(r.Jurisdictions, *c)
		}
	}
	slices.SortFunc(r.Jurisdictions, func(a, b Count) int { return strings.Compare(a.Code, b.Code) })
}
