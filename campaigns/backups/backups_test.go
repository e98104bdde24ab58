package backups

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/jobs"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/migrations"
	"kithline/models/tables"
	"kithline/tests/testdb"
)

// Everything comes back as it was, on the same kind of database and on the other.
func TestRoundTrip(t *testing.T) {
	pairs(t, func(t *testing.T, from, to *world) {
		lite := !from.db.Postgres() && !to.db.Postgres()
		p := from.fill(lite)
		b, c := from.backup()
		want := from.dump()

		if c.KeyID != from.vault.KeyID() || from.vault.Verify(c.KeyCheck) != nil || c.Version != "1.2.3" || !c.MadeAt.Equal(start) || c.Schema < 1 || c.River < 1 || c.Files != 3 || len(c.Missing) != 0 {
			t.Fatalf("%+v", c.Head)
		}
		var inBackup []string
		for _, table := range c.Tables {
			inBackup = append(inBackup, table.Name)
		}
		all := slices.Concat(inBackup, c.LeftOut)
		names, err := tables.Own()
		if err != nil {
			t.Fatal(err)
		}
		if slices.Sort(all); !slices.Equal(all, slices.Sorted(slices.Values(names))) {
			t.Errorf("the backup knows of %v, the models of %v", all, names)
		}
		for name, n := range c.Rows {
			if n == 0 {
				t.Errorf("the table %s has no row in this test", name)
			}
			if int(n) != len(want[name]) {
				t.Errorf("%s: %d rows of %d", name, n, len(want[name]))
			}
		}

		to.clk.Add(time.Minute)
		done := to.restore(b)
		if done.PausedMailings+done.Expired+done.Unknown != 0 || done.KeyID != c.KeyID {
			t.Errorf("%+v", done)
		}
		got := to.dump()
		log := got["audit_entries"]
		if len(log) != 3 || !strings.Contains(log[2], `"Action":"backup.restore"`) || !strings.Contains(log[2], `\"files\":3`) {
			t.Fatalf("audit log: %v", log)
		}
		got["audit_entries"] = log[:2]
		for _, name := range leftOut {
			if len(got[name]) != 0 || len(want[name]) == 0 {
				t.Errorf("%s: %d rows came back of %d", name, len(got[name]), len(want[name]))
			}
			delete(want, name)
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			if !slices.Equal(got[name], want[name]) {
				t.Errorf("%s\ngot  %s\nwant %s", name, strings.Join(got[name], "\n     "), strings.Join(want[name], "\n     "))
			}
		}

		// The right key opens what came back, and no other does.
		var check models.VaultCheck
		var box models.Mailbox
		if err := errors.Join(to.db.Take(&check).Error, to.db.Take(&box, "id = ?", p.mailbox).Error); err != nil {
			t.Fatal(err)
		}
		if err := from.vault.Verify(check.CheckValue); err != nil {
			t.Error(err)
		}
		if err := to.vault.Verify(check.CheckValue); !errors.Is(err, vault.ErrWrongKey) {
			t.Errorf("another key: %v", err)
		}
		if address, err := from.vault.OpenBytes("mailboxes", "address_sealed", box.AddressHash, box.AddressSealed); err != nil || string(address) != p.address {
			t.Errorf("%q, %v", address, err)
		}
		files := files.New(to.db, from.vault, to.clk, to.folder)
		for _, f := range p.stored {
			r, _, err := files.Open(t.Context(), f.ID)
			if err != nil {
				t.Fatal(err)
			}
			if data, err := io.ReadAll(r); errors.Join(err, r.Close()) != nil || int64(len(data)) != f.Size {
				t.Errorf("file %s: %d bytes of %d, %v", f.ID, len(data), f.Size, err)
			}
		}
		if len(to.keys()) != 3 {
			t.Errorf("the store has %v", to.keys())
		}

		// The guards stand again.
		d := models.Delivery{ID: models.NewID(), MailboxID: p.mailbox, SubjectID: p.mailbox, Purpose: models.PurposeUpdates, ScopeID: p.scope, DedupeKey: "new", State: models.DeliveryQueued, OnUnknown: models.Park, NotBefore: start, CreatedAt: start, UpdatedAt: start}
		if err := to.db.Create(&d).Error; !database.NoConsent(err) {
			t.Errorf("a delivery without consent: %v", err)
		}
		for _, q := range []string{"UPDATE consents SET source = 'x'", "UPDATE consent_texts SET body = 'x'", "UPDATE deliveries SET purpose = 'receipt' WHERE purpose = 'updates'", "UPDATE deliveries SET mailing_id = scope_id"} {
			if err := to.db.Exec(q).Error; err == nil {
				t.Errorf("%s was taken", q)
			}
		}

		// A backup of what was restored holds the same.
		to.exec("DELETE FROM audit_entries WHERE action = 'backup.restore'")
		_, again := to.backup()
		if !maps.Equal(again.Rows, c.Rows) || again.FileBytes != c.FileBytes {
			t.Errorf("a second backup has %v, the first %v", again.Rows, c.Rows)
		}
	})
}

