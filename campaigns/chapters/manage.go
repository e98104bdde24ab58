package chapters

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/postal"
	"kithline/models"
	"kithline/models/database"
)

// Service keeps the chapters. It is safe for concurrent use.
type Service struct {
	db    *database.DB
	clock clock.Clock
}

// New makes the service.
func New(db *database.DB, clk clock.Clock) *Service { return &Service{db: db, clock: clk} }

// Chapter is a chapter as pages show it.
type Chapter struct {
	models.Chapter
	Supporters int64
	Users      int64
}

// Option is a chapter to choose.
type Option struct {
	ID   uuid.UUID
	Name string
}

// Options lists the open chapters that the actor may choose from, by name: its own one for somebody of a chapter. Any signed-in
// user may ask.
func (s *Service) Options(ctx context.Context, a actor.Actor) ([]Option, error) {
	if a.Kind != actor.User && a.Kind != actor.System {
		return nil, fault.New(fault.Unauthenticated, "error.login_needed")
	}
	var out []Option
	err := s.db.WithContext(ctx).Model(&models.Chapter{}).Select("id", "name").Scopes(Scope(a, "id")).Where("closed_at IS NULL").Order("name, id").Scan(&out).Error
	return out, err
}

// List returns every chapter, open ones first, by name. It needs the right actor.ManageUsers, which nobody of a chapter has.
func (s *Service) List(ctx context.Context, a actor.Actor) ([]Chapter, error) {
	if err := a.Need(actor.ManageUsers); err != nil {
		return nil, err
	}
	var rows []models.Chapter
	if err := s.db.WithContext(ctx).Order("CASE WHEN closed_at IS NULL THEN 0 ELSE 1 END, name, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	people, err := s.counts(ctx, &models.Supporter{})
	if err != nil {
		return nil, err
	}
	accounts, err := s.counts(ctx, &models.User{})
	out := make([]Chapter, len(rows))
	for i, c := range rows {
		out[i] = Chapter{c, people[c.ID], accounts[c.ID]}
	}
	return out, err
}

// counts are the rows of a model in each chapter.
func (s *Service) counts(ctx context.Context, model any) (map[uuid.UUID]int64, error) {
	var rows []struct {
		ChapterID uuid.UUID
		N         int64
	}
	err := s.db.WithContext(ctx).Model(model).Select("chapter_id, count(*) AS n").Where("chapter_id IS NOT NULL").Group("chapter_id").Scan(&rows).Error
	out := make(map[uuid.UUID]int64, len(rows))
	for _, r := range rows {
		out[r.ChapterID] = r.N
	}
	return out, err
}

// Get returns a chapter. It needs the right actor.ManageUsers; the fault is NotFound, error.chapter_unknown.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Chapter, error) {
	if err := a.Need(actor.ManageUsers); err != nil {
		return models.Chapter{}, err
	}
	return Find(ctx, s.db.DB, id)
}

// Find reads a chapter in tx. The fault is NotFound, error.chapter_unknown.
func Find(ctx context.Context, tx *gorm.DB, id uuid.UUID) (models.Chapter, error) {
	var c models.Chapter
	err := tx.WithContext(ctx).Where("id = ?", id).Take(&c).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return c, fault.New(fault.NotFound, "error.chapter_unknown")
	}
	return c, err
}

// Input is what an owner says of a chapter.
type Input struct {
	Name        string
	PostalAreas string // separated by spaces, commas or line ends; with * behind it, a beginning
}

const (
	maxName  = 80
	maxAreas = 2000
)

// check returns the input as it is stored, and the name's key, or an Invalid fault with the fields name and areas.
func (in Input) check() (name, key, areas string, err error) {
	var bad fault.Fields
	name = strings.Join(strings.Fields(in.Name), " ")
	if name == "" {
		bad.Add("name", "error.chapter_name")
	} else if n := utf8.RuneCountInString(name); n > maxName {
		bad.Add("name", "error.text_too_long", "Max", maxName, "Over", n-maxName)
	}
	key = strings.Join(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), "-")
	if name != "" && key == "" {
		bad.Add("name", "error.chapter_name")
	}
	var lines []string
	// Spaces part areas only where a comma or a line end does not: some postal codes have one inside.
	for _, line := range strings.FieldsFunc(in.PostalAreas, func(r rune) bool { return r == ',' || r == ';' || r == '\n' || r == '\r' }) {
		area, prefix := strings.CutSuffix(strings.TrimSpace(line), "*")
		if area = postal.Area("", area); area == "" {
			if prefix {
				bad.Add("areas", "error.chapter_areas", "Area", "*")
			}
			continue
		}
		if utf8.RuneCountInString(area) > 12 || strings.ContainsFunc(area, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != ' ' && r != '-' }) {
			bad.Add("areas", "error.chapter_areas", "Area", area)
			break
		}
		if prefix {
			area += "*"
		}
		lines = append(lines, area)
	}
	if len(lines) > maxAreas {
		bad.Add("areas", "error.chapter_areas_many", "Max", maxAreas)
	}
	return name, key, strings.Join(lines, "\n"), bad.Err()
}

