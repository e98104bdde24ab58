package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// validate checks every value and every combination, and fills in what follows from other values. values holds the
// variables that were set.
func (c *Config) validate(values map[string]string, problems *Problems) {
	c.storage(problems)
	c.database(values, problems)
	c.web(problems)
	c.oneOf(problems, "KITHLINE_LOG_FORMAT", c.Log.Format, "text", "json")
	c.mail(problems)
	c.inbound(problems)
	c.files(problems)
	between(problems, "KITHLINE_SHUTDOWN_SECONDS", c.ShutdownSeconds, 1, 600)
	between(problems, "KITHLINE_SIGNING_PER_MINUTE", c.Signing.PerMinute, 1, 1_000_000)
	between(problems, "KITHLINE_SIGNING_PER_FIVE_MINUTES", c.Signing.PerFiveMinutes, 1, 1_000_000)
	between(problems, "KITHLINE_SIGNING_PROOF_FROM", c.Signing.ProofFrom, 1, 1_000_000)
	between(problems, "KITHLINE_SIGNING_BREAKER_MAILS", c.Signing.BreakerMails, 1, 10_000_000)
	between(problems, "KITHLINE_SIGNING_BREAKER_CONFIRMED", c.Signing.BreakerConfirmed, 1, 100)
	between(problems, "KITHLINE_SIGNING_BREAKER_BOUNCED", c.Signing.BreakerBounced, 1, 100)
	if token := c.Metrics.Token.Reveal(); token != "" && len(token) < 16 {
		problems.add("KITHLINE_METRICS_TOKEN", "is shorter than 16 characters",
			"Take a longer one that nobody can guess, or leave it empty to let only this machine read /metrics")
	}
}

func between(problems *Problems, variable string, value, least, most int) {
	if !problems.has(variable) && (value < least || value > most) {
		problems.add(variable, "is "+strconv.Itoa(value), fmt.Sprintf("Give a whole number from %d to %d", least, most))
	}
}

func (*Config) oneOf(problems *Problems, variable, value string, words ...string) {
	if !slices.Contains(words, value) {
		problems.add(variable, fmt.Sprintf("is %q", value), "Write one of: "+strings.Join(words, ", "))
	}
}

func (c *Config) storage(problems *Problems) {
	if info, err := os.Stat(c.Storage.Data); err == nil && !info.IsDir() {
		problems.add("KITHLINE_DATA_DIR", "is "+c.Storage.Data+", which is a file", "Name a folder; it is made when it does not exist")
	}
	if info, err := os.Stat(c.Storage.Key); err == nil && info.IsDir() {
		problems.add("KITHLINE_KEY_FILE", "is "+c.Storage.Key+", which is a folder", "Name the key file itself, such as "+filepath.Join(c.Storage.Key, "kithline.key"))
	}
	if inside(c.Storage.Key, c.Storage.Data) {
		problems.add("KITHLINE_KEY_FILE", "lies inside the data folder ("+c.Storage.Data+")",
			"Keep the key outside it, so that a copy of the data does not hold the key that opens it")
	}
}

// inside reports whether path lies in folder, links followed as far as they exist.
func inside(path, folder string) bool {
	rel, err := filepath.Rel(real(folder), real(path))
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// real is the absolute path with the links of its existing part followed.
func real(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return filepath.Clean(path)
	}
	rest := ""
	for head := abs; ; head = filepath.Dir(head) {
		if full, err := filepath.EvalSymlinks(head); err == nil {
			return filepath.Join(full, rest)
		}
		if head == filepath.Dir(head) {
			return abs
		}
		rest = filepath.Join(filepath.Base(head), rest)
	}
}

func (c *Config) database(values map[string]string, problems *Problems) {
	const name = "KITHLINE_DATABASE_URL"
	if c.Database.URL == "" {
		c.Database.URL = PrivateURL("sqlite:" + c.Storage.Path("kithline.db"))
		c.origins[name] = "default, in the data folder"
	}
	if path, ok := c.Database.SQLite(); ok {
		c.sqlite(path, values, problems)
		return
	}
	between(problems, "KITHLINE_DATABASE_CONNECTIONS", c.Database.Connections, 2, 500)
	if problems.has(name) {
		return
	}
	u, err := url.Parse(c.Database.URL.Reveal())
	switch {
	case err != nil:
		problems.add(name, "cannot be read as an address",
			"Write postgres://USER@HOST:5432/DATABASE and put the password into KITHLINE_DATABASE_PASSWORD, where any character may stand")
		return
	case u.Scheme != "postgres" && u.Scheme != "postgresql":
		problems.add(name, "names a kind of database that is not supported", "Begin it with postgres:// or sqlite:, or leave it empty for SQLite in the data folder")
		return
	case strings.Trim(u.Path, "/") == "":
		problems.add(name, "names no database", "Add its name after the host, as in postgres://USER@HOST:5432/kithline")
		return
	}
	if c.Database.Password == "" {
		return
	}
	if u.User.Username() == "" {
		problems.add("KITHLINE_DATABASE_PASSWORD", "is set, but KITHLINE_DATABASE_URL names no user", "Add the user, as in postgres://kithline@HOST:5432/kithline")
		return
	}
	if _, twice := u.User.Password(); twice {
		problems.add("KITHLINE_DATABASE_PASSWORD", "is set, and KITHLINE_DATABASE_URL holds a password too", "Keep one of the two")
		return
	}
	u.User = url.UserPassword(u.User.Username(), c.Database.Password.Reveal())
	c.Database.URL = PrivateURL(u.String())
}

