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
	campaign string // its title
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
	var c models.Campaign
	if err = db.Select("title").Take(&c, "id = ?", m.ScopeID).Error; err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, err
	}
	l.campaign = c.Title
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
		fieldCount: s.Words.Number(lang, int64(l.petition.SignatureCount)), fieldGoal: s.Words.Number(lang, int64(l.petition.Goal)),
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
	var rows []struct {
		ID              uuid.UUID
		State           models.SignatureState
		GivenNameSealed []byte
		GivenAt         *time.Time
	}
	err = s.DB.WithContext(ctx).Raw(`SELECT s.id, s.state, s.given_name_sealed, c.given_at FROM signatures s
		LEFT JOIN consents c ON c.mailbox_id = s.mailbox_id AND c.purpose = ? AND c.scope_id = ? AND c.withdrawn_at IS NULL
		WHERE s.petition_id = ? AND s.mailbox_id = ?`, d.Purpose, d.ScopeID, l.mailing.PetitionID, d.MailboxID).Scan(&rows).Error
	if err != nil {
		return deliveries.Content{}, err
	}
	if len(rows) == 0 || rows[0].State != models.SignatureConfirmed {
		return deliveries.Content{}, fault.New(fault.Gone, "error.mail_gone")
	}
	name, err := s.Vault.Open("signatures", "given_name_sealed", rows[0].ID, rows[0].GivenNameSealed)
	if err != nil {
		return deliveries.Content{}, err
	}
	return s.content(l, d, name, s.reason(l, rows[0].GivenAt)), nil
}

// reason is the sentence that says why the person gets this mail.
func (s *Service) reason(l *loaded, agreed *time.Time) string {
	lang := l.mailing.Locale
	if agreed == nil {
		return s.Words.Text(lang, "mailings.reason", "About", l.campaign)
	}
	return s.Words.Text(lang, "mailings.reason_date", "About", l.campaign, "Date", s.Words.Date(lang, agreed.In(l.zone)))
}

func (s *Service) content(l *loaded, d models.Delivery, name, reason string) deliveries.Content {
	c := l.compiled.fill(l.person(name))
	return deliveries.Content{
		Lang: l.mailing.Locale, ToName: calledBy(name),
		Bulk: &deliveries.BulkContent{
			Subject: c.Subject, Preheader: c.Preheader, HTML: c.HTML, Text: c.Text, Reason: reason,
			UnsubscribeURL: s.BaseURL + "/u/" + s.Signer.MakeForever(tokens.Unsubscribe, d.ID), ListID: listID(l.mailing.ScopeID),
		},
	}
}

// listID names a campaign's updates in List-Id: the same for all of its mailings, and nothing that tells what it is about.
func listID(scope uuid.UUID) string { return "updates-" + hex.EncodeToString(scope[10:]) }

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
