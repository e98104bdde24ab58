package web

import (
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"kithline/campaigns/fault"
	"kithline/campaigns/petitions"
	"kithline/models"
)

// PetitionForm is the whole text of a petition, as the forms of advocates with and without an account have it: the partial
// petition_fields.
type PetitionForm struct {
	Title        string `form:"title,max=80"`
	Summary      string `form:"summary_text,max=300,lines"`
	Body         string `form:"body,max=10000,lines"`
	Decider      string `form:"decider,max=200"`
	WhyNow       string `form:"why_now,max=1000,lines"`
	SystemChange string `form:"system_change,max=1000,lines"`
	Place        string `form:"place,max=100"`
	Goal         int    `form:"goal"`
	Deadline     string `form:"deadline,max=20"`
	Locale       string `form:"locale,max=20"`
	PictureAlt   string `form:"picture_alt,max=300"`
	Revision     int    `form:"revision"`
	HasClaims    bool   `form:"claims"` // the form asks for claims
	Do           string `form:"do,max=20"`

	Claims []petitions.Claim `form:"-"`
}

// BindPetition reads the form, and the draft it makes. A deadline is a day, and holds until that day is over in zone. The form
// comes back whatever is wrong.
func BindPetition(c *fiber.Ctx, zone *time.Location) (PetitionForm, petitions.Draft, error) {
	var f PetitionForm
	err := Bind(c, &f)
	if _, bad := Invalid(err); err != nil && !bad {
		return f, petitions.Draft{}, err
	}
	errs := fieldsOf(err)
	if f.HasClaims {
		var fields []Value
		for i := 1; i <= petitions.ClaimsMax; i++ {
			n := "claim_" + strconv.Itoa(i)
			fields = append(fields, Value{Name: n, Max: petitions.ClaimMax}, Value{Name: n + "_source", Max: petitions.SourceTitleMax}, Value{Name: n + "_url", Max: petitions.SourceURLMax})
		}
		said, bad := BindValues(c, fields)
		f.Claims = []petitions.Claim{}
		for i := 1; i <= petitions.ClaimsMax; i++ {
			n := "claim_" + strconv.Itoa(i)
			f.Claims = append(f.Claims, petitions.Claim{Claim: said[n], SourceTitle: said[n+"_source"], SourceURL: said[n+"_url"]})
		}
		errs = append(errs, fieldsOf(bad)...)
		if len(errs) == 0 { // rows without a word are not there; where something is wrong, every row stays at its place
			f.Claims = slices.DeleteFunc(f.Claims, func(c petitions.Claim) bool { return c == petitions.Claim{} })
		}
	}
	d := petitions.Draft{
		Title: f.Title, Summary: f.Summary, Body: f.Body, Decider: f.Decider, WhyNow: f.WhyNow, SystemChange: f.SystemChange,
		Place: f.Place, Goal: f.Goal, Locale: f.Locale, PictureAlt: f.PictureAlt, Claims: f.Claims,
	}
	if f.Deadline != "" {
		day, err := time.ParseInLocation(time.DateOnly, f.Deadline, zone)
		if err != nil || day.Year() < 2000 || day.Year() > 2200 {
			errs.Add("deadline", "error.petition_deadline")
		} else {
			last := time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, zone).Add(-time.Second)
			d.DeadlineAt = &last
		}
	}
	return f, d, errs.Err()
}

func fieldsOf(err error) fault.Fields {
	if e, ok := Invalid(err); ok {
		if len(e.Fields) == 0 {
			return fault.Fields{{Key: e.Key, Args: e.Args}}
		}
		return slices.Clone(e.Fields)
	}
	return nil
}

// PetitionFormOf is a stored petition as the form shows it.
func PetitionFormOf(p models.Petition, claims []petitions.Claim, zone *time.Location) PetitionForm {
	f := PetitionForm{
		Title: p.Title, Summary: p.Summary, Body: p.Body, Decider: p.Decider, WhyNow: p.WhyNow, SystemChange: p.SystemChange,
		Place: p.Place, Goal: p.Goal, Locale: p.Locale, PictureAlt: p.PictureAlt, Revision: p.Revision, Claims: claims,
	}
	if p.DeadlineAt != nil {
		f.Deadline = p.DeadlineAt.In(zone).Format(time.DateOnly)
	}
	return f
}

