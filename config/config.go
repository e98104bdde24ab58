// Package config is everything an operator can set from outside: typed, nested, read once at start, held in no global.
// Values come from environment variables that begin with KITHLINE_; every one of them can be read from a file instead, by
// adding _FILE to its name. What an owner sets in the browser (organisation, wording, mail server) is not here.
//
// The package imports nothing of the project, and only package app reads it.
package config

import (
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Config is the whole configuration. Load makes it; after that it does not change.
type Config struct {
	Database Database
	Storage  Storage
	Web      Web
	Log      Log
	Mail     Mail
	Inbound  Inbound
	Files    Files
	Metrics  Metrics
	Signing  Signing

	// ShutdownSeconds is how long a stop waits for requests, mail and jobs under way.
	ShutdownSeconds int `env:"KITHLINE_SHUTDOWN_SECONDS" envDefault:"20"`

	origins map[string]string // variable → where its value came from
}

// Database says where the rows are.
type Database struct {
	// URL is postgres://... or sqlite:PATH, never empty after Load.
	URL PrivateURL `env:"KITHLINE_DATABASE_URL"`
	// Password is put into URL by Load where URL has none.
	Password Secret `env:"KITHLINE_DATABASE_PASSWORD"`
	// Connections is the size of the pool.
	Connections int `env:"KITHLINE_DATABASE_CONNECTIONS" envDefault:"10"`
}

// SQLite returns the database file's path and true, or false for PostgreSQL.
func (d Database) SQLite() (path string, ok bool) {
	return strings.CutPrefix(d.URL.Reveal(), "sqlite:")
}

// Storage is the folder with everything that a backup must hold, and the key that it must not.
type Storage struct {
	// Data is the data folder: the SQLite file, stored files, captured mail.
	Data string `env:"KITHLINE_DATA_DIR" envDefault:"./data"`
	// Key is the key file's path. It lies outside Data, so that a copy of the folder opens nothing.
	Key string `env:"KITHLINE_KEY_FILE" envDefault:"./kithline.key"`
}

// Path joins elements to the data folder.
func (s Storage) Path(elem ...string) string {
	return filepath.Join(append([]string{s.Data}, elem...)...)
}

// Web is where requests come in.
type Web struct {
	// Listen is host:port; an empty host means every interface.
	Listen string `env:"KITHLINE_LISTEN" envDefault:"127.0.0.1:8080"`
	// BaseURL is the site's address as people see it: scheme and host, no closing slash. Never empty after Load.
	BaseURL string `env:"KITHLINE_BASE_URL"`
	// TrustedProxies are the addresses whose X-Forwarded-For and X-Forwarded-Proto are believed.
	TrustedProxies Prefixes `env:"KITHLINE_TRUSTED_PROXIES"`
}

// Secure reports whether people reach the site by https.
func (w Web) Secure() bool { return strings.HasPrefix(w.BaseURL, "https://") }

// ListenHost is the address of Listen without its port; "" for every interface.
func (w Web) ListenHost() string {
	host, _, _ := net.SplitHostPort(w.Listen)
	return host
}

// Loopback reports whether the site can only be reached from the machine it runs on.
func (w Web) Loopback() bool {
	u, err := url.Parse(w.BaseURL)
	return err == nil && loopback(u.Hostname())
}

// Host is the host name, with the port where the base URL has one.
func (w Web) Host() string {
	_, host, _ := strings.Cut(w.BaseURL, "://")
	return host
}

// Log is how the server's log is written.
type Log struct {
	Level  slog.Level `env:"KITHLINE_LOG_LEVEL" envDefault:"info"`
	Format string     `env:"KITHLINE_LOG_FORMAT" envDefault:"text"` // text | json
}

// Mail is how mail leaves.
type Mail struct {
	// Mode is auto, smtp or capture; ask Capture instead of reading it.
	Mode string `env:"KITHLINE_MAIL" envDefault:"auto"`
	// URL is what the operator wrote; SMTP holds its parts.
	URL PrivateURL `env:"KITHLINE_SMTP_URL"`
	// Password stands in for the one in URL.
	Password Secret `env:"KITHLINE_SMTP_PASSWORD"`
	// Connections is how many connections to the mail server may be open at once.
	Connections int `env:"KITHLINE_SMTP_CONNECTIONS" envDefault:"4"`
	// DKIMKey and DKIMSelector are what the operator wrote; ask DKIM instead of reading them.
	DKIMKey      Secret `env:"KITHLINE_DKIM_KEY"`
	DKIMSelector string `env:"KITHLINE_DKIM_SELECTOR"`
	// Letters is live, hold, or the address that letters to offices go to instead.
	Letters string `env:"KITHLINE_LETTERS" envDefault:"hold"`

	SMTP SMTP // the parts of URL; see SMTP.Set
}

// SMTP is the mail server named by the environment.
type SMTP struct {
	Host     string
	Port     int
	User     string
	Password Secret
	TLS      string // starttls (required, never opportunistic) | tls (from the first byte) | none
}

// Set reports whether the environment names a mail server. Where it does not, the settings page may.
func (s SMTP) Set() bool { return s.Host != "" }

// Inbound is how mail that comes back is read.
type Inbound struct {
	// URL is what the operator wrote; Mailbox holds its parts.
	URL PrivateURL `env:"KITHLINE_INBOUND_URL"`
	// Password stands in for the one in URL.
	Password Secret `env:"KITHLINE_INBOUND_PASSWORD"`
	// Address is where mail comes back to, before a plus sign; empty: where it is from.
	Address string `env:"KITHLINE_INBOUND_ADDRESS"`
	// PerHour is how many reports with consequences are believed in an hour.
	PerHour int `env:"KITHLINE_INBOUND_PER_HOUR" envDefault:"2000"`

	Mailbox InboundMailbox // the parts of URL; see InboundMailbox.Set
}

// InboundMailbox is the mailbox named by the environment.
type InboundMailbox struct {
	Host     string
	Port     int
	TLS      string // tls | starttls | none
	User     string
	Password Secret
	Folder   string // INBOX where the address names none
	After    string // seen | move | delete
	MoveTo   string // a folder, for move
}

// Set reports whether the environment names a mailbox. Where it does not, the settings page may.
func (m InboundMailbox) Set() bool { return m.Host != "" }

// Files is where pictures, packs and export files are kept: a folder of the data folder, or S3-compatible objects.
type Files struct {
	// URL is what the operator wrote; S3 holds its parts.
	URL       PrivateURL `env:"KITHLINE_FILES_S3_URL"`
	AccessKey Secret     `env:"KITHLINE_FILES_S3_ACCESS_KEY"`
	SecretKey Secret     `env:"KITHLINE_FILES_S3_SECRET_KEY"`

	S3 S3 // the parts of URL; see S3.Set
}

// S3 is a bucket.
type S3 struct {
	Endpoint string // host or host:port
	Secure   bool   // https
	Bucket   string
	Region   string // may be empty
}

// Set reports whether files go to a bucket.
func (s S3) Set() bool { return s.Bucket != "" }

// Metrics says who may read /metrics.
type Metrics struct {
	// Token is asked for as a bearer token. Where it is empty, only clients on the same machine may read.
	Token Secret `env:"KITHLINE_METRICS_TOKEN"`
}

// Signing says from when on signatures are held back until somebody looked, and confirmation mails.
type Signing struct {
	// PerMinute and PerFiveMinutes are signatures under one petition from one device address.
	PerMinute      int `env:"KITHLINE_SIGNING_PER_MINUTE" envDefault:"20"`
	PerFiveMinutes int `env:"KITHLINE_SIGNING_PER_FIVE_MINUTES" envDefault:"60"`
	// ProofFrom is how many signatures a minute bring about a proof of work, where they come from few addresses.
	ProofFrom int `env:"KITHLINE_SIGNING_PROOF_FROM" envDefault:"60"`
	// BreakerMails is how many confirmation mails of one petition go out in an hour before it is looked what became of them.
	BreakerMails int `env:"KITHLINE_SIGNING_BREAKER_MAILS" envDefault:"1000"`
	// BreakerConfirmed and BreakerBounced are in percent.
	BreakerConfirmed int `env:"KITHLINE_SIGNING_BREAKER_CONFIRMED" envDefault:"5"`
	BreakerBounced   int `env:"KITHLINE_SIGNING_BREAKER_BOUNCED" envDefault:"20"`
}

// ShutdownTimeout is ShutdownSeconds as a duration.
func (c Config) ShutdownTimeout() time.Duration {
	return time.Duration(c.ShutdownSeconds) * time.Second
}

// CaptureMail reports whether mail is kept for the /outbox pages instead of being sent. settings says whether the
// settings page names a mail server. Capturing happens on loopback only, because /outbox asks nobody who they are: where
// other machines reach the port it must be asked for by name.
func (c Config) CaptureMail(settings bool) bool {
	switch c.Mail.Mode {
	case "capture":
		return true
	case "smtp":
		return false
	}
	return !c.Mail.SMTP.Set() && !settings && c.Web.Loopback() && loopback(c.Web.ListenHost())
}

// ListeningOn returns the configuration with the port that was really opened, for KITHLINE_LISTEN with port 0. A base URL
// that the operator wrote is left as it is.
func (c Config) ListeningOn(addr net.Addr) Config {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return c
	}
	host, _, _ := net.SplitHostPort(c.Web.Listen)
	c.Web.Listen = net.JoinHostPort(host, strconv.Itoa(tcp.Port))
	if strings.HasPrefix(c.origins["KITHLINE_BASE_URL"], "made from") {
		c.Web.BaseURL = "http://" + c.Web.Listen
	}
	return c
}

