package public

import (
	"testing"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/consents"
	"kithline/campaigns/mailings"
	"kithline/models"
)

// Every page of the way out and of captured mail runs in every language.
func TestUnsubscribeAndOutboxPages(t *testing.T) {
	about := mailings.Subscription{Purpose: models.PurposeUpdates, About: "Visits <for> all"}
	all := mailings.Subscription{Purpose: models.PurposeNewsletter}
	on := func(s mailings.Subscription) mailings.Subscription { s.Active = true; return s }
	chosen := consents.Preferences{
		Known: true, HasRecord: true, Frequency: models.Weekly, PausedUntil: &webtest.Time, Choices: []consents.Choice{
			{Box: consents.Box{Words: "Mail about <trials>.\nOne press ends it.", Value: "a"}, On: true, Since: webtest.Time}, {Box: consents.Box{Words: "Calls", Value: "b"}},
		},
	}
	undo := about
	undo.Undo = true
	for _, s := range []unsubscribePage{
		{},
		{Subscription: mailings.Subscription{Purpose: models.PurposeReceipt}},
		{Subscription: on(about)},
		{Subscription: on(all)},
		{Subscription: on(about), Back: true},
		{Subscription: undo, Left: true},
		{Subscription: all, Left: true},
		{Subscription: about, Back: true},
		{Subscription: on(about), Preferences: chosen, Shown: []string{"a"}, Form: preferencesForm{On: []string{"a"}, Frequency: "weekly"}, Rest: restForm{Do: "day", Until: "2027-03-01"}},
		{Subscription: on(about), Preferences: consents.Preferences{Known: true, PausedUntil: &webtest.Time, UntilTold: true}},
		{Subscription: about, Preferences: consents.Preferences{Known: true}},
	} {
		webtest.All(t, "public/unsubscribe/", func(_ *web.Web, p web.Page) map[string]any {
			s.Page, s.Token = p, "token"
			return map[string]any{"public/unsubscribe/show": &s, "public/unsubscribe/unknown": &s}
		})
	}
	for _, m := range [][]mail{nil, {{ID: "00000001-abc", To: "june@example.org", Subject: "<b>", At: webtest.Time}, {ID: "2", At: webtest.Time}}} {
		webtest.All(t, "public/outbox/", func(_ *web.Web, p web.Page) map[string]any {
			show := outboxMailPage{Page: p, Mail: mail{ID: "1", Text: "See https://act.example.org/confirm/x. <b>", HTML: len(m) > 0, At: webtest.Time, Headers: []header{{"From", "<a@b.example>"}}}}
			return map[string]any{"public/outbox/list": &outboxPage{p, m}, "public/outbox/show": &show}
		})
	}
	at := webtest.Time
	for _, m := range []mailings.WebCopy{
		{Title: "Tuesday <9>", Lang: "en", Languages: []string{"en", "es"}, HTML: "<p>Hello</p>", At: &at, Slug: "tuesday"},
		{Title: "Martes", Lang: "es", Languages: []string{"es"}, Document: "<html>", Text: "x"},
	} {
		webtest.All(t, "public/archive/", func(_ *web.Web, p web.Page) map[string]any {
			p.Title = m.Title
			list := archivePage{Page: p}
			one := mailCopyPage{Page: p, Copy: m, Body: m.HTML}
			if m.At != nil {
				list.Rows, one.Versions = []mailings.WebCopy{m}, []web.Link{{URL: "?version=es", Label: "Español"}}
			}
			return map[string]any{"public/archive/list": &list, "public/archive/mail": &one}
		})
	}
}
