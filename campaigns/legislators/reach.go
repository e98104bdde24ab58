package legislators

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"kithline/models"
)

// byHand begins the key of an office that an organizer wrote: no import changes it.
const byHand = "hand/"

// reach compares offices and channels. What a person who joins has is no change of its own.
func (d *differ) reach(l models.Legislator, x record, joined bool) {
	keys := d.rooms(l, x, joined)
	had := d.channels[l.ID]
	used := map[uuid.UUID]bool{}
	last := map[models.ChannelKind]int{}
	for _, c := range had {
		last[c.Kind] = max(last[c.Kind], c.Position)
	}
	var more []way
	for _, w := range x.channels {
		i := slices.IndexFunc(had, func(c models.Channel) bool {
			return !used[c.ID] && c.Kind == w.kind && c.Value == w.value && (officeOf(c) == keys[w.office] || c.Source == string(models.SourceHand))
		})
		if i < 0 {
			more = append(more, w)
			continue
		}
		used[had[i].ID] = true // one that an organizer took away is not brought back
	}
	for _, c := range had {
		if used[c.ID] || c.RemovedAt != nil || c.Source == string(models.SourceHand) {
			continue
		}
		was := c
		c.RemovedAt, c.UpdatedAt = &d.now, d.now
		d.out.setChannels = append(d.out.setChannels, c)
		if !joined && c.Kind != models.ChannelPost {
			d.change(l, "channel", string(was.Kind)+" "+was.Value, "")
		}
	}
	for _, w := range more {
		c := models.Channel{
			ID: models.NewID(), LegislatorID: l.ID, Kind: w.kind, Value: w.value, Source: string(d.kind), CreatedAt: d.now, UpdatedAt: d.now,
		}
		if id := keys[w.office]; id != uuid.Nil {
			c.OfficeID = &id
		}
		// After the others of its kind, and before the kinds that come later, unless an organizer ordered them.
		c.Position = max(rankOf[w.kind]*100, last[w.kind]) + 1
		last[w.kind] = c.Position
		d.out.newChannels = append(d.out.newChannels, c)
		if !joined && w.kind != models.ChannelPost {
			d.change(l, "channel", "", string(w.kind)+" "+w.value)
		}
	}
}

func officeOf(c models.Channel) uuid.UUID {
	if c.OfficeID == nil {
		return uuid.Nil
	}
	return *c.OfficeID
}

// rooms compares offices, and returns their ids by the keys of the file.
func (d *differ) rooms(l models.Legislator, x record, joined bool) map[string]uuid.UUID {
	keys := map[string]uuid.UUID{"": uuid.Nil}
	had := map[string]models.Office{}
	for _, o := range d.offices[l.ID] {
		had[o.SourceKey] = o
	}
	for _, f := range x.offices {
		o, known := had[f.key]
		if !known {
			o = f.office(models.Office{ID: models.NewID(), LegislatorID: l.ID, SourceKey: f.key, Version: d.version, CreatedAt: d.now, UpdatedAt: d.now})
			d.out.newOffices = append(d.out.newOffices, o)
			if !joined {
				d.change(l, "office", "", roomText(o))
			}
		} else if next := f.office(o); !samePlace(roomOf(next), roomOf(o)) {
			next.Version, next.UpdatedAt = d.version, d.now
			d.out.setOffices = append(d.out.setOffices, next)
			d.change(l, "office", roomText(o), roomText(next))
		}
		keys[f.key] = o.ID
		delete(had, f.key)
	}
	for _, o := range d.offices[l.ID] {
		if _, gone := had[o.SourceKey]; !gone || strings.HasPrefix(o.SourceKey, byHand) {
			continue
		}
		o.RemovedAt, o.UpdatedAt = &d.now, d.now
		d.out.setOffices = append(d.out.setOffices, o)
		if !joined {
			d.change(l, "office", roomText(o), "")
		}
	}
	return keys
}

// office fills a row with what the file says.
func (f place) office(o models.Office) models.Office {
	o.Kind, o.Name, o.Street, o.City, o.Region, o.PostalCode, o.Country = f.kind, f.name, f.street, f.city, f.region, f.postal, f.country
	o.Phone, o.Fax, o.Hours, o.Latitude, o.Longitude = f.phone, f.fax, f.hours, f.latitude, f.longitude
	return o
}

func roomOf(o models.Office) place {
	return place{
		kind: o.Kind, name: o.Name, street: o.Street, city: o.City, region: o.Region, postal: o.PostalCode, country: o.Country, phone: o.Phone, fax: o.Fax, hours: o.Hours,
		latitude: o.Latitude, longitude: o.Longitude,
	}
}

// roomText is an office in one line.
func roomText(o models.Office) string {
	parts := []string{o.Name, o.Street, o.City, strings.TrimSpace(o.Region + " " + o.PostalCode), o.Phone}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}
