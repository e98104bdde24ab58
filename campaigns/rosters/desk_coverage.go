package rosters

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/models"
)

// Risk says what is wrong with how a shift stands, the worst first.
type Risk string

// The risks. The zero value is none.
const (
	NoRisk    Risk = ""
	Empty     Risk = "empty"      // nobody holds a place
	Below     Risk = "below"      // fewer than it needs to go ahead
	Short     Risk = "short"      // goes ahead, with fewer than are wanted
	NoStandby Risk = "no_standby" // full, and fewer stand by than are wanted
)

// Risks lists them, the worst first.
var Risks = []Risk{Empty, Below, Short, NoStandby}

// RiskOf is the worst that is wrong with how a shift stands.
func RiskOf(sh models.Shift, is Places) Risk {
	switch held := is.Held(); {
	case held == 0:
		return Empty
	case held < sh.Minimum:
		return Below
	case held < sh.Places:
		return Short
	case is.Standbys < sh.Standbys:
		return NoStandby
	}
	return NoRisk
}

// Holder is somebody on a shift, as an organizer sees them.
type Holder struct {
	ID       uuid.UUID // of the assignment
	Mailbox  uuid.UUID
	Name     string // given name and the first letter of the family name
	As       models.PlaceAs
	State    models.AssignmentState
	StartsAt *time.Time // window: when they want to do it
	AskBy    models.AskBy
	AskFrom  *int // minutes after midnight
	Zone     string
	NoMail   bool // they are reached by telephone alone
}

// Line is a shift and how it stands.
type Line struct {
	models.Shift
	Is      Places
	Risk    Risk
	Over    bool // can be taken no more: what is missing then is no gap
	Team    string
	Holders []Holder   // where the actor may see who they are
	Until   *time.Time // somebody is asked until then
	PhoneAt *time.Time // since when it stands on the phone list
}

// Named lists who holds a place, in the order in which they took it.
func (l Line) Named() []Holder { return l.as(models.AsPlace) }

// Standing lists who stands by, an understudy first.
func (l Line) Standing() []Holder {
	return append(l.as(models.AsUnderstudy), l.as(models.AsStandby)...)
}

// Along lists who comes along.
func (l Line) Along() []Holder { return l.as(models.AsBuddy) }

func (l Line) as(what models.PlaceAs) (out []Holder) {
	for _, h := range l.Holders {
		if h.As == what {
			out = append(out, h)
		}
	}
	return out
}

// TeamStands is a team and whether it goes ahead.
type TeamStands struct {
	models.Team
	Shifts []Line // without names
	Ahead  bool   // each shift has its minimum
}

// CoverageFilter narrows a coverage page. The zero value is the first day with something to come.
type CoverageFilter struct {
	Day      string // 2027-03-09; "": the first with something to come, else the last
	RoleKind models.RoleKind
	Team     uuid.UUID
	GapsOnly bool
	From     int // how many shifts of the day come before
}

// How much a coverage page shows.
const (
	CoverageRows = 300
	CoverageGaps = 25
)

// Coverage is how a roster stands.
type Coverage struct {
	Roster models.Roster
	Names  bool // who holds places is shown
	Places int  // wanted of all shifts to come
	Held   int
	Open   int
	Asking int // offers without an answer
	Thin   int // shifts that have fewer standbys than they want
	Days   []string
	Day    string
	Rows   []Line // fixed times of the day
	Tasks  []Line // windows and tasks: those of the day where there are days, and those without one
	Next   int    // where the next page of the day begins; 0: there is none
	Gaps   []Line // of all days, the worst and the soonest first
	More   int    // further gaps
	Teams  []TeamStands
	At     time.Time
}

// deskSlim is what a coverage page reads of every shift.
var deskSlim = []string{
	"id", "roster_id", "team_id", "role", "role_kind", "kind", "starts_at", "ends_at", "minutes", "mode", "place", "minimum", "places", "standbys", "energy", "demands", "position",
	"cancelled_at", "settled_at", "filled", "head_count", "revision",
}

