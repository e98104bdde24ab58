package letters

import (
	"strings"

	"github.com/google/uuid"

	"kithline/campaigns/legislators"
	"kithline/models"
)

// Words are what a writer gives to a letter.
type Words struct {
	Target     uuid.UUID   // the group that the recipient was found by; uuid.Nil for none
	Points     []uuid.UUID // ticked, in the order of the letter
	Subject    string      // "" takes the campaign's
	Own        string
	GivenName  string
	FamilyName string
	Street     string
	City       string
	Region     string
	PostalCode string
}

// Name is the writer's whole name.
func (w Words) Name() string { return strings.TrimSpace(w.GivenName + " " + w.FamilyName) }

// Address is the writer's postal address, a line each.
func (w Words) Address() []string {
	place := strings.TrimSpace(w.Region + " " + w.PostalCode)
	if w.City != "" && place != "" {
		place = w.City + ", " + place
	} else {
		place = w.City + place
	}
	var out []string
	for _, line := range []string{w.Street, place} {
		if line != "" {
			out = append(out, line)
		}
	}
	return out
}

// compose makes the exact letter to a member: the salutation, the organisation's opening, the points that were ticked and are for this
// member, the writer's own words, the one ask, the sign-off, the writer's full name and full postal address, and never more. Nothing is
// reworded: each part stands as its author wrote it. c holds the texts of the letter's language, which is lang.
func (s *Service) compose(c Campaign, lang string, w Words, m legislators.Member) (subject, body string) {
	parts := []string{s.salutation(lang, m)}
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" {
			parts = append(parts, text)
		}
	}
	add(c.Opening)
	for _, p := range pointsFor(c, w.Target, m, w.Points) {
		add(p.Body)
	}
	add(w.Own)
	add(c.Ask)
	sign := strings.TrimSpace(c.Closing)
	if sign == "" {
		sign = s.Options.Words(lang, "letters.closing")
	}
	if !strings.HasSuffix(sign, ",") {
		sign += ","
	}
	add(strings.TrimSpace(sign + "\n\n" + strings.Join(append([]string{w.Name()}, w.Address()...), "\n")))
	if subject = w.Subject; subject == "" {
		subject = c.Subject
	}
	return subject, strings.Join(parts, "\n\n")
}

// salutation is how a letter begins: as the data says it, else by title and family name. Where somebody has no title, such as a whole
// ministry, it is the name as it is shown.
func (s *Service) salutation(lang string, m legislators.Member) string {
	if v := strings.TrimSpace(m.Salutation); v != "" {
		if strings.HasSuffix(v, ",") || strings.HasSuffix(v, ":") {
			return v
		}
		return v + ","
	}
	name := m.Name
	if title := m.Title(); title != "" && m.FamilyName != "" {
		name = title + " " + m.FamilyName
	}
	return s.Options.Words(lang, "letters.dear", "Name", name)
}

// pointsFor are those of the ticked points that are for a member of a group, in the writer's order.
func pointsFor(c Campaign, target uuid.UUID, m legislators.Member, ticked []uuid.UUID) []models.LetterPoint {
	var out []models.LetterPoint
	for _, id := range ticked {
		for _, p := range c.Points {
			if p.ID == id && meant(p, target, m) {
				out = append(out, p)
			}
		}
	}
	return out
}

// meant reports whether a point is for a member who was found by a group.
func meant(p models.LetterPoint, target uuid.UUID, m legislators.Member) bool {
	return (p.TargetID == nil || *p.TargetID == target) && (p.Party == "" || strings.EqualFold(p.Party, m.Term.Party))
}
