package petitions

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// WaitingSignature is one signature on the page that a mailed link opens.
type WaitingSignature struct {
	ID          uuid.UUID
	Slug, Title string
	TitleLocale string
	ShownName   string // "" shows no name
	Updates     bool
	SignedAt    time.Time
	Open        bool // false: the petition closed too long ago, or is not there any more
}

// CountedSignature is a confirmed signature.
type CountedSignature struct {
	Slug, Title, TitleLocale string
	Number                   int
}

// Waiting is what the page shows: everything that waits at the mailbox, and what counts already, newest first, at most ten.
type Waiting struct {
	Signatures []WaitingSignature
	Counted    []CountedSignature
}

// Waiting reads what waits at the mailbox of a mailed link. It changes nothing. The faults are those of tokens.Signer.Read.
func (s *Service) Waiting(ctx context.Context, token string) (Waiting, error) {
	now := s.clk.Now()
	box, err := s.signer.Read(tokens.Confirm, token, now)
	if err != nil {
		return Waiting{}, err
	}
	var out Waiting
	pending, err := s.pendingAt(ctx, s.db.DB, box, nil, now, false)
	if err != nil {
		return out, err
	}
	petitions, err := petitionsOf(ctx, s.db.DB, pending)
	if err != nil {
		return out, err
	}
	for _, sig := range pending {
		given, family, err := s.names(sig)
		if err != nil {
			return out, err
		}
		p := petitions[sig.PetitionID]
		out.Signatures = append(out.Signatures, WaitingSignature{
			ID: sig.ID, Slug: p.Slug, Title: p.Title, TitleLocale: p.Locale, ShownName: shown(sig.Display, given, family), Updates: sig.WantsUpdates,
			SignedAt: sig.CreatedAt, Open: confirmableAt(p, now),
		})
	}
	out.Counted, err = s.counted(ctx, s.db.DB, box, nil)
	return out, err
}

// names opens the name of a signature.
func (s *Service) names(sig models.Signature) (given, family string, err error) {
	if given, err = s.vault.Open("signatures", "given_name_sealed", sig.ID, sig.GivenNameSealed); err != nil {
		return "", "", err
	}
	family, err = s.vault.Open("signatures", "family_name_sealed", sig.ID, sig.FamilyNameSealed)
	return given, family, err
}

// pendingAt reads the signatures that wait at a mailbox, oldest first: those of ids, or all where ids is nil. With hold they
// stay as they are until tx ends.
func (s *Service) pendingAt(ctx context.Context, tx *gorm.DB, box uuid.UUID, ids []uuid.UUID, now time.Time, hold bool) ([]models.Signature, error) {
	q := tx.WithContext(ctx).Where("mailbox_id = ? AND state IN ? AND expires_at > ?", box, []models.SignatureState{models.SignaturePending}, now).Order("created_at, id")
	if ids != nil {
		q = q.Where("id IN ?", ids)
	}
	if hold {
		q = q.Clauses(clause.Locking{Strength: "UPDATE"})
	}
	var rows []models.Signature
	return rows, q.Find(&rows).Error
}

func petitionsOf(ctx context.Context, tx *gorm.DB, sigs []models.Signature) (map[uuid.UUID]models.Petition, error) {
	var ids []uuid.UUID
	for _, sig := range sigs {
		if !slices.Contains(ids, sig.PetitionID) {
			ids = append(ids, sig.PetitionID)
		}
	}
	out := map[uuid.UUID]models.Petition{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []models.Petition
	err := tx.WithContext(ctx).Where("id IN ?", ids).Find(&rows).Error
	for _, p := range rows {
		out[p.ID] = p
	}
	return out, err
}

// counted reads the newest confirmed signatures of a mailbox: those of ids, or all where ids is nil.
func (s *Service) counted(ctx context.Context, tx *gorm.DB, box uuid.UUID, ids []uuid.UUID) ([]CountedSignature, error) {
	q := tx.WithContext(ctx).Where("mailbox_id = ? AND state = ?", box, models.SignatureConfirmed).Order("confirmed_at DESC, id DESC").Limit(10)
	if ids != nil {
		q = q.Where("id IN ?", ids)
	}
	var rows []models.Signature
	if err := q.Find(&rows).Error; err != nil {
		return nil, err
	}
	petitions, err := petitionsOf(ctx, tx, rows)
	var out []CountedSignature
	for _, sig := range rows {
		if p := petitions[sig.PetitionID]; p.State.Public() {
			out = append(out, CountedSignature{Slug: p.Slug, Title: p.Title, TitleLocale: p.Locale, Number: sig.Number})
		}
	}
	return out, err
}

// Confirmed is what became of a press on the button.
type Confirmed struct {
	Counted []CountedSignature
	Already bool // all of them counted before
}

// Confirm counts signatures that wait at the mailbox of a mailed link: those of ids, which the page showed; with none named,
// the one that waits where it is only one. Done twice it counts once. Anybody with the link may call it. The faults are
// those of tokens.Signer.Read; Invalid with the field signature where several wait and none was named; Gone,
// error.confirm_nothing where nothing waits any more, error.confirm_closed where the petitions do not take them any more.
func (s *Service) Confirm(ctx context.Context, token string, ids []uuid.UUID) (Confirmed, error) {
	box, err := s.signer.Read(tokens.Confirm, token, s.clk.Now())
	if err != nil {
		return Confirmed{}, err
	}
	if len(ids) == 0 {
		ids = nil
	}
	return s.confirm(ctx, box, ids)
}

func (s *Service) confirm(ctx context.Context, box uuid.UUID, ids []uuid.UUID) (Confirmed, error) {
	now := s.clk.Now()
	var out Confirmed
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		out = Confirmed{}
		// The mailbox is held first, as signing does, so that neither waits for the other.
		var m models.Mailbox
		if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = ?", box).Take(&m).Error; err != nil {
			if err == gorm.ErrRecordNotFound {
				return fault.New(fault.Gone, "error.confirm_nothing")
			}
			return err
		}
		pending, err := s.pendingAt(ctx, tx, box, ids, now, true)
		if err != nil {
			return err
		}
		if ids == nil && len(pending) > 1 {
			return fault.Fields{{Name: "signature", Key: "error.confirm_choose"}}.Err()
		}
		if len(pending) == 0 {
			out.Already = true
			out.Counted, err = s.counted(ctx, tx, box, ids)
			if err == nil && len(out.Counted) == 0 {
				err = fault.New(fault.Gone, "error.confirm_nothing")
			}
			return err
		}
		petitions, err := petitionsOf(ctx, tx, pending)
		if err != nil {
			return err
		}
		pending = slices.DeleteFunc(pending, func(sig models.Signature) bool { return !confirmableAt(petitions[sig.PetitionID], now) })
		if len(pending) == 0 {
			return fault.New(fault.Gone, "error.confirm_closed")
		}
		if err := mailboxes.Verify(ctx, tx, box, now); err != nil {
			return err
		}
		numbers, err := s.confirmSignatures(ctx, tx, m, pending, petitions, now)
		if err != nil {
			return err
		}
		for _, sig := range pending {
			p := petitions[sig.PetitionID]
			out.Counted = append(out.Counted, CountedSignature{Slug: p.Slug, Title: p.Title, TitleLocale: p.Locale, Number: numbers[sig.ID]})
		}
		return nil
	})
	return out, err
}

