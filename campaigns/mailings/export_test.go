package mailings

import (
	"context"

	"kithline/models"
)

// ReachUpTo counts no further than a test can fill.
func (s *Service) ReachUpTo(ctx context.Context, p models.Petition, most int) (Reach, error) {
	return s.reach(ctx, p, most)
}
