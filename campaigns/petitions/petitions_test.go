package petitions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/paging"
	"kithline/campaigns/posts"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 23, 10, 0, 0, 0, time.UTC)

// world is a service on a database with an author and an organizer.
type world struct {
	*Service
	t            testing.TB
	ctx          context.Context
	clk          *clock.Fixed
	log          *bytes.Buffer
	author, boss actor.Actor
	authorBox    uuid.UUID
	door         *confirmations.Service
}

func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) { fn(t, newWorld(t, db)) })
}

func newWorld(t testing.TB, db *database.DB) *world {
	t.Helper()
	v := vault.New(vault.NewKey())
	clk := clock.NewFixed(start)
	blobs, err := files.NewFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := New(db, v, clk, tokens.New(v), files.New(db, v, clk, blobs), Options{
		BaseURL: "https://act.example.org", Words: func(lang, key string, _ ...any) string { return lang + " " + key },
		Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	t.Cleanup(s.Close)
	w := &world{Service: s, t: t, ctx: context.Background(), clk: clk, log: &log, door: confirmations.New(clk, tokens.New(v))}
	w.door.Register(s.Source())
	w.door.Register(s.DraftSource())
	w.author, w.authorBox = w.user("maren@example.org", actor.Advocate)
	w.boss, _ = w.user("ilse@example.org", actor.Organizer)
	return w
}

func (w *world) user(email string, role actor.Role) (actor.Actor, uuid.UUID) {
	w.t.Helper()
	m, err := mailboxes.Ensure(w.ctx, w.db.DB, w.vault, email, start)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := mailboxes.Verify(w.ctx, w.db.DB, m.ID, start); err != nil {
		w.t.Fatal(err)
	}
	u := models.User{ID: models.NewID(), MailboxID: m.ID, Role: string(role), Locale: "es", CreatedAt: start, UpdatedAt: start}
	if err := w.db.Create(&u).Error; err != nil {
		w.t.Fatal(err)
	}
	return actor.Actor{Kind: actor.User, UserID: u.ID, Role: role}, m.ID
}

func fullDraft(title string) Draft {
	return Draft{
		Title: title, Summary: "We ask the Committee to pass HB 412.", Body: "Most plans **stop** after six visits.", Decider: "House Health Committee",
		WhyNow: "The hearing is on 16 March.", SystemChange: "Twenty visits a year are covered.", Goal: 5000, Locale: "en",
	}
}

// published makes a public petition.
func (w *world) published(title string) models.Petition {
	w.t.Helper()
	p, err := w.Create(w.ctx, w.author, CreateInput{Draft: fullDraft(title)})
	if err != nil {
		w.t.Fatal(err)
	}
	if p, err = w.Submit(w.ctx, w.author, p.ID, p.Revision); err != nil {
		w.t.Fatal(err)
	}
	if p, err = w.Publish(w.ctx, w.boss, p.ID, p.Revision); err != nil {
		w.t.Fatal(err)
	}
	return p
}

func form(slug, email string) SignInput {
	return SignInput{Slug: slug, GivenName: "June", FamilyName: "Okafor", Email: email, PostalCode: "00012", Display: "initials", Locale: "en"}
}

func (w *world) sign(in SignInput) SignResult {
	w.t.Helper()
	r, err := w.Sign(w.ctx, in)
	if err != nil {
		w.t.Fatalf("%+v", err)
	}
	return r
}

// link is the token that a mail to the address would hold.
func (w *world) link(email string) string {
	w.t.Helper()
	m, err := mailboxes.Find(w.ctx, w.db.DB, w.vault, email)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.signer.Make(tokens.Confirm, m.ID, w.clk.Now().Add(week))
}

func (w *world) confirmed(in SignInput) {
	w.t.Helper()
	w.sign(in)
	if _, err := w.Confirm(w.ctx, w.link(in.Email), nil); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) counts(id uuid.UUID) [2]int {
	w.t.Helper()
	p, err := take(w.ctx, w.db.DB, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return [2]int{p.PendingCount, p.SignatureCount}
}

func (w *world) rows(model any, where string, args ...any) int {
	w.t.Helper()
	var n int64
	if err := w.db.Model(model).Where(where, args...).Count(&n).Error; err != nil {
		w.t.Fatal(err)
	}
	return int(n)
}

func (w *world) mailed(kind string) int {
	w.t.Helper()
	return w.rows(&models.Delivery{}, "kind = ?", kind)
}

func TestFromDraftToPublic(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if _, err := w.Create(w.ctx, actor.Actor{}, CreateInput{Draft: fullDraft("x")}); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("nobody drafts: %v", err)
		}
		if _, err := w.Create(w.ctx, w.author, CreateInput{Draft: Draft{Locale: "en"}}); fields(err) != "title" {
			t.Errorf("no title: %v", err)
		}
		p, err := w.Create(w.ctx, w.author, CreateInput{Draft: Draft{Title: "Twenty visits", Locale: "en"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Submit(w.ctx, w.author, p.ID, p.Revision); fields(err) != "summary_text body decider why_now system_change goal" {
			t.Errorf("an empty draft: %v", err)
		}
		d := fullDraft("Twenty visits")
		d.Goal = 5
		if _, err := w.Save(w.ctx, w.author, p.ID, SaveInput{d, p.Revision}); fields(err) != "goal" {
			t.Errorf("a goal of five: %v", err)
		}
		d = fullDraft(strings.Repeat("é", 81))
		if _, err := w.Save(w.ctx, w.author, p.ID, SaveInput{d, p.Revision}); fields(err) != "title" {
			t.Errorf("a long title: %v", err)
		}
		d = fullDraft("Twenty\x00visits")
		if _, err := w.Save(w.ctx, w.author, p.ID, SaveInput{d, p.Revision}); fields(err) != "title" {
			t.Errorf("a NUL: %v", err)
		}
		saved, err := w.Save(w.ctx, w.author, p.ID, SaveInput{fullDraft("Twenty visits"), p.Revision})
		if err != nil || saved.Revision != p.Revision+1 {
			t.Fatalf("%d, %v", saved.Revision, err)
		}
		stored, err := w.Save(w.ctx, w.author, p.ID, SaveInput{fullDraft("Thirty visits"), p.Revision})
		if !fault.Is(err, fault.Conflict) || stored.Title != "Twenty visits" {
			t.Errorf("an old page: %q, %v", stored.Title, err)
		}
		if again, err := w.Save(w.ctx, w.author, p.ID, SaveInput{fullDraft("Twenty visits"), p.Revision}); err != nil || again.Revision != saved.Revision {
			t.Errorf("the same words from an old page: %d, %v", again.Revision, err)
		}
		stranger, _ := w.user("cal@example.org", actor.Advocate)
		if _, err := w.Draft(w.ctx, stranger, p.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("another advocate reads a draft: %v", err)
		}
		if _, err := w.Submit(w.ctx, stranger, p.ID, saved.Revision); !fault.Is(err, fault.NotFound) {
			t.Errorf("another advocate submits: %v", err)
		}
		if _, err := w.Submit(w.ctx, w.author, p.ID, p.Revision); !fault.Is(err, fault.Conflict) {
			t.Errorf("submitted what was not read: %v", err)
		}
		if p, err = w.Submit(w.ctx, w.author, p.ID, saved.Revision); err != nil || p.State != models.PetitionSubmitted {
			t.Fatal(p.State, err)
		}
		if _, err := w.Save(w.ctx, w.author, p.ID, SaveInput{fullDraft("Other"), p.Revision}); !fault.Is(err, fault.Conflict) {
			t.Errorf("changed after submitting: %v", err)
		}
		if _, err := w.Publish(w.ctx, w.author, p.ID, p.Revision); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an author publishes: %v", err)
		}
		q, err := w.Queues(w.ctx, w.boss)
		if err != nil || len(q) == 0 || q[0].Count != 1 || !q[0].Oldest.Equal(start) {
			t.Errorf("queue: %+v, %v", q, err)
		}
		if _, err := w.Return(w.ctx, w.boss, p.ID, ReturnInput{Reason: "nonsense", Revision: p.Revision}); fields(err) != "reason" {
			t.Errorf("a reason of no list: %v", err)
		}
		if p, err = w.Return(w.ctx, w.boss, p.ID, ReturnInput{Reason: "source", Text: "Where is the six from?", Revision: p.Revision}); err != nil || p.State != models.PetitionReturned {
			t.Fatal(p.State, err)
		}
		w.clk.Add(time.Hour)
		if p, err = w.Submit(w.ctx, w.author, p.ID, p.Revision); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Public(w.ctx, p.Slug); !fault.Is(err, fault.NotFound) {
			t.Errorf("public too soon: %v", err)
		}
		if p, err = w.Publish(w.ctx, w.boss, p.ID, p.Revision); err != nil || p.Slug != "twenty-visits" || p.PublishedAt == nil {
			t.Fatalf("%+v, %v", p, err)
		}
		if _, err := w.Publish(w.ctx, w.boss, p.ID, p.Revision); !fault.Is(err, fault.Conflict) {
			t.Errorf("published twice: %v", err)
		}
		v, err := w.Public(w.ctx, "twenty-visits")
		if err != nil || !v.Open || v.CampaignSlug != "twenty-visits" {
			t.Errorf("%+v, %v", v, err)
		}
		if n := w.mailed(KindState); n != 4 { // submitted, returned, submitted, published
			t.Errorf("%d mails to the author", n)
		}
		if n := w.rows(&models.AuditEntry{}, "object_id = ?", p.ID); n != 6 { // create, save, submit, return, submit, publish
			t.Errorf("%d audit entries", n)
		}
		if two := w.published("Twenty visits"); two.Slug != "twenty-visits-2" {
			t.Errorf("the second of a name: %q", two.Slug)
		}
	})
}

func fields(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Invalid {
		return ""
	}
	var names []string
	for _, x := range f.Fields {
		names = append(names, x.Name)
	}
	return strings.Join(names, " ")
}

func TestSteering(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		steps := []struct {
			a    actor.Actor
			do   Action
			ok   bool
			open bool
		}{
			{w.author, Pause, false, true},
			{w.boss, Pause, true, false},
			{w.boss, Pause, false, false},
			{w.boss, Resume, true, true},
			{w.boss, Hide, true, false},
			{w.boss, Show, true, true},
			{w.boss, Withdraw, false, true},
			{w.boss, Close, true, false},
			{w.boss, Hide, true, false},
			{w.boss, Show, true, false},
			{w.author, Withdraw, false, false},
			{w.boss, Publish, false, false},
		}
		for i, s := range steps {
			_, err := w.Steer(w.ctx, s.a, p.ID, s.do)
			if (err == nil) != s.ok {
				t.Errorf("step %d, %s: %v", i, s.do, err)
			}
			if v, _ := w.Public(w.ctx, p.Slug); v.Open != s.open {
				t.Errorf("step %d, %s: open %v", i, s.do, v.Open)
			}
		}
		mine := w.published("Taken back")
		if _, err := w.Steer(w.ctx, w.author, mine.ID, Withdraw); err != nil {
			t.Error(err)
		}
		if _, err := w.Public(w.ctx, mine.Slug); !fault.Is(err, fault.Gone) {
			t.Errorf("withdrawn: %v", err)
		}
		if _, err := w.Sign(w.ctx, form(mine.Slug, "june@example.org")); !fault.Is(err, fault.Gone) {
			t.Errorf("signing what was withdrawn: %v", err)
		}
	})
}

