package petitions

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	altcha "github.com/altcha-org/altcha-lib-go"
	"github.com/google/uuid"

	"kithline/campaigns/abuse"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// guarded is a world whose signatures are judged.
func guarded(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.guard(w.Service)
		fn(t, w)
	})
}

// guard makes a service judge.
func (w *world) guard(s *Service) {
	s.opt.Guard = abuse.New(w.db, w.vault, w.clk, abuse.Limits{})
	s.opt.Judge = s.judge
}

// from is a form from a device.
func from(slug, email, ip string) SignInput {
	in := form(slug, email)
	in.ClientIP = ip
	return in
}

// of reads the newest signature of an address.
func (w *world) of(email string) models.Signature {
	w.t.Helper()
	m, err := mailboxes.Find(w.ctx, w.db.DB, w.vault, email)
	if err != nil {
		w.t.Fatal(email, err)
	}
	var sig models.Signature
	if err := w.db.Where("mailbox_id = ?", m.ID).Order("created_at DESC").Take(&sig).Error; err != nil {
		w.t.Fatal(email, err)
	}
	return sig
}

func (w *world) reason(email, want string) {
	w.t.Helper()
	sig := w.of(email)
	state := models.SignaturePending
	if want != "" {
		state = models.SignatureSuspect
	}
	if sig.SuspectReason != want || sig.State != state {
		w.t.Errorf("%s: %q, %s; want %q", email, sig.SuspectReason, sig.State, want)
	}
}

// More than twenty in a minute or sixty in five from one device are suspect, on two servers as on one; an IPv6 household is one
// device; and a window lets it rest.
func TestLimits(t *testing.T) {
	guarded(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		other := New(w.db, w.vault, w.clk, tokens.New(w.vault), w.files, w.opt)
		t.Cleanup(other.Close)
		w.guard(other)
		n := 0
		send := func(ip string) string {
			t.Helper()
			n++
			email := fmt.Sprintf("p%d@example.org", n)
			s := w.Service
			if n%2 == 0 {
				s = other
			}
			if _, err := s.Sign(w.ctx, from(p.Slug, email, ip)); err != nil {
				t.Fatal(err)
			}
			return email
		}
		for i := range 21 {
			want := ""
			if i == 20 {
				want = abuse.ReasonLimit
			}
			w.reason(send(fmt.Sprintf("2001:db8:1:2::%x", i+1)), want)
		}
		w.reason(send("2001:db8:1:3::1"), "") // the next household
		w.reason(send("192.0.2.1"), "")
		w.clk.Add(61 * time.Second)
		for i := range 38 {
			w.reason(send("2001:db8:1:2::1"), "")
			if i == 18 {
				w.clk.Add(61 * time.Second)
			}
		}
		w.clk.Add(61 * time.Second)
		w.reason(send("2001:db8:1:2::1"), "")                // the sixtieth in five minutes
		w.reason(send("2001:db8:1:2::1"), abuse.ReasonLimit) // one more
		window, err := w.opt.Guard.OpenWindow(w.ctx, w.boss, abuse.WindowInput{PetitionID: p.ID, Note: "A stand", From: w.clk.Now(), Until: w.clk.Now().Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if n%2 == 1 {
			n++ // this server is asked, which knows of the window at once
		}
		n++
		in := from(p.Slug, "window@example.org", "2001:db8:1:2::1")
		w.sign(in)
		w.reason("window@example.org", "")
		if err := w.opt.Guard.CloseWindow(w.ctx, w.boss, window.ID); err != nil {
			t.Fatal(err)
		}
		w.sign(from(p.Slug, "after@example.org", "2001:db8:1:2::1"))
		w.reason("after@example.org", abuse.ReasonLimit)
	})
}

// Many at once, in one batch, are counted like many in a row.
func TestLimitsWithinABatch(t *testing.T) {
	guarded(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		ends := make(chan error, 40)
		for i := range 40 {
			go func() {
				_, err := w.Sign(context.Background(), from(p.Slug, fmt.Sprintf("p%d@example.org", i), "192.0.2.1"))
				ends <- err
			}()
		}
		for range 40 {
			if err := <-ends; err != nil {
				t.Error(err)
			}
		}
		var n int64
		if err := w.db.Model(&models.Signature{}).Where("suspect_reason = ?", abuse.ReasonLimit).Count(&n).Error; err != nil || n != 20 {
			t.Errorf("%d of 40 are suspect, %v", n, err)
		}
	})
}

