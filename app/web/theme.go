package web

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// themeCSS sets the organisation's accent colour: the eight --accent-* values and nothing else.
func (w *Web) themeCSS(c *fiber.Ctx) error {
	site := w.opt.Site(c.UserContext())
	css := ThemeCSS(site.Accent)
	sum := sha256.Sum256([]byte(css))
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	c.Set(fiber.HeaderETag, tag)
	c.Set(fiber.HeaderCacheControl, "public, max-age=300")
	if site.AccentVersion != "" && c.Query("v") == site.AccentVersion {
		c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
	}
	if matchesTag(c, tag) {
		return c.SendStatus(fiber.StatusNotModified)
	}
	c.Set(fiber.HeaderContentType, "text/css; charset=utf-8")
	return c.SendString(css)
}

// DefaultAccent is Kithline's own pine. The stylesheet has its eight values, chosen by hand.
const DefaultAccent = "#1c5c4d"

// ThemeCSS returns the style rules for an accent colour such as "#7b2d52"; nothing for Kithline's own and for a colour that
// cannot be read.
func ThemeCSS(accent string) string {
	a, err := NewAccent(accent)
	if err != nil || strings.EqualFold(strings.TrimSpace(accent), DefaultAccent) {
		return ""
	}
	return fmt.Sprintf(`:root { --accent-l: %s; --accent-l-deep: %s; --accent-l-on: %s; --accent-l-wash: %s;
  --accent-d: %s; --accent-d-deep: %s; --accent-d-on: %s; --accent-d-wash: %s; }
`, a.Light, a.LightDeep, a.LightOn, a.LightWash, a.Dark, a.DarkDeep, a.DarkOn, a.DarkWash)
}

// Accent is one colour made fit for both looks of the pages. Every pair that carries words has a contrast of at least 4.5
// (WCAG 2.2, 1.4.3): the accent on paper, sheet, sunk and wash, and the words on a main button.
type Accent struct {
	Light, LightDeep, LightOn, LightWash RGB
	Dark, DarkDeep, DarkOn, DarkWash     RGB
	Changed                              bool // the colour had to be moved to be readable on light paper
}

// RGB is a colour of the sRGB space.
type RGB struct{ R, G, B uint8 }

func (c RGB) String() string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// ParseColour reads "#1c5c4d" or "#abc".
func ParseColour(s string) (RGB, error) {
	h, ok := strings.CutPrefix(strings.TrimSpace(s), "#")
	if len(h) == 3 {
		h = string([]byte{h[0], h[0], h[1], h[1], h[2], h[2]})
	}
	n, err := strconv.ParseUint(h, 16, 32)
	if !ok || err != nil || len(h) != 6 {
		return RGB{}, fmt.Errorf("%q is not a colour such as #1c5c4d", s)
	}
	return RGB{uint8(n >> 16), uint8(n >> 8), uint8(n)}, nil //nolint:gosec // the three bytes of n
}

// Luminance is WCAG's relative luminance.
func (c RGB) Luminance() float64 {
	f := func(v uint8) float64 {
		x := float64(v) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*f(c.R) + 0.7152*f(c.G) + 0.0722*f(c.B)
}

// Contrast is WCAG's contrast ratio, from 1 to 21.
func Contrast(a, b RGB) float64 {
	x, y := a.Luminance(), b.Luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// mix goes from a to b by a share from 0 to 1.
func mix(a, b RGB, share float64) RGB {
	f := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + (float64(y)-float64(x))*share)) }
	return RGB{f(a.R, b.R), f(a.G, b.G), f(a.B, b.B)}
}

// The surfaces of kithline.css that an accent stands on.
var (
	lightSurfaces = []RGB{{0xfa, 0xf7, 0xf0}, {0xff, 0xfd, 0xf8}, {0xf2, 0xed, 0xe2}}
	darkSurfaces  = []RGB{{0x14, 0x13, 0x10}, {0x1c, 0x1a, 0x17}, {0x0e, 0x0d, 0x0b}}
	lightInk      = RGB{0x26, 0x23, 0x1e}
	darkInk       = RGB{0xe6, 0xe0, 0xd5}
	black         = RGB{0, 0, 0}
	white         = RGB{255, 255, 255}
)

// Words need 4.5. Dark pages aim higher: a colour that barely passes there looks dull.
const (
	readable     = 4.5
	readableDark = 7.0
)

// lighter keeps a colour's hue and goes from it to white by a share from 0 to 1, in lightness rather than by mixing, which
// would turn it grey.
func lighter(c, _ RGB, share float64) RGB {
	r, g, b := float64(c.R)/255, float64(c.G)/255, float64(c.B)/255
	top, low := max(r, g, b), min(r, g, b)
	l, d := (top+low)/2, top-low
	var h, s float64
	if d > 0 {
		s = d / (1 - math.Abs(2*l-1))
		switch top {
		case r:
			h = math.Mod((g-b)/d+6, 6)
		case g:
			h = (b-r)/d + 2
		default:
			h = (r-g)/d + 4
		}
	}
	s, l = min(s, 0.55), l+(1-l)*share // calm: bright colours glow on a dark page
	d = s * (1 - math.Abs(2*l-1))
	x, m := d*(1-math.Abs(math.Mod(h, 2)-1)), l-d/2
	rgb := [][3]float64{{d, x, 0}, {x, d, 0}, {0, d, x}, {0, x, d}, {x, 0, d}, {d, 0, x}}[int(h)%6]
	f := func(v float64) uint8 { return uint8(math.Round((v + m) * 255)) }
	return RGB{f(rgb[0]), f(rgb[1]), f(rgb[2])}
}

// NewAccent makes the eight values from one colour: it is moved toward black for light pages and toward white for dark
// ones, no further than it must, until everything is readable.
func NewAccent(colour string) (Accent, error) {
	c, err := ParseColour(colour)
	if err != nil {
		return Accent{}, err
	}
	var a Accent
	a.Light, a.LightWash, a.LightOn = settle(c, black, mix, lightSurfaces, lightSurfaces[1], 0.11, lightSurfaces[1], lightInk, readable)
	a.Dark, a.DarkWash, a.DarkOn = settle(c, white, lighter, darkSurfaces, darkSurfaces[1], 0.10, darkSurfaces[0], darkInk, readableDark)
	a.LightDeep, a.DarkDeep = mix(a.Light, black, 0.25), mix(a.Dark, white, 0.3)
	a.Changed = a.Light != c
	return a, nil
}

// settle moves c toward an end until it is readable on every surface and on its own wash, which is sheet with a share of
// it, until words in on are readable on it, and until ink is readable on the wash.
func settle(c, end RGB, move func(RGB, RGB, float64) RGB, surfaces []RGB, sheet RGB, share float64, on, ink RGB, aim float64) (accent, wash, words RGB) {
	for step := range 101 {
		accent = move(c, end, float64(step)/100)
		wash = mix(sheet, accent, share)
		low := min(Contrast(accent, on), Contrast(accent, wash), Contrast(ink, wash))
		for _, s := range surfaces {
			low = min(low, Contrast(accent, s))
		}
		if low >= aim {
			break
		}
	}
	return accent, wash, on
}
