package admin

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/deliverability"
	"kithline/models"
)

// sampleLimits is the page of the limits with a plan, or with everything wrong.
func sampleLimits(p web.Page, full bool) *limitsPage {
	l := &limitsPage{Page: p}
	limits := models.DefaultLimits()
	if full {
		limits.Account, limits.Connections = []models.Window{{Count: 14, Per: time.Second}, {Count: 50_000, Per: 24 * time.Hour}}, 8
		limits.Domains = []models.DomainLimit{{Connections: 2}, {Domain: "gmail.com", Windows: []models.Window{{Count: 20, Per: time.Minute}}}}
		limits.WarmUp = &models.WarmUp{Starts: webtest.Time.Add(-36 * time.Hour), FirstDay: 50, Growth: 2, Until: 500}
	} else {
		for _, f := range []string{"account_second", "connections", "other_connections", "domain_1", "domain_1_hour", "warmup_starts", "warmup_first", "warmup_growth", "warmup_until", "quiet_from", "quiet_to", "approve_above", "brake_share", "brake_window", ""} {
			l.Errors = append(l.Errors, web.FieldError{Name: f, Text: "Wrong."})
		}
	}
	l.fill(limits, webtest.Time)
	return l
}

// Every key that a finding or a requirement can have has its words, in every language.
func TestPagesOfDeliverability(t *testing.T) {
	const (
		wrong = iota
		full
		bare
	)
	samples := func(kind int) func(*web.Web, web.Page) map[string]any {
		return func(_ *web.Web, p web.Page) map[string]any {
			show := &deliverPage{Page: p, Domain: "example.org", CheckedAt: webtest.Time, Sources: deliverability.Sources, Form: keyForm{Algorithm: "rsa"}, SendsFrom: "192.0.2.1"}
			if kind == bare {
				show.Domain = ""
				show.Fixed = []deliverability.SigningKey{{Selector: "env", Key: ed25519.NewKeyFromSeed(make([]byte, 32))}}
				return map[string]any{"admin/deliverability/show": show}
			}
			if kind == wrong {
				show.CheckedAt = time.Time{}
				for _, f := range []string{"algorithm", "selector", "sends_from", ""} {
					show.Errors = append(show.Errors, web.FieldError{Name: f, Text: "Wrong."})
				}
				show.fill(nil, []deliverability.Requirement{{Name: "spf", Services: []string{deliverability.Gmail}, Key: "deliver.rule_unlooked"}}, nil)
				return map[string]any{"admin/deliverability/show": show}
			}
			args := []string{"Term", "a:x", "Lookups", "3", "Address", "192.0.2.1", "Host", "smtp.example.org", "Service", "x.net", "Selector", "kl2027a", "Domain", "example.org", "Name", "n"}
			var findings []deliverability.Finding
			for check, results := range map[string][]string{
				"spf":       {"fine", "none", "many", "syntax", "lookups", "void", "missing", "open", "not_ours", "perhaps", "unsure", "service", "untold"},
				"dkim":      {"found", "testing", "missing", "waiting", "revoked", "another", "resting", "rewritten", "none"},
				"dmarc":     {"missing", "broken", "policy_none", "policy_quarantine", "policy_reject"},
				"alignment": {"both", "dkim", "spf", "strict", "none"},
				"mx":        {"fine", "null", "dead", "address_only", "none"},
				"reverse":   {"fine", "service", "untold", "none", "one_way"},
				"freemail":  {"no", "yes"},
			} {
				for i, r := range results {
					f := deliverability.Finding{Check: check, Tone: []deliverability.Tone{deliverability.Fine, deliverability.Think, deliverability.Stop}[i%3], Key: "deliver." + check + "_" + r, Args: args}
					if i%2 == 0 {
						f.Record, f.Now = &deliverability.Record{Type: "TXT", Name: "example.org", Value: "v=spf1 -all"}, "<b>"
					}
					findings = append(findings, f)
				}
			}
			for _, key := range []string{"deliver.dns_silent", "deliver.dns_silent_for"} {
				findings = append(findings, deliverability.Finding{Check: "mx", Tone: deliverability.Think, Key: key, Args: args})
			}
			var rules []deliverability.Requirement
			args = []string{"Mails", "12", "Share", "0.20", "Host", "smtp.example.org"}
			for _, name := range []string{"spf", "dkim", "dmarc", "alignment", "reverse", "freemail", "answers"} {
				for _, key := range []string{"unlooked", "met", "look", "unmet"} {
					rules = append(rules, deliverability.Requirement{Name: name, Services: []string{deliverability.Gmail, deliverability.Yahoo, deliverability.Microsoft}, Key: "deliver.rule_" + key})
				}
			}
			for name, keys := range map[string][]string{
				"one_click": {"met", "unsigned", "http"}, "two_days": {"met", "late"}, "complaints": {"few", "low", "near", "high"}, "tls": {"met", "open"},
			} {
				for i, key := range keys {
					rules = append(rules, deliverability.Requirement{
						Name: name, Services: []string{deliverability.Gmail}, Key: "deliver.rule_" + name + "_" + key, Args: args,
						Tone: []deliverability.Tone{deliverability.Fine, deliverability.Think, deliverability.Stop}[i%3],
					})
				}
			}
			now := webtest.Time
			var keys []models.MailKey
			for _, s := range []models.MailKeyState{models.MailKeyWaiting, models.MailKeySigning, models.MailKeyResting} {
				for _, a := range []models.MailKeyAlgorithm{models.MailKeyRSA, models.MailKeyEd25519} {
					keys = append(keys, models.MailKey{ID: uuid.New(), Domain: "example.org", Selector: "kl2027a", Algorithm: a, PublicKey: "x", State: s, CreatedAt: now, RestingAt: &now})
				}
			}
			show.Figures = deliverability.Figures{
				CountedAt: webtest.Time, Largest: 6000, Total: deliverability.DomainFigures{Sent: 7000},
				Domains: []deliverability.DomainFigures{{Domain: "gmail.com", Sent: 6000, Later: 3, Failed: 2, Complaints: 1}, {Others: 7, Sent: 1000}},
			}
			show.fill(findings, rules, keys)
			return map[string]any{"admin/deliverability/show": show}
		}
	}
	for _, kind := range []int{wrong, full, bare} {
		webtest.All(t, "admin/deliverability/", samples(kind))
	}
}
