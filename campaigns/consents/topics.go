package consents

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/models/database"
)

// Service holds what organizers do about consents, and the page on which a person chooses. It is safe for concurrent use.
type Service struct {
	db     *database.DB
	clk    clock.Clock
	signer *tokens.Signer
	org    *organisation.Service
}

// New makes the service.
func New(db *database.DB, clk clock.Clock, signer *tokens.Signer, org *organisation.Service) *Service {
	return &Service{db: db, clk: clk, signer: signer, org: org}
}

// Lengths, in characters.
const (
	maxName  = 80
	maxAbout = 300
)

// Topics lists the topics of the newsletter in their order, those that are archived last. Anybody may read those that are
// not, which the forms show; the others need actor.SeeSupporters.
func (s *Service) Topics(ctx context.Context, a actor.Actor, archived bool) ([]models.Topic, error) {
	q := s.db.WithContext(ctx).Order("position, id")
	if archived {
		if err := a.Need(actor.SeeSupporters); err != nil {
			return nil, err
		}
		q = s.db.WithContext(ctx).Order("CASE WHEN archived_at IS NULL THEN 0 ELSE 1 END, position, id")
	} else {
		q = q.Where("archived_at IS NULL")
	}
	var rows []models.Topic
	return rows, q.Find(&rows).Error
}

// NewsletterAsks is what /join asks for: each topic, or the newsletter as a whole where there are none.
func NewsletterAsks(ctx context.Context, tx *gorm.DB) ([]Ask, error) {
	var ids []uuid.UUID
	err := tx.WithContext(ctx).Model(&models.Topic{}).Where("archived_at IS NULL").Order("position, id").Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return []Ask{{models.PurposeNewsletter, uuid.Nil}}, err
	}
	var out []Ask
	for _, id := range ids {
		out = append(out, Ask{models.PurposeNewsletter, id})
	}
	return out, nil
}

// Topic reads one topic. It needs actor.SeeSupporters; the fault is NotFound, error.topic_unknown.
func (s *Service) Topic(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Topic, error) {
	var t models.Topic
	if err := a.Need(actor.SeeSupporters); err != nil {
		return t, err
	}
	return t, found(s.db.WithContext(ctx).Where("id = ?", id).Take(&t).Error, "error.topic_unknown")
}

func found(err error, key string) error {
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return fault.New(fault.NotFound, key)
	}
	return err
}

// TopicInput is a topic as it was typed.
type TopicInput struct {
	Name  string // name
	About string // about: what it brings, in a sentence; may be empty
}

func checkName(bad *fault.Fields, field, v string, most int, needed bool) string {
	v = strings.Join(strings.Fields(v), " ")
	switch n := utf8.RuneCountInString(v); {
	case v == "" && needed:
		bad.Add(field, "error.name_missing")
	case n > most:
		bad.Add(field, "error.text_too_long", "Max", most, "Over", n-most)
	}
	return v
}

// SaveTopic changes a topic, or adds one as the last where id is uuid.Nil, and returns its id. A new name shows in new
// consents; those that were given keep the words they were given in. It needs actor.EditSupporters in an account of the
// whole organisation. The faults are Invalid with fields, and NotFound.
func (s *Service) SaveTopic(ctx context.Context, a actor.Actor, id uuid.UUID, in TopicInput) (uuid.UUID, error) {
	if err := a.Need(actor.Arrange); err != nil {
		return uuid.Nil, err
	}
	var bad fault.Fields
	in.Name, in.About = checkName(&bad, "name", in.Name, maxName, true), checkName(&bad, "about", in.About, maxAbout, false)
	if err := bad.Err(); err != nil {
		return uuid.Nil, err
	}
	now := s.clk.Now()
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		var twin int64
		if err := tx.Model(&models.Topic{}).Where("LOWER(name) = LOWER(?) AND id <> ?", in.Name, id).Count(&twin).Error; err != nil {
			return err
		}
		if twin > 0 {
			bad.Add("name", "error.name_taken")
			return bad.Err()
		}
		if id != uuid.Nil {
			r := tx.Model(&models.Topic{}).Where("id = ?", id).Updates(map[string]any{"name": in.Name, "about": in.About, "updated_at": now})
			if r.Error == nil && r.RowsAffected == 0 {
				return fault.New(fault.NotFound, "error.topic_unknown")
			}
			if r.Error != nil {
				return r.Error
			}
			return audit.Write(ctx, tx, a, now, "topic.save", "topics", id, nil)
		}
		t := models.Topic{ID: models.NewID(), Name: in.Name, About: in.About, CreatedAt: now, UpdatedAt: now}
		t.Slug = t.ID.String()
		if err := tx.Model(&models.Topic{}).Select("COALESCE(MAX(position), 0) + 1").Scan(&t.Position).Error; err != nil {
			return err
		}
		if err := tx.Create(&t).Error; err != nil {
			return err
		}
		id = t.ID
		return audit.Write(ctx, tx, a, now, "topic.add", "topics", id, nil)
	})
	return id, err
}

