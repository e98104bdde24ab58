package mailings

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/consents"
	"kithline/campaigns/segments"
	"kithline/models"
	"kithline/models/database"
)

// Audience says who would get a mailing now, and why the others would not. It counts people, not addresses, each once: All is
// the sum of the numbers below it.
type Audience struct {
	Confirmed      int // all: the confirmed signers of the petition, or whoever ever agreed to the newsletter; of one chapter where the mailing is
	People         int // would get it
	WithoutConsent int // never agreed, or left the list
	Suppressed     int // their address takes no mail
	Paused         int // want no mail for a while
	Outside        int // agreed, and are not in the segment
	TooSoon        int // want newsletters less often, and got one lately
}

// addressees is the SELECT of the mailboxes that a mailing is about, whether or not they may be mailed: those of confirmed
// signers, or those that ever agreed to the newsletter. The same one may come twice.
func addressees(m models.Mailing) (sql string, args []any) {
	if m.PetitionID != nil {
		return "SELECT s.mailbox_id FROM signatures s WHERE s.petition_id = ? AND s.state = 'confirmed' AND s.mailbox_id IS NOT NULL", []any{*m.PetitionID}
	}
	return "SELECT s.mailbox_id FROM consents s WHERE s.purpose = ? AND s.scope_id = ?", []any{m.Purpose, m.ScopeID}
}

// person is who is behind a mailbox b: a supporter, or where there is none the mailbox itself.
const person = "COALESCE(b.supporter_id, b.id)"

// narrowed joins the chapter of a mailing to a query over mailboxes b.
func narrowed(m models.Mailing) (join string, args []any) {
	if m.ChapterID == nil {
		return "", nil
	}
	return " JOIN supporters h ON h.id = b.supporter_id AND h.chapter_id = ?", []any{*m.ChapterID}
}

// audience counts.
func (s *Service) audience(ctx context.Context, m models.Mailing) (a Audience, err error) {
	err = segments.Tuned(ctx, s.DB, func(tx *gorm.DB) error {
		a, err = audience(ctx, tx, m, s.Clock.Now())
		return err
	})
	return a, err
}

func audience(ctx context.Context, tx *gorm.DB, m models.Mailing, now time.Time) (Audience, error) {
	base, args := addressees(m)
	chapter, chapterArgs := narrowed(m)
	people := "SELECT " + person + ` AS person,
			max(CASE WHEN b.suppressed_at IS NULL AND b.address_sealed IS NOT NULL THEN 1 ELSE 0 END) AS reached,
			max(CASE WHEN b.suppressed_at IS NULL AND b.address_sealed IS NOT NULL AND y.mailbox_id IS NOT NULL THEN 1 ELSE 0 END) AS agreed,
			max(CASE WHEN c.mailbox_id IS NOT NULL THEN 1 ELSE 0 END) AS mailable
		FROM (` + base + `) a JOIN mailboxes b ON b.id = a.mailbox_id` + chapter + `
		LEFT JOIN consents y ON y.mailbox_id = b.id AND y.purpose = ? AND y.scope_id = ? AND y.withdrawn_at IS NULL
		LEFT JOIN mailable c ON c.mailbox_id = b.id AND c.purpose = ? AND c.scope_id = ?
		GROUP BY ` + person
	args = append(append(args, chapterArgs...), m.Purpose, m.ScopeID, m.Purpose, m.ScopeID)

	in, soon, joins := "1", "0", ""
	var soonArgs []any
	if m.SegmentID != nil {
		members, memberArgs, err := segments.Members(ctx, tx, *m.SegmentID)
		if err != nil {
			return Audience{}, err
		}
		joins += " LEFT JOIN (SELECT DISTINCT e.supporter_id FROM (" + members + ") e) g ON g.supporter_id = q.person"
		in, args = "CASE WHEN g.supporter_id IS NULL THEN 0 ELSE 1 END", append(args, memberArgs...)
	}
	if m.Purpose == models.PurposeNewsletter {
		joins += " LEFT JOIN supporters p ON p.id = q.person"
		var ok string
		ok, soonArgs = consents.NotTooSoon("p", now)
		soon = "CASE WHEN p.id IS NULL OR p.frequency = '' OR " + ok + " THEN 0 ELSE 1 END"
	}
	var a Audience
	err := tx.WithContext(ctx).Raw(`SELECT count(*) AS confirmed,
			COALESCE(sum(CASE WHEN z.mailable = 1 AND z.within = 1 AND z.soon = 0 THEN 1 ELSE 0 END), 0) AS people,
			COALESCE(sum(CASE WHEN z.reached = 1 AND z.agreed = 0 THEN 1 ELSE 0 END), 0) AS without_consent,
			COALESCE(sum(CASE WHEN z.reached = 0 THEN 1 ELSE 0 END), 0) AS suppressed,
			COALESCE(sum(CASE WHEN z.agreed = 1 AND z.mailable = 0 THEN 1 ELSE 0 END), 0) AS paused,
			COALESCE(sum(CASE WHEN z.mailable = 1 AND z.within = 0 THEN 1 ELSE 0 END), 0) AS outside,
			COALESCE(sum(CASE WHEN z.mailable = 1 AND z.within = 1 AND z.soon = 1 THEN 1 ELSE 0 END), 0) AS too_soon
		FROM (SELECT q.reached, q.agreed, q.mailable, `+in+" AS within, "+soon+" AS soon FROM ("+people+") q"+joins+") z",
		append(soonArgs, args...)...).Scan(&a).Error
	return a, err
}

