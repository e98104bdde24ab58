package mailings_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/consents"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/jobs"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/mailings"
	"kithline/campaigns/organisation"
	"kithline/campaigns/paging"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var (
	ctx   = context.Background()
	start = time.Date(2027, 2, 1, 12, 0, 0, 0, time.UTC)
)

// world is an organisation with one published petition, its outbox with a transport in memory, and a clock that stands.
type world struct {
	t        *testing.T
	db       *database.DB
	vault    *vault.Vault
	clk      *clock.Fixed
	signer   *tokens.Signer
	wire     *mailer.Memory
	out      *deliveries.Service
	svc      *mailings.Service
	org      *organisation.Service
	petition models.Petition
	text     models.ConsentText
	user     actor.Actor // an organizer
	enqueued atomic.Int64
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	v := vault.New(vault.NewKey())
	w := &world{t: t, db: db, vault: v, clk: clock.NewFixed(start), signer: tokens.New(v), wire: mailer.NewMemory()}
	w.org = organisation.New(db, v, w.clk)
	_, err := w.org.Ensure(ctx)
	w.must(err)
	w.orgSet(map[string]any{"name": "Wennick Coalition", "postal_address": "12 Ferry Street, Harrow Bay", "time_zone": "America/New_York"})
	words, err := mailer.NewRenderer()
	w.must(err)
	sender := func(ctx context.Context) (deliveries.Sender, error) {
		o, err := w.org.Current(ctx)
		return deliveries.Sender{
			Transport: w.wire, Connections: 3, FromName: "WCPC", FromAddress: "hello@act.example.org", ListDomain: "act.example.org",
			Letterhead: mailer.Letterhead{OrgName: o.Name, PostalAddress: o.PostalAddress, SiteURL: "https://act.example.org"},
		}, err
	}
	w.out = deliveries.NewService(db, v, w.clk, w.signer, words, deliveries.Options{Sender: sender, Lease: time.Minute})
	w.svc = mailings.New(mailings.Options{
		DB: db, Vault: v, Clock: w.clk, Signer: w.signer, Organisation: w.org, Mail: words, Sender: sender, BaseURL: "https://act.example.org",
		Enqueue: func(context.Context, *gorm.DB, river.JobArgs) error { w.enqueued.Add(1); return nil },
		Words: mailings.Words{
			Text: func(lang, key string, args ...any) string {
				return strings.TrimSpace(key + " " + fmt.Sprintln(args...))
			},
			Date:   func(_ string, t time.Time) string { return t.Format(time.DateOnly) },
			Number: func(_ string, n int64) string { return fmt.Sprint(n) },
		},
	})
	w.svc.Register(w.out)

	c := models.Campaign{ID: models.NewID(), Slug: "visits", Title: "Visits for all", State: models.CampaignPublished, CreatedAt: start, UpdatedAt: start}
	w.must(db.Create(&c).Error)
	w.petition = models.Petition{
		ID: models.NewID(), CampaignID: c.ID, Slug: "twenty-visits", State: models.PetitionPublished, Title: "Twenty visits", Goal: 5000, Locale: "en",
		SignatureCount: 3184, CreatedAt: start, UpdatedAt: start,
	}
	w.must(db.Create(&w.petition).Error)
	w.text, err = consents.Text(ctx, db.DB, models.PurposeUpdates, "en", "Write to me about this.", start)
	w.must(err)

	box := w.mailbox("ilse@example.org")
	u := models.User{ID: models.NewID(), MailboxID: box, Role: "organizer", Locale: "en", CreatedAt: start, UpdatedAt: start}
	u.NameSealed = v.Seal("users", "name_sealed", u.ID, "Ilse Halvorsen")
	w.must(db.Create(&u).Error)
	w.user = actor.Actor{Kind: actor.User, UserID: u.ID, Role: actor.Organizer}
	return w
}

// quiet are the quiet hours that an organisation begins with.
func (w *world) quiet(context.Context) (from, to int, err error) { return 20 * 60, 9 * 60, nil }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) orgSet(columns map[string]any) {
	w.t.Helper()
	w.must(w.db.Model(&models.Organisation{}).Where("id = ?", organisation.ID).Updates(columns).Error)
	w.org.Drop()
}

func (w *world) mailbox(address string) uuid.UUID {
	w.t.Helper()
	var m models.Mailbox
	w.must(w.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		m, err = mailboxes.Ensure(ctx, tx, w.vault, address, w.clk.Now())
		return err
	}))
	return m.ID
}

// sign puts a signature under the petition, with or without consent to updates, and returns the mailbox.
func (w *world) sign(address, name string, state models.SignatureState, updates bool) uuid.UUID {
	w.t.Helper()
	box := w.mailbox(address)
	g := models.Signature{
		ID: models.NewID(), PetitionID: w.petition.ID, MailboxID: box, State: state, Display: models.DisplayName, WantsUpdates: updates, Locale: "en",
		CreatedAt: start, ExpiresAt: start.AddDate(0, 0, 7),
	}
	g.GivenNameSealed = w.vault.Seal("signatures", "given_name_sealed", g.ID, name)
	if state == models.SignatureConfirmed {
		g.ConfirmedAt = &g.CreatedAt
	}
	w.must(w.db.Create(&g).Error)
	if updates {
		w.consent(box)
	}
	return box
}

func (w *world) consent(box uuid.UUID) {
	w.t.Helper()
	w.must(consents.Give(ctx, w.db.DB, consents.Given{
		MailboxID: box, Purpose: models.PurposeUpdates, ScopeID: w.petition.CampaignID, TextID: w.text.ID, Locale: "en", ShownAt: start,
		Source: "petition", How: models.ConsentByMail,
	}, w.clk.Now()))
}

