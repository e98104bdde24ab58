package rosters

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// offers somebody's time: to be asked by telephone from nine to eight.
func (w *deskWorld) volunteer(name string, change func(*models.Volunteer)) models.Volunteer {
	w.t.Helper()
	v := models.Volunteer{ID: models.NewID(), MailboxID: w.box(name + "@example.org"), State: models.VolunteerActive, Locale: "en", AskBy: models.AskByPhone, AskFrom: 9 * 60, AskUntil: 20 * 60, CreatedAt: deskStart, UpdatedAt: deskStart}
	v.GivenNameSealed = w.Vault.Seal("volunteers", "given_name_sealed", v.ID, name)
	v.PhoneSealed = w.Vault.Seal("volunteers", "phone_sealed", v.ID, "555-01"+name)
	if change != nil {
		change(&v)
	}
	w.must(w.DB.Create(&v).Error)
	return v
}

func called(l PhoneLine) string {
	var out []string
	for _, c := range l.Call {
		out = append(out, c.Name)
	}
	return strings.Join(out, ", ")
}

func TestDeskPhones(t *testing.T) {
	deskEach(t, func(w *deskWorld) {
		r := w.roster()
		sh := w.shift(r, fixed("Host", "2027-03-09", "10:00", "10:45"))
		later := w.shift(r, fixed("Later", "2027-03-10", "10:00", "10:45"))
		w.publish(r)
		w.seats(sh, "hal", models.AsStandby)
		w.seats(sh, "cal", models.AsPlace)
		w.volunteer("rosa", nil)
		w.volunteer("mail", func(v *models.Volunteer) { v.AskBy = models.AskByMail })
		w.volunteer("rests", func(v *models.Volunteer) { v.State = models.VolunteerPaused })
		w.volunteer("cal", nil) // holds a place here, and is elsewhere free
		never := w.volunteer("never", nil)
		w.must(w.DB.Create(&models.ShiftMark{ShiftID: sh.ID, Mark: w.markOf(sh.ID, never.MailboxID)}).Error)
		w.must(w.DB.Create(&models.Cover{ShiftID: later.ID, OpenedAt: deskStart, PhoneAt: &deskStart, UpdatedAt: deskStart}).Error)
		if _, err := w.Phones(w.ctx, w.user(actor.Viewer, uuid.Nil), r.ID); !fault.Is(err, fault.Forbidden) {
			t.Errorf("a viewer reads telephone numbers: %v", err)
		}
		list, err := w.Phones(w.ctx, w.a, r.ID)
		w.must(err)
		if len(list.Lines) != 2 || list.Lines[0].Role != "Later" || called(list.Lines[0]) != "rosa, cal, never" || called(list.Lines[1]) != "hal O., rosa" {
			t.Fatalf("%s | %s", called(list.Lines[0]), called(list.Lines[1]))
		}
		hal, rosa := list.Lines[1].Call[0], list.Lines[1].Call[1]
		if hal.Phone != "555-0142" || !hal.Standby || rosa.Phone != "555-01rosa" || rosa.Standby || !rosa.Good || rosa.Offer != uuid.Nil {
			t.Errorf("%+v %+v", hal, rosa)
		}
		_, err = w.StartCall(w.ctx, w.a, sh.ID, w.box("stranger@example.org"))
		w.fails(err, fault.Conflict, "error.rosterdesk_not_callable")
		first, err := w.StartCall(w.ctx, w.a, sh.ID, hal.Mailbox)
		w.must(err)
		_, err = w.StartCall(w.ctx, w.a, sh.ID, hal.Mailbox)
		w.fails(err, fault.Conflict, "error.rosterdesk_asked_before")
		second, err := w.StartCall(w.ctx, w.a, sh.ID, rosa.Mailbox)
		w.must(err)
		if list, err = w.Phones(w.ctx, w.a, r.ID); err != nil || list.Lines[1].Call[0].Offer != first.ID || list.Lines[1].Call[1].Offer != second.ID || list.Lines[1].Is.Asking != 2 {
			t.Errorf("%+v, %v", list.Lines[1].Call, err)
		}
		_, err = w.Answer(w.ctx, w.a, first.ID, true)
		w.must(err)
		_, err = w.Answer(w.ctx, w.a, first.ID, true)
		w.fails(err, fault.Gone, "error.rosterdesk_offer_over")
		_, err = w.Answer(w.ctx, w.a, second.ID, true) // the place is held by now
		w.fails(err, fault.Gone, "error.rosterdesk_offer_over")
		var as models.Assignment
		w.must(w.DB.Take(&as, "shift_id = ? AND mailbox_id = ?", sh.ID, hal.Mailbox).Error)
		if as.AsWhat != models.AsPlace || as.State != models.AssignmentConfirmed || w.count(&models.Delivery{}, "kind = ? AND subject_id = ?", KindPlaced, as.ID) != 2 {
			t.Errorf("%+v", as)
		}
		if w.count(&models.ShiftEvent{}, "shift_id = ? AND kind = 'covered'", sh.ID) != 1 {
			t.Error("nobody knows that it was covered")
		}
		third, err := w.StartCall(w.ctx, w.a, later.ID, rosa.Mailbox)
		w.must(err)
		_, err = w.Answer(w.ctx, w.a, third.ID, false)
		w.must(err)
		if list, err = w.Phones(w.ctx, w.a, r.ID); err != nil || len(list.Lines) != 1 || called(list.Lines[0]) != "cal, never" {
			t.Errorf("who said no is asked again: %+v, %v", list.Lines, err)
		}
	})
}

