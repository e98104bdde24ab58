package admin

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/exports"
	"kithline/models"
)

// Every page of exports runs in every language and in every state.
func TestPagesOfExports(t *testing.T) {
	now, until := webtest.Time, webtest.Time.Add(7*24*time.Hour)
	file := uuid.New()
	row := func(kind, format string, state models.ExportState) exports.Export {
		e := exports.Export{Export: models.Export{ID: uuid.New(), Kind: kind, Format: format, State: state, RowsDone: 1204, CreatedAt: now, UpdatedAt: now}, Columns: []string{"email", "field_shirt"}}
		if state == models.ExportFinished {
			e.FileID, e.Size, e.Until = &file, 1<<20, &until
		}
		return e
	}
	failed := row(exports.KindSupporters, exports.XLSX, models.ExportFailed)
	failed.Message = "error.export_sheet_full"
	gone := row(exports.KindSupporters, exports.JSONL, models.ExportFinished)
	gone.Gone = true
	partner := row(exports.KindSupporters, exports.CSV, models.ExportFinished)
	partner.Purpose, partner.Scope, partner.Segment = models.PurposeShare, "A clinic", "Volunteers"
	signatures := row(exports.KindSignatures, exports.XLSX, models.ExportFinished)
	signatures.Title, signatures.Columns = "Twenty visits", nil
	all := []exports.Export{
		row(exports.KindSupporters, exports.CSV, models.ExportWaiting), row(exports.KindSupporters, exports.CSV, models.ExportRunning), failed, gone, partner, signatures,
		row(exports.KindEverything, exports.ZIP, models.ExportFinished),
	}
	for i, e := range all {
		webtest.All(t, "admin/exports/", func(_ *web.Web, p web.Page) map[string]any {
			list := &exportsPage{Page: p, Next: "x", All: i%2 == 0}
			if i > 0 {
				list.Rows, list.Petitions = all, []web.Option{{Value: "a", Label: "Twenty visits"}}
				list.Letters = []web.Option{{Value: "b", Label: "Write <them>"}}
			}
			form := &exportFormPage{Page: p, Form: exportForm{Columns: exports.Usual, Format: exports.CSV}, Segments: []web.Option{{Label: "Everybody"}, {Value: "x", Label: "Some"}}, Columns: []web.Option{{Value: "email", Label: "E-mail"}}}
			for _, purpose := range models.Purposes {
				form.Purposes = append(form.Purposes, web.Option{Value: string(purpose), Label: purposeLabel(p, purpose, "")})
				if purpose.Scope() != "" {
					form.Purposes = append(form.Purposes, web.Option{Value: string(purpose) + ":x", Label: purposeLabel(p, purpose, "A thing")})
				}
			}
			return map[string]any{"admin/exports/list": list, "admin/exports/new": form, "admin/exports/show": &exportPage{Page: p, Export: e, Stalled: i == 1}}
		})
	}
}
