package letters

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Desk is how the letters of a campaign to one legislator stand.
type Desk struct {
	Legislator uuid.UUID
	Name       string
	Title      string
	Chamber    string
	Waiting    int        // for their turn
	Mailed     int        // handed to the mail and taken, or presumed there
	OnWay      int        // handed to the mail, not taken yet
	Unknown    int        // nobody knows whether a mail server took them
	Paper      int        // to be carried
	Hand       int        // in their writers' hands: a form, a call, a sheet to post
	Done       int        // of those, said to be there
	Retarget   int        // the recipient left
	Lost       int        // no channel is left
	NextAt     *time.Time // when the next may go
	Bounced    int        // channels that mail comes back from
}

// Desks is a page of the offices of a letter campaign.
type Desks struct {
	Campaign models.LetterCampaign
	Rows     []Desk
	At       time.Time // of the numbers: Carried takes it
	More     bool      // there are more
}

// desksMost is how many offices a page lists.
const desksMost = 200

// Offices lists the offices of a letter campaign, those with the most letters that wait first. It needs the right actor.ManageLetters; the
// fault is NotFound, error.letters_unknown.
func (s *Service) Offices(ctx context.Context, a actor.Actor, campaign uuid.UUID) (Desks, error) {
	out := Desks{At: s.Clock.Now()}
	if err := a.Need(actor.ManageLetters); err != nil {
		return out, err
	}
	db := s.DB.WithContext(ctx)
	err := db.Where("id = ?", campaign).Take(&out.Campaign).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = fault.New(fault.NotFound, "error.letters_unknown")
	}
	if err != nil {
		return out, err
	}
	err = db.Raw(`SELECT n.*, g.name, COALESCE(NULLIF(t.title, ''), c.member_title) AS title, c.name AS chamber,
		p.next_at, (SELECT count(*) FROM channels k WHERE k.legislator_id = n.legislator AND k.bounced_at IS NOT NULL AND k.removed_at IS NULL) AS bounced
		FROM (SELECT d.legislator_id AS legislator, (SELECT x.term_id FROM dispatches x WHERE x.letter_campaign_id = ? AND x.legislator_id = d.legislator_id LIMIT 1) AS term,
			SUM(CASE WHEN d.state = 'waiting' THEN 1 ELSE 0 END) AS waiting,
			SUM(CASE WHEN d.state = 'presumed_delivered' OR d.state = 'answered' AND d.channel IN ('email', 'digest') OR d.state = 'handed' AND m.state = 'sent' THEN 1 ELSE 0 END) AS mailed,
			SUM(CASE WHEN d.state = 'handed' AND m.state IN ('queued', 'sending', 'deferred') THEN 1 ELSE 0 END) AS on_way,
			SUM(CASE WHEN d.state = 'handed' AND COALESCE(m.state, 'unknown') = 'unknown' THEN 1 ELSE 0 END) AS unknown,
			SUM(CASE WHEN d.state = 'by_hand' AND d.channel = 'print' AND d.done_at IS NULL AND d.mailbox_id IS NOT NULL THEN 1 ELSE 0 END) AS paper,
			SUM(CASE WHEN d.state = 'by_hand' AND d.done_at IS NULL THEN 1 ELSE 0 END) AS hand,
			SUM(CASE WHEN d.done_at IS NOT NULL THEN 1 ELSE 0 END) AS done,
			SUM(CASE WHEN d.state = 'retarget_needed' THEN 1 ELSE 0 END) AS retarget,
			SUM(CASE WHEN d.state IN ('failed', 'bounced') THEN 1 ELSE 0 END) AS lost
			FROM dispatches d LEFT JOIN deliveries m ON m.id = d.delivery_id WHERE d.letter_campaign_id = ? AND d.state <> 'draft' GROUP BY d.legislator_id) n
		JOIN legislators g ON g.id = n.legislator LEFT JOIN terms t ON t.id = n.term LEFT JOIN chambers c ON c.id = t.chamber_id LEFT JOIN letter_paces p ON p.legislator_id = n.legislator
		ORDER BY n.waiting DESC, g.family_name, g.name, g.id LIMIT ?`, campaign, campaign, desksMost+1).Scan(&out.Rows).Error
	if len(out.Rows) > desksMost {
		out.Rows, out.More = out.Rows[:desksMost], true
	}
	for i := range out.Rows { // SQLite does not say of an expression that it is a time
		if out.Rows[i].Waiting == 0 {
			out.Rows[i].NextAt = nil
		}
	}
	return out, err
}

// Waiting counts the letters to offices that are in the outbox, and tells since when the oldest is: for the first page of a site that does
// not send them.
func (s *Service) Waiting(ctx context.Context) (n int, oldest time.Time, err error) {
	var ds []models.Delivery
	err = s.DB.WithContext(ctx).Select("id", "created_at").Where("mailing_id IS NULL AND ended = FALSE AND state IN ('queued', 'deferred') AND priority = ? AND kind IN ?", models.PriorityBulk, []string{KindLetter, KindDigest}).
		Order("created_at").Limit(1000).Find(&ds).Error
	if len(ds) > 0 {
		oldest = ds[0].CreatedAt
	}
	return len(ds), oldest, err
}

// Decide settles the letters of a campaign to one legislator of which nobody knows whether a mail server took them: arrived says so, and
// else they go on by another channel, never by mail to that address again. It needs the right actor.ManageLetters. It returns how many
// they were.
func (s *Service) Decide(ctx context.Context, a actor.Actor, campaign, legislator uuid.UUID, arrived bool) (int, error) {
	if err := a.Need(actor.ManageLetters); err != nil {
		return 0, err
	}
	now, n := s.Clock.Now(), 0
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var list []models.Dispatch
		err := tx.Raw(`SELECT d.* FROM dispatches d LEFT JOIN deliveries m ON m.id = d.delivery_id WHERE d.letter_campaign_id = ? AND d.legislator_id = ? AND d.state = 'handed' AND COALESCE(m.state, 'unknown') = 'unknown'`,
			campaign, legislator).Scan(&list).Error
		if n = len(list); err != nil || n == 0 {
			return err
		}
		for _, d := range list {
			if arrived {
				err = set(tx, d.ID, now, map[string]any{"state": models.DispatchPresumed})
			} else {
				err = s.reroute(ctx, tx, d, now)
			}
			if err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "letters.decide", "letter_campaigns", campaign, map[string]any{"legislator": legislator, "letters": n, "arrived": arrived})
	})
	return n, err
}
