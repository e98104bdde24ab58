package supporters

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// SeersOf are the roles that can be the narrowest one to see a field, widest first.
var SeersOf = []actor.Role{actor.Owner, actor.Organizer, actor.Coordinator}

// FieldKinds are the kinds of custom fields, in the order of forms.
var FieldKinds = []models.FieldKind{models.FieldText, models.FieldNumber, models.FieldDate, models.FieldChoice, models.FieldYesNo}

// SeesField reports whether an actor sees what people answered to a field, and may write it where they may edit people.
func SeesField(a actor.Actor, f models.CustomField) bool {
	switch a.Kind {
	case actor.System:
		return true
	case actor.User:
		return slices.Contains(SeersOf, a.Role) && slices.Index(SeersOf, a.Role) <= slices.Index(SeersOf, actor.Role(f.SeenBy))
	}
	return false
}

// fieldsFor lists the fields that an actor sees, archived ones last.
func fieldsFor(ctx context.Context, tx *gorm.DB, a actor.Actor) ([]models.CustomField, error) {
	var list []models.CustomField
	if err := tx.WithContext(ctx).Order("CASE WHEN archived_at IS NULL THEN 0 ELSE 1 END, position, id").Find(&list).Error; err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(f models.CustomField) bool { return !SeesField(a, f) }), nil
}

// Fields lists the custom fields that the actor sees, archived ones last. It needs the right actor.SeeSupporters.
func (s *Service) Fields(ctx context.Context, a actor.Actor) ([]models.CustomField, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return nil, err
	}
	return fieldsFor(ctx, s.db.DB, a)
}

// FieldInput is what an organizer says about a custom field. Name, Kind and Private are taken when it is made and never
// changed: values and files rely on them.
type FieldInput struct {
	Name    string
	Label   string
	Kind    models.FieldKind
	Choices string
	Private bool
	SeenBy  actor.Role
}

const (
	maxFields     = 200
	maxFieldLabel = 120
	maxChoices    = 200
	maxChoice     = 120
)

var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// taken are the columns that files of people have anyway.
var taken = []string{
	"id", "email", "given_name", "family_name", "name", "phone", "street", "city", "region", "postal_code", "postal_area", "country", "locale", "time_zone",
	"chapter", "source", "tags", "notes", "status", "created_at", "updated_at",
}

func (in *FieldInput) check(a actor.Actor, bad *fault.Fields) {
	in.Label = strings.Join(strings.Fields(in.Label), " ")
	if in.Label == "" {
		bad.Add("label", "error.field_label_missing")
	}
	tooLong(bad, "label", in.Label, maxFieldLabel)
	if !slices.Contains(SeersOf, in.SeenBy) || !SeesField(a, models.CustomField{SeenBy: string(in.SeenBy)}) {
		bad.Add("seen_by", "error.value_unknown")
	}
	if in.Kind != models.FieldChoice {
		in.Choices = ""
		return
	}
	var list []string
	for c := range ChoicesOf(models.CustomField{Choices: in.Choices}) {
		c = strings.Join(strings.Fields(c), " ")
		if !slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, c) }) {
			list = append(list, c)
		}
		if tooLong(bad, "choices", c, maxChoice) {
			return
		}
	}
	if len(list) < 2 || len(list) > maxChoices {
		bad.Add("choices", "error.field_choices", "Most", maxChoices)
	}
	in.Choices = strings.Join(list, "\n")
}

// tooLong notes a text of more than most characters.
func tooLong(bad *fault.Fields, field, text string, most int) bool {
	n := utf8.RuneCountInString(text)
	if n > most {
		bad.Add(field, "error.text_too_long", "Max", most, "Over", n-most)
	}
	return n > most
}

// AddField defines a custom field; without a name it gets one from its label. It needs the right actor.Arrange.
func (s *Service) AddField(ctx context.Context, a actor.Actor, in FieldInput) (models.CustomField, error) {
	if err := a.Need(actor.Arrange); err != nil {
		return models.CustomField{}, err
	}
	var bad fault.Fields
	in.check(a, &bad)
	in.Name = strings.ToLower(strings.TrimSpace(in.Name))
	if in.Name == "" {
		in.Name = nameFrom(in.Label)
	}
	switch {
	case bad.Has("label") && in.Name == "":
	case !fieldName.MatchString(in.Name):
		bad.Add("name", "error.field_name")
	case slices.Contains(taken, in.Name):
		bad.Add("name", "error.field_name_taken")
	}
	if !slices.Contains(FieldKinds, in.Kind) {
		bad.Add("kind", "error.value_unknown")
	}
	if err := bad.Err(); err != nil {
		return models.CustomField{}, err
	}
	now := s.clk.Now()
	f := models.CustomField{
		ID: models.NewID(), Name: in.Name, Label: in.Label, Kind: in.Kind, Choices: in.Choices, Private: in.Private, SeenBy: string(in.SeenBy), CreatedAt: now, UpdatedAt: now,
	}
	return f, s.db.Tx(ctx, func(tx *gorm.DB) error {
		var had struct {
			N    int64
			Last *int
		}
		if err := tx.Model(&models.CustomField{}).Select("COUNT(*) AS n, MAX(position) AS last").Scan(&had).Error; err != nil {
			return err
		}
		if had.N >= maxFields {
			return fault.New(fault.Conflict, "error.fields_many", "Most", maxFields)
		}
		f.Position = 1
		if had.Last != nil {
			f.Position = *had.Last + 1
		}
		r := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "name"}}, DoNothing: true}).Create(&f)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return fault.Fields{{Name: "name", Key: "error.field_name_taken"}}.Err()
		}
		return audit.Write(ctx, tx, a, now, "field.add", "custom_fields", f.ID, map[string]any{"kind": f.Kind, "private": f.Private, "seen_by": f.SeenBy})
	})
}

