package admin

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/mailings"
	"kithline/models"
)

// Every page of mailings runs in every language: in each state, full and empty.
func TestMailingPages(t *testing.T) {
	now, later := webtest.Time, webtest.Time.Add(time.Minute)
	states := []models.MailingState{
		models.MailingFreezing, models.MailingSending, models.MailingPaused, models.MailingFinished, models.MailingCancelled, models.MailingStopped,
	}
	for _, state := range states {
		for _, full := range []bool{true, false} {
			webtest.All(t, "admin/mailings/", func(_ *web.Web, p web.Page) map[string]any {
				m := models.Mailing{ID: uuid.New(), Subject: "Tuesday <9>", Body: "x", State: models.MailingDraft, Revision: 3, CreatedAt: now, UpdatedAt: now}
				sent := m
				sent.State, sent.FrozenAt, sent.AudienceCount = state, &later, 12
				list := mailingsPage{Page: p}
				compose := composePage{Page: p, Mailing: m, To: []web.Option{{Value: "a", Label: "Twenty visits"}}}
				preview := mailingPreviewPage{Page: p, ID: m.ID, Name: "Tuesday"}
				report := mailingReportPage{Page: p, Report: mailings.Report{Progress: mailings.Progress{Mailing: sent, State: state}}}
				if full {
					list.To, list.Next = compose.To, "abc"
					list.Rows = []mailings.Row{{Mailing: m, Petition: "Twenty visits"}, {Mailing: sent, Sent: 3, Topic: "Research", Segment: "North"}, {Mailing: models.Mailing{ID: uuid.New(), State: models.MailingDraft}}}
					compose.HasText, compose.Stops = true, 1
					compose.Form = composeForm{Revision: 3, To: "a", Subject: "Tuesday", Body: "<b>{{goal}}</b>"}
					segment := uuid.New()
					compose.Mailing.SegmentID = &segment
					compose.Segments, compose.Languages = []web.Option{{Label: "Everybody"}, {Value: segment.String(), Label: "North"}}, p.LanguageOptions()
					compose.Audience = mailings.Audience{All: 11, People: 2, WithoutConsent: 3, Suppressed: 2, Paused: 2, Outside: 1, TooSoon: 1}
					compose.Checks = mailings.Checks{
						{Tone: mailings.Stop, Key: "error.merge_unknown", Args: []any{"Name", "x", "Line", 2}},
						{Tone: mailings.Think, Key: "mailings.check_subject_long", Args: []any{"Count", 70}},
						{Tone: mailings.Fine, Key: "mailings.check_reading", Args: []any{"Count", 40}},
					}
					compose.Errors = []web.FieldError{{Name: "subject", Text: "Wrong."}, {Name: "body", Text: "Wrong."}, {Text: "Wrong."}}
					preview.Preview = mailings.Preview{Subject: "S", Preheader: "P", Text: "<b>", HTML: "<p>"}
					report.Total, report.Sent, report.Waiting, report.Later, report.Refused, report.Left, report.Expired, report.Unknown, report.Open, report.Paused = 12, 3, 1, 1, 1, 1, 2, 2, 1, 1
					report.Domains = []mailings.Domain{{Name: "mail.example.org", People: 8, Sent: 3}, {Others: 4, People: 4}}
					report.Problems = []mailings.Problem{{ID: uuid.New(), At: now, Domain: "d", State: models.DeliveryFailed, Code: 550, Reply: "no <such> user"}, {State: models.DeliveryUnknown, At: now}}
				}
				send := compose
				send.Errors = send.Errors[min(2, len(send.Errors)):] // those of no field
				return map[string]any{
					"admin/mailings/list": &list, "admin/mailings/compose": &compose, "admin/mailings/send": &send, "admin/mailings/preview": &preview,
					"admin/mailings/report": &report, "admin/mailings/stop": &report,
				}
			})
		}
	}
}
