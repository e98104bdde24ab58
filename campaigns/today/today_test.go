package today

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
)

var noon = time.Date(2027, 2, 23, 12, 0, 0, 0, time.UTC)

func queues(q ...Queue) Provider {
	return func(context.Context, actor.Actor) ([]Queue, error) { return q, nil }
}

func TestListIsOldestFirstAndKeepsToRights(t *testing.T) {
	s := New()
	s.Register("petitions", queues(
		Queue{Key: "young", Count: 2, Oldest: noon, Right: actor.ModeratePetition},
		Queue{Key: "empty", Count: 0, Oldest: noon.Add(-time.Hour)},
		Queue{Key: "ageless", Count: 1},
	))
	s.Register("mailings", queues(
		Queue{Key: "old", Count: 3, Oldest: noon.Add(-time.Hour)},
		Queue{Key: "owner", Count: 1, Oldest: noon.Add(-2 * time.Hour), Right: actor.Administer},
	))
	for role, want := range map[actor.Role][]string{
		actor.Owner: {"owner", "old", "young", "ageless"}, actor.Organizer: {"old", "young", "ageless"}, actor.Viewer: {"old", "ageless"},
	} {
		got, err := s.List(context.Background(), actor.Actor{Kind: actor.User, Role: role})
		if err != nil || len(got) != len(want) {
			t.Fatalf("%s: %v, %v", role, got, err)
		}
		for i := range want {
			if got[i].Key != want[i] {
				t.Errorf("%s: place %d is %q, not %q", role, i, got[i].Key, want[i])
			}
		}
	}
}

func TestAFailingQueueLeavesTheOthers(t *testing.T) {
	broken := errors.New("the table is gone")
	s := New()
	s.Register("jobs", func(context.Context, actor.Actor) ([]Queue, error) { return nil, broken })
	s.Register("petitions", queues(Queue{Key: "a", Count: 2}, Queue{Key: "b", Count: 3}))
	a := actor.Actor{Kind: actor.User, Role: actor.Organizer, UserID: uuid.New()}
	got, err := s.List(context.Background(), a)
	if len(got) != 2 || !errors.Is(err, broken) {
		t.Errorf("%v, %v", got, err)
	}
	if m := s.Waiting(context.Background(), a); len(m) != 1 || m["petitions"] != 5 {
		t.Errorf("%v", m)
	}
}

func TestWaitingAsksOnceForAWhile(t *testing.T) {
	var asked int
	s := New()
	s.Register("petitions", func(context.Context, actor.Actor) ([]Queue, error) {
		asked++
		return []Queue{{Key: "a", Count: asked}}, nil
	})
	one := actor.Actor{Kind: actor.User, Role: actor.Organizer, UserID: uuid.New(), RequestID: "1"}
	again, other := one, one
	again.RequestID, other.UserID = "2", uuid.New()
	for i, a := range []actor.Actor{one, again, other} {
		want := []int{1, 1, 2}[i]
		if m := s.Waiting(context.Background(), a); m["petitions"] != want {
			t.Errorf("ask %d: %v, want %d", i, m, want)
		}
	}
}
