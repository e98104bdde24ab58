package mailings

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/paging"
	"kithline/models"
	"kithline/models/database"
)

// Domain is how a mailing fares at one mail domain. Name is empty for all the smaller ones together, Others then says how
// many those are.
type Domain struct {
	Name                                        string
	Others                                      int
	People, Sent, Later, Refused, Left, Unknown int
}

// maxDomains is how many mail domains are shown by name.
const maxDomains = 20

// Within how many days of their mail what people do counts as following from it.
const (
	actionSoon = 3
	actionDays = 7
)

// Action is a petition that people signed after they got a mailing.
type Action struct {
	Title, Slug  string
	Soon, Within int // people, within 3 and within 7 days of their mail
}

// Results are what came of a mailing.
type Results struct {
	Actions      []Action
	Acted        int // people who signed anything within 7 days of their mail
	Unsubscribed int // people who left the list by a link in it
	Complained   int // people who called it spam
}

// results is all that is read together.
type results struct {
	Results
	domains []Domain
	test    Test
	state   models.MailingState
}

func (s *Service) read(ctx context.Context, p Progress) (r results, err error) {
	r.state = p.State
	id, db := p.Mailing.ID, s.DB.WithContext(ctx)
	if r.domains, err = byDomain(ctx, db, id); err != nil {
		return r, err
	}
	within, soon := database.DaysAfter(s.DB.DB, "d.sent_at", actionDays), database.DaysAfter(s.DB.DB, "d.sent_at", actionSoon)
	from := ` FROM deliveries d JOIN signatures g ON g.mailbox_id = d.mailbox_id
		WHERE d.mailing_id = ? AND d.state = 'sent' AND g.state = 'confirmed' AND g.confirmed_at > d.sent_at AND g.confirmed_at <= ` + within
	err = db.Raw(`SELECT p.title, p.slug, q.soon, q.within FROM (SELECT g.petition_id, count(DISTINCT d.mailbox_id) AS within,
			count(DISTINCT CASE WHEN g.confirmed_at <= `+soon+` THEN d.mailbox_id END) AS soon`+from+` GROUP BY g.petition_id) q
		JOIN petitions p ON p.id = q.petition_id ORDER BY q.within DESC, p.title LIMIT 20`, id).Scan(&r.Actions).Error
	if err != nil {
		return r, err
	}
	if err := db.Raw("SELECT count(DISTINCT d.mailbox_id)"+from, id).Scan(&r.Acted).Error; err != nil {
		return r, err
	}
	var left []struct {
		Spam bool
		N    int
	}
	if err := db.Raw("SELECT how = ? AS spam, count(*) AS n FROM unsubscribes WHERE mailing_id = ? GROUP BY 1", ByComplaint, id).Scan(&left).Error; err != nil {
		return r, err
	}
	for _, l := range left {
		if l.Spam {
			r.Complained = l.N
		} else {
			r.Unsubscribed = l.N
		}
	}
	r.test, err = s.test(ctx, s.DB.DB, p.Mailing)
	return r, err
}

func byDomain(ctx context.Context, db *gorm.DB, id uuid.UUID) (out []Domain, err error) {
	var rows []struct {
		Domain string
		State  models.DeliveryState
		N      int
	}
	err = db.WithContext(ctx).Raw(`SELECT b.domain, d.state, count(*) AS n FROM deliveries d JOIN mailboxes b ON b.id = d.mailbox_id
		WHERE d.mailing_id = ? GROUP BY b.domain, d.state`, id).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	by := map[string]*Domain{}
	for _, row := range rows {
		d := by[row.Domain]
		if d == nil {
			d = &Domain{Name: row.Domain}
			by[row.Domain] = d
		}
		d.People += row.N
		switch row.State {
		case models.DeliverySent:
			d.Sent += row.N
		case models.DeliveryDeferred:
			d.Later += row.N
		case models.DeliveryFailed:
			d.Refused += row.N
		case models.DeliverySuppressed:
			d.Left += row.N
		case models.DeliveryUnknown:
			d.Unknown += row.N
		}
	}
	for _, d := range by {
		out = append(out, *d)
	}
	slices.SortFunc(out, func(x, y Domain) int { return cmp.Or(y.People-x.People, cmp.Compare(x.Name, y.Name)) })
	if len(out) > maxDomains {
		rest := Domain{Others: len(out) - maxDomains}
		for _, d := range out[maxDomains:] {
			rest.People, rest.Sent, rest.Later = rest.People+d.People, rest.Sent+d.Sent, rest.Later+d.Later
			rest.Refused, rest.Left, rest.Unknown = rest.Refused+d.Refused, rest.Left+d.Left, rest.Unknown+d.Unknown
		}
		out = append(out[:maxDomains], rest)
	}
	return out, nil
}

