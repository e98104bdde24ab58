package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	gomail "github.com/wneessen/go-mail"
	"gorm.io/gorm"

	"kithline/app"
	"kithline/campaigns/actor"
	"kithline/campaigns/deliverability"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/mailings"
	"kithline/config"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/smtpsink"
)

// The promises about mail to many.
const (
	mailRate       = 11_000 // a second, on PostgreSQL
	mailPeer       = 1.25   // of what listmonk gives in the same run
	mailRSA        = 0.8    // of what signing alone allows
	mailEd25519    = 0.7    // of the rate without
	mailDelayShare = 0.9    // of what the connections give where the server takes its time
	mailDelay      = 20 * time.Millisecond
	mailMemory     = 150 << 20
	mailDatabase   = 70 * time.Microsecond // processor time of PostgreSQL, each
	mailConns      = 64
	mailDelayConns = 100
	freezeLimit    = 10 * time.Second // a million people
)

// mail measures a mailing from its frozen audience to the last answer of a mail server that takes everything at once, with full
// durability, and beside it what the same server takes of raw bytes and of go-mail's own Send.
func (b *bench) mail(ctx context.Context) error {
	people, many := 100_000, 1_000_000
	if b.rounds == 1 {
		people, many = 20_000, 50_000
		b.out.note("mail: -short sends to a fifth and less; the promises are about 100,000 and 1,000,000 people")
	}
	raw, err := b.rawMail(ctx, people, mailConns, 0)
	if err != nil {
		return err
	}
	slow, err := b.rawMail(ctx, min(people, 20_000), mailDelayConns, mailDelay)
	if err != nil {
		return err
	}
	b.out.add(line{what: "mail: raw bytes, pipelined, 64 connections", figure: perSecond(raw), beside: "what the machine and its sink give at most"})
	b.out.add(line{what: "mail: raw bytes, pipelined, 100 connections, 20 ms a mail", figure: perSecond(slow), beside: "what a server that waits gives at most here"})
	plain, err := goMail(ctx, min(people, 20_000))
	if err != nil {
		return err
	}
	b.out.add(line{what: "mail: go-mail Client.Send, 10 connections", figure: perSecond(plain), beside: "the plain way, without rows, names or links of its own"})
	pg, err := durableServer()
	if err != nil {
		b.out.note("mail: PostgreSQL is not measured: %v", err)
		return b.mailingOn(ctx, "SQLite", "", mailOf{people: people, conns: mailConns}, nil)
	}
	peer := 0.0
	if listmonkFolder() != "" {
		var peak int
		if peer, peak, err = b.listmonk(ctx, pg, people, 0); err != nil {
			return err
		}
		b.out.add(line{what: fmt.Sprintf("mail: listmonk, %s people, 50 connections", number(people)), figure: perSecond(peer), beside: fmt.Sprintf("the peer, without a row for each mail; peak %d MB", peak>>20)})
	} else {
		b.out.note("mail: listmonk is not measured: KITHLINE_BENCH_LISTMONK names no folder of a built one")
	}
	fresh := func(name string) (string, func(), error) { return b.database(ctx, pg, name) }
	signs, err := signing()
	if err != nil {
		return err
	}
	unsigned := 0.0
	for _, run := range []mailOf{
		{people: people, conns: mailConns},
		{people: many, conns: mailConns},
		{people: min(people, 50_000), conns: mailDelayConns, delay: mailDelay},
		{people: min(people, 20_000), conns: mailConns, key: models.MailKeyRSA},
		{people: min(people, 50_000), conns: mailConns, key: models.MailKeyEd25519},
	} {
		url, drop, err := fresh(fmt.Sprintf("mail_%d_%d_%s", run.people, run.delay.Milliseconds(), run.key))
		if err != nil {
			return err
		}
		err = b.mailingOn(ctx, "PostgreSQL", url, run, func(r mailRun) string {
			switch {
			case run.key == models.MailKeyRSA:
				return b.out.promise(r.rate >= mailRSA*signs, fmt.Sprintf("at least %.0f %% of what signing alone allows, %s", 100*mailRSA, perSecond(signs))) + fmt.Sprintf(" (%s)", ratio(r.rate, signs))
			case run.key == models.MailKeyEd25519:
				return b.out.promise(r.rate >= mailEd25519*unsigned, fmt.Sprintf("at least %.0f %% of the rate without", 100*mailEd25519)) + fmt.Sprintf(" (%s)", ratio(r.rate, unsigned))
			case run.delay > 0:
				most := float64(run.conns) / run.delay.Seconds()
				return b.out.promise(r.rate >= mailDelayShare*most, "at least 90 % of the connections' "+perSecond(most)) + fmt.Sprintf(" (%s, and %s of raw bytes)", ratio(r.rate, most), ratio(r.rate, slow))
			case run.people == many:
				return b.out.promise(r.peak <= mailMemory, "at most 150 MB") + "; " + b.out.promise(r.freeze <= freezeLimit, "frozen in at most 10 s")
			}
			unsigned = r.rate
			beside := ""
			if peer > 0 {
				beside = b.out.promise(r.rate >= mailPeer*peer, fmt.Sprintf("at least %.2f times listmonk (%s times)", mailPeer, ratio(r.rate, peer))) + "; "
			}
			return beside + b.out.promise(r.rate >= mailRate, "at least "+perSecond(mailRate)) + fmt.Sprintf(" (%s of raw bytes, %s times go-mail's Send); ", ratio(r.rate, raw), ratio(r.rate, plain)) +
				b.out.promise(r.database <= mailDatabase, "at most 70 us of PostgreSQL each") + "; " + b.out.promise(r.peak <= mailMemory, "at most 150 MB")
		})
		drop()
		if err != nil {
			return err
		}
	}
	return b.mailingOn(ctx, "SQLite", "", mailOf{people: people, conns: mailConns}, func(r mailRun) string {
		return fmt.Sprintf("%s of raw bytes; at least half of PostgreSQL's is promised", ratio(r.rate, raw))
	})
}

