package events

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// Coming is what somebody sees who is registered, by a mailed link. It may have been passed on: of the person it says the given name alone.
type Coming struct {
	Event     models.Event
	Date      Occurrence
	Reg       models.Registration
	GivenName string
	Join      string // how to join; "" before a place is theirs
	Dial      string
	When      string // in the event's zone
	Yours     string // where they live, where that differs; "" otherwise
	Needs     bool   // they told what they need
	Over      bool
	Access    Access
	Looked    bool
	Token     string
}

// Has reports whether a place is theirs.
func (c Coming) Has() bool { return c.Reg.State == models.Registered }

// token is the link of a registration: until its date is over and a while longer.
func (s *Service) token(r models.Registration, o Occurrence) string {
	until := o.End.Add(keepFor)
	if r.Series {
		until = s.Clock.Now().Add(ahead)
	}
	return s.Signer.Make(tokens.Coming, r.ID, until)
}

func gone() error { return fault.New(fault.Gone, "error.event_coming_gone") }

// read finds the registration of a link. The faults are those of tokens.Signer.Read, and Gone, error.event_coming_gone.
func (s *Service) read(ctx context.Context, tx *gorm.DB, token string) (models.Registration, error) {
	var r models.Registration
	id, err := s.Signer.Read(tokens.Coming, token, s.Clock.Now())
	if err != nil {
		return r, err
	}
	err = tx.WithContext(ctx).Where("id = ? AND state <> ?", id, models.RegistrationPending).Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = gone()
	}
	return r, err
}

// Coming reads the page of a registration, and changes nothing. Whoever has the link may read it. The faults are those of
// tokens.Signer.Read, and Gone, error.event_coming_gone, where nobody is registered by it any more.
func (s *Service) Coming(ctx context.Context, token, lang string) (Coming, error) {
	r, err := s.read(ctx, s.DB.DB, token)
	if err != nil {
		return Coming{}, err
	}
	c, err := s.coming(ctx, s.DB.DB, r, lang)
	c.Token = token
	return c, err
}

func (s *Service) coming(ctx context.Context, tx *gorm.DB, r models.Registration, lang string) (Coming, error) {
	c := Coming{Reg: r, Needs: len(r.NeedsSealed) > 0}
	var err error
	if c.Event, err = take(ctx, tx, "id = ?", r.EventID); err != nil {
		return c, err
	}
	dates, err := datesOf(ctx, tx, []uuid.UUID{r.EventID})
	if err != nil {
		return c, err
	}
	var ok bool
	if c.Date, ok = at(c.Event, dates[r.EventID], r.OccursAt); !ok {
		return c, gone()
	}
	now := s.Clock.Now()
	c.Over = !now.Before(c.Date.End)
	c.When, c.Yours = s.When(lang, c.Date, Zone(c.Event)), s.yours(lang, r, c.Event, c.Date)
	c.Access, c.Looked = ReadAccess(c.Event)
	if c.GivenName, err = s.Vault.Open("registrations", "given_name_sealed", r.ID, r.GivenNameSealed); err != nil {
		return c, err
	}
	if c.Has() && !c.Date.Off && c.Event.State != models.EventCancelled {
		c.Join, c.Dial, err = s.ways(c.Event)
	}
	return c, err
}

// Cant lets a registration go by its link: the row goes, its mails that did not go end, and a place that comes free is offered to who waits.
// With once, whoever comes to all dates stays away from the next one only. Pressing twice lets go once. The drop is the beginning of the
// addresses whose kept pages changed. Whoever has the link may call it, until the date is over. The faults are those of
// tokens.Signer.Read.
func (s *Service) Cant(ctx context.Context, token string, once bool) error {
	id, err := s.Signer.Read(tokens.Coming, token, s.Clock.Now())
	if err != nil {
		return err
	}
	return s.letGo(ctx, "id = ?", []any{id}, once)
}

// CantFrom is Cant for the person's own page: for a registration of one of their mailboxes.
func (s *Service) CantFrom(ctx context.Context, boxes []uuid.UUID, id uuid.UUID) error {
	return s.letGo(ctx, "id = ? AND mailbox_id IN ?", []any{id, boxes}, false)
}

