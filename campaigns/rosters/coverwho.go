package rosters

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/pacing"
	"kithline/models"
)

// coverMost is how many gaps of a roster are looked at together, and coverPool how many who offered time at once.
const (
	coverMost = 300
	coverPool = 100
)

// coverRested is for how long somebody who offered time is not asked again: left to the start, and how long.
const (
	coverRested     = 20 * time.Hour
	coverRestedNear = 4 * time.Hour
)

// coverCandidate is somebody who stands by for a shift and could take a place.
type coverCandidate struct {
	a    models.Assignment
	p    Person
	swap *models.Assignment // their place elsewhere that a yes lets go
	at   time.Time          // from when on they may be asked
}

// askStandbys asks up to so many of those who stand by and may be asked now, and tells when the next of the others may be.
func (q *coverSearch) askStandbys(ctx context.Context, need int) (asked int, soonest time.Time, err error) {
	w, err := q.world(ctx)
	if err != nil || w == nil {
		return 0, soonest, err
	}
	var list []coverCandidate
	for _, a := range w.standbys[q.sh.ID] {
		if w.asked[q.sh.ID][a.MailboxID] {
			continue
		}
		c, ok, err := w.candidate(ctx, q.sh, a, true)
		if err != nil {
			return 0, soonest, err
		}
		if ok {
			list = append(list, c)
		}
	}
	// Whoever would have to leave another place is asked after those who would not.
	slices.SortStableFunc(list, func(a, b coverCandidate) int { return coverLast(a.swap != nil, b.swap != nil) })
	for _, c := range list {
		switch {
		case c.a.AskBy != models.AskByPhone:
		case c.at.After(q.now):
			q.later(c.at)
		default: // does not hold up the others: nobody knows when somebody calls
			if err := q.offerByPhone(c); err != nil {
				return asked, soonest, err
			}
		}
	}
	list = slices.DeleteFunc(list, func(c coverCandidate) bool { return c.a.AskBy == models.AskByPhone })
	if slices.ContainsFunc(list, func(c coverCandidate) bool { return !c.at.After(q.now) }) {
		if err := w.others(ctx); err != nil {
			return 0, soonest, err
		}
	}
	for asked < need {
		c, ok, err := w.choose(ctx, q, list)
		if err != nil {
			return asked, soonest, err
		}
		if !ok {
			break
		}
		list = slices.DeleteFunc(list, func(o coverCandidate) bool { return o.a.ID == c.a.ID })
		if ok, err := w.still(ctx, q.sh, &c); err != nil {
			return asked, soonest, err
		} else if !ok {
			continue
		}
		if err := q.offer(ctx, c); err != nil {
			return asked, soonest, err
		}
		w.asked[q.sh.ID][c.a.MailboxID] = true
		w.need[q.sh.ID]--
		asked++
	}
	for _, c := range list {
		if c.at.After(q.now) {
			soonest = coverEarlier(soonest, c.at)
		}
	}
	return asked, soonest, nil
}

