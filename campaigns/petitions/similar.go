package petitions

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"kithline/models"
)

// SimilarMost is how many petitions like another are shown.
const SimilarMost = 5

// smallWords say nothing about what a petition asks: they are left out where others are left.
var smallWords = strings.Fields(`a an and are as at be by for from has have in into is it its may more must not of on or our should so than that the their them they
	this to was we will with you your al como con de del el en es esta este ha la las lo los más mas no nos o para pero por que se ser sin son su sus un una y ya`)

// wordsOf takes a text apart into the words to look for, each once, at most 12. A word is letters, marks and digits and
// nothing else: what a database reads as its own language cannot stand in one.
func wordsOf(q string) []string {
	var all, out []string
	for _, w := range strings.FieldsFunc(norm.NFC.String(strings.ToLower(strings.ToValidUTF8(q, " "))), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.M, r)
	}) {
		if r := []rune(w); len(r) > 40 {
			w = string(r[:40])
		}
		if strings.ContainsFunc(w, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) && !slices.Contains(all, w) {
			all = append(all, w)
		}
	}
	for _, w := range all {
		if !slices.Contains(smallWords, w) {
			out = append(out, w)
		}
	}
	return out[:min(len(out), 12)]
}

// Similar lists public petitions whose ask, summary, decider or place speak of the same, the likest first, at most
// SimilarMost: for "is there one already?". Anybody may call it, with any text.
func (s *Service) Similar(ctx context.Context, q string) ([]models.Petition, error) {
	words := wordsOf(q)
	if len(words) == 0 {
		return nil, nil
	}
	find := s.similarSQLite
	if s.db.Postgres() {
		find = s.similarPostgres
	}
	rows, err := find(ctx, words, 4*SimilarMost)
	if err != nil {
		return nil, err
	}
	// One common word is not the same ask: a third of the words, and two of them where there are several.
	need := max(min(2, len(words)), (len(words)+2)/3)
	rows = slices.DeleteFunc(rows, func(p models.Petition) bool {
		there := spokenOf(p)
		n := 0
		for _, w := range words {
			if there[fold(w)] {
				n++
			}
		}
		return n < need
	})
	return rows[:min(len(rows), SimilarMost)], nil
}

// spokenOf are the words of a petition without their marks.
func spokenOf(p models.Petition) map[string]bool {
	out := map[string]bool{}
	for _, part := range []string{p.Title, p.Summary, p.Decider, p.Place} {
		for _, w := range strings.FieldsFunc(fold(part), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			out[w] = true
		}
	}
	return out
}

// fold makes small letters without marks.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFD.String(strings.ToLower(s)))
}

// similarSQLite asks the table of words. Each word is put between quotes, which it cannot hold, so that it is a word and
// nothing else.
func (s *Service) similarSQLite(ctx context.Context, words []string, limit int) ([]models.Petition, error) {
	var rows []models.Petition
	err := s.db.WithContext(ctx).Raw(`SELECT p.* FROM petition_words w JOIN petitions p ON p.id = w.id WHERE petition_words MATCH ? AND p.state IN ?
		ORDER BY bm25(petition_words, 0, 4, 2, 1, 1), p.id LIMIT ?`, `"`+strings.Join(words, `" OR "`)+`"`, models.PublicPetitionStates, limit).Scan(&rows).Error
	return rows, err
}
