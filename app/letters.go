package app

import (
	"context"

	"kithline/campaigns/letters"
	"kithline/campaigns/me"
)

// ownLetters is what somebody's page tells of their letters.
func (a *App) ownLetters() me.Source {
	items := func(list []letters.Wrote, key string) []me.Item {
		out := make([]me.Item, len(list))
		for i, w := range list {
			out[i] = me.Item{ID: w.Letter, At: w.At, Key: key, Note: "dispatch.me_note", Title: w.Title, Lang: w.Lang, Name: w.To, URL: w.Path}
			if w.To != "" {
				out[i].Note = "dispatch.me_note_to"
			}
		}
		return out
	}
	return me.Source{
		Did: func(ctx context.Context, w me.Who) ([]me.Item, error) {
			did, _, err := a.Letters.WroteFrom(ctx, w.Mailboxes)
			return items(did, "dispatch.me_wrote"), err
		},
		Due: func(ctx context.Context, w me.Who) ([]me.Item, error) {
			_, due, err := a.Letters.WroteFrom(ctx, w.Mailboxes)
			return items(due, "dispatch.me_carry"), err
		},
	}
}
