package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/organisation"
	"kithline/campaigns/pacing"
	"kithline/campaigns/rosters"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/migrations"
)

// The size of the day.
const (
	people    = 46
	atHome    = 30 // stand by and hold nothing
	helpers   = 15 // offered time
	meetings  = 31
	letGo     = 12 // people who cannot come
	awayFor   = 40 * time.Minute
	quietFrom = 20 * 60 // of mails, where nobody set anything
	quietTo   = 9 * 60
)

// ground is an empty database to play on, copied for each morning.
type ground struct {
	dir   string
	empty []byte
	n     atomic.Int64
	words *mailer.Renderer
}

func newGround(ctx context.Context) (g *ground, err error) {
	g = &ground{}
	if g.words, err = mailer.NewRenderer(); err != nil {
		return nil, err
	}
	if g.dir, err = os.MkdirTemp("", "badtuesday"); err != nil {
		return nil, err
	}
	file := filepath.Join(g.dir, "empty.db")
	db, err := database.Open(ctx, database.Options{URL: file, Building: true})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(migrations.Up(ctx, db), db.Exec("PRAGMA wal_checkpoint(TRUNCATE)").Error, db.Close()); err != nil {
		return nil, err
	}
	g.empty, err = os.ReadFile(file)
	return g, err
}

func (g *ground) close() { _ = os.RemoveAll(g.dir) }

// person is somebody of the day.
type person struct {
	name     string
	box      uuid.UUID
	plan     pacing.Plan
	askFrom  int // who stands by: from then on that day
	byPhone  bool
	out      time.Time // when they find that they cannot come; zero: they can
	holds    []int     // shifts, at the start
	standsBy []int
	helper   *models.Volunteer
}

// shift is one shift and what became of it.
type shift struct {
	models.Shift
	free    int // places let go
	freedAt time.Time
	filled  int
	standby int // of those, by who stood by
}

// answer is what somebody does with a mail that asks them.
type answer struct {
	at  time.Time
	to  string // the link
	yes bool
	who int
	sh  int
}

// day is one morning while it is played.
type day struct {
	ctx    context.Context
	r      *rand.Rand
	db     *database.DB
	clk    *clock.Fixed
	v      *vault.Vault
	signer *tokens.Signer
	s      *rosters.Service
	out    *deliveries.Service
	mail   *mailer.Memory
	zone   *time.Location
	people []person
	shifts []shift
	at     map[uuid.UUID]int // shifts by id
	who    map[string]int    // people by address
	read   int               // mails that were looked at
	asked  map[[2]int]bool   // person and shift
	due    []answer
	away   [2]time.Time // no mail server
	res    result
}

// morning plays one.
func morning(ctx context.Context, g *ground, seed int64) (_ result, err error) {
	file := filepath.Join(g.dir, fmt.Sprintf("%d.db", g.n.Add(1)))
	if err := os.WriteFile(file, g.empty, 0o600); err != nil {
		return result{}, err
	}
	db, err := database.Open(ctx, database.Options{URL: file, Building: true})
	if err != nil {
		return result{}, err
	}
	defer func() {
		err = errors.Join(err, db.Close())
		for _, end := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(file + end)
		}
	}()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		return result{}, err
	}
	d := &day{
		ctx: ctx, r: rand.New(rand.NewPCG(uint64(seed), 9)), db: db, clk: clock.NewFixed(time.Date(2027, 3, 9, 6, 0, 0, 0, zone)), v: vault.New(vault.NewKey()), mail: mailer.NewMemory(),
		zone: zone, at: map[uuid.UUID]int{}, who: map[string]int{}, asked: map[[2]int]bool{}, res: result{seed: seed},
	}
	if err := d.build(g); err != nil {
		return d.res, err
	}
	d.res.possible = d.possible()
	if err := d.play(); err != nil {
		return d.res, err
	}
	for _, sh := range d.shifts {
		n := min(sh.filled, sh.free)
		d.res.released, d.res.filled, d.res.byStandby = d.res.released+sh.free, d.res.filled+n, d.res.byStandby+min(sh.standby, sh.free)
	}
	d.res.counted = min(d.res.byStandby, d.res.possible)
	return d.res, nil
}