func coverLast(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// coverWorld is what a search knows of those who stand by for its shift and, once one of them may be asked, of the other gaps of the roster and
// those who stand by for them: so that nobody is asked for one gap who is all that another has.
type coverWorld struct {
	q        *coverSearch
	shifts   map[uuid.UUID]models.Shift
	need     map[uuid.UUID]int // places that are free and for which nobody is being asked, so far as the minimum needs them
	standbys map[uuid.UUID][]models.Assignment
	asked    map[uuid.UUID]map[uuid.UUID]bool
	people   map[uuid.UUID]Person
	zones    map[string]*time.Location
	places   map[uuid.UUID]Places
	silent   map[uuid.UUID]bool // no mail goes there now
}

// world is what is known of those who stand by for the shift; nil where nobody is left whom nobody asked yet.
func (q *coverSearch) world(ctx context.Context) (*coverWorld, error) {
	w := &coverWorld{
		q: q, shifts: map[uuid.UUID]models.Shift{}, need: map[uuid.UUID]int{}, standbys: map[uuid.UUID][]models.Assignment{}, asked: map[uuid.UUID]map[uuid.UUID]bool{},
		people: map[uuid.UUID]Person{}, zones: map[string]*time.Location{}, places: map[uuid.UUID]Places{q.sh.ID: q.places}, silent: map[uuid.UUID]bool{},
	}
	standbys, err := w.add([]models.Shift{q.sh}, q.offers)
	if err != nil || !slices.ContainsFunc(standbys, func(a models.Assignment) bool { return !w.asked[q.sh.ID][a.MailboxID] }) {
		return nil, err
	}
	return w, w.meet(ctx, standbys)
}

// others adds the other gaps of the roster, and those who stand by for them.
func (w *coverWorld) others(ctx context.Context) error {
	q := w.q
	var gaps []models.Shift
	err := q.tx.Where("roster_id = ? AND id <> ? AND cancelled_at IS NULL AND settled_at IS NULL AND id IN (SELECT shift_id FROM covers)", q.roster.ID, q.sh.ID).Order("starts_at, id").Limit(coverMost).Find(&gaps).Error
	if err != nil {
		return err
	}
	gaps = slices.DeleteFunc(gaps, func(g models.Shift) bool { return over(g, q.now) })
	if len(gaps) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(gaps))
	for i, g := range gaps {
		ids[i] = g.ID
	}
	var offers []models.Offer
	if err := q.tx.Where("shift_id IN ?", ids).Find(&offers).Error; err != nil {
		return err
	}
	places, err := placesOf(ctx, q.tx, ids, q.now)
	if err != nil {
		return err
	}
	maps.Copy(w.places, places)
	standbys, err := w.add(gaps, offers)
	if err != nil {
		return err
	}
	return w.meet(ctx, standbys)
}

// add adds gaps, whose places are known, and all offers of them. It returns who stands by for them.
func (w *coverWorld) add(gaps []models.Shift, offers []models.Offer) ([]models.Assignment, error) {
	ids := make([]uuid.UUID, len(gaps))
	for i, g := range gaps {
		ids[i], w.shifts[g.ID], w.asked[g.ID] = g.ID, g, map[uuid.UUID]bool{}
		w.need[g.ID] = g.Minimum - w.places[g.ID].Held()
	}
	for _, o := range offers {
		w.asked[o.ShiftID][o.MailboxID] = true
		if o.State == models.OfferOpen && o.ByWhat == models.AskByMail && o.AssignmentID != nil {
			w.need[o.ShiftID]--
		}
	}
	var standbys []models.Assignment
	err := w.q.tx.Where("shift_id IN ? AND as_what IN ? AND state IN ?", ids, []models.PlaceAs{models.AsStandby, models.AsUnderstudy}, []models.AssignmentState{models.AssignmentHeld, models.AssignmentOffered}).
		Order("CASE as_what WHEN 'understudy' THEN 0 ELSE 1 END, created_at, id").Find(&standbys).Error
	for _, a := range standbys {
		w.standbys[a.ShiftID] = append(w.standbys[a.ShiftID], a)
	}
	return standbys, err
}

// meet reads what is known of those of some who stand by of whom nothing is known yet.
func (w *coverWorld) meet(ctx context.Context, standbys []models.Assignment) error {
	var boxes []uuid.UUID
	for _, a := range standbys {
		if _, known := w.people[a.MailboxID]; !known && !slices.Contains(boxes, a.MailboxID) {
			boxes = append(boxes, a.MailboxID)
		}
	}
	if len(boxes) == 0 {
		return nil
	}
	return w.read(ctx, boxes)
}

// read reads what is known of people at mailboxes. What they are being asked for counts as held: nobody is asked for two things of which
// they can do one.
func (w *coverWorld) read(ctx context.Context, boxes []uuid.UUID) error {
	q := w.q
	people, err := q.s.people(ctx, q.tx, boxes, q.now)
	if err != nil {
		return err
	}
	if err := coverBusy(q.tx, people, boxes, q.sh.ID); err != nil {
		return err
	}
	var silent []uuid.UUID
	err = q.tx.Model(&models.Mailbox{}).Where("id IN ? AND (suppressed_at IS NOT NULL OR address_sealed IS NULL OR paused_until > ?)", boxes, q.now).Pluck("id", &silent).Error
	if err != nil {
		return err
	}
	for _, b := range boxes {
		w.people[b], w.silent[b] = people[b], slices.Contains(silent, b)
	}
	return nil
}

