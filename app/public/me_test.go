package public_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/consents"
	"kithline/campaigns/me"
	"kithline/campaigns/supporters"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"

	"gorm.io/gorm"
)

// mailTo is the newest mail to an address whose text has a link with part.
func mailTo(t *testing.T, a *testapp.App, email, part string, n int) string {
	t.Helper()
	for all := 1; ; all++ {
		mails := a.WaitMail(t, email, all)
		found := []string{}
		for _, m := range mails {
			for _, w := range strings.Fields(m.Text) {
				if strings.HasPrefix(w, a.URL+part) && len(w) > len(a.URL+part)+40 {
					found = append(found, w)
				}
			}
		}
		if len(found) >= n {
			return found[n-1]
		}
		all = max(all, len(mails))
	}
}

// opened asks for the link of an address and opens it.
func opened(t *testing.T, a *testapp.App, c *testapp.Client, email string) *testapp.Page {
	t.Helper()
	n := 0
	for _, m := range a.Mail.Messages() {
		if m.To == email && strings.Contains(m.Text, "/me/A") {
			n++
		}
	}
	c.Get("/me").Want(200).Submit("form[action='/me']", map[string]string{"email": email}).Want(200)
	return c.Get(mailTo(t, a, email, "/me/A", n+1)).Want(200)
}

func boxOf(t *testing.T, a *testapp.App, email string) models.Mailbox {
	t.Helper()
	var m models.Mailbox
	if err := a.DB.Take(&m, "address_hash = ?", a.Vault.AddressHash(email)).Error; err != nil {
		t.Fatal(err)
	}
	return m
}

func (w ownWorld) count(t *testing.T) int {
	t.Helper()
	var p models.Petition
	if err := w.a.DB.Take(&p, "id = ?", w.p.ID).Error; err != nil {
		t.Fatal(err)
	}
	return p.SignatureCount
}

type ownWorld struct {
	a *testapp.App
	p models.Petition
}

func people(t *testing.T, a *testapp.App) ownWorld {
	t.Helper()
	p := factory.Petition(t, a, "Twenty visits")
	factory.Signed(t, a, p,
		factory.Person{Given: "June", Family: "Okafor", Email: "june@example.org", Updates: true},
		factory.Person{Given: "Obi", Family: "Okafor", Email: "obi@example.org", Updates: true})
	return ownWorld{a, p}
}

