package petitions

import (
	"slices"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"

	"kithline/models"
)

// seats is how many people may sign one petition from one mailbox.
const seats = 2

// sitting is a signature that is there at a mailbox, or is written by the same batch.
type sitting struct {
	models.Signature
	name  string // folded; "" where the names are gone
	fresh bool   // of this batch
}

// table are the signatures of a petition at a mailbox.
type table []sitting

// place says what becomes of one more signature at the table. It is the second person's where the name is another one and the postal
// area the same: then seat is theirs. Else it stands for one that is there. leaving are signatures that were taken back and make room:
// the signer's own, and one whose seat is needed.
func (t table) place(sig models.Signature, name string) (seat int, there *sitting, leaving []uuid.UUID) {
	taken := map[int]*sitting{}
	for i := range t {
		x := &t[i]
		switch {
		case x.State == models.SignatureWithdrawn && (x.name == "" || x.name == name):
			leaving = append(leaving, x.ID)
		case x.State != models.SignatureWithdrawn && (x.name == "" || x.name == name):
			return 0, x, nil
		default:
			taken[x.Seat] = x
		}
	}
	for _, x := range taken {
		if x.State != models.SignatureWithdrawn && x.PostalArea != sig.PostalArea {
			return 0, t.first(), nil
		}
	}
	for seat := range seats {
		if taken[seat] == nil {
			return seat, nil, leaving
		}
	}
	for seat := range seats {
		if taken[seat].State == models.SignatureWithdrawn {
			return seat, nil, append(leaving, taken[seat].ID)
		}
	}
	return 0, t.first(), nil
}

// first is the signature that a form stands for which is nobody's here: one that counts before one that waits.
func (t table) first() *sitting {
	var out *sitting
	for i := range t {
		if t[i].State != models.SignatureWithdrawn && (out == nil || waits(out.Signature) && !waits(t[i].Signature)) {
			out = &t[i]
		}
	}
	return out
}

// leave deletes in tx signatures that were taken back and make room.
func leave(tx *gorm.DB, ids []uuid.UUID) error {
	if len(ids) == 0 {
		return nil
	}
	return tx.Where("id IN ? AND state = ?", ids, models.SignatureWithdrawn).Delete(&models.Signature{}).Error
}

// foldName is a name as it is compared: without case, accents, spaces and marks.
func foldName(given, family string) string {
	v := norm.NFKD.String(cases.Fold().String(given + family))
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, v)
}

// without takes those that left off the table.
func (t table) without(ids []uuid.UUID) table {
	return slices.DeleteFunc(t, func(x sitting) bool { return slices.Contains(ids, x.ID) })
}
