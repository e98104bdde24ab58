package deliveries_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/deliveries"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// limited is a node under limits.
func (w *world) limited(l models.Limits) *deliveries.Service {
	w.limits, w.poll = l, 20*time.Millisecond
	return w.node()
}

// times notes when each mail came to the wire, and how many were there at once, by domain.
type times struct {
	mu    sync.Mutex
	at    []time.Time
	now   map[string]int
	most  map[string]int
	delay time.Duration
}

func (x *times) answer(m mailer.Message) mailer.Outcome {
	_, domain, _ := strings.Cut(m.To, "@")
	x.mu.Lock()
	if x.now == nil {
		x.now, x.most = map[string]int{}, map[string]int{}
	}
	x.at = append(x.at, time.Now())
	for _, d := range []string{domain, ""} {
		x.now[d]++
		x.most[d] = max(x.most[d], x.now[d])
	}
	x.mu.Unlock()
	if x.delay > 0 {
		time.Sleep(x.delay) // the server takes its time
	}
	x.mu.Lock()
	x.now[domain]--
	x.now[""]--
	x.mu.Unlock()
	return mailer.Outcome{State: mailer.Accepted, Code: 250}
}

// densest is the most mails in any stretch of time that long, whenever it begins.
func (x *times) densest(window time.Duration) (most int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	at := slices.Clone(x.at)
	slices.SortFunc(at, time.Time.Compare)
	for i, from := 0, 0; i < len(at); i++ {
		for at[i].Sub(at[from]) >= window {
			from++
		}
		most = max(most, i-from+1)
	}
	return most
}

// Two processes, of which one is started again midway, never send more than the account may take in any stretch of its window; and
// they send about as much.
func TestRateOfTheAccount(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		const count, n = 20, 70
		window := 1200 * time.Millisecond // its parts are longer than a busy machine takes to put on the wire what it counted
		for i := range n {
			w.queue(deliveries.New{MailboxID: w.mailbox(fmt.Sprintf("p%d@example.org", i)).ID, Priority: models.PriorityBulk})
		}
		x := &times{}
		w.wire.AnswerWith(x.answer)
		w.sender.Connections = 4
		a, b := w.limited(models.Limits{Account: []models.Window{{Count: count, Per: window}}}), w.node()
		began := time.Now()
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		first, again := context.WithCancel(ctx)
		done := make(chan error, 3)
		go func() { done <- a.Run(first) }()
		go func() { done <- b.Run(ctx) }()
		limit, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if _, err := w.wire.Wait(limit, n/2); err != nil {
			t.Fatal(err)
		}
		again()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		go func() { done <- w.node().Run(ctx) }()
		if _, err := w.wire.Wait(limit, n); err != nil {
			t.Fatal(err)
		}
		took := time.Since(began)
		stop()
		for range 2 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		if most := x.densest(window); most > count {
			t.Errorf("%d mails in a stretch of %v, %d are allowed", most, window, count)
		}
		if least := window * (n/count - 1); took < least {
			t.Errorf("%d mails took %v: they cannot have kept to %d in %v", n, took, count, window)
		}
		if len(w.wire.Messages()) != n {
			t.Errorf("%d mails", len(w.wire.Messages()))
		}
	})
}

// What somebody waits for still goes when a mailing has taken its part of the account.
func TestAReceiptPassesALimitedMailing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		x := &times{}
		w.wire.AnswerWith(x.answer)
		out := w.limited(models.Limits{Account: []models.Window{{Count: 20, Per: time.Hour}}})
		for i := range 40 {
			w.queue(deliveries.New{MailboxID: w.mailbox(fmt.Sprintf("p%d@example.org", i)).ID, Priority: models.PriorityBulk})
		}
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		done := make(chan error, 1)
		go func() { done <- out.Run(ctx) }()
		limit, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		if _, err := w.wire.Wait(limit, 18); err != nil { // 20, less what is kept for receipts
			t.Fatal(err)
		}
		w.queue(deliveries.New{MailboxID: w.mailbox("waits@example.org").ID, Priority: models.PriorityReceipt})
		got, err := w.wire.Wait(limit, 19)
		if err != nil || got[18].Message.To != "waits@example.org" {
			t.Fatalf("%v, the last of %d went to %s", err, len(got), got[len(got)-1].Message.To)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		var queued int64
		if err := db.Model(&models.Delivery{}).Where("state = 'queued'").Count(&queued).Error; err != nil || queued != 22 {
			t.Errorf("%d wait, %v", queued, err)
		}
	})
}

