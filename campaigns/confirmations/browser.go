package confirmations

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
)

// PendingFor is how long what a form says waits to be confirmed, and how long a browser keeps the mark of what was sent
// from it.
const PendingFor = 7 * 24 * time.Hour

// browserIDs is how many forms the mark holds.
const browserIDs = 5

// Mark adds the id of a form that was just sent to the mark that a browser holds, which is empty at first, and returns the
// new one: signed, for a cookie that no script reads. The oldest make room.
func (s *Service) Mark(mark string, id uuid.UUID) string {
	ids := s.Marked(mark)
	ids = append([]uuid.UUID{id}, ids...)
	ids = ids[:min(len(ids), browserIDs)]
	ends := s.clk.Now().Add(PendingFor)
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = s.signer.Make(tokens.Browser, id, ends)
	}
	return strings.Join(parts, ".")
}

// Marked reads a mark: the ids of the forms that were sent from this browser, newest first. Anything that Mark did not write
// is left out.
func (s *Service) Marked(mark string) []uuid.UUID {
	now := s.clk.Now()
	var out []uuid.UUID
	for part := range strings.SplitSeq(mark, ".") {
		if len(out) == browserIDs {
			break
		}
		if id, err := s.signer.Read(tokens.Browser, part, now); err == nil && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

func asFault(err error) *fault.Error {
	var e *fault.Error
	if errors.As(err, &e) {
		return e
	}
	return fault.New(fault.Gone, "error.confirm_nothing")
}
