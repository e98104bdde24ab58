package rows

import (
	"time"

	"github.com/google/uuid"

	"kithline/models"
)

// Mailed is what the rows around a mailing point to and are made of.
type Mailed struct {
	Mailing, User, File uuid.UUID // File is a stored picture
	Chapter             *uuid.UUID
	At, Later           time.Time
	Word                func(string) string // makes a text hard to store
}

// AroundMailing makes a row for each table around a mailing, with a value in every column, for tests that carry whole tables.
func AroundMailing(m Mailed) []any {
	return []any{
		&models.MailingText{
			ID: models.NewID(), MailingID: m.Mailing, Locale: "es", Format: models.FormatHTML, Subject: m.Word("Martes"), Preheader: "x", Variants: `[{"subject":"Otro"}]`,
			Body: m.Word("<p>Hola</p>"), Plain: "Hola", CreatedAt: m.At, UpdatedAt: m.Later,
		},
		&models.MailingRevision{ID: models.NewID(), MailingID: m.Mailing, Revision: 2, ByHand: true, Content: `{"texts":[]}`, CreatedBy: &m.User, CreatedAt: m.At},
		&models.MailTemplate{ID: models.NewID(), Name: m.Word("Monthly"), ChapterID: m.Chapter, Content: `{"texts":[]}`, CreatedBy: &m.User, CreatedAt: m.At},
		&models.MailPicture{ID: models.NewID(), Name: "harbour", ChapterID: m.Chapter, FileID: m.File, Width: 900, Height: 400, CreatedBy: &m.User, CreatedAt: m.At},
	}
}

// SendingOf makes a row for each table that sending a mailing fills, with a value in every column, for tests that carry whole tables.
func SendingOf(mailing uuid.UUID, at time.Time, word func(string) string) []any {
	in := &models.Segment{ID: models.NewID(), Name: word("Drivers"), Rule: "{}", Revision: 1, CreatedAt: at, UpdatedAt: at}
	topic := &models.Topic{ID: models.NewID(), Slug: "around-a-mailing", Name: word("Research"), CreatedAt: at, UpdatedAt: at}
	link := &models.MailingLink{ID: models.NewID(), MailingID: mailing, Number: 1, URL: "https://example.org/?a=1&b=" + word("x")}
	return []any{
		in, topic, link,
		&models.MailingSegment{MailingID: mailing, SegmentID: in.ID, Excluded: true},
		&models.MailingTopic{MailingID: mailing, TopicID: topic.ID},
		&models.MailingClick{LinkID: link.ID, Day: "2027-02-01", Clicks: 3},
		&models.Unsubscribe{DeliveryID: models.NewID(), MailingID: mailing, How: "one_click", CreatedAt: at},
	}
}
