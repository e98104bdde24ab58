package events

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
)

// The mails to who is registered: kinds of deliveries, and names of their templates.
const (
	KindReceipt   = "event_receipt"   // subject: the registration
	KindOffer     = "event_offer"     // the same
	KindReminder  = "event_reminder"  // the same
	KindChanged   = "event_changed"   // subject: the date
	KindCancelled = "event_cancelled" // subject: the registration
	KindMessage   = "event_message"   // the same
)

// Renderers makes the content of each kind of mail at the moment it goes: register them with deliveries.Service.Handle.
func (s *Service) Renderers() map[string]deliveries.Renderer {
	return map[string]deliveries.Renderer{
		confirmations.EventConfirm: s.confirmMail, confirmations.EventAlready: s.comingMail, KindReceipt: s.comingMail, KindReminder: s.comingMail, KindOffer: s.offerMail,
		KindChanged: s.changedMail, KindCancelled: s.changedMail, KindMessage: s.messageMail,
	}
}

// When says when a date is, in the words of a language, on the clock of a zone.
func (s *Service) When(lang string, o Occurrence, zone *time.Location) string {
	if o.Start.IsZero() {
		return ""
	}
	from, to := o.Start.In(zone), o.End.In(zone)
	if from.Format(time.DateOnly) != to.Format(time.DateOnly) {
		return s.Words(lang, "events.when_days", "Day", s.Day(lang, from), "From", from.Format("15:04"), "Until", s.Day(lang, to), "To", to.Format("15:04"), "Zone", place(zone))
	}
	return s.Words(lang, "events.when", "Day", s.Day(lang, from), "From", from.Format("15:04"), "To", to.Format("15:04"), "Zone", place(zone))
}

// place is a zone in words: New York.
func place(zone *time.Location) string {
	name := zone.String()
	return strings.ReplaceAll(name[strings.LastIndex(name, "/")+1:], "_", " ")
}

// yours says when a date is where the person lives; "" where the clocks say the same.
func (s *Service) yours(lang string, r models.Registration, e models.Event, o Occurrence) string {
	zone := ZoneOf(r, e)
	_, here := o.Start.In(Zone(e)).Zone()
	_, there := o.Start.In(zone).Zone()
	if here == there {
		return ""
	}
	from := o.Start.In(zone)
	return s.Words(lang, "events.when_yours", "Day", s.Day(lang, from), "From", from.Format("15:04"), "Zone", place(zone))
}

// ConfirmMail is the data of the template event_confirm. It holds nothing that was typed: the form may have been filled in by somebody else.
type ConfirmMail struct {
	Title string
	confirmations.Links
}

// ComingMail is the data of the templates event_receipt, event_reminder and event_already.
type ComingMail struct {
	GivenName, Title, When string
	Yours                  string // where they live; "" for none
	Where                  string // the place, on one line; "" for none
	Note                   string // what is different about this date; "" for nothing
	Join                   string
	Dial                   string
	Waiting                bool // no place yet
	Series                 bool
	Calendar               bool   // a file for their calendar goes with it
	URL                    string // to see how to join, and to say that they cannot come
	FeedURL                string // a calendar of all that they come to and hold; "" for none
}

// OfferMail is the data of the template event_offer.
type OfferMail struct{ GivenName, Title, When, Yours, Until, URL string }

// ChangedMail is the data of the templates event_changed and event_cancelled.
type ChangedMail struct {
	GivenName, Title string
	Was              string // when it should have been
	When             string // when it is: "" where it is off
	Yours            string
	Note             string
	URL              string // of the registration; "" where there is nothing left of it
}

func mailGone() error { return fault.New(fault.Gone, "error.mail_gone") }

// registration reads the one that a delivery is about.
func (s *Service) registration(ctx context.Context, where string, args ...any) (models.Registration, error) {
	var r models.Registration
	err := s.DB.WithContext(ctx).Where(where, args...).Order("series DESC, occurs_at DESC").Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = mailGone()
	}
	return r, err
}

