package segments

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/models"
)

// Part is a condition in SQL, with ? for each of Args. Exactly one of Row and Set is filled.
//
// Row is a test of one row of supporters, which it calls {p}; it may be NULL, which counts as no. Set is a SELECT of one
// column that is called supporter_id, without NULLs; the same id may come twice. Both hold words of this program only: every
// value that came from a person is in Args.
type Part struct {
	Row    string
	Set    string
	Others bool // with Set: everybody but those
	Args   []any
}

// nobody is the part that no row meets.
var nobody = Part{Row: "1 = 0"}

// Compiler makes one SELECT of a rule. Kinds read from it what time it is.
type Compiler struct {
	Ctx context.Context
	TX  *gorm.DB
	Now time.Time

	zone    *time.Location
	aliases int
	left    int         // conditions that may still come
	open    []uuid.UUID // segments whose rules are being compiled
}

func newCompiler(ctx context.Context, tx *gorm.DB) (*Compiler, error) {
	c := &Compiler{Ctx: ctx, TX: tx.WithContext(ctx), Now: tx.NowFunc(), left: maxExpanded}
	var org []models.Organisation
	if err := c.TX.Select("time_zone").Limit(1).Find(&org).Error; err != nil {
		return nil, err
	}
	c.zone = time.UTC
	if len(org) == 1 {
		c.zone = organisation.Zone(org[0])
	}
	return c, nil
}

// Members is who is in a segment: a SELECT of one column, supporter_id, each id once, to be put behind IN or joined, with ? for
// each of args. A live segment is compiled for the time of tx's clock; a snapshot is read. The segment's own chapter is part of
// it; whoever uses it narrows to the actor's chapter besides. The fault is NotFound, error.segment_unknown, or Invalid where a
// rule cannot be used any more: a circle of segments, or a field that became private.
func Members(ctx context.Context, tx *gorm.DB, id uuid.UUID) (sql string, args []any, err error) {
	c, err := newCompiler(ctx, tx)
	if err != nil {
		return "", nil, err
	}
	s, err := c.segment(id)
	return s.sql, s.args, err
}

// members is Members for a rule that is not saved.
func members(ctx context.Context, tx *gorm.DB, r Rule, self uuid.UUID, chapter *uuid.UUID) (sql string, args []any, err error) {
	c, err := newCompiler(ctx, tx)
	if err != nil {
		return "", nil, err
	}
	if self != uuid.Nil {
		c.open = append(c.open, self)
	}
	s, err := c.rule(r, chapter)
	return s.sql, s.args, err
}

// sqlText is a piece of SQL with its values.
type sqlText struct {
	sql  string
	args []any
}

// segment is the SELECT of a saved one.
func (c *Compiler) segment(id uuid.UUID) (sqlText, error) {
	if slices.Contains(c.open, id) {
		return sqlText{}, fault.New(fault.Invalid, "error.segment_circle")
	}
	m, err := find(c.Ctx, c.TX, id)
	if err != nil {
		return sqlText{}, err
	}
	if m.FrozenAt != nil {
		s := sqlText{"SELECT f.supporter_id FROM segment_members f WHERE f.segment_id = ?", []any{id}}
		if m.ChapterID != nil {
			s.sql = "SELECT f.supporter_id FROM segment_members f JOIN supporters p ON p.id = f.supporter_id WHERE f.segment_id = ? AND p.chapter_id = ?"
			s.args = append(s.args, *m.ChapterID)
		}
		return s, nil
	}
	r, err := parse(m.Rule)
	if err != nil {
		return sqlText{}, err
	}
	c.open = append(c.open, id)
	defer func() { c.open = c.open[:len(c.open)-1] }()
	return c.rule(r, m.ChapterID)
}

