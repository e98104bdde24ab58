package config

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/caarlos0/env/v11"
)

func load(t *testing.T, environ ...string) Config {
	t.Helper()
	c, err := Load(environ)
	if err != nil {
		t.Fatalf("Load(%q):\n%v", environ, err)
	}
	return c
}

func problems(t *testing.T, environ ...string) Problems {
	t.Helper()
	_, err := Load(environ)
	var p Problems
	if !errors.As(err, &p) {
		t.Fatalf("Load(%q) = %v, want Problems", environ, err)
	}
	return p
}

func TestNothingSetIsEnough(t *testing.T) {
	c := load(t, "PATH=/bin", "KITHLINE_BASE_URL=")
	if path, ok := c.Database.SQLite(); !ok || path != "data/kithline.db" {
		t.Errorf("database %q", c.Database.URL.Reveal())
	}
	if c.Database.Connections != 4 {
		t.Errorf("SQLite gets %d connections, want 4", c.Database.Connections)
	}
	if c.Web.BaseURL != "http://127.0.0.1:8080" || !c.Web.Loopback() || c.Web.Secure() || c.Web.Host() != "127.0.0.1:8080" {
		t.Errorf("web %+v", c.Web)
	}
	if !c.CaptureMail(false) || c.CaptureMail(true) {
		t.Error("mail must be captured until the settings page names a server")
	}
	if c := load(t, "KITHLINE_LISTEN=0.0.0.0:8080", "KITHLINE_BASE_URL=http://localhost:8080"); c.CaptureMail(false) {
		t.Error("/outbox would be open to every machine that reaches the port")
	}
	if c.ShutdownTimeout() != 20*time.Second {
		t.Errorf("shutdown %v", c.ShutdownTimeout())
	}
}

func TestValuesFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("p@ss/#? word\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := load(t, "KITHLINE_DATABASE_URL=postgres://kith@db/kithline", "KITHLINE_DATABASE_PASSWORD_FILE="+file)
	if got := c.Database.URL.Reveal(); got != "postgres://kith:p%40ss%2F%23%3F%20word@db/kithline" {
		t.Errorf("database %s", got)
	}
	if c.Database.Connections != 10 {
		t.Errorf("PostgreSQL gets %d connections, want 10", c.Database.Connections)
	}
	for _, s := range c.Settings() {
		if s.Name == "KITHLINE_DATABASE_PASSWORD" && (s.From != "file "+file || s.Value != "(hidden)") {
			t.Errorf("%+v", s)
		}
	}
}

func TestFlagsWin(t *testing.T) {
	c, err := Load([]string{"KITHLINE_LISTEN=:9"}, Override{"KITHLINE_LISTEN", "127.0.0.1:0", "--addr"})
	if err != nil {
		t.Fatal(err)
	}
	c = c.ListeningOn(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4242})
	if c.Web.BaseURL != "http://127.0.0.1:4242" || c.Web.Listen != "127.0.0.1:4242" {
		t.Errorf("web %+v", c.Web)
	}
	c = load(t, "KITHLINE_BASE_URL=https://Act.Example.org/").ListeningOn(&net.TCPAddr{Port: 4242})
	if c.Web.BaseURL != "https://act.example.org" {
		t.Errorf("a written base URL became %s", c.Web.BaseURL)
	}
}

