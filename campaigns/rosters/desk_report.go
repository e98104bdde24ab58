package rosters

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/today"
	"kithline/models"
)

// CountHeads keeps how many people came to a shift, nil for not counted: a number, and nobody's name. It needs what Save needs. The fault is
// Invalid with the field heads, also before the shift begins.
func (s *Service) CountHeads(ctx context.Context, a actor.Actor, shift uuid.UUID, heads *int) (models.Shift, error) {
	now := s.Clock.Now()
	var sh models.Shift
	err := s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		if _, sh, err = deskShift(ctx, tx, a, shift); err != nil {
			return err
		}
		var bad fault.Fields
		if heads != nil && (*heads < 0 || *heads > 10000) {
			bad.Add("heads", "error.rosterdesk_number", "Least", 0, "Most", 10000)
		}
		if heads != nil && sh.StartsAt != nil && now.Before(sh.StartsAt.Add(-time.Hour)) {
			bad.Add("heads", "error.rosterdesk_heads_early")
		}
		if err := bad.Err(); err != nil {
			return err
		}
		sh.HeadCount, sh.UpdatedAt = heads, now
		if err := tx.Model(&models.Shift{}).Where("id = ?", shift).Updates(map[string]any{"head_count": heads, "updated_at": now}).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "roster.heads", "shifts", shift, nil)
	})
	return sh, err
}

// Report is how a roster went, in numbers.
type Report struct {
	Roster  models.Roster
	Lines   []Line // those that are over, in the order of time; without names
	Wanted  int
	Held    int // when they were over
	Heads   int
	Counted int // shifts whose heads were counted
	Hint    Hint
}

// Hint says how often a place comes free, from all shifts that are over of the rosters that were copied from each other: never whose.
type Hint struct {
	N        int // places that were taken
	Released int // places that came free
	Known    bool
	Extra    int // places beyond those needed that would have made up for it, of ten
}

// hintFrom is from how many places on a hint is given.
const hintFrom = 10

// Report says how the shifts of a roster went that are over, and how many more places it may take next time. It needs what Get needs.
func (s *Service) Report(ctx context.Context, a actor.Actor, id uuid.UUID) (Report, error) {
	r, err := deskSees(ctx, s.DB.DB, a, id)
	if err != nil {
		return Report{}, err
	}
	now := s.Clock.Now()
	out := Report{Roster: r}
	lines, _, err := s.deskLines(ctx, s.DB.DB, r, now)
	if err != nil {
		return out, err
	}
	for _, l := range lines {
		if l.CancelledAt != nil || l.SettledAt == nil && (l.EndsAt == nil || now.Before(*l.EndsAt)) {
			continue
		}
		if l.SettledAt == nil {
			l.Filled = l.Is.Confirmed
		}
		out.Wanted += l.Shift.Places
		out.Held += l.Filled
		if l.HeadCount != nil {
			out.Heads += *l.HeadCount
			out.Counted++
		}
		out.Lines = append(out.Lines, l)
	}
	out.Hint, err = s.hint(ctx, s.DB.DB, r)
	return out, err
}

// hint counts how many places of the family of a roster were taken and came free, over shifts that are settled.
func (s *Service) hint(ctx context.Context, tx *gorm.DB, r models.Roster) (Hint, error) {
	family, err := deskFamily(ctx, tx, r)
	if err != nil {
		return Hint{}, err
	}
	var rows []struct {
		Kind models.ShiftEventKind
		N    int
	}
	err = tx.WithContext(ctx).Table("shift_events e").Joins("JOIN shifts s ON s.id = e.shift_id").Select("e.kind, count(*) AS n").
		Where("s.roster_id IN ? AND s.settled_at IS NOT NULL AND s.cancelled_at IS NULL AND e.kind IN ?", family, []models.ShiftEventKind{models.PlaceTaken, models.PlaceReleased}).
		Group("e.kind").Scan(&rows).Error
	if err != nil {
		return Hint{}, err
	}
	var h Hint
	for _, x := range rows {
		if x.Kind == models.PlaceTaken {
			h.N = x.N
		} else {
			h.Released = x.N
		}
	}
	if h.N < hintFrom {
		return Hint{}, nil
	}
	h.Known = true
	if kept := h.N - h.Released; kept > 0 {
		h.Extra = (10*h.Released + kept - 1) / kept
	}
	return h, nil
}

