package rosters

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"
	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/deliveries"
	"kithline/models"
)

// feedOf reads somebody's calendar by a second parser, each event by its id.
func (w *taking) feedOf(box models.Mailbox) map[string]ical.Event {
	w.t.Helper()
	text, err := w.Feed(w.ctx, strings.TrimSuffix(strings.TrimPrefix(w.FeedURL(box.ID), w.BaseURL+"/feeds/"), ".ics"), "en")
	w.must(err)
	return w.parsed([]byte(text))
}

func (w *taking) parsed(b []byte) map[string]ical.Event {
	w.t.Helper()
	for line := range strings.SplitSeq(string(b), "\r\n") {
		if len(line) > 75 || strings.ContainsAny(line, "\r\n") {
			w.t.Errorf("a line of %d bytes: %q", len(line), line)
		}
	}
	d := ical.NewDecoder(bytes.NewReader(b))
	c, err := d.Decode()
	if err != nil {
		w.t.Fatalf("%v in\n%s", err, b)
	}
	if _, err := d.Decode(); err != io.EOF {
		w.t.Errorf("there is more than one calendar: %v", err)
	}
	if c.Props.Get("VERSION").Value != "2.0" || c.Props.Get("PRODID") == nil || c.Props.Get("METHOD").Value != "PUBLISH" {
		w.t.Errorf("version, program or method: %s", b)
	}
	out := map[string]ical.Event{}
	for _, e := range c.Events() {
		id := feedText(w.t, e, "UID")
		if _, twice := out[id]; twice {
			w.t.Errorf("%s stands there twice", id)
		}
		out[id] = e
		if e.Props.Get("DTSTAMP") == nil || feedText(w.t, e, "STATUS") != "CONFIRMED" || feedText(w.t, e, "CLASS") != "PRIVATE" {
			w.t.Errorf("%+v", e.Props)
		}
	}
	return out
}

