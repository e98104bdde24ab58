package duplicates

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/models"
	"kithline/models/database"
)

// crowd is how many records may share something before it says nothing about a person any more: the telephone of a clinic, the name
// that a whole family gave a mailbox.
const crowd = 12

// step is how many records are read at once.
const step = 2000

// two is a pair of records, the smaller id first.
type two struct{ a, b uuid.UUID }

func pairOf(x, y uuid.UUID) two {
	if bytes.Compare(x[:], y[:]) > 0 {
		x, y = y, x
	}
	return two{x, y}
}

// fullName is a name as two records are compared by it; "" where a part of it is missing.
func fullName(given, family string) string {
	g, f := supporters.Fold(given), supporters.Fold(family)
	if g == "" || f == "" {
		return ""
	}
	return g + "\x00" + f
}

// split is the part of a canonical address before the @, without a +suffix and with it, and the domain.
func split(address string) (bare, local, domain string) {
	local, domain, _ = strings.Cut(address, "@")
	bare, _, _ = strings.Cut(local, "+")
	return bare, local, domain
}

// Scan compares everybody with everybody, notes new pairs, and drops open ones that nothing speaks for any more. In memory it holds a
// hash of eight bytes for each record and rule, for a part of the records at a time, and never a name.
func (s *Service) Scan(ctx context.Context) error {
	c, err := s.begin(ctx)
	for err == nil && c.next != nil {
		err = c.next(ctx)
	}
	return err
}

// often is how often everybody is compared with everybody.
const often = 24 * time.Hour

// ScanInSteps is Scan for a job that must end soon: it works for half a minute and goes on where it ended when it is called again,
// until it is done; then it rests for a day. What it holds goes with the process, which then begins anew.
func (s *Service) ScanInSteps(ctx context.Context) error { return s.scanFor(ctx, 30*time.Second) }

func (s *Service) scanFor(ctx context.Context, long time.Duration) (err error) {
	s.whole.Lock()
	defer s.whole.Unlock()
	if s.scan == nil {
		if s.clock.Now().Before(s.rest) {
			return nil
		}
		if s.scan, err = s.begin(ctx); err != nil {
			return err
		}
	}
	for until := time.Now().Add(long); ; {
		if err := s.scan.next(ctx); err != nil {
			return err
		}
		if s.scan.next == nil {
			s.scan, s.rest = nil, s.clock.Now().Add(often)
			return nil
		}
		if !time.Now().Before(until) {
			return nil
		}
	}
}

// scanning is a Scan at work. next does the next small piece of it; nil at the end. A piece that failed can be done again.
type scanning struct {
	*Service
	next func(context.Context) error

	round, rounds       uint64
	room                int
	after               uuid.UUID
	hasher              *hasher
	ids                 []uuid.UUID
	names, bares, local []mark
	found               []two
	number              []byte
	pair                uuid.UUID
}

func (s *Service) begin(ctx context.Context) (*scanning, error) {
	var people int64
	if err := s.db.WithContext(ctx).Model(&models.Supporter{}).Count(&people).Error; err != nil {
		return nil, err
	}
	rounds := int(people)/s.most + 1
	part := int(people) / rounds
	c := &scanning{Service: s, rounds: uint64(rounds), room: part + part/8, hasher: &hasher{mac: hmac.New(sha256.New, s.key)}, number: []byte{}}
	c.next = c.read
	return c, nil
}

// take keeps a hash of a record, where it belongs to this round.
func (c *scanning) take(list *[]mark, id uuid.UUID, parts ...string) {
	sum := c.hasher.sum(parts...)
	if sum%c.rounds != c.round {
		return
	}
	if len(c.ids) == 0 || c.ids[len(c.ids)-1] != id {
		c.ids = append(c.ids, id)
	}
	*list = append(*list, mark{sum, uint32(len(c.ids) - 1)})
}

