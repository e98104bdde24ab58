// Package migrations brings the schema to the version of this program: Kithline's own by goose, River's by its own
// migrator, both under one lock, so that several nodes may start at once.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"

	"kithline/models/database"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// lockID is the advisory lock that a migrating node holds on PostgreSQL.
const lockID = 0x6b6974686c696e65 // "kithline"

// ErrNewer says that the database was brought further by a newer Kithline than this one.
var ErrNewer = errors.New("the database belongs to a newer version of Kithline: start that version, or restore a backup made by this one; going back is not possible")

// Status is where the schema stands.
type Status struct {
	Current int64 // version of the database
	Target  int64 // version of this program
	River   int   // River's version in this program
}

// Up brings the schema to this program's version. Nodes that start together wait for the first one. A newer schema is
// refused with ErrNewer, and nothing is changed.
func Up(ctx context.Context, db *database.DB) error { return up(ctx, db, 0) }

// UpTo brings the schema to an older version than this program's, for rows that were written for it; Up goes on from there.
// It refuses a version that this program does not know, and a schema that is past it, with ErrNewer.
func UpTo(ctx context.Context, db *database.DB, version int64) error {
	if version < 1 {
		return fmt.Errorf("migrate: there is no version %d", version)
	}
	return up(ctx, db, version)
}

// Target is the version of this program's schema. It asks no database.
func Target(db *database.DB) (int64, error) {
	p, err := provider(db)
	if err != nil {
		return 0, err
	}
	all := p.ListSources()
	return all[len(all)-1].Version, nil
}

// up goes to a version, 0 for the last one.
func up(ctx context.Context, db *database.DB, version int64) (err error) {
	release, err := lock(ctx, db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	p, err := provider(db)
	if err != nil {
		return err
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return err
	}
	if version == 0 {
		version = target
	}
	if current > version || version > target {
		return ErrNewer
	}
	if _, err := p.UpTo(ctx, version); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return upRiver(ctx, db)
}

// Read tells where the schema stands, without changing it.
func Read(ctx context.Context, db *database.DB) (Status, error) {
	p, err := provider(db)
	if err != nil {
		return Status{}, err
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return Status{}, err
	}
	return Status{Current: current, Target: target, River: riverVersion}, nil
}

// Fingerprint changes with every change of the schema: tests name their template database by it.
func Fingerprint() string {
	h := newHash()
	_ = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := files.ReadFile(path)
		h.Write([]byte(path))
		h.Write(b)
		return err
	})
	fmt.Fprintf(h, "river %d", riverVersion)
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

func provider(db *database.DB) (*goose.Provider, error) {
	dialect, dir := goose.DialectSQLite3, "sqlite"
	if db.Postgres() {
		dialect, dir = goose.DialectPostgres, "postgres"
	}
	sub, err := fs.Sub(files, dir)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(dialect, db.SQL, sub, goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}

// lock keeps other nodes out: an advisory lock of one session on PostgreSQL, a lock on a file beside the database on
// SQLite.
func lock(ctx context.Context, db *database.DB) (func() error, error) {
	if !db.Postgres() {
		l := flock.New(db.Path() + ".migrate")
		if _, err := l.TryLockContext(ctx, 20*time.Millisecond); err != nil {
			return nil, fmt.Errorf("migrate: lock: %w", err)
		}
		return l.Unlock, nil
	}
	conn, err := db.SQL.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock($1)", int64(lockID)); err != nil {
		return nil, errors.Join(fmt.Errorf("migrate: lock: %w", err), conn.Close())
	}
	return func() error { return errors.Join(unlock(conn), conn.Close()) }, nil
}

func unlock(conn *sql.Conn) error {
	_, err := conn.ExecContext(context.Background(), "SELECT pg_advisory_unlock($1)", int64(lockID))
	return err
}

func upRiver(ctx context.Context, db *database.DB) error {
	cfg := &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)}
	var err error
	if db.Postgres() {
		m, e := rivermigrate.New(riverpgxv5.New(db.Pool), cfg)
		if e != nil {
			return e
		}
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	} else {
		m, e := rivermigrate.New(riversqlite.New(db.SQL), cfg)
		if e != nil {
			return e
		}
		_, err = m.Migrate(ctx, rivermigrate.DirectionUp, nil)
	}
	if err != nil {
		return fmt.Errorf("migrate jobs: %w", err)
	}
	return nil
}
