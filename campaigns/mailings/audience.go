package mailings

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/consents"
	"kithline/campaigns/organisation"
	"kithline/campaigns/segments"
	"kithline/models"
	"kithline/models/database"
)

// Audience says who would get a mailing now, and why the others would not. It counts people, not addresses, each once, by the
// first reason in the order that the numbers stand in: All is the sum of the numbers below it.
type Audience struct {
	All            int `json:"all"` // whoever is in one of the segments; without any the confirmed signers, or whoever ever agreed to the newsletter
	People         int `json:"people"`
	Already        int `json:"already,omitempty"`  // have it: counted for those who came later
	Excluded       int `json:"excluded,omitempty"` // are in a segment that is left out
	Outside        int `json:"outside,omitempty"`  // are in the segment, and have not signed
	Suppressed     int `json:"suppressed,omitempty"`
	WithoutConsent int `json:"without_consent,omitempty"` // never agreed, or left the list
	Paused         int `json:"paused,omitempty"`          // want no mail for a while
	TooSoon        int `json:"too_soon,omitempty"`        // want mail to many less often, or only what matters most
	Often          int `json:"often,omitempty"`           // got as many mailings lately as the organisation allows
}

// Part is one number of an audience. Key is what stands behind sending.part_ in the locale files.
type Part struct {
	Key   string
	Count int
}

// Parts lists the reasons why somebody does not get it that count anybody, in order.
func (a Audience) Parts() []Part {
	all := []Part{
		{"already", a.Already},
		{"excluded", a.Excluded},
		{"outside", a.Outside},
		{"suppressed", a.Suppressed},
		{"without", a.WithoutConsent},
		{"paused", a.Paused},
		{"soon", a.TooSoon},
		{"often", a.Often},
	}
	return slices.DeleteFunc(all, func(p Part) bool { return p.Count == 0 })
}

// target is whom a mailing is for, with the rows around it.
type target struct {
	m       models.Mailing
	scopes  []uuid.UUID // what the newsletter is about, the first first; of everything else its one scope
	in, out []uuid.UUID // segments: people of any of these, and of none of those
	most    int         // mailings a person gets
	days    int         // in so many days
}

// targetOf reads it.
func targetOf(ctx context.Context, tx *gorm.DB, m models.Mailing) (target, error) {
	t := target{m: m, scopes: []uuid.UUID{m.ScopeID}}
	tx = tx.WithContext(ctx)
	if m.SegmentID != nil {
		t.in = []uuid.UUID{*m.SegmentID}
	}
	var rows []models.MailingSegment
	if err := tx.Where("mailing_id = ?", m.ID).Order("segment_id").Find(&rows).Error; err != nil {
		return t, err
	}
	for _, r := range rows {
		switch {
		case r.Excluded:
			t.out = append(t.out, r.SegmentID)
		case !slices.Contains(t.in, r.SegmentID):
			t.in = append(t.in, r.SegmentID)
		}
	}
	if m.Purpose == models.PurposeNewsletter {
		var topics []uuid.UUID
		if err := tx.Model(&models.MailingTopic{}).Where("mailing_id = ? AND topic_id <> ?", m.ID, m.ScopeID).Order("topic_id").Pluck("topic_id", &topics).Error; err != nil {
			return t, err
		}
		t.scopes = append(t.scopes, topics...)
	}
	var org models.Organisation
	err := tx.Select("mailings_most", "mailings_days").Take(&org, "id = ?", organisation.ID).Error
	t.most, t.days = org.MailingsMost, org.MailingsDays
	return t, err
}

// sqlText is a piece of SQL with its values.
type sqlText struct {
	sql  string
	args []any
}

// add appends a piece.
func (s *sqlText) add(sql string, args ...any) { s.sql, s.args = s.sql+sql, append(s.args, args...) }

// person is who is behind a mailbox b: a supporter, or where there is none the mailbox itself.
const person = "COALESCE(b.supporter_id, b.id)"

