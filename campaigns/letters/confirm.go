package letters

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/divisions"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// kindItem is what a letter is on the page that confirms.
const kindItem = "letter"

// Source lets letters wait behind the door of campaigns/confirmations: app/wire.go registers it there.
func (s *Service) Source() confirmations.Source { return source{s} }

type source struct{ s *Service }

// doneMost is how many confirmed letters a page lists.
const doneMost = 10

// Waiting is part of confirmations.Source. The item of a letter has the full text to each recipient: whoever presses stands for it.
// A letter to people whom this mailbox has all written to before is not listed; its mail says so.
func (c source) Waiting(ctx context.Context, box uuid.UUID, now time.Time) (confirmations.Waiting, error) {
	s := c.s
	var out confirmations.Waiting
	db := s.DB.WithContext(ctx)
	var pending, done []models.Letter
	if err := db.Where("mailbox_id = ? AND state = ? AND expires_at > ?", box, models.LetterAwaiting, now).Order("created_at, id").Find(&pending).Error; err != nil {
		return out, err
	}
	if err := db.Where("mailbox_id = ? AND confirmed_at IS NOT NULL", box).Order("confirmed_at DESC, id DESC").Limit(doneMost).Find(&done).Error; err != nil {
		return out, err
	}
	campaigns, err := s.campaignsOf(ctx, s.DB.DB, append(slices.Clone(pending), done...))
	if err != nil {
		return out, err
	}
	for _, l := range pending {
		left, _, err := s.remaining(ctx, s.DB.DB, l)
		if err != nil {
			return out, err
		}
		if len(left) == 0 {
			continue
		}
		item := letterItem(l, campaigns[l.LetterCampaignID])
		item.Open, item.Updates = confirmableAt(campaigns[l.LetterCampaignID], now), len(readAgreed(l.Consents)) > 0
		full, err := s.fullTexts(ctx, s.DB.DB, left)
		if err != nil {
			return out, err
		}
		for _, t := range full {
			item.Says = append(item.Says, confirmations.Said{Label: t.Name, Text: t.Subject + "\n\n" + t.Body})
		}
		out.Items = append(out.Items, item)
	}
	for _, l := range done {
		out.Done = append(out.Done, letterItem(l, campaigns[l.LetterCampaignID]))
	}
	return out, nil
}

func letterItem(l models.Letter, c models.LetterCampaign) confirmations.Item {
	item := confirmations.Item{
		ID: l.ID, Kind: kindItem, Title: c.Title, TitleLocale: c.Locale, Path: "/letters/" + c.Slug, Thanks: "/letters/" + c.Slug + "/thanks", At: l.CreatedAt, Open: true,
	}
	if l.ConfirmedAt != nil {
		item.At = *l.ConfirmedAt
	}
	return item
}

// campaignsOf reads the campaigns of letters.
func (s *Service) campaignsOf(ctx context.Context, tx *gorm.DB, list []models.Letter) (map[uuid.UUID]models.LetterCampaign, error) {
	out := map[uuid.UUID]models.LetterCampaign{}
	var ids []uuid.UUID
	for _, l := range list {
		if !slices.Contains(ids, l.LetterCampaignID) {
			ids = append(ids, l.LetterCampaignID)
		}
	}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []models.LetterCampaign
	err := tx.WithContext(ctx).Where("id IN ?", ids).Find(&rows).Error
	for _, c := range rows {
		out[c.ID] = c
	}
	return out, err
}

