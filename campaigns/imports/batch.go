package imports

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

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
	vault   *vault.Vault
	yes     yesFor
	chapter *uuid.UUID // of the account that imports: people of others are not touched, nor told about
	tag     string     // for everybody, "" for none
	author  *uuid.UUID // of notes
	dry     bool
	seen    map[uint64]trace // a dry run remembers what it would have written
	extra   map[uint64]struct{}
	tags    map[string]uuid.UUID // by key; in a dry run also those that are not there yet
	fresh   int                  // tags that this run made
	now     time.Time
}

// trace is what the rows of a file before this one would have made of an address: facts in the low bits, and a mark of the
// postal area in the upper half.
type trace uint32

const (
	traceBox trace = 1 << (iota + 9)
	traceRecord
	traceLeft
	traceAgreed
)

// maxSeen bounds what a dry run remembers, of addresses and of what hangs on them. Beyond it an address that stands twice in
// the file counts as two.
const maxSeen = 1 << 20

// maxFreshTags is how many tags one run makes: a column of names that somebody takes for tags ends there.
const maxFreshTags = 1000

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
		if t&trace(hasPostal) == 0 {
			t |= trace(mark(p.facts.PostalArea)) << 16
		}
		t |= traceRecord | trace(told(p.facts))
		if w.yes.purpose != "" && p.standing != doubt && t&traceLeft == 0 {
			t |= traceAgreed
		}
		w.items(p, func(item string) {
			if len(w.extra) < maxSeen {
				w.extra[w.extraKey(p, item)] = struct{}{}
			}
		})
	}
	w.seen[k] = t
}

func (w *writer) extraKey(p *person, item string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(p.hash)
	_, _ = h.Write([]byte(item))
	return h.Sum64()
}

// mark tells postal areas apart, well enough for a count.
func mark(area string) uint16 {
	if area == "" {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(area))
	s := h.Sum32()
	return uint16(s^s>>16) | 1
}

// with is what is known of an address once the rows before have been written.
func (k known) with(t trace) known {
	k.agreed = k.agreed || (t&traceAgreed != 0 && !k.suppressed && !k.withdrawn)
	k.box, k.record, k.suppressed = k.box || t&traceBox != 0, k.record || t&traceRecord != 0, k.suppressed || t&traceLeft != 0
	if k.postal == 0 {
		k.postal = uint16(t >> 16)
	}
	k.facts |= has(t & 0x1ff)
	return k
}

// has says which facts of a record are there.
type has uint16

const (
	hasGiven has = 1 << iota
	hasFamily
	hasStreet
	hasCity
	hasRegion
	hasPostal
	hasCountry
	hasLocale
	hasZone
)

// known is what is known of an address at some point of the file.
type known struct {
	box, record, suppressed, erased bool
	foreign                         bool // somebody whom the account may not see
	agreed, withdrawn               bool
	facts                           has
	postal                          uint16
}

// place is an address with its rows and what is to be written for it.
type place struct {
	known
	mailbox   models.Mailbox
	supporter uuid.UUID
	first     *person // the row that makes the record
	mixed     bool    // other rows have a part in it
	have      map[string]bool

	makeBox, makeRecord, attach, suppress, agree bool
	fill                                         supporters.Facts
	created, agreedAt                            time.Time
	chapter                                      *uuid.UUID
	join                                         bool // the chapter is new to a record that is there
	sealed                                       []byte
	phones                                       []models.Phone
	tags                                         []uuid.UUID
	values                                       []answer
	notes                                        []string
}

// errRaced is returned when another import was faster with an address: the batch is planned anew.
var errRaced = errors.New("imports: another import wrote the same address")

// write plans a batch and writes it in tx, unless it is a dry run. It returns what became of the rows and which were not
// taken, by their number. The error errRaced asks for the same in a new transaction.
func (w *writer) write(ctx context.Context, tx *gorm.DB, people []person) (c Counts, refused map[int]Reason, err error) {
	tx = tx.WithContext(ctx)
	defer func() {
		if err != nil { // a tag that was made goes with the transaction
			w.tags = nil
		}
	}()
	if err := w.nameTags(ctx, tx, people); err != nil {
		return Counts{}, nil, err
	}
	places, order, err := w.look(tx, people)
	if err != nil {
		return Counts{}, nil, err
	}
	refused = map[int]Reason{}
	for i := range people {
		w.plan(&people[i], places[key(people[i].hash)], &c, refused)
	}
	if w.dry {
		for i := range people {
			w.remember(&people[i])
		}
		return c, refused, nil
	}
	return c, refused, w.store(ctx, tx, order)
}

