package letters

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/models"
)

// heldShown is how many held letters a page of the queue has: each is read in full.
const heldShown = 10

// HeldMost is how many held letters one press can release.
const HeldMost = 100

// RejectReasons are the codes for which a held letter does not go, in the order of the page. The words of each are the locale key
// "lettercampaigns.reject_" and the code, and its writer reads "lettercampaigns.told_" and the code.
var RejectReasons = []string{"copied", "unkind", "elsewhere", "other"}

// KindRejected is the mail that tells a writer that a letter does not go. Its subject is the letter.
const KindRejected = "letter_rejected"

// HeldLetter is a letter that waits for a person, beside the one that it resembles.
type HeldLetter struct {
	ID       uuid.UUID
	Campaign models.LetterCampaign
	HeldAt   time.Time
	Reason   string // a code
	ToldAt   *time.Time
	Words    []Piece // its own words; what the other does not have is marked
	Like     []Piece // those of the other; empty where there is none any more
	LikeSent bool    // the other is on its way or was
	Locale   string
}

// Held is a page of the held letters, those that wait longest first, of one letter campaign or of all for uuid.Nil. It shows what they
// say and not who wrote it. It needs actor.ManageLetters.
func (s *Service) Held(ctx context.Context, a actor.Actor, campaign uuid.UUID, after paging.Cursor) (paging.Page[HeldLetter], error) {
	var none paging.Page[HeldLetter]
	if err := a.Need(actor.ManageLetters); err != nil {
		return none, err
	}
	q := s.DB.WithContext(ctx).Where("state = ?", models.LetterHeld).Order("held_at, id").Limit(heldShown + 1)
	if campaign != uuid.Nil {
		q = q.Where("letter_campaign_id = ?", campaign)
	}
	if !after.First() {
		q = q.Where("(held_at, id) > (?, ?)", after.At, after.ID)
	}
	var rows []models.Letter
	if err := q.Find(&rows).Error; err != nil {
		return none, err
	}
	page := paging.Cut(rows, heldShown, func(l models.Letter) paging.Cursor { return paging.Cursor{At: heldSince(l), ID: l.ID} })
	held, err := s.beside(ctx, page.Rows)
	return paging.Page[HeldLetter]{Rows: held, Next: page.Next}, err
}

// HeldOne is what Held shows about one letter. It needs actor.ManageLetters. The fault is Conflict, error.letters_not_held.
func (s *Service) HeldOne(ctx context.Context, a actor.Actor, id uuid.UUID) (HeldLetter, error) {
	if err := a.Need(actor.ManageLetters); err != nil {
		return HeldLetter{}, err
	}
	var rows []models.Letter
	if err := s.DB.WithContext(ctx).Where("id = ? AND state = ?", id, models.LetterHeld).Find(&rows).Error; err != nil {
		return HeldLetter{}, err
	}
	if len(rows) == 0 {
		return HeldLetter{}, fault.New(fault.Conflict, "error.letters_not_held")
	}
	held, err := s.beside(ctx, rows)
	if err != nil {
		return HeldLetter{}, err
	}
	return held[0], nil
}

// beside opens held letters and puts each beside the one that it resembles.
func (s *Service) beside(ctx context.Context, rows []models.Letter) ([]HeldLetter, error) {
	db := s.DB.WithContext(ctx)
	likes, campaigns := map[uuid.UUID]models.Letter{}, map[uuid.UUID]models.LetterCampaign{}
	var ids, of []uuid.UUID
	for _, l := range rows {
		if of = append(of, l.LetterCampaignID); l.HeldLike != nil {
			ids = append(ids, *l.HeldLike)
		}
	}
	var others []models.Letter
	var all []models.LetterCampaign
	if err := db.Select("id", "state", "own_words_sealed").Where("id IN ?", ids).Find(&others).Error; err != nil {
		return nil, err
	}
	if err := db.Where("id IN ?", of).Find(&all).Error; err != nil {
		return nil, err
	}
	for _, l := range others {
		likes[l.ID] = l
	}
	for _, c := range all {
		campaigns[c.ID] = c
	}
	var out []HeldLetter
	for _, l := range rows {
		h := HeldLetter{ID: l.ID, Campaign: campaigns[l.LetterCampaignID], HeldAt: heldSince(l), Reason: l.HeldReason, ToldAt: l.HoldToldAt, Locale: l.Locale}
		own, err := s.Vault.Open("letters", "own_words_sealed", l.ID, l.OwnWordsSealed)
		if err != nil {
			return nil, err
		}
		var like models.Letter
		if l.HeldLike != nil {
			like = likes[*l.HeldLike]
		}
		other, err := s.Vault.Open("letters", "own_words_sealed", like.ID, like.OwnWordsSealed)
		if err != nil {
			return nil, err
		}
		h.Words, h.Like = compared(own, other)
		h.LikeSent = slices.Contains([]models.LetterState{models.LetterReleased, models.LetterClosed, models.LetterAnonymised}, like.State)
		out = append(out, h)
	}
	return out, nil
}

