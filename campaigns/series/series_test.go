package series_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/consents"
	"kithline/campaigns/erasures"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/mailings"
	"kithline/campaigns/series"
	"kithline/campaigns/supporters"
	"kithline/mailer"
	"kithline/models"
)

const day = 24 * time.Hour

func TestWelcomeSeries(t *testing.T) {
	each(t, func(w *world) {
		id, err := w.svc.Create(ctx, w.user, " Welcome  to all ", newsletter, series.Welcome)
		w.must(err)
		early := w.join("Early")
		w.clk.Add(time.Minute)
		w.live(id)
		w.work()
		w.want("")
		june, rosa := w.join("June"), w.join("Rosa", map[string]any{"locale": "es"})
		w.after(time.Minute)
		w.want("june: Welcome, and what happens next, rosa: Le damos la bienvenida")
		m := w.wire.Messages()[0]
		for _, x := range w.wire.Messages() {
			if x.To == "june@example.org" {
				m = x
			}
		}
		if !strings.Contains(m.Text, "Hello June,") || !strings.Contains(m.Text, "Wennick Coalition") || !strings.Contains(m.HTML, "https://act.example.org/me") {
			t := m.Text
			w.t.Errorf("the mail says %s", t)
		}
		if !m.Bulk || !strings.HasPrefix(m.UnsubscribeURL, "https://act.example.org/u/") || m.ListID != "newsletter-000000000000.act.example.org" {
			w.t.Errorf("bulk %v, unsubscribe %q, list %q", m.Bulk, m.UnsubscribeURL, m.ListID)
		}
		if !strings.Contains(m.Text, "mailings.reason_newsletter_date About  Date 2027-02-01") {
			w.t.Errorf("no reason in %s", m.Text)
		}
		w.after(3*day - time.Minute)
		w.after(time.Minute)
		w.want("june: Three small ways to take part, june: Welcome, and what happens next, rosa: Le damos la bienvenida, rosa: Tres formas pequeñas de participar")
		w.after(7 * day)
		if n := len(w.wire.Messages()); n != 6 {
			w.t.Errorf("%d mails after ten days", n)
		}
		w.after(30 * day)
		if n := len(w.wire.Messages()); n != 6 {
			w.t.Errorf("%d mails after forty days", n)
		}
		w.wantState(id, june, models.SeriesFinished, "")
		w.wantState(id, rosa, models.SeriesFinished, "")
		if row := w.place(id, early); row.ID != uuid.Nil {
			w.t.Error("somebody who joined before the start came in")
		}
		r, err := w.svc.Report(ctx, w.user, id)
		w.must(err)
		if r.Came != 2 || r.Finished != 2 || r.Steps[0].Sent != 2 || r.Steps[4].Sent != 2 || r.Series.Name != "Welcome to all" {
			w.t.Errorf("report: %+v", r)
		}
		var actions []string
		w.must(w.db.Model(&models.AuditEntry{}).Order("at, id").Pluck("action", &actions).Error)
		if got := strings.Join(actions, " "); got != "series.create series.start" {
			w.t.Errorf("audit: %s", got)
		}
	})
}

func TestTriggers(t *testing.T) {
	each(t, func(w *world) {
		tag, err := supporters.EnsureTag(ctx, w.db.DB, "drives", start)
		w.must(err)
		f := models.Form{ID: models.NewID(), Slug: "help", Title: "Help", Locale: "en", State: models.FormOpen, Questions: "[]", Consents: "[]", Tags: "[]", CreatedAt: start, UpdatedAt: start}
		w.must(w.db.Create(&f).Error)
		ids := map[string]uuid.UUID{}
		for name, x := range map[string]series.Settings{
			"signed": {Trigger: models.TriggerSigned, TriggerID: w.petition.ID}, "tagged": {Trigger: models.TriggerTagged, TriggerID: tag.ID},
			"form": {Trigger: models.TriggerForm, TriggerID: f.ID}, "joined": {Trigger: models.TriggerJoined},
		} {
			id := w.draft(name)
			w.mail(id, "By "+name)
			w.set(id, func(in *series.Settings) { in.Trigger, in.TriggerID = x.Trigger, x.TriggerID })
			w.live(id)
			ids[name] = id
		}
		w.clk.Add(time.Minute)
		anna, ben, cleo, dora := w.person("Anna"), w.person("Ben"), w.person("Cleo"), w.person("Dora")
		for _, p := range []person{anna, ben, cleo} { // from a list: that is no joining
			w.agree(p, models.PurposeNewsletter, uuid.Nil, models.ConsentByImport)
		}
		w.agree(dora, models.PurposeNewsletter, uuid.Nil, models.ConsentByPerson)
		w.sign(anna, w.clk.Now(), models.SignatureConfirmed)
		w.must(supporters.Tag(ctx, w.db.DB, []uuid.UUID{ben.id}, []uuid.UUID{tag.ID}, w.clk.Now()))
		now := w.clk.Now()
		w.must(w.db.Create(&models.Submission{
			ID: models.NewID(), FormID: &f.ID, MailboxID: cleo.box, State: models.SubmissionConfirmed, AnswersSealed: []byte{1}, Consents: "[]", Locale: "en", CreatedAt: now, ExpiresAt: now,
			ConfirmedAt: &now,
		}).Error)
		no := w.person("No") // signed, and agreed to nothing
		w.sign(no, w.clk.Now(), models.SignatureConfirmed)
		w.work()
		want := "anna: By signed, ben: By tagged, cleo: By form, dora: By joined"
		w.want(want)
		// Read again and again, over and beyond the last minutes: nobody twice.
		for range 4 {
			w.after(4 * time.Minute)
		}
		w.want(want)
		// A second yes is no joining.
		w.leave(dora)
		w.clk.Add(time.Minute)
		w.agree(dora, models.PurposeNewsletter, uuid.Nil, models.ConsentByMail)
		eve := w.join("Eve")
		w.leave(eve)
		w.after(time.Minute)
		w.want(want)
		if w.place(ids["joined"], eve).ID != uuid.Nil {
			w.t.Error("somebody who took the yes back at once came in")
		}
	})
}

