package admin_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/mailboxes"
	"kithline/models"
	"kithline/tests/testapp"
)

// An organizer plans a meeting, its team gets the page by mail, a member writes down what came of it, and the report goes into the log.
func TestAMeetingFromPlanToLog(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		now := a.Clock.Now()
		roster := models.Roster{ID: models.NewID(), Slug: "pain-day", State: models.RosterPublished, Title: "Pain Day", Locale: "en", TimeZone: "America/New_York", Revision: 1, CreatedAt: now, UpdatedAt: now}
		in := models.Jurisdiction{ID: models.NewID(), Code: "us-wn", Name: "Wennick", Country: "US", Region: "WN", CreatedAt: now, UpdatedAt: now}
		house := models.Chamber{ID: models.NewID(), JurisdictionID: in.ID, Code: "lower", Name: "House", MemberTitle: "Representative", CreatedAt: now, UpdatedAt: now}
		ada := models.Legislator{ID: models.NewID(), Source: string(models.SourceHand), ExternalID: "x", Name: "Ada Quill", FamilyName: "Quill", CreatedAt: now, UpdatedAt: now}
		for _, row := range []any{&roster, &in, &house, &ada, &models.Term{ID: models.NewID(), LegislatorID: ada.ID, ChamberID: house.ID, District: "7", CreatedAt: now, UpdatedAt: now}} {
			if err := a.DB.Create(row).Error; err != nil {
				t.Fatal(err)
			}
		}
		c, base := as(t, a, actor.Organizer, "nadia@example.org"), "/admin/meetings/"+roster.ID.String()
		c.Get("/admin/meetings").Want(200).Follow("main table a").Want(200)
		page := c.Get(base + "/plan").Want(200)
		page = page.Submit("main form", map[string]string{"asks": "", "leader": "0", "storyteller": "0", "asker": "0", "notes": "0", "point_1": "Pain costs.", "source_title_1": ""}).Want(422)
		for _, id := range []string{"#leader-error", "#source_title_1-error"} {
			if !page.Has(id) {
				t.Errorf("no %s", id)
			}
		}
		page.Submit("main form", map[string]string{"asks": "Vote yes?\nSpeak for it?", "leader": "1", "storyteller_minimum": "0", "asker_minimum": "0", "notes_minimum": "0", "source_title_1": "A survey"}).Want(200)
		page = c.Get(base + "/new?find=quill").Want(200).Follow("main ul.plain a").Want(200)
		day := now.AddDate(0, 0, 10).Format(time.DateOnly)
		page = page.Submit("main form.narrow[method=post]", map[string]string{"day": day, "hour": "", "join": "https://meet.example.org/7"}).Want(422)
		if !page.Has("#hour-error") {
			t.Error("no word about the time")
		}
		page = page.Submit("main form.narrow[method=post]", map[string]string{"hour": "10:00"}).Want(200)
		at := page.Path
		if !strings.Contains(page.Text("main"), "Representative Ada Quill") || !strings.Contains(page.Text("main"), "1 person needed") {
			t.Errorf("%s", page.Text("main"))
		}
		board := c.Get(base + "/board").Want(200)
		if board.Text("#tiles tbody .tag.warn") != "1 person needed" {
			t.Errorf("board: %q", board.Text("#tiles tbody"))
		}

		// Somebody takes the leader's place.
		var m models.Meeting
		var sh models.Shift
		var place models.Assignment
		err := a.DB.Tx(t.Context(), func(tx *gorm.DB) error {
			box, err := mailboxes.Ensure(t.Context(), tx, a.Vault, "june@example.org", now)
			if err != nil {
				return err
			}
			if err := tx.Take(&m).Error; err != nil {
				return err
			}
			if err := tx.Where("team_id = ? AND role_kind = 'leader'", m.TeamID).Take(&sh).Error; err != nil {
				return err
			}
			place = models.Assignment{ID: models.NewID(), ShiftID: sh.ID, MailboxID: box.ID, AsWhat: models.AsPlace, State: models.AssignmentConfirmed, Locale: "en", TimeZone: "America/Los_Angeles", CreatedAt: now, UpdatedAt: now}
			place.GivenNameSealed = a.Vault.Seal("assignments", "given_name_sealed", place.ID, "June")
			return tx.Create(&place).Error
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Get(base).Want(200).Submit(`form[action$="/send"] button`, nil).Want(200)
		mail := a.WaitMail(t, "june@example.org", 1)[0]
		if strings.Contains(mail.Subject, "Quill") || !strings.Contains(mail.Text, "07:00") {
			t.Errorf("%s\n%s", mail.Subject, mail.Text)
		}
		link := testapp.Link(t, mail, "/meetings/")
		june := a.Client(t)
		page = june.Get(link).Want(200)
		for _, want := range []string{"Your role: Leader", "10:00 to 10:15", "07:00 to 07:15", "https://meet.example.org/7", "June", "Vote yes?", "A survey"} {
			if !strings.Contains(page.Text("main"), want) {
				t.Errorf("no %q in %s", want, page.Text("main"))
			}
		}
		if page.Has("#notes") {
			t.Error("notes before the meeting")
		}
		if pdf := june.Get(link + "/pack.pdf").Want(200); !strings.HasPrefix(string(pdf.Body), "%PDF-") {
			t.Error("no pack")
		}
		june.Post(link+"/notes", url.Values{"ask_1": {"yes"}, "ask_2": {"no"}, "revision": {"1"}}).Want(409)

		a.Clock.Set(m.StartsAt.Add(20 * time.Minute))
		page = june.Get(link).Want(200)
		page = page.Submit(`form[action$="/notes"]`, map[string]string{"ask_1": "yes", "notes": "They nodded."}).Want(422)
		page = page.Submit(`form[action$="/notes"]`, map[string]string{"ask_2": "maybe"}).Want(200)
		if got := page.Text("#notes"); !strings.Contains(got, "They nodded.") {
			t.Errorf("notes %q", got)
		}
		c.Get(at).Want(200).Submit(`form[action$="/thanked"] button`, nil).Want(200)
		page = c.Get(base + "/report").Want(200)
		if got := page.Text("main"); !strings.Contains(got, "1 of 1") || strings.Contains(got, "June") {
			t.Errorf("%s", got)
		}
		page.Submit(`form[action$="/log"] button`, nil).Want(200)
		if got := c.Get("/admin/advocacy").Want(200).Text("main table"); !strings.Contains(got, "Pain Day") {
			t.Errorf("%s", got)
		}
		for _, w := range []string{"june@example.org", "June", "Quill"} {
			if strings.Contains(a.Logged(), w) {
				t.Errorf("the log holds %q", w)
			}
		}
		// The link ends with the place.
		if err := a.DB.Delete(&place).Error; err != nil {
			t.Fatal(err)
		}
		june.Get(link).Want(410)
		june.Get("/meetings/nonsense").Want(404)
	})
}
