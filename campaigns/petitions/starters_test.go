package petitions

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/paging"
	"kithline/campaigns/posts"
	"kithline/campaigns/tokens"
	"kithline/models"
)

func startInput(title, email string) StartInput {
	return StartInput{Draft: Draft{Title: title, Locale: "en"}, Name: "June Okafor", Email: email, Language: "en"}
}

// begin starts a petition in a browser of its own, and returns the cookie.
func (w *world) begin(in StartInput) (models.Petition, string) {
	w.t.Helper()
	made, err := w.Start(w.ctx, "", in)
	if err != nil {
		w.t.Fatal(err)
	}
	return made.Petition, made.Cookie
}

// starterToken is the token of the mailed link.
func (w *world) starterToken(petition uuid.UUID, email string) string {
	w.t.Helper()
	m, err := mailboxes.Find(w.ctx, w.db.DB, w.vault, email)
	if err != nil {
		w.t.Fatal(err)
	}
	var st models.PetitionStarter
	if err := w.db.Take(&st, "petition_id = ? AND mailbox_id = ?", petition, m.ID).Error; err != nil {
		w.t.Fatal(err)
	}
	return w.signer.Make(tokens.Starter, st.ID, w.clk.Now().Add(StarterFor))
}

// press takes up a mailed link and returns who acts from then on.
func (w *world) press(petition uuid.UUID, email string) actor.Actor {
	w.t.Helper()
	id, cookie, err := w.TakeUp(w.ctx, "", w.starterToken(petition, email), "Cal Winters", true)
	if err != nil || id != petition {
		w.t.Fatal(id, err)
	}
	a, err := w.Starter(w.ctx, cookie, petition)
	if err != nil || a.MailboxID == uuid.Nil {
		w.t.Fatal(a, err)
	}
	return a
}