// What was committed late, and what was counted late, is found.
func TestNobodyIsMissed(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("signers")
		w.mail(id, "Thanks")
		w.set(id, func(in *series.Settings) { in.Trigger, in.TriggerID = models.TriggerSigned, w.petition.ID })
		w.live(id)
		one, slow, held, later := w.join("One"), w.join("Slow"), w.join("Held"), w.person("Later")
		at := w.clk.Add(time.Minute)
		suspect := w.sign(held, at, models.SignatureSuspect)
		w.sign(later, at, models.SignatureConfirmed)
		w.sign(one, w.clk.Add(2*time.Minute), models.SignatureConfirmed)
		w.work()
		w.want("one: Thanks")
		// A transaction that took long: its time lies before what was read already.
		w.sign(slow, at.Add(time.Minute), models.SignatureConfirmed)
		w.after(time.Minute)
		w.want("one: Thanks, slow: Thanks")
		// Somebody looked at the one that was held, and one agreed later, when their time is long behind what is read.
		w.after(time.Hour)
		w.must(w.db.Model(&models.Signature{}).Where("id = ?", suspect).Update("state", models.SignatureConfirmed).Error)
		w.agree(later, models.PurposeNewsletter, uuid.Nil, models.ConsentByPerson)
		w.after(6 * time.Hour)
		w.want("held: Thanks, later: Thanks, one: Thanks, slow: Thanks")
		w.after(6 * time.Hour)
		w.want("held: Thanks, later: Thanks, one: Thanks, slow: Thanks")
	})
}

func TestLookingBack(t *testing.T) {
	each(t, func(w *world) {
		old := w.join("Old")
		w.clk.Add(3 * day)
		w.join("Recent")
		w.clk.Add(day)
		id := w.draft("back")
		w.mail(id, "Hello")
		w.set(id, func(in *series.Settings) { in.Lookback = 2 })
		b, err := w.svc.Before(ctx, w.user, id)
		w.must(err)
		if b.People != 1 || len(b.Problems) > 0 {
			w.t.Errorf("before the start: %+v", b)
		}
		w.live(id)
		w.work()
		w.want("recent: Hello")
		if w.place(id, old).ID != uuid.Nil {
			w.t.Error("somebody came in who joined too long ago")
		}
	})
}

func TestDates(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("date")
		w.mail(id, "Soon")
		w.set(id, func(in *series.Settings) { in.Trigger, in.Date, in.Days = models.TriggerDate, "2027-02-10", -3 })
		yearly := w.draft("yearly")
		w.mail(yearly, "A year")
		w.set(yearly, func(in *series.Settings) { in.Trigger, in.Days, in.Again = models.TriggerAnniversary, 1, 300 })
		past := w.draft("past")
		w.mail(past, "Late")
		w.set(past, func(in *series.Settings) { in.Trigger, in.Date = models.TriggerDate, "2027-02-01" })
		if err := w.svc.Start(ctx, w.user, past, 2); keys(err) != "error.series_date_past" {
			w.t.Errorf("started for a day that is over: %s", keys(err))
		}
		w.live(id)
		w.live(yearly)
		for i := range 3 {
			w.join(fmt.Sprint("Ann", i))
		}
		w.work()
		w.clk.Set(time.Date(2027, 2, 7, 4, 59, 0, 0, time.UTC)) // a minute before the day in New York
		w.work()
		w.want("")
		w.clk.Set(time.Date(2027, 2, 7, 13, 59, 0, 0, time.UTC)) // the day, before nine in the morning
		w.work()
		w.want("")
		w.after(time.Minute)
		w.want("ann0: Soon, ann1: Soon, ann2: Soon")
		w.join("Late")
		w.after(2 * day)
		w.want("ann0: Soon, ann1: Soon, ann2: Soon")

		// A year later: the day after that of joining, and the server slept for a week before it; and the year after once more.
		looked := func(at time.Time) {
			w.must(w.db.Model(&models.Series{}).Where("id = ?", yearly).Update("scanned_at", at).Error)
		}
		looked(time.Date(2028, 1, 26, 5, 0, 0, 0, time.UTC))
		w.clk.Set(time.Date(2028, 2, 2, 15, 0, 0, 0, time.UTC))
		w.work()
		w.want("ann0: A year, ann0: Soon, ann1: A year, ann1: Soon, ann2: A year, ann2: Soon")
		w.clk.Set(time.Date(2028, 2, 9, 15, 0, 0, 0, time.UTC))
		w.work()
		looked(time.Date(2029, 2, 1, 5, 0, 0, 0, time.UTC))
		w.clk.Set(time.Date(2029, 2, 2, 15, 0, 0, 0, time.UTC))
		w.work()
		if n := strings.Count(w.got(), "ann1: A year"); n != 2 {
			w.t.Errorf("after two years ann1 got %d mails", n)
		}
		if n := strings.Count(w.got(), "late: A year"); n != 1 {
			w.t.Errorf("whoever joined a week later got %d", n)
		}
	})
}