func TestOneInbox(t *testing.T) {
	guarded(t, func(t *testing.T, w *world) {
		p, q := w.published("Twenty visits"), w.published("Another one")
		w.sign(from(p.Slug, "alice@gmail.com", "192.0.2.1"))
		w.sign(from(p.Slug, "a.lice+x@googlemail.com", "192.0.2.2"))
		w.sign(from(q.Slug, "al.ice@gmail.com", "192.0.2.3"))
		w.sign(from(p.Slug, "bob@gmail.com", "192.0.2.4"))
		w.reason("alice@gmail.com", "")
		w.reason("a.lice+x@googlemail.com", abuse.ReasonSameInbox)
		w.reason("al.ice@gmail.com", "")
		w.reason("bob@gmail.com", "")
		if w.of("alice@gmail.com").InboxHash == nil || bytes.Equal(w.of("alice@gmail.com").InboxHash, w.of("bob@gmail.com").InboxHash) {
			t.Error("inboxes are told apart by their hashes")
		}
	})
}

func TestTrapAndRules(t *testing.T) {
	guarded(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		for _, r := range []abuse.RuleInput{
			{Effect: abuse.EffectBlock, Subject: abuse.SubjectDomain, Value: "bad.example", Note: "n"},
			{Effect: abuse.EffectBlock, Subject: abuse.SubjectRange, Value: "198.51.100.0/24", Note: "n"},
			{Effect: abuse.EffectAllow, Subject: abuse.SubjectAddress, Value: "good@bad.example", Note: "n"},
		} {
			if _, err := w.opt.Guard.AddRule(w.ctx, w.boss, r); err != nil {
				t.Fatal(err)
			}
		}
		trap := from(p.Slug, "trap@example.org", "192.0.2.1")
		trap.Trap = "x"
		w.sign(trap)
		w.reason("trap@example.org", abuse.ReasonTrap)
		w.sign(from(p.Slug, "x@bad.example", "192.0.2.1"))
		w.reason("x@bad.example", abuse.ReasonBlock)
		w.sign(from(p.Slug, "x@fine.example", "198.51.100.9"))
		w.reason("x@fine.example", abuse.ReasonBlock)
		good := from(p.Slug, "good@bad.example", "198.51.100.9")
		good.Trap = "x"
		w.sign(good)
		w.reason("good@bad.example", "")
		w.sign(from(p.Slug, "x@mailinator.com", "192.0.2.1"))
		w.reason("x@mailinator.com", "")
		if w.of("x@mailinator.com").Flag != abuse.FlagDisposable {
			t.Error("no flag")
		}
	})
}

// Under pressure a signature without a proof is suspect, one with a proof is not, and a proof is good once, on all servers.
func TestProofs(t *testing.T) {
	guarded(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		if w.Pressed(w.petition(p.ID)) {
			t.Error("pressure from the start")
		}
		if err := w.db.Model(&models.Petition{}).Where("id = ?", p.ID).Update("pressure_until", w.clk.Now().Add(time.Hour)).Error; err != nil {
			t.Fatal(err)
		}
		if !w.Pressed(w.petition(p.ID)) {
			t.Error("no pressure")
		}
		w.sign(from(p.Slug, "none@example.org", "192.0.2.1"))
		w.reason("none@example.org", abuse.ReasonNoProof)
		c, err := w.Challenge(w.ctx, p.Slug)
		if err != nil {
			t.Fatal(err)
		}
		s, err := altcha.SolveChallenge(c.Challenge, c.Salt, altcha.SHA256, int(c.MaxNumber), 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := json.Marshal(altcha.Payload{Algorithm: c.Algorithm, Challenge: c.Challenge, Number: int64(s.Number), Salt: c.Salt, Signature: c.Signature})
		other := New(w.db, w.vault, w.clk, tokens.New(w.vault), w.files, w.opt)
		t.Cleanup(other.Close)
		w.guard(other)
		for i, service := range []*Service{w.Service, w.Service, other} {
			in := from(p.Slug, fmt.Sprintf("proof%d@example.org", i), "192.0.2.1")
			in.Proof = base64.StdEncoding.EncodeToString(b)
			if _, err := service.Sign(w.ctx, in); err != nil {
				t.Fatal(err)
			}
			want := abuse.ReasonNoProof
			if i == 0 {
				want = ""
			}
			w.reason(in.Email, want)
		}
		if _, err := w.Challenge(w.ctx, "nothing"); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	})
}