func TestSignThenConfirm(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		in := form(p.Slug, " June@Example.ORG ")
		in.Updates, in.ConsentText, in.Comment, in.Source = true, "Write to me about this petition", "It was not the same.", "poster"
		w.sign(in)
		if c := w.counts(p.ID); c != [2]int{1, 0} {
			t.Fatalf("after signing: %v", c)
		}
		if n := w.rows(&models.Supporter{}, "1 = 1"); n != 0 {
			t.Errorf("a form that nobody confirmed made %d supporters", n)
		}
		if n := w.rows(&models.Consent{}, "1 = 1"); n != 0 {
			t.Errorf("a form that nobody confirmed made %d consents", n)
		}
		token := w.link("june@example.org")
		for range 3 { // a scanner follows the link
			wait, err := w.door.Waiting(w.ctx, token)
			if err != nil || len(wait.Items) != 1 || wait.Items[0].ShownName != "June O." || !wait.Items[0].Updates || !wait.Items[0].Open {
				t.Fatalf("%+v, %v", wait, err)
			}
		}
		if c := w.counts(p.ID); c != [2]int{1, 0} {
			t.Fatalf("reading the page counted: %v", c)
		}
		w.clk.Add(time.Hour)
		done, err := w.Confirm(w.ctx, token, nil)
		if err != nil || done.Already || len(done.Counted) != 1 || done.Counted[0].Number != 1 || done.Counted[0].Slug != p.Slug {
			t.Fatalf("%+v, %v", done, err)
		}
		again, err := w.Confirm(w.ctx, token, nil)
		if err != nil || !again.Already || again.Counted[0].Number != 1 {
			t.Errorf("twice: %+v, %v", again, err)
		}
		if c := w.counts(p.ID); c != [2]int{0, 1} {
			t.Errorf("after confirming: %v", c)
		}
		var sig models.Signature
		if err := w.db.Take(&sig, "petition_id = ?", p.ID).Error; err != nil {
			t.Fatal(err)
		}
		if sig.State != models.SignatureConfirmed || sig.DisplayName != "June O." || sig.CommentState != models.CommentWaiting || sig.CommentShown != "" || sig.Number != 1 || sig.Source != "poster" {
			t.Errorf("%+v", sig)
		}
		if bytes.Contains(sig.GivenNameSealed, []byte("June")) {
			t.Error("the name lies in clear")
		}
		var box models.Mailbox
		if err := w.db.Take(&box, "id = ?", sig.MailboxID).Error; err != nil || box.VerifiedAt == nil || box.SupporterID == nil {
			t.Errorf("%+v, %v", box, err)
		}
		var c models.Consent
		if err := w.db.Take(&c, "mailbox_id = ?", box.ID).Error; err != nil || c.Purpose != models.PurposeUpdates || c.ScopeID != p.CampaignID || c.How != models.ConsentByMail ||
			!c.ShownAt.Equal(start) || !c.GivenAt.Equal(start.Add(time.Hour)) || *c.EvidenceID != sig.ID {
			t.Errorf("%+v, %v", c, err)
		}
		if f, err := w.Figures(w.ctx, p.Slug, time.UTC); err != nil || f.SignatureCount != 1 || f.URL != "https://act.example.org/petitions/twenty-visits" {
			t.Errorf("%+v, %v", f, err)
		}
	})
}

