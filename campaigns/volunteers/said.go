package volunteers

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"kithline/campaigns/fault"
	"kithline/campaigns/phones"
	"kithline/campaigns/postal"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// What people choose from. The words of each are volunteers.skill_<code>, lang_, day_, part_ and mode_; those of models.RoleKinds like_.
var (
	Skills    = []string{"editing", "design", "photo", "video", "web", "social", "press", "research", "numbers", "teaching", "law", "health", "money", "first_aid", "signing"}
	Languages = []string{"en", "es", "fr", "pt", "ht", "de", "pl", "ru", "uk", "ar", "fa", "hi", "vi", "tl", "ko", "zh", "ase"}
	Days      = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	Parts     = []string{"am", "pm", "eve"}
	Modes     = []string{string(models.ShiftHome), string(models.ShiftPhone), string(models.ShiftOnsite)}
)

// Likes are the kinds of roles as codes.
func Likes() []string {
	out := make([]string, len(models.RoleKinds))
	for i, k := range models.RoleKinds {
		out[i] = string(k)
	}
	return out
}

// Hours lists every part of every day, as rows have them: mon-am.
func Hours() []string {
	out := make([]string, 0, len(Days)*len(Parts))
	for _, d := range Days {
		for _, p := range Parts {
			out = append(out, d+"-"+p)
		}
	}
	return out
}

// Limits of what people say, in characters.
const (
	NameMax = 100
	NoteMax = 1000
)

// The hours that somebody may be asked in where they said none, in minutes after midnight.
const (
	AskFrom  = 9 * 60
	AskUntil = 20 * 60
)

// Said is what somebody says about the time they offer. The comments name its fields.
type Said struct {
	GivenName  string       // given_name
	FamilyName string       // family_name
	Phone      string       // phone
	Note       string       // note
	Likes      []string     // like
	Skills     []string     // skill
	Languages  []string     // language
	Hours      []string     // hour
	Modes      []string     // mode
	PostalCode string       // postal_code
	Country    string       // country
	TimeZone   string       // time_zone: IANA name, "" = the organisation's
	AskBy      models.AskBy // ask_by
	AskFrom    string       // ask_from: 09:30; "" = AskFrom
	AskUntil   string       // ask_until
}

// Clock writes minutes after midnight as the fields of hours have them.
func Clock(minutes int) string {
	return time.Date(2000, 1, 1, 0, minutes, 0, 0, time.UTC).Format("15:04")
}

// ClockMinutes reads what Clock wrote.
func ClockMinutes(s string) (int, bool) {
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err == nil
}

// hidden are control characters but line ends, and marks that turn the direction of everything behind them.
func hidden(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == utf8.RuneError
}

// line checks a text of one line and returns it as it is kept.
func line(bad *fault.Fields, field, v string, most int) string {
	return text(bad, field, strings.Join(strings.Fields(v), " "), most)
}

func text(bad *fault.Fields, field, v string, most int) string {
	v = strings.TrimSpace(norm.NFC.String(strings.ReplaceAll(v, "\r\n", "\n")))
	switch n := utf8.RuneCountInString(v); {
	case !utf8.ValidString(v), strings.ContainsFunc(v, hidden):
		bad.Add(field, "error.text_unreadable")
	case n > most:
		bad.Add(field, "error.text_too_long", "Max", most, "Over", n-most)
	}
	return v
}

// chosen keeps of a list what is offered, in the order in which it is; one that is not is an error.
func chosen(bad *fault.Fields, field string, v, offered []string) []string {
	for _, one := range v {
		if !slices.Contains(offered, one) {
			bad.Add(field, "error.value_unknown")
			break
		}
	}
	var out []string
	for _, o := range offered {
		if slices.Contains(v, o) {
			out = append(out, o)
		}
	}
	return out
}

var postalForm = regexp.MustCompile(`^[A-Z0-9][A-Z0-9 -]{0,10}[A-Z0-9]$`)

