package legislators

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"kithline/campaigns/fault"
)

// MaxDownload is the largest file that is fetched, in bytes; MaxUpload the largest that the page takes.
const (
	MaxDownload = 512 << 20
	MaxUpload   = 100 << 20
)

// IsURL reports whether a source is fetched rather than opened.
func IsURL(s string) bool { return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") }

// errInside says that an address leads to where no stranger may send this server.
var errInside = errors.New("legislators: the address is not one of the public internet")

// Fetch loads a file into a temporary one, to be imported as OpenPath does. Only https is followed, and plain http to this machine; no
// address leads into the network that the server stands in, by a redirect neither. The faults are Invalid, error.legislators_url and
// error.legislators_large, and Unavailable, error.legislators_fetch.
func Fetch(ctx context.Context, address string) (_ *Source, err error) {
	u, err := url.Parse(address)
	if err != nil || !mayFetch(u) {
		return nil, fault.New(fault.Invalid, "error.legislators_url")
	}
	client := &http.Client{
		Timeout:   10 * time.Minute,
		Transport: &http.Transport{DialContext: dialer(onThisMachine(u)).DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute, DisableKeepAlives: true},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > 5 || !mayFetch(r.URL) || onThisMachine(r.URL) != onThisMachine(u) {
				return errInside
			}
			return nil
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fault.Because(err, fault.Invalid, "error.legislators_url")
	}
	res, err := client.Do(req)
	if errors.Is(err, errInside) {
		return nil, fault.New(fault.Invalid, "error.legislators_url")
	}
	if err != nil {
		return nil, fault.Because(err, fault.Unavailable, "error.legislators_fetch", "Host", u.Hostname())
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	if res.StatusCode != http.StatusOK {
		return nil, fault.Because(fmt.Errorf("legislators: the answer is %d", res.StatusCode), fault.Unavailable, "error.legislators_fetch", "Host", u.Hostname())
	}
	f, err := os.CreateTemp("", "kithline-legislators-*")
	if err != nil {
		return nil, err
	}
	end := func() error { return errors.Join(f.Close(), os.Remove(f.Name())) }
	n, err := io.Copy(f, io.LimitReader(res.Body, MaxDownload+1))
	switch {
	case err != nil:
		return nil, errors.Join(fault.Because(err, fault.Unavailable, "error.legislators_fetch", "Host", u.Hostname()), end())
	case n > MaxDownload:
		return nil, errors.Join(fault.New(fault.Invalid, "error.legislators_large", "File", path.Base(u.Path)), end())
	}
	p, err := packOf(path.Base(u.Path), f, n, end)
	if err != nil {
		return nil, errors.Join(err, end())
	}
	return &Source{p}, nil
}

// mayFetch reports whether an address has a form that is fetched.
func mayFetch(u *url.URL) bool {
	return u.Hostname() != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && onThisMachine(u))
}

// onThisMachine reports whether an address names this machine by number.
func onThisMachine(u *url.URL) bool {
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && ip.Unmap().IsLoopback()
}

// dialer connects to public addresses alone, or to this machine alone. It looks at the address that is connected to, whatever a name said
// before.
func dialer(here bool) *net.Dialer {
	return &net.Dialer{Timeout: 15 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		ip := at.Addr().Unmap()
		if here && ip.IsLoopback() || !here && public(ip) {
			return nil
		}
		return errInside
	}}
}

// shared are the addresses that providers use between themselves and their customers (RFC 6598).
var shared = netip.MustParsePrefix("100.64.0.0/10")

// public reports whether an address is one of the public internet.
func public(ip netip.Addr) bool {
	return ip.IsValid() && ip.IsGlobalUnicast() && !ip.IsPrivate() && !shared.Contains(ip)
}