// gather finds who gets a mailing and keeps them aside until the transaction ends, so that they can be read in parts: one mailbox
// for each person, of several the one that was verified first.
func gather(ctx context.Context, tx *gorm.DB, m models.Mailing, now time.Time) error {
	if err := segments.Tune(tx); err != nil {
		return err
	}
	if err := database.Aside(tx, people); err != nil {
		return err
	}
	base, args := addressees(m)
	chapter, chapterArgs := narrowed(m)
	args = append(append(args, chapterArgs...), m.Purpose, m.ScopeID)
	where, joins := "", ""
	var whereArgs []any
	if m.SegmentID != nil {
		members, memberArgs, err := segments.Members(ctx, tx, *m.SegmentID)
		if err != nil {
			return err
		}
		where, whereArgs = " AND b.supporter_id IN ("+members+")", memberArgs
	}
	if m.Purpose == models.PurposeNewsletter {
		joins = " LEFT JOIN supporters p ON p.id = b.supporter_id"
		ok, okArgs := consents.NotTooSoon("p", now)
		where, whereArgs = where+" AND (p.id IS NULL OR "+ok+")", append(whereArgs, okArgs...)
	}
	return tx.WithContext(ctx).Exec("INSERT INTO "+people+` (id) SELECT k.id FROM (
			SELECT b.id, row_number() OVER (PARTITION BY `+person+` ORDER BY CASE WHEN b.verified_at IS NULL THEN 1 ELSE 0 END, b.verified_at, b.created_at, b.id) AS place
			FROM (SELECT DISTINCT d.mailbox_id FROM (`+base+`) d) a JOIN mailboxes b ON b.id = a.mailbox_id`+chapter+`
			JOIN mailable c ON c.mailbox_id = b.id AND c.purpose = ? AND c.scope_id = ?`+joins+`
			WHERE 1 = 1`+where+`) k WHERE k.place = 1`, append(args, whereArgs...)...).Error
}

// people is the table that holds them aside.
const people = "mailing_people"

// nextPeople returns up to n mailboxes of those who get the mailing, in the order of their ids, after one of them.
func nextPeople(ctx context.Context, tx *gorm.DB, after uuid.UUID, n int) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := tx.WithContext(ctx).Table(people).Where("id > ?", after).Order("id").Limit(n).Pluck("id", &ids).Error
	return ids, err
}