// Secret is a value that no log line, page or printout shows. Reveal hands it out.
type Secret string

// String hides the value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the value.
func (s Secret) GoString() string { return s.String() }

// LogValue hides the value.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the value.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal is the value itself.
func (s Secret) Reveal() string { return string(s) }

const hidden = "(hidden)"

// PrivateURL is an address that may hold a password. Printing it hides the password, Reveal hands out all of it.
type PrivateURL string

// String is the address with its password hidden.
func (p PrivateURL) String() string {
	raw := string(p)
	u, err := url.Parse(raw)
	if err != nil {
		return hidden
	}
	if u.User != nil {
		head, rest, _ := strings.Cut(raw, "://")
		at := strings.LastIndex(rest, "@")
		if at < 0 {
			return hidden
		}
		user := url.User(u.User.Username()).String()
		if _, has := u.User.Password(); has {
			user += ":" + hidden
		}
		raw = head + "://" + user + rest[at:]
	}
	return passwordParameter.ReplaceAllString(raw, "${1}"+hidden)
}

// passwordParameter finds a password handed over behind the question mark, as PostgreSQL addresses may do.
var passwordParameter = regexp.MustCompile(`(?i)([?&][a-z]*password=)[^&#]*`)

// GoString hides the password.
func (p PrivateURL) GoString() string { return p.String() }

// LogValue hides the password.
func (p PrivateURL) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText hides the password.
func (p PrivateURL) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// Reveal is the whole address.
func (p PrivateURL) Reveal() string { return string(p) }

// Prefixes is a list of address ranges.
type Prefixes []netip.Prefix

// UnmarshalText reads addresses and ranges in CIDR notation, separated by commas or spaces.
func (p *Prefixes) UnmarshalText(text []byte) error {
	*p = nil
	for _, s := range strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || r == ' ' }) {
		if addr, err := netip.ParseAddr(s); err == nil {
			*p = append(*p, netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			return err
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (p Prefixes) MarshalText() ([]byte, error) {
	all := make([]string, len(p))
	for i, x := range p {
		all[i] = x.String()
	}
	return []byte(strings.Join(all, ", ")), nil
}

// Contains reports whether addr lies in one of the ranges.
func (p Prefixes) Contains(addr netip.Addr) bool {
	for _, x := range p {
		if x.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

// loopback reports whether host is a name or address of the machine itself.
func loopback(host string) bool {
	host = strings.ToLower(strings.Trim(host, "[]"))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
