package rosters

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/organisation"
	"kithline/campaigns/pacing"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// coverHall is a roster with people, a clock, and mail that is kept in memory.
type coverHall struct {
	*Service
	t      *testing.T
	ctx    context.Context
	clk    *clock.Fixed
	mail   *mailer.Memory
	out    *deliveries.Service
	roster models.Roster
	zone   *time.Location
	names  map[uuid.UUID]string
	seen   int
	texts  int
}

func eachHall(t *testing.T, fn func(t *testing.T, h *coverHall)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) { fn(t, newCoverHall(t, db)) })
}

// coverMorning is the day before the day of the roster, at noon in New York.
func coverMorning(zone *time.Location) time.Time { return time.Date(2027, 3, 8, 12, 0, 0, 0, zone) }

func newCoverHall(t *testing.T, db *database.DB) *coverHall {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	v, clk := vault.New(vault.NewKey()), clock.NewFixed(coverMorning(zone))
	signer, org := tokens.New(v), organisation.New(db, v, clk)
	h := &coverHall{t: t, ctx: t.Context(), clk: clk, mail: mailer.NewMemory(), zone: zone, names: map[uuid.UUID]string{}}
	_, err = org.Ensure(h.ctx)
	h.must(err)
	h.must(org.Update(h.ctx, actor.TheSystem(), organisation.Details{
		Name: "Wennick Chronic Pain Coalition", ShortName: "WCPC", LegalName: "Wennick Chronic Pain Coalition", PostalAddress: "12 Ferry Street\nHarrow Bay", FromAddress: "hello@act.example.org",
		TimeZone: "America/New_York", Languages: []string{"en", "es"}, Accent: "#1c5c4d",
	}))
	h.Service = New(Options{
		DB: db, Vault: v, Clock: clk, Signer: signer, Organisation: org, BaseURL: "https://act.example.org", Log: slog.New(slog.DiscardHandler),
		Words: func(_, key string, args ...any) string { return fmt.Sprint(append([]any{key}, args...)...) },
		Day:   func(_ string, t time.Time) string { return t.Format("Monday 2 January 2006") },
	})
	words, err := mailer.NewRenderer()
	h.must(err)
	h.out = deliveries.NewService(db, v, clk, signer, words, deliveries.Options{Sender: func(context.Context) (deliveries.Sender, error) {
		return deliveries.Sender{
			Transport: h.mail, Connections: 1, FromName: "WCPC", FromAddress: "hello@act.example.org", Letterhead: mailer.Letterhead{OrgName: "WCPC", PostalAddress: "12 Ferry Street"},
		}, nil
	}})
	for kind, r := range h.OfferMails() {
		h.out.Handle(kind, r)
	}
	now := clk.Now()
	h.roster = models.Roster{ID: models.NewID(), Slug: "day", State: models.RosterPublished, Title: "The day", Locale: "en", TimeZone: "America/New_York", Revision: 1, CreatedAt: now, UpdatedAt: now}
	h.must(db.Create(&h.roster).Error)
	return h
}

func (h *coverHall) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// at is a time on the day of the roster.
func (h *coverHall) at(clock string) time.Time {
	h.t.Helper()
	t, err := time.ParseInLocation("2006-01-02 15:04", "2027-03-09 "+clock, h.zone)
	h.must(err)
	return t
}

func (h *coverHall) shift(role, from, until string, change ...func(*models.Shift)) models.Shift {
	h.t.Helper()
	a, b, now := h.at(from), h.at(until), h.clk.Now()
	sh := models.Shift{
		ID: models.NewID(), RosterID: h.roster.ID, Role: role, Kind: models.ShiftFixed, StartsAt: &a, EndsAt: &b, Minutes: int(b.Sub(a).Minutes()), Mode: models.ShiftHome, Minimum: 1, Places: 1, Standbys: 1,
		Energy: 3, Demands: "speaking", Revision: 1, CreatedAt: now, UpdatedAt: now,
	}
	for _, c := range change {
		c(&sh)
	}
	h.must(h.DB.Create(&sh).Error)
	return sh
}

func (h *coverHall) person(name string) uuid.UUID {
	h.t.Helper()
	m, err := mailboxes.Ensure(h.ctx, h.DB.DB, h.Vault, name+"@example.org", h.clk.Now())
	h.must(err)
	h.names[m.ID] = name
	return m.ID
}

func (h *coverHall) plan(box uuid.UUID, p pacing.Plan) {
	h.t.Helper()
	h.must(pacing.Save(h.ctx, h.DB.DB, h.Vault, box, p, h.clk.Now()))
}

