package maskops

import (
	"image"
	"math"
	"slices"
)

// board is a label map in work, and the pixels that were touched (255).
type board struct {
	w, h    int
	pix     []uint8
	touched []uint8
}

// none marks a pixel to which a part brings nothing.
const none = -1

func (b *board) length(share float64) int {
	return int(math.Round(share * float64(max(b.w, b.h))))
}

func (p Part) has(c uint8) bool { return slices.Contains(p, c) }

// box is the bounding box of a part in a map of stride w.
func (p Part) box(pix []uint8, w int) image.Rectangle {
	var in [256]bool
	for _, c := range p {
		in[c] = true
	}
	var r image.Rectangle
	for i, c := range pix {
		if in[c] {
			r = r.Union(image.Rect(i%w, i/w, i%w+1, i/w+1))
		}
	}
	return r
}

func (b *board) do(o Operation, p Part, reference *image.Paletted) {
	if o.Kind == Copy {
		b.copyFrom(o, p, reference)
		return
	}
	box := p.box(b.pix, b.w)
	if box.Empty() {
		return
	}
	switch o.Kind {
	case Move:
		b.shift(o, p, b.length(o.X), b.length(o.Y))
	case Raise:
		b.shift(o, p, 0, -b.length(o.Y))
	case Scale:
		cx, cy := o.centre(box)
		b.warp(o, p, func(x, y float64) (float64, float64) { return cx + (x-cx)/o.X, cy + (y-cy)/o.Y })
	case Rotate:
		cx, cy := o.centre(box)
		sin, cos := math.Sincos(o.X * math.Pi / 180)
		b.warp(o, p, func(x, y float64) (float64, float64) {
			x, y = x-cx, y-cy
			return cx + cos*x + sin*y, cy - sin*x + cos*y
		})
	case Grow:
		b.replace(o, p, b.reach(p, b.length(o.X), b.length(o.X)))
	case Thicken:
		n := b.length(o.X)
		b.replace(o, p, b.reachColumns(p, (n+1)/2, n/2))
	case Shrink:
		b.shrink(p, b.length(o.X))
	case Extend:
		b.extend(o, p)
	case Fill:
		b.fill(o, p)
	case Band:
		b.band(o, p)
	}
}

// centre is the fixed point of a scaling or rotation, in pixel coordinates whose
// integers are pixel corners.
func (o Operation) centre(box image.Rectangle) (x, y float64) {
	x, y = float64(box.Min.X+box.Max.X)/2, float64(box.Min.Y+box.Max.Y)/2
	switch o.Anchor {
	case Top:
		y = float64(box.Min.Y)
	case Bottom:
		y = float64(box.Max.Y)
	case Left:
		x = float64(box.Min.X)
	case Right:
		x = float64(box.Max.X)
	}
	return x, y
}

func (b *board) shift(o Operation, p Part, dx, dy int) {
	b.warp(o, p, func(x, y float64) (float64, float64) { return x - float64(dx), y - float64(dy) })
}

// warp puts the part where back says it comes from: each pixel of the result looks up
// the pixel that holds its preimage.
func (b *board) warp(o Operation, p Part, back func(x, y float64) (float64, float64)) {
	next := make([]int, len(b.pix))
	for y := range b.h {
		for x := range b.w {
			next[y*b.w+x] = none
			fx, fy := back(float64(x)+0.5, float64(y)+0.5)
			sx, sy := int(math.Floor(fx)), int(math.Floor(fy))
			if sx < 0 || sy < 0 || sx >= b.w || sy >= b.h {
				continue
			}
			if c := b.pix[sy*b.w+sx]; p.has(c) {
				next[y*b.w+x] = int(c)
			}
		}
	}
	b.replace(o, p, next)
}

// replace takes the part away and puts next in its place. What it leaves behind goes to
// the nearest pixel of another class. A pixel that Over protects keeps what it had.
func (b *board) replace(o Operation, p Part, next []int) {
	old := slices.Clone(b.pix)
	hole := make([]bool, len(old))
	for i, c := range old {
		mine := p.has(c)
		if next[i] != none && !mine && len(o.Over) > 0 && !slices.Contains(o.Over, c) {
			next[i] = none
		}
		if mine || next[i] != none {
			b.touched[i] = 255
		}
		hole[i] = mine && next[i] == none
	}
	b.nearest(old, hole, func(c uint8) bool { return !p.has(c) })
	for i, c := range next {
		if c != none {
			b.pix[i] = uint8(c)
		}
	}
}

