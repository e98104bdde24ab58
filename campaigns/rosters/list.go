package rosters

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/fault"
	"kithline/models"
)

// Can is what somebody can do now. The zero value can do everything.
type Can struct {
	Minutes   int      // they have; 0: any
	Energy    int      // at most; 0: any
	Avoid     []string // models.Demands to leave out
	Home      bool     // not on site
	LyingDown bool     // nothing that asks for sitting, standing, driving or a screen
	NoScreen  bool
}

// Any reports whether nothing is left out.
func (c Can) Any() bool {
	return c.Minutes == 0 && c.Energy == 0 && len(c.Avoid) == 0 && !c.Home && !c.LyingDown && !c.NoScreen
}

// without are the demands to leave out, in the order of models.Demands.
func (c Can) without() []string {
	var out []string
	for _, d := range models.Demands {
		switch {
		case slices.Contains(c.Avoid, d), d == "screen" && c.NoScreen, c.LyingDown && slices.Contains([]string{"sitting", "standing", "driving", "screen"}, d):
			out = append(out, d)
		}
	}
	return out
}

// OnOffer is a shift as everybody sees it.
type OnOffer struct {
	models.Shift
	Roster models.Roster
	Taken  Places
}

// Free is how many places can be taken.
func (o OnOffer) Free() int { return max(0, o.Places-o.Taken.Held()) }

// StandbyWanted reports whether more people are wanted who stand by.
func (o OnOffer) StandbyWanted() bool { return o.Taken.Standbys < o.Standbys }

// takeShown is how many shifts a page lists.
const takeShown = 200

// takeOpen are the shifts of published rosters that can be taken now or later, that fit; the caller adds which, and the order.
func takeOpen(ctx context.Context, tx *gorm.DB, can Can, now time.Time) *gorm.DB {
	q := tx.WithContext(ctx).Table("shifts s").Joins("JOIN rosters r ON r.id = s.roster_id").
		Where("r.state = ? AND r.template = FALSE AND s.cancelled_at IS NULL AND s.settled_at IS NULL", models.RosterPublished).
		Where("(s.kind = 'fixed' AND s.starts_at > ? OR s.kind <> 'fixed' AND (s.ends_at IS NULL OR s.ends_at > ?))", now, now)
	if can.Minutes > 0 {
		q = q.Where("s.minutes <= ?", can.Minutes)
	}
	if can.Energy > 0 {
		q = q.Where("s.energy <= ?", can.Energy)
	}
	if can.Home {
		q = q.Where("s.mode <> ?", models.ShiftOnsite)
	}
	for _, d := range can.without() {
		q = q.Where("',' || s.demands || ',' NOT LIKE ?", "%,"+d+",%")
	}
	return q
}

// takeHeld is how many places of a shift are held, in a statement over shifts s.
const takeHeld = "(SELECT count(*) FROM assignments a WHERE a.shift_id = s.id AND a.as_what = 'place' AND (a.state = 'confirmed' OR a.state = 'pending' AND a.expires_at > ?))"

// takeOffered reads shifts in an order, with their rosters and how they stand.
func (s *Service) takeOffered(ctx context.Context, tx *gorm.DB, ids []uuid.UUID, now time.Time) ([]OnOffer, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	tx = tx.WithContext(ctx)
	var shifts []models.Shift
	if err := tx.Where("id IN ?", ids).Find(&shifts).Error; err != nil {
		return nil, err
	}
	var rosterIDs []uuid.UUID
	by := map[uuid.UUID]models.Shift{}
	for _, sh := range shifts {
		by[sh.ID] = sh
		if !slices.Contains(rosterIDs, sh.RosterID) {
			rosterIDs = append(rosterIDs, sh.RosterID)
		}
	}
	var list []models.Roster
	if err := tx.Where("id IN ?", rosterIDs).Find(&list).Error; err != nil {
		return nil, err
	}
	rosters := map[uuid.UUID]models.Roster{}
	for _, r := range list {
		rosters[r.ID] = r
	}
	counts, err := placesOf(ctx, tx, ids, now)
	if err != nil {
		return nil, err
	}
	out := make([]OnOffer, 0, len(ids))
	for _, id := range ids {
		if sh, ok := by[id]; ok {
			out = append(out, OnOffer{Shift: sh, Roster: rosters[sh.RosterID], Taken: counts[id]})
		}
	}
	return out, nil
}

// PublicRoster is a published roster, and how many of its places can be taken.
type PublicRoster struct {
	models.Roster
	Free int
}

// PublicRosters lists the published rosters, the newest first. Anybody may read it.
func (s *Service) PublicRosters(ctx context.Context) ([]PublicRoster, error) {
	now := s.Clock.Now()
	db := s.DB.WithContext(ctx)
	var rosters []models.Roster
	if err := db.Where("state = ? AND template = ?", models.RosterPublished, false).Order("published_at DESC, id DESC").Limit(takeShown).Find(&rosters).Error; err != nil {
		return nil, err
	}
	var free []struct {
		RosterID uuid.UUID
		N        int
	}
	err := takeOpen(ctx, s.DB.DB, Can{}, now).Select("s.roster_id, sum(CASE WHEN "+takeHeld+" < s.places THEN s.places - "+takeHeld+" ELSE 0 END) AS n", now, now).Group("s.roster_id").Scan(&free).Error
	out := make([]PublicRoster, len(rosters))
	for i, r := range rosters {
		out[i].Roster = r
		for _, f := range free {
			if f.RosterID == r.ID {
				out[i].Free = f.N
			}
		}
	}
	return out, err
}

