package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

var months = map[string][12]string{
	"en": {
		"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
		"December",
	},
	"es": {
		"enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre",
		"diciembre",
	},
}

var weekdays = map[string][7]string{
	"en": {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"},
	"es": {"domingo", "lunes", "martes", "miércoles", "jueves", "viernes", "sábado"},
}

// Date writes a day in words: "16 March 2027", "16 de marzo de 2027". Empty for the zero time.
func Date(lang string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if lang == "es" {
		return fmt.Sprintf("%d de %s de %d", t.Day(), months["es"][t.Month()-1], t.Year())
	}
	return fmt.Sprintf("%d %s %d", t.Day(), months["en"][t.Month()-1], t.Year())
}

// Weekday is Date with the day of the week before it, in the zone of t: "Tuesday 16 March 2027".
func Weekday(lang string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	if lang == "es" {
		return weekdays["es"][t.Weekday()] + ", " + Date(lang, t)
	}
	return weekdays["en"][t.Weekday()] + " " + Date(lang, t)
}

// DateTime writes a day and a time on the 24-hour clock.
func DateTime(lang string, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return Date(lang, t) + ", " + t.Format("15:04")
}

// Number writes a whole number: "12,345" in English, "12 345" with a hard space in Spanish, where four digits stand
// together (the Academy's spelling, read alike in every Spanish-speaking country).
func Number(lang string, n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	sep := ","
	if lang == "es" {
		if len(s) < 5 {
			return sign + s
		}
		sep = "\u00a0"
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + sep + s[i:]
	}
	return sign + s
}

// shortDay is a day without its year, for where there is little room: "5 Feb", "5 feb".
func shortDay(lang string, t time.Time) string {
	names, ok := months[lang]
	if !ok {
		names = months["en"]
	}
	return fmt.Sprintf("%d %s", t.Day(), names[t.Month()-1][:3])
}

func (p Page) zone(t time.Time) time.Time {
	if p.Site.Zone == nil {
		return t.UTC()
	}
	return t.In(p.Site.Zone)
}

// when accepts a time or a pointer to one, as rows have both.
func when(v any) time.Time {
	switch t := v.(type) {
	case time.Time:
		return t
	case *time.Time:
		if t != nil {
			return *t
		}
	}
	return time.Time{}
}

// Date writes a time.Time or *time.Time as a day of the organisation's zone; "" for none.
func (p Page) Date(t any) string { return stamp(p, t, Date) }

// Weekday is Date with the day of the week before it: "Tuesday 16 March 2027".
func (p Page) Weekday(t any) string { return stamp(p, t, Weekday) }

// DateTime writes day and time of the organisation's zone.
func (p Page) DateTime(t any) string { return stamp(p, t, DateTime) }

// Time writes the time of day: "10:42".
func (p Page) Time(t any) string {
	return stamp(p, t, func(_ string, t time.Time) string { return t.Format("15:04") })
}

// ISO writes a time for <time datetime="">.
func (p Page) ISO(t any) string {
	return stamp(p, t, func(_ string, t time.Time) string { return t.UTC().Format(time.RFC3339) })
}

func stamp(p Page, v any, f func(string, time.Time) string) string {
	t := when(v)
	if t.IsZero() {
		return ""
	}
	return f(p.Lang, p.zone(t))
}

// Ago says how long something is past: "20 minutes ago"; the day where it is more than a week.
func (p Page) Ago(v any) string {
	t := when(v)
	if t.IsZero() {
		return ""
	}
	d := p.web.opt.Clock.Now().Sub(t)
	switch {
	case d < time.Minute:
		return p.T("base.ago_now")
	case d < time.Hour:
		return p.T("base.ago_minutes", "Count", int(d/time.Minute))
	case d < 24*time.Hour:
		return p.T("base.ago_hours", "Count", int(d/time.Hour))
	case d < 7*24*time.Hour:
		return p.T("base.ago_days", "Count", int(d/(24*time.Hour)))
	}
	return p.Date(t)
}

// Number writes a whole number in the reader's way.
func (p Page) Number(v any) string {
	if n, ok := wholeNumber(v); ok {
		return Number(p.Lang, n)
	}
	return formText(v)
}

// Digits is Number for charts: Bars{Format: p.Digits}.
func (p Page) Digits(n int64) string { return Number(p.Lang, n) }

// Size writes a number of bytes: "6 KB".
func (p Page) Size(v any) string {
	n, _ := wholeNumber(v)
	switch {
	case n < 1000:
		return p.Number(n) + " B"
	case n < 1000*1000:
		return p.Number((n+500)/1000) + " KB"
	}
	return p.Number((n+500_000)/1_000_000) + " MB"
}

// Percent writes a share of a whole: "64 %". 0 where the whole is 0.
func (p Page) Percent(part, whole any) string {
	a, _ := wholeNumber(part)
	b, _ := wholeNumber(whole)
	if b <= 0 {
		return "0\u00a0%"
	}
	return strconv.FormatInt(a*100/b, 10) + "\u00a0%"
}

func wholeNumber(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int16:
		return int64(n), true
	case int32:
		return int64(n), true
	case int64:
		return n, true
	case uint32:
		return int64(n), true
	}
	return 0, false
}

func formText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	if v == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprint(v))
}