// From asking for the link to the receipt: everything by the pages' own forms and the mails.
func TestOwnPageFromBeginningToEnd(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		w := people(t, a)
		topic, err := a.Consents.SaveTopic(t.Context(), factory.Owner(t, a), uuid.Nil, consents.TopicInput{Name: "The law", About: "What changes."})
		if err != nil {
			t.Fatal(err)
		}
		c := a.Client(t)
		page := opened(t, a, c, "june@example.org")
		path := page.Path
		for _, h := range [][2]string{{"Cache-Control", "no-store"}, {"Referrer-Policy", "no-referrer"}, {"X-Robots-Tag", "noindex"}} {
			if !strings.Contains(page.Header.Get(h[0]), h[1]) {
				t.Errorf("%s is %q", h[0], page.Header.Get(h[0]))
			}
		}
		if got := page.Text("main"); !strings.Contains(got, "June, this is everything") || !strings.Contains(got, "Signed “Twenty visits”") || !strings.Contains(got, "shown as June Okafor") ||
			!strings.Contains(got, "Write to me about this petition") || !strings.Contains(got, "Nothing waits for you") || strings.Contains(got, "Obi") || strings.Contains(got, "obi@") {
			t.Error(got)
		}
		for _, m := range a.WaitMail(t, "june@example.org", 1) {
			if strings.Contains(m.Text, a.URL+path) && (m.Subject != "The link to your page" || strings.Contains(strings.ToLower(m.Preheader), "pain") || m.FromAddress != "hello@act.example.org") {
				t.Errorf("%q %q from %q", m.Subject, m.Preheader, m.FromAddress)
			}
		}

		// From here to the page of the signature, and to the link by which others come.
		if own := page.Follow("main a[href*='/mine/']").Want(200); own.Doc.Find("input[name=display][checked]").AttrOr("value", "") != "name" || !strings.Contains(own.Text("main"), "June Okafor") {
			t.Error(own.Text("main"))
		}
		by, err := url.Parse(page.Follow("main a[href*='/share?by=']").Want(200).Doc.Find("#own").AttrOr("value", ""))
		if err != nil || by.Path != "/petitions/"+w.p.Slug || by.Query().Get("source") != "signer" {
			t.Errorf("own link %v, %v", by, err)
		}
		if form := a.Client(t).Get(by.RequestURI()).Want(200); form.Doc.Find("form[action$='/sign'] [name=by]").AttrOr("value", "") == "" {
			t.Error("who comes by the own link is not known to")
		}

		// Take the signature back, put it back, take it back.
		show := func() string { return c.Get("/petitions/" + w.p.Slug).Want(200).Text("main") }
		if !strings.Contains(show(), "June Okafor") {
			t.Fatal(show())
		}
		page = page.Submit("form[action$='/undo'] button", nil).Want(200)
		if w.count(t) != 1 || !strings.Contains(page.Text("main"), "is taken back") || strings.Contains(show(), "June Okafor") {
			t.Errorf("%d count: %s", w.count(t), page.Text("main"))
		}
		page = c.Get(path).Submit("form[action$='/undo'] button", nil).Want(200)
		if w.count(t) != 2 || !strings.Contains(page.Text("main"), "is back") || !strings.Contains(show(), "June Okafor") {
			t.Errorf("%d count: %s", w.count(t), page.Text("main"))
		}
		c.Get(path).Submit("form[action$='/undo'] button", nil).Want(200)
		if w.count(t) != 1 {
			t.Errorf("%d count", w.count(t))
		}

		// End the updates, take that back, end them for good.
		june := boxOf(t, a, "june@example.org")
		page = c.Get(path).Submit("form[action$='/stop'] button", nil).Want(200)
		if subscribed(t, a, june) || !strings.Contains(page.Text("main"), "Ended just now") {
			t.Error(page.Text("main"))
		}
		page = page.Submit("form[action$='/again'] button", nil).Want(200)
		if !subscribed(t, a, june) || !strings.Contains(page.Text("main"), "as it was before") {
			t.Error(page.Text("main"))
		}
		var again models.Consent
		if err := a.DB.Where("mailbox_id = ? AND withdrawn_at IS NULL", june.ID).Take(&again).Error; err != nil || again.How != models.ConsentByPerson || again.EvidenceID == nil {
			t.Errorf("%+v, %v", again, err)
		}
		c.Get(path).Submit("form[action$='/stop'] button", nil).Want(200)
		a.Clock.Add(31 * time.Minute)
		if page = c.Get(path).Want(200); page.Has("form[action$='/again']") {
			t.Error("it can be taken back for ever")
		}
		if late := c.Post(path+"/again", url.Values{"id": {again.ID.String()}}).Want(409); !strings.Contains(late.Text("main"), "over") || !late.Has("a[href='"+path+"']") {
			t.Error(late.Text("main"))
		}

		// A topic: nothing ticked is told, what is ticked is agreed to in the words of the box.
		if wrong := page.Submit("form[action$='/topics']", nil).Want(422); !wrong.Has("#summary") {
			t.Error(wrong.Text("main"))
		}
		value := page.Doc.Find("input[name=topic]").First().AttrOr("value", "")
		if old := c.Post(path+"/topics", url.Values{"topic": {value[:len(value)-1] + "0"}}).Want(422); !strings.Contains(old.Text("main"), "have changed") {
			t.Error(old.Text("main"))
		}
		words := strings.Join(strings.Fields(page.Doc.Find("input[name=topic]").First().Parent().Find("label").Text()), " ")
		c.Post(path+"/topics", url.Values{"topic": {value}}).Want(200)
		var yes models.Consent
		var text models.ConsentText
		if err := a.DB.Take(&yes, "mailbox_id = ? AND purpose = 'newsletter' AND scope_id = ?", june.ID, topic).Error; err != nil {
			t.Fatal(err)
		}
		if err := a.DB.Take(&text, "id = ?", yes.TextID).Error; err != nil || yes.How != models.ConsentByPerson || strings.Join(strings.Fields(text.Body), "") != strings.Join(strings.Fields(words), "") {
			t.Errorf("%+v, %q is not %q, %v", yes, text.Body, words, err)
		}

		// Pause: a day that is past is told, and what was typed stays.
		page = c.Get(path).Submit("form[action$='/pause']", map[string]string{"until": "day", "day": "2020-01-01"}).Want(422)
		if page.Doc.Find("#day").AttrOr("value", "") != "2020-01-01" || !strings.Contains(page.Text("#day-error"), "after today") || !page.Has("input[name=until][value=day][checked]") {
			t.Error(page.Text("main"))
		}
		page = page.Submit("form[action$='/pause']", map[string]string{"until": "told"}).Want(200)
		if subscribed(t, a, june) || !strings.Contains(page.Text("main"), "until you say") {
			t.Error(page.Text("main"))
		}
		page = page.Submit("form[action$='/resume'] button", nil).Want(200)
		if !subscribed(t, a, june) {
			t.Error(page.Text("main"))
		}
		page = page.Submit("form[action$='/pause']", map[string]string{"until": "week"}).Want(200)
		if june = boxOf(t, a, "june@example.org"); june.PausedUntil == nil || june.PausedUntil.Sub(a.Clock.Now()) > 7*24*time.Hour || june.PausedUntil.Sub(a.Clock.Now()) < 6*24*time.Hour {
			t.Errorf("%v", june.PausedUntil)
		}

		// Details: a wrong one is told and nothing is lost; what is empty is taken away.
		form := page.Follow("a[href$='/details']").Want(200)
		wrong := form.Submit("form[action$='/details']", map[string]string{"given_name": "Junia", "phone": "12", "postal_code": "!!", "street": "1 Long Street"}).Want(422)
		if wrong.Doc.Find("#given_name").AttrOr("value", "") != "Junia" || wrong.Doc.Find("#phone").AttrOr("value", "") != "12" || !wrong.Has("#phone-error") || !wrong.Has("#postal_code-error") {
			t.Error(wrong.Text("main"))
		}
		page = wrong.Submit("form[action$='/details']", map[string]string{"phone": "(202) 456-1111", "postal_code": "00211", "country": "US", "frequency": "monthly", "family_name": ""}).Want(200)
		if got := page.Text("main"); !strings.Contains(got, "Junia") || !strings.Contains(got, "+12024561111") || !strings.Contains(got, "1 Long Street, 00211, United States") || !strings.Contains(got, "Once a month") {
			t.Error(got)
		}
		var record models.Supporter
		if err := a.DB.Take(&record, "id = ?", *june.SupporterID).Error; err != nil || record.FamilyNameSealed != nil || record.PostalArea != "00211" || record.Frequency != models.Monthly {
			t.Errorf("%+v, %v", record, err)
		}

		// The first link gives no file and erases nobody.
		token := path[strings.LastIndex(path, "/")+1:]
		for _, p := range []string{"/me/download/", "/me/erase/"} {
			c.Get(p + token).Want(404)
			c.Post(p+token, url.Values{}).Want(404)
		}
		page = c.Get(path).Submit("form[action$='/download'] button", nil).Want(200)
		if !strings.Contains(page.Text("main"), "on its way") {
			t.Error(page.Text("main"))
		}
		link := mailTo(t, a, "june@example.org", "/me/download/", 1)
		second := link[strings.LastIndex(link, "/")+1:]
		c.Get("/me/" + second).Want(404)
		c.Post("/me/erase/"+second, url.Values{}).Want(404)
		files := c.Get(link).Want(200)
		whole := unzip(t, files.Submit("button[value=zip]", nil).Want(200).Body)
		if !strings.Contains(whole["signatures.csv"], "Twenty visits") || !strings.Contains(whole["phones.csv"], "+12024561111") || strings.Contains(whole["signatures.csv"], "Obi") || whole["read-me.txt"] == "" {
			t.Errorf("%v", whole)
		}
		var asJSON struct {
			Address string
			Data    map[string][]map[string]any
		}
		if err := json.Unmarshal(files.Submit("button[value=json]", nil).Want(200).Body, &asJSON); err != nil || asJSON.Address != "june@example.org" || asJSON.Data["supporters"][0]["given_name"] != "Junia" {
			t.Errorf("%+v, %v", asJSON, err)
		}
		a.Clock.Add(16 * time.Minute)
		if over := c.Post(link, url.Values{}).Want(410); !over.Has("a[href='/me']") {
			t.Error(over.Text("main"))
		}

		c.Get(path).Submit("form[action$='/erase'] button", nil).Want(200)
		link = mailTo(t, a, "june@example.org", "/me/erase/", 1)
		last := c.Get(link).Want(200)
		c.Get(link).Want(200) // opening it erases nobody
		_ = boxOf(t, a, "june@example.org")
		receipt := last.Submit("form[action*='/me/erase/'] button", nil).Want(200)
		var erased models.Erasure
		if err := a.DB.Take(&erased).Error; err != nil || !strings.Contains(receipt.Text("main"), erased.ID.String()) {
			t.Errorf("%v: %s", err, receipt.Text("main"))
		}
		var left int64
		if err := a.DB.Model(&models.Mailbox{}).Where("id = ?", june.ID).Count(&left).Error; err != nil || left != 0 {
			t.Errorf("%d, %v", left, err)
		}
		_ = boxOf(t, a, "obi@example.org")
		for _, p := range []string{link, path} {
			c.Get(p).Want(410)
			c.Post(p, url.Values{})
		}
		c.Post(link, url.Values{}).Want(410)
		for _, secret := range []string{token, second, link[strings.LastIndex(link, "/")+1:], "june@example.org", "Junia"} {
			if strings.Contains(a.Logged(), secret) {
				t.Errorf("the log holds %q", secret)
			}
		}
	})
}

