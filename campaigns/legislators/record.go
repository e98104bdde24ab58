package legislators

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"kithline/campaigns/address"
	"kithline/models"
)

// body names a chamber: the code of its jurisdiction, and its own.
type body struct{ jurisdiction, chamber string }

// record is a legislator as a file tells it.
type record struct {
	external   string
	name       string
	given      string
	family     string
	suffix     string
	salutation string
	terms      []seat
	offices    []place
	channels   []way
}

// seat is a term as a file tells it.
type seat struct {
	in            body
	ocd           string
	district      string
	title         string
	party         string
	rank          string
	from, through string
}

// place is an office as a file tells it; key tells it from the legislator's others.
type place struct {
	key, kind, name      string
	street, city, region string
	postal, country      string
	phone, fax, hours    string
	latitude, longitude  *float64
}

// way is a channel as a file tells it; office is the key of its office, "" for none.
type way struct {
	kind   models.ChannelKind
	value  string
	office string
}

// group is a committee as a file tells it.
type group struct {
	external, parent, name string
	in                     body // chamber is "" for a joint one
	members                []member
}

type member struct {
	external, title string
	rank            int
}

// reading is a whole file.
type reading struct {
	jurisdictions map[string]models.Jurisdiction
	chambers      map[body]models.Chamber
	people        []record
	groups        []group
	grouped       map[string]bool // the jurisdictions whose committees the file tells
	notes         []Note
}

func newReading() *reading {
	return &reading{jurisdictions: map[string]models.Jurisdiction{}, chambers: map[body]models.Chamber{}, grouped: map[string]bool{}}
}

// Note is something of a file that was left out or taken in another way, as a locale key.
type Note struct {
	Key   string `json:"key"`
	Name  string `json:"name"` // of the person or chamber that it is about
	Value string `json:"value,omitempty"`
}

func (r *reading) note(key, name, value string) { r.notes = append(r.notes, Note{key, name, value}) }

// The longest values that are kept, in characters.
const (
	maxName = 200
	maxText = 300
)

// flat makes one line of a value: NFC, no control characters, single spaces, not longer than most characters.
func flat(s string, most int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, " "))
	s = norm.NFC.String(strings.Join(strings.Fields(s), " "))
	if runes := []rune(s); len(runes) > most {
		s = strings.TrimSpace(string(runes[:most]))
	}
	return s
}

// link returns a web address as it is kept, "" for what is none.
func link(s string) string {
	s = strings.TrimSpace(s)
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || u.User != nil || len(s) > 1000 {
		return ""
	}
	return u.String()
}

// mail returns a mail address as it is kept, "" for what is none.
func mail(s string) string {
	canonical, _, err := address.CanonicalAddress(s)
	if err != nil {
		return ""
	}
	return canonical
}

// isDay reports whether a text is a day of the calendar.
func isDay(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

// tail is the end of an address of the United States in one line: city, state, ZIP code.
var tail = regexp.MustCompile(`^(.*\S)[\s,;]*[,;]\s*([^,;]*[^,;\s])[\s,;]+([A-Z]{2})[.,]?\s+(\d{5}(?:-\d{4})?)$`)

// split takes an address in one line apart. What cannot be taken apart is the street.
func split(line string) (street, city, region, postal string) {
	line = flat(line, maxText)
	m := tail.FindStringSubmatch(line)
	if m == nil || len([]rune(m[2])) > 40 || strings.ContainsAny(m[2], "0123456789") {
		return line, "", "", ""
	}
	return strings.TrimRight(m[1], ",; "), m[2], m[3], m[4]
}

// ways makes the channels of a record in the order in which they are tried: mail, web form, paper to each office, telephone.
func ways(email, form string, offices []place) []way {
	var out []way
	if email != "" {
		out = append(out, way{kind: models.ChannelEmail, value: email})
	}
	if form != "" {
		out = append(out, way{kind: models.ChannelWebForm, value: form})
	}
	for _, o := range offices {
		if o.street != "" {
			out = append(out, way{kind: models.ChannelPost, office: o.key})
		}
	}
	for _, o := range offices {
		if o.phone != "" && !slices.ContainsFunc(out, func(w way) bool { return w.kind == models.ChannelPhone && w.value == o.phone }) {
			out = append(out, way{kind: models.ChannelPhone, value: o.phone, office: o.key})
		}
	}
	return out
}

// current keeps of somebody's terms those that are not over on the day, or the last where all are.
func current(terms []seat, today string) []seat {
	if len(terms) == 0 {
		return nil
	}
	sorted := slices.Clone(terms)
	slices.SortStableFunc(sorted, func(a, b seat) int { return cmp.Compare(a.from, b.from) })
	var out []seat
	for _, t := range sorted {
		if t.through != "" && t.through < today {
			continue
		}
		// Of two terms in one seat the later one counts.
		if i := slices.IndexFunc(out, func(x seat) bool { return x.in == t.in && x.ocd == t.ocd && x.district == t.district }); i >= 0 {
			out[i] = t
			continue
		}
		out = append(out, t)
	}
	if len(out) == 0 {
		out = append(out, sorted[len(sorted)-1])
	}
	return out
}

func itoa(n int) string { return strconv.Itoa(n) }

// lastWord is the last word of a name.
func lastWord(s string) string { return s[strings.LastIndex(s, " ")+1:] }
