package petitions

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/mailboxes"
	"kithline/models"
	"kithline/models/database"
)

// newSignature is a form that was checked and sealed: the rows it stands for, apart from what only the database knows.
type newSignature struct {
	Mailbox    models.Mailbox // as it would be if it were new
	Signature  models.Signature
	CampaignID uuid.UUID
	Name       string // as it is compared: see foldName
	Verdict    Verdict
	settle     settler // says what only the rows tell; nil: nobody does
	Refused    error   // set by insert: why this one was not written, although its batch was
}

// pair is a petition and a mailbox that signed it.
type pair struct{ petition, mailbox uuid.UUID }

// insert writes prepared signatures in tx, with everything that goes with them: mailboxes, the words of consents, the mails, the
// numbers and tallies. It takes one or many. Who has signed before gets no second row, and a third person of a mailbox none at all:
// see mails for what they get instead. A row whose petition takes no signatures any more is passed over, and told in Refused. A row
// that is written again by a batch that ran before changes nothing.
func (s *Service) insert(ctx context.Context, tx *gorm.DB, rows []newSignature) error {
	tx = tx.WithContext(ctx)
	open, err := refuse(tx, rows)
	if err != nil || len(open) == 0 {
		return err
	}
	refused := func(r newSignature) bool { return r.Refused != nil }
	if slices.ContainsFunc(rows, refused) {
		rows = slices.DeleteFunc(slices.Clone(rows), refused)
	}
	now := rows[0].Signature.CreatedAt
	typed := make([]models.Mailbox, len(rows))
	for i, r := range rows {
		typed[i] = r.Mailbox
	}
	boxes, made, err := mailboxes.EnsureAll(ctx, tx, typed)
	if err != nil {
		return err
	}
	byID := make(map[uuid.UUID]models.Mailbox, len(boxes))
	known := []uuid.UUID{} // there before: only of those can there be anything to read
	for _, b := range boxes {
		byID[b.ID] = b
		if !made[b.ID] {
			known = append(known, b.ID)
		}
	}

	tables, err := s.tables(ctx, tx, rows, boxes, known, slices.Collect(maps.Keys(open)), now)
	if err != nil {
		return err
	}
	added := map[uuid.UUID]moved{}
	var began []tallyMove
	var left []uuid.UUID
	asked, fresh := make([]request, 0, len(rows)), make([]models.Signature, 0, len(rows))
	for _, r := range rows {
		sig := r.Signature
		sig.MailboxID = boxes[string(r.Mailbox.AddressHash)].ID
		k := pair{sig.PetitionID, sig.MailboxID}
		if slices.ContainsFunc(tables[k], func(x sitting) bool { return x.ID == sig.ID }) {
			continue // this very row was written by a run before, with all that goes with it
		}
		seat, there, leaving := tables[k].place(sig, r.Name)
		if there != nil {
			if !there.fresh { // else its mail is in this batch
				asked = append(asked, request{there.Signature, false})
			}
			continue
		}
		if len(leaving) > 0 {
			left, tables[k] = append(left, leaving...), tables[k].without(leaving)
		}
		sig.Seat = seat
		tables[k] = append(tables[k], sitting{sig, r.Name, true})
		m := added[sig.PetitionID]
		m.pending++
		added[sig.PetitionID] = m
		began = talliesOf(began, sig, models.RoleNone, 1, 0)
		fresh, asked = append(fresh, sig), append(asked, request{sig, true})
	}
	if err := leave(tx, left); err != nil {
		return err
	}
	if s := rows[0].settle; s != nil {
		if err := s(ctx, tx, rows, fresh); err != nil {
			return err
		}
	}
	return database.Gather(tx, func() error {
		if err := database.InsertAll(tx, fresh, ""); err != nil {
			return err
		}
		if err := mails(ctx, tx, asked, open, byID, known, now); err != nil {
			return err
		}
		if err := moveNumbers(ctx, tx, added); err != nil {
			return err
		}
		return tally(ctx, tx, began)
	})
}

