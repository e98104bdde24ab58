package app

import (
	"context"

	"kithline/campaigns/me"
)

// ownVolunteer is what somebody's page tells of the time that they offer.
func (a *App) ownVolunteer() me.Source {
	return me.Source{Did: func(ctx context.Context, w me.Who) ([]me.Item, error) {
		o, err := a.Volunteers.Mine(ctx, w.Mailboxes)
		if err != nil || !o.There {
			return nil, err
		}
		return []me.Item{{ID: w.Mailbox, At: o.Since, Key: "volunteers.me_offered", Note: "volunteers.me_since"}}, nil
	}}
}
