package journey

import (
	"bytes"
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"kithline/campaigns/consents"
	"kithline/campaigns/deliveries"
	joining "kithline/campaigns/forms"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// topic adds a topic of the newsletter.
func topic(t *testing.T, a *testapp.App, name string) uuid.UUID {
	t.Helper()
	id, err := a.Consents.SaveTopic(context.Background(), factory.Owner(t, a), uuid.Nil, consents.TopicInput{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// openForm makes a form by the operations, and opens it.
func openForm(t *testing.T, a *testapp.App, d joining.Draft) models.Form {
	t.Helper()
	ctx, owner := context.Background(), factory.Owner(t, a)
	f, err := a.Forms.Create(ctx, owner, d.Title, "en")
	if err != nil {
		t.Fatal(err)
	}
	d.Locale = "en"
	if f, err = a.Forms.Save(ctx, owner, f.ID, joining.SaveInput{Draft: d, Revision: f.Revision}); err != nil {
		t.Fatal(err)
	}
	if f, err = a.Forms.SetState(ctx, owner, f.ID, models.FormOpen); err != nil {
		t.Fatal(err)
	}
	return f
}

// box is the value of the consent box whose words begin so.
func box(t *testing.T, p *testapp.Page, words string) string {
	t.Helper()
	value := ""
	p.Doc.Find(`input[name="consent"]`).Each(func(_ int, s *goquery.Selection) {
		if _, ticked := s.Attr("checked"); ticked {
			t.Errorf("%s: a box is ticked already", p.Path)
		}
		if id, _ := s.Attr("id"); strings.HasPrefix(strings.TrimSpace(p.Doc.Find(`label[for="`+id+`"]`).Text()), words) {
			value = s.AttrOr("value", "")
		}
	})
	if value == "" {
		t.Fatalf("%s: no box with %q", p.Path, words)
	}
	return value
}

func rowsOf(t *testing.T, a *testapp.App, model any, where string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := a.DB.Model(model).Where(where, args...).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

// nothing fails unless nobody has a record, a consent or a confirmed address, but for the owner's account.
func nothing(t *testing.T, a *testapp.App, when string) {
	t.Helper()
	if s, c, m := rowsOf(t, a, &models.Supporter{}, "1 = 1"), rowsOf(t, a, &models.Consent{}, "1 = 1"),
		rowsOf(t, a, &models.Mailbox{}, "verified_at IS NOT NULL AND id NOT IN (SELECT mailbox_id FROM users)"); s+c+m != 0 {
		t.Errorf("%s: %d supporters, %d consents, %d confirmed addresses", when, s, c, m)
	}
}

func TestJoin(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		research, visits := topic(t, a, "Research"), topic(t, a, "Visits to the House")
		june := a.Client(t)
		page := june.Get("/join?source=poster").Want(200)
		value := box(t, page, "Mail about Research from Wennick Chronic Pain Coalition.")
		fields := map[string]string{
			"email": "june@example.org", "given_name": "Junia", "family_name": "Okaforth", "postal_code": "00209", "frequency": "weekly", "locale": "es",
		}
		none := page.Submit("form[action='/join']", fields).Want(422)
		if none.Text(".error") == "" || none.Doc.Find(`[name="given_name"]`).AttrOr("value", "") != "Junia" || none.Doc.Find(`[name="frequency"][checked]`).AttrOr("value", "") != "weekly" {
			t.Errorf("without a topic: %s", none.Text("main"))
		}
		fields["consent"] = value
		sent := none.Submit("form[action='/join']", fields).Want(200)
		if sent.Path != "/join/sent" {
			t.Fatalf("after the form: %s", sent.Path)
		}
		nothing(t, a, "before the press")
		var sub models.Submission
		if err := a.DB.Take(&sub).Error; err != nil || sub.Source != "poster" || bytes.Contains(sub.AnswersSealed, []byte("Junia")) || strings.Contains(sub.Consents, "Junia") {
			t.Fatalf("%+v, %v", sub, err)
		}

		mail := a.WaitMail(t, "june@example.org", 1)[0]
		if mail.Subject != "Falta un paso: confirme, por favor" || strings.Contains(mail.FromName, "ain") {
			t.Errorf("a locked screen shows %q from %q", mail.Subject, mail.FromName)
		}
		for _, typed := range []string{"Junia", "Okaforth", "00209", "Research"} {
			if strings.Contains(mail.Text+mail.HTML, typed) {
				t.Errorf("the mail holds %q, which somebody typed", typed)
			}
		}
		link := testapp.Link(t, mail, "/confirm/")
		for range 2 { // a scanner
			a.Client(t).Get(link).Want(200)
		}
		nothing(t, a, "after a scanner opened the link")

		reader := a.Client(t)
		confirm := reader.Get(link).Want(200)
		for _, want := range []string{"Junia", "Okaforth", "00209", "Once a week at most", "Mail about Research from Wennick Chronic Pain Coalition."} {
			if !strings.Contains(confirm.Text("main"), want) {
				t.Errorf("the page does not show %q: %s", want, confirm.Text("main"))
			}
		}
		thanks := confirm.Submit("main form button.main", nil).Want(200)
		if thanks.Path != "/join/thanks" {
			t.Errorf("after the press: %s", thanks.Path)
		}
		for range 2 { // twice, and once more
			reader.Post(link, url.Values{"item": {sub.ID.String()}}).Want(200)
		}
		var people []models.Supporter
		if err := a.DB.Find(&people).Error; err != nil || len(people) != 1 {
			t.Fatalf("%d supporters, %v", len(people), err)
		}
		p := people[0]
		name, err := a.Vault.Open("supporters", "given_name_sealed", p.ID, p.GivenNameSealed)
		if err != nil || name != "Junia" || p.PostalArea != "00209" || p.Locale != "es" || p.Frequency != models.Weekly || p.Source != "form" {
			t.Errorf("%q %+v %v", name, p, err)
		}
		var yes []models.Consent
		if err := a.DB.Find(&yes).Error; err != nil || len(yes) != 1 {
			t.Fatalf("%+v, %v", yes, err)
		}
		c := yes[0]
		var words models.ConsentText
		if err := a.DB.Take(&words, "id = ?", c.TextID).Error; err != nil {
			t.Fatal(err)
		}
		if c.Purpose != models.PurposeNewsletter || c.ScopeID != research || c.How != models.ConsentByMail || c.Source != "/join" || c.EvidenceID == nil || *c.EvidenceID != sub.ID || !c.ShownAt.Equal(sub.CreatedAt) {
			t.Errorf("%+v", c)
		}
		label := page.Doc.Find(`label[for]`).FilterFunction(func(_ int, s *goquery.Selection) bool { return strings.Contains(s.Text(), "Mail about Research") }).Text()
		if got, want := strings.Join(strings.Fields(label), " "), strings.Join(strings.Fields(words.Body), " "); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
			t.Errorf("shown %q, kept %q", got, want)
		}
		if n := rowsOf(t, a, &models.Consent{}, "scope_id = ?", visits); n != 0 {
			t.Error("a topic that was not ticked")
		}
	})
}

// The code works in the browser that filled in the form, and the honeypot takes nothing.
func TestJoinByCodeAndTheTrap(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		june := a.Client(t)
		page := june.Get("/join").Want(200)
		fields := map[string]string{"email": "june@example.org", "consent": box(t, page, "The newsletter of Wennick")}
		robot := maps.Clone(fields)
		robot["email"], robot["leave_empty"] = "robot@example.org", "http://spam.example"
		if got := a.Client(t).Get("/join").Submit("form[action='/join']", robot).Want(200); got.Path != "/join/sent" {
			t.Errorf("a robot is told: %s", got.Path)
		}
		if n := rowsOf(t, a, &models.Submission{}, "1 = 1"); n != 0 {
			t.Error("what a robot sent is kept")
		}
		sent := page.Submit("form[action='/join']", fields).Want(200)
		a.WaitMail(t, "june@example.org", 1)
		var sub models.Submission
		if err := a.DB.Take(&sub).Error; err != nil {
			t.Fatal(err)
		}
		code := a.Signer.Code(tokens.Confirm, sub.ID)
		a.Client(t).Get("/confirm").Submit("form[action='/confirm']", map[string]string{"code": code}).Want(422)
		nothing(t, a, "after the code was typed elsewhere")
		if done := sent.Submit("form[action='/confirm']", map[string]string{"code": strings.ToLower(code)}).Want(200); done.Path != "/join/thanks" {
			t.Errorf("after the code: %s", done.Path)
		}
		if n := rowsOf(t, a, &models.Consent{}, "purpose = 'newsletter' AND scope_id = ?", uuid.Nil); n != 1 {
			t.Errorf("%d consents", n)
		}
	})
}

