package public_test

import (
	"encoding/binary"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/letters"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/rows"
	"kithline/tests/testapp"
)

const letterGo = `form button[value=go]`

// lettered puts a letter campaign and a state of representatives into the program.
func lettered(t *testing.T, a *testapp.App) (*rows.Represented, *rows.Letters) {
	t.Helper()
	state := rows.NewRepresented(a.Clock.Now())
	l := rows.NewLetters(state, "twenty-visits", a.Clock.Now())
	for _, row := range append(slices.Clone(state.Rows), l.Rows...) {
		if err := a.DB.Create(row).Error; err != nil {
			t.Fatal(err)
		}
	}
	return state, l
}

func counted(t *testing.T, a *testapp.App, table, where string, args ...any) (n int64) {
	t.Helper()
	if err := a.DB.Table(table).Where(where, args...).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

// The page of a petition leads to the letters of its campaign for as long as they can be written, and to no others; theirs leads back.
func TestAPetitionLeadsToItsLetters(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := published(t, a, "A family doctor's price")
		_, l := lettered(t, a)
		links := func() string {
			t.Helper()
			return a.Client(t).Get("/petitions/"+p.Slug).Want(200).Doc.Find("main a[href^='/letters/']").AttrOr("href", "")
		}
		changed := func(set map[string]any) {
			t.Helper()
			err := a.DB.Tx(t.Context(), func(tx *gorm.DB) error {
				database.Announce(tx, letters.Topic)
				return tx.Model(&models.LetterCampaign{}).Where("id = ?", l.Letters.ID).Updates(set).Error
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := links(); got != "" {
			t.Errorf("of another campaign: %s", got)
		}
		changed(map[string]any{"campaign_id": p.CampaignID})
		if got := links(); got != "/letters/"+l.Letters.Slug {
			t.Errorf("%q", got)
		}
		if got := a.Client(t).Get("/letters/" + l.Letters.Slug).Want(200).Doc.Find("main a[href='/petitions/" + p.Slug + "']").Length(); got != 1 {
			t.Errorf("%d links back", got)
		}
		changed(map[string]any{"state": models.LettersPaused})
		if got := links(); got != "" {
			t.Errorf("while they are paused: %s", got)
		}
	})
}

// A constituent in a split postal code, without JavaScript: one question a page, nothing kept before an address is given, errors where they
// belong with what was typed, the whole letter shown before it is sent, mailed, confirmed by one press, and then on its way.
func TestALetterFromASplitCode(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		state, _ := lettered(t, a)
		owners := counted(t, a, "mailboxes", "1 = 1")
		c := a.Client(t)
		page := c.Get("/letters/twenty-visits?source=poster").Want(200).Follow("a.button.main").Want(200)
		page.Submit(letterGo, map[string]string{"postal_code": "!"}).Want(422)
		page = page.Submit(letterGo, map[string]string{"postal_code": "00152"}).Want(200)
		if got := page.Text("main"); !strings.Contains(got, "House District 12") || !strings.Contains(got, "Representative Bo Lind") || !strings.Contains(got, "I do not know") {
			t.Fatal(got)
		}
		if wrong := page.Submit(letterGo, nil).Want(422); !strings.Contains(wrong.Text("#summary"), "choose your district") {
			t.Error(wrong.Text("main"))
		}
		page = page.Submit(letterGo, map[string]string{"division": state.Divisions["sldl:13"].ID.String()}).Want(200)
		if got := page.Text("main"); !strings.Contains(got, "Senator Ada Okafor") || !strings.Contains(got, "form on its own site") || !strings.Contains(got, "Bo Lind") || strings.Contains(got, "Noël") {
			t.Fatal(got)
		}
		page = page.Submit(letterGo, nil).Want(200)
		second := page.Doc.Find("input[name=point]").Eq(1).AttrOr("value", "")
		first := page.Doc.Find("input[name=point]").Eq(0).AttrOr("value", "")
		page = page.Submit(letterGo, map[string]string{"point": second}).Want(200)
		if got := page.Doc.Find("input[type=hidden][name=point]").Length(); got != 1 || first == second {
			t.Errorf("%d points are carried", got)
		}
		short := page.Submit(letterGo, map[string]string{"own_words": "Too short"}).Want(422)
		if got := short.Doc.Find("textarea[name=own_words]").Text(); strings.TrimSpace(got) != "Too short" {
			t.Errorf("what was typed: %q", got)
		}
		long := page.Submit(letterGo, map[string]string{"own_words": strings.Repeat("very ", 20_000) + "long"}).Want(422)
		if got := long.Doc.Find("textarea[name=own_words]").Text(); len(got) < 100_000 || !strings.Contains(long.Text("#summary"), "too many") {
			t.Errorf("of a long letter %d bytes are left; %s", len(got), long.Text("#summary"))
		}
		page = page.Submit(letterGo, map[string]string{"own_words": "My plan stopped after six visits."}).Want(200)
		if n := counted(t, a, "letters", "1 = 1") + counted(t, a, "mailboxes", "1 = 1") - owners; n != 0 {
			t.Fatalf("%d rows before an address was given", n)
		}
		you := map[string]string{"given_name": "June", "family_name": "Hollis", "street": "4 Mill Lane", "city": "Three Forks", "email": "https://example.org/june"}
		if wrong := page.Submit(letterGo, you).Want(422); wrong.Doc.Find("#email[aria-invalid=true]").Length() != 1 {
			t.Error(wrong.Text("main"))
		}
		you["email"] = "june@example.org"
		page = page.Submit(letterGo, you).Want(200)
		if page.Path != "/letters/twenty-visits/write?step=check" || counted(t, a, "letters", "state = 'draft' AND source = 'poster'") != 1 {
			t.Fatalf("%s: no draft", page.Path)
		}
		full := page.Text("main")
		for _, want := range []string{"Dear Senator Okafor,", "Dear Representative Lind,", "My plan stopped after six visits.", "Three Forks, WN 00152", "your e-mail address", "The public sees nothing"} {
			if !strings.Contains(full, want) {
				t.Errorf("the last page does not say %q", want)
			}
		}
		// Back to the words, and on: nothing is asked again.
		page.Submit(`form button[value=words]`, nil).Want(200).Submit(letterGo, map[string]string{"own_words": "My plan stopped after seven visits."}).Want(200)
		page = c.Get("/letters/twenty-visits/write?step=check").Want(200)
		page = page.Submit(`form button[value=send]`, map[string]string{"copy": "yes", "updates": "yes"}).Want(200)
		if page.Path != "/letters/twenty-visits/sent" {
			t.Fatal(page.Path)
		}
		mail := a.WaitMail(t, "june@example.org", 1)[0]
		if !strings.Contains(mail.Text, "Dear Representative Lind,") || !strings.Contains(mail.Text, "after seven visits") || strings.Contains(mail.Subject, "HB") {
			t.Fatalf("%s\n%s", mail.Subject, mail.Text)
		}
		confirm := a.Client(t).Get(testapp.Link(t, mail, "/confirm/")).Want(200)
		if got := confirm.Text("main"); !strings.Contains(got, "Dear Senator Okafor,") || !strings.Contains(got, "after seven visits") || counted(t, a, "dispatches", "state <> 'draft'") != 0 {
			t.Fatal(got)
		}
		thanks := confirm.Submit("form button.main", nil).Want(200)
		if thanks.Path != "/letters/twenty-visits/thanks" || counted(t, a, "dispatches", "state IN ('waiting', 'handed', 'by_hand')") != 2 {
			t.Errorf("%s: %s", thanks.Path, thanks.Text("main"))
		}
		if all := a.WaitMail(t, "june@example.org", 3); !slices.ContainsFunc(all, func(m mailer.Message) bool { return strings.Contains(m.Text, "asked for a copy") }) { // the third is about the web form
			t.Error("no copy")
		}
		for _, word := range []string{"june@example.org", "Hollis", "Mill Lane", "seven visits"} {
			if strings.Contains(a.Logged(), word) {
				t.Errorf("the log says %q", word)
			}
		}
	})
}

