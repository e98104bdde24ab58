package letters

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// The writer's side: what became of a letter, and what is left to do. Whoever has the mailed link may read it and press its buttons.

// linkLife is for how long the link to a letter works: longer than the letter is kept, unless its writer keeps it.
const linkLife = 120 * 24 * time.Hour

// Path is the page of a letter for its writer.
func (s *Service) Path(letter uuid.UUID) string {
	return "/by-hand/" + s.Signer.Make(tokens.Letter, letter, s.Clock.Now().Add(linkLife))
}

// Part is what became of a letter to one recipient.
type Part struct {
	ID           uuid.UUID
	To           string // title and name
	State        models.DispatchState
	Channel      models.DispatchChannel
	At           time.Time // of the state
	Done         *time.Time
	How          string
	Remind       *time.Time
	Answer       string
	Reason       string // why it was closed: one of the codes
	Mail         models.DeliveryState
	MayWithdraw  bool
	AsksAnswered bool // counts as sent, and nobody said yet what came of it
}

// Mine is a letter as its writer sees it.
type Mine struct {
	ID        uuid.UUID
	Title     string
	Lang      string // of Title
	Locale    string // that the letter was written in
	Slug      string
	State     models.LetterState
	Confirmed *time.Time
	Keeps     bool
	Closed    *time.Time
	Gone      *time.Time // when its text goes; nil while it is open or kept
	Parts     []Part
	Replies   []Kept
}

// Kept is a reply that the writer keeps.
type Kept struct {
	At   time.Time
	Text string
}

// unknownLetter says that there is no such letter any more, or not in this link.
func unknownLetter() error { return fault.New(fault.NotFound, "error.letter_unknown") }

// letterOf reads the letter of a link. The faults are those of tokens.Signer.Read, and Gone, error.letter_gone, where nobody's name stands
// at it any more.
func (s *Service) letterOf(ctx context.Context, tx *gorm.DB, token string) (models.Letter, error) {
	var l models.Letter
	id, err := s.Signer.Read(tokens.Letter, token, s.Clock.Now())
	if err != nil {
		return l, err
	}
	err = tx.WithContext(ctx).Where("id = ?", id).Take(&l).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && l.MailboxID == uuid.Nil {
		return l, fault.New(fault.Gone, "error.letter_gone")
	}
	return l, err
}

// own runs fn with the letter of a link, which it holds until the transaction ends.
func (s *Service) own(ctx context.Context, token string, fn func(tx *gorm.DB, l models.Letter, now time.Time) error) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		l, err := s.letterOf(ctx, tx.Clauses(forUpdate), token)
		if err != nil {
			return err
		}
		return fn(tx, l, now)
	})
}

// dispatchOf reads one dispatch of a letter, and holds it.
func dispatchOf(tx *gorm.DB, l models.Letter, id uuid.UUID) (models.Dispatch, error) {
	var d models.Dispatch
	err := tx.Clauses(forUpdate).Where("id = ? AND letter_id = ?", id, l.ID).Take(&d).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = unknownLetter()
	}
	return d, err
}

// Mine reads what became of the letter of a link, and changes nothing. The faults are those of tokens.Signer.Read, and Gone,
// error.letter_gone.
func (s *Service) Mine(ctx context.Context, token string) (Mine, error) {
	l, err := s.letterOf(ctx, s.DB.DB, token)
	if err != nil {
		return Mine{}, err
	}
	return s.mine(ctx, s.DB.DB, l)
}

