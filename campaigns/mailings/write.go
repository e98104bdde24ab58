package mailings

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/segments"
	"kithline/models"
)

// Limits of what can be written.
const (
	MaxBody = 100 << 10 // bytes
	MaxLine = 200       // characters of a subject or preheader
)

// Choice is a petition whose signers can be written to.
type Choice struct {
	ID             uuid.UUID
	Title          string
	SignatureCount int
}

// Petitions lists the petitions whose signers can be written to, newest first, at most 200. It needs the right
// actor.WriteMailing.
func (s *Service) Petitions(ctx context.Context, a actor.Actor) ([]Choice, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return nil, err
	}
	var out []Choice
	err := s.DB.WithContext(ctx).Model(&models.Petition{}).Select("id, title, signature_count").Where("state IN ?", models.PublicPetitionStates).
		Order("created_at DESC, id DESC").Limit(200).Scan(&out).Error
	return out, err
}

// petition reads one whose signers can be written to; any other is an Invalid fault on the form's field.
func petition(ctx context.Context, tx *gorm.DB, id uuid.UUID) (models.Petition, error) {
	var p models.Petition
	err := tx.WithContext(ctx).Take(&p, "id = ?", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && !p.State.Public() {
		var bad fault.Fields
		bad.Add("to", "error.mailing_petition")
		return p, bad.Err()
	}
	return p, err
}

// Topics lists the topics of the newsletter that can be written about, in their order. It needs the right actor.WriteMailing.
func (s *Service) Topics(ctx context.Context, a actor.Actor) ([]models.Topic, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return nil, err
	}
	var out []models.Topic
	err := s.DB.WithContext(ctx).Where("archived_at IS NULL").Order("position, name, id").Limit(200).Find(&out).Error
	return out, err
}

// Segments lists the segments that can narrow a mailing. It needs the right actor.WriteMailing.
func (s *Service) Segments(ctx context.Context, a actor.Actor) ([]segments.Named, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return nil, err
	}
	return segments.Usable(ctx, s.DB.DB, a)
}

// To is whom a mailing goes to: the confirmed signers of a petition, or whoever agreed to the newsletter.
type To struct {
	PetitionID uuid.UUID // uuid.Nil for a newsletter
	Newsletter bool
	TopicID    uuid.UUID // of the newsletter; uuid.Nil for the whole
	SegmentID  uuid.UUID // narrows it; uuid.Nil for nobody left out
	Locale     string    // of a newsletter; "" for the organisation's first language
}

// aim sets the columns of a mailing that say whom it goes to. What cannot be written to is an Invalid fault on the form's field.
func (s *Service) aim(ctx context.Context, tx *gorm.DB, a actor.Actor, to To, m *models.Mailing) error {
	var bad fault.Fields
	was := m.SegmentID
	m.SegmentID = nil
	if to.SegmentID != uuid.Nil {
		g, err := segments.Find(ctx, tx, a, to.SegmentID)
		switch {
		case fault.Is(err, fault.NotFound), err == nil && g.ArchivedAt != nil && (was == nil || *was != g.ID):
			bad.Add("segment", "error.mailing_segment")
			return bad.Err()
		case err != nil:
			return err
		}
		m.SegmentID = &g.ID
	}
	if !to.Newsletter {
		p, err := petition(ctx, tx, to.PetitionID)
		if err != nil {
			return err
		}
		m.PetitionID, m.CampaignID, m.Purpose, m.ScopeID, m.Locale = &p.ID, &p.CampaignID, models.PurposeUpdates, p.CampaignID, p.Locale
		return nil
	}
	if to.TopicID != uuid.Nil {
		var t models.Topic
		err := tx.WithContext(ctx).Take(&t, "id = ?", to.TopicID).Error
		if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && t.ArchivedAt != nil && m.ScopeID != t.ID {
			bad.Add("to", "error.mailing_topic")
			return bad.Err()
		}
		if err != nil {
			return err
		}
	}
	org, err := s.Organisation.Current(ctx)
	if err != nil {
		return err
	}
	spoken := organisation.Spoken(org)
	if to.Locale == "" {
		to.Locale = spoken[0]
	}
	if !slices.Contains(spoken, to.Locale) {
		bad.Add("locale", "error.value_unknown")
		return bad.Err()
	}
	m.PetitionID, m.CampaignID, m.Purpose, m.ScopeID, m.Locale = nil, nil, models.PurposeNewsletter, to.TopicID, to.Locale
	return nil
}

