package me

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"

	"kithline/campaigns/audit"
	"kithline/campaigns/consents"
	"kithline/campaigns/divisions"
	"kithline/campaigns/fault"
	"kithline/campaigns/forms"
	"kithline/campaigns/organisation"
	"kithline/campaigns/postal"
	"kithline/campaigns/supporters"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// Limits of what a person tells about themselves.
const (
	NameMax   = 100 // characters of each name
	PlaceMax  = 200 // characters of street, city and region
	phonesMax = 5
)

// Details is what a record says about its person, as the person may change it. Field names of the form stand behind it.
type Details struct {
	GivenName  string   // given_name
	FamilyName string   // family_name
	Locale     string   // locale: one of the organisation's languages, "" = its first
	TimeZone   string   // time_zone: IANA name, "" = the organisation's
	Frequency  string   // frequency: "", weekly, monthly
	Phones     []string // phone, several times; an empty one is none
	Street     string   // street
	City       string   // city
	Region     string   // region
	PostalCode string   // postal_code
	Country    string   // country: ISO 3166-1 alpha-2
	Fields     []Answer // FieldName of each
}

// Answer is what a person said to a custom field.
type Answer struct {
	Field models.CustomField
	Value string
}

// FieldName is the name of a custom field in the form: that of every form.
func FieldName(id uuid.UUID) string { return forms.FieldKey(id) }

// details opens a record. The custom fields are those that the person answered, and those that a form asked them for.
func (s *Service) details(ctx context.Context, tx *gorm.DB, p person) (Details, error) {
	var d Details
	if p.supporter == nil {
		return d, nil
	}
	r := *p.supporter
	d = Details{Locale: r.Locale, TimeZone: r.TimeZone, Frequency: string(r.Frequency), Region: r.Region, PostalCode: r.PostalArea, Country: r.Country}
	for _, c := range []struct {
		column string
		sealed []byte
		into   *string
	}{
		{"given_name_sealed", r.GivenNameSealed, &d.GivenName},
		{"family_name_sealed", r.FamilyNameSealed, &d.FamilyName},
		{"street_sealed", r.StreetSealed, &d.Street},
		{"city_sealed", r.CitySealed, &d.City},
	} {
		var err error
		if *c.into, err = s.o.Vault.Open("supporters", c.column, r.ID, c.sealed); err != nil {
			return d, err
		}
	}
	phones, err := phonesOf(ctx, tx, r.ID)
	if err != nil {
		return d, err
	}
	for _, row := range phones {
		n, err := s.o.Vault.Open("phones", "number_sealed", row.ID, row.NumberSealed)
		if err != nil {
			return d, err
		}
		d.Phones = append(d.Phones, n)
	}
	d.Fields, err = s.answers(ctx, tx, p)
	return d, err
}

func phonesOf(ctx context.Context, tx *gorm.DB, supporter uuid.UUID) ([]models.Phone, error) {
	var rows []models.Phone
	err := tx.WithContext(ctx).Where("supporter_id = ?", supporter).Order("created_at, id").Find(&rows).Error
	return rows, err
}

