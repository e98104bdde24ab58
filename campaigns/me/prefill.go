package me

import (
	"context"

	"github.com/google/uuid"

	"kithline/campaigns/tokens"
)

// Facts are what a form need not ask again.
type Facts struct {
	Email string
	Details
}

// Answer is what the person said to a custom field, "" for nothing.
func (f Facts) Answer(field uuid.UUID) string {
	for _, a := range f.Fields {
		if a.Field.ID == field {
			return a.Value
		}
	}
	return ""
}

// Use makes the token that one browser keeps for an hour, at the press of a button, so that forms in it are filled in. It
// opens no page and changes nothing. The faults are those of Show.
func (s *Service) Use(ctx context.Context, token string) (string, error) {
	p, err := s.open(ctx, s.o.DB.DB, tokens.Me, token)
	if err != nil {
		return "", err
	}
	return s.o.Signer.Make(tokens.Prefill, p.Mailbox, s.o.Clock.Now().Add(PrefillLife)), nil
}

// Prefill reads what the person behind a token of Use told before. It changes nothing. The faults are those of Show.
func (s *Service) Prefill(ctx context.Context, token string) (Facts, error) {
	p, err := s.open(ctx, s.o.DB.DB, tokens.Prefill, token)
	if err != nil {
		return Facts{}, err
	}
	var f Facts
	if f.Email, err = s.address(p.box); err != nil {
		return Facts{}, err
	}
	f.Details, err = s.details(ctx, s.o.DB.DB, p)
	return f, err
}