func TestFire(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("shifts")
		w.mail(id, "Your shift")
		in := w.settings(id)
		in.Trigger = models.TriggerShift
		if _, err := w.svc.Save(ctx, w.user, id, in); keys(err) != "trigger error.series_trigger" {
			w.t.Errorf("a trigger that no feature offers was taken: %s", keys(err))
		}
		w.svc.Offer(models.TriggerShift)
		roster := models.NewID()
		in.TriggerID = roster
		_, err := w.svc.Save(ctx, w.user, id, in)
		w.must(err)
		p, q, without := w.join("Pia"), w.join("Quinn"), w.person("Without")
		fire := func(about uuid.UUID, who ...uuid.UUID) {
			w.t.Helper()
			w.must(w.db.Tx(ctx, func(tx *gorm.DB) error { return w.svc.Fire(ctx, tx, models.TriggerShift, about, who...) }))
		}
		fire(roster, p.id) // a draft
		w.live(id)
		fire(models.NewID(), p.id) // another roster
		w.work()
		w.want("")
		fire(roster, p.id, without.id)
		fire(roster, p.id)
		w.work()
		w.want("pia: Your shift")
		w.clk.Add(time.Minute)
		w.must(w.svc.Pause(ctx, w.user, id))
		w.clk.Add(time.Minute)
		fire(roster, q.id)
		w.after(time.Hour)
		w.want("pia: Your shift")
		w.must(w.svc.Resume(ctx, w.user, id))
		w.work()
		w.want("pia: Your shift, quinn: Your shift")
	})
}

func TestExitRules(t *testing.T) {
	each(t, func(w *world) {
		tag, err := supporters.EnsureTag(ctx, w.db.DB, "done", start)
		w.must(err)
		id := w.draft("exits")
		w.mail(id, "One")
		w.wait(id, 2, "days")
		last := w.mail(id, "Two")
		w.set(id, func(in *series.Settings) {
			in.Goals = []series.Goal{{Kind: models.ExitTagged, ObjectID: tag.ID}, {Kind: models.ExitActed}, {Kind: models.ExitActed}}
		})
		w.live(id)
		stay, left, tagged, acted, bounced, before := w.join("Stay"), w.join("Left"), w.join("Tagged"), w.join("Acted"), w.join("Bounced"), w.join("Before")
		gone := w.join("Gone")
		w.sign(before, w.clk.Now().Add(-time.Hour), models.SignatureConfirmed) // acted before coming in: no reason to leave
		w.work()
		if n := len(w.wire.Messages()); n != 7 {
			w.t.Fatalf("%d first mails", n)
		}
		w.clk.Add(day)
		w.leave(left)
		w.must(supporters.Tag(ctx, w.db.DB, []uuid.UUID{tagged.id}, []uuid.UUID{tag.ID}, w.clk.Now()))
		w.sign(acted, w.clk.Now(), models.SignatureConfirmed)
		w.must(mailboxes.Suppress(ctx, w.db.DB, bounced.box, models.SuppressedBounce, w.clk.Now()))
		w.must(w.db.Tx(ctx, func(tx *gorm.DB) error {
			_, err := erasures.Forget(ctx, tx, []uuid.UUID{gone.id}, []uuid.UUID{gone.box}, w.clk.Now())
			return err
		}))
		w.after(day)
		two := []string{}
		for _, m := range w.wire.Messages() {
			if m.Subject == "Two" {
				two = append(two, m.To)
			}
		}
		if len(two) != 2 {
			w.t.Errorf("the second mail went to %v", two)
		}
		w.wantState(id, stay, models.SeriesFinished, "")
		w.wantState(id, before, models.SeriesFinished, "")
		w.wantState(id, left, models.SeriesLeft, models.LeftNoConsent)
		w.wantState(id, tagged, models.SeriesLeft, models.LeftGoal)
		w.wantState(id, acted, models.SeriesLeft, models.LeftGoal)
		w.wantState(id, bounced, models.SeriesLeft, models.LeftSuppressed)
		if w.place(id, gone).ID != uuid.Nil {
			w.t.Error("the row of somebody who was erased is there")
		}
		r, err := w.svc.Report(ctx, w.user, id)
		w.must(err)
		if r.Came != 6 || r.Left != 4 || fmt.Sprint(r.Exits) != "[{goal 2} {no_consent 1} {suppressed 1}]" || r.Steps[0].Sent != 7 || r.Steps[2].ID != last || r.Steps[2].Sent != 2 || r.Steps[1].Left != 4 {
			w.t.Errorf("report: %+v", r)
		}
	})
}

// The yes is asked for once more on the wire, and who left the series meanwhile gets nothing.
func TestConsentBetweenStepAndWire(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("wire")
		w.mail(id, "One")
		w.live(id)
		a, b := w.join("Ada"), w.join("Bea")
		w.must(w.svc.Work(ctx)) // written, not sent
		w.leave(a)
		w.must(w.db.Model(&models.SeriesPerson{}).Where("supporter_id = ?", b.id).Updates(map[string]any{"state": models.SeriesLeft, "reason": models.LeftGoal}).Error)
		w.work()
		w.want("")
		var states []string
		w.must(w.db.Model(&models.Delivery{}).Order("state").Pluck("state", &states).Error)
		if strings.Join(states, " ") != "expired suppressed" {
			w.t.Errorf("deliveries: %v", states)
		}
	})
}

func TestTagSteps(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("tags")
		add := func(kind models.SeriesStepKind, tag string) {
			_, err := w.svc.AddStep(ctx, w.user, id, series.StepInput{Kind: kind, Tag: tag})
			w.must(err)
		}
		add(models.StepTag, "new here")
		add(models.StepUntag, "Before")
		add(models.StepUntag, "both")
		add(models.StepTag, "both")
		w.mail(id, "One")
		w.wait(id, 1, "days")
		add(models.StepUntag, "New here")
		w.live(id)
		p := w.join("June")
		before, err := supporters.EnsureTag(ctx, w.db.DB, "before", start)
		w.must(err)
		w.must(supporters.Tag(ctx, w.db.DB, []uuid.UUID{p.id}, []uuid.UUID{before.ID}, w.clk.Now()))
		tags := func() string {
			var names []string
			w.must(w.db.Raw("SELECT t.name_key FROM tags t JOIN taggings g ON g.tag_id = t.id WHERE g.supporter_id = ? ORDER BY 1", p.id).Scan(&names).Error)
			return strings.Join(names, ", ")
		}
		w.work()
		if got := tags(); got != "both, new here" {
			w.t.Errorf("tags: %s", got)
		}
		w.after(day)
		if got := tags(); got != "both" {
			w.t.Errorf("tags at the end: %s", got)
		}
		w.wantState(id, p, models.SeriesFinished, "")
	})
}

