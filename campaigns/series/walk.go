package series

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/jobs"
	"kithline/campaigns/organisation"
	"kithline/campaigns/supporters"
	"kithline/models"
	"kithline/models/database"
)

const (
	walkBatch  = 500
	workFor    = 35 * time.Second   // one run of the job; it ends within jobs.Rescue
	expireIn   = 5 * 24 * time.Hour // a mail that could not leave for so long does not leave
	unwritten  = time.Hour          // how long to wait for a mail that has no text yet
	pausedLook = 5 * time.Minute    // how soon to look again at a mailbox that rests
)

// Regular is what runs by itself.
func (s *Service) Regular() jobs.Regular {
	return jobs.Regular{Name: "series_work", Every: 15 * time.Second, Run: s.Work}
}

// Work takes in whom triggers met and moves everybody who is due, a batch of each live series in turn. It may run at any time, on
// several nodes at once, and can be stopped anywhere: every batch is one transaction.
func (s *Service) Work(ctx context.Context) error {
	ends := time.Now().Add(workFor)
	var list []models.Series
	if err := s.DB.WithContext(ctx).Where("state = ?", models.SeriesLive).Order("id").Find(&list).Error; err != nil {
		return err
	}
	in := make([]*coming, len(list))
	for i, sr := range list {
		in[i] = &coming{s: s, sr: sr}
	}
	var failed error
	for len(list) > 0 && time.Now().Before(ends) && ctx.Err() == nil {
		var busy []models.Series
		var still []*coming
		for i, sr := range list {
			c, more, err := s.turn(ctx, sr.ID, in[i])
			if err != nil { // the others go on
				failed = errors.Join(failed, fmt.Errorf("series %s: %w", sr.ID, err))
			} else if more {
				busy, still = append(busy, sr), append(still, c)
			}
		}
		list, in = busy, still
	}
	return errors.Join(failed, ctx.Err())
}

// turn does one batch of each kind for a series: c is nil where everybody came in already. It reports whether there may be more, and
// with what to go on.
func (s *Service) turn(ctx context.Context, id uuid.UUID, c *coming) (next *coming, more bool, err error) {
	if c != nil {
		came, err := c.step(ctx, s.Clock.Now())
		if err != nil {
			return nil, false, err
		}
		if came {
			next = c
		}
	}
	n, err := s.Walk(ctx, id)
	return next, next != nil || n == walkBatch, err
}

// Walk moves one batch of people of a live series who are due, and returns how many it looked at. It needs no right: Work calls it.
func (s *Service) Walk(ctx context.Context, id uuid.UUID) (n int, err error) {
	org, err := s.Organisation.Current(ctx)
	if err != nil {
		return 0, err
	}
	for range 5 { // somebody may leave the list between being asked for and being written to: the trigger then refuses all
		err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
			w := &walk{tx: tx.WithContext(ctx), now: s.Clock.Now(), org: organisation.Zone(org)}
			err := w.run(ctx, id)
			n = len(w.people)
			return err
		})
		if !database.NoConsent(err) {
			return n, err
		}
	}
	return n, err
}

// walk is one batch.
type walk struct {
	tx     *gorm.DB
	now    time.Time
	org    *time.Location
	series models.Series
	steps  []models.SeriesStep // of now, in order
	gone   map[uuid.UUID]int   // the positions of those that were removed
	ready  map[uuid.UUID]bool  // the mails that have a text
	people []models.SeriesPerson
	facts  map[uuid.UUID]*facts // by supporter

	mails []models.Delivery
	tags  map[uuid.UUID]map[uuid.UUID]bool // by tag and supporter: put on, or taken off
}

// facts are what is asked about one person.
type facts struct {
	zone      *time.Location
	frequency models.Frequency
	chapter   *uuid.UUID
	agreed    bool // some address agreed
	reached   bool // some address that agreed can be written to, now or after a pause
	box       uuid.UUID
	rests     time.Time // where none can be written to now: until when
	goal      bool
	mailed    time.Time // the last mail for many, where that matters
}