// clockAt is a time of the day.
func (d *day) clockAt(minutes int) time.Time {
	return time.Date(2027, 3, 9, 0, minutes, 0, 0, d.zone)
}

func (d *day) build(g *ground) error {
	org := organisation.New(d.db, d.v, d.clk)
	if _, err := org.Ensure(d.ctx); err != nil {
		return err
	}
	err := org.Update(d.ctx, actor.TheSystem(), organisation.Details{
		Name: "Wennick Coalition", ShortName: "WC", LegalName: "Wennick Coalition", PostalAddress: "12 Ferry Street\nHarrow Bay", FromAddress: "hello@act.example.org",
		TimeZone: "America/New_York", Languages: []string{"en", "es"}, Accent: "#1c5c4d",
	})
	if err != nil {
		return err
	}
	d.signer = tokens.New(d.v)
	d.s = rosters.New(rosters.Options{
		DB: d.db, Vault: d.v, Clock: d.clk, Signer: d.signer, Organisation: org, BaseURL: "https://act.example.org", Log: slog.New(slog.DiscardHandler),
		Words: func(_, key string, args ...any) string { return fmt.Sprint(append([]any{key}, args...)...) },
		Day:   func(_ string, t time.Time) string { return t.Format(time.DateOnly) },
	})
	d.out = deliveries.NewService(d.db, d.v, d.clk, d.signer, g.words, deliveries.Options{Sender: func(context.Context) (deliveries.Sender, error) {
		return deliveries.Sender{
			Transport: d.mail, Connections: 1, FromName: "WC", FromAddress: "hello@act.example.org", Zone: d.zone, Letterhead: mailer.Letterhead{OrgName: "WC", PostalAddress: "12 Ferry Street"},
		}, nil
	}})
	for kind, r := range d.s.OfferMails() {
		d.out.Handle(kind, r)
	}
	d.cast()
	return d.store()
}

// cast says who comes, what they planned, who does what, who stands by, and who cannot come after all.
func (d *day) cast() {
	r := d.r
	for i := range people + atHome + helpers {
		p := person{name: fmt.Sprintf("p%d", i), askFrom: 6*60 + 30 + 15*r.IntN(10), byPhone: i < people+atHome && r.IntN(8) == 0}
		if r.IntN(2) == 0 {
			p.plan.Weekly = 4 + r.IntN(7)
		}
		if r.IntN(4) == 0 {
			p.plan.QuietFrom, p.plan.QuietUntil = 21*60, 7*60+30*r.IntN(5)
		}
		if r.IntN(6) == 0 {
			p.plan.Avoid = []string{"typing"}
		}
		d.people = append(d.people, p)
	}
	now := d.clk.Now()
	for m := range meetings {
		from := d.clockAt(10*60 + 45*(m%8))
		until := from.Add(30 * time.Minute)
		for _, role := range []struct {
			kind    models.RoleKind
			energy  int
			demands string
			places  int
		}{
			{models.RoleLeader, 3, "speaking", 1},
			{models.RoleStoryteller, 2, "speaking", 1 + r.IntN(2)},
			{models.RoleNotes, 1, "typing", 1},
		} {
			d.shifts = append(d.shifts, shift{Shift: models.Shift{
				ID: models.NewID(), Role: fmt.Sprintf("%s %d", role.kind, m), RoleKind: role.kind, Kind: models.ShiftFixed, StartsAt: &from, EndsAt: &until, Minutes: 30, Mode: models.ShiftHome,
				Minimum: 1, Places: role.places, Energy: role.energy, Demands: role.demands, Revision: 1, CreatedAt: now, UpdatedAt: now,
			}})
		}
	}
	for i := range d.shifts {
		d.at[d.shifts[i].ID] = i
		for range d.shifts[i].Places {
			if who, ok := d.least(i, 0, people); ok {
				d.people[who].holds = append(d.people[who].holds, i)
			}
		}
		for range 1 + r.IntN(3) {
			who := r.IntN(people + atHome)
			if p := &d.people[who]; !slices.Contains(p.holds, i) && !slices.Contains(p.standsBy, i) {
				p.standsBy = append(p.standsBy, i)
			}
		}
	}
	for _, who := range r.Perm(people)[:letGo] {
		d.people[who].out = d.clockAt(6*60 + r.IntN(3*60+31))
		for _, i := range d.people[who].holds {
			d.shifts[i].free++
			d.shifts[i].freedAt = d.people[who].out
		}
	}
	d.away[0] = d.clockAt(6*60 + r.IntN(3*60))
	d.away[1] = d.away[0].Add(awayFor)
}

