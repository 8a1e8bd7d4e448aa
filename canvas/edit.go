package canvas

import (
	"bytes"
	"image"
)

// tileSide is the side of the squares in which pixels are saved for undo.
const (
	tileShift = 6
	tileSide  = 1 << tileShift
)

// Edit is an open transaction on a canvas. Pixels change at once; the state
// before is saved tile by tile at first touch. Exactly one of Commit and
// Cancel ends it. Protection and symmetry are those of the moment it began.
type Edit struct {
	c     *Canvas
	ink   Ink
	side  int // −1: the stroke began left of the axis, +1 right, 0 not known yet
	sym   Symmetry
	okOld [256]bool // classes that may lose pixels
	okNew [256]bool // classes that may gain pixels
	saved []*savedTile
	list  []int           // indices of saved tiles in order of touch
	dirty image.Rectangle // changed since the last Flush
}

type savedTile struct {
	labels, marks [tileSide * tileSide]uint8
	base          []uint8 // only when the base labels change
}

// Begin opens an edit that paints with ink. It returns ErrBusy while another
// one is open.
func (c *Canvas) Begin(ink Ink) (*Edit, error) {
	if c.open != nil {
		return nil, ErrBusy
	}
	tw, th := c.tilesAcross()
	e := &Edit{c: c, sym: c.Symmetry, saved: make([]*savedTile, tw*th)}
	e.SetInk(ink)
	c.open = e
	return e, nil
}

// Editing reports whether an edit is open.
func (c *Canvas) Editing() bool { return c.open != nil }

func (c *Canvas) tilesAcross() (tw, th int) {
	return (c.w + tileSide - 1) >> tileShift, (c.h + tileSide - 1) >> tileShift
}

func (c *Canvas) tileBounds(i int) image.Rectangle {
	tw, _ := c.tilesAcross()
	x, y := (i%tw)<<tileShift, (i/tw)<<tileShift
	return image.Rect(x, y, min(x+tileSide, c.w), min(y+tileSide, c.h))
}

// SetInk changes what the following spans leave.
func (e *Edit) SetInk(ink Ink) {
	e.ink = ink
	p := &e.c.Protection
	classes := len(e.c.labels.Palette)
	for k := range e.okOld {
		e.okOld[k] = !p.Locked[k] &&
			(!p.PreserveOthers || k == int(p.Background) || k == int(ink.Class))
		e.okNew[k] = !p.Locked[k] && k < classes
	}
}

// Ink returns the ink in use.
func (e *Edit) Ink() Ink { return e.ink }

// Start tells on which side of the mirror axis the stroke begins. Without it,
// the first span decides.
func (e *Edit) Start(x float64) {
	e.side = 1
	if 2*x < float64(e.sym.Sum+1) {
		e.side = -1
	}
}

// Span paints the pixels x0 ≤ x < x1 of row y with the ink of the edit, and
// their mirror images when symmetry is on. It is clipped to the picture.
func (e *Edit) Span(y, x0, x1 int) {
	if x0 >= x1 || y < 0 || y >= e.c.h {
		return
	}
	if !e.sym.On {
		e.row(y, x0, x1, e.ink)
		return
	}
	if e.side == 0 {
		e.Start(float64(x0+x1) / 2)
	}
	e.halves(y, x0, x1)
	e.halves(y, e.sym.Mirror(x1-1), e.sym.Mirror(x0)+1)
}

// halves paints a span with the ink on the side where the stroke began and
// with the paired ink on the other.
func (e *Edit) halves(y, x0, x1 int) {
	paired := e.ink
	paired.Class = e.sym.Pairs[e.ink.Class]
	left, right := e.ink, paired
	// The column on the axis, if there is one, takes the ink itself.
	mid := (e.sym.Sum + 2) >> 1
	if e.side > 0 {
		left, right = paired, e.ink
		mid = (e.sym.Sum + 1) >> 1
	}
	e.row(y, x0, min(x1, mid), left)
	e.row(y, max(x0, mid), x1, right)
}

func (e *Edit) row(y, x0, x1 int, ink Ink) {
	x0, x1 = max(x0, 0), min(x1, e.c.w)
	if x0 >= x1 {
		return
	}
	c := e.c
	e.touch(y, x0, x1)
	e.grow(image.Rect(x0, y, x1, y+1))
	at := y*c.w + x0
	labels := c.labels.Pix[at : at+x1-x0]
	marks := c.marks[at : at+len(labels)]
	switch ink.Kind {
	case Paint:
		if !e.okNew[ink.Class] {
			return
		}
		for i := 0; i < len(labels); {
			old := labels[i]
			n := runLength(labels[i:])
			if e.okOld[old] || old == ink.Class {
				if old != ink.Class {
					c.counts[old] -= n
					c.counts[ink.Class] += n
					setBytes(labels[i:i+n], ink.Class)
				}
				maskBytes(marks[i:i+n], 0xff, uint8(Touched))
			}
			i += n
		}
	case Original:
		base := c.base.Pix[at : at+len(labels)]
		for i, old := range labels {
			now := base[i]
			if !e.okOld[old] || !e.okNew[now] {
				continue
			}
			if old != now {
				c.counts[old]--
				c.counts[now]++
				labels[i] = now
			}
			marks[i] &^= uint8(Touched)
		}
	case MarkKeep:
		maskBytes(marks, ^uint8(Free), uint8(Keep))
	case MarkFree:
		maskBytes(marks, ^uint8(Keep), uint8(Free))
	case Unmark:
		maskBytes(marks, ^uint8(Keep|Free), 0)
	}
}

// Mark covers the pixels x0 ≤ x < x1 of row y with the ink of the edit, without
// symmetry.
func (e *Edit) Mark(y, x0, x1 int) {
	if y >= 0 && y < e.c.h {
		e.row(y, x0, x1, e.ink)
	}
}

