package series

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
	"kithline/campaigns/organisation"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// Units of a wait.
var Units = []string{"minutes", "hours", "days"}

// maxWait is how much of each unit a wait may be: about a year of days.
var maxWait = map[string]int{"minutes": 100_000, "hours": 10_000, "days": 400}

// StepInput is what a step is to be.
type StepInput struct {
	Kind    models.SeriesStepKind
	Amount  int    // of a wait
	Unit    string // one of Units
	Weekday int    // 0 Sunday; -1 = any
	Hour    string // 15:04; "" = any
	Tag     string // the name of a tag, made where there is none
}

// fill puts the input into a step.
func (in StepInput) fill(ctx context.Context, tx *gorm.DB, st *models.SeriesStep, now time.Time) error {
	var bad fault.Fields
	st.UntilWeekday, st.UntilMinute = -1, -1
	switch st.Kind {
	case models.StepMail:
	case models.StepWait:
		if !slices.Contains(Units, in.Unit) {
			bad.Add("unit", "error.value_unknown")
			break
		}
		between(&bad, "amount", in.Amount, 0, maxWait[in.Unit])
		if in.Weekday < -1 || in.Weekday > 6 {
			bad.Add("weekday", "error.value_unknown")
		}
		st.WaitAmount, st.WaitUnit, st.UntilWeekday = in.Amount, in.Unit, in.Weekday
		if in.Hour != "" {
			st.UntilMinute = minuteOf(&bad, "hour", in.Hour)
		}
	case models.StepTag, models.StepUntag:
		t, err := supporters.EnsureTag(ctx, tx, in.Tag, now)
		var f *fault.Error
		if errors.As(err, &f) {
			bad.Add("tag", f.Key, f.Args...)
		} else if err != nil {
			return err
		}
		st.TagID = &t.ID
	default:
		bad.Add("kind", "error.value_unknown")
	}
	return bad.Err()
}

// AddStep adds a step at the end and returns its id; a mail has no words yet, and whoever comes to it waits until it has. The rights
// and the Conflict fault are those of Save. The faults are Invalid, on the fields kind, amount, unit, weekday, hour and tag.
func (s *Service) AddStep(ctx context.Context, a actor.Actor, id uuid.UUID, in StepInput) (uuid.UUID, error) {
	var step uuid.UUID
	err := s.edit(ctx, a, id, "series.add_step", func(tx *gorm.DB, sr *models.Series, now time.Time) (map[string]any, error) {
		var list []models.SeriesStep
		if err := tx.Where("series_id = ? AND removed_at IS NULL", id).Order("position, id").Find(&list).Error; err != nil {
			return nil, err
		}
		if len(list) >= MaxSteps {
			return nil, fault.New(fault.Invalid, "error.series_steps", "Most", MaxSteps)
		}
		st := models.SeriesStep{ID: models.NewID(), SeriesID: id, Kind: in.Kind, Position: 1, CreatedAt: now, UpdatedAt: now}
		if len(list) > 0 {
			st.Position = list[len(list)-1].Position + 1
		}
		if err := in.fill(ctx, tx, &st, now); err != nil {
			return nil, err
		}
		step = st.ID
		return map[string]any{"step": st.ID, "kind": string(st.Kind)}, tx.Create(&st).Error
	})
	return step, err
}

// stepOf reads a step that is not removed, for an actor.
func stepOf(ctx context.Context, tx *gorm.DB, a actor.Actor, series, step uuid.UUID) (models.Series, models.SeriesStep, error) {
	sr, err := seen(ctx, tx, a, series)
	if err != nil {
		return sr, models.SeriesStep{}, err
	}
	var st models.SeriesStep
	err = tx.WithContext(ctx).Take(&st, "id = ? AND series_id = ? AND removed_at IS NULL", step, series).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return sr, st, errStep
	}
	return sr, st, err
}

// SaveStep changes a wait or a tag; its kind stays. Who waits already keeps their time. Rights and faults are those of AddStep, and
// NotFound.
func (s *Service) SaveStep(ctx context.Context, a actor.Actor, id, step uuid.UUID, in StepInput) error {
	return s.edit(ctx, a, id, "series.save_step", func(tx *gorm.DB, _ *models.Series, now time.Time) (map[string]any, error) {
		_, st, err := stepOf(ctx, tx, a, id, step)
		if err != nil {
			return nil, err
		}
		if err := in.fill(ctx, tx, &st, now); err != nil {
			return nil, err
		}
		return map[string]any{"step": step}, tx.Model(&models.SeriesStep{}).Where("id = ?", step).Updates(map[string]any{
			"wait_amount": st.WaitAmount, "wait_unit": st.WaitUnit, "until_weekday": st.UntilWeekday, "until_minute": st.UntilMinute, "tag_id": st.TagID, "updated_at": now,
		}).Error
	})
}

