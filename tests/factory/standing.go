package factory

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"kithline/campaigns/mailboxes"
	"kithline/models"
	"kithline/tests/testapp"
)

// Standing is a shift in two days that Ada holds, and that Rosa and Teo stand by for. It is noon there now, so they may be asked.
func Standing(t testing.TB, a *testapp.App) (models.Shift, models.Assignment) {
	t.Helper()
	ctx, now := context.Background(), a.Clock.Now()
	from := now.Add(48 * time.Hour)
	until := from.Add(45 * time.Minute)
	r := models.Roster{
		ID: models.NewID(), Slug: "day", State: models.RosterPublished, Title: "The day at the Statehouse", Locale: "en", TimeZone: fmt.Sprintf("Etc/GMT%+d", now.Hour()-12), Revision: 1, CreatedAt: now, UpdatedAt: now,
	}
	sh := models.Shift{
		ID: models.NewID(), RosterID: r.ID, Role: "Meeting leader", Kind: models.ShiftFixed, StartsAt: &from, EndsAt: &until, Minutes: 45, Mode: models.ShiftHome, Minimum: 1, Places: 1, Energy: 3,
		Demands: "speaking,screen", Revision: 1, CreatedAt: now, UpdatedAt: now,
	}
	for _, row := range []any{&r, &sh} {
		if err := a.DB.Create(row).Error; err != nil {
			t.Fatal(err)
		}
	}
	var held models.Assignment
	for i, name := range []string{"Ada", "Rosa", "Teo"} {
		box, err := mailboxes.Ensure(ctx, a.DB.DB, a.Vault, strings.ToLower(name)+"@example.org", now)
		if err != nil {
			t.Fatal(err)
		}
		at := now.Add(time.Duration(i) * time.Millisecond)
		x := models.Assignment{ID: models.NewID(), ShiftID: sh.ID, MailboxID: box.ID, AsWhat: models.AsStandby, State: models.AssignmentHeld, Locale: "en", AskBy: models.AskByMail, CreatedAt: at, ConfirmedAt: &at, UpdatedAt: at}
		x.GivenNameSealed = a.Vault.Seal("assignments", "given_name_sealed", x.ID, name)
		if i == 0 {
			x.AsWhat, x.State = models.AsPlace, models.AssignmentConfirmed
			held = x
		}
		if err := a.DB.Create(&x).Error; err != nil {
			t.Fatal(err)
		}
	}
	return sh, held
}
