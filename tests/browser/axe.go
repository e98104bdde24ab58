package browser

import (
	_ "embed"
	"fmt"
	"strings"
)

// axe-core, see testdata/VENDORED.md.
//
//go:embed testdata/axe.min.js
var axeSource string

// Violation is a rule that a page breaks, and where.
type Violation struct {
	Rule, Impact, Help string
	Nodes              []string // selector and reason
}

func (v Violation) String() string {
	return fmt.Sprintf("%s (%s): %s\n      %s", v.Rule, v.Impact, v.Help, strings.Join(v.Nodes, "\n      "))
}

// The rules asked: all of WCAG 2.0, 2.1 and 2.2 to level AA, and what axe-core calls best practice. Target size is off
// where axe-core has it off by default, so it is turned on. What frames show is not asked: no script of ours gets into them.
const (
	allRules  = `{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa', 'best-practice'], rules: {'target-size': {enabled: true}}, resultTypes: ['violations'], iframes: false}`
	axeAnswer = `.then(r => r.violations.map(v => ({
	Rule: v.id, Impact: v.impact || '', Help: v.help,
	Nodes: v.nodes.slice(0, 5).map(n => n.target.join(' ') + ': ' + [...n.any, ...n.all, ...n.none].map(c => c.message).join('; ')),
})))`
)

// Axe returns the accessibility rules that the page breaks as it is shown now. The rules are put into the page from outside, so it
// works on a page whose own scripts are off as well.
func (tab *Tab) Axe() []Violation {
	tab.t.Helper()
	if !Eval[bool](tab, `typeof axe === 'object'`) {
		Eval[bool](tab, axeSource+`;true`)
	}
	return Eval[[]Violation](tab, `axe.run(document, `+allRules+`)`+axeAnswer)
}
