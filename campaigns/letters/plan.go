package letters

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Limits of what a letter campaign says, in characters, and of its numbers.
const (
	TitleMax       = 80
	SummaryMax     = 300
	BodyMax        = 10_000
	AskMax         = 300
	BillMax        = 40
	PlanSubjectMax = 120
	PromptMax      = 300
	OpeningMax     = 600
	ClosingMax     = 60
	PointMax       = 400
	GroupMax       = 80
	SourceMax      = 200
	ReasonMax      = 2000
	OwnWordsMost   = 300 // that a campaign may ask for
	LettersMost    = 1_000_000
	RecipientsMax  = 20
	HourlyMost     = 1000
	MinutesMost    = 120
	TargetsMost    = 12
	PointsMost     = 40 // in each language
)

// HourlyDefault is how many letters an office gets in any 60 minutes where nothing else is said.
const HourlyDefault = 20

// Demands are what writing a letter may ask of somebody, as the effort label shows it: the locale keys are "effort." and the word.
var Demands = []string{"typing", "speaking", "screen", "home"}

// Stances are what a letter campaign may want of a bill, in the order of the form.
var Stances = []models.Stance{models.StanceSupport, models.StanceOppose, models.StanceThank, models.StanceOther}

// Said is what a letter campaign says in one language. All but Body, Opening are of one line or few.
type Said struct {
	Title, Summary, Body                           string
	Ask, Subject, Prompt, Opening, Closing, Locale string
}

// Plan is a letter campaign as it is written.
type Plan struct {
	Said
	Bill          string
	Position      models.Stance
	MinOwnWords   int
	OpensAt       *time.Time
	ClosesAt      *time.Time
	MaxLetters    int
	MaxRecipients int
	HourlyCap     int
	Digest        bool
	AskAnswers    bool
	Positions     bool
	Minutes       int // 0 while it is not known, as Energy
	Energy        int
	Demands       []string
}

func (w *Said) trim() {
	for _, s := range []*string{&w.Title, &w.Summary, &w.Body, &w.Ask, &w.Subject, &w.Prompt, &w.Opening, &w.Closing, &w.Locale} {
		*s = strings.TrimSpace(strings.ReplaceAll(*s, "\r\n", "\n"))
	}
}

// trim brings what was typed to the form that is stored.
func (d *Plan) trim() {
	d.Said.trim()
	d.Bill = strings.TrimSpace(d.Bill)
	for _, t := range []**time.Time{&d.OpensAt, &d.ClosesAt} {
		if *t != nil {
			at := clock.Trim(**t)
			*t = &at
		}
	}
	var known []string
	for _, k := range Demands {
		if slices.Contains(d.Demands, k) {
			known = append(known, k)
		}
	}
	d.Demands = known
}

