// Package erasures forgets people: whoever asks for it themselves, and whomever an organizer erases.
//
// The rules:
//
//   - What goes is said by models.PersonalColumns alone. No feature erases by itself, and a personal column that nobody
//     knows how to erase stops everything rather than staying behind.
//   - Erasing a person removes their record, all their mailboxes and what hangs on them. Signatures stay in the counts, by
//     postal area, without a name, a comment and a link to anybody. No count changes.
//   - Mail that waits for them is not sent. Nobody writes to an erased address, so the receipt is a page, to be printed.
//   - Copies go too: uploads, exports and files of refused rows end at once; those that an import or export is working on end
//     with it.
//   - What is left of an address is its keyed hash, in the table erasures: no list brings the person back. Whoever signs up
//     anew, and confirms it, ends that; see mailboxes.SignedUp.
//   - The same hash is written outside of the database, as an Entry in a Ledger, so that an older backup, when it is
//     restored, is brought up to what was erased since: see Replay. That happens by a job in the transaction of the erasure,
//     so that neither is there without the other.
//   - Who has an account here keeps the account, with its address. Everything else goes, and the answer says so.
package erasures

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/paging"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Topic is announced when people were forgotten: whoever keeps names in memory looks again.
const Topic = "erasures"

// How an erasure came about: models.Erasure.How.
const (
	ByPerson    = "person"
	ByOrganizer = "organizer"
	ByRestore   = "restore" // the list of erasures, after a backup was restored
)

// Options are what the service works with.
type Options struct {
	DB      *database.DB
	Vault   *vault.Vault
	Clock   clock.Clock
	Files   *files.Service
	Ledger  Ledger
	Enqueue func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error
	// Forgotten is called in this process once people were forgotten: pages that are kept with their names are made anew.
	Forgotten func()
}

// Service holds the operations. It is made by New.
type Service struct {
	o         Options
	scrubbing sync.Mutex
}

// New makes the service.
func New(o Options) *Service {
	if o.Forgotten == nil {
		o.Forgotten = func() {}
	}
	return &Service{o: o}
}

// Receipt is what became of one person, for a page that they keep. It names nobody.
type Receipt struct {
	ID         uuid.UUID // the number that they keep
	At         time.Time
	How        string
	Addresses  int  // erased
	Signatures int  // stay in the counts, without a name
	Mails      int  // waited, and are not sent
	Account    bool // an account of theirs stays, with its address, until somebody deletes that
}

// EraseMine erases the person who acts, whom a mailed link let in: their record with all its mailboxes, or the mailbox alone
// where there is no record. The fault for an address that was erased meanwhile is Gone, error.erased_already.
func (s *Service) EraseMine(ctx context.Context, a actor.Actor) (Receipt, error) {
	if a.Kind != actor.Person {
		return Receipt{}, fault.New(fault.Unauthenticated, "error.login_needed")
	}
	return s.one(ctx, a, ByPerson, func(tx *gorm.DB) (Whom, error) {
		var m models.Mailbox
		err := tx.Where("id = ?", a.MailboxID).Take(&m).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return Whom{}, fault.New(fault.Gone, "error.erased_already")
		}
		return whomOf(m), err
	})
}

// Erase erases one supporter with all their mailboxes. It needs the right actor.Delete; a record of another chapter is
// NotFound, error.supporter_unknown, as one that is not there.
func (s *Service) Erase(ctx context.Context, a actor.Actor, supporter uuid.UUID) (Receipt, error) {
	if err := a.Need(actor.Delete); err != nil {
		return Receipt{}, err
	}
	return s.one(ctx, a, ByOrganizer, func(tx *gorm.DB) (Whom, error) {
		return Whom{Supporters: []uuid.UUID{supporter}}, mayErase(tx, a, supporter)
	})
}

// one erases whom find finds.
func (s *Service) one(ctx context.Context, a actor.Actor, how string, find func(tx *gorm.DB) (Whom, error)) (out Receipt, err error) {
	err = s.tx(ctx, func(tx *gorm.DB) error {
		w, err := find(tx)
		if err != nil {
			return err
		}
		out, err = s.EraseIn(ctx, tx, a, w, how, s.o.Clock.Now())
		return err
	})
	if err == nil {
		s.o.Forgotten()
	}
	return out, err
}

// errMoved is returned when the people to be forgotten are not whom they were when they were found: merged with somebody, or
// given a record, before they could be held.
var errMoved = fault.New(fault.Unavailable, "error.unavailable")

