package erasures

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"kithline/campaigns/deliveries"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/tables"
)

// chunk is how many ids stand in one statement.
const chunk = 500

// Forgotten counts what Forget did.
type Forgotten struct {
	Signatures int // that lost their name
	Mails      int // that waited and do not go
	Accounts   int // mailboxes that stay, because somebody signs in with them
}

// Forget applies what models.PersonalColumns says about erasing to records and mailboxes, in tx: rows go, columns are emptied,
// links are cut. Mailboxes of the records that are not named stay, without a record. A mailbox of an account stays for the
// account alone. Forget remembers nobody: EraseIn does, and campaigns/retention calls it for those whose time is over.
// Whoever calls it holds the mailboxes.
func Forget(ctx context.Context, tx *gorm.DB, supporters, mailboxes []uuid.UUID, now time.Time) (Forgotten, error) {
	var done Forgotten
	tx = tx.WithContext(ctx)
	plan, err := planFor(ctx, tx)
	if err != nil {
		return done, err
	}
	if done.Mails, err = deliveries.Drop(ctx, tx, mailboxes, now); err != nil {
		return done, err
	}
	going := make([]uuid.UUID, 0, len(mailboxes)) // those whose row goes
	for ids := range slices.Chunk(mailboxes, chunk) {
		var n int64
		if err := tx.Model(&models.Signature{}).Where("mailbox_id IN ? AND state = ?", ids, models.SignatureConfirmed).Count(&n).Error; err != nil {
			return done, err
		}
		done.Signatures += int(n)
		var accounts []uuid.UUID
		if err := tx.Model(&models.User{}).Where("mailbox_id IN ?", ids).Pluck("mailbox_id", &accounts).Error; err != nil {
			return done, err
		}
		for _, id := range ids {
			if !slices.Contains(accounts, id) {
				going = append(going, id)
			}
		}
		if len(accounts) == 0 {
			continue
		}
		done.Accounts += len(accounts)
		// For a list of erasures that is replayed, the address begins anew: what is given from now on is not what was erased.
		err := tx.Model(&models.Mailbox{}).Where("id IN ?", accounts).
			Updates(map[string]any{"supporter_id": nil, "paused_until": nil, "created_at": now.Add(time.Microsecond), "updated_at": now}).Error
		if err != nil {
			return done, err
		}
	}
	for _, step := range plan {
		ids := mailboxes
		switch {
		case step.table == "mailboxes":
			ids = going
		case step.whose == models.OfSupporter:
			ids = supporters
		}
		if step.table == "supporters" {
			for part := range slices.Chunk(supporters, chunk) {
				if err := tx.Model(&models.Mailbox{}).Where("supporter_id IN ?", part).Updates(map[string]any{"supporter_id": nil, "updated_at": now}).Error; err != nil {
					return done, err
				}
			}
		}
		for part := range slices.Chunk(ids, chunk) {
			if err := tx.Exec(step.statement(), part).Error; err != nil {
				return done, fmt.Errorf("erasures: %s: %w", step.table, err)
			}
		}
	}
	database.Announce(tx, Topic)
	return done, nil
}

// Strip does to some rows of a table what erasing the mailbox behind them would do: it empties their personal columns and cuts
// the link, all in one UPDATE. except names columns that stay. where picks the rows. It is for rows whose count stays when the
// time of the names is over. It returns how many rows there were.
func Strip(ctx context.Context, tx *gorm.DB, table string, except []string, where string, args ...any) (int64, error) {
	for _, step := range steps() {
		if step.table != table || step.whose != models.OfMailbox || step.err != nil || step.gone {
			continue
		}
		step.set = slices.DeleteFunc(slices.Clone(step.set), func(s string) bool {
			column, _, _ := strings.Cut(s, " = ")
			return slices.Contains(except, column)
		})
		r := tx.WithContext(ctx).Exec("UPDATE "+table+" SET "+strings.Join(step.set, ", ")+" WHERE "+where, args...)
		return r.RowsAffected, r.Error
	}
	return 0, fmt.Errorf("erasures: no rows of %s stay without their mailbox", table)
}

