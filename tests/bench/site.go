package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"

	"kithline/app"
	"kithline/campaigns/actor"
	"kithline/campaigns/organisation"
	"kithline/campaigns/petitions"
	"kithline/campaigns/users"
	"kithline/config"
	"kithline/mailer"
	"kithline/models"
)

// site is a set-up Kithline with one petition that is open.
type site struct {
	env      []string // for the program
	url, key string   // of the database; the key file
	petition models.Petition
}

// newSite makes a site on a new database by the operations that the pages call: an organisation, an owner, a published
// petition, and so many people who signed, confirmed and commented.
func (b *bench) newSite(ctx context.Context, url string, signers int) (s *site, err error) {
	dir, err := os.MkdirTemp(b.dir, "site-")
	if err != nil {
		return nil, err
	}
	if url == "" {
		url = "sqlite:" + filepath.Join(dir, "data", "kithline.db")
	}
	s = &site{url: url, key: filepath.Join(dir, "kithline.key")}
	s.env = []string{"KITHLINE_DATABASE_URL=" + url, "KITHLINE_DATA_DIR=" + filepath.Join(dir, "data"), "KITHLINE_KEY_FILE=" + s.key}
	cfg, err := config.Load(s.env)
	if err != nil {
		return nil, err
	}
	mail := mailer.NewMemory()
	a, err := app.Build(ctx, cfg, app.Options{Transport: mail})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if err := a.Organisation.Update(ctx, actor.TheSystem(), organisation.Details{
		Name: "Wennick Chronic Pain Coalition", ShortName: "WCPC", LegalName: "Wennick Chronic Pain Coalition", PostalAddress: "12 Ferry Street\nHarrow Bay",
		FromAddress: "hello@act.example.org", ReplyTo: "hello@act.example.org", TimeZone: "America/New_York", Languages: []string{"en", "es"}, Accent: "#1c5c4d",
		CrisisLine: "If you might hurt yourself, call your local emergency number.", MinimumAge: "You must be 16 or older to sign.",
	}); err != nil {
		return nil, err
	}
	if _, err := a.Users.CreateOwner(ctx, actor.TheSystem(), users.Visit{}, users.Person{Name: "Ilse Halvorsen", Email: "ilse@example.org", Password: "a calm afternoon", Locale: "en"}); err != nil {
		return nil, err
	}
	accounts, err := a.Users.List(ctx, actor.TheSystem())
	if err != nil {
		return nil, err
	}
	owner := actor.Actor{Kind: actor.User, UserID: accounts[0].ID, Role: actor.Owner}
	p, err := a.Petitions.Create(ctx, owner, petitions.CreateInput{Draft: petitions.Draft{
		Title: "Twenty visits: let people in pain get the care their doctor ordered", Summary: "We ask the House Health Committee to pass HB 412. You can sign without showing your name.",
		Body:    "Most plans stop after six or eight visits.\n\n1. Cover **20 visits a year** of physical therapy.\n2. Answer exceptions **within 72 hours**.\n\nPlease bring [HB 412](https://example.org/hb412) to a vote.",
		Decider: "The Chair of the House Health Committee", WhyNow: "The hearing is on 16 March.", SystemChange: "Insurers stop at eight visits. The law sets no lower limit.",
		Place: "Wennick", Goal: 5_000_000, Locale: "en",
	}})
	if err == nil {
		p, err = a.Petitions.Submit(ctx, owner, p.ID, p.Revision)
	}
	if err == nil {
		p, err = a.Petitions.Publish(ctx, owner, p.ID, p.Revision)
	}
	if err != nil {
		return nil, err
	}
	s.petition = p
	if err := people(ctx, a, mail, owner, p, signers); err != nil {
		return nil, err
	}
	_, err = a.Deliveries.Drain(ctx) // no mail of the making is left for the measuring
	return s, err
}

var confirmLink = regexp.MustCompile(`/confirm/([A-Za-z0-9_-]+)`)

// people lets n people sign, confirm and comment.
func people(ctx context.Context, a *app.App, mail *mailer.Memory, owner actor.Actor, p models.Petition, n int) error {
	for i := range n {
		_, err := a.Petitions.Sign(ctx, petitions.SignInput{
			Slug: p.Slug, GivenName: "June", FamilyName: "Okafor", Email: fmt.Sprintf("signer%d@example.org", i), PostalCode: "10203", Display: "name", Locale: "en",
			Comment: fmt.Sprintf("After visit %d I did the exercises from a sheet of paper. It was not the same.", i),
		})
		if err != nil {
			return err
		}
	}
	if _, err := a.Deliveries.Drain(ctx); err != nil {
		return err
	}
	for _, m := range mail.Messages() {
		if link := confirmLink.FindString(m.Text); link != "" {
			if _, err := a.Petitions.Confirm(ctx, path.Base(link), nil); err != nil {
				return err
			}
		}
	}
	comments, _, err := a.Petitions.CommentQueue(ctx, owner, p.ID)
	if err != nil {
		return err
	}
	for _, c := range comments {
		if err := a.Petitions.JudgeComment(ctx, owner, p.ID, c.ID, true); err != nil {
			return err
		}
	}
	if len(comments) < min(n, 1) {
		return errors.New("nobody's comment waits")
	}
	return nil
}
