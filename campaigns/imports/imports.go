// Package imports brings people in from lists that were kept elsewhere.
//
// The rules: columns are found by what their headers mean, never by exact names or order. Before anything is written the
// organizer sees the mapping and a dry run: how many are new, updated, unchanged, suppressed, skipped. What no column is
// mapped to is not kept. A bad row is handed back with its line and the reason, and the rest goes on. What a record says is
// never written over; only what is empty is filled. Who unsubscribed, bounced or complained elsewhere becomes a suppression
// here, never a subscription, wherever in the file or the ZIP that stands. Nobody may be mailed because they stood in a file:
// a consent is recorded only where the organizer says what people agreed to, where and when, and never for somebody who is
// suppressed or who withdrew here. Who had their data erased is not brought back.
//
// An account of a chapter brings in people of that chapter. An address that belongs to somebody else is left as it is and
// counted as unchanged, like a person of the chapter about whom the file says nothing new; so is one that was erased.
//
// The same file twice changes nothing. A file is written in batches, each one transaction that also notes how far it came,
// so an import that was killed goes on where it stopped.
package imports

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/paging"
	"kithline/campaigns/petitions"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Options of a Service. All are needed; Petitions for CountElsewhere only.
type Options struct {
	DB        *database.DB
	Vault     *vault.Vault
	Clock     clock.Clock
	Files     *files.Service
	Petitions *petitions.Service
	Enqueue   func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error // jobs.Client.Enqueue
	Words     Words                                                            // the reasons in the file of errors: web.Web.Text
}

// Service reads lists of people. It is safe for concurrent use.
type Service struct {
	Options
	batch int // rows in one transaction; 0: by the time that they take
}

// New makes the service. Register its workers with AddWorkers.
func New(o Options) *Service { return &Service{Options: o} }

// MaxUpload is the largest file that the page takes, in bytes. The command line takes any size.
const MaxUpload = 200 << 20

// keep is how long an upload and a file of errors are kept.
const keep = 7 * 24 * time.Hour

var errUnknown = fault.New(fault.NotFound, "error.import_unknown")

// Basis is on what ground people may be mailed: what they agreed to, where and when. The zero value is none: contactable
// for nothing.
type Basis struct {
	Purpose    models.Purpose // "", PurposeUpdates or PurposeNewsletter
	CampaignID uuid.UUID      // PurposeUpdates only
	Text       string         // the words they agreed to
	Source     string         // where and when
}

// check returns the basis as it is stored, or an Invalid fault that names the fields of the form: basis, campaign, words,
// source.
func (b Basis) check(ctx context.Context, tx *gorm.DB) (Basis, error) {
	var bad fault.Fields
	b.Text, b.Source = strings.TrimSpace(b.Text), flat(b.Source)
	switch b.Purpose {
	case "":
		return Basis{}, nil
	case models.PurposeNewsletter:
		b.CampaignID = uuid.Nil
	case models.PurposeUpdates:
		var n int64
		if err := tx.WithContext(ctx).Model(&models.Campaign{}).Where("id = ? AND state <> ?", b.CampaignID, models.CampaignArchived).Count(&n).Error; err != nil {
			return Basis{}, err
		}
		if n == 0 {
			bad.Add("campaign", "error.import_campaign")
		}
	default:
		bad.Add("basis", "error.import_basis")
	}
	if b.Text == "" || utf8.RuneCountInString(b.Text) > 2000 {
		bad.Add("words", "error.import_words")
	}
	if b.Source == "" || utf8.RuneCountInString(b.Source) > 300 {
		bad.Add("source", "error.import_source")
	}
	return b, bad.Err()
}

// words stores the exact words of a basis; nil where there are none.
func (b Basis) words(ctx context.Context, tx *gorm.DB, locale string, now time.Time) (*uuid.UUID, error) {
	if b.Purpose == "" {
		return nil, nil
	}
	t, err := consents.Text(ctx, tx, b.Purpose, locale, b.Text, now)
	return &t.ID, err
}

// CampaignBySlug finds the campaign of a basis by its address. It needs the right actor.Import; the fault is NotFound,
// error.import_campaign.
func (s *Service) CampaignBySlug(ctx context.Context, a actor.Actor, slug string) (uuid.UUID, error) {
	if err := a.Need(actor.Import); err != nil {
		return uuid.Nil, err
	}
	var c models.Campaign
	err := s.DB.WithContext(ctx).Select("id").Where("slug = ?", slug).Take(&c).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return uuid.Nil, fault.New(fault.NotFound, "error.import_campaign")
	}
	return c.ID, err
}

// Import is an import as the pages show it.
type Import struct {
	models.Import
	Counts   Counts
	FileName string
	Campaign string // title of the basis' campaign
	Tag      string // for everybody in the file
	Gone     bool   // the upload is not kept any more: it cannot be read again
}

// Checked reports whether a dry run is done and the import may begin.
func (i Import) Checked() bool { return i.State == models.ImportFinished && i.DryRun }

// Done reports whether the import itself is done.
func (i Import) Done() bool { return i.State == models.ImportFinished && !i.DryRun }

// Running reports whether a dry run or the import itself is under way.
func (i Import) Running() bool { return i.State == models.ImportRunning }

func countsOf(m models.Import) Counts {
	return Counts{
		Rows: m.RowsDone, New: m.NewCount, Updated: m.UpdatedCount, Unchanged: m.UnchangedCount, Suppressed: m.SuppressedCount, Skipped: m.SkippedCount,
		Consents: m.ConsentCount, Held: m.HeldCount,
	}
}

