package supporters

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/erasures"
	"kithline/models"
)

// names are the names of all supporters in the memory of this process, to be searched by any part. Nothing of it is
// written anywhere. It says who may match; what is shown is read anew from the database.
//
// The bulk lies in base, in the order of ids: one piece of text and a few numbers for each person, 35 bytes and the name. What changed
// since lies in a map beside it, until there is enough of it to make base anew. It is read once and then kept up to date by
// the time of change of the records; now and then everything is compared, since deleted records tell nobody.
type names struct {
	work chan struct{} // held by whoever loads or brings up to date

	mu       sync.RWMutex
	loaded   bool
	base     base
	recent   map[uuid.UUID]entry
	chapters []uuid.UUID // numbered from 1; 0 is none

	// Of the one who holds work.
	at   time.Time // up to which changes are known
	last uuid.UUID
}

func newNames() *names { return &names{work: make(chan struct{}, 1), recent: map[uuid.UUID]entry{}} }

// entry is one person.
type entry struct {
	text    string // folded
	chapter uint16
}

// base holds people in the order of their ids.
type base struct {
	ids     []uuid.UUID
	ends    []uint32 // of each one's text, behind its line end
	chapter []uint16
	text    []byte
	gone    int // of those whose text was wiped
}

func (b *base) begin(i int) int {
	if i == 0 {
		return 0
	}
	return int(b.ends[i-1])
}

func (b *base) of(i int) []byte { return b.text[b.begin(i) : int(b.ends[i])-1] }

func (b *base) find(id uuid.UUID) (int, bool) {
	return sort.Find(len(b.ids), func(i int) int { return bytes.Compare(id[:], b.ids[i][:]) })
}

// add appends a person; ids come in order. One without a name is counted with an empty text.
func (b *base) add(id uuid.UUID, e entry) {
	b.ids = append(b.ids, id)
	b.text = append(append(b.text, e.text...), '\n')
	b.ends = append(b.ends, uint32(len(b.text)))
	b.chapter = append(b.chapter, e.chapter)
}

// wipe takes a person out, and the name out of the memory.
func (b *base) wipe(i int) {
	if b.chapter[i] == nobodys {
		return
	}
	clear(b.of(i))
	b.chapter[i] = nobodys
	b.gone++
}

// nobodys is the chapter of who is not in base any more.
const nobodys = math.MaxUint16

// maxText is how many bytes of names one process holds: what ends can count.
const maxText = math.MaxUint32 - 1<<20

// errTooMany is returned when there are more names than can be held; about two hundred million.
var errTooMany = errors.New("supporters: more names than the search can hold")

// namesRow is what the search knows of a record.
type namesRow struct {
	id            uuid.UUID
	given, family []byte
	chapter       uuid.NullUUID
	updated       time.Time
}

// readNames runs a query for id, names, chapter and, where it asks for it, the time of change.
func (s *Service) readNames(ctx context.Context, each func(namesRow) error, sql string, args ...any) (n int, err error) {
	rows, err := s.db.WithContext(ctx).Raw(sql, args...).Rows()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	var r namesRow
	into := []any{&r.id, &r.given, &r.family, &r.chapter, &r.updated}[:len(columns)]
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return n, err
		}
		n++
		if err := each(r); err != nil {
			return n, err
		}
	}
	return n, rows.Err()
}

// entryOf opens the names of a record. One that does not open is nobody's to find.
func (s *Service) entryOf(r namesRow) entry {
	given, err1 := s.vault.Open("supporters", "given_name_sealed", r.id, r.given)
	family, err2 := s.vault.Open("supporters", "family_name_sealed", r.id, r.family)
	e := entry{chapter: s.names.chapterOf(r.chapter)}
	if err1 == nil && err2 == nil {
		e.text = fold(given + " " + family)
	}
	return e
}

// chapterOf numbers a chapter. Beyond sixty thousand of them, people stand with none and are found by the whole organisation.
func (n *names) chapterOf(id uuid.NullUUID) uint16 {
	if !id.Valid {
		return 0
	}
	n.mu.RLock()
	i := slices.Index(n.chapters, id.UUID)
	n.mu.RUnlock()
	if i >= 0 {
		return uint16(i + 1)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.chapters) >= nobodys-1 {
		return 0
	}
	n.chapters = append(n.chapters, id.UUID)
	return uint16(len(n.chapters))
}

