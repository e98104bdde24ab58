package petitions

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/models"
	"kithline/models/database"
)

// confirmation is one press on the button: what waits at a mailbox, those of ids or, where ids is nil, the only one. out and
// err are what became of it.
type confirmation struct {
	box uuid.UUID
	ids []uuid.UUID

	out Confirmed
	err error
}

// confirmBatch confirms for many mailboxes in tx. What is wrong with one press stands in its err; it stops nobody else's.
func (s *Service) confirmBatch(ctx context.Context, tx *gorm.DB, batch []*confirmation) error {
	now := s.clk.Now()
	for len(batch) > 0 {
		var first, second []*confirmation // who pressed twice finds what the first press did
		seen := make(map[uuid.UUID]bool, len(batch))
		for _, c := range batch {
			c.out, c.err = Confirmed{}, nil
			if seen[c.box] {
				second = append(second, c)
				continue
			}
			seen[c.box] = true
			first = append(first, c)
		}
		if err := s.confirmBoxes(ctx, tx.WithContext(ctx), first, now); err != nil {
			return err
		}
		batch = second
	}
	return nil
}

// press is a confirmation with the rows it is about.
type press struct {
	*confirmation
	mailbox models.Mailbox
	sigs    []models.Signature
}

// confirmBoxes is confirmBatch for presses of different mailboxes.
func (s *Service) confirmBoxes(ctx context.Context, tx *gorm.DB, batch []*confirmation, now time.Time) error {
	presses, petitions, err := s.presses(ctx, tx, batch, now)
	if err != nil || len(presses) == 0 {
		return err
	}
	names, err := s.attach(ctx, tx, presses, now)
	if err != nil {
		return err
	}
	boxes := make([]models.Mailbox, len(presses))
	for i, p := range presses {
		boxes[i] = p.mailbox
	}
	if err := mailboxes.SignedUp(ctx, tx, boxes, now); err != nil {
		return err
	}
	var yes []consents.Given
	by, moves := map[uuid.UUID]moved{}, []tallyMove{}
	for _, p := range presses {
		for i := range p.sigs {
			sig := &p.sigs[i]
			m := by[sig.PetitionID]
			m.add(sig.State, nil, -1)
			sig.State, sig.ConfirmedAt = standing(*sig), &now
			m.add(sig.State, &now, 1)
			by[sig.PetitionID] = m
			if sig.State == models.SignatureConfirmed {
				role, err := s.role(*sig)
				if err != nil {
					return err
				}
				moves = talliesOf(moves, *sig, role, 0, 1)
			}
			if sig.WantsUpdates && sig.ConsentTextID != nil {
				yes = append(yes, consents.Given{
					MailboxID: p.mailbox.ID, Purpose: models.PurposeUpdates, ScopeID: petitions[sig.PetitionID].CampaignID, TextID: *sig.ConsentTextID,
					Locale: sig.Locale, ShownAt: sig.CreatedAt, Source: "/petitions/" + petitions[sig.PetitionID].Slug, How: models.ConsentByMail, EvidenceID: &sig.ID,
				})
			}
		}
	}
	var changed []uuid.UUID
	err = database.Gather(tx, func() error {
		if err := consents.GiveAll(ctx, tx, yes, now); err != nil {
			return err
		}
		if err := receipts(ctx, tx, presses, now); err != nil {
			return err
		}
		// Petitions last: their rows are the busiest.
		counted, err := count(ctx, tx, by)
		if err != nil {
			return err
		}
		if err := tally(ctx, tx, moves); err != nil {
			return err
		}
		next := make(map[uuid.UUID]int, len(by)) // the number of the next signature; ours alone, since the rows are held
		for _, id := range sorted(by) {
			next[id] = counted[id].SignatureCount - by[id].confirmed + 1
			if by[id].confirmed != 0 {
				changed = append(changed, id)
			}
		}
		var written []models.Signature
		for _, p := range presses {
			for _, sig := range p.sigs {
				// One that is held back shows nothing and has no number: until somebody lets it through.
				number, name, comment := 0, "", models.CommentNone
				if sig.State == models.SignatureConfirmed {
					number, name = next[sig.PetitionID], names[sig.ID]
					next[sig.PetitionID]++
					if sig.CommentSealed != nil {
						comment = models.CommentWaiting
					}
				}
				sig.DisplayName, sig.Number, sig.CommentState = name, number, comment
				written = append(written, sig)
				on := petitions[sig.PetitionID]
				p.out.Counted = append(p.out.Counted, CountedSignature{ID: sig.ID, At: now, Slug: on.Slug, Title: on.Title, TitleLocale: on.Locale, Number: number})
			}
		}
		return database.UpdateAll(tx, written, "state", "confirmed_at", "display_name", "number", "comment_state")
	})
	if err != nil {
		return err
	}
	return s.afterCount(ctx, tx, changed)
}

