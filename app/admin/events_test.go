package admin_test

import (
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/actor"
	gatherings "kithline/campaigns/events"
	"kithline/campaigns/mailboxes"
	"kithline/models"
	"kithline/tests/testapp"
)

// An organizer writes to those registered: the page says how many get it before it goes, it goes once, and its subject says nothing.
func TestAMessageToThoseRegistered(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		now := a.Clock.Now()
		e, err := a.Events.Create(t.Context(), actor.TheSystem(), gatherings.Draft{
			Title: "First Tuesday circle", Summary: "An hour.", Kind: models.EventSupportGroup, Locale: "en", TimeZone: "America/New_York", StartsOn: now.AddDate(0, 0, 9).Format(time.DateOnly) + "T18:30", Minutes: 60,
			Venue: models.VenueOnline, Join: "https://meet.example.org/room", Looked: true,
		})
		if err == nil {
			e, err = a.Events.Publish(t.Context(), actor.TheSystem(), e.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		first := gatherings.Occurrences(e, nil, now, now.AddDate(0, 1, 0))[0]
		err = a.DB.Tx(t.Context(), func(tx *gorm.DB) error {
			box, err := mailboxes.Ensure(t.Context(), tx, a.Vault, "june@example.org", now)
			if err != nil {
				return err
			}
			r := models.Registration{
				ID: models.NewID(), EventID: e.ID, OccursAt: first.Original, MailboxID: box.ID, State: models.Registered, Attends: models.AttendsOnline, Locale: "en", ConfirmedAt: &now, CreatedAt: now, UpdatedAt: now,
			}
			r.GivenNameSealed = a.Vault.Seal("registrations", "given_name_sealed", r.ID, "June")
			return tx.Create(&r).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		c := as(t, a, actor.Organizer, "nadia@example.org")
		page := c.Get("/admin/events/" + e.ID.String() + "/dates/" + gatherings.Stamp(first.Original)).Want(200).Follow(`a[href*="/message"]`).Want(200)
		page = page.Submit("main form", map[string]string{"body": " "}).Want(422)
		if !page.Has("#body-error") {
			t.Error("no word about the empty text")
		}
		page = page.Submit("main form", map[string]string{"body": "The room is open <early>."}).Want(200)
		if !strings.Contains(page.Text("main"), "It goes to 1 person.") {
			t.Errorf("%s", page.Text("main"))
		}
		var n int64
		sent := func() int64 {
			t.Helper()
			if err := a.DB.Model(&models.Delivery{}).Where("kind = ?", gatherings.KindMessage).Count(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n
		}
		if sent() != 0 {
			t.Error("it goes before it was looked at")
		}
		page.Submit("main form", nil).Want(200)
		page.Submit("main form", nil).Want(200) // pressed twice
		if sent() != 1 {
			t.Errorf("%d mails", n)
		}
		mail := a.WaitMail(t, "june@example.org", 1)[0]
		if mail.Subject != "A message about your date" || !strings.Contains(mail.Text, "The room is open <early>.") || !strings.Contains(mail.Text, "/coming/") {
			t.Errorf("%s\n%s", mail.Subject, mail.Text)
		}
		if got := c.Get("/admin/events/" + e.ID.String() + "/message").Want(200).Text("#sent + ul"); !strings.Contains(got, "to 1 person") {
			t.Errorf("%q", got)
		}
		if got := a.Client(t).Get("/events/" + e.Slug).Want(200).Text("main"); strings.Contains(got, "early") {
			t.Error("everybody can read it")
		}
		as(t, a, actor.Viewer, "vic@example.org").Get("/admin/events/" + e.ID.String() + "/message").Want(403)
		if strings.Contains(a.Logged(), "june@example.org") || strings.Contains(a.Logged(), "June") {
			t.Error("the log holds a person")
		}
	})
}
