// Package suppressions is the list of mailboxes that get no mail any more: why, since when and how that came, looked up, added to and
// taken off by people. What suppresses a mailbox by itself stands elsewhere: mail that came back (campaigns/inbound), a server's
// refusal (campaigns/deliveries), a list that was imported (campaigns/imports).
//
// After a bounce or a complaint a mailbox gets nothing at all; after a list or somebody's hand it still gets receipts, else nobody
// could sign in or ask for their own data.
//
// Taking a mailbox off the list needs a reason, which is kept sealed. After a bounce, what its owner agreed to counts again: the address
// was at fault, not the person's wish. After anything else it does not: the person has to say yes anew. A complaint is taken back by the
// person's own wish alone, which whoever lifts it says they were told.
//
// Who works for a chapter sees its people only, and learns nothing about other mailboxes, not even whether there are any.
package suppressions

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/address"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/paging"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Reasons lists why a mailbox is suppressed.
var Reasons = []string{models.SuppressedBounce, models.SuppressedComplaint, models.SuppressedImport, models.SuppressedByHand}

// Most is how many addresses may be added at once.
const Most = 20_000

// Service keeps the list. It is safe for concurrent use.
type Service struct {
	db    *database.DB
	vault *vault.Vault
	clock clock.Clock
}

// New makes the service.
func New(db *database.DB, v *vault.Vault, clk clock.Clock) *Service { return &Service{db, v, clk} }

var errUnknown = fault.New(fault.NotFound, "error.suppression_unknown")

// Row is a mailbox on the list.
type Row struct {
	ID          uuid.UUID
	Address     string
	Reason      string
	Since       time.Time
	SupporterID *uuid.UUID
	Status      string // the enhanced status code behind a bounce, where it is known
}

// theirs narrows a query of mailboxes to what an actor may see.
func theirs(a actor.Actor) func(*gorm.DB) *gorm.DB {
	return func(q *gorm.DB) *gorm.DB {
		if a.Chapter() == nil {
			return q
		}
		where, args := chapters.SQL(a, "s.chapter_id")
		return q.Where("mailboxes.supporter_id IN (SELECT s.id FROM supporters s WHERE "+where+")", args...)
	}
}

// List returns the list, the latest first: for one reason, or for all for "". It needs the right actor.SeeSupporters.
func (s *Service) List(ctx context.Context, a actor.Actor, reason string, after paging.Cursor) (paging.Page[Row], error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return paging.Page[Row]{}, err
	}
	q := s.db.WithContext(ctx).Scopes(theirs(a)).Where("suppressed_at IS NOT NULL").Order("suppressed_at DESC, id DESC").Limit(paging.Size + 1)
	if reason != "" {
		q = q.Where("suppressed_reason = ?", reason)
	}
	if !after.First() {
		q = q.Where("(suppressed_at, id) < (?, ?)", after.At, after.ID)
	}
	var found []models.Mailbox
	if err := q.Find(&found).Error; err != nil {
		return paging.Page[Row]{}, err
	}
	page := paging.Cut(found, paging.Size, func(m models.Mailbox) paging.Cursor { return paging.Cursor{At: *m.SuppressedAt, ID: m.ID} })
	out := paging.Page[Row]{Next: page.Next}
	var ids []uuid.UUID
	for _, m := range page.Rows {
		r, err := s.row(m)
		if err != nil {
			return out, err
		}
		out.Rows, ids = append(out.Rows, r), append(ids, m.ID)
	}
	if len(ids) == 0 {
		return out, nil
	}
	var said []models.InboundReport
	err := s.db.WithContext(ctx).Select("mailbox_id", "status").Where("mailbox_id IN ? AND status <> '' AND effect = ?", ids, models.EffectSuppressed).Order("received_at").Find(&said).Error
	for i := range out.Rows {
		for _, r := range said {
			if r.MailboxID != nil && *r.MailboxID == out.Rows[i].ID && out.Rows[i].Reason == models.SuppressedBounce {
				out.Rows[i].Status = r.Status
			}
		}
	}
	return out, err
}

