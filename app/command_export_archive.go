package app

import (
	"archive/zip"
	"context"
	"errors"
	"io/fs"
	"os"

	"kithline/campaigns/clock"
	"kithline/campaigns/exports"
	"kithline/campaigns/files"
)

// openArchive opens an export of everything: a ZIP or a folder.
func openArchive(path string) (fs.FS, func() error, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		return os.DirFS(path), func() error { return nil }, nil
	}
	z, err := zip.OpenReader(path)
	if errors.Is(err, zip.ErrFormat) {
		return nil, nil, plain("%s is neither a ZIP nor a folder that \"kithline export everything\" wrote.", path)
	}
	if err != nil {
		return nil, nil, err
	}
	return z, z.Close, nil
}

// takeOver makes what reads an export of everything, with the store and nothing else: the program as a whole would begin to
// fill the database. end closes it.
func (c *cli) takeOver(ctx context.Context) (s *exports.Service, end func() error, err error) {
	cfg, err := c.config()
	if err != nil {
		return nil, nil, err
	}
	if err := dataFolder(cfg); err != nil {
		return nil, nil, err
	}
	db, v, err := openStore(ctx, cfg, clock.System, false)
	if err != nil {
		return nil, nil, err
	}
	store, err := blobs(cfg)
	if err != nil {
		return nil, nil, closing(err, db.Close)
	}
	return exports.New(exports.Options{DB: db, Vault: v, Clock: clock.System, Files: files.New(db, v, clock.System, store), Version: build().Version}), db.Close, nil
}
