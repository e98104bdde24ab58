package segments

import (
	"context"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm"

	"kithline/campaigns/actor"
)

// Values are what the fields of a condition hold, by name.
type Values map[string]string

// Kind is one thing that can be asked about people. Its words stand in the locale files: "segments.kind_NAME" names it in the
// list of kinds, "segments.say_NAME" tells a condition in the third person ("signed “{{.Petition}}”{{.When}}"), with each field
// under its name, the first letter a capital.
type Kind struct {
	Name  string
	Topic string // the part of the list that it stands in: one of Topics

	// Fields are what the form asks, in order.
	Fields []Field

	// Compile turns the values into SQL. They were checked against Fields when the rule was saved, but things may have gone
	// since: what is not there any more is met by nobody.
	Compile func(c *Compiler, v Values) (Part, error)

	// Say chooses among the wordings of the kind: what it returns is put behind "segments.say_NAME". nil: one wording.
	Say func(v Values) string

	// Variants lists the forms of the kind that are offered each by its own name, such as one for each custom field; Vary is the
	// kind for one of them. Both are nil where there is one form.
	Variants func(ctx context.Context, tx *gorm.DB, a actor.Actor) ([]Option, error)
	Vary     func(ctx context.Context, tx *gorm.DB, a actor.Actor, of string) (Kind, bool, error)
}

// Of is the value that says which variant of a kind a condition is.
const Of = "of"

// Topics are the parts of the list of kinds, in order; "segments.topic_NAME" names each.
var Topics = []string{"person", "place", "did", "consent", "mail", "lists"}

// Field is one field of a condition's form; "segments.field_NAME" labels it.
type Field struct {
	Name     string
	Type     string // Choice, Text, Number, Date or When
	Optional bool   // may be empty; Empty then names what that means
	Empty    string // locale key of the first entry of an optional choice
	Options  []Option
	Choices  *Choices // of a choice whose entries are rows
	Label    string   // words instead of the locale key
}

// The types of fields.
const (
	Choice = "choice"
	Text   = "text"
	Number = "number"
	Date   = "date"
	When   = "when"   // a window of time: four values, see window
	Search = "search" // a text with suggestions: Choices knows what it may be
)

// Option is an entry of a choice.
type Option struct {
	Value string
	Key   string // locale key of its words
	Label string // its words, where there is no key
}

// Choices are entries that come from rows. An actor gets those that they may see.
type Choices struct {
	List  func(ctx context.Context, tx *gorm.DB, a actor.Actor) ([]Option, error)
	Label func(ctx context.Context, tx *gorm.DB, a actor.Actor, value string) (label string, known bool, err error)
}

var registered struct {
	sync.RWMutex
	list []Kind
}

// Register adds a kind, or puts it in the place of one that was registered under the same name. At start only, from app/wire.go.
func Register(k Kind) {
	registered.Lock()
	defer registered.Unlock()
	if i := slices.IndexFunc(registered.list, func(x Kind) bool { return x.Name == k.Name }); i >= 0 {
		registered.list[i] = k
		return
	}
	registered.list = append(registered.list, k)
}

func kinds() []Kind {
	registered.RLock()
	defer registered.RUnlock()
	return append(builtin(), registered.list...)
}

func kindNamed(name string) (Kind, bool) {
	list := kinds()
	i := slices.IndexFunc(list, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return list[i], true
}

// names are the values that a field has in a condition.
func (f Field) names() []string {
	if f.Type == When {
		return []string{whenField, daysField, fromField, toField}
	}
	return []string{f.Name}
}

// title is the name under which a field's words are put into the wording of its kind.
func title(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
