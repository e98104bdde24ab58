package mailings

import (
	"testing"
	"time"
)

// TestClockAt: an hour by the clock of a zone, in ordinary nights and in those in which the clock is changed.
func TestClockAt(t *testing.T) {
	for _, c := range []struct{ name, zone, wall, want string }{
		{"an ordinary day", "America/New_York", "2027-02-01 10:00", "2027-02-01T15:00:00Z"},
		{"far east", "Pacific/Kiritimati", "2027-02-01 10:00", "2027-01-31T20:00:00Z"},
		{"far west", "Pacific/Pago_Pago", "2027-02-01 10:00", "2027-02-01T21:00:00Z"},
		{"the hour that is missing", "America/New_York", "2027-03-14 02:30", "2027-03-14T07:30:00Z"}, // 3:30 by the new time
		{"just before it", "America/New_York", "2027-03-14 01:59", "2027-03-14T06:59:00Z"},
		{"just after it", "America/New_York", "2027-03-14 03:00", "2027-03-14T07:00:00Z"},
		{"the hour that comes twice", "America/New_York", "2027-11-07 01:30", "2027-11-07T05:30:00Z"}, // the first of the two
		{"after it", "America/New_York", "2027-11-07 02:00", "2027-11-07T07:00:00Z"},
		{"that morning", "America/New_York", "2027-11-07 10:00", "2027-11-07T15:00:00Z"},
		{"missing, in Europe", "Europe/Madrid", "2027-03-28 02:30", "2027-03-28T01:30:00Z"},
		{"twice, in Europe", "Europe/Madrid", "2027-10-31 02:30", "2027-10-31T00:30:00Z"},
		{"half an hour of summer time", "Australia/Lord_Howe", "2027-10-03 02:15", "2027-10-02T15:45:00Z"},
		{"a zone without summer time", "America/Phoenix", "2027-03-14 02:30", "2027-03-14T09:30:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		wall, err := time.Parse("2006-01-02 15:04", c.wall)
		if err != nil {
			t.Fatal(err)
		}
		if got := clockAt(wall, zone).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s: %s in %s is %s, not %s", c.name, c.wall, c.zone, got, c.want)
		}
	}
}

// TestOutsideTheQuietHours: a time within them is moved to their end, by the clock of the person, in the nights of both changes too.
func TestOutsideTheQuietHours(t *testing.T) {
	for _, c := range []struct {
		name, zone, at string
		from, to       int
		want           string
	}{
		{"by day", "America/New_York", "2027-02-01T17:00:00Z", 1200, 540, "2027-02-01T17:00:00Z"},
		{"the last minute of the day", "America/New_York", "2027-02-02T00:59:00Z", 1200, 540, "2027-02-02T00:59:00Z"},
		{"the first quiet minute", "America/New_York", "2027-02-02T01:00:00Z", 1200, 540, "2027-02-02T14:00:00Z"},
		{"before midnight", "America/New_York", "2027-02-02T04:30:00Z", 1200, 540, "2027-02-02T14:00:00Z"},
		{"after midnight", "America/New_York", "2027-02-02T06:00:00Z", 1200, 540, "2027-02-02T14:00:00Z"},
		{"the last quiet minute", "America/New_York", "2027-02-02T13:59:00Z", 1200, 540, "2027-02-02T14:00:00Z"},
		{"the end", "America/New_York", "2027-02-02T14:00:00Z", 1200, 540, "2027-02-02T14:00:00Z"},
		{"into summer time", "America/New_York", "2027-03-14T04:00:00Z", 1200, 540, "2027-03-14T13:00:00Z"},
		{"out of summer time", "America/New_York", "2027-11-07T03:00:00Z", 1200, 540, "2027-11-07T14:00:00Z"},
		{"within one day", "UTC", "2027-02-01T12:30:00Z", 720, 840, "2027-02-01T14:00:00Z"},
		{"none", "UTC", "2027-02-01T03:00:00Z", 540, 540, "2027-02-01T03:00:00Z"},
		{"the end of a month", "UTC", "2027-02-28T23:00:00Z", 1200, 540, "2027-03-01T09:00:00Z"},
		{"an end within the hour that comes twice", "America/New_York", "2027-11-07T06:15:00Z", 1200, 90, "2027-11-07T06:15:00Z"}, // the second 1:15: the first 1:30 was the end
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := outside(at, zone, c.from, c.to).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s: %s becomes %s, not %s", c.name, c.at, got, c.want)
		}
	}
}