// tx runs fn in a transaction, and again where it finds that people moved meanwhile: it looks for them anew.
func (s *Service) tx(ctx context.Context, fn func(tx *gorm.DB) error) (err error) {
	for range 5 {
		if err = s.o.DB.Tx(ctx, fn); !errors.Is(err, errMoved) {
			break
		}
	}
	return err
}

// Whom is who is to be forgotten.
type Whom struct {
	Supporters []uuid.UUID // records, with all their mailboxes
	Mailboxes  []uuid.UUID // mailboxes that belong to no record

	by []uuid.UUID // mailboxes by which the records were found: they must still be theirs
}

func whomOf(m models.Mailbox) Whom {
	if m.SupporterID != nil {
		return Whom{Supporters: []uuid.UUID{*m.SupporterID}, by: []uuid.UUID{m.ID}}
	}
	return Whom{Mailboxes: []uuid.UUID{m.ID}}
}

// EraseIn erases people in tx, with all that follows from it, and writes it into the audit log. It checks no rights: its
// caller does, and calls Forgotten after the commit, as EraseMine and Erase do. With several people the receipt is the sum. The
// error is errMoved, and nobody is erased, where w is out of date.
func (s *Service) EraseIn(ctx context.Context, tx *gorm.DB, a actor.Actor, w Whom, how string, now time.Time) (Receipt, error) {
	tx = tx.WithContext(ctx)
	boxes, err := Hold(ctx, tx, w)
	if err != nil {
		return Receipt{}, err
	}
	if err := still(tx, w, boxes); err != nil {
		return Receipt{}, err
	}
	out := Receipt{ID: models.NewID(), At: now, How: how, Addresses: len(boxes)}
	ids := make([]uuid.UUID, len(boxes))
	for i, m := range boxes {
		ids[i] = m.ID
	}
	done, err := Forget(ctx, tx, w.Supporters, ids, now)
	if err != nil {
		return out, err
	}
	out.Signatures, out.Mails, out.Account = done.Signatures, done.Mails, done.Accounts > 0
	rows, err := remember(tx, boxes, how, now)
	if err != nil {
		return out, err
	}
	if len(rows) > 0 {
		out.ID = rows[0].ID
	}
	copies, err := endCopies(tx)
	if err != nil {
		return out, err
	}
	copies.Entries = entries(rows)
	if err := s.o.Enqueue(ctx, tx, copies); err != nil {
		return out, err
	}
	return out, audit.Write(ctx, tx, a, now, "person.erase", "erasures", out.ID, map[string]any{
		"how": how, "records": len(w.Supporters), "addresses": out.Addresses, "signatures_kept_without_name": out.Signatures, "accounts_that_stay": done.Accounts,
	})
}

// Hold reads and locks, in tx, the mailboxes of people, in the order in which everybody locks mailboxes, and then the records, so that
// nothing is added to them meanwhile.
func Hold(ctx context.Context, tx *gorm.DB, w Whom) ([]models.Mailbox, error) {
	tx = tx.WithContext(ctx)
	lock := clause.Locking{Strength: "UPDATE"}
	var out []models.Mailbox
	for _, part := range []struct {
		column string
		ids    []uuid.UUID
	}{{"supporter_id", w.Supporters}, {"id", w.Mailboxes}} {
		for ids := range slices.Chunk(part.ids, chunk) {
			var rows []models.Mailbox
			if err := tx.Clauses(lock).Where(part.column+" IN ?", ids).Order("address_hash").Find(&rows).Error; err != nil {
				return nil, err
			}
			out = append(out, rows...)
		}
	}
	for ids := range slices.Chunk(w.Supporters, chunk) {
		var rows []models.Supporter
		if err := tx.Clauses(lock).Select("id").Where("id IN ?", ids).Order("id").Find(&rows).Error; err != nil {
			return nil, err
		}
	}
	return out, nil
}

// still checks, once everybody is held, that w is still right: its records are there, those that were found by an address have
// it, and its mailboxes have no record. boxes are those that are held.
func still(tx *gorm.DB, w Whom, boxes []models.Mailbox) error {
	for ids := range slices.Chunk(w.Supporters, chunk) {
		var n int64
		if err := tx.Model(&models.Supporter{}).Where("id IN ?", ids).Count(&n).Error; err != nil {
			return err
		}
		if int(n) != len(ids) {
			return errMoved
		}
	}
	for _, id := range w.by {
		if !slices.ContainsFunc(boxes, func(m models.Mailbox) bool { return m.ID == id }) {
			return errMoved
		}
	}
	for _, m := range boxes {
		if slices.Contains(w.Mailboxes, m.ID) && m.SupporterID != nil {
			return errMoved
		}
	}
	return nil
}

