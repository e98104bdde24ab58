package mailings

import (
	"context"
	"io"
	"mime/quotedprintable"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/segments"
	"kithline/mailer"
	"kithline/models"
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

	Locale  string      // the language of the version it is about; "" for all of them, and where there is one only
	People  []uuid.UUID // supporters whom it hits, the first few
	Path    string      // where something can be done about it; "" for the page itself
	Approve bool        // all that it wants is a second person's yes
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

// Approvable reports whether nothing stops the mailing but that a second person has not looked at it.
func (c Checks) Approvable() bool {
	return !slices.ContainsFunc(c, func(x Check) bool { return x.Tone == Stop && !x.Approve })
}

// clipped is how large the HTML of a mail may be, in bytes as it travels: some providers cut what is longer, and the way out with it.
const clipped = 100 << 10

var (
	picture     = regexp.MustCompile(`!\[[^\]]*\]\s*[(\[]`)
	placeholder = regexp.MustCompile(`\[\[[^\]\n]{1,200}\]\]`)
	replyMark   = regexp.MustCompile(`(?i)^\s*(re|fw|fwd|rv|reenv)\s*:`)
	shouts      = regexp.MustCompile(`[!?]{2,}|[!?¡¿].*[!?¡¿].*[!?¡¿]`)
)

// pushy are words that filters know from advertisements.
var pushy = []string{"free", "act now", "urgent", "winner", "guarantee", "100%", "click here", "last chance", "gratis", "urgente", "ultima oportunidad", "haga clic", "garantizado"}

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
	c, err := s.checks(ctx, l, people)
	return c, people, err
}

// countedFor is how old the numbers of people may be while somebody types.
const countedFor = time.Minute

// LiveChecks is Checks for a page that follows what is typed: whom the mailing would reach is counted at most once a minute as long as
// it goes to the same people, and who lacks a value is left to Checks. It needs the right actor.WriteMailing.
func (s *Service) LiveChecks(ctx context.Context, a actor.Actor, id uuid.UUID) (Checks, error) {
	m, err := s.Get(ctx, a, id)
	if err != nil {
		return nil, err
	}
	l, err := s.load(ctx, m)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	was, known := s.headcounts[id]
	s.mu.Unlock()
	if !known || time.Since(was.at) > countedFor || !same(was.mailing, aimed(m)) {
		was = headcount{at: time.Now(), mailing: aimed(m)}
		if was.people, err = s.audience(ctx, m); err != nil {
			return nil, err
		}
		s.mu.Lock()
		if len(s.headcounts) >= maxLoaded {
			clear(s.headcounts)
		}
		s.headcounts[id] = was
		s.mu.Unlock()
	}
	return s.checksOf(ctx, l, was.people, false)
}

// headcount is whom a mailing would reach, as it was counted a moment ago.
type headcount struct {
	at      time.Time
	mailing models.Mailing
	people  Audience
}

// aimed is a mailing with nothing but whom it goes to.
func aimed(m models.Mailing) models.Mailing {
	return models.Mailing{PetitionID: m.PetitionID, SegmentID: m.SegmentID, Purpose: m.Purpose, ScopeID: m.ScopeID}
}

// noted collects checks.
type noted struct {
	stop, think, fine Checks
	locale            string // of those that are noted now
}

func (n *noted) add(c Check) {
	c.Locale = n.locale
	switch c.Tone {
	case Stop:
		n.stop = append(n.stop, c)
	case Think:
		n.think = append(n.think, c)
	default:
		n.fine = append(n.fine, c)
	}
}

func (n *noted) note(tone, key string, args ...any) { n.add(Check{Tone: tone, Key: key, Args: args}) }

// checks looks at everything: what is written, whom it would reach, and what it goes out by.
func (s *Service) checks(ctx context.Context, l *loaded, people Audience) (Checks, error) {
	return s.checksOf(ctx, l, people, true)
}

