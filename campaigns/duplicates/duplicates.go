// Package duplicates finds records that may be one person, shows them side by side, makes one of them, and takes that back.
//
// The rules:
//
//   - Two records are shown where they have the same full name and postal code, the same telephone number, or confirmed addresses
//     that look like one person's: equal but for a +suffix, or the same full name and the same part before the @. Nothing is made
//     one by itself: an organizer looks and decides, also that they are two people, who are not shown again.
//   - The record that stays is the older one. The organizer chooses which value stays where both say something else; what only one
//     says stays anyway. Everything that hangs on the other moves: movers does it, one for each table that leads to a supporter.
//   - A consent belongs to the mailbox that it was given with, and so do suppression and a pause. Mailboxes move as they are: nobody
//     may be written to afterwards who might not before.
//   - What was is kept, sealed, for thirty days. Taking a merge back gives both records what they had; what came later stays with the
//     record that was kept. Merges of one record are taken back the last one first. After thirty days, and when the person is
//     erased, what was kept goes.
//   - Names are sealed, so records are compared in memory: as keyed hashes of eight bytes, a part of them at a time.
package duplicates

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/campaigns/supporters"
	"kithline/campaigns/today"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Keep is how long a merge can be taken back.
const Keep = 30 * 24 * time.Hour

// Service holds the operations. It is made by New.
type Service struct {
	db     *database.DB
	vault  *vault.Vault
	clock  clock.Clock
	people *supporters.Service
	key    []byte // of the hashes in memory
	most   int    // records compared at once

	recent sync.Mutex
	at     time.Time // up to which changes were looked at

	whole sync.Mutex
	scan  *scanning // one that is not done yet
	rest  time.Time // until when nobody needs to be compared again
}

// New makes the service.
func New(db *database.DB, v *vault.Vault, c clock.Clock, people *supporters.Service) *Service {
	return &Service{db: db, vault: v, clock: c, people: people, key: v.Derive("duplicates/compare", 32), most: 250_000, at: c.Now()}
}

// own narrows a query for pairs p to those whose records both belong to the actor's chapter.
func own(a actor.Actor) func(*gorm.DB) *gorm.DB {
	return func(q *gorm.DB) *gorm.DB {
		if a.Chapter() == nil {
			return q
		}
		return q.Joins("JOIN supporters x ON x.id = p.a_id").Joins("JOIN supporters y ON y.id = p.b_id").
			Scopes(chapters.Scope(a, "x.chapter_id"), chapters.Scope(a, "y.chapter_id"))
	}
}

// minutes is how long it takes to decide about a pair.
const minutes = 2

// Today is the queue of pairs that wait.
func (s *Service) Today(ctx context.Context, a actor.Actor) ([]today.Queue, error) {
	if !a.May(actor.EditSupporters) {
		return nil, nil
	}
	q := today.Queue{Key: "duplicates.queue", Path: "/admin/duplicates", Minutes: minutes, Right: actor.EditSupporters}
	var n int64
	if err := s.db.WithContext(ctx).Table("duplicates p").Where("p.state = 'open'").Scopes(own(a)).Count(&n).Error; err != nil || n == 0 {
		return nil, err
	}
	var oldest []time.Time
	err := s.db.WithContext(ctx).Table("duplicates p").Where("p.state = 'open'").Scopes(own(a)).Order("p.created_at, p.id").Limit(1).Pluck("p.created_at", &oldest).Error
	if q.Count = int(n); len(oldest) > 0 {
		q.Oldest = oldest[0]
	}
	return []today.Queue{q}, err
}

// Side is one record of a pair in a list.
type Side struct {
	ID                    uuid.UUID
	GivenName, FamilyName string
	PostalArea            string
	Since                 time.Time
}

// Pair is two records that may be one person.
type Pair struct {
	ID    uuid.UUID
	Rules []Rule
	Since time.Time
	A, B  Side
}

// List returns the pairs that wait, the oldest first. It needs the right actor.EditSupporters.
func (s *Service) List(ctx context.Context, a actor.Actor, c paging.Cursor) (paging.Page[Pair], error) {
	var out paging.Page[Pair]
	if err := a.Need(actor.EditSupporters); err != nil {
		return out, err
	}
	q := s.db.WithContext(ctx).Table("duplicates p").Select("p.*").Where("p.state = 'open'").Scopes(own(a)).Order("p.created_at, p.id").Limit(paging.Size + 1)
	if !c.First() {
		q = q.Where("(p.created_at, p.id) > (?, ?)", c.At, c.ID)
	}
	var rows []models.Duplicate
	if err := q.Scan(&rows).Error; err != nil {
		return out, err
	}
	page := paging.Cut(rows, paging.Size, func(d models.Duplicate) paging.Cursor { return paging.Cursor{At: d.CreatedAt, ID: d.ID} })
	ids := []uuid.UUID{}
	for _, d := range page.Rows {
		ids = append(ids, d.AID, d.BID)
	}
	sides, err := s.sides(ctx, ids)
	if err != nil {
		return out, err
	}
	out.Next = page.Next
	for _, d := range page.Rows {
		out.Rows = append(out.Rows, Pair{ID: d.ID, Rules: rulesIn(d.Rules), Since: d.CreatedAt, A: sides[d.AID], B: sides[d.BID]})
	}
	return out, nil
}

