// Package files is the store of pictures, packs, uploads and exports: a local folder or S3-compatible objects, and a row
// for each file.
//
// The rules: everything is sealed before it is written, pictures too, with a key of its own that comes from the vault and
// the file's id, so that a folder or bucket that gets into other hands shows nothing. The content is written first and the
// row after it, so that a row always has its content; content without a row is swept after a day. A file that expired
// keeps its row, without its name, to tell what there was. Content that was cut or changed is never handed out as if it
// were whole.
//
// This package checks no rights: whoever calls it does.
package files

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/minio/sio"
	"gorm.io/gorm"

	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Blob is one sealed content in a store.
type Blob struct {
	Key  string
	Size int64         // bytes as stored
	Age  time.Duration // since it was stored, by the store's own clock: it need not agree with the program's
}

// Blobs keeps sealed contents by key. Folder and S3 are the two.
type Blobs interface {
	// Put stores what r gives, whole or not at all, and returns once it is safe. size is the number of bytes, -1 where it is
	// not known yet.
	Put(ctx context.Context, key string, r io.Reader, size int64) error
	// Get opens a content and tells its size. It returns fs.ErrNotExist where there is none.
	Get(ctx context.Context, key string) (io.ReadCloser, int64, error)
	// Delete removes a content; one that is not there is no error.
	Delete(ctx context.Context, key string) error
	// List calls fn for each content, in no order, until fn returns an error, which it returns.
	List(ctx context.Context, fn func(Blob) error) error
}

// Service is the store. It is made by New and is safe for concurrent use.
type Service struct {
	db    *database.DB
	vault *vault.Vault
	clock clock.Clock
	blobs Blobs
	large chan struct{} // room for pictures that are being worked on
}

// New returns the store over blobs.
func New(db *database.DB, v *vault.Vault, clk clock.Clock, blobs Blobs) *Service {
	return &Service{db: db, vault: v, clock: clk, blobs: blobs, large: make(chan struct{}, 2)}
}

// ErrDamaged is a content that is not what was stored: cut, changed or gone. Nothing read before it can be trusted to be
// whole.
var ErrDamaged = errors.New("files: the stored content is damaged")

// PutInput says what a file is.
type PutInput struct {
	ID          uuid.UUID // of a file that comes from another Kithline; the zero id makes a new one
	Kind        models.FileKind
	Name        string // as the file was called, sealed; may be empty
	ContentType string // as it will be served; ignored for pictures, which are looked at
	Public      bool
	ExpiresAt   *time.Time // nil: stays
	By          *uuid.UUID // the user, nil for the server itself
	MaxSize     int64      // bytes, 0 for no limit; more gives an Invalid fault, error.file_large
}

// Put stores a file and its row: Write, then Insert. Where the content is more than small, or comes from a network, call
// the two apart, so that no transaction waits for it. tx may be nil: then the row is written by itself.
func (s *Service) Put(ctx context.Context, tx *gorm.DB, in PutInput, r io.Reader) (models.File, error) {
	f, err := s.Write(ctx, in, r)
	if err != nil {
		return models.File{}, err
	}
	if tx == nil {
		tx = s.db.WithContext(ctx)
	}
	return f, s.Insert(ctx, tx, f)
}

// inMemory is up to which size a content is sealed in memory before it is stored, in bytes. Its size is known then, which
// is cheaper for S3, and it can be sent again when the connection breaks.
const inMemory = 1 << 20

// Write seals and stores a content and returns the row for Insert. It is called outside of transactions. A content whose
// row is not inserted within a day is swept away. The faults are Invalid, error.file_large, and Unavailable,
// error.files_full and error.files_unavailable; an error of r comes back as it is, and nothing is kept then.
func (s *Service) Write(ctx context.Context, in PutInput, r io.Reader) (models.File, error) {
	var random [16]byte
	rand.Read(random[:])
	f := models.File{
		ID: models.NewID(), Kind: in.Kind, ContentType: in.ContentType, StoreKey: hex.EncodeToString(random[:]), Public: in.Public,
		State: models.FileStored, CreatedBy: in.By, CreatedAt: s.clock.Now(),
	}
	if in.ID != uuid.Nil {
		f.ID = in.ID
	}
	if id := s.vault.Sealing(); id != s.vault.KeyID() {
		f.KeyID = id
	}
	if in.ExpiresAt != nil {
		at := clock.Trim(*in.ExpiresAt)
		f.ExpiresAt = &at
	}
	f.NameSealed = s.vault.Seal("files", "name_sealed", f.ID, in.Name)

	src := &source{r: r, hash: sha256.New(), max: in.MaxSize}
	how, err := s.seal(f)
	if err != nil {
		return models.File{}, err
	}
	sealed, err := sio.EncryptReader(src, how)
	if err != nil {
		return models.File{}, err
	}
	var head bytes.Buffer
	_, err = io.CopyN(&head, sealed, inMemory)
	switch {
	case errors.Is(err, io.EOF) && src.err == nil:
		err = s.blobs.Put(ctx, f.StoreKey, bytes.NewReader(head.Bytes()), int64(head.Len()))
	case err == nil:
		err = s.blobs.Put(ctx, f.StoreKey, io.MultiReader(&head, sealed), -1)
	}
	if src.err != nil { // rather than what the store made of it
		return models.File{}, src.err
	}
	if err != nil {
		return models.File{}, unavailable(err)
	}
	f.Size, f.SHA256 = src.size, hex.EncodeToString(src.hash.Sum(nil))
	return f, nil
}

// Insert writes the row of a file that Write stored.
func (s *Service) Insert(ctx context.Context, tx *gorm.DB, f models.File) error {
	return tx.WithContext(ctx).Create(&f).Error
}

