package abuse

import (
	"strings"

	"kithline/campaigns/vault"
)

// provider says which addresses of its domains lead to one inbox.
type provider struct {
	name  string // the domain that stands for all of them; "" where each domain has inboxes of its own
	tags  bool   // what stands behind a + is the reader's own mark
	drops string // characters that the provider does not look at
}

// providers are the domains where one inbox has many addresses, as their own help pages say. A domain that is not here has one
// address for each inbox, as far as we know.
var providers = func() map[string]provider {
	out := map[string]provider{}
	add := func(p provider, domains ...string) {
		for _, d := range domains {
			out[d] = p
		}
	}
	add(provider{"gmail.com", true, "."}, "gmail.com", "googlemail.com")
	add(provider{"", true, ""}, "outlook.com", "hotmail.com", "live.com", "msn.com", "outlook.de", "outlook.es", "outlook.fr", "hotmail.co.uk", "hotmail.de", "hotmail.es", "hotmail.fr", "hotmail.it")
	add(provider{"proton.me", true, ".-_"}, "proton.me", "protonmail.com", "protonmail.ch", "pm.me")
	add(provider{"icloud.com", true, ""}, "icloud.com", "me.com", "mac.com")
	add(provider{"", true, ""}, "fastmail.com", "fastmail.fm", "mailbox.org", "posteo.de", "posteo.net", "runbox.com", "zoho.com", "zohomail.com", "tuta.com", "hey.com", "disroot.org", "riseup.net")
	add(provider{"yandex.com", true, ""}, "yandex.com", "yandex.ru", "ya.ru")
	return out
}()

// Inbox returns the inbox that a canonical address leads to, written as an address, and whether its provider delivers many
// addresses into one.
func Inbox(canonical string) (inbox string, many bool) {
	local, domain, _ := strings.Cut(canonical, "@")
	p, ok := providers[domain]
	if !ok {
		return canonical, false
	}
	if p.tags {
		if i := strings.IndexByte(local, '+'); i > 0 {
			local = local[:i]
		}
	}
	// An address that is nothing but such marks stays as it is.
	if bare := strings.Map(func(r rune) rune {
		if strings.ContainsRune(p.drops, r) {
			return -1
		}
		return r
	}, local); bare != "" {
		local = bare
	}
	if p.name != "" {
		domain = p.name
	}
	return local + "@" + domain, true
}

// inboxHash is the keyed hash of the inbox behind a canonical address; nil where an inbox has one address only.
func inboxHash(v *vault.Vault, canonical string) []byte {
	in, many := Inbox(canonical)
	if !many {
		return nil
	}
	return v.Hash("inbox", []byte(in))
}
