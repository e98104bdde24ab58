package volunteers

import (
	"context"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/abuse"
	"kithline/campaigns/address"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/models"
)

// asks are what the form asks consent to.
var asks = []consents.Ask{{Purpose: models.PurposeVolunteering}, {Purpose: models.PurposePhone}}

// Boxes are the consents of the form, with their exact words in a language.
func (s *Service) Boxes(ctx context.Context, lang string) ([]consents.Box, error) {
	return s.Consents.Boxes(ctx, asks, lang)
}

// SignUpInput is the form as it was filled in. The names of its fields are email, consent and those of Said.
type SignUpInput struct {
	Said
	Email    string
	Boxes    []string // values of the boxes that were ticked
	Locale   string   // of the mails to this person
	Lang     string   // of the page: the words beside the boxes are in it
	Source   string   // how the person came: a short code, never an address
	Trap     string   // a field that no person sees
	ClientIP string   // of the device, as the server knows it; it is kept as a hash of the day
}

// waitingMost is how many forms wait at one mailbox. The second oldest makes room, so that nobody's own is kept out by what others typed; the
// oldest stays, since the mail that went is about it.
const waitingMost = 5

// Limits of one device: what is beyond is answered like all else, and not kept.
const (
	deviceMost = 20
	deviceFor  = 5 * time.Minute
)

var (
	localeForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
	sourceForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)
)

// agreed checks that somebody who wants to be asked agreed to it, and returns the yes for each purpose.
func agreed(bad *fault.Fields, d Said, boxes []consents.Box, ticked []string, before []models.Purpose) map[models.Purpose]consents.Box {
	chosen, changed := consents.Ticked(boxes, ticked)
	out := map[models.Purpose]consents.Box{}
	for _, b := range chosen {
		out[b.Purpose] = b
	}
	has := func(p models.Purpose) bool { _, ok := out[p]; return ok || slices.Contains(before, p) }
	switch {
	case changed:
		bad.Add("consent", "error.consent_changed")
	case d.AskBy != models.AskNot && !has(models.PurposeVolunteering):
		bad.Add("consent", "error.volunteer_consent")
	case d.AskBy == models.AskByPhone && !has(models.PurposePhone):
		bad.Add("consent", "error.volunteer_consent_phone")
	}
	return out
}

// SignUp takes what somebody filled in, which waits to be confirmed, and queues the mail for it. It answers the same for every address, and
// for what is not kept because a rule or a trap says so. The id is new every time and says nothing about the address. Anybody may call it.
// The fault is Invalid with fields.
func (s *Service) SignUp(ctx context.Context, in SignUpInput) (uuid.UUID, error) {
	now := s.Clock.Now()
	boxes, err := s.Boxes(ctx, in.Lang)
	if err != nil {
		return uuid.Nil, err
	}
	var bad fault.Fields
	typed, err := mailboxes.NewRow(s.Vault, in.Email, now)
	if err != nil {
		bad.Add("email", address.Key(err))
	}
	d := in.check(&bad)
	yes := agreed(&bad, d, boxes, in.Boxes, nil)
	if err := bad.Err(); err != nil {
		return uuid.Nil, err
	}
	v := models.Volunteer{
		ID: models.NewID(), State: models.VolunteerPending, Locale: in.Locale, Source: strings.ToLower(strings.TrimSpace(in.Source)), CreatedAt: now, UpdatedAt: now,
	}
	ends := now.Add(confirmations.PendingFor)
	v.ExpiresAt = &ends
	if !localeForm.MatchString(v.Locale) {
		v.Locale = in.Lang
	}
	if !sourceForm.MatchString(v.Source) {
		v.Source = ""
	}
	s.write(&v, d)
	addr, _ := netip.ParseAddr(in.ClientIP)
	if net := abuse.Net(addr); net != nil {
		v.ClientHash = s.Vault.DayHash(now, net)
	}
	refused := in.Trap != ""
	if s.Guard != nil && !refused {
		verdict, err := s.Guard.Judge(ctx, abuse.Visit{Email: in.Email, Client: addr, Trap: in.Trap})
		if err != nil {
			return uuid.Nil, err
		}
		refused = verdict.Reason != ""
	}
	if refused {
		return v.ID, nil
	}
	return v.ID, s.DB.Tx(ctx, func(tx *gorm.DB) error { return s.insert(ctx, tx.WithContext(ctx), typed, v, yes, now) })
}

// insert writes a pending row in tx with the words of its consents, and queues its mail.
func (s *Service) insert(ctx context.Context, tx *gorm.DB, typed models.Mailbox, v models.Volunteer, yes map[models.Purpose]consents.Box, now time.Time) error {
	if len(v.ClientHash) > 0 {
		var n int64
		err := tx.Model(&models.Volunteer{}).Where("state = ? AND created_at > ? AND client_hash = ?", models.VolunteerPending, now.Add(-deviceFor), v.ClientHash).Count(&n).Error
		if err != nil || n >= deviceMost {
			return err
		}
	}
	boxes, _, err := mailboxes.EnsureAll(ctx, tx, []models.Mailbox{typed})
	if err != nil {
		return err
	}
	box := boxes[string(typed.AddressHash)] // held
	v.MailboxID = box.ID
	if _, err := drop(ctx, tx, now, "mailbox_id = ? AND expires_at <= ?", box.ID, now); err != nil {
		return err
	}
	alike, err := waitingAt(tx, box.ID)
	if err != nil {
		return err
	}
	if over := len(alike) - waitingMost + 1; over > 0 {
		if _, err := drop(ctx, tx, now, "id IN ?", alike[1:1+over]); err != nil {
			return err
		}
	}
	for purpose, b := range yes {
		t, err := consents.Text(ctx, tx, b.Purpose, b.Locale, b.Words, now)
		if err != nil {
			return err
		}
		if purpose == models.PurposePhone {
			v.PhoneTextID = &t.ID
		} else {
			v.ConsentTextID = &t.ID
		}
	}
	if err := tx.Create(&v).Error; err != nil {
		return err
	}
	return queue(ctx, tx, []models.Volunteer{v}, map[uuid.UUID]models.Mailbox{box.ID: box}, map[uuid.UUID][]uuid.UUID{v.ID: alike}, "", now)
}

// waitingAt lists what waits at a mailbox, oldest first.
func waitingAt(tx *gorm.DB, box uuid.UUID) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	return ids, tx.Model(&models.Volunteer{}).Where("mailbox_id = ? AND state = ?", box, models.VolunteerPending).Order("created_at, id").Pluck("id", &ids).Error
}

// queue asks for the mails of pending rows.
func queue(ctx context.Context, tx *gorm.DB, rows []models.Volunteer, boxes map[uuid.UUID]models.Mailbox, alike map[uuid.UUID][]uuid.UUID, suffix string, now time.Time) error {
	var asked []confirmations.Request
	var known []uuid.UUID
	for _, v := range rows {
		known = append(known, v.MailboxID)
		asked = append(asked, confirmations.Request{
			Kind: confirmations.VolunteerConfirm, MailboxID: v.MailboxID, Subject: v.ID, Like: alike[v.ID],
			DedupeKey: confirmations.VolunteerConfirm + "/" + v.ID.String() + suffix, Ends: *v.ExpiresAt,
		})
	}
	return confirmations.Queue(ctx, tx, asked, boxes, known, now)
}
