package rosters

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Callable is somebody who can be asked for a place by telephone.
type Callable struct {
	Mailbox uuid.UUID
	Offer   uuid.UUID // uuid.Nil: they are not being asked yet
	Name    string
	Phone   string
	Standby bool // stands by for this shift; else offered time
	From    int  // minutes after midnight where they live: they may be called from then
	Until   int  // and until then; equal to From: at any time of the day
	Zone    string
	Good    bool       // now is within those hours
	Expires *time.Time // of the offer
}

// PhoneLine is a shift with places open, and who can be called for it.
type PhoneLine struct {
	Line
	Call []Callable
}

// PhoneTold is a place of somebody whom no mail reaches: what a mail would tell others, they hear by telephone.
type PhoneTold struct {
	Line
	Name  string
	Phone string
	As    models.PlaceAs
	Zone  string
	Soon  bool // it is the day before, or the day itself: time to remind them
}

// PhoneList is what is left for a person with a telephone.
type PhoneList struct {
	Roster models.Roster
	Lines  []PhoneLine
	More   int         // further shifts with places open
	Told   []PhoneTold // by the time of their shifts, those that are not over
	At     time.Time
}

// How much a phone list shows.
const (
	phoneLines = 50
	phoneEach  = 10
	phoneMost  = 2000 // volunteers who are looked at
	phoneTold  = 500  // places of people whom no mail reaches
)

// dayFrom and dayUntil are the hours in which somebody is called who said nothing about hours.
const (
	dayFrom  = 9 * 60
	dayUntil = 20 * 60
)

// Phones lists the shifts of a roster with places open and whom to call for each: those whom the search for cover left to a telephone
// first, then who stands by or offered time and can be reached by telephone alone; and who has a place and no mail address. It needs
// actor.ManageRosters, of the roster's chapter, and actor.SeeSupporters.
func (s *Service) Phones(ctx context.Context, a actor.Actor, id uuid.UUID) (PhoneList, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return PhoneList{}, err
	}
	db, now := s.DB.WithContext(ctx), s.Clock.Now()
	r, err := deskChanges(ctx, db, a, id)
	if err != nil {
		return PhoneList{}, err
	}
	out := PhoneList{Roster: r, At: now}
	lines, _, err := s.deskLines(ctx, db, r, now)
	if err != nil {
		return out, err
	}
	if out.Told, err = s.phoneTold(db, r, lines, now); err != nil || r.State != models.RosterPublished {
		return out, err
	}
	for _, l := range lines {
		if l.CancelledAt == nil && !l.Over && l.Is.Held() < l.Shift.Places {
			out.Lines = append(out.Lines, PhoneLine{Line: l})
		}
	}
	slices.SortStableFunc(out.Lines, func(a, b PhoneLine) int {
		if (a.PhoneAt == nil) != (b.PhoneAt == nil) {
			if a.PhoneAt != nil {
				return -1
			}
			return 1
		}
		return deskSooner(deskDue(a.Kind, a.StartsAt, a.EndsAt), deskDue(b.Kind, b.StartsAt, b.EndsAt))
	})
	if len(out.Lines) > phoneLines {
		out.Lines, out.More = out.Lines[:phoneLines], len(out.Lines)-phoneLines
	}
	if len(out.Lines) == 0 {
		return out, nil
	}
	return out, s.callables(ctx, db, a, &out, now)
}

// phoneTold lists the places of people whom no mail reaches.
func (s *Service) phoneTold(db *gorm.DB, r models.Roster, lines []Line, now time.Time) ([]PhoneTold, error) {
	var rows []models.Assignment
	err := db.Table("assignments").Select("assignments.*").Joins("JOIN shifts s ON s.id = assignments.shift_id").
		Where("s.roster_id = ? AND s.settled_at IS NULL AND assignments.state <> ? AND NOT assignments."+mailed, r.ID, models.AssignmentPending).
		Order("COALESCE(s.starts_at, s.ends_at), assignments.created_at, assignments.id").Limit(phoneTold).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	at := make(map[uuid.UUID]Line, len(lines))
	for _, l := range lines {
		at[l.ID] = l
	}
	var out []PhoneTold
	for _, x := range rows {
		l := at[x.ShiftID]
		if l.Over {
			continue
		}
		given, family, err := s.deskOpen(x)
		if err != nil {
			return nil, err
		}
		zone := takeZone(x.TimeZone, Zone(r))
		t := PhoneTold{Line: l, Name: shortName(given, family), As: x.AsWhat, Zone: zone.String()}
		if t.Phone, err = s.Vault.Open("assignments", "phone_sealed", x.ID, x.PhoneSealed); err != nil {
			return nil, err
		}
		begins := deskDue(l.Kind, l.StartsAt, l.EndsAt)
		if x.StartsAt != nil {
			begins = x.StartsAt
		}
		if begins != nil && !x.Standby() && l.CancelledAt == nil {
			day := begins.In(zone)
			t.Soon = !now.Before(time.Date(day.Year(), day.Month(), day.Day()-1, 0, 0, 0, 0, zone))
		}
		out = append(out, t)
	}
	return out, nil
}

