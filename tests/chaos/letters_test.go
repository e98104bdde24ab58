package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/letters"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/rows"
	"kithline/tests/smtpsink"
	"kithline/tests/testdb"
)

const (
	letterSpeed   = 1800 // two seconds are an hour
	letterOffices = 40
	letterTo      = 8 // offices a writer
	letterCap     = 5 // an office and hour
)

// mondayMorning is nine where the offices are.
var mondayMorning = time.Date(2027, 2, 1, 14, 0, 0, 0, time.UTC)

// hurried is a clock that all processes read alike, however often they start: it began at a moment, and goes letterSpeed times as fast.
type hurried struct{ began time.Time }

func (h hurried) Now() time.Time {
	return clock.Trim(mondayMorning.Add(time.Now().Round(0).Sub(h.began) * letterSpeed))
}

// letterService makes the letters and the outbox of one process.
func letterService(db *database.DB, v *vault.Vault, clk clock.Clock, smtp string) (*letters.Service, *deliveries.Service, error) {
	host, port, err := net.SplitHostPort(smtp)
	if err != nil {
		return nil, nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, nil, err
	}
	transport, err := mailer.NewSMTP(mailer.SMTPConfig{Host: host, Port: n, TLS: "none"})
	if err != nil {
		return nil, nil, err
	}
	words, err := mailer.NewRenderer()
	if err != nil {
		return nil, nil, err
	}
	signer := tokens.New(v)
	s := letters.New(letters.Options{
		DB: db, Vault: v, Clock: clk, Signer: signer, Organisation: organisation.New(db, v, clk), BaseURL: "https://act.example.org", Log: slog.New(slog.DiscardHandler),
		Words: func(_, key string, _ ...any) string { return key },
	})
	out := deliveries.NewService(db, v, clk, signer, words, deliveries.Options{
		Lease: longLease, Poll: 20 * time.Millisecond,
		Sender: func(context.Context) (deliveries.Sender, error) {
			return deliveries.Sender{
				Transport: transport, Connections: manyConns, FromName: "WCPC", FromAddress: "hello@act.example.org",
				Letterhead: mailer.Letterhead{OrgName: "WCPC", PostalAddress: "12 Ferry Street"}, Offices: deliveries.Offices{Live: true},
			}, nil
		},
	})
	for _, kinds := range []map[string]deliveries.Renderer{s.DispatchRenderers(), s.WriterMails()} {
		for kind, r := range kinds {
			out.Handle(kind, r)
		}
	}
	return s, out, nil
}

// paceUntilKilled is one process: it hands letters over and sends them.
func paceUntilKilled(db *database.DB, v *vault.Vault, began string) error {
	nanos, err := strconv.ParseInt(began, 10, 64)
	if err != nil {
		return err
	}
	s, out, err := letterService(db, v, hurried{time.Unix(0, nanos)}, os.Getenv(childSMTP))
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- out.Run(context.Background()) }()
	for look := time.NewTicker(20 * time.Millisecond); ; { // the job looks as often by this clock
		select {
		case err := <-ended:
			return err
		case <-look.C:
			if err := s.Pace(context.Background()); err != nil && !database.Lost(err) {
				return err
			}
		}
	}
}

// post is letters on their way while the processes that carry them are killed.
type post struct {
	*mailing // what is told of processes, and of the sink
	campaign uuid.UUID
	began    time.Time
	letters  int // to an office each

	got   map[string]int         // by office and writer
	times map[string][]time.Time // by office, by the clock of the letters
}

