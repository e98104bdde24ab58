package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/segments"
	"kithline/campaigns/vault"
	"kithline/models/database"
	"kithline/models/migrations"
)

// The promise about segments: how long a count over this world takes at most, on PostgreSQL.
const (
	segmentLimit  = time.Second
	segmentPeople = 1_000_000
	segmentActs   = 5_000_000
)

// segments measures the live count of five typical segments over a million supporters and five million signatures.
func (b *bench) segments(ctx context.Context) error {
	people, acts := segmentPeople, segmentActs
	if b.rounds == 1 {
		people, acts = people/10, acts/10
		b.out.note("segments: -short makes a world of a tenth; the promise is about the whole one")
	}
	pg, err := durableServer()
	if err != nil {
		b.out.note("segments: PostgreSQL is not measured: %v", err)
	} else if err := b.segmentsOn(ctx, "PostgreSQL", pg, people, acts); err != nil {
		return err
	}
	// A tenth: the whole would take minutes to make, and who has a million supporters has PostgreSQL.
	return b.segmentsOn(ctx, "SQLite", "sqlite:"+filepath.Join(b.dir, "segments.db"), people/10, acts/10)
}

// aSegment is one of the five, with the tables that its people are read from.
type aSegment struct {
	name   string
	rule   segments.Rule
	tables []string
}

// num is the id that the n-th row of a table of the world has. Both databases make the same ones.
func num(table, n int) string {
	return fmt.Sprintf("%08x-0000-7000-8000-%012x", table, n)
}

// The tables of the world, as they stand in ids.
const (
	aPerson = iota + 1
	aMailbox
	aPetition
	aCampaign
	aTag
	aField
	aChapter
	aDivision
	aText
	aMailing
	aSignature
	aConsent
	aDelivery
)

// typical are the five segments, named in docs/architecture.md too.
func typical() []aSegment {
	is := func(kind string, values ...string) segments.Node {
		n := segments.Node{Kind: kind, Values: map[string]string{}}
		for i := 0; i < len(values); i += 2 {
			n.Values[values[i]] = values[i+1]
		}
		return n
	}
	not := func(n segments.Node) segments.Node { n.Exclude = true; return n }
	all := func(items ...segments.Node) segments.Rule {
		return segments.Rule{Root: segments.Node{Kind: segments.Group, Match: segments.All, Items: items}}
	}
	anyOf := func(items ...segments.Node) segments.Node {
		return segments.Node{Kind: segments.Group, Match: segments.Any, Items: items}
	}
	tenth := all(is("campaign", "campaign", num(aCampaign, 2)), not(is("chapter", "chapter", num(aChapter, 3))))
	tenth.Pick = segments.Pick{Percent: 10, Seed: strings.Repeat("5e", 8)}
	return []aSegment{
		{"signed X in the last 90 days and lives in district D", all(is("signed", "petition", num(aPetition, 1), "when", "last", "days", "90"), is("division", "division", "ocd-division/country:us/state:nc/cd:7")), []string{"supporters", "signatures", "supporter_divisions"}},
		{"tag A or B, not C", all(anyOf(is("tag", "tag", num(aTag, 1)), is("tag", "tag", num(aTag, 2))), not(is("tag", "tag", num(aTag, 3)))), []string{"supporters", "taggings"}},
		{"agreed to the newsletter, never signed", all(is("consent", "to", "newsletter/"+uuid.Nil.String()), not(is("signed"))), []string{"supporters", "consents", "signatures"}},
		{"field region = north, mailed nothing for 30 days", all(is("field", "of", num(aField, 1), "op", "is", "value", "north"), not(is("mailed", "when", "last", "days", "30"))), []string{"supporters", "field_values", "deliveries"}},
		{"10 % by chance of the signers of campaign Y outside chapter Z", tenth, []string{"supporters", "signatures"}},
	}
}

