// Package smtpsink is a real SMTP server for tests: it speaks on loopback, keeps what it took, and can be told to do what
// real servers do on a bad day.
package smtpsink

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// Mail is one message as it came over the wire.
type Mail struct {
	From, To string
	Raw      []byte
}

// Header reads one header field of the mail, "" where it is missing.
func (m Mail) Header(name string) string {
	msg, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		return ""
	}
	return msg.Header.Get(name)
}

// Sink is the server. The hooks are called before it answers; a nil hook accepts. They may block.
type Sink struct {
	Addr string // host:port
	Rcpt func(to string) error
	Data func(m Mail) error // after the final dot, with the mail already counted as taken when it returns nil

	mu    sync.Mutex
	mails []Mail
	came  chan struct{}
	srv   *smtp.Server
}

// New starts a sink that ends with the test. Set the hooks before the first mail.
func New(t testing.TB) *Sink {
	t.Helper()
	s := &Sink{came: make(chan struct{})}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Addr = l.Addr().String()
	s.srv = smtp.NewServer(backend{s})
	s.srv.Domain, s.srv.MaxMessageBytes, s.srv.AllowInsecureAuth = "sink.example.org", 20<<20, true
	s.srv.ErrorLog = quiet{}
	go func() { _ = s.srv.Serve(l) }()
	t.Cleanup(func() { _ = s.srv.Close() })
	return s
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// Mails returns what was taken so far.
func (s *Sink) Mails() []Mail {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Mail(nil), s.mails...)
}

// To returns what was taken for one address.
func (s *Sink) To(address string) []Mail {
	var out []Mail
	for _, m := range s.Mails() {
		if strings.EqualFold(m.To, address) {
			out = append(out, m)
		}
	}
	return out
}

// Wait returns once n mails were taken, or fails the test when ctx ends.
func (s *Sink) Wait(ctx context.Context, t testing.TB, n int) []Mail {
	t.Helper()
	for {
		s.mu.Lock()
		got, came := len(s.mails), s.came
		s.mu.Unlock()
		if got >= n {
			return s.Mails()
		}
		select {
		case <-came:
		case <-ctx.Done():
			t.Fatalf("%d mails of %d came", got, n)
		}
	}
}

// Close ends the server now, as a crash would.
func (s *Sink) Close() { _ = s.srv.Close() }

type backend struct{ s *Sink }

func (b backend) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{s: b.s}, nil }

type session struct {
	s        *Sink
	from, to string
}

func (x *session) Mail(from string, _ *smtp.MailOptions) error { x.from = from; return nil }

func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if x.s.Rcpt != nil {
		if err := x.s.Rcpt(to); err != nil {
			return err
		}
	}
	x.to = to
	return nil
}

func (x *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	m := Mail{From: x.from, To: x.to, Raw: b}
	if x.s.Data != nil {
		if err := x.s.Data(m); err != nil {
			return err
		}
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.mails = append(x.s.mails, m)
	close(x.s.came)
	x.s.came = make(chan struct{})
	return nil
}

func (x *session) Reset()        { x.from, x.to = "", "" }
func (x *session) Logout() error { return nil }
