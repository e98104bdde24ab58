package deliveries_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 1, 12, 0, 0, 0, time.UTC)

// world is an outbox with a transport in memory and a clock that stands still.
type world struct {
	t      *testing.T
	db     *database.DB
	vault  *vault.Vault
	clk    *clock.Fixed
	signer *tokens.Signer
	wire   *mailer.Memory
	out    *deliveries.Service
	sender deliveries.Sender
	lease  time.Duration
	limits models.Limits
	poll   time.Duration
	asked  chan struct{} // the outbox is about to be read
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	v := vault.New(vault.NewKey())
	w := &world{t: t, db: db, vault: v, clk: clock.NewFixed(start), signer: tokens.New(v), wire: mailer.NewMemory(), lease: time.Minute, asked: make(chan struct{}, 1000)}
	w.sender = deliveries.Sender{Transport: w.wire, Connections: 2, FromName: "WCPC", FromAddress: "hello@act.example.org", ListDomain: "act.example.org", Letterhead: mailer.Letterhead{OrgName: "WCPC", SiteURL: "https://act.example.org"}}
	w.out = w.node()
	return w
}

// node is one more process on the same database.
func (w *world) node() *deliveries.Service {
	w.t.Helper()
	words, err := mailer.NewRenderer()
	if err != nil {
		w.t.Fatal(err)
	}
	s := deliveries.NewService(w.db, w.vault, w.clk, w.signer, words, deliveries.Options{
		Sender: func(context.Context) (deliveries.Sender, error) {
			select {
			case w.asked <- struct{}{}:
			default:
			}
			return w.sender, nil
		}, Lease: w.lease, Poll: w.poll,
		Limits: func(context.Context) (models.Limits, error) { return w.limits, nil },
	})
	s.Handle("setup_test", func(context.Context, models.Delivery) (deliveries.Content, error) {
		return deliveries.Content{Template: "setup_test", Lang: "en", Data: struct{ OrgName string }{"WCPC"}}, nil
	})
	s.Handle("gone", func(context.Context, models.Delivery) (deliveries.Content, error) {
		return deliveries.Content{}, fault.New(fault.Gone, "error.mail_gone")
	})
	return s
}

