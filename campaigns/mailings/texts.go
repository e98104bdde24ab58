package mailings

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models"
)

// MaxSubjects is how many subjects a mailing can have side by side, in each language.
const MaxSubjects = 4

// Line is a subject with the line that stands beside it in the inbox.
type Line struct {
	Subject   string `json:"subject"`
	Preheader string `json:"preheader,omitempty"`
}

// Text is what a mailing says in one language.
type Text struct {
	Locale string            `json:"locale"`
	Lines  []Line            `json:"lines"` // the first one, and up to three that are tried beside it
	Format models.MailFormat `json:"format,omitempty"`
	Body   string            `json:"body"`            // Markdown with blocks, or sanitized HTML; with merge fields
	Plain  string            `json:"plain,omitempty"` // the text part beside HTML; "" makes it from the HTML
}

// Written is all that a mailing says: what a revision and a template keep.
type Written struct {
	Texts      []Text `json:"texts"` // the first language first
	NamesCause bool   `json:"names_cause,omitempty"`
}

// linesOf reads the subjects of a row; variants is the column.
func linesOf(subject, preheader, variants string) []Line {
	out := []Line{{subject, preheader}}
	if variants == "" {
		return out
	}
	var more []Line
	if json.Unmarshal([]byte(variants), &more) != nil {
		return out // written by this package only
	}
	return append(out, more[:min(len(more), MaxSubjects-1)]...)
}

// variantsOf is the column for all subjects but the first; those that say nothing are left out.
func variantsOf(lines []Line) string {
	var more []Line
	for _, l := range lines[min(1, len(lines)):] {
		if l.Subject != "" || l.Preheader != "" {
			more = append(more, l)
		}
	}
	if len(more) == 0 {
		return ""
	}
	b, _ := json.Marshal(more) // strings only: it cannot fail
	return string(b)
}

// firstText is what the mailing says in its first language.
func firstText(m models.Mailing) Text {
	return Text{Locale: m.Locale, Lines: linesOf(m.Subject, m.Preheader, m.Variants), Format: m.Format, Body: m.Body, Plain: m.Plain}
}

func furtherText(r models.MailingText) Text {
	return Text{Locale: r.Locale, Lines: linesOf(r.Subject, r.Preheader, r.Variants), Format: r.Format, Body: r.Body, Plain: r.Plain}
}

// textsOf reads what a mailing says in all of its languages, the first one first, the others by name.
func textsOf(ctx context.Context, tx *gorm.DB, m models.Mailing) ([]Text, error) {
	var rows []models.MailingText
	err := tx.WithContext(ctx).Where("mailing_id = ?", m.ID).Order("locale").Find(&rows).Error
	out := []Text{firstText(m)}
	for _, r := range rows {
		out = append(out, furtherText(r))
	}
	return out, err
}

// row is the text as a row of a further language.
func (t Text) row(id, mailing uuid.UUID) models.MailingText {
	r := models.MailingText{ID: id, MailingID: mailing, Locale: t.Locale, Format: t.Format, Body: t.Body, Plain: t.Plain, Variants: variantsOf(t.Lines)}
	if len(t.Lines) > 0 {
		r.Subject, r.Preheader = t.Lines[0].Subject, t.Lines[0].Preheader
	}
	return r
}

// put sets the columns of the first language.
func (t Text) put(m *models.Mailing) {
	r := t.row(uuid.Nil, uuid.Nil)
	m.Locale, m.Subject, m.Preheader, m.Variants, m.Format, m.Body, m.Plain = t.Locale, r.Subject, r.Preheader, r.Variants, r.Format, r.Body, r.Plain
}

// textIn is the text in a language, the first one where there is none.
func textIn(texts []Text, locale string) int {
	return max(0, slices.IndexFunc(texts, func(t Text) bool { return t.Locale == locale }))
}

// encode is the content of a revision or template.
func (w Written) encode() string {
	b, _ := json.Marshal(w) // strings only: it cannot fail
	return string(b)
}

func decode(content string) (Written, error) {
	var w Written
	err := json.Unmarshal([]byte(content), &w)
	return w, err
}

// tidyText makes line ends one kind, and drops what is no text.
func tidyText(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

func readable(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
