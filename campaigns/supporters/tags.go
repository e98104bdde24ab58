package supporters

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/models"
)

// maxTag is how long the name of a tag may be, in characters.
const maxTag = 60

// tagName is a tag as it is written, and what tells whether two are the same one.
func tagName(typed string) (name, key string, err error) {
	name = strings.Join(strings.Fields(typed), " ")
	switch {
	case name == "":
		return "", "", fault.New(fault.Invalid, "error.tag_missing")
	case utf8.RuneCountInString(name) > maxTag:
		return "", "", fault.New(fault.Invalid, "error.tag_long", "Most", maxTag)
	}
	return name, strings.ToLower(name), nil
}

// EnsureTag returns the tag of a name, made when there is none; capitals make no difference. The fault, Invalid without a
// field, is error.tag_missing or error.tag_long.
func EnsureTag(ctx context.Context, tx *gorm.DB, name string, now time.Time) (models.Tag, error) {
	name, key, err := tagName(name)
	if err != nil {
		return models.Tag{}, err
	}
	tx = tx.WithContext(ctx)
	t := models.Tag{ID: models.NewID(), Name: name, NameKey: key, CreatedAt: now}
	if err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "name_key"}}, DoNothing: true}).Create(&t).Error; err != nil {
		return models.Tag{}, err
	}
	t = models.Tag{}
	return t, tx.Where("name_key = ?", key).Take(&t).Error
}

// Tag puts tags on supporters, any number of both; who has one already keeps it with its date.
func Tag(ctx context.Context, tx *gorm.DB, supporterIDs, tagIDs []uuid.UUID, now time.Time) error {
	tx = tx.WithContext(ctx)
	for _, tag := range tagIDs {
		for part := range slices.Chunk(supporterIDs, 500) {
			rows := make([]models.Tagging, len(part))
			for i, id := range part {
				rows[i] = models.Tagging{SupporterID: id, TagID: tag, CreatedAt: now}
			}
			if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&rows).Error; err != nil {
				return err
			}
		}
	}
	return nil
}

// TagCount is a tag with how many have it, of the actor's chapter.
type TagCount struct {
	models.Tag
	People int64
}

// Tags lists the tags by name, with how many have each. It needs the right actor.SeeSupporters.
func (s *Service) Tags(ctx context.Context, a actor.Actor) ([]TagCount, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return nil, err
	}
	tags, err := s.tagList(ctx)
	if err != nil {
		return nil, err
	}
	var counts []struct {
		TagID uuid.UUID
		N     int64
	}
	q := s.db.WithContext(ctx).Table("taggings t").Select("t.tag_id, COUNT(*) AS n").Group("t.tag_id")
	if a.Chapter() != nil {
		q = q.Joins("JOIN supporters ON supporters.id = t.supporter_id").Scopes(chapters.Scope(a, "supporters.chapter_id"))
	}
	if err := q.Scan(&counts).Error; err != nil {
		return nil, err
	}
	by := make(map[uuid.UUID]int64, len(counts))
	for _, c := range counts {
		by[c.TagID] = c.N
	}
	out := make([]TagCount, len(tags))
	for i, t := range tags {
		out[i] = TagCount{t, by[t.ID]}
	}
	return out, nil
}

func tagOf(tx *gorm.DB, id uuid.UUID) (models.Tag, error) {
	var list []models.Tag
	if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = ?", id).Limit(1).Find(&list).Error; err != nil {
		return models.Tag{}, err
	}
	if len(list) == 0 {
		return models.Tag{}, fault.New(fault.NotFound, "error.tag_unknown")
	}
	return list[0], nil
}

// RenameTag gives a tag another name. It needs the right actor.Arrange. The faults are NotFound, error.tag_unknown, and Invalid on the field "name": those of EnsureTag, and error.tag_taken, where merging is what is
// meant.
func (s *Service) RenameTag(ctx context.Context, a actor.Actor, id uuid.UUID, name string) error {
	if err := a.Need(actor.Arrange); err != nil {
		return err
	}
	name, key, err := tagName(name)
	if err != nil {
		return onField("name", err)
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := tagOf(tx, id); err != nil {
			return err
		}
		r := tx.Exec("UPDATE tags SET name = ?, name_key = ? WHERE id = ? AND NOT EXISTS (SELECT 1 FROM tags o WHERE o.name_key = ? AND o.id <> ?)", name, key, id, key, id)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return onField("name", fault.New(fault.Invalid, "error.tag_taken"))
		}
		return audit.Write(ctx, tx, a, now, "tag.rename", "tags", id, nil)
	})
}

