package exports

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Input says what is to be exported.
type Input struct {
	Kind             string
	Format           string
	SegmentID        *uuid.UUID     // KindSupporters: its members only
	Purpose          models.Purpose // KindSupporters: only who agreed to it; "" = everybody
	ScopeID          uuid.UUID      // of the purpose
	PetitionID       uuid.UUID      // KindSignatures
	LetterCampaignID uuid.UUID      // KindLetters
	Columns          []string       // KindSupporters; none = Usual, for a partner Shared
}

// check makes the row of an export, or an Invalid fault on the fields kind, format, segment, purpose, scope, petition,
// letters and columns.
func (s *Service) check(ctx context.Context, a actor.Actor, in Input) (models.Export, error) {
	if err := a.Need(actor.Export); err != nil {
		return models.Export{}, err
	}
	var bad fault.Fields
	now := s.Clock.Now()
	m := models.Export{
		ID: models.NewID(), Kind: in.Kind, Format: in.Format, ChapterID: a.Chapter(), State: models.ExportWaiting, CreatedBy: a.Account(), CreatedAt: now, UpdatedAt: now,
		Columns: "[]",
	}
	db := s.DB.WithContext(ctx)
	is := func(q *gorm.DB) (bool, error) {
		var n int64
		err := q.Limit(1).Count(&n).Error
		return n > 0, err
	}
	switch in.Kind {
	case KindEverything:
		if err := a.Need(actor.Administer); err != nil {
			return m, err
		}
		m.Format = ZIP
		return m, nil
	case KindSignatures:
		m.ScopeID = in.PetitionID
		ok, err := is(db.Model(&models.Petition{}).Where("id = ?", in.PetitionID))
		if err != nil {
			return m, err
		}
		if !ok {
			bad.Add("petition", "error.export_petition")
		}
	case KindLetters:
		if err := a.Need(actor.ManageLetters); err != nil {
			return m, err
		}
		m.ScopeID = in.LetterCampaignID
		ok, err := is(db.Model(&models.LetterCampaign{}).Where("id = ?", in.LetterCampaignID))
		if err != nil {
			return m, err
		}
		if !ok {
			bad.Add("letters", "error.export_letters")
		}
	case KindSuppressions:
	case KindSupporters:
		m.SegmentID, m.Purpose, m.ScopeID = in.SegmentID, in.Purpose, in.ScopeID
		if in.SegmentID != nil {
			ok, err := is(db.Model(&models.Segment{}).Scopes(chapters.Scope(a, "chapter_id")).Where("id = ? AND archived_at IS NULL", *in.SegmentID))
			if err != nil {
				return m, err
			}
			if !ok {
				bad.Add("segment", "error.export_segment")
			}
		}
		switch {
		case in.Purpose == "":
			m.ScopeID = uuid.Nil
		case !slices.Contains(models.Purposes, in.Purpose):
			bad.Add("purpose", "error.export_purpose")
		case in.ScopeID == uuid.Nil && (in.Purpose == models.PurposeUpdates || in.Purpose == models.PurposeShare):
			bad.Add("purpose", "error.export_scope")
		case in.Purpose.Scope() == "":
			m.ScopeID = uuid.Nil
		case in.ScopeID != uuid.Nil:
			ok, err := is(db.Table(in.Purpose.Scope()).Where("id = ?", in.ScopeID))
			if err != nil {
				return m, err
			}
			if !ok {
				bad.Add("purpose", "error.export_scope")
			}
		}
		columns := in.Columns
		if len(columns) == 0 {
			if columns = Usual; in.Purpose == models.PurposeShare {
				columns = Shared
			}
		}
		custom, err := fieldsOf(ctx, s.DB.DB, a)
		if err != nil {
			return m, err
		}
		var e *fault.Error
		if _, err := choose(columns, in.Purpose, custom); errors.As(err, &e) {
			bad = append(bad, e.Fields...)
		} else if err != nil {
			return m, err
		}
		b, err := json.Marshal(columns)
		if err != nil {
			return m, err
		}
		m.Columns = string(b)
	default:
		bad.Add("kind", "error.value_unknown")
	}
	if !slices.Contains(Formats, in.Format) {
		bad.Add("format", "error.export_format")
	}
	return m, bad.Err()
}

