package petitions

import (
	"context"
	"errors"
	"io"
	"reflect"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/models"
)

// SaveInput is a draft as it was typed over the revision that the page showed.
type SaveInput struct {
	Draft
	Revision int
}

// Draft returns a petition for its author, or for somebody with actor.ModeratePetition. It needs actor.DraftPetition. The
// fault is NotFound, error.petition_unknown.
func (s *Service) Draft(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Petition, error) {
	return mine(ctx, s.db.DB, a, id)
}

// Save keeps a draft, also one that is not complete. Nothing is kept when it cannot be stored as it is (Invalid, with
// fields), when the petition was changed by another page since (Conflict, error.petition_changed: what is stored comes
// back beside it), or when it is submitted or public (Conflict, error.petition_state).
func (s *Service) Save(ctx context.Context, a actor.Actor, id uuid.UUID, in SaveInput) (models.Petition, error) {
	in.trim()
	p, err := mine(ctx, s.db.DB, a, id)
	if err != nil {
		return models.Petition{}, err
	}
	if err := in.check().Err(); err != nil {
		return p, err
	}
	now := s.clk.Now()
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		if p, err = mine(ctx, tx, a, id); err != nil {
			return err
		}
		alike, err := sameClaims(ctx, tx, id, in.Claims)
		switch {
		case err != nil:
			return err
		case !p.Editable():
			return fault.New(fault.Conflict, "error.petition_state")
		case alike && same(draftOf(p), in.Draft):
			return nil
		case p.Revision != in.Revision:
			return fault.New(fault.Conflict, "error.petition_changed")
		}
		r := tx.Model(&models.Petition{}).Where("id = ? AND revision = ? AND state = ?", id, in.Revision, p.State).Updates(map[string]any{
			"title": in.Title, "summary": in.Summary, "body": in.Body, "decider": in.Decider, "why_now": in.WhyNow, "system_change": in.SystemChange,
			"place": in.Place, "goal": in.Goal, "locale": in.Locale, "deadline_at": in.DeadlineAt, "picture_alt": in.PictureAlt, "revision": in.Revision + 1, "updated_at": now,
		})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 { // changed since it was read
			if p, err = take(ctx, tx, id); err != nil {
				return err
			}
			return fault.New(fault.Conflict, "error.petition_changed")
		}
		if err := setClaims(ctx, tx, id, in.Claims); err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, a, now, "petition.save", "petitions", id, map[string]any{"revision": in.Revision + 1}); err != nil {
			return err
		}
		p, err = take(ctx, tx, id)
		return err
	})
	return p, err
}

func same(a, b Draft) bool {
	x, y := a.DeadlineAt, b.DeadlineAt
	a.DeadlineAt, b.DeadlineAt, a.Claims, b.Claims = nil, nil, nil, nil
	return reflect.DeepEqual(a, b) && (x == nil) == (y == nil) && (x == nil || x.Equal(*y))
}

// SetPicture puts a picture on a draft, in place of the one before. The faults are those of Save and of files.WritePicture,
// on the field "picture".
func (s *Service) SetPicture(ctx context.Context, a actor.Actor, id uuid.UUID, name string, r io.Reader) error {
	p, err := mine(ctx, s.db.DB, a, id)
	if err != nil {
		return err
	}
	if !p.Editable() {
		return fault.New(fault.Conflict, "error.petition_state")
	}
	in := files.PutInput{Kind: models.FilePicture, Name: name, Public: true}
	in.By = a.Account()
	f, err := s.files.WritePicture(ctx, in, r)
	if err != nil {
		return onField("picture", err)
	}
	return s.setPicture(ctx, a, id, &f)
}

// RemovePicture takes the picture from a draft.
func (s *Service) RemovePicture(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	return s.setPicture(ctx, a, id, nil)
}

func (s *Service) setPicture(ctx context.Context, a actor.Actor, id uuid.UUID, f *models.File) error {
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		p, err := mine(ctx, tx, a, id)
		if err != nil {
			return err
		}
		if !p.Editable() {
			return fault.New(fault.Conflict, "error.petition_state")
		}
		var picture *uuid.UUID
		if f != nil {
			if err := s.files.Insert(ctx, tx, *f); err != nil {
				return err
			}
			picture = &f.ID
		}
		if err := tx.Model(&models.Petition{}).Where("id = ?", id).Updates(map[string]any{"picture_id": picture, "updated_at": now}).Error; err != nil {
			return err
		}
		if p.PictureID != nil { // nobody else shows it: the sweep takes its content
			if err := s.files.MarkExpired(ctx, tx, *p.PictureID); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "petition.picture", "petitions", id, map[string]any{"set": f != nil})
	})
}

// onField names the field that an Invalid fault without one is about.
func onField(name string, err error) error {
	var f *fault.Error
	if errors.As(err, &f) && f.Kind == fault.Invalid && len(f.Fields) == 0 {
		var bad fault.Fields
		bad.Add(name, f.Key, f.Args...)
		return bad.Err()
	}
	return err
}

// Picture opens the picture of a petition that everybody may see. The fault is NotFound where there is none.
func (s *Service) Picture(ctx context.Context, slug string) (io.ReadCloser, models.File, error) {
	p, err := s.public(ctx, slug)
	if err != nil {
		return nil, models.File{}, err
	}
	return s.picture(ctx, p)
}

// DraftPicture is Picture for whoever may see the draft.
func (s *Service) DraftPicture(ctx context.Context, a actor.Actor, id uuid.UUID) (io.ReadCloser, models.File, error) {
	p, err := mine(ctx, s.db.DB, a, id)
	if err != nil {
		return nil, models.File{}, err
	}
	return s.picture(ctx, p)
}

func (s *Service) picture(ctx context.Context, p models.Petition) (io.ReadCloser, models.File, error) {
	if p.PictureID == nil {
		return nil, models.File{}, fault.New(fault.NotFound, "error.file_unknown")
	}
	return s.files.Open(ctx, *p.PictureID)
}
