package public_test

import (
	"net/url"
	"strings"
	"testing"

	"gorm.io/gorm"

	"kithline/campaigns/mailboxes"
	"kithline/models"
	"kithline/tests/testapp"
)

// handed is a letter of June's whose three recipients take no mail, in her hands.
func handed(t *testing.T, a *testapp.App) (models.Letter, []models.Dispatch) {
	t.Helper()
	now := a.Clock.Now()
	var l models.Letter
	var list []models.Dispatch
	err := a.DB.Tx(t.Context(), func(tx *gorm.DB) error {
		campaign := models.Campaign{ID: models.NewID(), Slug: "hb-412", Title: "HB 412", State: models.CampaignPublished, CreatedAt: now, UpdatedAt: now}
		c := models.LetterCampaign{ID: models.NewID(), CampaignID: campaign.ID, Slug: "hb-412", State: models.LettersPublished, Title: "Twenty visits a year", Ask: "x", Position: models.StanceSupport, Locale: "en", HourlyCap: 10, AskAnswers: true, CreatedAt: now, UpdatedAt: now}
		j := models.Jurisdiction{ID: models.NewID(), Code: "wk", Name: "Wennick", Country: "US", Region: "WK", CreatedAt: now, UpdatedAt: now}
		senate := models.Chamber{ID: models.NewID(), JurisdictionID: j.ID, Code: "upper", Name: "Senate", MemberTitle: "Senator", CreatedAt: now, UpdatedAt: now}
		box, err := mailboxes.Ensure(t.Context(), tx, a.Vault, "june@example.org", now)
		if err != nil {
			return err
		}
		l = models.Letter{ID: models.NewID(), LetterCampaignID: c.ID, MailboxID: box.ID, State: models.LetterReleased, Locale: "en", PostalArea: "00209", Region: "WK", Country: "US", CreatedAt: now, UpdatedAt: now, ConfirmedAt: &now, ReleasedAt: &now, ExpiresAt: now.AddDate(1, 0, 0)}
		for column, v := range map[string]*[]byte{"given_name_sealed": &l.GivenNameSealed, "family_name_sealed": &l.FamilyNameSealed, "street_sealed": &l.StreetSealed, "city_sealed": &l.CitySealed} {
			*v = a.Vault.Seal("letters", column, l.ID, map[string]string{"given_name_sealed": "June", "family_name_sealed": "Okafor", "street_sealed": "12 Ferry Street", "city_sealed": "Three Forks"}[column])
		}
		for _, row := range []any{&campaign, &c, &j, &senate, &l} {
			if err := tx.Create(row).Error; err != nil {
				return err
			}
		}
		for i, way := range []models.Channel{{Kind: models.ChannelWebForm, Value: "https://senate.example.org/write"}, {Kind: models.ChannelPost}, {Kind: models.ChannelPhone, Value: "555-0100"}} {
			g := models.Legislator{ID: models.NewID(), Source: string(models.SourceHand), ExternalID: string(way.Kind), Name: []string{"Ada Quill", "Bo Marsh", "Ida Pell"}[i], FamilyName: "Quill", CreatedAt: now, UpdatedAt: now}
			term := models.Term{ID: models.NewID(), LegislatorID: g.ID, ChamberID: senate.ID, OCDID: "ocd-division/country:us/state:wk/sldu:" + string(way.Kind), CreatedAt: now, UpdatedAt: now}
			o := models.Office{ID: models.NewID(), LegislatorID: g.ID, Kind: "capitol", Street: "1 Capitol Way\nRoom 12", City: "Harrow Bay", Region: "WK", PostalCode: "00201", Country: "US", Hours: "Weekdays 9 to 5", CreatedAt: now, UpdatedAt: now}
			way.ID, way.LegislatorID, way.OfficeID, way.Position, way.CreatedAt, way.UpdatedAt = models.NewID(), g.ID, &o.ID, 1, now, now
			d := models.Dispatch{ID: models.NewID(), LetterID: l.ID, LetterCampaignID: c.ID, MailboxID: box.ID, LegislatorID: g.ID, TermID: term.ID, State: models.DispatchWaiting, DueAt: now, CreatedAt: now, UpdatedAt: now}
			d.SubjectSealed = a.Vault.Seal("dispatches", "subject_sealed", d.ID, "Please support HB 412, from a constituent in Three Forks")
			d.TextSealed = a.Vault.Seal("dispatches", "text_sealed", d.ID, "Dear Senator Quill,\n\nI live in Three Forks and I am asking you to co-sponsor HB 412.\n\nMy plan stopped after six visits. I had just begun to lift my arm again. With a video visit I would not lose a whole day to the drive.\n\nWill you co-sponsor it? A short yes or no would help me.\n\nWith respect\nJune Okafor\n12 Ferry Street\nThree Forks, WK 00209")
			for _, row := range []any{&g, &term, &o, &way, &d, &models.LetterPace{LegislatorID: g.ID, NextAt: &now, UpdatedAt: now}} {
				if err := tx.Create(row).Error; err != nil {
					return err
				}
			}
			list = append(list, d)
		}
		return nil
	})
	if err == nil {
		err = a.Letters.Pace(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return l, list
}

// The mail about what needs the writer's hand leads to pages whose buttons say what was done. Looking changes nothing, and nobody else's
// link opens them.
func TestByHandPages(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		l, list := handed(t, a)
		link := testapp.Link(t, a.WaitMail(t, "june@example.org", 1)[0], "/by-hand/")
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		c := a.Client(t)
		page := c.Get(u.Path).Want(200)
		if !strings.Contains(page.Text("main"), "It is ready and needs your hand") {
			t.Errorf("%s", page.Text("main"))
		}
		form := c.Get(u.Path + "/" + list[0].ID.String()).Want(200)
		if !form.Has("a[href='https://senate.example.org/write']") || !strings.Contains(form.Text("#words"), "lift my arm") || !strings.Contains(form.Text("dl"), "12 Ferry Street") {
			t.Errorf("%s", form.Text("main"))
		}
		paper := c.Get(u.Path + "/" + list[1].ID.String() + "/letter.pdf").Want(200)
		if !strings.HasPrefix(string(paper.Body), "%PDF") || paper.Header.Get("Cache-Control") != "no-store, private" {
			t.Errorf("%v", paper.Header)
		}
		call := c.Get(u.Path + "/" + list[2].ID.String()).Want(200)
		if !call.Has("a[href='tel:555-0100']") || !strings.Contains(call.Text("main"), "Weekdays 9 to 5") {
			t.Errorf("%s", call.Text("main"))
		}
		state := func(i int) models.Dispatch {
			var d models.Dispatch
			if err := a.DB.Where("id = ?", list[i].ID).Take(&d).Error; err != nil {
				t.Fatal(err)
			}
			return d
		}
		for i := range list {
			if d := state(i); d.DoneAt != nil || d.State != models.DispatchByHand {
				t.Errorf("looking changed %+v", d)
			}
		}
		if wrong := call.Submit("form[action$='/done']", nil).Want(422); !wrong.Has("[aria-invalid], fieldset.wrong") {
			t.Errorf("%s", wrong.Text("main"))
		}
		if wrong := call.Submit("form[action$='/remind']", map[string]string{"days": "many"}).Want(422); !strings.Contains(wrong.Text("main"), "days") {
			t.Errorf("%s", wrong.Text("main"))
		}
		call.Submit("form[action$='/done']", map[string]string{"how": "voicemail"}).Want(200)
		form.Submit("form[action$='/done']", nil).Want(200)
		if a, b := state(0), state(2); a.DoneAt == nil || b.DoneHow != "voicemail" {
			t.Errorf("%+v %+v", a, b)
		}
		if page = c.Get(u.Path).Want(200); !strings.Contains(page.Text("main"), "You brought it there") {
			t.Errorf("%s", page.Text("main"))
		}
		c.Get("/by-hand/" + strings.Repeat("A", 51)).Want(404)
		c.Get(u.Path + "/" + models.NewID().String()).Want(404)
		if strings.Contains(a.Logged(), u.Path) {
			t.Error("the link is in the log")
		}
		// Deleted, the link opens nothing any more.
		page.Submit("form[action$='/delete']", nil)
		c.Get(u.Path).Want(410)
		var now models.Letter
		if err := a.DB.Where("id = ?", l.ID).Take(&now).Error; err != nil || now.State != models.LetterAnonymised || now.StreetSealed != nil {
			t.Errorf("%+v, %v", now.State, err)
		}
	})
}
