package models

import (
	"time"

	"github.com/google/uuid"
)

// Segment is a saved choice of supporters.
type Segment struct {
	ID          uuid.UUID
	Name        string
	About       string
	Rule        string     // JSON: campaigns/segments
	ChapterID   *uuid.UUID // of this chapter's people only
	FrozenAt    *time.Time // a snapshot of that moment; nil: live
	FrozenCount int
	Revision    int
	ArchivedAt  *time.Time
	CreatedBy   *uuid.UUID
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// SegmentMember is a supporter in a snapshot.
type SegmentMember struct {
	SegmentID   uuid.UUID `gorm:"primaryKey"`
	SupporterID uuid.UUID `gorm:"primaryKey"`
}

// Export is a file of people's data that somebody asked for.
type Export struct {
	ID         uuid.UUID
	Kind       string // supporters, everything
	Format     string // csv, jsonl, xlsx, zip
	SegmentID  *uuid.UUID
	ChapterID  *uuid.UUID
	Purpose    Purpose // only who agreed to it; "" = everybody, for the organisation's own use
	ScopeID    uuid.UUID
	Columns    string // JSON: names of the columns
	State      ExportState
	RowsDone   int
	FileID     *uuid.UUID
	Message    string // locale key of what went wrong
	CreatedBy  *uuid.UUID
	CreatedAt  time.Time
	UpdatedAt  time.Time
	FinishedAt *time.Time
}

// ExportState says how far an export is.
type ExportState string

// The states of an export.
const (
	ExportWaiting  ExportState = "waiting"
	ExportRunning  ExportState = "running"
	ExportFinished ExportState = "finished"
	ExportFailed   ExportState = "failed"
)
