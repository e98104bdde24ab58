package events

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/abuse"
	"kithline/campaigns/address"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/models"
)

const (
	// PlaceFor is how long a form that is not confirmed keeps a place.
	PlaceFor = 30 * time.Minute
	NameMax  = 100
	NeedsMax = 1000
)

var (
	localeForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
	sourceForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)
)

func asFault(err error) *fault.Error {
	var e *fault.Error
	if errors.As(err, &e) {
		return e
	}
	return fault.New(fault.Internal, "error.internal")
}

// RegisterInput is the form of somebody who wants to come. The comments name its fields.
type RegisterInput struct {
	Slug       string
	Original   string         // date: as Stamp writes it; "" for the next one
	Series     bool           // series: comes to the dates after it too
	GivenName  string         // given_name
	FamilyName string         // family_name
	Email      string         // email
	Attends    models.Attends // attends
	Needs      string         // needs
	ShareNeeds bool           // share_needs
	NeedsText  string         // the words beside the box for needs, exactly as they were shown; needed where it is filled in
	TimeZone   string         // time_zone: "" = the event's
	Locale     string         // of the mails
	Lang       string         // of the page
	Source     string         // how the person came: a short code
	ClientIP   string         // of the device; it is kept as a hash of the day
	Trap       string         // a field that no person sees
}

// Stamp names a date of an event in forms and addresses.
func Stamp(original time.Time) string { return original.UTC().Format("20060102T150405Z") }

func readStamp(s string) (time.Time, bool) {
	t, err := time.Parse("20060102T150405Z", s)
	return t, err == nil
}

// WaysOf are how somebody can come to an event, the first one in front.
func WaysOf(e models.Event) []models.Attends {
	var out []models.Attends
	switch e.Venue {
	case models.VenueOnsite:
		out = []models.Attends{models.AttendsOnsite}
		if len(e.JoinSealed) > 0 {
			out = append(out, models.AttendsOnline)
		}
	case models.VenueOnline:
		out = []models.Attends{models.AttendsOnline}
	case models.VenueHybrid:
		out = []models.Attends{models.AttendsOnline, models.AttendsOnsite}
	case models.VenuePhone:
		return []models.Attends{models.AttendsPhone}
	}
	if len(e.DialSealed) > 0 {
		out = append(out, models.AttendsPhone)
	}
	return out
}

// TakesSeries reports whether somebody can register for all dates at once: where the event comes again and its places are not limited.
func TakesSeries(e models.Event) bool { return e.Recurrence != "" && e.Capacity == 0 }

// limited reports whether whoever comes in this way needs one of the places.
func limited(e models.Event, way models.Attends) bool {
	return e.Capacity > 0 && (e.Venue != models.VenueHybrid || way == models.AttendsOnsite)
}

