package organisation

import (
	"context"
	"net"
	"strings"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/models"
)

// How the connection to the mail server is protected.
const (
	TLSStart = "starttls"
	TLSFull  = "tls"
	TLSNone  = "none"
)

// SMTP says how to reach the mail server.
type SMTP struct {
	Host     string // empty: no server is known
	Port     int    // 0: 587 for starttls, 465 for tls, 25 for none
	TLS      string // TLSStart, TLSFull or TLSNone
	Username string // empty: the server asks for none
	Password string
}

// String is the settings without user and password.
func (in SMTP) String() string { return "smtp " + in.Host }

// GoString is String: %#v shows no secret either.
func (in SMTP) GoString() string { return in.String() }

// SMTP returns the mail server of the settings, its password opened, for the code that sends. A page shows the row's
// columns instead.
func (s *Service) SMTP(ctx context.Context) (SMTP, error) {
	o, err := s.Current(ctx)
	if err != nil {
		return SMTP{}, err
	}
	return s.SMTPOf(o)
}

// SMTPOf is SMTP for a row that was read already.
func (s *Service) SMTPOf(o models.Organisation) (SMTP, error) {
	password, err := s.vault.Open("organisations", "smtp_password_sealed", o.ID, o.SMTPPasswordSealed)
	return SMTP{Host: o.SMTPHost, Port: o.SMTPPort, TLS: o.SMTPTLS, Username: o.SMTPUsername, Password: password}, err
}

func (in SMTP) check() (SMTP, error) {
	var f fault.Fields
	in.Host = strings.ToLower(line(&f, "smtp_host", in.Host, 253))
	if in.Host == "" {
		return SMTP{TLS: TLSStart}, f.Err()
	}
	if strings.ContainsAny(in.Host, " /@:?#") && net.ParseIP(in.Host) == nil && !f.Has("smtp_host") {
		f.Add("smtp_host", "error.smtp_host")
	}
	ports := map[string]int{TLSStart: 587, TLSFull: 465, TLSNone: 25}
	if ports[in.TLS] == 0 {
		f.Add("smtp_tls", "error.value_unknown")
	}
	if in.Port == 0 {
		in.Port = ports[in.TLS]
	}
	if in.Port < 0 || in.Port > 65535 {
		f.Add("smtp_port", "error.smtp_port")
	}
	in.Username = line(&f, "smtp_username", in.Username, 254)
	in.Password = checked(&f, "smtp_password", in.Password, 500)
	if in.Username == "" {
		in.Password = ""
	}
	if in.Username != "" && in.TLS == TLSNone && !here(in.Host) {
		f.Add("smtp_tls", "error.smtp_clear")
	}
	return in, f.Err()
}

// here reports whether a host is this machine.
func here(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// UpdateSMTP changes the mail server. An empty host means that there is none. An empty password keeps the one there is,
// as long as host and user stay the same: a password never goes to another server than it was typed for. It needs the
// right actor.Administer and returns an Invalid fault with the fields smtp_host, smtp_port, smtp_tls, smtp_username,
// smtp_password.
func (s *Service) UpdateSMTP(ctx context.Context, a actor.Actor, in SMTP) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	in, err := in.check()
	if err != nil {
		return err
	}
	return s.change(ctx, a, "organisation.smtp", func(o models.Organisation) (map[string]any, error) {
		sealed := s.vault.Seal("organisations", "smtp_password_sealed", o.ID, in.Password)
		if in.Username != "" && in.Password == "" {
			if in.Host != o.SMTPHost || in.Username != o.SMTPUsername || len(o.SMTPPasswordSealed) == 0 {
				var f fault.Fields
				f.Add("smtp_password", "error.smtp_password")
				return nil, f.Err()
			}
			sealed = o.SMTPPasswordSealed
		}
		return map[string]any{
			"smtp_host": in.Host, "smtp_port": in.Port, "smtp_tls": in.TLS, "smtp_username": in.Username, "smtp_password_sealed": sealed,
		}, nil
	})
}
