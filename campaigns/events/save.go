package events

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
)

// Limits of what an event says, in characters, and of its places.
const (
	TitleMax    = 80
	SummaryMax  = 300
	BodyMax     = 10000
	LineMax     = 200
	JoinMax     = 500
	NoteMax     = 1000
	capacityMax = 100000
)

// Types are what a support group can be; the words are events.type_NAME with a hyphen as an underscore.
var Types = []string{"open", "closed", "beginners", "young", "women", "men", "lgbtq", "caregivers", "parents", "captions", "wheelchair", "phone-only", "no-video", "camera-off-ok", "movement", "seated", "instructor-certified"}

// Draft is everything about an event that its page lets an organizer write. The comments name its fields.
type Draft struct {
	Title           string            // title
	Summary         string            // about
	Body            string            // body: Markdown
	Kind            models.EventKind  // kind
	Locale          string            // locale
	TimeZone        string            // time_zone
	StartsOn        string            // starts_on: 2027-01-05T18:30, on the clock there
	Minutes         int               // minutes
	Recurrence      string            // recurrence: RFC 5545
	Venue           models.EventVenue // venue
	PlaceName       string            // place_name
	Street          string            // street
	City            string            // city
	Region          string            // region
	PostalCode      string            // postal_code
	Country         string            // country
	Join            string            // join: the link, for those alone who are registered
	Dial            string            // dial: telephone number and code, for the same
	NoRemoteWhy     string            // no_remote_why
	Capacity        int               // capacity; 0 = no limit
	WaitingList     bool              // waiting_list
	Access          Access            // access_NAME
	Looked          bool              // access_looked: somebody went through the sheet
	AccessContactID *uuid.UUID        // access_contact
	Types           []string          // types
	CoLeaderWanted  bool              // co_leader_wanted
	ContactName     string            // contact_name
	ContactEmail    string            // contact_email
	ContactPhone    string            // contact_phone
	ChapterID       *uuid.UUID        // chapter
	CampaignID      *uuid.UUID        // campaign
}

// SaveInput is a draft as it was typed over the revision that the page showed.
type SaveInput struct {
	Draft
	Revision int
}

// Create makes the draft of an event. It needs actor.ManageRosters; a chapter's account makes it for its chapter. The fault is Invalid with
// the fields of the draft.
func (s *Service) Create(ctx context.Context, a actor.Actor, d Draft) (models.Event, error) {
	if err := a.Need(actor.ManageRosters); err != nil {
		return models.Event{}, err
	}
	if d.TimeZone == "" {
		o, err := s.Organisation.Current(ctx)
		if err != nil {
			return models.Event{}, err
		}
		d.TimeZone = o.TimeZone
	}
	if d.Venue == "" {
		d.Venue = models.VenueOnline
	}
	bad := d.check()
	if err := bad.Err(); err != nil {
		return models.Event{}, err
	}
	now := s.Clock.Now()
	e := models.Event{ID: models.NewID(), State: models.EventDraft, Revision: 1, CreatedBy: a.Account(), CreatedAt: now, UpdatedAt: now, ChapterID: a.Chapter()}
	if err := s.write(&e, d); err != nil {
		return e, err
	}
	if a.Chapter() == nil {
		e.ChapterID = d.ChapterID
	}
	e.Slug = campaigns.DraftSlug(e.ID)
	e.EndsAt = ends(e, nil)
	return e, s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := choosable(ctx, tx, d); err != nil {
			return err
		}
		if err := tx.Create(&e).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "event.create", "events", e.ID, nil)
	})
}

// Get returns an event for who works on it. It needs actor.ManageRosters; the fault is NotFound, error.event_unknown, also for one of another
// chapter.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Event, error) {
	return mine(ctx, s.DB.DB, a, id)
}

// DraftOf is an event as its page shows it to who works on it, with what is sealed. It needs what Get needs.
func (s *Service) DraftOf(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Event, Draft, error) {
	e, err := mine(ctx, s.DB.DB, a, id)
	if err != nil {
		return e, Draft{}, err
	}
	d := Draft{
		Title: e.Title, Summary: e.Summary, Body: e.Body, Kind: e.Kind, Locale: e.Locale, TimeZone: e.TimeZone, StartsOn: e.StartsOn, Minutes: e.Minutes, Recurrence: e.Recurrence, Venue: e.Venue,
		PlaceName: e.PlaceName, Street: e.Street, City: e.City, Region: e.Region, PostalCode: e.PostalCode, Country: e.Country, NoRemoteWhy: e.NoRemoteWhy, Capacity: e.Capacity, WaitingList: e.WaitingList,
		AccessContactID: e.AccessContactID, Types: split(e.Types), CoLeaderWanted: e.CoLeaderWanted, ContactName: e.ContactName, ContactEmail: e.ContactEmail, ContactPhone: e.ContactPhone,
		ChapterID: e.ChapterID, CampaignID: e.CampaignID,
	}
	d.Access, d.Looked = ReadAccess(e)
	d.Join, d.Dial, err = s.ways(e)
	return e, d, err
}

