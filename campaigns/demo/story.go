package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/imports"
	"kithline/campaigns/mailings"
	"kithline/campaigns/organisation"
	"kithline/campaigns/petitions"
	"kithline/campaigns/posts"
	"kithline/campaigns/tokens"
	"kithline/campaigns/users"
	"kithline/models"
)

// The people of the story who act on the site, by their ids there.
const (
	ilse = "p-ilse" // owner
	june = "p-june" // organizer: reads what comes in
)

// plan writes the diary: who does what, and when.
func (b *builder) plan() (err error) {
	if b.w.Signatures < fewest {
		return fmt.Errorf("demo: a world needs at least %d signatures", fewest)
	}
	o := b.w.story.Organisation
	if b.zone, err = time.LoadLocation(o.TimeZone); err != nil {
		return err
	}
	y, m, d := b.now.In(b.zone).Date()
	b.start = time.Date(y, m, d-days, 0, 0, 0, 0, b.zone)
	b.facts = datesFrom(b.now.In(b.zone), b.start)

	b.note(b.day(-3, 9, 0), "setting up", b.setUp)
	b.note(b.day(-3, 14, 0), "drafting the petition", b.draft)
	b.note(b.day(-1, 10, 20), "submitting the petition", b.submit)
	b.note(b.day(0, 9, 0), "publishing the petition", b.publish)
	for _, g := range b.groups() {
		b.note(g.at, "signing", func(ctx context.Context) error { return b.sign(ctx, g) })
	}
	b.planHouse()
	b.planJoining()
	b.planLetters()
	b.planRosters()
	if err := b.planVolunteers(); err != nil {
		return err
	}
	b.planEvents()
	b.planMeetings()
	for d := range days + 1 {
		b.note(b.day(d, readHour, readMinute), "reading comments", func(ctx context.Context) error { return b.read(ctx, june) })
	}
	for _, u := range b.w.story.Updates {
		b.note(b.day(u.Day, 9, 40), "posting an update", func(ctx context.Context) error {
			_, err := b.Posts.PostUpdate(ctx, b.actors[u.Author], b.petition.ID, posts.UpdateInput{Title: u.Title, Body: b.facts.put(u.Body)})
			return err
		})
	}
	b.note(b.day(b.w.story.Import.Day, 15, 10), "importing a list", b.importList)
	for i, mail := range b.w.story.Mailings {
		b.note(b.day(mail.Day, 8, 5), "writing a mailing", func(ctx context.Context) error { return b.write(ctx, i) })
		for n := range left {
			b.note(b.day(mail.Day, 10, 15+97*n), "leaving the list", func(ctx context.Context) error { return b.leave(ctx, i, n) })
		}
	}
	for i, p := range b.w.story.Petitions {
		b.note(b.now.AddDate(0, 0, -p.DaysAgo).Add(-50*time.Minute), "another petition", func(ctx context.Context) error { return b.another(ctx, i) })
	}
	b.note(b.day(days-2, 16, 0), "an invitation", func(ctx context.Context) error {
		in := b.w.story.Invitation
		if _, err := b.Users.Invite(ctx, b.actors[ilse], in.Email, actor.Role(in.Role), uuid.Nil); err != nil {
			return err
		}
		return b.deliver(ctx)
	})
	b.note(b.now, "the end", func(ctx context.Context) error {
		if err := b.Deliveries.Recover(ctx); err != nil {
			return err
		}
		return b.deliver(ctx)
	})
	return nil
}

