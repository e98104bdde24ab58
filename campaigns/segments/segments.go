// Package segments keeps choices of supporters: rules that an organizer puts together, saved under a name, counted while they
// are made, and used by mailings, exports and rosters.
//
// A rule is a tree of groups and conditions. What it means:
//
//   - The people are the supporters: the records, not the mail addresses. A condition about an action, a consent or a mail holds
//     for a person when it holds for any of the person's addresses.
//   - A group that matches "all" holds for whoever meets every condition in it, one that matches "any" for whoever meets at
//     least one.
//   - What is marked as excluded, a condition or a whole group, always takes people away, in a group that matches "any" too: the
//     group holds for whoever is in by the other conditions and is met by none of the excluded ones. A group in which everything
//     is excluded begins with everybody.
//   - A group without conditions says nothing: it is as if it was not there. So a rule without conditions is everybody.
//   - A condition that looks at something a person does not have, such as a field that was never filled in, does not hold for
//     that person; excluding it keeps them. "Is not" holds for whoever has another value or none.
//   - A segment of a chapter holds people of that chapter only, whatever its rule says and whatever other segment it names.
//   - Windows of time are absolute days in the organisation's time zone, both included, or the last days counted back from now.
//   - A rule may end with a pick by chance: some percent of the people, or so many. The order of the pick is the keyed hash of
//     each id with a seed that is kept in the rule, so that counting and sending choose the same people, and the next day too.
//     By percent everybody has a lot of their own: the number is near the percentage, and nobody falls out because somebody else
//     came. Another rule may exclude the segment and so reach the rest.
//
// A rule becomes one SELECT with bound values (compile.go). What can be asked stands in a table of kinds (kinds.go), to which
// other features add theirs at start. No text from a rule is ever part of the SQL.
//
// A segment is live: it holds who meets the rule now. Frozen, it is a snapshot: those who met the rule then, as long as they are
// supporters, and of the segment's chapter.
package segments

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Service makes, counts and freezes segments. It is safe for concurrent use.
type Service struct {
	db    *database.DB
	vault *vault.Vault
	clock clock.Clock
}

// New makes the service.
func New(db *database.DB, v *vault.Vault, c clock.Clock) *Service { return &Service{db, v, c} }

var errUnknown = fault.New(fault.NotFound, "error.segment_unknown")

// find reads a segment. The error is a NotFound fault for an unknown id.
func find(ctx context.Context, tx *gorm.DB, id uuid.UUID) (models.Segment, error) {
	var m models.Segment
	err := tx.WithContext(ctx).Take(&m, "id = ?", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return m, errUnknown
	}
	return m, err
}

// Find reads a segment that the actor may see: what belongs to another chapter is as unknown as what does not exist.
func Find(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Segment, error) {
	m, err := find(ctx, tx, id)
	if err == nil && !chapters.May(a, m.ChapterID) {
		return models.Segment{}, errUnknown
	}
	return m, err
}