// ways opens how to join an event: for who is registered, and who works on it.
func (s *Service) ways(e models.Event) (join, dial string, err error) {
	if join, err = s.Vault.Open("events", "join_sealed", e.ID, e.JoinSealed); err != nil {
		return "", "", err
	}
	dial, err = s.Vault.Open("events", "dial_sealed", e.ID, e.DialSealed)
	return join, dial, err
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// check trims a draft and notes what cannot be stored as it is.
func (d *Draft) check() (bad fault.Fields) {
	for _, x := range []struct {
		field string
		v     *string
		most  int
		lines bool
	}{
		{"title", &d.Title, TitleMax, false},
		{"about", &d.Summary, SummaryMax, false},
		{"body", &d.Body, BodyMax, true},
		{"place_name", &d.PlaceName, LineMax, false},
		{"street", &d.Street, LineMax, false},
		{"city", &d.City, LineMax, false},
		{"region", &d.Region, 10, false},
		{"postal_code", &d.PostalCode, 20, false},
		{"country", &d.Country, 2, false},
		{"join", &d.Join, JoinMax, false},
		{"dial", &d.Dial, JoinMax, true},
		{"no_remote_why", &d.NoRemoteWhy, SummaryMax, false},
		{"contact_name", &d.ContactName, LineMax, false},
		{"contact_email", &d.ContactEmail, LineMax, false},
		{"contact_phone", &d.ContactPhone, 60, false},
	} {
		if x.lines {
			*x.v = strings.TrimSpace(strings.ReplaceAll(*x.v, "\r\n", "\n"))
		} else {
			*x.v = strings.Join(strings.Fields(*x.v), " ")
		}
		if n := utf8.RuneCountInString(*x.v); n > x.most {
			bad.Add(x.field, "error.text_too_long", "Max", x.most, "Over", n-x.most)
		}
	}
	if d.Title == "" {
		bad.Add("title", "error.title_missing")
	}
	if !slices.Contains(Kinds, d.Kind) {
		bad.Add("kind", "error.value_unknown")
	}
	if !slices.Contains(Venues, d.Venue) {
		bad.Add("venue", "error.value_unknown")
	}
	if !localeForm.MatchString(d.Locale) {
		bad.Add("locale", "error.value_unknown")
	}
	if d.Minutes < 1 || d.Minutes > MinutesMax {
		bad.Add("minutes", "error.event_minutes", "Max", MinutesMax)
	}
	if rule, err := Rule(d.Recurrence, d.StartsOn, d.TimeZone); err != nil {
		for _, f := range asFault(err).Fields {
			bad.Add(f.Name, f.Key, f.Args...)
		}
	} else {
		d.Recurrence = rule
	}
	if d.Join != "" {
		if u, err := url.Parse(d.Join); err != nil || u.Scheme != "https" || u.Host == "" {
			bad.Add("join", "error.event_join")
		}
	}
	if d.Capacity < 0 || d.Capacity > capacityMax {
		bad.Add("capacity", "error.event_number", "Max", capacityMax)
	}
	if d.ContactEmail != "" && !strings.Contains(d.ContactEmail, "@") {
		bad.Add("contact_email", "error.event_contact")
	}
	d.Types = slices.DeleteFunc(slices.Clone(d.Types), func(t string) bool { return !slices.Contains(Types, t) })
	d.Access.check(&bad)
	return bad
}

// choosable checks in tx what a draft points to.
func choosable(ctx context.Context, tx *gorm.DB, d Draft) error {
	var bad fault.Fields
	for _, x := range []struct {
		field, where string
		model        any
		id           *uuid.UUID
	}{
		{"chapter", "closed_at IS NULL", &models.Chapter{}, d.ChapterID},
		{"campaign", "1 = 1", &models.Campaign{}, d.CampaignID},
		{"access_contact", "disabled_at IS NULL", &models.User{}, d.AccessContactID},
	} {
		if x.id == nil {
			continue
		}
		var n int64
		if err := tx.WithContext(ctx).Model(x.model).Where("id = ? AND "+x.where, *x.id).Count(&n).Error; err != nil {
			return err
		}
		if n == 0 {
			bad.Add(x.field, "error.value_unknown")
		}
	}
	return bad.Err()
}

// write puts a checked draft into a row.
func (s *Service) write(e *models.Event, d Draft) error {
	e.Title, e.Summary, e.Body, e.Kind, e.Locale, e.TimeZone, e.StartsOn, e.Minutes, e.Recurrence = d.Title, d.Summary, d.Body, d.Kind, d.Locale, d.TimeZone, d.StartsOn, d.Minutes, d.Recurrence
	e.Venue, e.PlaceName, e.Street, e.City, e.Region, e.PostalCode, e.Country = d.Venue, d.PlaceName, d.Street, d.City, d.Region, d.PostalCode, d.Country
	e.NoRemoteWhy, e.Capacity, e.WaitingList, e.AccessContactID, e.Types, e.CoLeaderWanted = d.NoRemoteWhy, d.Capacity, d.WaitingList, d.AccessContactID, strings.Join(d.Types, ","), d.CoLeaderWanted
	e.ContactName, e.ContactEmail, e.ContactPhone, e.CampaignID = d.ContactName, d.ContactEmail, d.ContactPhone, d.CampaignID
	e.Access = ""
	if d.Looked {
		e.Access = d.Access.json()
	}
	join, dial, err := s.ways(*e)
	if err != nil {
		return err
	}
	if join != d.Join {
		e.JoinSealed = s.sealed("join_sealed", e.ID, d.Join)
	}
	if dial != d.Dial {
		e.DialSealed = s.sealed("dial_sealed", e.ID, d.Dial)
	}
	return nil
}

func (s *Service) sealed(column string, id uuid.UUID, v string) []byte {
	if v == "" {
		return nil
	}
	return s.Vault.Seal("events", column, id, v)
}

// Save keeps an event. Nothing is kept when it cannot be stored as it is (Invalid, with fields) or when it was changed by another page since
// (Conflict, error.event_changed: what is stored comes back beside it). While people are registered for a date ahead its rule stays
// (Invalid with the field starts_on): single dates can be moved. More places are offered to who waits; fewer than are taken take nobody's
// away. It needs what Get needs.
func (s *Service) Save(ctx context.Context, a actor.Actor, id uuid.UUID, in SaveInput) (models.Event, error) {
	e, err := mine(ctx, s.DB.DB, a, id)
	if err != nil {
		return e, err
	}
	bad := in.check()
	if e.State == models.EventPublished {
		bad = append(bad, in.missing()...)
	}
	if err := bad.Err(); err != nil {
		return e, err
	}
	now := s.Clock.Now()
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := mine(ctx, tx, a, id); err != nil {
			return err
		}
		if err := choosable(ctx, tx, in.Draft); err != nil {
			return err
		}
		if e, err = hold(ctx, tx, id); err != nil {
			return err
		}
		row := e
		if err := s.write(&row, in.Draft); err != nil {
			return err
		}
		if a.Chapter() == nil {
			row.ChapterID = in.ChapterID
		}
		if same(row, e) {
			return nil
		}
		if e.Revision != in.Revision {
			return fault.New(fault.Conflict, "error.event_changed")
		}
		if row.StartsOn != e.StartsOn || row.Recurrence != e.Recurrence || row.TimeZone != e.TimeZone {
			var n int64
			if err := tx.Model(&models.Registration{}).Where("event_id = ? AND state <> ? AND (occurs_at > ? OR series)", id, models.RegistrationPending, now).Limit(1).Count(&n).Error; err != nil {
				return err
			}
			if n > 0 {
				return fault.Fields{{Name: "starts_on", Key: "error.event_registered"}}.Err()
			}
		}
		dates, err := datesOf(ctx, tx, []uuid.UUID{id})
		if err != nil {
			return err
		}
		row.EndsAt, row.Revision, row.UpdatedAt = ends(row, dates[id]), e.Revision+1, now
		if err := tx.Select("*").Updates(&row).Error; err != nil {
			return err
		}
		e = row
		if err := s.fillAll(ctx, tx, e, dates[id], now); err != nil {
			return err
		}
		database.Announce(tx, Topic)
		return audit.Write(ctx, tx, a, now, "event.save", "events", id, map[string]any{"revision": row.Revision})
	})
	return e, err
}