// remaining reads the dispatches of a letter: those to people whom its mailbox has not written to in the campaign, and the others.
func (s *Service) remaining(ctx context.Context, tx *gorm.DB, l models.Letter) (left, before []models.Dispatch, err error) {
	tx = tx.WithContext(ctx)
	var all []models.Dispatch
	if err := tx.Where("letter_id = ?", l.ID).Order("created_at, id").Find(&all).Error; err != nil {
		return nil, nil, err
	}
	var written []uuid.UUID
	err = tx.Raw(`SELECT d.legislator_id FROM dispatches d JOIN letters l ON l.id = d.letter_id
		WHERE d.letter_campaign_id = ? AND d.mailbox_id = ? AND d.letter_id <> ? AND l.confirmed_at IS NOT NULL AND l.state <> 'rejected'`,
		l.LetterCampaignID, l.MailboxID, l.ID).Scan(&written).Error
	for _, d := range all {
		if slices.Contains(written, d.LegislatorID) {
			before = append(before, d)
		} else {
			left = append(left, d)
		}
	}
	return left, before, err
}

// Confirm is part of confirmations.Source.
func (c source) Confirm(ctx context.Context, box uuid.UUID, ids []uuid.UUID) (confirmations.Confirmed, error) {
	var out confirmations.Confirmed
	now := c.s.Clock.Now()
	err := c.s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		out, err = c.s.confirm(ctx, tx.WithContext(ctx), box, ids, now)
		return err
	})
	return out, err
}

func (s *Service) confirm(ctx context.Context, tx *gorm.DB, boxID uuid.UUID, ids []uuid.UUID, now time.Time) (confirmations.Confirmed, error) {
	var out confirmations.Confirmed
	var box models.Mailbox
	err := tx.Clauses(forUpdate).Where("id = ?", boxID).Take(&box).Error // two presses at once: one after the other
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return out, fault.New(fault.Gone, "error.confirm_nothing")
	}
	if err != nil {
		return out, err
	}
	var rows []models.Letter
	if err := tx.Clauses(forUpdate).Where("mailbox_id = ? AND id IN ?", box.ID, ids).Order("letter_campaign_id, created_at, id").Find(&rows).Error; err != nil {
		return out, err
	}
	campaigns, err := s.campaignsOf(ctx, tx, rows)
	if err != nil {
		return out, err
	}
	out.Already = true
	late, fresh := false, false
	for _, l := range rows {
		switch c := campaigns[l.LetterCampaignID]; {
		case l.ConfirmedAt != nil:
		case l.State != models.LetterAwaiting || !now.Before(l.ExpiresAt):
			continue
		case !confirmableAt(c, now):
			late = true
			continue
		default:
			if !fresh {
				fresh = true
				if err := mailboxes.SignedUp(ctx, tx, []models.Mailbox{box}, now); err != nil {
					return out, err
				}
			}
			taken, err := s.take(ctx, tx, &box, l, c, now)
			if err != nil {
				return out, err
			}
			out.Already = out.Already && !taken
		}
		out.Items = append(out.Items, letterItem(l, campaigns[l.LetterCampaignID]))
	}
	switch {
	case len(out.Items) > 0:
		return out, nil
	case late:
		return out, fault.New(fault.Gone, "error.confirm_closed")
	}
	return out, fault.New(fault.Gone, "error.confirm_nothing")
}