func (h *coverHall) puts(sh models.Shift, box uuid.UUID, as models.PlaceAs, change ...func(*models.Assignment)) models.Assignment {
	h.t.Helper()
	now := h.clk.Add(time.Second)
	a := models.Assignment{
		ID: models.NewID(), ShiftID: sh.ID, MailboxID: box, AsWhat: as, State: models.AssignmentConfirmed, Locale: "en", AskBy: models.AskByMail, CreatedAt: now, ConfirmedAt: &now, UpdatedAt: now,
	}
	if a.Standby() {
		a.State = models.AssignmentHeld
	}
	a.GivenNameSealed = h.Vault.Seal("assignments", "given_name_sealed", a.ID, h.names[box])
	for _, c := range change {
		c(&a)
	}
	h.must(h.DB.Create(&a).Error)
	return a
}

func askFrom(minutes int) func(*models.Assignment) {
	return func(a *models.Assignment) { a.AskFrom = &minutes }
}

// offersTime makes a volunteer who agreed to be asked.
func (h *coverHall) offersTime(name string, change ...func(*models.Volunteer)) uuid.UUID {
	h.t.Helper()
	box, now := h.person(name), h.clk.Add(time.Second)
	v := models.Volunteer{
		ID: models.NewID(), MailboxID: box, State: models.VolunteerActive, Locale: "en", AskBy: models.AskByMail, AskFrom: 9 * 60, AskUntil: 19 * 60, CreatedAt: now, ConfirmedAt: &now, UpdatedAt: now,
	}
	v.GivenNameSealed = h.Vault.Seal("volunteers", "given_name_sealed", v.ID, name)
	for _, c := range change {
		c(&v)
	}
	h.must(h.DB.Create(&v).Error)
	h.agree(box)
	return box
}

func (h *coverHall) agree(box uuid.UUID) {
	h.t.Helper()
	now := h.clk.Now()
	h.texts++
	text := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeVolunteering, Locale: "en", Version: h.texts, Body: "You may ask me", CreatedAt: now}
	h.must(h.DB.Create(&text).Error)
	h.must(h.DB.Create(&models.Consent{ID: models.NewID(), MailboxID: box, Purpose: models.PurposeVolunteering, TextID: text.ID, Locale: "en", ShownAt: now, GivenAt: now, Source: "/volunteer", How: models.ConsentByMail}).Error)
}

// goes lets the clock stand at a time of the day, looks for people and sends mail.
func (h *coverHall) goes(clock string) {
	h.t.Helper()
	h.clk.Set(h.at(clock))
	h.looks()
}

func (h *coverHall) looks() {
	h.t.Helper()
	h.must(h.CoverSweep(h.ctx))
	_, err := h.out.Drain(h.ctx)
	h.must(err)
	h.must(h.CoverSweep(h.ctx))
}

// came lists the mails since it was last asked: who got it and its subject.
func (h *coverHall) came() string {
	var out []string
	all := h.mail.Messages()
	for _, m := range all[h.seen:] {
		kind := m.Subject
		switch {
		case strings.HasPrefix(m.Subject, "A place is free"):
			kind = "asked"
		case strings.HasPrefix(m.Subject, "The place is taken"):
			kind = "taken"
		case strings.HasPrefix(m.Subject, "The place is not needed"):
			kind = "off"
		case strings.HasPrefix(m.Subject, "You have the place"):
			kind = "has"
		}
		out = append(out, strings.TrimSuffix(m.To, "@example.org")+" "+kind)
	}
	h.seen = len(all)
	return strings.Join(out, ", ")
}

func (h *coverHall) cameIs(want string) {
	h.t.Helper()
	if got := h.came(); got != want {
		h.t.Fatalf("%s: mails: %q, not %q", h.clk.Now().In(h.zone).Format("15:04"), got, want)
	}
}

var offerLink = regexp.MustCompile(`/offers/(\S+)`)

// token is the link of the last mail that asked somebody.
func (h *coverHall) token(box uuid.UUID) string {
	h.t.Helper()
	all := h.mail.Messages()
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].To == h.names[box]+"@example.org" {
			if m := offerLink.FindStringSubmatch(all[i].Text); m != nil {
				return m[1]
			}
		}
	}
	h.t.Fatalf("%s was not asked", h.names[box])
	return ""
}

func (h *coverHall) yes(box uuid.UUID) (Offered, error) {
	h.t.Helper()
	v, err := h.Offered(h.ctx, h.token(box))
	h.must(err)
	return h.Accept(h.ctx, h.token(box), v.SwapID)
}

// holders are those who hold a place of a shift.
func (h *coverHall) holders(sh models.Shift) string {
	h.t.Helper()
	var boxes []uuid.UUID
	h.must(h.DB.Model(&models.Assignment{}).Where("shift_id = ? AND as_what = 'place' AND state = 'confirmed'", sh.ID).Order("created_at, id").Pluck("mailbox_id", &boxes).Error)
	out := make([]string, len(boxes))
	for i, b := range boxes {
		out[i] = h.names[b]
	}
	return strings.Join(out, " ")
}

func (h *coverHall) cover(sh models.Shift) (c models.Cover, ok bool) {
	h.t.Helper()
	var list []models.Cover
	h.must(h.DB.Where("shift_id = ?", sh.ID).Find(&list).Error)
	if len(list) == 0 {
		return c, false
	}
	return list[0], true
}

