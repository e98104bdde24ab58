package mailer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// The kinds of a Failure. They are keys of the locale files.
const (
	Unreachable = "smtp.unreachable" // no connection, or it broke off before we were let in
	BadTLS      = "smtp.tls"         // no STARTTLS, a certificate that does not fit, plain where TLS was expected
	BadAuth     = "smtp.auth"        // user name or password refused, or no way to send them
	Refused     = "smtp.refused"     // the server answered, but does not take mail from us (now)
)

// Failure is why no connection to the SMTP server came about.
type Failure struct {
	Kind  string // one of the kinds above
	Code  int    // the server's reply code, 0 where it gave none
	Reply string // the server's words, addresses taken out; empty where it gave none
	cause error
}

func (f *Failure) Error() string {
	s := f.Kind
	switch {
	case f.Code != 0:
		s += fmt.Sprintf(": %d %s", f.Code, f.Reply)
	case f.cause != nil:
		s += ": " + Scrub(f.cause.Error())
	}
	return s
}

func (f *Failure) Unwrap() error { return f.cause }

// SMTP sends through one SMTP server with go-mail.
type SMTP struct{ cfg SMTPConfig }

// NewSMTP checks the configuration and fills in its defaults. It does not connect.
func NewSMTP(c SMTPConfig) (*SMTP, error) {
	c, err := c.whole()
	if err != nil {
		return nil, err
	}
	return &SMTP{cfg: c}, nil
}

// Name is "smtp".
func (s *SMTP) Name() string { return "smtp" }

// Config is the configuration with its defaults filled in.
func (s *SMTP) Config() SMTPConfig { return s.cfg }

// Test connects, says EHLO, changes to TLS, signs in and leaves again: all that a mail needs but the mail. The error is a
// *Failure.
func (s *SMTP) Test(ctx context.Context) error {
	c, err := s.Open(ctx)
	if err != nil {
		return err
	}
	_ = c.Close()
	return nil
}

// Open connects and signs in. Its error is a *Failure.
func (s *SMTP) Open(ctx context.Context) (Conn, error) {
	d := &dialling{ctx: ctx, cfg: s.cfg}
	opts := []gomail.Option{
		gomail.WithPort(s.cfg.Port), gomail.WithHELO(s.cfg.HELO), gomail.WithTimeout(s.cfg.Timeout),
		gomail.WithDialContextFunc(d.dial), gomail.WithTLSConfig(d.tlsConfig()), gomail.WithoutNoop(), gomail.WithoutRset(),
		gomail.WithTLSPolicy(gomail.NoTLS),
	}
	if s.cfg.TLS == StartTLS {
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.cfg.Username != "" {
		d.auth = &chooser{cfg: s.cfg}
		opts = append(opts, gomail.WithSMTPAuthCustom(d.auth))
	}
	client, err := gomail.NewClient(s.cfg.Host, opts...)
	if err != nil {
		return nil, &Failure{Kind: Unreachable, cause: err}
	}
	client.ErrorHandlerRegistry.RegisterHandler(s.cfg.Host, "starttls", d)

	sc, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		f := d.failure(err)
		d.hangUp()
		return nil, f
	}
	if !d.stop() { // ctx ended and the connection was cut
		return nil, &Failure{Kind: Unreachable, cause: context.Cause(ctx)}
	}
	c := &smtpConn{cfg: s.cfg, smtp: sc, wire: d.conn}
	c.pipelines, _ = sc.Extension("PIPELINING")
	c.international, _ = sc.Extension("SMTPUTF8")
	c.eightBit, _ = sc.Extension("8BITMIME")
	return c, nil
}

// dialling is one attempt to connect, with what is needed to say why it failed.
type dialling struct {
	ctx     context.Context // of the whole attempt; go-mail ends the one it hands to dial
	cfg     SMTPConfig
	auth    *chooser
	conn    *deadlineConn
	stop    func() bool // takes back that the end of the context cuts the connection
	tlsSaid bool        // the failure came out of the change to TLS
}

func (d *dialling) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: d.cfg.Host, MinVersion: tls.VersionTLS12, RootCAs: d.cfg.RootCAs}
}

func (d *dialling) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var nd net.Dialer
	c, err := nd.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	d.conn = newDeadlineConn(c, d.cfg.Timeout)
	d.stop = context.AfterFunc(d.ctx, func() { _ = d.conn.Close() })
	if d.cfg.TLS != TLS {
		return d.conn, nil
	}
	t := tls.Client(d.conn, d.tlsConfig())
	if err := t.HandshakeContext(ctx); err != nil {
		d.tlsSaid = true
		return nil, err
	}
	return t, nil
}

func (d *dialling) hangUp() {
	if d.stop != nil {
		d.stop()
	}
	if d.conn != nil {
		_ = d.conn.Close()
	}
}

// HandleError notes that the server refused STARTTLS itself.
func (d *dialling) HandleError(_, _ string, _ *textproto.Conn, err error) error {
	d.tlsSaid = true
	return err
}

