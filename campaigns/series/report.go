package series

import (
	"cmp"
	"context"
	"slices"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/models"
)

// Figures are those of one step.
type Figures struct {
	Step
	Waiting int // people whose next step it is
	Sent    int // of a mail
	Queued  int // waits to go out, or is on the wire
	Refused int // refused, or not known to have arrived
	Dropped int // left the list, paused, or too late
	Left    int // people who left here
}

// Exit is how many left a series for one reason.
type Exit struct {
	Reason string
	N      int
}

// Report is how a series fares.
type Report struct {
	Series                       models.Series
	Steps                        []Figures
	Came, Active, Finished, Left int
	Exits                        []Exit
	Petition, Topic, TriggerName string // what ids stand for
	Chapter                      string
	Goals                        []GoalName
	Open                         int // mails whose fate is unknown and that nobody decided about
	RemovedSent                  int // mails of steps that are not there any more
}

// GoalName is an exit rule with what it is called.
type GoalName struct {
	models.SeriesExit
	Name string
}

// Report reads a series with its figures. It needs the right actor.SeeFigures, and returns a NotFound fault for an unknown id.
func (s *Service) Report(ctx context.Context, a actor.Actor, id uuid.UUID) (Report, error) {
	var r Report
	if err := a.Need(actor.SeeFigures); err != nil {
		return r, err
	}
	var err error
	if r.Series, err = seen(ctx, s.DB.DB, a, id); err != nil {
		return r, err
	}
	steps, err := stepsOf(ctx, s.DB.DB, id)
	if err != nil {
		return r, err
	}
	by := map[uuid.UUID]*Figures{}
	r.Steps = make([]Figures, len(steps))
	for i, st := range steps {
		r.Steps[i] = Figures{Step: st}
		by[st.ID] = &r.Steps[i]
	}
	if err := s.countPeople(ctx, &r, by); err != nil {
		return r, err
	}
	if err := s.countMails(ctx, &r, by); err != nil {
		return r, err
	}
	return r, s.names(ctx, &r)
}

func (s *Service) countPeople(ctx context.Context, r *Report, by map[uuid.UUID]*Figures) error {
	var rows []struct {
		StepID *uuid.UUID
		State  models.SeriesPersonState
		Reason string
		N      int
	}
	err := s.DB.WithContext(ctx).Raw("SELECT step_id, state, reason, count(*) AS n FROM series_people WHERE series_id = ? GROUP BY step_id, state, reason", r.Series.ID).Scan(&rows).Error
	if err != nil {
		return err
	}
	for _, x := range rows {
		var f *Figures
		if x.StepID != nil {
			f = by[*x.StepID]
		} else if len(r.Steps) > 0 {
			f = &r.Steps[0]
		}
		r.Came += x.N
		switch x.State {
		case models.SeriesActive:
			if r.Active += x.N; f != nil {
				f.Waiting += x.N
			}
		case models.SeriesFinished:
			r.Finished += x.N
		case models.SeriesLeft:
			if r.Left += x.N; f != nil {
				f.Left += x.N
			}
			if i := slices.IndexFunc(r.Exits, func(e Exit) bool { return e.Reason == x.Reason }); i >= 0 {
				r.Exits[i].N += x.N
			} else {
				r.Exits = append(r.Exits, Exit{x.Reason, x.N})
			}
		}
	}
	slices.SortFunc(r.Exits, func(x, y Exit) int { return cmp.Or(y.N-x.N, cmp.Compare(x.Reason, y.Reason)) })
	return nil
}

func (s *Service) countMails(ctx context.Context, r *Report, by map[uuid.UUID]*Figures) error {
	var rows []struct {
		SubjectID uuid.UUID
		State     models.DeliveryState
		N         int
	}
	err := s.DB.WithContext(ctx).Raw(`SELECT subject_id, state, count(*) AS n FROM deliveries
		WHERE kind = 'series' AND subject_id IN (SELECT id FROM series_steps WHERE series_id = ?) GROUP BY subject_id, state`, r.Series.ID).Scan(&rows).Error
	if err != nil {
		return err
	}
	for _, x := range rows {
		f := by[x.SubjectID]
		if f == nil {
			if x.State == models.DeliverySent {
				r.RemovedSent += x.N
			}
			continue
		}
		switch x.State {
		case models.DeliverySent:
			f.Sent += x.N
		case models.DeliveryFailed, models.DeliveryUnknown:
			f.Refused += x.N
		case models.DeliverySuppressed, models.DeliveryExpired:
			f.Dropped += x.N
		default:
			f.Queued += x.N
		}
	}
	return s.DB.WithContext(ctx).Model(&models.Delivery{}).Select("count(*)").
		Where(unsettled+" AND subject_id IN (SELECT id FROM series_steps WHERE series_id = ?)", left, r.Series.ID).Scan(&r.Open).Error
}

// names reads what the ids stand for.
func (s *Service) names(ctx context.Context, r *Report) error {
	var exits []models.SeriesExit
	if err := s.DB.WithContext(ctx).Where("series_id = ?", r.Series.ID).Order("created_at, id").Find(&exits).Error; err != nil {
		return err
	}
	r.Goals = make([]GoalName, len(exits))
	type ask struct {
		into          *string
		table, column string
		id            uuid.UUID
	}
	asks := []ask{}
	sr := r.Series
	if sr.PetitionID != nil {
		asks = append(asks, ask{&r.Petition, "petitions", "title", *sr.PetitionID})
	}
	if sr.Purpose == models.PurposeNewsletter {
		asks = append(asks, ask{&r.Topic, "topics", "name", sr.ScopeID})
	}
	if sr.ChapterID != nil {
		asks = append(asks, ask{&r.Chapter, "chapters", "name", *sr.ChapterID})
	}
	of := map[string][2]string{"signed": {"petitions", "title"}, "form": {"forms", "title"}, "tagged": {"tags", "name"}}
	if t, ok := of[string(sr.TriggerKind)]; ok {
		asks = append(asks, ask{&r.TriggerName, t[0], t[1], sr.TriggerID})
	}
	for i, e := range exits {
		r.Goals[i].SeriesExit = e
		if t, ok := of[string(e.Kind)]; ok {
			asks = append(asks, ask{&r.Goals[i].Name, t[0], t[1], e.ObjectID})
		}
	}
	for _, q := range asks {
		var names []string
		if err := s.DB.WithContext(ctx).Table(q.table).Where("id = ?", q.id).Limit(1).Pluck(q.column, &names).Error; err != nil {
			return err
		}
		if len(names) > 0 {
			*q.into = names[0]
		}
	}
	return nil
}
