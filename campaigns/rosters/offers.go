package rosters

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/pacing"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// offerLinkFor is for how long the link of an offer works where the shift has no end.
const offerLinkFor = 60 * 24 * time.Hour

func offerKey(offer uuid.UUID) string { return KindOffer + "/" + offer.String() }

// offer asks somebody who stands by, by mail: a receipt, since they agreed to be asked for this shift.
func (q *coverSearch) offer(ctx context.Context, c coverCandidate) error {
	o := models.Offer{AssignmentID: &c.a.ID, MailboxID: c.a.MailboxID, ByWhat: models.AskByMail}
	if c.swap != nil {
		o.SwapID = &c.swap.ID
	}
	o, err := q.create(o)
	if err != nil {
		return err
	}
	if err := q.offered(c.a); err != nil {
		return err
	}
	return q.mail(ctx, o, models.PurposeReceipt)
}

// offerByPhone puts somebody who stands by onto the list of those whom an organizer calls.
func (q *coverSearch) offerByPhone(c coverCandidate) error {
	if _, err := q.create(models.Offer{AssignmentID: &c.a.ID, MailboxID: c.a.MailboxID, ByWhat: models.AskByPhone}); err != nil {
		return err
	}
	if q.c.PhoneAt == nil {
		q.c.PhoneAt = &q.now
	}
	return q.offered(c.a)
}

func (q *coverSearch) offered(a models.Assignment) error {
	return q.tx.Model(&models.Assignment{}).Where("id = ?", a.ID).Updates(map[string]any{"state": models.AssignmentOffered, "updated_at": q.now}).Error
}

// offerOther asks somebody who offered time, by mail, and reports whether they could be asked: who took back that they want to be asked
// meanwhile is not.
func (q *coverSearch) offerOther(ctx context.Context, v models.Volunteer) (bool, error) {
	var agreed int64
	if err := q.tx.Table("mailable").Where("mailbox_id = ? AND purpose = ? AND scope_id = ?", v.MailboxID, models.PurposeVolunteering, uuid.Nil).Count(&agreed).Error; err != nil || agreed == 0 {
		return false, err
	}
	o, err := q.create(models.Offer{MailboxID: v.MailboxID, ByWhat: models.AskByMail})
	if err != nil {
		return false, err
	}
	if err := q.tx.Model(&models.Volunteer{}).Where("id = ?", v.ID).Update("asked_at", q.now).Error; err != nil {
		return false, err
	}
	return true, q.mail(ctx, o, models.PurposeVolunteering)
}

// create writes an offer down. The time to answer one by mail runs once the mail left.
func (q *coverSearch) create(o models.Offer) (models.Offer, error) {
	o.ID, o.ShiftID, o.State, o.Wave, o.CreatedAt = models.NewID(), q.sh.ID, models.OfferOpen, q.c.Wave, q.now
	o.ExpiresAt = q.now.Add(offerLinkFor)
	if due, ok := coverDue(q.sh); ok {
		o.ExpiresAt = due
	}
	q.c.Wave++
	if err := q.tx.Create(&o).Error; err != nil {
		return o, err
	}
	q.offers = append(q.offers, o)
	return o, note(q.tx, q.sh.ID, models.PlaceOffered, q.now)
}

func (q *coverSearch) mail(ctx context.Context, o models.Offer, purpose models.Purpose) error {
	ends := o.ExpiresAt
	q.later(q.now.Add(time.Minute))
	_, err := deliveries.Insert(ctx, q.tx, deliveries.New{
		Kind: KindOffer, MailboxID: o.MailboxID, SubjectID: o.ID, Purpose: purpose, Priority: models.PriorityReceipt, OnUnknown: models.Resend, DedupeKey: offerKey(o.ID), ExpiresAt: &ends,
	}, q.now)
	return err
}

