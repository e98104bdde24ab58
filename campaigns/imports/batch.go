package imports

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/campaigns/vault"
	"kithline/models"
)

// batchSize is how many rows are one transaction: enough to be quick, few enough that somebody who signs meanwhile does
// not wait.
const batchSize = 500

// Counts say what became of the rows. Each row is counted once among New, Updated, Unchanged, Suppressed and Skipped.
type Counts struct {
	Rows       int `json:"rows"`
	New        int `json:"new"`
	Updated    int `json:"updated"`
	Unchanged  int `json:"unchanged"`
	Suppressed int `json:"suppressed"` // said to have left elsewhere: gets no mail any more
	Skipped    int `json:"skipped"`
	Consents   int `json:"consents"` // recorded by this file
	Held       int `json:"held"`     // rows whose consent was not recorded: withdrawn here, suppressed, or not said to be subscribed
}

func (c *Counts) add(o Counts) {
	c.Rows += o.Rows
	c.New += o.New
	c.Updated += o.Updated
	c.Unchanged += o.Unchanged
	c.Suppressed += o.Suppressed
	c.Skipped += o.Skipped
	c.Consents += o.Consents
	c.Held += o.Held
}

// yesFor is the consent that the rows of a file carry.
type yesFor struct {
	purpose models.Purpose // "" for none
	scope   uuid.UUID
	text    uuid.UUID
	locale  string
	source  string
	proof   uuid.UUID // the import
}

// writer puts good rows into the database, a batch at a time.
type writer struct {
	vault *vault.Vault
	yes   yesFor
	dry   bool
	seen  map[uint64]trace // a dry run remembers what it would have written
	now   time.Time
}

// trace is what the rows of a file before this one would have made of an address: facts in the low bits.
type trace uint16

const (
	traceBox trace = 1 << (iota + 8)
	traceRecord
	traceLeft
	traceAgreed
)

// maxSeen bounds what a dry run remembers. Beyond it an address that stands twice in the file counts as two.
const maxSeen = 1 << 20

// remember notes what a row would have done.
func (w *writer) remember(p *person) {
	k := key(p.hash)
	t, there := w.seen[k]
	if !there && len(w.seen) >= maxSeen {
		return
	}
	t |= traceBox
	if p.standing == left {
		t |= traceLeft
	} else {
		t |= traceRecord | trace(told(p.facts))
		if w.yes.purpose != "" && p.standing != doubt && t&traceLeft == 0 {
			t |= traceAgreed
		}
	}
	w.seen[k] = t
}

// with is what is known of an address once the rows before have been written.
func (k known) with(t trace) known {
	k.agreed = k.agreed || (t&traceAgreed != 0 && !k.suppressed && !k.withdrawn)
	k.box, k.record, k.suppressed = k.box || t&traceBox != 0, k.record || t&traceRecord != 0, k.suppressed || t&traceLeft != 0
	k.facts |= has(t & 0xff)
	return k
}

// has says which facts of a record are there.
type has uint8

const (
	hasGiven has = 1 << iota
	hasFamily
	hasPhone
	hasPostal
	hasCountry
	hasLocale
)

// known is what is known of an address at some point of the file.
type known struct {
	box, record, suppressed, erased bool
	agreed, withdrawn               bool
	facts                           has
}

// place is an address with its rows and what is to be written for it.
type place struct {
	known
	mailbox   models.Mailbox
	supporter uuid.UUID

	makeBox, makeRecord, attach, suppress, agree bool
	fill                                         supporters.Facts
	agreedAt                                     time.Time
	address                                      string
}

// errRaced is returned when another import was faster with an address: the batch is planned anew.
var errRaced = errors.New("imports: another import wrote the same address")

// write plans a batch and writes it in tx, unless it is a dry run. It returns what became of the rows and which were not
// taken. The error errRaced asks for the same in a new transaction.
func (w *writer) write(ctx context.Context, tx *gorm.DB, people []person) (Counts, map[int]Reason, error) {
	tx = tx.WithContext(ctx)
	places, err := w.look(tx, people)
	if err != nil {
		return Counts{}, nil, err
	}
	var c Counts
	refused := map[int]Reason{}
	for i := range people {
		w.plan(&people[i], places[key(people[i].hash)], &c, refused)
	}
	if w.dry {
		for i := range people {
			w.remember(&people[i])
		}
		return c, refused, nil
	}
	return c, refused, w.store(ctx, tx, places)
}

func key(hash []byte) uint64 { return binary.BigEndian.Uint64(hash) }

