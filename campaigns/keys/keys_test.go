package keys

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var (
	ctx   = context.Background()
	start = time.Date(2027, 2, 23, 10, 42, 0, 0, time.UTC)
)

// node is one process with a key file of its own.
type node struct {
	*Service
	clock *clock.Fixed
	asked []ResealArgs
}

func newNode(t *testing.T, db *database.DB, first *vault.Key) *node {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kithline.key")
	if err := first.Write(path); err != nil {
		t.Fatal(err)
	}
	n := &node{clock: clock.NewFixed(start)}
	n.Service = New(Options{
		DB: db, Vault: vault.New(first), Clock: n.clock, Path: path, Log: slog.New(slog.DiscardHandler),
		Enqueue: func(_ context.Context, _ *gorm.DB, args river.JobArgs) error {
			n.asked = append(n.asked, args.(ResealArgs))
			return nil
		},
	})
	return n
}

func (n *node) begin(t *testing.T) string {
	t.Helper()
	if _, err := n.Rotate(ctx, actor.TheSystem()); err != nil {
		t.Fatal(err)
	}
	n.clock.Add(settle)
	id, err := n.Begin(ctx, actor.TheSystem())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// people makes rows whose sealed values are bound to each kind of row key: an id, a keyed hash, two ids.
func people(t *testing.T, db *database.DB, v *vault.Vault, n int) (field uuid.UUID) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f := models.CustomField{ID: models.NewID(), Name: "access", Label: "Access", Kind: models.FieldText, Private: true, SeenBy: "owner", CreatedAt: start, UpdatedAt: start}
	must(db.Create(&f).Error)
	for i := range n {
		s := models.Supporter{ID: models.NewID(), CreatedAt: start, UpdatedAt: start}
		s.GivenNameSealed = v.Seal("supporters", "given_name_sealed", s.ID, "June")
		must(db.Create(&s).Error)
		m, err := mailboxes.Ensure(ctx, db.DB, v, "june"+uuid.NewString()[:8]+"@example.org", start)
		must(err)
		must(db.Model(&models.Mailbox{}).Where("id = ?", m.ID).Update("supporter_id", s.ID).Error)
		if i%2 == 0 {
			key := append(append([]byte{}, s.ID[:]...), f.ID[:]...)
			must(db.Create(&models.FieldValue{SupporterID: s.ID, FieldID: f.ID, ValueSealed: v.SealBytes("field_values", "value_sealed", key, []byte("a ramp")), UpdatedAt: start}).Error)
		}
	}
	return f.ID
}

// readable opens every value that people made, with a vault that has only these keys.
func readable(t *testing.T, db *database.DB, v *vault.Vault, field uuid.UUID) (n int, err error) {
	t.Helper()
	var supporters []models.Supporter
	var boxes []models.Mailbox
	var values []models.FieldValue
	for _, rows := range []any{&supporters, &boxes, &values} {
		if err := db.Find(rows).Error; err != nil {
			t.Fatal(err)
		}
	}
	open := func(got string, e error, want string) {
		if e == nil && got != want && want != "" {
			t.Errorf("%q, not %q", got, want)
		}
		n++
		err = errors.Join(err, e)
	}
	for _, s := range supporters {
		got, e := v.Open("supporters", "given_name_sealed", s.ID, s.GivenNameSealed)
		open(got, e, "June")
	}
	for _, m := range boxes {
		got, e := mailboxes.Address(v, m)
		open(got, e, "")
		if e == nil && !bytes.Equal(v.AddressHash(got), m.AddressHash) {
			t.Errorf("%s is not found by its address any more", m.ID)
		}
	}
	for _, f := range values {
		key := append(append([]byte{}, f.SupporterID[:]...), field[:]...)
		got, e := v.OpenBytes("field_values", "value_sealed", key, f.ValueSealed)
		open(string(got), e, "a ramp")
	}
	return n, err
}

