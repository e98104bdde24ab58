package supporters

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/text/language"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/models"
)

// Draft is a record as an organizer edits it.
type Draft struct {
	Revision              string // of what was edited
	GivenName, FamilyName string
	Street, City, Region  string
	PostalArea, Country   string
	Phones                string // one a line; those that are not there any more go
	Locale, TimeZone      string
	Chapter               string               // an id, "" for none; taken from somebody of the whole organisation only
	Answers               map[uuid.UUID]string // by field; those that are not named stay
}

// Editing is a record to be edited, and what can be chosen.
type Editing struct {
	View     View
	Draft    Draft
	Fields   []models.CustomField // that the actor sees and that are in use
	Chapters []models.Chapter     // none for somebody of a chapter
}

// Edit returns a record as it is, to be edited. It needs the right actor.EditSupporters; the fault is that of Show.
func (s *Service) Edit(ctx context.Context, a actor.Actor, id uuid.UUID) (Editing, error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return Editing{}, err
	}
	db := s.db.WithContext(ctx)
	p, err := visible(ctx, db, a, id)
	if err != nil {
		return Editing{}, err
	}
	v, err := s.record(ctx, db, a, p)
	if err != nil {
		return Editing{}, err
	}
	e := Editing{View: v, Draft: Draft{
		Revision: v.Revision, GivenName: v.GivenName, FamilyName: v.FamilyName, Street: v.Street, City: v.City, Region: v.Region, PostalArea: v.PostalArea,
		Country: v.Country, Locale: v.Locale, TimeZone: v.TimeZone, Answers: map[uuid.UUID]string{},
	}}
	if v.ChapterID != nil {
		e.Draft.Chapter = v.ChapterID.String()
	}
	numbers := make([]string, len(v.Phones))
	for i, x := range v.Phones {
		numbers[i] = x.Number
	}
	e.Draft.Phones = strings.Join(numbers, "\n")
	for _, x := range v.Answers {
		if x.Field.ArchivedAt == nil {
			e.Fields = append(e.Fields, x.Field)
			e.Draft.Answers[x.Field.ID] = x.Value
		}
	}
	e.Chapters, err = s.chapterList(ctx, a)
	return e, err
}

// limits of what a record holds, in characters.
const (
	maxName   = 100
	maxStreet = 200
	maxPlace  = 100
	maxPostal = 20
	maxPhone  = 100
	maxPhones = 10
)

// FieldInputPrefix begins what a form calls a custom field.
const FieldInputPrefix = "field-"

// FieldInputName is what a form calls a custom field, in faults too.
func FieldInputName(id uuid.UUID) string { return FieldInputPrefix + id.String() }

// facts checks the draft and returns what it tells.
func (in Draft) facts(bad *fault.Fields) Facts {
	for _, x := range []struct {
		field, value string
		most         int
	}{
		{"given_name", in.GivenName, maxName},
		{"family_name", in.FamilyName, maxName},
		{"street", in.Street, maxStreet},
		{"city", in.City, maxPlace},
		{"region", in.Region, maxPlace},
		{"postal_area", in.PostalArea, maxPostal},
	} {
		tooLong(bad, x.field, strings.TrimSpace(x.value), x.most)
	}
	f := Facts{
		GivenName: in.GivenName, FamilyName: in.FamilyName, Street: in.Street, City: in.City, Region: in.Region, PostalArea: in.PostalArea,
		Country: in.Country, Locale: in.Locale, TimeZone: in.TimeZone,
	}.Trim()
	if f.Country != "" {
		if r, err := language.ParseRegion(f.Country); err != nil || len(f.Country) != 2 || !r.IsCountry() {
			bad.Add("country", "error.country_unknown")
		}
	}
	if f.Locale != "" {
		t, err := language.Parse(f.Locale)
		if err != nil {
			bad.Add("locale", "error.language_unknown")
		}
		f.Locale = t.String()
	}
	if strings.TrimSpace(in.TimeZone) != f.TimeZone {
		bad.Add("time_zone", "error.zone_unknown")
	}
	return f
}

// untouched gives back what the record says where the draft says the same: what nobody touched is neither checked nor written
// in another way.
func (in Draft) untouched(v View, f Facts, bad *fault.Fields) Facts {
	for _, x := range []struct {
		field, typed, was string
		to                *string
	}{
		{"given_name", in.GivenName, v.GivenName, &f.GivenName},
		{"family_name", in.FamilyName, v.FamilyName, &f.FamilyName},
		{"street", in.Street, v.Street, &f.Street},
		{"city", in.City, v.City, &f.City},
		{"region", in.Region, v.Region, &f.Region},
		{"postal_area", in.PostalArea, v.PostalArea, &f.PostalArea},
		{"country", in.Country, v.Country, &f.Country},
		{"locale", in.Locale, v.Locale, &f.Locale},
		{"time_zone", in.TimeZone, v.TimeZone, &f.TimeZone},
	} {
		if x.typed == x.was {
			*x.to = x.was
			*bad = slices.DeleteFunc(*bad, func(b fault.Field) bool { return b.Name == x.field })
		}
	}
	return f
}

