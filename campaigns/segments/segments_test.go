package segments_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/campaigns/segments"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var ctx = context.Background()

// staff is the one account that all roles of a test share.
var staff = models.NewID()

func account(r actor.Role, chapter *uuid.UUID) actor.Actor {
	a := actor.Actor{Kind: actor.User, Role: r, UserID: staff}
	if chapter != nil {
		a.ChapterID = *chapter
	}
	return a
}

func is(kind string, values ...string) segments.Node {
	n := segments.Node{Kind: kind, Values: map[string]string{}}
	for i := 0; i < len(values); i += 2 {
		n.Values[values[i]] = values[i+1]
	}
	return n
}

func rule(match string, items ...segments.Node) segments.Rule {
	return segments.Rule{Root: segments.Node{Kind: segments.Group, Match: match, Items: items}}
}

func wrong(err error) map[string]string {
	out := map[string]string{}
	var f *fault.Error
	if errors.As(err, &f) {
		for _, x := range f.Fields {
			out[x.Name] = x.Key
		}
		if len(f.Fields) == 0 {
			out["*"] = f.Key
		}
	}
	return out
}

func hire(t *testing.T, db *database.DB) {
	t.Helper()
	b := models.Mailbox{ID: models.NewID(), AddressHash: []byte("staff"), AddressSealed: []byte{1}, CreatedAt: now, UpdatedAt: now}
	create(t, db, &b, &models.User{ID: staff, MailboxID: b.ID, Role: "organizer", CreatedAt: now, UpdatedAt: now})
}

func setup(t *testing.T, db *database.DB) (*world, *segments.Service) {
	t.Helper()
	w := newWorld(t, db, rand.New(rand.NewPCG(7, 7)), 40) //nolint:gosec // a test
	hire(t, db)
	return w, segments.New(db, vault.New(vault.NewKey()), clock.NewFixed(now))
}