// People keep their place while the steps around them change.
func TestEditingALiveSeries(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("edited")
		first := w.mail(id, "First")
		pause := w.wait(id, 2, "days")
		second := w.mail(id, "Second")
		w.live(id)
		p := w.join("June")
		w.work()
		w.want("june: First")
		due := w.place(id, p).DueAt

		// The mail that June had moves behind her: she does not get it again. A new one before her does not reach her.
		w.must(w.svc.MoveStep(ctx, w.user, id, first, 1))
		w.must(w.svc.MoveStep(ctx, w.user, id, first, 1))
		added, err := w.svc.AddStep(ctx, w.user, id, series.StepInput{Kind: models.StepMail})
		w.must(err)
		for range 3 {
			w.must(w.svc.MoveStep(ctx, w.user, id, added, -1))
		}
		if row := w.place(id, p); *row.StepID != pause || !row.DueAt.Equal(due) {
			w.t.Errorf("moved by an edit: at %s, due %s", row.StepID, row.DueAt)
		}
		// Now: added (without words), wait, second, first. Somebody new waits for the words.
		q := w.join("Quinn")
		w.after(2 * day)
		w.want("june: First, june: Second")
		w.wantState(id, p, models.SeriesFinished, "")
		w.wantState(id, q, models.SeriesActive, "")
		if err := w.svc.SaveMail(ctx, w.user, id, added, series.MailInput{Locale: "en", Subject: "Half"}); keys(err) != "body error.mailing_no_body" {
			w.t.Errorf("a mail without a text in a live series: %s", keys(err))
		}
		w.must(w.svc.SaveMail(ctx, w.user, id, added, series.MailInput{Locale: "en", Subject: "New", Body: "Words"}))
		w.after(time.Hour)
		w.want("june: First, june: Second, quinn: New")

		// The wait that Quinn stands at goes: on to the next. The mail after that goes too, while somebody waits before it.
		w.must(w.svc.RemoveStep(ctx, w.user, id, pause))
		w.work()
		w.want("june: First, june: Second, quinn: First, quinn: New, quinn: Second")
		w.wantState(id, q, models.SeriesFinished, "")
		w.must(w.svc.RemoveStep(ctx, w.user, id, second))
		w.must(w.svc.RemoveStep(ctx, w.user, id, first))
		last := w.wait(id, 1, "hours")
		r := w.join("Rae")
		w.work()
		w.wantState(id, r, models.SeriesActive, "")
		w.must(w.svc.RemoveStep(ctx, w.user, id, last))
		w.wantState(id, r, models.SeriesFinished, "")
		rep, err := w.svc.Report(ctx, w.user, id)
		w.must(err)
		if len(rep.Steps) != 1 || rep.RemovedSent != 4 {
			w.t.Errorf("report: %d steps, %d of those that are gone", len(rep.Steps), rep.RemovedSent)
		}
		// What two people change at once, one of them changes.
		if err := w.svc.SaveMail(ctx, w.user, id, added, series.MailInput{Locale: "en", Subject: "Old", Body: "Words"}); keys(err) != "error.series_changed" {
			w.t.Errorf("words of somebody else were overwritten: %s", keys(err))
		}
	})
}

func TestPauseAndResume(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("paused")
		w.mail(id, "One")
		w.wait(id, 2, "days")
		w.mail(id, "Two")
		w.wait(id, 1, "days")
		w.mail(id, "Three")
		w.live(id)
		p := w.join("June")
		w.work()
		w.after(day) // one day of two is over
		queued := w.join("Queued")
		w.must(w.svc.Work(ctx)) // the first mail is written, not sent
		w.must(w.svc.Pause(ctx, w.user, id))
		w.after(30 * day)
		w.want("june: One")
		during := w.join("During")
		w.after(time.Minute)
		w.must(w.svc.Resume(ctx, w.user, id))
		w.work()
		w.want("during: One, june: One, queued: One")
		w.after(day - 2*time.Minute)
		w.want("during: One, june: One, queued: One")
		w.after(2 * time.Minute)
		w.want("during: One, june: One, june: Two, queued: One")
		w.after(day - 2*time.Minute)
		w.want("during: One, june: One, june: Two, queued: One")
		w.after(2 * time.Minute)
		w.want("during: One, during: Two, june: One, june: Three, june: Two, queued: One, queued: Two")
		w.wantState(id, p, models.SeriesFinished, "")

		// Ending is for good, for what is written and not sent too.
		r := w.join("Rae")
		w.must(w.svc.Work(ctx))
		w.must(w.svc.End(ctx, w.user, id))
		w.after(30 * day)
		if got := w.got(); strings.Contains(got, "rae") || strings.Count(got, "Three") != 1 {
			w.t.Errorf("after the end: %s", got)
		}
		for _, x := range []person{queued, during, r} {
			if row := w.place(id, x); row.State == models.SeriesActive {
				w.t.Error("somebody is under way in a series that ended")
			}
		}
		w.wantState(id, queued, models.SeriesLeft, models.LeftEnded)
		for name, err := range map[string]error{
			"pause": w.svc.Pause(ctx, w.user, id), "resume": w.svc.Resume(ctx, w.user, id), "end": w.svc.End(ctx, w.user, id), "start": w.svc.Start(ctx, w.user, id, 1),
		} {
			if !fault.Is(err, fault.Conflict) {
				w.t.Errorf("%s after the end: %v", name, err)
			}
		}
	})
}