// numbers are the telephone numbers of the draft.
func (in Draft) numbers(bad *fault.Fields) []string {
	var out []string
	for line := range strings.Lines(in.Phones) {
		if n := strings.Join(strings.Fields(line), " "); n != "" {
			out = append(out, n)
			tooLong(bad, "phones", n, maxPhone)
		}
	}
	if len(out) > maxPhones {
		bad.Add("phones", "error.phones_many", "Most", maxPhones)
	}
	return out
}

// Save writes what an organizer edited, and reports whether anything changed. It needs the right actor.EditSupporters. The
// faults are that of Show; Invalid with fields; and Conflict, error.supporter_changed, where the record changed since it was
// read: then nothing is written.
func (s *Service) Save(ctx context.Context, a actor.Actor, id uuid.UUID, in Draft) (changed bool, err error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return false, err
	}
	var bad fault.Fields
	f, numbers := in.facts(&bad), in.numbers(&bad)
	now := s.clk.Now()
	return changed, s.db.Tx(ctx, func(tx *gorm.DB) error {
		bad := slices.Clone(bad)
		p, err := visible(ctx, tx.Clauses(clause.Locking{Strength: "UPDATE"}), a, id)
		if err != nil {
			return err
		}
		v, err := s.record(ctx, tx, a, p)
		if err != nil {
			return err
		}
		f := in.untouched(v, f, &bad)
		chapter, err := chapterChoice(tx, a, in.Chapter, p.ChapterID, &bad)
		if err != nil {
			return err
		}
		var touched []string // words for the audit log, never values
		answers := map[uuid.UUID]string{}
		for _, x := range v.Answers {
			value, there := in.Answers[x.Field.ID]
			if !there || x.Field.ArchivedAt != nil || value == x.Value {
				continue
			}
			text, err := FieldText(x.Field, value)
			var e *fault.Error
			if errors.As(err, &e) {
				bad.Add(FieldInputName(x.Field.ID), e.Key, e.Args...)
				continue
			}
			if text != x.Value {
				answers[x.Field.ID] = text
				touched = append(touched, "field "+x.Field.Name)
			}
		}
		if err := bad.Err(); err != nil {
			return err
		}
		if in.Revision != v.Revision {
			return fault.New(fault.Conflict, "error.supporter_changed")
		}
		set := map[string]any{}
		text := func(column, was, is string) {
			if was != is {
				set[column] = is
				touched = append(touched, column)
			}
		}
		sealed := func(name, column, was, is string) {
			if was != is {
				set[column] = s.vault.Seal("supporters", column, id, is)
				touched = append(touched, name)
			}
		}
		sealed("given_name", "given_name_sealed", v.GivenName, f.GivenName)
		sealed("family_name", "family_name_sealed", v.FamilyName, f.FamilyName)
		sealed("street", "street_sealed", v.Street, f.Street)
		sealed("city", "city_sealed", v.City, f.City)
		text("region", v.Region, f.Region)
		text("postal_area", v.PostalArea, f.PostalArea)
		text("country", v.Country, f.Country)
		text("locale", v.Locale, f.Locale)
		text("time_zone", v.TimeZone, f.TimeZone)
		if !sameID(chapter, p.ChapterID) {
			set["chapter_id"] = chapter
			touched = append(touched, "chapter")
		}
		phones, err := s.setPhones(ctx, tx, id, v.Phones, numbers, f.Country)
		if err != nil {
			return err
		}
		if phones {
			touched = append(touched, "phones")
		}
		for _, x := range v.Answers {
			if value, ok := answers[x.Field.ID]; ok {
				if err := SetField(ctx, tx, s.vault, id, x.Field, value, now); err != nil {
					return err
				}
			}
		}
		if changed = len(touched) > 0; !changed {
			return nil
		}
		set["updated_at"] = now
		if err := tx.Model(&models.Supporter{}).Where("id = ?", id).Updates(set).Error; err != nil {
			return err
		}
		if v.PostalArea != f.PostalArea || v.Country != f.Country {
			if err := Placed(ctx, tx, []uuid.UUID{id}, now); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "supporter.edit", "supporters", id, map[string]any{"changed": touched})
	})
}

func sameID(a, b *uuid.UUID) bool { return a == nil && b == nil || a != nil && b != nil && *a == *b }