// sqliteConnections is the most that SQLite uses: one of them writes, the others read beside it.
const sqliteConnections = 4

func (c *Config) sqlite(path string, values map[string]string, problems *Problems) {
	if path == "" || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "?#") || strings.HasPrefix(path, ":") {
		problems.add("KITHLINE_DATABASE_URL", "names no file", "Write sqlite: and the path of a file, as in sqlite:./data/kithline.db")
	} else if info, err := os.Stat(path); err == nil && info.IsDir() {
		problems.add("KITHLINE_DATABASE_URL", "is a folder", "Write the path of a file, as in sqlite:"+filepath.Join(path, "kithline.db"))
	}
	if c.Database.Password != "" {
		problems.add("KITHLINE_DATABASE_PASSWORD", "is set, but SQLite asks for none", "Take it away, or set KITHLINE_DATABASE_URL to a PostgreSQL address")
	}
	if _, set := values["KITHLINE_DATABASE_CONNECTIONS"]; set {
		between(problems, "KITHLINE_DATABASE_CONNECTIONS", c.Database.Connections, 2, sqliteConnections)
		return
	}
	c.Database.Connections = sqliteConnections
	c.origins["KITHLINE_DATABASE_CONNECTIONS"] = "default for SQLite"
}

func (c *Config) web(problems *Problems) {
	host, port, err := net.SplitHostPort(c.Web.Listen)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		problems.add("KITHLINE_LISTEN", fmt.Sprintf("is %q", c.Web.Listen), "Write an address and a port, as in 127.0.0.1:8080, or :8080 for every interface")
		if c.Web.BaseURL == "" {
			return // it cannot be judged before KITHLINE_LISTEN is right
		}
	}
	const name = "KITHLINE_BASE_URL"
	switch {
	case problems.has(name):
		return
	case c.Web.BaseURL == "" && loopback(host):
		c.Web.BaseURL = "http://" + c.Web.Listen
		c.origins[name] = "made from KITHLINE_LISTEN"
		return
	case c.Web.BaseURL == "":
		problems.add(name, "is missing, and other machines can reach "+c.Web.Listen,
			"Set it to the address that people type, as in https://act.example.org; every mailed link begins with it")
		return
	}
	u, err := url.Parse(c.Web.BaseURL)
	if err != nil || u.Hostname() == "" || (u.Scheme != "https" && u.Scheme != "http") {
		problems.add(name, "is not a web address", "Write it as in https://act.example.org")
		return
	}
	if n, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || n < 1 || n > 65535) {
		problems.add(name, "has a port that does not exist", "Write a port from 1 to 65535, or none")
		return
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		problems.add(name, "holds more than a host", "Write scheme and host only, as in "+u.Scheme+"://"+u.Host+"; the site stands at the top of its host")
		return
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		problems.add(name, "begins with http://, and other machines can reach it",
			"Use https://; put a proxy that holds a certificate in front, as docker-compose.yml does")
		return
	}
	c.Web.BaseURL = u.Scheme + "://" + strings.ToLower(u.Host)
}

