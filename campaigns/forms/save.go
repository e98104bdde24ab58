package forms

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// Limits of what a form says, in characters, and of what it asks.
const (
	TitleMax     = 80
	IntroMax     = 5000
	ThanksMax    = 5000
	questionsMax = 40
	tagsMax      = 20
	hostsMax     = 20
)

// Draft is everything about a form that its page lets an organizer write. The comments name its fields.
type Draft struct {
	Title      string         // title
	Intro      string         // intro: Markdown
	Thanks     string         // thanks: Markdown
	Locale     string         // locale
	Questions  []Question     // questions, in the order of the form
	Asks       []consents.Ask // consents
	Tags       []string       // tags: names
	ChapterID  *uuid.UUID     // chapter
	CampaignID *uuid.UUID     // campaign
	Hosts      string         // hosts: sites that may show the form in a frame, one a line
}

// SaveInput is a draft as it was typed over the revision that the page showed.
type SaveInput struct {
	Draft
	Revision int
}

// Create makes the draft of a form. It needs actor.EditSupporters; a chapter's account makes it for its chapter. The fault is
// Invalid with the field title or locale.
func (s *Service) Create(ctx context.Context, a actor.Actor, title, locale string) (models.Form, error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return models.Form{}, err
	}
	d := Draft{Title: title, Locale: locale}
	bad := d.check()
	if d.Title == "" {
		bad.Add("title", "error.title_missing")
	}
	if err := bad.Err(); err != nil {
		return models.Form{}, err
	}
	now := s.clk.Now()
	f := models.Form{
		ID: models.NewID(), Title: d.Title, Locale: d.Locale, State: models.FormDraft, Questions: write([]Question{{Key: GivenName}, {Key: FamilyName}}), Consents: "[]",
		Tags: "[]", ChapterID: a.Chapter(), Revision: 1, CreatedBy: a.Account(), CreatedAt: now, UpdatedAt: now,
	}
	f.Slug = campaigns.DraftSlug(f.ID)
	return f, s.db.Tx(ctx, func(tx *gorm.DB) error {
		if err := tx.Create(&f).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "form.create", "forms", f.ID, nil)
	})
}

// Get returns a form for who works on it. It needs actor.EditSupporters; the fault is NotFound, error.form_unknown, also for
// one of another chapter.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Form, error) {
	return s.mine(ctx, s.db.DB, a, id)
}

func (s *Service) mine(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Form, error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return models.Form{}, err
	}
	f, err := take(ctx, tx, "id = ?", id)
	if err == nil && !chapters.May(a, f.ChapterID) {
		return models.Form{}, unknown()
	}
	return f, err
}

// check trims a draft and notes what cannot be stored as it is.
func (d *Draft) check() (bad fault.Fields) {
	d.Title = strings.Join(strings.Fields(d.Title), " ")
	for _, x := range []struct {
		field string
		v     *string
		most  int
	}{{"title", &d.Title, TitleMax}, {"intro", &d.Intro, IntroMax}, {"thanks", &d.Thanks, ThanksMax}} {
		*x.v = strings.TrimSpace(strings.ReplaceAll(*x.v, "\r\n", "\n"))
		if n := utf8.RuneCountInString(*x.v); n > x.most {
			bad.Add(x.field, "error.text_too_long", "Max", x.most, "Over", n-x.most)
		}
	}
	if !localeForm.MatchString(d.Locale) {
		bad.Add("locale", "error.value_unknown")
	}
	if len(d.Questions) > questionsMax {
		bad.Add("questions", "error.form_questions", "Max", questionsMax)
	}
	hosts, ok := cleanHosts(d.Hosts)
	if !ok {
		bad.Add("hosts", "error.form_hosts")
	}
	d.Hosts = hosts
	var tags []string
	for _, t := range d.Tags {
		if t = strings.Join(strings.Fields(t), " "); t != "" && !slices.Contains(tags, t) {
			tags = append(tags, t)
		}
	}
	if d.Tags = tags; len(tags) > tagsMax {
		bad.Add("tags", "error.form_tags", "Max", tagsMax)
	}
	return bad
}

var hostForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(:[0-9]{1,5})?$`)

// cleanHosts reads the sites that may show a form, however they were typed, and returns them as a Content-Security-Policy has
// them: https://www.example.org. Plain http is for this machine alone.
func cleanHosts(typed string) (string, bool) {
	var out []string
	ok := true
	for _, line := range strings.FieldsFunc(typed, func(r rune) bool { return r == '\n' || r == '\r' || r == ' ' || r == ',' || r == '\t' }) {
		line = strings.ToLower(line)
		if !strings.Contains(line, "://") {
			line = "https://" + line
		}
		u, err := url.Parse(line)
		if err != nil || !hostForm.MatchString(u.Host) || u.Scheme != "https" && !(u.Scheme == "http" && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1")) ||
			u.Hostname() != "localhost" && !strings.Contains(u.Hostname(), ".") {
			ok = false
			continue
		}
		if h := u.Scheme + "://" + u.Host; !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	if !ok || len(out) > hostsMax {
		return typed, false
	}
	return strings.Join(out, "\n"), true
}

// Save keeps a form. Nothing is kept when it cannot be stored as it is (Invalid, with fields) or when it was changed by
// another page since (Conflict, error.form_changed: what is stored comes back beside it). An open form changes at once for
// whoever opens it next. It needs what Get needs.
func (s *Service) Save(ctx context.Context, a actor.Actor, id uuid.UUID, in SaveInput) (models.Form, error) {
	f, err := s.mine(ctx, s.db.DB, a, id)
	if err != nil {
		return models.Form{}, err
	}
	bad := in.check()
	if f.State != models.FormDraft && in.Title == "" {
		bad.Add("title", "error.title_missing")
	}
	if err := bad.Err(); err != nil {
		return f, err
	}
	now := s.clk.Now()
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		if f, err = s.mine(ctx, tx, a, id); err != nil {
			return err
		}
		set, err := s.columns(ctx, tx, a, f, in.Draft, now)
		if err != nil {
			return err
		}
		if same(f, set) {
			return nil
		}
		if f.Revision != in.Revision {
			return fault.New(fault.Conflict, "error.form_changed")
		}
		set["revision"], set["updated_at"] = in.Revision+1, now
		r := tx.Model(&models.Form{}).Where("id = ? AND revision = ?", id, in.Revision).Updates(set)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			if f, err = take(ctx, tx, "id = ?", id); err != nil {
				return err
			}
			return fault.New(fault.Conflict, "error.form_changed")
		}
		if err := audit.Write(ctx, tx, a, now, "form.save", "forms", id, map[string]any{"revision": in.Revision + 1}); err != nil {
			return err
		}
		f, err = take(ctx, tx, "id = ?", id)
		return err
	})
	return f, err
}

func same(f models.Form, set map[string]any) bool {
	id := func(p *uuid.UUID) uuid.UUID {
		if p == nil {
			return uuid.Nil
		}
		return *p
	}
	chapter, _ := set["chapter_id"].(*uuid.UUID)
	campaign, _ := set["campaign_id"].(*uuid.UUID)
	return f.Title == set["title"] && f.Intro == set["intro"] && f.Thanks == set["thanks"] && f.Locale == set["locale"] && f.Questions == set["questions"] &&
		f.Consents == set["consents"] && f.Tags == set["tags"] && f.EmbedHosts == set["embed_hosts"] && id(f.ChapterID) == id(chapter) && id(f.CampaignID) == id(campaign)
}

// columns makes a draft into what is stored: only questions, consents, a chapter and a campaign that the actor may choose.
func (s *Service) columns(ctx context.Context, tx *gorm.DB, a actor.Actor, f models.Form, d Draft, now time.Time) (map[string]any, error) {
	c, err := s.choices(ctx, tx, a, f)
	if err != nil {
		return nil, err
	}
	var questions []Question
	for _, q := range d.Questions {
		known := slices.ContainsFunc(c.Questions, func(k Asked) bool { return k.Key == q.Key })
		if known && !slices.ContainsFunc(questions, func(o Question) bool { return o.Key == q.Key }) {
			questions = append(questions, q)
		}
	}
	// What the actor may not see was asked for by somebody else, and stays.
	for _, q := range QuestionsOf(f) {
		if fieldID(q.Key) != uuid.Nil && !slices.ContainsFunc(c.Questions, func(k Asked) bool { return k.Key == q.Key }) {
			questions = append(questions, q)
		}
	}
	var asks []consents.Ask
	for _, ask := range c.Asks {
		if slices.Contains(d.Asks, ask) {
			asks = append(asks, ask)
		}
	}
	var tags []uuid.UUID
	for _, name := range d.Tags {
		t, err := supporters.EnsureTag(ctx, tx, name, now)
		if e := asFault(err); e != nil {
			return nil, fault.Fields{{Name: "tags", Key: e.Key, Args: e.Args}}.Err()
		}
		if err != nil {
			return nil, err
		}
		tags = append(tags, t.ID)
	}
	chapter := f.ChapterID
	if a.Chapter() == nil {
		chapter = nil
		if d.ChapterID != nil {
			if !slices.ContainsFunc(c.Chapters, func(x models.Chapter) bool { return x.ID == *d.ChapterID }) {
				return nil, fault.Fields{{Name: "chapter", Key: "error.value_unknown"}}.Err()
			}
			chapter = d.ChapterID
		}
	}
	if d.CampaignID != nil && !slices.ContainsFunc(c.Campaigns, func(x models.Campaign) bool { return x.ID == *d.CampaignID }) {
		return nil, fault.Fields{{Name: "campaign", Key: "error.value_unknown"}}.Err()
	}
	return map[string]any{
		"title": d.Title, "intro": d.Intro, "thanks": d.Thanks, "locale": d.Locale, "questions": write(questions), "consents": write(asks), "tags": write(tags),
		"chapter_id": chapter, "campaign_id": d.CampaignID, "embed_hosts": d.Hosts,
	}, nil
}

// Choices is what a form can be made of.
type Choices struct {
	Questions []Asked // those of the form first, in its order
	Asks      []consents.Ask
	Boxes     []consents.Box // Asks in words, in the form's language
	Tags      []string       // names of those that the form sets
	Chapters  []models.Chapter
	Campaigns []models.Campaign
}

// Choices lists what a form can be made of. It needs what Get needs.
func (s *Service) Choices(ctx context.Context, a actor.Actor, id uuid.UUID) (Choices, error) {
	f, err := s.mine(ctx, s.db.DB, a, id)
	if err != nil {
		return Choices{}, err
	}
	c, err := s.choices(ctx, s.db.DB, a, f)
	if err != nil {
		return c, err
	}
	if c.Boxes, err = s.consents.Boxes(ctx, c.Asks, f.Locale); err != nil {
		return c, err
	}
	var tags []models.Tag
	if ids := TagsOf(f); len(ids) > 0 {
		err = s.db.WithContext(ctx).Where("id IN ?", ids).Order("name_key").Find(&tags).Error
	}
	for _, t := range tags {
		c.Tags = append(c.Tags, t.Name)
	}
	return c, err
}

// sees says which custom fields a role works with, by the narrowest role that sees them.
var sees = map[actor.Role][]string{
	actor.Owner:       {"owner", "organizer", "coordinator"},
	actor.Organizer:   {"organizer", "coordinator"},
	actor.Coordinator: {"coordinator"},
}

func (s *Service) choices(ctx context.Context, tx *gorm.DB, a actor.Actor, f models.Form) (c Choices, err error) {
	tx = tx.WithContext(ctx)
	seenBy := sees[a.Role]
	if a.Kind == actor.System {
		seenBy = sees[actor.Owner]
	}
	var fields []models.CustomField
	if err := tx.Where("archived_at IS NULL AND seen_by IN ?", seenBy).Order("position, id").Find(&fields).Error; err != nil {
		return c, err
	}
	all := make([]Asked, 0, len(RecordKeys)+len(fields))
	for _, key := range RecordKeys {
		all = append(all, Asked{Question: Question{Key: key}})
	}
	for _, field := range fields {
		all = append(all, Asked{Question: Question{Key: FieldKey(field.ID)}, Field: &field})
	}
	for _, q := range QuestionsOf(f) {
		if i := slices.IndexFunc(all, func(x Asked) bool { return x.Key == q.Key }); i >= 0 {
			x := all[i]
			x.Required = q.Required
			c.Questions, all = append(c.Questions, x), slices.Delete(all, i, i+1)
		}
	}
	c.Questions = append(c.Questions, all...)
	if err := tx.Where("closed_at IS NULL").Order("name, id").Find(&c.Chapters).Error; err != nil {
		return c, err
	}
	if err := tx.Select("id", "title").Where("state = ?", models.CampaignPublished).Order("created_at DESC, id").Limit(200).Find(&c.Campaigns).Error; err != nil {
		return c, err
	}
	c.Asks, err = asksFor(ctx, tx, f)
	return c, err
}

// asks lists everything that a form can ask consent to.
func asksFor(ctx context.Context, tx *gorm.DB, f models.Form) ([]consents.Ask, error) {
	out, err := consents.NewsletterAsks(ctx, tx)
	if err != nil {
		return nil, err
	}
	if f.CampaignID != nil {
		out = append(out, consents.Ask{Purpose: models.PurposeUpdates, ScopeID: *f.CampaignID}, consents.Ask{Purpose: models.PurposePublish, ScopeID: *f.CampaignID})
	} else {
		out = append(out, consents.Ask{Purpose: models.PurposePublish})
	}
	out = append(out, consents.Ask{Purpose: models.PurposeVolunteering}, consents.Ask{Purpose: models.PurposePhone})
	var partners []models.Partner
	if err := tx.Where("archived_at IS NULL").Order("name, id").Find(&partners).Error; err != nil {
		return nil, err
	}
	for _, p := range partners {
		out = append(out, consents.Ask{Purpose: models.PurposeShare, ScopeID: p.ID})
	}
	return out, nil
}

// SetState opens a form or closes it. When it first opens its address is fixed. It needs what Get needs. The faults are
// Invalid with the field title where it has none, and Invalid with the field state for any state but open and closed.
func (s *Service) SetState(ctx context.Context, a actor.Actor, id uuid.UUID, state models.FormState) (models.Form, error) {
	var f models.Form
	if state != models.FormOpen && state != models.FormClosed {
		if err := a.Need(actor.EditSupporters); err != nil {
			return f, err
		}
		return f, fault.Fields{{Name: "state", Key: "error.value_unknown"}}.Err()
	}
	now := s.clk.Now()
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if f, err = s.mine(ctx, tx, a, id); err != nil || f.State == state {
			return err
		}
		if f.Title == "" {
			return fault.Fields{{Name: "title", Key: "error.title_missing"}}.Err()
		}
		set := map[string]any{"state": state, "updated_at": now}
		if f.State == models.FormDraft {
			if set["slug"], err = campaigns.FreeSlug(ctx, tx, &models.Form{}, f.Title, f.ID); err != nil {
				return err
			}
		}
		if err := tx.Model(&models.Form{}).Where("id = ?", id).Updates(set).Error; err != nil {
			return err
		}
		verb := map[models.FormState]string{models.FormOpen: "form.open", models.FormClosed: "form.close"}[state]
		if err := audit.Write(ctx, tx, a, now, verb, "forms", id, nil); err != nil {
			return err
		}
		f, err = take(ctx, tx, "id = ?", id)
		return err
	})
	return f, err
}
