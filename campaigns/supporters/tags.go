package supporters

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

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
