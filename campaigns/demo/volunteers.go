package demo

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/consents"
	"kithline/campaigns/pacing"
	"kithline/campaigns/tokens"
	"kithline/campaigns/volunteers"
	"kithline/models"
)

// helper is somebody of world/coalition.json, as far as it tells of the time that they offer.
type helper struct {
	Name      string   `json:"name"`
	Roles     []string `json:"roles"`
	Post      string   `json:"post"`
	Languages []string `json:"languages"`
	Weekly    int      `json:"energy_budget_week"`
	Quiet     string   `json:"quiet"` // 21:00-10:00
}

// likes is what the helpers of the world like to do, one after the other.
var likes = [][]string{{"leader", "welcome"}, {"host", "phone"}, {"storyteller", "asker"}, {"notes", "writing"}, {"driver"}, {"translating", "writing"}}

// planVolunteers notes who offers time, and what the organisation does with everybody who begins.
func (b *builder) planVolunteers() error {
	text, err := sample.ReadFile("world/coalition.json")
	if err != nil {
		return err
	}
	var told struct {
		People []helper `json:"people"`
	}
	if err := json.Unmarshal(text, &told); err != nil {
		return err
	}
	b.note(b.day(16, 9, 30), "steps for volunteers", func(ctx context.Context) error {
		for _, in := range []volunteers.StepInput{
			{Name: "A call to get to know each other", About: "Ten minutes, at an hour that suits them."},
			{Name: "How we look after each other", About: "What “I can’t today” means here: one press, no reason, somebody else is asked."},
			{Name: "A first task with somebody beside them"},
		} {
			if _, err := b.Volunteers.SaveStep(ctx, b.actors[ilse], uuid.Nil, in); err != nil {
				return err
			}
		}
		return nil
	})
	n := 0
	for _, h := range told.People {
		if h.Weekly == 0 {
			continue
		}
		i := n
		b.note(b.day(17+4*i, 11, 20), "offering time", func(ctx context.Context) error { return b.offerTime(ctx, h, i) })
		n++
	}
	return nil
}

// offerTime fills in the form, presses the button some minutes later, and plans what a week can carry. The first ones are welcomed.
func (b *builder) offerTime(ctx context.Context, h helper, i int) error {
	given, family, _ := strings.Cut(h.Name, " ")
	d := volunteers.Said{GivenName: given, FamilyName: family, PostalCode: h.Post, Country: "US", Languages: h.Languages, Likes: likes[i%len(likes)], Modes: []string{"home", "onsite"}, AskBy: models.AskByMail}
	if len(d.Languages) == 0 {
		d.Languages = []string{"en"}
	}
	boxes, err := b.Volunteers.Boxes(ctx, "en")
	if err != nil {
		return err
	}
	in := volunteers.SignUpInput{Said: d, Email: plain(given) + "." + plain(family) + "@example.org", Locale: "en", Lang: "en"}
	for _, box := range boxes {
		if box.Ask == (consents.Ask{Purpose: models.PurposeVolunteering}) {
			in.Boxes = append(in.Boxes, box.Value)
		}
	}
	id, err := b.Volunteers.SignUp(ctx, in)
	if err != nil {
		return err
	}
	b.forward(b.clk.Now().Add(4 * time.Minute))
	var v models.Volunteer
	if err := b.DB.WithContext(ctx).Where("id = ?", id).Take(&v).Error; err != nil {
		return err
	}
	if _, err := b.Waiting.Confirm(ctx, b.Signer.Make(tokens.Confirm, v.MailboxID, *v.ExpiresAt), []uuid.UUID{id}); err != nil {
		return err
	}
	plan := pacing.Plan{Weekly: h.Weekly, RestHours: pacing.Rest}
	if from, until, ok := strings.Cut(h.Quiet, "-"); ok {
		plan.QuietFrom, _ = volunteers.ClockMinutes(from)
		plan.QuietUntil, _ = volunteers.ClockMinutes(until)
	}
	if err := b.Volunteers.SavePlan(ctx, []uuid.UUID{v.MailboxID}, plan); err != nil {
		return err
	}
	if i > 3 { // the newest wait for somebody
		return b.deliver(ctx)
	}
	who := b.actors[ilse]
	if err := b.Volunteers.Welcome(ctx, who, id); err != nil {
		return err
	}
	steps, err := b.Volunteers.Steps(ctx, who)
	if err != nil {
		return err
	}
	for _, st := range steps[:min(len(steps), 3-i%2)] {
		if err := b.Volunteers.Mark(ctx, who, id, st.ID, true); err != nil {
			return err
		}
	}
	return b.deliver(ctx)
}
