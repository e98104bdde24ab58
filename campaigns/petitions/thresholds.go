package petitions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Limits of thresholds.
const (
	thresholdsMost = 40
	tellAgain      = 30 * day // the same threshold writes nobody a second mail before that
)

// ladder is how goals grow: each is reached by a petition that is a few times larger than the one before.
var ladder = []int{100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, GoalMax}

// NextGoal is the goal to suggest once a goal is reached: the next round number; 0 where there is no larger one.
func NextGoal(goal int) int {
	for _, n := range ladder {
		if n > goal {
			return n
		}
	}
	return 0
}

// ThresholdInput is what should happen when so many have signed. NextGoal is for models.EffectGoal.
type ThresholdInput struct {
	Count    int
	Effect   models.ThresholdEffect
	NextGoal int
}

// Thresholds lists those of a petition, the smallest count first. It needs actor.SeeFigures; of a petition that is not public
// they are seen by its author and by moderators.
func (s *Service) Thresholds(ctx context.Context, a actor.Actor, petition uuid.UUID) ([]models.PetitionThreshold, error) {
	if _, err := s.Get(ctx, a, petition); err != nil {
		return nil, err
	}
	return thresholds(ctx, s.db.DB, petition)
}

func thresholds(ctx context.Context, tx *gorm.DB, petition uuid.UUID) ([]models.PetitionThreshold, error) {
	var rows []models.PetitionThreshold
	err := tx.WithContext(ctx).Where("petition_id = ?", petition).Order("count, effect").Find(&rows).Error
	return rows, err
}

// AddThreshold sets what happens when so many have signed. It needs actor.ModeratePetition. A count that is reached already is
// refused: its effect would come as a surprise. The faults are Invalid with the fields count, effect, next_goal; Conflict,
// error.petition_state for a petition that is over; NotFound, error.petition_unknown.
func (s *Service) AddThreshold(ctx context.Context, a actor.Actor, petition uuid.UUID, in ThresholdInput) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		p, err := held(ctx, tx, petition)
		if err != nil {
			return err
		}
		if !Settable(p) {
			return fault.New(fault.Conflict, "error.petition_state")
		}
		var bad fault.Fields
		switch {
		case in.Count < 1 || in.Count > GoalMax:
			bad.Add("count", "error.threshold_count")
		case in.Count <= p.Total():
			bad.Add("count", "error.threshold_past", "Count", p.Total())
		}
		switch in.Effect {
		case models.EffectGoal:
			if in.NextGoal <= in.Count || in.NextGoal > GoalMax || in.NextGoal < GoalMin {
				bad.Add("next_goal", "error.threshold_next_goal")
			}
		case models.EffectTell, models.EffectClose:
			in.NextGoal = 0
		default:
			bad.Add("effect", "error.threshold_effect")
		}
		if err := bad.Err(); err != nil {
			return err
		}
		var n int64
		if err := tx.Model(&models.PetitionThreshold{}).Where("petition_id = ?", petition).Count(&n).Error; err != nil {
			return err
		}
		if n >= thresholdsMost {
			return fault.Fields{{Name: "count", Key: "error.threshold_many", Args: []any{"Max", thresholdsMost}}}.Err()
		}
		made, err := insertThreshold(tx, petition, in, now)
		if err != nil {
			return err
		}
		if !made {
			return fault.Fields{{Name: "count", Key: "error.threshold_twice"}}.Err()
		}
		return audit.Write(ctx, tx, a, now, "petition.threshold_add", "petitions", petition, map[string]any{"count": in.Count, "effect": in.Effect, "next_goal": in.NextGoal})
	})
}

func insertThreshold(tx *gorm.DB, petition uuid.UUID, in ThresholdInput, now time.Time) (bool, error) {
	t := models.PetitionThreshold{ID: models.NewID(), PetitionID: petition, Count: in.Count, Effect: in.Effect, NextGoal: in.NextGoal, CreatedAt: now}
	columns := []clause.Column{{Name: "petition_id"}, {Name: "count"}, {Name: "effect"}}
	r := tx.Clauses(clause.OnConflict{Columns: columns, DoNothing: true}).Create(&t)
	return r.RowsAffected == 1, r.Error
}

