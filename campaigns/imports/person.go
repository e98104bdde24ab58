package imports

import (
	"encoding/csv"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/language"

	"kithline/campaigns/address"
	"kithline/campaigns/fault"
	"kithline/campaigns/postal"
	"kithline/campaigns/supporters"
	"kithline/campaigns/vault"
	"kithline/models"
)

// standing is what a list says about a person's subscription there. The later ones are the stricter ones.
type standing int

const (
	unsaid standing = iota // nothing: the basis of the whole list decides
	yes
	doubt // not confirmed, or a word that nobody knows: no consent, no suppression
	left  // unsubscribed, cleaned, bounced, complained: suppression
)

// person is one good row. Ids, seals and hashes are made as if the person were new: that is the most work, and several rows
// are read at once.
type person struct {
	n        int    // which row of the file it is, from 1
	address  string // canonical
	domain   string
	hash     []byte
	facts    supporters.Facts
	standing standing
	agreed   time.Time // when, where the list says
	created  time.Time // when the other program first knew them, zero where it does not say
	chapter  *uuid.UUID
	phones   []models.Phone
	tags     []string // lower case, for the key; names has them as they are written
	names    []string
	values   []answer
	notes    []string

	id     uuid.UUID // of the record, if it is new
	record models.Supporter
	sealed []byte // the address
}

// answer is what a row says to a custom field.
type answer struct {
	field *models.CustomField
	text  string
}

// limits of what is kept, in characters.
var limits = map[Field]int{
	GivenName: 100, FamilyName: 100, Name: 200, Phone: 40, Street: 200, City: 100, Region: 60, PostalArea: 20, Note: 5000,
}

// maxTags is how many tags one row may put on somebody.
const maxTags = 50

// depth is how much of a row is needed.
type depth int

const (
	complete depth = iota // everything
	compare               // nothing sealed: a dry run
	judge                 // only whether the row can be taken, and whose it is
)

// recipe is a mapping made ready for many rows. It is safe for concurrent use.
type recipe struct {
	vault    *vault.Vault
	now      time.Time // times in the future count as not said
	depth    depth
	single   map[Field]int
	many     map[Field][]int
	answers  []answerColumn
	chapters map[string]uuid.UUID // by normal name and slug
	zones    sync.Map             // name to whether it is a time zone
}

type answerColumn struct {
	at    int
	field *models.CustomField
}

// lookups is what a mapping refers to in the database.
type lookups struct {
	fields   map[uuid.UUID]*models.CustomField
	chapters map[string]uuid.UUID
}

// recipeOf makes a mapping ready. A custom field that is not there any more is left out; one that is to be made has no id
// yet.
func recipeOf(m Mapping, l lookups, v *vault.Vault, now time.Time, d depth) *recipe {
	r := &recipe{vault: v, now: now, depth: d, single: map[Field]int{}, many: map[Field][]int{}, chapters: l.chapters}
	columns := make([]int, 0, len(m))
	for i := range m {
		columns = append(columns, i)
	}
	slices.Sort(columns)
	for _, i := range columns {
		f := m[i]
		if id, ok := f.custom(); ok {
			if l.fields[id] != nil {
				r.answers = append(r.answers, answerColumn{i, l.fields[id]})
			}
		} else if kind, ok := f.fresh(); ok {
			r.answers = append(r.answers, answerColumn{i, &models.CustomField{Kind: kind}})
		} else if slices.Contains(several, f) {
			r.many[f] = append(r.many[f], i)
		} else if _, there := r.single[f]; !there {
			r.single[f] = i
		}
	}
	return r
}

func cellAt(row Row, i int) string {
	if i >= len(row.Cells) {
		return ""
	}
	return bare(row.Cells[i])
}

// cell is the value of a field that one column holds, on one line.
func (r *recipe) cell(row Row, f Field) string {
	i, ok := r.single[f]
	if !ok {
		return ""
	}
	return flat(cellAt(row, i))
}

