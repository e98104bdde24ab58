package public

import (
	"html/template"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/petitions"
	"kithline/models"
)

// Every page of somebody who starts a petition without an account runs in every language, in every state.
func TestPagesOfStarts(t *testing.T) {
	now := webtest.Time
	picture := uuid.New()
	base := models.Petition{
		ID: uuid.New(), Slug: "twenty-visits", Title: "Twenty <visits>", Summary: "Pass HB 412.", Body: "Text", Decider: "The Committee", WhyNow: "The hearing.",
		SystemChange: "Twenty visits.", Goal: 5000, Locale: "en", Revision: 3, CreatedAt: now, UpdatedAt: now, SignatureCount: 3184,
		Place: "Wennick", DeadlineAt: &now, PictureID: &picture, PictureAlt: "Three <people>", ReturnReason: "source", ReturnText: "Which <study>?",
	}
	said := petitions.Said{
		Claims:   []petitions.Claim{{Claim: "A <fact>", SourceTitle: "A study", SourceURL: "https://example.org/a?b=1&c=2"}, {Claim: "Another", SourceURL: "ftp://example.org"}},
		Texts:    []petitions.Text{{Locale: "es", Title: "Veinte", Summary: "s", Body: "b", Decider: "d", WhyNow: "w", SystemChange: "c"}, {Locale: "ar", Title: "<x>"}},
		Starters: []string{"June <O>", "Cal"},
	}
	for i, state := range petitions.States {
		for _, full := range []bool{true, false} {
			row := base
			row.State = state
			if state.Public() || state == models.PetitionHidden {
				row.PublishedAt = &now
			}
			webtest.All(t, "public/start/", func(_ *web.Web, p web.Page) map[string]any {
				wrong := func(fields ...string) web.Page {
					q := p
					for _, f := range fields {
						if full {
							q.Errors = append(q.Errors, web.FieldError{Name: f, Text: "Wrong."})
						}
					}
					return q
				}
				mine := func(q web.Page) *minePage {
					m := &minePage{Milestones: []petitions.Milestone{{Count: 100, At: now}}, Page: q, Base: "/petitions/mine/1", Days: 1 + i, Mine: petitions.Mine{Petition: row, Starter: models.PetitionStarter{Lead: true, CreatedAt: now}}, Colleagues: []petitions.Colleague{{Name: "June", Lead: true, Confirmed: true}}}
					m.View = petitions.View{Petition: row}
					if full {
						m.Said, m.View.Said, m.Stored, m.Mine.Proved, m.Mine.Starter.ConfirmedAt, m.Missing = said, said, &base, true, &now, i%2 == 0
						m.Colleagues = append(m.Colleagues, petitions.Colleague{ID: uuid.New()}, petitions.Colleague{ID: uuid.New(), Name: "Cal", Confirmed: true})
						m.Mine.Starter.Lead, m.Mine.Starter.ShownName = i%3 != 0, "June"
					}
					m.show(row)
					m.Body = template.HTML("<p>Text</p>")
					return m
				}
				text := []string{"title", "summary_text", "body", "decider", "why_now", "system_change", "goal", "place", "deadline", "locale", "claim_1", "claim_1_url", "claim_2_source"}
				begin := startPage{Page: wrong(append(text, "your_name", "your_email", "show_name", "")...), Looked: i%2 == 0, More: full}
				form := web.PetitionForm{Locale: "en"}
				if full {
					form = web.PetitionFormOf(base, said.Claims, time.UTC)
					begin.Similar = []models.Petition{base}
				}
				begin.Fill(begin.Page, form)
				edit := mine(wrong(append(text, "picture_alt", "new_locale", "")...))
				if i%2 == 0 {
					edit.Petition.PictureID = nil
					edit.PictureURL = ""
					edit.Page = wrong("picture", "picture_alt")
				}
				version := textPage{Page: wrong("title", "body"), Petition: row, Base: "/petitions/mine/1", Form: web.TextForm{Locale: "es"}, There: full}
				list := listPage{Page: p}
				if full {
					version.Stored = &said.Texts[0]
					list.Mine = []petitions.Mine{edit.Mine, {Petition: row, Proved: true, Link: "/petitions/draft/x"}}
				}
				words := wordsPage{minePage: mine(wrong(append(text[:9:9], "reason", "")...)), Words: "/petitions/mine/1/words", Waits: full && i%2 == 0}
				words.fill(form)
				if full {
					words.Answer = "People signed <for> it."
				}
				report := mineReport{Page: p, Base: "/petitions/mine/1", Petition: row}
				zero := petitions.Report{Petition: row, Hours: []petitions.Stretch{{At: now}}, Days: []petitions.Stretch{{At: now}}, Forecast: petitions.Forecast{Outlook: petitions.OutlookEarly}}
				if full {
					zero.Days[0].Confirmed, zero.Days[0].Signed, zero.Recruited = 3, 5, 2
					zero.Sources = []petitions.SourceCount{{Source: "share", Signed: 4, Confirmed: 3}}
					zero.Milestones = []models.PetitionThreshold{{Count: 100, ReachedAt: &now}, {Count: 500}}
				}
				report.Course = web.CourseOf(p, zero, "/petitions/mine/1/live")
				invited, one := p, mine(p)
				if i%2 != 0 && i%3 != 0 {
					invited = wrong("your_name")
				}
				if one.Lead() && row.State != models.PetitionWithdrawn {
					one.Page = wrong("co_email")
				}
				return map[string]any{
					"public/start/new": &begin, "public/start/resume": &resumePage{Page: wrong("your_email", "code")}, "public/start/mailed": &resumePage{Page: p},
					"public/start/link":   &linkPage{Page: invited, Token: "abc", Offer: petitions.Offer{Petition: row, Lead: i%2 == 0, Confirmed: i%3 == 0, Inviter: map[bool]string{true: "June <O>"}[full]}},
					"public/start/report": &report, "public/start/words": &words, "public/start/list": &list, "public/start/one": one, "public/start/edit": edit, "public/start/text": &version,
					"public/start/preview": mine(p), "public/start/check": mine(wrong("summary_text", "claim_1_url", "text_ar", "picture_alt")), "public/start/update": mine(wrong("title", "body")),
				}
			})
		}
	}
}
