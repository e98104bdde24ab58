package letters

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/organisation"
	"kithline/models"
	"kithline/models/database"
)

// The pace. A row of letter_paces says when the next letter may go to somebody; it is there for as long as anything waits for them, and a
// step looks at those rows alone whose time has come, one office in one transaction. What an office gets by mail is held by this:
//
//   - One letter at a time is in the outbox for an address, whatever campaign or legislator it is for. The next one is handed over when
//     that one has ended, and not before the spacing after its end. So the times on the wire are at least the spacing apart: whether a
//     process dies, two of them work, or the mail server was away for a day.
//   - The same holds within a letter campaign by its own cap.
//   - Nothing is handed over, and nothing goes, while the office is closed.
const (
	// OfficeHourly is how many letters an office gets in any 60 minutes, of all letter campaigns together.
	OfficeHourly = 20
	digestMost   = 200 // letters in one digest
	handMost     = 100 // letters that one step hands to their writers for one office
	paceStep     = 200 // offices in one step
	paceTime     = 40 * time.Second
	paceEvery    = 30 * time.Second
	busyFor      = 5 * time.Minute  // until an office is looked at again whose last letter has not ended
	pausedFor    = 15 * time.Minute // or whose letter campaigns are paused
)

// The kinds of mails to offices, and of those about a letter to its writer: kinds of deliveries, and for the writer's the names of
// their templates.
const (
	KindLetter   = "letter"          // subject: the dispatch
	KindDigest   = "letter_digest"   // subject: the letter campaign
	KindReply    = "letter_reply"    // subject: the reply
	KindQuestion = "letter_question" // subject: the letter
	KindByHand   = "letter_by_hand"  // subject: the letter
	KindRetarget = "letter_retarget" // subject: the dispatch
)

// Pace hands over what is due, on any node at any time. A job calls it every half minute.
func (s *Service) Pace(ctx context.Context) error {
	_, err := s.pace(ctx, paceTime)
	return err
}

// pace works through the offices whose time has come, for at most a while, and counts them.
func (s *Service) pace(ctx context.Context, most time.Duration) (n int, err error) {
	began := time.Now()
	for time.Since(began) < most && ctx.Err() == nil {
		var ids []uuid.UUID
		err := s.DB.WithContext(ctx).Model(&models.LetterPace{}).Where("next_at <= ?", s.Clock.Now()).Order("next_at").Limit(paceStep).Pluck("legislator_id", &ids).Error
		if err != nil || len(ids) == 0 {
			return n, err
		}
		o, err := s.Organisation.Current(ctx)
		if err != nil {
			return n, err
		}
		for _, id := range ids {
			if err := s.office(ctx, id, organisation.Zone(o)); err != nil {
				return n, err
			}
			if n++; time.Since(began) >= most {
				break
			}
		}
		if len(ids) < paceStep {
			return n, nil
		}
	}
	return n, ctx.Err()
}

// office hands over what is due to one legislator, and writes down when to look again.
func (s *Service) office(ctx context.Context, legislator uuid.UUID, own *time.Location) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var rows []models.LetterPace
		if err := tx.Raw("SELECT legislator_id, next_at, updated_at FROM letter_paces WHERE legislator_id = ? AND next_at <= ? "+database.SkipLocked(tx), legislator, now).Scan(&rows).Error; err != nil || len(rows) == 0 {
			return err // another node has it
		}
		next, err := s.hand(ctx, tx, legislator, own, now)
		if err != nil {
			return err
		}
		return tx.Model(&models.LetterPace{}).Where("legislator_id = ?", legislator).Updates(map[string]any{"next_at": next, "updated_at": now}).Error
	})
}

// The state of what waits is written out wherever it is looked for: only then has a plan that serves all values the index of those
// that wait.

// asked is a letter campaign of which something waits for an office.
type asked struct {
	ID        uuid.UUID
	State     models.LetterCampaignState
	HourlyCap int
	Digest    bool
}

