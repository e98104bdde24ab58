package journey

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"kithline/campaigns/actor"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// An owner asks for a list, leaves, finds it again and fetches it, without scripts. Every fetch is written down.
func TestExportAList(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		people := factory.People(3)
		factory.Signed(t, a, p, people...)
		owner := a.Owner(t)

		form := owner.Get("/admin/exports").Want(200).Follow(`main a[href="/admin/exports/new"]`).Want(200)
		if page := form.Submit("main form button", map[string]string{"format": "nonsense"}); page.Status != 422 {
			t.Errorf("a format that is none: %d", page.Status)
		}
		shown := form.Submit("main form button", map[string]string{"format": "csv"}).Want(200)
		if !strings.HasPrefix(shown.Path, "/admin/exports/") {
			t.Fatalf("it leads to %s", shown.Path)
		}
		for !shown.Has(`main form[action$="/file"]`) {
			pause(t)
			shown = owner.Get("/admin/exports").Want(200).Follow(`main table tbody a`).Want(200)
		}
		file := shown.Submit(`main form[action$="/file"] button`, nil).Want(200)
		if d := file.Header.Get("Content-Disposition"); !strings.Contains(d, ".csv") || file.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s, %s", d, file.Header.Get("Cache-Control"))
		}
		rows, err := csv.NewReader(strings.NewReader(string(file.Body))).ReadAll()
		if err != nil || len(rows) != 4 || rows[0][0] != "email" {
			t.Fatalf("%v, %q", err, rows)
		}
		for _, who := range people {
			if !strings.Contains(string(file.Body), who.Email) {
				t.Errorf("%s is missing", who.Email)
			}
		}
		var fetches int64
		if err := a.DB.Model(&models.AuditEntry{}).Where("action = 'export.fetch'").Count(&fetches).Error; err != nil || fetches != 1 {
			t.Errorf("%d fetches noted, %v", fetches, err)
		}

		// Signatures for the decider.
		page := owner.Get("/admin/exports?petition="+p.ID.String()).Submit(`form[action="/admin/exports/signatures"] button`, map[string]string{"format": "csv"}).Want(200)
		for !page.Has(`main form[action$="/file"]`) {
			pause(t)
			page = owner.Get(page.Path).Want(200)
		}
		if body := string(page.Submit(`main form[action$="/file"] button`, nil).Want(200).Body); strings.Count(body, "\r\n") != 4 || strings.Contains(body, "@") {
			t.Errorf("signatures: %s", body)
		}

		// Everything only once the box is ticked.
		page = owner.Get("/admin/exports").Submit(`form[action="/admin/exports/everything"] button`, nil)
		if page.Status != http.StatusUnprocessableEntity {
			t.Errorf("unasked: %d", page.Status)
		}
		page = page.Submit(`form[action="/admin/exports/everything"] button`, map[string]string{"sure": "yes"}).Want(200)
		for !page.Has(`main form[action$="/file"]`) {
			pause(t)
			page = owner.Get(page.Path).Want(200)
		}
		if body := page.Submit(`main form[action$="/file"] button`, nil).Want(200).Body; !strings.HasPrefix(string(body), "PK") {
			t.Errorf("no ZIP: %.20q", body)
		}
	})
}

// An organizer is not offered everything, and does not get it.
func TestExportsOfOthers(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		w := newWorld(t, a)
		organizer := w.clients[string(actor.Organizer)]
		if page := organizer.Get("/admin/exports").Want(200); page.Has(`form[action="/admin/exports/everything"]`) {
			t.Error("an organizer is offered everything")
		}
		if page := organizer.Post("/admin/exports/everything", url.Values{"sure": {"yes"}}); page.Status != http.StatusForbidden {
			t.Errorf("an organizer exports everything: %d", page.Status)
		}
	})
}
