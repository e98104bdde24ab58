package demo

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/letters"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// lettered is world/letters.json: the letter campaign that goes with the petition. Day is that of its publication.
type lettered struct {
	Day     int           `json:"day"`
	Author  string        `json:"author"` // an advocate
	State   string        `json:"state"`  // whose chambers are written to
	Bill    string        `json:"bill"`
	Minutes int           `json:"minutes"`
	Energy  int           `json:"energy"`
	Own     letterText    `json:"own"`
	Other   letterText    `json:"other"` // in a further language
	Points  []letterPoint `json:"points"`
	Written []written     `json:"written"`
}

// written is a letter that somebody writes, so many days after the campaign was published.
type written struct {
	After      int    `json:"after"`
	GivenName  string `json:"given_name"`
	FamilyName string `json:"family_name"`
	Street     string `json:"street"`
	City       string `json:"city"`
	PostalCode string `json:"postal_code"`
	Words      string `json:"words"`
}

// letterText is what a letter campaign says in one language.
type letterText struct {
	Locale  string `json:"locale"`
	Title   string `json:"title"`
	Summary string `json:"summary"`
	Ask     string `json:"ask"`
	Body    string `json:"body"`
	Subject string `json:"subject"`
	Opening string `json:"opening"`
	Prompt  string `json:"prompt"`
	Closing string `json:"closing"`
}

type letterPoint struct {
	Locale string `json:"locale"`
	Body   string `json:"body"`
}

func (b *builder) said(t letterText) letters.Said {
	return letters.Said{
		Title: t.Title, Summary: b.facts.put(t.Summary), Ask: t.Ask, Body: b.facts.put(t.Body), Subject: t.Subject, Opening: t.Opening, Prompt: t.Prompt, Closing: t.Closing, Locale: t.Locale,
	}
}

// planLetters puts the letter campaign into the diary: an advocate writes and proposes it, the next morning an organizer publishes it.
func (b *builder) planLetters() {
	b.note(b.day(b.w.letters.Day-1, 19, 5), "proposing letters", b.proposeLetters)
	b.note(b.day(b.w.letters.Day, 8, 45), "publishing letters", func(ctx context.Context) error {
		published, err := b.Letters.Publish(ctx, b.actors[june], b.letters.ID, letters.PublishInput{Revision: b.letters.Revision})
		if b.letters = published; err != nil {
			return err
		}
		return b.deliver(ctx)
	})
	for i, w := range b.w.letters.Written {
		b.note(b.day(b.w.letters.Day+w.After, 17, 5+9*i), "writing a letter", func(ctx context.Context) error { return b.writeLetter(ctx, w) })
	}
	for d := b.w.letters.Day + 1; d <= days; d++ {
		b.note(b.day(d, 10, 30), "carrying letters", func(ctx context.Context) error {
			if err := b.Letters.Pace(ctx); err != nil {
				return err
			}
			return b.deliver(ctx)
		})
	}
}

// writeLetter has somebody write to those who represent them, and press the button behind the mailed link.
func (b *builder) writeLetter(ctx context.Context, w written) error {
	c, err := b.Letters.Public(ctx, b.letters.Slug, "en")
	if err != nil {
		return err
	}
	in := letters.SendInput{OfficeText: b.Letters.Words("en", "letters.office_text"), ClientIP: "192.0.2.1"}
	in.Lang, in.Source = "en", "mail"
	in.PostalCode, in.GivenName, in.FamilyName, in.Street, in.City, in.Own = w.PostalCode, w.GivenName, w.FamilyName, w.Street, w.City, w.Words
	in.Email = strings.ToLower(w.GivenName+"."+w.FamilyName) + "@example.org"
	who, err := b.Letters.Who(ctx, c, &in.Sheet)
	if err != nil {
		return err
	}
	in.Settle(c, who)
	for _, p := range in.Offered(c, who, uint64(len(w.Words)))[:1] {
		in.Points = append(in.Points, p.ID)
	}
	sent, err := b.Letters.Send(ctx, c, in)
	if err != nil {
		return err
	}
	if err := b.deliver(ctx); err != nil {
		return err
	}
	var l models.Letter
	if err := b.DB.WithContext(ctx).Select("mailbox_id").Where("id = ?", sent.ID).Take(&l).Error; err != nil {
		return err
	}
	b.forward(b.clk.Now().Add(3 * time.Minute))
	if _, err := b.Waiting.Confirm(ctx, b.Signer.Make(tokens.Confirm, l.MailboxID, b.clk.Now().Add(7*24*time.Hour)), []uuid.UUID{sent.ID}); err != nil {
		return err
	}
	return b.deliver(ctx)
}

// proposeLetters writes the letter campaign: to who represents the writer in each chamber of the state.
func (b *builder) proposeLetters(ctx context.Context) error {
	in, author := b.w.letters, b.actors[b.w.letters.Author]
	closes := b.day(days, 0, 0).AddDate(0, 1, 0).UTC()
	c, err := b.Letters.Create(ctx, author, letters.CreateInput{CampaignID: b.petition.CampaignID, Plan: letters.Plan{
		Said: b.said(in.Own), Bill: in.Bill, Position: models.StanceSupport, Minutes: in.Minutes, Energy: in.Energy, Demands: []string{"typing", "home"}, AskAnswers: true, ClosesAt: &closes,
	}})
	if err != nil {
		return err
	}
	b.forward(b.clk.Now().Add(20 * time.Minute))
	if c, err = b.Letters.SaveText(ctx, author, c.ID, letters.TextInput{Said: b.said(in.Other), Revision: c.Revision}); err != nil {
		return err
	}
	for _, p := range in.Points {
		if c, err = b.Letters.AddPoint(ctx, author, c.ID, letters.PointInput{Locale: p.Locale, Body: p.Body, Revision: c.Revision}); err != nil {
			return err
		}
	}
	choices, err := b.Letters.Targeting(ctx, author, "")
	if err != nil {
		return err
	}
	for _, chamber := range choices.Chambers {
		if chamber.Place != in.State {
			continue
		}
		if c, err = b.Letters.AddTarget(ctx, author, c.ID, letters.TargetInput{Rule: models.TargetRepresents, ChamberID: chamber.ID, Revision: c.Revision}); err != nil {
			return err
		}
	}
	if b.letters, err = b.Letters.Submit(ctx, author, c.ID, c.Revision); err != nil {
		return err
	}
	return b.deliver(ctx)
}
