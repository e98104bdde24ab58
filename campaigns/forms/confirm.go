package forms

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/divisions"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// What submissions are on the page that confirms.
const (
	KindJoin = "join"
	KindForm = "form"
)

// Source lets submissions wait behind the door of campaigns/confirmations: app/wire.go registers it there.
func (s *Service) Source() confirmations.Source { return source{s} }

type source struct{ s *Service }

// doneMost is how many confirmed submissions a page lists.
const doneMost = 10

// Waiting is part of confirmations.Source.
func (c source) Waiting(ctx context.Context, box uuid.UUID, now time.Time) (confirmations.Waiting, error) {
	s := c.s
	var out confirmations.Waiting
	var pending, done []models.Submission
	db := s.db.WithContext(ctx)
	if err := db.Where("mailbox_id = ? AND state = ? AND expires_at > ?", box, models.SubmissionPending, now).Order("created_at, id").Find(&pending).Error; err != nil {
		return out, err
	}
	err := db.Select("id", "form_id", "confirmed_at", "created_at").Where("mailbox_id = ? AND state = ?", box, models.SubmissionConfirmed).
		Order("confirmed_at DESC, id DESC").Limit(doneMost).Find(&done).Error
	if err != nil {
		return out, err
	}
	all, err := s.formsOf(ctx, s.db.DB, append(slices.Clone(pending), done...))
	if err != nil {
		return out, err
	}
	for _, sub := range pending {
		item := itemOf(sub, all)
		if item.Says, err = s.says(ctx, sub, all); err != nil {
			return out, err
		}
		out.Items = append(out.Items, item)
	}
	for _, sub := range done {
		out.Done = append(out.Done, itemOf(sub, all))
	}
	return out, nil
}

// formsOf reads the forms of submissions.
func (s *Service) formsOf(ctx context.Context, tx *gorm.DB, subs []models.Submission) (map[uuid.UUID]models.Form, error) {
	var ids []uuid.UUID
	for _, sub := range subs {
		if sub.FormID != nil && !slices.Contains(ids, *sub.FormID) {
			ids = append(ids, *sub.FormID)
		}
	}
	out := map[uuid.UUID]models.Form{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []models.Form
	err := tx.WithContext(ctx).Where("id IN ?", ids).Find(&rows).Error
	for _, f := range rows {
		out[f.ID] = f
	}
	return out, err
}

func itemOf(sub models.Submission, all map[uuid.UUID]models.Form) confirmations.Item {
	item := confirmations.Item{ID: sub.ID, Kind: KindJoin, Path: "/join", Thanks: "/join/thanks", At: sub.CreatedAt, Open: true}
	if sub.ConfirmedAt != nil {
		item.At = *sub.ConfirmedAt
	}
	if sub.FormID != nil {
		f := all[*sub.FormID]
		item.Kind, item.Title, item.TitleLocale = KindForm, f.Title, f.Locale
		item.Path, item.Thanks = "/forms/"+f.Slug, "/forms/"+f.Slug+"/thanks"
	}
	return item
}

// says lists what a submission stands for: its answers in the order of the form, then what it agrees to.
func (s *Service) says(ctx context.Context, sub models.Submission, all map[uuid.UUID]models.Form) ([]confirmations.Said, error) {
	answers, err := s.answers(sub)
	if err != nil {
		return nil, err
	}
	questions := joinQuestions
	if sub.FormID != nil {
		questions = QuestionsOf(all[*sub.FormID])
	}
	list, err := asked(ctx, s.db.DB, questions)
	if err != nil {
		return nil, err
	}
	var out []confirmations.Said
	for _, q := range list {
		v, ok := answers[q.Key]
		if !ok {
			continue
		}
		said := confirmations.Said{Key: "form.q_" + q.Key, Text: v}
		switch {
		case q.Field != nil:
			said.Key, said.Label = "", q.Field.Label
			if q.Field.Kind == models.FieldYesNo {
				said.Text, said.Value = "", "form.answer_"+v
			}
		case q.Key == HowOften:
			said.Text, said.Value = "", "form.often_"+v
		case q.Key == District:
			var d models.Division
			if err := s.db.WithContext(ctx).Select("name").Where("id = ?", v).Limit(1).Find(&d).Error; err != nil {
				return nil, err
			}
			said.Text = d.Name
		}
		out = append(out, said)
	}
	for _, a := range agreedIn(sub) {
		var t models.ConsentText
		if err := s.db.WithContext(ctx).Where("id = ?", a.TextID).Limit(1).Find(&t).Error; err != nil {
			return nil, err
		}
		out = append(out, confirmations.Said{Key: "form.you_agree", Text: t.Body})
	}
	return out, nil
}

func agreedIn(sub models.Submission) []Agreed { return list[Agreed](sub.Consents) }

// Confirm is part of confirmations.Source.
func (c source) Confirm(ctx context.Context, box uuid.UUID, ids []uuid.UUID) (confirmations.Confirmed, error) {
	var out confirmations.Confirmed
	now := c.s.clk.Now()
	err := c.s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		out, err = c.s.confirm(ctx, tx.WithContext(ctx), box, ids, now)
		return err
	})
	return out, err
}

