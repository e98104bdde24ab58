package admin

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/erasures"
	"kithline/campaigns/retention"
)

// Every page about forgetting runs in every language and in every state.
func TestPagesOfForgetting(t *testing.T) {
	now := webtest.Time
	later := now.Add(time.Hour)
	row := erasures.Row{ID: uuid.New(), How: erasures.ByPerson, At: now}
	for _, full := range []bool{true, false} {
		webtest.All(t, "admin/erasures/", func(_ *web.Web, p web.Page) map[string]any {
			list, one := erasuresPage{Page: p}, erasePage{Page: p, ID: row.ID.String(), Look: erasures.Receipt{Addresses: 1, Signatures: 2, Account: full}}
			if full {
				list.Rows, list.Next, list.Count = []erasures.Row{row, {ID: uuid.New(), How: erasures.ByOrganizer, At: now}, {ID: uuid.New(), How: erasures.ByRestore, At: now}}, "abc", 3
			} else {
				list.Errors = []web.FieldError{{Name: "addresses", Text: "Wrong."}, {Name: "sure", Text: "Wrong."}}
				one.Errors = []web.FieldError{{Name: "sure", Text: "Wrong."}}
			}
			return map[string]any{"admin/erasures/list": &list, "admin/erasures/one": &one, "admin/erasures/receipt": &receiptPage{p, row}}
		})
		for _, state := range []string{"keeps", "on", "done", "now", "later"} {
			webtest.All(t, "admin/retention/", func(_ *web.Web, p web.Page) map[string]any {
				due := dueRow{retention.Due{ID: uuid.New(), Title: "Twenty visits", Months: 12, Ended: &now, On: &later, Signatures: 3184, Records: 2, Comments: 1, Letters: 12, Kept: 2}, state}
				list, one := retentionPage{Page: p, Form: monthsForm{24}}, campaignRetentionPage{Page: p, Form: monthsForm{12}, Campaign: due, Looked: full}
				if full {
					list.Rows, list.Next = []dueRow{due}, "abc"
				} else {
					list.Errors, one.Errors = []web.FieldError{{Name: "months", Text: "Wrong."}}, []web.FieldError{{Name: "months", Text: "Wrong."}}
					one.Form.Months = 0
				}
				return map[string]any{"admin/retention/list": &list, "admin/retention/one": &one}
			})
		}
	}
}
