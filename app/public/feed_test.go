package public_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"

	"kithline/campaigns/actor"
	"kithline/campaigns/events"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/rosters"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// Somebody's own calendar holds the places that they have and the dates that they come to, and says of neither what it is about.
func TestOwnCalendar(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx, now, owner := t.Context(), a.Clock.Now(), factory.Owner(t, a)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		day := now.AddDate(0, 0, 9).Format(time.DateOnly)
		e, err := a.Events.Create(ctx, actor.TheSystem(), events.Draft{
			Title: "First Tuesday circle", Summary: "An hour.", Kind: models.EventSupportGroup, Locale: "en", TimeZone: "America/New_York", StartsOn: day + "T18:30", Minutes: 60, Venue: models.VenueOnline, Join: "https://meet.example.org/room", Looked: true,
		})
		must(err)
		e, err = a.Events.Publish(ctx, actor.TheSystem(), e.ID)
		must(err)
		r, err := a.Rosters.Create(ctx, owner, rosters.Draft{Title: "Help at the day", Locale: "en", Zone: "America/New_York"})
		must(err)
		made, err := a.Rosters.AddShifts(ctx, owner, r.ID, rosters.ShiftInput{
			Role: "Welcome table", Kind: models.ShiftFixed, Mode: models.ShiftOnsite, Place: "Lobby", Minimum: 1, Places: 1, Energy: 2, Starts: rosters.Local{Day: day, Clock: "10:00"}, Ends: rosters.Local{Day: day, Clock: "10:45"},
		})
		must(err)
		_, err = a.Rosters.SetState(ctx, owner, r.ID, models.RosterPublished)
		must(err)
		box, err := mailboxes.Ensure(ctx, a.DB.DB, a.Vault, "june@example.org", now)
		must(err)
		must(mailboxes.Verify(ctx, a.DB.DB, box.ID, now))
		at := func() map[string]string {
			t.Helper()
			u, err := url.Parse(a.Rosters.FeedURL(box.ID))
			must(err)
			text := string(a.Client(t).Get(u.Path).Want(200).Body)
			if strings.Contains(text, "meet.example.org") {
				t.Errorf("how to join stands in a calendar that others may see: %s", text)
			}
			c, err := ical.NewDecoder(strings.NewReader(text)).Decode()
			must(err)
			out := map[string]string{}
			for _, v := range c.Events() {
				begin, err := v.DateTimeStart(time.UTC)
				must(err)
				title, err := v.Props.Text(ical.PropSummary)
				must(err)
				out[begin.In(time.UTC).Format("15:04")] = title
			}
			return out
		}
		if got := at(); len(got) != 0 {
			t.Fatalf("before: %v", got)
		}
		_, err = a.Rosters.Take(ctx, rosters.TakeInput{Shift: made[0].ID, As: models.AsPlace, Email: "june@example.org", GivenName: "June", Locale: "en", Lang: "en", Meets: true, Anyway: true, Proved: "june@example.org"})
		must(err)
		reg := models.Registration{
			ID: models.NewID(), EventID: e.ID, OccursAt: events.Occurrences(e, nil, now, now.AddDate(0, 1, 0))[0].Original, MailboxID: box.ID, State: models.Registered, Attends: models.AttendsOnline, Locale: "en", ConfirmedAt: &now, CreatedAt: now, UpdatedAt: now,
		}
		must(a.DB.Create(&reg).Error)
		place, date := made[0].StartsAt.In(time.UTC).Format("15:04"), reg.OccursAt.In(time.UTC).Format("15:04")
		if got := at(); len(got) != 2 || got[place] != "Welcome table" || got[date] == "" || strings.Contains(got[date], "circle") {
			t.Errorf("%v", got)
		}
		must(a.DB.Delete(&reg).Error)
		if got := at(); len(got) != 1 || got[place] == "" {
			t.Errorf("once they do not come: %v", got)
		}
	})
}
