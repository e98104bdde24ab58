package models

import (
	"time"

	"github.com/google/uuid"
)

// MailingSegment is a further segment of a mailing, beside the one in its own row: it lets people in, or leaves them out.
type MailingSegment struct {
	MailingID uuid.UUID `gorm:"primaryKey"`
	SegmentID uuid.UUID `gorm:"primaryKey"`
	Excluded  bool
}

// MailingTopic is a further topic of a newsletter, beside the one in its own row.
type MailingTopic struct {
	MailingID uuid.UUID `gorm:"primaryKey"`
	TopicID   uuid.UUID `gorm:"primaryKey"`
}

// MailingLink is a link of a mailing whose clicks are counted. It is the same in every copy: nothing tells who clicked.
type MailingLink struct {
	ID        uuid.UUID
	MailingID uuid.UUID
	Number    int // its place in the mail, from 1
	URL       string
}

// MailingClick counts the clicks on a link on one day of the organisation's.
type MailingClick struct {
	LinkID uuid.UUID `gorm:"primaryKey"`
	Day    string    `gorm:"primaryKey"` // 2006-01-02
	Clicks int
}

// Unsubscribe says that the reader of a mail left by its link, or called it spam.
type Unsubscribe struct {
	DeliveryID uuid.UUID `gorm:"primaryKey"`
	MailingID  uuid.UUID
	How        string // one_click, page, complaint
	CreatedAt  time.Time
}