func (h *coverHall) onList(sh models.Shift) bool {
	c, ok := h.cover(sh)
	return ok && c.PhoneAt != nil
}

// The understudy is asked first, then whoever stands by in the order in which they signed up, one at a time, each in the hours they agreed
// to; the first yes has the place, and who is asked then is told.
// Who wants more people than before has somebody looked for at once, as when a place comes free; but not before a shift is open to all,
// and not where nothing is free.
func TestCoverWhatIsRaised(t *testing.T) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		enqueued := 0
		h.Enqueue = func(context.Context, *gorm.DB, river.JobArgs) error { enqueued++; return nil }
		raise := func(sh models.Shift, places, minimum int) int {
			t.Helper()
			was := enqueued
			in := ShiftInputOf(h.roster, sh, "")
			in.Places, in.Minimum = places, minimum
			_, _, err := h.SaveShift(h.ctx, actor.TheSystem(), sh.ID, in)
			h.must(err)
			return enqueued - was
		}
		tomorrow := h.at("08:00")
		full, closed := h.shift("Full", "13:00", "14:00", func(sh *models.Shift) { sh.Minimum, sh.Places = 0, 2 }), h.shift("Closed", "15:00", "16:00", func(sh *models.Shift) { sh.OpensAt = &tomorrow })
		h.puts(full, h.person("ann"), models.AsPlace)
		h.puts(full, h.person("ben"), models.AsPlace)
		if raise(full, 2, 2) != 0 || raise(closed, 2, 2) != 0 {
			t.Error("somebody is looked for where nothing is to be had")
		}
		table := h.shift("Table", "09:00", "10:00")
		h.puts(table, h.person("june"), models.AsPlace)
		h.puts(table, h.person("cal"), models.AsStandby)
		h.looks()
		if came := h.came(); came != "" {
			t.Fatalf("asked too soon: %s", came)
		}
		if raise(table, 2, 1) != 1 {
			t.Error("nobody is looked for")
		}
		h.looks()
		if came := h.came(); !strings.Contains(came, "cal") {
			t.Errorf("came: %q", came)
		}
		hall := h.shift("Hall", "11:00", "12:00", func(sh *models.Shift) { sh.Places = 2 })
		h.puts(hall, h.person("ilse"), models.AsPlace)
		if raise(hall, 2, 2) != 1 { // as many places, more of them needed
			t.Error("nobody is looked for when more are needed")
		}
		h.roster.State = models.RosterDraft
		h.must(h.DB.Model(&h.roster).Update("state", h.roster.State).Error)
		h.must(h.DB.Where("id = ?", table.ID).Take(&table).Error)
		if raise(table, 3, 3) != 0 {
			t.Error("somebody is looked for in a draft")
		}
	})
}

func TestCoverAsksInTurn(t *testing.T) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		sh := h.shift("Leader", "13:00", "13:45")
		ada, bo, cal, dot, una := h.person("ada"), h.person("bo"), h.person("cal"), h.person("dot"), h.person("una")
		held := h.puts(sh, ada, models.AsPlace)
		h.puts(sh, bo, models.AsStandby, askFrom(10*60)) // not before ten
		h.puts(sh, cal, models.AsStandby, askFrom(7*60))
		h.puts(sh, dot, models.AsStandby, askFrom(7*60))
		h.puts(sh, una, models.AsUnderstudy, askFrom(7*60))
		h.goes("06:30")
		h.must(h.LetGoOf(h.ctx, held.ID))
		h.looks()
		h.cameIs("") // nobody agreed to be asked at this hour
		h.goes("07:00")
		h.cameIs("una asked")
		h.goes("07:14")
		h.cameIs("")
		h.must(h.Decline(h.ctx, h.token(una)))
		h.looks()
		h.cameIs("cal asked") // bo, who was first, may not be asked yet
		h.goes("07:28")
		h.cameIs("")
		h.goes("07:29")
		h.cameIs("dot asked") // cal had a quarter of an hour
		h.goes("10:00")
		h.cameIs("bo asked")
		if v, err := h.Offered(h.ctx, h.token(cal)); err != nil || v.Is != OfferFree || v.GivenName != "cal" || !v.StandsBy {
			t.Errorf("an offer whose time to answer is over: %+v, %v", v, err)
		}
		v, err := h.yes(cal) // late, and the place is still free
		h.must(err)
		if v.Is != OfferYours || h.holders(sh) != "cal" {
			t.Errorf("%q holds it: %+v", h.holders(sh), v)
		}
		h.looks()
		h.cameIs("cal has, bo taken")
		if _, ok := h.cover(sh); ok {
			t.Error("it is still looked for")
		}
		if _, err := h.yes(bo); !fault.Is(err, fault.Conflict) {
			t.Errorf("a yes too late: %v", err)
		}
		if _, err := h.yes(cal); err != nil {
			t.Errorf("a second yes: %v", err)
		}
		if h.holders(sh) != "cal" {
			t.Errorf("%q", h.holders(sh))
		}
	})
}

