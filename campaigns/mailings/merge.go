package mailings

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"kithline/campaigns/fault"
)

// Merge fields are the only thing in a mailing that differs from person to person: {{given_name|friend}}, a name from the
// list below and, after a bar, what stands there where the value is empty. There is no language behind it: no conditions,
// no calls. A backslash before the braces, \{{, writes the braces themselves.

// Fields lists the merge fields by name, in the order that the page explains them.
var Fields = []string{fieldGivenName, fieldChapter, fieldTitle, fieldURL, fieldCount, fieldGoal, fieldOrganisation}

const (
	fieldGivenName    = "given_name"
	fieldChapter      = "chapter"
	fieldTitle        = "petition_title"
	fieldURL          = "petition_url"
	fieldCount        = "signature_count"
	fieldGoal         = "goal"
	fieldOrganisation = "organisation"
)

const (
	maxMergeBytes = 300 // between the braces; so a pair that is never closed costs little
	maxMergeCount = 200 // fields in one text
)

// span is a piece of a text: words, or a merge field.
type span struct {
	text     string // words
	field    string // "" for words
	fallback string
}

// MergeProblem is a merge field that cannot be used. Key is a locale key with the values Name and Line.
type MergeProblem struct {
	Field string // the form's field: subject, preheader, body
	Key   string
	Name  string // what stands between the braces, cut short
	Line  int    // from 1
}

func (p MergeProblem) args() []any { return []any{"Name", p.Name, "Line", p.Line} }

// parseMerge takes a text apart in one pass. Where markdown is set, an escaped pair of braces keeps its backslash, which
// Markdown takes away itself. A field that cannot be used stays in the result as words.
func parseMerge(src, form string, markdown bool) ([]span, []MergeProblem) {
	var out []span
	var bad []MergeProblem
	line, fields, from := 1, 0, 0 // from: where the words that are not in out yet begin
	words := func(to int) {
		if to > from {
			out = append(out, span{text: src[from:to]})
		}
	}
	for at := 0; at < len(src); {
		switch {
		case src[at] == '\n':
			line++
			at++
			continue
		case !strings.HasPrefix(src[at:], "{{"):
			at++
			continue
		case at > 0 && src[at-1] == '\\':
			if !markdown {
				words(at - 1)
				from = at
			}
			at += 2
			continue
		}
		inner := src[at+2 : min(len(src), at+2+maxMergeBytes)]
		if nl := strings.IndexByte(inner, '\n'); nl >= 0 {
			inner = inner[:nl]
		}
		end := strings.Index(inner, "}}")
		if end < 0 {
			bad = append(bad, MergeProblem{form, "error.merge_open", short(inner), line})
			at += 2
			continue
		}
		inner = inner[:end]
		name, fallback, _ := strings.Cut(inner, "|")
		name = strings.TrimSpace(name)
		if fields++; fields > maxMergeCount {
			return []span{{text: src}}, append(bad, MergeProblem{form, "error.merge_many", short(name), line})
		}
		if !slices.Contains(Fields, name) {
			bad = append(bad, MergeProblem{form, "error.merge_unknown", short(name), line})
			at += 2
			continue
		}
		words(at)
		out = append(out, span{field: name, fallback: strings.TrimSpace(fallback)})
		at += 2 + end + 2
		from = at
	}
	words(len(src))
	return out, bad
}

// ofPerson are the fields that differ from person to person.
var ofPerson = []string{fieldGivenName, fieldChapter}

// ofPetition are the fields that stand for something only where a mailing goes to the signers of a petition.
var ofPetition = []string{fieldTitle, fieldURL, fieldCount, fieldGoal}

// withoutPetition notes the fields of a petition in the text of a newsletter.
func withoutPetition(form string, parts []span) []MergeProblem {
	var bad []MergeProblem
	line := 1
	for _, p := range parts {
		if slices.Contains(ofPetition, p.field) {
			bad = append(bad, MergeProblem{form, "error.merge_no_petition", p.field, line})
		}
		line += strings.Count(p.text, "\n")
	}
	return bad
}

// short is a name as an error shows it.
func short(s string) string {
	s = oneLine(s)
	if utf8.RuneCountInString(s) > 40 {
		s = string([]rune(s)[:40]) + "…"
	}
	return s
}

// mergeFault is an Invalid fault with all the problems, nil where there are none.
func mergeFault(bad []MergeProblem) error {
	var f fault.Fields
	for _, p := range bad[:min(len(bad), 10)] {
		f.Add(p.Field, p.Key, p.args()...)
	}
	return f.Err()
}

// values are what the merge fields stand for, for one person.
type values map[string]string

// splice puts the values in: once, in one pass, so that a value that looks like a merge field stays what it is. escape makes
// a value fit for where it goes.
func splice(parts []span, v values, escape func(string) string) string {
	var b strings.Builder
	n := 0
	for _, p := range parts {
		n += len(p.text) + 16
	}
	b.Grow(n)
	for _, p := range parts {
		if p.field == "" {
			b.WriteString(p.text)
			continue
		}
		s := v[p.field]
		if s == "" {
			s = p.fallback
		}
		b.WriteString(escape(s))
	}
	return b.String()
}

// oneLine is a value without line breaks, control and direction characters: it can add no line to a text and no header to a
// mail.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r), unicode.IsSpace(r):
			return ' '
		case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\ufeff', r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// calledBy is a given name fit for a greeting: nothing where it is long or carries an address, so that nobody's mail greets
// them with somebody else's message.
func calledBy(name string) string {
	name = oneLine(name)
	low := strings.ToLower(name)
	if utf8.RuneCountInString(name) > 60 || strings.Contains(low, "://") || strings.Contains(low, "www.") {
		return ""
	}
	return name
}
