package exports

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/campaigns/segments"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// plan is a list of supporters, ready to be read.
type plan struct {
	columns []column
	query   string // of the people, in the database's own words
	args    []any
	dense   bool // everybody is in it
	lookups func(c *chunk) []lookup
	chunk   int // people that go together

	vault    *vault.Vault
	snap     snapshot
	chapters map[uuid.UUID]string
	tags     map[uuid.UUID]string
	scopes   map[uuid.UUID]string
}

// mails reports whether a purpose is one of mail: then who is suppressed or wants a pause is not in its list either.
func mails(p models.Purpose) bool {
	return p == models.PurposeUpdates || p == models.PurposeNewsletter
}

// agreedIn is where those stand who agreed to a purpose.
func agreedIn(p models.Purpose) string {
	if mails(p) {
		return "mailable y WHERE y.mailbox_id = m.id"
	}
	return "consents y WHERE y.withdrawn_at IS NULL AND y.mailbox_id = m.id"
}

// choose resolves the names of columns. Every one must be there and be seen by the actor, for a partner one of Shared; the
// fault is Invalid on the field "columns".
func choose(names []string, purpose models.Purpose, custom []models.CustomField) ([]column, error) {
	var bad fault.Fields
	var out []column
	seen := map[string]bool{}
	for _, n := range names {
		c, ok := listed[n]
		if name, is := strings.CutPrefix(n, fieldPrefix); !ok && is {
			if i := slices.IndexFunc(custom, func(f models.CustomField) bool { return f.Name == name }); i >= 0 {
				c, ok = fieldColumn(custom[i]), true
			}
		}
		if purpose == models.PurposeShare && !slices.Contains(Shared, n) {
			ok = false
		}
		switch {
		case !ok:
			bad.Add("columns", "error.export_columns", "Column", n)
			return nil, bad.Err()
		case !seen[n]:
			seen[n] = true
			out = append(out, c)
		}
	}
	if len(out) == 0 {
		bad.Add("columns", "error.export_columns_none")
	}
	return out, bad.Err()
}

// plan works out how a list of supporters is read, for an actor.
func (s *Service) plan(ctx context.Context, a actor.Actor, m models.Export) (*plan, error) {
	names, err := columnsOf(m)
	if err != nil {
		return nil, err
	}
	custom, err := fieldsOf(ctx, s.DB.DB, a)
	if err != nil {
		return nil, err
	}
	p := &plan{vault: s.Vault, chunk: s.chunk}
	if p.columns, err = choose(names, m.Purpose, custom); err != nil {
		return nil, err
	}
	var needs need
	cols := slices.Clone(own[:])
	for i := range cols {
		used := i == atID || slices.ContainsFunc(p.columns, func(c column) bool { return slices.Contains(c.own, i) })
		if cols[i] = "s." + cols[i]; !used {
			cols[i] = "NULL"
		}
	}
	for _, c := range p.columns {
		needs |= c.need
	}
	if p.query, p.args, p.dense, err = s.people(ctx, a, m, cols); err != nil {
		return nil, err
	}
	for _, names := range []struct {
		wanted        bool
		table, column string
		to            *map[uuid.UUID]string
	}{
		{slices.ContainsFunc(p.columns, func(c column) bool { return c.name == "chapter" }), "chapters", "name", &p.chapters},
		{needs&tags != 0, "tags", "name", &p.tags},
		{needs&agreed != 0, "campaigns", "slug", &p.scopes},
		{needs&agreed != 0, "topics", "slug", &p.scopes},
		{needs&agreed != 0, "partners", "name", &p.scopes},
	} {
		if !names.wanted {
			continue
		}
		if *names.to == nil {
			*names.to = map[uuid.UUID]string{}
		}
		var rows []struct {
			ID   uuid.UUID
			Name string
		}
		if err := s.DB.WithContext(ctx).Table(names.table).Select("id", names.column+" AS name").Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			(*names.to)[r.ID] = r.Name
		}
	}
	p.lookups = func(c *chunk) []lookup { return c.lookups(p, needs, m.Purpose, m.ScopeID) }
	return p, nil
}

// people is the query that the export follows. dense says that it passes over nobody.
func (s *Service) people(ctx context.Context, a actor.Actor, m models.Export, cols []string) (query string, args []any, dense bool, err error) {
	where, dense := []string{"1 = 1"}, true
	and := func(sql string, more ...any) { where, args, dense = append(where, sql), append(args, more...), false }
	if c := m.ChapterID; c != nil {
		and("s.chapter_id = ?", *c)
	}
	if a.Chapter() != nil {
		sql, more := chapters.SQL(a, "s.chapter_id")
		and(sql, more...)
	}
	if m.SegmentID != nil {
		sql, more, err := segments.Members(ctx, s.DB.WithContext(ctx), *m.SegmentID)
		if err != nil {
			return "", nil, false, err
		}
		and("s.id IN ("+sql+")", more...)
	}
	if m.Purpose != "" {
		and("EXISTS (SELECT 1 FROM mailboxes m WHERE m.supporter_id = s.id AND EXISTS (SELECT 1 FROM "+agreedIn(m.Purpose)+" AND y.purpose = ? AND y.scope_id = ?))",
			m.Purpose, m.ScopeID)
	}
	sql := "SELECT " + strings.Join(cols, ", ") + " FROM supporters s WHERE " + strings.Join(where, " AND ") + " ORDER BY s.id"
	query, args = expand(s.DB.DB, sql, args)
	return query, args, dense, nil
}

