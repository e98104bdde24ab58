package exports

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

// RunArgs is the job that makes a file. A file is made in one go; progress is kept beside it.
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

const (
	beat  = time.Second     // how often progress is noted
	stale = 2 * time.Minute // without progress for so long, an export is dead
)

var (
	errTaken  = errors.New("exports: somebody else works on it")
	errErased = errors.New("exports: somebody was erased meanwhile")
)

// Work makes the file.
func (w *worker) Work(ctx context.Context, j *river.Job[RunArgs]) error {
	err := w.s.run(ctx, j.Args.ExportID)
	switch {
	case err == nil, errors.Is(err, errTaken):
		return nil
	case ctx.Err() != nil: // the server stops: another begins anew
		back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_, err := w.s.move(back, j.Args.ExportID, models.ExportRunning, map[string]any{"state": models.ExportWaiting})
		return errors.Join(err, river.JobSnooze(0))
	case errors.Is(err, errErased):
		_, err := w.s.move(ctx, j.Args.ExportID, models.ExportRunning, map[string]any{"state": models.ExportWaiting})
		return errors.Join(err, river.JobSnooze(0))
	}
	key := ""
	var e *fault.Error
	switch {
	case errors.As(err, &e) && e.Kind != fault.Unavailable:
		key = e.Key
	case j.Attempt >= j.MaxAttempts:
		key = "error.export_stopped"
	}
	set := map[string]any{"state": models.ExportWaiting}
	if key != "" {
		set = map[string]any{"state": models.ExportFailed, "message": key, "finished_at": w.s.Clock.Now()}
	}
	if _, moved := w.s.move(ctx, j.Args.ExportID, models.ExportRunning, set); moved != nil {
		return errors.Join(err, moved)
	}
	if key != "" {
		return river.JobCancel(err)
	}
	return err
}

// move changes an export that is in a state, and says whether it was.
func (s *Service) move(ctx context.Context, id uuid.UUID, from models.ExportState, set map[string]any) (bool, error) {
	set["updated_at"] = s.Clock.Now()
	r := s.DB.WithContext(ctx).Model(&models.Export{}).Where("id = ? AND state = ?", id, from).Updates(set)
	return r.RowsAffected == 1, r.Error
}

// run makes the file of an export that waits, or whose maker died.
func (s *Service) run(ctx context.Context, id uuid.UUID) error {
	now := s.Clock.Now()
	r := s.DB.WithContext(ctx).Model(&models.Export{}).
		Where("id = ? AND (state = ? OR state = ? AND updated_at < ?)", id, models.ExportWaiting, models.ExportRunning, now.Add(-stale)).
		Updates(map[string]any{"state": models.ExportRunning, "rows_done": 0, "updated_at": now})
	if r.Error != nil {
		return r.Error
	}
	if r.RowsAffected == 0 {
		return errTaken
	}
	var m models.Export
	if err := s.DB.WithContext(ctx).Where("id = ?", id).Take(&m).Error; err != nil {
		return err
	}
	a, err := s.asker(ctx, m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := &heart{s: s, id: id, fence: m.UpdatedAt, next: time.Now().Add(beat), lost: cancel}
	pr, pw := io.Pipe()
	var done Done
	var seen erased
	go func() {
		var err error
		done, seen, err = s.write(ctx, a, m, pw, func(rows int) { h.beat(ctx, rows) })
		pw.CloseWithError(err)
	}()
	until := s.Clock.Now().Add(keep)
	f, err := s.Files.Write(ctx, files.PutInput{
		Kind: models.FileExport, Name: Export{Export: m}.Name(), ContentType: contentType(m.Format), ExpiresAt: &until, By: m.CreatedBy,
	}, pr)
	err = errors.Join(err, pr.CloseWithError(context.Canceled))
	if cause := context.Cause(ctx); errors.Is(cause, errTaken) {
		return errTaken
	}
	if err != nil {
		return err
	}
	f.ChapterID = m.ChapterID
	if s.beforeFinish != nil {
		s.beforeFinish()
	}
	return s.finish(ctx, a, m, h, f, done, seen)
}

// finish lets the file be fetched. If somebody was erased since the file was begun, it may hold them: then it never is.
func (s *Service) finish(ctx context.Context, a actor.Actor, m models.Export, h *heart, f models.File, done Done, seen erased) error {
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := s.Files.Insert(ctx, tx, f); err != nil {
			return err
		}
		now := s.Clock.Now()
		r := tx.Model(&models.Export{}).Where("id = ? AND state = ? AND updated_at = ?", m.ID, models.ExportRunning, h.fence).
			Updates(map[string]any{"state": models.ExportFinished, "rows_done": done.Rows, "file_id": f.ID, "message": "", "updated_at": now, "finished_at": now})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return errTaken
		}
		var since erased
		if err := tx.Raw(erasedQuery).Scan(&since).Error; err != nil {
			return err
		}
		if since != seen {
			return errErased
		}
		details := about(m)
		details["rows"], details["bytes"] = done.Rows, f.Size
		return s.audit(ctx, tx, a, "export.finish", m.ID, details)
	})
}

// asker is who asked for an export, with the rights of now. The fault is that of a right that is gone.
func (s *Service) asker(ctx context.Context, m models.Export) (actor.Actor, error) {
	if m.CreatedBy == nil {
		return actor.TheSystem(), nil
	}
	var u models.User
	err := s.DB.WithContext(ctx).Where("id = ? AND disabled_at IS NULL", *m.CreatedBy).Take(&u).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return actor.Actor{}, fault.New(fault.Forbidden, "error.export_rights")
	}
	if err != nil {
		return actor.Actor{}, err
	}
	a := actor.Actor{Kind: actor.User, UserID: u.ID, Role: actor.Role(u.Role)}
	if u.ChapterID != nil {
		a.ChapterID = *u.ChapterID
	}
	if !a.May(actor.Export) || m.Kind == KindEverything && !a.May(actor.Administer) {
		return a, fault.New(fault.Forbidden, "error.export_rights")
	}
	return a, nil
}

// heart notes the progress of an export. updated_at is the fence: whoever took the export over has set another.
type heart struct {
	s     *Service
	id    uuid.UUID
	fence time.Time
	next  time.Time
	lost  context.CancelCauseFunc
}

func (h *heart) beat(ctx context.Context, rows int) {
	if time.Now().Before(h.next) {
		return
	}
	h.next = time.Now().Add(beat)
	now := h.s.Clock.Now()
	r := h.s.DB.WithContext(ctx).Model(&models.Export{}).Where("id = ? AND state = ? AND updated_at = ?", h.id, models.ExportRunning, h.fence).
		Updates(map[string]any{"rows_done": rows, "updated_at": now})
	if r.Error == nil && r.RowsAffected == 0 {
		h.lost(errTaken)
	} else if r.Error == nil {
		h.fence = now
	}
}

// Revive begins anew what died with its node. It runs by itself every minute.
func (s *Service) Revive(ctx context.Context) error {
	var ids []uuid.UUID
	err := s.DB.WithContext(ctx).Model(&models.Export{}).
		Where("state IN ? AND updated_at < ?", []models.ExportState{models.ExportWaiting, models.ExportRunning}, s.Clock.Now().Add(-stale)).Order("id").Limit(100).Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		for _, id := range ids {
			if err := s.Enqueue(ctx, tx, RunArgs{ExportID: id}); err != nil {
				return err
			}
		}
		return nil
	})
}