// take makes one confirmed letter true, in tx, which holds its mailbox: the texts are those that were sent to the mailbox, or nothing
// happens; whom the mailbox wrote to before gets no second letter; the writer's record is found or made; and the letter is released or,
// where it resembles another, waits for a person. It reports false where nobody was left to write to: then the letter goes.
func (s *Service) take(ctx context.Context, tx *gorm.DB, box *models.Mailbox, l models.Letter, c models.LetterCampaign, now time.Time) (bool, error) {
	left, before, err := s.remaining(ctx, tx, l)
	if err != nil {
		return false, err
	}
	sum, err := s.digestOf(l, append(slices.Clone(left), before...))
	if err != nil {
		return false, err
	}
	if !bytes.Equal(sum, l.ConfirmedDigest) {
		return false, fault.New(fault.Gone, "error.letter_changed")
	}
	if len(left) == 0 {
		return false, s.dropLetters(ctx, tx, []uuid.UUID{l.ID}, now)
	}
	for _, d := range before {
		if err := tx.Where("id = ?", d.ID).Delete(&models.Dispatch{}).Error; err != nil {
			return false, err
		}
	}
	if len(before) > 0 { // what is left is what goes
		if l.ConfirmedDigest, err = s.digestOf(l, left); err != nil {
			return false, err
		}
	}
	// The campaign's row is held from here on: letters of a campaign find each other's sketches, and have one number each.
	if err := tx.Exec("UPDATE letter_campaigns SET letter_count = letter_count + 1 WHERE id = ?", c.ID).Error; err != nil {
		return false, err
	}
	if err := tx.Raw("SELECT letter_count FROM letter_campaigns WHERE id = ?", c.ID).Scan(&l.Number).Error; err != nil {
		return false, err
	}
	if err := s.attach(ctx, tx, box, l, c, now); err != nil {
		return false, err
	}
	if err := s.whoLeft(ctx, tx, left, now); err != nil {
		return false, err
	}
	l.State, l.ConfirmedAt, l.UpdatedAt = models.LetterConfirmed, &now, now
	own, err := s.Vault.Open("letters", "own_words_sealed", l.ID, l.OwnWordsSealed)
	if err != nil {
		return false, err
	}
	bands := s.sketches().bands(own)
	same, err := like(ctx, tx, l, bands)
	if err != nil {
		return false, err
	}
	switch {
	case same != uuid.Nil:
		l.HeldLike = &same
		if l.HeldReason == "" {
			l.HeldReason = HeldSimilar
		}
	default:
		if err := keepSketch(ctx, tx, l, bands); err != nil {
			return false, err
		}
	}
	if l.HeldReason != "" {
		l.State, l.HeldAt = models.LetterHeld, &now
	}
	err = tx.Model(&models.Letter{}).Where("id = ?", l.ID).Updates(map[string]any{
		"state": l.State, "confirmed_at": now, "number": l.Number, "held_reason": l.HeldReason, "held_like": l.HeldLike, "held_at": l.HeldAt, "updated_at": now, "code_tries": 0, "confirmed_digest": l.ConfirmedDigest,
	}).Error
	if err != nil {
		return false, err
	}
	if l.WantsCopy {
		if err := s.receipt(ctx, tx, KindCopy, l, now); err != nil {
			return false, err
		}
	}
	if l.State == models.LetterHeld {
		return true, nil
	}
	return true, s.release(ctx, tx, l, now)
}

// sketches makes the sketches of this installation.
func (s *Service) sketches() sketcher { return newSketcher(s.Vault.Derive("letters/sketch", 32)) }

