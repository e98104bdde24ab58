package admin

import (
	"html/template"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/figures"
	"kithline/campaigns/paging"
	"kithline/campaigns/petitions"
	"kithline/models"
)

// Every page of the organizer's side of petitions runs in every language, in every state.
func TestPagesOfPetitions(t *testing.T) {
	now := webtest.Time
	picture := uuid.New()
	base := models.Petition{
		ID: uuid.New(), Slug: "twenty-visits", Title: "Twenty <visits>", Summary: "Pass HB 412.", Body: "Text", Decider: "The Committee", WhyNow: "The hearing.",
		SystemChange: "Twenty visits.", Goal: 5000, Locale: "en", Revision: 3, CreatedAt: now, UpdatedAt: now, SignatureCount: 3184, PendingCount: 212,
		Place: "Wennick", DeadlineAt: &now, PictureID: &picture, ReturnReason: "source", ReturnText: "Which <study>?",
	}
	comment := func(name string, crisis bool) petitions.QueuedComment {
		return petitions.QueuedComment{ID: uuid.New(), PetitionID: base.ID, PetitionTitle: base.Title, Text: "It <was> \"so\".", Name: name, Place: "00012", At: now, Crisis: crisis}
	}
	var rows []models.Petition
	var states []models.Petition
	for _, s := range petitions.States {
		p := base
		p.State = s
		if s.Public() || s == models.PetitionHidden {
			p.PublishedAt = &now
		}
		if s == models.PetitionClosed {
			p.ClosedAt = &now
		}
		if s == models.PetitionSubmitted {
			p.SubmittedAt = &now
		}
		states = append(states, p)
	}
	paused := states[3]
	paused.PausedAt = &now
	rows = append(append(rows, states...), paused)
	days := make([]figures.Day, 30)
	for i := range days {
		days[i] = figures.Day{Day: now.Add(time.Duration(i-30) * 24 * time.Hour), Count: int64(i * 7 % 11)}
	}
	for i, row := range append(states, paused, models.Petition{ID: uuid.New(), State: models.PetitionDraft, Title: "x", Locale: "ar", Revision: 1}) {
		full := i%2 == 0
		webtest.All(t, "admin/petitions/", func(w *web.Web, p web.Page) map[string]any {
			h := &petitionAdmin{web: w}
			wrong := func(fields ...string) web.Page { // p, with these fields wrong
				q := p
				for _, f := range fields {
					if full {
						q.Errors = append(q.Errors, web.FieldError{Name: f, Text: "Wrong."})
					}
				}
				return q
			}
			text := []string{"title", "summary_text", "body", "decider", "why_now", "system_change", "goal", "deadline"}
			reasons := []web.Option{{Value: "source", Label: "A fact needs a source."}}
			edit := editPage{Page: wrong(append(text, "place", "locale", "")...), Petition: row}
			if row.PictureID == nil {
				edit.Page = wrong("picture")
			}
			said := petitions.Said{}
			if full {
				said.Claims = []petitions.Claim{{Claim: "A <fact>", SourceTitle: "A study", SourceURL: "https://example.org/a?b=1&c=2"}, {Claim: "Another", SourceURL: "ftp://example.org/x"}}
				said.Texts = []petitions.Text{{Locale: "es", Title: "Veinte <visitas>", Summary: "s", Body: "b", Decider: "d", WhyNow: "w", SystemChange: "c"}, {Locale: "ar"}}
				edit.Page = wrong(append(text, "place", "locale", "claim_1_url", "claim_2_source", "new_locale", "")...)
			}
			edit.Said, edit.Base = said, "/admin/petitions/1"
			edit.HasPicture = row.PictureID != nil
			edit.Fill(edit.Page, web.PetitionFormOf(row, said.Claims, time.UTC))
			read := readPage{Page: wrong(text...), Petition: row, Body: template.HTML("<p>Text</p>"), Can: petitions.Can(p.Actor, row), Missing: full, Reasons: reasons}
			read.View, read.Said = petitions.View{Petition: row, Said: said}, said
			version := petitionTextPage{Page: wrong("title", "body"), Petition: row, Base: "/admin/petitions/1", Form: web.TextForm{Locale: "es", Title: "x"}, There: full}
			report := reportPage{Page: p, Petition: row, Can: petitions.Can(p.Actor, row), Moderate: full, MayPost: full, Report: petitions.Report{Petition: row, Days: days}}
			comments := commentsPage{Page: p}
			list := petitionList{Page: p, States: petitions.States}
			if full {
				edit.Stored = &base
				version.Stored = &said.Texts[0]
				read.PictureURL, read.Author = "/x.png", "Maren <O>"
				report.Author, report.Waiting = "Maren <O>", 7
				report.Queue, report.Shown, report.Hidden = []petitions.QueuedComment{comment("June O.", true), comment("", false)}, []petitions.QueuedComment{comment("June O.", false)}, []petitions.QueuedComment{comment("", false)}
				report.Report.Sources = []figures.Source{{Source: "", Count: 9}, {Source: "qr", Count: 3}, {Source: "mail", Count: 2}, {Source: "poster", Count: 1}}
				comments.Queue, comments.Waiting = report.Queue, 2
				list.Rows, list.State = paging.Page[models.Petition]{Rows: rows, Next: "abc"}, "draft"
			} else {
				report.Report.Days = make([]figures.Day, 30)
			}
			report.Chart = h.chart(p, report.Report)
			review := read
			review.Page = p
			if review.Does("return") {
				review.Page = wrong("reason", "text")
			}
			return map[string]any{
				"admin/petitions/list": &list, "admin/petitions/new": &petitionStart{Page: wrong("title", "locale"), Form: startForm{Title: "x", Locale: "en"}, Campaigns: make([]web.Option, 1+i%2)},
				"admin/petitions/text": &version,
				"admin/petitions/edit": &edit, "admin/petitions/preview": &readPage{Page: p, Petition: row, View: read.View, Can: read.Can, PictureURL: read.PictureURL},
				"admin/petitions/check": &read, "admin/petitions/review": &review, "admin/petitions/report": &report, "admin/petitions/comments": &comments,
			}
		})
	}
}
