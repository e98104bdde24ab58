package imports

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/models"
	"kithline/models/database"
)

// RunArgs is the job that reads an upload, in steps that each stay below the time of a job.
type RunArgs struct {
	ImportID uuid.UUID `json:"import_id"`
	Run      int       `json:"run"`
}

// Kind is the job's name.
func (RunArgs) Kind() string { return "imports_run" }

// InsertOpts says how often it is tried.
func (RunArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 6} }

type worker struct {
	river.WorkerDefaults[RunArgs]
	s *Service
}

// AddWorkers registers the jobs of this package. At start only.
func (s *Service) AddWorkers(w *river.Workers) { river.AddWorker(w, &worker{s: s}) }

// stepTime is how long one job reads before it hands over to the next.
const stepTime = 20 * time.Second

// Work does one step.
func (w *worker) Work(ctx context.Context, j *river.Job[RunArgs]) error {
	end := time.Now().Add(stepTime)
	done, err := w.s.step(ctx, j.Args, func(int) bool { return time.Now().After(end) })
	switch {
	case err == nil && done:
		return nil
	case err == nil:
		return w.s.DB.Tx(ctx, func(tx *gorm.DB) error { return w.s.Enqueue(ctx, tx, j.Args) })
	case ctx.Err() != nil: // the server stops: what was committed stays, the rest goes on
		return river.JobSnooze(0)
	}
	key := ""
	var e *fault.Error
	switch {
	case errors.Is(err, files.ErrDamaged):
		key = "error.import_damaged"
	case errors.As(err, &e) && (e.Kind == fault.Gone || e.Kind == fault.Invalid || e.Kind == fault.NotFound):
		key = e.Key
	case j.Attempt >= j.MaxAttempts:
		key = "error.import_stopped"
	}
	if key != "" {
		err = errors.Join(err, w.s.fail(ctx, j.Args, key))
		return river.JobCancel(err)
	}
	return err
}

func (s *Service) fail(ctx context.Context, args RunArgs, key string) error {
	now := s.Clock.Now()
	return s.DB.WithContext(ctx).Model(&models.Import{}).Where("id = ? AND run = ? AND state = ?", args.ImportID, args.Run, models.ImportRunning).
		Updates(map[string]any{"state": models.ImportFailed, "message": key, "updated_at": now, "finished_at": now}).Error
}

// step reads on from where the import stands until it is done, or until over says, after each batch, that the time is.
func (s *Service) step(ctx context.Context, args RunArgs, over func(rows int) bool) (done bool, err error) {
	m, err := s.find(ctx, s.DB.DB, args.ImportID)
	if errors.Is(err, errUnknown) || (err == nil && (m.State != models.ImportRunning || m.Run != args.Run || m.FileID == nil)) {
		return true, nil // another run began, or this one is over
	}
	if err != nil {
		return false, err
	}
	t, err := s.open(ctx, *m.FileID)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	p, err := planOf(m.Mapping)
	if err != nil {
		return false, err
	}
	w, r, err := s.writer(ctx, &m, p)
	if err != nil {
		return false, err
	}
	if !w.dry {
		for range m.RowsDone {
			if _, err := t.Next(); err != nil {
				return false, err
			}
		}
	}
	f := newFeed(ctx, t, r)
	defer f.close()
	for size := s.firstBatch(); ; {
		b, err := f.next(ctx, size)
		if err != nil {
			return false, err
		}
		if b.rows() == 0 {
			return true, s.finish(ctx, m, p)
		}
		if w.dry { // what an earlier step looked at is known, and remembered
			var before batch
			before, b = b.after(m.RowsDone)
			for i := range before.people {
				w.remember(&before.people[i])
			}
			if b.rows() == 0 {
				continue
			}
		}
		began := time.Now()
		if _, err = s.write(ctx, w, &b, &m); errors.Is(err, errFenced) {
			return true, nil
		} else if err != nil {
			return false, err
		}
		took := time.Since(began)
		size = s.nextBatch(size, took)
		if over(m.RowsDone) {
			return false, nil
		}
		if !w.dry {
			rest(ctx, s.DB.DB, took)
		}
	}
}

// open opens an upload.
func (s *Service) open(ctx context.Context, id uuid.UUID) (*table, error) {
	f, err := s.Files.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.openStored(ctx, f)
}

