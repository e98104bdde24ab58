package petitions

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/models"
)

// Every state with every action: what is not listed here must be refused.
func TestEveryPairOfStateAndAction(t *testing.T) {
	allowed := map[string]models.PetitionState{
		"draft submit": "submitted", "returned submit": "submitted",
		"submitted publish": "published", "submitted return": "returned",
		"published pause": "published", "paused resume": "published",
		"published close": "closed", "paused close": "closed",
		"published hide": "hidden", "paused hide": "hidden", "closed hide": "hidden", "handed_over hide": "hidden", "answered hide": "hidden",
		"hidden show": "published", "hidden after closing show": "closed", "hidden after an answer show": "answered",
		"draft withdraw": "withdrawn", "submitted withdraw": "withdrawn", "returned withdraw": "withdrawn", "published withdraw": "withdrawn", "paused withdraw": "withdrawn",
		"published handover": "handed_over", "paused handover": "handed_over", "closed handover": "handed_over", "handed_over handover": "handed_over", "answered handover": "answered",
		"published answer": "answered", "paused answer": "answered", "closed answer": "answered", "handed_over answer": "answered", "answered answer": "answered",
	}
	now := time.Date(2027, 2, 23, 10, 0, 0, 0, time.UTC)
	rows := map[string]models.Petition{
		"paused":               {State: models.PetitionPublished, PausedAt: &now},
		"hidden after closing": {State: models.PetitionHidden, ClosedAt: &now}, "hidden after an answer": {State: models.PetitionHidden, ClosedAt: &now, AnsweredAt: &now},
	}
	for _, s := range States {
		rows[string(s)] = models.Petition{State: s}
	}
	for name, p := range rows {
		for _, do := range Actions {
			want, ok := allowed[name+" "+string(do)]
			got, can := Next(p, do)
			if can != ok || got != want {
				t.Errorf("%s %s: %q %v, want %q %v", name, do, got, can, want, ok)
			}
			delete(allowed, name+" "+string(do))
		}
	}
	if len(allowed) > 0 {
		t.Errorf("never asked: %v", allowed)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	author := actor.Actor{Kind: actor.User, UserID: uuid.New(), Role: actor.Advocate}
	boss := actor.Actor{Kind: actor.User, UserID: uuid.New(), Role: actor.Organizer}
	both := boss
	both.UserID = author.UserID
	other := actor.Actor{Kind: actor.User, UserID: uuid.New(), Role: actor.Advocate}
	viewer := actor.Actor{Kind: actor.User, UserID: author.UserID, Role: actor.Viewer}
	p := models.Petition{AuthorID: &author.UserID}
	for _, c := range []struct {
		name string
		a    actor.Actor
		can  []Action
	}{
		{"author", author, []Action{Submit, Withdraw}},
		{"organizer", boss, []Action{Submit, Publish, Return, Pause, Resume, Close, Hide, Show, HandOver, Answer}},
		{"author who organizes", both, Actions},
		{"another advocate", other, nil},
		{"author who became a viewer", viewer, nil},
		{"nobody", actor.Actor{}, nil},
		{"the system", actor.TheSystem(), Actions},
	} {
		var got []Action
		for _, do := range Actions {
			if may(c.a, p, do) {
				got = append(got, do)
			}
		}
		if len(got) != len(c.can) {
			t.Errorf("%s: %v, want %v", c.name, got, c.can)
			continue
		}
		for i := range got {
			if got[i] != c.can[i] {
				t.Errorf("%s: %v, want %v", c.name, got, c.can)
				break
			}
		}
	}
}

func TestShownName(t *testing.T) {
	for _, c := range []struct {
		d                   models.Display
		given, family, want string
	}{
		{models.DisplayName, "June", "Okafor", "June Okafor"},
		{models.DisplayInitials, "June", "Okafor", "June O."},
		{models.DisplayInitials, "José", "ángel ruiz", "José Á."},
		{models.DisplayInitials, "明", "李", "明 李."},
		{models.DisplayInitials, "Una", "'t Hooft", "Una T."},
		{models.DisplayAnonymous, "June", "Okafor", ""},
	} {
		if got := shown(c.d, c.given, c.family); got != c.want {
			t.Errorf("%s %s %s: %q, want %q", c.d, c.given, c.family, got, c.want)
		}
	}
}

func TestCrisisWords(t *testing.T) {
	for text, want := range map[string]bool{
		"I can't go on like this":                 true,
		"Some days I want to DIE.":                true,
		"thoughts of suicide, suicidal":           true,
		"No quiero vivir así":                     true,
		"hacerme daño":                            true,
		"Quiero   morirme":                        true,
		"After visit six I did the exercises.":    false,
		"The committee should end it already":     false,
		"Overdue, overtime, cut the copay":        false,
		"":                                        false,
		"My diet and my diary; I want to diet.":   false,
		"Murió mi perro y ya no puedo más, ayuda": true,
	} {
		if got := crisisWords(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