// Of many who say yes at once on the telephone, as many get a place as there are.
func TestDeskAnswersAtOnce(t *testing.T) {
	deskEach(t, func(w *deskWorld) {
		r := w.roster()
		in := fixed("Host", "2027-03-09", "10:00", "10:45")
		in.Places = 3
		sh := w.shift(r, in)
		w.publish(r)
		var offers []models.Offer
		for _, name := range []string{"ann", "ben", "cy", "dee", "eve", "flo", "gil", "hue"} {
			v := w.volunteer(name, nil)
			o, err := w.StartCall(w.ctx, w.a, sh.ID, v.MailboxID)
			w.must(err)
			offers = append(offers, o)
		}
		var wg sync.WaitGroup
		errs := make([]error, len(offers))
		for i, o := range offers {
			wg.Go(func() { _, errs[i] = w.Answer(w.ctx, w.a, o.ID, true) })
		}
		wg.Wait()
		yes := 0
		for _, err := range errs {
			switch {
			case err == nil:
				yes++
			case !fault.Is(err, fault.Gone) && !fault.Is(err, fault.Conflict):
				t.Error(err)
			}
		}
		if n := w.count(&models.Assignment{}, "shift_id = ?", sh.ID); yes != 3 || n != 3 || w.count(&models.Offer{}, "state = 'open'") != 0 {
			t.Errorf("%d yeses, %d places", yes, n)
		}
	})
}

