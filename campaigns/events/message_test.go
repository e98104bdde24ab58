package events

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/models"
)

// A message goes to those who have a place on the date, or on any date ahead: one mail to each mailbox, once, and no page shows it.
func TestMessageToThoseRegistered(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := w.user(uuid.Nil, actor.Organizer)
		e := w.open(a, func(d *Draft) { d.Capacity, d.WaitingList = 2, true })
		second := moment("2027-03-02T23:30Z")
		june := w.comes(RegisterInput{Slug: e.Slug, Email: "june@example.org", TimeZone: "America/Los_Angeles"})
		w.comes(RegisterInput{Slug: e.Slug, Email: "june@example.org", Original: Stamp(second)}) // the same mailbox, another date
		cal := w.comes(RegisterInput{Slug: e.Slug, Email: "cal@example.org"})
		waits := w.comes(RegisterInput{Slug: e.Slug, Email: "waits@example.org"})
		later := w.comes(RegisterInput{Slug: e.Slug, Email: "later@example.org", Original: Stamp(second)})
		pending := w.sent(RegisterInput{Slug: e.Slug, Email: "pending@example.org", Original: Stamp(moment("2027-04-06T22:30Z"))})
		first := MessageInput{ID: models.NewID(), Original: Stamp(moment("2027-02-02T23:30Z")), Body: " The lift is out of order.\r\nUse the side door. "}
		for in, want := range map[MessageInput]int{first: 2, {Original: Stamp(second), Body: "x"}: 2, {Body: "x"}: 3} {
			if n, err := w.CheckMessage(w.ctx, a, e.ID, in); err != nil || n != want {
				t.Errorf("%+v: %d %v", in, n, err)
			}
		}
		mails := func(r models.Registration) []models.Delivery { return w.mails(KindMessage, r.MailboxID) }
		if len(mails(june)) != 0 {
			t.Error("looking at it sends it")
		}
		var pressed sync.WaitGroup
		for range 3 {
			pressed.Go(func() {
				if n, err := w.Message(w.ctx, a, e.ID, first); err != nil || n != 2 {
					t.Errorf("%d %v", n, err)
				}
			})
		}
		pressed.Wait()
		for _, c := range []struct {
			who  models.Registration
			want int
		}{{june, 1}, {cal, 1}, {waits, 0}, {later, 0}, {pending, 0}} {
			if got := mails(c.who); len(got) != c.want {
				t.Errorf("%d mails, want %d", len(got), c.want)
			}
		}
		d := mails(june)[0]
		if d.Purpose != models.PurposeReceipt {
			t.Errorf("purpose %s", d.Purpose)
		}
		c, err := w.messageMail(w.ctx, d)
		m, ok := c.Data.(MessageMail)
		if err != nil || !ok || m.GivenName != "June" || m.Text != "The lift is out of order.\nUse the side door." || m.When == "" || m.Yours == "" || m.URL == "" {
			t.Errorf("%+v %v", c, err)
		}
		if n, err := w.Message(w.ctx, a, e.ID, MessageInput{Body: "To all."}); err != nil || n != 3 || len(mails(june)) != 2 || len(mails(later)) != 1 {
			t.Errorf("%d %v", n, err)
		}
		// Nobody reads it on a page.
		if v, err := w.Public(w.ctx, e.Slug); err != nil || v.Next[0].Note != "" {
			t.Errorf("%+v %v", v.Next, err)
		}
		if sent, err := w.Messages(w.ctx, a, e.ID); err != nil || len(sent) != 2 || sent[0].Body != "To all." || sent[1].Recipients != 2 || sent[0].CreatedBy == nil || *sent[0].CreatedBy != a.UserID {
			t.Errorf("%+v %v", sent, err)
		}
		// Who cannot come after all gets no mail that did not go.
		gone := mails(cal)[0]
		w.must(w.Cant(w.ctx, w.link(cal), false))
		if _, err := w.messageMail(w.ctx, d); err != nil {
			t.Error(err)
		}
		if _, err := w.messageMail(w.ctx, gone); !fault.Is(err, fault.Gone) || len(mails(cal)) != 0 {
			t.Errorf("%v", err)
		}
	})
}