// sides reads what lists show of records.
func (s *Service) sides(ctx context.Context, ids []uuid.UUID) (map[uuid.UUID]Side, error) {
	var people []models.Supporter
	if err := s.db.WithContext(ctx).Where("id IN ?", ids).Find(&people).Error; err != nil {
		return nil, err
	}
	out := map[uuid.UUID]Side{}
	for _, p := range people {
		given, family, err := s.names(p)
		if err != nil {
			return nil, err
		}
		out[p.ID] = Side{ID: p.ID, GivenName: given, FamilyName: family, PostalArea: p.PostalArea, Since: p.CreatedAt}
	}
	return out, nil
}

func (s *Service) names(p models.Supporter) (given, family string, err error) {
	given, err1 := s.vault.Open("supporters", "given_name_sealed", p.ID, p.GivenNameSealed)
	family, err2 := s.vault.Open("supporters", "family_name_sealed", p.ID, p.FamilyNameSealed)
	return given, family, errors.Join(err1, err2)
}

// Comparison is a pair side by side.
type Comparison struct {
	Pair
	One, Other supporters.View // the older record, and the younger one
	Fields     []Field         // where both say something else
}

// Field is something that the two records say differently, and that one value must stay of.
type Field struct {
	Name       string // of the input: a column of supporters, or field-ID
	Label      string // of a custom field; "" for the others
	One, Other string
	Chosen     string // ChooseOne or ChooseOther: what is suggested
}

// What a choice can be.
const (
	ChooseOne   = "one"   // the older record's value
	ChooseOther = "other" // the younger one's
)

// Show returns a pair side by side. It needs the right actor.EditSupporters; the fault is NotFound, error.duplicate_unknown, also for a
// pair that was decided and for one that is not of the actor's chapter.
func (s *Service) Show(ctx context.Context, a actor.Actor, id uuid.UUID) (Comparison, error) {
	var c Comparison
	if err := a.Need(actor.EditSupporters); err != nil {
		return c, err
	}
	d, err := s.pair(ctx, s.db.DB, a, id)
	if err != nil {
		return c, err
	}
	c.ID, c.Rules, c.Since = d.ID, rulesIn(d.Rules), d.CreatedAt
	if c.One, err = s.people.Show(ctx, a, d.AID); err != nil {
		return c, err
	}
	if c.Other, err = s.people.Show(ctx, a, d.BID); err != nil {
		return c, err
	}
	var rows []models.Supporter
	if err := s.db.WithContext(ctx).Where("id IN ?", []uuid.UUID{d.AID, d.BID}).Order("id").Find(&rows).Error; err != nil {
		return c, err
	}
	if len(rows) != 2 {
		return c, unknown()
	}
	one, err1 := s.open(rows[0])
	other, err2 := s.open(rows[1])
	if err := errors.Join(err1, err2); err != nil {
		return c, err
	}
	for _, col := range columns {
		x, y := one.text(col), other.text(col)
		if x == y || col == "source" || col != "frequency" && (x == "" || y == "") {
			continue
		}
		f := Field{Name: col, One: x, Other: y, Chosen: choose(col, x, y, nil)}
		if col == "chapter_id" {
			f.One, f.Other = c.One.Chapter, c.Other.Chapter
		}
		c.Fields = append(c.Fields, f)
	}
	for _, x := range c.One.Answers {
		for _, y := range c.Other.Answers {
			if x.Field.ID == y.Field.ID && x.Value != "" && y.Value != "" && x.Value != y.Value {
				c.Fields = append(c.Fields, Field{Name: supporters.FieldInputName(x.Field.ID), Label: x.Field.Label, One: x.Value, Other: y.Value, Chosen: ChooseOne})
			}
		}
	}
	return c, nil
}

func unknown() error { return fault.New(fault.NotFound, "error.duplicate_unknown") }

// pair reads an open pair that the actor may see.
func (s *Service) pair(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Duplicate, error) {
	var d []models.Duplicate
	err := tx.WithContext(ctx).Table("duplicates p").Select("p.*").Where("p.id = ? AND p.state = 'open'", id).Scopes(own(a)).Scan(&d).Error
	if err == nil && len(d) == 0 {
		err = unknown()
	}
	if err != nil {
		return models.Duplicate{}, err
	}
	return d[0], nil
}

// Different notes that a pair is two people: it is not shown again. It needs the right actor.EditSupporters; the fault is that of Show.
func (s *Service) Different(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.EditSupporters); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		d, err := s.pair(ctx, tx, a, id)
		if err != nil {
			return err
		}
		now := s.clock.Now()
		res := tx.Model(&models.Duplicate{}).Where("id = ? AND state = ?", d.ID, models.DuplicateOpen).
			Updates(map[string]any{"state": models.DuplicateDifferent, "decided_by": a.Account(), "updated_at": now})
		if res.Error != nil {
			return res.Error
		}
		if res.RowsAffected == 0 {
			return unknown()
		}
		return audit.Write(ctx, tx, a, now, "supporter.two_people", "duplicates", d.ID, nil)
	})
}

// Rule says why two records may be one person.
type Rule string

// The rules.
const (
	ByName    Rule = "name"    // the same full name and postal code
	ByPhone   Rule = "phone"   // the same telephone number
	ByAddress Rule = "address" // confirmed addresses of one person
)

func rulesIn(s string) []Rule {
	var out []Rule
	for part := range strings.SplitSeq(s, ",") {
		if part != "" {
			out = append(out, Rule(part))
		}
	}
	return out
}
