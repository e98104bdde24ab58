package petitions

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/consents"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// signers makes n people who signed and confirmed, and returns their mailboxes.
func (w *world) signers(p models.Petition, n int) []uuid.UUID {
	w.t.Helper()
	out := make([]uuid.UUID, n)
	for i := range out {
		in := form(p.Slug, fmt.Sprintf("p%d@example.org", i))
		w.confirmed(in)
		out[i] = w.box(in.Email)[0]
	}
	return out
}

func smallPicture(t *testing.T) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 30, 20))); err != nil {
		t.Fatal(err)
	}
	return &b
}

// answered ends a petition.
func (w *world) answered(p models.Petition, how models.Outcome) models.Petition {
	w.t.Helper()
	p, err := w.RecordOutcome(w.ctx, w.boss, p.ID, OutcomeInput{how, "The committee voted **9 to 4**."})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatalf("%+v", err)
	}
}

// told are the mailboxes that have the mail, each as often as it is there.
func (w *world) told() map[uuid.UUID]int {
	w.t.Helper()
	var rows []models.Delivery
	w.must(w.db.Where("kind = ? AND state <> 'suppressed'", KindOutcome).Find(&rows).Error)
	out := map[uuid.UUID]int{}
	for _, d := range rows {
		out[d.MailboxID]++
	}
	return out
}

func TestTheEndIsRecordedAndCorrected(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		if _, err := w.RecordOutcome(w.ctx, w.author, p.ID, OutcomeInput{models.OutcomeWon, "Yes."}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an advocate: %v", err)
		}
		if _, err := w.RecordOutcome(w.ctx, w.boss, p.ID, OutcomeInput{"great", " "}); fields(err) != "outcome outcome_text" {
			t.Errorf("neither: %v", err)
		}
		if _, err := w.RecordResponse(w.ctx, w.boss, p.ID, Response{From: "The Chair", At: w.clk.Now().AddDate(0, 0, 3)}); fields(err) != "text at" {
			t.Errorf("an answer of the day after tomorrow: %v", err)
		}
		p, err := w.RecordResponse(w.ctx, w.boss, p.ID, Response{"The Chair", "We will **vote**.", start})
		if err != nil || p.State != models.PetitionPublished || p.ResponseFrom != "The Chair" || !p.RespondedAt.Equal(start) {
			t.Fatalf("%+v, %v", p, err)
		}
		p = w.answered(p, models.OutcomePartly)
		if p.State != models.PetitionAnswered || p.ClosedAt == nil || p.AnsweredAt == nil || p.Outcome != models.OutcomePartly {
			t.Fatalf("%+v", p)
		}
		first := *p.AnsweredAt
		w.clk.Add(time.Hour)
		p, err = w.RecordOutcome(w.ctx, w.boss, p.ID, OutcomeInput{models.OutcomeWon, "All of it."})
		if err != nil || p.Outcome != models.OutcomeWon || !p.AnsweredAt.Equal(first) {
			t.Fatalf("corrected: %+v, %v", p, err)
		}
		if n := w.rows(&models.AuditEntry{}, "action = 'petition.answer' AND object_id = ?", p.ID); n != 2 {
			t.Errorf("%d entries in the log", n)
		}
		if n := w.rows(&models.AuditEntry{}, "action = 'petition.answer' AND details LIKE '%\"before\":\"partly\"%'"); n != 1 {
			t.Errorf("what it was before is not in the log")
		}
		if p, err = w.RecordResponse(w.ctx, w.boss, p.ID, Response{}); err != nil || p.RespondedAt != nil || p.ResponseText != "" {
			t.Errorf("taken off: %+v, %v", p, err)
		}
		if _, err := w.Sign(w.ctx, form(p.Slug, "late@example.org")); !fault.Is(err, fault.Conflict) {
			t.Errorf("signed after the answer: %v", err)
		}
	})
}

func TestAConfirmationCountsForADayAfterAnAnswer(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		w.sign(form(p.Slug, "june@example.org"))
		w.sign(form(p.Slug, "late@example.org"))
		w.answered(p, models.OutcomeWon)
		w.clk.Add(23 * time.Hour)
		if _, err := w.Confirm(w.ctx, w.link("june@example.org"), nil); err != nil {
			t.Errorf("within the day: %v", err)
		}
		w.clk.Add(2 * time.Hour)
		if _, err := w.Confirm(w.ctx, w.link("late@example.org"), nil); !fault.Is(err, fault.Gone) {
			t.Errorf("later: %v", err)
		}
	})
}

