package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
	"gorm.io/gorm"

	"kithline/campaigns/divisions"
	"kithline/campaigns/legislators"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/migrations"
)

// The promises about who represents a place.
const (
	postalLimit = time.Millisecond
	pointLimit  = 5 * time.Millisecond
	batchLimit  = 30 * time.Second

	placePeople    = 100_000
	placeCodes     = 33_000
	placeDistricts = 438
	placeCorners   = 1200 // of a district's boundary, many more than the Census Bureau's simplified ones have: a few dozen
)

// places measures the look-up of a postal code and of a point, and the matching of everybody at once.
func (b *bench) places(ctx context.Context) error {
	people := placePeople
	if b.rounds == 1 {
		people /= 10
		b.out.note("places: -short matches a tenth of the people; the promise is about all")
	}
	if err := b.placesOn(ctx, "SQLite", "sqlite:"+filepath.Join(b.dir, "places.db"), people); err != nil {
		return err
	}
	pg, err := durableServer()
	if err != nil {
		b.out.note("places: PostgreSQL is not measured: %v", err)
		return nil
	}
	return b.placesOn(ctx, "PostgreSQL", pg, people)
}

func (b *bench) placesOn(ctx context.Context, name, url string, people int) (err error) {
	db, err := database.Open(ctx, database.Options{URL: url, Building: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := migrations.Up(ctx, db); err != nil {
		return err
	}
	now := time.Date(2026, 6, 20, 12, 0, 0, 0, time.UTC)
	w, err := placeWorld(ctx, db, people, now)
	if err != nil {
		return err
	}
	const asked = 2000
	each := func(fn func(i int) error) ([]time.Duration, error) {
		took := make([]time.Duration, asked)
		for i := range asked {
			began := time.Now()
			if err := fn(i); err != nil {
				return nil, err
			}
			took[i] = time.Since(began)
		}
		slices.Sort(took)
		return took, nil
	}
	code := func(i int) string { return fmt.Sprintf("%05d", i*7919%placeCodes) }
	plain, err := each(func(i int) error {
		var ids []string
		return db.WithContext(ctx).Raw("SELECT division_id FROM postal_divisions WHERE postal_area = ?", code(i)).Scan(&ids).Error
	})
	if err != nil {
		return err
	}
	show := func(what string, took []time.Duration, limit time.Duration, promised string) {
		l := line{what: what, figure: fmt.Sprintf("%.3f ms", took[asked/2].Seconds()*1000), p50: took[asked/2], p99: took[asked*99/100]}
		l.beside = fmt.Sprintf("one bare SELECT of the postal code takes %.3f ms: %s times that", plain[asked/2].Seconds()*1000, ratio(float64(took[asked/2]), float64(plain[asked/2])))
		if limit > 0 {
			l.beside = b.out.promise(took[asked/2] < limit, promised) + "; " + l.beside
		}
		b.out.add(l)
	}
	took, err := each(func(i int) error {
		list, err := divisions.Candidates(ctx, db.DB, "US", code(i), now)
		if err == nil && len(list) == 0 {
			err = fmt.Errorf("nothing is known of %s", code(i))
		}
		return err
	})
	if err != nil {
		return err
	}
	show("postal code to its districts, "+name, took, postalLimit, "under 1 ms")
	took, err = each(func(i int) error {
		m, err := legislators.Find(ctx, db.DB, legislators.Place{Country: "US", PostalCode: code(i)}, now)
		if err == nil && len(m.Seats)+len(m.Choices) == 0 {
			err = fmt.Errorf("nobody represents %s", code(i))
		}
		return err
	})
	if err != nil {
		return err
	}
	show("postal code to members with their offices, "+name, took, 0, "")
	for i := range w.middles { // each boundary is read once
		if _, err := divisions.At(ctx, db.DB, w.middles[i][1], w.middles[i][0], now); err != nil {
			return err
		}
	}
	took, err = each(func(i int) error {
		at := w.middles[i%len(w.middles)]
		list, err := divisions.At(ctx, db.DB, at[1]+float64(i%7)/100, at[0], now)
		if err == nil && len(list) != 1 {
			err = fmt.Errorf("%d districts at %v", len(list), at)
		}
		return err
	})
	if err != nil {
		return err
	}
	show(fmt.Sprintf("point in %d polygons, %s", placeDistricts, name), took, pointLimit, "under 5 ms")
	return b.batchOn(ctx, name, db, w, people, now)
}

// batchOn measures matching everybody: from postal codes to districts, and from those to who sits there.
func (b *bench) batchOn(ctx context.Context, name string, db *database.DB, w placed, people int, now time.Time) error {
	began := time.Now()
	for part := range slices.Chunk(w.people, 2000) {
		if err := db.Tx(ctx, func(tx *gorm.DB) error { return divisions.Place(ctx, tx, part, now) }); err != nil {
			return err
		}
	}
	lived := time.Since(began)
	if err := db.WithContext(ctx).Exec("ANALYZE").Error; err != nil {
		return err
	}
	began = time.Now()
	n := 0
	for _, c := range w.chambers {
		if err := legislators.MatchAll(ctx, db.DB, c, now, func(uuid.UUID, uuid.UUID) error { n++; return nil }); err != nil {
			return err
		}
	}
	matched := time.Since(began)
	if n < 2*people {
		return fmt.Errorf("%d pairs of %d people: the world is wrong", n, people)
	}
	began = time.Now()
	for _, id := range w.people[:min(people, 1000)] {
		p, err := legislators.PlaceOf(ctx, db.DB, id, now)
		if err != nil {
			return err
		}
		if _, err := legislators.Find(ctx, db.DB, p, now); err != nil {
			return err
		}
	}
	single := time.Since(began) * time.Duration(people/min(people, 1000))
	l := line{what: fmt.Sprintf("%s supporters matched, %s", number(people), name), figure: fmt.Sprintf("%.1f s", (lived + matched).Seconds())}
	l.beside = fmt.Sprintf("districts %.1f s, members %.1f s, %s pairs; one after the other would take %.0f s: %s times that",
		lived.Seconds(), matched.Seconds(), number(n), single.Seconds(), ratio(float64(lived+matched), float64(single)))
	if people == placePeople {
		l.beside = b.out.promise(lived+matched < batchLimit, "under 30 s") + "; " + l.beside
	}
	b.out.add(l)
	return nil
}

// placed is what the measurements need to know of the world.
type placed struct {
	people   []uuid.UUID
	chambers []uuid.UUID
	middles  []orb.Point // of the districts
}

// placeWorld makes 50 states with 438 districts in all on a grid, each with a jagged boundary, who sits in them and in a senate, postal
// codes of which one in five spans two districts, and supporters.
func placeWorld(ctx context.Context, db *database.DB, people int, now time.Time) (placed, error) {
	var w placed
	var list []models.Division
	var shapes []models.Boundary
	var codes []models.PostalDivision
	j := models.Jurisdiction{ID: models.NewID(), Code: "us", Name: "United States", Country: "US", CreatedAt: now, UpdatedAt: now}
	senate := models.Chamber{ID: models.NewID(), JurisdictionID: j.ID, Code: "upper", Name: "Senate", CreatedAt: now, UpdatedAt: now}
	house := models.Chamber{ID: models.NewID(), JurisdictionID: j.ID, Code: "lower", Name: "House", DivisionKind: models.DivisionCongress, CreatedAt: now, UpdatedAt: now}
	w.chambers = []uuid.UUID{senate.ID, house.ID}
	var who []models.Legislator
	var terms []models.Term
	var offices []models.Office
	var ways []models.Channel
	sits := func(c models.Chamber, ocd string, d *uuid.UUID) {
		n := len(who)
		l := models.Legislator{ID: models.NewID(), Source: string(models.SourceCongress), ExternalID: fmt.Sprint("x", n), Name: fmt.Sprint("Member ", n), FamilyName: fmt.Sprint(n), CreatedAt: now, UpdatedAt: now}
		who = append(who, l)
		terms = append(terms, models.Term{ID: models.NewID(), LegislatorID: l.ID, ChamberID: c.ID, OCDID: ocd, DivisionID: d, ValidFrom: "2025-01-03", ValidThrough: "2027-01-03", CreatedAt: now, UpdatedAt: now})
		for i := range 3 {
			offices = append(offices, models.Office{ID: models.NewID(), LegislatorID: l.ID, SourceKey: fmt.Sprint(i), Kind: "district", Street: "1 Main St", City: "Wennick", CreatedAt: now, UpdatedAt: now})
		}
		ways = append(ways, models.Channel{ID: models.NewID(), LegislatorID: l.ID, Kind: models.ChannelWebForm, Value: "https://example.org/write", CreatedAt: now, UpdatedAt: now})
	}
	state := func(i int) string { return string([]byte{byte('A' + i/26), byte('A' + i%26)}) }
	for i := range 50 {
		id := "ocd-division/country:us/state:" + strings.ToLower(state(i))
		sits(senate, id, nil)
		sits(senate, id, nil)
	}
	for i := range placeDistricts {
		s := state(i * 50 / placeDistricts)
		d := models.Division{ID: models.NewID(), OCDID: fmt.Sprintf("ocd-division/country:us/state:%s/cd:%d", strings.ToLower(s), i+1), Name: fmt.Sprint("District ", i+1), Country: "US", Region: s, Kind: models.DivisionCongress, Version: "v", CreatedAt: now, UpdatedAt: now}
		list = append(list, d)
		sits(house, d.OCDID, &d.ID)
		shape, bound := jagged(float64(i%22)*2-120, float64(i/22)*1.2+24, i)
		raw, err := wkb.Marshal(shape)
		if err != nil {
			return w, err
		}
		w.middles = append(w.middles, bound.Center())
		shapes = append(shapes, models.Boundary{ID: models.NewID(), DivisionID: d.ID, Shape: raw, West: bound.Min[0], South: bound.Min[1], East: bound.Max[0], North: bound.Max[1], Version: "v", UpdatedAt: now})
	}
	for i := range placeCodes {
		first := i * placeDistricts / placeCodes
		for k := range 1 + (i%5)/4 {
			codes = append(codes, models.PostalDivision{Country: "US", PostalArea: fmt.Sprintf("%05d", i), DivisionID: list[(first+k)%placeDistricts].ID, Kind: models.DivisionCongress, Version: "v"})
		}
	}
	supporters := make([]models.Supporter, people)
	for i := range people {
		supporters[i] = models.Supporter{ID: models.NewID(), Country: "US", PostalArea: fmt.Sprintf("%05d", i*7919%placeCodes), CreatedAt: now, UpdatedAt: now}
		w.people = append(w.people, supporters[i].ID)
	}
	err := db.Tx(ctx, func(tx *gorm.DB) error {
		for _, rows := range []any{&j, &senate, &house} {
			if err := tx.Create(rows).Error; err != nil {
				return err
			}
		}
		return errors.Join(insert(tx, list), insert(tx, shapes), insert(tx, codes), insert(tx, who), insert(tx, terms), insert(tx, offices), insert(tx, ways), insert(tx, supporters))
	})
	if err != nil {
		return w, err
	}
	return w, db.WithContext(ctx).Exec("ANALYZE").Error
}

func insert[T any](tx *gorm.DB, rows []T) error { return tx.CreateInBatches(rows, 500).Error }

// jagged is a district of the grid whose sides are ragged inwards, so that neighbours never overlap.
func jagged(west, south float64, seed int) (orb.MultiPolygon, orb.Bound) {
	const width, height, side = 2.0, 1.2, placeCorners / 4
	var r orb.Ring
	for k := range 4 * side {
		along, dent := float64(k%side)/side, 0.02*math.Abs(math.Sin(float64(k*k+seed)))
		switch k / side {
		case 0:
			r = append(r, orb.Point{west + width*along, south + dent})
		case 1:
			r = append(r, orb.Point{west + width - dent, south + height*along})
		case 2:
			r = append(r, orb.Point{west + width*(1-along), south + height - dent})
		default:
			r = append(r, orb.Point{west + dent, south + height*(1-along)})
		}
	}
	r = append(r, r[0])
	m := orb.MultiPolygon{{r}}
	return m, m.Bound()
}
