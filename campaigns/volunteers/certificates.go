package volunteers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/print"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// Limits of certificates.
const (
	RoleMax     = 150 // characters
	minutesMost = 24 * 60
	askedMost   = 20 // that wait at one mailbox
	backMost    = 366
)

// AskInput is what somebody asks a certificate for. The comments name its fields.
type AskInput struct {
	Name    string    // name: as it is to stand there
	Role    string    // role
	On      string    // on: the day, 2006-01-02
	Minutes int       // minutes
	Shift   uuid.UUID // shift: a place that they hold, uuid.Nil for something else
}

// Paper is a certificate with what is sealed.
type Paper struct {
	models.Certificate
	Name string
	Day  time.Time
	Who  string // for the coordinator: the name of the volunteer or the record
}

// Hours is the time in hours, with a half or a quarter where there is one.
func (p Paper) Hours() string {
	h := math.Round(float64(p.Minutes)/60*4) / 4
	return fmt.Sprintf("%g", h)
}

// Held is a place that somebody holds, as a certificate begins with it.
type Held struct {
	Shift   uuid.UUID
	Role    string
	Roster  string
	On      string
	Minutes int
}

// HeldBy lists the places that the person behind mailboxes holds and that have begun, as far as their rows are there still.
func (s *Service) HeldBy(ctx context.Context, boxes []uuid.UUID) ([]Held, error) {
	var rows []struct {
		models.Shift
		Title string
		Zone  string
	}
	err := s.DB.WithContext(ctx).Table("assignments a").Select("sh.*, r.title, r.time_zone AS zone").Joins("JOIN shifts sh ON sh.id = a.shift_id").Joins("JOIN rosters r ON r.id = sh.roster_id").
		Where("a.mailbox_id IN ? AND a.as_what = ? AND a.state = ? AND sh.cancelled_at IS NULL AND (sh.starts_at IS NULL OR sh.starts_at <= ?)", boxes, models.AsPlace, models.AssignmentConfirmed, s.Clock.Now()).Order("sh.starts_at, sh.id").Limit(100).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	out := make([]Held, len(rows))
	for i, r := range rows {
		zone, err := time.LoadLocation(r.Zone)
		if err != nil {
			return nil, err
		}
		at := s.Clock.Now()
		if r.StartsAt != nil {
			at = *r.StartsAt
		}
		out[i] = Held{Shift: r.ID, Role: r.Role, Roster: r.Title, On: at.In(zone).Format(time.DateOnly), Minutes: r.Minutes}
	}
	return out, nil
}

// Ask asks for a certificate of hours. Nobody but the person can. The caller makes sure that the mailboxes are theirs. The faults are Invalid
// with fields; TooMany, error.certificates_many.
func (s *Service) Ask(ctx context.Context, boxes []uuid.UUID, in AskInput) error {
	if len(boxes) == 0 {
		return errors.New("volunteers: a certificate is asked for by somebody")
	}
	now := s.Clock.Now()
	o, err := s.Organisation.Current(ctx)
	if err != nil {
		return err
	}
	var bad fault.Fields
	in.Name, in.Role = line(&bad, "name", in.Name, 2*NameMax), line(&bad, "role", in.Role, RoleMax)
	if in.Name == "" {
		bad.Add("name", "error.certificate_name")
	}
	if in.Role == "" {
		bad.Add("role", "error.certificate_role")
	}
	zone := organisation.Zone(o)
	day, err := time.ParseInLocation(time.DateOnly, in.On, zone)
	switch {
	case err != nil:
		bad.Add("on", "error.field_date")
	case day.After(now):
		bad.Add("on", "error.certificate_future")
	case day.Before(now.AddDate(0, 0, -backMost)):
		bad.Add("on", "error.certificate_old")
	}
	if in.Minutes < 1 || in.Minutes > minutesMost {
		bad.Add("minutes", "error.certificate_minutes")
	}
	if err := bad.Err(); err != nil {
		return err
	}
	c := models.Certificate{ID: models.NewID(), MailboxID: boxes[0], Role: in.Role, DoneOn: in.On, Minutes: in.Minutes, State: models.CertificateAsked, CreatedAt: now}
	c.NameSealed = s.Vault.Seal("certificates", "name_sealed", c.ID, in.Name)
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := holdBoxes(ctx, tx, boxes); err != nil {
			return err
		}
		tx = tx.WithContext(ctx)
		var n int64
		if err := tx.Model(&models.Certificate{}).Where("mailbox_id IN ? AND state = ?", boxes, models.CertificateAsked).Count(&n).Error; err != nil {
			return err
		}
		if n >= askedMost {
			return fault.New(fault.TooMany, "error.certificates_many")
		}
		if in.Shift != uuid.Nil {
			var held []models.Shift
			err := tx.Where("id = ? AND id IN (SELECT shift_id FROM assignments WHERE mailbox_id IN ? AND as_what = ? AND state = ?)", in.Shift, boxes, models.AsPlace, models.AssignmentConfirmed).Find(&held).Error
			if err != nil {
				return err
			}
			if len(held) > 0 {
				c.RosterID = &held[0].RosterID
			}
		}
		return tx.Create(&c).Error
	})
}