// coverBusy adds to what people hold the shifts that they are being asked for by open offers, but for one.
func coverBusy(tx *gorm.DB, people map[uuid.UUID]Person, boxes []uuid.UUID, but uuid.UUID) error {
	var rows []struct {
		OfferTo uuid.UUID
		models.Shift
	}
	err := tx.Table("shifts").Select("o.mailbox_id AS offer_to, shifts.*").Joins("JOIN offers o ON o.shift_id = shifts.id").
		Where("o.mailbox_id IN ? AND o.state = ? AND shifts.id <> ? AND shifts.cancelled_at IS NULL", boxes, models.OfferOpen, but).Order("shifts.id").Scan(&rows).Error
	for _, r := range rows {
		if p, ok := people[r.OfferTo]; ok && !slices.ContainsFunc(p.Held, func(h models.Shift) bool { return h.ID == r.ID }) {
			p.Held = append(p.Held, r.Shift)
			people[r.OfferTo] = p
		}
	}
	return err
}

// zone is where somebody who stands by lives.
func (w *coverWorld) zone(a models.Assignment) (*time.Location, error) {
	name := cmp.Or(a.TimeZone, w.q.roster.TimeZone)
	if z, ok := w.zones[name]; ok {
		return z, nil
	}
	z, err := time.LoadLocation(name)
	w.zones[name] = z
	return z, err
}

// candidate says whether somebody who stands by could take a place of a shift, with swap also instead of another, and from when on they
// may be asked.
func (w *coverWorld) candidate(ctx context.Context, sh models.Shift, a models.Assignment, swap bool) (coverCandidate, bool, error) {
	q := w.q
	c := coverCandidate{a: a, p: w.people[a.MailboxID]}
	if a.AskBy == models.AskNot || a.AskBy == models.AskByMail && w.silent[a.MailboxID] {
		return c, false, nil
	}
	zone, err := w.zone(a)
	if err != nil {
		return c, false, err
	}
	c.p.Zone = zone
	switch no := refusal(q.roster, sh, c.p, q.now); {
	case no.Code == "":
	case no.Code == "clash" && swap:
		if c.swap, err = w.leaves(ctx, a.MailboxID, no.With); err != nil || c.swap == nil {
			return c, false, err
		}
		c.p.Held = slices.DeleteFunc(slices.Clone(c.p.Held), func(h models.Shift) bool { return h.ID == no.With.ID })
		if refusal(q.roster, sh, c.p, q.now).Code != "" {
			return c, false, nil
		}
	default:
		return c, false, nil
	}
	if c.p.Plans(sh, q.now) != pacing.Fits {
		return c, false, nil
	}
	var ok bool
	c.at, ok = coverAskable(a, sh, c.p.Plan, zone, q.quiet, q.now)
	return c, ok, nil
}

// leaves is the place in another shift of the roster that somebody could leave: nil where it is not theirs yet, or the shift would be short
// of people.
func (w *coverWorld) leaves(ctx context.Context, box uuid.UUID, sh models.Shift) (*models.Assignment, error) {
	if sh.RosterID != w.q.roster.ID {
		return nil, nil
	}
	var theirs []models.Assignment
	err := w.q.tx.Where("mailbox_id = ? AND shift_id = ? AND as_what = ? AND state = ?", box, sh.ID, models.AsPlace, models.AssignmentConfirmed).Find(&theirs).Error
	if err != nil || len(theirs) == 0 {
		return nil, err
	}
	places, err := placesOf(ctx, w.q.tx, []uuid.UUID{sh.ID}, w.q.now)
	if err != nil || places[sh.ID].Confirmed-1 < sh.Minimum {
		return nil, err
	}
	return &theirs[0], nil
}