// read reads the next records.
func (c *scanning) read(ctx context.Context) error {
	rows, boxes, err := c.Service.read(ctx, c.after)
	if err != nil {
		return err
	}
	if c.ids == nil {
		c.ids, c.names, c.bares, c.local = make([]uuid.UUID, 0, c.room), make([]mark, 0, c.room), make([]mark, 0, c.room), make([]mark, 0, c.room)
	}
	for _, p := range rows {
		given, family, err := c.Service.names(p)
		if err != nil {
			continue // a name that does not open is nobody's; the vault's own check tells of it
		}
		name := fullName(given, family)
		if name != "" && p.PostalArea != "" {
			c.take(&c.names, p.ID, "name", name, p.PostalArea)
		}
		for _, address := range boxes[p.ID] {
			bare, local, domain := split(address)
			c.take(&c.bares, p.ID, "bare", bare, domain)
			if name != "" {
				c.take(&c.local, p.ID, "local", name, local)
			}
		}
	}
	if len(rows) == step {
		c.after = rows[len(rows)-1].ID
		return nil
	}
	c.next = c.compare
	return nil
}

// compare finds the records that have a hash in common.
func (c *scanning) compare(context.Context) error {
	for _, list := range [][]mark{c.names, c.bares, c.local} {
		slices.SortFunc(list, func(x, y mark) int { return cmp.Or(cmp.Compare(x.hash, y.hash), cmp.Compare(x.at, y.at)) })
		for i := 0; i < len(list); {
			j := i + 1
			for j < len(list) && list[j].hash == list[i].hash {
				j++
			}
			c.found = appendPairs(c.found, list[i:j], func(m mark) uuid.UUID { return c.ids[m.at] })
			i = j
		}
	}
	c.ids, c.names, c.bares, c.local, c.after = nil, nil, nil, nil, uuid.Nil
	c.next = c.write
	return nil
}

// write writes down the next of the pairs that were found.
func (c *scanning) write(ctx context.Context) error {
	part := c.found[:min(len(c.found), 2000)]
	if err := c.note(ctx, slices.Clone(part)); err != nil {
		return err
	}
	if c.found = c.found[len(part):]; len(c.found) > 0 {
		return nil
	}
	c.found, c.next = nil, c.phones
	if c.round++; c.round < c.rounds {
		c.next = c.read
	}
	return nil
}

// phones finds the next records that share a telephone number, by the index of its hash.
func (c *scanning) phones(ctx context.Context) error {
	var shared [][]byte
	err := c.db.WithContext(ctx).Table("phones").Where("valid AND number_hash > ?", c.number).Group("number_hash").Having("COUNT(*) > 1 AND COUNT(*) <= ?", crowd).
		Order("number_hash").Limit(500).Pluck("number_hash", &shared).Error
	if err != nil {
		return err
	}
	if len(shared) == 0 {
		c.next = c.look
		return nil
	}
	found, err := c.sharing(ctx, shared)
	if err == nil {
		err = c.note(ctx, found)
	}
	if err == nil {
		c.number = shared[len(shared)-1]
	}
	return err
}

// look drops those of the next open pairs that no rule speaks for any more.
func (c *scanning) look(ctx context.Context) error {
	var rows []models.Duplicate
	if err := c.db.WithContext(ctx).Where("state = 'open' AND id > ?", c.pair).Order("id").Limit(200).Find(&rows).Error; err != nil {
		return err
	}
	if len(rows) == 0 {
		c.next = nil
		return nil
	}
	pairs := make([]two, len(rows))
	for i, r := range rows {
		pairs[i] = two{r.AID, r.BID}
	}
	rules, err := c.rules(ctx, c.db.DB, pairs)
	if err != nil {
		return err
	}
	var over []uuid.UUID
	for i, r := range rows {
		if rules[pairs[i]] == "" {
			over = append(over, r.ID)
		}
	}
	if len(over) > 0 {
		if err := c.db.WithContext(ctx).Where("id IN ? AND state = 'open'", over).Delete(&models.Duplicate{}).Error; err != nil {
			return err
		}
	}
	c.pair = rows[len(rows)-1].ID
	return nil
}

// mark is what one record is compared by.
type mark struct {
	hash uint64
	at   uint32 // place of the record in ids
}

// appendPairs appends every two different records of a group, unless it is a crowd.
func appendPairs[T any](out []two, group []T, id func(T) uuid.UUID) []two {
	if len(group) < 2 || len(group) > crowd {
		return out
	}
	for i := range group {
		for j := range i {
			if x, y := id(group[i]), id(group[j]); x != y {
				out = append(out, pairOf(x, y))
			}
		}
	}
	return out
}

