package divisions

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
)

// Service imports divisions, looks places up and shows where people live.
type Service struct {
	db    *database.DB
	clock clock.Clock

	mu    sync.Mutex
	after uuid.UUID // how far Daily came in a round that took longer than its time
}

// New makes the service.
func New(db *database.DB, c clock.Clock) *Service { return &Service{db: db, clock: c} }

// Region is how many divisions of a kind a state or a part of a country has.
type Region struct {
	Country, Region string
	Kind            models.DivisionKind
	Divisions       int // of today
	Ended           int
	Boundaries      int
}

// Regions lists what was imported, by country, region and kind. It needs the right actor.SeeFigures.
func (s *Service) Regions(ctx context.Context, a actor.Actor) ([]Region, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return nil, err
	}
	today := day(s.clock.Now())
	var out []Region
	err := s.db.WithContext(ctx).Table("divisions d").
		Select("d.country, d.region, d.kind, SUM(CASE WHEN "+valid("d")+" THEN 1 ELSE 0 END) AS divisions, "+
			"SUM(CASE WHEN d.valid_through <> '' AND d.valid_through < ? THEN 1 ELSE 0 END) AS ended, COUNT(b.id) AS boundaries", today, today, today).
		Joins("LEFT JOIN boundaries b ON b.division_id = d.id").Group("d.country, d.region, d.kind").
		Order("d.country, d.region, d.kind").Scan(&out).Error
	slices.SortStableFunc(out, func(x, y Region) int { return rank(x.Kind) - rank(y.Kind) })
	return out, err
}

// Source is one version of the data.
type Source struct {
	What    string // divisions, postal, boundaries
	Kind    models.DivisionKind
	Version string
	Rows    int
}

// Sources lists the versions of the data that are in use. It needs the right actor.SeeFigures.
func (s *Service) Sources(ctx context.Context, a actor.Actor) ([]Source, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return nil, err
	}
	var out []Source
	for _, q := range []struct{ what, from string }{
		{"divisions", "SELECT kind, version, COUNT(*) AS rows FROM divisions GROUP BY kind, version ORDER BY kind, version"},
		{"postal", "SELECT kind, version, COUNT(*) AS rows FROM postal_divisions GROUP BY kind, version ORDER BY kind, version"},
		{"boundaries", "SELECT d.kind, b.version, COUNT(*) AS rows FROM boundaries b JOIN divisions d ON d.id = b.division_id GROUP BY d.kind, b.version ORDER BY d.kind, b.version"},
	} {
		var rows []Source
		if err := s.db.WithContext(ctx).Raw(q.from).Scan(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			r.What = q.what
			out = append(out, r)
		}
	}
	return out, nil
}

// Row is one division in a list.
type Row struct {
	models.Division
	Ended      bool
	Supporters Shown
}

// maxRows is how many divisions of one kind and region a list has.
const maxRows = 1000

// List returns the divisions of a kind in a region, with how many supporters live in each: of the actor's chapter where there is
// one, hidden as Hide says. It needs the right actor.SeeFigures.
func (s *Service) List(ctx context.Context, a actor.Actor, country, region string, kind models.DivisionKind) ([]Row, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return nil, err
	}
	db := s.db.WithContext(ctx)
	var list []models.Division
	if err := db.Where("country = ? AND region = ? AND kind = ? AND same_as = ''", country, region, kind).Order("ocd_id").Limit(maxRows).Find(&list).Error; err != nil {
		return nil, err
	}
	slices.SortFunc(list, compare)
	q := db.Table("supporter_divisions x").Select("x.division_id AS id, COUNT(*) AS n").
		Joins("JOIN divisions d ON d.id = x.division_id").Where("d.country = ? AND d.region = ? AND d.kind = ?", country, region, kind)
	if a.Chapter() != nil {
		q = q.Joins("JOIN supporters ON supporters.id = x.supporter_id").Scopes(chapters.Scope(a, "supporters.chapter_id"))
	}
	var counted []struct {
		ID uuid.UUID
		N  int
	}
	if err := q.Group("x.division_id").Scan(&counted).Error; err != nil {
		return nil, err
	}
	by := map[uuid.UUID]int{}
	for _, c := range counted {
		by[c.ID] = c.N
	}
	counts := make([]int, len(list))
	for i, d := range list {
		counts[i] = by[d.ID]
	}
	shown, out := Hide(counts), make([]Row, len(list))
	now := s.clock.Now()
	for i, d := range list {
		out[i] = Row{Division: d, Ended: d.ValidThrough != "" && d.ValidThrough < day(now), Supporters: shown[i]}
	}
	return out, nil
}