// Every signer hears once, though the job is killed between its batches, runs on two nodes at once, and the outcome is corrected
// and told again.
func TestEverySignerHearsOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		other := w.published("Another")
		boxes := w.signers(p, 60)
		w.confirmed(form(other.Slug, "only-the-other@example.org"))
		w.sign(form(p.Slug, "never-confirmed@example.org"))
		if _, err := w.TellOutcome(w.ctx, w.boss, p.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("told before there is an outcome: %v", err)
		}
		p = w.answered(p, models.OutcomeLost)
		if _, err := w.TellOutcome(w.ctx, w.author, p.ID); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an advocate: %v", err)
		}
		p, err := w.TellOutcome(w.ctx, w.boss, p.ID)
		w.must(err)
		if _, err := w.TellOutcome(w.ctx, w.boss, p.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("pressed twice: %v", err)
		}
		// A job that ends in the middle of a batch leaves nothing of it.
		w.must(w.db.Callback().Update().Before("gorm:update").Register("kill", func(tx *gorm.DB) {
			if tx.Statement.Table == "petitions" {
				_ = tx.AddError(errors.New("killed"))
			}
		}))
		if err := w.TellOn(w.ctx); err == nil {
			t.Error("a killed batch did not fail")
		}
		w.must(w.db.Callback().Update().Remove("kill"))
		if n := len(w.told()); n != 0 {
			t.Errorf("%d mails of a batch that was killed", n)
		}
		var wg sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			wg.Go(func() { errs[i] = w.TellOn(w.ctx) })
		}
		wg.Wait()
		for _, err := range errs {
			w.must(err)
		}
		w.must(w.TellOn(w.ctx))
		check := func(when string) {
			t.Helper()
			got := w.told()
			for _, b := range boxes {
				if got[b] != 1 {
					t.Errorf("%s: %d mails to a signer", when, got[b])
				}
			}
			if len(got) != len(boxes) {
				t.Errorf("%s: %d mailboxes, want %d", when, len(got), len(boxes))
			}
		}
		check("first")
		p, err = take(w.ctx, w.db.DB, p.ID)
		if err != nil || p.OutcomeToldCount != len(boxes) || p.OutcomeToldDoneAt == nil {
			t.Fatalf("%+v, %v", p, err)
		}
		p = w.answered(p, models.OutcomeWon)
		if _, err := w.TellOutcome(w.ctx, w.boss, p.ID); err != nil {
			t.Fatal(err)
		}
		w.must(w.TellOn(w.ctx))
		check("after a correction")
		// Who confirmed after the job had passed, within the day, hears by the second look.
		if _, err := w.Confirm(w.ctx, w.link("never-confirmed@example.org"), nil); err != nil {
			t.Fatal(err)
		}
		w.clk.Add(25 * time.Hour)
		w.must(w.TellOn(w.ctx))
		boxes = append(boxes, w.box("never-confirmed@example.org")[0])
		check("after a day")
		w.must(w.TellOn(w.ctx))
		check("again")
	})
}

// More mailboxes than go into one batch, with a stop between any two of them.
func TestTellingGoesOnWhereItStopped(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		w.signers(p, 1)
		var sig models.Signature
		w.must(w.db.Take(&sig, "petition_id = ?", p.ID).Error)
		const n = toldBatch*2 + 7
		boxes, sigs := make([]models.Mailbox, n), make([]models.Signature, n)
		for i := range boxes {
			m, err := mailboxes.NewRow(w.vault, fmt.Sprintf("many%d@example.org", i), start)
			w.must(err)
			boxes[i], sigs[i] = m, sig
			sigs[i].ID, sigs[i].MailboxID = models.NewID(), m.ID
		}
		w.must(w.db.CreateInBatches(&boxes, 200).Error)
		w.must(w.db.CreateInBatches(&sigs, 200).Error)
		p = w.answered(p, models.OutcomeWon)
		_, err := w.TellOutcome(w.ctx, w.boss, p.ID)
		w.must(err)
		for rounds := 0; ; rounds++ {
			done, err := w.tellBatch(w.ctx, p.ID)
			w.must(err)
			if done {
				if rounds != 3 {
					t.Errorf("%d batches", rounds)
				}
				break
			}
		}
		got := w.told()
		if len(got) != n+1 {
			t.Errorf("%d mailboxes, want %d", len(got), n+1)
		}
		for _, c := range got {
			if c != 1 {
				t.Fatal("one got two")
			}
		}
	})
}

