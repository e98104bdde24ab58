package rows

import (
	"time"

	"github.com/google/uuid"

	"kithline/models"
)

// AroundMailing makes a row for each table around a mailing, with a value in every column, for tests that carry whole tables.
func AroundMailing(mailing uuid.UUID, at time.Time, word func(string) string) []any {
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
