package letters

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/abuse"
	"kithline/campaigns/clock"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/rows"
	"kithline/tests/testdb"
)

var writtenOn = time.Date(2027, 2, 1, 15, 0, 0, 0, time.UTC)

// desk is a store with a letter campaign that somebody writes in.
type desk struct {
	*Service
	t     *testing.T
	ctx   context.Context
	clk   *clock.Fixed
	door  *confirmations.Service
	state *rows.Represented
	rows  *rows.Letters
}

func eachDesk(t *testing.T, fn func(t *testing.T, d *desk)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		v, clk := vault.New(vault.NewKey()), clock.NewFixed(writtenOn)
		signer := tokens.New(v)
		said := map[string]string{"letters.dear": "Dear ", "letters.closing": "With respect"}
		s := New(Options{
			DB: db, Vault: v, Clock: clk, Signer: signer, Organisation: organisation.New(db, v, clk), BaseURL: "https://act.example.org", Log: slog.New(slog.DiscardHandler),
			Guard: abuse.New(db, v, clk, abuse.Limits{}),
			Words: func(_, key string, args ...any) string {
				text := said[key]
				if len(args) == 2 {
					text += args[1].(string) + ","
				}
				return text
			},
		})
		d := &desk{Service: s, t: t, ctx: t.Context(), clk: clk, door: confirmations.New(clk, signer), state: rows.NewRepresented(writtenOn)}
		d.door.Register(s.Source())
		d.rows = rows.NewLetters(d.state, "twenty-visits", writtenOn)
		for _, row := range append(slices.Clone(d.state.Rows), d.rows.Rows...) {
			d.put(row)
		}
		fn(t, d)
	})
}

func (d *desk) put(row any) {
	d.t.Helper()
	d.must(d.DB.Create(row).Error)
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) campaign() Campaign {
	d.t.Helper()
	c, err := d.Public(d.ctx, "twenty-visits", "en")
	d.must(err)
	return c
}

func (d *desk) change(set map[string]any) {
	d.t.Helper()
	d.must(d.DB.Model(&models.LetterCampaign{}).Where("id = ?", d.rows.Letters.ID).Updates(set).Error)
}

// sheet is what somebody in House 12 wrote.
func (d *desk) written(email string) Sheet {
	return Sheet{
		PostalCode: "00151", Own: visit, GivenName: "June", FamilyName: "Hollis", Street: "4 Mill Lane", City: "Three Forks", Email: email,
		Points: []uuid.UUID{d.rows.Points[1].ID, d.rows.Points[2].ID},
	}
}

func (d *desk) input(in Sheet) SendInput {
	d.t.Helper()
	c := d.campaign()
	if who, err := d.Who(d.ctx, c, &in); err == nil {
		in.Settle(c, who)
	}
	return SendInput{KeepInput: KeepInput{Sheet: in, Lang: "en", ConsentText: "Write to me"}, OfficeText: "The office gets it all."}
}

func (d *desk) send(in Sheet) models.Letter {
	d.t.Helper()
	sent, err := d.Send(d.ctx, d.campaign(), d.input(in))
	d.must(err)
	return d.letter(sent.ID)
}

func (d *desk) letter(id uuid.UUID) (l models.Letter) {
	d.t.Helper()
	d.must(d.DB.Where("id = ?", id).Take(&l).Error)
	return l
}

func (d *desk) press(l models.Letter) (confirmations.Confirmed, error) {
	return d.door.Confirm(d.ctx, d.Signer.Make(tokens.Confirm, l.MailboxID, l.ExpiresAt), []uuid.UUID{l.ID})
}

func (d *desk) confirmed(in Sheet) models.Letter {
	d.t.Helper()
	l := d.send(in)
	_, err := d.press(l)
	d.must(err)
	return d.letter(l.ID)
}

func (d *desk) dispatches(letter uuid.UUID) (list []models.Dispatch) {
	d.t.Helper()
	d.must(d.DB.Where("letter_id = ?", letter).Order("created_at, id").Find(&list).Error)
	return list
}

func (d *desk) count(table, where string, args ...any) (n int64) {
	d.t.Helper()
	d.must(d.DB.Table(table).Where(where, args...).Count(&n).Error)
	return n
}