// Many signatures from one device bring about pressure; nobody has to turn it on.
func TestPressureComes(t *testing.T) {
	guarded(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		for i := range 61 {
			w.sign(from(p.Slug, fmt.Sprintf("p%d@example.org", i), "192.0.2.1"))
		}
		if !w.Pressed(w.petition(p.ID)) {
			t.Error("no pressure")
		}
		if w.clk.Add(16 * time.Minute); w.Pressed(w.petition(p.ID)) {
			t.Error("it does not end")
		}
	})
}

func (w *world) petition(id uuid.UUID) models.Petition {
	w.t.Helper()
	p, err := take(w.ctx, w.db.DB, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// fill writes confirmed signatures and suspect ones of many kinds without mails, fast, and sets the numbers by a recount.
func (w *world) fill(p models.Petition, n int) {
	w.t.Helper()
	rows, boxes := make([]models.Signature, n), make([]models.Mailbox, n)
	now := w.clk.Now()
	for i := range n {
		box, err := mailboxes.NewRow(w.vault, fmt.Sprintf("f%d@wave.example", i), now)
		if err != nil {
			w.t.Fatal(err)
		}
		boxes[i] = box
		id := models.NewID()
		at := now.Add(time.Duration(i) * time.Second)
		sig := models.Signature{
			ID: id, PetitionID: p.ID, MailboxID: box.ID, State: models.SignatureConfirmed, Display: models.DisplayInitials, DisplayName: "June O.", PostalArea: fmt.Sprintf("000%d", i%4),
			GivenNameSealed: w.vault.Seal("signatures", "given_name_sealed", id, "June"), FamilyNameSealed: w.vault.Seal("signatures", "family_name_sealed", id, "Okafor"),
			Locale: "en", Source: []string{"", "poster"}[i%2], CreatedAt: now, ConfirmedAt: &at, Number: i + 1, ExpiresAt: now.Add(week),
		}
		switch i % 10 {
		case 3:
			sig.RoleSealed = sealedRole(w.Service, id, models.RolePain)
		case 7:
			sig.State, sig.SuspectReason, sig.DisplayName, sig.Number = models.SignatureSuspect, abuse.ReasonLimit, "", 0
		case 8:
			sig.State, sig.SuspectReason, sig.DisplayName, sig.ConfirmedAt, sig.Number = models.SignatureSuspect, abuse.ReasonLimit, "", nil, 0
		case 9:
			sig.State, sig.DisplayName, sig.ConfirmedAt, sig.Number = models.SignaturePending, "", nil, 0
		}
		rows[i] = sig
	}
	if err := database.InsertAll(w.db.WithContext(w.ctx), boxes, ""); err != nil {
		w.t.Fatal(err)
	}
	if err := database.InsertAll(w.db.WithContext(w.ctx), rows, ""); err != nil {
		w.t.Fatal(err)
	}
	if err := tally(w.ctx, w.db.DB, []tallyMove{{p.ID, models.TallyRole, string(models.RolePain), 0, n / 10}}); err != nil { // sealed: no recount finds them
		w.t.Fatal(err)
	}
	if _, err := w.recount(w.ctx, p.ID); err != nil {
		w.t.Fatal(err)
	}
}

// picture is everything about a petition's signatures that an invalidation moves.
func (w *world) picture(p models.Petition) string {
	w.t.Helper()
	var sigs []models.Signature
	if err := w.db.Where("petition_id = ?", p.ID).Order("id").Find(&sigs).Error; err != nil {
		w.t.Fatal(err)
	}
	var b bytes.Buffer
	for _, s := range sigs {
		fmt.Fprintln(&b, s.ID, s.State, s.SuspectReason, s.Number, s.DisplayName, s.CommentState, s.InvalidationID)
	}
	var tallies []models.PetitionTally
	if err := w.db.Where("petition_id = ?", p.ID).Order("kind, name").Find(&tallies).Error; err != nil {
		w.t.Fatal(err)
	}
	q := w.petition(p.ID)
	fmt.Fprintln(&b, tallies, q.PendingCount, q.SignatureCount, q.SuspectCount, q.Goal, w.reached(p), w.mailed(KindThreshold))
	return b.String()
}

// reached are the thresholds of a petition that are reached now, by count.
func (w *world) reached(p models.Petition) (out []int) {
	w.t.Helper()
	rows, err := thresholds(w.ctx, w.db.DB, p.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range rows {
		if r.ReachedAt != nil {
			out = append(out, r.Count)
		}
	}
	return out
}

// exact fails where the numbers of a petition are not those of its signatures.
func (w *world) exact(p models.Petition, when string) {
	w.t.Helper()
	if wrong, err := w.recount(w.ctx, p.ID); err != nil || wrong {
		w.t.Errorf("%s: the numbers are wrong: %v\n%s", when, err, w.log)
	}
}

// Five thousand are taken out in batches; killed half-way it goes on and ends with exact numbers; undone, everything is as it was.
func TestInvalidation(t *testing.T) {
	guarded(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		for _, in := range []ThresholdInput{{Count: 3000, Effect: models.EffectGoal, NextGoal: 10_000}, {Count: 3400, Effect: models.EffectTell}, {Count: 4000, Effect: models.EffectTell}} {
			w.must(w.AddThreshold(w.ctx, w.boss, p.ID, in))
		}
		w.fill(p, 5000)
		w.confirmed(form(p.Slug, "june@example.org"))
		before := w.picture(p)
		if q := w.petition(p.ID); q.Goal != 10_000 || !slices.Equal(w.reached(p), []int{3000, 3400}) || w.mailed(KindThreshold) != 1 || w.tallied(p.ID, models.TallyRole) != "pain:0/500" {
			t.Fatalf("the goal is %d, reached are %v, %d mails, %s", q.Goal, w.reached(p), w.mailed(KindThreshold), w.tallied(p.ID, models.TallyRole))
		}
		c := Condition{Domain: "wave.example"}
		m, err := w.Match(w.ctx, w.boss, p.ID, c)
		if err != nil || m.Count != 4000 || m.Waiting != 500 || m.Counting != 3500 || len(m.Hours) != 1 {
			t.Fatalf("%+v %v", m, err) // those that are suspect and were not confirmed stay as they are
		}
		id, err := w.Invalidate(w.ctx, w.boss, p.ID, c, "A wave")
		if err != nil {
			t.Fatal(err)
		}
		steps := 0
		killed, kill := context.WithCancel(w.ctx)
		if done, err := w.stepInvalidation(killed, id, func() bool { // the server dies in the fourth batch
			if steps++; steps == 4 {
				kill()
			}
			return false
		}); done || err == nil {
			t.Fatal(done, err)
		}
		w.exact(p, "half-way")
		if row, _, err := w.Invalidation(w.ctx, w.boss, p.ID, id); err != nil || row.State != InvalidationRunning || row.DoneCount != 2000 || row.Matched != 4500 {
			t.Fatalf("%+v %v", row, err)
		}
		if done, err := w.stepInvalidation(w.ctx, id, func() bool { return true }); done || err != nil {
			t.Fatal(done, err)
		}
		for done := false; !done; {
			if done, err = w.stepInvalidation(w.ctx, id, func() bool { return false }); err != nil {
				t.Fatal(err)
			}
		}
		w.exact(p, "after it")
		row, _, err := w.Invalidation(w.ctx, w.boss, p.ID, id)
		if err != nil || row.State != InvalidationDone || row.DoneCount != 4500 || row.FinishedAt == nil {
			t.Fatalf("%+v %v", row, err)
		}
		if q := w.petition(p.ID); q.SignatureCount != 1 || q.SuspectCount != 0 || q.PendingCount != 1000 {
			t.Errorf("%d count, %d suspect, %d wait", q.SignatureCount, q.SuspectCount, q.PendingCount)
		}
		// What hangs on the number goes back with it: thresholds and their goal, and the counts by place, source, hour and role.
		if q := w.petition(p.ID); q.Goal != 5000 || len(w.reached(p)) != 0 {
			t.Errorf("the goal is %d, reached are %v", q.Goal, w.reached(p))
		}
		for kind, want := range map[models.TallyKind]string{
			models.TallyRole: "pain:0/0", models.TallySource: ":2501/1 poster:2500/0", models.TallyPlace: "0000:1250/0 0001:1250/0 00012:1/1 0002:1250/0 0003:1250/0",
		} {
			if got := w.tallied(p.ID, kind); got != want {
				t.Errorf("by %s: %s, not %s", kind, got, want)
			}
		}
		if done, err := w.stepInvalidation(w.ctx, id, func() bool { return false }); !done || err != nil {
			t.Error(done, err)
		}
		if err := w.Revert(w.ctx, w.boss, p.ID, id); err != nil {
			t.Fatal(err)
		}
		if err := w.Revert(w.ctx, w.boss, p.ID, id); !fault.Is(err, fault.Conflict) {
			t.Error(err)
		}
		if done, err := w.stepInvalidation(w.ctx, id, func() bool { return true }); done || err != nil {
			t.Fatal(done, err)
		}
		w.exact(p, "half-way back")
		if done, err := w.stepInvalidation(w.ctx, id, func() bool { return false }); !done || err != nil {
			t.Fatal(done, err)
		}
		w.exact(p, "undone")
		if after := w.picture(p); after != before {
			t.Error("undoing did not bring back what was")
		}
		row, _, err = w.Invalidation(w.ctx, w.boss, p.ID, id)
		if err != nil || row.State != InvalidationReverted || row.RevertedCount != 4500 {
			t.Errorf("%+v %v", row, err)
		}
		var n int64
		if err := w.db.Model(&models.AuditEntry{}).Where("action IN ('signatures.invalidate', 'signatures.revert') AND object_id = ?", id).Count(&n).Error; err != nil || n != 2 {
			t.Errorf("%d entries in the log, %v", n, err)
		}
	})
}

// All suspect ones of a reason are let in, and that is undone.
func TestLetIn(t *testing.T) {
	guarded(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		w.fill(p, 100)
		before := w.picture(p)
		trust, err := w.Trust(w.ctx, w.boss, p.ID)
		if err != nil || len(trust.Suspects) != 1 || trust.Suspects[0].Held != 10 || trust.Suspects[0].Waiting != 10 || len(trust.Suspects[0].Sample) != 20 {
			t.Fatalf("%+v %v", trust.Suspects, err)
		}
		if len(trust.Domains) != 1 || trust.Domains[0].Count != 100 || trust.Domains[0].Suspect != 20 || trust.Looked != 100 {
			t.Errorf("%+v", trust.Domains)
		}
		signed := 0
		for _, h := range trust.Hours {
			signed += h.Signed
		}
		if signed != 100 {
			t.Errorf("%d in the chart", signed)
		}
		queues, err := w.AbuseQueues(w.ctx, w.boss)
		if err != nil || len(queues) != 1 || queues[0].Count != 10 || queues[0].Name != p.Title {
			t.Errorf("%+v %v", queues, err)
		}
		id, err := w.Invalidate(w.ctx, w.boss, p.ID, Condition{Reason: abuse.ReasonLimit, Let: true}, "A clinic")
		if err != nil {
			t.Fatal(err)
		}
		if done, err := w.stepInvalidation(w.ctx, id, func() bool { return false }); !done || err != nil {
			t.Fatal(done, err)
		}
		w.exact(p, "let in")
		if q := w.petition(p.ID); q.SignatureCount != 80 || q.SuspectCount != 0 || q.PendingCount != 20 {
			t.Errorf("%d count, %d suspect, %d wait", q.SignatureCount, q.SuspectCount, q.PendingCount)
		}
		if _, err := w.Invalidate(w.ctx, w.boss, p.ID, Condition{Reason: abuse.ReasonLimit, Let: true}, "Again"); !fault.Is(err, fault.Conflict) {
			t.Error(err)
		}
		if err := w.Revert(w.ctx, w.boss, p.ID, id); err != nil {
			t.Fatal(err)
		}
		if done, err := w.stepInvalidation(w.ctx, id, func() bool { return false }); !done || err != nil {
			t.Fatal(done, err)
		}
		w.exact(p, "undone")
		var was, is []string
		for i, lines := range []string{before, w.picture(p)} {
			for _, l := range bytes.Split([]byte(lines), []byte("\n")) {
				f := bytes.Fields(l)
				if len(f) > 2 && len(f[0]) == 36 {
					*[]*[]string{&was, &is}[i] = append(*[]*[]string{&was, &is}[i], string(f[0])+" "+string(f[1])+" "+string(f[2]))
				}
			}
		}
		if !slices.Equal(was, is) {
			t.Error("undoing did not bring back what was")
		}
		for _, a := range []actor.Actor{{}, w.author, {Kind: actor.User, Role: actor.Organizer, ChapterID: uuid.New()}} {
			if _, err := w.Trust(w.ctx, a, p.ID); err == nil {
				t.Errorf("%+v sees it", a)
			}
			if _, err := w.Invalidate(w.ctx, a, p.ID, Condition{Domain: "wave.example"}, "x"); err == nil {
				t.Errorf("%+v takes out", a)
			}
			if err := w.Revert(w.ctx, a, p.ID, id); err == nil {
				t.Errorf("%+v undoes", a)
			}
			if err := w.CloseBreaker(w.ctx, a, p.ID); err == nil {
				t.Errorf("%+v closes the breaker", a)
			}
		}
	})
}

// Each part of a condition picks what it says.
func TestConditions(t *testing.T) {
	guarded(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		w.fill(p, 100)
		later := w.clk.Now().Add(time.Minute)
		for i, c := range []struct {
			Condition
			want int
		}{
			{Condition{Source: "poster"}, 40},
			{Condition{Source: SourceDirect}, 40},
			{Condition{Reason: abuse.ReasonLimit}, 10},
			{Condition{Flag: abuse.FlagRule}, 0},
			{Condition{From: &later}, 0},
			{Condition{Until: &later}, 80},
			{Condition{Domain: "example"}, -1},
			{Condition{Domain: "ve.example"}, 0},
			{Condition{}, -1},
			{Condition{Device: "zz"}, -1},
			{Condition{Source: "x y"}, -1},
			{Condition{Reason: "' OR 1=1"}, -1},
			{Condition{Let: true}, -1},
		} {
			m, err := w.Match(w.ctx, w.boss, p.ID, c.Condition)
			if c.want < 0 && !fault.Is(err, fault.Invalid) || c.want >= 0 && (err != nil || m.Count != c.want) {
				t.Errorf("%d: %+v: %d %v", i, c.Condition, m.Count, err)
			}
		}
	})
}