// An organizer makes a form by its pages; somebody fills it in; everything it asks for reaches the record.
func TestFormOfAnOrganizer(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		help := models.CustomField{ID: models.NewID(), Name: "help", Label: "What could you do?", Kind: models.FieldChoice, Choices: "Write\nCall", SeenBy: "organizer", CreatedAt: a.Clock.Now(), UpdatedAt: a.Clock.Now()}
		role := models.CustomField{ID: models.NewID(), Name: "role", Label: "Do you live with it?", Kind: models.FieldYesNo, Private: true, SeenBy: "owner", CreatedAt: a.Clock.Now(), UpdatedAt: a.Clock.Now()}
		if err := a.DB.Create(&[]models.CustomField{help, role}).Error; err != nil {
			t.Fatal(err)
		}
		partner, err := a.Consents.SavePartner(context.Background(), factory.Owner(t, a), uuid.Nil, consents.PartnerInput{Name: "Harrow Bay Clinic"})
		if err != nil {
			t.Fatal(err)
		}
		owner := a.Owner(t)
		edit := owner.Get("/admin/forms/new").Want(200).Submit("main form", map[string]string{"title": "Lend a hand"}).Want(200)
		fields := map[string]string{
			"title": "Lend a hand", "intro": "Two **minutes**.", "thanks": "You are *great*.", "tags": "Helper, Spring", "hosts": "www.example.org\nhttps://Other.example.org",
			"ask-given_name": "required", "order-given_name": "30", "ask-phone": "optional", "ask-postal_code": "optional", "ask-family_name": "",
			"ask-" + joining.FieldKey(help.ID): "required", "order-" + joining.FieldKey(help.ID): "5", "ask-" + joining.FieldKey(role.ID): "optional",
			"consents": "phone:" + uuid.Nil.String(),
		}
		wrong := maps.Clone(fields)
		wrong["hosts"] = "not a host!"
		edit.Submit("main form button[value=save]", wrong).Want(422)
		saved := edit.Submit("main form button[value=save]", fields).Want(200)
		if saved.Doc.Find(`[name="intro"]`).Text() != "Two **minutes**." || saved.Doc.Find(`[name="hosts"]`).Text() != "https://www.example.org\nhttps://other.example.org" {
			t.Errorf("%q %q", saved.Doc.Find(`[name="intro"]`).Text(), saved.Doc.Find(`[name="hosts"]`).Text())
		}
		id := strings.TrimSuffix(strings.TrimPrefix(saved.Path, "/admin/forms/"), "/edit")
		// Two boxes: the page's form has one name for all of them.
		var f models.Form
		if err := a.DB.Take(&f, "id = ?", id).Error; err != nil {
			t.Fatal(err)
		}
		d := joining.Draft{
			Title: f.Title, Intro: f.Intro, Thanks: f.Thanks, Locale: f.Locale, Questions: joining.QuestionsOf(f), Tags: []string{"Helper", "Spring"}, Hosts: f.EmbedHosts,
			Asks: append(joining.AsksOf(f), consents.Ask{Purpose: models.PurposeShare, ScopeID: partner}),
		}
		if _, err := a.Forms.Save(context.Background(), factory.Owner(t, a), f.ID, joining.SaveInput{Draft: d, Revision: f.Revision}); err != nil {
			t.Fatal(err)
		}
		a.Client(t).Get("/forms/lend-a-hand").Want(404)
		preview := owner.Get("/admin/forms/" + id + "/preview").Want(200)
		if preview.Has("main form button") || !preview.Has("strong") {
			t.Errorf("the preview: %s", preview.Text("main"))
		}
		shown := owner.Get("/admin/forms/"+id).Want(200).Submit("button[value=open]", nil).Want(200)
		if !strings.Contains(shown.Text("#code"), "/forms/lend-a-hand/embed") {
			t.Errorf("the code for a frame: %s", shown.Text("main"))
		}

		cal := a.Client(t)
		page := cal.Get("/forms/lend-a-hand?source=talk").Want(200)
		if first := page.Doc.Find("main form [name]").Eq(1).AttrOr("name", ""); first != joining.FieldKey(help.ID) {
			t.Errorf("the first question is %s", first)
		}
		answers := map[string]string{
			"email": "cal@example.org", "given_name": "Cal", "phone": "(919) 555-0142", "postal_code": "27601", joining.FieldKey(help.ID): "Call", joining.FieldKey(role.ID): "yes",
			"consent": box(t, page, "Wennick Chronic Pain Coalition may call me."),
		}
		missing := maps.Clone(answers)
		missing["given_name"] = ""
		if got := page.Submit("form[action='/forms/lend-a-hand']", missing).Want(422); got.Doc.Find(`[name="consent"][checked]`).Length() != 1 {
			t.Error("a box lost its tick by an error elsewhere")
		}
		page.Submit("form[action='/forms/lend-a-hand']", answers).Want(200)
		link := testapp.Link(t, a.WaitMail(t, "cal@example.org", 1)[0], "/confirm/")
		nothing(t, a, "before the press")
		done := a.Client(t).Get(link).Want(200).Submit("main form button.main", nil).Want(200)
		if done.Path != "/forms/lend-a-hand/thanks" || !done.Has("main em") {
			t.Errorf("%s: %s", done.Path, done.Text("main"))
		}

		var p models.Supporter
		if err := a.DB.Take(&p).Error; err != nil {
			t.Fatal(err)
		}
		var tags []string
		if err := a.DB.Model(&models.Tag{}).Where("id IN (SELECT tag_id FROM taggings WHERE supporter_id = ?)", p.ID).Order("name").Pluck("name", &tags).Error; err != nil || !slices.Equal(tags, []string{"Helper", "Spring"}) {
			t.Errorf("tags %v, %v", tags, err)
		}
		var values []models.FieldValue
		if err := a.DB.Order("text_value DESC").Find(&values, "supporter_id = ?", p.ID).Error; err != nil || len(values) != 2 || values[0].TextValue != "Call" || values[1].TextValue != "" || values[1].ValueSealed == nil {
			t.Errorf("%+v, %v", values, err)
		}
		var phone models.Phone
		if err := a.DB.Take(&phone, "supporter_id = ?", p.ID).Error; err != nil || !phone.Valid {
			t.Errorf("%+v, %v", phone, err)
		}
		var list []uuid.UUID
		sql, args := consents.InForce(models.PurposePhone, uuid.Nil)
		if err := a.DB.Raw(sql, args...).Scan(&list).Error; err != nil || !slices.Equal(list, []uuid.UUID{p.ID}) {
			t.Errorf("who may be called: %v, %v", list, err)
		}
		sql, args = consents.InForce(models.PurposeShare, partner)
		list = nil
		if err := a.DB.Raw(sql, args...).Scan(&list).Error; err != nil || len(list) != 0 {
			t.Errorf("shared without a yes: %v, %v", list, err)
		}
		report := owner.Get("/admin/forms/" + id).Want(200)
		if !strings.Contains(report.Text("dl.figures"), "Confirmed1") && !strings.Contains(report.Text("dl.figures"), "Confirmed 1") || !strings.Contains(report.Text("main"), "talk") {
			t.Errorf("the figures: %s", report.Text("main"))
		}

		// In a frame: only of the listed sites, and nowhere else on this one.
		embed := a.Client(t).Get("/forms/lend-a-hand/embed").Want(200)
		if csp := embed.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors https://www.example.org https://other.example.org;") || embed.Header.Get("X-Frame-Options") != "" {
			t.Errorf("%q %q", csp, embed.Header.Get("X-Frame-Options"))
		}
		if embed.Doc.Find("form").AttrOr("target", "") != "_top" {
			t.Error("the form stays in the frame")
		}
		for _, path := range []string{"/forms/lend-a-hand", "/join", "/"} {
			if csp := a.Client(t).Get(path).Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") {
				t.Errorf("%s can be framed: %s", path, csp)
			}
		}
		owner.Get("/admin/forms/"+id).Submit("button[value=close]", nil).Want(200)
		if closed := a.Client(t).Get("/forms/lend-a-hand").Want(200); closed.Has("main form") {
			t.Error("a closed form asks on")
		}
		cal.Post("/forms/lend-a-hand", url.Values{"email": {"late@example.org"}, "given_name": {"Cal"}, joining.FieldKey(help.ID): {"Call"}}).Want(409)
	})
}

