package letters

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/deliveries"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/smtpsink"
)

// inCaps checks moments that letters came at an office: never more than so many in any 60 minutes, and each on a working day from 8 to 18.
func inCaps(t *testing.T, what string, times []time.Time, perHour int, zone string) {
	t.Helper()
	z, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(times, time.Time.Compare)
	for i, at := range times {
		if i >= perHour && at.Sub(times[i-perHour]) < time.Hour {
			t.Errorf("%s: %d letters in %s", what, perHour+1, at.Sub(times[i-perHour]))
		}
		if l := at.In(z); l.Hour() < 8 || l.Hour() >= 18 || l.Weekday() == time.Saturday || l.Weekday() == time.Sunday {
			t.Errorf("%s: a letter at %s", what, l)
		}
	}
}

func TestHours(t *testing.T) {
	ny, err := location("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ at, want string }{
		{"2027-02-01 10:00", "2027-02-01 10:00"},
		{"2027-02-01 07:59", "2027-02-01 08:00"},
		{"2027-02-01 18:00", "2027-02-02 08:00"},
		{"2027-02-05 18:00", "2027-02-08 08:00"},
		{"2027-02-06 12:00", "2027-02-08 08:00"},
		{"2027-03-13 12:00", "2027-03-15 08:00"},
		{"2027-11-06 23:00", "2027-11-08 08:00"}, // over both clock changes
	} {
		at, err := time.ParseInLocation("2006-01-02 15:04", c.at, ny)
		if err != nil {
			t.Fatal(err)
		}
		if got := opening(at, ny).In(ny).Format("2006-01-02 15:04"); got != c.want {
			t.Errorf("%s: %s, not %s", c.at, got, c.want)
		}
	}
	for cap := 1; cap <= 60; cap++ { // as many gaps as the cap says are longer than an hour
		if spacing(cap)*time.Duration(cap) <= time.Hour || gap(cap, time.Date(2027, 2, 1, 11, 0, 0, 0, ny)) < spacing(cap) {
			t.Errorf("%d: %s", cap, spacing(cap))
		}
	}
}

// The caps of letter campaigns and of an office hold while the mail server is away, after it comes back, and between two processes; and
// what was handed over before the evening does not go at night.
func TestPaceHolds(t *testing.T) {
	eachPost(t, func(t *testing.T, p *post) {
		ada := p.senator(1, "email:ada@senate.example.org")
		bo := p.senator(2, "email:ada@senate.example.org") // both are reached at one address
		few := p.campaign(3, false)
		for i := range 12 {
			p.letter(few, fmt.Sprintf("Few%d", i), ada)
		}
		for i := range 30 {
			p.letter(p.campaign(60, false), fmt.Sprintf("Many%d", i), []models.Legislator{ada, bo}[i%2])
		}
		second := New(p.Options)
		came := map[string][]time.Time{}
		n := 0
		note := func() {
			for _, m := range p.mail.Messages()[n:] {
				n++
				came["all"] = append(came["all"], p.clk.Now())
				if strings.Contains(m.FromName, "Few") {
					came["few"] = append(came["few"], p.clk.Now())
				}
			}
		}
		away := p.sender.Offices
		for i := range 4 * 24 * 12 {
			switch i {
			case 18: // an hour and a half later the way out is gone, until night
				p.sender.Offices = deliveries.Offices{}
			case 18 * 12:
				p.sender.Offices = away
			}
			var wg sync.WaitGroup
			wg.Go(func() { _ = second.Pace(p.ctx) })
			p.must(p.Pace(p.ctx))
			wg.Wait()
			_, err := p.out.Drain(p.ctx)
			p.must(err)
			note()
			p.clk.Add(5 * time.Minute)
		}
		if n != 42 {
			t.Fatalf("%d letters came", n)
		}
		inCaps(t, "the address", came["all"], OfficeHourly, "America/New_York")
		inCaps(t, "the small campaign", came["few"], 3, "America/New_York")
	})
}

