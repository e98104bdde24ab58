package letters

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/divisions"
	"kithline/campaigns/legislators"
	"kithline/models"
	"kithline/models/database"
)

// How much of a course a report shows, and from how many answers on it says how an office answers.
const (
	reportDays    = 30
	reportOffices = 200
	answersLeast  = 10
)

// Report is what the organizers see of a letter campaign. It is read from letters and dispatches alone, and never says who wrote.
type Report struct {
	Campaign  Campaign
	States    []StateCount // of letters, in the order of the way; those of none are left out
	Confirmed int
	OwnShare  [5]int // letters by how much is the writer's own: nothing, to a quarter, to the half, to three quarters, more
	OwnWords  int    // the middle of how many words of their own letters have
	Days      []DayCount
	Regions   []RegionCount // by the writer's state; counts below ten are hidden
	Districts Covered
	Offices   []OfficeCount
	More      int // offices that are left out
	Exact     bool
	Open      []OpenCount // who was not reached, and why
	Waiting   int         // dispatches that are due or will be
	Handed    int         // and those that went
}

// StateCount is how many letters are in a state.
type StateCount struct {
	State models.LetterState
	N     int
}

// DayCount is what one day brought.
type DayCount struct {
	At                time.Time // its first moment, where the organisation is
	Confirmed, Handed int
}

// RegionCount is how many letters came from a state. Hidden where it is fewer than ten, or could tell such a number.
type RegionCount struct {
	Region string
	N      int
	Hidden bool
}

// Covered is where letters came from, by district.
type Covered struct {
	Rows []divisions.Count // those that may be told
	Rest int               // letters from all others
}

// OfficeCount is the pace of letters to one legislator, and how they were answered. Answered, No and Unclear are told where Told says so.
type OfficeCount struct {
	Member    legislators.Member
	Letters   int // in all; 0 with Hidden
	Waiting   int
	Handed    int // by mail, presumed delivered or answered
	ByHand    int // waits for the writer's hand
	Done      int // by hand, and done
	Missed    int // not reached
	LastHour  int
	NextAt    *time.Time // when the next may go, or is looked at; nil: nothing waits
	Answers   int        // writers who said whether they were answered; 0 where not Told
	Yes       int
	Told      bool // enough said it
	Hidden    bool
	LeftGroup bool // who was written to has left office
}

// OpenCount is how many dispatches did not reach anybody for one reason. The locale keys are "lettercampaigns.open_" and State, and
// "lettercampaigns.why_" and Reason.
type OpenCount struct {
	State  models.DispatchState
	Reason string
	N      int
}

// letterStates lists the states of letters in the order of the way.
var letterStates = []models.LetterState{
	models.LetterDraft, models.LetterAwaiting, models.LetterConfirmed, models.LetterHeld, models.LetterReleased, models.LetterClosed, models.LetterAnonymised, models.LetterRejected,
	models.LetterExpired,
}

// counted are the states of letters that somebody confirmed.
var counted = []models.LetterState{models.LetterConfirmed, models.LetterHeld, models.LetterReleased, models.LetterClosed, models.LetterAnonymised}

// Report returns the course of a letter campaign, with days as they are in zone. It needs actor.SeeFigures; one that is not public is
// seen by whom Draft is for. Numbers of single offices below ten are told to those with actor.ManageLetters alone.
func (s *Service) Report(ctx context.Context, a actor.Actor, id uuid.UUID, zone *time.Location) (Report, error) {
	c, err := s.Get(ctx, a, id)
	if err != nil {
		return Report{}, err
	}
	r := Report{Campaign: c, Exact: a.May(actor.ManageLetters)}
	for _, fill := range []func(context.Context, *Report, time.Time, *time.Location) error{s.fillLetters, s.fillDays, s.fillPlaces, s.fillOffices, s.fillOpen} {
		if err := fill(ctx, &r, s.Clock.Now(), zone); err != nil {
			return r, err
		}
	}
	return r, nil
}

// fillLetters counts letters by state and by how much is the writer's own.
func (s *Service) fillLetters(ctx context.Context, r *Report, _ time.Time, _ *time.Location) error {
	db, id := s.DB.WithContext(ctx), r.Campaign.ID
	var rows []StateCount
	if err := db.Model(&models.Letter{}).Select("state, COUNT(*) AS n").Where("letter_campaign_id = ?", id).Group("state").Scan(&rows).Error; err != nil {
		return err
	}
	for _, st := range letterStates {
		for _, row := range rows {
			if row.State == st {
				r.States = append(r.States, row)
				if slices.Contains(counted, st) {
					r.Confirmed += row.N
				}
			}
		}
	}
	var shares []struct{ Part, N int }
	err := db.Model(&models.Letter{}).Select("CASE WHEN own_share <= 0 THEN 0 WHEN own_share <= 25 THEN 1 WHEN own_share <= 50 THEN 2 WHEN own_share <= 75 THEN 3 ELSE 4 END AS part, COUNT(*) AS n").
		Where("letter_campaign_id = ? AND state IN ?", id, counted).Group("part").Scan(&shares).Error
	for _, x := range shares {
		r.OwnShare[x.Part] = x.N
	}
	if err != nil || r.Confirmed == 0 {
		return err
	}
	var words []int
	err = db.Model(&models.Letter{}).Where("letter_campaign_id = ? AND state IN ?", id, counted).Order("own_words").Offset((r.Confirmed-1)/2).Limit(1).Pluck("own_words", &words).Error
	if len(words) > 0 {
		r.OwnWords = words[0]
	}
	return err
}

