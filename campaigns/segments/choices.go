package segments

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/models"
)

// maxChoices is how many rows a choice lists.
const maxChoices = 500

// maxSuggestions is how many places a search suggests.
const maxSuggestions = 1000

// labelled is a row of a choice.
type labelled struct {
	ID    uuid.UUID
	Label string
}

// rowsOf are choices from a table that everybody may read: label, order and where are SQL of this program.
func rowsOf(table, label, order, where string) *Choices {
	return choices(table, label, order, where, false)
}

// chapterRows are choices from a table whose rows belong to chapters.
func chapterRows(table, label, order, where string) *Choices {
	return choices(table, label, order, where, true)
}

func choices(table, label, order, where string, byChapter bool) *Choices {
	query := func(ctx context.Context, tx *gorm.DB, a actor.Actor) *gorm.DB {
		q := tx.WithContext(ctx).Table(table).Select("id, " + label + " AS label")
		if byChapter {
			q = q.Scopes(chapters.Scope(a, "chapter_id"))
		}
		return q
	}
	return &Choices{
		List: func(ctx context.Context, tx *gorm.DB, a actor.Actor) ([]Option, error) {
			var rows []labelled
			q := query(ctx, tx, a)
			if where != "" {
				q = q.Where(where)
			}
			err := q.Order(order + ", id").Limit(maxChoices).Scan(&rows).Error
			out := make([]Option, len(rows))
			for i, r := range rows {
				out[i] = Option{Value: r.ID.String(), Label: r.Label}
			}
			return out, err
		},
		Label: func(ctx context.Context, tx *gorm.DB, a actor.Actor, value string) (string, bool, error) {
			id, err := uuid.Parse(value)
			if err != nil {
				return "", false, nil
			}
			var rows []labelled
			err = query(ctx, tx, a).Where("id = ?", id).Scan(&rows).Error
			if len(rows) == 0 {
				return "", false, err
			}
			return rows[0].Label, true, err
		},
	}
}

// The rows that kinds choose from.
var (
	tagChoices      = rowsOf("tags", "name", "name_key", "")
	petitionChoices = rowsOf("petitions", "title", "created_at DESC", "state <> 'draft'")
	campaignChoices = rowsOf("campaigns", "title", "created_at DESC", "")
	formChoices     = chapterRows("forms", "title", "created_at DESC", "state <> 'draft'")
	mailingChoices  = chapterRows("mailings", "subject", "created_at DESC", "frozen_at IS NOT NULL")
	segmentChoices  = chapterRows("segments", "name", "created_at DESC", "archived_at IS NULL")
)

// noChapter is the choice of people who belong to no chapter.
const noChapter = "none"

var chapterChoices = &Choices{
	List: func(ctx context.Context, tx *gorm.DB, a actor.Actor) ([]Option, error) {
		var rows []labelled
		err := tx.WithContext(ctx).Table("chapters").Select("id, name AS label").Scopes(chapters.Scope(a, "id")).Order("name, id").Limit(maxChoices).Scan(&rows).Error
		var out []Option
		for _, r := range rows {
			out = append(out, Option{Value: r.ID.String(), Label: r.Label})
		}
		if a.Chapter() == nil {
			out = append(out, Option{Value: noChapter, Key: "segments.no_chapter"})
		}
		return out, err
	},
	Label: func(ctx context.Context, tx *gorm.DB, a actor.Actor, value string) (string, bool, error) {
		id, err := uuid.Parse(value)
		if err != nil {
			return "", value == noChapter && a.Chapter() == nil, nil // its words come from its key
		}
		var rows []labelled
		err = tx.WithContext(ctx).Table("chapters").Select("id, name AS label").Scopes(chapters.Scope(a, "id")).Where("id = ?", id).Scan(&rows).Error
		if len(rows) == 0 {
			return "", false, err
		}
		return rows[0].Label, true, err
	},
}

