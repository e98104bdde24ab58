package petitions

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/divisions"
	"kithline/models"
)

// figureDays is how many days the figures by day have.
const figureDays = 30

// Figures are the open figures of a petition, for everybody's own use. docs/open-figures.md says what each means: in the words beside it
// here.
type Figures struct {
	Slug           string     `json:"slug"`            // the last part of its address; it stays
	Title          string     `json:"title"`           // the ask
	State          string     `json:"state"`           // published, closed, handed_over or answered
	Decider        string     `json:"decider"`         // who decides
	Locale         string     `json:"locale"`          // language of title and decider
	URL            string     `json:"url"`             // of its page
	PublishedAt    *time.Time `json:"published_at"`    // UTC, RFC 3339
	DeadlineAt     *time.Time `json:"deadline_at"`     // when signing ends; null for no date
	ClosedAt       *time.Time `json:"closed_at"`       // when signing ended; null while it goes on
	Goal           int        `json:"goal"`            // signatures
	SignatureCount int        `json:"signature_count"` // confirmed and on paper: the number on the page
	ConfirmedCount int        `json:"confirmed_count"` // confirmed by mail, each once
	PaperCount     int        `json:"paper_count"`     // on paper, counted by the organisation
	LegacyCount    int        `json:"legacy_count"`    // of the same ask on another site before; not part of signature_count
	LegacySource   string     `json:"legacy_source"`   // where those are from
	TimeZone       string     `json:"time_zone"`       // of days, IANA
	Days           []DayCount `json:"days"`            // the last 30, the oldest first
}

// DayCount is how many confirmed on a day, as days are in the organisation's time zone.
type DayCount struct {
	Day            string `json:"day"`             // as 2027-02-01
	ConfirmedCount int    `json:"confirmed_count"` // that were confirmed on that day and count still
}

// DistrictFigures are the open figures by district. Where fewer than Least signed nothing is told: see divisions.Hide.
type DistrictFigures struct {
	Slug           string          `json:"slug"`            // as above
	URL            string          `json:"url"`             // of its page
	Kind           string          `json:"kind"`            // of district, as in Open Civic Data ids: cd, sldu, sldl; empty where it is counted by none
	SignatureCount int             `json:"signature_count"` // all of them
	Least          int             `json:"least"`           // the smallest count that is told
	NotShown       int             `json:"not_shown"`       // all that are told of no district: of hidden ones, of none, of unknown ones
	Districts      []DistrictCount `json:"districts"`       // in the order of their names and numbers
}

// DistrictCount is how many signed in one district, those on paper among them.
type DistrictCount struct {
	ID             string `json:"id"`              // Open Civic Data
	Name           string `json:"name"`            // as people call it
	SignatureCount int    `json:"signature_count"` // confirmed and on paper
}

// Figures returns the open figures, with days as they are in zone. The faults are those of Public.
func (s *Service) Figures(ctx context.Context, slug string, zone *time.Location) (Figures, error) {
	p, err := s.public(ctx, slug)
	if err != nil {
		return Figures{}, err
	}
	f := Figures{
		Slug: p.Slug, Title: p.Title, State: string(p.State), Decider: p.Decider, Locale: p.Locale, URL: s.address(p),
		PublishedAt: p.PublishedAt, DeadlineAt: p.DeadlineAt, ClosedAt: p.ClosedAt, Goal: p.Goal, SignatureCount: p.Total(),
		ConfirmedCount: p.SignatureCount, PaperCount: p.PaperCount, LegacyCount: p.LegacyCount, LegacySource: p.LegacySource, TimeZone: zone.String(),
	}
	days := daysUntil(s.clk.Now(), zone, figureDays)
	if err := fillHours(ctx, s.db.DB, p.ID, days); err != nil {
		return Figures{}, err
	}
	for _, d := range days {
		f.Days = append(f.Days, DayCount{Day: d.At.Format(time.DateOnly), ConfirmedCount: d.Confirmed})
	}
	return f, nil
}

// DistrictFigures returns the open figures by district, of the kind that the petition is counted by; of none where it is by none.
// The faults are those of Public.
func (s *Service) DistrictFigures(ctx context.Context, slug string) (DistrictFigures, error) {
	p, err := s.public(ctx, slug)
	if err != nil {
		return DistrictFigures{}, err
	}
	f := DistrictFigures{
		Slug: p.Slug, URL: s.address(p), Kind: string(p.DistrictKind), SignatureCount: p.Total(), Least: divisions.Least, NotShown: p.Total(), Districts: []DistrictCount{},
	}
	if p.DistrictKind == "" {
		return f, nil
	}
	now := s.clk.Now()
	t, err := divisions.CountByDivision(ctx, s.db.DB, p.ID, p.DistrictKind, now)
	if err != nil {
		return f, err
	}
	shown, _, err := t.Public(ctx, s.db.DB, now)
	if err != nil {
		return f, err
	}
	for _, c := range shown {
		f.Districts = append(f.Districts, DistrictCount{c.Division.OCDID, c.Division.Name, c.N})
		f.NotShown -= c.N
	}
	f.NotShown = max(f.NotShown, 0) // the counts were read a moment after their sum
	return f, nil
}

// address is where everybody finds a petition.
func (s *Service) address(p models.Petition) string { return s.opt.BaseURL + "/petitions/" + p.Slug }

// Stretch is an hour or a day of a petition's course.
type Stretch struct {
	At        time.Time // its beginning, in the zone that was asked for
	Signed    int       // forms that were taken
	Confirmed int       // signatures of that time that count
}

// daysUntil are the last n days up to that of now, the oldest first, as days are in zone.
func daysUntil(now time.Time, zone *time.Location, n int) []Stretch {
	y, m, d := now.In(zone).Date()
	out := make([]Stretch, n)
	for i := range out {
		out[i].At = time.Date(y, m, d-n+1+i, 0, 0, 0, 0, zone)
	}
	return out
}

// hoursUntil are the last n hours up to that of now, the oldest first.
func hoursUntil(now time.Time, zone *time.Location, n int) []Stretch {
	last := now.UTC().Truncate(time.Hour)
	out := make([]Stretch, n)
	for i := range out {
		out[i].At = last.Add(time.Duration(i-n+1) * time.Hour).In(zone)
	}
	return out
}

// fillHours adds the tallies by hour to stretches of time that follow one another, the oldest first. An hour that lies in two of
// them, where a zone is not whole hours from UTC, counts in that of its beginning.
func fillHours(ctx context.Context, tx *gorm.DB, petition uuid.UUID, to []Stretch) error {
	var rows []models.PetitionTally
	err := tx.WithContext(ctx).Where("petition_id = ? AND kind = ? AND name >= ?", petition, models.TallyHour, to[0].At.UTC().Format(hourForm)).
		Order("name").Find(&rows).Error
	if err != nil {
		return err
	}
	i := 0
	for _, r := range rows {
		at, err := time.Parse(hourForm, r.Name)
		if err != nil || at.Before(to[0].At) {
			continue
		}
		for i+1 < len(to) && !at.Before(to[i+1].At) {
			i++
		}
		to[i].Signed += r.Signed
		to[i].Confirmed += r.Confirmed
	}
	return nil
}