// Register takes what somebody filled in, which waits to be confirmed, and queues the mail for it. It answers the same for every address: one
// that is registered already gets a mail that says so. The id is new every time and says nothing about the address. Anybody may call it. The
// faults are NotFound, error.event_unknown; Conflict, error.event_closed, where nobody can register any more, error.event_full, where no place
// is left and nobody can wait; Invalid with the fields.
func (s *Service) Register(ctx context.Context, in RegisterInput) (uuid.UUID, error) {
	e, err := take(ctx, s.DB.DB, "slug = ? AND state <> ?", in.Slug, models.EventDraft)
	if err != nil {
		return uuid.Nil, err
	}
	now := s.Clock.Now()
	all, err := datesOf(ctx, s.DB.DB, []uuid.UUID{e.ID})
	if err != nil {
		return uuid.Nil, err
	}
	dates := all[e.ID]
	o, ok := next(e, dates, now)
	if in.Original != "" {
		original, read := readStamp(in.Original)
		if o, ok = at(e, dates, original); !read {
			ok = false
		}
	}
	if !ok || o.Off || !now.Before(o.End) || e.State != models.EventPublished {
		return uuid.Nil, fault.New(fault.Conflict, "error.event_closed")
	}
	box, err := mailboxes.NewRow(s.Vault, in.Email, now)
	if err := in.check(e, err).Err(); err != nil {
		return uuid.Nil, err
	}
	if in.Needs != "" && in.NeedsText == "" {
		return uuid.Nil, errors.New("events: a page that asks for needs must say with which words")
	}
	client, _ := netip.ParseAddr(in.ClientIP)
	if s.Guard != nil {
		v, err := s.Guard.Judge(ctx, abuse.Visit{Email: in.Email, Client: client, Trap: in.Trap})
		if err != nil {
			return uuid.Nil, err
		}
		if v.Reason == abuse.ReasonBlock || v.Reason == abuse.ReasonTrap {
			return models.NewID(), nil
		}
	}
	r := models.Registration{
		ID: models.NewID(), EventID: e.ID, OccursAt: o.Original, State: models.RegistrationPending, Attends: in.Attends, ShareNeeds: in.ShareNeeds && in.Needs != "", Series: in.Series && TakesSeries(e),
		Locale: in.Locale, TimeZone: in.TimeZone, Source: in.Source, CreatedAt: now, UpdatedAt: now,
	}
	until := now.Add(confirmations.PendingFor)
	if o.End.Before(until) {
		until = o.End
	}
	r.ExpiresAt = &until
	if client.IsValid() {
		r.ClientHash = s.Vault.DayHash(now, abuse.Net(client))
	}
	s.seal(&r, in.GivenName, in.FamilyName, in.Needs)
	return r.ID, s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if !e.WaitingList && limited(e, r.Attends) {
			n, err := taken(ctx, tx, e, o.Original, uuid.Nil, now)
			if err != nil {
				return err
			}
			if n >= e.Capacity {
				return fault.New(fault.Conflict, "error.event_full")
			}
		}
		return s.insert(ctx, tx, box, r, in.NeedsText, now)
	})
}

// check reads what was typed, in the order of the form. wrong is what is wrong with the mail address.
func (in *RegisterInput) check(e models.Event, wrong error) (bad fault.Fields) {
	length := func(field string, v *string, most int) {
		*v = strings.TrimSpace(strings.ReplaceAll(*v, "\r\n", "\n"))
		if n := utf8.RuneCountInString(*v); n > most {
			bad.Add(field, "error.text_too_long", "Max", most, "Over", n-most)
		}
	}
	length("given_name", &in.GivenName, NameMax)
	if in.GivenName == "" {
		bad.Add("given_name", "error.event_name")
	}
	length("family_name", &in.FamilyName, NameMax)
	if wrong != nil {
		bad.Add("email", address.Key(wrong))
	}
	ways := WaysOf(e)
	if in.Attends == "" && len(ways) == 1 {
		in.Attends = ways[0]
	}
	if !slices.Contains(ways, in.Attends) {
		bad.Add("attends", "error.event_way")
	}
	if in.TimeZone != "" {
		if _, err := time.LoadLocation(in.TimeZone); err != nil || in.TimeZone == "Local" {
			bad.Add("time_zone", "error.value_unknown")
		}
	}
	length("needs", &in.Needs, NeedsMax)
	if !localeForm.MatchString(in.Locale) {
		in.Locale = in.Lang
	}
	if in.Source = strings.ToLower(strings.TrimSpace(in.Source)); !sourceForm.MatchString(in.Source) {
		in.Source = ""
	}
	return bad
}

func (s *Service) seal(r *models.Registration, given, family, needs string) {
	for _, x := range []struct {
		column, v string
		to        *[]byte
	}{{"given_name_sealed", given, &r.GivenNameSealed}, {"family_name_sealed", family, &r.FamilyNameSealed}, {"needs_sealed", needs, &r.NeedsSealed}} {
		if x.v != "" {
			*x.to = s.Vault.Seal("registrations", x.column, r.ID, x.v)
		}
	}
}