// RemoveThreshold takes a threshold away that was not reached yet. It needs actor.ModeratePetition. The faults are NotFound and
// Conflict, error.threshold_reached.
func (s *Service) RemoveThreshold(ctx context.Context, a actor.Actor, petition, id uuid.UUID) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := held(ctx, tx, petition); err != nil {
			return err
		}
		var t models.PetitionThreshold
		err := tx.Where("id = ? AND petition_id = ?", id, petition).Take(&t).Error
		switch {
		case errors.Is(err, gorm.ErrRecordNotFound):
			return fault.New(fault.NotFound, "error.not_found")
		case err != nil:
			return err
		case t.ReachedAt != nil || t.GoalBefore != 0: // it is part of what happened
			return fault.New(fault.Conflict, "error.threshold_reached")
		}
		if err := tx.Where("id = ?", id).Delete(&models.PetitionThreshold{}).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "petition.threshold_remove", "petitions", petition, map[string]any{"count": t.Count, "effect": t.Effect})
	})
}

// RaiseByItself lets the goal of a petition grow by itself: whenever it is reached, the next round number becomes the goal. It
// replaces the goals that were set and not reached yet; with on false it only takes them away. It needs actor.ModeratePetition. The faults are NotFound,
// error.petition_unknown, and Conflict, error.petition_state.
func (s *Service) RaiseByItself(ctx context.Context, a actor.Actor, petition uuid.UUID, on bool) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		p, err := held(ctx, tx, petition)
		if err != nil {
			return err
		}
		if !Settable(p) {
			return fault.New(fault.Conflict, "error.petition_state")
		}
		if err := tx.Where("petition_id = ? AND effect = ? AND reached_at IS NULL", petition, models.EffectGoal).Delete(&models.PetitionThreshold{}).Error; err != nil {
			return err
		}
		if on {
			for goal := p.Goal; goal > 0; goal = NextGoal(goal) {
				if next := NextGoal(goal); next > 0 {
					if _, err := insertThreshold(tx, petition, ThresholdInput{goal, models.EffectGoal, next}, now); err != nil {
						return err
					}
				}
			}
		}
		if err := audit.Write(ctx, tx, a, now, "petition.raise_by_itself", "petitions", petition, map[string]any{"on": on}); err != nil {
			return err
		}
		return reach(ctx, tx, petition, now) // the goal may be behind already
	})
}

// RaisesByItself reports whether the goal of a petition is raised once it is reached.
func RaisesByItself(p models.Petition, rows []models.PetitionThreshold) bool {
	return slices.ContainsFunc(rows, func(t models.PetitionThreshold) bool {
		return t.Effect == models.EffectGoal && t.ReachedAt == nil && t.Count == p.Goal
	})
}

// Settable reports whether thresholds and paper can still do something to a petition.
func Settable(p models.Petition) bool {
	switch p.State {
	case models.PetitionDraft, models.PetitionSubmitted, models.PetitionReturned, models.PetitionPublished, models.PetitionClosed, models.PetitionHidden:
		return true
	}
	return false
}

// held reads a petition and holds its row to the end of tx.
func held(ctx context.Context, tx *gorm.DB, id uuid.UUID) (models.Petition, error) {
	var rows []models.Petition
	err := tx.WithContext(ctx).Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = ?", id).Limit(1).Find(&rows).Error
	if err != nil {
		return models.Petition{}, err
	}
	if len(rows) == 0 {
		return models.Petition{}, unknown()
	}
	return rows[0], nil
}