// tables reads who signed the petitions before, from the mailboxes that were there. What waited too long is deleted: it makes room,
// also before the job that removes it ran.
func (s *Service) tables(ctx context.Context, tx *gorm.DB, rows []newSignature, boxes map[string]models.Mailbox, known, petitionIDs []uuid.UUID, now time.Time) (map[pair]table, error) {
	out := make(map[pair]table, len(rows))
	if len(known) == 0 {
		return out, nil
	}
	if _, err := expirePending(ctx, tx, now, "mailbox_id IN ?", known); err != nil {
		return nil, err
	}
	// The mailboxes are held, so nobody else adds a signature of theirs: what is not there now is new.
	var there []models.Signature
	err := tx.Select("id", "petition_id", "mailbox_id", "seat", "state", "given_name_sealed", "family_name_sealed", "postal_area", "created_at", "confirmed_at", "expires_at").
		Where("mailbox_id IN ? AND petition_id IN ?", known, petitionIDs).Order("seat").Find(&there).Error
	if err != nil {
		return nil, err
	}
	asks := make(map[pair]bool, len(rows))
	for _, r := range rows {
		asks[pair{r.Signature.PetitionID, boxes[string(r.Mailbox.AddressHash)].ID}] = true
	}
	for _, sig := range there {
		k := pair{sig.PetitionID, sig.MailboxID}
		if !asks[k] {
			continue
		}
		given, family, err := s.names(sig)
		if err != nil {
			return nil, err
		}
		out[k] = append(out[k], sitting{sig, foldName(given, family), false})
	}
	return out, nil
}

// refuse notes which rows are for petitions that do not take them any more, and returns the petitions of the others.
func refuse(tx *gorm.DB, rows []newSignature) (open map[uuid.UUID]models.Petition, err error) {
	asked := []uuid.UUID{}
	for _, r := range rows {
		if !slices.Contains(asked, r.Signature.PetitionID) {
			asked = append(asked, r.Signature.PetitionID)
		}
	}
	var found []models.Petition
	if err := tx.Select("id", "state", "published_at", "paused_at", "deadline_at", "breaker_at").Where("id IN ?", asked).Find(&found).Error; err != nil {
		return nil, err
	}
	petitions := byPetition(found)
	open = make(map[uuid.UUID]models.Petition, len(found))
	for i, r := range rows {
		p := petitions[r.Signature.PetitionID] // the zero value is not visible
		if rows[i].Refused = signable(p, r.Signature.CreatedAt); rows[i].Refused == nil {
			open[p.ID] = p
		}
	}
	return open, nil
}

// moved is by how much the numbers of a petition move: signatures that wait for the button of their mail, that count, and that were
// confirmed and are held back.
type moved struct{ pending, confirmed, suspect int }

// numbers are the public number of a petition and its address.
type numbers struct {
	SignatureCount int
	Slug           string
}

// moveSQL moves the numbers of one petition. Never below zero: a wrong count must not keep anybody from confirming; the recount
// repairs it.
const moveSQL = `UPDATE petitions SET
		pending_count = CASE WHEN pending_count + ? < 0 THEN 0 ELSE pending_count + ? END,
		signature_count = CASE WHEN signature_count + ? < 0 THEN 0 ELSE signature_count + ? END,
		suspect_count = CASE WHEN suspect_count + ? < 0 THEN 0 ELSE suspect_count + ? END
	WHERE id = ?`

func (m moved) args(id uuid.UUID) []any {
	return []any{m.pending, m.pending, m.confirmed, m.confirmed, m.suspect, m.suspect, id}
}

// moveNumbers moves the numbers of petitions in tx. Rows are taken in one order, so that two transactions never wait for each other.
func moveNumbers(ctx context.Context, tx *gorm.DB, by map[uuid.UUID]moved) error {
	for _, id := range sorted(by) {
		if err := tx.WithContext(ctx).Exec(moveSQL, by[id].args(id)...).Error; err != nil {
			return err
		}
	}
	return nil
}