// TestHiddenWhileSignersAreTold: a mail that was to go while the petition was hidden goes once it shows again; nobody gets two.
func TestHiddenWhileSignersAreTold(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		boxes := w.signers(p, 4)
		p = w.answered(p, models.OutcomeWon)
		_, err := w.TellOutcome(w.ctx, w.boss, p.ID)
		w.must(err)
		w.must(w.TellOn(w.ctx))
		ends := func(box uuid.UUID, state models.DeliveryState) { // as the worker of mails does
			w.must(w.db.Model(&models.Delivery{}).Where("kind = ? AND mailbox_id = ?", KindOutcome, box).Update("state", state).Error)
		}
		ends(boxes[0], models.DeliverySent)
		if _, err := w.SteerBecause(w.ctx, w.boss, p.ID, Hide, Because{Reason: "private"}); err != nil {
			t.Fatal(err)
		}
		for _, box := range boxes[1:3] {
			var d models.Delivery
			w.must(w.db.Take(&d, "kind = ? AND mailbox_id = ?", KindOutcome, box).Error)
			if _, err := w.outcomeMail(w.ctx, d); !fault.Is(err, fault.Gone) {
				t.Errorf("a mail about what is hidden: %v", err)
			}
			ends(box, models.DeliveryExpired)
		}
		w.must(w.TellOn(w.ctx))
		if n := w.rows(&models.Delivery{}, "kind = ? AND state = 'expired'", KindOutcome); n != 2 {
			t.Errorf("%d wait while it is hidden", n)
		}
		if p, err = w.Steer(w.ctx, w.boss, p.ID, Show); err != nil || p.State != models.PetitionAnswered {
			t.Fatal(p.State, err)
		}
		_, err = w.Withdraw(w.ctx, boxes[2:3], w.of("p2@example.org").ID)
		w.must(err)
		w.must(w.TellOn(w.ctx))
		for i, want := range []models.DeliveryState{models.DeliverySent, models.DeliveryQueued, models.DeliveryExpired, models.DeliveryQueued} {
			if n := w.rows(&models.Delivery{}, "kind = ? AND mailbox_id = ? AND state = ?", KindOutcome, boxes[i], want); n != 1 || w.told()[boxes[i]] != 1 {
				t.Errorf("signer %d is not %s, or has %d mails", i, want, w.told()[boxes[i]])
			}
		}
		if q := w.petition(p.ID); q.OutcomeToldCount != 4 || q.OutcomeToldDoneAt == nil {
			t.Errorf("%d, %v", q.OutcomeToldCount, q.OutcomeToldDoneAt)
		}
	})
}

func TestNobodyHearsWhoDoesNotWantTo(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		boxes := w.signers(p, 7)
		suppressed, byHand, forever, while, left, stopped, willing := boxes[0], boxes[1], boxes[2], boxes[3], boxes[4], boxes[5], boxes[6]
		now := w.clk.Now()
		w.must(mailboxes.Suppress(w.ctx, w.db.DB, suppressed, models.SuppressedBounce, now))
		w.must(mailboxes.Suppress(w.ctx, w.db.DB, byHand, models.SuppressedByHand, now))
		pause := func(box uuid.UUID, until time.Time) {
			w.must(w.db.Model(&models.Mailbox{}).Where("id = ?", box).Update("paused_until", until).Error)
		}
		soon := now.AddDate(0, 0, 5)
		pause(forever, models.PausedUntilTold)
		pause(while, soon)
		words, err := consents.Text(w.ctx, w.db.DB, models.PurposeUpdates, "en", "Write to me", now)
		w.must(err)
		w.must(w.db.Tx(w.ctx, func(tx *gorm.DB) error {
			return consents.Give(w.ctx, tx, consents.Given{MailboxID: left, Purpose: models.PurposeUpdates, ScopeID: p.CampaignID, TextID: words.ID, Locale: "en", ShownAt: now, Source: "x", How: models.ConsentByMail}, now)
		}))
		w.must(w.db.Tx(w.ctx, func(tx *gorm.DB) error {
			_, err := consents.Withdraw(w.ctx, tx, left, models.PurposeUpdates, p.CampaignID, "page", now)
			return err
		}))
		w.must(StopOutcome(w.ctx, w.db.DB, stopped, true, now))
		w.must(StopOutcome(w.ctx, w.db.DB, stopped, true, now))

		p = w.answered(p, models.OutcomeWon)
		_, err = w.TellOutcome(w.ctx, w.boss, p.ID)
		w.must(err)
		w.must(w.TellOn(w.ctx))
		if got := w.told(); len(got) != 2 || got[willing] != 1 || got[while] != 1 {
			t.Errorf("told %v", got)
		}
		var later models.Delivery
		w.must(w.db.Take(&later, "kind = ? AND mailbox_id = ?", KindOutcome, while).Error)
		if !later.NotBefore.Equal(soon) {
			t.Errorf("to who paused: at %v", later.NotBefore)
		}
		render := func(box uuid.UUID) (deliveries.Content, error) {
			var d models.Delivery
			w.must(w.db.Take(&d, "kind = ? AND mailbox_id = ? AND state <> 'suppressed'", KindOutcome, box).Error)
			return w.outcomeMail(w.ctx, d)
		}
		c, err := render(willing)
		m, _ := c.Data.(OutcomeMail)
		if err != nil || m.GivenName != "June" || m.Text != "The committee voted 9 to 4." || m.Outcome != "won" || !strings.HasPrefix(m.StopURL, "https://act.example.org/u/") || c.UnsubscribeURL != m.StopURL {
			t.Errorf("%+v, %v", c, err)
		}
		if _, err := w.signer.Read(tokens.Unsubscribe, strings.TrimPrefix(m.StopURL, "https://act.example.org/u/"), now); err != nil {
			t.Error(err)
		}
		if _, err := render(while); !fault.Is(err, fault.Gone) {
			t.Errorf("while paused: %v", err)
		}
		w.clk.Set(soon)
		if _, err := render(while); err != nil {
			t.Errorf("after the pause: %v", err)
		}
		// Between the row and the wire: stopped, then taken back; the signature taken back.
		w.must(StopOutcome(w.ctx, w.db.DB, while, true, now))
		if n := w.rows(&models.Delivery{}, "kind = ? AND mailbox_id = ? AND state = 'suppressed'", KindOutcome, while); n != 2 {
			t.Errorf("%d rows are suppressed, want the mail and the mark", n)
		}
		w.must(w.db.Model(&models.Signature{}).Where("mailbox_id = ?", willing).Update("state", models.SignatureWithdrawn).Error)
		if _, err := render(willing); !fault.Is(err, fault.Gone) {
			t.Errorf("who took the signature back: %v", err)
		}
	})
}

