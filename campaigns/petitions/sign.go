package petitions

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"

	"kithline/campaigns/abuse"
	"kithline/campaigns/address"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/postal"
	"kithline/models"
)

// SignInput is the form under a petition as it was typed. Its field names are those of the form, in this order.
type SignInput struct {
	Slug        string
	GivenName   string // given_name
	FamilyName  string // family_name
	Email       string // email
	PostalCode  string // postal_code
	Comment     string // comment
	Display     string // display: name, initials, anonymous; anonymous where nothing was chosen
	Updates     bool   // updates
	Locale      string // of the page: mails are in it
	Role        string // role: pain, family, care; "" says nothing
	Source      string // how the person came: a short code of ours or of an organizer's, never an address
	By          string // by: the share code of the signature whose link it came by; "" for none
	Trap        string // leave_empty: a field that no person sees
	Proof       string // altcha: of work, where the form asked for one
	ClientIP    string // of the device, as the server knows it; "" where it does not. It is kept as a hash of the day, for 14 days
	ConsentText string // the words beside the box, exactly as they were shown
}

// SignResult is what the browser that signed is given. ID is new every time and says nothing about the address: only where
// the signature was new does a row have it.
type SignResult struct {
	ID uuid.UUID
}

// Sign takes a signature that waits to be confirmed, and queues the mail for it. It answers the same for every address,
// whether it has signed before or not. Anybody may call it. The faults are NotFound, error.petition_unknown; Gone,
// error.petition_withdrawn; Conflict, error.petition_closed or error.petition_paused; Invalid with fields; Unavailable,
// error.unavailable.
func (s *Service) Sign(ctx context.Context, in SignInput) (SignResult, error) {
	p, err := s.lately(ctx, in.Slug)
	if err != nil {
		return SignResult{}, err
	}
	now := s.clk.Now()
	if err := signable(p, now); err != nil {
		return SignResult{}, err
	}
	row, err := s.prepare(p, in, now)
	if err != nil {
		return SignResult{}, err
	}
	if in.Updates {
		if in.ConsentText == "" {
			return SignResult{}, errors.New("petitions: a form that asks for consent must say with which words")
		}
		text, err := s.words.ID(ctx, models.PurposeUpdates, row.Signature.Locale, in.ConsentText, now)
		if err != nil {
			return SignResult{}, err
		}
		row.Signature.ConsentTextID = &text
	}
	if s.opt.Judge != nil {
		v, err := s.opt.Judge(ctx, p, Judged{
			AddressHash: row.Mailbox.AddressHash, Domain: row.Mailbox.Domain, ClientIP: in.ClientIP, ClientHash: row.Signature.ClientHash, Form: in,
		})
		if err != nil {
			return SignResult{}, err
		}
		row.Verdict, row.settle = v, s.settle
		sig := &row.Signature
		sig.SuspectReason, sig.Flag, sig.InboxHash, sig.ProofHash = v.Suspect, v.Flag, v.InboxHash, v.ProofHash
		if v.Suspect != "" {
			sig.State = models.SignatureSuspect
		}
	}
	if err := s.signing.Do(ctx, &row); err != nil {
		return SignResult{}, err
	}
	if row.Refused != nil { // it was closed since
		return SignResult{}, row.Refused
	}
	s.grew()
	return SignResult{ID: row.Signature.ID}, nil
}

// Judged is a form that was checked, for whoever judges it by more than its own words. Nothing of it may be logged or kept.
type Judged struct {
	AddressHash []byte // as mailboxes have it
	Domain      string // of the address
	ClientIP    string
	ClientHash  []byte // as signatures have it; nil where the address of the device is not known
	Form        SignInput
}

// Verdict is what is said of a form: the zero value lets it go the usual way.
type Verdict struct {
	Suspect   string // why its signature is held back until somebody looks, a code
	Flag      string // what to look at when judging many, a code
	InboxHash []byte // of the inbox behind the address, where one inbox has many addresses
	ProofHash []byte // of the proof of work that came with it
	Allowed   bool   // by a rule: nothing makes it suspect
	Rests     bool   // the limits rest
}

// Recruiter reports whether a share code is one, so that a form may carry it.
func (s *Service) Recruiter(code string) bool {
	_, ok := s.signer.ReadShare(code)
	return ok
}

// recent are the petitions that were open when somebody signed, by slug.
type recent struct{ sync.Map }

type recentPetition struct {
	models.Petition
	at time.Time
}

// recentFor is how old a petition may be for a form to be checked and sealed for it. Whether it is open is asked once more
// where the signature is written.
const recentFor = time.Second

// lately returns a public petition as it was at most a second ago, if it was open then; else as it is. The faults are those
// of Public.
func (s *Service) lately(ctx context.Context, slug string) (models.Petition, error) {
	if v, ok := s.recent.Load(slug); ok && time.Since(v.(recentPetition).at) < recentFor {
		return v.(recentPetition).Petition, nil
	}
	at := time.Now()
	p, err := s.public(ctx, slug)
	if err == nil && openAt(p, s.clk.Now()) {
		s.recent.Store(slug, recentPetition{p, at})
	}
	return p, err
}

