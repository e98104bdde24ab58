package deliverability

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/address"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/models"
)

// Bounds of what may be set.
const (
	MaxRate        = 10_000_000 // mails in a window
	MaxConnections = 1000
	MaxDomains     = 50   // with limits of their own
	MaxGrowth      = 10.0 // a warm-up's, from one day to the next
	MaxBrakeWindow = 100_000
)

// Limits returns what holds for sending: models.DefaultLimits where nobody set anything. It is for whoever sends, may be asked for
// every batch, and is at most a second old; a change made by this process shows at once.
func (s *Service) Limits(ctx context.Context) (models.Limits, error) {
	l, err := lately(s, &s.limits, "", always[models.Limits](keep), func() (models.Limits, error) {
		row, err := s.row(ctx, s.DB.DB)
		if err != nil || row.Limits == "" {
			return models.DefaultLimits(), err
		}
		return readLimits(row.Limits)
	})
	l.Account, l.Domains = slices.Clone(l.Account), slices.Clone(l.Domains)
	return l, err
}

// LimitsFor is Limits for a page. It needs the right actor.Administer.
func (s *Service) LimitsFor(ctx context.Context, a actor.Actor) (models.Limits, error) {
	if err := a.Need(actor.Administer); err != nil {
		return models.Limits{}, err
	}
	return s.Limits(ctx)
}

// SetLimits changes them all. It needs the right actor.Administer. The fault is Invalid and names each wrong field: account,
// connections, domains and, for the domain at place i, domains.i; warmup_first, warmup_growth, warmup_until, brake_share,
// brake_window, quiet, approve_above.
func (s *Service) SetLimits(ctx context.Context, a actor.Actor, l models.Limits) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	l, err := checkLimits(l)
	if err != nil {
		return err
	}
	text, err := writeLimits(l)
	if err != nil {
		return err
	}
	return s.save(ctx, a, "sending.limits", map[string]any{"limits": text})
}

// SetSendsFrom says by which addresses the mail server hands mail to the world: IP addresses, with blanks or commas between them, at
// most twenty; empty where nobody knows. It needs the right actor.Administer; the fault is Invalid with the field sends_from.
func (s *Service) SetSendsFrom(ctx context.Context, a actor.Actor, text string) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	var f fault.Fields
	var out []string
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || r == ' ' || r == '\n' || r == '\t' || r == '\r' }) {
		ip, err := netip.ParseAddr(w)
		switch {
		case err != nil || ip.Zone() != "":
			f.Add("sends_from", "error.ip_address", "Text", w)
		case !public(ip.Unmap()):
			f.Add("sends_from", "error.ip_private", "Text", w)
		default:
			if ip := ip.Unmap().String(); !slices.Contains(out, ip) {
				out = append(out, ip)
			}
			continue
		}
		break
	}
	if len(out) > 20 {
		f.Add("sends_from", "error.ip_many")
	}
	if err := f.Err(); err != nil {
		return err
	}
	return s.save(ctx, a, "sending.sends_from", map[string]any{"sends_from": strings.Join(out, " ")})
}

// SendsFrom returns what SetSendsFrom was told.
func (s *Service) SendsFrom(ctx context.Context, a actor.Actor) (string, error) {
	if err := a.Need(actor.Administer); err != nil {
		return "", err
	}
	row, err := s.row(ctx, s.DB.DB)
	return row.SendsFrom, err
}

func (s *Service) row(ctx context.Context, tx *gorm.DB) (models.SendingLimits, error) {
	var row models.SendingLimits
	err := tx.WithContext(ctx).Take(&row, "id = ?", organisation.ID).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = nil
	}
	return row, err
}

func (s *Service) save(ctx context.Context, a actor.Actor, action string, set map[string]any) error {
	now := s.Clock.Now()
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		first := models.SendingLimits{ID: organisation.ID, UpdatedAt: now}
		if err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "id"}}, DoNothing: true}).Create(&first).Error; err != nil {
			return err
		}
		set["updated_by"], set["updated_at"] = a.Account(), now
		if err := tx.Model(&models.SendingLimits{}).Where("id = ?", organisation.ID).Updates(set).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, action, "sending_limits", organisation.ID, nil)
	})
	drop(s, &s.limits)
	return err
}

// DomainName brings a mail domain to the form in which mailboxes are kept: lower case, punycode, without a dot at the end. It reports
// false where the text is none.
func DomainName(text string) (string, bool) {
	_, domain, err := address.CanonicalAddress("x@" + strings.TrimSuffix(strings.TrimSpace(text), "."))
	return domain, err == nil
}

