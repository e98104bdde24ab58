package pacing

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/vault"
)

// Flare writes down, in tx, that somebody has a bad time from now on, until a moment or until they say so where that is nil.
func Flare(ctx context.Context, tx *gorm.DB, v *vault.Vault, box uuid.UUID, until *time.Time, now time.Time) error {
	return change(ctx, tx, v, box, now, func(p *Plan) {
		if !p.InFlare(now) {
			p.FlareSince = &now
		}
		p.Flare, p.FlareUntil = true, until
	})
}

// Ended writes down, in tx, that the bad time is over. Since when it was stays, for the mail that tells what changed meanwhile. It reports
// false where there was none.
func Ended(ctx context.Context, tx *gorm.DB, v *vault.Vault, box uuid.UUID, now time.Time) (was bool, err error) {
	err = change(ctx, tx, v, box, now, func(p *Plan) {
		was = p.Flare
		p.Flare, p.FlareUntil = false, nil
	})
	return was, err
}

func change(ctx context.Context, tx *gorm.DB, v *vault.Vault, box uuid.UUID, now time.Time, do func(*Plan)) error {
	plans, err := Of(ctx, tx, v, []uuid.UUID{box})
	if err != nil {
		return err
	}
	p := plans[box]
	do(&p)
	return Save(ctx, tx, v, box, p, now)
}