func TestStartedWithoutAnAccount(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if _, err := w.Start(w.ctx, "", StartInput{Draft: Draft{Locale: "en"}, Email: "june.example.org"}); fields(err) != "title your_name your_email" {
			t.Errorf("nothing typed: %v", err)
		}
		if n := w.rows(&models.Petition{}, "1 = 1") + w.rows(&models.Campaign{}, "1 = 1"); n != 0 {
			t.Errorf("%d rows of a form that was wrong", n)
		}
		p, cookie := w.begin(startInput("Twenty visits", "june@example.org"))
		if p.AuthorID != nil || w.mailed(KindStart) != 1 {
			t.Errorf("author %v, %d mails", p.AuthorID, w.mailed(KindStart))
		}
		typed, err := w.Starter(w.ctx, cookie, p.ID)
		if err != nil || typed.Kind != actor.Person || typed.MailboxID != uuid.Nil {
			t.Fatal(typed, err)
		}
		// Before the address is proved: draft work, on this draft.
		d := fullDraft("Twenty visits")
		d.Claims = []Claim{{Claim: "Most plans stop after six visits."}, {}, {Claim: "x", SourceTitle: "Plan book", SourceURL: "javascript:alert(1)"}}
		if p, err = w.Save(w.ctx, typed, p.ID, SaveInput{d, p.Revision}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Check(w.ctx, typed, p.ID); fields(err) != "claim_1_source claim_1_url claim_2_url" {
			t.Errorf("facts without a source: %v", err)
		}
		d.Claims = []Claim{{"Most plans stop after six visits.", "Plan book 2026", "https://example.org/plans"}}
		if p, err = w.Save(w.ctx, typed, p.ID, SaveInput{d, p.Revision}); err != nil {
			t.Fatal(err)
		}
		if again, err := w.Save(w.ctx, typed, p.ID, SaveInput{d, 1}); err != nil || again.Revision != p.Revision {
			t.Errorf("the same words once more: %d, %v", again.Revision, err)
		}
		if _, err := w.Submit(w.ctx, typed, p.ID, p.Revision); !fault.Is(err, fault.Forbidden) {
			t.Errorf("submitted before the address was proved: %v", err)
		}
		for _, stranger := range []actor.Actor{{}, {Kind: actor.Person}, {Kind: actor.Person, MailboxID: uuid.New()}, {Kind: actor.Person, StarterID: uuid.New()}, {Kind: actor.Person, MailboxID: w.authorBox}} {
			if _, err := w.Draft(w.ctx, stranger, p.ID); !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("%+v reads the draft: %v", stranger, err)
			}
		}
		list, err := w.List(w.ctx, w.boss, "", paging.Cursor{})
		if err != nil || len(list.Rows) != 0 {
			t.Errorf("an organizer sees what nobody confirmed: %d, %v", len(list.Rows), err)
		}

		// A look at the link changes nothing.
		token := w.starterToken(p.ID, "june@example.org")
		if o, err := w.Offered(w.ctx, token); err != nil || o.Confirmed || !o.Lead {
			t.Errorf("%+v, %v", o, err)
		}
		if w.rows(&models.PetitionStarter{}, "confirmed_at IS NOT NULL") != 0 {
			t.Error("a GET confirmed")
		}
		june := w.press(p.ID, "june@example.org")
		if w.rows(&models.Mailbox{}, "verified_at IS NOT NULL AND id = ?", june.MailboxID) != 1 {
			t.Error("the mailbox is not verified")
		}
		// Who typed the address proved nothing by that.
		if _, err := w.Submit(w.ctx, typed, p.ID, p.Revision); !fault.Is(err, fault.Forbidden) {
			t.Errorf("the browser that typed submits: %v", err)
		}
		if p, err = w.Submit(w.ctx, june, p.ID, p.Revision); err != nil || p.State != models.PetitionSubmitted {
			t.Fatal(p.State, err)
		}
		if _, err := w.Draft(w.ctx, typed, p.ID); !fault.Is(err, fault.Forbidden) {
			t.Errorf("the browser that typed reads what was submitted: %v", err)
		}
		if p, err = w.Return(w.ctx, w.boss, p.ID, ReturnInput{Reason: "source", Text: "Which plans?", Revision: p.Revision}); err != nil {
			t.Fatal(err)
		}
		var mail models.Delivery
		if err := w.db.Take(&mail, "kind = ? AND mailbox_id = ?", KindState, june.MailboxID).Error; err != nil {
			t.Fatal("the starter hears nothing: ", err)
		}
		content, err := w.stateMail(w.ctx, mail)
		if m, ok := content.Data.(StateMail); err != nil || !ok || !strings.HasPrefix(m.URL, "https://act.example.org/petitions/draft/") || !strings.Contains(m.Reason, "Which plans?") {
			t.Errorf("%+v, %v", content, err)
		}
		if p, err = w.Submit(w.ctx, june, p.ID, p.Revision); err != nil {
			t.Fatal(err)
		}
		if p, err = w.Publish(w.ctx, w.boss, p.ID, p.Revision); err != nil {
			t.Fatal(err)
		}
		news := posts.New(w.db, w.clk)
		if _, err := news.PostUpdate(w.ctx, june, p.ID, posts.UpdateInput{Title: "The hearing", Body: "Tomorrow."}); err != nil {
			t.Error(err)
		}
		if _, err := news.PostUpdate(w.ctx, typed, p.ID, posts.UpdateInput{Title: "The hearing", Body: "Tomorrow."}); !fault.Is(err, fault.NotFound) {
			t.Errorf("the browser that typed posts: %v", err)
		}
		if _, err := w.Get(w.ctx, june, p.ID); err != nil {
			t.Error(err)
		}
		v, err := w.Public(w.ctx, p.Slug)
		if err != nil || len(v.Claims) != 1 || v.Claims[0].Link() == "" || len(v.Starters) != 0 {
			t.Errorf("%+v, %v", v.Said, err)
		}
		if err := w.ShowName(w.ctx, june, p.ID, true); err != nil {
			t.Fatal(err)
		}
		if v, err = w.Public(w.ctx, p.Slug); err != nil || !slices.Equal(v.Starters, []string{"June Okafor"}) {
			t.Errorf("%v, %v", v.Starters, err)
		}
		for _, do := range []Action{Hide, Close, Pause} {
			if _, err := w.Steer(w.ctx, june, p.ID, do); !fault.Is(err, fault.Forbidden) {
				t.Errorf("a starter may %s: %v", do, err)
			}
		}
		if p, err = w.Steer(w.ctx, june, p.ID, Withdraw); err != nil || p.State != models.PetitionWithdrawn {
			t.Error(p.State, err)
		}
	})
}