func (s *Service) mine(ctx context.Context, tx *gorm.DB, l models.Letter) (Mine, error) {
	tx = tx.WithContext(ctx)
	var c models.LetterCampaign
	if err := tx.Where("id = ?", l.LetterCampaignID).Take(&c).Error; err != nil {
		return Mine{}, err
	}
	m := Mine{ID: l.ID, Title: c.Title, Lang: c.Locale, Locale: l.Locale, Slug: c.Slug, State: l.State, Confirmed: l.ConfirmedAt, Keeps: l.Keeps, Closed: l.ClosedAt}
	if l.ClosedAt != nil && !l.Keeps {
		m.Gone = at(l.ClosedAt.Add(forgetAfter))
	}
	var rows []struct {
		models.Dispatch
		Name, Title, MemberTitle string
		Mail                     models.DeliveryState
	}
	err := tx.Raw(`SELECT d.*, g.name, t.title, c.member_title, COALESCE(m.state, '') AS mail FROM dispatches d JOIN legislators g ON g.id = d.legislator_id
		JOIN terms t ON t.id = d.term_id JOIN chambers c ON c.id = t.chamber_id LEFT JOIN deliveries m ON m.id = d.delivery_id WHERE d.letter_id = ? AND d.state <> 'draft' ORDER BY d.created_at, d.id`, l.ID).Scan(&rows).Error
	if err != nil {
		return m, err
	}
	for _, r := range rows {
		p := Part{
			ID: r.ID, To: named(r.Title, r.MemberTitle, r.Name), State: r.State, Channel: r.Channel, At: r.UpdatedAt, Done: r.DoneAt, How: r.DoneHow, Remind: r.RemindAt, Answer: r.Answer,
			Reason: r.ClosedReason, Mail: r.Mail,
		}
		if r.HandedAt != nil {
			p.At = *r.HandedAt
		}
		p.MayWithdraw = r.State == models.DispatchWaiting || r.State == models.DispatchRetarget ||
			r.State == models.DispatchHanded && (r.Mail == models.DeliveryQueued || r.Mail == models.DeliveryDeferred)
		p.AsksAnswered = c.AskAnswers && (r.State == models.DispatchPresumed || r.State == models.DispatchByHand && r.DoneAt != nil)
		m.Parts = append(m.Parts, p)
	}
	var replies []models.LetterReply
	err = tx.Where("kept AND body_sealed IS NOT NULL AND dispatch_id IN (SELECT id FROM dispatches WHERE letter_id = ?)", l.ID).Order("received_at, id").Find(&replies).Error
	for _, r := range replies {
		text, err := s.Vault.Open("letter_replies", "body_sealed", r.ID, r.BodySealed)
		if err != nil {
			return m, err
		}
		m.Replies = append(m.Replies, Kept{At: r.ReceivedAt, Text: text})
	}
	return m, err
}

// named is a legislator as people read them: title and name.
func named(title, chambers, name string) string {
	if title == "" {
		title = chambers
	}
	return strings.TrimSpace(title + " " + name)
}

// writer opens who wrote a letter.
func (s *Service) writer(ctx context.Context, tx *gorm.DB, l models.Letter) (w writer, err error) {
	var box models.Mailbox
	if err := tx.WithContext(ctx).Where("id = ?", l.MailboxID).Take(&box).Error; err != nil {
		return w, err
	}
	if w.email, err = mailboxes.Address(s.Vault, box); err != nil {
		return w, err
	}
	for _, c := range []struct {
		to     *string
		column string
		sealed []byte
	}{
		{&w.given, "given_name_sealed", l.GivenNameSealed},
		{&w.family, "family_name_sealed", l.FamilyNameSealed},
		{&w.street, "street_sealed", l.StreetSealed},
		{&w.city, "city_sealed", l.CitySealed},
		{&w.phone, "phone_sealed", l.PhoneSealed},
	} {
		if *c.to, err = s.Vault.Open("letters", c.column, l.ID, c.sealed); err != nil {
			return w, err
		}
	}
	w.area, w.region, w.country = l.PostalArea, l.Region, l.Country
	return w, nil
}

// writer is who wrote a letter, and where they live.
type writer struct{ given, family, street, city, region, area, country, phone, email string }

func (w writer) name() string { return strings.TrimSpace(w.given + " " + w.family) }

// lines is the writer's address as it stands on an envelope.
func (w writer) lines() []string {
	out := []string{w.name(), w.street, strings.TrimSpace(strings.Trim(w.city+", "+w.region, ", ") + " " + w.area)}
	return slices.DeleteFunc(out, func(s string) bool { return s == "" })
}

