package web

import (
	"net/netip"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// Client returns the address the request came from. X-Forwarded-For counts only as far as trusted proxies wrote it: it is
// read from its end, and the first address that is not a trusted proxy's is the client's.
func (w *Web) Client(c *fiber.Ctx) netip.Addr {
	addr, ok := netip.AddrFromSlice(c.Context().RemoteIP())
	if !ok {
		return netip.IPv4Unspecified()
	}
	addr = addr.Unmap()
	if !w.trusted(addr) {
		return addr
	}
	var hops []string
	for _, line := range c.Request().Header.PeekAll(fiber.HeaderXForwardedFor) {
		hops = append(hops, strings.Split(string(line), ",")...)
	}
	for i := len(hops) - 1; i >= 0; i-- {
		hop := strings.TrimSpace(hops[i])
		a, err := netip.ParseAddr(strings.Trim(hop, "[]"))
		if ap, err2 := netip.ParseAddrPort(hop); err2 == nil {
			a, err = ap.Addr(), nil
		}
		if err != nil {
			return addr // the proxy wrote nonsense: the last address we know for certain
		}
		addr = a.Unmap().WithZone("")
		if !w.trusted(addr) {
			return addr
		}
	}
	return addr
}

// Local reports whether a request comes from this machine for certain: from one of its own addresses, for one of its own
// names. The address alone does not say it: behind a proxy on this machine that nobody listed, every visitor has it. So a site
// with a public address believes it only where that proxy is listed, and thus tells who really asks.
func (w *Web) Local(c *fiber.Ctx) bool {
	peer, _ := netip.AddrFromSlice(c.Context().RemoteIP())
	return w.ForLocalName(c) && w.Client(c).IsLoopback() && (loopback(w.base.Host) || w.trusted(peer.Unmap()))
}

// ForLocalName reports whether a request was meant for this machine by one of its own names. A page elsewhere whose name was
// made to lead here (DNS rebinding) asks for that name.
func (w *Web) ForLocalName(c *fiber.Ctx) bool { return loopback(string(c.Context().Host())) }

func (w *Web) trusted(a netip.Addr) bool {
	for _, p := range w.opt.TrustedProxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// ClientNet is the client's address as limits count it: the address itself, or the /64 of an IPv6 address, since one
// household has all of it.
func (w *Web) ClientNet(c *fiber.Ctx) netip.Prefix {
	a := w.Client(c)
	bits := 32
	if a.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(a, bits).Masked()
}
