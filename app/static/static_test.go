package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
)

func TestNamesCarryAHashOfTheContent(t *testing.T) {
	for name, a := range byName {
		sum := sha256.Sum256(a.Plain)
		if !strings.Contains(a.Path, "."+hex.EncodeToString(sum[:6])+".") || !strings.HasPrefix(a.Path, Prefix) || Find(a.Path) != a {
			t.Errorf("%s is at %s", name, a.Path)
		}
	}
	if Find("/static/css/kithline.css") != nil || Find("/static/../static.go") != nil {
		t.Error("a file is found without its hash")
	}
}

func TestCompressedFormsHoldTheSame(t *testing.T) {
	for name, a := range byName {
		z, err := gzip.NewReader(bytes.NewReader(a.Gzip()))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(z); err != nil || !bytes.Equal(b, a.Plain) {
			t.Errorf("%s by gzip: %v", name, err)
		}
		if b, err := io.ReadAll(brotli.NewReader(bytes.NewReader(a.Brotli()))); err != nil || !bytes.Equal(b, a.Plain) {
			t.Errorf("%s by brotli: %v", name, err)
		}
	}
}

// The dark tokens stand twice: for a device that is dark and for a reader who chose dark.
func TestBothDarkBlocksAreEqual(t *testing.T) {
	css := string(byName["css/kithline.css"].Plain)
	block := func(start string) string {
		_, rest, ok := strings.Cut(css, start)
		if !ok {
			t.Fatalf("no %q", start)
		}
		body, _, ok := strings.Cut(rest, "}")
		if !ok {
			t.Fatalf("%q does not end", start)
		}
		body = regexp.MustCompile(`/\*.*?\*/`).ReplaceAllString(body, "")
		return strings.Join(strings.Fields(body), " ")
	}
	device, chosen := block(`:root:not([data-theme="light"]) {`), block(`:root[data-theme="dark"] {`)
	if device != chosen || len(device) < 300 {
		t.Errorf("the device's:\n%s\nthe reader's:\n%s", device, chosen)
	}
}

func TestTheStylesheetIsSmallAndAlone(t *testing.T) {
	css := byName["css/kithline.css"]
	if n := len(css.Plain); n > 21<<10 {
		t.Errorf("it has %d bytes, at most 21 KiB", n)
	}
	if strings.Contains(string(css.Plain), "url(") || strings.Contains(string(css.Plain), "@import") {
		t.Error("it loads something")
	}
}

func TestVendoredFilesAreNamed(t *testing.T) {
	doc, err := os.ReadFile("VENDORED.md")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(byName["js/htmx.min.js"].Plain)
	if !bytes.Contains(doc, []byte(hex.EncodeToString(sum[:]))) {
		t.Error("js/htmx.min.js is not the file that VENDORED.md names")
	}
}
