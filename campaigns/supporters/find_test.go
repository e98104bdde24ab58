package supporters_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/erasures"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/campaigns/supporters"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// room is a service on a database with a clock that the test moves.
type room struct {
	*supporters.Service
	t   *testing.T
	db  *database.DB
	v   *vault.Vault
	clk *clock.Fixed
}

func newRoom(t *testing.T, db *database.DB) *room {
	t.Helper()
	v, clk := vault.New(vault.NewKey()), clock.NewFixed(now)
	return &room{supporters.New(db, v, clk), t, db, v, clk}
}

func (r *room) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// person makes a record with an address. Each comes a second after the one before.
func (r *room) person(address string, f supporters.Facts, chapter *uuid.UUID) uuid.UUID {
	r.t.Helper()
	if f.Source == "" {
		f.Source = supporters.SourcePetition
	}
	at := r.clk.Add(time.Second)
	var id uuid.UUID
	r.must(r.db.Tx(context.Background(), func(tx *gorm.DB) (err error) {
		id, err = supporters.Attach(context.Background(), tx, r.v, mailbox(r.t, &database.DB{DB: tx}, r.v, address), f, at)
		return err
	}))
	if chapter != nil {
		r.must(r.db.Model(&models.Supporter{}).Where("id = ?", id).Updates(map[string]any{"chapter_id": *chapter, "updated_at": r.clk.Add(time.Second)}).Error)
	}
	return id
}

func (r *room) chapter(name string) *uuid.UUID {
	r.t.Helper()
	c := models.Chapter{ID: models.NewID(), Slug: name, Name: name, CreatedAt: now, UpdatedAt: now}
	r.must(r.db.Create(&c).Error)
	return &c.ID
}

func of(chapter *uuid.UUID) actor.Actor {
	return actor.Actor{Kind: actor.User, Role: actor.Organizer, ChapterID: *chapter}
}

// find returns the ids that a search gives, none where it finds nobody.
func (r *room) find(a actor.Actor, q string) []uuid.UUID {
	r.t.Helper()
	found, err := r.Find(context.Background(), a, q)
	if fault.Is(err, fault.Invalid) {
		return nil
	}
	r.must(err)
	ids := []uuid.UUID{}
	for _, x := range found.Rows {
		ids = append(ids, x.ID)
	}
	return ids
}

func TestFindByPartOfAName(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		r := newRoom(t, db)
		harbor, hill := r.chapter("Harbor"), r.chapter("Hill")
		june := r.person("june@example.org", supporters.Facts{GivenName: "June", FamilyName: "Okafor-Núñez"}, harbor)
		jun := r.person("jun@example.org", supporters.Facts{GivenName: "Jun", FamilyName: "Lee"}, hill)
		tijuna := r.person("ti@example.org", supporters.Facts{GivenName: "Tijuna"}, nil)
		whole := organizer()
		for q, want := range map[string][]uuid.UUID{
			"jun": {jun, june, tijuna}, "JUNE": {june}, "nunez june": {june}, "okafor núñez": {june}, "June Lee": nil, "fn": nil, "afor": {june}, "un le": {jun}, "ti": {tijuna},
		} {
			if got := r.find(whole, q); !slices.Equal(got, want) {
				t.Errorf("%q: %v, want %v", q, got, want)
			}
		}
		for a, want := range map[*uuid.UUID][]uuid.UUID{harbor: {june}, hill: {jun}} {
			if got := r.find(of(a), "jun"); !slices.Equal(got, want) {
				t.Errorf("a chapter finds %v, want %v", got, want)
			}
			if got := r.find(of(a), "tijuna"); got != nil {
				t.Errorf("a chapter finds somebody of nobody's: %v", got)
			}
		}

		// What changes is found at once, what was is not.
		r.must(db.Model(&models.Supporter{}).Where("id = ?", june).Updates(map[string]any{
			"given_name_sealed": r.v.Seal("supporters", "given_name_sealed", june, "Avery"), "updated_at": r.clk.Add(time.Second),
		}).Error)
		late := r.person("late@example.org", supporters.Facts{GivenName: "Junipera"}, nil)
		r.must(db.Model(&models.Supporter{}).Where("id = ?", jun).Updates(map[string]any{"chapter_id": *harbor, "updated_at": r.clk.Add(time.Second)}).Error)
		if got := r.find(whole, "jun"); !slices.Equal(got, []uuid.UUID{late, jun, tijuna}) {
			t.Errorf("after changes: %v", got)
		}
		if got := r.find(of(harbor), "jun"); !slices.Equal(got, []uuid.UUID{jun}) {
			t.Errorf("after a move: %v", got)
		}
		if got := r.find(of(hill), "jun"); got != nil {
			t.Errorf("the old chapter still finds %v", got)
		}
		// A chapter that the buffer has not heard of yet, since the time of change tells nothing: the database decides.
		r.must(db.Model(&models.Supporter{}).Where("id = ?", jun).UpdateColumn("chapter_id", *hill).Error)
		if got := r.find(of(harbor), "jun"); got != nil {
			t.Errorf("somebody of another chapter by now is shown: %v", got)
		}
		// Erased: gone from the page at once.
		r.must(db.Exec("UPDATE mailboxes SET supporter_id = NULL WHERE supporter_id = ?", tijuna).Error)
		r.must(db.Delete(&models.Supporter{}, "id = ?", tijuna).Error)
		if got := r.find(whole, "tijuna"); got != nil {
			t.Errorf("who is gone is found: %v", got)
		}
	})
}

