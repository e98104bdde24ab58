package letters

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/address"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// Who writes needs no account. The rules of what is kept:
//
//   - Before an address is given nothing is kept on the server: pages carry the answers on, and the browser keeps what is typed.
//   - With an address the draft is kept for 30 days after it was last touched, and this browser goes on with it. A mail with a link and
//     a code goes when the writer asks for it; whoever presses the button behind the link, or types address and code, goes on in their
//     own browser.
//   - A draft belongs to the address that it was kept with. With another address it is another draft, under another link.
//   - What was sent to be confirmed never changes. Whoever changes it makes another letter, which has to be confirmed anew; when that
//     one is sent, the one before goes.
const (
	// DraftFor is how long a browser, a mailed link and a draft that nobody touches last.
	DraftFor = 30 * 24 * time.Hour
	// draftsMost is how many drafts of one campaign wait at one mailbox; the second oldest makes room, as with forms.
	draftsMost = 5
	// resumeTries is how many codes may be typed for one draft; then only the link works.
	resumeTries = 5
	heldMost    = 5 // letters that one browser goes on with
)

func draftGone() error { return fault.New(fault.Gone, "error.letter_draft_gone") }

// KeepInput is what KeepDraft and Send are handed beside the sheet.
type KeepInput struct {
	Sheet
	Held        string // the cookie of the browser
	Lang        string // of the page, the letter and the mails
	ConsentText string // the words beside the box for mails, exactly as they were shown; needed where it is ticked
	Mail        bool   // KeepDraft: the link is mailed
}

// BegunLetter is a letter that a browser goes on with.
type BegunLetter struct {
	Sheet
	ID    uuid.UUID
	State models.LetterState
}

// Seed puts the points of a letter in an order that stays while it is written.
func (k BegunLetter) Seed() uint64 { return SeedOf(k.ID) }

// SeedOf makes a seed of an id.
func SeedOf(id uuid.UUID) (n uint64) {
	for _, b := range id {
		n = n*1099511628211 ^ uint64(b)
	}
	return n
}

// agreed is one yes of a letter, with the words that were shown.
type agreed struct {
	consents.Ask
	TextID uuid.UUID `json:"text_id"`
	Locale string    `json:"locale"`
}

func readAgreed(v string) (out []agreed) {
	if json.Unmarshal([]byte(v), &out) != nil {
		return nil
	}
	return out
}

// agree notes in tx what a sheet says yes to.
func agree(ctx context.Context, tx *gorm.DB, l *models.Letter, c Campaign, in KeepInput, now time.Time) error {
	if !in.Updates || in.ConsentText == "" {
		return nil
	}
	t, err := consents.Text(ctx, tx, models.PurposeUpdates, l.Locale, in.ConsentText, now)
	if err != nil {
		return err
	}
	b, err := json.Marshal([]agreed{{Ask: consents.Ask{Purpose: models.PurposeUpdates, ScopeID: c.CampaignID}, TextID: t.ID, Locale: l.Locale}})
	l.Consents = string(b)
	return err
}

