package supporters

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/text/language"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/models"
)

// by runs one change of a record by hand: the right, the record, which is held, the change, the audit entry.
func (s *Service) by(ctx context.Context, a actor.Actor, id uuid.UUID, action string, fn func(tx *gorm.DB, p models.Supporter, now time.Time) (details map[string]any, err error)) error {
	if err := a.Need(actor.EditSupporters); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		p, err := visible(ctx, tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE"}), a, id)
		if err != nil {
			return err
		}
		details, err := fn(tx, p, now)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, action, "supporters", id, details)
	})
}

// AddTag puts a tag on a supporter, made when there is none of that name. It needs the right actor.EditSupporters; the faults are
// that of Show, and Invalid on the field "tag".
func (s *Service) AddTag(ctx context.Context, a actor.Actor, id uuid.UUID, name string) error {
	return s.by(ctx, a, id, "supporter.tag", func(tx *gorm.DB, _ models.Supporter, now time.Time) (map[string]any, error) {
		t, err := EnsureTag(ctx, tx, name, now)
		if err != nil {
			return nil, onField("tag", err)
		}
		return map[string]any{"tag": t.ID}, Tag(ctx, tx, []uuid.UUID{id}, []uuid.UUID{t.ID}, now)
	})
}

// RemoveTag takes a tag from a supporter; rights and faults are those of AddTag.
func (s *Service) RemoveTag(ctx context.Context, a actor.Actor, id, tag uuid.UUID) error {
	return s.by(ctx, a, id, "supporter.untag", func(tx *gorm.DB, _ models.Supporter, _ time.Time) (map[string]any, error) {
		return map[string]any{"tag": tag}, tx.Where("supporter_id = ? AND tag_id = ?", id, tag).Delete(&models.Tagging{}).Error
	})
}

// maxNote is how long a note may be, in characters.
const maxNote = 5000

// AddNote writes down something about a supporter, sealed. It needs the right actor.EditSupporters; the faults are that of Show,
// and Invalid on the field "note".
func (s *Service) AddNote(ctx context.Context, a actor.Actor, id uuid.UUID, body string) error {
	body = strings.TrimSpace(body)
	var bad fault.Fields
	if body == "" {
		bad.Add("note", "error.note_missing")
	}
	tooLong(&bad, "note", body, maxNote)
	return s.by(ctx, a, id, "supporter.note", func(tx *gorm.DB, _ models.Supporter, now time.Time) (map[string]any, error) {
		if err := bad.Err(); err != nil {
			return nil, err
		}
		n := models.Note{ID: models.NewID(), SupporterID: id, AuthorID: a.Account(), CreatedAt: now}
		n.BodySealed = s.vault.Seal("notes", "body_sealed", n.ID, body)
		return map[string]any{"note": n.ID}, tx.Create(&n).Error
	})
}

// DeleteNote deletes a note, whoever wrote it; rights and faults are those of AddNote.
func (s *Service) DeleteNote(ctx context.Context, a actor.Actor, id, note uuid.UUID) error {
	return s.by(ctx, a, id, "supporter.note_delete", func(tx *gorm.DB, _ models.Supporter, _ time.Time) (map[string]any, error) {
		return map[string]any{"note": note}, tx.Where("id = ? AND supporter_id = ?", note, id).Delete(&models.Note{}).Error
	})
}

// Why an organizer stops mail to an address or starts it again: words for the audit log.
var (
	StopReasons  = []string{"asked", "wrong_person", "died", "other"}
	StartReasons = []string{"asked", "mistake", "works_again"}
)

// Suppress stops all mail to one of a supporter's addresses, for one of StopReasons. It needs the right actor.EditSupporters; the
// faults are that of Show, for an address of somebody else too, and Invalid on the field "reason".
func (s *Service) Suppress(ctx context.Context, a actor.Actor, id, mailbox uuid.UUID, reason string) error {
	return s.by(ctx, a, id, "supporter.suppress", func(tx *gorm.DB, _ models.Supporter, now time.Time) (map[string]any, error) {
		if err := s.boxOf(tx, id, mailbox); err != nil {
			return nil, err
		}
		if !slices.Contains(StopReasons, reason) {
			return nil, fault.Fields{{Name: "reason", Key: "error.reason_missing"}}.Err()
		}
		return map[string]any{"mailbox": mailbox, "reason": reason}, mailboxes.Suppress(ctx, tx, mailbox, models.SuppressedByHand, now)
	})
}

