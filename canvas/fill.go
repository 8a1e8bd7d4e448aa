package canvas

import (
	"bytes"
	"cmp"
	"math"
	"slices"
)

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
	ch := e.Commit(name)
	if ch != nil {
		ch.fill = &FillOp{X: x, Y: y, Ink: ink, Everywhere: everywhere}
	}
	return ch
}

// allSpans appends every run of a class.
func (c *Canvas) allSpans(spans []span, class uint8) []span {
	for y := range c.h {
		row := c.labels.Pix[y*c.w : (y+1)*c.w]
		for x := 0; x < len(row); {
			n := bytes.IndexByte(row[x:], class)
			if n < 0 {
				break
			}
			x += n
			x0 := x
			x += runLength(row[x:])
			spans = append(spans, span{y, x0, x})
		}
	}
	return spans
}

// connectedSpans appends the runs of the pixels connected by their sides to
// (x, y) that carry its class. The runs of a row are found when a neighbour first
// asks for them; each is visited once.
func (c *Canvas) connectedSpans(spans []span, x, y int) []span {
	class := c.labels.Pix[y*c.w+x]
	f := &c.scratch.flood
	f.reset(c.h)
	first := len(spans)
	// visit takes the runs of row y that touch the columns x0 to x1.
	visit := func(y, x0, x1 int) {
		row := f.row(c, y, class)
		// Runs are sorted: the first that ends behind x0 may touch.
		i, _ := slices.BinarySearchFunc(row, x0, func(r floodRun, x int) int { return cmp.Compare(r.x1, int32(x)+1) })
		for ; i < len(row) && int(row[i].x0) < x1; i++ {
			if r := &row[i]; !r.seen {
				r.seen = true
				spans = append(spans, span{y, int(r.x0), int(r.x1)})
			}
		}
	}
	visit(y, x, x+1)
	for i := first; i < len(spans); i++ {
		s := spans[i]
		if s.y > 0 {
			visit(s.y-1, s.x0, s.x1)
		}
		if s.y+1 < c.h {
			visit(s.y+1, s.x0, s.x1)
		}
	}
	return spans
}

// flood is what a fill knows of the rows it came to.
type flood struct {
	runs []floodRun // of all these rows
	rows []floodRow
}

// floodRow is where the runs of a row lie; 0 to 0 before they are looked for.
type floodRow struct{ from, to int }

// floodRun is the pixels x0 ≤ x < x1 of a row.
type floodRun struct {
	x0, x1 int32
	seen   bool
}

func (f *flood) reset(h int) {
	if cap(f.rows) < h {
		f.rows = make([]floodRow, h)
	}
	f.rows = f.rows[:h]
	clear(f.rows)
	// The first place stays empty, so that a row without runs can be told
	// from one not looked at.
	f.runs = append(f.runs[:0], floodRun{})
}

// row returns the runs of a class in row y, from left to right.
func (f *flood) row(c *Canvas, y int, class uint8) []floodRun {
	at := &f.rows[y]
	if at.to == 0 {
		at.from = len(f.runs)
		row := c.labels.Pix[y*c.w : (y+1)*c.w]
		for x := 0; x < len(row); {
			n := bytes.IndexByte(row[x:], class)
			if n < 0 {
				break
			}
			x += n
			end := x + runLength(row[x:])
			f.runs = append(f.runs, floodRun{x0: int32(x), x1: int32(end)})
			x = end
		}
		at.to = len(f.runs)
	}
	return f.runs[at.from:at.to]
}
