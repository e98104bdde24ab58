package rosters

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// The mails of the desk: kinds of deliveries. Their subject is the assignment.
const (
	KindPlaced    = "roster_placed"    // put there on their word
	KindChanged   = "roster_changed"   // another time or place
	KindCancelled = "roster_cancelled" // called off
	KindMessage   = "roster_message"   // an organizer's words to who holds places
)

// deskMailKinds are those of which one says what an earlier one said.
var deskMailKinds = []string{KindChanged, KindCancelled}

// Limits of a message, in characters.
const (
	SubjectMax = 120
	MessageMax = 5000
)

// ShiftMail is the data of the templates roster_placed, roster_changed and roster_cancelled.
type ShiftMail struct {
	GivenName string
	Role      string
	Roster    string
	When      string // in words, in the roster's zone, with the person's own beside it where it differs
	Place     string
	Join      string // how to join, for who holds a place
	Standby   bool
	Contact   string // whom to call: name and number
	URL       string // of the roster
	CantURL   string // "I can't today"
	Handover  string
}

// MessageMail is the data of the template roster_message.
type MessageMail struct {
	GivenName, Role, Roster, When, Subject, Text, URL, CantURL string
}

// DeskMails makes the content of each mail of the desk at the moment it goes: register them with deliveries.Service.Handle.
func (s *Service) DeskMails() map[string]deliveries.Renderer {
	return map[string]deliveries.Renderer{KindPlaced: s.shiftMail, KindChanged: s.shiftMail, KindCancelled: s.shiftMail, KindMessage: s.messageMail}
}

// deskMail queues, in tx, a mail about an assignment; the same occasion is told once.
func (s *Service) deskMail(ctx context.Context, tx *gorm.DB, kind string, as models.Assignment, now time.Time, occasion string) error {
	ends := now.Add(72 * time.Hour)
	_, err := deliveries.Insert(ctx, tx, deliveries.New{
		Kind: kind, MailboxID: as.MailboxID, SubjectID: as.ID, Purpose: models.PurposeReceipt, Priority: models.PriorityReceipt, OnUnknown: models.Resend,
		DedupeKey: kind + "/" + as.ID.String() + "/" + occasion, ExpiresAt: &ends,
	}, now)
	return err
}

// deskTell tells everybody on a shift, in tx, what is new; of mails that did not go yet only the newest stays. It returns how many were
// told. Who has no mail address is told by telephone: Phones lists them.
func (s *Service) deskTell(ctx context.Context, tx *gorm.DB, kind string, sh models.Shift, now time.Time) (int, error) {
	var rows []models.Assignment
	if err := tx.WithContext(ctx).Where("shift_id = ? AND state <> ? AND "+mailed, sh.ID, models.AssignmentPending).Order("id").Find(&rows).Error; err != nil || len(rows) == 0 {
		return 0, err
	}
	err := tx.Model(&models.Delivery{}).
		Where("subject_id IN (SELECT id FROM assignments WHERE shift_id = ?) AND kind IN ? AND ended = FALSE AND state IN ?", sh.ID, deskMailKinds, []models.DeliveryState{models.DeliveryQueued, models.DeliveryDeferred}).
		Updates(map[string]any{"state": models.DeliveryExpired, "updated_at": now}).Error
	if err != nil {
		return 0, err
	}
	for _, as := range rows {
		if err := s.deskMail(ctx, tx, kind, as, now, sh.UpdatedAt.Format(time.RFC3339Nano)); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

func deskMailGone() error { return fault.New(fault.Gone, "error.mail_gone") }

// deskMailed reads what a mail is about: an assignment that is there, its shift and its roster.
func (s *Service) deskMailed(ctx context.Context, d models.Delivery) (as models.Assignment, sh models.Shift, r models.Roster, given string, err error) {
	db := s.DB.WithContext(ctx)
	err = db.Where("id = ? AND mailbox_id = ?", d.SubjectID, d.MailboxID).Take(&as).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return as, sh, r, "", deskMailGone()
	}
	if err == nil {
		err = db.Where("id = ?", as.ShiftID).Take(&sh).Error
	}
	if err == nil {
		err = db.Where("id = ?", sh.RosterID).Take(&r).Error
	}
	if err == nil && (sh.SettledAt != nil || sh.EndsAt != nil && !s.Clock.Now().Before(*sh.EndsAt)) {
		err = deskMailGone()
	}
	if err == nil {
		given, err = s.Vault.Open("assignments", "given_name_sealed", as.ID, as.GivenNameSealed)
	}
	return as, sh, r, given, err
}

func (s *Service) deskURL(r models.Roster) string { return s.BaseURL + "/rosters/" + r.Slug }

// deskCantURL is the page of "I can't today" for one assignment; it works until the shift is over.
func (s *Service) deskCantURL(as models.Assignment, sh models.Shift) string {
	until := s.Clock.Now().AddDate(1, 0, 0)
	if sh.EndsAt != nil {
		until = sh.EndsAt.Add(24 * time.Hour)
	}
	return s.BaseURL + "/cant/" + s.Signer.Make(tokens.Cant, as.ID, until)
}

func (s *Service) shiftMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	as, sh, r, given, err := s.deskMailed(ctx, d)
	if err != nil {
		return deliveries.Content{}, err
	}
	if (d.Kind == KindCancelled) != (sh.CancelledAt != nil) {
		return deliveries.Content{}, deskMailGone()
	}
	m := ShiftMail{
		GivenName: given, Role: sh.Role, Roster: r.Title, When: s.deskWhen(as.Locale, sh, r, as), Place: sh.Place, Standby: as.Standby(), Contact: strings.TrimSpace(r.ContactName + " " + r.ContactPhone),
		URL: s.deskURL(r), CantURL: s.deskCantURL(as, sh), Handover: sh.Handover,
	}
	if as.Fills() {
		if m.Join, err = s.Vault.Open("shifts", "join_sealed", sh.ID, sh.JoinSealed); err != nil {
			return deliveries.Content{}, err
		}
	}
	return deliveries.Content{Template: d.Kind, Lang: as.Locale, Data: m}, nil
}

