package journey

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/supporters"
	"kithline/campaigns/users"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// TestRecords: an organizer adds a person, completes the record, and finds it again, by the pages alone.
func TestRecords(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		c := a.Owner(t)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}

		// A field of one's own, by the page that defines it.
		list := c.Get("/admin/fields").Want(200).Follow("main a[href='/admin/fields/new']").Want(200).
			Submit("main form", map[string]string{"label": "Shirt size", "kind": "choice", "choices": "small", "seen_by": "organizer"}).Want(422).
			Submit("main form", map[string]string{"choices": "small\nlarge"}).Want(200)
		if list.Path != "/admin/fields" || !strings.Contains(list.Text("main ol"), "shirt_size") {
			t.Fatalf("%s: %s", list.Path, list.Text("main"))
		}
		var field models.CustomField
		must(a.DB.Take(&field).Error)
		shirt := supporters.FieldInputName(field.ID)

		// Add, with a mistake first: what was typed stays.
		page := c.Get("/admin/supporters").Want(200).Follow("main a[href='/admin/supporters/new']").Want(200).
			Submit("main form", map[string]string{"email": "june at example.org", "given_name": "Junipera", "family_name": "O’Kafor", "phones": "(617) 253-1000"}).Want(422)
		if !page.Has("main input[name='given_name'][value='Junipera']") || !strings.Contains(page.Text("#email-error"), "@") {
			t.Fatalf("%s", page.Text("main"))
		}
		page = page.Submit("main form", map[string]string{"email": "june@example.org"}).Want(200)
		record := page.Path
		if !strings.HasPrefix(record, "/admin/supporters/") || !strings.Contains(page.Text("main"), "+1 617-253-1000") {
			t.Fatalf("%s: %s", record, page.Text("main"))
		}
		if strings.Contains(page.Text("title"), "Junipera") {
			t.Error("the tab says a name")
		}

		// Tags, notes, mail stopped and started, a consent given and ended.
		page = page.Submit("main form[action$='/tags']", map[string]string{"tag": " "}).Want(422)
		page = page.Submit("main form[action$='/tags']", map[string]string{"tag": "can drive"}).Want(200)
		if !strings.Contains(page.Text("#tag-hint"), "health") {
			t.Error("nothing says what a tag is not for")
		}
		page = page.Submit("main form[action$='/notes']", map[string]string{"note": "Prefers calls.\nNot on Mondays."}).Want(200)
		page = page.Submit("main form[action*='/mailboxes/']", nil).Want(422).
			Submit("main form[action*='/mailboxes/']", map[string]string{"reason": "asked"}).Want(200)
		if !strings.Contains(page.Text("main"), "No mail since") {
			t.Error(page.Text("main"))
		}
		page = page.Submit("main form[action*='/mailboxes/']", map[string]string{"reason": "mistake"}).Want(200)
		page = page.Submit("main form[action$='/consents']", map[string]string{"purpose": "newsletter", "words": "Write to me.", "where": "Sheet 3", "on": "2097-01-01"}).Want(422)
		if !page.Has("main textarea[name='words']") || !strings.Contains(page.Text("main textarea[name='words']"), "Write to me.") {
			t.Error("the words of the consent are gone")
		}
		page = page.Submit("main form[action$='/consents']", map[string]string{"on": "2027-01-30"}).Want(200)
		if !strings.Contains(page.Text("main"), "Sheet 3") || !strings.Contains(page.Text("main ol"), "Newsletter") {
			t.Error(page.Text("main"))
		}
		page = page.Submit("main form[action$='/withdraw']", nil).Want(200)
		if !strings.Contains(page.Text("main"), "They told an organizer") {
			t.Error(page.Text("main"))
		}

		// Two people edit at once: the second is told and shown both, and may save all the same.
		one := c.Get(record + "/edit").Want(200)
		two := a.Owner(t).Get(record + "/edit").Want(200)
		one.Submit("main form", map[string]string{"city": "Boston", shirt: "large"}).Want(200)
		two = two.Submit("main form", map[string]string{"city": "Salem", "street": "1 Pine Road"}).Want(409)
		if !two.Has("main input[name='city'][value='Salem']") || !strings.Contains(two.Text("main section dl"), "Boston") || !strings.Contains(two.Text("main section dl"), "large") {
			t.Errorf("%s", two.Text("main"))
		}
		page = two.Submit("main form", map[string]string{shirt: "large"}).Want(200)
		for _, want := range []string{"1 Pine Road", "Salem", "large", "can drive", "Prefers calls.", "Junipera O’Kafor"} {
			if !strings.Contains(page.Text("main"), want) {
				t.Errorf("the record does not say %q: %s", want, page.Text("main"))
			}
		}

		// Found by anything, with nothing of it in the address.
		for _, q := range []string{"june@EXAMPLE.org", "617.253.1000", "okafor juni", "KAF"} {
			p := c.Get("/admin/supporters").Want(200).Submit("form[action='/admin/supporters/find']", map[string]string{"q": q}).Want(200)
			if p.Path != record && p.Path != "/admin/supporters/find" || !strings.Contains(p.Text("main"), "Junipera") {
				t.Errorf("%q leads to %s: %s", q, p.Path, p.Text("main"))
			}
		}
		p := c.Get("/admin/supporters").Want(200).Submit("form[action='/admin/supporters/find']", map[string]string{"q": "nobody <b>here"}).Want(422)
		if !strings.Contains(p.Text("#q-error"), "fits") || !p.Has("main input[name='q'][value='nobody <b>here']") {
			t.Errorf("%s", p.Text("main"))
		}
		var tag models.Tag
		must(a.DB.Take(&tag).Error)
		if p := c.Get("/admin/supporters?phone=yes&source=hand&tag=" + tag.ID.String()).Want(200); !strings.Contains(p.Text("main table"), "Junipera") {
			t.Errorf("%s", p.Text("main"))
		}
		if p := c.Get("/admin/supporters?stopped=yes&tag=nonsense").Want(200); strings.Contains(p.Text("main"), "Junipera") {
			t.Error("an unknown tag narrows to everybody")
		}
		c.Get("/admin/tags").Want(200).Submit("main form[action$='/rename']", map[string]string{"name": "drives"}).Want(200)
		c.Get(record).Want(200).Submit("main form[action$='/remove']", nil).Want(200).Submit("main form[action*='/notes/'][action$='/delete']", nil).Want(200)
		if p := c.Get("/admin/tags").Want(200).Submit("main form[action$='/delete']", nil).Want(200); strings.Contains(p.Text("main"), "drives") {
			t.Errorf("%s", p.Text("main"))
		}
		if p := c.Get(record).Want(200); strings.Contains(p.Text("main"), "Prefers calls.") {
			t.Error("the note is still there")
		}
	})
}

