package inbound_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/consents"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/inbound"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/paging"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 1, 12, 0, 0, 0, time.UTC)

// world is a reader of what comes back, with deliveries to be reported on.
type world struct {
	t      *testing.T
	ctx    context.Context
	db     *database.DB
	vault  *vault.Vault
	clk    *clock.Fixed
	signer *tokens.Signer
	in     *inbound.Service
	told   []models.InboundReport // what the handler heard
	n      int
}

func newWorld(t *testing.T, db *database.DB, o inbound.Options) *world {
	t.Helper()
	v := vault.New(vault.NewKey())
	w := &world{t: t, ctx: context.Background(), db: db, vault: v, clk: clock.NewFixed(start), signer: tokens.New(v)}
	o.DB, o.Vault, o.Clock, o.Signer = db, v, w.clk, w.signer
	if o.PerHour == 0 {
		o.PerHour = 1000
	}
	w.in = inbound.New(o)
	w.in.Register("told", func(_ context.Context, _ *gorm.DB, _ models.Delivery, r models.InboundReport) (string, error) {
		w.told = append(w.told, r)
		return "", nil
	})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) mailbox(address string) models.Mailbox {
	w.t.Helper()
	var m models.Mailbox
	w.must(w.db.Tx(w.ctx, func(tx *gorm.DB) (err error) {
		m, err = mailboxes.Ensure(w.ctx, tx, w.vault, address, w.clk.Now())
		return err
	}))
	return m
}

// sent is a delivery to a mailbox that went out.
func (w *world) sent(box models.Mailbox, kind string, state models.DeliveryState) models.Delivery {
	w.t.Helper()
	w.n++
	w.clk.Add(time.Second)
	now := w.clk.Now()
	d := deliveries.New{Kind: kind, MailboxID: box.ID, SubjectID: models.NewID(), Purpose: models.PurposeReceipt, DedupeKey: fmt.Sprint("d", w.n), OnUnknown: models.Park}.Row(now)
	d.State, d.Attempt = state, 1
	if state == models.DeliverySent {
		d.SentAt = &now
	}
	w.must(w.db.Create(&d).Error)
	return d
}

// waits is mail to many that is queued for a mailbox whose owner agreed to it.
func (w *world) waits(box models.Mailbox) models.Delivery {
	w.t.Helper()
	w.n++
	var d models.Delivery
	w.must(w.db.Tx(w.ctx, func(tx *gorm.DB) error {
		now := w.clk.Now()
		text, err := consents.Text(w.ctx, tx, models.PurposeNewsletter, "en", "Yes", start)
		if err != nil {
			return err
		}
		if err := mailboxes.Verify(w.ctx, tx, box.ID, now); err != nil {
			return err
		}
		if err := consents.Give(w.ctx, tx, consents.Given{MailboxID: box.ID, Purpose: models.PurposeNewsletter, TextID: text.ID, Locale: "en", ShownAt: now, Source: "x", How: models.ConsentByMail}, now); err != nil {
			return err
		}
		d = deliveries.New{Kind: "x", MailboxID: box.ID, SubjectID: models.NewID(), Purpose: models.PurposeNewsletter, DedupeKey: fmt.Sprint("d", w.n), OnUnknown: models.Park}.Row(now)
		return tx.Create(&d).Error
	}))
	return d
}

// fixtureMark stands in the mails of mailer/testdata.
const fixtureMark = "AQgBkzXk3mJ7cQ2nT5wY8rL4vB6hD9sF1gK0pAAAAAB-eU_ZqXw"

// mail is a mail of mailer/testdata/returned about a delivery.
func (w *world) mail(name string, d models.Delivery) []byte {
	w.t.Helper()
	found, err := filepath.Glob(filepath.Join("..", "..", "mailer", "testdata", "returned", name))
	if err != nil || len(found) != 1 {
		w.t.Fatalf("%s: %v %v", name, found, err)
	}
	raw, err := os.ReadFile(found[0])
	w.must(err)
	return bytes.ReplaceAll(raw, []byte(fixtureMark), []byte(w.signer.MakeForever(tokens.Message, d.ID)))
}

func (w *world) take(raw []byte, want inbound.Result) {
	w.t.Helper()
	got, err := w.in.Take(w.ctx, models.SourceIMAP, raw)
	w.must(err)
	if got != want {
		w.t.Fatalf("it is %s, not %s", got, want)
	}
}

