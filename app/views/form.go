package views

import (
	"fmt"
	"html"
	"html/template"
	"slices"
	"strings"
	"time"
)

// Words is what the helpers need of a page: web.Page has it.
type Words interface {
	T(key string, args ...any) string
	Error(name string) string // the translated error of a field, or ""
}

// Field is one labelled input or textarea. Made by `field`.
type Field struct {
	ID, Name, Label, Hint, Error, Value string
	Type, Class                         string // Type is text where nothing is said
	Rows                                int    // a textarea where above 0
	Optional, Required, LabelHidden     bool
	Attrs                               template.HTMLAttr // the rest, escaped
	Describedby                         string
	OptionalWord, ErrorWord             string // translated
}

// Choices is a group of radio buttons, checkboxes or chips, or a select. Made by `choices` and `selectbox`.
type Choices struct {
	Field
	Options []Option
}

// Option is one of Choices. Label is shown as it is: translate it before.
type Option struct {
	Value, Label, Hint string
	Group              string // of a select: options of one group stand together
	Checked            bool
	ID, Name, Type     string // set by `choices`
	Attrs              template.HTMLAttr
}

// attributes that `field` passes on as they are; data-, hx- and aria- too.
var attributes = []string{
	"autocomplete", "inputmode", "autocapitalize", "spellcheck", "min", "max", "step", "maxlength", "accept", "multiple",
	"list", "dir", "lang", "readonly", "form", "placeholder", "enterkeyhint", "pattern", "size", "autofocus",
}

// newField reads the options of field, choices, selectbox and check: name, value pairs.
//
//	"hint" key · "hint_text" words · "hint_args" is not there: translate with .T and use hint_text
//	"label_text" words instead of the label's key · "label_hidden" true
//	"type" · "class" (short, code) · "rows" · "id" · "optional" true · "required" false
//	any of attributes, data-*, hx-*, aria-*
func newField(w Words, name, labelKey string, value any, opts []any) (Field, error) {
	f := Field{ID: name, Name: name, Type: "text", Required: true, Error: w.Error(name)}
	if len(opts)%2 != 0 {
		return f, fmt.Errorf("field %q: options come in pairs of name and value", name)
	}
	f.OptionalWord, f.ErrorWord = w.T("base.optional"), w.T("base.error_prefix")
	if labelKey != "" {
		f.Label = w.T(labelKey)
	}
	f.Value = text(value)
	var attrs strings.Builder
	for i := 0; i < len(opts); i += 2 {
		o, ok := opts[i].(string)
		if !ok {
			return f, fmt.Errorf("field %q: the name of an option is a string, not %v", name, opts[i])
		}
		v := opts[i+1]
		switch o {
		case "hint":
			f.Hint = w.T(text(v))
		case "hint_text":
			f.Hint = text(v)
		case "label_text":
			f.Label = text(v)
		case "label_hidden":
			f.LabelHidden = v == true
		case "type":
			f.Type = text(v)
		case "class":
			f.Class = text(v)
		case "rows":
			n, ok := v.(int)
			if !ok {
				return f, fmt.Errorf("field %q: rows is a number", name)
			}
			f.Rows = n
		case "id":
			f.ID = text(v)
		case "optional":
			f.Optional = v == true
		case "required":
			f.Required = v == true
		default:
			if !slices.Contains(attributes, o) && !strings.HasPrefix(o, "data-") && !strings.HasPrefix(o, "hx-") &&
				!strings.HasPrefix(o, "aria-") {
				return f, fmt.Errorf("field %q: no option %q", name, o)
			}
			if strings.ContainsAny(o, "\"'<>=/ \t\n") {
				return f, fmt.Errorf("field %q: %q is not the name of an attribute", name, o)
			}
			if b, ok := v.(bool); ok && !strings.HasPrefix(o, "aria-") {
				if b {
					attrs.WriteString(" " + o)
				}
				continue
			}
			attrs.WriteString(" " + o + `="` + html.EscapeString(text(v)) + `"`)
		}
	}
	if f.Label == "" {
		return f, fmt.Errorf("field %q: it has no label", name)
	}
	f.Attrs = template.HTMLAttr(strings.TrimSpace(attrs.String())) //nolint:gosec // names are checked, values escaped
	f.Required = f.Required && !f.Optional
	f.Describedby = describedby(f.ID, f.Hint, f.Error)
	return f, nil
}

func describedby(id, hint, err string) string {
	var d []string
	if hint != "" {
		d = append(d, id+"-hint")
	}
	if err != "" {
		d = append(d, id+"-error")
	}
	return strings.Join(d, " ")
}

// text is how a value of a form stands in a field.
func text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case time.Time:
		if x.IsZero() {
			return ""
		}
		return x.Format("2006-01-02")
	}
	return fmt.Sprint(v)
}

// field w name labelKey value options... makes an input, or a textarea where "rows" is given.
func field(w Words, name, labelKey string, value any, opts ...any) (Field, error) {
	return newField(w, name, labelKey, value, opts)
}

// options w value labelKey value labelKey ... makes the options of a group from locale keys. Where labels are not keys
// (names of things), a handler makes []views.Option itself.
func options(w Words, pairs ...string) ([]Option, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("options: they come in pairs of value and label key")
	}
	var out []Option
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, Option{Value: pairs[i], Label: w.T(pairs[i+1])})
	}
	return out, nil
}

// choices w name labelKey chosen options opts... makes a fieldset of radio buttons where chosen is a string, of checkboxes
// where it is a []string. For the templates "choices" and "chips".
func choices(w Words, name, labelKey string, chosen any, opts []Option, more ...any) (Choices, error) {
	f, err := newField(w, name, labelKey, "", more)
	c := Choices{Field: f}
	typ, on := "radio", []string{text(chosen)}
	if several, ok := chosen.([]string); ok {
		typ, on = "checkbox", several
	}
	for i, o := range opts {
		o.Name, o.Type, o.ID = name, typ, f.ID+"-"+o.Value
		if i == 0 {
			o.ID = f.ID // where the error summary's link leads
		}
		o.Checked = o.Checked || slices.Contains(on, o.Value)
		c.Options = append(c.Options, o)
	}
	return c, err
}

// selectbox w name labelKey chosen options opts... makes a select. For the template "select".
func selectbox(w Words, name, labelKey string, chosen any, opts []Option, more ...any) (Choices, error) {
	f, err := newField(w, name, labelKey, chosen, more)
	c := Choices{Field: f}
	on, many := chosen.([]string)
	for _, o := range opts {
		o.Checked = o.Checked || (many && slices.Contains(on, o.Value)) || (!many && o.Value == f.Value)
		c.Options = append(c.Options, o)
	}
	return c, err
}

// check w name labelKey on opts... makes one checkbox whose value is "yes". For the template "choice" or "chip".
func check(w Words, name, labelKey string, on bool, opts ...any) (Choices, error) {
	f, err := newField(w, name, labelKey, "", append([]any{"required", false}, opts...))
	return Choices{Field: f, Options: []Option{{
		Value: "yes", Label: f.Label, Hint: f.Hint, Checked: on, ID: f.ID, Name: name, Type: "checkbox", Attrs: f.Attrs,
	}}}, err
}