// MailInput is what the mail of a step says in one language.
type MailInput struct {
	Locale    string
	Revision  int // that the writer saw; 0 where there was none
	Subject   string
	Preheader string
	Body      string
}

// SaveMail keeps the words of a mail in one language. Rights are those of Save. A text that somebody else saved meanwhile is a
// Conflict fault; what cannot be kept, and in a series that went live what could not be sent, is an Invalid fault on the fields subject,
// preheader, body and locale, or on none. A further language may be empty: people then get the series' own.
func (s *Service) SaveMail(ctx context.Context, a actor.Actor, id, step uuid.UUID, in MailInput) error {
	if err := a.Need(actor.WriteMailing); err != nil {
		return err
	}
	clean, err := mailings.CheckMail(mailings.Mail{Subject: in.Subject, Preheader: in.Preheader, Body: in.Body})
	if err != nil {
		return err
	}
	sr, was, err := s.textOf(ctx, s.DB.DB, a, id, step, in.Locale)
	if err != nil {
		return err
	}
	org, err := s.Organisation.Current(ctx)
	if err != nil {
		return err
	}
	if in.Locale != sr.Locale && !slices.Contains(organisation.Spoken(org), in.Locale) {
		var bad fault.Fields
		bad.Add("locale", "error.value_unknown")
		return bad.Err()
	}
	t := models.SeriesText{
		ID: was.ID, StepID: step, Locale: in.Locale, Subject: clean.Subject, Preheader: clean.Preheader, Body: clean.Body, Revision: in.Revision + 1,
		UpdatedAt: s.Clock.Now(),
	}
	if t.ID == uuid.Nil {
		t.ID = models.NewID()
	}
	if blank := t.Subject == "" && strings.TrimSpace(t.Body) == ""; sr.State != models.SeriesDraft && (!blank || t.Locale == sr.Locale) {
		check := t
		check.ID = models.NewID() // these words are not kept yet
		if err := s.Mailings.MailReady(ctx, mailOf(sr, check)); err != nil {
			return err
		}
	}
	return s.edit(ctx, a, id, "series.save_mail", func(tx *gorm.DB, now *models.Series, _ time.Time) (map[string]any, error) {
		if now.State != sr.State {
			return nil, errMoved
		}
		if _, _, err := stepOf(ctx, tx, a, id, step); err != nil {
			return nil, err
		}
		r := tx.Model(&models.SeriesText{}).Where("step_id = ? AND locale = ? AND revision = ?", step, in.Locale, in.Revision).Updates(map[string]any{
			"subject": t.Subject, "preheader": t.Preheader, "body": t.Body, "revision": t.Revision, "updated_at": t.UpdatedAt,
		})
		if in.Revision == 0 {
			r = tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "step_id"}, {Name: "locale"}}, DoNothing: true}).Create(&t)
		}
		if r.Error == nil && r.RowsAffected == 0 {
			return nil, errChanged
		}
		return map[string]any{"step": step, "locale": in.Locale, "revision": t.Revision}, r.Error
	})
}

// MoveStep puts a step one place earlier (by below 0) or later. People stay at their step, and nobody gets one again. Rights are those
// of Save; the fault is NotFound.
func (s *Service) MoveStep(ctx context.Context, a actor.Actor, id, step uuid.UUID, by int) error {
	return s.edit(ctx, a, id, "series.move_step", func(tx *gorm.DB, _ *models.Series, now time.Time) (map[string]any, error) {
		var list []models.SeriesStep
		if err := tx.Where("series_id = ? AND removed_at IS NULL", id).Order("position, id").Find(&list).Error; err != nil {
			return nil, err
		}
		at := slices.IndexFunc(list, func(st models.SeriesStep) bool { return st.ID == step })
		if at < 0 {
			return nil, errStep
		}
		to := at + 1
		if by < 0 {
			to = at - 1
		}
		if to < 0 || to >= len(list) {
			return nil, nil
		}
		for _, x := range []struct {
			id uuid.UUID
			to int
		}{{list[at].ID, list[to].Position}, {list[to].ID, list[at].Position}} {
			if err := tx.Model(&models.SeriesStep{}).Where("id = ?", x.id).Updates(map[string]any{"position": x.to, "updated_at": now}).Error; err != nil {
				return nil, err
			}
		}
		return map[string]any{"step": step}, nil
	})
}