// choose picks the first who may be asked now and is not needed by a gap that has nobody else.
func (w *coverWorld) choose(ctx context.Context, q *coverSearch, list []coverCandidate) (coverCandidate, bool, error) {
	var now []coverCandidate
	for _, c := range list {
		if !c.at.After(q.now) {
			now = append(now, c)
		}
	}
	if len(now) == 0 {
		return coverCandidate{}, false, nil
	}
	could, err := w.edges(ctx)
	if err != nil {
		return coverCandidate{}, false, err
	}
	all := coverMatch(could, w.need, uuid.Nil)
	needs := 0 // whether this gap is one of those that count
	if w.need[q.sh.ID] > 0 {
		needs = 1
	}
	for _, c := range now {
		if c.swap != nil {
			return c, true, nil
		}
		w.need[q.sh.ID] -= needs
		without := coverMatch(could, w.need, c.a.MailboxID)
		w.need[q.sh.ID] += needs
		if without+needs >= all {
			return c, true, nil
		}
	}
	// Another gap has nobody but them; this one has others who may be asked later, or is only wanted.
	wait := 10 * time.Minute
	if needs > 0 {
		wait = min(max(coverLeft(q.sh, q.now)/20, 2*time.Minute), wait)
	}
	q.later(q.now.Add(wait))
	return coverCandidate{}, false, nil
}

// edges says who could take a place of each gap, now or later, without leaving another.
func (w *coverWorld) edges(ctx context.Context) (map[uuid.UUID][]uuid.UUID, error) {
	out := map[uuid.UUID][]uuid.UUID{}
	for id, sh := range w.shifts {
		if w.need[id] <= 0 {
			continue
		}
		for _, a := range w.standbys[id] {
			if a.AskBy != models.AskByMail || w.asked[id][a.MailboxID] {
				continue
			}
			_, ok, err := w.candidate(ctx, sh, a, false)
			if err != nil {
				return nil, err
			}
			if ok {
				out[id] = append(out[id], a.MailboxID)
			}
		}
	}
	return out, nil
}

// coverMatch is how many of the places needed could be filled at once, everybody but one taking one at most: a maximum matching.
func coverMatch(could map[uuid.UUID][]uuid.UUID, need map[uuid.UUID]int, but uuid.UUID) int {
	has := map[uuid.UUID]uuid.UUID{} // who fills which
	var try func(gap uuid.UUID, seen map[uuid.UUID]bool) bool
	try = func(gap uuid.UUID, seen map[uuid.UUID]bool) bool {
		for _, p := range could[gap] {
			if p == but || seen[p] {
				continue
			}
			seen[p] = true
			if other, taken := has[p]; !taken || try(other, seen) {
				has[p] = gap
				return true
			}
		}
		return false
	}
	n := 0
	for gap := range could {
		for range need[gap] {
			if try(gap, map[uuid.UUID]bool{but: true}) {
				n++
			}
		}
	}
	return n
}

// still holds the mailbox of somebody for the rest of the transaction, so that no other search asks them meanwhile, and says whether what
// was known of them is still so.
func (w *coverWorld) still(ctx context.Context, sh models.Shift, c *coverCandidate) (bool, error) {
	if err := coverBox(w.q.tx, c.a.MailboxID); err != nil {
		return false, err
	}
	if err := w.read(ctx, []uuid.UUID{c.a.MailboxID}); err != nil {
		return false, err
	}
	again, ok, err := w.candidate(ctx, sh, c.a, true)
	if err != nil || !ok || again.at.After(w.q.now) {
		return false, err
	}
	*c = again
	return true, nil
}

func coverBox(tx *gorm.DB, box uuid.UUID) error {
	var m models.Mailbox
	return tx.Clauses(forUpdate).Select("id").Where("id = ?", box).Take(&m).Error
}

