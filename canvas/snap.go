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

// leastEdge is the gradient, in levels per pixel, below which there is no
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
		p.onEdge = e.At
		t.Handle(p, e)
		return
	}
	if e.Kind != Drag {
		if e.Kind != Release {
			p.onEdge = e.At // nothing to follow yet
		}
		e.At = p.toEdge(e.At, p.onEdge, reach)
		t.Handle(p, e)
		return
	}
	to := e.At
	dx, dy := to.X-from.X, to.Y-from.Y
	n := max(int(math.Ceil(math.Hypot(dx, dy)/snapStep)), 1)
	for i := 1; i <= n; i++ {
		s := float64(i) / float64(n)
		ahead := Point{p.onEdge.X + dx/float64(n), p.onEdge.Y + dy/float64(n)}
		p.onEdge = p.toEdge(Point{from.X + dx*s, from.Y + dy*s}, ahead, reach)
		e.At = p.onEdge
		t.Handle(p, e)
	}
}

// toEdge returns the middle of the pixel with the strongest gradient within reach
// of a place, or the place itself where there is no edge. Pixels count more the
// nearer they are to the place, and to where the edge followed so far would go on.
func (p *Painter) toEdge(at, ahead Point, reach int) Point {
	x0, y0 := floorClamp(at.X), floorClamp(at.Y)
	r2 := float64((reach + 1) * (reach + 1))
	best, found := 0.0, at
	for y := max(y0-reach, 1); y <= min(y0+reach, p.canvas.h-2); y++ {
		for x := max(x0-reach, 1); x <= min(x0+reach, p.canvas.w-2); x++ {
			q := Point{float64(x) + 0.5, float64(y) + 0.5}
			off := 1 - q.dist2(at)/r2
			if off <= 0 {
				continue
			}
			g := gradient(p.picture, x, y)
			if score := g * off * off / (1 + 4*q.dist2(ahead)/r2); g >= leastEdge && score > best {
				best, found = score, q
			}
		}
	}
	return found
}

func (q Point) dist2(r Point) float64 { return (q.X-r.X)*(q.X-r.X) + (q.Y-r.Y)*(q.Y-r.Y) }

// gradient returns the length of the gradient of the picture at a pixel inside of
// its border, in levels per pixel, by the operator of Sobel and Feldman (1968) on
// each of the colours.
func gradient(m *image.RGBA, x, y int) float64 {
	at := m.PixOffset(x, y)
	above, below := m.Pix[at-m.Stride-4:][:11], m.Pix[at+m.Stride-4:][:11]
	row := m.Pix[at-4:][:11]
	sum := 0
	for k := range 3 {
		a, b, c := int(above[k]), int(above[k+4]), int(above[k+8])
		d, e := int(row[k]), int(row[k+8])
		f, g, h := int(below[k]), int(below[k+4]), int(below[k+8])
		gx, gy := c+2*e+h-a-2*d-f, f+2*g+h-a-2*b-c
		sum += gx*gx + gy*gy
	}
	return math.Sqrt(float64(sum)/3) / 8
}
