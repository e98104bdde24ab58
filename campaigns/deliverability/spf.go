package deliverability

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// maxLookups and maxVoid are how many questions to DNS an SPF record may cause in all, and how many of them may find nothing, before
// receivers take it for broken (RFC 7208, section 4.6.4).
const (
	maxLookups = 10
	maxVoid    = 2
)

// spfFault is why a receiver takes an SPF record for broken ("permerror").
type spfFault string

// The faults, as the ends of locale keys.
const (
	spfMany    spfFault = "many"    // more than one record
	spfSyntax  spfFault = "syntax"  // a term that nobody understands
	spfLookups spfFault = "lookups" // more than ten questions, which a circle of records comes to as well
	spfVoid    spfFault = "void"    // more than two questions without an answer
	spfMissing spfFault = "missing" // an include of what has no record
)

// spfRecord is a record with all that it brings in.
type spfRecord struct {
	text     string
	terms    []spfTerm
	redirect *spfRecord
}

type spfTerm struct {
	qualifier byte // + - ~ ?
	all       bool
	nets      []netip.Prefix
	include   *spfRecord
	unsure    bool // nobody can say without a mail: exists, ptr, macros
}

// spf reads the SPF record of a domain and everything it includes, as a receiver would at worst.
type spf struct {
	dns
	lookups, void int
	included      []string // the domains that were asked for a record, in order
	fault         spfFault
	term          string // the term that is at fault
}

// read returns nil where there is no record, or where it is at fault.
func (s *spf) read(ctx context.Context, domain string) (*spfRecord, error) {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	s.included = append(s.included, domain)
	list, err := s.txt(ctx, domain)
	if err != nil {
		return nil, err
	}
	records := slices.DeleteFunc(list, func(t string) bool {
		return !strings.EqualFold(t, "v=spf1") && !(len(t) > 6 && strings.EqualFold(t[:7], "v=spf1 "))
	})
	switch {
	case len(records) == 0:
		return nil, nil
	case len(records) > 1:
		return s.broken(spfMany, domain), nil
	}
	r := &spfRecord{text: records[0]}
	redirect := ""
	for _, w := range strings.Fields(r.text)[1:] {
		if name, value, is := strings.Cut(w, "="); is && !strings.ContainsAny(name, ":/") {
			if strings.EqualFold(name, "redirect") {
				redirect = value
			}
			continue // exp and modifiers that are not known mean nothing here
		}
		t, err := s.mechanism(ctx, domain, w)
		if err != nil || s.fault != "" {
			return nil, err
		}
		r.terms = append(r.terms, t)
		if t.all {
			redirect = ""
			break // nothing behind it counts
		}
	}
	if redirect == "" {
		return r, nil
	}
	if s.count(redirect); s.fault != "" {
		return nil, nil
	}
	if strings.Contains(redirect, "%") {
		r.terms = append(r.terms, spfTerm{qualifier: '+', unsure: true})
		return r, nil
	}
	if r.redirect, err = s.read(ctx, redirect); err == nil && r.redirect == nil {
		return s.broken(spfMissing, redirect), nil
	}
	return r, err
}

func (s *spf) broken(f spfFault, term string) *spfRecord {
	if s.fault == "" {
		s.fault, s.term = f, term
	}
	return nil
}

func (s *spf) count(term string) {
	if s.lookups++; s.lookups > maxLookups {
		s.broken(spfLookups, term)
	}
}

func (s *spf) mechanism(ctx context.Context, domain, w string) (t spfTerm, err error) {
	t.qualifier = '+'
	body := w
	if strings.IndexByte("+-~?", body[0]) >= 0 {
		t.qualifier, body = body[0], body[1:]
	}
	name, arg := body, ""
	if i := strings.IndexAny(body, ":/"); i >= 0 {
		name, arg = body[:i], strings.TrimPrefix(body[i:], ":")
	}
	name = strings.ToLower(name)
	switch name {
	case "all":
		if t.all = arg == ""; !t.all {
			s.broken(spfSyntax, w)
		}
	case "ip4", "ip6":
		p, ok := network(arg, name == "ip6")
		if !ok {
			s.broken(spfSyntax, w)
		}
		t.nets = []netip.Prefix{p}
	case "include":
		if s.count(w); s.fault != "" {
			return t, nil
		}
		if arg == "" {
			s.broken(spfSyntax, w)
			return t, nil
		}
		if t.unsure = strings.Contains(arg, "%"); t.unsure {
			return t, nil
		}
		if t.include, err = s.read(ctx, arg); err == nil && t.include == nil && s.fault == "" {
			s.broken(spfMissing, w)
		}
		return t, err
	case "exists", "ptr":
		s.count(w)
		t.unsure = true
	case "a", "mx":
		if s.count(w); s.fault != "" {
			return t, nil
		}
		return s.hosts(ctx, t, name, domain, w, arg)
	default:
		s.broken(spfSyntax, w)
	}
	if s.void > maxVoid {
		s.broken(spfVoid, w)
	}
	return t, nil
}

