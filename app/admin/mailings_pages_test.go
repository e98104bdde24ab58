package admin

import (
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
				preview := mailingPreviewPage{Page: p, ID: m.ID, Name: "Tuesday"}
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
					compose.Form = composeForm{Revision: 3, To: "a", Subject: "Tuesday", Body: "<b>{{goal}}</b>"}
					segment := uuid.New()
					compose.Mailing.SegmentID = &segment
					compose.Segments, compose.Languages = []web.Option{{Label: "Everybody"}, {Value: segment.String(), Label: "North"}}, p.LanguageOptions()
					compose.Audience = mailings.Audience{All: 36, People: 8, Already: 7, Excluded: 6, Outside: 5, WithoutConsent: 3, Suppressed: 2, Paused: 2, TooSoon: 1, Often: 2}
					compose.Checks = mailings.Checks{
						{Tone: mailings.Stop, Key: "error.merge_unknown", Args: []any{"Name", "x", "Line", 2}},
						{Tone: mailings.Think, Key: "mailings.check_subject_long", Args: []any{"Count", 70}},
						{Tone: mailings.Fine, Key: "mailings.check_reading", Args: []any{"Count", 40}},
					}
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
				return map[string]any{
					"admin/mailings/list": &list, "admin/mailings/compose": &compose, "admin/mailings/send": &send, "admin/mailings/preview": &preview,
					"admin/mailings/report": &report, "admin/mailings/stop": &report, "admin/mailings/audience": &audience, "admin/mailings/later": &later,
					"admin/mailings/problems": &problems, "admin/mailings/often": &often,
				}
			})
		}
	}
}
