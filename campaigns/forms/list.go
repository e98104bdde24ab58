package forms

import (
	"context"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/figures"
	"kithline/campaigns/paging"
	"kithline/models"
)

// List is a page of forms, newest first. It needs actor.EditSupporters; a chapter's account sees its chapter's.
func (s *Service) List(ctx context.Context, a actor.Actor, after paging.Cursor) (paging.Page[models.Form], error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return paging.Page[models.Form]{}, err
	}
	q := s.db.WithContext(ctx).Scopes(chapters.Scope(a, "forms.chapter_id")).Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if !after.First() {
		q = q.Where("(created_at, id) < (?, ?)", after.At, after.ID)
	}
	var rows []models.Form
	if err := q.Find(&rows).Error; err != nil {
		return paging.Page[models.Form]{}, err
	}
	return paging.Cut(rows, paging.Size, func(f models.Form) paging.Cursor { return paging.Cursor{At: f.CreatedAt, ID: f.ID} }), nil
}

// Report is the course of a form.
type Report struct {
	Form    models.Form
	Pending int64
	Days    []figures.Day // the last 30, the oldest first
	Sources []figures.Source
}

// Today is the count of the last day.
func (r Report) Today() int64 { return r.Days[len(r.Days)-1].Count }

// Report counts a form's confirmed submissions by day, as days are in zone, and by source. It needs what Get needs.
func (s *Service) Report(ctx context.Context, a actor.Actor, id uuid.UUID, zone *time.Location) (Report, error) {
	f, err := s.mine(ctx, s.db.DB, a, id)
	if err != nil {
		return Report{}, err
	}
	r := Report{Form: f}
	if r.Days, r.Sources, err = figures.Course(ctx, s.db.DB, "submissions", "form_id", id, s.clk.Now(), zone); err != nil {
		return r, err
	}
	err = s.db.WithContext(ctx).Model(&models.Submission{}).Where("form_id = ? AND state = ?", id, models.SubmissionPending).Count(&r.Pending).Error
	return r, err
}

// Preview is a form as people will see it, in its language. It needs what Get needs.
func (s *Service) Preview(ctx context.Context, a actor.Actor, id uuid.UUID, lang string) (View, error) {
	f, err := s.mine(ctx, s.db.DB, a, id)
	if err != nil {
		return View{}, err
	}
	return s.of(ctx, f, lang)
}
