// Package database opens the store behind Kithline: SQLite in one file, or PostgreSQL. Both are real: the same code and the
// same tests run on both, and dialect.go is the only place that asks which one it is.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
)

// DB is one open database: GORM's handle, the pool it shares with River, and who waits for what was committed.
type DB struct {
	*gorm.DB
	SQL  *sql.DB
	Pool *pgxpool.Pool // nil on SQLite
	path string        // SQLite's file

	mu      sync.Mutex
	waiters map[string][]chan struct{}
	hearers []func(topic string)
}

// Options say what to open. Connections is the most that are kept; SQLite never uses more than four, one of which writes.
type Options struct {
	URL         string // postgres://..., postgresql://..., sqlite:PATH or a path
	Connections int
	Now         func() time.Time // the injected clock: GORM fills created_at and updated_at from it where an operation did not

	// Building gives up durability for speed: a commit does not wait for the disk. A process that ends loses nothing by
	// it, a machine that loses power may lose or break what was written. It is for a database that can be thrown away and
	// made again, until it is opened anew without it; nothing that people entrusted to a server may be written so.
	Building bool
}

// ErrUnreachable wraps what the driver said when the database could not be opened at all.
var ErrUnreachable = errors.New("the database cannot be reached")

// Open opens the database and checks that it answers. It changes nothing in it; see models/migrations for that.
func Open(ctx context.Context, o Options) (*DB, error) {
	if isPostgres(o.URL) {
		return openPostgres(ctx, o)
	}
	return openSQLite(ctx, o)
}

func gormConfig(now func() time.Time) *gorm.Config {
	if now == nil {
		now = func() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }
	}
	return &gorm.Config{
		Logger:                 logger.Discard, // errors come back to the caller, who knows what they mean
		TranslateError:         true,
		SkipDefaultTransaction: true,
		NowFunc:                now,
	}
}

func openPostgres(ctx context.Context, o Options) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("%w: the address is not one of PostgreSQL: %s", ErrUnreachable, redact(err.Error(), o.URL))
	}
	if o.Connections > 0 {
		cfg.MaxConns = int32(o.Connections)
	}
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if o.Building {
		cfg.ConnConfig.RuntimeParams["synchronous_commit"] = "off"
	}
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "kithline"
	}
	cfg.AfterConnect = func(_ context.Context, c *pgx.Conn) error { // times come back in UTC, wherever the server stands
		c.TypeMap().RegisterType(&pgtype.Type{Name: "timestamptz", OID: pgtype.TimestamptzOID, Codec: &pgtype.TimestamptzCodec{ScanLocation: time.UTC}})
		registerArrays(c.TypeMap())
		return nil
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrUnreachable, redact(err.Error(), o.URL))
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("%w: %s", ErrUnreachable, redact(err.Error(), o.URL))
	}
	sqlDB := stdlib.OpenDBFromPool(pool)
	g, err := gorm.Open(postgres.New(postgres.Config{Conn: pgPool{sqlDB}}), gormConfig(o.Now))
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &DB{DB: g, SQL: sqlDB, Pool: pool, waiters: map[string][]chan struct{}{}}, nil
}

// redact takes a password out of what a driver says.
func redact(msg, dsn string) string {
	if u, err := url.Parse(dsn); err == nil && u.User != nil {
		if p, ok := u.User.Password(); ok && p != "" {
			msg = strings.ReplaceAll(msg, p, "***")
		}
	}
	return msg
}

func openSQLite(ctx context.Context, o Options) (*DB, error) {
	path := sqlitePath(o.URL)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	sqlDB, err := sql.Open("sqlite", sqliteDSN(path, o.Building))
	if err != nil {
		return nil, err
	}
	n := 4
	if o.Connections > 0 && o.Connections < n {
		n = o.Connections
	}
	sqlDB.SetMaxOpenConns(n)
	sqlDB.SetMaxIdleConns(n)
	if err := sqlDB.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnreachable, err), sqlDB.Close())
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnreachable, err), sqlDB.Close())
	}
	g, err := gorm.Open(Dialector{DB: sqlDB}, gormConfig(o.Now))
	if err != nil {
		return nil, errors.Join(err, sqlDB.Close())
	}
	return &DB{DB: g, SQL: sqlDB, path: path, waiters: map[string][]chan struct{}{}}, nil
}

// Close ends every connection.
func (d *DB) Close() error {
	err := d.SQL.Close()
	if d.Pool != nil {
		d.Pool.Close()
	}
	return err
}

// Path is SQLite's file, empty on PostgreSQL.
func (d *DB) Path() string { return d.path }

// pgPool lets GORM begin transactions whose pgx connection River can use too.
type pgPool struct{ *sql.DB }

// GetDBConn gives GORM the pool below.
func (p pgPool) GetDBConn() (*sql.DB, error) { return p.DB, nil }

// BeginTx begins a transaction on a connection that is kept until its end.
func (p pgPool) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	conn, err := p.Conn(ctx)
	if err != nil {
		return nil, err
	}
	var pc *pgx.Conn
	if err := conn.Raw(func(dc any) error {
		c, ok := dc.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("not a pgx connection: %T", dc)
		}
		pc = c.Conn()
		return nil
	}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	// WithoutCancel: database/sql would else roll back from a goroutine of its own while River uses the pgx connection.
	tx, err := conn.BeginTx(context.WithoutCancel(ctx), opts)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &pgTx{Tx: tx, conn: conn, pgx: pc}, nil
}

// pgTx is what tx.Statement.ConnPool holds inside a GORM transaction on PostgreSQL.
type pgTx struct {
	*sql.Tx
	conn *sql.Conn
	pgx  *pgx.Conn

	gathers bool // see Gather
	held    []heldStatement
}

// heldStatement is one that Gather holds back.
type heldStatement struct {
	query string
	args  []any
}

// Commit ends the transaction and gives its connection back.
func (t *pgTx) Commit() error { return errors.Join(t.Tx.Commit(), t.conn.Close()) }

// Rollback ends the transaction and gives its connection back.
func (t *pgTx) Rollback() error { return errors.Join(t.Tx.Rollback(), t.conn.Close()) }
