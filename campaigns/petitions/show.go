package petitions

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/posts"
	"kithline/models"
)

// How much of a kind a petition's page shows.
const (
	shownSigners  = 12
	shownComments = 10
	shownUpdates  = 20
)

// Signer is somebody who signed, as they chose to be shown.
type Signer struct {
	Name  string // "" for anonymous
	Place string // "" where fewer than ten signed
	At    time.Time
}

// Comment is a comment that an organizer let show.
type Comment struct {
	ID     uuid.UUID
	Text   string
	Locale string
	Name   string // "" for anonymous
	Place  string // as with Signer
	At     time.Time
}

// View is a petition's page.
type View struct {
	Petition     models.Petition
	CampaignSlug string // "" while the campaign is a draft
	Open         bool   // takes signatures now
	Signers      []Signer
	Comments     []Comment
	Updates      []models.Post
	Said                     // claims, versions in other languages, who started it
	Roles        []RoleCount // what at least ten signers each said of themselves, in the order of models.Roles
	Edits        []Edited    // changes of its words in public, the newest first
	Milestones   []Milestone // counts that were reached
}

// public reads a petition that everybody may see.
func (s *Service) public(ctx context.Context, slug string) (models.Petition, error) {
	p, err := s.reading.read(ctx, slug)
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = unknown()
	}
	if err == nil {
		err = visible(p)
	}
	if err != nil {
		p = models.Petition{}
	}
	return p, err
}

// visible says why a petition is not for everybody: NotFound, or Gone for one that its author took back.
func visible(p models.Petition) error {
	switch {
	case p.State.Public():
		return nil
	case p.State == models.PetitionWithdrawn && p.PublishedAt != nil:
		return fault.New(fault.Gone, "error.petition_withdrawn")
	}
	return unknown()
}

// Public returns the page of a petition for everybody. The faults are NotFound, error.petition_unknown; Gone,
// error.petition_withdrawn for one that its author took back.
func (s *Service) Public(ctx context.Context, slug string) (View, error) {
	p, err := s.public(ctx, slug)
	if err != nil {
		return View{}, err
	}
	return s.view(ctx, p)
}

// Preview is the page as it would look, for whoever may see the draft.
func (s *Service) Preview(ctx context.Context, a actor.Actor, id uuid.UUID) (View, error) {
	p, err := mine(ctx, s.db.DB, a, id)
	if err != nil {
		return View{}, err
	}
	return s.view(ctx, p)
}

func (s *Service) view(ctx context.Context, p models.Petition) (View, error) {
	now := s.clk.Now()
	v := View{Petition: p, Open: openAt(p, now)}
	db := s.db.WithContext(ctx)
	var c models.Campaign
	if err := db.Where("id = ?", p.CampaignID).Take(&c).Error; err != nil {
		return v, err
	}
	if c.State != models.CampaignDraft {
		v.CampaignSlug = c.Slug
	}
	var err error
	if v.Said, err = saidBy(ctx, s.db.DB, p); err != nil {
		return v, err
	}
	var signers, comments []models.Signature
	err = db.Select("id", "display", "display_name", "postal_area", "confirmed_at").
		Where("petition_id = ? AND state = 'confirmed'", p.ID).
		Order("confirmed_at DESC, id DESC").Limit(shownSigners).Find(&signers).Error
	if err != nil {
		return v, err
	}
	err = db.Select("id", "display", "display_name", "postal_area", "confirmed_at", "comment_shown", "locale").
		Where("petition_id = ? AND state = 'confirmed' AND comment_state = 'shown'", p.ID).
		Order("confirmed_at DESC, id DESC").Limit(shownComments).Find(&comments).Error
	if err != nil {
		return v, err
	}
	places, err := s.places(ctx, p.ID, append(slices.Clone(signers), comments...))
	if err != nil {
		return v, err
	}
	for _, sig := range signers {
		if sig.DisplayName != "" || sig.Display == models.DisplayAnonymous { // else erased since
			v.Signers = append(v.Signers, Signer{Name: sig.DisplayName, Place: places[sig.PostalArea], At: *sig.ConfirmedAt})
		}
	}
	for _, sig := range comments {
		if sig.CommentShown != "" {
			v.Comments = append(v.Comments, Comment{
				ID: sig.ID, Text: sig.CommentShown, Locale: sig.Locale, Name: sig.DisplayName, Place: places[sig.PostalArea], At: *sig.ConfirmedAt,
			})
		}
	}
	if v.Roles, err = s.roles(ctx, p.ID); err != nil {
		return v, err
	}
	if v.Updates, err = posts.Published(ctx, s.db.DB, []uuid.UUID{p.ID}, now, shownUpdates); err != nil {
		return v, err
	}
	if p.EditedAt != nil {
		if v.Edits, err = edits(ctx, s.db.DB, p.ID); err != nil {
			return v, err
		}
	}
	reached, err := thresholds(ctx, s.db.DB, p.ID)
	v.Milestones = Milestones(reached)
	return v, err
}

