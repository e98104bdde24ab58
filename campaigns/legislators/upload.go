package legislators

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/paging"
	"kithline/models"
)

// keep is how long an upload is kept.
const keep = 7 * 24 * time.Hour

// shownChanges is how many changes of a dry run a page keeps; the counts are of all.
const shownChanges = 500

var errNoImport = fault.New(fault.NotFound, "error.legislators_import_unknown")

// UploadInput is a file as a browser sent it.
type UploadInput struct {
	Kind    models.LegislatorSource
	Name    string
	Content io.Reader
}

// Upload keeps a file, sealed and for seven days, and begins to look what it would change. It needs the right actor.ManageLetters. The
// fault is Invalid with the field file; an error of in.Content comes back as it is.
func (s *Service) Upload(ctx context.Context, a actor.Actor, in UploadInput) (uuid.UUID, error) {
	if err := a.Need(actor.ManageLetters); err != nil {
		return uuid.Nil, err
	}
	var bad fault.Fields
	if !slices.Contains(Kinds, in.Kind) {
		bad.Add("file", "error.legislators_kind", "Kinds", "congress, openstates, csv")
		return uuid.Nil, bad.Err()
	}
	now := s.Clock.Now()
	until := now.Add(keep)
	f, err := s.Files.Write(ctx, files.PutInput{
		Kind: models.FileImport, Name: in.Name, ContentType: "application/octet-stream", ExpiresAt: &until, By: a.Account(), MaxSize: MaxUpload,
	}, in.Content)
	if fault.Is(err, fault.Invalid) {
		bad.Add("file", "error.upload_large")
		return uuid.Nil, bad.Err()
	}
	if err != nil {
		return uuid.Nil, err
	}
	row := models.LegislatorImport{
		ID: models.NewID(), Kind: in.Kind, Name: flat(in.Name, maxName), State: models.ImportChecking, FileID: &f.ID, CreatedBy: a.Account(), CreatedAt: now, UpdatedAt: now,
	}
	return row.ID, s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := s.Files.Insert(ctx, tx, f); err != nil {
			return err
		}
		if err := tx.WithContext(ctx).Create(&row).Error; err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, a, now, "legislators.upload", "legislator_imports", row.ID, map[string]any{"kind": in.Kind, "bytes": f.Size}); err != nil {
			return err
		}
		return s.Enqueue(ctx, tx, ReadArgs{ImportID: row.ID})
	})
}

// move brings an import from one of some states to another, and notes it.
func (s *Service) move(ctx context.Context, a actor.Actor, id uuid.UUID, action string, from []models.LegislatorImportState, set map[string]any, then func(tx *gorm.DB) error) error {
	if err := a.Need(actor.ManageLetters); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		now := s.Clock.Now()
		set["updated_at"] = now
		r := tx.WithContext(ctx).Model(&models.LegislatorImport{}).Where("id = ? AND state IN ?", id, from).Updates(set)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			if _, err := s.find(ctx, tx, id); err != nil {
				return err
			}
			return fault.New(fault.Conflict, "error.legislators_import_moved")
		}
		if err := audit.Write(ctx, tx, a, now, action, "legislator_imports", id, nil); err != nil || then == nil {
			return err
		}
		return then(tx)
	})
}

// Apply begins to write what an upload changes; allowLeaving says that so many leave is right. It needs the right actor.ManageLetters; the
// faults are NotFound, error.legislators_import_unknown, and Conflict, error.legislators_import_moved, for one that does not wait for it.
func (s *Service) Apply(ctx context.Context, a actor.Actor, id uuid.UUID, allowLeaving bool) error {
	set := map[string]any{"state": models.ImportApplying, "allow_leaving": allowLeaving}
	return s.move(ctx, a, id, "legislators.apply", []models.LegislatorImportState{models.ImportChecked}, set, func(tx *gorm.DB) error {
		return s.Enqueue(ctx, tx, ReadArgs{ImportID: id, Apply: true})
	})
}

// Drop gives an upload up. It needs the right actor.ManageLetters; the faults are those of Apply.
func (s *Service) Drop(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	from := []models.LegislatorImportState{models.ImportChecked, models.ImportRefused}
	return s.move(ctx, a, id, "legislators.drop", from, map[string]any{"state": models.ImportDropped, "report": ""}, nil)
}

func (s *Service) find(ctx context.Context, tx *gorm.DB, id uuid.UUID) (models.LegislatorImport, error) {
	var row models.LegislatorImport
	err := tx.WithContext(ctx).Where("id = ?", id).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, errNoImport
	}
	return row, err
}

// ReadArgs is the job that reads an upload: to look what it would change, or to change it.
type ReadArgs struct {
	ImportID uuid.UUID `json:"import_id"`
	Apply    bool      `json:"apply"`
}

// Kind is the job's name.
func (ReadArgs) Kind() string { return "legislators_read" }

// InsertOpts says how often it is tried.
func (ReadArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 4} }

type worker struct {
	river.WorkerDefaults[ReadArgs]
	s *Service
}

// AddWorkers registers the jobs of this package. At start only.
func (s *Service) AddWorkers(w *river.Workers) { river.AddWorker(w, &worker{s: s}) }

