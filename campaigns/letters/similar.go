package letters

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"

	"kithline/models"
)

// Letters whose own words are nearly those of another are found by shingles: every three words that follow each other. Only the words
// of the writer's own box count, in small letters, without punctuation and accents; a salutation and a name are taken in like all
// else, and weigh little. Of all shingles of a letter 80 are kept, the smallest under 80 different orders, and four by four they are
// hashed with a key of the installation: 20 bands. Two letters that share the part J of their shingles agree in a band with the
// chance J⁴, so five equal bands of 20 stand for about three quarters of the shingles. A letter in other words shares no band, and one
// with a changed name and greeting shares most.
//
// Short texts are never held: people say the same when they say little. Only letters that resembled no other leave a sketch, so a
// thousand copies are compared with one row a band.
const (
	shingleWords = 3
	sketchBands  = 20
	bandRows     = 4
	bandsAlike   = 5
	sketchFrom   = 25 // words; shorter ones are never held
)

// HeldSimilar is why a letter waits whose own words are nearly those of another.
const HeldSimilar = "similar"

// sketcher makes sketches with a key.
type sketcher struct {
	key   []byte
	seeds [sketchBands * bandRows]uint64
}

func newSketcher(key []byte) sketcher {
	s := sketcher{key: key}
	x := binary.LittleEndian.Uint64(key)
	for i := range s.seeds {
		x += 0x9e3779b97f4a7c15
		s.seeds[i] = mix(x)
	}
	return s
}

// mix is the finishing step of SplitMix64: it spreads every bit over all of them.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// plainWords are the words of a text in small letters, without marks and punctuation.
func plainWords(text string) []string {
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r), r == '\'', r == '’':
			return -1
		case unicode.IsLetter(r), unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return ' '
	}, norm.NFKD.String(text))
	return strings.Fields(text)
}

// bands is the sketch of a text; nil where it is too short for one.
func (s sketcher) bands(text string) []int64 {
	words := plainWords(text)
	if len(words) < sketchFrom {
		return nil
	}
	var least [sketchBands * bandRows]uint64
	for i := range least {
		least[i] = math.MaxUint64
	}
	for i := range len(words) - shingleWords + 1 {
		mac := hmac.New(sha256.New, s.key)
		mac.Write([]byte(strings.Join(words[i:i+shingleWords], " ")))
		h := binary.LittleEndian.Uint64(mac.Sum(nil))
		for j, seed := range s.seeds {
			least[j] = min(least[j], mix(h^seed))
		}
	}
	out := make([]int64, sketchBands)
	var b [8 * bandRows]byte
	for i := range out {
		for j := range bandRows {
			binary.LittleEndian.PutUint64(b[8*j:], least[i*bandRows+j])
		}
		mac := hmac.New(sha256.New, s.key)
		mac.Write([]byte{byte(i)})
		mac.Write(b[:])
		out[i] = int64(binary.LittleEndian.Uint64(mac.Sum(nil))) //nolint:gosec // any bits are good
	}
	return out
}

// like finds in tx the earlier letter of the campaign, of another mailbox than l, whose own words are nearly these, uuid.Nil where there is
// none.
func like(ctx context.Context, tx *gorm.DB, l models.Letter, bands []int64) (uuid.UUID, error) {
	if len(bands) == 0 {
		return uuid.Nil, nil
	}
	where, args := make([]string, len(bands)), []any{l.LetterCampaignID, l.MailboxID}
	for i, h := range bands {
		where[i] = "s.band = ? AND s.hash = ?"
		args = append(args, i, h)
	}
	var found struct{ LetterID uuid.UUID }
	err := tx.WithContext(ctx).Raw("SELECT s.letter_id FROM letter_sketches s JOIN letters l ON l.id = s.letter_id WHERE s.letter_campaign_id = ? AND (l.mailbox_id IS NULL OR l.mailbox_id <> ?) AND ("+strings.Join(where, " OR ")+
		") GROUP BY s.letter_id HAVING COUNT(*) >= ? ORDER BY COUNT(*) DESC, s.letter_id LIMIT 1", append(args, bandsAlike)...).Scan(&found).Error
	return found.LetterID, err
}

// keepSketch keeps in tx the sketch of a letter that resembled no other.
func keepSketch(ctx context.Context, tx *gorm.DB, l models.Letter, bands []int64) error {
	if len(bands) == 0 {
		return nil
	}
	rows := make([]models.LetterSketch, len(bands))
	for i, h := range bands {
		rows[i] = models.LetterSketch{LetterCampaignID: l.LetterCampaignID, Band: i, Hash: h, LetterID: l.ID}
	}
	return tx.WithContext(ctx).Create(&rows).Error
}
