package journey

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"net/url"
	"strings"
	"testing"

	"kithline/campaigns/actor"
	"kithline/campaigns/petitions"
	"kithline/campaigns/users"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// From the moment an organizer hides a petition no public address of it says what it said, not its title and not a name; and it is all
// there again when it is shown.
func TestHiddenEverywhere(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		const title, name = "Quagga ferries at night", "Okaforb"
		ctx, boss := context.Background(), factory.Owner(t, a)
		done := func(p models.Petition, err error) models.Petition {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		p := done(a.Petitions.Create(ctx, boss, petitions.CreateInput{Draft: petitions.Draft{
			Title: title, Summary: "One quagga ferry at night.", Body: "Quaggas wait.", Decider: "The Quagga Board", WhyNow: "Soon.", SystemChange: "Nobody waits.", Goal: 500, Locale: "en", PictureAlt: "A quagga",
		}}))
		var picture bytes.Buffer
		if err := png.Encode(&picture, image.NewRGBA(image.Rect(0, 0, 40, 30))); err != nil {
			t.Fatal(err)
		}
		if err := a.Petitions.SetPicture(ctx, boss, p.ID, "quagga.png", &picture); err != nil {
			t.Fatal(err)
		}
		p = done(a.Petitions.Submit(ctx, boss, p.ID, p.Revision))
		p = done(a.Petitions.Publish(ctx, boss, p.ID, p.Revision))
		factory.Signed(t, a, p, factory.People(12)...)
		path := "/petitions/" + p.Slug
		visitor := a.Client(t)
		waits := sign(t, a.Client(t), path, map[string]string{"email": "late@example.org"})
		if waits.Status != 200 {
			t.Fatal(waits.Status)
		}
		confirm := testapp.Link(t, a.WaitMail(t, "late@example.org", 1)[0], "/confirm/")
		var sig models.Signature
		if err := a.DB.Where("petition_id = ? AND state = 'confirmed'", p.ID).Order("number").Take(&sig).Error; err != nil {
			t.Fatal(err)
		}
		own := a.Petitions.OwnLink(p.Slug, sig.ID, a.Clock.Now())
		a.Client(t).Get(own).Want(200)
		var c models.Campaign
		if err := a.DB.Take(&c, "id = ?", p.CampaignID).Error; err != nil {
			t.Fatal(err)
		}
		// Each address of it, with what it answers once it is hidden. Lists stay, without it.
		addresses := map[string]int{
			path: 404, path + ".json": 404, path + "/districts.json": 404, path + "/feed.atom": 404, path + "/feed.rss": 404, path + "/thanks": 404,
			path + "/share": 404, path + "/spread": 404, path + "/poster": 404, path + "/card": 404, path + "/qr.svg": 404, path + "/embed": 404,
			path + "/badge.svg": 404, path + "/og.png": 404, path + "/picture": 404, path + "/sent": 404,
			"/": 200, "/petitions": 200, "/petitions.atom": 200, "/campaigns/" + c.Slug: 404,
		}
		look := func(address string) (int, string) {
			t.Helper()
			page := visitor.Get(address)
			return page.Status, string(page.Body)
		}
		before := map[string]bool{}
		for address := range addresses {
			status, body := look(address)
			if status != 200 && address != path+"/districts.json" && address != path+"/sent" {
				t.Errorf("%s answers %d before it is hidden", address, status)
			}
			before[address] = strings.Contains(body, "Quagga")
		}
		for _, address := range []string{path, path + ".json", path + "/feed.atom", path + "/feed.rss", path + "/share", path + "/poster", path + "/card", path + "/embed", "/", "/petitions", "/petitions.atom", "/campaigns/" + c.Slug} {
			if !before[address] {
				t.Errorf("%s does not say what it is about before it is hidden", address)
			}
		}
		owner := a.Owner(t)
		owner.Get("/admin/petitions/"+p.ID.String()+"/steer?do=hide").Want(200).Submit("main form button", map[string]string{"reason": "hurts"}).Want(200)
		// At once: what was kept for visitors goes with it, and nothing waits for the clock.
		for address, want := range addresses {
			status, body := look(address)
			if status != want {
				t.Errorf("%s answers %d once it is hidden, not %d", address, status, want)
			}
			if strings.Contains(body, "Quagga") || strings.Contains(body, name) {
				t.Errorf("%s says it still: %s", address, body[:min(len(body), 300)])
			}
		}
		if page := visitor.Post(path+"/sign", url.Values{"given_name": {"June"}, "family_name": {"O"}, "email": {"new@example.org"}, "postal_code": {"00012"}, "display": {"name"}}); page.Status != 404 {
			t.Errorf("signing answers %d", page.Status)
		}
		// A confirmation says that it takes none now, and counts nothing; the reader's own signature can still be taken back.
		if page := a.Client(t).Get(confirm).Want(200); page.Has("main form button.main") {
			t.Errorf("a confirmation is taken: %s", page.Text("main"))
		}
		a.Client(t).Post(confirm, nil).Want(410)
		if page := a.Client(t).Get(own).Want(200); !page.Has("form[action$='/withdraw']") {
			t.Errorf("who signed cannot take it back: %s", page.Text("main"))
		}

		owner.Get("/admin/petitions/"+p.ID.String()+"/steer?do=show").Want(200).Submit("main form button", nil).Want(200)
		for address := range addresses {
			if status, body := look(address); strings.Contains(body, "Quagga") != before[address] || before[address] && status != 200 {
				t.Errorf("%s answers %d once it is shown again", address, status)
			}
		}
	})
}

