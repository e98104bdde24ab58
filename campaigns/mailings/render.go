package mailings

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// loadedFor is how long what all copies of a mailing share is used before it is read again: the count of signatures, the
// petition's title, the accent colour.
const loadedFor = 5 * time.Second

// maxLoaded is how many mailings are kept ready.
const maxLoaded = 32

// loaded is what all copies of a mailing share.
type loaded struct {
	mailing  models.Mailing
	petition models.Petition
	about    string // title of the campaign, or name of the newsletter's topic; "" for the whole newsletter
	org      models.Organisation
	zone     *time.Location
	from     deliveries.Sender
	compiled *compiled
	shared   values
	at       time.Time
}

func (l *loaded) empty() bool { return len(l.compiled.text) == 0 || len(l.compiled.html) == 0 }

// load makes what all copies share; a mailing of the same revision and colour is not compiled again.
func (s *Service) load(ctx context.Context, m models.Mailing) (*loaded, error) {
	l := &loaded{mailing: m, at: time.Now()}
	var err error
	if l.org, err = s.Organisation.Current(ctx); err != nil {
		return nil, err
	}
	if l.from, err = s.Sender(ctx); err != nil {
		return nil, err
	}
	l.zone = organisation.Zone(l.org)
	db := s.DB.WithContext(ctx)
	if m.PetitionID != nil {
		if err = db.Take(&l.petition, "id = ?", *m.PetitionID).Error; err != nil {
			return nil, err
		}
	}
	if l.about, err = about(ctx, s.DB.DB, m.Purpose, m.ScopeID); err != nil {
		return nil, err
	}
	s.mu.Lock()
	was := s.ready[m.ID]
	s.mu.Unlock()
	if was != nil && was.mailing.Revision == m.Revision && was.from.Letterhead.Accent == l.from.Letterhead.Accent {
		l.compiled = was.compiled
	} else if l.compiled, err = compile(m, s.BaseURL, s.Mail, l.from.Letterhead.Accent); err != nil {
		return nil, err
	}
	lang := m.Locale
	l.shared = values{
		fieldTitle: oneLine(l.petition.Title), fieldURL: s.BaseURL + "/petitions/" + l.petition.Slug,
		fieldCount: s.Words.Number(lang, int64(l.petition.Total())), fieldGoal: s.Words.Number(lang, int64(l.petition.Goal)),
		fieldOrganisation: oneLine(l.org.Name),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, o := range s.ready {
		if len(s.ready) >= maxLoaded || time.Since(o.at) > time.Hour {
			delete(s.ready, id)
		}
	}
	s.ready[m.ID] = l
	return l, nil
}

// about is what mail for a purpose and scope is about, for those who get it: a campaign's title, a topic's name; "" for the whole
// newsletter, and for what is not there any more.
func about(ctx context.Context, tx *gorm.DB, purpose models.Purpose, scope uuid.UUID) (string, error) {
	column := map[string]string{"campaigns": "title", "topics": "name"}[purpose.Scope()]
	if column == "" || scope == uuid.Nil {
		return "", nil
	}
	var names []string
	err := tx.WithContext(ctx).Table(purpose.Scope()).Where("id = ?", scope).Pluck(column, &names).Error
	if len(names) == 0 {
		return "", err
	}
	return names[0], err
}

// current is load for a mailing that is on its way, whose words no longer change.
func (s *Service) current(ctx context.Context, id uuid.UUID) (*loaded, error) {
	s.mu.Lock()
	l := s.ready[id]
	s.mu.Unlock()
	if l != nil && l.mailing.State == models.MailingSending && time.Since(l.at) < loadedFor {
		return l, nil
	}
	m, err := find(ctx, s.DB.DB, id)
	if err != nil {
		return nil, err
	}
	return s.load(ctx, m)
}

// person is what the merge fields stand for, for one person.
func (l *loaded) person(givenName string) values {
	v := make(values, len(l.shared)+1)
	for k, s := range l.shared {
		v[k] = s
	}
	v[fieldGivenName] = calledBy(givenName)
	return v
}

// Render makes one copy of a mailing, when it goes out: a deliveries.Renderer. Somebody whose signature is not confirmed any
// more does not get it.
func (s *Service) Render(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	if d.MailingID == nil {
		return deliveries.Content{}, errors.New("mailings: a delivery without its mailing")
	}
	l, err := s.current(ctx, *d.MailingID)
	if err != nil {
		return deliveries.Content{}, err
	}
	name, agreed, err := s.recipient(ctx, l.mailing, d)
	if err != nil {
		return deliveries.Content{}, err
	}
	return s.content(l, d, name, s.reason(l, agreed)), nil
}

// recipient is what a copy says of the person: the given name, and when they agreed. Whoever is not a confirmed signer any more,
// or is not known any more, is a Gone fault.
func (s *Service) recipient(ctx context.Context, m models.Mailing, d models.Delivery) (name string, agreed *time.Time, err error) {
	var rows []struct {
		ID              uuid.UUID
		State           models.SignatureState
		GivenNameSealed []byte
		GivenAt         *time.Time
	}
	table, from, args := "signatures", `SELECT s.id, s.state, s.given_name_sealed, c.given_at FROM signatures s
		LEFT JOIN consents c ON c.mailbox_id = s.mailbox_id AND c.purpose = ? AND c.scope_id = ? AND c.withdrawn_at IS NULL
		WHERE s.petition_id = ? AND s.mailbox_id = ?`, []any{d.Purpose, d.ScopeID, m.PetitionID, d.MailboxID}
	if m.PetitionID == nil {
		table, from, args = "supporters", `SELECT p.id, ? AS state, p.given_name_sealed, c.given_at FROM mailboxes b
			LEFT JOIN supporters p ON p.id = b.supporter_id
			LEFT JOIN consents c ON c.mailbox_id = b.id AND c.purpose = ? AND c.scope_id = ? AND c.withdrawn_at IS NULL
			WHERE b.id = ?`, []any{models.SignatureConfirmed, d.Purpose, d.ScopeID, d.MailboxID}
	}
	if err := s.DB.WithContext(ctx).Raw(from, args...).Scan(&rows).Error; err != nil {
		return "", nil, err
	}
	if len(rows) == 0 || rows[0].State != models.SignatureConfirmed {
		return "", nil, fault.New(fault.Gone, "error.mail_gone")
	}
	name, err = s.Vault.Open(table, "given_name_sealed", rows[0].ID, rows[0].GivenNameSealed)
	return name, rows[0].GivenAt, err
}

// reason is the sentence that says why the person gets this mail.
func (s *Service) reason(l *loaded, agreed *time.Time) string {
	lang, key := l.mailing.Locale, "mailings.reason"
	if l.mailing.Purpose == models.PurposeNewsletter {
		if key = "mailings.reason_topic"; l.about == "" {
			key = "mailings.reason_newsletter"
		}
	}
	if agreed == nil {
		return s.Words.Text(lang, key, "About", l.about)
	}
	return s.Words.Text(lang, key+"_date", "About", l.about, "Date", s.Words.Date(lang, agreed.In(l.zone)))
}

func (s *Service) content(l *loaded, d models.Delivery, name, reason string) deliveries.Content {
	c := l.compiled.fill(l.person(name))
	return deliveries.Content{
		Lang: l.mailing.Locale, ToName: calledBy(name),
		Bulk: &deliveries.BulkContent{
			Subject: c.Subject, Preheader: c.Preheader, HTML: c.HTML, Text: c.Text, Reason: reason,
			UnsubscribeURL: s.BaseURL + "/u/" + s.Signer.MakeForever(tokens.Unsubscribe, d.ID), ListID: listID(l.mailing.Purpose, l.mailing.ScopeID),
		},
	}
}

// listID names a list in List-Id: the same for all mailings of a campaign or topic, and nothing that tells what it is about.
func listID(purpose models.Purpose, scope uuid.UUID) string {
	return string(purpose) + "-" + hex.EncodeToString(scope[10:])
}

// RenderTest makes the copy that its writer asked for: a deliveries.Renderer. The name in it is the writer's own.
func (s *Service) RenderTest(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	m, err := find(ctx, s.DB.DB, d.SubjectID)
	if fault.Is(err, fault.NotFound) {
		return deliveries.Content{}, fault.New(fault.Gone, "error.mail_gone")
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	l, err := s.load(ctx, m)
	if err != nil {
		return deliveries.Content{}, err
	}
	if len(l.compiled.problems) > 0 || l.empty() || m.Subject == "" { // changed since the button was pressed
		return deliveries.Content{}, fault.New(fault.Gone, "error.mail_gone")
	}
	var u models.User
	if err := s.DB.WithContext(ctx).Take(&u, "mailbox_id = ?", d.MailboxID).Error; err != nil {
		return deliveries.Content{}, err
	}
	name, err := s.nameOf(u)
	if err != nil {
		return deliveries.Content{}, err
	}
	c := s.content(l, d, name, s.reason(l, nil))
	c.Bulk.Subject = s.Words.Text(m.Locale, "mailings.test_subject", "Subject", c.Bulk.Subject)
	return c, nil
}

// nameOf is the first word of a user's name.
func (s *Service) nameOf(u models.User) (string, error) {
	full, err := s.Vault.Open("users", "name_sealed", u.ID, u.NameSealed)
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(oneLine(full), " ")
	return first, nil
}
