package models_test

import (
	"testing"
	"time"

	"kithline/models"
)

func TestWarmUp(t *testing.T) {
	starts := time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
	w := models.WarmUp{Starts: starts, FirstDay: 50, Growth: 2, Until: 400}
	if n := w.Days(); n != 3 {
		t.Errorf("%d days: 50, 100 and 200 are three, the day of 400 is free", n)
	}
	for _, c := range []struct {
		at      time.Time
		mails   int
		since   time.Time
		limited bool
	}{
		{starts.Add(-time.Second), 0, starts.Add(-time.Second), false},
		{starts, 50, starts, true},
		{starts.Add(24*time.Hour - time.Microsecond), 50, starts, true},
		{starts.Add(24 * time.Hour), 100, starts.Add(24 * time.Hour), true},
		{starts.Add(71 * time.Hour), 200, starts.Add(48 * time.Hour), true},
		{starts.Add(72 * time.Hour), 0, starts.Add(72 * time.Hour), false},
		{starts.Add(100_000 * time.Hour), 0, starts.Add(99_984 * time.Hour), false},
	} {
		mails, since, limited := w.Ceiling(c.at)
		if mails != c.mails || limited != c.limited || !since.Equal(c.since) {
			t.Errorf("at %v: %d, %v, %v; want %d, %v, %v", c.at, mails, since, limited, c.mails, c.since, c.limited)
		}
	}
	if n := (models.WarmUp{FirstDay: 1, Growth: 1.0001, Until: 1 << 30}).Days(); n != 366 {
		t.Errorf("no plan is for ever, this one has %d days", n)
	}
	if mails, limited := (models.WarmUp{FirstDay: 10, Growth: 1.1, Until: 1000}).Day(1); mails != 11 || !limited {
		t.Errorf("10 times 1.1 is 11, whatever a float says; it is %d, %v", mails, limited)
	}
	if _, limited := w.Day(-1); limited {
		t.Error("there is no day before the first")
	}
}

func TestLimitsOfADomain(t *testing.T) {
	l := models.Limits{Domains: []models.DomainLimit{{Connections: 2}, {Domain: "gmail.com", Connections: 5}}}
	for domain, want := range map[string]int{"gmail.com": 5, "example.org": 2} {
		if d := l.For(domain); d.Domain != domain || d.Connections != want {
			t.Errorf("%s: %+v", domain, d)
		}
	}
	if d := (models.Limits{}).For("example.org"); d.Domain != "example.org" || d.Connections != 0 || d.Windows != nil {
		t.Errorf("without limits: %+v", d)
	}
}

func TestQuietHours(t *testing.T) {
	night, noon := models.DefaultLimits(), models.Limits{QuietFrom: 12 * 60, QuietTo: 14 * 60}
	for minute, quiet := range map[int]bool{19*60 + 59: false, 20 * 60: true, 0: true, 9*60 - 1: true, 9 * 60: false, 12 * 60: false} {
		if night.Quiet(minute) != quiet {
			t.Errorf("20:00 to 09:00: minute %d quiet: %v", minute, !quiet)
		}
	}
	if !noon.Quiet(13*60) || noon.Quiet(14*60) || noon.Quiet(11*60) {
		t.Error("hours that do not pass midnight")
	}
	if (models.Limits{QuietFrom: 600, QuietTo: 600}).Quiet(600) {
		t.Error("equal ends: no quiet hours")
	}
}
