package rosters

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/models"
	"kithline/models/database"
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
	Shifts []Line // of Teams alone; without names
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

// deskFact is what a coverage page reads of every shift, and how it stands: little, since there may be thousands.
type deskFact struct {
	id                        uuid.UUID
	team                      uuid.NullUUID
	roleKind                  models.RoleKind
	kind                      models.ShiftKind
	starts, ends              sql.NullTime
	minimum, places, standbys int
	cancelled, settled        bool
	is                        Places
	risk                      Risk
	over                      bool
}

// gap reports whether something is missing that can still be had.
func (f *deskFact) gap() bool { return f.risk != NoRisk && !f.cancelled && !f.over }

// deskSlim is what a Line has of its shift.
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
	facts, err := deskFacts(ctx, s.DB.DB, r.ID, now)
	if err != nil {
		return c, err
	}
	zone := Zone(r)
	c.days(facts, zone, f.Day, now)
	var shown, gaps []*deskFact
	for i := range facts {
		l := &facts[i]
		if !l.cancelled && !l.over {
			c.Places += l.places
			c.Held += l.is.Held()
			c.Open += max(0, l.places-l.is.Held())
			c.Asking += l.is.Asking
			if l.is.Standbys < l.standbys {
				c.Thin++
			}
		}
		if f.RoleKind != models.RoleAny && l.roleKind != f.RoleKind || f.Team != uuid.Nil && l.team.UUID != f.Team {
			continue
		}
		if l.gap() {
			gaps = append(gaps, l)
		} else if f.GapsOnly {
			continue
		}
		if l.on(c.Day, zone) {
			shown = append(shown, l)
		}
	}
	slices.SortStableFunc(gaps, deskWorse)
	if len(gaps) > CoverageGaps {
		gaps, c.More = gaps[:CoverageGaps], len(gaps)-CoverageGaps
	}
	from := min(max(f.From, 0), len(shown))
	if to := from + CoverageRows; to < len(shown) {
		c.Next, shown = to, shown[from:to]
	} else {
		shown = shown[from:]
	}
	teams, err := deskTeamsOf(ctx, s.DB.DB, r.ID)
	if err != nil {
		return c, err
	}
	lines, err := s.deskShown(ctx, s.DB.DB, append(slices.Clone(shown), gaps...), teams, c.Names)
	if err != nil {
		return c, err
	}
	c.Gaps = slices.DeleteFunc(lines[len(shown):], Line.gone)
	for _, l := range slices.DeleteFunc(lines[:len(shown):len(shown)], Line.gone) {
		if l.Kind == models.ShiftFixed {
			c.Rows = append(c.Rows, l)
		} else {
			c.Tasks = append(c.Tasks, l)
		}
	}
	c.Teams = deskAhead(teams, facts)
	return c, nil
}

// Teams says of each team of a roster how its shifts stand. It needs what Get needs.
func (s *Service) Teams(ctx context.Context, a actor.Actor, id uuid.UUID) ([]TeamStands, error) {
	r, err := deskSees(ctx, s.DB.DB, a, id)
	if err != nil {
		return nil, err
	}
	facts, err := deskFacts(ctx, s.DB.DB, r.ID, s.Clock.Now())
	if err != nil {
		return nil, err
	}
	teams, err := deskTeamsOf(ctx, s.DB.DB, r.ID)
	if err != nil {
		return nil, err
	}
	var of []*deskFact
	for i := range facts {
		if facts[i].team.Valid && !facts[i].cancelled {
			of = append(of, &facts[i])
		}
	}
	lines, err := s.deskShown(ctx, s.DB.DB, of, teams, false)
	out := deskAhead(teams, facts)
	for i := range out {
		for _, l := range lines {
			if l.TeamID != nil && *l.TeamID == out[i].ID {
				out[i].Shifts = append(out[i].Shifts, l)
			}
		}
	}
	return out, err
}