// heldIDs reads the cookie of a browser: the letters that it may go on with, newest first.
func (s *Service) heldIDs(held string) []uuid.UUID {
	now := s.Clock.Now()
	var out []uuid.UUID
	for part := range strings.SplitSeq(held, ".") {
		if len(out) == heldMost {
			break
		}
		if id, err := s.Signer.Read(tokens.LetterDraft, part, now); err == nil && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// hold writes the cookie of a browser anew: first comes id, and gone is left out.
func (s *Service) hold(held string, id uuid.UUID, gone ...uuid.UUID) string {
	ends := s.Clock.Now().Add(DraftFor)
	parts := []string{s.Signer.Make(tokens.LetterDraft, id, ends)}
	for _, h := range s.heldIDs(held) {
		if h != id && !slices.Contains(gone, h) && len(parts) < heldMost {
			parts = append(parts, s.Signer.Make(tokens.LetterDraft, h, ends))
		}
	}
	return strings.Join(parts, ".")
}

// open reads in tx the letters of a campaign that a browser may change, the newest first: drafts, and what waits to be confirmed.
func (s *Service) open(ctx context.Context, tx *gorm.DB, campaign uuid.UUID, held string) ([]models.Letter, error) {
	ids := s.heldIDs(held)
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []models.Letter
	err := tx.WithContext(ctx).Where("id IN ? AND letter_campaign_id = ? AND state IN ? AND expires_at > ? AND mailbox_id IS NOT NULL", ids, campaign,
		[]models.LetterState{models.LetterDraft, models.LetterAwaiting}, s.Clock.Now()).Order("created_at DESC, id DESC").Find(&rows).Error
	return rows, err
}

// Begun reads the letter of a campaign that a browser goes on with; ok is false where there is none. It changes nothing.
func (s *Service) Begun(ctx context.Context, campaign uuid.UUID, held string) (k BegunLetter, ok bool, err error) {
	rows, err := s.open(ctx, s.DB.DB, campaign, held)
	if err != nil || len(rows) == 0 {
		return BegunLetter{}, false, err
	}
	k = BegunLetter{ID: rows[0].ID, State: rows[0].State}
	k.Sheet, err = s.sheetOf(ctx, s.DB.DB, rows[0])
	if fault.Is(err, fault.Gone) {
		return BegunLetter{}, false, nil
	}
	return k, err == nil, err
}

// KeepDraft keeps a draft, which only needs an address, and mails the link to it where that is asked for, within the limits of the mailbox.
// It answers the same for every address. The new cookie of the browser comes back. Anybody may call it. The faults are Invalid with
// the field email, or with those of the texts that no letter can hold.
func (s *Service) KeepDraft(ctx context.Context, c Campaign, in KeepInput) (cookie string, err error) {
	var bad fault.Fields
	in.checkEmail(&bad)
	in.Own, in.Subject = letterText(&bad, "own_words", in.Own), letterLine(&bad, "subject", in.Subject, SubjectMax)
	for _, f := range []struct {
		name string
		at   *string
		most int
	}{{"given_name", &in.GivenName, NameMax}, {"family_name", &in.FamilyName, NameMax}, {"street", &in.Street, StreetMax}, {"city", &in.City, CityMax}} {
		*f.at = letterLine(&bad, f.name, *f.at, f.most)
	}
	if err := bad.Err(); err != nil {
		return in.Held, err
	}
	now := s.Clock.Now()
	typed, err := mailboxes.NewRow(s.Vault, in.Email, now)
	if err != nil {
		return in.Held, err
	}
	who := Recipients{Country: in.Country, Region: in.Region}
	if in.CheckPlace() == nil {
		if who, err = s.Who(ctx, c, &in.Sheet); err != nil {
			return in.Held, err
		}
	}
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		boxes, _, err := mailboxes.EnsureAll(ctx, tx, []models.Mailbox{typed})
		if err != nil {
			return err
		}
		box := boxes[string(typed.AddressHash)] // held
		row := s.row(c, in.Sheet, in.Lang, box.ID, who, now)
		if err := agree(ctx, tx, &row, c, in, now); err != nil {
			return err
		}
		before, err := s.open(ctx, tx, c.ID, in.Held)
		if err != nil {
			return err
		}
		var gone []uuid.UUID
		fresh := true
		for _, b := range before {
			switch {
			case b.State != models.LetterDraft: // waits to be confirmed as it is, until another is sent
			case b.MailboxID == box.ID && fresh:
				fresh = false
				if err := s.rewrite(ctx, tx, b, &row, in.Sheet); err != nil {
					return err
				}
			default:
				gone = append(gone, b.ID)
			}
		}
		if err := s.dropLetters(ctx, tx, gone, now); err != nil {
			return err
		}
		if fresh {
			if err := s.makeRoom(ctx, tx, box.ID, c.ID, models.LetterDraft, draftsMost, now); err != nil {
				return err
			}
			if err := tx.Create(&row).Error; err != nil {
				return err
			}
		}
		cookie = s.hold(in.Held, row.ID, gone...)
		if !in.Mail {
			return nil
		}
		return s.mailDraft(ctx, tx, box, row, now)
	})
	if err != nil {
		return in.Held, err
	}
	return cookie, nil
}

