package models

import (
	"time"

	"github.com/google/uuid"
)

// File is a picture, a pack, an upload or an export. Its content lies sealed in the store under StoreKey; campaigns/files
// alone reads and writes it.
type File struct {
	ID          uuid.UUID
	Kind        FileKind
	NameSealed  []byte // the name the file came with, which may hold a person's; NULL where it had none, and once expired
	KeyID       string // the key that sealed the content; "" = the first one
	ContentType string
	Size        int64  // bytes in clear
	SHA256      string `gorm:"column:sha256"` // of the clear content, hexadecimal
	StoreKey    string
	Public      bool // may be served to anybody who has the id
	State       FileState
	ChapterID   *uuid.UUID // of the people in it
	CreatedBy   *uuid.UUID // the user, nil where the server made it
	CreatedAt   time.Time
	ExpiresAt   *time.Time // nil: stays
}

// FileKind is what a file is for.
type FileKind string

// The kinds of files.
const (
	FilePicture FileKind = "picture"
	FilePack    FileKind = "pack"   // what a petition or letter campaign hands over
	FileExport  FileKind = "export" // people's data, made on request
	FileImport  FileKind = "import" // an upload to read people from
	FileErrors  FileKind = "errors" // the lines of an import that were not taken
)

// FileState says whether the content of a file is still there.
type FileState string

// The states of a file.
const (
	FileStored  FileState = "stored"
	FileExpired FileState = "expired" // the content is gone or goes with the next sweep; the row tells that it was
)

// Open reports whether the content can be read at a time.
func (f File) Open(at time.Time) bool {
	return f.State == FileStored && (f.ExpiresAt == nil || at.Before(*f.ExpiresAt))
}
