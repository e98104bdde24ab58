// Package phones understands telephone numbers as people type them: it knows the numbering plan of every country, as Google's
// libphonenumber publishes it, and says the same of a number as that library does, in a tenth of its size.
package phones

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Number is a telephone number that may exist.
type Number struct {
	calling   string // the country's, such as "44"
	national  string // what follows it, with zeros that belong to it
	Extension string // digits; may be empty
}

// E164 is the number as machines write it, without the extension: +442083661177.
func (n Number) E164() string { return "+" + n.calling + n.national }

// longest is the longest text that is looked at, in bytes.
const longest = 250

// Parse reads a number. region (ISO 3166-1 alpha-2) says where one without a country code is from. ok says that the country's
// plan has such a number.
func Parse(typed, region string) (n Number, ok bool) {
	n, ok = read(typed, region)
	return n, ok && n.planned()
}

// Shown writes a number in E.164 as people read it, with its extension if there is one: +44 20 8366 1177 ext. 5. What is no
// number stays as it is.
func Shown(e164, extension string) string {
	n, ok := read(e164, "")
	if !ok {
		return e164
	}
	main := plans().main[n.calling]
	text := "+" + n.calling + " " + main.grouped(n.national)
	if extension != "" {
		text += main.extension + extension
	}
	return text
}

// Regions are the regions that have a numbering plan.
func Regions() []string { return plans().regions }

// Signs that people write, before the digits and between them; x stands for the code of a carrier in Brazil.
const (
	plusSigns = `+\x{FF0B}`
	between   = `-x\x{2010}-\x{2015}\x{2212}\x{30FC}\x{FF0D}-\x{FF0F} \x{00A0}\x{00AD}\x{200B}\x{2060}\x{3000}()\x{FF08}\x{FF09}\x{FF3B}\x{FF3D}.\[\]/~\x{2053}\x{223C}\x{FF5E}`
	gap       = `[ \x{00A0}\t]*`
	gapComma  = `[ \x{00A0}\t,]*`
	afterWord = `[:.\x{FF0E}]?[ \x{00A0}\t,-]*`
)

// extensions are the ways to write one, the digits in a group of their own.
const extensions = `;ext=(\p{Nd}{1,20})` +
	`|` + gapComma + `(?:e?xt(?:ensi(?:o\x{0301}?|\x{00F3}))?n?|\x{FF45}?\x{FF58}\x{FF54}\x{FF4E}?|доб|anexo)` + afterWord + `(\p{Nd}{1,20})#?` +
	`|` + gapComma + `(?:[x\x{FF58}#\x{FF03}~\x{FF5E}]|int|\x{FF49}\x{FF4E}\x{FF54})` + afterWord + `(\p{Nd}{1,9})#?` +
	`|[- ]+(\p{Nd}{1,6})#` +
	`|` + gap + `(?:,{2}|;)` + afterWord + `(\p{Nd}{1,15})#?` +
	`|` + gap + `,+` + afterWord + `(\p{Nd}{1,9})#?`

var (
	begins    = regexp.MustCompile(`[` + plusSigns + `\p{Nd}]`)
	another   = regexp.MustCompile(`[\\/] *x`) // a second extension, of a second number
	plus      = regexp.MustCompile(`[` + plusSigns + `]+`)
	extension = regexp.MustCompile(`(?i)(?:` + extensions + `)$`)
	viable    = regexp.MustCompile(`(?i)^(?:\p{Nd}{2}|[` + plusSigns + `]*(?:[` + between + `*]*\p{Nd}){3,}[` + between + `*A-Za-z\p{Nd}]*(?:` + extensions + `)?)$`)
)

// read is Parse without asking whether the plan has such a number.
func read(typed, region string) (n Number, ok bool) {
	if len(typed) > longest || strings.Contains(typed, ";phone-context=") {
		return n, false
	}
	text := typed
	if at := begins.FindStringIndex(text); at != nil {
		text = text[at[0]:]
	}
	if at := another.FindStringIndex(text); at != nil {
		text = text[:at[0]]
	}
	if before, _, found := strings.Cut(text, ";isub="); found && before != "" {
		text = before
	}
	home := plans().byRegion[region]
	if len(text) < 2 || !viable.MatchString(text) || home == nil && !plus.MatchString(text) {
		return n, false
	}
	if m := extension.FindStringSubmatchIndex(text); m != nil && viable.MatchString(text[:m[0]]) {
		for g := 2; g < len(m); g += 2 {
			if m[g] >= 0 {
				n.Extension, text = text[m[g]:m[g+1]], text[:m[0]]
				break
			}
		}
	}
	calling, national, ok := abroad(text, home)
	if !ok {
		return n, false
	}
	plan := plans().main[calling]
	if calling == "" {
		if home == nil {
			return n, false
		}
		calling, national, plan = home.calling, digits(text), home
	}
	if len(national) < 2 {
		return n, false
	}
	if bare := plan.strip(national); plan.length(bare) == possible || plan.length(bare) == tooLong {
		national = bare
	}
	n.calling, n.national = calling, national
	return n, len(national) >= 2 && len(national) <= 17
}