// read makes a person of a row, or tells why it cannot. id is the record's, if it is new.
func (r *recipe) read(row Row, id uuid.UUID) (person, *Reason) {
	if row.Bad != nil {
		return person{}, row.Bad
	}
	typed := r.cell(row, Email)
	canonical, domain, err := address.CanonicalAddress(typed)
	if err != nil {
		if typed == "" {
			return person{}, &Reason{Key: "error.import_no_address"}
		}
		return person{}, &Reason{Key: "error.import_address"}
	}
	p := person{n: row.n, address: canonical, domain: domain, hash: r.vault.AddressHash(canonical), id: id}
	var bad *Reason
	take := func(f Field) string {
		s := r.cell(row, f)
		if most := limits[f]; most > 0 && len(s) > most && utf8.RuneCountInString(s) > most && bad == nil {
			bad = tooLong(f, most)
		}
		return s
	}
	p.facts = supporters.Facts{
		GivenName: take(GivenName), FamilyName: take(FamilyName), City: take(City), Country: countryCode(take(Country)), Locale: localeTag(take(Locale)),
		TimeZone: r.zone(take(TimeZone)), Source: supporters.SourceImport,
	}
	p.facts.PostalArea = postal.Area(p.facts.Country, take(PostalArea))
	p.facts.Region = regionCode(p.facts.Country, take(Region))
	if name := take(Name); p.facts.GivenName == "" && p.facts.FamilyName == "" {
		p.facts.GivenName, p.facts.FamilyName = splitName(name)
	}
	var lines []string
	for _, i := range r.many[Street] {
		if s := flat(cellAt(row, i)); s != "" {
			lines = append(lines, s)
		}
	}
	if p.facts.Street = strings.Join(lines, ", "); utf8.RuneCountInString(p.facts.Street) > limits[Street] {
		bad = tooLong(Street, limits[Street])
	}
	r.stand(&p, row)
	if reason := r.more(&p, row); reason != nil && bad == nil {
		bad = reason
	}
	if bad != nil {
		return person{}, bad
	}
	if r.depth == complete && p.standing != left {
		p.record = supporters.NewRow(r.vault, id, p.facts, r.now)
	}
	if r.depth == complete {
		p.sealed = r.vault.SealBytes("mailboxes", "address_sealed", p.hash, []byte(canonical))
	}
	return p, nil
}

func tooLong(f Field, most int) *Reason {
	return &Reason{Key: "error.import_value_long", Args: []any{"Column", string(f), "Most", itoa(most)}}
}

// stand reads what the row says about the subscription elsewhere: where several columns say something, the strictest.
func (r *recipe) stand(p *person, row Row) {
	if row.left {
		p.standing = left
	}
	for _, i := range r.many[Status] {
		p.standing = max(p.standing, standingOf(flat(cellAt(row, i))))
	}
	switch said := r.cell(row, OptedIn); {
	case said == "" || p.standing > yes:
	case isNo(said):
		p.standing = doubt
	default:
		p.standing = yes
		if t := date(said); !t.IsZero() && t.Before(r.now) {
			p.agreed = t
		}
	}
	for _, i := range r.many[OptedOut] {
		if said := flat(cellAt(row, i)); said != "" && !isNo(said) {
			p.standing = left
		}
	}
	if t := date(r.cell(row, Created)); !t.IsZero() && t.Before(r.now) {
		p.created = t
	}
}

// more reads what lies in other tables than the record itself.
func (r *recipe) more(p *person, row Row) *Reason {
	for _, i := range r.many[Phone] {
		s := flat(cellAt(row, i))
		switch {
		case s == "":
		case utf8.RuneCountInString(s) > limits[Phone]:
			return tooLong(Phone, limits[Phone])
		case r.depth != judge && p.standing != left:
			n := supporters.NewPhone(r.vault, p.id, s, p.facts.Country, r.now)
			if !slices.ContainsFunc(p.phones, func(o models.Phone) bool { return string(o.NumberHash) == string(n.NumberHash) }) {
				p.phones = append(p.phones, n)
			}
		}
	}
	for _, i := range r.many[Tags] {
		for _, name := range list(cellAt(row, i)) {
			if utf8.RuneCountInString(name) > maxTagName {
				return tooLong(Tags, maxTagName)
			}
			if k := strings.ToLower(name); !slices.Contains(p.tags, k) {
				p.tags, p.names = append(p.tags, k), append(p.names, name)
			}
		}
	}
	if len(p.tags) > maxTags {
		return &Reason{Key: "error.import_row_tags", Args: []any{"Most", itoa(maxTags)}}
	}
	for _, i := range r.many[Note] {
		s := strings.TrimSpace(lines(cellAt(row, i)))
		if utf8.RuneCountInString(s) > limits[Note] {
			return tooLong(Note, limits[Note])
		}
		if s != "" && !slices.Contains(p.notes, s) {
			p.notes = append(p.notes, s)
		}
	}
	if s := r.cell(row, Chapter); s != "" {
		id, ok := r.chapters[normal(s)]
		if !ok {
			return &Reason{Key: "error.import_chapter"}
		}
		p.chapter = &id
	}
	for _, a := range r.answers {
		said := flat(cellAt(row, a.at))
		if a.field.Kind == models.FieldDate {
			if t := date(said); !t.IsZero() {
				said = t.Format(time.DateOnly)
			}
		}
		text, err := supporters.FieldText(*a.field, said)
		var e *fault.Error
		if errors.As(err, &e) {
			return &Reason{Key: e.Key, Args: e.Args}
		}
		if err != nil {
			return &Reason{Key: "error.value_unknown"}
		}
		if text != "" {
			p.values = append(p.values, answer{a.field, text})
		}
	}
	return nil
}

