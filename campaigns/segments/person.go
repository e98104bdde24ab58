package segments

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/postal"
	"kithline/models"
)

// builtin are the kinds of this package.
func builtin() []Kind {
	return []Kind{
		// What the record says.
		{Name: "tag", Topic: "person", Fields: []Field{{Name: "tag", Type: Choice, Choices: tagChoices}}, Compile: func(_ *Compiler, v Values) (Part, error) {
			return byID(v["tag"], "SELECT g.supporter_id FROM taggings g WHERE g.tag_id = ?")
		}},
		{Name: "field", Topic: "person", Variants: fieldVariants, Vary: varyField, Compile: compileField, Say: func(v Values) string { return "_" + v["op"] }},
		{Name: "phone", Topic: "person", Compile: func(*Compiler, Values) (Part, error) {
			return Part{Set: "SELECT g.supporter_id FROM phones g"}, nil
		}},
		{Name: "language", Topic: "person", Fields: []Field{{Name: "language", Type: Text}}, Compile: func(_ *Compiler, v Values) (Part, error) {
			l := v["language"]
			return Part{Row: "{p}.locale = ? OR substr({p}.locale, 1, ?) = ?", Args: []any{l, utf8.RuneCountInString(l) + 1, l + "-"}}, nil
		}},
		{Name: "source", Topic: "person", Fields: []Field{{Name: "source", Type: Text}}, Compile: func(_ *Compiler, v Values) (Part, error) {
			return Part{Row: "{p}.source = ?", Args: []any{v["source"]}}, nil
		}},
		{Name: "joined", Topic: "person", Fields: []Field{{Name: whenField, Type: When}}, Compile: func(c *Compiler, v Values) (Part, error) {
			w, args := c.Window(v, "{p}.created_at")
			return Part{Row: "1 = 1" + w, Args: args}, nil
		}},

		// Where the person lives.
		{Name: "chapter", Topic: "place", Fields: []Field{{Name: "chapter", Type: Choice, Choices: chapterChoices}}, Compile: func(_ *Compiler, v Values) (Part, error) {
			if v["chapter"] == noChapter {
				return Part{Row: "{p}.chapter_id IS NULL"}, nil
			}
			id, err := uuid.Parse(v["chapter"])
			if err != nil {
				return nobody, nil
			}
			return Part{Set: ofChapter, Args: []any{id}}, nil
		}},
		{Name: "division", Topic: "place", Fields: []Field{{Name: "division", Type: Search, Choices: divisionChoices}}, Compile: func(_ *Compiler, v Values) (Part, error) {
			return Part{
				Set:  "SELECT g.supporter_id FROM supporter_divisions g WHERE g.division_id IN (SELECT id FROM divisions WHERE ocd_id = ?)",
				Args: []any{v["division"]},
			}, nil
		}},
		{Name: "postal", Topic: "place", Fields: []Field{{Name: "begins", Type: Text}, {Name: "country", Type: Text, Optional: true}}, Say: without("country", "_any"), Compile: func(_ *Compiler, v Values) (Part, error) {
			begins := postal.Area("", v["begins"])
			p := Part{Row: "{p}.postal_area <> '' AND substr({p}.postal_area, 1, ?) = ?", Args: []any{utf8.RuneCountInString(begins), begins}}
			if c := strings.ToUpper(v["country"]); c != "" {
				p.Row, p.Args = p.Row+" AND {p}.country = ?", append(p.Args, c)
			}
			return p, nil
		}},
		{Name: "country", Topic: "place", Fields: []Field{{Name: "country", Type: Text}}, Compile: func(_ *Compiler, v Values) (Part, error) {
			return Part{Row: "{p}.country = ?", Args: []any{strings.ToUpper(v["country"])}}, nil
		}},

		// What the person did.
		{Name: "signed", Topic: "did", Fields: []Field{
			{Name: "petition", Type: Choice, Optional: true, Empty: "segments.any_petition", Choices: petitionChoices}, {Name: whenField, Type: When},
		}, Say: without("petition", "_any"), Compile: func(c *Compiler, v Values) (Part, error) {
			return c.boxes("signatures g", "g.state = 'confirmed'", "g.confirmed_at", "g.petition_id = ?", "petition", v)
		}},
		{Name: "campaign", Topic: "did", Fields: []Field{
			{Name: "campaign", Type: Choice, Choices: campaignChoices}, {Name: whenField, Type: When},
		}, Compile: func(c *Compiler, v Values) (Part, error) {
			id, err := uuid.Parse(v["campaign"])
			if err != nil {
				return nobody, nil
			}
			// Their ids, so that the database knows how many signatures to expect.
			var petitions []uuid.UUID
			if err := c.TX.Model(&models.Petition{}).Where("campaign_id = ?", id).Order("id").Limit(maxChoices).Pluck("id", &petitions).Error; err != nil {
				return Part{}, err
			}
			if len(petitions) == 0 {
				return nobody, nil
			}
			return c.boxes("signatures g", "g.state = 'confirmed' AND g.petition_id IN (?"+strings.Repeat(", ?", len(petitions)-1)+")", "g.confirmed_at", "", "", v, ids(petitions)...)
		}},
		{Name: "form", Topic: "did", Fields: []Field{
			{Name: "form", Type: Choice, Optional: true, Empty: "segments.any_form", Choices: formChoices}, {Name: whenField, Type: When},
		}, Say: without("form", "_any"), Compile: func(c *Compiler, v Values) (Part, error) {
			return c.boxes("submissions g", "g.state = 'confirmed'", "g.confirmed_at", "g.form_id = ?", "form", v)
		}},

		// What the person agreed to.
		{Name: "consent", Topic: "consent", Fields: []Field{{Name: "to", Type: Choice, Choices: consentChoices}, {Name: whenField, Type: When}}, Compile: func(c *Compiler, v Values) (Part, error) {
			purpose, scope, _ := strings.Cut(v["to"], "/")
			p := Part{Set: "SELECT m.supporter_id FROM consents g JOIN mailboxes m ON m.id = g.mailbox_id WHERE m.supporter_id IS NOT NULL AND g.withdrawn_at IS NULL AND g.purpose = ?", Args: []any{purpose}}
			if scope != anyScope {
				id, err := uuid.Parse(scope)
				if err != nil {
					return nobody, nil
				}
				p.Set, p.Args = p.Set+" AND g.scope_id = ?", append(p.Args, id)
			}
			w, args := c.Window(v, "g.given_at")
			p.Set, p.Args = p.Set+w, append(p.Args, args...)
			return p, nil
		}},

		// Mail: lists and addresses. Whether a mail was opened or a link followed is not known and cannot be asked.
		{Name: "mailed", Topic: "mail", Fields: []Field{
			{Name: "mailing", Type: Choice, Optional: true, Empty: "segments.any_mailing", Choices: mailingChoices}, {Name: whenField, Type: When},
		}, Say: without("mailing", "_any"), Compile: func(c *Compiler, v Values) (Part, error) {
			return c.boxes("deliveries g", "g.mailing_id IS NOT NULL AND g.sent_at IS NOT NULL", "g.sent_at", "g.mailing_id = ?", "mailing", v)
		}},
		{Name: "address", Topic: "mail", Fields: []Field{{Name: "state", Type: Choice, Options: []Option{
			{Value: "mailable", Key: "segments.address_mailable"}, {Value: "suppressed", Key: "segments.address_suppressed"}, {Value: "paused", Key: "segments.address_paused"},
		}}}, Say: func(v Values) string { return "_" + v["state"] }, Compile: compileAddress},

		// Lists.
		{Name: "import", Topic: "lists", Fields: []Field{{Name: "import", Type: Choice, Choices: importChoices}}, Compile: func(_ *Compiler, v Values) (Part, error) {
			id, err := uuid.Parse(v["import"])
			if err != nil {
				return nobody, nil
			}
			return Part{Set: "SELECT m.supporter_id FROM consents g JOIN mailboxes m ON m.id = g.mailbox_id WHERE m.supporter_id IS NOT NULL AND g.evidence_id = ? AND g.how = 'import'" +
				" UNION ALL SELECT g.supporter_id FROM taggings g WHERE g.tag_id IN (SELECT tag_id FROM imports WHERE id = ?)", Args: []any{id, id}}, nil
		}},
		{Name: "segment", Topic: "lists", Fields: []Field{{Name: "segment", Type: Choice, Choices: segmentChoices}}, Compile: func(c *Compiler, v Values) (Part, error) {
			id, err := uuid.Parse(v["segment"])
			if err != nil {
				return nobody, nil
			}
			s, err := c.segment(id)
			if fault.Is(err, fault.NotFound) {
				return nobody, nil
			}
			return Part{Set: s.sql, Args: s.args}, err
		}},
	}
}