// Whoever asks learns nothing: the answer is the same, and what exists stays as it is.
func TestTheSameAnswerForEveryAddress(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		w.confirmed(form(p.Slug, "june@example.org"))
		w.sign(form(p.Slug, "cal@example.org"))
		w.clk.Add(time.Minute)
		mails := w.mailed(KindConfirm)
		seen := map[uuid.UUID]bool{}
		for _, email := range []string{"june@example.org", "cal@example.org", "new@example.org", "june@example.org", "cal@example.org"} {
			in := form(p.Slug, email)
			in.GivenName, in.Display, in.Comment, in.PostalCode = "Mallory", "name", "changed", "00099"
			r, err := w.Sign(w.ctx, in)
			if err != nil || r.ID == uuid.Nil || seen[r.ID] {
				t.Errorf("%s: %v, %v", email, r, err)
			}
			seen[r.ID] = true
		}
		if c := w.counts(p.ID); c != [2]int{2, 1} {
			t.Errorf("counts %v", c)
		}
		if n := w.mailed(KindConfirm) - mails; n != 1 {
			t.Errorf("%d confirmation mails, want one for the new address", n)
		}
		if n := w.mailed(KindAlready); n != 1 {
			t.Errorf("%d notes to who is counted, want one a day", n)
		}
		wait, err := w.door.Waiting(w.ctx, w.link("cal@example.org"))
		if err != nil || len(wait.Items) != 1 || wait.Items[0].ShownName != "June O." {
			t.Errorf("what waited was changed: %+v, %v", wait, err)
		}
		var s models.Supporter
		if err := w.db.Take(&s).Error; err != nil {
			t.Fatal(err)
		}
		if name, err := w.vault.Open("supporters", "given_name_sealed", s.ID, s.GivenNameSealed); err != nil || name != "June" {
			t.Errorf("a form changed a supporter: %q, %v", name, err)
		}
		w.clk.Add(25 * time.Hour)
		w.sign(form(p.Slug, "june@example.org"))
		w.sign(form(p.Slug, "cal@example.org"))
		if a, c := w.mailed(KindAlready), w.mailed(KindConfirm)-mails; a != 2 || c != 2 {
			t.Errorf("the next day: %d notes, %d confirmations", a, c)
		}
	})
}

func TestOneMailForAllThatWaits(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		one, two := w.published("One"), w.published("Two")
		first := w.sign(form(one.Slug, "june@example.org"))
		second := w.sign(form(two.Slug, "june@example.org"))
		if n := w.mailed(KindConfirm); n != 1 {
			t.Errorf("%d mails to an address that nobody confirmed", n)
		}
		token := w.link("june@example.org")
		if _, err := w.Confirm(w.ctx, token, nil); fields(err) != "signature" {
			t.Errorf("nothing chosen of two: %v", err)
		}
		done, err := w.Confirm(w.ctx, token, []uuid.UUID{first.ID})
		if err != nil || len(done.Counted) != 1 || w.counts(one.ID) != [2]int{0, 1} || w.counts(two.ID) != [2]int{1, 0} {
			t.Errorf("%+v, %v", done, err)
		}
		elsewhere := w.sign(form(two.Slug, "cal@example.org"))
		if _, err := w.Confirm(w.ctx, token, []uuid.UUID{elsewhere.ID}); !fault.Is(err, fault.Gone) {
			t.Errorf("another mailbox's signature: %v", err)
		}
		if done, err := w.Confirm(w.ctx, token, []uuid.UUID{first.ID, second.ID}); err != nil || done.Already || len(done.Counted) != 1 {
			t.Errorf("%+v, %v", done, err)
		}
		if w.counts(one.ID) != [2]int{0, 1} || w.counts(two.ID) != [2]int{1, 1} {
			t.Error(w.counts(one.ID), w.counts(two.ID))
		}
		if n := w.rows(&models.Supporter{}, "1 = 1"); n != 1 {
			t.Errorf("%d supporters of one mailbox", n)
		}
	})
}

func TestDisown(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, two := w.published("One"), w.published("Two")
		w.confirmed(form(two.Slug, "june@example.org"))
		w.sign(form(p.Slug, "june@example.org"))
		token := w.link("june@example.org")
		for range 2 {
			if err := w.door.Disown(w.ctx, token, nil); err != nil {
				t.Fatal(err)
			}
		}
		if w.counts(p.ID) != [2]int{0, 0} || w.counts(two.ID) != [2]int{0, 1} {
			t.Error(w.counts(p.ID), w.counts(two.ID))
		}
		if n := w.rows(&models.Delivery{}, "kind = ? AND state = 'queued' AND subject_id NOT IN (SELECT id FROM signatures)", KindConfirm); n != 0 {
			t.Errorf("%d mails still go out", n)
		}
	})
}

