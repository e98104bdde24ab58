package deliverability

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Tone is how a check came out. The values are those of the checks of a mailing.
type Tone string

// The tones.
const (
	Fine  Tone = "good"
	Think Tone = "warn" // mail goes out, but somebody should look
	Stop  Tone = "bad"  // large services will refuse mail, or put it among the unwanted
)

// What is looked at.
const (
	CheckSPF       = "spf"
	CheckDKIM      = "dkim"
	CheckDMARC     = "dmarc"
	CheckAlignment = "alignment"
	CheckMX        = "mx"
	CheckReverse   = "reverse"
	CheckFreemail  = "freemail"
)

// Finding is what one check found. Key is a key of the locale files, deliver.CHECK_RESULT, and Args are name, value pairs for it.
type Finding struct {
	Check  string   `json:"check"`
	Tone   Tone     `json:"tone"`
	Key    string   `json:"key"`
	Args   []string `json:"args,omitempty"`
	Record *Record  `json:"record,omitempty"` // what to publish, to be copied as it is
	Now    string   `json:"now,omitempty"`    // what stands there instead
}

// Values are Args as the words of a page want them.
func (f Finding) Values() []any {
	out := make([]any, len(f.Args))
	for i, a := range f.Args {
		out[i] = a
	}
	return out
}

// Report is what a look at DNS said about the domain that mail comes from.
type Report struct {
	Domain    string // empty: no address is set that mail comes from
	CheckedAt time.Time
	Findings  []Finding
	Figures   Figures
	found     []uuid.UUID // keys whose record was found
}

// reportJSON is what stands in the row.
type reportJSON struct {
	Findings []Finding `json:"findings"`
	Figures  Figures   `json:"figures"`
}

// Worst is the worst tone of a check, "" where it was not made.
func (r Report) Worst(check string) Tone {
	worst := Tone("")
	for _, f := range r.Findings {
		if f.Check == check && (worst == "" || f.Tone == Stop || f.Tone == Think && worst == Fine) {
			worst = f.Tone
		}
	}
	return worst
}

// fresh is how long a look at DNS is taken for true; one to which DNS gave no answer, only as long as silent.
const (
	fresh  = time.Hour
	silent = time.Minute
)

func (r Report) age() time.Duration {
	if slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Key == keySilent || f.Key == keySilentFor }) {
		return silent
	}
	return fresh
}

// Last returns the latest report about the domain that mail comes from; CheckedAt is zero where nobody looked yet. It asks nobody and
// needs the right actor.Administer.
func (s *Service) Last(ctx context.Context, a actor.Actor) (Report, error) {
	if err := a.Need(actor.Administer); err != nil {
		return Report{}, err
	}
	o, err := s.Organisation.Current(ctx)
	if err != nil {
		return Report{}, err
	}
	return s.last(ctx, fromDomain(o))
}

func (s *Service) last(ctx context.Context, domain string) (Report, error) {
	r := Report{Domain: domain}
	var row models.DomainCheck
	err := s.DB.WithContext(ctx).Take(&row, "domain = ?", domain).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	var j reportJSON
	err = json.Unmarshal([]byte(row.Report), &j)
	r.Findings, r.Figures, r.CheckedAt = j.Findings, j.Figures, row.CheckedAt
	return r, err
}

// countTime is how long somebody who pressed the button waits for the figures; they then see those that the hour brought, which may take
// hourlyTime.
const (
	countTime  = 10 * time.Second
	hourlyTime = 30 * time.Second
)

// Check asks DNS now, counts the mails of the last 30 days, keeps both for all nodes, and lets keys sign whose record it found. It needs the right actor.Administer and
// returns a Conflict fault where no address is set that mail comes from. It takes seconds where DNS is slow, and never fails for that:
// what could not be looked up is a finding.
func (s *Service) Check(ctx context.Context, a actor.Actor) (Report, error) {
	if err := a.Need(actor.Administer); err != nil {
		return Report{}, err
	}
	counted := make(chan error, 1)
	var figures Figures
	go func() {
		patience := countTime
		if a.Kind == actor.System {
			patience = hourlyTime
		}
		count, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		var err error
		if figures, err = s.count(count); count.Err() != nil && ctx.Err() == nil {
			figures, err = Figures{}, nil // there was not time enough
		}
		counted <- err
	}()
	r, err := s.look(ctx)
	if err := errors.Join(err, <-counted); err != nil {
		return r, err
	}
	if r.Domain == "" {
		return r, fault.New(fault.Conflict, "smtp.sender")
	}
	if r.Figures = figures; figures.CountedAt.IsZero() {
		last, err := s.last(ctx, r.Domain)
		if err != nil {
			return r, err
		}
		r.Figures = last.Figures
	}
	text, err := json.Marshal(reportJSON{r.Findings, r.Figures})
	if err != nil {
		return r, err
	}
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := alone(tx); err != nil {
			return err
		}
		row := models.DomainCheck{Domain: r.Domain, Report: string(text), CheckedAt: r.CheckedAt}
		if err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "domain"}}, UpdateAll: true}).Create(&row).Error; err != nil {
			return err
		}
		if err := begin(ctx, tx, a, r.found, s); err != nil {
			return err
		}
		if a.Kind == actor.System {
			return nil
		}
		return audit.Write(ctx, tx, a, r.CheckedAt, "deliverability.check", "domain_checks", uuid.Nil, nil)
	})
	drop(s, &s.keys)
	drop(s, &s.looked)
	return r, err
}

