// Package confirmations is the one door through which what people type into public forms becomes true: the page behind the
// link of a confirmation mail, and the short code in it.
//
// The rules, whichever form it was:
//
//   - What a form says waits at the mailbox of the address. The mailed link opens a page that lists everything that waits
//     there, also what was added since the mail went; one button confirms all of it, another deletes all of it. Opening the
//     page changes nothing, and pressing twice confirms once.
//   - Whoever presses stands for what is listed, so the page shows all of it, in its own words: the form may have been
//     somebody else's.
//   - An address that nobody confirmed yet gets one mail in 24 hours and three in a week, over all forms; the link to a draft that was
//     begun comes beside it, at most one in 24 hours, and counts among the three. A confirmed one
//     gets one mail an action, at most ten a day. So the answer to a form is the same for every address.
//   - The code in a mail works only in the browser that sent the form, for five tries; then only the link does.
//
// A feature with such a form is a Source, registered in app/wire.go. It keeps its own rows; this package knows none of them.
package confirmations

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
)

// Item is one thing that waits at a mailbox, or that counts already.
type Item struct {
	ID          uuid.UUID
	Kind        string // which form: the kind's words are confirm.kind_<Kind> and confirm.button_<Kind>
	Title       string // as the organisation wrote it; "" where the kind's words say enough
	TitleLocale string
	Path        string // its own page; "" for none
	Thanks      string // the page that follows the confirmation
	At          time.Time
	Open        bool   // false: it takes no confirmations any more
	Person      string // who signed, where two people may from one mailbox
	ShownName   string // the name that will be public, "" for none
	Updates     bool   // asks for mails about it
	Says        []Said // everything else that a press stands for, in the order of the form
	Number      int    // of what counts: which one it is, 0 where nobody counts
	Own         string // of what counts: the page where it can be changed and taken back, a path; "" for none
}

// Said is one answer of a form.
type Said struct {
	Key   string // locale key of the question; "" where Label has it in words
	Label string
	Text  string
	Value string // locale key of the answer, where that is one of ours; then Text is ""
}

// Waiting is what stands at a mailbox: what waits, oldest first, and what counts already, newest first.
type Waiting struct {
	Items []Item
	Done  []Item
}

// Confirmed is what became of a press on the button. Items are those that it is about, as Waiting.Done has them.
type Confirmed struct {
	Items   []Item
	Already bool // all of them counted before
}

// Tried is a row whose code may be looked at: the try is counted.
type Tried struct {
	ID, MailboxID uuid.UUID
}

// Source is a feature whose form waits to be confirmed. Ids are of its own rows; ids of other sources are passed to it too,
// and it takes no notice of them. All but Waiting run in transactions of their own and may be called again.
type Source interface {
	// Waiting reads what stands at a mailbox.
	Waiting(ctx context.Context, mailboxID uuid.UUID, now time.Time) (Waiting, error)
	// Confirm confirms those of ids that wait at the mailbox; Items has them and those of ids that counted before. Where it
	// has none of them the fault is Gone: error.confirm_nothing, or error.confirm_closed where they are too late.
	Confirm(ctx context.Context, mailboxID uuid.UUID, ids []uuid.UUID) (Confirmed, error)
	// Disown deletes what waits at the mailbox: those of ids, or everything where ids is empty.
	Disown(ctx context.Context, mailboxID uuid.UUID, ids []uuid.UUID) error
	// Try counts one try of a code at each of ids that has fewer than most so far, and returns those.
	Try(ctx context.Context, ids []uuid.UUID, most int) ([]Tried, error)
	// Again queues the mail once more for those of ids that still wait, within the limits.
	Again(ctx context.Context, ids []uuid.UUID) error
}

// Service asks every source. It is safe for concurrent use once all are registered.
type Service struct {
	clk     clock.Clock
	signer  *tokens.Signer
	sources []Source
}

// New makes the service.
func New(clk clock.Clock, signer *tokens.Signer) *Service { return &Service{clk: clk, signer: signer} }

// Register adds a source, at start only. The order is that of the page; the busiest comes first.
func (s *Service) Register(src Source) { s.sources = append(s.sources, src) }

// Waiting reads what stands at the mailbox of a mailed link, and changes nothing. Whoever has the link may read it. The
// faults are those of tokens.Signer.Read.
func (s *Service) Waiting(ctx context.Context, token string) (Waiting, error) {
	now := s.clk.Now()
	box, err := s.signer.Read(tokens.Confirm, token, now)
	if err != nil {
		return Waiting{}, err
	}
	return s.waiting(ctx, box, now)
}

func (s *Service) waiting(ctx context.Context, box uuid.UUID, now time.Time) (Waiting, error) {
	var all Waiting
	for _, src := range s.sources {
		w, err := src.Waiting(ctx, box, now)
		if err != nil {
			return Waiting{}, err
		}
		all.Items, all.Done = append(all.Items, w.Items...), append(all.Done, w.Done...)
	}
	slices.SortStableFunc(all.Items, func(a, b Item) int { return a.At.Compare(b.At) })
	slices.SortStableFunc(all.Done, func(a, b Item) int { return b.At.Compare(a.At) })
	return all, nil
}