// Unsuppress lets mail go to an address again, for one of StartReasons: what the person agreed to counts again, nothing else.
// Rights and faults are those of Suppress.
func (s *Service) Unsuppress(ctx context.Context, a actor.Actor, id, mailbox uuid.UUID, reason string) error {
	return s.by(ctx, a, id, "supporter.unsuppress", func(tx *gorm.DB, _ models.Supporter, now time.Time) (map[string]any, error) {
		if err := s.boxOf(tx, id, mailbox); err != nil {
			return nil, err
		}
		if !slices.Contains(StartReasons, reason) {
			return nil, fault.Fields{{Name: "reason", Key: "error.reason_missing"}}.Err()
		}
		return map[string]any{"mailbox": mailbox, "reason": reason}, tx.Model(&models.Mailbox{}).Where("id = ? AND suppressed_at IS NOT NULL", mailbox).
			Updates(map[string]any{"suppressed_at": nil, "suppressed_reason": "", "updated_at": now}).Error
	})
}

// boxOf checks that a mailbox is the supporter's.
func (s *Service) boxOf(tx *gorm.DB, id, mailbox uuid.UUID) error {
	var n int64
	if err := tx.Model(&models.Mailbox{}).Where("id = ? AND supporter_id = ?", mailbox, id).Count(&n).Error; err != nil {
		return err
	}
	if n == 0 {
		return fault.New(fault.NotFound, "error.supporter_unknown")
	}
	return nil
}

// Yes is a consent that an organizer records: somebody said or signed it, and the organizer knows where and when.
type Yes struct {
	MailboxID uuid.UUID
	Purpose   models.Purpose
	ScopeID   uuid.UUID // a row of the table that Purpose.Scope names; uuid.Nil where the purpose allows it
	Words     string    // what the person agreed to, as it was said or printed
	Where     string
	On        string // the day, 2006-01-02
	Locale    string // of the words, BCP 47
}

const (
	maxYesWords = 2000
	maxYesWhere = 300
)

// RecordConsent records a yes with how it is known, models.ConsentByHand. It needs the right actor.EditSupporters. The faults are
// that of Show, for an address of somebody else too; and Invalid on the fields "purpose", "scope", "words", "where" and "on":
// among them error.consent_withdrawn, where the person said no on that day or later, since the newer word counts, and
// error.consent_there, where the same yes is in force already.
func (s *Service) RecordConsent(ctx context.Context, a actor.Actor, id uuid.UUID, in Yes) error {
	return s.by(ctx, a, id, "supporter.consent", func(tx *gorm.DB, _ models.Supporter, now time.Time) (map[string]any, error) {
		if err := s.boxOf(tx, id, in.MailboxID); err != nil {
			return nil, err
		}
		in := in
		in.Words, in.Where = strings.TrimSpace(in.Words), strings.Join(strings.Fields(in.Where), " ")
		var bad fault.Fields
		switch known, err := scopeKnown(tx, in.Purpose, in.ScopeID); {
		case err != nil:
			return nil, err
		case !slices.Contains(models.Purposes, in.Purpose):
			bad.Add("purpose", "error.consent_purpose_missing")
		case !known:
			bad.Add("purpose", "error.consent_scope_missing")
		}
		if in.Words == "" {
			bad.Add("words", "error.consent_words_missing")
		}
		if in.Where == "" {
			bad.Add("where", "error.consent_where_missing")
		}
		tooLong(&bad, "words", in.Words, maxYesWords)
		tooLong(&bad, "where", in.Where, maxYesWhere)
		if _, err := language.Parse(in.Locale); err != nil {
			bad.Add("locale", "error.language_unknown")
		}
		on, err := time.Parse(time.DateOnly, strings.TrimSpace(in.On))
		switch {
		case err != nil:
			bad.Add("on", "error.field_date")
		case on.After(now), on.Year() < 1900:
			bad.Add("on", "error.consent_future")
		}
		if err := bad.Err(); err != nil {
			return nil, err
		}
		var before []models.Consent
		err = tx.Where("mailbox_id = ? AND purpose = ? AND scope_id = ?", in.MailboxID, in.Purpose, in.ScopeID).Find(&before).Error
		if err != nil {
			return nil, err
		}
		for _, c := range before {
			if c.WithdrawnAt == nil {
				bad.Add("purpose", "error.consent_there")
			} else if !c.WithdrawnAt.Before(on) {
				bad.Add("on", "error.consent_withdrawn")
			}
		}
		if err := bad.Err(); err != nil {
			return nil, err
		}
		given := on.Add(12 * time.Hour) // the same day in nearly every time zone
		if given.After(now) {
			given = now
		}
		words, err := consents.Text(ctx, tx, in.Purpose, in.Locale, in.Words, now)
		if err != nil {
			return nil, err
		}
		return map[string]any{"purpose": in.Purpose, "scope": in.ScopeID, "mailbox": in.MailboxID}, consents.Give(ctx, tx, consents.Given{
			MailboxID: in.MailboxID, Purpose: in.Purpose, ScopeID: in.ScopeID, TextID: words.ID, Locale: in.Locale, ShownAt: given, Source: in.Where, How: models.ConsentByHand,
		}, given)
	})
}