// signers makes n confirmed signers who agreed to updates.
func (w *world) signers(n int) []uuid.UUID {
	w.t.Helper()
	var out []uuid.UUID
	for i := range n {
		out = append(out, w.sign(fmt.Sprintf("signer%d@mail%d.example.org", i, i%3), fmt.Sprintf("Signer%d", i), models.SignatureConfirmed, true))
	}
	return out
}

// draft makes a mailing that can be sent.
func (w *world) draft() uuid.UUID {
	w.t.Helper()
	id, err := w.svc.Create(ctx, w.user, w.petition.ID)
	w.must(err)
	w.write(id, "Tuesday: three ways in", "Hello {{given_name|friend}}, {{signature_count}} of {{goal}}.")
	return id
}

func (w *world) write(id uuid.UUID, subject, body string) int {
	w.t.Helper()
	m, err := w.svc.Get(ctx, w.user, id)
	w.must(err)
	r, err := w.svc.Save(ctx, w.user, id, mailings.Draft{Revision: m.Revision, PetitionID: w.petition.ID, Subject: subject, Body: body})
	w.must(err)
	return r
}

// send starts a mailing and freezes it, as the job would.
func (w *world) send(id uuid.UUID) {
	w.t.Helper()
	m, err := w.svc.Get(ctx, w.user, id)
	w.must(err)
	w.must(w.svc.Send(ctx, w.user, id, m.Revision))
	w.must(w.svc.Freeze(ctx, id))
}

func (w *world) drain() {
	w.t.Helper()
	_, err := w.out.Drain(ctx)
	w.must(err)
}

func (w *world) progress(id uuid.UUID) mailings.Progress {
	w.t.Helper()
	p, err := w.svc.Progress(ctx, w.user, id)
	w.must(err)
	if sum := p.Sent + p.Waiting + p.Later + p.Refused + p.Left + p.Paused + p.Expired + p.Unknown; sum != p.Total {
		w.t.Fatalf("the states add up to %d of %d", sum, p.Total)
	}
	return p
}

func (w *world) to() []string {
	var out []string
	for _, m := range w.wire.Messages() {
		out = append(out, m.To)
	}
	slices.Sort(out)
	return out
}

func key(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Key
	}
	return ""
}

func TestFreezeTakesExactlyWhoMayBeMailed(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sign("yes@example.org", "June", models.SignatureConfirmed, true)
		w.sign("also@example.org", "", models.SignatureConfirmed, true)
		w.sign("no-updates@example.org", "Rosa", models.SignatureConfirmed, false)
		w.sign("pending@example.org", "Teo", models.SignaturePending, true)
		w.sign("suspect@example.org", "Sus", models.SignatureSuspect, true)
		w.sign("withdrew@example.org", "Cal", models.SignatureWithdrawn, true)
		w.sign("invalid@example.org", "Inv", models.SignatureInvalidated, true)
		left := w.sign("left@example.org", "Nadia", models.SignatureConfirmed, true)
		_, err := consents.Withdraw(ctx, db.DB, left, models.PurposeUpdates, w.petition.CampaignID, "page", start)
		w.must(err)
		bounced := w.sign("bounced@example.org", "Hal", models.SignatureConfirmed, true)
		w.must(mailboxes.Suppress(ctx, db.DB, bounced, models.SuppressedBounce, start))
		erased := w.sign("erased@example.org", "Era", models.SignatureConfirmed, true)
		w.must(db.Exec("UPDATE mailboxes SET address_sealed = NULL WHERE id = ?", erased).Error)
		// A yes to another campaign is no yes to this one.
		other := w.sign("other@example.org", "Oth", models.SignatureConfirmed, false)
		w.must(consents.Give(ctx, db.DB, consents.Given{
			MailboxID: other, Purpose: models.PurposeUpdates, ScopeID: models.NewID(), TextID: w.text.ID, ShownAt: start, How: models.ConsentByMail,
		}, start))
		// A yes without a signature makes nobody a signer.
		w.consent(w.mailbox("reader@example.org"))

		id := w.draft()
		_, a, err := w.svc.Checks(ctx, w.user, id)
		w.must(err)
		if want := (mailings.Audience{All: 7, People: 2, WithoutConsent: 3, Suppressed: 2}); a != want {
			t.Errorf("audience %+v, want %+v", a, want)
		}
		w.send(id)
		m, err := w.svc.Get(ctx, w.user, id)
		w.must(err)
		if m.State != models.MailingSending || m.AudienceCount != 2 || m.FrozenAt == nil {
			t.Errorf("%s, audience %d, frozen %v", m.State, m.AudienceCount, m.FrozenAt)
		}
		w.drain()
		if got := strings.Join(w.to(), " "); got != "also@example.org yes@example.org" {
			t.Errorf("mail went to %s", got)
		}
		w.must(w.svc.Tidy(ctx))
		if m, _ = w.svc.Get(ctx, w.user, id); m.State != models.MailingFinished || m.FinishedAt == nil {
			t.Errorf("%s after all was sent", m.State)
		}
	})
}

func TestNoDeliveryWithoutConsent(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		box := w.sign("no@example.org", "Rosa", models.SignatureConfirmed, false)
		id := w.draft()
		err := db.Tx(ctx, func(tx *gorm.DB) error {
			_, err := deliveries.Insert(ctx, tx, deliveries.New{
				Kind: mailings.KindMailing, MailboxID: box, SubjectID: id, MailingID: &id, Purpose: models.PurposeUpdates,
				ScopeID: w.petition.CampaignID, DedupeKey: "x", Priority: models.PriorityBulk, OnUnknown: models.Park,
			}, start)
			return err
		})
		if !fault.Is(err, fault.Forbidden) || key(err) != "error.no_consent" {
			t.Fatalf("inserted: %v", err)
		}
		var n int64
		w.must(db.Model(&models.Delivery{}).Count(&n).Error)
		if n != 0 {
			t.Fatalf("%d deliveries", n)
		}
	})
}

func TestFreezeTwiceAndAtOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(25)
		id := w.draft()
		m, err := w.svc.Get(ctx, w.user, id)
		w.must(err)
		w.must(w.svc.Send(ctx, w.user, id, m.Revision))
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() { errs[i] = w.svc.Freeze(ctx, id) })
		}
		wg.Wait()
		for _, err := range errs {
			if err != nil {
				t.Error(err)
			}
		}
		if p := w.progress(id); p.Total != 25 || p.Mailing.AudienceCount != 25 {
			t.Fatalf("%d deliveries, audience %d", p.Total, p.Mailing.AudienceCount)
		}
		// Even set back by hand, nobody is taken twice, and whoever signed since is taken once.
		w.sign("late@example.org", "Late", models.SignatureConfirmed, true)
		w.must(db.Exec("UPDATE mailings SET state = 'freezing' WHERE id = ?", id).Error)
		w.must(w.svc.Freeze(ctx, id))
		if p := w.progress(id); p.Total != 26 || p.Mailing.AudienceCount != 26 {
			t.Fatalf("%d deliveries, audience %d", p.Total, p.Mailing.AudienceCount)
		}
		w.drain()
		got := w.to()
		if len(got) != 26 || len(slices.Compact(got)) != 26 {
			t.Fatalf("mails to %v", got)
		}
	})
}

func TestSendAtOnceStartsOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(2)
		id := w.draft()
		m, err := w.svc.Get(ctx, w.user, id)
		w.must(err)
		var wg sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			wg.Go(func() { errs[i] = w.svc.Send(ctx, w.user, id, m.Revision) })
		}
		wg.Wait()
		ok := 0
		for _, err := range errs {
			if err == nil {
				ok++
			} else if !fault.Is(err, fault.Conflict) {
				t.Error(err)
			}
		}
		if ok != 1 || w.enqueued.Load() != 1 {
			t.Fatalf("started %d times, %d jobs", ok, w.enqueued.Load())
		}
		var n int64
		w.must(db.Model(&models.AuditEntry{}).Where("action = 'mailing.send'").Count(&n).Error)
		if n != 1 {
			t.Fatalf("%d entries in the audit log", n)
		}
	})
}

// The job itself, from the button on.
func TestFreezeRunsAsAJob(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(3)
		workers := river.NewWorkers()
		w.svc.AddWorkers(workers)
		c, err := jobs.New(db, jobs.Options{Workers: workers, Regular: []jobs.Regular{w.svc.Regular()}, Log: slog.New(slog.DiscardHandler), Poll: 50 * time.Millisecond})
		w.must(err)
		w.svc.Enqueue = c.Enqueue
		done, off := c.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed)
		defer off()
		w.must(c.Start(ctx))
		defer func() {
			end, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			w.must(c.Stop(end))
		}()
		id := w.draft()
		m, err := w.svc.Get(ctx, w.user, id)
		w.must(err)
		w.must(w.svc.Send(ctx, w.user, id, m.Revision))
		limit := time.After(20 * time.Second)
		for {
			select {
			case e := <-done:
				if e.Kind == river.EventKindJobFailed {
					t.Fatalf("%s failed: %v", e.Job.Kind, e.Job.Errors)
				}
				if e.Job.Kind == (mailings.FreezeArgs{}).Kind() {
					if p := w.progress(id); p.Total != 3 || p.Mailing.State != models.MailingSending {
						t.Fatalf("%+v", p)
					}
					return
				}
			case <-limit:
				t.Fatal("the job did not run")
			}
		}
	})
}

func TestSendIsStoppedByChecks(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sign("yes@example.org", "June", models.SignatureConfirmed, true)
		id := w.draft()
		try := func() error {
			m, err := w.svc.Get(ctx, w.user, id)
			w.must(err)
			return w.svc.Send(ctx, w.user, id, m.Revision)
		}
		stops := func(name, want string, change, undo func()) {
			t.Helper()
			change()
			err := try()
			var f *fault.Error
			if !errors.As(err, &f) || f.Kind != fault.Invalid || len(f.Fields) != 1 ||
				!strings.HasPrefix(f.Fields[0].Key+fmt.Sprint(f.Fields[0].Args), want) {
				t.Errorf("%s: %v", name, err)
			}
			undo()
		}
		good := func() { w.write(id, "Tuesday", "Hello {{given_name|friend}}") }
		set := func(q string, args ...any) func() { return func() { w.must(db.Exec(q, args...).Error) } }
		stops("no address", "error.mailing_no_address", func() { w.orgSet(map[string]any{"postal_address": ""}) },
			func() { w.orgSet(map[string]any{"postal_address": "12 Ferry Street"}) })
		stops("no subject", "error.mailing_no_subject", func() { w.write(id, "", "x") }, good)
		stops("no text", "error.mailing_no_body", func() { w.write(id, "x", " \n") }, good)
		stops("only a comment", "error.mailing_no_body", func() { w.write(id, "x", "<!-- x -->") }, good)
		stops("an unknown field", "error.merge_unknown[Name health Line 2]", set("UPDATE mailings SET body = ?, revision = revision + 1 WHERE id = ?", "a\n{{health}}", id), good)
		stops("a hidden petition", "error.mailing_petition", set("UPDATE petitions SET state = 'hidden'"), set("UPDATE petitions SET state = 'published'"))
		stops("nobody", "mailings.check_nobody", set("UPDATE signatures SET state = 'withdrawn'"), set("UPDATE signatures SET state = 'confirmed'"))
		w.svc.BaseURL = "http://act.example.org"
		stops("no https", "mailings.check_https", func() {}, func() { w.svc.BaseURL = "https://act.example.org" })

		m, err := w.svc.Get(ctx, w.user, id)
		w.must(err)
		if err := w.svc.Send(ctx, w.user, id, m.Revision-1); !fault.Is(err, fault.Conflict) {
			t.Errorf("an older revision: %v", err)
		}
		for _, a := range []actor.Actor{{}, {Kind: actor.User, Role: actor.Advocate}, {Kind: actor.User, Role: actor.Viewer}, {Kind: actor.Person}} {
			if err := w.svc.Send(ctx, a, id, m.Revision); !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("sent by %v: %v", a, err)
			}
		}
		if w.enqueued.Load() != 0 {
			t.Error("a job was started")
		}
		w.must(try())
	})
}

