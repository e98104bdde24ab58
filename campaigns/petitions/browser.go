package petitions

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// BrowserFor is how long a browser keeps the mark of what was signed in it.
const BrowserFor = pendingFor

// browserIDs is how many signatures the mark holds.
const browserIDs = 5

// Mark adds what was just signed to the mark that a browser holds, which is empty at first, and returns the new one: signed,
// for a cookie that no script reads. The oldest make room.
func (s *Service) Mark(mark string, id uuid.UUID) string {
	ids := s.Marked(mark)
	ids = append([]uuid.UUID{id}, ids...)
	ids = ids[:min(len(ids), browserIDs)]
	ends := s.clk.Now().Add(BrowserFor)
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = s.signer.Make(tokens.Browser, id, ends)
	}
	return strings.Join(parts, ".")
}

// Marked reads a mark: the ids of what was signed in this browser, newest first. Anything that Mark did not write is left
// out.
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

// ConfirmCode counts what was signed in this browser at the mailbox that got the code. ids are those of the browser's mark.
// Each signature takes five tries; then only the link in the mail works. The fault is Invalid with the field code, the same
// whether nothing waits, the code is wrong or the tries are used up; those of Confirm where the code was right.
func (s *Service) ConfirmCode(ctx context.Context, ids []uuid.UUID, code string) (Confirmed, error) {
	var bad fault.Fields
	if strings.TrimSpace(code) == "" {
		bad.Add("code", "error.code_missing")
		return Confirmed{}, bad.Err()
	}
	var tried []models.Signature
	if len(ids) > 0 {
		// Counted and committed before the code is looked at: many tries at once are as many tries.
		err := s.db.Tx(ctx, func(tx *gorm.DB) error {
			tried = nil
			return tx.Raw(`UPDATE signatures SET code_tries = code_tries + 1 WHERE id IN ? AND state IN ('pending', 'confirmed') AND code_tries < ?
				RETURNING id, mailbox_id, state`, ids, codeTries).Scan(&tried).Error
		})
		if err != nil {
			return Confirmed{}, err
		}
	}
	for _, sig := range tried {
		if s.signer.CodeMatches(tokens.Confirm, sig.ID, code) {
			var same []uuid.UUID // also what was signed here from the same mailbox and got no mail of its own
			for _, other := range tried {
				if other.MailboxID == sig.MailboxID {
					same = append(same, other.ID)
				}
			}
			return s.confirm(ctx, sig.MailboxID, same)
		}
	}
	bad.Add("code", "error.code_wrong")
	return Confirmed{}, bad.Err()
}

// Again queues the confirmation mail once more for what was signed in this browser and still waits, within the limits for
// its mailbox. ids are those of the browser's mark. It answers the same whether anything waits or not.
func (s *Service) Again(ctx context.Context, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		var sigs []models.Signature
		if err := tx.Where("id IN ? AND state = ? AND expires_at > ?", ids, models.SignaturePending, now).Find(&sigs).Error; err != nil {
			return err
		}
		var boxIDs []uuid.UUID
		for _, sig := range sigs {
			boxIDs = append(boxIDs, sig.MailboxID)
		}
		if len(boxIDs) == 0 {
			return nil
		}
		var rows []models.Mailbox
		if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id IN ?", boxIDs).Order("address_hash").Find(&rows).Error; err != nil {
			return err
		}
		boxes := map[uuid.UUID]models.Mailbox{}
		for _, b := range rows {
			boxes[b.ID] = b
		}
		var asked []request
		for _, sig := range sigs {
			asked = append(asked, request{Signature: sig})
		}
		return mails(ctx, tx, asked, boxes, boxIDs, now)
	})
}
