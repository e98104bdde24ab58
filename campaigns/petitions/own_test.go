package petitions

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// receipt renders the newest receipt and returns the token of its link.
func (w *world) receipt() (ReceiptMail, string) {
	w.t.Helper()
	var d models.Delivery
	if err := w.db.Order("created_at DESC, id DESC").Take(&d, "kind = ?", KindReceipt).Error; err != nil {
		w.t.Fatal(err)
	}
	c, err := w.Renderers()[KindReceipt](w.ctx, d)
	if err != nil {
		w.t.Fatal(err)
	}
	m := c.Data.(ReceiptMail)
	return m, m.OwnURL[strings.LastIndexByte(m.OwnURL, '/')+1:]
}

// TestOwn: by the link of the receipt its owner sees, changes, takes back and brings back a signature.
func TestOwn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		in := form(p.Slug, "june@example.org")
		in.Role, in.Comment, in.Updates, in.ConsentText = "pain", "Please.", true, "Write to me"
		id := w.sign(in).ID
		if w.mailed(KindReceipt) != 0 {
			t.Error("a receipt before anything was confirmed")
		}
		for range 2 {
			if _, err := w.Confirm(w.ctx, w.link("june@example.org"), []uuid.UUID{id}); err != nil {
				t.Fatal(err)
			}
		}
		var d models.Delivery
		if err := w.db.Take(&d, "kind = ?", KindReceipt).Error; err != nil || w.mailed(KindReceipt) != 1 || d.Priority != models.PriorityReceipt || d.SubjectID != id {
			t.Fatalf("%+v, %v", d, err)
		}
		m, token := w.receipt()
		if m.GivenName != "June" || m.SignedAs != "June O." || m.Days != 30 || !strings.HasPrefix(m.OwnURL, "https://act.example.org/petitions/twenty-visits/mine/") {
			t.Errorf("%+v", m)
		}
		if _, _, err := w.Holder(w.ctx, w.signer.Make(tokens.Confirm, id, start.Add(week))); !fault.Is(err, fault.NotFound) {
			t.Errorf("a token of another kind: %v", err)
		}
		boxes, got, err := w.Holder(w.ctx, token)
		if err != nil || got != id || len(boxes) != 1 {
			t.Fatal(boxes, got, err)
		}
		h, err := w.HeldBy(w.ctx, boxes, id)
		if err != nil || h.GivenName != "June" || h.Role != models.RolePain || h.Comment != "Please." || h.CommentState != models.CommentWaiting || !h.Updates || h.ShownName != "June O." || h.State != models.SignatureConfirmed {
			t.Fatalf("%+v, %v", h, err)
		}
		if _, err := w.HeldBy(w.ctx, []uuid.UUID{w.authorBox}, id); !fault.Is(err, fault.NotFound) {
			t.Errorf("from another mailbox: %v", err)
		}
		if err := w.JudgeComment(w.ctx, w.boss, p.ID, id, true); err != nil {
			t.Fatal(err)
		}
		change := func(in ChangeInput) {
			t.Helper()
			in.Locale, in.ConsentText = "en", "Write to me"
			if slug, err := w.Change(w.ctx, boxes, id, in); err != nil || slug != p.Slug {
				t.Fatal(slug, err)
			}
			if n, err := w.Recount(w.ctx); err != nil || n != 0 {
				t.Errorf("recount: %d, %v: %s", n, err, w.log)
			}
		}
		agreed := func() int { return w.rows(&models.Consent{}, "mailbox_id = ? AND withdrawn_at IS NULL", boxes[0]) }
		change(ChangeInput{Display: "name", Role: "pain", Comment: "Please.", Updates: true})
		if sig := w.sig(id); sig.CommentState != models.CommentShown || sig.DisplayName != "June Okafor" || sig.EditedAt == nil || agreed() != 1 {
			t.Errorf("the same words stay: %+v", sig)
		}
		change(ChangeInput{Display: "anonymous", Role: "care", Comment: "Other words.", Updates: false})
		if sig := w.sig(id); sig.CommentState != models.CommentWaiting || sig.CommentShown != "" || sig.DisplayName != "" || w.tallied(p.ID, models.TallyRole) != "care:0/1 pain:0/0" || agreed() != 0 {
			t.Errorf("%+v, %s, %d", sig, w.tallied(p.ID, models.TallyRole), agreed())
		}
		change(ChangeInput{Display: "initials", Comment: "Other words.", Updates: true})
		if w.tallied(p.ID, models.TallyRole) != "care:0/0 pain:0/0" || agreed() != 1 || w.sig(id).RoleSealed != nil {
			t.Errorf("%s, %d", w.tallied(p.ID, models.TallyRole), agreed())
		}
		for _, in := range []ChangeInput{{Display: "x"}, {Display: "name", Role: "x"}, {Display: "name", Comment: strings.Repeat("x", 2001)}} {
			if _, err := w.Change(w.ctx, boxes, id, in); !fault.Is(err, fault.Invalid) {
				t.Errorf("%+v: %v", in, err)
			}
		}
		for range 2 {
			if _, err := w.Unsay(w.ctx, boxes, id); err != nil {
				t.Fatal(err)
			}
		}
		if sig := w.sig(id); sig.CommentSealed != nil || sig.CommentState != models.CommentNone {
			t.Errorf("%+v", sig)
		}
		if _, err := w.Withdraw(w.ctx, boxes, id); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Change(w.ctx, boxes, id, ChangeInput{Display: "name"}); !fault.Is(err, fault.Conflict) {
			t.Errorf("changed after it was taken back: %v", err)
		}
		if h, err := w.HeldBy(w.ctx, boxes, id); err != nil || !h.Undo || w.counts(p.ID) != [2]int{0, 0} {
			t.Errorf("%+v, %v", h, err)
		}
		if _, err := w.Restore(w.ctx, boxes, id); err != nil || w.counts(p.ID) != [2]int{0, 1} {
			t.Error(err)
		}
		w.clk.Add(31 * day)
		if _, _, err := w.Holder(w.ctx, token); !fault.Is(err, fault.Gone) {
			t.Errorf("after a month: %v", err)
		}
	})
}

