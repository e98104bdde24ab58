package forms

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/address"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/divisions"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/models"
)

// SubmitInput is a form as it was filled in. The names of its fields are email, the keys of the questions, and consent.
type SubmitInput struct {
	Slug    string // "" for /join
	Email   string
	Answers map[string]string // by question
	Boxes   []string          // values of the boxes that were ticked
	Locale  string            // of the mails to this person
	Lang    string            // of the page: the words beside the boxes are in it
	Source  string            // how the person came: a short code, never an address
}

// waitingMost is how many submissions of one form wait at one mailbox. The second oldest makes room, so that nobody's own is
// kept out by what others typed; the oldest stays, since the mail that went is about it.
const waitingMost = 5

// Districts are what somebody who filled in a postal code chooses from: a Choice for each kind of district that the code lies
// in several of.
type Districts []divisions.Choice

// Submit takes what was filled in, which waits to be confirmed, and queues the mail for it. It answers the same for every
// address. The id is new every time and says nothing about the address. Anybody may call it. The faults are NotFound,
// error.form_unknown; Conflict, error.form_closed; Invalid with fields. Where only the district is missing, that is the field,
// and Districts has what to choose from.
func (s *Service) Submit(ctx context.Context, in SubmitInput) (uuid.UUID, Districts, error) {
	var v View
	var err error
	if in.Slug == "" {
		v, err = s.Joining(ctx, in.Lang)
	} else {
		v, err = s.Public(ctx, in.Slug, in.Lang)
	}
	if err != nil {
		return uuid.Nil, nil, err
	}
	if !v.Open {
		return uuid.Nil, nil, fault.New(fault.Conflict, "error.form_closed")
	}
	now := s.clk.Now()
	var bad fault.Fields
	box, err := mailboxes.NewRow(s.vault, in.Email, now)
	if err != nil {
		bad.Add("email", address.Key(err))
	}
	answers := check(&bad, v.Questions, in.Answers)
	chosen, changed := consents.Ticked(v.Boxes, in.Boxes)
	switch {
	case changed:
		bad.Add("consent", "error.consent_changed")
	case v.Join() && len(chosen) == 0:
		bad.Add("consent", "error.join_none")
	}
	choices, err := s.districts(ctx, v, answers, now)
	if err != nil {
		return uuid.Nil, nil, err
	}
	if len(choices) > 0 && !bad.Has(District) && !picked(choices, answers[District]) && answers[District] != uuid.Nil.String() {
		bad.Add(District, "error.district_missing")
	}
	if err := bad.Err(); err != nil {
		return uuid.Nil, choices, err
	}
	if !picked(choices, answers[District]) {
		delete(answers, District)
	}
	row, err := s.row(v, answers, in, now)
	if err != nil {
		return uuid.Nil, nil, err
	}
	return row.ID, nil, s.db.Tx(ctx, func(tx *gorm.DB) error { return insert(ctx, tx, box, row, chosen, now) })
}

// districts are those to choose from: the kinds of which the postal code has several, where the form asks.
func (s *Service) districts(ctx context.Context, v View, answers map[string]string, now time.Time) (Districts, error) {
	asks := slices.ContainsFunc(v.Questions, func(q Asked) bool { return q.Key == District })
	if !asks || answers[PostalCode] == "" {
		return nil, nil
	}
	all, err := divisions.Candidates(ctx, s.db.DB, answers[Country], answers[PostalCode], now)
	var out Districts
	for _, c := range all {
		// One question a form: the first kind that is open, which is the one that letters go by.
		if len(c.Divisions) > 1 && len(out) == 0 {
			out = append(out, c)
		}
	}
	return out, err
}

func picked(choices Districts, id string) bool {
	for _, c := range choices {
		if slices.ContainsFunc(c.Divisions, func(d models.Division) bool { return d.ID.String() == id }) {
			return true
		}
	}
	return false
}

var (
	localeForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
	sourceForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)
)

