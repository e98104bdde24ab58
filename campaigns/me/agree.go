package me

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// ownPage is the word for the record of what is ended here, and the source of what is agreed to here.
const (
	ownPage   = "own_page"
	ownSource = "/me"
)

func unknownItem() error { return fault.New(fault.NotFound, "error.me_item_unknown") }

// Consent is one yes with its proof.
type Consent struct {
	ID          uuid.UUID
	Purpose     models.Purpose
	About       string // the campaign, topic or partner; "" where the purpose has none, or it is gone
	Words       string // exactly as they were shown
	Lang        string // of Words
	GivenAt     time.Time
	Source      string // the page or the list
	How         models.ConsentHow
	WithdrawnAt *time.Time
	Undo        bool   // ended here a moment ago
	Address     string // masked: which mailbox, where there are several
}

// scopes are the names of what consents are about, by id.
func scopes(ctx context.Context, tx *gorm.DB, rows []models.Consent) (map[uuid.UUID]string, error) {
	ids := map[string][]uuid.UUID{}
	for _, c := range rows {
		if table := c.Purpose.Scope(); table != "" && c.ScopeID != uuid.Nil {
			ids[table] = append(ids[table], c.ScopeID)
		}
	}
	out := map[uuid.UUID]string{}
	for table, list := range ids {
		column := "name"
		if table == "campaigns" {
			column = "title"
		}
		var found []struct {
			ID   uuid.UUID
			Name string
		}
		if err := tx.WithContext(ctx).Table(table).Select("id, "+column+" AS name").Where("id IN ?", list).Scan(&found).Error; err != nil {
			return nil, err
		}
		for _, f := range found {
			out[f.ID] = f.Name
		}
	}
	return out, nil
}

// consents fills in what the person agreed to, what they ended, and what is left to say yes to.
func (s *Service) consents(ctx context.Context, tx *gorm.DB, p person, lang string, now time.Time, v *View) error {
	var rows []models.Consent
	if err := tx.Where("mailbox_id IN ?", p.Mailboxes).Order("given_at DESC, id DESC").Find(&rows).Error; err != nil {
		return err
	}
	about, err := scopes(ctx, tx, rows)
	if err != nil {
		return err
	}
	textIDs := make([]uuid.UUID, len(rows))
	for i, c := range rows {
		textIDs[i] = c.TextID
	}
	var texts []models.ConsentText
	if err := tx.Where("id IN ?", textIDs).Find(&texts).Error; err != nil {
		return err
	}
	words := map[uuid.UUID]models.ConsentText{}
	for _, t := range texts {
		words[t.ID] = t
	}
	addresses := map[uuid.UUID]string{}
	if p.several() {
		for _, m := range p.boxes {
			a, err := s.address(m)
			if err != nil {
				return err
			}
			addresses[m.ID] = Mask(a)
		}
	}
	inForce := map[consents.Ask]bool{}
	for _, c := range rows {
		if c.WithdrawnAt == nil {
			inForce[consents.Ask{Purpose: c.Purpose, ScopeID: c.ScopeID}] = true
		}
	}
	for _, c := range rows {
		one := Consent{
			ID: c.ID, Purpose: c.Purpose, About: about[c.ScopeID], Words: words[c.TextID].Body, Lang: words[c.TextID].Locale, GivenAt: c.GivenAt,
			Source: c.Source, How: c.How, WithdrawnAt: c.WithdrawnAt, Address: addresses[c.MailboxID],
		}
		if c.WithdrawnAt == nil {
			v.Agreed = append(v.Agreed, one)
			continue
		}
		one.Undo = undoable(c, now) && !inForce[consents.Ask{Purpose: c.Purpose, ScopeID: c.ScopeID}]
		v.Ended = append(v.Ended, one)
	}
	slices.SortStableFunc(v.Ended, func(a, b Consent) int { return b.WithdrawnAt.Compare(*a.WithdrawnAt) })

	offered, err := s.offered(ctx, lang)
	if err != nil {
		return err
	}
	for _, b := range offered {
		if !inForce[b.Ask] {
			v.Offered = append(v.Offered, b)
		}
	}
	return nil
}

func undoable(c models.Consent, now time.Time) bool {
	return c.WithdrawnAt != nil && c.WithdrawnHow == ownPage && now.Before(c.WithdrawnAt.Add(undoFor))
}

// own reads one consent of a person.
func own(tx *gorm.DB, p person, id uuid.UUID) (models.Consent, error) {
	var c models.Consent
	err := tx.Where("id = ? AND mailbox_id IN ?", id, p.Mailboxes).Take(&c).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = unknownItem()
	}
	return c, err
}