// insert writes a registration in tx, and queues the mail that its mailbox may get. Where the mailbox is registered already, it is told so.
func (s *Service) insert(ctx context.Context, tx *gorm.DB, typed models.Mailbox, r models.Registration, needsText string, now time.Time) error {
	tx = tx.WithContext(ctx)
	boxes, _, err := mailboxes.EnsureAll(ctx, tx, []models.Mailbox{typed})
	if err != nil {
		return err
	}
	box := boxes[string(typed.AddressHash)] // held
	r.MailboxID = box.ID
	var there []models.Registration
	if err := tx.Where("event_id = ? AND mailbox_id = ? AND (occurs_at = ? OR series = TRUE AND occurs_at < ?)", r.EventID, box.ID, r.OccursAt, r.OccursAt).Order("created_at, id").Find(&there).Error; err != nil {
		return err
	}
	held := map[uuid.UUID]models.Mailbox{box.ID: box}
	for _, t := range there {
		if t.State == models.RegistrationPending {
			if t.OccursAt.Equal(r.OccursAt) {
				if err := drop(ctx, tx, []models.Registration{t}, now); err != nil {
					return err
				}
			}
			continue
		}
		return confirmations.Queue(ctx, tx, []confirmations.Request{{
			Kind: confirmations.EventAlready, MailboxID: box.ID, Subject: t.ID, DedupeKey: confirmations.EventAlready + "/" + t.ID.String() + "/" + now.Format("20060102"), Ends: *r.ExpiresAt,
		}}, held, []uuid.UUID{box.ID}, now)
	}
	if len(r.NeedsSealed) > 0 {
		t, err := consents.Text(ctx, tx, purposeNeeds, r.Locale, needsText, now)
		if err != nil {
			return err
		}
		r.ConsentTextID = &t.ID
	}
	if err := tx.Create(&r).Error; err != nil {
		return err
	}
	return s.queue(ctx, tx, []models.Registration{r}, held, "", now)
}

// queue asks for the mails by which registrations are confirmed.
func (s *Service) queue(ctx context.Context, tx *gorm.DB, rows []models.Registration, boxes map[uuid.UUID]models.Mailbox, suffix string, now time.Time) error {
	var asked []confirmations.Request
	var known []uuid.UUID
	for _, r := range rows {
		known = append(known, r.MailboxID)
		asked = append(asked, confirmations.Request{
			Kind: confirmations.EventConfirm, MailboxID: r.MailboxID, Subject: r.ID, DedupeKey: confirmations.EventConfirm + "/" + r.ID.String() + suffix, Ends: *r.ExpiresAt,
		})
	}
	return confirmations.Queue(ctx, tx, asked, boxes, known, now)
}

// drop deletes registrations in tx, and ends their mails that did not go.
func drop(ctx context.Context, tx *gorm.DB, rows []models.Registration, now time.Time) error {
	if len(rows) == 0 {
		return nil
	}
	var ids, boxes []uuid.UUID
	for _, r := range rows {
		ids, boxes = append(ids, r.ID), append(boxes, r.MailboxID)
	}
	tx = tx.WithContext(ctx)
	if err := tx.Where("id IN ?", ids).Delete(&models.Registration{}).Error; err != nil {
		return err
	}
	return tx.Model(&models.Delivery{}).Where("mailbox_id IN ? AND subject_id IN ? AND state IN ?", boxes, ids, []models.DeliveryState{models.DeliveryQueued, models.DeliveryDeferred}).
		Updates(map[string]any{"state": models.DeliveryExpired, "updated_at": now}).Error
}

// taken counts in tx the places of a date that are not to be had; but is one registration that does not count.
func taken(ctx context.Context, tx *gorm.DB, e models.Event, original time.Time, but uuid.UUID, now time.Time) (int, error) {
	q := tx.WithContext(ctx).Model(&models.Registration{}).Where("event_id = ? AND (occurs_at = ? OR series = TRUE AND occurs_at < ?) AND id <> ?", e.ID, original, original, but).
		Where("state = ? OR state = ? AND offered_until > ? OR state = ? AND created_at > ?", models.Registered, models.RegistrationOffered, now, models.RegistrationPending, now.Add(-PlaceFor))
	if e.Venue == models.VenueHybrid {
		q = q.Where("attends = ?", models.AttendsOnsite)
	}
	var n int64
	err := q.Count(&n).Error
	return int(n), err
}

