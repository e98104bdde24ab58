package mailings

import (
	"context"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
)

// How a check came out.
const (
	Stop  = "bad"  // the mailing cannot be sent like this
	Think = "warn" // it can, but somebody should look
	Fine  = "good"
)

// Check is one thing that was looked at before a mailing goes out.
type Check struct {
	Tone string
	Key  string
	Args []any // name, value pairs for the message
}

// Checks is everything that was looked at, what stops the mailing first.
type Checks []Check

// Count says how many came out so.
func (c Checks) Count(tone string) int {
	n := 0
	for _, x := range c {
		if x.Tone == tone {
			n++
		}
	}
	return n
}

var picture = regexp.MustCompile(`!\[[^\]]*\]\s*[(\[]`)

// Checks looks at a mailing as it is about to go out. It needs the right actor.WriteMailing.
func (s *Service) Checks(ctx context.Context, a actor.Actor, id uuid.UUID) (Checks, Audience, error) {
	m, err := s.Get(ctx, a, id)
	if err != nil {
		return nil, Audience{}, err
	}
	people, err := s.audience(ctx, m)
	if err != nil {
		return nil, people, err
	}
	l, err := s.load(ctx, m)
	if err != nil {
		return nil, people, err
	}
	return s.checks(l, people), people, nil
}

func (s *Service) checks(l *loaded, people Audience) Checks {
	var stop, think, fine Checks
	note := func(to *Checks, tone, key string, args ...any) { *to = append(*to, Check{tone, key, args}) }
	m, c := l.mailing, l.compiled

	for _, p := range c.problems {
		note(&stop, Stop, p.Key, p.args()...)
	}
	if m.Subject == "" {
		note(&stop, Stop, "error.mailing_no_subject")
	}
	if l.empty() {
		note(&stop, Stop, "error.mailing_no_body")
	}
	if strings.TrimSpace(l.org.PostalAddress) == "" {
		note(&stop, Stop, "error.mailing_no_address")
	}
	if !oneClick(s.BaseURL) {
		note(&stop, Stop, "mailings.check_https")
	}
	if m.PetitionID != nil && !l.petition.State.Public() {
		note(&stop, Stop, "error.mailing_petition")
	}
	if people.People == 0 {
		note(&stop, Stop, "mailings.check_nobody")
	}

	if n := utf8.RuneCountInString(m.Subject); n > 60 {
		note(&think, Think, "mailings.check_subject_long", "Count", n)
	}
	for _, to := range c.links {
		if strings.HasPrefix(to, "http://") && !strings.HasPrefix(to, s.BaseURL+"/") {
			note(&think, Think, "mailings.check_http", "Link", short(to))
		}
	}
	if picture.MatchString(m.Body) {
		note(&think, Think, "mailings.check_picture")
	}
	if c.nameless {
		note(&think, Think, "mailings.check_nameless")
	}
	if l.from.Transport == nil {
		note(&think, Think, "mailings.check_transport")
	}

	if len(stop) == 0 {
		sample := c.fill(l.person(""))
		words := len(strings.Fields(sample.Text))
		note(&fine, Fine, "mailings.check_reading", "Count", max(1, (words*60+199)/200)) // seconds, at 200 words a minute
		note(&fine, Fine, "mailings.check_size", "KB", strconv.Itoa((len(sample.HTML)+len(sample.Text)+6<<10)>>10))
		note(&fine, Fine, "mailings.check_footer")
	}
	note(&fine, Fine, "mailings.check_tracking")
	return append(append(stop, think...), fine...)
}

// oneClick reports whether the site's address may stand in List-Unsubscribe: https, or this machine itself.
func oneClick(base string) bool {
	u, err := url.Parse(base)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