// rewrite puts what a row says into the draft b: its values are sealed anew, for the id of the draft.
func (s *Service) rewrite(ctx context.Context, tx *gorm.DB, b models.Letter, row *models.Letter, in Sheet) error {
	seal := func(column, v string) []byte { return s.Vault.Seal("letters", column, b.ID, v) }
	row.ID, row.CreatedAt, row.ResumeTries = b.ID, b.CreatedAt, b.ResumeTries
	row.GivenNameSealed, row.FamilyNameSealed = seal("given_name_sealed", in.GivenName), seal("family_name_sealed", in.FamilyName)
	row.StreetSealed, row.CitySealed = seal("street_sealed", in.Street), seal("city_sealed", in.City)
	row.SubjectSealed, row.OwnWordsSealed = seal("subject_sealed", in.Subject), seal("own_words_sealed", in.Own)
	return tx.WithContext(ctx).Model(&models.Letter{}).Where("id = ? AND state = ?", b.ID, models.LetterDraft).Select("*").Omit("id", "created_at", "code_tries", "resume_tries").Updates(row).Error
}

// makeRoom ends in tx the second oldest letters of a mailbox and campaign in a state, so that one more fits below most. The oldest
// stays: nobody's own is kept out by what others typed.
func (s *Service) makeRoom(ctx context.Context, tx *gorm.DB, box, campaign uuid.UUID, state models.LetterState, most int, now time.Time) error {
	var ids []uuid.UUID
	err := tx.WithContext(ctx).Model(&models.Letter{}).Where("mailbox_id = ? AND letter_campaign_id = ? AND state = ?", box, campaign, state).Order("created_at, id").Pluck("id", &ids).Error
	if over := len(ids) - most + 1; err == nil && over > 0 {
		err = s.dropLetters(ctx, tx, ids[1:1+over], now)
	}
	return err
}

// dropLetters deletes in tx those of the letters that nobody confirmed, with the texts that waited with them and their mails.
func (s *Service) dropLetters(ctx context.Context, tx *gorm.DB, ids []uuid.UUID, now time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	tx = tx.WithContext(ctx)
	open := []models.LetterState{models.LetterDraft, models.LetterAwaiting}
	var boxes []uuid.UUID
	if err := tx.Model(&models.Letter{}).Where("id IN ? AND state IN ? AND mailbox_id IS NOT NULL", ids, open).Distinct().Pluck("mailbox_id", &boxes).Error; err != nil {
		return err
	}
	err := tx.Where("state = ? AND letter_id IN (SELECT id FROM letters WHERE id IN ? AND state IN ?)", models.DispatchDraft, ids, open).Delete(&models.Dispatch{}).Error
	if err != nil {
		return err
	}
	if err := tx.Where("id IN ? AND state IN ?", ids, open).Delete(&models.Letter{}).Error; err != nil || len(boxes) == 0 {
		return err
	}
	for _, kind := range []string{confirmations.LetterConfirm, confirmations.LetterResume} {
		if err := confirmations.Drop(ctx, tx, kind, boxes, ids, now); err != nil {
			return err
		}
	}
	return nil
}

// mailDraft queues the mail with the link and the code of a draft, within the limits of its mailbox.
func (s *Service) mailDraft(ctx context.Context, tx *gorm.DB, box models.Mailbox, l models.Letter, now time.Time) error {
	return confirmations.Queue(ctx, tx, []confirmations.Request{{
		Kind: confirmations.LetterResume, MailboxID: box.ID, Subject: l.ID, DedupeKey: confirmations.LetterResume + "/" + l.ID.String() + "/" + now.Format(time.DateOnly), Ends: now.Add(DraftFor),
	}}, map[uuid.UUID]models.Mailbox{box.ID: box}, []uuid.UUID{box.ID}, now)
}

// Draft is what a mailed link of a draft leads to.
type Draft struct {
	Slug, Title, Locale string
	At                  time.Time
}

// Offered reads what a mailed link of a draft leads to, and changes nothing. Whoever has the link may read it. The faults are those of
// tokens.Signer.Read; Gone, error.letter_draft_gone, where the draft is there no more.
func (s *Service) Offered(ctx context.Context, token string) (Draft, error) {
	l, c, err := s.draftBy(ctx, token)
	return Draft{Slug: c.Slug, Title: c.Title, Locale: c.Locale, At: l.UpdatedAt}, err
}