// days lists the days of a roster on which something begins, and chooses one.
func (c *Coverage) days(facts []deskFact, zone *time.Location, wanted string, now time.Time) {
	seen := map[string]bool{}
	today := now.In(zone).Format(time.DateOnly)
	for i := range facts {
		if f := &facts[i]; f.starts.Valid && f.kind == models.ShiftFixed {
			seen[f.starts.Time.In(zone).Format(time.DateOnly)] = true
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
func deskOn(kind models.ShiftKind, starts *time.Time, day string, zone *time.Location) bool {
	if kind == models.ShiftFixed {
		return starts != nil && starts.In(zone).Format(time.DateOnly) == day
	}
	return true
}

func (f *deskFact) on(day string, zone *time.Location) bool {
	return deskOn(f.kind, deskTime(&f.starts), day, zone)
}

// deskWorse puts the worst first, and of the same the soonest.
func deskWorse(a, b *deskFact) int {
	if d := slices.Index(Risks, a.risk) - slices.Index(Risks, b.risk); d != 0 {
		return d
	}
	return deskSooner(a.due(), b.due())
}

func (f *deskFact) due() *time.Time { return deskDue(f.kind, deskTime(&f.starts), deskTime(&f.ends)) }

// deskSooner compares by when shifts want their people; one without such a time comes last.
func deskSooner(x, y *time.Time) int {
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
func deskDue(kind models.ShiftKind, starts, ends *time.Time) *time.Time {
	if kind == models.ShiftFixed && starts != nil {
		return starts
	}
	return ends
}

// deskFacts reads what a coverage page needs to know of every shift of a roster, in the order of time. It is a hot path: rows are read
// as they come.
func deskFacts(ctx context.Context, tx *gorm.DB, roster uuid.UUID, now time.Time) (out []deskFact, err error) {
	counts, err := deskCounts(ctx, tx, roster, now)
	if err != nil {
		return nil, err
	}
	rows, err := tx.WithContext(ctx).Raw(`SELECT id, team_id, role_kind, kind, starts_at, ends_at, minimum, places, standbys, cancelled_at IS NOT NULL, settled_at IS NOT NULL
		FROM shifts WHERE roster_id = ? ORDER BY starts_at, position, id`, roster).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = make([]deskFact, 0, len(counts)+len(counts)/8)
	for rows.Next() {
		var f deskFact
		if err := rows.Scan(&f.id, &f.team, &f.roleKind, &f.kind, &f.starts, &f.ends, &f.minimum, &f.places, &f.standbys, &f.cancelled, &f.settled); err != nil {
			return nil, err
		}
		f.is = counts[f.id]
		sh := models.Shift{Kind: f.kind, StartsAt: deskTime(&f.starts), EndsAt: deskTime(&f.ends), Minimum: f.minimum, Places: f.places, Standbys: f.standbys}
		f.risk, f.over = RiskOf(sh, f.is), f.settled || over(sh, now)
		out = append(out, f)
	}
	return out, rows.Err()
}

func deskTime(t *sql.NullTime) *time.Time {
	if !t.Valid {
		return nil
	}
	return &t.Time
}

// deskShown reads the line of each of some shifts, with who is on it where names are shown. One that was deleted meanwhile has no id.
func (s *Service) deskShown(ctx context.Context, tx *gorm.DB, facts []*deskFact, teams []models.Team, names bool) ([]Line, error) {
	ids := make([]uuid.UUID, 0, len(facts))
	at := make(map[uuid.UUID]models.Shift, len(facts))
	for _, f := range facts {
		if _, twice := at[f.id]; !twice {
			ids, at[f.id] = append(ids, f.id), models.Shift{}
		}
	}
	var shifts []models.Shift
	if err := database.FindIn(tx.WithContext(ctx).Select(deskSlim), "id", ids, &shifts); err != nil {
		return nil, err
	}
	for _, sh := range shifts {
		at[sh.ID] = sh
	}
	lines := make([]Line, 0, len(facts))
	for _, f := range facts {
		lines = append(lines, Line{Shift: at[f.id], Is: f.is, Risk: f.risk, Over: f.over})
	}
	if err := deskAsks(ctx, tx, lines, teams); err != nil || !names {
		return lines, err
	}
	return lines, s.deskNames(ctx, tx, lines)
}

// deskLines reads every shift of a roster and how it stands, in the order of time, and its teams.
func (s *Service) deskLines(ctx context.Context, tx *gorm.DB, r models.Roster, now time.Time) ([]Line, []models.Team, error) {
	var shifts []models.Shift
	if err := tx.WithContext(ctx).Select(deskSlim).Where("roster_id = ?", r.ID).Order("starts_at, position, id").Find(&shifts).Error; err != nil {
		return nil, nil, err
	}
	teams, err := deskTeamsOf(ctx, tx, r.ID)
	if err != nil {
		return nil, nil, err
	}
	counts, err := deskCounts(ctx, tx, r.ID, now)
	if err != nil {
		return nil, nil, err
	}
	lines := make([]Line, len(shifts))
	for i, sh := range shifts {
		lines[i] = Line{Shift: sh, Is: counts[sh.ID], Over: over(sh, now)}
		lines[i].Risk = RiskOf(sh, lines[i].Is)
	}
	return lines, teams, deskAsks(ctx, tx, lines, teams)
}

func deskTeamsOf(ctx context.Context, tx *gorm.DB, roster uuid.UUID) (teams []models.Team, err error) {
	err = tx.WithContext(ctx).Where("roster_id = ?", roster).Order("position, name, id").Find(&teams).Error
	return teams, err
}

// deskAsks says of lines whose team they are of, since when they stand on the phone list, and until when somebody is being asked.
func deskAsks(ctx context.Context, tx *gorm.DB, lines []Line, teams []models.Team) error {
	tx = tx.WithContext(ctx)
	called := make(map[uuid.UUID]string, len(teams))
	for _, t := range teams {
		called[t.ID] = t.Name
	}
	var ids []uuid.UUID
	at := make(map[uuid.UUID][]*Line, len(lines))
	for i := range lines {
		l := &lines[i]
		if l.TeamID != nil {
			l.Team = called[*l.TeamID]
		}
		if at[l.ID] == nil {
			ids = append(ids, l.ID)
		}
		at[l.ID] = append(at[l.ID], l)
	}
	var covers []models.Cover
	if err := database.FindIn(tx.Select("shift_id", "phone_at").Where("phone_at IS NOT NULL"), "shift_id", ids, &covers); err != nil {
		return err
	}
	for _, c := range covers {
		for _, l := range at[c.ShiftID] {
			l.PhoneAt = c.PhoneAt
		}
	}
	var offers []models.Offer
	err := database.FindIn(tx.Select("shift_id", "expires_at").Where("state = ?", models.OfferOpen), "shift_id", ids, &offers)
	for _, o := range offers {
		for _, l := range at[o.ShiftID] {
			if l.Until == nil || o.ExpiresAt.After(*l.Until) {
				l.Until = &o.ExpiresAt
			}
		}
	}
	return err
}

// deskCounts is placesOf for all shifts of a roster, by two questions. It is a hot path: rows are read as they come.
func deskCounts(ctx context.Context, tx *gorm.DB, roster uuid.UUID, now time.Time) (out map[uuid.UUID]Places, err error) {
	rows, err := tx.WithContext(ctx).Raw(`SELECT a.shift_id, count(*) FILTER (WHERE a.as_what = 'place' AND a.state = 'confirmed'), count(*) FILTER (WHERE a.as_what = 'place' AND a.state = 'pending'),
			count(*) FILTER (WHERE a.as_what IN ('standby', 'understudy') AND a.state <> 'pending')
		FROM assignments a JOIN shifts s ON s.id = a.shift_id WHERE s.roster_id = ? AND (a.state <> 'pending' OR a.expires_at > ?) GROUP BY a.shift_id`, roster, now).Rows()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = map[uuid.UUID]Places{}
	for rows.Next() {
		var id uuid.UUID
		var p Places
		if err := rows.Scan(&id, &p.Confirmed, &p.Pending, &p.Standbys); err != nil {
			return nil, err
		}
		out[id] = p
	}
	if err := rows.Err(); err != nil {
		return nil, err
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
func (s *Service) deskNames(ctx context.Context, tx *gorm.DB, lines []Line) error {
	ids := make([]uuid.UUID, 0, len(lines))
	at := make(map[uuid.UUID][]*Line, len(lines))
	for i := range lines {
		l := &lines[i]
		if at[l.ID] == nil {
			ids = append(ids, l.ID)
		}
		at[l.ID] = append(at[l.ID], l)
	}
	var rows []models.Assignment
	q := tx.WithContext(ctx).Select("id", "shift_id", "mailbox_id", "as_what", "state", "given_name_sealed", "family_name_sealed", "time_zone", "starts_at", "ask_by", "ask_from").Order("created_at, id")
	if err := database.FindIn(q, "shift_id", ids, &rows); err != nil {
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

func (l Line) gone() bool { return l.ID == uuid.Nil }

// deskAhead says of each team whether it goes ahead.
func deskAhead(teams []models.Team, facts []deskFact) []TeamStands {
	out := make([]TeamStands, len(teams))
	at := make(map[uuid.UUID]*TeamStands, len(teams))
	for i, t := range teams {
		out[i].Team, at[t.ID] = t, &out[i]
	}
	short := map[uuid.UUID]bool{}
	for i := range facts {
		f := &facts[i]
		team := f.team.UUID
		if f.cancelled || at[team] == nil {
			continue
		}
		short[team] = short[team] || !f.settled && f.is.Confirmed < f.minimum
		at[team].Ahead = !short[team]
	}
	return out
}