func (s *Service) confirmMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	r, err := s.registration(ctx, "id = ? AND mailbox_id = ? AND state = ?", d.SubjectID, d.MailboxID, models.RegistrationPending)
	if err != nil {
		return deliveries.Content{}, err
	}
	now := s.Clock.Now()
	if r.ExpiresAt == nil || !now.Before(*r.ExpiresAt) {
		return deliveries.Content{}, mailGone()
	}
	e, err := take(ctx, s.DB.DB, "id = ?", r.EventID)
	if err != nil {
		return deliveries.Content{}, err
	}
	m := ConfirmMail{Title: e.Title, Links: confirmations.LinksOf(s.Signer, s.BaseURL, r.MailboxID, r.ID, *r.ExpiresAt, now)}
	return deliveries.Content{Template: confirmations.EventConfirm, Lang: r.Locale, Data: m}, nil
}

// told reads a registration that is still good for a mail.
func (s *Service) told(ctx context.Context, d models.Delivery) (Coming, error) {
	r, err := s.registration(ctx, "id = ? AND mailbox_id = ? AND state <> ?", d.SubjectID, d.MailboxID, models.RegistrationPending)
	if err != nil {
		return Coming{}, err
	}
	c, err := s.coming(ctx, s.DB.DB, r, r.Locale)
	if err != nil {
		return c, err
	}
	c.Token = s.token(r, c.Date)
	return c, nil
}

func (s *Service) comingMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	c, err := s.told(ctx, d)
	if err != nil {
		return deliveries.Content{}, err
	}
	if c.Over || c.Date.Off || c.Event.State == models.EventCancelled || d.Kind == KindReminder && !c.Has() {
		return deliveries.Content{}, mailGone()
	}
	m := ComingMail{
		GivenName: c.GivenName, Title: c.Event.Title, When: c.When, Yours: c.Yours, Note: c.Date.Note, Join: c.Join, Dial: c.Dial, Waiting: !c.Has(), Series: c.Reg.Series, URL: s.BaseURL + "/coming/" + c.Token,
	}
	if c.Reg.Attends == models.AttendsOnsite {
		m.Where = Place(c.Event)
	}
	out := deliveries.Content{Template: d.Kind, Lang: c.Reg.Locale, ToName: c.GivenName}
	if d.Kind == KindReceipt && c.Has() {
		file, err := s.Attachment(ctx, c.Reg.ID)
		if err != nil {
			return deliveries.Content{}, err
		}
		if m.Calendar = true; s.FeedURL != nil {
			m.FeedURL = s.FeedURL(d.MailboxID)
		}
		out.Attachments = []deliveries.Attachment{{Name: "date.ics", Type: "text/calendar; method=PUBLISH; charset=UTF-8", Data: file}}
	}
	out.Data = m
	return out, nil
}

// Place is where an event takes place, on one line; "" for one that is nowhere.
func Place(e models.Event) string {
	if e.Venue == models.VenueOnline || e.Venue == models.VenuePhone {
		return ""
	}
	var parts []string
	for _, p := range []string{e.PlaceName, e.Street, strings.TrimSpace(e.City + " " + e.Region + " " + e.PostalCode)} {
		if p = strings.Join(strings.Fields(p), " "); p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ", ")
}

func (s *Service) offerMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	c, err := s.told(ctx, d)
	if err != nil {
		return deliveries.Content{}, err
	}
	if c.Reg.State != models.RegistrationOffered || c.Reg.OfferedUntil == nil || !s.Clock.Now().Before(*c.Reg.OfferedUntil) || c.Date.Off || c.Event.State != models.EventPublished {
		return deliveries.Content{}, mailGone()
	}
	until := c.Reg.OfferedUntil.In(ZoneOf(c.Reg, c.Event))
	m := OfferMail{
		GivenName: c.GivenName, Title: c.Event.Title, When: c.When, Yours: c.Yours, URL: s.BaseURL + "/coming/" + c.Token,
		Until: s.Words(c.Reg.Locale, "events.when_yours", "Day", s.Day(c.Reg.Locale, until), "From", until.Format("15:04"), "Zone", place(until.Location())),
	}
	return deliveries.Content{Template: KindOffer, Lang: c.Reg.Locale, Data: m, ToName: c.GivenName}, nil
}

