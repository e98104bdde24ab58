package rosters

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/jobs"
	"kithline/models"
)

// What the search for somebody keeps to. Left is the time until a shift has to begin.
const (
	coverEvery    = 30 * time.Second   // the sweep
	coverAhead    = 7 * 24 * time.Hour // left: from then on a shift below its minimum is looked after, whether a place came free or not
	coverNear     = 24 * time.Hour     // left: from then on several who offered time are asked at once
	coverAbreast  = 3                  // so many, for each place
	coverSoon     = 12 * time.Hour     // left: from then on what is below its minimum goes onto the phone list
	coverPatience = 10 * time.Minute   // after so long, or a quarter of what is left
	coverStuck    = 5 * time.Minute    // a mail that has not left by then does not hold up the others
	coverUnsent   = 3                  // so many mails of a shift wait for the mail server at most
	coverAlone    = 48 * time.Hour     // left: from then on it goes onto the phone list as soon as nobody is left to ask
)

// gap begins, in tx, the search for somebody for a shift of which a place came free; the caller holds the shift. Where there is a search
// it looks again at once.
func (s *Service) gap(ctx context.Context, tx *gorm.DB, shift uuid.UUID, now time.Time) error {
	row := models.Cover{ShiftID: shift, OpenedAt: now, NextAt: &now, UpdatedAt: now}
	err := tx.WithContext(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "shift_id"}}, DoUpdates: clause.AssignmentColumns([]string{"next_at", "updated_at"}),
	}).Create(&row).Error
	if err != nil || s.Enqueue == nil {
		return err
	}
	return s.Enqueue(ctx, tx, CoverArgs{shift})
}

// again has the search for a shift look again at once, in tx, where there is one.
func (s *Service) again(ctx context.Context, tx *gorm.DB, shift uuid.UUID, now time.Time) error {
	r := tx.WithContext(ctx).Model(&models.Cover{}).Where("shift_id = ?", shift).Updates(map[string]any{"next_at": now, "updated_at": now})
	if r.Error != nil || r.RowsAffected == 0 || s.Enqueue == nil {
		return r.Error
	}
	return s.Enqueue(ctx, tx, CoverArgs{shift})
}

// CoverArgs is the job that looks for somebody for a shift right after a place came free.
type CoverArgs struct {
	ShiftID uuid.UUID `json:"shift_id"`
}

// Kind is the job's name.
func (CoverArgs) Kind() string { return "rosters_cover" }

// InsertOpts says how often it is tried: the sweep finds what is left.
func (CoverArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 3} }

type coverWorker struct {
	river.WorkerDefaults[CoverArgs]
	s *Service
}

// Work looks once.
func (w *coverWorker) Work(ctx context.Context, j *river.Job[CoverArgs]) error {
	return w.s.Cover(ctx, j.Args.ShiftID)
}

// AddWorkers registers the jobs of this package. At start only.
func (s *Service) AddWorkers(w *river.Workers) { river.AddWorker(w, &coverWorker{s: s}) }

// CoverJobs is what looks for people by itself.
func (s *Service) CoverJobs() []jobs.Regular {
	return []jobs.Regular{
		{Name: "rosters_cover", Every: coverEvery, Run: s.CoverSweep},
		{Name: "rosters_flares", Every: time.Minute, Run: s.FlaresOver},
	}
}

// CoverSweep looks for people for all shifts whose time has come, those that begin first before the others, and begins to look for what
// no release told of. It may run on several nodes at once, and again.
func (s *Service) CoverSweep(ctx context.Context) error {
	now := s.Clock.Now()
	db := s.DB.WithContext(ctx)
	if err := db.Where("state = ? AND expires_at <= ?", models.AssignmentPending, now).Delete(&models.Assignment{}).Error; err != nil {
		return err
	}
	if err := s.coverMissing(ctx, now); err != nil {
		return err
	}
	var due []uuid.UUID
	err := db.Raw(`SELECT c.shift_id FROM covers c JOIN shifts sh ON sh.id = c.shift_id JOIN rosters r ON r.id = sh.roster_id LEFT JOIN events e ON e.id = r.event_id
		WHERE c.next_at <= ? OR sh.cancelled_at IS NOT NULL OR r.state <> 'published' OR e.state = 'cancelled' ORDER BY COALESCE(sh.starts_at, sh.ends_at), sh.id LIMIT 1000`, now).Scan(&due).Error
	if err != nil {
		return err
	}
	var wrong []error // one shift does not hold up the others
	for _, id := range due {
		if err := s.Cover(ctx, id); err != nil {
			wrong = append(wrong, fmt.Errorf("rosters: looking for somebody for shift %s: %w", id, err))
		}
	}
	return errors.Join(wrong...)
}