func TestTheCodeIsBoundToTheBrowser(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		here := w.sign(form(p.Slug, "june@example.org"))
		code := w.signer.Code(tokens.Confirm, here.ID)
		mark := w.door.Mark("", here.ID)
		if got := w.door.Marked(mark); len(got) != 1 || got[0] != here.ID {
			t.Fatalf("%v", got)
		}
		if got := w.door.Marked("junk." + mark + "x." + mark); len(got) != 1 {
			t.Errorf("%v", got)
		}
		for i := range 7 {
			mark = w.door.Mark(mark, models.NewID())
			if n := len(w.door.Marked(mark)); n > 5 || i < 4 && n != i+2 {
				t.Errorf("%d in the mark after %d", n, i)
			}
		}
		if _, err := w.door.ConfirmCode(w.ctx, w.door.Marked(mark), code); fields(err) != "code" {
			t.Errorf("pushed out of the mark: %v", err)
		}
		if _, err := w.door.ConfirmCode(w.ctx, nil, code); fields(err) != "code" {
			t.Errorf("another browser: %v", err)
		}
		known := w.sign(form(p.Slug, "june@example.org")) // a second try from elsewhere: no row has this id
		if _, err := w.door.ConfirmCode(w.ctx, []uuid.UUID{known.ID}, w.signer.Code(tokens.Confirm, known.ID)); fields(err) != "code" {
			t.Errorf("an id without a row: %v", err)
		}
		done, err := w.door.ConfirmCode(w.ctx, []uuid.UUID{models.NewID(), here.ID}, " "+strings.ToLower(code[:3])+" "+code[3:])
		if err != nil || len(done.Items) != 1 || w.counts(p.ID) != [2]int{0, 1} {
			t.Errorf("%+v, %v", done, err)
		}
		if done, err := w.door.ConfirmCode(w.ctx, []uuid.UUID{here.ID}, code); err != nil || !done.Already {
			t.Errorf("again: %+v, %v", done, err)
		}

		tried := w.sign(form(p.Slug, "cal@example.org"))
		right := w.signer.Code(tokens.Confirm, tried.ID)
		for range 5 {
			if _, err := w.door.ConfirmCode(w.ctx, []uuid.UUID{tried.ID}, "333333"); fields(err) != "code" {
				t.Errorf("%v", err)
			}
		}
		if _, err := w.door.ConfirmCode(w.ctx, []uuid.UUID{tried.ID}, right); fields(err) != "code" {
			t.Errorf("after five tries: %v", err)
		}
		if _, err := w.Confirm(w.ctx, w.link("cal@example.org"), nil); err != nil {
			t.Errorf("the link after five tries: %v", err)
		}
	})
}

func TestAgainKeepsTheLimits(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		r := w.sign(form(p.Slug, "june@example.org"))
		again := func(want int) {
			t.Helper()
			if err := w.door.Again(w.ctx, []uuid.UUID{r.ID, models.NewID()}); err != nil || w.mailed(KindConfirm) != want {
				t.Errorf("%d mails, want %d, %v", w.mailed(KindConfirm), want, err)
			}
		}
		again(1)
		for i, want := range []int{2, 3, 3, 3} {
			w.clk.Add(25 * time.Hour)
			again(want)
			_ = i
		}
		if err := w.door.Again(w.ctx, nil); err != nil {
			t.Error(err)
		}
	})
}

func TestClosingAndExpiring(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		w.sign(form(p.Slug, "a@example.org"))
		w.sign(form(p.Slug, "b@example.org"))
		if _, err := w.Steer(w.ctx, w.boss, p.ID, Close); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Sign(w.ctx, form(p.Slug, "c@example.org")); !fault.Is(err, fault.Conflict) {
			t.Errorf("signed after closing: %v", err)
		}
		w.clk.Add(23 * time.Hour)
		if _, err := w.Confirm(w.ctx, w.link("a@example.org"), nil); err != nil {
			t.Errorf("23 hours after closing: %v", err)
		}
		w.clk.Add(2 * time.Hour)
		if _, err := w.Confirm(w.ctx, w.link("b@example.org"), nil); !fault.Is(err, fault.Gone) {
			t.Errorf("25 hours after closing: %v", err)
		}
		if n, err := w.Expire(w.ctx); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}

		over := start.Add(10 * day)
		d := fullDraft("By the tenth day")
		d.DeadlineAt = &over
		q, err := w.Create(w.ctx, w.boss, CreateInput{Draft: d})
		if err != nil {
			t.Fatal(err)
		}
		if q, err = w.Submit(w.ctx, w.boss, q.ID, 1); err != nil {
			t.Fatal(err)
		}
		if q, err = w.Publish(w.ctx, w.boss, q.ID, 1); err != nil {
			t.Fatal(err)
		}
		w.sign(form(q.Slug, "old@example.org"))
		w.clk.Set(start.Add(8*day + 2*time.Hour))
		if _, err := w.Confirm(w.ctx, w.link("b@example.org"), nil); !fault.Is(err, fault.Gone) {
			t.Errorf("eight days after signing: %v", err)
		}
		w.sign(form(q.Slug, "late@example.org"))
		w.sign(form(q.Slug, "old@example.org")) // its first try is over; it may try anew before the job ran
		if c := w.counts(q.ID); c != [2]int{2, 0} {
			t.Errorf("%v", c)
		}
		for _, want := range []int{1, 0} {
			if n, err := w.Expire(w.ctx); n != want || err != nil {
				t.Errorf("%d expired, want %d, %v", n, want, err)
			}
		}
		if w.counts(p.ID) != [2]int{0, 1} || w.counts(q.ID) != [2]int{2, 0} {
			t.Error(w.counts(p.ID), w.counts(q.ID))
		}
		if _, err := mailboxes.Find(w.ctx, w.db.DB, w.vault, "b@example.org"); !errors.Is(err, gorm.ErrRecordNotFound) {
			t.Errorf("an address that nobody confirmed is kept: %v", err)
		}
		for _, kept := range []string{"a@example.org", "maren@example.org", "late@example.org"} {
			if _, err := mailboxes.Find(w.ctx, w.db.DB, w.vault, kept); err != nil {
				t.Errorf("%s: %v", kept, err)
			}
		}
		w.clk.Set(over)
		if _, err := w.Sign(w.ctx, form(q.Slug, "d@example.org")); !fault.Is(err, fault.Conflict) {
			t.Errorf("signed after the deadline: %v", err)
		}
		if _, err := w.Expire(w.ctx); err != nil {
			t.Fatal(err)
		}
		if q, _ = take(w.ctx, w.db.DB, q.ID); q.State != models.PetitionClosed || !q.ClosedAt.Equal(over) {
			t.Errorf("%s %v", q.State, q.ClosedAt)
		}
		if _, err := w.Confirm(w.ctx, w.link("late@example.org"), nil); err != nil {
			t.Errorf("at the deadline: %v", err)
		}
	})
}

