package imports

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/models"
)

// RunOptions say how Run reads a file.
type RunOptions struct {
	DryRun  bool
	Mapping Mapping // nil: found by the headers
	Basis   Basis
	Tag     string    // for everybody in the file; "" for none
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
	Source   string           `json:"source"` // which program wrote the file, as far as its headers tell
	Encoding string           `json:"encoding"`
	Mapping  map[string]Field `json:"mapping"` // header to field
	Unused   []string         `json:"unused_columns"`
	Twice    []string         `json:"repeated_columns"`
	Left     []string         `json:"unread_parts"` // files of a ZIP and sheets of a workbook that were not read
	Bad      []BadLine        `json:"errors"`       // the first hundred
}

// BadLine is one row that was not taken.
type BadLine struct {
	Line   int    `json:"line"`
	File   string `json:"file,omitempty"`
	Reason string `json:"reason"`
}

// Run imports what r gives, from its first row to its last, and calls progress, which may be nil, after each batch. It is
// what the command line uses; pages go through Upload, Check and Start. A workbook or a ZIP is read from r where r is a file,
// else from a sealed copy of it. It needs the right actor.Import. The faults are Invalid: those of NewReader, of archives,
// error.import_no_email_column, and the fields of the basis. Batches that were committed before an error stay: the same file
// again does the rest.
func (s *Service) Run(ctx context.Context, a actor.Actor, r io.Reader, o RunOptions, progress func(Progress)) (res Result, err error) {
	if err := a.Need(actor.Import); err != nil {
		return Result{}, err
	}
	basis, err := o.Basis.check(ctx, s.DB.DB)
	if err != nil {
		return Result{}, err
	}
	t, err := openTable(ctx, r, within(r))
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	p := plan{Columns: o.Mapping, Tag: flat(o.Tag)}
	first, err := t.first()
	if err != nil {
		return Result{}, err
	}
	if p.Columns == nil {
		p.Columns = t.guess(first)
	}
	if p, err = s.checkPlan(ctx, a, p, t.Columns()); err != nil {
		return Result{}, err
	}
	res = Result{
		DryRun: o.DryRun, Source: SourceOf(t.Columns()), Mapping: map[string]Field{}, Unused: p.Columns.Unused(t.Columns()), Twice: Twice(t.Columns()), Left: t.left, Bad: []BadLine{},
	}
	for i, f := range p.Columns {
		res.Mapping[label(t.Columns(), i)] = f
	}
	var bad *BadWriter
	if o.Errors != nil {
		if bad, err = s.badWriter(o.Errors, t, o.Locale); err != nil {
			return res, err
		}
	}
	m := models.Import{Locale: o.Locale, DryRun: o.DryRun, Source: res.Source, ChapterID: a.Chapter()}
	m.BasisPurpose, m.BasisScopeID, m.BasisText, m.BasisSource = string(basis.Purpose), basis.CampaignID, basis.Text, basis.Source
	m.CreatedBy = a.Account()
	if !o.DryRun {
		if err = s.record(ctx, a, &m, &p, t.Columns()); err != nil {
			return res, err
		}
		res.ImportID = &m.ID
	}
	res, err = s.runAll(ctx, t, &m, p, res, bad, progress)
	res.Encoding = t.Encoding()
	if bad != nil {
		err = errors.Join(err, bad.Flush())
	}
	if !o.DryRun {
		err = errors.Join(err, s.close(ctx, a, m, err))
	}
	return res, err
}

// within reads r in any order where it is a file on a disk.
func within(r io.Reader) reach {
	f, ok := r.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return func() (*files.At, error) { return files.PlainAt(f, info.Size()), nil }
}

// runAll reads a file from where it stands to its end.
func (s *Service) runAll(ctx context.Context, t *table, m *models.Import, p plan, res Result, bad *BadWriter, progress func(Progress)) (Result, error) {
	w, r, err := s.writer(ctx, m, p)
	if err != nil {
		return res, err
	}
	f := newFeed(ctx, t, r)
	defer f.close()
	for size := s.firstBatch(); ; {
		b, err := f.next(ctx, size)
		if err != nil || b.rows() == 0 {
			return res, err
		}
		began := time.Now()
		c, err := s.write(ctx, w, &b, m)
		if err != nil {
			return res, err
		}
		took := time.Since(began)
		size = s.nextBatch(size, took)
		res.add(c)
		for _, row := range b.bad {
			if len(res.Bad) < 100 {
				res.Bad = append(res.Bad, BadLine{row.Line, row.File, s.reason(m.Locale, row.Reason)})
			}
			if bad != nil {
				if err := bad.Write(row); err != nil {
					return res, err
				}
			}
		}
		if progress != nil {
			progress(Progress{Rows: res.Rows, Bytes: t.Offset()})
		}
		if !w.dry {
			rest(ctx, s.DB.DB, took)
		}
	}
}