// Coverage says how a roster stands: gaps first, then a day. It needs what Get needs; who holds places is for who may change the roster.
func (s *Service) Coverage(ctx context.Context, a actor.Actor, id uuid.UUID, f CoverageFilter) (Coverage, error) {
	r, err := deskSees(ctx, s.DB.DB, a, id)
	if err != nil {
		return Coverage{}, err
	}
	now := s.Clock.Now()
	c := Coverage{Roster: r, Names: Changes(a, r), At: now}
	lines, teams, err := s.deskLines(ctx, s.DB.DB, r, now)
	if err != nil {
		return c, err
	}
	zone := Zone(r)
	c.days(lines, zone, f.Day, now)
	var shown []*Line
	for i := range lines {
		l := &lines[i]
		if l.CancelledAt == nil && !l.Over {
			c.Places += l.Shift.Places
			c.Held += l.Is.Held()
			c.Open += max(0, l.Shift.Places-l.Is.Held())
			c.Asking += l.Is.Asking
			if l.Is.Standbys < l.Standbys {
				c.Thin++
			}
		}
		if f.RoleKind != models.RoleAny && l.RoleKind != f.RoleKind || f.Team != uuid.Nil && (l.TeamID == nil || *l.TeamID != f.Team) {
			continue
		}
		gap := l.Risk != NoRisk && l.CancelledAt == nil && !l.Over
		if gap {
			c.Gaps = append(c.Gaps, *l)
		}
		if f.GapsOnly && !gap {
			continue
		}
		if deskOn(l.Shift, c.Day, zone) {
			shown = append(shown, l)
		}
	}
	slices.SortStableFunc(c.Gaps, deskWorse)
	if len(c.Gaps) > CoverageGaps {
		c.Gaps, c.More = c.Gaps[:CoverageGaps], len(c.Gaps)-CoverageGaps
	}
	from := min(max(f.From, 0), len(shown))
	if to := from + CoverageRows; to < len(shown) {
		c.Next, shown = to, shown[from:to]
	} else {
		shown = shown[from:]
	}
	if c.Names {
		for i := range c.Gaps {
			shown = append(shown, &c.Gaps[i])
		}
		if err := s.deskNames(ctx, s.DB.DB, shown); err != nil {
			return c, err
		}
		shown = shown[:len(shown)-len(c.Gaps)]
	}
	for _, l := range shown {
		if l.Kind == models.ShiftFixed {
			c.Rows = append(c.Rows, *l)
		} else {
			c.Tasks = append(c.Tasks, *l)
		}
	}
	c.Teams = deskTeams(teams, lines)
	return c, nil
}

// days lists the days of a roster on which something begins, and chooses one.
func (c *Coverage) days(lines []Line, zone *time.Location, wanted string, now time.Time) {
	seen := map[string]bool{}
	today := now.In(zone).Format(time.DateOnly)
	for _, l := range lines {
		if l.StartsAt != nil && l.Kind == models.ShiftFixed {
			seen[l.StartsAt.In(zone).Format(time.DateOnly)] = true
		}
	}
	for d := range seen {
		c.Days = append(c.Days, d)
	}
	slices.Sort(c.Days)
	switch {
	case seen[wanted]:
		c.Day = wanted
	case len(c.Days) > 0:
		i, _ := slices.BinarySearch(c.Days, today)
		c.Day = c.Days[min(i, len(c.Days)-1)]
	}
}

// deskOn reports whether a shift belongs to a day: a fixed one that begins then, and any other that can be done then.
func deskOn(sh models.Shift, day string, zone *time.Location) bool {
	on := func(t *time.Time) string { return t.In(zone).Format(time.DateOnly) }
	if sh.Kind == models.ShiftFixed {
		return sh.StartsAt != nil && on(sh.StartsAt) == day
	}
	return true
}

// deskWorse puts the worst first, and of the same the soonest.
func deskWorse(a, b Line) int {
	if d := slices.Index(Risks, a.Risk) - slices.Index(Risks, b.Risk); d != 0 {
		return d
	}
	return deskSooner(a, b)
}