// TestWrongConditionsAreToldWhereTheyAre: each mistake stands at its own field, and nothing is saved.
func TestWrongConditionsAreToldWhereTheyAre(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w, s := setup(t, db)
		field := func(i int) string { return w.fields[i].ID.String() }
		deep := rule(segments.All)
		for range segments.MaxDepth {
			deep = rule(segments.All, deep.Root)
		}
		deep.Root.Items[0].Items = append(deep.Root.Items[0].Items, is("phone"))
		manyOf := rule(segments.All)
		for range segments.MaxConditions + 1 {
			manyOf.Root.Items = append(manyOf.Root.Items, is("phone"))
		}
		picked := func(p segments.Pick) segments.Rule { r := rule(segments.All); r.Pick = p; return r }
		for _, x := range []struct {
			rule segments.Rule
			want map[string]string
		}{
			{rule(segments.All, is("tag")), map[string]string{"r.0-tag": "error.segment_missing"}},
			{rule(segments.All, is("tag", "tag", models.NewID().String())), map[string]string{"r.0-tag": "error.segment_choice"}},
			{rule(segments.All, is("tag", "tag", "' OR 1=1 --")), map[string]string{"r.0-tag": "error.segment_choice"}},
			{rule(segments.All, is("no_such")), map[string]string{"r.0-kind": "error.segment_gone"}},
			{rule("most", is("phone")), map[string]string{"r-match": "error.value_unknown"}},
			{rule(segments.All, rule(segments.Any).Root), map[string]string{"r.0-match": "error.segment_empty_group"}},
			{rule(segments.All, is("phone"), rule(segments.Any, is("country", "country", "Atlantis")).Root), map[string]string{"r.1.0-country": "error.segment_country"}},
			{rule(segments.All, is("joined", "when", "last", "days", "0")), map[string]string{"r.0-days": "error.segment_days"}},
			{rule(segments.All, is("joined", "when", "between")), map[string]string{"r.0-from": "error.segment_dates"}},
			{rule(segments.All, is("joined", "when", "between", "from", "yesterday")), map[string]string{"r.0-from": "error.segment_date"}},
			{rule(segments.All, is("joined", "when", "between", "from", "2027-02-02", "until", "2027-02-01")), map[string]string{"r.0-until": "error.segment_dates_order"}},
			{rule(segments.All, is("field", "of", field(1), "op", "greater", "value", "tall")), map[string]string{"r.0-value": "error.number_invalid"}},
			{rule(segments.All, is("field", "of", field(2), "op", "before", "value", "1.1.")), map[string]string{"r.0-value": "error.segment_date"}},
			{rule(segments.All, is("field", "of", field(3), "op", "is", "value", "up")), map[string]string{"r.0-value": "error.value_unknown"}},
			{rule(segments.All, is("field", "of", field(3), "op", "contains", "value", "north")), map[string]string{"r.0-op": "error.value_unknown"}},
			{rule(segments.All, is("field", "of", field(0), "op", "is")), map[string]string{"r.0-value": "error.segment_value"}},
			{rule(segments.All, is("field", "of", field(5), "op", "filled")), map[string]string{"r.0-kind": "error.segment_gone"}}, // private
			{rule(segments.All, is("consent", "to", "receipt/any")), map[string]string{"r.0-to": "error.segment_choice"}},
			{rule(segments.All, is("consent", "to", "phone/any")), map[string]string{"r.0-to": "error.segment_choice"}},
			{rule(segments.All, is("source", "source", strings.Repeat("x", segments.MaxValue+1))), map[string]string{"r.0-source": "error.text_too_long"}},
			{rule(segments.All, is("source", "source", "a\x00b")), map[string]string{"r.0-source": "error.text_unreadable"}},
			{picked(segments.Pick{Percent: 101}), map[string]string{"pick_n": "error.segment_percent"}},
			{picked(segments.Pick{Count: -1}), map[string]string{"pick_n": "error.segment_number"}},
			{deep, map[string]string{"": "error.segment_deep"}},
			{manyOf, map[string]string{"": "error.segment_many"}},
		} {
			_, err := s.Create(ctx, account(actor.Organizer, nil), segments.Input{Name: "x", Rule: x.rule})
			if got := wrong(err); fmt.Sprint(got) != fmt.Sprint(x.want) {
				t.Errorf("%+v: %v, want %v", x.rule, got, x.want)
			}
		}
		var n int64
		if err := db.Model(&models.Segment{}).Count(&n).Error; err != nil || n != 0 {
			t.Errorf("%d were saved, %v", n, err)
		}
	})
}

// TestSegmentsInACircle: none can be saved, and one that came about all the same is refused, not followed for ever.
func TestSegmentsInACircle(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		_, s := setup(t, db)
		a := account(actor.Organizer, nil)
		first, err := s.Create(ctx, a, segments.Input{Name: "First", Rule: rule(segments.All, is("phone"))})
		if err != nil {
			t.Fatal(err)
		}
		second, err := s.Create(ctx, a, segments.Input{Name: "Second", Rule: rule(segments.All, is("segment", "segment", first.String()))})
		if err != nil {
			t.Fatal(err)
		}
		err = s.Save(ctx, a, first, segments.Input{Revision: 1, Name: "First", Rule: rule(segments.All, is("segment", "segment", second.String()))})
		if wrong(err)["*"] != "error.segment_circle" {
			t.Errorf("through another: %v", err)
		}
		err = s.Save(ctx, a, first, segments.Input{Revision: 1, Name: "First", Rule: rule(segments.All, is("segment", "segment", first.String()))})
		if wrong(err)["r.0-segment"] != "error.segment_circle" {
			t.Errorf("itself: %v", err)
		}
		b, _ := json.Marshal(rule(segments.All, is("segment", "segment", second.String())))
		if err := db.Model(&models.Segment{}).Where("id = ?", first).Update("rule", string(b)).Error; err != nil {
			t.Fatal(err)
		}
		if _, _, err := segments.Members(ctx, db.DB, first); wrong(err)["*"] != "error.segment_circle" {
			t.Errorf("a circle in the database: %v", err)
		}
	})
}