func feedText(t *testing.T, e ical.Event, name string) string {
	t.Helper()
	p := e.Props.Get(name)
	if p == nil {
		return ""
	}
	s, err := p.Text()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// feedTimes writes from when to when an event is as it stands there: days, or moments that need no zone.
func feedTimes(e ical.Event) string {
	from, until := e.Props.Get("DTSTART"), e.Props.Get("DTEND")
	return fmt.Sprint(from.ValueType(), " ", from.Value, "-", until.Value)
}

func (w *taking) uid(a models.Assignment) string { return a.ID.String() + "@act.example.org" }

// Times are right over both changes of the clock: of New York on 14 March and 7 November 2027.
func TestFeedTimes(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		box := w.box("june@example.org")
		window := func(from, until string) func(*models.Shift) {
			return func(s *models.Shift) {
				s.Kind, s.Minutes = models.ShiftWindow, 30
				if from != "" {
					at := w.at(from)
					s.StartsAt = &at
				}
				at := w.at(until)
				s.EndsAt = &at
			}
		}
		task := func(until string) func(*models.Shift) {
			return func(s *models.Shift) { window("", until)(s); s.Kind = models.ShiftTask }
		}
		zone := func(name string) func(*TakeInput) { return func(in *TakeInput) { in.TimeZone = name } }
		at := func(when string) func(*TakeInput) { return func(in *TakeInput) { in.At = when } }
		for _, c := range []struct {
			sh   models.Shift
			take func(*TakeInput)
			want string
		}{
			{w.shift("2027-03-14 01:30", 60), nil, "DATE-TIME 20270314T063000Z-20270314T073000Z"},
			{w.shift("2027-03-14 03:30", 60), zone("Europe/Berlin"), "DATE-TIME 20270314T073000Z-20270314T083000Z"},
			{w.shift("2027-03-14 09:00", 45), nil, "DATE-TIME 20270314T130000Z-20270314T134500Z"},
			{w.shift("2027-11-06 23:00", 180), nil, "DATE-TIME 20271107T030000Z-20271107T060000Z"},
			{w.shift("2027-11-07 09:00", 45), nil, "DATE-TIME 20271107T140000Z-20271107T144500Z"},
			{w.shift("", 0, window("2027-03-13 09:00", "2027-03-15 17:00")), nil, "DATE 20270313-20270316"},
			{w.shift("", 0, window("2027-11-06 20:00", "2027-11-07 20:30")), zone("Asia/Tokyo"), "DATE 20271106-20271108"},
			{w.shift("", 0, window("2027-03-14 00:00", "2027-03-15 00:00")), nil, "DATE 20270314-20270315"}, // of 23 hours
			{w.shift("", 0, window("2027-11-07 00:00", "2027-11-08 00:00")), nil, "DATE 20271107-20271108"}, // and of 25
			{w.shift("", 0, window("2027-03-14 00:00", "2027-03-14 22:00")), at("2027-03-14T04:00"), "DATE-TIME 20270314T080000Z-20270314T083000Z"},
			{w.shift("", 0, window("2027-11-06 00:00", "2027-11-07 22:00")), at("2027-11-07T02:30"), "DATE-TIME 20271107T073000Z-20271107T080000Z"},
			{w.shift("", 0, task("2027-03-14 23:59")), nil, "DATE 20270314-20270315"},
			{w.shift("", 0, task("2027-11-08 00:00")), nil, "DATE 20271108-20271109"},
		} {
			change := []func(*TakeInput){func(in *TakeInput) { in.Anyway = true }}
			if c.take != nil {
				change = append(change, c.take)
			}
			a := w.took(c.sh, "june@example.org", change...)
			e, ok := w.feedOf(box)[w.uid(a)]
			if !ok {
				t.Errorf("there is no %s", c.want)
				continue
			}
			if got := feedTimes(e); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if transparent := feedText(t, e, "TRANSP") == "TRANSPARENT"; transparent != strings.HasPrefix(c.want, "DATE ") {
				t.Errorf("%s blocks the day: %t", c.want, !transparent)
			}
			if c.take == nil && c.sh.Kind == models.ShiftFixed { // and as it reads where they are
				home, err := time.LoadLocation("America/New_York")
				w.must(err)
				begin, err := e.DateTimeStart(home)
				w.must(err)
				end, err := e.DateTimeEnd(home)
				w.must(err)
				if !begin.Equal(*c.sh.StartsAt) || end.Sub(begin) != time.Duration(c.sh.Minutes)*time.Minute || !strings.Contains(feedText(t, e, "DESCRIPTION"), begin.In(home).Format("Monday 2 January 2006")) {
					t.Errorf("%s to %s: %q", begin.In(home), end.In(home), feedText(t, e, "DESCRIPTION"))
				}
			}
		}
		if n := len(w.feedOf(box)); n != 13 {
			t.Errorf("%d events", n)
		}
	})
}

