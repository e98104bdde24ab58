// Package deliverability is about mail that arrives: the keys that sign it (DKIM), what DNS says about the domain that it comes
// from, what the large mail services ask of those who write to many, and how fast, when and how far mail may go out.
//
//   - A key is made here and signs only once its record was found in DNS. It then takes the place of the one before it, whose
//     record should stay in DNS for some days: mails that are on their way are still checked against it.
//   - DNS is asked on a press of the button and once an hour. What it said is kept as a row, so that every node and every page
//     shows the same. A page that is only looked at asks nobody.
//   - The limits of sending are one plain value, models.Limits. This package checks and keeps it; whoever sends obeys it.
package deliverability

import (
	"context"
	"crypto"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/clock"
	"kithline/campaigns/jobs"
	"kithline/campaigns/organisation"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Server is the way out as far as it matters for what others can see of it.
type Server struct {
	Host string // the mail server's name; empty: none is known
	Safe bool   // the connection to it is encrypted, or it is this machine
}

// SigningKey is a key that signs mail for a domain.
type SigningKey struct {
	ID       uuid.UUID // uuid.Nil: it comes from the server's own settings
	Domain   string
	Selector string
	Key      crypto.Signer
}

// Options of a Service.
type Options struct {
	DB           *database.DB
	Vault        *vault.Vault
	Clock        clock.Clock
	Organisation *organisation.Service
	Resolver     *net.Resolver                         // nil = the machine's
	Server       func(context.Context) (Server, error) // the mail server in use
	Fixed        []SigningKey                          // keys of the server's own settings; Domain is empty. Where there are some, they sign instead of those made here
	Captured     func(context.Context) bool            // mail is kept, not sent: nobody needs to find anything in DNS; nil = never
	SiteURL      string                                // the address that mailed links begin with
}

// Service is safe for concurrent use.
type Service struct {
	Options

	mu     sync.Mutex
	limits kept[models.Limits]
	keys   kept[[]SigningKey]
	opened map[uuid.UUID]crypto.Signer // keys that were unsealed before
	looked kept[Report]                // what Checks found by itself
}

// New makes the service.
func New(o Options) *Service {
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.Captured == nil {
		o.Captured = func(context.Context) bool { return false }
	}
	return &Service{Options: o, opened: map[uuid.UUID]crypto.Signer{}}
}

// keep is how long a value of the database may be old: a change made by another node shows after this time.
const keep = time.Second

// kept is a value that was read lately.
type kept[T any] struct {
	value T
	of    string // what it is of, where that may change
	at    time.Time
	drops int
}

// lately returns what to holds if age says that it is young enough, by the machine's clock, else reads it anew.
func lately[T any](s *Service, to *kept[T], of string, age func(T) time.Duration, read func() (T, error)) (T, error) {
	s.mu.Lock()
	if !to.at.IsZero() && to.of == of && time.Since(to.at) < age(to.value) {
		defer s.mu.Unlock()
		return to.value, nil
	}
	drops := to.drops
	s.mu.Unlock()
	at := time.Now()
	v, err := read()
	if err != nil {
		return v, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if to.drops == drops && at.After(to.at) { // else it may be older than a change that was made meanwhile
		to.value, to.of, to.at = v, of, at
	}
	return v, nil
}

// drop makes the next lately read anew. Whoever changes what it reads calls it once that is committed.
func drop[T any](s *Service, from *kept[T]) {
	s.mu.Lock()
	from.at = time.Time{}
	from.drops++
	s.mu.Unlock()
}

func always[T any](d time.Duration) func(T) time.Duration { return func(T) time.Duration { return d } }

// fromDomain is the domain that mail comes from, "" where there is none yet.
func fromDomain(o models.Organisation) string {
	_, domain, _ := strings.Cut(o.FromAddress, "@")
	return strings.ToLower(domain)
}

// Regular asks DNS once an hour, for those who do not press the button: a key whose record was published begins to sign by itself.
func (s *Service) Regular() jobs.Regular {
	return jobs.Regular{Name: "deliverability_check", Every: time.Hour, Run: s.hourly}
}