func same(a, b models.Event) bool {
	id := func(p *uuid.UUID) uuid.UUID {
		if p == nil {
			return uuid.Nil
		}
		return *p
	}
	if id(a.AccessContactID) != id(b.AccessContactID) || id(a.ChapterID) != id(b.ChapterID) || id(a.CampaignID) != id(b.CampaignID) || !slices.Equal(a.JoinSealed, b.JoinSealed) || !slices.Equal(a.DialSealed, b.DialSealed) {
		return false
	}
	return a.Title == b.Title && a.Summary == b.Summary && a.Body == b.Body && a.Kind == b.Kind && a.Locale == b.Locale && a.TimeZone == b.TimeZone && a.StartsOn == b.StartsOn && a.Minutes == b.Minutes &&
		a.Recurrence == b.Recurrence && a.Venue == b.Venue && a.PlaceName == b.PlaceName && a.Street == b.Street && a.City == b.City && a.Region == b.Region && a.PostalCode == b.PostalCode &&
		a.Country == b.Country && a.NoRemoteWhy == b.NoRemoteWhy && a.Capacity == b.Capacity && a.WaitingList == b.WaitingList && a.Access == b.Access && a.Types == b.Types &&
		a.CoLeaderWanted == b.CoLeaderWanted && a.ContactName == b.ContactName && a.ContactEmail == b.ContactEmail && a.ContactPhone == b.ContactPhone
}