// RemoveStep takes a step out. Whoever stood at it goes on with the next one; after the last they have finished. Rights are those of
// Save; the fault is NotFound.
func (s *Service) RemoveStep(ctx context.Context, a actor.Actor, id, step uuid.UUID) error {
	return s.edit(ctx, a, id, "series.remove_step", func(tx *gorm.DB, sr *models.Series, now time.Time) (map[string]any, error) {
		_, st, err := stepOf(ctx, tx, a, id, step)
		if err != nil {
			return nil, err
		}
		if err := tx.Model(&models.SeriesStep{}).Where("id = ?", step).Updates(map[string]any{"removed_at": now, "updated_at": now}).Error; err != nil {
			return nil, err
		}
		var next []models.SeriesStep
		err = tx.Where("series_id = ? AND removed_at IS NULL AND position > ?", id, st.Position).Order("position, id").Limit(1).Find(&next).Error
		if err != nil {
			return nil, err
		}
		set := map[string]any{"state": models.SeriesFinished, "left_at": now, "arrived_at": nil, "updated_at": now}
		if len(next) > 0 {
			set = map[string]any{"step_id": next[0].ID, "arrived_at": nil, "due_at": dueNow(*sr, now), "updated_at": now}
		}
		r := tx.Model(&models.SeriesPerson{}).Where("series_id = ? AND step_id = ? AND state = ?", id, step, models.SeriesActive).UpdateColumns(set)
		return map[string]any{"step": step, "people": r.RowsAffected}, r.Error
	})
}

// dueNow is now as the rows of a series count time; of a paused one it is the moment at which it goes on.
func dueNow(sr models.Series, now time.Time) time.Time {
	if sr.State == models.SeriesPaused && sr.PausedAt != nil {
		now = *sr.PausedAt
	}
	return clock.Trim(now.Add(-time.Duration(sr.BehindSeconds) * time.Second))
}

// Step is a step with its words, for the page that changes it.
type Step struct {
	models.SeriesStep
	Tag   string
	Texts []models.SeriesText // those that were saved, of all languages
}

// Text is what the mail says in one language.
func (s Step) Text(locale string) models.SeriesText {
	for _, t := range s.Texts {
		if t.Locale == locale {
			return t
		}
	}
	return models.SeriesText{StepID: s.ID, Locale: locale}
}

// Ready reports whether a mail has something to say in a language.
func (s Step) Ready(locale string) bool { return written(s.Text(locale)) }

// Steps lists the steps of a series in their order. It needs the right actor.WriteMailing; the fault is NotFound.
func (s *Service) Steps(ctx context.Context, a actor.Actor, id uuid.UUID) ([]Step, error) {
	if _, err := s.Get(ctx, a, id); err != nil {
		return nil, err
	}
	return stepsOf(ctx, s.DB.DB, id)
}

func stepsOf(ctx context.Context, tx *gorm.DB, id uuid.UUID) ([]Step, error) {
	tx = tx.WithContext(ctx)
	var rows []models.SeriesStep
	if err := tx.Where("series_id = ? AND removed_at IS NULL", id).Order("position, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	out, ids, tags := make([]Step, len(rows)), make([]uuid.UUID, len(rows)), []uuid.UUID{}
	for i, st := range rows {
		out[i], ids[i] = Step{SeriesStep: st}, st.ID
		if st.TagID != nil {
			tags = append(tags, *st.TagID)
		}
	}
	var texts []models.SeriesText
	if err := tx.Where("step_id IN ?", ids).Order("locale").Find(&texts).Error; err != nil {
		return nil, err
	}
	for _, t := range texts {
		i := slices.Index(ids, t.StepID)
		out[i].Texts = append(out[i].Texts, t)
	}
	var names []models.Tag
	if err := tx.Where("id IN ?", tags).Find(&names).Error; err != nil {
		return nil, err
	}
	for i := range out {
		for _, t := range names {
			if out[i].TagID != nil && *out[i].TagID == t.ID {
				out[i].Tag = t.Name
			}
		}
	}
	return out, nil
}
