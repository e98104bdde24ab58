package public_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	altcha "github.com/altcha-org/altcha-lib-go"

	"kithline/campaigns/abuse"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

// signs sends the form of a petition from a device, and fails where the visitor is told anything but the usual, or where it is suspect
// for another reason than why.
type signs struct {
	t    *testing.T
	a    *testapp.App
	page *testapp.Page
	sent string // the page after the form
}

func (s *signs) from(via, email, proof, why string) models.Signature {
	s.t.Helper()
	c := s.a.Client(s.t)
	c.Via = via
	page := c.Get(s.page.Path).Want(200)
	fields := map[string]string{"given_name": "June", "family_name": "Okafor", "email": email, "postal_code": "00012"}
	if page.Has("[name=altcha]") {
		fields["altcha"] = proof
	}
	page = page.Submit("#sign form", fields).Want(200)
	if s.sent == "" {
		s.sent = string(page.Body)
	}
	if !strings.HasSuffix(page.Path, "/sent") || string(page.Body) != s.sent {
		s.t.Errorf("%s from %q is told something else, at %s", email, via, page.Path)
	}
	var sig models.Signature
	err := s.a.DB.Joins("JOIN mailboxes m ON m.id = signatures.mailbox_id").Where("m.address_hash = ?", s.a.Vault.AddressHash(email)).Take(&sig).Error
	if err != nil || sig.SuspectReason != why {
		s.t.Errorf("%s from %q: suspect for %q, not %q; %v", email, via, sig.SuspectReason, why, err)
	}
	return sig
}

