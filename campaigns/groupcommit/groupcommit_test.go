package groupcommit_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/fault"
	"kithline/campaigns/groupcommit"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

type item struct {
	row models.Mailbox
	won bool
}

var at = time.Date(2027, 3, 9, 10, 0, 0, 0, time.UTC)

func newItem(address string) *item {
	return &item{row: models.Mailbox{ID: models.NewID(), AddressHash: []byte(address), CreatedAt: at, UpdatedAt: at}}
}

func write(ctx context.Context, tx *gorm.DB, batch []*item) error {
	for _, it := range batch {
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&it.row).Error; err != nil {
			return err
		}
		var there models.Mailbox
		if err := tx.Take(&there, "address_hash = ?", it.row.AddressHash).Error; err != nil {
			return err
		}
		it.won = there.ID == it.row.ID
	}
	return nil
}

// 400 requests at once, every second one for the same address: all are answered, all is there once, in few commits.
func TestManyShareACommit(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		var commits atomic.Int64
		g := groupcommit.New(db, func(ctx context.Context, tx *gorm.DB, batch []*item) error {
			commits.Add(1)
			return write(ctx, tx, batch)
		})
		const n = 400
		items := make([]*item, n)
		var wg sync.WaitGroup
		for i := range n {
			items[i] = newItem(fmt.Sprint(i / 2))
			wg.Go(func() {
				if err := g.Do(context.Background(), items[i]); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		g.Close()
		won := 0
		for _, it := range items {
			if it.won {
				won++
			}
		}
		var rows int64
		if err := db.Model(&models.Mailbox{}).Count(&rows).Error; err != nil || rows != n/2 || won != n/2 {
			t.Fatalf("%d rows, %d winners, %v", rows, won, err)
		}
		if commits.Load() >= n {
			t.Fatalf("%d commits for %d requests", commits.Load(), n)
		}
	})
}

// One bad item in the middle of a batch fails alone.
func TestOneRefusedItemFailsAlone(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		hold, held := make(chan struct{}), make(chan struct{})
		var once sync.Once
		g := groupcommit.New(db, func(ctx context.Context, tx *gorm.DB, batch []*item) error {
			once.Do(func() { close(held); <-hold })
			for _, it := range batch {
				if string(it.row.AddressHash) == "bad" {
					return tx.Exec("INSERT INTO users (id, mailbox_id, role, password_hash, locale, created_at, updated_at) VALUES (?, ?, 'king', '', '', ?, ?)",
						models.NewID(), it.row.ID, at, at).Error
				}
				if err := write(ctx, tx, []*item{it}); err != nil {
					return err
				}
			}
			return nil
		})
		var wg sync.WaitGroup
		errs := make([]error, 20)
		go func() { _ = g.Do(context.Background(), newItem("first")) }()
		<-held // the rest queues up into one batch
		queued := make(chan struct{}, len(errs))
		for i := range errs {
			address := fmt.Sprint(i)
			if i == 7 {
				address = "bad"
			}
			wg.Go(func() { queued <- struct{}{}; errs[i] = g.Do(context.Background(), newItem(address)) })
		}
		for range errs {
			<-queued
		}
		close(hold)
		wg.Wait()
		g.Close()
		for i, err := range errs {
			if (err != nil) != (i == 7) {
				t.Errorf("item %d: %v", i, err)
			}
		}
		var rows int64
		if err := db.Model(&models.Mailbox{}).Count(&rows).Error; err != nil || rows != 20 {
			t.Fatalf("%d rows, %v", rows, err)
		}
	})
}

func TestFullAndClosedAreToldAtOnce(t *testing.T) {
	db := testdb.SQLite(t)
	hold, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	g := groupcommit.New(db, func(context.Context, *gorm.DB, []*item) error {
		once.Do(func() { close(held); <-hold })
		return nil
	})
	var wg sync.WaitGroup
	wg.Go(func() { _ = g.Do(context.Background(), newItem("x")) })
	<-held
	var busy atomic.Int64
	for range groupcommit.MaxQueue + 100 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			err := g.Do(ctx, newItem("y"))
			if fault.Is(err, fault.Unavailable) {
				if busy.Add(1) == 100 {
					close(hold) // exactly those beyond the queue were refused while nothing moved
				}
			} else if err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if busy.Load() != 100 {
		t.Fatalf("%d were refused", busy.Load())
	}
	g.Close()
	g.Close()
	if err := g.Do(context.Background(), newItem("z")); !errors.Is(err, groupcommit.ErrBusy) {
		t.Fatalf("after the end: %v", err)
	}
}
