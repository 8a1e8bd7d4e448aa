package canvas

// SmoothTool smooths the boundaries under the brush: each pixel takes the class
// that most pixels around it have, its own class winning ties. No class is
// brought in that was not there, so that two classes stay without a gap.
type SmoothTool struct {
	stroke stroke
	spans  []span
	out    []uint8
}

var (
	_ Tool   = (*SmoothTool)(nil)
	_ Ringed = (*SmoothTool)(nil)
)

// ID returns "smooth".
func (*SmoothTool) ID() string { return "smooth" }

// Ring says that the ring of the brush is shown.
func (*SmoothTool) Ring() {}

// Outline returns nil: the smoothing is seen at once.
func (*SmoothTool) Outline() []Path { return nil }

// Handle smooths under the brush at every event.
func (t *SmoothTool) Handle(p *Painter, e Event) {
	collect := func(y, x0, x1 int) { t.spans = append(t.spans, span{y, max(x0, 0), min(x1, p.canvas.w)}) }
	t.spans = t.spans[:0]
	switch e.Kind {
	case Press:
		edit := p.Begin(Ink{Class: p.class})
		if edit == nil {
			return
		}
		t.stroke.begin(p, e, collect)
	case Drag, Release:
		if p.Edit() == nil {
			return
		}
		if e.Kind == Drag || e.At != t.stroke.at {
			t.stroke.to(p, e, collect)
		}
	case Cancel, Leave:
		p.Abandon()
		return
	default:
		return
	}
	t.smooth(p.canvas, p.Edit(), min(max(p.SmoothRadius, 1), 16))
	p.Edit().Flush()
	if e.Kind == Release {
		p.end, p.hasEnd = t.stroke.at, true
		p.Commit(t.ID())
	}
}

// smooth replaces the classes in t.spans by the most frequent one in the square
// of the given radius, all read before any is written.
func (t *SmoothTool) smooth(c *Canvas, e *Edit, radius int) {
	t.out = t.out[:0]
	for _, s := range t.spans {
		t.out = c.modes(t.out, s, radius)
	}
	k := 0
	for _, s := range t.spans {
		for x := s.x0; x < s.x1; x++ {
			if now := t.out[k]; now != c.labels.Pix[s.y*c.w+x] {
				e.Put(x, s.y, now)
			}
			k++
		}
	}
}

// modes appends the most frequent class around each pixel of a span. The window
// slides along the span; only the columns entering and leaving are counted.
func (c *Canvas) modes(out []uint8, s span, radius int) []uint8 {
	if s.x0 >= s.x1 {
		return out
	}
	var counts [256]int
	present := make([]uint8, 0, 16) // classes counted at least once
	y0, y1 := max(s.y-radius, 0), min(s.y+radius+1, c.h)
	column := func(x, sign int) {
		if x < 0 || x >= c.w {
			return
		}
		for y := y0; y < y1; y++ {
			k := c.labels.Pix[y*c.w+x]
			if counts[k] == 0 && sign > 0 {
				known := false
				for _, q := range present {
					known = known || q == k
				}
				if !known {
					present = append(present, k)
				}
			}
			counts[k] += sign
		}
	}
	for x := s.x0 - radius; x < s.x0+radius; x++ {
		column(x, 1)
	}
	for x := s.x0; x < s.x1; x++ {
		column(x+radius, 1)
		best := c.labels.Pix[s.y*c.w+x]
		n := counts[best]
		for _, k := range present {
			if counts[k] > n || counts[k] == n && n > 0 && k < best && best != c.labels.Pix[s.y*c.w+x] {
				best, n = k, counts[k]
			}
		}
		out = append(out, best)
		column(x-radius, -1)
	}
	return out
}
