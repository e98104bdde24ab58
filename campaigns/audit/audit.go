// Package audit is the log of what was done to people's data and to the site: who, what, when. Entries hold ids and counts,
// never names, addresses or texts, and are written in the transaction of the deed itself.
package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/paging"
	"kithline/models"
	"kithline/models/database"
)

// Write adds an entry in tx. action is a word of the product ("petition.publish"), object the table it is about. Every
// operation that changes or reads out people's data calls it.
func Write(ctx context.Context, tx *gorm.DB, a actor.Actor, at time.Time, action, object string, objectID uuid.UUID, details map[string]any) error {
	e := models.AuditEntry{ID: models.NewID(), At: at, ActorKind: string(a.Kind), Action: action, Object: object, RequestID: a.RequestID, Details: "{}"}
	switch a.Kind {
	case actor.User:
		e.ActorID = &a.UserID
	case actor.Person:
		e.ActorID = &a.MailboxID
	}
	if objectID != uuid.Nil {
		e.ObjectID = &objectID
	}
	if len(details) > 0 {
		b, err := json.Marshal(details)
		if err != nil {
			return fmt.Errorf("audit %s: %w", action, err)
		}
		e.Details = string(b)
	}
	return tx.WithContext(ctx).Create(&e).Error
}

// Service reads the log.
type Service struct{ db *database.DB }

// New makes the service.
func New(db *database.DB) *Service { return &Service{db: db} }

// List returns the log, newest first. It needs the right actor.ReadAudit.
func (s *Service) List(ctx context.Context, a actor.Actor, c paging.Cursor) (paging.Page[models.AuditEntry], error) {
	if err := a.Need(actor.ReadAudit); err != nil {
		return paging.Page[models.AuditEntry]{}, err
	}
	q := s.db.WithContext(ctx).Order("at DESC, id DESC").Limit(paging.Size + 1)
	if !c.First() {
		q = q.Where("(at, id) < (?, ?)", c.At, c.ID)
	}
	var rows []models.AuditEntry
	if err := q.Find(&rows).Error; err != nil {
		return paging.Page[models.AuditEntry]{}, err
	}
	return paging.Cut(rows, paging.Size, func(e models.AuditEntry) paging.Cursor { return paging.Cursor{At: e.At, ID: e.ID} }), nil
}