// expand lets GORM write a query with its values in the database's own words, lists spread out.
func expand(db *gorm.DB, sql string, args []any) (string, []any) {
	st := db.Session(&gorm.Session{DryRun: true}).Raw(sql, args...).Find(&[]struct{}{}).Statement
	vars := slices.Clone(st.Vars)
	if database.IsPostgres(db) {
		for i, v := range vars {
			switch v := v.(type) {
			case models.Purpose:
				vars[i] = string(v)
			case uuid.UUID:
				vars[i] = v.String() // as the driver of database/sql would
			}
		}
	}
	return st.SQL.String(), vars
}

// lookups are the queries for what belongs to the people of a chunk. A list for a purpose knows the addresses alone that it
// was agreed to with.
func (c *chunk) lookups(p *plan, needs need, purpose models.Purpose, scope uuid.UUID) []lookup {
	var out []lookup
	add := func(wanted need, l lookup, row func(o *person, v [][]byte)) {
		if needs&wanted == 0 {
			return
		}
		f := &finder{people: c.people}
		l.row = func(v [][]byte) {
			if o := f.find(p.snap.id(v[0])); o != nil {
				row(o, v)
			}
		}
		out = append(out, l)
	}
	with, args := "", []any(nil)
	if purpose != "" {
		with, args = " AND EXISTS (SELECT 1 FROM "+agreedIn(purpose)+" AND y.purpose = ? AND y.scope_id = ?)", []any{string(purpose), scope}
	}
	add(boxes, lookup{
		query:  "SELECT m.supporter_id, m.address_hash, m.address_sealed, m.suppressed_reason, CASE WHEN m.suppressed_at IS NULL THEN '' ELSE 'x' END FROM mailboxes m WHERE m.address_sealed IS NOT NULL AND {ids}" + with + " ORDER BY m.supporter_id, m.created_at, m.id",
		column: "m.supporter_id", args: args,
	}, func(o *person, v [][]byte) {
		o.boxes = append(o.boxes, box{hash: c.keep(v[1]), sealed: c.keep(v[2]), reason: c.keep(v[3]), suppressed: len(v[4]) > 0})
	})
	add(phones, lookup{
		query:  "SELECT supporter_id, id, number_sealed FROM phones WHERE {ids} ORDER BY supporter_id, created_at, id",
		column: "supporter_id",
	}, func(o *person, v [][]byte) { o.phones = append(o.phones, phone{p.snap.id(v[1]), c.keep(v[2])}) })
	add(tags, lookup{
		query:  "SELECT supporter_id, tag_id FROM taggings WHERE {ids} ORDER BY supporter_id, tag_id",
		column: "supporter_id",
	}, func(o *person, v [][]byte) { o.tags = append(o.tags, p.snap.id(v[1])) })
	add(fields, lookup{
		query:  "SELECT supporter_id, field_id, text_value, value_sealed FROM field_values WHERE {ids} ORDER BY supporter_id, field_id",
		column: "supporter_id",
	}, func(o *person, v [][]byte) {
		o.fields = append(o.fields, value{p.snap.id(v[1]), c.keep(v[2]), c.keep(v[3])})
	})
	add(places, lookup{
		query:  "SELECT d.supporter_id, d.kind, x.ocd_id FROM supporter_divisions d JOIN divisions x ON x.id = d.division_id WHERE {ids} ORDER BY d.supporter_id, d.kind",
		column: "d.supporter_id",
	}, func(o *person, v [][]byte) { o.places = append(o.places, place{c.keep(v[1]), c.keep(v[2])}) })
	add(agreed, lookup{
		query: "SELECT m.supporter_id, c.purpose, c.scope_id, c.given_at, CASE WHEN m.suppressed_at IS NULL THEN '' ELSE 'x' END FROM mailboxes m JOIN consents c ON c.mailbox_id = m.id " +
			"WHERE {ids} AND c.withdrawn_at IS NULL" + with + " ORDER BY m.supporter_id, c.given_at, c.id",
		column: "m.supporter_id", args: args,
	}, func(o *person, v [][]byte) {
		purpose := models.Purpose(v[1])
		o.consents = append(o.consents, consent{c.keep(v[1]), p.snap.id(v[2]), p.snap.at(v[3]), mails(purpose) && len(v[4]) == 0})
	})
	return out
}