func (s *Service) confirm(ctx context.Context, tx *gorm.DB, boxID uuid.UUID, ids []uuid.UUID, now time.Time) (confirmations.Confirmed, error) {
	var out confirmations.Confirmed
	hold := clause.Locking{Strength: "UPDATE"}
	var box models.Mailbox
	err := tx.Clauses(hold).Where("id = ?", boxID).Take(&box).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return out, fault.New(fault.Gone, "error.confirm_nothing")
	}
	if err != nil {
		return out, err
	}
	var rows []models.Submission
	if err := tx.Clauses(hold).Where("mailbox_id = ? AND id IN ?", box.ID, ids).Order("created_at, id").Find(&rows).Error; err != nil {
		return out, err
	}
	var waiting, done []models.Submission
	for _, sub := range rows {
		switch {
		case sub.State == models.SubmissionConfirmed:
			done = append(done, sub)
		case now.Before(sub.ExpiresAt):
			waiting = append(waiting, sub)
		}
	}
	all, err := s.formsOf(ctx, tx, rows)
	if err != nil {
		return out, err
	}
	for _, sub := range append(slices.Clone(waiting), done...) {
		out.Items = append(out.Items, itemOf(sub, all))
	}
	if len(waiting) == 0 {
		out.Already = len(done) > 0
		if !out.Already {
			return out, fault.New(fault.Gone, "error.confirm_nothing")
		}
		return out, nil
	}
	if err := mailboxes.SignedUp(ctx, tx, []models.Mailbox{box}, now); err != nil {
		return out, err
	}
	counted := map[uuid.UUID]int{}
	for _, sub := range waiting {
		var form models.Form
		if sub.FormID != nil {
			form = all[*sub.FormID]
			counted[form.ID]++
		}
		if err := s.take(ctx, tx, &box, sub, form, now); err != nil {
			return out, err
		}
	}
	return out, count(tx, counted)
}

// count moves the numbers of forms, in one order, so that two transactions never wait for each other.
func count(tx *gorm.DB, more map[uuid.UUID]int) error {
	var ids []uuid.UUID
	for id := range more {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range ids {
		if err := tx.Exec("UPDATE forms SET submission_count = submission_count + ? WHERE id = ?", more[id], id).Error; err != nil {
			return err
		}
	}
	return nil
}

// take brings one confirmed submission into the record behind its mailbox, which the caller holds.
func (s *Service) take(ctx context.Context, tx *gorm.DB, box *models.Mailbox, sub models.Submission, form models.Form, now time.Time) error {
	answers, err := s.answers(sub)
	if err != nil {
		return err
	}
	id, err := supporters.Attach(ctx, tx, s.vault, *box, supporters.Facts{
		GivenName: answers[GivenName], FamilyName: answers[FamilyName], Phone: answers[Phone], Street: answers[Street], City: answers[City],
		Region: answers[Region], PostalArea: answers[PostalCode], Country: answers[Country], Locale: sub.Locale, Source: supporters.SourceForm,
	}, now)
	if err != nil {
		return err
	}
	box.SupporterID = &id
	if err := s.fields(ctx, tx, id, answers, now); err != nil {
		return err
	}
	if err := tagged(ctx, tx, id, TagsOf(form), now); err != nil {
		return err
	}
	if form.ChapterID != nil {
		err := tx.Model(&models.Supporter{}).Where("id = ? AND chapter_id IS NULL", id).Updates(map[string]any{"chapter_id": *form.ChapterID, "updated_at": now}).Error
		if err != nil {
			return err
		}
	}
	if v := answers[HowOften]; v != "" {
		err := tx.Model(&models.Supporter{}).Where("id = ? AND frequency <> ?", id, v).Updates(map[string]any{"frequency": v, "updated_at": now}).Error
		if err != nil {
			return err
		}
	}
	if district, err := uuid.Parse(answers[District]); err == nil {
		// Where the record says another postal code, which stays, the district of this one is not the person's.
		if err := divisions.Choose(ctx, tx, id, district, now); err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.NotFound) {
			return err
		}
	}
	page := "/join"
	if sub.FormID != nil {
		page = "/forms/" + form.Slug
	}
	var yes []consents.Given
	for _, a := range agreedIn(sub) {
		yes = append(yes, consents.Given{
			MailboxID: box.ID, Purpose: a.Purpose, ScopeID: a.ScopeID, TextID: a.TextID, Locale: a.Locale, ShownAt: sub.CreatedAt, Source: page,
			How: models.ConsentByMail, EvidenceID: &sub.ID,
		})
	}
	if err := consents.GiveAll(ctx, tx, yes, now); err != nil {
		return err
	}
	return tx.Model(&models.Submission{}).Where("id = ? AND state = ?", sub.ID, models.SubmissionPending).
		Updates(map[string]any{"state": models.SubmissionConfirmed, "confirmed_at": now}).Error
}

