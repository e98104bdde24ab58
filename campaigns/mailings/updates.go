package mailings

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/posts"
	"kithline/campaigns/today"
	"kithline/models"
)

// AskedUpdate is an update of a petition that its author wants to go out by mail.
type AskedUpdate struct {
	models.Post
	Petition string // its title
	Author   uuid.UUID
}

// maySendUpdates checks the right to say yes or no. Somebody of a chapter has it for their own people only, and an update goes to all.
func maySendUpdates(a actor.Actor) error {
	if err := a.Need(actor.Send); err != nil {
		return err
	}
	if a.Chapter() != nil {
		return fault.New(fault.Forbidden, "error.forbidden", "Right", string(actor.Send))
	}
	return nil
}

// ofUpdate is the mailing that an update becomes: the words of the post with a greeting before them and the page after them.
func (s *Service) ofUpdate(p models.Petition, post models.Post, now time.Time) models.Mailing {
	plain := func(words string) string { return strings.ReplaceAll(words, "{{", `\{{`) }
	hello := s.Words.Text(post.Locale, "mailings.start_hello") + " {{" + fieldGivenName + "|" + s.Words.Text(post.Locale, "mailings.start_friend") + "}},\n\n"
	return models.Mailing{
		ID: models.NewID(), PetitionID: &p.ID, CampaignID: &p.CampaignID, Purpose: models.PurposeUpdates, ScopeID: p.CampaignID, Locale: post.Locale,
		State: models.MailingFreezing, Revision: 1, CreatedAt: now, UpdatedAt: now,
		Subject: plain(oneLine(post.Title)), Body: hello + plain(post.Body) + "\n\n{{" + fieldURL + "}}\n",
	}
}

// ReachMost is how far Reach counts: pages ask, and a petition may have millions of signers.
const ReachMost = 10_000

// Reach is how many people an update would reach by mail; with More there are more than ReachMost, and People is that.
type Reach struct {
	People int
	More   bool
}

// UpdateReach is whom an update of a petition would reach by mail: its signers who agreed to updates. It needs what posting needs:
// actor.DraftPetition, and for another's petition actor.ModeratePetition.
func (s *Service) UpdateReach(ctx context.Context, a actor.Actor, petition uuid.UUID) (Reach, error) {
	if err := a.Need(actor.DraftPetition); err != nil {
		return Reach{}, err
	}
	var p models.Petition
	err := s.DB.WithContext(ctx).Where("id = ?", petition).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && !a.Is(p.AuthorID) && !a.May(actor.ModeratePetition) {
		err = fault.New(fault.NotFound, "error.petition_unknown")
	}
	if err != nil {
		return Reach{}, err
	}
	return s.reach(ctx, p, ReachMost)
}

// reach counts up to most, from who agreed: mostly they are signers, so that little is looked at in vain.
func (s *Service) reach(ctx context.Context, p models.Petition, most int) (Reach, error) {
	var n struct{ People, Boxes int }
	err := s.DB.WithContext(ctx).Raw(`SELECT count(DISTINCT q.person) AS people, count(*) AS boxes FROM (SELECT `+person+` AS person FROM mailable c JOIN mailboxes b ON b.id = c.mailbox_id
		WHERE c.purpose = ? AND c.scope_id = ? AND EXISTS (SELECT 1 FROM signatures s WHERE s.mailbox_id = b.id AND s.petition_id = ? AND s.state = ?) LIMIT ?) q`,
		models.PurposeUpdates, p.CampaignID, p.ID, models.SignatureConfirmed, most+1).Scan(&n).Error
	return Reach{min(n.People, most), n.Boxes > most}, err
}

// AskedUpdates lists the updates that wait for a yes or no, oldest first. It needs actor.Send for the whole organisation.
func (s *Service) AskedUpdates(ctx context.Context, a actor.Actor) ([]AskedUpdate, error) {
	if err := maySendUpdates(a); err != nil {
		return nil, err
	}
	var out []AskedUpdate
	err := s.DB.WithContext(ctx).Raw(`SELECT n.*, p.title AS petition FROM posts n JOIN petitions p ON p.id = n.petition_id
		WHERE n.mail_state = ? ORDER BY n.updated_at, n.id LIMIT 100`, posts.MailAsked).Scan(&out).Error
	return out, err
}

