package admin

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/events"
	"kithline/models"
)

// Every page about events runs in every language, empty and full.
func TestPagesOfEvents(t *testing.T) {
	now := webtest.Time
	e := models.Event{ID: uuid.New(), Slug: "first-tuesday", Title: "First <Tuesday>", Locale: "es", State: models.EventPublished, Kind: models.EventSupportGroup, Venue: models.VenueOnline, TimeZone: "America/New_York", Revision: 3, Capacity: 9}
	o := events.Occurrence{Original: now, Start: now, End: now.Add(time.Hour), Note: "Ring <twice>."}
	for _, state := range []models.EventState{models.EventDraft, models.EventPublished, models.EventClosed, models.EventCancelled} {
		for _, full := range []bool{false, true} {
			webtest.All(t, "admin/events/", func(_ *web.Web, p web.Page) map[string]any {
				e.State = state
				list, show, date := eventAdminList{Page: p}, eventShow{Page: p, Row: e}, eventDatePage{Page: p, Row: e, Date: dateRow{events.Counts{Occurrence: o}, "20270223T104200Z", "when"}}
				message := eventMessage{Page: p, Row: e, Dates: []web.Option{{Label: "All"}}}
				edit := eventEdit{Page: p}
				fill(&edit, events.Draft{Locale: "en"})
				print := date
				if full {
					list.Rows = []eventRow{{Listed: events.Listed{Event: e, Chapter: "North"}, When: "when", Tone: "on"}}
					for i := range 4 {
						c := events.Counts{Occurrence: o, Registered: 3, Onsite: 2, Remote: 1, Waiting: 1, Offered: i, Needs: 1}
						c.Off, c.Moved, c.Extra = i == 1, i == 2, i == 3
						show.Dates = append(show.Dates, dateRow{c, "20270223T104200Z", "when"})
					}
					date.Date, date.Named, date.IsNeeds = show.Dates[1], true, true
					for i, s := range []models.RegistrationState{models.Registered, models.RegistrationWaiting, models.RegistrationOffered} {
						date.People = append(date.People, events.Person{Name: "June <J>", Email: "june@example.org", State: s, Attends: models.AttendsPhone, Series: i == 0, Needs: "A <chair>.", Share: i == 0})
					}
					print = date
					message.Look, message.Count, message.Form.Body, message.Sent = state != models.EventClosed, 3, "Bring <a> cup.", []models.EventMessage{{Body: "x", Recipients: 1, CreatedAt: now}}
					if !message.Look {
						message.Errors = []web.FieldError{{Name: "date", Text: "Wrong."}, {Name: "body", Text: "Wrong."}}
					}
					edit.Row, edit.Stored, edit.Next = e, true, []string{"when"}
					fill(&edit, events.Draft{Title: "x", Locale: "es", StartsOn: "2027-03-02T18:30", Recurrence: "FREQ=MONTHLY;BYDAY=1TU", Types: []string{"open"}, Access: events.Access{Captions: events.Point{Is: events.Yes}}, TimeZone: "Africa/Tunis"})
					edit.Choices = events.Choices{Chapters: []models.Chapter{{ID: uuid.New(), Name: "North"}}, Campaigns: []models.Campaign{{ID: uuid.New(), Title: "Visits"}}, Contacts: []events.Contact{{ID: uuid.New(), Name: "Maren"}}}
					for _, name := range []string{"", "title", "about", "starts_on", "recurrence", "join", "access_looked", "access_captions", "capacity"} {
						edit.Errors = append(edit.Errors, web.FieldError{Name: name, Text: "Wrong."})
					}
					if state == models.EventPublished {
						show.Errors, date.Errors = []web.FieldError{{Name: "starts", Text: "Wrong."}, {Name: "note", Text: "Wrong."}}, []web.FieldError{{Name: "starts", Text: "Wrong."}}
					}
				}
				return map[string]any{"admin/events/list": &list, "admin/events/show": &show, "admin/events/date": &date, "admin/events/edit": &edit, "admin/events/needs": &print, "admin/events/print": &print, "admin/events/message": &message}
			})
		}
	}
}

// How an event comes again is made of its first day, and found again in the rule.
func TestRepeats(t *testing.T) {
	for _, c := range []struct{ repeats, starts, want string }{
		{"weekly", "2027-01-09T11:00", "FREQ=WEEKLY;BYDAY=SA"},
		{"fortnightly", "2027-01-07T13:30", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH"},
		{"monthly", "2027-01-05T18:30", "FREQ=MONTHLY;BYDAY=1TU"},
		{"monthly", "2027-01-29T18:30", "FREQ=MONTHLY;BYDAY=-1FR"},
		{"rule", "2027-01-05T18:30", "FREQ=DAILY;COUNT=3"},
		{"", "2027-01-05T18:30", ""},
		{"weekly", "nonsense", ""},
	} {
		f := eventDraft{Repeats: c.repeats, StartsOn: c.starts, Recurrence: "FREQ=DAILY;COUNT=3"}
		if got := f.rule(); got != c.want {
			t.Errorf("%s: %q", c.repeats, got)
		}
		if c.want == "" {
			continue
		}
		var p eventEdit
		p.Page = webtest.New(t).Blank(t.Context(), "en", "/")
		fill(&p, events.Draft{StartsOn: c.starts, Recurrence: c.want})
		if p.Form.Repeats != c.repeats {
			t.Errorf("%s is read as %s", c.want, p.Form.Repeats)
		}
	}
}