// Board is a roster as everybody sees it.
type Board struct {
	models.Roster
	Fits   []OnOffer // have a free place, or want somebody who stands by; by time
	Filled []OnOffer // fit too
	Soon   []OnOffer // where nothing fits: the soonest that can be taken at all, at most three
	More   bool      // there are more than are listed
}

// PublicBoard reads a published roster with the shifts that fit what somebody can do. Anybody may read it. The fault is NotFound,
// error.roster_unknown.
func (s *Service) PublicBoard(ctx context.Context, slug string, can Can) (Board, error) {
	now := s.Clock.Now()
	var b Board
	err := s.DB.WithContext(ctx).Where("slug = ? AND state = ? AND template = ?", slug, models.RosterPublished, false).Take(&b.Roster).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return b, fault.New(fault.NotFound, "error.roster_unknown")
	}
	if err != nil {
		return b, err
	}
	read := func(can Can, most int) ([]OnOffer, error) {
		var ids []uuid.UUID
		err := takeOpen(ctx, s.DB.DB, can, now).Where("s.roster_id = ?", b.ID).Order("CASE WHEN s.starts_at IS NULL THEN 0 ELSE 1 END, s.starts_at, s.position, s.id").Limit(most).Pluck("s.id", &ids).Error
		if err != nil {
			return nil, err
		}
		return s.takeOffered(ctx, s.DB.DB, ids, now)
	}
	all, err := read(can, takeShown+1)
	if err != nil {
		return b, err
	}
	if b.More = len(all) > takeShown; b.More {
		all = all[:takeShown]
	}
	for _, o := range all {
		if o.Free() > 0 || o.StandbyWanted() {
			b.Fits = append(b.Fits, o)
		} else {
			b.Filled = append(b.Filled, o)
		}
	}
	if len(b.Fits) == 0 && !can.Any() {
		if can.Minutes > 0 { // what takes longer than somebody has is nothing for them
			can = Can{Minutes: can.Minutes}
		} else {
			can = Can{}
		}
		rest, err := read(can, takeShown)
		if err != nil {
			return b, err
		}
		for _, o := range rest {
			if (o.Free() > 0 || o.StandbyWanted()) && len(b.Soon) < 3 {
				b.Soon = append(b.Soon, o)
			}
		}
	}
	return b, nil
}

// takeNowShown is how many shifts the page of what can be done now lists.
const takeNowShown = 30

// Now lists what somebody can do now, over all published rosters: shifts with a free place that can be taken already, those without a
// time first, then the soonest. Where there is none, standby has those that want somebody who stands by. Nothing in either takes longer
// than they have. Anybody may read it.
func (s *Service) Now(ctx context.Context, can Can) (fits, standby []OnOffer, err error) {
	now := s.Clock.Now()
	read := func(where string, args ...any) ([]OnOffer, error) {
		var ids []uuid.UUID
		err := takeOpen(ctx, s.DB.DB, can, now).Where("(s.opens_at IS NULL OR s.opens_at <= ?) AND (r.opens_at IS NULL OR r.opens_at <= ?)", now, now).Where(where, args...).
			Order(clause.OrderBy{Expression: clause.Expr{SQL: "CASE WHEN s.kind = 'fixed' OR s.starts_at > ? THEN 1 ELSE 0 END, s.starts_at, s.minutes, s.id", Vars: []any{now}}}).Limit(takeNowShown).Pluck("s.id", &ids).Error
		if err != nil {
			return nil, err
		}
		return s.takeOffered(ctx, s.DB.DB, ids, now)
	}
	if fits, err = read(takeHeld+" < s.places", now); err != nil || len(fits) > 0 {
		return fits, nil, err
	}
	standby, err = read("(SELECT count(*) FROM assignments a WHERE a.shift_id = s.id AND a.as_what IN ('standby', 'understudy') AND a.state <> 'pending') < s.standbys")
	return nil, standby, err
}

// PublicShift reads one shift of a published roster. Anybody may read it. The fault is NotFound, error.shift_unknown.
func (s *Service) PublicShift(ctx context.Context, id uuid.UUID) (OnOffer, error) {
	now := s.Clock.Now()
	list, err := s.takeOffered(ctx, s.DB.DB, []uuid.UUID{id}, now)
	if err != nil {
		return OnOffer{}, err
	}
	if len(list) == 0 || list[0].Roster.State == models.RosterDraft || list[0].Roster.Template {
		return OnOffer{}, fault.New(fault.NotFound, "error.shift_unknown")
	}
	return list[0], nil
}

// Takeable says why nobody can take a place of a shift now: nil, or a Conflict fault: error.roster_closed, error.roster_early with When.
func (s *Service) Takeable(o OnOffer, lang string) error {
	return s.takeRefused(Refusal{Code: takeClosed(o.Roster, o.Shift, s.Clock.Now()), At: takeOpens(o.Roster, o.Shift)}, o.Roster, lang)
}

// takeClosed is the part of refusal that is the same for everybody.
func takeClosed(r models.Roster, sh models.Shift, now time.Time) string {
	sh.Languages, sh.Training, sh.Area = "", "", ""
	return refusal(r, sh, Person{}, now).Code
}

func takeOpens(r models.Roster, sh models.Shift) time.Time {
	if at := later(r.OpensAt, sh.OpensAt); at != nil {
		return *at
	}
	return time.Time{}
}