// The rules against abuse as the outside meets them, from form to count: devices are told apart by what a trusted proxy writes, what is
// suspect is answered and mailed like everything else, and one press lets all of it in.
func TestAbuseFromOutside(t *testing.T) {
	testdb.EachMigratedURL(t, func(t *testing.T, url string) {
		a := testapp.New(t, url, "KITHLINE_TRUSTED_PROXIES=127.0.0.0/8", "KITHLINE_SIGNING_PER_MINUTE=3")
		a.SetUp()
		p := factory.Petition(t, a, "Twenty visits")
		owner := a.Owner(t)
		s := &signs{t: t, a: a, page: a.Client(t).Get("/petitions/" + p.Slug).Want(200)}
		for i := range 3 {
			s.from("203.0.113.1", fmt.Sprintf("a%d@example.org", i), "", "")
		}
		s.from("203.0.113.1", "limit1@example.org", "", abuse.ReasonLimit)
		s.from("192.0.2.77, 203.0.113.1", "limit2@example.org", "", abuse.ReasonLimit) // what came before the proxy is anybody's word
		s.from("203.0.113.2", "b@example.org", "", "")
		for i := range 3 {
			s.from(fmt.Sprintf("2001:db8:1:2::%d", i+1), fmt.Sprintf("c%d@example.org", i), "", "")
		}
		s.from("2001:db8:1:2:ffff::9", "limit3@example.org", "", abuse.ReasonLimit) // one household
		s.from("2001:db8:1:3::1", "d@example.org", "", "")

		// Mailed and confirmed like every other; it waits in the one row of its kind, and counts once that is let in.
		a.Client(t).Get(testapp.Link(t, a.WaitMail(t, "limit1@example.org", 1)[0], "/confirm/")).Want(200).Submit("main form", nil).Want(200)
		count := func(want int) {
			t.Helper()
			var now models.Petition
			if err := a.DB.Take(&now, "id = ?", p.ID).Error; err != nil || now.SignatureCount != want {
				t.Errorf("%d count, not %d; %v", now.SignatureCount, want, err)
			}
		}
		count(0)
		trustPath := "/admin/petitions/" + p.ID.String() + "/trust"
		trust := owner.Get(trustPath).Want(200)
		if rows := trust.Doc.Find("form[action$='/suspect']"); rows.Length() != 1 || !strings.Contains(trust.Text("#suspect ~ ul li"), "1 is confirmed by mail") {
			t.Errorf("%d rows: %s", rows.Length(), trust.Text("#suspect ~ ul"))
		}

		// A window, by its form; what it is for stands on the page. Closed, the limits are back.
		trust = trust.Submit("form[action$='/windows']", map[string]string{"note": "Stand at the market"}).Want(200)
		if !strings.Contains(trust.Text("#windows ~ ul"), "Stand at the market") {
			t.Error("the window is not on the page")
		}
		s.from("203.0.113.1", "window@example.org", "", "")
		owner.Get(trustPath).Want(200).Submit("form[action$='/close']", nil).Want(200)
		s.from("203.0.113.1", "limit4@example.org", "", abuse.ReasonLimit)

		// Rules, each with its comment, by their form.
		rule := func(effect, subject, value, note string) *testapp.Page {
			t.Helper()
			page := owner.Get("/admin/abuse").Want(200).Submit("form[action='/admin/abuse']", map[string]string{"effect": effect, "subject": subject, "value": value, "note": note}).Want(200)
			if !strings.Contains(page.Text("#rules-h ~ ul li"), note) {
				t.Errorf("the page does not say %q", note)
			}
			return page
		}
		rule("block", "range", "198.51.100.0/24", "A network hired by the hour")
		rule("block", "domain", "bad.example", "The wave of the ninth")
		s.from("198.51.100.7", "range@example.org", "", abuse.ReasonBlock)
		s.from("203.0.113.10", "x@sub.bad.example", "", abuse.ReasonBlock)
		page := rule("allow", "address", "clinic@bad.example", "The clinic called us")
		s.from("198.51.100.8", "clinic@bad.example", "", "")
		if strings.Contains(page.Text("main"), "clinic@") {
			t.Error("the page shows an address that is kept as a hash")
		}
		page.Submit("#rules-h ~ ul li:first-child form", nil).Want(200)
		s.from("203.0.113.11", "other@bad.example", "", abuse.ReasonBlock)
		owner.Get("/admin/abuse").Want(200).Submit("form[action='/admin/abuse']", map[string]string{"effect": "block", "subject": "domain", "value": "x.example"}).Want(422)

		// One inbox under several spellings, where its provider does so; elsewhere every address is its own.
		s.from("203.0.113.20", "june.okafor@gmail.com", "", "")
		s.from("203.0.113.21", "juneokafor+x@googlemail.com", "", abuse.ReasonSameInbox)
		s.from("203.0.113.22", "june+a@fastmail.com", "", "")
		s.from("203.0.113.23", "june+b@fastmail.com", "", abuse.ReasonSameInbox)
		s.from("203.0.113.24", "june+a@example.org", "", "")
		s.from("203.0.113.25", "june+b@example.org", "", "")
		if sig := s.from("203.0.113.26", "june@mailinator.com", "", ""); sig.Flag != abuse.FlagDisposable {
			t.Errorf("the flag is %q", sig.Flag)
		}

		work := owner.Get(trustPath).Want(200).Submit("form[action$='/suspect']:has([value=limit]) button[value=let]", nil).Want(200)
		for end := time.Now().Add(testapp.Patience); work.Has("#work[hx-get]"); work = owner.Get(work.Path).Want(200) {
			if time.Now().After(end) {
				t.Fatal("the work does not end")
			}
		}
		count(1)
		if got := work.Text("#picked ~ dl"); !strings.Contains(got, "Looked at together and let in") {
			t.Errorf("the work says why: %s", got)
		}
		// From the notice about held mails it is asked before the petition is paused.
		if err := a.DB.Model(&models.Petition{}).Where("id = ?", p.ID).Update("breaker_at", a.Clock.Now()).Error; err != nil {
			t.Fatal(err)
		}
		ask := owner.Get(trustPath).Want(200).Follow("#breaker a").Want(200)
		if !ask.Has("form[action$='/steer'] button[value=pause]") {
			t.Errorf("%s asks nothing", ask.Path)
		}
		var now models.Petition
		if err := a.DB.Take(&now, "id = ?", p.ID).Error; err != nil || now.PausedAt != nil {
			t.Errorf("paused at %v without being asked; %v", now.PausedAt, err)
		}
	})
}

