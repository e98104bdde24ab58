package duplicates

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm/clause"

	"kithline/campaigns/supporters"
	"kithline/models"
)

// mover moves the rows of one table from the record that goes to the one that stays, and back. What merge returns is kept as JSON,
// sealed, and given to undo.
type mover interface {
	merge(m *merging) (any, error)
	undo(m *merging, did json.RawMessage) error
}

// movers has one for each table that leads to a supporter; a test holds it to the register and to the schema.
var movers = map[string]mover{
	"mailboxes":       byID{"mailboxes"},
	"notes":           byID{"notes"},
	"merges":          byID{"merges"},
	"phones":          phoneMover{},
	"taggings":        linkMover{"taggings", "tag_id", true},
	"segment_members": linkMover{"segment_members", "segment_id", false},
	"field_values":    valueMover{},
	divisionsTable:    divisionMover{},
	"duplicates":      pairMover{},
	"series_people":   seriesMover{},
}

const divisionsTable = "supporter_divisions"

// byID moves rows that have an id and can be any number: whoever looks at them finds them with the record that stays.
type byID struct{ table string }

func (t byID) merge(m *merging) (any, error) {
	var ids []uuid.UUID
	if err := m.tx.Table(t.table).Where("supporter_id = ?", m.gone).Order("id").Pluck("id", &ids).Error; err != nil {
		return nil, err
	}
	return ids, m.tx.Table(t.table).Where("supporter_id = ?", m.gone).Update("supporter_id", m.kept).Error
}

func (t byID) undo(m *merging, did json.RawMessage) error {
	var ids []uuid.UUID
	if err := json.Unmarshal(did, &ids); err != nil {
		return err
	}
	for part := range slices.Chunk(ids, 500) {
		if err := m.tx.Table(t.table).Where("id IN ? AND supporter_id = ?", part, m.kept).Update("supporter_id", m.gone).Error; err != nil {
			return err
		}
	}
	return nil
}

// phoneMover moves telephone numbers. One that both records have stays once.
type phoneMover struct{}

type phoneDid struct {
	Moved   []uuid.UUID
	Dropped []droppedPhone
}

type droppedPhone struct {
	models.Phone
	Number string
}

func (phoneMover) merge(m *merging) (any, error) {
	var did phoneDid
	var mine, theirs []models.Phone
	if err := m.tx.Where("supporter_id = ?", m.kept).Find(&mine).Error; err != nil {
		return nil, err
	}
	if err := m.tx.Where("supporter_id = ?", m.gone).Order("id").Find(&theirs).Error; err != nil {
		return nil, err
	}
	for _, p := range theirs {
		if !slices.ContainsFunc(mine, func(x models.Phone) bool { return string(x.NumberHash) == string(p.NumberHash) }) {
			did.Moved = append(did.Moved, p.ID)
			continue
		}
		number, err := m.vault.Open("phones", "number_sealed", p.ID, p.NumberSealed)
		if err != nil {
			return nil, err
		}
		p.NumberSealed = nil
		did.Dropped = append(did.Dropped, droppedPhone{p, number})
		if err := m.tx.Delete(&models.Phone{ID: p.ID}).Error; err != nil {
			return nil, err
		}
	}
	return did, m.tx.Model(&models.Phone{}).Where("supporter_id = ?", m.gone).Update("supporter_id", m.kept).Error
}

func (phoneMover) undo(m *merging, raw json.RawMessage) error {
	var did phoneDid
	if err := json.Unmarshal(raw, &did); err != nil {
		return err
	}
	if len(did.Moved) > 0 {
		err := m.tx.Model(&models.Phone{}).Where("id IN ? AND supporter_id = ?", did.Moved, m.kept).Update("supporter_id", m.gone).Error
		if err != nil {
			return err
		}
	}
	for _, d := range did.Dropped {
		// A number that was taken off the one record meanwhile was meant for both.
		var there int64
		if err := m.tx.Model(&models.Phone{}).Where("supporter_id = ? AND number_hash = ?", m.kept, d.NumberHash).Count(&there).Error; err != nil {
			return err
		}
		if there == 0 {
			continue
		}
		d.Phone.NumberSealed = m.vault.Seal("phones", "number_sealed", d.Phone.ID, d.Number)
		if err := m.tx.Create(&d.Phone).Error; err != nil {
			return err
		}
	}
	return nil
}