// tellOver tells somebody who was asked, in tx, that the place is taken or not needed any more. Where the mail that asked has not left,
// neither does; where it just leaves, it may.
func (s *Service) tellOver(ctx context.Context, tx *gorm.DB, o models.Offer, now time.Time) error {
	var asked []models.Delivery
	if err := tx.Where("dedupe_key = ?", offerKey(o.ID)).Find(&asked).Error; err != nil || len(asked) == 0 {
		return err
	}
	switch asked[0].State {
	case models.DeliveryQueued, models.DeliveryDeferred:
		return tx.Model(&models.Delivery{}).Where("id = ?", asked[0].ID).Updates(map[string]any{"state": models.DeliveryExpired, "updated_at": now}).Error
	case models.DeliveryFailed, models.DeliverySuppressed, models.DeliveryExpired:
		return nil
	}
	ends := now.Add(48 * time.Hour)
	_, err := deliveries.Insert(ctx, tx, deliveries.New{
		Kind: KindOfferOver, MailboxID: o.MailboxID, SubjectID: o.ID, Purpose: models.PurposeReceipt, Priority: models.PriorityReceipt, OnUnknown: models.Resend,
		DedupeKey: KindOfferOver + "/" + o.ID.String(), ExpiresAt: &ends,
	}, now)
	return err
}

// OfferURL is the link to answer an offer. It goes to the mailbox that it is for and nowhere else.
func (s *Service) OfferURL(o models.Offer) string {
	return s.BaseURL + "/offers/" + s.Signer.Make(tokens.Offered, o.ID, o.CreatedAt.Add(offerLinkFor))
}

// OfferIs is what an answer to an offer can still do.
type OfferIs string

// What an offer is to whoever opens it.
const (
	OfferFree   OfferIs = "free"   // the place can be taken, in the time to answer or after it
	OfferYours  OfferIs = "yours"  // they took it
	OfferNo     OfferIs = "no"     // they said no; while it is free they may change their mind
	OfferTaken  OfferIs = "taken"  // nothing is free
	OfferClosed OfferIs = "closed" // it began, was called off, or is not to be had
	OfferClash  OfferIs = "clash"  // they hold another place then, which they would have to let go first
	OfferShort  OfferIs = "short"  // the place they would leave would be short of people
)

// Offered is an offer as whoever was asked sees it.
type Offered struct {
	Is        OfferIs
	GivenName string
	Roster    models.Roster
	Shift     models.Shift
	Zone      *time.Location // of the roster
	Home      *time.Location // theirs; nil: the same
	StandsBy  bool           // they stand by for it; false: they offered time
	Swap      *models.Shift  // the place that a yes lets go
	SwapID    uuid.UUID      // its assignment: to be sent back with a yes
	Plan      pacing.Verdict // how it goes with what they planned: for their eyes alone
	AnswerBy  time.Time      // after it somebody else may be asked too; zero: the mail did not leave yet
	Place     uuid.UUID      // their assignment, where it is theirs

	person Person
}

// Offered shows an offer to whoever has its link. It changes nothing. The faults are those of tokens.Signer.Read, and Gone,
// error.offer_over, where it is over for good.
func (s *Service) Offered(ctx context.Context, token string) (Offered, error) {
	id, err := s.Signer.Read(tokens.Offered, token, s.Clock.Now())
	if err != nil {
		return Offered{}, err
	}
	v, _, err := s.offerView(ctx, s.DB.WithContext(ctx), id, s.Clock.Now())
	return v, err
}

