package canvas

// OutlineTool draws an outline with the brush and fills its inside on release,
// in one step. Ctrl takes back instead of painting.
type OutlineTool struct {
	stroke stroke
	points []Point
	ink    Ink
}

var (
	_ Tool     = (*OutlineTool)(nil)
	_ Ringed   = (*OutlineTool)(nil)
	_ Snapping = (*OutlineTool)(nil)
)

// ID returns "outline".
func (*OutlineTool) ID() string { return "outline" }

// Ring says that the ring of the brush is shown.
func (*OutlineTool) Ring() {}

// Snaps says that the path follows edges.
func (*OutlineTool) Snaps() {}

// Outline returns nil: the outline is painted at once.
func (*OutlineTool) Outline() []Path { return nil }

// Handle draws and fills.
func (t *OutlineTool) Handle(p *Painter, e Event) {
	switch e.Kind {
	case Press:
		t.ink = p.Ink()
		if e.Ctrl {
			t.ink = t.ink.eraser()
		}
		edit := p.Begin(t.ink)
		if edit == nil {
			return
		}
		t.points = append(t.points[:0], e.At)
		edit.Start(e.At.X)
		t.stroke.begin(p, e, edit.Span)
		edit.Flush()
	case Drag:
		if edit := p.Edit(); edit != nil {
			t.points = append(t.points, e.At)
			t.stroke.to(p, e, edit.Span)
			edit.Flush()
		}
	case Release:
		if edit := p.Edit(); edit != nil {
			if e.At != t.stroke.at {
				t.points = append(t.points, e.At)
				t.stroke.to(p, e, edit.Span)
			}
			polygonSpans(t.points, p.canvas.h, edit.Span)
			p.end, p.hasEnd = e.At, true
			p.Commit(t.ID())
		}
	case Cancel, Leave:
		p.Abandon()
	}
}