// checksOf is checks; lacking says whether those are counted who have nothing to put into a field.
func (s *Service) checksOf(ctx context.Context, l *loaded, people Audience, lacking bool) (Checks, error) {
	n := &noted{}
	for i := range l.versions {
		if v := &l.versions[i]; len(l.versions) > 1 {
			n.locale = v.text.Locale
			s.checkText(n, l, v)
		} else {
			s.checkText(n, l, v)
		}
		if err := s.checkLinks(ctx, n, &l.versions[i]); err != nil {
			return nil, err
		}
	}
	n.locale = ""
	m := l.mailing
	if strings.TrimSpace(l.org.PostalAddress) == "" {
		n.add(Check{Tone: Stop, Key: "error.mailing_no_address", Path: "/admin/settings"})
	}
	if !oneClick(s.BaseURL) {
		n.note(Stop, "mailings.check_https")
	}
	if m.PetitionID != nil && !l.petition.State.Public() {
		n.note(Stop, "error.mailing_petition")
	}
	if people.People == 0 {
		n.note(Stop, "mailings.check_nobody")
	}
	if found := healthIn(l.from.FromName, m.Locale, l.org); len(found) > 0 && !m.NamesCause {
		n.add(Check{Tone: Think, Key: "mailings.check_neutral_sender", Args: []any{"Words", quoted(found), "Name", l.from.FromName}, Path: "/admin/settings"})
	}
	if l.from.Transport == nil {
		n.add(Check{Tone: Think, Key: "mailings.check_transport", Path: "/admin/settings/mail"})
	}
	if err := s.checkPeople(ctx, n, l, people, lacking); err != nil {
		return nil, err
	}
	if s.Domain != nil {
		for _, c := range s.Domain(ctx) {
			n.add(c)
		}
	}
	if missing, err := s.missesApproval(ctx, m, people.People); err != nil {
		return nil, err
	} else if missing > 0 {
		n.add(Check{Tone: Stop, Key: "mailings.check_approval", Args: []any{"Count", missing}, Approve: true})
	} else if m.Approved() {
		n.note(Fine, "mailings.check_approved")
	}
	if len(n.stop) == 0 {
		n.note(Fine, "mailings.check_footer")
	}
	n.note(Fine, "mailings.check_tracking")
	return slices.Concat(n.stop, n.think, n.fine), nil
}

// quoted writes words as a list of quoted ones.
func quoted(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = "“" + w + "”"
	}
	return strings.Join(out, ", ")
}

// checkText looks at one version.
func (s *Service) checkText(n *noted, l *loaded, v *version) {
	c, t := v.compiled, v.text
	for _, p := range c.problems {
		n.note(Stop, p.Key, p.args()...)
	}
	sample := c.fill(v.person(recipient{}))
	for i, line := range t.Lines {
		s.checkLine(n, l, v, i, line)
	}
	if v.empty() {
		n.note(Stop, "error.mailing_no_body")
	} else if strings.TrimSpace(sample.Text) == "" {
		n.note(Stop, "mailings.check_no_text")
	}
	if found := placeholder.FindString(t.Body + "\n" + t.Plain + "\n" + c.allLines(t)); found != "" {
		n.note(Stop, "mailings.check_placeholder", "Words", short(found))
	}
	if missing := withoutAlt(string(sample.HTML)); missing > 0 {
		n.note(Stop, "mailings.check_alt", "Count", missing)
	}
	if !c.own && picture.MatchString(t.Body) {
		n.note(Think, "mailings.check_picture")
	}
	if c.nameless {
		n.note(Think, "mailings.check_nameless")
	}
	for _, day := range c.days {
		if at, _, ok := readWhen(day); ok && at.Format(time.DateOnly) < s.Clock.Now().In(l.zone).Format(time.DateOnly) {
			n.note(Think, "mailings.check_event_over", "Date", s.Words.Date(t.Locale, at))
		}
	}
	if c.own {
		for _, words := range faint(string(sample.HTML)) {
			n.note(Think, "mailings.check_contrast", "Words", words)
		}
	}
	if v.empty() {
		return
	}
	if g, ok := grade(sample.Text, t.Locale); ok {
		tone, key := Fine, "mailings.check_grade"
		if g > 8 {
			tone, key = Think, "mailings.check_grade_high"
		}
		n.note(tone, key, "Grade", strconv.Itoa(g))
	}
	words := len(strings.Fields(sample.Text))
	n.note(Fine, "mailings.check_reading", "Count", max(1, (words*60+199)/200)) // seconds, at 200 words a minute
	if size, err := s.travels(l, v, sample); err == nil {
		if size > clipped {
			n.note(Think, "mailings.check_clipped", "KB", strconv.Itoa((size+1023)>>10), "Max", strconv.Itoa(clipped>>10))
		} else {
			n.note(Fine, "mailings.check_size", "KB", strconv.Itoa((size+1023)>>10))
		}
	}
}

// allLines are the subjects and preheaders of a text, one below the other.
func (*compiled) allLines(t Text) string {
	var b strings.Builder
	for _, l := range t.Lines {
		b.WriteString(l.Subject + "\n" + l.Preheader + "\n")
	}
	return b.String()
}

