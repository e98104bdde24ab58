package rosters

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/abuse"
	"kithline/campaigns/address"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/pacing"
	"kithline/models"
)

// TakePendingFor is how long a place is kept for an address that is not confirmed.
const TakePendingFor = 30 * time.Minute

// takeNameMost is how many characters a name has at most.
const takeNameMost = 100

// takeDeviceMost is how many places one device keeps at a time that nobody confirmed.
const takeDeviceMost = 10

// TakeInput is the form by which somebody takes a place, or stands by. The names of its fields are those of the errors.
type TakeInput struct {
	Shift                               uuid.UUID
	As                                  models.PlaceAs
	Email, GivenName, FamilyName, Phone string
	TimeZone                            string // IANA name; "" or unknown: the roster's
	Locale                              string // of the mails
	Lang                                string // of the page
	At                                  string // window: when they want to do it, 2027-03-10T14:00 in the roster's zone; "": they know later
	AskBy                               models.AskBy
	AskFrom                             string   // standby: a time of day, where they live, 07:30; "": outside quiet hours
	Meets                               bool     // they say that they have what the shift asks for in language and area
	Anyway                              bool     // though it is more than they planned
	Boxes                               []string // of TakeBoxes that were ticked
	Source, ClientIP                    string
	Trap, Proof                         string
	Proved                              string // the address whose mail was opened in this browser within the last hour; "": none
}

// Took is what became of a form.
type Took struct {
	ID        uuid.UUID // new every time but where Confirmed; says nothing about the address
	Confirmed bool      // it counts already: the browser had proved the address
}

// TakeBoxes are what can be agreed to beside, in their exact words. Anybody may read them.
func (s *Service) TakeBoxes(ctx context.Context, lang string) ([]consents.Box, error) {
	if s.Consents == nil {
		return nil, nil
	}
	return s.Consents.Boxes(ctx, []consents.Ask{{Purpose: models.PurposeVolunteering}}, lang)
}

// Take takes a place of a shift, or stands by for it. It waits for 30 minutes for the mail to be answered; where the browser proved the
// address it counts at once. It answers the same for every address that was not proved. Anybody may call it. The faults are NotFound,
// error.shift_unknown; Conflict: error.roster_closed, error.roster_early, error.shift_full, and to the proved person error.roster_clash,
// error.roster_needs; TooMany, error.roster_many; Invalid with fields, where anyway says that it is more than the proved person planned.
func (s *Service) Take(ctx context.Context, in TakeInput) (Took, error) {
	now := s.Clock.Now()
	o, err := s.PublicShift(ctx, in.Shift)
	if err != nil {
		return Took{}, err
	}
	var bad fault.Fields
	a := models.Assignment{
		ID: models.NewID(), ShiftID: o.ID, AsWhat: in.As, State: models.AssignmentPending, Locale: in.Locale, TimeZone: in.TimeZone, Source: in.Source,
	}
	expires := now.Add(TakePendingFor)
	a.ExpiresAt = &expires
	in.GivenName, in.FamilyName, in.Phone = strings.TrimSpace(in.GivenName), strings.TrimSpace(in.FamilyName), strings.TrimSpace(in.Phone)
	takeName(&bad, in)
	typed, err := mailboxes.NewRow(s.Vault, in.Email, now)
	if err != nil {
		bad.Add("email", address.Key(err))
	}
	takePhone(&bad, in)
	if _, err := time.LoadLocation(a.TimeZone); err != nil || a.TimeZone == "Local" {
		a.TimeZone = ""
	}
	takeWay(&bad, &a, in)
	if a.StartsAt, err = takeAt(o, in, now); err != nil {
		bad.Add("at", "error.roster_at")
	}
	if (o.Languages != "" || o.Area != "") && !in.Meets {
		bad.Add("meets", "error.roster_meets")
	}
	boxes, err := s.TakeBoxes(ctx, in.Lang)
	if err != nil {
		return Took{}, err
	}
	chosen, changed := consents.Ticked(boxes, in.Boxes)
	if changed {
		bad.Add("consent", "error.consent_changed")
	}
	if err := bad.Err(); err != nil {
		return Took{}, err
	}
	if err := s.Takeable(o, in.Lang); err != nil {
		return Took{}, err
	}
	if in.Trap != "" { // the same answer, and nothing is kept
		return Took{ID: a.ID}, nil
	}
	client, blocked, err := s.takeJudged(ctx, in, now)
	if err != nil {
		return Took{}, err
	}
	if blocked {
		return Took{ID: a.ID}, nil
	}
	a.ClientHash = client
	a.GivenNameSealed = s.Vault.Seal("assignments", "given_name_sealed", a.ID, in.GivenName)
	a.FamilyNameSealed = s.takeSeal("family_name_sealed", a.ID, in.FamilyName)
	a.PhoneSealed = s.takeSeal("phone_sealed", a.ID, in.Phone)
	proved := false
	if in.Proved != "" {
		if p, err := mailboxes.NewRow(s.Vault, in.Proved, now); err == nil {
			proved = string(p.AddressHash) == string(typed.AddressHash)
		}
	}
	var out Took
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		out = Took{ID: a.ID}
		sh, err := hold(ctx, tx, o.ID)
		if err != nil {
			return err
		}
		list, _, err := mailboxes.EnsureAll(ctx, tx, []models.Mailbox{typed})
		if err != nil {
			return err
		}
		box := list[string(typed.AddressHash)] // held
		row := a
		row.MailboxID = box.ID
		if len(chosen) > 0 {
			t, err := consents.Text(ctx, tx, chosen[0].Purpose, chosen[0].Locale, chosen[0].Words, now)
			if err != nil {
				return err
			}
			row.ConsentTextID = &t.ID
		}
		if proved && box.VerifiedAt != nil && box.SuppressedAt == nil {
			id, err := s.takeNow(ctx, tx, o.Roster, sh, &box, row, in, now)
			out = Took{ID: id, Confirmed: err == nil}
			return err
		}
		return s.takeLater(ctx, tx, sh, box, row, now)
	})
	return out, err
}