func TestSave(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		id := w.draft()
		m, err := w.svc.Get(ctx, w.user, id)
		w.must(err)
		d := mailings.Draft{Revision: m.Revision, PetitionID: w.petition.ID, Subject: "A", Body: "one\r\ntwo"}
		r, err := w.svc.Save(ctx, w.user, id, d)
		if err != nil || r != m.Revision+1 {
			t.Fatalf("revision %d, %v", r, err)
		}
		if got, _ := w.svc.Get(ctx, w.user, id); got.Body != "one\ntwo" {
			t.Errorf("body %q", got.Body)
		}
		if again, err := w.svc.Save(ctx, w.user, id, d); err != nil || again != r {
			t.Errorf("the same words again: revision %d, %v", again, err)
		}
		d.Subject = "B"
		if _, err := w.svc.Save(ctx, w.user, id, d); key(err) != "error.mailing_changed" {
			t.Errorf("over another's words: %v", err)
		}
		d.Revision, d.Body = r, "a\n\n{{name}} {{x"
		if _, err := w.svc.Save(ctx, w.user, id, d); !fault.Is(err, fault.Invalid) ||
			!strings.Contains(err.Error(), "body: error.merge_unknown; body: error.merge_open") {
			t.Errorf("unknown fields: %v", err)
		}
		d.Unfinished = true
		if r, err = w.svc.Save(ctx, w.user, id, d); err != nil {
			t.Errorf("half typed: %v", err)
		}
		for name, change := range map[string]func(*mailings.Draft){
			"body too long":    func(d *mailings.Draft) { d.Body = strings.Repeat("x", mailings.MaxBody+1) },
			"subject too long": func(d *mailings.Draft) { d.Subject = strings.Repeat("é", mailings.MaxLine+1) },
			"NUL":              func(d *mailings.Draft) { d.Body = "a\x00b" },
			"not UTF-8":        func(d *mailings.Draft) { d.Body = "a\xffb" },
			"another petition": func(d *mailings.Draft) { d.PetitionID = models.NewID() },
		} {
			x := mailings.Draft{Revision: r, PetitionID: w.petition.ID, Subject: "A", Unfinished: true}
			change(&x)
			if _, err := w.svc.Save(ctx, w.user, id, x); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		whole := mailings.Draft{Revision: r, PetitionID: w.petition.ID, Subject: strings.Repeat("é", mailings.MaxLine), Body: strings.Repeat("x", mailings.MaxBody)}
		if _, err := w.svc.Save(ctx, w.user, id, whole); err != nil {
			t.Errorf("the longest: %v", err)
		}
		if _, err := w.svc.Save(ctx, w.user, models.NewID(), whole); !fault.Is(err, fault.NotFound) {
			t.Errorf("an unknown id: %v", err)
		}
		if _, err := w.svc.Save(ctx, actor.Actor{Kind: actor.User, Role: actor.Advocate}, id, whole); !fault.Is(err, fault.Forbidden) {
			t.Errorf("by an advocate: %v", err)
		}
		w.sign("yes@example.org", "June", models.SignatureConfirmed, true)
		w.write(id, "A", "B")
		w.send(id)
		sent, _ := w.svc.Get(ctx, w.user, id)
		if _, err := w.svc.Save(ctx, w.user, id, mailings.Draft{Revision: sent.Revision, PetitionID: w.petition.ID, Subject: "late"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("after it was sent: %v", err)
		}
		list, err := w.svc.List(ctx, w.user, paging.Cursor{})
		if err != nil || len(list.Rows) != 1 || list.Rows[0].Petition != "Twenty visits" {
			t.Errorf("list %+v, %v", list.Rows, err)
		}
	})
}

