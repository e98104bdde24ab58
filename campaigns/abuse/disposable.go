package abuse

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"strings"
	"sync"
)

// disposableList is a domain a line: see VENDORED.md.
//
//go:embed disposable.txt.gz
var disposableList []byte

var disposable = sync.OnceValue(func() map[string]struct{} {
	r, err := gzip.NewReader(bytes.NewReader(disposableList))
	if err != nil {
		panic(err) // it is part of the program
	}
	out := map[string]struct{}{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		out[lines.Text()] = struct{}{}
	}
	return out
})

// Disposable reports whether addresses of a canonical domain, or of one that it lies below, are known to live for minutes.
func Disposable(domain string) bool {
	found := false
	within(domain, func(d string) bool { _, found = disposable()[d]; return !found })
	return found
}

// within calls fn with a domain and those that it lies below, the narrowest first, down to two labels, until fn returns false.
func within(domain string, fn func(string) bool) {
	for strings.Contains(domain, ".") && fn(domain) {
		_, domain, _ = strings.Cut(domain, ".")
	}
}
