package admin

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/jobs"
	"kithline/campaigns/organisation"
	"kithline/campaigns/today"
	"kithline/campaigns/users"
	"kithline/models"
)

// Every page of this family runs in every language, with and without what may be missing.
func TestPagesOfTheHouse(t *testing.T) {
	now := webtest.Time
	o := models.Organisation{Name: "Wennick Coalition", FromAddress: "news@example.org", TimeZone: "UTC", Languages: "en,es", Accent: "#1c5c4d", SMTPTLS: "starttls"}
	samples := func(full bool) func(*web.Web, web.Page) map[string]any {
		return func(_ *web.Web, p web.Page) map[string]any {
			wrong := func(fields ...string) web.Page { // p, with these fields wrong
				q := p
				for _, f := range fields {
					if !full {
						q.Errors = append(q.Errors, web.FieldError{Name: f, Text: "Wrong."})
					}
				}
				return q
			}
			org := newOrgFields(wrong("name", "languages", "time_zone", ""), orgFormOf(o))
			mail := mailFields{Page: wrong("to", ""), Form: mailFormOf(o), HasPassword: full, Fixed: !full}
			texts := newTextFields(wrong("privacy_en"), o, textForm{PrivacyEN: "## One\n", PrivacyES: "<b>", AccessibilityEN: "x"})
			account := users.Account{ID: uuid.New(), Name: "Ilse <H>", Email: "ilse@example.org", Role: actor.Owner, Locale: "en", HasPassword: full, CreatedAt: now}
			list := usersPage{Page: p, Users: []users.Account{account, {ID: uuid.New(), Name: "Maren", Email: "m@example.org", Role: actor.Viewer, TwoStep: true, DisabledAt: &now, LastLoginAt: &now}}, Roles: roleOptions(p)}
			chapter := chapterPage{Page: wrong("name", "areas"), Form: chapterForm{"Coast", "00011*"}}
			places := chaptersPage{Page: p}
			if full {
				id := uuid.New()
				list.Chapters = []web.Option{{Label: "Whole"}, {Value: id.String(), Label: "Coast"}}
				list.Users[0].ChapterID, chapter.ID, chapter.Closed = &id, id, true
				places.Chapters = []chapters.Chapter{{Chapter: models.Chapter{ID: id, Name: "Coast", ClosedAt: &now}, Supporters: 2}}
			}
			row := jobRow{Job: jobs.Job{ID: 7, Kind: "files_sweep", State: "retryable", Attempt: 1, MaxAttempts: 25, CreatedAt: now, ScheduledAt: now}, StateName: "x"}
			front := todayPage{Page: p, Partly: !full}
			log := auditPage{Page: p}
			one := recoverySheet{KeyID: "0badcafe", Rows: [][]recoveryGroup{{{1, "7K3M"}, {2, "9QXA"}}}}
			sheet := recoveryPage{Page: p, Kept: full, Sheets: []recoverySheet{one}}
			if full {
				sheet.Sheets = append(sheet.Sheets, one)
			}
			jobList := jobsPage{Page: p, States: []web.Option{{Label: "All"}}}
			if full {
				list.Invitations = []users.Invited{{ID: uuid.New(), Email: "june@example.org", Role: actor.Advocate, ExpiresAt: now}, {ID: uuid.New(), Email: "x@example.org", Role: actor.Viewer, Expired: true}}
				row.LastError, row.CanRetry, row.CanStop, row.FinishedAt = "boom", true, true, &now
				jobList.Jobs = []jobRow{row, {Job: jobs.Job{ID: 8}}}
				front.Minutes = 14
				front.Queues = []todayQueue{
					{Queue: today.Queue{Path: "/admin/petitions", Count: 2, Oldest: now.Add(-time.Hour), Minutes: 7}, Text: "Two", All: 14},
					{Queue: today.Queue{Path: "/admin/recovery", Count: 1, Minutes: 1}, Text: "One", All: 1},
					{Queue: today.Queue{Path: "/admin/jobs", Count: 1}, Text: "None"},
				}
				front.Starts = []web.Link{{URL: "/admin/petitions", Label: "Petitions"}}
				log.Rows = []auditRow{{At: now, Who: "Ilse", Action: "user.login", Object: "users", ObjectID: uuid.NewString(), Detail: "how: link"}, {At: now, Who: "The server", Action: "x", Object: "y"}}
				log.Next = "abc"
			}
			two := twoStepPage{Page: wrong("code"), TwoStep: users.TwoStep{Begun: true, Secret: "ABCD EFGH", Required: full}}
			if full {
				two.TwoStep = users.TwoStep{Since: &now, Codes: 9}
			}
			base := "/admin/setup/token"
			person := personForm{Name: "Ilse", Email: "ilse@example.org"}
			return map[string]any{
				"admin/setup/closed": &p, "admin/setup/organisation": &setupOrgPage{org, base}, "admin/setup/mail": &setupMailPage{mail, base},
				"admin/setup/texts": &setupTextsPage{texts, base}, "admin/setup/you": &setupYouPage{wrong("name", "email", "password"), person, base, 10},
				"admin/login/login": &loginPage{wrong(""), loginForm{Email: "ilse@example.org", Next: "/admin/jobs?state=running"}}, "admin/login/link": &loginPage{Page: wrong("email")},
				"admin/login/code": &codePage{wrong("code"), codeForm{Code: "123 456", Next: "/admin"}}, "admin/account/two_step": &two, "admin/account/recovery_codes": &recoveryCodesPage{p, []string{"abcde-23456", "bcdef-34567"}},
				"admin/login/sent": &p, "admin/login/button": &p, "admin/login/old": &loginOldPage{p, "Old."},
				"admin/account/account": &accountPage{Page: wrong("password"), Account: account, Sessions: map[bool]int{true: 2}[full], Form: accountForm{Name: "Ilse", Language: "es"}, Min: 10},
				"admin/chapters/list":   &places, "admin/chapters/edit": &chapter,
				"admin/users/list": &list, "admin/users/invite": &invitePage{wrong("email", "role"), inviteForm{Role: "organizer"}, roleOptions(p), list.Chapters},
				"admin/users/invitation":      &invitationPage{Page: wrong("name"), Invitation: users.Invited{Email: "june@example.org"}, RoleName: "Viewer", Form: person, Min: 10},
				"admin/settings/organisation": &org, "admin/settings/mail": &mail, "admin/settings/texts": &texts, "admin/settings/inbound": sourcesSample(p, full), "admin/settings/review": &hoursPage{Page: p, Near: "72", Due: "120"}, "admin/settings/limits": sampleLimits(p, full),
				"admin/settings/words": &healthWordsPage{wrong("words"), "infus*"},
				"admin/recovery/show":  &sheet, "admin/recovery/sheet": &sheet,
				"admin/jobs/list": &jobList, "admin/audit/list": &log, "admin/today/today": &front,
			}
		}
	}
	for _, prefix := range []string{"setup", "login", "account", "users", "settings", "recovery", "jobs", "audit", "today"} {
		for _, full := range []bool{true, false} {
			webtest.All(t, "admin/"+prefix+"/", samples(full))
		}
	}
}

