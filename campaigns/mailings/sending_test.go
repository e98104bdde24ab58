package mailings_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/mailings"
	"kithline/campaigns/paging"
	"kithline/campaigns/segments"
	"kithline/campaigns/tokens"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// reader makes a supporter who agreed to the lists, and returns the record and the mailbox.
func (w *world) reader(address string, lists ...uuid.UUID) (uuid.UUID, uuid.UUID) {
	w.t.Helper()
	id, boxes := w.person(nil, "", address)
	for _, l := range lists {
		w.newsletter(boxes[0], l)
	}
	return id, boxes[0]
}

func (w *world) topic(name string) uuid.UUID {
	w.t.Helper()
	t := models.Topic{ID: models.NewID(), Slug: name, Name: name, CreatedAt: start, UpdatedAt: start}
	w.must(w.db.Create(&t).Error)
	return t.ID
}

func (w *world) segment(name string, people ...uuid.UUID) uuid.UUID {
	w.t.Helper()
	id, err := segments.New(w.db, w.vault, w.clk).Create(ctx, w.user, segments.Input{Name: name, Rule: w.tagged(name, people...)})
	w.must(err)
	return id
}

// letter makes a newsletter that can be sent.
func (w *world) letter(topic uuid.UUID) uuid.UUID {
	w.t.Helper()
	id, err := w.svc.CreateTo(ctx, w.user, mailings.To{Newsletter: true, TopicID: topic})
	w.must(err)
	_, err = w.svc.Save(ctx, w.user, id, mailings.Draft{Revision: 1, Newsletter: true, TopicID: topic, Subject: "News", Body: "Hello {{given_name|friend}}."})
	w.must(err)
	return id
}

func (w *world) mailing(id uuid.UUID) models.Mailing {
	w.t.Helper()
	m, err := w.svc.Get(ctx, w.user, id)
	w.must(err)
	return m
}

func (w *world) choose(id uuid.UUID, c mailings.Chosen) {
	w.t.Helper()
	_, err := w.svc.SetAudience(ctx, w.user, id, w.mailing(id).Revision, c)
	w.must(err)
}

func (w *world) start(id uuid.UUID, p mailings.Plan) error {
	w.t.Helper()
	return w.svc.Start(ctx, w.user, id, w.mailing(id).Revision, p)
}

func (w *world) deliveries(id uuid.UUID) []models.Delivery {
	w.t.Helper()
	var out []models.Delivery
	w.must(w.db.Where("mailing_id = ?", id).Order("id").Find(&out).Error)
	return out
}

// TestAudienceOfSegmentsAndTopics: people of any of several segments and none of others, who agreed to any of several topics; each
// counted once, by the first reason why they do not get it, and the numbers add up to what is frozen.
func TestAudienceOfSegmentsAndTopics(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		research, policy, other := w.topic("research"), w.topic("policy"), w.topic("other")
		both, _ := w.reader("both@example.org", research, policy)
		first, _ := w.reader("first@example.org", research)
		second, secondBox := w.reader("second@example.org", policy)
		none, _ := w.reader("none@example.org", other)
		two, boxes := w.person(nil, "", "twoa@example.org", "twob@example.org") // agreed to one topic at each address
		w.newsletter(boxes[0], policy)
		w.newsletter(boxes[1], research)
		out, _ := w.reader("out@example.org", research)
		gone, goneBox := w.reader("gone@example.org", research)
		w.must(mailboxes.Suppress(ctx, db.DB, goneBox, models.SuppressedBounce, start))
		left, leftBox := w.reader("left@example.org", policy)
		_, err := consents.Withdraw(ctx, db.DB, leftBox, models.PurposeNewsletter, policy, "page", start)
		w.must(err)
		silent := models.Supporter{ID: models.NewID(), Locale: "en", CreatedAt: start, UpdatedAt: start} // without any address
		w.must(db.Create(&silent).Error)
		rare, _ := w.reader("rare@example.org", research)
		w.must(db.Model(&models.Supporter{}).Where("id = ?", rare).Update("frequency", models.Important).Error)
		w.reader("elsewhere@example.org", research) // in no segment

		a := w.segment("a", both, first, none, two, out, gone, silent.ID, rare)
		b := w.segment("b", both, second, left)
		x := w.segment("x", out, second)
		y := w.segment("y", out)

		id := w.letter(research)
		w.choose(id, mailings.Chosen{In: []uuid.UUID{a, b}, Out: []uuid.UUID{y}, Topics: []uuid.UUID{research, policy}})
		want := mailings.Audience{All: 10, People: 4, Excluded: 1, Suppressed: 2, WithoutConsent: 2, TooSoon: 1}
		_, got, err := w.svc.Checks(ctx, w.user, id)
		w.must(err)
		if got != want {
			t.Errorf("audience %+v, want %+v", got, want)
		}
		sum := got.People
		for _, p := range got.Parts() {
			sum += p.Count
		}
		if sum != got.All {
			t.Errorf("the parts add up to %d of %d", sum, got.All)
		}
		// What matters most reaches those too who want nothing else; leaving out wins over letting in.
		w.choose(id, mailings.Chosen{In: []uuid.UUID{a, b}, Out: []uuid.UUID{x}, Topics: []uuid.UUID{research, policy}, Important: true})
		w.send(id)
		if m := w.mailing(id); m.AudienceCount != 4 {
			t.Errorf("%d frozen", m.AudienceCount)
		}
		r, err := w.svc.Report(ctx, w.user, id)
		w.must(err)
		if want = (mailings.Audience{All: 10, People: 4, Excluded: 2, Suppressed: 2, WithoutConsent: 2}); r.Frozen != want {
			t.Errorf("frozen %+v, want %+v", r.Frozen, want)
		}
		scopes := map[uuid.UUID]uuid.UUID{}
		for _, d := range w.deliveries(id) {
			scopes[d.MailboxID] = d.ScopeID
			if d.Purpose != models.PurposeNewsletter || d.Kind != mailings.KindMailing || d.SubjectID != id || d.Priority != models.PriorityBulk || d.OnUnknown != models.Park ||
				d.State != models.DeliveryQueued || !d.CreatedAt.Equal(start) || !d.NotBefore.Equal(start) || d.Attempt != 0 || d.ExpiresAt != nil || d.SentAt != nil || d.LeaseUntil != nil || d.ID.Version() != 7 {
				t.Errorf("frozen as %+v", d)
			}
			if want := "m/" + strings.ReplaceAll(id.String(), "-", "") + "/" + strings.ReplaceAll(d.MailboxID.String(), "-", ""); d.DedupeKey != want {
				t.Errorf("key %s, not %s", d.DedupeKey, want)
			}
		}
		if scopes[boxes[1]] != research || scopes[boxes[0]] != uuid.Nil || scopes[secondBox] != uuid.Nil || len(scopes) != 4 {
			t.Errorf("%v", scopes) // of two addresses the one that agreed to the first topic
		}
		w.drain()
		if to := w.to(); !slices.Equal(to, []string{"both@example.org", "first@example.org", "rare@example.org", "twob@example.org"}) {
			t.Errorf("it went to %v", to)
		}
	})
}

