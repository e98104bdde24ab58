package smtpsink

import (
	"bytes"
	"errors"
	"maps"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Counter is an SMTP server that takes everything as fast as it can, with PIPELINING: what a mail costs here is the sender's. It keeps
// no mail, and counts who got how many.
type Counter struct {
	Addr  string
	Mails atomic.Int64

	delay       time.Duration
	took        func(to string, message []byte)
	l           net.Listener
	first, last atomic.Int64

	mu   sync.Mutex
	seen map[string]int // by recipient
}

// Count starts a Counter that waits so long before it answers to a whole message. took is called, where it is not nil, for each one
// before that, at once from many goroutines; it must not keep the bytes. End it with Close.
func Count(delay time.Duration, took func(to string, message []byte)) (*Counter, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Counter{Addr: l.Addr().String(), delay: delay, took: took, l: l, seen: map[string]int{}}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s, nil
}

// Close stops listening. Connections go on.
func (s *Counter) Close() { _ = s.l.Close() }

// Rate is how many mails came a second, from the first to the last.
func (s *Counter) Rate() float64 {
	d := time.Duration(s.last.Load() - s.first.Load())
	if d <= 0 {
		return 0
	}
	return float64(s.Mails.Load()-1) / d.Seconds()
}

// Seen is how many mails each recipient got.
func (s *Counter) Seen() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.seen)
}

// Doubles is how many mails were one too many for their recipient.
func (s *Counter) Doubles() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.Mails.Load()) - len(s.seen)
}

func (s *Counter) serve(c net.Conn) {
	defer c.Close()
	in, out := make([]byte, 0, 64<<10), make([]byte, 0, 512)
	at := 0
	fill := func() error { // what was asked is answered first
		if len(out) > 0 {
			if _, err := c.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
		if at > 0 {
			in = in[:copy(in, in[at:])]
			at = 0
		}
		if len(in) == cap(in) {
			return errors.New("a line or a message is too long")
		}
		n, err := c.Read(in[len(in):cap(in)])
		in = in[:len(in)+n]
		return err
	}
	until := func(end string) ([]byte, bool) {
		for from := 0; ; {
			if i := bytes.Index(in[at+from:], []byte(end)); i >= 0 {
				part := in[at : at+from+i]
				at += from + i + len(end)
				return part, true
			}
			from = max(0, len(in)-at-len(end)+1)
			if fill() != nil {
				return nil, false
			}
		}
	}
	out = append(out, "220 sink ESMTP\r\n"...)
	to := ""
	for {
		line, ok := until("\r\n")
		if !ok {
			return
		}
		switch word := string(bytes.ToUpper(line[:min(4, len(line))])); word {
		case "EHLO":
			out = append(out, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"...)
		case "RCPT":
			if _, rest, ok := bytes.Cut(line, []byte("<")); ok {
				address, _, _ := bytes.Cut(rest, []byte(">"))
				to = string(address)
			}
			out = append(out, "250 2.1.5 ok\r\n"...)
		case "DATA":
			out = append(out, "354 go on\r\n"...)
			text, ok := until("\r\n.\r\n")
			if !ok {
				return
			}
			s.count(to, text)
			time.Sleep(s.delay)
			out = append(out, "250 2.0.0 ok\r\n"...)
		case "QUIT":
			_, _ = c.Write([]byte("221 2.0.0 bye\r\n"))
			return
		default:
			out = append(out, "250 2.0.0 ok\r\n"...)
		}
	}
}

func (s *Counter) count(to string, message []byte) {
	now := time.Now().UnixNano()
	s.first.CompareAndSwap(0, now)
	s.last.Store(now)
	s.mu.Lock()
	s.seen[to]++
	s.mu.Unlock()
	if s.took != nil {
		s.took(to, message)
	}
	s.Mails.Add(1)
}