// Papers lists the certificates of the person behind mailboxes, newest first.
func (s *Service) Papers(ctx context.Context, boxes []uuid.UUID) ([]Paper, error) {
	var rows []models.Certificate
	if err := s.DB.WithContext(ctx).Where("mailbox_id IN ?", boxes).Order("created_at DESC, id DESC").Limit(100).Find(&rows).Error; err != nil {
		return nil, err
	}
	return s.papers(rows)
}

func (s *Service) papers(rows []models.Certificate) ([]Paper, error) {
	out := make([]Paper, len(rows))
	for i, c := range rows {
		p, err := s.paper(c)
		if err != nil {
			return nil, err
		}
		out[i] = p
	}
	return out, nil
}

func (s *Service) paper(c models.Certificate) (p Paper, err error) {
	p.Certificate = c
	if p.Name, err = s.Vault.Open("certificates", "name_sealed", c.ID, c.NameSealed); err != nil {
		return p, err
	}
	p.Day, err = time.Parse(time.DateOnly, c.DoneOn)
	p.Day = p.Day.Add(12 * time.Hour) // the same day in nearly every time zone
	return p, err
}

func unknownPaper() error { return fault.New(fault.NotFound, "error.certificate_unknown") }

// Drop takes back that somebody asked for a certificate. The fault is NotFound, error.certificate_unknown, where it is not theirs or not open.
func (s *Service) Drop(ctx context.Context, boxes []uuid.UUID, id uuid.UUID) error {
	r := s.DB.WithContext(ctx).Where("id = ? AND mailbox_id IN ? AND state <> ?", id, boxes, models.CertificateGiven).Delete(&models.Certificate{})
	if r.Error == nil && r.RowsAffected == 0 {
		return unknownPaper()
	}
	return r.Error
}

// certificatesFor are the certificates that an actor may see.
func certificatesFor(q *gorm.DB, a actor.Actor) *gorm.DB {
	return q.Table("certificates c").Joins("JOIN mailboxes m ON m.id = c.mailbox_id").Joins("LEFT JOIN supporters p ON p.id = m.supporter_id").Scopes(chapters.Scope(a, "p.chapter_id"))
}

// openMost is how many certificates a page lists.
const openMost = 200