// rule is the SELECT of a rule, narrowed to a chapter.
func (c *Compiler) rule(r Rule, chapter *uuid.UUID) (sqlText, error) {
	if n, d := r.Root.count(); n > MaxConditions || d > MaxDepth || r.Root.Kind != Group {
		return sqlText{}, fault.New(fault.Invalid, "error.segment_large", "Max", MaxConditions, "Depth", MaxDepth)
	}
	p := c.alias()
	who, err := c.group(r.Root, p)
	if err != nil {
		return sqlText{}, err
	}
	if chapter != nil {
		who.sets = append(who.sets, sqlText{ofChapter, []any{*chapter}})
	}
	key := "uuid_hash_extended(" + p + ".id, CAST(? AS bigint))"
	if r.Pick.Percent > 0 && r.Pick.Percent < 100 {
		who.tests = append(who.tests, sqlText{key + " < ?", []any{seed(r.Pick.Seed), share(r.Pick.Percent)}})
	}
	s := who.query(p)
	if r.Pick.Count > 0 {
		p = c.alias()
		s.sql = "SELECT " + p + ".id AS supporter_id FROM (SELECT a.supporter_id AS id FROM (" + s.sql + ") a ORDER BY uuid_hash_extended(a.supporter_id, CAST(? AS bigint)), a.supporter_id LIMIT ?) " + p
		s.args = append(s.args, seed(r.Pick.Seed), r.Pick.Count)
	}
	return s, nil
}

// ofChapter is the set of a chapter's people.
const ofChapter = "SELECT h.id AS supporter_id FROM supporters h WHERE h.chapter_id = ?"

// share is the number below which so many percent of the hashes lie, which go from the smallest of 64 bits to the largest.
func share(percent float64) int64 { return math.MinInt64 + int64(percent/100*(1<<63))*2 }

// seed is a seed as the hash takes it.
func seed(s string) int64 {
	n, _ := strconv.ParseUint(s[:min(len(s), 16)], 16, 64)
	return int64(n) //nolint:gosec // all 64 bits are meant
}

// alias is a new name for a row of supporters.
func (c *Compiler) alias() string {
	c.aliases++
	return "p" + strconv.Itoa(c.aliases)
}

// people is what a group means for the row p: p.id is in each of the sets, and passes each of the tests. rows says that a
// test asks for more than p.id. Without anything it is everybody.
type people struct {
	sets, tests []sqlText
	rows        bool
}

// query is the SELECT of the people. Where a set says who can be among them at all, it begins with that: the table of all
// people is not read.
func (w people) query(p string) sqlText {
	from, begin, sets := sqlText{"supporters " + p, nil}, "SELECT ", w.sets
	if len(sets) > 0 && !w.rows {
		from, begin, sets = sqlText{"(SELECT b.supporter_id AS id FROM (" + sets[0].sql + ") b) " + p, sets[0].args}, "SELECT DISTINCT ", sets[1:]
	}
	tests := slices.Clone(w.tests)
	for _, s := range sets {
		tests = append(tests, isIn(s, p))
	}
	where := join(tests, " WHERE ", " AND ")
	return sqlText{begin + p + ".id AS supporter_id FROM " + from.sql + where.sql, append(slices.Clone(from.args), where.args...)}
}

func join(list []sqlText, before, between string) sqlText {
	var s sqlText
	for i, t := range list {
		if i == 0 {
			s.sql = before
		} else {
			s.sql += between
		}
		s.sql += t.sql
		s.args = append(s.args, t.args...)
	}
	return s
}

// condition compiles one.
func (c *Compiler) condition(n Node) (Part, error) {
	if c.left--; c.left < 0 {
		return Part{}, fault.New(fault.Invalid, "error.segment_large", "Max", MaxConditions, "Depth", MaxDepth)
	}
	k, ok := kindNamed(n.Kind)
	if !ok {
		return Part{}, fault.New(fault.Invalid, "error.segment_kind", "Kind", n.Kind)
	}
	p, err := k.Compile(c, Values(n.Values))
	if err == nil && (p.Row == "") == (p.Set == "") {
		return p, fmt.Errorf("segments: the kind %s gave neither a test nor a set, or both", k.Name)
	}
	return p, err
}

