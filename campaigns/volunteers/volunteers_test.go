package volunteers

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/abuse"
	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/pacing"
	"kithline/campaigns/paging"
	"kithline/campaigns/segments"
	"kithline/campaigns/supporters"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 1, 15, 0, 0, 0, time.UTC)

type world struct {
	*Service
	t    *testing.T
	ctx  context.Context
	clk  *clock.Fixed
	door *confirmations.Service
	all  *abuse.Service
}

func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		v, clk := vault.New(vault.NewKey()), clock.NewFixed(start)
		signer, org := tokens.New(v), organisation.New(db, v, clk)
		if _, err := org.Ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
		guard := abuse.New(db, v, clk, abuse.Limits{})
		s := New(Options{
			DB: db, Vault: v, Clock: clk, Signer: signer, Organisation: org, Consents: consents.New(db, clk, signer, org), BaseURL: "https://act.example.org", Log: slog.New(slog.DiscardHandler),
			Guard: guard, Words: func(_, key string, _ ...any) string { return key }, Date: func(_ string, t time.Time) string { return t.Format(time.DateOnly) },
		})
		w := &world{Service: s, t: t, ctx: t.Context(), clk: clk, door: confirmations.New(clk, signer), all: guard}
		w.door.Register(s.Source())
		fn(t, w)
	})
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) count(model any, where string, args ...any) int64 {
	w.t.Helper()
	var n int64
	w.must(w.DB.Model(model).Where(where, args...).Count(&n).Error)
	return n
}

// ticks are the boxes of the form for purposes.
func (w *world) ticks(purposes ...models.Purpose) []string {
	w.t.Helper()
	boxes, err := w.Boxes(w.ctx, "en")
	w.must(err)
	var out []string
	for _, b := range boxes {
		if slices.Contains(purposes, b.Purpose) {
			out = append(out, b.Value)
		}
	}
	return out
}

func (w *world) input(email string, d Said, purposes ...models.Purpose) SignUpInput {
	w.t.Helper()
	return SignUpInput{Said: d, Email: email, Locale: "en", Lang: "en", Boxes: w.ticks(purposes...)}
}

func (w *world) signUp(in SignUpInput) models.Volunteer {
	w.t.Helper()
	id, err := w.SignUp(w.ctx, in)
	w.must(err)
	var v models.Volunteer
	w.must(w.DB.Take(&v, "id = ?", id).Error)
	return v
}

func (w *world) press(v models.Volunteer) (confirmations.Confirmed, error) {
	return w.door.Confirm(w.ctx, w.Signer.Make(tokens.Confirm, v.MailboxID, w.clk.Now().Add(time.Hour)), []uuid.UUID{v.ID})
}

// join signs somebody up and confirms it.
func (w *world) join(email string, d Said, purposes ...models.Purpose) models.Volunteer {
	w.t.Helper()
	v := w.signUp(w.input(email, d, purposes...))
	if done, err := w.press(v); err != nil || len(done.Items) != 1 || done.Already {
		w.t.Fatalf("%+v, %v", done, err)
	}
	w.must(w.DB.Take(&v, "id = ?", v.ID).Error)
	return v
}

func (w *world) user(role actor.Role, chapter uuid.UUID) actor.Actor {
	w.t.Helper()
	m := models.Mailbox{ID: models.NewID(), AddressHash: []byte(uuid.NewString()), AddressSealed: []byte{1}, CreatedAt: start, UpdatedAt: start}
	w.must(w.DB.Create(&m).Error)
	u := models.User{ID: models.NewID(), MailboxID: m.ID, Role: string(role), Locale: "en", CreatedAt: start, UpdatedAt: start}
	w.must(w.DB.Create(&u).Error)
	return actor.Actor{Kind: actor.User, UserID: u.ID, Role: role, ChapterID: chapter}
}

func (w *world) chapter(name string) uuid.UUID {
	w.t.Helper()
	c := models.Chapter{ID: models.NewID(), Slug: name, Name: name, CreatedAt: start, UpdatedAt: start}
	w.must(w.DB.Create(&c).Error)
	return c.ID
}

// move gives the person behind a volunteer to a chapter.
func (w *world) move(v models.Volunteer, chapter uuid.UUID) {
	w.t.Helper()
	w.must(w.DB.Exec("UPDATE supporters SET chapter_id = ? WHERE id = (SELECT supporter_id FROM mailboxes WHERE id = ?)", chapter, v.MailboxID).Error)
}

var june = Said{
	GivenName: " June ", FamilyName: "Okafor", Phone: "(202) 555-0101", Note: "Mornings are slow.", Likes: []string{"writing", "notes"}, Skills: []string{"press"}, Languages: []string{"en", "es"},
	Hours: []string{"tue-pm", "mon-am"}, Modes: []string{"home"}, PostalCode: "00209-1234", Country: "us", TimeZone: "America/Chicago", AskBy: models.AskByPhone, AskFrom: "10:30", AskUntil: "17:00",
}

