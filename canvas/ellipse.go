package canvas

import (
	"image"
	"math"
)

// EllipseTool fills the ellipse inscribed in a rectangle of pixels.
type EllipseTool struct{ box boxDrag }

var _ Tool = (*EllipseTool)(nil)

// ID returns "ellipse".
func (*EllipseTool) ID() string { return "ellipse" }

// Outline returns the ellipse in progress.
func (t *EllipseTool) Outline() []Path {
	if !t.box.active {
		return nil
	}
	r := t.box.bounds()
	path := Path{Closed: true}
	cx, cy := float64(r.Min.X+r.Max.X)/2, float64(r.Min.Y+r.Max.Y)/2
	const corners = 48
	for i := range corners {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / corners)
		path.Points = append(path.Points, Point{cx + float64(r.Dx())/2*cos, cy + float64(r.Dy())/2*sin})
	}
	return []Path{path}
}

// Handle draws the ellipse.
func (t *EllipseTool) Handle(p *Painter, e Event) {
	t.box.handle(p, e, t.ID(), func(r image.Rectangle, edit *Edit) {
		ellipseSpans(r, p.canvas.h, edit.Span)
	})
}