// Create starts a mailing to the signers of a petition: see CreateTo.
func (s *Service) Create(ctx context.Context, a actor.Actor, petitionID uuid.UUID) (uuid.UUID, error) {
	return s.CreateTo(ctx, a, To{PetitionID: petitionID})
}

// CreateTo starts a mailing, with a greeting in its text; it is of the actor's chapter. It needs the right actor.WriteMailing. A
// petition that is not public, a topic that is archived or a segment that the actor may not see is an Invalid fault on "to" or
// "segment".
func (s *Service) CreateTo(ctx context.Context, a actor.Actor, to To) (uuid.UUID, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return uuid.Nil, err
	}
	now := s.Clock.Now()
	m := models.Mailing{ID: models.NewID(), State: models.MailingDraft, Revision: 1, ChapterID: a.Chapter(), CreatedAt: now, UpdatedAt: now}
	m.CreatedBy = a.Account()
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := s.aim(ctx, tx, a, to, &m); err != nil {
			return err
		}
		m.Body = s.Words.Text(m.Locale, "mailings.start_hello") + " {{" + fieldGivenName + "|" + s.Words.Text(m.Locale, "mailings.start_friend") + "}},\n\n"
		if err := tx.Create(&m).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "mailing.create", "mailings", m.ID, nil)
	})
	return m.ID, err
}

// Draft is what can be changed of a mailing until it is sent.
type Draft struct {
	Revision   int       // that the writer saw
	PetitionID uuid.UUID // as in To
	Newsletter bool
	TopicID    uuid.UUID
	SegmentID  uuid.UUID
	Locale     string
	Subject    string
	Preheader  string
	Body       string
	Unfinished bool // an autosave: merge fields may still be half typed
}

func (d *Draft) check() error {
	d.Subject, d.Preheader = oneLine(d.Subject), oneLine(d.Preheader)
	d.Body = strings.ReplaceAll(strings.ReplaceAll(d.Body, "\r\n", "\n"), "\r", "\n")
	var bad fault.Fields
	for _, l := range []struct{ name, text string }{{"subject", d.Subject}, {"preheader", d.Preheader}} {
		if n := utf8.RuneCountInString(l.text); n > MaxLine {
			bad.Add(l.name, "error.text_too_long", "Max", strconv.Itoa(MaxLine), "Over", strconv.Itoa(n-MaxLine))
		}
	}
	if n := len(d.Body); n > MaxBody {
		bad.Add("body", "error.text_too_long", "Max", strconv.Itoa(MaxBody), "Over", strconv.Itoa(n-MaxBody))
	}
	if !utf8.ValidString(d.Body) || strings.ContainsRune(d.Body, 0) {
		bad.Add("body", "error.text_unreadable")
	}
	if err := bad.Err(); err != nil || d.Unfinished {
		return err
	}
	var wrong []MergeProblem
	for _, t := range []struct{ name, text string }{{"subject", d.Subject}, {"preheader", d.Preheader}, {"body", d.Body}} {
		_, w := parseMerge(t.text, t.name, t.name == "body")
		wrong = append(wrong, w...)
	}
	return mergeFault(wrong)
}

