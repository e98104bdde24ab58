package exports

import (
	"context"
	"io"
	"strconv"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/models"
)

// signatureColumns are what a list of signatures holds: what each signer was told that whoever decides may see, the name as
// they chose to show it and the postal code, never an address.
var signatureColumns = []column{{name: "number"}, {name: "name"}, {name: "postal_area"}, {name: "signed_on"}, {name: "comment"}}

// signaturePage is how many signatures are read at once.
const signaturePage = 1000

// signatures writes the confirmed signatures of a petition in the order in which they were confirmed. An anonymous one has no
// name; a comment stands only once an organizer showed it.
func (s *Service) signatures(ctx context.Context, a actor.Actor, m models.Export, w io.Writer, told func(int)) (rows int, opened int64, err error) {
	f := formatOf(m.Format)
	if _, err := w.Write(f.head(nil, signatureColumns)); err != nil {
		return 0, 0, err
	}
	var at time.Time
	var id uuid.UUID
	var b []byte
	for {
		var page []models.Signature
		// The state stands in the text, so that a plan which is kept for any values may take the index of what counts.
		q := s.DB.WithContext(ctx).Select("id", "number", "display_name", "postal_area", "comment_state", "comment_shown", "confirmed_at").
			Where("petition_id = ? AND state = 'confirmed'", m.ScopeID).Order("confirmed_at, id").Limit(signaturePage)
		if id != uuid.Nil {
			q = q.Where("(confirmed_at, id) > (?, ?)", at, id)
		}
		if a.Chapter() != nil {
			sql, args := chapters.SQL(a, "s.chapter_id")
			q = q.Where("mailbox_id IN (SELECT m.id FROM mailboxes m JOIN supporters s ON s.id = m.supporter_id WHERE "+sql+")", args...)
		}
		if err := q.Find(&page).Error; err != nil {
			return rows, 0, err
		}
		b = b[:0]
		for _, g := range page {
			comment := ""
			if g.CommentState == models.CommentShown {
				comment = g.CommentShown
			}
			signed := ""
			if g.ConfirmedAt != nil {
				signed, at = g.ConfirmedAt.UTC().Format(time.DateOnly), *g.ConfirmedAt
			}
			id = g.ID
			cells := make([][][]byte, 0, len(signatureColumns))
			for _, v := range []string{strconv.Itoa(g.Number), g.DisplayName, g.PostalArea, signed, comment} {
				var cell [][]byte
				if v != "" {
					cell = [][]byte{[]byte(v)}
				}
				cells = append(cells, cell)
			}
			b = f.row(b, signatureColumns, cells)
		}
		if _, err := w.Write(b); err != nil {
			return rows, 0, err
		}
		rows += len(page)
		told(rows)
		if len(page) < signaturePage {
			return rows, 0, nil
		}
	}
}
