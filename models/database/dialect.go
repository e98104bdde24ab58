package database

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// Postgres reports which of the two databases this is. It is asked here, in models/migrations, in campaigns/jobs, in
// backups and in the files named *_postgres.go and *_sqlite.go; nowhere else.
func (d *DB) Postgres() bool { return d.Pool != nil }

// IsPostgres is the same question for a transaction.
func IsPostgres(tx *gorm.DB) bool { return tx.Name() == "postgres" }

func isPostgres(url string) bool {
	return strings.HasPrefix(url, "postgres://") || strings.HasPrefix(url, "postgresql://")
}

func sqlitePath(url string) string { return filepath.Clean(strings.TrimPrefix(url, "sqlite:")) }

// Now is the SQL expression for the database's own time, in the form that both databases compare with stored times.
// Leases use it, so that nodes whose clocks differ agree on who holds what.
func Now(tx *gorm.DB) string {
	if IsPostgres(tx) {
		return "clock_timestamp()"
	}
	return "strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now')"
}

// NowPlus is Now moved by a number of seconds, which is bound as the one parameter of the expression.
func NowPlus(tx *gorm.DB) string {
	if IsPostgres(tx) {
		return "clock_timestamp() + make_interval(secs => ?)"
	}
	return "strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now', ? || ' seconds')"
}

// DaysAfter is the SQL expression for a column of times moved by a number of days.
func DaysAfter(tx *gorm.DB, column string, days int) string {
	n := strconv.Itoa(days)
	if IsPostgres(tx) {
		return column + " + make_interval(days => " + n + ")"
	}
	return "strftime('%Y-%m-%d %H:%M:%f000+00:00', " + column + ", '+" + n + " days')"
}

// TimeArg is the place of a bound time where PostgreSQL cannot tell from its surroundings that it is one.
func TimeArg(tx *gorm.DB) string {
	if IsPostgres(tx) {
		return "CAST(? AS timestamptz)"
	}
	return "?"
}

// IDType is the type of ids, for a bound one that PostgreSQL cannot tell from its surroundings.
func IDType(tx *gorm.DB) string {
	if IsPostgres(tx) {
		return "uuid"
	}
	return "text"
}

// SkipLocked is the clause by which several nodes claim rows without waiting for each other. SQLite needs none: every
// transaction that writes is alone from its begin.
func SkipLocked(tx *gorm.DB) string {
	if IsPostgres(tx) {
		return "FOR UPDATE SKIP LOCKED"
	}
	return ""
}

// InRows is the condition that column, a key, is among the results of a SELECT of a few rows, which are looked up one by one: PostgreSQL
// would read the whole table where it expects more of them.
func InRows(tx *gorm.DB, column, query string) string {
	if IsPostgres(tx) {
		return column + " = ANY(ARRAY(" + query + "))"
	}
	return column + " IN (" + query + ")"
}

// InOrder has PostgreSQL read rows in the order of an index until tx ends, rather than sort: where it expects few of a thing, which it
// counted when there were none, it reads all of them for each handful.
func InOrder(tx *gorm.DB) error {
	if !IsPostgres(tx) {
		return nil
	}
	return tx.Exec("SET LOCAL enable_sort = off").Error
}

// Retryable reports whether the same transaction may succeed when it is run again: a serialisation failure, a deadlock,
// or SQLite's busy after its own waiting.
func Retryable(err error) bool {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code == "40001" || pe.Code == "40P01"
	}
	var se *sqlite.Error
	if errors.As(err, &se) {
		return se.Code()&0xff == lib.SQLITE_BUSY || se.Code()&0xff == lib.SQLITE_LOCKED
	}
	return false
}

// NoConsent reports whether the database refused a delivery because nobody agreed to its purpose.
func NoConsent(err error) bool {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.ConstraintName == "deliveries_need_consent"
	}
	return err != nil && strings.Contains(err.Error(), "kithline: no consent for this purpose")
}

// Refused reports whether the database refused the data itself: a value that does not fit or a constraint that it breaks.
// The same statement would be refused again.
func Refused(err error) bool {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return strings.HasPrefix(pe.Code, "22") || strings.HasPrefix(pe.Code, "23")
	}
	for _, e := range []error{gorm.ErrDuplicatedKey, gorm.ErrForeignKeyViolated, gorm.ErrCheckConstraintViolated, gorm.ErrInvalidValue} {
		if errors.Is(err, e) {
			return true
		}
	}
	var se *sqlite.Error
	return errors.As(err, &se) && (se.Code()&0xff == lib.SQLITE_CONSTRAINT || se.Code()&0xff == lib.SQLITE_MISMATCH || se.Code()&0xff == lib.SQLITE_TOOBIG)
}

// Full reports whether the disk or the quota is used up.
func Full(err error) bool {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code == "53100"
	}
	var se *sqlite.Error
	return errors.As(err, &se) && se.Code()&0xff == lib.SQLITE_FULL
}

// Lost reports whether the connection to the database broke or could not be had.
func Lost(err error) bool {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return strings.HasPrefix(pe.Code, "08") || strings.HasPrefix(pe.Code, "57P")
	}
	var ce *pgconn.ConnectError
	if errors.As(err, &ce) || errors.Is(err, ErrUnreachable) {
		return true
	}
	for _, broken := range []error{io.ErrUnexpectedEOF, net.ErrClosed, syscall.EPIPE, syscall.ECONNRESET, driver.ErrBadConn} {
		if errors.Is(err, broken) {
			return true
		}
	}
	return false
}
