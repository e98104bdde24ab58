package rosters

import (
	"context"
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Limits of a shift.
const (
	RoleMax     = 80
	PlaceMax    = 200
	HandoverMax = 4000
	joinMax     = 500
	placesMost  = 500
	longest     = 24 * time.Hour
	repeatsMost = 100
	shiftsMost  = 5000 // of one roster
)

// ShiftInput is a shift as it was typed over the revision that the page showed. The comments name its fields.
type ShiftInput struct {
	TeamID    *uuid.UUID       // team
	Role      string           // role
	RoleKind  models.RoleKind  // role_kind
	Kind      models.ShiftKind // kind
	Starts    Local            // starts
	Ends      Local            // ends
	Minutes   int              // minutes: 0 with a fixed time: as long as it is
	Mode      models.ShiftMode // mode
	Place     string           // place
	Join      string           // join: how to join
	Minimum   int              // minimum
	Places    int              // places
	Standbys  int              // standbys
	Energy    int              // energy: 0 while it is not known
	Demands   []string         // demands
	Languages string           // languages: codes with commas
	Training  string           // training: a code
	Area      string           // area: patterns with commas
	Handover  string           // handover: Markdown
	Opens     Local            // opens
	Position  int              // position
	Repeat    int              // repeat: so many at once when it is made; 0 and 1 mean one
	Every     int              // every: minutes from the start of one to that of the next
	Revision  int
}

var (
	deskCode  = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)
	deskLang  = regexp.MustCompile(`^[a-z]{2,3}(-[a-zA-Z0-9]{2,8})?$`)
	deskKinds = []models.ShiftKind{models.ShiftFixed, models.ShiftWindow, models.ShiftTask}
	deskModes = []models.ShiftMode{models.ShiftOnsite, models.ShiftHome, models.ShiftPhone}
)

// check writes what was typed into a shift of a roster, and notes what cannot be stored as it is. What it was before is in sh.
func (in ShiftInput) check(r models.Roster, sh *models.Shift, now time.Time) (bad fault.Fields) {
	was := *sh
	zone := Zone(r)
	one := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	sh.TeamID, sh.Role, sh.RoleKind, sh.Kind, sh.Mode, sh.Place = in.TeamID, one(in.Role), in.RoleKind, in.Kind, in.Mode, one(in.Place)
	sh.Minutes, sh.Minimum, sh.Places, sh.Standbys, sh.Energy, sh.Position = in.Minutes, in.Minimum, in.Places, in.Standbys, in.Energy, in.Position
	sh.Handover = strings.TrimSpace(strings.ReplaceAll(in.Handover, "\r\n", "\n"))
	if sh.Role == "" {
		bad.Add("role", "error.rosterdesk_role_missing")
	}
	deskLength(&bad, "role", sh.Role, RoleMax)
	deskLength(&bad, "place", sh.Place, PlaceMax)
	deskLength(&bad, "handover", sh.Handover, HandoverMax)
	deskLength(&bad, "join", in.Join, joinMax)
	if sh.RoleKind != models.RoleAny && !slices.Contains(models.RoleKinds, sh.RoleKind) {
		bad.Add("role_kind", "error.value_unknown")
	}
	if !slices.Contains(deskKinds, sh.Kind) {
		bad.Add("kind", "error.value_unknown")
	}
	if !slices.Contains(deskModes, sh.Mode) {
		bad.Add("mode", "error.value_unknown")
	}
	in.times(zone, sh, was, r.Template, now, &bad)
	sh.OpensAt = in.Opens.in(zone, "opens", &bad)
	for _, x := range []struct {
		field       string
		n, low, top int
	}{{"places", sh.Places, 1, placesMost}, {"minimum", sh.Minimum, 0, placesMost}, {"standbys", sh.Standbys, 0, placesMost}, {"energy", sh.Energy, 0, 5}, {"minutes", sh.Minutes, 0, 7 * 24 * 60}} {
		if x.n < x.low || x.n > x.top {
			bad.Add(x.field, "error.rosterdesk_number", "Least", x.low, "Most", x.top)
		}
	}
	if sh.Minimum > sh.Places && !bad.Has("minimum") && !bad.Has("places") {
		bad.Add("minimum", "error.rosterdesk_minimum")
	}
	if r.State != models.RosterDraft {
		if sh.Energy == 0 {
			bad.Add("energy", "error.rosterdesk_energy_missing")
		}
		if sh.Minutes == 0 && !bad.Has("minutes") && !bad.Has("ends") {
			bad.Add("minutes", "error.rosterdesk_minutes_missing")
		}
	}
	var demands []string
	for _, d := range models.Demands {
		if slices.Contains(in.Demands, d) {
			demands = append(demands, d)
		}
	}
	sh.Demands = strings.Join(demands, ",")
	var ok bool
	if sh.Languages, ok = deskList(strings.ToLower(in.Languages), deskLang.MatchString); !ok {
		bad.Add("languages", "error.rosterdesk_languages")
	}
	if sh.Training = strings.ToLower(strings.TrimSpace(in.Training)); sh.Training != "" && !deskCode.MatchString(sh.Training) {
		bad.Add("training", "error.rosterdesk_training")
	}
	if sh.Area, ok = deskList(strings.ToUpper(in.Area), func(p string) bool { _, err := path.Match(p, ""); return err == nil && len(p) <= 20 }); !ok {
		bad.Add("area", "error.rosterdesk_area")
	}
	return bad
}

