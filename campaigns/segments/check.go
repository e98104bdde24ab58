package segments

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
)

// The fields of a pick in forms and errors, which stand beside the rule.
const (
	PickHow    = "pick"    // "", pickPercent or pickCount
	PickNumber = "pick_n"  // how many
	PickSeed   = "pick_at" // kept between two views of the form
)

// What PickHow can be.
const (
	pickPercent = "percent"
	pickCount   = "count"
)

// maxPick is the largest number that a pick can ask for.
const maxPick = 10_000_000

// FromForm reads a rule from a form: value returns what the form holds under a name. Nothing is checked but the shape, so that a
// half-filled form can be shown again; what lies deeper, or is more, than a rule can hold is left out.
func FromForm(value func(name string) (v string, ok bool)) Rule {
	left := MaxConditions + 1 // one too many, so that Check can say so
	var read func(path string, depth int) Node
	read = func(path string, depth int) Node {
		get := func(name string) string { v, _ := value(FieldName(path, name)); return v }
		n := Node{Exclude: get("exclude") != ""}
		n.Kind, _, _ = strings.Cut(get("kind"), ":")
		if n.Kind == Group {
			n.Match = get("match")
			for i := 0; depth <= MaxDepth && left > 0; i++ {
				p := ChildPath(path, i)
				if _, ok := value(FieldName(p, "kind")); !ok {
					break
				}
				n.Items = append(n.Items, read(p, depth+1))
			}
			return n
		}
		left--
		n.Values = map[string]string{}
		if _, of, ok := strings.Cut(get("kind"), ":"); ok {
			n.Values[Of] = of
		}
		if k, ok := kindNamed(n.Kind); ok {
			fields := k.Fields
			if k.Vary != nil {
				fields = []Field{{Name: "op"}, {Name: "value"}}
			}
			for _, f := range fields {
				for _, name := range f.names() {
					if v := get(name); v != "" {
						n.Values[name] = v
					}
				}
			}
		}
		return n
	}
	r := Rule{Root: read(RootPath, 1)}
	if r.Root.Kind != Group {
		r.Root = Everybody().Root
	}
	how, _ := value(PickHow)
	number, _ := value(PickNumber)
	r.Pick.Seed, _ = value(PickSeed)
	switch f, err := strconv.ParseFloat(strings.ReplaceAll(number, ",", "."), 64); {
	case how == pickPercent && err == nil:
		r.Pick.Percent = f
	case how == pickPercent:
		r.Pick.Percent = math.NaN()
	case how == pickCount && err == nil && f == math.Trunc(f) && math.Abs(f) <= maxPick:
		r.Pick.Count = int(f)
		if f == 0 {
			r.Pick.Count = -1
		}
	case how == pickCount:
		r.Pick.Count = -1
	}
	return r
}

// hexSeed reports whether a text can be a seed.
func hexSeed(s string) bool { return len(s) == 16 && strings.Trim(s, "0123456789abcdef") == "" }

// check looks at a rule as an actor is about to save or to count it, writes its values in the one way, and keeps nothing that
// the form of a kind does not have. self is the segment's id, uuid.Nil for a new one. What is wrong stands in an Invalid fault
// under the names of the fields.
func check(ctx context.Context, tx *gorm.DB, a actor.Actor, r *Rule, self uuid.UUID) error {
	var bad fault.Fields
	n, depth := r.Root.count()
	if n > MaxConditions {
		bad.Add("", "error.segment_many", "Max", MaxConditions)
	}
	if depth > MaxDepth {
		bad.Add("", "error.segment_deep", "Max", MaxDepth)
	}
	if err := bad.Err(); err != nil {
		return err
	}
	k := checker{ctx: ctx, tx: tx, a: a, self: self, bad: &bad}
	if err := k.node(RootPath, &r.Root); err != nil {
		return err
	}
	p := &r.Pick
	switch {
	case p.Percent != 0 && (math.IsNaN(p.Percent) || p.Percent < 0.01 || p.Percent > 100):
		bad.Add(PickNumber, "error.segment_percent")
	case p.Count != 0 && (p.Count < 1 || p.Count > maxPick):
		bad.Add(PickNumber, "error.segment_number", "Max", maxPick)
	case p.Percent == 0 && p.Count == 0:
		*p = Pick{}
	case !hexSeed(p.Seed):
		p.Seed = NewSeed()
	}
	if err := bad.Err(); err != nil {
		return err
	}
	_, _, err := members(ctx, tx, *r, self, nil) // circles, and what is too large with the segments in it
	return err
}

