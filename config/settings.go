package config

import (
	"encoding"
	"fmt"
	"log/slog"
	"reflect"
	"strings"

	"github.com/caarlos0/env/v11"
)

// setting is what the documentation says of one variable. The order here is the order of every list.
type setting struct {
	name    string
	group   string // heading of the documentation; empty: the same as before
	accepts string // what it can be, read after "Give"
	about   string // what it is for
	secret  bool   // never printed
	url     bool   // printed without its password
}

var settings = []setting{
	{
		name: "KITHLINE_DATABASE_URL", group: "Database", url: true,
		accepts: "postgres://USER@HOST:5432/DATABASE, sqlite:PATH, or nothing",
		about:   "Where the rows are kept. Empty means SQLite, in the file `kithline.db` of the data folder.",
	},
	{
		name: "KITHLINE_DATABASE_PASSWORD", secret: true,
		accepts: "the database user's password",
		about:   "Password for PostgreSQL, where the address holds none. Any character may stand in it.",
	},
	{
		name:    "KITHLINE_DATABASE_CONNECTIONS",
		accepts: "a whole number from 2 to 500 (SQLite: 2 to 4)",
		about:   "Connections that one process keeps to the database. SQLite uses 4 where nothing is set.",
	},
	{
		name: "KITHLINE_DATA_DIR", group: "Data and key",
		accepts: "a folder",
		about:   "Folder for the SQLite file, stored files and captured mail. It is made when it does not exist.",
	},
	{
		name:    "KITHLINE_KEY_FILE",
		accepts: "a file outside the data folder",
		about:   "File with the key that opens names, addresses and other sealed values. Made at setup. Keep a copy apart from the backups.",
	},
	{
		name: "KITHLINE_LISTEN", group: "Web",
		accepts: "an address and a port, such as 127.0.0.1:8080 or :8080",
		about:   "Where the server listens. Port 0 takes any free port.",
	},
	{
		name:    "KITHLINE_BASE_URL",
		accepts: "a web address without a path, such as https://act.example.org",
		about: "The site's address as people type it; every mailed link begins with it. It must be https, but on this machine alone. " +
			"Where the server listens on this machine alone, it is made from `KITHLINE_LISTEN`.",
	},
	{
		name:    "KITHLINE_TRUSTED_PROXIES",
		accepts: "IP addresses or ranges such as 10.0.0.0/8, separated by commas",
		about:   "Proxies in front of the server whose word is taken for the visitor's address. Nobody else's is.",
	},
	{
		name: "KITHLINE_LOG_LEVEL", group: "Log",
		accepts: "one of debug, info, warn, error",
		about:   "How much is written to the log.",
	},
	{
		name:    "KITHLINE_LOG_FORMAT",
		accepts: "one of text, json",
		about:   "Lines for people, or one JSON object a line.",
	},
	{
		name: "KITHLINE_MAIL", group: "Mail",
		accepts: "one of auto, smtp, capture",
		about: "`smtp` sends. `capture` keeps every mail for the `/outbox` pages and sends none; it is refused where other machines can reach the site. " +
			"`auto` sends when a mail server is known, captures where it listens on this machine alone, and otherwise lets mail wait until the settings page names a server.",
	},
	{
		name: "KITHLINE_SMTP_URL", url: true,
		accepts: "smtp://USER@HOST:587?tls=starttls, with tls one of starttls, tls and none, or smtps://USER@HOST:465",
		about:   "The mail server. Empty means that the owner names it on the settings page. The user may be left out where the server asks for none.",
	},
	{
		name: "KITHLINE_SMTP_PASSWORD", secret: true,
		accepts: "the mail user's password",
		about:   "Password for the mail server, where the address holds none.",
	},
	{
		name:    "KITHLINE_SMTP_CONNECTIONS",
		accepts: "a whole number from 1 to 200",
		about:   "Connections to the mail server that may be open at once, for each process.",
	},
	{
		name: "KITHLINE_DKIM_KEY", secret: true,
		accepts: "one or two private keys in PEM: RSA of 1024 bits or more, or Ed25519",
		about:   "Keys that sign mail (DKIM) for the domain that mails come from. Empty means that the owner makes them on the deliverability page, where they are kept sealed.",
	},
	{
		name:    "KITHLINE_DKIM_SELECTOR",
		accepts: "the selector of each key, in their order, with a comma between two",
		about:   "Under which name each of these keys stands in DNS: the part before `._domainkey`.",
	},
	{
		name:    "KITHLINE_LETTERS",
		accepts: "live, hold, or a mail address",
		about: "Where letters to the offices of legislators go. `live` sends them to the offices, and is for the real site alone. With an address they all go there instead, for a trial. " +
			"`hold` lets them wait. Where all mail is captured, letters are too, whatever stands here.",
	},
	{
		name: "KITHLINE_INBOUND_URL", url: true,
		accepts: "imaps://USER@HOST:993/FOLDER?after=seen or imap://USER@HOST:143/FOLDER?tls=starttls, with after one of seen, delete and move, and with move the folder behind to=",
		about:   "The mailbox for mail that comes back. Empty means that the owner names it on the settings page. A user who is a mail address is written with `%40`.",
	},
	{
		name: "KITHLINE_INBOUND_PASSWORD", secret: true,
		accepts: "the mailbox's password",
		about:   "Password for that mailbox, where the address holds none.",
	},
	{
		name:    "KITHLINE_INBOUND_ADDRESS",
		accepts: "a mail address with at most 12 characters before the @, such as bounces@example.org",
		about:   "The address of that mailbox. Mail then comes back to it with a plus sign and a mark behind `bounces`, which the mailbox must take. Empty means that mail comes back to the address that it is from.",
	},
	{
		name:    "KITHLINE_INBOUND_PER_HOUR",
		accepts: "a whole number from 1 to 1000000",
		about:   "Reports of mail that came back, with consequences for a person or a mailing, that are believed in an hour. Further ones are held until the owner looked.",
	},
	{
		name: "KITHLINE_SIGNING_PER_MINUTE", group: "Signing",
		accepts: "a whole number from 1 to 1000000",
		about:   "Signatures under one petition from one device address in 60 seconds. Further ones are taken, and wait until an organizer looked. For an event, an organizer opens a window instead.",
	},
	{
		name:    "KITHLINE_SIGNING_PER_FIVE_MINUTES",
		accepts: "a whole number from 1 to 1000000",
		about:   "The same for 300 seconds.",
	},
	{
		name:    "KITHLINE_SIGNING_PROOF_FROM",
		accepts: "a whole number from 1 to 1000000",
		about:   "Signatures a minute under one petition from which on the form asks browsers for a proof of work, where they come from few addresses or many of them are suspect.",
	},
	{
		name:    "KITHLINE_SIGNING_BREAKER_MAILS",
		accepts: "a whole number from 1 to 10000000",
		about:   "Confirmation mails of one petition in an hour, to addresses that nobody ever confirmed, from which on it is looked whether anybody answers them.",
	},
	{
		name:    "KITHLINE_SIGNING_BREAKER_CONFIRMED",
		accepts: "a whole number from 1 to 100",
		about:   "Percent of those mails that must lead to a confirmation. Where it is less, further mails of that petition wait, and an organizer is told.",
	},
	{
		name:    "KITHLINE_SIGNING_BREAKER_BOUNCED",
		accepts: "a whole number from 1 to 100",
		about:   "Percent of those mails, of at least 100, that cannot be delivered before further ones wait.",
	},
	{
		name: "KITHLINE_FILES_S3_URL", group: "Stored files",
		accepts: "https://ENDPOINT/BUCKET?region=NAME, or nothing",
		about:   "Bucket for pictures, packs and export files, on anything that speaks S3. Empty means the folder `files` of the data folder.",
	},
	{
		name: "KITHLINE_FILES_S3_ACCESS_KEY", secret: true,
		accepts: "the bucket's access key",
		about:   "Access key for the bucket.",
	},
	{
		name: "KITHLINE_FILES_S3_SECRET_KEY", secret: true,
		accepts: "the bucket's secret key",
		about:   "Secret key for the bucket.",
	},
	{
		name: "KITHLINE_METRICS_TOKEN", group: "Running", secret: true,
		accepts: "16 characters or more",
		about:   "Token that `/metrics` asks for (`Authorization: Bearer ...`). Empty means that only clients on the same machine may read it; on a public site this takes `KITHLINE_TRUSTED_PROXIES` to name the proxy that runs there.",
	},
	{
		name:    "KITHLINE_SHUTDOWN_SECONDS",
		accepts: "a whole number from 1 to 600",
		about:   "How long a stop waits for requests, mail and jobs under way.",
	},
}

