package admin

import (
	"html/template"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/divisions"
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
		Place: "Wennick", DeadlineAt: &now, PictureID: &picture, ReturnReason: "source,tone", ReturnText: "Which <study>?",
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
		if s == models.PetitionHidden {
			p.ReturnReason = "private"
		}
		states = append(states, p)
	}
	paused := states[3]
	paused.PausedAt, paused.ReturnReason = &now, "question"
	rows = append(append(rows, states...), paused)
	days := make([]petitions.Stretch, 30)
	for i := range days {
		days[i] = petitions.Stretch{At: now.Add(time.Duration(i-30) * 24 * time.Hour), Signed: i, Confirmed: i * 7 % 11}
	}
	for i, row := range append(states, paused, models.Petition{ID: uuid.New(), State: models.PetitionDraft, Title: "x", Locale: "ar", Revision: 1}) {
		full := i%2 == 0
		webtest.All(t, "admin/petitions/", func(_ *web.Web, p web.Page) map[string]any {
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
			report := reportPage{Page: p, Petition: row, Can: petitions.Can(p.Actor, row), Moderate: full, MayPost: full, Report: petitions.Report{Petition: row, Days: days, Hours: days}}
			comments := commentsPage{Page: p}
			list := petitionList{Page: p, States: petitions.States}
			if full {
				edit.Stored = &base
				version.Stored = &said.Texts[0]
				report.MayEdit, report.Fallen = true, 100
				read.PictureURL, read.Author = "/x.png", "Maren <O>"
				report.Author, report.Waiting = "Maren <O>", 7
				report.Queue, report.Shown, report.Hidden = []petitions.QueuedComment{comment("June O.", true), comment("", false)}, []petitions.QueuedComment{comment("June O.", false)}, []petitions.QueuedComment{comment("", false)}
				report.Report.Sources = []petitions.SourceCount{{Source: "", Signed: 12, Confirmed: 9}, {Source: "qr", Signed: 3, Confirmed: 3}, {Source: "signer", Signed: 2, Confirmed: 2}, {Source: "<town>", Signed: 1}}
				report.Report.Roles = []petitions.RoleCount{{Role: models.RolePain, N: 12}, {Role: models.RoleFamily, Hidden: true}, {Role: models.RoleHealthCare, Hidden: true}}
				report.Report.Districts = petitions.Districts{Kind: "sldl", Rows: []divisions.Count{{Division: models.Division{Name: "District <4>"}, N: 12}}, Rest: 7, Exact: i%2 == 0}
				report.Report.Recruited, report.Report.Milestones = 4, []models.PetitionThreshold{{Count: 100, ReachedAt: &now}, {Count: 100, ReachedAt: &now}, {Count: 500}}
				report.Report.Forecast = []petitions.Forecast{
					{Outlook: petitions.OutlookDates, PerDay: 6.5, Early: now, Late: now.AddDate(0, 1, 0), AtDeadlineLow: 9, AtDeadlineHigh: 12}, {Outlook: petitions.OutlookDates, PerDay: 65, Early: now}, {Outlook: petitions.OutlookReached},
				}[i%3]
				comments.Queue, comments.Waiting = report.Queue, 2
				list.Rows, list.State = paging.Page[models.Petition]{Rows: rows, Next: "abc"}, "draft"
			} else {
				report.Report.Days = make([]petitions.Stretch, 30)
				report.Report.Forecast.Outlook = []petitions.Outlook{petitions.OutlookEarly, petitions.OutlookOver, petitions.OutlookFar}[i%3]
				report.Report.Districts.Kind = []models.DivisionKind{"", "sldl"}[i%2]
			}
			report.Course = web.CourseOf(p, report.Report, "/admin/petitions/1/live")
			review := read
			review.Page = p
			if review.Does("return") {
				review.Page = wrong("reason", "text")
			}
			waiting := func(pace petitions.Pace, by string, away *time.Time, mine bool) petitions.Waiting {
				x := petitions.Waiting{Petition: row, Pace: pace, DueAt: now, By: by, Away: away, Mine: mine}
				if x.SubmittedAt = &now; by != "" {
					x.ClaimedBy = &picture
				}
				return x
			}
			steer := steerPage{Page: wrong("reason", "text"), Petition: row, Do: steering[i%len(steering)], Reasons: reasons}
			if steer.Do != petitions.Pause && steer.Do != petitions.Hide {
				steer.Page = p
			}
			words := wordsPage{Page: wrong(append(text, "place", "reason", "")...), Petition: row, Guarded: full, Others: map[bool]string{true: "español"}[full], Stored: edit.Stored, Words: "/admin/petitions/1/words"}
			if full {
				words.Takes, words.Asked = 1, []petitions.EditedField{{Field: "title", Text: "Ten <visits>"}, {Field: "place"}}
				words.Page = wrong(append(text, "place", "reason", "answer", "")...)
			}
			words.fill(wordsForm{PetitionForm: web.PetitionFormOf(row, nil, time.UTC), Reason: "Better"})
			settings := petitionSettings{Page: p, Petition: row, Settable: true, Raises: full, Next: 10000, AfterNext: 25000 * (i % 2), Suggest: 10000, Form: thresholdForm{Effect: "tell"}}
			paper := paperPage{Page: p, Petition: row}
			queue := queuePage{Page: p, Filters: petitions.ReviewFilters, Near: 72, Due: 120}
			reopen := reopenPage{Page: p}
			if full {
				settings.Page, paper.Page = wrong("count", "effect", "next_goal", "district_kind"), wrong("count", "division", "collected", "note")
				settings.Kinds = []web.Option{{Value: "", Label: "None"}, {Value: "cd", Label: "Congress"}}
				for _, e := range []models.ThresholdEffect{models.EffectTell, models.EffectGoal, models.EffectClose} {
					settings.Thresholds = append(settings.Thresholds, models.PetitionThreshold{ID: uuid.New(), Count: 100, Effect: e, NextGoal: 250}, models.PetitionThreshold{ID: uuid.New(), Count: 250, Effect: e, ReachedAt: &now})
				}
				paper.Districts = settings.Kinds
				if !row.State.Public() {
					settings.Page, paper.Page = wrong("count", "effect", "next_goal", "district_kind"), p
				}
				paper.Rows.Rows = []petitions.PaperRow{{PaperCount: models.PaperCount{ID: uuid.New(), Count: 12, Note: "<fair>", CollectedAt: now}, District: "District 1"}, {PaperCount: models.PaperCount{ID: uuid.New(), Count: 3, CollectedAt: now, RemovedAt: &now}}}
				queue.Rows.Rows = []petitions.Waiting{waiting(petitions.Overdue, "Ilse <H>", &now, false), waiting(petitions.Near, "Ilse", nil, true), waiting(petitions.InTime, "?", nil, false), waiting(petitions.InTime, "", nil, false)}
				reopen.Rows = []models.Petition{row}
				comments.Undo, comments.Hid = []string{uuid.NewString()}, i%4 == 0
				for k, w := range queue.Rows.Rows {
					if k == i%4 && row.State == models.PetitionSubmitted {
						review.Waiting, review.Other = w, "Ilse <H>"
						review.Others, review.Gone = []web.Option{{Value: "x", Label: "Cal"}}, []petitions.Moderator{{Name: "Noel", AwayUntil: &now}}
					}
				}
			}
			back := read
			back.Page, back.Form = p, returnForm{Reason: []string{"source", "tone"}, Text: "Which\n\nstudy?", Revision: 3}
			back.MailSubject, back.MailText, back.Other = "A change", "Hello,\n\n<please>", map[bool]string{true: "Ilse"}[full]
			return map[string]any{
				"admin/petitions/queue": &queue, "admin/petitions/return": &back, "admin/petitions/steer": &steer, "admin/petitions/words": &words,
				"admin/petitions/settings": &settings, "admin/petitions/paper": &paper, "admin/petitions/reopen": &reopen,
				"admin/petitions/list": &list, "admin/petitions/new": &petitionStart{Page: wrong("title", "locale"), Form: startForm{Title: "x", Locale: "en"}, Campaigns: make([]web.Option, 1+i%2)},
				"admin/petitions/text": &version,
				"admin/petitions/edit": &edit, "admin/petitions/preview": &readPage{Page: p, Petition: row, View: read.View, Can: read.Can, PictureURL: read.PictureURL},
				"admin/petitions/check": &read, "admin/petitions/review": &review, "admin/petitions/report": &report, "admin/petitions/comments": &comments,
			}
		})
	}
}
