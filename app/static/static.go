// Package static holds the stylesheet and the scripts inside the binary and serves them under names that carry a hash of
// their content, so that a browser may keep them for ever and never shows an old one.
package static

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
)

//go:embed css js img
var files embed.FS

// Prefix is the address below which every asset is served.
const Prefix = "/static/"

// Asset is one embedded file. The compressed forms are made when they are first asked for and kept.
type Asset struct {
	Name  string // "css/kithline.css"
	Path  string // "/static/css/kithline.1f0c3a9b2d4e.css"
	Type  string // Content-Type
	Plain []byte

	gzip, brotli func() []byte
}

// Gzip returns the file compressed with gzip.
func (a *Asset) Gzip() []byte { return a.gzip() }

// Brotli returns the file compressed with brotli.
func (a *Asset) Brotli() []byte { return a.brotli() }

var types = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	".png": "image/png", ".ico": "image/x-icon", ".webmanifest": "application/manifest+json", ".woff2": "font/woff2",
}

var byName, byPath = load()

func load() (names, paths map[string]*Asset) {
	names, paths = map[string]*Asset{}, map[string]*Asset{}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		ext := path.Ext(name)
		if types[ext] == "" {
			return fmt.Errorf("static: %s: no Content-Type is known for %q", name, ext)
		}
		b, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		a := &Asset{Name: name, Type: types[ext], Plain: b}
		a.Path = Prefix + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		a.gzip = sync.OnceValue(func() []byte { return Gzip(b, gzip.BestCompression) })
		a.brotli = sync.OnceValue(func() []byte { return Brotli(b, 9) })
		names[name], paths[a.Path] = a, a
		return nil
	})
	if err != nil {
		panic(err) // the files are part of the binary: only a build with a wrong file gets here, and the test with it
	}
	return names, paths
}

// Find returns the asset at an address, nil where there is none.
func Find(address string) *Asset { return byPath[address] }

// URL returns the address of an asset by its name, such as "css/kithline.css".
func URL(name string) (string, error) {
	if a := byName[name]; a != nil {
		return a.Path, nil
	}
	return "", fmt.Errorf("static: no asset named %q", name)
}

// Names lists every asset's name.
func Names() []string {
	var out []string
	for n := range byName {
		out = append(out, n)
	}
	return out
}

// Gzip compresses b at a level of compress/gzip.
func Gzip(b []byte, level int) []byte {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		panic(err) // a level outside 1 to 9 is a mistake in our own code
	}
	_, _ = z.Write(b) // a bytes.Buffer takes everything
	_ = z.Close()
	return out.Bytes()
}

// Brotli compresses b at a level from 0 to 11.
func Brotli(b []byte, level int) []byte {
	var out bytes.Buffer
	z := brotli.NewWriterLevel(&out, level)
	_, _ = z.Write(b)
	_ = z.Close()
	return out.Bytes()
}