// names are the family names of recipients.
func names(list []Recipient) string {
	var out []string
	for _, m := range list {
		out = append(out, m.FamilyName)
	}
	return strings.Join(out, " ")
}

// wrong are the fields that a fault names.
func wrong(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return ""
	}
	var out []string
	for _, x := range f.Fields {
		out = append(out, x.Name+"="+x.Key)
	}
	if len(out) == 0 {
		return f.Key
	}
	return strings.Join(out, " ")
}

// Who a letter goes to: by rule, with nothing taken for granted where a postal code lies in two districts, and a vacant seat, an unknown
// code and a foreign country said plainly.
func TestWhoALetterGoesTo(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		h13 := d.state.Divisions["sldl:13"].ID
		for name, c := range map[string]struct {
			in      Sheet
			members string
			choices int
			vacant  int
			problem bool
		}{
			"one district":         {in: Sheet{PostalCode: "00151"}, members: "Okafor Ito"},
			"with four more":       {in: Sheet{PostalCode: "00151-2233"}, members: "Okafor Ito"},
			"zeros lost":           {in: Sheet{PostalCode: " 151 "}, members: "Okafor Ito"},
			"split":                {in: Sheet{PostalCode: "00152"}, members: "Okafor", choices: 1},
			"split, chosen":        {in: Sheet{PostalCode: "00152", Divisions: []uuid.UUID{h13}}, members: "Okafor Lind"},
			"split, not known":     {in: Sheet{PostalCode: "00152", Statewide: true}, members: "Okafor"},
			"a district elsewhere": {in: Sheet{PostalCode: "00151", Divisions: []uuid.UUID{uuid.New()}}, members: "Okafor Ito"},
			"vacant":               {in: Sheet{PostalCode: "00153"}, members: "Okafor", vacant: 1},
			"unknown":              {in: Sheet{PostalCode: "00999"}, members: "Marsh", problem: true},
		} {
			who, err := d.Who(d.ctx, d.campaign(), &c.in)
			d.must(err)
			if names(who.Members) != c.members || len(who.Choices) != c.choices || len(who.Vacant) != c.vacant || (who.Problem != "") != c.problem {
				t.Errorf("%s: %q, %d choices, %d vacant, problem %q", name, names(who.Members), len(who.Choices), len(who.Vacant), who.Problem)
			}
			if c.choices > 0 {
				in := c.in
				in.Settle(d.campaign(), who)
				if got := wrong(in.CheckWho(d.campaign(), who)); got != "division=error.letter_division_open" {
					t.Errorf("%s: a letter leaves with an open question: %q", name, got)
				}
			}
		}
		for _, code := range []string{"", "x", "00151; DROP", "----", "ABCDEFGHIJKLMN"} {
			if err := (&Sheet{PostalCode: code}).CheckPlace(); !strings.HasPrefix(wrong(err), "postal_code=") {
				t.Errorf("%q: %v", code, err)
			}
		}
		// The members of a committee, all or the writer's own; the same person once.
		c := d.campaign()
		c.Targets = []models.LetterTarget{{ID: uuid.New(), Rule: models.TargetCommittee, CommitteeID: &d.state.Committee.ID, OnlyMine: true}}
		if who, err := d.Who(d.ctx, c, &Sheet{PostalCode: "00151"}); err != nil || names(who.Members) != "Ito" {
			t.Errorf("only mine: %q, %v", names(who.Members), err)
		}
		c.Targets[0].OnlyMine = false
		marsh := d.state.People["Marsh"].ID
		c.Targets = append(c.Targets, models.LetterTarget{ID: uuid.New(), Rule: models.TargetPerson, LegislatorID: &marsh})
		if who, err := d.Who(d.ctx, c, &Sheet{PostalCode: "00999"}); err != nil || names(who.Members) != "Marsh Ito" || who.Problem != "" {
			t.Errorf("all of it: %q, problem %q, %v", names(who.Members), who.Problem, err)
		}
	})
}

