package legislators

import (
	"slices"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models"
)

// prefixOf begins the ids of committees of a kind of file.
var prefixOf = map[models.LegislatorSource]string{models.SourceCongress: "congress/", models.SourceOpenStates: "ocd-organization/", models.SourceCSV: "csv/"}

// groups compares the committees of the jurisdictions that the file tells, and who is on them.
func (d *differ) groups(tx *gorm.DB) error {
	told := map[uuid.UUID]bool{}
	for code := range d.file.grouped {
		told[d.jurisdictions[code].ID] = d.spoken(code)
	}
	if len(told) == 0 {
		return nil
	}
	var rows []models.Committee
	if err := tx.Where("external_id LIKE ?", prefixOf[d.kind]+"%").Order("id").Find(&rows).Error; err != nil {
		return err
	}
	known := map[string]models.Committee{}
	for _, c := range rows {
		known[c.ExternalID] = c
	}
	var members []models.CommitteeMember
	if len(rows) > 0 {
		if err := tx.Where("committee_id IN (SELECT id FROM committees WHERE external_id LIKE ?)", prefixOf[d.kind]+"%").Order("id").Find(&members).Error; err != nil {
			return err
		}
	}
	on := map[uuid.UUID]map[uuid.UUID]models.CommitteeMember{}
	for _, m := range members {
		if on[m.CommitteeID] == nil {
			on[m.CommitteeID] = map[uuid.UUID]models.CommitteeMember{}
		}
		on[m.CommitteeID][m.LegislatorID] = m
	}
	ids := map[string]models.Legislator{}
	for external, l := range d.people {
		ids[external] = l
	}
	for _, l := range d.out.newPeople {
		ids[l.ExternalID] = l
	}
	fresh := map[uuid.UUID]bool{}
	for _, c := range d.changes {
		if c.Kind == "joined" || c.Kind == "left" {
			fresh[c.ID] = true
		}
	}
	in := map[string]bool{}
	for _, g := range d.file.groups { // parents come first, or are looked up again
		if !d.spoken(g.in.jurisdiction) || in[g.external] {
			continue
		}
		in[g.external] = true
		c, has := known[g.external]
		if !has {
			c = models.Committee{ID: models.NewID(), ExternalID: g.external, CreatedAt: d.now}
		}
		known[g.external] = c
	}
	for _, g := range d.file.groups {
		if !in[g.external] {
			continue
		}
		c := known[g.external]
		d.group(c, g, known)
		d.seatsOf(c, g, on[c.ID], ids, fresh)
	}
	for _, c := range rows {
		if in[c.ExternalID] || c.RemovedAt != nil || !told[c.JurisdictionID] {
			continue
		}
		c.RemovedAt, c.UpdatedAt = &d.now, d.now
		d.out.setGroups = append(d.out.setGroups, c)
		d.seatsOf(c, group{name: c.Name}, on[c.ID], ids, fresh)
	}
	return nil
}

// spoken reports whether the file decides about a chamber of a jurisdiction.
func (d *differ) spoken(code string) bool {
	for b := range d.speaks {
		if b.jurisdiction == code {
			return true
		}
	}
	return false
}

// group compares one committee.
func (d *differ) group(c models.Committee, g group, known map[string]models.Committee) {
	next := c
	next.Name, next.JurisdictionID, next.RemovedAt = g.name, d.jurisdictions[g.in.jurisdiction].ID, nil
	next.ChamberID, next.ParentID = nil, nil
	if ch, ok := d.chambers[g.in]; ok {
		next.ChamberID = &ch.ID
	}
	if p, ok := known[g.parent]; ok {
		next.ParentID = &p.ID
	}
	same := func(a, b *uuid.UUID) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }
	next.UpdatedAt = d.now
	switch {
	case c.UpdatedAt.IsZero():
		d.out.newGroups = append(d.out.newGroups, next)
	case c.Name != next.Name || c.JurisdictionID != next.JurisdictionID || c.RemovedAt != nil || !same(c.ChamberID, next.ChamberID) || !same(c.ParentID, next.ParentID):
		d.out.setGroups = append(d.out.setGroups, next)
	}
}

// seatsOf compares who is on a committee.
func (d *differ) seatsOf(c models.Committee, g group, had map[uuid.UUID]models.CommitteeMember, ids map[string]models.Legislator, fresh map[uuid.UUID]bool) {
	said := func(title string) string {
		if title == "" {
			return g.name
		}
		return g.name + " (" + title + ")"
	}
	in := map[uuid.UUID]bool{}
	for _, m := range g.members {
		l, ok := ids[m.external]
		if !ok || in[l.ID] {
			continue
		}
		in[l.ID] = true
		old, has := had[l.ID]
		next := models.CommitteeMember{ID: models.NewID(), CommitteeID: c.ID, LegislatorID: l.ID, Title: m.title, Rank: m.rank, CreatedAt: d.now}
		before := ""
		if has {
			next.ID, next.CreatedAt = old.ID, old.CreatedAt
			if old.EndedAt == nil {
				before = said(old.Title)
			}
			if old.EndedAt == nil && old.Title == m.title && old.Rank == m.rank {
				continue
			}
			d.out.setMembers = append(d.out.setMembers, next)
		} else {
			d.out.newMembers = append(d.out.newMembers, next)
		}
		if after := said(m.title); before != after && !fresh[l.ID] {
			d.change(l, "committee", before, after)
		}
	}
	names := map[uuid.UUID]models.Legislator{}
	for _, l := range ids {
		if _, on := had[l.ID]; on {
			names[l.ID] = l
		}
	}
	var gone []models.CommitteeMember
	for id, m := range had {
		if !in[id] && m.EndedAt == nil {
			gone = append(gone, m)
		}
	}
	slices.SortFunc(gone, func(a, b models.CommitteeMember) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	for _, m := range gone {
		m.EndedAt = &d.now
		d.out.setMembers = append(d.out.setMembers, m)
		if l, ok := names[m.LegislatorID]; ok && !fresh[l.ID] {
			d.change(l, "committee", said(m.Title), "")
		}
	}
}
