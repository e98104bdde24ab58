package events

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"
	"github.com/google/uuid"

	"kithline/campaigns/fault"
	"kithline/models"
)

func day(s string) time.Time {
	t, err := time.Parse("2006-01-02", s)
	if err != nil {
		panic(err)
	}
	return t
}

func moment(s string) time.Time {
	t, err := time.Parse("2006-01-02T15:04Z", s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestOccurrences(t *testing.T) {
	for _, c := range []struct {
		name, zone, start, rule string
		minutes                 int
		from, until             string
		want                    []string // starts in UTC
	}{
		{"once", "America/New_York", "2027-01-05T18:30", "", 75, "2027-01-01", "2027-02-01", []string{"2027-01-05T23:30Z"}},
		{"once, not in these days", "America/New_York", "2027-01-05T18:30", "", 75, "2027-02-01", "2027-03-01", nil},
		{
			"the first Tuesday, on both sides of the change in March", "America/New_York", "2027-01-05T18:30", "FREQ=MONTHLY;BYDAY=1TU", 75, "2027-02-15", "2027-05-01",
			[]string{"2027-03-02T23:30Z", "2027-04-06T22:30Z"},
		},
		{
			"the first Tuesday, on both sides of the change in November", "America/New_York", "2027-01-05T18:30", "FREQ=MONTHLY;BYDAY=1TU", 75, "2027-10-01", "2027-12-01",
			[]string{"2027-10-05T22:30Z", "2027-11-02T22:30Z"},
		},
		{
			"every second week, counted from the first", "America/New_York", "2027-01-07T13:30", "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH", 60, "2027-03-01", "2027-04-10",
			[]string{"2027-03-04T18:30Z", "2027-03-18T17:30Z", "2027-04-01T17:30Z"},
		},
		{
			"a time that the clock leaves out is that of the clock before", "America/New_York", "2027-03-07T02:30", "FREQ=WEEKLY", 60, "2027-03-01", "2027-03-25",
			[]string{"2027-03-07T07:30Z", "2027-03-14T07:30Z", "2027-03-21T06:30Z"},
		},
		{
			"of a time that comes twice the first", "America/New_York", "2027-10-31T01:30", "FREQ=WEEKLY;COUNT=3", 60, "2027-10-01", "2027-12-01",
			[]string{"2027-10-31T05:30Z", "2027-11-07T05:30Z", "2027-11-14T06:30Z"},
		},
		{
			"the other half of the world, whose clocks change the other way", "Australia/Sydney", "2027-03-26T19:00", "FREQ=WEEKLY;COUNT=3", 60, "2027-03-01", "2027-05-01",
			[]string{"2027-03-26T08:00Z", "2027-04-02T08:00Z", "2027-04-09T09:00Z"},
		},
		{
			"a half-hour zone without changes", "Asia/Kolkata", "2027-03-01T09:00", "FREQ=DAILY;COUNT=2", 60, "2027-02-01", "2027-04-01",
			[]string{"2027-03-01T03:30Z", "2027-03-02T03:30Z"},
		},
		{
			"until a day, which is part of it", "America/New_York", "2027-01-05T18:30", "FREQ=WEEKLY;UNTIL=20270119", 60, "2027-01-01", "2027-03-01",
			[]string{"2027-01-05T23:30Z", "2027-01-12T23:30Z", "2027-01-19T23:30Z"},
		},
		{
			"until a moment in UTC", "America/New_York", "2027-01-05T18:30", "FREQ=WEEKLY;UNTIL=20270112T233000Z", 60, "2027-01-01", "2027-03-01",
			[]string{"2027-01-05T23:30Z", "2027-01-12T23:30Z"},
		},
		{
			"until a moment on the wall", "America/New_York", "2027-01-05T18:30", "FREQ=WEEKLY;UNTIL=20270112T182959", 60, "2027-01-01", "2027-03-01",
			[]string{"2027-01-05T23:30Z"},
		},
		{"past midnight, still on", "America/New_York", "2027-01-05T23:00", "", 180, "2027-01-06", "2027-01-07", []string{"2027-01-06T04:00Z"}},
		{"past midnight, just over", "UTC", "2027-01-05T23:00", "", 60, "2027-01-06", "2027-01-07", nil},
		{"the last day of months that have it", "UTC", "2027-01-31T10:00", "FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3", 60, "2027-01-01", "2028-01-01", []string{"2027-01-31T10:00Z", "2027-03-31T10:00Z", "2027-05-31T10:00Z"}},
		{"the last Friday", "UTC", "2027-01-29T10:00", "FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", 60, "2027-01-01", "2028-01-01", []string{"2027-01-29T10:00Z", "2027-02-26T10:00Z"}},
		{"two days a week", "UTC", "2027-01-05T10:00", "FREQ=WEEKLY;BYDAY=TU,TH;COUNT=3", 60, "2027-01-01", "2028-01-01", []string{"2027-01-05T10:00Z", "2027-01-07T10:00Z", "2027-01-12T10:00Z"}},
		{"a rule that cannot be read has no dates", "UTC", "2027-01-05T10:00", "FREQ=HOURLY", 60, "2027-01-01", "2028-01-01", nil},
		{"29 February", "UTC", "2028-02-29T10:00", "FREQ=YEARLY;COUNT=2", 60, "2027-01-01", "2029-01-01", []string{"2028-02-29T10:00Z"}},
	} {
		e := models.Event{TimeZone: c.zone, StartsOn: c.start, Recurrence: c.rule, Minutes: c.minutes}
		var got []string
		for _, o := range Occurrences(e, nil, day(c.from), day(c.until)) {
			got = append(got, o.Start.Format("2006-01-02T15:04Z"))
			if o.End.Sub(o.Start) != time.Duration(c.minutes)*time.Minute || !o.Original.Equal(o.Start) || o.Off || o.Moved || o.Extra {
				t.Errorf("%s: %+v", c.name, o)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// A rule without an end is cut by the window, whatever the window.
func TestOccurrencesAreBounded(t *testing.T) {
	e := models.Event{TimeZone: "UTC", StartsOn: "2027-01-01T10:00", Recurrence: "FREQ=DAILY", Minutes: 30}
	if n := len(Occurrences(e, nil, day("2027-01-01"), day("9000-01-01"))); n < 790 || n > 801 {
		t.Errorf("%d dates", n)
	}
	e.Recurrence = "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"
	if n := len(Occurrences(e, nil, day("2027-01-01"), day("9000-01-01"))); n != 0 {
		t.Errorf("%d dates on 30 February", n)
	}
	if at := ends(e, nil); at != nil {
		t.Errorf("ends at %v", at)
	}
}

func TestDatesThatAreDifferent(t *testing.T) {
	e := models.Event{ID: uuid.New(), TimeZone: "America/New_York", StartsOn: "2027-01-05T18:30", Recurrence: "FREQ=WEEKLY;COUNT=4", Minutes: 60}
	off, moved, extra := moment("2027-01-12T23:30Z"), moment("2027-01-19T23:30Z"), moment("2027-02-20T16:00Z")
	to, now := moment("2027-02-10T20:00Z"), moment("2027-01-01T00:00Z")
	dates := []models.EventDate{
		{OriginalAt: off, CancelledAt: &now, Note: "The room is being painted."},
		{OriginalAt: moved, StartsAt: &to},
		{OriginalAt: extra, Extra: true},
		{OriginalAt: moment("2027-01-13T23:30Z"), StartsAt: &to}, // the rule has no such date any more
	}
	got := Occurrences(e, dates, day("2027-01-01"), day("2027-03-01"))
	if len(got) != 5 {
		t.Fatalf("%+v", got)
	}
	if o := got[1]; !o.Off || o.Note == "" || !o.Start.Equal(off) {
		t.Errorf("off: %+v", o)
	}
	if o := got[3]; !o.Moved || !o.Original.Equal(moved) || !o.Start.Equal(to) {
		t.Errorf("moved: %+v", o)
	}
	if o := got[4]; !o.Extra || !o.Start.Equal(extra) {
		t.Errorf("one more: %+v", o)
	}
	// In days that hold its new time alone, a moved date is there; in those of its old time it is not.
	if got := Occurrences(e, dates, day("2027-02-10"), day("2027-02-11")); len(got) != 1 || !got[0].Original.Equal(moved) {
		t.Errorf("%+v", got)
	}
	if got := Occurrences(e, dates, day("2027-01-19"), day("2027-01-20")); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if end := ends(e, dates); end == nil || !end.Equal(extra.Add(time.Hour)) {
		t.Errorf("ends at %v", end)
	}
	if o, ok := at(e, dates, moved); !ok || !o.Start.Equal(to) {
		t.Errorf("%+v %v", o, ok)
	}
	if _, ok := at(e, dates, moment("2027-01-13T23:30Z")); ok {
		t.Error("a date that the rule does not have")
	}
}

func TestRule(t *testing.T) {
	for _, c := range []struct{ rule, start, zone, want, field string }{
		{"", "2027-01-05T18:30", "America/New_York", "", ""},
		{"rrule:freq=monthly; byday=1tu", "2027-01-05T18:30", "America/New_York", "FREQ=MONTHLY;BYDAY=1TU", ""},
		{"FREQ=MONTHLY;BYDAY=1TU", "2027-01-12T18:30", "America/New_York", "", "starts_on"},
		{"FREQ=WEEKLY", "2027-13-05T18:30", "UTC", "", "starts_on"},
		{"FREQ=WEEKLY", "2027-01-05", "UTC", "", "starts_on"},
		{"FREQ=WEEKLY", "2027-01-05T18:30", "Mars/Base", "", "time_zone"},
		{"FREQ=HOURLY", "2027-01-05T18:30", "UTC", "", "recurrence"},
		{"FREQ=WEEKLY;BYHOUR=3", "2027-01-05T18:30", "UTC", "", "recurrence"},
		{"FREQ=WEEKLY;COUNT=0", "2027-01-05T18:30", "UTC", "", "recurrence"},
		{"FREQ=WEEKLY;COUNT=100000", "2027-01-05T18:30", "UTC", "", "recurrence"},
		{"FREQ=WEEKLY;INTERVAL=0", "2027-01-05T18:30", "UTC", "", "recurrence"},
		{"FREQ=WEEKLY;COUNT=2;UNTIL=20270301", "2027-01-05T18:30", "UTC", "", "recurrence"},
		{"FREQ=WEEKLY;UNTIL=20260301", "2027-01-05T18:30", "UTC", "", "recurrence"},
		{"FREQ=WEEKLY;UNTIL=20990301", "2027-01-05T18:30", "UTC", "", "recurrence"},
		{"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "2027-01-05T18:30", "UTC", "", "starts_on"},
		{"every Tuesday", "2027-01-05T18:30", "UTC", "", "recurrence"},
		{"FREQ=WEEKLY\nDTSTART:20270105T183000Z", "2027-01-05T18:30", "UTC", "", "recurrence"},
		{"FREQ=WEEKLY;FREQ", "2027-01-05T18:30", "UTC", "", "recurrence"},
	} {
		got, err := Rule(c.rule, c.start, c.zone)
		if c.field == "" && (err != nil || got != c.want) {
			t.Errorf("%q: %q %v", c.rule, got, err)
		}
		if c.field != "" && (!fault.Is(err, fault.Invalid) || asFault(err).Fields[0].Name != c.field) {
			t.Errorf("%q: %q %v, want an error of %s", c.rule, got, err, c.field)
		}
	}
}

func FuzzRule(f *testing.F) {
	for _, s := range []string{"FREQ=MONTHLY;BYDAY=1TU", "FREQ=WEEKLY;UNTIL=20270119", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29,30", "FREQ=DAILY;BYSETPOS=-1;BYDAY=MO"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		stored, err := Rule(rule, "2027-01-05T18:30", "America/New_York")
		if err != nil {
			return
		}
		e := models.Event{TimeZone: "America/New_York", StartsOn: "2027-01-05T18:30", Recurrence: stored, Minutes: 60}
		got := Occurrences(e, nil, day("2027-01-01"), day("2027-06-01"))
		if len(got) == 0 || !got[0].Start.Equal(moment("2027-01-05T23:30Z")) || len(got) > 200 {
			t.Errorf("%q: %d dates", stored, len(got))
		}
		if again, err := Rule(stored, "2027-01-05T18:30", "America/New_York"); err != nil || again != stored {
			t.Errorf("%q is %q the second time, %v", stored, again, err)
		}
	})
}

// parsed reads a calendar by a second parser.
func parsed(t *testing.T, b []byte) (out []ical.Event, name string) {
	t.Helper()
	for line := range strings.SplitSeq(string(b), "\r\n") {
		if len(line) > 75 {
			t.Errorf("a line of %d bytes: %q", len(line), line)
		}
	}
	d := ical.NewDecoder(bytes.NewReader(b))
	c, err := d.Decode()
	if err != nil {
		t.Fatalf("%v in\n%s", err, b)
	}
	if _, err := d.Decode(); err != io.EOF {
		t.Errorf("there is more than one calendar: %v", err)
	}
	if p := c.Props.Get("X-WR-CALNAME"); p != nil {
		name, _ = p.Text()
	}
	if c.Props.Get("VERSION").Value != "2.0" || c.Props.Get("PRODID") == nil {
		t.Errorf("version or program: %s", b)
	}
	return c.Events(), name
}

func text(t *testing.T, e ical.Event, prop string) string {
	t.Helper()
	p := e.Props.Get(prop)
	if p == nil {
		return ""
	}
	s, err := p.Text()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What a second parser reads is what was written, whatever the words hold.
func TestCalendar(t *testing.T) {
	now := moment("2027-01-01T00:00Z")
	words := "Ünïcode; a, comma \\ and a\nnew line. " + strings.Repeat("Long words to fold ñ. ", 20)
	in := []Entry{
		{UID: "a@act.example.org", Start: moment("2027-01-05T23:30Z"), End: moment("2027-01-06T00:45Z"), Title: "First, Tuesday; circle\x00\x07", Text: words, Location: "Room 1, Harrow Bay", URL: "https://act.example.org/events/a?b=1&c=2", Sequence: 3, Changed: now},
		{UID: "b@act.example.org", Start: moment("2027-01-12T23:30Z"), End: moment("2027-01-13T00:45Z"), Title: "BEGIN:VEVENT\r\nSUMMARY:x", Off: true},
	}
	got, name := parsed(t, Calendar("All, of it", in, now))
	if len(got) != 2 || name != "All, of it" {
		t.Fatalf("%d entries, %q", len(got), name)
	}
	first := got[0]
	start, err := first.DateTimeStart(time.UTC)
	end, err2 := first.DateTimeEnd(time.UTC)
	if err != nil || err2 != nil || !start.Equal(in[0].Start) || !end.Equal(in[0].End) {
		t.Errorf("%v %v %v %v", start, end, err, err2)
	}
	if text(t, first, "SUMMARY") != "First, Tuesday; circle" || text(t, first, "DESCRIPTION") != words || text(t, first, "LOCATION") != in[0].Location || text(t, first, "UID") != in[0].UID {
		t.Errorf("%+v", first.Props)
	}
	if u := first.Props.Get("URL"); u == nil || u.Value != in[0].URL {
		t.Errorf("%+v", u)
	}
	if s := text(t, got[1], "STATUS"); s != "CANCELLED" {
		t.Errorf("status %q", s)
	}
	if s := text(t, got[1], "SUMMARY"); s != "BEGIN:VEVENT\nSUMMARY:x" {
		t.Errorf("%q", s)
	}
}