// Finish later: an address alone keeps what there is; the mailed link goes on in another browser with one press, the code in a third.
func TestALetterFinishedLater(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		lettered(t, a)
		page := a.Client(t).Get("/letters/twenty-visits/write").Submit(letterGo, map[string]string{"postal_code": "00151"}).Submit(letterGo, nil).Submit(letterGo, nil).Want(200)
		page = page.Submit(`form button[value=later]`, map[string]string{"own_words": "Half of a sent"}).Want(200)
		page.Submit("form button.main", map[string]string{"email": "x"}).Want(422)
		page.Submit("form button.main", map[string]string{"email": "june@example.org"}).Want(200)
		mail := a.WaitMail(t, "june@example.org", 1)[0]
		if strings.Contains(mail.Text, "Half of a sent") {
			t.Error("the mail says what was typed")
		}
		link := testapp.Link(t, mail, "/letters/draft/")
		other := a.Client(t)
		opened := other.Get(link).Want(200)
		if other.Get("/letters/twenty-visits").Has(".notice") {
			t.Error("opening the page took the draft up")
		}
		opened.Submit("form button", nil).Want(200)
		if words := other.Get("/letters/twenty-visits/write?step=words"); !strings.Contains(words.Doc.Find("textarea").Text(), "Half of a sent") {
			t.Errorf("%s: %s", words.Path, words.Text("main"))
		}
		if other.Post("/letters/twenty-visits/draft", url.Values{"step": {"words"}, "own_words": {"Half of a sentence"}}).Want(200); counted(t, a, "letters", "1 = 1") != 1 {
			t.Error("typing on makes another draft")
		}
		third := a.Client(t)
		_, after, _ := strings.Cut(strings.Join(strings.Fields(mail.Text), " "), "this code: ")
		code := strings.Join(strings.Fields(after)[:2], "")
		third.Get("/letters/resume").Submit("form button.main", map[string]string{"email": "june@example.org", "code": code}).Want(200)
		if words := third.Get("/letters/twenty-visits/write?step=words"); !strings.Contains(words.Doc.Find("textarea").Text(), "Half of a sentence") {
			t.Errorf("by code: %s", words.Text("main"))
		}
		// Whoever has no draft gets the same answer.
		if again := third.Get("/letters/resume").Submit(`form button[value=mail]`, map[string]string{"email": "nobody@example.org"}).Want(200); !strings.Contains(again.Text("main"), "If a letter was begun") {
			t.Error(again.Text("main"))
		}
		// A stranger's browser has nothing of it.
		if stranger := a.Client(t).Get("/letters/twenty-visits/write?step=words").Want(200); stranger.Has("textarea") {
			t.Error("a draft without its cookie")
		}
	})
}