// SendUpdate lets an update that was asked for go out: a mailing to the signers of its petition who agreed to updates is made and
// started, once, whoever presses how often. seen is when the words that were looked at were last changed. It needs actor.Send for the
// whole organisation. The faults are NotFound, error.update_unknown; Conflict, error.mailing_moved where it is not asked for any
// more, error.mailing_changed; Invalid with what stops the mailing.
func (s *Service) SendUpdate(ctx context.Context, a actor.Actor, id uuid.UUID, seen time.Time) error {
	if err := maySendUpdates(a); err != nil {
		return err
	}
	post, p, err := s.update(ctx, id)
	switch {
	case err != nil:
		return err
	case post.MailState != posts.MailAsked:
		return errMoved
	case !post.UpdatedAt.Equal(seen):
		return fault.New(fault.Conflict, "error.mailing_changed")
	}
	now := s.Clock.Now()
	m := s.ofUpdate(p, post, now)
	m.CreatedBy = a.Account()
	people, err := s.reach(ctx, p, ReachMost)
	if err != nil {
		return err
	}
	l, err := s.load(ctx, m)
	if err != nil {
		return err
	}
	if err := stops(s.checks(l, Audience{People: people.People})); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := tx.Create(&m).Error; err != nil {
			return err
		}
		r := tx.Model(&models.Post{}).Where("id = ? AND mail_state = ? AND mailing_id IS NULL AND updated_at = ?", id, posts.MailAsked, seen).
			Updates(map[string]any{"mail_state": posts.MailSent, "mailing_id": m.ID})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return errMoved
		}
		if err := audit.Write(ctx, tx, a, now, "mailing.send", "mailings", m.ID, map[string]any{"post": id, "people": people.People, "more": people.More}); err != nil {
			return err
		}
		return s.Enqueue(ctx, tx, FreezeArgs{MailingID: m.ID})
	})
}

// DeclineUpdate says no to an update by mail; it stays on the page, and can be asked for again. It needs actor.Send for the whole
// organisation. The fault is Conflict, error.mailing_moved.
func (s *Service) DeclineUpdate(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := maySendUpdates(a); err != nil {
		return err
	}
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r := tx.Model(&models.Post{}).Where("id = ? AND mail_state = ?", id, posts.MailAsked).Update("mail_state", posts.MailDeclined)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return errMoved
		}
		return audit.Write(ctx, tx, a, now, "post.decline_mail", "posts", id, nil)
	})
}

func (s *Service) update(ctx context.Context, id uuid.UUID) (models.Post, models.Petition, error) {
	var post models.Post
	var p models.Petition
	err := s.DB.WithContext(ctx).Where("id = ? AND petition_id IS NOT NULL", id).Take(&post).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return post, p, fault.New(fault.NotFound, "error.update_unknown")
	}
	if err == nil {
		err = s.DB.WithContext(ctx).Where("id = ?", *post.PetitionID).Take(&p).Error
	}
	return post, p, err
}

// UpdateMail is what became of an update by mail.
type UpdateMail struct {
	People int  // who get it
	Frozen bool // People is known
}

// UpdateMails tells of updates that went out by mail, by the post. It checks no rights: whoever calls it has read the posts.
func (s *Service) UpdateMails(ctx context.Context, list []models.Post) (map[uuid.UUID]UpdateMail, error) {
	by := map[uuid.UUID]uuid.UUID{}
	var ids []uuid.UUID
	for _, post := range list {
		if post.MailingID != nil {
			by[*post.MailingID] = post.ID
			ids = append(ids, *post.MailingID)
		}
	}
	out := map[uuid.UUID]UpdateMail{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []models.Mailing
	err := s.DB.WithContext(ctx).Select("id", "audience_count", "frozen_at").Where("id IN ?", ids).Find(&rows).Error
	for _, m := range rows {
		out[by[m.ID]] = UpdateMail{m.AudienceCount, m.FrozenAt != nil}
	}
	return out, err
}

// askedQueue is what waits for somebody with the right to send.
func (s *Service) askedQueue(ctx context.Context, a actor.Actor) ([]today.Queue, error) {
	if a.Chapter() != nil {
		return nil, nil
	}
	var rows []models.Post
	err := s.DB.WithContext(ctx).Select("id", "updated_at").Where("mail_state = ?", posts.MailAsked).Order("updated_at, id").Limit(100).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return []today.Queue{{Key: "updates.queue", Path: "/admin/petitions/updates", Count: len(rows), Oldest: rows[0].UpdatedAt, Minutes: 3, Right: actor.Send}}, nil
}