// callables finds who can be called for each shift of a phone list.
func (s *Service) callables(ctx context.Context, db *gorm.DB, a actor.Actor, out *PhoneList, now time.Time) error {
	ids := make([]uuid.UUID, len(out.Lines))
	at := make(map[uuid.UUID]*PhoneLine, len(out.Lines))
	for i := range out.Lines {
		ids[i], at[out.Lines[i].ID] = out.Lines[i].ID, &out.Lines[i]
	}
	var offers []models.Offer
	if err := db.Where("shift_id IN ?", ids).Order("created_at, id").Find(&offers).Error; err != nil {
		return err
	}
	asked := map[[2]uuid.UUID]models.Offer{}
	for _, o := range offers {
		asked[[2]uuid.UUID{o.ShiftID, o.MailboxID}] = o
	}
	var standing []models.Assignment
	if err := db.Where("shift_id IN ?", ids).Order("CASE as_what WHEN 'understudy' THEN 0 ELSE 1 END, created_at, id").Find(&standing).Error; err != nil {
		return err
	}
	on := map[[2]uuid.UUID]bool{}
	home := Zone(out.Roster)
	for _, x := range standing {
		key := [2]uuid.UUID{x.ShiftID, x.MailboxID}
		on[key] = true
		o, was := asked[key]
		if !x.Standby() || x.AskBy != models.AskByPhone || was && (o.State != models.OfferOpen || o.ByWhat != models.AskByPhone) {
			continue
		}
		given, family, err := s.deskOpen(x)
		if err != nil {
			return err
		}
		c := Callable{Mailbox: x.MailboxID, Name: shortName(given, family), Standby: true, From: dayFrom, Until: dayUntil, Zone: x.TimeZone}
		if c.Phone, err = s.Vault.Open("assignments", "phone_sealed", x.ID, x.PhoneSealed); err != nil {
			return err
		}
		if x.AskFrom != nil { // for the day of the shift they said themselves from when
			c.From, c.Until = *x.AskFrom, max(dayUntil, *x.AskFrom)
		}
		at[x.ShiftID].add(c, o, was, home, now)
	}
	return s.callVolunteers(ctx, db, a, out, asked, on, home, now)
}

// callVolunteers adds those who offered time and can be reached by telephone alone: who fits, and was not asked for the shift before.
func (s *Service) callVolunteers(ctx context.Context, db *gorm.DB, a actor.Actor, out *PhoneList, asked map[[2]uuid.UUID]models.Offer, on map[[2]uuid.UUID]bool, home *time.Location, now time.Time) error {
	var vs []models.Volunteer
	q := db.Scopes(chapters.Scope(a, "volunteers.chapter_id")).Where("state = ? AND ask_by = ? AND phone_sealed IS NOT NULL", models.VolunteerActive, models.AskByPhone)
	if c := out.Roster.ChapterID; c != nil {
		q = q.Where("chapter_id IS NULL OR chapter_id = ?", *c)
	}
	if err := q.Order("CASE WHEN asked_at IS NULL THEN 0 ELSE 1 END, asked_at, id").Limit(phoneMost).Find(&vs).Error; err != nil || len(vs) == 0 {
		return err
	}
	boxes := make([]uuid.UUID, len(vs))
	for i, v := range vs {
		boxes[i] = v.MailboxID
	}
	people := make(map[uuid.UUID]Person, len(vs))
	for part := range slices.Chunk(boxes, 500) {
		some, err := s.people(ctx, db, part, now)
		if err != nil {
			return err
		}
		for b, p := range some {
			people[b] = p
		}
	}
	var marks []models.ShiftMark
	ids := make([]uuid.UUID, len(out.Lines))
	for i := range out.Lines {
		ids[i] = out.Lines[i].ID
	}
	if err := db.Where("shift_id IN ?", ids).Find(&marks).Error; err != nil {
		return err
	}
	marked := make(map[string]bool, len(marks))
	for _, m := range marks {
		marked[m.ShiftID.String()+string(m.Mark)] = true
	}
	for i := range out.Lines {
		l := &out.Lines[i]
		for _, v := range vs {
			key := [2]uuid.UUID{l.ID, v.MailboxID}
			o, was := asked[key]
			switch p := people[v.MailboxID]; {
			case on[key], was && (o.State != models.OfferOpen || o.ByWhat != models.AskByPhone):
				continue
			case !was && (len(l.Call) >= phoneEach || marked[l.ID.String()+string(s.markOf(l.ID, v.MailboxID))] || refusal(out.Roster, l.Shift, p, now).Code != "" || p.Plans(l.Shift, now) != ""):
				continue
			}
			c := Callable{Mailbox: v.MailboxID, From: v.AskFrom, Until: v.AskUntil, Zone: v.TimeZone}
			who, err := s.deskVolunteer(v)
			if err != nil {
				return err
			}
			c.Name, c.Phone = shortName(who.given, who.family), who.phone
			l.add(c, o, was, home, now)
		}
	}
	return nil
}