func (w *world) comes(name string, d models.Delivery) models.InboundReport {
	w.t.Helper()
	w.take(w.mail(name, d), inbound.Done)
	var r models.InboundReport
	w.must(w.db.Where("delivery_id = ?", d.ID).Order("received_at DESC, id DESC").Take(&r).Error)
	return r
}

func (w *world) reason(box models.Mailbox) string {
	w.t.Helper()
	var m models.Mailbox
	w.must(w.db.Take(&m, "id = ?", box.ID).Error)
	return m.SuppressedReason
}

func (w *world) state(d models.Delivery) models.DeliveryState {
	w.t.Helper()
	var now models.Delivery
	w.must(w.db.Take(&now, "id = ?", d.ID).Error)
	return now.State
}

// owner is an account that may look at everything here.
var owner = actor.Actor{Kind: actor.User, UserID: uuid.MustParse("00000000-0000-7000-8000-0000000000aa"), Role: actor.Owner}

func TestWhatFollowsFromABounce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, inbound.Options{})
		box := w.mailbox("hard@example.net")
		d := w.sent(box, "told", models.DeliverySent)
		r := w.comes("postfix/unknown.eml", d)
		if w.reason(box) != models.SuppressedBounce || r.Effect != models.EffectSuppressed || r.Status != "5.1.1" || r.State != models.ReportDone {
			t.Errorf("%q, %+v", w.reason(box), r)
		}
		if strings.Contains(r.Diagnostic, "@") || len(w.told) != 1 {
			t.Errorf("%q, told %d", r.Diagnostic, len(w.told))
		}
		w.take(w.mail("postfix/unknown.eml", d), inbound.Twice)
		w.take(w.mail("own/*-gmail-no-user.eml", d), inbound.Twice) // another notice of the same class
		if len(w.told) != 1 {
			t.Errorf("told %d times", len(w.told))
		}

		box = w.mailbox("policy@example.net")
		if r := w.comes("exim/spamhaus.eml", w.sent(box, "x", models.DeliverySent)); w.reason(box) != "" || r.Effect != models.EffectTrouble {
			t.Errorf("a refusal by policy: %q, %+v", w.reason(box), r)
		}
		box = w.mailbox("ours@example.net")
		if r := w.comes("opensmtpd/toobig.eml", w.sent(box, "x", models.DeliverySent)); w.reason(box) != "" || r.Class != "ours" {
			t.Errorf("our own fault: %q, %+v", w.reason(box), r)
		}
		box = w.mailbox("late@example.net")
		if r := w.comes("own/*-delayed.eml", w.sent(box, "x", models.DeliverySent)); w.reason(box) != "" || r.Class != "delayed" {
			t.Errorf("delayed: %q, %+v", w.reason(box), r)
		}
	})
}

// TestPolicySuppressesNobody: whatever a server says about us, the person stays.
func TestPolicySuppressesNobody(t *testing.T) {
	list, err := os.ReadFile(filepath.Join("..", "..", "mailer", "testdata", "returned", "classes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, inbound.Options{})
		box := w.mailbox("june@example.net")
		n := 0
		for line := range strings.Lines(string(list)) {
			f := strings.Fields(line)
			if f[1] != "policy" {
				continue
			}
			n++
			w.take(w.mail(f[0], w.sent(box, "x", models.DeliverySent)), inbound.Done)
		}
		if n < 40 || w.reason(box) != "" {
			t.Errorf("after %d refusals by policy the mailbox is %q", n, w.reason(box))
		}
	})
}

func TestSoftBouncesCountOfTheLastFive(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, inbound.Options{})
		few := w.mailbox("few@example.net")
		for i := range 10 { // two of any five
			d := w.sent(few, "x", models.DeliverySent)
			if i%3 == 0 {
				w.comes("postfix/full4.eml", d)
			}
		}
		if w.reason(few) != "" {
			t.Errorf("two of five suppressed: %q", w.reason(few))
		}
		many := w.mailbox("many@example.net")
		for i := range 3 {
			if w.reason(many) != "" {
				t.Errorf("suppressed after %d", i)
			}
			w.comes("exim/full4.eml", w.sent(many, "x", models.DeliverySent))
		}
		if w.reason(many) != models.SuppressedBounce {
			t.Errorf("three of five: %q", w.reason(many))
		}
	})
}