func TestHandoversAreRecorded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		w.confirmed(form(p.Slug, "june@example.org"))
		in := HandoverInput{At: start, Recipient: "The Chair", HandedBy: "Maren", Note: "On the steps."}
		if _, _, err := w.RecordHandover(w.ctx, w.author, p.ID, in); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an advocate: %v", err)
		}
		if _, _, err := w.RecordHandover(w.ctx, w.boss, p.ID, HandoverInput{}); fields(err) != "at recipient handed_by" {
			t.Errorf("nothing: %v", err)
		}
		bad := in
		bad.Picture, bad.PictureName = strings.NewReader("no picture"), "x.png"
		if _, _, err := w.RecordHandover(w.ctx, w.boss, p.ID, bad); fields(err) != "picture_alt" {
			t.Errorf("without words for the picture: %v", err)
		}
		bad.PictureAlt = "Two people with a box"
		if _, _, err := w.RecordHandover(w.ctx, w.boss, p.ID, bad); fields(err) != "picture" {
			t.Errorf("no picture: %v", err)
		}
		withPicture := in
		withPicture.Picture, withPicture.PictureAlt = smallPicture(t), "Two people with a box"
		p, h, err := w.RecordHandover(w.ctx, w.boss, p.ID, withPicture)
		if err != nil || p.State != models.PetitionHandedOver || p.ClosedAt == nil || h.PictureID == nil || h.SignatureCount != 1 {
			t.Fatalf("%+v %+v %v", p, h, err)
		}
		rc, _, err := w.HandoverPicture(w.ctx, p.Slug, h.ID)
		w.must(err)
		w.must(rc.Close())
		if _, _, err := w.RecordHandover(w.ctx, w.boss, p.ID, in); err != nil {
			t.Errorf("a second one: %v", err)
		}
		list, err := w.Handovers(w.ctx, p.ID)
		if err != nil || len(list) != 2 {
			t.Fatalf("%d, %v", len(list), err)
		}
		for i, x := range list {
			p, err = w.RemoveHandover(w.ctx, w.boss, p.ID, x.ID)
			if want := []models.PetitionState{models.PetitionHandedOver, models.PetitionClosed}[i]; err != nil || p.State != want {
				t.Errorf("%s, %v; want %s", p.State, err, want)
			}
		}
		if _, _, err := w.HandoverPicture(w.ctx, p.Slug, h.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("the picture of one that was removed: %v", err)
		}
		p = w.answered(p, models.OutcomeWon)
		if p, _, err = w.RecordHandover(w.ctx, w.boss, p.ID, in); err != nil || p.State != models.PetitionAnswered {
			t.Errorf("after the answer: %s, %v", p.State, err)
		}
		if w.rows(&models.AuditEntry{}, "action LIKE 'petition.handover%'") != 5 {
			t.Error("the log does not have all of it")
		}
	})
}

