package legislators

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models"
)

// Offer is what can be looked up.
type Offer struct {
	Countries []string // with somebody in a seat, by their codes
	Regions   []models.Jurisdiction
	Points    bool // boundaries are there
}

// Offer says what can be looked up on the public page. Everybody may ask.
func (s *Service) Offer(ctx context.Context) (Offer, error) {
	var o Offer
	var list []models.Jurisdiction
	err := s.DB.WithContext(ctx).Where("country <> '' AND EXISTS (SELECT 1 FROM chambers c JOIN terms t ON t.chamber_id = c.id WHERE c.jurisdiction_id = jurisdictions.id)").
		Order("country, region, code").Find(&list).Error
	if err != nil {
		return o, err
	}
	for _, j := range list {
		if !slices.Contains(o.Countries, j.Country) {
			o.Countries = append(o.Countries, j.Country)
		}
		if j.Region != "" && j.Code == strings.ToLower(j.Country+"-"+j.Region) {
			o.Regions = append(o.Regions, j)
		}
	}
	var one []int
	err = s.DB.WithContext(ctx).Raw("SELECT 1 FROM boundaries LIMIT 1").Scan(&one).Error
	o.Points = len(one) > 0
	return o, err
}

// CommitteeSeat is a place on a committee.
type CommitteeSeat struct {
	LegislatorID uuid.UUID
	Name         string // of the committee
	Title        string // Chair; "" for a member
}

// Represented is a match with what else everybody may know of those who sit.
type Represented struct {
	Match
	Committees map[uuid.UUID][]CommitteeSeat // by legislator, without subcommittees
}

// Represent says who represents a place, and how they are reached. Everybody may ask; nothing about the place is kept.
func (s *Service) Represent(ctx context.Context, p Place) (Represented, error) {
	out := Represented{Committees: map[uuid.UUID][]CommitteeSeat{}}
	var err error
	if out.Match, err = Find(ctx, s.DB.DB, p, s.Clock.Now()); err != nil {
		return out, err
	}
	var ids []uuid.UUID
	for _, seat := range out.Seats {
		for _, m := range seat.Members {
			ids = append(ids, m.ID)
		}
	}
	seats, err := committeesOf(s.DB.WithContext(ctx), ids)
	for _, x := range seats {
		out.Committees[x.LegislatorID] = append(out.Committees[x.LegislatorID], x)
	}
	return out, err
}

func committeesOf(tx *gorm.DB, ids []uuid.UUID) ([]CommitteeSeat, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var out []CommitteeSeat
	err := tx.Table("committee_members m").Select("m.legislator_id, c.name, m.title").Joins("JOIN committees c ON c.id = m.committee_id").
		Where("m.legislator_id IN ? AND m.ended_at IS NULL AND c.removed_at IS NULL AND c.parent_id IS NULL", ids).Order("c.name, c.id").Scan(&out).Error
	return out, err
}
