package packs

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/models"
)

// RunArgs is the job that makes a pack, in one go.
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

const (
	beat  = time.Second     // how often progress is noted
	stale = 2 * time.Minute // without progress for so long, a pack is dead
)

var (
	errTaken  = errors.New("packs: somebody else works on it")
	errErased = errors.New("packs: somebody was erased meanwhile")
)

// Work makes the file.
func (w *worker) Work(ctx context.Context, j *river.Job[RunArgs]) error {
	err := w.s.run(ctx, j.Args.PackID)
	if err == nil || errors.Is(err, errTaken) {
		return nil
	}
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if ctx.Err() != nil || errors.Is(err, errErased) { // the server stops, or somebody was erased: another begins anew
		return errors.Join(w.s.move(back, j.Args.PackID, map[string]any{"state": waiting}), river.JobSnooze(0))
	}
	var e *fault.Error
	switch {
	case errors.As(err, &e) && e.Kind != fault.Unavailable:
		return errors.Join(w.s.move(back, j.Args.PackID, map[string]any{"state": failed, "message": e.Key, "finished_at": w.s.Clock.Now()}), river.JobCancel(err))
	case j.Attempt >= j.MaxAttempts:
		return errors.Join(err, w.s.move(back, j.Args.PackID, map[string]any{"state": failed, "message": "error.pack_stopped", "finished_at": w.s.Clock.Now()}))
	}
	return errors.Join(err, w.s.move(back, j.Args.PackID, map[string]any{"state": waiting}))
}

func (s *Service) move(ctx context.Context, id uuid.UUID, set map[string]any) error {
	set["updated_at"] = s.Clock.Now()
	return s.DB.WithContext(ctx).Model(&models.PetitionPack{}).Where("id = ? AND state = ?", id, running).Updates(set).Error
}

// erased tells whether somebody was erased between two moments: the newest of the list and how long it is.
type erased struct {
	N    int64
	Last string
}

const erasedQuery = "SELECT count(*) AS n, coalesce(max(CAST(id AS text)), '') AS last FROM erasures"

// run makes a pack that waits, or whose maker died.
func (s *Service) run(ctx context.Context, id uuid.UUID) error {
	now := s.Clock.Now()
	r := s.DB.WithContext(ctx).Model(&models.PetitionPack{}).
		Where("id = ? AND (state = ? OR state = ? AND updated_at < ?)", id, waiting, running, now.Add(-stale)).
		Updates(map[string]any{"state": running, "signature_count": 0, "updated_at": now})
	if r.Error != nil {
		return r.Error
	}
	if r.RowsAffected == 0 {
		return errTaken
	}
	var m models.PetitionPack
	if err := s.DB.WithContext(ctx).Where("id = ?", id).Take(&m).Error; err != nil {
		return err
	}
	a, err := s.asker(ctx, m)
	if err != nil {
		return err
	}
	var seen erased // before anything is read
	if err := s.DB.WithContext(ctx).Raw(erasedQuery).Scan(&seen).Error; err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := &heart{s: s, id: id, fence: m.UpdatedAt, next: time.Now().Add(beat), lost: cancel}
	pr, pw := io.Pipe()
	var made manifest
	var manifestJSON []byte
	go func() {
		var err error
		made, manifestJSON, err = s.write(ctx, m, pw, func(rows int) { h.beat(ctx, rows) })
		pw.CloseWithError(err)
	}()
	until := now.Add(keep)
	f, err := s.Files.Write(ctx, files.PutInput{
		Kind: models.FilePack, Name: Pack{PetitionPack: m}.Name(), ContentType: "application/zip", ExpiresAt: &until, By: m.CreatedBy,
	}, pr)
	err = errors.Join(err, pr.CloseWithError(context.Canceled))
	if errors.Is(context.Cause(ctx), errTaken) {
		return errTaken
	}
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := s.Files.Insert(ctx, tx, f); err != nil {
			return err
		}
		end := s.Clock.Now()
		r := tx.Model(&models.PetitionPack{}).Where("id = ? AND state = ? AND updated_at = ?", id, running, h.fence).Updates(map[string]any{
			"state": done, "signature_count": made.Counts.Confirmed, "manifest": string(manifestJSON), "file_id": f.ID, "message": "", "updated_at": end, "finished_at": end,
		})
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
		return audit.Write(ctx, tx, a, end, "pack.finish", "petition_packs", id, map[string]any{"petition": m.PetitionID, "signatures": made.Counts.Confirmed, "bytes": f.Size})
	})
}

// asker is who asked for a pack, with the rights of now. The fault is that of a right that is gone.
func (s *Service) asker(ctx context.Context, m models.PetitionPack) (actor.Actor, error) {
	if m.CreatedBy == nil {
		return actor.TheSystem(), nil
	}
	var u models.User
	err := s.DB.WithContext(ctx).Where("id = ? AND disabled_at IS NULL", *m.CreatedBy).Take(&u).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return actor.Actor{}, err
	}
	a := actor.Actor{Kind: actor.User, UserID: u.ID, Role: actor.Role(u.Role)}
	if err != nil || u.ChapterID != nil || !a.May(actor.Export) {
		return a, fault.New(fault.Forbidden, "error.pack_rights")
	}
	return a, nil
}

// heart notes the progress of a pack. updated_at is the fence: whoever took the pack over has set another.
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
	r := h.s.DB.WithContext(ctx).Model(&models.PetitionPack{}).Where("id = ? AND state = ? AND updated_at = ?", h.id, running, h.fence).
		Updates(map[string]any{"signature_count": rows, "updated_at": now})
	if r.Error == nil && r.RowsAffected == 0 {
		h.lost(errTaken)
	} else if r.Error == nil {
		h.fence = now
	}
}

// Revive begins anew what died with its node. It runs by itself every minute.
func (s *Service) Revive(ctx context.Context) error {
	var ids []uuid.UUID
	err := s.DB.WithContext(ctx).Model(&models.PetitionPack{}).Where("state IN ? AND updated_at < ?", []string{waiting, running}, s.Clock.Now().Add(-stale)).
		Order("id").Limit(100).Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		for _, id := range ids {
			if err := s.Enqueue(ctx, tx, RunArgs{PackID: id}); err != nil {
				return err
			}
		}
		return nil
	})
}