// changedMail tells of a date that was moved, is off or is as planned again, and of an event that was called off.
func (s *Service) changedMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	var row models.EventDate
	var r models.Registration
	var err error
	if d.Kind == KindChanged {
		err = s.DB.WithContext(ctx).Where("id = ?", d.SubjectID).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return deliveries.Content{}, mailGone()
		}
		if err != nil {
			return deliveries.Content{}, err
		}
		r, err = s.registration(ctx, "event_id = ? AND mailbox_id = ? AND state <> ? AND (occurs_at = ? OR series = TRUE AND occurs_at < ?)", row.EventID, d.MailboxID, models.RegistrationPending, row.OriginalAt, row.OriginalAt)
	} else {
		r, err = s.registration(ctx, "id = ? AND mailbox_id = ?", d.SubjectID, d.MailboxID)
		row.OriginalAt = r.OccursAt
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	e, err := take(ctx, s.DB.DB, "id = ?", r.EventID)
	if err != nil {
		return deliveries.Content{}, err
	}
	dates, err := datesOf(ctx, s.DB.DB, []uuid.UUID{e.ID})
	if err != nil {
		return deliveries.Content{}, err
	}
	o, ok := at(e, dates[e.ID], row.OriginalAt)
	given, _, err := s.names(r)
	if err != nil {
		return deliveries.Content{}, err
	}
	if !ok || d.Kind == KindChanged && e.State == models.EventCancelled {
		return deliveries.Content{}, mailGone() // it was taken back, or they are told something else
	}
	was := Occurrence{Start: o.Original, End: o.Original.Add(time.Duration(e.Minutes) * time.Minute)}
	m := ChangedMail{GivenName: given, Title: e.Title, Was: s.When(r.Locale, was, Zone(e)), Note: o.Note}
	switch {
	case d.Kind == KindCancelled:
		m.Was, m.Note = s.When(r.Locale, o, Zone(e)), e.CancelNote
	case o.Off:
	default:
		m.When, m.Yours, m.URL = s.When(r.Locale, o, Zone(e)), s.yours(r.Locale, r, e, o), s.BaseURL+"/coming/"+s.token(r, o)
		if !o.Moved {
			m.Was = ""
		}
	}
	return deliveries.Content{Template: d.Kind, Lang: r.Locale, Data: m, ToName: given}, nil
}

// tellChanged queues in tx the mails about a date that was changed, to everybody who has to do with it.
func (s *Service) tellChanged(ctx context.Context, tx *gorm.DB, e models.Event, row models.EventDate, now time.Time) error {
	if e.State == models.EventDraft {
		return nil
	}
	var rows []models.Registration
	err := tx.WithContext(ctx).Where("event_id = ? AND state <> ? AND (occurs_at = ? OR series = TRUE AND occurs_at < ?)", e.ID, models.RegistrationPending, row.OriginalAt, row.OriginalAt).Order("id").Find(&rows).Error
	if err != nil {
		return err
	}
	until := now.Add(7 * 24 * time.Hour)
	for _, r := range rows {
		if err := s.mail(ctx, tx, KindChanged, r, row.ID, now, until, row.ID.String()+"/"+now.Format(time.RFC3339Nano), now); err != nil {
			return err
		}
	}
	// A reminder of the hour that was is wrong now.
	return tx.Model(&models.Registration{}).Where("event_id = ? AND occurs_at = ?", e.ID, row.OriginalAt).Update("reminded_at", nil).Error
}

// tellCancelled queues in tx the mails about an event that was called off, once for each person.
func (s *Service) tellCancelled(ctx context.Context, tx *gorm.DB, e models.Event, now time.Time) error {
	var rows []models.Registration
	if err := tx.WithContext(ctx).Where("event_id = ?", e.ID).Order("occurs_at, id").Find(&rows).Error; err != nil {
		return err
	}
	all, err := datesOf(ctx, tx, []uuid.UUID{e.ID})
	if err != nil {
		return err
	}
	told := map[uuid.UUID]bool{}
	for _, r := range rows {
		if o, ok := at(e, all[e.ID], r.OccursAt); !ok || !now.Before(o.End) && !r.Series || o.Off && !r.Series || r.State == models.RegistrationPending || told[r.MailboxID] {
			continue
		}
		told[r.MailboxID] = true
		if err := s.mail(ctx, tx, KindCancelled, r, r.ID, now, now.Add(7*24*time.Hour), "cancelled", now); err != nil {
			return err
		}
	}
	return nil
}
