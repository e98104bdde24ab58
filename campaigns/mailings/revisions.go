package mailings

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/models"
)

// What was saved is kept: each save by hand, and while somebody types the first autosave in ten minutes.
const (
	keepEvery     = 10 * time.Minute
	keptRevisions = 100 // of one mailing; the oldest go
)

// putFurther writes the row of a further language.
func putFurther(tx *gorm.DB, mailing uuid.UUID, t Text, now time.Time) error {
	r := t.row(models.NewID(), mailing)
	r.CreatedAt, r.UpdatedAt = now, now
	return tx.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "mailing_id"}, {Name: "locale"}},
		DoUpdates: clause.AssignmentColumns([]string{"format", "subject", "preheader", "variants", "body", "plain", "updated_at"}),
	}).Create(&r).Error
}

// replaceFurther makes the further languages of a mailing those of a list.
func replaceFurther(tx *gorm.DB, mailing uuid.UUID, list []Text, now time.Time) error {
	q := tx.Where("mailing_id = ?", mailing)
	if len(list) > 0 {
		var locales []string
		for _, t := range list {
			locales = append(locales, t.Locale)
		}
		q = q.Where("locale NOT IN ?", locales)
	}
	err := q.Delete(&models.MailingText{}).Error
	for _, t := range list {
		if err == nil {
			err = putFurther(tx, mailing, t, now)
		}
	}
	return err
}

// begin puts what a template or revision says into a mailing and returns its further languages. The mailing keeps its first language:
// where the other has a text in it, that one comes first.
func begin(w Written, m *models.Mailing) (further []Text) {
	if len(w.Texts) == 0 {
		return nil
	}
	first := textIn(w.Texts, m.Locale)
	locale := m.Locale
	t := w.Texts[first]
	t.put(m)
	m.Locale, m.NamesCause = locale, w.NamesCause
	for i, t := range w.Texts {
		if i != first && t.Locale != locale {
			further = append(further, t)
		}
	}
	return further
}

// keepRevision keeps what a mailing says now.
func keepRevision(ctx context.Context, tx *gorm.DB, a actor.Actor, m models.Mailing, byHand bool, now time.Time) error {
	if !byHand {
		var n int64
		if err := tx.Model(&models.MailingRevision{}).Where("mailing_id = ? AND created_at > ?", m.ID, now.Add(-keepEvery)).Count(&n).Error; err != nil || n > 0 {
			return err
		}
	}
	texts, err := textsOf(ctx, tx, m)
	if err != nil {
		return err
	}
	r := models.MailingRevision{
		ID: models.NewID(), MailingID: m.ID, Revision: m.Revision, ByHand: byHand, Content: Written{texts, m.NamesCause}.encode(), CreatedBy: a.Account(), CreatedAt: now,
	}
	made := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "mailing_id"}, {Name: "revision"}}, DoNothing: true}).Create(&r)
	if made.Error != nil || made.RowsAffected == 0 {
		return made.Error
	}
	return tx.Exec(`DELETE FROM mailing_revisions WHERE mailing_id = ? AND revision <= (SELECT revision FROM mailing_revisions WHERE mailing_id = ?
		ORDER BY revision DESC LIMIT 1 OFFSET ?)`, m.ID, m.ID, keptRevisions).Error
}

// Revision is what a mailing said at one time.
type Revision struct {
	models.MailingRevision
	Written
}

// Revisions lists what was kept of a mailing, newest first. It needs the right actor.WriteMailing.
func (s *Service) Revisions(ctx context.Context, a actor.Actor, id uuid.UUID) ([]Revision, error) {
	m, err := s.Get(ctx, a, id)
	if err != nil {
		return nil, err
	}
	var rows []models.MailingRevision
	if err := s.DB.WithContext(ctx).Where("mailing_id = ?", m.ID).Order("revision DESC").Limit(keptRevisions).Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make([]Revision, len(rows))
	for i, r := range rows {
		w, err := decode(r.Content)
		if err != nil {
			return nil, err
		}
		out[i] = Revision{r, w}
	}
	return out, nil
}

// Revision returns one of them. It needs the right actor.WriteMailing; one that is not kept is a NotFound fault.
func (s *Service) Revision(ctx context.Context, a actor.Actor, id uuid.UUID, revision int) (Revision, error) {
	m, err := s.Get(ctx, a, id)
	if err != nil {
		return Revision{}, err
	}
	return revisionOf(ctx, s.DB.DB, m.ID, revision)
}