// least is who holds fewest shifts of those whom one more fits.
func (d *day) least(sh, from, until int) (int, bool) {
	best := -1
	for _, who := range d.r.Perm(until - from) {
		if who += from; d.fits(who, sh, d.people[who].holds) && (best < 0 || len(d.people[who].holds) < len(d.people[best].holds)) {
			best = who
		}
	}
	return best, best >= 0
}

// fits reports whether somebody who holds some shifts could do one more by what they planned: said here anew, to be held against what the
// program does.
func (d *day) fits(who, sh int, holds []int) bool {
	p, more := d.people[who], d.shifts[sh]
	sum := more.Energy
	for _, h := range holds {
		if h == sh || d.shifts[h].StartsAt.Before(*more.EndsAt) && more.StartsAt.Before(*d.shifts[h].EndsAt) {
			return false
		}
		sum += d.shifts[h].Energy
	}
	return (p.plan.Weekly == 0 || sum <= p.plan.Weekly) && !slices.Contains(p.plan.Avoid, more.Demands)
}

// mayAsk reports whether somebody agreed to be asked at a moment of the day.
func (d *day) mayAsk(who int, at time.Time) bool {
	p, local := d.people[who], at.In(d.zone)
	minute := local.Hour()*60 + local.Minute()
	if p.plan.QuietUntil > 0 && (minute < p.plan.QuietUntil || minute >= p.plan.QuietFrom) {
		return false
	}
	if p.helper != nil {
		return minute >= max(p.helper.AskFrom, quietTo) && minute < min(p.helper.AskUntil, quietFrom)
	}
	return minute >= p.askFrom
}

// willing says what somebody answers when they are asked for a shift, and after how long: the same whenever they are asked.
func (d *day) willing(who, sh int) (yes, says bool, after time.Duration) {
	r := rand.New(rand.NewPCG(uint64(d.res.seed), uint64(who*1000+sh)))
	what := r.Float64()
	after = time.Minute + time.Duration(min(r.ExpFloat64()*4, 20)*float64(time.Minute))
	return what < 0.65, what < 0.8, after
}

