package canvas

import (
	"errors"
	"fmt"
	"image"
	"math"
)

// ErrNoPart says that no pixel carries the classes asked for.
var ErrNoPart = errors.New("canvas: there is nothing to take")

// Part is a piece of a label map: the pixels of some classes, cut out. It can be
// placed again, moved, scaled and turned, in the same or another picture.
type Part struct {
	// Bounds is where the piece was taken.
	Bounds image.Rectangle
	pix    []uint8 // classes, row by row
	in     []bool  // which pixels belong to the piece
	area   int
}

// Area returns the number of pixels of the part.
func (p *Part) Area() int { return p.area }

// Remap gives the classes other ids, for a picture with another palette.
// Pixels of a class that to does not know leave the part.
func (p *Part) Remap(to map[uint8]uint8) *Part {
	q := &Part{Bounds: p.Bounds, pix: make([]uint8, len(p.pix)), in: make([]bool, len(p.in))}
	for i, in := range p.in {
		if class, ok := to[p.pix[i]]; in && ok {
			q.pix[i], q.in[i] = class, true
			q.area++
		}
	}
	return q
}

// Transform places a part: first scaled, then turned about the middle of its
// bounds, then moved.
type Transform struct {
	DX, DY         float64 // pixels
	ScaleX, ScaleY float64 // 1 leaves the size; negative values mirror
	Angle          float64 // radians, clockwise on screen
}

// Identity is the transform that changes nothing.
var Identity = Transform{ScaleX: 1, ScaleY: 1}

// point maps a place in the part to the picture.
func (t Transform) point(mid, q Point) Point {
	sin, cos := math.Sincos(t.Angle)
	x, y := (q.X-mid.X)*t.ScaleX, (q.Y-mid.Y)*t.ScaleY
	return Point{mid.X + t.DX + x*cos - y*sin, mid.Y + t.DY + x*sin + y*cos}
}

// inverse maps a place in the picture to the part.
func (t Transform) inverse(mid, q Point) Point {
	sin, cos := math.Sincos(t.Angle)
	x, y := q.X-mid.X-t.DX, q.Y-mid.Y-t.DY
	return Point{mid.X + (x*cos+y*sin)/t.ScaleX, mid.Y + (y*cos-x*sin)/t.ScaleY}
}

func (p *Part) mid() Point {
	return Point{float64(p.Bounds.Min.X+p.Bounds.Max.X) / 2, float64(p.Bounds.Min.Y+p.Bounds.Max.Y) / 2}
}

// Copy takes all pixels of the given classes as a part.
func (c *Canvas) Copy(classes ...uint8) (*Part, error) {
	var want [256]bool
	for _, k := range classes {
		want[k] = true
	}
	in := make([]bool, c.w*c.h)
	for i, k := range c.labels.Pix {
		in[i] = want[k]
	}
	return c.part(in)
}

// CopyAt takes the connected pixels of the class at (x, y) as a part, with the
// pixels of the classes in with that lie within its bounds: the iris that lies
// in the eye.
func (c *Canvas) CopyAt(x, y int, with ...uint8) (*Part, error) {
	class, ok := c.ClassAt(x, y)
	if !ok {
		return nil, ErrNoPart
	}
	in := make([]bool, c.w*c.h)
	bounds := image.Rectangle{}
	for _, s := range c.connectedSpans(nil, x, y) {
		for i := s.x0; i < s.x1; i++ {
			in[s.y*c.w+i] = true
		}
		bounds = bounds.Union(image.Rect(s.x0, s.y, s.x1, s.y+1))
	}
	var want [256]bool
	for _, k := range with {
		want[k] = k != class
	}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for i := y*c.w + bounds.Min.X; i < y*c.w+bounds.Max.X; i++ {
			in[i] = in[i] || want[c.labels.Pix[i]]
		}
	}
	return c.part(in)
}