func TestSignUp(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.signUp(w.input("june@example.org", june, models.PurposeVolunteering, models.PurposePhone))
		if v.State != models.VolunteerPending || bytes.Contains(v.GivenNameSealed, []byte("June")) || v.Likes != "notes,writing" || v.Hours != "mon-am,tue-pm" || v.PostalArea != "00209" || v.AskFrom != 630 {
			t.Fatalf("%+v", v)
		}
		if n := w.count(&models.Supporter{}, "1 = 1") + w.count(&models.Consent{}, "1 = 1"); n != 0 {
			t.Errorf("%d rows before the press", n)
		}
		wait, err := w.door.Waiting(w.ctx, w.Signer.Make(tokens.Confirm, v.MailboxID, start.Add(time.Hour)))
		if err != nil || len(wait.Items) != 1 {
			t.Fatalf("%+v %v", wait, err)
		}
		said := fmt.Sprint(wait.Items[0].Says)
		for _, want := range []string{"June Okafor", "volunteers.like_writing", "+1 202-555-0101", "10:30–17:00", "volunteers.ask_phone", "volunteers.day_mon: volunteers.part_am", "00209 US", "America/Chicago", "Mornings are slow.", "may ask me for help"} {
			if !strings.Contains(said, want) {
				t.Errorf("the page that confirms does not show %q: %s", want, said)
			}
		}
		for i := range 2 {
			if done, err := w.press(v); err != nil || len(done.Items) != 1 || done.Already != (i == 1) {
				t.Fatalf("press %d: %+v %v", i, done, err)
			}
		}
		var p models.Supporter
		w.must(w.DB.Take(&p).Error)
		if p.PostalArea != "00209" || p.TimeZone != "America/Chicago" {
			t.Errorf("%+v", p)
		}
		if n := w.count(&models.Consent{}, "purpose IN ('volunteering', 'phone') AND how = 'mail' AND withdrawn_at IS NULL"); n != 2 {
			t.Errorf("%d consents", n)
		}
		if n := w.count(&models.Delivery{}, "kind = ? AND purpose = 'receipt'", KindWelcome); n != 1 {
			t.Errorf("%d mails of welcome", n)
		}
		// Once more from the same address: nothing changes before the press, then what was said is new and what was left empty stays.
		a := w.user(actor.Coordinator, uuid.Nil)
		w.must(w.SetTrainings(w.ctx, a, v.ID, "First aid, table-lead"))
		w.must(w.SetRemark(w.ctx, a, v.ID, "Called on Monday."))
		w.must(w.Welcome(w.ctx, a, v.ID))
		w.clk.Add(48 * time.Hour)
		again := w.signUp(w.input("JUNE@example.org", Said{GivenName: "Junia", Likes: []string{"art"}}))
		if own, err := w.Mine(w.ctx, []uuid.UUID{v.MailboxID}); err != nil || own.GivenName != "June" || !slices.Equal(own.Likes, []string{"notes", "writing"}) {
			t.Errorf("before the press: %+v %v", own, err)
		}
		if done, err := w.press(again); err != nil || len(done.Items) != 1 {
			t.Fatalf("%+v %v", done, err)
		}
		view, err := w.Get(w.ctx, a, again.ID)
		if err != nil || view.GivenName != "Junia" || view.FamilyName != "Okafor" || !slices.Equal(view.Likes, []string{"art"}) || !slices.Equal(view.Skills, []string{"press"}) || view.Note != "Mornings are slow." ||
			!slices.Equal(view.Trainings, []string{"first-aid", "table-lead"}) || view.Remark != "Called on Monday." || !view.Welcomed || view.AskBy != models.AskNot || !view.Since.Equal(start) {
			t.Errorf("%+v %v", view, err)
		}
		if n, m := w.count(&models.Volunteer{}, "1 = 1"), w.count(&models.Delivery{}, "kind = ?", KindWelcome); n != 1 || m != 1 {
			t.Errorf("%d rows, %d mails of welcome", n, m)
		}
		w.must(w.DB.Take(&p).Error)
		if given, err := w.Vault.Open("supporters", "given_name_sealed", p.ID, p.GivenNameSealed); err != nil || given != "June" {
			t.Errorf("the record says %q now, %v", given, err)
		}
	})
}

func TestSignUpRefuses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			change func(in *SignUpInput)
			want   string
		}{
			{func(in *SignUpInput) { in.Email = "june" }, "email"},
			{func(in *SignUpInput) { in.GivenName = "  " }, "given_name"},
			{func(in *SignUpInput) { in.GivenName = strings.Repeat("x", 101) }, "given_name"},
			{func(in *SignUpInput) { in.FamilyName = "a\u202eb" }, "family_name"},
			{func(in *SignUpInput) { in.Likes = []string{"writing", "ruling"} }, "like"},
			{func(in *SignUpInput) { in.Hours = []string{"mon"} }, "hour"},
			{func(in *SignUpInput) { in.Languages = []string{"xx"} }, "language"},
			{func(in *SignUpInput) { in.Modes = []string{"moon"} }, "mode"},
			{func(in *SignUpInput) { in.Skills = []string{"magic"} }, "skill"},
			{func(in *SignUpInput) { in.Phone = "12" }, "phone"},
			{func(in *SignUpInput) { in.Phone = "" }, "phone"},
			{func(in *SignUpInput) { in.AskBy = "telegram" }, "ask_by"},
			{func(in *SignUpInput) { in.AskFrom = "25:00" }, "ask_from"},
			{func(in *SignUpInput) { in.AskUntil = "09:00" }, "ask_until"},
			{func(in *SignUpInput) { in.TimeZone = "Mars/Olympus" }, "time_zone"},
			{func(in *SignUpInput) { in.Country = "USA" }, "country"},
			{func(in *SignUpInput) { in.PostalCode = "!!" }, "postal_code"},
			{func(in *SignUpInput) { in.Boxes = nil }, "consent"},
			{func(in *SignUpInput) { in.Boxes = w.ticks(models.PurposeVolunteering) }, "consent"},
			{func(in *SignUpInput) { in.AskBy, in.Boxes = models.AskByMail, w.ticks(models.PurposePhone) }, "consent"},
			{func(in *SignUpInput) { in.Boxes = append(in.Boxes, "volunteering:0:old") }, "consent"},
		} {
			in := w.input("june@example.org", june, models.PurposeVolunteering, models.PurposePhone)
			c.change(&in)
			_, err := w.SignUp(w.ctx, in)
			if f := asFields(err); len(f) != 1 || f[0].Name != c.want {
				t.Errorf("%s: %v %v", c.want, f, err)
			}
		}
		if n := w.count(&models.Volunteer{}, "1 = 1") + w.count(&models.Mailbox{}, "1 = 1"); n != 0 {
			t.Errorf("%d rows", n)
		}
		// All but a name and an address may be empty.
		if v := w.join("bare@example.org", Said{GivenName: "Bo"}); v.AskBy != models.AskNot || v.AskFrom != AskFrom || v.AskUntil != AskUntil {
			t.Errorf("%+v", v)
		}
	})
}