const (
	namesPage    = 5000             // records read at once
	namesOverlap = 10 * time.Minute // how far back a comparison looks for changes that were committed late
	namesEvery   = time.Minute      // how often a process compares
	namesPatient = time.Second      // how long a search waits for what changed just now
)

// load reads all names. The caller holds work.
func (s *Service) load(ctx context.Context) error {
	n := s.names
	var count int64
	if err := s.db.WithContext(ctx).Model(&models.Supporter{}).Count(&count).Error; err != nil {
		return err
	}
	at, err := s.lastChange(ctx)
	if err != nil {
		return err
	}
	spare := int(count) + int(count)/64
	b := base{ids: make([]uuid.UUID, 0, spare), ends: make([]uint32, 0, spare), chapter: make([]uint16, 0, spare), text: make([]byte, 0, spare*14)}
	last := uuid.Nil
	for {
		read, err := s.readNames(ctx, func(r namesRow) error {
			last = r.id
			e := s.entryOf(r)
			if len(b.text)+len(e.text) > maxText {
				return errTooMany
			}
			b.add(r.id, e)
			return nil
		}, "SELECT id, given_name_sealed, family_name_sealed, chapter_id FROM supporters WHERE id > ? ORDER BY id LIMIT ?", last, namesPage)
		if err != nil {
			return err
		}
		if read < namesPage {
			break
		}
	}
	n.mu.Lock()
	n.base, n.recent, n.loaded = b, map[uuid.UUID]entry{}, true
	n.mu.Unlock()
	// Changes of the last while may have been under way: they are looked at once more.
	n.at, n.last = at.Add(-namesOverlap), uuid.Nil
	return s.refresh(ctx)
}

// lastChange is the newest time of change that can be seen.
func (s *Service) lastChange(ctx context.Context) (time.Time, error) {
	var newest models.Supporter
	err := s.db.WithContext(ctx).Select("id", "updated_at").Order("updated_at DESC").Limit(1).Find(&newest).Error
	return newest.UpdatedAt, err
}

// refresh reads what changed since the last time. The caller holds work.
func (s *Service) refresh(ctx context.Context) error {
	n := s.names
	for {
		changed := make([]struct {
			id uuid.UUID
			e  entry
		}, 0, 16)
		at, last := n.at, n.last
		read, err := s.readNames(ctx, func(r namesRow) error {
			at, last = r.updated, r.id
			changed = append(changed, struct {
				id uuid.UUID
				e  entry
			}{r.id, s.entryOf(r)})
			return nil
		}, `SELECT id, given_name_sealed, family_name_sealed, chapter_id, updated_at FROM supporters
			WHERE updated_at >= ? AND (updated_at, id) > (?, ?) ORDER BY updated_at, id LIMIT ?`, at, at, last, namesPage)
		if err != nil {
			return err
		}
		n.mu.Lock()
		for _, c := range changed {
			n.put(c.id, c.e)
		}
		err = n.compact()
		n.mu.Unlock()
		if err != nil {
			return err
		}
		n.at, n.last = at, last
		if read < namesPage {
			return nil
		}
	}
}

// put takes a person in, or what changed about them.
func (n *names) put(id uuid.UUID, e entry) {
	if i, ok := n.base.find(id); ok && n.base.chapter[i] != nobodys {
		if n.base.chapter[i] == e.chapter && string(n.base.of(i)) == e.text {
			return
		}
		n.base.wipe(i)
	}
	n.recent[id] = e
}