// Whoever types an address that is somebody's gets to their own draft and to nothing else; and the answer is the same for every
// address.
func TestStartIsNoOracle(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first, _ := w.begin(startInput("Twenty visits", "june@example.org"))
		w.press(first.ID, "june@example.org")
		second, cookie := w.begin(startInput("Mine now", "june@example.org"))
		if a, err := w.Starter(w.ctx, cookie, first.ID); err != nil || a.Kind != actor.Nobody {
			t.Fatalf("an address typed opens what is behind it: %+v, %v", a, err)
		}
		mine, err := w.Mine(w.ctx, cookie)
		if err != nil || len(mine) != 1 || mine[0].Petition.ID != second.ID {
			t.Errorf("%d, %v", len(mine), err)
		}
		_, other := w.begin(startInput("Mine now", "nobody@example.org"))
		if len(other) != len(cookie) {
			t.Error("the cookies differ in length")
		}
		for _, email := range []string{"june@example.org", "nobody@example.org", "never@example.org"} {
			if err := w.ResumeMail(w.ctx, email); err != nil {
				t.Errorf("%s: %v", email, err)
			}
			_, _, err := w.ResumeCode(w.ctx, "", email, "333333")
			if fields(err) != "code" {
				t.Errorf("%s: %v", email, err)
			}
		}
		// An address that is not confirmed gets one mail a day, whatever is typed.
		for i := range 8 {
			w.begin(startInput(fmt.Sprint("Once more ", i), "nobody@example.org"))
		}
		box, err := mailboxes.Find(w.ctx, w.db.DB, w.vault, "nobody@example.org")
		if err != nil {
			t.Fatal(err)
		}
		if n := w.rows(&models.Delivery{}, "mailbox_id = ?", box.ID); n != 1 {
			t.Errorf("%d mails", n)
		}
		if n := w.rows(&models.PetitionStarter{}, "mailbox_id = ?", box.ID); n != unconfirmedMost {
			t.Errorf("%d drafts wait", n)
		}
	})
}

func TestResumeByCode(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, _ := w.begin(startInput("Twenty visits", "june@example.org"))
		var st models.PetitionStarter
		if err := w.db.Take(&st).Error; err != nil {
			t.Fatal(err)
		}
		code := w.signer.Code(tokens.Starter, st.ID)
		id, cookie, err := w.ResumeCode(w.ctx, "", "June@Example.org", strings.ToLower(code[:3])+" "+code[3:])
		if err != nil || id != p.ID {
			t.Fatal(id, err)
		}
		if a, err := w.Starter(w.ctx, cookie, p.ID); err != nil || a.MailboxID != st.MailboxID {
			t.Errorf("%+v, %v", a, err)
		}
		for range starterTries {
			if _, _, err := w.ResumeCode(w.ctx, "", "june@example.org", "333333"); fields(err) != "code" {
				t.Fatal(err)
			}
		}
		if _, _, err := w.ResumeCode(w.ctx, "", "june@example.org", code); fields(err) != "code" {
			t.Errorf("the sixth try: %v", err)
		}
		w.press(p.ID, "june@example.org") // the link works, and the tries begin anew
		if _, _, err := w.ResumeCode(w.ctx, "", "june@example.org", code); err != nil {
			t.Error(err)
		}
		w.clk.Add(StarterFor + time.Hour)
		if a, err := w.Starter(w.ctx, cookie, p.ID); err != nil || a.Kind != actor.Nobody {
			t.Errorf("a cookie of 30 days ago: %+v, %v", a, err)
		}
	})
}