// Two forms, the newsletter and a petition wait at one mailbox: one mail, one page, one press.
func TestOnePressForAllThatWaits(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		one := openForm(t, a, joining.Draft{Title: "Lend a hand", Questions: []joining.Question{{Key: joining.GivenName}}, Asks: []consents.Ask{{Purpose: models.PurposeVolunteering}}})
		two := openForm(t, a, joining.Draft{Title: "Tell us more", Questions: []joining.Question{{Key: joining.City}}})
		path := "/petitions/" + factory.Petition(t, a, "Twenty visits").Slug
		fill := func() {
			page := a.Client(t).Get("/forms/" + one.Slug).Want(200)
			page.Submit("main form", map[string]string{"email": "june@example.org", "given_name": "June", "consent": box(t, page, "Wennick")}).Want(200)
			sign(t, a.Client(t), path, nil).Want(200)
			a.Client(t).Get("/forms/"+two.Slug).Submit("main form", map[string]string{"email": "June@Example.org", "city": "Harrow Bay"}).Want(200)
		}
		fill()
		a.WaitMail(t, "june@example.org", 1)
		settled(t, a)
		mails := a.WaitMail(t, "june@example.org", 1)
		if len(mails) != 1 {
			t.Errorf("%d mails to an address that nobody confirmed", len(mails))
		}
		link := testapp.Link(t, mails[0], "/confirm/")

		// "This was not me": nothing is left of any of them.
		gone := a.Client(t).Get(link).Want(200).Submit("form[action$='/delete'] button", nil).Want(200)
		if !strings.Contains(gone.Text("main"), "gone") || rowsOf(t, a, &models.Submission{}, "1 = 1") != 0 || rowsOf(t, a, &models.Signature{}, "1 = 1") != 0 {
			t.Errorf("something is left: %s", gone.Text("main"))
		}
		nothing(t, a, "after it was disowned")

		fill()
		page := a.Client(t).Get(link).Want(200)
		if n := page.Doc.Find(`input[name="item"][type="checkbox"][checked]`).Length(); n != 3 {
			t.Fatalf("%d wait: %s", n, page.Text("main"))
		}
		for _, want := range []string{"Lend a hand", "Tell us more", "Twenty visits", "Harrow Bay", "may ask me for help"} {
			if !strings.Contains(page.Text("main"), want) {
				t.Errorf("the page does not list %q: %s", want, page.Text("main"))
			}
		}
		var ids []string
		page.Doc.Find(`input[name="item"]`).Each(func(_ int, s *goquery.Selection) { ids = append(ids, s.AttrOr("value", "")) })
		done := a.Client(t).Post(link, url.Values{"item": ids[:3]}).Want(200)
		if !strings.Contains(done.Text("main"), "3 things") {
			t.Errorf("%s: %s", done.Path, done.Text("main"))
		}
		if n := count(t, a, path); n != 1 {
			t.Errorf("%d signatures", n)
		}
		if s, c := rowsOf(t, a, &models.Submission{}, "state = 'confirmed'"), rowsOf(t, a, &models.Supporter{}, "1 = 1"); s != 2 || c != 1 {
			t.Errorf("%d submissions, %d people", s, c)
		}
		if n := rowsOf(t, a, &models.Consent{}, "purpose = 'volunteering'"); n != 1 {
			t.Errorf("%d consents", n)
		}
	})
}

