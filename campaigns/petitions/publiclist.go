package petitions

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

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

// PublicList is a page of the petitions that can be signed now.
type PublicList struct {
	Rows []models.Petition
	Next string // of the page after this; "" for none
}

// PublicList lists the petitions that can be signed now, in an order, from after on: "" is the first page, else the Next of the page
// before. The fault is Invalid, error.page_unknown, for any other.
func (s *Service) PublicList(ctx context.Context, order Sort, after string) (PublicList, error) {
	now := s.clk.Now()
	q := s.db.WithContext(ctx).Where("state = ? AND paused_at IS NULL AND (deadline_at IS NULL OR deadline_at > ?)", models.PetitionPublished, now).Limit(listShown + 1)
	if order == MostSigned {
		q = q.Order("signature_count + paper_count DESC, id DESC")
	} else {
		q = q.Order("published_at DESC, id DESC")
	}
	if after != "" {
		n, id, err := parsePlace(after)
		switch {
		case err != nil:
			return PublicList{}, err
		case order == MostSigned:
			q = q.Where("(signature_count + paper_count, id) < (?, ?)", n, id)
		default:
			q = q.Where("(published_at, id) < (?, ?)", time.UnixMicro(n).UTC(), id)
		}
	}
	var out PublicList
	if err := q.Find(&out.Rows).Error; err != nil || len(out.Rows) <= listShown {
		return out, err
	}
	out.Rows = out.Rows[:listShown]
	last := out.Rows[listShown-1]
	n := int64(last.Total())
	if order != MostSigned {
		n = last.PublishedAt.UnixMicro()
	}
	out.Next = strconv.FormatInt(n, 36) + "." + last.ID.String()
	return out, nil
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
