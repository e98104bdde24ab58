package organisation

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/address"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Details is what the organisation says about itself. Lengths are in characters.
type Details struct {
	Name          string   // 2 to 120
	ShortName     string   // at most 40; Name where empty. On the tab and in the sender's name: says nothing about health
	LegalName     string   // at most 200; Name where empty
	PostalAddress string   // at most 500, several lines; may be empty, then no bulk mail goes
	Phone         string   // at most 60; may be empty
	FromName      string   // at most 60; ShortName where empty
	FromAddress   string   // an e-mail address
	ReplyTo       string   // an e-mail address that somebody reads; FromAddress where empty
	TimeZone      string   // IANA name
	Languages     []string // the default first
	Accent        string   // #rrggbb
	CrisisLine    string   // at most 300; may be empty
	MinimumAge    string   // at most 300; may be empty
}

// DetailsOf returns the details of a row, for a form.
func DetailsOf(o models.Organisation) Details {
	d := Details{
		Name: o.Name, ShortName: o.ShortName, LegalName: o.LegalName, PostalAddress: o.PostalAddress, Phone: o.Phone,
		FromName: o.FromName, FromAddress: o.FromAddress, ReplyTo: o.ReplyTo, TimeZone: o.TimeZone, Languages: Spoken(o),
		Accent: o.Accent, CrisisLine: o.CrisisLine, MinimumAge: o.MinimumAge,
	}
	if !Configured(o) { // the names of the first start are nobody's
		d.Name, d.ShortName = "", ""
	}
	return d
}

var colour = regexp.MustCompile(`^#[0-9a-f]{6}$`)

// line checks a text of one line and returns it trimmed, inner spaces folded.
func line(f *fault.Fields, field, s string, limit int) string {
	return checked(f, field, strings.Join(strings.Fields(s), " "), limit)
}

// lines checks a text of several lines.
func lines(f *fault.Fields, field, s string, limit int) string {
	var out []string
	for _, l := range strings.Split(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
		out = append(out, strings.TrimRightFunc(l, unicode.IsSpace))
	}
	return checked(f, field, strings.TrimSpace(strings.Join(out, "\n")), limit)
}

func checked(f *fault.Fields, field, s string, limit int) string {
	bad := func(r rune) bool {
		return (unicode.IsControl(r) && r != '\n' && r != '\t') || r == '\u2028' || r == '\u2029'
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, bad) {
		f.Add(field, "error.text_unreadable")
	} else if n := utf8.RuneCountInString(s); n > limit {
		f.Add(field, "error.text_too_long", "Max", limit, "Over", n-limit)
	}
	return s
}

// email checks an address and returns its canonical form.
func email(f *fault.Fields, field, s string) string {
	canonical, _, err := address.CanonicalAddress(s)
	if err != nil {
		f.Add(field, address.Key(err))
		return strings.TrimSpace(s)
	}
	return canonical
}

func (d Details) check() (Details, error) {
	var f fault.Fields
	d.Name = line(&f, "name", d.Name, 120)
	if utf8.RuneCountInString(d.Name) < 2 && !f.Has("name") {
		f.Add("name", "error.organisation_name")
	}
	d.ShortName = line(&f, "short_name", d.ShortName, 40)
	d.LegalName = line(&f, "legal_name", d.LegalName, 200)
	d.PostalAddress = lines(&f, "postal_address", d.PostalAddress, 500)
	d.Phone = line(&f, "phone", d.Phone, 60)
	d.FromName = line(&f, "from_name", d.FromName, 60)
	d.FromAddress = email(&f, "from_address", d.FromAddress)
	if strings.TrimSpace(d.ReplyTo) == "" {
		d.ReplyTo = d.FromAddress
	} else {
		d.ReplyTo = email(&f, "reply_to", d.ReplyTo)
	}
	d.TimeZone = strings.TrimSpace(d.TimeZone)
	if z, err := time.LoadLocation(d.TimeZone); err != nil || d.TimeZone == "" || z == time.Local {
		f.Add("time_zone", "error.time_zone")
	}
	var spoken []string
	for _, l := range d.Languages {
		if !slices.Contains(Languages, l) {
			f.Add("languages", "error.value_unknown")
			break
		}
		if !slices.Contains(spoken, l) {
			spoken = append(spoken, l)
		}
	}
	if d.Languages = spoken; len(spoken) == 0 && !f.Has("languages") {
		f.Add("languages", "error.languages")
	}
	d.Accent = strings.ToLower(strings.TrimSpace(d.Accent))
	if !colour.MatchString(d.Accent) {
		f.Add("accent", "error.colour")
	}
	d.CrisisLine = line(&f, "crisis_line", d.CrisisLine, 300)
	d.MinimumAge = line(&f, "minimum_age", d.MinimumAge, 300)
	if d.ShortName == "" {
		d.ShortName = cut(d.Name, 40)
	}
	if d.LegalName == "" {
		d.LegalName = d.Name
	}
	if d.FromName == "" {
		d.FromName = d.ShortName
	}
	return d, f.Err()
}

func cut(s string, limit int) string {
	if r := []rune(s); len(r) > limit {
		return strings.TrimSpace(string(r[:limit]))
	}
	return s
}

// Update changes the details. It needs the right actor.Administer and returns an Invalid fault that names each wrong field
// by its form name (name, short_name, legal_name, postal_address, phone, from_name, from_address, reply_to, time_zone,
// languages, accent, crisis_line, minimum_age).
func (s *Service) Update(ctx context.Context, a actor.Actor, in Details) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	d, err := in.check()
	if err != nil {
		return err
	}
	return s.change(ctx, a, "organisation.update", func(models.Organisation) (map[string]any, error) {
		return map[string]any{
			"name": d.Name, "short_name": d.ShortName, "legal_name": d.LegalName, "postal_address": d.PostalAddress, "phone": d.Phone,
			"from_name": d.FromName, "from_address": d.FromAddress, "reply_to": d.ReplyTo, "time_zone": d.TimeZone,
			"languages": strings.Join(d.Languages, ","), "accent": d.Accent, "crisis_line": d.CrisisLine, "minimum_age": d.MinimumAge,
		}, nil
	})
}

// change writes columns of the row and the audit entry, and drops what Current kept.
func (s *Service) change(ctx context.Context, a actor.Actor, action string, columns func(models.Organisation) (map[string]any, error)) error {
	now := s.clock.Now()
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		row, err := load(ctx, tx)
		if err != nil {
			return err
		}
		set, err := columns(row)
		if err != nil {
			return err
		}
		set["updated_at"] = now
		if err := tx.Model(&models.Organisation{}).Where("id = ?", ID).Updates(set).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, action, "organisations", ID, nil)
	})
	if err == nil {
		s.Drop()
	}
	return err
}
