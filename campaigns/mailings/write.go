package mailings

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"
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
	Template   string    // what it begins with, as Templates names it; "" for a greeting
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

// CreateTo starts a mailing, with a greeting or a template as its text; it is of the actor's chapter. It needs the right
// actor.WriteMailing. A petition that is not public, a topic that is archived, a segment or a template that the actor may not see is
// an Invalid fault on "to", "segment" or "template".
func (s *Service) CreateTo(ctx context.Context, a actor.Actor, to To) (uuid.UUID, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return uuid.Nil, err
	}
	now := s.Clock.Now()
	m := models.Mailing{ID: models.NewID(), State: models.MailingDraft, Revision: 1, ChapterID: a.Chapter(), CreatedAt: now, UpdatedAt: now}
	m.CreatedBy, m.EditedBy = a.Account(), a.Account()
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := s.aim(ctx, tx, a, to, &m); err != nil {
			return err
		}
		m.Body = s.Words.Text(m.Locale, "mailings.start_hello") + " {{" + fieldGivenName + "|" + s.Words.Text(m.Locale, "mailings.start_friend") + "}},\n\n"
		var further []Text
		if to.Template != "" {
			w, err := s.template(ctx, tx, a, to.Template, m.Locale)
			if err != nil {
				return err
			}
			further = begin(w, &m)
		}
		if err := tx.Create(&m).Error; err != nil {
			return err
		}
		if err := replaceFurther(tx, m.ID, further, now); err != nil {
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
	Version    string // the language of the text below; "" for the first one
	Subject    string
	Preheader  string
	More       []Line // further subjects, at most MaxSubjects with the first
	Body       string // Markdown; HTML that was brought stays as it is, see ImportHTML
	Plain      string // the text part beside HTML; "" makes it from the HTML
	NamesCause bool   // the neutral-subject switch is off
	Public     bool   // shown in the archive once it was sent
	Unfinished bool   // an autosave: merge fields may still be half typed
}

// lines are all subjects of the draft.
func (d Draft) lines() []Line { return append([]Line{{d.Subject, d.Preheader}}, d.More...) }

func (d *Draft) check() error {
	d.Subject, d.Preheader = oneLine(d.Subject), oneLine(d.Preheader)
	for i := range d.More {
		d.More[i] = Line{oneLine(d.More[i].Subject), oneLine(d.More[i].Preheader)}
	}
	d.Body, d.Plain = tidyText(d.Body), tidyText(d.Plain)
	var bad fault.Fields
	long := func(name string, n, most int) {
		if n > most {
			bad.Add(name, "error.text_too_long", "Max", strconv.Itoa(most), "Over", strconv.Itoa(n-most))
		}
	}
	if len(d.More) >= MaxSubjects {
		bad.Add("subject", "error.mailing_subjects", "Max", MaxSubjects)
	}
	for i, l := range d.lines() {
		long(lineField("subject", i), utf8.RuneCountInString(l.Subject), MaxLine)
		long(lineField("preheader", i), utf8.RuneCountInString(l.Preheader), MaxLine)
	}
	for _, t := range []struct{ name, text string }{{"body", d.Body}, {"plain", d.Plain}} {
		long(t.name, len(t.text), MaxBody)
		if !readable(t.text) {
			bad.Add(t.name, "error.text_unreadable")
		}
	}
	if err := bad.Err(); err != nil || d.Unfinished {
		return err
	}
	var wrong []MergeProblem
	for i, l := range d.lines() {
		for _, t := range []struct{ name, text string }{{"subject", l.Subject}, {"preheader", l.Preheader}} {
			_, w := parseMerge(t.text, lineField(t.name, i), false)
			wrong = append(wrong, w...)
		}
	}
	_, w := parseMerge(d.Plain, "plain", false)
	wrong = append(wrong, w...)
	_, w = parseMerge(d.Body, "body", true)
	wrong = append(wrong, w...)
	_, _, w = cutBlocks(d.Body, func(int) string { return "" })
	return mergeFault(append(wrong, w...))
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
		m.NamesCause, m.Public = d.NamesCause, d.Public
		further, changed, err := s.take(ctx, tx, d, was, &m)
		if err != nil {
			return err
		}
		if m.State == models.MailingDraft && !changed && same(was, m) {
			revision = m.Revision
			return keepRevision(ctx, tx, a, m, !d.Unfinished, now)
		}
		if m.Slug, err = slugFor(ctx, tx, m); err != nil {
			return err
		}
		revision = d.Revision + 1
		m.EditedBy, m.Revision = a.Account(), revision
		if err := overwrite(tx, m, d.Revision, now); err != nil {
			return err
		}
		if changed {
			if err := putFurther(tx, m.ID, further, now); err != nil {
				return err
			}
		}
		return keepRevision(ctx, tx, a, m, !d.Unfinished, now)
	})
	return revision, err
}