// A letter is composed of its parts as they stand, with a point for one group in its letters alone, and nothing that its writer did not
// give but what the campaign says.
func TestComposed(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		c, in := d.campaign(), d.written("june@example.org")
		in.Own = "My plan stopped\nafter six visits."
		who, err := d.Who(d.ctx, c, &in)
		d.must(err)
		in.Settle(c, who)
		texts, m := d.Preview(c, in, who)
		if len(texts) != 2 || texts[0].Subject != "Please support HB 412" {
			t.Fatalf("%+v", texts)
		}
		senator := `Dear Senator Okafor,

I live in your district.

A video visit costs no more than one in person.

My plan stopped
after six visits.

Will you vote for HB 412? A short yes or no would help me.

With respect,

June Hollis
4 Mill Lane
Three Forks, WN 00151`
		if texts[0].Body != senator {
			t.Errorf("the senator's letter:\n%s", texts[0].Body)
		}
		if want := strings.Replace(strings.Replace(senator, "Senator Okafor", "Representative Ito", 1), "one in person.", "one in person.\n\nThe House has the first vote.", 1); texts[1].Body != want {
			t.Errorf("the House's letter:\n%s", texts[1].Body)
		}
		if m.Own != 6 || m.Given != 5+10+6+14 || m.Share() != 15 {
			t.Errorf("measured %+v, %d %%", m, m.Share())
		}
		member := legislators.Member{Legislator: models.Legislator{Name: "Ministry of Health"}}
		for want, change := range map[string]func(){
			"Dear Ministry of Health,": func() {},
			"Honoured Chair Ito,":      func() { member.Salutation = "Honoured Chair Ito" },
			"To the Chair:":            func() { member.Salutation = "To the Chair:" },
		} {
			member.Salutation = ""
			change()
			if got := d.salutation("en", member); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
		// Points for a party reach that party alone.
		c.Points[1].Party = "Harvest"
		if texts, _ := d.Preview(c, in, who); strings.Contains(texts[0].Body, "video") {
			t.Error("a point for another party")
		}
		// The order in which points are offered is by chance, and the same for one writer.
		c = d.campaign()
		orders := map[string]bool{}
		for i := range uint64(40) {
			a, b := in.Offered(c, who, i), in.Offered(c, who, i)
			key := ""
			for j := range a {
				if a[j].ID != b[j].ID {
					t.Fatal("the order changes while somebody writes")
				}
				key += a[j].Body[:5]
			}
			orders[key] = true
		}
		if len(orders) < 4 {
			t.Errorf("%d orders of three points", len(orders))
		}
	})
}

// What no letter can hold is refused where it is typed, with everything else kept: line ends in a name or a subject, marks that turn the
// direction, an address as a name, a URL as an e-mail address, a letter of 100,000 characters or of nothing.
func TestBadInput(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		for want, change := range map[string]func(*Sheet){
			"subject=error.text_unreadable":         func(s *Sheet) { s.Subject = "Hello\r\nBcc: all@example.org" },
			"subject=error.text_unreadable ":        func(s *Sheet) { s.Subject = "Hello\u2028Bcc: all@example.org" },
			"subject=error.text_too_long":           func(s *Sheet) { s.Subject = strings.Repeat("a", SubjectMax+1) },
			"given_name=error.text_unreadable":      func(s *Sheet) { s.GivenName = "June\x00" },
			"given_name=error.text_unreadable ":     func(s *Sheet) { s.GivenName = "June\nReply-To: x" },
			"family_name=error.text_unreadable":     func(s *Sheet) { s.FamilyName = "Hol\u202elis" },
			"family_name=error.name_address":        func(s *Sheet) { s.FamilyName = "https://example.org" },
			"family_name=error.family_name_missing": func(s *Sheet) { s.FamilyName = " " },
			"street=error.letter_street_missing":    func(s *Sheet) { s.Street = "" },
			"city=error.text_unreadable":            func(s *Sheet) { s.City = "Three\u2029Forks" },
			"email=error.email_invalid":             func(s *Sheet) { s.Email = "https://example.org/june" },
			"own_words=error.letter_own_words":      func(s *Sheet) { s.Own = " \n " },
			"own_words=error.letter_too_long":       func(s *Sheet) { s.Own = strings.Repeat("words ", 20_000) },
			"own_words=error.text_unreadable":       func(s *Sheet) { s.Own = "Please \u2067read this now" },
			"to=error.letter_to_changed":            func(s *Sheet) { s.Chosen = append(s.Chosen, uuid.New()) },
			"postal_code=error.postal_code_missing": func(s *Sheet) { s.PostalCode = "" },
			"division=error.letter_division_open":   func(s *Sheet) { s.PostalCode = "00152" },
		} {
			in := d.input(d.written("june@example.org"))
			change(&in.Sheet)
			_, err := d.Send(d.ctx, d.campaign(), in)
			if got := wrong(err); got != strings.TrimSpace(want) {
				t.Errorf("want %s, got %q (%v)", want, got, err)
			}
		}
		if n := d.count("letters", "1 = 1") + d.count("mailboxes", "1 = 1"); n != 0 {
			t.Errorf("%d rows of what was refused", n)
		}
		in := Sheet{Own: "One\r\ntwo\u2028three  \n\n\n\nfour"}
		if err := in.CheckWords(Campaign{}); err != nil || in.Own != "One\ntwo\nthree\n\nfour" {
			t.Errorf("cleaned to %q, %v", in.Own, err)
		}
	})
}