// The form tells nobody whether an address is known; what a stranger types reaches a record only by the reader's press, and
// then fills what is empty.
func TestJoinNoOracle(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		join := func(email, name string) *testapp.Page {
			c := a.Client(t)
			page := c.Get("/join").Want(200)
			return page.Submit("form[action='/join']", map[string]string{"email": email, "given_name": name, "postal_code": "00209", "consent": box(t, page, "The newsletter")}).Want(200)
		}
		join("june@example.org", "June")
		a.Client(t).Get(testapp.Link(t, a.WaitMail(t, "june@example.org", 1)[0], "/confirm/")).Submit("main form button.main", nil).Want(200)
		var before models.Supporter
		if err := a.DB.Take(&before).Error; err != nil {
			t.Fatal(err)
		}
		known, unknown := join("june@example.org", "Mallory"), join("new@example.org", "Mallory")
		if known.Path != unknown.Path || known.Text("body") != unknown.Text("body") {
			t.Errorf("the answers differ:\n%s\n%s", known.Text("main"), unknown.Text("main"))
		}
		for name := range known.Header {
			if len(known.Header[name]) != len(unknown.Header[name]) {
				t.Errorf("the answers differ in %s", name)
			}
		}
		mails := a.WaitMail(t, "june@example.org", 2)
		if strings.Contains(mails[1].Text, "Mallory") {
			t.Error("what a stranger typed reached a mail")
		}
		var after models.Supporter
		if err := a.DB.Take(&after, "id = ?", before.ID).Error; err != nil || !after.UpdatedAt.Equal(before.UpdatedAt) {
			t.Errorf("the record changed before the press: %v", err)
		}
		// Again and again: one mail for one action in a day, and what waits is bounded.
		for range 8 {
			join("june@example.org", "Mallory")
		}
		settled(t, a)
		if n := len(a.WaitMail(t, "june@example.org", 2)); n != 2 {
			t.Errorf("%d mails", n)
		}
		if n := rowsOf(t, a, &models.Submission{}, "state = 'pending' AND mailbox_id = (SELECT id FROM mailboxes WHERE supporter_id = ?)", before.ID); n != 5 {
			t.Errorf("%d wait", n)
		}
		page := a.Client(t).Get(testapp.Link(t, mails[1], "/confirm/")).Want(200)
		var ids []string
		page.Doc.Find(`input[name="item"]`).Each(func(_ int, s *goquery.Selection) { ids = append(ids, s.AttrOr("value", "")) })
		a.Client(t).Post(testapp.Link(t, mails[1], "/confirm/"), url.Values{"item": ids}).Want(200)
		if err := a.DB.Take(&after, "id = ?", before.ID).Error; err != nil || !bytes.Equal(after.GivenNameSealed, before.GivenNameSealed) {
			t.Errorf("a name was written over: %v", err)
		}
		if n := rowsOf(t, a, &models.Consent{}, "mailbox_id IN (SELECT id FROM mailboxes WHERE supporter_id = ?)", before.ID); n != 1 {
			t.Errorf("%d consents of one yes", n)
		}
	})
}