// What was on the wire when a process died is parked, and nothing of it goes again, by mail or without a person.
func TestUnknownIsParked(t *testing.T) {
	eachPost(t, func(t *testing.T, p *post) {
		ada := p.senator(1, "email:ada@senate.example.org", "webform:https://senate.example.org/write")
		_, list := p.letter(p.c, "June", ada)
		_, next := p.letter(p.c, "Cal", ada)
		p.must(p.Pace(p.ctx))
		first, other := list[0].ID, next[0].ID
		if p.get(first).State != models.DispatchHanded {
			first, other = other, first
		}
		p.must(p.DB.Model(&models.Delivery{}).Where("id = ?", p.get(first).DeliveryID).Updates(map[string]any{"state": "sending", "attempt": 1, "node": "dead", "lease_until": time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}).Error)
		p.must(p.out.Recover(p.ctx))
		p.run(3*time.Hour, 10*time.Minute)
		p.must(p.Daily(p.ctx))
		if got := p.to("ada@senate.example.org"); len(got) != 1 || p.get(first).State != models.DispatchHanded || p.get(other).State != models.DispatchHanded {
			t.Fatalf("%d mails, %+v", len(got), p.get(first))
		}
		a := organizer()
		desks, err := p.Offices(p.ctx, a, p.c.ID)
		p.must(err)
		if len(desks.Rows) != 1 || desks.Rows[0].Unknown != 1 || desks.Rows[0].Mailed != 1 || desks.Rows[0].Title != "Senator" {
			t.Fatalf("%+v", desks.Rows)
		}
		if n, err := p.Decide(p.ctx, a, p.c.ID, ada.ID, false); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		p.run(time.Hour, 10*time.Minute)
		if d := p.get(first); d.Channel != models.ByWebForm || len(p.to("ada@senate.example.org")) != 1 {
			t.Errorf("%+v", d)
		}
	})
}

// many makes confirmed letters to legislators in turn, waiting for their turn, in few statements.
func (p *post) many(c models.LetterCampaign, n int, to []models.Legislator) {
	p.t.Helper()
	terms := map[uuid.UUID]uuid.UUID{}
	var rows []models.Term
	p.must(p.DB.Find(&rows).Error)
	for _, r := range rows {
		terms[r.LegislatorID] = r.ID
	}
	now := p.clk.Now()
	for from := 0; from < n; from += 500 {
		var boxes []models.Mailbox
		var letters []models.Letter
		var list []models.Dispatch
		for i := from; i < min(n, from+500); i++ {
			who, g := fmt.Sprintf("June%d", i), to[i%len(to)]
			address := strings.ToLower(who) + "@example.org"
			hash := p.Vault.AddressHash(address)
			box := models.Mailbox{ID: models.NewID(), AddressHash: hash, AddressSealed: p.Vault.SealBytes("mailboxes", "address_sealed", hash, []byte(address)), Domain: "example.org", CreatedAt: now, UpdatedAt: now}
			l := models.Letter{ID: models.NewID(), LetterCampaignID: c.ID, MailboxID: box.ID, State: models.LetterReleased, Locale: "en", PostalArea: "00209", Region: "WK", Country: "US", CreatedAt: now, UpdatedAt: now, ConfirmedAt: &now, ReleasedAt: &now, ExpiresAt: now.AddDate(1, 0, 0)}
			l.GivenNameSealed, l.FamilyNameSealed = p.Vault.Seal("letters", "given_name_sealed", l.ID, who), p.Vault.Seal("letters", "family_name_sealed", l.ID, "Okafor")
			d := models.Dispatch{ID: models.NewID(), LetterID: l.ID, LetterCampaignID: c.ID, MailboxID: box.ID, LegislatorID: g.ID, TermID: terms[g.ID], State: models.DispatchWaiting, DueAt: now, CreatedAt: now, UpdatedAt: now}
			d.SubjectSealed, d.TextSealed = p.Vault.Seal("dispatches", "subject_sealed", d.ID, "Please support HB 412"), p.Vault.Seal("dispatches", "text_sealed", d.ID, text(who, g))
			sum, err := p.digestOf(l, []models.Dispatch{d})
			p.must(err)
			l.ConfirmedDigest = sum
			boxes, letters, list = append(boxes, box), append(letters, l), append(list, d)
		}
		p.must(p.DB.Tx(p.ctx, func(tx *gorm.DB) error {
			if err := database.InsertAll(tx, boxes, ""); err != nil {
				return err
			}
			if err := database.InsertAll(tx, letters, ""); err != nil {
				return err
			}
			if err := database.InsertAll(tx, list, ""); err != nil {
				return err
			}
			return wake(p.ctx, tx, now, list...)
		}))
	}
}

