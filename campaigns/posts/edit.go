package posts

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
)

// The ways of an update by mail: asked for by its author, sent by somebody with the right to send, or declined by them.
const (
	MailAsked    = "asked"
	MailSent     = "sent"
	MailDeclined = "declined"
)

// listed is how many updates of a petition the organizer's side shows.
const listed = 100

// Of lists the updates of a petition for who may post there, newest first. The faults are those of Get.
func (s *Service) Of(ctx context.Context, a actor.Actor, petition uuid.UUID) ([]models.Post, error) {
	if _, err := owned(ctx, s.db.DB, a, petition); err != nil {
		return nil, err
	}
	var rows []models.Post
	err := s.db.WithContext(ctx).Where("petition_id = ?", petition).Order("created_at DESC, id DESC").Limit(listed).Find(&rows).Error
	return rows, err
}

// Get returns an update for who may change it: the petition's author, or somebody who moderates. The faults are NotFound,
// error.petition_unknown and error.update_unknown.
func (s *Service) Get(ctx context.Context, a actor.Actor, petition, id uuid.UUID) (models.Post, error) {
	_, post, err := s.get(ctx, s.db.DB, a, petition, id)
	return post, err
}

func owned(ctx context.Context, tx *gorm.DB, a actor.Actor, petition uuid.UUID) (models.Petition, error) {
	var p models.Petition
	if err := a.Need(actor.DraftPetition); err != nil {
		return p, err
	}
	err := tx.WithContext(ctx).Where("id = ?", petition).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && !mine(a, p) {
		err = fault.New(fault.NotFound, "error.petition_unknown")
	}
	return p, err
}

func (s *Service) get(ctx context.Context, tx *gorm.DB, a actor.Actor, petition, id uuid.UUID) (models.Petition, models.Post, error) {
	var post models.Post
	p, err := owned(ctx, tx, a, petition)
	if err != nil {
		return p, post, err
	}
	err = tx.WithContext(ctx).Where("id = ? AND petition_id = ?", id, petition).Take(&post).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = fault.New(fault.NotFound, "error.update_unknown")
	}
	return p, post, err
}

// change does something to an update in one transaction, writes it down, and lets the petition's page follow.
func (s *Service) change(ctx context.Context, a actor.Actor, petition, id uuid.UUID, action string, do func(tx *gorm.DB, post models.Post, now time.Time) error) error {
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		p, post, err := s.get(ctx, tx, a, petition, id)
		if err != nil {
			return err
		}
		if err := do(tx, post, now); err != nil {
			return err
		}
		database.Announce(tx, models.PetitionTopic+p.Slug)
		return audit.Write(ctx, tx, a, now, action, "posts", id, map[string]any{"petition": petition})
	})
}

// EditUpdate changes the words of an update. A mail that went stays as it went; one that is asked for goes with the new words. The
// faults are those of Get, and Invalid with the fields title, body.
func (s *Service) EditUpdate(ctx context.Context, a actor.Actor, petition, id uuid.UUID, in UpdateInput) error {
	in.Title, in.Body = strings.TrimSpace(in.Title), strings.TrimSpace(in.Body)
	var bad fault.Fields
	check(&bad, "title", in.Title, TitleMax)
	check(&bad, "body", in.Body, BodyMax)
	if _, err := s.Get(ctx, a, petition, id); err != nil {
		return err
	}
	if err := bad.Err(); err != nil {
		return err
	}
	return s.change(ctx, a, petition, id, "post.edit", func(tx *gorm.DB, _ models.Post, now time.Time) error {
		return tx.Model(&models.Post{}).Where("id = ?", id).Updates(map[string]any{"title": in.Title, "body": in.Body, "updated_at": now}).Error
	})
}

// DeleteUpdate takes an update off the page for good. A mail that went is not called back. The faults are those of Get.
func (s *Service) DeleteUpdate(ctx context.Context, a actor.Actor, petition, id uuid.UUID) error {
	return s.change(ctx, a, petition, id, "post.delete", func(tx *gorm.DB, _ models.Post, _ time.Time) error {
		return tx.Delete(&models.Post{}, "id = ?", id).Error
	})
}

// AskMail asks for an update to go out by mail too. Somebody with the right to send says yes or no. The faults are those of Get, and
// Conflict, error.update_mailed where it was asked for or went already.
func (s *Service) AskMail(ctx context.Context, a actor.Actor, petition, id uuid.UUID) error {
	return s.change(ctx, a, petition, id, "post.ask_mail", func(tx *gorm.DB, _ models.Post, now time.Time) error {
		r := tx.Model(&models.Post{}).Where("id = ? AND mail_state IN ('', ?)", id, MailDeclined).Updates(map[string]any{"mail_state": MailAsked, "updated_at": now})
		if r.Error == nil && r.RowsAffected == 0 {
			return fault.New(fault.Conflict, "error.update_mailed")
		}
		return r.Error
	})
}
