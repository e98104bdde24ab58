package abuse

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/address"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/models"

	"gorm.io/gorm"
)

// The effects of a rule, and what it is about.
const (
	EffectBlock = "block"
	EffectAllow = "allow"
	EffectFlag  = "flag"

	SubjectDomain  = "domain"
	SubjectRange   = "range"
	SubjectAddress = "address"
)

// Effects and Subjects list them, in the order of the form.
var (
	Effects  = []string{EffectBlock, EffectFlag, EffectAllow}
	Subjects = []string{SubjectDomain, SubjectAddress, SubjectRange}
)

// RuleInput is the form of a rule. Its field names are those of the form.
type RuleInput struct {
	Effect  string // effect
	Subject string // subject
	Value   string // value: a domain, a range such as 192.0.2.0/24, or a mail address
	Note    string // note: why
}

// The widest ranges that a rule may be about, in bits: a slip must not hold everybody back.
const (
	widest4 = 8
	widest6 = 19
)

// parseRange reads a range of device addresses, or one.
func parseRange(v string) (netip.Prefix, bool) {
	v = strings.TrimSpace(v)
	p, err := netip.ParsePrefix(v)
	if err != nil {
		a, err := netip.ParseAddr(v)
		if err != nil || a.Zone() != "" {
			return netip.Prefix{}, false
		}
		a = a.Unmap()
		p = netip.PrefixFrom(a, a.BitLen())
	}
	if a := p.Addr(); a.Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	if p.Addr().Is4() && p.Bits() < widest4 || p.Addr().Is6() && p.Bits() < widest6 {
		return netip.Prefix{}, false
	}
	return p.Masked(), true
}

// parseDomain reads a mail domain, with or without an @ before it.
func parseDomain(v string) (string, bool) {
	_, domain, err := address.CanonicalAddress("x@" + strings.TrimPrefix(strings.TrimSpace(v), "@"))
	return domain, err == nil
}

// row checks the form and makes the rule of it.
func (s *Service) row(in RuleInput) (models.AbuseRule, error) {
	var bad fault.Fields
	r := models.AbuseRule{ID: models.NewID(), Effect: in.Effect, Subject: in.Subject, Note: note(&bad, in.Note)}
	if !slices.Contains(Effects, in.Effect) {
		bad.Add("effect", "error.value_unknown")
	}
	if strings.TrimSpace(in.Value) == "" {
		bad.Add("value", "error.abuse_value_missing")
		return r, bad.Err()
	}
	switch in.Subject {
	case SubjectDomain:
		d, ok := parseDomain(in.Value)
		if !ok {
			bad.Add("value", "error.abuse_domain")
		}
		r.Value = d
	case SubjectRange:
		p, ok := parseRange(in.Value)
		if !ok {
			bad.Add("value", "error.abuse_range")
		} else {
			r.Value = p.String()
		}
	case SubjectAddress:
		canonical, domain, err := address.CanonicalAddress(in.Value)
		if err != nil {
			bad.Add("value", address.Key(err))
			break
		}
		r.Value, r.AddressHash = domain, s.ruleHash(canonical)
	default:
		bad.Add("subject", "error.value_unknown")
	}
	return r, bad.Err()
}

// ruleHash is what a rule keeps of an address: the keyed hash of its inbox, so that another spelling does not lead around it. Where
// an inbox has one address it is the hash of the mailbox.
func (s *Service) ruleHash(canonical string) []byte {
	in, _ := Inbox(canonical)
	return s.vault.AddressHash(in)
}

func note(bad *fault.Fields, v string) string {
	v = strings.Join(strings.Fields(v), " ")
	switch {
	case !utf8.ValidString(v) || strings.ContainsRune(v, 0):
		bad.Add("note", "error.text_unreadable")
	case v == "":
		bad.Add("note", "error.abuse_note_missing")
	case utf8.RuneCountInString(v) > NoteMax:
		bad.Add("note", "error.text_too_long", "Max", NoteMax, "Over", utf8.RuneCountInString(v)-NoteMax)
	}
	return v
}

// AddRule makes a rule, which holds from now on, on other servers within two seconds. It needs actor.ModeratePetition. The fault is
// Invalid with the fields of RuleInput.
func (s *Service) AddRule(ctx context.Context, a actor.Actor, in RuleInput) (models.AbuseRule, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return models.AbuseRule{}, err
	}
	r, err := s.row(in)
	if err != nil {
		return r, err
	}
	r.CreatedAt, r.CreatedBy = s.clk.Now(), a.Account()
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		if err := tx.Create(&r).Error; err != nil {
			return err
		}
		details := map[string]any{"effect": r.Effect, "subject": r.Subject}
		if r.Subject != SubjectAddress {
			details["value"] = r.Value
		}
		return audit.Write(ctx, tx, a, r.CreatedAt, "abuse.rule_add", "abuse_rules", r.ID, details)
	})
	s.lists.forget()
	return r, err
}

// EndRule ends a rule; the row stays. Done twice it ends once. It needs actor.ModeratePetition. The fault is NotFound.
func (s *Service) EndRule(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	err := s.end(ctx, a, &models.AbuseRule{}, "abuse_rules", "abuse.rule_end", id, nil)
	s.lists.forget()
	return err
}