// abroad finds a country's calling code in front of a number; "" where there is none. It fails where there is one that no
// country has.
func abroad(text string, home *plan) (calling, national string, ok bool) {
	signs := plus.FindStringIndex(text)
	if signs != nil && signs[0] == 0 {
		rest := digits(text[signs[1]:])
		if len(rest) <= 2 {
			return "", "", false
		}
		if calling, national = cutCalling(rest); calling != "" {
			return calling, national, true
		}
		calling, national, ok = dialled(text[signs[1]:], home) // as if the plus were not there
		return calling, national, ok && calling != ""
	}
	return dialled(text, home)
}

// dialled is abroad for a number without a plus: behind the digits that are dialled to leave the country, or behind the
// country's own code.
func dialled(text string, home *plan) (calling, national string, ok bool) {
	rest := digits(text)
	if home == nil || rest == "" {
		return "", "", true
	}
	if after := home.afterIDD(rest); after != rest {
		if len(after) <= 2 {
			return "", "", false
		}
		calling, national = cutCalling(after)
		return calling, national, calling != ""
	}
	if after, found := strings.CutPrefix(rest, home.calling); found {
		after = home.strip(after)
		if !whole(home.general).MatchString(rest) && whole(home.general).MatchString(after) || home.length(rest) == tooLong {
			return home.calling, after, true
		}
	}
	return "", "", true
}

// cutCalling takes the calling code of a country off a number.
func cutCalling(number string) (calling, national string) {
	for n := 1; n <= 3 && n <= len(number) && number[0] != '0'; n++ {
		if plans().main[number[:n]] != nil {
			return number[:n], number[n:]
		}
	}
	return "", ""
}

// digits are the digits of a number, in those of Europe. Where it has three letters or more, letters are the keys they stand
// on: 1-800-FLOWERS.
func digits(text string) string {
	letters := 0
	for _, r := range text {
		if r < unicode.MaxASCII && unicode.IsLetter(r) {
			letters++
		}
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9':
			return r
		case letters >= 3:
			if i := strings.IndexRune("ABCDEFGHIJKLMNOPQRSTUVWXYZ", unicode.ToUpper(r)); i >= 0 && r < unicode.MaxASCII {
				return rune("22233344455566677778889999"[i])
			}
		case unicode.IsDigit(r):
			value := rune(0)
			for unicode.IsDigit(r - value - 1) {
				value++
			}
			return '0' + value%10
		}
		return -1
	}, text)
}

// planned reports whether the plan of the number's region has such a number.
func (n Number) planned() bool {
	all := plans().byCalling[n.calling]
	for _, p := range all {
		switch {
		case len(all) == 1:
			return p.has(n.national)
		case p.leading != "":
			if m := pattern(`^(?:` + p.leading + `)`); m.MatchString(n.national) {
				return p.has(n.national)
			}
		case p.has(n.national):
			return true
		}
	}
	return false
}

// The lengths of numbers in a plan.
const (
	possible = iota
	localOnly
	tooShort
	tooLong
	otherLength
)

// length says what a number's length is to the plan.
func (p *plan) length(number string) int {
	n := len(number)
	switch {
	case slices.Contains(p.localLengths, n):
		return localOnly
	case slices.Contains(p.lengths, n):
		return possible
	case n < p.lengths[0]:
		return tooShort
	case n > p.lengths[len(p.lengths)-1]:
		return tooLong
	}
	return otherLength
}

// afterIDD is what follows the digits that are dialled to leave the country, or the number as it is.
func (p *plan) afterIDD(number string) string {
	if p.idd == "" {
		return number
	}
	at := pattern(p.idd).FindStringIndex(number)
	if at == nil || at[0] != 0 || strings.HasPrefix(number[at[1]:], "0") { // no country's code begins with 0
		return number
	}
	return number[at[1]:]
}

// strip takes the national prefix off a number, such as the 0 of 020, unless only with it the number is one of the plan.
func (p *plan) strip(number string) string {
	if number == "" || p.prefix == "" {
		return number
	}
	m := pattern(`^(?:` + p.prefix + `)`)
	at := m.FindStringSubmatchIndex(number)
	if at == nil {
		return number
	}
	bare := number[at[1]:]
	if p.transform != "" && at[len(at)-2] >= 0 {
		bare = m.ReplaceAllString(number, p.transform)
	}
	if whole(p.general).MatchString(number) && !whole(p.general).MatchString(bare) {
		return number
	}
	return bare
}

// has reports whether a number is of one of the plan's kinds.
func (p *plan) has(number string) bool {
	return p.all.has(number) && slices.ContainsFunc(p.kinds, func(k kind) bool { return k.has(number) })
}

func (k kind) has(number string) bool {
	return (len(k.lengths) == 0 || slices.Contains(k.lengths, len(number))) && whole(k.pattern).MatchString(number)
}

// grouped writes a number in the groups that the plan has for readers from abroad.
func (p *plan) grouped(number string) string {
	for _, f := range p.formats {
		m := whole(f.pattern)
		if !m.MatchString(number) {
			continue
		}
		if at := pattern(f.leading).FindStringIndex(number); f.leading == "" || at != nil && at[0] == 0 {
			return pattern(f.pattern).ReplaceAllString(number, f.format)
		}
	}
	return number
}