func TestWritingTogether(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, cookie := w.begin(startInput("Twenty visits", "june@example.org"))
		typed, _ := w.Starter(w.ctx, cookie, p.ID)
		if err := w.Invite(w.ctx, typed, p.ID, "cal@example.org"); !fault.Is(err, fault.Forbidden) {
			t.Errorf("invited before the address was proved: %v", err)
		}
		june := w.press(p.ID, "june@example.org")
		if err := w.Invite(w.ctx, june, p.ID, "cal.example.org"); fields(err) != "co_email" {
			t.Errorf("no address: %v", err)
		}
		for _, email := range []string{"cal@example.org", "cal@example.org", "ana@example.org", "bo@example.org", "di@example.org"} {
			if err := w.Invite(w.ctx, june, p.ID, email); err != nil {
				t.Fatal(email, err)
			}
		}
		if err := w.Invite(w.ctx, june, p.ID, "ed@example.org"); fields(err) != "co_email" {
			t.Errorf("a sixth: %v", err)
		}
		if w.mailed(KindCostart) != 4 {
			t.Errorf("%d invitations", w.mailed(KindCostart))
		}
		var d models.Delivery
		if err := w.db.Take(&d, "kind = ?", KindCostart).Error; err != nil {
			t.Fatal(err)
		}
		if c, err := w.startMail(w.ctx, d); err != nil || c.Data.(StartMail).Inviter != "June Okafor" {
			t.Errorf("%+v, %v", c, err)
		}
		if _, _, err := w.TakeUp(w.ctx, "", w.starterToken(p.ID, "cal@example.org"), "https://spam.example", true); fields(err) != "your_name" {
			t.Errorf("a name that is an address: %v", err)
		}
		cal := w.press(p.ID, "cal@example.org")
		one, err := w.Save(w.ctx, june, p.ID, SaveInput{fullDraft("By June"), p.Revision})
		if err != nil {
			t.Fatal(err)
		}
		stored, err := w.Save(w.ctx, cal, p.ID, SaveInput{fullDraft("By Cal"), p.Revision})
		if !fault.Is(err, fault.Conflict) || stored.Title != "By June" {
			t.Errorf("overwrote unseen: %q, %v", stored.Title, err)
		}
		// Cal submits what was not seen: told, and nothing is submitted.
		if _, err := w.Submit(w.ctx, cal, p.ID, p.Revision); !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), "petition_changed") {
			t.Errorf("submitted unseen: %v", err)
		}
		if now, err := take(w.ctx, w.db.DB, p.ID); err != nil || now.State != models.PetitionDraft || now.Title != "By June" {
			t.Errorf("after that: %s %q, %v", now.State, now.Title, err)
		}
		if _, err := w.Save(w.ctx, cal, p.ID, SaveInput{fullDraft("By Cal"), one.Revision}); err != nil {
			t.Error(err)
		}
		if err := w.Invite(w.ctx, cal, p.ID, "ed@example.org"); !fault.Is(err, fault.Forbidden) {
			t.Errorf("another than the lead invites: %v", err)
		}
		if _, err := w.Steer(w.ctx, cal, p.ID, Withdraw); !fault.Is(err, fault.Forbidden) {
			t.Errorf("another than the lead takes it back: %v", err)
		}
		_, all, err := w.One(w.ctx, june, p.ID)
		if err != nil || len(all) != StartersMost || !all[0].Lead || all[1].Name != "Cal Winters" || all[2].Name != "" {
			t.Fatalf("%+v, %v", all, err)
		}
		if err := w.RemoveStarter(w.ctx, cal, p.ID, all[2].ID); !fault.Is(err, fault.Forbidden) {
			t.Errorf("another than the lead removes: %v", err)
		}
		if err := w.RemoveStarter(w.ctx, june, p.ID, all[0].ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("the lead is removed: %v", err)
		}
		if err := w.Refuse(w.ctx, w.starterToken(p.ID, "bo@example.org")); err != nil {
			t.Error(err)
		}
		if err := w.RemoveStarter(w.ctx, june, p.ID, all[1].ID); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Draft(w.ctx, cal, p.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("who was removed still reads: %v", err)
		}
	})
}

