package web

import "kithline/campaigns/actor"

// RailGroup is a group of the organizer's menu.
type RailGroup struct {
	Label string
	Links []NavLink
}

type railItem struct {
	section, address, key string
	right                 actor.Right // "" for every account
}

// railGroups is the whole menu. A feature adds its line here.
var railGroups = []struct {
	key   string
	items []railItem
}{
	{"base.rail_now", []railItem{
		{"today", "/admin", "base.rail_today", ""},
	}},
	{"base.rail_campaigns", []railItem{
		{"petitions", "/admin/petitions", "base.rail_petitions", actor.SeeFigures},
		{"abuse", "/admin/abuse", "abuse.rail", actor.ModeratePetition},
		{"letters", "/admin/letters", "lettercampaigns.rail", actor.SeeFigures},
		{"meetings", "/admin/meetings", "meetings.title", actor.ManageRosters},
		{"advocacy", "/admin/advocacy", "lettercampaigns.log", actor.SeeFigures},
		{"events", "/admin/events", "events.rail", actor.ManageRosters},
		{"mailings", "/admin/mailings", "base.rail_mailings", actor.WriteMailing},
		{"series", "/admin/series", "series.title", actor.WriteMailing},
		{"rosters", "/admin/rosters", "rosterdesk.title", actor.ManageRosters},
	}},
	{"base.rail_people", []railItem{
		{"supporters", "/admin/supporters", "base.rail_supporters", actor.SeeSupporters},
		{"volunteers", "/admin/volunteers", "volunteers.rail", actor.ManageRosters},
		{"segments", "/admin/segments", "segments.title", actor.SeeFigures},
		{"duplicates", "/admin/duplicates", "base.rail_duplicates", actor.EditSupporters},
		{"forms", "/admin/forms", "form.rail", actor.EditSupporters},
		{"divisions", "/admin/divisions", "base.rail_divisions", actor.SeeFigures},
		{"legislators", "/admin/legislators", "base.rail_legislators", actor.SeeFigures},
	}},
	{"base.rail_data", []railItem{
		{"imports", "/admin/imports", "base.rail_imports", actor.Import},
		{"exports", "/admin/exports", "base.rail_exports", actor.Export},
		{"suppressions", "/admin/suppressions", "suppressions.title", actor.SeeSupporters},
		{"erasures", "/admin/erasures", "base.rail_erasures", actor.Delete},
		{"retention", "/admin/retention", "base.rail_retention", actor.Delete},
	}},
	{"base.rail_words", []railItem{
		{"topics", "/admin/topics", "topic.rail", actor.SeeSupporters},
		{"fields", "/admin/fields", "fields.title", actor.Arrange},
		{"tags", "/admin/tags", "tags.title", actor.Arrange},
	}},
	{"base.rail_setup", []railItem{
		{"settings", "/admin/settings", "base.rail_settings", actor.Administer},
		{"users", "/admin/users", "base.rail_users", actor.ManageUsers},
		{"chapters", "/admin/chapters", "chapters.title", actor.ManageUsers},
		{"jobs", "/admin/jobs", "base.rail_jobs", actor.Administer},
		{"audit", "/admin/audit", "base.rail_audit", actor.ReadAudit},
	}},
	{"base.rail_you", []railItem{
		{"account", "/admin/account", "base.rail_account", ""},
	}},
}

// Menu lists what the page's actor may see; waiting holds how many things wait, by section.
func (p Page) Menu(waiting map[string]int) []RailGroup {
	var out []RailGroup
	for _, g := range railGroups {
		group := RailGroup{Label: p.T(g.key)}
		for _, i := range g.items {
			if i.right == "" || p.Actor.May(i.right) {
				group.Links = append(group.Links, NavLink{
					URL: i.address, Label: p.T(i.key), Current: p.current(i.section, i.address), Waiting: waiting[i.section],
				})
			}
		}
		if len(group.Links) > 0 {
			out = append(out, group)
		}
	}
	return out
}
