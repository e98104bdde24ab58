package petitions

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// KindPetition is what a signature is on the page that confirms.
const KindPetition = "petition"

// Source lets signatures wait behind the door of campaigns/confirmations: app/wire.go registers it there.
func (s *Service) Source() confirmations.Source { return source{s} }

type source struct{ s *Service }

// CountedSignature is a confirmed signature.
type CountedSignature struct {
	ID                       uuid.UUID
	Slug, Title, TitleLocale string
	Number                   int
	At                       time.Time
}

func (s *Service) item(c CountedSignature) confirmations.Item {
	path := "/petitions/" + c.Slug
	return confirmations.Item{
		Own: s.OwnLink(c.Slug, c.ID, s.clk.Now()), ID: c.ID, Kind: KindPetition, Title: c.Title, TitleLocale: c.TitleLocale, Path: path, Thanks: path + "/thanks", At: c.At, Open: true, Number: c.Number,
	}
}

// Waiting is part of confirmations.Source. Of what counts it has the newest ten.
func (c source) Waiting(ctx context.Context, box uuid.UUID, now time.Time) (confirmations.Waiting, error) {
	s := c.s
	var out confirmations.Waiting
	pending, err := s.pendingAt(ctx, box, now)
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
		comment, err := s.vault.Open("signatures", "comment_sealed", sig.ID, sig.CommentSealed)
		if err != nil {
			return out, err
		}
		p := petitions[sig.PetitionID]
		item := confirmations.Item{
			ID: sig.ID, Kind: KindPetition, Title: p.Title, TitleLocale: p.Locale, Path: "/petitions/" + p.Slug, Thanks: "/petitions/" + p.Slug + "/thanks",
			At: sig.CreatedAt, Open: confirmableAt(p, now), Person: strings.TrimSpace(given + " " + family), ShownName: shown(sig.Display, given, family), Updates: sig.WantsUpdates,
		}
		if comment != "" {
			item.Says = []confirmations.Said{{Key: "confirm.said_comment", Text: comment}}
		}
		out.Items = append(out.Items, item)
	}
	counted, err := s.counted(ctx, s.db.DB, box, nil)
	for _, sig := range counted {
		out.Done = append(out.Done, s.item(sig))
	}
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

// pendingAt reads the signatures that wait at a mailbox, oldest first.
func (s *Service) pendingAt(ctx context.Context, box uuid.UUID, now time.Time) ([]models.Signature, error) {
	var rows []models.Signature
	err := s.db.WithContext(ctx).Where("mailbox_id = ? AND "+unconfirmed+" AND expires_at > ?", box, now).Order("created_at, id").Find(&rows).Error
	return rows, err
}

func petitionsOf(ctx context.Context, tx *gorm.DB, sigs []models.Signature) (map[uuid.UUID]models.Petition, error) {
	var ids []uuid.UUID
	for _, sig := range sigs {
		if !slices.Contains(ids, sig.PetitionID) {
			ids = append(ids, sig.PetitionID)
		}
	}
	if len(ids) == 0 {
		return map[uuid.UUID]models.Petition{}, nil
	}
	var rows []models.Petition
	err := tx.WithContext(ctx).Where("id IN ?", ids).Find(&rows).Error
	return byPetition(rows), err
}

func byPetition(rows []models.Petition) map[uuid.UUID]models.Petition {
	out := make(map[uuid.UUID]models.Petition, len(rows))
	for _, p := range rows {
		out[p.ID] = p
	}
	return out
}

// pressed picks the signatures that were confirmed by mail and stand, those that are held back among them: who signed is told the
// same of both.
const pressed = "confirmed_at IS NOT NULL AND state IN ('confirmed', 'suspect')"

// counted reads the newest confirmed signatures of a mailbox: those of ids, or all where ids is nil.
func (s *Service) counted(ctx context.Context, tx *gorm.DB, box uuid.UUID, ids []uuid.UUID) ([]CountedSignature, error) {
	q := tx.WithContext(ctx).Where("mailbox_id = ? AND "+pressed, box).Order("confirmed_at DESC, id DESC").Limit(10)
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
			c := CountedSignature{ID: sig.ID, Slug: p.Slug, Title: p.Title, TitleLocale: p.Locale, Number: sig.Number}
			if sig.ConfirmedAt != nil {
				c.At = *sig.ConfirmedAt
			}
			out = append(out, c)
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
// error.confirm_nothing where nothing waits any more, error.confirm_closed where the petitions do not take them any more;
// Unavailable, error.busy.
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

// confirm shares a commit with others who press at the same moment.
func (s *Service) confirm(ctx context.Context, box uuid.UUID, ids []uuid.UUID) (Confirmed, error) {
	c := &confirmation{box: box, ids: ids}
	if err := s.confirming.Do(ctx, c); err != nil {
		return Confirmed{}, err
	}
	return c.out, c.err
}

// Confirm is part of confirmations.Source.
func (c source) Confirm(ctx context.Context, box uuid.UUID, ids []uuid.UUID) (confirmations.Confirmed, error) {
	done, err := c.s.confirm(ctx, box, ids)
	out := confirmations.Confirmed{Already: done.Already}
	for _, sig := range done.Counted {
		out.Items = append(out.Items, c.s.item(sig))
	}
	return out, err
}

// Disown is part of confirmations.Source.
func (c source) Disown(ctx context.Context, box uuid.UUID, ids []uuid.UUID) error {
	now := c.s.clk.Now()
	return c.s.db.Tx(ctx, func(tx *gorm.DB) error {
		where, args := "mailbox_id = ?", []any{box}
		if len(ids) > 0 {
			where, args = where+" AND id IN ?", append(args, ids)
		}
		_, err := dropPending(ctx, tx, now, where, args...)
		return err
	})
}