func (w *walk) run(ctx context.Context, id uuid.UUID) error {
	// Held against editing and ending; other walks go on beside this one.
	r := w.tx.Clauses(clause.Locking{Strength: "SHARE"}).Where("id = ? AND state = ?", id, models.SeriesLive).Limit(1).Find(&w.series)
	if r.Error != nil || r.RowsAffected == 0 {
		return r.Error
	}
	behind := time.Duration(w.series.BehindSeconds) * time.Second
	err := w.tx.Raw(`SELECT * FROM series_people WHERE series_id = ? AND state = 'active' AND due_at <= ? ORDER BY due_at, id LIMIT ? `+database.SkipLocked(w.tx),
		id, clock.Trim(w.now.Add(-behind)), walkBatch).Scan(&w.people).Error
	if err != nil || len(w.people) == 0 {
		return err
	}
	if err := w.readSteps(); err != nil {
		return err
	}
	if err := w.ask(); err != nil {
		return err
	}
	w.tags = map[uuid.UUID]map[uuid.UUID]bool{}
	for i := range w.people {
		p := &w.people[i]
		due := w.move(p)
		p.DueAt, p.UpdatedAt = clock.Trim(due.Add(-behind)), w.now
	}
	if err := w.putTags(ctx); err != nil {
		return err
	}
	if len(w.mails) > 0 {
		if err := database.InsertAll(w.tx, w.mails, "ON CONFLICT (dedupe_key) DO NOTHING"); err != nil {
			return err
		}
		deliveries.Wake(w.tx)
	}
	return database.UpdateAll(w.tx, w.people, "step_id", "state", "reason", "done", "due_at", "arrived_at", "left_at", "updated_at")
}