// fillDays counts what the last days brought.
func (s *Service) fillDays(ctx context.Context, r *Report, now time.Time, zone *time.Location) error {
	here := now.In(zone)
	first := time.Date(here.Year(), here.Month(), here.Day()-reportDays+1, 0, 0, 0, 0, zone)
	for i := range reportDays {
		r.Days = append(r.Days, DayCount{At: time.Date(first.Year(), first.Month(), first.Day()+i, 0, 0, 0, 0, zone)})
	}
	count := func(table, column, and string, add func(*DayCount)) error {
		var at []time.Time
		err := s.DB.WithContext(ctx).Table(table).Where("letter_campaign_id = ? AND "+column+" >= ?"+and, r.Campaign.ID, first.UTC()).Pluck(column, &at).Error
		for _, t := range at {
			i, found := slices.BinarySearchFunc(r.Days, t, func(d DayCount, t time.Time) int { return d.At.Compare(t) })
			if !found {
				i--
			}
			if i >= 0 {
				add(&r.Days[i])
			}
		}
		return err
	}
	if err := count("letters", "confirmed_at", "", func(d *DayCount) { d.Confirmed++ }); err != nil {
		return err
	}
	return count("dispatches", "handed_at", "", func(d *DayCount) { d.Handed++ })
}

// fillPlaces counts letters by state and by district.
func (s *Service) fillPlaces(ctx context.Context, r *Report, now time.Time, _ *time.Location) error {
	db := s.DB.WithContext(ctx)
	var rows []struct {
		Region, Divisions string
		N                 int
	}
	err := db.Model(&models.Letter{}).Select("region, divisions, COUNT(*) AS n").Where("letter_campaign_id = ? AND state IN ?", r.Campaign.ID, counted).
		Group("region, divisions").Scan(&rows).Error
	if err != nil {
		return err
	}
	regions, places, all := map[string]int{}, map[uuid.UUID]int{}, 0
	for _, x := range rows {
		regions[strings.ToUpper(x.Region)] += x.N
		all += x.N
		var ids []uuid.UUID
		if json.Unmarshal([]byte(x.Divisions), &ids) != nil {
			continue // anonymised, or from a time before there were any
		}
		for _, id := range ids {
			places[id] += x.N
		}
	}
	var counts []int
	for _, name := range sortedKeys(regions) {
		r.Regions = append(r.Regions, RegionCount{Region: name, N: regions[name]})
		counts = append(counts, regions[name])
	}
	for i, h := range divisions.Hide(counts) {
		if h.Hidden {
			r.Regions[i].N, r.Regions[i].Hidden = 0, true
		}
	}
	return s.fillDistricts(ctx, r, places, all, now)
}

func sortedKeys(m map[string]int) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// fillDistricts tells letters by district, of the kind that most of them name.
func (s *Service) fillDistricts(ctx context.Context, r *Report, places map[uuid.UUID]int, all int, now time.Time) error {
	ids := make([]uuid.UUID, 0, len(places))
	for id := range places {
		ids = append(ids, id)
	}
	var known []models.Division
	for part := range slices.Chunk(ids, 500) {
		var rows []models.Division
		if err := s.DB.WithContext(ctx).Where("id IN ? AND kind NOT IN ?", part, []models.DivisionKind{"country", "state"}).Find(&rows).Error; err != nil {
			return err
		}
		known = append(known, rows...)
	}
	kinds := map[string]int{}
	for _, d := range known {
		kinds[string(d.Kind)] += places[d.ID]
	}
	var kind string
	for _, k := range sortedKeys(kinds) {
		if kind == "" || kinds[k] > kinds[kind] {
			kind = k
		}
	}
	t := divisions.Tally{}
	told := 0
	for _, d := range known {
		if string(d.Kind) == kind {
			t.Divisions = append(t.Divisions, divisions.Count{Division: d, N: places[d.ID]})
			told += places[d.ID]
		}
	}
	t.Elsewhere = max(0, all-told)
	if len(t.Divisions) == 0 {
		r.Districts = Covered{Rest: all}
		return nil
	}
	slices.SortFunc(t.Divisions, func(a, b divisions.Count) int { return strings.Compare(a.Division.OCDID, b.Division.OCDID) })
	var err error
	r.Districts.Rows, r.Districts.Rest, err = t.Public(ctx, s.DB.DB, now)
	return err
}

// officeRow is what one statement counts about the dispatches to one legislator.
type officeRow struct {
	LegislatorID                                                        uuid.UUID
	Letters, Waiting, Handed, ByHand, Done, Missed, LastHour, Said, Yes int
}

