package petitions

import (
	"context"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Draft is what a petition says. Titles and other one-liners hold no line ends; Body is Markdown.
type Draft struct {
	Title, Summary, Body string
	Decider              string
	WhyNow, SystemChange string
	Place                string
	Goal                 int // 0 while it is not known
	Locale               string
	DeadlineAt           *time.Time
	PictureAlt           string  // what the picture shows
	Claims               []Claim // nil says nothing about them, an empty list that there are none
}

// trim brings the texts to the form that is stored.
func (d *Draft) trim() {
	for _, s := range []*string{&d.Title, &d.Summary, &d.Body, &d.Decider, &d.WhyNow, &d.SystemChange, &d.Place, &d.Locale, &d.PictureAlt} {
		*s = strings.TrimSpace(strings.ReplaceAll(*s, "\r\n", "\n"))
	}
	if d.DeadlineAt != nil {
		at := clock.Trim(*d.DeadlineAt)
		d.DeadlineAt = &at
	}
	d.Claims = trimClaims(d.Claims)
}

var localeForm = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`)

// check notes what can never be stored, in the order of the form.
func (d Draft) check() fault.Fields {
	var bad fault.Fields
	line(&bad, "title", d.Title, TitleMax)
	text(&bad, "summary_text", d.Summary, SummaryMax)
	text(&bad, "body", d.Body, BodyMax)
	line(&bad, "decider", d.Decider, DeciderMax)
	text(&bad, "why_now", d.WhyNow, WhyNowMax)
	text(&bad, "system_change", d.SystemChange, SystemChangeMax)
	if d.Goal != 0 && (d.Goal < GoalMin || d.Goal > GoalMax) {
		bad.Add("goal", "error.petition_goal")
	}
	line(&bad, "place", d.Place, PlaceMax)
	if !localeForm.MatchString(d.Locale) {
		bad.Add("locale", "error.value_unknown")
	}
	line(&bad, "picture_alt", d.PictureAlt, PictureAltMax)
	checkClaims(&bad, d.Claims)
	return bad
}

// complete notes what is missing before somebody can be asked to publish, and what cannot be stored.
func (d Draft) complete(now time.Time) fault.Fields {
	bad := d.check()
	var out fault.Fields
	for _, f := range []struct {
		name  string
		empty bool
	}{
		{"title", d.Title == ""},
		{"summary_text", d.Summary == ""},
		{"body", d.Body == ""},
		{"decider", d.Decider == ""},
		{"why_now", d.WhyNow == ""},
		{"system_change", d.SystemChange == ""},
		{"goal", d.Goal == 0},
		{"place", false},
		{"deadline", false},
		{"locale", false},
	} {
		for _, b := range bad {
			if b.Name == f.name {
				out = append(out, b)
			}
		}
		if f.empty && !out.Has(f.name) {
			out.Add(f.name, "error.petition_"+f.name+"_missing")
		}
		if f.name == "deadline" && d.DeadlineAt != nil && !d.DeadlineAt.After(now) {
			out.Add("deadline", "error.petition_deadline_past")
		}
	}
	return out
}

// line checks a text of one line.
func line(bad *fault.Fields, name, v string, most int) {
	if strings.ContainsFunc(v, func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }) && utf8.ValidString(v) {
		bad.Add(name, "error.text_unreadable")
		return
	}
	text(bad, name, v, most)
}

// text checks a text of several lines.
func text(bad *fault.Fields, name, v string, most int) {
	n := utf8.RuneCountInString(v)
	switch {
	case !utf8.ValidString(v), strings.ContainsFunc(v, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }):
		bad.Add(name, "error.text_unreadable")
	case n > most:
		bad.Add(name, "error.text_too_long", "Max", most, "Over", n-most)
	}
}

// draftOf is what a petition says.
func draftOf(p models.Petition) Draft {
	return Draft{
		Title: p.Title, Summary: p.Summary, Body: p.Body, Decider: p.Decider, WhyNow: p.WhyNow, SystemChange: p.SystemChange,
		Place: p.Place, Goal: p.Goal, Locale: p.Locale, DeadlineAt: p.DeadlineAt, PictureAlt: p.PictureAlt,
	}
}

// CreateInput starts a petition. With CampaignID zero a campaign is made with it.
type CreateInput struct {
	Draft
	CampaignID uuid.UUID
}

// Create starts a draft. It needs actor.DraftPetition. The faults are Invalid with fields, of which only the title must be
// there; NotFound, error.campaign_unknown.
func (s *Service) Create(ctx context.Context, a actor.Actor, in CreateInput) (models.Petition, error) {
	if err := a.Need(actor.DraftPetition); err != nil {
		return models.Petition{}, err
	}
	in.trim()
	bad := in.check()
	if in.Title == "" {
		bad = append(fault.Fields{{Name: "title", Key: "error.petition_title_missing"}}, bad...)
	}
	if err := bad.Err(); err != nil {
		return models.Petition{}, err
	}
	now := s.clk.Now()
	p := in.petition(now)
	p.CampaignID, p.AuthorID = in.CampaignID, a.Account()
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		if in.CampaignID == uuid.Nil {
			c, err := campaigns.Insert(ctx, tx, a, in.Title, now)
			if err != nil {
				return err
			}
			p.CampaignID = c.ID
		} else if err := campaigns.MayAdd(ctx, tx, a, in.CampaignID); err != nil {
			return err
		}
		if err := tx.Create(&p).Error; err != nil {
			return err
		}
		if err := setClaims(ctx, tx, p.ID, in.Claims); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "petition.create", "petitions", p.ID, nil)
	})
	return p, err
}
