package erasures

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/models"
)

// Entry is one erased address in the list that is kept outside of the database: its keyed hash and nothing else of it.
type Entry struct {
	ID   uuid.UUID `json:"id"` // the number on the receipt
	Hash string    `json:"hash"`
	How  string    `json:"how"`
	At   time.Time `json:"at"`
}

func entries(rows []models.Erasure) []Entry {
	out := make([]Entry, len(rows))
	for i, r := range rows {
		out[i] = Entry{r.ID, hex.EncodeToString(r.AddressHash), r.How, r.CreatedAt}
	}
	return out
}

// Ledger is the list of erased addresses, one small object each in a store of its own, which is not the one of stored files:
// nothing sweeps it, and it outlives the database.
type Ledger struct{ blobs files.Blobs }

// NewLedger makes the list over a store that holds nothing else.
func NewLedger(blobs files.Blobs) Ledger { return Ledger{blobs} }

// Put writes an entry. Done again it changes nothing.
func (l Ledger) Put(ctx context.Context, e Entry) error {
	b, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return l.blobs.Put(ctx, keyOf(e.ID), bytes.NewReader(b), int64(len(b)))
}

// All reads every entry, oldest first.
func (l Ledger) All(ctx context.Context) ([]Entry, error) {
	keys, err := l.keys(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, 0, len(keys))
	for key := range keys {
		e, err := l.get(ctx, key)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	sort(out)
	return out, nil
}

func (l Ledger) keys(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	return out, l.blobs.List(ctx, func(b files.Blob) error {
		if !strings.Contains(b.Key, "/") { // else it was not finished
			out[b.Key] = true
		}
		return nil
	})
}

func keyOf(id uuid.UUID) string { return strings.ReplaceAll(id.String(), "-", "") }

func (l Ledger) get(ctx context.Context, key string) (e Entry, err error) {
	rc, _, err := l.blobs.Get(ctx, key)
	if err != nil {
		return e, err
	}
	defer rc.Close()
	b, err := io.ReadAll(io.LimitReader(rc, 4096))
	if err == nil {
		e, err = parse(b)
	}
	if err != nil {
		err = fmt.Errorf("the entry %s of the list of erasures: %w", key, err)
	}
	return e, err
}

func parse(line []byte) (e Entry, err error) {
	if err = json.Unmarshal(line, &e); err != nil {
		return e, err
	}
	if h, err := hex.DecodeString(e.Hash); err != nil || len(h) == 0 || e.ID == uuid.Nil || e.At.IsZero() {
		return e, fmt.Errorf("it names no address by its hash")
	}
	return e, nil
}

func sort(list []Entry) {
	slices.SortFunc(list, func(a, b Entry) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.ID.String(), b.ID.String())
	})
}

// WriteList writes entries as JSON, one a line: the form that ReadList reads.
func WriteList(w io.Writer, list []Entry) error {
	enc := json.NewEncoder(w)
	for _, e := range list {
		if err := enc.Encode(e); err != nil {
			return err
		}
	}
	return nil
}

// ReadList reads what WriteList wrote. The fault for anything else is Invalid, error.erased_list, with the Line.
func ReadList(r io.Reader) ([]Entry, error) {
	var out []Entry
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		e, err := parse(lines.Bytes())
		if err != nil {
			return nil, fault.Because(err, fault.Invalid, "error.erased_list", "Line", n)
		}
		out = append(out, e)
	}
	if err := lines.Err(); err != nil {
		return nil, fault.Because(err, fault.Invalid, "error.erased_list", "Line", 0)
	}
	return out, nil
}