// coverAskable is from when on somebody who stands by agreed to be asked for a shift; false where that is not before it has to begin. On
// the day of the shift that is from the hour they said; on other days, and where they said none, outside the quiet hours of mails. Their
// own quiet hours, and a bad time, hold always.
func coverAskable(a models.Assignment, sh models.Shift, plan pacing.Plan, zone *time.Location, quiet models.Limits, now time.Time) (time.Time, bool) {
	due, hasDue := coverDue(sh)
	var from, day time.Time
	if a.AskFrom != nil && hasDue {
		d := due.In(zone)
		day = time.Date(d.Year(), d.Month(), d.Day(), 0, 0, 0, 0, zone)
		from = time.Date(d.Year(), d.Month(), d.Day(), *a.AskFrom/60, *a.AskFrom%60, 0, 0, zone)
		if short := *a.AskFrom - from.Hour()*60 - from.Minute(); short > 0 { // clocks skip that hour: not before it
			from = from.Add(time.Duration(short) * time.Minute)
		}
	}
	return coverFree(now, due, hasDue, plan, zone, func(at time.Time) time.Time {
		if !from.IsZero() && !at.Before(day) {
			return from
		}
		until := deliveries.QuietUntil(quiet, at, zone)
		if !until.IsZero() && !from.IsZero() && from.Before(until) {
			return from
		}
		return until
	})
}

// coverFree is the first moment from now on that nothing is in the way of, before a time where there is one. until says until when something
// is in the way at a moment, the zero time or one that is past where nothing is.
func coverFree(now, due time.Time, hasDue bool, plan pacing.Plan, zone *time.Location, until func(time.Time) time.Time) (time.Time, bool) {
	at := now
	for range 100 {
		if hasDue && !at.Before(due) {
			return at, false
		}
		next := at
		if plan.InFlare(at) {
			if plan.FlareUntil == nil {
				return at, false
			}
			next = *plan.FlareUntil
		}
		for _, t := range []time.Time{until(at), deliveries.QuietUntil(models.Limits{QuietFrom: plan.QuietFrom, QuietTo: plan.QuietUntil}, at, zone)} {
			if t.After(next) {
				next = t
			}
		}
		if !next.After(at) {
			return at, true
		}
		at = next
	}
	return at, false
}

// coverOther is somebody who offered time.
type coverOther struct {
	v models.Volunteer
	p Person
}

// askOthers asks up to so many of those who offered time, and tells when the next may be asked: whoever likes such a role first, then whom
// nobody asked for longest.
func (q *coverSearch) askOthers(ctx context.Context, most int) (asked int, soonest time.Time, err error) {
	rested := coverRested
	if coverLeft(q.sh, q.now) <= coverNear {
		rested = coverRestedNear
	}
	db := q.tx.Model(&models.Volunteer{}).Where("state = ? AND ask_by = ?", models.VolunteerActive, models.AskByMail).
		Where("(asked_at IS NULL OR asked_at <= ?)", q.now.Add(-rested)).
		Where("EXISTS (SELECT 1 FROM consents c WHERE c.mailbox_id = volunteers.mailbox_id AND c.purpose = ? AND c.withdrawn_at IS NULL)", models.PurposeVolunteering).
		Where("EXISTS (SELECT 1 FROM mailboxes m WHERE m.id = volunteers.mailbox_id AND m.suppressed_at IS NULL AND m.address_sealed IS NOT NULL AND (m.paused_until IS NULL OR m.paused_until <= ?))", q.now).
		Where("NOT EXISTS (SELECT 1 FROM offers o WHERE o.mailbox_id = volunteers.mailbox_id AND (o.shift_id = ? OR o.state = 'open'))", q.sh.ID).
		Where("NOT EXISTS (SELECT 1 FROM assignments a WHERE a.mailbox_id = volunteers.mailbox_id AND a.shift_id = ?)", q.sh.ID)
	if q.roster.ChapterID != nil {
		db = db.Where("chapter_id = ?", *q.roster.ChapterID)
	}
	likes := "%," + string(q.sh.RoleKind) + ",%"
	if q.sh.RoleKind == models.RoleAny {
		likes = ""
	}
	db = db.Session(&gorm.Session{})
	order := clause.OrderBy{Expression: clause.Expr{SQL: "CASE WHEN ',' || likes || ',' LIKE ? THEN 0 ELSE 1 END, COALESCE(asked_at, created_at), id", Vars: []any{likes}}}
	for from := 0; asked < most; from += coverPool {
		var vs []models.Volunteer
		if err := db.Order(order).Offset(from).Limit(coverPool).Find(&vs).Error; err != nil {
			return asked, soonest, err
		}
		n, at, err := q.askSome(ctx, vs, most-asked)
		if err != nil {
			return asked, soonest, err
		}
		asked, soonest = asked+n, coverEarlier(soonest, at)
		if len(vs) < coverPool || n > 0 {
			return asked, soonest, nil
		}
	}
	return asked, soonest, nil
}