// nearest gives every pixel of the hole the class of the nearest pixel of from that is
// allowed: a breadth-first walk over the four sides, in scan order, so that equal
// distances have one answer.
func (b *board) nearest(from []uint8, hole []bool, allowed func(uint8) bool) {
	class := make([]int, len(from))
	queue := make([]int, 0, len(from))
	for i, c := range from {
		class[i] = none
		if !hole[i] && allowed(c) {
			class[i] = int(c)
			queue = append(queue, i)
		}
	}
	for len(queue) > 0 {
		i := queue[0]
		queue = queue[1:]
		x, y := i%b.w, i/b.w
		for _, n := range [4]image.Point{{x, y - 1}, {x - 1, y}, {x + 1, y}, {x, y + 1}} {
			if n.X < 0 || n.Y < 0 || n.X >= b.w || n.Y >= b.h {
				continue
			}
			if j := n.Y*b.w + n.X; class[j] == none && hole[j] {
				class[j] = class[i]
				queue = append(queue, j)
			}
		}
	}
	for i := range hole {
		if hole[i] && class[i] != none {
			b.pix[i] = uint8(class[i])
		}
	}
}

// reach is the part with what lies within rx, ry of it (an ellipse), each new pixel
// with the class of the nearest pixel of the part.
func (b *board) reach(p Part, rx, ry int) []int {
	next := b.only(p)
	best := make([]float64, len(next))
	for i := range best {
		best[i] = math.Inf(1)
	}
	out := slices.Clone(next)
	for y := range b.h {
		for x := range b.w {
			c := next[y*b.w+x]
			if c == none || !b.edge(next, x, y) {
				continue
			}
			for dy := -ry; dy <= ry; dy++ {
				for dx := -rx; dx <= rx; dx++ {
					tx, ty := x+dx, y+dy
					if tx < 0 || ty < 0 || tx >= b.w || ty >= b.h || dx*dx*ry*ry+dy*dy*rx*rx > rx*rx*ry*ry {
						continue
					}
					j := ty*b.w + tx
					if d := float64(dx*dx + dy*dy); next[j] == none && d < best[j] {
						best[j], out[j] = d, c
					}
				}
			}
		}
	}
	return out
}

// edge reports whether a side of the pixel is not of the part.
func (b *board) edge(next []int, x, y int) bool {
	return x == 0 || y == 0 || x == b.w-1 || y == b.h-1 ||
		next[y*b.w+x-1] == none || next[y*b.w+x+1] == none || next[(y-1)*b.w+x] == none || next[(y+1)*b.w+x] == none
}

// only is the part alone.
func (b *board) only(p Part) []int {
	next := make([]int, len(b.pix))
	for i, c := range b.pix {
		next[i] = none
		if p.has(c) {
			next[i] = int(c)
		}
	}
	return next
}

// reachColumns is the part with so many pixels more above and below in every column.
func (b *board) reachColumns(p Part, above, below int) []int {
	next := b.only(p)
	out := slices.Clone(next)
	for i, c := range next {
		if c == none {
			continue
		}
		for d := 1; d <= above; d++ {
			if j := i - d*b.w; j >= 0 && out[j] == none {
				out[j] = c
			}
		}
		for d := 1; d <= below; d++ {
			if j := i + d*b.w; j < len(out) && out[j] == none {
				out[j] = c
			}
		}
	}
	return out
}

// shrink erodes the part by a disc.
func (b *board) shrink(p Part, n int) {
	next := b.only(p)
	out := slices.Clone(next)
	for y := range b.h {
		for x := range b.w {
			if next[y*b.w+x] != none {
				continue
			}
			for dy := -n; dy <= n; dy++ {
				for dx := -n; dx <= n; dx++ {
					if tx, ty := x+dx, y+dy; tx >= 0 && ty >= 0 && tx < b.w && ty < b.h && dx*dx+dy*dy <= n*n {
						out[ty*b.w+tx] = none
					}
				}
			}
		}
	}
	b.replace(Operation{}, p, out)
}

