package legislators

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Kinds are the kinds of files that can be imported.
var Kinds = []models.LegislatorSource{models.SourceCongress, models.SourceOpenStates, models.SourceCSV}

// ImportOptions say what is read, and how.
type ImportOptions struct {
	Kind         models.LegislatorSource
	Version      string // of the data; "" makes it from the source's name and the day
	DryRun       bool
	AllowLeaving bool // more may leave than leavingShare

	row *models.LegislatorImport // of an upload; nil: a row is made
}

// An import is refused where at least leavingLeast people of a jurisdiction, and more than leavingShare percent of those who sit there,
// would leave: then the file is more likely cut than the people gone.
const (
	leavingShare = 10
	leavingLeast = 3
)

// Change is what an import changes about one person.
type Change struct {
	Kind   string `json:"kind"` // as models.LegislatorChange has it
	Name   string `json:"name"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`

	ID uuid.UUID `json:"-"` // of the legislator
}

// Count is how many people of a jurisdiction an import is about.
type Count struct {
	Code   string `json:"code"`
	Name   string `json:"name"`
	People int    `json:"people"` // in the file
	Had    int    `json:"had"`    // sat there before, as far as the file speaks for their chambers
	Joined int    `json:"joined"`
	Left   int    `json:"left"`
}

// tooMany reports whether more leave than an import may take away.
func (c Count) tooMany() bool { return c.Left >= leavingLeast && c.Left*100 > c.Had*leavingShare }

// Result is what an import changed, or would.
type Result struct {
	Kind          models.LegislatorSource `json:"kind"`
	Name          string                  `json:"name"`
	Version       string                  `json:"version"`
	DryRun        bool                    `json:"dry_run"`
	People        int                     `json:"people"`  // in the file
	Same          int                     `json:"same"`    // of whom nothing changed
	Counts        map[string]int          `json:"counts"`  // changes by kind
	Refused       bool                    `json:"refused"` // too many would leave
	Jurisdictions []Count                 `json:"jurisdictions"`
	Changes       []Change                `json:"changes"`
	Notes         []Note                  `json:"notes"`
}

// Joined is how many are in a seat who were not before.
func (r Result) Joined() int { return r.Counts["joined"] }

// Left is how many are in no seat any more.
func (r Result) Left() int { return r.Counts["left"] }

// Moved is how many sit in another seat.
func (r Result) Moved() int { return r.Counts["moved"] }

// ChangeKinds are the kinds of changes, in the order of pages.
var ChangeKinds = []string{"joined", "left", "moved", "party", "name", "term", "office", "channel", "committee"}

// Empty reports whether nothing changed.
func (r Result) Empty() bool { return len(r.Changes) == 0 }

// OnLeft registers what is done, in the transaction of the change, about people of whom a term was ended: they left, or they sit in another
// seat now. At start only.
func (s *Service) OnLeft(fn func(ctx context.Context, tx *gorm.DB, legislators []uuid.UUID) error) {
	s.left = append(s.left, fn)
}

// ended calls what is registered by OnLeft.
func (s *Service) ended(ctx context.Context, tx *gorm.DB, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	for _, fn := range s.left {
		if err := fn(ctx, tx, ids); err != nil {
			return err
		}
	}
	return nil
}

// Import reads a source, compares it with what is known and writes the difference in one transaction, or says with DryRun what that would
// be. A file speaks for the chambers that it has people of: who sits there by an earlier file of the same kind and is missing has left. The
// same file again changes nothing. What an organizer wrote by hand stays. It needs the right actor.ManageLetters. The faults are Invalid:
// error.legislators_kind; what is wrong with a file, which names it and the line; and error.legislators_leaving where too many would leave.
func (s *Service) Import(ctx context.Context, a actor.Actor, src *Source, o ImportOptions) (Result, error) {
	if err := a.Need(actor.ManageLetters); err != nil {
		return Result{}, err
	}
	p := src.pack
	today := s.Clock.Now()
	if o.Version == "" {
		o.Version = flat(p.label, 100) + " " + day(today)
	}
	res := Result{Kind: o.Kind, Name: p.label, Version: o.Version, DryRun: o.DryRun}
	read, err := s.read(ctx, p, o.Kind, day(today))
	if err != nil {
		return res, err
	}
	// One transaction: nobody is ever seen half, and what stops it leaves nothing.
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		now := s.Clock.Now()
		if err := one(tx); err != nil {
			return err
		}
		if o.row != nil && !o.DryRun { // a job may run twice: what was applied is not applied again
			r := tx.WithContext(ctx).Model(&models.LegislatorImport{}).Where("id = ? AND state = ?", o.row.ID, models.ImportApplying).Update("updated_at", now)
			if r.Error != nil || r.RowsAffected == 0 {
				return r.Error
			}
		}
		d, err := compare(ctx, tx, read, o, now)
		if err != nil {
			return err
		}
		d.result(&res)
		if bad := slices.IndexFunc(res.Jurisdictions, Count.tooMany); bad >= 0 {
			if res.Refused = !o.AllowLeaving; res.Refused && !o.DryRun {
				c := res.Jurisdictions[bad]
				return fault.New(fault.Invalid, "error.legislators_leaving", "Name", c.Name, "Left", c.Left, "Had", c.Had, "Share", leavingShare)
			}
		}
		if o.DryRun {
			return nil
		}
		return s.apply(ctx, tx, a, d, res, p, o, now)
	})
	return res, err
}

// read reads a source of a kind.
func (s *Service) read(ctx context.Context, p *pack, kind models.LegislatorSource, today string) (*reading, error) {
	switch kind {
	case models.SourceCongress:
		return readCongress(ctx, p, today)
	case models.SourceOpenStates:
		return readOpenStates(ctx, p, today)
	case models.SourceCSV:
		return readCSV(ctx, p, today)
	}
	return nil, fault.New(fault.Invalid, "error.legislators_kind", "Kinds", strings.Join([]string{string(Kinds[0]), string(Kinds[1]), string(Kinds[2])}, ", "))
}

// apply writes what differs, with the history of it.
func (s *Service) apply(ctx context.Context, tx *gorm.DB, a actor.Actor, d *differ, res Result, p *pack, o ImportOptions, now time.Time) error {
	summary := res
	summary.Changes = nil
	text, err := json.Marshal(summary)
	if err != nil {
		return err
	}
	row := models.LegislatorImport{ID: models.NewID(), CreatedBy: a.Account(), CreatedAt: now}
	if o.row != nil {
		row = *o.row
	}
	row.Kind, row.Name, row.Version, row.Checksum, row.State = o.Kind, flat(p.label, maxName), o.Version, p.checksum(), models.ImportApplied
	row.AllowLeaving, row.Summary, row.Report, row.Message, row.UpdatedAt, row.FinishedAt = o.AllowLeaving, string(text), "", "", now, &now
	if err := tx.WithContext(ctx).Save(&row).Error; err != nil {
		return err
	}
	if err := d.write(ctx, tx, row, now); err != nil {
		return err
	}
	if err := s.ended(ctx, tx, d.ended); err != nil {
		return err
	}
	details := map[string]any{"kind": o.Kind, "people": res.People}
	for k, n := range res.Counts {
		details[k] = n
	}
	return audit.Write(ctx, tx, a, now, "legislators.import", "legislator_imports", row.ID, details)
}
