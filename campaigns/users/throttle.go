package users

import (
	"context"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/fault"
	"kithline/models"
)

// window is how long a try counts.
const window = 15 * time.Minute

// limit is how many tries of a kind pass in a window.
type limit struct {
	purpose string // of the keyed hash
	max     int
}

var (
	passwordsOfAccount = limit{"users/password/account", 5}
	passwordsOfClient  = limit{"users/password/client", 20}
	codesOfAccount     = limit{"users/code/account", 5}
	linksOfAccount     = limit{"users/link/account", 3}
	linksOfClient      = limit{"users/link/client", 10}
)

// try is one use of a limit, by whom or against whom.
type try struct {
	limit limit
	key   []byte
}

func (s *Service) try(l limit, data []byte) try { return try{l, s.vault.Hash(l.purpose, data)} }

// attempts are the rows of tries that were let through.
type attempts struct {
	ids  []uuid.UUID
	keys [][]byte
}

// attempt counts tries before they are made. It writes its rows first and counts after: of tries made at the same moment,
// on whichever node, never more than the limit pass. It returns a TooMany fault, error.login_throttled, with RetryAfter.
func (s *Service) attempt(ctx context.Context, tries ...try) (attempts, error) {
	now := s.clock.Now()
	var at attempts
	rows := make([]models.LoginFailure, len(tries))
	for i, t := range tries {
		rows[i] = models.LoginFailure{ID: models.NewID(), KeyHash: t.key, At: now}
		at.ids, at.keys = append(at.ids, rows[i].ID), append(at.keys, t.key)
	}
	if err := s.db.WithContext(ctx).Create(&rows).Error; err != nil {
		return at, err
	}
	var wait time.Duration
	for _, t := range tries {
		var times []time.Time
		err := s.db.WithContext(ctx).Model(&models.LoginFailure{}).Where("key_hash = ? AND at > ? AND id NOT IN ?", t.key, now.Add(-window), at.ids).
			Order("at DESC").Limit(t.limit.max).Pluck("at", &times).Error
		if err != nil {
			return at, err
		}
		if len(times) == t.limit.max { // it is free again once the oldest of these has left the window
			wait = max(wait, times[len(times)-1].Add(window).Sub(now), time.Second)
		}
	}
	if wait == 0 {
		return at, nil
	}
	// A try that is refused does not count, else whoever keeps trying would wait for ever.
	if err := s.db.WithContext(ctx).Where("id IN ?", at.ids).Delete(&models.LoginFailure{}).Error; err != nil {
		return at, err
	}
	minutes := int((wait + time.Minute - 1) / time.Minute)
	return at, fault.New(fault.TooMany, "error.login_throttled", "Count", minutes, "RetryAfter", wait)
}

// forgive takes tries back that were right: their own rows, and every failure of the first key, the account's.
func (s *Service) forgive(ctx context.Context, at attempts) error {
	return s.db.WithContext(ctx).Where("id IN ? OR key_hash = ?", at.ids, at.keys[0]).Delete(&models.LoginFailure{}).Error
}