// takeNow makes a place of a proved person's count at once, in tx, which holds the shift and the mailbox.
func (s *Service) takeNow(ctx context.Context, tx *gorm.DB, r models.Roster, sh models.Shift, box *models.Mailbox, a models.Assignment, in TakeInput, now time.Time) (uuid.UUID, error) {
	no, plans, err := s.takePersonal(ctx, tx, r, sh, a, now)
	if err != nil {
		return uuid.Nil, err
	}
	if err := s.takeRefused(no, r, in.Lang); err != nil {
		return uuid.Nil, err
	}
	if plans != pacing.Fits && !in.Anyway {
		return uuid.Nil, fault.Fields{{Name: "anyway", Key: "error.roster_plan_" + string(plans)}}.Err()
	}
	done, err := s.takeTrue(ctx, tx, sh, box, a, now)
	if err != nil {
		if f := takeFault(err); f != nil && f.Key == "error.shift_twice" {
			return done.ID, nil
		}
		return uuid.Nil, err
	}
	return done.ID, nil
}

// takeLater keeps a place for somebody whose address waits to be confirmed, in tx, which holds the shift and the mailbox. What counts for
// the mailbox already stays as it is, whoever typed its address, and its own mail is sent once more.
func (s *Service) takeLater(ctx context.Context, tx *gorm.DB, sh models.Shift, box models.Mailbox, a models.Assignment, now time.Time) error {
	tx = tx.WithContext(ctx)
	if a.Fills() { // whatever the mailbox has: nothing can be told of its address
		if err := s.takeRoom(ctx, tx, sh, now); err != nil {
			return err
		}
	}
	var before []models.Assignment
	if err := tx.Where("shift_id = ? AND mailbox_id = ?", sh.ID, box.ID).Find(&before).Error; err != nil {
		return err
	}
	if len(before) > 0 && before[0].State != models.AssignmentPending {
		return takeMail(ctx, tx, KindReceipt, before[0], now.Format(time.DateOnly), nil, now)
	}
	if len(a.ClientHash) > 0 {
		var n int64
		err := tx.Model(&models.Assignment{}).Where("state = ? AND expires_at > ? AND client_hash = ?", models.AssignmentPending, now, a.ClientHash).Count(&n).Error
		if err != nil {
			return err
		}
		if n >= takeDeviceMost {
			return fault.New(fault.TooMany, "error.roster_many")
		}
	}
	row, err := s.seat(ctx, tx, sh, a, now)
	if f := takeFault(err); f != nil && f.Key == "error.shift_twice" {
		err = nil // it waits already: its mail goes once more, within the limits
	}
	if err != nil {
		return err
	}
	return takeConfirm(ctx, tx, []models.Assignment{row}, map[uuid.UUID]models.Mailbox{box.ID: box}, "/"+a.ID.String(), now)
}

