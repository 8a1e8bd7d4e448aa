package canvas

// LassoTool fills what is drawn around. Releasing closes the loop. With Ctrl, or
// the secondary button, the inside goes back to the original.
type LassoTool struct {
	points []Point
	ink    Ink
}

var (
	_ Tool     = (*LassoTool)(nil)
	_ Snapping = (*LassoTool)(nil)
)

// ID returns "lasso".
func (*LassoTool) ID() string { return "lasso" }

// Snaps says that the path follows edges.
func (*LassoTool) Snaps() {}

// Outline returns the loop so far.
func (t *LassoTool) Outline() []Path {
	if len(t.points) == 0 {
		return nil
	}
	return []Path{{Points: t.points, Closed: true}}
}

// Handle draws the loop.
func (t *LassoTool) Handle(p *Painter, e Event) {
	switch e.Kind {
	case Press:
		t.ink = p.Ink()
		if e.Ctrl || e.Button == Secondary {
			t.ink = t.ink.eraser()
		}
		t.points = append(t.points[:0], e.At)
	case Drag:
		t.add(e.At)
	case Release:
		t.add(e.At)
		if len(t.points) > 2 {
			fillPolygon(p, t.ID(), t.ink, t.points)
		}
		t.points = t.points[:0]
	case Cancel, Leave:
		t.points = t.points[:0]
	}
}

func (t *LassoTool) add(pt Point) {
	if n := len(t.points); n > 0 && t.points[n-1] != pt {
		t.points = append(t.points, pt)
	}
}