// coverMissing begins to look for people for shifts that begin within coverAhead and have fewer than their minimum.
func (s *Service) coverMissing(ctx context.Context, now time.Time) error {
	until := now.Add(coverAhead)
	var ids []uuid.UUID
	err := s.DB.WithContext(ctx).Raw(`SELECT sh.id FROM shifts sh JOIN rosters r ON r.id = sh.roster_id LEFT JOIN events e ON e.id = r.event_id LEFT JOIN covers c ON c.shift_id = sh.id
		WHERE c.shift_id IS NULL AND r.state = 'published' AND NOT r.template AND (e.id IS NULL OR e.state <> 'cancelled') AND (r.opens_at IS NULL OR r.opens_at <= ?) AND (sh.opens_at IS NULL OR sh.opens_at <= ?)
			AND sh.cancelled_at IS NULL AND sh.settled_at IS NULL AND sh.minimum > 0
			AND (sh.kind = 'fixed' AND sh.starts_at > ? AND sh.starts_at <= ? OR sh.kind <> 'fixed' AND sh.ends_at > ? AND sh.ends_at <= ?)
			AND sh.minimum > (SELECT count(*) FROM assignments a WHERE a.shift_id = sh.id AND a.as_what = 'place' AND (a.state = 'confirmed' OR a.state = 'pending' AND a.expires_at > ?))
		ORDER BY sh.id LIMIT 500`, now, now, now, until, now, until, now).Scan(&ids).Error
	if err != nil {
		return err
	}
	for _, id := range ids {
		err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
			if _, err := hold(ctx, tx, id); err != nil {
				return err
			}
			return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&models.Cover{ShiftID: id, OpenedAt: now, NextAt: &now, UpdatedAt: now}).Error
		})
		if err != nil && !fault.Is(err, fault.Gone) {
			return err
		}
	}
	return nil
}

// Cover looks once for people for a shift: it ends what is full or over, reads what became of those who were asked, asks who is next, and
// writes down when to look again. It may run on several nodes at once, and again.
func (s *Service) Cover(ctx context.Context, shift uuid.UUID) error {
	quiet, err := s.limits(ctx)
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error { return s.cover(ctx, tx.WithContext(ctx), shift, quiet, s.Clock.Now()) })
}

// coverDue is by when somebody must have said yes; false where there is no such time.
func coverDue(sh models.Shift) (time.Time, bool) {
	switch {
	case sh.Kind == models.ShiftFixed && sh.StartsAt != nil:
		return *sh.StartsAt, true
	case sh.Kind != models.ShiftFixed && sh.EndsAt != nil:
		return sh.EndsAt.Add(-time.Duration(sh.Minutes) * time.Minute), true
	}
	return time.Time{}, false
}

// coverLeft is how long it is until then: very long where there is no such time.
func coverLeft(sh models.Shift, now time.Time) time.Duration {
	if due, ok := coverDue(sh); ok {
		return due.Sub(now)
	}
	return 365 * 24 * time.Hour
}

// coverAnswer is how long somebody has to answer before the next is asked, from when the mail left.
func coverAnswer(left time.Duration) time.Duration {
	for _, step := range []struct{ left, answer time.Duration }{
		{time.Hour, 5 * time.Minute},
		{2 * time.Hour, 8 * time.Minute},
		{6 * time.Hour, 15 * time.Minute},
		{24 * time.Hour, 45 * time.Minute},
		{2 * 24 * time.Hour, 3 * time.Hour},
		{7 * 24 * time.Hour, 8 * time.Hour},
	} {
		if left <= step.left {
			return step.answer
		}
	}
	return 24 * time.Hour
}

// coverSearch is one look for people for a shift that the transaction holds.
type coverSearch struct {
	s      *Service
	tx     *gorm.DB
	now    time.Time
	quiet  models.Limits // its quiet hours
	roster models.Roster
	sh     models.Shift
	c      models.Cover
	places Places
	offers []models.Offer // all of the shift, ended ones too
	next   time.Time      // when to look again
}

// later notes that the search should look again at a moment.
func (q *coverSearch) later(at time.Time) {
	if at.After(q.now) && (q.next.IsZero() || at.Before(q.next)) {
		q.next = at
	}
}

