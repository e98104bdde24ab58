package events

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/today"
	"kithline/models"
	"kithline/models/database"
)

// List is every event that an actor works on, the newest first, with the next date of each. It needs actor.ManageRosters; a chapter's account
// sees its chapter's.
func (s *Service) List(ctx context.Context, a actor.Actor) ([]Listed, error) {
	if err := a.Need(actor.ManageRosters); err != nil {
		return nil, err
	}
	var list []models.Event
	if err := s.DB.WithContext(ctx).Scopes(chapters.Scope(a, "events.chapter_id")).Order("created_at DESC, id DESC").Limit(listMost).Find(&list).Error; err != nil {
		return nil, err
	}
	return s.listed(ctx, list, 1, s.Clock.Now())
}

// Choices are what an event can be made of.
type Choices struct {
	Chapters  []models.Chapter
	Campaigns []models.Campaign
	Contacts  []Contact // accounts that can read access needs
}

// Contact is an account, with its name.
type Contact struct {
	ID   uuid.UUID
	Name string
}

// Choices lists what an event can be made of. It needs actor.ManageRosters.
func (s *Service) Choices(ctx context.Context, a actor.Actor) (c Choices, err error) {
	if err := a.Need(actor.ManageRosters); err != nil {
		return c, err
	}
	db := s.DB.WithContext(ctx)
	if err := db.Where("closed_at IS NULL").Order("name, id").Find(&c.Chapters).Error; err != nil {
		return c, err
	}
	if err := db.Select("id", "title").Where("state = ?", models.CampaignPublished).Order("created_at DESC, id").Limit(200).Find(&c.Campaigns).Error; err != nil {
		return c, err
	}
	var users []models.User
	if err := db.Where("disabled_at IS NULL AND role IN ?", []string{string(actor.Owner), string(actor.Organizer), string(actor.Coordinator)}).Find(&users).Error; err != nil {
		return c, err
	}
	for _, u := range users {
		name, err := s.Vault.Open("users", "name_sealed", u.ID, u.NameSealed)
		if err != nil {
			return c, err
		}
		c.Contacts = append(c.Contacts, Contact{u.ID, name})
	}
	slices.SortFunc(c.Contacts, func(x, y Contact) int {
		if x.Name < y.Name {
			return -1
		}
		return 1
	})
	return c, nil
}

// Counts are how many people have to do with one date.
type Counts struct {
	Occurrence
	Registered, Onsite, Remote, Waiting, Offered int
	Needs                                        int // told what they need
}

// DatesOf lists the dates of an event from a week ago on, with how many come to each. It needs what Get needs.
func (s *Service) DatesOf(ctx context.Context, a actor.Actor, id uuid.UUID, most int) (models.Event, []Counts, error) {
	e, err := mine(ctx, s.DB.DB, a, id)
	if err != nil {
		return e, nil, err
	}
	dates, err := datesOf(ctx, s.DB.DB, []uuid.UUID{id})
	if err != nil {
		return e, nil, err
	}
	now := s.Clock.Now()
	all := Occurrences(e, dates[id], now.Add(-7*24*time.Hour), now.Add(ahead))
	out := make([]Counts, 0, len(all))
	var rows []models.Registration
	if err := s.DB.WithContext(ctx).Select("occurs_at", "state", "attends", "series", "needs_sealed").Where("event_id = ? AND state <> ?", id, models.RegistrationPending).Find(&rows).Error; err != nil {
		return e, nil, err
	}
	for _, o := range all[:min(most, len(all))] {
		c := Counts{Occurrence: o}
		for _, r := range rows {
			if !r.OccursAt.Equal(o.Original) && (!r.Series || !r.OccursAt.Before(o.Original)) {
				continue
			}
			switch r.State {
			case models.Registered:
				c.Registered++
				if r.Attends == models.AttendsOnsite {
					c.Onsite++
				} else {
					c.Remote++
				}
				if len(r.NeedsSealed) > 0 {
					c.Needs++
				}
			case models.RegistrationWaiting:
				c.Waiting++
			case models.RegistrationOffered:
				c.Offered++
			}
		}
		out = append(out, c)
	}
	return e, out, nil
}

// Person is somebody who comes to a date.
type Person struct {
	Name    string
	Email   string
	State   models.RegistrationState
	Attends models.Attends
	Series  bool
	Locale  string
	Needs   string // PeopleNeeds alone
	Share   bool
}