// shown is a value as a message may repeat it.
func (s setting) shown(value string) string {
	switch {
	case s.secret:
		return "a value that is not shown"
	case s.url:
		value = PrivateURL(value).String()
	}
	return fmt.Sprintf("%q", value)
}

// Setting is one variable with its effective value, for `kithline config`.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"` // secrets hidden
	From  string `json:"from"`  // default, environment, file PATH, a flag, or what it was made from
}

// Settings lists every variable with its effective value, secrets hidden, and where the value came from.
func (c Config) Settings() []Setting {
	values := map[string]string{}
	collect(reflect.ValueOf(c), values)
	out := make([]Setting, len(settings))
	for i, s := range settings {
		out[i] = Setting{Name: s.name, Value: values[s.name], From: c.origins[s.name]}
	}
	return out
}

// collect notes the text of every field that a variable fills.
func collect(v reflect.Value, values map[string]string) {
	for i := range v.NumField() {
		field, name := v.Type().Field(i), v.Type().Field(i).Tag.Get("env")
		switch {
		case !field.IsExported():
		case name != "":
			values[name] = text(v.Field(i))
		case field.Type.Kind() == reflect.Struct:
			collect(v.Field(i), values)
		}
	}
}

func text(v reflect.Value) string {
	if level, ok := v.Interface().(slog.Level); ok {
		return strings.ToLower(level.String())
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		if b, err := m.MarshalText(); err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(v.Interface())
}

// Docs is docs/configuration.md.
func Docs() string {
	defaults := map[string]string{}
	params, err := env.GetFieldParams(&Config{})
	if err != nil {
		panic(err) // a wrong struct tag: every test of this package finds it
	}
	for _, p := range params {
		defaults[p.Key] = p.DefaultValue
	}
	var b strings.Builder
	b.WriteString(`# Configuration

<!-- Made by "kithline config --docs". Change config/settings.go and run "make generate". -->

Kithline runs without any configuration: it then listens on this machine alone, keeps everything in ` + "`./data`" + ` and captures mail
instead of sending it. Everything below is set by environment variables. What an owner sets in the browser (organisation, languages,
notices, mail server) is not listed here.

- **Files**: add ` + "`_FILE`" + ` to any name and give a path to read the value from that file, as secrets are handed to containers. The line end
  at the file's end is dropped. A variable and its ` + "`_FILE`" + ` together are refused.
- **Empty** counts as not set.
- **Mistakes** are all told at once, and nothing starts (exit code 2). A name that begins with ` + "`KITHLINE_`" + ` and is not listed here is a
  mistake too.
- ` + "`kithline config`" + ` prints the values in effect, with secrets hidden, and where each came from.
`)
	for _, s := range settings {
		if s.group != "" {
			b.WriteString("\n## " + s.group + "\n\n| Variable | Default | Takes | Meaning |\n|---|---|---|---|\n")
		}
		def := "empty"
		if defaults[s.name] != "" {
			def = "`" + defaults[s.name] + "`"
		}
		accepts := s.accepts
		if s.secret {
			accepts += " (secret)"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.name, def, accepts, s.about)
	}
	return b.String()
}