// TestRightsAndChaptersOfSegments: who may see figures counts, who may edit saves, names are for who may see them; a chapter's
// account works in its chapter, and knows of nothing else.
func TestRightsAndChaptersOfSegments(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w, s := setup(t, db)
		north, south := &w.chapters[0].ID, &w.chapters[1].ID
		everybody := segments.Input{Name: "Everybody", Rule: segments.Everybody()}
		id, err := s.Create(ctx, account(actor.Organizer, north), everybody)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := s.Create(ctx, account(actor.Owner, nil), everybody)
		if err != nil {
			t.Fatal(err)
		}
		in := 0
		for _, p := range w.people {
			if p.ChapterID != nil && *p.ChapterID == *north {
				in++
			}
		}
		c, err := s.Count(ctx, account(actor.Organizer, north), id)
		if err != nil || c.People != in || len(c.Sample) != min(in, 10) {
			t.Errorf("the chapter counts %d with %d names of %d, %v", c.People, len(c.Sample), in, err)
		}
		if c, err := s.Count(ctx, account(actor.Owner, nil), id); err != nil || c.People != in {
			t.Errorf("the organisation counts %d of the chapter's %d, %v", c.People, in, err)
		}
		if c, err := s.Count(ctx, account(actor.Viewer, nil), whole); err != nil || c.People != len(w.people) || c.Sample != nil {
			t.Errorf("a viewer: %+v, %v", c, err)
		}
		if c, err := s.CountRule(ctx, account(actor.Organizer, south), uuid.Nil, segments.Everybody()); err != nil || c.People == len(w.people) || c.People == 0 {
			t.Errorf("a rule of a chapter counts %d of all %d, %v", c.People, len(w.people), err)
		}
		for name, err := range map[string]error{
			"get":       func() error { _, _, err := s.Get(ctx, account(actor.Organizer, south), id); return err }(),
			"count":     func() error { _, err := s.Count(ctx, account(actor.Organizer, south), id); return err }(),
			"save":      s.Save(ctx, account(actor.Organizer, south), id, everybody),
			"freeze":    s.Freeze(ctx, account(actor.Organizer, south), id),
			"archive":   s.Archive(ctx, account(actor.Organizer, south), id),
			"the whole": func() error { _, err := s.Copy(ctx, account(actor.Organizer, south), whole, "x"); return err }(),
		} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s by another chapter: %v", name, err)
			}
		}
		if list, err := s.List(ctx, account(actor.Organizer, south), false, paging.Cursor{}); err != nil || len(list.Rows) != 0 {
			t.Errorf("another chapter lists %d, %v", len(list.Rows), err)
		}
		named := rule(segments.All, is("segment", "segment", id.String()))
		if _, err := s.Create(ctx, account(actor.Organizer, south), segments.Input{Name: "x", Rule: named}); wrong(err)["r.0-segment"] != "error.segment_choice" {
			t.Errorf("another chapter's segment in a rule: %v", err)
		}
		for _, r := range []actor.Role{actor.Viewer, actor.Coordinator, actor.Advocate} {
			if _, err := s.Create(ctx, account(r, nil), everybody); !fault.Is(err, fault.Forbidden) {
				t.Errorf("a %s makes one: %v", r, err)
			}
			if _, err := s.CountRule(ctx, account(r, nil), uuid.Nil, segments.Everybody()); !fault.Is(err, fault.Forbidden) {
				t.Errorf("a %s counts a rule of their own: %v", r, err)
			}
		}
		// Places are suggested where people live whom the account may see, and nowhere else.
		far := models.Division{ID: models.NewID(), OCDID: "ocd-division/country:us/state:ak", Name: "Far away", Kind: "state", CreatedAt: w.people[0].CreatedAt, UpdatedAt: w.people[0].CreatedAt}
		i := slices.IndexFunc(w.people, func(p models.Supporter) bool { return p.ChapterID != nil && *p.ChapterID == *south })
		for _, row := range []any{&far, &models.SupporterDivision{SupporterID: w.people[i].ID, Kind: "state", DivisionID: far.ID, How: models.ByHand, UpdatedAt: w.people[0].CreatedAt}} {
			if err := db.Create(row).Error; err != nil {
				t.Fatal(err)
			}
		}
		for who, want := range map[*uuid.UUID]bool{north: false, south: true, nil: true} {
			x, err := s.Show(ctx, account(actor.Organizer, who), rule(segments.All, is("division", "division", far.OCDID)))
			if err != nil {
				t.Fatal(err)
			}
			o := x.Items[0].Fields[0].Options
			if got := slices.ContainsFunc(o, func(o segments.Option) bool { return o.Value == far.OCDID }); got != want || len(o) == 0 {
				t.Errorf("%v is offered %d places, one where only somebody of the south lives among them: %t", who, len(o), got)
			}
		}
		// A field that only the owner sees is none that an organizer can ask for.
		if err := db.Model(&models.CustomField{}).Where("id = ?", w.fields[0].ID).Update("seen_by", "owner").Error; err != nil {
			t.Fatal(err)
		}
		ask := segments.Input{Name: "x", Rule: rule(segments.All, is("field", "of", w.fields[0].ID.String(), "op", "filled"))}
		if _, err := s.Create(ctx, account(actor.Organizer, nil), ask); wrong(err)["r.0-kind"] != "error.segment_gone" {
			t.Errorf("an organizer asks for the owner's field: %v", err)
		}
		asked, err := s.Create(ctx, account(actor.Owner, nil), ask)
		if err != nil {
			t.Fatal(err)
		}
		// Once it is private, nothing counts by it any more.
		if err := db.Model(&models.CustomField{}).Where("id = ?", w.fields[0].ID).Update("private", true).Error; err != nil {
			t.Fatal(err)
		}
		if _, err := s.Count(ctx, account(actor.Owner, nil), asked); wrong(err)["*"] != "error.segment_private" {
			t.Errorf("a private field is counted by: %v", err)
		}
	})
}

