// Package keys changes the key that seals what is personal, while the site goes on.
//
// The rules: the first key stays in the key file for good, since look-ups by address are made by it and cannot be made again. A
// further key is made and put into the key file; it is printed before it is used; then it seals everything new, and a job seals
// anew what the others sealed. Old keys stay in the file: backups need them. Every node reads its own key file, so the file is
// copied to each of them between the two steps. A node that lacks a key refuses to start.
package keys

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/jobs"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Options of a Service. All are needed.
type Options struct {
	DB      *database.DB
	Vault   *vault.Vault
	Clock   clock.Clock
	Path    string // of this node's key file
	Enqueue func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error
	Log     *slog.Logger
}

// Service changes the sealing key. It is safe for concurrent use.
type Service struct {
	Options
	missing string // the key that the log told about
}

// New makes the service.
func New(o Options) *Service { return &Service{Options: o} }

// settle is how long a new key waits before it may seal: every node that runs has read its key file by then.
const settle = 3 * followEvery

// followEvery is how often a node looks for keys.
const followEvery = 10 * time.Second

// Status is where the change of keys stands.
type Status struct {
	Sealing string     `json:"sealing"` // id of the key that seals
	First   string     `json:"first"`   // id of the first key, for look-ups
	New     string     `json:"new"`     // id of a key that was made and does not seal yet; "" for none
	Ready   bool       `json:"ready"`   // New: it may begin
	Sealed  int64      `json:"sealed"`  // rows that were sealed anew with Sealing
	Left    int64      `json:"left"`    // rows with a value that another key sealed
	DoneAt  *time.Time `json:"done_at"`
}

// Status counts what is left. It needs the right actor.Administer.
func (s *Service) Status(ctx context.Context, a actor.Actor) (Status, error) {
	if err := a.Need(actor.Administer); err != nil {
		return Status{}, err
	}
	rows, err := s.rows(ctx, s.DB.DB)
	if err != nil {
		return Status{}, err
	}
	out := Status{Sealing: s.Vault.KeyID(), First: s.Vault.KeyID()}
	for _, k := range rows {
		switch k.State {
		case models.SealingNew:
			out.New, out.Ready = k.KeyID, !s.Clock.Now().Before(k.CreatedAt.Add(settle))
		case models.SealingCurrent:
			out.Sealing, out.Sealed, out.DoneAt = k.KeyID, k.SealedCount, k.DoneAt
		}
	}
	if out.Sealing == s.Vault.Sealing() {
		out.Left, err = s.left(ctx)
	}
	return out, err
}

func (s *Service) rows(ctx context.Context, tx *gorm.DB) ([]models.SealingKey, error) {
	var rows []models.SealingKey
	return rows, tx.WithContext(ctx).Order("created_at, key_id").Find(&rows).Error
}

// Rotate makes a further key, puts it into the key file of this node and returns it, to be printed. It does not seal yet: see
// Begin. It needs the right actor.Administer; the fault is Conflict, error.keys_waiting, where a key waits already.
func (s *Service) Rotate(ctx context.Context, a actor.Actor) (*vault.Key, error) {
	if err := a.Need(actor.Administer); err != nil {
		return nil, err
	}
	rows, err := s.rows(ctx, s.DB.DB)
	if err != nil {
		return nil, err
	}
	for _, k := range rows {
		if k.State == models.SealingNew {
			return nil, fault.New(fault.Conflict, "error.keys_waiting", "Key", k.KeyID)
		}
	}
	k := vault.NewKey()
	// The file first: a key in the database alone would keep every node from starting.
	if err := k.Append(s.Path); err != nil {
		return nil, err
	}
	now := s.Clock.Now()
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := tx.Create(&models.SealingKey{KeyID: k.ID(), CheckValue: k.CheckValue(), State: models.SealingNew, CreatedAt: now}).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "keys.rotate", "sealing_keys", uuid.Nil, map[string]any{"key": k.ID()})
	})
	return k, err
}