// deskWhen says when a shift is, in words.
func (s *Service) deskWhen(lang string, sh models.Shift, r models.Roster, as models.Assignment) string {
	home := Zone(r)
	out := s.deskSpan(lang, sh, home)
	if out == "" || as.TimeZone == "" || as.TimeZone == r.TimeZone {
		return out
	}
	own, err := time.LoadLocation(as.TimeZone)
	if err != nil {
		return out
	}
	if theirs := s.deskSpan(lang, sh, own); theirs != out {
		return out + " (" + home.String() + "); " + s.Words(lang, "rosterdesk.for_you", "When", theirs)
	}
	return out
}

// deskSpan is when a shift is in a zone: "2027-03-09 10:00 to 10:45" in the words of a language; "" for any time.
func (s *Service) deskSpan(lang string, sh models.Shift, zone *time.Location) string {
	say := func(t time.Time) string {
		t = t.In(zone)
		return s.Words(lang, "rosterdesk.at", "Day", t.Day(), "Month", s.Words(lang, "rosterdesk.month_"+t.Format("1")), "Year", t.Format("2006"), "Time", t.Format("15:04"))
	}
	switch {
	case sh.StartsAt != nil && sh.EndsAt != nil && sh.StartsAt.In(zone).Format(time.DateOnly) == sh.EndsAt.In(zone).Format(time.DateOnly):
		return s.Words(lang, "rosterdesk.span", "From", say(*sh.StartsAt), "Until", sh.EndsAt.In(zone).Format("15:04"))
	case sh.StartsAt != nil && sh.EndsAt != nil:
		return s.Words(lang, "rosterdesk.span", "From", say(*sh.StartsAt), "Until", say(*sh.EndsAt))
	case sh.EndsAt != nil:
		return s.Words(lang, "rosterdesk.by", "Until", say(*sh.EndsAt))
	case sh.StartsAt != nil:
		return s.Words(lang, "rosterdesk.from", "From", say(*sh.StartsAt))
	}
	return s.Words(lang, "rosterdesk.any_time")
}

// MessageInput is a message to who holds places or stands by. The comments name its fields. ShiftID, TeamID or Day says for what; none of
// them is the whole roster.
type MessageInput struct {
	Subject string    // subject
	Body    string    // body: plain text
	ShiftID uuid.UUID // shift
	TeamID  uuid.UUID // team
	Day     string    // day: in the roster's zone
}

func (in *MessageInput) check() (bad fault.Fields) {
	in.Subject = strings.Join(strings.Fields(in.Subject), " ")
	in.Body = strings.TrimSpace(strings.ReplaceAll(in.Body, "\r\n", "\n"))
	if in.Subject == "" {
		bad.Add("subject", "error.rosterdesk_subject_missing")
	}
	if in.Body == "" {
		bad.Add("body", "error.rosterdesk_body_missing")
	}
	deskLength(&bad, "subject", in.Subject, SubjectMax)
	deskLength(&bad, "body", in.Body, MessageMax)
	return bad
}

