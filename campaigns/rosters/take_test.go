package rosters

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/abuse"
	"kithline/campaigns/clock"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/organisation"
	"kithline/campaigns/pacing"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// takeStart is a Monday morning in New York.
var takeStart = time.Date(2027, 3, 1, 15, 0, 0, 0, time.UTC)

// taking is a store with a published roster, in which people take places.
type taking struct {
	*Service
	t      *testing.T
	ctx    context.Context
	clk    *clock.Fixed
	door   *confirmations.Service
	roster models.Roster
}

func eachTaking(t *testing.T, fn func(t *testing.T, w *taking)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) { fn(t, newTaking(t, db)) })
}

func newTaking(t *testing.T, db *database.DB) *taking {
	t.Helper()
	v, clk := vault.New(vault.NewKey()), clock.NewFixed(takeStart)
	signer, org := tokens.New(v), organisation.New(db, v, clk)
	s := New(Options{
		DB: db, Vault: v, Clock: clk, Signer: signer, Organisation: org, BaseURL: "https://act.example.org", Log: slog.New(slog.DiscardHandler), Guard: abuse.New(db, v, clk, abuse.Limits{}),
		Consents: consents.New(db, clk, signer, org), Day: func(_ string, at time.Time) string { return at.Format("Monday 2 January 2006") },
		Words: func(lang, key string, args ...any) string {
			return strings.TrimSpace(fmt.Sprintln(append([]any{lang, key}, args...)...))
		},
	})
	w := &taking{Service: s, t: t, ctx: t.Context(), clk: clk, door: confirmations.New(clk, signer)}
	w.door.Register(s.Source())
	w.roster = models.Roster{
		ID: models.NewID(), Slug: "pain-day", State: models.RosterPublished, Title: "Help at the big day", Locale: "en", TimeZone: "America/New_York", PublishedAt: &takeStart, CreatedAt: takeStart, UpdatedAt: takeStart,
	}
	if _, err := org.Ensure(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.put(&w.roster)
	return w
}

func (w *taking) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *taking) put(row any) {
	w.t.Helper()
	w.must(w.DB.Create(row).Error)
}

// shift puts a shift into the roster: fixed, from a time by the clock of New York on, for as many minutes.
func (w *taking) shift(at string, minutes int, change ...func(*models.Shift)) models.Shift {
	w.t.Helper()
	sh := models.Shift{
		ID: models.NewID(), RosterID: w.roster.ID, Role: "Welcome table", Kind: models.ShiftFixed, Minutes: minutes, Mode: models.ShiftHome, Minimum: 1, Places: 1, Standbys: 1, Energy: 2,
		CreatedAt: takeStart, UpdatedAt: takeStart,
	}
	if at != "" {
		from := w.at(at)
		until := from.Add(time.Duration(minutes) * time.Minute)
		sh.StartsAt, sh.EndsAt = &from, &until
	}
	for _, c := range change {
		c(&sh)
	}
	w.put(&sh)
	return sh
}

// at is a moment by the clock of New York.
func (w *taking) at(text string) time.Time {
	w.t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	w.must(err)
	at, err := time.ParseInLocation("2006-01-02 15:04", text, zone)
	w.must(err)
	return at.UTC()
}

// box is a mailbox that was confirmed once.
func (w *taking) box(email string) models.Mailbox {
	w.t.Helper()
	row, err := mailboxes.NewRow(w.Vault, email, w.Clock.Now())
	w.must(err)
	now := w.Clock.Now()
	row.VerifiedAt = &now
	w.put(&row)
	return row
}

func (w *taking) input(sh models.Shift, email string) TakeInput {
	return TakeInput{Shift: sh.ID, As: models.AsPlace, Email: email, GivenName: "June", Locale: "en", Lang: "en", ClientIP: "192.0.2.7"}
}

// took takes a place at once, for a browser that proved the address.
func (w *taking) took(sh models.Shift, email string, change ...func(*TakeInput)) models.Assignment {
	w.t.Helper()
	in := w.input(sh, email)
	in.Proved = email
	for _, c := range change {
		c(&in)
	}
	r, err := w.Take(w.ctx, in)
	w.must(err)
	if !r.Confirmed {
		w.t.Fatalf("the place of %s waits", email)
	}
	var a models.Assignment
	w.must(w.DB.Take(&a, "id = ?", r.ID).Error)
	return a
}

