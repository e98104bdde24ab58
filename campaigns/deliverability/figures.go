package deliverability

import (
	"cmp"
	"context"
	"slices"
	"time"

	"kithline/models"
)

// FigureDays is how far back the figures look.
const FigureDays = 30

// maxDomains is how many recipient domains are shown by name.
const maxDomains = 20

// DomainFigures is what became of the mails to one recipient domain in the last 30 days. Domain is empty for all the smaller ones
// together, Others then says how many those are.
type DomainFigures struct {
	Domain     string
	Others     int
	Sent       int
	Later      int // put off at least once: the server asked us to come again
	Failed     int
	Complaints int // people whose mail service told us that they marked a mail as unwanted
}

// Figures is what became of all mails of the last 30 days. They are counted with each look at DNS, since counting reads every mail of a
// month: a page only shows them.
type Figures struct {
	CountedAt time.Time // zero: nobody has counted yet
	Total     DomainFigures
	Domains   []DomainFigures // the most mails first
	Largest   int             // mails to one recipient domain on its busiest day, by UTC
	Late      int             // mails to many that went to somebody two days after they had said no, or later
}

func (s *Service) count(ctx context.Context) (out Figures, err error) {
	out.CountedAt = s.Clock.Now()
	since := out.CountedAt.AddDate(0, 0, -FigureDays)
	db := s.DB.WithContext(ctx)
	by := map[string]*DomainFigures{}
	at := func(domain string) *DomainFigures {
		if by[domain] == nil {
			by[domain] = &DomainFigures{Domain: domain}
		}
		return by[domain]
	}
	var days []struct {
		Domain              string
		Day                 string
		Sent, Later, Failed int
	}
	day := "substr(d.updated_at, 1, 10)"
	if s.DB.Postgres() {
		day = "to_char(d.updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
	}
	if err := db.Raw(`SELECT m.domain, `+day+` AS day, count(*) FILTER (WHERE d.state = 'sent') AS sent, count(*) FILTER (WHERE d.deferrals > 0) AS later,
			count(*) FILTER (WHERE d.state = 'failed') AS failed
		FROM deliveries d JOIN mailboxes m ON m.id = d.mailbox_id
		WHERE d.updated_at >= ? AND d.state IN ('sent', 'deferred', 'failed') GROUP BY 1, 2`, since).Scan(&days).Error; err != nil {
		return out, err
	}
	for _, r := range days {
		f := at(r.Domain)
		f.Sent, f.Later, f.Failed = f.Sent+r.Sent, f.Later+r.Later, f.Failed+r.Failed
		out.Largest = max(out.Largest, r.Sent)
	}
	var complaints []struct {
		Domain string
		N      int
	}
	if err := db.Raw(`SELECT domain, count(*) AS n FROM mailboxes WHERE suppressed_reason = ? AND suppressed_at >= ? GROUP BY 1`, models.SuppressedComplaint, since).
		Scan(&complaints).Error; err != nil {
		return out, err
	}
	for _, r := range complaints {
		at(r.Domain).Complaints = r.N
	}
	if out.Late, err = s.late(ctx, since); err != nil {
		return out, err
	}
	for _, f := range by {
		out.Total.Sent, out.Total.Later, out.Total.Failed, out.Total.Complaints = out.Total.Sent+f.Sent, out.Total.Later+f.Later, out.Total.Failed+f.Failed, out.Total.Complaints+f.Complaints
		out.Domains = append(out.Domains, *f)
	}
	slices.SortFunc(out.Domains, func(a, b DomainFigures) int {
		return cmp.Or(cmp.Compare(b.Sent+b.Failed+b.Later, a.Sent+a.Failed+a.Later), cmp.Compare(a.Domain, b.Domain))
	})
	if len(out.Domains) > maxDomains {
		rest := DomainFigures{Others: len(out.Domains) - maxDomains}
		for _, f := range out.Domains[maxDomains:] {
			rest.Sent, rest.Later, rest.Failed, rest.Complaints = rest.Sent+f.Sent, rest.Later+f.Later, rest.Failed+f.Failed, rest.Complaints+f.Complaints
		}
		out.Domains = append(out.Domains[:maxDomains:maxDomains], rest)
	}
	return out, nil
}

// late counts the mails to many that reached somebody two days after they had withdrawn what the mail was sent by, or later.
func (s *Service) late(ctx context.Context, since time.Time) (int, error) {
	var pairs []struct{ WithdrawnAt, SentAt time.Time }
	err := s.DB.WithContext(ctx).Raw(`SELECT c.withdrawn_at, d.sent_at FROM consents c
		JOIN deliveries d ON d.mailbox_id = c.mailbox_id AND d.purpose = c.purpose AND d.scope_id = c.scope_id
		WHERE c.withdrawn_at >= ? AND d.sent_at > c.withdrawn_at AND d.sent_at >= ? AND d.state = 'sent'
			AND NOT EXISTS (SELECT 1 FROM consents n WHERE n.mailbox_id = c.mailbox_id AND n.purpose = c.purpose AND n.scope_id = c.scope_id
				AND n.given_at >= c.withdrawn_at AND n.given_at <= d.sent_at)`, since.AddDate(0, 0, -2), since).Scan(&pairs).Error
	n := 0
	for _, p := range pairs {
		if p.SentAt.Sub(p.WithdrawnAt) >= 48*time.Hour {
			n++
		}
	}
	return n, err
}