// Whoever begins to stand by while somebody is looked for is asked at the next look, not when it was to be looked again.
func TestCoverSeesWhoBeginsToStandBy(t *testing.T) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		sh := h.shift("Leader", "13:00", "13:45")
		held := h.puts(sh, h.person("ada"), models.AsPlace)
		h.goes("09:30")
		h.must(h.LetGoOf(h.ctx, held.ID))
		h.looks()
		h.cameIs("")
		bo := h.person("bo")
		h.goes("09:31")
		if c, ok := h.cover(sh); !ok || c.NextAt == nil || !c.NextAt.After(h.clk.Now()) {
			t.Fatalf("it is looked again at once, whoever stands by: %+v", c)
		}
		h.must(h.DB.Tx(h.ctx, func(tx *gorm.DB) error {
			sh, err := hold(h.ctx, tx, sh.ID)
			if err != nil {
				return err
			}
			_, err = h.seat(h.ctx, tx, sh, models.Assignment{MailboxID: bo, AsWhat: models.AsStandby, State: models.AssignmentHeld, AskBy: models.AskByMail, Locale: "en"}, h.clk.Now())
			return err
		}))
		h.looks()
		h.cameIs("bo asked")
	})
}

// Looking at an offer changes nothing, whoever looks.
func TestOfferedChangesNothing(t *testing.T) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		sh := h.shift("Leader", "13:00", "13:45")
		ada, bo := h.person("ada"), h.person("bo")
		held := h.puts(sh, ada, models.AsPlace)
		h.puts(sh, bo, models.AsStandby)
		h.must(h.LetGoOf(h.ctx, held.ID))
		h.looks()
		h.cameIs("bo asked")
		for range 3 {
			if v, err := h.Offered(h.ctx, h.token(bo)); err != nil || v.Is != OfferFree {
				t.Fatalf("%+v, %v", v, err)
			}
		}
		if h.holders(sh) != "" {
			t.Error("somebody has the place")
		}
		if _, err := h.Offered(h.ctx, "x"); !fault.Is(err, fault.NotFound) {
			t.Errorf("a made-up link: %v", err)
		}
		h.must(h.Stop(h.ctx, h.token(bo)))
		var n int64
		h.must(h.DB.Model(&models.Assignment{}).Where("shift_id = ?", sh.ID).Count(&n).Error)
		if n != 0 {
			t.Errorf("%d still stand by", n)
		}
		h.looks()
		h.cameIs("")
		h.goes("10:00")
		h.cameIs("")
		if !h.onList(sh) {
			t.Error("it does not stand on the phone list")
		}
	})
}

// A mail server that is away holds nobody up: the next is asked, but not everybody, and the shift goes onto the phone list in time. Nobody
// is asked twice once it is back.
func TestCoverWithoutMailServer(t *testing.T) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		sh := h.shift("Leader", "10:30", "11:15")
		held := h.puts(sh, h.person("ada"), models.AsPlace)
		for i := range 6 {
			h.puts(sh, h.person(fmt.Sprintf("s%d", i)), models.AsStandby, askFrom(7*60))
		}
		h.clk.Set(h.at("08:00"))
		h.mail.Refuse(&mailer.Failure{Kind: mailer.Refused})
		h.must(h.LetGoOf(h.ctx, held.ID))
		for i := range 40 {
			h.clk.Set(h.at("08:00").Add(time.Duration(i) * time.Minute))
			h.must(h.CoverSweep(h.ctx))
		}
		if !h.onList(sh) {
			t.Error("it does not stand on the phone list")
		}
		var n int64
		h.must(h.DB.Model(&models.Offer{}).Where("shift_id = ?", sh.ID).Count(&n).Error)
		if n != coverUnsent {
			t.Errorf("%d were asked by a mail server that is away", n)
		}
		h.mail.Refuse(nil)
		h.goes("08:40")
		h.cameIs("s0 asked, s1 asked, s2 asked")
		h.goes("08:47")
		h.cameIs("")
		_, err := h.yes(h.person("s1"))
		h.must(err)
		h.looks()
		h.cameIs("s1 has, s0 taken, s2 taken")
		if h.onList(sh) {
			t.Error("it still stands on the phone list")
		}
	})
}