// TestFurtherTopicIsNamed: a copy says by which topic its reader gets it, and its link ends that one.
func TestFurtherTopicIsNamed(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		research, policy := w.topic("research"), w.topic("policy")
		_, box := w.reader("p@example.org", policy)
		id := w.letter(research)
		w.choose(id, mailings.Chosen{Topics: []uuid.UUID{policy, research}})
		if m := w.mailing(id); m.ScopeID != research {
			t.Fatal("the first topic is another")
		}
		w.send(id)
		w.drain()
		m := w.wire.Messages()[0]
		if !strings.Contains(m.Text, "mailings.reason_topic") || !strings.Contains(m.Text, "About policy") {
			t.Errorf("the reason: %s", m.Text)
		}
		token := m.UnsubscribeURL[strings.LastIndex(m.UnsubscribeURL, "/")+1:]
		if v, err := w.svc.Unsubscribe(ctx, token, mailings.ByOneClick); err != nil || v.About != "policy" || v.Active {
			t.Errorf("%+v, %v", v, err)
		}
		var n int64
		w.must(db.Table("mailable").Where("mailbox_id = ?", box).Count(&n).Error)
		if n != 0 {
			t.Error("still subscribed")
		}
	})
}

// TestChoosingAnAudience: what cannot be chosen is said at its field, and nothing is lost or changed by it.
func TestChoosingAnAudience(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		someone, _ := w.reader("a@example.org", uuid.Nil)
		research := w.topic("research")
		a, b := w.segment("a", someone), w.segment("b", someone)
		id := w.letter(uuid.Nil)
		at := w.mailing(id)
		for name, c := range map[string]struct {
			chosen mailings.Chosen
			field  string
		}{
			"an unknown segment":      {mailings.Chosen{In: []uuid.UUID{models.NewID()}, Topics: []uuid.UUID{uuid.Nil}}, "in"},
			"an unknown one left out": {mailings.Chosen{Out: []uuid.UUID{uuid.Max}, Topics: []uuid.UUID{uuid.Nil}}, "out"},
			"one let in and left out": {mailings.Chosen{In: []uuid.UUID{a}, Out: []uuid.UUID{a}, Topics: []uuid.UUID{uuid.Nil}}, "out"},
			"no topic":                {mailings.Chosen{}, "topics"},
			"an unknown topic":        {mailings.Chosen{Topics: []uuid.UUID{models.NewID()}}, "topics"},
			"more segments than it has": {mailings.Chosen{In: slices.Repeat([]uuid.UUID{a}, 1), Topics: slices.Collect(func(yield func(uuid.UUID) bool) {
				for range 30 {
					yield(models.NewID())
				}
			})}, "topics"},
		} {
			_, err := w.svc.SetAudience(ctx, w.user, id, at.Revision, c.chosen)
			var f *fault.Error
			if !fault.Is(err, fault.Invalid) || !asFault(err, &f) || len(f.Fields) == 0 || f.Fields[0].Name != c.field {
				t.Errorf("%s: %v", name, err)
			}
		}
		if m := w.mailing(id); m.Revision != at.Revision || m.SegmentID != nil {
			t.Errorf("changed by a refusal: %+v", m)
		}
		w.choose(id, mailings.Chosen{In: []uuid.UUID{a}, Out: []uuid.UUID{b}, Topics: []uuid.UUID{research, uuid.Nil}, Important: true})
		c, err := w.svc.Choices(ctx, w.user, id)
		w.must(err)
		if !slices.Equal(c.Chosen.In, []uuid.UUID{a}) || !slices.Equal(c.Chosen.Out, []uuid.UUID{b}) || !slices.Equal(c.Chosen.Topics, []uuid.UUID{uuid.Nil, research}) || !c.Chosen.Important {
			t.Errorf("%+v", c.Chosen)
		}
		if _, err := w.svc.SetAudience(ctx, w.user, id, at.Revision, c.Chosen); key(err) != "error.mailing_changed" {
			t.Errorf("over somebody else's choice: %v", err)
		}
		// Archived since, it still holds.
		w.must(db.Model(&models.Segment{}).Where("id IN ?", []uuid.UUID{a, b}).Update("archived_at", start).Error)
		w.choose(id, c.Chosen)
		if c, err = w.svc.Choices(ctx, w.user, id); err != nil || len(c.Segments) != 2 {
			t.Errorf("%+v, %v", c.Segments, err)
		}
		for _, who := range []actor.Actor{{}, {Kind: actor.User, Role: actor.Viewer}, {Kind: actor.User, Role: actor.Coordinator}} {
			if _, err := w.svc.SetAudience(ctx, who, id, 1, c.Chosen); !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("by %v: %v", who, err)
			}
			if _, err := w.svc.Choices(ctx, who, id); !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("read by %v: %v", who, err)
			}
		}
	})
}

