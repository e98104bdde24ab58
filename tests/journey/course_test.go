package journey

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/petitions"
	"kithline/mailer"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// mailAbout waits for a mail to an address with such a subject.
func mailAbout(t *testing.T, a *testapp.App, to, subject string) mailer.Message {
	t.Helper()
	for n := 1; ; n++ {
		for _, m := range a.WaitMail(t, to, n) {
			if strings.Contains(m.Subject, subject) {
				return m
			}
		}
	}
}

// districts makes five districts and postal areas: one in the first, second, fourth and fifth each, and 00211 in the second and third.
func districts(t *testing.T, a *testapp.App) []models.Division {
	t.Helper()
	now := a.Clock.Now()
	var out []models.Division
	for _, n := range []string{"1", "2", "3", "4", "5"} {
		d := models.Division{
			ID: models.NewID(), OCDID: "ocd-division/country:us/state:wn/sldl:" + n, Name: "House District " + n, Country: "US", Region: "WN", Kind: models.DivisionLower,
			Version: "test", CreatedAt: now, UpdatedAt: now,
		}
		out = append(out, d)
	}
	var areas []models.PostalDivision
	for i, area := range []string{"00209", "00210", "00211", "00212", "00213", "00211"} {
		areas = append(areas, models.PostalDivision{Country: "US", PostalArea: area, DivisionID: out[i%5+i/5].ID, Kind: models.DivisionLower, Version: "test"})
	}
	for _, rows := range []any{&out, &areas} {
		if err := a.DB.Create(rows).Error; err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Goals, paper and figures from elsewhere, as an organizer sets them by forms: each number is where it belongs, and a wrong one is told
// where it was typed.
func TestCourseOfAPetition(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx := context.Background()
		p, places, boss := factory.Petition(t, a, "Twenty visits"), districts(t, a), a.Owner(t)
		at, public := "/admin/petitions/"+p.ID.String(), "/petitions/"+p.Slug
		boss.Get(at+"/settings").Want(200).Submit("form[action$='/settings']", map[string]string{"district_kind": "sldl"}).Want(200)

		add := func(fields map[string]string) *testapp.Page {
			t.Helper()
			return boss.Get(at+"/settings").Want(200).Submit("button[value='add']", fields)
		}
		for typed, next := range map[string]string{"many": "lots", "-3": "6000", "0": "6000", "99999999999999999999": "6000", "20000000": "6000"} {
			page := add(map[string]string{"count": typed, "effect": "goal", "next_goal": next}).Want(422)
			if !page.Has("#count-error") || page.Doc.Find("#count").AttrOr("value", "") != typed || page.Doc.Find("#next_goal").AttrOr("value", "") != next || !page.Has("input[value='goal'][checked]") {
				t.Errorf("a threshold at %q: %s", typed, page.Text("main"))
			}
		}
		add(map[string]string{"count": "3", "effect": "tell"}).Want(200)
		add(map[string]string{"count": "4", "effect": "goal", "next_goal": "6,000"}).Want(200)
		add(map[string]string{"count": "12", "effect": "tell"}).Want(200)

		people := factory.People(2)
		factory.Signed(t, a, p, people...)
		paper := func(fields map[string]string) *testapp.Page {
			t.Helper()
			all := map[string]string{"collected": "2027-01-30", "note": "Fair in Harrow", "division": places[0].ID.String()}
			for k, v := range fields {
				all[k] = v
			}
			return boss.Get(at+"/paper").Want(200).Submit("button[value='add']", all)
		}
		for _, typed := range []string{"ten", "-3", "0", "", "1000001", "99999999999999999999"} {
			page := paper(map[string]string{"count": typed}).Want(422)
			if !page.Has("#count-error") || page.Doc.Find("#count").AttrOr("value", "") != typed || page.Doc.Find("#note").AttrOr("value", "") != "Fair in Harrow" || page.Doc.Find("#collected").AttrOr("value", "") != "2027-01-30" ||
				page.Doc.Find("#division option[selected]").AttrOr("value", "") != places[0].ID.String() {
				t.Errorf("%q on paper: %s", typed, page.Text("main"))
			}
		}
		for field, bad := range map[string]string{"division": uuid.NewString(), "collected": "2027-02-30", "note": strings.Repeat("x", 201)} {
			if page := paper(map[string]string{"count": "5", field: bad}).Want(422); !page.Has("#"+field+"-error") || page.Doc.Find("#count").AttrOr("value", "") != "5" {
				t.Errorf("%s: %s", field, page.Text("main"))
			}
		}
		if n := count(t, a, public); n != 2 {
			t.Fatalf("%d after wrong forms", n)
		}
		paper(map[string]string{"count": "11"}).Want(200)

		// What people see: one number, what of it is on paper, the goal it moved, and what was reached.
		numbers := func(when string, total, onPaper, first, rest int, page ...string) {
			t.Helper()
			if n := count(t, a, public); n != total {
				t.Errorf("%s: the figures say %d, not %d", when, n, total)
			}
			var f struct {
				SignatureCount int `json:"signature_count"`
				NotShown       int `json:"not_shown"`
				Districts      []struct {
					Name           string `json:"name"`
					SignatureCount int    `json:"signature_count"`
				} `json:"districts"`
			}
			if err := json.Unmarshal(a.Client(t).Get(public+"/districts.json").Want(200).Body, &f); err != nil {
				t.Fatal(err)
			}
			shown := 0
			for _, d := range f.Districts {
				shown += d.SignatureCount
			}
			if f.SignatureCount != total || shown != first || f.NotShown != rest || shown+f.NotShown != total {
				t.Errorf("%s: by district: %+v", when, f)
			}
			seen := a.Client(t).Get(public).Want(200)
			for _, want := range page {
				if not, ok := strings.CutPrefix(want, "not "); strings.Contains(seen.Text("main"), not) == ok {
					t.Errorf("%s: %q on the page: %s", when, want, seen.Text("main"))
				}
			}
			if report := boss.Get(at).Want(200); onPaper > 0 && report.Text("[data-live-n='paper']") != strconv.Itoa(onPaper) {
				t.Errorf("%s: paper on the report: %s", when, report.Text("dl.figures"))
			}
			if wrong, err := a.Petitions.Recount(ctx); err != nil || wrong != 0 {
				t.Errorf("%s: a recount finds %d wrong, %v", when, wrong, err)
			}
		}
		numbers("with paper", 13, 11, 13, 0, "13 people have signed", "11 of these are on paper", "6,000", "3 signatures", "12 signatures")
		text := strings.Join(strings.Fields(mailAbout(t, a, testapp.OwnerEmail, "has 12 signatures").Text), " ") // and none about 3
		if !strings.HasPrefix(text, "Hello, “Twenty visits” has reached 12 signatures. It has 13 by now. On paper: 11 of them. The goal is 6,000. "+a.URL+public+" Each one") {
			t.Error(text)
		}
		if text := boss.Get(at).Want(200).Text("main"); !strings.Contains(text, "3 reached on") || !strings.Contains(text, "12 reached on") {
			t.Errorf("the organizer's page: %s", text)
		}

		// Corrected: taken out, counted anew as less, and the first brought back and out again.
		boss.Get(at+"/paper").Submit("button[value='remove']", nil).Want(200)
		numbers("taken out", 2, 0, 0, 2, "not on paper", "not 3 signatures", "5,000")
		paper(map[string]string{"count": "9", "division": ""}).Want(200)
		numbers("nine of no district", 11, 9, 0, 11, "9 of these are on paper", "3 signatures", "not 12 signatures", "6,000")
		boss.Get(at+"/paper").Submit("button[value='restore']", nil).Want(200)
		numbers("and the first again", 22, 20, 13, 9, "20 of these are on paper")

		// What was counted elsewhere stands apart and moves nothing.
		err := a.DB.Tx(ctx, func(tx *gorm.DB) error {
			return a.Petitions.CountElsewhere(ctx, tx, factory.Owner(t, a), p.ID, 70_000, "a list of 2026")
		})
		if err != nil {
			t.Fatal(err)
		}
		add(map[string]string{"count": "100", "effect": "close"}).Want(200)
		numbers("counted elsewhere", 22, 20, 13, 9, "70,000 more were counted elsewhere: a list of 2026", "22 people have signed")
		if text := boss.Get(at + "/paper").Text("main"); !strings.Contains(text, "70,000") {
			t.Errorf("the page of paper: %s", text)
		}

		// It closes at a hundred. When the number falls again it stays closed, and whoever looks is asked.
		paper(map[string]string{"count": "100", "division": ""}).Want(200)
		numbers("closed", 122, 120, 13, 109, "This petition is closed", "100 signatures")
		if a.Client(t).Get(public).Has("form[action$='/sign']") {
			t.Error("it can still be signed")
		}
		boss.Get(at+"/paper").Submit("button[value='remove']", nil).Want(200)
		numbers("fallen", 22, 20, 13, 9, "This petition is closed", "not 100 signatures")
		if text := boss.Get(at).Want(200).Text("main .notice.warn"); !strings.Contains(text, "100") {
			t.Errorf("what an organizer is told: %s", text)
		}
		boss.Get("/admin/petitions/reopen").Want(200).Submit("form[action='"+at+"/reopen'] button[value='reopen']", nil).Want(200)
		numbers("open again", 22, 20, 13, 9, "not This petition is closed")

		// Its end can be hidden and shown like everything else, and it is what it was.
		owner := factory.Owner(t, a)
		turn := func(state models.PetitionState) {
			t.Helper()
			boss.Get(at+"/steer?do=hide").Want(200).Submit("button[value='hide']", map[string]string{"reason": "private"}).Want(200)
			a.Clock.Add(10 * time.Second)
			for _, path := range []string{"", ".json", "/districts.json", "/badge.svg", "/embed", "/feed.atom"} {
				a.Client(t).Get(public + path).Want(404)
			}
			boss.Get(at+"/steer?do=show").Want(200).Submit("button[value='show']", nil).Want(200)
			a.Clock.Add(10 * time.Second)
			var row models.Petition
			if err := a.DB.Take(&row, "id = ?", p.ID).Error; err != nil || row.State != state {
				t.Errorf("%s after it was hidden: %s, %v", state, row.State, err)
			}
			a.Client(t).Get(public).Want(200)
		}
		if _, _, err := a.Petitions.RecordHandover(ctx, owner, p.ID, petitions.HandoverInput{At: a.Clock.Now(), Recipient: "The Chair", HandedBy: "June"}); err != nil {
			t.Fatal(err)
		}
		turn(models.PetitionHandedOver)
		if _, err := a.Petitions.RecordOutcome(ctx, owner, p.ID, petitions.OutcomeInput{Outcome: models.OutcomeWon, Text: "Twenty visits."}); err != nil {
			t.Fatal(err)
		}
		turn(models.PetitionAnswered)
	})
}

