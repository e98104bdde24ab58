package letters

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/models"
	"kithline/models/database"
)

// Left is told which legislators left a seat, in the transaction that ends their terms: what was still to go to them waits for a new yes
// of its writer. It is registered with legislators.Service.OnLeft, in app/wire.go.
func (s *Service) Left(ctx context.Context, tx *gorm.DB, ids []uuid.UUID) error {
	return s.left(ctx, tx, ids, s.Clock.Now())
}

// left finds what was still to go to legislators who are in no seat any more.
func (s *Service) left(ctx context.Context, tx *gorm.DB, ids []uuid.UUID, now time.Time) error {
	sitting, err := legislators.Members(ctx, tx, ids, now)
	if err != nil {
		return err
	}
	terms := map[uuid.UUID]models.Term{}
	for _, m := range sitting {
		terms[m.ID] = m.Term
	}
	var list []models.Dispatch
	err = database.FindIn(tx.WithContext(ctx).Clauses(forUpdate).Where("state IN ? AND done_at IS NULL", []models.DispatchState{models.DispatchWaiting, models.DispatchByHand}), "legislator_id", ids, &list)
	if err != nil {
		return err
	}
	var gone []models.Dispatch
	for _, d := range list {
		if t, ok := terms[d.LegislatorID]; ok {
			if same, err := seat(ctx, tx, d, t); err != nil || same {
				if err != nil {
					return err
				}
				continue
			}
		}
		gone = append(gone, d)
	}
	return s.retarget(ctx, tx, gone, now)
}

// retarget has dispatches wait for a new yes, and asks their writers for it.
func (s *Service) retarget(ctx context.Context, tx *gorm.DB, list []models.Dispatch, now time.Time) error {
	for _, d := range list {
		if err := set(tx, d.ID, now, map[string]any{"state": models.DispatchRetarget, "remind_at": nil}); err != nil {
			return err
		}
		if err := s.tell(ctx, tx, KindRetarget, d.MailboxID, d.ID, "left", now); err != nil {
			return err
		}
	}
	return nil
}

// successors are those who sit now in the seat that a dispatch was written to, but for whom it was written to.
func successors(ctx context.Context, tx *gorm.DB, d models.Dispatch, now time.Time) ([]legislators.Member, error) {
	var then models.Term
	if err := tx.WithContext(ctx).Where("id = ?", d.TermID).Take(&then).Error; err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	err := tx.WithContext(ctx).Model(&models.Term{}).Distinct().
		Where("chamber_id = ? AND ocd_id = ? AND (ocd_id <> '' OR district = ?) AND legislator_id <> ? AND ended_at IS NULL", then.ChamberID, then.OCDID, then.District, d.LegislatorID).
		Order("legislator_id").Pluck("legislator_id", &ids).Error
	if err != nil {
		return nil, err
	}
	ms, err := legislators.Members(ctx, tx, ids, now)
	if err != nil {
		return nil, err
	}
	// Of a seat with several members the others sat there before, and got letters of their own.
	var out []legislators.Member
	for _, m := range ms {
		if m.Term.ChamberID == then.ChamberID && m.Term.OCDID == then.OCDID && (then.ValidFrom == "" || m.Term.ValidFrom > then.ValidFrom) && m.Term.SeatRank == then.SeatRank {
			out = append(out, m)
		}
	}
	return out, nil
}

// readdressed is a letter's text for somebody else: the writer's words under another salutation.
func (s *Service) readdressed(text string, to legislators.Member, lang string) string {
	_, rest, ok := strings.Cut(text, "\n")
	if !ok {
		return text
	}
	return s.salutation(lang, to) + "\n" + rest
}

// Succeed sends the writer's words to who sits in the seat now: a new dispatch in the text that the page showed, and the old one is
// closed. legislator is the one that the page named. Whoever has the link to the letter may call it; done twice it is done once. The
// faults are NotFound, error.letter_unknown, and Conflict, error.letter_successor, where somebody else sits there by now, or nobody.
func (s *Service) Succeed(ctx context.Context, token string, dispatch, legislator uuid.UUID) error {
	return s.own(ctx, token, func(tx *gorm.DB, l models.Letter, now time.Time) error {
		d, err := dispatchOf(tx, l, dispatch)
		if err != nil || d.State != models.DispatchRetarget {
			return err
		}
		who, err := successors(ctx, tx, d, now)
		if err != nil {
			return err
		}
		for _, m := range who {
			if m.ID != legislator {
				continue
			}
			var all []models.Dispatch
			if err := tx.Where("letter_id = ?", l.ID).Order("id").Find(&all).Error; err != nil {
				return err
			}
			before, err := s.digestOf(l, all)
			if err != nil {
				return err
			}
			if string(before) != string(l.ConfirmedDigest) {
				return closed(tx, d.ID, ClosedChanged, now)
			}
			subject, text, err := s.words(d)
			if err != nil {
				return err
			}
			n := models.Dispatch{
				ID: models.NewID(), LetterID: l.ID, LetterCampaignID: l.LetterCampaignID, MailboxID: l.MailboxID, LegislatorID: m.ID, TermID: m.Term.ID,
				State: models.DispatchWaiting, DueAt: now, CreatedAt: now, UpdatedAt: now,
			}
			n.SubjectSealed = s.Vault.Seal("dispatches", "subject_sealed", n.ID, subject)
			n.TextSealed = s.Vault.Seal("dispatches", "text_sealed", n.ID, s.readdressed(text, m, l.Locale))
			// One letter a person, campaign and recipient: where the successor has one already, this one needs no second.
			made, err := database.InsertNew(tx, []models.Dispatch{n}, "ON CONFLICT DO NOTHING")
			if err != nil {
				return err
			}
			if made[n.ID] {
				digest, err := s.digestOf(l, append(all, n))
				if err != nil {
					return err
				}
				if err := tx.Model(&models.Letter{}).Where("id = ?", l.ID).Updates(map[string]any{"confirmed_digest": digest, "updated_at": now}).Error; err != nil {
					return err
				}
				if err := wake(ctx, tx, now, n); err != nil {
					return err
				}
			}
			return closed(tx, d.ID, ClosedNobody, now)
		}
		return fault.New(fault.Conflict, "error.letter_successor")
	})
}
