// Package backups makes one file of a whole Kithline, database and stored files, while it runs, and makes a Kithline of such
// a file again, on the same kind of database or on the other.
//
// The rules: a backup is made and restored without the key, so what is sealed stays sealed, and it names the key that opens
// it. It shows one moment: everything is read in one transaction that sees nothing of what is written meanwhile. A restore
// reads the file to its end and checks it before it touches anything, goes into an empty database only, and happens whole or
// not at all. What a backup cannot know, what was sent after it, is left to a person: mailings come back paused.
//
// The form of the file, which later versions keep on reading: a tar stream, compressed by Zstandard (RFC 8878), with the
// members
//
//	head.json               what it is: Head
//	tables/NAME/00001.jsonl the rows of a table, one JSON array a line, as many members as it takes; in an order in which
//	                        each row comes after those it points to
//	jobs/00001.jsonl        the jobs that had not ended, as rows of jobTable
//	files/KEY               the stored contents, sealed, as the store has them
//	manifest.json           counts, and name, size and SHA-256 of every member before it: Manifest
//
// In a row, text and ids are strings, numbers are numbers, bytes are base64 and times are UTC in RFC 3339 with microseconds.
package backups

import (
	"context"
	"errors"
	"time"

	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/models/database"
	"kithline/models/tables"
)

// format is the version of the form above. A program reads its own and every lower one.
const format = 1

// Column is one column of a table, Table a table as the rows in a backup have it.
type (
	Column = tables.Column
	Table  = tables.Table
)

// Head is the first member of a backup: enough to tell whether it can be restored.
type Head struct {
	Format   int       `json:"format"`
	Version  string    `json:"kithline"` // the program that made it
	MadeAt   time.Time `json:"made_at"`  // the moment it shows
	Database string    `json:"database"` // sqlite or postgres
	Schema   int64     `json:"schema"`   // version of the tables
	River    int64     `json:"river"`    // version of the jobs' tables, for information: they are made anew
	KeyID    string    `json:"key_id"`   // of the key that opens what is sealed; empty before the first start
	KeyCheck []byte    `json:"key_check"`
	Tables   []Table   `json:"tables"`
	LeftOut  []string  `json:"left_out"` // tables that are there and not in the backup
}

// Member is one member of the tar stream.
type Member struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hexadecimal
}

// Manifest is the last member of a backup: what must have been read before it.
type Manifest struct {
	Rows      map[string]int64 `json:"rows"` // by table
	Jobs      int64            `json:"jobs"`
	Files     int64            `json:"files"`
	FileBytes int64            `json:"file_bytes"`
	Missing   []string         `json:"missing"` // keys of files whose content was gone from the store
	Members   []Member         `json:"members"`
}

// AllRows is the number of rows of all tables.
func (m Manifest) AllRows() (n int64) {
	for _, rows := range m.Rows {
		n += rows
	}
	return n
}

// Contents is what a backup holds.
type Contents struct {
	Head
	Manifest
}

// Progress is told how far the work is: what is being done ("check", "files", "jobs" or a table), how much of it is done,
// and of how much, 0 where that is not known. It is counted in rows and files, for check in bytes of the backup.
type Progress func(what string, done, total int64)

func (p Progress) tell(what string, done, total int64) {
	if p != nil {
		p(what, done, total)
	}
}

// leftOut are the tables whose rows are worth nothing after a restore, or worse: whoever was signed in signs in again, and a
// link that was used after the backup does not work a second time.
var leftOut = []string{"sessions", "login_links", "login_failures"}

// jobTable is how unfinished jobs are written. They are inserted anew by the queue itself and may run twice, as every job may.
var jobTable = Table{Name: "jobs", Columns: []Column{
	{Name: "kind", Kind: tables.Text}, {Name: "args", Kind: tables.Text}, {Name: "queue", Kind: tables.Text}, {Name: "priority", Kind: tables.Int}, {Name: "max_attempts", Kind: tables.Int}, {Name: "scheduled_at", Kind: tables.Time},
}}

// Service makes and restores backups of one database and its store. It is made by New.
type Service struct {
	db      *database.DB
	blobs   files.Blobs
	clock   clock.Clock
	version string
}

// New makes the service. version is that of the program, to be written into the backup.
func New(db *database.DB, blobs files.Blobs, clk clock.Clock, version string) *Service {
	return &Service{db: db, blobs: blobs, clock: clk, version: version}
}

// damaged is a file that cannot be restored for what it holds. what is for an operator's eyes, after the sentence.
func damaged(what error) error {
	var known *fault.Error
	if errors.As(what, &known) || errors.Is(what, context.Canceled) || errors.Is(what, context.DeadlineExceeded) {
		return what
	}
	return fault.Because(what, fault.Invalid, "error.backup_damaged")
}