// fillOffices counts the dispatches by legislator, those with the most first.
func (s *Service) fillOffices(ctx context.Context, r *Report, now time.Time, _ *time.Location) error {
	db, id := s.DB.WithContext(ctx), r.Campaign.ID
	var rows []officeRow
	err := db.Model(&models.Dispatch{}).Select(`legislator_id, COUNT(*) AS letters,
			SUM(CASE WHEN state = 'waiting' THEN 1 ELSE 0 END) AS waiting,
			SUM(CASE WHEN state IN ('handed', 'presumed_delivered', 'answered') THEN 1 ELSE 0 END) AS handed,
			SUM(CASE WHEN state = 'by_hand' AND done_at IS NULL THEN 1 ELSE 0 END) AS by_hand,
			SUM(CASE WHEN state IN ('by_hand', 'closed') AND done_at IS NOT NULL THEN 1 ELSE 0 END) AS done,
			SUM(CASE WHEN state IN ('bounced', 'failed', 'retarget_needed') OR state = 'closed' AND handed_at IS NULL AND done_at IS NULL THEN 1 ELSE 0 END) AS missed,
			SUM(CASE WHEN handed_at > ? THEN 1 ELSE 0 END) AS last_hour,
			SUM(CASE WHEN answer <> '' THEN 1 ELSE 0 END) AS said, SUM(CASE WHEN answer = 'yes' THEN 1 ELSE 0 END) AS yes`, now.Add(-time.Hour)).
		Where("letter_campaign_id = ? AND state <> ?", id, models.DispatchDraft).Group("legislator_id").Order("letters DESC, legislator_id").Scan(&rows).Error
	if err != nil {
		return err
	}
	counts := make([]int, len(rows))
	for i, x := range rows {
		counts[i] = x.Letters
		r.Waiting += x.Waiting
		r.Handed += x.Handed
	}
	hidden := divisions.Hide(counts)
	r.More = max(0, len(rows)-reportOffices)
	rows = rows[:len(rows)-r.More]
	ids := make([]uuid.UUID, len(rows))
	for i, x := range rows {
		ids[i] = x.LegislatorID
	}
	members, err := s.named(ctx, ids, now)
	if err != nil {
		return err
	}
	next, err := s.nextLooks(ctx, ids)
	if err != nil {
		return err
	}
	for i, x := range rows {
		m, sits := members[x.LegislatorID]
		o := OfficeCount{Member: m, LeftGroup: !sits || m.Term.ID == uuid.Nil}
		if !r.Exact && hidden[i].Hidden {
			o.Hidden = true
			r.Offices = append(r.Offices, o)
			continue
		}
		o.Letters, o.Waiting, o.Handed, o.ByHand, o.Done, o.Missed, o.LastHour = x.Letters, x.Waiting, x.Handed, x.ByHand, x.Done, x.Missed, x.LastHour
		if x.Waiting > 0 {
			o.NextAt = next[x.LegislatorID]
		}
		if x.Said >= answersLeast {
			o.Told, o.Answers, o.Yes = true, x.Said, x.Yes
		}
		r.Offices = append(r.Offices, o)
	}
	return nil
}

// named reads legislators with their seats; who has none any more with the name alone.
func (s *Service) named(ctx context.Context, ids []uuid.UUID, now time.Time) (map[uuid.UUID]legislators.Member, error) {
	out := map[uuid.UUID]legislators.Member{}
	for part := range slices.Chunk(ids, 500) {
		members, err := legislators.Members(ctx, s.DB.DB, part, now)
		if err != nil {
			return nil, err
		}
		var rows []models.Legislator
		if err := s.DB.WithContext(ctx).Where("id IN ?", part).Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, l := range rows {
			out[l.ID] = legislators.Member{Legislator: l}
		}
		for _, m := range members {
			out[m.ID] = m
		}
	}
	return out, nil
}

// nextLooks reads when the pace looks at legislators next.
func (s *Service) nextLooks(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]*time.Time, error) {
	var rows []models.LetterPace
	err := database.FindIn(s.DB.WithContext(ctx), "legislator_id", ids, &rows)
	out := make(map[uuid.UUID]*time.Time, len(rows))
	for _, p := range rows {
		out[p.LegislatorID] = p.NextAt
	}
	return out, err
}

// fillOpen counts the dispatches that did not reach anybody, by why.
func (s *Service) fillOpen(ctx context.Context, r *Report, _ time.Time, _ *time.Location) error {
	return s.DB.WithContext(ctx).Model(&models.Dispatch{}).Select("state, closed_reason AS reason, COUNT(*) AS n").
		Where("letter_campaign_id = ? AND (state IN ('bounced', 'failed', 'retarget_needed') OR state = 'by_hand' AND done_at IS NULL OR state = 'closed' AND handed_at IS NULL AND done_at IS NULL)", r.Campaign.ID).
		Group("state, closed_reason").Order("n DESC, state, closed_reason").Scan(&r.Open).Error
}