func (s *Service) row(m models.Mailbox) (Row, error) {
	typed, err := mailboxes.Address(s.vault, m)
	r := Row{ID: m.ID, Address: typed, Reason: m.SuppressedReason, SupporterID: m.SupporterID}
	if m.SuppressedAt != nil {
		r.Since = *m.SuppressedAt
	}
	return r, err
}

// Counts tells how many mailboxes are on the list, by reason. It needs the right actor.SeeSupporters.
func (s *Service) Counts(ctx context.Context, a actor.Actor) (map[string]int, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return nil, err
	}
	var rows []struct {
		Reason string
		N      int
	}
	err := s.db.WithContext(ctx).Model(&models.Mailbox{}).Scopes(theirs(a)).Select("suppressed_reason AS reason, count(*) AS n").
		Where("suppressed_at IS NOT NULL").Group("suppressed_reason").Scan(&rows).Error
	out := map[string]int{}
	for _, r := range rows {
		out[r.Reason] = r.N
	}
	return out, err
}

// Find returns the mailbox of an address, on the list or not. It needs the right actor.SeeSupporters. An address that cannot be, that is
// not known, or that is not of the actor's chapter is an Invalid fault on the field q.
func (s *Service) Find(ctx context.Context, a actor.Actor, typed string) (uuid.UUID, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return uuid.Nil, err
	}
	on := func(key string) error {
		var bad fault.Fields
		bad.Add("q", key)
		return bad.Err()
	}
	canonical, _, err := address.CanonicalAddress(typed)
	if err != nil {
		return uuid.Nil, on(address.Key(err))
	}
	var found []models.Mailbox
	err = s.db.WithContext(ctx).Scopes(theirs(a)).Where("address_hash = ?", s.vault.AddressHash(canonical)).Limit(1).Find(&found).Error
	if err != nil {
		return uuid.Nil, err
	}
	if len(found) == 0 {
		return uuid.Nil, on("error.suppression_none")
	}
	return found[0].ID, nil
}

// Event is something that happened to a mailbox: mail that came back, a server's refusal, a change by hand.
type Event struct {
	At         time.Time
	Kind       string // report, refused, added, lifted
	Class      string // of a report
	Status     string // the enhanced status code, or the reply code of a refusal
	Diagnostic string // what the server said, addresses removed
	Reason     string // of the suppression that was added or lifted
	Note       string // what whoever did it wrote
	By         *uuid.UUID
}

// Shown is one mailbox with what happened to it.
type Shown struct {
	Row
	Suppressed bool
	Events     []Event // the latest first, at most 50
}

// Get returns a mailbox. It needs the right actor.SeeSupporters; one that the actor may not see is a NotFound fault.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (Shown, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return Shown{}, err
	}
	m, err := s.seen(ctx, s.db.DB, a, id)
	if err != nil {
		return Shown{}, err
	}
	out := Shown{Suppressed: m.SuppressedAt != nil}
	if out.Row, err = s.row(m); err != nil {
		return out, err
	}
	db := s.db.WithContext(ctx)
	var reports []models.InboundReport
	if err := db.Where("mailbox_id = ?", id).Order("received_at DESC, id DESC").Limit(50).Find(&reports).Error; err != nil {
		return out, err
	}
	for _, r := range reports {
		out.Events = append(out.Events, Event{At: r.ReceivedAt, Kind: "report", Class: r.Class, Status: r.Status, Diagnostic: r.Diagnostic})
	}
	var refused []models.Delivery
	if err := db.Where("mailbox_id = ? AND state = ? AND reply <> ''", id, models.DeliveryFailed).Order("created_at DESC, id DESC").Limit(20).Find(&refused).Error; err != nil {
		return out, err
	}
	for _, d := range refused {
		out.Events = append(out.Events, Event{At: d.UpdatedAt, Kind: "refused", Diagnostic: d.Reply})
	}
	var changes []models.SuppressionChange
	if err := db.Where("mailbox_id = ?", id).Order("created_at DESC, id DESC").Limit(50).Find(&changes).Error; err != nil {
		return out, err
	}
	for _, c := range changes {
		note, err := s.vault.Open("suppression_changes", "note_sealed", c.ID, c.NoteSealed)
		if err != nil {
			return out, err
		}
		out.Events = append(out.Events, Event{At: c.CreatedAt, Kind: c.Action, Reason: c.Reason, Note: note, By: c.CreatedBy})
	}
	slices.SortStableFunc(out.Events, func(a, b Event) int { return b.At.Compare(a.At) })
	out.Events = out.Events[:min(len(out.Events), 50)]
	return out, nil
}

