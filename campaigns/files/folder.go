package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Folder keeps contents in a local folder: files of mode 0600 in folders of mode 0700, spread over 256 folders by the
// first two characters of the key. What is being written lies in the folder tmp.
type Folder struct{ root string }

const unfinished = "tmp"

// NewFolder returns the store in a folder, which it makes where there is none.
func NewFolder(root string) (*Folder, error) {
	if err := os.MkdirAll(filepath.Join(root, unfinished), 0o700); err != nil {
		return nil, err
	}
	return &Folder{root: root}, nil
}

// isKey reports whether a name is one that Write gave: 32 hexadecimal digits.
func isKey(key string) bool { return len(key) == 32 && strings.Trim(key, "0123456789abcdef") == "" }

// path is where a key lies. Unfinished files are listed and deleted by their place.
func (d *Folder) path(key string) (string, error) {
	if isKey(key) {
		return filepath.Join(d.root, key[:2], key), nil
	}
	if name, ok := strings.CutPrefix(key, unfinished+"/"); ok && strings.HasPrefix(name, "put-") && filepath.IsLocal(name) && filepath.Base(name) == name {
		return filepath.Join(d.root, unfinished, name), nil
	}
	return "", fmt.Errorf("files: %q is not the key of a content", key)
}

// Put stores a content: written apart, brought to the disk, then given its name.
func (d *Folder) Put(ctx context.Context, key string, r io.Reader, _ int64) (err error) {
	if !isKey(key) {
		return fmt.Errorf("files: %q is not the key of a content", key)
	}
	path, err := d.path(key)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Join(d.root, unfinished), "put-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	_, err = io.Copy(f, stopping{ctx, r})
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	shard := filepath.Dir(path)
	if err := os.Mkdir(shard, 0o700); err == nil {
		if err := syncFolder(d.root); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(shard)
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// stopping ends a copy with its context.
type stopping struct {
	ctx context.Context
	r   io.Reader
}

func (s stopping) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// Get opens a content.
func (d *Folder) Get(_ context.Context, key string) (io.ReadCloser, int64, error) {
	path, err := d.path(key)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, st.Size(), nil
}

// Delete removes a content.
func (d *Folder) Delete(_ context.Context, key string) error {
	path, err := d.path(key)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// List gives every content, and what a crash left unfinished. Files that are not of this store are passed over.
func (d *Folder) List(ctx context.Context, fn func(Blob) error) error {
	shards, err := os.ReadDir(d.root)
	if err != nil {
		return err
	}
	for _, shard := range shards {
		if !shard.IsDir() {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(d.root, shard.Name()))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			key := e.Name()
			if shard.Name() == unfinished {
				key = unfinished + "/" + key
			}
			if path, err := d.path(key); err != nil || filepath.Dir(path) != filepath.Join(d.root, shard.Name()) || !e.Type().IsRegular() {
				continue
			}
			st, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) { // gone meanwhile
				continue
			}
			if err != nil {
				return err
			}
			if err := fn(Blob{Key: key, Size: st.Size(), Age: time.Since(st.ModTime())}); err != nil {
				return err
			}
		}
	}
	return nil
}