// From the press on the last page to the confirmation: nothing counts before it, exactly the text that was sent to be read goes out, once,
// and the record of the writer says what they said.
func TestConfirmedExactly(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		in := d.written("june@example.org")
		in.PostalCode, in.Divisions, in.Updates, in.Copy = "00152", []uuid.UUID{d.state.Divisions["sldl:13"].ID}, true, true
		l := d.send(in)
		if l.State != models.LetterAwaiting || d.count("supporters", "1 = 1") != 0 || d.count("consents", "1 = 1") != 0 || d.count("dispatches", "state <> 'draft'") != 0 {
			t.Fatal("something counts before the confirmation")
		}
		mail, err := d.confirmMail(d.ctx, d.delivery(confirmations.LetterConfirm))
		d.must(err)
		shown := mail.Data.(ConfirmMail)
		waiting, err := d.door.Waiting(d.ctx, d.Signer.Make(tokens.Confirm, l.MailboxID, l.ExpiresAt))
		d.must(err)
		if len(shown.Letters) != 2 || len(waiting.Items) != 1 || len(waiting.Items[0].Says) != 2 {
			t.Fatalf("%+v; %+v", shown, waiting)
		}
		done, err := d.press(l)
		d.must(err)
		if done.Already || len(done.Items) != 1 || done.Items[0].Thanks != "/letters/twenty-visits/thanks" {
			t.Errorf("%+v", done)
		}
		l = d.letter(l.ID)
		if l.State != models.LetterReleased || l.ConfirmedAt == nil || l.Number != 1 {
			t.Errorf("%+v", l)
		}
		list := d.dispatches(l.ID)
		for i, x := range list {
			subject, text, err := d.words(x)
			d.must(err)
			if x.State != models.DispatchWaiting || text != shown.Letters[i].Text || subject != shown.Letters[i].Subject || waiting.Items[0].Says[i].Text != subject+"\n\n"+text {
				t.Errorf("%s: what goes out is not what was read:\n%s", x.State, text)
			}
		}
		if sum, err := d.digestOf(l, list); err != nil || string(sum) != string(l.ConfirmedDigest) {
			t.Error("the digest is not that of what goes out")
		}
		var person models.Supporter
		d.must(d.DB.Take(&person).Error)
		if person.PostalArea != "00152" || person.Region != "WN" || person.Source != "letter" {
			t.Errorf("%+v", person)
		}
		var homes []models.SupporterDivision
		d.must(d.DB.Order("kind").Find(&homes).Error)
		if len(homes) != 2 || homes[0].DivisionID != d.state.Divisions["sldl:13"].ID || homes[0].How != models.ByPerson || homes[1].How != models.ByPostal {
			t.Errorf("%+v", homes)
		}
		if d.count("consents", "purpose = 'updates' AND scope_id = ?", d.rows.Campaign.ID) != 1 || d.count("deliveries", "kind = ?", KindCopy) != 1 {
			t.Error("the yes, or the copy, is missing")
		}
		if mail, err := d.copyMail(d.ctx, d.delivery(KindCopy)); err != nil || mail.Data.(CopyMail).Letters[1].Text != shown.Letters[1].Text {
			t.Errorf("the copy: %v", err)
		}
		// A second press changes nothing.
		done, err = d.press(l)
		if err != nil || !done.Already || d.count("letter_campaigns", "letter_count = 1") != 1 || len(d.dispatches(l.ID)) != 2 {
			t.Errorf("pressed twice: %+v, %v", done, err)
		}
	})
}

