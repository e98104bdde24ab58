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
	"kithline/models/database"
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
	compiled *compiled // with counted links, where clicks are counted
	form     *form
	tracking bool // clicks are counted
	shared   values
	topics   map[uuid.UUID]string // names of a newsletter's further topics
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
	lang := m.Locale
	l.shared = values{
		fieldTitle: oneLine(l.petition.Title), fieldURL: s.BaseURL + "/petitions/" + l.petition.Slug,
		fieldCount: s.Words.Number(lang, int64(l.petition.Total())), fieldGoal: s.Words.Number(lang, int64(l.petition.Goal)),
		fieldOrganisation: oneLine(l.org.Name),
	}
	if l.topics, err = s.topicNames(ctx, m); err != nil {
		return nil, err
	}
	l.tracking = m.TrackClicks && m.FrozenAt != nil
	if was != nil && was.mailing.Revision == m.Revision && was.from.Letterhead.Accent == l.from.Letterhead.Accent && was.tracking == l.tracking {
		l.compiled, l.form = was.compiled, was.form
	} else {
		if l.compiled, err = compile(m, s.BaseURL, s.Mail, l.from.Letterhead.Accent); err != nil {
			return nil, err
		}
		counted, err := s.trackedLinks(ctx, m)
		if err != nil {
			return nil, err
		}
		l.compiled = trackLinks(l.compiled, counted, l.shared[fieldURL])
		l.form = newForm(l.compiled, m.Locale, listID(m.Purpose, m.ScopeID)+"."+l.from.ListDomain)
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

// recipient is what a copy says of its person.
type recipient struct {
	GivenName string
	Agreed    *time.Time // when they agreed; nil where that is not known
}

// Render reads what the copies of mailings need, when they are about to go out: a deliveries.Batch. Somebody whose signature is
// not confirmed any more does not get one.
func (s *Service) Render(ctx context.Context, ds []models.Delivery) (deliveries.Maker, error) {
	of := map[uuid.UUID][]uuid.UUID{} // mailboxes by mailing
	for _, d := range ds {
		if d.MailingID == nil {
			return nil, errors.New("mailings: a delivery without its mailing")
		}
		of[*d.MailingID] = append(of[*d.MailingID], d.MailboxID)
	}
	ready, people := map[uuid.UUID]*loaded{}, map[uuid.UUID]map[uuid.UUID]recipient{}
	for id, boxes := range of {
		l, err := s.current(ctx, id)
		if err != nil {
			return nil, err
		}
		if people[id], err = s.recipients(ctx, l.mailing, boxes); err != nil {
			return nil, err
		}
		ready[id] = l
	}
	return func(d models.Delivery) (deliveries.Content, error) {
		p, ok := people[*d.MailingID][d.MailboxID]
		if !ok {
			return deliveries.Content{}, fault.New(fault.Gone, "error.mail_gone")
		}
		return s.content(ready[*d.MailingID], d, p), nil
	}, nil
}

// recipients reads who is behind mailboxes. Whoever is not a confirmed signer any more, or is not known any more, is not in it.
func (s *Service) recipients(ctx context.Context, m models.Mailing, boxes []uuid.UUID) (map[uuid.UUID]recipient, error) {
	var rows []struct {
		ID, MailboxID   uuid.UUID
		GivenNameSealed []byte
		GivenAt         *time.Time
	}
	agreed := "LEFT JOIN consents c ON c.mailbox_id = b.id AND c.purpose = ? AND c.scope_id = ? AND c.withdrawn_at IS NULL" // to the first topic
	table, q := "signatures", s.DB.WithContext(ctx).Table("mailboxes b").Select("s.id, b.id AS mailbox_id, s.given_name_sealed, c.given_at").
		Joins("JOIN signatures s ON s.mailbox_id = b.id AND s.petition_id = ? AND s.state = 'confirmed'", m.PetitionID)
	if m.PetitionID == nil {
		table, q = "supporters", s.DB.WithContext(ctx).Table("mailboxes b").Select("p.id, b.id AS mailbox_id, p.given_name_sealed, c.given_at").
			Joins("LEFT JOIN supporters p ON p.id = b.supporter_id")
	}
	if err := database.WhereIn(q.Joins(agreed, m.Purpose, m.ScopeID), "b.id", boxes).Scan(&rows).Error; err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]recipient, len(rows))
	for _, r := range rows {
		name, err := s.Vault.Open(table, "given_name_sealed", r.ID, r.GivenNameSealed)
		if err != nil {
			return nil, err
		}
		out[r.MailboxID] = recipient{GivenName: name, Agreed: r.GivenAt}
	}
	return out, nil
}

// reason is the sentence that says why the person gets this mail.
func (s *Service) reason(l *loaded, scope uuid.UUID, agreed *time.Time) string {
	lang, key, about := l.mailing.Locale, "mailings.reason", l.about
	if name, further := l.topics[scope]; further {
		about = name
	}
	if l.mailing.Purpose == models.PurposeNewsletter {
		if key = "mailings.reason_topic"; about == "" {
			key = "mailings.reason_newsletter"
		}
	}
	if agreed == nil {
		return s.Words.Text(lang, key, "About", about)
	}
	return s.Words.Text(lang, key+"_date", "About", about, "Date", s.Words.Date(lang, agreed.In(l.zone)))
}

// content is the copy of one person.
func (s *Service) content(l *loaded, d models.Delivery, p recipient) deliveries.Content {
	return deliveries.Content{
		Lang: l.mailing.Locale, ToName: calledBy(p.GivenName),
		Bulk: &deliveries.BulkContent{
			Form: &l.form.Form, Values: l.form.values(l.person(p.GivenName)), Reason: s.reason(l, d.ScopeID, p.Agreed),
			UnsubscribeURL: s.BaseURL + "/u/" + s.Signer.MakeForever(tokens.Unsubscribe, d.ID),
		},
	}
}

// topicNames are the names of a newsletter's further topics.
func (s *Service) topicNames(ctx context.Context, m models.Mailing) (map[uuid.UUID]string, error) {
	if m.Purpose != models.PurposeNewsletter {
		return nil, nil
	}
	var rows []models.Topic
	err := s.DB.WithContext(ctx).Select("id", "name").Where("id IN (SELECT topic_id FROM mailing_topics WHERE mailing_id = ?)", m.ID).Find(&rows).Error
	out := make(map[uuid.UUID]string, len(rows))
	for _, r := range rows {
		out[r.ID] = r.Name
	}
	return out, err
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
	c := s.content(l, d, recipient{GivenName: name})
	c.Bulk.Form = l.form.titled(s.Words.Text(m.Locale, "mailings.test_subject", "Subject", l.compiled.fill(l.person(name)).Subject))
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
