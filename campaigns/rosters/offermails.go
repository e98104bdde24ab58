package rosters

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// The mails about offers: kinds of deliveries. Their subject is the offer, of KindOfferYes the assignment, of KindBack the mailbox.
const (
	KindOffer     = "roster_offer"
	KindOfferOver = "roster_offer_over"
	KindOfferYes  = "roster_offer_yes"
	KindBack      = "roster_back"
)

// OfferMails makes the content of each mail about offers at the moment it goes: register them with deliveries.Service.Handle.
func (s *Service) OfferMails() map[string]deliveries.Renderer {
	return map[string]deliveries.Renderer{KindOffer: s.offerMail, KindOfferOver: s.offerOverMail, KindOfferYes: s.offerYesMail, KindBack: s.backMail}
}

// OfferShift is a shift as mails say it.
type OfferShift struct {
	Role    string
	When    string // in the roster's zone
	There   string // the same by the reader's own clocks; "" where they say the same
	Place   string
	Minutes int
	Energy  int // 1 to 5
}

// OfferMail is the data of the template roster_offer.
type OfferMail struct {
	GivenName string
	Title     string // of the roster
	Shift     OfferShift
	StandsBy  bool   // they said that they would stand by; false: they offered time
	Swap      string // the place that a yes lets go, with its time; "" for none
	URL       string
	Minutes   int // after which somebody else may be asked too; 0 where it is more than a day
	Hours     int // the same in hours, where it is two or more
}

// OfferOverMail is the data of the template roster_offer_over.
type OfferOverMail struct {
	GivenName, Title string
	Shift            OfferShift
	Off              bool // it is called off; else somebody has the place
}

// OfferYesMail is the data of the template roster_offer_yes.
type OfferYesMail struct {
	GivenName, Title string
	Shift            OfferShift
	Handover         bool   // there is a note about how it is done
	CantURL          string // the page with the note and the button "I can't today"
}

func offerGone() error { return fault.New(fault.Gone, "error.mail_gone") }

// offerWords says a shift in a language.
func (s *Service) offerWords(lang string, sh models.Shift, zone, home *time.Location) OfferShift {
	w := OfferShift{Role: sh.Role, Place: sh.Place, Minutes: sh.Minutes, Energy: sh.Energy, When: s.OfferWhen(lang, sh, zone)}
	if home != nil {
		w.There = s.OfferWhen(lang, sh, home)
	}
	return w
}

// OfferWhen says when a shift is, in a zone: with the day of the week, and the name of the place that the zone is called after.
func (s *Service) OfferWhen(lang string, sh models.Shift, zone *time.Location) string {
	day := func(t *time.Time) string {
		return s.Words(lang, "offers.day", "Day", s.Day(lang, t.In(zone)), "Time", t.In(zone).Format("15:04"))
	}
	switch {
	case sh.Kind == models.ShiftFixed && sh.StartsAt != nil && sh.EndsAt != nil:
		until := sh.EndsAt.In(zone).Format("15:04")
		if y, d := sh.StartsAt.In(zone), sh.EndsAt.In(zone); y.YearDay() != d.YearDay() {
			until = day(sh.EndsAt)
		}
		return s.Words(lang, "offers.from_until", "From", day(sh.StartsAt), "Until", until, "Zone", offerZone(zone))
	case sh.StartsAt != nil && sh.EndsAt != nil:
		return s.Words(lang, "offers.between", "From", day(sh.StartsAt), "Until", day(sh.EndsAt), "Zone", offerZone(zone))
	case sh.EndsAt != nil:
		return s.Words(lang, "offers.by", "Until", day(sh.EndsAt), "Zone", offerZone(zone))
	}
	return s.Words(lang, "offers.any_time")
}

// offerZone is what a zone is called after: New York.
func offerZone(z *time.Location) string {
	name := z.String()
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			name = name[i+1:]
			break
		}
	}
	out := []byte(name)
	for i, c := range out {
		if c == '_' {
			out[i] = ' '
		}
	}
	return string(out)
}

// offerLang is the language in which somebody is written to.
func (s *Service) offerLang(tx *gorm.DB, o models.Offer, r models.Roster) (string, error) {
	var langs []string
	if err := tx.Model(&models.Assignment{}).Where("shift_id = ? AND mailbox_id = ?", o.ShiftID, o.MailboxID).Pluck("locale", &langs).Error; err != nil {
		return "", err
	}
	if len(langs) == 0 {
		if err := tx.Model(&models.Volunteer{}).Where("mailbox_id = ?", o.MailboxID).Pluck("locale", &langs).Error; err != nil {
			return "", err
		}
	}
	if len(langs) == 0 || langs[0] == "" {
		return r.Locale, nil
	}
	return langs[0], nil
}

