package petitions

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/models"
)

// Limits of what a petition states as facts, and of the words for its picture, in characters.
const (
	ClaimsMax      = 10
	ClaimMax       = 500
	SourceTitleMax = 200
	SourceURLMax   = 500
	PictureAltMax  = 300
)

// Claim is something that a petition states as a fact, and where it is from. SourceURL is checked when the petition is
// submitted, not while it is written.
type Claim struct{ Claim, SourceTitle, SourceURL string }

// Link is the address of the source where it is one of the web, "" for anything else.
func (c Claim) Link() string { return Linked(c.SourceURL) }

// Linked is the address of a source where it is one of the web, "" for anything else: nothing else becomes a link.
func Linked(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return address
}

// trimClaims brings claims to the form that is stored: rows without a word are left out. nil stays nil.
func trimClaims(in []Claim) []Claim {
	if in == nil {
		return nil
	}
	out := []Claim{}
	for _, c := range in {
		c = Claim{strings.TrimSpace(c.Claim), strings.TrimSpace(c.SourceTitle), strings.TrimSpace(c.SourceURL)}
		if c != (Claim{}) {
			out = append(out, c)
		}
	}
	return out
}

// claimField names a field of the claim at a place, from 1.
func claimField(n int, part string) string {
	name := "claim_" + strconv.Itoa(n)
	if part != "" {
		name += "_" + part
	}
	return name
}

// checkClaims notes what can never be stored.
func checkClaims(bad *fault.Fields, claims []Claim) {
	if len(claims) > ClaimsMax {
		bad.Add(claimField(ClaimsMax, ""), "error.start_claims_many", "Max", ClaimsMax)
	}
	for i, c := range claims {
		line(bad, claimField(i+1, ""), c.Claim, ClaimMax)
		line(bad, claimField(i+1, "source"), c.SourceTitle, SourceTitleMax)
		line(bad, claimField(i+1, "url"), c.SourceURL, SourceURLMax)
	}
}

// completeClaims notes what a claim lacks before it can be public.
func completeClaims(bad *fault.Fields, claims []Claim) {
	for i, c := range claims {
		if c.Claim == "" {
			bad.Add(claimField(i+1, ""), "error.start_claim_missing")
		}
		if c.SourceTitle == "" {
			bad.Add(claimField(i+1, "source"), "error.start_claim_source")
		}
		if Linked(c.SourceURL) == "" {
			bad.Add(claimField(i+1, "url"), "error.start_claim_url")
		}
	}
}

// claimsOf reads the claims of a petition in their order.
func claimsOf(ctx context.Context, tx *gorm.DB, id uuid.UUID) ([]Claim, error) {
	var rows []models.PetitionClaim
	err := tx.WithContext(ctx).Where("petition_id = ?", id).Order("position").Find(&rows).Error
	out := make([]Claim, len(rows))
	for i, r := range rows {
		out[i] = Claim{r.Claim, r.SourceTitle, r.SourceURL}
	}
	return out, err
}

// setClaims puts claims in the place of those that were there. It does nothing for nil.
func setClaims(ctx context.Context, tx *gorm.DB, id uuid.UUID, claims []Claim) error {
	if claims == nil {
		return nil
	}
	tx = tx.WithContext(ctx)
	if err := tx.Where("petition_id = ?", id).Delete(&models.PetitionClaim{}).Error; err != nil || len(claims) == 0 {
		return err
	}
	rows := make([]models.PetitionClaim, len(claims))
	for i, c := range claims {
		rows[i] = models.PetitionClaim{ID: models.NewID(), PetitionID: id, Position: i + 1, Claim: c.Claim, SourceTitle: c.SourceTitle, SourceURL: c.SourceURL}
	}
	return tx.Create(&rows).Error
}

// sameClaims reports whether claims say what is stored; nil says nothing about them.
func sameClaims(ctx context.Context, tx *gorm.DB, id uuid.UUID, claims []Claim) (bool, error) {
	if claims == nil {
		return true, nil
	}
	stored, err := claimsOf(ctx, tx, id)
	return slices.Equal(stored, claims), err
}

// ready notes everything that is missing before a stored petition can be public: its text, its claims with their sources, words
// for its picture, its versions in other languages.
func ready(ctx context.Context, tx *gorm.DB, p models.Petition, now time.Time) (fault.Fields, error) {
	bad := draftOf(p).complete(now)
	claims, err := claimsOf(ctx, tx, p.ID)
	if err != nil {
		return nil, err
	}
	completeClaims(&bad, claims)
	if p.PictureID != nil && p.PictureAlt == "" {
		bad.Add("picture_alt", "error.start_picture_alt")
	}
	texts, err := textsOf(ctx, tx, p.ID)
	if err != nil {
		return nil, err
	}
	for _, t := range texts {
		if !t.whole() {
			bad.Add("text_"+t.Locale, "error.start_text_incomplete", "Locale", t.Locale)
		}
	}
	return bad, nil
}

// Said is everything that a petition says beside its own text: for pages that show or change it.
type Said struct {
	Claims   []Claim
	Texts    []Text
	Starters []string // who chose to be named, the lead first
}

// saidBy reads what a petition says beside its own text.
func saidBy(ctx context.Context, tx *gorm.DB, p models.Petition) (said Said, err error) {
	if said.Claims, err = claimsOf(ctx, tx, p.ID); err != nil {
		return said, err
	}
	if said.Texts, err = textsOf(ctx, tx, p.ID); err != nil {
		return said, err
	}
	err = tx.WithContext(ctx).Model(&models.PetitionStarter{}).Where("petition_id = ? AND confirmed_at IS NOT NULL AND shown_name <> ''", p.ID).
		Order("lead DESC, created_at, id").Pluck("shown_name", &said.Starters).Error
	return said, err
}
