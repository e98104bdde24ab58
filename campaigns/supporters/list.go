package supporters

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/paging"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Service reads and edits supporters. It is safe for concurrent use.
type Service struct {
	db    *database.DB
	vault *vault.Vault
	clk   clock.Clock
	names *names
}

// New makes the service.
func New(db *database.DB, v *vault.Vault, clk clock.Clock) *Service {
	return &Service{db: db, vault: v, clk: clk, names: newNames()}
}

// Agreement is a purpose that a person agreed to, in force now.
type Agreement struct {
	Purpose  models.Purpose
	Campaign string // title, for PurposeUpdates
}

// Row is a supporter in the list.
type Row struct {
	ID                    uuid.UUID
	GivenName, FamilyName string
	Address               string // of the oldest mailbox; "" once erased
	More                  int    // further mailboxes
	PostalArea            string
	Source                string
	Suppressed            bool // none of the mailboxes gets mail
	Agreed                []Agreement
	CreatedAt             time.Time
}

// List returns supporters, newest first. It needs the right actor.SeeSupporters.
func (s *Service) List(ctx context.Context, a actor.Actor, after paging.Cursor) (paging.Page[Row], error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return paging.Page[Row]{}, err
	}
	q := s.db.WithContext(ctx).Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if !after.First() {
		q = q.Where("(created_at, id) < (?, ?)", after.At, after.ID)
	}
	var people []models.Supporter
	if err := q.Find(&people).Error; err != nil {
		return paging.Page[Row]{}, err
	}
	page := paging.Cut(people, paging.Size, func(p models.Supporter) paging.Cursor { return paging.Cursor{At: p.CreatedAt, ID: p.ID} })
	rows, err := s.rows(ctx, page.Rows)
	return paging.Page[Row]{Rows: rows, Next: page.Next}, err
}

// Count returns how many supporters there are. It needs the right actor.SeeFigures.
func (s *Service) Count(ctx context.Context, a actor.Actor) (int64, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return 0, err
	}
	var n int64
	return n, s.db.WithContext(ctx).Model(&models.Supporter{}).Count(&n).Error
}

func (s *Service) rows(ctx context.Context, people []models.Supporter) ([]Row, error) {
	ids := make([]uuid.UUID, len(people))
	for i, p := range people {
		ids[i] = p.ID
	}
	var boxes []models.Mailbox
	if err := s.db.WithContext(ctx).Where("supporter_id IN ?", ids).Order("created_at, id").Find(&boxes).Error; err != nil {
		return nil, err
	}
	owner, boxIDs := map[uuid.UUID]uuid.UUID{}, make([]uuid.UUID, len(boxes))
	for i, m := range boxes {
		owner[m.ID], boxIDs[i] = *m.SupporterID, m.ID
	}
	var yes []models.Consent
	err := s.db.WithContext(ctx).Where("mailbox_id IN ? AND withdrawn_at IS NULL", boxIDs).Order("given_at, id").Find(&yes).Error
	if err != nil {
		return nil, err
	}
	titles, err := s.campaigns(ctx, yes)
	if err != nil {
		return nil, err
	}
	out := make([]Row, len(people))
	for i, p := range people {
		r := Row{ID: p.ID, PostalArea: p.PostalArea, Source: p.Source, CreatedAt: p.CreatedAt}
		if r.GivenName, r.FamilyName, err = s.namesOf(p); err != nil {
			return nil, err
		}
		n, stopped := 0, 0
		for _, m := range boxes {
			if *m.SupporterID != p.ID {
				continue
			}
			n++
			if m.SuppressedAt != nil {
				stopped++
			}
			if r.Address == "" {
				if r.Address, err = mailboxes.Address(s.vault, m); err != nil {
					return nil, err
				}
			}
		}
		r.More, r.Suppressed = max(n-1, 0), n > 0 && stopped == n
		for _, c := range yes {
			if a := (Agreement{c.Purpose, titles[c.ScopeID]}); owner[c.MailboxID] == p.ID && !slices.Contains(r.Agreed, a) {
				r.Agreed = append(r.Agreed, a)
			}
		}
		out[i] = r
	}
	return out, nil
}

func (s *Service) namesOf(p models.Supporter) (given, family string, err error) {
	if given, err = s.vault.Open("supporters", "given_name_sealed", p.ID, p.GivenNameSealed); err != nil {
		return "", "", err
	}
	family, err = s.vault.Open("supporters", "family_name_sealed", p.ID, p.FamilyNameSealed)
	return given, family, err
}

// campaigns returns the titles of the campaigns that consents are for.
func (s *Service) campaigns(ctx context.Context, list []models.Consent) (map[uuid.UUID]string, error) {
	titles := map[uuid.UUID]string{}
	var ids []uuid.UUID
	for _, c := range list {
		if c.ScopeID != uuid.Nil && !slices.Contains(ids, c.ScopeID) {
			ids = append(ids, c.ScopeID)
		}
	}
	if len(ids) == 0 {
		return titles, nil
	}
	var rows []models.Campaign
	if err := s.db.WithContext(ctx).Select("id", "title").Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, c := range rows {
		titles[c.ID] = c.Title
	}
	return titles, nil
}

// Find returns the supporter of an exact address, as somebody typed it. It needs the right actor.SeeSupporters. Where there
// is none it returns an Invalid fault on the field "email", as for what is no address.
func (s *Service) Find(ctx context.Context, a actor.Actor, typed string) (uuid.UUID, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return uuid.Nil, err
	}
	m, err := mailboxes.Find(ctx, s.db.DB, s.vault, typed)
	var e *fault.Error
	switch {
	case err == nil && m.SupporterID != nil:
		return *m.SupporterID, nil
	case err == nil, errors.Is(err, gorm.ErrRecordNotFound):
		return uuid.Nil, onEmail("error.supporter_none")
	case errors.As(err, &e) && e.Kind == fault.Invalid:
		return uuid.Nil, onEmail(e.Key)
	}
	return uuid.Nil, err
}

func onEmail(key string) error {
	var bad fault.Fields
	bad.Add("email", key)
	return bad.Err()
}