func TestWhatArrives(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sign("june@example.org", "June", models.SignatureConfirmed, true)
		w.sign("none@example.org", "", models.SignatureConfirmed, true)
		w.sign("evil@example.org", "<b>{{goal}}</b>\r\nBcc: victim@example.org", models.SignatureConfirmed, true)
		id := w.draft()
		w.write(id, "For {{given_name|you}}", "Hello {{given_name|friend}}, {{signature_count}} of {{goal}}: [see]({{petition_url}}) from {{organisation}}")
		w.send(id)
		w.drain()
		by := map[string]mailer.Sent{}
		for _, s := range w.wire.All() {
			by[s.Message.To] = s
		}
		if len(by) != 3 {
			t.Fatalf("%d mails", len(by))
		}
		m := by["june@example.org"].Message
		if m.Subject != "For June" || m.ToName != "June" || !strings.HasPrefix(m.Text, "Hello June, 3184 of 5000: see\n(https://act.example.org/petitions/twenty-visits) from Wennick Coalition") {
			t.Errorf("%q to %q: %s", m.Subject, m.ToName, m.Text)
		}
		for _, want := range []string{"mailings.reason_date About Visits for all Date 2027-02-01", "12 Ferry Street, Harrow Bay", m.UnsubscribeURL} {
			if flat := strings.Join(strings.Fields(m.Text), " "); !strings.Contains(flat, want) {
				t.Errorf("no %q in the text:\n%s", want, m.Text)
			}
		}
		if !strings.HasPrefix(m.UnsubscribeURL, "https://act.example.org/u/") || !m.Bulk || !strings.HasPrefix(m.ListID, "updates-") {
			t.Errorf("unsubscribe %q, list %q", m.UnsubscribeURL, m.ListID)
		}
		if n := by["none@example.org"].Message; n.Subject != "For you" || !strings.HasPrefix(n.Text, "Hello friend,") || n.ToName != "" {
			t.Errorf("without a name: %q, %q", n.Subject, n.Text)
		}
		evil := by["evil@example.org"]
		if !strings.Contains(evil.Message.HTML, "Hello &lt;b&gt;{{goal}}&lt;/b&gt; Bcc: victim@example.org,") {
			t.Errorf("HTML: %s", evil.Message.HTML)
		}
		head, _, _ := strings.Cut(string(evil.Raw), "\r\n\r\n")
		for line := range strings.SplitSeq(head, "\r\n") {
			if strings.HasPrefix(strings.ToLower(line), "bcc:") {
				t.Errorf("a header of the name's: %s", line)
			}
		}
		if again := by["june@example.org"].Message.UnsubscribeURL; again == by["none@example.org"].Message.UnsubscribeURL {
			t.Error("two people share an unsubscribe link")
		}
	})
}

func tokenOf(m mailer.Message) string {
	return m.UnsubscribeURL[strings.LastIndexByte(m.UnsubscribeURL, '/')+1:]
}

func TestUnsubscribeAndTheNextMailing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sign("june@example.org", "June", models.SignatureConfirmed, true)
		w.sign("teo@example.org", "Teo", models.SignatureConfirmed, true)
		first := w.draft()
		w.send(first)
		w.drain()
		var token string
		for _, m := range w.wire.Messages() {
			if m.To == "june@example.org" {
				token = tokenOf(m)
			}
		}
		// A second one is frozen with June in it, and not sent yet.
		second := w.draft()
		w.send(second)
		if v, err := w.svc.Subscription(ctx, token); err != nil || !v.Active || v.About != "Visits for all" || v.Undo {
			t.Fatalf("before: %+v, %v", v, err)
		}
		w.clk.Add(time.Minute)
		for range 3 {
			v, err := w.svc.Unsubscribe(ctx, token, mailings.ByOneClick)
			if err != nil || v.Active || !v.Undo {
				t.Fatalf("after: %+v, %v", v, err)
			}
		}
		var cs []models.Consent
		w.must(db.Where("withdrawn_at IS NOT NULL").Find(&cs).Error)
		if len(cs) != 1 || cs[0].WithdrawnHow != "one_click" || !cs[0].WithdrawnAt.Equal(w.clk.Now()) {
			t.Fatalf("consents %+v", cs)
		}
		if p := w.progress(second); p.Left != 1 || p.Waiting != 1 {
			t.Fatalf("the second mailing: %+v", p)
		}
		w.wire.Reset()
		w.drain()
		third := w.draft()
		w.send(third)
		w.drain()
		if got := strings.Join(w.to(), " "); got != "teo@example.org teo@example.org" {
			t.Fatalf("mail went to %s", got)
		}
		if p := w.progress(third); p.Total != 1 || p.State != models.MailingFinished {
			t.Errorf("the third: %+v", p)
		}
	})
}

func TestUndo(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sign("june@example.org", "June", models.SignatureConfirmed, true)
		w.send(w.draft())
		w.drain()
		token := tokenOf(w.wire.Messages()[0])
		if v, err := w.svc.Undo(ctx, token); err != nil || !v.Active {
			t.Fatalf("nothing to undo: %+v, %v", v, err)
		}
		_, err := w.svc.Unsubscribe(ctx, token, mailings.ByPage)
		w.must(err)
		w.clk.Add(29 * time.Minute)
		for range 2 {
			if v, err := w.svc.Undo(ctx, token); err != nil || !v.Active {
				t.Fatalf("undone: %+v, %v", v, err)
			}
		}
		var cs []models.Consent
		w.must(db.Order("given_at").Find(&cs).Error)
		if len(cs) != 2 || cs[1].How != models.ConsentByMail || cs[1].Source != "unsubscribe page undo" || cs[1].TextID != w.text.ID || cs[1].WithdrawnAt != nil {
			t.Fatalf("consents %+v", cs)
		}
		_, err = w.svc.Unsubscribe(ctx, token, mailings.ByPage)
		w.must(err)
		w.clk.Add(30 * time.Minute)
		if v, err := w.svc.Undo(ctx, token); err != nil || v.Active || v.Undo {
			t.Fatalf("after half an hour: %+v, %v", v, err)
		}
		// What ended in another way than by this link is not taken back by it.
		w.consent(w.mailbox("june@example.org"))
		_, err = consents.Withdraw(ctx, db.DB, w.mailbox("june@example.org"), models.PurposeUpdates, w.petition.CampaignID, "complaint", w.clk.Now())
		w.must(err)
		if v, err := w.svc.Undo(ctx, token); err != nil || v.Active || v.Undo {
			t.Fatalf("after a complaint: %+v, %v", v, err)
		}
	})
}

