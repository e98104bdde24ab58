package web

import (
	"kithline/campaigns/volunteers"
	"kithline/models"
)

// VolunteerForm is what somebody says of the time they offer, as the forms of the person and of a coordinator have it: the partial
// volunteer_fields.
type VolunteerForm struct {
	GivenName  string   `form:"given_name,max=200"`
	FamilyName string   `form:"family_name,max=200"`
	Phone      string   `form:"phone,max=60"`
	Note       string   `form:"note,max=2000,lines"`
	Likes      []string `form:"like,max=40"`
	Skills     []string `form:"skill,max=40"`
	Languages  []string `form:"language,max=40"`
	Hours      []string `form:"hour,max=40"`
	Modes      []string `form:"mode,max=40"`
	PostalCode string   `form:"postal_code,max=40"`
	Country    string   `form:"country,max=20"`
	TimeZone   string   `form:"time_zone,max=60"`
	AskBy      string   `form:"ask_by,max=20"` // mail, phone or not
	AskFrom    string   `form:"ask_from,max=10"`
	AskUntil   string   `form:"ask_until,max=10"`
}

// askNot is models.AskNot in a form, where an answer is never empty.
const askNot = "not"

// Said is what the form says.
func (f VolunteerForm) Said() volunteers.Said {
	d := volunteers.Said{
		GivenName: f.GivenName, FamilyName: f.FamilyName, Phone: f.Phone, Note: f.Note, Likes: f.Likes, Skills: f.Skills, Languages: f.Languages, Hours: f.Hours, Modes: f.Modes,
		PostalCode: f.PostalCode, Country: f.Country, TimeZone: f.TimeZone, AskBy: models.AskBy(f.AskBy), AskFrom: f.AskFrom, AskUntil: f.AskUntil,
	}
	if f.AskBy == askNot {
		d.AskBy = models.AskNot
	}
	return d
}

// VolunteerFormOf is the form with what somebody said.
func VolunteerFormOf(d volunteers.Said) VolunteerForm {
	f := VolunteerForm{
		GivenName: d.GivenName, FamilyName: d.FamilyName, Phone: d.Phone, Note: d.Note, Likes: d.Likes, Skills: d.Skills, Languages: d.Languages, Hours: d.Hours, Modes: d.Modes,
		PostalCode: d.PostalCode, Country: d.Country, TimeZone: d.TimeZone, AskBy: string(d.AskBy), AskFrom: d.AskFrom, AskUntil: d.AskUntil,
	}
	if f.AskFrom == "" {
		f.AskFrom, f.AskUntil = volunteers.Clock(volunteers.AskFrom), volunteers.Clock(volunteers.AskUntil)
	}
	if d.AskBy == models.AskNot {
		f.AskBy = askNot
	}
	return f
}

// VolunteerFields is a page with such a form. Countries are in the order of the page's language, made by the surface.
type VolunteerFields struct {
	Page
	Form      VolunteerForm
	Countries []Option
}

func (p VolunteerFields) coded(prefix string, codes []string) []Option {
	out := make([]Option, len(codes))
	for i, c := range codes {
		out[i] = Option{Value: c, Label: p.T("volunteers." + prefix + c)}
	}
	return out
}

// LikeOptions are the kinds of roles.
func (p VolunteerFields) LikeOptions() []Option { return p.coded("like_", volunteers.Likes()) }

// SkillOptions are what people know how to do.
func (p VolunteerFields) SkillOptions() []Option { return p.coded("skill_", volunteers.Skills) }

// SpeakOptions are languages.
func (p VolunteerFields) SpeakOptions() []Option { return p.coded("lang_", volunteers.Languages) }

// ModeOptions are from where.
func (p VolunteerFields) ModeOptions() []Option { return p.coded("mode_", volunteers.Modes) }

// AskOptions are the ways to be asked.
func (p VolunteerFields) AskOptions() []Option {
	return p.coded("ask_", []string{string(models.AskByMail), string(models.AskByPhone), askNot})
}

// Day is one day with its parts.
type Day struct {
	Code    string
	Label   string
	Options []Option
}

// DayOptions are the parts of every day.
func (p VolunteerFields) DayOptions() []Day {
	out := make([]Day, len(volunteers.Days))
	for i, d := range volunteers.Days {
		out[i] = Day{Code: d, Label: p.T("volunteers.day_" + d)}
		for _, part := range volunteers.Parts {
			out[i].Options = append(out[i].Options, Option{Value: d + "-" + part, Label: p.T("volunteers.part_" + part)})
		}
	}
	return out
}

// VolunteerZones are the offered time zones, with the one that is chosen.
func (p VolunteerFields) VolunteerZones() []Option {
	out := []Option{{Value: "", Label: p.T("me.zone_ours")}}
	return append(out, p.ZoneOptions(p.Form.TimeZone)...)
}

// MoreOpen reports whether the further questions are shown at once: something stands in them, or is wrong with them.
func (p VolunteerFields) MoreOpen() bool {
	f := p.Form
	for _, name := range []string{"skill", "language", "mode", "postal_code", "country", "time_zone"} {
		if p.Error(name) != "" {
			return true
		}
	}
	return len(f.Skills)+len(f.Languages)+len(f.Modes) > 0 || f.PostalCode != "" || f.Country != "" || f.TimeZone != ""
}

// HoursOpen is MoreOpen for the hours of the week.
func (p VolunteerFields) HoursOpen() bool { return len(p.Form.Hours) > 0 || p.Error("hour") != "" }
