package mailings_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/mailings"
	"kithline/campaigns/paging"
	"kithline/campaigns/segments"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// person makes a supporter with a mailbox for each address; the first is verified last.
func (w *world) person(chapter *uuid.UUID, f models.Frequency, addresses ...string) (uuid.UUID, []uuid.UUID) {
	w.t.Helper()
	p := models.Supporter{ID: models.NewID(), Locale: "en", Frequency: f, ChapterID: chapter, CreatedAt: start, UpdatedAt: start}
	p.GivenNameSealed = w.vault.Seal("supporters", "given_name_sealed", p.ID, "Person"+addresses[0][:1])
	w.must(w.db.Create(&p).Error)
	var boxes []uuid.UUID
	for i, a := range addresses {
		box := w.mailbox(a)
		w.must(w.db.Model(&models.Mailbox{}).Where("id = ?", box).Updates(map[string]any{"supporter_id": p.ID, "verified_at": start.Add(-time.Duration(i) * time.Hour)}).Error)
		boxes = append(boxes, box)
	}
	return p.ID, boxes
}

func (w *world) newsletter(box, topic uuid.UUID) {
	w.t.Helper()
	w.must(consents.Give(ctx, w.db.DB, consents.Given{
		MailboxID: box, Purpose: models.PurposeNewsletter, ScopeID: topic, TextID: w.text.ID, Locale: "en", ShownAt: start, Source: "/join", How: models.ConsentByMail,
	}, w.clk.Now()))
}

func (w *world) chapter(slug string) *uuid.UUID {
	w.t.Helper()
	c := models.Chapter{ID: models.NewID(), Slug: slug, Name: slug, CreatedAt: start, UpdatedAt: start}
	w.must(w.db.Create(&c).Error)
	return &c.ID
}

func (w *world) tagged(name string, people ...uuid.UUID) segments.Rule {
	w.t.Helper()
	g := models.Tag{ID: models.NewID(), Name: name, NameKey: name, CreatedAt: start}
	w.must(w.db.Create(&g).Error)
	for _, p := range people {
		w.must(w.db.Create(&models.Tagging{SupporterID: p, TagID: g.ID, CreatedAt: start}).Error)
	}
	return segments.Rule{Root: segments.Node{Kind: segments.Group, Match: segments.All, Items: []segments.Node{{Kind: "tag", Values: map[string]string{"tag": g.ID.String()}}}}}
}

