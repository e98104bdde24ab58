package web

import (
	"fmt"
	"strings"
)

// HostCSS is the style of a frame that follows the colours of the site around it, each as "1c5c4d" or "" for none. Whatever was
// asked for, words have a contrast of at least 4.5 (WCAG 2.2, 1.4.3): text that cannot be read becomes black or white, and the
// accent moves toward the text as far as it must. Without a background only the accent is taken, for light and dark devices.
func HostCSS(accent, background, text string) string {
	if background == "" {
		if accent == "" {
			return ""
		}
		return ThemeCSS("#" + accent)
	}
	paper, err := ParseColour("#" + background)
	if err != nil {
		return ""
	}
	best := black
	if Contrast(white, paper) > Contrast(black, paper) {
		best = white
	}
	ink := best
	if t, err := ParseColour("#" + text); err == nil && Contrast(t, paper) >= readable {
		ink = t
	}
	lead := ink
	if a, err := ParseColour("#" + accent); err == nil {
		for step := range 101 {
			if lead = mix(a, best, float64(step)/100); Contrast(lead, paper) >= readable {
				break
			}
		}
	}
	soft := ink
	for share := 0.35; share > 0; share -= 0.05 { // as soft as can be read
		if s := mix(ink, paper, share); Contrast(s, paper) >= readable {
			soft = s
			break
		}
	}
	scheme := "light"
	if best == white {
		scheme = "dark"
	}
	rules := fmt.Sprintf("color-scheme: %s; --paper: %s; --sheet: %s; --sunk: %s; --ink: %s; --soft: %s; --rule: %s; --edge: %s; --accent: %s; --deep: %s; --on-accent: %s; --wash: %s; --halo: %s;",
		scheme, paper, paper, paper, ink, soft, mix(paper, ink, 0.2), mix(paper, ink, 0.6), lead, lead, paper, paper, paper)
	return strings.Join([]string{":root:root:root:root, :root:root:root[data-theme] { " + rules + " }", ""}, "\n")
}