// Without a trusted proxy nobody is who they say: many addresses in a header are one device.
func TestAForwardedAddressIsNotBelieved(t *testing.T) {
	testdb.EachMigratedURL(t, func(t *testing.T, url string) {
		a := testapp.New(t, url, "KITHLINE_SIGNING_PER_MINUTE=3")
		a.SetUp()
		p := factory.Petition(t, a, "Twenty visits")
		s := &signs{t: t, a: a, page: a.Client(t).Get("/petitions/" + p.Slug).Want(200)}
		for i := range 4 {
			s.from(fmt.Sprintf("203.0.113.%d", i), fmt.Sprintf("a%d@example.org", i), "", map[bool]string{true: abuse.ReasonLimit}[i == 3])
		}
	})
}

// A proof that is wrong, used before or too old is as good as none: the form is taken and mailed, and waits for a look.
func TestABadProofLosesNothing(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		if err := a.DB.Model(&models.Petition{}).Where("id = ?", p.ID).Update("pressure_until", a.Clock.Now().Add(3*time.Hour)).Error; err != nil {
			t.Fatal(err)
		}
		s := &signs{t: t, a: a, page: a.Client(t).Get("/petitions/" + p.Slug).Want(200)}
		solve := func(off int64) string {
			t.Helper()
			var c altcha.Challenge
			if err := json.Unmarshal(a.Client(t).Get("/petitions/"+p.Slug+"/challenge").Want(200).Body, &c); err != nil {
				t.Fatal(err)
			}
			n, err := altcha.SolveChallenge(c.Challenge, c.Salt, altcha.SHA256, int(c.MaxNumber), 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(altcha.Payload{Algorithm: c.Algorithm, Challenge: c.Challenge, Number: int64(n.Number) + off, Salt: c.Salt, Signature: c.Signature})
			if err != nil {
				t.Fatal(err)
			}
			return base64.StdEncoding.EncodeToString(b)
		}
		good, old := solve(0), solve(0)
		s.from("", "good@example.org", good, "")
		s.from("", "again@example.org", good, abuse.ReasonNoProof)
		s.from("", "wrong@example.org", solve(1), abuse.ReasonNoProof)
		s.from("", "broken@example.org", "x", abuse.ReasonNoProof)
		s.from("", "none@example.org", "", abuse.ReasonNoProof)
		a.Clock.Add(61 * time.Minute)
		s.from("", "old@example.org", old, abuse.ReasonNoProof)
		for _, email := range []string{"again@example.org", "wrong@example.org", "broken@example.org", "none@example.org", "old@example.org"} {
			a.WaitMail(t, email, 1)
		}
	})
}

// Whatever is thought of a signature, the visitor is told the same: the bytes of the page after it are alike.
func TestTheAnswerTellsNothing(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		owner := factory.Owner(t, a)
		for _, r := range []abuse.RuleInput{
			{Effect: abuse.EffectBlock, Subject: abuse.SubjectDomain, Value: "bad.example", Note: "n"},
			{Effect: abuse.EffectAllow, Subject: abuse.SubjectDomain, Value: "good.example", Note: "n"},
			{Effect: abuse.EffectFlag, Subject: abuse.SubjectDomain, Value: "odd.example", Note: "n"},
		} {
			if _, err := a.Abuse.AddRule(t.Context(), owner, r); err != nil {
				t.Fatal(err)
			}
		}
		var first string
		for i, c := range []struct{ email, trap, reason string }{
			{"june@example.org", "", ""},
			{"june@bad.example", "", abuse.ReasonBlock},
			{"june@good.example", "", ""},
			{"june@odd.example", "", ""},
			{"june@mailinator.com", "", ""},
			{"trap@example.org", "x", abuse.ReasonTrap},
			{"june2@gmail.com", "", ""},
			{"j.une2@gmail.com", "", abuse.ReasonSameInbox},
			{"june@example.org", "", ""},
		} {
			page := a.Client(t).Get("/petitions/"+p.Slug).Want(200).Submit("#sign form", map[string]string{
				"given_name": "June", "family_name": "Okafor", "email": c.email, "postal_code": "00012", "leave_empty": c.trap,
			}).Want(200)
			if !strings.HasSuffix(page.Path, "/sent") {
				t.Fatalf("%s led to %s", c.email, page.Path)
			}
			if i == 0 {
				first = string(page.Body)
			} else if string(page.Body) != first {
				t.Errorf("%s: another answer", c.email)
			}
			var sig models.Signature
			if err := a.DB.Joins("JOIN mailboxes m ON m.id = signatures.mailbox_id").Where("m.address_hash = ?", a.Vault.AddressHash(c.email)).Take(&sig).Error; err != nil || sig.SuspectReason != c.reason {
				t.Errorf("%s: %q %v", c.email, sig.SuspectReason, err)
			}
		}
	})
}

