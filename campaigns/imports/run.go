package imports

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/vault"
	"kithline/models"
)

// RunOptions say how Run reads a file.
type RunOptions struct {
	DryRun  bool
	Mapping Mapping // nil: found by the headers
	Basis   Basis
	Locale  string    // of the basis and of the reasons
	Errors  io.Writer // gets the rows that were not taken, as CSV; may be nil
}

// Progress is how far a run is.
type Progress struct {
	Rows  int
	Bytes int64
}

// Result is what Run did, or in a dry run would have done.
type Result struct {
	Counts
	DryRun   bool             `json:"dry_run"`
	ImportID *uuid.UUID       `json:"import_id,omitempty"`
	Encoding string           `json:"encoding"`
	Mapping  map[Field]string `json:"mapping"` // field to header
	Unused   []string         `json:"unused_columns"`
	Twice    []string         `json:"repeated_columns"`
	Bad      []BadLine        `json:"errors"` // the first hundred
}

// BadLine is one row that was not taken.
type BadLine struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// Run imports what r gives, from its first row to its last, and calls progress, which may be nil, after each batch. It is
// what the command line uses; pages go through Upload, Check and Start. It needs the right actor.Import. The faults are
// Invalid: those of NewReader, error.import_no_email_column, and the fields of the basis. Batches that were committed before
// an error stay: the same file again does the rest.
func (s *Service) Run(ctx context.Context, a actor.Actor, r io.Reader, o RunOptions, progress func(Progress)) (Result, error) {
	if err := a.Need(actor.Import); err != nil {
		return Result{}, err
	}
	basis, err := o.Basis.check(ctx, s.DB.DB)
	if err != nil {
		return Result{}, err
	}
	d, err := NewReader(r)
	if err != nil {
		return Result{}, err
	}
	mapping := o.Mapping
	if mapping == nil {
		mapping = d.guess()
	}
	mapping, ok := mapping.check(len(d.Columns()))
	if !ok {
		return Result{}, fault.New(fault.Invalid, "error.import_no_email_column")
	}
	res := Result{DryRun: o.DryRun, Mapping: map[Field]string{}, Unused: mapping.Unused(d.Columns()), Twice: Twice(d.Columns()), Bad: []BadLine{}}
	for f, i := range mapping {
		res.Mapping[f] = d.Columns()[i]
	}
	bad, err := s.badWriter(o.Errors, d, o.Locale)
	if err != nil {
		return res, err
	}
	w := &writer{vault: s.Vault, dry: o.DryRun, seen: map[uint64]trace{}}
	w.yes = yesFor{purpose: basis.Purpose, scope: basis.CampaignID, locale: o.Locale, source: basis.Source}
	var m models.Import
	if !o.DryRun {
		if m, err = s.record(ctx, a, mapping, basis, o.Locale); err != nil {
			return res, err
		}
		res.ImportID, w.yes.proof = &m.ID, m.ID
		if m.BasisTextID != nil {
			w.yes.text = *m.BasisTextID
		}
	}
	f := &feed{reader: d, mapping: mapping, vault: s.Vault}
	for err == nil {
		var b batch
		if b, err = f.next(ctx, s.Clock.Now()); err != nil || b.rows() == 0 {
			break
		}
		var c Counts
		if c, err = s.write(ctx, w, &b, &m); err != nil {
			break
		}
		res.add(c)
		for _, row := range b.bad {
			if len(res.Bad) < 100 {
				res.Bad = append(res.Bad, BadLine{row.Line, s.reason(o.Locale, row.Reason)})
			}
			if bad != nil && err == nil {
				err = bad.Write(row)
			}
		}
		if progress != nil {
			progress(Progress{Rows: res.Rows, Bytes: d.Offset()})
		}
	}
	res.Encoding = d.Encoding()
	if bad != nil {
		err = errors.Join(err, bad.Flush())
	}
	if !o.DryRun {
		err = errors.Join(err, s.close(ctx, a, m, err))
	}
	return res, err
}

// record makes the row of an import that is read from the command line.
func (s *Service) record(ctx context.Context, a actor.Actor, mapping Mapping, basis Basis, locale string) (models.Import, error) {
	now := s.Clock.Now()
	text, err := json.Marshal(mapping)
	if err != nil {
		return models.Import{}, err
	}
	m := models.Import{
		ID: models.NewID(), Run: 1, State: models.ImportRunning, Mapping: string(text), BasisPurpose: string(basis.Purpose), BasisScopeID: basis.CampaignID,
		BasisText: basis.Text, BasisSource: basis.Source, Locale: locale, CreatedAt: now, UpdatedAt: now,
	}
	m.CreatedBy = a.Account()
	return m, s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if m.BasisTextID, err = basis.words(ctx, tx, locale, now); err != nil {
			return err
		}
		if err := tx.Create(&m).Error; err != nil {
			return err
		}
		return s.audit(ctx, tx, a, "import.start", m.ID, map[string]any{"basis": m.BasisPurpose})
	})
}

