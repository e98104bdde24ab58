package petitions

import (
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/abuse"
	"kithline/campaigns/actor"
	"kithline/campaigns/today"
	"kithline/models"
)

// How much of a kind the page about trust shows.
const (
	trustHours   = 48
	trustDomains = 20
	trustDevices = 10
	trustNewest  = 10_000 // signatures that domains are counted of, of each sort
	trustSample  = 20
)

// TrustHour is what happened in an hour.
type TrustHour struct {
	Hour      time.Time
	Signed    int // forms taken
	Confirmed int // began to count, and count
	Suspect   int // of those signed, suspect now
}

// SuspectRow is all that is suspect for one reason: it is looked at as one.
type SuspectRow struct {
	Reason        string
	Held, Waiting int // confirmed by mail, and not yet
	First, Last   time.Time
	Sample        []SuspectSample // some of the newest
}

// SuspectSample is one of many, to see what they are like.
type SuspectSample struct {
	ID     uuid.UUID
	Name   string // as its owner chose to show it; "" for anonymous
	Domain string // of the mail address
	Place  string
	At     time.Time
}

// DomainRow is how many of the newest signatures came with addresses of a mail domain.
type DomainRow struct {
	Domain         string
	Count          int
	Suspect, Flags int
	Disposable     bool
}

// DeviceRow is how many suspect signatures came from one device address. The address itself is known to nobody.
type DeviceRow struct {
	Device      string // for a Condition
	Count       int
	First, Last time.Time
}

// Trust is what there is to see about whether signatures are what they seem.
type Trust struct {
	Petition      models.Petition
	Pressed       bool // the form asks for a proof of work
	Hours         []TrustHour
	Suspects      []SuspectRow
	Domains       []DomainRow
	Flagged       int // of the signatures that Domains are counted of
	Looked        int // how many those are
	Devices       []DeviceRow
	Windows       []models.SigningWindow
	Invalidations []models.Invalidation
	HeldMails     int // confirmation mails that the breaker holds back
}

// Trust reads it. It needs actor.ModeratePetition. The fault is NotFound.
func (s *Service) Trust(ctx context.Context, a actor.Actor, id uuid.UUID) (Trust, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return Trust{}, err
	}
	p, err := take(ctx, s.db.DB, id)
	if err != nil {
		return Trust{}, err
	}
	t := Trust{Petition: p, Pressed: s.Pressed(p)}
	now := s.clk.Now()
	for _, read := range []func() error{
		func() (err error) { t.Hours, err = s.trustHours(ctx, id, now); return err },
		func() (err error) { t.Suspects, err = s.suspects(ctx, id, now); return err },
		func() (err error) { t.Domains, t.Looked, t.Flagged, err = s.domains(ctx, id, now); return err },
		func() (err error) { t.Devices, err = s.devices(ctx, id); return err },
		func() (err error) { t.Invalidations, err = s.Invalidations(ctx, a, id); return err },
	} {
		if err := read(); err != nil {
			return Trust{}, err
		}
	}
	if s.opt.Guard != nil {
		if t.Windows, err = s.opt.Guard.Windows(ctx, a, id); err != nil {
			return Trust{}, err
		}
	}
	if p.BreakerAt != nil {
		held, err := s.heldMails(ctx, s.db.DB, id, now)
		if err != nil {
			return Trust{}, err
		}
		t.HeldMails = len(held)
	}
	return t, nil
}

// suspectRows picks the suspect signatures of a petition by the two indexes that lead to them. The signatures are called s; the values
// are the petition, the petition, and now.
const suspectRows = `(SELECT * FROM signatures WHERE petition_id = ? AND state = 'suspect' AND confirmed_at IS NOT NULL
	UNION ALL SELECT * FROM signatures WHERE petition_id = ? AND confirmed_at IS NULL AND state IN ('pending', 'suspect') AND state = 'suspect' AND expires_at > ?) AS s`