func TestAComplaintEndsAllMail(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, inbound.Options{})
		box := w.mailbox("june@example.net")
		w.must(w.db.Tx(w.ctx, func(tx *gorm.DB) error {
			text, err := consents.Text(w.ctx, tx, models.PurposeNewsletter, "en", "Yes", start)
			if err != nil {
				return err
			}
			for _, p := range []models.Purpose{models.PurposeNewsletter, models.PurposePublish} {
				if err := consents.Give(w.ctx, tx, consents.Given{MailboxID: box.ID, Purpose: p, TextID: text.ID, Locale: "en", ShownAt: start, Source: "x", How: models.ConsentByMail}, start); err != nil {
					return err
				}
			}
			return mailboxes.Suppress(w.ctx, tx, box.ID, models.SuppressedByHand, start)
		}))
		if r := w.comes("own/*-arf-no-verp.eml", w.sent(box, "x", models.DeliverySent)); r.Effect != models.EffectWithdrawn {
			t.Errorf("%+v", r)
		}
		var left []models.Consent
		w.must(w.db.Where("mailbox_id = ? AND withdrawn_at IS NULL", box.ID).Find(&left).Error)
		if w.reason(box) != models.SuppressedComplaint || len(left) != 1 || left[0].Purpose != models.PurposePublish {
			t.Errorf("%q, %+v", w.reason(box), left)
		}
	})
}

func TestAReportEndsWhatWasUnknown(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, inbound.Options{})
		for _, c := range []struct {
			mail     string
			was, now models.DeliveryState
		}{
			{"postfix/unknown.eml", models.DeliveryUnknown, models.DeliveryFailed},
			{"own/*-auto-rfc3834.eml", models.DeliveryUnknown, models.DeliverySent},
			{"own/*-delayed.eml", models.DeliveryUnknown, models.DeliverySent},
			{"own/*-reply-thanks.eml", models.DeliveryDeferred, models.DeliverySent},
			{"postfix/unknown.eml", models.DeliverySent, models.DeliverySent},
			{"postfix/unknown.eml", models.DeliverySuppressed, models.DeliverySuppressed},
			{"postfix/unknown.eml", models.DeliverySending, models.DeliverySending},
		} {
			d := w.sent(w.mailbox(fmt.Sprintf("june%d@example.net", w.n)), "x", c.was)
			w.comes(c.mail, d)
			if got := w.state(d); got != c.now {
				t.Errorf("%s of a delivery that was %s: %s, not %s", c.mail, c.was, got, c.now)
			}
		}
	})
}

func TestWithoutOurMarkNothingIsDone(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, inbound.Options{})
		box := w.mailbox("june@example.net")
		d := w.sent(box, "x", models.DeliverySent)
		raw := w.mail("postfix/unknown.eml", d)
		forged := bytes.ReplaceAll(raw, []byte(w.signer.MakeForever(tokens.Message, d.ID)), []byte(fixtureMark))
		w.take(forged, inbound.Unmatched)
		w.take(bytes.ReplaceAll(raw, []byte(w.signer.MakeForever(tokens.Message, d.ID)), []byte(w.signer.MakeForever(tokens.Unsubscribe, d.ID))), inbound.Unmatched)
		w.take(w.mail("own/*-reply-mark-in-body.eml", d), inbound.Unmatched)
		unsent := w.sent(box, "x", models.DeliveryQueued)
		w.must(w.db.Model(&models.Delivery{}).Where("id = ?", unsent.ID).Update("attempt", 0).Error)
		w.take(w.mail("postfix/unknown.eml", unsent), inbound.Unmatched) // nobody can have a mark that never left
		var n int64
		w.must(w.db.Model(&models.InboundReport{}).Count(&n).Error)
		if n != 0 || w.reason(box) != "" {
			t.Errorf("%d reports, %q", n, w.reason(box))
		}
	})
}