// The page of one's own signature, by its link alone and without JavaScript: changed, with what was typed kept where something is
// wrong; taken back and brought back; not for another link, not from another site; and what it says when it was taken out.
func TestOneOwnSignature(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx := context.Background()
		p, boss := factory.Petition(t, a, "Twenty visits"), factory.Owner(t, a)
		public := "/petitions/" + p.Slug
		link := func(email string) string {
			t.Helper()
			sign(t, a.Client(t), public, map[string]string{"email": email, "comment": "First words."}).Want(200)
			a.Client(t).Get(testapp.Link(t, a.WaitMail(t, email, 1)[0], "/confirm/")).Submit("main form button.main", nil).Want(200)
			return strings.TrimPrefix(testapp.Link(t, a.WaitMail(t, email, 2)[1], "/mine/"), a.URL)
		}
		mine, others := link("june@example.org"), link("cal@example.org")
		var sigs []models.Signature
		if err := a.DB.Order("number").Find(&sigs).Error; err != nil || len(sigs) != 2 {
			t.Fatal(len(sigs), err)
		}
		june := a.Client(t)
		read := func() models.Signature {
			t.Helper()
			var sig models.Signature
			if err := a.DB.Take(&sig, "id = ?", sigs[0].ID).Error; err != nil {
				t.Fatal(err)
			}
			return sig
		}

		// A scanner opens everything; GET and HEAD change nothing, on any of the addresses.
		for _, path := range []string{"", "/unsay", "/withdraw", "/restore"} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				req, err := http.NewRequest(method, a.URL+mine+path, nil)
				if err != nil {
					t.Fatal(err)
				}
				a.Client(t).Do(req)
			}
		}
		// Nor does a form of another site, or one that a link of somebody else leads to.
		for _, site := range []string{"cross-site", "same-site"} {
			req, err := http.NewRequest(http.MethodPost, a.URL+mine+"/withdraw", strings.NewReader(""))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", site)
			req.Header.Set("Origin", "https://elsewhere.example")
			june.Do(req).Want(403)
		}
		half := len(mine) - 6
		for _, wrong := range []string{mine[:half] + "AAAAAA", mine[:half], "/petitions/other" + strings.TrimPrefix(mine, public), public + "/mine/" + uuid.NewString()} {
			if page := june.Post(wrong+"/withdraw", url.Values{}); page.Status != 404 && page.Status != 410 {
				t.Errorf("%s: %d", wrong, page.Status)
			}
		}
		if sig := read(); sig.State != models.SignatureConfirmed || sig.CommentSealed == nil {
			t.Fatalf("%+v", sig)
		}

		// Wrong: what was typed stays. Right: it is so.
		page := june.Get(mine).Want(200)
		wrong := page.Submit("form[action$='"+mine+"']", map[string]string{"display": "name", "role": "family", "comment": "Other words.\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301 <b>", "updates": "yes"}).Want(422)
		if !wrong.Has("#comment-error") || !strings.Contains(wrong.Text("#comment"), "Other words.") || !strings.Contains(wrong.Text("#comment"), "<b>") || !wrong.Has("input[value='name'][checked]") || !wrong.Has("input[value='family'][checked]") || !wrong.Has("#updates[checked]") {
			t.Errorf("what was typed is gone: %s", wrong.Text("main"))
		}
		if sig := read(); sig.Display != models.DisplayInitials {
			t.Errorf("a wrong form changed it: %+v", sig)
		}
		wrong.Submit("form[action$='"+mine+"']", map[string]string{"comment": "Other words."}).Want(200)
		if sig := read(); sig.DisplayName != "June Okafor" || sig.CommentState != models.CommentWaiting || !sig.WantsUpdates {
			t.Errorf("changed: %+v", sig)
		}
		a.Clock.Add(10 * time.Second)
		if text := a.Client(t).Get(public).Want(200).Text("main"); !strings.Contains(text, "June Okafor") || strings.Contains(text, "Other words") {
			t.Errorf("the page: %s", text)
		}
		june.Get(mine).Submit("form[action$='/unsay'] button", nil).Want(200)
		if sig := read(); sig.CommentSealed != nil {
			t.Error("the comment is still there")
		}
		back := june.Get(mine).Submit("form[action$='/withdraw'] button", nil).Want(200)
		if n := count(t, a, public); n != 1 || !strings.Contains(back.Text("main"), "It does not count") || back.Has("form[action$='/withdraw']") {
			t.Errorf("%d after taking it back: %s", n, back.Text("main"))
		}
		if text := a.Client(t).Get(public).Want(200).Text("main"); strings.Contains(text, "June Okafor") {
			t.Error("the name is still on the page")
		}
		june.Get(mine).Submit("form[action$='/restore'] button", nil).Want(200)
		if n := count(t, a, public); n != 2 {
			t.Errorf("%d after it came back", n)
		}

		// An organizer took it out: the page says so, and how to object; its buttons are gone, and do nothing.
		id, err := a.Petitions.Invalidate(ctx, boss, p.ID, petitions.Condition{Domain: "example.org"}, "A wave")
		if err != nil {
			t.Fatal(err)
		}
		state := func(want models.SignatureState) {
			t.Helper()
			for end := time.Now().Add(testapp.Patience); ; {
				sig := read()
				if sig.State == want {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("it is %s, not %s", sig.State, want)
				}
				a.Client(t).Get("/healthz").Want(200)
			}
		}
		state(models.SignatureInvalidated)
		out := june.Get(mine).Want(200)
		if text := out.Text("main"); out.Has("main form") || !strings.Contains(text, "An organizer took it out of the count") || !strings.Contains(text, "hello@act.example.org") || !strings.Contains(text, "We can put it back") {
			t.Errorf("what it says when it is out: %s", text)
		}
		for _, do := range []string{"", "/unsay", "/withdraw", "/restore"} {
			june.Post(mine+do, url.Values{"display": {"anonymous"}}).Want(404)
		}
		june.Lang = "es"
		if text := june.Get(mine).Want(200).Text("main"); !strings.Contains(text, "La organización la excluyó del recuento") {
			t.Error(text)
		}
		if err := a.Petitions.Revert(ctx, boss, p.ID, id); err != nil {
			t.Fatal(err)
		}
		state(models.SignatureConfirmed)
		if sig := read(); sig.Number != 1 || !june.Get(mine).Want(200).Has("form[action$='/withdraw']") {
			t.Errorf("put back: %+v", sig)
		}
		if others == mine {
			t.Error("two people, one link")
		}
	})
}

