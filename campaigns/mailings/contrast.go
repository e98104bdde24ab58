package mailings

import (
	"math"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// readable4 is the least contrast that text has by WCAG 2.2, 1.4.3; large text (24 px, or 18.66 px bold) has readable3.
const (
	readable4 = 4.5
	readable3 = 3
)

// rgb is a colour, each part from 0 to 255.
type rgb struct{ r, g, b float64 }

// Colours that are written by name in mails, next to numbers.
var colourNames = map[string]rgb{
	"black": {0, 0, 0}, "white": {255, 255, 255}, "red": {255, 0, 0}, "green": {0, 128, 0}, "blue": {0, 0, 255}, "yellow": {255, 255, 0}, "gray": {128, 128, 128},
	"grey": {128, 128, 128}, "silver": {192, 192, 192}, "maroon": {128, 0, 0}, "navy": {0, 0, 128}, "purple": {128, 0, 128}, "teal": {0, 128, 128}, "olive": {128, 128, 0},
	"lime": {0, 255, 0}, "aqua": {0, 255, 255}, "fuchsia": {255, 0, 255}, "orange": {255, 165, 0}, "lightgray": {211, 211, 211}, "lightgrey": {211, 211, 211},
	"darkgray": {169, 169, 169}, "darkgrey": {169, 169, 169}, "whitesmoke": {245, 245, 245}, "pink": {255, 192, 203},
}

// colourOf reads a colour of CSS: #rgb, #rrggbb, rgb(), rgba() without transparency, or one of the names above.
func colourOf(s string) (rgb, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	if c, ok := colourNames[s]; ok {
		return c, true
	}
	if h, ok := strings.CutPrefix(s, "#"); ok {
		if len(h) == 3 {
			h = string([]byte{h[0], h[0], h[1], h[1], h[2], h[2]})
		}
		n, err := strconv.ParseUint(h, 16, 32)
		if err != nil || len(h) != 6 {
			return rgb{}, false
		}
		return rgb{float64(n >> 16), float64(n >> 8 & 255), float64(n & 255)}, true
	}
	in, ok := strings.CutPrefix(s, "rgb(")
	if !ok {
		in, ok = strings.CutPrefix(s, "rgba(")
	}
	if in, _, closed := strings.Cut(in, ")"); ok && closed {
		parts := strings.FieldsFunc(in, func(r rune) bool { return r == ',' || r == ' ' || r == '/' })
		if len(parts) < 3 || len(parts) > 4 || len(parts) == 4 && parts[3] != "1" {
			return rgb{}, false
		}
		var v [3]float64
		for i := range v {
			n, err := strconv.ParseFloat(parts[i], 64)
			if err != nil || n < 0 || n > 255 {
				return rgb{}, false
			}
			v[i] = n
		}
		return rgb{v[0], v[1], v[2]}, true
	}
	return rgb{}, false
}

// luminance is the relative luminance of WCAG 2.2.
func (c rgb) luminance() float64 {
	f := func(v float64) float64 {
		if v /= 255; v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*f(c.r) + 0.7152*f(c.g) + 0.0722*f(c.b)
}

// contrast is the ratio of two colours by WCAG 2.2, from 1 to 21.
func contrast(a, b rgb) float64 {
	x, y := a.luminance(), b.luminance()
	return (math.Max(x, y) + 0.05) / (math.Min(x, y) + 0.05)
}

// faint returns the first words of each part of HTML whose colour is too near to the one behind it, at most five. Only colours that
// the HTML names itself are looked at; what it leaves open is the reader's.
func faint(src string) []string {
	doc, err := html.Parse(strings.NewReader(src))
	if err != nil {
		return nil
	}
	var out []string
	var walk func(n *html.Node, ink, paper *rgb, size float64, bold bool)
	walk = func(n *html.Node, ink, paper *rgb, size float64, bold bool) {
		if n.Type == html.TextNode {
			words := strings.Join(strings.Fields(n.Data), " ")
			if words == "" || ink == nil || paper == nil || len(out) >= 5 {
				return
			}
			least := readable4
			if size >= 24 || size >= 18.66 && bold {
				least = readable3
			}
			if contrast(*ink, *paper) < least {
				out = append(out, short(words))
			}
			return
		}
		if c, ok := colourOf(attr(n, "bgcolor")); ok {
			paper = &c
		}
		if c, ok := colourOf(attr(n, "color")); ok && n.DataAtom == atom.Font {
			ink = &c
		}
		for _, d := range readStyle(attr(n, "style")) {
			switch d.name {
			case "color":
				if c, ok := colourOf(d.value); ok {
					ink = &c
				} else {
					ink = nil
				}
			case "background-color":
				if c, ok := colourOf(d.value); ok {
					paper = &c
				} else if d.value != "transparent" {
					paper = nil
				}
			case "font-size":
				if px, err := strconv.ParseFloat(strings.TrimSuffix(d.value, "px"), 64); err == nil {
					size = px
				}
			case "font-weight":
				w, err := strconv.Atoi(d.value)
				bold = strings.HasPrefix(d.value, "bold") || err == nil && w >= 700
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, ink, paper, size, bold)
		}
	}
	walk(doc, nil, nil, 16, false)
	return out
}