// reachAll is reach for the petitions whose number moved: see onCount.
func (s *Service) reachAll(ctx context.Context, tx *gorm.DB, petitions []uuid.UUID) error {
	now := s.clk.Now()
	for _, id := range petitions {
		if err := reach(ctx, tx, id, now); err != nil {
			return err
		}
	}
	return nil
}

// reach does in tx what happens at the thresholds that the public number of a petition passed, and undoes it where it fell below
// them. Whoever changed the number calls it in the same transaction, after the change, so that the row is held. Each effect
// happens once:
//
//   - tell: the author and the starters get a mail, one for all that were passed together, about the largest; nobody gets one about
//     a number that they heard of, or of a larger one, within 30 days.
//   - goal: the goal becomes the next one, if it is smaller. Below the count it becomes what it was, unless somebody changed it.
//   - close: no more signatures are taken. That is never undone by itself, since people were told: the closed petition stands in
//     the list of what needs somebody, who reopens it or leaves it. GoalBefore says that it was this threshold that closed it.
func reach(ctx context.Context, tx *gorm.DB, petition uuid.UUID, now time.Time) error {
	tx = tx.WithContext(ctx)
	var p models.Petition
	err := tx.Select("id", "slug", "state", "goal", "signature_count", "paper_count").Where("id = ?", petition).Take(&p).Error
	if err != nil {
		return err
	}
	total := p.Total()
	var rows []models.PetitionThreshold
	err = tx.Where("petition_id = ? AND ((reached_at IS NULL AND count <= ?) OR (reached_at IS NOT NULL AND count > ?))", petition, total, total).
		Order("count, effect").Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return err
	}
	// What is undone comes first and from the largest, so that each goal finds the one that it had set.
	for _, t := range slices.Backward(rows) {
		if t.ReachedAt != nil {
			if err := fall(ctx, tx, &p, t, now); err != nil {
				return err
			}
		}
	}
	var told *models.PetitionThreshold
	for _, t := range rows {
		if t.ReachedAt == nil {
			if err := rise(ctx, tx, &p, t, now); err != nil {
				return err
			}
			if t.Effect == models.EffectTell {
				told = &t
			}
		}
	}
	if told == nil {
		return nil
	}
	return tellReached(ctx, tx, *told, now)
}

// rise does what happens at a threshold.
func rise(ctx context.Context, tx *gorm.DB, p *models.Petition, t models.PetitionThreshold, now time.Time) error {
	set := map[string]any{"reached_at": now}
	change := map[string]any{}
	switch {
	case t.Effect == models.EffectGoal && p.Goal < t.NextGoal:
		set["goal_before"], change["goal"] = p.Goal, t.NextGoal
	case t.Effect == models.EffectClose && t.GoalBefore == 0:
		if p.State != models.PetitionPublished { // nothing to close now; asked again at the next change
			return nil
		}
		set["goal_before"] = max(p.Goal, 1)
		change["state"], change["closed_at"], change["paused_at"] = models.PetitionClosed, now, nil
		p.State = models.PetitionClosed
	}
	r := tx.Model(&models.PetitionThreshold{}).Where("id = ? AND reached_at IS NULL", t.ID).Updates(set)
	if r.Error != nil || r.RowsAffected == 0 {
		return r.Error
	}
	if err := changePetition(tx, p, change, now); err != nil {
		return err
	}
	return audit.Write(ctx, tx, actor.TheSystem(), now, "petition.threshold", "petitions", p.ID, map[string]any{"count": t.Count, "effect": t.Effect, "reached": true})
}

// fall undoes what can be undone.
func fall(ctx context.Context, tx *gorm.DB, p *models.Petition, t models.PetitionThreshold, now time.Time) error {
	set := map[string]any{"reached_at": nil}
	change := map[string]any{}
	if t.Effect == models.EffectGoal {
		if t.GoalBefore > 0 && p.Goal == t.NextGoal {
			change["goal"] = t.GoalBefore
		}
		set["goal_before"] = 0
	}
	r := tx.Model(&models.PetitionThreshold{}).Where("id = ? AND reached_at IS NOT NULL", t.ID).Updates(set)
	if r.Error != nil || r.RowsAffected == 0 {
		return r.Error
	}
	if err := changePetition(tx, p, change, now); err != nil {
		return err
	}
	return audit.Write(ctx, tx, actor.TheSystem(), now, "petition.threshold", "petitions", p.ID, map[string]any{"count": t.Count, "effect": t.Effect, "reached": false})
}

