package views

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"

	"kithline/app/static"
)

var funcs = template.FuncMap{
	"asset": static.URL, "field": field, "options": options, "choices": choices, "selectbox": selectbox, "check": check,
	"effort": effort, "effort_of": effortOf, "steps": steps, "progress": newProgress, "pager": pager, "link": link, "notice": notice,
	"hbar": hbar, "list": func(v ...any) []any { return v }, "join": strings.Join,
	"lines": func(s string) []string { return strings.Split(s, "\n") }, "codes": func(s string) []string { return strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) },
	"copybutton": copyButton, "add": func(a, b int) int { return a + b },
}

// Effort says what an action costs. Energy is from 1 to 5. Needs are translated words: demands first, place last.
type Effort struct {
	Label, Time, Energy string
	Level               int
	Needs               string
}

// effort w minutes energy needKey... for the template "effort".
func effort(w Words, minutes, energy int, needs ...string) (Effort, error) {
	if energy < 1 || energy > 5 {
		return Effort{}, fmt.Errorf("effort: energy is from 1 to 5, not %d", energy)
	}
	e := Effort{Level: energy}
	var words []string
	for _, k := range needs {
		words = append(words, w.T(k))
	}
	e.Needs = strings.Join(words, ", ")
	e.Label, e.Time, e.Energy = w.T("base.effort"), w.T("base.effort_minutes", "Count", minutes), w.T("base.effort_energy", "Level", energy)
	return e, nil
}

// effortOf is effort with the demands as an action keeps them: the words behind "effort.".
func effortOf(w Words, minutes, energy int, demands []string) (Effort, error) {
	keys := make([]string, len(demands))
	for i, d := range demands {
		keys[i] = "effort." + d
	}
	return effort(w, minutes, energy, keys...)
}

// Step is one part of a form of several pages.
type Step struct {
	Label         string
	Done, Current bool
}

// Steps is where in a form of several pages the reader is.
type Steps struct {
	Label, DoneWord string
	Steps           []Step
}

// steps w current labelKey... for the template "steps"; current counts from 1.
func steps(w Words, current int, keys ...string) Steps {
	out := Steps{Label: w.T("base.steps"), DoneWord: w.T("base.step_done")}
	for i, k := range keys {
		out.Steps = append(out.Steps, Step{Label: w.T(k), Done: i+1 < current, Current: i+1 == current})
	}
	return out
}

// Progress is a line with how far something is.
type Progress struct {
	Value, Max int
	Label      string
}

// newProgress value max label: label is translated words, such as "Signatures: 3,184 of 5,000".
func newProgress(value, maximum any, label string) (Progress, error) {
	v, err := whole(value)
	if err != nil {
		return Progress{}, err
	}
	m, err := whole(maximum)
	return Progress{Value: int(min(v, max(m, 1))), Max: int(max(m, 1)), Label: label}, err
}

func whole(v any) (int64, error) {
	switch n := v.(type) {
	case int:
		return int64(n), nil
	case int32:
		return int64(n), nil
	case int64:
		return n, nil
	}
	return 0, fmt.Errorf("%v is not a whole number", v)
}

// Link is a link with its words.
type Link struct{ URL, Label string }

// link url words: for partials that take a Link.
func link(address, label string) Link { return Link{URL: address, Label: label} }

// Pager is the way to the pages before and after. An empty URL is not shown.
type Pager struct {
	Label       string
	First, Next Link
	Text        string
}

// Addresses is what pager needs of a page.
type Addresses interface {
	Words
	With(pairs ...any) string // the page's own address with query values changed
	Query(name string) string
}

// pager w next [text]: next is paging.Page.Next. For the template "pager".
func pager(w Addresses, next string, text ...string) Pager {
	p := Pager{Label: w.T("base.pages"), Text: strings.Join(text, " ")}
	if w.Query("after") != "" {
		p.First = Link{w.With("after", ""), w.T("base.first_page")}
	}
	if next != "" {
		p.Next = Link{w.With("after", next), w.T("base.next_page")}
	}
	return p
}

// Notice is a box with a message. Kind is "", good, warn or bad.
type Notice struct{ Kind, Title, Text string }

func notice(kind, title, text string) Notice { return Notice{kind, title, text} }

// CopyButton copies what the element From holds.
type CopyButton struct{ From, Label, Done string }

// copybutton w elementID labelKey: for the template "copy".
func copyButton(w Words, from, labelKey string) CopyButton {
	return CopyButton{from, w.T(labelKey), w.T("base.copied")}
}

// Query is a helper for handlers: path with query values, name, value pairs; empty values are left out.
func Query(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