// TestSnapshotsStay: frozen by one statement, even by two people at once; nobody joins; live again they do.
func TestSnapshotsStay(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w, s := setup(t, db)
		a := account(actor.Organizer, nil)
		r := rule(segments.All, is("tag", "tag", w.tags[0].ID.String()))
		r.Pick = segments.Pick{Percent: 60}
		id, err := s.Create(ctx, a, segments.Input{Name: "Some", Rule: r})
		if err != nil {
			t.Fatal(err)
		}
		before := read(t, db, id)
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if err := s.Freeze(ctx, a, id); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := read(t, db, id); !slices.Equal(got, before) || len(got) == 0 {
			t.Errorf("frozen %d of %d", len(got), len(before))
		}
		if err := db.Exec("DELETE FROM taggings").Error; err != nil {
			t.Fatal(err)
		}
		m, _, err := s.Get(ctx, a, id)
		if got := read(t, db, id); err != nil || !slices.Equal(got, before) || m.FrozenCount != len(before) {
			t.Errorf("the snapshot moved: %d of %d, %+v, %v", len(got), len(before), m, err)
		}
		if err := s.Save(ctx, a, id, segments.Input{Revision: m.Revision, Name: "Some", Rule: segments.Everybody()}); !fault.Is(err, fault.Conflict) {
			t.Errorf("the rule of a snapshot changed: %v", err)
		}
		if err := s.Thaw(ctx, a, id); err != nil {
			t.Fatal(err)
		}
		if got := read(t, db, id); len(got) != 0 {
			t.Errorf("live again: %d", len(got))
		}
		if err := s.Save(ctx, a, id, segments.Input{Revision: m.Revision - 1, Name: "Old", Rule: segments.Everybody()}); !fault.Is(err, fault.Conflict) {
			t.Errorf("an old revision was saved: %v", err)
		}
	})
}

