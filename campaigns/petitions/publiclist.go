package petitions

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/models"
)

// listShown is how many petitions a page of the public list holds.
const listShown = 20

// Sort is an order of the public list.
type Sort string

// The orders.
const (
	Newest     Sort = "newest"
	MostSigned Sort = "signed"
)

// Which says which petitions the public list holds.
type Which string

// The choices.
const (
	Signable Which = "" // can be signed now
	Over     Which = "over"
	Every    Which = "all" // paused ones too
)

// Listing says what a page of the public list is of.
type Listing struct {
	Query string // words that a petition speaks of, all of them, each perhaps only begun; "" for any
	Which Which
	Order Sort
	After string // "" is the first page, else the Next of the page before
}

// Listed is a petition of the public list.
type Listed struct {
	models.Petition
	Signable bool // takes signatures now
}

// PublicList is a page of the petitions that everybody may see.
type PublicList struct {
	Rows []Listed
	Next string // of the page after this; "" for none
}

// PublicList lists petitions for everybody. Words are found in the ask, the summary, who decides and the place, without regard to
// capitals. Anybody may call it, with any text. The fault is Invalid, error.page_unknown, for a page that none was before.
func (s *Service) PublicList(ctx context.Context, in Listing) (PublicList, error) {
	now := s.clk.Now()
	q := s.db.WithContext(ctx).Limit(listShown + 1)
	switch in.Which {
	case Over:
		q = q.Where("state IN ? AND (state <> ? OR deadline_at <= ?)", models.PublicPetitionStates, models.PetitionPublished, now)
	case Every:
		q = q.Where("state IN ?", models.PublicPetitionStates)
	default:
		q = q.Where("state = ? AND paused_at IS NULL AND (deadline_at IS NULL OR deadline_at > ?)", models.PetitionPublished, now)
	}
	if in.Query != "" {
		words := wordsOf(in.Query)
		if len(words) == 0 {
			return PublicList{}, nil
		}
		q = s.speakingOf(q, words)
	}
	if in.Order == MostSigned {
		q = q.Order("signature_count + paper_count DESC, id DESC")
	} else {
		q = q.Order("published_at DESC, id DESC")
	}
	if in.After != "" {
		n, id, err := parsePlace(in.After)
		switch {
		case err != nil:
			return PublicList{}, err
		case in.Order == MostSigned:
			q = q.Where("(signature_count + paper_count, id) < (?, ?)", n, id)
		default:
			q = q.Where("(published_at, id) < (?, ?)", time.UnixMicro(n).UTC(), id)
		}
	}
	var rows []models.Petition
	if err := q.Find(&rows).Error; err != nil {
		return PublicList{}, err
	}
	var out PublicList
	for _, p := range rows[:min(len(rows), listShown)] {
		out.Rows = append(out.Rows, Listed{p, openAt(p, now)})
	}
	if len(rows) <= listShown {
		return out, nil
	}
	last := rows[listShown-1]
	n := int64(last.Total())
	if in.Order != MostSigned {
		n = last.PublishedAt.UnixMicro()
	}
	out.Next = strconv.FormatInt(n, 36) + "." + last.ID.String()
	return out, nil
}

// speakingOf narrows q to petitions that speak of all words, which are letters, marks and digits and nothing else: see wordsOf.
func (s *Service) speakingOf(q *gorm.DB, words []string) *gorm.DB {
	if s.db.Postgres() {
		return q.Where(petitionWords+" @@ to_tsquery('simple', ?)", "'"+strings.Join(words, "':* & '")+"':*")
	}
	return q.Where("id IN (SELECT id FROM petition_words WHERE petition_words MATCH ?)", `"`+strings.Join(words, `"* AND "`)+`"*`)
}

// parsePlace reads a place of the list: a number that it is sorted by, and an id.
func parsePlace(after string) (int64, uuid.UUID, error) {
	a, b, _ := strings.Cut(after, ".")
	n, err := strconv.ParseInt(a, 36, 64)
	id, err2 := uuid.Parse(b)
	if err != nil || err2 != nil || len(after) > 60 {
		return 0, uuid.Nil, fault.New(fault.Invalid, "error.page_unknown")
	}
	return n, id, nil
}
