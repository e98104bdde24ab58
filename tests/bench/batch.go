package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"kithline/models"
	"kithline/models/database"
)

// batchRows is how many signatures one statement of the limit writes.
const batchRows = 100

// batch writes the rows of signatures as fast as the database takes them: made up, with nothing looked up, nothing sealed.
type batch struct {
	*database.DB
	petition uuid.UUID
	writers  int
}

func newBatch(ctx context.Context, s *site) (*batch, error) {
	db, err := database.Open(ctx, database.Options{URL: s.url, Connections: 4})
	if err != nil {
		return nil, err
	}
	b := &batch{DB: db, petition: s.petition.ID, writers: 1}
	return b, nil
}

// run writes for as long as d and returns the signatures a second.
func (b *batch) run(ctx context.Context, d time.Duration) (float64, error) {
	write := b.sqlite
	if b.Postgres() {
		write = b.postgres
	}
	counts := make([]int, b.writers)
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	for i := range b.writers {
		g.Go(func() error {
			for time.Since(began) < d {
				if err := write(ctx); err != nil {
					return err
				}
				counts[i] += batchRows
			}
			return nil
		})
	}
	err := g.Wait()
	n := 0
	for _, c := range counts {
		n += c
	}
	return float64(n) / time.Since(began).Seconds(), err
}

// secret is made-up data of a sealed value's length.
func secret(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func (b *batch) postgres(ctx context.Context) error {
	now := time.Now().UTC()
	ids, boxes, mails, keys := make([][16]byte, batchRows), make([][16]byte, batchRows), make([][16]byte, batchRows), make([]string, batchRows)
	hashes, sealed, given, family := make([][]byte, batchRows), make([][]byte, batchRows), make([][]byte, batchRows), make([][]byte, batchRows)
	for i := range batchRows {
		ids[i], boxes[i], mails[i] = models.NewID(), models.NewID(), models.NewID()
		keys[i] = "petition_confirm/" + uuid.UUID(ids[i]).String()
		hashes[i], sealed[i], given[i], family[i] = secret(32), secret(48), secret(33), secret(35)
	}
	_, err := b.Pool.Exec(ctx, `WITH i AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bytea[], $6::bytea[], $7::bytea[], $8::bytea[])
			AS t (id, box, mail, key, hash, sealed, given, family)),
		m AS (INSERT INTO mailboxes (id, address_hash, address_sealed, domain, suppressed_reason, created_at, updated_at)
			SELECT box, hash, sealed, 'example.org', '', $9, $9 FROM i ON CONFLICT (address_hash) DO NOTHING),
		s AS (INSERT INTO signatures (id, petition_id, mailbox_id, state, given_name_sealed, family_name_sealed, postal_area, display, display_name, comment_state, comment_shown,
				wants_updates, locale, source, code_tries, number, created_at, expires_at)
			SELECT id, $10, box, 'pending', given, family, '10203', 'initials', '', '', '', true, 'en', '', 0, 0, $9, $9::timestamptz + interval '7 days' FROM i
			ON CONFLICT (petition_id, mailbox_id, seat) DO NOTHING),
		c AS (UPDATE petitions SET pending_count = pending_count + $11 WHERE id = $10)
		INSERT INTO deliveries (id, kind, mailbox_id, subject_id, purpose, scope_id, dedupe_key, priority, state, on_unknown, attempt, deferrals, not_before, node, expires_at,
				reply_code, reply, created_at, updated_at)
			SELECT mail, 'petition_confirm', box, id, 'receipt', $12, key, 10, 'queued', 'resend', 0, 0, $9, '', $9::timestamptz + interval '7 days', 0, '', $9, $9 FROM i
			ON CONFLICT (dedupe_key) DO NOTHING`,
		ids, boxes, mails, keys, hashes, sealed, given, family, now, [16]byte(b.petition), batchRows, [16]byte{})
	return err
}

func (b *batch) sqlite(ctx context.Context) error {
	now := time.Now().UTC()
	type item struct{ ID, Box, Mail, Hash, Sealed, Given, Family string }
	items := make([]item, batchRows)
	for i := range items {
		items[i] = item{
			models.NewID().String(), models.NewID().String(), models.NewID().String(), hex.EncodeToString(secret(32)), hex.EncodeToString(secret(48)),
			hex.EncodeToString(secret(33)), hex.EncodeToString(secret(35)),
		}
	}
	text, err := json.Marshal(items)
	if err != nil {
		return err
	}
	tx, err := b.SQL.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // says that it is committed, mostly
	ends := now.Add(7 * 24 * time.Hour)
	for _, q := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO mailboxes (id, address_hash, address_sealed, domain, suppressed_reason, created_at, updated_at)
			SELECT value->>'Box', unhex(value->>'Hash'), unhex(value->>'Sealed'), 'example.org', '', ?, ? FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`, []any{now, now, string(text)}},
		{`INSERT INTO signatures (id, petition_id, mailbox_id, state, given_name_sealed, family_name_sealed, postal_area, display, display_name, comment_state, comment_shown,
				wants_updates, locale, source, code_tries, number, created_at, expires_at)
			SELECT value->>'ID', ?, value->>'Box', 'pending', unhex(value->>'Given'), unhex(value->>'Family'), '10203', 'initials', '', '', '', true, 'en', '', 0, 0, ?, ?
			FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`, []any{b.petition.String(), now, ends, string(text)}},
		{`INSERT INTO deliveries (id, kind, mailbox_id, subject_id, purpose, scope_id, dedupe_key, priority, state, on_unknown, attempt, deferrals, not_before, node, expires_at,
				reply_code, reply, created_at, updated_at)
			SELECT value->>'Mail', 'petition_confirm', value->>'Box', value->>'ID', 'receipt', ?, 'petition_confirm/' || (value->>'ID'), 10, 'queued', 'resend', 0, 0, ?, '', ?, 0, '', ?, ?
			FROM json_each(?) WHERE true ON CONFLICT DO NOTHING`, []any{uuid.Nil.String(), now, ends, now, now, string(text)}},
		{"UPDATE petitions SET pending_count = pending_count + ? WHERE id = ?", []any{batchRows, b.petition.String()}},
	} {
		if _, err := tx.ExecContext(ctx, q.sql, q.args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}