// presses reads and holds what the confirmations are about, and answers those that there is nothing to confirm for.
func (s *Service) presses(ctx context.Context, tx *gorm.DB, batch []*confirmation, now time.Time) ([]press, map[uuid.UUID]models.Petition, error) {
	boxes := make([]uuid.UUID, len(batch))
	for i, c := range batch {
		boxes[i] = c.box
	}
	hold := clause.Locking{Strength: "UPDATE"}
	// Mailboxes are held first and in one order, as signing does, so that neither waits for the other.
	var rows []models.Mailbox
	if err := database.WhereIn(tx.Clauses(hold), "id", boxes).Order("address_hash").Find(&rows).Error; err != nil {
		return nil, nil, err
	}
	var waiting []models.Signature
	err := database.WhereIn(tx.Clauses(hold).Where(unconfirmed+" AND expires_at > ?", now), "mailbox_id", boxes).Order("created_at, id").Find(&waiting).Error
	if err != nil {
		return nil, nil, err
	}
	petitions, err := petitionsOf(ctx, tx, waiting)
	if err != nil {
		return nil, nil, err
	}
	at := make(map[uuid.UUID][]models.Signature, len(rows))
	for _, sig := range waiting {
		at[sig.MailboxID] = append(at[sig.MailboxID], sig)
	}
	found := make(map[uuid.UUID]models.Mailbox, len(rows))
	for _, m := range rows {
		found[m.ID] = m
	}
	var out []press
	for _, c := range batch {
		m, there := found[c.box]
		sigs := at[c.box]
		if c.ids != nil {
			sigs = slices.DeleteFunc(sigs, func(sig models.Signature) bool { return !slices.Contains(c.ids, sig.ID) })
		}
		switch {
		case !there:
			c.err = fault.New(fault.Gone, "error.confirm_nothing")
			continue
		case c.ids == nil && len(sigs) > 1:
			c.err = fault.Fields{{Name: "signature", Key: "error.confirm_choose"}}.Err()
			continue
		case len(sigs) == 0:
			c.out.Already = true
			if c.out.Counted, err = s.counted(ctx, tx, c.box, c.ids); err != nil {
				return nil, nil, err
			}
			if len(c.out.Counted) == 0 {
				c.err = fault.New(fault.Gone, "error.confirm_nothing")
			}
			continue
		}
		sigs = slices.DeleteFunc(sigs, func(sig models.Signature) bool { return !confirmableAt(petitions[sig.PetitionID], now) })
		if len(sigs) == 0 {
			c.err = fault.New(fault.Gone, "error.confirm_closed")
			continue
		}
		out = append(out, press{c, m, sigs})
	}
	return out, petitions, nil
}

// attach finds or makes the supporters behind presses, and returns the names as their owners chose to show them. The mailbox of a new
// supporter is verified by the same statement.
func (s *Service) attach(ctx context.Context, tx *gorm.DB, presses []press, now time.Time) (map[uuid.UUID]string, error) {
	names := map[uuid.UUID]string{}
	type known struct {
		mailbox models.Mailbox
		facts   supporters.Facts
	}
	var fresh []models.Supporter
	var attached []models.Mailbox // of fresh
	var placed []uuid.UUID        // of fresh, with a postal area
	var rest []known
	for i := range presses {
		p := &presses[i]
		for _, sig := range p.sigs {
			given, family, err := s.names(sig)
			if err != nil {
				return nil, err
			}
			names[sig.ID] = shown(sig.Display, given, family)
			f := supporters.Facts{GivenName: given, FamilyName: family, PostalArea: sig.PostalArea, Locale: sig.Locale, Source: supporters.SourcePetition}.Trim()
			if p.mailbox.SupporterID != nil {
				rest = append(rest, known{p.mailbox, f})
				continue
			}
			row := supporters.NewRow(s.vault, models.NewID(), f, now)
			p.mailbox.SupporterID, p.mailbox.UpdatedAt = &row.ID, now // the next of this mailbox is the same person's
			if p.mailbox.VerifiedAt == nil {
				p.mailbox.VerifiedAt = &now
			}
			fresh, attached = append(fresh, row), append(attached, p.mailbox)
			if row.PostalArea != "" {
				placed = append(placed, row.ID)
			}
		}
	}
	err := database.Gather(tx, func() error {
		if err := database.InsertAll(tx, fresh, ""); err != nil {
			return err
		}
		return database.UpdateAll(tx, attached, "supporter_id", "verified_at", "updated_at")
	})
	if err != nil {
		return nil, err
	}
	if err := supporters.Placed(ctx, tx, placed, now); err != nil {
		return nil, err
	}
	for _, k := range rest {
		if _, err := supporters.Attach(ctx, tx, s.vault, k.mailbox, k.facts, now); err != nil {
			return nil, err
		}
	}
	return names, nil
}
