package admin_test

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"kithline/campaigns/actor"
	"kithline/campaigns/exports"
	"kithline/campaigns/rosters"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// Somebody calls, has no mail, and helps all the same: put there, called, let go by another call, without a mail to anybody, and erased
// when they say so.
func TestAPlaceWithoutMail(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx, owner := t.Context(), factory.Owner(t, a)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		r, err := a.Rosters.Create(ctx, owner, rosters.Draft{Title: "Help at the day", Summary: "Two things.", Locale: "en", Zone: "America/New_York"})
		must(err)
		day := a.Clock.Now().AddDate(0, 0, 1).Format(time.DateOnly)
		made, err := a.Rosters.AddShifts(ctx, owner, r.ID, rosters.ShiftInput{
			Role: "Welcome table", Kind: models.ShiftFixed, Mode: models.ShiftOnsite, Place: "Lobby", Minimum: 1, Places: 1, Standbys: 1, Energy: 2, Demands: []string{"sitting"},
			Starts: rosters.Local{Day: day, Clock: "10:00"}, Ends: rosters.Local{Day: day, Clock: "10:45"},
		})
		must(err)
		_, err = a.Rosters.SetState(ctx, owner, r.ID, models.RosterPublished)
		must(err)
		c, base := as(t, a, actor.Coordinator, "nadia@example.org"), "/admin/rosters/"+r.ID.String()
		settled := len(a.Mail.All())

		page := c.Get(base + "/shifts/" + made[0].ID.String() + "/seat").Want(200)
		page = page.Submit(`form[action$="/seat"]`, map[string]string{"given_name": "Olu", "said_yes": "yes"}).Want(422)
		if !page.Has("#email-error") {
			t.Errorf("nobody can reach them, and nothing says so: %s", page.Text("main"))
		}
		crew := page.Submit(`form[action$="/seat"]`, map[string]string{"family_name": "Ade", "phone": "+1 617 555 0123"}).Want(200)
		if got := crew.Text("main table"); !strings.Contains(got, "Olu A.") || !strings.Contains(got, "By telephone only") {
			t.Errorf("%q", got)
		}
		phones := c.Get(base + "/phones").Want(200)
		if got := phones.Text("#told ~ ul"); !strings.Contains(got, "+1 617 555 0123") || !strings.Contains(got, "Time to remind them") || !strings.Contains(got, "Welcome table") {
			t.Errorf("%q", got)
		}
		a.Clock.Set(time.Date(2027, 2, 1, 23, 30, 0, 0, time.UTC)) // half past six in the evening
		if n, err := a.Rosters.Remind(ctx); err != nil || n != 0 {
			t.Errorf("%d reminders, %v", n, err)
		}

		// Their record: without an address, in the list of who works here and in a file.
		var p models.Supporter
		must(a.DB.Take(&p, "id = (SELECT supporter_id FROM mailboxes WHERE address_sealed IS NULL)").Error)
		if got := c.Get("/admin/supporters/" + p.ID.String()).Want(200).Text("main"); !strings.Contains(got, "Olu") || strings.Contains(got, "@") {
			t.Errorf("%q", got)
		}
		var b bytes.Buffer
		_, err = a.Exports.Write(ctx, owner, exports.Input{Kind: exports.KindSupporters, Format: exports.CSV, Columns: []string{"email", "other_emails", "given_name", "phone", "subscription_status"}}, &b, nil)
		must(err)
		rows, err := csv.NewReader(&b).ReadAll()
		must(err)
		if len(rows) != 2 || strings.Join(rows[1], "|") != "||Olu|'+16175550123|none" {
			t.Errorf("%q", rows)
		}

		// A call is enough to let it go.
		crew = c.Get(crew.Path).Want(200).Follow(`main table a[href*="/release/"]`).Want(200)
		crew.Submit(`form[action*="/release/"]`, map[string]string{"said_yes": "yes"}).Want(200)
		var n int64
		must(a.DB.Model(&models.Assignment{}).Count(&n).Error)
		if n != 0 || c.Get(base+"/phones").Want(200).Has("#told") {
			t.Errorf("%d places", n)
		}
		must(a.DB.Model(&models.Delivery{}).Where("kind LIKE 'roster%'").Count(&n).Error)
		if n != 0 || len(a.Mail.All()) != settled {
			t.Errorf("%d mails are queued", n)
		}
		_, err = a.Rosters.Seat(ctx, owner, made[0].ID, rosters.SeatInput{SupporterID: p.ID, As: models.AsPlace, SaidYes: true})
		must(err)
		_, err = a.Erasures.Erase(ctx, owner, p.ID)
		must(err)
		for table, row := range map[string]any{"assignments": &models.Assignment{}, "supporters": &models.Supporter{}, "phones": &models.Phone{}} {
			must(a.DB.Model(row).Count(&n).Error)
			if n != 0 {
				t.Errorf("%d %s are left", n, table)
			}
		}
	})
}