// A mail waits for the morning, and for the end of a person's own pause; who wants newsletters less often gets these less often.
func TestWhenMailsGo(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("hours")
		w.mail(id, "One")
		w.wait(id, 1, "hours")
		w.mail(id, "Two")
		w.live(id)
		w.clk.Set(time.Date(2027, 2, 2, 1, 30, 0, 0, time.UTC)) // 20:30 in New York, 17:30 in Los Angeles
		w.join("East")
		w.join("West", map[string]any{"time_zone": "America/Los_Angeles"})
		w.join("Weekly", map[string]any{"time_zone": "America/Los_Angeles", "frequency": "weekly"})
		w.work()
		w.want("weekly: One, west: One")
		w.after(time.Hour)
		w.want("weekly: One, west: One, west: Two")
		w.clk.Set(time.Date(2027, 2, 2, 13, 59, 0, 0, time.UTC))
		w.work()
		w.want("weekly: One, west: One, west: Two")
		w.after(time.Minute) // nine in New York
		w.want("east: One, weekly: One, west: One, west: Two")
		w.after(7 * day)
		w.want("east: One, east: Two, weekly: One, west: One, west: Two")
		w.after(12 * time.Hour)
		w.want("east: One, east: Two, weekly: One, weekly: Two, west: One, west: Two")
	})
}

func TestAPersonsOwnPause(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("rest")
		w.mail(id, "One")
		w.live(id)
		p := w.join("June")
		w.must(w.db.Model(&models.Mailbox{}).Where("id = ?", p.box).Update("paused_until", time.Date(2027, 3, 1, 15, 0, 0, 0, time.UTC)).Error)
		w.work()
		w.after(day)
		w.want("")
		w.wantState(id, p, models.SeriesActive, "")
		if row := w.place(id, p); !row.DueAt.Equal(time.Date(2027, 3, 1, 15, 0, 0, 0, time.UTC)) {
			w.t.Errorf("looked at again at %s", row.DueAt)
		}
		w.must(w.db.Model(&models.Mailbox{}).Where("id = ?", p.box).Update("paused_until", nil).Error)
		w.clk.Set(time.Date(2027, 3, 1, 15, 0, 0, 0, time.UTC))
		w.work()
		w.want("june: One")
	})
}

// Several workers at once: everybody gets every mail once.
func TestWorkersAtOnce(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("many")
		w.mail(id, "One")
		w.mail(id, "Two")
		w.live(id)
		const n = 700 // more than a batch
		w.crowd(n)
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = w.node().Work(ctx) })
		}
		wg.Wait()
		for _, err := range errs {
			w.must(err)
		}
		w.must(w.svc.Work(ctx)) // what the others stood in the way of
		var got, boxes, people int64
		w.must(w.db.Model(&models.Delivery{}).Where("kind = 'series'").Count(&got).Error)
		w.must(w.db.Model(&models.Delivery{}).Where("kind = 'series'").Distinct("mailbox_id").Count(&boxes).Error)
		w.must(w.db.Model(&models.SeriesPerson{}).Where("state = 'finished'").Count(&people).Error)
		if got != 2*n || boxes != n || people != n {
			w.t.Errorf("%d mails to %d addresses, %d people at the end; want %d, %d, %d", got, boxes, people, 2*n, n, n)
		}
	})
}

// crowd makes people who joined now, by whole tables.
func (w *world) crowd(n int) {
	w.t.Helper()
	now := w.clk.Now()
	people, boxes, yes := make([]models.Supporter, n), make([]models.Mailbox, n), make([]models.Consent, n)
	for i := range n {
		people[i] = models.Supporter{ID: models.NewID(), Locale: "en", Source: "form", CreatedAt: now, UpdatedAt: now}
		boxes[i] = models.Mailbox{ID: models.NewID(), AddressHash: fmt.Appendf(nil, "hash %d", i), AddressSealed: []byte{1}, VerifiedAt: &now, SupporterID: &people[i].ID, CreatedAt: now, UpdatedAt: now}
		yes[i] = models.Consent{
			ID: models.NewID(), MailboxID: boxes[i].ID, Purpose: models.PurposeNewsletter, TextID: w.texts[models.PurposeNewsletter], Locale: "en", ShownAt: now, GivenAt: now, Source: "form", How: models.ConsentByMail,
		}
	}
	w.must(w.db.CreateInBatches(&people, 1000).Error)
	w.must(w.db.CreateInBatches(&boxes, 1000).Error)
	w.must(w.db.CreateInBatches(&yes, 1000).Error)
}

// A run that is broken off anywhere leaves nothing half done: another one ends it, and nothing is double.
func TestRunsBrokenOff(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("broken")
		w.mail(id, "One")
		_, err := w.svc.AddStep(ctx, w.user, id, series.StepInput{Kind: models.StepTag, Tag: "met"})
		w.must(err)
		w.wait(id, 1, "hours")
		w.mail(id, "Two")
		w.live(id)
		const n = 60
		w.crowd(n)
		// Each run dies a little later than the one before; what it had not committed is gone.
		for round := range 2 {
			died := 0
			for looks := int64(1); ; looks += 5 {
				if err := w.svc.Work(dying(looks)); err == nil {
					break
				}
				died++
			}
			if died < 10 {
				w.t.Fatalf("only %d runs died: they were not broken off in the middle", died)
			}
			w.must(w.svc.Work(ctx))
			var mails, boxes, tags, here int64
			w.must(w.db.Model(&models.Delivery{}).Where("kind = 'series'").Count(&mails).Error)
			w.must(w.db.Model(&models.Delivery{}).Where("kind = 'series'").Distinct("mailbox_id").Count(&boxes).Error)
			w.must(w.db.Model(&models.Tagging{}).Count(&tags).Error)
			w.must(w.db.Model(&models.SeriesPerson{}).Count(&here).Error)
			if want := int64(n * (round + 1)); mails != want || boxes != n || tags != n || here != n {
				w.t.Errorf("round %d: %d mails to %d addresses, %d tags, %d people; want %d mails, %d people", round, mails, boxes, tags, here, want, n)
			}
			w.clk.Add(time.Hour)
		}
	})
}

