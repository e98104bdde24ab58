package letters

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/abuse"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/models"
)

// purposeOffice is what the words beside the button are about: that an office gets name, address and e-mail.
const purposeOffice models.Purpose = "office"

// waitingMost is how many letters of one campaign wait to be confirmed at one mailbox; the second oldest makes room, as with forms.
const waitingMost = 5

// Limits of one device and campaign: what is beyond waits for a person once it is confirmed.
const (
	deviceMost = 20
	deviceFor  = 5 * time.Minute
)

// HeldLimit is why a letter waits that came with very many from one device. The reasons of abuse.Verdict are the others.
const HeldLimit = abuse.ReasonLimit

// SendInput is the last press of the journey: the sheet, and what was beside the button.
type SendInput struct {
	KeepInput
	OfficeText string // the words that say what an office gets, exactly as they were shown
	ClientIP   string // of the device, as the server knows it; it is kept as a hash of the day
	Trap       string // a field that no person sees
	Proof      string // of work, where the form asked for one
}

// Sent is what a browser is given. ID is new every time and says nothing about the address.
type Sent struct {
	ID     uuid.UUID
	Cookie string
}

// Send takes a letter, which waits to be confirmed, and queues the mail with its full text. What this browser kept of the campaign before
// goes: each press makes a letter of its own, whose text never changes. It answers the same for every address, whether the mailbox wrote
// before or not. Anybody may call it. The faults are Invalid with the fields of the sheet; Conflict where the campaign takes no letter
// (see Takes).
func (s *Service) Send(ctx context.Context, c Campaign, in SendInput) (Sent, error) {
	if in.OfficeText == "" {
		return Sent{}, errors.New("letters: a page that sends must say with which words")
	}
	if err := s.takes(ctx, s.DB.DB, c); err != nil {
		return Sent{}, err
	}
	who, err := s.Who(ctx, c, &in.Sheet)
	if err == nil {
		err = in.CheckWho(c, who)
	}
	var bad fault.Fields
	if err := errors.Join(gather(&bad, err), gather(&bad, in.CheckWords(c)), gather(&bad, in.CheckYou())); err != nil {
		return Sent{}, err
	}
	if err := bad.Err(); err != nil {
		return Sent{}, err
	}
	now := s.Clock.Now()
	typed, err := mailboxes.NewRow(s.Vault, in.Email, now)
	if err != nil {
		return Sent{}, err
	}
	held, client, err := s.judged(ctx, in, now)
	if err != nil {
		return Sent{}, err
	}
	texts, _ := s.Preview(c, in.Sheet, who)
	var out Sent
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		boxes, _, err := mailboxes.EnsureAll(ctx, tx, []models.Mailbox{typed})
		if err != nil {
			return err
		}
		box := boxes[string(typed.AddressHash)] // held
		row := s.row(c, in.Sheet, in.Lang, box.ID, who, now)
		row.State, row.ExpiresAt, row.HeldReason, row.ClientHash = models.LetterAwaiting, now.Add(confirmations.PendingFor), held, client
		if err := agree(ctx, tx, &row, c, in.KeepInput, now); err != nil {
			return err
		}
		t, err := consents.Text(ctx, tx, purposeOffice, row.Locale, in.OfficeText, now)
		if err != nil {
			return err
		}
		row.ConsentTextID = &t.ID
		before, err := s.open(ctx, tx, c.ID, in.Held)
		if err != nil {
			return err
		}
		var gone []uuid.UUID
		for _, b := range before {
			gone = append(gone, b.ID)
		}
		if err := s.dropLetters(ctx, tx, gone, now); err != nil {
			return err
		}
		if err := s.makeRoom(ctx, tx, box.ID, c.ID, models.LetterAwaiting, waitingMost, now); err != nil {
			return err
		}
		if row.HeldReason == "" {
			if row.HeldReason, err = crowded(ctx, tx, row, now); err != nil {
				return err
			}
		}
		list := make([]models.Dispatch, len(texts))
		for i, t := range texts {
			id := models.NewID()
			list[i] = models.Dispatch{
				ID: id, LetterID: row.ID, LetterCampaignID: c.ID, MailboxID: box.ID, LegislatorID: t.ID, TermID: t.Term.ID, State: models.DispatchDraft,
				SubjectSealed: s.Vault.Seal("dispatches", "subject_sealed", id, t.Subject), TextSealed: s.Vault.Seal("dispatches", "text_sealed", id, t.Body),
				DueAt: now, CreatedAt: now, UpdatedAt: now,
			}
		}
		if row.ConfirmedDigest, err = s.digestOf(row, list); err != nil {
			return err
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		if err := tx.Create(&list).Error; err != nil {
			return err
		}
		out = Sent{ID: row.ID, Cookie: s.hold(in.Held, row.ID, gone...)}
		return mailConfirm(ctx, tx, []models.Letter{row}, map[uuid.UUID]models.Mailbox{box.ID: box}, "", now)
	})
	return out, err
}

// gather puts the fields of a fault into bad; any other error comes back.
func gather(bad *fault.Fields, err error) error {
	var f *fault.Error
	if errors.As(err, &f) && f.Kind == fault.Invalid {
		*bad = append(*bad, f.Fields...)
		return nil
	}
	return err
}

// judged says why a letter will wait for a person once it is confirmed, "" for the usual way, and how its device is kept.
func (s *Service) judged(ctx context.Context, in SendInput, now time.Time) (reason string, client []byte, err error) {
	addr, _ := netip.ParseAddr(in.ClientIP)
	if net := abuse.Net(addr); net != nil {
		client = s.Vault.DayHash(now, net)
	}
	if s.Guard == nil {
		return "", client, nil
	}
	v, err := s.Guard.Judge(ctx, abuse.Visit{Email: in.Email, Client: addr, Trap: in.Trap, Proof: in.Proof})
	return v.Reason, client, err
}

// crowded says whether very many letters of a campaign came from one device just now.
func crowded(ctx context.Context, tx *gorm.DB, l models.Letter, now time.Time) (string, error) {
	if len(l.ClientHash) == 0 {
		return "", nil
	}
	var n int64
	err := tx.WithContext(ctx).Model(&models.Letter{}).Where("letter_campaign_id = ? AND state = ? AND created_at > ? AND client_hash = ?",
		l.LetterCampaignID, models.LetterAwaiting, now.Add(-deviceFor), l.ClientHash).Count(&n).Error
	if err != nil || n < deviceMost {
		return "", err
	}
	return HeldLimit, nil
}

// mailConfirm queues the mails with the full text of letters that wait, within the limits of their mailboxes.
func mailConfirm(ctx context.Context, tx *gorm.DB, rows []models.Letter, boxes map[uuid.UUID]models.Mailbox, suffix string, now time.Time) error {
	var asked []confirmations.Request
	var known []uuid.UUID
	for _, l := range rows {
		known = append(known, l.MailboxID)
		asked = append(asked, confirmations.Request{
			Kind: confirmations.LetterConfirm, MailboxID: l.MailboxID, Subject: l.ID, DedupeKey: confirmations.LetterConfirm + "/" + l.ID.String() + suffix, Ends: l.ExpiresAt,
		})
	}
	return confirmations.Queue(ctx, tx, asked, boxes, known, now)
}
