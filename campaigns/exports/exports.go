// Package exports hands out people's data as files: lists of supporters, of the signatures under a petition, and everything an
// organisation has, which another Kithline reads back.
//
// The rules: who exports needs a right of its own, sees the people of their chapter only and the custom fields that their
// role sees, and is written down, with counts, when the export is asked for, when it is done and each time it is fetched. A
// list made for a purpose holds whoever agreed to that purpose, and of their addresses those that they agreed with: the
// condition is part of the query, whatever else was chosen. A list for a partner holds names and ways to reach people, never
// tags or custom fields. What is written into a cell is never a formula.
//
// A file is made by a job, sealed in the store, and gone after seven days. Nothing lies on the disk in clear on the way. The
// people are those of one moment; when somebody is erased while a file is made, the file is made again.
//
// Fast: one query follows the people in order, others look up what belongs to a chunk of them, several chunks are opened and
// written at once, and their lines are put together in order (pipeline.go). No more than a few chunks are in memory.
package exports

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/paging"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Options of a Service. All are needed.
type Options struct {
	DB      *database.DB
	Vault   *vault.Vault
	Clock   clock.Clock
	Files   *files.Service
	Enqueue func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error // jobs.Client.Enqueue
	Version string                                                           // of the program, written into an export of everything
}

// Service makes exports. It is safe for concurrent use.
type Service struct {
	Options
	chunk        int    // people that go together: chunkSize, less in tests
	beforeFinish func() // where a test lets something happen; nil otherwise
}

// New makes the service. Register its workers with AddWorkers.
func New(o Options) *Service { return &Service{Options: o, chunk: chunkSize} }

// The kinds of exports.
const (
	KindSupporters   = "supporters"
	KindSignatures   = "signatures"   // under one petition, for whoever decides
	KindLetters      = "letters"      // of one letter campaign, with who wrote them
	KindSuppressions = "suppressions" // the mailboxes that get no mail, and why
	KindEverything   = "everything"
)

// The formats.
const (
	CSV   = "csv"
	JSONL = "jsonl"
	XLSX  = "xlsx"
	ZIP   = "zip" // KindEverything only
)

// Formats lists those of lists.
var Formats = []string{CSV, JSONL, XLSX}

// keep is how long a finished file can be fetched.
const keep = 7 * 24 * time.Hour

var errUnknown = fault.New(fault.NotFound, "error.export_unknown")

// Export is an export as the pages show it.
type Export struct {
	models.Export
	Columns []string
	Segment string // its name
	Title   string // of the petition or letter campaign: KindSignatures, KindLetters
	Scope   string // what the purpose is about
	Size    int64  // bytes of the file
	Until   *time.Time
	Gone    bool // the file is not kept any more
}

// Running reports whether the export waits or is under way.
func (e Export) Running() bool {
	return e.State == models.ExportWaiting || e.State == models.ExportRunning
}

// Ready reports whether there is a file to fetch.
func (e Export) Ready() bool { return e.State == models.ExportFinished && !e.Gone && e.FileID != nil }

// Name is what the file is called on the way out.
func (e Export) Name() string {
	ending := map[string]string{CSV: ".csv", JSONL: ".jsonl", XLSX: ".xlsx", ZIP: ".zip"}[e.Format]
	return "kithline-" + e.Kind + "-" + e.CreatedAt.UTC().Format("2006-01-02-1504") + ending
}

// ContentType is that of the file.
func (e Export) ContentType() string { return contentType(e.Format) }

func contentType(format string) string {
	switch format {
	case CSV:
		return "text/csv; charset=utf-8"
	case JSONL:
		return "application/jsonl"
	case XLSX:
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	}
	return "application/zip"
}

// sees reports whether an actor may know of an export and fetch it: it is of their chapter, and of what their role sees.
func (s *Service) sees(a actor.Actor, m models.Export, hidden map[string]bool) bool {
	if m.Kind == KindEverything {
		return a.May(actor.Administer)
	}
	columns, err := columnsOf(m)
	return err == nil && chapters.May(a, m.ChapterID) && !slices.ContainsFunc(columns, func(c string) bool { return hidden[c] })
}

func columnsOf(m models.Export) (out []string, err error) {
	if m.Columns == "" {
		return nil, nil
	}
	return out, json.Unmarshal([]byte(m.Columns), &out)
}

// Get returns an export. It needs the right actor.Export; the fault is NotFound, error.export_unknown.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (Export, error) {
	if err := a.Need(actor.Export); err != nil {
		return Export{}, err
	}
	var m models.Export
	err := s.DB.WithContext(ctx).Where("id = ?", id).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Export{}, errUnknown
	}
	if err != nil {
		return Export{}, err
	}
	hidden, err := s.hidden(ctx, a)
	if err != nil {
		return Export{}, err
	}
	if !s.sees(a, m, hidden) {
		return Export{}, errUnknown
	}
	list, err := s.dress(ctx, []models.Export{m})
	if err != nil {
		return Export{}, err
	}
	return list[0], nil
}