// A domain gets what its limits say, and the others are not held up by that.
func TestLimitsOfADomain(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sender.Connections = 8
		x := &times{delay: 5 * time.Millisecond}
		w.wire.AnswerWith(x.answer)
		for i := range 30 {
			for _, domain := range []string{"slow.example.org", "strict.example.org", "example.org"} {
				w.queue(deliveries.New{MailboxID: w.mailbox(fmt.Sprintf("p%d@%s", i, domain)).ID, Priority: models.PriorityBulk})
			}
		}
		out := w.limited(models.Limits{Domains: []models.DomainLimit{{Domain: "slow.example.org", Connections: 2}, {Domain: "strict.example.org", Windows: []models.Window{{Count: 5, Per: time.Hour}}}}})
		if _, err := out.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := x.most["slow.example.org"]; n != 2 {
			t.Errorf("%d mails to the slow domain at once", n)
		}
		if n := x.most[""]; n < 3 {
			t.Errorf("%d mails at once: the slow domain held up the others", n)
		}
		by := map[string]int{}
		for _, m := range w.wire.Messages() {
			_, domain, _ := strings.Cut(m.To, "@")
			by[domain]++
		}
		if by["slow.example.org"] != 30 || by["example.org"] != 30 || by["strict.example.org"] != 5 {
			t.Errorf("%v", by)
		}
		// The rest waits for its turn, spread over the hour and more, each at most once in the way.
		var rest []models.Delivery
		if err := db.Where("state = 'queued'").Order("not_before").Find(&rest).Error; err != nil {
			t.Fatal(err)
		}
		if len(rest) != 25 || !rest[0].NotBefore.After(w.clk.Now().Add(50*time.Minute)) || !rest[24].NotBefore.After(rest[0].NotBefore.Add(time.Hour)) {
			t.Errorf("%d wait, from %v to %v", len(rest), rest[0].NotBefore, rest[len(rest)-1].NotBefore)
		}
	})
}

// A domain that must get used to us gets more each day, and receipts are not counted.
func TestWarmUp(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		l := models.Limits{WarmUp: &models.WarmUp{Starts: time.Now().UTC().Add(-25 * time.Hour), FirstDay: 4, Growth: 2, Until: 100}}
		out := w.limited(l)
		for i := range 12 {
			w.queue(deliveries.New{MailboxID: w.mailbox(fmt.Sprintf("p%d@example.org", i)).ID})
			w.agree(w.mailbox(fmt.Sprintf("p%d@example.org", i)))
			w.queue(deliveries.New{MailboxID: w.mailbox(fmt.Sprintf("p%d@example.org", i)).ID, Purpose: models.PurposeNewsletter, Priority: models.PriorityBulk})
		}
		if _, err := out.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		var states []string
		if err := db.Model(&models.Delivery{}).Select("purpose || ' ' || state || ' ' || count(*)").Group("purpose, state").Order("1").Scan(&states).Error; err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(states, ", "); got != "newsletter queued 4, newsletter sent 8, receipt sent 12" {
			t.Errorf("on the second day: %s", got)
		}
	})
}

