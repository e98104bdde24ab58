package meetings

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models"
)

// energies says how much a role of a team takes, and what it asks of somebody.
var energies = map[models.RoleKind]struct {
	energy  int
	demands []string
}{
	models.RoleLeader:      {3, []string{"speaking"}},
	models.RoleStoryteller: {3, []string{"speaking"}},
	models.RoleAsker:       {3, []string{"speaking"}},
	models.RoleNotes:       {2, []string{"typing"}},
}

// demandsOf is what a role asks of somebody in a mode, in the order of models.Demands.
func demandsOf(role models.RoleKind, mode models.MeetingMode) string {
	want := slices.Clone(energies[role].demands)
	switch mode {
	case models.MeetingOnsite:
		want = append(want, "sitting")
	case models.MeetingVideo:
		want = append(want, "screen")
	case models.MeetingPhone:
		want = append(want, "phone")
	}
	return strings.Join(slices.DeleteFunc(slices.Clone(models.Demands), func(d string) bool { return !slices.Contains(want, d) }), ",")
}

// shiftMode is from where the roles of a meeting are done.
func shiftMode(m models.MeetingMode) models.ShiftMode {
	switch m {
	case models.MeetingOnsite:
		return models.ShiftOnsite
	case models.MeetingPhone:
		return models.ShiftPhone
	}
	return models.ShiftHome
}

// makeTeam makes, in tx, the team of a meeting with a shift for each role of the plan.
func (s *Service) makeTeam(ctx context.Context, tx *gorm.DB, r models.Roster, p Plan, m models.Meeting, o Office, join string, position int, now time.Time) error {
	tx = tx.WithContext(ctx)
	t := models.Team{ID: m.TeamID, RosterID: r.ID, Name: o.Short(), Place: m.Place, Position: position, CreatedAt: now, UpdatedAt: now}
	if err := tx.Create(&t).Error; err != nil {
		return err
	}
	start, end := m.StartsAt, ends(m)
	var made []models.Shift
	for i, k := range TeamRoles {
		c := p.Roles[k]
		if c.Places == 0 {
			continue
		}
		sh := models.Shift{
			ID: models.NewID(), RosterID: r.ID, TeamID: &t.ID, Role: cut(s.Words(r.Locale, "meetings.shift", "Role", s.Words(r.Locale, "meetings.role_"+string(k)), "Office", t.Name), nameMax),
			RoleKind: k, Kind: models.ShiftFixed, StartsAt: &start, EndsAt: &end, Minutes: m.Minutes, Mode: shiftMode(m.Mode), Place: m.Place, Minimum: c.Minimum, Places: c.Places,
			Standbys: 1, Energy: energies[k].energy, Demands: demandsOf(k, m.Mode), Handover: s.Words(r.Locale, "meetings.handover_"+string(k)), Position: i + 1, Revision: 1, CreatedAt: now, UpdatedAt: now,
		}
		if join != "" {
			sh.JoinSealed = s.Vault.Seal("shifts", "join_sealed", sh.ID, join)
		}
		made = append(made, sh)
	}
	return tx.Create(&made).Error
}

// heldShifts takes the shifts of a team that are not over, for the rest of tx, in the order of their ids: whoever takes, releases or covers
// one of their places waits.
func heldShifts(ctx context.Context, tx *gorm.DB, team uuid.UUID) ([]models.Shift, error) {
	tx = tx.WithContext(ctx)
	var ids []uuid.UUID
	if err := tx.Model(&models.Shift{}).Where("team_id = ?", team).Order("id").Pluck("id", &ids).Error; err != nil {
		return nil, err
	}
	var out []models.Shift
	for _, id := range ids {
		var sh models.Shift
		err := tx.Clauses(forUpdate).Where("id = ?", id).Take(&sh).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if sh.CancelledAt == nil && sh.SettledAt == nil {
			out = append(out, sh)
		}
	}
	return out, nil
}