// remember writes down that the people behind mailboxes were erased.
func remember(tx *gorm.DB, boxes []models.Mailbox, how string, now time.Time) ([]models.Erasure, error) {
	var out []models.Erasure
	for part := range slices.Chunk(boxes, chunk) {
		rows, hashes := make([]models.Erasure, len(part)), make([][]byte, len(part))
		for i, m := range part {
			rows[i] = models.Erasure{ID: models.NewID(), AddressHash: m.AddressHash, How: how, CreatedAt: now}
			hashes[i] = m.AddressHash
		}
		// Who was erased before, and came as far as to type the address again, gets a receipt of today.
		if err := tx.Where("address_hash IN ?", hashes).Delete(&models.Erasure{}).Error; err != nil {
			return nil, err
		}
		if err := database.InsertAll(tx, rows, ""); err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

// Row is one erasure on the organizers' page.
type Row struct {
	ID  uuid.UUID
	How string
	At  time.Time
}

// List returns who was erased, newest first, as numbers. It needs the right actor.Delete.
func (s *Service) List(ctx context.Context, a actor.Actor, after paging.Cursor) (paging.Page[Row], error) {
	if err := a.Need(actor.Delete); err != nil {
		return paging.Page[Row]{}, err
	}
	q := s.o.DB.WithContext(ctx).Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if !after.First() {
		q = q.Where("(created_at, id) < (?, ?)", after.At, after.ID)
	}
	var rows []models.Erasure
	if err := q.Find(&rows).Error; err != nil {
		return paging.Page[Row]{}, err
	}
	page := paging.Cut(rows, paging.Size, func(e models.Erasure) paging.Cursor { return paging.Cursor{At: e.CreatedAt, ID: e.ID} })
	out := paging.Page[Row]{Next: page.Next}
	for _, e := range page.Rows {
		out.Rows = append(out.Rows, Row{e.ID, e.How, e.CreatedAt})
	}
	return out, nil
}

// Count is how many addresses are remembered as erased. It needs the right actor.Delete.
func (s *Service) Count(ctx context.Context, a actor.Actor) (n int64, err error) {
	if err := a.Need(actor.Delete); err != nil {
		return 0, err
	}
	return n, s.o.DB.WithContext(ctx).Model(&models.Erasure{}).Count(&n).Error
}

// Look is what erasing a supporter would do, and changes nothing: addresses, signatures that stay without a name, mail that
// would not go, and whether an account stays. The rights and faults are those of Erase.
func (s *Service) Look(ctx context.Context, a actor.Actor, supporter uuid.UUID) (Receipt, error) {
	var out Receipt
	if err := a.Need(actor.Delete); err != nil {
		return out, err
	}
	db := s.o.DB.WithContext(ctx)
	if err := mayErase(db, a, supporter); err != nil {
		return out, err
	}
	var n struct{ Addresses, Signatures, Mails, Accounts int }
	const boxes = "(SELECT id FROM mailboxes WHERE supporter_id = ?)"
	err := db.Raw(`SELECT (SELECT COUNT(*) FROM mailboxes WHERE supporter_id = ? AND address_sealed IS NOT NULL) AS addresses,
			(SELECT COUNT(*) FROM signatures WHERE state = 'confirmed' AND mailbox_id IN `+boxes+`) AS signatures,
			(SELECT COUNT(*) FROM deliveries WHERE state IN ('queued', 'deferred') AND mailbox_id IN `+boxes+`) AS mails,
			(SELECT COUNT(*) FROM users WHERE mailbox_id IN `+boxes+`) AS accounts`, supporter, supporter, supporter, supporter).Scan(&n).Error
	out.Addresses, out.Signatures, out.Mails, out.Account = n.Addresses, n.Signatures, n.Mails, n.Accounts > 0
	return out, err
}

// mayErase reports why the actor cannot erase a record: it is not there, or another chapter's.
func mayErase(tx *gorm.DB, a actor.Actor, supporter uuid.UUID) error {
	var p models.Supporter
	err := tx.Select("id", "chapter_id").Where("id = ?", supporter).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && !chapters.May(a, p.ChapterID) {
		err = fault.New(fault.NotFound, "error.supporter_unknown")
	}
	return err
}

// Get returns one erasure by the number on its receipt. It needs the right actor.Delete; the fault is NotFound,
// error.erasure_unknown, also once the person came back.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (Row, error) {
	if err := a.Need(actor.Delete); err != nil {
		return Row{}, err
	}
	var e models.Erasure
	err := s.o.DB.WithContext(ctx).Where("id = ?", id).Take(&e).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = fault.New(fault.NotFound, "error.erasure_unknown")
	}
	return Row{e.ID, e.How, e.CreatedAt}, err
}