// Name is what a file was called when it came, empty where it had no name and once it expired.
func (s *Service) Name(f models.File) (string, error) {
	return s.vault.Open("files", "name_sealed", f.ID, f.NameSealed)
}

// Get returns the row of a file. The fault is NotFound, error.file_unknown.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (models.File, error) {
	var f models.File
	err := s.db.WithContext(ctx).Where("id = ?", id).Take(&f).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = fault.New(fault.NotFound, "error.file_unknown")
	}
	return f, err
}

// Open opens the content of a file. The caller closes it. The faults are NotFound, error.file_unknown; Gone,
// error.file_expired; Unavailable, error.files_unavailable. A content that is not whole gives ErrDamaged, here where its
// length tells, else from Read in place of io.EOF: what was read before it must not be used as the file.
func (s *Service) Open(ctx context.Context, id uuid.UUID) (io.ReadCloser, models.File, error) {
	f, err := s.Get(ctx, id)
	if err != nil {
		return nil, models.File{}, err
	}
	rc, err := s.open(ctx, f)
	return rc, f, err
}

// OpenPublic is Open for visitors: a file that is not public is unknown to them.
func (s *Service) OpenPublic(ctx context.Context, id uuid.UUID) (io.ReadCloser, models.File, error) {
	f, err := s.Get(ctx, id)
	if err == nil && !f.Public {
		err = fault.New(fault.NotFound, "error.file_unknown")
	}
	if err != nil {
		return nil, models.File{}, err
	}
	rc, err := s.open(ctx, f)
	return rc, f, err
}

func (s *Service) open(ctx context.Context, f models.File) (io.ReadCloser, error) {
	if !f.Open(s.clock.Now()) {
		return nil, fault.New(fault.Gone, "error.file_expired")
	}
	want, err := sio.EncryptedSize(uint64(f.Size))
	if err != nil {
		return nil, fmt.Errorf("%w: file %s: %w", ErrDamaged, f.ID, err)
	}
	rc, size, err := s.blobs.Get(ctx, f.StoreKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: file %s has no content", ErrDamaged, f.ID)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	if uint64(size) != want {
		return nil, errors.Join(fmt.Errorf("%w: file %s has %d bytes stored instead of %d", ErrDamaged, f.ID, size, want), rc.Close())
	}
	plain := io.Reader(rc)
	if f.Size > 0 { // nothing is sealed as nothing
		how, err := s.seal(f)
		if err == nil {
			plain, err = sio.DecryptReader(rc, how)
		}
		if err != nil {
			return nil, errors.Join(err, rc.Close())
		}
	}
	return &content{plain: plain, Closer: rc, hash: sha256.New(), file: f}, nil
}

// seal is how the content of one file is sealed: DARE 2.0 (github.com/minio/sio), AES-256-GCM in packages of 64 KB that
// carry their place and the end.
func (s *Service) seal(f models.File) (sio.Config, error) {
	key, err := s.vault.DeriveWith(f.KeyID, "files/"+f.ID.String(), 32)
	return sio.Config{MinVersion: sio.Version20, MaxVersion: sio.Version20, CipherSuites: []byte{sio.AES_256_GCM}, Key: key}, err
}

// List is a page of files of a kind, or of every kind where it is empty, newest first, expired ones among them.
func (s *Service) List(ctx context.Context, kind models.FileKind, after paging.Cursor) (paging.Page[models.File], error) {
	q := s.db.WithContext(ctx).Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if kind != "" {
		q = q.Where("kind = ?", kind)
	}
	if !after.First() {
		q = q.Where("(created_at, id) < (?, ?)", after.At, after.ID)
	}
	var rows []models.File
	if err := q.Find(&rows).Error; err != nil {
		return paging.Page[models.File]{}, err
	}
	return paging.Cut(rows, paging.Size, func(f models.File) paging.Cursor { return paging.Cursor{At: f.CreatedAt, ID: f.ID} }), nil
}

// source reads what is to be stored, counts and hashes it, and remembers its error.
type source struct {
	r    io.Reader
	hash hash.Hash
	size int64
	max  int64
	err  error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	s.hash.Write(p[:n])
	if s.size += int64(n); s.max > 0 && s.size > s.max {
		s.err = fault.New(fault.Invalid, "error.file_large", "Megabytes", max(s.max>>20, 1))
		return 0, s.err
	}
	if err != nil && err != io.EOF {
		// io.ErrUnexpectedEOF, a form that was cut on its way, would be taken for the end further on.
		s.err = fmt.Errorf("files: reading what is to be stored: %w", err)
		return n, errSource
	}
	return n, err
}

var errSource = errors.New("files: the content could not be read")

// content is an opened file: at its end it compares what was read with the row.
type content struct {
	plain io.Reader
	io.Closer
	hash hash.Hash
	size int64
	file models.File
	err  error
}

func (c *content) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.plain.Read(p)
	c.hash.Write(p[:n])
	c.size += int64(n)
	switch {
	case err == io.EOF && c.size == c.file.Size && hex.EncodeToString(c.hash.Sum(nil)) == c.file.SHA256:
		c.err = io.EOF
	case err == io.EOF:
		c.err = fmt.Errorf("%w: file %s is not what was stored", ErrDamaged, c.file.ID)
	case err != nil:
		c.err = fmt.Errorf("%w: file %s: %w", ErrDamaged, c.file.ID, err)
	}
	return n, c.err
}

// unavailable makes an error of the store into one that a person can be shown, and that says to come back.
func unavailable(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fault.Because(err, fault.Unavailable, "error.files_full")
	}
	return fault.Because(err, fault.Unavailable, "error.files_unavailable")
}