// fill offers in tx the places of a date that are free to those who wait longest. The caller holds the event.
func (s *Service) fill(ctx context.Context, tx *gorm.DB, e models.Event, o Occurrence, now time.Time) error {
	if e.State != models.EventPublished || o.Off || !now.Before(o.Start) {
		return nil
	}
	q := tx.WithContext(ctx).Where("event_id = ? AND occurs_at = ? AND state = ?", e.ID, o.Original, models.RegistrationWaiting).Order("updated_at, id")
	if e.Capacity > 0 {
		n, err := taken(ctx, tx, e, o.Original, uuid.Nil, now)
		if err != nil || n >= e.Capacity {
			return err
		}
		q = q.Limit(e.Capacity - n)
	}
	var rows []models.Registration
	if err := q.Find(&rows).Error; err != nil {
		return err
	}
	for _, r := range rows {
		if err := s.offer(ctx, tx, e, o, r, now); err != nil {
			return err
		}
	}
	return nil
}

// How long a place is kept for somebody, and from when on before it begins quiet hours do not count.
const (
	offerFor = 12 * time.Hour
	near     = 24 * time.Hour
)

func (s *Service) offer(ctx context.Context, tx *gorm.DB, e models.Event, o Occurrence, r models.Registration, now time.Time) error {
	from := now
	if o.Start.Sub(now) > near {
		limits, err := s.Limits(ctx)
		if err != nil {
			return err
		}
		if q := deliveries.QuietUntil(limits, now, ZoneOf(r, e)); !q.IsZero() {
			from = q
		}
	}
	until := from.Add(offerFor)
	if until.After(o.Start) {
		until = o.Start
	}
	r.State, r.OfferedUntil, r.UpdatedAt = models.RegistrationOffered, &until, now
	if err := tx.Select("state", "offered_until", "updated_at").Updates(&r).Error; err != nil {
		return err
	}
	return s.mail(ctx, tx, KindOffer, r, r.ID, from, until, Stamp(until), now)
}

// ZoneOf is where somebody who is registered lives, as far as they said.
func ZoneOf(r models.Registration, e models.Event) *time.Location {
	if r.TimeZone != "" {
		if z, err := time.LoadLocation(r.TimeZone); err == nil {
			return z
		}
	}
	return Zone(e)
}

// fillAll is fill for every date ahead for which somebody waits.
func (s *Service) fillAll(ctx context.Context, tx *gorm.DB, e models.Event, dates []models.EventDate, now time.Time) error {
	var originals []time.Time
	if err := tx.WithContext(ctx).Model(&models.Registration{}).Distinct().Where("event_id = ? AND state = ?", e.ID, models.RegistrationWaiting).Pluck("occurs_at", &originals).Error; err != nil {
		return err
	}
	for _, original := range originals {
		if o, ok := at(e, dates, original); ok {
			if err := s.fill(ctx, tx, e, o, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// mail queues in tx a mail about a registration, which needs no consent: it answers what the person asked for.
func (s *Service) mail(ctx context.Context, tx *gorm.DB, kind string, r models.Registration, subject uuid.UUID, from, until time.Time, mark string, now time.Time) error {
	_, err := deliveries.Insert(ctx, tx, deliveries.New{
		Kind: kind, MailboxID: r.MailboxID, SubjectID: subject, Purpose: models.PurposeReceipt, DedupeKey: kind + "/" + r.ID.String() + "/" + mark, Priority: models.PriorityReceipt,
		OnUnknown: models.Resend, NotBefore: from, ExpiresAt: &until,
	}, now)
	return err
}
