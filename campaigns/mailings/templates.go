package mailings

import (
	"context"
	"embed"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Templates are texts that mailings begin with: some are part of the program, templates/NAME.LANGUAGE.md, each with its subject and
// preheader above a line of three hyphens; others an organisation keeps of its own mailings.

//go:embed templates/*.md
var templateFiles embed.FS

// builtIn names those that are part of the program, in the order they are offered. Their words are the locale keys
// "mailings.template_NAME".
var builtIn = []string{"newsletter", "action", "event", "thanks"}

// MaxTemplateName is how long a template's name can be, in characters.
const MaxTemplateName = 80

// Template is what a mailing can begin with.
type Template struct {
	Key  string // for To.Template
	Name string // of an own one; "" where the program's words name it
	ID   uuid.UUID
}

// BuiltIn reports whether it is part of the program.
func (t Template) BuiltIn() bool { return t.ID == uuid.Nil }

// Templates lists what mailings can begin with: those of the program, then the organisation's own by name, at most 200. It needs the
// right actor.WriteMailing.
func (s *Service) Templates(ctx context.Context, a actor.Actor) ([]Template, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return nil, err
	}
	var out []Template
	for _, name := range builtIn {
		out = append(out, Template{Key: name})
	}
	var rows []models.MailTemplate
	err := s.DB.WithContext(ctx).Select("id", "name").Scopes(chapters.Scope(a, "chapter_id")).Order("name, id").Limit(200).Find(&rows).Error
	for _, r := range rows {
		out = append(out, Template{Key: r.ID.String(), Name: r.Name, ID: r.ID})
	}
	return out, err
}

// builtInText is one of the program's in a language, in English where there is none.
func builtInText(name, lang string) (Text, error) {
	short, _, _ := strings.Cut(lang, "-")
	b, err := templateFiles.ReadFile("templates/" + name + "." + short + ".md")
	if err != nil {
		b, err = templateFiles.ReadFile("templates/" + name + ".en.md")
	}
	if err != nil {
		return Text{}, err
	}
	head, body, ok := strings.Cut(string(b), "\n---\n")
	subject, preheader, _ := strings.Cut(head, "\n")
	if !ok {
		return Text{}, errors.New("mailings: a template without its head: " + name)
	}
	return Text{Locale: lang, Lines: []Line{{strings.TrimSpace(subject), strings.TrimSpace(preheader)}}, Body: strings.TrimLeft(body, "\n")}, nil
}

// template reads what a mailing begins with. One that the actor may not see is an Invalid fault on "template".
func (s *Service) template(ctx context.Context, tx *gorm.DB, a actor.Actor, key, lang string) (Written, error) {
	if slices.Contains(builtIn, key) {
		t, err := builtInText(key, lang)
		return Written{Texts: []Text{t}}, err
	}
	var bad fault.Fields
	bad.Add("template", "error.mailing_template_unknown")
	id, err := uuid.Parse(key)
	if err != nil {
		return Written{}, bad.Err()
	}
	var r models.MailTemplate
	err = tx.WithContext(ctx).Take(&r, "id = ?", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && !chapters.May(a, r.ChapterID) {
		return Written{}, bad.Err()
	}
	if err != nil {
		return Written{}, err
	}
	return decode(r.Content)
}

// SaveTemplate keeps what a mailing says as a template of the actor's chapter, in all its languages. It needs the right
// actor.WriteMailing. A name that is missing, too long or taken is an Invalid fault on "name".
func (s *Service) SaveTemplate(ctx context.Context, a actor.Actor, mailing uuid.UUID, name string) (uuid.UUID, error) {
	m, err := s.Get(ctx, a, mailing)
	if err != nil {
		return uuid.Nil, err
	}
	name = oneLine(name)
	var bad fault.Fields
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		bad.Add("name", "error.mailing_template_name")
	case n > MaxTemplateName:
		bad.Add("name", "error.text_too_long", "Max", MaxTemplateName, "Over", n-MaxTemplateName)
	}
	if err := bad.Err(); err != nil {
		return uuid.Nil, err
	}
	t := models.MailTemplate{ID: models.NewID(), Name: name, ChapterID: a.Chapter(), CreatedBy: a.Account(), CreatedAt: s.Clock.Now()}
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var same int64
		if err := tx.Model(&models.MailTemplate{}).Scopes(chapters.Scope(a, "chapter_id")).Where("name = ?", name).Count(&same).Error; err != nil {
			return err
		}
		if same > 0 {
			bad.Add("name", "error.mailing_template_taken")
			return bad.Err()
		}
		texts, err := textsOf(ctx, tx, m)
		if err != nil {
			return err
		}
		t.Content = Written{texts, m.NamesCause}.encode()
		if err := tx.Create(&t).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, t.CreatedAt, "mail_template.create", "mail_templates", t.ID, nil)
	})
	return t.ID, err
}

// DeleteTemplate removes a template; mailings that began with it stay. It needs the right actor.WriteMailing. One that the actor may
// not see is a NotFound fault.
func (s *Service) DeleteTemplate(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.WriteMailing); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r := tx.Scopes(chapters.Scope(a, "chapter_id")).Where("id = ?", id).Delete(&models.MailTemplate{})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return fault.New(fault.NotFound, "error.mailing_template_unknown")
		}
		return audit.Write(ctx, tx, a, s.Clock.Now(), "mail_template.delete", "mail_templates", id, nil)
	})
}