func TestAnErasedNameLeavesTheMemory(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		r := newRoom(t, db)
		gone := r.person("june@example.org", supporters.Facts{GivenName: "June"}, nil)
		r.person("ana@example.org", supporters.Facts{GivenName: "Ana"}, nil)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Run(ctx, func(err error) { t.Error(err) })
		}()
		until := func(want int) {
			t.Helper()
			for {
				if people, _ := r.Held(); people == want {
					return
				}
				select {
				case <-t.Context().Done():
					t.Fatalf("never %d people", want)
				case <-time.After(time.Millisecond):
				}
			}
		}
		until(2) // read at the start, before anybody searches
		r.must(db.Tx(ctx, func(tx *gorm.DB) error {
			database.Announce(tx, erasures.Topic)
			return errors.Join(tx.Exec("UPDATE mailboxes SET supporter_id = NULL WHERE supporter_id = ?", gone).Error, tx.Delete(&models.Supporter{}, "id = ?", gone).Error)
		}))
		until(1)
		stop()
		<-done
	})
}

func TestFindByPhone(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		r := newRoom(t, db)
		june := r.person("june@example.org", supporters.Facts{GivenName: "June", Phone: "(617) 253-1000 ext. 5"}, nil)
		ana := r.person("ana@example.org", supporters.Facts{GivenName: "Ana", Phone: "020 7946 0958", Country: "GB"}, nil)
		odd := r.person("odd@example.org", supporters.Facts{GivenName: "Odd", Phone: "555-0101 (mornings)"}, nil)
		for q, want := range map[string][]uuid.UUID{
			"617-253-1000": {june}, "+1 617 253 1000": {june}, "6172531000": {june}, "1.617.253.1000": {june}, "(617) 253 1000 ext 5": {june}, "+1 617 253 1001": nil,
			"020 7946 0958": {ana}, "+44 20 7946 0958": {ana}, "+442079460958": {ana}, "5550101": {odd}, "555 0101": {odd}, "000": nil,
		} {
			if got := r.find(organizer(), q); !slices.Equal(got, want) {
				t.Errorf("%q: %v, want %v", q, got, want)
			}
		}
		hill := r.chapter("Hill")
		if got := r.find(of(hill), "6172531000"); got != nil {
			t.Errorf("a chapter finds %v", got)
		}
		if got := r.find(of(hill), "june@example.org"); got != nil {
			t.Errorf("a chapter finds %v", got)
		}
		v, err := r.Show(context.Background(), organizer(), june)
		r.must(err)
		if len(v.Phones) != 1 || v.Phones[0].Number != "+1 617-253-1000 ext. 5" || !v.Phones[0].Valid {
			t.Errorf("%+v", v.Phones)
		}
		if v, err = r.Show(context.Background(), organizer(), odd); err != nil || v.Phones[0].Number != "555-0101 (mornings)" || v.Phones[0].Valid {
			t.Errorf("%+v, %v", v.Phones, err)
		}
	})
}