// What nobody confirms goes after 7 days, the address too.
func TestUnconfirmedFormsGo(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		page := a.Client(t).Get("/join").Want(200)
		page.Submit("form[action='/join']", map[string]string{"email": "june@example.org", "consent": box(t, page, "The newsletter")}).Want(200)
		link := testapp.Link(t, a.WaitMail(t, "june@example.org", 1)[0], "/confirm/")
		settled(t, a)
		for _, c := range []struct {
			after time.Duration
			left  int64
		}{{7*24*time.Hour - time.Hour, 1}, {2 * time.Hour, 0}} {
			a.Clock.Add(c.after)
			if _, err := a.Forms.Expire(context.Background()); err != nil {
				t.Fatal(err)
			}
			if n := rowsOf(t, a, &models.Submission{}, "1 = 1"); n != c.left {
				t.Errorf("%d submissions after %v", n, c.after)
			}
		}
		a.Clock.Add(24 * time.Hour)
		if _, err := a.Forms.Expire(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := rowsOf(t, a, &models.Mailbox{}, "id NOT IN (SELECT mailbox_id FROM users)"); n != 0 {
			t.Errorf("%d addresses are kept", n)
		}
		a.Client(t).Get(link).Want(410)
	})
}

// The words change while a form is open: nobody agrees to words they did not see.
func TestWordsThatChange(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		page := a.Client(t).Get("/join").Want(200)
		old := box(t, page, "The newsletter of Wennick")
		owner := a.Owner(t)
		edit := owner.Get("/admin/consents/newsletter_all?language=en").Want(200)
		edit.Submit("main form", map[string]string{"body": "Mail from somebody."}).Want(422)
		saved := edit.Submit("main form", map[string]string{"body": "Letters from {organisation}.\nFour a year. One press ends them."}).Want(200)
		if !strings.Contains(saved.Text("main"), "Version 1") {
			t.Errorf("no version: %s", saved.Text("main"))
		}
		again := page.Submit("form[action='/join']", map[string]string{"email": "june@example.org", "consent": old}).Want(422)
		if !strings.Contains(again.Text("main"), "The words changed") {
			t.Errorf("%s", again.Text("main"))
		}
		if n := rowsOf(t, a, &models.Submission{}, "1 = 1"); n != 0 {
			t.Error("it was taken all the same")
		}
		again.Submit("form[action='/join']", map[string]string{"consent": box(t, again, "Letters from Wennick")}).Want(200)
		a.Client(t).Get(testapp.Link(t, a.WaitMail(t, "june@example.org", 1)[0], "/confirm/")).Submit("main form button.main", nil).Want(200)
		if text := owner.Get("/admin/consents/newsletter_all?language=en").Want(200).Text("main"); !strings.Contains(text, "1 person agrees to them now") || !strings.Contains(text, "Letters from Wennick Chronic Pain Coalition.") {
			t.Errorf("the page of the words: %s", text)
		}
	})
}

