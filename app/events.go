package app

import (
	"context"

	"github.com/google/uuid"

	"kithline/campaigns/fault"
	"kithline/campaigns/me"
	"kithline/models"
)

// ownEvents is what somebody's page tells of the events that they are registered for.
func (a *App) ownEvents() me.Source {
	return me.Source{
		Due: func(ctx context.Context, w me.Who) ([]me.Item, error) {
			list, err := a.Events.OwnOf(ctx, w.Mailboxes, w.Lang)
			out := make([]me.Item, len(list))
			for i, o := range list {
				out[i] = me.Item{ID: o.ID, At: o.Start, Key: "events.me_comes", Note: "events.me_when", Name: o.When, Title: o.Title, Lang: o.Lang, URL: o.Path, Undo: "events.cant_button"}
				if o.State != models.Registered {
					out[i].Key = "events.me_waits"
				}
			}
			return out, err
		},
		Undo: func(ctx context.Context, w me.Who, id uuid.UUID, back bool) (string, error) {
			if back {
				return "", fault.New(fault.NotFound, "error.not_found")
			}
			return "", a.Events.CantFrom(ctx, w.Mailboxes, id)
		},
	}
}