// Who started a public petition without an account asks for other words; people see them once a moderator took them, and only what
// the moderator saw is taken.
func TestOtherWordsOfAStarter(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, cookie := w.begin(StartInput{Draft: fullDraft("Twenty visits"), Name: "June", Email: "june@example.org", Language: "en"})
		typed, _ := w.Starter(w.ctx, cookie, p.ID)
		june := w.press(p.ID, "june@example.org")
		ask := func(a actor.Actor, title string) error {
			t.Helper()
			now, err := take(w.ctx, w.db.DB, p.ID)
			if err != nil {
				t.Fatal(err)
			}
			in := EditInput{Draft: draftOf(now), Reason: "Said better.", Revision: now.Revision}
			in.Title = title
			_, err = w.Edit(w.ctx, a, p.ID, in)
			return err
		}
		if err := ask(june, "Thirty visits"); !fault.Is(err, fault.Conflict) {
			t.Errorf("a draft is changed as if it were public: %v", err)
		}
		p, err := w.Submit(w.ctx, june, p.ID, p.Revision)
		if err == nil {
			p, err = w.Publish(w.ctx, w.boss, p.ID, p.Revision)
		}
		if err != nil {
			t.Fatal(err)
		}
		title := func() string {
			t.Helper()
			v, err := w.Public(w.ctx, p.Slug)
			if err != nil {
				t.Fatal(err)
			}
			return v.Petition.Title
		}
		if err := ask(typed, "Thirty visits"); !fault.Is(err, fault.Forbidden) {
			t.Errorf("before the address is proved: %v", err)
		}
		if err := ask(actor.Actor{Kind: actor.Person, MailboxID: w.authorBox}, "Thirty visits"); !fault.Is(err, fault.NotFound) {
			t.Errorf("a stranger: %v", err)
		}
		if err := ask(june, ""); fields(err) != "title" {
			t.Errorf("no title: %v", err)
		}
		if err := ask(june, "Thirty visits"); err != nil || title() != "Twenty visits" {
			t.Fatalf("%q, %v", title(), err)
		}
		waits, err := w.Proposals(w.ctx, w.boss)
		if err != nil || len(waits) != 1 {
			t.Fatalf("%d wait, %v", len(waits), err)
		}
		wanted, old := Proposal(waits[0])
		if wanted.Title != "Thirty visits" || wanted.Reason != "Said better." || len(old) != 1 || old[0] != (EditedField{"title", "Twenty visits"}) {
			t.Errorf("%+v, %+v", wanted, old)
		}
		if q, err := w.Queues(w.ctx, w.boss); err != nil || len(q) == 0 || q[0].Key != "moderate.queue_edits" || q[0].Count != 1 {
			t.Errorf("%+v, %v", q, err)
		}
		if _, err := w.Proposals(w.ctx, w.author); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an advocate sees what waits: %v", err)
		}
		// Asked again before somebody looked: an answer about the first decides nothing about the second.
		first := ProposalMark(waits[0])
		w.clk.Add(time.Minute)
		if err := ask(june, "Forty visits"); err != nil {
			t.Fatal(err)
		}
		if err := w.Decline(w.ctx, w.boss, p.ID, first, "Too late."); !fault.Is(err, fault.Conflict) {
			t.Errorf("an answer to what was not seen: %v", err)
		}
		now, _ := take(w.ctx, w.db.DB, p.ID)
		if now, err = w.Edit(w.ctx, w.boss, p.ID, EditInput{Draft: fullDraft("Twenty visits!"), Revision: now.Revision, Takes: first}); err != nil || now.ProposedAt == nil {
			t.Errorf("taken unseen: %v", err)
		}
		mark := ProposalMark(now)
		if err := w.Decline(w.ctx, june, p.ID, mark, "No."); err == nil {
			t.Error("a starter answers")
		}
		if err := w.Decline(w.ctx, w.boss, p.ID, mark, "  "); fields(err) != "answer" {
			t.Errorf("no answer: %v", err)
		}
		if err := w.Decline(w.ctx, w.boss, p.ID, mark, "People signed for twenty."); err != nil || title() != "Twenty visits!" {
			t.Fatalf("%q, %v", title(), err)
		}
		mail := func(state string) {
			t.Helper()
			var d models.Delivery
			if err := w.db.Where("kind = ? AND mailbox_id = ?", KindEdit, june.MailboxID).Order("created_at DESC, id DESC").Take(&d).Error; err != nil {
				t.Fatal(err)
			}
			c, err := w.editMail(w.ctx, d)
			if m, ok := c.Data.(StateMail); err != nil || !ok || m.State != state || (m.Reason == "People signed for twenty.") != (state == "kept") {
				t.Errorf("the mail: %+v, %v", c, err)
			}
		}
		mail("kept")
		// And one that is taken.
		w.clk.Add(time.Minute)
		if err := ask(june, "Fifty visits"); err != nil {
			t.Fatal(err)
		}
		now, _ = take(w.ctx, w.db.DB, p.ID)
		wanted, _ = Proposal(now)
		in := EditInput{Draft: draftOf(wanted.With(now)), Reason: wanted.Reason, Revision: now.Revision, Takes: ProposalMark(now)}
		if now, err = w.Edit(w.ctx, w.boss, p.ID, in); err != nil || now.ProposedAt != nil || title() != "Fifty visits" {
			t.Fatalf("%q, %v", title(), err)
		}
		mail("changed")
		if n := w.mailed(KindEdit); n != 2 {
			t.Errorf("%d mails", n)
		}
		// From the hundredth signature on the words are those of the signers too.
		if err := w.db.Model(&models.Petition{}).Where("id = ?", p.ID).Update("signature_count", 99).Error; err != nil {
			t.Fatal(err)
		}
		if err := ask(june, "Sixty visits"); err != nil {
			t.Errorf("with 99: %v", err)
		}
		if err := w.db.Model(&models.Petition{}).Where("id = ?", p.ID).Update("signature_count", 100).Error; err != nil {
			t.Fatal(err)
		}
		if err := ask(june, "Seventy visits"); !fault.Is(err, fault.Forbidden) {
			t.Errorf("with 100: %v", err)
		}
	})
}

