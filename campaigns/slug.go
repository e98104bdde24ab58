package campaigns

import (
	"context"
	"strconv"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"
)

// slugMax is how long a slug made of a title is at most, in characters; a number may come behind it.
const slugMax = 60

// Slug makes the part of an address out of a title: lower-case ASCII letters, digits and hyphens, whole words, at most 60
// characters. It is empty for a title without a letter that has one.
func Slug(title string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(strings.ToLower(title)) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case unicode.Is(unicode.Mn, r), r == '\'', r == '’':
		case letters[r] != "":
			b.WriteString(letters[r])
		default:
			b.WriteByte(' ')
		}
	}
	out := ""
	for _, w := range strings.Fields(b.String()) {
		if out == "" {
			out = w[:min(len(w), slugMax)]
			continue
		}
		if len(out)+1+len(w) > slugMax {
			break
		}
		out += "-" + w
	}
	return out
}

// letters that have no parts to take apart.
var letters = map[rune]string{'ß': "ss", 'æ': "ae", 'œ': "oe", 'ø': "o", 'đ': "d", 'ð': "d", 'þ': "th", 'ł': "l", 'ı': "i"}

// taken are the words that an address of the site has for itself.
var taken = map[string]bool{"new": true, "drafts": true, "draft": true, "mine": true, "resume": true}

// DraftSlug stands in a row until it is published.
func DraftSlug(id uuid.UUID) string { return "draft-" + id.String() }

// FreeSlug returns the slug of a title that no other row of the model's table has: with -2, -3 ... behind it where it is
// used. Two transactions at once can be given the same one; the unique index then tells, and the caller tries again.
func FreeSlug(ctx context.Context, tx *gorm.DB, model any, title string, id uuid.UUID) (string, error) {
	// "Twenty visits: let people get the care their doctor ordered" is known by its first part, and so is its address.
	base := Slug(title)
	if head, _, ok := strings.Cut(title, ":"); ok && len(Slug(head)) >= 5 {
		base = Slug(head)
	}
	if base == "" {
		base = id.String()[24:]
	}
	if strings.HasPrefix(base, "draft-") {
		base = "a-" + base
	}
	for n := 1; ; n++ {
		s := base
		if n > 1 {
			s += "-" + strconv.Itoa(n)
		}
		if taken[s] {
			continue
		}
		var used int64
		err := tx.WithContext(ctx).Model(model).Where("slug = ? AND id <> ?", s, id).Limit(1).Count(&used).Error
		if err != nil || used == 0 {
			return s, err
		}
	}
}