// putTags puts tags on and takes them off, in the order of their ids.
func (w *walk) putTags(ctx context.Context) error {
	for _, tag := range slices.SortedFunc(maps.Keys(w.tags), func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) }) {
		var on, off []uuid.UUID
		for _, p := range w.people {
			if put, is := w.tags[tag][p.SupporterID]; is && put {
				on = append(on, p.SupporterID)
			} else if is {
				off = append(off, p.SupporterID)
			}
		}
		if err := supporters.Tag(ctx, w.tx, on, []uuid.UUID{tag}, w.now); err != nil {
			return err
		}
		if len(off) > 0 {
			if err := w.tx.Where("tag_id = ? AND supporter_id IN ?", tag, off).Delete(&models.Tagging{}).Error; err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) readSteps() error {
	var all []models.SeriesStep
	if err := w.tx.Where("series_id = ?", w.series.ID).Order("position, id").Find(&all).Error; err != nil {
		return err
	}
	w.gone, w.ready = map[uuid.UUID]int{}, map[uuid.UUID]bool{}
	var mails []uuid.UUID
	for _, st := range all {
		if st.RemovedAt != nil {
			w.gone[st.ID] = st.Position
			continue
		}
		w.steps = append(w.steps, st)
		if st.Kind == models.StepMail {
			mails = append(mails, st.ID)
		}
	}
	var texts []models.SeriesText
	if err := w.tx.Where("step_id IN ? AND locale = ?", mails, w.series.Locale).Find(&texts).Error; err != nil {
		return err
	}
	for _, t := range texts {
		w.ready[t.StepID] = written(t)
	}
	return nil
}

// written reports whether a mail has something to say.
func written(t models.SeriesText) bool {
	return t.Subject != "" && strings.TrimSpace(t.Body) != ""
}

// ask reads the facts about everybody in the batch.
func (w *walk) ask() error {
	ids := make([]uuid.UUID, len(w.people))
	w.facts = make(map[uuid.UUID]*facts, len(ids))
	for i, p := range w.people {
		ids[i] = p.SupporterID
		w.facts[p.SupporterID] = &facts{zone: w.org}
	}
	var records []models.Supporter
	if err := w.tx.Select("id", "time_zone", "frequency", "chapter_id").Where("id IN ?", ids).Find(&records).Error; err != nil {
		return err
	}
	var often []uuid.UUID
	for _, r := range records {
		f := w.facts[r.ID]
		f.zone, f.frequency, f.chapter = zoneOf(r.TimeZone, w.org), r.Frequency, r.ChapterID
		if w.series.Purpose == models.PurposeNewsletter && r.Frequency != models.AsItComes {
			often = append(often, r.ID)
		}
	}
	if err := w.askBoxes(ids); err != nil {
		return err
	}
	if err := w.askGoals(ids); err != nil {
		return err
	}
	return w.askMailed(often)
}

// askBoxes finds the address that a person is written to: of those that agreed and can be written to, the one that was verified first.
func (w *walk) askBoxes(ids []uuid.UUID) error {
	var boxes []struct {
		ID, SupporterID      uuid.UUID
		Agreed, Reached, Now bool
		PausedUntil          *time.Time
	}
	err := w.tx.Raw(`SELECT b.id, b.supporter_id, b.suppressed_at IS NULL AND b.address_sealed IS NOT NULL AS reached, b.paused_until,
			EXISTS (SELECT 1 FROM consents c WHERE c.mailbox_id = b.id AND c.purpose = ? AND c.scope_id = ? AND c.withdrawn_at IS NULL) AS agreed,
			EXISTS (SELECT 1 FROM mailable m WHERE m.mailbox_id = b.id AND m.purpose = ? AND m.scope_id = ?) AS now
		FROM mailboxes b WHERE b.supporter_id IN ? ORDER BY CASE WHEN b.verified_at IS NULL THEN 1 ELSE 0 END, b.verified_at, b.created_at, b.id`,
		w.series.Purpose, w.series.ScopeID, w.series.Purpose, w.series.ScopeID, ids).Scan(&boxes).Error
	if err != nil {
		return err
	}
	for _, b := range boxes {
		f := w.facts[b.SupporterID]
		if !b.Agreed {
			continue
		}
		f.agreed = true
		if !b.Reached {
			continue
		}
		f.reached = true
		rests := w.now.Add(pausedLook)
		if b.PausedUntil != nil && b.PausedUntil.After(rests) {
			rests = *b.PausedUntil
		}
		switch {
		case b.Now && f.box == uuid.Nil:
			f.box = b.ID
		case !b.Now && (f.rests.IsZero() || rests.Before(f.rests)):
			f.rests = rests
		}
	}
	return nil
}

// askGoals finds who reached a goal of the series.
func (w *walk) askGoals(ids []uuid.UUID) error {
	var exits []models.SeriesExit
	if err := w.tx.Where("series_id = ?", w.series.ID).Find(&exits).Error; err != nil {
		return err
	}
	for _, e := range exits {
		q, args := "SELECT supporter_id FROM taggings WHERE tag_id = ? AND supporter_id IN ?", []any{e.ObjectID, ids}
		switch e.Kind {
		case models.ExitSigned:
			q = "SELECT b.supporter_id FROM signatures g JOIN mailboxes b ON b.id = g.mailbox_id WHERE g.petition_id = ? AND g.state = 'confirmed' AND b.supporter_id IN ?"
		case models.ExitActed:
			q = `SELECT p.supporter_id FROM series_people p JOIN mailboxes b ON b.supporter_id = p.supporter_id JOIN signatures g ON g.mailbox_id = b.id
				WHERE p.series_id = ? AND p.supporter_id IN ? AND g.state = 'confirmed' AND g.confirmed_at > p.entered_at`
			args = []any{w.series.ID, ids}
		}
		var there []uuid.UUID
		if err := w.tx.Raw(q, args...).Scan(&there).Error; err != nil {
			return err
		}
		for _, id := range there {
			w.facts[id].goal = true
		}
	}
	return nil
}

// askMailed finds when those who want mail less often got some last.
func (w *walk) askMailed(ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	var rows []struct {
		SupporterID uuid.UUID
		CreatedAt   time.Time
	}
	err := w.tx.Raw(`SELECT b.supporter_id, d.created_at FROM deliveries d JOIN mailboxes b ON b.id = d.mailbox_id
		WHERE b.supporter_id IN ? AND d.created_at > ? AND (d.mailing_id IS NOT NULL OR d.kind = 'series') AND d.state NOT IN ('failed', 'expired', 'suppressed')`,
		ids, w.now.AddDate(0, 0, -31)).Scan(&rows).Error
	if err != nil {
		return err
	}
	for _, r := range rows {
		if f := w.facts[r.SupporterID]; f.mailed.Before(r.CreatedAt) {
			f.mailed = r.CreatedAt
		}
	}
	return nil
}

// often is the first moment at which somebody wants their next mail, by how often they want any.
func (f *facts) often(now time.Time) time.Time {
	days := map[models.Frequency]int{models.Weekly: 7, models.Monthly: 30}[f.frequency]
	if days == 0 || f.mailed.IsZero() {
		return now
	}
	return f.mailed.Add(time.Duration(days)*24*time.Hour - 2*time.Hour) // as mailings count it
}

// leaves is why a person leaves now; "" where they stay.
func (w *walk) leaves(f *facts) string {
	switch {
	case f.goal:
		return models.LeftGoal
	case !f.agreed:
		return models.LeftNoConsent
	case !f.reached:
		return models.LeftSuppressed
	case w.series.ChapterID != nil && (f.chapter == nil || *f.chapter != *w.series.ChapterID):
		return models.LeftChapter
	}
	return ""
}

// at is the place of the step that comes next for a person, len(w.steps) where there is none.
func (w *walk) at(p *models.SeriesPerson) int {
	if p.StepID == nil {
		return 0
	}
	if i := slices.IndexFunc(w.steps, func(st models.SeriesStep) bool { return st.ID == *p.StepID }); i >= 0 {
		return i
	}
	p.ArrivedAt = nil
	after := w.gone[*p.StepID]
	if i := slices.IndexFunc(w.steps, func(st models.SeriesStep) bool { return st.Position > after }); i >= 0 {
		return i
	}
	return len(w.steps)
}

// move takes a person as far as they go now, and returns when they are due again.
func (w *walk) move(p *models.SeriesPerson) time.Time {
	f := w.facts[p.SupporterID]
	if reason := w.leaves(f); reason != "" {
		p.State, p.Reason, p.LeftAt, p.ArrivedAt = models.SeriesLeft, reason, &w.now, nil
		return w.now
	}
	for i := w.at(p); i < len(w.steps); i++ {
		st := w.steps[i]
		p.StepID = &st.ID
		if due := w.do(p, f, st); due.After(w.now) {
			return due
		}
		p.ArrivedAt = nil
	}
	p.State, p.LeftAt = models.SeriesFinished, &w.now
	return w.now
}

// do does one step for a person. It returns when it can be done, where that is not now.
func (w *walk) do(p *models.SeriesPerson, f *facts, st models.SeriesStep) time.Time {
	if st.Kind == models.StepWait {
		if p.ArrivedAt != nil {
			return stillWaits(st, w.now, f.zone)
		}
		p.ArrivedAt = &w.now
		return waitEnds(st, w.now, f.zone)
	}
	if strings.Contains(p.Done, st.ID.String()) {
		return w.now
	}
	switch st.Kind {
	case models.StepMail:
		if !w.ready[st.ID] {
			return w.now.Add(unwritten)
		}
		if f.box == uuid.Nil {
			return f.rests
		}
		if later := f.often(w.now); later.After(w.now) {
			return later
		}
		if later := loud(w.series, w.now, f.zone); later.After(w.now) {
			return later
		}
		expires := w.now.Add(expireIn)
		w.mails = append(w.mails, deliveries.New{
			Kind: KindSeries, MailboxID: f.box, SubjectID: st.ID, Purpose: w.series.Purpose, ScopeID: w.series.ScopeID, DedupeKey: dedupeKey(st.ID, *p),
			Priority: models.PriorityBulk, OnUnknown: models.Park, ExpiresAt: &expires,
		}.Row(w.now))
		if f.frequency != models.AsItComes && w.series.Purpose == models.PurposeNewsletter {
			f.mailed = w.now
		}
	case models.StepTag, models.StepUntag:
		if w.tags[*st.TagID] == nil {
			w.tags[*st.TagID] = map[uuid.UUID]bool{}
		}
		w.tags[*st.TagID][p.SupporterID] = st.Kind == models.StepTag // the last one counts
	}
	p.Done += st.ID.String() + " "
	return w.now
}

// dedupeKey is the mark of one step for one person, each time that they come in.
func dedupeKey(step uuid.UUID, p models.SeriesPerson) string {
	return KindSeries + "/" + step.String() + "/" + p.ID.String() + "/" + strconv.Itoa(p.Round)
}