func deskSooner(a, b Line) int {
	x, y := deskDue(a.Shift), deskDue(b.Shift)
	switch {
	case x == nil && y == nil:
		return 0
	case x == nil:
		return 1
	case y == nil:
		return -1
	}
	return x.Compare(*y)
}

// deskDue is by when a shift wants its people: its start, or else its end.
func deskDue(sh models.Shift) *time.Time {
	if sh.Kind == models.ShiftFixed && sh.StartsAt != nil {
		return sh.StartsAt
	}
	return sh.EndsAt
}

// deskLines reads every shift of a roster and how it stands, in the order of time, and its teams.
func (s *Service) deskLines(ctx context.Context, tx *gorm.DB, r models.Roster, now time.Time) ([]Line, []models.Team, error) {
	tx = tx.WithContext(ctx)
	var shifts []models.Shift
	if err := tx.Select(deskSlim).Where("roster_id = ?", r.ID).Order("starts_at, position, id").Find(&shifts).Error; err != nil {
		return nil, nil, err
	}
	var teams []models.Team
	if err := tx.Where("roster_id = ?", r.ID).Order("position, name, id").Find(&teams).Error; err != nil {
		return nil, nil, err
	}
	called := make(map[uuid.UUID]string, len(teams))
	for _, t := range teams {
		called[t.ID] = t.Name
	}
	counts, err := deskCounts(ctx, tx, r.ID, now)
	if err != nil {
		return nil, nil, err
	}
	lines := make([]Line, len(shifts))
	at := make(map[uuid.UUID]int, len(shifts))
	for i, sh := range shifts {
		l := Line{Shift: sh, Is: counts[sh.ID], Over: over(sh, now)}
		l.Risk = RiskOf(sh, l.Is)
		if sh.TeamID != nil {
			l.Team = called[*sh.TeamID]
		}
		lines[i], at[sh.ID] = l, i
	}
	var covers []models.Cover
	if err := tx.Where("shift_id IN (SELECT id FROM shifts WHERE roster_id = ?)", r.ID).Find(&covers).Error; err != nil {
		return nil, nil, err
	}
	for _, c := range covers {
		if i, ok := at[c.ShiftID]; ok {
			lines[i].PhoneAt = c.PhoneAt
		}
	}
	var offers []models.Offer
	err = tx.Select("id", "shift_id", "expires_at").Where("state = ? AND shift_id IN (SELECT id FROM shifts WHERE roster_id = ?)", models.OfferOpen, r.ID).Find(&offers).Error
	for _, o := range offers {
		if i, ok := at[o.ShiftID]; ok && (lines[i].Until == nil || o.ExpiresAt.After(*lines[i].Until)) {
			lines[i].Until = &o.ExpiresAt
		}
	}
	return lines, teams, err
}

// deskCounts is placesOf for all shifts of a roster, by two questions.
func deskCounts(ctx context.Context, tx *gorm.DB, roster uuid.UUID, now time.Time) (map[uuid.UUID]Places, error) {
	var rows []struct {
		ShiftID uuid.UUID
		AsWhat  models.PlaceAs
		State   models.AssignmentState
		N       int
	}
	err := tx.WithContext(ctx).Table("assignments a").Joins("JOIN shifts s ON s.id = a.shift_id").Select("a.shift_id, a.as_what, a.state, count(*) AS n").
		Where("s.roster_id = ? AND (a.state <> ? OR a.expires_at > ?)", roster, models.AssignmentPending, now).Group("a.shift_id, a.as_what, a.state").Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]Places, len(rows))
	for _, r := range rows {
		p := out[r.ShiftID]
		switch {
		case r.AsWhat == models.AsPlace && r.State == models.AssignmentConfirmed:
			p.Confirmed += r.N
		case r.AsWhat == models.AsPlace && r.State == models.AssignmentPending:
			p.Pending += r.N
		case (r.AsWhat == models.AsStandby || r.AsWhat == models.AsUnderstudy) && r.State != models.AssignmentPending:
			p.Standbys += r.N
		}
		out[r.ShiftID] = p
	}
	var asked []struct {
		ShiftID uuid.UUID
		N       int
	}
	err = tx.WithContext(ctx).Table("offers o").Joins("JOIN shifts s ON s.id = o.shift_id").Select("o.shift_id, count(*) AS n").
		Where("s.roster_id = ? AND o.state = ?", roster, models.OfferOpen).Group("o.shift_id").Scan(&asked).Error
	for _, x := range asked {
		p := out[x.ShiftID]
		p.Asking = x.N
		out[x.ShiftID] = p
	}
	return out, err
}

