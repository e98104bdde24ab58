package migrations_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"kithline/models/database"
	"kithline/models/migrations"
	"kithline/tests/testdb"
)

func open(t *testing.T, url string) *database.DB {
	t.Helper()
	db, err := database.Open(context.Background(), database.Options{URL: url, Connections: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Several nodes start on an empty database at the same moment: one migrates, the others wait, all end at the same version.
func TestFirstRunRace(t *testing.T) {
	testdb.EachURL(t, func(t *testing.T, url string) {
		ctx := context.Background()
		var nodes []*database.DB
		for range 5 {
			nodes = append(nodes, open(t, url))
		}
		errs := make([]error, len(nodes))
		var wg sync.WaitGroup
		for i, db := range nodes {
			wg.Go(func() { errs[i] = migrations.Up(ctx, db) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		s, err := migrations.Read(ctx, nodes[0])
		if err != nil || s.Current != s.Target || s.Current == 0 || s.River == 0 {
			t.Fatalf("%+v %v", s, err)
		}
		var n int64
		if err := nodes[0].Raw("SELECT count(*) FROM goose_db_version WHERE version_id > 0").Scan(&n).Error; err != nil || n != s.Target {
			t.Fatalf("%d rows for %d versions, %v", n, s.Target, err)
		}
		if err := nodes[0].Exec("SELECT count(*) FROM river_job").Error; err != nil {
			t.Fatal("River's tables are missing: ", err)
		}
	})
}

func TestDowngradeIsRefused(t *testing.T) {
	testdb.EachURL(t, func(t *testing.T, url string) {
		ctx := context.Background()
		db := open(t, url)
		if err := migrations.Up(ctx, db); err != nil {
			t.Fatal(err)
		}
		if err := db.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)").Error; err != nil {
			t.Fatal(err)
		}
		if err := migrations.Up(ctx, db); !errors.Is(err, migrations.ErrNewer) {
			t.Fatalf("got %v", err)
		}
	})
}

// A database goes to any version that there was, never back, and on from there.
func TestUpTo(t *testing.T) {
	testdb.EachURL(t, func(t *testing.T, url string) {
		ctx := context.Background()
		db := open(t, url)
		target, err := migrations.Target(db)
		if err != nil {
			t.Fatal(err)
		}
		for _, version := range []int64{-1, 0, target + 1} {
			if err := migrations.UpTo(ctx, db, version); err == nil {
				t.Errorf("version %d was taken", version)
			}
		}
		for version := int64(1); version <= target; version++ {
			if err := migrations.UpTo(ctx, db, version); err != nil {
				t.Fatal(err)
			}
			if s, err := migrations.Read(ctx, db); err != nil || s.Current != version || s.Target != target {
				t.Fatalf("%+v %v", s, err)
			}
			if err := migrations.UpTo(ctx, db, version-1); err == nil {
				t.Errorf("went back from %d", version)
			}
		}
		if err := migrations.Up(ctx, db); err != nil {
			t.Fatal(err)
		}
	})
}
