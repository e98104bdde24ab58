package organisation

import (
	"context"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/models"
)

// mostHours is how long a review may be allowed to take: a year.
const mostHours = 8760

// ReviewHours returns after how many hours the review of a petition is near its end, and due. It needs actor.Administer.
func (s *Service) ReviewHours(ctx context.Context, a actor.Actor) (near, due int, err error) {
	if err := a.Need(actor.Administer); err != nil {
		return 0, 0, err
	}
	o, err := s.Current(ctx)
	return o.ReviewNearHours, o.ReviewDueHours, err
}

// SetReviewHours changes them. It needs actor.Administer. The fault is Invalid with the fields near, due.
func (s *Service) SetReviewHours(ctx context.Context, a actor.Actor, near, due int) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	var f fault.Fields
	if near < 1 || near > mostHours {
		f.Add("near", "error.review_near")
	}
	if due < max(near, 1) || due > mostHours {
		f.Add("due", "error.review_due")
	}
	if err := f.Err(); err != nil {
		return err
	}
	return s.change(ctx, a, "organisation.review", func(models.Organisation) (map[string]any, error) {
		return map[string]any{"review_near_hours": near, "review_due_hours": due}, nil
	})
}
