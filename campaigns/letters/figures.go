package letters

import (
	"context"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/models"
)

// FigureRow is a line of the table that a letter campaign's figures are handed out in: what went to one legislator of what was confirmed
// on one day. Nothing of it is about a writer.
type FigureRow struct {
	Day                                                                   string // 2006-01-02, UTC; "" once the letters have no names any more
	Legislator, Title, Chamber, District, Party                           string
	Letters, Waiting, Handed, ByHand, Done, Missed, AnswerYes, AnswerOpen int
}

// Figures calls row for each line of a letter campaign's figures, by day and legislator. It needs actor.ManageLetters. The fault is that
// of Get.
func (s *Service) Figures(ctx context.Context, a actor.Actor, id uuid.UUID, row func(FigureRow) error) error {
	if err := a.Need(actor.ManageLetters); err != nil {
		return err
	}
	if _, err := s.Get(ctx, a, id); err != nil {
		return err
	}
	type key struct {
		day        string
		legislator uuid.UUID
	}
	by, order := map[key]*FigureRow{}, []key{}
	rows, err := s.DB.WithContext(ctx).Raw(`SELECT d.legislator_id, d.state, d.answer, d.handed_at, d.done_at, l.confirmed_at FROM dispatches d JOIN letters l ON l.id = d.letter_id
		WHERE d.letter_campaign_id = ? AND d.state <> 'draft' ORDER BY l.confirmed_at, d.legislator_id`, id).Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var d struct {
			LegislatorID                  uuid.UUID
			State                         models.DispatchState
			Answer                        string
			HandedAt, DoneAt, ConfirmedAt *time.Time
		}
		if err := s.DB.ScanRows(rows, &d); err != nil {
			return err
		}
		k := key{legislator: d.LegislatorID}
		if d.ConfirmedAt != nil {
			k.day = d.ConfirmedAt.UTC().Format(time.DateOnly)
		}
		f := by[k]
		if f == nil {
			f = &FigureRow{Day: k.day}
			by[k], order = f, append(order, k)
		}
		f.add(d.State, d.Answer, d.HandedAt, d.DoneAt)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	var ids []uuid.UUID
	for _, k := range order {
		ids = append(ids, k.legislator)
	}
	members, err := s.named(ctx, distinct(ids), s.Clock.Now())
	if err != nil {
		return err
	}
	for _, k := range order {
		f, m := by[k], members[k.legislator]
		f.Legislator, f.Title, f.Chamber, f.District, f.Party = m.Name, m.Title(), m.Chamber.Name, m.Term.District, m.Term.Party
		if err := row(*f); err != nil {
			return err
		}
	}
	return nil
}

// add counts a dispatch.
func (f *FigureRow) add(state models.DispatchState, answer string, handed, done *time.Time) {
	f.Letters++
	switch state {
	case models.DispatchWaiting:
		f.Waiting++
	case models.DispatchHanded, models.DispatchPresumed, models.DispatchAnswered:
		f.Handed++
	case models.DispatchBounced, models.DispatchFailed, models.DispatchRetarget:
		f.Missed++
	case models.DispatchByHand, models.DispatchClosed:
		switch {
		case done != nil:
			f.Done++
		case state == models.DispatchByHand:
			f.ByHand++
		case handed != nil:
			f.Handed++
		default:
			f.Missed++
		}
	}
	switch answer {
	case "yes":
		f.AnswerYes++
	case "":
	default:
		f.AnswerOpen++
	}
}

func distinct(ids []uuid.UUID) []uuid.UUID {
	seen := map[uuid.UUID]bool{}
	var out []uuid.UUID
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}