// Save keeps a draft and returns its new revision. It needs the right actor.WriteMailing. A draft that somebody else saved
// meanwhile, or a mailing that was sent, is a Conflict fault; merge fields that do not exist are an Invalid fault with their
// names and lines, unless the draft is unfinished.
func (s *Service) Save(ctx context.Context, a actor.Actor, id uuid.UUID, d Draft) (int, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return 0, err
	}
	if err := d.check(); err != nil {
		return 0, err
	}
	now, revision := s.Clock.Now(), 0
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		was, err := seen(ctx, tx, a, id)
		if err != nil {
			return err
		}
		m := was
		if err := s.aim(ctx, tx, a, To{PetitionID: d.PetitionID, Newsletter: d.Newsletter, TopicID: d.TopicID, SegmentID: d.SegmentID, Locale: d.Locale}, &m); err != nil {
			return err
		}
		m.Subject, m.Preheader, m.Body = d.Subject, d.Preheader, d.Body
		if m.State == models.MailingDraft && same(was, m) {
			revision = m.Revision
			return nil
		}
		revision = d.Revision + 1
		r := tx.Model(&models.Mailing{}).Where("id = ? AND state = ? AND revision = ?", id, models.MailingDraft, d.Revision).
			Updates(map[string]any{
				"petition_id": m.PetitionID, "campaign_id": m.CampaignID, "segment_id": m.SegmentID, "purpose": m.Purpose, "scope_id": m.ScopeID,
				"locale": m.Locale, "subject": m.Subject, "preheader": m.Preheader, "body": m.Body, "revision": revision, "updated_at": now,
			})
		if r.Error == nil && r.RowsAffected == 0 {
			return fault.New(fault.Conflict, "error.mailing_changed")
		}
		return r.Error
	})
	return revision, err
}

// same reports whether a draft says the same to the same people.
func same(a, b models.Mailing) bool {
	is := func(x, y *uuid.UUID) bool { return x == nil && y == nil || x != nil && y != nil && *x == *y }
	return is(a.PetitionID, b.PetitionID) && is(a.SegmentID, b.SegmentID) && a.Purpose == b.Purpose && a.ScopeID == b.ScopeID && a.Locale == b.Locale &&
		a.Subject == b.Subject && a.Preheader == b.Preheader && a.Body == b.Body
}

// Test sends the mailing as it stands to whoever asks. It needs the right actor.WriteMailing and an account. What would make
// it no mail at all is an Invalid fault: no subject, no text, a wrong merge field, no postal address.
func (s *Service) Test(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.WriteMailing); err != nil {
		return err
	}
	if a.Kind != actor.User {
		return fault.New(fault.Forbidden, "error.forbidden", "Right", string(actor.WriteMailing))
	}
	m, err := seen(ctx, s.DB.DB, a, id)
	if err != nil {
		return err
	}
	if err := s.mailable(ctx, m); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var u models.User
		if err := tx.Take(&u, "id = ?", a.UserID).Error; err != nil {
			return err
		}
		now, test := s.Clock.Now(), models.NewID()
		_, err := deliveries.Insert(ctx, tx, deliveries.New{
			ID: test, Kind: KindTest, MailboxID: u.MailboxID, SubjectID: id, Purpose: models.PurposeReceipt,
			DedupeKey: KindTest + "/" + test.String(), Priority: models.PriorityReceipt, OnUnknown: models.Resend,
		}, now)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "mailing.test", "mailings", id, map[string]any{"revision": m.Revision})
	})
}

// mailable is nil for a mailing that can be made into a mail.
func (s *Service) mailable(ctx context.Context, m models.Mailing) error {
	l, err := s.load(ctx, m)
	if err != nil {
		return err
	}
	if err := mergeFault(l.compiled.problems); err != nil {
		return err
	}
	var bad fault.Fields
	if m.Subject == "" {
		bad.Add("subject", "error.mailing_no_subject")
	}
	if l.empty() {
		bad.Add("body", "error.mailing_no_body")
	}
	if l.org.PostalAddress == "" {
		bad.Add("", "error.mailing_no_address")
	}
	return bad.Err()
}