type checker struct {
	ctx  context.Context
	tx   *gorm.DB
	a    actor.Actor
	self uuid.UUID
	bad  *fault.Fields
}

func (k checker) node(path string, n *Node) error {
	if n.Kind != Group {
		return k.condition(path, n)
	}
	n.Values = nil
	if n.Match != All && n.Match != Any {
		k.bad.Add(FieldName(path, "match"), "error.value_unknown")
	}
	if len(n.Items) == 0 && path != RootPath {
		k.bad.Add(FieldName(path, "match"), "error.segment_empty_group")
	}
	for i := range n.Items {
		if err := k.node(ChildPath(path, i), &n.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (k checker) condition(path string, n *Node) error {
	n.Match, n.Items = "", nil
	kind, ok, err := kindOf(k.ctx, k.tx, k.a, *n)
	if err != nil {
		return err
	}
	if !ok {
		k.bad.Add(FieldName(path, "kind"), "error.segment_gone")
		return nil
	}
	was := Values(n.Values)
	n.Values = map[string]string{}
	if of := was[Of]; of != "" && kind.Vary != nil {
		n.Values[Of] = of
	}
	for _, f := range kind.Fields {
		for _, name := range f.names() {
			v := strings.TrimSpace(was[name])
			if utf8.RuneCountInString(v) > MaxValue {
				k.bad.Add(FieldName(path, name), "error.text_too_long", "Max", MaxValue, "Over", utf8.RuneCountInString(v)-MaxValue)
				continue
			}
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				k.bad.Add(FieldName(path, name), "error.text_unreadable")
				continue
			}
			if v != "" {
				n.Values[name] = v
			}
		}
		if err := k.field(path, f, n.Values); err != nil {
			return err
		}
	}
	if n.Kind == "field" && !k.bad.Has(FieldName(path, "op")) {
		checkField(k.bad, path, n.Values)
	}
	return nil
}

// field checks one value and writes it in the one way.
func (k checker) field(path string, f Field, v Values) error {
	name, value := FieldName(path, f.Name), v[f.Name]
	if f.Type == When {
		checkWindow(k.bad, path, v)
		return nil
	}
	if value == "" {
		if !f.Optional && !k.bad.Has(name) {
			k.bad.Add(name, "error.segment_missing")
		}
		return nil
	}
	switch f.Type {
	case Number:
		n, err := strconv.ParseFloat(strings.ReplaceAll(value, ",", "."), 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			k.bad.Add(name, "error.number_invalid")
			return nil
		}
		v[f.Name] = strconv.FormatFloat(n, 'f', -1, 64)
	case Date:
		if !validDate(value) {
			k.bad.Add(name, "error.segment_date")
		}
	case Choice, Search:
		if f.Choices == nil {
			if !slices.ContainsFunc(f.Options, func(o Option) bool { return o.Value == value }) {
				k.bad.Add(name, "error.value_unknown")
			}
			return nil
		}
		_, known, err := f.Choices.Label(k.ctx, k.tx, k.a, value)
		if err != nil {
			return err
		}
		if !known {
			k.bad.Add(name, "error.segment_choice")
		}
		if id, err := uuid.Parse(value); known && err == nil {
			v[f.Name] = id.String()
			if f.Name == "segment" && id == k.self {
				k.bad.Add(name, "error.segment_circle")
			}
		}
	case Text:
		switch f.Name {
		case "country":
			if v[f.Name] = strings.ToUpper(value); len(value) != 2 {
				k.bad.Add(name, "error.segment_country")
			}
		case "language":
			v[f.Name] = strings.ToLower(value)
		}
	}
	return nil
}

// kindOf is the kind of a condition, in its variant.
func kindOf(ctx context.Context, tx *gorm.DB, a actor.Actor, n Node) (Kind, bool, error) {
	k, ok := kindNamed(n.Kind)
	if !ok || k.Vary == nil {
		return k, ok, nil
	}
	return k.Vary(ctx, tx, a, n.Values[Of])
}