// deskFamily lists the rosters that were copied from the same one as a roster, with it: at most some generations.
func deskFamily(ctx context.Context, tx *gorm.DB, r models.Roster) ([]uuid.UUID, error) {
	root := r
	for range 20 {
		if root.CopiedFrom == nil {
			break
		}
		var up []models.Roster
		if err := tx.WithContext(ctx).Select("id", "copied_from", "chapter_id").Where("id = ?", *root.CopiedFrom).Limit(1).Find(&up).Error; err != nil {
			return nil, err
		}
		if len(up) == 0 {
			break
		}
		root = up[0]
	}
	out, last := []uuid.UUID{root.ID}, []uuid.UUID{root.ID}
	for range 20 {
		var next []uuid.UUID
		if err := tx.WithContext(ctx).Model(&models.Roster{}).Where("copied_from IN ?", last).Order("id").Limit(500).Pluck("id", &next).Error; err != nil {
			return nil, err
		}
		if len(next) == 0 {
			break
		}
		out, last = append(out, next...), next
	}
	return out, nil
}

// DayPlan is a day of a roster on paper.
type DayPlan struct {
	Roster models.Roster
	Day    string
	Days   []string
	Lines  []Line
}

// DayPlan says who is where on a day, for a print-out. It needs what Save needs.
func (s *Service) DayPlan(ctx context.Context, a actor.Actor, id uuid.UUID, day string) (DayPlan, error) {
	r, err := deskChanges(ctx, s.DB.DB, a, id)
	if err != nil {
		return DayPlan{}, err
	}
	now := s.Clock.Now()
	facts, err := deskFacts(ctx, s.DB.DB, r.ID, now)
	if err != nil {
		return DayPlan{}, err
	}
	teams, err := deskTeamsOf(ctx, s.DB.DB, r.ID)
	if err != nil {
		return DayPlan{}, err
	}
	c := Coverage{}
	zone := Zone(r)
	c.days(facts, zone, day, now)
	out := DayPlan{Roster: r, Day: c.Day, Days: c.Days}
	var shown []*deskFact
	for i := range facts {
		if f := &facts[i]; !f.cancelled && f.on(c.Day, zone) {
			shown = append(shown, f)
		}
	}
	lines, err := s.deskShown(ctx, s.DB.DB, shown, teams, true)
	out.Lines = slices.DeleteFunc(lines, Line.gone)
	return out, err
}

// soon is how far ahead the first page looks for shifts that cannot go ahead yet.
const soon = 7 * 24 * time.Hour

// Queues lists what waits for who manages rosters, for the first page: shifts of the next seven days that have not what they need to go
// ahead.
func (s *Service) Queues(ctx context.Context, a actor.Actor) ([]today.Queue, error) {
	if !a.May(actor.ManageRosters) {
		return nil, nil
	}
	now := s.Clock.Now()
	db := s.DB.WithContext(ctx)
	mine := func(q *gorm.DB) *gorm.DB {
		if c := a.Chapter(); c != nil {
			return q.Where("rosters.chapter_id = ?", *c)
		}
		return q
	}
	gaps := today.Queue{Key: "rosterdesk.queue_gaps", Path: "/admin/rosters", Minutes: 5, Right: actor.ManageRosters}
	var n int64
	held := db.Model(&models.Assignment{}).Select("count(*)").Where("assignments.shift_id = shifts.id AND as_what = ? AND state = ?", models.AsPlace, models.AssignmentConfirmed)
	q := db.Table("shifts").Joins("JOIN rosters ON rosters.id = shifts.roster_id").
		Where("shifts.settled_at IS NULL AND shifts.ends_at > ? AND shifts.cancelled_at IS NULL AND rosters.state = ?", now, models.RosterPublished).
		Where("(shifts.kind = ? AND shifts.starts_at > ? AND shifts.starts_at <= ? OR shifts.kind <> ? AND shifts.ends_at <= ?)", models.ShiftFixed, now, now.Add(soon), models.ShiftFixed, now.Add(soon)).
		Where("shifts.minimum > 0 AND (?) < shifts.minimum", held)
	if err := mine(q).Count(&n).Error; err != nil {
		return nil, err
	}
	gaps.Count = int(n)
	return []today.Queue{gaps}, nil
}