// chapterChoice is the chapter that a record goes to. Somebody of a chapter moves nobody.
func chapterChoice(tx *gorm.DB, a actor.Actor, chosen string, is *uuid.UUID, bad *fault.Fields) (*uuid.UUID, error) {
	if a.Chapter() != nil {
		return is, nil
	}
	if chosen == "" {
		return nil, nil
	}
	id, err := uuid.Parse(chosen)
	if err == nil && is != nil && id == *is {
		return is, nil
	}
	var n int64
	if err == nil {
		if err := tx.Model(&models.Chapter{}).Where("id = ? AND closed_at IS NULL", id).Count(&n).Error; err != nil {
			return nil, err
		}
	}
	if n == 0 {
		bad.Add("chapter", "error.value_unknown")
	}
	return &id, nil
}

// setPhones makes the numbers of a record those that were typed. A number that is there already stays as it is, however it
// was written now.
func (s *Service) setPhones(ctx context.Context, tx *gorm.DB, id uuid.UUID, there []Phone, typed []string, country string) (changed bool, err error) {
	now, keep := s.clk.Now(), map[uuid.UUID]bool{}
	var fresh []models.Phone
	for _, t := range typed {
		p := NewPhone(s.vault, id, t, country, now)
		i := slices.IndexFunc(there, func(x Phone) bool { return x.Number == t || bytes.Equal(x.hash, p.NumberHash) })
		if i >= 0 {
			keep[there[i].ID] = true
			continue
		}
		fresh = append(fresh, p)
	}
	for _, x := range there {
		if !keep[x.ID] {
			changed = true
			if err := tx.Where("id = ?", x.ID).Delete(&models.Phone{}).Error; err != nil {
				return changed, err
			}
		}
	}
	if len(fresh) == 0 {
		return changed, nil
	}
	return true, tx.WithContext(ctx).Clauses(SamePhone()).Create(&fresh).Error
}

// Add makes the record of a person whom an organizer writes down by hand, and returns its id. The person can be contacted for nothing until a consent is
// recorded. It needs the right actor.EditSupporters; the record belongs to the actor's chapter. The fault is Invalid: on the field
// "email" for an address that has a record already (error.supporter_there, with its id as the argument "ID"), for one whose
// owner had everything erased (error.supporter_erased), and for somebody of a chapter, who must not learn which of these it is,
// error.supporter_not_added wherever it is no record that they may see.
func (s *Service) Add(ctx context.Context, a actor.Actor, email string, in Draft) (id uuid.UUID, err error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return uuid.Nil, err
	}
	var bad fault.Fields
	f, numbers := in.facts(&bad), in.numbers(&bad)
	f.Source = SourceHand
	now := s.clk.Now()
	row, err := mailboxes.NewRow(s.vault, email, now)
	var e *fault.Error
	if errors.As(err, &e) && e.Kind == fault.Invalid {
		bad.Add("email", e.Key, e.Args...)
	} else if err != nil {
		return uuid.Nil, err
	}
	return id, s.db.Tx(ctx, func(tx *gorm.DB) error {
		bad := slices.Clone(bad)
		chapter, err := chapterChoice(tx, a, in.Chapter, a.Chapter(), &bad)
		if err != nil {
			return err
		}
		if err := bad.Err(); err != nil {
			return err
		}
		refuse := func(key string, args ...any) error {
			if a.Chapter() != nil && key != "error.supporter_there" {
				key = "error.supporter_not_added"
			}
			return fault.Fields{{Name: "email", Key: key, Args: args}}.Err()
		}
		boxes, _, err := mailboxes.EnsureAll(ctx, tx, []models.Mailbox{row})
		if err != nil {
			return err
		}
		// Once the address is held: who is erased at this moment is erased before or after, never in between.
		var erased int64
		if err := tx.Model(&models.Erasure{}).Where("address_hash = ?", row.AddressHash).Count(&erased).Error; err != nil {
			return err
		}
		if erased > 0 {
			return refuse("error.supporter_erased")
		}
		box := boxes[string(row.AddressHash)]
		if box.SupporterID != nil {
			_, err := visible(ctx, tx, a, *box.SupporterID)
			if fault.Is(err, fault.NotFound) {
				return refuse("error.supporter_not_added")
			}
			if err != nil {
				return err
			}
			return refuse("error.supporter_there", "ID", box.SupporterID.String())
		}
		person := NewRow(s.vault, models.NewID(), f, now)
		person.ChapterID = chapter
		if err := tx.Create(&person).Error; err != nil {
			return err
		}
		id = person.ID
		if err := SetMailbox(ctx, tx, box.ID, id, now); err != nil {
			return err
		}
		if _, err := s.setPhones(ctx, tx, id, nil, numbers, f.Country); err != nil {
			return err
		}
		if f.PostalArea != "" {
			if err := Placed(ctx, tx, []uuid.UUID{id}, now); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "supporter.add", "supporters", id, nil)
	})
}