// Where nobody can be found it is said plainly: an empty seat, a code that is nowhere, a district that the writer does not know. A campaign
// that is paused says so, and what was typed stays.
func TestALetterToNobody(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		_, l := lettered(t, a)
		c := a.Client(t)
		start := c.Get("/letters/twenty-visits/write").Want(200)
		vacant := start.Submit(letterGo, map[string]string{"postal_code": "00153"}).Want(200)
		if got := vacant.Text("main"); !strings.Contains(got, "Nobody holds a seat for House District 14") || !strings.Contains(got, "Okafor") {
			t.Error(got)
		}
		unknown := start.Submit(letterGo, map[string]string{"postal_code": "99999"}).Want(200)
		if got := unknown.Text("main"); !strings.Contains(got, "Your letter can go here instead") || !strings.Contains(got, "Ines Marsh") {
			t.Error(got)
		}
		split := start.Submit(letterGo, map[string]string{"postal_code": "00152"}).Want(200)
		wide := split.Submit(letterGo, map[string]string{"division": uuid.Nil.String()}).Want(200)
		if got := wide.Text("main"); !strings.Contains(got, "We do not know your district") || !strings.Contains(got, "Okafor") || strings.Contains(got, "Lind") {
			t.Error(got)
		}
		words := wide.Submit(letterGo, nil).Submit(letterGo, nil).Want(200)
		if err := a.DB.Model(&models.LetterCampaign{}).Where("id = ?", l.Letters.ID).Update("state", models.LettersPaused).Error; err != nil {
			t.Fatal(err)
		}
		paused := words.Submit(letterGo, map[string]string{"own_words": "Everything that I wrote."}).Want(409)
		if !strings.Contains(paused.Text("#summary"), "paused") || !strings.Contains(paused.Doc.Find("textarea").Text(), "Everything that I wrote.") {
			t.Error(paused.Text("main"))
		}
		if closed := c.Get("/letters/twenty-visits").Want(200); closed.Has("a.button.main") || !strings.Contains(closed.Text(".notice"), "paused") {
			t.Error(closed.Text("main"))
		}
		c.Get("/letters/no-such-campaign").Want(404)
	})
}