// TestPicksByChance: the same people whenever it is asked, about as many as was asked for, others by another seed, and the rest
// is reached by leaving the segment out.
func TestPicksByChance(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		db.NowFunc = clock.NewFixed(now).Now
		people := make([]models.Supporter, 2000)
		for i := range people {
			people[i] = models.Supporter{ID: models.NewID(), CreatedAt: now, UpdatedAt: now}
		}
		many(t, db, people)
		hire(t, db)
		s, a := segments.New(db, vault.New(vault.NewKey()), clock.NewFixed(now)), account(actor.Organizer, nil)
		make := func(p segments.Pick, items ...segments.Node) []uuid.UUID {
			r := rule(segments.All, items...)
			r.Pick = p
			id, err := s.Create(ctx, a, segments.Input{Name: "x", Rule: r})
			if err != nil {
				t.Fatal(err)
			}
			got := read(t, db, id)
			if again := read(t, db, id); !slices.Equal(got, again) {
				t.Error("asked again it is others")
			}
			if len(items) == 0 {
				n := is("segment", "segment", id.String())
				n.Exclude = true
				rest, err := s.CountRule(ctx, a, uuid.Nil, rule(segments.All, n))
				if err != nil || rest.People != len(people)-len(got) {
					t.Errorf("%d and the rest of %d, %v", len(got), rest.People, err)
				}
			}
			return got
		}
		tenth, other := make(segments.Pick{Percent: 10}), make(segments.Pick{Percent: 10})
		if len(tenth) < 140 || len(tenth) > 260 || slices.Equal(tenth, other) {
			t.Errorf("10 %% of 2000 are %d, and with another seed %d", len(tenth), len(other))
		}
		if n := len(make(segments.Pick{Count: 123})); n != 123 {
			t.Errorf("123 are %d", n)
		}
		if n := len(make(segments.Pick{Percent: 100})); n != 2000 {
			t.Errorf("all are %d", n)
		}
	})
}

// FuzzRulesAreBound: whatever a rule says, nothing of it is part of the SQL, and each value has its place.
func FuzzRulesAreBound(f *testing.F) {
	for _, s := range []string{"'; DROP TABLE supporters; --", "?", "{p}.id", "x) OR (1=1", "\\", "%", "updates/any", "2027-01-01", "last"} {
		f.Add(s, s, uint8(3))
	}
	db := testdb.SQLite(f)
	names := []string{"tag", "language", "source", "chapter", "division", "begins", "country", "petition", "campaign", "form", "to", "mailing", "state", "import", "when", "days", "from", "until", "of", "op", "value"}
	f.Fuzz(func(t *testing.T, a, b string, k uint8) {
		kind := allKinds[int(k)%(len(allKinds)-1)] // all but the segment, which reads rows
		const mark = "zqxjkvb"
		n := segments.Node{Kind: kind, Values: map[string]string{}}
		for i, name := range names {
			n.Values[name] = mark + a
			if i%2 == 0 {
				n.Values[name] = b + mark
			}
		}
		n.Values["when"] = "between"
		r := rule(segments.Any, n, is("phone"), rule(segments.All, n).Root)
		r.Root.Items[2].Exclude = true
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		m := models.Segment{ID: models.NewID(), Name: "x", Rule: string(text), CreatedAt: now, UpdatedAt: now}
		if err := db.Create(&m).Error; err != nil {
			t.Fatal(err)
		}
		sql, args, err := segments.Members(ctx, db.DB, m.ID)
		if err != nil {
			return // refused
		}
		if strings.Contains(sql, mark) || strings.Count(sql, "?") != len(args) {
			t.Fatalf("%s: %d values in %s", kind, len(args), sql)
		}
		var n2 int64
		if err := db.Raw("SELECT count(*) FROM ("+sql+") f", args...).Scan(&n2).Error; err != nil {
			t.Fatalf("%v: %s", err, sql)
		}
	})
}