// setUp is what the setup pages do.
func (b *builder) setUp(ctx context.Context) error {
	if err := b.mark(ctx, begun); err != nil {
		return err
	}
	if _, err := b.Organisation.Ensure(ctx); err != nil {
		return err
	}
	system, o := actor.TheSystem(), b.w.story.Organisation
	err := b.Organisation.Update(ctx, system, organisation.Details{
		Name: o.Name, ShortName: o.ShortName, LegalName: o.LegalName, PostalAddress: o.PostalAddress, Phone: o.Phone, FromName: o.FromName,
		FromAddress: o.FromAddress, ReplyTo: o.ReplyTo, TimeZone: o.TimeZone, Languages: o.Languages, Accent: o.Accent, CrisisLine: o.CrisisLine,
		MinimumAge: o.MinimumAge,
	})
	if err != nil {
		return err
	}
	limits := models.DefaultLimits()
	limits.QuietFrom, limits.QuietTo = 0, 0 // nobody sleeps here: what a visitor sends is in the outbox at once
	if err := b.Deliverability.SetLimits(ctx, system, limits); err != nil {
		return err
	}
	for _, a := range b.w.story.Accounts {
		name := ""
		for _, p := range b.w.story.People {
			if p.ID == a.Person {
				name = p.Name
			}
		}
		if a.Chapter != "" && len(b.chapters) == 0 {
			if err := b.makeChapters(ctx); err != nil {
				return err
			}
		}
		chapter := b.chapters[a.Chapter]
		id, err := b.Users.Add(ctx, system, users.NewUser{Name: name, Email: a.Email, Role: actor.Role(a.Role), ChapterID: chapter, Locale: a.Locale})
		if err != nil {
			return err
		}
		b.actors[a.Person] = actor.Actor{Kind: actor.User, UserID: id, Role: actor.Role(a.Role), ChapterID: chapter}
	}
	return b.Organisation.KeepRecoverySheet(ctx, b.actors[ilse])
}

func (b *builder) words(t text) petitions.Draft {
	return petitions.Draft{
		Title: t.Title, Summary: b.facts.put(t.Summary), Body: b.facts.put(t.Body), Decider: t.Decider, WhyNow: b.facts.put(t.WhyNow),
		SystemChange: t.SystemChange, Place: t.Place, Goal: t.Goal, Locale: t.Locale,
	}
}

// draft begins the petition and saves it again once it says everything.
func (b *builder) draft(ctx context.Context) (err error) {
	p := b.w.story.Petition
	whole := b.words(p.text)
	first := petitions.Draft{Title: whole.Title, Summary: whole.Summary, Locale: whole.Locale}
	if b.petition, err = b.Petitions.Create(ctx, b.actors[p.LaunchedBy], petitions.CreateInput{Draft: first}); err != nil {
		return err
	}
	b.petition, err = b.Petitions.Save(ctx, b.actors[p.LaunchedBy], b.petition.ID, petitions.SaveInput{Draft: whole, Revision: b.petition.Revision})
	return err
}

func (b *builder) submit(ctx context.Context) (err error) {
	if b.petition, err = b.Petitions.Submit(ctx, b.actors[b.w.story.Petition.LaunchedBy], b.petition.ID, b.petition.Revision); err != nil {
		return err
	}
	return b.deliver(ctx)
}

func (b *builder) publish(ctx context.Context) (err error) {
	if b.petition, err = b.Petitions.Publish(ctx, b.actors[ilse], b.petition.ID, b.petition.Revision); err != nil {
		return err
	}
	return b.deliver(ctx)
}

// another makes a petition that is not public: a draft, one that waits to be read, or one that came back.
func (b *builder) another(ctx context.Context, i int) error {
	in := b.w.story.Petitions[i]
	author := b.actors[in.Author]
	var p models.Petition
	var err error
	if in.Author == "" {
		p, author, err = b.started(ctx, i)
	} else {
		p, err = b.Petitions.Create(ctx, author, petitions.CreateInput{Draft: b.words(in.text)})
	}
	if err != nil || in.State == "draft" {
		return err
	}
	b.forward(b.clk.Now().Add(25 * time.Minute))
	if p, err = b.Petitions.Submit(ctx, author, p.ID, p.Revision); err != nil {
		return err
	}
	if err := b.deliver(ctx); err != nil {
		return err
	}
	if in.State == "returned" {
		b.forward(b.clk.Now().Add(20 * time.Minute))
		if _, err := b.Petitions.Return(ctx, b.actors[june], p.ID, petitions.ReturnInput{Reason: in.Reason, Text: in.Text, Revision: p.Revision}); err != nil {
			return err
		}
	}
	return b.deliver(ctx)
}