// Who comes to all dates is told of a date ahead, and not once they stay away from it. A message says when the date is, unless it is off.
func TestMessageToWhoComesToAllDates(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := w.user(uuid.Nil, actor.Organizer)
		e := w.open(a, nil)
		first, second := moment("2027-02-02T23:30Z"), moment("2027-03-02T23:30Z")
		all := w.comes(RegisterInput{Slug: e.Slug, Email: "all@example.org", Series: true})
		n, err := w.Message(w.ctx, a, e.ID, MessageInput{Original: Stamp(second), Body: "In March."})
		w.must(err)
		d := w.mails(KindMessage, all.MailboxID)[0]
		text := func() (MessageMail, error) {
			t.Helper()
			c, err := w.messageMail(w.ctx, d)
			m, _ := c.Data.(MessageMail)
			return m, err
		}
		if m, err := text(); n != 1 || err != nil || m.When != w.When("en", Occurrence{Start: second, End: second.Add(75 * time.Minute)}, Zone(e)) {
			t.Errorf("%d %+v %v", n, m, err)
		}
		_, err = w.SetDate(w.ctx, a, e.ID, DateInput{Original: second, Do: "off"})
		w.must(err)
		if m, err := text(); err != nil || m.When != "" || m.URL != "" || m.Text != "In March." {
			t.Errorf("%+v %v", m, err)
		}
		_, err = w.SetDate(w.ctx, a, e.ID, DateInput{Original: second, Do: "on"})
		w.must(err)
		w.must(w.Cant(w.ctx, w.link(all), true)) // not in February
		w.must(w.Cant(w.ctx, w.link(all), true)) // and not in March
		if _, err := text(); !fault.Is(err, fault.Gone) {
			t.Errorf("%v", err)
		}
		w.clk.Set(first.Add(24 * time.Hour))
		if _, err := w.Message(w.ctx, a, e.ID, MessageInput{Original: Stamp(first), Body: "Thank you."}); !fault.Is(err, fault.Conflict) {
			t.Errorf("to a date at which nobody was: %v", err)
		}
	})
}

func TestMessageRightsAndInput(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		north, south := w.chapter("north"), w.chapter("south")
		a := w.user(north, actor.Coordinator)
		e := w.open(a, nil)
		first := Stamp(moment("2027-02-02T23:30Z"))
		if _, err := w.Message(w.ctx, a, e.ID, MessageInput{Body: "x"}); !fault.Is(err, fault.Conflict) || asFault(err).Key != "error.event_nobody" {
			t.Errorf("to nobody: %v", err)
		}
		june := w.comes(RegisterInput{Slug: e.Slug, Email: "june@example.org"})
		for _, c := range []struct {
			who  actor.Actor
			want fault.Kind
		}{{w.user(south, actor.Coordinator), fault.NotFound}, {w.user(uuid.Nil, actor.Viewer), fault.Forbidden}, {w.user(uuid.Nil, actor.Advocate), fault.Forbidden}, {actor.Actor{}, fault.Unauthenticated}} {
			_, send := w.Message(w.ctx, c.who, e.ID, MessageInput{Body: "x"})
			_, look := w.CheckMessage(w.ctx, c.who, e.ID, MessageInput{Body: "x"})
			_, list := w.Messages(w.ctx, c.who, e.ID)
			for i, err := range []error{send, look, list} {
				if !fault.Is(err, c.want) {
					t.Errorf("%v %d: %v", c.who.Role, i, err)
				}
			}
		}
		long := make([]rune, MessageMax+1)
		for i := range long {
			long[i] = 'ä'
		}
		for _, c := range []struct {
			in    MessageInput
			field string
		}{{MessageInput{Original: first, Body: " \n"}, "body"}, {MessageInput{Body: string(long)}, "body"}, {MessageInput{Original: "x", Body: "x"}, "date"}, {MessageInput{Original: Stamp(start), Body: "x"}, "date"}} {
			_, send := w.Message(w.ctx, a, e.ID, c.in)
			_, look := w.CheckMessage(w.ctx, a, e.ID, c.in)
			for _, err := range []error{send, look} {
				if !fault.Is(err, fault.Invalid) || asFault(err).Fields[0].Name != c.field {
					t.Errorf("%s: %v", c.field, err)
				}
			}
		}
		if n := len(w.mails(KindMessage, june.MailboxID)); n != 0 {
			t.Errorf("%d mails", n)
		}
	})
}

// A note on a date stands on the pages and goes to nobody by itself.
func TestANoteIsNoMessage(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		a := w.user(uuid.Nil, actor.Organizer)
		e := w.open(a, nil)
		june := w.comes(RegisterInput{Slug: e.Slug, Email: "june@example.org"})
		_, err := w.SetDate(w.ctx, a, e.ID, DateInput{Original: moment("2027-02-02T23:30Z"), Do: "say", Note: "Bring a cup."})
		w.must(err)
		if v, err := w.Public(w.ctx, e.Slug); err != nil || v.Next[0].Note != "Bring a cup." {
			t.Errorf("%+v %v", v.Next, err)
		}
		if c, err := w.Coming(w.ctx, w.link(june), "en"); err != nil || c.Date.Note != "Bring a cup." {
			t.Errorf("%+v %v", c, err)
		}
		for _, kind := range []string{KindChanged, KindMessage} {
			if n := len(w.mails(kind, june.MailboxID)); n != 0 {
				t.Errorf("%d mails of kind %s", n, kind)
			}
		}
	})
}