func TestComingAgain(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("again")
		w.mail(id, "Hello")
		w.set(id, func(in *series.Settings) {
			in.Trigger, in.TriggerID, in.Again = models.TriggerSigned, w.petition.ID, 30
		})
		w.live(id)
		p := w.join("June")
		first := w.sign(p, w.clk.Now(), models.SignatureConfirmed)
		w.work()
		again := func() {
			at := w.clk.Now()
			w.must(w.db.Model(&models.Signature{}).Where("id = ?", first).Update("confirmed_at", at).Error)
			w.work()
		}
		w.clk.Add(29 * day)
		again()
		w.want("june: Hello")
		w.clk.Add(day)
		again()
		w.want("june: Hello, june: Hello")
		if row := w.place(id, p); row.Round != 2 {
			w.t.Errorf("round %d", row.Round)
		}
		w.after(time.Minute)
		w.want("june: Hello, june: Hello")
	})
}

func TestOnePersonWithTwoAddresses(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("two")
		w.mail(id, "One")
		w.wait(id, 1, "days")
		w.mail(id, "Two")
		w.live(id)
		p := w.join("June")
		second := person{p.id, w.mailbox("june2@example.org")}
		w.must(w.db.Model(&models.Mailbox{}).Where("id = ?", second.box).Updates(map[string]any{"supporter_id": p.id, "verified_at": w.clk.Now().Add(time.Minute)}).Error)
		w.agree(second, models.PurposeNewsletter, uuid.Nil, models.ConsentByMail)
		w.work()
		w.want("june: One")
		w.leave(p) // by one address; the other one agreed too
		w.after(day)
		w.want("june2: Two, june: One")
	})
}

func TestChapters(t *testing.T) {
	each(t, func(w *world) {
		north := models.Chapter{ID: models.NewID(), Slug: "north", Name: "North", CreatedAt: start, UpdatedAt: start}
		south := models.Chapter{ID: models.NewID(), Slug: "south", Name: "South", CreatedAt: start, UpdatedAt: start}
		w.must(w.db.Create(&north).Error)
		w.must(w.db.Create(&south).Error)
		of := func(c models.Chapter) actor.Actor {
			a := w.user
			a.ChapterID = c.ID
			return a
		}
		whole := w.user
		w.user = of(north)
		id := w.draft("north")
		w.mail(id, "One")
		w.wait(id, 1, "days")
		w.mail(id, "Two")
		w.live(id)
		in, moves := w.join("In", map[string]any{"chapter_id": north.ID}), w.join("Moves", map[string]any{"chapter_id": north.ID})
		w.join("Out", map[string]any{"chapter_id": south.ID})
		w.join("None")
		w.work()
		w.want("in: One, moves: One")
		w.must(w.db.Model(&models.Supporter{}).Where("id = ?", moves.id).Update("chapter_id", south.ID).Error)
		w.after(day)
		w.want("in: One, in: Two, moves: One")
		w.wantState(id, in, models.SeriesFinished, "")
		w.wantState(id, moves, models.SeriesLeft, models.LeftChapter)
		for name, err := range map[string]error{
			"get":    second(w.svc.Get(ctx, of(south), id)),
			"report": second(w.svc.Report(ctx, of(south), id)),
			"end":    w.svc.End(ctx, of(south), id),
			"step":   second(w.svc.AddStep(ctx, of(south), id, series.StepInput{Kind: models.StepMail})),
		} {
			if !fault.Is(err, fault.NotFound) {
				w.t.Errorf("%s by another chapter: %v", name, err)
			}
		}
		w.must(second(w.svc.Get(ctx, whole, id)))
	})
}

func second[T any](_ T, err error) error { return err }

