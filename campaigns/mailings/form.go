package mailings

import (
	"slices"

	"kithline/mailer"
)

// form is a compiled mailing as the mailer encodes it: once for all copies. Its values are those of fields, each with its fallback.
type form struct {
	mailer.Form
	fields []span
}

// newForm makes it with the subject in a place; web is the address of the mailing's copy on the site.
func newForm(c *compiled, variant int, lang, listID, web string) *form {
	f := &form{Form: mailer.Form{Lang: lang, ListID: listID, WebURL: web}}
	f.Subject, f.Preheader = f.pieces(c.lines[variant].subject), f.pieces(c.lines[variant].preheader)
	f.Text, f.HTML = f.pieces(c.text), f.pieces(c.html)
	return f
}

func (f *form) pieces(spans []span) []mailer.Piece {
	out := make([]mailer.Piece, len(spans))
	for i, s := range spans {
		if s.field == "" {
			out[i].Text = s.text
			continue
		}
		at := slices.Index(f.fields, s)
		if at < 0 {
			at, f.fields = len(f.fields), append(f.fields, s)
		}
		out[i].Value = at + 1
	}
	return out
}

// values are those of one person.
func (f *form) values(v values) []string {
	out := make([]string, len(f.fields))
	for i, s := range f.fields {
		if out[i] = v[s.field]; out[i] == "" {
			out[i] = s.fallback
		}
	}
	return out
}

// titled is the form under another subject.
func (f *form) titled(subject string) *mailer.Form {
	t := f.Form
	t.Subject = []mailer.Piece{{Text: subject}}
	return &t
}
