package app

import (
	"context"

	"github.com/google/uuid"

	"kithline/campaigns/me"
)

// ownPlaces is what somebody's page tells of the places that they hold and stand by for.
func (a *App) ownPlaces() me.Source {
	items := func(ctx context.Context, w me.Who, over bool) ([]me.Item, error) {
		mine, err := a.Rosters.MineOf(ctx, w.Mailboxes, w.Lang)
		var out []me.Item
		for _, m := range mine {
			if m.Over != over || over && m.Stands {
				continue
			}
			i := me.Item{ID: m.ID, At: m.At, Key: "rosters.me_due", Note: "rosters.me_when", Title: m.Role, Lang: m.Lang, Name: m.When, URL: m.PlaceAt}
			if m.Stands {
				i.Key = "rosters.me_stands"
			}
			if !over {
				i.Undo = "rosters.me_let_go"
			}
			out = append(out, i)
		}
		return out, err
	}
	return me.Source{
		Did: func(ctx context.Context, w me.Who) ([]me.Item, error) { return items(ctx, w, true) },
		Due: func(ctx context.Context, w me.Who) ([]me.Item, error) { return items(ctx, w, false) },
		Undo: func(ctx context.Context, w me.Who, id uuid.UUID, _ bool) (string, error) {
			return "", a.Rosters.TakeBack(ctx, w.Mailboxes, id)
		},
	}
}