// look finds out what is known of the addresses of a batch, in three questions. Rows that exist are held until the end of
// the transaction, in one order for everybody.
func (w *writer) look(tx *gorm.DB, people []person) (map[uint64]*place, error) {
	places := make(map[uint64]*place, len(people))
	hashes := make([][]byte, 0, len(people))
	for i := range people {
		k := key(people[i].hash)
		if places[k] != nil {
			continue
		}
		p := &place{address: people[i].address}
		p.mailbox = models.Mailbox{AddressHash: people[i].hash, Domain: people[i].domain}
		hashes = append(hashes, people[i].hash)
		places[k] = p
	}
	if w.dry {
		defer func() {
			for k, p := range places {
				p.known = p.with(w.seen[k])
			}
		}()
	}
	hold := func(q *gorm.DB) *gorm.DB {
		if w.dry {
			return q
		}
		return q.Clauses(clause.Locking{Strength: "NO KEY UPDATE"})
	}
	var boxes []models.Mailbox
	if err := hold(tx).Where("address_hash IN ?", hashes).Order("address_hash").Find(&boxes).Error; err != nil {
		return nil, err
	}
	ids, byBox := make([]uuid.UUID, 0, len(boxes)), make(map[uuid.UUID]*place, len(boxes))
	var records []uuid.UUID
	byRecord := map[uuid.UUID][]*place{}
	for _, m := range boxes {
		p := places[key(m.AddressHash)]
		p.mailbox, p.box = m, true
		p.suppressed, p.erased = m.SuppressedAt != nil, m.AddressSealed == nil
		ids, byBox[m.ID] = append(ids, m.ID), p
		if m.SupporterID != nil {
			p.record, p.supporter = true, *m.SupporterID
			records, byRecord[p.supporter] = append(records, p.supporter), append(byRecord[p.supporter], p)
		}
	}
	if len(records) > 0 {
		var rows []models.Supporter
		if err := hold(tx).Where("id IN ?", records).Order("id").Find(&rows).Error; err != nil {
			return nil, err
		}
		var phoned []uuid.UUID
		if err := tx.Model(&models.Phone{}).Where("supporter_id IN ?", records).Distinct().Pluck("supporter_id", &phoned).Error; err != nil {
			return nil, err
		}
		for _, s := range rows {
			for _, p := range byRecord[s.ID] {
				p.facts = factsOf(s, slices.Contains(phoned, s.ID))
			}
		}
	}
	if w.yes.purpose == "" || len(ids) == 0 {
		return places, nil
	}
	var consents []models.Consent
	if err := tx.Where("mailbox_id IN ?", ids).Find(&consents).Error; err != nil {
		return nil, err
	}
	inForce := map[uuid.UUID]bool{}
	for _, c := range consents {
		inForce[c.MailboxID] = inForce[c.MailboxID] || c.WithdrawnAt == nil
		if c.Purpose == w.yes.purpose && c.ScopeID == w.yes.scope {
			p := byBox[c.MailboxID]
			p.agreed = p.agreed || c.WithdrawnAt == nil
			p.withdrawn = p.withdrawn || c.WithdrawnAt != nil
		}
	}
	for id, any := range inForce {
		if !any { // who left everything they ever agreed to gets nothing new by a list
			byBox[id].withdrawn = true
		}
	}
	return places, nil
}

// factsOf says which facts a record has, told which ones a row brings.
func factsOf(s models.Supporter, phone bool) has {
	return bits(s.GivenNameSealed != nil, s.FamilyNameSealed != nil, phone, s.PostalArea != "", s.Country != "", s.Locale != "")
}

func told(f supporters.Facts) has {
	return bits(f.GivenName != "", f.FamilyName != "", f.Phone != "", f.PostalArea != "", f.Country != "", f.Locale != "")
}

// bits are in the order of the constants of has.
func bits(there ...bool) has {
	var h has
	for i, t := range there {
		if t {
			h |= 1 << i
		}
	}
	return h
}

// plan decides what one row does, after all rows before it.
func (w *writer) plan(in *person, p *place, c *Counts, refused map[int]Reason) {
	c.Rows++
	if p.erased {
		c.Skipped++
		refused[in.line] = Reason{Key: "error.import_erased"}
		return
	}
	if in.standing == left {
		if p.suppressed {
			c.Unchanged++
			return
		}
		p.makeBox = p.makeBox || !p.box
		p.box, p.suppress, p.suppressed = true, true, true
		c.Suppressed++
		return
	}
	changed := false
	p.makeBox = p.makeBox || !p.box
	p.box = true
	fresh := !p.record
	if fresh {
		p.record, p.makeRecord, p.supporter = true, true, models.NewID() // ids follow the file's order, and so do lists
		p.attach = !p.makeBox
	}
	for _, f := range []struct {
		bit      has
		from, to *string
	}{
		{hasGiven, &in.facts.GivenName, &p.fill.GivenName},
		{hasFamily, &in.facts.FamilyName, &p.fill.FamilyName},
		{hasPhone, &in.facts.Phone, &p.fill.Phone},
		{hasPostal, &in.facts.PostalArea, &p.fill.PostalArea},
		{hasCountry, &in.facts.Country, &p.fill.Country},
		{hasLocale, &in.facts.Locale, &p.fill.Locale},
	} {
		if *f.from != "" && p.facts&f.bit == 0 {
			*f.to, p.facts, changed = *f.from, p.facts|f.bit, true
		}
	}
	if w.yes.purpose != "" && !p.agreed {
		if p.suppressed || p.withdrawn || in.standing == doubt {
			c.Held++
		} else {
			p.agree, p.agreed, p.agreedAt, changed = true, true, in.agreed, true
			c.Consents++
		}
	}
	switch {
	case fresh:
		c.New++
	case changed:
		c.Updated++
	default:
		c.Unchanged++
	}
}