// A change of a public petition leaves its other languages as they were, and both pages say so.
func TestVersionsOlderThanTheOriginal(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p, boss := factory.Petition(t, a, "Twenty visits"), a.Owner(t)
		now := a.Clock.Now()
		text := models.PetitionText{ID: models.NewID(), PetitionID: p.ID, Locale: "es", Title: "Veinte visitas", Summary: "Pedimos veinte.", Body: "Casi todo para.", Decider: "La comisión", WhyNow: "La audiencia.", SystemChange: "Veinte al año.", CreatedAt: now, UpdatedAt: now}
		if err := a.DB.Create(&text).Error; err != nil {
			t.Fatal(err)
		}
		reader := a.Client(t)
		reader.Lang = "es"
		public := "/petitions/" + p.Slug
		if page := reader.Get(public).Want(200); page.Has("main .notice.warn") || page.Text("h1") != "Veinte visitas" {
			t.Errorf("before: %s", page.Text("main"))
		}
		words := boss.Get("/admin/petitions/" + p.ID.String() + "/words").Want(200)
		if !strings.Contains(words.Text("main .notice"), "Español") {
			t.Errorf("the page of words: %s", words.Text("main"))
		}
		words.Submit("main form button.main", map[string]string{"summary_text": "We ask for twenty-four."}).Want(200)
		a.Clock.Add(10 * time.Second)
		if page := reader.Get(public).Want(200); !strings.Contains(page.Text("main .notice.warn"), "El original cambió el") || !strings.Contains(page.Follow("main .notice.warn a").Want(200).Text("main"), "twenty-four") {
			t.Errorf("the version: %s", page.Text("main"))
		}
		if page := a.Client(t).Get(public).Want(200); page.Has("main .notice.warn") {
			t.Errorf("the original: %s", page.Text("main"))
		}
	})
}