// deskList reads codes with commas or spaces between them.
func deskList(typed string, ok func(string) bool) (string, bool) {
	list := strings.FieldsFunc(typed, func(r rune) bool { return r == ',' || r == ' ' || r == ';' || r == '\n' })
	for _, x := range list {
		if !ok(x) {
			return typed, false
		}
	}
	return strings.Join(list, ","), len(list) <= 30
}

// times reads when a shift is.
func (in ShiftInput) times(zone *time.Location, sh *models.Shift, was models.Shift, pattern bool, now time.Time, bad *fault.Fields) {
	starts, ends := in.Starts, in.Ends
	sh.StartsAt, sh.EndsAt = starts.in(zone, "starts", bad), ends.in(zone, "ends", bad)
	if bad.Has("starts") || bad.Has("ends") {
		return
	}
	if sh.Kind != models.ShiftTask {
		if sh.StartsAt == nil {
			bad.Add("starts", "error.rosterdesk_starts_missing")
		}
		if sh.EndsAt == nil {
			bad.Add("ends", "error.rosterdesk_ends_missing")
		}
	}
	if sh.StartsAt == nil || sh.EndsAt == nil {
		if sh.Kind == models.ShiftTask && sh.EndsAt != nil && !sh.EndsAt.After(now) && !pattern && !deskSame(sh.EndsAt, was.EndsAt) {
			bad.Add("ends", "error.rosterdesk_past")
		}
		return
	}
	long := sh.EndsAt.Sub(*sh.StartsAt)
	switch {
	case long == 0:
		bad.Add("ends", "error.rosterdesk_zero")
	case long < 0 && starts.Day == ends.Day:
		bad.Add("ends", "error.rosterdesk_ends_day")
	case long < 0:
		bad.Add("ends", "error.rosterdesk_ends_before")
	case sh.Kind == models.ShiftFixed && long > longest:
		bad.Add("ends", "error.rosterdesk_too_long")
	case !sh.EndsAt.After(now) && !pattern && !deskSame(sh.EndsAt, was.EndsAt):
		bad.Add("ends", "error.rosterdesk_past")
	case sh.Minutes == 0 && sh.Kind == models.ShiftFixed:
		sh.Minutes = int(long / time.Minute)
	case time.Duration(sh.Minutes)*time.Minute > long:
		bad.Add("minutes", "error.rosterdesk_minutes_long", "Most", int(long/time.Minute))
	}
}

func deskSame(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

// deskTeam notes a team that is not one of the roster's.
func deskTeam(ctx context.Context, tx *gorm.DB, sh models.Shift) error {
	if sh.TeamID == nil {
		return nil
	}
	var n int64
	if err := tx.WithContext(ctx).Model(&models.Team{}).Where("id = ? AND roster_id = ?", *sh.TeamID, sh.RosterID).Count(&n).Error; err != nil || n > 0 {
		return err
	}
	return fault.Fields{{Name: "team", Key: "error.value_unknown"}}.Err()
}

// AddShifts makes a shift, or several one after the other, in a roster. It needs what Save needs. The fault is Invalid with the fields of
// ShiftInput; nothing is made then.
func (s *Service) AddShifts(ctx context.Context, a actor.Actor, roster uuid.UUID, in ShiftInput) ([]models.Shift, error) {
	now := s.Clock.Now()
	var made []models.Shift
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r, err := deskChanges(ctx, tx.Clauses(forUpdate), a, roster)
		if err != nil {
			return err
		}
		first := models.Shift{RosterID: r.ID, Revision: 1, CreatedAt: now, UpdatedAt: now}
		bad := in.check(r, &first, now)
		n := max(in.Repeat, 1)
		if n > repeatsMost {
			bad.Add("repeat", "error.rosterdesk_number", "Least", 1, "Most", repeatsMost)
		}
		if n > 1 && (in.Every < 1 || in.Every > 7*24*60) {
			bad.Add("every", "error.rosterdesk_number", "Least", 1, "Most", 7*24*60)
		}
		if err := bad.Err(); err != nil {
			return err
		}
		var there int64
		if err := tx.WithContext(ctx).Model(&models.Shift{}).Where("roster_id = ?", r.ID).Count(&there).Error; err != nil {
			return err
		}
		if int(there)+n > shiftsMost {
			return fault.Fields{{Name: "repeat", Key: "error.rosterdesk_shifts", Args: []any{"Max", shiftsMost}}}.Err()
		}
		if err := deskTeam(ctx, tx, first); err != nil {
			return err
		}
		for i := range n {
			sh := first
			sh.ID = models.NewID()
			d := time.Duration(i*in.Every) * time.Minute
			sh.StartsAt, sh.EndsAt = deskLater(first.StartsAt, d), deskLater(first.EndsAt, d)
			if in.Join != "" {
				sh.JoinSealed = s.Vault.Seal("shifts", "join_sealed", sh.ID, in.Join)
			}
			made = append(made, sh)
		}
		if err := tx.Create(&made).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "roster.shifts", "rosters", r.ID, map[string]any{"made": n})
	})
	return made, err
}

