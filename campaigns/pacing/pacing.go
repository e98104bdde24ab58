// Package pacing is what somebody plans with their own energy: a budget for a week, rest after what took much, hours in which they want
// to be left alone, what they cannot do just now. It is sealed, theirs alone, and no page of an organizer or export tells it.
//
// A plan advises and protects. Whoever wants more than they planned is asked once, and may; nobody else may for them. The program itself
// asks nobody for more than fits.
package pacing

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/vault"
	"kithline/models"
)

// Plan is what somebody plans. The zero value plans nothing: everything fits.
type Plan struct {
	Weekly     int        `json:"weekly,omitempty"`      // energy for a week from Monday on, where they live; 0 = no limit
	RestHours  int        `json:"rest_hours,omitempty"`  // after something of Heavy energy or more; 0 = none
	QuietFrom  int        `json:"quiet_from,omitempty"`  // minutes after midnight, where they live; equal to QuietUntil = no hours of their own
	QuietUntil int        `json:"quiet_until,omitempty"` //
	MostEnergy int        `json:"most_energy,omitempty"` // of one thing; 0 = any
	Avoid      []string   `json:"avoid,omitempty"`       // models.Demands that they cannot do now
	Flare      bool       `json:"flare,omitempty"`       // a bad time
	FlareUntil *time.Time `json:"flare_until,omitempty"` // nil: until they say
	FlareSince *time.Time `json:"flare_since,omitempty"` // of this or the last one
}

// Heavy is the energy from which on somebody rests afterwards, and Rest for how many hours where they said nothing else.
const (
	Heavy = 4
	Rest  = 48
)

// Load is one thing that takes energy. The zero time is any time.
type Load struct {
	Start, End time.Time
	Energy     int
	Demands    []string
}

// Verdict says why something does not fit a plan.
type Verdict string

// The verdicts. The zero value fits.
const (
	Fits    Verdict = ""
	TooMuch Verdict = "energy" // more than they want at once
	Demand  Verdict = "demand" // asks what they cannot do now
	Over    Verdict = "budget" // more than they planned for the week
	Resting Verdict = "rest"   // they rest then
	Flaring Verdict = "flare"  // a bad time
)

// InFlare reports whether the person has a bad time at a moment.
func (p Plan) InFlare(at time.Time) bool {
	return p.Flare && (p.FlareUntil == nil || at.Before(*p.FlareUntil))
}

// Quiet reports whether a moment is in the person's own quiet hours, in their zone.
func (p Plan) Quiet(at time.Time, zone *time.Location) bool {
	local := at.In(zone)
	minute := local.Hour()*60 + local.Minute()
	if p.QuietFrom <= p.QuietUntil {
		return minute >= p.QuietFrom && minute < p.QuietUntil
	}
	return minute >= p.QuietFrom || minute < p.QuietUntil
}

// Check says whether one thing more fits beside what somebody holds. zone is where they live: a week begins there on Monday at midnight.
func (p Plan) Check(more Load, held []Load, zone *time.Location, now time.Time) Verdict {
	at := more.Start
	if at.IsZero() {
		at = now
	}
	switch {
	case p.InFlare(at):
		return Flaring
	case p.MostEnergy > 0 && more.Energy > p.MostEnergy:
		return TooMuch
	case slices.ContainsFunc(more.Demands, func(d string) bool { return slices.Contains(p.Avoid, d) }):
		return Demand
	}
	if p.Weekly > 0 {
		sum, week := more.Energy, weekOf(at, zone)
		for _, h := range held {
			start := h.Start
			if start.IsZero() {
				start = now
			}
			if weekOf(start, zone).Equal(week) {
				sum += h.Energy
			}
		}
		if sum > p.Weekly {
			return Over
		}
	}
	if p.RestHours > 0 && !more.Start.IsZero() {
		rest := time.Duration(p.RestHours) * time.Hour
		for _, h := range held {
			if h.Start.IsZero() {
				continue
			}
			if h.Energy >= Heavy && !more.Start.Before(h.End) && more.Start.Before(h.End.Add(rest)) || more.Energy >= Heavy && !h.Start.Before(more.End) && h.Start.Before(more.End.Add(rest)) {
				return Resting
			}
		}
	}
	return Fits
}

// weekOf is the Monday, at midnight in a zone, on which the week of a moment begins.
func weekOf(at time.Time, zone *time.Location) time.Time {
	local := at.In(zone)
	back := (int(local.Weekday()) + 6) % 7
	return time.Date(local.Year(), local.Month(), local.Day()-back, 0, 0, 0, 0, zone)
}

// Of reads the plans of mailboxes; whoever made none has the zero Plan. The caller lets nobody but the person see them.
func Of(ctx context.Context, tx *gorm.DB, v *vault.Vault, boxes []uuid.UUID) (map[uuid.UUID]Plan, error) {
	out := make(map[uuid.UUID]Plan, len(boxes))
	for part := range slices.Chunk(boxes, 500) {
		var rows []models.Pacing
		if err := tx.WithContext(ctx).Where("mailbox_id IN ?", part).Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			text, err := v.Open("pacings", "settings_sealed", r.MailboxID, r.SettingsSealed)
			if err != nil {
				return nil, err
			}
			var p Plan
			if err := json.Unmarshal([]byte(text), &p); err != nil {
				return nil, fmt.Errorf("pacing: the plan of a mailbox cannot be read: %w", err)
			}
			out[r.MailboxID] = p
		}
	}
	return out, nil
}
