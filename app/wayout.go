package app

import (
	"context"
	"net/url"
	"strings"
	"sync"

	"kithline/app/web"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/organisation"
	"kithline/config"
	"kithline/mailer"
	"kithline/models"
)

// wayOut says how mail leaves just now: what the environment names comes first, then what the settings page names; on
// loopback, without either, mail is captured and shown at /outbox.
type wayOut struct {
	cfg          config.Config
	organisation *organisation.Service
	outbox       *deliveries.Outbox
	fixed        mailer.Transport // tests

	mu   sync.Mutex
	from organisation.SMTP // what smtp was made of
	smtp mailer.Transport
}

// captures reports whether mail is kept instead of sent.
func (w *wayOut) captures(ctx context.Context) bool {
	o, err := w.organisation.Current(ctx)
	return err == nil && w.fixed == nil && w.cfg.CaptureMail(o.SMTPHost != "")
}

// sender is asked by the outbox for every batch.
func (w *wayOut) sender(ctx context.Context) (deliveries.Sender, error) {
	o, err := w.organisation.Current(ctx)
	if err != nil {
		return deliveries.Sender{}, err
	}
	u, err := url.Parse(w.cfg.Web.BaseURL)
	if err != nil {
		return deliveries.Sender{}, err
	}
	s := deliveries.Sender{
		Connections: w.cfg.Mail.Connections, FromName: firstOf(o.FromName, o.ShortName), FromAddress: o.FromAddress, ReplyTo: o.ReplyTo,
		ListDomain: u.Hostname(), Letterhead: letterhead(o, w.cfg.Web.BaseURL),
	}
	if o.FromAddress == "" {
		return s, nil // nobody to be from: mail waits
	}
	s.Transport, err = w.transport(ctx, o)
	return s, err
}

func (w *wayOut) transport(ctx context.Context, o models.Organisation) (mailer.Transport, error) {
	switch {
	case w.fixed != nil:
		return w.fixed, nil
	case w.cfg.CaptureMail(o.SMTPHost != ""):
		return w.outbox, nil
	}
	set, err := w.settings(ctx)
	if err != nil || set.Host == "" {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.smtp == nil || w.from != set {
		t, err := newSMTP(set, helo(w.cfg.Web))
		if err != nil {
			return nil, err
		}
		w.smtp, w.from = t, set
	}
	return w.smtp, nil
}

// settings is the mail server that counts: the environment's, else the settings page's.
func (w *wayOut) settings(ctx context.Context) (organisation.SMTP, error) {
	if e := w.cfg.Mail.SMTP; e.Set() {
		return organisation.SMTP{Host: e.Host, Port: e.Port, TLS: e.TLS, Username: e.User, Password: e.Password.Reveal()}, nil
	}
	return w.organisation.SMTP(ctx)
}

func newSMTP(s organisation.SMTP, helo string) (*mailer.SMTP, error) {
	return mailer.NewSMTP(mailer.SMTPConfig{Host: s.Host, Port: s.Port, TLS: s.TLS, Username: s.Username, Password: s.Password, HELO: helo})
}

func letterhead(o models.Organisation, site string) mailer.Letterhead {
	lh := mailer.Letterhead{OrgName: firstOf(o.ShortName, o.Name), PostalAddress: o.PostalAddress, Phone: o.Phone, Accent: mailer.DefaultAccent, SiteURL: site}
	if a, err := web.NewAccent(o.Accent); err == nil {
		lh.Accent = mailer.Accent{Light: a.Light.String(), OnLight: a.LightOn.String(), Dark: a.Dark.String(), OnDark: a.DarkOn.String()}
	}
	return lh
}

func firstOf(values ...string) string {
	for _, v := range values {
		if strings.TrimSpace(v) != "" {
			return v
		}
	}
	return ""
}

// helo is the name we give ourselves to a mail server: the site's, where it has one that others can look up.
func helo(w config.Web) string {
	if w.Loopback() {
		return ""
	}
	host, _, _ := strings.Cut(w.Host(), ":")
	return host
}