func (s *Service) cover(ctx context.Context, tx *gorm.DB, id uuid.UUID, quiet models.Limits, now time.Time) error {
	q := &coverSearch{s: s, tx: tx, quiet: quiet, now: now}
	var err error
	if q.sh, err = hold(ctx, tx, id); fault.Is(err, fault.Gone) {
		return nil
	} else if err != nil {
		return err
	}
	var rows []models.Cover
	if err := tx.Where("shift_id = ?", id).Find(&rows).Error; err != nil || len(rows) == 0 {
		return err
	}
	q.c = rows[0]
	if err := tx.Where("id = ?", q.sh.RosterID).Take(&q.roster).Error; err != nil {
		return err
	}
	counts, err := placesOf(ctx, tx, []uuid.UUID{id}, now)
	if err != nil {
		return err
	}
	q.places = counts[id]
	if err := tx.Where("shift_id = ?", id).Order("created_at, id").Find(&q.offers).Error; err != nil {
		return err
	}
	off, err := q.calledOff()
	if err != nil {
		return err
	}
	if off || over(q.sh, now) || q.places.Held() >= q.sh.Places {
		return q.end(ctx, off || !over(q.sh, now))
	}
	return q.ask(ctx)
}

// calledOff reports whether nobody is needed any more, whatever is free.
func (q *coverSearch) calledOff() (bool, error) {
	if q.sh.CancelledAt != nil || q.roster.State != models.RosterPublished {
		return true, nil
	}
	if q.roster.EventID == nil {
		return false, nil
	}
	var n int64
	err := q.tx.Model(&models.Event{}).Where("id = ? AND state = ?", *q.roster.EventID, models.EventCancelled).Count(&n).Error
	return n > 0, err
}

// end ends the search: whoever is being asked is asked no more, and told so where a mail asked them.
func (q *coverSearch) end(ctx context.Context, tell bool) error {
	for _, o := range q.offers {
		if o.State != models.OfferOpen {
			continue
		}
		if err := q.close(o, models.OfferFilled); err != nil {
			return err
		}
		if tell && o.ByWhat == models.AskByMail {
			if err := q.s.tellOver(ctx, q.tx, o, q.now); err != nil {
				return err
			}
		}
	}
	return q.tx.Where("shift_id = ?", q.sh.ID).Delete(&models.Cover{}).Error
}

// close ends an offer; whoever stands by stands by as before.
func (q *coverSearch) close(o models.Offer, as models.OfferState) error {
	return closeOffer(q.tx, o, as, q.now)
}

func closeOffer(tx *gorm.DB, o models.Offer, as models.OfferState, now time.Time) error {
	if err := tx.Model(&models.Offer{}).Where("id = ?", o.ID).Updates(map[string]any{"state": as, "closed_at": now}).Error; err != nil {
		return err
	}
	return tx.Model(&models.Assignment{}).Where("shift_id = ? AND mailbox_id = ? AND state = ?", o.ShiftID, o.MailboxID, models.AssignmentOffered).
		Updates(map[string]any{"state": models.AssignmentHeld, "updated_at": now}).Error
}

// ask asks whoever is next.
func (q *coverSearch) ask(ctx context.Context) error {
	standbys, others, waiting, err := q.live()
	if err != nil {
		return err
	}
	left := coverLeft(q.sh, q.now)
	free, below := q.sh.Places-q.places.Held(), q.places.Held() < q.sh.Minimum
	asked := 0
	var soonest time.Time // when the next of those who stand by may be asked
	if need := free - standbys; need > 0 && waiting < coverUnsent {
		if asked, soonest, err = q.askStandbys(ctx, need); err != nil {
			return err
		}
		q.later(soonest)
	}
	alone := standbys+asked == 0 && (soonest.IsZero() || soonest.Sub(q.now) > left/2) // nobody who stands by is being asked, or soon
	if most := q.abreast(left, free); below && alone && others < most && waiting < coverUnsent {
		n, at, err := q.askOthers(ctx, most-others)
		if err != nil {
			return err
		}
		others += n
		q.later(at)
		soonest = coverEarlier(soonest, at)
	}
	q.phone(left, below, standbys+others+asked > 0, !soonest.IsZero())
	if left <= coverNear { // somebody may begin to stand by, or change their plan
		q.later(q.now.Add(30 * time.Minute))
	} else {
		q.later(q.now.Add(3 * time.Hour))
	}
	q.c.NextAt, q.c.UpdatedAt = &q.next, q.now
	return q.tx.Select("next_at", "wave", "phone_at", "updated_at").Updates(&q.c).Error
}

func coverEarlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// abreast is how many of those who offered time may be asked at once.
func (q *coverSearch) abreast(left time.Duration, free int) int {
	if left <= coverNear {
		return coverAbreast * free
	}
	return 1
}

// phone puts the shift onto the phone list, or takes it off.
func (q *coverSearch) phone(left time.Duration, below, asking, later bool) {
	if !below {
		if !slices.ContainsFunc(q.offers, func(o models.Offer) bool { return o.State == models.OfferOpen && o.ByWhat == models.AskByPhone }) {
			q.c.PhoneAt = nil
		}
		return
	}
	if q.c.PhoneAt != nil {
		return
	}
	patience := min(coverPatience, left/4)
	switch {
	case left <= coverSoon && (!asking || q.now.Sub(q.c.OpenedAt) >= patience), left <= coverAlone && !asking && !later:
		q.c.PhoneAt = &q.now
	case left <= coverSoon:
		q.later(q.c.OpenedAt.Add(patience))
	default:
		q.later(q.now.Add(left - coverSoon))
	}
}