// linkMover moves rows that only say that a record belongs to something: tags, the people of a frozen segment.
type linkMover struct {
	table, to string
	dated     bool // the rows have created_at
}

type link struct {
	To        uuid.UUID
	CreatedAt time.Time
	Moved     bool // the kept record did not have it
}

func (t linkMover) merge(m *merging) (any, error) {
	fields := t.to + ` AS "to"`
	if t.dated {
		fields += ", created_at"
	}
	var did []link
	if err := m.tx.Table(t.table).Select(fields).Where("supporter_id = ?", m.gone).Order(t.to).Scan(&did).Error; err != nil {
		return nil, err
	}
	var mine []uuid.UUID
	if err := m.tx.Table(t.table).Where("supporter_id = ?", m.kept).Pluck(t.to, &mine).Error; err != nil {
		return nil, err
	}
	var move []uuid.UUID
	for i, l := range did {
		if did[i].Moved = !slices.Contains(mine, l.To); did[i].Moved {
			move = append(move, l.To)
		}
	}
	for part := range slices.Chunk(move, 500) {
		if err := m.tx.Table(t.table).Where("supporter_id = ? AND "+t.to+" IN ?", m.gone, part).Update("supporter_id", m.kept).Error; err != nil {
			return nil, err
		}
	}
	return did, m.tx.Exec("DELETE FROM "+t.table+" WHERE supporter_id = ?", m.gone).Error
}

func (t linkMover) undo(m *merging, raw json.RawMessage) error {
	var did []link
	if err := json.Unmarshal(raw, &did); err != nil {
		return err
	}
	for _, l := range did {
		// What was taken off the one record meanwhile was meant for both.
		var there int64
		if err := m.tx.Table(t.table).Where("supporter_id = ? AND "+t.to+" = ?", m.kept, l.To).Count(&there).Error; err != nil {
			return err
		}
		if there == 0 {
			continue
		}
		if l.Moved {
			if err := m.tx.Table(t.table).Where("supporter_id = ? AND "+t.to+" = ?", m.kept, l.To).Update("supporter_id", m.gone).Error; err != nil {
				return err
			}
			continue
		}
		row := map[string]any{"supporter_id": m.gone, t.to: l.To}
		if t.dated {
			row["created_at"] = l.CreatedAt
		}
		if err := m.tx.Table(t.table).Create(row).Error; err != nil {
			return err
		}
	}
	return nil
}

// valueMover moves the answers to custom fields. Where both answered, the organizer chose; the answer that goes is kept for undoing.
type valueMover struct{}

// value is one answer, with what was sealed in it opened.
type value struct {
	models.FieldValue
	Plain string
}

type valueDid struct{ Kept, Gone, After []value }

func valueKey(supporter, field uuid.UUID) []byte {
	return append(append(make([]byte, 0, 32), supporter[:]...), field[:]...)
}

func (m *merging) values(of uuid.UUID) ([]value, error) {
	var rows []models.FieldValue
	if err := m.tx.Where("supporter_id = ?", of).Order("field_id").Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make([]value, len(rows))
	for i, r := range rows {
		plain, err := m.vault.OpenBytes("field_values", "value_sealed", valueKey(of, r.FieldID), r.ValueSealed)
		if err != nil {
			return nil, err
		}
		r.ValueSealed = nil
		out[i] = value{r, string(plain)}
	}
	return out, nil
}

// write writes an answer for a record, over the one that is there.
func (m *merging) write(v value, of uuid.UUID) error {
	row := v.FieldValue
	row.SupporterID = of
	row.ValueSealed = m.vault.SealBytes("field_values", "value_sealed", valueKey(of, row.FieldID), []byte(v.Plain))
	return m.tx.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "supporter_id"}, {Name: "field_id"}}, DoUpdates: clause.AssignmentColumns([]string{"text_value", "number_value", "value_sealed", "updated_at"}),
	}).Create(&row).Error
}