func (s *Service) offerView(ctx context.Context, tx *gorm.DB, id uuid.UUID, now time.Time) (v Offered, o models.Offer, err error) {
	var list []models.Offer
	if err := tx.Where("id = ?", id).Find(&list).Error; err != nil {
		return v, o, err
	}
	if len(list) == 0 {
		return v, o, fault.New(fault.Gone, "error.offer_over")
	}
	o = list[0]
	if err = tx.Where("id = ?", o.ShiftID).Take(&v.Shift).Error; err != nil {
		return v, o, err
	}
	if err = tx.Where("id = ?", v.Shift.RosterID).Take(&v.Roster).Error; err != nil {
		return v, o, err
	}
	if v.Zone, err = time.LoadLocation(v.Roster.TimeZone); err != nil {
		return v, o, err
	}
	people, err := s.people(ctx, tx, []uuid.UUID{o.MailboxID}, now)
	if err != nil {
		return v, o, err
	}
	p := people[o.MailboxID]
	v.person = p
	if o.SentAt != nil && o.State == models.OfferOpen {
		v.AnswerBy = o.ExpiresAt
	}
	var own []models.Assignment
	if err = tx.Where("shift_id = ? AND mailbox_id = ?", o.ShiftID, o.MailboxID).Find(&own).Error; err != nil {
		return v, o, err
	}
	if len(own) > 0 {
		if v.GivenName, err = s.Vault.Open("assignments", "given_name_sealed", own[0].ID, own[0].GivenNameSealed); err != nil {
			return v, o, err
		}
		v.StandsBy, p.Zone = own[0].Standby(), v.Zone
		if own[0].TimeZone != "" {
			if p.Zone, err = time.LoadLocation(own[0].TimeZone); err != nil {
				return v, o, err
			}
		}
	} else {
		var vs []models.Volunteer
		if err = tx.Where("mailbox_id = ?", o.MailboxID).Find(&vs).Error; err != nil {
			return v, o, err
		}
		if len(vs) > 0 {
			if v.GivenName, err = s.Vault.Open("volunteers", "given_name_sealed", vs[0].ID, vs[0].GivenNameSealed); err != nil {
				return v, o, err
			}
		}
	}
	v.Home = offerElsewhere(v.Shift, v.Zone, p.Zone)
	if len(own) > 0 && own[0].AsWhat == models.AsPlace && own[0].State == models.AssignmentConfirmed {
		v.Is, v.Place = OfferYours, own[0].ID
		return v, o, nil
	}
	return v, o, s.offerStands(ctx, tx, &v, o, p, now)
}

// offerElsewhere is the zone of somebody where their clocks say something else about a shift than those of the roster; else nil.
func offerElsewhere(sh models.Shift, zone, home *time.Location) *time.Location {
	at := cmp.Or(sh.StartsAt, sh.EndsAt)
	if at == nil || home == nil {
		return nil
	}
	_, here := at.In(zone).Zone()
	if _, there := at.In(home).Zone(); here == there {
		return nil
	}
	return home
}

// offerStands says what a yes would do.
func (s *Service) offerStands(ctx context.Context, tx *gorm.DB, v *Offered, o models.Offer, p Person, now time.Time) error {
	counts, err := placesOf(ctx, tx, []uuid.UUID{v.Shift.ID}, now)
	if err != nil {
		return err
	}
	q := coverSearch{tx: tx, sh: v.Shift, roster: v.Roster}
	off, err := q.calledOff()
	if err != nil {
		return err
	}
	no := refusal(v.Roster, v.Shift, p, now)
	switch {
	case off || no.Code != "" && no.Code != "clash":
		v.Is = OfferClosed
		return nil
	case counts[v.Shift.ID].Held() >= v.Shift.Places:
		v.Is = OfferTaken
		return nil
	case no.Code == "clash":
		if err := s.offerSwap(ctx, tx, v, p, no.With, now); err != nil || v.Is != "" {
			return err
		}
		p.Held = slices.DeleteFunc(slices.Clone(p.Held), func(h models.Shift) bool { return h.ID == no.With.ID })
	}
	v.Plan = p.Plans(v.Shift, now)
	v.Is = OfferFree
	if o.State == models.OfferDeclined {
		v.Is = OfferNo
	}
	return nil
}

// offerSwap says which place a yes lets go, or why it cannot be.
func (s *Service) offerSwap(ctx context.Context, tx *gorm.DB, v *Offered, p Person, with models.Shift, now time.Time) error {
	rest := slices.DeleteFunc(slices.Clone(p.Held), func(h models.Shift) bool { return h.ID == with.ID })
	v.Swap = &with
	if with.RosterID != v.Roster.ID || slices.ContainsFunc(rest, func(h models.Shift) bool { return h.ID != v.Shift.ID && Clash(h, v.Shift) }) {
		v.Is = OfferClash
		return nil
	}
	var theirs []models.Assignment
	if err := tx.Where("shift_id = ? AND mailbox_id = ? AND as_what = ? AND state = ?", with.ID, p.Mailbox, models.AsPlace, models.AssignmentConfirmed).Find(&theirs).Error; err != nil {
		return err
	}
	if len(theirs) == 0 {
		v.Is = OfferClash
		return nil
	}
	counts, err := placesOf(ctx, tx, []uuid.UUID{with.ID}, now)
	if err != nil {
		return err
	}
	if v.SwapID = theirs[0].ID; counts[with.ID].Confirmed-1 < with.Minimum {
		v.Is = OfferShort
	}
	return nil
}