func TestDeskMessage(t *testing.T) {
	deskEach(t, func(w *deskWorld) {
		r := w.roster()
		team, err := w.AddTeam(w.ctx, w.a, r.ID, TeamInput{Name: "House 31"})
		w.must(err)
		in := fixed("Leader", "2027-03-09", "10:00", "10:45")
		in.TeamID = &team.ID
		one, two := w.shift(r, in), w.shift(r, fixed("Driver", "2027-03-10", "08:00", "09:00"))
		w.publish(r)
		msg := MessageInput{Subject: " The car park ", Body: "Use the north gate.\r\nThank you."}
		_, err = w.Message(w.ctx, w.a, r.ID, MessageInput{})
		w.fields(err, "subject=subject_missing", "body=body_missing")
		_, err = w.CheckMessage(w.ctx, w.a, r.ID, msg)
		w.fails(err, fault.Conflict, "error.rosterdesk_nobody")
		june := w.seats(one, "june", models.AsPlace)
		w.seats(two, "june", models.AsPlace)
		w.seats(two, "cal", models.AsStandby)
		for _, c := range []struct {
			about MessageInput
			want  int
		}{{MessageInput{}, 2}, {MessageInput{Day: "2027-03-10"}, 2}, {MessageInput{TeamID: team.ID}, 1}, {MessageInput{ShiftID: one.ID}, 1}, {MessageInput{Day: "2027-03-09"}, 1}} {
			c.about.Subject, c.about.Body = msg.Subject, msg.Body
			if n, err := w.CheckMessage(w.ctx, w.a, r.ID, c.about); err != nil || n != c.want {
				t.Errorf("%+v goes to %d, %v", c.about, n, err)
			}
		}
		if n := w.count(&models.RosterMessage{}, "1 = 1"); n != 0 {
			t.Errorf("a look sent %d", n)
		}
		n, err := w.Message(w.ctx, w.a, r.ID, msg)
		w.must(err)
		var ds []models.Delivery
		w.must(w.DB.Find(&ds, "kind = ?", KindMessage).Error)
		if n != 2 || len(ds) != 2 {
			t.Fatalf("%d people, %d mails", n, len(ds))
		}
		for _, d := range ds {
			c, err := w.DeskMails()[KindMessage](w.ctx, d)
			w.must(err)
			m := c.Data.(MessageMail)
			if m.Subject != "The car park" || m.Text != "Use the north gate.\nThank you." || d.SubjectID == june.ID && m.Role != "Leader" {
				t.Errorf("%+v", m)
			}
		}
		w.must(w.Release(w.ctx, w.a, one.ID, june.ID, true))
		for _, d := range ds {
			_, err := w.DeskMails()[KindMessage](w.ctx, d)
			if (d.SubjectID == june.ID) != fault.Is(err, fault.Gone) {
				t.Errorf("%v", err)
			}
		}
		sent, err := w.Messages(w.ctx, w.a, r.ID)
		w.must(err)
		if len(sent) != 1 || sent[0].Recipients != 2 {
			t.Errorf("%+v", sent)
		}
	})
}

func TestDeskReport(t *testing.T) {
	deskEach(t, func(w *deskWorld) {
		r := w.roster()
		sh := w.shift(r, fixed("Notes", "2027-03-09", "10:00", "10:45"))
		w.publish(r)
		w.seats(sh, "june", models.AsPlace)
		three := 3
		_, err := w.CountHeads(w.ctx, w.a, sh.ID, &three)
		w.fields(err, "heads=heads_early")
		if rep, err := w.Report(w.ctx, w.a, r.ID); err != nil || len(rep.Lines) != 0 || rep.Hint.Known {
			t.Errorf("%+v, %v", rep, err)
		}
		w.clk.Set(time.Date(2027, 3, 9, 18, 0, 0, 0, time.UTC))
		_, err = w.CountHeads(w.ctx, w.a, sh.ID, &three)
		w.must(err)
		below := -1
		_, err = w.CountHeads(w.ctx, w.a, sh.ID, &below)
		w.fields(err, "heads=number")
		rep, err := w.Report(w.ctx, w.a, r.ID)
		w.must(err)
		if len(rep.Lines) != 1 || rep.Wanted != 2 || rep.Held != 1 || rep.Heads != 3 || rep.Counted != 1 {
			t.Errorf("%+v", rep)
		}
		// A hint comes from the whole family, from ten places on, and only of shifts that are settled.
		next, err := w.Copy(w.ctx, w.a, r.ID, CopyInput{Day: "2028-03-09"})
		w.must(err)
		event := func(kind models.ShiftEventKind, n int) {
			for range n {
				w.must(w.DB.Create(&models.ShiftEvent{ID: models.NewID(), ShiftID: sh.ID, Kind: kind, At: w.clk.Now()}).Error)
			}
		}
		event(models.PlaceTaken, 8)
		event(models.PlaceReleased, 2)
		w.must(w.DB.Model(&models.Shift{}).Where("id = ?", sh.ID).Updates(map[string]any{"settled_at": w.clk.Now(), "filled": 2}).Error)
		if rep, err = w.Report(w.ctx, w.a, next.ID); err != nil || rep.Hint.Known {
			t.Errorf("a hint from nine places: %+v, %v", rep.Hint, err)
		}
		event(models.PlaceTaken, 1)
		if rep, err = w.Report(w.ctx, w.a, next.ID); err != nil || rep.Hint != (Hint{N: 10, Released: 2, Known: true, Extra: 3}) {
			t.Errorf("%+v, %v", rep.Hint, err)
		}
		other := w.roster()
		if rep, err = w.Report(w.ctx, w.a, other.ID); err != nil || rep.Hint.Known {
			t.Errorf("a hint from another family: %+v, %v", rep.Hint, err)
		}
		if rep, err = w.Report(w.ctx, w.a, r.ID); err != nil || rep.Held != 2 {
			t.Errorf("%+v, %v", rep, err)
		}
	})
}