// Many people at once: every acknowledged signature is there once, every press counts once, and the numbers are exact.
func TestManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		const people = 60
		var wg sync.WaitGroup
		run := func(n int, fn func(i int) error) {
			for i := range n {
				wg.Go(func() {
					if err := fn(i); err != nil {
						t.Error(i, err)
					}
				})
			}
			wg.Wait()
		}
		email := func(i int) string { return fmt.Sprintf("p%d@example.org", i%people) }
		run(people+20, func(i int) error { _, err := w.Sign(w.ctx, form(p.Slug, email(i))); return err })
		if c := w.counts(p.ID); c != [2]int{people, 0} {
			t.Fatalf("after signing: %v", c)
		}
		if n := w.mailed(KindConfirm); n != people {
			t.Errorf("%d mails", n)
		}
		links := make([]string, 50)
		for i := range links {
			links[i] = w.link(email(i))
		}
		run(100, func(i int) error { _, err := w.Confirm(w.ctx, links[i%50], nil); return err })
		if c := w.counts(p.ID); c != [2]int{people - 50, 50} {
			t.Errorf("after confirming: %v", c)
		}
		var numbers []int
		if err := w.db.Model(&models.Signature{}).Where("state = 'confirmed'").Order("number").Pluck("number", &numbers).Error; err != nil {
			t.Fatal(err)
		}
		for i, n := range numbers {
			if n != i+1 {
				t.Fatalf("numbers: %v", numbers)
			}
		}
		if n := w.rows(&models.Supporter{}, "1 = 1"); n != 50 {
			t.Errorf("%d supporters", n)
		}
		// Everything at once.
		run(40, func(i int) error {
			var err error
			switch i % 4 {
			case 0:
				_, err = w.Sign(w.ctx, form(p.Slug, fmt.Sprintf("q%d@example.org", i)))
			case 1:
				_, err = w.Confirm(w.ctx, w.link(email(50+i/4)), nil)
			case 2:
				_, err = w.Recount(w.ctx)
			case 3:
				_, err = w.Expire(w.ctx)
			}
			return err
		})
		if c := w.counts(p.ID); c != [2]int{10, 60} {
			t.Errorf("at last: %v", c)
		}
		if w.log.Len() > 0 {
			t.Errorf("the recount found: %s", w.log)
		}
	})
}

func TestABatchGivesTheSameWhenRunAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, two := w.published("One"), w.published("Two")
		var batch []newSignature
		for i, slug := range []string{p.Slug, p.Slug, two.Slug, p.Slug, p.Slug} {
			in := form(slug, []string{"a@example.org", "b@example.org", "a@example.org", "a@example.org", "c@example.org"}[i])
			target := p
			if slug == two.Slug {
				target = two
			}
			row, err := w.prepare(target, in, w.clk.Now())
			if err != nil {
				t.Fatal(err)
			}
			batch = append(batch, row)
		}
		for range 2 {
			if err := w.db.Tx(w.ctx, func(tx *gorm.DB) error { return w.insert(w.ctx, tx, batch) }); err != nil {
				t.Fatal(err)
			}
			if w.counts(p.ID) != [2]int{3, 0} || w.counts(two.ID) != [2]int{1, 0} || w.mailed(KindConfirm) != 3 {
				t.Errorf("%v %v, %d mails", w.counts(p.ID), w.counts(two.ID), w.mailed(KindConfirm))
			}
		}
	})
}

func TestRecountRepairs(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		w.confirmed(form(p.Slug, "a@example.org"))
		w.sign(form(p.Slug, "b@example.org"))
		if n, err := w.Recount(w.ctx); n != 0 || err != nil || w.log.Len() > 0 {
			t.Errorf("right numbers: %d, %v, %s", n, err, w.log)
		}
		if err := w.db.Exec("UPDATE petitions SET signature_count = 7, pending_count = 0").Error; err != nil {
			t.Fatal(err)
		}
		if n, err := w.Recount(w.ctx); n != 1 || err != nil || w.counts(p.ID) != [2]int{1, 1} || !strings.Contains(w.log.String(), p.ID.String()) {
			t.Errorf("wrong numbers: %d, %v, %v, %s", n, err, w.counts(p.ID), w.log)
		}
	})
}

func TestCommentsAndPlaces(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		texts := []string{"It was not the same.", "Some days I want to die.", "<b>Call</b> me"}
		for i := range 11 {
			in := form(p.Slug, fmt.Sprintf("p%d@example.org", i))
			in.PostalCode = "00012"
			if i < len(texts) {
				in.Comment = texts[i]
			}
			if i == 2 {
				in.Display = "anonymous"
			}
			if i == 10 {
				in.PostalCode = "00099"
			}
			w.clk.Add(time.Minute)
			w.confirmed(in)
		}
		v, err := w.Public(w.ctx, p.Slug)
		if err != nil || len(v.Comments) != 0 || len(v.Signers) != 11 {
			t.Fatalf("%+v, %v", v, err)
		}
		if v.Signers[0].Place != "" || v.Signers[1].Place != "00012" || v.Signers[1].Name != "June O." {
			t.Errorf("%+v", v.Signers[:2])
		}
		if _, _, err := w.CommentQueue(w.ctx, w.author, p.ID); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an advocate reads the queue: %v", err)
		}
		queue, total, err := w.CommentQueue(w.ctx, w.boss, uuid.Nil)
		if err != nil || total != 3 || len(queue) != 3 || !queue[0].Crisis || queue[0].Text != texts[1] || queue[1].Text != texts[0] {
			t.Fatalf("%+v, %d, %v", queue, total, err)
		}
		if q, err := w.Queues(w.ctx, w.boss); err != nil || q[1].Count != 3 {
			t.Errorf("%+v, %v", q, err)
		}
		if err := w.JudgeComment(w.ctx, w.author, p.ID, queue[1].ID, true); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an advocate judges: %v", err)
		}
		if err := w.JudgeComment(w.ctx, w.boss, models.NewID(), queue[1].ID, true); !fault.Is(err, fault.NotFound) {
			t.Errorf("under another petition: %v", err)
		}
		for i, show := range []bool{false, true, true} {
			if err := w.JudgeComment(w.ctx, w.boss, p.ID, queue[i].ID, show); err != nil {
				t.Fatal(err)
			}
		}
		v, err = w.Public(w.ctx, p.Slug)
		if err != nil || len(v.Comments) != 2 || v.Comments[0].Text != texts[2] || v.Comments[0].Name != "" || v.Comments[1].Name != "June O." {
			t.Errorf("%+v, %v", v.Comments, err)
		}
		if err := w.JudgeComment(w.ctx, w.boss, p.ID, queue[1].ID, false); err != nil {
			t.Fatal(err)
		}
		if v, err = w.Public(w.ctx, p.Slug); err != nil || len(v.Comments) != 1 {
			t.Errorf("%+v, %v", v.Comments, err)
		}
		if n := w.rows(&models.Signature{}, "comment_shown <> ''"); n != 1 {
			t.Errorf("%d comments lie in clear", n)
		}
	})
}