// The field that no person sees is out of reach of a keyboard and of a screen reader, and a browser does not fill it in.
func TestTheTrapIsNotThere(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		page := a.Client(t).Get("/petitions/" + p.Slug).Want(200)
		trap := page.Doc.Find(`#sign form [name="leave_empty"]`)
		if trap.Length() != 1 || trap.AttrOr("tabindex", "") != "-1" || trap.AttrOr("autocomplete", "") != "off" || trap.AttrOr("value", "") != "" {
			t.Errorf("%d fields", trap.Length())
		}
		around := trap.Closest(`[aria-hidden="true"]`)
		if around.Length() != 1 || !around.HasClass("hide") {
			t.Error("it is read out, or seen")
		}
		around.Find("a, button, input, select, textarea").Each(func(_ int, s *goquery.Selection) {
			if s.AttrOr("tabindex", "") != "-1" {
				t.Error("the keyboard leads into it")
			}
		})
		if around.Find("label").Length() != 1 {
			t.Error("it has no label: checkers would find it")
		}
	})
}

// Under pressure everybody's page asks for a proof, and no longer when it is over. Nothing of it is inline.
func TestThePageAsksForAProof(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		page := func() *testapp.Page {
			a.Clock.Add(11 * time.Second)
			return a.Client(t).Get("/petitions/" + p.Slug).Want(200)
		}
		if page().Has("[data-proof]") {
			t.Error("it asks for nothing")
		}
		if err := a.DB.Model(&models.Petition{}).Where("id = ?", p.ID).Update("pressure_until", a.Clock.Now().Add(time.Minute)).Error; err != nil {
			t.Fatal(err)
		}
		got := page()
		where := got.Doc.Find("#sign form [data-proof]")
		if where.Length() != 1 || where.Find("input[name=altcha][type=hidden]").Length() != 1 || got.Doc.Find("#sign form button ~ [role=status][data-proof-says]").Length() != 1 {
			t.Fatal("it does not ask")
		}
		for _, at := range []string{where.AttrOr("data-worker", ""), got.Doc.Find(`script[src*="proof."]`).AttrOr("src", "")} {
			if !strings.HasPrefix(at, "/static/js/proof") {
				t.Errorf("a script at %q", at)
			}
			if b := a.Client(t).Get(at).Want(200).Body; len(b) > 3000 {
				t.Errorf("%s has %d bytes", at, len(b))
			}
		}
		challenge := a.Client(t).Get(where.AttrOr("data-proof", "")).Want(200)
		if !strings.Contains(string(challenge.Body), `"maxNumber"`) || challenge.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %v", challenge.Body, challenge.Header)
		}
		a.Client(t).Get("/petitions/nothing/challenge").Want(404)
		// Without a script the form is taken.
		got.Submit("#sign form", map[string]string{"given_name": "June", "family_name": "Okafor", "email": "june@example.org", "postal_code": "00012"}).Want(200)
		a.WaitMail(t, "june@example.org", 1)
		a.Clock.Add(2 * time.Minute)
		if page().Has("[data-proof]") {
			t.Error("it still asks")
		}
	})
}
