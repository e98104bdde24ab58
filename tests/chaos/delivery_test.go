// Package chaos kills real processes at the worst moments and looks at what is left.
package chaos

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/migrations"
	"kithline/tests/smtpsink"
	"kithline/tests/testdb"
)

const (
	childURL   = "KITHLINE_CHAOS_URL"
	childKey   = "KITHLINE_CHAOS_KEY"
	childSMTP  = "KITHLINE_CHAOS_SMTP"
	childMany  = "KITHLINE_CHAOS_MANY" // connections
	childLease = "KITHLINE_CHAOS_LEASE"
	childBegan = "KITHLINE_CHAOS_BEGAN" // letters are handed over, by a clock that began then
)

// TestMain makes this test binary the process to be killed when it is asked to be.
func TestMain(m *testing.M) {
	if os.Getenv(childURL) != "" {
		if err := sendUntilKilled(); err != nil {
			_, _ = os.Stderr.WriteString(err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func sendUntilKilled() error {
	db, err := database.Open(context.Background(), database.Options{URL: os.Getenv(childURL)})
	if err != nil {
		return err
	}
	k, err := vault.ParseKey(os.Getenv(childKey))
	if err != nil {
		return err
	}
	if began := os.Getenv(childBegan); began != "" {
		return paceUntilKilled(db, vault.New(k), began)
	}
	many, _ := strconv.Atoi(os.Getenv(childMany))
	out, err := outbox(db, vault.New(k), os.Getenv(childSMTP), many)
	if err != nil {
		return err
	}
	return out.Run(context.Background())
}

// outbox sends over one connection; over many, with a lease of its own, where that is asked for.
func outbox(db *database.DB, v *vault.Vault, smtp string, many int) (*deliveries.Service, error) {
	host, port, err := net.SplitHostPort(smtp)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	transport, err := mailer.NewSMTP(mailer.SMTPConfig{Host: host, Port: n, TLS: "none"})
	if err != nil {
		return nil, err
	}
	words, err := mailer.NewRenderer()
	if err != nil {
		return nil, err
	}
	o := deliveries.Options{
		Sender: func(context.Context) (deliveries.Sender, error) {
			return deliveries.Sender{Transport: transport, Connections: max(many, 1), FromName: "WCPC", FromAddress: "hello@act.example.org", Letterhead: mailer.Letterhead{OrgName: "WCPC", PostalAddress: "12 Ferry Street"}}, nil
		},
	}
	if many > 0 {
		if o.Lease, err = time.ParseDuration(os.Getenv(childLease)); err != nil {
			return nil, err
		}
		o.Poll = 50 * time.Millisecond
	}
	s := deliveries.NewService(db, v, clock.System, tokens.New(v), words, o)
	form := &mailer.Form{Lang: "en", ListID: "news.act.example.org", Subject: []mailer.Piece{{Text: "What Tuesday decides"}}, Text: []mailer.Piece{{Text: "Hello."}}, HTML: []mailer.Piece{{Text: "<p>Hello.</p>"}}}
	s.HandleBatch("mailing", func(context.Context, []models.Delivery) (deliveries.Maker, error) {
		return func(d models.Delivery) (deliveries.Content, error) {
			return deliveries.Content{Lang: "en", Bulk: &deliveries.BulkContent{Form: form, Reason: "You said yes.", UnsubscribeURL: "https://act.example.org/u/" + d.ID.String()}}, nil
		}, nil
	})
	s.Handle("setup_test", func(context.Context, models.Delivery) (deliveries.Content, error) {
		return deliveries.Content{Template: "setup_test", Lang: "en", Data: struct{ OrgName string }{"WCPC"}}, nil
	})
	return s, nil
}

// The process is killed while the mail server holds its answer: before it took the mail, or between its 250 and our
// commit. What is a receipt arrives, perhaps twice under one Message-ID; what is to be parked never arrives twice.
func TestKilledOnTheWire(t *testing.T) {
	cases := []struct {
		name      string
		taken     bool // the server takes the mail before the process dies
		onUnknown models.OnUnknown
		state     models.DeliveryState // in the end
		mails     int
	}{
		{"receipt, taken", true, models.Resend, models.DeliverySent, 2},
		{"receipt, not taken", false, models.Resend, models.DeliverySent, 1},
		{"parked, taken", true, models.Park, models.DeliveryUnknown, 1},
		{"parked, not taken", false, models.Park, models.DeliveryUnknown, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			testdb.EachURL(t, func(t *testing.T, url string) { killOnTheWire(t, url, c.taken, c.onUnknown, c.state, c.mails) })
		})
	}
}

func killOnTheWire(t *testing.T, url string, taken bool, onUnknown models.OnUnknown, state models.DeliveryState, mails int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := database.Open(ctx, database.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := migrations.Up(ctx, db); err != nil {
		t.Fatal(err)
	}
	key := vault.NewKey()
	v := vault.New(key)
	id := models.NewID()
	err = db.Tx(ctx, func(tx *gorm.DB) error {
		m, err := mailboxes.Ensure(ctx, tx, v, "june@example.org", clock.System.Now())
		if err != nil {
			return err
		}
		_, err = deliveries.Insert(ctx, tx, deliveries.New{ID: id, Kind: "setup_test", MailboxID: m.ID, Purpose: models.PurposeReceipt, OnUnknown: onUnknown, DedupeKey: "x"}, clock.System.Now())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	sink := smtpsink.New(t)
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^$")
	child.Env = append(os.Environ(), childURL+"="+url, childKey+"="+key.Text(), childSMTP+"="+sink.Addr)
	child.Stderr = os.Stderr
	dead := make(chan struct{})
	var once sync.Once
	kill := func() (first bool) {
		once.Do(func() {
			first = true
			if err := child.Process.Signal(syscall.SIGKILL); err != nil {
				t.Error(err)
			}
			_ = child.Wait() // the answer is given to nobody: it is surely gone
			close(dead)
		})
		return first
	}
	if taken {
		sink.Data = func(smtpsink.Mail) error { kill(); return nil }
	} else {
		sink.Data = func(smtpsink.Mail) error {
			if kill() {
				return errors.New("not taken")
			}
			return nil
		}
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-dead:
	case <-ctx.Done():
		t.Fatal("the mail never came to the wire")
	}
	if got := read(t, db, id); got.State != models.DeliverySending {
		t.Fatalf("on the wire without being committed as sending: %s", got.State)
	}

	// The lease ends; another node takes over.
	if err := db.Exec("UPDATE deliveries SET lease_until = '2020-01-01 00:00:00+00:00'").Error; err != nil {
		t.Fatal(err)
	}
	out, err := outbox(db, v, sink.Addr, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := out.Recover(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	if got := read(t, db, id); got.State != state {
		t.Fatalf("in the end %s, not %s", got.State, state)
	}
	got := sink.To("june@example.org")
	if len(got) != mails {
		t.Fatalf("%d mails arrived, not %d", len(got), mails)
	}
	for _, m := range got {
		if m.Header("Message-ID") != got[0].Header("Message-ID") || m.Header("Message-ID") == "" {
			t.Fatal("a double carries another Message-ID")
		}
	}
}

func read(t *testing.T, db *database.DB, id uuid.UUID) models.Delivery {
	t.Helper()
	var d models.Delivery
	if err := db.Take(&d, "id = ?", id).Error; err != nil {
		t.Fatal(err)
	}
	return d
}
