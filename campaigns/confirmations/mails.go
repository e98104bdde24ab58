package confirmations

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/models/database"
)

// The mails that a form can cause by an address that somebody typed: kinds of deliveries, and names of their templates. One
// that is not in Kinds is not limited, so a new form adds its own here.
const (
	PetitionConfirm  = "petition_confirm"        // subject: the signature
	PetitionAlready  = "petition_already"        // subject: the signature
	PetitionRemind   = "petition_reminder"       // subject: the signature
	JoinConfirm      = "join_confirm"            // subject: the submission
	DigestConfirm    = "petition_digest_confirm" // subject: the digest
	PetitionStart    = "petition_start"          // subject: the starter
	PetitionCostart  = "petition_costart"        // subject: the starter
	LetterConfirm    = "letter_confirm"          // subject: the letter
	LetterResume     = "letter_resume"           // subject: the letter
	RosterConfirm    = "roster_confirm"          // subject: the assignment
	VolunteerConfirm = "volunteer_confirm"       // subject: the volunteer
	EventConfirm     = "event_confirm"           // subject: the registration
	EventAlready     = "event_already"           // subject: the registration
)

// Kinds lists them.
var Kinds = []string{PetitionConfirm, PetitionAlready, PetitionRemind, JoinConfirm, DigestConfirm, PetitionStart, PetitionCostart, LetterConfirm, LetterResume, RosterConfirm, VolunteerConfirm, EventConfirm, EventAlready}

// ofDrafts are those with the link to a draft. No page but its own opens one, so they count apart from what the page behind the link
// of every other mail lists.
func ofDrafts(kind string) bool {
	return kind == PetitionStart || kind == PetitionCostart || kind == LetterResume
}

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// Request is a mail that a form asks for.
type Request struct {
	Kind      string // one of Kinds
	MailboxID uuid.UUID
	Subject   uuid.UUID
	Like      []uuid.UUID // further rows of the same mailbox and action: a mail about one of them is one about all
	DedupeKey string
	NotBefore time.Time // zero: now; later, where mails are held back
	Ends      time.Time // of what waits, and of the attempts to send
}

// Queue inserts in tx the mails that forms ask for, as far as their mailboxes may get them now. boxes are the mailboxes by
// id, which the caller holds, so that what is decided by the mails of last week is decided for one form at a time; known are
// those that may have got mail before. What is too much is left out without a word: the page behind the last mail's link
// lists what was added.
func Queue(ctx context.Context, tx *gorm.DB, asked []Request, boxes map[uuid.UUID]models.Mailbox, known []uuid.UUID, now time.Time) error {
	if len(asked) == 0 {
		return nil
	}
	tx = tx.WithContext(ctx)
	history := map[uuid.UUID][]models.Delivery{}
	if len(known) > 0 {
		var sent []models.Delivery
		err := tx.Select("mailbox_id", "subject_id", "kind", "state", "not_before", "created_at").
			Where("mailbox_id IN ? AND created_at > ? AND kind IN ?", known, now.Add(-week), Kinds).Find(&sent).Error
		if err != nil {
			return err
		}
		for _, d := range sent {
			history[d.MailboxID] = append(history[d.MailboxID], d)
		}
	}
	out := make([]models.Delivery, 0, len(asked))
	for _, r := range asked {
		if !mayMail(history[r.MailboxID], boxes[r.MailboxID].VerifiedAt != nil, r, now) {
			continue
		}
		d := deliveries.New{
			Kind: r.Kind, MailboxID: r.MailboxID, SubjectID: r.Subject, Purpose: models.PurposeReceipt, DedupeKey: r.DedupeKey,
			Priority: models.PriorityReceipt, OnUnknown: models.Resend, NotBefore: r.NotBefore, ExpiresAt: &r.Ends,
		}.Row(now)
		history[r.MailboxID] = append(history[r.MailboxID], d)
		out = append(out, d)
	}
	if err := database.InsertAll(tx, out, "ON CONFLICT (dedupe_key) DO NOTHING"); err != nil {
		return err
	}
	if len(out) > 0 {
		deliveries.Wake(tx)
	}
	return nil
}

// mayMail reports whether a mailbox may get a mail, by what it got in the last week. A mailbox that nobody confirmed yet: one
// open mail in 24 hours, three in a week, whatever the form; its page lists what was added since. The mail with the link to a draft
// and that for everything else hold each other up for no day, and are counted together for the week. A confirmed one: one in 24 hours
// about each action, ten in 24 hours in all.
func mayMail(sent []models.Delivery, verified bool, r Request, now time.Time) bool {
	inDay := 0
	for _, d := range sent {
		ended := d.State == models.DeliveryFailed || d.State == models.DeliveryExpired || d.State == models.DeliverySuppressed
		// What is held back for another action keeps nobody from their mail.
		held := d.State == models.DeliveryQueued && d.NotBefore.After(now) && r.NotBefore.IsZero()
		recent := d.CreatedAt.After(now.Add(-day))
		if recent {
			inDay++
		}
		switch {
		case !recent, ended, held:
		case !verified && ofDrafts(d.Kind) == ofDrafts(r.Kind), d.Kind == r.Kind && (d.SubjectID == r.Subject || slices.Contains(r.Like, d.SubjectID)):
			return false
		}
	}
	if !verified {
		return len(sent) < 3
	}
	return inDay < 10
}

// Drop ends in tx the mails of a kind about rows that wait no longer, as far as they did not go.
func Drop(ctx context.Context, tx *gorm.DB, kind string, mailboxes, subjects []uuid.UUID, now time.Time) error {
	return tx.WithContext(ctx).Model(&models.Delivery{}).
		Where("mailbox_id IN ? AND subject_id IN ? AND kind = ? AND state IN ?", mailboxes, subjects, kind, []models.DeliveryState{models.DeliveryQueued, models.DeliveryDeferred}).
		Updates(map[string]any{"state": models.DeliveryExpired, "updated_at": now}).Error
}

// Links are the parts of a confirmation mail that are the same for every form.
type Links struct {
	ConfirmURL  string
	ConfirmHost string // the address of the page for the code as one types it: act.example.org/confirm
	Code        string
	Days        int // until it ends
}

// LinksOf makes the links of the mail about a row that waits until ends. baseURL is the site's, without a slash at its end.
func LinksOf(signer *tokens.Signer, baseURL string, mailboxID, subject uuid.UUID, ends, now time.Time) Links {
	host := baseURL
	if _, rest, ok := strings.Cut(host, "://"); ok {
		host = rest
	}
	return Links{
		ConfirmURL: baseURL + "/confirm/" + signer.Make(tokens.Confirm, mailboxID, ends), ConfirmHost: host + "/confirm",
		Code: signer.Code(tokens.Confirm, subject), Days: int((ends.Sub(now) + day - 1) / day),
	}
}
