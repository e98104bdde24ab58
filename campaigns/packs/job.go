package packs

import (
	"context"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/exports"
	"kithline/campaigns/files"
	"kithline/models"
)

// RunArgs is the job that makes a pack.
type RunArgs struct {
	PackID uuid.UUID `json:"pack_id"`
}

// Kind is the job's name.
func (RunArgs) Kind() string { return "packs_run" }

// InsertOpts says how often it is tried.
func (RunArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 5} }

type worker struct {
	river.WorkerDefaults[RunArgs]
	s *Service
}

// AddWorkers registers the job of this package. At start only.
func (s *Service) AddWorkers(w *river.Workers) { river.AddWorker(w, &worker{s: s}) }

// Timeout is how long the largest pack may take. One that died with its node is found by Revive long before.
func (*worker) Timeout(*river.Job[RunArgs]) time.Duration { return time.Hour }

func (s *Service) making() exports.Making {
	return exports.Making{
		DB: s.DB, Clock: s.Clock, Files: s.Files, Table: "petition_packs", Progress: "signature_count", Done: done, Stopped: "error.pack_stopped", Rights: "error.pack_rights",
	}
}

// Work makes the file.
func (w *worker) Work(ctx context.Context, j *river.Job[RunArgs]) error {
	return w.s.run(ctx, j.Args.PackID, j.Attempt >= j.MaxAttempts)
}

func (s *Service) run(ctx context.Context, id uuid.UUID, last bool) error {
	return s.making().Work(ctx, id, last, func(ctx context.Context) (exports.Made, error) { return s.begin(ctx, id) })
}

// begin says how a pack is made.
func (s *Service) begin(ctx context.Context, id uuid.UUID) (exports.Made, error) {
	var m models.PetitionPack
	if err := s.DB.WithContext(ctx).Where("id = ?", id).Take(&m).Error; err != nil {
		return exports.Made{}, err
	}
	a, err := s.making().Asker(ctx, m.CreatedBy, func(a actor.Actor) bool { return may(a) == nil })
	if err != nil {
		return exports.Made{}, err
	}
	var made manifest
	var manifestJSON []byte
	until := s.Clock.Now().Add(keep)
	return exports.Made{
		Put: files.PutInput{Kind: models.FilePack, Name: Pack{PetitionPack: m}.Name(), ContentType: "application/zip", ExpiresAt: &until, By: m.CreatedBy},
		Write: func(ctx context.Context, w io.Writer, told func(rows int)) (err error) {
			made, manifestJSON, err = s.write(ctx, m, w, told)
			return err
		},
		Finish: func(ctx context.Context, tx *gorm.DB, f models.File) (map[string]any, error) {
			details := map[string]any{"petition": m.PetitionID, "signatures": made.Counts.Confirmed, "bytes": f.Size}
			return map[string]any{"signature_count": made.Counts.Confirmed, "manifest": string(manifestJSON)}, audit.Write(ctx, tx, a, s.Clock.Now(), "pack.finish", "petition_packs", id, details)
		},
	}, nil
}

// Revive begins anew what died with its node. It runs by itself every minute.
func (s *Service) Revive(ctx context.Context) error {
	return s.making().Revive(ctx, func(tx *gorm.DB, id uuid.UUID) error { return s.Enqueue(ctx, tx, RunArgs{PackID: id}) })
}