// A draft and a signature wait at one mailbox: each has its mail at once, however many there are no more, and one press does for both.
func TestADraftWaitsWithTheRest(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		open := w.published("Thirty visits")
		w.sign(form(open.Slug, "june@example.org"))
		first, _ := w.begin(startInput("Twenty visits", "june@example.org"))
		second, _ := w.begin(startInput("A night bus", "june@example.org"))
		w.sign(form(w.published("Forty visits").Slug, "june@example.org"))
		if a, b := w.mailed(KindStart), w.mailed(confirmations.PetitionConfirm); a != 1 || b != 1 {
			t.Fatalf("%d mails about drafts, %d about signatures", a, b)
		}
		// The other way round: who began a draft signs.
		w.begin(startInput("A ramp", "cal@example.org"))
		w.sign(form(open.Slug, "cal@example.org"))
		if a, b := w.mailed(KindStart), w.mailed(confirmations.PetitionConfirm); a != 2 || b != 2 {
			t.Errorf("%d mails about drafts, %d about signatures", a, b)
		}

		link := w.link("june@example.org")
		waits, err := w.door.Waiting(w.ctx, link)
		var ids []uuid.UUID
		var said []string
		for _, i := range waits.Items {
			ids, said = append(ids, i.ID), append(said, i.Kind+" "+i.Title)
		}
		slices.Sort(said)
		if got := strings.Join(said, ", "); err != nil || got != "draft A night bus, draft Twenty visits, petition Forty visits, petition Thirty visits" {
			t.Fatalf("what waits: %s, %v", got, err)
		}
		done, err := w.door.Confirm(w.ctx, link, ids)
		if err != nil || len(done.Items) != 4 || done.Already {
			t.Fatalf("%+v, %v", done, err)
		}
		if n := w.rows(&models.PetitionStarter{}, "confirmed_at IS NOT NULL"); n != 2 {
			t.Errorf("%d starters confirmed", n)
		}
		var thanks string
		var night uuid.UUID
		for _, i := range done.Items {
			if i.Title == "A night bus" {
				thanks, night = i.Thanks, i.ID
			}
		}
		token, is := strings.CutPrefix(thanks, "/petitions/draft/")
		if id, _, err := w.TakeUp(w.ctx, "", token, "", false); !is || err != nil || id != second.ID {
			t.Errorf("after the press: %s, %v", thanks, err)
		}
		// The draft that had no mail yet has one now, and no other a second one.
		if n := w.mailed(KindStart); n != 3 {
			t.Errorf("%d mails about drafts after the press", n)
		}
		again, err := w.door.Confirm(w.ctx, link, []uuid.UUID{night})
		if err != nil || !again.Already || again.Items[0].Thanks != "/petitions/resume" {
			t.Errorf("pressed twice: %+v, %v", again, err)
		}
		if waits, err := w.door.Waiting(w.ctx, link); err != nil || len(waits.Items) != 0 {
			t.Errorf("it waits on: %+v, %v", waits.Items, err)
		}
		if err := w.door.Disown(w.ctx, link, nil); err != nil || w.rows(&models.Petition{}, "id IN ?", []uuid.UUID{first.ID, second.ID}) != 2 {
			t.Errorf("what was confirmed is disowned: %v", err)
		}
		if err := w.door.Disown(w.ctx, w.link("cal@example.org"), nil); err != nil || w.rows(&models.Petition{}, "title = 'A ramp'") != 0 {
			t.Errorf("what was not begun by the reader stays: %v", err)
		}

		// A browser that proved the address opens what waits there, an invitation too.
		june := w.press(first.ID, "june@example.org")
		w.begin(startInput("A third one", "june@example.org"))
		other, _ := w.begin(startInput("Of others", "ana@example.org"))
		if err := w.Invite(w.ctx, w.press(other.ID, "ana@example.org"), other.ID, "june@example.org"); err != nil {
			t.Fatal(err)
		}
		mine, err := w.Mine(w.ctx, w.mark("", tokens.Proved, june.MailboxID))
		if err != nil || len(mine) != 4 {
			t.Fatalf("%d, %v", len(mine), err)
		}
		for _, m := range mine {
			token, linked := strings.CutPrefix(m.Link, "/petitions/draft/")
			if linked != m.Waits() {
				t.Errorf("%s waits %t and leads to %q", m.Petition.Title, m.Waits(), m.Link)
			}
			if !linked {
				continue
			}
			if id, _, err := w.TakeUp(w.ctx, "", token, "June", false); err != nil || id != m.Petition.ID {
				t.Errorf("%s: %v", m.Petition.Title, err)
			}
		}
	})
}

