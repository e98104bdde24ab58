package letters

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"

	"kithline/campaigns/address"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/mailboxes"
	areas "kithline/campaigns/postal"
	"kithline/models"
)

// Limits of what a writer says, in characters.
const (
	OwnWordsMax = 6000
	SubjectMax  = 120
	NameMax     = 100
	StreetMax   = 200
	CityMax     = 100
)

// Sheet is what a writer has said so far: the answers of all pages. Until an address is given it is kept by the browser alone.
type Sheet struct {
	PostalCode string      // postal_code
	Country    string      // of the place, where it was asked
	Region     string      // the state, where it was asked
	Divisions  []uuid.UUID // division: of several, the one the writer lives in
	Lat, Lon   *float64    // where the writer is now, in degrees; used once to find the district, and never kept
	Statewide  bool        // the writer does not know: to those alone whom the whole state elects
	Chosen     []uuid.UUID // to
	Points     []uuid.UUID // point, in the order of the letter
	Subject    string      // subject
	Own        string      // own_words
	GivenName  string      // given_name
	FamilyName string      // family_name
	Street     string      // street
	City       string      // city
	Email      string      // email
	Updates    bool        // updates: mails about the campaign
	Copy       bool        // copy: of what goes out
	Source     string
}

// Place is where the writer lives, as far as they said.
func (s Sheet) Place() legislators.Place {
	return legislators.Place{Country: s.Country, PostalCode: s.PostalCode, Region: s.Region, Divisions: s.Divisions, Lat: s.Lat, Lon: s.Lon, Statewide: s.Statewide}
}

// words are what goes into the letter to one recipient.
func (s Sheet) words(r Recipient, region string) Words {
	return Words{
		Target: r.Target.ID, Points: s.Points, Subject: s.Subject, Own: s.Own, GivenName: s.GivenName, FamilyName: s.FamilyName, Street: s.Street, City: s.City,
		Region: region, PostalCode: s.PostalCode,
	}
}

// CheckPlace says what is wrong with a postal code, as a fault on the field postal_code.
func (s *Sheet) CheckPlace() error {
	var bad fault.Fields
	s.PostalCode = areas.Area(s.Country, strings.ToUpper(strings.Join(strings.Fields(s.PostalCode), " ")))
	switch v := s.PostalCode; {
	case v == "":
		bad.Add("postal_code", "error.postal_code_missing")
	case len(v) < 2, len(v) > 12, strings.ContainsFunc(v, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != ' ' && r != '-'
	}), !strings.ContainsFunc(v, func(r rune) bool { return r != ' ' && r != '-' }):
		bad.Add("postal_code", "error.postal_code_invalid")
	}
	return bad.Err()
}

// CheckWords cleans subject and own words, and says what is wrong with them, as faults on the fields subject and own_words. What was
// typed stays as it is where it is too long.
func (s *Sheet) CheckWords(c Campaign) error {
	var bad fault.Fields
	s.Subject = letterLine(&bad, "subject", s.Subject, SubjectMax)
	s.Own = letterText(&bad, "own_words", s.Own)
	if n, least := WordCount(s.Own), c.MinOwnWords; !bad.Has("own_words") && n < least {
		bad.Add("own_words", "error.letter_own_words", "Min", least, "Count", least-n)
	}
	return bad.Err()
}

// CheckYou cleans name and address, and says what is wrong with them, as faults on their fields.
func (s *Sheet) CheckYou() error {
	var bad fault.Fields
	s.GivenName = writerName(&bad, "given_name", s.GivenName)
	s.FamilyName = writerName(&bad, "family_name", s.FamilyName)
	for _, f := range []struct {
		name string
		at   *string
		most int
	}{{"street", &s.Street, StreetMax}, {"city", &s.City, CityMax}} {
		if *f.at = letterLine(&bad, f.name, *f.at, f.most); *f.at == "" && !bad.Has(f.name) {
			bad.Add(f.name, "error.letter_"+f.name+"_missing")
		}
	}
	s.checkEmail(&bad)
	return bad.Err()
}