// Nothing that is sealed is open in a backup, and nothing of the key is in it.
func TestSealedStaysSealed(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		key := vault.NewKey()
		w.vault = vault.New(key)
		w.store = files.New(db, w.vault, w.clk, w.folder)
		w.fill(false)
		b, _ := w.backup()
		for _, m := range unpack(t, b) {
			for _, word := range append(key.Sheet(), "june.okafor", "June\"", "Núria.pdf") {
				if len(word) > 4 && bytes.Contains(m.data, []byte(word)) {
					t.Errorf("%s holds %q", m.name, word)
				}
			}
			if bytes.Contains(m.data, []byte(strings.Join(key.Sheet()[:2], ""))) || bytes.Contains(m.data, []byte(strings.Join(key.Sheet()[:2], " "))) {
				t.Errorf("%s holds the key", m.name)
			}
		}
	})
}

// PostgreSQL has no zero byte in a text: one from SQLite becomes the mark of a lost character, and nothing else changes.
func TestZeroBytes(t *testing.T) {
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := newWorld(t, testdb.SQLite(t)), newWorld(t, open(t))
			from.create(
				&models.SiteText{ID: models.NewID(), Name: "zero", Body: "a\x00b", UpdatedAt: start},
				&models.SiteText{ID: models.NewID(), Name: "broken", Body: "a\xff\xfeb\\\"", UpdatedAt: start},
			)
			b, _ := from.backup()
			to.restore(b)
			for name, want := range map[string]string{"zero": "a\x00b", "broken": "a\uFFFDb\\\""} {
				if name == "zero" && to.db.Postgres() {
					want = "a\uFFFDb"
				}
				var got models.SiteText
				if err := to.db.Take(&got, "name = ?", name).Error; err != nil || got.Body != want {
					t.Errorf("%s: %q, want %q, %v", name, got.Body, want, err)
				}
			}
		})
	}
}

// While people sign, a backup shows one moment: the counter of the petition is the number of its signatures.
func TestOneMoment(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		campaign := models.Campaign{ID: models.NewID(), Slug: "c", State: models.CampaignPublished, CreatedAt: start, UpdatedAt: start}
		petition := models.Petition{ID: models.NewID(), CampaignID: campaign.ID, Slug: "p", State: models.PetitionPublished, CreatedAt: start, UpdatedAt: start}
		w.create(&campaign, &petition)
		var signed atomic.Int64
		sign := func() error {
			return db.Tx(context.WithoutCancel(ctx), func(tx *gorm.DB) error {
				box := models.Mailbox{ID: models.NewID(), AddressHash: bits(32), CreatedAt: start, UpdatedAt: start}
				s := models.Signature{ID: models.NewID(), PetitionID: petition.ID, MailboxID: box.ID, State: models.SignatureConfirmed, Display: models.DisplayAnonymous, CreatedAt: start, ExpiresAt: start}
				return errors.Join(tx.Create(&box).Error, tx.Create(&s).Error,
					tx.Exec("UPDATE petitions SET signature_count = signature_count + 1 WHERE id = ?", petition.ID).Error)
			})
		}
		for range 200 {
			if err := sign(); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if err := sign(); err != nil {
						t.Error(err)
						return
					}
					signed.Add(1)
				}
			})
		}
		var backups [][]byte
		var met int64
		for range 3 {
			var b bytes.Buffer
			// In the middle of each backup, between two tables, it waits until somebody signed: writers do not wait for it.
			_, err := w.Backup(t.Context(), actor.TheSystem(), &b, func(what string, _, _ int64) {
				if what != "mailboxes" {
					return
				}
				for before, limit := signed.Load(), time.Now().Add(20*time.Second); signed.Load() < before+5; runtime.Gosched() {
					if time.Now().After(limit) {
						t.Error("nobody could sign while the backup was made")
						return
					}
				}
				met++
			})
			if err != nil {
				t.Fatal(err)
			}
			backups = append(backups, b.Bytes())
		}
		stop()
		wg.Wait()
		if met != 3 {
			t.Errorf("%d backups met somebody signing", met)
		}
		last := int64(0)
		for i, b := range backups {
			to := newWorld(t, testdb.SQLite(t))
			to.restore(b)
			n, counter := to.count("SELECT count(*) FROM signatures"), to.count("SELECT signature_count FROM petitions")
			if n != counter || n < 200 || n <= last || to.count("SELECT count(*) FROM mailboxes") != n {
				t.Errorf("backup %d: %d signatures, the petition counts %d, before it were %d", i, n, counter, last)
			}
			last = n
		}
	})
}

