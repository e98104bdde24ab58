package abuse

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/address"
	"kithline/models"
)

// Visit is a form as it comes in.
type Visit struct {
	Petition models.Petition // as it was a moment ago
	Email    string          // as it was typed
	Client   netip.Addr      // the device; the zero value where nobody knows
	Trap     string          // what stood in the field that no person sees
	Proof    string          // of work; "" where none came
}

// Verdict is what can be said before the rows are asked.
type Verdict struct {
	Reason  string // why it is suspect; "" for the usual way
	Flag    string
	Allowed bool   // by a rule: nothing makes it suspect
	Rests   bool   // a window is open: the limits rest
	Inbox   []byte // models.Signature.InboxHash
	Proof   []byte // models.Signature.ProofHash
}

// Pressed reports whether a petition's form asks for a proof of work at a time.
func Pressed(p models.Petition, now time.Time) bool {
	return p.BreakerAt != nil || p.PressureUntil != nil && now.Before(*p.PressureUntil)
}

// Net is a device address as limits count it: IPv6 by its /64. It is nil where nobody knows the device.
func Net(a netip.Addr) []byte {
	a = a.Unmap().WithZone("")
	if !a.IsValid() {
		return nil
	}
	if a.Is6() {
		p, _ := a.Prefix(64) // never fails: it has 128
		a = p.Addr()
	}
	return a.AsSlice()
}

// Judge says what can be said of a form without asking for signatures: by rules, trap, proof, and the lists of domains. An address
// that cannot be is judged by somebody else. Settle says the rest.
func (s *Service) Judge(ctx context.Context, v Visit) (Verdict, error) {
	var out Verdict
	canonical, domain, err := address.CanonicalAddress(v.Email)
	if err != nil {
		return out, nil //nolint:nilerr // the form is refused where it is checked
	}
	list, err := s.current(ctx)
	if err != nil {
		return out, err
	}
	now := s.clk.Now()
	out.Inbox, out.Rests = inboxHash(s.vault, canonical), list.rests(v.Petition.ID, now)
	if Disposable(domain) {
		out.Flag = FlagDisposable
	}
	effects := list.effects(s.ruleHash(canonical), domain, v.Client.Unmap().WithZone(""))
	if effects[EffectFlag] {
		out.Flag = FlagRule
	}
	proven := false
	if v.Proof != "" {
		out.Proof, proven = s.solved(v.Petition.ID, v.Proof, now)
	}
	switch {
	case effects[EffectAllow]:
		out.Allowed, out.Proof = true, nil
	case effects[EffectBlock]:
		out.Reason = ReasonBlock
	case v.Trap != "":
		out.Reason = ReasonTrap
	case Pressed(v.Petition, now) && !proven:
		out.Reason = ReasonNoProof
	}
	return out, s.press(ctx, v.Petition, now)
}

// Item is a signature that is about to be written, with its verdict.
type Item struct {
	*models.Signature
	Verdict
}

// grave is where a reason stands among Reasons; the end for none.
func grave(reason string) int {
	for i, r := range Reasons {
		if r == reason {
			return i
		}
	}
	return len(Reasons)
}

// accuse gives a signature a reason, unless it has a graver one or is allowed.
func (i Item) accuse(reason string) {
	if !i.Allowed && grave(reason) < grave(i.SuspectReason) {
		i.SuspectReason, i.State = reason, models.SignatureSuspect
	}
}

// Settle gives new signatures their reasons in tx, just before they are written in it: those of their verdicts, and what only the
// rows tell: the limits, one inbox under two addresses, a proof that was used before. items are in the order in which they came.
// Written again by a batch that ran before, it comes to the same.
func (s *Service) Settle(ctx context.Context, tx *gorm.DB, items []Item) error {
	if len(items) == 0 {
		return nil
	}
	tx = tx.WithContext(ctx)
	for _, i := range items {
		i.InboxHash, i.ProofHash, i.Signature.Flag = i.Inbox, i.Proof, i.Verdict.Flag
		i.accuse(i.Reason)
	}
	if err := s.settleLimits(tx, items); err != nil {
		return err
	}
	if err := settleInboxes(tx, items); err != nil {
		return err
	}
	if err := settleProofs(tx, items); err != nil {
		return err
	}
	s.pulse.note(items)
	return nil
}