func TestListsAreNarrowed(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		r, ctx := newRoom(t, db), context.Background()
		harbor := r.chapter("Harbor")
		var ids []uuid.UUID
		for i := range paging.Size + 20 {
			f := supporters.Facts{GivenName: fmt.Sprint("P", i)}
			if i%2 == 0 {
				f.Source, f.Phone = supporters.SourceImport, fmt.Sprintf("617253%04d", i)
			}
			chapter := harbor
			if i%3 == 0 {
				chapter = nil
			}
			ids = append(ids, r.person(fmt.Sprintf("p%d@example.org", i), f, chapter))
		}
		tag, err := supporters.EnsureTag(ctx, db.DB, "can  drive", now)
		r.must(err)
		if again, err := supporters.EnsureTag(ctx, db.DB, "Can Drive", now); err != nil || again.ID != tag.ID || tag.Name != "can drive" {
			t.Errorf("%+v, %v", again, err)
		}
		r.must(supporters.Tag(ctx, db.DB, ids[:paging.Size+5], []uuid.UUID{tag.ID}, now))
		r.must(supporters.Tag(ctx, db.DB, ids[:3], []uuid.UUID{tag.ID}, now.Add(time.Hour)))
		r.must(db.Exec("UPDATE mailboxes SET suppressed_at = ?, suppressed_reason = 'bounce' WHERE supporter_id IN ?", now, ids[:4]).Error)
		all := func(a actor.Actor, f supporters.Filter) (out []uuid.UUID) {
			t.Helper()
			for next := "-"; next != ""; {
				c, err := paging.Parse(map[bool]string{false: next}[next == "-"])
				r.must(err)
				page, err := r.List(ctx, a, f, c)
				r.must(err)
				for _, x := range page.Rows {
					out = append(out, x.ID)
				}
				next = page.Next
			}
			slices.Reverse(out) // oldest first, as made
			return out
		}
		where := func(keep func(i int) bool) (out []uuid.UUID) {
			for i, id := range ids {
				if keep(i) {
					out = append(out, id)
				}
			}
			return out
		}
		whole := organizer()
		for name, x := range map[string]struct {
			a    actor.Actor
			f    supporters.Filter
			want []uuid.UUID
		}{
			"all":          {whole, supporters.Filter{}, ids},
			"tag":          {whole, supporters.Filter{Tag: tag.ID}, where(func(i int) bool { return i < paging.Size+5 })},
			"chapter":      {whole, supporters.Filter{Chapter: *harbor}, where(func(i int) bool { return i%3 != 0 })},
			"source":       {whole, supporters.Filter{Source: "import"}, where(func(i int) bool { return i%2 == 0 })},
			"phone":        {whole, supporters.Filter{HasPhone: true}, where(func(i int) bool { return i%2 == 0 })},
			"suppressed":   {whole, supporters.Filter{Suppressed: true}, ids[:4]},
			"several":      {whole, supporters.Filter{Tag: tag.ID, HasPhone: true, Chapter: *harbor}, where(func(i int) bool { return i < paging.Size+5 && i%2 == 0 && i%3 != 0 })},
			"a chapter's":  {of(harbor), supporters.Filter{Tag: tag.ID}, where(func(i int) bool { return i < paging.Size+5 && i%3 != 0 })},
			"another's":    {of(r.chapter("Hill")), supporters.Filter{}, nil},
			"unknown tag":  {whole, supporters.Filter{Tag: uuid.Max}, nil},
			"not one's":    {of(harbor), supporters.Filter{Chapter: *r.chapter("Bay")}, nil},
			"the tag once": {of(harbor), supporters.Filter{Tag: tag.ID, Suppressed: true}, where(func(i int) bool { return i < 4 && i%3 != 0 })},
		} {
			if got := all(x.a, x.f); !slices.Equal(got, x.want) {
				t.Errorf("%s: %d, want %d", name, len(got), len(x.want))
			}
		}
		counts, err := r.Tags(ctx, of(harbor))
		r.must(err)
		if n, err := r.Count(ctx, of(harbor)); err != nil || n != int64(len(where(func(i int) bool { return i%3 != 0 }))) || counts[0].People != int64(len(where(func(i int) bool { return i < paging.Size+5 && i%3 != 0 }))) {
			t.Errorf("%d people, %d with the tag, %v", n, counts[0].People, err)
		}
	})
}

func keys(m map[string]any) iter.Seq[string] { return maps.Keys(m) }

func text(v any) string { return fmt.Sprintf("%v", v) }