func (s *Service) seen(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Mailbox, error) {
	var m models.Mailbox
	err := tx.WithContext(ctx).Scopes(theirs(a)).Where("id = ?", id).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return m, errUnknown
	}
	return m, err
}

// Counted says what adding addresses did, or would do.
type Counted struct {
	New       int // that are suppressed now
	Already   int // that were before
	Wrong     int // that are no addresses
	Elsewhere int // that are of nobody in the actor's chapter
}

// Addresses finds the addresses in what somebody pasted: a list, or a CSV file whatever its columns. What holds no @ is left out.
func Addresses(pasted string) (out []string) {
	for _, w := range strings.FieldsFunc(pasted, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(",;\"<>|", r) }) {
		if w = strings.TrimPrefix(w, "'"); strings.Contains(w, "@") {
			out = append(out, w)
		}
	}
	return out
}

// Add puts addresses on the list, with a note that is kept for each; what is on it already stays as it is. With dry it only counts. It
// needs the right actor.EditSupporters, for more than one address actor.Import. Who works for a chapter adds its people only. The fault
// is Invalid on the fields addresses and note.
func (s *Service) Add(ctx context.Context, a actor.Actor, addresses []string, note string, dry bool) (Counted, error) {
	var n Counted
	err := a.Need(actor.EditSupporters)
	if err == nil && len(addresses) > 1 {
		err = a.Need(actor.Import)
	}
	if err != nil {
		return n, err
	}
	var bad fault.Fields
	switch {
	case len(addresses) == 0:
		bad.Add("addresses", "error.email_missing")
	case len(addresses) > Most:
		bad.Add("addresses", "error.suppression_most", "Max", Most)
	}
	note = checkNote(&bad, note, false)
	if err := bad.Err(); err != nil {
		return n, err
	}
	now := s.clock.Now()
	var rows []models.Mailbox
	known := map[string]bool{}
	for _, typed := range addresses {
		m, err := mailboxes.NewRow(s.vault, typed, now)
		switch {
		case err != nil:
			n.Wrong++
		case !known[string(m.AddressHash)]:
			known[string(m.AddressHash)] = true
			rows = append(rows, m)
		}
	}
	if len(addresses) == 1 && n.Wrong == 1 {
		_, _, err := address.CanonicalAddress(addresses[0])
		bad.Add("addresses", address.Key(err))
		return n, bad.Err()
	}
	reason := models.SuppressedImport
	if len(addresses) == 1 {
		reason = models.SuppressedByHand
	}
	wrong := n.Wrong
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		n = Counted{Wrong: wrong}
		fresh, err := s.fresh(ctx, tx, a, rows, &n)
		if err != nil || dry || len(fresh) == 0 {
			return err
		}
		boxes, _, err := mailboxes.EnsureAll(ctx, tx, fresh)
		if err != nil {
			return err
		}
		var ids []uuid.UUID
		var changes []models.SuppressionChange
		for _, m := range boxes {
			ids = append(ids, m.ID)
			c := models.SuppressionChange{ID: models.NewID(), MailboxID: m.ID, Action: "added", Reason: reason, CreatedBy: a.Account(), CreatedAt: now}
			c.NoteSealed = s.vault.Seal("suppression_changes", "note_sealed", c.ID, note)
			changes = append(changes, c)
		}
		if err := mailboxes.SuppressAll(ctx, tx, ids, reason, now); err != nil {
			return err
		}
		if err := database.InsertAll(tx, changes, ""); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "suppression.add", "mailboxes", uuid.Nil, map[string]any{"new": n.New, "already": n.Already, "wrong": n.Wrong})
	})
	return n, err
}

