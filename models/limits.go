package models

import (
	"math"
	"time"

	"github.com/google/uuid"
)

// Window is a rate: at most Count mails in any stretch of time as long as Per, wherever it begins.
type Window struct {
	Count int
	Per   time.Duration
}

// DomainLimit is what one recipient domain may get, from all nodes together.
type DomainLimit struct {
	Domain      string   // as mailboxes.domain says it: lower case, punycode; "" = every other domain
	Connections int      // at once; 0 = no limit of its own
	Windows     []Window // all of them hold; none = no limit of its own
}

// WarmUp lets a new sending domain or address become known: each recipient domain gets little on the first day and more on
// each that follows. A day is 24 hours from Starts. Before it starts, and once it ended, it limits nothing.
type WarmUp struct {
	Starts   time.Time // UTC
	FirstDay int       // mails to one recipient domain on the first day
	Growth   float64   // each day so many times what the day before it had; above 1
	Until    int       // the plan ends with the first day that would have so many
}

// warmUpDays bounds every plan: one that grows by a hundredth a day ends too.
const warmUpDays = 366

// Day is what one recipient domain may get on day n of the plan, the first being 0. It reports false where the plan says
// nothing: before the first day, and from the day on that reaches Until.
func (w WarmUp) Day(n int) (mails int, limited bool) {
	if n < 0 || n >= warmUpDays {
		return 0, false
	}
	v := math.Floor(float64(w.FirstDay)*math.Pow(w.Growth, float64(n)) + 1e-9)
	if math.IsNaN(v) || v >= float64(w.Until) {
		return 0, false
	}
	return int(v), true
}

// Ceiling is what one recipient domain may get on the day of the plan that at falls into, and when that day began. It
// reports false where the plan limits nothing.
func (w WarmUp) Ceiling(at time.Time) (mails int, since time.Time, limited bool) {
	since, mails, limited = at, 0, false
	if at.Before(w.Starts) {
		return
	}
	n := int(at.Sub(w.Starts) / (24 * time.Hour))
	mails, limited = w.Day(n)
	return mails, w.Starts.Add(time.Duration(n) * 24 * time.Hour), limited
}

// Days counts the days on which the plan limits something.
func (w WarmUp) Days() int {
	for n := range warmUpDays {
		if _, limited := w.Day(n); !limited {
			return n
		}
	}
	return warmUpDays
}

// Limits is how fast, when and how far mail goes out: what the mail server allows, what each recipient domain gets, and
// what stops a mailing. The zero value limits nothing but keeps no quiet hours and needs no second person either;
// DefaultLimits is what holds until somebody sets something.
type Limits struct {
	Account      []Window      // of the mail server's account, all nodes together; all of them hold; none = no limit
	Connections  int           // to the mail server, all nodes together; 0 = no limit of its own
	Domains      []DomainLimit // each domain once
	WarmUp       *WarmUp       // nil = none
	BrakeShare   float64       // of the last BrakeWindow outcomes of a mailing: more refused ones pause it; 0 = never
	BrakeWindow  int           // outcomes; fewer never pause a mailing
	QuietFrom    int           // minute of the day, in the recipient's zone, from which nothing but receipts goes
	QuietTo      int           // and until which; equal to QuietFrom = no quiet hours
	ApproveAbove int           // a mailing to more people needs a second person's word; 0 = none does
}

// DefaultLimits is what holds until somebody sets something: no rate, quiet from 20:00 to 09:00, the brake at a tenth of the
// last 200, and a second person above 5,000 people.
func DefaultLimits() Limits {
	return Limits{BrakeShare: 0.1, BrakeWindow: 200, QuietFrom: 20 * 60, QuietTo: 9 * 60, ApproveAbove: 5000}
}

// For is what holds for a recipient domain: its own limit where it is named, else that of every other domain, with Domain
// set to the one asked for.
func (l Limits) For(domain string) DomainLimit {
	other := DomainLimit{}
	for _, d := range l.Domains {
		switch d.Domain {
		case domain:
			return d
		case "":
			other = d
		}
	}
	other.Domain = domain
	return other
}

// Quiet reports whether minute of the day falls into the quiet hours, which may pass midnight.
func (l Limits) Quiet(minute int) bool {
	if l.QuietFrom <= l.QuietTo {
		return minute >= l.QuietFrom && minute < l.QuietTo
	}
	return minute >= l.QuietFrom || minute < l.QuietTo
}

// SendingLimits is the one row that holds Limits, and what is known of the machines that hand mail to the world.
type SendingLimits struct {
	ID        uuid.UUID // the organisation's
	Limits    string    // JSON; campaigns/deliverability reads it
	SendsFrom string    // IP addresses, a space between them; empty: nobody said
	UpdatedBy *uuid.UUID
	UpdatedAt time.Time
}
