package web

import (
	"slices"
	"strings"
	"time"
)

// Zones are the time zones that pages offer, by their names in the IANA database.
var Zones = []string{
	"Africa/Cairo", "Africa/Johannesburg", "Africa/Lagos", "Africa/Nairobi", "America/Anchorage", "America/Argentina/Buenos_Aires",
	"America/Bogota", "America/Caracas", "America/Chicago", "America/Denver", "America/Guatemala", "America/Halifax", "America/Lima",
	"America/Los_Angeles", "America/Mexico_City", "America/Montevideo", "America/New_York", "America/Phoenix", "America/Puerto_Rico",
	"America/Santiago", "America/Sao_Paulo", "America/St_Johns", "America/Toronto", "America/Vancouver", "Asia/Dubai", "Asia/Hong_Kong",
	"Asia/Jakarta", "Asia/Kolkata", "Asia/Manila", "Asia/Seoul", "Asia/Singapore", "Asia/Tokyo", "Atlantic/Canary", "Australia/Adelaide",
	"Australia/Brisbane", "Australia/Perth", "Australia/Sydney", "Europe/Amsterdam", "Europe/Athens", "Europe/Berlin", "Europe/Brussels",
	"Europe/Bucharest", "Europe/Copenhagen", "Europe/Dublin", "Europe/Helsinki", "Europe/Istanbul", "Europe/Kyiv", "Europe/Lisbon",
	"Europe/London", "Europe/Madrid", "Europe/Oslo", "Europe/Paris", "Europe/Prague", "Europe/Rome", "Europe/Stockholm", "Europe/Vienna",
	"Europe/Warsaw", "Europe/Zurich", "Pacific/Auckland", "Pacific/Honolulu", "UTC",
}

// zonesTogether are the zones of one country, which people who are sent to one of them may be in.
var zonesTogether = [][]string{
	{"America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles", "America/Anchorage", "Pacific/Honolulu", "America/Puerto_Rico"},
	{"America/St_Johns", "America/Halifax", "America/Toronto", "America/Vancouver"},
	{"Europe/Madrid", "Atlantic/Canary"},
	{"Australia/Sydney", "Australia/Brisbane", "Australia/Adelaide", "Australia/Perth"},
}

// zonesOf are zones where many speak a language of the pages.
var zonesOf = map[string][]string{
	"en": {"America/New_York", "America/Toronto", "Europe/London", "Europe/Dublin", "Australia/Sydney", "Pacific/Auckland"},
	"es": {"America/Mexico_City", "America/Bogota", "America/Lima", "America/Santiago", "America/Argentina/Buenos_Aires", "America/Puerto_Rico", "Europe/Madrid"},
}

// ZoneName is a time zone as people say it, in the page's language: New York.
func (p Page) ZoneName(zone string) string {
	city := zone[strings.LastIndexByte(zone, '/')+1:]
	if slices.Contains(Zones, zone) {
		return p.T("zones." + strings.ToLower(city))
	}
	return strings.ReplaceAll(city, "_", " ")
}

// ZoneOptions are the time zones to choose from: those of what the page is about and of the organisation first, with the others of their
// countries and where many speak the page's language; then all others by name. chosen is among them, whatever it is.
func (p Page) ZoneOptions(chosen string, about ...string) []Option {
	var likely []string
	add := func(zones ...string) {
		for _, z := range zones {
			if z != "" && !slices.Contains(likely, z) {
				likely = append(likely, z)
			}
		}
	}
	add(about...)
	if p.Site.Zone != nil && p.Site.Zone != time.UTC {
		add(p.Site.Zone.String())
	}
	for _, z := range slices.Clone(likely) {
		for _, together := range zonesTogether {
			if slices.Contains(together, z) {
				add(together...)
			}
		}
	}
	add(chosen)
	add(zonesOf[p.Lang]...)
	var out, others []Option
	for _, z := range likely {
		out = append(out, Option{Value: z, Label: p.ZoneName(z), Group: p.T("zones.likely")})
	}
	for _, z := range Zones {
		if !slices.Contains(likely, z) {
			others = append(others, Option{Value: z, Label: p.ZoneName(z), Group: p.T("zones.others")})
		}
	}
	slices.SortStableFunc(others, func(a, b Option) int { return strings.Compare(plainName(a.Label), plainName(b.Label)) })
	return append(out, others...)
}

// plainName is a name without the accents of the languages of the pages, to sort by.
func plainName(s string) string {
	return strings.NewReplacer("Á", "A", "É", "E", "Í", "I", "Ó", "O", "Ú", "U", "á", "a", "é", "e", "í", "i", "ó", "o", "ú", "u", "ã", "a").Replace(s)
}