// Somebody without a mail address has a place like anybody: no mail is ever queued for them, who calls is told whom to call and when, and a
// call is enough to let it go.
func TestDeskWithoutMail(t *testing.T) {
	deskEach(t, func(w *deskWorld) {
		r := w.roster()
		sh, next, third := w.shift(r, fixed("Host", "2027-03-09", "10:00", "10:45")), w.shift(r, fixed("Door", "2027-03-09", "12:00", "12:45")), w.shift(r, fixed("Tea", "2027-03-09", "14:00", "14:45"))
		w.publish(r)
		in := SeatInput{GivenName: "Olu", FamilyName: "Ade", Phone: "+1 617 555 0123", As: models.AsPlace, SaidYes: true}
		for _, c := range []struct {
			change func(*SeatInput)
			want   string
		}{
			{func(in *SeatInput) { in.Phone = "" }, "email=reach"},
			{func(in *SeatInput) { in.Phone = "call me" }, "phone=error.phone_invalid"},
			{func(in *SeatInput) { in.As, in.AskBy = models.AsStandby, models.AskByMail }, "ask_by=ask_no_mail"},
		} {
			x := in
			c.change(&x)
			_, err := w.Seat(w.ctx, w.a, sh.ID, x)
			w.fields(err, c.want)
		}
		olu, err := w.Seat(w.ctx, w.a, sh.ID, in)
		w.must(err)
		_, err = w.Seat(w.ctx, w.a, sh.ID, in)
		w.fails(err, fault.Conflict, "error.shift_twice")
		in.GivenName, in.Phone = "OLU", "(617) 555-0123" // the same person on another day
		by := in
		by.As, by.AskBy = models.AsStandby, models.AskByPhone
		stands, err := w.Seat(w.ctx, w.a, next.ID, by)
		w.must(err)
		in.GivenName = "Bola" // of the same house
		bola, err := w.Seat(w.ctx, w.a, third.ID, in)
		w.must(err)
		if stands.MailboxID != olu.MailboxID || bola.MailboxID == olu.MailboxID {
			t.Error("people are told apart by their number and name")
		}
		var p models.Supporter
		w.must(w.DB.Take(&p, "id = (SELECT supporter_id FROM mailboxes WHERE id = ?)", olu.MailboxID).Error)
		if n := w.count(&models.Phone{}, "supporter_id = ?", p.ID); n != 1 || w.count(&models.Supporter{}, "1 = 1") != 2 {
			t.Errorf("%d numbers", n)
		}
		// Chosen from the list, and one of whom nothing is known.
		_, err = w.Seat(w.ctx, w.a, third.ID, SeatInput{SupporterID: p.ID, As: models.AsPlace, SaidYes: true})
		w.must(err)
		known := models.Supporter{ID: models.NewID(), Locale: "es", Source: "import", CreatedAt: deskStart, UpdatedAt: deskStart}
		w.must(w.DB.Create(&known).Error)
		_, err = w.Seat(w.ctx, w.a, next.ID, SeatInput{SupporterID: known.ID, As: models.AsPlace, SaidYes: true})
		w.fails(err, fault.Conflict, "error.rosterdesk_no_address")
		w.must(supporters.AddPhone(w.ctx, w.DB.DB, w.Vault, known.ID, "555-0142", "", deskStart))
		held, err := w.Seat(w.ctx, w.a, next.ID, SeatInput{SupporterID: known.ID, As: models.AsPlace, SaidYes: true})
		w.must(err)
		w.must(w.Release(w.ctx, w.a, next.ID, held.ID, true))
		held, err = w.Seat(w.ctx, w.a, next.ID, SeatInput{SupporterID: known.ID, As: models.AsPlace, SaidYes: true})
		w.must(err)
		if n := w.count(&models.Mailbox{}, "supporter_id = ?", known.ID); n != 1 || held.Locale != "es" {
			t.Errorf("%d mailboxes, %q", n, held.Locale)
		}

		// What a mail would say, somebody with a telephone says.
		crew, err := w.Crew(w.ctx, w.a, sh.ID)
		w.must(err)
		if len(crew.Line.Holders) != 1 || !crew.Line.Holders[0].NoMail {
			t.Errorf("%+v", crew.Line.Holders)
		}
		told := func() (out string) {
			t.Helper()
			list, err := w.Phones(w.ctx, w.a, r.ID)
			w.must(err)
			for _, x := range list.Told {
				out += fmt.Sprint(x.Role, " ", x.Name, " ", x.Phone, " ", x.Soon, "; ")
			}
			return out
		}
		const number = "+1 617 555 0123"
		calm := "Host Olu A. " + number + " false; Door OLU A. (617) 555-0123 false; Door  555-0142 false; Tea Bola A. (617) 555-0123 false; Tea Olu A. +16175550123 false; "
		if got := told(); got != calm {
			t.Errorf("%s, want %s", got, calm)
		}
		w.clk.Set(time.Date(2027, 3, 8, 4, 59, 0, 0, time.UTC)) // the evening before the day before, in New York
		if got := told(); got != calm {
			t.Errorf("%s, want %s", got, calm)
		}
		w.clk.Set(time.Date(2027, 3, 8, 23, 30, 0, 0, time.UTC)) // the evening on which others are reminded
		if n, err := w.Remind(w.ctx); err != nil || n != 0 {
			t.Errorf("%d reminders, %v", n, err)
		}
		if got := told(); strings.Count(got, "true") != 4 || !strings.Contains(got, "Door OLU A. (617) 555-0123 false") {
			t.Errorf("who stands by is not reminded: %s", got)
		}
		change := ShiftInputOf(r, sh, "")
		change.Place = "Room 4"
		_, n, err := w.SaveShift(w.ctx, w.a, sh.ID, change)
		w.must(err)
		if n != 0 {
			t.Errorf("%d were told by mail", n)
		}
		msg := MessageInput{Subject: "The car park", Body: "Use the north gate."}
		_, err = w.CheckMessage(w.ctx, w.a, r.ID, msg)
		w.fails(err, fault.Conflict, "error.rosterdesk_nobody")
		_, err = w.Message(w.ctx, w.a, r.ID, msg)
		w.fails(err, fault.Conflict, "error.rosterdesk_nobody")

		// Let go by telephone: the search asks who stands by, by telephone alone.
		w.must(w.Release(w.ctx, w.a, next.ID, held.ID, true))
		w.clk.Set(time.Date(2027, 3, 9, 14, 30, 0, 0, time.UTC)) // 09:30 there
		w.must(w.Cover(w.ctx, next.ID))
		var o models.Offer
		w.must(w.DB.Take(&o, "shift_id = ? AND mailbox_id = ?", next.ID, olu.MailboxID).Error)
		if o.ByWhat != models.AskByPhone || o.State != models.OfferOpen {
			t.Errorf("%+v", o)
		}
		list, err := w.Phones(w.ctx, w.a, r.ID)
		w.must(err)
		if called(list.Lines[0]) != "OLU A." || list.Lines[0].Role != "Door" || list.Lines[0].PhoneAt == nil || list.Lines[0].Call[0].Offer != o.ID || list.Lines[0].Call[0].Phone != "(617) 555-0123" {
			t.Errorf("%+v", list.Lines[0])
		}
		_, err = w.Answer(w.ctx, w.a, o.ID, true)
		w.must(err)
		w.must(w.DB.Take(&stands, "id = ?", stands.ID).Error)
		if stands.AsWhat != models.AsPlace || stands.State != models.AssignmentConfirmed {
			t.Errorf("%+v", stands)
		}
		w.must(w.Release(w.ctx, w.a, sh.ID, olu.ID, true))
		_, n, err = w.CancelShift(w.ctx, w.a, third.ID)
		w.must(err)
		if got := told(); n != 0 || strings.Contains(got, "Host") || strings.Count(got, "Tea") != 2 {
			t.Errorf("%d told by mail; %s", n, got)
		}
		if n := w.count(&models.Delivery{}, "1 = 1"); n != 0 {
			t.Errorf("%d mails are queued", n)
		}
	})
}