func (s *Service) trustHours(ctx context.Context, id uuid.UUID, now time.Time) ([]TrustHour, error) {
	first := now.UTC().Truncate(time.Hour).Add(-(trustHours - 1) * time.Hour)
	out := make([]TrustHour, trustHours)
	for i := range out {
		out[i].Hour = first.Add(time.Duration(i) * time.Hour)
	}
	at := func(name string) *TrustHour {
		hour, err := time.Parse(hourForm, name)
		i := int(hour.Sub(first) / time.Hour)
		if err != nil || hour.Before(first) || i >= len(out) {
			return &TrustHour{}
		}
		return &out[i]
	}
	var rows []models.PetitionTally
	err := s.db.WithContext(ctx).Where("petition_id = ? AND kind = ? AND name >= ?", id, models.TallyHour, first.Format(hourForm)).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		h := at(r.Name)
		h.Signed, h.Confirmed = r.Signed, r.Confirmed
	}
	var suspect []time.Time
	err = s.db.WithContext(ctx).Raw("SELECT s.created_at FROM "+suspectRows+" WHERE s.created_at >= ?", id, id, now, first).Scan(&suspect).Error
	for _, t := range suspect {
		at(t.UTC().Format(hourForm)).Suspect++
	}
	return out, err
}

func (s *Service) suspects(ctx context.Context, id uuid.UUID, now time.Time) ([]SuspectRow, error) {
	var rows []struct {
		Reason  string
		N, Held int
	}
	db := s.db.WithContext(ctx)
	err := db.Raw(`SELECT s.suspect_reason AS reason, COUNT(*) AS n, COUNT(s.confirmed_at) AS held FROM `+suspectRows+` GROUP BY s.suspect_reason`, id, id, now).Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	var out []SuspectRow
	for _, r := range rows {
		row := SuspectRow{Reason: r.Reason, Held: r.Held, Waiting: r.N - r.Held}
		var newest, oldest []models.Signature
		pick := func(order string, n int) ([]models.Signature, error) {
			var sigs []models.Signature
			err := db.Raw(`SELECT s.* FROM `+suspectRows+` WHERE s.suspect_reason = ? ORDER BY s.created_at `+order+`, s.id LIMIT ?`, id, id, now, r.Reason, n).Scan(&sigs).Error
			return sigs, err
		}
		if newest, err = pick("DESC", trustSample); err != nil {
			return nil, err
		}
		if oldest, err = pick("ASC", 1); err != nil {
			return nil, err
		}
		if len(newest) > 0 && len(oldest) > 0 {
			row.First, row.Last = oldest[0].CreatedAt, newest[0].CreatedAt
		}
		if row.Sample, err = s.sample(ctx, newest); err != nil {
			return nil, err
		}
		out = append(out, row)
	}
	slices.SortFunc(out, func(a, b SuspectRow) int {
		return slices.Index(SuspectReasons, a.Reason) - slices.Index(SuspectReasons, b.Reason)
	})
	return out, nil
}

func (s *Service) sample(ctx context.Context, sigs []models.Signature) ([]SuspectSample, error) {
	ids := make([]uuid.UUID, len(sigs))
	for i, sig := range sigs {
		ids[i] = sig.MailboxID
	}
	var boxes []models.Mailbox
	if err := s.db.WithContext(ctx).Select("id", "domain").Where("id IN ?", ids).Find(&boxes).Error; err != nil {
		return nil, err
	}
	domains := map[uuid.UUID]string{}
	for _, b := range boxes {
		domains[b.ID] = b.Domain
	}
	out := make([]SuspectSample, len(sigs))
	for i, sig := range sigs {
		given, family, err := s.names(sig)
		if err != nil {
			return nil, err
		}
		out[i] = SuspectSample{sig.ID, shown(sig.Display, given, family), domains[sig.MailboxID], sig.PostalArea, sig.CreatedAt}
	}
	return out, nil
}

