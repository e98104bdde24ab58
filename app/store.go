package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"kithline/campaigns/clock"
	"kithline/campaigns/erasures"
	"kithline/campaigns/files"
	"kithline/campaigns/vault"
	"kithline/config"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/migrations"
)

func databaseOptions(cfg config.Config, clk clock.Clock) database.Options {
	return database.Options{URL: cfg.Database.URL.Reveal(), Connections: cfg.Database.Connections, Now: clk.Now}
}

// openDatabase opens the database of the configuration, as it is.
func openDatabase(ctx context.Context, cfg config.Config, clk clock.Clock) (*database.DB, error) {
	return database.Open(ctx, databaseOptions(cfg, clk))
}

// openStore opens the database, brings its schema up to date, and opens the vault. At the very first start it makes the key
// file; after that a missing or wrong key refuses to start and says how to recover.
// building is that of database.Options.
func openStore(ctx context.Context, cfg config.Config, clk clock.Clock, building bool) (db *database.DB, v *vault.Vault, err error) {
	o := databaseOptions(cfg, clk)
	o.Building = building
	if db, err = database.Open(ctx, o); err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	if err = migrations.Up(ctx, db); err != nil {
		return nil, nil, err
	}
	v, err = openVault(ctx, cfg, db, clk)
	return db, v, err
}

// keyCheck is the mark by which the database knows its key, nil where it has none yet.
func keyCheck(ctx context.Context, db *database.DB) ([]byte, error) {
	var rows []models.VaultCheck
	if err := db.WithContext(ctx).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	return rows[0].CheckValue, nil
}

func openVault(ctx context.Context, cfg config.Config, db *database.DB, clk clock.Clock) (*vault.Vault, error) {
	check, err := keyCheck(ctx, db)
	if err != nil {
		return nil, err
	}
	v, err := vault.Load(cfg.Storage.Key, check)
	if errors.Is(err, vault.ErrNoKey) {
		if err := os.MkdirAll(filepath.Dir(cfg.Storage.Key), 0o700); err != nil {
			return nil, err
		}
		k, err := vault.Create(cfg.Storage.Key)
		if errors.Is(err, os.ErrExist) { // another node of this machine was faster
			return openVault(ctx, cfg, db, clk)
		}
		if err != nil {
			return nil, err
		}
		v = vault.New(k)
	} else if err != nil {
		return nil, err
	}
	if check != nil {
		return v, nil
	}
	row := models.VaultCheck{ID: 1, KeyID: v.KeyID(), CheckValue: v.CheckValue(), CreatedAt: clk.Now()}
	if err := db.WithContext(ctx).Exec("INSERT INTO vault_checks (id, key_id, check_value, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
		row.ID, row.KeyID, row.CheckValue, row.CreatedAt).Error; err != nil {
		return nil, err
	}
	if err := db.WithContext(ctx).Take(&row, "id = 1").Error; err != nil {
		return nil, err
	}
	if err := v.Verify(row.CheckValue); err != nil { // another node made the database its own with another key
		return nil, &vault.KeyWrong{Path: cfg.Storage.Key, Found: v.KeyID(), KeyID: row.KeyID}
	}
	return v, nil
}

// dataFolder makes the data folder, for this user only.
func dataFolder(cfg config.Config) error {
	if err := os.MkdirAll(cfg.Storage.Data, 0o700); err != nil {
		return fmt.Errorf("the data folder: %w", err)
	}
	return nil
}

// blobs is where stored files lie: objects where the configuration names a bucket, else a folder of the data folder.
func blobs(cfg config.Config) (files.Blobs, error) { return store(cfg, "files", "") }

// ledger is the list of erased addresses, beside the stored files and apart from them: it outlives the database.
func ledger(cfg config.Config) (erasures.Ledger, error) {
	b, err := store(cfg, "erased", "erased/")
	return erasures.NewLedger(b), err
}

func store(cfg config.Config, folder, prefix string) (files.Blobs, error) {
	if s := cfg.Files.S3; s.Set() {
		return files.NewS3(files.S3Options{
			Endpoint: s.Endpoint, Secure: s.Secure, Bucket: s.Bucket, Region: s.Region, AccessKey: cfg.Files.AccessKey.Reveal(), SecretKey: cfg.Files.SecretKey.Reveal(),
			Prefix: prefix,
		})
	}
	return files.NewFolder(cfg.Storage.Path(folder))
}