func asFields(err error) fault.Fields {
	if e := new(fault.Error); err != nil && asError(err, &e) {
		return e.Fields
	}
	return nil
}

func asError(err error, into **fault.Error) bool {
	e, ok := err.(*fault.Error) //nolint:errorlint // operations return it as it is
	if ok {
		*into = e
	}
	return ok
}

// What a rule, the trap or too many forms from one device keep out is answered like all else.
func TestSignUpKeepsOut(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		trapped := w.input("a@example.org", Said{GivenName: "A"})
		trapped.Trap = "x"
		owner := w.user(actor.Owner, uuid.Nil)
		_, err := w.all.AddRule(w.ctx, owner, abuse.RuleInput{Effect: abuse.EffectBlock, Subject: abuse.SubjectDomain, Value: "spam.example", Note: "A test"})
		w.must(err)
		for _, in := range []SignUpInput{trapped, w.input("b@spam.example", Said{GivenName: "B"})} {
			if id, err := w.SignUp(w.ctx, in); err != nil || id == uuid.Nil {
				t.Errorf("%v %v", id, err)
			}
		}
		if n := w.count(&models.Volunteer{}, "1 = 1"); n != 0 {
			t.Errorf("%d rows", n)
		}
		for i := range deviceMost + 5 {
			in := w.input(fmt.Sprintf("n%d@example.org", i), Said{GivenName: "N"})
			in.ClientIP = "203.0.113.9"
			_, err := w.SignUp(w.ctx, in)
			w.must(err)
		}
		if n := w.count(&models.Volunteer{}, "1 = 1"); n != deviceMost {
			t.Errorf("%d rows of one device", n)
		}
		// At one mailbox a few wait; the first stays.
		first := w.signUp(w.input("many@example.org", Said{GivenName: "First"}))
		for range 10 {
			w.clk.Add(time.Minute)
			w.signUp(w.input("many@example.org", Said{GivenName: "Other"}))
		}
		if n := w.count(&models.Volunteer{}, "mailbox_id = ?", first.MailboxID); n != waitingMost || w.count(&models.Volunteer{}, "id = ?", first.ID) != 1 {
			t.Errorf("%d wait", n)
		}
		if n := w.count(&models.Delivery{}, "mailbox_id = ? AND kind = ?", first.MailboxID, confirmations.VolunteerConfirm); n != 1 {
			t.Errorf("%d mails", n)
		}
		// What nobody confirms goes, with its mail; what counts stays.
		w.join("stays@example.org", Said{GivenName: "S"})
		w.clk.Add(confirmations.PendingFor + time.Minute)
		n, err := w.Expire(w.ctx)
		if err != nil || n != deviceMost+waitingMost || w.count(&models.Volunteer{}, "1 = 1") != 1 {
			t.Errorf("%d went, %v", n, err)
		}
		if done, err := w.press(first); !fault.Is(err, fault.Gone) {
			t.Errorf("%+v %v", done, err)
		}
	})
}

func TestDisownAndCode(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.signUp(w.input("june@example.org", june, models.PurposeVolunteering, models.PurposePhone))
		if _, err := w.door.ConfirmCode(w.ctx, []uuid.UUID{v.ID}, "AAAAAA"); !fault.Is(err, fault.Invalid) {
			t.Error(err)
		}
		w.must(w.door.Again(w.ctx, []uuid.UUID{v.ID}))
		if n := w.count(&models.Delivery{}, "kind = ?", confirmations.VolunteerConfirm); n != 1 {
			t.Errorf("%d mails in one day", n)
		}
		w.must(w.door.Disown(w.ctx, w.Signer.Make(tokens.Confirm, v.MailboxID, start.Add(time.Hour)), nil))
		if w.count(&models.Volunteer{}, "1 = 1") != 0 {
			t.Error("it is there still")
		}
		v = w.signUp(w.input("cal@example.org", Said{GivenName: "Cal"}))
		if done, err := w.door.ConfirmCode(w.ctx, []uuid.UUID{v.ID}, w.Signer.Code(tokens.Confirm, v.ID)); err != nil || len(done.Items) != 1 {
			t.Errorf("%+v %v", done, err)
		}
	})
}