// hasher makes keyed hashes of eight bytes.
type hasher struct {
	mac hash.Hash
	buf []byte
	out []byte
}

func (h *hasher) sum(parts ...string) uint64 {
	h.mac.Reset()
	h.buf = h.buf[:0]
	for _, p := range parts {
		h.buf = append(binary.BigEndian.AppendUint32(h.buf, uint32(len(p))), p...)
	}
	h.mac.Write(h.buf)
	clear(h.buf)
	h.out = h.mac.Sum(h.out[:0])
	return binary.BigEndian.Uint64(h.out)
}

// read reads the next records by id, with the confirmed addresses of each.
func (s *Service) read(ctx context.Context, after uuid.UUID) ([]models.Supporter, map[uuid.UUID][]string, error) {
	db := s.db.WithContext(ctx)
	var rows []models.Supporter
	if err := db.Select("id", "given_name_sealed", "family_name_sealed", "postal_area").Where("id > ?", after).Order("id").Limit(step).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, nil, err
	}
	boxes, err := s.addresses(ctx, s.db.DB, "supporter_id > ? AND supporter_id <= ?", after, rows[len(rows)-1].ID)
	return rows, boxes, err
}

// addresses opens the confirmed addresses of people, by record.
func (s *Service) addresses(ctx context.Context, tx *gorm.DB, where string, args ...any) (map[uuid.UUID][]string, error) {
	var boxes []models.Mailbox
	err := tx.WithContext(ctx).Select("id", "address_hash", "address_sealed", "supporter_id").Where("verified_at IS NOT NULL AND address_sealed IS NOT NULL").Where(where, args...).Find(&boxes).Error
	if err != nil {
		return nil, err
	}
	out := map[uuid.UUID][]string{}
	for _, m := range boxes {
		if address, err := mailboxes.Address(s.vault, m); err == nil {
			out[*m.SupporterID] = append(out[*m.SupporterID], address)
		}
	}
	return out, nil
}

func (s *Service) sharing(ctx context.Context, hashes [][]byte) ([]two, error) {
	var out []two
	for part := range slices.Chunk(hashes, 500) {
		var rows []models.Phone
		if err := s.db.WithContext(ctx).Select("supporter_id", "number_hash").Where("valid AND number_hash IN ?", part).Order("number_hash, supporter_id").Find(&rows).Error; err != nil {
			return nil, err
		}
		for i := 0; i < len(rows); {
			j := i + 1
			for j < len(rows) && bytes.Equal(rows[j].NumberHash, rows[i].NumberHash) {
				j++
			}
			out, i = appendPairs(out, rows[i:j], func(p models.Phone) uuid.UUID { return p.SupporterID }), j
		}
	}
	return out, nil
}

// Recent compares the records that changed since it last ran with those that they may be: by the postal code, the telephone number and
// the address without its suffix, each through an index. What it cannot find that way, Scan does.
func (s *Service) Recent(ctx context.Context) error {
	s.recent.Lock()
	defer s.recent.Unlock()
	until := s.clock.Now()
	since, after := s.at.Add(-time.Minute), uuid.Nil // a transaction may have been open for a while
	for {
		var rows []models.Supporter
		err := s.db.WithContext(ctx).Where("(updated_at, id) > (?, ?)", since, after).Order("updated_at, id").Limit(200).Find(&rows).Error
		if err != nil {
			return err
		}
		found, err := s.namesakes(ctx, rows)
		if err != nil {
			return err
		}
		sharing, err := s.sharers(ctx, rows)
		if err != nil {
			return err
		}
		if err := s.note(ctx, append(found, sharing...)); err != nil {
			return err
		}
		if len(rows) < 200 {
			s.at = until
			return nil
		}
		since, after = rows[len(rows)-1].UpdatedAt, rows[len(rows)-1].ID
		s.at = since
	}
}

// mostNeighbours is how many people of one postal code changed records are compared with, mostNamesakes how many are found for one.
const (
	mostNeighbours = 3000
	mostNamesakes  = 20
)