// Put sets one pixel to a class and touches it, without symmetry. It reports
// whether protection allowed it. Outside the picture nothing happens.
func (e *Edit) Put(x, y int, class uint8) bool {
	c := e.c
	if x < 0 || y < 0 || x >= c.w || y >= c.h {
		return false
	}
	i := y*c.w + x
	old := c.labels.Pix[i]
	if !e.okOld[old] || !e.okNew[class] {
		return false
	}
	e.touch(y, x, x+1)
	e.grow(image.Rect(x, y, x+1, y+1))
	if old != class {
		c.counts[old]--
		c.counts[class]++
		c.labels.Pix[i] = class
	}
	c.marks[i] |= uint8(Touched)
	return true
}

// grow adds r to what Flush announces.
func (e *Edit) grow(r image.Rectangle) {
	if e.dirty.Empty() {
		e.dirty = r
	} else {
		// Rectangle.Union without its checks: this runs once a row.
		e.dirty.Min.X = min(e.dirty.Min.X, r.Min.X)
		e.dirty.Min.Y = min(e.dirty.Min.Y, r.Min.Y)
		e.dirty.Max.X = max(e.dirty.Max.X, r.Max.X)
		e.dirty.Max.Y = max(e.dirty.Max.Y, r.Max.Y)
	}
}

// Flush announces what changed since the last Flush and returns its rectangle.
func (e *Edit) Flush() image.Rectangle {
	r := e.dirty
	e.dirty = image.Rectangle{}
	e.c.announce(r)
	return r
}

// touch saves the tiles under a row of pixels, which must lie in the picture.
func (e *Edit) touch(y, x0, x1 int) {
	tw, _ := e.c.tilesAcross()
	row := (y >> tileShift) * tw
	for t := row + x0>>tileShift; t <= row+(x1-1)>>tileShift; t++ {
		if e.saved[t] == nil {
			e.save(t)
		}
	}
}

func (e *Edit) save(t int) {
	c := e.c
	s := c.scratch.tile()
	r := c.tileBounds(t)
	for y, k := r.Min.Y, 0; y < r.Max.Y; y, k = y+1, k+r.Dx() {
		at := y*c.w + r.Min.X
		copy(s.labels[k:], c.labels.Pix[at:at+r.Dx()])
		copy(s.marks[k:], c.marks[at:at+r.Dx()])
	}
	e.saved[t] = s
	e.list = append(e.list, t)
}

// touchAll saves everything, the base labels too.
func (e *Edit) touchAll() {
	c := e.c
	for y := range c.h {
		e.touch(y, 0, c.w)
	}
	for _, t := range e.list {
		r := c.tileBounds(t)
		s := e.saved[t]
		s.base = make([]uint8, 0, r.Dx()*r.Dy())
		for y := r.Min.Y; y < r.Max.Y; y++ {
			at := y*c.w + r.Min.X
			s.base = append(s.base, c.base.Pix[at:at+r.Dx()]...)
		}
	}
}

// Rewind brings the pixels back to the state before the edit and keeps the
// edit open. The caller flushes when it has painted anew.
func (e *Edit) Rewind() {
	c := e.c
	for _, t := range e.list {
		r := c.tileBounds(t)
		s := e.saved[t]
		changed := image.Rectangle{}
		for y, k := r.Min.Y, 0; y < r.Max.Y; y, k = y+1, k+r.Dx() {
			at := y*c.w + r.Min.X
			labels, marks := c.labels.Pix[at:at+r.Dx()], c.marks[at:at+r.Dx()]
			was, had := s.labels[k:k+r.Dx()], s.marks[k:k+r.Dx()]
			if bytes.Equal(labels, was) && bytes.Equal(marks, had) {
				continue
			}
			for i, v := range labels {
				if v != was[i] {
					c.counts[v]--
					c.counts[was[i]]++
				}
			}
			copy(labels, was)
			copy(marks, had)
			changed = changed.Union(image.Rect(r.Min.X, y, r.Max.X, y+1))
		}
		if s.base != nil {
			for y, k := r.Min.Y, 0; y < r.Max.Y; y, k = y+1, k+r.Dx() {
				at := y*c.w + r.Min.X
				copy(c.base.Pix[at:at+r.Dx()], s.base[k:])
			}
		}
		if !changed.Empty() {
			e.grow(changed)
		}
	}
}

// Cancel brings the pixels back to the state before the edit and ends it.
func (e *Edit) Cancel() {
	if e.c.open != e {
		return
	}
	e.Rewind()
	e.close()
	e.Flush()
}

// Commit ends the edit and returns the change under the given name, or nil
// when no pixel differs from before.
func (e *Edit) Commit(name string) *Change {
	c := e.c
	if c.open != e {
		return nil
	}
	ch := e.diff(name)
	if ch != nil {
		ch.from, ch.to = c.revision, c.next
		c.revision = c.next
		c.next++
	}
	e.close()
	e.Flush()
	return ch
}

func (e *Edit) close() {
	e.c.open = nil
	for _, t := range e.list {
		e.c.scratch.giveBack(e.saved[t])
		e.saved[t] = nil
	}
}

// scratch keeps buffers from one edit to the next.
type scratch struct {
	tiles []*savedTile
	flood flood
	spans []span
}

func (s *scratch) tile() *savedTile {
	if n := len(s.tiles); n > 0 {
		t := s.tiles[n-1]
		s.tiles = s.tiles[:n-1]
		return t
	}
	return new(savedTile)
}

func (s *scratch) giveBack(t *savedTile) {
	// 256 tiles are 2 MB: all of 1024². More would only be held.
	if len(s.tiles) < 256 {
		t.base = nil
		s.tiles = append(s.tiles, t)
	}
}