// MergeTags gives everybody with the tag gone the tag kept, and ends the tag gone: segments, forms, imports and series that name it name
// the one that is kept from now on. Rights and faults are those of RenameTag, on the field "into".
func (s *Service) MergeTags(ctx context.Context, a actor.Actor, gone, kept uuid.UUID) error {
	if err := a.Need(actor.Arrange); err != nil {
		return err
	}
	if gone == kept {
		return onField("into", fault.New(fault.Invalid, "error.tag_same"))
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		for _, id := range []uuid.UUID{gone, kept} {
			if _, err := tagOf(tx, id); err != nil {
				return err
			}
		}
		for _, at := range []string{"UPDATE segments SET rule = REPLACE(rule, ?, ?) WHERE rule LIKE ?", "UPDATE forms SET tags = REPLACE(tags, ?, ?) WHERE tags LIKE ?"} {
			if err := tx.Exec(at, gone.String(), kept.String(), "%"+gone.String()+"%").Error; err != nil {
				return err
			}
		}
		err := tx.Exec(`INSERT INTO taggings (supporter_id, tag_id, created_at) SELECT supporter_id, ?, created_at FROM taggings WHERE tag_id = ?
			ON CONFLICT (supporter_id, tag_id) DO NOTHING`, kept, gone).Error
		if err != nil {
			return err
		}
		moved := tx.Where("tag_id = ?", gone).Delete(&models.Tagging{})
		if moved.Error != nil {
			return moved.Error
		}
		if err := retagSeries(tx, gone, kept); err != nil {
			return err
		}
		if err := dropTag(tx, gone, &kept); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "tag.merge", "tags", kept, map[string]any{"gone": gone, "people": moved.RowsAffected})
	})
}

// DeleteTag deletes a tag that nobody has. The fault is Conflict, error.tag_used, where somebody has it, or a segment, a form or a
// series names it; rights and other faults are those of RenameTag.
func (s *Service) DeleteTag(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.Arrange); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := tagOf(tx, id); err != nil {
			return err
		}
		var used []models.Tagging
		if err := tx.Where("tag_id = ?", id).Limit(1).Find(&used).Error; err != nil {
			return err
		}
		if len(used) > 0 {
			return fault.New(fault.Conflict, "error.tag_used")
		}
		if err := tagNamed(tx, id); err != nil {
			return err
		}
		if err := dropTag(tx, id, nil); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "tag.delete", "tags", id, nil)
	})
}

// retagSeries lets series name the tag kept instead of the tag gone: in their steps, their trigger and their goals.
func retagSeries(tx *gorm.DB, gone, kept uuid.UUID) error {
	for _, at := range []struct {
		sql  string
		args []any
	}{
		{"UPDATE series_steps SET tag_id = ? WHERE tag_id = ?", []any{kept, gone}},
		{"UPDATE series SET trigger_id = ? WHERE trigger_kind = 'tagged' AND trigger_id = ?", []any{kept, gone}},
		{"DELETE FROM series_exits WHERE kind = 'tagged' AND object_id = ? AND series_id IN (SELECT series_id FROM series_exits WHERE kind = 'tagged' AND object_id = ?)", []any{gone, kept}},
		{"UPDATE series_exits SET object_id = ? WHERE kind = 'tagged' AND object_id = ?", []any{kept, gone}},
	} {
		if err := tx.Exec(at.sql, at.args...).Error; err != nil {
			return err
		}
	}
	return nil
}

// tagNamed refuses where a segment, a form or a series names the tag: the first two hold its id in their own texts.
func tagNamed(tx *gorm.DB, id uuid.UUID) error {
	var n int64
	like := "%" + id.String() + "%"
	err := tx.Raw("SELECT (SELECT COUNT(*) FROM segments WHERE rule LIKE ?) + (SELECT COUNT(*) FROM forms WHERE tags LIKE ?)"+
		" + (SELECT COUNT(*) FROM series_steps WHERE tag_id = ?) + (SELECT COUNT(*) FROM series WHERE trigger_id = ?) + (SELECT COUNT(*) FROM series_exits WHERE object_id = ?)",
		like, like, id, id, id).Scan(&n).Error
	if err == nil && n > 0 {
		return fault.New(fault.Conflict, "error.tag_used")
	}
	return err
}

// dropTag deletes a tag; the imports that put it on people name the one in its place.
func dropTag(tx *gorm.DB, id uuid.UUID, instead *uuid.UUID) error {
	if err := tx.Model(&models.Import{}).Where("tag_id = ?", id).UpdateColumn("tag_id", instead).Error; err != nil {
		return err
	}
	return tx.Where("id = ?", id).Delete(&models.Tag{}).Error
}

// onField puts an Invalid fault without a field on one; any other error stays as it is.
func onField(name string, err error) error {
	var e *fault.Error
	if errors.As(err, &e) && e.Kind == fault.Invalid && len(e.Fields) == 0 {
		return fault.Fields{{Name: name, Key: e.Key, Args: e.Args}}.Err()
	}
	return err
}