func (s *Service) draftBy(ctx context.Context, token string) (l models.Letter, c models.LetterCampaign, err error) {
	id, err := s.Signer.Read(tokens.LetterDraft, token, s.Clock.Now())
	if err != nil {
		return l, c, err
	}
	err = s.DB.WithContext(ctx).Where("id = ? AND state = ? AND expires_at > ?", id, models.LetterDraft, s.Clock.Now()).Limit(1).Find(&l).Error
	if err == nil && l.ID == uuid.Nil {
		err = draftGone()
	}
	if err != nil {
		return l, c, err
	}
	return l, c, s.DB.WithContext(ctx).Where("id = ?", l.LetterCampaignID).Take(&c).Error
}

// TakeUp is the press on the button behind a mailed link: this browser goes on with the draft. It returns the campaign's slug and the
// new cookie. The faults are those of Offered.
func (s *Service) TakeUp(ctx context.Context, held, token string) (slug, cookie string, err error) {
	l, c, err := s.draftBy(ctx, token)
	if err != nil {
		return "", held, err
	}
	return c.Slug, s.hold(held, l.ID), nil
}

// ResumeCode goes on in another browser by the address and the code of a mail. Each draft takes five tries; then only the link works.
// It returns the campaign's slug and the new cookie. The fault is Invalid with the fields email and code, the same whether nothing
// waits, the code is wrong or the tries are used up.
func (s *Service) ResumeCode(ctx context.Context, held, email, code string) (slug, cookie string, err error) {
	var bad fault.Fields
	typed, err := mailboxes.NewRow(s.Vault, email, s.Clock.Now())
	if err != nil {
		bad.Add("email", address.Key(err))
	}
	if strings.TrimSpace(code) == "" {
		bad.Add("code", "error.code_missing")
	}
	if err := bad.Err(); err != nil {
		return "", held, err
	}
	var rows []models.Letter
	// Counted and committed before the code is looked at: many tries at once are as many tries.
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		rows = nil
		return tx.Raw(`UPDATE letters SET resume_tries = resume_tries + 1 WHERE state = 'draft' AND resume_tries < ? AND expires_at > ?
			AND mailbox_id IN (SELECT id FROM mailboxes WHERE address_hash = ?) RETURNING *`, resumeTries, s.Clock.Now(), typed.AddressHash).Scan(&rows).Error
	})
	if err != nil {
		return "", held, err
	}
	for _, l := range rows {
		if !s.Signer.CodeMatches(tokens.LetterDraft, l.ID, code) {
			continue
		}
		var c models.LetterCampaign
		if err := s.DB.WithContext(ctx).Where("id = ?", l.LetterCampaignID).Take(&c).Error; err != nil {
			return "", held, err
		}
		err := s.DB.WithContext(ctx).Model(&models.Letter{}).Where("id = ?", l.ID).Update("resume_tries", 0).Error
		return c.Slug, s.hold(held, l.ID), err
	}
	bad.Add("code", "error.start_code_wrong")
	return "", held, bad.Err()
}

// ResumeMail queues the mail with the link and the code once more, to an address with a draft, within the limits of its mailbox. It
// answers the same for every address. The fault is Invalid with the field email.
func (s *Service) ResumeMail(ctx context.Context, email string) error {
	now := s.Clock.Now()
	typed, err := mailboxes.NewRow(s.Vault, email, now)
	if err != nil {
		return fault.Fields{{Name: "email", Key: address.Key(err)}}.Err()
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var box models.Mailbox
		err := tx.Clauses(forUpdate).Where("address_hash = ?", typed.AddressHash).Limit(1).Find(&box).Error
		if err != nil || box.ID == uuid.Nil {
			return err
		}
		var l models.Letter
		err = tx.Where("mailbox_id = ? AND state = ? AND expires_at > ?", box.ID, models.LetterDraft, now).Order("updated_at DESC, id DESC").Limit(1).Find(&l).Error
		if err != nil || l.ID == uuid.Nil {
			return err
		}
		return s.mailDraft(ctx, tx, box, l, now)
	})
}
