package letters

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/models"
)

// PointInput is a point as it was typed over the revision that the page showed.
type PointInput struct {
	TargetID    uuid.UUID // for this group alone; zero for everybody
	Party       string    // for members of this party alone; "" for all
	Locale      string
	Body        string
	SourceTitle string
	SourceURL   string
	Revision    int
}

// ErrPoint says that a letter campaign has no such point: NotFound, error.letters_point_unknown.
func ErrPoint() error { return fault.New(fault.NotFound, "error.letters_point_unknown") }

func (in *PointInput) trim() {
	for _, s := range []*string{&in.Party, &in.Locale, &in.Body, &in.SourceTitle, &in.SourceURL} {
		*s = strings.TrimSpace(strings.ReplaceAll(*s, "\r\n", "\n"))
	}
}

// check notes what is wrong with a point of a campaign.
func (in PointInput) check(c Campaign) fault.Fields {
	var bad fault.Fields
	if in.Body == "" {
		bad.Add("point", "error.letters_point_missing")
	}
	planText(&bad, "point", in.Body, PointMax)
	planSource(&bad, "source_title", "source_url", in.SourceTitle, in.SourceURL)
	if in.SourceTitle != "" && in.SourceURL == "" {
		bad.Add("source_url", "error.letters_source_missing")
	}
	planLine(&bad, "party", in.Party, GroupMax)
	if in.TargetID != uuid.Nil && !slices.ContainsFunc(c.Targets, func(t models.LetterTarget) bool { return t.ID == in.TargetID }) {
		bad.Add("target", "error.value_unknown")
	}
	if in.Locale != c.OwnLocale && !slices.ContainsFunc(c.Texts, func(t models.LetterText) bool { return t.Locale == in.Locale }) {
		bad.Add("locale", "error.value_unknown")
	}
	return bad
}

// AddPoint adds something that a letter can say, behind the others. It is for whom Save is; the faults are those of Save with the fields
// point, source_title, source_url, party, target and locale.
func (s *Service) AddPoint(ctx context.Context, a actor.Actor, id uuid.UUID, in PointInput) (Campaign, error) {
	in.trim()
	return s.change(ctx, a, id, in.Revision, "letters.point", func(_ context.Context, tx *gorm.DB, c Campaign, _ time.Time) error {
		bad, last, n := in.check(c), 0, 0
		for _, p := range c.Points {
			last = max(last, p.Position)
			if p.Locale == in.Locale {
				n++
			}
		}
		if n >= PointsMost {
			bad.Add("point", "error.letters_points_many", "Count", PointsMost)
		}
		if err := bad.Err(); err != nil {
			return err
		}
		row := models.LetterPoint{
			ID: models.NewID(), LetterCampaignID: id, Party: in.Party, Locale: in.Locale, Position: last + 1, Body: in.Body, SourceTitle: in.SourceTitle, SourceURL: in.SourceURL,
		}
		if in.TargetID != uuid.Nil {
			row.TargetID = &in.TargetID
		}
		return tx.Create(&row).Error
	})
}

// SavePoint changes a point. It is for whom Save is. The faults are those of AddPoint; NotFound, error.letters_point_unknown.
func (s *Service) SavePoint(ctx context.Context, a actor.Actor, id, point uuid.UUID, in PointInput) (Campaign, error) {
	in.trim()
	return s.change(ctx, a, id, in.Revision, "letters.point", func(_ context.Context, tx *gorm.DB, c Campaign, _ time.Time) error {
		if !slices.ContainsFunc(c.Points, func(p models.LetterPoint) bool { return p.ID == point }) {
			return ErrPoint()
		}
		if err := in.check(c).Err(); err != nil {
			return err
		}
		var target *uuid.UUID
		if in.TargetID != uuid.Nil {
			target = &in.TargetID
		}
		return tx.Model(&models.LetterPoint{}).Where("id = ?", point).Updates(map[string]any{
			"target_id": target, "party": in.Party, "locale": in.Locale, "body": in.Body, "source_title": in.SourceTitle, "source_url": in.SourceURL,
		}).Error
	})
}

// beside is where the point of a campaign stands that comes before or after another in its language; -1 where there is none.
func (c Campaign) beside(at int, up bool) int {
	step := 1
	if up {
		step = -1
	}
	for i := at + step; i >= 0 && i < len(c.Points); i += step {
		if c.Points[i].Locale == c.Points[at].Locale {
			return i
		}
	}
	return -1
}

// Movable reports whether another point comes before one, or after it, in its language.
func (c Campaign) Movable(point uuid.UUID, up bool) bool {
	at := slices.IndexFunc(c.Points, func(p models.LetterPoint) bool { return p.ID == point })
	return at >= 0 && c.beside(at, up) >= 0
}

// MovePoint lets a point change places with the one before or after it in its language. It is for whom Save is. The faults are those of
// SavePoint, without Invalid; Conflict, error.letters_changed, where there is no such one.
func (s *Service) MovePoint(ctx context.Context, a actor.Actor, id, point uuid.UUID, up bool, revision int) (Campaign, error) {
	return s.change(ctx, a, id, revision, "letters.point", func(_ context.Context, tx *gorm.DB, c Campaign, _ time.Time) error {
		at := slices.IndexFunc(c.Points, func(p models.LetterPoint) bool { return p.ID == point })
		if at < 0 {
			return ErrPoint()
		}
		other := c.beside(at, up)
		if other < 0 {
			return errChanged()
		}
		for _, p := range [][2]models.LetterPoint{{c.Points[at], c.Points[other]}, {c.Points[other], c.Points[at]}} {
			if err := tx.Model(&models.LetterPoint{}).Where("id = ?", p[0].ID).Update("position", p[1].Position).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// RemovePoint takes a point away. It is for whom Save is. The faults are those of SavePoint.
func (s *Service) RemovePoint(ctx context.Context, a actor.Actor, id, point uuid.UUID, revision int) (Campaign, error) {
	return s.change(ctx, a, id, revision, "letters.point", func(_ context.Context, tx *gorm.DB, c Campaign, _ time.Time) error {
		if !slices.ContainsFunc(c.Points, func(p models.LetterPoint) bool { return p.ID == point }) {
			return ErrPoint()
		}
		return tx.Where("id = ?", point).Delete(&models.LetterPoint{}).Error
	})
}
