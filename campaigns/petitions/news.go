package petitions

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/posts"
	"kithline/models"
)

// How much a feed holds.
const (
	newsShown  = 40
	openedFeed = 50
)

// NewsKind is what an entry of a petition's feed tells.
type NewsKind string

// The kinds of news. All but updates are milestones, whose words the surface finds.
const (
	NewsOpened   NewsKind = "opened"
	NewsUpdate   NewsKind = "update"
	NewsReached  NewsKind = "reached" // so many have signed
	NewsClosed   NewsKind = "closed"
	NewsHanded   NewsKind = "handed"
	NewsResponse NewsKind = "response"
	NewsAnswered NewsKind = "answered"
)

// News is an entry of a petition's feed.
type News struct {
	Kind    NewsKind
	ID      uuid.UUID // what it is about; kind and id together are its own
	At      time.Time
	Changed time.Time
	Title   string // of an update
	Body    string // Markdown: of an update, a response, an outcome
	By      string // who responded, to whom it was handed
	Count   int    // reached
	Outcome models.Outcome
	Locale  string
}

// News returns a petition with its updates and milestones, the newest first. The faults are those of Public.
func (s *Service) News(ctx context.Context, slug string) (models.Petition, []News, error) {
	p, err := s.public(ctx, slug)
	if err != nil {
		return p, nil, err
	}
	db := s.db.WithContext(ctx)
	updates, err := posts.Published(ctx, s.db.DB, []uuid.UUID{p.ID}, s.clk.Now(), shownUpdates)
	if err != nil {
		return p, nil, err
	}
	var reached []models.PetitionThreshold
	if err := db.Where("petition_id = ? AND reached_at IS NOT NULL", p.ID).Order("count DESC").Limit(shownUpdates).Find(&reached).Error; err != nil {
		return p, nil, err
	}
	var handed []models.Handover
	if err := db.Where("petition_id = ?", p.ID).Order("handed_at DESC").Limit(shownUpdates).Find(&handed).Error; err != nil {
		return p, nil, err
	}
	var out []News
	add := func(kind NewsKind, id uuid.UUID, at *time.Time, n News) {
		if at != nil {
			n.Kind, n.ID, n.At, n.Locale = kind, id, *at, p.Locale
			if n.Changed.IsZero() {
				n.Changed = n.At
			}
			out = append(out, n)
		}
	}
	add(NewsOpened, p.ID, p.PublishedAt, News{})
	for _, u := range updates {
		add(NewsUpdate, u.ID, u.PublishedAt, News{Title: u.Title, Body: u.Body, Changed: u.UpdatedAt})
	}
	for i, r := range reached {
		if i == 0 || r.Count != reached[i-1].Count { // two things may happen at one number
			add(NewsReached, r.ID, r.ReachedAt, News{Count: r.Count})
		}
	}
	add(NewsClosed, p.ID, p.ClosedAt, News{})
	for _, h := range handed {
		add(NewsHanded, h.ID, &h.HandedAt, News{By: h.Recipient})
	}
	add(NewsResponse, p.ID, p.RespondedAt, News{By: p.ResponseFrom, Body: p.ResponseText})
	if p.Outcome != models.NoOutcome {
		add(NewsAnswered, p.ID, p.AnsweredAt, News{Outcome: p.Outcome, Body: p.OutcomeText})
	}
	slices.SortStableFunc(out, func(a, b News) int { return b.At.Compare(a.At) })
	return p, out[:min(len(out), newsShown)], nil
}

// Opened lists the petitions that opened last, whatever became of them, for the feed of new ones.
func (s *Service) Opened(ctx context.Context) ([]models.Petition, error) {
	var rows []models.Petition
	err := s.db.WithContext(ctx).Where("state IN ? AND published_at IS NOT NULL", models.PublicPetitionStates).
		Order("published_at DESC, id DESC").Limit(openedFeed).Find(&rows).Error
	return rows, err
}
