package rosters

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// The mails to people on a roster: kinds of deliveries. Their subject is the assignment, but for that of KindLetGo: the shift. Each begins
// with "roster_", by which those of rows that are gone are found.
const (
	KindReceipt  = "roster_receipt"
	KindReminder = "roster_reminder"
	KindLetGo    = "roster_let_go" // answers who let go by mail
)

// PlaceKinds are the mails about a place that somebody holds or stands by for. Their subject is the assignment, and an answer that says "I can't
// today" lets it go.
var PlaceKinds = []string{KindReceipt, KindReminder, KindPlaced, KindChanged, KindMessage, KindOfferYes}

// TakingMails makes the content of the mails to people on a roster at the moment it goes: register them with deliveries.Service.Handle.
func (s *Service) TakingMails() map[string]deliveries.Renderer {
	return map[string]deliveries.Renderer{confirmations.RosterConfirm: s.takeConfirmMail, KindReceipt: s.placeMail, KindReminder: s.placeMail, KindLetGo: s.letGoMail}
}

// RosterConfirmMail is the data of the template roster_confirm. Nothing that was typed stands here.
type RosterConfirmMail struct {
	Role, Roster, When string
	Standby            bool
	Minutes            int // that the place is kept
	confirmations.Links
}

// PlaceMail is the data of the templates roster_receipt and roster_reminder.
type PlaceMail struct {
	GivenName, Role, Roster string
	As                      models.PlaceAs
	When, Own               string // Own: where the person is, "" where that reads the same
	Where                   string // "" where it is done from home
	ContactName, Contact    string
	PlaceURL                string // what they need to know, how to join
	CantURL                 string
	NeverURL                string
	FeedURL                 string
	MeURL                   string
	Answers                 bool // what they answer is read, so that words do as well as the link
	Calendar                bool // a calendar file is beside
}

// Stands reports whether the person stands by.
func (m PlaceMail) Stands() bool { return m.As == models.AsStandby || m.As == models.AsUnderstudy }

// LetGoMail is the data of the template roster_let_go.
type LetGoMail struct{ Role, URL string }

// takeUnsent deletes in tx the mails to a mailbox about something, but for one that is on its way.
func takeUnsent(tx *gorm.DB, box, subject uuid.UUID) error {
	return tx.Where("subject_id = ? AND mailbox_id = ? AND state NOT IN ?", subject, box, []models.DeliveryState{models.DeliverySending}).Delete(&models.Delivery{}).Error
}

// taken reads the assignment that a delivery is about, with its shift.
func (s *Service) taken(ctx context.Context, d models.Delivery) (a models.Assignment, o OnOffer, err error) {
	err = s.DB.WithContext(ctx).Where("id = ? AND mailbox_id = ?", d.SubjectID, d.MailboxID).Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return a, o, fault.New(fault.Gone, "error.mail_gone")
	}
	if err != nil {
		return a, o, err
	}
	list, err := s.takeOffered(ctx, s.DB.DB, []uuid.UUID{a.ShiftID}, s.Clock.Now())
	if err != nil {
		return a, o, err
	}
	if o = list[0]; o.CancelledAt != nil || o.SettledAt != nil {
		return a, o, fault.New(fault.Gone, "error.mail_gone")
	}
	return a, o, nil
}

func (s *Service) takeConfirmMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	a, o, err := s.taken(ctx, d)
	if err == nil && a.State != models.AssignmentPending {
		err = fault.New(fault.Gone, "error.mail_gone")
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	now := s.Clock.Now()
	m := RosterConfirmMail{
		Role: o.Role, Roster: o.Roster.Title, Standby: a.Standby(), Minutes: int(TakePendingFor.Minutes()),
		Links: confirmations.LinksOf(s.Signer, s.BaseURL, a.MailboxID, a.ID, now.Add(takeConfirmFor), now),
	}
	m.When = s.When(a.Locale, o.Shift, a.StartsAt, ZoneOf(o.Roster))
	return deliveries.Content{Template: confirmations.RosterConfirm, Lang: a.Locale, Data: m}, nil
}

func (s *Service) placeMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	a, o, err := s.taken(ctx, d)
	if err == nil && (a.State == models.AssignmentPending || d.Kind == KindReminder && over(o.Shift, s.Clock.Now())) {
		err = fault.New(fault.Gone, "error.mail_gone")
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	p, err := s.takeSaid(a)
	if err != nil {
		return deliveries.Content{}, err
	}
	token := s.CantToken(a)
	m := PlaceMail{
		GivenName: p.GivenName, Role: o.Role, Roster: o.Roster.Title, As: a.AsWhat, Where: o.Place, ContactName: o.Roster.ContactName, Contact: o.Roster.ContactPhone,
		PlaceURL: s.BaseURL + "/places/" + token, CantURL: s.BaseURL + "/cant/" + token, NeverURL: s.BaseURL + "/cant/" + token + "/never", FeedURL: s.FeedURL(a.MailboxID), MeURL: s.BaseURL + "/me",
	}
	m.When, m.Own = s.WhenFor(a.Locale, o.Roster, o.Shift, a.StartsAt, a.TimeZone)
	if m.Answers, err = s.answers(ctx); err != nil {
		return deliveries.Content{}, err
	}
	c := deliveries.Content{Template: d.Kind, Lang: a.Locale, Answers: m.Answers}
	if d.Kind == KindReceipt && !a.Standby() {
		if file := s.calendar([]takeOwn{{a, o}}, a.Locale); file != "" {
			m.Calendar = true
			c.Attachments = []deliveries.Attachment{{Name: "place.ics", Type: "text/calendar; method=PUBLISH; charset=UTF-8", Data: []byte(file)}}
		}
	}
	c.Data = m
	return c, nil
}

// answers reports whether mail that people answer is read here.
func (s *Service) answers(ctx context.Context) (bool, error) {
	if s.Answers == nil {
		return false, nil
	}
	address, err := s.Answers(ctx)
	return address != "", err
}

func (s *Service) letGoMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	o, err := s.PublicShift(ctx, d.SubjectID)
	if fault.Is(err, fault.NotFound) {
		err = fault.New(fault.Gone, "error.mail_gone")
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	var spoken []string
	err = s.DB.WithContext(ctx).Table("supporters p").Joins("JOIN mailboxes m ON m.supporter_id = p.id").Where("m.id = ? AND p.locale <> ''", d.MailboxID).Pluck("p.locale", &spoken).Error
	lang := o.Roster.Locale
	if len(spoken) > 0 {
		lang = spoken[0]
	}
	return deliveries.Content{Template: KindLetGo, Lang: lang, Data: LetGoMail{o.Role, s.BaseURL + "/shifts/" + o.ID.String()}}, err
}

// CantToken is what opens the pages of an assignment, for whom it was mailed to: it works until a year after.
func (s *Service) CantToken(a models.Assignment) string {
	return s.Signer.Make(tokens.Cant, a.ID, s.Clock.Now().AddDate(1, 0, 0))
}

// FeedURL is the calendar of a mailbox's own places. It goes to its own address and nowhere else.
func (s *Service) FeedURL(box uuid.UUID) string {
	return s.BaseURL + "/feeds/" + s.Signer.MakeForever(tokens.Feed, box) + ".ics"
}

// host is the site's name, for ids that are the same everywhere.
func (s *Service) host() string {
	_, host, ok := strings.Cut(s.BaseURL, "://")
	if !ok {
		return s.BaseURL
	}
	return host
}