// fields fills the custom fields that are empty.
func (s *Service) fields(ctx context.Context, tx *gorm.DB, supporter uuid.UUID, answers map[string]string, now time.Time) error {
	var questions []Question
	for key := range answers {
		if fieldID(key) != uuid.Nil {
			questions = append(questions, Question{Key: key})
		}
	}
	fields, err := fieldsOf(ctx, tx, questions)
	if err != nil || len(fields) == 0 {
		return err
	}
	var there []models.FieldValue
	if err := tx.Select("field_id").Where("supporter_id = ?", supporter).Find(&there).Error; err != nil {
		return err
	}
	for id, f := range fields {
		if slices.ContainsFunc(there, func(v models.FieldValue) bool { return v.FieldID == id }) {
			continue
		}
		// The field may have changed since the form was sent: what does not fit any more is not taken.
		if err := supporters.SetField(ctx, tx, s.vault, supporter, f, answers[FieldKey(id)], now); err != nil && !fault.Is(err, fault.Invalid) {
			return err
		}
	}
	return nil
}

// tagged sets those tags of a form that are still there.
func tagged(ctx context.Context, tx *gorm.DB, supporter uuid.UUID, tags []uuid.UUID, now time.Time) error {
	if len(tags) == 0 {
		return nil
	}
	var there []uuid.UUID
	if err := tx.Model(&models.Tag{}).Where("id IN ?", tags).Pluck("id", &there).Error; err != nil || len(there) == 0 {
		return err
	}
	return supporters.Tag(ctx, tx, []uuid.UUID{supporter}, there, now)
}

// Disown is part of confirmations.Source.
func (c source) Disown(ctx context.Context, box uuid.UUID, ids []uuid.UUID) error {
	now := c.s.clk.Now()
	return c.s.db.Tx(ctx, func(tx *gorm.DB) error {
		where, args := "mailbox_id = ?", []any{box}
		if len(ids) > 0 {
			where, args = where+" AND id IN ?", append(args, ids)
		}
		_, err := drop(ctx, tx, now, where, args...)
		return err
	})
}

// Try is part of confirmations.Source.
func (c source) Try(ctx context.Context, ids []uuid.UUID, most int) ([]confirmations.Tried, error) {
	return confirmations.CountTry(ctx, c.s.db, "submissions", "", ids, most)
}

// Again is part of confirmations.Source.
func (c source) Again(ctx context.Context, ids []uuid.UUID) error {
	now := c.s.clk.Now()
	return c.s.db.Tx(ctx, func(tx *gorm.DB) error {
		var subs []models.Submission
		err := tx.Where("id IN ? AND state = ? AND expires_at > ?", ids, models.SubmissionPending, now).Order("created_at, id").Find(&subs).Error
		if err != nil || len(subs) == 0 {
			return err
		}
		boxIDs, alike := []uuid.UUID{}, map[uuid.UUID][]uuid.UUID{}
		for _, sub := range subs {
			boxIDs = append(boxIDs, sub.MailboxID)
			if alike[sub.ID], err = waitingAt(ctx, tx, sub); err != nil {
				return err
			}
		}
		boxes, err := mailboxes.Hold(ctx, tx, boxIDs)
		if err != nil {
			return err
		}
		return queue(ctx, tx, subs, boxes, alike, "/"+now.Format("2006-01-02"), now)
	})
}
