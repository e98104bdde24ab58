package supporters

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/paging"
	"kithline/models"
)

// By is what somebody was looked for by.
type By string

// What a person can be found by.
const (
	ByAddress By = "address"
	ByPhone   By = "phone"
	ByName    By = "name"
)

// Found is what a search gave.
type Found struct {
	By   By
	Rows []Row // the best first, at most paging.Size
	More bool  // there are others, who fit as well
}

// mostFound is how many that fit by name are looked at: some may be gone, or of another name by now.
const mostFound = 2 * paging.Size

// Find looks for people by what somebody typed: an exact address, a telephone number in any way of writing it, or parts of
// a name, in any order. It needs the right actor.SeeSupporters. Where nobody fits, or none of the actor's chapter, it returns an
// Invalid fault on the field "q", as for what cannot be looked for.
func (s *Service) Find(ctx context.Context, a actor.Actor, typed string) (Found, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return Found{}, err
	}
	typed = strings.TrimSpace(typed)
	var f Found
	var people []models.Supporter
	var err error
	none := "error.supporter_none"
	switch {
	case typed == "":
		return Found{}, onQuery("error.supporter_query_missing")
	case strings.Contains(typed, "@"):
		f.By = ByAddress
		people, err = s.byAddress(ctx, a, typed)
	case looksLikePhone(typed):
		f.By, none = ByPhone, "error.supporter_no_phone"
		people, err = s.byPhone(ctx, a, typed)
	default:
		f.By, none = ByName, "error.supporter_no_name"
		words := wordsOf(typed)
		if len(words) == 0 || len(words) == 1 && utf8.RuneCountInString(words[0]) < 2 && words[0][0] < utf8.RuneSelf {
			return Found{}, onQuery("error.supporter_query_short")
		}
		people, err = s.byName(ctx, a, words)
	}
	if err != nil {
		return Found{}, err
	}
	if len(people) == 0 {
		return Found{}, onQuery(none)
	}
	f.More = len(people) > paging.Size
	f.Rows, err = s.rows(ctx, people[:min(len(people), paging.Size)])
	return f, err
}

func onQuery(key string) error {
	var bad fault.Fields
	bad.Add("q", key)
	return bad.Err()
}

// looksLikePhone tells a number from a name: digits and what people put between them.
func looksLikePhone(s string) bool {
	digits := 0
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9':
			digits++
		case unicode.IsSpace(r), strings.ContainsRune("+-()./", r):
		case strings.ContainsRune("extEXT", r) && digits >= 5: // an extension
		default:
			return false
		}
	}
	return digits >= 3
}

func (s *Service) byAddress(ctx context.Context, a actor.Actor, typed string) ([]models.Supporter, error) {
	m, err := mailboxes.Find(ctx, s.db.DB, s.vault, typed)
	var e *fault.Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound), err == nil && m.SupporterID == nil:
		return nil, nil
	case errors.As(err, &e) && e.Kind == fault.Invalid:
		return nil, onQuery(e.Key)
	case err != nil:
		return nil, err
	}
	p, err := visible(ctx, s.db.DB, a, *m.SupporterID)
	if fault.Is(err, fault.NotFound) {
		return nil, nil
	}
	return []models.Supporter{p}, err
}

func (s *Service) byPhone(ctx context.Context, a actor.Actor, typed string) (people []models.Supporter, err error) {
	var hashes [][]byte
	for _, k := range phoneKeys(typed) {
		hashes = append(hashes, phoneHash(s.vault, k))
	}
	return people, s.db.WithContext(ctx).Scopes(chapters.Scope(a, "supporters.chapter_id")).
		Where("id IN (SELECT supporter_id FROM phones WHERE number_hash IN ?)", hashes).
		Order("created_at DESC, id DESC").Limit(paging.Size + 1).Find(&people).Error
}

// byName returns who fits, the best first, as their records are now.
func (s *Service) byName(ctx context.Context, a actor.Actor, words []string) ([]models.Supporter, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	ids := s.names.match(words, a.Chapter(), mostFound)
	if len(ids) == 0 {
		return nil, nil
	}
	var people []models.Supporter
	err := s.db.WithContext(ctx).Scopes(chapters.Scope(a, "supporters.chapter_id")).Where("id IN ?", ids).Find(&people).Error
	if err != nil {
		return nil, err
	}
	w := newWanted(words)
	fits := make(map[uuid.UUID]fit, len(people))
	for _, p := range people {
		given, family, err := s.namesOf(p)
		if err != nil {
			return nil, err
		}
		fits[p.ID] = w.in([]byte(fold(given + " " + family)))
	}
	people = slices.DeleteFunc(people, func(p models.Supporter) bool { return fits[p.ID] == misses })
	slices.SortFunc(people, func(a, b models.Supporter) int {
		if d := int(fits[b.ID]) - int(fits[a.ID]); d != 0 {
			return d
		}
		return bytes.Compare(b.ID[:], a.ID[:])
	})
	return people, nil
}