// Words of self-harm come first in the queue, in both languages and wherever they stand, the oldest of them before the others; a
// change of words counts; and no sweep shows one of them.
func TestWordsOfSelfHarmComeFirst(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, other := w.published("Twenty visits"), w.published("A night bus")
		texts := []string{"It was not the same.", "I drive my wife.", "Hace años que no quiero vivir así.", "Please pass it.", "Some days I WANT TO DIE", "Pienso en el suicidio.", "Gracias."}
		for i, text := range texts {
			in := form(p.Slug, fmt.Sprintf("p%d@example.org", i))
			if in.Comment = text; i == 4 {
				in.Slug = other.Slug
			}
			w.clk.Add(time.Minute)
			w.confirmed(in)
		}
		order := func(petition uuid.UUID) string {
			t.Helper()
			queue, _, err := w.CommentQueue(w.ctx, w.boss, petition)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, c := range queue {
				i := slices.Index(texts, c.Text)
				if c.Crisis != slices.Contains([]int{2, 4, 5}, i) {
					t.Errorf("%q: %t", c.Text, c.Crisis)
				}
				out = append(out, fmt.Sprint(i))
			}
			return strings.Join(out, " ")
		}
		if got := order(uuid.Nil); got != "2 4 5 0 1 3 6" {
			t.Errorf("all: %s", got)
		}
		if got := order(p.ID); got != "2 5 0 1 3 6" {
			t.Errorf("one petition: %s", got)
		}
	})
}

func TestReport(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		zone, err := time.LoadLocation("America/New_York")
		if err != nil {
			t.Fatal(err)
		}
		p := w.published("Twenty visits")
		for i, at := range []time.Time{
			time.Date(2027, 3, 13, 23, 30, 0, 0, zone), time.Date(2027, 3, 14, 0, 30, 0, 0, zone), time.Date(2027, 3, 14, 23, 30, 0, 0, zone), // 23 hours long
			time.Date(2027, 3, 15, 8, 0, 0, 0, zone),
		} {
			w.clk.Set(at)
			in := form(p.Slug, fmt.Sprintf("p%d@example.org", i))
			if i > 0 {
				in.Source = "qr"
			}
			w.confirmed(in)
		}
		r, err := w.Report(w.ctx, w.author, p.ID, zone)
		if err != nil || len(r.Days) != 30 || r.Today().Confirmed != 1 || r.Days[28].Confirmed != 2 || r.Days[27].Confirmed != 1 || r.Best().Confirmed != 2 || r.Signed() != 4 || r.Confirmed() != 4 {
			t.Errorf("%+v, %v", r, err)
		}
		if len(r.Sources) != 2 || r.Sources[0] != (SourceCount{"qr", 3, 3}) || r.Sources[1] != (SourceCount{"", 1, 1}) {
			t.Errorf("%+v", r.Sources)
		}
		viewer, _ := w.user("v@example.org", actor.Viewer)
		if _, err := w.Report(w.ctx, viewer, p.ID, zone); err != nil {
			t.Errorf("a viewer reads figures: %v", err)
		}
		draft, err := w.Create(w.ctx, w.author, CreateInput{Draft: Draft{Title: "x", Locale: "en"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Report(w.ctx, viewer, draft.ID, zone); !fault.Is(err, fault.NotFound) {
			t.Errorf("a viewer reads a draft: %v", err)
		}
		for a, want := range map[actor.Actor]int{viewer: 1, w.author: 2, w.boss: 2} {
			if page, err := w.List(w.ctx, a, "", paging.Cursor{}); err != nil || len(page.Rows) != want {
				t.Errorf("%s lists %d, %v", a.Role, len(page.Rows), err)
			}
		}
		if page, err := w.List(w.ctx, w.boss, models.PetitionDraft, paging.Cursor{}); err != nil || len(page.Rows) != 1 {
			t.Errorf("%v, %v", page, err)
		}
	})
}

func TestMails(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		in := form(p.Slug, "june@example.org")
		in.Updates, in.ConsentText, in.Locale = true, "Write to me", "es"
		r := w.sign(in)
		render := func(kind string) (string, any, error) {
			var d models.Delivery
			if err := w.db.Order("created_at DESC, id DESC").Take(&d, "kind = ?", kind).Error; err != nil {
				t.Fatal(err)
			}
			c, err := w.Renderers()[kind](w.ctx, d)
			return c.Lang, c.Data, err
		}
		w.clk.Add(36 * time.Hour)
		lang, data, err := render(KindConfirm)
		m, ok := data.(ConfirmMail)
		if err != nil || !ok || lang != "es" || m.GivenName != "June" || m.SignedAs != "June O." || !m.WithUpdates || m.Days != 6 ||
			m.ConfirmHost != "act.example.org/confirm" || !w.signer.CodeMatches(tokens.Confirm, r.ID, m.Code) {
			t.Fatalf("%s %+v, %v", lang, data, err)
		}
		token := strings.TrimPrefix(m.ConfirmURL, "https://act.example.org/confirm/")
		if _, err := w.Confirm(w.ctx, token, nil); err != nil {
			t.Fatal(err)
		}
		if _, _, err := render(KindConfirm); !fault.Is(err, fault.Gone) {
			t.Errorf("a confirmation of what is confirmed: %v", err)
		}
		w.sign(in)
		if _, data, err := render(KindAlready); err != nil || data.(AlreadyMail).PetitionURL != "https://act.example.org/petitions/twenty-visits" {
			t.Errorf("%+v, %v", data, err)
		}
		if lang, data, err := render(KindState); err != nil || lang != "es" || data.(StateMail).State != "published" {
			t.Errorf("%s %+v, %v", lang, data, err)
		}
		q, err := w.Create(w.ctx, w.author, CreateInput{Draft: fullDraft("Another")})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Submit(w.ctx, w.author, q.ID, 1); err != nil {
			t.Fatal(err)
		}
		w.clk.Add(time.Minute)
		if _, err := w.Return(w.ctx, w.boss, q.ID, ReturnInput{Reason: "source", Text: "Which study?", Revision: 1}); err != nil {
			t.Fatal(err)
		}
		if _, data, err := render(KindState); err != nil || data.(StateMail).Reason != "es petition.reason_source es moderate.reason_source\n\nWhich study?" || !strings.HasSuffix(data.(StateMail).URL, "/edit") {
			t.Errorf("%+v, %v", data, err)
		}
	})
}