// checkLine looks at one subject with its preheader.
func (s *Service) checkLine(n *noted, l *loaded, v *version, place int, line Line) {
	c := v.compiled.fillWith(v.person(recipient{}), place)
	if line.Subject == "" {
		n.note(Stop, "error.mailing_no_subject")
		return
	}
	if count := utf8.RuneCountInString(line.Subject); count > 60 {
		n.note(Think, "mailings.check_subject_long", "Count", count)
	}
	if !l.mailing.NamesCause {
		if found := healthIn(c.Subject+" . "+c.Preheader, v.text.Locale, l.org); len(found) > 0 {
			n.note(Stop, "mailings.check_neutral", "Words", quoted(found))
		}
	}
	if replyMark.MatchString(line.Subject) {
		n.note(Think, "mailings.check_subject_reply")
	}
	if shouts.MatchString(line.Subject) {
		n.note(Think, "mailings.check_subject_marks")
	}
	if shouting(line.Subject) {
		n.note(Think, "mailings.check_subject_capitals")
	}
	said := " " + strings.Join(wordsOf(line.Subject), " ") + " "
	for _, w := range pushy {
		if strings.Contains(said, " "+strings.Join(wordsOf(w), " ")+" ") && (w != "100%" || strings.Contains(line.Subject, w)) {
			n.note(Think, "mailings.check_subject_pushy", "Words", quoted([]string{w}))
			break
		}
	}
	if place > 0 && slices.ContainsFunc(v.text.Lines[:place], func(o Line) bool { return o.Subject == line.Subject && o.Preheader == line.Preheader }) {
		n.note(Think, "mailings.check_subject_twice", "Subject", short(line.Subject))
	}
}

// shouting reports whether most letters of a subject that has some are capitals.
func shouting(s string) bool {
	upper, letters := 0, 0
	for _, r := range s {
		if unicode.IsLetter(r) {
			letters++
			if unicode.IsUpper(r) {
				upper++
			}
		}
	}
	return letters >= 8 && upper*10 >= letters*7
}

// withoutAlt counts pictures without words for those who do not see them.
func withoutAlt(src string) int {
	n := 0
	z := html.NewTokenizer(strings.NewReader(src))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return n
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			if t.DataAtom == atom.Img && !slices.ContainsFunc(t.Attr, func(a html.Attribute) bool { return a.Key == "alt" && strings.TrimSpace(a.Val) != "" }) {
				n++
			}
		}
	}
}