// 5,000 letters: each to its own office, once, signed for our domain, answered to its writer, within caps and hours.
func TestFiveThousandLetters(t *testing.T) {
	if testing.Short() {
		t.Skip("5,000 letters")
	}
	eachPost(t, func(t *testing.T, p *post) {
		letters, offices := 5000, 250
		if p.DB.Postgres() { // a fifth: what differs between the databases shows with that
			letters, offices = 1000, 50
		}
		ed := ed25519.NewKeyFromSeed(make([]byte, 32))
		key, err := mailer.NewDKIM("act.example.org", "e", ed)
		p.must(err)
		p.sender.DKIM, p.sender.Connections = []*mailer.DKIM{key}, 4
		public := "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(ed.Public().(ed25519.PublicKey))
		var mu sync.Mutex
		came := map[string][]time.Time{}
		writers := map[string]int{}
		wrong := 0
		sink, err := smtpsink.Count(0, func(to string, raw []byte) {
			m, err := mail.ReadMessage(bytes.NewReader(append(slices.Clone(raw), "\r\n"...)))
			mu.Lock()
			defer mu.Unlock()
			came[to] = append(came[to], p.clk.Now())
			if err != nil {
				wrong++
				return
			}
			who, answers := m.Header.Get("From"), m.Header.Get("Reply-To")
			name, _, _ := strings.Cut(strings.Trim(who, `"`), " ")
			writers[name]++
			n, _ := strconv.Atoi(strings.TrimPrefix(name, "June"))
			signed, err := dkim.VerifyWithOptions(bytes.NewReader(append(slices.Clone(raw), "\r\n"...)), &dkim.VerifyOptions{LookupTXT: func(string) ([]string, error) { return []string{public}, nil }})
			if to != fmt.Sprintf("office%d@senate.example.org", n%offices) || answers != fmt.Sprintf("<june%d@example.org>", n) || err != nil || len(signed) != 1 || signed[0].Err != nil {
				if wrong++; wrong < 5 {
					t.Errorf("to %s from %s answered to %s, %v", to, who, answers, err)
				}
			}
		})
		p.must(err)
		defer sink.Close()
		host, port, _ := net.SplitHostPort(sink.Addr)
		at, _ := strconv.Atoi(port)
		p.way, err = mailer.NewSMTP(mailer.SMTPConfig{Host: host, Port: at, TLS: "none"})
		p.must(err)
		var to []models.Legislator
		for i := range offices {
			to = append(to, p.senator(i, fmt.Sprintf("email:office%d@senate.example.org", i)))
		}
		p.many(p.c, letters, to)
		for range 5 * 24 * 15 { // at most five days, in steps of four minutes
			p.must(p.Pace(p.ctx))
			_, err := p.out.Drain(context.WithoutCancel(p.ctx))
			p.must(err)
			if sink.Mails.Load() == int64(letters) {
				break
			}
			p.clk.Add(4 * time.Minute)
		}
		mu.Lock()
		defer mu.Unlock()
		if sink.Mails.Load() != int64(letters) || len(writers) != letters || len(came) != offices || wrong != 0 {
			t.Fatalf("%d mails of %d writers to %d offices, %d wrong", sink.Mails.Load(), len(writers), len(came), wrong)
		}
		for office, times := range came {
			inCaps(t, office, times, 10, "America/New_York")
		}
	})
}