// The person's own page: what they say now counts, a pause ends by itself, and stopping leaves nothing.
func TestOwn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.join("june@example.org", Said{GivenName: "June"})
		boxes := []uuid.UUID{v.MailboxID}
		if err := w.SaveMine(w.ctx, boxes, Said{GivenName: "June", AskBy: models.AskByMail}, nil, "en"); len(asFields(err)) != 1 {
			t.Errorf("asked without a consent: %v", err)
		}
		w.must(w.SaveMine(w.ctx, boxes, Said{GivenName: "June", AskBy: models.AskByMail, Likes: []string{"art"}}, w.ticks(models.PurposeVolunteering), "en"))
		own, err := w.Mine(w.ctx, boxes)
		if err != nil || !slices.Equal(own.Likes, []string{"art"}) || !slices.Equal(own.Agreed, []models.Purpose{models.PurposeVolunteering}) || w.count(&models.Consent{}, "how = 'person'") != 1 {
			t.Errorf("%+v %v", own, err)
		}
		w.must(w.SaveMine(w.ctx, boxes, Said{GivenName: "June", AskBy: models.AskByMail}, nil, "en")) // the consent is there
		if own, _ = w.Mine(w.ctx, boxes); len(own.Likes) != 0 {
			t.Errorf("%v is still there", own.Likes)
		}
		soon, past, far := start.AddDate(0, 0, 3), start.Add(-time.Hour), start.AddDate(9, 0, 0)
		for _, wrong := range []*time.Time{&past, &far} {
			if err := w.Pause(w.ctx, boxes, wrong); len(asFields(err)) != 1 {
				t.Errorf("%v: %v", wrong, err)
			}
		}
		w.must(w.Pause(w.ctx, boxes, &soon))
		w.must(w.ResumeAll(w.ctx))
		if own, _ = w.Mine(w.ctx, boxes); !own.Paused || !own.PausedUntil.Equal(soon) {
			t.Errorf("%+v", own)
		}
		w.clk.Add(72 * time.Hour)
		w.must(w.ResumeAll(w.ctx))
		if own, _ = w.Mine(w.ctx, boxes); own.Paused {
			t.Error("the pause lasts longer than its day")
		}
		w.must(w.Pause(w.ctx, boxes, nil))
		w.clk.Add(5000 * time.Hour)
		w.must(w.ResumeAll(w.ctx))
		if own, _ = w.Mine(w.ctx, boxes); !own.Paused {
			t.Error("a pause until they say ended by itself")
		}
		w.must(w.Resume(w.ctx, boxes))
		step, err := w.SaveStep(w.ctx, w.user(actor.Owner, uuid.Nil), uuid.Nil, StepInput{Name: "A call"})
		w.must(err)
		w.must(w.Mark(w.ctx, w.user(actor.Coordinator, uuid.Nil), v.ID, step, true))
		w.signUp(w.input("june@example.org", Said{GivenName: "Waits"}))
		for range 2 {
			w.must(w.Stop(w.ctx, boxes))
		}
		if n := w.count(&models.Volunteer{}, "1 = 1") + w.count(&models.OnboardingMark{}, "1 = 1") + w.count(&models.Consent{}, "purpose = 'volunteering' AND withdrawn_at IS NULL"); n != 0 {
			t.Errorf("%d rows after stopping", n)
		}
		if own, err := w.Mine(w.ctx, boxes); err != nil || own.There {
			t.Errorf("%+v %v", own, err)
		}
		if err := w.Pause(w.ctx, boxes, nil); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	})
}

// A plan is sealed and theirs. Two worlds that differ in a plan alone are the same to a coordinator.
func TestPlanIsPrivate(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.join("june@example.org", june, models.PurposeVolunteering, models.PurposePhone)
		second := models.Mailbox{ID: models.NewID(), AddressHash: []byte("second"), AddressSealed: []byte{1}, CreatedAt: start, UpdatedAt: start}
		w.must(w.DB.Create(&second).Error)
		boxes, a := []uuid.UUID{v.MailboxID, second.ID}, w.user(actor.Organizer, uuid.Nil)
		seen := func() string {
			list, err := w.List(w.ctx, a, Filter{}, paging.Cursor{})
			w.must(err)
			view, err := w.Get(w.ctx, a, v.ID)
			w.must(err)
			queues, err := w.Queues(w.ctx, a)
			w.must(err)
			out := fmt.Sprintf("%+v %+v %+v", list, view, queues)
			w.must(w.CSV(w.ctx, a, Filter{}, func(r Row, address string) error { out += fmt.Sprintf("%+v %s", r, address); return nil }))
			return out
		}
		before := seen()
		plan := pacing.Plan{Weekly: 8, MostEnergy: 3, RestHours: 48, QuietFrom: 21 * 60, QuietUntil: 9 * 60, Avoid: []string{"standing"}}
		w.must(w.SavePlan(w.ctx, boxes, plan))
		for _, b := range boxes {
			if got, err := w.Plan(w.ctx, []uuid.UUID{b}); err != nil || fmt.Sprint(got) != fmt.Sprint(plan) {
				t.Errorf("%+v %v", got, err)
			}
		}
		var row models.Pacing
		w.must(w.DB.Take(&row).Error)
		if bytes.Contains(row.SettingsSealed, []byte("weekly")) {
			t.Error("a plan is not sealed")
		}
		flaring := plan
		flaring.Flare = true
		w.must(pacing.Save(w.ctx, w.DB.DB, w.Vault, boxes[0], flaring, start))
		w.must(w.SavePlan(w.ctx, boxes, pacing.Plan{Weekly: 4}))
		if got, _ := w.Plan(w.ctx, boxes); !got.Flare || got.Weekly != 4 {
			t.Errorf("saving a plan ended a bad time: %+v", got)
		}
		if after := seen(); after != before {
			t.Errorf("a coordinator sees a plan:\n%s\n%s", before, after)
		}
		w.must(pacing.Save(w.ctx, w.DB.DB, w.Vault, boxes[0], pacing.Plan{}, start))
		w.must(w.SavePlan(w.ctx, boxes[:1], pacing.Plan{}))
		if n := w.count(&models.Pacing{}, "mailbox_id = ?", boxes[0]); n != 0 {
			t.Errorf("%d rows of a plan that plans nothing", n)
		}
		for field, p := range map[string]pacing.Plan{
			"weekly": {Weekly: -1}, "most_energy": {MostEnergy: 6}, "rest_hours": {RestHours: 9999}, "quiet_from": {QuietFrom: 2000}, "quiet_until": {QuietUntil: -1}, "avoid": {Avoid: []string{"work"}},
		} {
			if f := asFields(w.SavePlan(w.ctx, boxes, p)); len(f) != 1 || f[0].Name != field {
				t.Errorf("%s: %v", field, f)
			}
		}
		past := start.Add(-time.Hour)
		if f := asFields(w.BadTime(w.ctx, boxes, &past)); len(f) != 1 || f[0].Name != "flare_until" {
			t.Errorf("%v", f)
		}
		if err := w.BadTime(w.ctx, boxes, nil); !fault.Is(err, fault.Unavailable) {
			t.Error(err)
		}
	})
}