// Withdraw takes back what has not gone to a recipient. The faults are those of Mine; NotFound, error.letter_unknown; Conflict,
// error.letter_went, where it is on its way already.
func (s *Service) Withdraw(ctx context.Context, token string, dispatch uuid.UUID) error {
	return s.own(ctx, token, func(tx *gorm.DB, l models.Letter, now time.Time) error {
		d, err := dispatchOf(tx, l, dispatch)
		if err != nil {
			return err
		}
		return s.takeBack(tx, d, now)
	})
}

// takeBack closes a dispatch that has not gone.
func (s *Service) takeBack(tx *gorm.DB, d models.Dispatch, now time.Time) error {
	switch d.State {
	case models.DispatchClosed:
		return nil
	case models.DispatchWaiting, models.DispatchRetarget, models.DispatchByHand:
	case models.DispatchHanded:
		if d.Channel != models.ByEmail {
			return fault.New(fault.Conflict, "error.letter_went")
		}
		r := tx.Model(&models.Delivery{}).Where("id = ? AND state IN ?", d.DeliveryID, []models.DeliveryState{models.DeliveryQueued, models.DeliveryDeferred}).
			Updates(map[string]any{"state": models.DeliveryExpired, "updated_at": now})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return fault.New(fault.Conflict, "error.letter_went")
		}
	default:
		return fault.New(fault.Conflict, "error.letter_went")
	}
	return closed(tx, d.ID, ClosedWithdrawn, now)
}

// Answers are those of an office, as writers tell them.
var Answers = []string{"yes", "no", "unclear"}

// Tell writes down what an office answered: one of Answers, or "" where no answer came. The faults are those of Withdraw, and Invalid with
// the field answer.
func (s *Service) Tell(ctx context.Context, token string, dispatch uuid.UUID, answer string) error {
	if answer != "none" && !slices.Contains(Answers, answer) {
		return fault.Fields{{Name: "answer", Key: "error.letter_choose"}}.Err()
	}
	return s.own(ctx, token, func(tx *gorm.DB, l models.Letter, now time.Time) error {
		d, err := dispatchOf(tx, l, dispatch)
		if err != nil {
			return err
		}
		if d.State != models.DispatchHanded && d.State != models.DispatchPresumed && d.State != models.DispatchAnswered && (d.State != models.DispatchByHand || d.DoneAt == nil) {
			return fault.New(fault.Conflict, "error.letter_went")
		}
		if answer == "none" {
			return nil
		}
		return set(tx, d.ID, now, map[string]any{"state": models.DispatchAnswered, "answer": answer, "answered_at": now})
	})
}

// Keep keeps a letter on its writer's page once it is closed, with the replies that come from now on; or lets it go in its time. The
// faults are those of Mine.
func (s *Service) Keep(ctx context.Context, token string, keep bool) error {
	return s.own(ctx, token, func(tx *gorm.DB, l models.Letter, now time.Time) error {
		return tx.Model(&models.Letter{}).Where("id = ?", l.ID).Updates(map[string]any{"keeps": keep, "updated_at": now}).Error
	})
}

// Discard takes a letter away now: what has not gone does not go, and nothing of it names its writer any more. What an office has, it has.
// The faults are those of Mine.
func (s *Service) Discard(ctx context.Context, token string) error {
	return s.own(ctx, token, func(tx *gorm.DB, l models.Letter, now time.Time) error {
		var list []models.Dispatch
		if err := tx.Clauses(forUpdate).Where("letter_id = ?", l.ID).Order("id").Find(&list).Error; err != nil {
			return err
		}
		for _, d := range list {
			if err := s.takeBack(tx, d, now); err != nil && !fault.Is(err, fault.Conflict) {
				return err
			}
		}
		return s.anonymise(ctx, tx, []uuid.UUID{l.ID}, now)
	})
}
