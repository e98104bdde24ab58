package public

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/events"
	"kithline/models"
)

// Every page of events runs in every language, empty and full, in every state of an event and of a registration.
func TestPagesOfEvents(t *testing.T) {
	now := webtest.Time
	s := events.New(events.Options{Words: func(lang, key string, args ...any) string { return key }, Day: web.Weekday})
	e := models.Event{
		ID: uuid.New(), Slug: "first-tuesday", Title: "First <Tuesday>", Summary: "An hour & more.", Body: "Come *in*.", Locale: "es", State: models.EventPublished, Kind: models.EventSupportGroup, Venue: models.VenueHybrid,
		TimeZone: "America/New_York", StartsOn: "2027-03-02T18:30", Minutes: 75, Recurrence: "FREQ=MONTHLY;BYDAY=1TU", PlaceName: "Library", City: "Harrow Bay", Capacity: 0, Types: "open,camera-off-ok", CoLeaderWanted: true,
		JoinSealed: []byte{1}, DialSealed: []byte{1}, ContactName: "Ilse", ContactEmail: "ilse@example.org", ContactPhone: "555-0142", CancelNote: "We are <sorry>.",
	}
	o := events.Occurrence{Original: now.AddDate(0, 0, 7), Start: now.AddDate(0, 0, 7), End: now.AddDate(0, 0, 7).Add(time.Hour), Note: "Ring <twice>."}
	second := o
	second.Original, second.Start = o.Original.AddDate(0, 1, 0), o.Start.AddDate(0, 1, 0)
	listed := events.Listed{Event: e, Next: []events.Occurrence{o, second}, Chapter: "North"}
	access := events.Access{Meters: 60, DropOff: events.Point{Is: events.Yes}, BlockMinutes: 45, BreakMinutes: 15, Captions: events.Point{Is: events.Yes, Text: "By a <person>."}, Scent: events.Point{Is: events.No}}
	for _, state := range []models.EventState{models.EventPublished, models.EventCancelled, models.EventClosed} {
		for i, reg := range []models.RegistrationState{models.Registered, models.RegistrationWaiting, models.RegistrationOffered} {
			full := i > 0
			webtest.All(t, "public/events/", func(_ *web.Web, p web.Page) map[string]any {
				l := listed
				l.State = state
				v := events.View{Listed: l, Free: -1, Online: true, Phone: true, Access: access, Looked: true, Contact: "Maren", Off: []events.Occurrence{o}}
				if !full {
					v.Next, v.Off, v.Free, v.Contact, v.Looked = nil, nil, 0, "", false
				}
				if i == 2 {
					v.Free, v.Capacity, v.Next = 3, 9, v.Next[:1]
				}
				show := NewEventPage(p, s, v)
				preview, list := *show, &eventList{Page: p}
				c := events.Coming{Event: l.Event, Date: o, Reg: models.Registration{State: reg, Attends: models.AttendsOnsite}, When: "when", Token: "t", Access: access, Looked: full}
				if full {
					show.Filled = true
					if i == 1 && state == models.EventPublished {
						for _, name := range []string{"", "date", "given_name", "email", "attends", "needs", "time_zone"} {
							show.Errors = append(show.Errors, web.FieldError{Name: name, Text: "Wrong."})
						}
					}
					list.Rows, list.Chapters, list.Filter = cardsOf(s, p.Lang, []events.Listed{listed}), []models.Chapter{{Slug: "north", Name: "North"}}, eventFilter{Day: "3"}
					until := now.Add(time.Hour)
					c.GivenName, c.Join, c.Dial, c.Yours, c.Needs, c.Reg.Series, c.Reg.OfferedUntil, c.Reg.TimeZone = "June <J>", "https://meet.example.org/a?b=1", "555\ncode", "yours", true, true, &until, "Europe/Madrid"
				}
				coming := &comingPage{Page: p, Coming: c, Contact: "Maren"}
				if c.Dial != "" {
					coming.Dial = []string{"555", "code"}
				}
				after := &eventSent{Page: p, Action: "/events/first-tuesday"}
				return map[string]any{
					"public/events/show": show, "public/events/preview": &preview, "public/events/list": list, "public/events/groups": list, "public/events/sent": after, "public/events/thanks": after,
					"public/events/coming": coming, "public/events/done": &cantPage{p},
				}
			})
		}
	}
	for typed, want := range map[string]int{"": 0, "1": 1, "7": 7, "8": 0, "-1": 0, "x": 0} {
		if got := (eventFilter{Day: typed}).filter().Day; got != want {
			t.Errorf("%q: %d", typed, got)
		}
	}
}