// takeRoom says whether a place is left.
func (s *Service) takeRoom(ctx context.Context, tx *gorm.DB, sh models.Shift, now time.Time) error {
	counts, err := placesOf(ctx, tx, []uuid.UUID{sh.ID}, now)
	if err == nil && counts[sh.ID].Held() >= sh.Places {
		err = fault.New(fault.Conflict, "error.shift_full")
	}
	return err
}

// takePersonal says what stands between somebody and a place: why they cannot, and what they planned. Of who stands by neither is asked
// before a place comes free.
func (s *Service) takePersonal(ctx context.Context, tx *gorm.DB, r models.Roster, sh models.Shift, a models.Assignment, now time.Time) (Refusal, pacing.Verdict, error) {
	if a.Standby() {
		return Refusal{Code: takeClosed(r, sh, now), At: takeOpens(r, sh)}, pacing.Fits, nil
	}
	known, err := s.people(ctx, tx, []uuid.UUID{a.MailboxID}, now)
	if err != nil {
		return Refusal{}, "", err
	}
	p := known[a.MailboxID]
	p.Held = takeOthers(p.Held, sh.ID)
	said := sh // what the form asked for
	said.Languages, said.Area = "", ""
	return refusal(r, said, p, now), p.Plans(sh, now), nil
}

func takeOthers(held []models.Shift, but uuid.UUID) []models.Shift {
	var out []models.Shift
	for _, h := range held {
		if h.ID != but {
			out = append(out, h)
		}
	}
	return out
}

// takeRefused puts a refusal into words, as a Conflict; nil where nothing is refused.
func (s *Service) takeRefused(no Refusal, r models.Roster, lang string) error {
	switch no.Code {
	case "":
		return nil
	case "early":
		at := no.At.In(ZoneOf(r))
		return fault.New(fault.Conflict, "error.roster_early", "Day", s.Day(lang, at), "Time", at.Format("15:04"))
	case "clash":
		return fault.New(fault.Conflict, "error.roster_clash", "Role", no.With.Role, "When", s.When(lang, no.With, nil, ZoneOf(r)))
	case "training", "language", "area":
		return fault.New(fault.Conflict, "error.roster_needs", "Need", no.Need)
	}
	return fault.New(fault.Conflict, "error.roster_closed")
}

// takeTrue makes an assignment count in tx, which holds its shift and its mailbox: the person's record is found or made, what they agreed to
// is given, and the receipt is queued. The faults are those of seat.
func (s *Service) takeTrue(ctx context.Context, tx *gorm.DB, sh models.Shift, box *models.Mailbox, a models.Assignment, now time.Time) (models.Assignment, error) {
	a.State, a.ExpiresAt = models.AssignmentConfirmed, nil
	if a.Standby() {
		a.State = models.AssignmentHeld
	}
	done, err := s.seat(ctx, tx, sh, a, now)
	if err != nil {
		return done, err
	}
	if err := s.takeAttach(ctx, tx, box, done, now); err != nil {
		return done, err
	}
	return done, takeMail(ctx, tx, KindReceipt, done, "", nil, now)
}

// takeName checks who it is.
func takeName(bad *fault.Fields, in TakeInput) {
	for _, f := range []struct {
		name, value, missing string
	}{{"given_name", in.GivenName, "error.roster_name"}, {"family_name", in.FamilyName, ""}} {
		switch {
		case f.value == "" && f.missing != "":
			bad.Add(f.name, f.missing)
		case utf8.RuneCountInString(f.value) > takeNameMost || strings.ContainsFunc(f.value, unicode.IsControl):
			bad.Add(f.name, "error.roster_name_long")
		}
	}
}

func takePhone(bad *fault.Fields, in TakeInput) {
	if digits := strings.Count(strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return '0'
		}
		return -1
	}, in.Phone), "0"); in.Phone != "" && (digits < 5 || digits > 20 || len(in.Phone) > 40) {
		bad.Add("phone", "error.phone_invalid")
	}
}