func deskLater(t *time.Time, d time.Duration) *time.Time {
	if t == nil {
		return nil
	}
	x := t.Add(d)
	return &x
}

// Shift returns a shift with its roster and how to join it, for who works on it. It needs what Get needs; how to join is for who may change
// the roster.
func (s *Service) Shift(ctx context.Context, a actor.Actor, id uuid.UUID) (r models.Roster, sh models.Shift, join string, err error) {
	err = s.DB.WithContext(ctx).Where("id = ?", id).Take(&sh).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = fault.New(fault.NotFound, "error.rosterdesk_shift_unknown")
	}
	if err != nil {
		if need := a.Need(actor.ManageRosters); need != nil {
			err = need
		}
		return r, models.Shift{}, "", err
	}
	if r, err = deskSees(ctx, s.DB.DB, a, sh.RosterID); err != nil {
		return r, models.Shift{}, "", err
	}
	if Changes(a, r) {
		join, err = s.Vault.Open("shifts", "join_sealed", sh.ID, sh.JoinSealed)
	}
	return r, sh, join, err
}

// ShiftInputOf is a shift as a form says it.
func ShiftInputOf(r models.Roster, sh models.Shift, join string) ShiftInput {
	zone := Zone(r)
	return ShiftInput{
		TeamID: sh.TeamID, Role: sh.Role, RoleKind: sh.RoleKind, Kind: sh.Kind, Starts: LocalOf(sh.StartsAt, zone), Ends: LocalOf(sh.EndsAt, zone), Minutes: sh.Minutes, Mode: sh.Mode,
		Place: sh.Place, Join: join, Minimum: sh.Minimum, Places: sh.Places, Standbys: sh.Standbys, Energy: sh.Energy, Demands: words(sh.Demands), Languages: sh.Languages,
		Training: sh.Training, Area: sh.Area, Handover: sh.Handover, Opens: LocalOf(sh.OpensAt, zone), Position: sh.Position, Revision: sh.Revision,
	}
}

