package letters

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/legislators"
	"kithline/models"
)

// sampleTargets is how many groups a preview shows a letter to.
const sampleTargets = 4

// SampleLetter is how a letter of an invented writer would read.
type SampleLetter struct {
	Group, To     string
	Subject, Text string
}

// Sample shows how letters would read: one to somebody of each group, at most four, in the campaign's own language, with its first three
// points and own words of an invented writer. It is for whom Draft is.
func (s *Service) Sample(ctx context.Context, a actor.Actor, id uuid.UUID, own string) ([]SampleLetter, error) {
	c, err := mine(ctx, s.DB.DB, a, id)
	if err != nil {
		return nil, err
	}
	now := s.Clock.Now()
	var out []SampleLetter
	for _, t := range c.Targets {
		ids, _, err := aimedAt(ctx, s.DB.DB, t)
		if err != nil {
			return nil, err
		}
		var some []uuid.UUID
		if ids != nil {
			if err := s.DB.WithContext(ctx).Model(&models.Legislator{}).Where("id IN (?)", ids).Order("family_name, name, id").Limit(50).Pluck("id", &some).Error; err != nil {
				return nil, err
			}
		}
		members, err := legislators.Members(ctx, s.DB.DB, some, now)
		if err != nil {
			return nil, err
		}
		if len(members) == 0 {
			continue
		}
		m := members[0]
		x := SampleLetter{Group: t.Name, To: strings.TrimSpace(m.Title() + " " + m.Name)}
		x.Subject, x.Text = s.sampleText(c, t, m, own)
		if out = append(out, x); len(out) == sampleTargets {
			break
		}
	}
	return out, nil
}

// samplePoints is how many points the letter of a preview makes.
const samplePoints = 3

// sampleText is a letter of an invented writer.
func (s *Service) sampleText(c Campaign, t models.LetterTarget, m legislators.Member, own string) (subject, body string) {
	w := Words{Target: t.ID, Own: own, GivenName: "Robin", FamilyName: "Example", Street: "12 Ferry Street", City: "Harrow Bay", Region: "WN", PostalCode: "00012"}
	for _, p := range c.PointsFor(c.Locale, m.Term.Party, t.ID) {
		if len(w.Points) < samplePoints {
			w.Points = append(w.Points, p.ID)
		}
	}
	return s.compose(c, c.Locale, w, m)
}