// Asked lists the certificates that wait for an answer, the oldest first. It needs actor.ManageRosters and actor.SeeSupporters; a chapter's
// account sees those of its chapter's people.
func (s *Service) Asked(ctx context.Context, a actor.Actor) ([]Paper, error) {
	if err := need(a); err != nil {
		return nil, err
	}
	var rows []models.Certificate
	if err := certificatesFor(s.DB.WithContext(ctx), a).Select("c.*").Where("c.state = ?", models.CertificateAsked).Order("c.created_at, c.id").Limit(openMost).Scan(&rows).Error; err != nil {
		return nil, err
	}
	out, err := s.papers(rows)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if _, out[i].Who, err = s.nameOf(ctx, out[i].MailboxID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Answer gives a certificate that was asked for, or refuses it. Who asked gets a mail when it is given. It needs what Asked needs. The faults
// are NotFound, error.certificate_unknown, also for one of another chapter; Conflict, error.certificate_answered.
func (s *Service) Answer(ctx context.Context, a actor.Actor, id uuid.UUID, give bool) error {
	if err := need(a); err != nil {
		return err
	}
	now := s.Clock.Now()
	state, action := models.CertificateRefused, "certificate.refuse"
	if give {
		state, action = models.CertificateGiven, "certificate.give"
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		tx = tx.WithContext(ctx)
		var rows []models.Certificate
		if err := certificatesFor(tx, a).Select("c.*").Where("c.id = ?", id).Scan(&rows).Error; err != nil {
			return err
		}
		if len(rows) == 0 {
			return unknownPaper()
		}
		r := tx.Model(&models.Certificate{}).Where("id = ? AND state = ?", id, models.CertificateAsked).Updates(map[string]any{"state": state, "given_by": a.Account(), "given_at": now})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return fault.New(fault.Conflict, "error.certificate_answered")
		}
		if give {
			_, err := deliveries.Insert(ctx, tx, deliveries.New{
				Kind: KindCertificate, MailboxID: rows[0].MailboxID, SubjectID: id, Purpose: models.PurposeReceipt, DedupeKey: KindCertificate + "/" + id.String(),
				Priority: models.PriorityReceipt, OnUnknown: models.Resend,
			}, now)
			if err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, action, "certificates", id, nil)
	})
}

// Linked reads the certificate of a mailed link. Whoever has the link may read it. The faults are those of tokens.Signer.Read; Gone,
// error.certificate_gone.
func (s *Service) Linked(ctx context.Context, token string) (Paper, error) {
	id, err := s.Signer.Read(tokens.Certificate, token, s.Clock.Now())
	if err != nil {
		return Paper{}, err
	}
	var rows []models.Certificate
	if err := s.DB.WithContext(ctx).Where("id = ? AND state = ?", id, models.CertificateGiven).Find(&rows).Error; err != nil {
		return Paper{}, err
	}
	if len(rows) == 0 {
		return Paper{}, fault.New(fault.Gone, "error.certificate_gone")
	}
	return s.paper(rows[0])
}

// Given reads a certificate of the person behind mailboxes that was given. The fault is NotFound, error.certificate_unknown.
func (s *Service) Given(ctx context.Context, boxes []uuid.UUID, id uuid.UUID) (Paper, error) {
	var rows []models.Certificate
	if err := s.DB.WithContext(ctx).Where("id = ? AND mailbox_id IN ? AND state = ?", id, boxes, models.CertificateGiven).Find(&rows).Error; err != nil {
		return Paper{}, err
	}
	if len(rows) == 0 {
		return Paper{}, unknownPaper()
	}
	return s.paper(rows[0])
}

// Print writes a certificate as a PDF, in a language.
func (s *Service) Print(ctx context.Context, p Paper, lang string, w io.Writer) error {
	o, err := s.Organisation.Current(ctx)
	if err != nil {
		return err
	}
	t := func(key string, args ...any) string { return s.Words(lang, "certificate."+key, args...) }
	day := func(at time.Time) string { return s.Date(lang, at) }
	given := s.Clock.Now()
	if p.GivenAt != nil {
		given = *p.GivenAt
	}
	d := print.NewDocument(print.A4, print.Meta{Title: t("title"), Organisation: o.Name, Lang: lang, At: given})
	d.Title(t("title"))
	d.Lead(t("lead", "Name", p.Name, "Organisation", o.Name))
	d.Facts(
		print.Fact{Name: t("name"), Value: p.Name}, print.Fact{Name: t("role"), Value: p.Role}, print.Fact{Name: t("day"), Value: day(p.Day)},
		print.Fact{Name: t("hours"), Value: t("hours_value", "Hours", p.Hours(), "Minutes", p.Minutes)}, print.Fact{Name: t("by"), Value: o.Name}, print.Fact{Name: t("given"), Value: day(given)},
	)
	d.Small(t("note", "Number", p.ID.String()))
	return d.Write(w)
}