// key is a petition, and something of it.
type key struct {
	petition uuid.UUID
	of       string
}

// settleLimits accuses what comes from a device that left too many signatures under a petition already.
func (s *Service) settleLimits(tx *gorm.DB, items []Item) error {
	asked, here := []key{}, map[key]int{} // here: of this batch
	for _, i := range items {
		if k := (key{i.PetitionID, string(i.ClientHash)}); len(i.ClientHash) > 0 && !i.Allowed && !i.Rests {
			if here[k]++; here[k] == 1 {
				asked = append(asked, k)
			}
		}
	}
	if len(asked) == 0 {
		return nil
	}
	now := items[0].CreatedAt
	five, err := recent(tx, asked, now.Add(-5*time.Minute), max(s.limit.PerMinute, s.limit.PerFiveMinutes))
	if err != nil {
		return err
	}
	// Hardly any device left so many in five minutes that it matters how many of them are of the last one.
	busy := slices.DeleteFunc(asked, func(k key) bool { return five[k]+here[k] <= s.limit.PerMinute })
	minute, err := recent(tx, busy, now.Add(-time.Minute), s.limit.PerMinute)
	if err != nil {
		return err
	}
	clear(here)
	for _, i := range items {
		k := key{i.PetitionID, string(i.ClientHash)}
		if n, ok := five[k]; ok && !i.Rests {
			if minute[k]+here[k] >= s.limit.PerMinute || n+here[k] >= s.limit.PerFiveMinutes {
				i.accuse(ReasonLimit)
			}
			here[k]++
		}
	}
	return nil
}

func settleInboxes(tx *gorm.DB, items []Item) error {
	var petitions []uuid.UUID
	var hashes [][]byte
	for _, i := range items {
		if len(i.InboxHash) > 0 && !i.Allowed {
			petitions, hashes = append(petitions, i.PetitionID), append(hashes, i.InboxHash)
		}
	}
	if len(hashes) == 0 {
		return nil
	}
	var rows []models.Signature
	err := tx.Select("petition_id", "inbox_hash", "mailbox_id").Where("petition_id IN ? AND inbox_hash IN ? AND state <> 'withdrawn'", petitions, hashes).Find(&rows).Error
	if err != nil {
		return err
	}
	boxes := map[key]map[uuid.UUID]bool{}
	add := func(k key, box uuid.UUID) {
		if boxes[k] == nil {
			boxes[k] = map[uuid.UUID]bool{}
		}
		boxes[k][box] = true
	}
	for _, r := range rows {
		add(key{r.PetitionID, string(r.InboxHash)}, r.MailboxID)
	}
	for _, i := range items {
		if len(i.InboxHash) == 0 {
			continue
		}
		k := key{i.PetitionID, string(i.InboxHash)}
		if n := len(boxes[k]); n > 1 || n == 1 && !boxes[k][i.MailboxID] {
			i.accuse(ReasonSameInbox)
		}
		add(k, i.MailboxID)
	}
	return nil
}

func settleProofs(tx *gorm.DB, items []Item) error {
	var hashes [][]byte
	for _, i := range items {
		if len(i.ProofHash) > 0 {
			hashes = append(hashes, i.ProofHash)
		}
	}
	if len(hashes) == 0 {
		return nil
	}
	var rows []models.Signature
	if err := tx.Select("proof_hash").Where("proof_hash IN ?", hashes).Find(&rows).Error; err != nil {
		return err
	}
	used := map[string]bool{}
	for _, r := range rows {
		used[string(r.ProofHash)] = true
	}
	for _, i := range items {
		if len(i.ProofHash) == 0 {
			continue
		}
		if used[string(i.ProofHash)] {
			i.ProofHash = nil
			i.accuse(ReasonNoProof)
			continue
		}
		used[string(i.ProofHash)] = true
	}
	return nil
}