// deskReach lists one assignment for each mailbox that a message is for: of the shift that comes first.
func (s *Service) deskReach(ctx context.Context, tx *gorm.DB, r models.Roster, in MessageInput) ([]models.Assignment, error) {
	var shifts []models.Shift
	q := tx.WithContext(ctx).Select("id", "kind", "starts_at", "ends_at").Where("roster_id = ? AND cancelled_at IS NULL AND settled_at IS NULL", r.ID)
	switch {
	case in.ShiftID != uuid.Nil:
		q = q.Where("id = ?", in.ShiftID)
	case in.TeamID != uuid.Nil:
		q = q.Where("team_id = ?", in.TeamID)
	}
	if err := q.Order("starts_at, position, id").Find(&shifts).Error; err != nil {
		return nil, err
	}
	now := s.Clock.Now()
	zone := Zone(r)
	var ids []uuid.UUID
	order := map[uuid.UUID]int{}
	for _, sh := range shifts {
		if sh.EndsAt != nil && !now.Before(*sh.EndsAt) || in.Day != "" && (sh.Kind != models.ShiftFixed || !deskOn(sh.Kind, sh.StartsAt, in.Day, zone)) {
			continue
		}
		order[sh.ID] = len(ids)
		ids = append(ids, sh.ID)
	}
	var out []models.Assignment
	best := map[uuid.UUID]int{}
	for start := 0; start < len(ids); start += 500 {
		var rows []models.Assignment
		err := tx.WithContext(ctx).Select("id", "shift_id", "mailbox_id").Where("shift_id IN ? AND state <> ? AND "+mailed, ids[start:min(start+500, len(ids))], models.AssignmentPending).Order("id").Find(&rows).Error
		if err != nil {
			return nil, err
		}
		for _, x := range rows {
			i, there := best[x.MailboxID]
			switch {
			case !there:
				best[x.MailboxID] = len(out)
				out = append(out, x)
			case order[x.ShiftID] < order[out[i].ShiftID]:
				out[i] = x
			}
		}
	}
	return out, nil
}

// Message mails an organizer's words to everybody who holds a place or stands by for a shift, the shifts of a team or of a day, or any of
// the roster: one mail to each. It returns to how many. It needs what Save needs. The faults: Invalid with the fields of MessageInput, and
// Conflict, error.rosterdesk_nobody, where nobody is there.
func (s *Service) Message(ctx context.Context, a actor.Actor, roster uuid.UUID, in MessageInput) (int, error) {
	now, n := s.Clock.Now(), 0
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r, err := deskChanges(ctx, tx, a, roster)
		if err != nil {
			return err
		}
		if err := in.check().Err(); err != nil {
			return err
		}
		rows, err := s.deskReach(ctx, tx, r, in)
		if err != nil {
			return err
		}
		if n = len(rows); n == 0 {
			return fault.New(fault.Conflict, "error.rosterdesk_nobody")
		}
		m := models.RosterMessage{ID: models.NewID(), RosterID: r.ID, Day: in.Day, Subject: in.Subject, Body: in.Body, Recipients: n, CreatedBy: a.Account(), CreatedAt: now}
		if in.ShiftID != uuid.Nil {
			m.ShiftID = &in.ShiftID
		}
		if in.TeamID != uuid.Nil {
			m.TeamID = &in.TeamID
		}
		if err := tx.Create(&m).Error; err != nil {
			return err
		}
		for _, as := range rows {
			if err := s.deskMail(ctx, tx, KindMessage, as, now, m.ID.String()); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "roster.message", "rosters", r.ID, map[string]any{"people": n})
	})
	return n, err
}

func (s *Service) messageMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	as, sh, r, given, err := s.deskMailed(ctx, d)
	if err != nil {
		return deliveries.Content{}, err
	}
	_, last, _ := strings.Cut(strings.TrimPrefix(d.DedupeKey, KindMessage+"/"), "/")
	id, err := uuid.Parse(last)
	if err != nil {
		return deliveries.Content{}, deskMailGone()
	}
	var m models.RosterMessage
	err = s.DB.WithContext(ctx).Where("id = ?", id).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = deskMailGone()
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	return deliveries.Content{Template: d.Kind, Lang: as.Locale, Data: MessageMail{
		GivenName: given, Role: sh.Role, Roster: r.Title, When: s.deskWhen(as.Locale, sh, r, as), Subject: m.Subject, Text: m.Body, URL: s.deskURL(r), CantURL: s.deskCantURL(as, sh),
	}}, nil
}

// Messages lists the newest messages of a roster. It needs what Save needs.
func (s *Service) Messages(ctx context.Context, a actor.Actor, roster uuid.UUID) ([]models.RosterMessage, error) {
	if _, err := deskChanges(ctx, s.DB.DB, a, roster); err != nil {
		return nil, err
	}
	var out []models.RosterMessage
	return out, s.DB.WithContext(ctx).Where("roster_id = ?", roster).Order("created_at DESC, id DESC").Limit(20).Find(&out).Error
}

// CheckMessage says to how many mailboxes a message would go, and sends nothing. It needs what Message needs; the faults are the same.
func (s *Service) CheckMessage(ctx context.Context, a actor.Actor, roster uuid.UUID, in MessageInput) (int, error) {
	r, err := deskChanges(ctx, s.DB.DB, a, roster)
	if err != nil {
		return 0, err
	}
	if err := in.check().Err(); err != nil {
		return 0, err
	}
	rows, err := s.deskReach(ctx, s.DB.DB, r, in)
	if err == nil && len(rows) == 0 {
		err = fault.New(fault.Conflict, "error.rosterdesk_nobody")
	}
	return len(rows), err
}
