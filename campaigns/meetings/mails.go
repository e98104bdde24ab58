package meetings

import (
	"context"
	"errors"
	"strconv"
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

// KindTeam is the mail to somebody in the team of a meeting: their page, a change, or that it is called off. Its subject is their assignment,
// so that it ends with it.
const KindTeam = "roster_meeting"

// tokenFor is how long the link of a mail works: until a year after. What it opens is gone once the shift is settled.
func (s *Service) tokenFor(assignment uuid.UUID) string {
	return s.Signer.Make(tokens.Cant, assignment, s.Clock.Now().AddDate(1, 0, 0))
}

// tell writes, in tx, to who holds a place of the shifts of a meeting or stands by: once for each revision of the meeting.
func (s *Service) tell(ctx context.Context, tx *gorm.DB, m models.Meeting, shifts []models.Shift, now time.Time) error {
	ids := make([]uuid.UUID, len(shifts))
	for i, sh := range shifts {
		ids[i] = sh.ID
	}
	_, err := s.mailTo(ctx, tx, m, ids, "", now)
	return err
}

func (s *Service) mailTo(ctx context.Context, tx *gorm.DB, m models.Meeting, shifts []uuid.UUID, which string, now time.Time) (int, error) {
	if !ends(m).After(now) {
		return 0, nil
	}
	var people []models.Assignment
	err := tx.WithContext(ctx).Select("id", "mailbox_id").Where("shift_id IN ? AND state <> ? AND mailbox_id IN (SELECT id FROM mailboxes WHERE address_sealed IS NOT NULL)", shifts, models.AssignmentPending).Order("id").Find(&people).Error
	if err != nil {
		return 0, err
	}
	until, n := ends(m), 0
	for _, x := range people {
		fresh, err := deliveries.Insert(ctx, tx, deliveries.New{
			Kind: KindTeam, MailboxID: x.MailboxID, SubjectID: x.ID, Purpose: models.PurposeReceipt, DedupeKey: KindTeam + "/" + x.ID.String() + "/" + strconv.Itoa(m.Revision) + which,
			Priority: models.PriorityReceipt, OnUnknown: models.Resend, ExpiresAt: &until,
		}, now)
		if err != nil {
			return n, err
		}
		if fresh {
			n++
		}
	}
	return n, nil
}

// Send mails the page of their team to everybody who holds a place of a planned meeting of a roster, or stands by for one; who got it in the
// last hour as it is gets no second one. It returns how many mails go. It needs actor.ManageRosters.
func (s *Service) Send(ctx context.Context, a actor.Actor, roster uuid.UUID) (int, error) {
	now, n := s.Clock.Now(), 0
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r, err := changing(ctx, tx.Clauses(forUpdate), a, roster)
		if err != nil {
			return err
		}
		p, err := planOf(ctx, tx, r)
		if err != nil {
			return err
		}
		var list []models.Meeting
		if err := tx.Where("roster_id = ? AND state = ?", r.ID, models.MeetingPlanned).Order("starts_at, id").Find(&list).Error; err != nil {
			return err
		}
		which := "/" + now.UTC().Format("2006-01-02T15")
		for _, m := range list {
			var shifts []uuid.UUID
			if err := tx.Model(&models.Shift{}).Where("team_id = ? AND cancelled_at IS NULL AND settled_at IS NULL", m.TeamID).Pluck("id", &shifts).Error; err != nil {
				return err
			}
			sent, err := s.mailTo(ctx, tx, m, shifts, which, now)
			if err != nil {
				return err
			}
			n += sent
		}
		p.SentAt = &now
		if err := keepPlan(ctx, tx, r, p, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "meetings.send", "rosters", r.ID, map[string]any{"mails": n})
	})
	return n, err
}

// TeamMail is the data of the template roster_meeting. Nothing of it says what the meeting is about.
type TeamMail struct {
	GivenName, Role, Who, When, Own, Where string
	Cancelled                              bool
	PageURL, CantURL                       string
	ContactName, Contact                   string
}

// Renderers makes the content of the mails to teams at the moment they go: register them with deliveries.Service.Handle.
func (s *Service) Renderers() map[string]deliveries.Renderer {
	return map[string]deliveries.Renderer{KindTeam: s.teamMail}
}

func (s *Service) teamMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	gone := fault.New(fault.Gone, "error.mail_gone")
	var x models.Assignment
	err := s.DB.WithContext(ctx).Where("id = ? AND mailbox_id = ? AND state <> ?", d.SubjectID, d.MailboxID, models.AssignmentPending).Take(&x).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return deliveries.Content{}, gone
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	t, err := s.teamOf(ctx, x)
	if fault.Is(err, fault.NotFound) || fault.Is(err, fault.Gone) || err == nil && t.Shift.SettledAt != nil {
		return deliveries.Content{}, gone
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	lang := x.Locale
	m := TeamMail{
		GivenName: t.GivenName, Role: s.Words(lang, "meetings.role_"+roleWord(t.Shift.RoleKind)), Who: t.Who(), Cancelled: t.Meeting.State == models.MeetingCancelled, Where: t.Meeting.Place,
		PageURL: s.BaseURL + "/meetings/" + s.tokenFor(x.ID), CantURL: s.BaseURL + "/cant/" + s.tokenFor(x.ID), ContactName: t.Roster.ContactName, Contact: t.Roster.ContactPhone,
	}
	m.When, m.Own = s.WhenFor(lang, t.Pack, x.TimeZone)
	return deliveries.Content{Template: KindTeam, Lang: lang, Data: m}, nil
}

// When says when a meeting is, in words, in a zone.
func (s *Service) When(lang string, m models.Meeting, zone *time.Location) string {
	from, until := m.StartsAt.In(zone), ends(m).In(zone)
	return s.Words(lang, "meetings.when", "Day", s.Day(lang, from), "From", from.Format("15:04"), "Until", until.Format("15:04"), "Zone", zoneName(zone))
}

// zoneName is a zone as people say it: New York.
func zoneName(zone *time.Location) string {
	name := zone.String()
	return strings.ReplaceAll(name[strings.LastIndexByte(name, '/')+1:], "_", " ")
}

// WhenFor is When in the roster's zone, and in the person's own where that reads otherwise; own is "" where it does not.
func (s *Service) WhenFor(lang string, p Pack, zone string) (when, own string) {
	when = s.When(lang, p.Meeting, Zone(p.Roster))
	if zone == "" {
		return when, ""
	}
	if z, err := time.LoadLocation(zone); err == nil {
		_, here := p.Meeting.StartsAt.In(Zone(p.Roster)).Zone()
		if _, there := p.Meeting.StartsAt.In(z).Zone(); here != there {
			own = s.When(lang, p.Meeting, z)
		}
	}
	return when, own
}