func unzip(t *testing.T, b []byte) map[string]string {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[f.Name] = string(content)
	}
	return out
}

// Asking tells nobody whether an address is known: not by the page, a header, or the limit.
func TestAskingForTheLinkTellsNothing(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		people(t, a)
		ask := func(email string) string {
			res, body := raw(t, http.MethodPost, a.URL+"/me", "application/x-www-form-urlencoded", url.Values{"email": {email}}.Encode(), "Origin", a.URL)
			headers := []string{}
			for name, values := range res.Header {
				if name != "Date" && name != "X-Request-Id" {
					headers = append(headers, name+": "+strings.Join(values, "|"))
				}
			}
			slices.Sort(headers)
			return res.Status + strings.Join(headers, "\n") + strings.ReplaceAll(strings.ReplaceAll(body, email, "(address)"), res.Header.Get("X-Request-Id"), "(id)")
		}
		rows := func() (n int64) {
			if err := a.DB.Raw("SELECT (SELECT count(*) FROM login_failures) + (SELECT count(*) FROM deliveries)").Scan(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n
		}
		for i := range 4 { // the fourth is over the limit of each
			before := rows()
			known := ask("june@example.org")
			wrote := rows() - before
			unknown := ask("juno@example.org")
			if known != unknown {
				t.Errorf("%d:\n%s\nnot\n%s", i, known, unknown)
			}
			if i < 3 && (!strings.HasPrefix(known, "303") || wrote != 3 || rows()-before != 2*wrote) {
				t.Errorf("%d: %d rows for a known address, %d for both: %s", i, wrote, rows()-before, known)
			}
			if i == 3 && !strings.HasPrefix(known, "429") {
				t.Error(known)
			}
		}
		mailTo(t, a, "june@example.org", "/me/A", 3)
		for _, m := range a.Mail.Messages() {
			if m.To == "juno@example.org" {
				t.Error("an address that nobody knows got a mail")
			}
		}
		if got := ask("obi@example.org"); !strings.HasPrefix(got, "303") {
			t.Errorf("another address is held up: %s", got)
		}
		for i := range 10 { // whoever asks for many is held up, known or not
			got := ask(string(rune('a'+i)) + "@example.org")
			if i > 5 && !strings.HasPrefix(got, "429") {
				t.Errorf("%d: %s", i, got[:20])
			}
		}
		a.Clock.Add(16 * time.Minute)
		if got := ask("june@example.org"); !strings.HasPrefix(got, "303") {
			t.Errorf("a while later: %s", got[:20])
		}
		if page := a.Client(t).Get("/me").Submit("form[action='/me']", map[string]string{"email": "june.example.org"}).Want(422); page.Doc.Find("#email").AttrOr("value", "") != "june.example.org" {
			t.Error("what was typed is lost")
		}
	})
}