func (c *Config) mail(problems *Problems) {
	c.oneOf(problems, "KITHLINE_MAIL", c.Mail.Mode, "auto", "smtp", "capture")
	between(problems, "KITHLINE_SMTP_CONNECTIONS", c.Mail.Connections, 1, 200)
	if c.Mail.Mode == "capture" && c.Web.BaseURL != "" && !problems.has("KITHLINE_BASE_URL") && !c.Web.Loopback() {
		problems.add("KITHLINE_MAIL", "is capture, but other machines can reach this site, and /outbox shows captured mail to everybody",
			"Use auto or smtp here; capture is for a site on 127.0.0.1 or localhost")
	}
	if l := c.Mail.Letters; l != "live" && l != "hold" {
		if a, err := mail.ParseAddress(l); err != nil || a.Address != l || a.Name != "" {
			problems.add("KITHLINE_LETTERS", "is neither live nor hold, and no mail address", "Write live on the real site, hold to let letters wait, or the address that tries them, as in try@example.org")
		}
	}
	if _, err := c.Mail.DKIM(); err != nil {
		var wrong dkimProblem
		errors.As(err, &wrong)
		problems.add(wrong.variable, wrong.wrong, wrong.do)
	}
	if c.Mail.Mode == "capture" && c.Mail.URL != "" {
		problems.add("KITHLINE_MAIL", "is capture, but KITHLINE_SMTP_URL names a mail server", "Take one of the two away")
	}
	if c.Mail.URL == "" {
		if c.Mail.Password != "" {
			problems.add("KITHLINE_SMTP_PASSWORD", "is set, but KITHLINE_SMTP_URL is not", "Set KITHLINE_SMTP_URL too, or take the password away and use the settings page")
		}
		return
	}
	if !problems.has("KITHLINE_SMTP_URL") {
		c.smtp(problems)
	}
}

func (c *Config) smtp(problems *Problems) {
	const name = "KITHLINE_SMTP_URL"
	u, err := url.Parse(c.Mail.URL.Reveal())
	if err != nil || u.Hostname() == "" || (u.Scheme != "smtp" && u.Scheme != "smtps") || strings.Trim(u.Path, "/") != "" {
		problems.add(name, "is not the address of a mail server",
			"Write smtp://USER@HOST:587 or smtps://USER@HOST:465, and put the password into KITHLINE_SMTP_PASSWORD")
		return
	}
	s := SMTP{Host: u.Hostname(), TLS: "starttls", User: u.User.Username(), Password: c.Mail.Password}
	if u.Scheme == "smtps" {
		s.TLS = "tls"
	}
	for key, all := range u.Query() {
		tls := all[len(all)-1]
		if key != "tls" || !slices.Contains([]string{"starttls", "tls", "none"}, tls) || (u.Scheme == "smtps" && tls != "tls") {
			problems.add(name, fmt.Sprintf("ends in %q, which has no meaning here", "?"+key+"="+tls),
				"After smtp:// one of ?tls=starttls, ?tls=tls and ?tls=none may follow; smtps:// always means tls")
			return
		}
		s.TLS = tls
	}
	s.Port = map[string]int{"starttls": 587, "tls": 465, "none": 25}[s.TLS]
	if u.Port() != "" {
		if s.Port, err = strconv.Atoi(u.Port()); err != nil || s.Port < 1 || s.Port > 65535 {
			problems.add(name, "has a port that does not exist", "Write a port from 1 to 65535; mail servers mostly listen on 587 or 465")
			return
		}
	}
	if p, ok := u.User.Password(); ok {
		if s.Password != "" {
			problems.add("KITHLINE_SMTP_PASSWORD", "is set, and KITHLINE_SMTP_URL holds a password too", "Keep one of the two")
			return
		}
		s.Password = Secret(p)
	}
	if s.User == "" && s.Password != "" {
		problems.add("KITHLINE_SMTP_PASSWORD", "is set, but KITHLINE_SMTP_URL names no user", "Add the user, as in smtp://USER@HOST:587")
		return
	}
	if s.TLS == "none" && s.Password != "" && !loopback(s.Host) {
		problems.add(name, "says ?tls=none, and the password would cross the network in clear", "Use ?tls=starttls or ?tls=tls, or a mail server on this machine")
		return
	}
	c.Mail.SMTP = s
}