// missing notes what keeps an event from being public.
func (d Draft) missing() (bad fault.Fields) {
	if d.Summary == "" {
		bad.Add("about", "error.event_summary")
	}
	if !d.Looked {
		bad.Add("access_looked", "error.event_access")
	}
	onsite := d.Venue == models.VenueOnsite || d.Venue == models.VenueHybrid
	if onsite && d.City == "" && d.PlaceName == "" {
		bad.Add("place_name", "error.event_place")
	}
	switch {
	case d.Venue == models.VenueOnsite && d.NoRemoteWhy == "" && d.Join == "" && d.Dial == "":
		bad.Add("no_remote_why", "error.event_no_remote")
	case (d.Venue == models.VenueOnline || d.Venue == models.VenueHybrid) && d.Join == "" && d.Dial == "":
		bad.Add("join", "error.event_join_missing")
	case d.Venue == models.VenuePhone && d.Dial == "":
		bad.Add("dial", "error.event_dial_missing")
	}
	return bad
}

// Publish makes an event public, with the address that it keeps from then on. It needs what Get needs. The faults are Invalid with the
// fields of what is missing, access_looked among them; Conflict, error.event_state, where it was cancelled or has no date ahead.
func (s *Service) Publish(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Event, error) {
	e, d, err := s.DraftOf(ctx, a, id)
	if err != nil {
		return e, err
	}
	if err := d.missing().Err(); err != nil {
		return e, err
	}
	now := s.Clock.Now()
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if e, err = hold(ctx, tx, id); err != nil || e.State == models.EventPublished {
			return err
		}
		if e.Revision < 1 || e.State == models.EventCancelled {
			return fault.New(fault.Conflict, "error.event_state")
		}
		if e.EndsAt != nil && !now.Before(*e.EndsAt) {
			return fault.Fields{{Name: "starts_on", Key: "error.event_over"}}.Err()
		}
		if e.State == models.EventDraft {
			if e.Slug, err = campaigns.FreeSlug(ctx, tx, &models.Event{}, e.Title, e.ID); err != nil {
				return err
			}
		}
		if e.PublishedAt == nil {
			e.PublishedAt = &now
		}
		e.State, e.UpdatedAt = models.EventPublished, now
		if err := tx.Select("slug", "state", "published_at", "updated_at").Updates(&e).Error; err != nil {
			return err
		}
		database.Announce(tx, Topic)
		return audit.Write(ctx, tx, a, now, "event.publish", "events", id, nil)
	})
	return e, err
}

// Close takes an event off the lists: nobody can register any more, and whoever did stays. It needs what Get needs. The fault is Conflict,
// error.event_state, where it is not published.
func (s *Service) Close(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Event, error) {
	return s.end(ctx, a, id, models.EventClosed, "")
}

// Cancel calls an event off: everybody who is registered or waits for a date ahead is told once, with the note. It needs what Get needs. The
// faults are Conflict, error.event_state, where it is not published; Invalid with the field note.
func (s *Service) Cancel(ctx context.Context, a actor.Actor, id uuid.UUID, note string) (models.Event, error) {
	return s.end(ctx, a, id, models.EventCancelled, note)
}

