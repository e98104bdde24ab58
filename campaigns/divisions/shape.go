package divisions

import (
	"errors"
	"math"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
)

// where says how a point lies to a shape.
type where int

const (
	outside where = iota
	edge
	inside
)

// inRing tells how a point lies to a closed ring, by the even-odd rule. A corner and a point exactly on a line are edge.
func inRing(r orb.Ring, p orb.Point) where {
	in := false
	for i := 1; i < len(r); i++ {
		a, b := r[i-1], r[i]
		if a[1] > b[1] || a[1] == b[1] && a[0] > b[0] {
			a, b = b, a // the same line is reckoned the same way, whichever of its two sides the ring is on
		}
		switch {
		case p[1] < a[1] || p[1] > b[1]:
			continue
		case a[1] == b[1]:
			if p[0] >= a[0] && p[0] <= b[0] {
				return edge
			}
			continue
		}
		side := (b[0]-a[0])*(p[1]-a[1]) - (p[0]-a[0])*(b[1]-a[1]) // above 0: the line passes to the east of the point
		if side == 0 {
			return edge
		}
		if side > 0 && p[1] < b[1] { // a line belongs to its lower end, so that a corner counts once
			in = !in
		}
	}
	if in {
		return inside
	}
	return outside
}

// inPolygon tells how a point lies to a polygon: in a hole is outside, on the edge of a hole is edge.
func inPolygon(g orb.Polygon, p orb.Point) where {
	at := inRing(g[0], p)
	if at != inside {
		return at
	}
	for _, hole := range g[1:] {
		switch inRing(hole, p) {
		case inside:
			return outside
		case edge:
			return edge
		}
	}
	return inside
}

// inShape tells how a point lies to any of several polygons.
func inShape(m orb.MultiPolygon, p orb.Point) where {
	best := outside
	for _, g := range m {
		if !g[0].Bound().Contains(p) {
			continue
		}
		if best = max(best, inPolygon(g, p)); best == inside {
			break
		}
	}
	return best
}

var errShape = errors.New("divisions: not the shape of a place")

// check finds what cannot be the shape of a place: no rings, rings that are open or have less than three corners, and
// coordinates that are none on Earth.
func check(m orb.MultiPolygon) error {
	if len(m) == 0 {
		return errShape
	}
	for _, g := range m {
		if len(g) == 0 {
			return errShape
		}
		for _, r := range g {
			if len(r) < 4 || r[0] != r[len(r)-1] {
				return errShape
			}
			for _, p := range r {
				if !onEarth(p[1], p[0]) {
					return errShape
				}
			}
		}
	}
	return nil
}

// onEarth reports whether a latitude and a longitude, in degrees, are a place.
func onEarth(lat, lon float64) bool {
	return math.Abs(lat) <= 90 && math.Abs(lon) <= 180 // false for a NaN
}

// encode writes a shape as it is stored: well-known binary.
func encode(m orb.MultiPolygon) ([]byte, error) { return wkb.Marshal(m) }

// decode is the reverse of encode. It takes a polygon too.
func decode(b []byte) (orb.MultiPolygon, error) {
	g, err := wkb.Unmarshal(b)
	if err != nil {
		return nil, err
	}
	var m orb.MultiPolygon
	switch x := g.(type) {
	case orb.Polygon:
		m = orb.MultiPolygon{x}
	case orb.MultiPolygon:
		m = x
	}
	return m, check(m)
}
