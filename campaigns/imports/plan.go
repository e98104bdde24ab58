package imports

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// FieldChoices are the custom fields that an actor may fill by an import, in their order: those that the actor's role sees.
// It needs the right actor.Import.
func (s *Service) FieldChoices(ctx context.Context, a actor.Actor) ([]models.CustomField, error) {
	if err := a.Need(actor.Import); err != nil {
		return nil, err
	}
	var list []models.CustomField
	if err := s.DB.WithContext(ctx).Where("archived_at IS NULL").Order("position, id").Limit(500).Find(&list).Error; err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(f models.CustomField) bool { return !sees(a, f) }), nil
}

// sees reports whether an actor's role sees a custom field.
func sees(a actor.Actor, f models.CustomField) bool {
	switch {
	case a.Role == actor.Owner || a.Kind == actor.System:
		return true
	case a.Role == actor.Organizer:
		return f.SeenBy != string(actor.Owner)
	}
	return f.SeenBy == string(actor.Coordinator)
}

// checkPlan returns the plan as it is stored. The faults are Invalid, on the fields email, column-N and tag.
func (s *Service) checkPlan(ctx context.Context, a actor.Actor, p plan, columns []string) (plan, error) {
	mapping, wrong := p.Columns.check(len(columns))
	if wrong != nil && SourceOf(columns) == FromChange {
		return plan{}, fault.New(fault.Invalid, "error.import_no_addresses")
	}
	if wrong != nil {
		return plan{}, mapRefused(*wrong)
	}
	choices, err := s.FieldChoices(ctx, a)
	if err != nil {
		return plan{}, err
	}
	for _, f := range mapping {
		id, custom := f.custom()
		_, fresh := f.fresh()
		switch {
		case custom && !slices.ContainsFunc(choices, func(c models.CustomField) bool { return c.ID == id }):
			return plan{}, fault.New(fault.Invalid, "error.import_field")
		case (fresh || f == Chapter) && a.Chapter() != nil:
			return plan{}, fault.New(fault.Invalid, "error.import_whole_only")
		}
	}
	p.Columns, p.Tag = mapping, flat(p.Tag)
	if len([]rune(p.Tag)) > maxTagName {
		return plan{}, fault.New(fault.Invalid, "error.tag_long", "Most", maxTagName)
	}
	return p, nil
}

// lookups reads what a mapping refers to.
func (s *Service) lookups(ctx context.Context, m Mapping) (lookups, error) {
	l := lookups{fields: map[uuid.UUID]*models.CustomField{}, chapters: map[string]uuid.UUID{}}
	var ids []uuid.UUID
	chapters := false
	for _, f := range m {
		if id, ok := f.custom(); ok {
			ids = append(ids, id)
		}
		chapters = chapters || f == Chapter
	}
	for part := range slices.Chunk(ids, 500) {
		var list []models.CustomField
		if err := s.DB.WithContext(ctx).Where("id IN ?", part).Find(&list).Error; err != nil {
			return l, err
		}
		for _, f := range list {
			l.fields[f.ID] = &f
		}
	}
	if !chapters {
		return l, nil
	}
	var list []models.Chapter
	if err := s.DB.WithContext(ctx).Where("closed_at IS NULL").Order("id").Find(&list).Error; err != nil {
		return l, err
	}
	for _, c := range list {
		l.chapters[normal(c.Name)] = c.ID
	}
	for _, c := range list { // a slug is the surer name
		l.chapters[normal(c.Slug)] = c.ID
	}
	return l, nil
}

// settle makes what an import needs before its first row: the tag for everybody and the custom fields that are new.
func (s *Service) settle(ctx context.Context, tx *gorm.DB, m *models.Import, p *plan, columns []string, now time.Time) error {
	if p.Tag != "" {
		t, err := supporters.EnsureTag(ctx, tx, p.Tag, now)
		if err != nil {
			return err
		}
		m.TagID, p.Tag = &t.ID, ""
	}
	used := map[uuid.UUID]bool{}
	for _, f := range p.Columns {
		if id, ok := f.custom(); ok {
			used[id] = true
		}
	}
	for i := range columns {
		kind, ok := p.Columns[i].fresh()
		if !ok {
			continue
		}
		f, err := makeField(ctx, tx, label(columns, i), kind, used, now)
		if err != nil {
			return err
		}
		used[f.ID], p.Columns[i] = true, CustomField(f.ID)
	}
	text, err := p.text()
	m.Mapping = text
	return err
}

// makeField makes a custom field that is called as a column is. One of that name and kind that is there already is taken,
// unless another column of the file goes to it.
func makeField(ctx context.Context, tx *gorm.DB, header string, kind models.FieldKind, used map[uuid.UUID]bool, now time.Time) (models.CustomField, error) {
	if _, key, ok := strings.Cut(header, expanded); ok {
		header = key
	}
	name := truncate(normal(header), 50)
	if name == "" {
		name = "column"
	}
	tx = tx.WithContext(ctx)
	for n := 1; ; n++ {
		try := name
		if n > 1 {
			try += "_" + itoa(n)
		}
		var there []models.CustomField
		if err := tx.Where("name = ?", try).Limit(1).Find(&there).Error; err != nil {
			return models.CustomField{}, err
		}
		if len(there) == 0 {
			var last int
			if err := tx.Model(&models.CustomField{}).Select("COALESCE(MAX(position), 0)").Scan(&last).Error; err != nil {
				return models.CustomField{}, err
			}
			f := models.CustomField{
				ID: models.NewID(), Name: try, Label: truncate(header, 100), Kind: kind, SeenBy: string(actor.Organizer), Position: last + 1, CreatedAt: now, UpdatedAt: now,
			}
			return f, tx.Create(&f).Error
		}
		if f := there[0]; f.Kind == kind && f.ArchivedAt == nil && f.SeenBy != string(actor.Owner) && !used[f.ID] {
			return f, nil
		}
	}
}