func TestMainLanguageComesFirst(t *testing.T) {
	for _, x := range []struct {
		chosen []string
		first  string
		want   string
	}{
		{[]string{"en", "es"}, "es", "es en"}, {[]string{"en", "es"}, "en", "en es"}, {[]string{"es"}, "en", "es"}, {nil, "en", ""},
	} {
		got := ""
		for i, l := range (orgForm{Languages: x.chosen, First: x.first}).details().Languages {
			if i > 0 {
				got += " "
			}
			got += l
		}
		if got != x.want {
			t.Errorf("%v with %s first: %q, want %q", x.chosen, x.first, got, x.want)
		}
	}
}

// The languages that an organisation may choose are those that the pages speak.
func TestLanguagesOfPagesAndOrganisation(t *testing.T) {
	w := webtest.New(t)
	for _, l := range organisation.Languages {
		if w.Text(l, "settings.language_"+l) == "" {
			t.Error(l)
		}
	}
	p := newOrgFields(w.Blank(t.Context(), "en", "/"), orgForm{})
	if len(p.Langs) != len(organisation.Languages) {
		t.Errorf("pages speak %v, organisations %v", p.Langs, organisation.Languages)
	}
	for _, z := range zones {
		if _, err := time.LoadLocation(z); err != nil {
			t.Error(err)
		}
	}
}