// What was under way comes to a stop that a person can decide on.
func TestSettled(t *testing.T) {
	pairs(t, func(t *testing.T, from, to *world) {
		box := models.Mailbox{ID: models.NewID(), AddressHash: bits(32), AddressSealed: bits(50), CreatedAt: start, UpdatedAt: start}
		words := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeNewsletter, CreatedAt: start}
		from.create(&box, &words, &models.Consent{ID: models.NewID(), MailboxID: box.ID, Purpose: models.PurposeNewsletter, TextID: words.ID, ShownAt: start, GivenAt: start})
		mailings := map[models.MailingState]models.Mailing{}
		for _, state := range []models.MailingState{models.MailingDraft, models.MailingScheduled, models.MailingFreezing, models.MailingSending, models.MailingPaused, models.MailingFinished, models.MailingCancelled, models.MailingStopped} {
			m := models.Mailing{ID: models.NewID(), Purpose: models.PurposeNewsletter, State: state, CreatedAt: start, UpdatedAt: start}
			if state == models.MailingPaused {
				m.PausedAt, m.PausedReason = ptr(start), "mailings.paused_by_hand"
			}
			mailings[state] = m
			from.create(&m)
		}
		type delivery struct {
			state   models.DeliveryState
			receipt bool
			age     time.Duration
		}
		wants := map[delivery]models.DeliveryState{}
		ids := map[delivery]models.Delivery{}
		old, young := 25*time.Hour, 23*time.Hour
		const claimed models.DeliveryState = "claimed" // of a version before
		for _, state := range append(slices.Clone(models.DeliveryStates), claimed) {
			for _, receipt := range []bool{true, false} {
				for _, age := range []time.Duration{old, young} {
					c := delivery{state, receipt, age}
					d := models.Delivery{ID: models.NewID(), MailboxID: box.ID, SubjectID: box.ID, Purpose: models.PurposeReceipt, State: state, OnUnknown: models.Resend, Attempt: 4, Node: "node", LeaseUntil: ptr(start), NotBefore: start, CreatedAt: start.Add(-age), UpdatedAt: start}
					if !receipt {
						d.Purpose, d.OnUnknown, d.MailingID = models.PurposeNewsletter, models.Park, ptr(mailings[models.MailingSending].ID)
					}
					d.DedupeKey = d.ID.String()
					from.create(&d)
					ids[c] = d
					wants[c] = state
					switch state {
					case models.DeliveryQueued, claimed, models.DeliverySending, models.DeliveryDeferred:
						if receipt && age == old {
							wants[c] = models.DeliveryExpired
						} else if !receipt && state == models.DeliverySending {
							wants[c] = models.DeliveryUnknown
						} else if state != models.DeliveryDeferred {
							wants[c] = models.DeliveryQueued
						}
					}
				}
			}
		}
		b, _ := from.backup()
		done := to.restore(b)
		if done.PausedMailings != 3 || done.Expired != 4 || done.Unknown != 2 {
			t.Errorf("%d paused, %d expired, %d unknown", done.PausedMailings, done.Expired, done.Unknown)
		}
		for state, was := range mailings {
			var m models.Mailing
			if err := to.db.Take(&m, "id = ?", was.ID).Error; err != nil {
				t.Fatal(err)
			}
			switch state {
			case models.MailingScheduled, models.MailingFreezing, models.MailingSending:
				if m.State != models.MailingPaused || m.PausedAt == nil || !m.PausedAt.Equal(start) || m.PausedReason != "mailing.paused_restore" {
					t.Errorf("%s became %+v", state, m)
				}
			default:
				if m.State != state || m.PausedReason != was.PausedReason {
					t.Errorf("%s became %+v", state, m)
				}
			}
		}
		for c, want := range wants {
			var d models.Delivery
			if err := to.db.Take(&d, "id = ?", ids[c].ID).Error; err != nil {
				t.Fatal(err)
			}
			if d.State != want || d.Attempt != 4 {
				t.Errorf("%+v became %s, want %s", c, d.State, want)
			}
			if (c.state == claimed || c.state == models.DeliverySending) && (d.Node != "" || d.LeaseUntil != nil) {
				t.Errorf("%+v is still held by %q until %v", c, d.Node, d.LeaseUntil)
			}
		}
	})
}