func (w *taking) key(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return fmt.Sprint(err)
	}
	if len(f.Fields) > 0 {
		var names []string
		for _, x := range f.Fields {
			names = append(names, x.Name+" "+x.Key)
		}
		return strings.Join(names, ", ")
	}
	return f.Key
}

func (w *taking) count(row any, where string, args ...any) int {
	w.t.Helper()
	var n int64
	w.must(w.DB.Model(row).Where(where, args...).Count(&n).Error)
	return int(n)
}

func (w *taking) mails(kind string) []models.Delivery {
	w.t.Helper()
	var out []models.Delivery
	w.must(w.DB.Where("kind = ?", kind).Order("created_at, id").Find(&out).Error)
	return out
}

// confirm presses the button behind the mail to a mailbox.
func (w *taking) confirm(box uuid.UUID, ids ...uuid.UUID) (confirmations.Confirmed, error) {
	return w.door.Confirm(w.ctx, w.Signer.Make(tokens.Confirm, box, w.Clock.Now().Add(time.Hour)), ids)
}

func (w *taking) places(sh models.Shift) Places {
	w.t.Helper()
	p, err := placesOf(w.ctx, w.DB.DB, []uuid.UUID{sh.ID}, w.Clock.Now())
	w.must(err)
	return p[sh.ID]
}

func TestTakeByMail(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		sh := w.shift("2027-03-09 09:00", 90)
		known := w.box("known@example.org")
		in := w.input(sh, "june@example.org")
		in.FamilyName, in.Phone, in.TimeZone = "Okafor", "555-0142", "Europe/Berlin"
		boxes, err := w.TakeBoxes(w.ctx, "en")
		w.must(err)
		in.Boxes = []string{boxes[0].Value}
		first, err := w.Take(w.ctx, in)
		w.must(err)
		if first.Confirmed || w.places(sh).Pending != 1 {
			t.Fatalf("%+v, %+v", first, w.places(sh))
		}
		if _, err := w.Take(w.ctx, w.input(sh, "cal@example.org")); w.key(err) != "error.shift_full" {
			t.Errorf("the place is kept for nobody: %v", err)
		}
		if _, err := w.Take(w.ctx, w.input(sh, "known@example.org")); w.key(err) != "error.shift_full" {
			t.Errorf("a known address hears something else: %v", err)
		}
		if n := w.count(&models.ShiftMark{}, "1 = 1"); n != 0 {
			t.Errorf("somebody is not to be asked since a stranger typed their address")
		}
		var a models.Assignment
		w.must(w.DB.Take(&a, "id = ?", first.ID).Error)
		d := w.mails(confirmations.RosterConfirm)
		if len(d) != 1 || d[0].SubjectID != a.ID {
			t.Fatalf("%+v", d)
		}
		c, err := w.TakingMails()[d[0].Kind](w.ctx, d[0])
		w.must(err)
		if m := c.Data.(RosterConfirmMail); m.Role != sh.Role || m.Minutes != 30 || !strings.Contains(m.ConfirmURL, "/confirm/") {
			t.Errorf("%+v", m)
		}
		waiting, err := w.Source().Waiting(w.ctx, a.MailboxID, w.Clock.Now())
		w.must(err)
		if len(waiting.Items) != 1 || !waiting.Items[0].Open || len(waiting.Items[0].Says) != 5 {
			t.Fatalf("%+v", waiting)
		}
		done, err := w.confirm(a.MailboxID, a.ID)
		w.must(err)
		if len(done.Items) != 1 || done.Already || done.Items[0].Thanks != "/shifts/"+sh.ID.String()+"/taken" {
			t.Errorf("%+v", done)
		}
		again, err := w.confirm(a.MailboxID, a.ID)
		w.must(err)
		if !again.Already || len(w.mails(KindReceipt)) != 1 || w.places(sh) != (Places{Confirmed: 1}) {
			t.Errorf("%+v, %d receipts, %+v", again, len(w.mails(KindReceipt)), w.places(sh))
		}
		var m models.Mailbox
		w.must(w.DB.Take(&m, "id = ?", a.MailboxID).Error)
		if m.VerifiedAt == nil || m.SupporterID == nil {
			t.Error("the person has no record")
		}
		var p models.Supporter
		w.must(w.DB.Take(&p, "id = ?", *m.SupporterID).Error)
		if p.TimeZone != "Europe/Berlin" || p.Source != "roster" {
			t.Errorf("%+v", p)
		}
		if n := w.count(&models.Consent{}, "mailbox_id = ? AND purpose = ? AND withdrawn_at IS NULL", m.ID, models.PurposeVolunteering); n != 1 {
			t.Errorf("%d consents", n)
		}
		if w.count(&models.ShiftMark{}, "shift_id = ?", sh.ID) != 1 || w.count(&models.ShiftEvent{}, "kind = ?", models.PlaceTaken) != 1 {
			t.Error("nothing says that a place was taken")
		}

		// Whoever types the address of somebody who has it changes nothing.
		sh2 := w.shift("2027-03-10 09:00", 30, func(s *models.Shift) { s.Places = 2 })
		b := w.took(sh2, "known@example.org")
		stand := w.input(sh2, "known@example.org")
		stand.As, stand.AskBy = models.AsStandby, models.AskByMail
		_, err = w.Take(w.ctx, stand)
		w.must(err)
		var still models.Assignment
		w.must(w.DB.Take(&still, "shift_id = ? AND mailbox_id = ?", sh2.ID, known.ID).Error)
		if still.ID != b.ID || still.State != models.AssignmentConfirmed || still.AsWhat != models.AsPlace {
			t.Errorf("%+v", still)
		}
	})
}

