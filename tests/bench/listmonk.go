package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kithline/tests/smtpsink"
)

// listmonkFolder is where a built listmonk lies with its static files and translations; KITHLINE_BENCH_LISTMONK names it.
func listmonkFolder() string { return os.Getenv("KITHLINE_BENCH_LISTMONK") }

// listmonk is how many messages a second the peer hands to the same server over 50 connections, which is its best: a text of the same length,
// with a name and three links that it counts, in two parts. It is on a database of its own on the same PostgreSQL.
func (b *bench) listmonk(ctx context.Context, server string, people int, delay time.Duration) (rate float64, peak int, err error) {
	address, drop, err := b.database(ctx, server, "listmonk")
	if err != nil {
		return 0, 0, err
	}
	defer drop()
	to, err := smtpsink.Count(delay, nil)
	if err != nil {
		return 0, 0, err
	}
	defer to.Close()
	at, err := url.Parse(address)
	if err != nil {
		return 0, 0, err
	}
	listen, err := freePort()
	if err != nil {
		return 0, 0, err
	}
	password, _ := at.User.Password()
	host, port := at.Hostname(), at.Port()
	if h := at.Query().Get("host"); host == "" {
		host, port = h, at.Query().Get("port")
	}
	env := []string{
		"LISTMONK_app__address=" + listen, "LISTMONK_db__host=" + host, "LISTMONK_db__port=" + port, "LISTMONK_db__user=" + at.User.Username(), "LISTMONK_db__password=" + password,
		"LISTMONK_db__database=" + strings.TrimPrefix(at.Path, "/"), "LISTMONK_db__ssl_mode=disable", "LISTMONK_db__max_open=25", "LISTMONK_db__max_idle=25", "LISTMONK_db__max_lifetime=300s",
		"LISTMONK_ADMIN_USER=admin", "LISTMONK_ADMIN_PASSWORD=bench-only-1",
	}
	bin := filepath.Join(listmonkFolder(), "listmonk")
	install, err := b.launchIn(listmonkFolder(), bin, env, "--config", "", "--install", "--yes")
	if err != nil {
		return 0, 0, err
	}
	if err := <-install.ended; err != nil {
		return 0, 0, fmt.Errorf("installing listmonk: %w\n%s", err, install.said())
	}
	if err := listmonkWorld(ctx, address, to.Addr, people); err != nil {
		return 0, 0, err
	}
	p, err := b.launchIn(listmonkFolder(), bin, env, "--config", "")
	if err != nil {
		return 0, 0, err
	}
	for last, since := int64(0), time.Now(); to.Mails.Load() < int64(people); time.Sleep(20 * time.Millisecond) {
		if n := to.Mails.Load(); n != last {
			last, since = n, time.Now()
		}
		if time.Since(since) > 30*time.Second {
			return 0, 0, errors.Join(fmt.Errorf("listmonk: %d of %d mails came\n%s", last, people, p.said()), p.stop())
		}
	}
	rate, peak = to.Rate(), p.memory("VmHWM")
	_ = p.stop() // a signal ends it with an error
	return rate, peak, nil
}

// listmonkWorld makes a list of people and a campaign to them that runs as soon as listmonk does.
func listmonkWorld(ctx context.Context, address, smtp string, people int) (err error) {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	host, port, err := net.SplitHostPort(smtp)
	if err != nil {
		return err
	}
	words := strings.Split(strings.TrimSpace(mailText), "\n\n")
	html := "<p>Hello {{ .Subscriber.FirstName }},</p>"
	for _, w := range words[1:] {
		if label, to, ok := strings.Cut(strings.Trim(w, "[)"), "]("); ok {
			w = `<a href="{{ TrackLink "` + to + `" }}">` + label + `</a>`
		}
		html += "<p>" + w + "</p>"
	}
	for _, q := range []struct {
		text string
		args []any
	}{
		{"UPDATE settings SET value = '50' WHERE key = 'app.concurrency'", nil},
		{"UPDATE settings SET value = '10000' WHERE key = 'app.message_rate'", nil},
		{"UPDATE settings SET value = '5000' WHERE key = 'app.batch_size'", nil},
		{"UPDATE settings SET value = $1::jsonb WHERE key = 'smtp'", []any{`[{"host":"` + host + `","port":` + port + `,"enabled":true,"password":"","tls_type":"none","username":"","max_conns":50,"idle_timeout":"15s",
			"wait_timeout":"30s","auth_protocol":"none","email_headers":[],"hello_hostname":"bench","max_msg_retries":2,"tls_skip_verify":false,"uuid":"11111111-1111-4111-8111-111111111111"}]`}},
		{"TRUNCATE campaigns, subscribers, lists RESTART IDENTITY CASCADE", nil},
		{"INSERT INTO lists (uuid, name, type, optin) VALUES (gen_random_uuid(), 'all', 'public', 'single')", nil},
		{"INSERT INTO subscribers (uuid, email, name, status) SELECT gen_random_uuid(), 'reader' || i || '@mail' || (i % 17) || '.example.org', 'June', 'enabled' FROM generate_series(1, $1::int) i", []any{people}},
		{"INSERT INTO subscriber_lists (subscriber_id, list_id, status) SELECT id, 1, 'confirmed' FROM subscribers", nil},
		{
			`INSERT INTO campaigns (uuid, name, subject, from_email, body, altbody, content_type, status, messenger, template_id, to_send, max_subscriber_id, started_at)
			VALUES (gen_random_uuid(), 'bench', 'What Tuesday decides', 'hello@act.example.org', $1, $2, 'richtext', 'running', 'email', (SELECT id FROM templates WHERE type = 'campaign' ORDER BY id LIMIT 1), $3, $3, now())`,
			[]any{html, strings.ReplaceAll(mailText, "{{given_name|friend}}", "{{ .Subscriber.FirstName }}"), people},
		},
		{"INSERT INTO campaign_lists (campaign_id, list_id, list_name) VALUES (1, 1, 'all')", nil},
		{"VACUUM ANALYZE", nil},
	} {
		if _, err := db.ExecContext(ctx, q.text, q.args...); err != nil {
			return fmt.Errorf("%w in %s", err, q.text[:min(len(q.text), 60)])
		}
	}
	return nil
}