// count is moveNumbers that returns how many count now. Whoever moves the public number calls Service.afterCount at the end of the transaction.
func count(ctx context.Context, tx *gorm.DB, by map[uuid.UUID]moved) (now map[uuid.UUID]numbers, err error) {
	now = make(map[uuid.UUID]numbers, len(by))
	for _, id := range sorted(by) {
		var counted []numbers
		if err := tx.WithContext(ctx).Raw(moveSQL+" RETURNING signature_count, slug", by[id].args(id)...).Scan(&counted).Error; err != nil {
			return nil, err
		}
		if len(counted) > 0 {
			now[id] = counted[0]
		}
	}
	return now, nil
}

// sorted are the petitions of by in the order in which everybody takes them.
func sorted[T any](by map[uuid.UUID]T) []uuid.UUID {
	ids := slices.Collect(maps.Keys(by))
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

// request is a signature whose form was just sent; fresh where the row was made by it.
type request struct {
	models.Signature
	fresh bool
}

// mails queues what the mailboxes behind signatures get now: the confirmation mail of one that waits, the note that it
// counts already of one that is confirmed. known are those that may have got mail before. The limits are in
// campaigns/confirmations. petitions are those of the signatures: a breaker that is open holds mails back.
func mails(ctx context.Context, tx *gorm.DB, asked []request, petitions map[uuid.UUID]models.Petition, boxes map[uuid.UUID]models.Mailbox, known []uuid.UUID, now time.Time) error {
	out := make([]confirmations.Request, 0, len(asked))
	for _, sig := range asked {
		r := confirmations.Request{Kind: KindConfirm, MailboxID: sig.MailboxID, Subject: sig.ID, DedupeKey: KindConfirm + "/" + sig.ID.String(), Ends: sig.ExpiresAt}
		switch {
		case waits(sig.Signature):
			if petitions[sig.PetitionID].BreakerAt != nil && boxes[sig.MailboxID].VerifiedAt == nil {
				r.NotBefore = now.Add(breakerLater)
			}
			if !sig.fresh { // it waited before: the mail of then is not this one
				r.DedupeKey += "/" + now.Format("2006-01-02")
			}
		case sig.State == models.SignatureConfirmed, sig.State == models.SignatureSuspect:
			r.Kind, r.DedupeKey = KindAlready, KindAlready+"/"+sig.ID.String()+"/"+now.Format("2006-01-02")
			r.Ends = now.Add(3 * day)
		default:
			continue
		}
		out = append(out, r)
	}
	return confirmations.Queue(ctx, tx, out, boxes, known, now)
}

// unconfirmed picks the signatures that wait for the button of their mail, those that somebody will look at among them.
const unconfirmed = "confirmed_at IS NULL AND state IN ('pending', 'suspect')"

const (
	day  = 24 * time.Hour
	week = 7 * day
)

// expirePending deletes in tx the pending signatures whose time is over and that the condition picks, ends their mails, and
// lowers pending_count. It returns how many went.
func expirePending(ctx context.Context, tx *gorm.DB, now time.Time, where string, args ...any) (int, error) {
	return dropPending(ctx, tx, now, "expires_at <= ? AND ("+where+")", append([]any{now}, args...)...)
}

// dropPending deletes the pending signatures that the condition picks, ends their mails and lowers pending_count. The address
// of a mailbox that nothing points to any more goes with mailboxes.Sweep.
func dropPending(ctx context.Context, tx *gorm.DB, now time.Time, where string, args ...any) (int, error) {
	tx = tx.WithContext(ctx)
	var gone []models.Signature
	if err := tx.Raw("DELETE FROM signatures WHERE "+unconfirmed+" AND "+where+" RETURNING id, petition_id, mailbox_id", args...).Scan(&gone).Error; err != nil {
		return 0, err
	}
	if len(gone) == 0 {
		return 0, nil
	}
	ids, boxes, fewer := make([]uuid.UUID, len(gone)), make([]uuid.UUID, len(gone)), map[uuid.UUID]moved{}
	for i, g := range gone {
		ids[i], boxes[i] = g.ID, g.MailboxID
		m := fewer[g.PetitionID]
		m.pending--
		fewer[g.PetitionID] = m
	}
	if err := confirmations.Drop(ctx, tx, KindConfirm, boxes, ids, now); err != nil {
		return 0, err
	}
	return len(gone), moveNumbers(ctx, tx, fewer)
}