// hand is office for the row that is held. It returns when to look again; nil where nothing waits.
func (s *Service) hand(ctx context.Context, tx *gorm.DB, legislator uuid.UUID, own *time.Location, now time.Time) (*time.Time, error) {
	campaigns, err := s.asking(tx, legislator)
	if err != nil || len(campaigns) == 0 {
		return nil, err
	}
	m, err := legislators.Sitting(ctx, tx, legislator, now)
	if fault.Is(err, fault.NotFound) {
		return nil, s.left(ctx, tx, []uuid.UUID{legislator}, now)
	}
	if err != nil {
		return nil, err
	}
	ways, err := s.ways(ctx, tx, m, now)
	if err != nil {
		return nil, err
	}
	open := slices.DeleteFunc(slices.Clone(campaigns), func(c asked) bool { return c.State == models.LettersPaused })
	if len(open) == 0 {
		return at(now.Add(pausedFor)), nil
	}
	// Those that no mail carries go to their writers' hands at once; of the others the first of each campaign is looked at.
	var mailed []models.Dispatch
	byMail := map[uuid.UUID]way{}
	done := 0
	for _, c := range open {
		var list []models.Dispatch
		q := tx.Clauses(forUpdate).Where("legislator_id = ? AND letter_campaign_id = ? AND state = 'waiting'", legislator, c.ID).Order("due_at, id").Limit(handMost)
		if slices.ContainsFunc(ways, func(w way) bool { return w.by == models.ByEmail }) && !c.Digest {
			q = q.Limit(4) // of many one goes: the others are read another time
		}
		if err := q.Find(&list).Error; err != nil {
			return nil, err
		}
		first := true
		for _, d := range list {
			same, err := seat(ctx, tx, d, m.Term)
			if err != nil {
				return nil, err
			}
			w := choose(ways, d)
			switch {
			case d.MailboxID == uuid.Nil || d.TextSealed == nil:
				err = closed(tx, d.ID, ClosedErased, now)
			case !same:
				err = s.retarget(ctx, tx, []models.Dispatch{d}, now)
			case w == nil:
				err = s.unreachable(ctx, tx, d, now)
			case w.by != models.ByEmail:
				err = s.byHand(ctx, tx, d, m, *w, now)
			case first:
				first = false
				mailed, byMail[d.ID] = append(mailed, d), *w
				continue
			default:
				continue
			}
			if err != nil {
				return nil, err
			}
			done++
		}
	}
	if len(mailed) == 0 {
		if done > 0 { // there may be more
			return at(now), nil
		}
		return at(now.Add(pausedFor)), nil
	}
	return s.mail(ctx, tx, open, mailed, byMail, m, own, now)
}

// asking lists the letter campaigns of which something waits for a legislator, the oldest letter's first.
func (s *Service) asking(tx *gorm.DB, legislator uuid.UUID) (out []asked, err error) {
	err = tx.Raw(`SELECT c.id, c.state, c.hourly_cap, c.digest FROM letter_campaigns c
		JOIN (SELECT letter_campaign_id, MIN(due_at) AS first_at FROM dispatches WHERE legislator_id = ? AND state = 'waiting' GROUP BY letter_campaign_id) w ON w.letter_campaign_id = c.id
		ORDER BY w.first_at, c.id`, legislator).Scan(&out).Error
	return out, err
}

func at(t time.Time) *time.Time { t = clock.Trim(t); return &t }

// mail hands one letter, or one digest, to the mail, if the office may get one now. It returns when to look again.
func (s *Service) mail(ctx context.Context, tx *gorm.DB, campaigns []asked, mailed []models.Dispatch, by map[uuid.UUID]way, m legislators.Member, own *time.Location, now time.Time) (*time.Time, error) {
	var soonest time.Time
	wait := func(t time.Time) {
		if soonest.IsZero() || t.Before(soonest) {
			soonest = t
		}
	}
	for _, d := range mailed {
		w := by[d.ID]
		zone := zoneOf(m, w, own)
		if t := opening(now, zone); t.After(now) {
			wait(t.Add(morning()))
			continue
		}
		c := campaigns[slices.IndexFunc(campaigns, func(c asked) bool { return c.ID == d.LetterCampaignID })]
		until, err := s.allowed(tx, w.box.ID, c, zone, now)
		if err != nil {
			return nil, err
		}
		if until.After(now) {
			wait(until)
			continue
		}
		perHour := min(OfficeHourly, max(c.HourlyCap, 1))
		if len(campaigns) > 1 {
			perHour = OfficeHourly
		}
		if c.Digest {
			err = s.handDigest(ctx, tx, d, w, now)
		} else {
			err = s.handLetter(ctx, tx, d, w, now)
		}
		return at(opening(now.Add(gap(perHour, now.In(zone))), zone)), err
	}
	return at(soonest), nil
}

// sentBefore is a letter that went, or is to go, to an address.
type sentBefore struct {
	State            models.DeliveryState
	CreatedAt        time.Time
	UpdatedAt        time.Time
	SentAt           *time.Time
	LetterCampaignID uuid.UUID
}

// ended is when nothing more of a letter can come on the wire.
func (b sentBefore) ended() time.Time {
	if b.SentAt != nil {
		return *b.SentAt
	}
	return b.UpdatedAt
}