// Create begins an export: a job makes its file. It needs the right actor.Export, for everything actor.Administer too, for
// letters actor.ManageLetters. The fault is Invalid with the fields that check names.
func (s *Service) Create(ctx context.Context, a actor.Actor, in Input) (uuid.UUID, error) {
	m, err := s.check(ctx, a, in)
	if err != nil {
		return uuid.Nil, err
	}
	return m.ID, s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := tx.Create(&m).Error; err != nil {
			return err
		}
		if err := s.audit(ctx, tx, a, "export.ask", m.ID, about(m)); err != nil {
			return err
		}
		return s.Enqueue(ctx, tx, RunArgs{ExportID: m.ID})
	})
}

// about is what the log keeps of an export: what it holds, never whom.
func about(m models.Export) map[string]any {
	out := map[string]any{"kind": m.Kind, "format": m.Format}
	if m.Purpose != "" {
		out["purpose"] = m.Purpose
	}
	if m.ScopeID != uuid.Nil {
		out["scope"] = m.ScopeID
	}
	if m.SegmentID != nil {
		out["segment"] = *m.SegmentID
	}
	if m.Kind == KindSupporters {
		out["columns"] = json.RawMessage(m.Columns)
	}
	return out
}

// Done is what an export wrote.
type Done struct {
	Rows   int           `json:"rows"`
	Opened int64         `json:"opened_values"` // sealed values that were opened
	Took   time.Duration `json:"-"`
	Report *Everything   `json:"everything,omitempty"` // KindEverything only
}

// Write makes an export at once and writes it to w, for the command line: no row of it is kept but those of the log. told
// hears how far it is. It needs what Create needs. On an error what was written is cut short.
func (s *Service) Write(ctx context.Context, a actor.Actor, in Input, w io.Writer, told func(rows int)) (Done, error) {
	m, err := s.check(ctx, a, in)
	if err != nil {
		return Done{}, err
	}
	if err := s.audit(ctx, s.DB.DB, a, "export.ask", m.ID, about(m)); err != nil {
		return Done{}, err
	}
	if told == nil {
		told = func(int) {}
	}
	done, err := s.write(ctx, a, m, w, told)
	if err != nil {
		return done, err
	}
	details := about(m)
	details["rows"] = done.Rows
	return done, s.audit(ctx, s.DB.DB, a, "export.finish", m.ID, details)
}

// write makes what a row asks for, as a may see it.
func (s *Service) write(ctx context.Context, a actor.Actor, m models.Export, w io.Writer, told func(rows int)) (done Done, err error) {
	began := time.Now()
	defer func() { done.Took = time.Since(began) }()
	if m.Kind == KindEverything {
		done.Report, err = s.everything(ctx, w, told)
		if err == nil {
			done.Rows = int(done.Report.AllRows())
		}
		return done, err
	}
	rows := func(w io.Writer) (err error) {
		switch m.Kind {
		case KindSignatures:
			done.Rows, done.Opened, err = s.signatures(ctx, a, m, w, told)
		case KindLetters:
			done.Rows, done.Opened, err = s.letters(ctx, m, w, told)
		case KindSuppressions:
			done.Rows, done.Opened, err = s.suppressions(ctx, a, m, w, told)
		default:
			done.Rows, done.Opened, err = s.supporters(ctx, a, m, w, told)
		}
		return err
	}
	if m.Format == XLSX {
		err = asWorkbook(w, func(w io.Writer) error {
			return rows(&sheet{w: w})
		})
	} else {
		err = rows(w)
	}
	return done, err
}

// sheet refuses what is more than a worksheet holds.
type sheet struct {
	w    io.Writer
	rows int
}

var rowEnd = []byte("</row>")

func (s *sheet) Write(b []byte) (int, error) {
	if s.rows += bytes.Count(b, rowEnd); s.rows > sheetLimit {
		return 0, fault.New(fault.Invalid, "error.export_sheet_full", "Most", sheetLimit-1)
	}
	return s.w.Write(b)
}

// supporters writes a list of supporters.
func (s *Service) supporters(ctx context.Context, a actor.Actor, m models.Export, w io.Writer, told func(int)) (rows int, opened int64, err error) {
	p, err := s.plan(ctx, a, m)
	if err != nil {
		return 0, 0, err
	}
	if s.DB.Postgres() {
		p.snap, err = openPostgres(ctx, s.DB.Pool)
	} else {
		p.snap, err = openSQLite(ctx, s.DB.SQL)
	}
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, p.snap.close()) }()
	return p.write(ctx, w, formatOf(m.Format), told)
}