func TestList(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		north, south := w.chapter("north"), w.chapter("south")
		a := w.join("june@example.org", june, models.PurposeVolunteering, models.PurposePhone)
		w.clk.Add(time.Minute)
		b := w.join("bo@example.org", Said{GivenName: "Bo", Likes: []string{"art"}, Languages: []string{"fr"}, PostalCode: "10203"})
		w.clk.Add(time.Minute)
		c := w.join("cy@example.org", Said{GivenName: "Cy", Likes: []string{"art"}})
		w.signUp(w.input("waits@example.org", Said{GivenName: "Waits"}))
		w.move(a, north)
		w.move(b, south)
		all, ours, theirs := w.user(actor.Coordinator, uuid.Nil), w.user(actor.Coordinator, north), w.user(actor.Organizer, south)
		w.must(w.SetTrainings(w.ctx, all, a.ID, "first_aid"))
		w.must(w.Welcome(w.ctx, all, b.ID))
		w.must(w.Pause(w.ctx, []uuid.UUID{c.MailboxID}, nil))
		step, err := w.SaveStep(w.ctx, all, uuid.Nil, StepInput{Name: "A call"})
		w.must(err)
		w.must(w.Mark(w.ctx, all, b.ID, step, true))
		w.must(w.Mark(w.ctx, all, c.ID, step, true))
		names := func(who actor.Actor, f Filter) string {
			t.Helper()
			list, err := w.List(w.ctx, who, f, paging.Cursor{})
			w.must(err)
			var out []string
			for _, r := range list.Rows {
				out = append(out, r.GivenName)
			}
			return strings.Join(out, " ")
		}
		for _, x := range []struct {
			who  actor.Actor
			f    Filter
			want string
		}{
			{all, Filter{}, "Cy Bo June"},
			{ours, Filter{}, "June"},
			{theirs, Filter{}, "Bo"},
			{all, Filter{Like: "art"}, "Cy Bo"},
			{all, Filter{Like: "a_t"}, ""},
			{all, Filter{Like: "art", Language: "fr"}, "Bo"},
			{all, Filter{Skill: "press"}, "June"},
			{all, Filter{Training: "first_aid"}, "June"},
			{all, Filter{Training: "first"}, ""},
			{all, Filter{Area: "102"}, "Bo"},
			{all, Filter{Area: "%"}, ""},
			{all, Filter{Chapter: north}, "June"},
			{ours, Filter{Chapter: south}, ""},
			{all, Filter{State: "active"}, "Bo June"},
			{all, Filter{State: "paused"}, "Cy"},
			{all, Filter{State: "new"}, "Cy June"},
			{all, Filter{State: "beginning"}, "June"},
		} {
			if got := names(x.who, x.f); got != x.want {
				t.Errorf("%+v: %q, want %q", x.f, got, x.want)
			}
		}
		// Another chapter's are not there, whatever is tried.
		for name, err := range map[string]error{
			"get": second(w.Get(w.ctx, ours, b.ID)), "trainings": w.SetTrainings(w.ctx, ours, b.ID, "x"), "remark": w.SetRemark(w.ctx, ours, b.ID, "x"), "welcome": w.Welcome(w.ctx, ours, b.ID), "mark": w.Mark(w.ctx, ours, b.ID, step, false),
		} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, role := range []actor.Role{actor.Viewer, actor.Advocate} {
			who := w.user(role, uuid.Nil)
			for name, err := range map[string]error{
				"list": second(w.List(w.ctx, who, Filter{}, paging.Cursor{})), "get": second(w.Get(w.ctx, who, a.ID)), "remark": w.SetRemark(w.ctx, who, a.ID, "x"), "steps": second(w.Steps(w.ctx, who)),
				"add": second(w.Add(w.ctx, who, HandInput{})), "asked": second(w.Asked(w.ctx, who)), "csv": w.CSV(w.ctx, who, Filter{}, nil),
			} {
				if !fault.Is(err, fault.Forbidden) {
					t.Errorf("%s: %s: %v", role, name, err)
				}
			}
		}
		if err := w.CSV(w.ctx, all, Filter{}, nil); !fault.Is(err, fault.Forbidden) {
			t.Errorf("a coordinator exports: %v", err)
		}
		var rows []string
		w.must(w.CSV(w.ctx, theirs, Filter{}, func(r Row, address string) error { rows = append(rows, r.GivenName+" "+address); return nil }))
		if fmt.Sprint(rows) != "[Bo bo@example.org]" || w.count(&models.AuditEntry{}, "action = 'volunteer.export' AND actor_id = ?", theirs.UserID) != 1 {
			t.Errorf("%v", rows)
		}
		choices, err := w.Choices(w.ctx, all)
		if err != nil || !slices.Equal(choices.Trainings, []string{"first_aid"}) || len(choices.Chapters) != 2 {
			t.Errorf("%+v %v", choices, err)
		}
		// The queues: new ones at once, open steps after two weeks.
		count := func(who actor.Actor) string {
			queues, err := w.Queues(w.ctx, who)
			w.must(err)
			var out []string
			for _, q := range queues {
				out = append(out, fmt.Sprint(q.Count))
			}
			return strings.Join(out, " ")
		}
		if got := count(all) + "; " + count(ours) + "; " + count(theirs); got != "2 0 0; 1 0 0; 0 0 0" {
			t.Errorf("%s wait", got)
		}
		w.clk.Add(15 * 24 * time.Hour)
		if got := count(all); got != "2 1 0" {
			t.Errorf("%s wait", got)
		}
		if got := count(w.user(actor.Viewer, uuid.Nil)); got != "" {
			t.Errorf("%s wait for a viewer", got)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestSteps(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := w.user(actor.Coordinator, uuid.Nil)
		var ids []uuid.UUID
		for _, n := range []string{"A call", "A training", "A first task"} {
			id, err := w.SaveStep(w.ctx, a, uuid.Nil, StepInput{Name: n})
			w.must(err)
			ids = append(ids, id)
		}
		if _, err := w.SaveStep(w.ctx, a, uuid.Nil, StepInput{}); len(asFields(err)) != 1 {
			t.Error(err)
		}
		w.must(w.MoveStep(w.ctx, a, ids[2], false))
		w.must(w.MoveStep(w.ctx, a, ids[0], false)) // it is the first already
		w.must(w.EndStep(w.ctx, a, ids[1]))
		_, err := w.SaveStep(w.ctx, a, ids[0], StepInput{Name: "A long call", About: "Half an hour"})
		w.must(err)
		list, err := w.Steps(w.ctx, a)
		if err != nil || len(list) != 2 || list[0].Name != "A long call" || list[1].ID != ids[2] {
			t.Errorf("%+v %v", list, err)
		}
		for name, err := range map[string]error{"end": w.EndStep(w.ctx, a, ids[1]), "move": w.MoveStep(w.ctx, a, ids[1], true), "save": second(w.SaveStep(w.ctx, a, ids[1], StepInput{Name: "X"}))} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := second(w.SaveStep(w.ctx, w.user(actor.Coordinator, w.chapter("north")), uuid.Nil, StepInput{Name: "X"})); !fault.Is(err, fault.Forbidden) {
			t.Errorf("a chapter writes steps of all: %v", err)
		}
		v := w.join("june@example.org", Said{GivenName: "June"})
		for range 2 {
			w.must(w.Mark(w.ctx, a, v.ID, ids[0], true))
		}
		if view, _ := w.Get(w.ctx, a, v.ID); view.Done != 1 || view.Of != 2 || view.Steps[0].DoneAt == nil || view.Steps[1].DoneAt != nil {
			t.Errorf("%+v", view.Steps)
		}
		w.must(w.Mark(w.ctx, a, v.ID, ids[0], false))
		if view, _ := w.Get(w.ctx, a, v.ID); view.Done != 0 {
			t.Errorf("%+v", view.Steps)
		}
	})
}