// extend is the union of the part's shifts on the way to (X, Y).
func (b *board) extend(o Operation, p Part) {
	dx, dy := b.length(o.X), b.length(o.Y)
	steps := max(abs(dx), abs(dy))
	next := b.only(p)
	out := slices.Clone(next)
	for s := 1; s <= steps; s++ {
		sx, sy := int(math.Round(float64(dx*s)/float64(steps))), int(math.Round(float64(dy*s)/float64(steps)))
		for y := range b.h {
			for x := range b.w {
				fx, fy := x-sx, y-sy
				if fx < 0 || fy < 0 || fx >= b.w || fy >= b.h || out[y*b.w+x] != none {
					continue
				}
				out[y*b.w+x] = next[fy*b.w+fx]
			}
		}
	}
	b.replace(o, p, out)
}

func (b *board) fill(o Operation, p Part) {
	hole := make([]bool, len(b.pix))
	for i, c := range b.pix {
		if !p.has(c) {
			continue
		}
		b.touched[i] = 255
		if hole[i] = o.Near; !o.Near {
			b.pix[i] = o.Class
		}
	}
	if o.Near {
		b.nearest(slices.Clone(b.pix), hole, func(c uint8) bool { return !p.has(c) })
	}
}

// band paints a class on the first pixels of the part, counted from a side in every
// line across it.
func (b *board) band(o Operation, p Part) {
	depth := b.length(o.X)
	// Pixel k of line l is at l·step + k·along from origin.
	lines, length, step, along, origin := b.w, b.h, 1, b.w, 0
	switch o.Side {
	case Bottom:
		along, origin = -b.w, (b.h-1)*b.w
	case Left:
		lines, length, step, along = b.h, b.w, b.w, 1
	case Right:
		lines, length, step, along, origin = b.h, b.w, b.w, -1, b.w-1
	}
	for l := range lines {
		first := none
		for k := range length {
			i := origin + l*step + k*along
			if first == none {
				if !p.has(b.pix[i]) {
					continue
				}
				first = k
			}
			if k >= first+depth {
				break
			}
			if c := b.pix[i]; p.has(c) || slices.Contains(o.Over, c) {
				b.pix[i] = o.Class
				b.touched[i] = 255
			}
		}
	}
}

// copyFrom takes the part from the reference. Its box is put on the middle of the
// part's own box, scaled to its width times X; where the picture lacks the part, it is
// put where the reference has it.
func (b *board) copyFrom(o Operation, p Part, reference *image.Paletted) {
	rw, rh := reference.Rect.Dx(), reference.Rect.Dy()
	pix := make([]uint8, rw*rh)
	for y := range rh {
		copy(pix[y*rw:(y+1)*rw], reference.Pix[y*reference.Stride:])
	}
	from := p.box(pix, rw)
	if from.Empty() {
		return
	}
	cx, cy := float64(from.Min.X+from.Max.X)/2, float64(from.Min.Y+from.Max.Y)/2
	tx, ty := cx*float64(b.w)/float64(rw), cy*float64(b.h)/float64(rh)
	scale := o.X * float64(b.w) / float64(rw)
	if box := p.box(b.pix, b.w); !box.Empty() {
		tx, ty = float64(box.Min.X+box.Max.X)/2, float64(box.Min.Y+box.Max.Y)/2
		scale = o.X * float64(box.Dx()) / float64(from.Dx())
	}
	next := make([]int, len(b.pix))
	for y := range b.h {
		for x := range b.w {
			next[y*b.w+x] = none
			sx, sy := int(math.Floor(cx+(float64(x)+0.5-tx)/scale)), int(math.Floor(cy+(float64(y)+0.5-ty)/scale))
			if sx < 0 || sy < 0 || sx >= rw || sy >= rh {
				continue
			}
			if c := pix[sy*rw+sx]; p.has(c) {
				next[y*b.w+x] = int(c)
			}
		}
	}
	b.replace(o, p, next)
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