// A scanner opens every link of every mail, and every link of the pages they lead to, by GET and HEAD: nothing is confirmed, changed,
// taken back or stopped.
func TestScannersChangeNothing(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx := context.Background()
		p, owner := factory.Petition(t, a, "Twenty visits"), factory.Owner(t, a)
		public := "/petitions/" + p.Slug
		scan := func(m mailer.Message) (opened int) {
			t.Helper()
			doc, err := goquery.NewDocumentFromReader(strings.NewReader(m.HTML))
			if err != nil {
				t.Fatal(err)
			}
			found := regexp.MustCompile(`https?://[^\s<>"]+`).FindAllString(m.Text+" "+m.UnsubscribeURL, -1)
			doc.Find("[href], [src], [action]").Each(func(_ int, s *goquery.Selection) {
				found = append(found, s.AttrOr("href", s.AttrOr("src", s.AttrOr("action", ""))))
			})
			if doc.Find("img, form, script, link").Length() > 0 {
				t.Errorf("%s loads something or holds a form: %s", m.Subject, m.HTML)
			}
			seen, scanner := map[string]bool{}, a.Client(t)
			for deep := range 2 {
				var next []string
				for _, link := range found {
					if link = strings.TrimSuffix(link, "."); strings.HasPrefix(link, "/") {
						link = a.URL + link
					}
					if seen[link] || !strings.HasPrefix(link, a.URL+"/") || strings.HasSuffix(link, "/live") {
						continue
					}
					seen[link] = true
					for _, method := range []string{http.MethodHead, http.MethodGet} {
						req, err := http.NewRequest(method, link, nil)
						if err != nil {
							t.Fatal(err)
						}
						page := scanner.Do(req)
						if deep == 0 && page.Doc != nil && method == http.MethodGet {
							page.Doc.Find("main [href], main form").Each(func(_ int, s *goquery.Selection) { next = append(next, s.AttrOr("href", s.AttrOr("action", ""))) })
						}
					}
				}
				found = next
			}
			return len(seen)
		}
		// rows is everything that a link could change.
		rows := func() string {
			t.Helper()
			var out []string
			for _, q := range []string{
				"SELECT state, COALESCE(CAST(confirmed_at AS text), '') || COALESCE(CAST(withdrawn_at AS text), '') || display || comment_state AS rest FROM signatures ORDER BY id",
				"SELECT CASE WHEN verified_at IS NULL THEN '' ELSE 'verified' END AS state, CASE WHEN suppressed_at IS NULL THEN '' ELSE 'suppressed' END || COALESCE(CAST(paused_until AS text), '') AS rest FROM mailboxes ORDER BY id",
				"SELECT purpose AS state, COALESCE(CAST(withdrawn_at AS text), '') AS rest FROM consents ORDER BY id",
				"SELECT dedupe_key AS state, '' AS rest FROM deliveries WHERE dedupe_key LIKE 'petition_outcome/stop/%' ORDER BY id",
				"SELECT CASE WHEN confirmed_at IS NULL THEN '' ELSE 'confirmed' END AS state, '' AS rest FROM petition_starters ORDER BY id",
				"SELECT state, title AS rest FROM petitions ORDER BY id",
			} {
				var list []struct{ State, Rest string }
				if err := a.DB.Raw(q).Scan(&list).Error; err != nil {
					t.Fatal(err)
				}
				out = append(out, fmt.Sprint(list))
			}
			return strings.Join(out, "\n")
		}
		still := func(what string, m mailer.Message, least int) {
			t.Helper()
			before := rows()
			if n := scan(m); n < least {
				t.Errorf("%s: only %d links were opened", what, n)
			}
			if after := rows(); after != before {
				t.Errorf("%s: a scanner changed\n%s\nto\n%s", what, before, after)
			}
		}
		sign(t, a.Client(t), public, map[string]string{"comment": "First words.", "updates": "yes"}).Want(200)
		first := a.WaitMail(t, "june@example.org", 1)[0]
		still("what confirms", first, 3)
		a.Clock.Add(25 * time.Hour)
		if _, err := a.Petitions.Remind(ctx); err != nil {
			t.Fatal(err)
		}
		still("the reminder", a.WaitMail(t, "june@example.org", 2)[1], 3)
		a.Client(t).Get(testapp.Link(t, first, "/confirm/")).Submit("main form button.main", nil).Want(200)
		still("the receipt", a.WaitMail(t, "june@example.org", 3)[2], 4)
		begins(t, a.Client(t), "A bus", "ana@example.org").Want(200)
		still("the link of a draft", a.WaitMail(t, "ana@example.org", 1)[0], 2)
		if _, err := a.Petitions.RecordOutcome(ctx, owner, p.ID, petitions.OutcomeInput{Outcome: models.OutcomeLost, Text: "Not now."}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Petitions.TellOutcome(ctx, owner, p.ID); err != nil {
			t.Fatal(err)
		}
		if err := a.Petitions.TellOn(ctx); err != nil {
			t.Fatal(err)
		}
		end := a.WaitMail(t, "june@example.org", 4)[3]
		if !strings.Contains(end.Text, "Your signature counted all the same.") {
			t.Errorf("the last mail: %s", end.Text)
		}
		still("what came of it", end, 4)
	})
}
