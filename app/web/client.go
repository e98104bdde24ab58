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
