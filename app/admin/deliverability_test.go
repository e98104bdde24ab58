package admin_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"kithline/models"
	"kithline/tests/dnsserver"
	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

// The owner makes a key, copies its record into DNS, presses the button, and sees that it signs.
func TestOwnerSetsUpDeliverability(t *testing.T) {
	testdb.EachMigratedURL(t, func(t *testing.T, url string) {
		dns := dnsserver.New(t)
		a := testapp.NewAsking(t, url, dns.Resolver())
		a.SetUp()
		owner := a.Owner(t)
		p := owner.Get("/admin/settings").Want(200).Follow("a[href='/admin/deliverability']").Want(200)
		if len(dns.Asked()) != 0 {
			t.Error("a page that is only looked at asks DNS")
		}
		if got := p.Text("main .lead"); !strings.Contains(got, "act.example.org") {
			t.Errorf("lead: %q", got)
		}
		p = p.Submit("form[action='/admin/deliverability/keys']", map[string]string{"algorithm": "ed25519", "selector": "Not. Right"}).Want(422)
		if !p.Has("#selector[aria-invalid]") || !p.Has("#selector[value='Not. Right']") {
			t.Error("the name of the key is not told to be wrong, or is lost")
		}
		p = p.Submit("form[action='/admin/deliverability/keys']", map[string]string{"algorithm": "ed25519", "selector": ""}).Want(200)
		name, value := p.Text("#key-1-name"), p.Text("#key-1")
		if name != "kl2027a._domainkey.act.example.org" || !strings.HasPrefix(value, "v=DKIM1; k=ed25519; p=") {
			t.Fatalf("%q %q", name, value)
		}
		p = p.Submit("form[action='/admin/deliverability/check']", nil).Want(200)
		for _, want := range []string{"There is no SPF record.", "The record of the key kl2027a is not there yet.", "v=DMARC1; p=none; rua=mailto:hello@act.example.org"} {
			if !strings.Contains(p.Text("main"), want) {
				t.Errorf("the page does not say %q", want)
			}
		}
		if p.Text(".card h3 .tag.warn") != "Waits for its record" {
			t.Errorf("the key: %q", p.Text(".card h3 .tag"))
		}
		dns.TXT(name, value)
		dns.TXT("act.example.org", "v=spf1 ip4:192.0.2.7 -all")
		dns.Reverse("192.0.2.7", "mail.act.example.org")
		dns.Address("mail.act.example.org", "192.0.2.7")
		dns.MX("act.example.org", "mail.act.example.org")
		dns.TXT("_dmarc.example.org", "v=DMARC1; p=reject")
		p = p.Submit("form[action='/admin/deliverability/sends-from']", map[string]string{"sends_from": "10.1.1.1"}).Want(422)
		if !p.Has("#sends_from[aria-invalid][value='10.1.1.1']") {
			t.Error("an address inside a network is taken, or lost")
		}
		p = p.Submit("form[action='/admin/deliverability/sends-from']", map[string]string{"sends_from": "192.0.2.7"}).Want(200)
		p = p.Submit("form[action='/admin/deliverability/check']", nil).Want(200)
		if p.Text(".card h3 .tag.good") != "Signs" || p.Has("section[aria-labelledby='dns'] .tag.bad") || p.Has("section[aria-labelledby='dns'] .tag.warn") {
			t.Errorf("with all records there: %s", p.Text("section[aria-labelledby='dns']"))
		}
		if met := p.Doc.Find("section[aria-labelledby='rules'] .tag.good").Length(); met != 8 { // not: https, a mail server, complaints
			t.Errorf("%d rules are met: %s", met, p.Text("section[aria-labelledby='rules']"))
		}
		p = p.Submit("form[action$='/remove']", nil).Want(200)
		if p.Has("form[action$='/remove']") {
			t.Error("the key is still there")
		}
		var n int64
		if err := a.DB.Model(&models.AuditEntry{}).Where("action IN ('mail_key.make', 'mail_key.sign', 'mail_key.remove', 'sending.sends_from', 'deliverability.check')").Count(&n).Error; err != nil || n != 6 {
			t.Errorf("%d lines of the audit log, %v", n, err)
		}
	})
}

