package app

import (
	"context"
	"net"
	"strings"

	"kithline/campaigns/deliverability"
	"kithline/config"
	"kithline/mailer"
	"kithline/models"
)

// dkim is what signs mail just now. The same key gives the same signer each time.
func (w *wayOut) dkim(ctx context.Context, o models.Organisation) ([]*mailer.DKIM, error) {
	if w.keys == nil {
		return nil, nil
	}
	_, domain, _ := strings.Cut(o.FromAddress, "@")
	list, err := w.keys(ctx, domain)
	if err != nil {
		return nil, err
	}
	var out []*mailer.DKIM
	for _, k := range list {
		name := k.Selector + "._domainkey." + k.Domain + " " + k.ID.String()
		if d, ok := w.signers.Load(name); ok {
			out = append(out, d.(*mailer.DKIM))
			continue
		}
		d, err := mailer.NewDKIM(k.Domain, k.Selector, k.Key)
		if err != nil {
			return nil, err
		}
		w.signers.Store(name, d)
		out = append(out, d)
	}
	return out, nil
}

// server is the mail server in use as others see it.
func (w *wayOut) server(ctx context.Context) (deliverability.Server, error) {
	set, err := w.settings(ctx)
	if err != nil {
		return deliverability.Server{}, err
	}
	ip := net.ParseIP(set.Host)
	here := set.Host == "localhost" || ip != nil && ip.IsLoopback()
	return deliverability.Server{Host: set.Host, Safe: set.TLS != "none" || here}, nil
}

// onPaper reports whether mail goes to nobody: it is captured, or a test keeps it.
func (w *wayOut) onPaper(ctx context.Context) bool { return w.fixed != nil || w.captures(ctx) }

// namedKeys are the keys of the environment that sign mail.
func namedKeys(m config.Mail) ([]deliverability.SigningKey, error) {
	list, err := m.DKIM()
	var out []deliverability.SigningKey
	for _, k := range list {
		out = append(out, deliverability.SigningKey{Selector: k.Selector, Key: k.Key})
	}
	return out, err
}
