package abuse

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strconv"
	"time"

	altcha "github.com/altcha-org/altcha-lib-go"
	"github.com/google/uuid"
)

// Challenge is what a browser solves, as ALTCHA writes it: find the number whose digits behind Salt hash to Challenge.
type Challenge = altcha.Challenge

// How hard a challenge is and how long it is good for.
const (
	proofMost = 50_000 // numbers to try at most: about a second on an older telephone
	proofFor  = time.Hour
)

// saltForm is the salt of our challenges. It ends with a mark that no digit can be taken across: else digits could move from the
// number into the time, and the proof would never end.
var saltForm = regexp.MustCompile(`^[0-9a-f]{32}\?expires=([0-9]{10,11})&petition=([0-9a-f-]{36})&$`)

// Challenge makes a challenge for a form of the petition. Anybody may call it; it writes nothing.
func (s *Service) Challenge(petition uuid.UUID) (Challenge, error) {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	ends := s.clk.Now().Add(proofFor).Unix()
	return altcha.CreateChallenge(altcha.ChallengeOptions{
		Algorithm: altcha.SHA256, MaxNumber: proofMost, HMACKey: s.proof,
		Salt: hex.EncodeToString(b) + "?expires=" + strconv.FormatInt(ends, 10) + "&petition=" + petition.String() + "&",
	})
}

// payloadMax is the most that is looked at of a payload.
const payloadMax = 1000

// solved reports whether a payload solves a challenge that we made for the petition and that has not ended, and names the
// challenge, so that it is taken once.
func (s *Service) solved(petition uuid.UUID, payload string, now time.Time) (name []byte, ok bool) {
	if payload == "" || len(payload) > payloadMax {
		return nil, false
	}
	raw, err := base64.StdEncoding.DecodeString(payload)
	if err != nil {
		return nil, false
	}
	var p altcha.Payload
	if json.Unmarshal(raw, &p) != nil || p.Algorithm != string(altcha.SHA256) || p.Number < 0 {
		return nil, false
	}
	m := saltForm.FindStringSubmatch(p.Salt)
	if m == nil || m[2] != petition.String() {
		return nil, false
	}
	if ends, err := strconv.ParseInt(m[1], 10, 64); err != nil || now.Unix() > ends {
		return nil, false
	}
	// The library would measure time by the machine's clock.
	if good, err := altcha.VerifySolutionSafe(p, s.proof, false); err != nil || !good {
		return nil, false
	}
	sum := sha256.Sum256([]byte(p.Challenge))
	return sum[:16], true
}