// domains counts the newest signatures by mail domain: those that count, and those that wait or are suspect.
func (s *Service) domains(ctx context.Context, id uuid.UUID, now time.Time) (out []DomainRow, looked, flagged int, err error) {
	var rows []struct {
		Domain            string
		N, Suspect, Flags int
	}
	err = s.db.WithContext(ctx).Raw(`SELECT m.domain AS domain, COUNT(*) AS n, COUNT(CASE WHEN s.state = 'suspect' THEN 1 END) AS suspect, COUNT(CASE WHEN s.flag <> '' THEN 1 END) AS flags
		FROM (
			SELECT * FROM (SELECT mailbox_id, state, flag FROM signatures WHERE petition_id = ? AND state = 'confirmed' ORDER BY confirmed_at DESC, id DESC LIMIT ?) AS c
			UNION ALL SELECT * FROM (SELECT mailbox_id, state, flag FROM signatures WHERE petition_id = ? AND state = 'suspect' AND confirmed_at IS NOT NULL ORDER BY confirmed_at DESC, id DESC LIMIT ?) AS h
			UNION ALL SELECT * FROM (SELECT mailbox_id, state, flag FROM signatures WHERE petition_id = ? AND confirmed_at IS NULL AND state IN ('pending', 'suspect') AND expires_at > ? ORDER BY expires_at DESC LIMIT ?) AS w
		) AS s JOIN mailboxes m ON m.id = s.mailbox_id GROUP BY m.domain ORDER BY n DESC, m.domain`,
		id, trustNewest, id, trustNewest, id, now, trustNewest).Scan(&rows).Error
	for i, r := range rows {
		looked, flagged = looked+r.N, flagged+r.Flags
		if i < trustDomains || r.Flags+r.Suspect > 0 && len(out) < 2*trustDomains {
			out = append(out, DomainRow{r.Domain, r.N, r.Suspect, r.Flags, abuse.Disposable(r.Domain)})
		}
	}
	return out, looked, flagged, err
}

func (s *Service) devices(ctx context.Context, id uuid.UUID) ([]DeviceRow, error) {
	var sigs []models.Signature
	err := s.db.WithContext(ctx).Raw("SELECT s.client_hash, s.created_at FROM "+suspectRows+" WHERE s.client_hash IS NOT NULL ORDER BY s.created_at DESC LIMIT ?", id, id, s.clk.Now(), trustNewest).Scan(&sigs).Error
	at := map[string]int{}
	var out []DeviceRow
	for _, sig := range sigs {
		name := hex.EncodeToString(sig.ClientHash)
		i, ok := at[name]
		if !ok {
			i = len(out)
			at[name] = i
			out = append(out, DeviceRow{Device: name, Last: sig.CreatedAt})
		}
		out[i].Count++
		out[i].First = sig.CreatedAt
	}
	slices.SortStableFunc(out, func(a, b DeviceRow) int { return b.Count - a.Count })
	return out[:min(len(out), trustDevices)], err
}

// TrustSources lists the source codes that signatures of a petition came by, sorted. It needs actor.ModeratePetition. The fault is
// NotFound.
func (s *Service) TrustSources(ctx context.Context, a actor.Actor, id uuid.UUID) ([]string, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return nil, err
	}
	if _, err := take(ctx, s.db.DB, id); err != nil {
		return nil, err
	}
	rows, err := Tallies(ctx, s.db.DB, id, models.TallySource)
	var out []string
	for _, r := range rows {
		if r.Name != "" {
			out = append(out, r.Name)
		}
	}
	return out, err
}

// AbuseQueues says which petitions have suspect signatures or hold mails back, a row for each. It is a today.Provider.
func (s *Service) AbuseQueues(ctx context.Context, a actor.Actor) ([]today.Queue, error) {
	if !a.May(actor.ModeratePetition) {
		return nil, nil
	}
	var rows []models.Petition
	err := s.db.WithContext(ctx).Select("id", "title", "suspect_count", "breaker_at").Where("suspect_count > 0 OR breaker_at IS NOT NULL").Order("id").Limit(200).Find(&rows).Error
	var out []today.Queue
	for _, p := range rows {
		path := "/admin/petitions/" + p.ID.String() + "/trust"
		if p.BreakerAt != nil {
			out = append(out, today.Queue{Key: "abuse.queue_breaker", Name: p.Title, Path: path + "#breaker", Count: 1, Oldest: *p.BreakerAt, Minutes: 5, Right: actor.ModeratePetition})
		}
		if p.SuspectCount > 0 {
			out = append(out, today.Queue{Key: "abuse.queue_suspect", Name: p.Title, Path: path + "#suspect", Count: p.SuspectCount, Right: actor.ModeratePetition})
		}
	}
	return out, err
}