var planLocale = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`)

// check notes what can never be stored, in the order of the form.
func (w Said) check() fault.Fields {
	var bad fault.Fields
	planLine(&bad, "title", w.Title, TitleMax)
	planText(&bad, "summary_text", w.Summary, SummaryMax)
	planText(&bad, "body", w.Body, BodyMax)
	planLine(&bad, "ask", w.Ask, AskMax)
	planLine(&bad, "subject", w.Subject, PlanSubjectMax)
	planLine(&bad, "prompt", w.Prompt, PromptMax)
	planText(&bad, "opening", w.Opening, OpeningMax)
	planLine(&bad, "closing", w.Closing, ClosingMax)
	return bad
}

// missing notes what is not there and must be before letters are written.
func (w Said) missing() fault.Fields {
	var bad fault.Fields
	for _, f := range []struct{ name, value string }{{"title", w.Title}, {"summary_text", w.Summary}, {"ask", w.Ask}, {"subject", w.Subject}, {"closing", w.Closing}} {
		if f.value == "" {
			bad.Add(f.name, "error.letters_"+f.name+"_missing")
		}
	}
	return bad
}

// check notes what can never be stored, in the order of the form.
func (d Plan) check() fault.Fields {
	bad := d.Said.check()
	planLine(&bad, "bill", d.Bill, BillMax)
	if !slices.Contains(Stances, d.Position) {
		bad.Add("position", "error.value_unknown")
	}
	if !planLocale.MatchString(d.Locale) {
		bad.Add("locale", "error.value_unknown")
	}
	planNumber(&bad, "min_own_words", d.MinOwnWords, 0, OwnWordsMost)
	planNumber(&bad, "minutes", d.Minutes, 0, MinutesMost)
	planNumber(&bad, "energy", d.Energy, 0, 5)
	planNumber(&bad, "max_letters", d.MaxLetters, 0, LettersMost)
	planNumber(&bad, "max_recipients", d.MaxRecipients, 0, RecipientsMax)
	planNumber(&bad, "hourly_cap", d.HourlyCap, 1, HourlyMost)
	if d.OpensAt != nil && d.ClosesAt != nil && !d.ClosesAt.After(*d.OpensAt) {
		bad.Add("closes", "error.letters_window")
	}
	return bad
}

// planNumber checks that a whole number is within bounds.
func planNumber(bad *fault.Fields, name string, n, least, most int) {
	if n < least || n > most {
		bad.Add(name, "error.letters_number", "Least", least, "Most", most)
	}
}

// planLine checks a text of one line. What is in a letter's head must hold no line end.
func planLine(bad *fault.Fields, name, v string, most int) {
	if strings.ContainsFunc(v, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }) && utf8.ValidString(v) {
		bad.Add(name, "error.text_unreadable")
		return
	}
	planText(bad, name, v, most)
}

// planText checks a text of several lines.
func planText(bad *fault.Fields, name, v string, most int) {
	n := utf8.RuneCountInString(v)
	switch {
	case !utf8.ValidString(v), strings.ContainsFunc(v, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		bad.Add(name, "error.text_unreadable")
	case n > most:
		bad.Add(name, "error.text_too_long", "Max", most, "Over", n-most)
	}
}

// planSource checks the source of a claim: a page that is reached safely.
func planSource(bad *fault.Fields, titleName, urlName, title, address string) {
	planLine(bad, titleName, title, SourceMax)
	if address == "" {
		return
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(address) > 500 || strings.ContainsAny(address, " \n\r\t<>\"") {
		bad.Add(urlName, "error.letters_url")
	}
}

// PlanOf is what a letter campaign says in its own language.
func PlanOf(c models.LetterCampaign) Plan {
	d := Plan{
		Said: Said{c.Title, c.Summary, c.Body, c.Ask, c.Subject, c.Prompt, c.Opening, c.Closing, c.Locale},
		Bill: c.Bill, Position: c.Position, MinOwnWords: c.MinOwnWords, OpensAt: c.OpensAt, ClosesAt: c.ClosesAt, MaxLetters: c.MaxLetters,
		MaxRecipients: c.MaxRecipients, HourlyCap: c.HourlyCap, Digest: c.Digest, AskAnswers: c.AskAnswers, Positions: c.Positions, Minutes: c.Minutes, Energy: c.Energy,
	}
	if c.Demands != "" {
		d.Demands = strings.Split(c.Demands, ",")
	}
	return d
}

// columns are what a draft sets in its row.
func (d Plan) columns() map[string]any {
	return map[string]any{
		"title": d.Title, "summary": d.Summary, "body": d.Body, "ask": d.Ask, "subject": d.Subject, "prompt": d.Prompt, "opening": d.Opening, "closing": d.Closing,
		"locale": d.Locale, "bill": d.Bill, "position": d.Position, "min_own_words": d.MinOwnWords, "opens_at": d.OpensAt, "closes_at": d.ClosesAt, "max_letters": d.MaxLetters,
		"max_recipients": d.MaxRecipients, "hourly_cap": d.HourlyCap, "digest": d.Digest, "ask_answers": d.AskAnswers, "positions": d.Positions, "minutes": d.Minutes,
		"energy": d.Energy, "demands": strings.Join(d.Demands, ","),
	}
}

// row is a new letter campaign that says the draft.
func (d Plan) row() models.LetterCampaign {
	return models.LetterCampaign{
		Title: d.Title, Summary: d.Summary, Body: d.Body, Ask: d.Ask, Subject: d.Subject, Prompt: d.Prompt, Opening: d.Opening, Closing: d.Closing, Locale: d.Locale,
		Bill: d.Bill, Position: d.Position, MinOwnWords: d.MinOwnWords, OpensAt: d.OpensAt, ClosesAt: d.ClosesAt, MaxLetters: d.MaxLetters, MaxRecipients: d.MaxRecipients,
		HourlyCap: d.HourlyCap, Digest: d.Digest, AskAnswers: d.AskAnswers, Positions: d.Positions, Minutes: d.Minutes, Energy: d.Energy, Demands: strings.Join(d.Demands, ","),
	}
}
