package admin_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"kithline/campaigns/actor"
	"kithline/campaigns/segments"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// drafted makes a mailing to the signers of a petition that can be sent.
func drafted(t *testing.T, a *testapp.App, people int) (c *testapp.Client, path string) {
	t.Helper()
	p := factory.Petition(t, a, "Twenty visits")
	factory.Signed(t, a, p, factory.People(people)...)
	c = a.Owner(t)
	page := c.Post("/admin/mailings", url.Values{"to": {p.ID.String()}}).Want(200)
	page.Submit("button[value='save']", map[string]string{"subject": "S", "body": "Hello {{given_name|you}}, see https://example.org/more."}).Want(200)
	return c, page.Path
}

// figures reads the table of an audience: each line's words with its number.
func figures(page *testapp.Page) string {
	var out []string
	for i := range page.Doc.Find("table tbody tr").Length() {
		out = append(out, strings.Join(strings.Fields(page.Doc.Find("table tbody tr").Eq(i).Text()), " "))
	}
	return strings.Join(out, "; ")
}

// TestAudiencePage: whom a mailing goes to is chosen with boxes, counted at once, and kept; what is wrong is said at its box.
func TestAudiencePage(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		c, path := drafted(t, a, 4)
		if got := c.Get(path + "/audience").Want(200); !strings.Contains(got.Text("main"), "no segments yet") || got.Has("#in") {
			t.Errorf("without segments: %s", got.Text("main"))
		}
		ctx, owner := t.Context(), factory.Owner(t, a)
		all, err := a.Segments.Create(ctx, owner, segments.Input{Name: "Everybody <1>", Rule: segments.Everybody()})
		if err != nil {
			t.Fatal(err)
		}
		var some []models.Supporter
		if err := a.DB.Order("id").Limit(1).Find(&some).Error; err != nil || len(some) != 1 {
			t.Fatal(err)
		}
		if err := a.Supporters.AddTag(ctx, owner, some[0].ID, "drives"); err != nil {
			t.Fatal(err)
		}
		var tag models.Tag
		if err := a.DB.Take(&tag).Error; err != nil {
			t.Fatal(err)
		}
		drivers, err := a.Segments.Create(ctx, owner, segments.Input{Name: "Drivers", Rule: segments.Rule{Root: segments.Node{
			Kind: segments.Group, Match: segments.All, Items: []segments.Node{{Kind: "tag", Values: map[string]string{"tag": tag.ID.String()}}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		page := c.Get(path + "/audience").Want(200)
		revision := page.Doc.Find("input[name='revision']").AttrOr("value", "")
		both := c.Post(path+"/audience", url.Values{"revision": {revision}, "in": {all.String()}, "out": {all.String()}, "important": {"1"}}).Want(422)
		if !strings.Contains(both.Text("#summary"), "“Everybody <1>” cannot be let in and left out") || !both.Has("input[name='in'][checked]") || !both.Has("input[name='important'][checked]") {
			t.Errorf("let in and left out: %s", both.Text("#summary"))
		}
		c.Post(path+"/audience", url.Values{"revision": {revision}, "in": {"nonsense"}}).Want(422)
		saved := c.Post(path+"/audience", url.Values{"revision": {revision}, "in": {all.String()}, "out": {drivers.String()}}).Want(200)
		if got := figures(saved); !strings.HasPrefix(got, "In the segments4; Left out are in a segment that you leave out− 1; Get it3") || saved.Text(".count") != "3 people get it" {
			t.Errorf("%s, %s", saved.Text(".count"), got)
		}
		if saved.Doc.Find("input[name='in'][checked]").AttrOr("value", "") != all.String() || saved.Doc.Find("input[name='out'][checked]").AttrOr("value", "") != drivers.String() {
			t.Error("what was chosen is not shown")
		}
		c.Post(path+"/audience", url.Values{"revision": {revision}, "in": {all.String()}}).Want(409) // somebody else saved meanwhile
		if before := c.Get(path + "/send").Want(200); before.Text(".count") != "3 people get it" {
			t.Errorf("before it goes: %s", before.Text(".count"))
		}
		// A limit for the organisation.
		often := c.Get("/admin/mailings/often").Want(200).Submit("main form button", map[string]string{"most": "-1", "days": "7"}).Want(422)
		if !strings.Contains(often.Text("#most-error"), "from 0 to 100") {
			t.Errorf("a limit below nothing: %s", often.Text("main"))
		}
		often.Submit("main form button", map[string]string{"most": "2", "days": "14"}).Want(200)
		if got := c.Get(path + "/audience").Want(200).Text("main"); !strings.Contains(got, "at most 2 mailings in 14 days") {
			t.Errorf("the limit is not told: %s", got)
		}
		organizer := as(t, a, actor.Organizer, "organizer@example.org")
		if got := organizer.Get("/admin/mailings/often").Want(200); got.Has("main form") {
			t.Error("an organizer may set it")
		}
	})
}

// TestScheduleByPages: planned for a time, put off, made a draft again, and sent at once; what is wrong is said at its field.
func TestScheduleByPages(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		c, path := drafted(t, a, 3)
		wrong := c.Get(path+"/send").Want(200).Submit("form[action$='/send'] button", map[string]string{"when": "at", "at": "2027-01-01T10:00", "expires": "2027-01-01T11:00", "clicks": "1"}).Want(422)
		if !strings.Contains(wrong.Text("#at-error"), "still to come") || wrong.Doc.Find("#at").AttrOr("value", "") != "2027-01-01T10:00" || !wrong.Has("#clicks[checked]") || !wrong.Has("details[open]") {
			t.Errorf("a time that is over: %s", wrong.Text("main"))
		}
		if got := c.Get(path+"/send").Want(200).Submit("form[action$='/send'] button", map[string]string{"when": "at"}).Want(422); !strings.Contains(got.Text("#summary"), "still to come") {
			t.Errorf("no time: %s", got.Text("#summary"))
		}
		c.Post(path+"/send", url.Values{"revision": {"2"}, "when": {"at"}, "at": {"soon"}}).Want(422)
		c.Post(path+"/send", url.Values{"revision": {"2"}, "when": {"whenever"}}).Want(422)
		planned := wrong.Submit("form[action$='/send'] button", map[string]string{"at": "2027-02-03T10:30", "expires": "2027-02-05T12:00"}).Want(200)
		if got := planned.Text("main"); planned.Path != path || !strings.Contains(got, "It goes out") || !strings.Contains(got, "10:30") || !strings.Contains(got, "from 20:00 to 09:00") && !strings.Contains(got, "8:00") {
			t.Errorf("planned: %s", got)
		}
		if planned.Has("[data-live]") || planned.Has("form[action$='/pause']") {
			t.Error("what is planned moves already")
		}
		if rows := c.Get("/admin/mailings").Want(200); !strings.Contains(rows.Text("tbody"), "Scheduled") {
			t.Errorf("the list says %s", rows.Text("tbody"))
		}
		again := c.Get(path + "/send").Want(200)
		if again.Doc.Find("#at").AttrOr("value", "") != "2027-02-03T10:30" || again.Doc.Find("#expires").AttrOr("value", "") != "2027-02-05T12:00" || !again.Has("#clicks[checked]") || !again.Has("input[value='at'][checked]") {
			t.Errorf("the plan is not shown: %s", again.Text("main"))
		}
		local := again.Submit("form[action$='/send'] button", map[string]string{"when": "local"}).Want(200)
		if !strings.Contains(local.Text("main"), "where each person lives") {
			t.Errorf("by each clock: %s", local.Text("main"))
		}
		if back := local.Submit("form[action$='/unschedule'] button", nil).Want(200); !back.Has("#subject") {
			t.Errorf("not a draft again: %s", back.Text("main"))
		}
		c.Post(path+"/unschedule", nil).Want(409)
		c.Get(path+"/send").Want(200).Submit("form[action$='/send'] button", map[string]string{"when": "now", "at": "", "expires": ""}).Want(200)
		for _, m := range waitSubject(t, a, "S", 3) {
			if !strings.Contains(m.HTML, a.URL+"/r/") || strings.Contains(m.HTML, `href="https://example.org/more`) {
				t.Errorf("its links are not counted: %s", m.HTML)
			}
		}
	})
}

// TestReportPages: live numbers, what came of it, what was refused with what can be done, all as files too, and sent to those who came
// later.
func TestReportPages(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		c, path := drafted(t, a, 3)
		c.Get(path + "/later").Want(409)
		c.Get(path+"/send").Want(200).Submit("form[action$='/send'] button", map[string]string{"clicks": "1"}).Want(200)
		waitSubject(t, a, "S", 3)
		live := func() map[string]string {
			var now map[string]string
			if err := json.Unmarshal(c.Get(path+"/live").Want(200).Body, &now); err != nil {
				t.Fatal(err)
			}
			return now
		}
		for end := time.Now().Add(20 * time.Second); live()["sent"] != "3"; { // the last answer is written down after the mail is there
			if time.Now().After(end) {
				t.Fatalf("%v", live())
			}
		}
		stream := c.Stream(path+"/live", "text/event-stream")
		defer func() { _ = stream.Body.Close() }()
		var told []string
		for lines := bufio.NewScanner(stream.Body); lines.Scan(); {
			told = append(told, lines.Text())
		}
		if got := strings.Join(told, "\n"); !strings.Contains(got, `"sent":"3"`) || !strings.Contains(got, "event: end") || stream.Header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("the events are %s", got)
		}
		if err := a.DB.Exec(`UPDATE deliveries SET state = 'failed', reply_code = 550, reply = '=5.1.1 "no", such user', updated_at = created_at WHERE id = (SELECT min(CAST(id AS text)) FROM deliveries WHERE mailing_id IS NOT NULL)` + map[bool]string{true: "::uuid", false: ""}[a.DB.Postgres()]).Error; err != nil {
			t.Fatal(err)
		}
		if err := a.DB.Exec("UPDATE mailings SET updated_at = ?", a.Clock.Now().Add(time.Second)).Error; err != nil { // counted anew
			t.Fatal(err)
		}
		report := c.Get(path).Want(200)
		for _, want := range []string{"What came of it", "Left the list", "https://example.org/more", "Refused", "The address is not there", "Confirmed signers", "Get it", "2 of 3 handed over"} {
			if !strings.Contains(report.Text("main"), want) {
				t.Errorf("the report lacks %q: %s", want, report.Text("main"))
			}
		}
		if !report.Has("figure svg rect") || !report.Has("figure details table") || !report.Has("a[href^='/admin/supporters/']") {
			t.Error("no chart with its table, or no link to the record")
		}
		problems := c.Get(path + "/problems").Want(200)
		if got := problems.Text("tbody"); !strings.Contains(got, "550") || !strings.Contains(got, "Ask the person for a new one") {
			t.Errorf("problems: %s", got)
		}
		file := c.Get(path + "/problems.csv").Want(200)
		if got := string(file.Body); !strings.HasPrefix(file.Header.Get("Content-Type"), "text/csv") || !strings.Contains(got, `"'=5.1.1 ""no"", such user"`) || strings.Count(got, "\r\n") != 2 || strings.Contains(got, "@") {
			t.Errorf("as a file: %s", got)
		}
		numbers := string(c.Get(path + "/report.csv").Want(200).Body)
		for _, want := range []string{"Report,Handed over,2\r\n", "Report,Refused,1\r\n", "Who gets it,Get it,3\r\n", "Clicks,https://example.org/more,0\r\n"} {
			if !strings.Contains(numbers, want) {
				t.Errorf("the file lacks %q:\n%s", want, numbers)
			}
		}
		later := c.Get(path + "/later").Want(200)
		if got := figures(later); !strings.Contains(got, "Have it already nobody gets it twice− 3") || later.Has("form[action$='/later'] button") {
			t.Errorf("later: %s", got)
		}
		c.Post(path+"/later", nil).Want(422)
		viewer := as(t, a, actor.Viewer, "viewer@example.org")
		seen := viewer.Get(path).Want(200)
		if seen.Has("a[href^='/admin/supporters/']") || seen.Has("form[method='post'][action^='"+path+"']") {
			t.Error("a viewer sees whose mail was refused, or may change something")
		}
		viewer.Get(path + "/later").Want(403)
		viewer.Get(path + "/audience").Want(403)
		for _, x := range []string{"/live", "/problems", "/problems.csv", "/report.csv", "/later", "/audience"} {
			if got := a.Client(t).Get(path + x).Want(200); !strings.HasPrefix(got.Path, "/admin/login") {
				t.Errorf("nobody sees %s", x)
			}
			c.Get("/admin/mailings/00000000-0000-7000-8000-000000000009" + x).Want(404)
		}
	})
}