// hourly is Check for nobody in particular. Where mail is only kept, nobody needs to find anything.
func (s *Service) hourly(ctx context.Context) error {
	o, err := s.Organisation.Current(ctx)
	if err != nil || fromDomain(o) == "" || s.Captured(ctx) {
		return err
	}
	_, err = s.Check(ctx, actor.TheSystem())
	return err
}

// Checks is what DNS says about the domain that mail comes from, for the checks of a mailing: the report that was kept if it is younger
// than an hour, else a new look, which is kept in memory for an hour; a minute each where DNS gave no answer. Nothing is worse than Think: DNS is the owner's to set, and a
// mail service may sign in our place without our knowing. It is empty where mail is only kept, and where no address is set that
// mail comes from; the checks of a mailing say that themselves. Rights are the caller's to check.
func (s *Service) Checks(ctx context.Context) ([]Finding, error) {
	o, err := s.Organisation.Current(ctx)
	domain := fromDomain(o)
	if err != nil || domain == "" || s.Captured(ctx) {
		return nil, err
	}
	r, err := s.last(ctx, domain)
	if err != nil {
		return nil, err
	}
	if s.Clock.Now().Sub(r.CheckedAt) >= r.age() {
		if r, err = lately(s, &s.looked, domain, Report.age, func() (Report, error) { return s.look(ctx) }); err != nil {
			return nil, err
		}
	}
	out := slices.Clone(r.Findings)
	for i := range out {
		if out[i].Tone == Stop {
			out[i].Tone = Think
		}
	}
	return out, nil
}

// look asks DNS. Its error is never DNS's.
func (s *Service) look(ctx context.Context) (Report, error) {
	o, err := s.Organisation.Current(ctx)
	if err != nil {
		return Report{}, err
	}
	r := Report{Domain: fromDomain(o), CheckedAt: s.Clock.Now()}
	if r.Domain == "" {
		return r, nil
	}
	server, err := s.Server(ctx)
	if err != nil {
		return r, err
	}
	row, err := s.row(ctx, s.DB.DB)
	if err != nil {
		return r, err
	}
	keys, err := s.toFind(ctx, r.Domain)
	if err != nil {
		return r, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime*time.Second)
	defer cancel()
	l := &looking{dns: dns{s.Resolver}, domain: r.Domain, server: server, reply: o.ReplyTo, keys: keys}
	for _, w := range strings.Fields(row.SendsFrom) {
		if ip, err := netip.ParseAddr(w); err == nil {
			l.ips, l.told = append(l.ips, ip), true
		}
	}
	if !l.told {
		l.ips = l.guess(ctx, s.SiteURL)
	}
	l.freemail()
	var spfs, dkims, policies, mxs, reverses []Finding
	var wg sync.WaitGroup
	wg.Go(func() { spfs = l.checkSPF(ctx) })
	wg.Go(func() { dkims = l.checkDKIM(ctx) })
	wg.Go(func() { policies = l.checkDMARC(ctx) })
	wg.Go(func() { mxs = l.checkMX(ctx) })
	wg.Go(func() { reverses = l.checkReverse(ctx) })
	wg.Wait()
	r.Findings = slices.Concat(l.own, spfs, dkims, policies, l.alignment(), mxs, reverses)
	r.found = l.found
	for i := range r.Findings {
		f := &r.Findings[i]
		f.Now = shown(f.Now)
		for j := range f.Args {
			f.Args[j] = shown(f.Args[j])
		}
		if f.Record != nil {
			f.Record.Value = shown(f.Record.Value)
		}
	}
	return r, nil
}

// maxShown is how much of a record is shown, in bytes: more than one that works can have.
const maxShown = 4000

// shown makes what a stranger put into DNS fit for a page: text without control characters, of a length that can be looked at.
func shown(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + " ..."
	}
	return s
}

// sought is a key whose record should stand in DNS.
type sought struct {
	id     uuid.UUID
	record Record
	state  models.MailKeyState
	public string
}

// toFind lists the keys that speak for a domain.
func (s *Service) toFind(ctx context.Context, domain string) ([]sought, error) {
	var out []sought
	for _, k := range s.Fixed {
		public, err := publicKey(k.Key.Public())
		if err != nil {
			return nil, err
		}
		row := models.MailKey{Domain: domain, Selector: k.Selector, Algorithm: algorithmOf(k.Key.Public()), PublicKey: public}
		out = append(out, sought{record: KeyRecord(row), state: models.MailKeySigning, public: public})
	}
	if len(out) > 0 {
		return out, nil
	}
	var rows []models.MailKey
	if err := s.DB.WithContext(ctx).Order("created_at, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, k := range rows {
		if sameOrBelow(domain, k.Domain) {
			out = append(out, sought{k.ID, KeyRecord(k), k.State, k.PublicKey})
		}
	}
	return out, nil
}
