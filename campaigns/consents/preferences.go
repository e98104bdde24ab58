package consents

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// ByPage is how a person takes a consent back on a page of ours, for the record.
const ByPage = "page"

// undoFor is how long somebody sees what they ended, and can take it back.
const undoFor = 30 * time.Minute

// Preferences are what a person chooses on one page: what they agree to, how often, and whether mail rests.
type Preferences struct {
	Known       bool // false: the mailbox was erased
	Choices     []Choice
	HasRecord   bool // there is a record to note the frequency in
	Frequency   models.Frequency
	PausedUntil *time.Time // nil where mail does not rest now
	UntilTold   bool       // it rests until the person ends it
}

// Any reports whether anything is agreed to.
func (p Preferences) Any() bool {
	return slices.ContainsFunc(p.Choices, func(c Choice) bool { return c.On })
}

// Choice is one switch. Of what is on, Box has the words that the person agreed to; of the rest, those that they would.
type Choice struct {
	Box
	On    bool
	Since time.Time // of what is on

	last models.Consent // what is on, or was ended a moment ago
}

// Preferences reads what stands at the mailbox of a mail's unsubscribe link, and changes nothing. The token is the proof: who
// has it reads the mailbox. A token that we did not make is a NotFound fault, error.link_unknown.
func (s *Service) Preferences(ctx context.Context, token, lang string) (Preferences, error) {
	box, err := s.mailboxOf(ctx, token)
	if err != nil || box == uuid.Nil {
		return Preferences{}, err
	}
	return s.PreferencesOf(ctx, box, lang)
}

// mailboxOf is the mailbox that a mail went to, uuid.Nil where that is not known any more.
func (s *Service) mailboxOf(ctx context.Context, token string) (uuid.UUID, error) {
	id, err := s.signer.Read(tokens.Unsubscribe, token, s.clk.Now())
	if err != nil {
		return uuid.Nil, err
	}
	var d models.Delivery
	err = s.db.WithContext(ctx).Select("mailbox_id").Take(&d, "id = ?", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return uuid.Nil, nil
	}
	return d.MailboxID, err
}

// PreferencesOf is Preferences of a mailbox, for whoever proved that it is theirs.
func (s *Service) PreferencesOf(ctx context.Context, mailboxID uuid.UUID, lang string) (Preferences, error) {
	var p Preferences
	db, now := s.db.WithContext(ctx), s.clk.Now()
	var box models.Mailbox
	err := db.Where("id = ?", mailboxID).Take(&box).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.Known = true
	if box.PausedUntil != nil && now.Before(*box.PausedUntil) {
		p.PausedUntil, p.UntilTold = box.PausedUntil, box.PausedUntil.Equal(models.PausedUntilTold)
	}
	if box.SupporterID != nil {
		var record models.Supporter
		if err := db.Select("frequency").Where("id = ?", *box.SupporterID).Take(&record).Error; err != nil {
			return p, err
		}
		p.HasRecord, p.Frequency = true, record.Frequency
	}
	p.Choices, err = s.choices(ctx, mailboxID, lang, now)
	return p, err
}