func changePetition(tx *gorm.DB, p *models.Petition, change map[string]any, now time.Time) error {
	if len(change) == 0 {
		return nil
	}
	if goal, ok := change["goal"].(int); ok {
		p.Goal = goal
	}
	change["updated_at"] = now
	Changed(tx, p.Slug)
	return tx.Model(&models.Petition{}).Where("id = ?", p.ID).Updates(change).Error
}

// tellReached queues the mail about a threshold for the author and the starters, apart from who heard of it or a larger one lately.
func tellReached(ctx context.Context, tx *gorm.DB, t models.PetitionThreshold, now time.Time) error {
	p, err := take(ctx, tx, t.PetitionID)
	if err != nil {
		return err
	}
	boxes, err := addressees(ctx, tx, p)
	if err != nil {
		return err
	}
	for _, box := range boxes {
		var lately int64
		err := tx.Model(&models.Delivery{}).Where(`mailbox_id = ? AND created_at > ? AND kind = ? AND state <> ? AND
			subject_id IN (SELECT id FROM petition_thresholds WHERE petition_id = ? AND effect = ? AND count >= ?)`,
			box, now.Add(-tellAgain), KindThreshold, models.DeliveryExpired, t.PetitionID, models.EffectTell, t.Count).Count(&lately).Error
		if err != nil {
			return err
		}
		if lately > 0 {
			continue
		}
		_, err = deliveries.Insert(ctx, tx, deliveries.New{
			Kind: KindThreshold, MailboxID: box, SubjectID: t.ID, Purpose: models.PurposeReceipt,
			DedupeKey: fmt.Sprintf("%s/%s/%s/%d", KindThreshold, t.ID, box, now.UnixMicro()), Priority: models.PriorityReceipt, OnUnknown: models.Resend,
		}, now)
		if err != nil {
			return err
		}
	}
	return nil
}

// Milestone is a count that was reached.
type Milestone struct {
	Count int
	At    time.Time
}

// Milestones lists the counts of thresholds that were reached, the smallest first, each once.
func Milestones(rows []models.PetitionThreshold) []Milestone {
	var out []Milestone
	for _, t := range rows {
		if t.ReachedAt == nil {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Count == t.Count {
			if t.ReachedAt.Before(out[n-1].At) {
				out[n-1].At = *t.ReachedAt
			}
			continue
		}
		out = append(out, Milestone{t.Count, *t.ReachedAt})
	}
	slices.SortStableFunc(out, func(a, b Milestone) int { return a.Count - b.Count })
	return out
}

// fallen selects the close thresholds that closed a petition which has fewer signatures again.
const fallen = "effect = 'close' AND goal_before > 0 AND reached_at IS NULL AND EXISTS (SELECT 1 FROM petitions p WHERE p.id = petition_id AND p.state = 'closed')"

// Fallen lists the petitions that closed at a threshold and have fewer signatures again, since some were taken out: somebody
// decides by Reopen or LeaveClosed. It needs actor.ModeratePetition.
func (s *Service) Fallen(ctx context.Context, a actor.Actor) ([]models.Petition, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return nil, err
	}
	var rows []models.Petition
	err := s.db.WithContext(ctx).Where("id IN (SELECT petition_id FROM petition_thresholds WHERE " + fallen + ")").Order("closed_at, id").Limit(200).Find(&rows).Error
	return rows, err
}

