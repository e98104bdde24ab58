package divisions

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// What a file to import holds.
const (
	FileOCD    = "ocd"    // CSV: id, name, sameAs, validFrom, validThrough
	FileZIP    = "zip"    // CSV: state_fips, state_abbr, zcta, cd
	FilePostal = "postal" // CSV: postal_code, id
	FileGeo    = "geo"    // GeoJSON
)

// FileKinds lists what a file can hold.
var FileKinds = []string{FileOCD, FileZIP, FilePostal, FileGeo}

// Options say how a file is imported.
type Options struct {
	Kind    string // FileOCD, FileZIP, FilePostal, FileGeo
	Version string // names the data in records: the file and a day
	DryRun  bool   // compares and writes nothing
	Force   bool   // takes the file however much of the data it lacks
	Part    bool   // the file is a part of the data: what it lacks stays
	MaxGone int    // the share of the data, in percent, that a file may lack without Force; 0 = 10
}

// Progress is how far an import is.
type Progress struct {
	Step  string // read, write, place
	Done  int
	Total int // 0 where it is not known
}

// Result is what an import did, or in a dry run would do.
type Result struct {
	Kind    string    `json:"kind"`
	Version string    `json:"version"`
	DryRun  bool      `json:"dry_run"`
	New     int       `json:"new"`
	Changed int       `json:"changed"`
	Gone    int       `json:"gone"` // in the data and not in the file: divisions get a last day, the rest is deleted
	Kept    int       `json:"kept"`
	Skipped int       `json:"skipped"` // lines that were not taken
	Bad     []BadLine `json:"-"`       // the first of them
	Samples []Sample  `json:"samples"` // some of what is new, changed or gone
	Placed  Placed    `json:"placed"`  // the people whose answer may have changed
}

// Sample is one difference.
type Sample struct {
	What string `json:"what"` // new, changed, gone
	Name string `json:"name"`
}

// maxSamples is how many differences of a sort a result names.
const maxSamples = 10

func (r *Result) note(what, name string) {
	n, counter := 0, map[string]*int{"new": &r.New, "changed": &r.Changed, "gone": &r.Gone}[what]
	*counter++
	for _, s := range r.Samples {
		if s.What == what {
			n++
		}
	}
	if n < maxSamples {
		r.Samples = append(r.Samples, Sample{what, name})
	}
}

// plan is what an import has to write, in steps that may each be written again.
type plan struct {
	steps []func(tx *gorm.DB, now time.Time) error
	had   int   // rows of the data that the file speaks for
	who   scope // who is placed again: whether a run before this one came so far is not known; nil = nobody
}

// Import reads a file, compares it with the data and writes the difference; then it places the people whose answer may have
// changed. A file speaks for the regions and kinds that it has; what it lacks of them is gone: divisions are never deleted, they
// get a last day. Everything is read and compared before anything is written, and a run that was stopped can be run again. It
// needs the right actor.Administer. The faults are Invalid: error.divisions_kind, error.divisions_empty, error.divisions_header,
// error.divisions_json, error.divisions_geojson, error.divisions_crs, error.divisions_many, error.divisions_large,
// error.divisions_none where no line could be taken, and error.divisions_gone where too much is missing.
func (s *Service) Import(ctx context.Context, a actor.Actor, r io.Reader, o Options, show func(Progress)) (Result, error) {
	res := Result{Kind: o.Kind, Version: o.Version, DryRun: o.DryRun, Samples: []Sample{}}
	if err := a.Need(actor.Administer); err != nil {
		return res, err
	}
	if show == nil {
		show = func(Progress) {}
	}
	if o.MaxGone == 0 {
		o.MaxGone = 10
	}
	show(Progress{Step: "read"})
	p, err := s.compare(ctx, r, o, &res)
	if err != nil {
		return res, err
	}
	switch {
	case res.New+res.Changed+res.Kept == 0:
		return res, fault.New(fault.Invalid, "error.divisions_none")
	case !o.Force && res.Gone*100 > p.had*o.MaxGone && res.Gone > 1 && !o.DryRun:
		return res, fault.New(fault.Invalid, "error.divisions_gone", "Gone", res.Gone, "Had", p.had, "Max", o.MaxGone)
	case o.DryRun:
		return res, nil
	}
	for i, step := range p.steps {
		now := s.clock.Now()
		if err := s.db.Tx(ctx, func(tx *gorm.DB) error { return step(tx, now) }); err != nil {
			return res, err
		}
		show(Progress{Step: "write", Done: i + 1, Total: len(p.steps)})
	}
	if p.who != nil {
		res.Placed, _, err = s.again(ctx, p.who, uuid.Nil, func(n Placed) bool { show(Progress{Step: "place", Done: n.Looked}); return true })
		if err != nil {
			return res, err
		}
	}
	return res, s.db.Tx(ctx, func(tx *gorm.DB) error {
		return audit.Write(ctx, tx, a, s.clock.Now(), "divisions.import", "divisions", uuid.Nil, map[string]any{
			"kind": o.Kind, "version": o.Version, "new": res.New, "changed": res.Changed, "gone": res.Gone, "kept": res.Kept, "skipped": res.Skipped, "placed": res.Placed.Found,
		})
	})
}

