package petitions

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// Whoever starts a petition needs no account. The rules:
//
//   - Nothing is kept on the server before somebody gave an address. Then the draft and its lead starter are stored, a mail with
//     a link and a code goes, and the browser in which it was typed goes on at once: with draft work only, and on that draft only.
//   - The link's page has one button. Who presses it has proved the address: the starter is confirmed, and that browser may do
//     all that an author may, with every petition that was confirmed from the mailbox. The code does the same, on any device,
//     together with the address, for five tries.
//   - A draft also waits on the page behind any other confirmation mail of its address, and its own mail is held up by none of those:
//     see confirmations.
//   - A starter invites up to four others by address. Each of them presses a button behind a link of their own. They write
//     together; the lead alone invites, removes, and takes the petition back.
//   - A draft whose lead pressed no button goes after 7 days; one that nobody touched goes after 30.
const (
	// StarterFor is how long a browser, a mailed link and a draft that nobody touches last.
	StarterFor = 30 * 24 * time.Hour
	// StartersMost is how many write one petition.
	StartersMost = 5
	// unconfirmedMost is how many drafts wait at one mailbox; the second oldest makes room, as with forms.
	unconfirmedMost = 5
	starterTries    = 5 // codes that may be typed for one starter
	marksMost       = 5
)

func confirmFirst() error {
	return fault.New(fault.Forbidden, "error.start_confirm_first", "Next", "/petitions/resume")
}

// starterOf returns the starter of a petition who acts: confirmed at the mailbox that was proved, or the one whose draft was
// begun in this browser. It is nil for everybody else.
func starterOf(ctx context.Context, tx *gorm.DB, a actor.Actor, petition uuid.UUID) (*models.PetitionStarter, error) {
	if a.Kind != actor.Person {
		return nil, nil
	}
	q := tx.WithContext(ctx).Where("petition_id = ?", petition)
	switch {
	case a.MailboxID != uuid.Nil:
		q = q.Where("mailbox_id = ? AND confirmed_at IS NOT NULL", a.MailboxID)
	case a.StarterID != uuid.Nil:
		q = q.Where("id = ?", a.StarterID)
	default:
		return nil, nil
	}
	var row models.PetitionStarter
	err := q.Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}
	return &row, err
}

// started reads a petition for a starter. Before an address was proved it is theirs as a draft alone.
func started(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Petition, error) {
	st, err := starterOf(ctx, tx, a, id)
	if err != nil {
		return models.Petition{}, err
	}
	if st == nil {
		return models.Petition{}, unknown()
	}
	p, err := take(ctx, tx, id)
	if err == nil && a.MailboxID == uuid.Nil && !p.Editable() {
		return models.Petition{}, confirmFirst()
	}
	return p, err
}

// proved refuses a browser in which no address was proved yet.
func proved(a actor.Actor) error {
	if a.Kind == actor.Person && a.MailboxID == uuid.Nil {
		return confirmFirst()
	}
	return nil
}

// draws asks for the right to draft: that of an account, or of somebody who starts petitions without one, whose petitions are
// told apart by mine.
func draws(a actor.Actor) error {
	if a.Kind == actor.Person {
		return nil
	}
	return a.Need(actor.DraftPetition)
}

// needLead refuses a starter who does not lead.
func needLead(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) error {
	if a.Kind != actor.Person {
		return nil
	}
	st, err := starterOf(ctx, tx, a, id)
	if err == nil && (st == nil || !st.Lead || a.MailboxID == uuid.Nil) {
		err = fault.New(fault.Forbidden, "error.start_lead_only")
	}
	return err
}

// addressees are the mailboxes that hear of a petition: its author's, else those of its confirmed starters.
func addressees(ctx context.Context, tx *gorm.DB, p models.Petition) ([]uuid.UUID, error) {
	tx = tx.WithContext(ctx)
	var boxes []uuid.UUID
	if p.AuthorID != nil {
		err := tx.Model(&models.User{}).Where("id = ?", *p.AuthorID).Pluck("mailbox_id", &boxes).Error
		return boxes, err
	}
	err := tx.Model(&models.PetitionStarter{}).Where("petition_id = ? AND confirmed_at IS NOT NULL", p.ID).Order("lead DESC, created_at, id").Pluck("mailbox_id", &boxes).Error
	return boxes, err
}

// Mark adds what a browser may go on with to what its cookie holds: a starter whose draft was begun in it, or a mailbox that was
// proved in it. The oldest make room.
func (s *Service) mark(held string, kind tokens.Kind, id uuid.UUID) string {
	ends := s.clk.Now().Add(StarterFor)
	parts := []string{s.signer.Make(kind, id, ends)}
	for _, m := range s.marks(held) {
		if m.id != id && len(parts) < marksMost {
			parts = append(parts, m.token)
		}
	}
	return strings.Join(parts, ".")
}

type startMark struct {
	token  string
	id     uuid.UUID
	proved bool
}

