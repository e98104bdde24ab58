package petitions

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/models"
)

// Limits of what is said of a handover, in characters, and how many of them a page shows.
const (
	HandoverNameMax = 200
	HandoverNoteMax = 2000
	HandoverAltMax  = 300
	shownHandovers  = 20
)

// HandoverInput is a petition given to who decides.
type HandoverInput struct {
	At          time.Time // the day
	Recipient   string    // who received it
	HandedBy    string
	Note        string // Markdown
	PictureName string
	Picture     io.Reader // nil for none
	PictureAlt  string    // what it shows; with a picture it must be there
}

// RecordHandover notes that a petition was given to who decides, shows that on its page, and ends the signing. It can be done
// more than once. It needs actor.ModeratePetition. The faults are NotFound, error.petition_unknown; Conflict,
// error.petition_state; Invalid with the fields at, recipient, handed_by, note, picture, picture_alt.
func (s *Service) RecordHandover(ctx context.Context, a actor.Actor, id uuid.UUID, in HandoverInput) (models.Petition, models.Handover, error) {
	fail := func(err error) (models.Petition, models.Handover, error) {
		return models.Petition{}, models.Handover{}, err
	}
	if err := a.Need(actor.ModeratePetition); err != nil {
		return fail(err)
	}
	now := s.clk.Now()
	in.Recipient, in.HandedBy, in.Note, in.PictureAlt = strings.TrimSpace(in.Recipient), strings.TrimSpace(in.HandedBy), strings.TrimSpace(in.Note), strings.TrimSpace(in.PictureAlt)
	var bad fault.Fields
	checkDay(&bad, "at", in.At, now)
	if in.Recipient == "" {
		bad.Add("recipient", "error.handover_recipient_missing")
	}
	line(&bad, "recipient", in.Recipient, HandoverNameMax)
	if in.HandedBy == "" {
		bad.Add("handed_by", "error.handover_handed_by_missing")
	}
	line(&bad, "handed_by", in.HandedBy, HandoverNameMax)
	text(&bad, "note", in.Note, HandoverNoteMax)
	line(&bad, "picture_alt", in.PictureAlt, HandoverAltMax)
	if in.Picture != nil && in.PictureAlt == "" {
		bad.Add("picture_alt", "error.handover_alt_missing")
	}
	if err := bad.Err(); err != nil {
		return fail(err)
	}
	var picture *models.File
	if in.Picture != nil {
		put := files.PutInput{Kind: models.FilePicture, Name: in.PictureName, Public: true, By: a.Account()}
		f, err := s.files.WritePicture(ctx, put, in.Picture)
		if err != nil {
			return fail(onField("picture", err))
		}
		picture = &f
	}
	var p models.Petition
	var h models.Handover
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if p, err = take(ctx, tx, id); err != nil {
			return err
		}
		h = models.Handover{
			ID: models.NewID(), PetitionID: id, HandedAt: in.At, Recipient: in.Recipient, HandedBy: in.HandedBy, Note: in.Note,
			SignatureCount: p.SignatureCount, PaperCount: p.PaperCount, CreatedBy: a.Account(), CreatedAt: now,
		}
		set := map[string]any{}
		closing(p, set, now)
		if err := move(ctx, tx, a, &p, HandOver, set, now, map[string]any{"handover": h.ID, "picture": picture != nil}); err != nil {
			return err
		}
		if picture != nil {
			if err := s.files.Insert(ctx, tx, *picture); err != nil {
				return err
			}
			h.PictureID, h.PictureAlt = &picture.ID, in.PictureAlt
		}
		return tx.Create(&h).Error
	})
	return p, h, err
}

// RemoveHandover takes back what was recorded by mistake. A petition without another handover is a closed one again, unless it
// was answered. It needs actor.ModeratePetition. The faults are NotFound, error.petition_unknown and error.handover_unknown.
func (s *Service) RemoveHandover(ctx context.Context, a actor.Actor, id, handover uuid.UUID) (models.Petition, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return models.Petition{}, err
	}
	now := s.clk.Now()
	var p models.Petition
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if p, err = take(ctx, tx, id); err != nil {
			return err
		}
		h, err := handoverOf(ctx, tx, id, handover)
		if err != nil {
			return err
		}
		if err := tx.Delete(&models.Handover{}, "id = ?", h.ID).Error; err != nil {
			return err
		}
		if h.PictureID != nil {
			if err := s.files.MarkExpired(ctx, tx, *h.PictureID); err != nil {
				return err
			}
		}
		var rest []models.Handover
		if err := tx.Select("id").Where("petition_id = ?", id).Limit(1).Find(&rest).Error; err != nil {
			return err
		}
		details := map[string]any{"handover": h.ID}
		if len(rest) == 0 {
			r := tx.Model(&models.Petition{}).Where("id = ? AND state = ?", id, models.PetitionHandedOver).
				Updates(map[string]any{"state": models.PetitionClosed, "updated_at": now})
			if r.Error != nil {
				return r.Error
			}
			details["closed"] = r.RowsAffected == 1
		}
		if err := audit.Write(ctx, tx, a, now, "petition.handover_remove", "petitions", id, details); err != nil {
			return err
		}
		Changed(tx, p.Slug)
		p, err = take(ctx, tx, id)
		return err
	})
	return p, err
}

func handoverOf(ctx context.Context, tx *gorm.DB, petition, id uuid.UUID) (models.Handover, error) {
	var h models.Handover
	err := tx.WithContext(ctx).Where("id = ? AND petition_id = ?", id, petition).Take(&h).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = fault.New(fault.NotFound, "error.handover_unknown")
	}
	return h, err
}

// Handovers lists to whom a petition was given, newest first. It checks no rights: they stand on the page of a public petition.
func (s *Service) Handovers(ctx context.Context, id uuid.UUID) ([]models.Handover, error) {
	var rows []models.Handover
	err := s.db.WithContext(ctx).Where("petition_id = ?", id).Order("handed_at DESC, created_at DESC, id DESC").Limit(shownHandovers).Find(&rows).Error
	return rows, err
}

// HandoverPicture opens the picture of a handover of a petition that everybody may see. The faults are those of Public, and
// NotFound, error.handover_unknown or error.file_unknown.
func (s *Service) HandoverPicture(ctx context.Context, slug string, id uuid.UUID) (io.ReadCloser, models.File, error) {
	p, err := s.public(ctx, slug)
	if err != nil {
		return nil, models.File{}, err
	}
	h, err := handoverOf(ctx, s.db.DB, p.ID, id)
	if err != nil {
		return nil, models.File{}, err
	}
	if h.PictureID == nil {
		return nil, models.File{}, fault.New(fault.NotFound, "error.file_unknown")
	}
	return s.files.Open(ctx, *h.PictureID)
}