// signers are the mailboxes of the confirmed signers of the petition that a mailing is about.
func (t target) signers() sqlText {
	return sqlText{"SELECT s.mailbox_id FROM signatures s WHERE s.petition_id = ? AND s.state = 'confirmed' AND s.mailbox_id IS NOT NULL", []any{*t.m.PetitionID}}
}

// members are the supporters of any of some segments; the same one may come twice.
func members(ctx context.Context, tx *gorm.DB, ids []uuid.UUID) (sqlText, error) {
	var s sqlText
	for i, id := range ids {
		sql, args, err := segments.Members(ctx, tx, id)
		if err != nil {
			return s, err
		}
		if i > 0 {
			s.add(" UNION ALL ")
		}
		s.add("SELECT m.supporter_id FROM ("+sql+") m", args...)
	}
	return s, nil
}

// agreed are the mailboxes that ever agreed to what a mailing is about, with the first of its scopes, by its place, for which the
// consent is in force; NULL for none.
func (t target) agreed() sqlText {
	var s sqlText
	s.add("SELECT y.mailbox_id, min(CASE WHEN y.withdrawn_at IS NULL THEN ")
	if len(t.scopes) == 1 {
		s.add("0")
	} else {
		s.add("CASE y.scope_id")
		for i, scope := range t.scopes {
			s.add(" WHEN ? THEN "+strconv.Itoa(i), scope)
		}
		s.add(" END")
	}
	s.add(" END) AS scope FROM consents y WHERE y.purpose = ? AND y.scope_id IN ? GROUP BY y.mailbox_id", t.m.Purpose, t.scopes)
	return s
}

// candidates are the people that a mailing is about, whether or not they may be mailed: a SELECT of person, of the mailbox, which
// is NULL where a person has none, of addressed, 1 where the mailing can go to that mailbox at all, and of what the view mailable
// asks: reached, 1 where the mailbox takes mail, scope, NULL without a consent in force, and rests, 1 while it is paused. With
// mailable only those mailboxes are in it that may be mailed: in words that the planner has figures for.
func (t target) candidates(ctx context.Context, tx *gorm.DB, mailable bool) (sqlText, error) {
	var s sqlText
	columns := func(person, addressed string) {
		s.add("SELECT " + person + " AS person, b.id AS mailbox_id, " + addressed + ` AS addressed, yes.scope, b.verified_at, b.created_at,
			CASE WHEN b.suppressed_at IS NULL AND b.address_sealed IS NOT NULL THEN 1 ELSE 0 END AS reached,
			CASE WHEN b.paused_until > ` + database.Now(tx) + " THEN 1 ELSE 0 END AS rests FROM (")
	}
	only := ""
	if mailable {
		only = " WHERE yes.scope IS NOT NULL AND b.suppressed_at IS NULL AND b.address_sealed IS NOT NULL AND (b.paused_until IS NULL OR b.paused_until <= " + database.Now(tx) + ")"
	}
	yes := t.agreed()
	if len(t.in) == 0 {
		columns(person, "1")
		if t.m.PetitionID != nil {
			base := t.signers()
			s.add("SELECT DISTINCT d.mailbox_id FROM ("+base.sql+") d) a JOIN mailboxes b ON b.id = a.mailbox_id", base.args...)
			s.add(" LEFT JOIN ("+yes.sql+") yes ON yes.mailbox_id = b.id", yes.args...)
		} else {
			s.add(yes.sql+") yes JOIN mailboxes b ON b.id = yes.mailbox_id", yes.args...)
		}
		if t.m.ChapterID != nil {
			s.add(" JOIN supporters h ON h.id = b.supporter_id AND h.chapter_id = ?", *t.m.ChapterID)
		}
		s.add(only)
		return s, nil
	}
	in, err := members(ctx, tx, t.in)
	if err != nil {
		return s, err
	}
	addressed := "CASE WHEN b.id IS NULL THEN 0 ELSE 1 END"
	if t.m.PetitionID != nil {
		addressed = "CASE WHEN sg.mailbox_id IS NULL THEN 0 ELSE 1 END"
	}
	columns("g.supporter_id", addressed)
	s.add("SELECT DISTINCT e.supporter_id FROM (")
	s.add(in.sql, in.args...)
	s.add(") e) g")
	if t.m.ChapterID != nil {
		s.add(" JOIN supporters h ON h.id = g.supporter_id AND h.chapter_id = ?", *t.m.ChapterID)
	}
	s.add(" LEFT JOIN mailboxes b ON b.supporter_id = g.supporter_id LEFT JOIN ("+yes.sql+") yes ON yes.mailbox_id = b.id", yes.args...)
	if t.m.PetitionID != nil {
		base := t.signers()
		s.add(" LEFT JOIN (SELECT DISTINCT d.mailbox_id FROM ("+base.sql+") d) sg ON sg.mailbox_id = b.id", base.args...)
		if mailable {
			only += " AND sg.mailbox_id IS NOT NULL"
		}
	}
	s.add(only)
	return s, nil
}

