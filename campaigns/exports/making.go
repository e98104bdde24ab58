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
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/models"
	"kithline/models/database"
)

// Making is how jobs make a stored file for each row of a table: of exports, and of packs. A file is made in one go. Whoever makes
// it notes the progress in the row; without that for two minutes another begins anew, and what the first one made is not taken. If
// somebody was erased since a file was begun, it may hold them: then it never is, and is made anew.
type Making struct {
	DB    *database.DB
	Clock clock.Clock
	Files *files.Service

	Table    string // with id, state (waiting, running, failed, Done), message, file_id, updated_at, finished_at and Progress
	Progress string // the column of how many rows are written
	Done     string // the state of one that is done
	Stopped  string // the fault after the last try
	Rights   string // the fault of whoever asked and has the right no longer

	beforeFinish func() // where a test lets something happen; nil otherwise
}

// Made is a file under way.
type Made struct {
	Put     files.PutInput
	Chapter *uuid.UUID
	Write   func(ctx context.Context, w io.Writer, told func(rows int)) error
	// Finish writes what else is due in tx, and returns what else the row says.
	Finish func(ctx context.Context, tx *gorm.DB, f models.File) (map[string]any, error)
}

const (
	beat  = time.Second     // how often progress is noted
	stale = 2 * time.Minute // without progress for so long, a file's maker is dead
)

var (
	errTaken  = errors.New("exports: somebody else works on it")
	errErased = errors.New("exports: somebody was erased meanwhile")
)

// erased tells whether somebody was erased between two moments: the newest of the list and how long it is.
type erased struct {
	N    int64
	Last string
}

const erasedQuery = "SELECT count(*) AS n, coalesce(max(CAST(id AS text)), '') AS last FROM erasures"

// Work makes the file of a row that waits, or whose maker died: for the job of that row. last says that there is no further try.
// begin is asked once the row is taken.
func (m Making) Work(ctx context.Context, id uuid.UUID, last bool, begin func(ctx context.Context) (Made, error)) error {
	err := m.run(ctx, id, begin)
	if err == nil || errors.Is(err, errTaken) {
		return nil
	}
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if ctx.Err() != nil || errors.Is(err, errErased) { // the server stops, or somebody was erased: another begins anew
		return errors.Join(m.leave(back, id, map[string]any{"state": "waiting"}), river.JobSnooze(0))
	}
	key := ""
	var e *fault.Error
	switch {
	case errors.As(err, &e) && e.Kind != fault.Unavailable:
		key = e.Key
	case last:
		key = m.Stopped
	default:
		return errors.Join(err, m.leave(back, id, map[string]any{"state": "waiting"}))
	}
	if left := m.leave(back, id, map[string]any{"state": "failed", "message": key, "finished_at": m.Clock.Now()}); left != nil {
		return errors.Join(err, left)
	}
	return river.JobCancel(err)
}

func (m Making) rows(tx *gorm.DB) *gorm.DB { return tx.Table(m.Table) }

// leave changes a row that is running.
func (m Making) leave(ctx context.Context, id uuid.UUID, set map[string]any) error {
	set["updated_at"] = m.Clock.Now()
	return m.rows(m.DB.WithContext(ctx)).Where("id = ? AND state = 'running'", id).Updates(set).Error
}

func (m Making) run(ctx context.Context, id uuid.UUID, begin func(ctx context.Context) (Made, error)) error {
	now := m.Clock.Now()
	r := m.rows(m.DB.WithContext(ctx)).Where("id = ? AND (state = 'waiting' OR state = 'running' AND updated_at < ?)", id, now.Add(-stale)).
		Updates(map[string]any{"state": "running", m.Progress: 0, "updated_at": now})
	if r.Error != nil {
		return r.Error
	}
	if r.RowsAffected == 0 {
		return errTaken
	}
	made, err := begin(ctx)
	if err != nil {
		return err
	}
	var seen erased // before the moment that the file shows
	if err := m.DB.WithContext(ctx).Raw(erasedQuery).Scan(&seen).Error; err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := &heart{m: m, id: id, fence: now, next: time.Now().Add(beat), lost: cancel}
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(made.Write(ctx, pw, func(rows int) { h.beat(ctx, rows) })) }()
	f, err := m.Files.Write(ctx, made.Put, pr)
	err = errors.Join(err, pr.CloseWithError(context.Canceled))
	if errors.Is(context.Cause(ctx), errTaken) {
		return errTaken
	}
	if err != nil {
		return err
	}
	f.ChapterID = made.Chapter
	if m.beforeFinish != nil {
		m.beforeFinish()
	}
	return m.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := m.Files.Insert(ctx, tx, f); err != nil {
			return err
		}
		set, err := made.Finish(ctx, tx, f)
		if err != nil {
			return err
		}
		end := m.Clock.Now()
		set["state"], set["file_id"], set["message"], set["updated_at"], set["finished_at"] = m.Done, f.ID, "", end, end
		r := m.rows(tx).Where("id = ? AND state = 'running' AND updated_at = ?", id, h.fence).Updates(set)
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
		return nil
	})
}

// Asker is who asked for a file, with the rights of now; may says whether they are still enough. The fault is Forbidden.
func (m Making) Asker(ctx context.Context, by *uuid.UUID, may func(a actor.Actor) bool) (actor.Actor, error) {
	if by == nil {
		return actor.TheSystem(), nil
	}
	var u models.User
	err := m.DB.WithContext(ctx).Where("id = ? AND disabled_at IS NULL", *by).Take(&u).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return actor.Actor{}, err
	}
	a := actor.Actor{Kind: actor.User, UserID: u.ID, Role: actor.Role(u.Role)}
	if u.ChapterID != nil {
		a.ChapterID = *u.ChapterID
	}
	if err != nil || !may(a) {
		return a, fault.New(fault.Forbidden, m.Rights)
	}
	return a, nil
}

// heart notes the progress of a file. updated_at is the fence: whoever took the row over has set another.
type heart struct {
	m     Making
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
	now := h.m.Clock.Now()
	r := h.m.rows(h.m.DB.WithContext(ctx)).Where("id = ? AND state = 'running' AND updated_at = ?", h.id, h.fence).
		Updates(map[string]any{h.m.Progress: rows, "updated_at": now})
	if r.Error == nil && r.RowsAffected == 0 {
		h.lost(errTaken)
	} else if r.Error == nil {
		h.fence = now
	}
}

// Revive has those begun anew that died with their node. again inserts the job of a row in tx.
func (m Making) Revive(ctx context.Context, again func(tx *gorm.DB, id uuid.UUID) error) error {
	var ids []uuid.UUID
	err := m.rows(m.DB.WithContext(ctx)).Where("state IN ? AND updated_at < ?", []string{"waiting", "running"}, m.Clock.Now().Add(-stale)).
		Order("id").Limit(100).Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return err
	}
	return m.DB.Tx(ctx, func(tx *gorm.DB) error {
		for _, id := range ids {
			if err := again(tx, id); err != nil {
				return err
			}
		}
		return nil
	})
}