// namesakes finds people of the same name and postal code. The people of a postal code are read once for all of changed: after a busy
// hour of one town those are many.
func (s *Service) namesakes(ctx context.Context, changed []models.Supporter) ([]two, error) {
	type person struct {
		id            uuid.UUID
		name, country string
	}
	read := func(p models.Supporter) (person, bool) {
		given, family, err := s.names(p)
		name := fullName(given, family)
		return person{p.ID, name, p.Country}, err == nil && name != "" // a name that does not open is nobody's
	}
	areas := map[string][]person{}
	for _, p := range changed {
		if one, ok := read(p); ok && p.PostalArea != "" {
			areas[p.PostalArea] = append(areas[p.PostalArea], one)
		}
	}
	var out []two
	for area, asked := range areas {
		var rows []models.Supporter
		err := s.db.WithContext(ctx).Select("id", "given_name_sealed", "family_name_sealed", "country").Where("postal_area = ?", area).Limit(mostNeighbours).Find(&rows).Error
		if err != nil {
			return nil, err
		}
		called := map[string][]person{}
		for _, p := range asked {
			called[p.name] = nil
		}
		for _, r := range rows {
			if p, ok := read(r); ok {
				if _, wanted := called[p.name]; wanted {
					called[p.name] = append(called[p.name], p)
				}
			}
		}
		for _, p := range asked { // also those who are not among the neighbours that were read
			if !slices.ContainsFunc(called[p.name], func(n person) bool { return n.id == p.id }) {
				called[p.name] = append(called[p.name], p)
			}
		}
		for _, p := range asked {
			found := 0
			for _, n := range called[p.name] {
				if n.id != p.id && (n.country == p.country || n.country == "" || p.country == "") && found < mostNamesakes {
					out, found = append(out, pairOf(p.id, n.id)), found+1
				}
			}
		}
	}
	return out, nil
}

// sharers finds what records may be the same as by their telephone numbers and by their addresses without a suffix.
func (s *Service) sharers(ctx context.Context, changed []models.Supporter) ([]two, error) {
	ids, asked := make([]uuid.UUID, len(changed)), make(map[uuid.UUID]bool, len(changed))
	for i, p := range changed {
		ids[i], asked[p.ID] = p.ID, true
	}
	if len(ids) == 0 {
		return nil, nil
	}
	db := s.db.WithContext(ctx)
	var hashes [][]byte
	if err := db.Model(&models.Phone{}).Where("supporter_id IN ? AND valid", ids).Distinct().Pluck("number_hash", &hashes).Error; err != nil {
		return nil, err
	}
	out, err := s.sharing(ctx, hashes)
	if err != nil {
		return nil, err
	}
	out = slices.DeleteFunc(out, func(t two) bool { return !asked[t.a] && !asked[t.b] })
	theirs, err := s.addresses(ctx, s.db.DB, "supporter_id IN ?", ids)
	if err != nil {
		return nil, err
	}
	bare := map[string][]uuid.UUID{} // who has an address that is this one with a suffix, by its hash
	var wanted [][]byte
	for id, addresses := range theirs {
		for _, address := range addresses {
			if name, local, domain := split(address); name != local {
				hash := s.vault.AddressHash(name + "@" + domain)
				if len(bare[string(hash)]) == 0 {
					wanted = append(wanted, hash)
				}
				bare[string(hash)] = append(bare[string(hash)], id)
			}
		}
	}
	var boxes []models.Mailbox
	q := db.Select("address_hash", "supporter_id").Where("verified_at IS NOT NULL AND supporter_id IS NOT NULL")
	if err := database.FindIn(q, "address_hash", wanted, &boxes); err != nil {
		return nil, err
	}
	for _, m := range boxes {
		for _, id := range bare[string(m.AddressHash)] {
			if id != *m.SupporterID {
				out = append(out, pairOf(id, *m.SupporterID))
			}
		}
	}
	return out, nil
}

