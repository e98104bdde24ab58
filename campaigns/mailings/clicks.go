package mailings

import (
	"context"
	"html"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// Clicks are counted only where an organizer asked for it, and only for each link: a counted link is the same in every copy of a
// mailing, and says which link of which mailing it is and nothing else. It leads nowhere but to the address that stood there
// when the mailing was frozen.

// tracked lists the addresses whose clicks can be counted: those that are the same for everybody. Links with the merge field
// {{petition_url}} lead to the petition of the mailing.
func (l *loaded) tracked() []string {
	var out []string
	for _, v := range l.versions {
		out = append(out, v.compiled.links...)
		if l.mailing.PetitionID != nil && slices.ContainsFunc(v.compiled.html, func(p span) bool { return p.field == fieldURL }) {
			out = append(out, v.shared[fieldURL])
		}
	}
	return slices.DeleteFunc(out, func(to string) bool { return !strings.HasPrefix(to, "http://") && !strings.HasPrefix(to, "https://") })
}

// keepLinks writes them down, each once.
func keepLinks(tx *gorm.DB, mailing uuid.UUID, links []string) error {
	for i, to := range links {
		row := models.MailingLink{ID: models.NewID(), MailingID: mailing, Number: i + 1, URL: to}
		if err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "mailing_id"}, {Name: "url"}}, DoNothing: true}).Create(&row).Error; err != nil {
			return err
		}
	}
	return nil
}

// trackedLinks are the counted links of a mailing that was frozen, by where they lead.
func (s *Service) trackedLinks(ctx context.Context, m models.Mailing) (map[string]string, error) {
	if !m.TrackClicks || m.FrozenAt == nil {
		return nil, nil
	}
	var rows []models.MailingLink
	if err := s.DB.WithContext(ctx).Where("mailing_id = ?", m.ID).Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make(map[string]string, len(rows))
	for _, r := range rows {
		out[r.URL] = s.BaseURL + "/r/" + s.Signer.MakeForever(tokens.Link, r.ID)
	}
	return out, nil
}

// trackLinks makes counted links of a compiled mailing's links: in the HTML where an address is a link's, in the text where it
// stands by itself. petition is where {{petition_url}} leads. It changes a copy.
func trackLinks(c *compiled, to map[string]string, petition string) *compiled {
	if len(to) == 0 {
		return c
	}
	known := make([]string, 0, len(to))
	for address := range to {
		known = append(known, address)
	}
	// The longest first: one address may be the beginning of another.
	slices.SortFunc(known, func(a, b string) int { return len(b) - len(a) })
	out := *c
	var pairs []string
	for _, address := range known {
		pairs = append(pairs, `href="`+html.EscapeString(address)+`"`, `href="`+html.EscapeString(to[address])+`"`)
	}
	inHTML := strings.NewReplacer(pairs...)
	out.html = make([]span, len(c.html))
	for i, p := range c.html {
		if p.field == "" {
			p.text = inHTML.Replace(p.text)
		} else if p.field == fieldURL && to[petition] != "" && i > 0 && strings.HasSuffix(c.html[i-1].text, `href="`) && i+1 < len(c.html) && strings.HasPrefix(c.html[i+1].text, `"`) {
			p = span{text: html.EscapeString(to[petition])}
		}
		out.html[i] = p
	}
	out.text = make([]span, len(c.text))
	for i, p := range c.text {
		if p.field == "" {
			p.text = replaceAddresses(p.text, known, to)
		} else if p.field == fieldURL && to[petition] != "" && (i+1 == len(c.text) || !continues(c.text[i+1])) {
			p = span{text: to[petition]}
		}
		out.text[i] = p
	}
	return &out
}

// continues reports whether what comes after an address belongs to it.
func continues(p span) bool {
	return p.field != "" || !apart(p.text)
}

// apart reports whether a text begins with what ends an address before it.
func apart(text string) bool {
	rest := strings.TrimLeft(text, ".,;:!?")
	return rest == "" || strings.IndexByte(" \t\n)>]\"'", rest[0]) >= 0
}

// replaceAddresses puts the counted address in the place of each that stands by itself in a text.
func replaceAddresses(text string, known []string, to map[string]string) string {
	var b strings.Builder
	for {
		at, found := -1, ""
		for _, address := range known {
			if i := strings.Index(text, address); i >= 0 && (at < 0 || i < at) {
				at, found = i, address
			}
		}
		if at < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:at])
		text = text[at+len(found):]
		if apart(text) {
			b.WriteString(to[found])
		} else {
			b.WriteString(found)
		}
	}
}

// Follow returns where a counted link leads, and counts one click unless count is false. That the count cannot be written down
// stops nobody: counted then says so. A token that we did not make, or of a mailing that is gone, is a NotFound fault.
func (s *Service) Follow(ctx context.Context, token string, count bool) (address string, counted error, err error) {
	now := s.Clock.Now()
	id, err := s.Signer.Read(tokens.Link, token, now)
	if err != nil {
		return "", nil, err
	}
	var rows []models.MailingLink
	if err := s.DB.WithContext(ctx).Where("id = ?", id).Limit(1).Find(&rows).Error; err != nil {
		return "", nil, err
	}
	if len(rows) == 0 {
		return "", nil, fault.New(fault.NotFound, "error.link_unknown")
	}
	if !count {
		return rows[0].URL, nil, nil
	}
	org, err := s.Organisation.Current(ctx)
	if err != nil {
		return rows[0].URL, err, nil
	}
	day := now.In(organisation.Zone(org)).Format(time.DateOnly)
	counted = s.DB.WithContext(ctx).Exec(`INSERT INTO mailing_clicks (link_id, day, clicks) VALUES (?, ?, 1)
		ON CONFLICT (link_id, day) DO UPDATE SET clicks = mailing_clicks.clicks + 1`, id, day).Error
	return rows[0].URL, counted, nil
}

// Link is a counted link of a mailing.
type Link struct {
	URL    string
	Clicks int
}

// links lists the counted links of a mailing, in their order.
func links(ctx context.Context, tx *gorm.DB, mailing uuid.UUID) ([]Link, error) {
	var out []Link
	err := tx.WithContext(ctx).Raw(`SELECT l.url, COALESCE(sum(c.clicks), 0) AS clicks FROM mailing_links l LEFT JOIN mailing_clicks c ON c.link_id = l.id
		WHERE l.mailing_id = ? GROUP BY l.id, l.number, l.url ORDER BY l.number, l.id`, mailing).Scan(&out).Error
	return out, err
}