// store writes what was planned, set by set, in one order for everybody.
func (w *writer) store(ctx context.Context, tx *gorm.DB, places map[uint64]*place) error {
	list := make([]*place, 0, len(places))
	for _, p := range places {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b *place) int { return bytes.Compare(a.mailbox.AddressHash, b.mailbox.AddressHash) })

	var records, fills []models.Supporter
	filled := map[uuid.UUID]bool{}
	var boxes []models.Mailbox
	var consents []models.Consent
	var phones []models.Phone
	var placed []uuid.UUID
	for _, p := range list {
		if p.fill.Phone != "" {
			phones = append(phones, supporters.NewPhone(w.vault, p.supporter, p.fill.Phone, p.fill.Country, w.now))
		}
		if p.fill.PostalArea != "" {
			placed = append(placed, p.supporter)
		}
		switch {
		case p.makeRecord:
			p.fill.Source = supporters.SourceImport
			records = append(records, supporters.NewRow(w.vault, p.supporter, p.fill, w.now))
		case p.fill == (supporters.Facts{}):
		case filled[p.supporter]: // a second mailbox of one person in the same batch
			if err := supporters.Fill(ctx, tx, w.vault, p.supporter, p.fill, w.now); err != nil {
				return err
			}
		default:
			filled[p.supporter] = true
			fills = append(fills, supporters.NewRow(w.vault, p.supporter, p.fill, w.now))
		}
		if p.makeBox {
			p.mailbox.ID, p.mailbox.CreatedAt, p.mailbox.UpdatedAt = models.NewID(), w.now, w.now
			p.mailbox.AddressSealed = w.vault.SealBytes("mailboxes", "address_sealed", p.mailbox.AddressHash, []byte(p.address))
			if p.makeRecord {
				p.mailbox.SupporterID = &p.supporter
			}
			if p.suppress {
				p.mailbox.SuppressedAt, p.mailbox.SuppressedReason = &w.now, models.SuppressedImport
			}
			boxes = append(boxes, p.mailbox)
		}
		if p.agree {
			c := models.Consent{
				ID: models.NewID(), MailboxID: p.mailbox.ID, Purpose: w.yes.purpose, ScopeID: w.yes.scope, TextID: w.yes.text,
				Locale: w.yes.locale, ShownAt: w.now, GivenAt: w.now, Source: w.yes.source, How: models.ConsentByImport, EvidenceID: &w.yes.proof,
			}
			if !p.agreedAt.IsZero() {
				c.ShownAt, c.GivenAt = p.agreedAt, p.agreedAt
			}
			consents = append(consents, c)
		}
	}
	if len(records) > 0 {
		if err := tx.CreateInBatches(&records, batchSize).Error; err != nil {
			return err
		}
	}
	if len(boxes) > 0 {
		r := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "address_hash"}}, DoNothing: true}).CreateInBatches(&boxes, batchSize)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected != int64(len(boxes)) {
			return errRaced
		}
	}
	if len(fills) > 0 {
		// Each row exists and is held: this is an update of many rows, worded so that both databases take it in one statement.
		err := tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "id"}},
			DoUpdates: supporters.FillEmpty(),
		}).CreateInBatches(&fills, batchSize).Error
		if err != nil {
			return err
		}
	}
	if len(phones) > 0 {
		if err := tx.Clauses(supporters.SamePhone()).CreateInBatches(&phones, batchSize).Error; err != nil {
			return err
		}
	}
	if err := supporters.Placed(ctx, tx, placed, w.now); err != nil {
		return err
	}
	for _, p := range list {
		if p.attach {
			if err := supporters.SetMailbox(ctx, tx, p.mailbox.ID, p.supporter, w.now); err != nil {
				return err
			}
		}
		if p.suppress && !p.makeBox {
			if err := mailboxes.Suppress(ctx, tx, p.mailbox.ID, models.SuppressedImport, w.now); err != nil {
				return err
			}
		}
	}
	if len(consents) > 0 {
		return tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(&consents, batchSize).Error
	}
	return nil
}