// PetitionFields is what the partial petition_fields needs beside the page. Pages embed it.
type PetitionFields struct {
	Form    PetitionForm
	Goal    string
	Locales []Option
	// HasPicture says that there is a picture, whose words the form asks for.
	HasPicture bool
}

// Fill puts values into the form.
func (f *PetitionFields) Fill(p Page, form PetitionForm) {
	f.Form, f.Goal = form, ""
	if form.Goal != 0 {
		f.Goal = p.Digits(int64(form.Goal))
	}
	f.Locales = p.LanguageOptions()
	if !slices.ContainsFunc(f.Locales, func(o Option) bool { return o.Value == form.Locale }) && form.Locale != "" {
		f.Locales = append(f.Locales, Option{Value: form.Locale, Label: LanguageName(form.Locale)})
	}
}

// ClaimRow is one row of the form for claims.
type ClaimRow struct {
	petitions.Claim
	N    int
	Name string
}

// ClaimRows are the claims, with an empty row for one more.
func (f PetitionFields) ClaimRows() []ClaimRow {
	claims := f.Form.Claims
	for len(claims) > 0 && claims[len(claims)-1] == (petitions.Claim{}) {
		claims = claims[:len(claims)-1]
	}
	var out []ClaimRow
	for i := range min(len(claims)+1, petitions.ClaimsMax) {
		r := ClaimRow{N: i + 1, Name: "claim_" + strconv.Itoa(i+1)}
		if i < len(claims) {
			r.Claim = claims[i]
		}
		out = append(out, r)
	}
	return out
}

// LanguageName is a language in its own words.
func LanguageName(locale string) string {
	if n := languageNames[locale]; n != "" {
		return n
	}
	if t, err := language.Parse(locale); err == nil {
		if n := display.Self.Name(t); n != "" {
			return n
		}
	}
	return locale
}

// EmptyPetition reports whether nothing was typed into the form.
func EmptyPetition(f PetitionForm) bool {
	f.Claims, f.Revision = nil, 0
	return reflect.DeepEqual(f, PetitionForm{})
}

// TextForm is a version of a petition in a further language: the partial petition_text_form.
type TextForm struct {
	Title        string `form:"title,max=80"`
	Summary      string `form:"summary_text,max=300,lines"`
	Body         string `form:"body,max=10000,lines"`
	Decider      string `form:"decider,max=200"`
	WhyNow       string `form:"why_now,max=1000,lines"`
	SystemChange string `form:"system_change,max=1000,lines"`
	Revision     int    `form:"revision"`
	Do           string `form:"do,max=20"`
	Locale       string `form:"-"`
}

// Text is what the form says.
func (f TextForm) Text() petitions.Text {
	return petitions.Text{Locale: f.Locale, Title: f.Title, Summary: f.Summary, Body: f.Body, Decider: f.Decider, WhyNow: f.WhyNow, SystemChange: f.SystemChange}
}

// TextFormOf is the version of a petition in a language, empty where there is none yet. The fault is NotFound for a language that
// is not offered.
func TextFormOf(p models.Petition, texts []petitions.Text, locale string) (f TextForm, there bool, err error) {
	if locale == p.Locale || !slices.Contains(petitions.TextLocales, locale) {
		return f, false, fault.New(fault.NotFound, "error.not_found")
	}
	f.Locale, f.Revision = locale, p.Revision
	for _, t := range texts {
		if t.Locale == locale {
			there = true
			f.Title, f.Summary, f.Body, f.Decider, f.WhyNow, f.SystemChange = t.Title, t.Summary, t.Body, t.Decider, t.WhyNow, t.SystemChange
		}
	}
	return f, there, nil
}

// MoreLanguages lists the languages that a petition has no version in yet.
func MoreLanguages(p Page, row models.Petition, texts []petitions.Text) []Option {
	out := []Option{{Value: "", Label: p.T("form.choose")}}
	for _, l := range petitions.TextLocales {
		if l != row.Locale && !slices.ContainsFunc(texts, func(t petitions.Text) bool { return t.Locale == l }) {
			out = append(out, Option{Value: l, Label: LanguageName(l)})
		}
	}
	return out
}