// choices lists the topics, then everything else that is agreed to or was until a moment ago.
func (s *Service) choices(ctx context.Context, mailboxID uuid.UUID, lang string, now time.Time) ([]Choice, error) {
	db := s.db.WithContext(ctx)
	var rows []models.Consent
	err := db.Where("mailbox_id = ? AND (withdrawn_at IS NULL OR withdrawn_at > ? AND withdrawn_how = ?)", mailboxID, now.Add(-undoFor), ByPage).
		Order("given_at DESC, id DESC").Find(&rows).Error
	if err != nil {
		return nil, err
	}
	last, texts := map[Ask]models.Consent{}, map[uuid.UUID]string{}
	var agreed []Ask
	for _, c := range rows {
		a := Ask{c.Purpose, c.ScopeID}
		if old, seen := last[a]; !seen {
			agreed = append(agreed, a)
			last[a] = c
		} else if old.WithdrawnAt != nil && c.WithdrawnAt == nil {
			last[a] = c
		}
		texts[c.TextID] = ""
	}
	if len(texts) > 0 {
		ids := make([]uuid.UUID, 0, len(texts))
		for id := range texts {
			ids = append(ids, id)
		}
		var words []models.ConsentText
		if err := db.Where("id IN ?", ids).Find(&words).Error; err != nil {
			return nil, err
		}
		for _, t := range words {
			texts[t.ID] = t.Body
		}
	}
	asks, err := NewsletterAsks(ctx, s.db.DB)
	if err != nil {
		return nil, err
	}
	boxes, err := s.Boxes(ctx, asks, lang)
	if err != nil {
		return nil, err
	}
	names, err := s.scopes(ctx, agreed)
	if err != nil {
		return nil, err
	}
	var out []Choice
	for _, b := range boxes {
		if c, ok := last[b.Ask]; ok {
			out = append(out, choiceOf(b.Ask, b.Name, texts, c))
			continue
		}
		out = append(out, Choice{Box: b})
	}
	slices.Reverse(agreed) // the oldest first
	for _, a := range agreed {
		if !slices.Contains(asks, a) {
			out = append(out, choiceOf(a, names[a], texts, last[a]))
		}
	}
	return out, nil
}

func choiceOf(a Ask, name string, texts map[uuid.UUID]string, c models.Consent) Choice {
	return Choice{Box: Box{Ask: a, Name: name, Words: texts[c.TextID], Locale: c.Locale, Value: a.String()}, On: c.WithdrawnAt == nil, Since: c.GivenAt, last: c}
}

// PreferencesInput is what was chosen.
type PreferencesInput struct {
	Shown     []string // values of the switches that were on when the page was made: no other is turned off
	On        []string // values of the switches that are on now
	Frequency string   // one of Frequencies
	Lang      string
	Source    string // the page, for the record
}

// pauseMost is how long mail may rest.
const pauseMost = 2 * 366 * 24 * time.Hour

// SavePreferences keeps what was chosen at the mailbox of a mail's unsubscribe link. The faults are NotFound,
// error.link_unknown; Gone, error.preferences_gone where nothing is known of the mail any more; Invalid with the fields on and
// frequency. A pause stays as it is: see Rest.
func (s *Service) SavePreferences(ctx context.Context, token string, in PreferencesInput) error {
	box, err := s.mailboxOf(ctx, token)
	if err != nil {
		return err
	}
	return s.SavePreferencesOf(ctx, box, in)
}

// SavePreferencesOf is SavePreferences for a mailbox, for whoever proved that it is theirs.
func (s *Service) SavePreferencesOf(ctx context.Context, mailboxID uuid.UUID, in PreferencesInput) error {
	now := s.clk.Now()
	var bad fault.Fields
	frequency := models.Frequency(in.Frequency)
	if !slices.Contains(Frequencies, frequency) {
		bad.Add("frequency", "error.value_unknown")
	}
	if err := bad.Err(); err != nil {
		return err
	}
	choices, err := s.choices(ctx, mailboxID, in.Lang, now)
	if err != nil {
		return err
	}
	on := map[string]bool{}
	for _, v := range in.On {
		on[v] = true
		if !slices.ContainsFunc(choices, func(c Choice) bool { return c.Value == v }) {
			bad.Add("on", "error.consent_changed")
			return bad.Err()
		}
	}
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		var box models.Mailbox
		err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = ?", mailboxID).Take(&box).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return fault.New(fault.Gone, "error.preferences_gone")
		}
		if err != nil {
			return err
		}
		for _, c := range choices {
			switch {
			case on[c.Value] && !c.On:
				err = s.turnOn(ctx, tx, mailboxID, c, in, now)
			case !on[c.Value] && c.On && slices.Contains(in.Shown, c.Value):
				err = End(ctx, tx, mailboxID, c.Purpose, c.ScopeID, ByPage, now)
			}
			if err != nil {
				return err
			}
		}
		if box.SupporterID != nil {
			err := tx.Model(&models.Supporter{}).Where("id = ? AND frequency <> ?", *box.SupporterID, frequency).
				Updates(map[string]any{"frequency": frequency, "updated_at": now}).Error
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Rest lets mail to the mailbox of a mail's unsubscribe link rest until a moment, or until the person ends it, which is
// models.PausedUntilTold; nil ends it. What waits to be sent for a purpose is not sent meanwhile. The faults are NotFound,
// error.link_unknown; Gone, error.preferences_gone where nothing is known of the mail any more; Invalid with the field until.
func (s *Service) Rest(ctx context.Context, token string, until *time.Time) error {
	box, err := s.mailboxOf(ctx, token)
	if err != nil {
		return err
	}
	now := s.clk.Now()
	if until != nil && !until.Equal(models.PausedUntilTold) && (!until.After(now) || until.After(now.Add(pauseMost))) {
		return fault.Fields{{Name: "until", Key: "error.pause_date"}}.Err()
	}
	r := s.db.WithContext(ctx).Model(&models.Mailbox{}).Where("id = ?", box).Updates(map[string]any{"paused_until": until, "updated_at": now})
	if r.Error == nil && r.RowsAffected == 0 {
		return fault.New(fault.Gone, "error.preferences_gone")
	}
	return r.Error
}

// Today is the beginning of this day in a time zone.
func (s *Service) Today(zone *time.Location) time.Time {
	y, m, d := s.clk.Now().In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone)
}