// compact makes base anew once a good part of it changed.
func (n *names) compact() error {
	if len(n.recent)+n.base.gone < 20_000+len(n.base.ids)/8 {
		return nil
	}
	fresh := make([]uuid.UUID, 0, len(n.recent))
	size := 0
	for id, e := range n.recent {
		fresh, size = append(fresh, id), size+len(e.text)+1
	}
	if len(n.base.text)+size > maxText {
		return errTooMany
	}
	slices.SortFunc(fresh, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	people := len(n.base.ids) - n.base.gone + len(fresh)
	b := base{ids: make([]uuid.UUID, 0, people), ends: make([]uint32, 0, people), chapter: make([]uint16, 0, people), text: make([]byte, 0, len(n.base.text)+size)}
	i := 0
	for j := 0; i < len(n.base.ids) || j < len(fresh); {
		if i < len(n.base.ids) && n.base.chapter[i] == nobodys {
			i++
			continue
		}
		if j == len(fresh) || i < len(n.base.ids) && bytes.Compare(n.base.ids[i][:], fresh[j][:]) < 0 {
			b.add(n.base.ids[i], entry{string(n.base.of(i)), n.base.chapter[i]})
			i++
			continue
		}
		b.add(fresh[j], n.recent[fresh[j]])
		j++
	}
	clear(n.base.text)
	n.base, n.recent = b, map[uuid.UUID]entry{}
	return nil
}

// people is how many there are.
func (n *names) people() int { return len(n.base.ids) - n.base.gone + len(n.recent) }

// compare looks for late changes and takes out who is gone: erased, or merged into another record. The caller holds work.
func (s *Service) compare(ctx context.Context) error {
	n := s.names
	// A change of before that was committed by now. Where a million people were imported at once an hour ago, they are not read each minute.
	if late := s.clk.Now().Add(-namesOverlap); n.at.After(late) {
		n.at, n.last = late, uuid.Nil
	}
	if err := s.refresh(ctx); err != nil {
		return err
	}
	var count int64
	if err := s.db.WithContext(ctx).Model(&models.Supporter{}).Count(&count).Error; err != nil {
		return err
	}
	n.mu.RLock()
	known := n.people()
	n.mu.RUnlock()
	if int64(known) == count {
		return nil
	}
	there, last := make([]uint64, (len(n.base.ids)+63)/64), uuid.Nil
	fresh := make(map[uuid.UUID]bool, len(n.recent))
	for {
		var ids []uuid.UUID
		if err := s.db.WithContext(ctx).Model(&models.Supporter{}).Where("id > ?", last).Order("id").Limit(namesPage).Pluck("id", &ids).Error; err != nil {
			return err
		}
		var missed []uuid.UUID
		for _, id := range ids {
			i, ok := n.base.find(id)
			if ok {
				there[i/64] |= 1 << (i % 64)
			}
			if _, late := n.recent[id]; late {
				fresh[id] = true
			} else if !ok || n.base.chapter[i] == nobodys {
				missed = append(missed, id)
			}
		}
		for part := range slices.Chunk(missed, 500) {
			if err := s.takeIn(ctx, part, fresh); err != nil {
				return err
			}
		}
		if len(ids) < namesPage {
			break
		}
		last = ids[len(ids)-1]
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range n.base.ids {
		if there[i/64]&(1<<(i%64)) == 0 {
			n.base.wipe(i)
		}
	}
	for id := range n.recent {
		if !fresh[id] {
			delete(n.recent, id)
		}
	}
	return n.compact()
}

// takeIn reads the names of some people whom nothing told about, and notes them in known.
func (s *Service) takeIn(ctx context.Context, ids []uuid.UUID, known map[uuid.UUID]bool) error {
	_, err := s.readNames(ctx, func(r namesRow) error {
		e := s.entryOf(r)
		known[r.id] = true
		s.names.mu.Lock()
		s.names.recent[r.id] = e
		s.names.mu.Unlock()
		return nil
	}, "SELECT id, given_name_sealed, family_name_sealed, chapter_id FROM supporters WHERE id IN ?", ids)
	return err
}

// Run keeps the names of this process up to date until ctx ends: they are read at once where there are people, and compared
// every minute and whenever a record was deleted, which erasing and merging announce. A search works without it, and reads by itself. failed is told what went
// wrong, at most once a minute.
func (s *Service) Run(ctx context.Context, failed func(error)) {
	gone := s.db.Listen(erasures.Topic)
	tick := time.NewTicker(namesEvery)
	defer tick.Stop()
	for {
		if err := s.keepUp(ctx); err != nil && ctx.Err() == nil {
			failed(err)
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-gone:
		case <-tick.C:
		}
	}
}

// keepUp is one round of Run.
func (s *Service) keepUp(ctx context.Context) error {
	if err := s.names.hold(ctx); err != nil {
		return err
	}
	defer s.names.release()
	if s.names.loaded {
		return s.compare(ctx)
	}
	var any models.Supporter
	if r := s.db.WithContext(ctx).Select("id").Limit(1).Find(&any); r.Error != nil || r.RowsAffected == 0 {
		return r.Error
	}
	return s.load(ctx)
}

func (n *names) hold(ctx context.Context) error {
	select {
	case n.work <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (n *names) release() { <-n.work }

// ready brings the names up to date for a search: all of them the first time, then what changed just now, as far as that
// does not keep somebody waiting.
func (s *Service) ready(ctx context.Context) error {
	n := s.names
	n.mu.RLock()
	loaded := n.loaded
	n.mu.RUnlock()
	if !loaded {
		if err := n.hold(ctx); err != nil {
			return err
		}
		defer n.release()
		if n.loaded {
			return s.refresh(ctx)
		}
		return s.load(ctx)
	}
	short, cancel := context.WithTimeout(ctx, namesPatient)
	defer cancel()
	err := n.hold(short)
	if err == nil {
		defer n.release()
		err = s.refresh(short)
	}
	if err != nil && short.Err() != nil && ctx.Err() == nil {
		return nil // a large import is under way: who is not in yet is found in a moment
	}
	return err
}

// match returns the ids of up to most people whose names hold all the words, newest first: those where every word begins
// a word of the name go first. chapter, where it is not nil, leaves out everybody else.
func (n *names) match(words []string, chapter *uuid.UUID, most int) []uuid.UUID {
	if len(words) == 0 {
		return nil
	}
	words = slices.Clone(words)
	slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) }) // the longest is the rarest
	n.mu.RLock()
	defer n.mu.RUnlock()
	all, only := chapter == nil, uint16(0)
	if !all {
		i := slices.Index(n.chapters, *chapter)
		if i < 0 {
			return nil
		}
		only = uint16(i + 1)
	}
	w := newWanted(words)
	first, rest := newest{most: most}, newest{most: most}
	b := &n.base
	for at, i := 0, 0; at < len(b.text); {
		hit := bytes.Index(b.text[at:], w.words[0])
		if hit < 0 {
			break
		}
		for at += hit; int(b.ends[i]) <= at; {
			i++
		}
		if all && b.chapter[i] != nobodys || !all && b.chapter[i] == only {
			switch w.in(b.text[b.begin(i) : int(b.ends[i])-1]) {
			case begins:
				first.add(b.ids[i])
			case holds:
				rest.add(b.ids[i])
			}
		}
		at = int(b.ends[i])
	}
	for id, e := range n.recent {
		if all || e.chapter == only {
			switch w.in([]byte(e.text)) {
			case begins:
				first.late = append(first.late, id)
			case holds:
				rest.late = append(rest.late, id)
			}
		}
	}
	out := slices.Concat(first.sorted(), rest.sorted())
	return out[:min(len(out), most)]
}

// wanted are the words of a search.
type wanted struct{ words, begin [][]byte }

func newWanted(words []string) wanted {
	var w wanted
	for _, x := range words {
		w.words, w.begin = append(w.words, []byte(x)), append(w.begin, []byte(" "+x))
	}
	return w
}

type fit int

const (
	misses fit = iota
	holds      // every word somewhere
	begins     // every word at the beginning of a word
)

func (w wanted) in(name []byte) fit {
	out := begins
	for i, x := range w.words {
		switch {
		case bytes.HasPrefix(name, x), out == begins && bytes.Contains(name, w.begin[i]):
		case bytes.Contains(name, x):
			out = holds
		default:
			return misses
		}
	}
	return out
}

// newest keeps the last of what it is given.
type newest struct {
	most int
	ring []uuid.UUID
	next int
	late []uuid.UUID
}

func (r *newest) add(id uuid.UUID) {
	if len(r.ring) < r.most {
		r.ring = append(r.ring, id)
		return
	}
	r.ring[r.next] = id
	r.next = (r.next + 1) % r.most
}

// sorted is what was kept, newest first.
func (r *newest) sorted() []uuid.UUID {
	all := slices.Concat(r.ring, r.late)
	slices.SortFunc(all, func(a, b uuid.UUID) int { return bytes.Compare(b[:], a[:]) })
	return all
}

// size is how many bytes the names take, without what Go adds for the map.
func (n *names) size() int {
	n.mu.RLock()
	defer n.mu.RUnlock()
	b := &n.base
	return cap(b.ids)*binary.Size(uuid.UUID{}) + cap(b.ends)*4 + cap(b.chapter)*2 + cap(b.text) + len(n.recent)*100
}

// wordsOf parts what somebody typed into the words of a search.
func wordsOf(typed string) []string { return strings.Fields(fold(typed)) }

// Held tells how many people's names this process holds, and how many bytes they take: for figures.
func (s *Service) Held() (people, bytes int) {
	n := s.names.size()
	s.names.mu.RLock()
	defer s.names.mu.RUnlock()
	return s.names.people(), n
}
