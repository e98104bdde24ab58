package models

import (
	"time"

	"github.com/google/uuid"
)

// File is one stored file: a picture, a pack, an export, an upload. The bytes lie sealed in a folder or in objects.
type File struct {
	ID          uuid.UUID
	Kind        string // picture, export, import, errors ...
	NameSealed  []byte // the name that the person gave it
	ContentType string
	Size        int64  // of the plain bytes
	SHA256      string `gorm:"column:sha256"` // of the plain bytes, hexadecimal
	StoreKey    string
	Public      bool
	State       FileState
	CreatedBy   *uuid.UUID
	CreatedAt   time.Time
	ExpiresAt   *time.Time
}

// FileState says whether the bytes are still there.
type FileState string

// The states of a file.
const (
	FileStored  FileState = "stored"
	FileExpired FileState = "expired"
)
