package petitions

import (
	"strings"

	"gorm.io/gorm"

	"kithline/models"
	"kithline/models/database"
)

// Changed tells every node, once tx is committed, that what everybody can see of a petition is not what it was: its words or
// its state, a name or a comment that is shown or taken back, a post, a picture. Whatever is kept for its readers is made anew.
// It is not for counts: those follow within two seconds by themselves.
func Changed(tx *gorm.DB, slug string) {
	if slug != "" {
		database.Announce(tx, models.PetitionTopic+slug)
	}
}

// ChangedSlug returns the slug of a petition from the topic that Changed announced; ok is false for any other topic.
func ChangedSlug(topic string) (slug string, ok bool) {
	return strings.CutPrefix(topic, models.PetitionTopic)
}
