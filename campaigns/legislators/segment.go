package legislators

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/segments"
)

// maxListed is how many legislators the list of a condition has.
const maxListed = 500

// Condition is the one of segments that holds for whoever a legislator represents beyond doubt.
func Condition() segments.Kind {
	return segments.Kind{
		Name: "represented", Topic: "place",
		Fields: []segments.Field{{Name: "legislator", Type: segments.Choice, Choices: &segments.Choices{List: listed, Label: labelled}}},
		Compile: func(c *segments.Compiler, v segments.Values) (segments.Part, error) {
			id, err := uuid.Parse(v["legislator"])
			if err != nil {
				return segments.Part{Row: "1 = 0"}, nil
			}
			p, err := pairs(c.TX, "t.legislator_id = ?", []any{id}, c.Now)
			return segments.Part{Set: "SELECT r.supporter_id FROM (" + p.sql + ") r", Args: p.args}, err
		},
	}
}

// listed are those in a seat for whom it matters: of whole states, and of divisions that a supporter lives in.
func listed(ctx context.Context, tx *gorm.DB, _ actor.Actor) ([]segments.Option, error) {
	today := day(tx.NowFunc())
	var rows []namedSeat
	err := tx.WithContext(ctx).Raw(`SELECT DISTINCT l.id, l.name, t.district, c.name AS chamber, l.family_name FROM legislators l JOIN terms t ON t.legislator_id = l.id JOIN chambers c ON c.id = t.chamber_id
		WHERE `+inForce+` AND t.ocd_id <> '' AND (c.division_kind IN ('', 'state') OR EXISTS (SELECT 1 FROM supporter_divisions x WHERE x.division_id = t.division_id))
		ORDER BY l.family_name, l.name, l.id LIMIT ?`, today, today, maxListed).Scan(&rows).Error
	out := make([]segments.Option, len(rows))
	for i, r := range rows {
		out[i] = segments.Option{Value: r.ID.String(), Label: r.label()}
	}
	return out, err
}

type namedSeat struct {
	ID                      uuid.UUID
	Name, District, Chamber string
}

func (n namedSeat) label() string {
	if n.District == "" {
		return n.Name + " (" + n.Chamber + ")"
	}
	return n.Name + " (" + n.Chamber + ", " + n.District + ")"
}

// labelled names a legislator of a condition, whether in a seat or not.
func labelled(ctx context.Context, tx *gorm.DB, _ actor.Actor, value string) (string, bool, error) {
	id, err := uuid.Parse(value)
	if err != nil {
		return "", false, nil
	}
	var names []string
	err = tx.WithContext(ctx).Table("legislators").Where("id = ?", id).Pluck("name", &names).Error
	if len(names) == 0 {
		return "", false, err
	}
	return names[0], true, err
}