// database makes a new database on a PostgreSQL server; drop takes it away.
func (b *bench) database(ctx context.Context, server, name string) (url string, drop func(), err error) {
	admin, err := sql.Open("pgx", server)
	if err != nil {
		return "", nil, err
	}
	name = fmt.Sprintf("kithline_bench_%s_%d", name, time.Now().UnixMilli())
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, errors.Join(err, admin.Close())
	}
	at := strings.LastIndex(server, "/")
	rest := ""
	if q := strings.Index(server[at:], "?"); q >= 0 {
		rest = server[at+q:]
	}
	return server[:at+1] + name + rest, func() {
		_, _ = admin.ExecContext(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)")
		_ = admin.Close()
	}, nil
}

// mailOf is a mailing that is measured: to so many people, over so many connections, to a server that waits, signed by a key.
type mailOf struct {
	people, conns int
	delay         time.Duration
	key           models.MailKeyAlgorithm
}

// signing is how many mails a second the cores sign with RSA-2048, and do nothing else.
func signing() (float64, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return 0, err
	}
	d, err := mailer.NewDKIM("act.example.org", "bench", key)
	if err != nil {
		return 0, err
	}
	raw, err := mailer.Bytes(mailer.Message{
		MessageID: mailer.NewMessageID("act.example.org"), FromAddress: "hello@act.example.org", To: "reader@example.org", Date: time.Now(), Subject: "What Tuesday decides",
		Text: mailText, HTML: "<html><body>" + strings.Repeat("<p>"+mailText[:400]+"</p>", 13) + "</body></html>",
	})
	if err != nil {
		return 0, err
	}
	var n atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range runtime.NumCPU() {
		wg.Go(func() {
			for time.Since(began) < 2*time.Second {
				if _, err := d.Sign(raw); err == nil {
					n.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(began).Seconds(), nil
}

// mailRun is what was measured of one mailing.
type mailRun struct {
	rate             float64
	freeze, database time.Duration
	peak             int
}

func (b *bench) mailingOn(ctx context.Context, name, url string, of mailOf, say func(mailRun) string) (err error) {
	people, conns, delay := of.people, of.conns, of.delay
	s, err := b.newSite(ctx, url, 0)
	if err != nil {
		return err
	}
	var r mailRun
	if r.freeze, err = frozenMailing(ctx, s, people, of.key); err != nil {
		return err
	}
	to, err := smtpsink.Count(delay, nil)
	if err != nil {
		return err
	}
	defer to.Close()
	p, err := b.serve(ctx, s, "KITHLINE_BASE_URL=https://act.example.org", "KITHLINE_SMTP_URL=smtp://"+to.Addr+"?tls=none", fmt.Sprintf("KITHLINE_SMTP_CONNECTIONS=%d", conns))
	if err != nil {
		return err
	}
	if err := released(ctx, p, s); err != nil {
		return errors.Join(err, p.stop())
	}
	before := processorTime(p.cmd.Process.Pid)
	err = p.until(ctx, func() bool { return to.Mails.Load() > 0 })
	for last, since := int64(0), time.Now(); err == nil && to.Mails.Load() < int64(people); time.Sleep(20 * time.Millisecond) {
		if n := to.Mails.Load(); n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > 20*time.Second {
			err = fmt.Errorf("nothing came for 20 s; %d of %d did\n%s", last, people, p.said())
		}
	}
	took := processorTime(p.cmd.Process.Pid).since(before)
	r.rate, r.peak, r.database = to.Rate(), p.memory("VmHWM"), took.database/time.Duration(people)
	if err = errors.Join(err, p.stop()); err != nil {
		return err
	}
	if n := to.Doubles(); n > 0 || to.Mails.Load() != int64(people) {
		return fmt.Errorf("%d mails, %d of them doubles", to.Mails.Load(), n)
	}
	what := fmt.Sprintf("mail: %s, %s people, %d connections", name, number(people), conns)
	if of.key != "" {
		what += ", signed by " + string(of.key)
	}
	if delay > 0 {
		what += fmt.Sprintf(", %s ms a mail", number(int(delay.Milliseconds())))
	}
	l := line{what: what, figure: perSecond(r.rate), beside: fmt.Sprintf("frozen in %.1f s; peak %d MB; %s", r.freeze.Seconds(), r.peak>>20, took.words(people))}
	if say != nil {
		l.beside = say(r) + "; " + l.beside
	}
	b.out.add(l)
	return nil
}

// held keeps a mailing from being sent until released.
func held(tx *gorm.DB) error {
	return tx.Exec("UPDATE mailings SET state = 'paused' WHERE state = 'sending'").Error
}

// released waits until a server has done the housekeeping that follows its start, the comparison of everybody with everybody among it, and
// has the mailing go: a server that mails was not started a moment ago, and what else it does is not what a mail costs.
func released(ctx context.Context, p *process, s *site) (err error) {
	db, err := database.Open(ctx, database.Options{URL: s.url})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var busy time.Time
	err = p.until(ctx, func() bool {
		var at struct{ Working, Done int64 }
		err := db.WithContext(ctx).Raw("SELECT count(*) FILTER (WHERE state IN ('available', 'running')) AS working, count(*) FILTER (WHERE state = 'completed') AS done FROM river_job").Scan(&at).Error
		if err != nil || at.Working > 0 || at.Done == 0 || busy.IsZero() {
			busy = time.Now()
		}
		time.Sleep(50 * time.Millisecond)
		return time.Since(busy) > 2*time.Second // the queue is looked at every second
	})
	return errors.Join(err, db.WithContext(ctx).Exec("UPDATE mailings SET state = 'sending' WHERE state = 'paused'").Error)
}

// mailText makes mails of 7.5 KB in two parts, with three links.
var mailText = "Hello {{given_name|friend}},\n\n" + strings.Repeat("The bill on the table says one thing: whoever is sent to a pain clinic is seen within eight weeks. It was read once. "+
	"What comes next is decided on Tuesday, and five minutes of yours can be part of it.\n\n", 9) +
	"[Read what the bill says](https://example.org/bill)\n\n[See who decides](https://example.org/committee)\n\n[Write to them](https://example.org/write)\n"

// frozenMailing makes people who agreed to the newsletter and a mailing to them whose deliveries wait. It returns how long freezing took.
func frozenMailing(ctx context.Context, s *site, n int, key models.MailKeyAlgorithm) (took time.Duration, err error) {
	cfg, err := config.Load(append(s.env, "KITHLINE_BASE_URL=https://act.example.org"))
	if err != nil {
		return 0, err
	}
	a, err := app.Build(ctx, cfg, app.Options{Transport: mailer.NewMemory(), Building: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	if err := a.Deliverability.SetLimits(ctx, actor.TheSystem(), models.Limits{}); err != nil { // no quiet hours: it may be night
		return 0, err
	}
	if key != "" {
		k, err := a.Deliverability.MakeKey(ctx, actor.TheSystem(), deliverability.NewKey{Algorithm: key})
		if err != nil {
			return 0, err
		}
		if err := a.DB.WithContext(ctx).Model(&k).Update("state", models.MailKeySigning).Error; err != nil { // as if its record had been found
			return 0, err
		}
	}
	now := a.Clock.Now()
	then := now.AddDate(0, 0, -1) // people who came a moment ago are read once more by each process
	text := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeNewsletter, Locale: "en", Version: 900, Body: "Send me news.", CreatedAt: now}
	if err := a.DB.WithContext(ctx).Create(&text).Error; err != nil {
		return 0, err
	}
	for from := 0; from < n; from += 5000 {
		err := a.DB.Tx(ctx, func(tx *gorm.DB) error {
			var boxes []models.Mailbox
			var persons []models.Supporter
			var yes []models.Consent
			for i := from; i < min(n, from+5000); i++ {
				box, err := mailboxes.NewRow(a.Vault, fmt.Sprintf("reader%d@mail%d.example.org", i, i%17), now)
				if err != nil {
					return err
				}
				p := models.Supporter{ID: models.NewID(), PostalArea: "102", Country: "US", Locale: "en", Source: "form", CreatedAt: then, UpdatedAt: then}
				p.GivenNameSealed = a.Vault.Seal("supporters", "given_name_sealed", p.ID, []string{"June", "Aurelio", "Mei", "José"}[i%4])
				box.SupporterID, box.VerifiedAt = &p.ID, &now
				boxes, persons = append(boxes, box), append(persons, p)
				yes = append(yes, models.Consent{ID: models.NewID(), MailboxID: box.ID, Purpose: models.PurposeNewsletter, ScopeID: uuid.Nil, TextID: text.ID, Locale: "en", ShownAt: now, GivenAt: now, Source: "bench", How: models.ConsentByMail})
			}
			return errors.Join(database.InsertAll(tx, persons, ""), database.InsertAll(tx, boxes, ""), database.InsertAll(tx, yes, ""))
		})
		if err != nil {
			return 0, err
		}
	}
	by := actor.TheSystem()
	id, err := a.Mailings.CreateTo(ctx, by, mailings.To{Newsletter: true})
	if err != nil {
		return 0, err
	}
	revision, err := a.Mailings.Save(ctx, by, id, mailings.Draft{Revision: 1, Newsletter: true, Locale: "en", Subject: "What Tuesday decides", Preheader: "Five minutes", Body: mailText})
	if err != nil {
		return 0, err
	}
	if a.DB.Postgres() { // as its own housekeeping leaves tables that were not filled a moment ago
		if err := a.DB.WithContext(ctx).Exec("VACUUM ANALYZE").Error; err != nil {
			return 0, err
		}
	}
	if err := a.Mailings.Send(ctx, by, id, revision); err != nil {
		return 0, err
	}
	began := time.Now()
	if err := a.Mailings.Freeze(ctx, id); err != nil {
		return 0, err
	}
	took = time.Since(began)
	if err := held(a.DB.WithContext(ctx)); err != nil {
		return 0, err
	}
	var waiting int64
	if err := a.DB.WithContext(ctx).Model(&models.Delivery{}).Where("mailing_id = ? AND state = 'queued'", id).Count(&waiting).Error; err != nil || int(waiting) != n {
		return 0, errors.Join(err, fmt.Errorf("%d of %d wait", waiting, n))
	}
	return took, nil
}

// rawMail is how many messages of the size of ours a second the sink takes of bytes that are made before, pipelined.
func (b *bench) rawMail(ctx context.Context, n, conns int, delay time.Duration) (float64, error) {
	s, err := smtpsink.Count(delay, nil)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	one, err := mailer.Bytes(mailer.Message{
		MessageID: mailer.NewMessageID("act.example.org"), FromAddress: "hello@act.example.org", To: "reader@example.org", Date: time.Now(), Subject: "What Tuesday decides",
		Text: mailText, HTML: "<html><body>" + strings.Repeat("<p>"+mailText[:400]+"</p>", 13) + "</body></html>",
	})
	if err != nil {
		return 0, err
	}
	message := append(one, ".\r\n"...)
	var wg sync.WaitGroup
	errs := make(chan error, conns)
	for c := range conns {
		wg.Go(func() { errs <- rawSender(ctx, s.Addr, message, c, n/conns) })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return s.Rate(), nil
}

func rawSender(ctx context.Context, addr string, message []byte, c, n int) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	in := make([]byte, 4096)
	answers := func(lines int) error { // so many lines
		for got := 0; got < lines; {
			k, err := conn.Read(in)
			if err != nil {
				return err
			}
			got += strings.Count(string(in[:k]), "\n")
		}
		return nil
	}
	if err := answers(1); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("EHLO bench\r\n")); err != nil {
		return err
	}
	if err := answers(4); err != nil {
		return err
	}
	for i := range n {
		if _, err := fmt.Fprintf(conn, "MAIL FROM:<hello@act.example.org>\r\nRCPT TO:<r%d.%d@example.org>\r\nDATA\r\n", c, i); err != nil {
			return err
		}
		if err := answers(3); err != nil {
			return err
		}
		if _, err := conn.Write(message); err != nil {
			return err
		}
		if err := answers(1); err != nil {
			return err
		}
	}
	return nil
}

// goMail is how many messages a second go-mail's own Send hands over.
func goMail(ctx context.Context, n int) (float64, error) {
	const conns = 10
	s, err := smtpsink.Count(0, nil)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	addr, err := net.ResolveTCPAddr("tcp", s.Addr)
	if err != nil {
		return 0, err
	}
	var wg sync.WaitGroup
	errs := make(chan error, conns)
	for c := range conns {
		wg.Go(func() {
			errs <- func() error {
				client, err := gomail.NewClient("127.0.0.1", gomail.WithPort(addr.Port), gomail.WithTLSPolicy(gomail.NoTLS), gomail.WithHELO("bench"), gomail.WithoutNoop(), gomail.WithoutRset())
				if err != nil {
					return err
				}
				if err := client.DialWithContext(ctx); err != nil {
					return err
				}
				defer client.Close()
				for i := range n / conns {
					m, err := mailer.Build(mailer.Message{
						MessageID: mailer.NewMessageID("act.example.org"), FromAddress: "hello@act.example.org", To: fmt.Sprintf("r%d.%d@example.org", c, i), Date: time.Now(), Subject: "What Tuesday decides",
						Text: mailText, HTML: "<html><body>" + strings.Repeat("<p>"+mailText[:400]+"</p>", 13) + "</body></html>",
					})
					if err != nil {
						return err
					}
					if err := client.Send(m); err != nil {
						return err
					}
				}
				return nil
			}()
		})
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return s.Rate(), nil
}
