// Package organisation holds what the one organisation that this server belongs to says about itself: its names and
// address, how it writes mail, its languages and colour, its privacy notice and its accessibility page.
//
// The row is made at the first start, before anybody set anything up. Setup fills it and ends when the first owner has an
// account (campaigns/users); from then on an owner changes it on the settings pages. Every change is in the audit log.
package organisation

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/clock"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// ID is the id of the one row. It is the same everywhere, so that two nodes that start together make one row.
var ID = uuid.MustParse("00000000-0000-7000-8000-000000000001")

// Languages are those that an organisation may choose from.
var Languages = []string{"en", "es"}

// keep is how long Current may return an old row: a change made by another node shows after this time.
const keep = time.Second

// Service reads and changes the organisation. It is safe for concurrent use.
type Service struct {
	db    *database.DB
	vault *vault.Vault
	clock clock.Clock

	mu     sync.Mutex
	row    models.Organisation
	readAt time.Time // zero: the row is to be read again
	drops  int
}

// New makes the service. Call Ensure before the first request.
func New(db *database.DB, v *vault.Vault, clk clock.Clock) *Service {
	return &Service{db: db, vault: v, clock: clk}
}

// Ensure makes the organisation's row if there is none, and returns it. Every start calls it; several may at once.
func (s *Service) Ensure(ctx context.Context) (models.Organisation, error) {
	now := s.clock.Now()
	row := models.Organisation{
		ID: ID, Name: "Kithline", ShortName: "Kithline", TimeZone: "UTC", Languages: strings.Join(Languages, ","), Accent: "#1c5c4d", MailingsDays: 7,
		SMTPTLS: TLSStart, RetentionMonths: 24, ReviewNearHours: 72, ReviewDueHours: 120, CreatedAt: now, UpdatedAt: now,
	}
	err := s.db.WithContext(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoNothing: true}).Create(&row).Error
	if err != nil {
		return models.Organisation{}, err
	}
	s.Drop()
	return s.Current(ctx)
}

// Current returns the organisation. It is asked for on every page and is at most a second old; a change made by this
// process shows at once.
func (s *Service) Current(ctx context.Context) (models.Organisation, error) {
	s.mu.Lock()
	if !s.readAt.IsZero() && time.Since(s.readAt) < keep {
		defer s.mu.Unlock()
		return s.row, nil
	}
	drops := s.drops
	s.mu.Unlock()

	at := time.Now()
	row, err := load(ctx, s.db.DB)
	if err != nil {
		return models.Organisation{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drops == drops && at.After(s.readAt) { // else it may be older than a change that was made meanwhile
		s.row, s.readAt = row, at
	}
	return row, nil
}

// Drop makes the next Current read the row anew. Whoever changes the row calls it once that is committed.
func (s *Service) Drop() {
	s.mu.Lock()
	s.readAt = time.Time{}
	s.drops++
	s.mu.Unlock()
}

func load(ctx context.Context, tx *gorm.DB) (row models.Organisation, err error) {
	err = tx.WithContext(ctx).Where("id = ?", ID).Take(&row).Error
	return row, err
}

// Configured reports whether the first step of setup was done: there is a name, and an address that mail comes from.
func Configured(o models.Organisation) bool { return o.FromAddress != "" }

// CanBulkMail reports whether mail to many may go out: the law of many places asks for a postal address in it.
func CanBulkMail(o models.Organisation) bool { return o.PostalAddress != "" && Configured(o) }

// Spoken lists the organisation's languages, the default first. It is never empty.
func Spoken(o models.Organisation) []string {
	var out []string
	for _, l := range strings.Split(o.Languages, ",") {
		if slices.Contains(Languages, l) && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	if len(out) == 0 {
		return Languages[:1]
	}
	return out
}

// Language returns wished if the organisation speaks it, else its default.
func Language(o models.Organisation, wished string) string {
	all := Spoken(o)
	if slices.Contains(all, wished) {
		return wished
	}
	return all[0]
}

// Zone is the organisation's time zone, UTC where it cannot be loaded.
func Zone(o models.Organisation) *time.Location {
	if z, ok := zones.Load(o.TimeZone); ok {
		return z.(*time.Location)
	}
	z, err := time.LoadLocation(o.TimeZone)
	if err != nil {
		return time.UTC
	}
	zones.Store(o.TimeZone, z)
	return z
}

// zones are those that were read before, by name: every page asks, and reading one means opening a file.
var zones sync.Map

// FinishSetup marks the setup as done in tx, and reports whether it was this call that did. Two that run at once get one
// true. campaigns/users calls it with the first owner's account.
func FinishSetup(ctx context.Context, tx *gorm.DB, now time.Time) (bool, error) {
	r := tx.WithContext(ctx).Model(&models.Organisation{}).Where("id = ? AND setup_at IS NULL", ID).
		Updates(map[string]any{"setup_at": now, "updated_at": now})
	return r.RowsAffected == 1, r.Error
}