func asFault(err error, f **fault.Error) bool {
	for err != nil {
		if e, ok := err.(*fault.Error); ok {
			*f = e
			return true
		}
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return false
		}
		err = u.Unwrap()
	}
	return false
}

// TestCap: nobody gets more mailings in so many days than the organisation allows, whatever they are about.
func TestCap(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for _, who := range []actor.Actor{{}, w.user} {
			if err := w.svc.SetCap(ctx, who, mailings.Cap{Most: 1, Days: 7}); !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("set by %v: %v", who.Role, err)
			}
		}
		owner := actor.Actor{Kind: actor.User, Role: actor.Owner, UserID: w.user.UserID}
		for _, c := range []mailings.Cap{{Most: -1, Days: 7}, {Most: 101, Days: 7}, {Most: 1}, {Most: 1, Days: 91}} {
			if err := w.svc.SetCap(ctx, owner, c); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v", c, err)
			}
		}
		w.must(w.svc.SetCap(ctx, owner, mailings.Cap{Most: 2, Days: 7}))
		w.reader("r@example.org", uuid.Nil)
		box := w.signers(1)[0]
		w.newsletter(box, uuid.Nil)
		count := func(id uuid.UUID) mailings.Audience {
			_, a, err := w.svc.Checks(ctx, w.user, id)
			w.must(err)
			return a
		}
		first, second, third := w.draft(), w.letter(uuid.Nil), w.letter(uuid.Nil)
		w.send(first)
		w.send(second)
		if a := count(third); a != (mailings.Audience{All: 2, People: 1, Often: 1}) {
			t.Errorf("after two: %+v", a)
		}
		// What could not be sent does not count.
		w.must(db.Exec("UPDATE deliveries SET state = 'failed' WHERE mailing_id = ?", first).Error)
		if a := count(third); a.People != 2 {
			t.Errorf("after one: %+v", a)
		}
		w.must(db.Exec("UPDATE deliveries SET state = 'queued' WHERE mailing_id = ?", first).Error)
		w.clk.Add(7*24*time.Hour + time.Minute)
		if a := count(third); a.People != 2 {
			t.Errorf("a week later: %+v", a)
		}
	})
}

// TestScheduled: what is scheduled is frozen when its time has come and not before, once, and can be taken back or put off until then.
func TestScheduled(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(2)
		id := w.draft()
		at := start.Add(3 * time.Hour)
		w.must(w.start(id, mailings.Plan{At: at, ExpiresAt: at.Add(48 * time.Hour)}))
		if m := w.mailing(id); m.State != models.MailingScheduled || !m.FreezeAt.Equal(at) || w.enqueued.Load() != 0 {
			t.Fatalf("%s, frozen at %v, %d jobs", m.State, m.FreezeAt, w.enqueued.Load())
		}
		if _, err := w.svc.Save(ctx, w.user, id, mailings.Draft{Revision: w.mailing(id).Revision, PetitionID: w.petition.ID, Subject: "x", Body: "y"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("changed while it is scheduled: %v", err)
		}
		w.clk.Add(2 * time.Hour)
		w.must(w.svc.Tidy(ctx))
		if p := w.progress(id); p.Total != 0 || p.State != models.MailingScheduled {
			t.Fatalf("too soon: %+v", p)
		}
		// Put off, taken back, and put on again.
		w.must(w.start(id, mailings.Plan{At: at.Add(time.Hour)}))
		w.must(w.svc.Unschedule(ctx, w.user, id))
		if m := w.mailing(id); m.State != models.MailingDraft || m.FreezeAt != nil || m.SendAt == nil {
			t.Fatalf("taken back: %+v", m)
		}
		if err := w.svc.Unschedule(ctx, w.user, id); !fault.Is(err, fault.Conflict) {
			t.Errorf("taken back twice: %v", err)
		}
		w.clk.Add(2 * time.Hour)
		w.must(w.svc.Tidy(ctx))
		if p := w.progress(id); p.Total != 0 {
			t.Fatal("a draft was sent")
		}
		at = w.clk.Now().Add(time.Minute)
		w.must(w.start(id, mailings.Plan{At: at, ExpiresAt: at.Add(48 * time.Hour)}))
		w.clk.Add(2 * time.Minute)
		w.sign("late@example.org", "Late", models.SignatureConfirmed, true) // until then the audience is open
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() { errs[i] = w.svc.Tidy(ctx) })
		}
		wg.Wait()
		for _, err := range errs {
			w.must(err)
		}
		ds := w.deliveries(id)
		if len(ds) != 3 || w.mailing(id).AudienceCount != 3 {
			t.Fatalf("%d deliveries", len(ds))
		}
		for _, d := range ds {
			if d.ExpiresAt == nil || !d.ExpiresAt.Equal(at.Add(48*time.Hour)) || d.NotBefore.Before(at) {
				t.Errorf("%+v", d)
			}
		}
		w.drain()
		if len(w.to()) != 3 {
			t.Errorf("it went to %v", w.to())
		}
		var actions []string
		w.must(db.Model(&models.AuditEntry{}).Where("action LIKE 'mailing.%schedule'").Order("id").Pluck("action", &actions).Error)
		if strings.Join(actions, " ") != "mailing.schedule mailing.schedule mailing.unschedule mailing.schedule" {
			t.Errorf("the audit log has %v", actions)
		}
	})
}