func TestUnsubscribeTokens(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		erased := w.signer.MakeForever(tokens.Unsubscribe, models.NewID())
		if v, err := w.svc.Unsubscribe(ctx, erased, mailings.ByOneClick); err != nil || v.Active || v.Purpose != "" {
			t.Errorf("an erased mail: %+v, %v", v, err)
		}
		for _, token := range []string{"", "x", w.signer.MakeForever(tokens.Message, models.NewID()), erased[:50] + "!", erased + "a"} {
			for name, f := range map[string]func() error{
				"read": func() error { _, err := w.svc.Subscription(ctx, token); return err },
				"end":  func() error { _, err := w.svc.Unsubscribe(ctx, token, mailings.ByPage); return err },
				"undo": func() error { _, err := w.svc.Undo(ctx, token); return err },
			} {
				if err := f(); !fault.Is(err, fault.NotFound) {
					t.Errorf("%s %q: %v", name, token, err)
				}
			}
		}
	})
}

func TestTestMail(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sign("june@example.org", "June", models.SignatureConfirmed, true)
		id := w.draft()
		w.must(w.svc.Test(ctx, w.user, id))
		w.write(id, "Second words", "Hello {{given_name}}")
		w.must(w.svc.Test(ctx, w.user, id))
		w.drain()
		ms := w.wire.Messages()
		if len(ms) != 2 || ms[0].To != "ilse@example.org" || ms[1].To != "ilse@example.org" {
			t.Fatalf("mails %v", w.to())
		}
		for _, m := range ms {
			if m.Subject != "mailings.test_subject Subject Second words" || !strings.HasPrefix(m.Text, "Hello Ilse") {
				t.Errorf("%q: %s", m.Subject, m.Text)
			}
			// There is nothing to leave, and pressing it harms nobody.
			if v, err := w.svc.Unsubscribe(ctx, tokenOf(m), mailings.ByOneClick); err != nil || v.Purpose != models.PurposeReceipt {
				t.Errorf("unsubscribe of a test: %+v, %v", v, err)
			}
		}
		w.must(db.Exec("UPDATE mailings SET subject = '', body = '{{x}}', revision = revision + 1 WHERE id = ?", id).Error)
		if err := w.svc.Test(ctx, w.user, id); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "error.merge_unknown") {
			t.Errorf("with an unknown field: %v", err)
		}
		w.must(db.Exec("UPDATE mailings SET body = 'x', revision = revision + 1 WHERE id = ?", id).Error)
		w.orgSet(map[string]any{"postal_address": ""})
		err := w.svc.Test(ctx, w.user, id)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "error.mailing_no_subject") || !strings.Contains(err.Error(), "error.mailing_no_address") {
			t.Errorf("without subject and address: %v", err)
		}
	})
}

func TestPauseResumeStop(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(12)
		id := w.draft()
		if err := w.svc.Pause(ctx, w.user, id); !fault.Is(err, fault.Conflict) {
			t.Errorf("a draft was paused: %v", err)
		}
		w.send(id)
		w.must(w.svc.Pause(ctx, w.user, id))
		w.drain()
		if n := len(w.wire.All()); n != 0 {
			t.Fatalf("%d mails of a paused mailing", n)
		}
		if q, err := w.svc.Today(ctx, w.user); err != nil || len(q) != 1 || q[0].Key != "mailings.queue_paused" {
			t.Errorf("today %+v, %v", q, err)
		}
		w.must(w.svc.Tidy(ctx))
		if p := w.progress(id); p.State != models.MailingPaused || p.Waiting != 12 {
			t.Fatalf("%+v", p)
		}
		w.must(w.svc.Resume(ctx, w.user, id))
		// Stopped while the third mail is on the wire: what is on the wire ends as it ends, nothing else goes out.
		var n, late atomic.Int64
		var stopped atomic.Bool
		w.wire.AnswerWith(func(mailer.Message) mailer.Outcome {
			if stopped.Load() {
				late.Add(1)
			}
			if n.Add(1) == 3 {
				w.must(w.svc.Stop(ctx, w.user, id))
				stopped.Store(true)
			}
			return mailer.Outcome{State: mailer.Accepted, Code: 250}
		})
		w.drain()
		p := w.progress(id)
		sent := len(w.wire.Messages())
		if p.State != models.MailingCancelled || p.Sent != sent || p.Expired != 12-sent || p.Waiting != 0 || sent < 3 || late.Load() > 2 {
			t.Fatalf("%d on the wire, %d of them after the stop with two other connections, %+v", sent, late.Load(), p)
		}
		for name, f := range map[string]func() error{
			"resume": func() error { return w.svc.Resume(ctx, w.user, id) },
			"pause":  func() error { return w.svc.Pause(ctx, w.user, id) },
			"stop":   func() error { return w.svc.Stop(ctx, w.user, id) },
			"resend": func() error { _, err := w.svc.Settle(ctx, w.user, id, true); return err },
		} {
			if err := f(); !fault.Is(err, fault.Conflict) {
				t.Errorf("%s after the end: %v", name, err)
			}
		}
		if err := w.svc.Stop(ctx, actor.Actor{Kind: actor.User, Role: actor.Viewer}, id); !fault.Is(err, fault.Forbidden) {
			t.Errorf("stopped by a viewer: %v", err)
		}
	})
}