func checkLimits(l models.Limits) (models.Limits, error) {
	var f fault.Fields
	windows := func(field string, ws []models.Window) []models.Window {
		ws = slices.Clone(ws)
		slices.SortFunc(ws, func(a, b models.Window) int { return int(a.Per - b.Per) })
		for i, w := range ws {
			switch {
			case f.Has(field):
			case w.Count < 1 || w.Count > MaxRate || w.Per < time.Second || w.Per > 31*24*time.Hour:
				f.Add(field, "error.rate", "Max", MaxRate)
			case i > 0 && ws[i-1].Per == w.Per:
				f.Add(field, "error.rate_twice")
			case i > 0 && ws[i-1].Count > w.Count:
				f.Add(field, "error.rate_order")
			}
		}
		return ws
	}
	connections := func(field string, n int) {
		if (n < 0 || n > MaxConnections) && !f.Has(field) {
			f.Add(field, "error.connections", "Max", MaxConnections)
		}
	}
	l.Account = windows("account", l.Account)
	connections("connections", l.Connections)
	l.Domains = slices.Clone(l.Domains)
	if len(l.Domains) > MaxDomains+1 {
		f.Add("domains", "error.limits_domains", "Max", MaxDomains)
	}
	seen := map[string]bool{}
	for i := range l.Domains {
		d, field := &l.Domains[i], fmt.Sprintf("domains.%d", i)
		if d.Domain != "" {
			name, ok := DomainName(d.Domain)
			if !ok {
				f.Add(field, "error.mail_domain")
			}
			d.Domain = name
		}
		if seen[d.Domain] && !f.Has(field) {
			f.Add(field, "error.domain_twice")
		}
		seen[d.Domain] = true
		connections(field, d.Connections)
		d.Windows = windows(field, d.Windows)
	}
	if w := l.WarmUp; w != nil {
		if w.FirstDay < 1 || w.FirstDay > MaxRate {
			f.Add("warmup_first", "error.warmup_first", "Max", MaxRate)
		}
		if !(w.Growth > 1 && w.Growth <= MaxGrowth) { // not a number is none either
			f.Add("warmup_growth", "error.warmup_growth", "Max", MaxGrowth)
		}
		if w.Until <= w.FirstDay || w.Until > MaxRate {
			f.Add("warmup_until", "error.warmup_until", "Max", MaxRate)
		}
	}
	if !(l.BrakeShare >= 0 && l.BrakeShare <= 1) {
		f.Add("brake_share", "error.brake_share")
	}
	if l.BrakeShare > 0 && (l.BrakeWindow < 10 || l.BrakeWindow > MaxBrakeWindow) {
		f.Add("brake_window", "error.brake_window", "Max", MaxBrakeWindow)
	}
	if l.QuietFrom < 0 || l.QuietFrom >= 24*60 || l.QuietTo < 0 || l.QuietTo >= 24*60 {
		f.Add("quiet", "error.quiet_hours")
	}
	if l.ApproveAbove < 0 || l.ApproveAbove > MaxRate {
		f.Add("approve_above", "error.approve_above", "Max", MaxRate)
	}
	return l, f.Err()
}

// What stands in the row. Times are in seconds, so that it reads like what somebody typed.
type (
	limitsJSON struct {
		Account      []windowJSON `json:"account,omitempty"`
		Connections  int          `json:"connections,omitempty"`
		Domains      []domainJSON `json:"domains,omitempty"`
		WarmUp       *warmUpJSON  `json:"warm_up,omitempty"`
		BrakeShare   float64      `json:"brake_share"`
		BrakeWindow  int          `json:"brake_window"`
		QuietFrom    int          `json:"quiet_from"` // minute of the day
		QuietTo      int          `json:"quiet_to"`
		ApproveAbove int          `json:"approve_above"`
	}
	windowJSON struct {
		Count   int   `json:"count"`
		Seconds int64 `json:"seconds"`
	}
	domainJSON struct {
		Domain      string       `json:"domain"`
		Connections int          `json:"connections,omitempty"`
		Windows     []windowJSON `json:"windows,omitempty"`
	}
	warmUpJSON struct {
		Starts   time.Time `json:"starts"`
		FirstDay int       `json:"first_day"`
		Growth   float64   `json:"growth"`
		Until    int       `json:"until"`
	}
)

func writeLimits(l models.Limits) (string, error) {
	windows := func(ws []models.Window) (out []windowJSON) {
		for _, w := range ws {
			out = append(out, windowJSON{w.Count, int64(w.Per / time.Second)})
		}
		return out
	}
	j := limitsJSON{
		Account: windows(l.Account), Connections: l.Connections, BrakeShare: l.BrakeShare, BrakeWindow: l.BrakeWindow, QuietFrom: l.QuietFrom, QuietTo: l.QuietTo,
		ApproveAbove: l.ApproveAbove,
	}
	for _, d := range l.Domains {
		j.Domains = append(j.Domains, domainJSON{d.Domain, d.Connections, windows(d.Windows)})
	}
	if w := l.WarmUp; w != nil {
		j.WarmUp = &warmUpJSON{w.Starts.UTC(), w.FirstDay, w.Growth, w.Until}
	}
	b, err := json.Marshal(j)
	return string(b), err
}

func readLimits(text string) (models.Limits, error) {
	var j limitsJSON
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return models.Limits{}, fmt.Errorf("deliverability: the limits of sending cannot be read: %w", err)
	}
	windows := func(ws []windowJSON) (out []models.Window) {
		for _, w := range ws {
			out = append(out, models.Window{Count: w.Count, Per: time.Duration(w.Seconds) * time.Second})
		}
		return out
	}
	l := models.Limits{
		Account: windows(j.Account), Connections: j.Connections, BrakeShare: j.BrakeShare, BrakeWindow: j.BrakeWindow, QuietFrom: j.QuietFrom, QuietTo: j.QuietTo,
		ApproveAbove: j.ApproveAbove,
	}
	for _, d := range j.Domains {
		l.Domains = append(l.Domains, models.DomainLimit{Domain: d.Domain, Connections: d.Connections, Windows: windows(d.Windows)})
	}
	if w := j.WarmUp; w != nil {
		l.WarmUp = &models.WarmUp{Starts: w.Starts, FirstDay: w.FirstDay, Growth: w.Growth, Until: w.Until}
	}
	return l, nil
}