func TestAPlaceIsKeptForThirtyMinutes(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		sh, other := w.shift("2027-03-09 09:00", 90), w.shift("2027-03-10 09:00", 90)
		late, err := w.Take(w.ctx, w.input(sh, "june@example.org"))
		w.must(err)
		lucky, err := w.Take(w.ctx, w.input(other, "june@example.org"))
		w.must(err)
		var box models.Mailbox
		w.must(w.DB.Take(&box).Error)
		w.clk.Add(31 * time.Minute)
		cal := w.box("cal@example.org")
		w.took(sh, "cal@example.org")
		if _, err := w.confirm(box.ID, late.ID); w.key(err) != "error.confirm_nothing" {
			t.Errorf("it is there for two: %v", err)
		}
		if _, err := w.confirm(box.ID, lucky.ID); err != nil { // nobody else took it
			t.Error(err)
		}
		if w.places(sh).Confirmed != 1 || w.places(other).Confirmed != 1 || w.count(&models.Assignment{}, "mailbox_id = ?", cal.ID) != 1 {
			t.Errorf("%+v, %+v", w.places(sh), w.places(other))
		}

		third := w.shift("2027-03-11 09:00", 90)
		_, err = w.Take(w.ctx, w.input(third, "ann@example.org"))
		w.must(err)
		w.clk.Add(23 * time.Hour)
		if n, err := w.Expire(w.ctx); err != nil || n != 0 {
			t.Errorf("%d, %v", n, err)
		}
		w.clk.Add(2 * time.Hour)
		if n, err := w.Expire(w.ctx); err != nil || n != 1 {
			t.Errorf("%d, %v", n, err)
		}
		if n := w.count(&models.Cover{}, "1 = 1"); n != 0 {
			t.Errorf("somebody is looked for since nobody confirmed")
		}
	})
}

