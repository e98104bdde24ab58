package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"net/url"
	"sync"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // to make databases
	"github.com/valyala/fasthttp"

	"kithline/campaigns/address"
	"kithline/campaigns/petitions"
	"kithline/campaigns/vault"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// The promises about signing and confirming on PostgreSQL: how many times the plain way, which share of the rows alone, how long all
// but one in a hundred take at crowd connections, and, on both databases, the memory that the server takes at most.
const (
	signTimes       = 10
	signShare       = 0.3
	signSlowest     = 50 * time.Millisecond
	signMemoryLimit = 200 << 20
	crowd           = 256 // connections
)

// sign measures signing, and confirming what was signed, on both databases.
func (b *bench) sign(ctx context.Context) error {
	return b.eachDatabase(ctx, "sign", func(name string, newDB func() (string, error)) error { return b.signOn(ctx, name, newDB) })
}

// eachDatabase runs a part on SQLite, and on PostgreSQL where it is found.
func (b *bench) eachDatabase(ctx context.Context, part string, run func(name string, newDB func() (string, error)) error) error {
	if err := run("SQLite", func() (string, error) { return "", nil }); err != nil {
		return err
	}
	pg, err := durableServer()
	if err != nil {
		b.out.note("%s: PostgreSQL is not measured: %v", part, err)
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
	var drop []string
	err = run("PostgreSQL", func() (string, error) {
		name := fmt.Sprintf("kithline_bench_%d_%d", time.Now().UnixMilli(), len(drop))
		u, err := url.Parse(pg)
		if err != nil {
			return "", err
		}
		u.Path = "/" + name
		drop = append(drop, name)
		_, err = admin.ExecContext(ctx, "CREATE DATABASE "+name)
		return u.String(), err
	})
	for _, name := range drop {
		_, e := admin.ExecContext(context.WithoutCancel(ctx), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		err = errors.Join(err, e)
	}
	b.out.note("%s", durable)
	return err
}

// durableServer is started once.
var durableServer = sync.OnceValues(testdb.DurableServer)

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

// letters is a name that hardly anybody else has.
func letters(n uint32) string {
	b := []byte{'J'}
	for ; n > 0; n /= 26 {
		b = append(b, byte('a'+n%26))
	}
	return string(b)
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
		req.Header.Set("X-Forwarded-For", fmt.Sprintf("fd00:%x:%x:%x::1", crc32.ChecksumIEEE([]byte(name))&0xffff, conn, n)) // limits count IPv6 by its /64
		body := "given_name=" + letters(crc32.ChecksumIEEE([]byte(email))) + "&family_name=" + letters(uint32(conn*1000+n)) + "&email=" + url.QueryEscape(email) + "&postal_code=10203&display=initials&updates=yes&comment="
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
	var ours, many, beside, naive rounds
	var limit []float64
	peak := 0
	for i := range b.rounds {
		for _, c := range []struct {
			site  *site
			mail  string
			conns int
			to    *rounds
		}{{waits, "smtp", b.conns, &ours}, {waits, "smtp", crowd, &many}, {captured, "capture", b.conns, &beside}} {
			p, err := b.serve(ctx, c.site, "KITHLINE_MAIL="+c.mail)
			if err != nil {
				return err
			}
			r := drive(ctx, p, c.conns, b.load, c.site.signer(fmt.Sprint("s", i, "-", c.conns), &p.addr), status(fasthttp.StatusSeeOther))
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
	b.out.add(ours.line("sign: "+name+", 64 connections, mail waits", b.beside(name, ours.rate(), naive.rate(), median(limit))))
	slow := ""
	if name == "PostgreSQL" {
		slow = "; " + b.out.promise(many.at(0.99) <= signSlowest, "p99 at most "+ms(signSlowest)+" ms")
	}
	b.out.add(many.line(fmt.Sprintf("sign: %s, %d connections, mail waits", name, crowd), against(many.rate(), naive.rate(), median(limit))+slow))
	b.out.add(beside.line("sign: "+name+", the same while mail is captured", ratio(beside.rate(), ours.rate())+" of the line above"))
	b.out.add(naive.line("  plain way: a transaction a request, count in one row", ""))
	b.out.add(line{what: "  limit: the same rows, 100 a statement, no forms, no seals", figure: perSecond(median(limit))})
	b.out.add(line{what: "  memory of the server, the most", figure: mb(peak), beside: b.out.promise(peak <= signMemoryLimit, "at most "+mb(signMemoryLimit))})
	err = errors.Join(rows.Close(), b.check(ctx, waits, append(ours.kept(), many.kept()...), "mail waits"), b.check(ctx, captured, beside.kept(), "mail captured"))
	if err != nil {
		return err
	}
	return b.confirmOn(ctx, name, waits, plain, batch)
}

// against says how a rate compares with the plain way at 64 connections, which has no more at 256, and with the limit.
func against(ours, naive, limit float64) string {
	return fmt.Sprintf("%.1f times the plain way, %s of the limit", ours/naive, ratio(ours, limit))
}

// beside says how a rate compares with the plain way and with the limit, and whether what is promised of both is kept.
func (b *bench) beside(database string, ours, naive, limit float64) string {
	told := against(ours, naive, limit)
	if database == "PostgreSQL" {
		told += "; " + b.out.promise(ours >= signTimes*naive && ours >= signShare*limit, fmt.Sprintf("at least %d times, and %.1f of the limit", signTimes, signShare))
	}
	return told
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
		LEFT JOIN deliveries d ON d.subject_id = s.id AND d.mailbox_id = m.id AND d.kind = ? AND d.state IN ('queued', 'deferred', 'sending', 'sent')
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