// note writes down pairs that a rule speaks for. A pair that somebody said are two people stays that.
func (s *Service) note(ctx context.Context, found []two) error {
	slices.SortFunc(found, func(x, y two) int { return cmp.Or(bytes.Compare(x.a[:], y.a[:]), bytes.Compare(x.b[:], y.b[:])) })
	found = slices.Compact(found)
	for part := range slices.Chunk(found, 200) {
		rules, err := s.rules(ctx, s.db.DB, part)
		if err != nil {
			return err
		}
		now := s.clock.Now()
		var rows []models.Duplicate
		for _, t := range part {
			if rules[t] != "" {
				rows = append(rows, models.Duplicate{ID: models.NewID(), AID: t.a, BID: t.b, Rules: rules[t], State: models.DuplicateOpen, CreatedAt: now, UpdatedAt: now})
			}
		}
		if len(rows) == 0 {
			continue
		}
		err = s.db.Tx(ctx, func(tx *gorm.DB) error {
			// Somebody may be erased or made one with another at this moment: who is still there is held until the pairs are written.
			var there []uuid.UUID
			ids := make([]uuid.UUID, 0, 2*len(rows))
			for _, r := range rows {
				ids = append(ids, r.AID, r.BID)
			}
			if err := tx.Model(&models.Supporter{}).Clauses(clause.Locking{Strength: "KEY SHARE"}).Where("id IN ?", ids).Order("id").Pluck("id", &there).Error; err != nil {
				return err
			}
			write := slices.DeleteFunc(slices.Clone(rows), func(r models.Duplicate) bool { return !slices.Contains(there, r.AID) || !slices.Contains(there, r.BID) })
			if len(write) == 0 {
				return nil
			}
			return tx.Clauses(clause.OnConflict{
				Columns: []clause.Column{{Name: "a_id"}, {Name: "b_id"}}, DoUpdates: clause.AssignmentColumns([]string{"rules", "updated_at"}),
				Where: clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "duplicates.state = 'open' AND duplicates.rules <> excluded.rules"}}},
			}).Create(&write).Error
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rules looks at pairs themselves and says which rules speak for each, comma separated; "" for none.
func (s *Service) rules(ctx context.Context, tx *gorm.DB, pairs []two) (map[two]string, error) {
	ids := make([]uuid.UUID, 0, 2*len(pairs))
	for _, t := range pairs {
		ids = append(ids, t.a, t.b)
	}
	db := tx.WithContext(ctx)
	var rows []models.Supporter
	if err := db.Select("id", "given_name_sealed", "family_name_sealed", "postal_area", "country").Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, err
	}
	type facts struct {
		name, area, country string
	}
	by := map[uuid.UUID]facts{}
	for _, p := range rows {
		given, family, err := s.names(p)
		if err != nil {
			return nil, err
		}
		by[p.ID] = facts{fullName(given, family), p.PostalArea, p.Country}
	}
	var phones []models.Phone
	if err := db.Select("supporter_id", "number_hash").Where("valid AND supporter_id IN ?", ids).Find(&phones).Error; err != nil {
		return nil, err
	}
	numbers := map[uuid.UUID][][]byte{}
	for _, p := range phones {
		numbers[p.SupporterID] = append(numbers[p.SupporterID], p.NumberHash)
	}
	addresses, err := s.addresses(ctx, tx, "supporter_id IN ?", ids)
	if err != nil {
		return nil, err
	}
	out := map[two]string{}
	for _, t := range pairs {
		a, okA := by[t.a]
		b, okB := by[t.b]
		if !okA || !okB {
			continue
		}
		var rules []string
		if a.name != "" && a.name == b.name && a.area != "" && a.area == b.area && (a.country == b.country || a.country == "" || b.country == "") {
			rules = append(rules, string(ByName))
		}
		if slices.ContainsFunc(numbers[t.a], func(x []byte) bool {
			return slices.ContainsFunc(numbers[t.b], func(y []byte) bool { return bytes.Equal(x, y) })
		}) {
			rules = append(rules, string(ByPhone))
		}
		if oneOwner(addresses[t.a], addresses[t.b], a.name != "" && a.name == b.name) {
			rules = append(rules, string(ByAddress))
		}
		out[t] = strings.Join(rules, ",")
	}
	return out, nil
}

// oneOwner reports whether confirmed addresses look like one person's.
func oneOwner(as, bs []string, sameName bool) bool {
	for _, a := range as {
		bareA, localA, domainA := split(a)
		for _, b := range bs {
			bareB, localB, domainB := split(b)
			if bareA == bareB && domainA == domainB || sameName && localA == localB {
				return true
			}
		}
	}
	return false
}

// Sweep empties what was kept of merges that cannot be taken back any more.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.clock.Now()
	return s.db.WithContext(ctx).Model(&models.Merge{}).Where("before_sealed IS NOT NULL AND (undo_until <= ? OR undone_at IS NOT NULL)", now).
		Update("before_sealed", nil).Error
}