func (s *Service) letGo(ctx context.Context, where string, args []any, once bool) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		tx = tx.WithContext(ctx)
		var rows []models.Registration
		if err := tx.Where(where, args...).Find(&rows).Error; err != nil || len(rows) == 0 {
			return err
		}
		e, err := hold(ctx, tx, rows[0].EventID)
		if err != nil {
			return err
		}
		// Somebody may have been quicker while this waited for the event.
		rows = nil
		if err := tx.Where(where, args...).Find(&rows).Error; err != nil || len(rows) == 0 {
			return err
		}
		r := rows[0]
		all, err := datesOf(ctx, tx, []uuid.UUID{e.ID})
		if err != nil {
			return err
		}
		dates := all[e.ID]
		if once && r.Series {
			if moved, err := s.onward(tx, e, dates, r, now); err != nil || moved {
				return err
			}
		}
		if err := drop(ctx, tx, []models.Registration{r}, now); err != nil {
			return err
		}
		if o, ok := at(e, dates, r.OccursAt); ok {
			return s.fill(ctx, tx, e, o, now)
		}
		return nil
	})
}

// onward moves in tx a registration for all dates to the next one that takes place after its own, and reports false where there is none.
func (s *Service) onward(tx *gorm.DB, e models.Event, dates []models.EventDate, r models.Registration, now time.Time) (bool, error) {
	from := now
	if o, ok := at(e, dates, r.OccursAt); ok && o.End.After(from) {
		from = o.End
	}
	for _, o := range Occurrences(e, dates, from, from.Add(ahead)) {
		if o.Off || !o.Original.After(r.OccursAt) {
			continue
		}
		ended := tx.Model(&models.Delivery{}).Where("subject_id = ? AND mailbox_id = ? AND state IN ?", r.ID, r.MailboxID, []models.DeliveryState{models.DeliveryQueued, models.DeliveryDeferred}).
			Updates(map[string]any{"state": models.DeliveryExpired, "updated_at": now}).Error
		if ended != nil {
			return false, ended
		}
		return true, tx.Model(&models.Registration{}).Where("id = ?", r.ID).Updates(map[string]any{"occurs_at": o.Original, "reminded_at": nil, "updated_at": now}).Error
	}
	return false, nil
}

// Accept takes the place that is kept for somebody who waited. Pressing twice takes one. Whoever has the link may call it. The faults are
// those of Coming, and Conflict, error.event_full, where it was too late: they wait on.
func (s *Service) Accept(ctx context.Context, token string) error {
	now := s.Clock.Now()
	var late error
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		tx, late = tx.WithContext(ctx), nil
		r, err := s.read(ctx, tx, token)
		if err != nil {
			return err
		}
		e, err := hold(ctx, tx, r.EventID)
		if err != nil {
			return err
		}
		if r, err = s.read(ctx, tx, token); err != nil {
			return err
		}
		all, err := datesOf(ctx, tx, []uuid.UUID{e.ID})
		if err != nil {
			return err
		}
		o, ok := at(e, all[e.ID], r.OccursAt)
		if !ok || o.Off || e.State != models.EventPublished || !now.Before(o.End) {
			return gone()
		}
		if r.State != models.RegistrationOffered {
			if r.State == models.RegistrationWaiting {
				late = fault.New(fault.Conflict, "error.event_full")
			}
			return nil
		}
		if limited(e, r.Attends) {
			n, err := taken(ctx, tx, e, r.OccursAt, r.ID, now)
			if err != nil {
				return err
			}
			if n >= e.Capacity {
				late = fault.New(fault.Conflict, "error.event_full")
				return tx.Model(&models.Registration{}).Where("id = ?", r.ID).Updates(map[string]any{"state": models.RegistrationWaiting, "offered_until": nil, "updated_at": now}).Error
			}
		}
		r.State, r.OfferedUntil, r.UpdatedAt = models.Registered, nil, now
		if err := tx.Select("state", "offered_until", "updated_at").Updates(&r).Error; err != nil {
			return err
		}
		return s.mail(ctx, tx, KindReceipt, r, r.ID, now, o.End, "taken/"+Stamp(now), now)
	})
	if err == nil {
		err = late
	}
	return err
}

