package rows

import (
	"time"

	"github.com/google/uuid"

	"kithline/models"
)

// Walked is what the rows of a series point to and are made of.
type Walked struct {
	Petition, Supporter, Tag, User uuid.UUID
	At, Later                      time.Time
	Word                           func(string) string // makes a text hard to store
}

// InSeries makes a series with everything that belongs to it, with a value in every column, for tests that carry whole tables.
func InSeries(p Walked) []any {
	id, wait, mail := models.NewID(), models.NewID(), models.NewID()
	return []any{
		&models.Series{
			ID: id, Name: p.Word("Welcome"), Purpose: models.PurposeUpdates, ScopeID: p.Petition, PetitionID: &p.Petition, Locale: "en", TriggerKind: models.TriggerTagged,
			TriggerID: p.Tag, TriggerDate: "2027-02-01", TriggerDays: -3, LookbackDays: 2, AgainDays: 300, QuietFrom: 1200, QuietUntil: 540, State: models.SeriesPaused, Revision: 3,
			BehindSeconds: 86400, Since: &p.At, ScannedAt: &p.Later, ScannedID: p.Petition, SweptAt: &p.Later, LiveAt: &p.At, PausedAt: &p.Later, CreatedBy: &p.User,
			CreatedAt: p.At, UpdatedAt: p.Later,
		},
		&models.Series{
			ID: models.NewID(), Purpose: models.PurposeNewsletter, TriggerKind: models.TriggerJoined, State: models.SeriesEnded, EndedAt: &p.Later, CreatedAt: p.At, UpdatedAt: p.At,
		},
		&models.SeriesStep{
			ID: wait, SeriesID: id, Position: 1, Kind: models.StepWait, WaitAmount: 3, WaitUnit: "days", UntilWeekday: 2, UntilMinute: 570, CreatedAt: p.At, UpdatedAt: p.Later, RemovedAt: &p.Later,
		},
		&models.SeriesStep{ID: mail, SeriesID: id, Position: 2, Kind: models.StepMail, UntilWeekday: -1, UntilMinute: -1, CreatedAt: p.At, UpdatedAt: p.At},
		&models.SeriesStep{ID: models.NewID(), SeriesID: id, Position: 3, Kind: models.StepTag, UntilWeekday: -1, UntilMinute: -1, TagID: &p.Tag, CreatedAt: p.At, UpdatedAt: p.At},
		&models.SeriesText{
			ID: models.NewID(), StepID: mail, Locale: "es", Subject: p.Word("Hola"), Preheader: "x", Body: p.Word("Hola {{given_name}}"), Revision: 2, UpdatedAt: p.Later,
		},
		&models.SeriesExit{ID: models.NewID(), SeriesID: id, Kind: models.ExitTagged, ObjectID: p.Tag, CreatedAt: p.At},
		&models.SeriesPerson{
			ID: models.NewID(), SeriesID: id, SupporterID: p.Supporter, StepID: &mail, State: models.SeriesLeft, Reason: models.LeftGoal, Done: wait.String() + " ", Round: 2, DueAt: p.At,
			ArrivedAt: &p.At, EnteredAt: p.At, UpdatedAt: p.Later, LeftAt: &p.Later,
		},
	}
}