// TestRemind: a signature that waits is asked for twice at most, and only where its confirmation would count.
func TestRemind(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, closing, flooded := w.published("Twenty visits"), w.published("Thirty visits"), w.published("Forty visits")
		waits := w.sign(form(p.Slug, "june@example.org")).ID
		w.sign(form(closing.Slug, "cal@example.org"))
		w.sign(form(flooded.Slug, "ana@example.org"))
		w.confirmed(form(p.Slug, "bo@example.org"))
		if err := w.db.Exec("UPDATE signatures SET state = 'suspect', suspect_reason = 'x' WHERE petition_id = ?", flooded.ID).Error; err != nil {
			t.Fatal(err)
		}
		if err := w.db.Exec("UPDATE petitions SET breaker_at = ? WHERE id = ?", start, flooded.ID).Error; err != nil {
			t.Fatal(err)
		}
		if _, err := w.Steer(w.ctx, w.boss, closing.ID, Close); err != nil {
			t.Fatal(err)
		}
		run := func(what string, want int) {
			t.Helper()
			for range 2 { // several nodes, and again
				if _, err := w.Remind(w.ctx); err != nil {
					t.Fatal(err)
				}
			}
			if n := w.mailed(KindReminder); n != want {
				t.Errorf("%s: %d reminders, want %d", what, n, want)
			}
		}
		w.clk.Add(23 * time.Hour)
		run("soon", 0)
		w.clk.Add(2 * time.Hour)
		run("a day on", 1)
		var d models.Delivery
		if err := w.db.Take(&d, "kind = ?", KindReminder).Error; err != nil || d.SubjectID != waits {
			t.Fatal(d, err)
		}
		c, err := w.Renderers()[KindReminder](w.ctx, d)
		if m, ok := c.Data.(ConfirmMail); err != nil || !ok || c.Template != KindReminder || m.Code == "" || m.Days != 6 {
			t.Errorf("%+v, %v", c, err)
		}
		w.clk.Add(day)
		run("two days on", 1)
		w.clk.Add(2 * day)
		run("four days on", 2)
		w.clk.Add(2 * day)
		run("six days on", 2)
		if sig := w.sig(waits); sig.Reminders != 2 || sig.RemindedAt == nil {
			t.Errorf("%+v", sig)
		}
		// A server that did not run meanwhile asks once, not twice.
		w.sign(form(p.Slug, "late@example.org"))
		w.clk.Add(5 * day)
		run("late", 3)
		if _, err := w.Confirm(w.ctx, w.link("late@example.org"), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Renderers()[KindReminder](w.ctx, d); !fault.Is(err, fault.Gone) {
			t.Errorf("a reminder of what is gone: %v", err)
		}
	})
}

func TestForgetClients(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		in := form(p.Slug, "june@example.org")
		in.ClientIP = "192.0.2.7"
		id := w.sign(in).ID
		if _, err := w.Confirm(w.ctx, w.link("june@example.org"), nil); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			after time.Duration
			kept  bool
		}{{13 * day, true}, {2 * day, false}} {
			w.clk.Add(step.after)
			if err := w.ForgetClients(w.ctx); err != nil {
				t.Fatal(err)
			}
			if got := w.sig(id).ClientHash != nil; got != step.kept {
				t.Errorf("after %s it is kept: %v", step.after, got)
			}
		}
	})
}
