package rosters

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/paging"
	"kithline/models"
)

// Limits of what a roster says, in characters.
const (
	TitleMax   = 80
	SummaryMax = 300
	BodyMax    = 10000
	contactMax = 80
	phoneMax   = 40
)

// Draft is everything about a roster that its page lets an organizer write. The comments name its fields.
type Draft struct {
	Title        string     // title
	Summary      string     // summary_text
	Body         string     // body: Markdown
	Locale       string     // locale
	Zone         string     // time_zone: IANA name
	ContactName  string     // contact_name
	ContactPhone string     // contact_phone
	Opens        Local      // opens: in the zone; empty: at once
	ChapterID    *uuid.UUID // chapter
	CampaignID   *uuid.UUID // campaign
	EventID      *uuid.UUID // event: when it is called off, nobody is looked for
	Template     bool       // template
}

// SaveInput is a draft as it was typed over the revision that the page showed.
type SaveInput struct {
	Draft
	Revision int
}

// DraftOf is what a roster says, as a draft.
func DraftOf(r models.Roster) Draft {
	return Draft{
		Title: r.Title, Summary: r.Summary, Body: r.Body, Locale: r.Locale, Zone: r.TimeZone, ContactName: r.ContactName, ContactPhone: r.ContactPhone, Opens: LocalOf(r.OpensAt, Zone(r)),
		ChapterID: r.ChapterID, CampaignID: r.CampaignID, EventID: r.EventID, Template: r.Template,
	}
}

// Zone is the time zone that a roster's times are said in, UTC where it cannot be loaded.
func Zone(r models.Roster) *time.Location {
	z, err := time.LoadLocation(r.TimeZone)
	if err != nil {
		return time.UTC
	}
	return z
}

// Changes reports whether the actor may change a roster, and see who holds its places: a chapter's account changes those of its chapter.
func Changes(a actor.Actor, r models.Roster) bool {
	return a.May(actor.ManageRosters) && chapters.May(a, r.ChapterID)
}

func deskUnknown() error { return fault.New(fault.NotFound, "error.rosterdesk_unknown") }

// deskSees takes a roster that the actor may see: all of the organisation's, and those of their chapter.
func deskSees(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Roster, error) {
	var r models.Roster
	if err := a.Need(actor.ManageRosters); err != nil {
		return r, err
	}
	err := tx.WithContext(ctx).Where("id = ?", id).Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return r, deskUnknown()
	}
	if err == nil && r.ChapterID != nil && !chapters.May(a, r.ChapterID) {
		return models.Roster{}, deskUnknown()
	}
	return r, err
}

// deskChanges takes a roster that the actor may change.
func deskChanges(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Roster, error) {
	r, err := deskSees(ctx, tx, a, id)
	if err == nil && !Changes(a, r) {
		return models.Roster{}, fault.New(fault.Forbidden, "error.rosterdesk_whole")
	}
	return r, err
}

// deskShift holds a shift of a roster that the actor may change, for the rest of tx.
func deskShift(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Roster, models.Shift, error) {
	sh, err := hold(ctx, tx, id)
	if err != nil {
		return models.Roster{}, sh, err
	}
	r, err := deskChanges(ctx, tx, a, sh.RosterID)
	return r, sh, err
}

// Listed is a roster in a list.
type Listed struct {
	models.Roster
	Shifts  int
	FirstAt *time.Time // when its first shift begins
}

// List is a page of rosters, newest first. It needs actor.ManageRosters; a chapter's account sees its own and the whole organisation's.
func (s *Service) List(ctx context.Context, a actor.Actor, after paging.Cursor) (paging.Page[Listed], error) {
	if err := a.Need(actor.ManageRosters); err != nil {
		return paging.Page[Listed]{}, err
	}
	q := s.DB.WithContext(ctx).Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if c := a.Chapter(); c != nil {
		q = q.Where("(chapter_id IS NULL OR chapter_id = ?)", *c)
	}
	if !after.First() {
		q = q.Where("(created_at, id) < (?, ?)", after.At, after.ID)
	}
	var rows []models.Roster
	if err := q.Find(&rows).Error; err != nil {
		return paging.Page[Listed]{}, err
	}
	out := make([]Listed, len(rows))
	ids := make([]uuid.UUID, len(rows))
	at := map[uuid.UUID]int{}
	for i, r := range rows {
		out[i].Roster, ids[i], at[r.ID] = r, r.ID, i
	}
	var shifts []struct {
		RosterID uuid.UUID
		StartsAt *time.Time
	}
	err := s.DB.WithContext(ctx).Model(&models.Shift{}).Select("roster_id, starts_at").Where("roster_id IN ? AND cancelled_at IS NULL", ids).Scan(&shifts).Error
	if err != nil {
		return paging.Page[Listed]{}, err
	}
	for _, x := range shifts {
		l := &out[at[x.RosterID]]
		l.Shifts++
		if x.StartsAt != nil && (l.FirstAt == nil || x.StartsAt.Before(*l.FirstAt)) {
			l.FirstAt = x.StartsAt
		}
	}
	return paging.Cut(out, paging.Size, func(l Listed) paging.Cursor { return paging.Cursor{At: l.CreatedAt, ID: l.ID} }), nil
}

