package imports

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
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
	Content []byte
	Locale  string
}

// Upload keeps a file, sealed and for seven days, and notes which columns it seems to have. Nothing is imported. It needs
// the right actor.Import. What the file cannot be is an Invalid fault on the field "file".
func (s *Service) Upload(ctx context.Context, a actor.Actor, in UploadInput) (uuid.UUID, error) {
	if err := a.Need(actor.Import); err != nil {
		return uuid.Nil, err
	}
	wrong := func(err error) error {
		var e *fault.Error
		if errors.As(err, &e) && e.Kind == fault.Invalid {
			return &fault.Error{Kind: fault.Invalid, Key: "error.check_fields", Fields: fault.Fields{{Name: "file", Key: e.Key, Args: e.Args}}}
		}
		return err
	}
	if len(in.Content) > MaxUpload {
		return uuid.Nil, wrong(fault.New(fault.Invalid, "error.file_too_large", "Max", itoa(MaxUpload>>20)))
	}
	head, rows, err := survey(bytes.NewReader(in.Content))
	if err != nil {
		return uuid.Nil, wrong(err)
	}
	mapping, err := json.Marshal(head.Mapping)
	if err != nil {
		return uuid.Nil, err
	}
	now := s.Clock.Now()
	until := now.Add(keep)
	m := models.Import{
		ID: models.NewID(), State: models.ImportUploaded, DryRun: true, Mapping: string(mapping), Locale: in.Locale, RowsTotal: rows, CreatedAt: now, UpdatedAt: now,
	}
	m.CreatedBy = a.Account()
	f, err := s.Files.Write(ctx, files.PutInput{
		Kind: models.FileImport, Name: in.Name, ContentType: "text/csv", ExpiresAt: &until, By: m.CreatedBy,
	}, bytes.NewReader(in.Content))
	if err != nil {
		return uuid.Nil, err
	}
	m.FileID = &f.ID
	return m.ID, s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := s.Files.Insert(ctx, tx, f); err != nil {
			return err
		}
		if err := tx.Create(&m).Error; err != nil {
			return err
		}
		return s.audit(ctx, tx, a, "import.upload", m.ID, map[string]any{"rows": rows, "bytes": len(in.Content)})
	})
}

// Head is what the beginning of a file shows.
type Head struct {
	Columns   []string
	Bare      bool // no headers: columns are called 1, 2 ...
	Encoding  string
	Delimiter byte
	Mapping   Mapping  // as found by the headers
	Twice     []string // headers that stand more than once
	First     []Row    // the first rows, bad ones among them
}

// previewRows is how many rows a preview shows.
const previewRows = 5

// look reads the head of a file.
func look(r io.Reader) (*Reader, Head, error) {
	d, err := NewReader(r)
	if err != nil {
		return nil, Head{}, err
	}
	h := Head{Columns: d.Columns(), Bare: d.Bare(), Delimiter: d.Delimiter(), Twice: Twice(d.Columns())}
	for len(h.First) < previewRows {
		row, err := d.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, Head{}, err
		}
		h.First = append(h.First, row)
	}
	if h.Bare {
		h.Mapping = mapBare(h.First[0].Cells)
	} else {
		h.Mapping = Map(h.Columns)
	}
	h.Encoding = d.Encoding()
	return d, h, nil
}

// survey reads a whole file and counts its rows.
func survey(r io.Reader) (Head, int, error) {
	d, h, err := look(r)
	if err != nil {
		return Head{}, 0, err
	}
	n := len(h.First)
	for {
		if _, err := d.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return Head{}, 0, err
		}
		n++
	}
	if n == 0 {
		return Head{}, 0, fault.New(fault.Invalid, "error.import_empty")
	}
	h.Encoding = d.Encoding()
	return h, n, nil
}

// Preview reads the head of an upload again, with its mapping as it is stored now. It needs the right actor.Import; the
// faults are NotFound, error.import_unknown, and Gone, error.file_expired.
func (s *Service) Preview(ctx context.Context, a actor.Actor, id uuid.UUID) (Head, Mapping, error) {
	if err := a.Need(actor.Import); err != nil {
		return Head{}, nil, err
	}
	m, err := s.find(ctx, s.DB.DB, id)
	if err != nil {
		return Head{}, nil, err
	}
	if m.FileID == nil {
		return Head{}, nil, fault.New(fault.Gone, "error.file_expired")
	}
	rc, _, err := s.Files.Open(ctx, *m.FileID)
	if err != nil {
		return Head{}, nil, err
	}
	defer func() { _ = rc.Close() }()
	_, h, err := look(rc)
	if err != nil {
		return Head{}, nil, err
	}
	stored, err := mappingOf(m)
	return h, stored, err
}
