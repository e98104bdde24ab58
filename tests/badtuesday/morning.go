package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/rosters"
	"kithline/campaigns/tokens"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
)

// sweepEvery is how often the program looks for people by itself.
const sweepEvery = 30 * time.Second

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
	*ground
	ctx    context.Context
	r      *rand.Rand
	db     *database.DB
	clk    *clock.Fixed
	signer *tokens.Signer
	s      *rosters.Service
	out    *deliveries.Service
	mail   *mailer.Memory
	jobs   []uuid.UUID // shifts to look for people for, at once
	sweep  time.Time   // when the program looks by itself and finds something
	roster uuid.UUID
	people []person
	shifts []shift
	at     map[uuid.UUID]int // shifts by id
	who    map[uuid.UUID]int // people by mailbox
	read   int               // mails that were looked at
	asked  map[[2]int]bool   // person and shift
	due    []answer
	away   [2]time.Time // no mail server
	res    result
}

// morning plays one.
func morning(ctx context.Context, g *ground, seed int64) (_ result, err error) {
	d, end, err := begin(ctx, g, seed)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, end()) }()
	if err := d.play(); err != nil {
		return d.res, err
	}
	return d.res, d.measure()
}

// begin makes a morning that can be played; end takes away what it needs.
func begin(ctx context.Context, g *ground, seed int64) (d *day, end func() error, err error) {
	db, end, err := g.copy(ctx)
	if err != nil {
		return nil, nil, err
	}
	d = &day{
		ground: g, ctx: ctx, r: rand.New(rand.NewPCG(uint64(seed), 9)), db: db, clk: clock.NewFixed(g.when(6 * 60)), signer: tokens.New(g.v), mail: mailer.NewMemory(),
		at: map[uuid.UUID]int{}, who: map[uuid.UUID]int{}, asked: map[[2]int]bool{}, res: result{seed: seed},
	}
	if err := d.build(); err != nil {
		return nil, nil, errors.Join(err, end())
	}
	return d, end, nil
}

var link = regexp.MustCompile(`/offers/(\S+)`)

func (d *day) violates(format string, args ...any) {
	d.res.violations = append(d.res.violations, fmt.Sprintf("seed %d, %s: ", d.res.seed, d.clk.Now().In(d.zone).Format("15:04:05"))+fmt.Sprintf(format, args...))
}