// Get returns a roster for who works on it. It needs actor.ManageRosters; the fault is NotFound, error.rosterdesk_unknown, also for one of
// another chapter.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Roster, error) {
	return deskSees(ctx, s.DB.DB, a, id)
}

// Create makes the draft of a roster. It needs actor.ManageRosters; a chapter's account makes it for its chapter. The fault is Invalid with
// the fields of Draft.
func (s *Service) Create(ctx context.Context, a actor.Actor, in Draft) (models.Roster, error) {
	if err := a.Need(actor.ManageRosters); err != nil {
		return models.Roster{}, err
	}
	if in.Zone == "" {
		org, err := s.Organisation.Current(ctx)
		if err != nil {
			return models.Roster{}, err
		}
		in.Zone = org.TimeZone
	}
	now := s.Clock.Now()
	r := models.Roster{ID: models.NewID(), State: models.RosterDraft, Revision: 1, CreatedBy: a.Account(), ChapterID: a.Chapter(), CreatedAt: now, UpdatedAt: now}
	r.Slug = campaigns.DraftSlug(r.ID)
	bad := in.check(&r)
	if r.Title == "" {
		bad.Add("title", "error.title_missing")
	}
	if err := bad.Err(); err != nil {
		return r, err
	}
	return r, s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := deskBelongs(ctx, tx, a, in, &r); err != nil {
			return err
		}
		if err := tx.Create(&r).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "roster.create", "rosters", r.ID, nil)
	})
}

// check trims a draft, writes it into a roster and notes what cannot be stored as it is.
func (d Draft) check(r *models.Roster) (bad fault.Fields) {
	one := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	r.Title, r.Summary, r.Body = one(d.Title), strings.TrimSpace(d.Summary), strings.TrimSpace(strings.ReplaceAll(d.Body, "\r\n", "\n"))
	r.ContactName, r.ContactPhone, r.Locale, r.TimeZone, r.Template = one(d.ContactName), one(d.ContactPhone), d.Locale, d.Zone, d.Template
	for _, x := range []struct {
		field, v string
		most     int
	}{{"title", r.Title, TitleMax}, {"summary_text", r.Summary, SummaryMax}, {"body", r.Body, BodyMax}, {"contact_name", r.ContactName, contactMax}, {"contact_phone", r.ContactPhone, phoneMax}} {
		deskLength(&bad, x.field, x.v, x.most)
	}
	if !slices.Contains(organisation.Languages, d.Locale) {
		bad.Add("locale", "error.value_unknown")
	}
	zone, err := time.LoadLocation(d.Zone)
	if err != nil || d.Zone == "" || d.Zone == "Local" {
		bad.Add("time_zone", "error.rosterdesk_zone")
		return bad
	}
	r.OpensAt = d.Opens.in(zone, "opens", &bad)
	return bad
}

func deskLength(bad *fault.Fields, field, v string, most int) {
	if n := utf8.RuneCountInString(v); n > most {
		bad.Add(field, "error.text_too_long", "Max", most, "Over", n-most)
	}
}

// deskBelongs writes into a roster the chapter, the campaign and the event that the actor may choose.
func deskBelongs(ctx context.Context, tx *gorm.DB, a actor.Actor, d Draft, r *models.Roster) error {
	var n int64
	if a.Chapter() == nil {
		if d.ChapterID != nil && (r.ChapterID == nil || *r.ChapterID != *d.ChapterID) {
			if err := tx.WithContext(ctx).Model(&models.Chapter{}).Where("id = ? AND closed_at IS NULL", *d.ChapterID).Count(&n).Error; err != nil {
				return err
			}
			if n == 0 {
				return fault.Fields{{Name: "chapter", Key: "error.value_unknown"}}.Err()
			}
		}
		r.ChapterID = d.ChapterID
	}
	if d.CampaignID != nil && (r.CampaignID == nil || *r.CampaignID != *d.CampaignID) {
		if err := tx.WithContext(ctx).Model(&models.Campaign{}).Where("id = ?", *d.CampaignID).Count(&n).Error; err != nil {
			return err
		}
		if n == 0 {
			return fault.Fields{{Name: "campaign", Key: "error.value_unknown"}}.Err()
		}
	}
	if d.EventID != nil && (r.EventID == nil || *r.EventID != *d.EventID) {
		if err := deskEvents(tx.WithContext(ctx).Model(&models.Event{}), a).Where("id = ?", *d.EventID).Count(&n).Error; err != nil {
			return err
		}
		if n == 0 {
			return fault.Fields{{Name: "event", Key: "error.value_unknown"}}.Err()
		}
	}
	r.CampaignID, r.EventID = d.CampaignID, d.EventID
	return nil
}

// deskEvents narrows events to those that a roster of the actor's can be of: their chapter's and the whole organisation's.
func deskEvents(tx *gorm.DB, a actor.Actor) *gorm.DB {
	tx = tx.Where("state <> ?", models.EventCancelled)
	if c := a.Chapter(); c != nil {
		tx = tx.Where("chapter_id IS NULL OR chapter_id = ?", *c)
	}
	return tx
}

