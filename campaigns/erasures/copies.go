package erasures

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/campaigns/jobs"
	"kithline/models"
)

// copyKinds are the files that hold people's data.
var copyKinds = []models.FileKind{models.FileExport, models.FileImport, models.FileErrors, models.FilePack}

// again is how long the job waits for imports and exports that were running, and for readers of an older version of the rows.
const again = 5 * time.Second

// copiesArgs is the job that follows an erasure: it writes the list outside of the database and removes the copies.
type copiesArgs struct {
	Entries []Entry     `json:"entries"`
	Files   []uuid.UUID `json:"files"`   // ended already: their contents go
	Imports []uuid.UUID `json:"imports"` // were running: their files go once they end
	Exports []uuid.UUID `json:"exports"`
}

// Kind is part of river.JobArgs.
func (copiesArgs) Kind() string { return "erasure" }

// endCopies ends, in tx, every file that may hold a copy of the people who are erased, but for those that something is at
// work on, and returns what is left to do.
func endCopies(tx *gorm.DB) (copiesArgs, error) {
	var out copiesArgs
	if err := tx.Model(&models.Import{}).Where("state = ?", models.ImportRunning).Order("id").Pluck("id", &out.Imports).Error; err != nil {
		return out, err
	}
	if err := tx.Model(&models.Export{}).Where("state IN ('waiting', 'running')").Order("id").Pluck("id", &out.Exports).Error; err != nil {
		return out, err
	}
	err := tx.Raw(`UPDATE files SET state = ?, name_sealed = NULL WHERE state = ? AND kind IN ?
			AND id NOT IN (SELECT file_id FROM imports WHERE state = ? AND file_id IS NOT NULL)
			AND id NOT IN (SELECT file_id FROM exports WHERE state IN ('waiting', 'running') AND file_id IS NOT NULL)
		RETURNING id`, models.FileExpired, models.FileStored, copyKinds, models.ImportRunning).Scan(&out.Files).Error
	return out, err
}

// AddWorkers registers what follows an erasure.
func (s *Service) AddWorkers(w *river.Workers) { river.AddWorker(w, &copiesWorker{s: s}) }

type copiesWorker struct {
	river.WorkerDefaults[copiesArgs]
	s *Service
}

// Work is part of river.Worker.
func (w *copiesWorker) Work(ctx context.Context, j *river.Job[copiesArgs]) error {
	wait, err := w.s.follow(ctx, j.Args)
	if err == nil && wait {
		return river.JobSnooze(again)
	}
	return err
}

// follow does what is left to do after an erasure. It may run twice. wait says that something still works on a copy.
func (s *Service) follow(ctx context.Context, args copiesArgs) (wait bool, err error) {
	for _, e := range args.Entries {
		if err := s.o.Ledger.Put(ctx, e); err != nil {
			return false, err
		}
	}
	ended := args.Files
	db := s.o.DB.WithContext(ctx)
	var imports []models.Import
	if err := db.Select("id", "state", "file_id", "error_file_id").Where("id IN ?", args.Imports).Find(&imports).Error; err != nil {
		return false, err
	}
	for _, m := range imports {
		if m.State == models.ImportRunning {
			wait = true
			continue
		}
		for _, f := range []*uuid.UUID{m.FileID, m.ErrorFileID} {
			if f != nil {
				ended = append(ended, *f)
			}
		}
	}
	var exports []models.Export
	if err := db.Select("id", "state", "file_id").Where("id IN ?", args.Exports).Find(&exports).Error; err != nil {
		return false, err
	}
	for _, e := range exports {
		switch {
		case e.State == "waiting" || e.State == "running":
			wait = true
		case e.FileID != nil:
			ended = append(ended, *e.FileID)
		}
	}
	var errs []error
	for _, id := range ended {
		if err := s.o.Files.Expire(ctx, id); err != nil && !fault.Is(err, fault.NotFound) {
			errs = append(errs, err)
		}
	}
	s.scrubbing.Lock() // the jobs of many erasures do not stand in each other's way
	scrubbed, err := s.o.DB.Scrub(ctx)
	s.scrubbing.Unlock()
	return wait || !scrubbed, errors.Join(append(errs, err)...)
}

// Regular lists what runs by itself: see Settle.
func (s *Service) Regular() []jobs.Regular {
	return []jobs.Regular{{Name: "erasures_settle", Every: time.Hour, Run: s.Settle}}
}

// Settle writes whatever the database remembers and the list outside of it does not: after a restore into another store, and
// where no server runs that would do it by the job. It may run at any time, and again.
func (s *Service) Settle(ctx context.Context) error {
	have, err := s.o.Ledger.keys(ctx)
	if err != nil {
		return err
	}
	for last := uuid.Nil; ; {
		var rows []models.Erasure
		if err := s.o.DB.WithContext(ctx).Where("id > ?", last).Order("id").Limit(chunk).Find(&rows).Error; err != nil || len(rows) == 0 {
			return err
		}
		for _, e := range entries(rows) {
			if have[keyOf(e.ID)] {
				continue
			}
			if err := s.o.Ledger.Put(ctx, e); err != nil {
				return err
			}
		}
		last = rows[len(rows)-1].ID
	}
}
