package series

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
	"kithline/models"
)

// Limits of what can be written.
const (
	MaxName  = 100  // characters
	MaxSteps = 40   // of a series
	MaxDays  = 365  // before or after a date, and of looking back
	MaxAgain = 3650 // days until somebody may come again
	MaxGoals = 10
)

// The quiet hours of a new series.
const (
	quietFrom  = 20 * 60
	quietUntil = 9 * 60
)

// Create starts a series, from the welcome series or from nothing; it is of the actor's chapter. It begins with having joined or signed
// what it is for. It needs the right actor.WriteMailing; the faults are Invalid, on the fields name, to and locale.
func (s *Service) Create(ctx context.Context, a actor.Actor, name string, to mailings.To, from string) (uuid.UUID, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return uuid.Nil, err
	}
	now := s.Clock.Now()
	sr := models.Series{
		ID: models.NewID(), State: models.SeriesDraft, Revision: 1, ChapterID: a.Chapter(), QuietFrom: quietFrom, QuietUntil: quietUntil,
		TriggerKind: models.TriggerJoined, CreatedBy: a.Account(), CreatedAt: now, UpdatedAt: now,
	}
	var bad fault.Fields
	sr.Name = checkName(&bad, name)
	if from != Empty && from != Welcome {
		bad.Add("from", "error.value_unknown")
	}
	if err := bad.Err(); err != nil {
		return uuid.Nil, err
	}
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		m, err := s.Mailings.Aim(ctx, tx, a, to, mailings.Mail{})
		if err != nil {
			return err
		}
		sr.Purpose, sr.ScopeID, sr.PetitionID, sr.Locale = m.Purpose, m.ScopeID, m.PetitionID, m.Locale
		if m.PetitionID != nil {
			sr.TriggerKind, sr.TriggerID = models.TriggerSigned, *m.PetitionID
		}
		if err := tx.Create(&sr).Error; err != nil {
			return err
		}
		if from == Welcome {
			if err := s.welcome(ctx, tx, sr, now); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "series.create", "series", sr.ID, map[string]any{"from": from})
	})
	return sr.ID, err
}

func checkName(bad *fault.Fields, name string) string {
	name = strings.Join(strings.Fields(name), " ")
	switch n := utf8.RuneCountInString(name); {
	case name == "":
		bad.Add("name", "error.series_name")
	case n > MaxName:
		bad.Add("name", "error.text_too_long", "Max", strconv.Itoa(MaxName), "Over", strconv.Itoa(n-MaxName))
	}
	return name
}

// Goal is an exit rule as it is set.
type Goal struct {
	Kind     models.SeriesExitKind
	ObjectID uuid.UUID
}

// Settings are what can be set of a series beside its steps. Of one that went live, To, the trigger and Lookback stay as they
// are, whatever stands here.
type Settings struct {
	Revision   int // that the writer saw
	Name       string
	To         mailings.To
	Trigger    models.SeriesTrigger
	TriggerID  uuid.UUID
	Date       string // 2006-01-02
	Days       int
	Lookback   int    // days
	Again      int    // days; 0 = never
	QuietFrom  string // 15:04; the same in both = no quiet hours
	QuietUntil string
	Goals      []Goal
}

// minuteOf reads a time of day.
func minuteOf(bad *fault.Fields, field, s string) int {
	t, err := time.Parse("15:04", s)
	if err != nil {
		bad.Add(field, "error.series_hour")
		return 0
	}
	return t.Hour()*60 + t.Minute()
}

func between(bad *fault.Fields, field string, n, least, most int) {
	if n < least || n > most {
		bad.Add(field, "error.series_days", "Least", least, "Most", most)
	}
}

