package forms

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"

	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// The questions that are parts of every record. A custom field's is FieldKey. They are the names of the inputs too.
const (
	GivenName  = "given_name"
	FamilyName = "family_name"
	Phone      = "phone"
	Street     = "street"
	City       = "city"
	Region     = "region"
	PostalCode = "postal_code"
	Country    = "country"
	District   = "district"  // asked where the postal code lies in several
	HowOften   = "frequency" // how often mail for many may come
)

// RecordKeys lists them in the order that forms begin with.
var RecordKeys = []string{GivenName, FamilyName, Phone, Street, City, Region, PostalCode, Country, District, HowOften}

// FieldKey is the question that a custom field answers.
func FieldKey(id uuid.UUID) string { return "f-" + id.String() }

// fieldID is the custom field of a key, uuid.Nil for a part of the record.
func fieldID(key string) uuid.UUID {
	id, err := uuid.Parse(strings.TrimPrefix(key, "f-"))
	if err != nil || FieldKey(id) != key {
		return uuid.Nil
	}
	return id
}

// Question is one question of a form.
type Question struct {
	Key      string `json:"key"`
	Required bool   `json:"required,omitempty"`
}

// QuestionsOf reads the questions of a form.
func QuestionsOf(f models.Form) []Question { return list[Question](f.Questions) }

// AsksOf reads what a form asks consent to.
func AsksOf(f models.Form) []consents.Ask { return list[consents.Ask](f.Consents) }

// TagsOf reads the tags that a form sets.
func TagsOf(f models.Form) []uuid.UUID { return list[uuid.UUID](f.Tags) }

// list reads a JSON list that we wrote; what is none is empty.
func list[T any](s string) []T {
	var out []T
	if json.Unmarshal([]byte(s), &out) != nil {
		return nil
	}
	return out
}

// write is the opposite of list.
func write[T any](v []T) string {
	if len(v) == 0 {
		return "[]"
	}
	b, err := json.Marshal(v)
	if err != nil { // ids, words and yes or no: there is nothing that JSON cannot hold
		panic(err)
	}
	return string(b)
}

// Asked is a question ready to show.
type Asked struct {
	Question
	Field *models.CustomField // nil: a part of the record, whose words are form.q_<key>
}

// Choices are those of a custom field.
func (a Asked) Choices() []string {
	if a.Field == nil || a.Field.Kind != models.FieldChoice {
		return nil
	}
	return slices.Collect(supporters.ChoicesOf(*a.Field))
}

// asked finds the custom fields of questions. One that is archived is not asked any more.
func asked(ctx context.Context, tx *gorm.DB, questions []Question) ([]Asked, error) {
	fields, err := fieldsOf(ctx, tx, questions)
	if err != nil {
		return nil, err
	}
	var out []Asked
	for _, q := range questions {
		a := Asked{Question: q}
		if id := fieldID(q.Key); id != uuid.Nil {
			f, ok := fields[id]
			if !ok {
				continue
			}
			a.Field = &f
		}
		out = append(out, a)
	}
	return out, nil
}

func fieldsOf(ctx context.Context, tx *gorm.DB, questions []Question) (map[uuid.UUID]models.CustomField, error) {
	var ids []uuid.UUID
	for _, q := range questions {
		if id := fieldID(q.Key); id != uuid.Nil {
			ids = append(ids, id)
		}
	}
	out := map[uuid.UUID]models.CustomField{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []models.CustomField
	err := tx.WithContext(ctx).Where("id IN ? AND archived_at IS NULL", ids).Find(&rows).Error
	for _, f := range rows {
		out[f.ID] = f
	}
	return out, err
}

// Max is how long the answer to a question may be, in characters.
func (a Asked) Max() int {
	switch a.Key {
	case GivenName, FamilyName, City:
		return 100
	case Street:
		return 200
	case Region:
		return 60
	case Phone, PostalCode, District, HowOften, Country:
		return 40
	}
	return 2000
}

// check looks at the answers and returns them as they are kept, the empty ones left out.
func check(bad *fault.Fields, questions []Asked, typed map[string]string) map[string]string {
	out := map[string]string{}
	for _, q := range questions {
		v := norm.NFC.String(strings.TrimSpace(typed[q.Key]))
		if q.Field == nil {
			v = strings.Join(strings.Fields(v), " ")
		}
		n := utf8.RuneCountInString(v)
		switch {
		case v == "":
			if q.Required && q.Key != District && q.Key != HowOften {
				bad.Add(q.Key, "error.answer_missing")
			}
			continue
		case n > q.Max():
			bad.Add(q.Key, "error.text_too_long", "Max", q.Max(), "Over", n-q.Max())
		case !utf8.ValidString(v) || strings.ContainsFunc(v, hidden):
			bad.Add(q.Key, "error.text_unreadable")
		}
		if bad.Has(q.Key) {
			continue
		}
		if q.Field != nil {
			kept, err := supporters.FieldText(*q.Field, v)
			if e := asFault(err); e != nil {
				bad.Add(q.Key, e.Key, e.Args...)
			}
			v = kept
		} else {
			v = checkPart(bad, q.Key, v)
		}
		if v != "" {
			out[q.Key] = v
		}
	}
	return out
}

// hidden are control characters but line ends, and marks that turn the direction of everything behind them.
func hidden(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == utf8.RuneError
}

// checkPart checks one part of a record.
func checkPart(bad *fault.Fields, key, v string) string {
	switch key {
	case PostalCode:
		v = strings.ToUpper(v)
		if len(v) < 2 || len(v) > 12 || strings.ContainsFunc(v, func(r rune) bool {
			return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != ' ' && r != '-'
		}) || strings.Trim(v, " -") == "" {
			bad.Add(key, "error.postal_code_invalid")
		}
	case Country:
		v = strings.ToUpper(v)
		if len(v) != 2 || strings.Trim(v, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			bad.Add(key, "error.value_unknown")
		}
	case Phone:
		digits := 0
		for _, r := range v {
			if unicode.IsDigit(r) {
				digits++
			}
		}
		if digits < 5 || digits > 20 {
			bad.Add(key, "error.phone_invalid")
		}
	case District:
		if _, err := uuid.Parse(v); err != nil {
			bad.Add(key, "error.value_unknown")
		}
	case HowOften:
		if !slices.Contains(consents.Frequencies, models.Frequency(v)) {
			bad.Add(key, "error.value_unknown")
		}
	}
	return v
}