// What everybody planned, and the hours of those who offered time, are kept to: who would have too much is passed over.
func TestCoverKeepsToPlans(t *testing.T) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		sh, early := h.shift("Leader", "13:00", "13:45"), h.shift("Notes", "10:00", "10:45")
		held := h.puts(sh, h.person("ada"), models.AsPlace)
		full, quiet, avoids, flares, pauses, fits := h.person("full"), h.person("quiet"), h.person("avoids"), h.person("flares"), h.person("pauses"), h.person("fits")
		h.puts(early, full, models.AsPlace)
		for _, b := range []uuid.UUID{full, quiet, avoids, flares, pauses, fits} {
			h.puts(sh, b, models.AsStandby, askFrom(7*60))
		}
		h.plan(full, pacing.Plan{Weekly: 5}) // holds 3, and this is 3 more
		h.plan(quiet, pacing.Plan{QuietFrom: 21 * 60, QuietUntil: 10 * 60})
		h.plan(avoids, pacing.Plan{Avoid: []string{"speaking"}})
		h.plan(flares, pacing.Plan{Flare: true})
		h.plan(fits, pacing.Plan{Weekly: 3})
		rest := h.at("20:00")
		h.must(h.DB.Model(&models.Mailbox{}).Where("id = ?", pauses).Update("paused_until", rest).Error)
		h.goes("08:00")
		h.must(h.LetGoOf(h.ctx, held.ID))
		h.looks()
		h.cameIs("fits asked")
		h.must(h.Decline(h.ctx, h.token(fits)))
		h.goes("09:59")
		h.cameIs("")
		h.goes("10:00")
		h.cameIs("quiet asked")
		h.goes("12:30")
		h.cameIs("")
	})
}

// Where nobody stands by, those who offered time are asked: whom nobody asked for longest first, several at once when it is near, one
// when it is far, only what they like and can, and in their hours.
func TestCoverAsksWhoOfferedTime(t *testing.T) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		sh := h.shift("Leader", "15:00", "15:45", func(s *models.Shift) { s.RoleKind = models.RoleLeader })
		old := h.clk.Now().AddDate(0, 0, -30)
		h.offersTime("asked", func(v *models.Volunteer) { v.AskedAt = &old })
		h.offersTime("never", func(v *models.Volunteer) { v.CreatedAt = old.AddDate(0, 0, -1) })
		h.offersTime("likes", func(v *models.Volunteer) { v.Likes = "notes,leader" })
		h.offersTime("late", func(v *models.Volunteer) { v.AskFrom = 14 * 60 })
		h.offersTime("onsite", func(v *models.Volunteer) { v.Modes = "onsite" })
		h.offersTime("evening", func(v *models.Volunteer) { v.Hours = "tue-eve" })
		h.offersTime("paused", func(v *models.Volunteer) { v.State = models.VolunteerPaused })
		h.offersTime("phone", func(v *models.Volunteer) { v.AskBy = models.AskByPhone })
		marked := h.offersTime("marked")
		h.must(h.mark(h.DB.DB, sh.ID, marked))
		never := h.offersTime("silent")
		h.must(h.DB.Where("mailbox_id = ?", never).Delete(&models.Consent{}).Error)
		h.goes("10:00") // it began without anybody: the sweep finds it
		h.cameIs("likes asked, never asked, asked asked")
		h.goes("13:59")
		h.cameIs("")
		if !h.onList(sh) {
			t.Error("it does not stand on the phone list")
		}
		h.goes("14:00")
		h.cameIs("late asked")
	})
}

// Whoever stands by for two gaps is left for the one that has nobody else.
func TestCoverLeavesWhoIsNeededElsewhere(t *testing.T) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		one, two := h.shift("One", "13:00", "13:45"), h.shift("Two", "13:00", "13:45")
		a, b := h.puts(one, h.person("ada"), models.AsPlace), h.puts(two, h.person("bo"), models.AsPlace)
		both, only := h.person("both"), h.person("only")
		h.puts(one, both, models.AsStandby, askFrom(7*60))
		h.puts(one, only, models.AsStandby, askFrom(7*60))
		h.puts(two, both, models.AsStandby, askFrom(7*60))
		h.clk.Set(h.at("08:00"))
		h.must(h.LetGoOf(h.ctx, b.ID))
		h.must(h.LetGoOf(h.ctx, a.ID))
		h.must(h.Cover(h.ctx, one.ID)) // both is first in its order
		h.must(h.Cover(h.ctx, two.ID))
		_, err := h.out.Drain(h.ctx)
		h.must(err)
		h.cameIs("only asked, both asked")
	})
}

// A shift or its event that is called off while people are asked closes the offers, and they are told.
func TestCoverCalledOff(t *testing.T) {
	for name, off := range map[string]func(h *coverHall, sh models.Shift){
		"shift": func(h *coverHall, sh models.Shift) {
			h.must(h.DB.Model(&models.Shift{}).Where("id = ?", sh.ID).Update("cancelled_at", h.clk.Now()).Error)
		},
		"event": func(h *coverHall, _ models.Shift) {
			e := models.Event{ID: models.NewID(), Slug: "day", State: models.EventCancelled, Kind: models.EventAdvocacyDay, Title: "The day", Locale: "en", TimeZone: "America/New_York", StartsOn: "2027-03-09T09:00", Minutes: 480, Venue: models.VenueOnsite, CreatedAt: h.clk.Now(), UpdatedAt: h.clk.Now()}
			h.must(h.DB.Create(&e).Error)
			h.must(h.DB.Model(&models.Roster{}).Where("id = ?", h.roster.ID).Update("event_id", e.ID).Error)
		},
		"roster": func(h *coverHall, _ models.Shift) {
			h.must(h.DB.Model(&models.Roster{}).Where("id = ?", h.roster.ID).Update("state", models.RosterClosed).Error)
		},
	} {
		t.Run(name, func(t *testing.T) { coverCalledOff(t, off) })
	}
}