// Two people of one household are two people, whatever they have in common; several mailboxes of one person are one.
func TestNobodySeesAnybodyElse(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		w := people(t, a)
		june, obi := boxOf(t, a, "june@example.org"), boxOf(t, a, "obi@example.org")
		now := a.Clock.Now()
		// The same telephone, the same postcode, and a second mailbox of June's.
		second := models.Mailbox{}
		err := a.DB.Tx(t.Context(), func(tx *gorm.DB) error {
			for _, b := range []models.Mailbox{june, obi} {
				if err := supporters.AddPhone(t.Context(), tx, a.Vault, *b.SupporterID, "+12024561111", "US", now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		factory.Signed(t, a, factory.Petition(t, a, "Benches"), factory.Person{Given: "June", Family: "Okafor", Email: "work@example.org", Updates: true})
		second = boxOf(t, a, "work@example.org")
		if err := a.DB.Model(&models.Mailbox{}).Where("id = ?", second.ID).Update("supporter_id", june.SupporterID).Error; err != nil {
			t.Fatal(err)
		}
		path := func(b models.Mailbox, k tokens.Kind, life time.Duration) string {
			return "/me/" + a.Signer.Make(k, b.ID, now.Add(life))
		}
		c := a.Client(t)
		page := c.Get(path(june, tokens.Me, time.Hour)).Want(200)
		text := page.Text("main")
		if !strings.Contains(text, "w…@example.org") || strings.Contains(text, "work@example.org") || !strings.Contains(text, "Benches") || !strings.Contains(text, "Twenty visits") {
			t.Error(text)
		}
		for _, of := range []string{"Obi", "obi@", "o…@"} {
			if strings.Contains(text, of) {
				t.Errorf("June sees %q", of)
			}
		}
		// Her page does nothing to him, whatever ids are sent.
		var his models.Consent
		if err := a.DB.Take(&his, "mailbox_id = ?", obi.ID).Error; err != nil {
			t.Fatal(err)
		}
		var sig models.Signature
		if err := a.DB.Take(&sig, "mailbox_id = ?", obi.ID).Error; err != nil {
			t.Fatal(err)
		}
		mine := path(june, tokens.Me, time.Hour)
		c.Post(mine+"/stop", url.Values{"id": {his.ID.String()}}).Want(404)
		c.Post(mine+"/again", url.Values{"id": {his.ID.String()}}).Want(404)
		c.Post(mine+"/undo", url.Values{"kind": {"signature"}, "id": {sig.ID.String()}}).Want(404)
		c.Post(mine+"/undo", url.Values{"kind": {"form"}, "id": {sig.ID.String()}}).Want(404)
		c.Post(mine+"/undo", url.Values{"kind": {"nonsense"}, "id": {"nonsense"}}).Want(404)
		c.Post(mine+"/pause", url.Values{"until": {"told"}}).Want(200)
		if !subscribed(t, a, obi) || subscribed(t, a, june) || subscribed(t, a, second) || w.count(t) != 2 {
			t.Error("one of them was touched, or one of hers was not")
		}
		// Links of another kind, too old, and changed.
		for _, p := range []string{path(june, tokens.Confirm, time.Hour), path(june, tokens.Prefill, time.Hour), path(june, tokens.Erase, time.Hour), mine[:len(mine)-1] + "_", "/me/nonsense"} {
			for _, what := range []string{"", "/details"} {
				if got := c.Get(p + what).Status; got != 404 {
					t.Errorf("%s answers %d", p+what, got)
				}
			}
		}
		a.Clock.Add(3 * time.Hour)
		over := c.Get(mine).Want(410)
		if !over.Has("main a[href='/me']") || strings.Contains(over.Text("main"), "june") {
			t.Error(over.Text("main"))
		}
		for _, what := range []string{"stop", "undo", "again", "topics", "pause", "resume", "use", "download", "erase", "details", "districts"} {
			if got := c.Post(mine+"/"+what, url.Values{"until": {"told"}, "id": {his.ID.String()}, "topic": {"x"}, "district": {his.ID.String()}}).Status; got != 410 {
				t.Errorf("%s after the end answers %d", what, got)
			}
		}
	})
}

// A mailbox without a record: what waits there is shown, a first yes makes a record, and erasing works without one.
func TestAMailboxWithoutARecord(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		c := a.Client(t)
		for _, email := range []string{"june@example.org", "cal@example.org"} {
			c.Get("/petitions/"+p.Slug).Submit(signForm, june(email)).Want(200)
		}
		page := opened(t, a, c, "june@example.org")
		// A mail is here a moment before its row says that it went.
		for end := time.Now().Add(testapp.Patience); !strings.Contains(page.Text("main"), "Please confirm") && time.Now().Before(end); {
			page = c.Get(page.Path).Want(200)
		}
		if got := page.Text("main"); !strings.Contains(got, "Not confirmed yet") || !strings.Contains(got, "Twenty visits") || !strings.Contains(got, "Please confirm") {
			t.Error(got)
		}
		page.Follow("a[href^='/confirm/']").Want(200)
		if boxOf(t, a, "june@example.org").VerifiedAt != nil {
			t.Error("opening the page confirmed the address")
		}
		page.Submit("form[action$='/topics']", map[string]string{}).Want(422)
		value := page.Doc.Find("input[name=topic]").First().AttrOr("value", "")
		c.Post(page.Path+"/topics", url.Values{"topic": {value}}).Want(200)
		if m := boxOf(t, a, "june@example.org"); m.VerifiedAt == nil || m.SupporterID == nil || !subscribed(t, a, m) {
			t.Errorf("%+v", m)
		}

		other := opened(t, a, c, "cal@example.org")
		other.Submit("form[action$='/erase'] button", nil).Want(200)
		c.Get(mailTo(t, a, "cal@example.org", "/me/erase/", 1)).Want(200).Submit("form[action*='/me/erase/'] button", nil).Want(200)
		var n int64
		err := a.DB.Raw("SELECT (SELECT count(*) FROM mailboxes WHERE address_hash = ?) + (SELECT count(*) FROM signatures WHERE mailbox_id IS NULL AND given_name_sealed IS NOT NULL)",
			a.Vault.AddressHash("cal@example.org")).Scan(&n).Error
		if err != nil || n != 0 {
			t.Errorf("%d are left, %v", n, err)
		}
	})
}

