package consents

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/models"
)

// A wording is what stands beside a box, with places to fill: {organisation}, {topic}, {campaign}, {partner}. The first line
// is the box's label, the rest stands below it. The built-in wordings can be put in the organisation's own words; every
// version is kept, in the table of the exact words, under a purpose of its own that no consent can be given for.

//go:embed wordings/*.json
var builtIn embed.FS

// WordingNames lists the wordings. newsletter_all and publish_all are for the purpose as a whole.
var WordingNames = []string{"updates", "newsletter", "newsletter_all", "volunteering", "phone", "publish", "publish_all", "share"}

// Places lists what a wording has to name, beside the organisation, which it may.
func Places(name string) []string {
	switch name {
	case "updates", "publish":
		return []string{"{campaign}"}
	case "newsletter":
		return []string{"{topic}"}
	case "share":
		return []string{"{organisation}", "{partner}"}
	}
	return []string{"{organisation}"}
}

// maxWording is the length of a wording, in characters.
const maxWording = 600

// versions is the purpose under which the versions of a wording are kept.
func versions(name string) models.Purpose { return models.Purpose("wording:" + name) }

// BuiltIn is a wording as the program brings it. A name or language that there is not is a NotFound fault.
func BuiltIn(name, lang string) (string, error) {
	b, err := builtIn.ReadFile("wordings/" + lang + ".json")
	if err != nil || !slices.Contains(organisation.Languages, lang) || !slices.Contains(WordingNames, name) {
		return "", fault.New(fault.NotFound, "error.not_found")
	}
	words := map[string]string{}
	if err := json.Unmarshal(b, &words); err != nil {
		return "", err
	}
	return words[name], nil
}

// wording is a wording as it stands now: the organisation's newest version, else the built-in one.
func wording(ctx context.Context, tx *gorm.DB, name, lang string) (string, error) {
	var rows []models.ConsentText
	err := tx.WithContext(ctx).Where("purpose = ? AND locale = ?", versions(name), lang).Order("version DESC").Limit(1).Find(&rows).Error
	if err != nil {
		return "", err
	}
	if len(rows) == 1 {
		return rows[0].Body, nil
	}
	return BuiltIn(name, lang)
}

// Wording is one wording in one language with its history.
type Wording struct {
	Name, Locale string
	Body         string               // as it stands now, places not filled
	BuiltIn      bool                 // Body is the program's own
	Versions     []models.ConsentText // the organisation's, newest first
	Shown        []ShownText          // the exact words that people agreed to, newest first
}

// ShownText is one version of exact words, and how many agree to them now.
type ShownText struct {
	Body      string
	CreatedAt time.Time
	InForce   int64
}

// shownMost is how many versions of exact words a page shows.
const shownMost = 50

// Wordings returns every wording in a language. It needs actor.SeeSupporters.
func (s *Service) Wordings(ctx context.Context, a actor.Actor, lang string) ([]Wording, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return nil, err
	}
	out := make([]Wording, 0, len(WordingNames))
	for _, name := range WordingNames {
		w, err := s.one(ctx, name, lang)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

func (s *Service) one(ctx context.Context, name, lang string) (Wording, error) {
	w := Wording{Name: name, Locale: lang}
	def, err := BuiltIn(name, lang)
	if err != nil {
		return w, err
	}
	if err := s.db.WithContext(ctx).Where("purpose = ? AND locale = ?", versions(name), lang).Order("version DESC").Find(&w.Versions).Error; err != nil {
		return w, err
	}
	w.Body, w.BuiltIn = def, true
	if len(w.Versions) > 0 {
		w.Body, w.BuiltIn = w.Versions[0].Body, w.Versions[0].Body == def
	}
	return w, nil
}

// Wording returns one wording with the exact words that forms made of it. It needs actor.SeeSupporters. The fault is
// NotFound, error.not_found.
func (s *Service) Wording(ctx context.Context, a actor.Actor, name, lang string) (Wording, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return Wording{}, err
	}
	w, err := s.one(ctx, name, lang)
	if err != nil {
		return w, err
	}
	purpose, all := strings.CutSuffix(name, "_all")
	scope := "c.scope_id <> ?"
	if all || models.Purpose(purpose).Scope() == "" {
		scope = "c.scope_id = ?"
	}
	err = s.db.WithContext(ctx).Raw(`SELECT t.body, t.created_at, count(c.id) AS in_force
		FROM consent_texts t JOIN consents c ON c.text_id = t.id AND c.withdrawn_at IS NULL
		WHERE t.purpose = ? AND t.locale = ? AND `+scope+` GROUP BY t.id, t.body, t.created_at ORDER BY t.created_at DESC LIMIT ?`,
		purpose, lang, uuid.Nil, shownMost).Scan(&w.Shown).Error
	return w, err
}