// What is refused: to everybody what follows from the shift, and to the person alone what follows from them.
func TestRefusals(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		opens := w.at("2027-03-05 12:00")
		early := w.shift("2027-03-09 09:00", 60, func(s *models.Shift) { s.OpensAt = &opens })
		begun := w.shift("2027-03-01 09:00", 120)
		spanish := w.shift("2027-03-09 12:00", 60, func(s *models.Shift) { s.Languages = "es" })
		trained := w.shift("2027-03-09 14:00", 60, func(s *models.Shift) { s.Training = "host" })
		one, two := w.shift("2027-03-10 09:00", 60), w.shift("2027-03-10 09:30", 60)
		w.box("june@example.org")
		for _, c := range []struct {
			sh     models.Shift
			proved bool
			want   string
		}{
			{early, false, "error.roster_early"},
			{begun, false, "error.roster_closed"},
			{spanish, false, "meets error.roster_meets"},
			{trained, true, "error.roster_needs"},
			{trained, false, "<nil>"},
			{one, true, "<nil>"},
			{two, true, "error.roster_clash"},
			{two, false, "<nil>"},
		} {
			in := w.input(c.sh, "june@example.org")
			if c.proved {
				in.Proved = in.Email
			}
			if _, err := w.Take(w.ctx, in); w.key(err) != c.want {
				t.Errorf("%s, proved %t: %v, want %s", c.sh.StartsAt, c.proved, err, c.want)
			}
		}
		// Behind the mail the person hears why.
		var box models.Mailbox
		w.must(w.DB.Take(&box).Error)
		waiting, err := w.Source().Waiting(w.ctx, box.ID, w.Clock.Now())
		w.must(err)
		for _, i := range waiting.Items {
			if i.Open || len(i.Says) != 1 {
				t.Errorf("%+v", i)
			}
			if _, err := w.confirm(box.ID, i.ID); !fault.Is(err, fault.Gone) || w.key(err) != "error.roster_clash" && w.key(err) != "error.roster_needs" {
				t.Errorf("%v", err)
			}
		}
		if len(waiting.Items) != 2 || len(waiting.Done) != 1 {
			t.Errorf("%d wait, %d count", len(waiting.Items), len(waiting.Done))
		}
		bad := TakeInput{Shift: one.ID, As: "boss", Email: "no", GivenName: " ", Phone: "1", Boxes: []string{"x"}, Lang: "en"}
		if _, err := w.Take(w.ctx, bad); w.key(err) != "given_name error.roster_name, email error.email_invalid, phone error.phone_invalid, as error.value_unknown, consent error.consent_changed" {
			t.Errorf("%v", w.key(err))
		}
		stand := w.input(one, "x@example.org")
		stand.As, stand.AskBy, stand.AskFrom = models.AsStandby, models.AskByPhone, "7 o'clock"
		if _, err := w.Take(w.ctx, stand); w.key(err) != "phone error.roster_phone, ask_from error.roster_time" {
			t.Errorf("%v", w.key(err))
		}
	})
}

// More than somebody planned is asked once, of them alone.
func TestMoreThanPlanned(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		sh, next := w.shift("2027-03-09 09:00", 60, func(s *models.Shift) { s.Energy = 4 }), w.shift("2027-03-10 09:00", 60)
		box := w.box("june@example.org")
		w.put(&models.Pacing{MailboxID: box.ID, SettingsSealed: w.Vault.Seal("pacings", "settings_sealed", box.ID, `{"weekly":3}`), UpdatedAt: takeStart})
		in := w.input(sh, "june@example.org")
		in.Proved = in.Email
		if _, err := w.Take(w.ctx, in); w.key(err) != "anyway error.roster_plan_"+string(pacing.Over) {
			t.Fatalf("%v", err)
		}
		in.Anyway = true
		if r, err := w.Take(w.ctx, in); err != nil || !r.Confirmed {
			t.Errorf("%v, %v", r, err)
		}
		r, err := w.Take(w.ctx, w.input(next, "june@example.org")) // a stranger hears nothing of it
		w.must(err)
		waiting, err := w.Source().Waiting(w.ctx, box.ID, w.Clock.Now())
		w.must(err)
		says := waiting.Items[0].Says
		if !waiting.Items[0].Open || says[len(says)-1].Value != "error.roster_plan_budget" {
			t.Errorf("%+v", waiting.Items[0])
		}
		if _, err := w.confirm(box.ID, r.ID); err != nil {
			t.Error(err)
		}
	})
}

