package canvas

import "slices"

// PolygonTool fills a polygon. A click adds a corner, Back takes the last one
// away, Confirm or a click on the first corner fills. Begun with Ctrl it takes
// back instead of painting.
type PolygonTool struct {
	points []Point
	loose  Point // where the pointer is
	erase  bool
}

var (
	_ Tool     = (*PolygonTool)(nil)
	_ Snapping = (*PolygonTool)(nil)
)

// ID returns "polygon".
func (*PolygonTool) ID() string { return "polygon" }

// Snaps says that the path follows edges.
func (*PolygonTool) Snaps() {}

// Outline returns the corners and the side that follows the pointer.
func (t *PolygonTool) Outline() []Path {
	if len(t.points) == 0 {
		return nil
	}
	return []Path{
		{Points: append(slices.Clone(t.points), t.loose), Closed: true},
		{Points: t.points, Handles: true},
	}
}

// Handle adds, removes and fills.
func (t *PolygonTool) Handle(p *Painter, e Event) {
	switch e.Kind {
	case Press:
		t.loose = e.At
		if e.Button == Secondary {
			t.back()
			return
		}
		n := len(t.points)
		if n == 0 {
			t.erase = e.Ctrl
		}
		if n > 2 && near(e.At, t.points[0], e.Slack) {
			t.fill(p)
			return
		}
		if n > 0 && e.At == t.points[n-1] {
			return // the second click of a double click
		}
		t.points = append(t.points, e.At)
	case Drag, Hover, Release:
		t.loose = e.At
	case Back:
		t.back()
	case Confirm:
		t.fill(p)
	case Cancel, Leave:
		t.points = nil
	}
}

func (t *PolygonTool) back() {
	if n := len(t.points); n > 0 {
		t.points = t.points[:n-1]
	}
}

func (t *PolygonTool) fill(p *Painter) {
	ink := p.Ink()
	if t.erase {
		ink = ink.eraser()
	}
	if len(t.points) > 2 {
		fillPolygon(p, t.ID(), ink, t.points)
	}
	t.points = nil
}

func fillPolygon(p *Painter, name string, ink Ink, pts []Point) {
	if e := p.Begin(ink); e != nil {
		e.Start(pts[0].X)
		polygonSpans(pts, p.canvas.h, e.Span)
		p.Commit(name)
	}
}

func near(a, b Point, slack float64) bool {
	dx, dy := a.X-b.X, a.Y-b.Y
	return dx*dx+dy*dy <= slack*slack
}