func valueIn(list []value, field uuid.UUID) *value {
	if i := slices.IndexFunc(list, func(v value) bool { return v.FieldID == field }); i >= 0 {
		return &list[i]
	}
	return nil
}

// same reports whether two answers say the same; nil is none.
func (v *value) same(w *value) bool {
	return v == nil && w == nil || v != nil && w != nil && v.TextValue == w.TextValue && v.Plain == w.Plain && v.UpdatedAt.Equal(w.UpdatedAt)
}

func (valueMover) merge(m *merging) (any, error) {
	var did valueDid
	var err error
	if did.Kept, err = m.values(m.kept); err != nil {
		return nil, err
	}
	if did.Gone, err = m.values(m.gone); err != nil {
		return nil, err
	}
	for _, v := range did.Gone {
		if valueIn(did.Kept, v.FieldID) != nil && m.choices[supporters.FieldInputName(v.FieldID)] != ChooseOther {
			continue
		}
		if err := m.write(v, m.kept); err != nil {
			return nil, err
		}
	}
	if err := m.tx.Where("supporter_id = ?", m.gone).Delete(&models.FieldValue{}).Error; err != nil {
		return nil, err
	}
	did.After, err = m.values(m.kept)
	return did, err
}

func (valueMover) undo(m *merging, raw json.RawMessage) error {
	var did valueDid
	if err := json.Unmarshal(raw, &did); err != nil {
		return err
	}
	is, err := m.values(m.kept)
	if err != nil {
		return err
	}
	for _, after := range did.After {
		now, before, theirs := valueIn(is, after.FieldID), valueIn(did.Kept, after.FieldID), valueIn(did.Gone, after.FieldID)
		if now == nil {
			continue // taken off meanwhile: that was meant for both
		}
		if theirs != nil {
			if err := m.write(*theirs, m.gone); err != nil {
				return err
			}
		}
		switch {
		case !now.same(&after):
			continue // what came later stays
		case before == nil:
			err = m.tx.Where("supporter_id = ? AND field_id = ?", m.kept, after.FieldID).Delete(&models.FieldValue{}).Error
		case !before.same(&after):
			err = m.write(*before, m.kept)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// divisionMover moves where people live: of two answers of a kind the one that is known better stays.
type divisionMover struct{}

type divisionDid struct{ Kept, Gone, After []models.SupporterDivision }

func (m *merging) divisions(of uuid.UUID) (rows []models.SupporterDivision, err error) {
	return rows, m.tx.Where("supporter_id = ?", of).Order("kind").Find(&rows).Error
}

func divisionIn(list []models.SupporterDivision, k models.DivisionKind) *models.SupporterDivision {
	if i := slices.IndexFunc(list, func(d models.SupporterDivision) bool { return d.Kind == k }); i >= 0 {
		return &list[i]
	}
	return nil
}

func (m *merging) writeDivision(d models.SupporterDivision, of uuid.UUID) error {
	d.SupporterID = of
	return m.tx.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "supporter_id"}, {Name: "kind"}}, DoUpdates: clause.AssignmentColumns([]string{"division_id", "how", "version", "updated_at"}),
	}).Create(&d).Error
}

// known says how well each way tells where somebody lives.
var known = []models.DivisionHow{models.ByPostal, models.ByPoint, models.ByPerson, models.ByHand}

func (divisionMover) merge(m *merging) (any, error) {
	var did divisionDid
	var err error
	if did.Kept, err = m.divisions(m.kept); err != nil {
		return nil, err
	}
	if did.Gone, err = m.divisions(m.gone); err != nil {
		return nil, err
	}
	for _, d := range did.Gone {
		if mine := divisionIn(did.Kept, d.Kind); mine != nil && slices.Index(known, mine.How) >= slices.Index(known, d.How) {
			continue
		}
		if err := m.writeDivision(d, m.kept); err != nil {
			return nil, err
		}
	}
	return did, m.tx.Where("supporter_id = ?", m.gone).Delete(&models.SupporterDivision{}).Error
}

