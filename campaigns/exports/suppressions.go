package exports

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/models"
)

// suppressionColumns are what a list of suppressed mailboxes holds. The status is a word that an import reads, so that whoever gets no
// mail here gets none elsewhere.
var suppressionColumns = []column{{name: "email"}, {name: "subscription_status"}, {name: "reason"}, {name: "suppressed_on"}}

// suppressions writes the suppressed mailboxes that an actor may see, the first suppressed first.
func (s *Service) suppressions(ctx context.Context, a actor.Actor, m models.Export, w io.Writer, told func(int)) (rows int, opened int64, err error) {
	f := formatOf(m.Format)
	if _, err := w.Write(f.head(nil, suppressionColumns)); err != nil {
		return 0, 0, err
	}
	var at time.Time
	var id uuid.UUID
	var b []byte
	for {
		var page []models.Mailbox
		q := s.DB.WithContext(ctx).Where("suppressed_at IS NOT NULL").Order("suppressed_at, id").Limit(signaturePage)
		if id != uuid.Nil {
			q = q.Where("(suppressed_at, id) > (?, ?)", at, id)
		}
		if a.Chapter() != nil {
			sql, args := chapters.SQL(a, "s.chapter_id")
			q = q.Where("supporter_id IN (SELECT s.id FROM supporters s WHERE "+sql+")", args...)
		}
		if err := q.Find(&page).Error; err != nil {
			return rows, opened, err
		}
		b = b[:0]
		for _, box := range page {
			at, id = *box.SuppressedAt, box.ID
			address, err := s.Vault.OpenBytes("mailboxes", "address_sealed", box.AddressHash, box.AddressSealed)
			if err != nil {
				return rows, opened, err
			}
			if opened++; len(address) == 0 {
				continue
			}
			status := map[string]string{models.SuppressedBounce: "bounced", models.SuppressedComplaint: "complained"}[box.SuppressedReason]
			if status == "" {
				status = "unsubscribed"
			}
			b = f.row(b, suppressionColumns, [][][]byte{{address}, {[]byte(status)}, {[]byte(box.SuppressedReason)}, {[]byte(at.UTC().Format(time.DateOnly))}})
			rows++
		}
		if _, err := w.Write(b); err != nil {
			return rows, opened, err
		}
		told(rows)
		if len(page) < signaturePage {
			return rows, opened, nil
		}
	}
}