func (w *world) mailbox(address string) models.Mailbox {
	w.t.Helper()
	var m models.Mailbox
	err := w.db.Tx(context.Background(), func(tx *gorm.DB) (err error) {
		m, err = mailboxes.Ensure(context.Background(), tx, w.vault, address, w.clk.Now())
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

func (w *world) queue(n deliveries.New) uuid.UUID {
	w.t.Helper()
	if n.ID == uuid.Nil {
		n.ID = models.NewID()
	}
	if n.Kind == "" {
		n.Kind = "setup_test"
	}
	if n.Purpose == "" {
		n.Purpose = models.PurposeReceipt
	}
	if n.OnUnknown == "" {
		n.OnUnknown = models.Resend
	}
	if n.DedupeKey == "" {
		n.DedupeKey = n.ID.String()
	}
	err := w.db.Tx(context.Background(), func(tx *gorm.DB) error {
		_, err := deliveries.Insert(context.Background(), tx, n, w.clk.Now())
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return n.ID
}

func (w *world) get(id uuid.UUID) models.Delivery {
	w.t.Helper()
	var d models.Delivery
	if err := w.db.Take(&d, "id = ?", id).Error; err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) drain() {
	w.t.Helper()
	if _, err := w.out.Drain(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) state(id uuid.UUID, want models.DeliveryState) models.Delivery {
	w.t.Helper()
	d := w.get(id)
	if d.State != want {
		w.t.Fatalf("the delivery is %s, not %s (%d %s)", d.State, want, d.ReplyCode, d.Reply)
	}
	return d
}

func TestSentOnceWithAStableMessageID(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		m := w.mailbox("June@Example.org")
		id := w.queue(deliveries.New{MailboxID: m.ID, DedupeKey: "once"})
		err := w.db.Tx(context.Background(), func(tx *gorm.DB) error {
			again, err := deliveries.Insert(context.Background(), tx, deliveries.New{Kind: "setup_test", MailboxID: m.ID, Purpose: models.PurposeReceipt, OnUnknown: models.Resend, DedupeKey: "once"}, w.clk.Now())
			if again {
				t.Error("the same key was queued twice")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		w.drain()
		w.drain()
		d := w.state(id, models.DeliverySent)
		if d.SentAt == nil || !d.SentAt.Equal(start) {
			t.Errorf("sent at %v", d.SentAt)
		}
		got := w.wire.Messages()
		if len(got) != 1 || got[0].To != "june@example.org" || got[0].MessageID != w.out.MessageID(d, "hello@act.example.org") {
			t.Fatalf("%+v", got)
		}
	})
}

func TestWhatTheServerSays(t *testing.T) {
	cases := []struct {
		name      string
		outcome   mailer.Outcome
		onUnknown models.OnUnknown
		want      models.DeliveryState
		suppress  bool
	}{
		{"accepted", mailer.Outcome{State: mailer.Accepted, Code: 250}, models.Park, models.DeliverySent, false},
		{"later", mailer.Outcome{State: mailer.Deferred, Phase: mailer.PhaseRcpt, Code: 451}, models.Park, models.DeliveryDeferred, false},
		{"connection lost early", mailer.Outcome{State: mailer.NotSent, Phase: mailer.PhaseMail}, models.Park, models.DeliveryDeferred, false},
		{"no such person", mailer.Outcome{State: mailer.Rejected, Phase: mailer.PhaseRcpt, Code: 550, Enhanced: "5.1.1"}, models.Park, models.DeliveryFailed, true},
		{"policy", mailer.Outcome{State: mailer.Rejected, Phase: mailer.PhaseDot, Code: 554, Enhanced: "5.7.1"}, models.Park, models.DeliveryFailed, false},
		{"policy at the recipient", mailer.Outcome{State: mailer.Rejected, Phase: mailer.PhaseRcpt, Code: 550, Enhanced: "5.7.1"}, models.Park, models.DeliveryFailed, false},
		{"objects to us", mailer.Outcome{State: mailer.Rejected, Phase: mailer.PhaseMail, Code: 530}, models.Park, models.DeliveryDeferred, false},
		{"no answer, mailing", mailer.Outcome{State: mailer.Unknown, Phase: mailer.PhaseDot}, models.Park, models.DeliveryUnknown, false},
		{"no answer, receipt", mailer.Outcome{State: mailer.Unknown, Phase: mailer.PhaseDot}, models.Resend, models.DeliveryDeferred, false},
	}
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sender.Connections = 1
		for i, c := range cases {
			m := w.mailbox(fmt.Sprintf("p%d@example.org", i))
			w.wire.Answer(c.outcome)
			id := w.queue(deliveries.New{MailboxID: m.ID, OnUnknown: c.onUnknown})
			w.drain()
			d := w.get(id)
			if d.State != c.want || d.ReplyCode != c.outcome.Code {
				t.Errorf("%s: %s %d", c.name, d.State, d.ReplyCode)
			}
			if d.State == models.DeliveryDeferred && !d.NotBefore.After(start) {
				t.Errorf("%s: tried again at once", c.name)
			}
			var box models.Mailbox
			if err := w.db.Take(&box, "id = ?", m.ID).Error; err != nil || (box.SuppressedAt != nil) != c.suppress {
				t.Errorf("%s: suppressed at %v, %v", c.name, box.SuppressedAt, err)
			}
		}
	})
}

func TestDeferredGoesOutLaterAndIsGivenUpOn(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		id := w.queue(deliveries.New{MailboxID: w.mailbox("a@example.org").ID})
		later := mailer.Outcome{State: mailer.Deferred, Phase: mailer.PhaseRcpt, Code: 450, Reply: "busy"}
		var waits []time.Duration
		for range 60 {
			w.wire.Answer(later)
			w.drain()
			d := w.get(id)
			if d.State == models.DeliveryFailed {
				if age := w.clk.Now().Sub(start); age < 5*24*time.Hour || age > 6*24*time.Hour {
					t.Fatalf("given up after %v", age)
				}
				break
			}
			w.state(id, models.DeliveryDeferred)
			waits = append(waits, d.NotBefore.Sub(w.clk.Now()))
			w.drain() // not due: nothing happens
			if again := w.get(id); again.Attempt != d.Attempt {
				t.Fatal("tried before its time")
			}
			w.clk.Set(d.NotBefore)
		}
		w.state(id, models.DeliveryFailed)
		for i, want := range []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour} {
			if waits[i] != want {
				t.Errorf("wait %d was %v, not %v", i+1, waits[i], want)
			}
		}
		for _, v := range waits[5:] {
			if v < 192*time.Minute || v > 288*time.Minute {
				t.Errorf("a later wait was %v", v)
			}
		}
	})
}

func TestNothingGoesToWhoMayNotBeMailed(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx := context.Background()
		w := newWorld(t, db)
		text := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeUpdates, Locale: "en", Version: 1, Body: "Write to me", CreatedAt: start}
		m, scope := w.mailbox("a@example.org"), models.NewID()
		c := models.Consent{ID: models.NewID(), MailboxID: m.ID, Purpose: models.PurposeUpdates, ScopeID: scope, TextID: text.ID, ShownAt: start, GivenAt: start, How: models.ConsentByMail}
		if err := errors.Join(db.Create(&text).Error, db.Create(&c).Error); err != nil {
			t.Fatal(err)
		}
		withdrawn := w.queue(deliveries.New{MailboxID: m.ID, Purpose: models.PurposeUpdates, ScopeID: scope})
		if err := db.Exec("UPDATE consents SET withdrawn_at = ?, withdrawn_how = 'one_click'", start).Error; err != nil {
			t.Fatal(err)
		}
		dead := w.mailbox("dead@example.org")
		suppressed := w.queue(deliveries.New{MailboxID: dead.ID})
		if err := mailboxes.Suppress(ctx, db.DB, dead.ID, models.SuppressedBounce, start); err != nil {
			t.Fatal(err)
		}
		past := start.Add(time.Second)
		late := w.queue(deliveries.New{MailboxID: m.ID, ExpiresAt: &past})
		unwanted := w.queue(deliveries.New{MailboxID: m.ID, Kind: "gone"})
		erased := w.mailbox("erased@example.org")
		nowhere := w.queue(deliveries.New{MailboxID: erased.ID})
		if err := db.Exec("UPDATE mailboxes SET address_sealed = NULL WHERE id = ?", erased.ID).Error; err != nil {
			t.Fatal(err)
		}
		w.clk.Set(past)
		w.drain()
		w.state(withdrawn, models.DeliverySuppressed)
		w.state(suppressed, models.DeliverySuppressed)
		w.state(late, models.DeliveryExpired)
		w.state(unwanted, models.DeliveryExpired)
		w.state(nowhere, models.DeliveryExpired)
		if n := len(w.wire.Messages()); n != 0 {
			t.Fatalf("%d mails went out", n)
		}
		err := db.Tx(ctx, func(tx *gorm.DB) error {
			_, err := deliveries.Insert(ctx, tx, deliveries.New{Kind: "mailing", MailboxID: m.ID, Purpose: models.PurposeUpdates, ScopeID: scope, OnUnknown: models.Park, DedupeKey: "x"}, start)
			return err
		})
		if !fault.Is(err, fault.Forbidden) {
			t.Fatalf("queued without consent: %v", err)
		}
	})
}