// divisionsAfter notes where the kept record lives once its postal code was looked up again.
func divisionsAfter(m *merging, raw json.RawMessage) (json.RawMessage, error) {
	var did divisionDid
	if err := json.Unmarshal(raw, &did); err != nil {
		return nil, err
	}
	var err error
	if did.After, err = m.divisions(m.kept); err != nil {
		return nil, err
	}
	return json.Marshal(did)
}

func (divisionMover) undo(m *merging, raw json.RawMessage) error {
	var did divisionDid
	if err := json.Unmarshal(raw, &did); err != nil {
		return err
	}
	is, err := m.divisions(m.kept)
	if err != nil {
		return err
	}
	same := func(a, b *models.SupporterDivision) bool {
		return a == nil && b == nil || a != nil && b != nil && a.DivisionID == b.DivisionID && a.How == b.How && a.Version == b.Version
	}
	kinds := map[models.DivisionKind]bool{}
	for _, list := range [][]models.SupporterDivision{did.Kept, did.After} {
		for _, d := range list {
			kinds[d.Kind] = true
		}
	}
	for k := range kinds {
		if !same(divisionIn(is, k), divisionIn(did.After, k)) {
			continue // what came later stays
		}
		if before := divisionIn(did.Kept, k); before != nil {
			err = m.writeDivision(*before, m.kept)
		} else {
			err = m.tx.Where("supporter_id = ? AND kind = ?", m.kept, k).Delete(&models.SupporterDivision{}).Error
		}
		if err != nil {
			return err
		}
	}
	for _, d := range did.Gone {
		if err := m.writeDivision(d, m.gone); err != nil {
			return err
		}
	}
	return nil
}

// pairMover moves what was found and decided about the record that goes and third ones. The pair itself goes.
type pairMover struct{}

// pairsDid are the rows as they were; those in Moved are the kept record's now, under the same id.
type pairsDid struct {
	Gone  []models.Duplicate
	Moved []uuid.UUID
}

func (pairMover) merge(m *merging) (any, error) {
	var did pairsDid
	if err := m.tx.Where("a_id = ? OR b_id = ?", m.gone, m.gone).Order("id").Find(&did.Gone).Error; err != nil {
		return nil, err
	}
	for _, d := range did.Gone {
		if err := m.tx.Delete(&models.Duplicate{ID: d.ID}).Error; err != nil {
			return nil, err
		}
		third := d.AID
		if third == m.gone {
			third = d.BID
		}
		if third == m.kept {
			continue
		}
		row, t := d, pairOf(m.kept, third)
		row.AID, row.BID = t.a, t.b
		res := m.tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "a_id"}, {Name: "b_id"}}, DoNothing: true}).Create(&row)
		if res.Error != nil {
			return nil, res.Error
		}
		if res.RowsAffected > 0 {
			did.Moved = append(did.Moved, d.ID)
		}
	}
	return did, nil
}

func (pairMover) undo(m *merging, raw json.RawMessage) error {
	var did pairsDid
	if err := json.Unmarshal(raw, &did); err != nil {
		return err
	}
	decided := map[uuid.UUID]models.Duplicate{}
	if len(did.Moved) > 0 {
		var rows []models.Duplicate
		if err := m.tx.Where("id IN ?", did.Moved).Find(&rows).Error; err != nil {
			return err
		}
		for _, d := range rows {
			decided[d.ID] = d
		}
		if err := m.tx.Where("id IN ?", did.Moved).Delete(&models.Duplicate{}).Error; err != nil {
			return err
		}
	}
	for _, d := range did.Gone {
		if now := decided[d.ID]; now.State == models.DuplicateDifferent {
			// Who is somebody else than both together is somebody else than each.
			d.State, d.DecidedBy, d.UpdatedAt = now.State, now.DecidedBy, now.UpdatedAt
		}
		var there int64 // the third one may be erased by now, or one with another
		if err := m.tx.Model(&models.Supporter{}).Where("id IN ?", []uuid.UUID{d.AID, d.BID}).Count(&there).Error; err != nil {
			return err
		}
		if there < 2 {
			continue
		}
		if err := m.tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&d).Error; err != nil {
			return err
		}
	}
	return nil
}
