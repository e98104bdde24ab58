package series

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
	"kithline/models"
	"kithline/models/database"
)

var errGone = fault.New(fault.Gone, "error.mail_gone")

// mailOf puts the words of a step in the form that mailings work with.
func mailOf(sr models.Series, t models.SeriesText) mailings.Mail {
	return mailings.Mail{
		ID: t.ID, Revision: sr.Revision + t.Revision, Purpose: sr.Purpose, ScopeID: sr.ScopeID, PetitionID: sr.PetitionID, Locale: t.Locale,
		Subject: t.Subject, Preheader: t.Preheader, Body: t.Body,
	}
}

// inLanguage is the text for somebody: in their language where that is written, else in the series' own.
func inLanguage(sr models.Series, texts []models.SeriesText, locale string) (models.SeriesText, bool) {
	for _, l := range []string{locale, sr.Locale} {
		if i := slices.IndexFunc(texts, func(t models.SeriesText) bool { return t.Locale == l && written(t) }); i >= 0 {
			return texts[i], true
		}
	}
	return models.SeriesText{}, false
}

// reader is who gets a mail of a series.
type reader struct {
	MailboxID       uuid.UUID
	ID              uuid.UUID // of the supporter
	GivenNameSealed []byte
	Locale          string
	State           models.SeriesPersonState
	GivenAt         *time.Time
}

// Render reads what the mails of steps need, when they are about to go out: a deliveries.Batch. Who left the series meanwhile does
// not get theirs.
func (s *Service) Render(ctx context.Context, ds []models.Delivery) (deliveries.Maker, error) {
	of := map[uuid.UUID][]uuid.UUID{} // mailboxes by step
	for _, d := range ds {
		of[d.SubjectID] = append(of[d.SubjectID], d.MailboxID)
	}
	type copyFor func(d models.Delivery) (deliveries.Content, error)
	makers := map[uuid.UUID]copyFor{}
	gone := func(models.Delivery) (deliveries.Content, error) { return deliveries.Content{}, errGone }
	for id, boxes := range of {
		sr, texts, err := s.step(ctx, id)
		if fault.Is(err, fault.Gone) || err == nil && sr.State == models.SeriesEnded {
			makers[id] = gone
			continue
		}
		if err != nil {
			return nil, err
		}
		if makers[id], err = s.maker(ctx, sr, texts, boxes); err != nil {
			return nil, err
		}
	}
	return func(d models.Delivery) (deliveries.Content, error) { return makers[d.SubjectID](d) }, nil
}

// maker gets the mail of one step ready for some mailboxes.
func (s *Service) maker(ctx context.Context, sr models.Series, texts []models.SeriesText, boxes []uuid.UUID) (func(models.Delivery) (deliveries.Content, error), error) {
	var rows []reader
	q := s.DB.WithContext(ctx).Table("mailboxes b").Select("b.id AS mailbox_id, h.id, h.given_name_sealed, h.locale, p.state, c.given_at").
		Joins("JOIN supporters h ON h.id = b.supporter_id").
		Joins("JOIN series_people p ON p.series_id = ? AND p.supporter_id = h.id", sr.ID).
		Joins("LEFT JOIN consents c ON c.mailbox_id = b.id AND c.purpose = ? AND c.scope_id = ? AND c.withdrawn_at IS NULL", sr.Purpose, sr.ScopeID)
	if err := database.WhereIn(q, "b.id", boxes).Scan(&rows).Error; err != nil {
		return nil, err
	}
	type ready = func(d models.Delivery, givenName string, agreed *time.Time) deliveries.Content
	byText, people := map[uuid.UUID]ready{}, make(map[uuid.UUID]reader, len(rows))
	for _, r := range rows {
		people[r.MailboxID] = r
		t, ok := inLanguage(sr, texts, r.Locale)
		if !ok || byText[t.ID] != nil {
			continue
		}
		m, err := s.Mailings.MailMaker(ctx, mailOf(sr, t))
		if err != nil {
			return nil, err
		}
		byText[t.ID] = m
	}
	return func(d models.Delivery) (deliveries.Content, error) {
		r, known := people[d.MailboxID]
		t, ok := inLanguage(sr, texts, r.Locale)
		if !known || !ok || r.State == models.SeriesLeft {
			return deliveries.Content{}, errGone
		}
		name, err := s.Open("supporters", "given_name_sealed", r.ID, r.GivenNameSealed)
		if err != nil {
			return deliveries.Content{}, err
		}
		return byText[t.ID](d, name, r.GivenAt), nil
	}, nil
}