// started begins a petition without an account, by the form, the mailed link and the form again, and returns who acts from then on.
func (b *builder) started(ctx context.Context, i int) (models.Petition, actor.Actor, error) {
	in := b.w.story.Petitions[i]
	whole := b.words(in.text)
	begun, err := b.Petitions.Start(ctx, "", petitions.StartInput{
		Draft: petitions.Draft{Title: whole.Title, Locale: whole.Locale}, Name: in.Starter.Name, Email: in.Starter.Email, ShowName: true, Language: whole.Locale,
	})
	if err != nil {
		return models.Petition{}, actor.Actor{}, err
	}
	if err := b.deliver(ctx); err != nil {
		return models.Petition{}, actor.Actor{}, err
	}
	b.forward(b.clk.Now().Add(5 * time.Minute))
	p := begun.Petition
	var st models.PetitionStarter
	if err := b.DB.WithContext(ctx).Where("petition_id = ?", p.ID).Take(&st).Error; err != nil {
		return p, actor.Actor{}, err
	}
	_, cookie, err := b.Petitions.TakeUp(ctx, begun.Cookie, b.Signer.Make(tokens.Starter, st.ID, b.clk.Now().Add(petitions.StarterFor)), "", false)
	if err != nil {
		return p, actor.Actor{}, err
	}
	who, err := b.Petitions.Starter(ctx, cookie, p.ID)
	if err != nil {
		return p, who, err
	}
	whole.Claims = []petitions.Claim{{Claim: in.Fact.Says, SourceTitle: in.Fact.Source, SourceURL: in.Fact.URL}}
	p, err = b.Petitions.Save(ctx, who, p.ID, petitions.SaveInput{Draft: whole, Revision: p.Revision})
	return p, who, err
}

func (b *builder) importList(ctx context.Context) error {
	in := b.w.story.Import
	_, err := b.Imports.Run(ctx, b.actors[june], strings.NewReader(b.facts.put(b.w.list)), imports.RunOptions{
		Locale: "en", Basis: imports.Basis{Purpose: models.PurposeNewsletter, Text: in.Words, Source: in.Source + ", " + b.facts.agreed.Format("2 January 2006")},
	}, nil)
	return err
}

// write makes a mailing and sends it, if it was sent.
func (b *builder) write(ctx context.Context, i int) error {
	in := b.w.story.Mailings[i]
	who := b.actors[in.Author]
	id, err := b.Mailings.Create(ctx, who, b.petition.ID)
	if err != nil {
		return err
	}
	b.forward(b.clk.Now().Add(20 * time.Minute))
	m, err := b.Mailings.Get(ctx, who, id)
	if err != nil {
		return err
	}
	revision, err := b.Mailings.Save(ctx, who, id, mailings.Draft{
		Revision: m.Revision, PetitionID: b.petition.ID, Subject: b.facts.put(in.Subject), Preheader: b.facts.put(in.Preheader), Body: b.facts.put(in.Body),
	})
	if err != nil || !in.Send {
		return err
	}
	b.forward(b.clk.Now().Add(5 * time.Minute))
	if err := b.Deliveries.Recover(ctx); err != nil {
		return err
	}
	if err := b.Mailings.Send(ctx, who, id, revision); err != nil {
		return err
	}
	b.mailing = id
	b.forward(b.clk.Now().Add(time.Minute))
	if err := b.Mailings.Freeze(ctx, id); err != nil { // its job finds nothing to do any more
		return err
	}
	if err := b.deliver(ctx); err != nil {
		return err
	}
	b.forward(b.clk.Now().Add(4 * time.Minute))
	return b.Mailings.Tidy(ctx)
}

// left is how many people left the list after the mailing.
const left = 7

// leave ends the subscription of somebody who got the mailing, by the link in it.
func (b *builder) leave(ctx context.Context, i, n int) error {
	if !b.w.story.Mailings[i].Send {
		return nil
	}
	var ids []uuid.UUID
	err := b.DB.WithContext(ctx).Model(&models.Delivery{}).Where("mailing_id = ? AND state = ?", b.mailing, models.DeliverySent).
		Order("mailbox_id").Offset(n*3).Limit(1).Pluck("id", &ids).Error
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return fmt.Errorf("the mailing reached too few people")
	}
	how := []string{mailings.ByOneClick, mailings.ByPage}
	_, err = b.Mailings.Unsubscribe(ctx, b.Signer.MakeForever(tokens.Unsubscribe, ids[0]), how[n%len(how)])
	return err
}
