package petitions

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/paging"
	"kithline/campaigns/today"
	"kithline/models"
)

// States lists the states that the list can be filtered by, in the order of the way.
var States = []models.PetitionState{
	models.PetitionDraft, models.PetitionSubmitted, models.PetitionReturned, models.PetitionPublished, models.PetitionClosed, models.PetitionHandedOver,
	models.PetitionAnswered, models.PetitionHidden, models.PetitionWithdrawn,
}

// List is a page of petitions, newest first, of one state or of all for "". It needs actor.SeeFigures: with
// actor.ModeratePetition it holds all, else the public ones and the actor's own.
func (s *Service) List(ctx context.Context, a actor.Actor, state models.PetitionState, after paging.Cursor) (paging.Page[models.Petition], error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return paging.Page[models.Petition]{}, err
	}
	q := s.db.WithContext(ctx).Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if state != "" {
		q = q.Where("state = ?", state)
	}
	// What somebody began to write, and did not confirm by mail, is nobody's yet.
	q = q.Where("NOT (state = 'draft' AND EXISTS (SELECT 1 FROM petition_starters s WHERE s.petition_id = petitions.id AND s.lead AND s.confirmed_at IS NULL))")
	if !a.May(actor.ModeratePetition) {
		q = q.Where("(state IN ? OR author_id = ?)", models.PublicPetitionStates, a.UserID)
	}
	if !after.First() {
		q = q.Where("(created_at, id) < (?, ?)", after.At, after.ID)
	}
	var rows []models.Petition
	if err := q.Find(&rows).Error; err != nil {
		return paging.Page[models.Petition]{}, err
	}
	return paging.Cut(rows, paging.Size, func(p models.Petition) paging.Cursor { return paging.Cursor{At: p.CreatedAt, ID: p.ID} }), nil
}

// Get returns a petition for the organizer's side: a public one with actor.SeeFigures, any other as Draft does. The fault
// is NotFound, error.petition_unknown.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Petition, error) {
	if a.Kind == actor.Person {
		if err := proved(a); err != nil {
			return models.Petition{}, err
		}
		return mine(ctx, s.db.DB, a, id)
	}
	if err := a.Need(actor.SeeFigures); err != nil {
		return models.Petition{}, err
	}
	p, err := take(ctx, s.db.DB, id)
	if err == nil && !p.State.Public() && !a.Is(p.AuthorID) && !a.May(actor.ModeratePetition) {
		return models.Petition{}, unknown()
	}
	return p, err
}

// AuthorName opens the name of a petition's author, for the organizer's side; "" where the server itself made it.
func (s *Service) AuthorName(ctx context.Context, a actor.Actor, p models.Petition) (string, error) {
	if p.AuthorID == nil && a.May(actor.ModeratePetition) {
		all, err := s.colleagues(ctx, p.ID)
		var names []string
		for _, c := range all {
			if c.Confirmed {
				names = append(names, c.Name)
			}
		}
		return strings.Join(names, ", "), err
	}
	if p.AuthorID == nil || !a.Is(p.AuthorID) && !a.May(actor.ModeratePetition) {
		return "", nil
	}
	var u models.User
	if err := s.db.WithContext(ctx).Where("id = ?", *p.AuthorID).Limit(1).Find(&u).Error; err != nil {
		return "", err
	}
	return s.vault.Open("users", "name_sealed", u.ID, u.NameSealed)
}

// Queues says what waits for the actor: petitions to review, those that wait too long apart; comments to read; petitions that closed
// at a threshold they no longer reach. It is a today.Provider.
func (s *Service) Queues(ctx context.Context, a actor.Actor) ([]today.Queue, error) {
	if !a.May(actor.ModeratePetition) {
		return nil, nil
	}
	review := today.Queue{Key: "petition.queue_review", Path: "/admin/petitions/review", Minutes: 5, Right: actor.ModeratePetition}
	late := today.Queue{Key: "moderate.queue_overdue", Path: "/admin/petitions/review?show=" + ReviewOverdue, Minutes: 5, Right: actor.ModeratePetition}
	reopen := today.Queue{Key: "moderate.queue_reopen", Path: "/admin/petitions/reopen", Minutes: 2, Right: actor.ModeratePetition}
	comments := today.Queue{Key: "petition.queue_comments", Path: "/admin/petitions/comments", Minutes: 1, Right: actor.ModeratePetition}
	db := s.db.WithContext(ctx)
	var submitted []models.Petition
	if err := db.Select("id", "submitted_at").Where("state = ?", models.PetitionSubmitted).Order("submitted_at, id").Limit(1000).Find(&submitted).Error; err != nil {
		return nil, err
	}
	c, err := reviewClock(ctx, s.db.DB)
	if err != nil {
		return nil, err
	}
	now := s.clk.Now()
	for _, p := range submitted {
		q := &review
		if p.SubmittedAt != nil && c.Pace(*p.SubmittedAt, now) == Overdue {
			q = &late
		}
		if q.Count++; q.Oldest.IsZero() && p.SubmittedAt != nil {
			q.Oldest = *p.SubmittedAt
		}
	}
	wanted := today.Queue{Key: "moderate.queue_edits", Path: "/admin/petitions/review#edits-h", Minutes: 3, Right: actor.ModeratePetition}
	var asked []models.Petition
	if err := db.Select("id", "proposed_at").Where(proposals).Order("proposed_at, id").Limit(1000).Find(&asked).Error; err != nil {
		return nil, err
	}
	if wanted.Count = len(asked); wanted.Count > 0 {
		wanted.Oldest = *asked[0].ProposedAt
	}
	queues := slices.DeleteFunc([]today.Queue{late, review, wanted}, func(q today.Queue) bool { return q.Count == 0 })
	var n int64
	if err := db.Model(&models.PetitionThreshold{}).Where(fallen).Distinct("petition_id").Count(&n).Error; err != nil {
		return nil, err
	}
	reopen.Count = int(n)
	waiting := db.Model(&models.Signature{}).Where("comment_state = 'waiting' AND state = 'confirmed'")
	if err := waiting.Count(&n).Error; err != nil || n == 0 {
		return append(queues, reopen), err
	}
	var oldest models.Signature
	err = db.Select("id", "created_at").Where("comment_state = 'waiting' AND state = 'confirmed'").Order("created_at, id").Limit(1).Find(&oldest).Error
	comments.Count, comments.Oldest = int(n), oldest.CreatedAt
	return append(queues, reopen, comments), err
}
