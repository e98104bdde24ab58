package imports

import (
	"context"
	"errors"
	"io"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/models"
)

func (s *Service) audit(ctx context.Context, tx *gorm.DB, a actor.Actor, action string, id uuid.UUID, details map[string]any) error {
	return audit.Write(ctx, tx, a, s.Clock.Now(), action, "imports", id, details)
}

// UploadInput is a file as a browser sent it. Locale is the language of whoever sent it.
type UploadInput struct {
	Name    string
	Content io.Reader
	Locale  string
}

// Upload keeps a file, sealed and for seven days, and notes which columns it seems to have. It is sealed as it arrives and
// never lies in memory. Nothing is imported. It needs the right actor.Import. What the file cannot be is an Invalid fault on
// the field "file", and the file is not kept then; an error of in.Content comes back as it is.
func (s *Service) Upload(ctx context.Context, a actor.Actor, in UploadInput) (uuid.UUID, error) {
	if err := a.Need(actor.Import); err != nil {
		return uuid.Nil, err
	}
	wrong := func(err error) error {
		var e *fault.Error
		if errors.As(err, &e) && e.Kind == fault.Invalid {
			if e.Key == "error.file_large" {
				e = &fault.Error{Key: "error.upload_large"}
			}
			return &fault.Error{Kind: fault.Invalid, Key: "error.check_fields", Fields: fault.Fields{{Name: "file", Key: e.Key, Args: e.Args}}}
		}
		return err
	}
	now := s.Clock.Now()
	until := now.Add(keep)
	m := models.Import{ID: models.NewID(), State: models.ImportUploaded, DryRun: true, Locale: in.Locale, ChapterID: a.Chapter(), CreatedAt: now, UpdatedAt: now}
	m.CreatedBy = a.Account()
	f, err := s.Files.Write(ctx, files.PutInput{
		Kind: models.FileImport, Name: in.Name, ContentType: "application/octet-stream", ExpiresAt: &until, By: m.CreatedBy, MaxSize: MaxUpload,
	}, in.Content)
	if err != nil {
		return uuid.Nil, wrong(err)
	}
	f.ChapterID = m.ChapterID
	head, rows, err := s.survey(ctx, f)
	if err != nil {
		return uuid.Nil, wrong(errors.Join(err, s.Files.Discard(context.WithoutCancel(ctx), f)))
	}
	if m.Mapping, err = (plan{Columns: head.Mapping}).text(); err != nil {
		return uuid.Nil, err
	}
	m.FileID, m.RowsTotal, m.Source = &f.ID, rows, head.Source
	return m.ID, s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := s.Files.Insert(ctx, tx, f); err != nil {
			return err
		}
		if err := tx.Create(&m).Error; err != nil {
			return err
		}
		return s.audit(ctx, tx, a, "import.upload", m.ID, map[string]any{"rows": rows, "bytes": f.Size})
	})
}

// Head is what the beginning of a file shows.
type Head struct {
	Columns   []string
	Bare      bool // no headers: columns are called 1, 2 ...
	Form      string
	Encoding  string
	Delimiter byte     // 0 where it is no text
	Source    string   // which program wrote the file, as far as its headers tell
	Left      []string // files of a ZIP and sheets of a workbook that are not read
	Mapping   Mapping  // as found by the headers
	Twice     []string // headers that stand more than once
	First     []Row    // the first rows, bad ones among them
}

// previewRows is how many rows a preview shows.
const previewRows = 5

// first looks at the first row without taking it.
func (t *table) first() ([]string, error) {
	if !t.Bare() {
		return nil, nil
	}
	row, err := t.rows.Next()
	if err != nil {
		return nil, err
	}
	t.rows = &pushed{t.rows, &row}
	return row.Cells, nil
}

// pushed is a file whose first row was looked at.
type pushed struct {
	rows
	row *Row
}

func (p *pushed) Next() (Row, error) {
	if p.row != nil {
		row := *p.row
		p.row = nil
		return row, nil
	}
	return p.rows.Next()
}

// guess is the mapping by the headers, or by the first row where there are none.
func (t *table) guess(first []string) Mapping {
	if t.Bare() {
		return mapBare(first)
	}
	return Map(t.Columns())
}

// look reads the head of a file.
func look(t *table) (Head, error) {
	h := Head{
		Columns: t.Columns(), Bare: t.Bare(), Form: t.form, Delimiter: t.Delimiter(), Source: SourceOf(t.Columns()), Left: t.left, Twice: Twice(t.Columns()),
	}
	first, err := t.first()
	if err != nil {
		return Head{}, err
	}
	h.Mapping = t.guess(first)
	for len(h.First) < previewRows {
		row, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Head{}, err
		}
		h.First = append(h.First, row)
	}
	h.Encoding = t.Encoding()
	return h, nil
}

// survey reads a whole file that was stored a moment ago and counts its rows.
func (s *Service) survey(ctx context.Context, f models.File) (h Head, n int, err error) {
	t, err := s.openStored(ctx, f)
	if err != nil {
		return Head{}, 0, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	if h, err = look(t); err != nil {
		return Head{}, 0, err
	}
	for {
		if _, err := t.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return Head{}, 0, err
		}
		if t.count%1000 == 0 && ctx.Err() != nil {
			return Head{}, 0, ctx.Err()
		}
	}
	if t.count == 0 {
		return Head{}, 0, fault.New(fault.Invalid, "error.import_empty")
	}
	h.Encoding = t.Encoding()
	return h, t.count, nil
}

// Preview reads the head of an upload again, with its mapping as it is stored now. It needs the right actor.Import; the
// faults are NotFound, error.import_unknown, and Gone, error.file_expired.
func (s *Service) Preview(ctx context.Context, a actor.Actor, id uuid.UUID) (h Head, stored Mapping, err error) {
	if err := a.Need(actor.Import); err != nil {
		return Head{}, nil, err
	}
	m, err := s.find(ctx, s.DB.DB, id)
	if err == nil && !chapters.May(a, m.ChapterID) {
		err = errUnknown
	}
	if err != nil {
		return Head{}, nil, err
	}
	if m.FileID == nil {
		return Head{}, nil, fault.New(fault.Gone, "error.file_expired")
	}
	t, err := s.open(ctx, *m.FileID)
	if err != nil {
		return Head{}, nil, err
	}
	defer func() { err = errors.Join(err, t.Close()) }()
	if h, err = look(t); err != nil {
		return Head{}, nil, err
	}
	p, err := planOf(m.Mapping)
	return h, p.Columns, err
}