// moveTeam gives the team of a meeting its time, place and way to join, in tx, and tells who holds its places or stands by.
func (s *Service) moveTeam(ctx context.Context, tx *gorm.DB, m models.Meeting, join string, now time.Time) error {
	shifts, err := heldShifts(ctx, tx, m.TeamID)
	if err != nil {
		return err
	}
	tx = tx.WithContext(ctx)
	if err := tx.Model(&models.Team{}).Where("id = ?", m.TeamID).Updates(map[string]any{"place": m.Place, "updated_at": now}).Error; err != nil {
		return err
	}
	start, end := m.StartsAt, ends(m)
	for _, sh := range shifts {
		sh.StartsAt, sh.EndsAt, sh.Minutes, sh.Mode, sh.Place = &start, &end, m.Minutes, shiftMode(m.Mode), m.Place
		if sh.RoleKind != models.RoleAny && energies[sh.RoleKind].energy > 0 {
			sh.Demands = demandsOf(sh.RoleKind, m.Mode)
		}
		if sh.JoinSealed = nil; join != "" {
			sh.JoinSealed = s.Vault.Seal("shifts", "join_sealed", sh.ID, join)
		}
		sh.Revision, sh.UpdatedAt = sh.Revision+1, now
		if err := tx.Select("*").Updates(&sh).Error; err != nil {
			return err
		}
	}
	return s.tell(ctx, tx, m, shifts, now)
}

// cancelTeam calls off the shifts of a meeting's team, in tx: nobody is asked for them any more, and who holds a place or stands by is told.
func (s *Service) cancelTeam(ctx context.Context, tx *gorm.DB, m models.Meeting, now time.Time) error {
	shifts, err := heldShifts(ctx, tx, m.TeamID)
	if err != nil {
		return err
	}
	for _, sh := range shifts {
		if err := cancelShift(ctx, tx, sh, now); err != nil {
			return err
		}
	}
	return s.tell(ctx, tx, m, shifts, now)
}

// cancelShift calls off a shift that the caller holds.
func cancelShift(ctx context.Context, tx *gorm.DB, sh models.Shift, now time.Time) error {
	tx = tx.WithContext(ctx)
	set := map[string]any{"cancelled_at": now, "updated_at": now, "revision": sh.Revision + 1}
	if err := tx.Model(&models.Shift{}).Where("id = ?", sh.ID).Updates(set).Error; err != nil {
		return err
	}
	err := tx.Model(&models.Offer{}).Where("shift_id = ? AND state = ?", sh.ID, models.OfferOpen).Updates(map[string]any{"state": models.OfferFilled, "closed_at": now}).Error
	if err != nil {
		return err
	}
	err = tx.Model(&models.Assignment{}).Where("shift_id = ? AND state = ?", sh.ID, models.AssignmentOffered).Updates(map[string]any{"state": models.AssignmentHeld, "updated_at": now}).Error
	if err != nil {
		return err
	}
	if err := tx.Where("shift_id = ?", sh.ID).Delete(&models.Cover{}).Error; err != nil {
		return err
	}
	return tx.Create(&models.ShiftEvent{ID: models.NewID(), ShiftID: sh.ID, Kind: models.PlaceCancelled, At: now}).Error
}

// Stands is how a role of a team stands.
type Stands struct {
	models.Shift
	Held int // places that somebody holds, or is confirming
	By   int // who stands by
}

// Short is how many are missing to the minimum, and Open how many places are free.
func (x Stands) Short() int { return max(0, x.Minimum-x.Held) }

// Open is how many places are free.
func (x Stands) Open() int { return max(0, x.Places-x.Held) }

// standing reads how the roles of teams stand at a moment, those called off left out.
func standing(ctx context.Context, tx *gorm.DB, teams []uuid.UUID, now time.Time) (map[uuid.UUID][]Stands, error) {
	tx = tx.WithContext(ctx)
	out := make(map[uuid.UUID][]Stands, len(teams))
	var shifts []models.Shift
	if err := tx.Where("team_id IN ? AND cancelled_at IS NULL", teams).Order("team_id, position, id").Find(&shifts).Error; err != nil || len(shifts) == 0 {
		return out, err
	}
	ids := make([]uuid.UUID, len(shifts))
	for i, sh := range shifts {
		ids[i] = sh.ID
	}
	var rows []struct {
		ShiftID uuid.UUID
		AsWhat  models.PlaceAs
		N       int
	}
	err := tx.Model(&models.Assignment{}).Select("shift_id, as_what, count(*) AS n").
		Where("shift_id IN ? AND (state <> ? OR expires_at > ?)", ids, models.AssignmentPending, now).Group("shift_id, as_what").Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	held, by := map[uuid.UUID]int{}, map[uuid.UUID]int{}
	for _, r := range rows {
		switch r.AsWhat {
		case models.AsPlace:
			held[r.ShiftID] += r.N
		case models.AsStandby, models.AsUnderstudy:
			by[r.ShiftID] += r.N
		}
	}
	for _, sh := range shifts {
		x := Stands{Shift: sh, Held: held[sh.ID], By: by[sh.ID]}
		if sh.SettledAt != nil {
			x.Held = sh.Filled
		}
		out[*sh.TeamID] = append(out[*sh.TeamID], x)
	}
	return out, nil
}
