package qr

import (
	"strings"
	"testing"
)

func TestQR(t *testing.T) {
	svg := draw([][]bool{{false, false, false}, {false, true, true}, {false, false, true}}, "a < b")
	want := `d="M1 1h2v1h-2zM2 2h1v1h-1z"`
	if !strings.Contains(svg, want) || !strings.Contains(svg, "<title>a &lt; b</title>") || !strings.Contains(svg, `viewBox="0 0 3 3"`) {
		t.Error(svg)
	}
}

func TestModules(t *testing.T) {
	modules, err := Modules("https://act.example.org/twenty")
	if err != nil {
		t.Fatal(err)
	}
	const quiet = 4
	if n := len(modules); n < 21+2*quiet || len(modules[0]) != n || modules[quiet-1][quiet] || !modules[quiet][quiet] || modules[quiet+1][quiet+1] {
		t.Errorf("%d rows; the corner is not where it belongs", n)
	}
	if _, err := Modules(strings.Repeat("x", 5000)); err == nil {
		t.Error("no error for a text that is too long")
	}
}