// scopeKnown reports whether a purpose may have that scope.
func scopeKnown(tx *gorm.DB, p models.Purpose, scope uuid.UUID) (bool, error) {
	table := p.Scope()
	if scope == uuid.Nil {
		return table == "" || p == models.PurposeNewsletter || p == models.PurposePublish, nil
	}
	if table == "" {
		return false, nil
	}
	var n int64
	return n > 0, tx.Table(table).Where("id = ?", scope).Count(&n).Error
}

// WithdrawConsent ends a consent because the person told an organizer so. It needs the right actor.EditSupporters; the fault is
// that of Show, for a consent of somebody else too. One that was withdrawn already stays as it is.
func (s *Service) WithdrawConsent(ctx context.Context, a actor.Actor, id, consent uuid.UUID) error {
	return s.by(ctx, a, id, "supporter.consent_withdraw", func(tx *gorm.DB, _ models.Supporter, now time.Time) (map[string]any, error) {
		var list []models.Consent
		if err := tx.Where("id = ? AND mailbox_id IN (SELECT id FROM mailboxes WHERE supporter_id = ?)", consent, id).Find(&list).Error; err != nil {
			return nil, err
		}
		if len(list) == 0 {
			return nil, fault.New(fault.NotFound, "error.supporter_unknown")
		}
		c := list[0]
		err := consents.End(ctx, tx, c.MailboxID, c.Purpose, c.ScopeID, "organizer", now)
		return map[string]any{"purpose": c.Purpose, "scope": c.ScopeID, "mailbox": c.MailboxID}, err
	})
}

// Choice is a row that a consent can be about.
type Choice struct {
	Purpose models.Purpose
	ScopeID uuid.UUID
	Scope   string
}

// Choices lists what a consent can be recorded for: each purpose with each campaign, topic or partner that is in use. It needs the
// right actor.EditSupporters.
func (s *Service) Choices(ctx context.Context, a actor.Actor) ([]Choice, error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return nil, err
	}
	type row struct {
		ID   uuid.UUID
		Name string
	}
	rows := map[string][]row{}
	for table, from := range map[string]string{
		"campaigns": "SELECT id, title AS name FROM campaigns ORDER BY created_at DESC, id LIMIT 200",
		"topics":    "SELECT id, name FROM topics WHERE archived_at IS NULL ORDER BY position, id LIMIT 200",
		"partners":  "SELECT id, name FROM partners WHERE archived_at IS NULL ORDER BY name, id LIMIT 200",
	} {
		var list []row
		if err := s.db.WithContext(ctx).Raw(from).Scan(&list).Error; err != nil {
			return nil, err
		}
		rows[table] = list
	}
	var out []Choice
	for _, p := range models.Purposes {
		if ok, err := scopeKnown(s.db.DB, p, uuid.Nil); err != nil {
			return nil, err
		} else if ok {
			out = append(out, Choice{Purpose: p})
		}
		for _, r := range rows[p.Scope()] {
			out = append(out, Choice{p, r.ID, r.Name})
		}
	}
	return out, nil
}