// delivery is the newest mail of a kind.
func (d *desk) delivery(kind string) (row models.Delivery) {
	d.t.Helper()
	d.must(d.DB.Where("kind = ?", kind).Order("created_at DESC, id DESC").Take(&row).Error)
	return row
}

// Texts that are not those that were sent to be read do not go out.
func TestATextThatWasChanged(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		l := d.send(d.written("june@example.org"))
		x := d.dispatches(l.ID)[0]
		d.must(d.DB.Model(&models.Dispatch{}).Where("id = ?", x.ID).Update("text_sealed", d.Vault.Seal("dispatches", "text_sealed", x.ID, "Dear Senator, never mind.")).Error)
		if _, err := d.press(l); wrong(err) != "error.letter_changed" && wrong(err) != "error.confirm_nothing" {
			t.Errorf("%v", err)
		}
		if d.count("dispatches", "state <> 'draft'") != 0 || d.letter(l.ID).ConfirmedAt != nil {
			t.Error("it went out")
		}
	})
}

// Two presses at once confirm once.
func TestTwoPressesAtOnce(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		l := d.send(d.written("june@example.org"))
		fresh := make([]bool, 4)
		var all sync.WaitGroup
		for i := range fresh {
			all.Go(func() {
				done, err := d.press(l)
				fresh[i] = err == nil && !done.Already
				if err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := len(slices.DeleteFunc(fresh, func(b bool) bool { return !b })); n != 1 {
			t.Errorf("%d presses confirmed", n)
		}
		if d.count("dispatches", "state = 'waiting'") != 2 || d.count("letter_campaigns", "letter_count = 1") != 1 {
			t.Error("not once")
		}
	})
}

// A change makes another letter: what was mailed before cannot be confirmed any more, and each press of "send" has a mail of its own within
// the limits.
func TestAnEditNeedsANewYes(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		first := d.input(d.written("june@example.org"))
		one, err := d.Send(d.ctx, d.campaign(), first)
		d.must(err)
		old := d.letter(one.ID)
		// BegunLetter on the way, the letter that waits stays as it is.
		edit := first
		edit.Held, edit.Own = one.Cookie, "Another thought of mine, and nothing else."
		cookie, err := d.KeepDraft(d.ctx, d.campaign(), edit.KeepInput)
		d.must(err)
		if d.letter(one.ID).State != models.LetterAwaiting || d.count("letters", "state = 'draft'") != 1 {
			t.Error("a draft touched what waits")
		}
		k, ok, err := d.Begun(d.ctx, d.rows.Letters.ID, cookie)
		if err != nil || !ok || k.State != models.LetterDraft || k.Own != edit.Own || k.Email != "june@example.org" {
			t.Errorf("%+v, %v", k, err)
		}
		edit.Held = cookie
		two, err := d.Send(d.ctx, d.campaign(), edit)
		d.must(err)
		if _, err := d.press(old); wrong(err) != "error.confirm_nothing" {
			t.Errorf("the old text is confirmed: %v", err)
		}
		if d.count("letters", "1 = 1") != 1 || d.count("dispatches", "1 = 1") != 2 {
			t.Error("what was replaced is still there")
		}
		if _, err := d.press(d.letter(two.ID)); err != nil {
			t.Error(err)
		}
		if _, text, err := d.words(d.dispatches(two.ID)[0]); err != nil || !strings.Contains(text, "Another thought") {
			t.Errorf("%q, %v", text, err)
		}
	})
}

