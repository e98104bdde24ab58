package petitions

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/models"
)

// Pace is how the review of a petition is doing against the clock.
type Pace string

// The paces.
const (
	InTime  Pace = "in_time"
	Near    Pace = "near"    // the hours until it is due are few
	Overdue Pace = "overdue" // it waits longer than was promised
)

// ReviewClock is how long a review may take, in hours that pass: a change of the clocks on the wall gives nobody more or less.
type ReviewClock struct{ Near, Due time.Duration }

// Pace of a petition that was submitted at a time. At the very hour it is near, and overdue.
func (c ReviewClock) Pace(submitted, now time.Time) Pace {
	switch waits := now.Sub(submitted); {
	case waits >= c.Due:
		return Overdue
	case waits >= c.Near:
		return Near
	}
	return InTime
}

// reviewClock reads the organisation's hours.
func reviewClock(ctx context.Context, tx *gorm.DB) (ReviewClock, error) {
	var o models.Organisation
	err := tx.WithContext(ctx).Select("review_near_hours", "review_due_hours").Limit(1).Find(&o).Error
	return ReviewClock{time.Duration(o.ReviewNearHours) * time.Hour, time.Duration(o.ReviewDueHours) * time.Hour}, err
}

// The filters of the review queue.
const (
	ReviewMine      = "mine"
	ReviewUnclaimed = "unclaimed"
	ReviewOverdue   = "overdue"
)

// ReviewFilters lists them in the order of the page.
var ReviewFilters = []string{ReviewMine, ReviewUnclaimed, ReviewOverdue}

// Waiting is a petition in the review queue.
type Waiting struct {
	models.Petition
	Pace  Pace
	DueAt time.Time
	Mine  bool // claimed by the actor
	By    string
	Away  *time.Time // until when whoever claimed it is away; nil for here
}

// ReviewQueue is a page of submitted petitions, the longest waiting first: all for filter "", else one of ReviewFilters. It needs
// actor.ModeratePetition.
func (s *Service) ReviewQueue(ctx context.Context, a actor.Actor, filter string, after paging.Cursor) (paging.Page[Waiting], error) {
	var none paging.Page[Waiting]
	if err := a.Need(actor.ModeratePetition); err != nil {
		return none, err
	}
	now := s.clk.Now()
	c, err := reviewClock(ctx, s.db.DB)
	if err != nil {
		return none, err
	}
	q := s.db.WithContext(ctx).Where("state = ? AND submitted_at IS NOT NULL", models.PetitionSubmitted).Order("submitted_at, id").Limit(paging.Size + 1)
	switch filter {
	case ReviewMine:
		q = q.Where("claimed_by = ?", a.UserID)
	case ReviewUnclaimed:
		q = q.Where("claimed_by IS NULL")
	case ReviewOverdue:
		q = q.Where("submitted_at <= ?", now.Add(-c.Due))
	}
	if !after.First() {
		q = q.Where("(submitted_at, id) > (?, ?)", after.At, after.ID)
	}
	var rows []models.Petition
	if err := q.Find(&rows).Error; err != nil {
		return none, err
	}
	page := paging.Cut(rows, paging.Size, func(p models.Petition) paging.Cursor { return paging.Cursor{At: *p.SubmittedAt, ID: p.ID} })
	people, err := s.moderators(ctx, a)
	if err != nil {
		return none, err
	}
	out := paging.Page[Waiting]{Next: page.Next}
	for _, p := range page.Rows {
		out.Rows = append(out.Rows, waitingOf(a, p, c, now, people))
	}
	return out, nil
}

// Review is what ReviewQueue says about one submitted petition. It needs actor.ModeratePetition.
func (s *Service) Review(ctx context.Context, a actor.Actor, p models.Petition) (Waiting, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return Waiting{}, err
	}
	c, err := reviewClock(ctx, s.db.DB)
	if err != nil {
		return Waiting{}, err
	}
	people, err := s.moderators(ctx, a)
	return waitingOf(a, p, c, s.clk.Now(), people), err
}

