package imports

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"kithline/models"
)

// Field is something that a column can tell about a person: one of the constants, a custom field ("field:" and its id), or a
// custom field that is made with the import ("new:" and its kind; it is called as the column is).
type Field string

// The fields.
const (
	Email      Field = "email"
	GivenName  Field = "given_name"
	FamilyName Field = "family_name"
	Name       Field = "name" // both in one, split where no other column gives them
	Phone      Field = "phone"
	Street     Field = "street"
	City       Field = "city"
	Region     Field = "region" // state or province
	PostalArea Field = "postal_area"
	Country    Field = "country"
	Locale     Field = "locale"
	TimeZone   Field = "time_zone"
	Chapter    Field = "chapter" // by its name or its slug
	Tags       Field = "tags"    // a list in one cell
	Note       Field = "note"
	Created    Field = "created"   // when the other program first knew them; no proof of anything
	Status     Field = "status"    // subscribed, unsubscribed, bounced ... elsewhere
	OptedIn    Field = "opted_in"  // when they agreed, or yes and no
	OptedOut   Field = "opted_out" // when they left; not empty means that they did
)

// Fields lists every field in the order of the mapping page.
var Fields = []Field{
	Email, GivenName, FamilyName, Name, Phone, Street, City, Region, PostalArea, Country, Locale, TimeZone, Chapter, Tags, Note, Created, Status, OptedIn, OptedOut,
}

// several are the fields that more than one column may hold: each is taken.
var several = []Field{Phone, Street, Tags, Note, Status, OptedOut}

// NewKinds are the kinds of custom fields that an import can make. One with choices is made on its own page.
var NewKinds = []models.FieldKind{models.FieldText, models.FieldNumber, models.FieldDate, models.FieldYesNo}

// CustomField is the field of a column that goes to a custom field.
func CustomField(id uuid.UUID) Field { return Field(customPrefix + id.String()) }

// NewField is the field of a column for which a custom field of a kind is made.
func NewField(kind models.FieldKind) Field { return Field(newPrefix + string(kind)) }

const (
	customPrefix = "field:"
	newPrefix    = "new:"
)

// custom is the id of a custom field.
func (f Field) custom() (uuid.UUID, bool) {
	s, ok := strings.CutPrefix(string(f), customPrefix)
	if !ok {
		return uuid.Nil, false
	}
	id, err := uuid.Parse(s)
	return id, err == nil
}

// fresh is the kind of a custom field that is to be made.
func (f Field) fresh() (models.FieldKind, bool) {
	s, ok := strings.CutPrefix(string(f), newPrefix)
	return models.FieldKind(s), ok && slices.Contains(NewKinds, models.FieldKind(s))
}

// known reports whether a field is one that a column can be.
func (f Field) known() bool {
	_, custom := f.custom()
	_, fresh := f.fresh()
	return custom || fresh || slices.Contains(Fields, f)
}