// newPost makes offices, and lets people write and confirm, all through the front door.
func newPost(t *testing.T, url string, writers int) *post {
	t.Helper()
	ctx := t.Context()
	db, err := database.Open(ctx, database.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	p := &post{mailing: &mailing{t: t, url: url, db: db, key: vault.NewKey()}, letters: writers * letterTo, got: map[string]int{}, times: map[string][]time.Time{}}
	if p.sink, err = smtpsink.Count(100*time.Millisecond, p.took); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.sink.Close)

	v, clk := vault.New(p.key), clock.NewFixed(mondayMorning)
	org := organisation.New(db, v, clk)
	_, err = org.Ensure(ctx)
	p.must(err)
	p.must(org.Update(ctx, actor.TheSystem(), organisation.Details{
		Name: "Wennick Chronic Pain Coalition", ShortName: "WCPC", LegalName: "Wennick Chronic Pain Coalition", PostalAddress: "12 Ferry Street\nHarrow Bay", FromAddress: "hello@act.example.org",
		TimeZone: "America/New_York", Languages: []string{"en"}, Accent: "#1c5c4d",
	}))
	state := rows.NewRepresented(mondayMorning)
	asked := rows.NewLetters(state, "twenty-visits", mondayMorning)
	asked.Letters.HourlyCap = letterCap
	p.campaign = asked.Letters.ID
	committee := models.Committee{ID: models.NewID(), JurisdictionID: state.Upper.JurisdictionID, ExternalID: "all", Name: "The whole house", CreatedAt: mondayMorning, UpdatedAt: mondayMorning}
	list := append(slices.Clone(state.Rows), asked.Rows...)
	list = append(list, &committee, &models.LetterTarget{ID: models.NewID(), LetterCampaignID: p.campaign, Position: 9, Rule: models.TargetCommittee, Name: "All", CommitteeID: &committee.ID})
	var offices []uuid.UUID
	for i := range letterOffices {
		g := models.Legislator{ID: models.NewID(), Source: string(models.SourceHand), ExternalID: fmt.Sprint(i), Name: fmt.Sprintf("Ada Quill %d", i), FamilyName: "Quill", CreatedAt: mondayMorning, UpdatedAt: mondayMorning}
		o := models.Office{ID: models.NewID(), LegislatorID: g.ID, Kind: "capitol", Street: "1 Capitol Way", City: "Three Forks", Region: "NY", Country: "US", CreatedAt: mondayMorning, UpdatedAt: mondayMorning}
		offices = append(offices, g.ID)
		list = append(
			list, &g, &o,
			&models.Term{ID: models.NewID(), LegislatorID: g.ID, ChamberID: state.Upper.ID, OCDID: fmt.Sprintf("ocd-division/country:us/state:wn/sldu:%d", 100+i), District: fmt.Sprint(100 + i), CreatedAt: mondayMorning, UpdatedAt: mondayMorning},
			&models.Channel{ID: models.NewID(), LegislatorID: g.ID, OfficeID: &o.ID, Kind: models.ChannelEmail, Value: fmt.Sprintf("office%d@senate.example.org", i), Position: 1, CreatedAt: mondayMorning, UpdatedAt: mondayMorning},
			&models.CommitteeMember{ID: models.NewID(), CommitteeID: committee.ID, LegislatorID: g.ID, Rank: i, CreatedAt: mondayMorning},
		)
	}
	for _, row := range list {
		p.must(db.Create(row).Error)
	}
	s, _, err := letterService(db, v, clk, p.sink.Addr)
	p.must(err)
	door := confirmations.New(clk, s.Signer)
	door.Register(s.Source())
	c, err := s.Public(ctx, "twenty-visits", "en")
	p.must(err)
	for i := range writers {
		in := letters.Sheet{
			PostalCode: "00151", GivenName: "June", FamilyName: "Hollis", Street: "4 Mill Lane", City: "Three Forks", Email: fmt.Sprintf("june%d@example.org", i),
			Own: fmt.Sprint("I walked ", rand.Int64(), " steps, then ", rand.Int64(), " more, and slept ", rand.Int64(), " hours."),
		}
		for n := range letterTo {
			in.Chosen = append(in.Chosen, offices[(i*letterTo+n)%letterOffices])
		}
		sent, err := s.Send(ctx, c, letters.SendInput{KeepInput: letters.KeepInput{Sheet: in, Lang: "en", ConsentText: "Write to me"}, OfficeText: "The office gets it all."})
		p.must(err)
		var l models.Letter
		p.must(db.Take(&l, "id = ?", sent.ID).Error)
		_, err = door.Confirm(ctx, s.Signer.Make(tokens.Confirm, l.MailboxID, l.ExpiresAt), []uuid.UUID{l.ID})
		p.must(err)
	}
	if n := p.dispatches("state = 'waiting'"); n != p.letters {
		t.Fatalf("%d letters wait of %d", n, p.letters)
	}
	p.began = time.Now().Round(0)
	return p
}

func (p *post) took(to string, message []byte) {
	_, rest, _ := bytes.Cut(message, []byte("Reply-To:"))
	writer, _, _ := bytes.Cut(rest, []byte("\r\n"))
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasPrefix(to, "office") {
		p.got[to+string(writer)]++
		p.times[to] = append(p.times[to], hurried{p.began}.Now())
	}
}