// roles counts the signers by what they said of themselves, where at least ten said the same. It is never crossed with a place.
func (s *Service) roles(ctx context.Context, petition uuid.UUID) ([]RoleCount, error) {
	rows, err := Tallies(ctx, s.db.DB, petition, models.TallyRole)
	var out []RoleCount
	for _, role := range models.Roles {
		for _, r := range rows {
			if r.Name == string(role) && r.Confirmed >= placeFrom {
				out = append(out, RoleCount{Role: role, N: r.Confirmed})
			}
		}
	}
	return out, err
}

// places returns those of the areas of signatures from which at least ten people signed.
func (s *Service) places(ctx context.Context, petition uuid.UUID, sigs []models.Signature) (map[string]string, error) {
	var areas []string
	for _, sig := range sigs {
		if sig.PostalArea != "" && !slices.Contains(areas, sig.PostalArea) {
			areas = append(areas, sig.PostalArea)
		}
	}
	out := map[string]string{}
	if len(areas) == 0 {
		return out, nil
	}
	var shown []string
	err := s.db.WithContext(ctx).Model(&models.PetitionTally{}).
		Where("petition_id = ? AND kind = ? AND name IN ? AND confirmed >= ?", petition, models.TallyPlace, areas, placeFrom).Pluck("name", &shown).Error
	for _, name := range shown {
		out[name] = name
	}
	return out, err
}

// Current returns one public petition as it is now. The faults are those of Public.
func (s *Service) Current(ctx context.Context, slug string) (models.Petition, error) {
	return s.public(ctx, slug)
}

// Open lists the petitions that can be signed now, newest first; those of one campaign, or of all for uuid.Nil.
func (s *Service) Open(ctx context.Context, campaign uuid.UUID, limit int) ([]models.Petition, error) {
	now := s.clk.Now()
	q := s.db.WithContext(ctx).Where("state = ? AND paused_at IS NULL AND (deadline_at IS NULL OR deadline_at > ?)", models.PetitionPublished, now)
	if campaign != uuid.Nil {
		q = q.Where("campaign_id = ?", campaign)
	}
	var rows []models.Petition
	err := q.Order("published_at DESC, id DESC").Limit(limit).Find(&rows).Error
	return rows, err
}

// OfCampaign lists the public petitions of a campaign, newest first, and its newest updates; c says what the first of them says now,
// so that nothing stays of one that was hidden or reads otherwise. The fault is NotFound, error.campaign_unknown, where none is public.
func (s *Service) OfCampaign(ctx context.Context, c *models.Campaign) ([]models.Petition, []models.Post, error) {
	db := s.db.WithContext(ctx)
	var rows []models.Petition
	if err := db.Where("campaign_id = ? AND state IN ?", c.ID, models.PublicPetitionStates).Order("published_at DESC, id DESC").Limit(50).Find(&rows).Error; err != nil {
		return nil, nil, err
	}
	if len(rows) == 0 {
		return nil, nil, fault.New(fault.NotFound, "error.campaign_unknown")
	}
	first := rows[len(rows)-1]
	c.Title, c.Ask, c.Decider, c.WhyNow, c.SystemChange, c.Deadline = first.Title, first.Summary, first.Decider, first.WhyNow, first.SystemChange, first.DeadlineAt
	ids := make([]uuid.UUID, len(rows))
	for i, p := range rows {
		ids[i] = p.ID
	}
	news, err := posts.Published(ctx, s.db.DB, ids, s.clk.Now(), shownUpdates)
	return rows, news, err
}

// Brief returns a petition for everybody, with nothing but itself and whether it takes signatures. The faults are those of Public.
func (s *Service) Brief(ctx context.Context, slug string) (View, error) {
	p, err := s.public(ctx, slug)
	return View{Petition: p, Open: err == nil && openAt(p, s.clk.Now())}, err
}