// step reads a step's series and words. One that is not there any more is a Gone fault.
func (s *Service) step(ctx context.Context, id uuid.UUID) (sr models.Series, texts []models.SeriesText, err error) {
	db := s.DB.WithContext(ctx)
	err = db.Take(&sr, "id = (SELECT series_id FROM series_steps WHERE id = ?)", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return sr, nil, errGone
	}
	if err == nil {
		err = db.Where("step_id = ?", id).Find(&texts).Error
	}
	return sr, texts, err
}

// RenderTest makes the copy that a mail's writer asked for: a deliveries.Renderer.
func (s *Service) RenderTest(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	var t models.SeriesText
	err := s.DB.WithContext(ctx).Take(&t, "id = ?", d.SubjectID).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return deliveries.Content{}, errGone
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	sr, _, err := s.step(ctx, t.StepID)
	if err != nil {
		return deliveries.Content{}, err
	}
	return s.Mailings.MailTest(ctx, mailOf(sr, t), d)
}

// textOf reads the words of a mail in one language for an actor.
func (s *Service) textOf(ctx context.Context, tx *gorm.DB, a actor.Actor, series, step uuid.UUID, locale string) (models.Series, models.SeriesText, error) {
	sr, st, err := stepOf(ctx, tx, a, series, step)
	if err != nil {
		return sr, models.SeriesText{}, err
	}
	var list []models.SeriesText
	if err := tx.WithContext(ctx).Where("step_id = ? AND locale = ?", st.ID, locale).Limit(1).Find(&list).Error; err != nil {
		return sr, models.SeriesText{}, err
	}
	if st.Kind != models.StepMail {
		return sr, models.SeriesText{}, errStep
	}
	if len(list) == 0 {
		return sr, models.SeriesText{StepID: st.ID, Locale: locale}, nil
	}
	return sr, list[0], nil
}

// Preview makes the mail of a step as its writer would get it. It needs the right actor.WriteMailing; the fault is NotFound for a
// step that is no mail.
func (s *Service) Preview(ctx context.Context, a actor.Actor, series, step uuid.UUID, locale string) (mailings.Preview, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return mailings.Preview{}, err
	}
	sr, t, err := s.textOf(ctx, s.DB.DB, a, series, step, locale)
	if err != nil || t.ID == uuid.Nil {
		return mailings.Preview{}, err
	}
	return s.Mailings.MailPreview(ctx, a, mailOf(sr, t))
}

// Test sends the mail of a step, as it is kept, to whoever asks. It needs the right actor.WriteMailing and an account. What would make it
// no mail at all is an Invalid fault.
func (s *Service) Test(ctx context.Context, a actor.Actor, series, step uuid.UUID, locale string) error {
	if err := a.Need(actor.WriteMailing); err != nil {
		return err
	}
	if a.Kind != actor.User {
		return fault.New(fault.Forbidden, "error.forbidden", "Right", string(actor.WriteMailing))
	}
	sr, t, err := s.textOf(ctx, s.DB.DB, a, series, step, locale)
	if err != nil {
		return err
	}
	if err := s.Mailings.MailReady(ctx, mailOf(sr, t)); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var u models.User
		if err := tx.Take(&u, "id = ?", a.UserID).Error; err != nil {
			return err
		}
		now, id := s.Clock.Now(), models.NewID()
		_, err := deliveries.Insert(ctx, tx, deliveries.New{
			ID: id, Kind: KindTest, MailboxID: u.MailboxID, SubjectID: t.ID, Purpose: models.PurposeReceipt, DedupeKey: KindTest + "/" + id.String(),
			Priority: models.PriorityReceipt, OnUnknown: models.Resend,
		}, now)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "series.test", "series", series, map[string]any{"step": step})
	})
}
