package mailings

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
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
	versions []version            // by language, the first one first
	reasons  sync.Map             // sentences, by because
	tracking bool                 // clicks are counted
	topics   map[uuid.UUID]string // names of a newsletter's further topics
	at       time.Time
}

// version is a mailing in one language, ready for its copies.
type version struct {
	text     Text
	compiled *compiled
	forms    []*form // for each subject
	shared   values
	web      string // the address of its copy on the site
}

// form is the text with the subject in a place, from 0; with the first one where there is none.
func (v *version) form(variant int) *form {
	if variant < 0 || variant >= len(v.forms) {
		variant = 0
	}
	return v.forms[variant]
}

// in is the version for somebody who speaks a language: their own, or the first one.
func (l *loaded) in(locale string) *version {
	short, _, _ := strings.Cut(locale, "-")
	for i := range l.versions {
		if l.versions[i].text.Locale == locale || l.versions[i].text.Locale == short {
			return &l.versions[i]
		}
	}
	return &l.versions[0]
}

func (v *version) empty() bool { return len(v.compiled.text) == 0 || len(v.compiled.html) == 0 }

// person is what the merge fields stand for, for one person.
func (v *version) person(p recipient) values {
	out := make(values, len(v.shared)+2)
	for k, s := range v.shared {
		out[k] = s
	}
	out[fieldGivenName], out[fieldChapter] = calledBy(p.GivenName), oneLine(p.Chapter)
	return out
}

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
	if l.topics, err = s.topicNames(ctx, m); err != nil {
		return nil, err
	}
	if l.versions, err = s.versions(ctx, l, was); err != nil {
		return nil, err
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

// versions makes the mailing in each of its languages; what was made of the same words a moment ago is used again.
func (s *Service) versions(ctx context.Context, l, was *loaded) ([]version, error) {
	m := l.mailing
	texts, err := textsOf(ctx, s.DB.DB, m)
	if err != nil {
		return nil, err
	}
	l.tracking = m.TrackClicks && m.FrozenAt != nil
	again := was != nil && was.mailing.Revision == m.Revision && was.from.Letterhead.Accent == l.from.Letterhead.Accent && was.tracking == l.tracking && len(was.versions) == len(texts)
	with := kit{base: s.BaseURL, mail: s.Mail, accent: l.from.Letterhead.Accent, words: s.Words}
	var counted map[string]string
	if !again {
		if with.pictures, err = s.picturesIn(ctx, texts); err != nil {
			return nil, err
		}
		if counted, err = s.trackedLinks(ctx, m); err != nil {
			return nil, err
		}
	}
	out := make([]version, len(texts))
	for i, t := range texts {
		v := version{text: t, web: s.webURL(m, t.Locale)}
		v.shared = values{
			fieldTitle: oneLine(l.petition.Title), fieldURL: s.BaseURL + "/petitions/" + l.petition.Slug,
			fieldCount: s.Words.Number(t.Locale, int64(l.petition.Total())), fieldGoal: s.Words.Number(t.Locale, int64(l.petition.Goal)),
			fieldOrganisation: oneLine(l.org.Name),
		}
		if again {
			v.compiled, v.forms = was.versions[i].compiled, was.versions[i].forms
		} else {
			if v.compiled, err = compile(t, m.Purpose, with); err != nil {
				return nil, err
			}
			v.compiled = trackLinks(v.compiled, counted, v.shared[fieldURL])
			for n := range v.compiled.lines {
				v.forms = append(v.forms, newForm(v.compiled, n, t.Locale, listID(m.Purpose, m.ScopeID)+"."+l.from.ListDomain, v.web))
			}
		}
		out[i] = v
	}
	return out, nil
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

// recipient is what a copy says of its person.
type recipient struct {
	GivenName string
	Chapter   string     // the name of their chapter; "" for none
	Locale    string     // the language they speak; "" where that is not known
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
		Locale, Chapter string
	}
	agreed := "LEFT JOIN consents c ON c.mailbox_id = b.id AND c.purpose = ? AND c.scope_id = ? AND c.withdrawn_at IS NULL" // to the first topic
	table, q := "signatures", s.DB.WithContext(ctx).Table("mailboxes b").
		Select("s.id, b.id AS mailbox_id, s.given_name_sealed, c.given_at, COALESCE(NULLIF(p.locale, ''), s.locale) AS locale, COALESCE(h.name, '') AS chapter").
		Joins("JOIN signatures s ON s.mailbox_id = b.id AND s.petition_id = ? AND s.state = 'confirmed'", m.PetitionID)
	if m.PetitionID == nil {
		table, q = "supporters", s.DB.WithContext(ctx).Table("mailboxes b").
			Select("p.id, b.id AS mailbox_id, p.given_name_sealed, c.given_at, COALESCE(p.locale, '') AS locale, COALESCE(h.name, '') AS chapter")
	}
	q = q.Joins("LEFT JOIN supporters p ON p.id = b.supporter_id").Joins("LEFT JOIN chapters h ON h.id = p.chapter_id")
	if err := database.WhereIn(q.Joins(agreed, m.Purpose, m.ScopeID), "b.id", boxes).Scan(&rows).Error; err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]recipient, len(rows))
	for _, r := range rows {
		name, err := s.Vault.Open(table, "given_name_sealed", r.ID, r.GivenNameSealed)
		if err != nil {
			return nil, err
		}
		out[r.MailboxID] = recipient{GivenName: name, Chapter: r.Chapter, Locale: r.Locale, Agreed: r.GivenAt}
	}
	return out, nil
}