func TestDraftsVanish(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		left, _ := w.begin(startInput("Left alone", "june@example.org"))
		kept, _ := w.begin(startInput("Pressed", "cal@example.org"))
		cal := w.press(kept.ID, "cal@example.org")
		if _, err := w.SaveText(w.ctx, cal, kept.ID, TextInput{Text{Locale: "es", Title: "Veinte"}, 1}); err != nil {
			t.Fatal(err)
		}
		ours, err := w.Create(w.ctx, w.author, CreateInput{Draft: Draft{Title: "With an account", Locale: "en"}})
		if err != nil {
			t.Fatal(err)
		}
		system, err := w.Create(w.ctx, actor.TheSystem(), CreateInput{Draft: Draft{Title: "By the server", Locale: "en"}})
		if err != nil {
			t.Fatal(err)
		}
		vanish := func(want int) {
			t.Helper()
			if n, err := w.Vanish(w.ctx); err != nil || n != want {
				t.Fatalf("%d went, not %d: %v", n, want, err)
			}
		}
		there := func(id uuid.UUID) bool { return w.rows(&models.Petition{}, "id = ?", id) == 1 }
		vanish(0)
		w.clk.Add(unconfirmedFor - time.Minute)
		vanish(0)
		w.clk.Add(2 * time.Minute)
		vanish(1)
		if there(left.ID) || !there(kept.ID) || w.rows(&models.Campaign{}, "id = ?", left.CampaignID) != 0 {
			t.Error("the wrong one went, or its campaign stayed")
		}
		if _, _, err := w.TakeUp(w.ctx, "", w.signer.Make(tokens.Starter, uuid.New(), w.clk.Now().Add(time.Hour)), "", false); !fault.Is(err, fault.Gone) {
			t.Errorf("the link of a draft that went: %v", err)
		}
		// A change begins the 30 days anew.
		p, err := w.Save(w.ctx, cal, kept.ID, SaveInput{Draft{Title: "Pressed", Summary: "x", Locale: "en"}, 2})
		if err != nil || p.Revision != 3 {
			t.Fatal(p.Revision, err)
		}
		w.clk.Add(StarterFor - time.Hour)
		vanish(0)
		w.clk.Add(2 * time.Hour)
		vanish(1)
		if there(kept.ID) || !there(ours.ID) || !there(system.ID) || w.rows(&models.PetitionText{}, "1 = 1")+w.rows(&models.PetitionStarter{}, "1 = 1") != 0 {
			t.Error("the wrong ones went")
		}
	})
}

func TestLanguageVersions(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, err := w.Create(w.ctx, w.author, CreateInput{Draft: fullDraft("Twenty visits")})
		if err != nil {
			t.Fatal(err)
		}
		for _, locale := range []string{"en", "xx", ""} {
			if _, err := w.SaveText(w.ctx, w.author, p.ID, TextInput{Text{Locale: locale, Title: "x"}, 1}); fields(err) != "locale" {
				t.Errorf("%q: %v", locale, err)
			}
		}
		if _, err := w.SaveText(w.ctx, w.author, p.ID, TextInput{Text{Locale: "es", Title: strings.Repeat("é", TitleMax+1)}, 1}); fields(err) != "title" {
			t.Errorf("too long: %v", err)
		}
		if p, err = w.SaveText(w.ctx, w.author, p.ID, TextInput{Text{Locale: "es", Title: "Veinte visitas"}, 1}); err != nil || p.Revision != 2 {
			t.Fatal(p.Revision, err)
		}
		if _, err := w.SaveText(w.ctx, w.author, p.ID, TextInput{Text{Locale: "es", Title: "Otra"}, 1}); !fault.Is(err, fault.Conflict) {
			t.Errorf("an old page: %v", err)
		}
		if _, err := w.Check(w.ctx, w.author, p.ID); fields(err) != "text_es" {
			t.Errorf("half a version: %v", err)
		}
		whole := Text{"es", "Veinte visitas", "s", "b", "d", "w", "c"}
		if p, err = w.SaveText(w.ctx, w.author, p.ID, TextInput{whole, 2}); err != nil {
			t.Fatal(err)
		}
		_, said, err := w.Said(w.ctx, w.author, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		if in := In(p, said.Texts, "es"); in.Title != "Veinte visitas" || in.Locale != "es" || in.Goal != p.Goal {
			t.Errorf("%+v", in)
		}
		if in := In(p, said.Texts, "fr"); in.Title != p.Title || !slices.Equal(Spoken(p, said.Texts), []string{"en", "es"}) {
			t.Errorf("%q %v", in.Title, Spoken(p, said.Texts))
		}
		if err := w.RemoveText(w.ctx, w.author, p.ID, "es", 3); err != nil {
			t.Fatal(err)
		}
		if w.rows(&models.PetitionText{}, "1 = 1") != 0 {
			t.Error("it is still there")
		}
	})
}

// nasty are texts that are language to a database that reads them so.
var nasty = []string{
	`"`, `""`, `'`, `visits"`, `"visits`, `visits*`, `*`, `^visits`, `title: visits`, `{title summary}: visits`, `visits NEAR pain`, `NEAR(visits pain, 5)`,
	`visits AND`, `OR visits`, `NOT`, `AND OR NOT`, `visits -pain`, `+visits`, `(visits`, `visits)`, `((((`, `visits & pain`, `visits | !pain`, `visits <-> pain`,
	`visits:*`, `:`, `\`, `\"`, "visits\x00pain", "\xff\xfe", "visits\u2028pain", `'; DROP TABLE petitions; --`, `%`, `_`, "é\u0301\u0301", "痛み 訪問", "زيارات",
	strings.Repeat("visits ", 500), strings.Repeat("x", 5000), strings.Repeat(`"`, 999), "   ", "",
}