func TestEverythingIsSealedAnew(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		first := vault.NewKey()
		n := newNode(t, db, first)
		const many = batch + 20 // more than one transaction
		field := people(t, db, n.Vault, many)
		if s, err := n.Status(ctx, actor.TheSystem()); err != nil || s.Left != 0 || s.Sealing != first.ID() {
			t.Fatalf("%+v, %v", s, err)
		}
		second := n.begin(t)
		if n.Vault.Sealing() != second || len(n.asked) != 1 || n.asked[0].KeyID != second {
			t.Fatalf("%s seals, asked for %v", n.Vault.Sealing(), n.asked)
		}
		all := int64(many*2 + many/2)
		if s, err := n.Status(ctx, actor.TheSystem()); err != nil || s.Left != all {
			t.Fatalf("%+v, %v, want %d left", s, err, all)
		}
		// It can be stopped after any batch and goes on.
		if done, err := n.Reseal(ctx, func() bool { return true }); err != nil || done {
			t.Fatal(done, err)
		}
		if done, err := n.Reseal(ctx, func() bool { return false }); err != nil || !done {
			t.Fatal(done, err)
		}
		s, err := n.Status(ctx, actor.TheSystem())
		if err != nil || s.Left != 0 || s.Sealed != all || s.DoneAt == nil {
			t.Errorf("%+v, %v", s, err)
		}
		if got, err := readable(t, db, n.Vault, field); err != nil || int64(got) != all {
			t.Errorf("%d of %d, %v", got, all, err)
		}
		// Nothing is left that the old key opens: whoever has it alone reads nothing.
		var rows []models.Supporter
		if err := db.Find(&rows).Error; err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if _, err := vault.New(first).Open("supporters", "given_name_sealed", r.ID, r.GivenNameSealed); !errors.Is(err, vault.ErrSealed) {
				t.Fatal("the old key still opens a name")
			}
		}
		// A third key, and a restart with the file alone.
		n.begin(t)
		if done, err := n.Reseal(ctx, func() bool { return false }); err != nil || !done {
			t.Fatal(done, err)
		}
		again, err := vault.Load(n.Path, vault.New(first).CheckValue())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readable(t, db, again, field); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatChangesMeanwhileStays(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		n := newNode(t, db, vault.NewKey())
		people(t, db, n.Vault, 40)
		n.begin(t)
		var rows []models.Supporter
		if err := db.Order("id").Find(&rows).Error; err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() {
			for range 5 {
				for _, r := range rows {
					sealed := n.Vault.Seal("supporters", "given_name_sealed", r.ID, "Maren")
					if err := db.Model(&models.Supporter{}).Where("id = ?", r.ID).Update("given_name_sealed", sealed).Error; err != nil {
						ended <- err
						return
					}
				}
			}
			ended <- nil
		}()
		if _, err := n.Reseal(ctx, func() bool { return false }); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if err := db.Order("id").Find(&rows).Error; err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if got, err := n.Vault.Open("supporters", "given_name_sealed", r.ID, r.GivenNameSealed); err != nil || got != "Maren" {
				t.Fatalf("%q, %v: a change was lost", got, err)
			}
		}
	})
}

func TestANewKeyWaitsUntilEveryNodeHasIt(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		first := vault.NewKey()
		a, b := newNode(t, db, first), newNode(t, db, first)
		if _, err := a.Begin(ctx, actor.TheSystem()); !fault.Is(err, fault.Conflict) {
			t.Errorf("began without a key: %v", err)
		}
		k, err := a.Rotate(ctx, actor.TheSystem())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Rotate(ctx, actor.TheSystem()); !fault.Is(err, fault.Conflict) {
			t.Errorf("a second key before the first began: %v", err)
		}
		if _, err := a.Begin(ctx, actor.TheSystem()); !fault.Is(err, fault.Conflict) {
			t.Errorf("began before other nodes looked: %v", err)
		}
		// The other node's file was not copied: it says so, and would not start.
		var lacks *vault.KeyMissing
		if err := b.Follow(ctx); !errors.As(err, &lacks) || lacks.KeyID != k.ID() || lacks.Path != b.Path {
			t.Errorf("%v", err)
		}
		text, err := os.ReadFile(a.Path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(b.Path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := b.Follow(ctx); err != nil || b.Vault.Sealing() != first.ID() {
			t.Fatal(err)
		}
		a.clock.Add(settle)
		if _, err := a.Begin(ctx, actor.TheSystem()); err != nil {
			t.Fatal(err)
		}
		id := uuid.New()
		if got, err := b.Vault.Open("t", "c", id, a.Vault.Seal("t", "c", id, "x")); err != nil || got != "x" {
			t.Errorf("the other node cannot read what this one seals: %v", err)
		}
		if err := b.Follow(ctx); err != nil || b.Vault.Sealing() != k.ID() {
			t.Errorf("%s seals on the other node, %v", b.Vault.Sealing(), err)
		}
		nobody := actor.Actor{Kind: actor.User, Role: actor.Organizer}
		if _, err := a.Rotate(ctx, nobody); !fault.Is(err, fault.Forbidden) {
			t.Error(err)
		}
		if _, err := a.Begin(ctx, nobody); !fault.Is(err, fault.Forbidden) {
			t.Error(err)
		}
	})
}
