package letters

import (
	"context"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/paging"
	"kithline/campaigns/today"
	"kithline/models"
)

// List is a page of letter campaigns for the organizer's side, newest first: all with actor.ManageLetters, else the public ones and the
// actor's own. It needs actor.SeeFigures.
func (s *Service) List(ctx context.Context, a actor.Actor, after paging.Cursor) (paging.Page[models.LetterCampaign], error) {
	var none paging.Page[models.LetterCampaign]
	if err := a.Need(actor.SeeFigures); err != nil {
		return none, err
	}
	q := s.DB.WithContext(ctx).Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if !a.May(actor.ManageLetters) {
		q = q.Where("(state IN ? OR author_id = ?)", PublicStates, a.UserID)
	}
	if !after.First() {
		q = q.Where("(created_at, id) < (?, ?)", after.At, after.ID)
	}
	var rows []models.LetterCampaign
	if err := q.Find(&rows).Error; err != nil {
		return none, err
	}
	return paging.Cut(rows, paging.Size, func(c models.LetterCampaign) paging.Cursor { return paging.Cursor{At: c.CreatedAt, ID: c.ID} }), nil
}

// Get returns a letter campaign for the organizer's side: a public one with actor.SeeFigures, any other as Draft does.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (Campaign, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return Campaign{}, err
	}
	c, err := load(ctx, s.DB.DB, id)
	if err == nil && !c.Public() && !a.Is(c.AuthorID) && !a.May(actor.ManageLetters) {
		return Campaign{}, unknown()
	}
	return c, err
}

// Open lists the letter campaigns that take letters now, newest first, as they speak in a language; those of one campaign, or of all
// for uuid.Nil. At most 100. Anybody may call it.
func (s *Service) Open(ctx context.Context, campaign uuid.UUID, lang string) ([]Campaign, error) {
	now := s.Clock.Now()
	q := s.DB.WithContext(ctx).Order("published_at DESC, id DESC").Limit(100).
		Where("state = ? AND (opens_at IS NULL OR opens_at <= ?) AND (closes_at IS NULL OR closes_at > ?) AND (max_letters = 0 OR letter_count < max_letters)", models.LettersPublished, now, now)
	if campaign != uuid.Nil {
		q = q.Where("campaign_id = ?", campaign)
	}
	var rows []models.LetterCampaign
	if err := q.Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	var texts []models.LetterText
	if err := s.DB.WithContext(ctx).Where("letter_campaign_id IN ? AND locale = ?", ids, lang).Find(&texts).Error; err != nil {
		return nil, err
	}
	out := make([]Campaign, len(rows))
	for i, r := range rows {
		c := Campaign{LetterCampaign: r, OwnLocale: r.Locale}
		for _, t := range texts {
			if t.LetterCampaignID == r.ID {
				c.Texts = append(c.Texts, t)
			}
		}
		out[i] = c.In(lang)
	}
	return out, nil
}

// Queues says what waits for the actor: letter campaigns that were proposed, and letters that are held. It is a today.Provider.
func (s *Service) Queues(ctx context.Context, a actor.Actor) ([]today.Queue, error) {
	if !a.May(actor.ManageLetters) {
		return nil, nil
	}
	db := s.DB.WithContext(ctx)
	var proposed []models.LetterCampaign
	if err := db.Select("id", "submitted_at").Where("state = ?", models.LettersSubmitted).Order("submitted_at, id").Limit(1000).Find(&proposed).Error; err != nil {
		return nil, err
	}
	approve := today.Queue{Key: "lettercampaigns.queue_approve", Path: "/admin/letters", Count: len(proposed), Minutes: 10, Right: actor.ManageLetters}
	if len(proposed) > 0 && proposed[0].SubmittedAt != nil {
		approve.Oldest = *proposed[0].SubmittedAt
	}
	var n int64
	held := today.Queue{Key: "lettercampaigns.queue_held", Path: "/admin/letters/held", Minutes: 2, Right: actor.ManageLetters}
	err := db.Model(&models.Letter{}).Where("state = ?", models.LetterHeld).Count(&n).Error
	if held.Count = int(n); err != nil || n == 0 {
		return []today.Queue{approve}, err
	}
	var oldest models.Letter
	err = db.Select("id", "held_at").Where("state = ?", models.LetterHeld).Order("held_at, id").Limit(1).Find(&oldest).Error
	if oldest.HeldAt != nil {
		held.Oldest = *oldest.HeldAt
	}
	return []today.Queue{approve, held}, err
}
