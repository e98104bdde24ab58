package journey

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/exports"
	"kithline/campaigns/inbound"
	"kithline/campaigns/letters"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/petitions"
	"kithline/campaigns/rosters"
	"kithline/campaigns/tokens"
	"kithline/campaigns/volunteers"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

// ids are what differs by chance between two worlds in which the same happened: ids, tokens, where the site is, what was hashed with its key.
var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|name="(?:pick_at|revision)" value="[0-9A-Za-z_-]{16}"|"look_up": "[0-9a-f]{32}"|/[A-Za-z0-9_-]{40,}|` +
	`127\.0\.0\.1:[0-9]+|[?&](?:after|by)=[A-Za-z0-9_-]{20,}|"request_id":"[A-Z0-9]*"|"node":"[0-9a-f]*"`)

// counted are how many rows an export of everything has: what came free of a shift is a row.
var counted = regexp.MustCompile(`("?rows\\?"?: ?)[0-9]+`)

// How June lets go of a place, if she does.
const (
	neverHeld = "never held" // the place that she lets go of elsewhere
	keptIt    = "kept"
	byLink    = "let go by the link of the mail"
	byReply   = "let go by an answer to the mail"
	byPhone   = "let go by telephone"
)

// lettingGo is a world in which June holds a place, and maybe another that she lets go. It returns what can be got of it, by name, right
// after and once both shifts are forgotten: each page of the organizer's side, each export, and what June can read and take home.
func lettingGo(t *testing.T, url, how string) (after, forgotten map[string]string) {
	a := testapp.New(t, url)
	a.SetUp()
	ctx, owner := context.Background(), factory.Owner(t, a)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := a.Rosters.Create(ctx, owner, rosters.Draft{Title: "Help at the day", Summary: "Two things.", Locale: "en", Zone: "America/New_York"})
	must(err)
	day := a.Clock.Now().AddDate(0, 0, 30).Format(time.DateOnly)
	var shifts []models.Shift
	for i, role := range []string{"Welcome table", "Quiet room"} {
		made, err := a.Rosters.AddShifts(ctx, owner, r.ID, rosters.ShiftInput{
			Role: role, Kind: models.ShiftFixed, Mode: models.ShiftOnsite, Place: "Lobby", Minimum: 1, Places: 1, Standbys: 1, Energy: 2, Demands: []string{"sitting"},
			Starts: rosters.Local{Day: day, Clock: fmt.Sprintf("1%d:00", 3*i)}, Ends: rosters.Local{Day: day, Clock: fmt.Sprintf("1%d:45", 3*i)},
		})
		must(err)
		shifts = append(shifts, made...)
	}
	_, err = a.Rosters.SetState(ctx, owner, r.ID, models.RosterPublished)
	must(err)
	box, err := mailboxes.Ensure(ctx, a.DB.DB, a.Vault, "june@example.org", a.Clock.Now())
	must(err)
	must(mailboxes.Verify(ctx, a.DB.DB, box.ID, a.Clock.Now()))
	_, err = a.Volunteers.Add(ctx, owner, volunteers.HandInput{
		Said: volunteers.Said{GivenName: "June", FamilyName: "Okafor", Phone: "555-0142", AskBy: models.AskByPhone}, Email: "june@example.org", Locale: "en", Where: "at a meeting", On: a.Clock.Now().Format(time.DateOnly),
	})
	must(err)
	p := factory.Petition(t, a, "Twenty visits")
	settled(t, a)
	a.Clock.Add(time.Minute)
	_, err = a.Petitions.Sign(ctx, petitions.SignInput{Slug: p.Slug, GivenName: "June", FamilyName: "Okafor", Email: "june@example.org", PostalCode: "00209", Display: "name", Locale: "en"})
	must(err)
	settled(t, a)
	a.Clock.Add(time.Minute)
	_, err = a.Petitions.Confirm(ctx, a.Signer.Make(tokens.Confirm, box.ID, a.Clock.Now().AddDate(0, 0, 7)), nil)
	must(err)
	settled(t, a)
	write, err := a.Letters.Create(ctx, owner, letters.CreateInput{CampaignID: p.CampaignID, Plan: letters.Plan{Said: letters.Said{Title: "Write about twenty visits", Locale: "en"}}})
	must(err)
	take := func(sh models.Shift) uuid.UUID {
		t.Helper()
		took, err := a.Rosters.Take(ctx, rosters.TakeInput{
			Shift: sh.ID, As: models.AsPlace, Email: "june@example.org", GivenName: "June", FamilyName: "Okafor", Locale: "en", Lang: "en", Meets: true, Anyway: true, Proved: "june@example.org",
		})
		must(err)
		if !took.Confirmed {
			t.Fatalf("%+v", took)
		}
		settled(t, a)
		return took.ID
	}
	a.Clock.Add(time.Hour)
	take(shifts[0])
	a.Clock.Add(time.Hour)
	var held models.Assignment
	if how != neverHeld {
		must(a.DB.Take(&held, "id = ?", take(shifts[1])).Error)
	}
	a.Clock.Add(time.Hour)
	switch how {
	case byLink:
		_, err := a.Rosters.LetGo(ctx, a.Rosters.CantToken(held), "en", false)
		must(err)
	case byReply:
		mails := a.WaitMail(t, "june@example.org", 2)
		raw := "From: June <june@example.org>\r\nTo: hello@act.example.org\r\nSubject: Re: " + mails[len(mails)-1].Subject + "\r\nIn-Reply-To: <" + mails[len(mails)-1].MessageID + ">\r\n\r\nI can't today.\r\n"
		if got, err := a.Inbound.Take(ctx, models.SourceIMAP, []byte(raw)); err != nil || got != inbound.Passed {
			t.Fatalf("%s, %v", got, err)
		}
	case byPhone:
		must(a.Rosters.Release(ctx, owner, shifts[1].ID, held.ID, true))
	}
	var there int64
	must(a.DB.Model(&models.Assignment{}).Where("shift_id = ?", shifts[1].ID).Count(&there).Error)
	if (there == 1) != (how == keptIt) {
		t.Fatalf("%s: %d places are held", how, there)
	}
	settled(t, a)
	a.Clock.Add(time.Hour)
	_, err = a.Rosters.Settle(ctx) // takes the answer to an answer away
	must(err)
	w := twoWorlds{t, a, owner, p.ID, write.ID, box.ID, strings.NewReplacer(r.ID.String(), "ROSTER", shifts[0].ID.String(), "KEPT", shifts[1].ID.String(), "OTHER")}
	after = w.all()
	a.Clock.Set(a.Clock.Now().AddDate(0, 0, 45))
	n, err := a.Rosters.Settle(ctx)
	must(err)
	if n > 2 {
		t.Fatalf("%d shifts were settled", n)
	}
	settled(t, a)
	return after, w.all()
}

// twoWorlds is one of the worlds that are compared.
type twoWorlds struct {
	t                       *testing.T
	a                       *testapp.App
	owner                   actor.Actor
	petition, letters, june uuid.UUID // hers is her mailbox
	known                   *strings.Replacer
}

// same is a text without what differs by chance.
func (w twoWorlds) same(text string) string {
	return counted.ReplaceAllString(ids.ReplaceAllString(w.known.Replace(text), "ID"), "${1}N")
}

// all is everything that can be got, by name.
func (w twoWorlds) all() map[string]string {
	out := map[string]string{}
	w.pages(out)
	w.files(out)
	w.own(out)
	return out
}

// pages adds each page and file of the organizer's side that a link leads to.
func (w twoWorlds) pages(out map[string]string) {
	c := w.a.Owner(w.t)
	for next := []string{"/admin"}; len(next) > 0; next = next[1:] {
		path := next[0]
		name := w.same(path)
		if _, seen := out[name]; seen || strings.HasPrefix(path, "/admin/jobs") {
			continue
		}
		p := c.Get(path)
		out[name] = w.same(string(p.Body))
		if p.Doc == nil { // a file
			continue
		}
		for _, href := range p.Doc.Find("a[href^='/admin']").EachIter() {
			link, _ := href.Attr("href")
			link, _, _ = strings.Cut(link, "#")
			next = append(next, link)
		}
	}
}

// files adds each kind of export in each format, and the lists that pages hand out.
func (w twoWorlds) files(out map[string]string) {
	w.t.Helper()
	asked := map[string]exports.Input{
		"supporters": {Kind: exports.KindSupporters, Columns: exports.Columns}, "supporters who agreed": {Kind: exports.KindSupporters, Purpose: models.PurposeVolunteering, Columns: exports.Columns},
		"signatures": {Kind: exports.KindSignatures, PetitionID: w.petition}, "letters": {Kind: exports.KindLetters, LetterCampaignID: w.letters}, "suppressions": {Kind: exports.KindSuppressions}, "everything": {Kind: exports.KindEverything},
	}
	for _, name := range slices.Sorted(maps.Keys(asked)) {
		in := asked[name]
		for _, format := range exports.Formats {
			var b bytes.Buffer
			in.Format = format
			if _, err := w.a.Exports.Write(w.t.Context(), w.owner, in, &b, nil); err != nil {
				w.t.Fatalf("%s as %s: %v", name, format, err)
			}
			if name == "everything" {
				w.unzip(out, name, b.Bytes())
				break
			}
			if format == exports.XLSX {
				w.unzip(out, name+".xlsx", b.Bytes())
			} else {
				out[name+"."+format] = w.same(b.String())
			}
		}
	}
	c := w.a.Owner(w.t)
	for _, path := range []string{"/admin/volunteers/export", "/admin/erasures/list"} {
		out[path] = w.same(string(c.Post(path, url.Values{}).Want(200).Body))
	}
}

// own adds June's page and what she takes home.
func (w twoWorlds) own(out map[string]string) {
	w.t.Helper()
	c := w.a.Client(w.t)
	until := w.a.Clock.Now().Add(time.Hour)
	out["her page"] = w.same(string(c.Get("/me/" + w.a.Signer.Make(tokens.Me, w.june, until)).Want(200).Body))
	download := "/me/download/" + w.a.Signer.Make(tokens.Download, w.june, until)
	out["her data.json"] = w.same(string(c.Post(download, url.Values{"format": {"json"}}).Want(200).Body))
	w.unzip(out, "her data", c.Post(download, url.Values{"format": {"zip"}}).Want(200).Body)
	feed := strings.TrimPrefix(w.a.Rosters.FeedURL(w.june), w.a.URL)
	out["her calendar"] = w.same(strings.ReplaceAll(string(c.Get(feed).Want(200).Body), "\r\n ", ""))
}

// unzip adds the files of an archive. The order of the lines of a table says nothing.
func (w twoWorlds) unzip(out map[string]string, name string, raw []byte) {
	w.t.Helper()
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		w.t.Fatalf("%s: %v", name, err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			w.t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			w.t.Fatal(err)
		}
		text := w.same(string(b))
		if strings.HasSuffix(f.Name, ".jsonl") {
			lines := strings.Split(text, "\n")
			slices.Sort(lines)
			text = strings.Join(lines, "\n")
		}
		out[name+"/"+f.Name] = text
	}
}

// Nobody can be told by having let go: two worlds that differ only in that look the same, on every page of who works here, in every file
// that can be taken out, and in what the person reads of themselves.
func TestNobodyIsToldByHavingLetGo(t *testing.T) {
	// What a shift knows: a place of it came free, and nobody's name is at it. Whom to call leaves out whom that shift is not asked of, for
	// whatever reason: that they plan otherwise, said no, or let go.
	free := []string{"everything/tables/shift_events.jsonl", "everything/tables/covers.jsonl", "/admin/rosters/ROSTER/phones"}
	for name, world := range map[string]struct { // each way on one of the databases: what they read is the same
		url  func(testing.TB) string
		ways []string
	}{"sqlite": {testdb.SQLiteURL, []string{byLink, byPhone}}, "postgres": {testdb.PostgresURL, []string{byReply, keptIt}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after, forgotten := lettingGo(t, world.url(t), neverHeld)
			for _, how := range world.ways {
				afterLet, forgottenLet := lettingGo(t, world.url(t), how)
				but := free
				switch how {
				case byPhone: // the log says that somebody who works here let a place of the shift go, and not whose
					but = append(slices.Clone(free), "/admin/audit*", "everything/tables/audit_entries.jsonl")
				case keptIt: // of who was there no more is left; of the shift, that somebody was
					sameSeen(t, "once it is forgotten, "+how, forgotten, forgottenLet, append(slices.Clone(free), "everything/tables/shifts.jsonl", "/admin/rosters/ROSTER", "/admin/rosters/ROSTER/report", "/admin/rosters/ROSTER/shifts/OTHER*"))
					continue
				}
				sameSeen(t, "right after, "+how, after, afterLet, but)
				sameSeen(t, "once it is forgotten, "+how, forgotten, forgottenLet, but)
			}
		})
	}
}

// sameSeen compares what can be got of two worlds, but for some: a name, or what begins with what stands before an asterisk.
func sameSeen(t *testing.T, when string, a, b map[string]string, but []string) {
	t.Helper()
	if len(a) < 120 {
		t.Errorf("%s: %d pages and files only", when, len(a))
	}
	for _, name := range append([]string{"/admin/rosters/ROSTER/report", "/admin/rosters/ROSTER/print?day=2027-03-03", "supporters.csv", "letters.jsonl", "signatures.xlsx/xl/worksheets/sheet1.xml"}, but...) {
		if _, ok := a[strings.TrimSuffix(name, "*")]; !ok {
			t.Errorf("%s: there is no %s", when, name)
		}
	}
	left := func(name string) bool {
		return slices.ContainsFunc(but, func(b string) bool {
			prefix, many := strings.CutSuffix(b, "*")
			return name == prefix || many && strings.HasPrefix(name, prefix)
		})
	}
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if a[name] != b[name] && !left(name) {
			t.Errorf("%s, %s differs: %s", when, name, difference(a[name], b[name]))
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok && !left(name) {
			t.Errorf("%s, %s is there only where somebody let go", when, name)
		}
	}
}

// difference is where two texts differ first.
func difference(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(0, i-60)
	return fmt.Sprintf("…%s… and …%s…", a[from:min(len(a), i+60)], b[min(from, len(b)):min(len(b), i+60)])
}
