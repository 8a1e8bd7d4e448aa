package canvas

// BrushTool paints with the brush. Shift+click draws a straight line from the
// end of the last stroke. The secondary button draws an outline that is filled
// on release.
type BrushTool struct {
	stroke  stroke
	outline *OutlineTool
}

var (
	_ Tool     = (*BrushTool)(nil)
	_ Ringed   = (*BrushTool)(nil)
	_ Snapping = (*BrushTool)(nil)
)

// ID returns "brush".
func (*BrushTool) ID() string { return "brush" }

// Ring says that the ring of the brush is shown.
func (*BrushTool) Ring() {}

// Snaps says that the path follows edges.
func (*BrushTool) Snaps() {}

// Outline returns nil: what the brush does is seen at once.
func (*BrushTool) Outline() []Path { return nil }

// Handle paints.
func (t *BrushTool) Handle(p *Painter, e Event) {
	if e.Kind == Press && e.Button == Secondary {
		t.outline = &OutlineTool{}
	}
	if t.outline != nil {
		t.outline.Handle(p, e)
		if e.Kind == Release || e.Kind == Cancel || e.Kind == Leave {
			t.outline = nil
		}
		return
	}
	t.stroke.paint(p, e, t.ID(), p.Ink())
}

// paint handles the events of a tool that sweeps the brush with one ink.
func (s *stroke) paint(p *Painter, e Event, name string, ink Ink) {
	switch e.Kind {
	case Press:
		edit := p.Begin(ink)
		if edit == nil {
			return
		}
		if e.Shift && p.hasEnd {
			edit.Start(p.end.X)
			s.begin(p, Event{At: p.end, Time: e.Time}, edit.Span)
			// A straight line has no speed.
			line := p.Brush
			p.Brush.BySpeed = false
			s.to(p, e, edit.Span)
			p.Brush = line
		} else {
			edit.Start(e.At.X)
			s.begin(p, e, edit.Span)
		}
		edit.Flush()
	case Drag:
		if edit := p.Edit(); edit != nil {
			s.to(p, e, edit.Span)
			edit.Flush()
		}
	case Release:
		if edit := p.Edit(); edit != nil {
			if e.At != s.at {
				s.to(p, e, edit.Span)
			}
			p.end, p.hasEnd = s.at, true
			p.Commit(name)
		}
	case Cancel, Leave:
		p.Abandon()
	}
}
