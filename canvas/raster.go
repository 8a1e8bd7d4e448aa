package canvas

import (
	"image"
	"math"
	"slices"
)

// Point is a place in picture coordinates: pixel (i, j) covers the square from
// (i, j) to (i+1, j+1).
type Point struct{ X, Y float64 }

// polygonSpans calls fn for the pixels whose centre lies inside the closed
// polygon by the even-odd rule, row by row, in a picture h rows high. Centres on
// a left or upper edge are inside, those on a right or lower edge are not, so
// that polygons sharing an edge share no pixel.
func polygonSpans(pts []Point, h int, fn func(y, x0, x1 int)) {
	if len(pts) < 3 {
		return
	}
	top, bottom := math.Inf(1), math.Inf(-1)
	for _, p := range pts {
		top, bottom = min(top, p.Y), max(bottom, p.Y)
	}
	y0 := max(0, int(math.Floor(max(top-0.5, -1))))
	y1 := min(h-1, int(math.Ceil(min(bottom, float64(h)))))
	var xs []float64
	for y := y0; y <= y1; y++ {
		cy := float64(y) + 0.5
		xs = xs[:0]
		for i, a := range pts {
			b := pts[(i+1)%len(pts)]
			if (a.Y <= cy) == (b.Y <= cy) {
				continue
			}
			xs = append(xs, a.X+(cy-a.Y)/(b.Y-a.Y)*(b.X-a.X))
		}
		slices.Sort(xs)
		for i := 0; i+1 < len(xs); i += 2 {
			// Centres x+0.5 with xs[i] ≤ x+0.5 < xs[i+1].
			a, b := ceilClamp(xs[i]-0.5), ceilClamp(xs[i+1]-0.5)
			if a < b {
				fn(y, a, b)
			}
		}
	}
}

// ceilClamp rounds up to an integer that still can be calculated with.
func ceilClamp(v float64) int {
	return int(math.Ceil(min(max(v, -4*MaxSide), 4*MaxSide)))
}

// box returns the rectangle of pixels between two corner points, both corner
// pixels included. With even set, it is extended from a to a square.
func box(a, b Point, even bool) image.Rectangle {
	ax, ay := floorClamp(a.X), floorClamp(a.Y)
	bx, by := floorClamp(b.X), floorClamp(b.Y)
	if even {
		side := max(abs(bx-ax), abs(by-ay))
		bx, by = ax+sign(bx-ax)*side, ay+sign(by-ay)*side
	}
	return image.Rect(min(ax, bx), min(ay, by), max(ax, bx)+1, max(ay, by)+1)
}

func floorClamp(v float64) int {
	return int(math.Floor(min(max(v, -4*MaxSide), 4*MaxSide)))
}

func abs(v int) int { return max(v, -v) }

// sign is 1 for zero too: a square without width still has a side to grow to.
func sign(v int) int {
	if v < 0 {
		return -1
	}
	return 1
}

// ellipseSpans calls fn for the pixels whose centre lies in the ellipse
// inscribed in r, in a picture h rows high.
func ellipseSpans(r image.Rectangle, h int, fn func(y, x0, x1 int)) {
	w2, h2 := int64(r.Dx()), int64(r.Dy())
	for y := max(r.Min.Y, 0); y < min(r.Max.Y, h); y++ {
		// In half pixels from the centre: (dx/w)² + (dy/h)² ≤ 1.
		dy := int64(2*y + 1 - r.Min.Y - r.Max.Y)
		dx := int(math.Floor(float64(w2) * math.Sqrt(max(0, 1-float64(dy*dy)/float64(h2*h2)))))
		// The square root is an estimate; the integers decide.
		inside := func(dx int) bool { return int64(dx)*int64(dx)*h2*h2+dy*dy*w2*w2 <= w2*w2*h2*h2 }
		for inside(dx + 1) {
			dx++
		}
		for dx >= 0 && !inside(dx) {
			dx--
		}
		if (dx-(r.Dx()-1))%2 != 0 {
			dx--
		}
		if dx < 0 {
			continue
		}
		x0 := (r.Min.X + r.Max.X - 1 - dx) / 2
		fn(y, x0, x0+dx+1)
	}
}