// confirmSignatures confirms pending signatures of one mailbox, which tx holds, with everything that goes with it: the
// supporter, consents, the counts, the numbers.
func (s *Service) confirmSignatures(ctx context.Context, tx *gorm.DB, m models.Mailbox, sigs []models.Signature, petitions map[uuid.UUID]models.Petition, now time.Time) (map[uuid.UUID]int, error) {
	// Petitions last and in one order: their rows are the busiest.
	sigs = slices.Clone(sigs)
	slices.SortFunc(sigs, func(a, b models.Signature) int { return strings.Compare(a.PetitionID.String(), b.PetitionID.String()) })
	names := make(map[uuid.UUID]string, len(sigs))
	for _, sig := range sigs {
		given, family, err := s.names(sig)
		if err != nil {
			return nil, err
		}
		names[sig.ID] = shown(sig.Display, given, family)
		_, err = supporters.Attach(ctx, tx, s.vault, m, supporters.Facts{
			GivenName: given, FamilyName: family, PostalArea: sig.PostalArea, Locale: sig.Locale, Source: supporters.SourcePetition,
		}, now)
		if err != nil {
			return nil, err
		}
		if sig.WantsUpdates && sig.ConsentTextID != nil {
			p := petitions[sig.PetitionID]
			err := consents.Give(ctx, tx, consents.Given{
				MailboxID: m.ID, Purpose: models.PurposeUpdates, ScopeID: p.CampaignID, TextID: *sig.ConsentTextID, Locale: sig.Locale,
				ShownAt: sig.CreatedAt, Source: "/petitions/" + p.Slug, How: models.ConsentByMail, EvidenceID: &sig.ID,
			}, now)
			if err != nil {
				return nil, err
			}
		}
		if m.SupporterID == nil { // the next of this mailbox finds whom this one made
			if err := tx.WithContext(ctx).Where("id = ?", m.ID).Take(&m).Error; err != nil {
				return nil, err
			}
		}
	}
	numbers := make(map[uuid.UUID]int, len(sigs))
	for _, sig := range sigs { // a mailbox signs a petition once, so each petition comes once
		one := map[uuid.UUID]int{sig.PetitionID: 1}
		if err := count(ctx, tx, map[uuid.UUID]int{sig.PetitionID: -1}, one, now); err != nil {
			return nil, err
		}
		var number int // ours alone: the row of the petition is held since it was counted
		if err := tx.WithContext(ctx).Model(&models.Petition{}).Where("id = ?", sig.PetitionID).Pluck("signature_count", &number).Error; err != nil {
			return nil, err
		}
		set := map[string]any{
			"state": models.SignatureConfirmed, "confirmed_at": now, "display_name": names[sig.ID], "number": number,
		}
		if sig.CommentSealed != nil {
			set["comment_state"] = models.CommentWaiting
		}
		if err := tx.WithContext(ctx).Model(&models.Signature{}).Where("id = ?", sig.ID).Updates(set).Error; err != nil {
			return nil, err
		}
		numbers[sig.ID] = number
	}
	return numbers, nil
}

// Disown deletes what waits at the mailbox of a mailed link, because its reader did not sign: those of ids, or everything.
// What is confirmed stays. Done twice it does nothing. The faults are those of tokens.Signer.Read.
func (s *Service) Disown(ctx context.Context, token string, ids []uuid.UUID) error {
	now := s.clk.Now()
	box, err := s.signer.Read(tokens.Confirm, token, now)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		where, args := "mailbox_id = ?", []any{box}
		if len(ids) > 0 {
			where, args = where+" AND id IN ?", append(args, ids)
		}
		_, err := dropPending(ctx, tx, now, where, args...)
		return err
	})
}