// hosts resolves "a" and "mx", with the sizes of networks that may stand behind them: a:example.org/24//64.
func (s *spf) hosts(ctx context.Context, t spfTerm, kind, domain, w, arg string) (spfTerm, error) {
	name, sizes, _ := strings.Cut(arg, "/")
	if name == "" {
		name = domain
	}
	if t.unsure = strings.Contains(name, "%"); t.unsure {
		return t, nil
	}
	four, six := 32, 128
	if sizes != "" {
		a, b, dual := strings.Cut(sizes, "/")
		var errA, errB error
		if dual {
			six, errB = strconv.Atoi(strings.TrimPrefix(b, "/"))
		}
		if a != "" {
			four, errA = strconv.Atoi(a)
		}
		if errA != nil || errB != nil || four < 0 || four > 32 || six < 0 || six > 128 {
			s.broken(spfSyntax, w)
			return t, nil
		}
	}
	names := []string{name}
	if kind == "mx" {
		list, err := s.mx(ctx, name)
		if err != nil {
			return t, err
		}
		names = nil
		for _, m := range list[:min(len(list), maxLookups)] {
			names = append(names, m.Host)
		}
	}
	found := 0
	for _, n := range names {
		ips, err := s.addresses(ctx, n)
		if err != nil {
			return t, err
		}
		for _, ip := range ips {
			bits := four
			if ip.Is6() {
				bits = six
			}
			if p, err := ip.Prefix(bits); err == nil {
				t.nets = append(t.nets, p)
				found++
			}
		}
	}
	if found == 0 {
		if s.void++; s.void > maxVoid {
			s.broken(spfVoid, w)
		}
	}
	return t, nil
}

func network(text string, six bool) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return p, false
		}
		p = netip.PrefixFrom(ip, ip.BitLen())
	}
	return p, p.Addr().Is6() == six
}

// spfAnswer is what a record says about one address.
type spfAnswer string

// The answers (RFC 7208, section 2.6), and unsure, where a mail would have to be there to tell.
const (
	spfPass     spfAnswer = "pass"
	spfFail     spfAnswer = "fail"
	spfSoftFail spfAnswer = "softfail"
	spfNeutral  spfAnswer = "neutral"
	spfUnsure   spfAnswer = "unsure"
)

var qualifiers = map[byte]spfAnswer{'+': spfPass, '-': spfFail, '~': spfSoftFail, '?': spfNeutral}

// of says what the record says about an address.
func (r *spfRecord) of(ip netip.Addr) spfAnswer {
	unsure := false
	for _, t := range r.terms {
		hit := t.all || slices.ContainsFunc(t.nets, func(p netip.Prefix) bool { return p.Contains(ip) })
		if t.include != nil {
			switch t.include.of(ip) {
			case spfPass:
				hit = true
			case spfUnsure:
				unsure = true
			}
		}
		unsure = unsure || t.unsure
		if hit && (!unsure || t.qualifier == '+') {
			return qualifiers[t.qualifier]
		}
		if hit {
			return spfUnsure
		}
	}
	if r.redirect != nil {
		a := r.redirect.of(ip)
		if unsure && a != spfPass {
			return spfUnsure
		}
		return a
	}
	if unsure {
		return spfUnsure
	}
	return spfNeutral
}

// open reports whether the record lets everybody send.
func (r *spfRecord) open() bool {
	for _, t := range r.terms {
		if t.all {
			return t.qualifier == '+'
		}
	}
	return r.redirect != nil && r.redirect.open()
}

// with is the record's text with a mechanism added: before "all" and "redirect", which end what is looked at.
func with(text string, mechanisms ...string) string {
	words := strings.Fields(text)
	if len(words) == 0 {
		words = []string{"v=spf1", "~all"}
	}
	at := len(words)
	for i, w := range words {
		if l := strings.ToLower(w); strings.TrimLeft(l, "+-~?") == "all" || strings.HasPrefix(l, "redirect=") {
			at = i
			break
		}
	}
	for _, m := range mechanisms {
		if !slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, m) }) {
			words = slices.Insert(words, at, m)
			at++
		}
	}
	return strings.Join(words, " ")
}