func TestOwnerSetsLimits(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		owner := a.Owner(t)
		const at = "/admin/settings/limits"
		p := owner.Get("/admin/settings").Want(200).Follow("a[href='" + at + "']").Want(200)
		if !p.Has("#quiet_from[value='20:00']") || !p.Has("#quiet_to[value='09:00']") || !p.Has("#approve_above[value='5,000']") || !p.Has("#brake_share[value='10']") || p.Has("#warmup[checked]") || p.Has("#plan") {
			t.Error("what holds at first is not shown")
		}
		more := p.Submit("button[value='more']", map[string]string{"domain_1": "gmail.com", "account_second": "14"}).Want(200)
		if !more.Has("#domain_2") || !more.Has("#domain_3") || !more.Has("#domain_1[value='gmail.com']") || !more.Has("#account_second[value='14']") {
			t.Error("another row costs what was typed")
		}
		typed := map[string]string{
			"account_second": "14", "account_day": "50,000", "connections": "8", "other_connections": "2", "domain_1": "Gmail.com", "domain_1_minute": "20", "domain_3": "bücher.example", "domain_3_connections": "1",
			"warmup": "yes", "warmup_starts": "2027-02-01", "warmup_first": "50", "warmup_growth": "1,5", "warmup_until": "200", "quiet_from": "21:30", "quiet_to": "08:00", "approve_above": "", "brake_share": "2.5", "brake_window": "400",
		}
		p = more.Submit("button[value='save']", typed).Want(200)
		for _, want := range []string{
			"#account_second[value='14']", "#account_day[value='50,000']", "#connections[value='8']", "#other_connections[value='2']", "#domain_1[value='gmail.com']", "#domain_1_minute[value='20']",
			"#domain_2[value='xn--bcher-kva.example']", "#warmup[checked]", "#warmup_growth[value='1.5']", "#quiet_from[value='21:30']", "#brake_share[value='2.5']", "#approve_above:not([value])",
		} {
			if !p.Has(want) {
				t.Errorf("no %s", want)
			}
		}
		var plan []string
		p.Doc.Find("details tbody td.num").Each(func(_ int, s *goquery.Selection) { plan = append(plan, s.Text()) })
		if strings.Join(plan, " ") != "50 75 112 168" || !strings.Contains(p.Text("details tbody tr:first-child"), "Today") || !strings.Contains(p.Text("details tbody tr:last-child"), "4 February 2027") {
			t.Errorf("the plan: %v, %s", plan, p.Text("details"))
		}
		l, err := a.Deliverability.Limits(t.Context())
		if err != nil || len(l.Account) != 2 || l.Account[1].Count != 50_000 || l.For("gmail.com").Windows[0].Count != 20 || l.For("example.org").Connections != 2 || l.BrakeShare != 0.025 ||
			l.QuietFrom != 21*60+30 || l.ApproveAbove != 0 || l.WarmUp.FirstDay != 50 {
			t.Errorf("%+v, %v", l, err)
		}
		if got := l.WarmUp.Starts.Format("2006-01-02 15:04"); got != "2027-02-01 05:00" { // midnight in New York
			t.Errorf("the plan starts at %s", got)
		}
		// Each mistake is told where it was made, and nothing is lost.
		for field, value := range map[string]string{
			"account_second": "many", "connections": "1001", "other_hour": "0", "domain_1": "gmail", "domain_3": "gmail.com", "warmup_starts": "soon", "warmup_first": "0",
			"warmup_growth": "1", "warmup_until": "50", "quiet_to": "25:00", "approve_above": "-1", "brake_share": "101", "brake_window": "3",
		} {
			form := map[string]string{}
			for k, v := range typed {
				form[k] = v
			}
			form[field] = value
			f := url.Values{"do": {"save"}}
			for k, v := range form {
				f.Set(k, v)
			}
			p := owner.Post(at, f).Want(422)
			if !p.Has("#"+field+"[aria-invalid]") || !p.Has("#"+field+"[value='"+value+"']") || !p.Has(".summary a[href='#"+field+"']") || !p.Has("#domain_3_connections[value='1']") {
				t.Errorf("%s = %q: %s", field, value, p.Text(".summary"))
			}
		}
		f := url.Values{"do": {"save"}, "quiet_from": {"20:00"}, "quiet_to": {"09:00"}, "domain_2_hour": {"5"}, "brake_window": {"200"}}
		if p := owner.Post(at, f).Want(422); !p.Has("#domain_2[aria-invalid]") {
			t.Error("a rate without a domain")
		}
		if l, err := a.Deliverability.Limits(t.Context()); err != nil || l.BrakeWindow != 400 {
			t.Errorf("what was wrong was saved: %+v, %v", l, err)
		}
		f.Del("domain_2_hour")
		owner.Post(at, f).Want(200)
		if l, err := a.Deliverability.Limits(t.Context()); err != nil || l.Account != nil || l.Domains != nil || l.WarmUp != nil || l.BrakeShare != 0 {
			t.Errorf("the limits are not gone: %+v, %v", l, err)
		}
	})
}