// aliases are the headers that mean a field, as normal writes them, the better ones first. They cover plain names in English
// and Spanish and the exports of Action Network, NationBuilder, Mailchimp, listmonk and EFF's Action Center.
var aliases = map[Field][]string{
	Email: {
		"email", "email_address", "e_mail", "e_mail_address", "mail", "primary_email", "email1", "email_1", "contact_email", "your_email",
		"supporter_email", "subscriber_email", "can2_user_email", "correo_electronico", "correo", "direccion_de_correo_electronico", "email_primary",
	},
	GivenName: {
		"given_name", "first_name", "firstname", "first", "forename", "given", "givenname", "fname", "can2_first_name", "nombre", "nombres", "nombre_de_pila",
	},
	FamilyName: {
		"family_name", "last_name", "lastname", "last", "surname", "family", "familyname", "lname", "can2_last_name", "apellidos", "apellido",
	},
	Name: {"name", "full_name", "fullname", "display_name", "contact_name", "your_name", "nombre_completo", "nombre_y_apellidos"},
	Phone: {
		"phone", "phone_number", "telephone", "tel", "can2_phone", "mobile_number", "mobile", "mobile_phone", "cell", "cell_phone", "cellphone", "home_phone",
		"work_phone", "work_phone_number", "phone_number_mobile", "telefono", "movil", "celular",
	},
	Street: {
		"street", "street_address", "address", "address_1", "address1", "address_line_1", "can2_user_address", "primary_address1", "address_address1",
		"mailing_address1", "user_submitted_address1", "billing_address1", "direccion", "calle",
	},
	City: {
		"city", "town", "locality", "can2_user_city", "primary_city", "address_city", "mailing_city", "user_submitted_city", "billing_city", "ciudad", "municipio",
	},
	Region: {
		"region", "state", "state_province", "province", "can2_user_state", "primary_state", "address_state", "mailing_state", "user_submitted_state", "billing_state",
		"provincia", "comunidad",
	},
	PostalArea: {
		"postal_area", "postal_code", "zip", "zip_code", "zipcode", "postcode", "post_code", "postalcode", "zip_postal_code", "postal_zip_code", "can2_user_zip_code",
		"primary_zip", "address_zip", "mailing_zip", "user_submitted_zip", "billing_zip", "plz", "codigo_postal", "cp",
	},
	Country: {
		"country", "country_code", "can2_user_country", "primary_country", "primary_country_code", "address_country", "address_country_code", "mailing_country",
		"user_submitted_country", "billing_country", "cc", "pais",
	},
	Locale:   {"locale", "language", "lang", "preferred_language", "language_code", "can2_language", "idioma", "lengua"},
	TimeZone: {"time_zone", "timezone", "tz", "zona_horaria", "huso_horario"},
	Chapter:  {"chapter", "local_group", "capitulo", "grupo_local"}, //nolint:misspell // Spanish
	Tags:     {"tags", "tag_list", "tag", "can2_user_tags", "labels", "etiquetas"},
	Note:     {"note", "notes", "nota", "notas"},
	Created: {
		"created_at", "created", "created_date", "date_created", "date_added", "created_on", "signed_on", "fecha_de_creacion",
	},
	Status: {
		"status", "subscription_status", "can2_subscription_status", "email_status", "subscriber_status", "member_status", "email_subscription_status", "list_status",
		"estado_de_suscripcion",
	},
	OptedIn: {
		"opted_in", "opt_in", "email_opt_in", "optin_time", "opt_in_time", "confirm_time", "consent", "consent_date", "consent_at", "consented_at", "opted_in_at",
		"opt_in_date", "subscribed", "subscribed_at", "subscribe_date", "subscription_date", "date_subscribed", "signup_date", "sign_up_date", "gdpr_consent",
		"fecha_de_consentimiento", "fecha_de_alta",
	},
	OptedOut: {
		"opted_out", "opt_out", "unsub_time", "unsubscribed", "unsubscribed_at", "unsubscribe_time", "unsubscribe_date", "unsub_date", "clean_time", "cleaned_at",
		"bounced_at", "opt_out_date", "opted_out_at", "is_bounced", "email_is_bad", "do_not_email", "fecha_de_baja",
	},
}

// streetLines are headers for the second and third line of a street, taken where the first is.
var streetLines = map[string][]string{
	"street_address": {"street_address_2"}, "address": {"address_2", "address2"}, "address_1": {"address_2", "address_3"}, "address1": {"address2", "address3"},
	"address_line_1": {"address_line_2"}, "primary_address1": {"primary_address2", "primary_address3"}, "address_address1": {"address_address2", "address_address3"},
	"mailing_address1": {"mailing_address2", "mailing_address3"}, "user_submitted_address1": {"user_submitted_address2", "user_submitted_address3"},
	"billing_address1": {"billing_address2", "billing_address3"},
}

var fieldOf = func() map[string]Field {
	m := map[string]Field{}
	for f, names := range aliases {
		for _, n := range names {
			if other, twice := m[n]; twice {
				panic("imports: the header " + n + " means " + string(f) + " and " + string(other))
			}
			m[n] = f
		}
	}
	return m
}()

// normal is a header without case, accents and marks: "E-mail Address" is "e_mail_address".
func normal(header string) string {
	var b strings.Builder
	gap := false
	for _, r := range norm.NFKD.String(strings.ToLower(truncate(header, 200))) {
		switch {
		case unicode.Is(unicode.Mn, r) || r == '\ufeff':
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			gap = false
			b.WriteRune(r)
		default:
			gap = true
		}
	}
	return b.String()
}

func isKnown(header string) bool { return fieldOf[normal(header)] != "" }

// Mapping says which field a column holds, by the column's number from 0. A column that is not in it is left out.
type Mapping map[int]Field

// at is the first column that holds a field.
func (m Mapping) at(f Field) (int, bool) {
	best := -1
	for i, x := range m {
		if x == f && (best < 0 || i < best) {
			best = i
		}
	}
	return best, best >= 0
}