// A preview shows every hour from the first to the last that has any, those without one too, and no more than fourteen days of them.
func TestMatchedHours(t *testing.T) {
	guarded(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		for i, wait := range []time.Duration{0, 3 * time.Hour, 0, 20 * 24 * time.Hour} {
			w.clk.Add(wait)
			w.confirmed(from(p.Slug, fmt.Sprintf("p%d@wave.example", i), ""))
			if i == 1 {
				continue
			}
			m, err := w.Match(w.ctx, w.boss, p.ID, Condition{Domain: "wave.example"})
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprint(len(m.Hours), m.Hours[0].Count, m.Hours[len(m.Hours)/2].Count, m.Hours[len(m.Hours)-1].Count)
			if want := []string{"1 1 1 1", "", "4 1 0 2", "336 0 0 1"}[i]; got != want || !m.Hours[len(m.Hours)-1].Hour.Equal(w.clk.Now().Truncate(time.Hour)) {
				t.Errorf("%d: the hours are %s, not %s; the last is %s", i, got, want, m.Hours[len(m.Hours)-1].Hour)
			}
		}
	})
}

func FuzzCondition(f *testing.F) {
	f.Add(`{"domain":"example.org"}`)
	f.Add(`{"from":"2027-02-23T10:00:00Z","until":"2027-02-24T10:00:00Z","source":"-","flag":"rule"}`)
	f.Add(`{"reason":"limit","let":true}`)
	f.Add(`{"device":"00"}`)
	f.Add(`{"domain":"%' OR '1'='1"}`)
	f.Fuzz(func(t *testing.T, v string) {
		c, err := parseCondition(v)
		if err != nil {
			return
		}
		again, err := parseCondition(c.String())
		if err != nil || again.String() != c.String() {
			t.Errorf("%q reads as %q, then as %q, %v", v, c, again, err)
		}
		where, args := c.where(uuid.Nil)
		if n := bytes.Count([]byte(where), []byte("?")); n != len(args) {
			t.Errorf("%q: %d places for %d values", v, n, len(args))
		}
		if bytes.ContainsAny([]byte(c.Domain), "%_'") {
			t.Errorf("%q is no domain", c.Domain)
		}
	})
}

