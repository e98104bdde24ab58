package admin

import (
	"testing"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/consents"
	"kithline/campaigns/figures"
	"kithline/campaigns/forms"
	"kithline/campaigns/paging"
	"kithline/models"
)

// Every page about forms and consents runs in every language, empty and full.
func TestPagesOfFormsAndConsents(t *testing.T) {
	now := webtest.Time
	row := models.Form{ID: uuid.New(), Slug: "tell-us", Title: "Tell <us>", Locale: "es", State: models.FormOpen, SubmissionCount: 1234, EmbedHosts: "https://www.example.org", CreatedAt: now}
	draft := models.Form{ID: uuid.New(), Title: "x", Locale: "en", State: models.FormDraft, CreatedAt: now}
	topic := models.Topic{ID: uuid.New(), Name: "Research <trials>", About: "Twice a year."}
	old := models.Topic{ID: uuid.New(), Name: "Old", ArchivedAt: &now}
	partner := models.Partner{ID: uuid.New(), Name: "Partner <one>", Website: "https://example.org"}
	gone := models.Partner{ID: uuid.New(), Name: "Gone", ArchivedAt: &now}
	version := models.ConsentText{Version: 2, Locale: "en", Body: "Mail about {topic}.\nEnds.", CreatedAt: now}
	bad := func(p web.Page, fields ...string) web.Page {
		for _, f := range fields {
			p.Errors = append(p.Errors, web.FieldError{Name: f, Text: "Wrong."})
		}
		return p
	}
	for _, full := range []bool{false, true} {
		webtest.All(t, "admin/forms/", func(_ *web.Web, p web.Page) map[string]any {
			list, start := formList{Page: p}, formStart{Page: p}
			edit := formEdit{Page: p, Row: draft, Form: formDraft{Locale: "en", Consents: []string{}}, Questions: []questionRow{{Key: "given_name", Label: "Given name", Order: "10"}}}
			show := formReport{Page: p, Report: forms.Report{Form: draft, Days: make([]figures.Day, 30)}}
			if full {
				list.Rows = paging.Page[models.Form]{Rows: []models.Form{row, draft}, Next: paging.Cursor{At: now, ID: row.ID}.String()}
				start.Page = bad(p, "title", "locale")
				edit.Page = bad(p, "", "title", "intro", "questions", "tags", "hosts", "chapter", "campaign", "consents")
				edit.Row, edit.Stored = row, &row
				edit.Questions = append(edit.Questions, questionRow{Key: forms.FieldKey(uuid.New()), Label: "What <helps>?", Private: true, Ask: "required", Order: "20"})
				edit.Choices = forms.Choices{
					Boxes:    []consents.Box{{Words: "Calls <you>\nOnce.", Ask: consents.Ask{Purpose: models.PurposePhone}}},
					Chapters: []models.Chapter{{ID: uuid.New(), Name: "North"}}, Campaigns: []models.Campaign{{ID: uuid.New(), Title: "Visits"}},
				}
				show.Report.Form, show.Report.Pending, show.Embed, show.Link = row, 3, "<iframe></iframe>", "https://act.example.org/forms/tell-us"
				show.Sources = []web.Option{{Label: "poster", Value: "12"}}
			}
			show.Report.Form.CreatedAt = now
			for i := range show.Report.Days {
				show.Report.Days[i].Day = now.AddDate(0, 0, i-29)
			}
			show.Chart = (&formAdmin{}).chart(p, show.Report)
			return map[string]any{"admin/forms/list": &list, "admin/forms/new": &start, "admin/forms/edit": &edit, "admin/forms/show": &show}
		})
		webtest.All(t, "admin/topics/", func(_ *web.Web, p web.Page) map[string]any {
			list, one := topicList{Page: p, Wordings: []consents.Wording{{Name: "phone", Body: "x", BuiltIn: true}}}, topicPage{Page: p, Topic: topic}
			of, words := partnerPage{Page: p}, wordingPage{Page: p, Wording: consents.Wording{Name: "phone"}, Form: wordingForm{Language: "en"}, Places: "{topic}"}
			if full {
				list.Page, one.Page, of.Page, words.Page = bad(p, "name", "about"), bad(p, "name", "about"), bad(p, "website"), bad(p, "body")
				list.Topics, list.Partners = []models.Topic{topic, old}, []models.Partner{partner, gone}
				one.Topic, of.Partner = old, gone
				words.Wording.Versions, words.Wording.Shown = []models.ConsentText{version}, []consents.ShownText{{Body: "Mail about trials.", CreatedAt: now, InForce: 3}}
			}
			return map[string]any{"admin/topics/list": &list, "admin/topics/topic": &one, "admin/topics/partner": &of, "admin/topics/wording": &words}
		})
	}
}