type greet struct {
	Name string `json:"name"`
}

func (greet) Kind() string { return "greet" }

type greeter struct {
	river.WorkerDefaults[greet]
	ran chan river.Job[greet]
}

func (g *greeter) Work(_ context.Context, j *river.Job[greet]) error { g.ran <- *j; return nil }

// Jobs that had not ended are worked after the restore, those for later not yet, those that had ended never again.
func TestJobs(t *testing.T) {
	pairs(t, func(t *testing.T, from, to *world) {
		ctx := t.Context()
		client := func(w *world) (*jobs.Client, *greeter) {
			g := &greeter{ran: make(chan river.Job[greet], 10)}
			workers := river.NewWorkers()
			river.AddWorker(workers, g)
			c, err := jobs.New(w.db, jobs.Options{Workers: workers, Poll: 60 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			return c, g
		}
		c, _ := client(from)
		for _, name := range []string{"available", "running", "retryable", "scheduled", "completed", "cancelled", "discarded"} {
			if err := from.db.Tx(ctx, func(tx *gorm.DB) error { return c.Enqueue(ctx, tx, greet{name + " " + text[:len(text)-4]}) }); err != nil {
				t.Fatal(err)
			}
			q := "UPDATE river_job SET state = ?, max_attempts = 7, scheduled_at = ? WHERE id = (SELECT max(id) FROM river_job)"
			switch name {
			case "completed", "cancelled", "discarded":
				q = "UPDATE river_job SET state = ?, finalized_at = ? WHERE id = (SELECT max(id) FROM river_job)"
			}
			due := clock.Trim(time.Now().Add(-time.Hour))
			if name == "scheduled" {
				due = due.Add(2 * time.Hour)
			}
			from.exec(q, name, due)
		}
		b, contents := from.backup()
		if contents.Jobs != 4 {
			t.Fatalf("%d jobs in the backup", contents.Jobs)
		}
		to.clk.Set(time.Now()) // the queue goes by the machine's clock
		to.restore(b)
		c, g := client(to)
		if err := c.Start(context.WithoutCancel(ctx)); err != nil {
			t.Fatal(err)
		}
		var ran []string
		for range 3 {
			select {
			case j := <-g.ran:
				name, rest, _ := strings.Cut(j.Args.Name, " ")
				if rest != text[:len(text)-4] || j.MaxAttempts != 7 {
					t.Errorf("%+v", j)
				}
				ran = append(ran, name)
			case <-time.After(20 * time.Second):
				t.Fatalf("only %v ran", ran)
			}
		}
		if err := c.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Fatal(err)
		}
		if slices.Sort(ran); !slices.Equal(ran, []string{"available", "retryable", "running"}) {
			t.Errorf("%v ran", ran)
		}
		left, err := c.List(ctx, actor.TheSystem(), "scheduled")
		if err != nil || len(left) != 1 || time.Until(left[0].ScheduledAt) < 59*time.Minute {
			t.Errorf("for later: %+v, %v", left, err)
		}
	})
}

// A content that is gone is noted; the rest of the backup is good.
func TestMissingContent(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.fill(false)
		if err := w.folder.Delete(t.Context(), p.stored[0].StoreKey); err != nil {
			t.Fatal(err)
		}
		orphan := "00112233445566778899aabbccddeeff"
		if err := w.folder.Put(t.Context(), orphan, strings.NewReader("x"), 1); err != nil {
			t.Fatal(err)
		}
		b, c := w.backup()
		if !slices.Equal(c.Missing, []string{p.stored[0].StoreKey}) || c.Files != 2 {
			t.Errorf("%v, %d files", c.Missing, c.Files)
		}
		to := newWorld(t, testdb.SQLite(t))
		if done := to.restore(b); len(done.Missing) != 1 || len(to.keys()) != 2 || slices.Contains(to.keys(), orphan) {
			t.Errorf("%v, %v", done.Missing, to.keys())
		}
	})
}