func heldSince(l models.Letter) time.Time {
	if l.HeldAt != nil {
		return *l.HeldAt
	}
	return l.CreatedAt
}

// LetGo releases held letters, at most HeldMost, and returns how many were still held: they go out exactly as they were confirmed. It
// needs actor.ManageLetters. The fault is Invalid, error.letters_none_chosen, where none is named.
func (s *Service) LetGo(ctx context.Context, a actor.Actor, ids ...uuid.UUID) (int, error) {
	return s.judge(ctx, a, ids, "letter.release", nil, func(ctx context.Context, tx *gorm.DB, l models.Letter, now time.Time) error {
		return s.release(ctx, tx, l, now)
	})
}

// TurnDown keeps a held letter from going. Its writer hears by mail, with the reason: one of RejectReasons. It needs actor.ManageLetters.
// The faults are Invalid on the field reason; Conflict, error.letters_not_held, where it is not held any more.
func (s *Service) TurnDown(ctx context.Context, a actor.Actor, id uuid.UUID, reason string) error {
	if err := a.Need(actor.ManageLetters); err != nil {
		return err
	}
	if !slices.Contains(RejectReasons, reason) {
		return fault.Fields{{Name: "reason", Key: "error.letters_reject_reason"}}.Err()
	}
	n, err := s.judge(ctx, a, []uuid.UUID{id}, "letter.reject", map[string]any{"reason": reason}, func(ctx context.Context, tx *gorm.DB, l models.Letter, now time.Time) error {
		if err := s.reject(ctx, tx, l, reason, now); err != nil || l.MailboxID == uuid.Nil {
			return err
		}
		_, err := deliveries.Insert(ctx, tx, deliveries.New{
			Kind: KindRejected, MailboxID: l.MailboxID, SubjectID: l.ID, Purpose: models.PurposeReceipt, DedupeKey: KindRejected + "/" + l.ID.String(), Priority: models.PriorityReceipt,
			OnUnknown: models.Resend,
		}, now)
		return err
	})
	if err == nil && n == 0 {
		err = fault.New(fault.Conflict, "error.letters_not_held")
	}
	return err
}

// judge does something to held letters, each in a transaction of its own with who did it written down, and counts them.
func (s *Service) judge(ctx context.Context, a actor.Actor, ids []uuid.UUID, action string, details map[string]any, do func(ctx context.Context, tx *gorm.DB, l models.Letter, now time.Time) error) (int, error) {
	if err := a.Need(actor.ManageLetters); err != nil {
		return 0, err
	}
	if len(ids) == 0 {
		return 0, fault.New(fault.Invalid, "error.letters_none_chosen")
	}
	now, n := s.Clock.Now(), 0
	for _, id := range ids[:min(len(ids), HeldMost)] {
		err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
			var l models.Letter
			err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = ? AND state = ?", id, models.LetterHeld).Limit(1).Find(&l).Error
			if err != nil || l.ID == uuid.Nil { // somebody else was faster
				return err
			}
			if err := do(ctx, tx, l, now); err != nil {
				return err
			}
			if err := tx.Model(&models.Letter{}).Where("id = ?", id).Update("reviewed_by", a.Account()).Error; err != nil {
				return err
			}
			n++
			return audit.Write(ctx, tx, a, now, action, "letters", id, details)
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// RejectedMail is the data of the template letter_rejected.
type RejectedMail struct{ GivenName, Title, Reason, URL string }

// Rejected renders the mail that tells a writer that a letter does not go. Register it for KindRejected.
func (s *Service) Rejected(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	db := s.DB.WithContext(ctx)
	var l models.Letter
	if err := db.Where("id = ? AND state = ?", d.SubjectID, models.LetterRejected).Limit(1).Find(&l).Error; err != nil {
		return deliveries.Content{}, err
	}
	if l.ID == uuid.Nil {
		return deliveries.Content{}, fault.New(fault.Gone, "error.mail_gone")
	}
	c, err := load(ctx, s.DB.DB, l.LetterCampaignID)
	if err != nil {
		return deliveries.Content{}, err
	}
	given, err := s.Vault.Open("letters", "given_name_sealed", l.ID, l.GivenNameSealed)
	if err != nil {
		return deliveries.Content{}, err
	}
	var code string
	if err := db.Model(&models.Dispatch{}).Where("letter_id = ? AND closed_reason IN ?", l.ID, RejectReasons).Limit(1).Pluck("closed_reason", &code).Error; err != nil {
		return deliveries.Content{}, err
	}
	if code == "" {
		code = "other"
	}
	c = c.In(l.Locale)
	return deliveries.Content{Template: KindRejected, Lang: l.Locale, Data: RejectedMail{
		GivenName: given, Title: c.Title, Reason: s.Words(l.Locale, "lettercampaigns.told_"+code), URL: s.BaseURL + "/letters/" + c.Slug,
	}}, nil
}