// maxTagName is how long the name of a tag may be, in characters, as everywhere.
const maxTagName = 60

// list takes the words of one cell apart: "a, b", or quoted as Mailchimp does: "\"a, b\",\"c\"". Without a comma, a
// semicolon or a bar parts them.
func list(cell string) []string {
	cell = flat(cell)
	if cell == "" {
		return nil
	}
	c := csv.NewReader(strings.NewReader(cell))
	c.LazyQuotes, c.TrimLeadingSpace = true, true
	if !strings.Contains(cell, ",") {
		for _, other := range []rune{';', '|'} {
			if strings.ContainsRune(cell, other) {
				c.Comma = other
				break
			}
		}
	}
	words, err := c.Read()
	if err != nil {
		words = strings.Split(cell, ",")
	}
	out := words[:0]
	for _, w := range words {
		if w = flat(strings.Trim(w, `"`)); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// lines is a text with its lines, without other control characters.
func lines(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsControl(r):
			return ' '
		}
		return r
	}, s)
}

// zone is a time zone by its IANA name, empty for what it does not know.
func (r *recipe) zone(s string) string {
	if s == "" || len(s) > 40 || s == "Local" {
		return ""
	}
	known, ok := r.zones.Load(s)
	if !ok {
		_, err := time.LoadLocation(s)
		known = err == nil
		if known.(bool) {
			r.zones.Store(s, true)
		}
	}
	if known.(bool) {
		return s
	}
	return ""
}

// regionCode is a state or province as its code where the country is known to have them, else as it is written.
func regionCode(country, s string) string {
	if len(s) <= 3 {
		return strings.ToUpper(s)
	}
	if country == "" || country == "US" || country == "CA" {
		if c := regions[normal(s)]; c != "" {
			return c
		}
	}
	return s
}

var regions = func() map[string]string {
	m := map[string]string{}
	for _, s := range strings.Fields(`AL=alabama AK=alaska AZ=arizona AR=arkansas CA=california CO=colorado CT=connecticut DE=delaware DC=district_of_columbia FL=florida
		GA=georgia HI=hawaii ID=idaho IL=illinois IN=indiana IA=iowa KS=kansas KY=kentucky LA=louisiana ME=maine MD=maryland MA=massachusetts MI=michigan MN=minnesota
		MS=mississippi MO=missouri MT=montana NE=nebraska NV=nevada NH=new_hampshire NJ=new_jersey NM=new_mexico NY=new_york NC=north_carolina ND=north_dakota OH=ohio
		OK=oklahoma OR=oregon PA=pennsylvania RI=rhode_island SC=south_carolina SD=south_dakota TN=tennessee TX=texas UT=utah VT=vermont VA=virginia WA=washington
		WV=west_virginia WI=wisconsin WY=wyoming PR=puerto_rico GU=guam AB=alberta BC=british_columbia MB=manitoba NB=new_brunswick NL=newfoundland_and_labrador
		NS=nova_scotia NT=northwest_territories NU=nunavut ON=ontario PE=prince_edward_island QC=quebec SK=saskatchewan YT=yukon`) {
		code, name, _ := strings.Cut(s, "=")
		m[name] = code
	}
	return m
}()

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
