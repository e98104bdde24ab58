// Package packs makes what is handed to who decides: one ZIP with a PDF to read, the list of signatures as CSV, and a manifest with
// the counts, and with the size and hash of each file.
//
// The rules: who makes a pack needs the right to export, for the whole organisation, and is written down when it is asked for, when it
// is done and each time it is fetched. A name stands in it as its owner chose to show it, an anonymous one as "A supporter", a place
// only where at least ten signed, counts by district by the same rule, comments only if an organizer showed them and chose them for
// this pack. What was signed on paper is a number; what was counted elsewhere stands apart and adds to nothing. A pack is sealed in the
// store and gone after seven days. When somebody is erased while one is made, it is made again.
//
// Signatures are read once, by key: the CSV is written on the way, and no more than the lines of the PDF's list are kept.
package packs

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
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/organisation"
	"kithline/models"
	"kithline/models/database"
)

// Words are what a pack needs of the locale files: app/web has all three.
type Words struct {
	Text   func(lang, key string, args ...any) string
	Date   func(lang string, t time.Time) string
	Number func(lang string, n int64) string
}

// Options of a Service. All are needed.
type Options struct {
	DB           *database.DB
	Clock        clock.Clock
	Files        *files.Service
	Organisation *organisation.Service
	Enqueue      func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error // jobs.Client.Enqueue
	BaseURL      string                                                           // of the site, without a slash at the end
	Words        Words
}

// Service makes packs. It is safe for concurrent use.
type Service struct{ Options }

// New makes the service. Register its workers with AddWorkers.
func New(o Options) *Service { return &Service{o} }

// Limits of a pack.
const (
	keep        = 7 * 24 * time.Hour
	CommentsMax = 50      // chosen for one pack
	offered     = 200     // comments to choose from, the newest
	listMax     = 200_000 // names in the PDF; the CSV has all
	shownPacks  = 20
)

// The states of a pack, beside failed.
const (
	waiting = "waiting"
	running = "running"
	done    = "done"
)

// Pack is a pack as the page shows it.
type Pack struct {
	models.PetitionPack
	Size  int64
	Until *time.Time
	Gone  bool // not kept any more
}

// Running reports whether the pack waits or is under way.
func (p Pack) Running() bool { return p.State == waiting || p.State == running }

// Ready reports whether there is a file to fetch.
func (p Pack) Ready() bool { return p.State == done && !p.Gone && p.FileID != nil }

// Name is what the file is called on the way out.
func (p Pack) Name() string {
	return "petition-" + p.CreatedAt.UTC().Format("2006-01-02-1504") + ".zip"
}

// options are those of one pack, as they are kept.
type options struct {
	Comments []uuid.UUID `json:"comments"`
}

// may checks the right to make and fetch packs. Somebody of a chapter has it for nobody's petition: a pack holds everybody who signed.
func may(a actor.Actor) error {
	if err := a.Need(actor.Export); err != nil {
		return err
	}
	if a.Chapter() != nil {
		return fault.New(fault.Forbidden, "error.forbidden", "Right", string(actor.Export))
	}
	return nil
}

func (s *Service) petition(ctx context.Context, tx *gorm.DB, id uuid.UUID) (models.Petition, error) {
	var p models.Petition
	err := tx.WithContext(ctx).Where("id = ?", id).Take(&p).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return p, fault.New(fault.NotFound, "error.petition_unknown")
	case err == nil && !p.State.Public():
		return p, fault.New(fault.Conflict, "error.petition_not_public")
	}
	return p, err
}

// Ask begins a pack with some of the comments that Comments offers; a job makes it. It needs actor.Export for the whole
// organisation. The faults are NotFound, error.petition_unknown; Conflict, error.petition_not_public; Invalid with the field
// comments.
func (s *Service) Ask(ctx context.Context, a actor.Actor, petition uuid.UUID, comments []uuid.UUID) (uuid.UUID, error) {
	if err := may(a); err != nil {
		return uuid.Nil, err
	}
	if len(comments) > CommentsMax {
		return uuid.Nil, fault.Fields{{Name: "comments", Key: "error.pack_comments", Args: []any{"Max", CommentsMax}}}.Err()
	}
	if comments == nil {
		comments = []uuid.UUID{}
	}
	b, err := json.Marshal(options{comments})
	if err != nil {
		return uuid.Nil, err
	}
	now := s.Clock.Now()
	m := models.PetitionPack{ID: models.NewID(), PetitionID: petition, Options: string(b), State: waiting, CreatedBy: a.Account(), CreatedAt: now, UpdatedAt: now}
	return m.ID, s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := s.petition(ctx, tx, petition); err != nil {
			return err
		}
		if err := tx.Create(&m).Error; err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, a, now, "pack.ask", "petition_packs", m.ID, map[string]any{"petition": petition, "comments": len(comments)}); err != nil {
			return err
		}
		return s.Enqueue(ctx, tx, RunArgs{PackID: m.ID})
	})
}