// play lets the clock go from one thing that happens to the next.
func (d *day) play() error {
	end, check := d.when(16*60), d.when(9*60+45)
	d.sweep = d.clk.Now()
	for now := d.clk.Now(); now.Before(end); {
		d.clk.Set(now)
		if err := d.happens(now); err != nil {
			return err
		}
		if now.Equal(check) {
			if err := d.look(); err != nil {
				return err
			}
		}
		next, err := d.next(now, end)
		if err != nil {
			return err
		}
		if now.Before(check) && next.After(check) {
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
	look, err := d.soonest("SELECT next_at FROM covers WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1")
	if err != nil {
		return at, err
	}
	if d.sweep = end; !look.IsZero() {
		d.sweep = look.Add(sweepEvery - 1).Truncate(sweepEvery)
		if !d.sweep.After(now) {
			d.sweep = now.Add(sweepEvery).Truncate(sweepEvery)
		}
	}
	sooner(d.sweep)
	mail, err := d.mails()
	if err != nil || mail.IsZero() {
		return at, err
	}
	if !mail.After(now) { // it did not go: there is no mail server, or not yet for it
		mail = now.Add(time.Minute)
	}
	sooner(mail)
	return at, nil
}

// mails is when the next mail that waits may go; the zero time where none waits.
func (d *day) mails() (time.Time, error) {
	return d.soonest("SELECT not_before FROM deliveries WHERE state IN ('queued', 'deferred') AND NOT ended ORDER BY not_before LIMIT 1")
}

func (d *day) soonest(query string) (at time.Time, err error) {
	if err = d.db.SQL.QueryRowContext(d.ctx, query).Scan(&at); errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return at, err
}

// happens plays what is due.
func (d *day) happens(now time.Time) error {
	if !now.Before(d.away[0]) && now.Before(d.away[1]) {
		d.mail.Refuse(&mailer.Failure{Kind: mailer.Unreachable})
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
	if !now.Before(d.sweep) {
		if err := d.s.CoverSweep(d.ctx); err != nil {
			return err
		}
	}
	mail, err := d.mails()
	if err != nil || mail.IsZero() || mail.After(now) {
		return err
	}
	if _, err := d.out.Drain(d.ctx); err != nil {
		if f := (*mailer.Failure)(nil); !errors.As(err, &f) {
			return err
		}
		return nil
	}
	return d.reads(now)
}

// work does what the program wants done at once.
func (d *day) work() error {
	for len(d.jobs) > 0 {
		id := d.jobs[0]
		d.jobs = d.jobs[1:]
		if err := d.s.Cover(d.ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// letGo is somebody who cannot come: they let go of all they hold or stand by for, or say that they have a bad time.
func (d *day) letGo(p *person) error {
	if p.bad {
		until := d.when(20 * 60)
		if err := d.s.Flare(d.ctx, p.box, &until); err != nil {
			return err
		}
		return d.work()
	}
	var list []uuid.UUID
	if err := d.db.Model(&models.Assignment{}).Where("mailbox_id = ?", p.box).Order("created_at, id").Pluck("id", &list).Error; err != nil {
		return err
	}
	for _, id := range list {
		h, err := d.s.LetGo(d.ctx, d.signer.Make(tokens.Cant, id, d.when(24*60)), "en", false)
		if err != nil {
			return err
		}
		if h.Gone || h.Begun {
			return fmt.Errorf("a place could not be let go of")
		}
		if err := d.work(); err != nil {
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
		who, sh := d.who[o.MailboxID], d.at[o.ShiftID]
		if m.To != address(who) {
			d.violates("%s gets what p%d is asked", m.To, who)
		}
		d.res.asked++
		if d.asked[[2]int{who, sh}] {
			d.violates("%s is asked twice for %s", m.To, d.shifts[sh].Role)
		}
		d.asked[[2]int{who, sh}] = true
		if !d.mayAsk(who, now) {
			d.violates("%s is asked outside of the hours they agreed to", m.To)
		}
		if d.people[who].byPhone {
			d.violates("%s is asked by mail", m.To)
		}
		if !d.people[who].out.IsZero() && !now.Before(d.people[who].out) {
			d.violates("%s is asked, who let go of everything", m.To)
		}
		holds, then, err := d.holds(o)
		if err != nil {
			return err
		}
		if !d.fits(who, sh, holds) || !d.fits(who, sh, then) {
			d.violates("%s is asked for more than they planned: %s", m.To, d.shifts[sh].Role)
		}
		if yes, says, after := d.willing(who, sh); says {
			d.due = append(d.due, answer{at: now.Add(after), to: found[1], yes: yes, who: who, sh: sh})
		}
	}
	d.read = len(all)
	return nil
}

// holds is what somebody holds now, and what they would after a yes to all else that they are being asked for; but for the place that a
// yes to an offer lets go.
func (d *day) holds(o models.Offer) (now, then []int, err error) {
	var held []models.Assignment
	if err := d.db.Where("mailbox_id = ? AND as_what = 'place'", o.MailboxID).Find(&held).Error; err != nil {
		return nil, nil, err
	}
	var others []models.Offer
	if err := d.db.Where("mailbox_id = ? AND state = 'open' AND id <> ?", o.MailboxID, o.ID).Find(&others).Error; err != nil {
		return nil, nil, err
	}
	leaves := func(o models.Offer, a models.Assignment) bool { return o.SwapID != nil && *o.SwapID == a.ID }
	for _, a := range held {
		if leaves(o, a) {
			continue
		}
		now = append(now, d.at[a.ShiftID])
		if !slices.ContainsFunc(others, func(o models.Offer) bool { return leaves(o, a) }) {
			then = append(then, d.at[a.ShiftID])
		}
	}
	for _, o := range others {
		then = append(then, d.at[o.ShiftID])
	}
	return now, then, nil
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
		return d.work()
	}
	v, err := d.s.Offered(d.ctx, a.to)
	if fault.Is(err, fault.Gone) {
		return nil
	}
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
	if v.SwapID != uuid.Nil {
		d.res.swaps++
	}
	if len(sh.free) > 0 && !now.Before(sh.free[0]) {
		d.res.waits = append(d.res.waits, now.Sub(sh.free[0]))
	}
	var n int64
	if err := d.db.Model(&models.Assignment{}).Where("shift_id = ? AND as_what = 'place'", sh.ID).Count(&n).Error; err != nil {
		return err
	}
	if int(n) > sh.Places {
		d.violates("%s has %d people for %d places", sh.Role, n, sh.Places)
	}
	return d.work()
}

// look says at 09:45 whether every meeting keeps its minimum or stands on the phone list.
func (d *day) look() error {
	list, err := d.s.Phones(d.ctx, actor.TheSystem(), d.roster)
	if err != nil {
		return err
	}
	listed := map[uuid.UUID]bool{}
	for _, l := range list.Lines {
		if l.PhoneAt != nil {
			listed[l.ID] = true
		}
	}
	d.res.listed = len(listed)
	var rows []struct {
		ShiftID uuid.UUID
		N       int
	}
	if err := d.db.Raw("SELECT shift_id, count(*) AS n FROM assignments WHERE as_what = 'place' AND state = 'confirmed' GROUP BY shift_id").Scan(&rows).Error; err != nil {
		return err
	}
	held := map[uuid.UUID]int{}
	for _, r := range rows {
		held[r.ShiftID] = r.N
	}
	for _, sh := range d.shifts {
		if held[sh.ID] < sh.Minimum && !listed[sh.ID] {
			d.violates("%s has %d of %d and does not stand on the phone list", sh.Role, held[sh.ID], sh.Minimum)
		}
	}
	return nil
}