func coverCalledOff(t *testing.T, off func(h *coverHall, sh models.Shift)) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		sh := h.shift("Leader", "13:00", "13:45")
		held := h.puts(sh, h.person("ada"), models.AsPlace)
		bo := h.person("bo")
		h.puts(sh, bo, models.AsStandby)
		h.must(h.LetGoOf(h.ctx, held.ID))
		h.looks()
		h.cameIs("bo asked")
		off(h, sh)
		h.looks()
		h.looks()
		h.cameIs("bo off")
		if _, err := h.yes(bo); !fault.Is(err, fault.Conflict) {
			t.Errorf("a yes to what is off: %v", err)
		}
	})
}

// The day of the sample world: two who let go, and one who has a bad time.
func TestCoverOfTheSampleDay(t *testing.T) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		two := func(s *models.Shift) { s.Places = 2 }
		s1, s2 := h.shift("Meeting leader", "10:00", "10:45"), h.shift("Storyteller", "10:00", "10:20", two)
		s3 := h.shift("Note taker", "10:00", "10:45", func(s *models.Shift) { s.Energy, s.Demands = 2, "typing,screen" })
		deshawn, rosa, teo, june := h.person("deshawn"), h.person("rosa"), h.person("teo"), h.person("june")
		h.plan(deshawn, pacing.Plan{Weekly: 6, QuietFrom: 21 * 60, QuietUntil: 10 * 60})
		h.plan(rosa, pacing.Plan{Weekly: 4})
		h.plan(teo, pacing.Plan{Weekly: 4})
		h.plan(june, pacing.Plan{Weekly: 3})
		leads, notes := h.puts(s1, deshawn, models.AsPlace), h.puts(s3, june, models.AsPlace)
		h.puts(s1, rosa, models.AsUnderstudy, askFrom(7*60+30))
		h.puts(s2, rosa, models.AsPlace)
		h.puts(s2, teo, models.AsPlace)
		h.puts(s3, teo, models.AsStandby, askFrom(7*60+30))
		h.goes("07:40")
		h.must(h.LetGoOf(h.ctx, leads.ID))
		h.looks()
		h.cameIs("rosa asked")
		v, err := h.Offered(h.ctx, h.token(rosa))
		h.must(err)
		if v.Swap == nil || v.Swap.ID != s2.ID || v.Plan != pacing.Fits {
			t.Fatalf("it is no swap: %+v", v)
		}
		if _, err := h.Accept(h.ctx, h.token(rosa), uuid.Nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("a yes that did not see the swap: %v", err)
		}
		_, err = h.yes(rosa)
		h.must(err)
		if h.holders(s1) != "rosa" || h.holders(s2) != "teo" {
			t.Fatalf("s1: %q, s2: %q", h.holders(s1), h.holders(s2))
		}
		h.looks()
		h.cameIs("rosa has")
		// teo could take the notes as a swap alone, and the story would have nobody: he is not asked, and nobody is put there.
		h.must(h.LetGoOf(h.ctx, notes.ID))
		h.looks()
		h.cameIs("")
		h.goes("07:55")
		if h.holders(s3) != "" || !h.onList(s3) {
			t.Errorf("s3: %q, on the list: %v", h.holders(s3), h.onList(s3))
		}
	})
}

// Where the story keeps its minimum, whoever stands by for the notes is asked to change.
func TestCoverSwapsWithinAMeeting(t *testing.T) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		s2 := h.shift("Storyteller", "10:00", "10:20", func(s *models.Shift) { s.Places = 2 })
		s3 := h.shift("Note taker", "10:00", "10:45", func(s *models.Shift) { s.Energy = 2 })
		rosa, teo := h.person("rosa"), h.person("teo")
		h.plan(teo, pacing.Plan{Weekly: 4})
		notes := h.puts(s3, h.person("june"), models.AsPlace)
		other := h.puts(s2, rosa, models.AsPlace)
		h.puts(s2, teo, models.AsPlace)
		h.puts(s3, teo, models.AsStandby, askFrom(7*60))
		h.goes("08:00")
		h.must(h.LetGoOf(h.ctx, notes.ID))
		h.looks()
		h.cameIs("teo asked")
		h.must(h.LetGoOf(h.ctx, other.ID)) // now the story needs him
		v, err := h.Offered(h.ctx, h.token(teo))
		h.must(err)
		if v.Is != OfferShort {
			t.Errorf("%+v", v)
		}
		if _, err := h.Accept(h.ctx, h.token(teo), v.SwapID); !fault.Is(err, fault.Conflict) {
			t.Errorf("he left a shift that needs him: %v", err)
		}
		if h.holders(s2) != "teo" || h.holders(s3) != "" {
			t.Errorf("s2: %q, s3: %q", h.holders(s2), h.holders(s3))
		}
	})
}

