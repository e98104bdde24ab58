package database_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var at = time.Date(2027, 3, 9, 10, 0, 0, 123456000, time.UTC)

func TestRowsComeBackAsWritten(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		later := at.Add(time.Hour)
		in := models.Mailbox{ID: models.NewID(), AddressHash: []byte{1, 2, 0, 255}, AddressSealed: []byte{9}, Domain: "example.org", VerifiedAt: &later, CreatedAt: at, UpdatedAt: at}
		if err := db.Create(&in).Error; err != nil {
			t.Fatal(err)
		}
		var out models.Mailbox
		if err := db.First(&out, "id = ?", in.ID).Error; err != nil {
			t.Fatal(err)
		}
		if out.ID != in.ID || string(out.AddressHash) != string(in.AddressHash) || !out.CreatedAt.Equal(at) || out.CreatedAt.Location() != time.UTC ||
			out.VerifiedAt == nil || !out.VerifiedAt.Equal(later) || out.SuppressedAt != nil || out.SupporterID != nil {
			t.Fatalf("%+v", out)
		}
	})
}

func TestTimesSortAndCompareWithTheDatabasesOwn(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		now := time.Now().UTC()
		for i, d := range []time.Duration{-time.Hour, -time.Second, time.Hour} {
			m := models.Mailbox{ID: models.NewID(), AddressHash: []byte{byte(i)}, CreatedAt: now.Add(d).Truncate(time.Microsecond), UpdatedAt: now}
			if err := db.Create(&m).Error; err != nil {
				t.Fatal(err)
			}
		}
		var past, soon int64
		if err := db.Model(&models.Mailbox{}).Where("created_at < " + database.Now(db.DB)).Count(&past).Error; err != nil {
			t.Fatal(err)
		}
		if err := db.Model(&models.Mailbox{}).Where("created_at < "+database.NowPlus(db.DB), 7200).Count(&soon).Error; err != nil {
			t.Fatal(err)
		}
		if past != 2 || soon != 3 {
			t.Fatalf("past %d, soon %d", past, soon)
		}
	})
}

func TestErrorsAreTold(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		m := models.Mailbox{ID: models.NewID(), AddressHash: []byte{1}, CreatedAt: at, UpdatedAt: at}
		if err := db.Create(&m).Error; err != nil {
			t.Fatal(err)
		}
		m.ID = models.NewID()
		if err := db.Create(&m).Error; !errors.Is(err, gorm.ErrDuplicatedKey) {
			t.Errorf("the same address twice: %v", err)
		}
		r := db.Clauses(clause.OnConflict{DoNothing: true}).Create(&m)
		if r.Error != nil || r.RowsAffected != 0 {
			t.Errorf("do nothing: %v, %d rows", r.Error, r.RowsAffected)
		}
		u := models.User{ID: models.NewID(), MailboxID: models.NewID(), Role: "owner", CreatedAt: at, UpdatedAt: at}
		if err := db.Create(&u).Error; !errors.Is(err, gorm.ErrForeignKeyViolated) {
			t.Errorf("a user without a mailbox: %v", err)
		}
	})
}

func TestAnnouncedAfterCommitOnly(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx := context.Background()
		heard := db.Listen("post")
		boom := errors.New("boom")
		if err := db.Tx(ctx, func(tx *gorm.DB) error { database.Announce(tx, "post"); return boom }); !errors.Is(err, boom) {
			t.Fatal(err)
		}
		select {
		case <-heard:
			t.Fatal("told of a transaction that was rolled back")
		default:
		}
		if err := db.Tx(ctx, func(tx *gorm.DB) error { database.Announce(tx, "post"); return nil }); err != nil {
			t.Fatal(err)
		}
		select {
		case <-heard:
		default:
			t.Fatal("not told")
		}
	})
}

func TestTwoWritersEndWithBothChanges(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		m := models.Mailbox{ID: models.NewID(), AddressHash: []byte{1}, Domain: "", CreatedAt: at, UpdatedAt: at}
		if err := db.Create(&m).Error; err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				err := db.Tx(context.Background(), func(tx *gorm.DB) error {
					return tx.Exec("UPDATE mailboxes SET domain = domain || 'x' WHERE id = ?", m.ID).Error
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := db.First(&m, "id = ?", m.ID).Error; err != nil || len(m.Domain) != 20 {
			t.Fatalf("%v, %d changes", err, len(m.Domain))
		}
	})
}