// A mailbox writes to a legislator once in a campaign. Who was not written to gets the second letter; where nobody is left, the mail says
// so and nothing goes. The form answers the same each time.
func TestOnceEach(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		in := d.written("june@example.org")
		in.Chosen = []uuid.UUID{d.state.People["Ito"].ID}
		d.confirmed(in)
		in.Chosen = nil
		d.clk.Add(time.Hour)
		second := d.send(in)
		mail, err := d.confirmMail(d.ctx, d.delivery(confirmations.LetterConfirm))
		d.must(err)
		m := mail.Data.(ConfirmMail)
		if mail.Template != confirmations.LetterConfirm || len(m.Letters) != 1 || m.Letters[0].Name != "Senator Ada Okafor" || len(m.Already) != 1 || m.Already[0] != "Representative Noël Ito" {
			t.Errorf("%s: %+v", mail.Template, m)
		}
		if _, err := d.press(second); err != nil {
			t.Fatal(err)
		}
		if list := d.dispatches(second.ID); len(list) != 1 || list[0].LegislatorID != d.state.People["Okafor"].ID {
			t.Errorf("%+v", list)
		} else if sum, err := d.digestOf(d.letter(second.ID), list); err != nil || string(sum) != string(d.letter(second.ID).ConfirmedDigest) {
			t.Error("the digest is not that of what is left")
		}
		d.clk.Add(time.Hour)
		third := d.send(in)
		mail, err = d.confirmMail(d.ctx, d.delivery(confirmations.LetterConfirm))
		if err != nil || mail.Template != "letter_already" || len(mail.Data.(ConfirmMail).Already) != 2 {
			t.Errorf("%+v, %v", mail, err)
		}
		waiting, err := d.door.Waiting(d.ctx, d.Signer.Make(tokens.Confirm, third.MailboxID, third.ExpiresAt))
		if err != nil || len(waiting.Items) != 0 {
			t.Errorf("%+v, %v", waiting, err)
		}
		if done, err := d.press(third); err != nil || !done.Already {
			t.Errorf("%+v, %v", done, err)
		}
		if n := d.count("dispatches", "state = 'waiting'"); n != 2 {
			t.Errorf("%d letters go out", n)
		}
		// Both waiting at once, and pressed together: each legislator gets one.
		a, b := d.send(d.written("cal@example.org")), d.send(d.written("cal@example.org"))
		if _, err := d.door.Confirm(d.ctx, d.Signer.Make(tokens.Confirm, a.MailboxID, a.ExpiresAt), []uuid.UUID{a.ID, b.ID}); err != nil {
			t.Fatal(err)
		}
		if n := d.count("dispatches", "mailbox_id = ?", a.MailboxID); n != 2 {
			t.Errorf("%d letters of two that were pressed together", n)
		}
	})
}

// A letter whose own words are nearly those of another waits for a person and is never lost; after three days its writer is told, once.
func TestHeld(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		first := d.confirmed(d.written("june@example.org"))
		in := d.written("cal@example.org")
		in.Own, in.GivenName = "Hello, this is Cal. "+visit, "Cal"
		copied := d.confirmed(in)
		if first.State != models.LetterReleased || copied.State != models.LetterHeld || copied.HeldReason != HeldSimilar || copied.HeldLike == nil || *copied.HeldLike != first.ID {
			t.Fatalf("%s; %s %q like %v", first.State, copied.State, copied.HeldReason, copied.HeldLike)
		}
		if list := d.dispatches(copied.ID); len(list) != 2 || list[0].State != models.DispatchDraft {
			t.Errorf("%+v", list)
		}
		if n := d.count("letter_sketches", "letter_id <> ?", first.ID); n != 0 {
			t.Errorf("a held letter left %d parts of a sketch", n)
		}
		in = d.written("ana@example.org")
		in.Own = "Please help us soon."
		if l := d.confirmed(in); l.State != models.LetterReleased {
			t.Errorf("a short one: %s", l.State)
		}
		in.Email = "bo@example.org"
		if l := d.confirmed(in); l.State != models.LetterReleased {
			t.Errorf("the same short one: %s", l.State)
		}
		tell := func(want int) {
			t.Helper()
			if n, err := d.TellHeld(d.ctx); err != nil || n != want {
				t.Errorf("%d were told, want %d, %v", n, want, err)
			}
		}
		tell(0)
		d.clk.Add(heldToldAfter)
		tell(1)
		tell(0)
		if mail, err := d.heldMail(d.ctx, d.delivery(KindHeld)); err != nil || mail.Data.(HeldMail).GivenName != "Cal" {
			t.Errorf("%+v, %v", mail, err)
		}
	})
}

