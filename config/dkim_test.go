package config

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func pemOf(t *testing.T, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestDKIMKeys(t *testing.T) {
	r, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	old := pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(r), nil)
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, 32)))
	ed := pemOf(t, "PRIVATE KEY", der, err)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err = x509.MarshalPKCS8PrivateKey(curve)
	other := pemOf(t, "PRIVATE KEY", der, err)

	file := filepath.Join(t.TempDir(), "dkim.pem")
	if err := os.WriteFile(file, []byte(old+ed), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load([]string{"KITHLINE_DKIM_KEY_FILE=" + file, "KITHLINE_DKIM_SELECTOR=kl2026a, KL2026B"})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := c.Mail.DKIM()
	if err != nil || len(keys) != 2 || keys[0].Selector != "kl2026a" || keys[1].Selector != "kl2026b" {
		t.Fatalf("%v, %v", keys, err)
	}
	if _, is := keys[0].Key.(*rsa.PrivateKey); !is {
		t.Errorf("the first key is %T", keys[0].Key)
	}
	for _, s := range c.Settings() {
		if strings.Contains(s.Value, "BEGIN") {
			t.Errorf("%s is shown", s.Name)
		}
	}
	if keys, err := (Mail{}).DKIM(); keys != nil || err != nil {
		t.Errorf("without any: %v, %v", keys, err)
	}
	for what, x := range map[string]struct{ key, selector, variable string }{
		"a selector alone":       {"", "a", "KITHLINE_DKIM_SELECTOR"},
		"no selector":            {old, "", "KITHLINE_DKIM_SELECTOR"},
		"too few selectors":      {old + ed, "a", "KITHLINE_DKIM_SELECTOR"},
		"one selector for two":   {old + ed, "a,a", "KITHLINE_DKIM_SELECTOR"},
		"no selector's letters":  {old, "a_b", "KITHLINE_DKIM_SELECTOR"},
		"no PEM":                 {"MIIE", "a", "KITHLINE_DKIM_KEY"},
		"another kind of key":    {other, "a", "KITHLINE_DKIM_KEY"},
		"nonsense in PEM":        {pemOf(t, "PRIVATE KEY", []byte("x"), nil), "a", "KITHLINE_DKIM_KEY"},
		"more keys than any one": {old + ed + ed, "a,b,c", "KITHLINE_DKIM_KEY"},
	} {
		_, err := Load([]string{"KITHLINE_DKIM_KEY=" + x.key, "KITHLINE_DKIM_SELECTOR=" + x.selector})
		if err == nil || !strings.HasPrefix(err.Error(), x.variable+" ") || strings.Contains(err.Error(), "BEGIN PRIVATE") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
