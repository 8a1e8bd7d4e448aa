package canvas

import (
	"fmt"
	"math"
)

// MaxBrush is the largest brush size in pixels.
const MaxBrush = 512

// Shape is the outline of a brush.
type Shape uint8

const (
	// Round covers the pixels whose centre is at most size/2 away.
	Round Shape = iota
	// Square covers size×size pixels.
	Square
	// Diamond covers the pixels whose centre is at most size/2 away in the
	// sum of both axes.
	Diamond
)

// String returns the name of the shape in lower case.
func (s Shape) String() string {
	switch s {
	case Round:
		return "round"
	case Square:
		return "square"
	case Diamond:
		return "diamond"
	}
	return fmt.Sprintf("shape(%d)", uint8(s))
}

// span is the pixels x0 ≤ x < x1 of row y.
type span struct{ y, x0, x1 int }

// stamp is the pixels of a brush relative to its anchor. The centre of an odd
// brush is the centre of the anchor pixel, that of an even brush the anchor
// pixel's top left corner.
type stamp struct {
	shape Shape
	size  int
	rows  []span
}

// newStamp builds the rows of a brush, size 1 to MaxBrush.
func newStamp(shape Shape, size int) *stamp {
	s := &stamp{shape: shape, size: size}
	low := -(size / 2)
	for k := range size {
		// In half pixels from the centre: the row is at dy, the widest
		// column still inside at dx.
		dy := 2*k - size + 1
		dx := 0
		switch shape {
		case Square:
			dx = size - 1
		case Diamond:
			dx = size - max(dy, -dy)
		default:
			dx = isqrt(size*size - dy*dy)
		}
		// Columns lie at 2·j − size + 1.
		if (dx-(size-1))%2 != 0 {
			dx--
		}
		if dx < 0 {
			continue
		}
		j0 := (size - 1 - dx) / 2
		s.rows = append(s.rows, span{low + k, low + j0, low + size - j0})
	}
	return s
}

func isqrt(n int) int {
	r := int(math.Sqrt(float64(n)))
	for r*r > n {
		r--
	}
	for (r+1)*(r+1) <= n {
		r++
	}
	return r
}

// anchor returns the anchor pixel of a brush of this size at a point.
func anchor(size int, x, y float64) (ax, ay int) {
	if size%2 == 1 {
		return int(math.Floor(x)), int(math.Floor(y))
	}
	return int(math.Floor(x + 0.5)), int(math.Floor(y + 0.5))
}

// sweep gathers stamps into one span per row. Stamps that follow each other at
// steps of one pixel touch in every row they share, so that the span of a row
// is the union of theirs.
type sweep struct {
	h           int
	y0, y1      int // rows in use, half open
	left, right []int
}

func (s *sweep) reset(h int) {
	if len(s.left) < h {
		s.left, s.right = make([]int, h), make([]int, h)
	}
	s.h = h
	s.y0, s.y1 = h, 0
}

// add puts a stamp at an anchor.
func (s *sweep) add(st *stamp, ax, ay int) {
	for _, r := range st.rows {
		y := r.y + ay
		if y < 0 || y >= s.h {
			continue
		}
		x0, x1 := r.x0+ax, r.x1+ax
		// Rows come without gaps, but the first ones may lie above or
		// below those in use.
		if y < s.y0 || y >= s.y1 {
			if s.y0 >= s.y1 {
				s.y0, s.y1 = y, y+1
			} else {
				for ; y < s.y0; s.y0-- {
					s.left[s.y0-1], s.right[s.y0-1] = math.MaxInt, math.MinInt
				}
				for ; y >= s.y1; s.y1++ {
					s.left[s.y1], s.right[s.y1] = math.MaxInt, math.MinInt
				}
			}
			s.left[y], s.right[y] = x0, x1
			continue
		}
		s.left[y], s.right[y] = min(s.left[y], x0), max(s.right[y], x1)
	}
}

// line adds the stamps along the line between two anchors, both included.
func (s *sweep) line(st *stamp, x0, y0, x1, y1 int) {
	eachOnLine(x0, y0, x1, y1, func(x, y int) { s.add(st, x, y) })
}

// each calls fn for every row gathered.
func (s *sweep) each(fn func(y, x0, x1 int)) {
	for y := s.y0; y < s.y1; y++ {
		if s.left[y] < s.right[y] {
			fn(y, s.left[y], s.right[y])
		}
	}
}

// eachOnLine visits the points of a line in the manner of Bresenham, "Algorithm
// for computer control of a digital plotter", 1965.
func eachOnLine(x0, y0, x1, y1 int, fn func(x, y int)) {
	dx, sx := x1-x0, 1
	if dx < 0 {
		dx, sx = -dx, -1
	}
	dy, sy := y1-y0, 1
	if dy < 0 {
		dy, sy = -dy, -1
	}
	err := dx - dy
	for {
		fn(x0, y0)
		if x0 == x1 && y0 == y1 {
			return
		}
		e2 := 2 * err
		if e2 > -dy {
			err -= dy
			x0 += sx
		}
		if e2 < dx {
			err += dx
			y0 += sy
		}
	}
}
