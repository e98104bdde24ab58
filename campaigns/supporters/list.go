package supporters

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
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
	db      *database.DB
	vault   *vault.Vault
	clk     clock.Clock
	names   *names
	sources []Source
}

// New makes the service.
func New(db *database.DB, v *vault.Vault, clk clock.Clock) *Service {
	return &Service{db: db, vault: v, clk: clk, names: newNames()}
}

// Agreement is a purpose that a person agreed to, in force now.
type Agreement struct {
	Purpose models.Purpose
	Scope   string // what the campaign, topic or partner is called
}

// Row is a supporter in a list.
type Row struct {
	ID                    uuid.UUID
	GivenName, FamilyName string
	Address               string // of the oldest mailbox; "" where there is none
	More                  int    // further mailboxes
	PostalArea            string
	Source                string
	Suppressed            bool // none of the mailboxes gets mail
	Agreed                []Agreement
	CreatedAt             time.Time
}

// Filter narrows a list. The zero value leaves nobody out.
type Filter struct {
	Tag        uuid.UUID
	Chapter    uuid.UUID
	Source     string
	HasPhone   bool
	Suppressed bool // some mailbox gets no mail
}

// List returns supporters, newest first. It needs the right actor.SeeSupporters. Those with a tag come in the order in which
// their records were made.
func (s *Service) List(ctx context.Context, a actor.Actor, f Filter, after paging.Cursor) (paging.Page[Row], error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return paging.Page[Row]{}, err
	}
	var people []models.Supporter
	var err error
	if f.Tag != uuid.Nil {
		people, err = s.tagged(ctx, a, f, after)
	} else {
		q := f.narrow(s.db.WithContext(ctx), a).Order("supporters.created_at DESC, supporters.id DESC").Limit(paging.Size + 1)
		if !after.First() {
			q = q.Where("(supporters.created_at, supporters.id) < (?, ?)", after.At, after.ID)
		}
		err = q.Find(&people).Error
	}
	if err != nil {
		return paging.Page[Row]{}, err
	}
	page := paging.Cut(people, paging.Size, func(p models.Supporter) paging.Cursor { return paging.Cursor{At: p.CreatedAt, ID: p.ID} })
	rows, err := s.rows(ctx, page.Rows)
	return paging.Page[Row]{Rows: rows, Next: page.Next}, err
}

// narrow puts all of the filter but the tag into a query about supporters.
func (f Filter) narrow(q *gorm.DB, a actor.Actor) *gorm.DB {
	q = q.Scopes(chapters.Scope(a, "supporters.chapter_id"))
	if f.Chapter != uuid.Nil {
		q = q.Where("supporters.chapter_id = ?", f.Chapter)
	}
	if f.Source != "" {
		q = q.Where("supporters.source = ?", f.Source)
	}
	if f.HasPhone {
		q = q.Where("EXISTS (SELECT 1 FROM phones p WHERE p.supporter_id = supporters.id)")
	}
	if f.Suppressed {
		q = q.Where("EXISTS (SELECT 1 FROM mailboxes m WHERE m.supporter_id = supporters.id AND m.suppressed_at IS NOT NULL)")
	}
	return q
}

const (
	fewPeople  = 5000 // a chapter of fewer is read instead of its tag
	tagsAtOnce = 4096
)

// tagged returns a page of those with a tag, and one more. Ids grow with time, so the index of the tag gives them in order, however
// few or many there are; it is followed piece by piece, for a plan that reads all of a large chapter or tag would take seconds.
func (s *Service) tagged(ctx context.Context, a actor.Actor, f Filter, after paging.Cursor) (people []models.Supporter, err error) {
	db, last := s.db.WithContext(ctx), uuid.Max
	if !after.First() {
		last = after.ID
	}
	if chapter := cmp.Or(f.Chapter, a.ChapterID); chapter != uuid.Nil {
		var n int64
		if err := db.Raw("SELECT COUNT(*) FROM (SELECT 1 FROM supporters WHERE chapter_id = ? LIMIT ?) few", chapter, fewPeople).Scan(&n).Error; err != nil {
			return nil, err
		}
		if n < fewPeople {
			return people, f.narrow(db, a).Where("supporters.id < ? AND EXISTS (SELECT 1 FROM taggings t WHERE t.tag_id = ? AND t.supporter_id = supporters.id)", last, f.Tag).
				Order("supporters.id DESC").Limit(paging.Size + 1).Find(&people).Error
		}
	}
	for size := paging.Size + 1; ; size = min(size*8, tagsAtOnce) {
		var ids []uuid.UUID
		err := db.Model(&models.Tagging{}).Where("tag_id = ? AND supporter_id < ?", f.Tag, last).Order("supporter_id DESC").Limit(size).Pluck("supporter_id", &ids).Error
		if err != nil || len(ids) == 0 {
			return people, err
		}
		var part []models.Supporter
		piece := db.Model(&models.Tagging{}).Select("supporter_id").Where("tag_id = ? AND supporter_id >= ? AND supporter_id < ?", f.Tag, ids[len(ids)-1], last).
			Order("supporter_id DESC").Limit(size)
		// A cross join is read in the order in which it is written, by SQLite too.
		err = f.narrow(db.Table("(?) AS t CROSS JOIN supporters", piece), a).Select("supporters.*").Where("supporters.id = t.supporter_id").
			Order("supporters.id DESC").Limit(paging.Size + 1 - len(people)).Find(&part).Error
		if err != nil {
			return nil, err
		}
		people = append(people, part...)
		if last = ids[len(ids)-1]; len(people) > paging.Size || len(ids) < size {
			return people, nil
		}
	}
}