// compare reads the file and finds what differs.
func (s *Service) compare(ctx context.Context, r io.Reader, o Options, res *Result) (plan, error) {
	var wrong bad
	var p plan
	var err error
	switch o.Kind {
	case FileOCD:
		var rows []listed
		if rows, err = readOCD(r, &wrong); err == nil {
			p, err = s.planOCD(ctx, rows, o, res)
		}
	case FileZIP, FilePostal:
		var rows []crossing
		read := readZIP
		if o.Kind == FilePostal {
			read = readPostal
		}
		if rows, err = read(r, &wrong); err == nil {
			p, err = s.planPostal(ctx, rows, &wrong, o, res)
		}
	case FileGeo:
		var rows []outline
		if rows, err = readGeo(r, &wrong); err == nil {
			p, err = s.planGeo(ctx, rows, &wrong, o, res)
		}
	default:
		err = fault.New(fault.Invalid, "error.divisions_kind", "Kinds", strings.Join(FileKinds, ", "))
	}
	res.Skipped, res.Bad = wrong.n, wrong.list
	return p, err
}

// place is what a file speaks for: a kind in a region.
type place struct {
	country, region string
	kind            models.DivisionKind
}

// known reads the divisions of countries, by id: some thousands of rows.
func (s *Service) known(ctx context.Context, countries map[string]bool) (map[string]models.Division, error) {
	out := map[string]models.Division{}
	for c := range countries {
		for after := ""; ; {
			var rows []models.Division
			if err := s.db.WithContext(ctx).Where("country = ? AND ocd_id > ?", c, after).Order("ocd_id").Limit(2000).Find(&rows).Error; err != nil {
				return nil, err
			}
			for _, d := range rows {
				out[d.OCDID] = d
			}
			if len(rows) < 2000 {
				break
			}
			after = rows[len(rows)-1].OCDID
		}
	}
	return out, nil
}

func (s *Service) planOCD(ctx context.Context, rows []listed, o Options, res *Result) (plan, error) {
	countries := map[string]bool{}
	for _, d := range rows {
		countries[d.Country] = true
	}
	have, err := s.known(ctx, countries)
	if err != nil {
		return plan{}, err
	}
	var (
		p      plan
		write  []models.Division
		speaks = map[place]bool{}
		inFile = map[string]bool{}
		now    = s.clock.Now()
		dated  = false
	)
	for _, f := range rows {
		d := f.Division
		inFile[d.OCDID], dated = true, f.names
		speaks[place{d.Country, d.Region, d.Kind}] = true
		d.Version, d.CreatedAt, d.UpdatedAt = o.Version, now, now
		old, ok := have[d.OCDID]
		if !ok {
			d.ID = models.NewID()
			res.note("new", d.OCDID)
			write = append(write, d)
			continue
		}
		d.ID, d.CreatedAt = old.ID, old.CreatedAt
		if !f.aliases {
			d.SameAs = old.SameAs // a list without that column says nothing about it
		}
		if !f.names {
			d.Name, d.ValidFrom, d.ValidThrough = old.Name, old.ValidFrom, old.ValidThrough
		}
		if d.Name == old.Name && d.SameAs == old.SameAs && d.ValidFrom == old.ValidFrom && d.ValidThrough == old.ValidThrough {
			res.Kept++
			d.UpdatedAt = old.UpdatedAt
			if d.Version == old.Version || !f.names {
				continue
			}
		} else {
			res.note("changed", d.OCDID)
		}
		write = append(write, d)
	}
	if dated && !o.Part { // a list of other names says nothing about what there is
		yesterday := day(now.AddDate(0, 0, -1))
		for _, id := range sorted(have) {
			d := have[id]
			if !speaks[place{d.Country, d.Region, d.Kind}] || d.SameAs != "" {
				continue
			}
			if p.had++; inFile[id] || d.ValidThrough != "" && d.ValidThrough <= yesterday {
				continue
			}
			d.ValidThrough, d.UpdatedAt = yesterday, now
			res.note("gone", id)
			write = append(write, d)
		}
	}
	for part := range slices.Chunk(write, chunk) {
		p.steps = append(p.steps, func(tx *gorm.DB, _ time.Time) error {
			return tx.WithContext(ctx).Clauses(clause.OnConflict{
				Columns:   []clause.Column{{Name: "ocd_id"}},
				DoUpdates: clause.AssignmentColumns([]string{"name", "same_as", "valid_from", "valid_through", "version", "updated_at"}),
			}).Create(&part).Error
		})
	}
	p.who = living(sorted(countries)...)
	return p, nil
}