// A node dies with rows on the wire; another one finds them when the leases are over.
func TestRecovery(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		m := w.mailbox("a@example.org")
		ids := map[string]uuid.UUID{}
		for _, n := range []string{"sending receipt", "sending mailing", "alive"} {
			d := deliveries.New{MailboxID: m.ID, OnUnknown: models.Resend}
			if n == "sending mailing" {
				d.OnUnknown = models.Park
			}
			ids[n] = w.queue(d)
		}
		set := func(id uuid.UUID, state, lease string) {
			if err := db.Exec("UPDATE deliveries SET state = ?, attempt = 1, node = 'dead', lease_until = "+lease+" WHERE id = ?", state, id).Error; err != nil {
				t.Fatal(err)
			}
		}
		over := "'2020-01-01 00:00:00+00:00'"
		set(ids["sending receipt"], "sending", over)
		set(ids["sending mailing"], "sending", over)
		set(ids["alive"], "sending", "'2099-01-01 00:00:00+00:00'")
		for key, at := range map[string]time.Time{"domain/old.example.org/1h0m0s": time.Now().AddDate(0, 0, -41), "domain/new.example.org/1h0m0s": time.Now()} {
			if err := db.Create(&models.MailRate{Key: key, Slices: "{}", UpdatedAt: at.UTC()}).Error; err != nil {
				t.Fatal(err)
			}
		}
		if err := w.out.Recover(context.Background()); err != nil {
			t.Fatal(err)
		}
		var kept []string
		if err := db.Model(&models.MailRate{}).Pluck("key", &kept).Error; err != nil || len(kept) != 1 || kept[0] != "domain/new.example.org/1h0m0s" {
			t.Fatalf("counts of limits that are kept: %v, %v", kept, err)
		}
		w.state(ids["sending receipt"], models.DeliveryQueued)
		w.state(ids["sending mailing"], models.DeliveryUnknown)
		w.state(ids["alive"], models.DeliverySending)
		w.drain()
		w.state(ids["sending receipt"], models.DeliverySent)
		w.state(ids["sending mailing"], models.DeliveryUnknown)
		if n := len(w.wire.Messages()); n != 1 {
			t.Fatalf("%d mails went out", n)
		}
	})
}