// Accept takes the place of an offer: the first yes has it. swap is Offered.SwapID as the person saw it. Saying yes twice does no harm. The
// faults are those of Offered, and Conflict: error.offer_taken, error.offer_closed, error.offer_clash, error.offer_short, or
// error.offer_changed where a yes would let go of another place than the person saw.
func (s *Service) Accept(ctx context.Context, token string, swap uuid.UUID) (Offered, error) {
	now := s.Clock.Now()
	id, err := s.Signer.Read(tokens.Offered, token, now)
	if err != nil {
		return Offered{}, err
	}
	return s.accept(ctx, id, swap, now)
}

// accept is Accept by the id of the offer.
func (s *Service) accept(ctx context.Context, id, swap uuid.UUID, now time.Time) (done Offered, err error) {
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		tx = tx.WithContext(ctx)
		held, err := s.holdOffer(ctx, tx, id, swap)
		if err != nil {
			return err
		}
		v, o, err := s.offerView(ctx, tx, id, now)
		if err != nil {
			return err
		}
		switch v.Is {
		case OfferYours:
			done = v
			return nil
		case OfferFree, OfferNo:
		default:
			return fault.New(fault.Conflict, "error.offer_"+string(v.Is))
		}
		if v.SwapID != swap || v.SwapID != uuid.Nil && !slices.ContainsFunc(held, func(h models.Shift) bool { return h.ID == v.Swap.ID }) {
			return fault.New(fault.Conflict, "error.offer_changed")
		}
		a, err := s.offerAssignment(tx, o, v.Roster)
		if err != nil {
			return err
		}
		if a, err = s.seat(ctx, tx, v.Shift, a, now); fault.Is(err, fault.Conflict) {
			return fault.New(fault.Conflict, "error.offer_taken")
		} else if err != nil {
			return err
		}
		if err := tx.Model(&models.Offer{}).Where("id = ?", o.ID).Updates(map[string]any{"state": models.OfferAccepted, "closed_at": now}).Error; err != nil {
			return err
		}
		if err := note(tx, v.Shift.ID, models.PlaceCovered, now); err != nil {
			return err
		}
		if v.SwapID != uuid.Nil {
			if err := s.offerLeaves(ctx, tx, *v.Swap, v.SwapID, now); err != nil {
				return err
			}
		}
		if err := s.offerReceipt(ctx, tx, a, now); err != nil {
			return err
		}
		v.Is, v.Place = OfferYours, a.ID
		done = v
		return s.again(ctx, tx, v.Shift.ID, now)
	})
	return done, err
}

// offerLeaves lets go of the place that a yes was said instead of.
func (s *Service) offerLeaves(ctx context.Context, tx *gorm.DB, sh models.Shift, id uuid.UUID, now time.Time) error {
	var a models.Assignment
	if err := tx.Where("id = ?", id).Take(&a).Error; err != nil {
		return err
	}
	return s.letGo(ctx, tx, sh, a, now)
}