// Two letters with the same own words, confirmed at the same moment by two people: one of them waits.
func TestTwoOfAKindAtOnce(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		letters := []models.Letter{d.send(d.written("june@example.org")), d.send(d.written("cal@example.org"))}
		var all sync.WaitGroup
		for _, l := range letters {
			all.Go(func() {
				if _, err := d.press(l); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if held, free := d.count("letters", "state = 'held'"), d.count("letters", "state = 'released'"); held != 1 || free != 1 {
			t.Errorf("%d held, %d released", held, free)
		}
		if a, b := d.letter(letters[0].ID).Number, d.letter(letters[1].ID).Number; a+b != 3 || a == b {
			t.Errorf("numbers %d and %d", a, b)
		}
	})
}

// What strangers send is judged as signatures are: a trap and a crowd from one device make no difference on the page, and wait for a
// person once they are confirmed.
func TestJudged(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		in := d.input(d.written("bot@example.org"))
		in.Trap, in.ClientIP = "filled", "192.0.2.7"
		sent, err := d.Send(d.ctx, d.campaign(), in)
		d.must(err)
		if _, err := d.press(d.letter(sent.ID)); err != nil {
			t.Fatal(err)
		}
		if l := d.letter(sent.ID); l.State != models.LetterHeld || l.HeldReason != abuse.ReasonTrap {
			t.Errorf("%s %q", l.State, l.HeldReason)
		}
		var last models.Letter
		for range deviceMost + 1 {
			in := d.input(d.written("u" + uuid.NewString()[:8] + "@example.org"))
			in.ClientIP = "192.0.2.8"
			sent, err := d.Send(d.ctx, d.campaign(), in)
			d.must(err)
			if last = d.letter(sent.ID); last.State != models.LetterAwaiting {
				t.Fatal(last.State)
			}
		}
		if last.HeldReason != HeldLimit {
			t.Errorf("the last of a crowd: %q", last.HeldReason)
		}
	})
}

// Drafts: kept with an address alone, gone on with by cookie, link and code, moved to another link with another address, and gone after
// 30 days that nobody touched them.
func TestDrafts(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		in := KeepInput{Sheet: Sheet{PostalCode: "00152", Own: "Half a sent", Email: "june@example.org", Statewide: true}, Lang: "es", Mail: true}
		cookie, err := d.KeepDraft(d.ctx, d.campaign(), in)
		d.must(err)
		var l models.Letter
		d.must(d.DB.Take(&l).Error)
		if mail, err := d.resumeMail(d.ctx, d.delivery(confirmations.LetterResume)); err != nil || mail.Lang != "es" || !strings.Contains(mail.Data.(ResumeMail).URL, "/letters/draft/") {
			t.Errorf("%+v, %v", mail, err)
		}
		token := d.Signer.Make(tokens.LetterDraft, l.ID, writtenOn.Add(DraftFor))
		slug, other, err := d.TakeUp(d.ctx, "", token)
		k, ok, err2 := d.Begun(d.ctx, d.rows.Letters.ID, other)
		if err != nil || err2 != nil || !ok || slug != "twenty-visits" || k.Own != "Half a sent" || !k.Statewide || k.PostalCode != "00152" {
			t.Errorf("%q %+v, %v %v", slug, k, err, err2)
		}
		if _, _, err := d.ResumeCode(d.ctx, "", "june@example.org", d.Signer.Code(tokens.LetterDraft, l.ID)); err != nil {
			t.Error(err)
		}
		for i := range resumeTries {
			if _, _, err := d.ResumeCode(d.ctx, "", "june@example.org", "AAAAAA"); wrong(err) != "code=error.start_code_wrong" {
				t.Errorf("try %d: %v", i, err)
			}
		}
		if _, _, err := d.ResumeCode(d.ctx, "", "june@example.org", d.Signer.Code(tokens.LetterDraft, l.ID)); wrong(err) != "code=error.start_code_wrong" {
			t.Errorf("after five wrong codes: %v", err)
		}
		// The same browser goes on with the same draft; with another address it is another one, and the old link opens nothing.
		in.Held, in.Own, in.Mail = cookie, "Half a sentence", false
		cookie, err = d.KeepDraft(d.ctx, d.campaign(), in)
		d.must(err)
		if d.count("letters", "1 = 1") != 1 {
			t.Error("a draft for each key")
		}
		in.Held, in.Email = cookie, "june.hollis@example.org"
		cookie, err = d.KeepDraft(d.ctx, d.campaign(), in)
		d.must(err)
		if _, err := d.Offered(d.ctx, token); wrong(err) != "error.letter_draft_gone" {
			t.Errorf("the link of the wrong address: %v", err)
		}
		if k, ok, _ := d.Begun(d.ctx, d.rows.Letters.ID, cookie); !ok || k.Email != "june.hollis@example.org" || k.Own != "Half a sentence" {
			t.Errorf("%+v", k)
		}
		// A cookie that we did not write opens nothing.
		if _, ok, err := d.Begun(d.ctx, d.rows.Letters.ID, "x."+token[:20]); ok || err != nil {
			t.Errorf("%v %v", ok, err)
		}
		d.clk.Add(DraftFor)
		if n, err := d.ExpireLetters(d.ctx); err != nil || n != 1 || d.count("letters", "1 = 1") != 0 {
			t.Errorf("%d expired, %v", n, err)
		}
	})
}