// Lookup lists the divisions that a postal code lies in, for the box on the page. It needs the right actor.SeeFigures.
func (s *Service) Lookup(ctx context.Context, a actor.Actor, country, code string) ([]Choice, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return nil, err
	}
	return Candidates(ctx, s.db.DB, country, code, s.clock.Now())
}

// Homes is where one supporter lives, and what their postal code leaves to choose from.
type Homes struct {
	PostalArea, Country string
	Homes               []Home
	Choices             []Choice
}

// Homes returns where a supporter lives. It needs the right actor.SeeSupporters; the fault is NotFound, error.supporter_unknown.
func (s *Service) Homes(ctx context.Context, a actor.Actor, supporter uuid.UUID) (Homes, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return Homes{}, err
	}
	p, err := s.person(ctx, s.db.DB, a, supporter)
	if err != nil {
		return Homes{}, err
	}
	h, now := Homes{PostalArea: p.PostalArea, Country: p.Country}, s.clock.Now()
	if h.Homes, err = Of(ctx, s.db.DB, supporter, now); err != nil {
		return Homes{}, err
	}
	h.Choices, err = Candidates(ctx, s.db.DB, p.Country, p.PostalArea, now)
	return h, err
}

// person reads a supporter whom the actor may see.
func (s *Service) person(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Supporter, error) {
	var p models.Supporter
	err := tx.WithContext(ctx).Scopes(chapters.Scope(a, "supporters.chapter_id")).Where("id = ?", id).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return p, fault.New(fault.NotFound, "error.supporter_unknown")
	}
	return p, err
}

// change runs fn for a supporter whom the actor may edit, and notes it.
func (s *Service) change(ctx context.Context, a actor.Actor, supporter uuid.UUID, details map[string]any, fn func(tx *gorm.DB, now time.Time) error) error {
	if err := a.Need(actor.EditSupporters); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := s.person(ctx, tx, a, supporter); err != nil {
			return err
		}
		now := s.clock.Now()
		if err := fn(tx, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "supporter.district", "supporters", supporter, details)
	})
}

// SetByHand notes a division that an organizer knows of. It needs the right actor.EditSupporters; the faults are those of Set, and
// NotFound, error.supporter_unknown.
func (s *Service) SetByHand(ctx context.Context, a actor.Actor, supporter, division uuid.UUID) error {
	return s.change(ctx, a, supporter, map[string]any{"how": models.ByHand}, func(tx *gorm.DB, now time.Time) error {
		return Set(ctx, tx, supporter, division, models.ByHand, now)
	})
}

// Unset forgets a supporter's division of a kind, and lets the postal area say it again. It needs the right actor.EditSupporters;
// the fault is NotFound, error.supporter_unknown.
func (s *Service) Unset(ctx context.Context, a actor.Actor, supporter uuid.UUID, kind models.DivisionKind) error {
	return s.change(ctx, a, supporter, map[string]any{"how": ""}, func(tx *gorm.DB, now time.Time) error { return Unset(ctx, tx, supporter, kind, now) })
}