// prepare checks the form and makes the rows it stands for. It asks no database.
func (s *Service) prepare(p models.Petition, in SignInput, now time.Time) (newSignature, error) {
	var bad fault.Fields
	given, family := personName(&bad, "given_name", in.GivenName), personName(&bad, "family_name", in.FamilyName)
	box, err := mailboxes.NewRow(s.vault, in.Email, now)
	if err != nil {
		bad.Add("email", address.Key(err))
	}
	postal := postalArea(&bad, "postal_code", in.PostalCode)
	comment := commentOf(&bad, in.Comment)
	display := models.Display(in.Display)
	switch display {
	case models.DisplayName, models.DisplayInitials, models.DisplayAnonymous:
	case "":
		display = models.DisplayAnonymous
	default:
		bad.Add("display", "error.value_unknown")
	}
	role := models.Role(in.Role)
	if role != models.RoleNone && !slices.Contains(models.Roles, role) {
		bad.Add("role", "error.value_unknown")
	}
	if err := bad.Err(); err != nil {
		return newSignature{}, err
	}
	if !localeForm.MatchString(in.Locale) {
		in.Locale = p.Locale
	}
	id := models.NewID()
	n := newSignature{
		Mailbox: box, Name: foldName(given, family),
		CampaignID: p.CampaignID,
		Signature: models.Signature{
			ID: id, PetitionID: p.ID, State: models.SignaturePending,
			GivenNameSealed:  s.vault.Seal("signatures", "given_name_sealed", id, given),
			FamilyNameSealed: s.vault.Seal("signatures", "family_name_sealed", id, family),
			PostalArea:       postal, Display: display,
			CommentSealed: s.vault.Seal("signatures", "comment_sealed", id, comment), RoleSealed: sealedRole(s, id, role),
			WantsUpdates: in.Updates, Locale: in.Locale, Source: sourceCode(in.Source), CreatedAt: now, ExpiresAt: now.Add(pendingFor),
		},
	}
	if by, ok := s.signer.ReadShare(in.By); ok {
		n.Signature.RecruitedBy = &by
	}
	if net := abuse.Net(device(in.ClientIP)); net != nil {
		n.Signature.ClientHash = s.vault.DayHash(now, net)
	}
	return n, nil
}

// addressLike text has no place in a name: who signs as one wants the page to carry it. Endings that are words between
// names, as in "Ma.de los Ángeles", are not here.
var addressLike = regexp.MustCompile(`(?i)(://|www\.|@|\b[\pL\pN-]{2,}\.(com|org|net|info|biz|io|ru|cn|xyz|top|site|online|shop|club|app|dev|link|click|live|store|tv|uk)\b)`)

// personName checks one part of a name and returns it as it is stored.
func personName(bad *fault.Fields, field, v string) string {
	v = strings.Join(strings.FieldsFunc(norm.NFC.String(v), unicode.IsSpace), " ")
	switch {
	case !utf8.ValidString(v), strings.ContainsFunc(v, badInName), overloaded(v):
		bad.Add(field, "error.text_unreadable")
	case v == "":
		bad.Add(field, "error."+field+"_missing")
	case utf8.RuneCountInString(v) > NameMax:
		bad.Add(field, "error.text_too_long", "Max", NameMax, "Over", utf8.RuneCountInString(v)-NameMax)
	case addressLike.MatchString(v):
		bad.Add(field, "error.name_address")
	case !strings.ContainsFunc(v, unicode.IsLetter):
		bad.Add(field, "error.name_letters")
	}
	return v
}

// badInName are control characters, marks of markup, and marks that turn the direction of everything behind them.
func badInName(r rune) bool {
	return unicode.IsControl(r) || r == '<' || r == '>' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' || r == '\u2028' || r == '\u2029' || r == utf8.RuneError
}

// overloaded reports whether more marks stand on one letter than any script needs.
func overloaded(v string) bool {
	marks := 0
	for _, r := range v {
		if !unicode.Is(unicode.M, r) {
			marks = 0
			continue
		}
		if marks++; marks > 6 {
			return true
		}
	}
	return false
}

// postalArea checks a postal code and returns it as it is kept.
func postalArea(bad *fault.Fields, field, v string) string {
	v = strings.ToUpper(strings.Join(strings.Fields(v), " "))
	if v == "" {
		bad.Add(field, "error.postal_code_missing")
		return ""
	}
	if len(v) < 2 || len(v) > 12 || strings.ContainsFunc(v, func(r rune) bool {
		return (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != ' ' && r != '-'
	}) || !strings.ContainsFunc(v, func(r rune) bool { return r != ' ' && r != '-' }) {
		bad.Add(field, "error.postal_code_invalid")
	}
	return postal.Area("", v)
}

var sourceForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

// sourceCode returns a source that can be counted, "" for anything that is none.
func sourceCode(v string) string {
	if v = strings.ToLower(strings.TrimSpace(v)); sourceForm.MatchString(v) {
		return v
	}
	return ""
}

// shown is the name as its owner chose to show it: "June Okafor", "June O.", "".
func shown(d models.Display, given, family string) string {
	switch d {
	case models.DisplayName:
		return strings.TrimSpace(given + " " + family)
	case models.DisplayInitials:
		for _, r := range family {
			if unicode.IsLetter(r) {
				return given + " " + string(unicode.ToUpper(r)) + "."
			}
		}
		return given
	}
	return ""
}