// take puts what a draft says into the row of its language: the mailing's own, or that of a further one, which it returns. A language
// that the mailing has no version in is a NotFound fault; one that it has two in, an Invalid fault on "locale".
func (s *Service) take(ctx context.Context, tx *gorm.DB, d Draft, was models.Mailing, m *models.Mailing) (further Text, changed bool, err error) {
	texts, err := textsOf(ctx, tx, was)
	if err != nil {
		return Text{}, false, err
	}
	if m.Locale != was.Locale && slices.ContainsFunc(texts[1:], func(t Text) bool { return t.Locale == m.Locale }) {
		var bad fault.Fields
		bad.Add("locale", "error.mailing_language_twice")
		return Text{}, false, bad.Err()
	}
	put := func(t Text) Text {
		t.Lines = d.lines()
		if t.Format == models.FormatHTML {
			t.Plain = d.Plain
		} else {
			t.Body = d.Body
		}
		return t
	}
	if d.Version == "" || d.Version == was.Locale {
		t := put(texts[0])
		t.Locale = m.Locale
		t.put(m)
		return Text{}, false, nil
	}
	i := slices.IndexFunc(texts[1:], func(t Text) bool { return t.Locale == d.Version })
	if i < 0 {
		return Text{}, false, fault.New(fault.NotFound, "error.mailing_language_unknown")
	}
	was1 := texts[1+i]
	now := put(was1)
	changed = variantsOf(now.Lines) != variantsOf(was1.Lines) || now.Lines[0] != was1.Lines[0] || now.Body != was1.Body || now.Plain != was1.Plain
	return now, changed, nil
}

// overwrite writes a draft over the revision that its writer saw; another one is a Conflict fault.
func overwrite(tx *gorm.DB, m models.Mailing, seen int, now time.Time) error {
	r := tx.Model(&models.Mailing{}).Where("id = ? AND state = ? AND revision = ?", m.ID, models.MailingDraft, seen).
		Updates(map[string]any{
			"petition_id": m.PetitionID, "campaign_id": m.CampaignID, "segment_id": m.SegmentID, "purpose": m.Purpose, "scope_id": m.ScopeID,
			"locale": m.Locale, "subject": m.Subject, "preheader": m.Preheader, "variants": m.Variants, "format": m.Format, "body": m.Body, "plain": m.Plain,
			"names_cause": m.NamesCause, "public": m.Public, "slug": m.Slug, "edited_by": m.EditedBy, "revision": m.Revision, "updated_at": now,
		})
	if r.Error == nil && r.RowsAffected == 0 {
		return fault.New(fault.Conflict, "error.mailing_changed")
	}
	return r.Error
}

// same reports whether a draft says the same to the same people.
func same(a, b models.Mailing) bool {
	is := func(x, y *uuid.UUID) bool { return x == nil && y == nil || x != nil && y != nil && *x == *y }
	return is(a.PetitionID, b.PetitionID) && is(a.SegmentID, b.SegmentID) && a.Purpose == b.Purpose && a.ScopeID == b.ScopeID && a.Locale == b.Locale &&
		a.Subject == b.Subject && a.Preheader == b.Preheader && a.Variants == b.Variants && a.Body == b.Body && a.Plain == b.Plain &&
		a.NamesCause == b.NamesCause && a.Public == b.Public
}

// Test sends the mailing as it stands to whoever asks, once in each of its languages. It needs the right actor.WriteMailing and an account. What would make
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
		now := s.Clock.Now()
		texts, err := textsOf(ctx, tx, m)
		if err != nil {
			return err
		}
		for _, t := range texts {
			test := models.NewID()
			_, err := deliveries.Insert(ctx, tx, deliveries.New{
				ID: test, Kind: KindTest, MailboxID: u.MailboxID, SubjectID: id, Purpose: models.PurposeReceipt,
				DedupeKey: KindTest + "/" + test.String() + "/" + t.Locale, Priority: models.PriorityReceipt, OnUnknown: models.Resend,
			}, now)
			if err != nil {
				return err
			}
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
	var bad fault.Fields
	for _, v := range l.versions {
		if err := mergeFault(v.compiled.problems); err != nil {
			return err
		}
		if v.text.Lines[0].Subject == "" && !bad.Has("subject") {
			bad.Add("subject", "error.mailing_no_subject")
		}
		if v.empty() && !bad.Has("body") {
			bad.Add("body", "error.mailing_no_body")
		}
	}
	if l.org.PostalAddress == "" {
		bad.Add("", "error.mailing_no_address")
	}
	return bad.Err()
}