// fresh are the rows of what is not on the list yet and may be put there, and counts the others.
func (s *Service) fresh(ctx context.Context, tx *gorm.DB, a actor.Actor, rows []models.Mailbox, n *Counted) (out []models.Mailbox, err error) {
	hashes := make([][]byte, len(rows))
	for i, m := range rows {
		hashes[i] = m.AddressHash
	}
	there := map[string]*models.Mailbox{}
	for start := 0; start < len(hashes); start += 500 {
		var found []models.Mailbox
		part := hashes[start:min(start+500, len(hashes))]
		if err := database.WhereIn(tx.WithContext(ctx).Scopes(theirs(a)), "address_hash", part).Find(&found).Error; err != nil {
			return nil, err
		}
		for i := range found {
			there[string(found[i].AddressHash)] = &found[i]
		}
	}
	for _, m := range rows {
		old := there[string(m.AddressHash)]
		switch {
		case old != nil && old.SuppressedAt != nil:
			n.Already++
		case old == nil && a.Chapter() != nil:
			n.Elsewhere++
		default:
			n.New++
			out = append(out, m)
		}
	}
	return out, nil
}

// maxNote is how long a note may be, in characters.
const maxNote = 500

func checkNote(bad *fault.Fields, note string, needed bool) string {
	note = strings.TrimSpace(note)
	switch n := utf8.RuneCountInString(note); {
	case !utf8.ValidString(note):
		bad.Add("note", "error.text_unreadable")
	case n > maxNote:
		bad.Add("note", "error.text_too_long", "Max", maxNote, "Over", n-maxNote)
	case n == 0 && needed:
		bad.Add("note", "error.suppression_note")
	}
	return note
}

// Lift takes a mailbox off the list, with a note that says why. After a complaint asked must say that the person asked for mail again. It
// needs the right actor.EditSupporters. The faults are NotFound, Conflict where the mailbox is not on the list any more, and Invalid on
// the fields note and asked.
func (s *Service) Lift(ctx context.Context, a actor.Actor, id uuid.UUID, note string, asked bool) error {
	if err := a.Need(actor.EditSupporters); err != nil {
		return err
	}
	var bad fault.Fields
	note = checkNote(&bad, note, true)
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		m, err := s.seen(ctx, tx.Clauses(clause.Locking{Strength: "UPDATE"}), a, id)
		if err != nil {
			return err
		}
		if m.SuppressedAt == nil {
			return fault.New(fault.Conflict, "error.suppression_over")
		}
		bad := append(fault.Fields{}, bad...)
		if m.SuppressedReason == models.SuppressedComplaint && !asked {
			bad.Add("asked", "error.suppression_asked")
		}
		if err := bad.Err(); err != nil {
			return err
		}
		now := s.clock.Now()
		if m.SuppressedReason != models.SuppressedBounce {
			err := tx.Model(&models.Consent{}).Where("mailbox_id = ? AND withdrawn_at IS NULL", id).Updates(map[string]any{"withdrawn_at": now, "withdrawn_how": "suppressed"}).Error
			if err != nil {
				return err
			}
		}
		err = tx.Model(&models.Mailbox{}).Where("id = ?", id).Updates(map[string]any{"suppressed_at": nil, "suppressed_reason": "", "updated_at": now}).Error
		if err != nil {
			return err
		}
		c := models.SuppressionChange{ID: models.NewID(), MailboxID: id, Action: "lifted", Reason: m.SuppressedReason, CreatedBy: a.Account(), CreatedAt: now}
		c.NoteSealed = s.vault.Seal("suppression_changes", "note_sealed", c.ID, note)
		if err := tx.Create(&c).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "suppression.lift", "mailboxes", id, map[string]any{"reason": m.SuppressedReason})
	})
}