// ids are values for a list.
func ids(list []uuid.UUID) []any {
	out := make([]any, len(list))
	for i, id := range list {
		out[i] = id
	}
	return out
}

// without chooses the wording for a field that was left empty.
func without(field, suffix string) func(Values) string {
	return func(v Values) string {
		if v[field] == "" {
			return suffix
		}
		return ""
	}
}

// byID is a set with one id in it; of what is no id nobody.
func byID(value, set string) (Part, error) {
	id, err := uuid.Parse(value)
	if err != nil {
		return nobody, nil
	}
	return Part{Set: set, Args: []any{id}}, nil
}

// boxes is the set of people one of whose addresses has a row in a table: from is the table as g, always a test, at the time of
// the row, which the values' window is about, and only the test for the id in the value of a field, unless that is empty. args are those of always.
func (c *Compiler) boxes(from, always, at, only, field string, v Values, args ...any) (Part, error) {
	p := Part{Set: "SELECT m.supporter_id FROM " + from + " JOIN mailboxes m ON m.id = g.mailbox_id WHERE m.supporter_id IS NOT NULL AND " + always, Args: args}
	if v[field] != "" {
		id, err := uuid.Parse(v[field])
		if err != nil {
			return nobody, nil
		}
		p.Set, p.Args = p.Set+" AND "+only, append(p.Args, id)
	}
	w, args := c.Window(v, at)
	p.Set, p.Args = p.Set+w, append(p.Args, args...)
	return p, nil
}

