package meetings

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Report is what came of the meetings of a roster. It names nobody.
type Report struct {
	Roster                   models.Roster
	Planned, Held, Cancelled int // Planned: all but those called off
	Noted                    int
	Answers                  map[models.AskOutcome]int // of meetings that were held
	HasLetters               bool                      // people at home were asked to write
	Letters                  int                       // confirmed on the days of the meetings
	Thanked                  int
	FollowUps, FollowedUp    int
	Minutes                  int // of all who held a place in those held, together
	LoggedAt                 *time.Time
}

// Asked is how many answers were written down.
func (r Report) Asked() (n int) {
	for _, x := range r.Answers {
		n += x
	}
	return n
}

// heldOn is what came of the meetings of one day.
type heldOn struct {
	meetings, minutes int
}

// Report counts what came of the meetings of a roster. It needs actor.SeeFigures; a chapter's account sees those of its chapter. The fault is
// NotFound, error.meetings_roster_unknown.
func (s *Service) Report(ctx context.Context, a actor.Actor, roster uuid.UUID) (Report, error) {
	r, err := rosterFor(ctx, s.DB.DB, a, roster, actor.SeeFigures)
	if err != nil {
		return Report{}, err
	}
	rep, _, err := s.report(ctx, s.DB.DB, r)
	return rep, err
}

func (s *Service) report(ctx context.Context, tx *gorm.DB, r models.Roster) (Report, map[string]heldOn, error) {
	tx = tx.WithContext(ctx)
	rep, days := Report{Roster: r, Answers: map[models.AskOutcome]int{}}, map[string]heldOn{}
	p, err := planOf(ctx, tx, r)
	if err != nil {
		return rep, nil, err
	}
	rep.LoggedAt, rep.HasLetters = p.LoggedAt, p.LetterCampaignID != nil
	var list []models.Meeting
	if err := tx.Where("roster_id = ?", r.ID).Order("starts_at, id").Find(&list).Error; err != nil {
		return rep, nil, err
	}
	teams := make([]uuid.UUID, len(list))
	for i, m := range list {
		teams[i] = m.TeamID
	}
	stands, err := standing(ctx, tx, teams, s.Clock.Now())
	if err != nil {
		return rep, nil, err
	}
	asks, err := asksOf(ctx, tx, idsOf(list))
	if err != nil {
		return rep, nil, err
	}
	zone, on := Zone(r), []string{}
	for _, m := range list {
		if m.State == models.MeetingCancelled {
			rep.Cancelled++
			continue
		}
		rep.Planned++
		day := m.StartsAt.In(zone).Format(time.DateOnly)
		if !slices.Contains(on, day) {
			on = append(on, day)
		}
		if m.State != models.MeetingHeld {
			continue
		}
		rep.Held++
		if m.NotedAt != nil {
			rep.Noted++
		}
		if m.ThankedAt != nil {
			rep.Thanked++
		}
		if m.FollowUpSealed != nil {
			rep.FollowUps++
			if m.FollowedUpAt != nil {
				rep.FollowedUp++
			}
		}
		for _, x := range asks[m.ID] {
			if x.Outcome != models.AskOpen {
				rep.Answers[x.Outcome]++
			}
		}
		d := days[day]
		d.meetings++
		for _, x := range stands[m.TeamID] {
			d.minutes += x.Held * m.Minutes
		}
		days[day] = d
	}
	for _, d := range days {
		rep.Minutes += d.minutes
	}
	if !rep.HasLetters {
		return rep, days, nil
	}
	for _, day := range on {
		from, err := time.ParseInLocation(time.DateOnly, day, zone)
		if err != nil {
			return rep, nil, err
		}
		var n int64
		err = tx.Model(&models.Letter{}).Where("letter_campaign_id = ? AND confirmed_at >= ? AND confirmed_at < ?", *p.LetterCampaignID, from.UTC(), from.AddDate(0, 0, 1).UTC()).Count(&n).Error
		if err != nil {
			return rep, nil, err
		}
		rep.Letters += int(n)
	}
	return rep, days, nil
}

// Log writes the meetings that were held into the advocacy log, once: a line for each day, with the time of all who took part. It needs
// actor.ManageLetters. The faults: NotFound, error.meetings_roster_unknown; Conflict, error.meetings_logged, and error.meetings_none_held.
func (s *Service) Log(ctx context.Context, a actor.Actor, roster uuid.UUID) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r, err := rosterFor(ctx, tx.Clauses(forUpdate), a, roster, actor.ManageLetters)
		if err != nil {
			return err
		}
		p, err := planOf(ctx, tx, r)
		if err != nil {
			return err
		}
		if p.LoggedAt != nil {
			return fault.New(fault.Conflict, "error.meetings_logged")
		}
		_, days, err := s.report(ctx, tx, r)
		if err != nil {
			return err
		}
		if len(days) == 0 {
			return fault.New(fault.Conflict, "error.meetings_none_held")
		}
		var campaign *uuid.UUID
		if p.LetterCampaignID != nil {
			var c models.LetterCampaign
			if err := tx.Select("id", "campaign_id").Where("id = ?", *p.LetterCampaignID).Take(&c).Error; err != nil {
				return err
			}
			campaign = &c.CampaignID
		} else {
			campaign = r.CampaignID
		}
		order := make([]string, 0, len(days))
		for d := range days {
			order = append(order, d)
		}
		slices.SortFunc(order, strings.Compare)
		for _, d := range order {
			e := models.AdvocacyEntry{
				ID: models.NewID(), CampaignID: campaign, LetterCampaignID: p.LetterCampaignID, Kind: "meetings", Amount: days[d].meetings, Minutes: days[d].minutes, Note: r.Title, HappenedOn: d,
				CreatedBy: a.Account(), CreatedAt: now,
			}
			if err := tx.Create(&e).Error; err != nil {
				return err
			}
			if err := audit.Write(ctx, tx, a, now, "advocacy.write", "advocacy_entries", e.ID, nil); err != nil {
				return err
			}
		}
		p.LoggedAt = &now
		return keepPlan(ctx, tx, r, p, now)
	})
}