// store writes the day down as if it had been arranged before.
func (d *day) store() error {
	now := d.clk.Now()
	roster := models.Roster{ID: models.NewID(), Slug: "day", State: models.RosterPublished, Title: "The day", Locale: "en", TimeZone: "America/New_York", Revision: 1, CreatedAt: now, UpdatedAt: now}
	if err := d.db.Create(&roster).Error; err != nil {
		return err
	}
	for i := range d.shifts {
		d.shifts[i].RosterID = roster.ID
		if err := d.db.Create(&d.shifts[i].Shift).Error; err != nil {
			return err
		}
	}
	text := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeVolunteering, Locale: "en", Version: 1, Body: "You may ask me", CreatedAt: now}
	if err := d.db.Create(&text).Error; err != nil {
		return err
	}
	var assignments []models.Assignment
	for i := range d.people {
		p := &d.people[i]
		m, err := mailboxes.Ensure(d.ctx, d.db.DB, d.v, p.name+"@example.org", now)
		if err != nil {
			return err
		}
		p.box = m.ID
		d.who[p.name+"@example.org"] = i
		if err := pacing.Save(d.ctx, d.db.DB, d.v, p.box, p.plan, now); err != nil {
			return err
		}
		if i >= people+atHome {
			if err := d.help(p, text.ID, now); err != nil {
				return err
			}
		}
		add := func(sh int, as models.PlaceAs, state models.AssignmentState) {
			a := models.Assignment{
				ID: models.NewID(), ShiftID: d.shifts[sh].ID, MailboxID: p.box, AsWhat: as, State: state, Locale: "en", AskBy: models.AskByMail, CreatedAt: now, ConfirmedAt: &now, UpdatedAt: now,
			}
			if as == models.AsStandby {
				if a.AskFrom = &p.askFrom; p.byPhone {
					a.AskBy = models.AskByPhone
				}
			}
			assignments = append(assignments, a)
		}
		for _, sh := range p.holds {
			add(sh, models.AsPlace, models.AssignmentConfirmed)
		}
		for _, sh := range p.standsBy {
			add(sh, models.AsStandby, models.AssignmentHeld)
		}
	}
	return d.db.CreateInBatches(assignments, 100).Error
}

func (d *day) help(p *person, text uuid.UUID, now time.Time) error {
	p.helper = &models.Volunteer{
		ID: models.NewID(), MailboxID: p.box, State: models.VolunteerActive, Locale: "en", AskBy: models.AskByMail, AskFrom: 8*60 + 30*d.r.IntN(4), AskUntil: 18 * 60,
		CreatedAt: now, ConfirmedAt: &now, UpdatedAt: now,
	}
	if err := d.db.Create(p.helper).Error; err != nil {
		return err
	}
	return d.db.Create(&models.Consent{ID: models.NewID(), MailboxID: p.box, Purpose: models.PurposeVolunteering, TextID: text, Locale: "en", ShownAt: now, GivenAt: now, Source: "/volunteer", How: models.ConsentByMail}).Error
}

// possible is how many of the places let go could be filled at once by those who stand by, would say yes, and can be asked and answer in
// time: a maximum matching, everybody taking one at most.
func (d *day) possible() int {
	has := map[int]int{} // who, and the place
	var slots []int
	for i, sh := range d.shifts {
		for range sh.free {
			slots = append(slots, i)
		}
	}
	var try func(slot int, seen map[int]bool) bool
	try = func(slot int, seen map[int]bool) bool {
		sh := slots[slot]
		for who := range people + atHome {
			p := d.people[who]
			if seen[who] || p.byPhone || !p.out.IsZero() || !slices.Contains(p.standsBy, sh) || !d.fits(who, sh, p.holds) || !d.inTime(who, sh) {
				continue
			}
			seen[who] = true
			if other, taken := has[who]; !taken || try(other, seen) {
				has[who] = slot
				return true
			}
		}
		return false
	}
	n := 0
	for slot := range slots {
		if try(slot, map[int]bool{}) {
			n++
		}
	}
	return n
}

// inTime reports whether somebody would say yes to a place, asked as soon as it is free and they may be asked.
func (d *day) inTime(who, sh int) bool {
	yes, _, after := d.willing(who, sh)
	at := d.shifts[sh].freedAt
	for !d.mayAsk(who, at) {
		if at = at.Add(time.Minute); !at.Before(*d.shifts[sh].StartsAt) {
			return false
		}
	}
	return yes && at.Add(after).Before(*d.shifts[sh].StartsAt)
}

var link = regexp.MustCompile(`/offers/(\S+)`)

func (d *day) violates(format string, args ...any) {
	d.res.violations = append(d.res.violations, fmt.Sprintf("seed %d, %s: ", d.res.seed, d.clk.Now().In(d.zone).Format("15:04:05"))+fmt.Sprintf(format, args...))
}