// step is what happens to the rows of one table that one column leads to.
type step struct {
	table, owner string
	whose        models.Whose
	gone         bool     // the rows go
	set          []string // else: the assignments
	err          error
}

func (s step) statement() string {
	if s.gone {
		return "DELETE FROM " + s.table + " WHERE " + s.owner + " IN ?"
	}
	return "UPDATE " + s.table + " SET " + strings.Join(s.set, ", ") + " WHERE " + s.owner + " IN ?"
}

// steps makes the register of personal columns into steps, in no order.
var steps = sync.OnceValue(func() []step { return stepsOf(models.PersonalColumns) })

func stepsOf(register []models.Personal) []step {
	empty, err := empties()
	var out []step
	for _, p := range register {
		whose := p.Whose()
		at := slices.IndexFunc(out, func(s step) bool { return s.table == p.Table && s.owner == p.Owner })
		if at < 0 {
			at = len(out)
			out = append(out, step{table: p.Table, owner: p.Owner, whose: whose, err: err})
		}
		s := &out[at]
		value, known := empty[p.Table+"."+p.Column]
		ours := whose == models.OfMailbox || whose == models.OfSupporter
		switch {
		case whose == "" || !known:
			s.err = fmt.Errorf("erasures: nobody said whose %s.%s is", p.Table, p.Column)
		case !ours && slices.Contains([]models.OnErase{models.ByOwner, models.ByExpiry, models.KeyedOnly, models.Stays}, p.OnErase):
		case ours && p.OnErase == models.RowGoes:
			s.gone = true
		case ours && p.OnErase == models.Emptied:
			s.set = append(s.set, p.Column+" = "+value)
		case ours && p.OnErase == models.Detached:
			s.set = append(s.set, p.Column+" = NULL")
		case ours && p.OnErase == models.Stays:
		default:
			s.err = fmt.Errorf("erasures: nobody knows how %s.%s of a %s is erased by %q", p.Table, p.Column, whose, p.OnErase)
		}
	}
	return slices.DeleteFunc(out, func(s step) bool { return s.err == nil && !s.gone && len(s.set) == 0 })
}

// empties says by table and column what an empty value is: NULL, or the empty text where a column is never NULL.
func empties() (map[string]string, error) {
	out := map[string]string{}
	var cache sync.Map
	for _, m := range models.All() {
		s, err := schema.Parse(m, &cache, schema.NamingStrategy{})
		if err != nil {
			return nil, err
		}
		for _, f := range s.Fields {
			out[s.Table+"."+f.DBName] = "NULL"
			if f.FieldType.Kind() == reflect.String {
				out[s.Table+"."+f.DBName] = "''"
			}
		}
	}
	return out, nil
}

var plans sync.Map // name of the database to []step

// planFor orders the steps as the foreign keys of the database allow: each table before those that it points to.
func planFor(ctx context.Context, tx *gorm.DB) ([]step, error) {
	if p, ok := plans.Load(tx.Name()); ok {
		return p.([]step), nil
	}
	q, ok := tx.Statement.ConnPool.(tables.Querier)
	if !ok {
		return nil, fmt.Errorf("erasures: not a transaction: %T", tx.Statement.ConnPool)
	}
	plan := slices.Clone(steps())
	var names []string
	for _, s := range plan {
		if s.err != nil {
			return nil, s.err
		}
		if !slices.Contains(names, s.table) {
			names = append(names, s.table)
		}
	}
	order, err := tables.Ordered(ctx, q, database.IsPostgres(tx), names)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(plan, func(a, b step) int { return slices.Index(order, b.table) - slices.Index(order, a.table) })
	plans.Store(tx.Name(), plan)
	return plan, nil
}