// Work reads one upload. What is wrong with the file ends it and is kept as it is shown.
func (w *worker) Work(ctx context.Context, j *river.Job[ReadArgs]) error {
	err := w.s.run(ctx, j.Args)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil { // the server stops: nothing was written
		return river.JobSnooze(0)
	}
	var e *fault.Error
	told := fault.New(fault.Invalid, "error.legislators_stopped")
	switch {
	case errors.As(err, &e) && (e.Kind == fault.Invalid || e.Kind == fault.Gone):
		told = e
	case errors.Is(err, files.ErrDamaged):
		told = fault.New(fault.Invalid, "error.import_damaged")
	case j.Attempt < j.MaxAttempts:
		return err
	}
	return river.JobCancel(errors.Join(err, w.s.fail(ctx, j.Args, told)))
}

// Message is why an import failed, as a locale key with its values.
type Message struct {
	Key  string `json:"key"`
	Args []any  `json:"args"`
}

func (s *Service) fail(ctx context.Context, args ReadArgs, e *fault.Error) error {
	text, err := json.Marshal(Message{e.Key, e.Args})
	if err != nil {
		return err
	}
	now := s.Clock.Now()
	return s.DB.WithContext(ctx).Model(&models.LegislatorImport{}).Where("id = ? AND state = ?", args.ImportID, args.state()).
		Updates(map[string]any{"state": models.ImportRefused, "message": string(text), "updated_at": now, "finished_at": now}).Error
}

func (a ReadArgs) state() models.LegislatorImportState {
	if a.Apply {
		return models.ImportApplying
	}
	return models.ImportChecking
}

// run reads an upload once. It may run twice: what was done is not done again.
func (s *Service) run(ctx context.Context, args ReadArgs) error {
	row, err := s.find(ctx, s.DB.DB, args.ImportID)
	if fault.Is(err, fault.NotFound) || err == nil && (row.State != args.state() || row.FileID == nil) {
		return nil
	}
	if err != nil {
		return err
	}
	f, err := s.Files.Get(ctx, *row.FileID)
	if err != nil {
		return err
	}
	at, err := s.Files.OpenRowAt(ctx, f)
	if err != nil {
		return err
	}
	p, err := packOf(row.Name, at, at.Size, at.Close)
	if err != nil {
		return errors.Join(err, at.Close())
	}
	src := &Source{p}
	o := ImportOptions{Kind: row.Kind, DryRun: !args.Apply, AllowLeaving: row.AllowLeaving, row: &row}
	res, err := s.Import(ctx, actor.TheSystem(), src, o)
	if err = errors.Join(err, src.Close()); err != nil || args.Apply {
		return err
	}
	if len(res.Changes) > shownChanges {
		res.Changes = res.Changes[:shownChanges]
	}
	text, err := json.Marshal(res)
	if err != nil {
		return err
	}
	return s.DB.WithContext(ctx).Model(&models.LegislatorImport{}).Where("id = ? AND state = ?", row.ID, models.ImportChecking).
		Updates(map[string]any{"state": models.ImportChecked, "version": res.Version, "report": string(text), "updated_at": s.Clock.Now()}).Error
}

// Imported is an import as pages show it.
type Imported struct {
	models.LegislatorImport
	Result Result // of the dry run, or of what was applied
	Why    Message
}

// Running reports whether the file is being read.
func (i Imported) Running() bool {
	return i.State == models.ImportChecking || i.State == models.ImportApplying
}

// Rest is how many changes are counted and not shown.
func (i Imported) Rest() int {
	n := -len(i.Result.Changes)
	for _, c := range i.Result.Counts {
		n += c
	}
	return max(n, 0)
}

func imported(row models.LegislatorImport) (Imported, error) {
	out := Imported{LegislatorImport: row}
	text := row.Report
	if text == "" {
		text = row.Summary
	}
	var err error
	if text != "" {
		err = json.Unmarshal([]byte(text), &out.Result)
	}
	if row.Message != "" {
		err = errors.Join(err, json.Unmarshal([]byte(row.Message), &out.Why))
	}
	return out, err
}

// Imports lists imports, newest first. It needs the right actor.SeeFigures.
func (s *Service) Imports(ctx context.Context, a actor.Actor, after paging.Cursor) (paging.Page[Imported], error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return paging.Page[Imported]{}, err
	}
	q := s.DB.WithContext(ctx).Omit("report").Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if !after.First() {
		q = q.Where("(created_at, id) < (?, ?)", after.At, after.ID)
	}
	var rows []models.LegislatorImport
	if err := q.Find(&rows).Error; err != nil {
		return paging.Page[Imported]{}, err
	}
	list := make([]Imported, len(rows))
	for i, r := range rows {
		r.Report = ""
		var err error
		if list[i], err = imported(r); err != nil {
			return paging.Page[Imported]{}, err
		}
	}
	return paging.Cut(list, paging.Size, func(i Imported) paging.Cursor { return paging.Cursor{At: i.CreatedAt, ID: i.ID} }), nil
}

// GetImport returns one import, with what it changed as far as pages show it. It needs the right actor.SeeFigures; the fault is NotFound,
// error.legislators_import_unknown.
func (s *Service) GetImport(ctx context.Context, a actor.Actor, id uuid.UUID) (Imported, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return Imported{}, err
	}
	row, err := s.find(ctx, s.DB.DB, id)
	if err != nil {
		return Imported{}, err
	}
	out, err := imported(row)
	if err != nil || row.State != models.ImportApplied {
		return out, err
	}
	err = s.DB.WithContext(ctx).Table("legislator_changes AS x").Joins("JOIN legislators l ON l.id = x.legislator_id").Where("x.import_id = ?", id).
		Select("x.kind, l.name, x.before_text AS before, x.after_text AS after, l.id").Order("x.id").Limit(shownChanges).Scan(&out.Result.Changes).Error
	return out, err
}