// Two nodes at once on one outbox: each mail goes out once.
func TestTwoNodes(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		const n = 200
		for i := range n {
			w.queue(deliveries.New{MailboxID: w.mailbox(fmt.Sprintf("p%d@example.org", i)).ID})
		}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error, 2)
		for _, s := range []*deliveries.Service{w.out, w.node()} {
			go func() { done <- s.Run(ctx) }()
		}
		limit, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		if _, err := w.wire.Wait(limit, n); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := errors.Join(<-done, <-done); err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for _, m := range w.wire.Messages() {
			seen[m.MessageID]++
		}
		if len(seen) != n || len(w.wire.Messages()) != n {
			t.Fatalf("%d mails, %d of them different", len(w.wire.Messages()), len(seen))
		}
		var sent int64
		if err := db.Model(&models.Delivery{}).Where("state = 'sent'").Count(&sent).Error; err != nil || sent != n {
			t.Fatalf("%d are sent, %v", sent, err)
		}
	})
}

// A stop ends what is on the wire and leaves what was only read; the next start sends the rest.
func TestGracefulStop(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sender.Connections = 1
		for i := range 5 {
			w.queue(deliveries.New{MailboxID: w.mailbox(fmt.Sprintf("p%d@example.org", i)).ID})
		}
		onWire, goOn := make(chan struct{}), make(chan struct{})
		w.sender.Transport = &slow{Transport: w.wire, onWire: onWire, goOn: goOn}
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- w.out.Run(ctx) }()
		<-onWire
		stop()
		close(goOn)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		var states []string
		if err := db.Model(&models.Delivery{}).Order("state").Pluck("state", &states).Error; err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(states, " "); got != "queued queued queued queued sent" {
			t.Fatalf("after the stop: %s", got)
		}
		w.sender.Transport = w.wire
		w.drain()
		if n := len(w.wire.Messages()); n != 5 {
			t.Fatalf("%d mails", n)
		}
	})
}

// slow holds the first mail on the wire until it is told to go on.
type slow struct {
	mailer.Transport
	onWire, goOn chan struct{}
	once         bool
}

func (s *slow) Open(ctx context.Context) (mailer.Conn, error) {
	c, err := s.Transport.Open(ctx)
	return slowConn{c, s}, err
}

type slowConn struct {
	mailer.Conn
	s *slow
}