// The answer to a letter is the same for a mailbox that wrote before and one that did not; a trap gets it too.
func TestALetterTellsNothing(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		lettered(t, a)
		send := func(email, trap string) *testapp.Page {
			page := a.Client(t).Get("/letters/twenty-visits/write").Submit(letterGo, map[string]string{"postal_code": "00151"}).Submit(letterGo, nil).Submit(letterGo, nil)
			page = page.Submit(letterGo, map[string]string{"own_words": "Please read my words."}).Want(200)
			page = page.Submit(letterGo, map[string]string{
				"given_name": "June", "family_name": "Hollis", "street": "4 Mill Lane", "city": "Three Forks", "email": email, "leave_empty": trap,
			}).Want(200)
			if trap != "" {
				return page
			}
			return page.Submit(`form button[value=send]`, nil).Want(200)
		}
		first := send("june@example.org", "")
		mail := a.WaitMail(t, "june@example.org", 1)[0]
		a.Client(t).Get(testapp.Link(t, mail, "/confirm/")).Submit("form button.main", nil).Want(200)
		again, trapped := send("june@example.org", ""), send("bot@example.org", "x")
		if first.Text("main") != again.Text("main") || first.Path != again.Path || trapped.Path != first.Path || trapped.Text("main") != first.Text("main") {
			t.Errorf("%s %s %s", first.Path, again.Path, trapped.Path)
		}
		if all := a.WaitMail(t, "june@example.org", 3); !slices.ContainsFunc(all, func(m mailer.Message) bool { return m.Subject == "We have your letter already" }) { // the third is about the web form
			t.Error("no mail says that the letter is there already")
		}
		if n := counted(t, a, "letters", "1 = 1"); n != 2 {
			t.Errorf("%d letters: what filled in the trap is kept", n)
		}
	})
}

// In a browser where forms are filled in, a letter knows the postal code, the name and the address; no box is ticked by it.
func TestALetterFilledIn(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		lettered(t, a)
		people(t, a)
		c := a.Client(t)
		opened(t, a, c, "june@example.org").Submit("form[action$='/use'] button", nil).Want(200)
		page := c.Get("/letters/twenty-visits/write").Want(200)
		if got := page.Doc.Find("#postal_code").AttrOr("value", ""); got != "00209" || !page.Has("form[action='/me/forget']") {
			t.Errorf("postal code %q", got)
		}
		page = page.Submit(letterGo, map[string]string{"postal_code": "00151"}).Submit(letterGo, nil).Submit(letterGo, nil).Submit(letterGo, map[string]string{"own_words": "Please read my words."}).Want(200)
		for field, want := range map[string]string{"given_name": "June", "family_name": "Okafor", "email": "june@example.org"} {
			if got := page.Doc.Find("#"+field).AttrOr("value", ""); got != want {
				t.Errorf("%s is %q", field, got)
			}
		}
		check := page.Submit(letterGo, map[string]string{"street": "4 Mill Lane", "city": "Three Forks"}).Want(200)
		if check.Has("input[type=checkbox][checked]") {
			t.Error("a box is ticked")
		}
	})
}