func (s *Service) openStored(ctx context.Context, f models.File) (*table, error) {
	rc, err := s.Files.OpenRow(ctx, f)
	if err != nil {
		return nil, err
	}
	t, err := openTable(ctx, rc, func() (*files.At, error) { return s.Files.OpenRowAt(ctx, f) })
	if err != nil {
		return nil, errors.Join(err, ended(rc))
	}
	end := t.end
	t.end = func() error {
		if end != nil {
			return errors.Join(end(), rc.Close())
		}
		return rc.Close()
	}
	return t, nil
}

// finish writes the file of errors and ends the run.
func (s *Service) finish(ctx context.Context, m models.Import, p plan) error {
	var bad *models.File
	if m.SkippedCount > 0 {
		f, err := s.errorFile(ctx, m, p)
		if err != nil {
			return err
		}
		bad = &f
	}
	if err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		now := s.Clock.Now()
		set := map[string]any{"state": models.ImportFinished, "rows_total": m.RowsDone, "updated_at": now, "finished_at": now}
		if bad != nil {
			if err := s.Files.Insert(ctx, tx, *bad); err != nil {
				return err
			}
			set["error_file_id"] = bad.ID
		}
		r := tx.Model(&models.Import{}).Where("id = ? AND run = ? AND state = ?", m.ID, m.Run, models.ImportRunning).Updates(set)
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
		if m.DryRun {
			return nil
		}
		return s.audit(ctx, tx, actor.TheSystem(), "import.finish", m.ID, details(countsOf(m)))
	}); err != nil || m.DryRun {
		return err
	}
	return analyze(ctx, s.DB, m.NewCount)
}

// errorFile reads the upload once more and stores the rows that were not taken. Which ones those are does not depend on
// what was written meanwhile, so it can be done again after a crash.
func (s *Service) errorFile(ctx context.Context, m models.Import, p plan) (models.File, error) {
	t, err := s.open(ctx, *m.FileID)
	if err != nil {
		return models.File{}, err
	}
	defer func() { _ = t.Close() }()
	pr, pw := io.Pipe()
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		pw.CloseWithError(s.writeBad(ctx, pw, t, m, p))
	}()
	until := s.Clock.Now().Add(keep)
	f, err := s.Files.Write(ctx, files.PutInput{
		Kind: models.FileErrors, Name: "errors.csv", ContentType: "text/csv", ExpiresAt: &until, By: m.CreatedBy,
	}, pr)
	f.ChapterID = m.ChapterID
	err = errors.Join(err, pr.Close())
	<-wrote
	return f, err
}

func (s *Service) writeBad(ctx context.Context, to io.Writer, t *table, m models.Import, p plan) error {
	out, err := s.badWriter(to, t, m.Locale)
	if err != nil {
		return err
	}
	l, err := s.lookups(ctx, p.Columns)
	if err != nil {
		return err
	}
	f := newFeed(ctx, t, recipeOf(p.Columns, l, s.Vault, s.Clock.Now(), judge))
	defer f.close()
	for {
		b, err := f.next(ctx, leastBatch)
		if err != nil {
			return err
		}
		if b.rows() == 0 {
			return out.Flush()
		}
		if m.ChapterID == nil { // a chapter is not told who was erased
			erased, err := s.erased(ctx, b.people)
			if err != nil {
				return err
			}
			b.refuse(erased)
		}
		for _, row := range b.bad {
			if err := out.Write(row); err != nil {
				return err
			}
		}
	}
}

// erased finds the rows of people who had their data erased here.
func (s *Service) erased(ctx context.Context, people []person) (map[int]Reason, error) {
	hashes := make([][]byte, len(people))
	for i := range people {
		hashes[i] = people[i].hash
	}
	var gone []models.Erasure
	if err := database.FindIn(s.DB.WithContext(ctx), "address_hash", hashes, &gone); err != nil || len(gone) == 0 {
		return nil, err
	}
	is := map[uint64]bool{}
	for _, e := range gone {
		is[key(e.AddressHash)] = true
	}
	out := map[int]Reason{}
	for i := range people {
		if is[key(people[i].hash)] {
			out[people[i].n] = Reason{Key: "error.import_erased"}
		}
	}
	return out, nil
}