func compileAddress(c *Compiler, v Values) (Part, error) {
	const from = "SELECT m.supporter_id FROM mailboxes m WHERE m.supporter_id IS NOT NULL AND m.address_sealed IS NOT NULL AND "
	switch v["state"] {
	case "mailable":
		return Part{Set: from + "m.suppressed_at IS NULL AND (m.paused_until IS NULL OR m.paused_until <= ?)", Args: []any{c.Now}}, nil
	case "paused":
		return Part{Set: from + "m.paused_until > ?", Args: []any{c.Now}}, nil
	case "suppressed": // and no address that takes mail
		return Part{Set: from + "m.suppressed_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM mailboxes o WHERE o.supporter_id = m.supporter_id AND o.suppressed_at IS NULL AND o.address_sealed IS NOT NULL)"}, nil
	}
	return nobody, nil
}

// What a custom field can be compared by.
const (
	opIs       = "is"
	opIsNot    = "is_not"
	opContains = "contains"
	opGreater  = "greater"
	opLess     = "less"
	opBefore   = "before"
	opAfter    = "after"
	opEmpty    = "empty"
	opFilled   = "filled"
)

// fieldOps are the comparisons by kind of field.
var fieldOps = map[models.FieldKind][]string{
	models.FieldText:   {opIs, opIsNot, opContains, opEmpty, opFilled},
	models.FieldNumber: {opIs, opIsNot, opGreater, opLess, opEmpty, opFilled},
	models.FieldDate:   {opIs, opIsNot, opBefore, opAfter, opEmpty, opFilled},
	models.FieldChoice: {opIs, opIsNot, opEmpty, opFilled},
	models.FieldYesNo:  {opIs, opIsNot, opEmpty, opFilled},
}

// mayAsk reports whether an actor may ask for a custom field: nobody for a private one, and only who sees its values.
func mayAsk(a actor.Actor, f models.CustomField) bool {
	if f.Private || f.ArchivedAt != nil {
		return false
	}
	switch {
	case a.Kind == actor.System || a.Role == actor.Owner:
		return true
	case a.Role == actor.Organizer:
		return f.SeenBy != string(actor.Owner)
	}
	return f.SeenBy == string(a.Role)
}

func fieldVariants(ctx context.Context, tx *gorm.DB, a actor.Actor) ([]Option, error) {
	var rows []models.CustomField
	if err := tx.WithContext(ctx).Where("archived_at IS NULL AND NOT private").Order("position, label, id").Limit(maxChoices).Find(&rows).Error; err != nil {
		return nil, err
	}
	var out []Option
	for _, f := range rows {
		if mayAsk(a, f) {
			out = append(out, Option{Value: f.ID.String(), Label: f.Label})
		}
	}
	return out, nil
}