func (c slowConn) Send(ctx context.Context, m mailer.Message) mailer.Outcome {
	if !c.s.once {
		c.s.once = true
		close(c.s.onWire)
		<-c.s.goOn
	}
	return c.Conn.Send(ctx, m)
}

// A node that stood still past its lease must not undo what another did; but its answer about its own attempt counts.
func TestFence(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sender.Connections = 1
		m := w.mailbox("a@example.org")
		receipt := w.queue(deliveries.New{MailboxID: m.ID, OnUnknown: models.Resend})
		onWire, goOn := make(chan struct{}), make(chan struct{})
		w.sender.Transport = &slow{Transport: w.wire, onWire: onWire, goOn: goOn}
		done := make(chan error)
		go func() { _, err := w.out.Drain(context.Background()); done <- err }()
		<-onWire
		if err := db.Exec("UPDATE deliveries SET lease_until = '2020-01-01 00:00:00+00:00'").Error; err != nil {
			t.Fatal(err)
		}
		fast := *w
		fast.sender.Transport = w.wire
		other := fast.node()
		if err := other.Recover(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, err := other.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		sent := w.state(receipt, models.DeliverySent)
		close(goOn)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if now := w.state(receipt, models.DeliverySent); now.Attempt != sent.Attempt || now.Attempt != 2 {
			t.Fatalf("attempt %d", now.Attempt)
		}
		got := w.wire.Messages()
		if len(got) != 2 || got[0].MessageID != got[1].MessageID {
			t.Fatalf("a double must carry the same Message-ID: %d mails", len(got))
		}
	})
}

func TestNoWayOutMailWaits(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		id := w.queue(deliveries.New{MailboxID: w.mailbox("a@example.org").ID})
		w.sender.Transport = nil
		w.drain()
		w.state(id, models.DeliveryQueued)
		if h := w.out.Health(); h.Key != "mail.no_transport" {
			t.Fatalf("health %+v", h)
		}
		smtp, err := mailer.NewSMTP(mailer.SMTPConfig{Host: "127.0.0.1", Port: 1, TLS: "none", Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		w.sender.Transport = smtp
		if _, err := w.out.Drain(context.Background()); err == nil {
			t.Fatal("nobody noticed that the server is down")
		}
		w.state(id, models.DeliveryQueued)
		if h := w.out.Health(); h.Key != mailer.Unreachable {
			t.Fatalf("health %+v", h)
		}
		n, oldest, err := w.out.Waiting(context.Background())
		if err != nil || n != 1 || !oldest.Equal(start) {
			t.Fatalf("%d wait since %v, %v", n, oldest, err)
		}
		w.sender.Transport = w.wire
		w.drain()
		w.state(id, models.DeliverySent)
		if h := w.out.Health(); h.Key != "" {
			t.Fatalf("health %+v", h)
		}
	})
}

// A mail whose answer does something asks for it where mail that comes back is read too, with its own mark, and not instead of the office:
// what else people write is for a person. Where none is read, it is as ever.
func TestAnswersGoWhereTheyAreRead(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.out.Handle("asks", func(context.Context, models.Delivery) (deliveries.Content, error) {
			return deliveries.Content{Template: "setup_test", Lang: "en", Data: struct{ OrgName string }{"WCPC"}, Answers: true}, nil
		})
		w.sender.ReplyTo = "office@example.org"
		for i, back := range []string{"", "bounces@example.org"} {
			w.sender.BounceAddress = back
			for _, kind := range []string{"asks", "setup_test"} {
				w.queue(deliveries.New{MailboxID: w.mailbox(fmt.Sprintf("%s%d@example.org", kind, i)).ID, Kind: kind})
				w.drain()
				all := w.wire.All()
				m := all[len(all)-1].Message
				want := "<office@example.org>"
				if kind == "asks" && back != "" {
					want += ", <" + m.EnvelopeFrom + ">"
				}
				p, err := mail.ReadMessage(bytes.NewReader(all[len(all)-1].Raw))
				if err != nil {
					t.Fatal(err)
				}
				if got := p.Header.Get("Reply-To"); got != want || back != "" && !strings.HasPrefix(m.EnvelopeFrom, "bounces+") {
					t.Errorf("%s with %q: answers go to %q, it came from %q", kind, back, got, m.EnvelopeFrom)
				}
			}
		}
	})
}