func TestSimilar(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		pain := w.published("Twenty visits for people in pain")
		bus := w.published("A night bus to Harrow Bay hospital")
		draft, err := w.Create(w.ctx, w.author, CreateInput{Draft: fullDraft("Thirty visits for people in pain")})
		if err != nil {
			t.Fatal(err)
		}
		hidden := w.published("Forty visits for people in pain")
		if _, err := w.Steer(w.ctx, w.boss, hidden.ID, Hide); err != nil {
			t.Fatal(err)
		}
		found := func(q string) (ids []uuid.UUID) {
			t.Helper()
			rows, err := w.Similar(w.ctx, q)
			if err != nil {
				t.Fatalf("%q: %v", q, err)
			}
			for _, r := range rows {
				if !r.State.Public() || r.ID == draft.ID || r.ID == hidden.ID {
					t.Errorf("%q shows %s, which is %s", q, r.Title, r.State)
				}
				ids = append(ids, r.ID)
			}
			return ids
		}
		if got := found("More VISITS, for people with pain!"); !slices.Equal(got, []uuid.UUID{pain.ID}) {
			t.Errorf("%v", got)
		}
		if got := found("hospital bus by night"); !slices.Equal(got, []uuid.UUID{bus.ID}) {
			t.Errorf("%v", got)
		}
		if got := found("A park for dogs in the valley"); len(got) != 0 {
			t.Errorf("%v", got)
		}
		for i := range SimilarMost + 2 {
			w.published(fmt.Sprintf("People in pain need visits, number %d", i))
		}
		if got := found("visits people pain"); len(got) != SimilarMost {
			t.Errorf("%d", len(got))
		}
		for _, q := range nasty {
			found(q)
			found(q + " visits pain people")
		}
	})
}

func FuzzWordsOf(f *testing.F) {
	for _, q := range nasty {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, q string) {
		words := wordsOf(q)
		if len(words) > 12 {
			t.Fatalf("%d words", len(words))
		}
		for _, w := range words {
			if w == "" || strings.ContainsFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.M, r) }) {
				t.Fatalf("%q is no word", w)
			}
		}
	})
}

// FuzzDraft: what is typed into a draft is refused at its field, or can be stored on both databases and shown; typed again it is the same.
func FuzzDraft(f *testing.F) {
	for _, v := range append(slices.Clone(nasty), "Twenty visits", "J"+strings.Repeat("\u0336", 20), "\u202eevil", "=1+1", "a\x00b", "\xff", "\r\n x \u2028", "<script>", strings.Repeat("é", 10_001), "javascript:alert(1)", "https://x.example/?a=1") {
		f.Add(v, 500)
	}
	f.Fuzz(func(t *testing.T, v string, goal int) {
		d := Draft{Title: v, Summary: v, Body: v, Decider: v, WhyNow: v, SystemChange: v, Place: v, Goal: goal, Locale: v, PictureAlt: v, Claims: []Claim{{v, v, v}}}
		d.trim()
		bad := d.check()
		for field, c := range map[string]struct {
			kept string
			most int
		}{
			"title": {d.Title, TitleMax}, "summary_text": {d.Summary, SummaryMax}, "body": {d.Body, BodyMax}, "decider": {d.Decider, DeciderMax}, "why_now": {d.WhyNow, WhyNowMax},
			"system_change": {d.SystemChange, SystemChangeMax}, "place": {d.Place, PlaceMax}, "picture_alt": {d.PictureAlt, PictureAltMax},
		} {
			switch {
			case bad.Has(field):
			case !utf8.ValidString(c.kept) || strings.ContainsAny(c.kept, "\x00\r") || utf8.RuneCountInString(c.kept) > c.most || c.kept != strings.TrimSpace(c.kept):
				t.Errorf("%s keeps %q", field, c.kept)
			}
		}
		if !bad.Has("goal") && goal != 0 && (goal < GoalMin || goal > GoalMax) {
			t.Errorf("a goal of %d", goal)
		}
		for _, c := range d.Claims {
			if l := c.Link(); l != "" && !strings.HasPrefix(strings.ToLower(l), "http") {
				t.Errorf("%q is linked", l)
			}
		}
		again := d
		again.trim()
		if !same(again, d) && !strings.Contains(v, "\r") { // one that is left is refused
			t.Errorf("typed again it is another: %+v", again)
		}
	})
}