// TestPlansThatCannotBe: each is refused at its field, and the draft stays one.
func TestPlansThatCannotBe(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(2)
		id := w.draft()
		soon := start.Add(time.Hour)
		for name, c := range map[string]struct {
			plan     mailings.Plan
			subjects bool
			field    string
		}{
			"a time that is over":           {mailings.Plan{At: start}, false, "at"},
			"in two years":                  {mailings.Plan{At: start.AddDate(2, 0, 0)}, false, "at"},
			"the hour of each without one":  {mailings.Plan{LocalHour: true}, false, "at"},
			"worthless before it goes":      {mailings.Plan{At: soon, ExpiresAt: soon}, false, "expires"},
			"worthless by now":              {mailings.Plan{ExpiresAt: start}, false, "expires"},
			"a test with one subject":       {mailings.Plan{TestPercent: 20, TestFor: time.Hour}, false, "test"},
			"a test of nearly nobody":       {mailings.Plan{TestPercent: 1, TestFor: time.Hour}, true, "share"},
			"a test of everybody":           {mailings.Plan{TestPercent: 100, TestFor: time.Hour}, true, "share"},
			"a test without a wait":         {mailings.Plan{TestPercent: 20}, true, "wait"},
			"a test that waits for a month": {mailings.Plan{TestPercent: 20, TestFor: 30 * 24 * time.Hour}, true, "wait"},
			"a test past the end":           {mailings.Plan{TestPercent: 20, TestFor: 4 * time.Hour, ExpiresAt: start.Add(3 * time.Hour)}, true, "wait"},
		} {
			w.must(db.Exec("UPDATE mailings SET variants = ''").Error)
			if c.subjects {
				w.twoSubjects(id)
			}
			err := w.start(id, c.plan)
			var f *fault.Error
			if !fault.Is(err, fault.Invalid) || !asFault(err, &f) || len(f.Fields) == 0 || f.Fields[0].Name != c.field {
				t.Errorf("%s: %v", name, err)
			}
		}
		if m := w.mailing(id); m.State != models.MailingDraft || w.enqueued.Load() != 0 {
			t.Errorf("%s, %d jobs", m.State, w.enqueued.Load())
		}
	})
}

// TestScheduledAndStoppedByAPetition: what may not go out when its time has come waits for somebody.
func TestScheduledAndStoppedByAPetition(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(2)
		id := w.draft()
		w.must(w.start(id, mailings.Plan{At: start.Add(time.Hour)}))
		w.must(db.Exec("UPDATE petitions SET state = 'hidden'").Error)
		w.clk.Add(2 * time.Hour)
		w.must(w.svc.Tidy(ctx))
		if m := w.mailing(id); m.State != models.MailingPaused || m.PausedReason != "mailings.paused_by_check" || len(w.deliveries(id)) != 0 {
			t.Fatalf("%s %s", m.State, m.PausedReason)
		}
		w.must(db.Exec("UPDATE petitions SET state = 'published'").Error)
		w.must(w.svc.Resume(ctx, w.user, id))
		w.must(w.svc.Freeze(ctx, id))
		w.drain()
		if len(w.to()) != 2 {
			t.Errorf("it went to %v", w.to())
		}
	})
}