// The page behind the link in every mailing: a switch each, how often, a pause, and leaving everything.
func TestPreferences(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx := context.Background()
		research, visits := topic(t, a, "Research"), topic(t, a, "Visits")
		f := openForm(t, a, joining.Draft{Title: "Lend a hand", Questions: []joining.Question{{Key: joining.Phone}}, Asks: []consents.Ask{
			{Purpose: models.PurposePhone}, {Purpose: models.PurposeNewsletter, ScopeID: research},
		}})
		page := a.Client(t).Get("/forms/" + f.Slug).Want(200)
		a.Client(t).Post("/forms/"+f.Slug, url.Values{
			"email": {"june@example.org"}, "phone": {"919 555 0142"}, "consent": {box(t, page, "Wennick Chronic Pain Coalition may call"), box(t, page, "Mail about Research")},
		}).Want(200)
		a.Client(t).Get(testapp.Link(t, a.WaitMail(t, "june@example.org", 1)[0], "/confirm/")).Submit("main form button.main", nil).Want(200)
		var yes models.Consent
		if err := a.DB.Take(&yes, "purpose = 'newsletter'").Error; err != nil {
			t.Fatal(err)
		}
		d := deliveries.New{
			ID: models.NewID(), Kind: "mailing", MailboxID: yes.MailboxID, SubjectID: models.NewID(), Purpose: models.PurposeNewsletter, ScopeID: research,
			DedupeKey: "test", NotBefore: a.Clock.Now().AddDate(1, 0, 0), OnUnknown: models.Park,
		}
		if ok, err := deliveries.Insert(ctx, a.DB.DB, d, a.Clock.Now()); err != nil || !ok {
			t.Fatal(ok, err)
		}
		way := "/u/" + a.Signer.MakeForever(tokens.Unsubscribe, d.ID)
		inForce := func() (out []string) {
			t.Helper()
			if err := a.DB.Raw("SELECT purpose || ' ' || CASE WHEN scope_id = ? THEN 'research' WHEN scope_id = ? THEN 'visits' ELSE '' END FROM consents WHERE withdrawn_at IS NULL ORDER BY 1", research, visits).Scan(&out).Error; err != nil {
				t.Fatal(err)
			}
			return out
		}
		june := a.Client(t)
		for range 2 {
			june.Get(way).Want(200)
		}
		if got := inForce(); !slices.Equal(got, []string{"newsletter research", "phone "}) {
			t.Fatalf("a GET changed something: %q", got)
		}
		value := func(p *testapp.Page, words string) string {
			t.Helper()
			v := ""
			p.Doc.Find(`input[name="on"]`).Each(func(_ int, s *goquery.Selection) {
				if strings.HasPrefix(strings.TrimSpace(p.Doc.Find(`label[for="`+s.AttrOr("id", "")+`"]`).Text()), words) {
					v = s.AttrOr("value", "")
				}
			})
			if v == "" {
				t.Fatalf("no switch with %q: %s", words, p.Text("main"))
			}
			return v
		}
		p := june.Get(way).Want(200)
		if n := p.Doc.Find(`input[name="on"][checked]`).Length(); n != 2 {
			t.Errorf("%d switches are on", n)
		}
		shown := []string{value(p, "Mail about Research"), value(p, "Wennick Chronic Pain Coalition may call")}
		// A pause of ten days, which what is chosen below leaves as it is. Calls end, visits begin, weekly.
		until := a.Clock.Now().AddDate(0, 0, 10).Format(time.DateOnly)
		june.Post(way+"/rest", url.Values{"do": {"day"}, "until": {until}}).Want(200)
		p = june.Post(way+"/preferences", url.Values{"shown": shown, "on": {shown[0], value(p, "Mail about Visits")}, "frequency": {"weekly"}}).Want(200)
		if got := inForce(); !slices.Equal(got, []string{"newsletter research", "newsletter visits"}) {
			t.Errorf("%q: %s", got, p.Text("main"))
		}
		var gave models.Consent
		if err := a.DB.Take(&gave, "scope_id = ?", visits).Error; err != nil || gave.How != models.ConsentByPerson {
			t.Errorf("%+v %v", gave, err)
		}
		var record models.Supporter
		var box models.Mailbox
		if err := a.DB.Take(&record).Error; err != nil || record.Frequency != models.Weekly {
			t.Errorf("%+v %v", record, err)
		}
		if err := a.DB.Take(&box, "id = ?", yes.MailboxID).Error; err != nil || box.PausedUntil == nil {
			t.Errorf("%+v %v", box, err)
		}
		june.Post(way+"/rest", url.Values{"do": {"day"}, "until": {"2027-01-01"}}).Want(422)
		june.Post(way+"/preferences", url.Values{"on": {"phone:nonsense"}}).Want(422)
		// A moment ago ended: it can be taken back here.
		p = june.Get(way).Want(200)
		june.Post(way+"/preferences", url.Values{"on": {value(p, "Wennick Chronic Pain Coalition may call")}}).Want(200)
		if got := inForce(); !slices.Contains(got, "phone ") {
			t.Errorf("%q", got)
		}
		june.Get(way).Submit("button[value='end']", nil).Want(200)
		box = models.Mailbox{}
		if err := a.DB.Take(&box, "id = ?", yes.MailboxID).Error; err != nil || box.PausedUntil != nil {
			t.Errorf("the pause is still there: %+v %v", box, err)
		}
		left := june.Get(way).Submit("form[action$='/leave'] button", nil).Want(200)
		if got := inForce(); len(got) != 0 || !strings.Contains(left.Text("main"), "You agree to nothing") {
			t.Errorf("%q: %s", got, left.Text("main"))
		}
		var state string
		if err := a.DB.Model(&models.Delivery{}).Where("id = ?", d.ID).Pluck("state", &state).Error; err != nil || state != string(models.DeliverySuppressed) {
			t.Errorf("what was queued is %s, %v", state, err)
		}
	})
}
