package petitions

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	"gorm.io/gorm"

	"kithline/models"
	"kithline/models/database"
)

// hourForm is how the name of a tally says an hour, in UTC.
const hourForm = "2006-01-02T15"

// tallyMove is by how much one tally of a petition moves: how many forms were taken, which never falls, and how many of them
// began to count (below zero: count no more).
type tallyMove struct {
	Petition          uuid.UUID
	Kind              models.TallyKind
	Name              string
	Signed, Confirmed int
}

// tally moves tallies in tx, as many as there are, in one statement. Moves of the same tally are added up, and the rows are
// taken in one order. Call it in the transaction that moves what is counted, after count, which holds the petitions: then no two
// transactions wait for each other.
func tally(ctx context.Context, tx *gorm.DB, moves []tallyMove) error {
	moves = folded(moves)
	if len(moves) == 0 {
		return nil
	}
	tx = tx.WithContext(ctx)
	const into = "INSERT INTO petition_tallies (petition_id, kind, name, signed, confirmed) "
	const move = " ON CONFLICT (petition_id, kind, name) DO UPDATE SET signed = petition_tallies.signed + excluded.signed, confirmed = petition_tallies.confirmed + excluded.confirmed"
	pool := tx.Statement.ConnPool
	if database.IsPostgres(tx) {
		n := len(moves)
		ids, kinds, names := make(pgtype.FlatArray[pgtype.UUID], n), make(pgtype.FlatArray[string], n), make(pgtype.FlatArray[string], n)
		signed, confirmed := make(pgtype.FlatArray[int64], n), make(pgtype.FlatArray[int64], n)
		for i, m := range moves {
			ids[i] = pgtype.UUID{Bytes: m.Petition, Valid: true}
			kinds[i], names[i], signed[i], confirmed[i] = string(m.Kind), m.Name, int64(m.Signed), int64(m.Confirmed)
		}
		_, err := pool.ExecContext(ctx, into+"SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])"+move, ids, kinds, names, signed, confirmed)
		return err
	}
	for part := range slices.Chunk(moves, 500) {
		args := make([]any, 0, 5*len(part))
		for _, m := range part {
			args = append(args, m.Petition, string(m.Kind), m.Name, m.Signed, m.Confirmed)
		}
		if _, err := pool.ExecContext(ctx, into+"VALUES (?, ?, ?, ?, ?)"+strings.Repeat(", (?, ?, ?, ?, ?)", len(part)-1)+move, args...); err != nil {
			return err
		}
	}
	return nil
}