// Whatever happens to a file on its way, a restore says so and changes nothing.
func TestDamaged(t *testing.T) {
	from := newWorld(t, testdb.SQLite(t))
	from.fill(false)
	good, _ := from.backup()
	members := unpack(t, good)
	at := func(prefix string) int {
		i := slices.IndexFunc(members, func(m member) bool { return strings.HasPrefix(m.name, prefix) })
		if i < 0 {
			t.Fatalf("no member %s", prefix)
		}
		return i
	}
	edit := func(prefix string, sums bool, change func(b []byte) []byte) []byte {
		m := slices.Clone(members)
		i := at(prefix)
		m[i].data = change(bytes.Clone(m[i].data))
		return pack(t, m, sums)
	}
	replace := func(old, by string) func([]byte) []byte {
		return func(b []byte) []byte {
			if !bytes.Contains(b, []byte(old)) {
				t.Fatalf("%q is not there", old)
			}
			return bytes.Replace(b, []byte(old), []byte(by), 1)
		}
	}
	without := func(prefix string, sums bool) []byte {
		i := at(prefix)
		return pack(t, slices.Delete(slices.Clone(members), i, i+1), sums)
	}
	swapped := slices.Clone(members)
	i, j := at("tables/mailboxes"), at("tables/supporters")
	swapped[i], swapped[j] = swapped[j], swapped[i]

	type bad struct {
		name string
		data []byte
		key  string
	}
	const damaged, unknown, newer = "error.backup_damaged", "error.backup_unknown", "error.backup_newer"
	cases := []bad{
		{"nothing", nil, unknown},
		{"a text", []byte("given_name,email\nJune,june@example.org\n"), unknown},
		{"a folder of something else", pack(t, []member{{"hello.txt", []byte("x")}}, false), unknown},
		{"bytes after the end", append(bytes.Clone(good), "more"...), damaged},
		{"two backups", append(bytes.Clone(good), good...), damaged},
		{"an edited name", edit("tables/organisations", false, replace("World", "Earth")), damaged},
		{"an edited content", edit("files/", false, func(b []byte) []byte { b[100] ^= 1; return b }), damaged},
		{"a line less", edit("tables/signatures", false, func(b []byte) []byte { return b[:bytes.IndexByte(b, '\n')+1] }), damaged},
		{"a line less and the sums right", edit("tables/signatures", true, func(b []byte) []byte { return b[:bytes.IndexByte(b, '\n')+1] }), damaged},
		{"half a line and the sums right", edit("tables/signatures", true, func(b []byte) []byte { return b[:len(b)-20] }), damaged},
		{"a line that is none", edit("tables/signatures", true, func(b []byte) []byte { return append(b, "[]\n"...) }), damaged},
		{"no rows of a table", without("tables/signatures", false), damaged},
		{"no rows of a table and the sums right", without("tables/signatures", true), damaged},
		{"no file", without("files/", true), damaged},
		{"no manifest", without("manifest", false), damaged},
		{"no head", without("head", false), unknown},
		{"another order", pack(t, swapped, true), damaged},
		{"a member after the manifest", pack(t, append(slices.Clone(members), member{"files/00112233445566778899aabbccddeeff", nil}), true), damaged},
		{"a file with a way out", pack(t, slices.Insert(slices.Clone(members), len(members)-1, member{"files/../../x", nil}), true), damaged},
		{"a member of another kind", pack(t, slices.Insert(slices.Clone(members), 1, member{"x", nil}), true), damaged},
		{"the manifest of another", edit("manifest", false, replace(`"jobs":0`, `"jobs":1`)), damaged},
		{"a table with a strange name", edit("head", true, replace(`"audit_entries"`, `"a\"; DROP TABLE users"`)), damaged},
		{"a table that is not there", edit("head", true, replace(`"login_links"`, `"login_links", "x"`)), ""}, // only named
		{"a head that is no JSON", edit("head", true, func(b []byte) []byte { return b[:40] }), damaged},
		{"a later format", edit("head", true, replace(`"format": 1`, `"format": 2`)), newer},
		{"a later schema", edit("head", true, replace(`"schema": `, `"schema": 9`)), newer},
	}
	for n := 1; n < len(good); n += len(good)/40 + 1 {
		cases = append(cases, bad{"cut short", good[:n], ""})
		flipped := bytes.Clone(good)
		flipped[n] ^= 0x10
		cases = append(cases, bad{"a bit turned", flipped, ""})
	}
	cases = append(cases, bad{"cut at the very end", good[:len(good)-1], damaged})

	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := newWorld(t, open(t))
			for i, c := range cases {
				if c.name == "a table that is not there" {
					continue
				}
				_, err := to.Restore(t.Context(), actor.TheSystem(), bytes.NewReader(c.data), nil)
				var f *fault.Error
				if !errors.As(err, &f) || f.Kind != fault.Invalid || c.key != "" && f.Key != c.key || !strings.HasPrefix(f.Key, "error.backup_") {
					t.Errorf("%s (%d): %v, want %s", c.name, i, err, c.key)
				}
				to.empty()
				if t.Failed() {
					return
				}
			}
			to.restore(good) // and the same database takes the good one
		})
	}
}

