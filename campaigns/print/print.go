// Package print sets text of any script: Document makes a PDF, Picture a PNG for links that are shared. Latin with stacked
// marks, Cyrillic, Greek, joined Arabic, Hebrew, Indic scripts and the names of China, Japan and Korea stand in one line as the
// Unicode standard says, in both directions.
//
// A text goes four ways. shape.go cuts it into pieces of one direction, script and font and lets HarfBuzz choose and place the
// glyphs. lines.go breaks it into lines (UAX 14) and brings the pieces of each into the order they are seen in (UAX 9).
// document.go and its parts put lines on pages. pdf.go writes the pages with the glyphs that were used, and with a map from
// glyphs to text, so that a name can be searched and copied. The fonts are in the program; each is unpacked when it is first
// needed.
package print

// Size is the size of a page in points, 1/72 of an inch.
type Size struct{ Width, Height float64 }

// The pages of the world, and those of North America.
var (
	A4     = Size{595.28, 841.89}
	Letter = Size{612, 792}
)

// Color is red, green and blue.
type Color [3]uint8

// The colours of the house: ink and lines on white paper, and the pine that marks what counts.
var (
	ink  = Color{0, 0, 0}
	soft = Color{0x4a, 0x45, 0x3d}
	rule = Color{0x99, 0x93, 0x88}
	pine = Color{0x1c, 0x5c, 0x4d}
)

// style is how a text looks.
type style struct {
	size  float64 // of the letters, in points or pixels
	bold  bool
	color Color
}

// leading is the distance between the base lines of a text.
func (s style) leading() float64 { return s.size * 1.45 }
