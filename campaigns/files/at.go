package files

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/minio/sio"

	"kithline/campaigns/fault"
	"kithline/models"
)

// At is a content that is read in any order, as archives are. It is safe for concurrent use.
type At struct {
	io.ReaderAt
	Size int64 // bytes in clear
	end  func() error
}

// PlainAt is a file of somebody else's, such as one named on the command line, that is read in any order.
func PlainAt(r io.ReaderAt, size int64) *At {
	return &At{ReaderAt: r, Size: size, end: func() error { return nil }}
}

// Close gives it up.
func (a *At) Close() error { return a.end() }

// OpenRow is Open for a file that was stored a moment ago, whose row is not inserted yet.
func (s *Service) OpenRow(ctx context.Context, f models.File) (io.ReadCloser, error) {
	return s.open(ctx, f)
}

// Discard takes back the content of a file whose row was not inserted.
func (s *Service) Discard(ctx context.Context, f models.File) error {
	if err := s.blobs.Delete(ctx, f.StoreKey); err != nil {
		return unavailable(err)
	}
	return nil
}

// OpenRowAt opens a content to be read in any order. What is read is certain to be what was stored at that place; that
// nothing is missing at the end is not looked at. Content that a store can only give from its beginning lies in an unnamed
// file meanwhile, as sealed as it is in the store. The errors are those of Open.
func (s *Service) OpenRowAt(ctx context.Context, f models.File) (*At, error) {
	config, err := s.seal(f)
	if err != nil {
		return nil, err
	}
	if !f.Open(s.clock.Now()) {
		return nil, fault.New(fault.Gone, "error.file_expired")
	}
	rc, _, err := s.blobs.Get(ctx, f.StoreKey)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: file %s has no content", ErrDamaged, f.ID)
	}
	if err != nil {
		return nil, unavailable(err)
	}
	if at, ok := rc.(io.ReaderAt); ok {
		return openedAt(at, f.Size, config, rc.Close)
	}
	defer func() { _ = rc.Close() }()
	tmp, err := unnamed()
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(tmp, stopping{ctx, rc}); err != nil {
		return nil, errors.Join(unavailable(err), tmp.Close())
	}
	return openedAt(tmp, f.Size, config, tmp.Close)
}

// Spool takes what r gives into an unnamed file, sealed with a key that is nowhere but in memory, so that it can be read in
// any order. It is gone with Close, or with the process.
func Spool(ctx context.Context, r io.Reader) (*At, error) {
	key := make([]byte, 32)
	rand.Read(key)
	config := sio.Config{MinVersion: sio.Version20, MaxVersion: sio.Version20, CipherSuites: []byte{sio.AES_256_GCM}, Key: key}
	tmp, err := unnamed()
	if err != nil {
		return nil, err
	}
	clear := &counting{r: stopping{ctx, r}}
	sealed, err := sio.EncryptReader(clear, config)
	if err == nil {
		_, err = io.Copy(tmp, sealed)
	}
	if err != nil {
		return nil, errors.Join(err, tmp.Close())
	}
	return openedAt(tmp, clear.n, config, tmp.Close)
}

// unnamed makes a file that no folder lists.
func unnamed() (*os.File, error) {
	f, err := os.CreateTemp("", "kithline-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func openedAt(sealed io.ReaderAt, size int64, config sio.Config, end func() error) (*At, error) {
	plain, err := sio.DecryptReaderAt(sealed, config)
	if err != nil {
		return nil, errors.Join(err, end())
	}
	return &At{ReaderAt: &blocks{r: plain, size: size}, Size: size, end: end}, nil
}

const (
	blockSize = 256 << 10 // four packages of DARE
	blockKeep = 8
)

// blocks keeps the last few blocks that were read: each small read would else open a whole package again.
type blocks struct {
	r    io.ReaderAt
	size int64
	mu   sync.Mutex
	kept []block // the last used at the end
}

type block struct {
	at int64
	b  []byte
}

func (k *blocks) ReadAt(p []byte, off int64) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := 0
	for n < len(p) {
		if off >= k.size {
			return n, io.EOF
		}
		b, err := k.block(off - off%blockSize)
		if err != nil {
			return n, err
		}
		c := copy(p[n:], b[off%blockSize:])
		n, off = n+c, off+int64(c)
	}
	return n, nil
}

func (k *blocks) block(at int64) ([]byte, error) {
	for i, x := range k.kept {
		if x.at == at {
			k.kept = append(append(k.kept[:i:i], k.kept[i+1:]...), x)
			return x.b, nil
		}
	}
	var buf []byte
	if len(k.kept) == blockKeep {
		buf, k.kept = k.kept[0].b, append(k.kept[:0:0], k.kept[1:]...)
	}
	if cap(buf) < blockSize {
		buf = make([]byte, blockSize)
	}
	buf = buf[:min(blockSize, k.size-at)]
	if n, err := k.r.ReadAt(buf, at); n < len(buf) {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	k.kept = append(k.kept, block{at, buf})
	return buf, nil
}
