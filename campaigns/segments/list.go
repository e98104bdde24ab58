package segments

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/models"
)

// List returns the segments that the actor may see, newest first: those that are archived, or those that are not. It needs the
// right actor.SeeFigures.
func (s *Service) List(ctx context.Context, a actor.Actor, archived bool, c paging.Cursor) (paging.Page[models.Segment], error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return paging.Page[models.Segment]{}, err
	}
	q := s.db.WithContext(ctx).Scopes(chapters.Scope(a, "chapter_id")).Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if archived {
		q = q.Where("archived_at IS NOT NULL")
	} else {
		q = q.Where("archived_at IS NULL")
	}
	if !c.First() {
		q = q.Where("(created_at, id) < (?, ?)", c.At, c.ID)
	}
	var rows []models.Segment
	if err := q.Find(&rows).Error; err != nil {
		return paging.Page[models.Segment]{}, err
	}
	return paging.Cut(rows, paging.Size, func(m models.Segment) paging.Cursor { return paging.Cursor{At: m.CreatedAt, ID: m.ID} }), nil
}

// Named is a segment that something can be made for.
type Named struct {
	ID   uuid.UUID
	Name string
}

// Usable lists the segments that the actor may use for mailings, exports and rosters, newest first, at most 500. It needs the
// right actor.SeeFigures.
func (s *Service) Usable(ctx context.Context, a actor.Actor) ([]Named, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return nil, err
	}
	return Usable(ctx, s.db.DB, a)
}

// Usable is the list for features that offer it in their own operations, which check the rights.
func Usable(ctx context.Context, tx *gorm.DB, a actor.Actor) ([]Named, error) {
	var out []Named
	err := tx.WithContext(ctx).Model(&models.Segment{}).Select("id, name").Scopes(chapters.Scope(a, "chapter_id")).Where("archived_at IS NULL").
		Order("created_at DESC, id DESC").Limit(maxChoices).Scan(&out).Error
	return out, err
}

// Get returns a segment with its rule. It needs the right actor.SeeFigures.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Segment, Rule, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return models.Segment{}, Rule{}, err
	}
	m, err := Find(ctx, s.db.DB, a, id)
	if err != nil {
		return m, Rule{}, err
	}
	r, err := parse(m.Rule)
	return m, r, err
}

// Person is one of those in a segment.
type Person struct {
	ID                    uuid.UUID
	GivenName, FamilyName string
	PostalArea            string
}

// sampleSize is how many people a count shows.
const sampleSize = 10

// Counted is how many people are in a segment now, with the newest of them for who may see names.
type Counted struct {
	People int
	Sample []Person
}

// Count counts a saved segment. It needs the right actor.SeeFigures.
func (s *Service) Count(ctx context.Context, a actor.Actor, id uuid.UUID) (Counted, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return Counted{}, err
	}
	return s.count(ctx, a, func(tx *gorm.DB) (string, []any, error) {
		if _, err := Find(ctx, tx, a, id); err != nil {
			return "", nil, err
		}
		return Members(ctx, tx, id)
	})
}

// CountRule counts a rule that is being made, in the actor's chapter; id is the segment that it would be saved as, uuid.Nil for
// a new one. It needs the right actor.EditSupporters: a rule that anybody could make would tell about single people. What is
// wrong with the rule is an Invalid fault under the names of the form's fields.
func (s *Service) CountRule(ctx context.Context, a actor.Actor, id uuid.UUID, r Rule) (Counted, error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return Counted{}, err
	}
	return s.count(ctx, a, func(tx *gorm.DB) (string, []any, error) {
		chapter := a.Chapter()
		if id != uuid.Nil {
			m, err := Find(ctx, tx, a, id)
			if err != nil {
				return "", nil, err
			}
			chapter = m.ChapterID
		}
		if err := check(ctx, tx, a, &r, id); err != nil {
			return "", nil, err
		}
		return members(ctx, tx, r, id, chapter)
	})
}

func (s *Service) count(ctx context.Context, a actor.Actor, who func(tx *gorm.DB) (string, []any, error)) (Counted, error) {
	var c Counted
	var people []models.Supporter
	err := Tuned(ctx, s.db, func(tx *gorm.DB) error {
		sql, args, err := who(tx)
		if err != nil {
			return err
		}
		if err := tx.Raw("SELECT count(*) FROM ("+sql+") f", args...).Scan(&c.People).Error; err != nil {
			return err
		}
		if !a.May(actor.SeeSupporters) || c.People == 0 {
			return nil
		}
		var ids []struct{ SupporterID uuid.UUID }
		if err := tx.Raw("SELECT f.supporter_id FROM ("+sql+") f ORDER BY f.supporter_id DESC LIMIT ?", append(args, sampleSize)...).Scan(&ids).Error; err != nil {
			return err
		}
		list := make([]uuid.UUID, len(ids))
		for i, x := range ids {
			list[i] = x.SupporterID
		}
		return tx.Where("id IN ?", list).Scopes(chapters.Scope(a, "chapter_id")).Order("id DESC").Find(&people).Error
	})
	if err != nil {
		return c, err
	}
	for _, p := range people {
		x := Person{ID: p.ID, PostalArea: p.PostalArea}
		if x.GivenName, err = s.vault.Open("supporters", "given_name_sealed", p.ID, p.GivenNameSealed); err != nil {
			return c, err
		}
		if x.FamilyName, err = s.vault.Open("supporters", "family_name_sealed", p.ID, p.FamilyNameSealed); err != nil {
			return c, err
		}
		c.Sample = append(c.Sample, x)
	}
	return c, nil
}

// Broken reports whether an error says that a saved rule cannot be used as it is: somebody has to look at it.
func Broken(err error) bool { return fault.Is(err, fault.Invalid) }
