package petitions

import (
	"context"

	"github.com/google/uuid"

	"kithline/models"
)

// ShareCode returns the code by which a signer's own link says who passed a petition on: that of the first of ids which is a
// confirmed signature of it, "" where none is. Whoever calls it has made sure whose the signatures are. A code gives no right, and
// nobody learns by it who signed: a count moves, and that is all.
func (s *Service) ShareCode(ctx context.Context, slug string, ids []uuid.UUID) (string, error) {
	if len(ids) == 0 {
		return "", nil
	}
	var rows []models.Signature
	err := s.db.WithContext(ctx).Select("signatures.id").Joins("JOIN petitions ON petitions.id = signatures.petition_id").
		Where("petitions.slug = ? AND signatures.id IN ? AND signatures.state = ?", slug, ids, models.SignatureConfirmed).Order("signatures.id").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return s.signer.Share(rows[0].ID), nil
}

// ShareLink is the path of the page on which a signer finds their own link to pass on: see ShareCode, whose code it carries.
func (s *Service) ShareLink(slug string, id uuid.UUID) string {
	return "/petitions/" + slug + "/share?by=" + s.signer.Share(id)
}
