package admin

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/mailings"
	"kithline/campaigns/segments"
	"kithline/models"
)

// Every page of mailings runs in every language: in each state, full and empty.
func TestMailingPages(t *testing.T) {
	now, when := webtest.Time, webtest.Time.Add(time.Minute)
	states := []models.MailingState{
		models.MailingScheduled, models.MailingFreezing, models.MailingSending, models.MailingPaused, models.MailingFinished, models.MailingCancelled, models.MailingStopped,
	}
	for _, state := range states {
		for _, full := range []bool{true, false} {
			webtest.All(t, "admin/mailings/", func(_ *web.Web, p web.Page) map[string]any {
				m := models.Mailing{ID: uuid.New(), Subject: "Tuesday <9>", Body: "x", State: models.MailingDraft, Revision: 3, CreatedAt: now, UpdatedAt: now}
				sent := m
				sent.State, sent.FrozenAt, sent.AudienceCount = state, &when, 12
				list := mailingsPage{Page: p}
				compose := composePage{Page: p, Mailing: m, To: []web.Option{{Value: "a", Label: "Twenty visits"}}}
				en := mailings.Text{Locale: "en", Lines: []mailings.Line{{Subject: "Tuesday <9>"}}, Body: "<b>x"}
				compose.Text, compose.Texts = en, []mailings.Text{en}
				preview := mailingPreviewPage{Page: p, ID: m.ID, Name: "Tuesday"}
				own := mailings.Text{Locale: "es", Lines: []mailings.Line{{Subject: "Martes", Preheader: "Dos"}, {Subject: "Otro"}}, Format: models.FormatHTML, Body: "<p>x", Plain: "x"}
				brought := htmlPage{Page: p, Mailing: m, Text: en}
				kept := revisionsPage{Page: p, Mailing: m}
				approval := approvePage{composePage: compose}
				shelf, pictures, naming := templatesPage{Page: p}, picturesPage{Page: p}, templatePage{Page: p, Mailing: m}
				report := mailingReportPage{Page: p, Report: mailings.Report{Progress: mailings.Progress{Mailing: sent, State: state}}}
				audience := audiencePage{Page: p, Choices: mailings.Choices{Mailing: m}}
				send := sendPage{Page: p, Mailing: m, Subjects: []string{"Tuesday"}, Form: planForm{When: sendNow}}
				later := laterPage{Page: p, Mailing: sent}
				problems := problemsPage{Page: p, Mailing: sent}
				often := capPage{Page: p, Form: capForm{Days: 7}}
				if full {
					list.To, list.Next = compose.To, "abc"
					list.Rows = []mailings.Row{{Mailing: m, Petition: "Twenty visits"}, {Mailing: sent, Sent: 3, Topic: "Research", Segment: "North"}, {Mailing: models.Mailing{ID: uuid.New(), State: models.MailingDraft}}}
					compose.HasText, compose.Stops = true, 1
					compose.Texts, compose.Left, compose.Screens, compose.Sender, compose.Plain = []mailings.Text{en, own}, []web.Option{{Value: "es", Label: "Español"}}, own.Lines, "WCPC", "text"
					if state == models.MailingSending {
						compose.Text = own
					}
					asked := now
					compose.Mailing.ApprovalAskedAt = &asked
					compose.Form.Subject2 = "Other"
					brought.Text, brought.Taken, brought.Form.Source = own, []string{"A picture"}, "<b>"
					brought.Errors = []web.FieldError{{Name: "html", Text: "Wrong."}, {Name: "file", Text: "Wrong."}}
					r := mailings.Revision{MailingRevision: models.MailingRevision{Revision: 3, ByHand: true, CreatedAt: now}, Written: mailings.Written{Texts: compose.Texts}}
					kept.Rows, kept.Shown = []mailings.Revision{r, {MailingRevision: models.MailingRevision{Revision: 2, CreatedAt: now}}}, r
					shelf.Own = []mailings.Template{{Name: "Monthly <b>", ID: uuid.New()}}
					pictures.Rows = []models.MailPicture{{ID: uuid.New(), Name: "harbour", FileID: uuid.New(), Width: 800, Height: 600}}
					pictures.Errors, naming.Errors = []web.FieldError{{Name: "picture", Text: "Wrong."}}, []web.FieldError{{Name: "name", Text: "Wrong."}}
					preview.Versions = []web.Link{{Label: "English"}, {URL: "/x?version=es", Label: "Español"}}
					compose.Form = composeForm{Revision: 3, To: "a", Subject: "Tuesday", Body: "<b>{{goal}}</b>"}
					segment := uuid.New()
					compose.Mailing.SegmentID = &segment
					compose.Segments, compose.Languages = []web.Option{{Label: "Everybody"}, {Value: segment.String(), Label: "North"}}, p.LanguageOptions()
					compose.Audience = mailings.Audience{All: 36, People: 8, Already: 7, Excluded: 6, Outside: 5, WithoutConsent: 3, Suppressed: 2, Paused: 2, TooSoon: 1, Often: 2}
					compose.Checks = mailings.Checks{
						{Tone: mailings.Stop, Key: "error.merge_unknown", Args: []any{"Name", "x", "Line", 2}},
						{Tone: mailings.Think, Key: "mailings.check_subject_long", Args: []any{"Count", 70}},
						{Tone: mailings.Fine, Key: "mailings.check_reading", Args: []any{"Count", 40}, Locale: "es"},
						{Tone: mailings.Fine, Key: "mailings.check_lack_given_name", Args: []any{"Count", 2, "Words", "friend"}, People: []uuid.UUID{uuid.New(), uuid.New()}},
						{Tone: mailings.Stop, Key: "mailings.check_approval", Args: []any{"Count", 5000}, Approve: true},
						{Tone: mailings.Think, Key: "mailings.check_transport", Path: "/admin/settings/mail"},
					}
					approval.composePage = compose
					approval.Checks = approval.Checks[2:]
					compose.Errors = []web.FieldError{{Name: "subject", Text: "Wrong."}, {Name: "body", Text: "Wrong."}, {Text: "Wrong."}}
					preview.Preview = mailings.Preview{Subject: "S", Preheader: "P", Text: "<b>", HTML: "<p>"}
					report.Total, report.Sent, report.Waiting, report.Later, report.Refused, report.Left, report.Expired, report.Unknown, report.Open, report.Paused = 12, 3, 1, 1, 1, 1, 2, 2, 1, 1
					report.Domains = []mailings.Domain{{Name: "mail.example.org", People: 8, Sent: 3}, {Others: 4, People: 4}}
					report.Frozen, report.Failing, report.Next, report.When = compose.Audience, 2, &when, mailings.When{Zone: time.UTC, QuietFrom: 1200, QuietTo: 540}
					report.Mailing.SendAt, report.Mailing.LocalHour, report.Mailing.ExpiresAt, report.Mailing.DecideAt, report.Mailing.PausedReason = &when, true, &when, &when, "mailings.paused_by_check"
					report.Links = []mailings.Link{{URL: "https://example.org/?a=<b>&c", Clicks: 3}}
					report.Actions, report.Acted, report.Unsubscribed, report.Complained = []mailings.Action{{Title: "Twenty <visits>", Slug: "twenty", Soon: 1, Within: 2}}, 2, 1, 1
					report.Test = mailings.Test{Held: 5, Variants: []mailings.Variant{{Subject: "A <b>", Sent: 2, Acted: 1}, {Number: 1, Subject: "B", Sent: 2, Left: 1}}}
					report.Problems = []mailings.Problem{{SupporterID: &segment, ID: uuid.New(), At: now, Domain: "d", State: models.DeliveryFailed, Code: 550, Reply: "no <such> user"}, {State: models.DeliveryUnknown, At: now}}
				}
				if full {
					audience.Segments, audience.Topics = []segments.Named{{ID: uuid.New(), Name: "North <1>"}}, []models.Topic{{ID: uuid.New(), Name: "Research", About: "What we found"}}
					audience.Audience, audience.Cap = compose.Audience, mailings.Cap{Most: 2, Days: 7}
					audience.Form = audienceForm{In: []string{audience.Segments[0].ID.String()}, Topics: []string{uuid.Nil.String()}, Important: true}
					audience.Errors = []web.FieldError{{Name: "in", Text: "Wrong."}, {Name: "out", Text: "Wrong."}, {Name: "topics", Text: "Wrong."}}
					send.Subjects, send.Audience, send.Checks, send.When = []string{"A <b>", "B"}, compose.Audience, compose.Checks, report.When
					send.Form = planForm{When: sendLocal, At: "2027-03-01T10:00", Expires: "2027-03-02T10:00", Test: true, Share: 20, Wait: 240, Hand: "hand", Clicks: true}
					send.Errors = []web.FieldError{{Name: "at", Text: "Wrong."}, {Name: "wait", Text: "Wrong."}, {Text: "Wrong."}}
					later.Audience, often.Form.Most = compose.Audience, 2
					often.Errors = []web.FieldError{{Name: "most", Text: "Wrong."}}
					problems.Rows, problems.Next = report.Problems, "abc"
				}
				if compose.Own() { // whose HTML has a page of its own
					compose.Errors = slices.DeleteFunc(compose.Errors, func(e web.FieldError) bool { return e.Name == "body" })
				}
				return map[string]any{
					"admin/mailings/list": &list, "admin/mailings/compose": &compose, "admin/mailings/send": &send, "admin/mailings/preview": &preview,
					"admin/mailings/report": &report, "admin/mailings/stop": &report, "admin/mailings/templates": &shelf, "admin/mailings/template": &naming,
					"admin/mailings/pictures": &pictures, "admin/mailings/html": &brought, "admin/mailings/revisions": &kept, "admin/mailings/revision": &kept,
					"admin/mailings/approve":  &approval,
					"admin/mailings/audience": &audience, "admin/mailings/later": &later, "admin/mailings/problems": &problems, "admin/mailings/often": &often,
				}
			})
		}
	}
}