func columnsOf(c Counts) map[string]any {
	return map[string]any{
		"rows_done": c.Rows, "new_count": c.New, "updated_count": c.Updated, "unchanged_count": c.Unchanged, "suppressed_count": c.Suppressed,
		"skipped_count": c.Skipped, "consent_count": c.Consents, "held_count": c.Held,
	}
}

func basisOf(m models.Import) Basis {
	return Basis{Purpose: models.Purpose(m.BasisPurpose), CampaignID: m.BasisScopeID, Text: m.BasisText, Source: m.BasisSource}
}

// Get returns an import. It needs the right actor.Import; the fault is NotFound, error.import_unknown.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (Import, error) {
	if err := a.Need(actor.Import); err != nil {
		return Import{}, err
	}
	m, err := s.find(ctx, s.DB.Scopes(chapters.Scope(a, "chapter_id")), id)
	if err != nil {
		return Import{}, err
	}
	list, err := s.dress(ctx, []models.Import{m})
	if err != nil {
		return Import{}, err
	}
	return list[0], nil
}

// List returns imports, newest first. It needs the right actor.Import.
func (s *Service) List(ctx context.Context, a actor.Actor, after paging.Cursor) (paging.Page[Import], error) {
	if err := a.Need(actor.Import); err != nil {
		return paging.Page[Import]{}, err
	}
	q := s.DB.WithContext(ctx).Scopes(chapters.Scope(a, "chapter_id")).Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if !after.First() {
		q = q.Where("(created_at, id) < (?, ?)", after.At, after.ID)
	}
	var rows []models.Import
	if err := q.Find(&rows).Error; err != nil {
		return paging.Page[Import]{}, err
	}
	list, err := s.dress(ctx, rows)
	if err != nil {
		return paging.Page[Import]{}, err
	}
	return paging.Cut(list, paging.Size, func(i Import) paging.Cursor { return paging.Cursor{At: i.CreatedAt, ID: i.ID} }), nil
}

// dress adds what pages show beside the row.
func (s *Service) dress(ctx context.Context, rows []models.Import) ([]Import, error) {
	out := make([]Import, len(rows))
	var fileIDs, campaignIDs, tagIDs []uuid.UUID
	for i, m := range rows {
		out[i] = Import{Import: m, Counts: countsOf(m)}
		if m.FileID != nil {
			fileIDs = append(fileIDs, *m.FileID)
		}
		if m.TagID != nil {
			tagIDs = append(tagIDs, *m.TagID)
		} else if p, err := planOf(m.Mapping); err == nil {
			out[i].Tag = p.Tag
		}
		if m.BasisScopeID != uuid.Nil {
			campaignIDs = append(campaignIDs, m.BasisScopeID)
		}
	}
	var stored []models.File
	var named []models.Campaign
	var tags []models.Tag
	if len(tagIDs) > 0 {
		if err := s.DB.WithContext(ctx).Where("id IN ?", tagIDs).Find(&tags).Error; err != nil {
			return nil, err
		}
	}
	if len(fileIDs) > 0 {
		if err := s.DB.WithContext(ctx).Where("id IN ?", fileIDs).Find(&stored).Error; err != nil {
			return nil, err
		}
	}
	if len(campaignIDs) > 0 {
		if err := s.DB.WithContext(ctx).Select("id", "title").Where("id IN ?", campaignIDs).Find(&named).Error; err != nil {
			return nil, err
		}
	}
	for i := range out {
		for _, f := range stored {
			if out[i].FileID != nil && f.ID == *out[i].FileID {
				out[i].Gone = !f.Open(s.Clock.Now())
				name, err := s.Files.Name(f)
				if err != nil {
					return nil, err
				}
				out[i].FileName = name
			}
		}
		for _, t := range tags {
			if out[i].TagID != nil && t.ID == *out[i].TagID {
				out[i].Tag = t.Name
			}
		}
		for _, c := range named {
			if c.ID == out[i].BasisScopeID {
				out[i].Campaign = c.Title
			}
		}
	}
	return out, nil
}

func (s *Service) find(ctx context.Context, tx *gorm.DB, id uuid.UUID) (models.Import, error) {
	var m models.Import
	err := tx.WithContext(ctx).Where("id = ?", id).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return m, errUnknown
	}
	return m, err
}

// ErrorFile opens the rows that were not taken, as CSV. The caller closes it. It needs the right actor.Import; the faults
// are NotFound, error.import_unknown, and Gone, error.file_expired.
func (s *Service) ErrorFile(ctx context.Context, a actor.Actor, id uuid.UUID) (io.ReadCloser, error) {
	if err := a.Need(actor.Import); err != nil {
		return nil, err
	}
	m, err := s.find(ctx, s.DB.Scopes(chapters.Scope(a, "chapter_id")), id)
	if err != nil {
		return nil, err
	}
	if m.ErrorFileID == nil {
		return nil, errUnknown
	}
	rc, _, err := s.Files.Open(ctx, *m.ErrorFileID)
	if err != nil {
		return nil, err
	}
	if err := s.audit(ctx, s.DB.DB, a, "import.errors_read", id, map[string]any{"rows": m.SkippedCount}); err != nil {
		return nil, errors.Join(err, rc.Close())
	}
	return rc, nil
}
