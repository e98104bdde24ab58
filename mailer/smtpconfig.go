package mailer

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"
)

// How the connection to the SMTP server is protected.
const (
	StartTLS = "starttls" // plain, then STARTTLS; a server without it is refused (RFC 3207)
	TLS      = "tls"      // TLS from the first byte (RFC 8314)
	NoTLS    = "none"     // in the clear: for a server on this machine or on a network of one's own
)

// SMTPConfig says how to reach the SMTP server. It prints without its password.
type SMTPConfig struct {
	Host       string
	Port       int    // 0: 587 for starttls, 465 for tls, 25 for none
	TLS        string // StartTLS when empty
	Username   string // empty: no AUTH
	Password   string
	HELO       string         // the name we give ourselves; this machine's where it has a full one, else localhost
	Timeout    time.Duration  // for each command and for the dial; 30 s when 0
	DotTimeout time.Duration  // for the answer to the whole message; 10 min when 0 (RFC 5321, section 4.5.3.2.6)
	RootCAs    *x509.CertPool // nil: the system's
}

// String is the configuration without its password.
func (c SMTPConfig) String() string {
	return fmt.Sprintf("smtp://%s?tls=%s", net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), c.TLS)
}

// GoString is String, so that no form of printing shows the password.
func (c SMTPConfig) GoString() string { return c.String() }

// LogValue is String for slog.
func (c SMTPConfig) LogValue() slog.Value { return slog.StringValue(c.String()) }

// whole checks the configuration and fills in what was left open.
func (c SMTPConfig) whole() (SMTPConfig, error) {
	if c.TLS == "" {
		c.TLS = StartTLS
	}
	port, ok := map[string]int{StartTLS: 587, TLS: 465, NoTLS: 25}[c.TLS]
	if !ok {
		return SMTPConfig{}, errors.New("smtp: tls must be starttls, tls or none")
	}
	if c.Port == 0 {
		c.Port = port
	}
	if c.HELO == "" {
		c.HELO = "localhost"
		if name, err := os.Hostname(); err == nil && strings.Contains(name, ".") {
			c.HELO = name
		}
	}
	if c.Timeout == 0 {
		c.Timeout = 30 * time.Second
	}
	if c.DotTimeout == 0 {
		c.DotTimeout = 10 * time.Minute
	}
	switch {
	case c.Host == "" || strings.ContainsAny(c.Host, " \r\n\t/"):
		return SMTPConfig{}, errors.New("smtp: the host is missing or malformed")
	case c.Port < 1 || c.Port > 65535:
		return SMTPConfig{}, errors.New("smtp: the port must be a number from 1 to 65535")
	case strings.ContainsFunc(c.HELO, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return SMTPConfig{}, errors.New("smtp: helo must be a host name")
	case c.Timeout < 0 || c.DotTimeout < 0:
		return SMTPConfig{}, errors.New("smtp: a timeout cannot be negative")
	case c.Username == "" && c.Password != "":
		return SMTPConfig{}, errors.New("smtp: a password without a user name")
	case c.Username != "" && c.TLS == NoTLS && !loopback(c.Host):
		return SMTPConfig{}, errors.New("smtp: a password is not sent in the clear to another machine: use starttls or tls")
	}
	return c, nil
}
