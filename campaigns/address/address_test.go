package address

import (
	"net/mail"
	"strings"
	"testing"
	"unicode"

	"kithline/campaigns/fault"
)

func TestCanonicalAddress(t *testing.T) {
	long := strings.Repeat("a", 64)
	label := strings.Repeat("b", 63)
	for in, want := range map[string]string{
		"ann@example.org":                                    "ann@example.org",
		"  Ann.Lee@Example.ORG\t\r\n":                        "ann.lee@example.org",
		"ann+june@example.org":                               "ann+june@example.org",
		"o'hara@example.org":                                 "o'hara@example.org",
		"ann@b\u00fccher.example":                            "ann@xn--bcher-kva.example",
		"ann@BU\u0308CHER.example":                           "ann@xn--bcher-kva.example",
		"ann@xn--bcher-kva.example":                          "ann@xn--bcher-kva.example",
		"\u202aann@example.org\u202c":                        "ann@example.org",
		"jose\u0301@example.org":                             "jos\u00e9@example.org",
		"JOS\u00c9@example.org":                              "jos\u00e9@example.org",
		"ann@example\u3002org":                               "ann@example.org",
		long + "@example.org":                                long + "@example.org",
		"ann@" + label + "." + label + "." + label + ".org":  "ann@" + label + "." + label + "." + label + ".org",
		"ann@stra\u00dfe.example":                            "ann@xn--strae-oqa.example",
		"!#$%&'*+-/=?^_`{|}~@example.org":                    "!#$%&'*+-/=?^_`{|}~@example.org",
		"ann@sub.domain.with.many.labels.example.co.example": "ann@sub.domain.with.many.labels.example.co.example",
	} {
		got, domain, err := CanonicalAddress(in)
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
			continue
		}
		if _, after, _ := strings.Cut(want, "@"); domain != after {
			t.Errorf("%q: domain %q", in, domain)
		}
	}
	for _, in := range []string{"", " ", "\t\n", "\u200b"} {
		if _, _, err := CanonicalAddress(in); Key(err) != KeyMissing || !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v, want missing", in, err)
		}
	}
	for _, in := range []string{
		"ann", "@", "ann@", "@example.org", "ann@example", "ann@localhost", "ann@@example.org", "a@b@example.org",
		"ann @example.org", "ann@exam ple.org", "ann@example.org.", "ann@.example.org", "ann@example..org",
		".ann@example.org", "ann.@example.org", "a..n@example.org", `"ann"@example.org`, "ann(x)@example.org",
		"<ann@example.org>", "Ann <ann@example.org>", "mailto:ann@example.org", "ann@example.org,bob@example.org",
		"ann;@example.org", "ann\\@example.org", "ann@[192.0.2.1]", "ann@192.0.2.1", "ann@example.123", "ann@example.o",
		"ann\r\nBcc: bob@example.org", "ann@example.org\r\nBcc: bob@example.org", "ann\x00@example.org", "ann=?utf-8?q?=40evil?=@example.org", "=?x?B?YQ?=@example.org",
		"ann@example.org\x00", "ann\u2028@example.org", "ann\u2029@example.org", "ann@exam\u2028ple.org",
		"a\u200bnn@example.org", "a\u00a0nn@example.org", "ann\x7f@example.org", "a\x85nn@example.org", "ann@ex_ample.org",
		"ann@-example.org", "ann@example-.org", "ann@xn--a.org", "\u0301ann@example.org", "\xff@example.org",
		"ann@exa\u202emple.org", "ann\uff20example.org", "a\u2024nn@example.org", "\U0001F600@example.org",
		strings.Repeat("a", 65) + "@example.org", "ann@" + strings.Repeat("b", 64) + ".org",
		"ann@" + strings.Repeat(strings.Repeat("b", 62)+".", 4) + "org", strings.Repeat("a", 5<<20) + "@example.org",
	} {
		got, domain, err := CanonicalAddress(in)
		if Key(err) != KeyInvalid || !fault.Is(err, fault.Invalid) || got != "" || domain != "" {
			t.Errorf("%.80q: got %q, %v; want invalid", in, got, err)
		}
		if err != nil && len(in) > 3 && strings.Contains(err.Error(), in) {
			t.Errorf("%.80q: the error holds the address", in)
		}
	}
	if Key(nil) != "" {
		t.Error("Key(nil) is not empty")
	}
}

func FuzzCanonicalAddress(f *testing.F) {
	for _, s := range []string{"ann@example.org", "\u202aJos\u00e9@B\u00fccher.example\u202c", "a@b\r\nBcc: c@d.example", "\u0130@example.org"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, domain, err := CanonicalAddress(s)
		if err != nil {
			if c != "" || domain != "" {
				t.Fatalf("%q: values beside an error", s)
			}
			return
		}
		if again, d, err := CanonicalAddress(c); err != nil || again != c || d != domain {
			t.Fatalf("%q gives %q, which gives %q, %v", s, c, again, err)
		}
		if len(c) > MaxTotal || strings.Count(c, "@") != 1 || !strings.Contains(domain, ".") || !strings.HasSuffix(c, "@"+domain) {
			t.Fatalf("%q gives %q", s, c)
		}
		for _, r := range c {
			if unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune("\"(),:;<>[]\\", r) {
				t.Fatalf("%q gives %q with %U", s, c, r)
			}
		}
		if a, err := mail.ParseAddress(c); err != nil || a.Address != c || a.Name != "" {
			t.Fatalf("%q gives %q, which net/mail reads as %v, %v", s, c, a, err)
		}
	})
}