func (s *Sheet) checkEmail(bad *fault.Fields) {
	if _, _, err := address.CanonicalAddress(s.Email); err != nil {
		bad.Add("email", address.Key(err))
	}
}

// unsafe are characters that end a header field or a line where none is, or that turn the direction of everything behind them.
func unsafe(r rune) bool {
	return unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u2028' || r == '\u2029' || r == utf8.RuneError
}

// letterLine checks a text of one line, such as a subject: what could end a header field is refused, never taken out in silence.
func letterLine(bad *fault.Fields, field, v string, most int) string {
	v = norm.NFC.String(strings.TrimSpace(v))
	switch n := utf8.RuneCountInString(v); {
	case !utf8.ValidString(v), strings.ContainsFunc(v, unsafe):
		bad.Add(field, "error.text_unreadable")
	case n > most:
		bad.Add(field, "error.text_too_long", "Max", most, "Over", n-most)
	}
	return v
}

// addressLike text has no place in a name.
var addressLike = regexp.MustCompile(`(?i)(://|www\.|@)`)

// writerName checks a part of a name.
func writerName(bad *fault.Fields, field, v string) string {
	v = letterLine(bad, field, strings.Join(strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == '\u00a0' }), " "), NameMax)
	switch {
	case bad.Has(field):
	case v == "":
		bad.Add(field, "error."+field+"_missing")
	case strings.ContainsAny(v, "<>"):
		bad.Add(field, "error.text_unreadable")
	case addressLike.MatchString(v):
		bad.Add(field, "error.name_address")
	case !strings.ContainsFunc(v, unicode.IsLetter):
		bad.Add(field, "error.name_letters")
	}
	return v
}

// manyEmpty are more empty lines than a letter needs.
var manyEmpty = regexp.MustCompile(`\n{3,}`)

// letterText checks own words. Line ends are those of one kind, and no line ends in spaces.
func letterText(bad *fault.Fields, field, v string) string {
	v = norm.NFC.String(strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n\n", "\t", " ").Replace(v))
	if !utf8.ValidString(v) || strings.ContainsFunc(v, func(r rune) bool { return r != '\n' && unsafe(r) }) {
		bad.Add(field, "error.text_unreadable")
		return v
	}
	lines := strings.Split(v, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	v = strings.TrimSpace(manyEmpty.ReplaceAllString(strings.Join(lines, "\n"), "\n\n"))
	if n := utf8.RuneCountInString(v); n > OwnWordsMax {
		bad.Add(field, "error.letter_too_long", "Max", OwnWordsMax, "Over", n-OwnWordsMax)
	}
	return v
}

// Who lists whom a letter of a campaign may go to from the place of a sheet. Anybody may call it. The fault is that of CheckPlace.
func (s *Service) Who(ctx context.Context, c Campaign, in *Sheet) (Recipients, error) {
	if err := in.CheckPlace(); err != nil {
		return Recipients{}, err
	}
	return recipients(ctx, s.DB.DB, c, in.Place(), s.Clock.Now())
}

// Settle brings what a sheet chose into line with who may be written to: whom it names that is nobody of them goes; where it names
// nobody, everybody is chosen, as far as a letter may go to so many.
func (s *Sheet) Settle(c Campaign, r Recipients) {
	s.Chosen = slices.DeleteFunc(s.Chosen, func(id uuid.UUID) bool { return !r.Has(id) })
	if len(s.Chosen) > 0 {
		return
	}
	for _, m := range r.Members {
		if c.MaxRecipients == 0 || len(s.Chosen) < c.MaxRecipients {
			s.Chosen = append(s.Chosen, m.ID)
		}
	}
}

// CheckWho says what is wrong with whom a sheet chose, as faults on the fields division and to.
func (s *Sheet) CheckWho(c Campaign, r Recipients) error {
	var bad fault.Fields
	switch {
	case len(r.Choices) > 0:
		bad.Add("division", "error.letter_division_open")
	case len(r.Members) == 0:
		bad.Add("to", "error.letter_nobody")
	case len(s.Chosen) == 0:
		bad.Add("to", "error.letter_to_missing")
	case c.MaxRecipients > 0 && len(s.Chosen) > c.MaxRecipients:
		bad.Add("to", "error.letter_to_many", "Count", c.MaxRecipients)
	case slices.ContainsFunc(s.Chosen, func(id uuid.UUID) bool { return !r.Has(id) }):
		bad.Add("to", "error.letter_to_changed")
	}
	return bad.Err()
}

// Offered are the points that at least one of those whom a sheet chose can be told, in an order by chance that seed makes: the same
// for as long as somebody writes, another one for the next.
func (s *Sheet) Offered(c Campaign, r Recipients, seed uint64) []models.LetterPoint {
	var out []models.LetterPoint
	for _, p := range c.PointsFor(c.Locale, "*") {
		if slices.ContainsFunc(r.Members, func(m Recipient) bool { return slices.Contains(s.Chosen, m.ID) && meant(p, m.Target.ID, m.Member) }) {
			out = append(out, p)
		}
	}
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] }) //nolint:gosec // fairness, not a secret
	return out
}

