package deliverability

import (
	"context"
	"slices"
	"strings"
)

// dmarc is the policy that a domain has published for itself and what lies below it, or its parent for it.
type dmarc struct {
	at     string // the name of the domain whose record counts; empty: none
	text   string
	policy string            // what holds for the domain that was asked about: none, quarantine, reject
	tags   map[string]string // of the record
	broken bool              // a record that receivers take for none: more than one, or without a policy that is known
	org    string            // the organisational domain, which alignment compares
}

// readDMARC finds the policy for a domain and its organisational domain by walking up the tree of names (RFC 9989, section 4.10), which asks
// for at most eight names and needs no list of public suffixes.
func (d dns) readDMARC(ctx context.Context, domain string) (dmarc, error) {
	out := dmarc{org: domain}
	labels := strings.Split(domain, ".")
	names := []string{domain}
	up := labels[1:]
	if len(labels) > 8 {
		up = labels[len(labels)-7:]
	}
	for len(up) > 0 {
		names = append(names, strings.Join(up, "."))
		up = up[1:]
	}
	type found struct {
		name string
		text string
		tags map[string]string
	}
	var all []found // from the domain itself towards the root
	for _, name := range names {
		list, err := d.txt(ctx, "_dmarc."+name)
		if err != nil {
			return out, err
		}
		list = slices.DeleteFunc(list, func(t string) bool {
			version, _, _ := strings.Cut(t, ";")
			return strings.ReplaceAll(version, " ", "") != "v=DMARC1"
		})
		if len(list) == 0 {
			continue
		}
		t, ok := tags(list[0])
		if len(list) > 1 || !ok {
			if name == domain {
				out.broken, out.text = true, list[0]
			}
			continue
		}
		all = append(all, found{name, list[0], t})
		if psd := t["psd"]; psd == "n" || psd == "y" && name != domain {
			break // the organisation's own top, or what lies above it
		}
	}
	if n := len(all); n > 0 {
		if last := all[n-1]; last.tags["psd"] == "y" && last.name != domain {
			out.org = below(domain, last.name)
		} else {
			out.org = last.name
		}
	}
	if out.broken || len(all) == 0 {
		return out, nil
	}
	f, policy := all[0], all[0].tags["p"]
	if f.name != domain { // the organisation's record speaks for what lies below it, else that of the registry above
		f = all[len(all)-1]
		for _, x := range all {
			if x.name == out.org {
				f = x
			}
		}
		if policy = f.tags["sp"]; policy == "" {
			policy = f.tags["p"]
		}
	}
	out.at, out.text, out.tags, out.policy = f.name, f.text, f.tags, strings.ToLower(policy)
	switch {
	case slices.Contains([]string{"none", "quarantine", "reject"}, out.policy):
	case f.tags["rua"] != "": // a policy that nobody knows counts as none where reports are asked for
		out.policy = "none"
	default: // receivers that follow RFC 7489 take the record for none
		out.broken = true
	}
	return out, nil
}

// below is the name one label longer than suffix on the way to domain.
func below(domain, suffix string) string {
	rest := strings.TrimSuffix(domain, "."+suffix)
	return rest[strings.LastIndexByte(rest, '.')+1:] + "." + suffix
}

// aligned reports whether a domain that proved itself speaks for the sender's: the same one where the policy is strict, else one of
// the same organisation.
func (p dmarc) aligned(tag, domain, from string) bool {
	if domain == from {
		return true
	}
	return p.tags[tag] != "s" && sameOrBelow(domain, p.org) && sameOrBelow(from, p.org)
}
