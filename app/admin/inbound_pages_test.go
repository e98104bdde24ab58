package admin

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/inbound"
	"kithline/campaigns/suppressions"
	"kithline/models"
)

// sourcesSample is the page of where mail that comes back is read: with everything set, or with nothing and everything wrong.
func sourcesSample(p web.Page, full bool) *sourcesPage {
	now := webtest.Time
	s := sourcesPage{Page: p, Form: mailboxForm{TLS: "tls", Afterwards: "seen"}}
	if full {
		s.Sources = inbound.Sources{HasPassword: true, Postmark: true, PostSecret: "x", SESSecret: "x"}
		s.Sources.Mailbox = models.InboundSource{Host: "imap.example.org", CheckedAt: &now, FailedAt: &now, Failure: "imap.auth"}
		s.SESURL, s.PostmarkURL, s.Sources.SES.CheckedAt = "https://act.example.org/callbacks/ses/x", "https://act.example.org/callbacks/postmark/x", &now
		return &s
	}
	s.SESURL = "https://act.example.org/callbacks/ses/x"
	for _, name := range []string{"address", "host", "tls", "port", "username", "password", "folder", "afterwards", "move_to", "topic"} {
		s.Errors = append(s.Errors, web.FieldError{Name: name, Text: "Wrong."})
	}
	return &s
}

// Every page about mail that comes back runs in every language and in every state.
func TestPagesOfMailThatComesBack(t *testing.T) {
	now := webtest.Time
	later := now.Add(time.Hour)
	id := uuid.New()
	for _, full := range []bool{true, false} {
		webtest.All(t, "admin/inbound/", func(_ *web.Web, p web.Page) map[string]any {
			list := inboundPage{Page: p, Classes: inbound.Classes(), Over: inbound.Overview{Days: 30, Counts: map[string]int{}}}
			if full {
				list.Over.Held, list.Class, list.Held, list.Next = 3, "hard", true, "abc"
				list.Troubles = []models.DomainTrouble{{ID: id, Domain: "example.net", Status: "5.7.1", Diagnostic: "550 5.7.1 no", Count: 3, LastAt: now, PausedUntil: &later}, {ID: id, Domain: "example.com", Count: 1, LastAt: now}}
				for i, class := range inbound.Classes() {
					list.Over.Counts[class] = i + 1
					r := inbound.Report{Domain: "example.net"}
					r.Class, r.Status, r.Diagnostic, r.ReceivedAt = class, "5.1.1", "550 5.1.1 User unknown", now
					r.State = []models.ReportState{models.ReportDone, models.ReportHeld, models.ReportDropped}[i%3]
					r.Effect = []string{"", models.EffectSuppressed, models.EffectWithdrawn, models.EffectStopped, models.EffectPaused, models.EffectTrouble}[i/2%6]
					if r.State == models.ReportDone {
						r.MailingID = &id
					}
					list.Rows = append(list.Rows, r)
				}
			}
			return map[string]any{"admin/inbound/list": &list}
		})
		for _, reason := range suppressions.Reasons {
			webtest.All(t, "admin/suppressions/", func(_ *web.Web, p web.Page) map[string]any {
				list, add, show := suppressionsPage{Page: p}, suppressPage{Page: p}, suppressionPage{Page: p}
				row := suppressions.Row{ID: id, Address: "june.hale@example.net", Reason: reason, Since: now, SupporterID: &id, Status: "5.1.1"}
				show.Row = row
				if full {
					list.Rows, list.Next, list.All, list.Reason = []suppressions.Row{row}, "abc", 1, reason
					add.Looked, add.Count = true, suppressions.Counted{New: 2, Already: 1, Wrong: 1, Elsewhere: 1}
					show.Suppressed = true
					for _, kind := range []string{"refused", "added", "lifted"} {
						show.Events = append(show.Events, suppressions.Event{At: now, Kind: kind, Reason: reason, Note: "She wrote.", Diagnostic: "550 no"})
					}
					for _, class := range inbound.Classes() {
						show.Events = append(show.Events, suppressions.Event{At: now, Kind: "report", Class: class, Status: "5.1.1"})
					}
				} else {
					list.Errors = []web.FieldError{{Name: "q", Text: "Wrong."}}
					add.Errors = []web.FieldError{{Name: "addresses", Text: "Wrong."}, {Name: "note", Text: "Wrong."}}
					show.Suppressed = reason == models.SuppressedComplaint
					if show.Suppressed {
						show.Errors = []web.FieldError{{Name: "note", Text: "Wrong."}, {Name: "asked", Text: "Wrong."}}
					}
				}
				for _, r := range suppressions.Reasons {
					list.Counts = append(list.Counts, reasonCount{r, 1})
				}
				return map[string]any{"admin/suppressions/list": &list, "admin/suppressions/add": &add, "admin/suppressions/show": &show}
			})
		}
	}
}