// A bad time lets go of what begins in it and of nothing else, stops mail, and ends with one short mail.
func TestFlare(t *testing.T) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		start := time.Date(2027, 3, 3, 10, 0, 0, 0, h.zone)
		h.clk.Set(start)
		nadia, june, hal := h.person("nadia"), h.person("june"), h.person("hal")
		on := func(y int, m time.Month, d, hour, minute, minutes int) func(*models.Shift) {
			return func(s *models.Shift) {
				a := time.Date(y, m, d, hour, minute, 0, 0, h.zone)
				b := a.Add(time.Duration(minutes) * time.Minute)
				s.StartsAt, s.EndsAt, s.Energy, s.Demands = &a, &b, 2, "phone"
			}
		}
		s6 := h.shift("Dial-in host", "09:45", "11:45", on(2027, 3, 9, 9, 45, 120))
		group := h.shift("Host of Phone Thursdays", "13:30", "14:30", on(2027, 3, 4, 13, 30, 60))
		next := h.shift("Host of Phone Thursdays", "13:30", "14:30", on(2027, 3, 18, 13, 30, 60))
		for _, sh := range []models.Shift{s6, group, next} {
			h.puts(sh, nadia, models.AsPlace)
		}
		h.puts(group, june, models.AsUnderstudy)
		h.puts(s6, hal, models.AsStandby, askFrom(8*60), func(a *models.Assignment) { a.AskBy = models.AskByPhone })
		other := h.shift("Leader", "13:00", "13:45")
		free := h.puts(other, h.person("bo"), models.AsPlace)
		h.puts(other, nadia, models.AsStandby)
		until := time.Date(2027, 3, 12, 0, 0, 0, 0, h.zone)
		h.must(h.Flare(h.ctx, nadia, &until))
		h.must(h.LetGoOf(h.ctx, free.ID))
		h.looks()
		h.cameIs("june asked")
		_, err := h.yes(june)
		h.must(err)
		h.looks()
		h.cameIs("june has")
		if h.holders(group) != "june" || h.holders(s6) != "" || h.holders(next) != "nadia" {
			t.Errorf("group %q, s6 %q, next %q", h.holders(group), h.holders(s6), h.holders(next))
		}
		var calls []models.Offer
		h.must(h.DB.Where("by_what = 'phone' AND state = 'open'").Find(&calls).Error)
		if len(calls) != 1 || calls[0].ShiftID != s6.ID || calls[0].MailboxID != hal || !h.onList(s6) {
			t.Errorf("who is to be called: %+v", calls)
		}
		for _, day := range []int{4, 6, 8, 9, 10, 11} { // nobody asks her, and nothing is sent
			h.clk.Set(time.Date(2027, 3, day, 11, 30, 0, 0, h.zone))
			h.must(h.FlaresOver(h.ctx))
			h.looks()
		}
		if got := h.came(); strings.Contains(got, "nadia") {
			t.Errorf("mail came in a bad time: %s", got)
		}
		h.clk.Set(until.Add(time.Minute))
		h.must(h.FlaresOver(h.ctx))
		h.must(h.FlaresOver(h.ctx))
		h.looks()
		if got := h.came(); got != "nadia Your break is over: this is where things stand" {
			t.Errorf("on return: %q", got)
		}
		m := h.mail.Messages()[h.seen-1]
		if !strings.Contains(m.Text, "Host of Phone Thursdays") || strings.Contains(m.Text, "Dial-in") {
			t.Errorf("it says: %s", m.Text)
		}
		var box models.Mailbox
		h.must(h.DB.Where("id = ?", nadia).Take(&box).Error)
		if box.PausedUntil != nil {
			t.Error("mail is still paused")
		}
	})
}

// A bad time without an end is ended by hand, and what is asked in it is taken back.
func TestFlareByHand(t *testing.T) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		sh := h.shift("Leader", "13:00", "13:45")
		held := h.puts(sh, h.person("ada"), models.AsPlace)
		bo, cal := h.person("bo"), h.person("cal")
		h.puts(sh, bo, models.AsStandby)
		h.puts(sh, cal, models.AsStandby)
		h.must(h.LetGoOf(h.ctx, held.ID))
		h.looks()
		h.cameIs("bo asked")
		h.must(h.Flare(h.ctx, bo, nil))
		h.looks()
		h.cameIs("cal asked")
		h.must(h.EndFlare(h.ctx, bo))
		h.must(h.EndFlare(h.ctx, bo))
		h.looks()
		h.cameIs("bo Your break is over: this is where things stand")
		past := h.clk.Now().Add(-time.Hour)
		if err := h.Flare(h.ctx, bo, &past); !fault.Is(err, fault.Invalid) {
			t.Errorf("a bad time that is past: %v", err)
		}
	})
}

