package canvas

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"unsafe"
)

// Change is a named difference between two states of a canvas. It holds the
// exclusive or of both, tile by tile and run-length coded, so that it costs
// about as much as the outline of what was painted, and applies in either
// direction.
//
// A Change is immutable and belongs to the canvas it came from (or one opened
// from its [State]). Stacks apply and revert Changes in order; one out of
// order is refused with [ErrStale].
type Change struct {
	name     string
	w, h     int
	from, to uint64
	bounds   image.Rectangle
	// data is a sequence of tiles: the plane, the tile's index and the
	// length of its code as uvarints, then the code.
	data []byte
	fill *FillOp
}

// FillOp is what a fill was asked for, so that it can be done to another picture.
type FillOp struct {
	X, Y       int // the pixel it began at
	Ink        Ink
	Everywhere bool // all pixels of the class, not the connected ones only
}

// Fill returns how the change was made by [Canvas.Fill], and false for any other.
func (ch *Change) Fill() (FillOp, bool) {
	if ch.fill == nil {
		return FillOp{}, false
	}
	return *ch.fill, true
}

// Name returns what the change is called in a history panel.
func (ch *Change) Name() string { return ch.name }

// Rename returns the same change under another name.
func (ch *Change) Rename(name string) *Change {
	d := *ch
	d.name = name
	return &d
}

// Bounds returns the rectangle that applying or reverting redraws.
func (ch *Change) Bounds() image.Rectangle { return ch.bounds }

// Size returns the bytes of memory the change holds.
func (ch *Change) Size() int {
	return int(unsafe.Sizeof(*ch)) + len(ch.name) + cap(ch.data)
}

// Revisions returns the revision before and after the change.
func (ch *Change) Revisions() (from, to uint64) { return ch.from, ch.to }

// Apply does the change (again). The canvas must be in the state before it.
func (ch *Change) Apply(c *Canvas) error { return ch.move(c, ch.from, ch.to) }

// Revert undoes the change. The canvas must be in the state after it.
func (ch *Change) Revert(c *Canvas) error { return ch.move(c, ch.to, ch.from) }

func (ch *Change) move(c *Canvas, from, to uint64) error {
	switch {
	case c.open != nil:
		return ErrBusy
	case c.w != ch.w || c.h != ch.h:
		return fmt.Errorf("canvas: %q belongs to a picture of %d×%d pixels, this one is %d×%d", ch.name, ch.w, ch.h, c.w, c.h)
	case c.revision != from:
		return fmt.Errorf("%w: %q needs revision %d, present is %d", ErrStale, ch.name, from, c.revision)
	}
	err := ch.eachTile(func(p plane, t int, code []byte) error {
		c.xorTile(p, t, code)
		return nil
	})
	if err != nil {
		return err
	}
	c.revision = to
	if to >= c.next {
		c.next = to + 1
	}
	c.announce(ch.bounds)
	return nil
}

// diff codes what the edit changed, nil if nothing.
func (e *Edit) diff(name string) *Change {
	c := e.c
	ch := &Change{name: name, w: c.w, h: c.h}
	// One tile's exclusive or and its code; a code is never longer than
	// the tile and its header.
	var buf [tileSide * tileSide]byte
	code := make([]byte, 0, tileSide*tileSide+16)
	var data []byte
	for _, t := range e.list {
		r := c.tileBounds(t)
		s := e.saved[t]
		for p := range planes {
			old := s.labels[:]
			switch p {
			case planeMarks:
				old = s.marks[:]
			case planeBase:
				if s.base == nil {
					continue
				}
				old = s.base
			}
			rect := xorInto(buf[:], old, c.pixels(p), c.w, r)
			if rect.Empty() {
				continue
			}
			ch.bounds = ch.bounds.Union(rect)
			code = appendRuns(code[:0], buf[:r.Dx()*r.Dy()])
			data = binary.AppendUvarint(data, uint64(p))
			data = binary.AppendUvarint(data, uint64(t))
			data = binary.AppendUvarint(data, uint64(len(code)))
			data = append(data, code...)
		}
	}
	if len(data) == 0 {
		return nil
	}
	ch.data = bytes.Clone(data)
	return ch
}

