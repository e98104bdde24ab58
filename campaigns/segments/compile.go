package segments

import (
	"context"
	"fmt"
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
	where, err := c.group(r.Root, p)
	if err != nil {
		return sqlText{}, err
	}
	if chapter != nil {
		where = append(where, sqlText{p + ".chapter_id = ?", []any{*chapter}})
	}
	key := "md5(CAST(? AS text) || CAST(" + p + ".id AS text))"
	if r.Pick.Percent > 0 {
		where = append(where, sqlText{key + " < ?", []any{r.Pick.Seed, share(r.Pick.Percent)}})
	}
	s := and(where)
	s.sql = "SELECT " + p + ".id AS supporter_id FROM supporters " + p + s.sql
	if r.Pick.Count > 0 {
		s.sql = "SELECT picked.supporter_id FROM (" + s.sql + " ORDER BY " + key + ", " + p + ".id LIMIT ?) picked"
		s.args = append(s.args, r.Pick.Seed, r.Pick.Count)
	}
	return s, nil
}

// share is the hash below which so many percent of all hashes lie, as 32 hexadecimal digits; above all of them for 100.
func share(percent float64) string {
	const all = 1 << 40
	n := uint64(percent / 100 * all)
	if n >= all {
		return "g"
	}
	return fmt.Sprintf("%010x%022d", n, 0)
}

// alias is a new name for a row of supporters.
func (c *Compiler) alias() string {
	c.aliases++
	return "p" + strconv.Itoa(c.aliases)
}

// and joins tests to a WHERE clause, which is empty for none.
func and(tests []sqlText) sqlText { return join(tests, " WHERE ", " AND ") }

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

// group makes the tests of the row p that together mean the group. None means everybody.
func (c *Compiler) group(g Node, p string) ([]sqlText, error) {
	if g.Match != Any && g.Match != All {
		return nil, fault.New(fault.Invalid, "error.segment_kind", "Kind", g.Match)
	}
	one := g.Match == Any
	var tests []sqlText
	var rows []Part    // what a group of Any joins: tests of the row
	var sets []sqlText // and what cannot be tested on the row alone
	for _, n := range g.Items {
		switch {
		case n.empty():
		case n.Exclude:
			t, err := c.outside(n, p)
			if err != nil {
				return nil, err
			}
			tests = append(tests, t...)
		case n.Kind == Group && one:
			s, err := c.set(n)
			if err != nil {
				return nil, err
			}
			sets = append(sets, s)
		case n.Kind == Group:
			t, err := c.group(n, p)
			if err != nil {
				return nil, err
			}
			tests = append(tests, t...)
		default:
			x, err := c.condition(n)
			switch {
			case err != nil:
				return nil, err
			case one && x.Row != "":
				rows = append(rows, x)
			case one && x.Others:
				q := c.alias()
				s := and([]sqlText{c.notIn(sqlText{x.Set, x.Args}, q)})
				sets = append(sets, sqlText{"SELECT " + q + ".id AS supporter_id FROM supporters " + q + s.sql, s.args})
			case one:
				sets = append(sets, sqlText{x.Set, x.Args})
			case x.Row != "":
				tests = append(tests, x.test(p))
			case x.Others:
				tests = append(tests, c.notIn(sqlText{x.Set, x.Args}, p))
			default:
				tests = append(tests, isIn(sqlText{x.Set, x.Args}, p))
			}
		}
	}
	// Tests of the row stay so while they are alone. Beside sets they become a set too: a union of sets is joined once, where
	// an OR would look into each set for each row.
	if len(sets) == 0 {
		if len(rows) > 0 {
			tests = append(tests, or(rows, p))
		}
		return tests, nil
	}
	if len(rows) > 0 {
		q := c.alias()
		t := or(rows, q)
		sets = append(sets, sqlText{"SELECT " + q + ".id AS supporter_id FROM supporters " + q + " WHERE " + t.sql, t.args})
	}
	union := join(sets, p+".id IN (", " UNION ALL ")
	union.sql += ")"
	return append(tests, union), nil
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
	where, err := c.group(g, q)
	if err != nil {
		return sqlText{}, err
	}
	s := and(where)
	s.sql = "SELECT " + q + ".id AS supporter_id FROM supporters " + q + s.sql
	return s, nil
}

// outside makes the tests that the row p is not in an excluded node. A group of Any from which nothing is taken away is left
// by being outside of each of its nodes.
func (c *Compiler) outside(n Node, p string) ([]sqlText, error) {
	if n.Kind == Group && n.Match == Any && !slices.ContainsFunc(n.Items, func(i Node) bool { return i.Exclude }) {
		var tests []sqlText
		for _, i := range n.Items {
			if i.empty() {
				continue
			}
			t, err := c.outside(i, p)
			if err != nil {
				return nil, err
			}
			tests = append(tests, t...)
		}
		return tests, nil
	}
	var s sqlText
	if n.Kind == Group {
		var err error
		if s, err = c.set(n); err != nil {
			return nil, err
		}
	} else {
		x, err := c.condition(n)
		if err != nil {
			return nil, err
		}
		if x.Row != "" {
			return []sqlText{{"((" + strings.ReplaceAll(x.Row, "{p}", p) + ") IS NOT TRUE)", x.Args}}, nil
		}
		s = sqlText{x.Set, x.Args}
		if x.Others {
			return []sqlText{isIn(s, p)}, nil
		}
	}
	return []sqlText{c.notIn(s, p)}, nil
}

func isIn(s sqlText, p string) sqlText { return sqlText{p + ".id IN (" + s.sql + ")", s.args} }

// notIn is written so that PostgreSQL joins it; NOT IN would be looked up row by row.
func (c *Compiler) notIn(s sqlText, p string) sqlText {
	q := c.alias()
	return sqlText{"NOT EXISTS (SELECT 1 FROM (" + s.sql + ") " + q + " WHERE " + q + ".supporter_id = " + p + ".id)", s.args}
}
