package segments

import (
	"context"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Limits of what a segment is called.
const (
	MaxName  = 120 // characters
	MaxAbout = 500
)

// Input is what an organizer says of a segment.
type Input struct {
	Revision int // that they saw; 0 for a new one
	Name     string
	About    string
	Rule     Rule
}

func (in *Input) check() error {
	in.Name, in.About = strings.Join(strings.Fields(in.Name), " "), strings.TrimSpace(in.About)
	var bad fault.Fields
	if in.Name == "" {
		bad.Add("name", "error.segment_no_name")
	}
	for _, f := range []struct {
		name, text string
		most       int
	}{{"name", in.Name, MaxName}, {"about", in.About, MaxAbout}} {
		if n := utf8.RuneCountInString(f.text); n > f.most {
			bad.Add(f.name, "error.text_too_long", "Max", strconv.Itoa(f.most), "Over", strconv.Itoa(n-f.most))
		}
		if !utf8.ValidString(f.text) || strings.ContainsRune(f.text, 0) {
			bad.Add(f.name, "error.text_unreadable")
		}
	}
	return bad.Err()
}

// Create saves a new segment, of the actor's chapter. It needs the right actor.EditSupporters. What is wrong is an Invalid
// fault under the names of the form's fields.
func (s *Service) Create(ctx context.Context, a actor.Actor, in Input) (uuid.UUID, error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return uuid.Nil, err
	}
	if err := in.check(); err != nil {
		return uuid.Nil, err
	}
	now := s.clock.Now()
	m := models.Segment{
		ID: models.NewID(), Name: in.Name, About: in.About, ChapterID: a.Chapter(), Revision: 1, CreatedBy: a.Account(), CreatedAt: now, UpdatedAt: now,
	}
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		r := in.Rule
		if err := check(ctx, tx, a, &r, uuid.Nil); err != nil {
			return err
		}
		if m.Rule, err = r.store(); err != nil {
			return err
		}
		if err := tx.Create(&m).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "segment.create", "segments", m.ID, nil)
	})
	return m.ID, err
}

// Save puts what an organizer says in the place of what was there. It needs the right actor.EditSupporters. A segment that
// somebody else saved meanwhile, that is archived, or that is a snapshot, is a Conflict fault.
func (s *Service) Save(ctx context.Context, a actor.Actor, id uuid.UUID, in Input) error {
	if err := a.Need(actor.EditSupporters); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	now := s.clock.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		m, err := Find(ctx, tx, a, id)
		if err != nil {
			return err
		}
		r := in.Rule
		if err := check(ctx, tx, a, &r, id); err != nil {
			return err
		}
		rule, err := r.store()
		if err != nil {
			return err
		}
		if m.FrozenAt != nil && rule != m.Rule {
			return fault.New(fault.Conflict, "error.segment_frozen")
		}
		u := tx.Model(&models.Segment{}).Where("id = ? AND revision = ? AND archived_at IS NULL", id, in.Revision).
			Updates(map[string]any{"name": in.Name, "about": in.About, "rule": rule, "revision": in.Revision + 1, "updated_at": now})
		if u.Error != nil {
			return u.Error
		}
		if u.RowsAffected == 0 {
			return fault.New(fault.Conflict, "error.segment_changed")
		}
		return audit.Write(ctx, tx, a, now, "segment.save", "segments", id, map[string]any{"revision": in.Revision + 1})
	})
}

// Copy makes a new live segment with the rule of another, under a name that says so, and returns its id. A pick by chance keeps
// its order. It needs the right actor.EditSupporters.
func (s *Service) Copy(ctx context.Context, a actor.Actor, id uuid.UUID, name string) (uuid.UUID, error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return uuid.Nil, err
	}
	now := s.clock.Now()
	m := models.Segment{ID: models.NewID(), Revision: 1, CreatedBy: a.Account(), CreatedAt: now, UpdatedAt: now}
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		was, err := Find(ctx, tx, a, id)
		if err != nil {
			return err
		}
		m.Name, m.About, m.Rule, m.ChapterID = string([]rune(name)[:min(MaxName, utf8.RuneCountInString(name))]), was.About, was.Rule, was.ChapterID
		if err := tx.Create(&m).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "segment.copy", "segments", m.ID, map[string]any{"from": id})
	})
	return m.ID, err
}

// Archive takes a segment out of the lists and choices; what uses it goes on using it. Unarchive brings it back. Both need the
// right actor.EditSupporters, and may be done again.
func (s *Service) Archive(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	return s.change(ctx, a, id, "segment.archive", func(_ *gorm.DB, _ models.Segment) (map[string]any, error) {
		return map[string]any{"archived_at": s.clock.Now()}, nil
	})
}

// Unarchive brings an archived segment back.
func (s *Service) Unarchive(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	return s.change(ctx, a, id, "segment.unarchive", func(_ *gorm.DB, _ models.Segment) (map[string]any, error) {
		return map[string]any{"archived_at": nil}, nil
	})
}

// Freeze makes a snapshot: who meets the rule now stays in the segment, and nobody joins. Frozen again, it is a new snapshot.
// It needs the right actor.EditSupporters.
func (s *Service) Freeze(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	return s.change(ctx, a, id, "segment.freeze", func(tx *gorm.DB, m models.Segment) (map[string]any, error) {
		if err := Tune(tx); err != nil {
			return nil, err
		}
		r, err := parse(m.Rule)
		if err != nil {
			return nil, err
		}
		sql, args, err := members(ctx, tx, r, id, m.ChapterID)
		if err != nil {
			return nil, err
		}
		if err := tx.Exec("DELETE FROM segment_members WHERE segment_id = ?", id).Error; err != nil {
			return nil, err
		}
		in := tx.Exec("INSERT INTO segment_members (segment_id, supporter_id) SELECT CAST(? AS "+uuidType(tx)+"), f.supporter_id FROM ("+sql+") f", append([]any{id}, args...)...)
		return map[string]any{"frozen_at": s.clock.Now(), "frozen_count": in.RowsAffected}, in.Error
	})
}

// Thaw makes a snapshot live again. It needs the right actor.EditSupporters.
func (s *Service) Thaw(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	return s.change(ctx, a, id, "segment.thaw", func(tx *gorm.DB, _ models.Segment) (map[string]any, error) {
		return map[string]any{"frozen_at": nil, "frozen_count": 0}, tx.Exec("DELETE FROM segment_members WHERE segment_id = ?", id).Error
	})
}

func (s *Service) change(ctx context.Context, a actor.Actor, id uuid.UUID, action string, set func(tx *gorm.DB, m models.Segment) (map[string]any, error)) error {
	if err := a.Need(actor.EditSupporters); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		now := s.clock.Now()
		// The row's lock: two who freeze at once do so one after the other.
		where, args := chapters.SQL(a, "chapter_id")
		u := tx.Model(&models.Segment{}).Where("id = ?", id).Where(where, args...).Update("updated_at", now)
		if u.Error != nil {
			return u.Error
		}
		if u.RowsAffected == 0 {
			return errUnknown
		}
		m, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		columns, err := set(tx, m)
		if err != nil {
			return err
		}
		if err := tx.Model(&models.Segment{}).Where("id = ?", id).Updates(columns).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, action, "segments", id, map[string]any{"people": columns["frozen_count"]})
	})
}