func (c *Canvas) part(in []bool) (*Part, error) {
	p := &Part{}
	for y := range c.h {
		row := in[y*c.w : (y+1)*c.w]
		for x, v := range row {
			if v {
				p.area++
				p.Bounds = p.Bounds.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	if p.area == 0 {
		return nil, ErrNoPart
	}
	for y := p.Bounds.Min.Y; y < p.Bounds.Max.Y; y++ {
		a, b := y*c.w+p.Bounds.Min.X, y*c.w+p.Bounds.Max.X
		p.pix = append(p.pix, c.labels.Pix[a:b]...)
		p.in = append(p.in, in[a:b]...)
	}
	return p, nil
}

// each calls fn for the pixels of the picture that the part covers under a
// transform: those whose centre comes from a pixel of the part.
func (p *Part) each(t Transform, picture image.Rectangle, fn func(x, y int, class uint8)) {
	b := p.Bounds
	if dx, dy := math.Round(t.DX), math.Round(t.DY); t == (Transform{DX: dx, DY: dy, ScaleX: 1, ScaleY: 1}) {
		to := image.Pt(floorClamp(dx), floorClamp(dy))
		r := b.Add(to).Intersect(picture)
		for y := r.Min.Y; y < r.Max.Y; y++ {
			row := (y - to.Y - b.Min.Y) * b.Dx()
			for x := r.Min.X; x < r.Max.X; x++ {
				if k := row + x - to.X - b.Min.X; p.in[k] {
					fn(x, y, p.pix[k])
				}
			}
		}
		return
	}
	mid := p.mid()
	lo, hi := Point{math.Inf(1), math.Inf(1)}, Point{math.Inf(-1), math.Inf(-1)}
	for _, q := range rectPath(b).Points {
		r := t.point(mid, q)
		lo = Point{min(lo.X, r.X), min(lo.Y, r.Y)}
		hi = Point{max(hi.X, r.X), max(hi.Y, r.Y)}
	}
	area := image.Rect(floorClamp(lo.X), floorClamp(lo.Y), floorClamp(hi.X)+1, floorClamp(hi.Y)+1).Intersect(picture)
	sin, cos := math.Sincos(t.Angle)
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			// As Transform.inverse, without its sine and cosine.
			u, v := float64(x)+0.5-mid.X-t.DX, float64(y)+0.5-mid.Y-t.DY
			q := Point{mid.X + (u*cos+v*sin)/t.ScaleX, mid.Y + (v*cos-u*sin)/t.ScaleY}
			// A whole-pixel move must be exact whatever the rounding of
			// the middle.
			i, j := int(math.Floor(q.X+1e-9))-b.Min.X, int(math.Floor(q.Y+1e-9))-b.Min.Y
			if i < 0 || j < 0 || i >= b.Dx() || j >= b.Dy() {
				continue
			}
			if k := j*b.Dx() + i; p.in[k] {
				fn(x, y, p.pix[k])
			}
		}
	}
}

func (t Transform) check() error {
	for _, v := range []float64{t.DX, t.DY, t.ScaleX, t.ScaleY, t.Angle} {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("canvas: a transform with the value %v", v)
		}
	}
	if t.ScaleX == 0 || t.ScaleY == 0 {
		return errors.New("canvas: a transform that scales to nothing")
	}
	return nil
}

// Paste places a part. The pixels it covers are touched; protected classes stay.
func (c *Canvas) Paste(name string, p *Part, t Transform) (*Change, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	e, err := c.Begin(Ink{})
	if err != nil {
		return nil, err
	}
	e.place(p, t)
	return e.Commit(name), nil
}

// MarkPart covers the pixels of a part, where it was taken, with an ink: the marks
// of the keep or the free layer, or another class. Symmetry does not mirror it.
func (c *Canvas) MarkPart(name string, p *Part, ink Ink) (*Change, error) {
	e, err := c.Begin(ink)
	if err != nil {
		return nil, err
	}
	b := p.Bounds
	for y := range b.Dy() {
		row := p.in[y*b.Dx() : (y+1)*b.Dx()]
		for x := 0; x < len(row); x++ {
			if !row[x] {
				continue
			}
			from := x
			for x < len(row) && row[x] {
				x++
			}
			e.row(b.Min.Y+y, b.Min.X+from, b.Min.X+x, ink)
		}
	}
	return e.Commit(name), nil
}

