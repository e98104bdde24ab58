package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // to make databases
	"github.com/valyala/fasthttp"

	"kithline/campaigns/address"
	"kithline/campaigns/petitions"
	"kithline/campaigns/vault"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// The promises about signing: how many times the plain way on PostgreSQL, and the memory that the server takes at most.
const (
	signTimes       = 10
	signMemoryLimit = 200 << 20
)

// sign measures signing on both databases.
func (b *bench) sign(ctx context.Context) error {
	if err := b.signOn(ctx, "SQLite", func() (string, error) { return "", nil }); err != nil {
		return err
	}
	pg, err := testdb.DurableServer()
	if err != nil {
		b.out.note("sign: PostgreSQL is not measured: %v", err)
		return nil
	}
	admin, err := sql.Open("pgx", pg)
	if err != nil {
		return err
	}
	defer admin.Close()
	durable, err := durability(ctx, admin)
	if err != nil {
		return err
	}
	n := 0
	err = b.signOn(ctx, "PostgreSQL", func() (string, error) {
		n++
		name := fmt.Sprintf("kithline_bench_%d_%d", time.Now().UnixMilli(), n)
		u, err := url.Parse(pg)
		if err != nil {
			return "", err
		}
		u.Path = "/" + name
		b.drop = append(b.drop, name)
		_, err = admin.ExecContext(ctx, "CREATE DATABASE "+name)
		return u.String(), err
	})
	for _, name := range b.drop {
		_, e := admin.ExecContext(context.WithoutCancel(ctx), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		err = errors.Join(err, e)
	}
	b.out.note("%s", durable)
	return err
}

// durability reads what a commit of the server is worth.
func durability(ctx context.Context, db *sql.DB) (string, error) {
	var version, fsync, commit, buffers string
	err := db.QueryRowContext(ctx, "SELECT current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit'), current_setting('shared_buffers')").
		Scan(&version, &fsync, &commit, &buffers)
	if err == nil && (fsync != "on" || commit != "on") {
		err = fmt.Errorf("the PostgreSQL server does not keep what it acknowledges (fsync %s, synchronous_commit %s)", fsync, commit)
	}
	return fmt.Sprintf("PostgreSQL %s, fsync %s, synchronous_commit %s, shared_buffers %s", version, fsync, commit, buffers), err
}

// signer fills in forms, each with an address, and from a client, of its own.
func (s *site) signer(name string, addr *string) ask {
	return func(conn, n int, req *fasthttp.Request) string {
		email := fmt.Sprintf("%s-%d-%d@example.org", name, conn, n)
		req.SetRequestURI("http://" + *addr + "/petitions/" + s.petition.Slug + "/sign")
		req.Header.SetMethod(fasthttp.MethodPost)
		asBrowser(req)
		req.Header.Set("Origin", "http://"+*addr)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", conn, n>>8&255, n&255))
		body := "given_name=June&family_name=Okafor&email=" + url.QueryEscape(email) + "&postal_code=10203&display=initials&updates=yes&comment="
		if n%4 == 0 {
			body += "After+visit+six+I+did+the+exercises+from+a+sheet+of+paper."
		}
		req.SetBodyString(body)
		return email
	}
}

func (b *bench) signOn(ctx context.Context, name string, newDB func() (string, error)) error {
	sites := make([]*site, 4)
	for i := range sites {
		u, err := newDB()
		if err != nil {
			return err
		}
		if sites[i], err = b.newSite(ctx, u, 0); err != nil {
			return err
		}
	}
	waits, captured, plain, batch := sites[0], sites[1], sites[2], sites[3]
	rows, err := newBatch(ctx, batch)
	if err != nil {
		return err
	}
	var ours, beside, naive rounds
	var limit []float64
	peak := 0
	for i := range b.rounds {
		for _, c := range []struct {
			site *site
			mail string
			to   *rounds
		}{{waits, "smtp", &ours}, {captured, "capture", &beside}} {
			p, err := b.serve(ctx, c.site, "KITHLINE_MAIL="+c.mail)
			if err != nil {
				return err
			}
			r := drive(ctx, p, b.conns, b.load, c.site.signer(fmt.Sprint("s", i), &p.addr), status(fasthttp.StatusSeeOther))
			*c.to = append(*c.to, r)
			peak = max(peak, p.memory("VmHWM"))
			if err := p.stop(); err != nil {
				return err
			}
		}
		p, err := b.contender(ctx, "serve-naive", plain.url, plain.key, plain.petition.ID.String())
		if err != nil {
			return err
		}
		naive = append(naive, drive(ctx, p, b.conns, b.load, plain.signer(fmt.Sprint("s", i), &p.addr), status(fasthttp.StatusSeeOther)))
		if err := p.stop(); err != nil {
			return err
		}
		l, err := rows.run(ctx, b.load)
		if err != nil {
			return err
		}
		limit = append(limit, l)
	}
	times := ours.rate() / naive.rate()
	told := fmt.Sprintf("%.1f times the plain way, %s of the limit", times, ratio(ours.rate(), median(limit)))
	if name == "PostgreSQL" {
		told += "; " + b.out.promise(times >= signTimes, fmt.Sprintf("at least %d times", signTimes))
	}
	b.out.add(ours.line("sign: "+name+", 64 connections, mail waits", told))
	b.out.add(beside.line("sign: "+name+", the same while mail is captured", ratio(beside.rate(), ours.rate())+" of the line above"))
	b.out.add(naive.line("  plain way: a transaction a request, count in one row", ""))
	b.out.add(line{what: "  limit: the same rows, 100 a statement, no forms, no seals", figure: perSecond(median(limit))})
	b.out.add(line{what: "  memory of the server, the most", figure: mb(peak), beside: b.out.promise(peak <= signMemoryLimit, "at most "+mb(signMemoryLimit))})
	return errors.Join(rows.Close(), b.check(ctx, waits, ours.kept(), "mail waits"), b.check(ctx, captured, beside.kept(), "mail captured"))
}

// check looks whether every signature that was acknowledged is there, once, with its mail, and is counted.
func (b *bench) check(ctx context.Context, s *site, kept []string, what string) error {
	db, err := database.Open(ctx, database.Options{URL: s.url})
	if err != nil {
		return err
	}
	defer db.Close()
	v, err := vault.Load(s.key, nil)
	if err != nil {
		return err
	}
	type row struct {
		AddressHash       []byte
		Signatures, Mails int
	}
	var all []row
	err = db.WithContext(ctx).Raw(`SELECT m.address_hash, COUNT(DISTINCT s.id) AS signatures, COUNT(d.id) AS mails FROM signatures s
		JOIN mailboxes m ON m.id = s.mailbox_id
		LEFT JOIN deliveries d ON d.subject_id = s.id AND d.mailbox_id = m.id AND d.kind = ? AND d.state IN ('queued', 'deferred', 'claimed', 'sending', 'sent')
		WHERE s.petition_id = ? AND s.state = 'pending' GROUP BY m.address_hash`, petitions.KindConfirm, s.petition.ID).Scan(&all).Error
	if err != nil {
		return err
	}
	found := make(map[string]row, len(all))
	rows, mails := 0, 0
	for _, r := range all {
		found[string(r.AddressHash)] = r
		rows += r.Signatures
		mails += r.Mails
	}
	wrong := 0
	for _, email := range kept {
		canonical, _, err := address.CanonicalAddress(email)
		if err != nil {
			return err
		}
		if r := found[string(v.AddressHash(canonical))]; r.Signatures != 1 || r.Mails != 1 {
			wrong++
		}
	}
	var counted int
	if err := db.WithContext(ctx).Raw("SELECT pending_count FROM petitions WHERE id = ?", s.petition.ID).Scan(&counted).Error; err != nil {
		return err
	}
	b.out.note("check, %s: %s acknowledged, %s rows, %s mails queued or sent, pending_count %s: %s", what, number(len(kept)), number(rows), number(mails), number(counted),
		map[bool]string{true: "each is there once, with its mail", false: "NOT so"}[wrong == 0 && counted == rows && len(kept) > 0])
	switch {
	case len(kept) == 0:
		return errors.New("nothing was acknowledged")
	case wrong > 0:
		return fmt.Errorf("%d acknowledged signatures are not there once with one mail", wrong)
	case counted != rows:
		return fmt.Errorf("pending_count is %d, not %d", counted, rows)
	}
	return nil
}