// excluded are the supporters that are left out, by the segments for it.
func (t target) excluded(ctx context.Context, tx *gorm.DB) (sqlText, bool, error) {
	if len(t.out) == 0 {
		return sqlText{}, false, nil
	}
	s, err := members(ctx, tx, t.out)
	return sqlText{"SELECT DISTINCT o.supporter_id AS person FROM (" + s.sql + ") o", s.args}, true, err
}

// already are the people who have the mailing.
func (t target) already() (sqlText, bool) {
	return sqlText{"SELECT DISTINCT " + person + " AS person FROM deliveries f JOIN mailboxes b ON b.id = f.mailbox_id WHERE f.mailing_id = ?", []any{t.m.ID}}, t.m.FrozenAt != nil
}

// often are the people who got as many mailings lately as the organisation allows. What waits to go out counts as got; what
// failed, expired or was suppressed does not.
func (t target) often(now time.Time) (sqlText, bool) {
	since := now.Add(-time.Duration(t.days) * 24 * time.Hour)
	return sqlText{"SELECT " + person + ` AS person FROM deliveries f JOIN mailboxes b ON b.id = f.mailbox_id
		WHERE f.mailing_id IN (SELECT l.id FROM mailings l WHERE COALESCE(l.later_at, l.frozen_at) > ? AND l.id <> ?)
			AND f.created_at > ? AND f.state NOT IN ('failed', 'expired', 'suppressed')
		GROUP BY ` + person + " HAVING count(DISTINCT f.mailing_id) >= ?", []any{since, t.m.ID, since, t.most}}, t.most > 0
}

// wanted is the condition that a supporter p, which may be missing, wants it now.
func (t target) wanted(now time.Time) sqlText {
	ok, args := consents.NotTooSoon("p", now)
	if t.m.Important {
		ok = "(p.frequency = 'important' OR " + ok + ")"
	}
	return sqlText{"(p.id IS NULL OR p.frequency = '' OR " + ok + ")", args}
}

// audience counts.
func (s *Service) audience(ctx context.Context, m models.Mailing) (a Audience, err error) {
	err = segments.Tuned(ctx, s.DB, func(tx *gorm.DB) error {
		t, err := targetOf(ctx, tx, m)
		if err == nil {
			a, err = t.count(ctx, tx, s.Clock.Now())
		}
		return err
	})
	return a, err
}