func (s *Service) answers(ctx context.Context, tx *gorm.DB, p person) ([]Answer, error) {
	tx = tx.WithContext(ctx)
	var values []models.FieldValue
	if err := tx.Where("supporter_id = ?", p.Supporter).Find(&values).Error; err != nil {
		return nil, err
	}
	said := map[uuid.UUID]models.FieldValue{}
	for _, v := range values {
		said[v.FieldID] = v
	}
	var fields []models.CustomField
	if err := tx.Where("archived_at IS NULL").Order("position, label, id").Find(&fields).Error; err != nil {
		return nil, err
	}
	var filled []models.Form
	err := tx.Where("id IN (SELECT form_id FROM submissions WHERE mailbox_id IN ? AND state = ?)", p.Mailboxes, models.SubmissionConfirmed).Find(&filled).Error
	if err != nil {
		return nil, err
	}
	asked := map[string]bool{}
	for _, f := range filled {
		for _, q := range forms.QuestionsOf(f) {
			asked[q.Key] = true
		}
	}
	var out []Answer
	for _, f := range fields {
		v, answered := said[f.ID]
		if !answered && !asked[forms.FieldKey(f.ID)] {
			continue
		}
		a := Answer{Field: f}
		if answered {
			if a.Value, err = supporters.FieldValue(s.o.Vault, v); err != nil {
				return nil, err
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// words checks a text of one line and returns it as it is kept.
func words(bad *fault.Fields, field, v string, most int) string {
	v = strings.Join(strings.FieldsFunc(norm.NFC.String(v), unicode.IsSpace), " ")
	switch n := utf8.RuneCountInString(v); {
	case !utf8.ValidString(v), strings.ContainsFunc(v, unreadable):
		bad.Add(field, "error.text_unreadable")
	case n > most:
		bad.Add(field, "error.text_too_long", "Max", most, "Over", n-most)
	}
	return v
}

// unreadable are control characters, and marks that turn the direction of everything behind them.
func unreadable(r rune) bool {
	return unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u2028' || r == '\u2029' || r == utf8.RuneError
}

// check returns details as they are kept. Phones that stand in had are taken as they are.
func (s *Service) check(d Details, had []string, o models.Organisation) (Details, error) {
	var bad fault.Fields
	d.GivenName, d.FamilyName = words(&bad, "given_name", d.GivenName, NameMax), words(&bad, "family_name", d.FamilyName, NameMax)
	if d.Locale != "" && !slices.Contains(organisation.Spoken(o), d.Locale) {
		bad.Add("locale", "error.value_unknown")
	}
	d.TimeZone = strings.TrimSpace(d.TimeZone)
	if _, err := time.LoadLocation(d.TimeZone); err != nil || d.TimeZone == "Local" {
		bad.Add("time_zone", "error.value_unknown")
	}
	if !slices.Contains(consents.Frequencies, models.Frequency(d.Frequency)) {
		bad.Add("frequency", "error.value_unknown")
	}
	d.Country = strings.ToUpper(strings.TrimSpace(d.Country))
	if r, err := language.ParseRegion(d.Country); d.Country != "" && (err != nil || !r.IsCountry() || len(d.Country) != 2) {
		bad.Add("country", "error.value_unknown")
	}
	var phones []string
	for _, typed := range d.Phones {
		typed = words(&bad, "phone", typed, 60)
		if typed == "" || slices.Contains(phones, typed) {
			continue
		}
		phones = append(phones, typed)
		if !slices.Contains(had, typed) && !bad.Has("phone") && !supporters.NewPhone(s.o.Vault, uuid.Nil, typed, d.Country, time.Time{}).Valid {
			bad.Add("phone", "error.me_phone")
		}
	}
	if d.Phones = phones; len(phones) > phonesMax && !bad.Has("phone") {
		bad.Add("phone", "error.me_phones_many", "Count", phonesMax)
	}
	d.Street, d.City, d.Region = words(&bad, "street", d.Street, PlaceMax), words(&bad, "city", d.City, PlaceMax), words(&bad, "region", d.Region, PlaceMax)
	if len(d.Region) <= 3 {
		d.Region = strings.ToUpper(d.Region)
	}
	d.PostalCode = postal.Area(d.Country, words(&bad, "postal_code", d.PostalCode, 40))
	if d.PostalCode != "" && !bad.Has("postal_code") && (len(d.PostalCode) < 2 || len(d.PostalCode) > 12 || strings.ContainsFunc(d.PostalCode, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != ' ' && r != '-'
	}) || strings.Trim(d.PostalCode, " -") == "") {
		bad.Add("postal_code", "error.postal_code_invalid")
	}
	for i, a := range d.Fields {
		name := FieldName(a.Field.ID)
		if strings.ContainsFunc(a.Value, func(r rune) bool { return r != '\n' && unreadable(r) }) {
			bad.Add(name, "error.text_unreadable")
			continue
		}
		v, err := supporters.FieldText(a.Field, a.Value)
		switch f, wrong := invalid(err); {
		case wrong:
			bad.Add(name, f.Key, f.Args...)
		case err != nil:
			return d, err
		}
		d.Fields[i].Value = v
	}
	return d, bad.Err()
}

// SaveDetails writes what a person says about themselves over what their record says. What is empty is taken away. Only those
// custom fields are changed that View.Details has. Somebody without a record gets one: whoever presses the button reads the
// mailbox. The faults are those of Show, and Invalid with fields.
func (s *Service) SaveDetails(ctx context.Context, token string, in Details) error {
	now := s.o.Clock.Now()
	o, err := s.o.Organisation.Current(ctx)
	if err != nil {
		return err
	}
	return s.o.DB.Tx(ctx, func(tx *gorm.DB) error {
		p, err := s.hold(ctx, tx, tokens.Me, token)
		if err != nil {
			return err
		}
		was, err := s.details(ctx, tx, p)
		if err != nil {
			return err
		}
		next := in
		next.Fields = nil
		for _, a := range was.Fields {
			for _, said := range in.Fields {
				if said.Field.ID == a.Field.ID {
					next.Fields = append(next.Fields, Answer{a.Field, said.Value})
				}
			}
		}
		if next, err = s.check(next, was.Phones, o); err != nil {
			return err
		}
		if err := s.join(ctx, tx, &p, next.Locale, now); err != nil {
			return err
		}
		id := p.Supporter
		seal := func(column, plain string) []byte { return s.o.Vault.Seal("supporters", column, id, plain) }
		err = tx.Model(&models.Supporter{}).Where("id = ?", id).Updates(map[string]any{
			"given_name_sealed": seal("given_name_sealed", next.GivenName), "family_name_sealed": seal("family_name_sealed", next.FamilyName),
			"street_sealed": seal("street_sealed", next.Street), "city_sealed": seal("city_sealed", next.City), "region": next.Region,
			"postal_area": next.PostalCode, "country": next.Country, "locale": next.Locale, "time_zone": next.TimeZone, "frequency": next.Frequency, "updated_at": now,
		}).Error
		if err != nil {
			return err
		}
		if err := s.setPhones(ctx, tx, id, next, now); err != nil {
			return err
		}
		for _, a := range next.Fields {
			if err := supporters.SetField(ctx, tx, s.o.Vault, id, a.Field, a.Value, now); err != nil {
				return err
			}
		}
		if next.PostalCode != was.PostalCode || next.Country != was.Country {
			if err := supporters.Placed(ctx, tx, []uuid.UUID{id}, now); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, p.actor(ctx), now, "supporter.edit", "supporters", id, nil)
	})
}

// setPhones makes the telephone numbers of a record those that were typed. One that stays keeps its row.
func (s *Service) setPhones(ctx context.Context, tx *gorm.DB, id uuid.UUID, d Details, now time.Time) error {
	have, err := phonesOf(ctx, tx, id)
	if err != nil {
		return err
	}
	var stay []uuid.UUID
	for _, typed := range d.Phones {
		row := supporters.NewPhone(s.o.Vault, id, typed, d.Country, now)
		for _, h := range have {
			if string(h.NumberHash) == string(row.NumberHash) {
				stay = append(stay, h.ID)
			}
		}
	}
	for _, h := range have {
		if !slices.Contains(stay, h.ID) {
			if err := tx.Where("id = ?", h.ID).Delete(&models.Phone{}).Error; err != nil {
				return err
			}
		}
	}
	for _, typed := range d.Phones {
		if err := supporters.AddPhone(ctx, tx, s.o.Vault, id, typed, d.Country, now); err != nil {
			return err
		}
	}
	return nil
}

// District is a kind of division that the person's postal code does not determine alone: they say which is theirs.
type District struct {
	Kind    models.DivisionKind
	Options []models.Division
	Chosen  uuid.UUID // uuid.Nil where nobody said
	Fixed   bool      // somebody of the organisation made sure: the person asks them
}

func districts(ctx context.Context, tx *gorm.DB, p person, now time.Time) ([]District, error) {
	if p.supporter == nil || p.supporter.PostalArea == "" {
		return nil, nil
	}
	list, err := divisions.Candidates(ctx, tx, p.supporter.Country, p.supporter.PostalArea, now)
	if err != nil {
		return nil, err
	}
	homes, err := divisions.Of(ctx, tx, p.Supporter, now)
	if err != nil {
		return nil, err
	}
	var out []District
	for _, c := range list {
		if len(c.Divisions) < 2 {
			continue
		}
		d := District{Kind: c.Kind, Options: c.Divisions}
		for _, h := range homes {
			if h.Division.Kind == c.Kind && slices.ContainsFunc(c.Divisions, func(o models.Division) bool { return o.ID == h.Division.ID }) {
				d.Chosen, d.Fixed = h.Division.ID, h.How == models.ByHand && !h.Ended
			}
		}
		out = append(out, d)
	}
	return out, nil
}

// ChooseDistricts notes in which divisions the person lives, of those that View.Districts offers. The faults are those of
// Show; Invalid with the field district where nothing was chosen, or one is not offered; Conflict, error.division_held.
func (s *Service) ChooseDistricts(ctx context.Context, token string, ids []uuid.UUID) error {
	now := s.o.Clock.Now()
	return s.o.DB.Tx(ctx, func(tx *gorm.DB) error {
		p, err := s.hold(ctx, tx, tokens.Me, token)
		if err != nil {
			return err
		}
		if len(ids) == 0 || p.supporter == nil {
			return fault.Fields{{Name: "district", Key: "error.me_district_missing"}}.Err()
		}
		for _, id := range ids {
			err := divisions.Choose(ctx, tx, p.Supporter, id, now)
			if f, wrong := invalid(err); wrong {
				return fault.Fields{{Name: "district", Key: f.Key, Args: f.Args}}.Err()
			}
			if err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, p.actor(ctx), now, "supporter.edit", "supporters", p.Supporter, nil)
	})
}