// Every zone of the list is one, and what is not in it is the organisation's.
func TestZones(t *testing.T) {
	home := time.FixedZone("home", 3600)
	if len(placeZones()) < 100 {
		t.Fatalf("%d places", len(placeZones()))
	}
	for place, name := range placeZones() {
		key := place
		if len(place) == 2 { // the whole country
			key += "-"
		}
		if zoneOf(key, home).String() != name {
			t.Errorf("%s is in %s, not %s", place, zoneOf(key, home), name)
		}
	}
	for key, want := range map[string]string{
		"US-NY": "America/New_York", "us-ca": "America/Los_Angeles", "DE-": "Europe/Berlin", "DE-BY": "Europe/Berlin", "Asia/Tokyo": "Asia/Tokyo",
		"": "home", "-": "home", "-NY": "home", "US-": "home", "US-ZZ": "home", "XX-1": "home", "Local": "home", "../etc/passwd": "home", "Nowhere/Land": "home",
	} {
		if got := zoneOf(key, home).String(); got != want {
			t.Errorf("%q is in %s, not %s", key, got, want)
		}
	}
}

// TestJudge: what is said of a test follows from the numbers, and from few nothing follows.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name     string
		variants []Variant
		best     int
		says     string
	}{
		{"nothing yet", []Variant{{Number: 0, Sent: 500}, {Number: 1, Sent: 500}}, 0, "none"},
		{"nothing sent", []Variant{{Number: 0}, {Number: 1}}, 0, "none"},
		{"few", []Variant{{Number: 0, Sent: 50, Acted: 1}, {Number: 1, Sent: 50, Acted: 9}}, 1, "few"},
		{"alike", []Variant{{Number: 0, Sent: 1000, Acted: 50}, {Number: 1, Sent: 1000, Acted: 51}}, 1, "chance"},
		{"the same", []Variant{{Number: 0, Sent: 1000, Acted: 50}, {Number: 1, Sent: 1000, Acted: 50}}, 0, "chance"},
		{"likely", []Variant{{Number: 0, Sent: 1000, Acted: 50}, {Number: 1, Sent: 1000, Acted: 62}}, 1, "likely"},
		{"clear", []Variant{{Number: 0, Sent: 1000, Acted: 50}, {Number: 1, Sent: 1000, Acted: 90}, {Number: 2, Sent: 1000, Acted: 20}}, 1, "very"},
		{"those who leave count against it", []Variant{{Number: 0, Sent: 1000, Acted: 60, Left: 50}, {Number: 1, Sent: 1000, Acted: 50, Left: 2}}, 1, "very"},
		{"by share, not by number", []Variant{{Number: 0, Sent: 2000, Acted: 100}, {Number: 1, Sent: 1000, Acted: 90}}, 1, "very"},
	} {
		x := Test{Variants: c.variants}
		x.judge()
		if x.Best != c.best || x.Says() != c.says || x.Sure < 0 || x.Sure > 1 {
			t.Errorf("%s: the best is %d, it says %s (%.3f)", c.name, x.Best, x.Says(), x.Sure)
		}
	}
}

// TestHints: what can be done about a refusal, by what the server said.
func TestHints(t *testing.T) {
	for _, c := range []struct {
		p    Problem
		want string
	}{
		{Problem{State: "failed", Code: 550, Reply: "5.1.1 no such user"}, "address"},
		{Problem{State: "failed", Code: 550, Reply: "no such user"}, "address"},
		{Problem{State: "failed", Code: 550, Reply: "5.2.1 disabled"}, "address"},
		{Problem{State: "failed", Code: 552, Reply: "5.2.2 over quota"}, "full"},
		{Problem{State: "failed", Code: 552, Reply: "quota"}, "full"},
		{Problem{State: "failed", Code: 552, Reply: "5.3.4 too big"}, "large"},
		{Problem{State: "failed", Code: 550, Reply: "5.7.26 unauthenticated"}, "policy"},
		{Problem{State: "failed", Code: 554, Reply: "[5.7.1] blocked"}, "policy"},
		{Problem{State: "failed", Code: 451, Reply: "4.7.650 later"}, "policy"},
		{Problem{State: "failed", Code: 451, Reply: "later"}, "later"},
		{Problem{State: "failed", Code: 554, Reply: "no"}, "other"},
		{Problem{State: "failed"}, "other"},
		{Problem{State: "unknown"}, "unknown"},
		{Problem{State: "unknown", Settled: true}, "settled"},
	} {
		if got := c.p.Hint(); got != c.want {
			t.Errorf("%d %s: %s, not %s", c.p.Code, c.p.Reply, got, c.want)
		}
	}
}