// close ends the import of Run, well or not.
func (s *Service) close(ctx context.Context, a actor.Actor, m models.Import, failed error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		now := s.Clock.Now()
		set := map[string]any{"state": models.ImportFinished, "rows_total": m.RowsDone, "finished_at": now, "updated_at": now}
		if failed != nil {
			set["state"], set["message"] = models.ImportFailed, "error.import_stopped"
		}
		if err := tx.Model(&models.Import{}).Where("id = ?", m.ID).Updates(set).Error; err != nil {
			return err
		}
		if failed != nil {
			return nil
		}
		return s.audit(ctx, tx, a, "import.finish", m.ID, details(countsOf(m)))
	})
}

func details(c Counts) map[string]any {
	return map[string]any{
		"rows": c.Rows, "new": c.New, "updated": c.Updated, "unchanged": c.Unchanged, "suppressed": c.Suppressed, "skipped": c.Skipped,
		"consents": c.Consents, "held": c.Held,
	}
}

// guess is the mapping by the headers.
func (d *Reader) guess() Mapping {
	if d.bare {
		return mapBare(d.pending.Cells)
	}
	return Map(d.columns)
}

func (s *Service) reason(locale string, r Reason) string { return s.Words(locale, r.Key, r.Args...) }

// badWriter is nil where nobody wants the rows.
func (s *Service) badWriter(w io.Writer, d *Reader, locale string) (*BadWriter, error) {
	if w == nil {
		return nil, nil
	}
	return NewBadWriter(w, d.Columns(), d.Bare(), func(r Reason) string { return s.reason(locale, r) }, s.Words(locale, "import.line"), s.Words(locale, "import.reason"))
}

// batch is some rows of a file, in order: people, each with its row, and what could not be read.
type batch struct {
	people []person
	from   []Row
	bad    []BadRow
}

func (b *batch) rows() int { return len(b.people) + len(b.bad) }

// refuse moves rows that the writer did not take to the bad ones.
func (b *batch) refuse(refused map[int]Reason) {
	for _, row := range b.from {
		if r, ok := refused[row.Line]; ok {
			b.bad = append(b.bad, BadRow{row, r})
		}
	}
	slices.SortStableFunc(b.bad, func(x, y BadRow) int { return x.Line - y.Line })
}

// feed makes batches of a file.
type feed struct {
	reader  *Reader
	mapping Mapping
	vault   *vault.Vault
}

// next returns the next rows, none at the end of the file.
func (f *feed) next(ctx context.Context, now time.Time) (batch, error) {
	b := batch{people: make([]person, 0, batchSize), from: make([]Row, 0, batchSize)}
	for b.rows() < batchSize {
		row, err := f.reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return b, err
		}
		p, reason := f.mapping.read(f.vault, row, now)
		if reason != nil {
			b.bad = append(b.bad, BadRow{row, *reason})
			continue
		}
		b.people, b.from = append(b.people, p), append(b.from, row)
	}
	return b, ctx.Err()
}

// errFenced is returned when somebody else went on with the same import.
var errFenced = errors.New("imports: another worker has this import")

// write writes one batch and how far the import came, in one transaction. m is brought to what was committed.
func (s *Service) write(ctx context.Context, w *writer, b *batch, m *models.Import) (Counts, error) {
	var (
		c       Counts
		refused map[int]Reason
		at      = *m
	)
	work := func(tx *gorm.DB) (err error) {
		w.now = s.Clock.Now()
		if c, refused, err = w.write(ctx, tx, b.people); err != nil {
			return err
		}
		c.Rows += len(b.bad)
		c.Skipped += len(b.bad)
		if m.ID == uuid.Nil { // a dry run of the command line leaves no trace
			return nil
		}
		sum := countsOf(*m)
		sum.add(c)
		set := columnsOf(sum)
		set["updated_at"] = w.now
		r := tx.Model(&models.Import{}).Where("id = ? AND run = ? AND state = ? AND rows_done = ?", m.ID, m.Run, models.ImportRunning, m.RowsDone).Updates(set)
		if r.Error == nil && r.RowsAffected == 0 {
			return errFenced
		}
		at.RowsDone, at.NewCount, at.UpdatedCount, at.UnchangedCount = sum.Rows, sum.New, sum.Updated, sum.Unchanged
		at.SuppressedCount, at.SkippedCount, at.ConsentCount, at.HeldCount = sum.Suppressed, sum.Skipped, sum.Consents, sum.Held
		return r.Error
	}
	var err error
	if w.dry {
		err = work(s.DB.WithContext(ctx)) // reads, and one update of the import's own row
	} else {
		for range 20 {
			if err = s.DB.Tx(ctx, work); !errors.Is(err, errRaced) {
				break
			}
		}
	}
	if err != nil {
		return Counts{}, err
	}
	*m = at
	b.refuse(refused)
	return c, nil
}