// holdOffer holds the shift of an offer and, in the order of their ids, that of the place that a yes would let go.
func (s *Service) holdOffer(ctx context.Context, tx *gorm.DB, offer, swap uuid.UUID) ([]models.Shift, error) {
	var ids []uuid.UUID
	if err := tx.Model(&models.Offer{}).Where("id = ?", offer).Pluck("shift_id", &ids).Error; err != nil {
		return nil, err
	}
	if len(ids) == 0 {
		return nil, fault.New(fault.Gone, "error.offer_over")
	}
	if swap != uuid.Nil {
		var other []uuid.UUID
		if err := tx.Model(&models.Assignment{}).Where("id = ?", swap).Pluck("shift_id", &other).Error; err != nil {
			return nil, err
		}
		ids = append(ids, other...)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	var out []models.Shift
	for _, id := range slices.Compact(ids) {
		sh, err := hold(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		out = append(out, sh)
	}
	return out, nil
}

// offerAssignment is the place of whoever says yes: what they said when they began to stand by, else what they said as a volunteer.
func (s *Service) offerAssignment(tx *gorm.DB, o models.Offer, r models.Roster) (models.Assignment, error) {
	a := models.Assignment{ID: models.NewID(), ShiftID: o.ShiftID, MailboxID: o.MailboxID, AsWhat: models.AsPlace, State: models.AssignmentConfirmed, Locale: r.Locale, Source: "offer"}
	var vs []models.Volunteer
	if err := tx.Where("mailbox_id = ?", o.MailboxID).Find(&vs).Error; err != nil || len(vs) == 0 {
		return a, err
	}
	v := vs[0]
	a.Locale, a.TimeZone, a.ConsentTextID = v.Locale, v.TimeZone, v.ConsentTextID
	for _, f := range []struct {
		column   string
		from, to *[]byte
	}{
		{"given_name_sealed", &v.GivenNameSealed, &a.GivenNameSealed},
		{"family_name_sealed", &v.FamilyNameSealed, &a.FamilyNameSealed},
		{"phone_sealed", &v.PhoneSealed, &a.PhoneSealed},
	} {
		text, err := s.Vault.Open("volunteers", f.column, v.ID, *f.from)
		if err != nil {
			return a, err
		}
		*f.to = s.Vault.Seal("assignments", f.column, a.ID, text)
	}
	return a, nil
}

// Decline says no to an offer, this time. Whoever stands by stands by as before, and is not asked for this shift again. The faults are
// those of Offered.
func (s *Service) Decline(ctx context.Context, token string) error {
	return s.declineBy(ctx, token, false)
}

// Stop says no to an offer and to being asked for its shift at all: whoever stands by for it does so no more. The faults are those of
// Offered.
func (s *Service) Stop(ctx context.Context, token string) error { return s.declineBy(ctx, token, true) }

func (s *Service) declineBy(ctx context.Context, token string, stop bool) error {
	now := s.Clock.Now()
	id, err := s.Signer.Read(tokens.Offered, token, now)
	if err != nil {
		return err
	}
	return s.decline(ctx, id, stop, now)
}

func (s *Service) decline(ctx context.Context, id uuid.UUID, stop bool, now time.Time) error {
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		tx = tx.WithContext(ctx)
		held, err := s.holdOffer(ctx, tx, id, uuid.Nil)
		if err != nil {
			return err
		}
		sh := held[0]
		var o models.Offer
		if err := tx.Where("id = ?", id).Take(&o).Error; errors.Is(err, gorm.ErrRecordNotFound) {
			return fault.New(fault.Gone, "error.offer_over")
		} else if err != nil {
			return err
		}
		if o.State == models.OfferAccepted {
			return nil // the place is let go of elsewhere
		}
		if err := closeOffer(tx, o, models.OfferDeclined, now); err != nil {
			return err
		}
		if stop {
			if err := s.mark(tx, sh.ID, o.MailboxID); err != nil {
				return err
			}
			var own []models.Assignment
			if err := tx.Where("shift_id = ? AND mailbox_id = ?", sh.ID, o.MailboxID).Find(&own).Error; err != nil {
				return err
			}
			for _, a := range own {
				if a.Standby() {
					if err := s.letGo(ctx, tx, sh, a, now); err != nil {
						return err
					}
				}
			}
		}
		return s.again(ctx, tx, sh.ID, now)
	})
}

// Clock is a time of day by the clocks that the offer is said in: theirs where they are others.
func (v Offered) Clock(t time.Time) string { return t.In(v.clocks()).Format("15:04") }

// ZoneName is what the zone of those clocks is called after.
func (v Offered) ZoneName() string { return offerZone(v.clocks()) }

func (v Offered) clocks() *time.Location {
	if v.Home != nil {
		return v.Home
	}
	return v.Zone
}