// process starts one more process that hands letters over and sends them.
func (p *post) process(ctx context.Context) *exec.Cmd {
	p.t.Helper()
	return child(ctx, p.t, childURL+"="+named(p.url, sender), childKey+"="+p.key.Text(), childSMTP+"="+p.sink.Addr, childBegan+"="+strconv.FormatInt(p.began.UnixNano(), 10))
}

// kill ends all processes at once, and lets their leases end.
func (p *post) kill(all ...*exec.Cmd) {
	p.t.Helper()
	for _, c := range all {
		p.must(c.Process.Signal(syscall.SIGKILL))
	}
	for _, c := range all {
		_ = c.Wait()
	}
	stilled(p.t, p.db, sender)
	p.must(p.db.Exec("UPDATE deliveries SET lease_until = '2020-01-01 00:00:00+00:00' WHERE state = 'sending'").Error)
}

func (p *post) dispatches(where string) int {
	p.t.Helper()
	var n int64
	p.must(p.db.Model(&models.Dispatch{}).Where(where).Count(&n).Error)
	return int(n)
}

// open is how many letters are not at an office yet, as far as anybody can know.
func (p *post) open() int {
	return p.dispatches("state <> 'handed' OR NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.id = dispatches.delivery_id AND d.state IN ('sent', 'unknown'))")
}

// until waits until a condition holds: other processes bring it about, and nothing tells.
func (p *post) until(ctx context.Context, holds func() bool) {
	p.t.Helper()
	for !holds() {
		select {
		case <-ctx.Done():
			var left []string
			err := p.db.Raw("SELECT x.state || ', mail ' || COALESCE(d.state, 'none') || ': ' || count(*) FROM dispatches x LEFT JOIN deliveries d ON d.id = x.delivery_id GROUP BY x.state, d.state").Scan(&left).Error
			p.t.Fatalf("it does not end: %q, %v", left, errors.Join(ctx.Err(), err))
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// The processes that carry letters are killed again and again, at any moment. No office gets a letter twice, none is lost: each is sent, or
// parked and listed for a person; and no office gets more than the cap in any 60 minutes.
func TestLettersSurviveKills(t *testing.T) {
	testdb.EachMigratedURL(t, func(t *testing.T, url string) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		kills := times(5)
		p := newPost(t, url, 60+2*kills)
		start := func() (all []*exec.Cmd) {
			all = append(all, p.process(ctx))
			if p.db.Postgres() { // two share the work
				all = append(all, p.process(ctx))
			}
			return all
		}
		for i := range kills {
			all := start()
			from, left := p.sink.Mails.Load(), p.open()
			more := from + 1 + rand.Int64N(int64(max(1, left/(kills-i))))
			p.until(ctx, func() bool { return p.sink.Mails.Load() >= more || p.open() == 0 })
			p.kill(all...)
			if n := p.dispatches("state NOT IN ('waiting', 'handed')"); n > 0 {
				t.Errorf("%d letters are in no state to go on from", n)
			}
		}
		all := start()
		p.until(ctx, func() bool { return p.open() == 0 })
		p.kill(all...)

		p.mu.Lock()
		defer p.mu.Unlock()
		twice, worst := 0, 0
		for _, n := range p.got {
			twice += n - 1
		}
		for office, at := range p.times {
			slices.SortFunc(at, time.Time.Compare)
			from := 0
			for i := range at {
				for at[i].Sub(at[from]) >= time.Hour {
					from++
				}
				worst = max(worst, i-from+1)
			}
			if worst > letterCap {
				t.Errorf("%s got %d letters in 60 minutes", office, worst)
			}
		}
		sent := p.dispatches("EXISTS (SELECT 1 FROM deliveries d WHERE d.id = dispatches.delivery_id AND d.state = 'sent')")
		s, _, err := letterService(p.db, vault.New(p.key), hurried{p.began}, p.sink.Addr)
		p.must(err)
		desks, err := s.Offices(ctx, actor.TheSystem(), p.campaign)
		p.must(err)
		parked, mailed := 0, 0
		for _, d := range desks.Rows {
			parked += d.Unknown
			mailed += d.Mailed
		}
		t.Logf("%d letters: %d sent, %d parked of which %d came; at most %d in 60 minutes", p.letters, sent, parked, len(p.got)-sent, worst)
		if twice != 0 || mailed != sent || sent+parked != p.letters || len(p.got) < sent || parked == 0 {
			t.Errorf("%d letters: %d came, %d of them twice; %d sent, %d listed as there and %d as unknown", p.letters, len(p.got), twice, sent, mailed, parked)
		}
	})
}