// Forms are filled in in the one browser where the button was pressed; the kept page is everybody's and stays empty.
func TestFilledInForms(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		people(t, a)
		benches := "/petitions/" + factory.Petition(t, a, "Benches").Slug
		c, other := a.Client(t), a.Client(t)
		kept := func(where string) {
			t.Helper()
			for _, path := range []string{benches, "/join"} {
				page := other.Get(path).Want(200)
				if !strings.Contains(page.Header.Get("Cache-Control"), "public") || page.Header.Get("ETag") == "" || page.Doc.Find("#email").AttrOr("value", "") != "" ||
					strings.Contains(string(page.Body), "Okafor") || strings.Contains(string(page.Body), "june@") || page.Has("form[action='/me/forget']") {
					t.Errorf("%s: %s of everybody: %s", where, path, page.Header)
				}
			}
		}
		kept("before")
		page := opened(t, a, c, "june@example.org")
		if c.Get(benches).Doc.Find("#email").AttrOr("value", "") != "" {
			t.Error("the form is filled in before the button is pressed")
		}
		on := page.Submit("form[action$='/use'] button", nil).Want(200)
		if !strings.Contains(on.Text("main"), "for one hour") || !on.Has("form[action='/me/forget']") {
			t.Error(on.Text("main"))
		}
		for _, path := range []string{benches, "/join"} {
			mine := c.Get(path).Want(200)
			if got := mine.Header.Get("Cache-Control"); !strings.Contains(got, "no-store") || mine.Header.Get("ETag") != "" {
				t.Errorf("%s: %q", path, got)
			}
			for field, want := range map[string]string{"given_name": "June", "family_name": "Okafor", "email": "june@example.org", "postal_code": "00209"} {
				if got := mine.Doc.Find("#"+field).AttrOr("value", ""); got != want {
					t.Errorf("%s: %s is %q", path, field, got)
				}
			}
			if mine.Has("input[type=checkbox][checked]") {
				t.Errorf("%s: a box is ticked", path)
			}
		}
		kept("while it is filled in elsewhere")
		a.Clock.Add(3 * time.Second)
		kept("after it was made anew")
		c.Get(benches).Submit(signForm, nil).Want(200) // nothing was typed
		a.Clock.Add(10 * time.Minute)
		empty := c.Get(benches).Submit("form[action='/me/forget'] button", nil).Want(200)
		if empty.Path != benches || empty.Doc.Find("#email").AttrOr("value", "") != "" || !strings.Contains(empty.Text("main"), "empty again") {
			t.Errorf("%s: %s", empty.Path, empty.Text("main"))
		}
		page = opened(t, a, c, "june@example.org")
		page.Submit("form[action$='/use'] button", nil).Want(200)
		a.Clock.Add(61 * time.Minute)
		if got := c.Get(benches).Doc.Find("#email").AttrOr("value", ""); got != "" {
			t.Errorf("after an hour: %q", got)
		}
	})
}