// MoveTopic puts a topic one place up (by -1) or down (by 1). It needs what SaveTopic needs.
func (s *Service) MoveTopic(ctx context.Context, a actor.Actor, id uuid.UUID, by int) error {
	if err := a.Need(actor.Arrange); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		var rows []models.Topic
		if err := tx.Where("archived_at IS NULL").Order("position, id").Find(&rows).Error; err != nil {
			return err
		}
		i := slices.IndexFunc(rows, func(t models.Topic) bool { return t.ID == id })
		if i < 0 {
			return fault.New(fault.NotFound, "error.topic_unknown")
		}
		if to := i + by; to >= 0 && to < len(rows) {
			rows[i], rows[to] = rows[to], rows[i]
		}
		for n, t := range rows {
			if t.Position == n+1 {
				continue
			}
			if err := tx.Model(&models.Topic{}).Where("id = ?", t.ID).Updates(map[string]any{"position": n + 1, "updated_at": now}).Error; err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "topic.move", "topics", id, nil)
	})
}

// ArchiveTopic takes a topic out of the forms, or puts it back. Who agreed to it stays on its list. It needs what SaveTopic
// needs.
func (s *Service) ArchiveTopic(ctx context.Context, a actor.Actor, id uuid.UUID, archived bool) error {
	return s.archive(ctx, a, &models.Topic{}, "topics", "error.topic_unknown", id, archived)
}

func (s *Service) archive(ctx context.Context, a actor.Actor, row any, table, unknown string, id uuid.UUID, archived bool) error {
	if err := a.Need(actor.Arrange); err != nil {
		return err
	}
	now := s.clk.Now()
	var at *time.Time
	verb := ".restore"
	if archived {
		at, verb = &now, ".archive"
	}
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		r := tx.Model(row).Where("id = ?", id).Updates(map[string]any{"archived_at": at, "updated_at": now})
		if r.Error == nil && r.RowsAffected == 0 {
			return fault.New(fault.NotFound, unknown)
		}
		if r.Error != nil {
			return r.Error
		}
		return audit.Write(ctx, tx, a, now, strings.TrimSuffix(table, "s")+verb, table, id, nil)
	})
}

// Partners lists the organisations that data may be shared with, by name, those that are archived last. It needs
// actor.SeeSupporters.
func (s *Service) Partners(ctx context.Context, a actor.Actor) ([]models.Partner, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return nil, err
	}
	var rows []models.Partner
	return rows, s.db.WithContext(ctx).Order("CASE WHEN archived_at IS NULL THEN 0 ELSE 1 END, name, id").Find(&rows).Error
}

// Partner reads one partner. It needs actor.SeeSupporters; the fault is NotFound, error.partner_unknown.
func (s *Service) Partner(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Partner, error) {
	var p models.Partner
	if err := a.Need(actor.SeeSupporters); err != nil {
		return p, err
	}
	return p, found(s.db.WithContext(ctx).Where("id = ?", id).Take(&p).Error, "error.partner_unknown")
}

// PartnerInput is a partner as it was typed.
type PartnerInput struct {
	Name    string // name: people agree to this name, so it is the whole one
	Website string // website; may be empty
}

// SavePartner changes a partner's website, or adds a partner where id is uuid.Nil, and returns its id. The name of one that
// is there never changes: people agreed to that very name. It needs actor.EditSupporters in an account of the whole
// organisation. The faults are Invalid with fields, and NotFound.
func (s *Service) SavePartner(ctx context.Context, a actor.Actor, id uuid.UUID, in PartnerInput) (uuid.UUID, error) {
	if err := a.Need(actor.Arrange); err != nil {
		return uuid.Nil, err
	}
	var bad fault.Fields
	in.Name = checkName(&bad, "name", in.Name, maxName, id == uuid.Nil)
	in.Website = strings.TrimSpace(in.Website)
	if in.Website != "" {
		if u, err := url.Parse(in.Website); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || len(in.Website) > 300 {
			bad.Add("website", "error.website_invalid")
		}
	}
	if err := bad.Err(); err != nil {
		return uuid.Nil, err
	}
	now := s.clk.Now()
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		if id != uuid.Nil {
			r := tx.Model(&models.Partner{}).Where("id = ?", id).Updates(map[string]any{"website": in.Website, "updated_at": now})
			if r.Error == nil && r.RowsAffected == 0 {
				return fault.New(fault.NotFound, "error.partner_unknown")
			}
			if r.Error != nil {
				return r.Error
			}
			return audit.Write(ctx, tx, a, now, "partner.save", "partners", id, nil)
		}
		var twin int64
		if err := tx.Model(&models.Partner{}).Where("LOWER(name) = LOWER(?)", in.Name).Count(&twin).Error; err != nil {
			return err
		}
		if twin > 0 {
			bad.Add("name", "error.name_taken")
			return bad.Err()
		}
		p := models.Partner{ID: models.NewID(), Name: in.Name, Website: in.Website, CreatedAt: now, UpdatedAt: now}
		if err := tx.Create(&p).Error; err != nil {
			return err
		}
		id = p.ID
		return audit.Write(ctx, tx, a, now, "partner.add", "partners", id, nil)
	})
	return id, err
}

// ArchivePartner takes a partner out of the forms, or puts it back. It needs what SavePartner needs.
func (s *Service) ArchivePartner(ctx context.Context, a actor.Actor, id uuid.UUID, archived bool) error {
	return s.archive(ctx, a, &models.Partner{}, "partners", "error.partner_unknown", id, archived)
}