func TestMailServer(t *testing.T) {
	for raw, want := range map[string]SMTP{
		"smtp://mail.example.org":                {Host: "mail.example.org", Port: 587, TLS: "starttls"},
		"smtp://a%40b:s%3Ac@mail:2525?tls=tls":   {Host: "mail", Port: 2525, TLS: "tls", User: "a@b", Password: "s:c"},
		"smtps://u:p@mail.example.org":           {Host: "mail.example.org", Port: 465, TLS: "tls", User: "u", Password: "p"},
		"smtp://mailpit:1025?tls=none":           {Host: "mailpit", Port: 1025, TLS: "none"},
		"smtp://u:p@127.0.0.1:1025?tls=none":     {Host: "127.0.0.1", Port: 1025, TLS: "none", User: "u", Password: "p"},
		"smtp://localhost?tls=none":              {Host: "localhost", Port: 25, TLS: "none"},
		"smtp://mail?tls=tls":                    {Host: "mail", Port: 465, TLS: "tls"},
		"smtp://[::1]:2500?tls=starttls":         {Host: "::1", Port: 2500, TLS: "starttls"},
		"smtps://u@mail.example.org:465?tls=tls": {Host: "mail.example.org", Port: 465, TLS: "tls", User: "u"},
	} {
		c := load(t, "KITHLINE_SMTP_URL="+raw)
		if c.Mail.SMTP != want {
			t.Errorf("%s: %#v, want %#v", raw, c.Mail.SMTP, want)
		}
		if c.CaptureMail(false) {
			t.Errorf("%s: mail is captured although a server is known", raw)
		}
	}
}

func TestBucket(t *testing.T) {
	c := load(t, "KITHLINE_FILES_S3_URL=https://s3.example.net:9000/kith?region=eu-1",
		"KITHLINE_FILES_S3_ACCESS_KEY=a", "KITHLINE_FILES_S3_SECRET_KEY=b")
	want := S3{Endpoint: "s3.example.net:9000", Secure: true, Bucket: "kith", Region: "eu-1"}
	if c.Files.S3 != want {
		t.Errorf("%+v, want %+v", c.Files.S3, want)
	}
}

func TestTrustedProxies(t *testing.T) {
	c := load(t, "KITHLINE_TRUSTED_PROXIES=10.1.2.3/8, 192.0.2.1,2001:db8::/32")
	for addr, want := range map[string]bool{
		"10.200.0.1": true, "192.0.2.1": true, "192.0.2.2": false, "2001:db8::7": true, "::ffff:10.0.0.1": true, "127.0.0.1": false,
	} {
		if got := c.Web.TrustedProxies.Contains(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s trusted: %v", addr, got)
		}
	}
}