// Locate notes the divisions that a point lies in: latitude and longitude in degrees (WGS 84), as an organizer reads them from a
// map. The point itself is not kept. Kinds that somebody who can know better set are left as they are. It returns how many divisions
// contain the point. It needs the right actor.EditSupporters; the faults are Invalid, error.point_invalid for what is no place and
// error.point_nowhere for one in no boundary, and NotFound, error.supporter_unknown.
func (s *Service) Locate(ctx context.Context, a actor.Actor, supporter uuid.UUID, lat, lon float64) (int, error) {
	if !onEarth(lat, lon) {
		return 0, fault.New(fault.Invalid, "error.point_invalid")
	}
	n := 0
	err := s.change(ctx, a, supporter, map[string]any{"how": models.ByPoint}, func(tx *gorm.DB, now time.Time) error {
		list, err := At(ctx, tx, lat, lon, now)
		if err != nil {
			return err
		}
		n = 0
		for i, d := range list {
			if i > 0 && list[i-1].Kind == d.Kind || i+1 < len(list) && list[i+1].Kind == d.Kind {
				continue // two boundaries overlap there: it stays open
			}
			if err := Set(ctx, tx, supporter, d.ID, models.ByPoint, now); err != nil && !fault.Is(err, fault.Conflict) {
				return err
			}
			n++
		}
		if n == 0 {
			return fault.New(fault.Invalid, "error.point_nowhere")
		}
		return nil
	})
	return n, err
}

// Daily places people again whose divisions began or ended in the last days. It may run as often as it likes: one run takes at
// most half a minute, and the next goes on where it ended.
func (s *Service) Daily(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.clock.Now()
	since, today := day(now.AddDate(0, 0, -8)), day(now)
	var ids []uuid.UUID
	err := s.db.WithContext(ctx).Model(&models.Division{}).
		Where("(valid_from > ? AND valid_from <= ?) OR (valid_through >= ? AND valid_through < ?)", since, today, since, today).Order("id").Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return err
	}
	until := time.Now().Add(30 * time.Second)
	_, s.after, err = s.again(ctx, s.touching(ids), s.after, func(Placed) bool { return time.Now().Before(until) })
	return err
}

// scope narrows a query for supporters, who are called s.
type scope func(q *gorm.DB) *gorm.DB

// touching are the people whose postal area has to do with one of the divisions.
func (s *Service) touching(ids []uuid.UUID) scope {
	return func(q *gorm.DB) *gorm.DB {
		either := s.db.Where("1 = 0")
		for part := range slices.Chunk(ids, chunk) {
			either = either.Or("EXISTS (SELECT 1 FROM postal_divisions p WHERE "+covers+" AND p.division_id IN ?)", part)
		}
		return q.Where(either)
	}
}

// again places the people of a scope. It goes by id from after on, in steps of a transaction each, until goOn says no, and
// returns where it ended: uuid.Nil at the end.
func (s *Service) again(ctx context.Context, who scope, after uuid.UUID, goOn func(Placed) bool) (Placed, uuid.UUID, error) {
	var sum Placed
	for {
		var ids []uuid.UUID
		q := s.db.WithContext(ctx).Table("supporters s").Where("s.id > ? AND s.postal_area <> ''", after).Scopes(who)
		if err := q.Order("s.id").Limit(crowd).Pluck("s.id", &ids).Error; err != nil {
			return sum, after, err
		}
		n, err := s.step(ctx, ids)
		if err != nil {
			return sum, after, err
		}
		sum.Looked, sum.Found, sum.Open = sum.Looked+n.Looked, sum.Found+n.Found, sum.Open+n.Open
		if len(ids) < crowd {
			return sum, uuid.Nil, nil
		}
		after = ids[len(ids)-1]
		if !goOn(sum) {
			return sum, after, nil
		}
	}
}

func (s *Service) step(ctx context.Context, ids []uuid.UUID) (n Placed, err error) {
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		n, err = placeAll(ctx, tx, ids, s.clock.Now())
		return err
	})
	return n, err
}
