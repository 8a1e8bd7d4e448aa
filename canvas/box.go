package canvas

import "image"

// boxDrag is a rectangle drawn from corner to corner. Shift makes the sides
// equal; Ctrl or the secondary button takes back instead of painting.
type boxDrag struct {
	from, to Point
	active   bool
	even     bool
	ink      Ink
}

func (b *boxDrag) bounds() image.Rectangle { return box(b.from, b.to, b.even) }

func (b *boxDrag) handle(p *Painter, e Event, name string, fill func(image.Rectangle, *Edit)) {
	switch e.Kind {
	case Press:
		*b = boxDrag{from: e.At, to: e.At, active: true, even: e.Shift, ink: p.Ink()}
		if e.Ctrl || e.Button == Secondary {
			b.ink = b.ink.eraser()
		}
	case Drag:
		b.to, b.even = e.At, e.Shift
	case Release:
		if !b.active {
			return
		}
		b.to, b.even, b.active = e.At, e.Shift, false
		if edit := p.Begin(b.ink); edit != nil {
			edit.Start(b.from.X)
			fill(b.bounds(), edit)
			p.Commit(name)
		}
	case Cancel, Leave:
		b.active = false
	}
}

// RectangleTool fills a rectangle between two corner pixels, both included.
type RectangleTool struct{ box boxDrag }

var _ Tool = (*RectangleTool)(nil)

// ID returns "rectangle".
func (*RectangleTool) ID() string { return "rectangle" }

// Outline returns the rectangle in progress.
func (t *RectangleTool) Outline() []Path {
	if !t.box.active {
		return nil
	}
	return []Path{rectPath(t.box.bounds())}
}

// Handle draws the rectangle.
func (t *RectangleTool) Handle(p *Painter, e Event) {
	t.box.handle(p, e, t.ID(), func(r image.Rectangle, edit *Edit) {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			edit.Span(y, r.Min.X, r.Max.X)
		}
	})
}

func rectPath(r image.Rectangle) Path {
	x0, y0, x1, y1 := float64(r.Min.X), float64(r.Min.Y), float64(r.Max.X), float64(r.Max.Y)
	return Path{Points: []Point{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}, Closed: true}
}