// TestLocalHour: each person's copy waits for the same hour by their own clock, and for the end of their quiet hours.
func TestLocalHour(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.svc.Quiet = w.quiet
		place := func(name, zone, country, region string) uuid.UUID {
			id, box := w.reader(name+"@example.org", uuid.Nil)
			w.must(db.Model(&models.Supporter{}).Where("id = ?", id).Updates(map[string]any{"time_zone": zone, "country": country, "region": region}).Error)
			return box
		}
		want := map[uuid.UUID]string{
			place("home", "", "", ""):              "2027-02-02T15:00:00Z", // New York, as the organisation
			place("coast", "", "US", "CA"):         "2027-02-02T18:00:00Z",
			place("berlin", "", "DE", ""):          "2027-02-02T09:00:00Z",
			place("tokyo", "Asia/Tokyo", "US", ""): "2027-02-02T01:00:00Z", // the zone that they chose wins
			place("nowhere", "Not/AZone", "", ""):  "2027-02-02T15:00:00Z",
		}
		signer := w.mailbox("no-record@example.org") // without a record
		w.newsletter(signer, uuid.Nil)
		want[signer] = "2027-02-02T15:00:00Z"
		id := w.letter(uuid.Nil)
		// 10:00 on 2 February by each clock.
		w.must(w.start(id, mailings.Plan{At: time.Date(2027, 2, 2, 15, 0, 0, 0, time.UTC), LocalHour: true}))
		m := w.mailing(id)
		if m.State != models.MailingScheduled || m.FreezeAt.UTC().Format(time.RFC3339) != "2027-02-02T01:00:00Z" {
			t.Fatalf("%s, frozen at %v", m.State, m.FreezeAt)
		}
		w.clk.Add(m.FreezeAt.Sub(start))
		w.must(w.svc.Tidy(ctx))
		check := func(id uuid.UUID, want map[uuid.UUID]string) {
			t.Helper()
			ds := w.deliveries(id)
			if len(ds) != len(want) {
				t.Errorf("%d deliveries", len(ds))
			}
			for _, d := range ds {
				if got := d.NotBefore.UTC().Format(time.RFC3339); got != want[d.MailboxID] {
					t.Errorf("%s goes at %s, not %s", d.MailboxID, got, want[d.MailboxID])
				}
			}
		}
		check(id, want)
		w.drain()
		if to := w.to(); !slices.Equal(to, []string{"tokyo@example.org"}) {
			t.Errorf("at 10:00 in Tokyo it went to %v", to)
		}
		if r, err := w.svc.Report(ctx, w.user, id); err != nil || r.Next == nil || r.Next.UTC().Format(time.RFC3339) != "2027-02-02T09:00:00Z" {
			t.Errorf("the next goes %v, %v", r.Next, err)
		}
		// At once, at 20:00 in New York: whoever is in their quiet hours gets it when those are over.
		now := w.letter(uuid.Nil)
		w.send(now)
		for box := range want {
			want[box] = "2027-02-02T14:00:00Z" // 9:00 in New York
		}
		var at []models.Delivery
		w.must(db.Where("mailing_id = ?", now).Find(&at).Error)
		boxOf := func(name string) uuid.UUID { return w.mailbox(name + "@example.org") }
		want[boxOf("coast")], want[boxOf("berlin")], want[boxOf("tokyo")] = "2027-02-02T01:00:00Z", "2027-02-02T08:00:00Z", "2027-02-02T01:00:00Z"
		check(now, want)
	})
}

// TestExpires: what has not gone out by then does not go.
func TestExpires(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(2)
		id := w.draft()
		w.must(w.start(id, mailings.Plan{ExpiresAt: start.Add(time.Hour)}))
		w.must(w.svc.Freeze(ctx, id))
		w.clk.Add(2 * time.Hour)
		w.must(w.out.Recover(ctx))
		w.drain()
		w.must(w.svc.Tidy(ctx))
		if p := w.progress(id); p.Expired != 2 || len(w.to()) != 0 || p.State != models.MailingFinished {
			t.Errorf("%+v to %v", p, w.to())
		}
		if err := w.svc.SendLater(ctx, w.user, id); key(err) != "error.mailing_expired" {
			t.Errorf("sent later all the same: %v", err)
		}
	})
}

// signed puts a confirmed signature of a mailbox under another petition.
func (w *world) signed(box uuid.UUID, at time.Time) {
	w.t.Helper()
	var p models.Petition
	if w.db.Limit(1).Find(&p, "slug = 'next'").RowsAffected == 0 {
		p = w.petition
		p.ID, p.Slug, p.Title = models.NewID(), "next", "The next step"
		w.must(w.db.Create(&p).Error)
	}
	g := models.Signature{
		ID: models.NewID(), PetitionID: p.ID, MailboxID: box, State: models.SignatureConfirmed, Display: models.DisplayName, Locale: "en", CreatedAt: at, ConfirmedAt: &at, ExpiresAt: at,
	}
	w.must(w.db.Create(&g).Error)
}