func sorted[T any](m map[string]T) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// resolve finds a division by id, through its other names.
func resolve(have map[string]models.Division, id string) (models.Division, bool) {
	for range 3 {
		d, ok := have[id]
		if !ok || d.SameAs == "" {
			return d, ok
		}
		id = d.SameAs
	}
	return models.Division{}, false
}

// crossed is a postal area in a division.
type crossed struct {
	area string
	id   uuid.UUID
}

// versionsOf reads which postal areas of a country lie in divisions of a kind, and the version that each is from.
func (s *Service) versionsOf(ctx context.Context, country string, kind models.DivisionKind, into map[crossed]string) error {
	for after := (crossed{}); ; {
		var old []models.PostalDivision
		err := s.db.WithContext(ctx).Where("country = ? AND kind = ? AND (postal_area, division_id) > (?, ?)", country, kind, after.area, after.id).
			Order("postal_area, division_id").Limit(5000).Find(&old).Error
		if err != nil {
			return err
		}
		for _, x := range old {
			into[crossed{x.PostalArea, x.DivisionID}] = x.Version
		}
		if len(old) < 5000 {
			return nil
		}
		last := old[len(old)-1]
		after = crossed{last.PostalArea, last.DivisionID}
	}
}

func (s *Service) planPostal(ctx context.Context, rows []crossing, wrong *bad, o Options, res *Result) (plan, error) {
	countries := map[string]bool{}
	for _, f := range rows {
		country, _, _, _ := parse(f.id)
		countries[country] = true
	}
	have, err := s.known(ctx, countries)
	if err != nil {
		return plan{}, err
	}
	var (
		p        plan
		write    []models.PostalDivision
		drop     []crossed
		list     []crossed // of the file, in its order
		inFile   = map[crossed]bool{}
		speaks   = map[place]bool{}
		today    = day(s.clock.Now())
		versions = map[crossed]string{}
		by       = make(map[uuid.UUID]models.Division, len(have))
	)
	for _, d := range have {
		by[d.ID] = d
	}
	for _, f := range rows {
		d, ok := resolve(have, f.id)
		switch {
		case !ok:
			wrong.add(f.line, "divisions.line_unknown", "ID", f.id)
			continue
		case d.ValidThrough != "" && d.ValidThrough < today:
			wrong.add(f.line, "divisions.line_over", "ID", f.id, "Through", d.ValidThrough)
			continue
		}
		k := crossed{f.area, d.ID}
		if inFile[k] {
			continue // lists repeat themselves
		}
		inFile[k], speaks[place{d.Country, d.Region, d.Kind}] = true, true
		list = append(list, k)
	}
	read := map[place]bool{}
	for at := range speaks {
		at.region = ""
		if read[at] {
			continue
		}
		read[at] = true
		if err := s.versionsOf(ctx, at.country, at.kind, versions); err != nil {
			return plan{}, err
		}
	}
	for _, k := range list {
		d := by[k.id]
		version, ok := versions[k]
		if !ok {
			res.note("new", k.area+" "+d.OCDID)
		} else {
			res.Kept++
		}
		if version != o.Version || !ok {
			write = append(write, models.PostalDivision{Country: d.Country, PostalArea: k.area, DivisionID: d.ID, Kind: d.Kind, Version: o.Version})
		}
	}
	if !o.Part {
		for k := range versions {
			d := by[k.id]
			if !speaks[place{d.Country, d.Region, d.Kind}] {
				continue
			}
			if p.had++; !inFile[k] {
				drop = append(drop, k)
			}
		}
		slices.SortFunc(drop, func(x, y crossed) int { return strings.Compare(x.area+by[x.id].OCDID, y.area+by[y.id].OCDID) })
		for _, k := range drop {
			res.note("gone", k.area+" "+by[k.id].OCDID)
		}
	}
	for part := range slices.Chunk(write, 2*chunk) {
		p.steps = append(p.steps, func(tx *gorm.DB, _ time.Time) error {
			return tx.WithContext(ctx).Clauses(clause.OnConflict{
				Columns:   []clause.Column{{Name: "postal_area"}, {Name: "country"}, {Name: "division_id"}},
				DoUpdates: clause.AssignmentColumns([]string{"kind", "version"}),
			}).Create(&part).Error
		})
	}
	gone := map[uuid.UUID][]string{}
	for _, k := range drop {
		gone[k.id] = append(gone[k.id], k.area)
	}
	for id, list := range gone {
		for part := range slices.Chunk(list, chunk) {
			p.steps = append(p.steps, func(tx *gorm.DB, _ time.Time) error {
				return tx.WithContext(ctx).Where("country = ? AND division_id = ? AND postal_area IN ?", by[id].Country, id, part).Delete(&models.PostalDivision{}).Error
			})
		}
	}
	p.who = living(sorted(countries)...)
	return p, nil
}

