package petitions

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Limits of the queue of comments: how many are looked at for words of self-harm, how many a page shows.
const (
	queueRead  = 5000
	queueShown = 50
)

// QueuedComment is a comment on the organizer's side.
type QueuedComment struct {
	ID            uuid.UUID
	PetitionID    uuid.UUID
	PetitionTitle string
	Text          string
	Name          string // as it would show; "" for anonymous
	Place         string // the postal area as it was typed
	State         models.CommentState
	At            time.Time
	Crisis        bool // has words of self-harm
}

// CommentQueue lists the comments that wait to be read, of one petition or of all for uuid.Nil: those with words of
// self-harm first, then the oldest, at most 50. total is how many wait. It needs actor.ModeratePetition.
func (s *Service) CommentQueue(ctx context.Context, a actor.Actor, petition uuid.UUID) (rows []QueuedComment, total int, err error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return nil, 0, err
	}
	q := s.db.WithContext(ctx).Where("comment_state = 'waiting' AND state = 'confirmed'")
	if petition != uuid.Nil {
		q = q.Where("petition_id = ?", petition)
	}
	var n int64
	if err := q.Session(&gorm.Session{}).Model(&models.Signature{}).Count(&n).Error; err != nil {
		return nil, 0, err
	}
	rows, err = s.comments(ctx, q.Order("created_at, id").Limit(queueRead))
	if err != nil {
		return nil, 0, err
	}
	slices.SortStableFunc(rows, func(x, y QueuedComment) int {
		switch {
		case x.Crisis == y.Crisis:
			return 0
		case x.Crisis:
			return -1
		}
		return 1
	})
	return rows[:min(len(rows), queueShown)], int(n), nil
}

// JudgedComments lists the comments of a petition that are shown or were kept hidden, newest first, at most 50. It needs
// actor.ModeratePetition.
func (s *Service) JudgedComments(ctx context.Context, a actor.Actor, petition uuid.UUID, state models.CommentState) ([]QueuedComment, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return nil, err
	}
	return s.comments(ctx, s.db.WithContext(ctx).Where("petition_id = ? AND state = 'confirmed' AND comment_state = ?", petition, state).
		Order("confirmed_at DESC, id DESC").Limit(queueShown))
}

func (s *Service) comments(ctx context.Context, q *gorm.DB) ([]QueuedComment, error) {
	var sigs []models.Signature
	err := q.Select("id", "petition_id", "postal_area", "display_name", "comment_sealed", "comment_state", "created_at").Find(&sigs).Error
	if err != nil {
		return nil, err
	}
	petitions, err := petitionsOf(ctx, s.db.DB, sigs)
	if err != nil {
		return nil, err
	}
	out := make([]QueuedComment, 0, len(sigs))
	for _, sig := range sigs {
		words, err := s.vault.Open("signatures", "comment_sealed", sig.ID, sig.CommentSealed)
		if err != nil {
			return nil, err
		}
		out = append(out, QueuedComment{
			ID: sig.ID, PetitionID: sig.PetitionID, PetitionTitle: petitions[sig.PetitionID].Title, Text: words, Name: sig.DisplayName,
			Place: sig.PostalArea, State: sig.CommentState, At: sig.CreatedAt, Crisis: crisisWords(words),
		})
	}
	return out, nil
}

// JudgeComment shows a comment on its petition's page, or keeps it hidden; either can be undone by the other. It needs
// actor.ModeratePetition. The fault is NotFound, error.comment_unknown.
func (s *Service) JudgeComment(ctx context.Context, a actor.Actor, petition, id uuid.UUID, show bool) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		var sig models.Signature
		err := tx.Where("id = ? AND petition_id = ? AND state = 'confirmed' AND comment_state <> ''", id, petition).Take(&sig).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return fault.New(fault.NotFound, "error.comment_unknown")
		}
		if err != nil {
			return err
		}
		set := map[string]any{"comment_state": models.CommentHidden, "comment_shown": ""}
		if show {
			words, err := s.vault.Open("signatures", "comment_sealed", sig.ID, sig.CommentSealed)
			if err != nil {
				return err
			}
			set = map[string]any{"comment_state": models.CommentShown, "comment_shown": words}
		}
		if err := tx.Model(&models.Signature{}).Where("id = ? AND state = 'confirmed'", id).Updates(set).Error; err != nil {
			return err
		}
		p, err := take(ctx, tx, petition)
		if err != nil {
			return err
		}
		Changed(tx, p.Slug)
		return audit.Write(ctx, tx, a, now, "comment."+map[bool]string{true: "show", false: "hide"}[show], "signatures", id, map[string]any{"petition": petition})
	})
}