// takeWay checks as what somebody comes, and how who stands by may be asked.
func takeWay(bad *fault.Fields, a *models.Assignment, in TakeInput) {
	switch in.As {
	case models.AsPlace, models.AsBuddy:
		return
	case models.AsStandby, models.AsUnderstudy:
	default:
		bad.Add("as", "error.value_unknown")
		return
	}
	switch in.AskBy {
	case models.AskByMail:
	case models.AskByPhone:
		if in.Phone == "" {
			bad.Add("phone", "error.roster_phone")
		}
	default:
		bad.Add("ask_by", "error.roster_ask")
		return
	}
	a.AskBy = in.AskBy
	if in.AskFrom == "" {
		return
	}
	if len(in.AskFrom) == len("15:04:05") { // some browsers add seconds
		in.AskFrom = strings.TrimSuffix(in.AskFrom, ":00")
	}
	at, err := time.Parse("15:04", in.AskFrom)
	if err != nil {
		bad.Add("ask_from", "error.roster_time")
		return
	}
	minutes := at.Hour()*60 + at.Minute()
	a.AskFrom = &minutes
}

var errTakeAt = errors.New("rosters: a time outside of the window")

// takeAt reads the time that somebody names for a window: in it, to come, with enough of it left.
func takeAt(o OnOffer, in TakeInput, now time.Time) (*time.Time, error) {
	if in.At == "" || o.Kind == models.ShiftFixed || in.As != models.AsPlace && in.As != models.AsBuddy {
		return nil, nil
	}
	at, err := time.ParseInLocation("2006-01-02T15:04", in.At, ZoneOf(o.Roster))
	if err != nil {
		return nil, err
	}
	at = at.UTC()
	done := at.Add(time.Duration(o.Minutes) * time.Minute)
	if at.Before(now) || o.StartsAt != nil && at.Before(*o.StartsAt) || o.EndsAt != nil && done.After(*o.EndsAt) {
		return nil, errTakeAt
	}
	return &at, nil
}

// takeJudged says how a device is kept, and whether a rule of the organisation keeps the form out.
func (s *Service) takeJudged(ctx context.Context, in TakeInput, now time.Time) (client []byte, blocked bool, err error) {
	addr, _ := netip.ParseAddr(in.ClientIP)
	if net := abuse.Net(addr); net != nil {
		client = s.Vault.DayHash(now, net)
	}
	if s.Guard == nil {
		return client, false, nil
	}
	v, err := s.Guard.Judge(ctx, abuse.Visit{Email: in.Email, Client: addr, Trap: in.Trap, Proof: in.Proof})
	return client, v.Reason == abuse.ReasonBlock, err
}

func (s *Service) takeSeal(column string, id uuid.UUID, text string) []byte {
	if text == "" {
		return nil
	}
	return s.Vault.Seal("assignments", column, id, text)
}

func takeFault(err error) *fault.Error {
	var f *fault.Error
	if errors.As(err, &f) {
		return f
	}
	return nil
}

// takeMail queues in tx a mail about an assignment. again tells one that may go more than once from the last.
func takeMail(ctx context.Context, tx *gorm.DB, kind string, a models.Assignment, again string, ends *time.Time, now time.Time) error {
	key := kind + "/" + a.ID.String()
	if again != "" {
		key += "/" + again
	}
	_, err := deliveries.Insert(ctx, tx, deliveries.New{
		Kind: kind, MailboxID: a.MailboxID, SubjectID: a.ID, Purpose: models.PurposeReceipt, DedupeKey: key, Priority: models.PriorityReceipt, OnUnknown: models.Resend, ExpiresAt: ends,
	}, now)
	return err
}

// takeConfirm queues the mails by which assignments are confirmed, within the limits of their mailboxes.
func takeConfirm(ctx context.Context, tx *gorm.DB, rows []models.Assignment, boxes map[uuid.UUID]models.Mailbox, suffix string, now time.Time) error {
	var asked []confirmations.Request
	var known []uuid.UUID
	for _, a := range rows {
		known = append(known, a.MailboxID)
		asked = append(asked, confirmations.Request{
			Kind: confirmations.RosterConfirm, MailboxID: a.MailboxID, Subject: a.ID, DedupeKey: confirmations.RosterConfirm + "/" + a.ID.String() + suffix, Ends: now.Add(takeConfirmFor),
		})
	}
	return confirmations.Queue(ctx, tx, asked, boxes, known, now)
}
