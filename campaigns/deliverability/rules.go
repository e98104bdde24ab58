package deliverability

import (
	"context"
	"net/url"
	"strconv"

	"kithline/campaigns/actor"
)

// BulkFrom is how many mails a day to its mailboxes make a sender one of bulk mail for Gmail and Microsoft. Yahoo names no number.
const BulkFrom = 5000

// Shares of complaints among the mails that arrived: above the first, Gmail and Yahoo refuse or hide mail; Gmail asks for less than the second.
const (
	MostComplaints = 0.003
	AimComplaints  = 0.001
)

// enoughMails is how many mails make a share of complaints say something.
const enoughMails = 1000

// The services that say in public what they ask of bulk senders.
const (
	Gmail     = "gmail"
	Yahoo     = "yahoo"
	Microsoft = "microsoft"
)

// Source is where a service says what it asks for.
type Source struct{ Service, URL string }

// Sources lists where the rules stand.
var Sources = []Source{
	{Gmail, "https://support.google.com/a/answer/81126"},
	{Yahoo, "https://senders.yahooinc.com/best-practices/"},
	{Microsoft, "https://sendersupport.olc.protection.outlook.com/pm/policies.aspx"},
}

// Requirement is one thing that large mail services ask of those who write to many, and whether it is met. Its words are
// deliver.rule_NAME; Key with Args says how it was found out. Tone is "" where nobody looked yet.
type Requirement struct {
	Name     string
	Services []string
	Tone     Tone
	Key      string
	Args     []string
}

// Requirements says which are met, from the latest report, the figures and the settings: nothing is claimed that was not looked at. It
// needs the right actor.Administer.
func (s *Service) Requirements(ctx context.Context, a actor.Actor) ([]Requirement, error) {
	r, err := s.Last(ctx, a)
	if err != nil {
		return nil, err
	}
	server, err := s.Server(ctx)
	if err != nil {
		return nil, err
	}
	all := []string{Gmail, Yahoo, Microsoft}
	both := []string{Gmail, Yahoo}
	looked := func(name, check string, services ...string) Requirement {
		t := r.Worst(check)
		return Requirement{Name: name, Services: services, Tone: t, Key: map[Tone]string{
			"": "deliver.rule_unlooked", Fine: "deliver.rule_met", Think: "deliver.rule_look", Stop: "deliver.rule_unmet",
		}[t]}
	}
	return []Requirement{
		looked("spf", CheckSPF, all...),
		looked("dkim", CheckDKIM, all...),
		looked("dmarc", CheckDMARC, all...),
		looked("alignment", CheckAlignment, all...),
		s.oneClick(r, both),
		within2Days(r.Figures, both),
		complaints(r.Figures, both),
		looked("reverse", CheckReverse, both...),
		tls(server),
		looked("freemail", CheckFreemail, all...),
		looked("answers", CheckMX, Microsoft),
	}, nil
}

// oneClick: every mail to many carries both fields, since none is built without them. What may be missing is that the link is https and that
// a signature covers them.
func (s *Service) oneClick(r Report, services []string) Requirement {
	out := Requirement{Name: "one_click", Services: services}
	u, err := url.Parse(s.SiteURL)
	switch {
	case err != nil || u.Scheme != "https":
		out.Tone, out.Key = Stop, "deliver.rule_one_click_http"
	case r.Worst(CheckDKIM) == "":
		out.Key = "deliver.rule_unlooked"
	case r.Worst(CheckDKIM) != Fine:
		out.Tone, out.Key = Think, "deliver.rule_one_click_unsigned"
	default:
		out.Tone, out.Key = Fine, "deliver.rule_one_click_met"
	}
	return out
}

func within2Days(f Figures, services []string) Requirement {
	out := Requirement{Name: "two_days", Services: services, Tone: Fine, Key: "deliver.rule_two_days_met"}
	if f.CountedAt.IsZero() {
		out.Tone, out.Key = "", "deliver.rule_unlooked"
	}
	if f.Late > 0 {
		out.Tone, out.Key, out.Args = Stop, "deliver.rule_two_days_late", []string{"Mails", strconv.Itoa(f.Late)}
	}
	return out
}

func complaints(f Figures, services []string) Requirement {
	out := Requirement{Name: "complaints", Services: services}
	if f.CountedAt.IsZero() {
		out.Key = "deliver.rule_unlooked"
		return out
	}
	if f.Total.Sent < enoughMails {
		out.Tone, out.Key = Think, "deliver.rule_complaints_few"
		return out
	}
	share := float64(f.Total.Complaints) / float64(f.Total.Sent)
	out.Args = []string{"Share", strconv.FormatFloat(share*100, 'f', 2, 64), "Mails", strconv.Itoa(f.Total.Sent)}
	switch {
	case share >= MostComplaints:
		out.Tone, out.Key = Stop, "deliver.rule_complaints_high"
	case share >= AimComplaints:
		out.Tone, out.Key = Think, "deliver.rule_complaints_near"
	default:
		out.Tone, out.Key = Fine, "deliver.rule_complaints_low"
	}
	return out
}

func tls(server Server) Requirement {
	out := Requirement{Name: "tls", Services: []string{Gmail}}
	switch {
	case server.Host == "":
		out.Key = "deliver.rule_unlooked"
	case server.Safe:
		out.Tone, out.Key, out.Args = Fine, "deliver.rule_tls_met", []string{"Host", server.Host}
	default:
		out.Tone, out.Key, out.Args = Stop, "deliver.rule_tls_open", []string{"Host", server.Host}
	}
	return out
}
