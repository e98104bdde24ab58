package deliverability

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"kithline/models"
)

// looking is one look at DNS.
type looking struct {
	dns
	domain string
	server Server
	reply  string
	keys   []sought
	ips    []netip.Addr // of the machines that hand mail to the world
	told   bool         // somebody said so; else it is the mail server's own address, or the site's where that runs the mail server

	own    []Finding
	found  []uuid.UUID // keys whose record was found
	spf    *spfRecord
	policy dmarc
	spfOK  bool     // the record lets the mail server send
	signed []string // domains that sign, their record found
}

func finding(check string, tone Tone, result string, args ...string) Finding {
	return Finding{Check: check, Tone: tone, Key: "deliver." + check + "_" + result, Args: args}
}

// What a check says where DNS gave no answer.
const (
	keySilent    = "deliver.dns_silent"
	keySilentFor = "deliver.dns_silent_for"
)

// unanswered is what every check says where DNS gave no answer.
func unanswered(check string) []Finding {
	return []Finding{{Check: check, Tone: Think, Key: keySilent}}
}

// services are known mail services: by the end of the mail server's name, what they ask to be put into SPF.
var services = []service{
	{"gmail.com", "_spf.google.com", false},
	{"google.com", "_spf.google.com", false},
	{"office365.com", "spf.protection.outlook.com", false},
	{"outlook.com", "spf.protection.outlook.com", false},
	{"amazonaws.com", "amazonses.com", true},
	{"sendgrid.net", "sendgrid.net", false},
	{"mailgun.org", "mailgun.org", false},
	{"postmarkapp.com", "spf.mtasv.net", true},
	{"mailjet.com", "spf.mailjet.com", false},
	{"brevo.com", "spf.brevo.com", false},
	{"messagingengine.com", "spf.messagingengine.com", false},
}

type service struct {
	host, include string
	rewrites      bool // it puts a Message-ID of its own in the place of ours, which breaks a signature made here
}

func (l *looking) service() service {
	for _, s := range services {
		if sameOrBelow(l.server.Host, s.host) {
			return s
		}
	}
	return service{}
}

// include is what the mail service asks to be put into SPF, "" where it is not a known one.
func (l *looking) include() string { return l.service().include }

// guess takes the mail server's own addresses for those that it sends from, and the site's where the mail server is this machine or
// stands in its own network. Of a known mail service it says nothing: it sends from many others.
func (l *looking) guess(ctx context.Context, site string) []netip.Addr {
	if l.include() != "" || l.server.Host == "" {
		return nil
	}
	of := func(host string) []netip.Addr {
		ips := []netip.Addr{}
		if ip, err := netip.ParseAddr(host); err == nil {
			ips = append(ips, ip)
		} else if host != "localhost" {
			ips, _ = l.addresses(ctx, host)
		}
		return slices.DeleteFunc(ips, func(ip netip.Addr) bool { return !public(ip) })
	}
	if ips := of(l.server.Host); len(ips) > 0 {
		return ips
	}
	if u, err := url.Parse(site); err == nil {
		return of(u.Hostname())
	}
	return nil
}

// mechanisms are what SPF needs so that the mail server may send.
func (l *looking) mechanisms() []string {
	var out []string
	for _, ip := range l.ips {
		if l.told || l.server.Host == "" || !strings.Contains(l.server.Host, ".") || isAddress(l.server.Host) {
			kind := "ip4:"
			if ip.Is6() {
				kind = "ip6:"
			}
			out = append(out, kind+ip.String())
		}
	}
	switch include := l.include(); {
	case len(out) > 0:
		return out
	case include != "":
		return []string{"include:" + include}
	case len(l.ips) > 0:
		return []string{"a:" + l.server.Host}
	}
	return []string{"mx"}
}

func isAddress(s string) bool { _, err := netip.ParseAddr(s); return err == nil }