// A commit that is answered must be on the disk, whichever pooled connection made it.
func TestEveryConnectionIsDurable(t *testing.T) {
	ctx := context.Background()
	t.Run("sqlite", func(t *testing.T) {
		db := testdb.SQLite(t)
		each(t, db.SQL, 4, func(c *sql.Conn) {
			var sync int
			var mode string
			if err := errors.Join(c.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&sync), c.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode)); err != nil || sync != 2 || mode != "wal" {
				t.Errorf("synchronous %d, journal %s, %v", sync, mode, err)
			}
		})
	})
	t.Run("postgres", func(t *testing.T) {
		db := testdb.Postgres(t)
		var want string // what the server itself was started with: we must never weaken it
		if err := db.Raw("SELECT boot_val FROM pg_settings WHERE name = 'synchronous_commit'").Scan(&want).Error; err != nil {
			t.Fatal(err)
		}
		each(t, db.SQL, 6, func(c *sql.Conn) {
			var source string
			if err := c.QueryRowContext(ctx, "SELECT source FROM pg_settings WHERE name = 'synchronous_commit'").Scan(&source); err != nil {
				t.Error(err)
			}
			if source == "session" || source == "client" {
				t.Errorf("the connection set synchronous_commit itself (%s)", source)
			}
			var zone string
			if err := c.QueryRowContext(ctx, "SHOW timezone").Scan(&zone); err != nil || zone != "UTC" {
				t.Errorf("zone %s, %v", zone, err)
			}
		})
	})
}

func each(t *testing.T, db *sql.DB, n int, fn func(*sql.Conn)) {
	t.Helper()
	for range n {
		c, err := db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }() // all are held until the end, so each is another one
		fn(c)
	}
}

func TestConsentGuardsTheOutbox(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		m := models.Mailbox{ID: models.NewID(), AddressHash: []byte{1}, AddressSealed: []byte{1}, CreatedAt: at, UpdatedAt: at}
		text := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeUpdates, Locale: "en", Version: 1, Body: "Write to me", CreatedAt: at}
		scope := models.NewID()
		if err := errors.Join(db.Create(&m).Error, db.Create(&text).Error); err != nil {
			t.Fatal(err)
		}
		insert := func(p models.Purpose, scope uuid.UUID) error {
			return db.Create(&models.Delivery{
				ID: models.NewID(), Kind: "x", MailboxID: m.ID, SubjectID: m.ID, Purpose: p, ScopeID: scope, DedupeKey: models.NewID().String(),
				State: models.DeliveryQueued, OnUnknown: models.Park, NotBefore: at, CreatedAt: at, UpdatedAt: at,
			}).Error
		}
		if err := insert(models.PurposeReceipt, uuid.Nil); err != nil {
			t.Errorf("a receipt: %v", err)
		}
		if err := insert(models.PurposeUpdates, scope); !database.NoConsent(err) {
			t.Errorf("without consent: %v", err)
		}
		c := models.Consent{ID: models.NewID(), MailboxID: m.ID, Purpose: models.PurposeUpdates, ScopeID: scope, TextID: text.ID, ShownAt: at, GivenAt: at, How: models.ConsentByMail}
		if err := db.Create(&c).Error; err != nil {
			t.Fatal(err)
		}
		if err := insert(models.PurposeUpdates, scope); err != nil {
			t.Errorf("with consent: %v", err)
		}
		if err := insert(models.PurposeUpdates, models.NewID()); !database.NoConsent(err) {
			t.Errorf("another campaign: %v", err)
		}
		if err := db.Exec("UPDATE deliveries SET purpose = 'updates' WHERE purpose = 'receipt'").Error; err == nil {
			t.Error("a receipt was made into something else")
		}
		if err := db.Exec("UPDATE consents SET source = 'elsewhere' WHERE id = ?", c.ID).Error; err == nil {
			t.Error("a consent was changed")
		}
		if err := db.Exec("UPDATE consents SET withdrawn_at = ?, withdrawn_how = 'mail' WHERE id = ?", at, c.ID).Error; err != nil {
			t.Errorf("withdrawing: %v", err)
		}
		if err := db.Exec("UPDATE consents SET withdrawn_at = NULL WHERE id = ?", c.ID).Error; err == nil {
			t.Error("a withdrawal was taken back")
		}
		if err := insert(models.PurposeUpdates, scope); !database.NoConsent(err) {
			t.Errorf("after the withdrawal: %v", err)
		}
		if err := db.Exec("UPDATE consent_texts SET body = 'other words'").Error; err == nil {
			t.Error("the words of a consent were changed")
		}
	})
}