func TestBadForms(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		for name, c := range map[string]struct {
			change func(*SignInput)
			want   string
		}{
			"nothing":              {func(in *SignInput) { *in = SignInput{Slug: in.Slug} }, "given_name family_name email postal_code"},
			"NUL in a name":        {func(in *SignInput) { in.GivenName = "Ju\x00ne" }, "given_name"},
			"not UTF-8":            {func(in *SignInput) { in.FamilyName = "Oka\xfffor" }, "family_name"},
			"markup":               {func(in *SignInput) { in.GivenName = "<script>alert(1)</script>" }, "given_name"},
			"an address in a name": {func(in *SignInput) { in.FamilyName = "buy at shop.example.com" }, "family_name"},
			"a link in a name":     {func(in *SignInput) { in.GivenName = "https://x.example" }, "given_name"},
			"101 characters":       {func(in *SignInput) { in.GivenName = strings.Repeat("é", 101) }, "given_name"},
			"turning letters":      {func(in *SignInput) { in.GivenName = "June\u202eevil" }, "given_name"},
			"zalgo":                {func(in *SignInput) { in.GivenName = "J" + strings.Repeat("\u0336", 20) }, "given_name"},
			"only digits":          {func(in *SignInput) { in.FamilyName = "12345" }, "family_name"},
			"header injection":     {func(in *SignInput) { in.Email = "june@example.org\r\nBcc: x@example.org" }, "email"},
			"no at":                {func(in *SignInput) { in.Email = "june.example.org" }, "email"},
			"a long postal code":   {func(in *SignInput) { in.PostalCode = "0123456789012" }, "postal_code"},
			"a strange one":        {func(in *SignInput) { in.PostalCode = "00'12" }, "postal_code"},
			"a long comment":       {func(in *SignInput) { in.Comment = strings.Repeat("x", 2001) }, "comment"},
			"5 MB":                 {func(in *SignInput) { in.Comment = strings.Repeat("x", 5<<20) }, "comment"},
			"NUL in a comment":     {func(in *SignInput) { in.Comment = "a\x00b" }, "comment"},
			"another way to show":  {func(in *SignInput) { in.Display = "loud" }, "display"},
			"two things":           {func(in *SignInput) { in.Email, in.PostalCode = "june.example.org", "" }, "email postal_code"},
		} {
			in := form(p.Slug, "june@example.org")
			c.change(&in)
			if _, err := w.Sign(w.ctx, in); fields(err) != c.want {
				t.Errorf("%s: %q, want %q (%v)", name, fields(err), c.want, err)
			}
		}
		if w.counts(p.ID) != [2]int{0, 0} || w.mailed(KindConfirm) != 0 {
			t.Error("a refused form left something")
		}
		for i, good := range []func(*SignInput){
			func(in *SignInput) { in.GivenName, in.FamilyName = "Renée-Louise", "O'Neil-de la Cruz Jr." },
			func(in *SignInput) { in.GivenName, in.FamilyName = "明", "李" },
			func(in *SignInput) { in.GivenName, in.FamilyName = "นภา", "สุวรรณ" },
			func(in *SignInput) { in.PostalCode = "sw1a 1aa" },
			func(in *SignInput) { in.Comment = "=1+1 \u202b שלום \n\n line" },
			func(in *SignInput) { in.Display = "" },
			func(in *SignInput) { in.Source = "<script>" },
			func(in *SignInput) { in.GivenName = "J.R." },
			func(in *SignInput) { in.GivenName = "Ma.de los Ángeles" },
		} {
			in := form(p.Slug, fmt.Sprintf("good%d@example.org", i))
			good(&in)
			if _, err := w.Sign(w.ctx, in); err != nil {
				t.Errorf("form %d: %v", i, err)
			}
		}
		if n := w.rows(&models.Signature{}, "source LIKE '%<%'") + w.rows(&models.Signature{}, "postal_area = 'SW1A 1AA'"); n != 1 {
			t.Errorf("a source with markup is kept, or a postal code not in capitals: %d", n)
		}
	})
}