// Confirm confirms what waits at the mailbox of a mailed link: those of ids, which the page showed; with none named, the one
// that waits where it is only one. Done twice it confirms once. Whoever has the link may call it. The faults are those of
// tokens.Signer.Read; Invalid with the field item where several wait and none was named; Gone, error.confirm_nothing where
// nothing waits any more, error.confirm_closed where it is too late; Unavailable, error.busy.
func (s *Service) Confirm(ctx context.Context, token string, ids []uuid.UUID) (Confirmed, error) {
	now := s.clk.Now()
	box, err := s.signer.Read(tokens.Confirm, token, now)
	if err != nil {
		return Confirmed{}, err
	}
	if len(ids) == 0 {
		w, err := s.waiting(ctx, box, now)
		if err != nil {
			return Confirmed{}, err
		}
		for _, i := range w.Items {
			ids = append(ids, i.ID)
		}
		switch {
		case len(ids) > 1:
			return Confirmed{}, fault.Fields{{Name: "item", Key: "error.confirm_choose"}}.Err()
		case len(ids) == 0 && len(w.Done) > 0:
			return Confirmed{Items: w.Done[:1], Already: true}, nil
		}
	}
	return s.confirm(ctx, box, ids)
}

// confirm goes from source to source until each id found its own.
func (s *Service) confirm(ctx context.Context, box uuid.UUID, ids []uuid.UUID) (Confirmed, error) {
	all := Confirmed{Already: true}
	gone := fault.New(fault.Gone, "error.confirm_nothing")
	ids = slices.Clone(ids)
	for _, src := range s.sources {
		if len(ids) == 0 {
			break
		}
		done, err := src.Confirm(ctx, box, ids)
		if fault.Is(err, fault.Gone) {
			if gone.Key == "error.confirm_nothing" {
				gone = asFault(err)
			}
			continue
		}
		if err != nil {
			return Confirmed{}, err
		}
		all.Items = append(all.Items, done.Items...)
		all.Already = all.Already && done.Already
		for _, i := range done.Items {
			ids = slices.DeleteFunc(ids, func(id uuid.UUID) bool { return id == i.ID })
		}
	}
	if len(all.Items) == 0 {
		return Confirmed{}, gone
	}
	return all, nil
}

// Disown deletes what waits at the mailbox of a mailed link, because its reader sent no form: those of ids, or everything.
// What counts already stays. Done twice it does nothing. The faults are those of tokens.Signer.Read.
func (s *Service) Disown(ctx context.Context, token string, ids []uuid.UUID) error {
	box, err := s.signer.Read(tokens.Confirm, token, s.clk.Now())
	if err != nil {
		return err
	}
	for _, src := range s.sources {
		if err := src.Disown(ctx, box, ids); err != nil {
			return err
		}
	}
	return nil
}

// codeTries is how many codes may be typed for one row.
const codeTries = 5

// ConfirmCode confirms what was sent from this browser to the mailbox that got the code. ids are those of the browser's
// mark. Each takes five tries; then only the link in the mail works. The fault is Invalid with the field code, the same
// whether nothing waits, the code is wrong or the tries are used up; those of Confirm where the code was right.
func (s *Service) ConfirmCode(ctx context.Context, ids []uuid.UUID, code string) (Confirmed, error) {
	var bad fault.Fields
	if strings.TrimSpace(code) == "" {
		bad.Add("code", "error.code_missing")
		return Confirmed{}, bad.Err()
	}
	var tried []Tried
	if len(ids) > 0 {
		// Counted and committed before the code is looked at: many tries at once are as many tries.
		for _, src := range s.sources {
			t, err := src.Try(ctx, ids, codeTries)
			if err != nil {
				return Confirmed{}, err
			}
			tried = append(tried, t...)
		}
	}
	for _, t := range tried {
		if s.signer.CodeMatches(tokens.Confirm, t.ID, code) {
			var same []uuid.UUID // also what was sent from here for the same mailbox and got no mail of its own
			for _, other := range tried {
				if other.MailboxID == t.MailboxID {
					same = append(same, other.ID)
				}
			}
			return s.confirm(ctx, t.MailboxID, same)
		}
	}
	bad.Add("code", "error.code_wrong")
	return Confirmed{}, bad.Err()
}

// Again queues the confirmation mail once more for what was sent from this browser and still waits, within the limits for
// its mailbox. ids are those of the browser's mark. It answers the same whether anything waits or not.
func (s *Service) Again(ctx context.Context, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	for _, src := range s.sources {
		if err := src.Again(ctx, ids); err != nil {
			return err
		}
	}
	return nil
}