// A backup whose sums are right and whose rows no database takes is refused in the middle: rows and contents go again.
func TestRowsThatDoNotFit(t *testing.T) {
	from := newWorld(t, testdb.SQLite(t))
	p := from.fill(false)
	good, _ := from.backup()
	for name, open := range databases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := newWorld(t, open(t))
			for what, change := range map[string][3]string{
				"points to nothing":        {"tables/signatures", p.petition.String(), models.NewID().String()},
				"no such state":            {"tables/signatures", `"confirmed"`, `"perhaps"`},
				"NULL where none may be":   {"tables/petitions", `"published"`, `null`},
				"a number that is a text":  {"tables/petitions", `2147483647`, `"many"`},
				"a time that is none":      {"tables/petitions", `"2027-01-30T12:00:00.123456Z"`, `"2027-02-30T12:00:00.123456Z"`},
				"not base64":               {"tables/vault_checks", `"` + from.vault.KeyID() + `","`, `"` + from.vault.KeyID() + `","?`},
				"a column that is unknown": {"head", `"why_now"`, `"why_then"`},
				"a kind that is wrong":     {"head", "\"public\",\n          \"kind\": \"bool\"", "\"public\",\n          \"kind\": \"text\""},
				"twice the same":           {"tables/site_texts", `"es"`, `"en"`},
			} {
				members := unpack(t, good)
				i := slices.IndexFunc(members, func(m member) bool { return strings.HasPrefix(m.name, change[0]) })
				if !bytes.Contains(members[i].data, []byte(change[1])) {
					t.Fatalf("%s: no %s in %s", what, change[1], members[i].data)
				}
				members[i].data = bytes.Replace(members[i].data, []byte(change[1]), []byte(change[2]), 1)
				_, err := to.Restore(t.Context(), actor.TheSystem(), bytes.NewReader(pack(t, members, true)), nil)
				var f *fault.Error
				if !errors.As(err, &f) || f.Key != "error.backup_damaged" {
					t.Fatalf("%s: %v", what, err)
				}
				if to.empty(); t.Failed() {
					t.Fatal(what)
				}
			}
			to.restore(good)
		})
	}
}

// full is a store without room after some contents.
type full struct {
	files.Blobs
	room int
}

func (f *full) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	if f.room--; f.room < 0 {
		return errors.New("no room")
	}
	return f.Blobs.Put(ctx, key, r, size)
}

func (f *full) Get(ctx context.Context, key string) (io.ReadCloser, int64, error) {
	if f.room < 0 {
		return nil, 0, errors.New("no answer")
	}
	return f.Blobs.Get(ctx, key)
}

// A store that fails lets neither a backup nor a restore end well, and a restore takes back what it stored, but nothing
// that was there before.
func TestStoreFails(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		from := newWorld(t, db)
		p := from.fill(false)
		good, _ := from.backup()
		from.blobs = &full{from.folder, -1}
		_, err := from.Backup(t.Context(), actor.TheSystem(), io.Discard, nil)
		isFault(t, err, fault.Unavailable, "error.backup_files")

		to := newWorld(t, testdb.SQLite(t))
		for _, f := range p.stored[:1] { // shared with the world that the backup is of
			r, size, err := from.folder.Get(t.Context(), f.StoreKey)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(to.folder.Put(t.Context(), f.StoreKey, r, size), r.Close()); err != nil {
				t.Fatal(err)
			}
		}
		to.blobs = &full{to.folder, 2}
		_, err = to.Restore(t.Context(), actor.TheSystem(), bytes.NewReader(good), nil)
		isFault(t, err, fault.Unavailable, "error.restore_files")
		if keys := to.keys(); !slices.Equal(keys, []string{p.stored[0].StoreKey}) {
			t.Errorf("the store has %v", keys)
		}
		if rows := to.dump(); len(rows) != 0 {
			t.Errorf("rows: %v", rows)
		}
		to.blobs = to.folder
		to.restore(good)
	})
}

