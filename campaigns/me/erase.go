package me

import (
	"context"

	"kithline/campaigns/erasures"
	"kithline/campaigns/tokens"
)

// Erasing is the page behind the link that erases.
type Erasing struct {
	Address string
	Others  []string // masked: they go too
}

// Erasing reads what a link that erases is about, and changes nothing. The faults are those of Show.
func (s *Service) Erasing(ctx context.Context, token string) (Erasing, error) {
	v, err := s.who(ctx, tokens.Erase, token)
	return v, err
}

func (s *Service) who(ctx context.Context, k tokens.Kind, token string) (Erasing, error) {
	p, err := s.open(ctx, s.o.DB.DB, k, token)
	if err != nil {
		return Erasing{}, err
	}
	var v Erasing
	for _, m := range p.boxes {
		a, err := s.address(m)
		if err != nil {
			return Erasing{}, err
		}
		if m.ID == p.Mailbox {
			v.Address = a
		} else {
			v.Others = append(v.Others, Mask(a))
		}
	}
	return v, nil
}

// Erase erases the person of a link that erases. No other link does. The faults are those of Show, and those of
// erasures.Service.EraseMine.
func (s *Service) Erase(ctx context.Context, token string) (erasures.Receipt, error) {
	p, err := s.open(ctx, s.o.DB.DB, tokens.Erase, token)
	if err != nil {
		return erasures.Receipt{}, err
	}
	return s.o.Erasures.EraseMine(ctx, p.actor(ctx))
}
