package confirmations

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/models"
)

func TestMayMail(t *testing.T) {
	now := time.Date(2027, 2, 23, 10, 0, 0, 0, time.UTC)
	this, alike, other := uuid.New(), uuid.New(), uuid.New()
	mail := func(kind string, about uuid.UUID, ago time.Duration, state models.DeliveryState) models.Delivery {
		return models.Delivery{Kind: kind, SubjectID: about, CreatedAt: now.Add(-ago), State: state}
	}
	many := func(n int, ago time.Duration) (out []models.Delivery) {
		for i := range n {
			out = append(out, mail(Kinds[i%len(Kinds)], uuid.New(), ago, models.DeliverySent))
		}
		return out
	}
	for _, c := range []struct {
		name     string
		sent     []models.Delivery
		verified bool
		want     bool
	}{
		{"the first", nil, false, true},
		{"unverified, an open one", many(1, time.Hour), false, false},
		{"unverified, an open one of another form", []models.Delivery{mail(PetitionConfirm, other, time.Hour, models.DeliverySent)}, false, false},
		{"unverified, the link to a draft", []models.Delivery{mail(PetitionStart, other, time.Hour, models.DeliverySent)}, false, true},
		{"unverified, the link to a draft and another form", []models.Delivery{mail(PetitionStart, other, time.Hour, models.DeliverySent), mail(PetitionConfirm, other, time.Hour, models.DeliverySent)}, false, false},
		{"unverified, one of yesterday", many(1, 25*time.Hour), false, true},
		{"unverified, one that failed", []models.Delivery{mail(JoinConfirm, other, time.Hour, models.DeliveryFailed)}, false, true},
		{"unverified, three in the week", many(3, 50*time.Hour), false, false},
		{"unverified, two in the week", many(2, 50*time.Hour), false, true},
		{"verified, another action", many(1, time.Hour), true, true},
		{"verified, the same action", []models.Delivery{mail(JoinConfirm, this, time.Hour, models.DeliverySent)}, true, false},
		{"verified, the same action from another form sent", []models.Delivery{mail(JoinConfirm, alike, time.Hour, models.DeliverySent)}, true, false},
		{"verified, the same action yesterday", []models.Delivery{mail(JoinConfirm, this, 25*time.Hour, models.DeliverySent)}, true, true},
		{"verified, nine today", many(9, time.Hour), true, true},
		{"verified, ten today", many(10, time.Hour), true, false},
		{"verified, ten yesterday", many(10, 25*time.Hour), true, true},
	} {
		if got := mayMail(c.sent, c.verified, Request{Kind: JoinConfirm, Subject: this, Like: []uuid.UUID{alike}}, now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}

	// And the other way round: of many drafts in a day one mail goes, beside the one for a form.
	draft := Request{Kind: PetitionStart, Subject: this, Like: []uuid.UUID{alike}}
	form := mail(PetitionConfirm, other, time.Hour, models.DeliverySent)
	for _, c := range []struct {
		name string
		sent []models.Delivery
		want bool
	}{
		{"a form waits", []models.Delivery{form}, true},
		{"a form and a draft wait", []models.Delivery{form, mail(PetitionStart, other, time.Hour, models.DeliverySent)}, false},
		{"an invitation waits", []models.Delivery{mail(PetitionCostart, other, time.Hour, models.DeliverySent)}, false},
		{"three in the week", many(3, 50*time.Hour), false},
	} {
		if got := mayMail(c.sent, false, draft, now); got != c.want {
			t.Errorf("a draft, %s: %v", c.name, got)
		}
	}
}
