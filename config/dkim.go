package config

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"strings"
)

// DKIMKey is a key that signs mail, and the name under which it stands in DNS.
type DKIMKey struct {
	Selector string
	Key      crypto.Signer // *rsa.PrivateKey or ed25519.PrivateKey
}

// dkimProblem is what is wrong with the keys, as Problems tells it.
type dkimProblem struct{ variable, wrong, do string }

func (p dkimProblem) Error() string { return p.variable + " " + p.wrong }

// smallestRSA is the smallest RSA key that receivers accept, in bits (RFC 8301).
const smallestRSA = 1024

var selector = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// DKIM returns the keys that the environment names, in their order; none where it names none. A configuration that was loaded has
// no error here.
func (m Mail) DKIM() ([]DKIMKey, error) {
	const key, name = "KITHLINE_DKIM_KEY", "KITHLINE_DKIM_SELECTOR"
	names := strings.FieldsFunc(strings.ToLower(m.DKIMSelector), func(r rune) bool { return r == ',' || r == ' ' })
	switch {
	case m.DKIMKey == "" && len(names) == 0:
		return nil, nil
	case m.DKIMKey == "":
		return nil, dkimProblem{name, "is set, but KITHLINE_DKIM_KEY is not", "Set KITHLINE_DKIM_KEY_FILE too, or take the selector away and make a key on the deliverability page"}
	}
	var keys []crypto.Signer
	for rest := []byte(m.DKIMKey.Reveal()); ; {
		block, more := pem.Decode(rest)
		if block == nil {
			break
		}
		k := privateKey(block.Bytes)
		if k == nil {
			return nil, dkimProblem{key, "holds something that is no private key of a kind that signs mail", "Write the key in PEM, as `openssl genrsa 2048` or `openssl genpkey -algorithm ed25519` does"}
		}
		if r, is := k.(*rsa.PrivateKey); is && r.N.BitLen() < smallestRSA {
			return nil, dkimProblem{key, "holds an RSA key that is too small", "Make one of 2048 bits, as with `openssl genrsa 2048`"}
		}
		keys, rest = append(keys, k), more
	}
	switch {
	case len(keys) == 0:
		return nil, dkimProblem{key, "holds no key in PEM", "Name the file of the key in KITHLINE_DKIM_KEY_FILE; it begins with -----BEGIN"}
	case len(keys) > 2:
		return nil, dkimProblem{key, "holds more than two keys", "Keep one of RSA, and beside it at most one of Ed25519"}
	case len(names) != len(keys):
		return nil, dkimProblem{name, "does not name one selector for each key", "Write the selectors in the order of the keys, with a comma between them"}
	}
	out := make([]DKIMKey, len(keys))
	for i, k := range keys {
		if !selector.MatchString(names[i]) || i > 0 && names[i] == names[0] {
			return nil, dkimProblem{name, "holds what cannot be a selector, or one twice", "Use small letters, digits and hyphens, such as kl2026a"}
		}
		out[i] = DKIMKey{names[i], k}
	}
	return out, nil
}

func privateKey(der []byte) crypto.Signer {
	if k, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return k
	}
	k, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil
	}
	switch k := k.(type) {
	case *rsa.PrivateKey:
		return k
	case ed25519.PrivateKey:
		return k
	}
	return nil
}