// Save keeps the settings and returns the new revision. It needs the right actor.WriteMailing, and of a series that went live
// actor.Send. A series that somebody else saved meanwhile, or that ended, is a Conflict fault; what cannot be set is an Invalid fault
// on the fields of Settings in lower case.
func (s *Service) Save(ctx context.Context, a actor.Actor, id uuid.UUID, in Settings) (int, error) {
	var bad fault.Fields
	name := checkName(&bad, in.Name)
	between(&bad, "days", in.Days, -MaxDays, MaxDays)
	between(&bad, "lookback", in.Lookback, 0, MaxDays)
	between(&bad, "again", in.Again, 0, MaxAgain)
	from, until := minuteOf(&bad, "quietfrom", in.QuietFrom), minuteOf(&bad, "quietuntil", in.QuietUntil)
	if len(in.Goals) > MaxGoals {
		bad.Add("goals", "error.value_unknown")
	}
	if err := a.Need(actor.WriteMailing); err != nil {
		return 0, err
	}
	if err := bad.Err(); err != nil {
		return 0, err
	}
	err := s.edit(ctx, a, id, "series.save", func(tx *gorm.DB, sr *models.Series, now time.Time) (map[string]any, error) {
		if sr.Revision != in.Revision {
			return nil, errChanged
		}
		sr.Name, sr.AgainDays, sr.QuietFrom, sr.QuietUntil, sr.Revision = name, in.Again, from, until, sr.Revision+1
		if sr.State == models.SeriesDraft {
			m, err := s.Mailings.Aim(ctx, tx, a, in.To, mailings.Mail{Purpose: sr.Purpose, ScopeID: sr.ScopeID, PetitionID: sr.PetitionID, Locale: sr.Locale})
			if err != nil {
				return nil, err
			}
			sr.Purpose, sr.ScopeID, sr.PetitionID, sr.Locale = m.Purpose, m.ScopeID, m.PetitionID, m.Locale
			if err := s.setTrigger(ctx, tx, a, sr, in); err != nil {
				return nil, err
			}
		}
		if err := setGoals(ctx, tx, sr.ID, in.Goals, now); err != nil {
			return nil, err
		}
		return map[string]any{"revision": sr.Revision}, tx.Model(&models.Series{}).Where("id = ?", id).Updates(map[string]any{
			"name": sr.Name, "purpose": sr.Purpose, "scope_id": sr.ScopeID, "petition_id": sr.PetitionID, "locale": sr.Locale, "trigger_kind": sr.TriggerKind,
			"trigger_id": sr.TriggerID, "trigger_date": sr.TriggerDate, "trigger_days": sr.TriggerDays, "lookback_days": sr.LookbackDays, "again_days": sr.AgainDays,
			"quiet_from": sr.QuietFrom, "quiet_until": sr.QuietUntil, "revision": sr.Revision,
		}).Error
	})
	return in.Revision + 1, err
}

// edit changes a series and what belongs to it, in a transaction that holds its row: nobody moves in it meanwhile.
func (s *Service) edit(ctx context.Context, a actor.Actor, id uuid.UUID, action string, do func(tx *gorm.DB, sr *models.Series, now time.Time) (map[string]any, error)) error {
	if err := a.Need(actor.WriteMailing); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Select("id").Where("id = ?", id).Limit(1).Find(&models.Series{}).Error; err != nil {
			return err
		}
		sr, err := seen(ctx, tx, a, id)
		switch {
		case err != nil:
			return err
		case sr.State == models.SeriesEnded:
			return errMoved
		case sr.State != models.SeriesDraft: // what is changed goes out
			if err := a.Need(actor.Send); err != nil {
				return err
			}
		}
		now := s.Clock.Now()
		details, err := do(tx, &sr, now)
		if err != nil {
			return err
		}
		if err := tx.Model(&models.Series{}).Where("id = ?", id).UpdateColumn("updated_at", now).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, action, "series", id, details)
	})
}