func TestRightsAndWrongInput(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("rights")
		step := w.mail(id, "One")
		viewer := actor.Actor{Kind: actor.User, UserID: w.user.UserID, Role: actor.Viewer}
		oneStep := w.user
		oneStep.OneStep = true
		for name, err := range map[string]error{
			"create": second(w.svc.Create(ctx, viewer, "x", newsletter, series.Empty)), "save": second(w.svc.Save(ctx, viewer, id, w.settings(id))),
			"add": second(w.svc.AddStep(ctx, viewer, id, series.StepInput{Kind: models.StepMail})), "mail": w.svc.SaveMail(ctx, viewer, id, step, series.MailInput{Locale: "en"}),
			"remove": w.svc.RemoveStep(ctx, viewer, id, step), "test": w.svc.Test(ctx, viewer, id, step, "en"), "start": w.svc.Start(ctx, viewer, id, 1),
			"start in one step": w.svc.Start(ctx, oneStep, id, 1), "preview": second(w.svc.Preview(ctx, viewer, id, step, "en")),
		} {
			if !fault.Is(err, fault.Forbidden) {
				w.t.Errorf("%s: %v", name, err)
			}
		}
		empty := w.draft("empty")
		if err := w.svc.Start(ctx, w.user, empty, 1); keys(err) != "error.series_no_mail" {
			w.t.Errorf("an empty one went live: %s", keys(err))
		}
		wordless, err := w.svc.AddStep(ctx, w.user, empty, series.StepInput{Kind: models.StepMail})
		w.must(err)
		if err := w.svc.Start(ctx, w.user, empty, 1); keys(err) != "error.series_mail_empty" {
			w.t.Errorf("a mail without words went live: %s", keys(err))
		}
		w.must(w.svc.SaveMail(ctx, w.user, empty, wordless, series.MailInput{Locale: "en", Subject: "About {{goal}}", Body: "x"}))
		if err := w.svc.Start(ctx, w.user, empty, 1); keys(err) != "error.series_mail, error.merge_no_petition" {
			w.t.Errorf("a field of a petition in a newsletter went live: %s", keys(err))
		}
		if err := w.svc.SaveMail(ctx, w.user, empty, wordless, series.MailInput{Locale: "en", Revision: 1, Subject: "{{nothing}}", Body: "x"}); keys(err) != "subject error.merge_unknown" {
			w.t.Errorf("an unknown field was kept: %s", keys(err))
		}
		if err := w.svc.SaveMail(ctx, w.user, empty, wordless, series.MailInput{Locale: "fr", Subject: "S", Body: "x"}); keys(err) != "locale error.value_unknown" {
			w.t.Errorf("a language that nobody speaks here: %s", keys(err))
		}
		in := w.settings(id)
		in.Name, in.Days, in.Lookback, in.Again, in.QuietFrom = " ", 900, -1, 9999, "25:00"
		if _, err := w.svc.Save(ctx, w.user, id, in); keys(err) != "name error.series_name, days error.series_days, lookback error.series_days, again error.series_days, quietfrom error.series_hour" {
			w.t.Errorf("settings: %s", keys(err))
		}
		for _, x := range []struct {
			in   series.StepInput
			want string
		}{
			{series.StepInput{Kind: models.StepWait, Amount: -1, Unit: "days", Weekday: -1}, "amount error.series_days"},
			{series.StepInput{Kind: models.StepWait, Amount: 1, Unit: "moons", Weekday: -1}, "unit error.value_unknown"},
			{series.StepInput{Kind: models.StepWait, Amount: 1, Unit: "days", Weekday: 7, Hour: "noon"}, "weekday error.value_unknown, hour error.series_hour"},
			{series.StepInput{Kind: models.StepTag}, "tag error.tag_missing"},
			{series.StepInput{Kind: "nothing"}, "kind error.value_unknown"},
		} {
			if _, err := w.svc.AddStep(ctx, w.user, id, x.in); keys(err) != x.want {
				w.t.Errorf("%+v: %s, want %s", x.in, keys(err), x.want)
			}
		}
		in = w.settings(id)
		in.Trigger, in.TriggerID = models.TriggerTagged, models.NewID()
		if _, err := w.svc.Save(ctx, w.user, id, in); keys(err) != "trigger error.series_trigger" {
			w.t.Errorf("an unknown tag: %s", keys(err))
		}
		in.Trigger, in.TriggerID, in.Goals = models.TriggerSigned, w.petition.ID, []series.Goal{{Kind: models.ExitSigned, ObjectID: w.petition.ID}}
		rev, err := w.svc.Save(ctx, w.user, id, in)
		w.must(err)
		if _, err := w.svc.Save(ctx, w.user, id, in); keys(err) != "error.series_changed" {
			w.t.Errorf("saved over somebody else's: %s", keys(err))
		}
		if err := w.svc.Start(ctx, w.user, id, rev); keys(err) != "error.series_goal_trigger" {
			w.t.Errorf("a goal that is the trigger: %s", keys(err))
		}
		w.set(id, func(in *series.Settings) { in.Goals = nil })
		if err := w.svc.Start(ctx, w.user, id, rev); keys(err) != "error.series_changed" {
			w.t.Errorf("started as it was before somebody changed it: %s", keys(err))
		}
		w.live(id)
		// What is changed of a live one goes out: that needs the right to send.
		if err := w.svc.SaveMail(ctx, oneStep, id, step, series.MailInput{Locale: "en", Revision: 1, Subject: "S", Body: "x"}); !fault.Is(err, fault.Forbidden) {
			w.t.Errorf("a live mail was changed without the second step: %v", err)
		}
		w.set(id, func(in *series.Settings) { in.Trigger, in.Name, in.Lookback = models.TriggerJoined, "Still", 9 })
		if sr, _ := w.svc.Get(ctx, w.user, id); sr.TriggerKind != models.TriggerSigned || sr.Name != "Still" || sr.LookbackDays != 0 {
			w.t.Errorf("settings of a live series: %+v", sr)
		}
	})
}

func TestPreviewAndTest(t *testing.T) {
	each(t, func(w *world) {
		id, err := w.svc.Create(ctx, w.user, "updates", mailings.To{PetitionID: w.petition.ID}, series.Empty)
		w.must(err)
		step := w.mail(id, "About {{petition_title}}")
		p, err := w.svc.Preview(ctx, w.user, id, step, "en")
		w.must(err)
		if p.Subject != "About Twenty visits" || !strings.Contains(p.Text, "Hello Ilse.") || !strings.Contains(p.HTML, "Hello Ilse.") {
			w.t.Errorf("preview: %+v", p)
		}
		none, err := w.svc.Preview(ctx, w.user, id, step, "es")
		w.must(err)
		if none.HTML != "" {
			w.t.Error("a preview of words that are not there")
		}
		w.must(w.svc.Test(ctx, w.user, id, step, "en"))
		w.work()
		if m := w.wire.Messages(); len(m) != 1 || m[0].To != "ilse@example.org" || !strings.Contains(m[0].Subject, "About Twenty visits") {
			w.t.Errorf("test mail: %+v", m)
		}
		if err := w.svc.Test(ctx, w.user, id, step, "es"); keys(err) != "subject error.mailing_no_subject, body error.mailing_no_body" {
			w.t.Errorf("a test of nothing: %s", keys(err))
		}
		// Updates go to those who agreed to them, not to readers of the newsletter.
		w.live(id)
		yes, no := w.person("Yes"), w.join("No")
		w.agree(yes, models.PurposeUpdates, w.petition.CampaignID, models.ConsentByMail)
		w.sign(yes, w.clk.Now(), models.SignatureConfirmed)
		w.sign(no, w.clk.Now(), models.SignatureConfirmed)
		w.work()
		if got := w.got(); !strings.Contains(got, "yes: About Twenty visits") || strings.Contains(got, "no:") {
			w.t.Errorf("mails: %s", got)
		}
	})
}