// Processes share the connections that the account may have: the one that comes new waits until the first has given up its part.
func TestConnectionsAreShared(t *testing.T) {
	db := testdb.Postgres(t) // several processes share PostgreSQL only
	w := newWorld(t, db)
	w.sender.Connections = 6
	w.lease = 15 * time.Second // they meet twice a second
	const n = 1000
	for i := range n {
		w.queue(deliveries.New{MailboxID: w.mailbox(fmt.Sprintf("p%d@example.org", i)).ID, Priority: models.PriorityBulk})
	}
	x := &times{delay: 20 * time.Millisecond}
	w.wire.AnswerWith(x.answer)
	a, b := w.limited(models.Limits{Connections: 5}), w.node()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 2)
	limit, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	go func() { done <- a.Run(ctx) }()
	if _, err := w.wire.Wait(limit, 10); err != nil {
		t.Fatal(err)
	}
	go func() { done <- b.Run(ctx) }()
	if _, err := w.wire.Wait(limit, n); err != nil {
		t.Fatal(err)
	}
	stop()
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if most := x.most[""]; most != 5 {
		t.Errorf("%d mails at once, 5 are allowed", most)
	}
	var nodes, by int64
	if err := db.Model(&models.MailNode{}).Count(&nodes).Error; err != nil || nodes != 0 {
		t.Errorf("%d processes are left, %v", nodes, err)
	}
	if err := db.Model(&models.Delivery{}).Where("state = 'sent'").Distinct("node").Count(&by).Error; err != nil || by != 2 {
		t.Errorf("%d processes sent, %v", by, err)
	}
}

// Night is where the person lives. What they asked for comes all the same.
func TestQuietHours(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db) // 12:00 UTC: 07:00 in New York, 13:00 in Madrid
		out := w.limited(models.Limits{QuietFrom: 20 * 60, QuietTo: 9 * 60})
		var ids []string
		for _, zone := range []string{"America/New_York", "Europe/Madrid", ""} {
			m := w.mailbox("p" + strings.ToLower(strings.NewReplacer("/", "", "_", "").Replace(zone)) + "@example.org")
			p := models.Supporter{ID: models.NewID(), TimeZone: zone, CreatedAt: start, UpdatedAt: start}
			if err := db.Create(&p).Error; err != nil {
				t.Fatal(err)
			}
			if err := db.Model(&models.Mailbox{}).Where("id = ?", m.ID).Update("supporter_id", p.ID).Error; err != nil {
				t.Fatal(err)
			}
			w.agree(m)
			w.queue(deliveries.New{MailboxID: m.ID, Purpose: models.PurposeNewsletter, Priority: models.PriorityBulk, DedupeKey: "news" + zone})
			w.queue(deliveries.New{MailboxID: m.ID, DedupeKey: "receipt" + zone})
		}
		zone, err := time.LoadLocation("America/Los_Angeles")
		if err != nil {
			t.Fatal(err)
		}
		w.sender.Zone = zone
		if _, err := out.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := db.Model(&models.Delivery{}).Order("dedupe_key").Pluck("dedupe_key || ' ' || state", &ids).Error; err != nil {
			t.Fatal(err)
		}
		want := "news queued, newsAmerica/New_York queued, newsEurope/Madrid sent, receipt sent, receiptAmerica/New_York sent, receiptEurope/Madrid sent"
		if got := strings.Join(ids, ", "); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		var d models.Delivery
		if err := db.Take(&d, "dedupe_key = 'newsAmerica/New_York'").Error; err != nil || !d.NotBefore.Equal(start.Add(2*time.Hour)) {
			t.Errorf("it goes at %v, %v", d.NotBefore, err)
		}
		w.clk.Set(start.Add(2 * time.Hour))
		if _, err := out.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.state(d.ID, models.DeliverySent)
	})
}

