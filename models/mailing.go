package models

import (
	"time"

	"github.com/google/uuid"
)

// MailFormat says how the text of a mailing is written.
type MailFormat string

// The formats.
const (
	FormatMarkdown MailFormat = ""
	FormatHTML     MailFormat = "html" // brought by the organisation, sanitized
)

// MailingText is what a mailing says in a further language. Its first language stands in the mailing.
type MailingText struct {
	ID        uuid.UUID
	MailingID uuid.UUID
	Locale    string
	Format    MailFormat
	Subject   string
	Preheader string
	Variants  string // as in Mailing
	Body      string
	Plain     string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// MailingRevision is what a mailing said before: kept at every save by hand, and now and then while somebody types.
type MailingRevision struct {
	ID        uuid.UUID
	MailingID uuid.UUID
	Revision  int
	ByHand    bool
	Content   string // a JSON object: all languages
	CreatedBy *uuid.UUID
	CreatedAt time.Time
}

// MailTemplate is a text that mailings begin with.
type MailTemplate struct {
	ID        uuid.UUID
	Name      string
	ChapterID *uuid.UUID
	Content   string // as in MailingRevision
	CreatedBy *uuid.UUID
	CreatedAt time.Time
}

// MailPicture is a picture that mailings show, by its name.
type MailPicture struct {
	ID        uuid.UUID
	Name      string // as it is written in a text: lower-case letters, digits and hyphens
	ChapterID *uuid.UUID
	FileID    uuid.UUID
	Width     int // pixels, as stored
	Height    int
	CreatedBy *uuid.UUID
	CreatedAt time.Time
}

// Approved reports whether a second person said yes to what the mailing says now.
func (m Mailing) Approved() bool { return m.ApprovedAt != nil && m.ApprovedRevision == m.Revision }
