package forms

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
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

// reportDays is how many days a report's chart has.
const reportDays = 30

// DayCount is how many submissions were confirmed on a day.
type DayCount struct {
	Day   time.Time // its midnight in the zone that was asked for
	Count int64
}

// SourceCount is how many confirmed submissions came by a source.
type SourceCount struct {
	Source string // "" straight to the page
	Count  int64
}

// Report is the course of a form.
type Report struct {
	Form    models.Form
	Pending int64
	Days    []DayCount // the last 30, the oldest first
	Sources []SourceCount
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
	y, m, d := s.clk.Now().In(zone).Date()
	var parts []string
	var args []any
	for i := range reportDays {
		from, to := time.Date(y, m, d-reportDays+1+i, 0, 0, 0, 0, zone), time.Date(y, m, d-reportDays+2+i, 0, 0, 0, 0, zone)
		r.Days = append(r.Days, DayCount{Day: from})
		parts = append(parts, `SELECT CAST(? AS integer) AS day, COUNT(*) AS n FROM submissions
			WHERE form_id = ? AND state = 'confirmed' AND confirmed_at >= ? AND confirmed_at < ?`)
		args = append(args, i, id, from.UTC(), to.UTC())
	}
	var days []struct {
		Day int
		N   int64
	}
	db := s.db.WithContext(ctx)
	if err := db.Raw(strings.Join(parts, " UNION ALL "), args...).Scan(&days).Error; err != nil {
		return r, err
	}
	for _, row := range days {
		r.Days[row.Day].Count = row.N
	}
	if err := db.Model(&models.Submission{}).Where("form_id = ? AND state = ?", id, models.SubmissionPending).Count(&r.Pending).Error; err != nil {
		return r, err
	}
	err = db.Model(&models.Submission{}).Select("source, COUNT(*) AS count").Where("form_id = ? AND state = ?", id, models.SubmissionConfirmed).
		Group("source").Order("count DESC, source").Limit(12).Scan(&r.Sources).Error
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
