package duplicates

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/divisions"
	"kithline/campaigns/erasures"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
)

// columns are what a record says, as models.PersonalColumns lists it.
var columns = func() []string {
	var out []string
	for _, p := range models.PersonalColumns {
		if p.Table == "supporters" {
			out = append(out, p.Column)
		}
	}
	return out
}()

// record is one supporter with what was sealed in it opened, so that it can be sealed again for another row.
type record struct {
	Row   models.Supporter
	Plain map[string]string // by column
}

// sealedOf gives the sealed columns of a row, by name.
func sealedOf(p *models.Supporter) map[string]*[]byte {
	return map[string]*[]byte{
		"given_name_sealed": &p.GivenNameSealed, "family_name_sealed": &p.FamilyNameSealed, "phone_sealed": &p.PhoneSealed,
		"street_sealed": &p.StreetSealed, "city_sealed": &p.CitySealed,
	}
}

// clearOf gives the readable columns of a row, by name.
func clearOf(p *models.Supporter) map[string]*string {
	return map[string]*string{
		"postal_area": &p.PostalArea, "region": &p.Region, "country": &p.Country, "locale": &p.Locale, "time_zone": &p.TimeZone,
		"frequency": (*string)(&p.Frequency), "source": &p.Source,
	}
}

// open opens a row.
func (s *Service) open(p models.Supporter) (record, error) {
	r := record{Row: p, Plain: map[string]string{}}
	for col, b := range sealedOf(&r.Row) {
		text, err := s.vault.Open("supporters", col, p.ID, *b)
		if err != nil {
			return r, err
		}
		r.Plain[col], *b = text, nil
	}
	return r, nil
}

// close is the reverse of open, for the row of an id.
func (s *Service) close(r record, id uuid.UUID) models.Supporter {
	p := r.Row
	p.ID = id
	for col, b := range sealedOf(&p) {
		*b = s.vault.Seal("supporters", col, id, r.Plain[col])
	}
	return p
}

// text is a column's value as a text; a chapter's is its id.
func (r record) text(col string) string {
	if p, ok := clearOf(&r.Row)[col]; ok {
		return *p
	}
	if col == "chapter_id" {
		if r.Row.ChapterID == nil {
			return ""
		}
		return r.Row.ChapterID.String()
	}
	return r.Plain[col]
}

// set takes a column's value from another record.
func (r *record) set(col string, from record) {
	switch p, ok := clearOf(&r.Row)[col]; {
	case ok:
		*p = *clearOf(&from.Row)[col]
	case col == "chapter_id":
		r.Row.ChapterID = from.Row.ChapterID
	default:
		r.Plain[col] = from.Plain[col]
	}
}

// choose says whose value of a column stays: what only one record says stays, then the organizer's choice, then the older
// record's. Mail never comes more often than either record wanted, unless it is chosen so.
func choose(col, one, other string, choices map[string]string) string {
	if col == "frequency" {
		if c := choices[col]; c == ChooseOne || c == ChooseOther {
			return c
		}
		rare := []string{string(models.AsItComes), string(models.Weekly), string(models.Monthly), string(models.Important)}
		if slices.Index(rare, other) > slices.Index(rare, one) {
			return ChooseOther
		}
		return ChooseOne
	}
	switch {
	case one == "" && other != "":
		return ChooseOther
	case other == "" || col == "source" || choices[col] != ChooseOther:
		return ChooseOne
	}
	return ChooseOther
}

// snapshot is what is kept of a merge: enough to give both records back what they had.
type snapshot struct {
	Kept, Gone record                     // before
	After      record                     // the kept record, right after
	Tables     map[string]json.RawMessage // what each mover did
}

// merging is one merge at work.
type merging struct {
	*Service
	tx         *gorm.DB
	kept, gone uuid.UUID
	choices    map[string]string
	now        time.Time
}

// Merge makes one record of a pair: the older one stays. choices says, by the names of Show's Fields, whose value stays where both say
// something else; what is not chosen is the older record's. It returns the merge and the record that stayed. It needs the right
// actor.EditSupporters; the faults are NotFound, error.duplicate_unknown, and Conflict, error.duplicate_changed, where somebody else
// was faster.
func (s *Service) Merge(ctx context.Context, a actor.Actor, id uuid.UUID, choices map[string]string) (merge, kept uuid.UUID, err error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return uuid.Nil, uuid.Nil, err
	}
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		d, err := s.pair(ctx, tx, a, id)
		if err != nil {
			return err
		}
		people, err := hold(tx, d.AID, d.BID)
		if err != nil {
			return err
		}
		if len(people) != 2 || !chapters.May(a, people[0].ChapterID) || !chapters.May(a, people[1].ChapterID) {
			return fault.New(fault.Conflict, "error.duplicate_changed")
		}
		// Another organizer may have decided while we waited for the records.
		var still int64
		if err := tx.Model(&models.Duplicate{}).Where("id = ? AND state = 'open'", d.ID).Count(&still).Error; err != nil {
			return err
		}
		if still == 0 {
			return fault.New(fault.Conflict, "error.duplicate_changed")
		}
		m := merging{Service: s, tx: tx, kept: d.AID, gone: d.BID, choices: choices, now: s.clock.Now()}
		merge, kept = models.NewID(), d.AID
		return m.run(ctx, a, merge, people)
	})
	return merge, kept, err
}