// reason is the sentence that says why the person gets this mail. Many agreed on the same day: each is put into words once.
func (s *Service) reason(l *loaded, lang string, scope uuid.UUID, agreed *time.Time) string {
	k := because{lang: lang, scope: scope}
	if agreed != nil {
		at := agreed.In(l.zone)
		k.year, k.day = at.Year(), at.YearDay()
	}
	if words, ok := l.reasons.Load(k); ok {
		return words.(string)
	}
	words := s.because(l, lang, scope, agreed)
	l.reasons.Store(k, words)
	return words
}

// because is what a reason depends on.
type because struct {
	lang      string
	scope     uuid.UUID
	year, day int
}

func (s *Service) because(l *loaded, lang string, scope uuid.UUID, agreed *time.Time) string {
	key, about := "mailings.reason", l.about
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

// variantOf is the place of the subject that a delivery goes out with, from 0: it is chosen when the audience is frozen.
func variantOf(d models.Delivery) int { return d.Variant }

// content is the copy of one person, in the version for them.
func (s *Service) content(l *loaded, d models.Delivery, p recipient) deliveries.Content {
	v := l.in(p.Locale)
	return s.contentOf(l, v, d, p, variantOf(d))
}

func (s *Service) contentOf(l *loaded, v *version, d models.Delivery, p recipient, variant int) deliveries.Content {
	f := v.form(variant)
	return deliveries.Content{
		Lang: v.text.Locale, ToName: calledBy(p.GivenName),
		Bulk: &deliveries.BulkContent{
			Form: &f.Form, Values: f.values(v.person(p)), Reason: s.reason(l, v.text.Locale, d.ScopeID, p.Agreed),
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
	v := l.in(d.DedupeKey[strings.LastIndexByte(d.DedupeKey, '/')+1:])
	if len(v.compiled.problems) > 0 || v.empty() || v.text.Lines[0].Subject == "" { // changed since the button was pressed
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
	c := s.contentOf(l, v, d, recipient{GivenName: name}, 0)
	c.Bulk.Form = v.form(0).titled(s.Words.Text(v.text.Locale, "mailings.test_subject", "Subject", v.compiled.fill(v.person(recipient{GivenName: name})).Subject))
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
