package journey

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/petitions"
	news "kithline/campaigns/posts"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/factory"
	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

// shownBy are the pages and files of a petition that everybody may read.
func shownBy(slug string) []string {
	at := "/petitions/" + slug
	return []string{
		at, at + "?lang=es", at + "?source=poster", at + "/embed", at + "/embed?background=ffffff", at + "/badge.svg", at + "/badge.svg?theme=dark", at + "/feed.atom", at + "/feed.rss",
		at + "/og.png", at + ".json", at + "/districts.json", at + "/share", at + "/thanks", at + "/spread", at + "/poster", at + "/card", "/", "/petitions", "/petitions.atom", "/campaigns/" + slug,
	}
}

// What is taken back on one node shows nowhere on another one, as soon as that was told: the other's clock stands still, so nothing
// that it kept got old.
func TestTwoNodes(t *testing.T) {
	ctx, system := t.Context(), actor.TheSystem()
	dsn := testdb.PostgresURL(t)
	here := testapp.New(t, dsn)
	here.SetUp()
	there := testapp.New(t, dsn, "KITHLINE_KEY_FILE="+here.Config.Storage.Key)
	heard := make(chan string, 1000)
	there.DB.Hear(func(topic string) { heard <- topic })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	marks := 0
	// told returns once the other node heard everything that was announced before: announcements come in the order of their commits.
	told := func() {
		t.Helper()
		marks++
		mark := fmt.Sprintf("mark %d", marks)
		say := func() { must(here.DB.Tx(ctx, func(tx *gorm.DB) error { database.Announce(tx, mark); return nil })) }
		say()
		late, again := time.After(testapp.Patience), time.NewTicker(time.Second) // it may not listen yet
		defer again.Stop()
		for {
			select {
			case got := <-heard:
				if got == mark {
					return
				}
			case <-again.C:
				say()
			case <-late:
				t.Fatal("the other node hears nothing")
			}
		}
	}
	told()

	p := factory.Petition(t, here, "Twenty visits")
	reader := there.Client(t)
	// found says which of the pages hold a text. Everything else of a page may change meanwhile.
	found := func(text string) (out []string) {
		t.Helper()
		for _, path := range shownBy(p.Slug) {
			if page := reader.Get(path); bytes.Contains(page.Body, []byte(text)) {
				out = append(out, path)
			}
		}
		return out
	}
	total := func() (out [2]int) {
		t.Helper()
		for i, path := range []string{".json", "/districts.json"} {
			var f struct {
				N int `json:"signature_count"`
			}
			must(json.Unmarshal(reader.Get("/petitions/"+p.Slug+path).Want(200).Body, &f))
			out[i] = f.N
		}
		return out
	}
	n := 0
	// signer signs as somebody whose name is nobody else's, with a comment that shows, and is seen there.
	signer := func() (name, words string, sig models.Signature) {
		t.Helper()
		n++
		name, words = fmt.Sprintf("Quillon%c", 'a'+n), fmt.Sprintf("What number %d said.", n)
		made, err := here.Petitions.Sign(ctx, petitions.SignInput{Slug: p.Slug, GivenName: name, FamilyName: "Okafor", Email: fmt.Sprintf("q%d@example.org", n), PostalCode: "00012", Display: "name", Comment: words, Locale: "en", Source: "two"})
		must(err)
		must(here.DB.Take(&sig, "id = ?", made.ID).Error)
		_, err = here.Petitions.Confirm(ctx, here.Signer.Make(tokens.Confirm, sig.MailboxID, here.Clock.Now().AddDate(0, 0, 7)), nil)
		must(err)
		must(here.Petitions.JudgeComment(ctx, system, p.ID, sig.ID, true))
		told()
		there.Clock.Add(10 * time.Second)
		for _, text := range []string{name, words} {
			if len(found(text)) < 3 { // the page in its three forms
				t.Fatalf("%q is not seen there", text)
			}
		}
		return name, words, sig
	}
	fewer := func(what string, before [2]int) {
		t.Helper()
		if now := total(); now != [2]int{before[0] - 1, before[1] - 1} {
			t.Errorf("%s: %d are counted there, not one fewer than %d", what, now, before)
		}
	}
	gone := func(what string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if pages := found(text); len(pages) > 0 {
				t.Errorf("%s: %q still shows there in %q", what, text, pages)
			}
		}
	}
	boxes := func(s models.Signature) []uuid.UUID { return []uuid.UUID{s.MailboxID} }

	name, words, sig := signer()
	before := total()
	_, err := here.Petitions.Withdraw(ctx, boxes(sig), sig.ID)
	must(err)
	told()
	gone("withdrawn", name, words)
	fewer("withdrawn", before)

	_, words, sig = signer()
	must(here.Petitions.JudgeComment(ctx, system, p.ID, sig.ID, false))
	told()
	gone("a comment is hidden", words)

	_, words, sig = signer()
	_, err = here.Petitions.Change(ctx, boxes(sig), sig.ID, petitions.ChangeInput{Display: "name", Comment: "Something else.", Locale: "en"})
	must(err)
	told()
	gone("a comment is changed by its writer", words, "Something else.")

	_, words, sig = signer()
	_, err = here.Petitions.Unsay(ctx, boxes(sig), sig.ID)
	must(err)
	told()
	gone("a comment is taken back by its writer", words)

	name, _, sig = signer()
	_, err = here.Petitions.Change(ctx, boxes(sig), sig.ID, petitions.ChangeInput{Display: "anonymous", Locale: "en"})
	must(err)
	told()
	gone("a name is shown no more", name)

	name, words, sig = signer()
	_, err = here.Erasures.EraseMine(ctx, actor.Actor{Kind: actor.Person, MailboxID: sig.MailboxID})
	must(err)
	told()
	gone("erased", name, words)

	// Many at once, by a job that either node may work on; and back.
	name, words, sig = signer()
	before = total()
	from, until := here.Clock.Now().Add(-time.Hour), here.Clock.Now().Add(time.Hour)
	id, err := here.Petitions.Invalidate(ctx, system, p.ID, petitions.Condition{From: &from, Until: &until, Source: "two"}, "One machine.")
	must(err)
	ended := func(state string) {
		t.Helper()
		for end := time.Now().Add(testapp.Patience); ; {
			row, _, err := here.Petitions.Invalidation(ctx, system, p.ID, id)
			must(err)
			if row.State == state {
				return
			} else if time.Now().After(end) {
				t.Fatalf("the invalidation is %s, not %s", row.State, state)
			}
		}
	}
	ended(petitions.InvalidationDone)
	told()
	gone("invalidated", name, words)
	if now := total(); now != [2]int{1, 1} { // nothing leads to who was erased: that one stays
		t.Errorf("%d are counted there after an invalidation of all %d but one", now, before)
	}
	must(here.Petitions.Revert(ctx, system, p.ID, id))
	ended(petitions.InvalidationReverted)
	told()
	if len(found(name)) < 3 || len(found(words)) > 0 { // comments are read again first
		t.Errorf("put back: %q shows in %q, %q in %q", name, found(name), words, found(words))
	}

	// Who started it, and who helped.
	starter := models.PetitionStarter{ID: models.NewID(), PetitionID: p.ID, MailboxID: sig.MailboxID, Lead: true, ShownName: "Starterova", Locale: "en", CreatedAt: here.Clock.Now(), ConfirmedAt: &from}
	helper := starter
	helper.ID, helper.Lead, helper.ShownName = models.NewID(), false, "Helperova"
	var box models.Mailbox
	must(here.DB.Where("id <> ?", sig.MailboxID).Take(&box).Error)
	helper.MailboxID = box.ID
	must(here.DB.Create([]models.PetitionStarter{starter, helper}).Error)
	there.Clock.Add(10 * time.Second)
	if len(found("Starterova")) < 3 || len(found("Helperova")) < 3 {
		t.Fatal("who started it is not seen there")
	}
	lead := actor.Actor{Kind: actor.Person, MailboxID: starter.MailboxID}
	must(here.Petitions.RemoveStarter(ctx, lead, p.ID, helper.ID))
	told()
	gone("a helper is removed", "Helperova")
	must(here.Petitions.ShowName(ctx, lead, p.ID, false))
	told()
	gone("a starter's name is shown no more", "Starterova")

	// Words: an update, the petition's own, and the petition itself.
	update, err := here.Posts.PostUpdate(ctx, system, p.ID, news.UpdateInput{Title: "A date", Body: "Madeleine said so."})
	must(err)
	told()
	if len(found("Madeleine")) < 5 {
		t.Errorf("an update is seen there in %q alone", found("Madeleine"))
	}
	must(here.Posts.EditUpdate(ctx, system, p.ID, update.ID, news.UpdateInput{Title: "A date", Body: "Somebody said so."}))
	told()
	gone("an update is changed", "Madeleine")
	d := petitions.Draft{
		Title: "Twenty-one visits", Summary: "We ask for one more.", Body: "Most plans stop.", Decider: p.Decider, WhyNow: p.WhyNow, SystemChange: p.SystemChange, Place: p.Place, Goal: p.Goal, Locale: "en",
	}
	now, err := here.Petitions.Current(ctx, p.Slug)
	must(err)
	_, err = here.Petitions.Edit(ctx, system, p.ID, petitions.EditInput{Draft: d, Reason: "One more is needed.", Revision: now.Revision})
	must(err)
	told()
	if pages := found("Twenty-one visits"); len(pages) != len(shownBy(p.Slug))-2 { // not in figures by district, nor in a picture's bytes
		t.Errorf("the new words are seen there in %q alone", pages)
	}
	_, err = here.Petitions.Steer(ctx, system, p.ID, petitions.Hide)
	must(err)
	told()
	gone("hidden", "Twenty-one visits", name)
	for _, path := range shownBy(p.Slug)[:17] {
		reader.Get(path).Want(404)
	}
}