// SaveShift keeps a shift. Whoever holds a place of it or stands by is told once by mail where its time, its place or how to join changed;
// it returns how many were. Where it wants more people than before, somebody is looked for as when a place comes free. It needs what Save
// needs. The faults: Invalid with the fields of ShiftInput (places, where more are held),
// Conflict, error.rosterdesk_shift_changed, where another page changed it since, and Gone, error.rosterdesk_shift_over, where it is cancelled or
// settled.
func (s *Service) SaveShift(ctx context.Context, a actor.Actor, id uuid.UUID, in ShiftInput) (sh models.Shift, told int, err error) {
	now := s.Clock.Now()
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var r models.Roster
		if r, sh, err = deskShift(ctx, tx, a, id); err != nil {
			return err
		}
		if sh.CancelledAt != nil || sh.SettledAt != nil {
			return fault.New(fault.Gone, "error.rosterdesk_shift_over")
		}
		if sh.Revision != in.Revision {
			return fault.New(fault.Conflict, "error.rosterdesk_shift_changed")
		}
		was, to := sh, sh
		bad := in.check(r, &to, now)
		counts, err := placesOf(ctx, tx, []uuid.UUID{id}, now)
		if err != nil {
			return err
		}
		held := counts[id].Held()
		if to.Places < held && !bad.Has("places") {
			bad.Add("places", "error.rosterdesk_places_held", "Count", held)
		}
		if err := bad.Err(); err != nil {
			return err
		}
		if err := deskTeam(ctx, tx, to); err != nil {
			return err
		}
		join, err := s.Vault.Open("shifts", "join_sealed", sh.ID, was.JoinSealed)
		if err != nil {
			return err
		}
		if join != in.Join {
			if to.JoinSealed = nil; in.Join != "" {
				to.JoinSealed = s.Vault.Seal("shifts", "join_sealed", sh.ID, in.Join)
			}
		}
		to.Revision, to.UpdatedAt = was.Revision+1, now
		if err := tx.Select("*").Updates(&to).Error; err != nil {
			return err
		}
		sh = to
		opens := later(r.OpensAt, to.OpensAt)
		if (to.Places > was.Places || to.Minimum > was.Minimum) && held < to.Places && r.State == models.RosterPublished && !over(to, now) && (opens == nil || !now.Before(*opens)) {
			if err := s.gap(ctx, tx, id, now); err != nil {
				return err
			}
		}
		moved := was.Kind != to.Kind || !deskSame(was.StartsAt, to.StartsAt) || !deskSame(was.EndsAt, to.EndsAt)
		if moved || was.Mode != to.Mode || was.Place != to.Place || join != in.Join {
			if told, err = s.deskTell(ctx, tx, KindChanged, to, now); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "roster.shift", "shifts", id, map[string]any{"revision": to.Revision, "told": told})
	})
	return sh, told, err
}

// CancelShift calls a shift off. Who holds a place or stands by is told once by mail, and nobody is asked for it any more; it returns how
// many were told. It needs what Save needs. Cancelling again changes nothing. The fault is Gone, error.rosterdesk_shift_over, once it is
// settled.
func (s *Service) CancelShift(ctx context.Context, a actor.Actor, id uuid.UUID) (sh models.Shift, told int, err error) {
	now := s.Clock.Now()
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if _, sh, err = deskShift(ctx, tx, a, id); err != nil || sh.CancelledAt != nil {
			return err
		}
		if sh.SettledAt != nil {
			return fault.New(fault.Gone, "error.rosterdesk_shift_over")
		}
		sh.CancelledAt, sh.UpdatedAt, sh.Revision = &now, now, sh.Revision+1
		if err := tx.Select("*").Updates(&sh).Error; err != nil {
			return err
		}
		if err := deskStopAsking(ctx, tx, id, now); err != nil {
			return err
		}
		if err := note(tx, id, models.PlaceCancelled, now); err != nil {
			return err
		}
		if told, err = s.deskTell(ctx, tx, KindCancelled, sh, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "roster.shift_cancel", "shifts", id, map[string]any{"told": told})
	})
	return sh, told, err
}

// deskStopAsking ends, in tx, the search for people for a shift, whom the caller holds.
func deskStopAsking(ctx context.Context, tx *gorm.DB, shift uuid.UUID, now time.Time) error {
	tx = tx.WithContext(ctx)
	err := tx.Model(&models.Offer{}).Where("shift_id = ? AND state = ?", shift, models.OfferOpen).Updates(map[string]any{"state": models.OfferFilled, "closed_at": now}).Error
	if err != nil {
		return err
	}
	if err := tx.Model(&models.Assignment{}).Where("shift_id = ? AND state = ?", shift, models.AssignmentOffered).Updates(map[string]any{"state": models.AssignmentHeld, "updated_at": now}).Error; err != nil {
		return err
	}
	return tx.Where("shift_id = ?", shift).Delete(&models.Cover{}).Error
}

// DeleteShift removes a shift that nobody holds, stands by for or is asked for. It needs what Save needs. The fault is Conflict,
// error.rosterdesk_shift_held, where somebody does.
func (s *Service) DeleteShift(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r, _, err := deskShift(ctx, tx, a, id)
		if err != nil {
			return err
		}
		for _, held := range []any{&models.Assignment{}, &models.Offer{}} {
			var n int64
			if err := tx.Model(held).Where("shift_id = ?", id).Count(&n).Error; err != nil {
				return err
			}
			if n > 0 {
				return fault.New(fault.Conflict, "error.rosterdesk_shift_held")
			}
		}
		for _, part := range []any{&models.Cover{}, &models.ShiftEvent{}, &models.ShiftMark{}, &models.RosterMessage{}} {
			if err := tx.Where("shift_id = ?", id).Delete(part).Error; err != nil {
				return err
			}
		}
		if err := tx.Where("id = ?", id).Delete(&models.Shift{}).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "roster.shift_delete", "rosters", r.ID, nil)
	})
}
