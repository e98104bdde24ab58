package chapters

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var (
	ctx   = context.Background()
	start = time.Date(2027, 2, 23, 10, 42, 0, 0, time.UTC)
	owner = actor.Actor{Kind: actor.User, Role: actor.Owner, UserID: uuid.New()}
)

func person(t *testing.T, db *database.DB, area string, chapter *uuid.UUID) uuid.UUID {
	t.Helper()
	s := models.Supporter{ID: models.NewID(), PostalArea: area, ChapterID: chapter, CreatedAt: start, UpdatedAt: start}
	if err := db.Create(&s).Error; err != nil {
		t.Fatal(err)
	}
	return s.ID
}

func chapterOf(t *testing.T, db *database.DB, id uuid.UUID) uuid.UUID {
	t.Helper()
	var s models.Supporter
	if err := db.Take(&s, "id = ?", id).Error; err != nil {
		t.Fatal(err)
	}
	if s.ChapterID == nil {
		return uuid.Nil
	}
	return *s.ChapterID
}

func TestPeopleJoinTheChapterOfTheirArea(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		s := New(db, clock.NewFixed(start))
		save := func(name, areas string) uuid.UUID {
			t.Helper()
			id, err := s.Save(ctx, owner, uuid.Nil, Input{Name: name, PostalAreas: areas})
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		coast := save("Coast", "0001*, 00123\nSW1A 1AA")
		hills := save("Hills", "000*; 0012*")
		shut := save("Shut", "9*")
		if err := s.Close(ctx, owner, shut, true); err != nil {
			t.Fatal(err)
		}
		save("Twins A", "55555")
		save("Twins B", "55555")
		for area, want := range map[string]uuid.UUID{
			"00011": coast, "00021": hills, "00123": coast, "00124": hills, "SW1A 1AA": coast, "SW1A 2AA": uuid.Nil, "90000": uuid.Nil, "": uuid.Nil, "55555": uuid.Nil, "1": uuid.Nil,
		} {
			id := person(t, db, area, nil)
			if n, err := s.AssignAll(ctx, owner); err != nil || n > 1 {
				t.Fatal(n, err)
			}
			if got := chapterOf(t, db, id); got != want {
				t.Errorf("%q joined %s, not %s", area, got, want)
			}
		}
		moved := person(t, db, "00011", &hills)
		if _, err := s.AssignAll(ctx, owner); err != nil || chapterOf(t, db, moved) != hills {
			t.Errorf("a chapter that somebody chose was changed: %v", err)
		}
		list, err := s.List(ctx, owner)
		if err != nil || len(list) != 5 || list[4].ID != shut || list[0].ID != coast || list[0].Supporters != 3 || list[1].Supporters != 3 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestWhatAChapterMayBe(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		s := New(db, clock.NewFixed(start))
		id, err := s.Save(ctx, owner, uuid.Nil, Input{Name: "  North   Shore ", PostalAreas: "02139-4307\n\n"})
		if err != nil {
			t.Fatal(err)
		}
		c, err := s.Get(ctx, owner, id)
		if err != nil || c.Name != "North Shore" || c.PostalAreas != "02139" {
			t.Errorf("%+v, %v", c, err)
		}
		for _, in := range []Input{{}, {Name: "- -"}, {Name: "north  shore"}, {Name: "x", PostalAreas: "*"}, {Name: "x", PostalAreas: "'; DROP"}} {
			if _, err := s.Save(ctx, owner, uuid.Nil, in); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v", in, err)
			}
		}
		if _, err := s.Save(ctx, owner, id, Input{Name: "North Shore"}); err != nil {
			t.Errorf("it cannot keep its own name: %v", err)
		}
		if _, err := s.Save(ctx, owner, uuid.New(), Input{Name: "Other"}); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		inside := actor.Actor{Kind: actor.User, Role: actor.Owner, UserID: uuid.New(), ChapterID: id}
		for _, err := range []error{
			func() error { _, err := s.Save(ctx, inside, id, Input{Name: "Ours"}); return err }(), s.Close(ctx, inside, id, true),
			func() error { _, err := s.List(ctx, inside); return err }(), func() error { _, err := s.AssignAll(ctx, inside); return err }(),
		} {
			if !fault.Is(err, fault.Forbidden) {
				t.Errorf("somebody of a chapter changes chapters: %v", err)
			}
		}
		other, err := s.Save(ctx, owner, uuid.Nil, Input{Name: "South"})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Options(ctx, inside); err != nil || len(got) != 1 || got[0].ID != id {
			t.Errorf("somebody of a chapter chooses among %v, %v", got, err)
		}
		if got, err := s.Options(ctx, owner); err != nil || len(got) != 2 || got[1].ID != other {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestScope(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		s := New(db, clock.NewFixed(start))
		a, err := s.Save(ctx, owner, uuid.Nil, Input{Name: "A"})
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Save(ctx, owner, uuid.Nil, Input{Name: "B"})
		if err != nil {
			t.Fatal(err)
		}
		person(t, db, "", &a)
		person(t, db, "", &b)
		person(t, db, "", nil)
		inA := actor.Actor{Kind: actor.User, Role: actor.Organizer, ChapterID: a}
		for who, want := range map[*actor.Actor]int64{&inA: 1, &owner: 3, {Kind: actor.System}: 3} {
			var n int64
			if err := db.Model(&models.Supporter{}).Scopes(Scope(*who, "supporters.chapter_id")).Count(&n).Error; err != nil || n != want {
				t.Errorf("%+v sees %d, not %d, %v", who, n, want, err)
			}
		}
		for _, x := range []struct {
			row  *uuid.UUID
			want bool
		}{{&a, true}, {&b, false}, {nil, false}} {
			if May(inA, x.row) != x.want || !May(owner, x.row) {
				t.Errorf("%v", x)
			}
		}
	})
}
