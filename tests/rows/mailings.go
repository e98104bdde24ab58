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