func TestAdd(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		north := w.chapter("north")
		all, ours := w.user(actor.Coordinator, uuid.Nil), w.user(actor.Coordinator, north)
		in := HandInput{Said: june, Email: "june@example.org", Locale: "en", Where: "On the telephone", On: "2027-01-30"}
		id, err := w.Add(w.ctx, ours, in)
		w.must(err)
		view, err := w.Get(w.ctx, ours, id)
		if err != nil || view.GivenName != "June" || view.Address != "june@example.org" || len(view.Agreed) != 2 || view.Chapter != "north" {
			t.Errorf("%+v %v", view, err)
		}
		var yes []models.Consent
		w.must(w.DB.Find(&yes).Error)
		for _, c := range yes {
			if c.How != models.ConsentByHand || c.Source != "On the telephone" || c.GivenAt.Format(time.DateOnly) != "2027-01-30" {
				t.Errorf("%+v", c)
			}
		}
		if len(yes) != 2 || w.count(&models.Delivery{}, "kind = ?", KindWelcome) != 1 || w.count(&models.AuditEntry{}, "action = 'volunteer.add'") != 1 {
			t.Errorf("%d consents", len(yes))
		}
		w.join("bo@example.org", Said{GivenName: "Bo"})
		for _, c := range []struct {
			who        actor.Actor
			change     func(in *HandInput)
			field, key string
		}{
			{all, func(*HandInput) {}, "email", "error.volunteer_there"},
			{ours, func(in *HandInput) { in.Email = "bo@example.org" }, "email", "error.volunteer_not_added"}, // of nobody's chapter
			{all, func(in *HandInput) { in.Email = "x" }, "email", ""},
			{all, func(in *HandInput) { in.Where = "" }, "where", ""},
			{all, func(in *HandInput) { in.On = "2027-02-30" }, "on", ""},
			{all, func(in *HandInput) { in.On = "2028-01-01" }, "on", ""},
			{all, func(in *HandInput) { in.Locale = "" }, "locale", ""},
		} {
			in := in
			c.change(&in)
			if _, err := w.Add(w.ctx, c.who, in); len(asFields(err)) != 1 || asFields(err)[0].Name != c.field || c.key != "" && asFields(err)[0].Key != c.key {
				t.Errorf("%s: %v", c.field, asFields(err))
			}
		}
		// A no that is newer than the yes counts more.
		w.must(w.Stop(w.ctx, []uuid.UUID{yes[0].MailboxID}))
		if _, err := w.Add(w.ctx, all, in); len(asFields(err)) != 1 || asFields(err)[0].Key != "error.consent_withdrawn" {
			t.Errorf("%v", asFields(err))
		}
	})
}