// Two moderators have the same queue open. One claims; the other is told, sees who, may hand it on, and is warned before deciding all
// the same; who is away has nothing in hand.
func TestTwoModerators(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx, boss := context.Background(), factory.Owner(t, a)
		ben, err := a.Users.Add(ctx, boss, users.NewUser{Name: "Ben Achterberg", Email: "ben@example.org", Role: actor.Organizer, Locale: "en"})
		if err != nil {
			t.Fatal(err)
		}
		p, err := a.Petitions.Create(ctx, boss, petitions.CreateInput{Draft: petitions.Draft{
			Title: "A night bus", Summary: "One bus.", Body: "People wait.", Decider: "The Board", WhyNow: "Soon.", SystemChange: "Nobody waits.", Goal: 500, Locale: "en",
		}})
		if err == nil {
			p, err = a.Petitions.Submit(ctx, boss, p.ID, p.Revision)
		}
		if err != nil {
			t.Fatal(err)
		}
		one, two := a.Owner(t), signIn(t, a, ben)
		mine, theirs := one.Get("/admin/petitions/review").Want(200), two.Get("/admin/petitions/review").Want(200)
		if page := theirs.Submit("button[value='claim']", nil).Want(200); !strings.Contains(page.Text("main form"), "You") {
			t.Errorf("who claims: %s", page.Text("main"))
		}
		late := mine.Submit("button[value='claim']", nil).Want(200)
		if !strings.Contains(late.Text(".notice.warn"), "Somebody else claimed it") || !strings.Contains(late.Text("main form"), "Ben Achterberg") {
			t.Errorf("who was too late: %s", late.Text("main"))
		}
		review := one.Get("/admin/petitions/" + p.ID.String()).Want(200)
		if !strings.Contains(review.Text("#claim-h + p + p"), "Ben Achterberg") {
			t.Errorf("the review: %s", review.Text("main"))
		}
		if warned := review.Submit("form[action$='/publish'] button", nil).Want(409); !strings.Contains(warned.Text("main"), "Ben Achterberg") || !warned.Has("input[name='anyway']") {
			t.Errorf("no warning: %s", warned.Text("main"))
		}
		// Ben hands it over, and goes away; nothing can be handed back.
		two.Get("/admin/petitions/"+p.ID.String()).Want(200).Submit("button[value='hand']", map[string]string{"to": boss.UserID.String()}).Want(200)
		if page := one.Get("/admin/petitions/review?show=mine").Want(200); !page.Has("main form[action$='/claim']") {
			t.Errorf("handed over: %s", page.Text("main"))
		}
		until := a.Clock.Now().AddDate(0, 0, 3)
		if err := a.Petitions.SetAway(ctx, actor.Actor{Kind: actor.User, UserID: ben, Role: actor.Organizer}, &until); err != nil {
			t.Fatal(err)
		}
		away := one.Get("/admin/petitions/" + p.ID.String()).Want(200)
		if away.Has("option[value='"+ben.String()+"']") || !strings.Contains(away.Text("main"), "Ben Achterberg") {
			t.Errorf("who is away: %s", away.Text("main"))
		}
		away.Submit("form[action$='/publish'] button", nil).Want(200)
	})
}