// xorInto writes the exclusive or of a saved tile and the present pixels to
// dst and returns the bounds of what differs.
func xorInto(dst, old, now []uint8, w int, r image.Rectangle) image.Rectangle {
	n := r.Dx()
	x0, x1, y0, y1 := n, 0, -1, -1
	for y, k := r.Min.Y, 0; y < r.Max.Y; y, k = y+1, k+n {
		first, end := differ(dst[k:k+n], old[k:k+n], now[y*w+r.Min.X:][:n])
		if first == n {
			continue
		}
		if y0 < 0 {
			y0 = y
		}
		y1 = y
		x0, x1 = min(x0, first), max(x1, end)
	}
	if y0 < 0 {
		return image.Rectangle{}
	}
	return image.Rect(r.Min.X+x0, y0, r.Min.X+x1, y1+1)
}

// The code of a tile is a sequence of uvarints, each followed by bytes:
// n<<1 is a run of n equal bytes, the byte follows; n<<1|1 is n bytes as they
// are. Runs shorter than minRun are not worth a header.
const minRun = 4

func appendRuns(code, pix []byte) []byte {
	lit := 0 // start of bytes not yet coded
	flush := func(end int) {
		if lit < end {
			code = binary.AppendUvarint(code, uint64(end-lit)<<1|1)
			code = append(code, pix[lit:end]...)
		}
	}
	for i := 0; i < len(pix); {
		j := i + runLength(pix[i:])
		if j-i >= minRun {
			flush(i)
			code = binary.AppendUvarint(code, uint64(j-i)<<1)
			code = append(code, pix[i])
			lit = j
		}
		i = j
	}
	flush(len(pix))
	return code
}

// eachRun calls fn for the runs of a code; lit is nil for a run of n times v.
func eachRun(code []byte, fn func(n int, v byte, lit []byte)) error {
	for len(code) > 0 {
		head, k := binary.Uvarint(code)
		n := int(head >> 1)
		if k <= 0 || head>>1 > tileSide*tileSide || n == 0 {
			return errBadChange
		}
		code = code[k:]
		if head&1 == 0 {
			if len(code) < 1 {
				return errBadChange
			}
			fn(n, code[0], nil)
			code = code[1:]
			continue
		}
		if len(code) < n {
			return errBadChange
		}
		fn(n, 0, code[:n])
		code = code[n:]
	}
	return nil
}

var errBadChange = errors.New("canvas: damaged change")

// xorTile applies a code, known to be sound, to a tile.
func (c *Canvas) xorTile(p plane, t int, code []byte) {
	r := c.tileBounds(t)
	pix := c.pixels(p)
	x, y := 0, 0 // where the run begins in the tile
	_ = eachRun(code, func(n int, v byte, lit []byte) {
		// The run is cut where rows of the tile end.
		for n > 0 {
			m := min(n, r.Dx()-x)
			if v != 0 || lit != nil {
				start := (r.Min.Y+y)*c.w + r.Min.X + x
				c.xorRow(p, pix[start:start+m], v, lit)
			}
			if lit != nil {
				lit = lit[m:]
			}
			n -= m
			if x += m; x == r.Dx() {
				x, y = 0, y+1
			}
		}
	})
}

// xorRow applies a piece of a run, v times or as the bytes of lit, and keeps the
// counts of the classes.
func (c *Canvas) xorRow(p plane, pix []uint8, v uint8, lit []uint8) {
	if lit != nil {
		for i := range pix {
			if p == planeLabels {
				c.counts[pix[i]]--
				c.counts[pix[i]^lit[i]]++
			}
			pix[i] ^= lit[i]
		}
		return
	}
	if p == planeLabels {
		for i := 0; i < len(pix); {
			n := runLength(pix[i:])
			c.counts[pix[i]] -= n
			c.counts[pix[i]^v] += n
			i += n
		}
	}
	xorBytes(pix, v)
}

