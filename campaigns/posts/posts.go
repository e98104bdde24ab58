// Package posts holds what is there to read: the updates of a petition so far.
//
// The rules: an update is posted by the petition's author or by somebody who moderates, once the petition is public. It
// shows on the petition's page at once, newest first. Its author can ask for it to go out by mail too; somebody with the right
// to send says yes or no, and a yes makes a mailing of it (campaigns/mailings).
package posts

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
)

// Limits, in characters.
const (
	TitleMax = 120
	BodyMax  = 5000
)

// KindUpdate is news about a petition.
const KindUpdate = "update"

// Service holds the operations on posts.
type Service struct {
	db  *database.DB
	clk clock.Clock
}

// New makes the service.
func New(db *database.DB, clk clock.Clock) *Service { return &Service{db: db, clk: clk} }

// UpdateInput is an update as it was typed.
type UpdateInput struct {
	Title string
	Body  string // Markdown
	Mail  bool   // ask for it to go out by mail too
}

// PostUpdate posts an update on a petition. It needs actor.DraftPetition, and for another's petition actor.ModeratePetition; a
// starter who proved their address needs no account.
// The faults are NotFound, error.petition_unknown; Conflict, error.petition_not_public; Invalid with the fields title, body.
func (s *Service) PostUpdate(ctx context.Context, a actor.Actor, petitionID uuid.UUID, in UpdateInput) (models.Post, error) {
	if a.Kind != actor.Person { // who has no account may write about what they started: see mine
		if err := a.Need(actor.DraftPetition); err != nil {
			return models.Post{}, err
		}
	}
	in.Title, in.Body = strings.TrimSpace(in.Title), strings.TrimSpace(in.Body)
	var bad fault.Fields
	check(&bad, "title", in.Title, TitleMax)
	check(&bad, "body", in.Body, BodyMax)
	if err := bad.Err(); err != nil {
		return models.Post{}, err
	}
	now := s.clk.Now()
	var post models.Post
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		var p models.Petition
		err := tx.Where("id = ?", petitionID).Take(&p).Error
		if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
			return err
		}
		theirs, err2 := started(tx, a, petitionID)
		switch {
		case err2 != nil:
			return err2
		case err != nil || !theirs && !mine(a, p):
			return fault.New(fault.NotFound, "error.petition_unknown")
		case !p.State.Public():
			return fault.New(fault.Conflict, "error.petition_not_public")
		}
		post = models.Post{
			ID: models.NewID(), CampaignID: p.CampaignID, PetitionID: &p.ID, Kind: KindUpdate, Title: in.Title, Body: in.Body, Locale: p.Locale,
			PublishedAt: &now, CreatedAt: now, UpdatedAt: now,
		}
		post.AuthorID = a.Account()
		if in.Mail {
			post.MailState = MailAsked
		}
		if err := tx.Create(&post).Error; err != nil {
			return err
		}
		database.Announce(tx, models.PetitionTopic+p.Slug)
		return audit.Write(ctx, tx, a, now, "post.publish", "posts", post.ID, map[string]any{"petition": p.ID})
	})
	return post, err
}

// mine reports whether the petition is the actor's own, or anybody's for who moderates.
func mine(a actor.Actor, p models.Petition) bool {
	return a.Is(p.AuthorID) || a.May(actor.ModeratePetition)
}

// started reports whether the actor is a confirmed starter of the petition, who needs no account.
func started(tx *gorm.DB, a actor.Actor, petition uuid.UUID) (bool, error) {
	if a.Kind != actor.Person || a.MailboxID == uuid.Nil {
		return false, nil
	}
	var n int64
	err := tx.Model(&models.PetitionStarter{}).Where("petition_id = ? AND mailbox_id = ? AND confirmed_at IS NOT NULL", petition, a.MailboxID).Limit(1).Count(&n).Error
	return n > 0, err
}

// MayPost reports whether PostUpdate would take an update from the actor: for the page with its button.
func MayPost(a actor.Actor, p models.Petition) bool {
	return a.May(actor.DraftPetition) && mine(a, p) && p.State.Public()
}

func check(bad *fault.Fields, name, v string, most int) {
	switch n := utf8.RuneCountInString(v); {
	case v == "":
		bad.Add(name, "error.petition_"+name+"_missing")
	case n > most:
		bad.Add(name, "error.text_too_long", "Max", most, "Over", n-most)
	case !utf8.ValidString(v) || strings.ContainsRune(v, 0):
		bad.Add(name, "error.text_unreadable")
	}
}

// Published lists the posts of petitions that everybody may read, newest first.
func Published(ctx context.Context, tx *gorm.DB, petitions []uuid.UUID, now time.Time, limit int) ([]models.Post, error) {
	var rows []models.Post
	err := tx.WithContext(ctx).Where("petition_id IN ? AND published_at <= ?", petitions, now).
		Order("published_at DESC, id DESC").Limit(limit).Find(&rows).Error
	return rows, err
}