// Opening a page changes nothing, whatever is on it.
func TestOpeningChangesNothing(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		people(t, a)
		june := boxOf(t, a, "june@example.org")
		ends := a.Clock.Now().Add(10 * time.Minute)
		dump := func() string {
			out := ""
			for _, table := range []string{"mailboxes", "supporters", "signatures", "consents", "audit_entries", "erasures", "login_failures"} {
				var n []map[string]any
				if err := a.DB.Table(table).Order("id").Find(&n).Error; err != nil {
					t.Fatal(err)
				}
				b, err := json.Marshal(n)
				if err != nil {
					t.Fatal(err)
				}
				out += string(b)
			}
			var mails int64 // their states change by themselves
			if err := a.DB.Model(&models.Delivery{}).Count(&mails).Error; err != nil {
				t.Fatal(err)
			}
			return out + strconv.FormatInt(mails, 10)
		}
		before := dump()
		c := a.Client(t)
		for _, p := range []string{
			"/me", "/me/sent", "/me/" + a.Signer.Make(tokens.Me, june.ID, ends), "/me/" + a.Signer.Make(tokens.Me, june.ID, ends) + "/details",
			"/me/download/" + a.Signer.Make(tokens.Download, june.ID, ends), "/me/erase/" + a.Signer.Make(tokens.Erase, june.ID, ends),
		} {
			c.Get(p).Want(200)
			for _, what := range []string{"/stop", "/undo", "/pause", "/use", "/download", "/erase"} {
				c.Get(p + what)
			}
		}
		if dump() != before {
			t.Error("something changed")
		}
	})
}

