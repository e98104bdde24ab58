// Package testdb gives each test its own migrated database: always one of SQLite, and one of PostgreSQL where a server is
// found. A server is taken from KITHLINE_TEST_DATABASE_URL, else started from the binaries of this machine and thrown away
// at the end. With KITHLINE_TEST_POSTGRES=required a missing server fails the test instead of skipping it.
package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the server's own connection, to make and drop databases

	"kithline/models/database"
	"kithline/models/migrations"
	"kithline/tests/skipped"
)

// Each runs fn as a parallel subtest on every database, each with a database of its own.
func Each(t *testing.T, fn func(t *testing.T, db *database.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); fn(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); fn(t, Postgres(t)) })
}

// EachURL is Each for tests that open the database themselves, for instance in another process.
func EachURL(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); fn(t, "sqlite:"+filepath.Join(t.TempDir(), "kithline.db")) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); fn(t, EmptyPostgresURL(t)) })
}

var liteTemplate = sync.OnceValues(func() (file string, err error) {
	dir, err := os.MkdirTemp("", "kithline-testdb")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	f := filepath.Join(dir, "template.db")
	db, err := database.Open(context.Background(), database.Options{URL: f})
	if err != nil {
		return "", err
	}
	if err := migrations.Up(context.Background(), db); err != nil {
		return "", err
	}
	if err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)").Error; err != nil {
		return "", err
	}
	if err := db.Close(); err != nil {
		return "", err
	}
	b, err := os.ReadFile(f)
	return string(b), err
})

// EachMigratedURL is EachURL with a database that is migrated already.
func EachMigratedURL(t *testing.T, fn func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); fn(t, SQLiteURL(t)) })
	t.Run("postgres", func(t *testing.T) { t.Parallel(); fn(t, PostgresURL(t)) })
}

// SQLite returns a migrated SQLite database in the test's own folder.
func SQLite(t testing.TB) *database.DB { t.Helper(); return open(t, SQLiteURL(t)) }

// SQLiteURL is the address of a migrated SQLite database in the test's own folder.
func SQLiteURL(t testing.TB) string {
	t.Helper()
	tpl, err := liteTemplate()
	if err != nil {
		t.Fatal(err)
	}
	f := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(f, []byte(tpl), 0o600); err != nil {
		t.Fatal(err)
	}
	return "sqlite:" + f
}

// Postgres returns a migrated PostgreSQL database of the test's own, or skips.
func Postgres(t testing.TB) *database.DB { t.Helper(); return open(t, PostgresURL(t)) }

// PostgresURL is the address of a migrated PostgreSQL database of the test's own; the test is skipped without a server.
func PostgresURL(t testing.TB) string {
	t.Helper()
	s := need(t)
	tpl, err := s.template()
	if err != nil {
		t.Fatal(err)
	}
	return s.create(t, " TEMPLATE "+tpl)
}

// EmptyPostgresURL is the address of an empty PostgreSQL database of the test's own; the test is skipped without a server.
func EmptyPostgresURL(t testing.TB) string {
	t.Helper()
	return need(t).create(t, "")
}

func need(t testing.TB) *server {
	t.Helper()
	s, err := theServer()
	if err != nil {
		skipped.For(t, "PostgreSQL", "KITHLINE_TEST_POSTGRES", err.Error())
	}
	return s
}

func open(t testing.TB, url string) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), database.Options{URL: url, Connections: 6})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

type server struct {
	base  *url.URL
	admin *sql.DB
	tplMu sync.Mutex
	tpl   string
}

var made atomic.Int64

func (s *server) dsn(name string) string {
	u := *s.base
	u.Path = "/" + name
	return u.String()
}

func (s *server) create(t testing.TB, with string) string {
	t.Helper()
	name := fmt.Sprintf("kl_%d_%d", os.Getpid(), made.Add(1))
	if _, err := s.admin.Exec("CREATE DATABASE " + name + with); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := s.admin.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return s.dsn(name)
}

// template makes the migrated template once per schema; several test processes may share a server.
func (s *server) template() (_ string, err error) {
	s.tplMu.Lock()
	defer s.tplMu.Unlock()
	if s.tpl != "" {
		return s.tpl, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	name := "kl_tpl_" + migrations.Fingerprint()
	c, err := s.admin.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if _, err := c.ExecContext(ctx, "SELECT pg_advisory_lock(727272)"); err != nil {
		return "", err
	}
	defer func() {
		_, e := c.ExecContext(ctx, "SELECT pg_advisory_unlock(727272)")
		err = errors.Join(err, e)
	}()
	var ready bool
	if err := c.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname=$1 AND datistemplate)", name).Scan(&ready); err != nil {
		return "", err
	}
	if !ready {
		for _, q := range []string{"DROP DATABASE IF EXISTS " + name, "CREATE DATABASE " + name} {
			if _, err := c.ExecContext(ctx, q); err != nil {
				return "", err
			}
		}
		db, err := database.Open(ctx, database.Options{URL: s.dsn(name), Connections: 4})
		if err != nil {
			return "", err
		}
		if err := errors.Join(migrations.Up(ctx, db), db.Close()); err != nil {
			return "", err
		}
		if _, err := c.ExecContext(ctx, "ALTER DATABASE "+name+" IS_TEMPLATE true"); err != nil {
			return "", err
		}
	}
	s.tpl = name
	return name, nil
}

func serverURL(durable bool) (string, error) {
	if raw := os.Getenv("KITHLINE_TEST_DATABASE_URL"); raw != "" {
		return raw, nil
	}
	return start(durable)
}

// SharedServer is the address of a PostgreSQL server for the tests of several processes: that of KITHLINE_TEST_DATABASE_URL, else one started
// as for the tests of one. Call it once; the server ends with the process.
func SharedServer() (string, error) { return serverURL(os.Getenv("KITHLINE_TEST_DURABLE") == "1") }

// DurableServer is the address of a PostgreSQL server for a program that measures, which is no test: that of
// KITHLINE_TEST_DATABASE_URL, else one started as for tests, but one that keeps what it acknowledged, as production does.
// Call it once; the server ends with the process.
func DurableServer() (string, error) { return serverURL(true) }

var theServer = sync.OnceValues(func() (*server, error) {
	raw, err := SharedServer()
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, err
	}
	admin, err := sql.Open("pgx", raw)
	if err != nil {
		return nil, err
	}
	return &server{base: u, admin: admin}, admin.Ping()
})