func (d *dialling) failure(err error) *Failure {
	f := &Failure{Kind: Unreachable, cause: err}
	var said *textproto.Error
	if errors.As(err, &said) {
		f.Code, f.Reply = said.Code, Scrub(said.Msg, d.cfg.Username)
	}
	var network net.Error
	ioFailed := errors.As(err, &network) || d.conn != nil && d.conn.broken.Load()
	switch {
	case d.ctx.Err() != nil:
		f.cause = context.Cause(d.ctx)
	case d.conn == nil:
	case d.auth != nil && d.auth.began:
		switch {
		case f.Code >= 500 || d.auth.none:
			f.Kind = BadAuth
		case f.Code != 0:
			f.Kind = Refused
		}
	case d.tlsSaid, isTLS(err):
		f.Kind = BadTLS
	case f.Code != 0:
		f.Kind = Refused
	case d.cfg.TLS == StartTLS && !ioFailed:
		f.Kind = BadTLS // the server offers no STARTTLS
	}
	return f
}

// isTLS reports whether err comes out of the TLS handshake.
func isTLS(err error) bool {
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &cert) || errors.As(err, &record) || errors.As(err, &alert) || strings.Contains(err.Error(), "tls: ")
}

// chooser is the AUTH mechanism that fits what the server offers. Inside TLS the plain ones come first, since servers
// offer others that they were never set up for.
type chooser struct {
	cfg   SMTPConfig
	auth  smtp.Auth
	began bool
	none  bool // the server offers nothing that we speak
}

var errNoMechanism = errors.New("the server offers no way to sign in that we know")

func (a *chooser) Start(s *smtp.ServerInfo) (string, []byte, error) {
	a.began = true
	inClear := !s.TLS // the configuration was checked: only to this machine
	known := map[string]func() smtp.Auth{
		"PLAIN":         func() smtp.Auth { return smtp.PlainAuth("", a.cfg.Username, a.cfg.Password, s.Name, inClear) },
		"LOGIN":         func() smtp.Auth { return smtp.LoginAuth(a.cfg.Username, a.cfg.Password, s.Name, inClear) },
		"SCRAM-SHA-256": func() smtp.Auth { return smtp.ScramSHA256Auth(a.cfg.Username, a.cfg.Password) },
		"CRAM-MD5":      func() smtp.Auth { return smtp.CRAMMD5Auth(a.cfg.Username, a.cfg.Password) },
	}
	order := []string{"PLAIN", "LOGIN", "SCRAM-SHA-256", "CRAM-MD5"}
	if inClear {
		order = []string{"SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN"}
	}
	for _, name := range order {
		if slices.ContainsFunc(s.Auth, func(offer string) bool { return strings.EqualFold(offer, name) }) {
			a.auth = known[name]()
			return a.auth.Start(s)
		}
	}
	a.none = true
	return "", nil, errNoMechanism
}

func (a *chooser) Next(fromServer []byte, more bool) ([]byte, error) {
	return a.auth.Next(fromServer, more)
}

// smtpConn is one connection, opened and signed in by go-mail. wire.go sends over it.
type smtpConn struct {
	cfg    SMTPConfig
	smtp   *smtp.Client
	wire   *deadlineConn
	closed atomic.Bool

	pipelines     bool // commands may go in one write (RFC 2920)
	international bool // addresses may hold letters beyond ASCII (RFC 6531)
	eightBit      bool // RFC 6152
	out           []byte
	announced     string // the Message-ID of the message whose commands the server has, and which it waits for; else ""
}

// Broken reports whether the connection can no longer be used, but for a message that was announced.
func (c *smtpConn) Broken() bool { return c.wire.broken.Load() || c.announced != "" }

// Check asks the server whether it still listens (NOOP), for a connection that has been idle.
func (c *smtpConn) Check(ctx context.Context) error {
	defer c.cutWith(ctx)()
	if err := c.smtp.Noop(); err != nil {
		_ = c.wire.Close()
		return fmt.Errorf("mailer: idle connection: %s", Scrub(err.Error()))
	}
	return nil
}

// Close says QUIT where the connection still works. The answer to it is waited for at most the timeout of a command. To a server that waits
// for a message nothing is said: it would be taken for its text.
func (c *smtpConn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	if !c.Broken() {
		_ = c.smtp.Quit()
	}
	_ = c.wire.Close()
	return nil
}

// cutWith cuts the connection when ctx ends; the function it returns takes that back.
func (c *smtpConn) cutWith(ctx context.Context) func() {
	stop := context.AfterFunc(ctx, func() { _ = c.wire.Close() })
	return func() { stop() }
}

var enhancedCode = regexp.MustCompile(`^\s*([245]\.\d{1,3}\.\d{1,3})(?:\s|$)`)

// enhanced is the enhanced status code at the head of a reply, where its class is the code's.
func enhanced(reply string, code int) string {
	m := enhancedCode.FindStringSubmatch(reply)
	if m == nil || int(m[1][0]-'0') != code/100 {
		return ""
	}
	return m[1]
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