func TestTooManyAreHeld(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, inbound.Options{PerHour: 2})
		var boxes []models.Mailbox
		var ds []models.Delivery
		for i := range 5 {
			boxes = append(boxes, w.mailbox(fmt.Sprintf("june%d@example.net", i)))
			ds = append(ds, w.sent(boxes[i], "x", models.DeliverySent))
		}
		for i := range 2 {
			w.comes("postfix/unknown.eml", ds[i])
		}
		w.take(w.mail("postfix/unknown.eml", ds[2]), inbound.Held)
		w.take(w.mail("postfix/unknown.eml", ds[3]), inbound.Held)
		w.comes("own/*-auto-rfc3834.eml", ds[4]) // without a consequence
		if w.reason(boxes[2]) != "" {
			t.Error("a held report was followed")
		}
		queues, err := w.in.Today(w.ctx, owner)
		w.must(err)
		if queues[0].Key != "today.inbound_held" || queues[0].Count != 2 {
			t.Errorf("%+v", queues)
		}
		n, err := w.in.Settle(w.ctx, owner, true)
		w.must(err)
		if n != 2 || w.reason(boxes[2]) != models.SuppressedBounce || w.reason(boxes[3]) != models.SuppressedBounce {
			t.Errorf("believed %d: %q, %q", n, w.reason(boxes[2]), w.reason(boxes[3]))
		}
		w.take(w.mail("own/*-arf-abuse.eml", ds[4]), inbound.Held)
		if n, err = w.in.Settle(w.ctx, owner, false); err != nil || n != 1 || w.reason(boxes[4]) != "" {
			t.Errorf("dropped %d, %v: %q", n, err, w.reason(boxes[4]))
		}
		w.clk.Add(2 * time.Hour)
		more := w.mailbox("later@example.net")
		w.comes("postfix/unknown.eml", w.sent(more, "x", models.DeliverySent))
		if w.reason(more) != models.SuppressedBounce {
			t.Error("the next hour is not counted anew")
		}
		page, err := w.in.List(w.ctx, owner, "hard", false, paging.Cursor{})
		w.must(err)
		if len(page.Rows) != 5 || page.Rows[0].Domain != "example.net" {
			t.Errorf("%d rows", len(page.Rows))
		}
		over, err := w.in.Overview(w.ctx, owner)
		w.must(err)
		if over.Counts["hard"] != 5 || over.Held != 0 {
			t.Errorf("%+v", over)
		}
		if _, err := w.in.Settle(w.ctx, actor.Actor{Kind: actor.User, Role: actor.Organizer}, true); err == nil {
			t.Error("an organizer may settle")
		}
	})
}

func TestADomainThatRefusesUsIsPaused(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, inbound.Options{})
		domain := func() models.DomainTrouble {
			list, err := w.in.Troubles(w.ctx, owner)
			w.must(err)
			if len(list) != 1 {
				t.Fatalf("%d troubles", len(list))
			}
			return list[0]
		}
		waiting := w.waits(w.mailbox("waits@big.example"))
		receipt := w.sent(w.mailbox("receipt@big.example"), "x", models.DeliveryQueued)
		elsewhere := w.waits(w.mailbox("other@small.example"))
		due := func(d models.Delivery) bool {
			var now models.Delivery
			w.must(w.db.Take(&now, "id = ?", d.ID).Error)
			return !now.NotBefore.After(w.clk.Now())
		}
		for i := range 3 {
			d := w.sent(w.mailbox(fmt.Sprintf("june%d@big.example", i)), "x", models.DeliverySent)
			w.comes("own/*-policy-5.7.1-spam.eml", d)
			if paused := domain().PausedUntil != nil; paused != (i == 2) || due(waiting) == (i == 2) {
				t.Fatalf("after %d: paused %v, due %v", i+1, paused, due(waiting))
			}
		}
		if !due(receipt) || !due(elsewhere) {
			t.Error("mail waits that has nothing to do with it")
		}
		late := w.waits(w.mailbox("late@big.example"))
		w.must(w.in.Pauses(w.ctx))
		if due(late) {
			t.Error("what is queued later is not paused")
		}
		tr := domain()
		if tr.Domain != "big.example" || tr.Count != 3 || tr.Status != "5.7.1" {
			t.Errorf("%+v", tr)
		}
		w.must(w.in.EndTrouble(w.ctx, owner, tr.ID))
		if !due(waiting) || !due(late) {
			t.Error("it does not go on")
		}
		if list, _ := w.in.Troubles(w.ctx, owner); len(list) != 0 {
			t.Errorf("%+v", list)
		}
		w.comes("own/*-policy-5.7.1-relay.eml", w.sent(w.mailbox("again@big.example"), "x", models.DeliverySent))
		w.clk.Add(8 * 24 * time.Hour)
		w.must(w.in.Sweep(w.ctx))
		if list, _ := w.in.Troubles(w.ctx, owner); len(list) != 0 {
			t.Errorf("old troubles stay: %+v", list)
		}
		w.clk.Add(200 * 24 * time.Hour)
		w.must(w.in.Sweep(w.ctx))
		var n int64
		w.must(w.db.Model(&models.InboundReport{}).Count(&n).Error)
		if n != 0 {
			t.Errorf("%d old reports stay", n)
		}
	})
}