// ClosedByThreshold returns the count at which a petition closed by itself and that it has no longer; 0 where there is none.
func (s *Service) ClosedByThreshold(ctx context.Context, petition uuid.UUID) (int, error) {
	var counts []int
	err := s.db.WithContext(ctx).Model(&models.PetitionThreshold{}).Where("petition_id = ? AND "+fallen, petition).Order("count").Limit(1).Pluck("count", &counts).Error
	if err != nil || len(counts) == 0 {
		return 0, err
	}
	return counts[0], nil
}

// Reopen lets a petition take signatures again that closed at a threshold it no longer reaches. It needs
// actor.ModeratePetition. The faults are NotFound, error.petition_unknown; Conflict, error.petition_state where it did not close
// so or its last day is over.
func (s *Service) Reopen(ctx context.Context, a actor.Actor, petition uuid.UUID) (models.Petition, error) {
	return s.decideFallen(ctx, a, petition, true)
}

// LeaveClosed keeps such a petition closed for good. The faults are those of Reopen.
func (s *Service) LeaveClosed(ctx context.Context, a actor.Actor, petition uuid.UUID) (models.Petition, error) {
	return s.decideFallen(ctx, a, petition, false)
}

func (s *Service) decideFallen(ctx context.Context, a actor.Actor, petition uuid.UUID, reopen bool) (models.Petition, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return models.Petition{}, err
	}
	now := s.clk.Now()
	var p models.Petition
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if p, err = held(ctx, tx, petition); err != nil {
			return err
		}
		r := tx.Model(&models.PetitionThreshold{}).Where("petition_id = ? AND "+fallen, petition).Updates(map[string]any{"goal_before": 0})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 || reopen && p.DeadlineAt != nil && !now.Before(*p.DeadlineAt) {
			return fault.New(fault.Conflict, "error.petition_state")
		}
		action := "petition.leave_closed"
		if reopen {
			action = "petition.reopen"
			set := map[string]any{"state": models.PetitionPublished, "closed_at": nil, "updated_at": now}
			if err := tx.Model(&models.Petition{}).Where("id = ?", petition).Updates(set).Error; err != nil {
				return err
			}
		}
		if err := audit.Write(ctx, tx, a, now, action, "petitions", petition, nil); err != nil {
			return err
		}
		p, err = take(ctx, tx, petition)
		Changed(tx, p.Slug)
		return err
	})
	return p, err
}

// ThresholdMail is the data of the template petition_threshold.
type ThresholdMail struct {
	PetitionTitle, Count, Goal, URL string
	Now                             string // how many there are when the mail goes; "" where they are not more
	Paper                           string // how many of all are on paper; "" for none
}

func (s *Service) thresholdMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	var t models.PetitionThreshold
	err := s.db.WithContext(ctx).Where("id = ? AND reached_at IS NOT NULL", d.SubjectID).Take(&t).Error
	if errors.Is(err, gorm.ErrRecordNotFound) { // it fell below it meanwhile
		err = gone()
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	p, err := take(ctx, s.db.DB, t.PetitionID)
	if err != nil {
		return deliveries.Content{}, err
	}
	if !p.State.Public() {
		return deliveries.Content{}, gone()
	}
	lang, _, _, err := s.told(ctx, p, d)
	if err != nil {
		return deliveries.Content{}, err
	}
	m := ThresholdMail{
		PetitionTitle: p.Title, Count: s.number(lang, t.Count), Goal: s.number(lang, p.Goal), URL: s.opt.BaseURL + "/petitions/" + p.Slug,
	}
	if p.Total() > t.Count {
		m.Now = s.number(lang, p.Total())
	}
	if p.PaperCount > 0 {
		m.Paper = s.number(lang, p.PaperCount)
	}
	return deliveries.Content{Template: KindThreshold, Lang: lang, Data: m}, nil
}

// number writes a whole number as a language does.
func (s *Service) number(lang string, n int) string {
	if s.opt.Number == nil {
		return fmt.Sprint(n)
	}
	return s.opt.Number(lang, int64(n))
}
