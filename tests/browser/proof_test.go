package browser

import (
	"strings"
	"testing"
	"time"

	"kithline/campaigns/abuse"
	"kithline/models"
	"kithline/tests/testapp"
)

// Many signatures from one device: the form asks the browser for a proof of work, which a person neither sees to nor waits for, and
// without scripts the mail is enough.
func TestSignUnderPressure(t *testing.T) {
	t.Parallel()
	w := empty(t, tight...)
	p := w.petition(draft, models.PetitionPublished)
	page := "/petitions/" + p.Slug
	w.crowd(p.Slug, "early")
	tab := New(t, w.URL)
	typed := func(email string) {
		t.Helper()
		for name, text := range map[string]string{"given_name": "June", "family_name": "Okafor", "email": email, "postal_code": "10203"} {
			tab.Fill(signForm+` [name=`+name+`]`, text)
		}
	}
	const send, status, proof = signForm + ` button.main`, `[data-proof-says]`, `document.querySelector('[name=altcha]').value`
	taken := func(email, reason string) models.Signature {
		t.Helper()
		if tab.Status != 200 || tab.Path() != page+"/sent" {
			t.Fatalf("%s: %d: %s", email, tab.Status, tab.where())
		}
		var sig models.Signature
		err := w.DB.Joins("JOIN mailboxes m ON m.id = signatures.mailbox_id").Where("m.address_hash = ?", w.Vault.AddressHash(email)).Take(&sig).Error
		if err != nil || sig.SuspectReason != reason || (len(sig.ProofHash) > 0) != (reason == "") {
			t.Fatalf("%s: %q, proof %x, %v", email, sig.SuspectReason, sig.ProofHash, err)
		}
		return sig
	}
	confirm := func(email string) {
		t.Helper()
		tab.Open(testapp.Link(t, w.WaitMail(t, email, 1)[0], "/confirm/"))
		tab.Press(`main form button.main`)
		tab.Want(200, tab.Path())
	}

	// Solved while somebody types: in a worker, and said where a screen reader hears it.
	tab.Open(page)
	tab.Check("form under pressure")
	if tab.Text(status) != "" || Eval[string](tab, proof) != "" {
		t.Error("it works before anybody touches the form")
	}
	typed("june@example.org")
	tab.Until(`document.querySelector('` + status + `').textContent === document.querySelector('[data-proof]').dataset.done`)
	if !Eval[bool](tab, `performance.getEntriesByType('resource').some(e => e.name.includes('/proof-worker')) && [...document.scripts].every(s => !s.src.includes('/proof-worker'))`) {
		t.Error("it is not worked out beside the page")
	}
	tab.Check("form under pressure, solved")
	tab.Press(send)
	taken("june@example.org", "")
	confirm("june@example.org")
	if got := w.count(p.Slug); got != "1" {
		t.Errorf("%s have signed", got)
	}

	// Sent before it is solved, by somebody whose browser filled in everything: it goes out by itself. Then back, for one more person:
	// the proof of the first one is not sent again. (A page that comes back whole is out of reach for anything but its own scripts.)
	filled := func(email string) {
		t.Helper()
		Eval[bool](tab, `(() => { const f = document.querySelector('`+signForm+`'); f.given_name.value = 'Cal'; f.family_name.value = 'Whitcomb'; f.email.value = '`+email+`'; f.postal_code.value = '10203'; return true; })()`)
	}
	tab.Open(page)
	filled("cal@example.org")
	tab.Press(send)
	taken("cal@example.org", "")
	Eval[bool](tab, `(history.back(), true)`)
	tab.Until(`location.pathname === '` + page + `' && document.readyState === 'complete' && ` + proof + ` === ''`)
	filled("ana@example.org")
	if said := Eval[string](tab, `(document.querySelector('`+send+`').click(), document.querySelector('[data-proof-says]').textContent)`); !strings.HasPrefix(said, "One moment") {
		t.Errorf("who sends the form early is told %q", said)
	}
	tab.Until(`location.pathname === '` + page + `/sent'`)
	taken("ana@example.org", "")

	// Solved, then an hour's rest: it is solved once more before the form goes out.
	tab.Open(page)
	typed("wolfe@example.org")
	tab.Until(proof + ` !== ''`)
	w.Clock.Add(61 * time.Minute)
	Eval[bool](tab, `(Date.now = (now => () => now() + 61 * 60e3)(Date.now), true)`)
	w.crowd(p.Slug, "later")
	tab.Press(send)
	taken("wolfe@example.org", "")

	// A mistake: the words stay, and the page after it asks again.
	tab.Open(page)
	typed("ida.example.org")
	tab.Press(send)
	tab.Want(422, page+"/sign")
	if got := tab.Value(signForm + ` [name=given_name]`); got != "June" || !tab.Has("[data-proof]") {
		t.Errorf("the given name is %q after an error; or no proof is asked for", got)
	}
	tab.Fill(signForm+` [name=email]`, "ida@example.org")
	tab.Press(send)
	taken("ida@example.org", "")

	// Without scripts: the same page, the same mail, the same thanks. It counts once somebody has looked at all of its kind.
	tab.Scripts(false)
	tab.Open(page)
	tab.Check("form under pressure without scripts")
	typed("noel@example.org")
	tab.Press(send)
	taken("noel@example.org", abuse.ReasonNoProof)
	confirm("noel@example.org")
	if got := w.count(p.Slug); got != "1" {
		t.Errorf("%s have signed", got)
	}
	tab.Scripts(true)
	w.signIn(tab)
	tab.Open("/admin/petitions/" + p.ID.String() + "/trust")
	tab.Press(`form:has([name=reason][value=no_proof]) button[value=let]`)
	tab.Want(200, "/admin/petitions/"+p.ID.String()+"/trust/out/")
	tab.Until(`!document.querySelector('#work').hasAttribute('hx-get')`)
	tab.Check("let in")
	if got := w.count(p.Slug); got != "2" {
		t.Errorf("%s have signed after it was let in", got)
	}
}