// A tag that becomes one with another is the other in series too; one that a series names is not deleted.
func TestTagsOfSeries(t *testing.T) {
	each(t, func(w *world) {
		svc := supporters.New(w.db, w.vault, w.clk)
		owner := actor.Actor{Kind: actor.User, UserID: w.user.UserID, Role: actor.Owner}
		gone, err := supporters.EnsureTag(ctx, w.db.DB, "gone", start)
		w.must(err)
		kept, err := supporters.EnsureTag(ctx, w.db.DB, "kept", start)
		w.must(err)
		id := w.draft("tags")
		w.mail(id, "One")
		_, err = w.svc.AddStep(ctx, w.user, id, series.StepInput{Kind: models.StepTag, Tag: "gone"})
		w.must(err)
		w.set(id, func(in *series.Settings) {
			in.Trigger, in.TriggerID = models.TriggerTagged, gone.ID
			in.Goals = []series.Goal{{Kind: models.ExitTagged, ObjectID: gone.ID}, {Kind: models.ExitTagged, ObjectID: kept.ID}}
		})
		if err := svc.DeleteTag(ctx, owner, gone.ID); keys(err) != "error.tag_used" {
			w.t.Errorf("a tag in use was deleted: %s", keys(err))
		}
		w.must(svc.MergeTags(ctx, owner, gone.ID, kept.ID))
		r, err := w.svc.Report(ctx, w.user, id)
		w.must(err)
		if r.TriggerName != "kept" || r.Steps[1].Tag != "kept" || len(r.Goals) != 1 || r.Goals[0].Name != "kept" {
			w.t.Errorf("after the merge: %+v", r)
		}
	})
}

// The page behind a mail's unsubscribe link ends the yes; the series notices.
func TestUnsubscribe(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("leave")
		w.mail(id, "One")
		w.wait(id, 1, "days")
		w.mail(id, "Two")
		w.live(id)
		p := w.join("June")
		w.work()
		token := strings.TrimPrefix(w.wire.Messages()[0].UnsubscribeURL, "https://act.example.org/u/")
		sub, err := w.mails.Unsubscribe(ctx, token, mailings.ByOneClick)
		w.must(err)
		if sub.Active || sub.Purpose != models.PurposeNewsletter {
			w.t.Errorf("after leaving: %+v", sub)
		}
		w.after(day)
		w.want("june: One")
		w.wantState(id, p, models.SeriesLeft, models.LeftNoConsent)
		ok, _ := consents.NotTooSoon("s", w.clk.Now())
		if !strings.Contains(ok, "'series'") {
			w.t.Error("mails of series do not count for how often somebody wants mail")
		}
	})
}

// A mail whose fate is unknown is parked, until somebody decides.
func TestUnknownMails(t *testing.T) {
	each(t, func(w *world) {
		id := w.draft("unknown")
		w.mail(id, "One")
		w.live(id)
		w.join("Ada")
		w.join("Bea")
		w.wire.Answer(mailer.Outcome{State: mailer.Unknown}, mailer.Outcome{State: mailer.Unknown})
		w.work()
		open := func() int {
			r, err := w.svc.Report(ctx, w.user, id)
			w.must(err)
			return r.Open
		}
		queues, err := w.svc.Today(ctx, w.user)
		w.must(err)
		if open() != 2 || len(queues) != 1 || queues[0].Count != 2 || queues[0].Key != "series.queue_unknown" {
			w.t.Fatalf("%d are open; queues %+v", open(), queues)
		}
		w.after(day)
		if n := len(w.wire.Messages()); n != 2 {
			w.t.Errorf("%d tries before anybody decided", n)
		}
		n, err := w.svc.Settle(ctx, w.user, id, true)
		w.must(err)
		w.wire.Answer(mailer.Outcome{State: mailer.Unknown})
		w.work()
		all := w.wire.Messages()
		if n != 2 || len(all) != 4 || open() != 1 {
			w.t.Fatalf("%d settled, %d tries, %d open", n, len(all), open())
		}
		ids := map[string]int{}
		for _, m := range all {
			ids[m.MessageID]++
		}
		if len(ids) != 2 {
			w.t.Errorf("sent again under another Message-ID: %v", ids)
		}
		w.must(second(w.svc.Settle(ctx, w.user, id, false)))
		if queues, err = w.svc.Today(ctx, w.user); open() != 0 || len(queues) != 0 || err != nil {
			w.t.Errorf("after leaving them: %d open, %v, %v", open(), queues, err)
		}
		if n, err := w.svc.Settle(ctx, w.user, id, true); n != 0 || err != nil {
			w.t.Errorf("%d left ones were sent again, %v", n, err)
		}
	})
}

// A series that cannot go on does not stand in the way of the others, and is told of.
func TestOneSeriesThatFails(t *testing.T) {
	each(t, func(w *world) {
		broken, good := w.draft("broken"), w.draft("good")
		for _, id := range []uuid.UUID{broken, good} {
			w.mail(id, "One")
		}
		w.set(broken, func(in *series.Settings) { in.Trigger, in.Date = models.TriggerDate, "2027-03-01" })
		w.live(broken)
		w.live(good)
		w.must(w.db.Model(&models.Series{}).Where("id = ?", broken).Update("trigger_date", "nonsense").Error)
		w.join("June")
		if err := w.svc.Work(ctx); err == nil || !strings.Contains(err.Error(), broken.String()) {
			w.t.Errorf("the failure: %v", err)
		}
		_, err := w.out.Drain(ctx)
		w.must(err)
		w.want("june: One")
	})
}

// Somebody's day that passed during a pause is over.
func TestAnniversaryDuringAPause(t *testing.T) {
	each(t, func(w *world) {
		passed := w.join("Passed")
		w.clk.Add(10 * day)
		comes := w.join("Comes")
		w.clk.Set(start.AddDate(1, 0, -3))
		id := w.draft("yearly")
		w.mail(id, "A year")
		w.set(id, func(in *series.Settings) { in.Trigger = models.TriggerAnniversary })
		w.live(id)
		w.work()
		w.must(w.svc.Pause(ctx, w.user, id))
		w.after(8 * day)
		w.must(w.svc.Resume(ctx, w.user, id))
		w.after(5 * day)
		w.want("comes: A year")
		if w.place(id, passed).ID != uuid.Nil || w.place(id, comes).ID == uuid.Nil {
			w.t.Error("the wrong one came in")
		}
	})
}