// Somebody without a mail address offers time too: asked by telephone, never by mail.
func TestAddWithoutMail(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		north := w.chapter("north")
		all, ours := w.user(actor.Coordinator, uuid.Nil), w.user(actor.Coordinator, north)
		in := HandInput{Said: Said{GivenName: "Olu", FamilyName: "Ade", Phone: "+1 617 555 0123", AskBy: models.AskByPhone}, Locale: "en", Where: "On the telephone", On: "2027-01-30"}
		for _, c := range []struct {
			change     func(in *HandInput)
			field, key string
		}{
			{func(in *HandInput) { in.Phone, in.AskBy = "", models.AskNot }, "email", "error.volunteer_reach"},
			{func(in *HandInput) { in.AskBy = models.AskByMail }, "ask_by", "error.volunteer_ask_no_mail"},
			{func(in *HandInput) { in.Phone = "none" }, "phone", "error.phone_invalid"},
		} {
			in := in
			c.change(&in)
			if _, err := w.Add(w.ctx, ours, in); len(asFields(err)) != 1 || asFields(err)[0].Name != c.field || asFields(err)[0].Key != c.key {
				t.Errorf("%s: %v", c.field, asFields(err))
			}
		}
		id, err := w.Add(w.ctx, ours, in)
		w.must(err)
		view, err := w.Get(w.ctx, ours, id)
		w.must(err)
		if view.Address != "" || view.Phone == "" || view.Chapter != "north" || len(view.Agreed) != 2 {
			t.Errorf("%+v", view)
		}
		if _, err := w.Add(w.ctx, ours, in); len(asFields(err)) != 1 || asFields(err)[0].Key != "error.volunteer_there" {
			t.Errorf("%v", err)
		}
		other, err := w.Add(w.ctx, all, in) // whom a chapter wrote down is nothing that others learn of
		w.must(err)
		if view, err := w.Get(w.ctx, all, other); err != nil || view.Chapter != "" {
			t.Errorf("%+v, %v", view, err)
		}
		w.must(w.CSV(w.ctx, w.user(actor.Owner, uuid.Nil), Filter{}, func(_ Row, address string) error {
			if address != "" {
				t.Errorf("an address: %q", address)
			}
			return nil
		}))
		if n := w.count(&models.Delivery{}, "1 = 1"); n != 0 {
			t.Errorf("%d mails", n)
		}
	})
}

