package petitions

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/address"
	"kithline/campaigns/audit"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// StartInput is a petition that somebody begins without an account.
type StartInput struct {
	Draft
	Name     string
	Email    string
	ShowName bool   // on the public page
	Language string // of the mails
}

// Started is what Start answers with. Cookie is for the browser that typed it, and holds what Held held before.
type Started struct {
	Petition models.Petition
	Cookie   string
}

// CheckStart says what Start would not take, and keeps nothing.
func CheckStart(in StartInput) error {
	in.trim()
	bad := in.check()
	if in.Title == "" {
		bad = append(fault.Fields{{Name: "title", Key: "error.petition_title_missing"}}, bad...)
	}
	personName(&bad, "your_name", in.Name)
	if _, _, err := address.CanonicalAddress(in.Email); err != nil {
		bad.Add("your_email", address.Key(err))
	}
	return bad.Err()
}

// Start keeps what somebody began to write, and queues the mail with the link and the code that go on with it. held is the
// cookie of the browser. It answers the same for every address. Anybody may call it. The faults are Invalid with the fields of
// a draft, of which only the title must be there, your_name and your_email.
func (s *Service) Start(ctx context.Context, held string, in StartInput) (Started, error) {
	if err := CheckStart(in); err != nil {
		return Started{}, err
	}
	in.trim()
	now := s.clk.Now()
	name := personName(&fault.Fields{}, "your_name", in.Name)
	typed, err := mailboxes.NewRow(s.vault, in.Email, now)
	if err != nil {
		return Started{}, err
	}
	if !localeForm.MatchString(in.Language) {
		in.Language = in.Locale
	}
	p := in.petition(now)
	st := models.PetitionStarter{ID: models.NewID(), PetitionID: p.ID, Lead: true, Locale: in.Language, CreatedAt: now}
	st.NameSealed = s.vault.Seal("petition_starters", "name_sealed", st.ID, name)
	if in.ShowName {
		st.ShownName = name
	}
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		boxes, _, err := mailboxes.EnsureAll(ctx, tx, []models.Mailbox{typed})
		if err != nil {
			return err
		}
		box := boxes[string(typed.AddressHash)] // held
		st.MailboxID = box.ID
		alike, err := s.unconfirmedAt(ctx, tx, box.ID, now)
		if err != nil {
			return err
		}
		c, err := campaigns.Insert(ctx, tx, actor.Actor{}, p.Title, now)
		if err != nil {
			return err
		}
		p.CampaignID = c.ID
		if err := tx.Create(&p).Error; err != nil {
			return err
		}
		if err := setClaims(ctx, tx, p.ID, in.Claims); err != nil {
			return err
		}
		if err := tx.Create(&st).Error; err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, actor.Actor{}, now, "petition.start", "petitions", p.ID, nil); err != nil {
			return err
		}
		return s.mailStarter(ctx, tx, box, st, alike, "", now)
	})
	return Started{Petition: p, Cookie: s.mark(held, tokens.Typed, st.ID)}, err
}

// petition is the row of a draft that begins.
func (d Draft) petition(now time.Time) models.Petition {
	id := models.NewID()
	return models.Petition{
		ID: id, Slug: campaigns.DraftSlug(id), State: models.PetitionDraft, Revision: 1, CreatedAt: now, UpdatedAt: now,
		Title: d.Title, Summary: d.Summary, Body: d.Body, Decider: d.Decider, WhyNow: d.WhyNow, SystemChange: d.SystemChange,
		Place: d.Place, Goal: d.Goal, Locale: d.Locale, DeadlineAt: d.DeadlineAt, PictureAlt: d.PictureAlt,
	}
}

// unconfirmedAt makes room at a mailbox, which the caller holds, and lists the starters that wait there, oldest first.
func (s *Service) unconfirmedAt(ctx context.Context, tx *gorm.DB, box uuid.UUID, now time.Time) ([]uuid.UUID, error) {
	var rows []models.PetitionStarter
	err := tx.WithContext(ctx).Where("mailbox_id = ? AND lead AND confirmed_at IS NULL", box).Order("created_at, id").Find(&rows).Error
	if err != nil {
		return nil, err
	}
	for len(rows) >= unconfirmedMost {
		if err := s.dropDraft(ctx, tx, rows[1].PetitionID, now); err != nil {
			return nil, err
		}
		rows = append(rows[:1], rows[2:]...)
	}
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	return ids, nil
}

// mailStarter queues the mail with the link and the code, within the limits of the mailbox.
func (s *Service) mailStarter(ctx context.Context, tx *gorm.DB, box models.Mailbox, st models.PetitionStarter, alike []uuid.UUID, suffix string, now time.Time) error {
	kind := confirmations.PetitionStart
	if !st.Lead && st.ConfirmedAt == nil {
		kind = confirmations.PetitionCostart
	}
	return confirmations.Queue(ctx, tx, []confirmations.Request{{
		Kind: kind, MailboxID: box.ID, Subject: st.ID, Like: alike, DedupeKey: kind + "/" + st.ID.String() + suffix, Ends: now.Add(unconfirmedFor),
	}}, map[uuid.UUID]models.Mailbox{box.ID: box}, []uuid.UUID{box.ID}, now)
}
