package mailings

import (
	"sync"
	"time"

	"github.com/google/uuid"
)

// maxKept is of how many mailings something is kept.
const maxKept = 256

// kept holds what was read of mailings, so that many who look share one question to the database. The zero value is ready.
type kept[T any] struct {
	mu sync.Mutex
	of map[uuid.UUID]*keptOne[T]
}

type keptOne[T any] struct {
	mu    sync.Mutex
	at    time.Time
	value T
}

// get returns what was read less than every ago, if it is still good, and reads it anew otherwise: once, whoever waits for it.
func (k *kept[T]) get(id uuid.UUID, every time.Duration, good func(T) bool, read func() (T, error)) (T, error) {
	k.mu.Lock()
	if k.of == nil || len(k.of) >= maxKept {
		k.of = map[uuid.UUID]*keptOne[T]{}
	}
	one := k.of[id]
	if one == nil {
		one = &keptOne[T]{}
		k.of[id] = one
	}
	k.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	if !one.at.IsZero() && time.Since(one.at) < every && good(one.value) {
		return one.value, nil
	}
	v, err := read()
	if err == nil {
		one.value, one.at = v, time.Now()
	}
	return v, err
}