// row seals what was filled in.
func (s *Service) row(v View, answers map[string]string, in SubmitInput, now time.Time) (models.Submission, error) {
	sub := models.Submission{
		ID: models.NewID(), State: models.SubmissionPending, Locale: in.Locale, Source: strings.ToLower(strings.TrimSpace(in.Source)), CreatedAt: now,
		ExpiresAt: now.Add(confirmations.PendingFor),
	}
	if !localeForm.MatchString(sub.Locale) {
		sub.Locale = in.Lang
	}
	if !sourceForm.MatchString(sub.Source) {
		sub.Source = ""
	}
	if !v.Join() {
		sub.FormID = &v.Form.ID
	}
	b, err := json.Marshal(answers)
	sub.AnswersSealed = s.vault.SealBytes("submissions", "answers_sealed", sub.ID[:], b)
	return sub, err
}

// answers opens what was filled in.
func (s *Service) answers(sub models.Submission) (map[string]string, error) {
	b, err := s.vault.OpenBytes("submissions", "answers_sealed", sub.ID[:], sub.AnswersSealed)
	out := map[string]string{}
	if err != nil || len(b) == 0 {
		return out, err
	}
	return out, json.Unmarshal(b, &out)
}

// Agreed is one yes of a submission, with the words that were shown.
type Agreed struct {
	consents.Ask
	TextID uuid.UUID `json:"text_id"`
	Locale string    `json:"locale"`
}

// insert writes a submission in tx with the words of its consents, and queues its mail.
func insert(ctx context.Context, tx *gorm.DB, typed models.Mailbox, sub models.Submission, chosen []consents.Box, now time.Time) error {
	tx = tx.WithContext(ctx)
	boxes, _, err := mailboxes.EnsureAll(ctx, tx, []models.Mailbox{typed})
	if err != nil {
		return err
	}
	box := boxes[string(typed.AddressHash)] // held
	sub.MailboxID = box.ID
	if _, err := drop(ctx, tx, now, "mailbox_id = ? AND expires_at <= ?", box.ID, now); err != nil {
		return err
	}
	alike, err := waitingAt(ctx, tx, sub)
	if err != nil {
		return err
	}
	if over := len(alike) - waitingMost + 1; over > 0 {
		if _, err := drop(ctx, tx, now, "id IN ?", alike[1:1+over]); err != nil {
			return err
		}
	}
	agreed := make([]Agreed, 0, len(chosen))
	for _, b := range chosen {
		t, err := consents.Text(ctx, tx, b.Purpose, b.Locale, b.Words, now)
		if err != nil {
			return err
		}
		agreed = append(agreed, Agreed{b.Ask, t.ID, b.Locale})
	}
	sub.Consents = write(agreed)
	if err := tx.Create(&sub).Error; err != nil {
		return err
	}
	return queue(ctx, tx, []models.Submission{sub}, map[uuid.UUID]models.Mailbox{box.ID: box}, map[uuid.UUID][]uuid.UUID{sub.ID: alike}, "", now)
}

// waitingAt lists what waits at a submission's mailbox of the same form, oldest first.
func waitingAt(ctx context.Context, tx *gorm.DB, sub models.Submission) ([]uuid.UUID, error) {
	q := tx.WithContext(ctx).Model(&models.Submission{}).Where("mailbox_id = ? AND state = ?", sub.MailboxID, models.SubmissionPending)
	if sub.FormID == nil {
		q = q.Where("form_id IS NULL")
	} else {
		q = q.Where("form_id = ?", *sub.FormID)
	}
	var ids []uuid.UUID
	return ids, q.Order("created_at, id").Pluck("id", &ids).Error
}

// queue asks for the mails of submissions.
func queue(ctx context.Context, tx *gorm.DB, subs []models.Submission, boxes map[uuid.UUID]models.Mailbox, alike map[uuid.UUID][]uuid.UUID, suffix string, now time.Time) error {
	var asked []confirmations.Request
	var known []uuid.UUID
	for _, sub := range subs {
		known = append(known, sub.MailboxID)
		asked = append(asked, confirmations.Request{
			Kind: confirmations.JoinConfirm, MailboxID: sub.MailboxID, Subject: sub.ID, Like: alike[sub.ID],
			DedupeKey: confirmations.JoinConfirm + "/" + sub.ID.String() + suffix, Ends: sub.ExpiresAt,
		})
	}
	return confirmations.Queue(ctx, tx, asked, boxes, known, now)
}

func asFault(err error) *fault.Error {
	var e *fault.Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}
