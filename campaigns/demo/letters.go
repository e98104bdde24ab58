package demo

import (
	"context"
	"time"

	"kithline/campaigns/letters"
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
		_, err := b.Letters.Publish(ctx, b.actors[june], b.letters.ID, letters.PublishInput{Revision: b.letters.Revision})
		return err
	})
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
	b.letters, err = b.Letters.Submit(ctx, author, c.ID, c.Revision)
	return err
}