// askSome asks those of some volunteers, in their order, whom the shift fits and who may be asked now.
func (q *coverSearch) askSome(ctx context.Context, vs []models.Volunteer, most int) (asked int, soonest time.Time, err error) {
	boxes := make([]uuid.UUID, len(vs))
	for i, v := range vs {
		boxes[i] = v.MailboxID
	}
	list, err := q.fitting(ctx, vs, boxes)
	if err != nil {
		return 0, soonest, err
	}
	for _, o := range list {
		at, ok := coverReachable(o.v, q.sh, o.p.Plan, o.p.Zone, q.quiet, q.now)
		switch {
		case !ok || asked >= most:
			continue
		case at.After(q.now):
			soonest = coverEarlier(soonest, at)
			continue
		}
		if err := coverBox(q.tx, o.v.MailboxID); errors.Is(err, gorm.ErrRecordNotFound) {
			continue
		} else if err != nil {
			return asked, soonest, err
		}
		var open int64
		if err := q.tx.Model(&models.Offer{}).Where("mailbox_id = ? AND state = ?", o.v.MailboxID, models.OfferOpen).Count(&open).Error; err != nil {
			return asked, soonest, err
		}
		if open > 0 {
			continue // another search was quicker
		}
		ok, err := q.offerOther(ctx, o.v)
		if err != nil {
			return asked, soonest, err
		}
		if ok {
			asked++
		}
	}
	return asked, soonest, nil
}

// fitting leaves those whom the shift fits and who did not say that they do not want to be asked for it.
func (q *coverSearch) fitting(ctx context.Context, vs []models.Volunteer, boxes []uuid.UUID) ([]coverOther, error) {
	people, err := q.s.people(ctx, q.tx, boxes, q.now)
	if err != nil {
		return nil, err
	}
	var marks [][]byte
	if err := q.tx.Model(&models.ShiftMark{}).Where("shift_id = ?", q.sh.ID).Pluck("mark", &marks).Error; err != nil {
		return nil, err
	}
	marked := make(map[string]bool, len(marks))
	for _, m := range marks {
		marked[string(m)] = true
	}
	var out []coverOther
	for _, v := range vs {
		p := people[v.MailboxID]
		if marked[string(q.s.markOf(q.sh.ID, v.MailboxID))] || refusal(q.roster, q.sh, p, q.now).Code != "" || p.Plans(q.sh, q.now) != pacing.Fits || !offersTime(v, q.sh, p.Zone) {
			continue
		}
		out = append(out, coverOther{v, p})
	}
	return out, nil
}

// offersTime reports whether what somebody said of where and when they can help includes a shift. Who said nothing can anywhere, any time.
func offersTime(v models.Volunteer, sh models.Shift, zone *time.Location) bool {
	if v.Modes != "" && !slices.Contains(words(v.Modes), string(sh.Mode)) {
		return false
	}
	if v.Hours == "" || sh.Kind != models.ShiftFixed || sh.StartsAt == nil {
		return true
	}
	local := sh.StartsAt.In(zone)
	part := "eve"
	switch {
	case local.Hour() < 12:
		part = "am"
	case local.Hour() < 17:
		part = "pm"
	}
	day := [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}[local.Weekday()]
	return slices.Contains(words(v.Hours), day+"-"+part)
}

// coverReachable is from when on somebody who offered time may be asked: in the hours they said, outside quiet hours.
func coverReachable(v models.Volunteer, sh models.Shift, plan pacing.Plan, zone *time.Location, quiet models.Limits, now time.Time) (time.Time, bool) {
	due, hasDue := coverDue(sh)
	return coverFree(now, due, hasDue, plan, zone, func(at time.Time) time.Time {
		until := deliveries.QuietUntil(quiet, at, zone)
		if own := deliveries.QuietUntil(models.Limits{QuietFrom: v.AskUntil, QuietTo: v.AskFrom}, at, zone); own.After(until) {
			return own
		}
		return until
	})
}