// whoLeft notes in tx to whom among the recipients nothing may go: those whose term of the day of writing is over. Their letters wait
// for the writer's new yes.
func (s *Service) whoLeft(ctx context.Context, tx *gorm.DB, list []models.Dispatch, now time.Time) error {
	ids := make([]uuid.UUID, len(list))
	for i, d := range list {
		ids[i] = d.LegislatorID
	}
	sitting, err := legislators.Members(ctx, tx, ids, now)
	if err != nil {
		return err
	}
	for _, d := range list {
		if slices.ContainsFunc(sitting, func(m legislators.Member) bool { return m.ID == d.LegislatorID && m.Term.ID == d.TermID }) {
			continue
		}
		err := tx.Model(&models.Dispatch{}).Where("id = ?", d.ID).Updates(map[string]any{"state": models.DispatchRetarget, "updated_at": now}).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// attach brings what a confirmed letter says about its writer into the record behind the mailbox: what the record says already stays.
func (s *Service) attach(ctx context.Context, tx *gorm.DB, box *models.Mailbox, l models.Letter, c models.LetterCampaign, now time.Time) error {
	in, err := s.sheetOf(ctx, tx, l)
	if err != nil {
		return err
	}
	id, err := supporters.Attach(ctx, tx, s.Vault, *box, supporters.Facts{
		GivenName: in.GivenName, FamilyName: in.FamilyName, Street: in.Street, City: in.City, Region: l.Region, PostalArea: l.PostalArea, Country: l.Country, Locale: l.Locale,
		Source: supporters.SourceLetter,
	}, now)
	if err != nil {
		return err
	}
	box.SupporterID = &id
	chosen, err := s.saidByWriter(ctx, tx, l, in.Divisions, now)
	if err != nil {
		return err
	}
	for _, d := range chosen {
		// Where the record says another postal code, which stays, the district of this one is not the person's.
		if err := divisions.Choose(ctx, tx, id, d, now); err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Conflict) {
			return err
		}
	}
	var yes []consents.Given
	for _, a := range readAgreed(l.Consents) {
		yes = append(yes, consents.Given{
			MailboxID: box.ID, Purpose: a.Purpose, ScopeID: a.ScopeID, TextID: a.TextID, Locale: a.Locale, ShownAt: l.CreatedAt, Source: "/letters/" + c.Slug,
			How: models.ConsentByMail, EvidenceID: &l.ID,
		})
	}
	return consents.GiveAll(ctx, tx, yes, now)
}

// saidByWriter picks the divisions of a letter that its writer chose: of a kind of which the postal area has several. The others follow
// from the postal area.
func (s *Service) saidByWriter(ctx context.Context, tx *gorm.DB, l models.Letter, homes []uuid.UUID, now time.Time) ([]uuid.UUID, error) {
	all, err := divisions.Candidates(ctx, tx, l.Country, l.PostalArea, now)
	var out []uuid.UUID
	for _, c := range all {
		for _, d := range c.Divisions {
			if len(c.Divisions) > 1 && slices.Contains(homes, d.ID) {
				out = append(out, d.ID)
			}
		}
	}
	return out, err
}

// receipt queues in tx a mail about a letter to its writer.
func (s *Service) receipt(ctx context.Context, tx *gorm.DB, kind string, l models.Letter, now time.Time) error {
	_, err := deliveries.Insert(ctx, tx, deliveries.New{
		Kind: kind, MailboxID: l.MailboxID, SubjectID: l.ID, Purpose: models.PurposeReceipt, DedupeKey: kind + "/" + l.ID.String(), Priority: models.PriorityReceipt, OnUnknown: models.Resend,
	}, now)
	return err
}

// Disown is part of confirmations.Source.
func (c source) Disown(ctx context.Context, box uuid.UUID, ids []uuid.UUID) error {
	now := c.s.Clock.Now()
	return c.s.DB.Tx(ctx, func(tx *gorm.DB) error {
		q := tx.Model(&models.Letter{}).Where("mailbox_id = ? AND state = ?", box, models.LetterAwaiting)
		if len(ids) > 0 {
			q = q.Where("id IN ?", ids)
		}
		var gone []uuid.UUID
		if err := q.Pluck("id", &gone).Error; err != nil {
			return err
		}
		return c.s.dropLetters(ctx, tx, gone, now)
	})
}

// Try is part of confirmations.Source.
func (c source) Try(ctx context.Context, ids []uuid.UUID, most int) ([]confirmations.Tried, error) {
	return confirmations.CountTry(ctx, c.s.DB, "letters", "state <> 'draft' AND mailbox_id IS NOT NULL", ids, most)
}

// Again is part of confirmations.Source.
func (c source) Again(ctx context.Context, ids []uuid.UUID) error {
	now := c.s.Clock.Now()
	return c.s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var rows []models.Letter
		err := tx.Where("id IN ? AND state = ? AND expires_at > ?", ids, models.LetterAwaiting, now).Order("created_at, id").Find(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		var boxIDs []uuid.UUID
		for _, l := range rows {
			boxIDs = append(boxIDs, l.MailboxID)
		}
		boxes, err := mailboxes.Hold(ctx, tx, boxIDs)
		if err != nil {
			return err
		}
		return mailConfirm(ctx, tx, rows, boxes, "/"+now.Format(time.DateOnly), now)
	})
}

// addressee is how a recipient is named in mails and on pages.
func addressee(m legislators.Member) string {
	return strings.TrimSpace(m.Title() + " " + m.Name)
}