func revisionOf(ctx context.Context, tx *gorm.DB, id uuid.UUID, revision int) (Revision, error) {
	var r models.MailingRevision
	err := tx.WithContext(ctx).Take(&r, "mailing_id = ? AND revision = ?", id, revision).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Revision{}, fault.New(fault.NotFound, "error.mailing_revision_unknown")
	}
	if err != nil {
		return Revision{}, err
	}
	w, err := decode(r.Content)
	return Revision{r, w}, err
}

// change is what adds to a draft, takes from it or puts something else in its place: it is of the revision that was seen, and makes a
// new one, which it returns.
func (s *Service) change(ctx context.Context, a actor.Actor, id uuid.UUID, seenRevision int, fn func(tx *gorm.DB, m *models.Mailing, now time.Time) error) (int, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return 0, err
	}
	now, revision := s.Clock.Now(), seenRevision+1
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		m, err := seen(ctx, tx, a, id)
		if err != nil {
			return err
		}
		if m.State != models.MailingDraft {
			return errMoved
		}
		if err := keepRevision(ctx, tx, a, m, true, now); err != nil { // so that it can be taken back
			return err
		}
		if err := fn(tx, &m, now); err != nil {
			return err
		}
		m.EditedBy, m.Revision = a.Account(), revision
		if err := overwrite(tx, m, seenRevision, now); err != nil {
			return err
		}
		return keepRevision(ctx, tx, a, m, true, now)
	})
	return revision, err
}

// Restore puts what a revision said in the place of what a mailing says now, which is kept. Whom it goes to stays. It needs the right
// actor.WriteMailing. seenRevision is what the writer saw; another one is a Conflict fault, one that is not kept a NotFound fault.
func (s *Service) Restore(ctx context.Context, a actor.Actor, id uuid.UUID, seenRevision, to int) (int, error) {
	return s.change(ctx, a, id, seenRevision, func(tx *gorm.DB, m *models.Mailing, now time.Time) error {
		r, err := revisionOf(ctx, tx, id, to)
		if err != nil {
			return err
		}
		if err := replaceFurther(tx, id, begin(r.Written, m), now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "mailing.restore", "mailings", id, map[string]any{"revision": to})
	})
}

// AddLanguage begins the version of a mailing in a further language, with the words of the first one to be put into it. It needs the
// right actor.WriteMailing. A language that the organisation does not have, or that the mailing has a version in, is an Invalid fault
// on "language".
func (s *Service) AddLanguage(ctx context.Context, a actor.Actor, id uuid.UUID, seenRevision int, locale string) (int, error) {
	return s.change(ctx, a, id, seenRevision, func(tx *gorm.DB, m *models.Mailing, now time.Time) error {
		org, err := s.Organisation.Current(ctx)
		if err != nil {
			return err
		}
		texts, err := textsOf(ctx, tx, *m)
		if err != nil {
			return err
		}
		var bad fault.Fields
		switch {
		case !slices.Contains(organisation.Spoken(org), locale):
			bad.Add("language", "error.value_unknown")
		case slices.ContainsFunc(texts, func(t Text) bool { return t.Locale == locale }):
			bad.Add("language", "error.mailing_language_twice")
		}
		if err := bad.Err(); err != nil {
			return err
		}
		t := texts[0]
		t.Locale = locale
		return putFurther(tx, id, t, now)
	})
}

// RemoveLanguage takes away the version of a mailing in a further language; it is kept as a revision. It needs the right
// actor.WriteMailing. One that there is not is a NotFound fault.
func (s *Service) RemoveLanguage(ctx context.Context, a actor.Actor, id uuid.UUID, seenRevision int, locale string) (int, error) {
	return s.change(ctx, a, id, seenRevision, func(tx *gorm.DB, _ *models.Mailing, _ time.Time) error {
		r := tx.Where("mailing_id = ? AND locale = ?", id, locale).Delete(&models.MailingText{})
		if r.Error == nil && r.RowsAffected == 0 {
			return fault.New(fault.NotFound, "error.mailing_language_unknown")
		}
		return r.Error
	})
}

// Texts returns what a mailing says in its languages, the first one first. It needs the right actor.WriteMailing.
func (s *Service) Texts(ctx context.Context, a actor.Actor, id uuid.UUID) ([]Text, error) {
	m, err := s.Get(ctx, a, id)
	if err != nil {
		return nil, err
	}
	return textsOf(ctx, s.DB.DB, m)
}