// What somebody chooses about where they live.
func TestOwnDistricts(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		people(t, a)
		june, now := boxOf(t, a, "june@example.org"), a.Clock.Now()
		var list []models.Division
		for _, name := range []string{"NC-1", "NC-2", "NC-3"} {
			d := models.Division{ID: models.NewID(), OCDID: "ocd-division/" + name, Name: name, Country: "US", Region: "NC", Kind: models.DivisionCongress, Version: "v", CreatedAt: now, UpdatedAt: now}
			if err := a.DB.Create(&d).Error; err != nil {
				t.Fatal(err)
			}
			list = append(list, d)
			if name != "NC-3" {
				if err := a.DB.Create(&models.PostalDivision{Country: "US", PostalArea: "00209", DivisionID: d.ID, Kind: d.Kind, Version: "v"}).Error; err != nil {
					t.Fatal(err)
				}
			}
		}
		c := a.Client(t)
		page := opened(t, a, c, "june@example.org")
		if page.Doc.Find("select[name=district] option").Length() != 3 {
			t.Fatal(page.Text("main"))
		}
		page.Submit("form[action$='/districts']", nil).Want(422)
		c.Post(page.Path+"/districts", url.Values{"district": {list[2].ID.String()}}).Want(422)
		page = page.Submit("form[action$='/districts']", map[string]string{"district": list[1].ID.String()}).Want(200)
		var row models.SupporterDivision
		if err := a.DB.Take(&row, "supporter_id = ?", *june.SupporterID).Error; err != nil || row.DivisionID != list[1].ID || row.How != models.ByPerson {
			t.Errorf("%+v, %v", row, err)
		}
		if page.Doc.Find("select[name=district] option[selected]").AttrOr("value", "") != list[1].ID.String() {
			t.Error(page.Text("main"))
		}
	})
}

