package legislators

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/divisions"
	"kithline/campaigns/fault"
)

// ChamberChoice is a chamber in a list.
type ChamberChoice struct {
	ID                 uuid.UUID
	Name, Jurisdiction string
}

// Covered is a place that elects members of a chamber, who they are, and how many supporters live there beyond doubt.
type Covered struct {
	OCDID, Place string
	Members      []string // nobody: the seat is vacant
	Supporters   divisions.Shown
}

// Coverage is the places of a chamber, with the supporters of each.
type Coverage struct {
	Bodies  []ChamberChoice
	Chamber uuid.UUID // uuid.Nil where there is none
	Rows    []Covered
}

// Coverage counts the supporters whom the members of a chamber represent, of the actor's chapter where there is one, by place; small
// counts are hidden as divisions.Hide says. uuid.Nil is the first chamber. It needs the right actor.SeeFigures; the fault is
// NotFound, error.not_found, for a chamber that is not there.
func (s *Service) Coverage(ctx context.Context, a actor.Actor, chamber uuid.UUID) (Coverage, error) {
	var out Coverage
	if err := a.Need(actor.SeeFigures); err != nil {
		return out, err
	}
	tx, now := s.DB.WithContext(ctx), s.Clock.Now()
	err := tx.Raw(`SELECT c.id, c.name, j.name AS jurisdiction FROM chambers c JOIN jurisdictions j ON j.id = c.jurisdiction_id
		WHERE EXISTS (SELECT 1 FROM terms t WHERE t.chamber_id = c.id) ORDER BY j.country, j.region, j.name, c.name`).Scan(&out.Bodies).Error
	if err != nil || len(out.Bodies) == 0 {
		return out, err
	}
	if out.Chamber = chamber; chamber == uuid.Nil {
		out.Chamber = out.Bodies[0].ID
	}
	if !slices.ContainsFunc(out.Bodies, func(b ChamberChoice) bool { return b.ID == out.Chamber }) {
		return out, fault.New(fault.NotFound, "error.not_found")
	}
	var seats []struct {
		LegislatorID                    uuid.UUID
		OCDID                           string `gorm:"column:ocd_id"`
		Name, FamilyName, District, Row string
	}
	today := day(now)
	err = tx.Raw(`SELECT t.legislator_id, t.ocd_id, l.name, l.family_name, t.district, COALESCE(d.name, '') AS row FROM terms t JOIN legislators l ON l.id = t.legislator_id
		LEFT JOIN divisions d ON d.id = t.division_id WHERE `+inForce+` AND t.chamber_id = ? ORDER BY l.family_name, l.name`, today, today, out.Chamber).Scan(&seats).Error
	if err != nil {
		return out, err
	}
	counted, err := s.represented(tx, a, out.Chamber)
	if err != nil {
		return out, err
	}
	at, counts := map[string]int{}, []int{}
	for _, x := range seats {
		i, ok := at[x.OCDID]
		if !ok {
			i = len(out.Rows)
			at[x.OCDID] = i
			out.Rows, counts = append(out.Rows, Covered{OCDID: x.OCDID, Place: cmp.Or(x.Row, x.District, x.OCDID)}), append(counts, counted[x.LegislatorID])
		}
		out.Rows[i].Members = append(out.Rows[i].Members, x.Name)
	}
	vacant, err := s.vacant(tx, a, out.Chamber, at)
	if err != nil {
		return out, err
	}
	for _, v := range vacant {
		out.Rows, counts = append(out.Rows, Covered{OCDID: v.OCDID, Place: v.Name}), append(counts, v.N)
	}
	for i, n := range divisions.Hide(counts) {
		out.Rows[i].Supporters = n
	}
	slices.SortStableFunc(out.Rows, func(x, y Covered) int { return divisions.CompareIDs(x.OCDID, y.OCDID) })
	return out, nil
}

// represented counts supporters by who represents them in a chamber.
func (s *Service) represented(tx *gorm.DB, a actor.Actor, chamber uuid.UUID) (map[uuid.UUID]int, error) {
	p, err := pairs(tx, "t.chamber_id = ?", []any{chamber}, s.Clock.Now())
	if err != nil {
		return nil, err
	}
	q := tx.Table("(?) r", tx.Session(&gorm.Session{NewDB: true}).Raw(p.sql, p.args...)).Select("r.legislator_id, COUNT(*) AS n")
	if a.Chapter() != nil {
		q = q.Joins("JOIN supporters ON supporters.id = r.supporter_id").Scopes(chapters.Scope(a, "supporters.chapter_id"))
	}
	var rows []struct {
		LegislatorID uuid.UUID
		N            int
	}
	if err := q.Group("r.legislator_id").Scan(&rows).Error; err != nil {
		return nil, err
	}
	out := map[uuid.UUID]int{}
	for _, r := range rows {
		out[r.LegislatorID] = r.N
	}
	return out, nil
}

type vacancy struct {
	ID    uuid.UUID
	OCDID string `gorm:"column:ocd_id"`
	Name  string
	N     int
}

// vacant lists the divisions that should have a member in a chamber and have none, with the supporters who live there. taken are those
// with one. Where the chamber was not read from a list of all its members, nobody knows.
func (s *Service) vacant(tx *gorm.DB, a actor.Actor, chamber uuid.UUID, taken map[string]int) ([]vacancy, error) {
	whole, err := complete(tx, chamber, s.Clock.Now())
	if err != nil || !whole {
		return nil, err
	}
	var rows []vacancy
	today := day(s.Clock.Now())
	err = tx.Raw(`SELECT d.id, d.ocd_id, d.name FROM divisions d JOIN chambers c ON c.id = ? AND c.division_kind = d.kind JOIN jurisdictions j ON j.id = c.jurisdiction_id
		AND j.country = d.country AND (j.region = '' OR j.region = d.region) WHERE d.kind <> '' AND `+validDivision+`
		AND NOT EXISTS (SELECT 1 FROM terms t WHERE t.division_id = d.id AND t.chamber_id = c.id AND `+inForce+`)`, chamber, today, today, today, today).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	rows = slices.DeleteFunc(rows, func(v vacancy) bool { _, has := taken[v.OCDID]; return has })
	for part := range slices.Chunk(rows, 500) {
		by, ids := map[uuid.UUID]*vacancy{}, []uuid.UUID{}
		for i := range part {
			by[part[i].ID] = &part[i]
			ids = append(ids, part[i].ID)
		}
		q := tx.Table("supporter_divisions x").Select("x.division_id AS id, COUNT(*) AS n").Where("x.division_id IN ?", ids)
		if a.Chapter() != nil {
			q = q.Joins("JOIN supporters ON supporters.id = x.supporter_id").Scopes(chapters.Scope(a, "supporters.chapter_id"))
		}
		var counted []vacancy
		if err := q.Group("x.division_id").Scan(&counted).Error; err != nil {
			return nil, err
		}
		for _, c := range counted {
			by[c.ID].N = c.N
		}
	}
	return rows, nil
}

// PlaceState is the state that an id of a whole state means: NC; "" for any other division.
func PlaceState(ocdID string) string {
	parts := strings.Split(ocdID, "/")
	if len(parts) != 3 {
		return ""
	}
	_, region, _ := strings.Cut(parts[2], ":")
	return strings.ToUpper(region)
}