// allowed is when an address may get the next letter of a campaign. It holds the address until tx ends: legislators can share one.
func (s *Service) allowed(tx *gorm.DB, box uuid.UUID, c asked, zone *time.Location, now time.Time) (time.Time, error) {
	var held []models.Mailbox
	if err := tx.Clauses(forUpdate).Select("id").Where("id = ?", box).Find(&held).Error; err != nil {
		return now, err
	}
	var before []sentBefore
	err := tx.Raw(`SELECT d.state, d.created_at, d.updated_at, d.sent_at, (SELECT x.letter_campaign_id FROM dispatches x WHERE x.delivery_id = d.id LIMIT 1) AS letter_campaign_id
		FROM deliveries d WHERE d.mailbox_id = ? AND d.kind IN ? ORDER BY d.created_at DESC, d.id DESC LIMIT ?`, box, []string{KindLetter, KindDigest}, OfficeHourly+5).Scan(&before).Error
	if err != nil {
		return now, err
	}
	until := now
	later := func(t time.Time) {
		if t.After(until) {
			until = t
		}
	}
	mine := false
	for i, b := range before {
		switch b.State {
		case models.DeliveryQueued, models.DeliverySending, models.DeliveryDeferred:
			return now.Add(busyFor), nil
		}
		if i == 0 {
			later(b.ended().Add(spacing(OfficeHourly)))
		}
		if b.LetterCampaignID == c.ID && !mine {
			mine = true
			later(b.ended().Add(spacing(c.HourlyCap)))
			if c.Digest && day(b.CreatedAt, zone) == day(now, zone) {
				y, mo, d := now.In(zone).Date()
				later(opening(time.Date(y, mo, d+1, 0, 0, 0, 0, zone), zone).Add(morning()))
			}
		}
	}
	return until, nil
}

func day(t time.Time, zone *time.Location) string { return t.In(zone).Format(time.DateOnly) }

// handLetter hands a dispatch to the mail.
func (s *Service) handLetter(ctx context.Context, tx *gorm.DB, d models.Dispatch, w way, now time.Time) error {
	id := models.NewID()
	fresh, err := deliveries.Insert(ctx, tx, deliveries.New{
		ID: id, Kind: KindLetter, MailboxID: w.box.ID, SubjectID: d.ID, Purpose: models.PurposeReceipt, Priority: models.PriorityBulk, OnUnknown: models.Park,
		DedupeKey: KindLetter + "/" + d.ID.String() + "/" + w.box.ID.String(),
	}, now)
	if err != nil {
		return err
	}
	if !fresh { // it went to this address before: there is no second time
		return set(tx, d.ID, now, map[string]any{"tried": tried(d, w.channel.ID)})
	}
	return s.handed(tx, []uuid.UUID{d.ID}, models.ByEmail, w, id, now)
}

// handDigest hands all that waits for an office in one letter campaign to the mail as one.
func (s *Service) handDigest(ctx context.Context, tx *gorm.DB, first models.Dispatch, w way, now time.Time) error {
	var list []models.Dispatch
	err := tx.Clauses(forUpdate).Where("legislator_id = ? AND letter_campaign_id = ? AND state = 'waiting'", first.LegislatorID, first.LetterCampaignID).
		Order("due_at, id").Limit(digestMost).Find(&list).Error
	if err != nil {
		return err
	}
	ids := make([]uuid.UUID, 0, len(list))
	for _, d := range list {
		if choose([]way{w}, d) == nil {
			continue
		}
		_, _, _, err := s.toGo(ctx, tx, d)
		switch {
		case fault.Is(err, fault.Gone):
			if err := closed(tx, d.ID, ClosedChanged, now); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			ids = append(ids, d.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	id := models.NewID()
	fresh, err := deliveries.Insert(ctx, tx, deliveries.New{
		ID: id, Kind: KindDigest, MailboxID: w.box.ID, SubjectID: first.LetterCampaignID, Purpose: models.PurposeReceipt, Priority: models.PriorityBulk, OnUnknown: models.Park,
		DedupeKey: KindDigest + "/" + first.ID.String() + "/" + w.box.ID.String(),
	}, now)
	if err != nil {
		return err
	}
	if !fresh {
		return set(tx, first.ID, now, map[string]any{"tried": tried(first, w.channel.ID)})
	}
	return s.handed(tx, ids, models.ByDigest, w, id, now)
}

// handed writes down that dispatches are with the mail.
func (s *Service) handed(tx *gorm.DB, ids []uuid.UUID, by models.DispatchChannel, w way, delivery uuid.UUID, now time.Time) error {
	return tx.Model(&models.Dispatch{}).Where("id IN ? AND state = ?", ids, models.DispatchWaiting).Updates(map[string]any{
		"state": models.DispatchHanded, "channel": by, "channel_id": w.channel.ID, "office_id": w.channel.OfficeID, "delivery_id": delivery, "handed_at": now, "updated_at": now,
	}).Error
}

// set changes columns of a dispatch.
func set(tx *gorm.DB, id uuid.UUID, now time.Time, to map[string]any) error {
	to["updated_at"] = now
	return tx.Model(&models.Dispatch{}).Where("id = ?", id).Updates(to).Error
}