// folded adds up moves of the same tally, leaves out those that move nothing, and sorts them.
func folded(moves []tallyMove) []tallyMove {
	type key struct {
		petition uuid.UUID
		kind     models.TallyKind
		name     string
	}
	at := make(map[key]int, len(moves))
	out := make([]tallyMove, 0, len(moves))
	for _, m := range moves {
		k := key{m.Petition, m.Kind, m.Name}
		if i, ok := at[k]; ok {
			out[i].Signed += m.Signed
			out[i].Confirmed += m.Confirmed
			continue
		}
		at[k] = len(out)
		out = append(out, m)
	}
	out = slices.DeleteFunc(out, func(m tallyMove) bool { return m.Signed == 0 && m.Confirmed == 0 })
	slices.SortFunc(out, func(a, b tallyMove) int {
		return cmp.Or(slices.Compare(a.Petition[:], b.Petition[:]), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// talliesOf appends to moves what one signature moves: by signed as a form that was taken, by confirmed as one that counts. role is
// what it says about the signer, "" while that is sealed.
func talliesOf(moves []tallyMove, sig models.Signature, role models.Role, signed, confirmed int) []tallyMove {
	p := sig.PetitionID
	if signed != 0 {
		moves = append(moves, tallyMove{p, models.TallyHour, hourOf(sig.CreatedAt), signed, 0})
	}
	if confirmed != 0 && sig.ConfirmedAt != nil {
		moves = append(moves, tallyMove{p, models.TallyHour, hourOf(*sig.ConfirmedAt), 0, confirmed})
	}
	moves = append(moves, tallyMove{p, models.TallySource, sig.Source, signed, confirmed}, tallyMove{p, models.TallyPlace, sig.PostalArea, signed, confirmed})
	if role != models.RoleNone {
		moves = append(moves, tallyMove{p, models.TallyRole, string(role), 0, confirmed})
	}
	if sig.RecruitedBy != nil {
		moves = append(moves, tallyMove{p, models.TallyRecruited, "", signed, confirmed})
	}
	return moves
}

func hourOf(t time.Time) string { return t.UTC().Format(hourForm) }

// Tallies reads the counts of a petition by one kind, sorted by name. It checks no rights.
func Tallies(ctx context.Context, tx *gorm.DB, petition uuid.UUID, kind models.TallyKind) ([]models.PetitionTally, error) {
	var rows []models.PetitionTally
	err := tx.WithContext(ctx).Where("petition_id = ? AND kind = ?", petition, kind).Order("name").Find(&rows).Error
	return rows, err
}

// countedBy are the SELECTs that count what tallies should say, apart from roles, which are sealed: petition_id is the only value.
func countedBy(postgres bool) map[models.TallyKind]string {
	hour := func(column string) string {
		if postgres {
			return "to_char(" + column + ` AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24')`
		}
		return "replace(substr(" + column + ", 1, 13), ' ', 'T')"
	}
	by := func(name, where string) string {
		return "SELECT " + name + " AS name, COUNT(*) AS signed, COUNT(CASE WHEN state = 'confirmed' THEN 1 END) AS confirmed FROM signatures WHERE petition_id = ?" + where + " GROUP BY 1"
	}
	return map[models.TallyKind]string{
		models.TallySource: by("source", ""), models.TallyPlace: by("postal_area", ""), models.TallyRecruited: by("''", " AND recruited_by IS NOT NULL"),
		models.TallyHour: "SELECT name, SUM(signed) AS signed, SUM(confirmed) AS confirmed FROM (SELECT " + hour("created_at") + " AS name, COUNT(*) AS signed, 0 AS confirmed FROM signatures WHERE petition_id = ? GROUP BY 1 UNION ALL SELECT " +
			hour("confirmed_at") + " AS name, 0 AS signed, COUNT(*) AS confirmed FROM signatures WHERE petition_id = ? AND state = 'confirmed' AND confirmed_at IS NOT NULL GROUP BY 1) AS h GROUP BY name",
	}
}

// recountTallies repairs the tallies of a petition in tx, whose row the caller holds, and returns the kinds that were wrong. What
// counts now is made to fit exactly; the number of forms that were taken only where there are more signatures than that, since those
// that were never confirmed are deleted. Roles are sealed and stay as they are.
func recountTallies(ctx context.Context, tx *gorm.DB, petition uuid.UUID) (wrong []models.TallyKind, err error) {
	tx = tx.WithContext(ctx)
	for kind, query := range countedBy(database.IsPostgres(tx)) {
		kept, err := Tallies(ctx, tx, petition, kind)
		if err != nil {
			return nil, err
		}
		var counted []models.PetitionTally
		args := []any{petition, petition}
		if err := tx.Raw(query, args[:strings.Count(query, "?")]...).Scan(&counted).Error; err != nil {
			return nil, err
		}
		is := make(map[string]models.PetitionTally, len(kept))
		for _, k := range kept {
			is[k.Name] = k
		}
		var moves []tallyMove
		for _, c := range counted {
			k := is[c.Name]
			delete(is, c.Name)
			moves = append(moves, tallyMove{petition, kind, c.Name, max(0, c.Signed-k.Signed), c.Confirmed - k.Confirmed})
		}
		for _, k := range is {
			moves = append(moves, tallyMove{petition, kind, k.Name, max(0, -k.Signed), -k.Confirmed})
		}
		if moves = folded(moves); len(moves) == 0 {
			continue
		}
		wrong = append(wrong, kind)
		if err := tally(ctx, tx, moves); err != nil {
			return nil, err
		}
	}
	slices.Sort(wrong)
	return wrong, nil
}