// setTrigger sets what a series begins with.
func (s *Service) setTrigger(ctx context.Context, tx *gorm.DB, a actor.Actor, sr *models.Series, in Settings) error {
	var bad fault.Fields
	sr.TriggerKind, sr.TriggerID, sr.TriggerDate, sr.TriggerDays, sr.LookbackDays = in.Trigger, uuid.Nil, "", 0, in.Lookback
	if !s.Offers(in.Trigger) {
		bad.Add("trigger", "error.series_trigger")
		return bad.Err()
	}
	var there bool
	var err error
	switch in.Trigger {
	case models.TriggerJoined:
		if there = sr.Purpose == models.PurposeNewsletter; !there {
			bad.Add("trigger", "error.series_joined")
			return bad.Err()
		}
	case models.TriggerSigned:
		there, err = exists(ctx, tx.Model(&models.Petition{}).Where("id = ? AND state IN ?", in.TriggerID, models.PublicPetitionStates))
		sr.TriggerID = in.TriggerID
	case models.TriggerForm:
		there, err = exists(ctx, tx.Model(&models.Form{}).Scopes(chapters.Scope(a, "chapter_id")).Where("id = ?", in.TriggerID))
		sr.TriggerID = in.TriggerID
	case models.TriggerTagged:
		there, err = exists(ctx, tx.Model(&models.Tag{}).Where("id = ?", in.TriggerID))
		sr.TriggerID = in.TriggerID
	case models.TriggerDate:
		if _, wrong := time.Parse(time.DateOnly, in.Date); wrong != nil {
			bad.Add("date", "error.series_date")
			return bad.Err()
		}
		there, sr.TriggerDate, sr.TriggerDays, sr.LookbackDays = true, in.Date, in.Days, 0
	case models.TriggerAnniversary:
		there, sr.TriggerDays, sr.LookbackDays = true, in.Days, 0
	default: // a feature's own
		there, sr.TriggerID, sr.LookbackDays = true, in.TriggerID, 0
	}
	if err == nil && !there {
		bad.Add("trigger", "error.series_trigger")
	}
	return errors.Join(err, bad.Err())
}

func exists(ctx context.Context, q *gorm.DB) (bool, error) {
	var ids []uuid.UUID
	err := q.WithContext(ctx).Limit(1).Pluck("id", &ids).Error
	return len(ids) > 0, err
}

// setGoals makes the exit rules of a series those that are given.
func setGoals(ctx context.Context, tx *gorm.DB, id uuid.UUID, goals []Goal, now time.Time) error {
	var bad fault.Fields
	rows := make([]models.SeriesExit, 0, len(goals))
	for _, g := range goals {
		there, err := true, error(nil)
		switch g.Kind {
		case models.ExitSigned:
			there, err = exists(ctx, tx.Model(&models.Petition{}).Where("id = ? AND state IN ?", g.ObjectID, models.PublicPetitionStates))
		case models.ExitTagged:
			there, err = exists(ctx, tx.Model(&models.Tag{}).Where("id = ?", g.ObjectID))
		case models.ExitActed:
			g.ObjectID = uuid.Nil
		default:
			there = false
		}
		if err != nil {
			return err
		}
		if !there {
			bad.Add("goals", "error.series_goal")
			return bad.Err()
		}
		if !slices.ContainsFunc(rows, func(e models.SeriesExit) bool { return e.Kind == g.Kind && e.ObjectID == g.ObjectID }) {
			rows = append(rows, models.SeriesExit{ID: models.NewID(), SeriesID: id, Kind: g.Kind, ObjectID: g.ObjectID, CreatedAt: now})
		}
	}
	if err := tx.Where("series_id = ?", id).Delete(&models.SeriesExit{}).Error; err != nil || len(rows) == 0 {
		return err
	}
	return tx.Create(&rows).Error
}

// Choice is something that a trigger or a goal can name.
type Choice struct {
	ID   uuid.UUID
	Name string
}

// Choices are what the settings of a series can name.
type Choices struct {
	Petitions, Forms, Tags []Choice
	Topics                 []models.Topic
}

// Choices lists them, at most 200 of each. It needs the right actor.WriteMailing.
func (s *Service) Choices(ctx context.Context, a actor.Actor) (c Choices, err error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return c, err
	}
	db := s.DB.WithContext(ctx)
	err = db.Model(&models.Petition{}).Select("id, title AS name").Where("state IN ?", models.PublicPetitionStates).Order("created_at DESC, id DESC").Limit(200).Scan(&c.Petitions).Error
	if err == nil {
		err = db.Model(&models.Form{}).Select("id, title AS name").Scopes(chapters.Scope(a, "chapter_id")).Order("created_at DESC, id DESC").Limit(200).Scan(&c.Forms).Error
	}
	if err == nil {
		err = db.Model(&models.Tag{}).Select("id, name").Order("name_key").Limit(200).Scan(&c.Tags).Error
	}
	if err == nil {
		c.Topics, err = s.Mailings.Topics(ctx, a)
	}
	return c, err
}