func TestCertificates(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		north := w.chapter("north")
		v := w.join("june@example.org", Said{GivenName: "June", FamilyName: "Okafor"})
		boxes, all, ours := []uuid.UUID{v.MailboxID}, w.user(actor.Coordinator, uuid.Nil), w.user(actor.Coordinator, north)
		roster := models.Roster{ID: models.NewID(), Slug: "day", State: models.RosterPublished, Title: "Pain Day", Locale: "en", TimeZone: "America/New_York", CreatedAt: start, UpdatedAt: start}
		at := time.Date(2027, 1, 31, 3, 30, 0, 0, time.UTC) // the evening before, in New York
		end := at.Add(2 * time.Hour)
		shift := models.Shift{ID: models.NewID(), RosterID: roster.ID, Role: "Stall", Kind: models.ShiftFixed, StartsAt: &at, EndsAt: &end, Minutes: 135, Mode: models.ShiftOnsite, Places: 1, Energy: 2, CreatedAt: start, UpdatedAt: start}
		seat := models.Assignment{ID: models.NewID(), ShiftID: shift.ID, MailboxID: v.MailboxID, AsWhat: models.AsPlace, State: models.AssignmentConfirmed, Locale: "en", CreatedAt: start, UpdatedAt: start}
		ahead, later, then := shift, seat, start.AddDate(0, 0, 20)
		until := then.Add(2 * time.Hour)
		ahead.ID, ahead.StartsAt, ahead.EndsAt = models.NewID(), &then, &until // no hours to confirm yet
		later.ID, later.ShiftID = models.NewID(), ahead.ID
		for _, row := range []any{&roster, &shift, &seat, &ahead, &later} {
			w.must(w.DB.Create(row).Error)
		}
		held, err := w.HeldBy(w.ctx, boxes)
		if err != nil || len(held) != 1 || held[0] != (Held{Shift: shift.ID, Role: "Stall", Roster: "Pain Day", On: "2027-01-30", Minutes: 135}) {
			t.Fatalf("%+v %v", held, err)
		}
		in := AskInput{Name: "June Okafor", Role: "Stall", On: held[0].On, Minutes: 135, Shift: shift.ID}
		for field, change := range map[string]func(in *AskInput){
			"name": func(in *AskInput) { in.Name = " " }, "role": func(in *AskInput) { in.Role = "" }, "on": func(in *AskInput) { in.On = "2027-02-09" }, "minutes": func(in *AskInput) { in.Minutes = 0 },
		} {
			in := in
			change(&in)
			if f := asFields(w.Ask(w.ctx, boxes, in)); len(f) != 1 || f[0].Name != field {
				t.Errorf("%s: %v", field, f)
			}
		}
		w.must(w.Ask(w.ctx, boxes, in))
		in.Role, in.Shift = "Writing", uuid.New() // not theirs: nothing is said of it
		w.must(w.Ask(w.ctx, boxes, in))
		papers, err := w.Papers(w.ctx, boxes)
		if err != nil || len(papers) != 2 || papers[0].Name != "June Okafor" || papers[0].RosterID != nil || papers[1].RosterID == nil || papers[0].Hours() != "2.25" {
			t.Fatalf("%+v %v", papers, err)
		}
		if list, err := w.Asked(w.ctx, ours); err != nil || len(list) != 0 {
			t.Errorf("%+v %v", list, err)
		}
		if err := w.Answer(w.ctx, ours, papers[0].ID, true); !fault.Is(err, fault.NotFound) {
			t.Errorf("another chapter gives it: %v", err)
		}
		if queues, _ := w.Queues(w.ctx, all); queues[2].Count != 2 {
			t.Errorf("%+v", queues)
		}
		w.move(v, north)
		list, err := w.Asked(w.ctx, ours)
		if err != nil || len(list) != 2 || list[0].Who != "June" {
			t.Errorf("%+v %v", list, err)
		}
		give, refuse := papers[1], papers[0]
		w.must(w.Answer(w.ctx, ours, give.ID, true))
		w.must(w.Answer(w.ctx, ours, refuse.ID, false))
		if err := w.Answer(w.ctx, ours, refuse.ID, true); !fault.Is(err, fault.Conflict) {
			t.Errorf("a second answer: %v", err)
		}
		var d models.Delivery
		w.must(w.DB.Take(&d, "kind = ?", KindCertificate).Error)
		content, err := w.Renderers()[KindCertificate](w.ctx, d)
		mail, ok := content.Data.(CertificateMail)
		if err != nil || !ok || mail.GivenName != "June" || d.SubjectID != give.ID {
			t.Fatalf("%+v %v", content, err)
		}
		token := mail.URL[strings.LastIndex(mail.URL, "/")+1:]
		linked, err := w.Linked(w.ctx, token)
		if err != nil || linked.ID != give.ID {
			t.Errorf("%+v %v", linked, err)
		}
		var pdf bytes.Buffer
		w.must(w.Print(w.ctx, linked, "en", &pdf))
		if !bytes.HasPrefix(pdf.Bytes(), []byte("%PDF")) || pdf.Len() < 1000 {
			t.Errorf("%d bytes", pdf.Len())
		}
		if _, err := w.Given(w.ctx, []uuid.UUID{uuid.New()}, give.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("somebody else's: %v", err)
		}
		if err := w.Drop(w.ctx, boxes, give.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("a given one goes: %v", err)
		}
		w.must(w.Drop(w.ctx, boxes, refuse.ID))
		for range askedMost {
			w.must(w.Ask(w.ctx, boxes, in))
		}
		if err := w.Ask(w.ctx, boxes, in); !fault.Is(err, fault.TooMany) {
			t.Error(err)
		}
	})
}

func TestCondition(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := w.join("june@example.org", june, models.PurposeVolunteering, models.PurposePhone)
		b := w.join("bo@example.org", Said{GivenName: "Bo", Likes: []string{"art"}, Languages: []string{"fr"}})
		w.must(w.Pause(w.ctx, []uuid.UUID{b.MailboxID}, nil))
		w.signUp(w.input("waits@example.org", Said{GivenName: "Waits"}))
		kind := Condition()
		ids := map[uuid.UUID]string{}
		for _, v := range []models.Volunteer{a, b} {
			var m models.Mailbox
			w.must(w.DB.Take(&m, "id = ?", v.MailboxID).Error)
			ids[*m.SupporterID] = map[uuid.UUID]string{a.ID: "June", b.ID: "Bo"}[v.ID]
		}
		for _, c := range []struct {
			v    segments.Values
			want string
		}{
			{segments.Values{"helps": "all"}, "Bo June"},
			{segments.Values{"helps": "active"}, "June"},
			{segments.Values{"helps": "all", "likes": "art"}, "Bo"},
			{segments.Values{"helps": "active", "likes": "art"}, ""},
			{segments.Values{"helps": "all", "spoken": "es"}, "June"},
			{segments.Values{"helps": "all", "likes": "writing", "spoken": "fr"}, ""},
			{segments.Values{"helps": "all", "likes": "%"}, ""},
		} {
			part, err := kind.Compile(nil, c.v)
			w.must(err)
			var found []uuid.UUID
			if part.Set != "" {
				w.must(w.DB.Raw(part.Set, part.Args...).Scan(&found).Error)
			}
			var names []string
			for _, id := range found {
				names = append(names, ids[id])
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("%v: %q, want %q", c.v, got, c.want)
			}
		}
	})
}

// The record behind a mailbox may become another's: the row is at the mailbox, and goes with it.
func TestMergedAndMoved(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.join("june@example.org", june, models.PurposeVolunteering, models.PurposePhone)
		other := supporters.NewRow(w.Vault, models.NewID(), supporters.Facts{GivenName: "June", Source: supporters.SourceForm}, start)
		north := w.chapter("north")
		other.ChapterID = &north
		w.must(w.DB.Create(&other).Error)
		ours := w.user(actor.Coordinator, north)
		if _, err := w.Get(w.ctx, ours, v.ID); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		w.must(supporters.SetMailbox(w.ctx, w.DB.DB, v.MailboxID, other.ID, start))
		if view, err := w.Get(w.ctx, ours, v.ID); err != nil || view.Supporter != other.ID {
			t.Errorf("%+v %v", view, err)
		}
	})
}