func (l *looking) checkSPF(ctx context.Context) []Finding {
	s := spf{dns: l.dns}
	r, err := s.read(ctx, l.domain)
	if err != nil {
		return unanswered(CheckSPF)
	}
	now := ""
	if r != nil {
		now = r.text
	}
	add := func(f Finding) []Finding {
		f.Record, f.Now = &Record{"TXT", l.domain, with(now, l.mechanisms()...)}, now
		return []Finding{f}
	}
	switch {
	case s.fault != "":
		f := finding(CheckSPF, Stop, string(s.fault), "Term", s.term, "Lookups", strconv.Itoa(s.lookups))
		f.Now = now
		return []Finding{f}
	case r == nil:
		return add(finding(CheckSPF, Stop, "none"))
	case r.open():
		f := finding(CheckSPF, Stop, "open")
		f.Now = now
		return []Finding{f}
	}
	l.spf = r
	lookups := strconv.Itoa(s.lookups)
	bad, unsure := "", ""
	for _, ip := range l.ips {
		switch r.of(ip) {
		case spfPass:
		case spfUnsure:
			unsure = ip.String()
		default:
			bad = ip.String()
		}
	}
	include := l.include()
	fine := func() []Finding {
		l.spfOK = true
		f := finding(CheckSPF, Fine, "fine", "Lookups", lookups)
		f.Now = now
		return []Finding{f}
	}
	switch {
	case bad != "" && l.told:
		return add(finding(CheckSPF, Stop, "not_ours", "Address", bad))
	case bad != "":
		return add(finding(CheckSPF, Think, "perhaps", "Address", bad, "Host", l.server.Host))
	case unsure != "":
		return add(finding(CheckSPF, Think, "unsure", "Address", unsure))
	case len(l.ips) > 0:
		return fine()
	case include != "" && slices.Contains(s.included, include):
		return fine()
	case include != "":
		return add(finding(CheckSPF, Think, "service", "Service", include))
	}
	l.spfOK = true // as far as anybody can tell
	f := finding(CheckSPF, Think, "untold", "Lookups", lookups)
	f.Now = now
	return []Finding{f}
}

func (l *looking) checkDKIM(ctx context.Context) []Finding {
	if len(l.keys) == 0 {
		return []Finding{finding(CheckDKIM, Think, "none")}
	}
	var out []Finding
	if l.service().rewrites {
		out = append(out, finding(CheckDKIM, Stop, "rewritten", "Host", l.server.Host))
	}
	signing := slices.ContainsFunc(l.keys, func(k sought) bool { return k.state == models.MailKeySigning })
	for _, k := range l.keys {
		selector, _, _ := strings.Cut(k.record.Name, "._domainkey.")
		list, err := l.txt(ctx, k.record.Name)
		if err != nil {
			out = append(out, Finding{Check: CheckDKIM, Tone: Think, Key: keySilentFor, Args: []string{"Name", k.record.Name}})
			continue
		}
		result := keyIn(list, k)
		if k.state == models.MailKeyResting { // only whether it may go
			if result == "found" {
				out = append(out, finding(CheckDKIM, Fine, "resting", "Selector", selector))
			}
			continue
		}
		f := finding(CheckDKIM, Fine, result, "Selector", selector)
		switch {
		case result == "found":
			l.found = append(l.found, k.id)
			_, domain, _ := strings.Cut(k.record.Name, "._domainkey.")
			l.signed = append(l.signed, domain)
		case result == "testing":
			f.Tone = Think
			l.found = append(l.found, k.id)
		case k.state == models.MailKeyWaiting && result == "missing":
			f = finding(CheckDKIM, Think, "waiting", "Selector", selector)
		case k.state == models.MailKeyWaiting && signing:
			f.Tone = Think // the key before it still signs
		default:
			f.Tone = Stop
		}
		if result != "found" {
			f.Record = &k.record
			if len(list) > 0 {
				f.Now = list[0]
			}
		}
		out = append(out, f)
	}
	return out
}

// keyIn says what the records at a key's name say about it: found, testing, missing, revoked, another.
func keyIn(list []string, k sought) string {
	result := "missing"
	for _, text := range list {
		t, ok := tags(text)
		v, versioned := t["v"]
		if !ok || versioned && v != "DKIM1" {
			continue
		}
		kind := t["k"]
		if kind == "" {
			kind = string(models.MailKeyRSA)
		}
		p, has := t["p"]
		switch {
		case !has:
			continue
		case p == "":
			result = "revoked"
		case strings.Join(strings.Fields(p), "") != k.public || "v=DKIM1; k="+kind != strings.SplitN(k.record.Value, "; p=", 2)[0]:
			result = "another"
		case slices.Contains(strings.FieldsFunc(t["t"], func(r rune) bool { return r == ':' || r == ' ' }), "y"):
			return "testing"
		default:
			return "found"
		}
	}
	return result
}

func (l *looking) checkDMARC(ctx context.Context) []Finding {
	p, err := l.readDMARC(ctx, l.domain)
	if err != nil {
		return unanswered(CheckDMARC)
	}
	l.policy = p
	suggest := func(f Finding) []Finding {
		value := "v=DMARC1; p=none"
		if _, domain, _ := strings.Cut(l.reply, "@"); domain == l.domain { // reports to another domain need that one's consent
			value += "; rua=mailto:" + l.reply
		}
		f.Record, f.Now = &Record{"TXT", "_dmarc." + l.domain, value}, p.text
		return []Finding{f}
	}
	switch {
	case p.broken:
		return suggest(finding(CheckDMARC, Stop, "broken"))
	case p.at == "":
		return suggest(finding(CheckDMARC, Stop, "missing"))
	}
	f := finding(CheckDMARC, Fine, "policy_"+p.policy, "Domain", p.at)
	f.Now = p.text
	return []Finding{f}
}