// The ends of quiet hours, on ordinary days and on those when clocks change.
func TestQuietUntil(t *testing.T) {
	l := models.Limits{QuietFrom: 20 * 60, QuietTo: 9 * 60}
	for _, c := range []struct{ at, zone, want string }{
		{"2027-02-01T14:00:00Z", "America/New_York", ""},
		{"2027-02-01T13:59:59Z", "America/New_York", "2027-02-01T14:00:00Z"},
		{"2027-02-02T01:00:00Z", "America/New_York", "2027-02-02T14:00:00Z"},
		{"2027-02-02T00:59:59Z", "America/New_York", ""},
		{"2027-03-14T05:00:00Z", "America/New_York", "2027-03-14T13:00:00Z"}, // the hour from two to three is missing
		{"2027-11-07T04:00:00Z", "America/New_York", "2027-11-07T14:00:00Z"}, // and comes twice
		{"2027-06-01T03:20:00Z", "Asia/Kathmandu", ""},
		{"2027-06-01T02:30:00Z", "Asia/Kathmandu", "2027-06-01T03:15:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		at, _ := time.Parse(time.RFC3339, c.at)
		got := ""
		if u := deliveries.QuietUntil(l, at, zone); !u.IsZero() {
			got = u.Format(time.RFC3339)
		}
		if got != c.want {
			t.Errorf("%s in %s: %q, want %q", c.at, c.zone, got, c.want)
		}
	}
}

// A mailing of which too many are refused stops by itself; what was not begun waits for somebody's word.
func TestBrake(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sender.Connections = 1
		out := w.limited(models.Limits{BrakeShare: 0.2, BrakeWindow: 20})
		m := models.Mailing{ID: models.NewID(), Purpose: models.PurposeNewsletter, State: models.MailingSending, CreatedAt: start, UpdatedAt: start}
		if err := db.Create(&m).Error; err != nil {
			t.Fatal(err)
		}
		for i := range 60 {
			box := w.mailbox(fmt.Sprintf("p%02d@example.org", i))
			w.agree(box)
			w.queue(deliveries.New{MailboxID: box.ID, MailingID: &m.ID, Purpose: models.PurposeNewsletter, Priority: models.PriorityBulk, OnUnknown: models.Park})
		}
		n := 0
		w.wire.AnswerWith(func(mailer.Message) mailer.Outcome {
			if n++; n > 30 {
				return mailer.Outcome{State: mailer.Rejected, Phase: mailer.PhaseRcpt, Code: 550, Enhanced: "5.7.1"}
			}
			return mailer.Outcome{State: mailer.Accepted, Code: 250}
		})
		if _, err := out.Drain(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := db.Take(&m, "id = ?", m.ID).Error; err != nil || m.State != models.MailingStopped || m.PausedReason == "" {
			t.Fatalf("the mailing is %s %q, %v", m.State, m.PausedReason, err)
		}
		var sent, failed, queued, other int64
		for state, to := range map[string]*int64{"= 'sent'": &sent, "= 'failed'": &failed, "= 'queued'": &queued, "NOT IN ('sent', 'failed', 'queued')": &other} {
			if err := db.Model(&models.Delivery{}).Where("state " + state).Count(to).Error; err != nil {
				t.Fatal(err)
			}
		}
		if sent != 30 || failed < 5 || failed > 6 || queued != 60-sent-failed || other != 0 { // one more may be begun already
			t.Errorf("%d sent, %d failed, %d wait, %d else", sent, failed, queued, other)
		}
	})
}

// agree lets a mailbox agree to the newsletter, once.
func (w *world) agree(m models.Mailbox) {
	w.t.Helper()
	var text models.ConsentText
	if err := w.db.Where("version = 900").Limit(1).Find(&text).Error; err != nil {
		w.t.Fatal(err)
	}
	if text.ID == uuid.Nil {
		text = models.ConsentText{ID: models.NewID(), Purpose: models.PurposeNewsletter, Locale: "en", Version: 900, Body: "Write to me", CreatedAt: start}
		if err := w.db.Create(&text).Error; err != nil {
			w.t.Fatal(err)
		}
	}
	c := models.Consent{ID: models.NewID(), MailboxID: m.ID, Purpose: models.PurposeNewsletter, TextID: text.ID, ShownAt: start, GivenAt: start, How: models.ConsentByMail}
	if err := w.db.Create(&c).Error; err != nil {
		w.t.Fatal(err)
	}
}