func waitingOf(a actor.Actor, p models.Petition, c ReviewClock, now time.Time, people []Moderator) Waiting {
	w := Waiting{Petition: p, Mine: a.Is(p.ClaimedBy), Pace: InTime}
	if p.SubmittedAt != nil {
		w.Pace, w.DueAt = c.Pace(*p.SubmittedAt, now), p.SubmittedAt.Add(c.Due)
	}
	if p.ClaimedBy != nil {
		w.By = "?" // an account that is gone from the list
		for _, m := range people {
			if m.ID == *p.ClaimedBy {
				w.By, w.Away = m.Name, m.AwayUntil
			}
		}
	}
	return w
}

// Moderator is somebody who can review.
type Moderator struct {
	ID        uuid.UUID
	Name      string
	AwayUntil *time.Time // nil: here
	Self      bool
}

// Moderators lists the accounts that can review, by when they were made. It needs actor.ModeratePetition.
func (s *Service) Moderators(ctx context.Context, a actor.Actor) ([]Moderator, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return nil, err
	}
	return s.moderators(ctx, a)
}

func (s *Service) moderators(ctx context.Context, a actor.Actor) ([]Moderator, error) {
	now := s.clk.Now()
	var rows []models.User
	if err := s.db.WithContext(ctx).Where("disabled_at IS NULL").Order("created_at, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	var out []Moderator
	for _, u := range rows {
		if !reviews(u) {
			continue
		}
		name, err := s.vault.Open("users", "name_sealed", u.ID, u.NameSealed)
		if err != nil {
			return nil, err
		}
		out = append(out, Moderator{ID: u.ID, Name: name, AwayUntil: awayAt(u, now), Self: a.Is(&u.ID)})
	}
	return out, nil
}

// reviews reports whether an account can review petitions.
func reviews(u models.User) bool {
	who := actor.Actor{Kind: actor.User, UserID: u.ID, Role: actor.Role(u.Role)}
	if u.ChapterID != nil {
		who.ChapterID = *u.ChapterID
	}
	return u.DisabledAt == nil && who.May(actor.ModeratePetition)
}

func awayAt(u models.User, now time.Time) *time.Time {
	if u.AwayUntil == nil || !now.Before(*u.AwayUntil) {
		return nil
	}
	return u.AwayUntil
}

// Claim takes a submitted petition to review, so that nobody else begins too. Of two who claim it at once, one has it. It needs
// actor.ModeratePetition. The faults are NotFound, error.petition_unknown; Conflict, error.review_claimed where somebody has it,
// error.review_away while the actor is away, error.petition_state.
func (s *Service) Claim(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if a.Kind != actor.User {
		return fault.New(fault.Forbidden, "error.forbidden")
	}
	return s.claim(ctx, a, id, &a.UserID, "petition.claim", func(p models.Petition) error {
		if p.ClaimedBy != nil {
			return fault.New(fault.Conflict, "error.review_claimed")
		}
		return nil
	})
}

// Release puts a claimed petition back into the queue: the actor's own, or one that somebody else has. It needs
// actor.ModeratePetition. The faults are NotFound, error.petition_unknown, and Conflict, error.petition_state.
func (s *Service) Release(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	return s.claim(ctx, a, id, nil, "petition.release", func(models.Petition) error { return nil })
}

// HandTo gives a submitted petition to another who can review, or takes it over where that is the actor. It needs
// actor.ModeratePetition. The faults are Invalid with the field "to" where they cannot review or are away, those of Claim.
func (s *Service) HandTo(ctx context.Context, a actor.Actor, id, to uuid.UUID) error {
	return s.claim(ctx, a, id, &to, "petition.hand_to", func(models.Petition) error { return nil })
}

// claim changes in whose hands the review of a petition is, if nobody changed it meanwhile.
func (s *Service) claim(ctx context.Context, a actor.Actor, id uuid.UUID, to *uuid.UUID, action string, check func(models.Petition) error) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		p, err := take(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case p.State != models.PetitionSubmitted:
			return fault.New(fault.Conflict, "error.petition_state")
		case to != nil && p.ClaimedBy != nil && *to == *p.ClaimedBy, to == nil && p.ClaimedBy == nil:
			return nil
		}
		if err := check(p); err != nil {
			return err
		}
		set := map[string]any{"claimed_by": nil, "claimed_at": nil}
		details := map[string]any{}
		if to != nil {
			if err := mayHold(tx, a, *to, now); err != nil {
				return err
			}
			set["claimed_by"], set["claimed_at"], details["to"] = *to, now, *to
		}
		if p.ClaimedBy != nil {
			details["from"] = *p.ClaimedBy
		}
		q := tx.Model(&models.Petition{}).Where("id = ? AND state = ?", id, models.PetitionSubmitted)
		if p.ClaimedBy == nil {
			q = q.Where("claimed_by IS NULL")
		} else {
			q = q.Where("claimed_by = ?", *p.ClaimedBy)
		}
		r := q.Updates(set)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return fault.New(fault.Conflict, "error.review_claimed")
		}
		return audit.Write(ctx, tx, a, now, action, "petitions", id, details)
	})
}