// Problem is a delivery that was refused, or whose fate is unknown.
type Problem struct {
	ID          uuid.UUID
	At          time.Time `gorm:"column:updated_at"`
	Domain      string
	State       models.DeliveryState
	Code        int `gorm:"column:reply_code"`
	Reply       string
	SupporterID *uuid.UUID // whose it is, for who may see people; nil where there is no record
	Settled     bool       `gorm:"-"` // unknown, and somebody decided to leave it so
}

var enhanced = regexp.MustCompile(`(?:^|[ (\[-])([245]\.\d{1,3}\.\d{1,3})(?:[ )\]:-]|$)`)

// Hint is what can be done about it, as the end of the key sending.hint_: address, full, large, policy, later, unknown, settled, other.
func (p Problem) Hint() string {
	status := ""
	if m := enhanced.FindStringSubmatch(p.Reply); m != nil {
		status = m[1][1:] // .1.1
	}
	is := func(list ...string) bool { return slices.Contains(list, status) }
	switch {
	case p.State == models.DeliveryUnknown && p.Settled:
		return "settled"
	case p.State == models.DeliveryUnknown:
		return "unknown"
	case is(".1.1", ".1.2", ".1.3", ".1.6", ".1.10", ".2.1"):
		return "address"
	case is(".2.2"), p.Code == 552 && status == "":
		return "full"
	case is(".3.4"):
		return "large"
	case strings.HasPrefix(status, ".7."), strings.HasPrefix(status, ".6."):
		return "policy"
	case p.Code >= 400 && p.Code < 500:
		return "later"
	case p.Code == 550 && status == "":
		return "address"
	}
	return "other"
}

// Problems lists the deliveries of a mailing that were refused or whose fate is unknown, newest first. It needs the right
// actor.SeeFigures; whose they are it says to who may see people too. It returns a NotFound fault for an unknown id.
func (s *Service) Problems(ctx context.Context, a actor.Actor, id uuid.UUID, c paging.Cursor) (models.Mailing, paging.Page[Problem], error) {
	var page paging.Page[Problem]
	if err := a.Need(actor.SeeFigures); err != nil {
		return models.Mailing{}, page, err
	}
	m, err := seen(ctx, s.DB.DB, a, id)
	if err != nil {
		return m, page, err
	}
	var q sqlText
	q.add(`SELECT d.id, d.updated_at, COALESCE(b.domain, '') AS domain, d.state, d.reply_code, d.reply, b.supporter_id FROM deliveries d LEFT JOIN mailboxes b ON b.id = d.mailbox_id
		WHERE d.mailing_id = ? AND d.state IN ('failed', 'unknown')`, id)
	if !c.First() {
		q.add(" AND (d.updated_at, d.id) < (?, ?)", c.At, c.ID)
	}
	q.add(" ORDER BY d.updated_at DESC, d.id DESC LIMIT ?", paging.Size+1)
	var rows []Problem
	if err := s.DB.WithContext(ctx).Raw(q.sql, q.args...).Scan(&rows).Error; err != nil {
		return m, page, err
	}
	for i := range rows {
		if rows[i].Reply == left {
			rows[i].Reply, rows[i].Settled = "", true
		}
		if !a.May(actor.SeeSupporters) {
			rows[i].SupporterID = nil
		}
	}
	return m, paging.Cut(rows, paging.Size, func(p Problem) paging.Cursor { return paging.Cursor{At: p.At, ID: p.ID} }), nil
}

// ByComplaint is how somebody leaves who calls a mail spam.
const ByComplaint = "complaint"

// NoteLeft notes in tx that the reader of a mail left by it: how is ByOneClick, ByPage or ByComplaint. What it was of, and for other
// mail nothing, stands in the delivery. Again is no error; that it was called spam stays.
func NoteLeft(ctx context.Context, tx *gorm.DB, d models.Delivery, how string, now time.Time) error {
	if d.MailingID == nil || d.Kind != KindMailing {
		return nil
	}
	row := models.Unsubscribe{DeliveryID: d.ID, MailingID: *d.MailingID, How: how, CreatedAt: now}
	again := clause.OnConflict{Columns: []clause.Column{{Name: "delivery_id"}}, DoNothing: true}
	if how == ByComplaint {
		again.DoNothing, again.DoUpdates = false, clause.AssignmentColumns([]string{"how"})
	}
	return tx.WithContext(ctx).Clauses(again).Create(&row).Error
}