func key(hash []byte) uint64 { return binary.BigEndian.Uint64(hash) }

// nameTags finds or makes the tags of a batch, in one order for everybody.
func (w *writer) nameTags(ctx context.Context, tx *gorm.DB, people []person) error {
	if w.tags == nil {
		w.tags = map[string]uuid.UUID{}
	}
	missing := map[string]string{}
	note := func(k, name string) {
		if _, ok := w.tags[k]; !ok {
			missing[k] = name
		}
	}
	if w.tag != "" {
		note(strings.ToLower(w.tag), w.tag)
	}
	for i := range people {
		for n, k := range people[i].tags {
			note(k, people[i].names[n])
		}
	}
	if len(missing) == 0 {
		return nil
	}
	keys := make([]string, 0, len(missing))
	for k := range missing {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var there []models.Tag
	if err := database.FindIn(tx, "name_key", keys, &there); err != nil {
		return err
	}
	for _, t := range there {
		w.tags[t.NameKey] = t.ID
	}
	for _, k := range keys {
		if _, ok := w.tags[k]; ok {
			continue
		}
		if w.fresh++; w.fresh > maxFreshTags {
			return fault.New(fault.Invalid, "error.import_tags_many", "Most", itoa(maxFreshTags))
		}
		if w.dry {
			w.tags[k] = uuid.NewSHA1(uuid.NameSpaceOID, []byte(k))
			continue
		}
		t, err := supporters.EnsureTag(ctx, tx, missing[k], w.now)
		if err != nil {
			return err
		}
		w.tags[k] = t.ID
	}
	return nil
}

// items are what a row adds beside the record itself, each as a text that no other has.
func (w *writer) items(p *person, each func(item string)) {
	for i := range p.phones {
		each("p" + string(p.phones[i].NumberHash))
	}
	if w.tag != "" {
		id := w.tags[strings.ToLower(w.tag)]
		each("t" + string(id[:]))
	}
	for _, k := range p.tags {
		id := w.tags[k]
		each("t" + string(id[:]))
	}
	for _, v := range p.values {
		each(v.item())
	}
	for _, n := range p.notes {
		each("n" + n)
	}
}

// item is the same for all answers of a person to one field: the first is kept.
func (a answer) item() string {
	if a.field.ID == uuid.Nil { // not made yet
		return "v" + a.text
	}
	return "v" + string(a.field.ID[:])
}

// look finds out what is known of the addresses of a batch, set by set. Rows that exist are held until the end of the
// transaction, in one order for everybody.
func (w *writer) look(tx *gorm.DB, people []person) (places map[uint64]*place, order []*place, err error) {
	places = make(map[uint64]*place, len(people))
	all := make([]place, len(people))
	hashes := make([][]byte, 0, len(people))
	order = make([]*place, 0, len(people))
	for i := range people {
		k := key(people[i].hash)
		if places[k] != nil {
			continue
		}
		p := &all[len(order)]
		p.mailbox = models.Mailbox{AddressHash: people[i].hash, Domain: people[i].domain}
		p.sealed = people[i].sealed
		hashes, order = append(hashes, people[i].hash), append(order, p)
		places[k] = p
	}
	hold := func(order string) *gorm.DB {
		if w.dry {
			return tx
		}
		return tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Order(order)
	}
	var boxes []models.Mailbox
	if err := database.FindIn(hold("address_hash"), "address_hash", hashes, &boxes); err != nil {
		return nil, nil, err
	}
	var gone []models.Erasure
	if err := database.FindIn(tx, "address_hash", hashes, &gone); err != nil {
		return nil, nil, err
	}
	for _, e := range gone {
		places[key(e.AddressHash)].erased = true
	}
	ids, byBox := make([]uuid.UUID, 0, len(boxes)), make(map[uuid.UUID]*place, len(boxes))
	var records []uuid.UUID
	byRecord := map[uuid.UUID][]*place{}
	for _, m := range boxes {
		p := places[key(m.AddressHash)]
		p.mailbox, p.box, p.suppressed = m, true, m.SuppressedAt != nil
		ids, byBox[m.ID] = append(ids, m.ID), p
		if m.SupporterID != nil {
			p.record, p.supporter = true, *m.SupporterID
			if byRecord[p.supporter] == nil {
				records = append(records, p.supporter)
			}
			byRecord[p.supporter] = append(byRecord[p.supporter], p)
		}
	}
	if err := w.lookAtRecords(tx, hold("id"), people, records, byRecord); err != nil {
		return nil, nil, err
	}
	if err := w.lookAtConsents(tx, ids, byBox); err != nil {
		return nil, nil, err
	}
	if w.dry {
		for k, p := range places {
			p.known = p.with(w.seen[k])
		}
	}
	return places, order, nil
}

// lookAtRecords finds out what the records of a batch say already, as far as the batch has a word in it.
func (w *writer) lookAtRecords(tx, hold *gorm.DB, people []person, records []uuid.UUID, byRecord map[uuid.UUID][]*place) error {
	var rows []models.Supporter
	if err := database.FindIn(hold, "id", records, &rows); err != nil {
		return err
	}
	for _, s := range rows {
		for _, p := range byRecord[s.ID] {
			p.facts, p.postal, p.have = factsOf(s), mark(s.PostalArea), map[string]bool{}
			p.foreign = w.chapter != nil && (s.ChapterID == nil || *s.ChapterID != *w.chapter)
			p.chapter = s.ChapterID
		}
	}
	has := func(f func(*person) bool) bool {
		return len(records) > 0 && slices.ContainsFunc(people, func(p person) bool { return f(&p) })
	}
	note := func(id uuid.UUID, item string) {
		for _, p := range byRecord[id] {
			p.have[item] = true
		}
	}
	if has(func(p *person) bool { return len(p.phones) > 0 }) {
		var there []models.Phone
		if err := database.FindIn(tx.Select("supporter_id", "number_hash"), "supporter_id", records, &there); err != nil {
			return err
		}
		for _, x := range there {
			note(x.SupporterID, "p"+string(x.NumberHash))
		}
	}
	if w.tag != "" || has(func(p *person) bool { return len(p.tags) > 0 }) {
		var there []models.Tagging
		if err := database.FindIn(tx, "supporter_id", records, &there); err != nil {
			return err
		}
		for _, x := range there {
			note(x.SupporterID, "t"+string(x.TagID[:]))
		}
	}
	if has(func(p *person) bool { return len(p.values) > 0 }) {
		var there []models.FieldValue
		if err := database.FindIn(tx.Select("supporter_id", "field_id"), "supporter_id", records, &there); err != nil {
			return err
		}
		for _, x := range there {
			note(x.SupporterID, "v"+string(x.FieldID[:]))
		}
	}
	if has(func(p *person) bool { return len(p.notes) > 0 }) {
		var there []models.Note
		if err := database.FindIn(tx, "supporter_id", records, &there); err != nil {
			return err
		}
		for _, x := range there {
			body, err := w.vault.Open("notes", "body_sealed", x.ID, x.BodySealed)
			if err != nil {
				return err
			}
			note(x.SupporterID, "n"+body)
		}
	}
	return nil
}

// lookAtConsents finds out what the mailboxes of a batch agreed to before.
func (w *writer) lookAtConsents(tx *gorm.DB, ids []uuid.UUID, byBox map[uuid.UUID]*place) error {
	if w.yes.purpose == "" || len(ids) == 0 {
		return nil
	}
	var consents []models.Consent
	if err := database.FindIn(tx, "mailbox_id", ids, &consents); err != nil {
		return err
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
	return nil
}

// factsOf says which facts a record has, told which ones a row brings.
func factsOf(s models.Supporter) has {
	return bits(s.GivenNameSealed != nil, s.FamilyNameSealed != nil, s.StreetSealed != nil, s.CitySealed != nil, s.Region != "", s.PostalArea != "", s.Country != "",
		s.Locale != "", s.TimeZone != "")
}

func told(f supporters.Facts) has {
	return bits(f.GivenName != "", f.FamilyName != "", f.Street != "", f.City != "", f.Region != "", f.PostalArea != "", f.Country != "", f.Locale != "", f.TimeZone != "")
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
	switch {
	case p.foreign, p.erased && w.chapter != nil:
		// Somebody whom this account may not see: nothing is written, and no figure tells that they are there.
		c.Unchanged++
		return
	case p.erased:
		c.Skipped++
		refused[in.n] = Reason{Key: "error.import_erased"}
		return
	case in.standing == left && p.suppressed:
		c.Unchanged++
		return
	case in.standing == left:
		p.makeBox = p.makeBox || !p.box
		p.box, p.suppress, p.suppressed = true, true, true
		c.Suppressed++
		return
	}
	p.makeBox = p.makeBox || !p.box
	p.box = true
	fresh := !p.record
	if fresh {
		p.record, p.makeRecord, p.supporter, p.first = true, true, in.id, in
		p.attach = !p.makeBox
	}
	changed := p.take(in, fresh)
	if w.add(in, p, fresh) {
		changed = true
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

// take fills what is empty of the record, and reports whether anything was. Street, city and region belong to their postal
// area: no address is put together of two.
func (p *place) take(in *person, fresh bool) (changed bool) {
	if fresh {
		p.fill, p.facts, p.postal, p.created = in.facts, told(in.facts), mark(in.facts.PostalArea), in.created
		p.chapter = in.chapter
		return true
	}
	area := mark(in.facts.PostalArea)
	same := area == 0 || p.postal == 0 || p.postal == area
	for _, f := range []struct {
		bit      has
		ok       bool
		from, to *string
	}{
		{hasGiven, true, &in.facts.GivenName, &p.fill.GivenName},
		{hasFamily, true, &in.facts.FamilyName, &p.fill.FamilyName},
		{hasStreet, same, &in.facts.Street, &p.fill.Street},
		{hasCity, same, &in.facts.City, &p.fill.City},
		{hasRegion, same, &in.facts.Region, &p.fill.Region},
		{hasPostal, true, &in.facts.PostalArea, &p.fill.PostalArea},
		{hasCountry, true, &in.facts.Country, &p.fill.Country},
		{hasLocale, true, &in.facts.Locale, &p.fill.Locale},
		{hasZone, true, &in.facts.TimeZone, &p.fill.TimeZone},
	} {
		if *f.from != "" && f.ok && p.facts&f.bit == 0 {
			*f.to, p.facts, p.mixed, changed = *f.from, p.facts|f.bit, true, true
		}
	}
	if p.postal == 0 {
		p.postal = area
	}
	if in.chapter != nil && p.chapter == nil {
		p.chapter, p.join, changed = in.chapter, true, true
	}
	return changed
}

// add plans what a row brings beside the record itself, and reports whether any of it is new.
func (w *writer) add(in *person, p *place, fresh bool) (changed bool) {
	if fresh && !w.dry { // the common case: nothing to compare with, and a row says nothing twice
		p.phones, p.values, p.notes = in.phones, in.values, in.notes
		p.tags = w.tagsOf(in)
		return len(p.phones)+len(p.values)+len(p.notes)+len(p.tags) > 0
	}
	if p.have == nil {
		p.have = map[string]bool{}
		if p.first != nil && p.first != in {
			w.items(p.first, func(item string) { p.have[item] = true })
		}
	}
	is := func(item string) bool {
		there := p.have[item]
		if !there && w.dry {
			_, there = w.extra[w.extraKey(in, item)]
		}
		p.have[item] = true
		changed = changed || !there
		return there
	}
	for i := range in.phones {
		if !is("p" + string(in.phones[i].NumberHash)) {
			p.phones = append(p.phones, in.phones[i])
		}
	}
	for _, id := range w.tagsOf(in) {
		if !is("t" + string(id[:])) {
			p.tags = append(p.tags, id)
		}
	}
	for _, v := range in.values {
		if !is(v.item()) {
			p.values = append(p.values, v)
		}
	}
	for _, n := range in.notes {
		if !is("n" + n) {
			p.notes = append(p.notes, n)
		}
	}
	return changed
}

// tagsOf are the tags of a row, with the one for everybody.
func (w *writer) tagsOf(in *person) []uuid.UUID {
	if w.tag == "" && len(in.tags) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, 0, len(in.tags)+1)
	if w.tag != "" {
		ids = append(ids, w.tags[strings.ToLower(w.tag)])
	}
	for _, k := range in.tags {
		if id := w.tags[k]; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// load is what a batch writes, table by table. What hangs on rows that are new themselves cannot be there already.
type load struct {
	records, fills         []models.Supporter
	again                  []*place // fills of a second mailbox of one person
	boxes                  []models.Mailbox
	phones, morePhones     []models.Phone
	consents, moreConsents []models.Consent
	taggings, moreTaggings []models.Tagging
	values, moreValues     []models.FieldValue
	notes                  []models.Note
	attached               []*place
	suppressed, placed     []uuid.UUID
	joins                  map[uuid.UUID][]uuid.UUID // chapter to supporters
}

// store writes what was planned, set by set.
func (w *writer) store(ctx context.Context, tx *gorm.DB, order []*place) error {
	l := load{joins: map[uuid.UUID][]uuid.UUID{}}
	filled := map[uuid.UUID]bool{}
	for _, p := range order {
		if err := w.gather(p, &l, filled); err != nil {
			return err
		}
	}
	// One order for everybody, so that two imports of the same people never wait for each other.
	slices.SortFunc(l.boxes, func(a, b models.Mailbox) int { return bytes.Compare(a.AddressHash, b.AddressHash) })
	if err := database.CopyAll(tx, l.records); err != nil {
		return err
	}
	written, err := database.InsertNew(tx, l.boxes, "ON CONFLICT (address_hash) DO NOTHING")
	if err != nil {
		return err
	}
	if len(written) != len(l.boxes) {
		return errRaced
	}
	if len(l.fills) > 0 {
		// Each row exists and is held: this is an update of many rows, worded so that both databases take it in one statement.
		err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoUpdates: supporters.FillEmpty()}).CreateInBatches(&l.fills, 500).Error
		if err != nil {
			return err
		}
	}
	for _, p := range l.again {
		if err := supporters.Fill(ctx, tx, w.vault, p.supporter, p.fill, w.now); err != nil {
			return err
		}
	}
	for _, p := range l.attached {
		if err := supporters.SetMailbox(ctx, tx, p.mailbox.ID, p.supporter, w.now); err != nil {
			return err
		}
	}
	for chapter, ids := range l.joins {
		for part := range slices.Chunk(ids, 500) {
			err := tx.Model(&models.Supporter{}).Where("id IN ? AND chapter_id IS NULL", part).Updates(map[string]any{"chapter_id": chapter, "updated_at": w.now}).Error
			if err != nil {
				return err
			}
		}
	}
	if err := mailboxes.SuppressAll(ctx, tx, l.suppressed, models.SuppressedImport, w.now); err != nil {
		return err
	}
	if err := w.storeMore(tx, &l); err != nil {
		return err
	}
	return supporters.Placed(ctx, tx, l.placed, w.now)
}

// storeMore writes what hangs on records and mailboxes.
func (w *writer) storeMore(tx *gorm.DB, l *load) error {
	if err := database.CopyAll(tx, l.phones); err != nil {
		return err
	}
	if err := database.CopyAll(tx, l.consents); err != nil {
		return err
	}
	if err := database.CopyAll(tx, l.taggings); err != nil {
		return err
	}
	if err := database.CopyAll(tx, l.values); err != nil {
		return err
	}
	if err := database.CopyAll(tx, l.notes); err != nil {
		return err
	}
	if err := database.InsertAll(tx, l.morePhones, "ON CONFLICT (supporter_id, number_hash) DO NOTHING"); err != nil {
		return err
	}
	if err := database.InsertAll(tx, l.moreConsents, "ON CONFLICT DO NOTHING"); err != nil {
		return err
	}
	if len(l.moreTaggings) > 0 {
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(&l.moreTaggings, 500).Error; err != nil {
			return err
		}
	}
	if len(l.moreValues) > 0 {
		return tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(&l.moreValues, 500).Error
	}
	return nil
}

// gather adds what one address needs to what the batch writes.
func (w *writer) gather(p *place, l *load, filled map[uuid.UUID]bool) error {
	switch {
	case p.makeRecord:
		s := p.first.record
		if p.mixed {
			p.fill.Source = supporters.SourceImport
			s = supporters.NewRow(w.vault, p.supporter, p.fill, w.now)
		}
		s.CreatedAt, s.UpdatedAt, s.ChapterID = w.now, w.now, p.chapter
		if !p.created.IsZero() {
			s.CreatedAt = p.created
		}
		if w.chapter != nil {
			s.ChapterID = w.chapter
		}
		l.records = append(l.records, s)
	case p.fill == (supporters.Facts{}):
	case filled[p.supporter]: // a second mailbox of one person in the same batch
		l.again = append(l.again, p)
	default:
		filled[p.supporter] = true
		l.fills = append(l.fills, supporters.NewRow(w.vault, p.supporter, p.fill, w.now))
	}
	if p.fill.PostalArea != "" || p.fill.Country != "" {
		l.placed = append(l.placed, p.supporter)
	}
	if p.join && !p.makeRecord {
		l.joins[*p.chapter] = append(l.joins[*p.chapter], p.supporter)
	}
	if p.makeBox {
		p.mailbox.ID, p.mailbox.AddressSealed, p.mailbox.CreatedAt, p.mailbox.UpdatedAt = models.NewID(), p.sealed, w.now, w.now
		if p.makeRecord {
			p.mailbox.SupporterID = &p.supporter
		}
		if p.suppress {
			p.mailbox.SuppressedAt, p.mailbox.SuppressedReason = &w.now, models.SuppressedImport
		}
		l.boxes = append(l.boxes, p.mailbox)
	} else if p.suppress {
		l.suppressed = append(l.suppressed, p.mailbox.ID)
	}
	if p.attach {
		l.attached = append(l.attached, p)
	}
	if p.agree {
		c := models.Consent{
			ID: models.NewID(), MailboxID: p.mailbox.ID, Purpose: w.yes.purpose, ScopeID: w.yes.scope, TextID: w.yes.text,
			Locale: w.yes.locale, ShownAt: w.now, GivenAt: w.now, Source: w.yes.source, How: models.ConsentByImport, EvidenceID: &w.yes.proof,
		}
		if !p.agreedAt.IsZero() {
			c.ShownAt, c.GivenAt = p.agreedAt, p.agreedAt
		}
		if p.makeBox {
			l.consents = append(l.consents, c)
		} else {
			l.moreConsents = append(l.moreConsents, c)
		}
	}
	return w.gatherMore(p, l)
}

func (w *writer) gatherMore(p *place, l *load) error {
	phones, taggings, values := &l.morePhones, &l.moreTaggings, &l.moreValues
	if p.makeRecord {
		phones, taggings, values = &l.phones, &l.taggings, &l.values
	}
	for _, n := range p.phones {
		n.SupporterID, n.CreatedAt = p.supporter, w.now
		*phones = append(*phones, n)
	}
	for _, id := range p.tags {
		*taggings = append(*taggings, models.Tagging{SupporterID: p.supporter, TagID: id, CreatedAt: w.now})
	}
	for _, a := range p.values {
		row, ok, err := supporters.NewValue(w.vault, p.supporter, *a.field, a.text, w.now)
		if err != nil {
			return err
		}
		if ok {
			*values = append(*values, row)
		}
	}
	for _, body := range p.notes {
		n := models.Note{ID: models.NewID(), SupporterID: p.supporter, AuthorID: w.author, CreatedAt: w.now}
		n.BodySealed = w.vault.Seal("notes", "body_sealed", n.ID, body)
		l.notes = append(l.notes, n)
	}
	return nil
}