// end sets ended_at of a row, once.
func (s *Service) end(ctx context.Context, a actor.Actor, row any, table, action string, id uuid.UUID, details map[string]any) error {
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		r := tx.Model(row).Where("id = ? AND ended_at IS NULL", id).Update("ended_at", now)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			var n int64
			if err := tx.Model(row).Where("id = ?", id).Count(&n).Error; err != nil {
				return err
			}
			if n == 0 {
				return unknown()
			}
			return nil
		}
		return audit.Write(ctx, tx, a, now, action, table, id, details)
	})
}

// Rule is a rule as its page shows it.
type Rule struct {
	models.AbuseRule
	By string // the name of who made it; "" where that account is gone or was the server itself
}

// Rules lists the rules, newest first, those that ended among them. It needs actor.ModeratePetition.
func (s *Service) Rules(ctx context.Context, a actor.Actor, after paging.Cursor) (paging.Page[Rule], error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return paging.Page[Rule]{}, err
	}
	q := s.db.WithContext(ctx).Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if !after.First() {
		q = q.Where("(created_at, id) < (?, ?)", after.At, after.ID)
	}
	var rows []models.AbuseRule
	if err := q.Find(&rows).Error; err != nil {
		return paging.Page[Rule]{}, err
	}
	out := make([]Rule, len(rows))
	who := []*uuid.UUID{}
	for i, r := range rows {
		out[i].AbuseRule = r
		who = append(who, r.CreatedBy)
	}
	names, err := s.names(ctx, who)
	for i := range out {
		if out[i].CreatedBy != nil {
			out[i].By = names[*out[i].CreatedBy]
		}
	}
	return paging.Cut(out, paging.Size, func(r Rule) paging.Cursor { return paging.Cursor{At: r.CreatedAt, ID: r.ID} }), err
}

// names opens the names of accounts.
func (s *Service) names(ctx context.Context, who []*uuid.UUID) (map[uuid.UUID]string, error) {
	var ids []uuid.UUID
	for _, id := range who {
		if id != nil && !slices.Contains(ids, *id) {
			ids = append(ids, *id)
		}
	}
	out := map[uuid.UUID]string{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []models.User
	if err := s.db.WithContext(ctx).Select("id", "name_sealed").Where("id IN ?", ids).Find(&rows).Error; err != nil {
		return nil, err
	}
	for _, u := range rows {
		name, err := s.vault.Open("users", "name_sealed", u.ID, u.NameSealed)
		if err != nil {
			return nil, err
		}
		out[u.ID] = name
	}
	return out, nil
}

// WindowInput is the form of a window. Its field names are those of the form.
type WindowInput struct {
	PetitionID uuid.UUID // uuid.Nil: every petition
	Note       string    // note
	From       time.Time // from
	Until      time.Time // until
}

// windowMax is how long a window may be open.
const windowMax = 14 * 24 * time.Hour

// OpenWindow lets the limits rest for a time. It needs actor.ModeratePetition. The fault is Invalid with the fields of WindowInput,
// NotFound for a petition that there is not.
func (s *Service) OpenWindow(ctx context.Context, a actor.Actor, in WindowInput) (models.SigningWindow, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return models.SigningWindow{}, err
	}
	now := s.clk.Now()
	var bad fault.Fields
	w := models.SigningWindow{ID: models.NewID(), Note: note(&bad, in.Note), FromAt: in.From.UTC(), UntilAt: in.Until.UTC(), CreatedAt: now, CreatedBy: a.Account()}
	if in.From.IsZero() {
		bad.Add("from", "error.abuse_time")
	}
	switch {
	case in.Until.IsZero():
		bad.Add("until", "error.abuse_time")
	case !in.From.IsZero() && !in.Until.After(in.From):
		bad.Add("until", "error.abuse_window_order")
	case !in.Until.After(now):
		bad.Add("until", "error.abuse_window_past")
	case !in.From.IsZero() && in.Until.Sub(in.From) > windowMax:
		bad.Add("until", "error.abuse_window_long")
	}
	if err := bad.Err(); err != nil {
		return w, err
	}
	if in.PetitionID != uuid.Nil {
		w.PetitionID = &in.PetitionID
	}
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		if w.PetitionID != nil {
			var n int64
			if err := tx.Model(&models.Petition{}).Where("id = ?", *w.PetitionID).Count(&n).Error; err != nil {
				return err
			}
			if n == 0 {
				return fault.New(fault.NotFound, "error.petition_unknown")
			}
		}
		if err := tx.Create(&w).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "abuse.window_open", "signing_windows", w.ID, map[string]any{"petition": w.PetitionID, "from": w.FromAt, "until": w.UntilAt})
	})
	s.lists.forget()
	return w, err
}

// CloseWindow ends a window early. Done twice it ends once. It needs actor.ModeratePetition. The fault is NotFound.
func (s *Service) CloseWindow(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	err := s.end(ctx, a, &models.SigningWindow{}, "signing_windows", "abuse.window_close", id, nil)
	s.lists.forget()
	return err
}

// Windows lists the windows of a petition and those of all, newest first, at most 50; for uuid.Nil those of all only. It needs
// actor.ModeratePetition.
func (s *Service) Windows(ctx context.Context, a actor.Actor, petition uuid.UUID) ([]models.SigningWindow, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return nil, err
	}
	var rows []models.SigningWindow
	err := s.db.WithContext(ctx).Where("petition_id = ? OR petition_id IS NULL", petition).Order("until_at DESC, id DESC").Limit(50).Find(&rows).Error
	return rows, err
}