// TestSubjectsAreTried: a share by chance gets the different subjects, the rest waits, and then gets the one after which more people
// acted.
func TestSubjectsAreTried(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(200)
		id := w.draft()
		w.twoSubjects(id)
		w.must(w.start(id, mailings.Plan{TestPercent: 40, TestFor: 2 * time.Hour}))
		w.must(w.svc.Freeze(ctx, id))
		groups := map[int][]models.Delivery{}
		held := 0
		for _, d := range w.deliveries(id) {
			if d.NotBefore.Equal(models.HeldUntil) {
				held++
				if d.Variant != 0 {
					t.Error("a held one has a subject already")
				}
				continue
			}
			groups[d.Variant] = append(groups[d.Variant], d)
		}
		a, b := len(groups[0]), len(groups[1])
		if a+b+held != 200 || a+b < 50 || a+b > 110 || a < 20 || b < 20 || len(groups) != 2 {
			t.Fatalf("%d and %d, %d held", a, b, held)
		}
		w.drain()
		w.must(w.svc.Tidy(ctx))
		m := w.mailing(id)
		if len(w.to()) != a+b || m.State != models.MailingSending || m.DecideAt == nil || !m.DecideAt.Equal(start.Add(2*time.Hour)) {
			t.Fatalf("%d sent, %s, decided at %v", len(w.to()), m.State, m.DecideAt)
		}
		w.clk.Add(time.Hour)
		w.signed(groups[0][0].MailboxID, w.clk.Now())
		for _, d := range groups[1][:3] {
			w.signed(d.MailboxID, w.clk.Now())
		}
		w.must(w.db.Tx(ctx, func(tx *gorm.DB) error {
			return mailings.NoteLeft(ctx, tx, groups[1][4], mailings.ByComplaint, w.clk.Now())
		}))
		r, err := w.svc.Report(ctx, w.user, id)
		w.must(err)
		want := []mailings.Variant{{Number: 0, Subject: "A", People: a, Sent: a, Acted: 1}, {Number: 1, Subject: "B", People: b, Sent: b, Acted: 3, Left: 1}}
		if !slices.Equal(r.Test.Variants, want) || r.Test.Held != held || r.Test.Best != 1 || r.Test.Says() != "few" {
			t.Errorf("%+v, want %+v", r.Test, want)
		}
		w.must(w.svc.Tidy(ctx))
		if m = w.mailing(id); m.DecidedAt != nil {
			t.Fatal("decided too soon")
		}
		w.clk.Add(time.Hour)
		w.must(w.svc.Tidy(ctx))
		if m = w.mailing(id); m.Winner != 1 || m.DecidedAt == nil || m.DecidedBy != nil {
			t.Fatalf("winner %d, decided %v", m.Winner, m.DecidedAt)
		}
		w.drain()
		won := 0
		for _, d := range w.deliveries(id) {
			if d.State != models.DeliverySent {
				t.Errorf("%s, not before %v", d.State, d.NotBefore)
			}
			won += d.Variant
		}
		if won != b+held {
			t.Errorf("%d have the winner, not %d", won, b+held)
		}
		// The test stays what it was, though all have a subject now.
		if r, err = w.svc.Report(ctx, w.user, id); err != nil || !slices.Equal(r.Test.Variants, want) || r.Test.Held != 0 {
			t.Errorf("afterwards %+v, %v", r.Test, err)
		}
		if err := w.svc.Choose(ctx, w.user, id, 0); !fault.Is(err, fault.Conflict) {
			t.Errorf("decided twice: %v", err)
		}
	})
}

// TestAnOrganizerChooses: by hand before the time; if nobody does, it is the first subject.
func TestAnOrganizerChooses(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(60)
		send := func() uuid.UUID {
			id := w.draft()
			w.twoSubjects(id)
			w.must(w.start(id, mailings.Plan{TestPercent: 50, TestFor: time.Hour, TestByHand: true}))
			w.must(w.svc.Freeze(ctx, id))
			w.drain()
			return id
		}
		id := send()
		if err := w.svc.Choose(ctx, w.user, id, 2); !fault.Is(err, fault.Invalid) {
			t.Errorf("a subject that is none: %v", err)
		}
		if err := w.svc.Choose(ctx, actor.Actor{Kind: actor.User, Role: actor.Viewer}, id, 1); !fault.Is(err, fault.Forbidden) {
			t.Errorf("chosen by a viewer: %v", err)
		}
		w.must(w.svc.Choose(ctx, w.user, id, 1))
		w.drain()
		if m := w.mailing(id); m.Winner != 1 || m.DecidedBy == nil || *m.DecidedBy != w.user.UserID {
			t.Errorf("%+v", m)
		}
		if n := len(w.to()); n != 60 {
			t.Errorf("%d mails", n)
		}
		// Whoever comes later gets the subject that won.
		w.must(w.svc.Tidy(ctx))
		late := w.sign("late@example.org", "Late", models.SignatureConfirmed, true)
		w.must(w.svc.SendLater(ctx, w.user, id))
		w.must(w.svc.Freeze(ctx, id))
		for _, d := range w.deliveries(id) {
			if d.MailboxID == late && (d.Variant != 1 || d.NotBefore.Equal(models.HeldUntil)) {
				t.Errorf("%+v", d)
			}
		}
		w.drain()

		id = send()
		for _, d := range w.deliveries(id) { // more acted after the second, and nobody chose
			if d.Variant == 1 {
				w.signed(d.MailboxID, w.clk.Now().Add(time.Minute))
			}
		}
		w.clk.Add(2 * time.Hour)
		w.must(w.svc.Tidy(ctx))
		if m := w.mailing(id); m.DecidedAt == nil || m.Winner != 0 || m.DecidedBy != nil {
			t.Errorf("%+v", m)
		}
	})
}