// deskNames reads who is on shifts. The caller may see who they are.
func (s *Service) deskNames(ctx context.Context, tx *gorm.DB, lines []*Line) error {
	ids := make([]uuid.UUID, 0, len(lines))
	at := make(map[uuid.UUID][]*Line, len(lines))
	for _, l := range lines {
		if at[l.ID] == nil {
			ids = append(ids, l.ID)
		}
		at[l.ID] = append(at[l.ID], l)
	}
	if len(ids) == 0 {
		return nil
	}
	var rows []models.Assignment
	err := tx.WithContext(ctx).Select("id", "shift_id", "mailbox_id", "as_what", "state", "given_name_sealed", "family_name_sealed", "time_zone", "starts_at", "ask_by", "ask_from", "created_at").
		Where("shift_id IN ?", ids).Order("created_at, id").Find(&rows).Error
	if err != nil {
		return err
	}
	boxes := make([]uuid.UUID, len(rows))
	for i, a := range rows {
		boxes[i] = a.MailboxID
	}
	noMail := map[uuid.UUID]bool{}
	for part := range slices.Chunk(boxes, 500) {
		var list []uuid.UUID
		if err := tx.WithContext(ctx).Model(&models.Mailbox{}).Where("id IN ? AND address_sealed IS NULL", part).Pluck("id", &list).Error; err != nil {
			return err
		}
		for _, id := range list {
			noMail[id] = true
		}
	}
	for _, a := range rows {
		given, family, err := s.deskOpen(a)
		if err != nil {
			return err
		}
		h := Holder{
			ID: a.ID, Mailbox: a.MailboxID, Name: shortName(given, family), As: a.AsWhat, State: a.State, StartsAt: a.StartsAt, AskBy: a.AskBy, AskFrom: a.AskFrom, Zone: a.TimeZone,
			NoMail: noMail[a.MailboxID],
		}
		for _, l := range at[a.ShiftID] {
			l.Holders = append(l.Holders, h)
		}
	}
	return nil
}

func (s *Service) deskOpen(a models.Assignment) (given, family string, err error) {
	if given, err = s.Vault.Open("assignments", "given_name_sealed", a.ID, a.GivenNameSealed); err != nil {
		return "", "", err
	}
	family, err = s.Vault.Open("assignments", "family_name_sealed", a.ID, a.FamilyNameSealed)
	return given, family, err
}

// shortName is a given name and the first letter of a family name: "June O."
func shortName(given, family string) string {
	if r := []rune(strings.TrimSpace(family)); len(r) > 0 {
		return strings.TrimSpace(given + " " + string(r[:1]) + ".")
	}
	return given
}

// deskTeams says of each team how its shifts stand.
func deskTeams(teams []models.Team, lines []Line) []TeamStands {
	out := make([]TeamStands, len(teams))
	at := make(map[uuid.UUID]int, len(teams))
	for i, t := range teams {
		out[i].Team, at[t.ID] = t, i
	}
	for _, l := range lines {
		if l.TeamID == nil || l.CancelledAt != nil {
			continue
		}
		if i, ok := at[*l.TeamID]; ok {
			out[i].Shifts = append(out[i].Shifts, l)
		}
	}
	for i := range out {
		out[i].Ahead = len(out[i].Shifts) > 0 && !slices.ContainsFunc(out[i].Shifts, func(l Line) bool { return l.SettledAt == nil && l.Is.Confirmed < l.Minimum })
	}
	return out
}