// TestChooseASubjectByPages: both subjects stand with their numbers, in plain words how far they can be believed, and a button each.
func TestChooseASubjectByPages(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		c, path := drafted(t, a, 12)
		if err := a.DB.Exec("UPDATE mailings SET revision = revision + 1, subject = 'First <1>', variants = ?", `[{"subject":"Second"}]`).Error; err != nil {
			t.Fatal(err)
		}
		before := c.Get(path + "/send").Want(200)
		wrong := before.Submit("form[action$='/send'] button", map[string]string{"test": "1", "share": "99"}).Want(422)
		if !strings.Contains(wrong.Text("#share-error"), "from 5 to 90") {
			t.Errorf("nearly everybody: %s", wrong.Text("main"))
		}
		wrong.Submit("form[action$='/send'] button", map[string]string{"share": "50", "wait": "60", "hand": "hand"}).Want(200)
		var held int64
		for end := time.Now().Add(20 * time.Second); held == 0; {
			if err := a.DB.Model(&models.Delivery{}).Where("not_before = ?", models.HeldUntil).Count(&held).Error; err != nil || time.Now().After(end) {
				t.Fatalf("nobody waits, %v", err)
			}
		}
		report := c.Get(path).Want(200)
		if got := report.Text("main"); !strings.Contains(got, fmt.Sprintf("%d people wait", held)) || !strings.Contains(got, "Nobody has acted yet") || !strings.Contains(got, "First <1>") || !strings.Contains(got, "Second") {
			t.Errorf("the report says %s", got)
		}
		c.Post(path+"/choose", url.Values{"variant": {"3"}}).Want(422)
		chosen := report.Submit("form[action$='/choose']:has(input[value='2']) button", nil).Want(200)
		if got := chosen.Text("main"); !strings.Contains(got, "The rest got subject 2") || chosen.Has("form[action$='/choose']") {
			t.Errorf("chosen: %s", got)
		}
		c.Post(path+"/choose", url.Values{"variant": {"1"}}).Want(409)
		waitSubject(t, a, "Second", int(held))
	})
}