// TestThoseWhoCameLater: a finished mailing goes to whoever came into its audience since, and to nobody twice, under whatever address.
func TestThoseWhoCameLater(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		_, boxes := w.person(nil, "", "first@example.org", "second@example.org")
		w.newsletter(boxes[1], uuid.Nil)
		_, leaver := w.reader("leaver@example.org", uuid.Nil)
		id := w.letter(uuid.Nil)
		w.send(id)
		_, err := consents.Withdraw(ctx, db.DB, leaver, models.PurposeNewsletter, uuid.Nil, "page", start) // left before theirs went out
		w.must(err)
		if err := w.svc.SendLater(ctx, w.user, id); !fault.Is(err, fault.Conflict) {
			t.Errorf("while it is being sent: %v", err)
		}
		w.drain()
		w.must(w.svc.Tidy(ctx))
		if err := w.svc.SendLater(ctx, w.user, id); !fault.Is(err, fault.Invalid) {
			t.Errorf("to nobody: %v", err)
		}
		w.clk.Add(24 * time.Hour)
		w.newsletter(boxes[0], uuid.Nil) // the same person at another address
		w.newsletter(leaver, uuid.Nil)   // and the one who left is back
		w.reader("new@example.org", uuid.Nil)
		_, who, err := w.svc.Later(ctx, w.user, id)
		w.must(err)
		if who != (mailings.Audience{All: 3, People: 1, Already: 2}) {
			t.Errorf("%+v", who)
		}
		w.must(w.svc.SendLater(ctx, w.user, id))
		if err := w.svc.SendLater(ctx, w.user, id); !fault.Is(err, fault.Conflict) {
			t.Errorf("twice: %v", err)
		}
		w.must(w.svc.Freeze(ctx, id))
		w.must(w.svc.Freeze(ctx, id))
		w.drain()
		if to := w.to(); !slices.Equal(to, []string{"new@example.org", "second@example.org"}) {
			t.Errorf("it went to %v", to)
		}
		m := w.mailing(id)
		if m.AudienceCount != 3 || m.LaterAt == nil || !m.FrozenAt.Equal(start) {
			t.Errorf("%+v", m)
		}
		var then mailings.Audience
		w.must(json.Unmarshal([]byte(m.Audience), &then))
		if then.People != 2 {
			t.Errorf("the first audience is now %+v", then)
		}
		if _, _, err := w.svc.Later(ctx, actor.Actor{Kind: actor.User, Role: actor.Viewer}, id); !fault.Is(err, fault.Forbidden) {
			t.Errorf("read by a viewer: %v", err)
		}
	})
}

// TestClicks: links are counted only where it was asked for, the same one for everybody, and lead where they did.
func TestClicks(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(2)
		plain := w.draft()
		w.send(plain)
		w.drain()
		for _, m := range w.wire.Messages() {
			if strings.Contains(m.HTML+m.Text, "/r/") {
				t.Fatalf("counted without being asked: %s", m.HTML)
			}
		}
		id := w.draft()
		w.write(id, "Links", "See [the report](https://example.org/report?a=1&b=2) and https://example.org/other.\n\nSign: {{petition_url}}")
		w.must(w.start(id, mailings.Plan{TrackClicks: true}))
		w.must(w.svc.Freeze(ctx, id))
		w.drain()
		sent := w.wire.Messages()[2:]
		counted := func(s string) (out []string) {
			for _, part := range strings.Split(s, "https://act.example.org/r/")[1:] {
				out = append(out, part[:tokens.Length])
			}
			slices.Sort(out)
			return slices.Compact(out)
		}
		if len(sent) != 2 || !slices.Equal(counted(sent[0].HTML), counted(sent[1].HTML)) || !slices.Equal(counted(sent[0].Text), counted(sent[0].HTML)) || len(counted(sent[0].HTML)) != 3 {
			t.Fatalf("%d mails, %v and %v:\n%s", len(sent), counted(sent[0].HTML), counted(sent[0].Text), sent[0].Text)
		}
		if !strings.Contains(sent[0].HTML, `href="`+sent[0].UnsubscribeURL) {
			t.Error("the way out is no plain link")
		}
		want := []string{"https://act.example.org/petitions/twenty-visits", "https://example.org/other", "https://example.org/report?a=1&b=2"}
		var got []string
		for _, token := range counted(sent[0].HTML) {
			to, uncounted, err := w.svc.Follow(ctx, token, true)
			w.must(err)
			w.must(uncounted)
			got = append(got, to)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("they lead to %v", got)
		}
		token := counted(sent[0].HTML)[0]
		w.clk.Add(24 * time.Hour)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if _, uncounted, err := w.svc.Follow(ctx, token, true); err != nil || uncounted != nil {
					t.Error(err, uncounted)
				}
			})
		}
		wg.Wait()
		if _, _, err := w.svc.Follow(ctx, token, false); err != nil {
			t.Error(err)
		}
		r, err := w.svc.Report(ctx, w.user, id)
		w.must(err)
		sum := 0
		for _, l := range r.Links {
			sum += l.Clicks
		}
		var days int64
		w.must(db.Model(&models.MailingClick{}).Count(&days).Error)
		if len(r.Links) != 3 || sum != 8 || days != 4 {
			t.Errorf("%+v, %d rows", r.Links, days)
		}
		for _, bad := range []string{"", "x", token + "x", w.signer.MakeForever(tokens.Unsubscribe, models.NewID()), w.signer.MakeForever(tokens.Link, models.NewID())} {
			if to, _, err := w.svc.Follow(ctx, bad, true); !fault.Is(err, fault.NotFound) || to != "" {
				t.Errorf("%q leads to %q, %v", bad, to, err)
			}
		}
	})
}

