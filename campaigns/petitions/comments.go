package petitions

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

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

// Mark stands for the words that were read: its writer may change them until somebody decides.
func (q QueuedComment) Mark() string { return markOf(q.Text) }

func markOf(words string) string {
	sum := sha256.Sum256([]byte(words))
	return hex.EncodeToString(sum[:8])
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

// CommentVerdict is what becomes of a comment.
type CommentVerdict string

// The verdicts. Each can be undone by another.
const (
	ShowComment CommentVerdict = "show"
	HideComment CommentVerdict = "hide"
	WaitComment CommentVerdict = "wait" // back into the queue
)

// JudgeComment shows a comment on its petition's page, or keeps it hidden; either can be undone by the other. It needs
// actor.ModeratePetition. The fault is NotFound, error.comment_unknown.
func (s *Service) JudgeComment(ctx context.Context, a actor.Actor, petition, id uuid.UUID, show bool) error {
	verdict := HideComment
	if show {
		verdict = ShowComment
	}
	return s.DecideComment(ctx, a, petition, id, verdict, "")
}

// DecideComment says what becomes of one comment. mark is that of the words that were read, "" to judge whatever it says. It needs
// actor.ModeratePetition. The faults are NotFound, error.comment_unknown; Conflict, error.comment_changed where its writer changed
// it since; Invalid for an unknown verdict.
func (s *Service) DecideComment(ctx context.Context, a actor.Actor, petition, id uuid.UUID, verdict CommentVerdict, mark string) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		rows, err := heldComments(tx, []uuid.UUID{id})
		if err != nil {
			return err
		}
		if len(rows) == 0 || rows[0].PetitionID != petition {
			return fault.New(fault.NotFound, "error.comment_unknown")
		}
		return s.decide(ctx, tx, a, rows[0], verdict, mark, now)
	})
}

// Read is a comment as somebody read it.
type Read struct {
	ID   uuid.UUID
	Mark string
}

// DecideComments shows the comments of a page of the queue together, or puts back into it those that were judged. Comments with words of
// self-harm are never shown so, and neither are those that were changed or judged since they were read: they are passed over. It
// returns those that were judged. It needs actor.ModeratePetition.
func (s *Service) DecideComments(ctx context.Context, a actor.Actor, read []Read, verdict CommentVerdict) ([]QueuedComment, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return nil, err
	}
	if verdict != ShowComment && verdict != WaitComment {
		return nil, fault.New(fault.Invalid, "error.value_unknown")
	}
	marks := map[uuid.UUID]string{}
	var ids []uuid.UUID
	for _, r := range read[:min(len(read), queueShown)] {
		marks[r.ID] = r.Mark
		ids = append(ids, r.ID)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	now := s.clk.Now()
	var done []QueuedComment
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		done = nil
		rows, err := heldComments(tx, ids)
		if err != nil {
			return err
		}
		for _, sig := range rows {
			words, err := s.vault.Open("signatures", "comment_sealed", sig.ID, sig.CommentSealed)
			if err != nil {
				return err
			}
			mark := marks[sig.ID]
			if (sig.CommentState == models.CommentWaiting) != (verdict == ShowComment) || mark != "" && mark != markOf(words) || verdict == ShowComment && crisisWords(words) {
				continue
			}
			if err := s.decide(ctx, tx, a, sig, verdict, mark, now); err != nil {
				return err
			}
			done = append(done, QueuedComment{ID: sig.ID, PetitionID: sig.PetitionID, Text: words})
		}
		return nil
	})
	return done, err
}

// heldComments reads comments of confirmed signatures and holds their rows, in one order.
func heldComments(tx *gorm.DB, ids []uuid.UUID) ([]models.Signature, error) {
	var rows []models.Signature
	err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id IN ? AND state = 'confirmed' AND comment_state <> ''", ids).Order("id").Find(&rows).Error
	return rows, err
}

func (s *Service) decide(ctx context.Context, tx *gorm.DB, a actor.Actor, sig models.Signature, verdict CommentVerdict, mark string, now time.Time) error {
	words, err := s.vault.Open("signatures", "comment_sealed", sig.ID, sig.CommentSealed)
	if err != nil {
		return err
	}
	if mark != "" && mark != markOf(words) {
		return fault.New(fault.Conflict, "error.comment_changed")
	}
	set := map[string]any{"comment_shown": ""}
	switch verdict {
	case ShowComment:
		set["comment_state"], set["comment_shown"] = models.CommentShown, words
	case HideComment:
		set["comment_state"] = models.CommentHidden
	case WaitComment:
		set["comment_state"] = models.CommentWaiting
	default:
		return fault.New(fault.Invalid, "error.value_unknown")
	}
	if err := tx.Model(&models.Signature{}).Where("id = ? AND state = 'confirmed'", sig.ID).Updates(set).Error; err != nil {
		return err
	}
	p, err := take(ctx, tx, sig.PetitionID)
	if err != nil {
		return err
	}
	Changed(tx, p.Slug)
	return audit.Write(ctx, tx, a, now, "comment."+string(verdict), "signatures", sig.ID, map[string]any{"petition": sig.PetitionID})
}