// TestRecordsOfAnotherChapter: by every route of the records, somebody of a chapter gets for another chapter's person what they get
// for nobody, and reads no word of them.
func TestRecordsOfAnotherChapter(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx, owner := context.Background(), factory.Owner(t, a)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		var ids []uuid.UUID
		for _, name := range []string{"Harbor", "Hill"} {
			id, err := a.Chapters.Save(ctx, owner, uuid.Nil, chapters.Input{Name: name})
			must(err)
			ids = append(ids, id)
		}
		theirs, err := a.Supporters.Add(ctx, owner, canaryEmail, supporters.Draft{GivenName: canaryGiven, FamilyName: canaryFamily, Phones: "617 253 1000", Chapter: ids[1].String()})
		must(err)
		must(a.Supporters.AddNote(ctx, owner, theirs, canaryNote))
		must(a.Supporters.AddTag(ctx, owner, theirs, "drives"))
		v, err := a.Supporters.Show(ctx, owner, theirs)
		must(err)
		must(a.Supporters.RecordConsent(ctx, owner, theirs, supporters.Yes{MailboxID: v.Mailboxes[0].ID, Purpose: models.PurposeNewsletter, Words: canaryComment, Where: "Sheet", On: "2027-01-30", Locale: "en"}))
		v, err = a.Supporters.Show(ctx, owner, theirs)
		must(err)
		user, err := a.Users.Add(ctx, actor.TheSystem(), users.NewUser{Name: "A colleague", Email: "harbor@example.org", Role: actor.Organizer, ChapterID: ids[0]})
		must(err)
		factory.Signed(t, a, factory.Petition(t, a, "Twenty visits"), factory.People(1)...)
		settled(t, a)
		c := signIn(t, a, user)
		before := rows(t, a)
		at, nobody := "/admin/supporters/"+theirs.String(), "/admin/supporters/"+uuid.New().String()
		look := func(p *testapp.Page, what string) {
			t.Helper()
			for _, canary := range []string{canaryGiven, canaryFamily, canaryEmail, "Quollberg", "numbatisland", "253-1000"} {
				if what != "what was typed "+canary && strings.Contains(string(p.Body), canary) {
					t.Errorf("%s shows %q", what, canary)
				}
			}
		}
		for _, path := range []string{"", "/edit"} {
			p, q := c.Get(at+path).Want(404), c.Get(nobody+path).Want(404)
			look(p, "GET "+path)
			if p.Text("main h1") != q.Text("main h1") {
				t.Errorf("GET %s answers %q, and %q for nobody", path, p.Text("main h1"), q.Text("main h1"))
			}
		}
		form := url.Values{"tag": {"mine"}, "note": {"mine"}, "reason": {"asked"}, "do": {"stop"}, "mailbox": {v.Mailboxes[0].ID.String()}, "purpose": {"newsletter"}, "words": {"x"}, "where": {"x"}, "on": {"2027-01-30"}, "given_name": {"Mine"}, "locale": {"en"}}
		for _, path := range []string{
			"/edit", "/tags", "/tags/" + v.Tags[0].ID.String() + "/remove", "/notes", "/notes/" + v.Notes[0].ID.String() + "/delete", "/mailboxes/" + v.Mailboxes[0].ID.String(),
			"/consents", "/consents/" + v.Consents[0].ID.String() + "/withdraw",
		} {
			look(c.Post(at+path, form).Want(404), "POST "+path)
		}
		for _, path := range []string{"/admin/supporters", "/admin/supporters?chapter=" + ids[1].String(), "/admin/supporters?tag=" + v.Tags[0].ID.String(), "/admin/tags", "/admin/fields", "/admin"} {
			look(c.Get(path).Want(200), "GET "+path)
		}
		for _, q := range []string{canaryGiven, canaryEmail, "617 253 1000"} {
			p := c.Post("/admin/supporters/find", url.Values{"q": {q}}).Want(422)
			look(p, "what was typed "+q)
			if p.Has("main table") {
				t.Errorf("%q finds somebody", q)
			}
		}
		look(c.Post("/admin/supporters/new", url.Values{"email": {canaryEmail}}).Want(422), "what was typed "+canaryEmail)
		unchanged(t, a, before, "all that a chapter tried")
	})
}