// living are the people who live in one of the countries or told none.
func living(countries ...string) scope {
	return func(q *gorm.DB) *gorm.DB { return q.Where("s.country IN ?", append(countries, "")) }
}

func (s *Service) planGeo(ctx context.Context, rows []outline, wrong *bad, o Options, res *Result) (plan, error) {
	countries := map[string]bool{}
	for _, f := range rows {
		country, _, _, _ := parse(f.id)
		countries[country] = true
	}
	have, err := s.known(ctx, countries)
	if err != nil {
		return plan{}, err
	}
	var (
		p      plan
		write  []models.Boundary
		drop   []uuid.UUID
		inFile = map[uuid.UUID]bool{}
		speaks = map[place]bool{}
		now    = s.clock.Now()
	)
	for _, f := range rows {
		d, ok := resolve(have, f.id)
		switch {
		case !ok:
			wrong.add(f.line, "divisions.line_unknown", "ID", f.id)
			continue
		case inFile[d.ID]:
			wrong.add(f.line, "divisions.feature_twice", "ID", f.id)
			continue
		}
		inFile[d.ID], speaks[place{d.Country, d.Region, d.Kind}] = true, true
		var old []models.Boundary
		if err := s.db.WithContext(ctx).Where("division_id = ?", d.ID).Limit(1).Find(&old).Error; err != nil {
			return plan{}, err
		}
		b := models.Boundary{ID: models.NewID(), DivisionID: d.ID, Shape: f.shape, Version: o.Version, UpdatedAt: now}
		b.West, b.South, b.East, b.North = f.bound.Min[0], f.bound.Min[1], f.bound.Max[0], f.bound.Max[1]
		switch {
		case len(old) == 0:
			res.note("new", d.OCDID)
		case bytes.Equal(old[0].Shape, f.shape):
			if res.Kept++; old[0].Version == o.Version {
				continue
			}
			b.UpdatedAt = old[0].UpdatedAt
		default:
			res.note("changed", d.OCDID)
		}
		write = append(write, b)
	}
	if !o.Part {
		var old []models.Boundary
		if err := s.db.WithContext(ctx).Select("id", "division_id").Find(&old).Error; err != nil {
			return plan{}, err
		}
		by := map[uuid.UUID]models.Division{}
		for _, d := range have {
			by[d.ID] = d
		}
		for _, b := range old {
			d, ok := by[b.DivisionID]
			if !ok || !speaks[place{d.Country, d.Region, d.Kind}] || d.ValidThrough != "" && d.ValidThrough < day(now) {
				continue // boundaries of what is over do no harm
			}
			if p.had++; !inFile[d.ID] {
				drop = append(drop, b.ID)
				res.note("gone", d.OCDID)
			}
		}
	}
	for part := range slices.Chunk(write, 20) {
		p.steps = append(p.steps, func(tx *gorm.DB, _ time.Time) error {
			return tx.WithContext(ctx).Clauses(clause.OnConflict{
				Columns:   []clause.Column{{Name: "division_id"}},
				DoUpdates: clause.AssignmentColumns([]string{"shape", "west", "south", "east", "north", "version", "updated_at"}),
			}).Create(&part).Error
		})
	}
	for part := range slices.Chunk(drop, chunk) {
		p.steps = append(p.steps, func(tx *gorm.DB, _ time.Time) error {
			return tx.WithContext(ctx).Where("id IN ?", part).Delete(&models.Boundary{}).Error
		})
	}
	return p, nil
}