func (s *Service) offerMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	db, now := s.DB.WithContext(ctx), s.Clock.Now()
	v, o, err := s.offerView(ctx, db, d.SubjectID, now)
	if fault.Is(err, fault.Gone) || err == nil && (o.State != models.OfferOpen || v.Is != OfferFree || v.person.Plan.InFlare(now)) {
		return deliveries.Content{}, offerGone()
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	if err := s.offerHour(ctx, db, o, v, now); err != nil { // the mail may have waited for long
		return deliveries.Content{}, err
	}
	lang, err := s.offerLang(db, o, v.Roster)
	if err != nil {
		return deliveries.Content{}, err
	}
	m := OfferMail{GivenName: v.GivenName, Title: v.Roster.Title, Shift: s.offerWords(lang, v.Shift, v.Zone, v.Home), StandsBy: v.StandsBy, URL: s.OfferURL(o)}
	switch answer := coverAnswer(coverLeft(v.Shift, now)); {
	case answer >= 24*time.Hour:
	case answer >= 2*time.Hour:
		m.Hours = int(answer.Hours())
	default:
		m.Minutes = int(answer.Minutes())
	}
	if v.Swap != nil {
		m.Swap = v.Swap.Role + ", " + s.OfferWhen(lang, *v.Swap, v.Zone)
	}
	return deliveries.Content{Template: d.Kind, Lang: lang, Data: m}, nil
}

// offerHour says, as the error of a renderer, that whoever is asked may not be asked at this hour, and when they may.
func (s *Service) offerHour(ctx context.Context, db *gorm.DB, o models.Offer, v Offered, now time.Time) error {
	quiet, err := s.limits(ctx)
	if err != nil {
		return err
	}
	p := v.person
	var at time.Time
	var ok bool
	if o.AssignmentID != nil {
		var own []models.Assignment
		if err := db.Where("id = ?", *o.AssignmentID).Find(&own).Error; err != nil {
			return err
		}
		zone := v.Zone
		if len(own) > 0 && own[0].TimeZone != "" {
			if zone, err = time.LoadLocation(own[0].TimeZone); err != nil {
				return err
			}
		}
		if len(own) == 0 {
			return offerGone()
		}
		at, ok = coverAskable(own[0], v.Shift, p.Plan, zone, quiet, now)
	} else {
		var vs []models.Volunteer
		if err := db.Where("mailbox_id = ? AND state = ?", o.MailboxID, models.VolunteerActive).Find(&vs).Error; err != nil {
			return err
		}
		if len(vs) == 0 {
			return offerGone()
		}
		at, ok = coverReachable(vs[0], v.Shift, p.Plan, p.Zone, quiet, now)
	}
	switch {
	case !ok:
		return offerGone()
	case at.After(now):
		return deliveries.NotYet{Until: at}
	}
	return nil
}

func (s *Service) offerOverMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	db, now := s.DB.WithContext(ctx), s.Clock.Now()
	v, o, err := s.offerView(ctx, db, d.SubjectID, now)
	if fault.Is(err, fault.Gone) || err == nil && (o.State == models.OfferAccepted || v.Is == OfferYours || v.Is == OfferFree) {
		return deliveries.Content{}, offerGone()
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	lang, err := s.offerLang(db, o, v.Roster)
	if err != nil {
		return deliveries.Content{}, err
	}
	return deliveries.Content{Template: d.Kind, Lang: lang, Data: OfferOverMail{
		GivenName: v.GivenName, Title: v.Roster.Title, Shift: s.offerWords(lang, v.Shift, v.Zone, v.Home), Off: v.Is == OfferClosed && !over(v.Shift, now),
	}}, nil
}

// offerReceipt queues, in tx, the receipt of a yes.
func (s *Service) offerReceipt(ctx context.Context, tx *gorm.DB, a models.Assignment, now time.Time) error {
	_, err := deliveries.Insert(ctx, tx, deliveries.New{
		Kind: KindOfferYes, MailboxID: a.MailboxID, SubjectID: a.ID, Purpose: models.PurposeReceipt, Priority: models.PriorityReceipt, OnUnknown: models.Resend,
		DedupeKey: KindOfferYes + "/" + a.ID.String(),
	}, now)
	return err
}

func (s *Service) offerYesMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	db := s.DB.WithContext(ctx)
	var a models.Assignment
	if err := db.Where("id = ? AND as_what = ? AND state = ?", d.SubjectID, models.AsPlace, models.AssignmentConfirmed).Take(&a).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return deliveries.Content{}, offerGone()
	} else if err != nil {
		return deliveries.Content{}, err
	}
	var sh models.Shift
	var r models.Roster
	if err := db.Where("id = ?", a.ShiftID).Take(&sh).Error; err != nil {
		return deliveries.Content{}, err
	}
	if err := db.Where("id = ?", sh.RosterID).Take(&r).Error; err != nil {
		return deliveries.Content{}, err
	}
	zone, err := time.LoadLocation(r.TimeZone)
	if err != nil {
		return deliveries.Content{}, err
	}
	var home *time.Location
	if a.TimeZone != "" {
		if home, err = time.LoadLocation(a.TimeZone); err != nil {
			return deliveries.Content{}, err
		}
	}
	given, err := s.Vault.Open("assignments", "given_name_sealed", a.ID, a.GivenNameSealed)
	if err != nil {
		return deliveries.Content{}, err
	}
	until := s.Clock.Now().Add(offerLinkFor)
	if sh.EndsAt != nil {
		until = sh.EndsAt.Add(24 * time.Hour)
	}
	return deliveries.Content{Template: d.Kind, Lang: a.Locale, ToName: given, Data: OfferYesMail{
		GivenName: given, Title: r.Title, Shift: s.offerWords(a.Locale, sh, zone, offerElsewhere(sh, zone, home)), Handover: sh.Handover != "",
		CantURL: s.BaseURL + "/cant/" + s.Signer.Make(tokens.Cant, a.ID, until),
	}}, nil
}