func TestOnlyIntoAnEmptyDatabase(t *testing.T) {
	from := newWorld(t, testdb.SQLite(t))
	from.fill(false)
	good, _ := from.backup()
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		to := newWorld(t, db)
		to.create(&models.LoginFailure{ID: models.NewID(), KeyHash: bits(32), At: start}) // even of a table that no backup holds
		before := to.dump()
		_, err := to.Restore(t.Context(), actor.TheSystem(), bytes.NewReader(good), nil)
		if f := isFault(t, err, fault.Conflict, "error.restore_not_empty"); f.Args[1] != "login_failures" {
			t.Errorf("%v", f.Args)
		}
		if after := to.dump(); !maps.EqualFunc(before, after, slices.Equal) || len(to.keys()) != 0 {
			t.Errorf("%v became %v", before, after)
		}
		to.exec("DELETE FROM login_failures")
		to.restore(good)
		_, err = to.Restore(t.Context(), actor.TheSystem(), bytes.NewReader(good), nil)
		isFault(t, err, fault.Conflict, "error.restore_not_empty")
	})
}

// A database without any table has nothing to back up, and takes a backup: the tables come with it.
func TestWithoutTables(t *testing.T) {
	from := newWorld(t, testdb.SQLite(t))
	from.fill(false)
	good, _ := from.backup()
	testdb.EachURL(t, func(t *testing.T, url string) {
		to := newWorld(t, open(t, url))
		_, err := to.Backup(t.Context(), actor.TheSystem(), io.Discard, nil)
		isFault(t, err, fault.Conflict, "error.backup_empty")
		to.restore(good)
		if n := to.count("SELECT count(*) FROM petitions"); n != 2 {
			t.Errorf("%d petitions", n)
		}
	})
}

func open(t *testing.T, url string) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), database.Options{URL: url, Connections: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// A backup of every version that there ever was comes to this program's version.
func TestEveryVersion(t *testing.T) {
	testdb.EachURL(t, func(t *testing.T, url string) {
		old := newWorld(t, open(t, url))
		target, err := migrations.Target(old.db)
		if err != nil {
			t.Fatal(err)
		}
		for version := int64(1); version <= target; version++ {
			if err := migrations.UpTo(t.Context(), old.db, version); err != nil {
				t.Fatal(err)
			}
			old.exec("DELETE FROM site_texts")
			old.exec("INSERT INTO site_texts (id, name, locale, body, updated_at) VALUES (?, 'privacy', 'en', ?, ?)", models.NewID(), text[:len(text)-4], start)
			b, c := old.backup()
			if c.Schema != version {
				t.Fatalf("version %d says %d", version, c.Schema)
			}
			for _, url := range []string{filepath.Join(t.TempDir(), "new.db"), testdb.EmptyPostgresURL(t)} {
				to := newWorld(t, open(t, url))
				to.restore(b)
				at, err := migrations.Read(t.Context(), to.db)
				if err != nil || at.Current != target {
					t.Errorf("%+v, %v", at, err)
				}
				if n := to.count("SELECT count(*) FROM site_texts WHERE body = ?", text[:len(text)-4]); n != 1 {
					t.Errorf("%d rows", n)
				}
			}
		}
	})
}

// Tables of another program in the same database are left alone, and named.
func TestForeignTables(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.fill(false)
		w.exec("CREATE TABLE points (id integer PRIMARY KEY, place json)")
		w.exec("INSERT INTO points VALUES (1, '{}')")
		b, c := w.backup()
		if !slices.Contains(c.LeftOut, "points") {
			t.Errorf("left out: %v", c.LeftOut)
		}
		to := newWorld(t, testdb.SQLite(t))
		to.exec("CREATE TABLE points (id integer PRIMARY KEY)")
		to.exec("INSERT INTO points VALUES (1)")
		to.restore(b)
	})
}

func TestRights(t *testing.T) {
	w := newWorld(t, testdb.SQLite(t))
	for _, a := range []actor.Actor{{}, {Kind: actor.User, Role: actor.Organizer}} {
		_, err := w.Backup(t.Context(), a, io.Discard, nil)
		_, err2 := w.Restore(t.Context(), a, bytes.NewReader(nil), nil)
		if k := fault.KindOf(err); k != fault.KindOf(err2) || k != fault.Forbidden && k != fault.Unauthenticated {
			t.Errorf("%+v: %v, %v", a, err, err2)
		}
	}
}