// TestWhatCameOfIt: actions count that followed the mail within their days, and who left by it, each once.
func TestWhatCameOfIt(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		boxes := w.signers(5)
		w.signed(boxes[0], start.Add(-time.Hour)) // before the mail
		id := w.draft()
		w.send(id)
		w.drain()
		w.signed(boxes[1], start.Add(time.Hour))
		w.signed(boxes[2], start.Add(3*24*time.Hour+time.Hour))
		w.signed(boxes[3], start.Add(8*24*time.Hour)) // too late to be of it
		outsider := w.mailbox("outsider@example.org")
		w.signed(outsider, start.Add(time.Hour))
		for range 2 {
			for i, m := range w.wire.Messages()[:3] {
				token := m.UnsubscribeURL[strings.LastIndex(m.UnsubscribeURL, "/")+1:]
				switch i {
				case 0:
					_, err := w.svc.Unsubscribe(ctx, token, mailings.ByOneClick)
					w.must(err)
				case 1:
					w.must(w.svc.LeaveAll(ctx, token))
				case 2: // taken back
					_, err := w.svc.Unsubscribe(ctx, token, mailings.ByPage)
					w.must(err)
					_, err = w.svc.Undo(ctx, token)
					w.must(err)
				}
			}
		}
		var d models.Delivery
		w.must(db.Take(&d, "mailing_id = ? AND mailbox_id = ?", id, w.mailbox(w.wire.Messages()[3].To)).Error)
		w.must(db.Tx(ctx, func(tx *gorm.DB) error { return mailings.NoteLeft(ctx, tx, d, mailings.ByComplaint, w.clk.Now()) }))
		w.clk.Add(10 * 24 * time.Hour)
		r, err := w.svc.Report(ctx, w.user, id)
		w.must(err)
		if r.Acted != 2 || r.Unsubscribed != 2 || r.Complained != 1 || len(r.Actions) != 1 || r.Actions[0] != (mailings.Action{Title: "The next step", Slug: "next", Soon: 1, Within: 2}) {
			t.Errorf("%+v", r.Results)
		}
	})
}

// TestProblemsAreListed: every one of them, page by page, and whose they are only to those who may see people.
func TestProblemsAreListed(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		n := paging.Size + 3
		for i := range n {
			w.reader(fmt.Sprintf("p%d@example.org", i), uuid.Nil)
		}
		id := w.letter(uuid.Nil)
		w.send(id)
		w.wire.AnswerWith(func(mailer.Message) mailer.Outcome {
			return mailer.Outcome{State: mailer.Rejected, Phase: mailer.PhaseRcpt, Code: 550, Enhanced: "5.7.1", Reply: "5.7.1 not you"}
		})
		w.drain()
		seen := map[uuid.UUID]bool{}
		after := paging.Cursor{}
		for pages := 0; ; pages++ {
			_, list, err := w.svc.Problems(ctx, w.user, id, after)
			w.must(err)
			for _, p := range list.Rows {
				if seen[p.ID] || p.Hint() != "policy" || p.Domain != "example.org" || p.SupporterID == nil {
					t.Errorf("%+v", p)
				}
				seen[p.ID] = true
			}
			if list.Next == "" {
				if pages != 1 {
					t.Errorf("%d pages", pages+1)
				}
				break
			}
			after, err = paging.Parse(list.Next)
			w.must(err)
		}
		if len(seen) != n {
			t.Errorf("%d of %d", len(seen), n)
		}
		_, list, err := w.svc.Problems(ctx, actor.Actor{Kind: actor.User, Role: actor.Viewer}, id, paging.Cursor{})
		if err != nil || len(list.Rows) == 0 || list.Rows[0].SupporterID != nil {
			t.Errorf("a viewer: %+v, %v", list.Rows, err)
		}
		if _, _, err := w.svc.Problems(ctx, actor.Actor{}, id, paging.Cursor{}); !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("nobody: %v", err)
		}
	})
}

// TestWatch: those who watch get the numbers as they change until nothing moves any more, and share one count.
func TestWatch(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(3)
		id := w.draft()
		w.send(id)
		news, end, err := w.svc.Watch(ctx, w.user, id)
		w.must(err)
		defer end()
		if p := <-news; p.Waiting != 3 || p.Total != 3 || !p.Active() {
			t.Fatalf("%+v", p)
		}
		w.drain()
		limit := time.After(20 * time.Second)
		last := mailings.Progress{}
		for open := true; open; {
			select {
			case p, more := <-news:
				if open = more; more {
					last = p
				}
			case <-limit:
				t.Fatal("it never ended")
			}
		}
		if last.Sent != 3 || last.Active() {
			t.Errorf("the last word is %+v", last)
		}
		// Kept for a while, whoever asks gets the same count; a change of the mailing itself shows at once.
		w.svc.CountEvery = time.Hour
		_ = w.progress(id)
		w.must(db.Exec("UPDATE deliveries SET state = 'failed' WHERE mailing_id = ?", id).Error)
		if p := w.progress(id); p.Sent != 3 {
			t.Errorf("counted again: %+v", p)
		}
		w.must(db.Exec("UPDATE mailings SET state = 'finished', updated_at = ? WHERE id = ?", w.clk.Now().Add(time.Second), id).Error)
		if p := w.progress(id); p.Refused != 3 {
			t.Errorf("not counted again: %+v", p)
		}
		if _, _, err := w.svc.Watch(ctx, actor.Actor{}, id); !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("watched by nobody: %v", err)
		}
	})
}

// twoSubjects gives a draft a second subject.
func (w *world) twoSubjects(id uuid.UUID) {
	w.t.Helper()
	w.must(w.db.Exec("UPDATE mailings SET subject = 'A', variants = ? WHERE id = ?", `[{"subject":"B"}]`, id).Error)
}