// play lets the clock go from one thing that happens to the next.
func (d *day) play() error {
	looked, end := false, d.clockAt(16*60)
	check := d.clockAt(9*60 + 45)
	for now := d.clk.Now(); now.Before(end); {
		d.clk.Set(now)
		if err := d.happens(now); err != nil {
			return err
		}
		if !looked && !now.Before(check) {
			looked = true
			if err := d.look(); err != nil {
				return err
			}
		}
		next, err := d.next(now, end)
		if err != nil {
			return err
		}
		if !looked && next.After(check) {
			next = check
		}
		now = next
	}
	return nil
}

// next is when something happens.
func (d *day) next(now, end time.Time) (time.Time, error) {
	at := end
	sooner := func(t time.Time) {
		if t.After(now) && t.Before(at) {
			at = t
		}
	}
	for _, p := range d.people {
		sooner(p.out)
	}
	for _, a := range d.due {
		sooner(a.at)
	}
	sooner(d.away[0])
	sooner(d.away[1])
	var looks []time.Time
	if err := d.db.Model(&models.Cover{}).Where("next_at > ?", now).Order("next_at").Limit(1).Pluck("next_at", &looks).Error; err != nil {
		return at, err
	}
	for _, t := range looks { // the sweep comes every half minute
		sooner(t.Truncate(30 * time.Second).Add(30 * time.Second))
	}
	waits, err := d.waiting()
	if err != nil {
		return at, err
	}
	if waits {
		sooner(now.Truncate(time.Minute).Add(time.Minute))
	}
	return at, nil
}

// waiting reports whether mail waits for the mail server.
func (d *day) waiting() (bool, error) {
	var n int64
	err := d.db.Model(&models.Delivery{}).Where("state IN ?", []models.DeliveryState{models.DeliveryQueued, models.DeliveryDeferred}).Limit(1).Count(&n).Error
	return n > 0, err
}

// happens plays what is due.
func (d *day) happens(now time.Time) error {
	if !now.Before(d.away[0]) && now.Before(d.away[1]) {
		d.mail.Refuse(&mailer.Failure{Kind: mailer.Refused})
	} else {
		d.mail.Refuse(nil)
	}
	for who := range d.people {
		if p := &d.people[who]; p.out.Equal(now) {
			if err := d.letGo(p); err != nil {
				return err
			}
		}
	}
	if err := d.answers(now); err != nil {
		return err
	}
	if err := d.s.CoverSweep(d.ctx); err != nil {
		return err
	}
	waits, err := d.waiting()
	if err != nil || !waits {
		return err
	}
	if _, err := d.out.Drain(d.ctx); err != nil {
		if f := (*mailer.Failure)(nil); !errors.As(err, &f) {
			return err
		}
		return nil
	}
	if err := d.reads(now); err != nil {
		return err
	}
	return d.s.CoverSweep(d.ctx)
}

// letGo is somebody who cannot come: they let go of all they hold or stand by for.
func (d *day) letGo(p *person) error {
	var list []models.Assignment
	if err := d.db.Where("mailbox_id = ?", p.box).Order("created_at, id").Find(&list).Error; err != nil {
		return err
	}
	for _, a := range list {
		if err := d.s.LetGoOf(d.ctx, a.ID); err != nil {
			return err
		}
		if err := d.s.Cover(d.ctx, a.ShiftID); err != nil { // as the job does
			return err
		}
	}
	return nil
}