// divisionChoices are places by their Open Civic Data ids. Those in which somebody lives whom the actor may see are suggested.
var divisionChoices = &Choices{
	List: func(ctx context.Context, tx *gorm.DB, a actor.Actor) ([]Option, error) {
		var rows []models.Division
		lived, args := "SELECT 1 FROM supporter_divisions s WHERE s.division_id = divisions.id", []any(nil)
		if a.Chapter() != nil { // where people of other chapters live is not theirs to know
			where, more := chapters.SQL(a, "p.chapter_id")
			lived, args = lived+" AND EXISTS (SELECT 1 FROM supporters p WHERE p.id = s.supporter_id AND "+where+")", more
		}
		err := tx.WithContext(ctx).Select("ocd_id", "name").Where("EXISTS ("+lived+")", args...).
			Order("ocd_id").Limit(maxSuggestions).Find(&rows).Error
		out := make([]Option, len(rows))
		for i, r := range rows {
			out[i] = Option{Value: r.OCDID, Label: r.Name}
		}
		return out, err
	},
	Label: func(ctx context.Context, tx *gorm.DB, _ actor.Actor, value string) (string, bool, error) {
		var rows []models.Division
		err := tx.WithContext(ctx).Select("ocd_id", "name").Where("ocd_id = ?", value).Limit(1).Find(&rows).Error
		if len(rows) == 0 {
			return "", false, err
		}
		if rows[0].Name == "" {
			return value, true, err
		}
		return rows[0].Name, true, err
	},
}

// anyScope stands for every campaign, topic or partner of a purpose.
const anyScope = "any"

// consentScopes are the tables of the scopes of purposes, and how their rows are called.
var consentScopes = map[string]string{"campaigns": "title", "topics": "name", "partners": "name"}

// scopeRows are the choices of one purpose's scopes.
func scopeRows(p models.Purpose) *Choices {
	return rowsOf(p.Scope(), consentScopes[p.Scope()], "created_at DESC", "")
}

// consentChoices are purposes with their scopes: "updates/" and the campaign's id, "newsletter/" and the topic's, "phone/" and
// uuid.Nil; "updates/any" for all of them.
var consentChoices = &Choices{
	List: func(ctx context.Context, tx *gorm.DB, a actor.Actor) ([]Option, error) {
		var out []Option
		for _, p := range models.Purposes {
			if hasNil(p) {
				out = append(out, Option{Value: string(p) + "/" + uuid.Nil.String(), Key: "segments.to_" + string(p)})
			}
			if p.Scope() == "" {
				continue
			}
			out = append(out, Option{Value: string(p) + "/" + anyScope, Key: "segments.to_" + string(p) + "_any"})
			rows, err := scopeRows(p).List(ctx, tx, a)
			if err != nil {
				return nil, err
			}
			for _, r := range rows {
				out = append(out, Option{Value: string(p) + "/" + r.Value, Key: "segments.to_" + string(p) + "_one", Label: r.Label})
			}
		}
		return out, nil
	},
	Label: func(ctx context.Context, tx *gorm.DB, a actor.Actor, value string) (string, bool, error) {
		purpose, scope, _ := strings.Cut(value, "/")
		p := models.Purpose(purpose)
		switch {
		case !slices.Contains(models.Purposes, p):
			return "", false, nil
		case scope == uuid.Nil.String():
			return "", hasNil(p), nil
		case p.Scope() == "":
			return "", false, nil
		case scope == anyScope:
			return "", true, nil
		}
		return scopeRows(p).Label(ctx, tx, a, scope)
	},
}

// hasNil reports whether a consent to the purpose may be without a scope.
func hasNil(p models.Purpose) bool {
	return p.Scope() == "" || p == models.PurposeNewsletter || p == models.PurposePublish
}

// importChoices are imports that changed something, by when they were. Their label is the day: a file's name is sealed, since it
// may hold a person's.
var importChoices = &Choices{
	List: func(ctx context.Context, tx *gorm.DB, a actor.Actor) ([]Option, error) {
		var rows []models.Import
		err := importRows(ctx, tx, a).Order("created_at DESC, id DESC").Limit(maxChoices).Find(&rows).Error
		out := make([]Option, len(rows))
		for i, r := range rows {
			out[i] = Option{Value: r.ID.String(), Label: importLabel(r)}
		}
		return out, err
	},
	Label: func(ctx context.Context, tx *gorm.DB, a actor.Actor, value string) (string, bool, error) {
		id, err := uuid.Parse(value)
		if err != nil {
			return "", false, nil
		}
		var rows []models.Import
		err = importRows(ctx, tx, a).Where("id = ?", id).Find(&rows).Error
		if len(rows) == 0 {
			return "", false, err
		}
		return importLabel(rows[0]), true, err
	},
}

func importRows(ctx context.Context, tx *gorm.DB, a actor.Actor) *gorm.DB {
	return tx.WithContext(ctx).Scopes(chapters.Scope(a, "chapter_id")).Where("NOT dry_run AND rows_done > 0")
}

func importLabel(m models.Import) string {
	l := m.CreatedAt.Format("2006-01-02 15:04")
	if m.BasisSource != "" {
		l += ", " + m.BasisSource
	}
	return l
}