// Two nodes have read the same deliveries: whoever begins one first has it, and the other lets it go.
func TestWhoBeginsFirstHasIt(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sender.Connections = 1
		for i := range 6 {
			w.queue(deliveries.New{MailboxID: w.mailbox(fmt.Sprintf("p%d@example.org", i)).ID, OnUnknown: models.Park})
		}
		onWire, goOn := make(chan struct{}), make(chan struct{})
		held := *w
		held.sender.Transport = &slow{Transport: w.wire, onWire: onWire, goOn: goOn}
		one := held.node()
		done := make(chan error)
		go func() { _, err := one.Drain(context.Background()); done <- err }()
		<-onWire // it has read all of them, begun one, and begins the next
		if n, err := w.out.Drain(context.Background()); err != nil || n < 4 {
			t.Fatalf("the other read %d of those that were not begun, %v", n, err)
		}
		close(goOn)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		to := map[string]int{}
		for _, m := range w.wire.Messages() {
			to[m.To]++
		}
		if len(to) != 6 || len(w.wire.Messages()) != 6 {
			t.Fatalf("%d mails to %d people: %v", len(w.wire.Messages()), len(to), to)
		}
		var states []string
		if err := db.Model(&models.Delivery{}).Pluck("state || ' ' || attempt", &states).Error; err != nil || strings.Join(states, ", ") != strings.TrimSuffix(strings.Repeat("sent 1, ", 6), ", ") {
			t.Fatalf("%v, %v", states, err)
		}
	})
}

// Somebody leaves, pauses or is stopped at the moment in which their mail is begun by a statement that saw them as they were before. Once
// it is committed that they left, nothing goes on the wire to them. SQLite lets one write at a time.
func TestWhoLeavesAsTheirMailBegins(t *testing.T) {
	for name, c := range map[string]struct {
		leave string
		kept  bool // they get it
	}{
		"left":           {leave: "UPDATE consents SET withdrawn_at = now(), withdrawn_how = 'one_click' WHERE mailbox_id = @box"},
		"paused":         {leave: "UPDATE mailboxes SET paused_until = now() + interval '1 month' WHERE id = @box"},
		"bounced":        {leave: "UPDATE mailboxes SET suppressed_at = now(), suppressed_reason = 'bounce' WHERE id = @box"},
		"thought better": {leave: "UPDATE consents SET withdrawn_at = now(), withdrawn_how = 'one_click' WHERE mailbox_id = @box", kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			db := testdb.Postgres(t)
			w := newWorld(t, db)
			m := w.mailbox("a@example.org")
			w.agree(m)
			id := w.queue(deliveries.New{MailboxID: m.ID, Purpose: models.PurposeNewsletter})
			tx := db.Begin()
			defer tx.Rollback()
			if err := tx.Exec(c.leave, map[string]any{"box": m.ID}).Error; err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { _, err := w.out.Drain(context.Background()); done <- err }()
			for waits := int64(0); waits == 0; {
				select {
				case err := <-done:
					t.Fatalf("it was begun, or not, without waiting for what they are about to say: %d mails, %v", len(w.wire.Messages()), err)
				case <-time.After(2 * time.Millisecond): // the server tells who waits, to whoever asks
				}
				if err := db.Raw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waits).Error; err != nil {
					t.Fatal(err)
				}
			}
			end, state, mails := tx.Commit, models.DeliverySuppressed, 0
			if c.kept {
				end, state, mails = tx.Rollback, models.DeliverySent, 1
			}
			if err := errors.Join(end().Error, <-done); err != nil {
				t.Fatal(err)
			}
			w.drain()
			w.state(id, state)
			if n := len(w.wire.Messages()); n != mails {
				t.Fatalf("%d mails went out", n)
			}
		})
	}
}
