// Package chapters keeps the parts of the organisation that have organizers of their own.
//
// The rules: an account that belongs to a chapter sees, changes, exports and writes to the people of that chapter only, and
// never learns whether somebody is a supporter elsewhere. An account without a chapter works for the whole organisation. A
// person belongs to one chapter or to none. What was made for a chapter (segments, imports, exports, mailings, forms) is seen
// by that chapter and by the whole organisation, not by other chapters. Every question about people goes through Scope or
// SQL, so that no page decides for itself.
package chapters

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/models"
)

// SQL is the condition that narrows a query to what an actor may see: column holds the chapter of the row, such as
// "supporters.chapter_id". For somebody of the whole organisation it is always true.
func SQL(a actor.Actor, column string) (string, []any) {
	c := a.Chapter()
	if c == nil {
		return "1 = 1", nil
	}
	return column + " = ?", []any{*c}
}

// Scope is SQL for a GORM query: db.Scopes(chapters.Scope(a, "supporters.chapter_id")).
func Scope(a actor.Actor, column string) func(*gorm.DB) *gorm.DB {
	where, args := SQL(a, column)
	return func(q *gorm.DB) *gorm.DB { return q.Where(where, args...) }
}

// May reports whether the actor may see a row of a chapter, nil for one of the whole organisation.
func May(a actor.Actor, chapter *uuid.UUID) bool {
	c := a.Chapter()
	return c == nil || chapter != nil && *chapter == *c
}

// Assign gives supporters without a chapter the one that their postal area belongs to, where exactly one claims it. It is
// called after a postal area became known; any number of ids, in tx.
func Assign(ctx context.Context, tx *gorm.DB, supporters []uuid.UUID, now time.Time) error {
	if len(supporters) == 0 {
		return nil
	}
	tx = tx.WithContext(ctx)
	var list []models.Chapter
	if err := tx.Where("closed_at IS NULL AND postal_areas <> ''").Order("id").Find(&list).Error; err != nil || len(list) == 0 {
		return err
	}
	for start := 0; start < len(supporters); start += assignBatch {
		part := supporters[start:min(start+assignBatch, len(supporters))]
		var people []models.Supporter
		if err := tx.Select("id", "postal_area").Where("id IN ? AND chapter_id IS NULL AND postal_area <> ''", part).Find(&people).Error; err != nil {
			return err
		}
		joining := map[uuid.UUID][]uuid.UUID{}
		for _, p := range people {
			if c, ok := claimed(list, p.PostalArea); ok {
				joining[c] = append(joining[c], p.ID)
			}
		}
		for _, c := range list {
			if ids := joining[c.ID]; len(ids) > 0 {
				err := tx.Model(&models.Supporter{}).Where("id IN ? AND chapter_id IS NULL", ids).Updates(map[string]any{"chapter_id": c.ID, "updated_at": now}).Error
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// assignBatch is how many supporters are read at once.
const assignBatch = 500

// claimed is the one chapter that claims a postal area; an exact one goes before a beginning, and a longer beginning before a
// shorter one.
func claimed(list []models.Chapter, area string) (uuid.UUID, bool) {
	var best uuid.UUID
	length, several := -1, false
	for _, c := range list {
		for line := range strings.Lines(c.PostalAreas) {
			want, prefix := strings.CutSuffix(strings.TrimSpace(line), "*")
			n := len(want) * 2
			switch {
			case want == "" || !strings.HasPrefix(area, want) || !prefix && area != want:
				continue
			case !prefix:
				n++
			}
			if n > length {
				best, length, several = c.ID, n, false
			} else if n == length && c.ID != best {
				several = true
			}
		}
	}
	return best, length >= 0 && !several
}
