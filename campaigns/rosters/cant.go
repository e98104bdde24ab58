package rosters

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// Holding is what somebody holds, for the pages behind a mailed link. Of the person it has the first name alone: the link may be passed on.
type Holding struct {
	OnOffer
	As        models.PlaceAs
	GivenName string
	When, Own string
	Gone      bool // they do not hold it any more, or never did: then there is nothing else here
	Begun     bool // it cannot be let go of any more
	Asked     bool // somebody stands by, who is asked when they let go
	Join      string
	Meeting   bool   // it is of a meeting, whose page the link opens too
	Again     string // once it is let go of: what HoldAgain asks for, to be kept by their browser alone
}

// Stands reports whether the person stands by.
func (h Holding) Stands() bool { return h.As == models.AsStandby || h.As == models.AsUnderstudy }

// takeHolding reads the assignment of a link. A link that has ended is one of something that is gone.
func (s *Service) takeHolding(ctx context.Context, tx *gorm.DB, token string) (a models.Assignment, there bool, err error) {
	id, err := s.Signer.Read(tokens.Cant, token, s.Clock.Now())
	if fault.Is(err, fault.Gone) {
		return a, false, nil
	}
	if err != nil {
		return a, false, err
	}
	var rows []models.Assignment
	err = tx.WithContext(ctx).Where("id = ? AND state <> ?", id, models.AssignmentPending).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return a, false, err
	}
	return rows[0], true, nil
}

// Holding reads what a mailed link is about, and changes nothing. Whoever has the link may read it. The fault is NotFound,
// error.link_unknown.
func (s *Service) Holding(ctx context.Context, token, lang string) (Holding, error) {
	a, there, err := s.takeHolding(ctx, s.DB.DB, token)
	if err != nil || !there {
		return Holding{Gone: err == nil}, err
	}
	return s.holdingOf(ctx, a, lang)
}

func (s *Service) holdingOf(ctx context.Context, a models.Assignment, lang string) (Holding, error) {
	now := s.Clock.Now()
	list, err := s.takeOffered(ctx, s.DB.DB, []uuid.UUID{a.ShiftID}, now)
	if err != nil {
		return Holding{}, err
	}
	h := Holding{OnOffer: list[0], As: a.AsWhat}
	if h.CancelledAt != nil || h.SettledAt != nil {
		return Holding{Gone: true}, nil
	}
	p, err := s.takeSaid(a)
	if err != nil {
		return Holding{}, err
	}
	h.GivenName, h.Begun, h.Asked = p.GivenName, over(h.Shift, now), !a.Standby() && h.Taken.Standbys > 0
	h.When, h.Own = s.WhenFor(lang, h.Roster, h.Shift, a.StartsAt, a.TimeZone)
	if len(h.JoinSealed) > 0 && !h.Stands() {
		if h.Join, err = s.Vault.Open("shifts", "join_sealed", h.ID, h.JoinSealed); err != nil {
			return h, err
		}
	}
	if h.TeamID != nil {
		var n int64
		if err := s.DB.WithContext(ctx).Model(&models.Meeting{}).Where("team_id = ?", *h.TeamID).Count(&n).Error; err != nil {
			return h, err
		}
		h.Meeting = n > 0
	}
	return h, nil
}

// LetGo lets go of what a mailed link is about, until it begins: then Begun says so, and nothing happens. Done twice it does nothing, and
// answers that it is gone. With never, the person is not asked for this one by itself again. Whoever has the link may call it. The fault
// is NotFound, error.link_unknown.
func (s *Service) LetGo(ctx context.Context, token, lang string, never bool) (Holding, error) {
	a, there, err := s.takeHolding(ctx, s.DB.DB, token)
	if err != nil || !there {
		return Holding{Gone: err == nil}, err
	}
	h, err := s.holdingOf(ctx, a, lang)
	if err != nil || h.Begun || h.Gone {
		return h, err
	}
	now := s.Clock.Now()
	if h.Again, err = s.goneSeal(a, now); err != nil {
		return h, err
	}
	return h, s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if never {
			if err := s.mark(tx.WithContext(ctx), a.ShiftID, a.MailboxID); err != nil {
				return err
			}
		}
		_, err := s.takeRelease(ctx, tx, a.ID, now)
		return err
	})
}

// takeRelease lets go of an assignment in tx, and reports whether it did: it is there, and has not begun.
func (s *Service) takeRelease(ctx context.Context, tx *gorm.DB, id uuid.UUID, now time.Time) (bool, error) {
	tx = tx.WithContext(ctx)
	var rows []models.Assignment
	if err := tx.Where("id = ?", id).Find(&rows).Error; err != nil || len(rows) == 0 {
		return false, err
	}
	sh, err := hold(ctx, tx, rows[0].ShiftID)
	if err != nil || over(sh, now) {
		return false, err
	}
	if err := tx.Where("id = ?", id).Find(&rows).Error; err != nil || len(rows) == 0 { // as it is now that the shift is held
		return false, err
	}
	return true, s.letGo(ctx, tx, sh, rows[0], now)
}
