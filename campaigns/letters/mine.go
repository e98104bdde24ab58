package letters

import (
	"context"
	"time"

	"github.com/google/uuid"

	"kithline/models"
)

// Wrote is a letter, or a part of one that is in its writer's hands, for the page where people see what they did and are due to do.
type Wrote struct {
	Letter uuid.UUID
	At     time.Time
	Title  string // of the letter campaign
	Lang   string
	To     string // of the part; "" for the whole letter
	Path   string
}

// WroteFrom lists the letters of mailboxes that were confirmed and still have a name, the newest first, and what is in their writers'
// hands, the oldest first.
func (s *Service) WroteFrom(ctx context.Context, boxes []uuid.UUID) (did, due []Wrote, err error) {
	var letters []models.Letter
	err = s.DB.WithContext(ctx).Where("mailbox_id IN ? AND confirmed_at IS NOT NULL", boxes).Order("confirmed_at DESC, id DESC").Limit(200).Find(&letters).Error
	if err != nil {
		return nil, nil, err
	}
	for _, l := range letters {
		m, err := s.mine(ctx, s.DB.DB, l)
		if err != nil {
			return nil, nil, err
		}
		did = append(did, Wrote{Letter: l.ID, At: *l.ConfirmedAt, Title: m.Title, Lang: m.Lang, Path: s.Path(l.ID)})
		for _, p := range m.Parts {
			if p.State == models.DispatchByHand && p.Done == nil || p.State == models.DispatchRetarget {
				due = append(due, Wrote{Letter: l.ID, At: p.At, Title: m.Title, Lang: m.Lang, To: p.To, Path: s.Path(l.ID) + "/" + p.ID.String()})
			}
		}
	}
	return did, due, nil
}