// nameFrom makes a name for machines of a label, "" where nothing of it can be one.
func nameFrom(label string) string {
	var b strings.Builder
	for _, r := range fold(label) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9' && b.Len() > 0:
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
		if b.Len() == 40 {
			break
		}
	}
	return strings.TrimRight(b.String(), "_")
}

// Field returns one custom field that the actor sees. The fault is NotFound, error.field_unknown.
func (s *Service) Field(ctx context.Context, a actor.Actor, id uuid.UUID) (models.CustomField, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return models.CustomField{}, err
	}
	return fieldOf(ctx, s.db.DB, a, id)
}

func fieldOf(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.CustomField, error) {
	var list []models.CustomField
	if err := tx.WithContext(ctx).Where("id = ?", id).Limit(1).Find(&list).Error; err != nil {
		return models.CustomField{}, err
	}
	if len(list) == 0 || !SeesField(a, list[0]) {
		return models.CustomField{}, fault.New(fault.NotFound, "error.field_unknown")
	}
	return list[0], nil
}

// ChangeField changes the label, the choices and who sees a field. What people answered stays, also a choice that is not
// offered any more. Rights and faults are those of AddField and Field.
func (s *Service) ChangeField(ctx context.Context, a actor.Actor, id uuid.UUID, in FieldInput) error {
	if err := a.Need(actor.Arrange); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		f, err := fieldOf(ctx, tx, a, id)
		if err != nil {
			return err
		}
		in := in
		in.Kind = f.Kind
		var bad fault.Fields
		in.check(a, &bad)
		if err := bad.Err(); err != nil {
			return err
		}
		err = tx.Model(&models.CustomField{}).Where("id = ?", id).
			Updates(map[string]any{"label": in.Label, "choices": in.Choices, "seen_by": in.SeenBy, "updated_at": now}).Error
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "field.change", "custom_fields", id, map[string]any{"seen_by": in.SeenBy})
	})
}

// ArchiveField takes a field out of forms, or brings it back; what people answered stays. Rights and faults are those of
// ChangeField.
func (s *Service) ArchiveField(ctx context.Context, a actor.Actor, id uuid.UUID, archived bool) error {
	if err := a.Need(actor.Arrange); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := fieldOf(ctx, tx, a, id); err != nil {
			return err
		}
		set, action := map[string]any{"archived_at": nil, "updated_at": now}, "field.restore"
		if archived {
			set["archived_at"], action = now, "field.archive"
		}
		if err := tx.Model(&models.CustomField{}).Where("id = ?", id).Updates(set).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, action, "custom_fields", id, nil)
	})
}

// MoveField puts a field one place up or down among those in use. At the end it stays where it is. Rights and faults are those
// of ChangeField.
func (s *Service) MoveField(ctx context.Context, a actor.Actor, id uuid.UUID, up bool) error {
	if err := a.Need(actor.Arrange); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := fieldOf(ctx, tx, a, id); err != nil {
			return err
		}
		var list []models.CustomField
		err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("archived_at IS NULL").Order("position, id").Find(&list).Error
		if err != nil {
			return err
		}
		// Past the next one that the actor sees: others would seem not to move.
		i, step := slices.IndexFunc(list, func(f models.CustomField) bool { return f.ID == id }), 1
		if up {
			step = -1
		}
		j := i + step
		for i >= 0 && j >= 0 && j < len(list) && !SeesField(a, list[j]) {
			j += step
		}
		if i < 0 || j < 0 || j >= len(list) {
			return nil
		}
		moving := list[i]
		list = slices.Insert(slices.Delete(list, i, i+1), j, moving)
		for n, f := range list {
			if f.Position == n+1 {
				continue
			}
			if err := tx.Model(&models.CustomField{}).Where("id = ?", f.ID).Updates(map[string]any{"position": n + 1, "updated_at": now}).Error; err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "field.move", "custom_fields", id, nil)
	})
}