func (e *Edit) place(p *Part, t Transform) {
	p.each(t, e.c.Bounds(), func(x, y int, class uint8) { e.Put(x, y, class) })
}

// Move takes a part away from where it was, fills the hole with a class, or
// with the nearest one for NoClass, and places the part anew.
func (c *Canvas) Move(name string, p *Part, t Transform, hole int) (*Change, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if hole != NoClass && (hole < 0 || hole >= len(c.Palette())) {
		return nil, fmt.Errorf("canvas: class %d for the hole; the palette has %d classes", hole, len(c.Palette()))
	}
	e, err := c.Begin(Ink{})
	if err != nil {
		return nil, err
	}
	e.fillHole(c.behind(p, hole))
	e.place(p, t)
	return e.Commit(name), nil
}

// behind returns what lies under a part that was just taken: for each of its
// pixels the class that fills the hole.
func (c *Canvas) behind(p *Part, hole int) *Part {
	b := &Part{Bounds: p.Bounds, pix: make([]uint8, len(p.pix)), in: p.in, area: p.area}
	if hole != NoClass {
		for i := range b.pix {
			b.pix[i] = uint8(hole)
		}
		return b
	}
	in := make([]bool, c.w*c.h)
	w := p.Bounds.Dx()
	for k, v := range p.in {
		x, y := p.Bounds.Min.X+k%w, p.Bounds.Min.Y+k/w
		if v && x >= 0 && y >= 0 && x < c.w && y < c.h {
			in[y*c.w+x] = true
		}
	}
	c.nearest(in, p.Bounds, func(k uint8) bool { return !c.Protection.Locked[k] }, func(x, y int, class uint8) {
		b.pix[(y-p.Bounds.Min.Y)*w+x-p.Bounds.Min.X] = class
	})
	return b
}

func (e *Edit) fillHole(b *Part) {
	b.each(Identity, e.c.Bounds(), func(x, y int, class uint8) { e.Put(x, y, class) })
}

// nearest finds for every pixel of the set the class of the nearest pixel
// outside of it, by steps to the four sides; of equally near ones the first in
// reading order of the border counts. bounds holds the set. Classes that usable
// refuses are not spread. If there is none to spread, class 0 is.
func (c *Canvas) nearest(set []bool, bounds image.Rectangle, usable func(uint8) bool, fn func(x, y int, class uint8)) {
	bounds = bounds.Intersect(c.Bounds())
	w := bounds.Dx()
	classes := make([]int16, w*bounds.Dy())
	for i := range classes {
		classes[i] = NoClass
	}
	at := func(x, y int) *int16 { return &classes[(y-bounds.Min.Y)*w+x-bounds.Min.X] }
	steps := [4]image.Point{{0, -1}, {-1, 0}, {1, 0}, {0, 1}}
	var queue []image.Point
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if !set[y*c.w+x] {
				continue
			}
			for _, s := range steps {
				i, j := x+s.X, y+s.Y
				if i < 0 || j < 0 || i >= c.w || j >= c.h || set[j*c.w+i] {
					continue
				}
				if class := c.labels.Pix[j*c.w+i]; usable(class) {
					*at(x, y) = int16(class)
					queue = append(queue, image.Pt(x, y))
					break
				}
			}
		}
	}
	for i := 0; i < len(queue); i++ {
		class := *at(queue[i].X, queue[i].Y)
		for _, s := range steps {
			q := queue[i].Add(s)
			if !q.In(bounds) || !set[q.Y*c.w+q.X] {
				continue
			}
			if k := at(q.X, q.Y); *k == NoClass {
				*k = class
				queue = append(queue, q)
			}
		}
	}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			if set[y*c.w+x] {
				fn(x, y, uint8(max(*at(x, y), 0)))
			}
		}
	}
}