// Map finds the fields among the headers of a file. Where several columns mean the same field, the better name wins, then
// the first; telephone numbers, tags, notes and what says that somebody left are taken from each. An expanded column, such as
// "attributes: city", counts as what stands behind the colon, after all others.
func Map(columns []string) Mapping {
	at := map[string]int{}
	for i, c := range columns {
		n := normal(c)
		if _, taken := at[n]; !taken && !strings.Contains(c, expanded) {
			at[n] = i
		}
	}
	for i, c := range columns {
		if _, key, ok := strings.Cut(c, expanded); ok {
			if n := normal(key); fieldOf[n] != Email {
				if _, taken := at[n]; !taken {
					at[n] = i
				}
			}
		}
	}
	m := Mapping{}
	for f, names := range aliases {
		for _, n := range names {
			i, ok := at[n]
			if !ok {
				continue
			}
			m[i] = f
			if f == Street {
				for _, line := range streetLines[n] {
					if i, ok := at[line]; ok {
						m[i] = f
					}
				}
			}
			if f == Street || !slices.Contains(several, f) {
				break
			}
		}
	}
	return m
}

// mapBare finds the addresses in a file without headers; nothing else can be told.
func mapBare(first []string) Mapping {
	if i := slices.IndexFunc(first, isAddress); i >= 0 {
		return Mapping{i: Email}
	}
	return Mapping{}
}

// Unused lists the columns that a mapping leaves out, and Twice those whose header stands more than once.
func (m Mapping) Unused(columns []string) []string {
	var out []string
	for i, c := range columns {
		if m[i] == "" && strings.TrimSpace(c) != "" {
			out = append(out, c)
		}
	}
	return out
}

// Twice lists the headers that stand more than once.
func Twice(columns []string) []string {
	var out []string
	seen := map[string]int{}
	for _, c := range columns {
		n := normal(c)
		if seen[n]++; n != "" && seen[n] == 2 {
			out = append(out, c)
		}
	}
	return out
}

// check keeps what a file has, and tells what is wrong: error.import_no_email_column, or error.import_column_twice with the
// field that two columns would fill.
func (m Mapping) check(columns int) (Mapping, *Reason) {
	out, seen := Mapping{}, map[Field]bool{}
	for i := range columns {
		f, ok := m[i]
		if !ok || !f.known() {
			continue
		}
		_, fresh := f.fresh()
		if seen[f] && !fresh && !slices.Contains(several, f) {
			return nil, &Reason{Key: "error.import_column_twice", Args: []any{"Column", itoa(i + 1)}}
		}
		out[i], seen[f] = f, true
	}
	if !seen[Email] {
		return nil, &Reason{Key: "error.import_no_email_column"}
	}
	return out, nil
}

// plan is what an import keeps of the decisions: the mapping, and the tag for everybody until it has an id.
type plan struct {
	Columns Mapping `json:"columns"`
	Tag     string  `json:"tag,omitempty"`
}

func (p plan) text() (string, error) {
	b, err := json.Marshal(p)
	return string(b), err
}

// planOf reads the stored form, and that of the first version, which had one column for a field.
func planOf(stored string) (plan, error) {
	p := plan{}
	if stored == "" {
		return plan{Columns: Mapping{}}, nil
	}
	if err := json.Unmarshal([]byte(stored), &p); err != nil {
		return plan{}, err
	}
	if p.Columns != nil {
		return p, nil
	}
	old := map[Field]int{}
	if err := json.Unmarshal([]byte(stored), &old); err != nil {
		return plan{}, err
	}
	p.Columns = Mapping{}
	for f, i := range old {
		p.Columns[i] = f
	}
	return p, nil
}

// Programs whose exports are known by their headers.
const (
	FromActionNetwork = "action_network"
	FromNationBuilder = "nationbuilder"
	FromMailchimp     = "mailchimp"
	FromListmonk      = "listmonk"
	FromChange        = "change"
	FromEFF           = "eff"
)

// SourceOf tells which program wrote a file, "" where the headers do not.
func SourceOf(columns []string) string {
	has := map[string]bool{}
	can2 := false
	for _, c := range columns {
		n := normal(c)
		has[n] = true
		can2 = can2 || strings.HasPrefix(n, "can2_")
	}
	all := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return !has[n] })
	}
	_, email := Map(columns).at(Email)
	switch {
	case can2:
		return FromActionNetwork
	case has["nationbuilder_id"]:
		return FromNationBuilder
	case email && (has["member_rating"] || all("optin_time", "last_changed") || all("leid", "euid")):
		return FromMailchimp
	case all("email", "name") && (has["attributes"] || slices.ContainsFunc(columns, func(c string) bool { return strings.HasPrefix(c, "attributes"+expanded) })):
		return FromListmonk
	case !email && all("name", "signed_on"):
		return FromChange
	case all("first_name", "last_name", "email", "zipcode", "country_code", "created_at"):
		return FromEFF
	}
	return ""
}

// label is what a column is called in an import's own words: its header, or its number.
func label(columns []string, i int) string {
	if i < len(columns) && columns[i] != "" {
		return columns[i]
	}
	return strconv.Itoa(i + 1)
}
