package mailer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Keep is how many captured mails stay in the folder.
const Keep = 5000

// ErrNoMail is returned for an id that is not, or no longer, in the folder.
var ErrNoMail = errors.New("mailer: no such captured mail")

// Capture keeps mails as .eml files in a folder instead of sending them: for the demo and for development. What is shown of
// a mail is read from the bytes that would have been sent. It is safe for concurrent use by one process; the newest mails
// stay, and they stay over a restart.
type Capture struct {
	dir  string
	keep int

	mu     sync.Mutex
	loaded bool
	seq    uint64
	index  []captured // oldest first
}

// captured is one file; shown is filled in when it is first asked for.
type captured struct {
	seq   uint64
	at    time.Time
	shown *Captured
}

func (c captured) id() string {
	return fmt.Sprintf("%08d-%s", c.seq, strconv.FormatInt(c.at.UnixMicro(), 36))
}

// NewCapture keeps mails in dir, which is made when the first one comes. Files there that it did not write stay as they are.
func NewCapture(dir string) *Capture { return &Capture{dir: dir, keep: Keep} }

// Name is "capture".
func (c *Capture) Name() string { return "capture" }

// Open makes sure that the folder can be written to.
func (c *Capture) Open(context.Context) (Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(); err != nil {
		return nil, err
	}
	return captureConn{c}, nil
}

type captureConn struct{ c *Capture }

func (captureConn) Close() error { return nil }

// Send writes the mail into the folder. It is Accepted when the file is there under its name.
func (k captureConn) Send(ctx context.Context, m Message) Outcome {
	b, err := Bytes(m)
	if err != nil {
		return Outcome{State: Rejected, Phase: PhaseBuild, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return Outcome{State: NotSent, Phase: PhaseMail, Err: err}
	}
	if err := k.c.add(m.Date, b); err != nil {
		return Outcome{State: NotSent, Phase: PhaseData, Err: err}
	}
	return Outcome{State: Accepted, Code: 250, Reply: "captured"}
}

// add writes a mail and takes away the oldest beyond the limit.
func (c *Capture) add(at time.Time, raw []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(); err != nil {
		return err
	}
	e := captured{seq: c.seq + 1, at: at.UTC().Truncate(time.Microsecond)}
	part := filepath.Join(c.dir, e.id()+".part")
	if err := os.WriteFile(part, raw, 0o600); err != nil {
		_ = os.Remove(part)
		return fmt.Errorf("mailer: capture: %w", err)
	}
	if err := os.Rename(part, c.path(e)); err != nil {
		_ = os.Remove(part)
		return fmt.Errorf("mailer: capture: %w", err)
	}
	c.seq = e.seq
	c.index = append(c.index, e)
	for len(c.index) > c.keep {
		_ = os.Remove(c.path(c.index[0]))
		c.index = c.index[1:]
	}
	return nil
}

func (c *Capture) path(e captured) string { return filepath.Join(c.dir, e.id()+".eml") }

// load reads the names in the folder, once.
func (c *Capture) load() error {
	if c.loaded {
		return nil
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("mailer: capture: %w", err)
	}
	files, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("mailer: capture: %w", err)
	}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), ".eml")
		if !ok {
			continue
		}
		first, second, _ := strings.Cut(name, "-")
		seq, err1 := strconv.ParseUint(first, 10, 64)
		us, err2 := strconv.ParseInt(second, 36, 64)
		e := captured{seq: seq, at: time.UnixMicro(us).UTC()}
		if err1 != nil || err2 != nil || e.id() != name {
			continue
		}
		c.index = append(c.index, e)
	}
	slices.SortFunc(c.index, func(a, b captured) int { return cmp.Compare(a.seq, b.seq) })
	if n := len(c.index); n > 0 {
		c.seq = c.index[n-1].seq
	}
	c.loaded = true
	return nil
}

// List is every captured mail, the last one sent first.
func (c *Capture) List() ([]Captured, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.load(); err != nil {
		return nil, err
	}
	list := make([]Captured, 0, len(c.index))
	for i := len(c.index) - 1; i >= 0; i-- {
		m, err := c.read(i)
		if errors.Is(err, os.ErrNotExist) {
			continue // somebody tidied the folder
		}
		if err != nil {
			return nil, err
		}
		list = append(list, *m)
	}
	return list, nil
}

// Get is one captured mail, or ErrNoMail.
func (c *Capture) Get(id string) (Captured, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, err := c.find(id)
	if err != nil {
		return Captured{}, err
	}
	m, err := c.read(i)
	if errors.Is(err, os.ErrNotExist) {
		return Captured{}, ErrNoMail
	}
	if err != nil {
		return Captured{}, err
	}
	return *m, nil
}

// Raw is the file of one captured mail, byte for byte what would have been sent, or ErrNoMail.
func (c *Capture) Raw(id string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, err := c.find(id)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(c.path(c.index[i]))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoMail
	}
	return b, err
}

func (c *Capture) find(id string) (int, error) {
	if err := c.load(); err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(id, "-")
	seq, err := strconv.ParseUint(first, 10, 64)
	if err != nil {
		return 0, ErrNoMail
	}
	i, ok := slices.BinarySearchFunc(c.index, seq, func(e captured, s uint64) int { return cmp.Compare(e.seq, s) })
	if !ok || c.index[i].id() != id {
		return 0, ErrNoMail
	}
	return i, nil
}

func (c *Capture) read(i int) (*Captured, error) {
	if m := c.index[i].shown; m != nil {
		return m, nil
	}
	b, err := os.ReadFile(c.path(c.index[i]))
	if err != nil {
		return nil, err
	}
	m := ReadCaptured(b)
	m.ID, m.CreatedAt = c.index[i].id(), c.index[i].at
	c.index[i].shown = &m
	return &m, nil
}
