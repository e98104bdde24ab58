package organisation

import (
	"context"
	"embed"
	"errors"
	"regexp"
	"slices"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

//go:embed texts/*.md
var texts embed.FS

// The texts that an organisation may put in its own words.
const (
	Privacy       = "privacy"
	Accessibility = "accessibility"
)

// TextNames lists the texts.
var TextNames = []string{Privacy, Accessibility}

// maxText is the length of a text, in characters.
const maxText = 40_000

// DefaultText is the built-in text, Markdown with places to fill: {organisation}, {legal_name}, {postal_address}, {email},
// {phone}, {minimum_age}. It returns a NotFound fault for a name or language that there is not.
func DefaultText(name, lang string) (string, error) {
	if !slices.Contains(TextNames, name) || !slices.Contains(Languages, lang) {
		return "", fault.New(fault.NotFound, "error.not_found")
	}
	b, err := texts.ReadFile("texts/" + name + "." + lang + ".md")
	return string(b), err
}

// RawText returns a text as it stands in the form: the organisation's own, else the built-in one, places not filled.
func (s *Service) RawText(ctx context.Context, name, lang string) (string, error) {
	def, err := DefaultText(name, lang)
	if err != nil {
		return "", err
	}
	var rows []models.SiteText
	if err := s.db.WithContext(ctx).Where("name = ? AND locale = ?", name, lang).Limit(1).Find(&rows).Error; err != nil {
		return "", err
	}
	if len(rows) == 0 {
		return def, nil
	}
	return rows[0].Body, nil
}

// Text returns a text as people read it: Markdown with its places filled. A line whose place has nothing to stand there,
// such as a phone number, is left out.
func (s *Service) Text(ctx context.Context, name, lang string) (string, error) {
	raw, err := s.RawText(ctx, name, lang)
	if err != nil {
		return "", err
	}
	o, err := s.Current(ctx)
	if err != nil {
		return "", err
	}
	return fill(raw, o), nil
}

var place = regexp.MustCompile(`\{(organisation|legal_name|postal_address|email|phone|minimum_age)\}`)

// special are the characters that mean something in Markdown: a value is text, not markup.
var special = regexp.MustCompile("[\\\\`*_\\[\\]<>#]")

func fill(raw string, o models.Organisation) string {
	email := o.ReplyTo
	if email == "" {
		email = o.FromAddress
	}
	values := map[string]string{
		"organisation": o.Name, "legal_name": o.LegalName, "email": email, "phone": o.Phone, "minimum_age": o.MinimumAge,
		"postal_address": strings.Join(strings.FieldsFunc(o.PostalAddress, func(r rune) bool { return r == '\n' }), ", "),
	}
	var out []string
	for _, l := range strings.Split(strings.ReplaceAll(raw, "\r\n", "\n"), "\n") {
		empty := false
		l = place.ReplaceAllStringFunc(l, func(p string) string {
			v := strings.TrimSpace(values[strings.Trim(p, "{}")])
			empty = empty || v == ""
			return special.ReplaceAllString(v, `\$0`)
		})
		if !empty {
			out = append(out, l)
		}
	}
	return strings.TrimSpace(strings.Join(out, "\n")) + "\n"
}

// SetText changes a text. An empty one, or one that equals the built-in text, goes back to the built-in text. It needs the
// right actor.Administer and returns a NotFound fault for an unknown name or language, an Invalid one on the field
// <name>_<lang> for a text that is too long.
func (s *Service) SetText(ctx context.Context, a actor.Actor, name, lang, body string) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	def, err := DefaultText(name, lang)
	if err != nil {
		return err
	}
	var f fault.Fields
	body = lines(&f, name+"_"+lang, body, maxText)
	if err := f.Err(); err != nil {
		return err
	}
	if body != "" {
		body += "\n"
	}
	now := s.clock.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		var old models.SiteText
		err := tx.Where("name = ? AND locale = ?", name, lang).Take(&old).Error
		if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
			return err
		}
		if body == "" || body == def {
			if old.Body == "" {
				return nil
			}
			if err := tx.Where("name = ? AND locale = ?", name, lang).Delete(&models.SiteText{}).Error; err != nil {
				return err
			}
		} else {
			if body == old.Body {
				return nil
			}
			row := models.SiteText{ID: models.NewID(), Name: name, Locale: lang, Body: body, UpdatedAt: now}
			row.UpdatedBy = a.Account()
			err := tx.Clauses(clause.OnConflict{
				Columns:   []clause.Column{{Name: "name"}, {Name: "locale"}},
				DoUpdates: clause.AssignmentColumns([]string{"body", "updated_by", "updated_at"}),
			}).Create(&row).Error
			if err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "organisation.text", "site_texts", ID, map[string]any{"name": name, "language": lang})
	})
}