// turnOn records a yes that was given by a switch: in the words beside it, or again in those of before.
func (s *Service) turnOn(ctx context.Context, tx *gorm.DB, mailboxID uuid.UUID, c Choice, in PreferencesInput, now time.Time) error {
	g := Given{
		MailboxID: mailboxID, Purpose: c.Purpose, ScopeID: c.ScopeID, TextID: c.last.TextID, Locale: c.last.Locale, ShownAt: now, Source: in.Source,
		How: models.ConsentByPerson, EvidenceID: c.last.EvidenceID,
	}
	if g.TextID == uuid.Nil {
		t, err := Text(ctx, tx, c.Purpose, c.Box.Locale, c.Words, now)
		if err != nil {
			return err
		}
		g.TextID, g.Locale = t.ID, c.Box.Locale
	}
	return Give(ctx, tx, g, now)
}

// Frequencies lists how often somebody may want mail that goes to many.
var Frequencies = []models.Frequency{models.AsItComes, models.Weekly, models.Monthly, models.Important}

// End is Withdraw, and what is queued for the same purpose and scope does not go any more.
func End(ctx context.Context, tx *gorm.DB, mailboxID uuid.UUID, purpose models.Purpose, scopeID uuid.UUID, how string, now time.Time) error {
	if _, err := Withdraw(ctx, tx, mailboxID, purpose, scopeID, how, now); err != nil {
		return err
	}
	// One that a process has read too: it asks for its state before it goes on the wire.
	return tx.WithContext(ctx).Exec(`UPDATE deliveries SET state = 'suppressed', lease_until = NULL, updated_at = ?
		WHERE mailbox_id = ? AND purpose = ? AND scope_id = ? AND state IN ('queued', 'deferred')`, now, mailboxID, purpose, scopeID).Error
}

// EndAll is End for everything that a mailbox agreed to.
func EndAll(ctx context.Context, tx *gorm.DB, mailboxID uuid.UUID, how string, now time.Time) error {
	tx = tx.WithContext(ctx)
	err := tx.Model(&models.Consent{}).Where("mailbox_id = ? AND withdrawn_at IS NULL", mailboxID).
		Updates(map[string]any{"withdrawn_at": now, "withdrawn_how": how}).Error
	if err != nil {
		return err
	}
	return tx.Exec(`UPDATE deliveries SET state = 'suppressed', lease_until = NULL, updated_at = ?
		WHERE mailbox_id = ? AND purpose <> 'receipt' AND state IN ('queued', 'deferred')`, now, mailboxID).Error
}
