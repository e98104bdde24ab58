package app

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/deliverability"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/today"
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
	keys         func(ctx context.Context, domain string) ([]deliverability.SigningKey, error)
	bounces      func(context.Context) (string, error) // where mail comes back to

	mu   sync.Mutex
	from organisation.SMTP // what smtp was made of
	smtp mailer.Transport

	signers sync.Map // by name and id: *mailer.DKIM
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
		ListDomain: u.Hostname(), Letterhead: letterhead(o, w.cfg.Web.BaseURL), Offices: w.offices(ctx),
	}
	if w.bounces != nil {
		if s.BounceAddress, err = w.bounces(ctx); err != nil {
			return s, err
		}
	}
	if o.FromAddress == "" {
		return s, nil // nobody to be from: mail waits
	}
	if s.DKIM, err = w.dkim(ctx, o); err != nil {
		return s, err
	}
	s.Transport, err = w.transport(ctx, o)
	return s, err
}

// offices says where letters to offices go: to them from a site that says so alone. What is captured is captured all the same.
func (w *wayOut) offices(ctx context.Context) deliveries.Offices {
	switch l := w.cfg.Mail.Letters; {
	case l == "live" || w.captures(ctx):
		return deliveries.Offices{Live: true}
	case l != "hold":
		return deliveries.Offices{Redirect: l}
	}
	return deliveries.Offices{}
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

// test sends a test mail by a mail server, for real: by the one in effect for the zero value. Its errors are Invalid faults
// whose keys say in plain words what is wrong.
func (w *wayOut) test(ctx context.Context, words *mailer.Renderer, set organisation.SMTP, to string) error {
	o, err := w.organisation.Current(ctx)
	if err != nil {
		return err
	}
	from, err := w.sender(ctx)
	if err != nil {
		return err
	}
	if from.FromAddress == "" {
		return fault.New(fault.Invalid, "smtp.sender")
	}
	transport, host := from.Transport, set.Host
	if host == "" {
		effect, err := w.settings(ctx)
		if err != nil {
			return err
		}
		host = effect.Host
	} else if w.fixed == nil {
		if transport, err = newSMTP(set, helo(w.cfg.Web)); err != nil {
			return fault.Because(err, fault.Invalid, mailer.Refused, "Host", host, "Reply", err.Error())
		}
	}
	if transport == nil {
		return fault.New(fault.Invalid, "smtp.waiting")
	}
	lang := organisation.Language(o, "")
	body, err := words.Render("setup_test", lang, from.Letterhead, struct{ OrgName string }{firstOf(o.ShortName, o.Name)})
	if err != nil {
		return err
	}
	conn, err := transport.Open(ctx)
	if err != nil {
		return smtpFault(err, host)
	}
	defer func() { _ = conn.Close() }()
	_, domain, _ := strings.Cut(from.FromAddress, "@")
	m := mailer.Message{
		MessageID: mailer.NewMessageID(domain), FromName: from.FromName, FromAddress: from.FromAddress, ReplyTo: from.ReplyTo, To: to,
		Date: time.Now().UTC(), Subject: body.Subject, Preheader: body.Preheader, Text: body.Text, HTML: body.HTML, AutoSubmitted: true,
	}
	if err := m.Sign(from.DKIM...); err != nil {
		return err
	}
	out := conn.Send(ctx, m)
	key := map[mailer.OutcomeState]string{mailer.Rejected: "smtp.rejected", mailer.Deferred: "smtp.later", mailer.Unknown: "smtp.lost", mailer.NotSent: "smtp.lost"}[out.State]
	if key == "" {
		return nil
	}
	return fault.Because(out.Err, fault.Invalid, key, "Host", host, "Reply", out.Reply)
}

func smtpFault(err error, host string) error {
	var f *mailer.Failure
	if errors.As(err, &f) {
		return fault.Because(err, fault.Invalid, f.Kind, "Host", host, "Reply", f.Reply)
	}
	return err
}

// lettersWait is the queue of the first page that says that letters do not go to offices from here.
func (a *App) lettersWait(ctx context.Context, who actor.Actor) ([]today.Queue, error) {
	if !who.May(actor.Administer) || a.mail.offices(ctx) != (deliveries.Offices{}) {
		return nil, nil
	}
	n, oldest, err := a.Letters.Waiting(ctx)
	if err != nil || n == 0 {
		return nil, err
	}
	return []today.Queue{{Key: "today.letters_wait", Path: "/admin/letters", Count: n, Oldest: oldest, Right: actor.Administer}}, nil
}

// waiting is the queue of the first page that says that mail cannot leave.
func (a *App) waiting(ctx context.Context, who actor.Actor) ([]today.Queue, error) {
	if !who.May(actor.Administer) || a.Deliveries.Health().Key == "" {
		return nil, nil
	}
	n, oldest, err := a.Deliveries.Waiting(ctx)
	if err != nil || n == 0 {
		return nil, err
	}
	o, err := a.Organisation.Current(ctx)
	if err != nil {
		return nil, err
	}
	if o.FromAddress == "" { // whoever skipped the setup page by "kithline user add"
		return []today.Queue{{Key: "today.mail_sender", Path: "/admin/settings", Count: n, Oldest: oldest, Right: actor.Administer}}, nil
	}
	return []today.Queue{{Key: "today.mail_waits", Path: "/admin/settings/mail", Count: n, Oldest: oldest, Right: actor.Administer}}, nil
}