// live reads what became of the open offers by mail, and counts those that may still be answered: of people who stand by and of others.
// What waits for the mail server for long is counted apart; it does not hold up anybody.
func (q *coverSearch) live() (standbys, others, waiting int, err error) {
	keys := make([]string, 0, len(q.offers))
	for _, o := range q.offers {
		if o.State == models.OfferOpen && o.ByWhat == models.AskByMail {
			keys = append(keys, offerKey(o.ID))
		}
	}
	mails := map[string]models.Delivery{}
	if len(keys) > 0 {
		var list []models.Delivery
		if err := q.tx.Where("dedupe_key IN ?", keys).Find(&list).Error; err != nil {
			return 0, 0, 0, err
		}
		for _, d := range list {
			mails[d.DedupeKey] = d
		}
	}
	for i := range q.offers {
		o := &q.offers[i]
		if o.State != models.OfferOpen {
			continue
		}
		if o.ByWhat == models.AskByPhone {
			if !q.now.Before(o.ExpiresAt) {
				if err := q.close(*o, models.OfferExpired); err != nil {
					return 0, 0, 0, err
				}
				o.State = models.OfferExpired
			}
			continue
		}
		d, ok := mails[offerKey(o.ID)]
		switch {
		case !ok || d.State == models.DeliveryFailed || d.State == models.DeliverySuppressed || d.State == models.DeliveryExpired:
			if err := q.close(*o, models.OfferExpired); err != nil {
				return 0, 0, 0, err
			}
			o.State = models.OfferExpired
			continue
		case d.State == models.DeliverySent && o.SentAt == nil:
			at := q.now
			if d.SentAt != nil {
				at = *d.SentAt
			}
			o.SentAt, o.ExpiresAt = &at, q.answerBy(at)
			if err := q.tx.Model(&models.Offer{}).Where("id = ?", o.ID).Updates(map[string]any{"sent_at": at, "expires_at": o.ExpiresAt}).Error; err != nil {
				return 0, 0, 0, err
			}
		}
		switch {
		case o.SentAt == nil && q.now.Sub(o.CreatedAt) >= coverStuck:
			waiting++
			q.later(q.now.Add(2 * time.Minute))
			continue
		case o.SentAt == nil:
			q.later(q.now.Add(time.Minute))
		case !q.now.Before(o.ExpiresAt):
			if err := q.close(*o, models.OfferExpired); err != nil {
				return 0, 0, 0, err
			}
			o.State = models.OfferExpired
			continue
		default:
			q.later(o.ExpiresAt)
		}
		if o.AssignmentID != nil {
			standbys++
		} else {
			others++
		}
	}
	return standbys, others, waiting, nil
}

// answerBy is when an offer ends whose mail left at a moment.
func (q *coverSearch) answerBy(sent time.Time) time.Time {
	left := coverLeft(q.sh, sent)
	at := sent.Add(coverAnswer(left))
	if left > coverNear { // nobody has to answer at night
		if zone, err := time.LoadLocation(q.roster.TimeZone); err == nil {
			if morning := deliveries.QuietUntil(q.quiet, at, zone); !morning.IsZero() {
				at = morning.Add(time.Hour)
			}
		}
	}
	if due, ok := coverDue(q.sh); ok && due.Before(at) {
		return due
	}
	return at
}

// limits are those of mails, for the quiet hours in them.
func (s *Service) limits(ctx context.Context) (models.Limits, error) {
	if s.Limits == nil {
		return models.DefaultLimits(), nil
	}
	return s.Limits(ctx)
}

// LetGoOf lets go of a place or of standing by, as letGo does. The caller knows that whoever asks for it may. The faults are Gone:
// error.shift_gone where the assignment is gone already.
func (s *Service) LetGoOf(ctx context.Context, assignment uuid.UUID) error {
	now := s.Clock.Now()
	gone := fault.New(fault.Gone, "error.shift_gone")
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var list []models.Assignment
		if err := tx.Where("id = ?", assignment).Find(&list).Error; err != nil {
			return err
		}
		if len(list) == 0 {
			return gone
		}
		sh, err := hold(ctx, tx, list[0].ShiftID)
		if err != nil {
			return err
		}
		if err := tx.Where("id = ?", assignment).Find(&list).Error; err != nil {
			return err
		}
		if len(list) == 0 {
			return gone
		}
		return s.letGo(ctx, tx, sh, list[0], now)
	})
}