// add takes somebody into the list of a shift.
func (l *PhoneLine) add(c Callable, o models.Offer, asked bool, home *time.Location, now time.Time) {
	if asked {
		c.Offer, c.Expires = o.ID, &o.ExpiresAt
	}
	if c.Zone == "" {
		c.Zone = home.String()
	}
	c.Good = inHours(c.From, c.Until, c.Zone, now)
	l.Call = append(l.Call, c)
}

// inHours reports whether a moment is between two times of the day in a zone.
func inHours(from, until int, zone string, now time.Time) bool {
	z, err := time.LoadLocation(zone)
	if err != nil {
		z = time.UTC
	}
	local := now.In(z)
	minute := local.Hour()*60 + local.Minute()
	switch {
	case from == until:
		return true
	case from < until:
		return minute >= from && minute < until
	}
	return minute >= from || minute < until
}

func (s *Service) deskVolunteer(v models.Volunteer) (w deskWho, err error) {
	w = deskWho{mailbox: v.MailboxID, locale: v.Locale, zone: v.TimeZone}
	if w.given, err = s.Vault.Open("volunteers", "given_name_sealed", v.ID, v.GivenNameSealed); err != nil {
		return w, err
	}
	if w.family, err = s.Vault.Open("volunteers", "family_name_sealed", v.ID, v.FamilyNameSealed); err != nil {
		return w, err
	}
	w.phone, err = s.Vault.Open("volunteers", "phone_sealed", v.ID, v.PhoneSealed)
	return w, err
}

// StartCall writes down that somebody is being asked for a shift by telephone, so that nobody asks them twice. They stand by for it, or
// offered time, by telephone both. It needs what Phones needs. The faults: Conflict, error.rosterdesk_asked_before, where they were asked for it
// already, and error.rosterdesk_not_callable for anybody else.
func (s *Service) StartCall(ctx context.Context, a actor.Actor, shift, mailbox uuid.UUID) (models.Offer, error) {
	var o models.Offer
	if err := a.Need(actor.SeeSupporters); err != nil {
		return o, err
	}
	now := s.Clock.Now()
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r, sh, err := deskShift(ctx, tx, a, shift)
		if err != nil {
			return err
		}
		if r.State != models.RosterPublished || sh.CancelledAt != nil || over(sh, now) {
			return fault.New(fault.Gone, "error.rosterdesk_shift_over")
		}
		var n int64
		if err := tx.Model(&models.Offer{}).Where("shift_id = ? AND mailbox_id = ?", shift, mailbox).Count(&n).Error; err != nil {
			return err
		}
		if n > 0 {
			return fault.New(fault.Conflict, "error.rosterdesk_asked_before")
		}
		o = models.Offer{ID: models.NewID(), ShiftID: shift, MailboxID: mailbox, State: models.OfferOpen, ByWhat: models.AskByPhone, SentAt: &now, CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour)}
		if due := deskDue(sh.Kind, sh.StartsAt, sh.EndsAt); due != nil && due.Before(o.ExpiresAt) {
			o.ExpiresAt = *due
		}
		var as models.Assignment
		err = tx.Where("shift_id = ? AND mailbox_id = ?", shift, mailbox).Take(&as).Error
		switch {
		case err == nil && as.Standby() && as.AskBy == models.AskByPhone:
			o.AssignmentID = &as.ID
			if err := tx.Model(&models.Assignment{}).Where("id = ?", as.ID).Updates(map[string]any{"state": models.AssignmentOffered, "updated_at": now}).Error; err != nil {
				return err
			}
		case errors.Is(err, gorm.ErrRecordNotFound):
			q := tx.Model(&models.Volunteer{}).Scopes(chapters.Scope(a, "volunteers.chapter_id")).Where("mailbox_id = ? AND state = ? AND ask_by = ?", mailbox, models.VolunteerActive, models.AskByPhone)
			done := q.Updates(map[string]any{"asked_at": now, "updated_at": now})
			if done.Error != nil {
				return done.Error
			}
			if done.RowsAffected == 0 {
				return fault.New(fault.Conflict, "error.rosterdesk_not_callable")
			}
		case err == nil:
			return fault.New(fault.Conflict, "error.rosterdesk_not_callable")
		default:
			return err
		}
		if err := tx.Create(&o).Error; err != nil {
			return err
		}
		if err := note(tx, shift, models.PlaceOffered, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "roster.call", "shifts", shift, nil)
	})
	return o, err
}