// Rows in one transaction: enough to be quick, few enough that somebody who signs meanwhile does not wait.
const (
	leastBatch = 500
	mostBatch  = 5000
	batchTime  = 150 * time.Millisecond // what one should take
)

func (s *Service) firstBatch() int {
	if s.batch > 0 {
		return s.batch
	}
	return 2 * leastBatch
}

// nextBatch is how many rows the next transaction holds, by what the last one took.
func (s *Service) nextBatch(size int, took time.Duration) int {
	switch {
	case s.batch > 0:
	case took < batchTime:
		size = min(size*2, mostBatch)
	case took > 2*batchTime:
		size = max(size/2, leastBatch)
	}
	return size
}

// record makes the row of an import that is read from the command line, with what its plan needs.
func (s *Service) record(ctx context.Context, a actor.Actor, m *models.Import, p *plan, columns []string) error {
	now := s.Clock.Now()
	m.ID, m.Run, m.State, m.CreatedAt, m.UpdatedAt = models.NewID(), 1, models.ImportRunning, now, now
	return s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		if m.BasisTextID, err = basisOf(*m).words(ctx, tx, m.Locale, now); err != nil {
			return err
		}
		if err := s.settle(ctx, tx, m, p, columns, now); err != nil {
			return err
		}
		if err := tx.Create(m).Error; err != nil {
			return err
		}
		return s.audit(ctx, tx, a, "import.start", m.ID, map[string]any{"basis": m.BasisPurpose})
	})
}

// close ends the import of Run, well or not.
func (s *Service) close(ctx context.Context, a actor.Actor, m models.Import, failed error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
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
	}); err != nil {
		return err
	}
	return analyze(ctx, s.DB, m.NewCount)
}

func details(c Counts) map[string]any {
	return map[string]any{
		"rows": c.Rows, "new": c.New, "updated": c.Updated, "unchanged": c.Unchanged, "suppressed": c.Suppressed, "skipped": c.Skipped,
		"consents": c.Consents, "held": c.Held,
	}
}

func (s *Service) reason(locale string, r Reason) string { return s.Words(locale, r.Key, r.Args...) }

func (s *Service) badWriter(w io.Writer, t *table, locale string) (*BadWriter, error) {
	return NewBadWriter(w, t.Columns(), t.Bare(), func(r Reason) string { return s.reason(locale, r) }, s.Words(locale, "import.line"), s.Words(locale, "import.reason"))
}

// writer makes the writer of an import, and the recipe for its rows.
func (s *Service) writer(ctx context.Context, m *models.Import, p plan) (*writer, *recipe, error) {
	w := &writer{
		vault: s.Vault, dry: m.DryRun, seen: map[uint64]trace{}, extra: map[uint64]struct{}{}, tag: p.Tag, author: m.CreatedBy, chapter: m.ChapterID, now: s.Clock.Now(),
	}
	if m.TagID != nil {
		var t models.Tag
		if err := s.DB.WithContext(ctx).Where("id = ?", *m.TagID).Take(&t).Error; err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
			return nil, nil, err
		}
		w.tag = t.Name // none, where it was taken away meanwhile
	}
	w.yes = yesFor{purpose: models.Purpose(m.BasisPurpose), scope: m.BasisScopeID, locale: m.Locale, source: m.BasisSource, proof: m.ID}
	if m.BasisTextID != nil {
		w.yes.text = *m.BasisTextID
	}
	l, err := s.lookups(ctx, p.Columns)
	if err != nil {
		return nil, nil, err
	}
	d := complete
	if m.DryRun {
		d = compare
	}
	return w, recipeOf(p.Columns, l, s.Vault, s.Clock.Now(), d), nil
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

// mapRefused is the fault of a mapping that cannot be.
func mapRefused(r Reason) error {
	return &fault.Error{Kind: fault.Invalid, Key: r.Key, Args: r.Args}
}