// check returns what is said as it is kept, and notes what is wrong.
func (d Said) check(bad *fault.Fields) Said {
	d.GivenName = line(bad, "given_name", d.GivenName, NameMax)
	if d.GivenName == "" {
		bad.Add("given_name", "error.given_name_missing")
	}
	d.FamilyName = line(bad, "family_name", d.FamilyName, NameMax)
	d.Note = text(bad, "note", d.Note, NoteMax)
	d.Likes, d.Skills = chosen(bad, "like", d.Likes, Likes()), chosen(bad, "skill", d.Skills, Skills)
	d.Languages, d.Hours, d.Modes = chosen(bad, "language", d.Languages, Languages), chosen(bad, "hour", d.Hours, Hours()), chosen(bad, "mode", d.Modes, Modes)
	if d.Country = strings.ToUpper(strings.TrimSpace(d.Country)); d.Country != "" && (len(d.Country) != 2 || strings.Trim(d.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "") {
		bad.Add("country", "error.value_unknown")
	}
	if d.PostalCode = strings.ToUpper(strings.Join(strings.Fields(d.PostalCode), " ")); d.PostalCode != "" && !postalForm.MatchString(d.PostalCode) {
		bad.Add("postal_code", "error.postal_code_invalid")
	} else {
		d.PostalCode = postal.Area(d.Country, d.PostalCode)
	}
	if d.Phone = line(bad, "phone", d.Phone, 40); d.Phone != "" {
		digits := 0
		for _, r := range d.Phone {
			if unicode.IsDigit(r) {
				digits++
			}
		}
		if digits < 5 || digits > 20 {
			bad.Add("phone", "error.phone_invalid")
		} else if n, ok := phones.Parse(d.Phone, cmp.Or(d.Country, "US")); ok {
			d.Phone = phones.Shown(n.E164(), n.Extension)
		}
	}
	if d.TimeZone != "" {
		if _, err := time.LoadLocation(d.TimeZone); err != nil || d.TimeZone == "Local" {
			bad.Add("time_zone", "error.value_unknown")
		}
	}
	switch d.AskBy {
	case models.AskNot, models.AskByMail:
	case models.AskByPhone:
		if d.Phone == "" {
			bad.Add("phone", "error.volunteer_phone_missing")
		}
	default:
		bad.Add("ask_by", "error.value_unknown")
	}
	d.AskFrom, d.AskUntil = cmp.Or(d.AskFrom, Clock(AskFrom)), cmp.Or(d.AskUntil, Clock(AskUntil))
	from, ok := ClockMinutes(d.AskFrom)
	if !ok {
		bad.Add("ask_from", "error.volunteer_hour")
	}
	until, ok2 := ClockMinutes(d.AskUntil)
	switch {
	case !ok2:
		bad.Add("ask_until", "error.volunteer_hour")
	case ok && until <= from:
		bad.Add("ask_until", "error.volunteer_hours")
	}
	return d
}

// write puts what is said, which was checked, into a row; what is sealed is bound to its id.
func (s *Service) write(v *models.Volunteer, d Said) {
	v.GivenNameSealed, v.FamilyNameSealed = s.seal(v.ID, "given_name_sealed", d.GivenName), s.seal(v.ID, "family_name_sealed", d.FamilyName)
	v.PhoneSealed, v.NoteSealed = s.seal(v.ID, "phone_sealed", d.Phone), s.seal(v.ID, "note_sealed", d.Note)
	v.Likes, v.Skills, v.Languages, v.Hours, v.Modes = join(d.Likes), join(d.Skills), join(d.Languages), join(d.Hours), join(d.Modes)
	v.PostalArea, v.Country, v.TimeZone, v.AskBy = d.PostalCode, d.Country, d.TimeZone, d.AskBy
	v.AskFrom, _ = ClockMinutes(d.AskFrom)
	v.AskUntil, _ = ClockMinutes(d.AskUntil)
}

func (s *Service) seal(id uuid.UUID, column, plain string) []byte {
	return s.Vault.Seal("volunteers", column, id, plain)
}

// said opens what a row says.
func (s *Service) said(v models.Volunteer) (Said, error) {
	d := Said{
		Likes: split(v.Likes), Skills: split(v.Skills), Languages: split(v.Languages), Hours: split(v.Hours), Modes: split(v.Modes), PostalCode: v.PostalArea, Country: v.Country,
		TimeZone: v.TimeZone, AskBy: v.AskBy, AskFrom: Clock(v.AskFrom), AskUntil: Clock(v.AskUntil),
	}
	for _, c := range []struct {
		column string
		sealed []byte
		into   *string
	}{{"given_name_sealed", v.GivenNameSealed, &d.GivenName}, {"family_name_sealed", v.FamilyNameSealed, &d.FamilyName}, {"phone_sealed", v.PhoneSealed, &d.Phone}, {"note_sealed", v.NoteSealed, &d.Note}} {
		var err error
		if *c.into, err = s.Vault.Open("volunteers", c.column, v.ID, c.sealed); err != nil {
			return d, err
		}
	}
	return d, nil
}

// over is what is said with what was left empty as it was said before.
func (d Said) over(before Said) Said {
	for _, x := range []struct{ v, b *string }{{&d.FamilyName, &before.FamilyName}, {&d.Phone, &before.Phone}, {&d.Note, &before.Note}, {&d.PostalCode, &before.PostalCode}, {&d.Country, &before.Country}, {&d.TimeZone, &before.TimeZone}} {
		*x.v = cmp.Or(*x.v, *x.b)
	}
	for _, x := range []struct{ v, b *[]string }{{&d.Likes, &before.Likes}, {&d.Skills, &before.Skills}, {&d.Languages, &before.Languages}, {&d.Hours, &before.Hours}, {&d.Modes, &before.Modes}} {
		if len(*x.v) == 0 {
			*x.v = *x.b
		}
	}
	return d
}

// facts are what a record takes from it.
func (d Said) facts(locale string) supporters.Facts {
	return supporters.Facts{
		GivenName: d.GivenName, FamilyName: d.FamilyName, Phone: d.Phone, PostalArea: d.PostalCode, Country: d.Country, Locale: locale, TimeZone: d.TimeZone, Source: supporters.SourceForm,
	}
}

func join(list []string) string { return strings.Join(list, ",") }

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