// What another feature registers stands on the page, and its buttons work.
func TestSourcesOfTheOwnPage(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		shift, undone := models.NewID(), 0
		a.Me.Register("shift", me.Source{
			Due: func(_ context.Context, w me.Who) ([]me.Item, error) {
				if w.Mailbox != boxOf(t, a, "june@example.org").ID {
					return nil, nil
				}
				return []me.Item{{ID: shift, At: a.Clock.Now(), Key: "me.did_form", Title: "Opening the door", Undo: "me.take_back"}}, nil
			},
			Undo: func(_ context.Context, w me.Who, id uuid.UUID, back bool) (string, error) {
				if id == shift && !back && w.Supporter != uuid.Nil {
					undone++
				}
				return "", nil
			},
		})
		people(t, a)
		c := a.Client(t)
		page := opened(t, a, c, "june@example.org")
		if got := page.Text("section:has(#due)"); !strings.Contains(got, "Opening the door") {
			t.Error(got)
		}
		page.Submit("section:has(#due) form button", nil).Want(200)
		if undone != 1 {
			t.Errorf("it was taken back %d times", undone)
		}
		if page := opened(t, a, c, "obi@example.org"); strings.Contains(page.Text("main"), "Opening the door") {
			t.Error("it stands on somebody else's page")
		}
	})
}