func TestAWindowTakesATime(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		from, until := w.at("2027-03-10 09:00"), w.at("2027-03-12 17:00")
		sh := w.shift("", 30, func(s *models.Shift) { s.Kind, s.StartsAt, s.EndsAt, s.Places = models.ShiftWindow, &from, &until, 5 })
		w.box("june@example.org")
		for at, want := range map[string]string{
			"2027-03-10T08:59": "at error.roster_at", "2027-03-12T16:31": "at error.roster_at", "soon": "at error.roster_at", "2027-03-12T16:30": "<nil>",
		} {
			in := w.input(sh, "june@example.org")
			in.At, in.Proved = at, in.Email
			if _, err := w.Take(w.ctx, in); w.key(err) != want {
				t.Errorf("%s: %v", at, err)
			}
		}
		var a models.Assignment
		w.must(w.DB.Take(&a).Error)
		if a.StartsAt == nil || !a.StartsAt.Equal(w.at("2027-03-12 16:30")) {
			t.Errorf("%v", a.StartsAt)
		}
	})
}

// A device that keeps ten places is asked to confirm some first, and the field that nobody sees keeps nothing.
func TestStrangersAreHeldUp(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		sh := w.shift("2027-03-09 09:00", 60, func(s *models.Shift) { s.Places = 50 })
		trap := w.input(sh, "bot@example.org")
		trap.Trap = "x"
		if _, err := w.Take(w.ctx, trap); err != nil || w.count(&models.Mailbox{}, "1 = 1") != 0 {
			t.Errorf("%v", err)
		}
		for i := range takeDeviceMost + 1 {
			_, err := w.Take(w.ctx, w.input(sh, fmt.Sprintf("p%d@example.org", i)))
			if want := i == takeDeviceMost; fault.Is(err, fault.TooMany) != want || !want && err != nil {
				t.Errorf("%d: %v", i, err)
			}
		}
	})
}

// 200 at once for 50 places: exactly 50 have one.
func TestManyTakersAtOnce(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		sh := w.shift("2027-03-09 09:00", 60, func(s *models.Shift) { s.Places = 50 })
		const people = 200
		for i := range people {
			w.box(fmt.Sprintf("p%d@example.org", i))
		}
		var wg sync.WaitGroup
		errs := make([]error, people)
		for i := range people {
			wg.Go(func() {
				in := w.input(sh, fmt.Sprintf("p%d@example.org", i))
				in.Proved = in.Email
				_, errs[i] = w.Take(w.ctx, in)
			})
		}
		wg.Wait()
		took := 0
		for i, err := range errs {
			switch {
			case err == nil:
				took++
			case w.key(err) != "error.shift_full":
				t.Errorf("%d: %v", i, err)
			}
		}
		if took != 50 || w.places(sh).Confirmed != 50 || w.count(&models.ShiftEvent{}, "kind = ?", models.PlaceTaken) != 50 {
			t.Errorf("%d took one, %+v", took, w.places(sh))
		}
	})
}

// The same for those who press the button in their mail at once, and twice.
func TestManyConfirmAtOnce(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		sh := w.shift("2027-03-09 09:00", 60)
		var boxes, ids []uuid.UUID
		for i := range 8 { // each let the 30 minutes pass
			in := w.input(sh, fmt.Sprintf("p%d@example.org", i))
			in.As, in.AskBy = models.AsStandby, models.AskByMail
			r, err := w.Take(w.ctx, in)
			w.must(err)
			var a models.Assignment
			w.must(w.DB.Take(&a, "id = ?", r.ID).Error)
			boxes, ids = append(boxes, a.MailboxID), append(ids, a.ID)
		}
		w.must(w.DB.Model(&models.Assignment{}).Where("1 = 1").Updates(map[string]any{"as_what": models.AsPlace, "expires_at": takeStart.Add(-time.Minute)}).Error)
		var wg sync.WaitGroup
		errs := make([]error, 2*len(boxes))
		for i := range errs {
			wg.Go(func() { _, errs[i] = w.confirm(boxes[i/2], ids[i/2]) })
		}
		wg.Wait()
		for i, err := range errs {
			if err != nil && !fault.Is(err, fault.Gone) {
				t.Errorf("%d: %v", i, err)
			}
		}
		if w.places(sh) != (Places{Confirmed: 1}) || len(w.mails(KindReceipt)) != 1 {
			t.Errorf("%+v, %d receipts", w.places(sh), len(w.mails(KindReceipt)))
		}
	})
}
