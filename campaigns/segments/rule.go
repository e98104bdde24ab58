package segments

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of a rule.
const (
	MaxDepth      = 5   // groups in groups, the outermost counted
	MaxConditions = 50  // in one rule, groups not counted
	MaxValue      = 200 // characters of one value
	maxExpanded   = 500 // conditions, with those of the segments that a rule names
	maxRuleBytes  = 64 << 10
)

// How a group joins its conditions.
const (
	All = "all"
	Any = "any"
)

// Group is the kind of a node that holds others.
const Group = "group"

// Node is a group or a condition.
type Node struct {
	Kind    string            `json:"kind"`              // Group, or the name of a registered Kind
	Exclude bool              `json:"exclude,omitempty"` // takes its people away
	Match   string            `json:"match,omitempty"`   // of a group: All or Any
	Items   []Node            `json:"items,omitempty"`   // of a group
	Values  map[string]string `json:"values,omitempty"`  // of a condition: what the form's fields hold
}

// Pick leaves some of the people to chance. The zero value keeps all of them. At most one of both numbers is set.
type Pick struct {
	Percent float64 `json:"percent,omitempty"` // above 0, at most 100
	Count   int     `json:"count,omitempty"`
	Seed    string  `json:"seed,omitempty"` // hexadecimal: the order in which people are picked
}

// Rule is what a segment holds.
type Rule struct {
	Root Node `json:"root"`
	Pick Pick `json:"pick,omitzero"`
}

// Everybody is the rule that a new segment begins with.
func Everybody() Rule { return Rule{Root: Node{Kind: Group, Match: All}} }

// NewSeed makes the seed of a pick.
func NewSeed() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// parse reads a rule as it is stored.
func parse(s string) (Rule, error) {
	r := Rule{}
	if len(s) > maxRuleBytes {
		return r, errors.New("segments: a stored rule is too long")
	}
	if err := json.Unmarshal([]byte(s), &r); err != nil {
		return r, fmt.Errorf("segments: a stored rule cannot be read: %w", err)
	}
	return r, nil
}

func (r Rule) store() (string, error) {
	b, err := json.Marshal(r)
	return string(b), err
}

// RootPath is the path of a rule's outermost group. That of the first node in it is RootPath + ".0", and so on. A field of a
// condition is called PATH-NAME in forms and in the errors of Check.
const RootPath = "r"

// ChildPath is the path of the i-th node of a group.
func ChildPath(path string, i int) string { return path + "." + strconv.Itoa(i) }

// FieldName is the name of a condition's field in forms and errors.
func FieldName(path, name string) string { return path + "-" + name }

// count tells how many conditions a node holds, and how deep its groups go.
func (n Node) count() (conditions, depth int) {
	if n.Kind != Group {
		return 1, 0
	}
	for _, i := range n.Items {
		c, d := i.count()
		conditions, depth = conditions+c, max(depth, d)
	}
	return conditions, depth + 1
}

// empty reports whether a node is a group without any condition in it.
func (n Node) empty() bool {
	c, _ := n.count()
	return c == 0
}

// Group finds a group of the rule by its path, to change it; nil where there is none.
func (r *Rule) Group(path string) *Node {
	n, rest := &r.Root, strings.TrimPrefix(path, RootPath)
	for rest != "" {
		var step string
		step, rest, _ = strings.Cut(strings.TrimPrefix(rest, "."), ".")
		i, err := strconv.Atoi(step)
		if err != nil || i < 0 || i >= len(n.Items) {
			return nil
		}
		n = &n.Items[i]
		if rest != "" {
			rest = "." + rest
		}
	}
	if n.Kind != Group {
		return nil
	}
	return n
}
