package abuse

import (
	"context"
	"sync"
	"time"

	"kithline/models"
)

// How pressure begins and ends.
const (
	pressFor    = 15 * time.Minute // the form asks for a proof
	pressAgain  = 10 * time.Minute // what is left when it is drawn out
	suspectPart = 3                // one in so many is suspect
	deviceTimes = 5                // signatures for each device
)

// pulse is what this server took in during the last minute, by petition.
type pulse struct {
	mu        sync.Mutex
	petitions map[key]*beat
}

// beat is a minute of one petition.
type beat struct {
	began          time.Time
	total, suspect int
	devices        map[string]struct{}
}

// note counts signatures that are about to be written. What a batch that runs again counts twice does no harm: this is an estimate.
func (p *pulse) note(items []Item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range items {
		if i.Rests || i.Allowed {
			continue
		}
		k := key{petition: i.PetitionID}
		b := p.petitions[k]
		if b == nil {
			if len(p.petitions) >= 1000 { // petitions that rest
				clear(p.petitions)
			}
			b = &beat{began: i.CreatedAt}
			p.petitions[k] = b
		}
		if i.CreatedAt.Sub(b.began) >= time.Minute {
			*b = beat{began: i.CreatedAt}
		}
		if b.devices == nil {
			b.devices = map[string]struct{}{}
		}
		b.total++
		b.devices[string(i.ClientHash)] = struct{}{}
		// A missing proof is what pressure brings about: it must not keep it up.
		if i.SuspectReason != "" && i.SuspectReason != ReasonNoProof {
			b.suspect++
		}
	}
}

// hot reports whether the last minute asks for pressure: from so many signatures on, when a third is suspect or each device left five.
func (p *pulse) hot(k key, from int, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.petitions[k]
	return b != nil && now.Sub(b.began) < 2*time.Minute && b.total >= from && (b.suspect*suspectPart >= b.total || len(b.devices)*deviceTimes <= b.total)
}

// press writes down that a petition is under pressure, where it is: all servers then ask for proofs.
func (s *Service) press(ctx context.Context, p models.Petition, now time.Time) error {
	if p.PressureUntil != nil && p.PressureUntil.Sub(now) > pressAgain || !s.pulse.hot(key{petition: p.ID}, s.limit.ProofFrom, now) {
		return nil
	}
	return s.db.WithContext(ctx).Model(&models.Petition{}).Where("id = ? AND (pressure_until IS NULL OR pressure_until < ?)", p.ID, now.Add(pressAgain)).
		Update("pressure_until", now.Add(pressFor)).Error
}