func (s *Service) end(ctx context.Context, a actor.Actor, id uuid.UUID, state models.EventState, note string) (models.Event, error) {
	e, err := mine(ctx, s.DB.DB, a, id)
	if err != nil {
		return e, err
	}
	note, err = clean(note)
	if err != nil {
		return e, err
	}
	now := s.Clock.Now()
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if e, err = hold(ctx, tx, id); err != nil || e.State == state {
			return err
		}
		if e.State != models.EventPublished && (state != models.EventCancelled || e.State != models.EventClosed) {
			return fault.New(fault.Conflict, "error.event_state")
		}
		e.State, e.UpdatedAt = state, now
		verb := "event.close"
		if state == models.EventCancelled {
			verb, e.CancelledAt, e.CancelNote = "event.cancel", &now, note
			if err := s.tellCancelled(ctx, tx, e, now); err != nil {
				return err
			}
		}
		if err := tx.Select("state", "updated_at", "cancelled_at", "cancel_note").Updates(&e).Error; err != nil {
			return err
		}
		database.Announce(tx, Topic)
		return audit.Write(ctx, tx, a, now, verb, "events", id, nil)
	})
	return e, err
}

// clean trims a note to those who are registered.
func clean(note string) (string, error) {
	note = strings.TrimSpace(strings.ReplaceAll(note, "\r\n", "\n"))
	if n := utf8.RuneCountInString(note); n > NoteMax {
		return note, fault.Fields{{Name: "note", Key: "error.text_too_long", Args: []any{"Max", NoteMax, "Over", n - NoteMax}}}.Err()
	}
	return note, nil
}

// DateInput is what becomes of one date. Original is when the rule has it; the zero time is one date more, at Starts.
type DateInput struct {
	Original time.Time
	Do       string // move, off, on (as the rule has it), more, say (the note alone, on the pages and not by mail)
	Starts   string // move, more: 2027-01-05T18:30, on the clock there
	Note     string
}

// SetDate moves a date, takes it off or puts it back, and tells those who are registered for it; it adds one, or keeps the note alone, and tells
// nobody. Everybody can read the note. It needs what Get needs. The faults
// are Invalid with the fields starts, note, do or original; Conflict, error.event_state, for an event that was cancelled.
func (s *Service) SetDate(ctx context.Context, a actor.Actor, id uuid.UUID, in DateInput) (models.Event, error) {
	e, err := mine(ctx, s.DB.DB, a, id)
	if err != nil {
		return e, err
	}
	note, err := clean(in.Note)
	if err != nil {
		return e, err
	}
	now := s.Clock.Now()
	var starts time.Time
	if in.Do == "move" || in.Do == "more" {
		w, err := time.Parse(startLayout, in.Starts)
		if starts = onTheWall(w, Zone(e)).UTC(); err != nil || !starts.After(now) {
			return e, fault.Fields{{Name: "starts", Key: "error.event_start"}}.Err()
		}
	}
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if e, err = hold(ctx, tx, id); err != nil {
			return err
		}
		if e.State == models.EventCancelled {
			return fault.New(fault.Conflict, "error.event_state")
		}
		all, err := datesOf(ctx, tx, []uuid.UUID{id})
		if err != nil {
			return err
		}
		dates := all[id]
		row := models.EventDate{ID: models.NewID(), EventID: id, OriginalAt: in.Original.UTC(), CreatedAt: now}
		if in.Do == "more" {
			if _, taken := at(e, dates, starts); taken {
				return fault.Fields{{Name: "starts", Key: "error.event_date_there"}}.Err()
			}
			row.OriginalAt, row.Extra = starts, true
		} else if o, ok := at(e, dates, row.OriginalAt); !ok || !o.End.After(now) {
			return fault.Fields{{Name: "original", Key: "error.value_unknown"}}.Err()
		}
		i := slices.IndexFunc(dates, func(d models.EventDate) bool { return d.OriginalAt.Equal(row.OriginalAt) })
		if i >= 0 {
			row = dates[i]
		}
		row.Note, row.UpdatedAt = note, now
		switch in.Do {
		case "move":
			row.StartsAt, row.CancelledAt = &starts, nil
		case "off":
			row.CancelledAt = &now
		case "on":
			row.CancelledAt, row.StartsAt = nil, nil
		case "more", "say":
		default:
			return fault.Fields{{Name: "do", Key: "error.value_unknown"}}.Err()
		}
		if i >= 0 {
			err, dates[i] = tx.Select("*").Updates(&row).Error, row
		} else {
			err, dates = tx.Create(&row).Error, append(dates, row)
		}
		if err != nil {
			return err
		}
		e.EndsAt, e.UpdatedAt = ends(e, dates), now
		if err := tx.Select("ends_at", "updated_at").Updates(&e).Error; err != nil {
			return err
		}
		if in.Do != "more" && in.Do != "say" {
			if err := s.tellChanged(ctx, tx, e, row, now); err != nil {
				return err
			}
		}
		database.Announce(tx, Topic)
		return audit.Write(ctx, tx, a, now, "event.date_"+in.Do, "events", id, nil)
	})
	return e, err
}
