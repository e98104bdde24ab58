package exports

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/files"
	"kithline/models"
)

// RunArgs is the job that makes a file.
type RunArgs struct {
	ExportID uuid.UUID `json:"export_id"`
}

// Kind is the job's name.
func (RunArgs) Kind() string { return "exports_run" }

// InsertOpts says how often it is tried.
func (RunArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 5} }

type worker struct {
	river.WorkerDefaults[RunArgs]
	s *Service
}

// AddWorkers registers the jobs of this package. At start only.
func (s *Service) AddWorkers(w *river.Workers) { river.AddWorker(w, &worker{s: s}) }

// Timeout is how long the largest export may take. An export that died with its node is found by Revive long before.
func (*worker) Timeout(*river.Job[RunArgs]) time.Duration { return 6 * time.Hour }

func (s *Service) making() Making {
	return Making{
		DB: s.DB, Clock: s.Clock, Files: s.Files, Table: "exports", Progress: "rows_done", Done: string(models.ExportFinished), Stopped: "error.export_stopped", Rights: "error.export_rights",
		beforeFinish: s.beforeFinish,
	}
}

// Work makes the file.
func (w *worker) Work(ctx context.Context, j *river.Job[RunArgs]) error {
	return w.s.making().Work(ctx, j.Args.ExportID, j.Attempt >= j.MaxAttempts, func(ctx context.Context) (Made, error) { return w.s.begin(ctx, j.Args.ExportID) })
}

// begin says how the file of an export is made.
func (s *Service) begin(ctx context.Context, id uuid.UUID) (Made, error) {
	var m models.Export
	if err := s.DB.WithContext(ctx).Where("id = ?", id).Take(&m).Error; err != nil {
		return Made{}, err
	}
	a, err := s.making().Asker(ctx, m.CreatedBy, func(a actor.Actor) bool {
		return a.May(actor.Export) && (m.Kind != KindEverything || a.May(actor.Administer))
	})
	if err != nil {
		return Made{}, err
	}
	var done Done
	until := s.Clock.Now().Add(keep)
	return Made{
		Put: files.PutInput{
			Kind: models.FileExport, Name: Export{Export: m}.Name(), ContentType: contentType(m.Format), ExpiresAt: &until, By: m.CreatedBy,
		},
		Chapter: m.ChapterID,
		Write: func(ctx context.Context, w io.Writer, told func(rows int)) (err error) {
			done, err = s.write(ctx, a, m, w, told)
			return err
		},
		Finish: func(ctx context.Context, tx *gorm.DB, f models.File) (map[string]any, error) {
			details := about(m)
			details["rows"], details["bytes"] = done.Rows, f.Size
			return map[string]any{"rows_done": done.Rows}, s.audit(ctx, tx, a, "export.finish", m.ID, details)
		},
	}, nil
}

// Revive begins anew what died with its node. It runs by itself every minute.
func (s *Service) Revive(ctx context.Context) error {
	return s.making().Revive(ctx, func(tx *gorm.DB, id uuid.UUID) error { return s.Enqueue(ctx, tx, RunArgs{ExportID: id}) })
}
