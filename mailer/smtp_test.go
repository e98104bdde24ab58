package mailer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// quick is a configuration whose limits a test can wait for.
func quick(port int) SMTPConfig {
	return SMTPConfig{Host: "127.0.0.1", Port: port, TLS: NoTLS, HELO: "test.example.org", Timeout: 2 * time.Second, DotTimeout: 2 * time.Second}
}

func newSMTP(t testing.TB, c SMTPConfig) *SMTP {
	t.Helper()
	s, err := NewSMTP(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t testing.TB, s *SMTP) Conn {
	t.Helper()
	c, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestOutcomes(t *testing.T) {
	long := strings.Repeat("x", maxAnswer+1)
	short := 400 * time.Millisecond // long enough for a busy machine to answer what is not silent
	for _, c := range []struct {
		name    string
		script  script
		timeout time.Duration // of commands, and of the dot when dot is 0
		dot     time.Duration
		want    Outcome
		healthy bool
	}{
		{name: "taken", want: Outcome{State: Accepted, Code: 250, Enhanced: "2.0.0", Reply: "2.0.0 taken"}, healthy: true},
		{name: "taken, then lost", script: script{".": "250 2.0.0 taken\r\n" + drop}, want: Outcome{State: Accepted, Code: 250, Enhanced: "2.0.0", Reply: "2.0.0 taken"}, healthy: true},
		{name: "taken late but in time", script: script{".": slow + "250 taken"}, timeout: slowness / 2, dot: 10 * time.Second, want: Outcome{State: Accepted, Code: 250, Reply: "taken"}, healthy: true},

		{name: "lost at MAIL", script: script{"MAIL": drop}, want: Outcome{State: NotSent, Phase: PhaseMail}},
		{name: "lost at RCPT", script: script{"RCPT": drop}, want: Outcome{State: NotSent, Phase: PhaseRcpt}},
		{name: "lost at DATA", script: script{"DATA": drop}, want: Outcome{State: NotSent, Phase: PhaseData}},
		{name: "lost after the dot", script: script{".": drop}, want: Outcome{State: Unknown, Phase: PhaseDot}},
		{name: "lost in the answer to the dot", script: script{".": "25" + drop}, want: Outcome{State: Unknown, Phase: PhaseDot}},
		{name: "lost in a long answer to the dot", script: script{".": "550-no\r\n" + drop}, want: Outcome{State: Unknown, Phase: PhaseDot}},

		{name: "silent at MAIL", script: script{"MAIL": hang}, timeout: short, want: Outcome{State: NotSent, Phase: PhaseMail}},
		{name: "silent at RCPT", script: script{"RCPT": hang}, timeout: short, want: Outcome{State: NotSent, Phase: PhaseRcpt}},
		{name: "silent at DATA", script: script{"DATA": hang}, timeout: short, dot: time.Minute, want: Outcome{State: NotSent, Phase: PhaseData}},
		{name: "silent after the dot", script: script{".": hang}, dot: short, want: Outcome{State: Unknown, Phase: PhaseDot}},

		{name: "421 at MAIL", script: script{"MAIL": "421 4.3.2 closing\r\n" + drop}, want: Outcome{State: Deferred, Phase: PhaseMail, Code: 421, Enhanced: "4.3.2", Reply: "4.3.2 closing"}},
		{name: "421 after the dot", script: script{".": "421 4.3.0 closing"}, want: Outcome{State: Deferred, Phase: PhaseDot, Code: 421, Enhanced: "4.3.0", Reply: "4.3.0 closing"}},
		{name: "450 at RCPT", script: script{"RCPT": "450 4.2.0 June.Hale is greylisted|250 ok"}, want: Outcome{State: Deferred, Phase: PhaseRcpt, Code: 450, Enhanced: "4.2.0", Reply: "4.2.0 <address> is greylisted"}, healthy: true},
		{name: "451 at DATA", script: script{"DATA": "451 later"}, want: Outcome{State: Deferred, Phase: PhaseData, Code: 451, Reply: "later"}, healthy: true},
		{name: "452 after the dot", script: script{".": "452 4.3.1 full|250 ok"}, want: Outcome{State: Deferred, Phase: PhaseDot, Code: 452, Enhanced: "4.3.1", Reply: "4.3.1 full"}, healthy: true},
		{name: "550 at MAIL", script: script{"MAIL": "550 5.7.1 not you|250 ok"}, want: Outcome{State: Rejected, Phase: PhaseMail, Code: 550, Enhanced: "5.7.1", Reply: "5.7.1 not you"}, healthy: true},
		{name: "550 at RCPT", script: script{"RCPT": "550-5.1.1 <june.hale@example.net>\r\n550 5.1.1 unknown|250 ok"}, want: Outcome{State: Rejected, Phase: PhaseRcpt, Code: 550, Enhanced: "5.1.1", Reply: "5.1.1 <<address>> 5.1.1 unknown"}, healthy: true},
		{name: "554 at DATA", script: script{"DATA": "554 no"}, want: Outcome{State: Rejected, Phase: PhaseData, Code: 554, Reply: "no"}, healthy: true},
		{name: "554 after the dot", script: script{".": "554 5.6.0 bad|250 ok"}, want: Outcome{State: Rejected, Phase: PhaseDot, Code: 554, Enhanced: "5.6.0", Reply: "5.6.0 bad"}, healthy: true},
		{name: "an address, not a status", script: script{"RCPT": "550 5.9.12.3 is blocked|250 ok"}, want: Outcome{State: Rejected, Phase: PhaseRcpt, Code: 550, Reply: "5.9.12.3 is blocked"}, healthy: true},
		{name: "a status of another class", script: script{"RCPT": "550 4.1.1 odd|250 ok"}, want: Outcome{State: Rejected, Phase: PhaseRcpt, Code: 550, Reply: "4.1.1 odd"}, healthy: true},

		{name: "garbage at MAIL", script: script{"MAIL": "\x00\xff\xfe"}, want: Outcome{State: NotSent, Phase: PhaseMail}},
		{name: "garbage at RCPT", script: script{"RCPT": "55"}, want: Outcome{State: NotSent, Phase: PhaseRcpt}},
		{name: "an empty line at RCPT", script: script{"RCPT": "\r\n"}, want: Outcome{State: NotSent, Phase: PhaseRcpt}},
		{name: "garbage after the dot", script: script{".": "5 whatever"}, want: Outcome{State: Unknown, Phase: PhaseDot}},
		{name: "a wrong answer to the dot", script: script{".": "354 go on"}, want: Outcome{State: Unknown, Phase: PhaseDot}},
		{name: "another success after the dot", script: script{".": "252 perhaps"}, want: Outcome{State: Unknown, Phase: PhaseDot}},
		{name: "an endless line at RCPT", script: script{"RCPT": "250 " + long}, want: Outcome{State: NotSent, Phase: PhaseRcpt}},
		{name: "an endless line after the dot", script: script{".": "250 " + long}, want: Outcome{State: Unknown, Phase: PhaseDot}},
	} {
		talk := func(t *testing.T, said script, before bool) {
			t.Parallel()
			cfg := quick(said.start(t, nil))
			if c.timeout != 0 {
				cfg.Timeout, cfg.DotTimeout = c.timeout, c.timeout
			}
			if c.dot != 0 {
				cfg.DotTimeout = c.dot
			}
			conn := open(t, newSMTP(t, cfg))
			m := sample()
			m.To = "june.hale@example.net"
			if before {
				one := m
				one.MessageID = NewMessageID("act.example.org")
				if err := m.Encode(); err != nil {
					t.Fatal(err)
				}
				if o := conn.(Pipelined).SendBefore(t.Context(), one, m); o.State != Accepted || o.Reply != "2.0.0 taken" {
					t.Fatalf("the message before it: %+v", o)
				}
			}
			got := conn.Send(t.Context(), m)
			err := got.Err
			got.Err = nil
			if got != c.want {
				t.Fatalf("got %+v, %v\nwant %+v", got, err, c.want)
			}
			if (err == nil) != (got.State == Accepted) {
				t.Errorf("state %s with error %v", got.State, err)
			}
			if err != nil && (strings.Contains(err.Error(), "@") || strings.Contains(strings.ToLower(err.Error()), "june")) {
				t.Errorf("the error holds an address: %v", err)
			}
			if got.Healthy() != c.healthy {
				t.Errorf("healthy: %v", got.Healthy())
			}
			if !c.healthy && !conn.(*smtpConn).Broken() {
				t.Error("the connection is still open")
			}
			if c.healthy && c.name != "taken, then lost" && got.State != Accepted && c.script["DATA"] == "" {
				if again := conn.Send(t.Context(), m); again.State != Accepted {
					t.Errorf("the next message on the same connection: %+v", again)
				}
			}
			if !c.healthy {
				if again := conn.Send(t.Context(), m); again.State != NotSent || again.Err == nil {
					t.Errorf("the next message on the lost connection: %+v", again)
				}
			}
		}
		t.Run(c.name, func(t *testing.T) { talk(t, c.script, false) })
		t.Run(c.name+", pipelined", func(t *testing.T) { talk(t, c.script.pipelined(), false) })
		t.Run(c.name+", announced", func(t *testing.T) { talk(t, c.script.pipelined().after(), true) })
	}
}

// pipelined is the script of a server that takes commands in one write. What follows a refused command it refuses too, the first time.
func (s script) pipelined() script {
	out := script{"EHLO": "250-mx.example.org\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES"}
	maps.Copy(out, s)
	refused := false
	for _, command := range []string{"MAIL", "RCPT", "DATA"} {
		if refused {
			out[command] = "503 5.5.1 not now|" + usual[command]
		}
		refused = refused || strings.HasPrefix(s[command], "4") || strings.HasPrefix(s[command], "5")
	}
	return out
}

// after is the script of a server that does what s says with the second message.
func (s script) after() script {
	out := maps.Clone(s)
	for _, command := range []string{"MAIL", "RCPT", "DATA", "."} {
		if said, ok := s[command]; ok {
			out[command] = usual[command] + "|" + said
		}
	}
	return out
}

// A message that was announced, and is not to be sent after all, takes its connection along: nothing that is said on it any more could be
// taken for its text.
func TestAnnouncedAndNotSent(t *testing.T) {
	for name, give := range map[string]func(t *testing.T, p *Pool, c Conn){
		"given back": func(_ *testing.T, p *Pool, c Conn) { p.Put(c, true) },
		"another one": func(t *testing.T, p *Pool, c Conn) {
			if o := c.Send(t.Context(), sample()); o.State != NotSent {
				t.Errorf("another message: %+v", o)
			}
			p.Put(c, true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			heard := make(chan string, 20)
			port := script{}.pipelined().start(t, func(c string) { heard <- c })
			p := NewPool(newSMTP(t, quick(port)), 1)
			c, err := p.Get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			one, next := sample(), sample()
			one.MessageID, next.MessageID = NewMessageID("act.example.org"), NewMessageID("act.example.org")
			if err := next.Encode(); err != nil {
				t.Fatal(err)
			}
			if o := c.(Pipelined).SendBefore(t.Context(), one, next); o.State != Accepted {
				t.Fatalf("%+v", o)
			}
			give(t, p, c)
			for _, want := range []string{"EHLO", "MAIL", "RCPT", "DATA", ".", "MAIL", "RCPT", "DATA", "cut after "} {
				if got := <-heard; got != want {
					t.Errorf("the server heard %q, not %q", got, want)
				}
			}
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// The text goes only after the server's 354, whatever was written before; a server that wants it for nobody gets none.
func TestTheTextWaitsForIts354(t *testing.T) {
	for _, c := range []struct {
		name, rcpt, dot string // answers
		want            OutcomeState
		open            bool
	}{
		{"taken", "250 ok", "250 taken", Accepted, true},
		{"nobody to send it to, and 354 all the same", "550 5.1.1 no", "554 no recipients", Rejected, true},
		{"nobody to send it to, and taken all the same", "550 5.1.1 no", "250 taken", Rejected, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			heard := make(chan string, 1)
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				r := bufio.NewReader(conn)
				say := func(s string) { _, _ = io.WriteString(conn, s+"\r\n") }
				say("220 mx")
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					switch line[:4] {
					case "EHLO":
						say("250-mx\r\n250 PIPELINING")
					case "RCPT":
						say(c.rcpt)
					case "DATA":
						_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
						early, _ := r.Peek(1)
						_ = conn.SetReadDeadline(time.Time{})
						say("354 go on")
						text := ""
						for !strings.HasSuffix(text, "\r\n.\r\n") && text != ".\r\n" {
							line, err := r.ReadString('\n')
							if err != nil {
								return
							}
							text += line
						}
						if heard <- string(early) + text; true {
							say(c.dot)
						}
					default:
						say("250 ok")
					}
				}
			}()
			conn := open(t, newSMTP(t, quick(l.Addr().(*net.TCPAddr).Port)))
			o := conn.Send(t.Context(), sample())
			if o.State != c.want {
				t.Fatalf("%+v", o)
			}
			text := <-heard
			if whole := strings.HasPrefix(text, "Date: "); whole != (c.want == Accepted) || !whole && text != ".\r\n" {
				t.Errorf("the server heard %q", text)
			}
			if broken := conn.(*smtpConn).Broken(); broken == c.open {
				t.Errorf("the connection is broken: %v", broken)
			}
		})
	}
}

// A refused DATA leaves a transaction open at the server: it must be taken back before the next message.
func TestRefusedDataIsReset(t *testing.T) {
	var mu sync.Mutex
	var said []string
	port := script{"DATA": "451 later"}.start(t, func(c string) { mu.Lock(); said = append(said, c); mu.Unlock() })
	c := open(t, newSMTP(t, quick(port)))
	c.Send(t.Context(), sample())
	c.Send(t.Context(), sample())
	_ = c.Close()
	mu.Lock()
	defer mu.Unlock()
	want := []string{"EHLO", "MAIL", "RCPT", "DATA", "RSET", "MAIL", "RCPT", "DATA", "RSET", "QUIT"}
	if !slices.Equal(said, want) {
		t.Errorf("said %v, want %v", said, want)
	}
}

// A connection that was given up must not be said goodbye to: the next command would end an unfinished message.
func TestGivenUpConnectionSaysNothingMore(t *testing.T) {
	var mu sync.Mutex
	var said []string
	port := script{".": hang}.start(t, func(c string) { mu.Lock(); said = append(said, c); mu.Unlock() })
	cfg := quick(port)
	cfg.DotTimeout = 50 * time.Millisecond
	c := open(t, newSMTP(t, cfg))
	if o := c.Send(t.Context(), sample()); o.State != Unknown {
		t.Fatalf("%+v", o)
	}
	_ = c.Close()
	mu.Lock()
	defer mu.Unlock()
	if said[len(said)-1] != "." {
		t.Errorf("said %v", said)
	}
}

// The end of the context cuts the connection; what is said of the message depends on how far it came.
func TestContextEnds(t *testing.T) {
	for at, want := range map[string]OutcomeState{"MAIL": NotSent, "RCPT": NotSent, "DATA": NotSent, ".": Unknown} {
		ctx, cancel := context.WithCancel(t.Context())
		port := script{at: hang}.start(t, func(c string) {
			if c == at {
				cancel()
			}
		})
		c := open(t, newSMTP(t, quick(port)))
		o := c.Send(ctx, sample())
		if o.State != want || !errors.Is(o.Err, context.Canceled) {
			t.Errorf("%s: %+v, want %s", at, o, want)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	s := newSMTP(t, quick(script{}.start(t, nil)))
	c := open(t, s)
	if o := c.Send(ended, sample()); o.State != NotSent || c.(*smtpConn).Broken() {
		t.Errorf("%+v", o)
	}
	var f *Failure
	if _, err := s.Open(ended); !errors.As(err, &f) || f.Kind != Unreachable || !errors.Is(err, context.Canceled) {
		t.Errorf("open: %v", err)
	}
	waiting, cancel := context.WithCancel(t.Context())
	port := script{"EHLO": hang}.start(t, func(string) { cancel() })
	cfg := quick(port)
	cfg.Timeout = time.Minute
	if _, err := newSMTP(t, cfg).Open(waiting); !errors.Is(err, context.Canceled) {
		t.Errorf("open: %v", err)
	}
}

// A server that drips gains no time by it.
func TestDrippingServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
			if _, err := c.Write([]byte("2")); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	cfg := quick(l.Addr().(*net.TCPAddr).Port)
	cfg.Timeout = 80 * time.Millisecond
	var f *Failure
	if _, err := newSMTP(t, cfg).Open(t.Context()); !errors.As(err, &f) || f.Kind != Unreachable {
		t.Errorf("%v", err)
	}
}

func TestRealServer(t *testing.T) {
	s := &server{
		onRcp: func(_ *smtp.Conn, to string) error {
			switch {
			case strings.HasPrefix(to, "gone"):
				return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user: " + to}
			case strings.HasPrefix(to, "grey"):
				return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 7, 1}, Message: "greylisted"}
			}
			return nil
		},
		taken: func(c *smtp.Conn, to string) {
			if strings.HasPrefix(to, "lost") {
				_ = c.Close()
			}
		},
	}
	s.start(t, NoTLS, nil)
	c := open(t, newSMTP(t, quick(s.addr.Port)))
	for _, x := range []struct {
		to    string
		state OutcomeState
		reply string
	}{
		{"june@example.net", Accepted, "2.0.0 OK: queued"},
		{"gone@example.net", Rejected, "5.1.1 no such user: <address>"},
		{"grey@example.net", Deferred, "4.7.1 greylisted"},
		{"june@example.net", Accepted, "2.0.0 OK: queued"},
		{"lost@example.net", Unknown, ""},
		{"june@example.net", NotSent, ""},
	} {
		m := sample()
		m.To = x.to
		if o := c.Send(t.Context(), m); o.State != x.state || o.Reply != x.reply {
			t.Errorf("%s: %+v", x.to, o)
		}
	}
	got := s.received()
	if len(got) != 3 || got[0].from != "b+k7f3@bounce.example.org" || got[0].to != "june@example.net" {
		t.Fatalf("received %d: %v", len(got), got)
	}
	p := parsedBytes(t, got[0].data)
	checkFields(t, "at the server", p.Header, plainFields...)
	if s.conns != 1 {
		t.Errorf("%d connections", s.conns)
	}
	want, _ := Bytes(sample())
	if string(got[0].data) != string(want) {
		t.Error("the server got other bytes than Bytes gives")
	}
}

func TestInjectionAtTheServer(t *testing.T) {
	s := &server{}
	s.start(t, NoTLS, nil)
	c := open(t, newSMTP(t, quick(s.addr.Port)))
	for _, text := range injections {
		m := bulk()
		m.FromName, m.ToName, m.Subject, m.FeedbackID, m.Headers = text, text, text, text, []Header{{"X-Note", text}}
		m.Text, m.HTML = "text\r\n.\r\nMAIL FROM:<x@example.org>\r\n"+strings.ToValidUTF8(text, ""), "<p>html"
		if o := c.Send(t.Context(), m); o.State != Accepted {
			t.Fatalf("%q: %+v", text, o)
		}
		got := s.received()
		last := got[len(got)-1]
		if last.from != m.EnvelopeFrom || last.to != m.To {
			t.Errorf("%q: envelope %v", text, last)
		}
		checkInjected(t, text, parsedBytes(t, last.data))
	}
	if n := len(s.received()); n != len(injections) {
		t.Errorf("%d messages of %d", n, len(injections))
	}
	for _, to := range []string{"a@example.org\r\nRCPT TO:<b@example.org>", "a@example.org> X=<b@example.org", "a\x00@example.org", "a\u2028@example.org"} {
		m := sample()
		m.To = to
		if o := c.Send(t.Context(), m); o.State != Rejected || o.Phase != PhaseBuild || !errors.Is(o.Err, ErrMessage) || !o.Healthy() {
			t.Errorf("%q: %+v", to, o)
		}
	}
	if n := len(s.received()); n != len(injections) {
		t.Errorf("%d messages of %d", n, len(injections))
	}
}

func TestInternationalAddressNeedsTheServer(t *testing.T) {
	m := sample()
	m.To = "josé@example.net"
	var mu sync.Mutex
	mails := 0
	c := open(t, newSMTP(t, quick(script{}.start(t, func(v string) {
		if v == "MAIL" {
			mu.Lock()
			mails++
			mu.Unlock()
		}
	}))))
	if o := c.Send(t.Context(), m); o.State != Rejected || o.Code != 0 || !o.Healthy() {
		t.Errorf("without SMTPUTF8: %+v", o)
	}
	mu.Lock()
	if mails != 0 {
		t.Error("the server was asked all the same")
	}
	mu.Unlock()
	c = open(t, newSMTP(t, quick(script{"EHLO": "250-mx\r\n250 SMTPUTF8"}.start(t, nil))))
	if o := c.Send(t.Context(), m); o.State != Accepted {
		t.Errorf("with SMTPUTF8: %+v", o)
	}
}

func TestTLSAndAuth(t *testing.T) {
	roots, cert := ca(t, "127.0.0.1")
	_, other := ca(t, "127.0.0.1")
	wrongName, wrongCert := ca(t, "mx.example.org")
	for _, mode := range []string{StartTLS, TLS} {
		for _, mechanism := range []string{"PLAIN", "LOGIN"} {
			s := &server{user: "office", password: "long secret", mechanisms: []string{mechanism}}
			s.start(t, mode, cert)
			cfg := quick(s.addr.Port)
			cfg.TLS, cfg.RootCAs, cfg.Username, cfg.Password = mode, roots, "office", "long secret"
			good := newSMTP(t, cfg)
			if err := good.Test(t.Context()); err != nil {
				t.Errorf("%s, %s: %v", mode, mechanism, err)
				continue
			}
			if o := open(t, good).Send(t.Context(), sample()); o.State != Accepted || len(s.received()) != 1 {
				t.Errorf("%s, %s: %+v", mode, mechanism, o)
			}
			cfg.Password = "wrong secret"
			checkFailure(t, mode+" "+mechanism+", wrong password", newSMTP(t, cfg), BadAuth, 535)
		}
		none := &server{mechanisms: []string{}}
		none.start(t, mode, cert)
		cfg := quick(none.addr.Port)
		cfg.TLS, cfg.RootCAs, cfg.Username, cfg.Password = mode, roots, "office", "long secret"
		checkFailure(t, mode+", no AUTH offered", newSMTP(t, cfg), BadAuth, 0)

		for what, x := range map[string]*server{"another authority": {}, "another name": {}} {
			c, r := other, roots
			if what == "another name" {
				c, r = wrongCert, wrongName
			}
			x.start(t, mode, c)
			cfg := quick(x.addr.Port)
			cfg.TLS, cfg.RootCAs = mode, r
			checkFailure(t, mode+", "+what, newSMTP(t, cfg), BadTLS, 0)
		}
		plain := &server{}
		plain.start(t, NoTLS, nil)
		cfg = quick(plain.addr.Port)
		cfg.TLS, cfg.RootCAs = mode, roots
		checkFailure(t, mode+" to a server without TLS", newSMTP(t, cfg), BadTLS, 0)
	}
	// In the clear, but on this machine.
	s := &server{user: "office", password: "long secret", mechanisms: []string{"PLAIN"}}
	s.start(t, NoTLS, nil)
	cfg := quick(s.addr.Port)
	cfg.Username, cfg.Password = "office", "long secret"
	if err := newSMTP(t, cfg).Test(t.Context()); err != nil {
		t.Error(err)
	}
	cfg.Username, cfg.Password = "", ""
	if o := open(t, newSMTP(t, cfg)).Send(t.Context(), sample()); o.State != Rejected || o.Phase != PhaseMail {
		t.Errorf("without signing in: %+v", o)
	}
}

func checkFailure(t *testing.T, what string, s *SMTP, kind string, code int) {
	t.Helper()
	var f *Failure
	err := s.Test(t.Context())
	if !errors.As(err, &f) || f.Kind != kind || f.Code != code {
		t.Errorf("%s: %v, want %s %d", what, err, kind, code)
		return
	}
	if strings.Contains(err.Error(), "secret") || !strings.HasPrefix(err.Error(), kind) {
		t.Errorf("%s: %v", what, err)
	}
}

func TestFailures(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	checkFailure(t, "nobody listens", newSMTP(t, quick(free)), Unreachable, 0)
	for what, c := range map[string]struct {
		script script
		mode   string
		auth   bool
		kind   string
		code   int
	}{
		"no greeting":           {script{"GREETING": drop}, NoTLS, false, Unreachable, 0},
		"greeting 554":          {script{"GREETING": "554 5.7.1 go away"}, NoTLS, false, Refused, 554},
		"greeting 421":          {script{"GREETING": "421 busy"}, StartTLS, false, Refused, 421},
		"greeting garbage":      {script{"GREETING": "+OK POP3 ready"}, NoTLS, false, Unreachable, 0},
		"EHLO and HELO refused": {script{"EHLO": "550 no", "HELO": "550 no"}, NoTLS, false, Refused, 550},
		"lost at EHLO":          {script{"EHLO": drop}, StartTLS, false, Unreachable, 0},
		"STARTTLS refused":      {script{"EHLO": "250-mx\r\n250 STARTTLS", "STARTTLS": "454 not now"}, StartTLS, false, BadTLS, 454},
		"lost at STARTTLS":      {script{"EHLO": "250-mx\r\n250 STARTTLS", "STARTTLS": drop}, StartTLS, false, BadTLS, 0},
		"AUTH 454":              {script{"EHLO": "250-mx\r\n250 AUTH PLAIN", "AUTH": "454 4.7.0 later"}, NoTLS, true, Refused, 454},
		"AUTH 535":              {script{"EHLO": "250-mx\r\n250 AUTH LOGIN PLAIN", "AUTH": "535 5.7.8 no"}, NoTLS, true, BadAuth, 535},
		"lost at AUTH":          {script{"EHLO": "250-mx\r\n250 AUTH PLAIN", "AUTH": drop}, NoTLS, true, Unreachable, 0},
		"AUTH unknown":          {script{"EHLO": "250-mx\r\n250 AUTH GSSAPI"}, NoTLS, true, BadAuth, 0},
	} {
		cfg := quick(c.script.start(t, nil))
		cfg.TLS = c.mode
		if c.auth {
			cfg.Username, cfg.Password = "office", "long secret"
		}
		checkFailure(t, what, newSMTP(t, cfg), c.kind, c.code)
	}
	cfg := quick(script{"GREETING": hang}.start(t, nil))
	cfg.Timeout = 50 * time.Millisecond
	checkFailure(t, "silent", newSMTP(t, cfg), Unreachable, 0)
	if f := (&Failure{Kind: Refused, Code: 554, Reply: "no"}); f.Error() != "smtp.refused: 554 no" {
		t.Error(f)
	}
}

func TestSMTPConfig(t *testing.T) {
	for _, c := range []struct {
		in   SMTPConfig
		port int
		tls  string
	}{
		{SMTPConfig{}, 587, StartTLS},
		{SMTPConfig{TLS: TLS}, 465, TLS},
		{SMTPConfig{TLS: NoTLS}, 25, NoTLS},
		{SMTPConfig{Port: 2525, Username: "u@x.org", Password: "secret"}, 2525, StartTLS},
		{SMTPConfig{Host: "::1", TLS: NoTLS, Username: "u", Password: "secret", HELO: "a.example"}, 25, NoTLS},
		{SMTPConfig{Host: "localhost", TLS: NoTLS, Username: "u", Password: "secret", Timeout: 5 * time.Second, DotTimeout: time.Minute}, 25, NoTLS},
	} {
		want := c.in
		if want.Host == "" {
			want.Host = "mx.example.org"
		}
		in := want
		got, err := in.whole()
		want.Port, want.TLS = c.port, c.tls
		if want.Timeout == 0 {
			want.Timeout, want.DotTimeout = 30*time.Second, 10*time.Minute
		}
		if want.HELO == "" {
			want.HELO = got.HELO
		}
		if err != nil || got != want || got.HELO == "" {
			t.Errorf("%#v: %#v, %v; want %#v", in, got, err, want)
		}
	}
	for what, c := range map[string]SMTPConfig{
		"no host":         {},
		"a path":          {Host: "mx.example.org/x"},
		"a port too high": {Host: "mx.example.org", Port: 99999},
		"unknown tls":     {Host: "mx.example.org", TLS: "maybe"},
		"in the clear":    {Host: "mx.example.org", TLS: NoTLS, Username: "u", Password: "secret"},
		"no user":         {Host: "mx.example.org", Password: "secret"},
		"two lines":       {Host: "mx.example.org", HELO: "a\r\nb"},
		"no time":         {Host: "mx.example.org", Timeout: -5 * time.Second},
	} {
		if got, err := c.whole(); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}
	c := SMTPConfig{Host: "mx.example.org", Port: 587, TLS: StartTLS, Username: "u", Password: "secret"}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "c", c)
	if s := fmt.Sprintf("%v %+v %s %#v", c, c, c, c) + b.String(); strings.Contains(s, "secret") || !strings.Contains(s, "mx.example.org:587") {
		t.Error(s)
	}
}

func BenchmarkSMTP(b *testing.B) {
	s := &server{}
	s.start(b, NoTLS, nil)
	c, err := newSMTP(b, quick(s.addr.Port)).Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for b.Loop() {
		if o := c.Send(b.Context(), sample()); o.State != Accepted {
			b.Fatal(o)
		}
	}
}