// SetNeeds writes what somebody needs to take part over what they told before; "" forgets it. needsText are the words beside the box, exactly
// as they were shown. Whoever has the link may call it. The faults are those of Coming, and Invalid with the field needs.
func (s *Service) SetNeeds(ctx context.Context, token, needs string, share bool, needsText string) error {
	in := RegisterInput{GivenName: "-", Needs: needs}
	bad := slices.DeleteFunc(in.check(models.Event{}, nil), func(f fault.Field) bool { return f.Name != "needs" })
	if err := bad.Err(); err != nil {
		return err
	}
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		tx = tx.WithContext(ctx)
		r, err := s.read(ctx, tx, token)
		if err != nil {
			return err
		}
		set := map[string]any{"needs_sealed": nil, "share_needs": false, "consent_text_id": nil, "updated_at": r.UpdatedAt}
		if in.Needs != "" {
			t, err := consents.Text(ctx, tx, purposeNeeds, r.Locale, needsText, now)
			if err != nil {
				return err
			}
			set["needs_sealed"], set["share_needs"], set["consent_text_id"] = s.Vault.Seal("registrations", "needs_sealed", r.ID, in.Needs), share, t.ID
		}
		return tx.Model(&models.Registration{}).Where("id = ?", r.ID).Updates(set).Error
	})
}

// File is the calendar file of a registration. The faults are those of Coming.
func (s *Service) File(ctx context.Context, token string) ([]byte, error) {
	c, err := s.Coming(ctx, token, "")
	if err != nil {
		return nil, err
	}
	entry, err := s.ownEntry(ctx, c)
	if err != nil {
		return nil, err
	}
	return Calendar("", []Entry{entry}, s.Clock.Now()), nil
}

// Attachment is the calendar file that goes with a mail about a registration.
func (s *Service) Attachment(ctx context.Context, registration uuid.UUID) ([]byte, error) {
	var r models.Registration
	if err := s.DB.WithContext(ctx).Where("id = ?", registration).Take(&r).Error; err != nil {
		return nil, err
	}
	c, err := s.coming(ctx, s.DB.DB, r, r.Locale)
	if err != nil {
		return nil, err
	}
	c.Token = s.token(r, c.Date)
	entry, err := s.ownEntry(ctx, c)
	if err != nil {
		return nil, err
	}
	return Calendar("", []Entry{entry}, s.Clock.Now()), nil
}

// Own is a registration that somebody's own page tells of.
type Own struct {
	ID    uuid.UUID
	State models.RegistrationState
	Title string
	Lang  string
	Start time.Time
	When  string
	Path  string // its page
}

// OwnOf lists what the people of mailboxes are registered for and is not over, the soonest first. The caller shows it to the person alone.
func (s *Service) OwnOf(ctx context.Context, boxes []uuid.UUID, lang string) ([]Own, error) {
	all, err := s.comingOf(ctx, boxes, lang)
	var out []Own
	for _, c := range all {
		out = append(out, Own{ID: c.Reg.ID, State: c.Reg.State, Title: c.Event.Title, Lang: c.Event.Locale, Start: c.Date.Start, When: c.When, Path: "/coming/" + c.Token})
	}
	return out, err
}

// comingOf reads the registrations of mailboxes for what is not over.
func (s *Service) comingOf(ctx context.Context, boxes []uuid.UUID, lang string) ([]Coming, error) {
	if len(boxes) == 0 {
		return nil, nil
	}
	var rows []models.Registration
	if err := s.DB.WithContext(ctx).Where("mailbox_id IN ? AND state <> ?", boxes, models.RegistrationPending).Order("occurs_at, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	var out []Coming
	for _, r := range rows {
		c, err := s.coming(ctx, s.DB.DB, r, lang)
		if fault.Is(err, fault.Gone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if c.Over || c.Event.State == models.EventCancelled || c.Date.Off {
			continue
		}
		c.Token = s.token(r, c.Date)
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b Coming) int { return a.Date.Start.Compare(b.Date.Start) })
	return out, nil
}
