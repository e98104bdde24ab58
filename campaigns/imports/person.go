package imports

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"kithline/campaigns/address"
	"kithline/campaigns/postal"
	"kithline/campaigns/supporters"
	"kithline/campaigns/vault"
)

// standing is what a list says about a person's subscription there.
type standing int

const (
	unsaid standing = iota // nothing: the basis of the whole list decides
	yes
	doubt // not confirmed, or a word that nobody knows: no consent, no suppression
	left  // unsubscribed, cleaned, bounced, complained: suppression
)

// person is one good row.
type person struct {
	line     int
	address  string // canonical
	domain   string
	hash     []byte
	facts    supporters.Facts
	standing standing
	agreed   time.Time // when, where the list says
}

// limits of what is kept, in characters.
var limits = map[Field]int{GivenName: 100, FamilyName: 100, Name: 200, Phone: 40, PostalArea: 20}

// read makes a person of a row, or tells why it cannot. Times in the future count as not said.
func (m Mapping) read(v *vault.Vault, row Row, now time.Time) (person, *Reason) {
	if row.Bad != nil {
		return person{}, row.Bad
	}
	cell := func(f Field) string {
		i, ok := m[f]
		if !ok || i >= len(row.Cells) {
			return ""
		}
		return flat(bare(row.Cells[i]))
	}
	typed := cell(Email)
	canonical, domain, err := address.CanonicalAddress(typed)
	if err != nil {
		if typed == "" {
			return person{}, &Reason{Key: "error.import_no_address"}
		}
		return person{}, &Reason{Key: "error.import_address"}
	}
	p := person{line: row.Line, address: canonical, domain: domain, hash: v.AddressHash(canonical)}
	for _, f := range Fields {
		if most := limits[f]; most > 0 && utf8.RuneCountInString(cell(f)) > most {
			return person{}, &Reason{Key: "error.import_value_long", Args: []any{"Column", string(f), "Most", itoa(most)}}
		}
	}
	p.facts = supporters.Facts{
		GivenName: cell(GivenName), FamilyName: cell(FamilyName), Phone: cell(Phone), Country: countryCode(cell(Country)),
		Locale: localeTag(cell(Locale)), Source: supporters.SourceImport,
	}
	p.facts.PostalArea = postal.Area(p.facts.Country, cell(PostalArea))
	if p.facts.GivenName == "" && p.facts.FamilyName == "" {
		p.facts.GivenName, p.facts.FamilyName = splitName(cell(Name))
	}
	p.standing = standingOf(cell(Status))
	switch said := cell(OptedIn); {
	case said == "" || p.standing > yes:
	case isNo(said):
		p.standing = doubt
	default:
		p.standing = yes
		if t := date(said); !t.IsZero() && t.Before(now) {
			p.agreed = t
		}
	}
	if said := cell(OptedOut); said != "" && !isNo(said) {
		p.standing = left
	}
	return p, nil
}

var words = map[string]standing{
	"subscribed": yes, "active": yes, "enabled": yes, "confirmed": yes, "opted_in": yes, "opt_in": yes, "yes": yes, "true": yes, "1": yes, "on": yes,
	"suscrito": yes, "suscrita": yes, "activo": yes, "si": yes, "subscriber": yes, "member": yes, "ok": yes,
	"unsubscribed": left, "unsubscribe": left, "unsub": left, "opted_out": left, "opt_out": left, "optout": left, "cleaned": left,
	"bounced": left, "bounce": left, "bouncing": left, "hard_bounce": left, "hard_bounced": left, "hardbounce": left, "undeliverable": left, "invalid": left,
	"complained": left, "complaint": left, "spam": left, "spam_complaint": left, "reported_spam": left, "abuse": left, "blocklisted": left, "blacklisted": left,
	"blocked": left, "banned": left, "suppressed": left, "disabled": left, "removed": left, "do_not_email": left, "do_not_contact": left, "previous_spam_complaint": left,
	"desuscrito": left, "desuscrita": left, "cancelado": left, "baja": left, "rebotado": left,
}