// Save makes a chapter, where id is uuid.Nil, or changes one. Whoever lives in its postal areas and has no chapter yet joins it:
// in the background of the next record that changes, or all at once by AssignAll. It needs the right actor.ManageUsers. The faults
// are Invalid with the fields name, areas, and NotFound.
func (s *Service) Save(ctx context.Context, a actor.Actor, id uuid.UUID, in Input) (uuid.UUID, error) {
	if err := a.Need(actor.ManageUsers); err != nil {
		return uuid.Nil, err
	}
	name, key, areas, err := in.check()
	if err != nil {
		return uuid.Nil, err
	}
	now := s.clock.Now()
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		var same int64
		if err := tx.Model(&models.Chapter{}).Where("slug = ? AND id <> ?", key, id).Count(&same).Error; err != nil {
			return err
		}
		if same > 0 {
			var bad fault.Fields
			bad.Add("name", "error.chapter_name_taken")
			return bad.Err()
		}
		if id == uuid.Nil {
			id = models.NewID()
			if err := tx.Create(&models.Chapter{ID: id, Slug: key, Name: name, PostalAreas: areas, CreatedAt: now, UpdatedAt: now}).Error; err != nil {
				return err
			}
			return audit.Write(ctx, tx, a, now, "chapter.create", "chapters", id, nil)
		}
		r := tx.Model(&models.Chapter{}).Where("id = ?", id).Updates(map[string]any{"slug": key, "name": name, "postal_areas": areas, "updated_at": now})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return fault.New(fault.NotFound, "error.chapter_unknown")
		}
		return audit.Write(ctx, tx, a, now, "chapter.change", "chapters", id, nil)
	})
	return id, err
}

// Close ends a chapter: nobody joins it any more, and its accounts and people stay where they are until somebody moves them.
// With closed false it opens again. It needs the right actor.ManageUsers; the fault is NotFound.
func (s *Service) Close(ctx context.Context, a actor.Actor, id uuid.UUID, closed bool) error {
	if err := a.Need(actor.ManageUsers); err != nil {
		return err
	}
	now := s.clock.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		c, err := Find(ctx, tx, id)
		if err != nil || (c.ClosedAt != nil) == closed {
			return err
		}
		var at *time.Time
		if closed {
			at = &now
		}
		if err := tx.Model(&models.Chapter{}).Where("id = ?", id).Updates(map[string]any{"closed_at": at, "updated_at": now}).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "chapter.close", "chapters", id, map[string]any{"closed": closed})
	})
}

// AssignAll gives everybody without a chapter the one that their postal area belongs to, and returns how many joined one. It needs
// the right actor.ManageUsers. It commits in steps and can be run again.
func (s *Service) AssignAll(ctx context.Context, a actor.Actor) (joined int, err error) {
	if err := a.Need(actor.ManageUsers); err != nil {
		return 0, err
	}
	after := uuid.Nil
	for {
		var ids []uuid.UUID
		err := s.db.WithContext(ctx).Model(&models.Supporter{}).Where("chapter_id IS NULL AND postal_area <> '' AND id > ?", after).Order("id").Limit(assignBatch).Pluck("id", &ids).Error
		if err != nil || len(ids) == 0 {
			return joined, errors.Join(err, s.note(ctx, a, joined))
		}
		after = ids[len(ids)-1]
		err = s.db.Tx(ctx, func(tx *gorm.DB) error {
			if err := Assign(ctx, tx, ids, s.clock.Now()); err != nil {
				return err
			}
			var left int64
			if err := tx.Model(&models.Supporter{}).Where("id IN ? AND chapter_id IS NULL", ids).Count(&left).Error; err != nil {
				return err
			}
			joined += len(ids) - int(left)
			return nil
		})
		if err != nil {
			return joined, err
		}
	}
}

func (s *Service) note(ctx context.Context, a actor.Actor, joined int) error {
	return audit.Write(ctx, s.db.WithContext(ctx), a, s.clock.Now(), "chapter.assign", "chapters", uuid.Nil, map[string]any{"joined": joined})
}