// A mail that a server put off comes back to the queue after its mailing was stopped.
func TestStoppedStaysStopped(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(1)
		id := w.draft()
		w.send(id)
		w.wire.AnswerWith(func(mailer.Message) mailer.Outcome {
			w.must(w.svc.Stop(ctx, w.user, id))
			return mailer.Outcome{State: mailer.Deferred, Code: 451, Phase: mailer.PhaseRcpt}
		})
		w.drain()
		if p := w.progress(id); p.Later != 1 {
			t.Fatalf("%+v", p)
		}
		w.must(w.svc.Tidy(ctx))
		if p := w.progress(id); p.Expired != 1 || p.State != models.MailingCancelled {
			t.Fatalf("%+v", p)
		}
		// Nor does a job that comes late freeze a mailing that was stopped.
		again := w.draft()
		m, err := w.svc.Get(ctx, w.user, again)
		w.must(err)
		w.must(w.svc.Send(ctx, w.user, again, m.Revision))
		w.must(w.svc.Stop(ctx, w.user, again))
		w.must(w.svc.Freeze(ctx, again))
		if p := w.progress(again); p.Total != 0 || p.State != models.MailingCancelled {
			t.Fatalf("%+v", p)
		}
	})
}

func TestTidyFreezesWhatWasForgotten(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(2)
		id := w.draft()
		m, err := w.svc.Get(ctx, w.user, id)
		w.must(err)
		w.must(w.svc.Send(ctx, w.user, id, m.Revision))
		w.must(w.svc.Tidy(ctx))
		if p := w.progress(id); p.Total != 0 {
			t.Fatalf("at once: %+v", p)
		}
		w.clk.Add(3 * time.Minute)
		w.must(w.svc.Tidy(ctx))
		if p := w.progress(id); p.Total != 2 || p.State != models.MailingSending {
			t.Fatalf("%+v", p)
		}
	})
}

func TestUnknownOnesAreDecidedAllAtOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(5)
		id := w.draft()
		w.send(id)
		w.wire.Answer(mailer.Outcome{State: mailer.Unknown, Phase: mailer.PhaseDot}, mailer.Outcome{State: mailer.Unknown, Phase: mailer.PhaseDot})
		w.drain()
		w.must(w.svc.Tidy(ctx))
		p := w.progress(id)
		if p.State != models.MailingFinished || p.Unknown != 2 || p.Open != 2 || p.Sent != 3 {
			t.Fatalf("%+v", p)
		}
		if q, err := w.svc.Today(ctx, w.user); err != nil || len(q) != 1 || q[0].Count != 2 || q[0].Oldest.IsZero() {
			t.Errorf("today %+v, %v", q, err)
		}
		ids := map[string]int{}
		for _, m := range w.wire.All() {
			ids[m.Message.MessageID]++
		}
		if n, err := w.svc.Settle(ctx, w.user, id, true); err != nil || n != 2 {
			t.Fatalf("resent %d, %v", n, err)
		}
		w.wire.Answer(mailer.Outcome{State: mailer.Unknown, Phase: mailer.PhaseDot})
		w.drain()
		for _, m := range w.wire.All()[5:] {
			if ids[m.Message.MessageID] != 1 {
				t.Errorf("sent again under another Message-ID %s", m.Message.MessageID)
			}
		}
		if p = w.progress(id); p.Unknown != 1 || p.Open != 1 || p.Sent != 4 {
			t.Fatalf("%+v", p)
		}
		if n, err := w.svc.Settle(ctx, w.user, id, false); err != nil || n != 1 {
			t.Fatalf("left %d, %v", n, err)
		}
		if n, err := w.svc.Settle(ctx, w.user, id, true); err != nil || n != 0 {
			t.Fatalf("after the decision %d, %v", n, err)
		}
		w.must(w.svc.Tidy(ctx))
		r, err := w.svc.Report(ctx, w.user, id)
		w.must(err)
		if r.Unknown != 1 || r.Open != 0 || r.State != models.MailingFinished || len(r.Problems) != 1 || r.Problems[0].Reply != "" {
			t.Fatalf("%+v", r)
		}
		if q, _ := w.svc.Today(ctx, w.user); len(q) != 0 {
			t.Errorf("today %+v", q)
		}
	})
}

func TestReport(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.signers(4) // mail0 twice, mail1, mail2
		for i := range 24 {
			w.sign(fmt.Sprintf("x@d%02d.example.org", i), "X", models.SignatureConfirmed, true)
		}
		id := w.draft()
		w.send(id)
		w.wire.AnswerWith(func(m mailer.Message) mailer.Outcome {
			switch {
			case strings.HasSuffix(m.To, "@mail1.example.org"):
				return mailer.Outcome{State: mailer.Rejected, Code: 550, Enhanced: "5.1.1", Phase: mailer.PhaseRcpt, Reply: "5.1.1 no such user"}
			case strings.HasSuffix(m.To, "@mail2.example.org"):
				return mailer.Outcome{State: mailer.Deferred, Code: 451, Phase: mailer.PhaseRcpt, Reply: "later"}
			}
			return mailer.Outcome{State: mailer.Accepted, Code: 250}
		})
		w.drain()
		r, err := w.svc.Report(ctx, w.user, id)
		w.must(err)
		if r.Total != 28 || r.Sent != 26 || r.Refused != 1 || r.Later != 1 || r.State != models.MailingSending || r.Petition.Title != "Twenty visits" {
			t.Errorf("%+v", r.Progress)
		}
		if len(r.Domains) != 21 || r.Domains[0].Name != "mail0.example.org" || r.Domains[0].People != 2 || r.Domains[20].Others != 7 {
			t.Errorf("%+v", r.Domains)
		}
		people, sent, refused, later := 0, 0, 0, 0
		for _, d := range r.Domains {
			people, sent, refused, later = people+d.People, sent+d.Sent, refused+d.Refused, later+d.Later
		}
		if people != 28 || sent != 26 || refused != 1 || later != 1 {
			t.Errorf("the domains add up to %d, %d, %d, %d", people, sent, refused, later)
		}
		if len(r.Problems) != 1 || r.Problems[0].Domain != "mail1.example.org" || r.Problems[0].Code != 550 || r.Problems[0].Reply != "5.1.1 no such user" {
			t.Errorf("%+v", r.Problems)
		}
		if _, err := w.svc.Report(ctx, actor.Actor{}, id); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("read by nobody: %v", err)
		}
		if _, err := w.svc.Report(ctx, w.user, models.NewID()); !fault.Is(err, fault.NotFound) {
			t.Errorf("an unknown id: %v", err)
		}
	})
}