// eachTile walks over the coded tiles.
func (ch *Change) eachTile(fn func(p plane, t int, code []byte) error) error {
	data := ch.data
	next := func() (uint64, bool) {
		v, k := binary.Uvarint(data)
		if k <= 0 {
			return 0, false
		}
		data = data[k:]
		return v, true
	}
	for len(data) > 0 {
		p, ok1 := next()
		t, ok2 := next()
		n, ok3 := next()
		if !ok1 || !ok2 || !ok3 || p >= uint64(planes) || t > MaxSide*MaxSide || n > uint64(len(data)) {
			return errBadChange
		}
		if err := fn(plane(p), int(t), data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// Merge returns the change that does a and then b; b must follow a. It serves
// stacks that fold neighbouring steps into one. The result is nil when b takes
// back what a did; the canvas is then in the state before a but under another
// revision, so that the caller keeps both instead.
func Merge(a, b *Change, name string) (*Change, error) {
	if a.to != b.from || a.w != b.w || a.h != b.h {
		return nil, fmt.Errorf("%w: %q cannot be merged after %q", ErrStale, b.name, a.name)
	}
	type key struct {
		p plane
		t int
	}
	tiles := make(map[key][]byte)
	var order []key
	for _, ch := range []*Change{a, b} {
		err := ch.eachTile(func(p plane, t int, code []byte) error {
			k := key{p, t}
			pix := tiles[k]
			if pix == nil {
				pix = make([]byte, tileSide*tileSide)
				tiles[k] = pix
				order = append(order, k)
			}
			at := 0
			return eachRun(code, func(n int, v byte, lit []byte) {
				for i := range n {
					if lit != nil {
						v = lit[i]
					}
					pix[at+i] ^= v
				}
				at += n
			})
		})
		if err != nil {
			return nil, err
		}
	}
	m := &Change{name: name, w: a.w, h: a.h, from: a.from, to: b.to, bounds: a.bounds.Union(b.bounds)}
	size := Canvas{w: a.w, h: a.h}
	for _, k := range order {
		r := size.tileBounds(k.t)
		pix := tiles[k][:r.Dx()*r.Dy()]
		code := appendRuns(nil, pix)
		m.data = binary.AppendUvarint(m.data, uint64(k.p))
		m.data = binary.AppendUvarint(m.data, uint64(k.t))
		m.data = binary.AppendUvarint(m.data, uint64(len(code)))
		m.data = append(m.data, code...)
	}
	return m, nil
}

const changeMagic = "LBchange1"

// MarshalBinary codes the change for a project file.
func (ch *Change) MarshalBinary() ([]byte, error) {
	b := []byte(changeMagic)
	for _, v := range []uint64{
		uint64(ch.w), uint64(ch.h), ch.from, ch.to,
		uint64(ch.bounds.Min.X), uint64(ch.bounds.Min.Y), uint64(ch.bounds.Max.X), uint64(ch.bounds.Max.Y),
		uint64(len(ch.name)),
	} {
		b = binary.AppendUvarint(b, v)
	}
	b = append(b, ch.name...)
	return append(b, ch.data...), nil
}

// UnmarshalBinary reads what MarshalBinary wrote. Everything is checked, so
// that a damaged file gives an error here and never wrong pixels outside the
// tiles it names.
func (ch *Change) UnmarshalBinary(b []byte) error {
	rest, ok := bytes.CutPrefix(b, []byte(changeMagic))
	if !ok {
		return fmt.Errorf("canvas: not a change of this version (it begins with %q)", b[:min(len(b), len(changeMagic))])
	}
	var v [9]uint64
	for i := range v {
		n, k := binary.Uvarint(rest)
		if k <= 0 {
			return errBadChange
		}
		v[i], rest = n, rest[k:]
	}
	w, h := v[0], v[1]
	if w < 1 || h < 1 || w > MaxSide || h > MaxSide {
		return fmt.Errorf("canvas: a change for a picture of %d×%d pixels; each side must be 1 to %d", w, h, MaxSide)
	}
	if v[4] >= v[6] || v[5] >= v[7] || v[6] > w || v[7] > h || v[8] > uint64(len(rest)) || v[2] >= v[3] {
		return errBadChange
	}
	d := Change{
		w: int(w), h: int(h), from: v[2], to: v[3],
		bounds: image.Rect(int(v[4]), int(v[5]), int(v[6]), int(v[7])),
		name:   string(rest[:v[8]]),
		data:   bytes.Clone(rest[v[8]:]),
	}
	size := Canvas{w: d.w, h: d.h}
	tw, th := size.tilesAcross()
	err := d.eachTile(func(_ plane, t int, code []byte) error {
		if t >= tw*th {
			return errBadChange
		}
		sum := 0
		if err := eachRun(code, func(n int, _ byte, _ []byte) { sum += n }); err != nil {
			return err
		}
		r := size.tileBounds(t)
		if sum != r.Dx()*r.Dy() {
			return errBadChange
		}
		return nil
	})
	if err != nil {
		return err
	}
	*ch = d
	return nil
}