// SetWording puts a wording in the organisation's own words, as a new version; an empty one goes back to the built-in words,
// which is a version too. What people agreed to before stays as it was shown to them. It needs actor.EditSupporters in an
// account of the whole organisation. The faults are Invalid with the field body, and NotFound.
func (s *Service) SetWording(ctx context.Context, a actor.Actor, name, lang, body string) error {
	if err := a.Need(actor.Arrange); err != nil {
		return err
	}
	def, err := BuiltIn(name, lang)
	if err != nil {
		return err
	}
	body = strings.TrimSpace(strings.ReplaceAll(body, "\r\n", "\n"))
	if body == "" {
		body = def
	}
	var bad fault.Fields
	if n := utf8.RuneCountInString(body); n > maxWording {
		bad.Add("body", "error.text_too_long", "Max", maxWording, "Over", n-maxWording)
	}
	for _, place := range Places(name) {
		if !strings.Contains(body, place) && !bad.Has("body") {
			bad.Add("body", "error.wording_place", "Place", place)
		}
	}
	if err := bad.Err(); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		old, err := wording(ctx, tx, name, lang)
		if err != nil || old == body {
			return err
		}
		var last int
		if err := tx.Model(&models.ConsentText{}).Where("purpose = ? AND locale = ?", versions(name), lang).Select("COALESCE(MAX(version), 0)").Scan(&last).Error; err != nil {
			return err
		}
		row := models.ConsentText{ID: models.NewID(), Purpose: versions(name), Locale: lang, Version: last + 1, Body: body, CreatedAt: now}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "consent.wording", "consent_texts", row.ID, map[string]any{"name": name, "language": lang, "version": row.Version})
	})
}

// Ask is something that a form asks consent to.
type Ask struct {
	Purpose models.Purpose `json:"purpose"`
	ScopeID uuid.UUID      `json:"scope_id"`
}

// String names the ask in a form: "newsletter:0190...".
func (a Ask) String() string { return string(a.Purpose) + ":" + a.ScopeID.String() }

// ParseAsk reads what String wrote; ok is false for anything else.
func ParseAsk(s string) (a Ask, ok bool) {
	purpose, scope, _ := strings.Cut(s, ":")
	id, err := uuid.Parse(scope)
	a = Ask{models.Purpose(purpose), id}
	return a, err == nil && slices.Contains(models.Purposes, a.Purpose) && a.String() == s
}

// Box is an ask with the exact words that stand beside its box.
type Box struct {
	Ask
	Name   string // of the topic, campaign or partner; "" where the purpose has none
	Words  string
	Locale string
	Value  string // of the box in the form: it names the ask and these very words
}

// Label is the first line of the words.
func (b Box) Label() string { first, _, _ := strings.Cut(b.Words, "\n"); return first }

// Hint is the rest of the words.
func (b Box) Hint() string { _, rest, _ := strings.Cut(b.Words, "\n"); return rest }

// Boxes puts asks into words in a language, in their order. What there is not any more, an archived topic or partner, is left
// out. It changes nothing.
func (s *Service) Boxes(ctx context.Context, asks []Ask, lang string) ([]Box, error) {
	o, err := s.org.Current(ctx)
	if err != nil {
		return nil, err
	}
	lang = organisation.Language(o, lang)
	names, err := s.scopes(ctx, asks)
	if err != nil {
		return nil, err
	}
	var out []Box
	for _, a := range asks {
		name, there := names[a]
		if !there {
			continue
		}
		kind := string(a.Purpose)
		if a.ScopeID == uuid.Nil && (a.Purpose == models.PurposeNewsletter || a.Purpose == models.PurposePublish) {
			kind += "_all"
		}
		words, err := wording(ctx, s.db.DB, kind, lang)
		if err != nil {
			return nil, err
		}
		words = strings.NewReplacer("{organisation}", o.Name, "{topic}", name, "{campaign}", name, "{partner}", name).Replace(words)
		sum := sha256.Sum256([]byte(lang + "\n" + words))
		out = append(out, Box{Ask: a, Name: name, Words: words, Locale: lang, Value: a.String() + ":" + hex.EncodeToString(sum[:6])})
	}
	return out, nil
}

// Ticked finds the boxes whose values came back with a form. changed is true where one of them is not there any more or has
// other words now than those that were shown: the form is then to be shown again, and nobody agreed to anything.
func Ticked(boxes []Box, values []string) (chosen []Box, changed bool) {
	for _, v := range values {
		i := slices.IndexFunc(boxes, func(b Box) bool { return b.Value == v })
		switch {
		case i < 0:
			changed = true
		case !slices.ContainsFunc(chosen, func(b Box) bool { return b.Ask == boxes[i].Ask }):
			chosen = append(chosen, boxes[i])
		}
	}
	return chosen, changed
}

// scopes finds what asks are about: the name of the topic, campaign or partner, "" for a purpose without one. An ask that is
// missing in the answer can be asked by nobody.
func (s *Service) scopes(ctx context.Context, asks []Ask) (map[Ask]string, error) {
	out := map[Ask]string{}
	tables := map[string][]uuid.UUID{}
	for _, a := range asks {
		table := a.Purpose.Scope()
		switch {
		case table == "" && a.ScopeID == uuid.Nil,
			a.ScopeID == uuid.Nil && (a.Purpose == models.PurposeNewsletter || a.Purpose == models.PurposePublish):
			out[a] = ""
		case table != "" && a.ScopeID != uuid.Nil:
			tables[table] = append(tables[table], a.ScopeID)
		}
	}
	for table, ids := range tables {
		column, where := "name", "archived_at IS NULL"
		if table == "campaigns" {
			column, where = "title", "state = 'published'"
		}
		var rows []struct {
			ID   uuid.UUID
			Name string
		}
		if err := s.db.WithContext(ctx).Table(table).Select("id, "+column+" AS name").Where("id IN ? AND "+where, ids).Scan(&rows).Error; err != nil {
			return nil, err
		}
		for _, r := range rows {
			for _, a := range asks {
				if a.ScopeID == r.ID && a.Purpose.Scope() == table {
					out[a] = r.Name
				}
			}
		}
	}
	return out, nil
}