// reads looks at the mails that came: who is asked for what, and whether they may be.
func (d *day) reads(now time.Time) error {
	all := d.mail.Messages()
	for _, m := range all[d.read:] {
		found := link.FindStringSubmatch(m.Text)
		if found == nil {
			continue
		}
		id, err := d.signer.Read(tokens.Offered, found[1], now)
		if err != nil {
			return err
		}
		var o models.Offer
		if err := d.db.Where("id = ?", id).Take(&o).Error; err != nil {
			return err
		}
		who, sh := d.who[m.To], d.at[o.ShiftID]
		d.res.asked++
		if d.asked[[2]int{who, sh}] {
			d.violates("%s is asked twice for %s", d.people[who].name, d.shifts[sh].Role)
		}
		d.asked[[2]int{who, sh}] = true
		if !d.mayAsk(who, now) {
			d.violates("%s is asked outside of the hours they agreed to", d.people[who].name)
		}
		if d.people[who].byPhone {
			d.violates("%s is asked by mail", d.people[who].name)
		}
		if !d.people[who].out.IsZero() && !now.Before(d.people[who].out) {
			d.violates("%s is asked, who let go of everything", d.people[who].name)
		}
		holds, err := d.holds(who, o.SwapID)
		if err != nil {
			return err
		}
		if !d.fits(who, sh, holds) {
			d.violates("%s is asked for more than they planned: %s", d.people[who].name, d.shifts[sh].Role)
		}
		if yes, says, after := d.willing(who, sh); says {
			d.due = append(d.due, answer{at: now.Add(after), to: found[1], yes: yes, who: who, sh: sh})
		}
	}
	d.read = len(all)
	return nil
}

// holds is what somebody holds now, but for one place.
func (d *day) holds(who int, but *uuid.UUID) ([]int, error) {
	var list []models.Assignment
	if err := d.db.Where("mailbox_id = ? AND as_what = 'place'", d.people[who].box).Find(&list).Error; err != nil {
		return nil, err
	}
	var out []int
	for _, a := range list {
		if but == nil || a.ID != *but {
			out = append(out, d.at[a.ShiftID])
		}
	}
	return out, nil
}

// answers presses the buttons of those whose answer is due.
func (d *day) answers(now time.Time) error {
	var later []answer
	due := d.due
	d.due = nil
	for _, a := range due {
		if a.at.After(now) {
			later = append(later, a)
			continue
		}
		if p := d.people[a.who]; !p.out.IsZero() && !now.Before(p.out) {
			continue
		}
		if err := d.press(a, now); err != nil {
			return err
		}
	}
	d.due = append(d.due, later...)
	return nil
}

func (d *day) press(a answer, now time.Time) error {
	sh := &d.shifts[a.sh]
	if !a.yes {
		if err := d.s.Decline(d.ctx, a.to); err != nil && !fault.Is(err, fault.Gone) {
			return err
		}
		return d.s.Cover(d.ctx, sh.ID)
	}
	v, err := d.s.Offered(d.ctx, a.to)
	if err != nil {
		return err
	}
	if v.Is == rosters.OfferYours {
		return nil
	}
	_, err = d.s.Accept(d.ctx, a.to, v.SwapID)
	if fault.Is(err, fault.Conflict) || fault.Is(err, fault.Gone) {
		return nil
	}
	if err != nil {
		return err
	}
	if sh.filled++; v.StandsBy {
		sh.standby++
	}
	if v.SwapID != uuid.Nil {
		d.res.swaps++
	}
	if sh.free > 0 {
		d.res.waits = append(d.res.waits, now.Sub(sh.freedAt))
	}
	var n int64
	if err := d.db.Model(&models.Assignment{}).Where("shift_id = ? AND as_what = 'place'", sh.ID).Count(&n).Error; err != nil {
		return err
	}
	if int(n) > sh.Places {
		d.violates("%s has %d people for %d places", sh.Role, n, sh.Places)
	}
	return d.s.Cover(d.ctx, sh.ID)
}

// look says at 09:45 whether every meeting keeps its minimum or stands on the phone list.
func (d *day) look() error {
	for _, sh := range d.shifts {
		var n int64
		if err := d.db.Model(&models.Assignment{}).Where("shift_id = ? AND as_what = 'place' AND state = 'confirmed'", sh.ID).Count(&n).Error; err != nil {
			return err
		}
		var listed int64
		if err := d.db.Model(&models.Cover{}).Where("shift_id = ? AND phone_at IS NOT NULL", sh.ID).Count(&listed).Error; err != nil {
			return err
		}
		if d.res.listed += int(listed); int(n) < sh.Minimum && listed == 0 {
			d.violates("%s has %d of %d and does not stand on the phone list", sh.Role, n, sh.Minimum)
		}
	}
	return nil
}