// marks reads a cookie: what was proved first. Anything that mark did not write is left out.
func (s *Service) marks(held string) []startMark {
	now := s.clk.Now()
	var out []startMark
	for part := range strings.SplitSeq(held, ".") {
		if len(out) == marksMost {
			break
		}
		if id, err := s.signer.Read(tokens.Proved, part, now); err == nil {
			out = append(out, startMark{part, id, true})
		} else if id, err := s.signer.Read(tokens.Typed, part, now); err == nil {
			out = append(out, startMark{part, id, false})
		}
	}
	slices.SortStableFunc(out, func(a, b startMark) int {
		switch {
		case a.proved == b.proved:
			return 0
		case a.proved:
			return -1
		}
		return 1
	})
	return out
}

// Holds reports whether a cookie lets anybody go on with anything, without asking the database.
func (s *Service) Holds(cookie string) bool { return len(s.marks(cookie)) > 0 }

// Starter says who acts in a browser with a cookie, on one petition. It is nobody where the cookie says nothing about it.
func (s *Service) Starter(ctx context.Context, cookie string, petition uuid.UUID) (actor.Actor, error) {
	for _, m := range s.marks(cookie) {
		a := actor.Actor{Kind: actor.Person, StarterID: m.id}
		if m.proved {
			a = actor.Actor{Kind: actor.Person, MailboxID: m.id}
		}
		st, err := starterOf(ctx, s.db.DB, a, petition)
		if err != nil || st != nil {
			return a, err
		}
	}
	return actor.Actor{}, nil
}

// Mine is one petition of somebody who starts without an account.
type Mine struct {
	Petition models.Petition
	Starter  models.PetitionStarter
	Name     string // the starter's own
	Proved   bool   // the address was proved in this browser
	Link     string // the page on which what waits at a proved mailbox is taken up, a path; "" for everything else
}

// Waits reports whether the starter did not press the button yet.
func (m Mine) Waits() bool { return m.Starter.ConfirmedAt == nil }

// Goes is when a draft goes if nothing is done.
func (m Mine) Goes() time.Time {
	if m.Starter.Lead && m.Starter.ConfirmedAt == nil {
		return m.Starter.CreatedAt.Add(unconfirmedFor)
	}
	return m.Petition.UpdatedAt.Add(StarterFor)
}

// Mine lists what the cookie of a browser leads to, newest first: with a proved mailbox also what waits there to be taken up.
func (s *Service) Mine(ctx context.Context, cookie string) ([]Mine, error) {
	var boxes, ids []uuid.UUID
	for _, m := range s.marks(cookie) {
		if m.proved {
			boxes = append(boxes, m.id)
		} else {
			ids = append(ids, m.id)
		}
	}
	if len(boxes)+len(ids) == 0 {
		return nil, nil
	}
	db := s.db.WithContext(ctx)
	var rows []models.PetitionStarter
	err := db.Where("mailbox_id IN ? OR id IN ?", append(boxes, uuid.Nil), append(ids, uuid.Nil)).Order("created_at DESC, id DESC").Limit(100).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	var out []Mine
	for _, st := range rows {
		m := Mine{Starter: st, Proved: slices.Contains(boxes, st.MailboxID)}
		if m.Petition, err = take(ctx, s.db.DB, st.PetitionID); err != nil {
			return nil, err
		}
		if !m.Proved && !m.Petition.Editable() {
			continue
		}
		if m.Proved && m.Waits() {
			if m.Petition.State == models.PetitionWithdrawn {
				continue
			}
			m.Link = s.starterPath(st)
		}
		out = append(out, m)
	}
	return out, nil
}

// One returns one petition for its starter, with all who write it. The fault is NotFound, error.petition_unknown; Forbidden,
// error.start_confirm_first, where an address must be proved in this browser first.
func (s *Service) One(ctx context.Context, a actor.Actor, id uuid.UUID) (Mine, []Colleague, error) {
	m := Mine{Proved: a.MailboxID != uuid.Nil}
	p, err := started(ctx, s.db.DB, a, id)
	if err != nil {
		return m, nil, err
	}
	st, err := starterOf(ctx, s.db.DB, a, id)
	if err != nil {
		return m, nil, err
	}
	if st == nil {
		return m, nil, unknown()
	}
	m.Petition, m.Starter = p, *st
	if m.Name, err = s.starterName(*st); err != nil {
		return m, nil, err
	}
	all, err := s.colleagues(ctx, id)
	return m, all, err
}

func (s *Service) starterName(st models.PetitionStarter) (string, error) {
	return s.vault.Open("petition_starters", "name_sealed", st.ID, st.NameSealed)
}

// Colleague is one who writes a petition, as the others see them: never their address.
type Colleague struct {
	ID        uuid.UUID
	Name      string // "" until they said it
	Lead      bool
	Confirmed bool
}

func (s *Service) colleagues(ctx context.Context, id uuid.UUID) ([]Colleague, error) {
	var rows []models.PetitionStarter
	if err := s.db.WithContext(ctx).Where("petition_id = ?", id).Order("lead DESC, created_at, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make([]Colleague, len(rows))
	for i, st := range rows {
		name, err := s.starterName(st)
		if err != nil {
			return nil, err
		}
		out[i] = Colleague{ID: st.ID, Name: name, Lead: st.Lead, Confirmed: st.ConfirmedAt != nil}
	}
	return out, nil
}