// Who withdrew their signature after the freeze, or was found invalid, does not get it.
func TestSignatureWithdrawnAfterTheFreeze(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sign("june@example.org", "June", models.SignatureConfirmed, true)
		gone := w.sign("gone@example.org", "Gone", models.SignatureConfirmed, true)
		id := w.draft()
		w.send(id)
		w.must(db.Exec("UPDATE signatures SET state = 'invalidated' WHERE mailbox_id = ?", gone).Error)
		w.drain()
		if p := w.progress(id); p.Sent != 1 || p.Expired != 1 || strings.Join(w.to(), " ") != "june@example.org" {
			t.Fatalf("%+v to %v", p, w.to())
		}
	})
}

func TestPreviewAndChecks(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sign("june@example.org", "June", models.SignatureConfirmed, true)
		id := w.draft()
		p, err := w.svc.Preview(ctx, w.user, id)
		w.must(err)
		if !strings.Contains(p.HTML, "Hello Ilse, 3184 of 5000.") || !strings.HasPrefix(p.Text, "Hello Ilse, 3184 of 5000.") || p.Subject != "Tuesday: three ways in" {
			t.Errorf("%+v", p)
		}
		w.orgSet(map[string]any{"postal_address": ""})
		if p, err = w.svc.Preview(ctx, w.user, id); err != nil || !strings.Contains(p.Text, "mailings.address_missing") {
			t.Errorf("without an address: %v, %s", err, p.Text)
		}
		w.orgSet(map[string]any{"postal_address": "x"})
		w.write(id, strings.Repeat("long ", 15), "{{given_name}} ![a](/b.png) [x](http://other.example/a) [own](/y)")
		checks, people, err := w.svc.Checks(ctx, w.user, id)
		w.must(err)
		var keys []string
		for _, c := range checks {
			keys = append(keys, c.Tone+" "+strings.TrimPrefix(c.Key, "mailings.check_"))
		}
		want := "warn subject_long, warn picture, warn nameless, warn http, good reading, good size, good footer, good tracking"
		if got := strings.Join(keys, ", "); got != want || people.People != 1 || checks.Count(mailings.Stop) != 0 || checks.Count(mailings.Think) != 4 {
			t.Errorf("%s", got)
		}
		w.must(db.Exec("UPDATE mailings SET body = '', revision = revision + 1 WHERE id = ?", id).Error)
		if p, err = w.svc.Preview(ctx, w.user, id); err != nil || p.HTML != "" {
			t.Errorf("an empty one: %+v, %v", p, err)
		}
	})
}

func TestCreate(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.must(db.Exec("UPDATE petitions SET state = 'draft'").Error)
		if _, err := w.svc.Create(ctx, w.user, w.petition.ID); key(err) != "error.check_fields" {
			t.Errorf("to the signers of a draft: %v", err)
		}
		if list, err := w.svc.Petitions(ctx, w.user); err != nil || len(list) != 0 {
			t.Errorf("%v, %v", list, err)
		}
		w.must(db.Exec("UPDATE petitions SET state = 'closed'").Error)
		if list, err := w.svc.Petitions(ctx, w.user); err != nil || len(list) != 1 || list[0].SignatureCount != 3184 {
			t.Errorf("%v, %v", list, err)
		}
		id, err := w.svc.Create(ctx, w.user, w.petition.ID)
		w.must(err)
		m, err := w.svc.Get(ctx, w.user, id)
		if err != nil || m.State != models.MailingDraft || m.Revision != 1 || m.ScopeID != w.petition.CampaignID || m.CreatedBy == nil || *m.CreatedBy != w.user.UserID ||
			!strings.Contains(m.Body, "{{given_name|mailings.start_friend}}") {
			t.Errorf("%+v, %v", m, err)
		}
		for _, a := range []actor.Actor{{}, {Kind: actor.User, Role: actor.Advocate}} {
			if _, err := w.svc.Create(ctx, a, w.petition.ID); err == nil {
				t.Errorf("made by %v", a)
			}
		}
	})
}

// A restore pauses a mailing that had no audience yet: going on, it gets one first, and is not finished without anybody.
func TestResumeWithoutAudienceFreezesFirst(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sign("yes@example.org", "June", models.SignatureConfirmed, true)
		id := w.draft()
		w.must(db.Exec("UPDATE mailings SET state = 'paused' WHERE id = ?", id).Error)
		w.must(w.svc.Resume(ctx, w.user, id))
		w.must(w.svc.Tidy(ctx))
		if p := w.progress(id); p.Mailing.State != models.MailingFreezing {
			t.Fatalf("after resuming: %s", p.Mailing.State)
		}
		w.must(w.svc.Freeze(ctx, id))
		if p := w.progress(id); p.Mailing.State != models.MailingSending || p.Total != 1 {
			t.Fatalf("after freezing: %+v", p)
		}
	})
}
