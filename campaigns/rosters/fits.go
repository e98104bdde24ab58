package rosters

import (
	"path"
	"slices"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/pacing"
	"kithline/models"
)

// Person is what is known of somebody who may take a place, at one mailbox.
type Person struct {
	Mailbox    uuid.UUID
	Languages  []string // codes
	Trainings  []string // codes
	PostalArea string
	Zone       *time.Location
	Held       []models.Shift // what they hold a place of, and is not over
	Plan       pacing.Plan    // theirs alone: what comes of it is told to them and to nobody else
}

// Refusal says why somebody cannot take a place: a locale key, roster.no_<Code>, with its arguments. The zero value refuses nothing.
type Refusal struct {
	Code string
	With models.Shift // clash: the shift that it clashes with
	Need string       // language, training, area: what is needed
	At   time.Time    // early: from when on it can be taken
}

// refusal says why a person cannot take one of the places of a shift, whether there is one or not.
func refusal(r models.Roster, sh models.Shift, p Person, now time.Time) Refusal {
	switch opens := later(r.OpensAt, sh.OpensAt); {
	case r.State != models.RosterPublished || sh.CancelledAt != nil || over(sh, now):
		return Refusal{Code: "closed"}
	case opens != nil && now.Before(*opens):
		return Refusal{Code: "early", At: *opens}
	case sh.Languages != "" && !slices.ContainsFunc(words(sh.Languages), func(l string) bool { return slices.Contains(p.Languages, l) }):
		return Refusal{Code: "language", Need: sh.Languages}
	case sh.Training != "" && !slices.Contains(p.Trainings, sh.Training):
		return Refusal{Code: "training", Need: sh.Training}
	case sh.Area != "" && !inArea(sh.Area, p.PostalArea):
		return Refusal{Code: "area", Need: sh.Area}
	}
	for _, h := range p.Held {
		if h.ID != sh.ID && Clash(h, sh) {
			return Refusal{Code: "clash", With: h}
		}
	}
	return Refusal{}
}

// Clash reports whether two shifts are at the same time. Only those with a fixed time do.
func Clash(a, b models.Shift) bool {
	if a.Kind != models.ShiftFixed || b.Kind != models.ShiftFixed || a.StartsAt == nil || b.StartsAt == nil || a.EndsAt == nil || b.EndsAt == nil {
		return false
	}
	return a.StartsAt.Before(*b.EndsAt) && b.StartsAt.Before(*a.EndsAt)
}

// over reports whether a shift can be taken no more: a fixed one once it began, another once it should be done.
func over(sh models.Shift, now time.Time) bool {
	if sh.SettledAt != nil {
		return true
	}
	until := sh.EndsAt
	if sh.Kind == models.ShiftFixed {
		until = sh.StartsAt
	}
	return until != nil && !now.Before(*until)
}

func later(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.After(*a) {
		return b
	}
	return a
}

// inArea reports whether one of the patterns, with commas between them, is for a postal area.
func inArea(patterns, area string) bool {
	return slices.ContainsFunc(words(patterns), func(p string) bool {
		ok, err := path.Match(p, area)
		return err == nil && ok
	})
}

// loadOf is what a shift takes, for a plan.
func loadOf(sh models.Shift) pacing.Load {
	l := pacing.Load{Energy: sh.Energy, Demands: words(sh.Demands)}
	if sh.Kind == models.ShiftFixed && sh.StartsAt != nil && sh.EndsAt != nil {
		l.Start, l.End = *sh.StartsAt, *sh.EndsAt
	}
	return l
}

// Plans says whether a shift fits what the person planned: told to them alone.
func (p Person) Plans(sh models.Shift, now time.Time) pacing.Verdict {
	held := make([]pacing.Load, 0, len(p.Held))
	for _, h := range p.Held {
		held = append(held, loadOf(h))
	}
	return p.Plan.Check(loadOf(sh), held, p.Zone, now)
}