// Answer writes down what somebody said on the telephone: yes seats them, no ends the offer. It needs what Phones needs. The faults: Gone,
// error.rosterdesk_offer_over, where the offer is answered or over, and those of Seat where they cannot take it, after which the offer is
// closed.
func (s *Service) Answer(ctx context.Context, a actor.Actor, offer uuid.UUID, yes bool) (models.Shift, error) {
	var sh models.Shift
	for _, right := range []actor.Right{actor.ManageRosters, actor.SeeSupporters} {
		if err := a.Need(right); err != nil {
			return sh, err
		}
	}
	now := s.Clock.Now()
	var full error
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var o models.Offer
		gone := fault.New(fault.Gone, "error.rosterdesk_offer_over")
		err := tx.WithContext(ctx).Where("id = ?", offer).Take(&o).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return gone
		}
		if err != nil {
			return err
		}
		var r models.Roster
		if r, sh, err = deskShift(ctx, tx, a, o.ShiftID); err != nil {
			return err
		}
		if err := tx.Where("id = ?", offer).Take(&o).Error; err != nil { // as it is now that the shift is held
			return err
		}
		if o.State != models.OfferOpen || o.ByWhat != models.AskByPhone || over(sh, now) || sh.CancelledAt != nil {
			return gone
		}
		state := models.OfferDeclined
		if yes {
			state = models.OfferAccepted
			if full = s.deskAccept(ctx, tx, a, r, sh, o, now); fault.Is(full, fault.Conflict) {
				state = models.OfferFilled
			} else if full != nil {
				return full
			}
		}
		done := tx.Model(&models.Offer{}).Where("id = ?", o.ID).Updates(map[string]any{"state": state, "closed_at": now})
		if done.Error != nil {
			return done.Error
		}
		if err := tx.Model(&models.Assignment{}).Where("shift_id = ? AND mailbox_id = ? AND state = ?", o.ShiftID, o.MailboxID, models.AssignmentOffered).Updates(map[string]any{"state": models.AssignmentHeld, "updated_at": now}).Error; err != nil {
			return err
		}
		if state == models.OfferAccepted {
			if err := deskWhenFull(ctx, tx, sh, now); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "roster.call_answer", "shifts", sh.ID, nil)
	})
	if err == nil {
		err = full
	}
	return sh, err
}

// deskAccept seats who said yes on the telephone.
func (s *Service) deskAccept(ctx context.Context, tx *gorm.DB, a actor.Actor, r models.Roster, sh models.Shift, o models.Offer, now time.Time) error {
	if err := s.deskMay(ctx, tx, r, sh, o.MailboxID, false, now); err != nil {
		return err
	}
	counts, err := placesOf(ctx, tx, []uuid.UUID{sh.ID}, now)
	if err != nil {
		return err
	}
	if counts[sh.ID].Held() >= sh.Places {
		return fault.New(fault.Conflict, "error.shift_full")
	}
	who := deskWho{mailbox: o.MailboxID, locale: r.Locale}
	var mail int64
	if err := tx.Model(&models.Mailbox{}).Where("id = ? AND address_sealed IS NOT NULL", o.MailboxID).Count(&mail).Error; err != nil {
		return err
	}
	who.noMail = mail == 0
	var v models.Volunteer
	switch err := tx.Where("mailbox_id = ?", o.MailboxID).Take(&v).Error; {
	case err == nil:
		noMail := who.noMail
		if who, err = s.deskVolunteer(v); err != nil {
			return err
		}
		who.noMail = noMail
	case !errors.Is(err, gorm.ErrRecordNotFound):
		return err
	}
	made, err := s.deskSeat(ctx, tx, a, sh, who, models.Assignment{AsWhat: models.AsPlace, State: models.AssignmentConfirmed}, now)
	if err != nil {
		return err
	}
	if err := note(tx, sh.ID, models.PlaceCovered, now); err != nil || who.noMail {
		return err
	}
	return s.deskMail(ctx, tx, KindPlaced, made, now, made.UpdatedAt.Format(time.RFC3339Nano))
}