// hold locks two records with their mailboxes, in the order in which everybody does, so that nothing is added to them meanwhile. It
// returns those that are there, by id.
func hold(tx *gorm.DB, one, other uuid.UUID) ([]models.Supporter, error) {
	lock, ids := clause.Locking{Strength: "UPDATE"}, []uuid.UUID{one, other}
	var boxes []models.Mailbox
	if err := tx.Clauses(lock).Select("id").Where("supporter_id IN ?", ids).Order("address_hash").Find(&boxes).Error; err != nil {
		return nil, err
	}
	var people []models.Supporter
	return people, tx.Clauses(lock).Where("id IN ?", ids).Order("id").Find(&people).Error
}

func (m *merging) run(ctx context.Context, a actor.Actor, id uuid.UUID, people []models.Supporter) error {
	snap := snapshot{Tables: map[string]json.RawMessage{}}
	var err error
	if snap.Kept, err = m.open(people[0]); err != nil {
		return err
	}
	if snap.Gone, err = m.open(people[1]); err != nil {
		return err
	}
	after := record{Row: snap.Kept.Row, Plain: map[string]string{}}
	for _, col := range columns {
		from := snap.Kept
		if choose(col, snap.Kept.text(col), snap.Gone.text(col), m.choices) == ChooseOther {
			from = snap.Gone
		}
		after.set(col, from)
	}
	after.Row.UpdatedAt = m.now
	snap.After = after
	row := m.close(after, m.kept)
	if err := m.tx.Select("*").UpdateColumns(&row).Error; err != nil {
		return err
	}
	for _, table := range tables {
		mv := movers[table]
		if mv == nil {
			return fmt.Errorf("duplicates: nobody moves the rows of %s", table)
		}
		did, err := mv.merge(m)
		if err != nil {
			return fmt.Errorf("duplicates: %s: %w", table, err)
		}
		if snap.Tables[table], err = json.Marshal(did); err != nil {
			return err
		}
	}
	// Merges that the other record kept are the kept record's now: they are taken back once this one was.
	if err := m.tx.Delete(&models.Supporter{ID: m.gone}).Error; err != nil {
		return err
	}
	if err := divisions.Place(ctx, m.tx, []uuid.UUID{m.kept}, m.now); err != nil {
		return err
	}
	if snap.Tables[divisionsTable], err = divisionsAfter(m, snap.Tables[divisionsTable]); err != nil {
		return err
	}
	before, err := json.Marshal(snap)
	if err != nil {
		return err
	}
	err = m.tx.Create(&models.Merge{
		ID: id, SupporterID: m.kept, GoneID: m.gone, BeforeSealed: m.vault.SealBytes("merges", "before_sealed", id[:], before), MergedBy: a.Account(),
		CreatedAt: m.now, UndoUntil: m.now.Add(Keep),
	}).Error
	clear(before)
	if err != nil {
		return err
	}
	database.Announce(m.tx, erasures.Topic) // whoever keeps names in memory looks again
	return audit.Write(ctx, m.tx, a, m.now, "supporter.merge", "supporters", m.kept, map[string]any{"gone": m.gone, "merge": id})
}

// leads lists the columns that lead to a supporter, beside those of the record itself: "table.column".
func leads() []string {
	var out []string
	for _, p := range models.PersonalColumns {
		if p.Column == "supporter_id" || p.Table != "supporters" && p.Owner == p.Column && strings.HasSuffix(p.Column, "_id") && isSupporter(p.Table, p.Column) {
			out = append(out, p.Table+"."+p.Column)
		}
	}
	return out
}

// isSupporter reports whether a column that is its own owner holds a supporter's id: the two of a pair do.
func isSupporter(table, column string) bool {
	return table == "duplicates" && (column == "a_id" || column == "b_id")
}

// tables are those that have such a column, in the order of the register. Each needs a mover.
var tables = func() []string {
	var out []string
	for _, l := range leads() {
		table, _, _ := strings.Cut(l, ".")
		if !slices.Contains(out, table) {
			out = append(out, table)
		}
	}
	return out
}()