// TestNewsletterReachesExactlyItsReaders: a newsletter, narrowed by a segment, written by a chapter's account. Every reason why
// somebody does not get it is there, and they add up.
func TestNewsletterReachesExactlyItsReaders(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		now := clock.System.Now() // pauses are by the database's clock
		north, south := w.chapter("north"), w.chapter("south")
		topic := models.Topic{ID: models.NewID(), Slug: "research", Name: "Research", CreatedAt: start, UpdatedAt: start}
		w.must(db.Create(&topic).Error)
		var all []uuid.UUID
		join := func(chapter *uuid.UUID, f models.Frequency, addresses ...string) (uuid.UUID, []uuid.UUID) {
			id, boxes := w.person(chapter, f, addresses...)
			for _, b := range boxes {
				w.newsletter(b, topic.ID)
			}
			all = append(all, id)
			return id, boxes
		}
		join(north, "", "a-late@example.org", "a-first@example.org") // two addresses, one copy
		join(north, "", "b@example.org")
		join(south, "", "south@example.org") // of another chapter
		join(nil, "", "nochapter@example.org")
		_, left := join(north, "", "left@example.org")
		_, err := consents.Withdraw(ctx, db.DB, left[0], models.PurposeNewsletter, topic.ID, "page", start)
		w.must(err)
		_, bounced := join(north, "", "bounced@example.org")
		w.must(mailboxes.Suppress(ctx, db.DB, bounced[0], models.SuppressedBounce, start))
		_, paused := join(north, "", "paused@example.org")
		w.must(db.Model(&models.Mailbox{}).Where("id = ?", paused[0]).Update("paused_until", now.Add(time.Hour)).Error)
		_, often := join(north, models.Weekly, "weekly@example.org")
		earlier := models.Mailing{ID: models.NewID(), Purpose: models.PurposeNewsletter, Subject: "Last week", State: models.MailingFinished, CreatedAt: start, UpdatedAt: start}
		w.must(db.Create(&earlier).Error)
		got := models.Delivery{
			ID: models.NewID(), Kind: mailings.KindMailing, MailboxID: often[0], SubjectID: earlier.ID, MailingID: &earlier.ID, Purpose: models.PurposeNewsletter, ScopeID: topic.ID,
			DedupeKey: "earlier", State: models.DeliverySent, OnUnknown: models.Park, NotBefore: start, CreatedAt: w.clk.Now().AddDate(0, 0, -3), UpdatedAt: start,
		}
		w.must(db.Create(&got).Error)
		// Agreed to the whole newsletter, or to updates on a campaign: neither is a yes to this topic.
		_, whole := w.person(north, "", "whole@example.org")
		w.newsletter(whole[0], uuid.Nil)
		_, updates := w.person(north, "", "updates@example.org")
		w.consent(updates[0])
		tagged := w.tagged("in", all...)
		outside, _ := join(north, "", "outside@example.org")

		svc := segments.New(db, w.vault, w.clk)
		organizer := w.user
		organizer.ChapterID = *north
		elsewhere := w.user
		elsewhere.ChapterID = *south
		segment, err := svc.Create(ctx, organizer, segments.Input{Name: "In", Rule: tagged})
		w.must(err)

		id, err := w.svc.CreateTo(ctx, organizer, mailings.To{Newsletter: true, TopicID: topic.ID})
		w.must(err)
		draft := mailings.Draft{Revision: 1, Newsletter: true, TopicID: topic.ID, SegmentID: segment, Subject: "What we found", Body: "Hello {{given_name|friend}}."}
		revision, err := w.svc.Save(ctx, organizer, id, draft)
		w.must(err)
		_, a, err := w.svc.Checks(ctx, organizer, id)
		w.must(err)
		if want := (mailings.Audience{All: 6, People: 2, WithoutConsent: 1, Suppressed: 1, Paused: 1, TooSoon: 1}); a != want {
			t.Errorf("audience %+v, want %+v", a, want)
		}
		if a.All != a.People+a.Already+a.Excluded+a.Outside+a.WithoutConsent+a.Suppressed+a.Paused+a.TooSoon+a.Often {
			t.Errorf("the numbers do not add up: %+v", a)
		}

		// Another chapter's organizer neither sees nor sends it, and cannot use its segment.
		for name, err := range map[string]error{
			"get":    func() error { _, err := w.svc.Get(ctx, elsewhere, id); return err }(),
			"send":   w.svc.Send(ctx, elsewhere, id, revision),
			"stop":   w.svc.Stop(ctx, elsewhere, id),
			"save":   func() error { _, err := w.svc.Save(ctx, elsewhere, id, draft); return err }(),
			"report": func() error { _, err := w.svc.Report(ctx, elsewhere, id); return err }(),
		} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s by another chapter: %v", name, err)
			}
		}
		if list, err := w.svc.List(ctx, elsewhere, paging.Cursor{}); err != nil || len(list.Rows) != 0 {
			t.Errorf("another chapter lists %d, %v", len(list.Rows), err)
		}
		if _, err := w.svc.CreateTo(ctx, elsewhere, mailings.To{Newsletter: true, TopicID: topic.ID, SegmentID: segment}); !fault.Is(err, fault.Invalid) {
			t.Errorf("another chapter's segment: %v", err)
		}

		w.must(w.svc.Send(ctx, organizer, id, revision))
		w.must(w.svc.Freeze(ctx, id))
		w.must(w.svc.Freeze(ctx, id)) // again is no second time
		w.drain()
		if to := w.to(); !slices.Equal(to, []string{"a-first@example.org", "b@example.org"}) {
			t.Errorf("it went to %v", to)
		}
		for _, m := range w.wire.Messages() {
			if !strings.Contains(m.Text, "Hello Person") || !strings.Contains(m.Text, "Research") {
				t.Errorf("to %s: %s", m.To, m.Text)
			}
		}
		_ = outside
	})
}

// TestPausedAfterFreezing: who pauses all mail between the freezing and the sending gets nothing, and the report says so.
func TestPausedAfterFreezing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		boxes := w.signers(3)
		id := w.draft()
		w.send(id)
		w.must(db.Model(&models.Mailbox{}).Where("id = ?", boxes[1]).Update("paused_until", clock.System.Now().Add(time.Hour)).Error)
		w.drain()
		p := w.progress(id)
		if p.Sent != 2 || p.Paused != 1 || p.Left != 0 || len(w.to()) != 2 {
			t.Errorf("%+v to %v", p, w.to())
		}
	})
}

// TestNewsletterHasNoPetition: the words of a petition stop a newsletter, and what a form could send by hand is refused.
func TestNewsletterHasNoPetition(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		_, boxes := w.person(nil, "", "a@example.org")
		w.newsletter(boxes[0], uuid.Nil)
		id, err := w.svc.CreateTo(ctx, w.user, mailings.To{Newsletter: true})
		w.must(err)
		draft := mailings.Draft{Revision: 1, Newsletter: true, Subject: "News", Body: "One\n\nRead {{petition_url}}."}
		revision, err := w.svc.Save(ctx, w.user, id, draft)
		w.must(err)
		checks, a, err := w.svc.Checks(ctx, w.user, id)
		w.must(err)
		if a.People != 1 || checks.Count(mailings.Stop) != 1 || checks[0].Key != "error.merge_no_petition" {
			t.Errorf("%+v %+v", a, checks)
		}
		if err := w.svc.Send(ctx, w.user, id, revision); key(err) != "error.check_fields" {
			t.Errorf("sent all the same: %v", err)
		}
		for name, d := range map[string]mailings.Draft{
			"an unknown topic":    {Revision: revision, Newsletter: true, TopicID: models.NewID()},
			"an unknown segment":  {Revision: revision, Newsletter: true, SegmentID: models.NewID()},
			"an unknown language": {Revision: revision, Newsletter: true, Locale: "xx"},
			"nothing":             {Revision: revision},
		} {
			if _, err := w.svc.Save(ctx, w.user, id, d); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		coordinator := actor.Actor{Kind: actor.User, Role: actor.Coordinator}
		if _, err := w.svc.CreateTo(ctx, coordinator, mailings.To{Newsletter: true}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("a coordinator writes: %v", err)
		}
	})
}