func TestDigestOfTheOffice(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		const office = "office@house.example"
		if err := w.AddDigest(w.ctx, w.author, p.ID, DigestInput{office, 100}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an advocate: %v", err)
		}
		if err := w.AddDigest(w.ctx, w.boss, p.ID, DigestInput{"no address", 5}); fields(err) != "every email" {
			t.Errorf("neither: %v", err)
		}
		set := func(n int) {
			w.must(w.db.Model(&models.Petition{}).Where("id = ?", p.ID).Updates(map[string]any{"signature_count": n - 50, "paper_count": 50}).Error)
		}
		set(150)
		w.must(w.AddDigest(w.ctx, w.boss, p.ID, DigestInput{office, 100}))
		w.must(w.AddDigest(w.ctx, w.boss, p.ID, DigestInput{office, 100})) // asked once
		if n := w.mailed(KindDigestConfirm); n != 1 {
			t.Errorf("%d questions", n)
		}
		set(450)
		w.must(w.Digest(w.ctx))
		if n := w.mailed(KindDigest); n != 0 {
			t.Fatalf("%d mails before anybody said yes", n)
		}
		src := w.DigestSource()
		box := w.box(office)[0]
		waiting, err := src.Waiting(w.ctx, box, w.clk.Now())
		if err != nil || len(waiting.Items) != 1 || waiting.Items[0].Title != "Twenty visits" {
			t.Fatalf("%+v, %v", waiting, err)
		}
		ids := []uuid.UUID{waiting.Items[0].ID}
		if done, err := src.Confirm(w.ctx, box, ids); err != nil || done.Already || len(done.Items) != 1 {
			t.Fatalf("%+v, %v", done, err)
		}
		if done, err := src.Confirm(w.ctx, box, ids); err != nil || !done.Already {
			t.Errorf("twice: %+v, %v", done, err)
		}
		step := func(n, mails int) {
			t.Helper()
			set(n)
			var wg sync.WaitGroup
			errs := make([]error, 3) // three nodes
			for i := range errs {
				wg.Go(func() { errs[i] = w.Digest(w.ctx) })
			}
			wg.Wait()
			for _, err := range errs {
				w.must(err)
			}
			if got := w.mailed(KindDigest); got != mails {
				t.Errorf("at %d: %d mails, want %d", n, got, mails)
			}
		}
		step(499, 0)
		step(503, 1)
		step(599, 1)
		step(480, 1) // invalidated
		step(505, 1) // and back: that step had its mail
		step(812, 2)
		var d models.Delivery
		w.must(w.db.Where("kind = ?", KindDigest).Order("created_at DESC, id DESC").Take(&d).Error)
		c, err := w.digestMail(w.ctx, d)
		if m, _ := c.Data.(DigestMail); err != nil || m.Count != "812" || m.Growth != "309" || m.Every != "100" || c.UnsubscribeURL != m.StopURL {
			t.Errorf("%+v, %v", c, err)
		}
		read, stop := w.DigestStopper()
		if about, stopped, err := read(w.ctx, w.db.DB, d); err != nil || about != "Twenty visits" || stopped != nil {
			t.Errorf("%q %v %v", about, stopped, err)
		}
		w.must(stop(w.ctx, w.db.DB, d, true, w.clk.Now()))
		step(1000, 2)
		if _, err := w.digestMail(w.ctx, d); !fault.Is(err, fault.Gone) {
			t.Errorf("after the stop: %v", err)
		}
		if err := w.AddDigest(w.ctx, w.boss, p.ID, DigestInput{office, 100}); fields(err) != "email" {
			t.Errorf("asked again after a stop: %v", err)
		}
		w.must(stop(w.ctx, w.db.DB, d, false, w.clk.Now()))
		step(1001, 3)
		list, err := w.Digests(w.ctx, w.boss, p.ID)
		if err != nil || len(list) != 1 || list[0].Address != office || list[0].State != "running" {
			t.Fatalf("%+v, %v", list, err)
		}
		w.must(w.RemoveDigest(w.ctx, w.boss, p.ID, list[0].ID))
		// Who never answers is forgotten.
		w.must(w.AddDigest(w.ctx, w.boss, p.ID, DigestInput{"other@house.example", 500}))
		w.clk.Add(8 * day)
		w.must(w.Digest(w.ctx))
		if n := w.rows(&models.PetitionDigest{}, "1 = 1"); n != 0 {
			t.Errorf("%d digests are left", n)
		}
	})
}