// Of 200 who say yes at once to 50 places, on two nodes, exactly 50 have one.
func TestAcceptancesAtOnce(t *testing.T) {
	eachHall(t, func(t *testing.T, h *coverHall) {
		const people, places = 200, 50
		sh := h.shift("Everybody", "13:00", "13:45", func(s *models.Shift) { s.Places = places })
		var links []string
		now := h.clk.Now()
		for i := range people {
			a := h.puts(sh, h.person(fmt.Sprintf("p%d", i)), models.AsStandby)
			o := models.Offer{ID: models.NewID(), ShiftID: sh.ID, MailboxID: a.MailboxID, AssignmentID: &a.ID, State: models.OfferOpen, ByWhat: models.AskByMail, SentAt: &now, ExpiresAt: h.at("13:00"), CreatedAt: now}
			h.must(h.DB.Create(&o).Error)
			links = append(links, h.Signer.Make(tokens.Offered, o.ID, h.at("13:00")))
		}
		nodes := []*Service{h.Service, New(h.Options)}
		var mu sync.Mutex
		taken, wrong := 0, 0
		var wg sync.WaitGroup
		for i, link := range links {
			wg.Go(func() {
				_, err := nodes[i%2].Accept(h.ctx, link, uuid.Nil)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					taken++
				case !fault.Is(err, fault.Conflict):
					wrong++
					t.Log(err)
				}
			})
		}
		wg.Wait()
		var n int64
		h.must(h.DB.Model(&models.Assignment{}).Where("shift_id = ? AND as_what = 'place'", sh.ID).Count(&n).Error)
		if taken != places || n != places || wrong != 0 {
			t.Errorf("%d said yes in time, %d have a place, %d failed", taken, n, wrong)
		}
	})
}

// When somebody may be asked is said by the clocks where they live, on the days on which those change too.
func TestCoverAskable(t *testing.T) {
	ny, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	quiet := models.DefaultLimits()
	for _, c := range []struct {
		now, starts string // in New York
		from        int    // minutes; -1: they said none
		plan        pacing.Plan
		want        string // "": not before it begins
	}{
		{"2027-03-09 05:00", "2027-03-09 10:00", 7*60 + 30, pacing.Plan{}, "2027-03-09 07:30"},
		{"2027-03-09 05:00", "2027-03-09 10:00", -1, pacing.Plan{}, "2027-03-09 09:00"},
		{"2027-03-09 05:00", "2027-03-09 08:00", -1, pacing.Plan{}, ""},
		{"2027-03-08 21:00", "2027-03-09 10:00", 7*60 + 30, pacing.Plan{}, "2027-03-09 07:30"},
		{"2027-03-08 15:00", "2027-03-09 10:00", 7*60 + 30, pacing.Plan{}, "2027-03-08 15:00"}, // the day before, outside quiet hours
		{"2027-03-09 21:30", "2027-03-09 22:00", 7 * 60, pacing.Plan{}, "2027-03-09 21:30"},    // that day they said so
		{"2027-03-09 07:00", "2027-03-09 12:00", 7 * 60, pacing.Plan{QuietFrom: 21 * 60, QuietUntil: 10 * 60}, "2027-03-09 10:00"},
		{"2027-03-09 07:00", "2027-03-09 09:30", 7 * 60, pacing.Plan{QuietFrom: 21 * 60, QuietUntil: 10 * 60}, ""},
		{"2027-03-09 07:00", "2027-03-09 12:00", 7 * 60, pacing.Plan{Flare: true}, ""},
		{"2027-03-14 00:30", "2027-03-14 10:00", 2*60 + 30, pacing.Plan{}, "2027-03-14 03:30"}, // an hour that there is not
		{"2027-03-14 00:30", "2027-03-14 12:00", -1, pacing.Plan{}, "2027-03-14 09:00"},
		{"2027-11-07 00:30", "2027-11-07 10:00", 7 * 60, pacing.Plan{}, "2027-11-07 07:00"},
		{"2027-11-06 22:00", "2027-11-07 12:00", -1, pacing.Plan{}, "2027-11-07 09:00"},
	} {
		parse := func(v string) time.Time {
			at, err := time.ParseInLocation("2006-01-02 15:04", v, ny)
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
		starts := parse(c.starts)
		ends := starts.Add(time.Hour)
		a := models.Assignment{AskFrom: &c.from}
		if c.from < 0 {
			a.AskFrom = nil
		}
		at, ok := coverAskable(a, models.Shift{Kind: models.ShiftFixed, StartsAt: &starts, EndsAt: &ends}, c.plan, ny, quiet, parse(c.now))
		got := ""
		if ok {
			got = at.In(ny).Format("2006-01-02 15:04")
		}
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}