// group tells which rows p a group means.
func (c *Compiler) group(g Node, p string) (who people, err error) {
	if g.Match != Any && g.Match != All {
		return who, fault.New(fault.Invalid, "error.segment_kind", "Kind", g.Match)
	}
	one := g.Match == Any
	var rows []Part    // what a group of Any joins: tests of the row
	var sets []sqlText // and what cannot be tested on the row alone
	for _, n := range g.Items {
		var x Part
		switch {
		case n.empty():
			continue
		case n.Exclude:
			err = c.outside(n, p, &who)
		case n.Kind == Group && one:
			var s sqlText
			s, err = c.set(n)
			sets = append(sets, s)
		case n.Kind == Group:
			var inner people
			inner, err = c.group(n, p)
			who.sets, who.tests, who.rows = append(who.sets, inner.sets...), append(who.tests, inner.tests...), who.rows || inner.rows
		default:
			x, err = c.condition(n)
		}
		s := sqlText{x.Set, x.Args}
		switch {
		case err != nil:
			return who, err
		case x.Row != "" && one:
			rows = append(rows, x)
		case x.Row != "":
			who.tests, who.rows = append(who.tests, x.test(p)), true
		case x.Set == "":
		case x.Others && one:
			q := c.alias()
			sets = append(sets, people{tests: []sqlText{c.notIn(s, q)}}.query(q))
		case x.Others:
			who.tests = append(who.tests, c.notIn(s, p))
		case one:
			sets = append(sets, s)
		default:
			who.sets = append(who.sets, s)
		}
	}
	// Tests of the row stay so while they are alone. Beside sets they become a set too: a union of sets is joined once, where
	// an OR would look into each set for each row.
	if len(sets) == 0 {
		if len(rows) > 0 {
			who.tests, who.rows = append(who.tests, or(rows, p)), true
		}
		return who, nil
	}
	if len(rows) > 0 {
		q := c.alias()
		sets = append(sets, people{tests: []sqlText{or(rows, q)}}.query(q))
	}
	who.sets = append(who.sets, join(sets, "", " UNION ALL "))
	return who, nil
}

// test is the part as a test of the row p, for where NULL is as good as no.
func (x Part) test(p string) sqlText {
	return sqlText{"(" + strings.ReplaceAll(x.Row, "{p}", p) + ")", x.Args}
}

func or(rows []Part, p string) sqlText {
	list := make([]sqlText, len(rows))
	for i, x := range rows {
		list[i] = x.test(p)
	}
	s := join(list, "(", " OR ")
	s.sql += ")"
	return s
}

// set is the SELECT of the ids that a group holds.
func (c *Compiler) set(g Node) (sqlText, error) {
	q := c.alias()
	who, err := c.group(g, q)
	return who.query(q), err
}

// outside adds to who that the row p is not in an excluded node. A group of Any from which nothing is taken away is left by
// being outside of each of its nodes.
func (c *Compiler) outside(n Node, p string, who *people) error {
	if n.Kind == Group && n.Match == Any && !slices.ContainsFunc(n.Items, func(i Node) bool { return i.Exclude }) {
		for _, i := range n.Items {
			if i.empty() {
				continue
			}
			if err := c.outside(i, p, who); err != nil {
				return err
			}
		}
		return nil
	}
	if n.Kind == Group {
		s, err := c.set(n)
		who.tests = append(who.tests, c.notIn(s, p))
		return err
	}
	x, err := c.condition(n)
	s := sqlText{x.Set, x.Args}
	switch {
	case err != nil:
	case x.Row != "":
		who.tests, who.rows = append(who.tests, sqlText{"(" + x.test(p).sql + " IS NOT TRUE)", x.Args}), true
	case x.Others:
		who.sets = append(who.sets, s)
	default:
		who.tests = append(who.tests, c.notIn(s, p))
	}
	return err
}

func isIn(s sqlText, p string) sqlText { return sqlText{p + ".id IN (" + s.sql + ")", s.args} }

// notIn is written so that PostgreSQL joins it; NOT IN would be looked up row by row.
func (c *Compiler) notIn(s sqlText, p string) sqlText {
	q := c.alias()
	return sqlText{"NOT EXISTS (SELECT 1 FROM (" + s.sql + ") " + q + " WHERE " + q + ".supporter_id = " + p + ".id)", s.args}
}
