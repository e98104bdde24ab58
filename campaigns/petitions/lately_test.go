package petitions

import (
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/models"
)

// TestAPetitionThatEndedAMomentAgo: a form may be checked for a petition as it was a second ago, but nothing is written.
func TestAPetitionThatEndedAMomentAgo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		open, ended := w.published("Benches at bus stops"), w.published("Twenty visits")
		w.sign(form(open.Slug, "june@example.org"))
		w.sign(form(ended.Slug, "june@example.org"))
		kept, ok := w.recent.Load(ended.Slug)
		if !ok {
			t.Fatal("an open petition is not kept")
		}
		w.recent.Store(ended.Slug, recentPetition{kept.(recentPetition).Petition, time.Now().Add(time.Hour)}) // however slow the test is
		for _, c := range []struct {
			change map[string]any
			kind   fault.Kind
			key    string
		}{
			{map[string]any{"paused_at": start}, fault.Conflict, "error.petition_paused"},
			{map[string]any{"paused_at": nil, "deadline_at": start}, fault.Conflict, "error.petition_closed"},
			{map[string]any{"state": models.PetitionClosed}, fault.Conflict, "error.petition_closed"},
			{map[string]any{"state": models.PetitionHidden}, fault.NotFound, "error.petition_unknown"},
			{map[string]any{"state": models.PetitionWithdrawn}, fault.Gone, "error.petition_withdrawn"},
		} {
			if err := w.db.Model(&models.Petition{}).Where("id = ?", ended.ID).Updates(c.change).Error; err != nil {
				t.Fatal(err)
			}
			_, err := w.Sign(w.ctx, form(ended.Slug, "cal@example.org"))
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != c.kind || f.Key != c.key {
				t.Errorf("%v: %v, not %s", c.change, err, c.key)
			}
		}
		// In one batch, each row is for itself.
		var rows []newSignature
		for _, p := range []models.Petition{ended, open} {
			r, err := w.prepare(p, form(p.Slug, "cal@example.org"), start)
			if err != nil {
				t.Fatal(err)
			}
			rows = append(rows, r)
		}
		if err := w.db.Tx(w.ctx, func(tx *gorm.DB) error { return w.insert(w.ctx, tx, rows) }); err != nil {
			t.Fatal(err)
		}
		if !fault.Is(rows[0].Refused, fault.Gone) || rows[1].Refused != nil {
			t.Errorf("refused: %v, %v", rows[0].Refused, rows[1].Refused)
		}
		if w.counts(open.ID) != [2]int{2, 0} || w.counts(ended.ID) != [2]int{1, 0} || w.rows(&models.Signature{}, "1 = 1") != 3 {
			t.Errorf("%v wait, %v where it ended", w.counts(open.ID), w.counts(ended.ID))
		}
	})
}
