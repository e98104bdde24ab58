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
	rc, _, err := s.Files.Open(ctx, *m.FileID)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, rc.Close()) }()
	d, err := NewReader(rc)
	if err != nil {
		return false, err
	}
	mapping, err := mappingOf(m)
	if err != nil {
		return false, err
	}
	w := &writer{vault: s.Vault, dry: m.DryRun, seen: map[uint64]trace{}}
	w.yes = yesFor{purpose: models.Purpose(m.BasisPurpose), scope: m.BasisScopeID, locale: m.Locale, source: m.BasisSource, proof: m.ID}
	if m.BasisTextID != nil {
		w.yes.text = *m.BasisTextID
	}
	for range m.RowsDone {
		row, err := d.Next()
		if err != nil {
			return false, err
		}
		if w.dry {
			if p, reason := mapping.read(s.Vault, row, s.Clock.Now()); reason == nil {
				w.remember(&p)
			}
		}
	}
	f := &feed{reader: d, mapping: mapping, vault: s.Vault}
	for {
		b, err := f.next(ctx, s.Clock.Now())
		if err != nil {
			return false, err
		}
		if b.rows() == 0 {
			return true, s.finish(ctx, m, mapping)
		}
		began := time.Now()
		if _, err = s.write(ctx, w, &b, &m); errors.Is(err, errFenced) {
			return true, nil
		} else if err != nil {
			return false, err
		}
		if over(m.RowsDone) {
			return false, nil
		}
		if !w.dry { // somebody who signs meanwhile comes in between
			select {
			case <-ctx.Done():
			case <-time.After(min(time.Since(began)/3, 50*time.Millisecond)):
			}
		}
	}
}

// finish writes the file of errors and ends the run.
func (s *Service) finish(ctx context.Context, m models.Import, mapping Mapping) error {
	var bad *models.File
	if m.SkippedCount > 0 {
		f, err := s.errorFile(ctx, m, mapping)
		if err != nil {
			return err
		}
		bad = &f
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
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
	})
}

// errorFile reads the upload once more and stores the rows that were not taken. Which ones those are does not depend on
// what was written meanwhile, so it can be done again after a crash.
func (s *Service) errorFile(ctx context.Context, m models.Import, mapping Mapping) (models.File, error) {
	rc, _, err := s.Files.Open(ctx, *m.FileID)
	if err != nil {
		return models.File{}, err
	}
	defer func() { _ = rc.Close() }()
	d, err := NewReader(rc)
	if err != nil {
		return models.File{}, err
	}
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(s.writeBad(ctx, pw, d, m.Locale, mapping)) }()
	until := s.Clock.Now().Add(keep)
	f, err := s.Files.Write(ctx, files.PutInput{
		Kind: models.FileErrors, Name: "errors.csv", ContentType: "text/csv", ExpiresAt: &until, By: m.CreatedBy,
	}, pr)
	return f, errors.Join(err, pr.Close())
}

func (s *Service) writeBad(ctx context.Context, to io.Writer, d *Reader, locale string, mapping Mapping) error {
	out, err := s.badWriter(to, d, locale)
	if err != nil {
		return err
	}
	f := &feed{reader: d, mapping: mapping, vault: s.Vault}
	for {
		b, err := f.next(ctx, s.Clock.Now())
		if err != nil {
			return err
		}
		if b.rows() == 0 {
			return out.Flush()
		}
		erased, err := s.erased(ctx, b.people)
		if err != nil {
			return err
		}
		b.refuse(erased)
		for _, row := range b.bad {
			if err := out.Write(row); err != nil {
				return err
			}
		}
	}
}

// erased finds the rows of people who had their data erased here.
func (s *Service) erased(ctx context.Context, people []person) (map[int]Reason, error) {
	if len(people) == 0 {
		return nil, nil
	}
	hashes := make([][]byte, len(people))
	for i := range people {
		hashes[i] = people[i].hash
	}
	var gone []models.Mailbox
	err := s.DB.WithContext(ctx).Where("address_hash IN ? AND address_sealed IS NULL", hashes).Find(&gone).Error
	if err != nil || len(gone) == 0 {
		return nil, err
	}
	is := map[uint64]bool{}
	for _, m := range gone {
		is[key(m.AddressHash)] = true
	}
	out := map[int]Reason{}
	for i := range people {
		if is[key(people[i].hash)] {
			out[people[i].line] = Reason{Key: "error.import_erased"}
		}
	}
	return out, nil
}