// FullText is the letter to one recipient, as the office will see it.
type FullText struct {
	Recipient
	Subject, Body string
}

// Preview makes the letter to each recipient that a sheet chose, and measures it. Nothing is kept. Anybody may call it.
func (s *Service) Preview(c Campaign, in Sheet, r Recipients) ([]FullText, Meter) {
	var out []FullText
	for _, m := range r.Members {
		if slices.Contains(in.Chosen, m.ID) {
			t := FullText{Recipient: m}
			t.Subject, t.Body = s.compose(c, c.Locale, in.words(m, r.Region), m.Member)
			out = append(out, t)
		}
	}
	return out, measure(c, Words{Own: in.Own, Points: in.Points})
}

// afterClosing is how long a letter that was sent in time can still be confirmed.
const afterClosing = 24 * time.Hour

// confirmableAt reports whether a letter that was sent in time still goes out when it is confirmed at a time. A campaign that pauses
// takes confirmations: what was confirmed waits with it.
func confirmableAt(c models.LetterCampaign, now time.Time) bool {
	switch c.State {
	case models.LettersPublished, models.LettersPaused:
		return c.ClosesAt == nil || now.Before(c.ClosesAt.Add(afterClosing))
	case models.LettersClosed:
		return c.ClosedAt != nil && now.Before(c.ClosedAt.Add(afterClosing))
	}
	return false
}

// takes says why a campaign takes no letter now, in tx: Conflict, error.letters_paused, error.letters_closed, error.letters_full or
// error.letters_not_yet; nil where it takes one. Those that wait for their confirmation count as letters, so that none of them comes too
// late.
func (s *Service) takes(ctx context.Context, tx *gorm.DB, c Campaign) error {
	if err := c.writable(s.Clock.Now()); err != nil || c.MaxLetters == 0 {
		return err
	}
	var waiting int64
	err := tx.WithContext(ctx).Model(&models.Letter{}).Where("letter_campaign_id = ? AND state = ?", c.ID, models.LetterAwaiting).Count(&waiting).Error
	if err == nil && c.LetterCount+int(waiting) >= c.MaxLetters {
		err = fault.New(fault.Conflict, "error.letters_full")
	}
	return err
}

// Takes says why a campaign takes no letter now, nil where it takes one. Anybody may call it. The faults are Conflict.
func (s *Service) Takes(ctx context.Context, c Campaign) error { return s.takes(ctx, s.DB.DB, c) }