func (b *bench) segmentsOn(ctx context.Context, name, url string, people, acts int) (err error) {
	db, err := database.Open(ctx, database.Options{URL: url, Building: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := migrations.Up(ctx, db); err != nil {
		return err
	}
	began := time.Now()
	if err := segmentWorld(ctx, db, people, acts); err != nil {
		return err
	}
	b.out.note("segments: %s, %s supporters and %s signatures made in %.0f s", name, number(people), number(acts), time.Since(began).Seconds())
	svc := segments.New(db, vault.New(vault.NewKey()), clock.System)
	viewer := actor.Actor{Kind: actor.User, Role: actor.Viewer}
	for _, s := range typical() {
		id, err := svc.Create(ctx, actor.TheSystem(), segments.Input{Name: s.name, Rule: s.rule})
		if err != nil {
			return err
		}
		var took, plain []time.Duration
		n := 0
		for range b.rounds + 2 {
			began := time.Now()
			c, err := svc.Count(ctx, viewer, id)
			if err != nil {
				return err
			}
			took, n = append(took, time.Since(began)), c.People
			began = time.Now()
			for _, table := range s.tables {
				var rows int64
				if err := db.WithContext(ctx).Table(table).Count(&rows).Error; err != nil {
					return err
				}
			}
			plain = append(plain, time.Since(began))
		}
		if n == 0 {
			return fmt.Errorf("nobody is in %q: the world is wrong", s.name)
		}
		t, p := median(took), median(plain)
		l := line{
			what: "segment, " + name + ": " + s.name, figure: ms(t) + " ms",
			beside: fmt.Sprintf("%s people; count(*) of %s takes %s ms: %s times that", number(n), strings.Join(s.tables, ", "), ms(p), ratio(float64(t), float64(p))),
		}
		if db.Postgres() && people == segmentPeople {
			l.beside = b.out.promise(t <= segmentLimit, "at most 1 s") + "; " + l.beside
		}
		b.out.add(l)
	}
	return nil
}

// series is a SELECT of the numbers from 0 to n-1, as n, in the words of the database.
func series(db *database.DB, n int) string {
	if db.Postgres() {
		return fmt.Sprintf("SELECT n::bigint AS n FROM generate_series(0, %d) AS n", n-1)
	}
	return fmt.Sprintf("WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < %d) SELECT n FROM s", n-1)
}

// words are the parts of SQL in which the databases differ.
type words struct{ pg bool }

// id is the id of a row of a table, by an expression that gives its number.
func (w words) id(table int, n string) string {
	if w.pg {
		return fmt.Sprintf("('%08x-0000-7000-8000-' || lpad(to_hex(%s), 12, '0'))::uuid", table, n)
	}
	return fmt.Sprintf("('%08x-0000-7000-8000-' || printf('%%012x', %s))", table, n)
}

// ago is a time so many minutes back, by an expression.
func (w words) ago(minutes string) string {
	if w.pg {
		return "now() - make_interval(mins => (" + minutes + ")::int)"
	}
	return "strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now', '-' || (" + minutes + ") || ' minutes')"
}

// blob is a value of n bytes, as a sealed one is.
func (w words) blob(n int) string {
	if w.pg {
		return fmt.Sprintf("decode(repeat('a7', %d), 'hex')", n)
	}
	return fmt.Sprintf("CAST(zeroblob(%d) AS blob)", n)
}

// hash is a value of 8 bytes that differs from row to row.
func (w words) hash(n string) string {
	if w.pg {
		return "int8send(" + n + ")"
	}
	return "CAST(printf('%016x', " + n + ") AS blob)"
}

// segmentWorld fills a database by statements over sets: people with one address each, signatures on 20 petitions of 4 campaigns over
// 400 days, a tag on every tenth, twentieth and seventh, a field, a district, a chapter, consents, and two mailings.
func segmentWorld(ctx context.Context, db *database.DB, people, acts int) error {
	w := words{db.Postgres()}
	each := acts / 20
	const day = 24 * 60
	nobody := "'" + uuid.Nil.String() + "'"
	if w.pg {
		nobody += "::uuid"
	}
	yes := "1"
	if w.pg {
		yes = "true"
	}
	run := []string{
		"INSERT INTO chapters (id, slug, name, postal_areas, created_at, updated_at) SELECT " + w.id(aChapter, "n") + ", 'c' || n, 'Chapter ' || n, '', " + w.ago("0") + ", " + w.ago("0") + " FROM (" + series(db, 10) + ") s",
		"INSERT INTO campaigns (id, slug, title, ask, decider, why_now, system_change, state, created_at, updated_at) SELECT " + w.id(aCampaign, "n") + ", 'k' || n, 'Campaign ' || n, '', '', '', '', 'published', " + w.ago("0") + ", " + w.ago("0") + " FROM (" + series(db, 4) + ") s",
		`INSERT INTO petitions (id, campaign_id, slug, state, title, summary, body, decider, why_now, system_change, place, goal, locale, revision, pending_count, signature_count, return_reason, return_text, created_at, updated_at)
			SELECT ` + w.id(aPetition, "n") + ", " + w.id(aCampaign, "n % 4") + ", 'p' || n, 'published', 'Petition ' || n, '', '', '', '', '', '', 0, 'en', 1, 0, 0, '', '', " + w.ago("0") + ", " + w.ago("0") + " FROM (" + series(db, 20) + ") s",
		"INSERT INTO tags (id, name, name_key, created_at) SELECT " + w.id(aTag, "n") + ", 'Tag ' || n, 'tag ' || n, " + w.ago("0") + " FROM (" + series(db, 4) + ") s",
		"INSERT INTO custom_fields (id, name, label, kind, choices, private, seen_by, position, created_at, updated_at) SELECT " + w.id(aField, "n") + ", 'f' || n, 'Region', 'choice', 'north\nsouth\neast\nwest', NOT " + yes + ", 'coordinator', 0, " + w.ago("0") + ", " + w.ago("0") + " FROM (" + series(db, 2) + ") s",
		"INSERT INTO divisions (id, ocd_id, name, country, region, kind, same_as, valid_from, valid_through, version, created_at, updated_at) SELECT " + w.id(aDivision, "n") + ", 'ocd-division/country:us/state:nc/cd:' || n, 'District ' || n, 'US', 'NC', 'cd', '', '', '', '', " + w.ago("0") + ", " + w.ago("0") + " FROM (" + series(db, 435) + ") s",
		"INSERT INTO consent_texts (id, purpose, locale, version, body, created_at) SELECT " + w.id(aText, "n") + ", 'newsletter', 'en', n, 'Write to me', " + w.ago("0") + " FROM (" + series(db, 1) + ") s",
		"INSERT INTO mailings (id, purpose, scope_id, subject, preheader, body, locale, state, revision, audience_count, created_at, updated_at, paused_reason) SELECT " + w.id(aMailing, "n") + ", 'newsletter', " + nobody + ", 'Mailing ' || n, '', '', 'en', 'finished', 1, 0, " + w.ago("0") + ", " + w.ago("0") + ", '' FROM (" + series(db, 2) + ") s",

		"INSERT INTO supporters (id, given_name_sealed, family_name_sealed, postal_area, country, locale, source, created_at, updated_at, chapter_id) SELECT " + w.id(aPerson, "n") + ", " + w.blob(45) + ", " + w.blob(47) + ", substr(CAST(10000 + n % 80000 AS text), 1, 5), 'US', CASE WHEN n % 9 = 0 THEN 'es' ELSE 'en' END, 'petition', " + w.ago(fmt.Sprintf("(%d - n) %% (400 * %d)", people, day)) + ", " + w.ago("0") + ", CASE WHEN n % 3 = 0 THEN " + w.id(aChapter, "n % 10") + " END FROM (" + series(db, people) + ") s",
		"INSERT INTO mailboxes (id, address_hash, address_sealed, domain, verified_at, suppressed_reason, supporter_id, created_at, updated_at) SELECT " + w.id(aMailbox, "n") + ", " + w.hash("n") + ", " + w.blob(60) + ", 'example.org', " + w.ago("0") + ", '', " + w.id(aPerson, "n") + ", " + w.ago("0") + ", " + w.ago("0") + " FROM (" + series(db, people) + ") s",
		// Each petition has as many different signers, spread over all people but every tenth, who never signed.
		`INSERT INTO signatures (id, petition_id, mailbox_id, state, given_name_sealed, family_name_sealed, postal_area, display, display_name, comment_state, comment_shown, wants_updates, locale, source, code_tries, number, created_at, confirmed_at, expires_at)
			SELECT ` + w.id(aSignature, "n") + ", " + w.id(aPetition, fmt.Sprintf("n / %d", each)) + ", " + w.id(aMailbox, fmt.Sprintf("((n * 7919 + n / %d * 31) %% %d) / 9 * 10 + ((n * 7919 + n / %d * 31) %% %d) %% 9", each, people/10*9, each, people/10*9)) +
			", 'confirmed', " + w.blob(45) + ", " + w.blob(47) + ", '10203', 'name', 'June O.', '', '', " + yes + ", 'en', '', 0, 0, " + w.ago(fmt.Sprintf("(n * 104729) %% (400 * %d)", day)) + ", " + w.ago(fmt.Sprintf("(n * 104729) %% (400 * %d)", day)) + ", " + w.ago("0") + " FROM (" + series(db, acts) + ") s",
		"INSERT INTO taggings (supporter_id, tag_id, created_at) SELECT " + w.id(aPerson, "n") + ", " + w.id(aTag, "1") + ", " + w.ago("0") + " FROM (" + series(db, people) + ") s WHERE n % 10 = 1",
		"INSERT INTO taggings (supporter_id, tag_id, created_at) SELECT " + w.id(aPerson, "n") + ", " + w.id(aTag, "2") + ", " + w.ago("0") + " FROM (" + series(db, people) + ") s WHERE n % 20 = 3",
		"INSERT INTO taggings (supporter_id, tag_id, created_at) SELECT " + w.id(aPerson, "n") + ", " + w.id(aTag, "3") + ", " + w.ago("0") + " FROM (" + series(db, people) + ") s WHERE n % 7 = 0",
		"INSERT INTO field_values (supporter_id, field_id, text_value, updated_at) SELECT " + w.id(aPerson, "n") + ", " + w.id(aField, "1") + ", CASE n % 4 WHEN 0 THEN 'north' WHEN 1 THEN 'south' WHEN 2 THEN 'east' ELSE 'west' END, " + w.ago("0") + " FROM (" + series(db, people) + ") s WHERE n % 5 < 4",
		"INSERT INTO supporter_divisions (supporter_id, kind, division_id, how, version, updated_at) SELECT " + w.id(aPerson, "n") + ", 'cd', " + w.id(aDivision, "n % 435") + ", 'postal', '', " + w.ago("0") + " FROM (" + series(db, people) + ") s WHERE n % 5 < 4",
		"INSERT INTO consents (id, mailbox_id, purpose, scope_id, text_id, locale, shown_at, given_at, source, how, withdrawn_how) SELECT " + w.id(aConsent, "n") + ", " + w.id(aMailbox, "n") + ", CASE WHEN n % 10 < 7 THEN 'updates' ELSE 'newsletter' END, CASE WHEN n % 10 < 7 THEN " + w.id(aCampaign, "n % 4") + " ELSE " + nobody + " END, " + w.id(aText, "0") + ", 'en', " + w.ago("0") + ", " + w.ago("n % (400 * 1440)") + ", '', 'mail', '' FROM (" + series(db, people) + ") s",
		// Ten and a hundred days ago a third of the people each.
		"INSERT INTO deliveries (id, kind, mailbox_id, subject_id, mailing_id, purpose, scope_id, dedupe_key, priority, state, on_unknown, attempt, deferrals, not_before, node, reply_code, reply, created_at, updated_at, sent_at) SELECT " + w.id(aDelivery, "n") + ", 'mailing', " + w.id(aMailbox, "n") + ", " + w.id(aMailing, "n % 2") + ", " + w.id(aMailing, "n % 2") + ", 'receipt', " + nobody + ", 'd' || n, 50, 'sent', 'park', 1, 0, " + w.ago("0") + ", '', 250, '', " + w.ago("0") + ", " + w.ago("0") + ", " + w.ago(fmt.Sprintf("(n %% 2 * 90 + 10) * %d", day)) + " FROM (" + series(db, people) + ") s WHERE n % 3 < 2",
	}
	conn, err := db.SQL.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// The rows are right by how they are made: looking each reference up took most of the time.
	quick, slow, after := "SET session_replication_role = replica", "SET session_replication_role = origin", "VACUUM ANALYZE"
	if !w.pg {
		quick, slow, after = "PRAGMA foreign_keys = OFF", "PRAGMA foreign_keys = ON", "ANALYZE"
	}
	for _, q := range append(append([]string{quick}, run...), slow, after) {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return fmt.Errorf("%w: %s", err, q[:min(len(q), 120)])
		}
	}
	return nil
}
