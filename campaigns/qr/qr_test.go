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
