package petitions

import (
	"context"
	"net/netip"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/abuse"
	"kithline/models"
)

// device reads a device address as the server knows it: an address, or the net that it counts by.
func device(v string) netip.Addr {
	if p, err := netip.ParsePrefix(v); err == nil {
		return p.Addr()
	}
	a, _ := netip.ParseAddr(v)
	return a
}

// judge asks the guard about a form that was checked.
func (s *Service) judge(ctx context.Context, p models.Petition, j Judged) (Verdict, error) {
	v, err := s.opt.Guard.Judge(ctx, abuse.Visit{Petition: p, Email: j.Form.Email, Client: device(j.ClientIP), Trap: j.Form.Trap, Proof: j.Form.Proof})
	return Verdict{Suspect: v.Reason, Flag: v.Flag, InboxHash: v.Inbox, ProofHash: v.Proof, Allowed: v.Allowed, Rests: v.Rests}, err
}

// settler says in tx what only the rows tell about new signatures, which were made of forms.
type settler func(ctx context.Context, tx *gorm.DB, rows []newSignature, fresh []models.Signature) error

// settle lets the guard say in tx what only the rows tell about new signatures. rows are the forms that they were made of.
func (s *Service) settle(ctx context.Context, tx *gorm.DB, rows []newSignature, fresh []models.Signature) error {
	if s.opt.Guard == nil || len(fresh) == 0 {
		return nil
	}
	said := make(map[uuid.UUID]Verdict, len(rows))
	for _, r := range rows {
		said[r.Signature.ID] = r.Verdict
	}
	items := make([]abuse.Item, len(fresh))
	for i := range fresh {
		v := said[fresh[i].ID]
		items[i] = abuse.Item{Signature: &fresh[i], Verdict: abuse.Verdict{
			Reason: v.Suspect, Flag: v.Flag, Allowed: v.Allowed, Rests: v.Rests, Inbox: v.InboxHash, Proof: v.ProofHash,
		}}
	}
	return s.opt.Guard.Settle(ctx, tx, items)
}

// Pressed reports whether the form of a petition asks for a proof of work now.
func (s *Service) Pressed(p models.Petition) bool {
	return s.opt.Guard != nil && abuse.Pressed(p, s.clk.Now())
}

// Challenge makes a challenge that a browser solves before it sends the form of a petition. Anybody may call it. The faults are those
// of Public.
func (s *Service) Challenge(ctx context.Context, slug string) (abuse.Challenge, error) {
	p, err := s.lately(ctx, slug)
	if err != nil {
		return abuse.Challenge{}, err
	}
	if s.opt.Guard == nil {
		return abuse.Challenge{}, unknown()
	}
	return s.opt.Guard.Challenge(p.ID)
}