// People lists who comes to a date by name. It needs what Get needs, and actor.SeeSupporters.
func (s *Service) People(ctx context.Context, a actor.Actor, id uuid.UUID, original time.Time) (models.Event, Occurrence, []Person, error) {
	e, err := mine(ctx, s.DB.DB, a, id)
	if err == nil {
		err = a.Need(actor.SeeSupporters)
	}
	if err != nil {
		return e, Occurrence{}, nil, err
	}
	o, rows, err := s.rowsOf(ctx, e, original)
	if err != nil {
		return e, o, nil, err
	}
	var ids []uuid.UUID
	for _, r := range rows {
		ids = append(ids, r.MailboxID)
	}
	var boxes []models.Mailbox
	if err := database.FindIn(s.DB.WithContext(ctx), "id", ids, &boxes); err != nil {
		return e, o, nil, err
	}
	var out []Person
	for _, r := range rows {
		given, family, err := s.names(r)
		if err != nil {
			return e, o, nil, err
		}
		p := Person{Name: joined(given, family), State: r.State, Attends: r.Attends, Series: r.Series, Locale: r.Locale}
		for _, b := range boxes {
			if b.ID == r.MailboxID {
				if p.Email, err = mailboxes.Address(s.Vault, b); err != nil {
					return e, o, nil, err
				}
			}
		}
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(x, y Person) int {
		if x.State != y.State {
			return order[x.State] - order[y.State]
		}
		if x.Name < y.Name {
			return -1
		}
		return 1
	})
	return e, o, out, nil
}

var order = map[models.RegistrationState]int{models.Registered: 0, models.RegistrationOffered: 1, models.RegistrationWaiting: 2}

func (s *Service) rowsOf(ctx context.Context, e models.Event, original time.Time) (Occurrence, []models.Registration, error) {
	dates, err := datesOf(ctx, s.DB.DB, []uuid.UUID{e.ID})
	if err != nil {
		return Occurrence{}, nil, err
	}
	o, ok := at(e, dates[e.ID], original)
	if !ok {
		return o, nil, unknown()
	}
	var rows []models.Registration
	err = s.DB.WithContext(ctx).Where("event_id = ? AND state <> ? AND (occurs_at = ? OR series = TRUE AND occurs_at < ?)", e.ID, models.RegistrationPending, original, original).Order("created_at, id").Find(&rows).Error
	return o, rows, err
}

// PeopleNeeds lists what those who come to a date need, for the event's access contact and for nobody else, whatever their role: the fault is
// Forbidden, error.event_needs. It needs what Get needs.
func (s *Service) PeopleNeeds(ctx context.Context, a actor.Actor, id uuid.UUID, original time.Time) (models.Event, Occurrence, []Person, error) {
	e, err := mine(ctx, s.DB.DB, a, id)
	if err == nil && !a.Is(e.AccessContactID) {
		err = fault.New(fault.Forbidden, "error.event_needs")
	}
	if err != nil {
		return e, Occurrence{}, nil, err
	}
	o, rows, err := s.rowsOf(ctx, e, original)
	if err != nil {
		return e, o, nil, err
	}
	var out []Person
	for _, r := range rows {
		if len(r.NeedsSealed) == 0 {
			continue
		}
		given, family, err := s.names(r)
		if err != nil {
			return e, o, nil, err
		}
		p := Person{Name: joined(given, family), State: r.State, Attends: r.Attends, Share: r.ShareNeeds}
		if p.Needs, err = s.Vault.Open("registrations", "needs_sealed", r.ID, r.NeedsSealed); err != nil {
			return e, o, nil, err
		}
		out = append(out, p)
	}
	return e, o, out, nil
}

// Preview is an event as everybody will see it, for who works on it. It needs what Get needs.
func (s *Service) Preview(ctx context.Context, a actor.Actor, id uuid.UUID) (View, error) {
	e, err := mine(ctx, s.DB.DB, a, id)
	if err != nil {
		return View{}, err
	}
	return s.view(ctx, e)
}

// Today lists the events that wait for the actor: drafts that were begun for a day that comes near, and published ones whose access sheet
// names nobody who reads what people need.
func (s *Service) Today(ctx context.Context, a actor.Actor) ([]today.Queue, error) {
	if !a.May(actor.ManageRosters) {
		return nil, nil
	}
	now := s.Clock.Now()
	count := func(key, where string, args ...any) (today.Queue, error) {
		q := today.Queue{Key: key, Path: "/admin/events", Minutes: 5, Right: actor.ManageRosters}
		var n int64
		err := s.DB.WithContext(ctx).Model(&models.Event{}).Scopes(chapters.Scope(a, "events.chapter_id")).Where(where, args...).Count(&n).Error
		q.Count = int(n)
		return q, err
	}
	drafts, err := count("events.queue_drafts", "state = ? AND starts_on < ?", models.EventDraft, now.AddDate(0, 0, 21).Format(startLayout))
	if err != nil {
		return nil, err
	}
	contacts, err := count("events.queue_contact", "state = ? AND access_contact_id IS NULL AND (ends_at IS NULL OR ends_at > ?)", models.EventPublished, now)
	return []today.Queue{drafts, contacts}, err
}
