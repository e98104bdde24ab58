package deliverability

import (
	"context"

	"kithline/campaigns/actor"
	"kithline/campaigns/today"
)

// Today is the queue of the owner's first page: what has to be set right in DNS, as the latest look at it said. It asks nobody.
func (s *Service) Today(ctx context.Context, a actor.Actor) ([]today.Queue, error) {
	if !a.May(actor.Administer) || s.Captured(ctx) {
		return nil, nil
	}
	o, err := s.Organisation.Current(ctx)
	domain := fromDomain(o)
	if err != nil || domain == "" {
		return nil, err
	}
	r, err := s.last(ctx, domain)
	n := 0
	for _, f := range r.Findings {
		if f.Tone == Stop {
			n++
		}
	}
	return []today.Queue{{Key: "today.deliverability", Path: "/admin/deliverability", Count: n, Minutes: 10, Right: actor.Administer}}, err
}
