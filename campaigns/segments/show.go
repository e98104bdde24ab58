package segments

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
)

// Offered is a kind of condition in the list that adds one.
type Offered struct {
	Topic string
	Value string // of the form's field "kind"
	Key   string // locale key of its name
	Label string // its name, where it has no key
}

// Offers lists the kinds of conditions, by topic. It needs the right actor.EditSupporters.
func (s *Service) Offers(ctx context.Context, a actor.Actor) ([]Offered, error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return nil, err
	}
	var out []Offered
	for _, topic := range Topics {
		for _, k := range kinds() {
			switch {
			case k.Topic != topic:
			case k.Variants == nil:
				out = append(out, Offered{Topic: topic, Value: k.Name, Key: "segments.kind_" + k.Name})
			default:
				list, err := k.Variants(ctx, s.db.DB, a)
				if err != nil {
					return nil, err
				}
				for _, o := range list {
					out = append(out, Offered{Topic: topic, Value: k.Name + ":" + o.Value, Key: o.Key, Label: o.Label})
				}
			}
		}
	}
	return out, nil
}

// Shown is a node as its part of the form shows it.
type Shown struct {
	Path    string
	Depth   int    // of groups, from 1
	Kind    string // value of the field "kind"
	Key     string // locale key of the kind's name
	Label   string // its name, where it has no key
	Gone    bool   // there is no such kind, or none that the actor may ask for
	Exclude bool
	Match   string
	Items   []Shown
	Fields  []ShownField
}

// ShownField is one field of a condition.
type ShownField struct {
	Field
	Full    string // its name in the form
	Values  Values // of the condition
	Options []Option
}

// Show makes the form of a rule, with the choices that the actor may make. It needs the right actor.EditSupporters.
func (s *Service) Show(ctx context.Context, a actor.Actor, r Rule) (Shown, error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return Shown{}, err
	}
	lists := map[*Choices][]Option{}
	var show func(path string, depth int, n Node) (Shown, error)
	show = func(path string, depth int, n Node) (Shown, error) {
		x := Shown{Path: path, Depth: depth, Kind: n.Kind, Exclude: n.Exclude, Match: n.Match}
		if n.Kind == Group {
			for i, item := range n.Items {
				y, err := show(ChildPath(path, i), depth+1, item)
				if err != nil {
					return x, err
				}
				x.Items = append(x.Items, y)
			}
			return x, nil
		}
		if of := n.Values[Of]; of != "" {
			x.Kind += ":" + of
		}
		x.Key = "segments.kind_" + n.Kind
		k, ok, err := kindOf(ctx, s.db.DB, a, n)
		if err != nil || !ok {
			x.Gone = true
			return x, err
		}
		for _, f := range k.Fields {
			y := ShownField{Field: f, Full: FieldName(path, f.Name), Values: n.Values, Options: f.Options}
			if f.Label != "" {
				x.Key, x.Label = "", f.Label
			}
			if f.Choices != nil {
				if _, ok := lists[f.Choices]; !ok {
					if lists[f.Choices], err = f.Choices.List(ctx, s.db.DB, a); err != nil {
						return x, err
					}
				}
				y.Options = lists[f.Choices]
			}
			x.Fields = append(x.Fields, y)
		}
		return x, nil
	}
	return show(RootPath, 1, r.Root)
}

// Language is what telling a rule in words needs of the pages.
type Language struct {
	Text   func(key string, args ...any) string
	Date   func(t time.Time) string
	Number func(n int64) string
}

// Words tells a rule in a sentence: "Everybody who signed ... and lives in ..., but not whoever ...". What the actor may not see
// is not named. It needs the right actor.SeeFigures.
func (s *Service) Words(ctx context.Context, a actor.Actor, r Rule, l Language) (string, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return "", err
	}
	t := teller{ctx: ctx, tx: s.db.DB, a: a, l: l}
	in, out, err := t.group(r.Root)
	if err != nil {
		return "", err
	}
	text := ""
	switch {
	case in == "" && out == "":
		text = l.Text("segments.say_everybody")
	case out == "":
		text = l.Text("segments.say_who", "Who", in)
	case in == "":
		text = l.Text("segments.say_but", "Not", out)
	default:
		text = l.Text("segments.say_who_but", "Who", in, "Not", out)
	}
	switch p := r.Pick; {
	case p.Percent > 0:
		text += " " + l.Text("segments.say_percent", "Percent", strconv.FormatFloat(p.Percent, 'f', -1, 64))
	case p.Count > 0:
		text += " " + l.Text("segments.say_count", "Count", p.Count)
	}
	return text, nil
}

