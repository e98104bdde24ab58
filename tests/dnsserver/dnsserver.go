// Package dnsserver is a small DNS server for tests, on the loopback address: a zone that the test fills and changes, and a resolver that
// asks nobody else.
package dnsserver

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Server answers for a zone.
type Server struct {
	mu     sync.Mutex
	txt    map[string][]string
	mx     map[string][]string
	ips    map[string][]netip.Addr
	names  map[string]string
	broken map[string]bool
	asked  []string
	addr   string
}

// New starts a server that ends with the test. Names are written without a dot at the end.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{
		txt: map[string][]string{}, mx: map[string][]string{}, ips: map[string][]netip.Addr{}, names: map[string]string{}, broken: map[string]bool{},
	}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = udp.LocalAddr().String()
	tcp, err := net.Listen("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		b := make([]byte, 4096)
		for {
			n, from, err := udp.ReadFrom(b)
			if err != nil {
				return
			}
			answer := s.answer(b[:n], false)
			if len(answer) > 1232 { // as much as resolvers take: they ask again by TCP
				answer = s.answer(b[:n], true)
			}
			_, _ = udp.WriteTo(answer, from)
		}
	})
	wg.Go(func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = udp.Close()
		_ = tcp.Close()
		wg.Wait()
	})
	return s
}

func (s *Server) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return
	}
	b := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		return
	}
	answer := s.answer(b, false)
	_, _ = c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
}

// Resolver asks this server alone.
func (s *Server) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, s.addr)
	}}
}

// TXT puts these records at a name, in the place of those there were.
func (s *Server) TXT(name string, records ...string) { s.set(func() { s.txt[name] = records }) }

// MX names the mail servers of a domain.
func (s *Server) MX(name string, hosts ...string) { s.set(func() { s.mx[name] = hosts }) }

// Address gives a host addresses.
func (s *Server) Address(name string, ips ...string) {
	s.set(func() {
		s.ips[name] = nil
		for _, ip := range ips {
			s.ips[name] = append(s.ips[name], netip.MustParseAddr(ip))
		}
	})
}

// Reverse gives an address of version 4 a name.
func (s *Server) Reverse(ip, name string) {
	a := netip.MustParseAddr(ip).As4()
	slices.Reverse(a[:])
	s.set(func() { s.names[netip.AddrFrom4(a).String()+".in-addr.arpa"] = name })
}

// Break makes the server fail for a name; "" for every name.
func (s *Server) Break(name string) { s.set(func() { s.broken[name] = true }) }

func (s *Server) set(fn func()) { s.mu.Lock(); fn(); s.mu.Unlock() }

// Asked lists the names that were asked about.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *Server) answer(query []byte, cut bool) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var p dnsmessage.Parser
	head, err := p.Start(query)
	if err != nil {
		return nil
	}
	q, err := p.Question()
	if err != nil {
		return nil
	}
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	s.asked = append(s.asked, name)
	known := len(s.txt[name])+len(s.mx[name])+len(s.ips[name])+len(s.names[name]) > 0
	h := dnsmessage.Header{ID: head.ID, Response: true, RecursionAvailable: true, RecursionDesired: head.RecursionDesired, Truncated: cut}
	switch {
	case s.broken[name] || s.broken[""]:
		h.RCode = dnsmessage.RCodeServerFailure
	case !known:
		h.RCode = dnsmessage.RCodeNameError
	}
	b := dnsmessage.NewBuilder(nil, h)
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	must(b.StartQuestions())
	must(b.Question(q))
	must(b.StartAnswers())
	if h.RCode == dnsmessage.RCodeSuccess && !cut {
		r := dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, TTL: 60}
		switch q.Type {
		case dnsmessage.TypeTXT:
			for _, text := range s.txt[name] {
				var pieces []string
				for ; len(text) > 255; text = text[255:] {
					pieces = append(pieces, text[:255])
				}
				must(b.TXTResource(r, dnsmessage.TXTResource{TXT: append(pieces, text)}))
			}
		case dnsmessage.TypeMX:
			for i, host := range s.mx[name] {
				must(b.MXResource(r, dnsmessage.MXResource{Pref: uint16(10 * i), MX: dnsmessage.MustNewName(strings.TrimSuffix(host, ".") + ".")}))
			}
		case dnsmessage.TypeA:
			for _, ip := range s.ips[name] {
				if ip.Is4() {
					must(b.AResource(r, dnsmessage.AResource{A: ip.As4()}))
				}
			}
		case dnsmessage.TypeAAAA:
			for _, ip := range s.ips[name] {
				if ip.Is6() {
					must(b.AAAAResource(r, dnsmessage.AAAAResource{AAAA: ip.As16()}))
				}
			}
		case dnsmessage.TypePTR:
			if n := s.names[name]; n != "" {
				must(b.PTRResource(r, dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(n + ".")}))
			}
		}
	}
	out, err := b.Finish()
	must(err)
	return out
}
