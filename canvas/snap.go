package canvas

import (
	"image"
	"math"
)

// MaxSnap is the largest reach in pixels within which strokes snap to edges.
const MaxSnap = 32

// Snapping is implemented by tools whose path follows the edges of the picture
// when [Painter.Snap] is set.
type Snapping interface{ Snaps() }

// leastEdge is the gradient, in grey levels per pixel, below which there is no
// edge to snap to: less is noise and soft shading.
const leastEdge = 6

// snapStep is the distance in pixels at which a quick motion looks for the edge
// in between, so that it does not cut across what the edge goes around.
const snapStep = 2

// SetPicture gives the picture whose edges strokes snap to, of the canvas's size
// with its origin at (0, 0), or nil for none. The painter only reads it.
func (p *Painter) SetPicture(m *image.RGBA) {
	if m != nil && m.Rect != p.canvas.Bounds() {
		m = nil
	}
	p.picture = m
}

// snapped passes an event on to a tool with its place moved onto an edge; a drag
// in several steps.
func (p *Painter) snapped(t Tool, e Event) {
	from := p.loose
	p.loose = e.At
	reach := min(p.Snap, MaxSnap)
	if _, ok := t.(Snapping); !ok || reach < 1 || p.picture == nil || e.Ctrl {
		t.Handle(p, e)
		return
	}
	if e.Kind != Drag {
		e.At = p.toEdge(e.At, reach)
		t.Handle(p, e)
		return
	}
	to := e.At
	dx, dy := to.X-from.X, to.Y-from.Y
	n := max(int(math.Ceil(math.Hypot(dx, dy)/snapStep)), 1)
	for i := 1; i <= n; i++ {
		s := float64(i) / float64(n)
		e.At = p.toEdge(Point{from.X + dx*s, from.Y + dy*s}, reach)
		t.Handle(p, e)
	}
}

// toEdge returns the middle of the pixel with the strongest gradient within reach
// of a place, nearer ones counting more, or the place itself where there is no
// edge.
func (p *Painter) toEdge(at Point, reach int) Point {
	x0, y0 := floorClamp(at.X), floorClamp(at.Y)
	best, found := 0.0, at
	for y := max(y0-reach, 1); y <= min(y0+reach, p.canvas.h-2); y++ {
		for x := max(x0-reach, 1); x <= min(x0+reach, p.canvas.w-2); x++ {
			q := Point{float64(x) + 0.5, float64(y) + 0.5}
			d2 := ((q.X-at.X)*(q.X-at.X) + (q.Y-at.Y)*(q.Y-at.Y)) / float64((reach+1)*(reach+1))
			if d2 >= 1 {
				continue
			}
			if g := gradient(p.picture, x, y); g >= leastEdge && g*(1-d2) > best {
				best, found = g*(1-d2), q
			}
		}
	}
	return found
}

// gradient returns the length of the gradient of the picture's brightness at a
// pixel inside of its border, in grey levels per pixel, by the operator of Sobel
// and Feldman (1968).
func gradient(m *image.RGBA, x, y int) float64 {
	at := m.PixOffset(x, y)
	grey := func(i int) int {
		// The weights of ITU-R BT.601, in 256ths.
		return 77*int(m.Pix[i]) + 150*int(m.Pix[i+1]) + 29*int(m.Pix[i+2])
	}
	a, b, c := grey(at-m.Stride-4), grey(at-m.Stride), grey(at-m.Stride+4)
	d, e := grey(at-4), grey(at+4)
	f, g, h := grey(at+m.Stride-4), grey(at+m.Stride), grey(at+m.Stride+4)
	gx, gy := c+2*e+h-a-2*d-f, f+2*g+h-a-2*b-c
	return math.Hypot(float64(gx), float64(gy)) / (8 * 256)
}
