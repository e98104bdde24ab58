// Package legislators keeps who decides: bodies, people, their time in a seat with dates, and the ways to reach them; and says who
// represents somebody who lives at a place.
//
// The rules:
//
//   - Everything comes from files (import.go) or from an organizer's hand, and is dated. Who left is kept, with the history of what
//     changed; whoever got a letter is never deleted.
//   - A term is in force from its first day to its last, by the calendar of UTC, unless it was ended before.
//   - A postal area gives candidates, never a proof: where it spans several districts, the person says which is theirs, or gives a point, or
//     stays with what the whole state elects. A vacant seat is a seat with nobody in it, and said so.
//   - Homes are never kept. The channel of a letter is chosen when it goes, from what is known then.
package legislators

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/models"
	"kithline/models/database"
)

// Options of a Service. Files and Enqueue are for what is uploaded on a page.
type Options struct {
	DB      *database.DB
	Clock   clock.Clock
	Files   *files.Service
	Enqueue func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error // jobs.Client.Enqueue
}

// Service keeps legislators. It is safe for concurrent use.
type Service struct {
	Options
	left []func(ctx context.Context, tx *gorm.DB, legislators []uuid.UUID) error // see OnLeft
}

// New makes the service.
func New(o Options) *Service { return &Service{Options: o} }

// Member is a legislator in a seat, and how they are reached.
type Member struct {
	models.Legislator
	Term     models.Term
	Chamber  models.Chamber
	Offices  []models.Office  // capitol first
	Channels []models.Channel // the first choice first
}

// Title is what the member is called in that seat.
func (m Member) Title() string {
	if m.Term.Title != "" {
		return m.Term.Title
	}
	return m.Chamber.MemberTitle
}

// day is a moment as terms are dated.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// InForce reports whether a term holds on the day of now.
func InForce(t models.Term, now time.Time) bool {
	today := day(now)
	return t.EndedAt == nil && (t.ValidFrom == "" || t.ValidFrom <= today) && (t.ValidThrough == "" || today <= t.ValidThrough)
}

// inForce is InForce in SQL for the terms called t; it takes today twice.
const inForce = "t.ended_at IS NULL AND (t.valid_from = '' OR t.valid_from <= ?) AND (t.valid_through = '' OR t.valid_through >= ?)"

// errLeft says that somebody is in no seat.
var errLeft = fault.New(fault.NotFound, "error.legislator_left")

// Sitting returns the member that a legislator is on the day of now. The fault is NotFound where no term of theirs is in force.
// Any caller, in tx.
func Sitting(ctx context.Context, tx *gorm.DB, legislator uuid.UUID, now time.Time) (Member, error) {
	ms, err := Members(ctx, tx, []uuid.UUID{legislator}, now)
	if err != nil {
		return Member{}, err
	}
	if len(ms) == 0 {
		return Member{}, errLeft
	}
	return ms[0], nil
}

// Members returns those of the legislators who sit on the day of now, in the order of the ids. Any caller, in tx.
func Members(ctx context.Context, tx *gorm.DB, ids []uuid.UUID, now time.Time) ([]Member, error) {
	var terms []models.Term
	err := tx.WithContext(ctx).Table("terms AS t").Where(inForce, day(now), day(now)).Where("t.legislator_id IN ?", ids).Order("t.valid_from DESC, t.id").Find(&terms).Error
	if err != nil {
		return nil, err
	}
	of := map[uuid.UUID]models.Term{}
	for _, t := range terms {
		if _, has := of[t.LegislatorID]; !has {
			of[t.LegislatorID] = t
		}
	}
	var sorted []models.Term
	for _, id := range ids {
		if t, ok := of[id]; ok {
			sorted = append(sorted, t)
			delete(of, id)
		}
	}
	return members(ctx, tx, sorted)
}

// members reads who has the terms, in their order, with offices and channels that were not removed.
func members(ctx context.Context, tx *gorm.DB, terms []models.Term) ([]Member, error) {
	if len(terms) == 0 {
		return nil, nil
	}
	ids, chambers := make([]uuid.UUID, len(terms)), make([]uuid.UUID, len(terms))
	for i, t := range terms {
		ids[i], chambers[i] = t.LegislatorID, t.ChamberID
	}
	var people []models.Legislator
	var bodies []models.Chamber
	var offices []models.Office
	var channels []models.Channel
	db := func() *gorm.DB { return tx.WithContext(ctx) }
	err := errors.Join(
		db().Where("id IN ?", ids).Find(&people).Error,
		db().Where("id IN ?", chambers).Find(&bodies).Error,
		db().Where("legislator_id IN ? AND removed_at IS NULL", ids).Order("kind, name, id").Find(&offices).Error, // capitol before district
		db().Where("legislator_id IN ? AND removed_at IS NULL", ids).Order("position, id").Find(&channels).Error,
	)
	if err != nil {
		return nil, err
	}
	person, body := map[uuid.UUID]models.Legislator{}, map[uuid.UUID]models.Chamber{}
	for _, p := range people {
		person[p.ID] = p
	}
	for _, b := range bodies {
		body[b.ID] = b
	}
	officesOf, channelsOf := map[uuid.UUID][]models.Office{}, map[uuid.UUID][]models.Channel{}
	for _, o := range offices {
		officesOf[o.LegislatorID] = append(officesOf[o.LegislatorID], o)
	}
	for _, c := range channels {
		channelsOf[c.LegislatorID] = append(channelsOf[c.LegislatorID], c)
	}
	out := make([]Member, len(terms))
	for i, t := range terms {
		out[i] = Member{Legislator: person[t.LegislatorID], Term: t, Chamber: body[t.ChamberID], Offices: officesOf[t.LegislatorID], Channels: channelsOf[t.LegislatorID]}
	}
	return out, nil
}
