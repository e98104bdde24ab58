package main

import (
	"bytes"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// sink is an SMTP server that takes everything as fast as it can: what a mail costs here is the sender's. It counts who got how many.
type sink struct {
	addr  string
	delay time.Duration // before the answer to a whole message
	l     net.Listener

	mails, bytes, first, last atomic.Int64

	mu   sync.Mutex
	seen map[string]int // by recipient
}

func newSink(delay time.Duration) (*sink, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{addr: l.Addr().String(), delay: delay, l: l, seen: map[string]int{}}
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

func (s *sink) close() { _ = s.l.Close() }

// rate is how many mails came a second, from the first to the last.
func (s *sink) rate() float64 {
	d := time.Duration(s.last.Load() - s.first.Load())
	if d <= 0 {
		return 0
	}
	return float64(s.mails.Load()-1) / d.Seconds()
}

// doubles is how many mails were one too many for their recipient.
func (s *sink) doubles() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int(s.mails.Load()) - len(s.seen)
}

func (s *sink) serve(c net.Conn) {
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
			time.Sleep(s.delay)
			s.took(to, len(text))
			out = append(out, "250 2.0.0 ok\r\n"...)
		case "QUIT":
			_, _ = c.Write([]byte("221 2.0.0 bye\r\n"))
			return
		default:
			out = append(out, "250 2.0.0 ok\r\n"...)
		}
	}
}

func (s *sink) took(to string, size int) {
	now := time.Now().UnixNano()
	s.first.CompareAndSwap(0, now)
	s.last.Store(now)
	s.mails.Add(1)
	s.bytes.Add(int64(size))
	s.mu.Lock()
	s.seen[to]++
	s.mu.Unlock()
}