// TestEachMistakeIsTold sets one thing wrong at a time: exactly the named variables are complained of.
func TestEachMistakeIsTold(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	const pg = "KITHLINE_DATABASE_URL=postgres://u:p@db/k"
	for _, c := range []struct{ set, blamed, says string }{
		{"KITHLINE_DATABASE_URL=mysql://x/y", "DATABASE_URL", "not supported"},
		{"KITHLINE_DATABASE_URL=host=db user=x", "DATABASE_URL", "not supported"},
		{"KITHLINE_DATABASE_URL=postgres://u:p#q%@db/k", "DATABASE_URL", "any character may stand"},
		{"KITHLINE_DATABASE_URL=postgres://u@db", "DATABASE_URL", "names no database"},
		{"KITHLINE_DATABASE_URL=sqlite:", "DATABASE_URL", "names no file"},
		{"KITHLINE_DATABASE_URL=sqlite://x", "DATABASE_URL", "names no file"},
		{"KITHLINE_DATABASE_URL=sqlite:" + dir, "DATABASE_URL", "is a folder"},
		{pg + " KITHLINE_DATABASE_PASSWORD=q", "DATABASE_PASSWORD", "Keep one"},
		{"KITHLINE_DATABASE_URL=postgres://db/k KITHLINE_DATABASE_PASSWORD=q", "DATABASE_PASSWORD", "names no user"},
		{"KITHLINE_DATABASE_PASSWORD=q", "DATABASE_PASSWORD", "SQLite asks for none"},
		{pg + " KITHLINE_DATABASE_CONNECTIONS=1", "DATABASE_CONNECTIONS", "from 2 to 500"},
		{"KITHLINE_DATABASE_CONNECTIONS=100", "DATABASE_CONNECTIONS", "from 2 to 4"},
		{"KITHLINE_DATABASE_CONNECTIONS=many", "DATABASE_CONNECTIONS", `"many"`},
		{"KITHLINE_DATA_DIR=" + file, "DATA_DIR", "which is a file"},
		{"KITHLINE_KEY_FILE=" + dir, "KEY_FILE", "which is a folder"},
		{"KITHLINE_DATA_DIR=" + dir + " KITHLINE_KEY_FILE=" + dir + "/k", "KEY_FILE", "inside the data folder"},
		{"KITHLINE_DATA_DIR=" + dir + " KITHLINE_KEY_FILE=" + link + "/new/k", "KEY_FILE", "inside the data folder"},
		{"KITHLINE_LISTEN=8080", "LISTEN", "127.0.0.1:8080"},
		{"KITHLINE_LISTEN=127.0.0.1:70000", "LISTEN", "127.0.0.1:70000"},
		{"KITHLINE_LISTEN=:8080", "BASE_URL", "is missing"},
		{"KITHLINE_BASE_URL=act.example.org", "BASE_URL", "not a web address"},
		{"KITHLINE_BASE_URL=http://act.example.org", "BASE_URL", "Use https://"},
		{"KITHLINE_BASE_URL=https://act.example.org/kith", "BASE_URL", "more than a host"},
		{"KITHLINE_BASE_URL=https://act.example.org?x=1", "BASE_URL", "more than a host"},
		{"KITHLINE_BASE_URL=https://act.example.org:99999", "BASE_URL", "port"},
		{"KITHLINE_TRUSTED_PROXIES=everyone", "TRUSTED_PROXIES", "ranges"},
		{"KITHLINE_LOG_LEVEL=loud", "LOG_LEVEL", "debug, info, warn, error"},
		{"KITHLINE_LOG_FORMAT=xml", "LOG_FORMAT", "text, json"},
		{"KITHLINE_MAIL=post", "MAIL", "auto, smtp, capture"},
		{"KITHLINE_MAIL=capture KITHLINE_BASE_URL=https://act.example.org", "MAIL", "/outbox"},
		{"KITHLINE_MAIL=capture KITHLINE_SMTP_URL=smtp://mail", "MAIL", "one of the two"},
		{"KITHLINE_SMTP_URL=mail.example.org:587", "SMTP_URL", "smtp://"},
		{"KITHLINE_SMTP_URL=smtp://mail:99999", "SMTP_URL", "port"},
		{"KITHLINE_SMTP_URL=smtp://mail?tls=maybe", "SMTP_URL", "tls=maybe"},
		{"KITHLINE_SMTP_URL=smtps://mail?tls=none", "SMTP_URL", "always means tls"},
		{"KITHLINE_SMTP_URL=smtp://mail?ssl=1", "SMTP_URL", "ssl=1"},
		{"KITHLINE_SMTP_URL=smtp://u:p@mail?tls=none", "SMTP_URL", "in clear"},
		{"KITHLINE_SMTP_PASSWORD=p", "SMTP_PASSWORD", "KITHLINE_SMTP_URL is not"},
		{"KITHLINE_SMTP_PASSWORD=p KITHLINE_SMTP_URL=smtp://u:p@mail", "SMTP_PASSWORD", "Keep one"},
		{"KITHLINE_SMTP_PASSWORD=p KITHLINE_SMTP_URL=smtp://mail", "SMTP_PASSWORD", "names no user"},
		{"KITHLINE_SMTP_CONNECTIONS=0", "SMTP_CONNECTIONS", "from 1"},
		{"KITHLINE_INBOUND_PER_HOUR=0", "INBOUND_PER_HOUR", "from 1"},
		{"KITHLINE_INBOUND_URL=smtp://u@mail.example.org", "INBOUND_URL", "imaps://"},
		{"KITHLINE_INBOUND_URL=imaps://mail.example.org", "INBOUND_URL", "imaps://"},
		{"KITHLINE_INBOUND_URL=imaps://u@mail.example.org/?after=move", "INBOUND_URL", "to=FOLDER"},
		{"KITHLINE_INBOUND_URL=imaps://u@mail.example.org/?after=burn", "INBOUND_URL", "?after=seen"},
		{"KITHLINE_INBOUND_URL=imap://u@mail.example.org/?tls=none", "INBOUND_URL", "starttls"},
		{"KITHLINE_INBOUND_ADDRESS=bounces@example.org", "INBOUND_ADDRESS", "INBOUND_URL"},
		{"KITHLINE_INBOUND_URL=imaps://u@mail.example.org KITHLINE_INBOUND_ADDRESS=much-too-long@example.org", "INBOUND_ADDRESS", "12 characters"},
		{"KITHLINE_INBOUND_PASSWORD=x", "INBOUND_PASSWORD", "INBOUND_URL"},
		{"KITHLINE_FILES_S3_URL=https://s3/b", "FILES_S3_ACCESS_KEY FILES_S3_SECRET_KEY", "is missing"},
		{"KITHLINE_FILES_S3_ACCESS_KEY=a", "FILES_S3_ACCESS_KEY", "is not"},
		{"KITHLINE_FILES_S3_URL=s3://b KITHLINE_FILES_S3_ACCESS_KEY=a KITHLINE_FILES_S3_SECRET_KEY=b", "FILES_S3_URL", "not the address"},
		{"KITHLINE_FILES_S3_URL=https://s3/a/b KITHLINE_FILES_S3_ACCESS_KEY=a KITHLINE_FILES_S3_SECRET_KEY=b", "FILES_S3_URL", "no single bucket"},
		{"KITHLINE_FILES_S3_URL=https://u:p@s3/b KITHLINE_FILES_S3_ACCESS_KEY=a KITHLINE_FILES_S3_SECRET_KEY=b", "FILES_S3_URL", "ACCESS_KEY"},
		{"KITHLINE_FILES_S3_URL=https://s3/b?zone=1 KITHLINE_FILES_S3_ACCESS_KEY=a KITHLINE_FILES_S3_SECRET_KEY=b", "FILES_S3_URL", "zone"},
		{"KITHLINE_METRICS_TOKEN=short", "METRICS_TOKEN", "16 characters"},
		{"KITHLINE_SHUTDOWN_SECONDS=0", "SHUTDOWN_SECONDS", "from 1 to 600"},
		{"KITHLINE_LOG_LEVEL=info KITHLINE_LOG_LEVEL_FILE=" + file, "LOG_LEVEL", "Keep one"},
		{"KITHLINE_METRICS_TOKEN_FILE=" + dir + "/none", "METRICS_TOKEN", "does not exist"},
		{"KITHLINE_METRICS_TOKEN_FILE=" + dir, "METRICS_TOKEN", "cannot be read as a file"},
		{"KITHLINE_DATABSE_URL=x", "DATABSE_URL", "KITHLINE_DATABASE_URL?"},
		{"KITHLINE_SMTP_PASSWRD_FILE=x", "SMTP_PASSWRD_FILE", "KITHLINE_SMTP_PASSWORD_FILE?"},
		{"KITHLINE_COLOUR_OF_THE_SKY=blue", "COLOUR_OF_THE_SKY", "Take it away"},
	} {
		environ := []string{}
		for i, part := range strings.Split(c.set, " KITHLINE_") {
			if i > 0 {
				part = "KITHLINE_" + part
			}
			environ = append(environ, part)
		}
		got := problems(t, environ...)
		names := []string{}
		for _, p := range got {
			names = append(names, strings.TrimPrefix(p.Variable, "KITHLINE_"))
		}
		if strings.Join(names, " ") != c.blamed || !strings.Contains(got.Error(), c.says) {
			t.Errorf("%s\n  blames %v, want %s; must say %q:\n%v", c.set, names, c.blamed, c.says, got)
		}
	}
}