func (t target) count(ctx context.Context, tx *gorm.DB, now time.Time) (Audience, error) {
	base, err := t.candidates(ctx, tx, false)
	if err != nil {
		return Audience{}, err
	}
	var q sqlText
	why := []string{} // in order
	var joins sqlText
	out, any, err := t.excluded(ctx, tx)
	if err != nil {
		return Audience{}, err
	}
	set := func(name, part string, s sqlText) {
		joins.add(" LEFT JOIN ("+s.sql+") "+name+" ON "+name+".person = q.person", s.args...)
		why = append(why, "WHEN "+name+".person IS NOT NULL THEN '"+part+"'")
	}
	if had, ok := t.already(); ok {
		set("had", "already", had)
	}
	if any {
		set("left_out", "excluded", out)
	}
	why = append(why, "WHEN q.addressed = 0 AND q.known = 1 THEN 'outside'", "WHEN q.reached = 0 THEN 'suppressed'",
		"WHEN q.agreed = 0 THEN 'without'", "WHEN q.mailable = 0 THEN 'paused'")
	wanted := t.wanted(now)
	why = append(why, "WHEN q.wanted = 0 THEN 'soon'")
	if got, ok := t.often(now); ok {
		set("got", "often", got)
	}
	q.add("SELECT z.part, count(*) AS n FROM (SELECT CASE " + strings.Join(why, " ") + " ELSE 'people' END AS part FROM (")
	q.add(`SELECT a.person, max(CASE WHEN a.mailbox_id IS NULL THEN 0 ELSE 1 END) AS known, max(a.addressed) AS addressed, max(a.addressed * a.reached) AS reached,
			max(CASE WHEN a.scope IS NULL THEN 0 ELSE a.addressed * a.reached END) AS agreed,
			max(CASE WHEN a.scope IS NULL THEN 0 ELSE a.addressed * a.reached * (1 - a.rests) END) AS mailable, max(CASE WHEN `+wanted.sql+` THEN 1 ELSE 0 END) AS wanted
		FROM (`, wanted.args...)
	q.add(base.sql, base.args...)
	q.add(") a LEFT JOIN supporters p ON p.id = a.person GROUP BY a.person) q")
	q.add(joins.sql, joins.args...)
	q.add(") z GROUP BY z.part")
	var rows []struct {
		Part string
		N    int
	}
	if err := tx.WithContext(ctx).Raw(q.sql, q.args...).Scan(&rows).Error; err != nil {
		return Audience{}, err
	}
	var a Audience
	for _, r := range rows {
		a.All += r.N
		*map[string]*int{
			"people": &a.People, "already": &a.Already, "excluded": &a.Excluded, "outside": &a.Outside, "suppressed": &a.Suppressed, "without": &a.WithoutConsent,
			"paused": &a.Paused, "soon": &a.TooSoon, "often": &a.Often,
		}[r.Part] += r.N
	}
	return a, nil
}

// chosen is the SELECT of who gets the mailing: mailbox_id, scope_id and, where zones is set, zone, by which the hour of each is
// found. It has one mailbox for each person: of several the one that agreed to the first of the topics, and then the one that was
// verified first.
func (t target) chosen(ctx context.Context, tx *gorm.DB, now time.Time, zones bool) (sqlText, error) {
	base, err := t.candidates(ctx, tx, true)
	if err != nil {
		return base, err
	}
	var q sqlText
	q.add("SELECT a.mailbox_id, ")
	if len(t.scopes) == 1 {
		q.add("CAST(? AS "+database.IDType(tx)+")", t.m.ScopeID)
	} else {
		q.add("CASE a.scope")
		for i, scope := range t.scopes {
			q.add(" WHEN "+strconv.Itoa(i)+" THEN CAST(? AS "+database.IDType(tx)+")", scope)
		}
		q.add(" END")
	}
	q.add(" AS scope_id, ")
	if zones {
		q.add(zoneKey + " AS zone, ")
	}
	q.add("row_number() OVER (PARTITION BY a.person ORDER BY a.scope, CASE WHEN a.verified_at IS NULL THEN 1 ELSE 0 END, a.verified_at, a.created_at, a.mailbox_id) AS place FROM (")
	q.add(base.sql, base.args...)
	q.add(") a LEFT JOIN supporters p ON p.id = a.person")
	wanted := t.wanted(now)
	q.add(" WHERE "+wanted.sql, wanted.args...)
	not := func(s sqlText, alias string) {
		q.add(" AND NOT EXISTS (SELECT 1 FROM ("+s.sql+") "+alias+" WHERE "+alias+".person = a.person)", s.args...)
	}
	out, any, err := t.excluded(ctx, tx)
	if err != nil {
		return q, err
	}
	if any {
		not(out, "left_out")
	}
	if had, ok := t.already(); ok {
		not(had, "had")
	}
	if got, ok := t.often(now); ok {
		not(got, "got")
	}
	return q, nil
}
