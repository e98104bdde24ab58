package series

import (
	"testing"
	"time"

	"kithline/models"
)

func at(zone *time.Location, s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, zone)
	if err != nil {
		panic(err)
	}
	return t
}

func load(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestWaits(t *testing.T) {
	york, apia := load(t, "America/New_York"), load(t, "Pacific/Apia")
	const any = -1
	for _, x := range []struct {
		name            string
		zone            *time.Location
		from            string
		amount          int
		unit            string
		weekday, minute int
		want            string
	}{
		{"minutes", york, "2027-02-01 10:00", 90, "minutes", any, any, "2027-02-01 11:30"},
		{"days keep the hour", york, "2027-02-01 10:00", 3, "days", any, any, "2027-02-04 10:00"},
		{"the night in which the clocks go forward", york, "2027-03-13 10:00", 1, "days", any, any, "2027-03-14 10:00"},
		{"hours over that night", york, "2027-03-13 10:00", 24, "hours", any, any, "2027-03-14 11:00"},
		{"the night in which they go back", york, "2027-11-06 10:00", 1, "days", any, any, "2027-11-07 10:00"},
		{"hours over that one", york, "2027-11-06 10:00", 24, "hours", any, any, "2027-11-07 09:00"},
		{"an hour that is not there", york, "2027-03-13 02:30", 1, "days", any, any, "2027-03-14 03:30"},
		{"until an hour later today", york, "2027-02-01 10:00", 0, "minutes", any, 14 * 60, "2027-02-01 14:00"},
		{"until an hour that is over", york, "2027-02-01 10:00", 0, "minutes", any, 9 * 60, "2027-02-02 09:00"},
		{"until this very hour", york, "2027-02-01 10:00", 0, "minutes", any, 10 * 60, "2027-02-01 10:00"},
		{"until a weekday", york, "2027-02-01 10:00", 0, "minutes", 4, any, "2027-02-04 00:00"},
		{"a weekday that it is", york, "2027-02-01 10:00", 0, "minutes", 1, any, "2027-02-01 10:00"},
		{"a weekday and hour", york, "2027-02-01 10:00", 2, "days", 2, 9*60 + 30, "2027-02-09 09:30"},
		{"the weekday that it is, too late", york, "2027-02-01 10:00", 0, "minutes", 1, 9 * 60, "2027-02-08 09:00"},
		{"until an hour in the night that is not there", york, "2027-03-13 23:00", 0, "minutes", any, 2*60 + 30, "2027-03-14 03:30"},
		{"a day that is not there", apia, "2011-12-28 10:00", 2, "days", any, any, "2011-12-31 10:00"},
	} {
		st := models.SeriesStep{Kind: models.StepWait, WaitAmount: x.amount, WaitUnit: x.unit, UntilWeekday: x.weekday, UntilMinute: x.minute}
		from := at(x.zone, x.from)
		got := waitEnds(st, from, x.zone)
		if s := got.In(x.zone).Format("2006-01-02 15:04"); s != x.want {
			t.Errorf("%s: until %s, want %s", x.name, s, x.want)
		}
	}
}

// Whatever the zone and moment, a wait ends neither before it begins nor much too late, on its weekday and at its hour.
func TestWaitsEverywhere(t *testing.T) {
	for _, name := range []string{"America/New_York", "Europe/Madrid", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu", "America/Sao_Paulo", "UTC"} {
		zone := load(t, name)
		for hour := range 24 * 400 {
			from := time.Date(2026, 11, 1, hour, 17, 0, 0, time.UTC)
			st := models.SeriesStep{Kind: models.StepWait, WaitAmount: hour % 3, WaitUnit: "days", UntilWeekday: hour%8 - 1, UntilMinute: hour*7%1441 - 1}
			got := waitEnds(st, from, zone)
			if got.Before(from) || got.Sub(from) > 11*24*time.Hour {
				t.Fatalf("%s from %s: until %s", name, from, got)
			}
			local := got.In(zone)
			if st.UntilWeekday >= 0 && int(local.Weekday()) != st.UntilWeekday {
				t.Fatalf("%s from %s: until %s, not on day %d", name, from, local, st.UntilWeekday)
			}
			sr := models.Series{QuietFrom: 20 * 60, QuietUntil: 9 * 60}
			day := loud(sr, from, zone)
			if h := day.In(zone).Hour(); day.Before(from) || day.Sub(from) > 14*time.Hour || h < 9 || h >= 20 {
				t.Fatalf("%s at %s: goes at %s", name, from.In(zone), day.In(zone))
			}
			if in := from.In(zone).Hour(); in >= 9 && in < 20 && !day.Equal(from) {
				t.Fatalf("%s at %s: put off to %s", name, from.In(zone), day.In(zone))
			}
		}
	}
}

func TestQuietHours(t *testing.T) {
	zone := load(t, "America/New_York")
	for _, x := range []struct {
		from, until int
		at, want    string
	}{
		{20 * 60, 9 * 60, "2027-02-01 19:59", "2027-02-01 19:59"},
		{20 * 60, 9 * 60, "2027-02-01 20:00", "2027-02-02 09:00"},
		{20 * 60, 9 * 60, "2027-02-01 08:59", "2027-02-01 09:00"},
		{20 * 60, 9 * 60, "2027-03-13 23:00", "2027-03-14 09:00"},
		{12 * 60, 14 * 60, "2027-02-01 13:00", "2027-02-01 14:00"},
		{12 * 60, 14 * 60, "2027-02-01 14:00", "2027-02-01 14:00"},
		{0, 0, "2027-02-01 03:00", "2027-02-01 03:00"},
	} {
		got := loud(models.Series{QuietFrom: x.from, QuietUntil: x.until}, at(zone, x.at), zone).In(zone).Format("2006-01-02 15:04")
		if got != x.want {
			t.Errorf("quiet from %d until %d at %s: goes at %s, want %s", x.from, x.until, x.at, got, x.want)
		}
	}
}

// A wait until a day and hour that ends late, after a pause or while the server stood still, goes on to the next such day.
func TestALateWaitGoesOn(t *testing.T) {
	zone := load(t, "America/New_York")
	st := models.SeriesStep{Kind: models.StepWait, UntilWeekday: 2, UntilMinute: 10 * 60}
	for now, want := range map[string]string{
		"2027-02-02 10:00": "2027-02-02 10:00", "2027-02-02 10:59": "2027-02-02 10:00", "2027-02-02 11:30": "2027-02-09 10:00", "2027-02-04 10:00": "2027-02-09 10:00",
	} {
		if got := stillWaits(st, at(zone, now), zone).In(zone).Format("2006-01-02 15:04"); got != want {
			t.Errorf("at %s: until %s, want %s", now, got, want)
		}
	}
	now := at(zone, "2027-02-02 11:30")
	if got := stillWaits(models.SeriesStep{Kind: models.StepWait, UntilWeekday: -1, UntilMinute: -1}, now, zone); got.After(now) {
		t.Errorf("a wait without a day goes on until %s", got)
	}
}

// Everybody's day comes exactly once a year, that of 29 February too.
func TestAnniversaries(t *testing.T) {
	zone := load(t, "America/New_York")
	for _, days := range []int{0, -3, 40} {
		sr := models.Series{TriggerDays: days}
		for _, joined := range []string{"2024-02-29 23:30", "2024-03-01 00:00", "2024-02-28 12:00", "2023-12-31 23:59", "2025-01-01 00:00", "2024-11-03 01:30"} {
			who := at(zone, joined)
			seen := map[int]int{}
			for d := range 365*4 + 100 {
				day := time.Date(2025, 10, 1+d, 0, 0, 0, 0, zone)
				for _, span := range joinedOn(sr, day, zone) {
					if !who.Before(span[0]) && who.Before(span[1]) {
						seen[day.AddDate(0, 0, -days).Year()]++
					}
				}
			}
			for year := 2026; year < 2029; year++ {
				if n := seen[year]; n != 1 {
					t.Errorf("joined %s, %d days: %d days in %d", joined, days, n, year)
				}
			}
		}
	}
}