// In a split postal code the place that a browser tells says which district it is; outside of all of them the question stays.
func TestALetterFromAPoint(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		state, _ := lettered(t, a)
		shape := []byte{1, 3, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0} // a polygon of one ring
		for _, xy := range [][2]float64{{15, 5}, {16, 5}, {16, 6}, {15, 6}, {15, 5}} {
			shape = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(shape, math.Float64bits(xy[0])), math.Float64bits(xy[1]))
		}
		if err := a.DB.Create(&models.Boundary{
			ID: models.NewID(), DivisionID: state.Divisions["sldl:13"].ID, Shape: shape, West: 15, South: 5, East: 16, North: 6, Version: "1", UpdatedAt: a.Clock.Now(),
		}).Error; err != nil {
			t.Fatal(err)
		}
		split := a.Client(t).Get("/letters/twenty-visits/write").Submit(letterGo, map[string]string{"postal_code": "00152"}).Want(200)
		found := split.Submit("form[data-here] button:last-of-type", map[string]string{"lat": "5.5", "lon": "15.5"}).Want(200)
		if got := found.Text("main"); !strings.Contains(got, "Bo Lind") || strings.Contains(got, "Noël") {
			t.Error(got)
		}
		for _, nowhere := range [][2]string{{"50.5", "15.5"}, {"NaN", "Inf"}, {"here", "there"}} {
			if page := split.Submit("form[data-here]", map[string]string{"lat": nowhere[0], "lon": nowhere[1]}).Want(422); !page.Has("#summary a[href='#division']") {
				t.Errorf("%v: %s", nowhere, page.Text("main"))
			}
		}
	})
}

// A postal code that lies in two states asks for the state first, and then for the district.
func TestALetterFromTwoStates(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		state, _ := lettered(t, a)
		other := models.Division{
			ID: models.NewID(), OCDID: "ocd-division/country:us/state:wx/sldl:1", Name: "House District 1", Country: "US", Region: "WX", Kind: models.DivisionLower, Version: "1", CreatedAt: a.Clock.Now(), UpdatedAt: a.Clock.Now(),
		}
		for _, row := range []any{&other, &models.PostalDivision{Country: "US", PostalArea: "00152", DivisionID: other.ID, Kind: other.Kind, Version: "1"}} {
			if err := a.DB.Create(row).Error; err != nil {
				t.Fatal(err)
			}
		}
		page := a.Client(t).Get("/letters/twenty-visits/write").Submit(letterGo, map[string]string{"postal_code": "00152"}).Want(200)
		if !page.Has(`input[name=state][value="US WN"]`) || page.Has("input[type=radio][name=division]") {
			t.Fatal(page.Text("main"))
		}
		if wrong := page.Submit(letterGo, nil).Want(422); !wrong.Has("#summary a[href='#state']") {
			t.Error(wrong.Text("main"))
		}
		page = page.Submit(letterGo, map[string]string{"state": "US WN"}).Want(200)
		if got := page.Text("main"); !strings.Contains(got, "House District 12") || strings.Contains(got, "House District 1 ") {
			t.Fatal(got)
		}
		page = page.Submit(letterGo, map[string]string{"division": state.Divisions["sldl:12"].ID.String()}).Want(200)
		if got := page.Text("main"); !strings.Contains(got, "Okafor") || !strings.Contains(got, "Noël Ito") {
			t.Error(got)
		}
	})
}