// What changes stands under its old id with a higher number; what was let go of or called off stands there no more, and taken again it is
// something new.
func TestFeedChanges(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		w.DB.NowFunc = w.clk.Now // as the program has it
		box, cal := w.box("june@example.org"), w.box("cal@example.org")
		one, two := w.shift("2027-03-09 09:00", 60, func(s *models.Shift) {
			s.Role, s.Place = "Welcome; table,\r\nATTENDEE:evil \\n", "Lobby, 2nd floor; "+strings.Repeat("ñandú ", 20)
		}), w.shift("2027-03-10 09:00", 60)
		a, b := w.took(one, "june@example.org"), w.took(two, "june@example.org")
		stands := w.took(two, "cal@example.org", func(in *TakeInput) { in.As, in.AskBy = models.AsStandby, models.AskByMail })
		events := w.feedOf(box)
		first := events[w.uid(a)]
		if len(events) != 2 || feedText(t, first, "SUMMARY") != `Welcome; table, ATTENDEE:evil \n` || feedText(t, first, "LOCATION") != strings.TrimSpace(one.Place) || first.Props.Get("ATTENDEE") != nil {
			t.Fatalf("%+v", first.Props)
		}
		if url, err := first.Props.URI("URL"); err != nil || !strings.HasPrefix(url.String(), w.BaseURL+"/places/") || !strings.Contains(feedText(t, first, "DESCRIPTION"), w.BaseURL+"/cant/") {
			t.Errorf("%v, %v", url, err)
		}
		if n := len(w.feedOf(cal)); n != 0 {
			t.Errorf("who stands by has %d", n)
		}

		// The file beside the receipt is the same event.
		receipt := func(a models.Assignment) deliveries.Content {
			t.Helper()
			var d models.Delivery
			w.must(w.DB.Take(&d, "kind = ? AND subject_id = ?", KindReceipt, a.ID).Error)
			c, err := w.TakingMails()[KindReceipt](w.ctx, d)
			w.must(err)
			return c
		}
		beside := w.parsed(receipt(a).Attachments[0].Data)
		if len(beside) != 1 || feedTimes(beside[w.uid(a)]) != feedTimes(first) {
			t.Errorf("%+v", beside)
		}

		// Another time.
		w.clk.Add(time.Hour)
		in := ShiftInputOf(w.roster, one, "")
		in.Starts, in.Ends, in.Minutes, in.Role = Local{Day: "2027-03-14", Clock: "01:30"}, Local{Day: "2027-03-14", Clock: "03:30"}, 60, "Welcome table"
		moved, told, err := w.SaveShift(w.ctx, actor.TheSystem(), one.ID, in)
		w.must(err)
		second := w.feedOf(box)[w.uid(a)]
		if told != 1 || feedTimes(second) != "DATE-TIME 20270314T063000Z-20270314T073000Z" || feedNumber(t, second) <= feedNumber(t, first) {
			t.Errorf("%d told; %+v", told, second.Props)
		}
		for _, name := range []string{"DTSTAMP", "LAST-MODIFIED"} {
			was, err := first.Props.DateTime(name, time.UTC)
			w.must(err)
			if is, err := second.Props.DateTime(name, time.UTC); err != nil || !is.After(was) || !is.Equal(moved.UpdatedAt) {
				t.Errorf("%s: %s after %s, %v", name, is, was, err)
			}
		}

		// Let go, by a link of the calendar itself.
		text := feedText(t, second, "DESCRIPTION")
		token := text[strings.Index(text, "/cant/")+len("/cant/"):]
		if i := strings.IndexFunc(token, func(r rune) bool { return !strings.ContainsRune("-_", r) && (r < '0' || r > 'z') }); i >= 0 {
			token = token[:i]
		}
		w.clk.Add(time.Hour)
		if h, err := w.LetGo(w.ctx, token, "en", false); err != nil || h.Gone {
			t.Fatalf("%+v, %v", h, err)
		}
		if events = w.feedOf(box); len(events) != 1 || feedTimes(events[w.uid(b)]) != "DATE-TIME 20270310T140000Z-20270310T150000Z" {
			t.Errorf("%+v", events)
		}
		again := w.took(one, "june@example.org")
		if events = w.feedOf(box); len(events) != 2 || again.ID == a.ID || feedTimes(events[w.uid(again)]) != feedTimes(second) {
			t.Errorf("taken again: %+v", events)
		}

		// Who stood by and takes the place has it in their calendar from then on, under the id of theirs.
		w.must(w.TakeBack(w.ctx, []uuid.UUID{box.ID}, b.ID))
		w.took(two, "cal@example.org")
		if events := w.feedOf(cal); len(events) != 1 || events[w.uid(stands)].Component == nil {
			t.Errorf("%+v", events)
		}

		// Called off: out of the calendar.
		_, _, err = w.CancelShift(w.ctx, actor.TheSystem(), one.ID)
		w.must(err)
		if events := w.feedOf(box); len(events) != 0 {
			t.Errorf("%+v", events)
		}
	})
}

func feedNumber(t *testing.T, e ical.Event) int {
	t.Helper()
	n, err := e.Props.Get("SEQUENCE").Int()
	if err != nil {
		t.Fatal(err)
	}
	return n
}