// alignment says whether what is proved is proved for the domain that people see. It comes after the checks that it is made of.
func (l *looking) alignment() []Finding {
	switch byKey := slices.ContainsFunc(l.signed, func(d string) bool { return l.policy.aligned("adkim", d, l.domain) }); {
	case byKey && l.spfOK:
		return []Finding{finding(CheckAlignment, Fine, "both", "Domain", l.domain)}
	case byKey:
		return []Finding{finding(CheckAlignment, Fine, "dkim", "Domain", l.domain)}
	case len(l.signed) > 0 && !l.spfOK:
		return []Finding{finding(CheckAlignment, Stop, "strict", "Domain", l.signed[0])}
	case l.spfOK:
		return []Finding{finding(CheckAlignment, Think, "spf", "Domain", l.domain)}
	}
	return []Finding{finding(CheckAlignment, Stop, "none", "Domain", l.domain)}
}

func (l *looking) checkMX(ctx context.Context) []Finding {
	list, err := l.mx(ctx, l.domain)
	if err != nil {
		return unanswered(CheckMX)
	}
	if len(list) == 1 && (list[0].Host == "." || list[0].Host == "") {
		return []Finding{finding(CheckMX, Stop, "null", "Domain", l.domain)}
	}
	silent := false
	for _, m := range list {
		ips, err := l.addresses(ctx, m.Host)
		silent = silent || err != nil
		if len(ips) > 0 {
			return []Finding{finding(CheckMX, Fine, "fine", "Host", strings.TrimSuffix(m.Host, "."))}
		}
	}
	if silent {
		return unanswered(CheckMX)
	}
	if len(list) > 0 {
		return []Finding{finding(CheckMX, Stop, "dead", "Host", strings.TrimSuffix(list[0].Host, "."))}
	}
	switch ips, err := l.addresses(ctx, l.domain); {
	case err != nil:
		return unanswered(CheckMX)
	case len(ips) > 0:
		return []Finding{finding(CheckMX, Think, "address_only", "Domain", l.domain)}
	}
	return []Finding{finding(CheckMX, Stop, "none", "Domain", l.domain)}
}

// checkReverse asks whether each sending address has a name that leads back to it (forward-confirmed reverse DNS).
func (l *looking) checkReverse(ctx context.Context) []Finding {
	if len(l.ips) == 0 {
		if l.include() != "" {
			return []Finding{finding(CheckReverse, Fine, "service", "Host", l.server.Host)}
		}
		return []Finding{finding(CheckReverse, Think, "untold")}
	}
	tone := Stop
	if !l.told {
		tone = Think
	}
	named := ""
	for _, ip := range l.ips {
		names, err := l.names(ctx, ip)
		if err != nil {
			return unanswered(CheckReverse)
		}
		if len(names) == 0 {
			return []Finding{finding(CheckReverse, tone, "none", "Address", ip.String())}
		}
		back := false
		for _, n := range names {
			ips, err := l.addresses(ctx, n)
			if err != nil {
				return unanswered(CheckReverse)
			}
			back = back || slices.Contains(ips, ip)
		}
		if named = strings.TrimSuffix(names[0], "."); !back {
			return []Finding{finding(CheckReverse, tone, "one_way", "Address", ip.String(), "Host", named)}
		}
	}
	return []Finding{finding(CheckReverse, Fine, "fine", "Address", l.ips[0].String(), "Host", named)}
}

// freemails are domains that only their owners may send from: mail of anybody else's server that says it is from there is refused.
var freemails = []string{
	"gmail.com", "googlemail.com", "yahoo.com", "ymail.com", "aol.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "icloud.com", "me.com", "mac.com",
	"gmx.com", "gmx.net", "gmx.de", "web.de", "mail.com", "proton.me", "protonmail.com", "yandex.com", "yandex.ru", "mail.ru", "zoho.com", "t-online.de",
}

func (l *looking) freemail() {
	first, rest, _ := strings.Cut(l.domain, ".")
	national := slices.Contains([]string{"yahoo", "hotmail", "gmx"}, first) && strings.Count(rest, ".") < 2
	if slices.Contains(freemails, l.domain) || national {
		l.own = append(l.own, finding(CheckFreemail, Stop, "yes", "Domain", l.domain))
		return
	}
	l.own = append(l.own, finding(CheckFreemail, Fine, "no", "Domain", l.domain))
}
