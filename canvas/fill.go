package canvas

import "math"

// FillTool gives the class under the pointer another class: the connected
// pixels, or all of that class with [Painter.FillEverywhere] or Shift.
type FillTool struct{}

var _ Tool = (*FillTool)(nil)

// ID returns "fill".
func (*FillTool) ID() string { return "fill" }

// Outline returns nil.
func (*FillTool) Outline() []Path { return nil }

// Handle fills on Press.
func (t *FillTool) Handle(p *Painter, e Event) {
	if e.Kind != Press {
		return
	}
	ink := p.Ink()
	if e.Ctrl || e.Button == Secondary {
		ink = ink.eraser()
	}
	p.Deliver(p.canvas.Fill(p.stepName(t.ID()), int(math.Floor(e.At.X)), int(math.Floor(e.At.Y)), ink, p.FillEverywhere != e.Shift))
}

// Fill covers the pixels of the class at (x, y) with ink: those connected to it
// by their sides, or everywhere. It returns nil if nothing changed, outside the
// picture and while an edit is open.
func (c *Canvas) Fill(name string, x, y int, ink Ink, everywhere bool) *Change {
	if x < 0 || y < 0 || x >= c.w || y >= c.h {
		return nil
	}
	e, err := c.Begin(ink)
	if err != nil {
		return nil
	}
	e.Start(float64(x) + 0.5)
	spans := c.scratch.spans[:0]
	if everywhere {
		spans = c.allSpans(spans, c.labels.Pix[y*c.w+x])
	} else {
		spans = c.connectedSpans(spans, x, y)
	}
	for _, s := range spans {
		e.Span(s.y, s.x0, s.x1)
	}
	c.scratch.spans = spans
	return e.Commit(name)
}

// allSpans appends every run of a class.
func (c *Canvas) allSpans(spans []span, class uint8) []span {
	for y := range c.h {
		row := c.labels.Pix[y*c.w : (y+1)*c.w]
		for x := 0; x < len(row); x++ {
			if row[x] != class {
				continue
			}
			x0 := x
			x += runLength(row[x:])
			spans = append(spans, span{y, x0, x})
		}
	}
	return spans
}

// connectedSpans appends the runs of the pixels connected by their sides to
// (x, y) that carry its class. Each run is visited once; its neighbours above
// and below are found by walking along it.
func (c *Canvas) connectedSpans(spans []span, x, y int) []span {
	class := c.labels.Pix[y*c.w+x]
	seen := c.scratch.unseen(c.w * c.h)
	first := len(spans)
	grow := func(x, y int) int { // the whole run around a pixel of the class
		row := c.labels.Pix[y*c.w : (y+1)*c.w]
		x0, x1 := x, x
		for x0 > 0 && row[x0-1] == class {
			x0--
		}
		x1 = x + runLength(row[x:])
		mark := seen[y*c.w+x0 : y*c.w+x1]
		for i := range mark {
			mark[i] = true
		}
		spans = append(spans, span{y, x0, x1})
		return x1
	}
	grow(x, y)
	for i := first; i < len(spans); i++ {
		s := spans[i]
		for _, y := range [2]int{s.y - 1, s.y + 1} {
			if y < 0 || y >= c.h {
				continue
			}
			row := c.labels.Pix[y*c.w : (y+1)*c.w]
			done := seen[y*c.w : (y+1)*c.w]
			for x := s.x0; x < s.x1; x++ {
				if row[x] == class && !done[x] {
					x = grow(x, y)
				}
			}
		}
	}
	return spans
}
