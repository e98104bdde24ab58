package imports

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Field is something that a column can tell about a person.
type Field string

// The fields.
const (
	Email      Field = "email"
	GivenName  Field = "given_name"
	FamilyName Field = "family_name"
	Name       Field = "name" // both in one, split where no other column gives them
	Phone      Field = "phone"
	PostalArea Field = "postal_area"
	Country    Field = "country"
	Locale     Field = "locale"
	Status     Field = "status"    // subscribed, unsubscribed, bounced ... elsewhere
	OptedIn    Field = "opted_in"  // when they agreed, or yes and no
	OptedOut   Field = "opted_out" // when they left; not empty means that they did
)

// Fields lists every field in the order of the mapping page.
var Fields = []Field{Email, GivenName, FamilyName, Name, Phone, PostalArea, Country, Locale, Status, OptedIn, OptedOut}

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
		"phone_number_mobile", "telefono", "movil", "celular",
	},
	PostalArea: {
		"postal_area", "postal_code", "zip", "zip_code", "zipcode", "postcode", "post_code", "postalcode", "zip_postal_code", "postal_zip_code", "primary_zip",
		"address_zip", "mailing_zip", "user_submitted_zip", "billing_zip", "can2_user_zip_code", "plz", "codigo_postal", "cp",
	},
	Country: {
		"country", "country_code", "primary_country", "address_country", "mailing_country", "user_submitted_country", "billing_country",
		"can2_user_country", "primary_country_code", "address_country_code", "cc", "pais",
	},
	Locale: {"locale", "language", "lang", "preferred_language", "language_code", "can2_language", "idioma", "lengua"},
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

// Mapping says which column holds a field, by its number from 0.
type Mapping map[Field]int

// Map finds the fields among the headers of a file. Where several columns mean the same field, the better name wins, then
// the first.
func Map(columns []string) Mapping {
	at := map[string]int{}
	for i, c := range columns {
		n := normal(c)
		if _, taken := at[n]; !taken {
			at[n] = i
		}
	}
	m := Mapping{}
	for f, names := range aliases {
		for _, n := range names {
			if i, ok := at[n]; ok {
				m[f] = i
				break
			}
		}
	}
	return m
}

// mapBare finds the addresses in a file without headers; nothing else can be told.
func mapBare(first []string) Mapping {
	if i := slices.IndexFunc(first, isAddress); i >= 0 {
		return Mapping{Email: i}
	}
	return Mapping{}
}

// Unused lists the columns that a mapping leaves out, and Twice those whose header stands more than once.
func (m Mapping) Unused(columns []string) []string {
	var out []string
	for i, c := range columns {
		used := false
		for _, at := range m {
			used = used || at == i
		}
		if !used && strings.TrimSpace(c) != "" {
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

// check keeps what a file has and reports whether addresses are among it.
func (m Mapping) check(columns int) (Mapping, bool) {
	out := Mapping{}
	for _, f := range Fields {
		if i, ok := m[f]; ok && i >= 0 && i < columns {
			out[f] = i
		}
	}
	_, ok := out[Email]
	return out, ok
}