func (c *Config) inbound(problems *Problems) {
	const name = "KITHLINE_INBOUND_URL"
	between(problems, "KITHLINE_INBOUND_PER_HOUR", c.Inbound.PerHour, 1, 1_000_000)
	if c.Inbound.URL == "" {
		if c.Inbound.Password != "" {
			problems.add("KITHLINE_INBOUND_PASSWORD", "is set, but KITHLINE_INBOUND_URL is not", "Set KITHLINE_INBOUND_URL too, or take the password away and use the settings page")
		}
		if c.Inbound.Address != "" {
			problems.add("KITHLINE_INBOUND_ADDRESS", "is set, but KITHLINE_INBOUND_URL is not", "Set KITHLINE_INBOUND_URL too, or take the address away and use the settings page")
		}
		return
	}
	if local, domain, _ := strings.Cut(c.Inbound.Address, "@"); c.Inbound.Address != "" &&
		(local == "" || len(local) > 12 || domain == "" || strings.ContainsAny(c.Inbound.Address, "+ <>,") || strings.Contains(domain, "@")) {
		problems.add("KITHLINE_INBOUND_ADDRESS", "is not such an address", "Write an address like bounces@example.org, with at most 12 characters before the @ and no plus sign")
	}
	u, err := url.Parse(c.Inbound.URL.Reveal())
	if err != nil || u.Hostname() == "" || u.User.Username() == "" || (u.Scheme != "imap" && u.Scheme != "imaps") {
		problems.add(name, "is not the address of a mailbox", "Write imaps://USER@HOST:993/INBOX, with %40 for an @ in the user, and put the password into KITHLINE_INBOUND_PASSWORD")
		return
	}
	m := InboundMailbox{Host: u.Hostname(), TLS: "starttls", User: u.User.Username(), Password: c.Inbound.Password, Folder: strings.Trim(u.Path, "/"), After: "seen"}
	if u.Scheme == "imaps" {
		m.TLS = "tls"
	}
	if m.Folder == "" {
		m.Folder = "INBOX"
	}
	for key, all := range u.Query() {
		value := all[len(all)-1]
		switch {
		case key == "tls" && slices.Contains([]string{"starttls", "tls", "none"}, value) && (u.Scheme == "imap" || value == "tls"):
			m.TLS = value
		case key == "after" && slices.Contains([]string{"seen", "move", "delete"}, value):
			m.After = value
		case key == "to" && value != "":
			m.MoveTo = value
		default:
			problems.add(name, fmt.Sprintf("ends in %q, which has no meaning here", "?"+key+"="+value),
				"After the folder may follow ?after=seen, ?after=delete or ?after=move&to=FOLDER, and after imap:// also tls=starttls, tls=tls or tls=none")
			return
		}
	}
	if (m.After == "move") != (m.MoveTo != "") {
		problems.add(name, "says after=move without to=FOLDER, or the other way round", "Write ?after=move&to=FOLDER, or leave both out")
		return
	}
	m.Port = map[string]int{"starttls": 143, "tls": 993, "none": 143}[m.TLS]
	if u.Port() != "" {
		if m.Port, err = strconv.Atoi(u.Port()); err != nil || m.Port < 1 || m.Port > 65535 {
			problems.add(name, "has a port that does not exist", "Write a port from 1 to 65535; mailboxes mostly are on 993 or 143")
			return
		}
	}
	if p, ok := u.User.Password(); ok {
		if m.Password != "" {
			problems.add("KITHLINE_INBOUND_PASSWORD", "is set, and KITHLINE_INBOUND_URL holds a password too", "Keep one of the two")
			return
		}
		m.Password = Secret(p)
	}
	if m.TLS == "none" && !loopback(m.Host) {
		problems.add(name, "says ?tls=none, and the password would cross the network in clear", "Use ?tls=starttls or imaps://, or a mailbox on this machine")
		return
	}
	c.Inbound.Mailbox = m
}

func (c *Config) files(problems *Problems) {
	const name = "KITHLINE_FILES_S3_URL"
	keys := []struct {
		name  string
		value Secret
	}{{"KITHLINE_FILES_S3_ACCESS_KEY", c.Files.AccessKey}, {"KITHLINE_FILES_S3_SECRET_KEY", c.Files.SecretKey}}
	for _, k := range keys {
		switch {
		case problems.has(name) || problems.has(k.name):
		case c.Files.URL != "" && k.value == "":
			problems.add(k.name, "is missing, but "+name+" names a bucket", "Set it, or take the bucket away to keep files in the data folder")
		case c.Files.URL == "" && k.value != "":
			problems.add(k.name, "is set, but "+name+" is not", "Set the bucket's address too, or take the key away")
		}
	}
	if c.Files.URL == "" || problems.has(name) {
		return
	}
	u, err := url.Parse(c.Files.URL.Reveal())
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		problems.add(name, "is not the address of a bucket", "Write it as in https://s3.example.net/BUCKET?region=eu-1")
		return
	}
	bucket := strings.Trim(u.Path, "/")
	switch {
	case u.User != nil:
		problems.add(name, "holds a user or password", "Put them into KITHLINE_FILES_S3_ACCESS_KEY and KITHLINE_FILES_S3_SECRET_KEY")
	case bucket == "" || strings.Contains(bucket, "/"):
		problems.add(name, "names no single bucket", "Write one name after the host, as in https://s3.example.net/BUCKET")
	default:
		for key := range u.Query() {
			if key != "region" {
				problems.add(name, fmt.Sprintf("holds %q, which has no meaning here", key), "After the bucket only ?region=NAME may follow")
				return
			}
		}
		c.Files.S3 = S3{Endpoint: u.Host, Secure: u.Scheme == "https", Bucket: bucket, Region: u.Query().Get("region")}
	}
}