// travels is the size of the HTML part as it goes over the wire, in bytes: the whole document, encoded as quoted-printable (RFC 2045).
func (s *Service) travels(l *loaded, v *version, c copyOf) (int, error) {
	head := l.from.Letterhead
	if strings.TrimSpace(head.PostalAddress) == "" {
		head.PostalAddress = s.Words.Text(v.text.Locale, "mailings.address_missing")
	}
	r, err := s.Mail.Bulk(head, mailer.BulkBody{
		Subject: c.Subject, Preheader: c.Preheader, HTML: c.HTML, Text: c.Text, Reason: s.reason(l, v.text.Locale, l.mailing.ScopeID, nil), WebURL: v.web,
		UnsubscribeURL: s.BaseURL + "/u/" + strings.Repeat("x", 51), Lang: v.text.Locale,
	})
	if err != nil {
		return 0, err
	}
	var count counter
	w := quotedprintable.NewWriter(&count)
	if _, err := io.WriteString(w, r.HTML); err != nil {
		return 0, err
	}
	return int(count), w.Close()
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// checkLinks looks at where the links of a version lead: addresses that are none, plain http, and pages of this site that there are not.
// Nothing is asked of other sites.
func (s *Service) checkLinks(ctx context.Context, n *noted, v *version) error {
	for _, to := range v.compiled.links {
		u, err := url.Parse(to)
		switch {
		case err != nil || u.Scheme != "mailto" && (u.Hostname() == "" || !strings.Contains(u.Hostname(), ".") && u.Hostname() != "localhost"), u != nil && u.Scheme == "mailto" && !strings.Contains(u.Opaque, "@"):
			n.note(Stop, "mailings.check_link_broken", "Link", short(to))
		case strings.HasPrefix(to, s.BaseURL+"/"):
			there, err := s.there(ctx, u.Path)
			if err != nil {
				return err
			}
			if !there {
				n.note(Stop, "mailings.check_link_gone", "Link", short(strings.TrimPrefix(to, s.BaseURL)))
			}
		case u.Scheme == "http":
			n.note(Think, "mailings.check_http", "Link", short(to))
		}
	}
	return nil
}

// sitePaths are pages of the site that are always there.
var sitePaths = []string{"", "/petitions", "/privacy", "/accessibility", "/archive", "/archive.atom", "/petitions.atom", "/petitions/new", "/join", "/me"}

// there reports whether everybody can open a page of this site: for petitions, campaigns and forms the rows tell, and what the
// mailings package does not know is taken to be there.
func (s *Service) there(ctx context.Context, path string) (bool, error) {
	path = strings.TrimSuffix(path, "/")
	if slices.Contains(sitePaths, path) {
		return true, nil
	}
	part := strings.Split(strings.TrimPrefix(path, "/"), "/")
	db := s.DB.WithContext(ctx)
	var q *gorm.DB
	switch {
	case part[0] == "admin", part[0] == "outbox", part[0] == "static" && len(part) == 1, part[0] == "confirm", part[0] == "u":
		return false, nil // nobody's who reads a mail
	case len(part) < 2:
		return true, nil
	case part[0] == "petitions" && part[1] != "mine":
		q = db.Model(&models.Petition{}).Where("slug = ? AND state IN ?", strings.TrimSuffix(part[1], ".json"), models.PublicPetitionStates)
	case part[0] == "campaigns":
		q = db.Model(&models.Campaign{}).Where("slug = ? AND state = ?", part[1], models.CampaignPublished)
	case part[0] == "forms":
		q = db.Model(&models.Form{}).Where("slug = ? AND state = ?", part[1], models.FormOpen)
	default:
		return true, nil
	}
	var found int64
	err := q.Count(&found).Error
	return found > 0, err
}

// usual is how many people the last mailings that went out reached, the one in the middle; false where there were fewer than three.
func (s *Service) usual(ctx context.Context, m models.Mailing) (int, bool, error) {
	var counts []int
	err := s.DB.WithContext(ctx).Model(&models.Mailing{}).Where("frozen_at IS NOT NULL AND id <> ? AND audience_count > 0", m.ID).
		Order("frozen_at DESC, id").Limit(9).Pluck("audience_count", &counts).Error
	if err != nil || len(counts) < 3 {
		return 0, false, err
	}
	slices.Sort(counts)
	return counts[len(counts)/2], true, nil
}

// hitMost is how many people a check names.
const hitMost = 5

// checkPeople looks at whom the mailing would reach: whether they are far more than usual, and who has nothing to put into a field.
func (s *Service) checkPeople(ctx context.Context, n *noted, l *loaded, people Audience, lacking bool) error {
	usual, known, err := s.usual(ctx, l.mailing)
	if err != nil {
		return err
	}
	if known && people.People >= 3*usual && people.People-usual >= 50 {
		n.note(Think, "mailings.check_many", "Count", people.People, "Usual", s.Words.Number(l.mailing.Locale, int64(usual)))
	}
	fields := map[string]string{}
	for _, v := range l.versions {
		for _, p := range v.compiled.personal {
			if _, there := fields[p.field]; !there || p.fallback == "" {
				fields[p.field] = p.fallback
			}
		}
	}
	if !lacking || len(fields) == 0 || people.People == 0 || l.mailing.State != models.MailingDraft {
		return nil
	}
	for _, field := range ofPerson {
		fallback, used := fields[field]
		if !used {
			continue
		}
		count, some, err := s.lacking(ctx, l.mailing, field)
		if err != nil {
			return err
		}
		if count > 0 && fallback != "" {
			n.add(Check{Tone: Fine, Key: "mailings.check_lack_" + field, Args: []any{"Count", count, "Words", fallback}, People: some})
		} else if count > 0 {
			n.add(Check{Tone: Think, Key: "mailings.check_empty_" + field, Args: []any{"Count", count}, People: some})
		}
	}
	return nil
}

// lacking counts those of the audience who have nothing to put into a field, and names the first few who have a record.
func (s *Service) lacking(ctx context.Context, m models.Mailing, field string) (int, []uuid.UUID, error) {
	var count int64
	var some []uuid.UUID
	err := segments.Tuned(ctx, s.DB, func(tx *gorm.DB) error {
		t, err := targetOf(ctx, tx, m)
		if err != nil {
			return err
		}
		who, err := t.chosen(ctx, tx, s.Clock.Now(), false)
		if err != nil {
			return err
		}
		from := "(" + who.sql + ") x JOIN mailboxes b ON b.id = x.mailbox_id LEFT JOIN supporters p ON p.id = b.supporter_id"
		where, args := "p.chapter_id IS NULL", who.args
		if field == fieldGivenName {
			where = "p.given_name_sealed IS NULL"
			if m.PetitionID != nil {
				from += " JOIN signatures s ON s.mailbox_id = b.id AND s.petition_id = ? AND s.state = 'confirmed'"
				where, args = "s.given_name_sealed IS NULL", append(args, *m.PetitionID)
			}
		}
		where = " WHERE x.place = 1 AND " + where
		if err := tx.Raw("SELECT count(DISTINCT b.id) FROM "+from+where, args...).Scan(&count).Error; err != nil || count == 0 {
			return err
		}
		return tx.Raw("SELECT DISTINCT p.id FROM "+from+where+" AND p.id IS NOT NULL ORDER BY p.id LIMIT ?", append(args, hitMost)...).Scan(&some).Error
	})
	return int(count), some, err
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
