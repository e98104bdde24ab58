package demo

import (
	"testing"

	"kithline/campaigns/letters"
	"kithline/models"
	"kithline/tests/testdb"
)

// The letter campaign was written by an advocate and published by an organizer, speaks two languages, and finds somebody in each chamber.
func TestLettersOfTheWorld(t *testing.T) {
	w := sampleWorld(t)
	w.Signatures, w.Pending = fewest, 5
	m := build(t, testdb.SQLiteURL(t), w)
	var c models.LetterCampaign
	if err := m.DB.Take(&c).Error; err != nil {
		t.Fatal(err)
	}
	if c.State != models.LettersPublished || c.AuthorID == nil || c.ReviewedBy == nil || *c.ReviewedBy == *c.AuthorID {
		t.Errorf("%+v", c)
	}
	if n := m.count(t, &models.LetterPoint{}, "letter_campaign_id = ?", c.ID); n != len(w.letters.Points) {
		t.Errorf("%d points", n)
	}
	es, err := m.Letters.Public(t.Context(), c.Slug, "es")
	if err != nil || es.Title != w.letters.Other.Title || len(es.Targets) != 2 || !es.OpenAt(end) {
		t.Errorf("%+v, %v", es, err)
	}
	// Everybody wrote to two people; one letter resembles another and waits for a person.
	if all, held := m.count(t, &models.Letter{}, "confirmed_at IS NOT NULL"), m.count(t, &models.Letter{}, "state = ?", models.LetterHeld); all != len(w.letters.Written) || held != 1 {
		t.Errorf("%d letters, %d held", all, held)
	}
	if n := m.count(t, &models.Dispatch{}, "1 = 1"); n != 2*len(w.letters.Written) {
		t.Errorf("%d dispatches", n)
	}
	if n := m.count(t, &models.Dispatch{}, "state = ?", models.DispatchWaiting); n != 0 {
		t.Errorf("%d letters wait for their turn", n)
	}
	if n := m.count(t, &models.Delivery{}, "kind = ? AND state = ?", letters.KindLetter, models.DeliverySent); n == 0 {
		t.Error("no office got a letter")
	}
}