// Begin seals with the key that waits, from now on, and seals anew what the others sealed, in the background. It needs the right
// actor.Administer. The faults are Conflict: error.keys_none where no key waits, error.keys_soon before every node can have read it.
func (s *Service) Begin(ctx context.Context, a actor.Actor) (keyID string, err error) {
	if err := a.Need(actor.Administer); err != nil {
		return "", err
	}
	now := s.Clock.Now()
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		rows, err := s.rows(ctx, tx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(rows, func(k models.SealingKey) bool { return k.State == models.SealingNew })
		if i < 0 {
			return fault.New(fault.Conflict, "error.keys_none")
		}
		if now.Before(rows[i].CreatedAt.Add(settle)) {
			return fault.New(fault.Conflict, "error.keys_soon", "Count", int(settle/time.Second))
		}
		if err := s.learn(rows); err != nil {
			return err
		}
		keyID = rows[i].KeyID
		if err := tx.Model(&models.SealingKey{}).Where("state = ?", models.SealingCurrent).Update("state", models.SealingOld).Error; err != nil {
			return err
		}
		err = tx.Model(&models.SealingKey{}).Where("key_id = ?", keyID).Updates(map[string]any{"state": models.SealingCurrent, "begun_at": now}).Error
		if err != nil {
			return err
		}
		if err := s.Enqueue(ctx, tx, ResealArgs{KeyID: keyID}); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "keys.begin", "sealing_keys", uuid.Nil, map[string]any{"key": keyID})
	})
	if err != nil {
		return "", err
	}
	return keyID, s.Follow(ctx)
}

// learn reads this node's key file until the vault has every key of the database. The error is *vault.KeyMissing.
func (s *Service) learn(rows []models.SealingKey) error {
	lacks := func(k models.SealingKey) bool { return s.Vault.Verify(k.CheckValue) != nil }
	if !slices.ContainsFunc(rows, lacks) {
		return nil
	}
	all, err := vault.ReadAll(s.Path)
	if err != nil {
		return &vault.KeyUnreadable{Path: s.Path, Cause: err}
	}
	s.Vault.Learn(all...)
	if i := slices.IndexFunc(rows, lacks); i >= 0 {
		return &vault.KeyMissing{Path: s.Path, KeyID: rows[i].KeyID}
	}
	return nil
}

// Follow brings this node's vault to what the database says: which keys there are, and which one seals. It is called at start,
// where its error stops the program: *vault.KeyMissing names the key that this node's file lacks.
func (s *Service) Follow(ctx context.Context) error {
	rows, err := s.rows(ctx, s.DB.DB)
	if err != nil || len(rows) == 0 {
		return err
	}
	if err := s.learn(rows); err != nil {
		return err
	}
	for _, k := range rows {
		if k.State == models.SealingCurrent && k.KeyID != s.Vault.Sealing() {
			return s.Vault.Use(k.KeyID)
		}
	}
	return nil
}

// Run follows until ctx ends. A key that this node's file lacks is logged once; the node goes on as it can.
func (s *Service) Run(ctx context.Context) error {
	every := time.NewTicker(followEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		err := s.Follow(ctx)
		var lacks *vault.KeyMissing
		switch {
		case errors.As(err, &lacks):
			if s.missing != lacks.KeyID {
				s.missing = lacks.KeyID
				s.Log.Error("this node's key file lacks a key", "key", lacks.KeyID)
			}
		case err != nil && ctx.Err() == nil:
			s.Log.Warn("the sealing keys could not be read", "error", err)
		}
	}
}

// ResealArgs is the job that seals anew what another key than KeyID sealed.
type ResealArgs struct {
	KeyID string `json:"key_id"`
}

// Kind names the job.
func (ResealArgs) Kind() string { return "keys_reseal" }

type worker struct {
	river.WorkerDefaults[ResealArgs]
	s *Service
}

// stepTime is how long one run of the job goes on before it makes room for others.
const stepTime = 20 * time.Second

func (w *worker) Work(ctx context.Context, j *river.Job[ResealArgs]) error {
	if err := w.s.Follow(ctx); err != nil {
		return err
	}
	if w.s.Vault.Sealing() != j.Args.KeyID {
		return nil // another key seals by now, with a job of its own
	}
	end := time.Now().Add(stepTime)
	done, err := w.s.Reseal(ctx, func() bool { return time.Now().After(end) })
	if err != nil || done {
		return err
	}
	return w.s.DB.Tx(ctx, func(tx *gorm.DB) error { return w.s.Enqueue(ctx, tx, j.Args) })
}

// AddWorkers registers the job.
func (s *Service) AddWorkers(w *river.Workers) { river.AddWorker(w, &worker{s: s}) }

// Regular looks once a day for values that a node sealed with an old key before it heard of the new one.
func (s *Service) Regular() jobs.Regular {
	return jobs.Regular{Name: "keys_reseal", Every: 24 * time.Hour, Run: func(ctx context.Context) error {
		if s.Vault.Sealing() == s.Vault.KeyID() {
			return nil
		}
		return s.DB.Tx(ctx, func(tx *gorm.DB) error { return s.Enqueue(ctx, tx, ResealArgs{KeyID: s.Vault.Sealing()}) })
	}}
}