func TestAllMistakesAtOnceInOrder(t *testing.T) {
	got := problems(t, "KITHLINE_ZZZ_ZZZ=1", "KITHLINE_SHUTDOWN_SECONDS=x", "KITHLINE_LOG_LEVEL=x", "KITHLINE_DATABASE_URL=x:y")
	var names []string
	for _, p := range got {
		names = append(names, p.Variable)
	}
	want := []string{"KITHLINE_DATABASE_URL", "KITHLINE_LOG_LEVEL", "KITHLINE_SHUTDOWN_SECONDS", "KITHLINE_ZZZ_ZZZ"}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}

func TestTestVariablesAreLeftAlone(t *testing.T) {
	load(t, "KITHLINE_TEST_POSTGRES=required")
}

// TestSecretsStayHidden looks for every secret in everything that prints a configuration.
func TestSecretsStayHidden(t *testing.T) {
	c := load(t, "KITHLINE_DATABASE_URL=postgres://u:dbsecret@db/k?sslpassword=tlssecret",
		"KITHLINE_SMTP_URL=smtp://u:urlsecret@mail", "KITHLINE_METRICS_TOKEN=metricssecret123",
		"KITHLINE_FILES_S3_URL=https://s3/b", "KITHLINE_FILES_S3_ACCESS_KEY=accesssecret", "KITHLINE_FILES_S3_SECRET_KEY=keysecret")
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	wrong := problems(t, "KITHLINE_DATABASE_URL=mysql://u:dbsecret@db/k", "KITHLINE_SMTP_URL=http://u:urlsecret@mail",
		"KITHLINE_METRICS_TOKEN=metricssecret")
	for _, printed := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v", c, c), string(asJSON), fmt.Sprint(c.Settings()), wrong.Error()} {
		if strings.Contains(printed, "secret1") || strings.Contains(printed, "bsecret") || strings.Contains(printed, "lsecret") ||
			strings.Contains(printed, "sssecret") || strings.Contains(printed, "keysecret") {
			t.Errorf("a secret is printed: %s", printed)
		}
	}
	if !strings.Contains(fmt.Sprint(c.Settings()), "postgres://u:(hidden)@db/k") {
		t.Errorf("the rest of the address should be readable: %v", c.Settings())
	}
}