// A mailing is paused while this process has read ahead of what it sends: what it put back goes when the mailing goes on, though it reads on
// where it was, and nobody gets it twice.
func TestWhatWasPutBackIsReadAgain(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.poll = 20 * time.Millisecond
		w.out = w.node()
		const people = 400
		m := models.Mailing{ID: models.NewID(), Purpose: models.PurposeNewsletter, State: models.MailingSending, CreatedAt: start, UpdatedAt: start}
		if err := db.Create(&m).Error; err != nil {
			t.Fatal(err)
		}
		for i := range people {
			box := w.mailbox(fmt.Sprintf("p%d@example.org", i))
			w.agree(box)
			w.queue(deliveries.New{MailboxID: box.ID, MailingID: &m.ID, Purpose: models.PurposeNewsletter, Priority: models.PriorityBulk, OnUnknown: models.Park})
		}
		set := func(state models.MailingState) {
			if err := db.Model(&m).Update("state", state).Error; err != nil {
				t.Fatal(err)
			}
		}
		hold := make(chan struct{})
		w.wire.AnswerWith(func(mailer.Message) mailer.Outcome { <-hold; return mailer.Outcome{State: mailer.Accepted, Code: 250} })
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		limit, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- w.out.Run(ctx) }()
		for range 100 { // more than one reading
			hold <- struct{}{}
		}
		set(models.MailingPaused)
		close(hold)
		for n := int64(1); n > 0; {
			if err := db.WithContext(limit).Model(&models.Delivery{}).Where("state = 'sending'").Count(&n).Error; err != nil {
				t.Fatal(err)
			}
		}
		for len(w.asked) > 0 {
			<-w.asked
		}
		select { // it looked at least once more while the mailing was paused
		case <-w.asked:
		case <-limit.Done():
			t.Fatal(limit.Err())
		}
		if n := len(w.wire.All()); n > 110 {
			t.Errorf("%d mails went, though it was paused after a hundred", n)
		}
		set(models.MailingSending)
		if _, err := w.wire.Wait(limit, people); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		to := map[string]int{}
		for _, x := range w.wire.All() {
			to[x.Message.To]++
		}
		if len(to) != people || len(w.wire.All()) != people {
			t.Errorf("%d mails to %d people", len(w.wire.All()), len(to))
		}
	})
}

// What somebody waits for overtakes a mailing of which hundreds wait.
func TestAReceiptOvertakesAMailing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.sender.Connections = 3
		m := models.Mailing{ID: models.NewID(), Purpose: models.PurposeNewsletter, State: models.MailingSending, CreatedAt: start, UpdatedAt: start}
		if err := db.Create(&m).Error; err != nil {
			t.Fatal(err)
		}
		for i := range 300 {
			box := w.mailbox(fmt.Sprintf("p%d@example.org", i))
			w.agree(box)
			w.queue(deliveries.New{MailboxID: box.ID, MailingID: &m.ID, Purpose: models.PurposeNewsletter, Priority: models.PriorityBulk, OnUnknown: models.Park})
		}
		waits := w.mailbox("waits@example.org")
		hold := make(chan struct{})
		w.wire.AnswerWith(func(mailer.Message) mailer.Outcome { <-hold; return mailer.Outcome{State: mailer.Accepted, Code: 250} })
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		done := make(chan error, 1)
		go func() { done <- w.out.Run(ctx) }()
		limit, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		for range 40 {
			hold <- struct{}{}
		}
		for len(w.asked) > 0 {
			<-w.asked
		}
		w.queue(deliveries.New{MailboxID: waits.ID, Priority: models.PriorityReceipt})
		for range 2 { // it is read at once, as its commit wakes this process; the second time tells that the first is over
			select {
			case <-w.asked:
			case <-limit.Done():
				t.Fatal(limit.Err())
			}
		}
		before := len(w.wire.All())
		close(hold)
		if _, err := w.wire.Wait(limit, 301); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(w.wire.All(), func(s mailer.Sent) bool { return s.Message.To == "waits@example.org" })
		if at-before > 30 { // those on the wire and begun, and what goes while it is read
			t.Errorf("%d mails of the mailing went before what somebody waits for", at-before)
		}
	})
}