// Save keeps a roster. Nothing is kept when it cannot be stored as it is (Invalid, with fields) or when another page changed it since
// (Conflict, error.rosterdesk_changed: what is stored comes back beside it). It needs actor.ManageRosters, of the roster's chapter; the fault is
// Forbidden, error.rosterdesk_whole, for one that a chapter's account may only see.
func (s *Service) Save(ctx context.Context, a actor.Actor, id uuid.UUID, in SaveInput) (models.Roster, error) {
	now := s.Clock.Now()
	var r models.Roster
	err := s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		if r, err = deskChanges(ctx, tx.Clauses(forUpdate), a, id); err != nil {
			return err
		}
		if r.Revision != in.Revision {
			return fault.New(fault.Conflict, "error.rosterdesk_changed")
		}
		to := r
		bad := in.check(&to)
		if r.State != models.RosterDraft {
			if to.Title == "" {
				bad.Add("title", "error.title_missing")
			}
			if to.Template {
				bad.Add("template", "error.rosterdesk_template_public")
			}
		}
		if err := bad.Err(); err != nil {
			return err
		}
		if err := deskBelongs(ctx, tx, a, in.Draft, &to); err != nil {
			return err
		}
		to.Revision, to.UpdatedAt = r.Revision+1, now
		r = to
		if err := tx.WithContext(ctx).Select("*").Updates(&r).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "roster.save", "rosters", id, map[string]any{"revision": r.Revision})
	})
	return r, err
}

// Choices is what a roster can belong to.
type Choices struct {
	Chapters  []models.Chapter
	Campaigns []models.Campaign
	Events    []models.Event
}

// Choices lists what a roster can belong to. It needs actor.ManageRosters.
func (s *Service) Choices(ctx context.Context, a actor.Actor) (c Choices, err error) {
	if err := a.Need(actor.ManageRosters); err != nil {
		return c, err
	}
	db := s.DB.WithContext(ctx)
	if err := db.Scopes(chapters.Scope(a, "id")).Where("closed_at IS NULL").Order("name, id").Find(&c.Chapters).Error; err != nil {
		return c, err
	}
	err = db.Select("id", "title").Where("state = ?", models.CampaignPublished).Order("created_at DESC, id").Limit(200).Find(&c.Campaigns).Error
	if err != nil {
		return c, err
	}
	err = deskEvents(db, a).Select("id", "title", "starts_on").Where("state <> ?", models.EventClosed).Order("starts_on DESC, id").Limit(200).Find(&c.Events).Error
	return c, err
}

// SetState publishes a roster, closes it or opens it again. When it first opens its address is fixed. Nothing is published without a title,
// a shift, and what each shift takes. It needs what Save needs. The fault is Invalid with the fields title, template, shifts, effort and
// state.
func (s *Service) SetState(ctx context.Context, a actor.Actor, id uuid.UUID, state models.RosterState) (models.Roster, error) {
	now := s.Clock.Now()
	var r models.Roster
	err := s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		if r, err = deskChanges(ctx, tx.Clauses(forUpdate), a, id); err != nil || r.State == state {
			return err
		}
		verb := "roster.publish"
		switch state {
		case models.RosterPublished:
			if err := deskReady(ctx, tx, r); err != nil {
				return err
			}
			if r.State == models.RosterDraft {
				if r.Slug, err = campaigns.FreeSlug(ctx, tx, &models.Roster{}, r.Title, r.ID); err != nil {
					return err
				}
				r.PublishedAt = &now
			} else {
				verb = "roster.reopen"
			}
			r.ClosedAt = nil
		case models.RosterClosed:
			if r.State == models.RosterDraft {
				return fault.Fields{{Name: "state", Key: "error.value_unknown"}}.Err()
			}
			verb, r.ClosedAt = "roster.close", &now
		default:
			return fault.Fields{{Name: "state", Key: "error.value_unknown"}}.Err()
		}
		r.State, r.UpdatedAt, r.Revision = state, now, r.Revision+1
		if err := tx.WithContext(ctx).Select("*").Updates(&r).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, verb, "rosters", id, nil)
	})
	return r, err
}

// deskReady notes what a roster lacks to be published.
func deskReady(ctx context.Context, tx *gorm.DB, r models.Roster) error {
	var bad fault.Fields
	if r.Title == "" {
		bad.Add("title", "error.title_missing")
	}
	if r.Template {
		bad.Add("template", "error.rosterdesk_template_public")
	}
	var shifts []models.Shift
	if err := tx.WithContext(ctx).Select("id", "role", "minutes", "energy").Where("roster_id = ? AND cancelled_at IS NULL", r.ID).Order("position, id").Find(&shifts).Error; err != nil {
		return err
	}
	if len(shifts) == 0 {
		bad.Add("shifts", "error.rosterdesk_no_shifts")
	}
	for _, sh := range shifts {
		if sh.Minutes == 0 || sh.Energy == 0 {
			bad.Add("effort", "error.rosterdesk_no_effort", "Role", sh.Role)
			break
		}
	}
	return bad.Err()
}