// TestEveryVariableIsDescribed holds the struct tags and the table of the documentation together.
func TestEveryVariableIsDescribed(t *testing.T) {
	params, err := env.GetFieldParams(&Config{})
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]bool{}
	for _, p := range params {
		tags[p.Key] = true
	}
	for _, s := range settings {
		if !tags[s.name] {
			t.Errorf("%s is described but no field reads it", s.name)
		}
		if s.accepts == "" || s.about == "" {
			t.Errorf("%s lacks a description", s.name)
		}
		delete(tags, s.name)
	}
	for name := range tags {
		t.Errorf("%s is read but not described in settings.go", name)
	}
	for _, s := range load(t).Settings() {
		if s.From == "" {
			t.Errorf("%s does not say where it comes from", s.Name)
		}
	}
}

var update = flag.Bool("update", false, "write docs/configuration.md")

func TestConfigurationPageIsCurrent(t *testing.T) {
	if *update {
		if err := os.WriteFile("../docs/configuration.md", []byte(Docs()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != Docs() {
		t.Error("docs/configuration.md is old: run `make generate`")
	}
}

func TestMailboxForWhatComesBack(t *testing.T) {
	for raw, want := range map[string]InboundMailbox{
		"imaps://bounces%40example.org@imap.example.org":        {Host: "imap.example.org", Port: 993, TLS: "tls", User: "bounces@example.org", Folder: "INBOX", After: "seen"},
		"imap://u:p@imap.example.org:1143/Bounces?after=delete": {Host: "imap.example.org", Port: 1143, TLS: "starttls", User: "u", Password: "p", Folder: "Bounces", After: "delete"},
		"imap://u:p@127.0.0.1?tls=none&after=move&to=Done":      {Host: "127.0.0.1", Port: 143, TLS: "none", User: "u", Password: "p", Folder: "INBOX", After: "move", MoveTo: "Done"},
	} {
		c := load(t, "KITHLINE_INBOUND_URL="+raw)
		if c.Inbound.Mailbox != want || c.Inbound.PerHour != 2000 {
			t.Errorf("%s: %#v, want %#v", raw, c.Inbound.Mailbox, want)
		}
	}
}