// idList writes a list of ids in JSON, and readIDs reads one.
func idList(list []uuid.UUID) string {
	if list == nil {
		list = []uuid.UUID{}
	}
	b, _ := json.Marshal(list) // never fails
	return string(b)
}

func readIDs(v string) (list []uuid.UUID) {
	if json.Unmarshal([]byte(v), &list) != nil {
		return nil
	}
	return list
}

var (
	letterLocale = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
	letterSource = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)
)

// row seals what a sheet says, for a mailbox and a campaign. A writer who does not know their district has the id uuid.Nil among their
// divisions.
func (s *Service) row(c Campaign, in Sheet, lang string, box uuid.UUID, r Recipients, now time.Time) models.Letter {
	id := models.NewID()
	homes := slices.Clone(in.Divisions)
	for _, d := range r.Homes {
		if !slices.Contains(homes, d.ID) {
			homes = append(homes, d.ID)
		}
	}
	if in.Statewide {
		homes = append(homes, uuid.Nil)
	}
	m := measure(c, Words{Own: in.Own, Points: in.Points})
	source := strings.ToLower(strings.TrimSpace(in.Source))
	if !letterSource.MatchString(source) {
		source = ""
	}
	if !letterLocale.MatchString(lang) {
		lang = c.Locale
	}
	seal := func(column, v string) []byte { return s.Vault.Seal("letters", column, id, v) }
	return models.Letter{
		ID: id, LetterCampaignID: c.ID, MailboxID: box, State: models.LetterDraft, Locale: lang,
		GivenNameSealed: seal("given_name_sealed", in.GivenName), FamilyNameSealed: seal("family_name_sealed", in.FamilyName), StreetSealed: seal("street_sealed", in.Street),
		CitySealed: seal("city_sealed", in.City), PostalArea: in.PostalCode, Region: r.Region, Country: r.Country, Divisions: idList(homes), Points: idList(in.Points),
		SubjectSealed: seal("subject_sealed", in.Subject), OwnWordsSealed: seal("own_words_sealed", in.Own), Chosen: idList(in.Chosen), OwnShare: m.Share(), OwnWords: m.Own,
		WantsCopy: in.Copy, Consents: "[]", Source: source, CreatedAt: now, UpdatedAt: now, ExpiresAt: now.Add(DraftFor),
	}
}

// sheetOf opens what a letter says.
func (s *Service) sheetOf(ctx context.Context, tx *gorm.DB, l models.Letter) (Sheet, error) {
	in := Sheet{
		PostalCode: l.PostalArea, Country: l.Country, Region: l.Region, Points: readIDs(l.Points), Chosen: readIDs(l.Chosen), Copy: l.WantsCopy, Source: l.Source,
		Updates: len(readAgreed(l.Consents)) > 0,
	}
	for _, id := range readIDs(l.Divisions) {
		if id == uuid.Nil {
			in.Statewide = true
			continue
		}
		in.Divisions = append(in.Divisions, id)
	}
	for _, f := range []struct {
		column string
		sealed []byte
		at     *string
	}{
		{"given_name_sealed", l.GivenNameSealed, &in.GivenName},
		{"family_name_sealed", l.FamilyNameSealed, &in.FamilyName},
		{"street_sealed", l.StreetSealed, &in.Street},
		{"city_sealed", l.CitySealed, &in.City},
		{"subject_sealed", l.SubjectSealed, &in.Subject},
		{"own_words_sealed", l.OwnWordsSealed, &in.Own},
	} {
		var err error
		if *f.at, err = s.Vault.Open("letters", f.column, l.ID, f.sealed); err != nil {
			return in, err
		}
	}
	var box models.Mailbox
	err := tx.WithContext(ctx).Where("id = ?", l.MailboxID).Take(&box).Error
	if errors.Is(err, gorm.ErrRecordNotFound) { // erased since
		return in, draftGone()
	}
	if err != nil {
		return in, err
	}
	in.Email, err = mailboxes.Address(s.Vault, box)
	return in, err
}
