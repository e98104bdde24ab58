package files

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/models"
)

// orphanAge is how old a content without a row must be before it goes: its row may still be on the way.
const orphanAge = 24 * time.Hour

// sweepBatch is how many contents or rows are looked at together.
const sweepBatch = 500

// Swept counts what a sweep did.
type Swept struct {
	Expired int // files whose time had come
	Removed int // contents removed from the store
}

// MarkExpired ends a file within a transaction: it cannot be opened once that commits, and its content goes with the next
// sweep. An unknown or expired file is no error.
func (s *Service) MarkExpired(ctx context.Context, tx *gorm.DB, id uuid.UUID) error {
	return tx.WithContext(ctx).Model(&models.File{}).Where("id = ?", id).
		Updates(map[string]any{"state": models.FileExpired, "name_sealed": nil}).Error
}

// Expire ends a file and removes its content now. It is called outside of transactions. The fault is NotFound,
// error.file_unknown; where the store cannot be reached the file has ended all the same and its content goes later.
func (s *Service) Expire(ctx context.Context, id uuid.UUID) error {
	f, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	if err := s.MarkExpired(ctx, s.db.DB, id); err != nil {
		return err
	}
	if err := s.blobs.Delete(ctx, f.StoreKey); err != nil {
		return fault.Because(err, fault.Unavailable, "error.files_unavailable")
	}
	return nil
}

// Sweep ends the files whose time has come and removes contents that no file points to any more: at once where the file
// has expired, after a day where there is no row. It may run beside everything else and on several nodes; a job calls it
// every hour. It goes on after an error and returns all of them.
func (s *Service) Sweep(ctx context.Context) (Swept, error) {
	var done Swept
	now := s.clock.Now()
	q := s.db.WithContext(ctx).Model(&models.File{}).Where("state = ? AND expires_at <= ?", models.FileStored, now).
		Updates(map[string]any{"state": models.FileExpired, "name_sealed": nil})
	if q.Error != nil {
		return done, q.Error
	}
	done.Expired = int(q.RowsAffected)

	var errs []error
	batch := make([]Blob, 0, sweepBatch)
	look := func() error {
		n, err := s.remove(ctx, batch)
		done.Removed += n
		errs = append(errs, err)
		batch = batch[:0]
		return ctx.Err()
	}
	err := s.blobs.List(ctx, func(b Blob) error {
		if batch = append(batch, b); len(batch) == sweepBatch {
			return look()
		}
		return nil
	})
	if err == nil {
		err = look()
	}
	return done, errors.Join(append(errs, err)...)
}

// remove deletes those of a batch that nobody needs and returns how many they were.
func (s *Service) remove(ctx context.Context, batch []Blob) (int, error) {
	if len(batch) == 0 {
		return 0, nil
	}
	keys := make([]string, len(batch))
	for i, b := range batch {
		keys[i] = b.Key
	}
	var rows []models.File
	err := s.db.WithContext(ctx).Select("store_key", "state").Where("store_key IN ?", keys).Find(&rows).Error
	if err != nil {
		return 0, err
	}
	state := make(map[string]models.FileState, len(rows))
	for _, f := range rows {
		state[f.StoreKey] = f.State
	}
	n := 0
	var errs []error
	for _, b := range batch {
		st, known := state[b.Key]
		if known && st == models.FileStored || !known && b.Age <= orphanAge {
			continue
		}
		if err := s.blobs.Delete(ctx, b.Key); err != nil {
			errs = append(errs, err)
			continue
		}
		n++
	}
	return n, errors.Join(errs...)
}
