package deliverability

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"kithline/tests/dnsserver"
)

func TestSPF(t *testing.T) {
	d := dnsserver.New(t)
	many := "v=spf1"
	for i := range 11 {
		many += " a:h" + string(rune('a'+i)) + ".example.net"
		d.Address("h"+string(rune('a'+i))+".example.net", "192.0.2.9")
	}
	d.Address("mail.example.org", "192.0.2.1", "2001:db8::1")
	d.Address("mx.example.org", "192.0.2.7")
	d.MX("example.org", "mx.example.org")
	for name, text := range map[string]string{
		"plain.example.org":    "v=spf1 ip4:192.0.2.0/28 ip6:2001:db8::/64 -all",
		"host.example.org":     "v=spf1 a:mail.example.org -all",
		"net.example.org":      "v=spf1 a:mail.example.org/24//64 ~all",
		"mx.here.example.org":  "V=SPF1 MX:example.org ?all",
		"include.example.org":  "v=spf1 include:plain.example.org ~all",
		"except.example.org":   "v=spf1 -ip4:192.0.2.1 ip4:192.0.2.0/24 -all",
		"redirect.example.org": "v=spf1 redirect=plain.example.org",
		"behind.example.org":   "v=spf1 ip4:192.0.2.1 -all include:nowhere.example.org nonsense",
		"nothing.example.org":  "v=spf1 ip4:203.0.113.1",
		"macro.example.org":    "v=spf1 exists:%{i}._spf.example.org -all",
		"open.example.org":     "v=spf1 mx:example.org +all",
		"known.example.org":    "v=spf1 ip4:192.0.2.1 exp=why.example.org later=x ~all",

		"many.example.org":       many + " -all",
		"syntax.example.org":     "v=spf1 ipv4:192.0.2.1 -all",
		"bits.example.org":       "v=spf1 ip4:192.0.2.1/33 -all",
		"six.example.org":        "v=spf1 ip4:2001:db8::1 -all",
		"sizes.example.org":      "v=spf1 a:mail.example.org/99 -all",
		"missing.example.org":    "v=spf1 include:nowhere.example.org -all",
		"circle.example.org":     "v=spf1 include:round.example.org -all",
		"round.example.org":      "v=spf1 include:circle.example.org -all",
		"void.example.org":       "v=spf1 a:gone1.example.org a:gone2.example.org mx:gone3.example.org -all",
		"redirected.example.org": "v=spf1 redirect=nowhere.example.org",
	} {
		d.TXT(name, "google-site-verification=x", text)
	}
	d.TXT("two.example.org", "v=spf1 -all", "v=spf1 ~all")
	d.TXT("none.example.org", "v=spf10 -all", "something else")

	read := func(name string) (*spfRecord, spf) {
		t.Helper()
		s := spf{dns: dns{d.Resolver()}}
		r, err := s.read(t.Context(), name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return r, s
	}
	for _, c := range []struct {
		name, ip string
		want     spfAnswer
		lookups  int
	}{
		{"plain.example.org", "192.0.2.1", spfPass, 0},
		{"plain.example.org", "192.0.2.16", spfFail, 0},
		{"plain.example.org", "2001:db8::7", spfPass, 0},
		{"host.example.org", "192.0.2.1", spfPass, 1},
		{"host.example.org", "2001:db8::1", spfPass, 1},
		{"host.example.org", "192.0.2.2", spfFail, 1},
		{"net.example.org", "192.0.2.200", spfPass, 1},
		{"net.example.org", "2001:db8::9", spfPass, 1},
		{"net.example.org", "192.0.3.1", spfSoftFail, 1},
		{"mx.here.example.org", "192.0.2.7", spfPass, 1},
		{"mx.here.example.org", "192.0.2.8", spfNeutral, 1},
		{"include.example.org", "192.0.2.1", spfPass, 1},
		{"include.example.org", "203.0.113.1", spfSoftFail, 1}, // the "-all" of what is included does not count
		{"except.example.org", "192.0.2.1", spfFail, 0},
		{"except.example.org", "192.0.2.2", spfPass, 0},
		{"redirect.example.org", "192.0.2.1", spfPass, 1},
		{"redirect.example.org", "203.0.113.1", spfFail, 1},
		{"behind.example.org", "203.0.113.1", spfFail, 0},
		{"nothing.example.org", "192.0.2.1", spfNeutral, 0},
		{"macro.example.org", "192.0.2.1", spfUnsure, 1},
		{"open.example.org", "203.0.113.1", spfPass, 1},
		{"known.example.org", "192.0.2.1", spfPass, 0},
	} {
		r, s := read(c.name)
		if r == nil {
			t.Errorf("%s: no record, %s %s", c.name, s.fault, s.term)
			continue
		}
		if got := r.of(netip.MustParseAddr(c.ip)); got != c.want || s.lookups != c.lookups {
			t.Errorf("%s from %s: %s with %d lookups, want %s with %d", c.name, c.ip, got, s.lookups, c.want, c.lookups)
		}
		if r.open() != (c.name == "open.example.org") {
			t.Errorf("%s: open is %v", c.name, r.open())
		}
	}
	for name, want := range map[string]spfFault{
		"many.example.org": spfLookups, "syntax.example.org": spfSyntax, "bits.example.org": spfSyntax, "six.example.org": spfSyntax, "sizes.example.org": spfSyntax,
		"missing.example.org": spfMissing, "circle.example.org": spfLookups, "void.example.org": spfVoid, "two.example.org": spfMany, "redirected.example.org": spfMissing,
	} {
		if r, s := read(name); r != nil || s.fault != want {
			t.Errorf("%s: %v, %q, want %q", name, r, s.fault, want)
		}
	}
	if r, s := read("none.example.org"); r != nil || s.fault != "" {
		t.Errorf("no record: %v, %q", r, s.fault)
	}
	d.Break("broken.example.org")
	s := spf{dns: dns{d.Resolver()}}
	if _, err := s.read(t.Context(), "broken.example.org"); err == nil {
		t.Error("a DNS that fails is no missing record")
	}
}

func TestSPFWithAMechanism(t *testing.T) {
	for _, c := range [][3]string{
		{"", "include:x.net", "v=spf1 include:x.net ~all"},
		{"v=spf1 mx -all", "ip4:192.0.2.1 ip6:2001:db8::1", "v=spf1 mx ip4:192.0.2.1 ip6:2001:db8::1 -all"},
		{"v=spf1 mx", "a:h.example.org", "v=spf1 mx a:h.example.org"},
		{"v=spf1 redirect=x.net", "mx", "v=spf1 mx redirect=x.net"},
		{"v=spf1 include:X.net ?all", "include:x.net", "v=spf1 include:X.net ?all"},
	} {
		if got := with(c[0], strings.Fields(c[1])...); got != c[2] {
			t.Errorf("%q with %s: %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

func TestDMARC(t *testing.T) {
	d := dnsserver.New(t)
	for name, text := range map[string]string{
		"own.example":        "v=DMARC1; p=quarantine; adkim=s",
		"parent.example":     "v=DMARC1; p=reject; sp=none; rua=mailto:x@parent.example",
		"deep.three.example": "v=DMARC1; p=none; psd=n",
		"three.example":      "v=DMARC1; p=reject",
		"gov":                "v=DMARC1; p=reject; psd=y",
		"agency.gov":         "v=DMARC1; p=none",
		"nopolicy.example":   "v=DMARC1; rua=mailto:x@nopolicy.example",
		"nothing.example":    "v=DMARC1; adkim=r",
		"nonsense.example":   "v=DMARC1; p=",
		"notags.example":     "v=DMARC1; p=none; what",
		"old.example":        "v=DMARC2; p=none",
		"spaced.example":     "v = DMARC1 ; P = Reject ;",
	} {
		d.TXT("_dmarc."+name, text)
	}
	d.TXT("_dmarc.twice.example", "v=DMARC1; p=none", "v=DMARC1; p=reject")
	for _, c := range []struct {
		domain, at, policy, org string
		broken                  bool
	}{
		{"own.example", "own.example", "quarantine", "own.example", false},
		{"mail.own.example", "own.example", "quarantine", "own.example", false},
		{"a.b.c.d.e.f.g.h.own.example", "own.example", "quarantine", "own.example", false},
		{"news.parent.example", "parent.example", "none", "parent.example", false},
		{"parent.example", "parent.example", "reject", "parent.example", false},
		{"deep.three.example", "deep.three.example", "none", "deep.three.example", false},
		{"x.deep.three.example", "deep.three.example", "none", "deep.three.example", false},
		{"agency.gov", "agency.gov", "none", "agency.gov", false},
		{"news.agency.gov", "agency.gov", "none", "agency.gov", false},
		{"news.other.gov", "gov", "reject", "other.gov", false},
		{"nopolicy.example", "nopolicy.example", "none", "nopolicy.example", false},
		{"nothing.example", "nothing.example", "", "nothing.example", true},
		{"nonsense.example", "nonsense.example", "", "nonsense.example", true},
		{"notags.example", "", "", "notags.example", true},
		{"twice.example", "", "", "twice.example", true},
		{"old.example", "", "", "old.example", false},
		{"nobody.example", "", "", "nobody.example", false},
		{"spaced.example", "spaced.example", "reject", "spaced.example", false},
	} {
		p, err := dns{d.Resolver()}.readDMARC(t.Context(), c.domain)
		if err != nil || p.at != c.at || p.policy != c.policy || p.org != c.org || p.broken != c.broken {
			t.Errorf("%s: at %q %q, org %q, broken %v, %v", c.domain, p.at, p.policy, p.org, p.broken, err)
		}
	}
	if n := len(d.Asked()); n == 0 {
		t.Fatal("nobody was asked")
	}
	strict := dmarc{org: "own.example", tags: map[string]string{"adkim": "s"}}
	loose := dmarc{org: "own.example"}
	for _, c := range []struct {
		p            dmarc
		domain, from string
		want         bool
	}{
		{strict, "own.example", "own.example", true},
		{strict, "own.example", "mail.own.example", false},
		{loose, "own.example", "mail.own.example", true},
		{loose, "mail.own.example", "own.example", true},
		{loose, "other.example", "own.example", false},
		{loose, "down.example", "own.example", false},
	} {
		if got := c.p.aligned("adkim", c.domain, c.from); got != c.want {
			t.Errorf("%s for %s: %v", c.domain, c.from, got)
		}
	}
}

// Whatever stands in DNS, reading it ends, asks for a bounded number of names, and answers.
func TestOddRecords(t *testing.T) {
	d := dnsserver.New(t)
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{
		"v=spf1", " ", "+", "-", "~", "?", "all", ":", "/", "//", "=", "include:", "odd.example", "a", "mx", "ptr", "ip4:", "ip6:", "192.0.2.1", "::1", "/0", "/999999999999999999999",
		"redirect=", "exists:", "%{i}", "%", ";", "p", "none", "v=DMARC1", "psd=y", "sp", "\x00", "\xff", "\t", "…", strings.Repeat("x", 300), "v=DKIM1", "k=", "t=y:s",
	}
	for range 500 {
		var records []string
		for range 1 + r.IntN(2) {
			text := pieces[r.IntN(2)]
			if r.IntN(3) > 0 {
				text = "v=spf1 "
			}
			for range r.IntN(12) {
				text += pieces[r.IntN(len(pieces))]
			}
			records = append(records, text)
		}
		d.TXT("odd.example", records...)
		d.TXT("_dmarc.odd.example", append(records, "v=DMARC1;"+records[0])...)
		before := len(d.Asked())
		s := spf{dns: dns{d.Resolver()}}
		if rec, err := s.read(t.Context(), "odd.example"); err == nil && rec != nil {
			rec.of(netip.MustParseAddr("192.0.2.1"))
			rec.open()
			with(rec.text, "mx")
		}
		if n := len(d.Asked()) - before; n > 60 || s.lookups > maxLookups+1 {
			t.Fatalf("%q: %d names were asked for, %d lookups", records, n, s.lookups)
		}
		if _, err := (dns{d.Resolver()}).readDMARC(t.Context(), "odd.example"); err != nil {
			t.Fatalf("%q: %v", records, err)
		}
		keyIn(records, sought{record: Record{Value: "v=DKIM1; k=rsa; p=x"}, public: "x"})
	}
	if s := shown("a\x00b\xff" + strings.Repeat("é", 4000)); strings.ContainsRune(s, 0) || len(s) > maxShown+10 || !utf8.ValidString(s) {
		t.Errorf("%d bytes are shown", len(s))
	}
}
