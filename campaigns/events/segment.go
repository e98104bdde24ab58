package events

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/segments"
	"kithline/models"
)

// Condition is the one of segments that holds for whoever is registered for an event: for a date ahead, or one of the last 30 days.
func Condition() segments.Kind {
	return segments.Kind{
		Name: "comes", Topic: "did",
		Fields: []segments.Field{{Name: "event", Type: segments.Choice, Choices: &segments.Choices{List: choosableEvents, Label: namedEvent}}},
		Compile: func(_ *segments.Compiler, v segments.Values) (segments.Part, error) {
			id, err := uuid.Parse(v["event"])
			if err != nil {
				return segments.Part{Row: "1 = 0"}, nil
			}
			return segments.Part{
				Set:  "SELECT b.supporter_id FROM registrations r JOIN mailboxes b ON b.id = r.mailbox_id WHERE b.supporter_id IS NOT NULL AND r.event_id = ? AND r.state = ?",
				Args: []any{id, models.Registered},
			}, nil
		},
	}
}

func choosableEvents(ctx context.Context, tx *gorm.DB, a actor.Actor) ([]segments.Option, error) {
	var rows []models.Event
	err := tx.WithContext(ctx).Select("id", "title").Scopes(chapters.Scope(a, "events.chapter_id")).Where("state <> ?", models.EventDraft).Order("created_at DESC, id").Limit(listMost).Find(&rows).Error
	out := make([]segments.Option, len(rows))
	for i, e := range rows {
		out[i] = segments.Option{Value: e.ID.String(), Label: e.Title}
	}
	return out, err
}

func namedEvent(ctx context.Context, tx *gorm.DB, a actor.Actor, value string) (string, bool, error) {
	id, err := uuid.Parse(value)
	if err != nil {
		return "", false, nil
	}
	var titles []string
	err = tx.WithContext(ctx).Model(&models.Event{}).Scopes(chapters.Scope(a, "events.chapter_id")).Where("id = ?", id).Pluck("title", &titles).Error
	if len(titles) == 0 {
		return "", false, err
	}
	return titles[0], true, err
}