// sent lets the mails of a petition go, as the outbox would.
func (w *world) sent(p models.Petition) int {
	w.t.Helper()
	now := w.clk.Now()
	r := w.db.Exec(`UPDATE deliveries SET state = 'sent', sent_at = ?, updated_at = ? WHERE state = 'queued' AND not_before <= ? AND kind = ? AND subject_id IN (SELECT id FROM signatures WHERE petition_id = ?)`,
		now, now, now, KindConfirm, p.ID)
	if r.Error != nil {
		w.t.Fatal(r.Error)
	}
	return int(r.RowsAffected)
}

// The breaker holds back the mails of one petition, loses none, leaves others alone, and closes by itself or by hand.
func TestBreaker(t *testing.T) {
	guarded(t, func(t *testing.T, w *world) {
		w.opt.Breaker = Breaker{Mails: 20}
		p, q := w.published("Twenty visits"), w.published("Another one")
		n := 0
		signs := func(p models.Petition, times int) {
			for range times {
				n++
				w.sign(from(p.Slug, fmt.Sprintf("p%d@example.org", n), fmt.Sprintf("192.0.2.%d", n%250)))
			}
		}
		look := func() models.Petition {
			t.Helper()
			if err := w.Breakers(w.ctx); err != nil {
				t.Fatal(err)
			}
			return w.petition(p.ID)
		}
		signs(p, 60)
		signs(q, 3)
		if got := w.sent(p); got != 60 {
			t.Fatalf("%d mails", got)
		}
		if look().BreakerAt != nil {
			t.Error("it opened before anybody could answer")
		}
		w.clk.Add(6 * time.Minute)
		for i := range 4 { // more than 5 %
			if _, err := w.Confirm(w.ctx, w.link(fmt.Sprintf("p%d@example.org", i+1)), nil); err != nil {
				t.Fatal(err)
			}
		}
		if look().BreakerAt != nil {
			t.Error("it opened although people answer")
		}
		signs(p, 60)
		w.sent(p)
		w.clk.Add(6 * time.Minute)
		if look().BreakerAt == nil {
			t.Fatal("it did not open")
		}
		if !w.Pressed(w.petition(p.ID)) {
			t.Error("no proof is asked for")
		}
		w.clk.Add(time.Second)
		signs(p, 10)
		if got := w.sent(p); got != 0 {
			t.Errorf("%d mails went although they are held back", got)
		}
		// Another petition goes on, also for who signed here.
		w.sign(from(q.Slug, fmt.Sprintf("p%d@example.org", n), "192.0.2.1"))
		if got := w.sent(q); got != 4 {
			t.Errorf("%d mails of the other petition", got)
		}
		queues, err := w.AbuseQueues(w.ctx, w.boss)
		if err != nil || len(queues) != 1 || queues[0].Key != "abuse.queue_breaker" {
			t.Errorf("%+v %v", queues, err)
		}
		if trust, err := w.Trust(w.ctx, w.boss, p.ID); err != nil || trust.HeldMails != 10 {
			t.Errorf("%d are held, %v", trust.HeldMails, err)
		}
		// Renewed while it is open: none goes after an hour.
		for range 3 {
			w.clk.Add(31 * time.Minute)
			signs(p, 10)
			if look().BreakerAt == nil {
				t.Fatal("it closed while many come")
			}
			if got := w.sent(p); got != 0 {
				t.Errorf("%d mails went although they are held back", got)
			}
		}
		// Calm: it closes, and the mails go ten an hour.
		w.clk.Add(90 * time.Minute)
		if look().BreakerAt != nil {
			t.Fatal("it stays open although it is calm")
		}
		all := w.sent(p)
		for range 4 {
			w.clk.Add(time.Hour)
			all += w.sent(p)
		}
		if all != 40 {
			t.Errorf("%d of 40 held mails went", all)
		}
	})
}