func standingOf(s string) standing {
	n := normal(s)
	if n == "" {
		return unsaid
	}
	if w, ok := words[n]; ok {
		return w
	}
	return doubt
}

func isNo(s string) bool {
	switch normal(s) {
	case "no", "n", "false", "f", "0", "off", "never", "none", "null":
		return true
	}
	return false
}

// date reads the forms of time that mean the same to everybody. A form in which day and month could be changed round is
// not one of them.
func date(s string) time.Time {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05 -0700",
		"2006-01-02 15:04:05.999999", time.DateOnly, "2006/01/02", "2 January 2006", "January 2, 2006", "2 Jan 2006", "Jan 2, 2006",
	} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1990 {
			return t.UTC().Truncate(time.Microsecond)
		}
	}
	return time.Time{}
}

// splitName takes a whole name apart: "Lee, Ann" and "Ann Lee"; small words such as "van der" belong to the family name.
func splitName(s string) (given, family string) {
	if before, after, ok := strings.Cut(s, ","); ok {
		return strings.TrimSpace(after), strings.TrimSpace(before)
	}
	parts := strings.Fields(s)
	if len(parts) < 2 {
		return s, ""
	}
	at := len(parts) - 1
	for i := 1; i < len(parts)-1; i++ {
		if r, _ := utf8.DecodeRuneInString(parts[i]); unicode.IsLower(r) {
			at = i
			break
		}
	}
	return strings.Join(parts[:at], " "), strings.Join(parts[at:], " ")
}

var countries = map[string]string{
	"united_states": "US", "united_states_of_america": "US", "u_s_a": "US", "u_s": "US", "america": "US", "estados_unidos": "US", "eeuu": "US",
	"united_kingdom": "GB", "uk": "GB", "great_britain": "GB", "england": "GB", "scotland": "GB", "wales": "GB", "reino_unido": "GB", "canada": "CA",
	"mexico": "MX", "ireland": "IE", "irlanda": "IE", "spain": "ES", "espana": "ES", "puerto_rico": "PR", "australia": "AU", "new_zealand": "NZ",
	"germany": "DE", "france": "FR", "argentina": "AR", "colombia": "CO", "chile": "CL", "peru": "PE",
}

// countryCode is a country as ISO 3166-1 alpha-2, empty for what it does not know.
func countryCode(s string) string {
	if s == "" {
		return ""
	}
	if c := countries[normal(s)]; c != "" {
		return c
	}
	if r, err := language.ParseRegion(strings.ToUpper(s)); err == nil && r.IsCountry() {
		return r.String()
	}
	return ""
}

var languages = map[string]string{
	"english": "en", "ingles": "en", "spanish": "es", "espanol": "es", "castellano": "es", "french": "fr", "german": "de", "portuguese": "pt", "chinese": "zh",
}

// localeTag is a language as BCP 47 writes it, empty for what it does not know.
func localeTag(s string) string {
	if s == "" || len(s) > 35 {
		return ""
	}
	if l := languages[normal(s)]; l != "" {
		return l
	}
	t, err := language.Parse(s)
	if err != nil {
		return ""
	}
	return t.String()
}

// flat is a value on one line: control characters and runs of spaces become one space.
func flat(s string) string {
	clean := true
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == ' ' {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\ufeff' || r == '\u200b':
			return -1
		case unicode.IsControl(r) || unicode.IsSpace(r):
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

func truncate(s string, runes int) string {
	if len(s) <= runes {
		return s
	}
	n := 0
	for i := range s {
		if n == runes {
			return s[:i]
		}
		n++
	}
	return s
}

func isAddress(s string) bool {
	s = flat(bare(s))
	if !strings.Contains(s, "@") || len(s) > 320 {
		return false
	}
	_, _, err := address.CanonicalAddress(s)
	return err == nil
}

func itoa(n int) string { return strconv.Itoa(n) }