// Count returns how many supporters there are, of the actor's chapter. It needs the right actor.SeeFigures.
func (s *Service) Count(ctx context.Context, a actor.Actor) (int64, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return 0, err
	}
	var n int64
	return n, s.db.WithContext(ctx).Model(&models.Supporter{}).Scopes(chapters.Scope(a, "supporters.chapter_id")).Count(&n).Error
}

// Filters are what a list can be narrowed by.
type Filters struct {
	Tags     []models.Tag     // by name
	Chapters []models.Chapter // by name; none for somebody of a chapter
}

// Filters returns what lists can be narrowed by. It needs the right actor.SeeSupporters.
func (s *Service) Filters(ctx context.Context, a actor.Actor) (f Filters, err error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return f, err
	}
	if f.Tags, err = s.tagList(ctx); err != nil {
		return f, err
	}
	f.Chapters, err = s.chapterList(ctx, a)
	return f, err
}

// mostTags is how many tags a page offers.
const mostTags = 1000

func (s *Service) tagList(ctx context.Context) (tags []models.Tag, err error) {
	return tags, s.db.WithContext(ctx).Order("name_key").Limit(mostTags).Find(&tags).Error
}

// chapterList lists the chapters that somebody of the whole organisation can give a person to.
func (s *Service) chapterList(ctx context.Context, a actor.Actor) (list []models.Chapter, err error) {
	if a.Chapter() != nil {
		return nil, nil
	}
	return list, s.db.WithContext(ctx).Select("id", "slug", "name").Where("closed_at IS NULL").Order("name, id").Find(&list).Error
}

func (s *Service) rows(ctx context.Context, people []models.Supporter) ([]Row, error) {
	if len(people) == 0 {
		return nil, nil
	}
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
	if len(boxIDs) > 0 {
		err := s.db.WithContext(ctx).Where("mailbox_id IN ? AND withdrawn_at IS NULL", boxIDs).Order("given_at, id").Find(&yes).Error
		if err != nil {
			return nil, err
		}
	}
	scopes, err := s.scopes(ctx, yes)
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
			if *m.SupporterID != p.ID || len(m.AddressSealed) == 0 {
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
			if a := (Agreement{c.Purpose, scopes[c.ScopeID]}); owner[c.MailboxID] == p.ID && !slices.Contains(r.Agreed, a) {
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

// scopes returns what the campaigns, topics and partners that consents are for are called.
func (s *Service) scopes(ctx context.Context, list []models.Consent) (map[uuid.UUID]string, error) {
	out := map[uuid.UUID]string{}
	by := map[string][]uuid.UUID{}
	for _, c := range list {
		if t := c.Purpose.Scope(); t != "" && c.ScopeID != uuid.Nil && !slices.Contains(by[t], c.ScopeID) {
			by[t] = append(by[t], c.ScopeID)
		}
	}
	for _, from := range []struct{ table, name string }{{"campaigns", "title"}, {"topics", "name"}, {"partners", "name"}} {
		if len(by[from.table]) == 0 {
			continue
		}
		var rows []struct {
			ID   uuid.UUID
			Name string
		}
		if err := s.db.WithContext(ctx).Table(from.table).Select("id", from.name+" AS name").Where("id IN ?", by[from.table]).Scan(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			out[r.ID] = r.Name
		}
	}
	return out, nil
}

// visible reads a supporter that the actor may see. The fault is NotFound, error.supporter_unknown: for one of another chapter
// as for one that is not there.
func visible(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Supporter, error) {
	var list []models.Supporter
	if err := tx.WithContext(ctx).Scopes(chapters.Scope(a, "supporters.chapter_id")).Where("id = ?", id).Limit(1).Find(&list).Error; err != nil {
		return models.Supporter{}, err
	}
	if len(list) == 0 {
		return models.Supporter{}, fault.New(fault.NotFound, "error.supporter_unknown")
	}
	return list[0], nil
}
