package exports

import (
	"context"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/models"
)

// byName finds a row by its id or by what it is called. Two of one name are as good as none.
func (s *Service) byName(ctx context.Context, a actor.Actor, table, column, name, key string) (uuid.UUID, error) {
	if err := a.Need(actor.Export); err != nil {
		return uuid.Nil, err
	}
	q := s.DB.WithContext(ctx).Table(table).Limit(2)
	if id, err := uuid.Parse(name); err == nil {
		q = q.Where("id = ?", id)
	} else {
		q = q.Where(column+" = ?", name)
	}
	if table == "segments" {
		q = q.Scopes(chapters.Scope(a, "chapter_id")).Where("archived_at IS NULL")
	}
	var ids []uuid.UUID
	if err := q.Pluck("id", &ids).Error; err != nil {
		return uuid.Nil, err
	}
	if len(ids) != 1 {
		return uuid.Nil, fault.New(fault.NotFound, key)
	}
	return ids[0], nil
}

// SegmentByName finds a segment by its id or name. It needs the right actor.Export; the fault is NotFound,
// error.export_segment.
func (s *Service) SegmentByName(ctx context.Context, a actor.Actor, name string) (uuid.UUID, error) {
	return s.byName(ctx, a, "segments", "name", name, "error.export_segment")
}

// PetitionByName finds a petition by its id or address. It needs the right actor.Export; the fault is NotFound,
// error.export_petition.
func (s *Service) PetitionByName(ctx context.Context, a actor.Actor, name string) (uuid.UUID, error) {
	return s.byName(ctx, a, "petitions", "slug", name, "error.export_petition")
}

// ScopeByName finds what a purpose is about: a campaign or topic by its address, a partner by name, or each by id; "" is no
// scope. It needs the right actor.Export; the fault is NotFound, error.export_scope.
func (s *Service) ScopeByName(ctx context.Context, a actor.Actor, p models.Purpose, name string) (uuid.UUID, error) {
	if name == "" {
		return uuid.Nil, nil
	}
	column := "slug"
	switch p.Scope() {
	case "":
		return uuid.Nil, fault.New(fault.NotFound, "error.export_scope")
	case "partners":
		column = "name"
	}
	return s.byName(ctx, a, p.Scope(), column, name, "error.export_scope")
}

// Choice is something to choose from.
type Choice struct {
	Value, Label string
	Purpose      models.Purpose
}

// choicesMost is how many of each are offered.
const choicesMost = 200

// Choices lists what a new export can be narrowed to: segments, and purposes with what they are about. Labels are names;
// the Value of a purpose is it, a colon and the scope. It needs the right actor.Export.
func (s *Service) Choices(ctx context.Context, a actor.Actor) (segments, purposes []Choice, err error) {
	if err := a.Need(actor.Export); err != nil {
		return nil, nil, err
	}
	type named struct {
		ID   uuid.UUID
		Name string
	}
	db := s.DB.WithContext(ctx)
	var list []named
	err = db.Table("segments").Select("id", "name").Scopes(chapters.Scope(a, "chapter_id")).Where("archived_at IS NULL").Order("name, id").Limit(choicesMost).Find(&list).Error
	if err != nil {
		return nil, nil, err
	}
	for _, n := range list {
		segments = append(segments, Choice{Value: n.ID.String(), Label: n.Name})
	}
	for _, p := range models.Purposes {
		if p != models.PurposeUpdates && p != models.PurposeShare {
			purposes = append(purposes, Choice{Value: string(p) + ":", Purpose: p})
		}
		if p.Scope() == "" {
			continue
		}
		column := "name"
		if p.Scope() == "campaigns" {
			column = "title"
		}
		list = nil
		if err := db.Table(p.Scope()).Select("id", column+" AS name").Where(column + " <> ''").Order("created_at DESC, id DESC").Limit(choicesMost).Find(&list).Error; err != nil {
			return nil, nil, err
		}
		for _, n := range list {
			purposes = append(purposes, Choice{Value: string(p) + ":" + n.ID.String(), Label: n.Name, Purpose: p})
		}
	}
	return segments, purposes, nil
}

// Petitions lists the petitions whose signatures can be handed over, the newest first. It needs the right actor.Export.
func (s *Service) Petitions(ctx context.Context, a actor.Actor) ([]Choice, error) {
	if err := a.Need(actor.Export); err != nil {
		return nil, err
	}
	var list []models.Petition
	err := s.DB.WithContext(ctx).Select("id", "title").Where("published_at IS NOT NULL").Order("created_at DESC, id DESC").Limit(choicesMost).Find(&list).Error
	out := make([]Choice, len(list))
	for i, p := range list {
		out[i] = Choice{Value: p.ID.String(), Label: p.Title}
	}
	return out, err
}