// List returns exports, newest first. It needs the right actor.Export.
func (s *Service) List(ctx context.Context, a actor.Actor, after paging.Cursor) (paging.Page[Export], error) {
	if err := a.Need(actor.Export); err != nil {
		return paging.Page[Export]{}, err
	}
	hidden, err := s.hidden(ctx, a)
	if err != nil {
		return paging.Page[Export]{}, err
	}
	q := s.DB.WithContext(ctx).Scopes(chapters.Scope(a, "chapter_id")).Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if !a.May(actor.Administer) {
		q = q.Where("kind <> ?", KindEverything)
	}
	if !after.First() {
		q = q.Where("(created_at, id) < (?, ?)", after.At, after.ID)
	}
	var rows []models.Export
	if err := q.Find(&rows).Error; err != nil {
		return paging.Page[Export]{}, err
	}
	page := paging.Cut(rows, paging.Size, func(m models.Export) paging.Cursor { return paging.Cursor{At: m.CreatedAt, ID: m.ID} })
	seen := slices.DeleteFunc(page.Rows, func(m models.Export) bool { return !s.sees(a, m, hidden) })
	list, err := s.dress(ctx, seen)
	return paging.Page[Export]{Rows: list, Next: page.Next}, err
}

// dress adds what pages show beside the row.
func (s *Service) dress(ctx context.Context, rows []models.Export) ([]Export, error) {
	out := make([]Export, len(rows))
	var fileIDs, segmentIDs, petitionIDs, letterIDs []uuid.UUID
	for i, m := range rows {
		columns, err := columnsOf(m)
		if err != nil {
			return nil, err
		}
		out[i] = Export{Export: m, Columns: columns}
		if m.FileID != nil {
			fileIDs = append(fileIDs, *m.FileID)
		}
		if m.SegmentID != nil {
			segmentIDs = append(segmentIDs, *m.SegmentID)
		}
		if m.Kind == KindSignatures {
			petitionIDs = append(petitionIDs, m.ScopeID)
		}
		if m.Kind == KindLetters {
			letterIDs = append(letterIDs, m.ScopeID)
		}
	}
	db := s.DB.WithContext(ctx)
	stored, segs, pets := map[uuid.UUID]models.File{}, map[uuid.UUID]string{}, map[uuid.UUID]string{}
	if len(fileIDs) > 0 {
		var list []models.File
		if err := db.Where("id IN ?", fileIDs).Find(&list).Error; err != nil {
			return nil, err
		}
		for _, f := range list {
			stored[f.ID] = f
		}
	}
	if len(segmentIDs) > 0 {
		var list []models.Segment
		if err := db.Select("id", "name").Where("id IN ?", segmentIDs).Find(&list).Error; err != nil {
			return nil, err
		}
		for _, m := range list {
			segs[m.ID] = m.Name
		}
	}
	if len(petitionIDs) > 0 {
		var list []models.Petition
		if err := db.Select("id", "title").Where("id IN ?", petitionIDs).Find(&list).Error; err != nil {
			return nil, err
		}
		for _, m := range list {
			pets[m.ID] = m.Title
		}
	}
	if len(letterIDs) > 0 {
		var list []models.LetterCampaign
		if err := db.Select("id", "title").Where("id IN ?", letterIDs).Find(&list).Error; err != nil {
			return nil, err
		}
		for _, m := range list {
			pets[m.ID] = m.Title
		}
	}
	for i := range out {
		e := &out[i]
		if e.SegmentID != nil {
			e.Segment = segs[*e.SegmentID]
		}
		if e.Kind == KindSignatures || e.Kind == KindLetters {
			e.Title = pets[e.ScopeID]
		} else if e.Purpose != "" && e.ScopeID != uuid.Nil {
			var err error
			if e.Scope, err = scopeName(db, e.Purpose, e.ScopeID); err != nil {
				return nil, err
			}
		}
		if e.FileID != nil {
			f := stored[*e.FileID]
			e.Size, e.Until, e.Gone = f.Size, f.ExpiresAt, !f.Open(s.Clock.Now())
		}
	}
	return out, nil
}

// scopeName is what the scope of a purpose is called; "" for one that is not there.
func scopeName(db *gorm.DB, p models.Purpose, id uuid.UUID) (string, error) {
	column := "name"
	switch p.Scope() {
	case "":
		return "", nil
	case "campaigns":
		column = "title"
	}
	var names []string
	err := db.Table(p.Scope()).Where("id = ?", id).Limit(1).Pluck(column, &names).Error
	return strings.Join(names, ""), err
}

// Open opens the file of an export, which is noted each time. The caller closes it. It needs the right actor.Export, for an
// export of everything actor.Administer too. The faults are NotFound, error.export_unknown, and Gone, error.file_expired.
func (s *Service) Open(ctx context.Context, a actor.Actor, id uuid.UUID) (io.ReadCloser, Export, error) {
	e, err := s.Get(ctx, a, id)
	if err != nil {
		return nil, e, err
	}
	if e.FileID == nil {
		return nil, e, errUnknown
	}
	rc, _, err := s.Files.Open(ctx, *e.FileID)
	if err != nil {
		return nil, e, err
	}
	if err := s.audit(ctx, s.DB.DB, a, "export.fetch", id, map[string]any{"kind": e.Kind, "rows": e.RowsDone}); err != nil {
		return nil, e, errors.Join(err, rc.Close())
	}
	return rc, e, nil
}

func (s *Service) audit(ctx context.Context, tx *gorm.DB, a actor.Actor, action string, id uuid.UUID, details map[string]any) error {
	return audit.Write(ctx, tx, a, s.Clock.Now(), action, "exports", id, details)
}