// FuzzSignInput: whatever is typed is refused at its field, or kept so that every page, list and mail can show it; and what is kept is
// kept the same when it is typed again.
func FuzzSignInput(f *testing.F) {
	add := func(given, family, comment string) {
		f.Add(given, family, "june@example.org", "00012", comment, "name", "pain", "qr", "en", "192.0.2.7", "")
	}
	add("June", "Okafor", "After visit six.")
	add("J"+strings.Repeat("\u0336", 20), "Okafor", "Z"+strings.Repeat("\u0301\u0316", 40)+"algo")
	add("\u202eenuJ", "\u2066Okafor\u2069", "\u202b שלום עולם \u202c and \u202e back")
	add("=HYPERLINK(\"http://x.example\")", "+1+1", "@SUM(A1)\n-2\n\t=3")
	add("https://x.example", "www.example.org", "See https://x.example/?a=1&b=<2> <script>alert(1)</script>")
	add("Ju\x00ne", "Oka\xfffor", "a\x00b\xc3\x28")
	add("e\u0301", "李", "\r\n\r\n line \u2028 line \u2029 \u0085")
	add("محمد", "נ", "🙂🏳️‍🌈 \U000e0041 \ufdfa"+strings.Repeat("\ufdfa", 130))
	add(strings.Repeat("x", 101), " \u00a0\u200b\u3000", strings.Repeat("é", 2001))
	add("June<", "Okafor", "<")
	add("J.R.", "O'Neil-de la Cruz Jr.", "")
	f.Add("June", "Okafor", "june@example.org\r\nBcc: x@example.org", "00'12; --", "x", "loud", "boss", "<b>", "../../en", "::ffff:1.2.3.4%eth0", "zz")
	f.Add("June", "Okafor", "“june”@exámple.org", "sw1a 1aa", "x", "", "", "QR", "es", "", "ABCDEFGH")
	v := vault.New(vault.NewKey())
	s := &Service{vault: v, signer: tokens.New(v)}
	p := models.Petition{ID: models.NewID(), CampaignID: models.NewID(), Locale: "en"}
	names := []string{"given_name", "family_name", "email", "postal_code", "comment", "display", "role"}
	f.Fuzz(func(t *testing.T, given, family, email, postal, comment, display, role, source, locale, ip, by string) {
		in := SignInput{
			Slug: "x", GivenName: given, FamilyName: family, Email: email, PostalCode: postal, Comment: comment, Display: display, Role: role, Source: source, Locale: locale, ClientIP: ip, By: by,
			Updates: true, ConsentText: "Write to me",
		}
		row, err := s.prepare(p, in, start)
		if err != nil {
			got := strings.Fields(fields(err))
			if len(got) == 0 {
				t.Fatalf("%v is no fault of a field", err)
			}
			for _, name := range got {
				if !slices.Contains(names, name) {
					t.Errorf("a fault of %q", name)
				}
			}
			return
		}
		sig := row.Signature
		open := func(column string, sealed []byte) string {
			out, err := v.Open("signatures", column, sig.ID, sealed)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		again := in
		again.GivenName, again.FamilyName, again.Comment = open("given_name_sealed", sig.GivenNameSealed), open("family_name_sealed", sig.FamilyNameSealed), open("comment_sealed", sig.CommentSealed)
		again.PostalCode, again.Display, again.Source, again.Locale = sig.PostalArea, string(sig.Display), sig.Source, sig.Locale
		for _, name := range []string{again.GivenName, again.FamilyName, shown(models.DisplayName, again.GivenName, again.FamilyName), shown(models.DisplayInitials, again.GivenName, again.FamilyName)} {
			if !utf8.ValidString(name) || strings.ContainsAny(name, "<>@\x00\n\u202e\u2066") || strings.Contains(name, "://") || !strings.ContainsFunc(name, unicode.IsLetter) || overloaded(name) || utf8.RuneCountInString(name) > 2*NameMax+1 ||
				name != strings.TrimSpace(name) {
				t.Errorf("the name %q", name)
			}
		}
		if !utf8.ValidString(again.Comment) || strings.Contains(again.Comment, "\x00") || utf8.RuneCountInString(again.Comment) > CommentMax || overloaded(again.Comment) {
			t.Errorf("the comment %q", again.Comment)
		}
		if strings.Trim(sig.PostalArea, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -") != "" || sig.PostalArea == "" || len(sig.PostalArea) > 12 {
			t.Errorf("the postal area %q", sig.PostalArea)
		}
		if sig.Source != "" && !sourceForm.MatchString(sig.Source) || !localeForm.MatchString(sig.Locale) || sig.Display == "" {
			t.Errorf("%q, %q, %q", sig.Source, sig.Locale, sig.Display)
		}
		two, err := s.prepare(p, again, start)
		if err != nil {
			t.Fatalf("what was kept is refused: %+v: %v", again, err)
		}
		if two.Name != row.Name || two.Signature.PostalArea != sig.PostalArea || string(two.Mailbox.AddressHash) != string(row.Mailbox.AddressHash) {
			t.Errorf("typed again it is another: %q, %q", two.Name, row.Name)
		}
	})
}

func TestPictureAndUpdates(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, err := w.Create(w.ctx, w.author, CreateInput{Draft: fullDraft("Twenty visits")})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.SetPicture(w.ctx, w.author, p.ID, "x.png", strings.NewReader("no picture")); fields(err) != "picture" {
			t.Errorf("no picture: %v", err)
		}
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 30, 20))); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := w.SetPicture(w.ctx, w.author, p.ID, "x.png", bytes.NewReader(b.Bytes())); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.rows(&models.File{}, "state = 'stored'"); n != 1 {
			t.Errorf("%d pictures are kept", n)
		}
		if _, _, err := w.Picture(w.ctx, p.Slug); !fault.Is(err, fault.NotFound) {
			t.Errorf("a draft's picture is public: %v", err)
		}
		rc, f, err := w.DraftPicture(w.ctx, w.author, p.ID)
		if err != nil || f.ContentType != "image/png" {
			t.Fatal(f, err)
		}
		if _, err := io.ReadAll(rc); err != nil {
			t.Error(err)
		}
		_ = rc.Close()
		news := posts.New(w.db, w.clk)
		if _, err := news.PostUpdate(w.ctx, w.author, p.ID, posts.UpdateInput{Title: "a", Body: "b"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("an update of a draft: %v", err)
		}
		if _, err = w.Submit(w.ctx, w.author, p.ID, 1); fields(err) != "picture_alt" {
			t.Errorf("a picture without words: %v", err)
		}
		told := draftOf(p)
		told.PictureAlt = "A ferry on a calm day"
		if p, err = w.Save(w.ctx, w.author, p.ID, SaveInput{told, 1}); err != nil {
			t.Fatal(err)
		}
		if p, err = w.Submit(w.ctx, w.author, p.ID, 2); err != nil {
			t.Fatal(err)
		}
		if err := w.RemovePicture(w.ctx, w.author, p.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("changed after submitting: %v", err)
		}
		if p, err = w.Publish(w.ctx, w.boss, p.ID, 2); err != nil {
			t.Fatal(err)
		}
		if rc, _, err := w.Picture(w.ctx, p.Slug); err != nil {
			t.Error(err)
		} else {
			_ = rc.Close()
		}
		stranger, _ := w.user("x@example.org", actor.Advocate)
		if _, err := news.PostUpdate(w.ctx, stranger, p.ID, posts.UpdateInput{Title: "a", Body: "b"}); !fault.Is(err, fault.NotFound) {
			t.Errorf("another advocate's update: %v", err)
		}
		if _, err := news.PostUpdate(w.ctx, w.author, p.ID, posts.UpdateInput{}); fields(err) != "title body" {
			t.Errorf("an empty update: %v", err)
		}
		if _, err := news.PostUpdate(w.ctx, w.author, p.ID, posts.UpdateInput{Title: "The hearing has a date", Body: "16 March"}); err != nil {
			t.Error(err)
		}
		if v, err := w.Public(w.ctx, p.Slug); err != nil || len(v.Updates) != 1 || v.Updates[0].Title != "The hearing has a date" {
			t.Errorf("%+v, %v", v.Updates, err)
		}
	})
}