// What nobody confirms goes after a week, with its texts. What is disowned goes at once.
func TestUnconfirmed(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		a, b := d.send(d.written("june@example.org")), d.send(d.written("cal@example.org"))
		d.must(d.door.Disown(d.ctx, d.Signer.Make(tokens.Confirm, b.MailboxID, b.ExpiresAt), nil))
		if d.count("letters", "1 = 1") != 1 || d.count("dispatches", "letter_id = ?", b.ID) != 0 {
			t.Error("disowned, and still there")
		}
		d.clk.Add(confirmations.PendingFor)
		if _, err := d.press(a); err == nil {
			t.Error("confirmed after a week")
		}
		if n, err := d.ExpireLetters(d.ctx); err != nil || n != 1 || d.count("dispatches", "1 = 1") != 0 {
			t.Errorf("%d expired, %v", n, err)
		}
	})
}

// When a campaign takes letters and confirmations: the cap counts what waits, a pause takes no new letter, and what was sent in time counts
// for a day after the end.
func TestWhenLettersAreTaken(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		refused := func(want string) {
			t.Helper()
			if _, err := d.Send(d.ctx, d.campaign(), d.input(d.written("ana@example.org"))); wrong(err) != want {
				t.Errorf("%v, want %s", err, want)
			}
		}
		a, b := d.send(d.written("june@example.org")), d.send(d.written("cal@example.org"))
		d.change(map[string]any{"max_letters": 2})
		refused("error.letters_full")
		d.change(map[string]any{"max_letters": 0, "state": models.LettersPaused})
		refused("error.letters_paused")
		if _, err := d.press(a); err != nil {
			t.Errorf("in a pause: %v", err)
		}
		ends := writtenOn.Add(time.Hour)
		d.change(map[string]any{"state": models.LettersPublished, "closes_at": ends})
		d.clk.Add(2 * time.Hour)
		refused("error.letters_closed")
		d.clk.Add(afterClosing)
		if _, err := d.press(b); wrong(err) != "error.confirm_closed" {
			t.Errorf("a day after the end: %v", err)
		}
	})
}

// To somebody who left office between the writing and the press, nothing goes.
func TestARecipientWhoLeft(t *testing.T) {
	eachDesk(t, func(t *testing.T, d *desk) {
		l := d.send(d.written("june@example.org"))
		d.must(d.DB.Model(&models.Term{}).Where("id = ?", d.state.Terms["Ito"].ID).Update("ended_at", writtenOn).Error)
		if _, err := d.press(l); err != nil {
			t.Fatal(err)
		}
		for _, x := range d.dispatches(l.ID) {
			want := models.DispatchWaiting
			if x.LegislatorID == d.state.People["Ito"].ID {
				want = models.DispatchRetarget
			}
			if x.State != want {
				t.Errorf("%s, want %s", x.State, want)
			}
		}
	})
}
