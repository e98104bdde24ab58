package mailer

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// received is one message as the server took it.
type received struct {
	from, to string
	data     []byte
}

// server is a real SMTP server whose faults are set before it starts.
type server struct {
	addr  *net.TCPAddr
	onRcp func(c *smtp.Conn, to string) error
	onDot func(c *smtp.Conn, from, to string) error
	taken func(c *smtp.Conn, to string) // before the answer

	user, password string // AUTH is offered when set
	mechanisms     []string

	mu    sync.Mutex
	got   []received
	conns int
}

func (s *server) NewSession(c *smtp.Conn) (smtp.Session, error) {
	s.mu.Lock()
	s.conns++
	s.mu.Unlock()
	return &session{s: s, c: c}, nil
}

func (s *server) received() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]received(nil), s.got...)
}

type session struct {
	s        *server
	c        *smtp.Conn
	from, to string
	signedIn bool
}

func (x *session) AuthMechanisms() []string { return x.s.mechanisms }

func (x *session) Auth(mech string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != x.s.user || password != x.s.password {
			return smtp.ErrAuthFailed
		}
		x.signedIn = true
		return nil
	}
	if mech == sasl.Login {
		return &loginServer{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// loginServer is the server's side of AUTH LOGIN.
type loginServer struct {
	check func(user, password string) error
	step  int
	user  string
}

func (l *loginServer) Next(answer []byte) ([]byte, bool, error) {
	l.step++
	switch l.step {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		l.user = string(answer)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.check(l.user, string(answer))
}

func (x *session) Mail(from string, _ *smtp.MailOptions) error {
	if x.s.user != "" && !x.signedIn {
		return smtp.ErrAuthRequired
	}
	x.from = from
	return nil
}

func (x *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.to = to
	if x.s.onRcp != nil {
		return x.s.onRcp(x.c, to)
	}
	return nil
}

func (x *session) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if x.s.onDot != nil {
		if err := x.s.onDot(x.c, x.from, x.to); err != nil {
			return err
		}
	}
	x.s.mu.Lock()
	x.s.got = append(x.s.got, received{x.from, x.to, b})
	x.s.mu.Unlock()
	if x.s.taken != nil {
		x.s.taken(x.c, x.to)
	}
	return nil
}

func (x *session) Reset()        { x.from, x.to = "", "" }
func (x *session) Logout() error { return nil }

// start runs the server until the test ends. mode is one of StartTLS, TLS, NoTLS.
func (s *server) start(t testing.TB, mode string, cert *tls.Certificate) {
	t.Helper()
	srv := smtp.NewServer(s)
	srv.Domain, srv.AllowInsecureAuth, srv.ErrorLog = "mx.example.org", true, quiet{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().(*net.TCPAddr)
	if cert != nil {
		conf := &tls.Config{Certificates: []tls.Certificate{*cert}, MinVersion: tls.VersionTLS12}
		switch mode {
		case StartTLS:
			srv.TLSConfig = conf
		case TLS:
			l = tls.NewListener(l, conf)
		}
	}
	done := make(chan struct{})
	go func() { _ = srv.Serve(l); close(done) }()
	t.Cleanup(func() { _ = srv.Close(); <-done })
}

// ca makes a certificate authority of the test's own and a certificate of it for host.
func ca(t testing.TB, host string) (*x509.CertPool, *tls.Certificate) {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: root.NotBefore, NotAfter: root.NotAfter, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(host); ip != nil {
		leaf.IPAddresses = []net.IP{ip}
	} else {
		leaf.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, rootKey)
	must(err)
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &rootKey.PublicKey, rootKey)
	must(err)
	rootCert, err := x509.ParseCertificate(rootDER)
	must(err)
	pool := x509.NewCertPool()
	pool.AddCert(rootCert)
	return pool, &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// drop, as an answer of a script, closes the connection without a word.
const drop = "drop"

// hang, as an answer of a script, says nothing until the client hangs up.
const hang = "hang"

// slow, before an answer of a script, holds it back for slowness: the fault itself, nothing waits for it but the client.
const (
	slow     = "slow "
	slowness = 800 * time.Millisecond
)

// script is a server of raw bytes for what no decent server says. A command without an answer in it gets the usual one.
type script map[string]string

// start serves each connection by the script and returns the port. said gets the commands, when it is not nil, and what
// was heard of a message that never ended.
func (s script) start(t testing.TB, said func(command string)) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			wg.Go(func() { defer c.Close(); s.talk(c, said) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return l.Addr().(*net.TCPAddr).Port
}

var usual = script{
	"GREETING": "220 mx.example.org", "EHLO": "250-mx.example.org\r\n250 ENHANCEDSTATUSCODES", "MAIL": "250 ok", "RCPT": "250 ok",
	"DATA": "354 go on", ".": "250 2.0.0 taken", "RSET": "250 ok", "NOOP": "250 ok", "QUIT": "221 bye",
}

// talk holds one conversation. Of an answer of several forms, "first|second|then", each is given once, and the last one from then on.
func (s script) talk(c net.Conn, said func(string)) {
	r := bufio.NewReader(c)
	times := map[string]int{}
	last := ""
	answer := func(what string) error {
		a, ok := s[what]
		if !ok {
			a = usual[what]
		}
		forms := strings.Split(a, "|")
		a = forms[min(times[what], len(forms)-1)]
		times[what]++
		if rest, ok := strings.CutPrefix(a, slow); ok {
			a = rest
			<-time.After(slowness)
		}
		switch {
		case a == "":
			a = "500 what?"
		case a == drop:
			return errors.New("dropped")
		case a == hang:
			_, _ = io.Copy(io.Discard, r)
			return errors.New("hung")
		case strings.HasSuffix(a, drop):
			_, _ = io.WriteString(c, strings.TrimSuffix(a, drop))
			return errors.New("dropped")
		}
		last = a
		_, err := io.WriteString(c, a+"\r\n")
		return err
	}
	if answer("GREETING") != nil {
		return
	}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if said != nil {
			said(verb)
		}
		if answer(verb) != nil {
			return
		}
		if verb != "DATA" || !strings.HasPrefix(last, "354") {
			continue
		}
		text := ""
		for line != ".\r\n" {
			if line, err = r.ReadString('\n'); err != nil {
				if said != nil {
					said("cut after " + text + line)
				}
				return
			}
			text += line
		}
		if said != nil {
			said(".")
		}
		if answer(".") != nil {
			return
		}
	}
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}
