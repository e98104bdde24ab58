package public_test

import (
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"kithline/campaigns/abuse"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

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
