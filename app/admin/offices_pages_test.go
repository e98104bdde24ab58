package admin

import (
	"testing"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/letters"
	"kithline/models"
)

// The page of offices runs in every language, with and without rows.
func TestPagesOfOffices(t *testing.T) {
	now := webtest.Time
	c := models.LetterCampaign{ID: uuid.New(), Title: "Twenty <visits>", Locale: "en", HourlyCap: 10}
	digest := c
	digest.Digest, digest.HourlyCap = true, 1
	full := letters.Desk{
		Legislator: uuid.New(), Name: "Ada <Quill>", Title: "Senator", Chamber: "Senate", Waiting: 1200, Mailed: 3, OnWay: 1, Unknown: 2, Paper: 1, Hand: 4, Done: 5, Retarget: 1, Lost: 1, NextAt: &now, Bounced: 1,
	}
	for _, d := range []letters.Desks{
		{Campaign: c, At: now, More: true, Rows: []letters.Desk{full, {Legislator: uuid.New(), Name: "Bo", Title: "Senator"}}}, {Campaign: c, At: now}, {Campaign: digest, At: now},
	} {
		webtest.All(t, "admin/offices/", func(_ *web.Web, p web.Page) map[string]any {
			p.Title = "Offices"
			return map[string]any{"admin/offices/list": &officesPage{Page: p, Desks: d}}
		})
	}
}
