package deliverability

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
)

// lookTime is how long a whole look at DNS may take. A page waits for it.
const lookTime = 12 // seconds

// errDNS is what every look-up returns that got no answer at all: not "there is no such record" but nobody to ask, or nonsense.
var errDNS = errors.New("deliverability: DNS gave no answer")

// dns asks one resolver. Every method returns an empty list where the name or the record is not there, and errDNS where nobody knows.
type dns struct{ r *net.Resolver }

func noAnswer(err error) error {
	var e *net.DNSError
	if err == nil || errors.As(err, &e) && e.IsNotFound {
		return nil
	}
	return errors.Join(errDNS, err)
}

// rooted keeps the machine's search domains out.
func rooted(name string) string { return strings.TrimSuffix(name, ".") + "." }

func (d dns) txt(ctx context.Context, name string) ([]string, error) {
	list, err := d.r.LookupTXT(ctx, rooted(name))
	return list, noAnswer(err)
}

func (d dns) mx(ctx context.Context, name string) ([]*net.MX, error) {
	list, err := d.r.LookupMX(ctx, rooted(name))
	if len(list) > 0 {
		return list, nil // the resolver returns the good ones beside an error about others
	}
	return nil, noAnswer(err)
}

func (d dns) addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	list, err := d.r.LookupNetIP(ctx, "ip", rooted(name))
	for i := range list {
		list[i] = list[i].Unmap()
	}
	return list, noAnswer(err)
}

func (d dns) names(ctx context.Context, ip netip.Addr) ([]string, error) {
	list, err := d.r.LookupAddr(ctx, ip.String())
	return list, noAnswer(err)
}

// public reports whether others can reach an address.
func public(ip netip.Addr) bool {
	return ip.IsValid() && ip.IsGlobalUnicast() && !ip.IsPrivate() && !shared.Contains(ip)
}

// shared are the addresses that providers use between themselves and their customers (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// tags reads a record of the form "v=DMARC1; p=none": names in lower case, values trimmed (RFC 6376, section 3.2). It reports false where a
// piece has no "=".
func tags(record string) (map[string]string, bool) {
	out := map[string]string{}
	for _, piece := range strings.Split(record, ";") {
		if strings.TrimSpace(piece) == "" {
			continue
		}
		name, value, found := strings.Cut(piece, "=")
		if !found {
			return nil, false
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if _, twice := out[name]; !twice {
			out[name] = strings.TrimSpace(value)
		}
	}
	return out, true
}
