// Package qr draws QR codes that need nothing from elsewhere.
package qr

import (
	"fmt"
	"strings"

	qrcode "github.com/skip2/go-qrcode"
)

// SVG draws a text as a QR code (ISO/IEC 18004, error correction M) that can be printed at any size. title is its name for who
// does not see it, in the reader's language. The error is for a text too long for a code.
func SVG(text, title string) ([]byte, error) {
	modules, err := Modules(text)
	if err != nil {
		return nil, err
	}
	return []byte(draw(modules, title)), nil
}

// Modules is the code of a text as rows of dark and light squares, with the quiet zone around it: for who draws it themselves.
// The error is for a text too long for a code.
func Modules(text string) ([][]bool, error) {
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return nil, err
	}
	return code.Bitmap(), nil
}

// draw draws the dark runs of each row. The bitmap holds the quiet zone.
func draw(bits [][]bool, title string) string {
	var path strings.Builder
	for y, row := range bits {
		for x := 0; x < len(row); x++ {
			if !row[x] {
				continue
			}
			from := x
			for x < len(row) && row[x] {
				x++
			}
			fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from, y, x-from, x-from)
		}
	}
	title = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(title)
	n := len(bits)
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges" role="img"><title>%s</title>`+
		`<path fill="#fff" d="M0 0h%dv%dh-%dz"/><path fill="#000" d="%s"/></svg>`, n, n, title, n, n, n, path.String())
}
