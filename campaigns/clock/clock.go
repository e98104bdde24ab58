// Package clock is the project's injected time. Every stored time is UTC with microseconds, which is what both databases
// keep, so that a value read back equals the value written.
package clock

import (
	"sync"
	"time"
)

// Clock tells the time. The zero value is not usable; take System or NewFixed.
type Clock interface{ Now() time.Time }

type system struct{}

func (system) Now() time.Time { return Trim(time.Now()) }

// System is the machine's clock.
var System Clock = system{}

// Trim brings a time to the form that is stored: UTC, microseconds.
func Trim(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// Fixed is a clock that stands still until it is set or moved: for tests and for building the sample world in its own
// past. It is safe for concurrent use.
type Fixed struct {
	mu sync.Mutex
	t  time.Time
}

// NewFixed returns a clock that stands at t.
func NewFixed(t time.Time) *Fixed { return &Fixed{t: Trim(t)} }

// Now returns where the clock stands.
func (f *Fixed) Now() time.Time { f.mu.Lock(); defer f.mu.Unlock(); return f.t }

// Set moves the clock to t.
func (f *Fixed) Set(t time.Time) { f.mu.Lock(); f.t = Trim(t); f.mu.Unlock() }

// Add moves the clock by d and returns where it stands then.
func (f *Fixed) Add(d time.Duration) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.t = f.t.Add(d)
	return f.t
}