// An organizer closes the breaker: the mails go, and it stays closed for a while.
func TestBreakerByHand(t *testing.T) {
	guarded(t, func(t *testing.T, w *world) {
		w.opt.Breaker = Breaker{Mails: 20}
		p := w.published("Twenty visits")
		for i := range 60 {
			w.sign(from(p.Slug, fmt.Sprintf("p%d@example.org", i), fmt.Sprintf("192.0.2.%d", i)))
		}
		w.sent(p)
		w.clk.Add(6 * time.Minute)
		if err := w.Breakers(w.ctx); err != nil {
			t.Fatal(err)
		}
		w.sign(from(p.Slug, "late@example.org", "192.0.2.200"))
		if w.petition(p.ID).BreakerAt == nil || w.sent(p) != 0 {
			t.Fatal("it did not open")
		}
		for range 2 {
			if err := w.CloseBreaker(w.ctx, w.boss, p.ID); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.sent(p); got != 1 {
			t.Errorf("%d mails went", got)
		}
		if err := w.Breakers(w.ctx); err != nil || w.petition(p.ID).BreakerAt != nil {
			t.Error("it opened again at once", err)
		}
	})
}

// Mails that were taken first and came back later count too.
func TestBreakerHearsOfMailThatCameBack(t *testing.T) {
	guarded(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		for i := range 100 {
			w.sign(from(p.Slug, fmt.Sprintf("p%d@example.org", i), fmt.Sprintf("192.0.2.%d", i)))
		}
		if got := w.sent(p); got != 100 {
			t.Fatalf("%d mails", got)
		}
		for i, want := range []bool{false, true} {
			var boxes []uuid.UUID
			if err := w.db.Model(&models.Mailbox{}).Where("suppressed_at IS NULL AND id IN (SELECT mailbox_id FROM signatures WHERE petition_id = ?)", p.ID).Order("id").Limit([]int{19, 1}[i]).Pluck("id", &boxes).Error; err != nil {
				t.Fatal(err)
			}
			if err := mailboxes.SuppressAll(w.ctx, w.db.DB, boxes, models.SuppressedBounce, w.clk.Now()); err != nil {
				t.Fatal(err)
			}
			if err := w.Breakers(w.ctx); err != nil {
				t.Fatal(err)
			}
			if opened := w.petition(p.ID).BreakerAt != nil; opened != want {
				t.Errorf("after %d came back: open %v", 19+i, opened)
			}
		}
	})
}

func TestBreakerTrips(t *testing.T) {
	b := Breaker{}.orDefault()
	for m, want := range map[breakerMails]bool{
		{Sent: 950, Confirmed: 49}: false, {Sent: 951, Confirmed: 49}: true, {Sent: 950, Confirmed: 50}: false, {Sent: 5000, Confirmed: 249}: true,
		{Tried: 99, Bounced: 99}: false, {Tried: 100, Bounced: 20}: true, {Tried: 100, Bounced: 19}: false,
	} {
		if b.trips(m) != want {
			t.Errorf("%+v: %v", m, !want)
		}
	}
}