// mayHold says why an account cannot have a review. Its row is held, so that nobody is away a moment later with it.
func mayHold(tx *gorm.DB, a actor.Actor, id uuid.UUID, now time.Time) error {
	u, err := heldUser(tx, id)
	if err != nil {
		return err
	}
	self := a.Is(&id)
	switch {
	case self && awayAt(u, now) != nil:
		return fault.New(fault.Conflict, "error.review_away")
	case !reviews(u):
		return fault.Fields{{Name: "to", Key: "error.review_cannot"}}.Err()
	case awayAt(u, now) != nil:
		return fault.Fields{{Name: "to", Key: "error.review_is_away"}}.Err()
	}
	return nil
}

// SetAway says until when the actor reviews nothing: what they have claimed returns to the queue, and nothing can be handed to
// them. nil: they are here again. Any account may, on itself. The fault is Invalid with the field "until" for a time that is over
// or more than a year ahead.
func (s *Service) SetAway(ctx context.Context, a actor.Actor, until *time.Time) error {
	if a.Kind != actor.User {
		return fault.New(fault.Unauthenticated, "error.login_needed")
	}
	now := s.clk.Now()
	if until != nil && (!until.After(now) || until.After(now.AddDate(1, 0, 1))) {
		return fault.Fields{{Name: "until", Key: "error.review_away_until"}}.Err()
	}
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := heldUser(tx, a.UserID); err != nil {
			return err
		}
		if err := tx.Model(&models.User{}).Where("id = ?", a.UserID).Updates(map[string]any{"away_until": until, "updated_at": now}).Error; err != nil {
			return err
		}
		released := int64(0)
		if until != nil {
			r := tx.Model(&models.Petition{}).Where("claimed_by = ? AND state = ?", a.UserID, models.PetitionSubmitted).
				Updates(map[string]any{"claimed_by": nil, "claimed_at": nil})
			if r.Error != nil {
				return r.Error
			}
			released = r.RowsAffected
		}
		return audit.Write(ctx, tx, a, now, "user.away", "users", a.UserID, map[string]any{"away": until != nil, "released": released})
	})
}

// Away returns until when the actor is away; nil: they are here.
func (s *Service) Away(ctx context.Context, a actor.Actor) (*time.Time, error) {
	if a.Kind != actor.User {
		return nil, fault.New(fault.Unauthenticated, "error.login_needed")
	}
	var u models.User
	err := s.db.WithContext(ctx).Where("id = ?", a.UserID).Limit(1).Find(&u).Error
	return awayAt(u, s.clk.Now()), err
}

// heldUser reads an account and holds its row to the end of tx; an account that is not there can do nothing.
func heldUser(tx *gorm.DB, id uuid.UUID) (u models.User, err error) {
	err = tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = ?", id).Limit(1).Find(&u).Error
	return u, err
}