// A backup or restore that is told to stop stops, and leaves nothing.
func TestStopped(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.fill(false)
		good, _ := w.backup()
		ctx, stop := context.WithCancel(t.Context())
		path := filepath.Join(t.TempDir(), "x.kithline")
		err := ToFile(path, func(f io.Writer) error {
			_, err := w.Backup(ctx, actor.TheSystem(), f, func(what string, done, _ int64) {
				if what == "files" && done == 1 {
					stop()
				}
			})
			return err
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("backup: %v", err)
		}
		if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 0 {
			t.Errorf("left: %v, %v", left, err)
		}
		for _, step := range []string{"check", "signatures", "files"} {
			ctx, stop := context.WithCancel(t.Context())
			to := newWorld(t, testdb.SQLite(t))
			if db.Postgres() {
				to = newWorld(t, testdb.Postgres(t))
			}
			_, err := to.Restore(ctx, actor.TheSystem(), bytes.NewReader(good), func(what string, _, _ int64) {
				if what == step {
					stop()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", step, err)
			}
			to.empty()
			to.restore(good)
			stop()
		}
	})
}

func TestToFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.kithline")
	write := func(text string, err error) error {
		return ToFile(path, func(w io.Writer) error { _, e := io.WriteString(w, text); return errors.Join(e, err) })
	}
	if err := write("one", nil); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	if err := write("half of tw", boom); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || string(b) != "one" {
		t.Errorf("%q, %v", b, err)
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	if err := ToFile(filepath.Join(path, "below"), func(io.Writer) error { return nil }); err == nil {
		t.Error("a file took a file")
	}
	if err := ToFile(filepath.Join(t.TempDir(), "none", "x"), func(io.Writer) error { return nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// A large database goes through little memory, and fast.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("a hundred thousand rows")
	}
	const n = 100_000
	for a, from := range databases {
		for b, to := range databases {
			if a != b {
				t.Run(a+" to "+b, func(t *testing.T) { large(t, newWorld(t, from(t)), newWorld(t, to(t)), n) })
			}
		}
	}
}

func large(t *testing.T, from, to *world, n int) {
	box := models.Mailbox{ID: models.NewID(), AddressHash: bits(32), CreatedAt: start, UpdatedAt: start}
	from.create(&box)
	series := `WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < ?) SELECT printf('%08x-0000-7000-8000-%012x', n, n) AS id, n FROM s`
	if from.db.Postgres() {
		series = `SELECT (lpad(to_hex(n), 8, '0') || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS id, n FROM generate_series(1, ?) AS s(n)`
	}
	from.exec(`INSERT INTO deliveries (id, kind, mailbox_id, subject_id, purpose, scope_id, dedupe_key, priority, state, on_unknown, attempt, deferrals, not_before, node,
			reply_code, reply, created_at, updated_at, sent_at)
		SELECT id, 'receipt', ?, id, 'receipt', id, 'receipt/' || n, 10, 'sent', 'resend', 1, 0, ?, '0123456789abcdef', 250, 'OK queued as 0123456789abcdef0123456789abcdef', ?, ?, ?
		FROM (`+series+`) AS rows`, box.ID, start, start, start, start, n)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, peak := m.HeapAlloc, uint64(0)
	look := func(string, int64, int64) {
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
	}
	path := filepath.Join(t.TempDir(), "x.kithline")
	begin := time.Now()
	if err := ToFile(path, func(w io.Writer) error { _, err := from.Backup(t.Context(), actor.TheSystem(), w, look); return err }); err != nil {
		t.Fatal(err)
	}
	wrote := time.Since(begin)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begin = time.Now()
	last := time.Time{}
	done, err := to.Restore(t.Context(), actor.TheSystem(), f, func(what string, n, of int64) {
		if now := time.Now(); now.Sub(last) > 5*time.Millisecond { // looking stops the world
			look(what, n, of)
			last = now
		}
	})
	if err != nil || done.Rows["deliveries"] != int64(n) {
		t.Fatalf("%d rows, %v", done.Rows["deliveries"], err)
	}
	if got := to.count("SELECT count(*) FROM deliveries"); got != int64(n) {
		t.Errorf("%d rows came back", got)
	}
	grew := (int64(peak) - int64(before)) >> 20
	t.Logf("backup %v (%.0f rows/s), restore %v (%.0f rows/s), %d MB more on the heap", wrote, float64(n)/wrote.Seconds(), time.Since(begin), float64(n)/time.Since(begin).Seconds(), grew)
	if grew > 60 {
		t.Errorf("the heap grew by %d MB", grew)
	}
}