type teller struct {
	ctx context.Context
	tx  *gorm.DB
	a   actor.Actor
	l   Language
}

// group tells who is in a group and who is taken away from it.
func (t teller) group(g Node) (in, out string, err error) {
	var ins, outs []string
	for _, n := range g.Items {
		if n.empty() {
			continue
		}
		words, err := t.node(n)
		if err != nil {
			return "", "", err
		}
		if n.Exclude {
			outs = append(outs, words)
		} else {
			ins = append(ins, words)
		}
	}
	join := t.l.Text("segments.say_and")
	if g.Match == Any {
		join = t.l.Text("segments.say_or")
	}
	return strings.Join(ins, " "+join+" "), strings.Join(outs, " "+t.l.Text("segments.say_or")+" "), nil
}

func (t teller) node(n Node) (string, error) {
	if n.Kind != Group {
		return t.condition(n)
	}
	in, out, err := t.group(n)
	switch {
	case err != nil:
		return "", err
	case out == "" && len(n.Items) == 1:
		return in, nil
	case out == "":
		return "(" + in + ")", nil
	case in == "":
		return "(" + t.l.Text("segments.say_is_not", "Not", out) + ")", nil
	}
	return "(" + t.l.Text("segments.say_in_but", "Who", in, "Not", out) + ")", nil
}

func (t teller) condition(n Node) (string, error) {
	k, ok, err := kindOf(t.ctx, t.tx, t.a, n)
	if err != nil {
		return "", err
	}
	if !ok {
		return t.l.Text("segments.say_hidden"), nil
	}
	key := "segments.say_" + k.Name
	if k.Say != nil {
		key += k.Say(n.Values)
	}
	var args []any
	for _, f := range k.Fields {
		if f.Label != "" {
			args = append(args, "Field", f.Label)
		}
		words, err := t.value(f, n.Values)
		if err != nil {
			return "", err
		}
		args = append(args, title(f.Name), words)
	}
	return t.l.Text(key, args...), nil
}

// value tells what a field holds.
func (t teller) value(f Field, v Values) (string, error) {
	value := v[f.Name]
	switch f.Type {
	case When:
		return t.window(v), nil
	case Date:
		if d, err := time.Parse(time.DateOnly, value); err == nil {
			return t.l.Date(d), nil
		}
	case Choice, Search:
		for _, o := range f.Options {
			if o.Value == value {
				return t.option(o), nil
			}
		}
		if f.Choices == nil || value == "" {
			break
		}
		label, known, err := f.Choices.Label(t.ctx, t.tx, t.a, value)
		switch {
		case err != nil:
			return "", err
		case !known:
			return t.l.Text("segments.hidden"), nil
		case f.Name == "to":
			return t.consent(value, label), nil
		case label == "":
			return t.l.Text("segments.no_chapter"), nil
		}
		return label, nil
	}
	return value, nil
}

func (t teller) option(o Option) string {
	if o.Key != "" {
		return t.l.Text(o.Key, "Name", o.Label)
	}
	return o.Label
}

func (t teller) consent(value, label string) string {
	purpose, scope, _ := strings.Cut(value, "/")
	switch scope {
	case uuid.Nil.String():
		return t.l.Text("segments.to_" + purpose)
	case anyScope:
		return t.l.Text("segments.to_" + purpose + "_any")
	}
	return t.l.Text("segments.to_"+purpose+"_one", "Name", label)
}

// window tells a window of time, with a space before it; nothing for ever.
func (t teller) window(v Values) string {
	date := func(s string) string {
		if d, err := time.Parse(time.DateOnly, s); err == nil {
			return t.l.Date(d)
		}
		return s
	}
	switch {
	case v[whenField] == lastDays:
		n, _ := strconv.Atoi(v[daysField])
		return " " + t.l.Text("segments.say_last", "Count", n)
	case v[whenField] != between:
		return ""
	case v[toField] == "":
		return " " + t.l.Text("segments.say_from", "From", date(v[fromField]))
	case v[fromField] == "":
		return " " + t.l.Text("segments.say_to", "To", date(v[toField]))
	}
	return " " + t.l.Text("segments.say_between", "From", date(v[fromField]), "To", date(v[toField]))
}