// Stop ends a yes, for every mailbox of the person, and what waits to be sent because of it. Done twice it ends it once. The
// faults are those of Show, and NotFound, error.me_item_unknown.
func (s *Service) Stop(ctx context.Context, token string, id uuid.UUID) error {
	now := s.o.Clock.Now()
	return s.o.DB.Tx(ctx, func(tx *gorm.DB) error {
		p, err := s.hold(ctx, tx, tokens.Me, token)
		if err != nil {
			return err
		}
		c, err := own(tx, p, id)
		if err != nil {
			return err
		}
		for _, box := range p.Mailboxes {
			if err := consents.End(ctx, tx, box, c.Purpose, c.ScopeID, ownPage, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// Again undoes a Stop of the last 30 minutes: a new yes in the words of the old one, for each mailbox that had it. Done twice
// it is given once. The faults are those of Stop, and Conflict, error.me_too_late.
func (s *Service) Again(ctx context.Context, token string, id uuid.UUID) error {
	now := s.o.Clock.Now()
	return s.o.DB.Tx(ctx, func(tx *gorm.DB) error {
		p, err := s.hold(ctx, tx, tokens.Me, token)
		if err != nil {
			return err
		}
		c, err := own(tx, p, id)
		if err != nil {
			return err
		}
		if !undoable(c, now) {
			return fault.New(fault.Conflict, "error.me_too_late")
		}
		var together []models.Consent
		err = tx.Where("mailbox_id IN ? AND purpose = ? AND scope_id = ? AND withdrawn_at = ? AND withdrawn_how = ?", p.Mailboxes, c.Purpose, c.ScopeID, c.WithdrawnAt, ownPage).
			Find(&together).Error
		if err != nil {
			return err
		}
		yes := make([]consents.Given, len(together))
		for i, t := range together {
			yes[i] = consents.Given{
				MailboxID: t.MailboxID, Purpose: t.Purpose, ScopeID: t.ScopeID, TextID: t.TextID, Locale: t.Locale, ShownAt: now, Source: ownSource,
				How: models.ConsentByPerson, EvidenceID: &t.ID,
			}
		}
		return consents.GiveAll(ctx, tx, yes, now)
	})
}

// Choose says yes to parts of the newsletter, for the mailbox of the link. values are those of View.Offered: each names the
// exact words that stood beside its box. Whoever presses the button reads that mailbox, so it is confirmed, and the person has
// a record from then on. The faults are those of Show; Invalid with the field topic where none was chosen, or one has other
// words by now.
func (s *Service) Choose(ctx context.Context, token, lang string, values []string) error {
	offered, err := s.offered(ctx, lang)
	if err != nil {
		return err
	}
	now := s.o.Clock.Now()
	return s.o.DB.Tx(ctx, func(tx *gorm.DB) error {
		p, err := s.hold(ctx, tx, tokens.Me, token)
		if err != nil {
			return err
		}
		chosen, changed := consents.Ticked(offered, values)
		switch {
		case changed:
			return fault.Fields{{Name: "topic", Key: "error.me_topic_changed"}}.Err()
		case len(chosen) == 0:
			return fault.Fields{{Name: "topic", Key: "error.me_topic_missing"}}.Err()
		}
		if err := s.join(ctx, tx, &p, lang, now); err != nil {
			return err
		}
		given := make([]consents.Given, len(chosen))
		for i, c := range chosen {
			text, err := consents.Text(ctx, tx, c.Purpose, c.Locale, c.Words, now)
			if err != nil {
				return err
			}
			given[i] = consents.Given{
				MailboxID: p.Mailbox, Purpose: c.Purpose, ScopeID: c.ScopeID, TextID: text.ID, Locale: c.Locale, ShownAt: now, Source: ownSource, How: models.ConsentByPerson,
			}
		}
		return consents.GiveAll(ctx, tx, given, now)
	})
}

// offered is what everybody can say yes to on their page.
func (s *Service) offered(ctx context.Context, lang string) ([]consents.Box, error) {
	asks, err := consents.NewsletterAsks(ctx, s.o.DB.DB)
	if err != nil {
		return nil, err
	}
	return s.o.Consents.Boxes(ctx, asks, lang)
}

// join confirms the mailbox of a link, and makes the person's record where there is none.
func (s *Service) join(ctx context.Context, tx *gorm.DB, p *person, locale string, now time.Time) error {
	if err := mailboxes.SignedUp(ctx, tx, []models.Mailbox{p.box}, now); err != nil {
		return err
	}
	if p.supporter != nil {
		return nil
	}
	id, err := supporters.Attach(ctx, tx, s.o.Vault, p.box, supporters.Facts{Locale: locale, Source: supporters.SourceForm}, now)
	if err != nil {
		return err
	}
	p.Supporter, p.supporter = id, &models.Supporter{}
	p.box.SupporterID = &id
	return tx.Where("id = ?", id).Take(p.supporter).Error
}