func customField(ctx context.Context, tx *gorm.DB, of string) (models.CustomField, bool, error) {
	var f models.CustomField
	id, err := uuid.Parse(of)
	if err != nil {
		return f, false, nil
	}
	err = tx.WithContext(ctx).Take(&f, "id = ?", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return f, false, nil
	}
	return f, err == nil, err
}

func varyField(ctx context.Context, tx *gorm.DB, a actor.Actor, of string) (Kind, bool, error) {
	f, ok, err := customField(ctx, tx, of)
	if err != nil || !ok || !mayAsk(a, f) {
		return Kind{}, false, err
	}
	k, _ := kindNamed("field")
	op := Field{Name: "op", Type: Choice, Label: f.Label}
	for _, o := range fieldOps[f.Kind] {
		op.Options = append(op.Options, Option{Value: o, Key: "segments.op_" + o})
	}
	value := Field{Name: "value", Type: Text, Optional: true}
	switch f.Kind {
	case models.FieldNumber:
		value.Type = Number
	case models.FieldDate:
		value.Type = Date
	case models.FieldYesNo:
		value.Type, value.Empty, value.Options = Choice, "segments.value_none", []Option{{Value: "yes", Key: "segments.yes"}, {Value: "no", Key: "segments.no"}}
	case models.FieldChoice:
		value.Type, value.Empty = Choice, "segments.value_none"
		for line := range strings.Lines(f.Choices) {
			if line = strings.TrimSpace(line); line != "" {
				value.Options = append(value.Options, Option{Value: line, Label: line})
			}
		}
	}
	k.Fields = []Field{op, value}
	return k, true, nil
}

func compileField(c *Compiler, v Values) (Part, error) {
	f, ok, err := customField(c.Ctx, c.TX, v[Of])
	switch {
	case err != nil:
		return Part{}, err
	case !ok:
		return nobody, nil
	case f.Private:
		return Part{}, fault.New(fault.Invalid, "error.segment_private", "Field", f.Label)
	case !slices.Contains(fieldOps[f.Kind], v["op"]):
		return nobody, nil
	}
	const all = "SELECT g.supporter_id FROM field_values g WHERE g.field_id = ?"
	filled, column, value := " AND g.text_value <> ''", "g.text_value", any(v["value"])
	compare := map[string]string{opGreater: " > ?", opLess: " < ?", opBefore: " < ?", opAfter: " > ?", opIs: " = ?", opIsNot: " = ?"}
	switch f.Kind {
	case models.FieldNumber:
		n, err := strconv.ParseFloat(v["value"], 64)
		if v["op"] != opEmpty && v["op"] != opFilled && (err != nil || math.IsNaN(n) || math.IsInf(n, 0)) {
			return nobody, nil
		}
		filled, column, value = " AND g.number_value IS NOT NULL", "g.number_value", n
	case models.FieldText:
		column, value = fold(c.TX, "g.text_value"), lowerASCII(v["value"])
	}
	switch v["op"] {
	case opFilled:
		return Part{Set: all + filled, Args: []any{f.ID}}, nil
	case opEmpty:
		return Part{Set: all + filled, Args: []any{f.ID}, Others: true}, nil
	case opIsNot:
		return Part{Set: all + filled + " AND " + column + " = ?", Args: []any{f.ID, value}, Others: true}, nil
	case opContains:
		return Part{Set: all + " AND " + position(c.TX, column) + " > 0", Args: []any{f.ID, value}}, nil
	}
	return Part{Set: all + filled + " AND " + column + compare[v["op"]], Args: []any{f.ID, value}}, nil
}

// lowerASCII makes the letters A to Z small and leaves all others: what both databases do alike.
func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// checkField notes what is wrong with the comparison of a custom field beyond what its form says.
func checkField(bad *fault.Fields, path string, v Values) {
	if op := v["op"]; v["value"] == "" && op != opEmpty && op != opFilled {
		bad.Add(FieldName(path, "value"), "error.segment_value")
	}
}

// validDate reports whether a text is a day as it is kept.
func validDate(s string) bool {
	t, err := time.Parse(time.DateOnly, s)
	return err == nil && t.Year() >= 1000
}