// batch is how many rows are sealed anew in one transaction.
const batch = 500

// Reseal seals anew what other keys than the current one sealed, table by table, until nothing is left or until over says, after
// each batch, that the time is. It may run at any time, on several nodes: a value that changed meanwhile is left alone, since
// whoever changed it sealed it with the current key. done is whether nothing is left.
func (s *Service) Reseal(ctx context.Context, over func() bool) (done bool, err error) {
	tables := models.SealedColumns()
	for _, table := range slices.Sorted(maps.Keys(tables)) {
		var after []any // the row key of the last row
		for {
			if after, err = s.resealBatch(ctx, table, tables[table], after); err != nil {
				return false, fmt.Errorf("keys: %s: %w", table, err)
			}
			if after == nil {
				break
			}
			if over() {
				return false, nil
			}
		}
	}
	left, err := s.left(ctx)
	if err != nil || left > 0 {
		return false, err
	}
	return true, s.DB.WithContext(ctx).Model(&models.SealingKey{}).Where("key_id = ? AND done_at IS NULL", s.Vault.Sealing()).Update("done_at", s.Clock.Now()).Error
}

// other is the condition for columns that another key sealed; its arguments are the current key's mark, once a column.
func (s *Service) other(columns []string) (string, []any) {
	mark := s.Vault.SealingMark()
	parts, args := make([]string, len(columns)), make([]any, len(columns))
	for i, c := range columns {
		parts[i], args[i] = "substr("+c+", 2, 4) <> ?", mark
	}
	return "(" + strings.Join(parts, " OR ") + ")", args
}

// left counts the rows that have a value which another key sealed.
func (s *Service) left(ctx context.Context) (int64, error) {
	var sum int64
	for table, columns := range models.SealedColumns() {
		where, args := s.other(columns)
		var n int64
		if err := s.DB.WithContext(ctx).Table(table).Where(where, args...).Count(&n).Error; err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// resealBatch seals anew the rows of a table that come after a row key, some of them, and returns the last one's key: nil where
// there were none.
func (s *Service) resealBatch(ctx context.Context, table string, columns []string, after []any) (last []any, err error) {
	key := models.SealKey(table)
	where, args := s.other(columns)
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		last = nil
		q := tx.Table(table).Select(slices.Concat(key, columns)).Where(where, args...).Order(strings.Join(key, ", ")).Limit(batch)
		if after != nil {
			later, args := key[0]+" > ?", after[:1]
			if len(key) == 2 {
				later, args = later+" OR "+key[0]+" = ? AND "+key[1]+" > ?", []any{after[0], after[0], after[1]}
			}
			q = q.Where(later, args...)
		}
		var found []map[string]any
		if err := q.Find(&found).Error; err != nil {
			return err
		}
		for _, row := range found {
			place, at, err := placeOf(row, key)
			if err != nil {
				return err
			}
			for _, c := range columns {
				was, _ := row[c].([]byte)
				if len(was) == 0 || string(was[1:5]) == string(args[0].([]byte)) {
					continue
				}
				plain, err := s.Vault.OpenBytes(table, c, place, was)
				if err != nil {
					return fmt.Errorf("%s: %w", c, err)
				}
				r := tx.Exec("UPDATE "+table+" SET "+c+" = ? WHERE "+at.where+" AND "+c+" = ?", append(append([]any{s.Vault.SealBytes(table, c, place, plain)}, at.args...), was)...)
				if r.Error != nil {
					return r.Error
				}
			}
			last = at.args
		}
		if len(found) == 0 {
			return nil
		}
		return tx.Exec("UPDATE sealing_keys SET sealed_count = sealed_count + ? WHERE key_id = ?", len(found), s.Vault.Sealing()).Error
	})
	return last, err
}

// spot finds a row again.
type spot struct {
	where string
	args  []any
}

// placeOf is the row key that a row's sealed values are bound to, and the row itself.
func placeOf(row map[string]any, key []string) (place []byte, at spot, err error) {
	var parts []string
	for _, c := range key {
		value := row[c]
		if b, ok := value.([]byte); ok && len(b) != 16 { // a keyed hash
			place = append(place, b...)
		} else {
			var id uuid.UUID
			if err := id.Scan(value); err != nil {
				if raw, ok := value.([16]byte); !ok {
					return nil, at, fmt.Errorf("%s is no id: %w", c, err)
				} else {
					id = raw
				}
			}
			place, value = append(place, id[:]...), id
		}
		parts, at.args = append(parts, c+" = ?"), append(at.args, value)
	}
	at.where = strings.Join(parts, " AND ")
	return place, at, nil
}