// List returns the packs of a petition, newest first. It needs what Ask needs.
func (s *Service) List(ctx context.Context, a actor.Actor, petition uuid.UUID) ([]Pack, error) {
	if err := may(a); err != nil {
		return nil, err
	}
	var rows []models.PetitionPack
	if err := s.DB.WithContext(ctx).Where("petition_id = ?", petition).Order("created_at DESC, id DESC").Limit(shownPacks).Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make([]Pack, len(rows))
	for i, m := range rows {
		out[i] = Pack{PetitionPack: m}
		if m.FileID == nil {
			continue
		}
		f, err := s.Files.Get(ctx, *m.FileID)
		if err != nil {
			return nil, err
		}
		out[i].Size, out[i].Until, out[i].Gone = f.Size, f.ExpiresAt, !f.Open(s.Clock.Now())
	}
	return out, nil
}

// Open opens the file of a pack, which is noted each time. The caller closes it. It needs what Ask needs. The faults are NotFound,
// error.pack_unknown, and Gone, error.file_expired.
func (s *Service) Open(ctx context.Context, a actor.Actor, petition, id uuid.UUID) (io.ReadCloser, Pack, error) {
	if err := may(a); err != nil {
		return nil, Pack{}, err
	}
	var m models.PetitionPack
	err := s.DB.WithContext(ctx).Where("id = ? AND petition_id = ?", id, petition).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && m.FileID == nil {
		err = fault.New(fault.NotFound, "error.pack_unknown")
	}
	if err != nil {
		return nil, Pack{}, err
	}
	rc, _, err := s.Files.Open(ctx, *m.FileID)
	if err != nil {
		return nil, Pack{}, err
	}
	if err := audit.Write(ctx, s.DB.DB, a, s.Clock.Now(), "pack.fetch", "petition_packs", id, map[string]any{"petition": petition, "signatures": m.SignatureCount}); err != nil {
		return nil, Pack{}, errors.Join(err, rc.Close())
	}
	return rc, Pack{PetitionPack: m}, nil
}

// Comment is one that can be chosen.
type Comment struct {
	ID   uuid.UUID
	Text string
	Name string // "" for anonymous
}

// Comments lists the newest comments of a petition that an organizer showed. It needs what Ask needs.
func (s *Service) Comments(ctx context.Context, a actor.Actor, petition uuid.UUID) ([]Comment, error) {
	if err := may(a); err != nil {
		return nil, err
	}
	rows, err := shownComments(s.DB.WithContext(ctx).Where("petition_id = ?", petition).Limit(offered))
	out := make([]Comment, len(rows))
	for i, g := range rows {
		out[i] = Comment{g.ID, g.CommentShown, g.DisplayName}
	}
	return out, err
}

// shownComments reads signatures whose comment everybody can read, the newest first.
func shownComments(q *gorm.DB) ([]models.Signature, error) {
	var rows []models.Signature
	err := q.Select("id", "display_name", "postal_area", "comment_shown", "confirmed_at").
		Where("state = 'confirmed' AND comment_state = 'shown' AND comment_shown <> ''").
		Order("confirmed_at DESC, id DESC").Find(&rows).Error
	return rows, err
}

// chosen reads the comments of a pack that everybody can still read, in the order of their signatures.
func (s *Service) chosen(ctx context.Context, petition uuid.UUID, ids []uuid.UUID) ([]models.Signature, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := shownComments(s.DB.WithContext(ctx).Where("petition_id = ? AND id IN ?", petition, ids))
	slices.Reverse(rows)
	return rows, err
}
