package petitions

import (
	"context"
	"strings"

	"kithline/models"
)

// petitionWords is what the index petitions_by_words holds.
const petitionWords = `to_tsvector('simple', title || ' ' || summary || ' ' || decider || ' ' || place)`

// similarPostgres asks the index of words. Each word is made into a query of its own by plainto_tsquery, which knows no
// operators.
func (s *Service) similarPostgres(ctx context.Context, words []string, limit int) ([]models.Petition, error) {
	query := strings.Repeat(" || plainto_tsquery('simple', ?)", len(words))[len(" || "):]
	args := make([]any, 0, 2*len(words)+2)
	for _, w := range words {
		args = append(args, w)
	}
	args = append(args, models.PublicPetitionStates)
	for _, w := range words {
		args = append(args, w)
	}
	var rows []models.Petition
	err := s.db.WithContext(ctx).Raw(`SELECT * FROM petitions WHERE `+petitionWords+` @@ (`+query+`) AND state IN ?
		ORDER BY ts_rank(`+petitionWords+`, (`+query+`)) DESC, id LIMIT ?`, append(args, limit)...).Scan(&rows).Error
	return rows, err
}
