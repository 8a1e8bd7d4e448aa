package canvas

import (
	"errors"
	"fmt"
	"image"
)

// Element is the neighbourhood that one step of a dilation or erosion looks at.
type Element uint8

const (
	// Box is the 3×3 pixels around and including the pixel.
	Box Element = iota
	// Cross is the pixel and its four sides.
	Cross
)

// MaxReach is the largest number of steps of a class operation.
const MaxReach = 256

// Filter is a way of smoothing the outline of a class.
type Filter uint8

const (
	// Median gives a pixel to the class if most of the (2n+1)² pixels around
	// it have it; pixels outside the picture do not vote.
	Median Filter = iota
	// Open erodes and then dilates: thin bridges and specks go.
	Open
	// Close dilates and then erodes: thin gaps and pinholes go.
	Close
)

// Expand adds to a class the pixels within n steps of it: n binary dilations.
// Locked classes are not touched.
func (c *Canvas) Expand(name string, class uint8, n int, el Element) (*Change, error) {
	if err := c.checkReach(class, n); err != nil {
		return nil, err
	}
	return c.reshape(name, class, dilate(c.binary(class), c.w, c.h, n, el))
}

// Shrink takes from a class the pixels within n steps of another: n binary
// erosions. What lies outside the picture does not eat into the class. The
// pixels go to the nearest other class that is not locked.
func (c *Canvas) Shrink(name string, class uint8, n int, el Element) (*Change, error) {
	if err := c.checkReach(class, n); err != nil {
		return nil, err
	}
	return c.reshape(name, class, erode(c.binary(class), c.w, c.h, n, el))
}

// Smooth smooths the outline of a class by a filter of reach n.
func (c *Canvas) Smooth(name string, class uint8, n int, f Filter) (*Change, error) {
	if err := c.checkReach(class, n); err != nil {
		return nil, err
	}
	set := c.binary(class)
	switch f {
	case Open:
		set = dilate(erode(set, c.w, c.h, n, Box), c.w, c.h, n, Box)
	case Close:
		// Outside the picture the class would be eaten from the border by
		// the erosion had the dilation not room there.
		set = closing(set, c.w, c.h, n)
	default:
		set = median(set, c.w, c.h, n)
	}
	return c.reshape(name, class, set)
}

func (c *Canvas) checkReach(class uint8, n int) error {
	if int(class) >= len(c.Palette()) {
		return fmt.Errorf("canvas: class %d; the palette has %d classes", class, len(c.Palette()))
	}
	if n < 1 || n > MaxReach {
		return fmt.Errorf("canvas: %d steps; 1 to %d are possible", n, MaxReach)
	}
	return nil
}

// binary returns which pixels carry the class.
func (c *Canvas) binary(class uint8) []bool {
	set := make([]bool, c.w*c.h)
	for i, k := range c.labels.Pix {
		set[i] = k == class
	}
	return set
}

// reshape makes the pixels of a class those of the set, as far as protection
// allows. Pixels that leave the class go to the nearest other one.
func (c *Canvas) reshape(name string, class uint8, set []bool) (*Change, error) {
	e, err := c.Begin(Ink{Class: class})
	if err != nil {
		return nil, err
	}
	gone := make([]bool, len(set))
	bounds := image.Rectangle{}
	for i, k := range c.labels.Pix {
		if k == class && !set[i] {
			gone[i] = true
			bounds = bounds.Union(image.Rect(i%c.w, i/c.w, i%c.w+1, i/c.w+1))
		}
	}
	type loss struct {
		x, y int
		now  uint8
	}
	var losses []loss
	c.nearest(gone, bounds, func(k uint8) bool { return k != class && e.okNew[k] }, func(x, y int, now uint8) {
		losses = append(losses, loss{x, y, now})
	})
	for i, in := range set {
		if in && c.labels.Pix[i] != class {
			e.Put(i%c.w, i/c.w, class)
		}
	}
	for _, l := range losses {
		e.Put(l.x, l.y, l.now)
	}
	return e.Commit(name), nil
}

// dilate returns n dilations of the set. The distance to the set in steps of the
// element is found by two passes (Rosenfeld and Pfaltz, "Sequential operations
// in digital picture processing", 1966), so that n costs nothing.
func dilate(set []bool, w, h, n int, el Element) []bool {
	dist := distances(set, w, h, n, el)
	out := make([]bool, len(set))
	for i, d := range dist {
		out[i] = int(d) <= n
	}
	return out
}

// erode is the dilation of everything else in the picture.
func erode(set []bool, w, h, n int, el Element) []bool {
	out := dilate(inverted(set), w, h, n, el)
	for i := range out {
		out[i] = !out[i]
	}
	return out
}

func inverted(set []bool) []bool {
	out := make([]bool, len(set))
	for i, v := range set {
		out[i] = !v
	}
	return out
}

func distances(set []bool, w, h, n int, el Element) []int32 {
	far := int32(n + 1)
	dist := make([]int32, len(set))
	for i, v := range set {
		if !v {
			dist[i] = far
		}
	}
	at := func(x, y int) int32 {
		if x < 0 || y < 0 || x >= w || y >= h {
			return far
		}
		return dist[y*w+x]
	}
	for y := range h {
		for x := range w {
			d := min(dist[y*w+x], at(x-1, y)+1, at(x, y-1)+1)
			if el == Box {
				d = min(d, at(x-1, y-1)+1, at(x+1, y-1)+1)
			}
			dist[y*w+x] = min(d, far)
		}
	}
	for y := h - 1; y >= 0; y-- {
		for x := w - 1; x >= 0; x-- {
			d := min(dist[y*w+x], at(x+1, y)+1, at(x, y+1)+1)
			if el == Box {
				d = min(d, at(x+1, y+1)+1, at(x-1, y+1)+1)
			}
			dist[y*w+x] = d
		}
	}
	return dist
}

// closing dilates into a margin around the picture and erodes back.
func closing(set []bool, w, h, n int) []bool {
	big := make([]bool, (w+2*n)*(h+2*n))
	for y := range h {
		copy(big[(y+n)*(w+2*n)+n:], set[y*w:(y+1)*w])
	}
	big = erode(dilate(big, w+2*n, h+2*n, n, Box), w+2*n, h+2*n, n, Box)
	out := make([]bool, len(set))
	for y := range h {
		copy(out[y*w:(y+1)*w], big[(y+n)*(w+2*n)+n:])
	}
	return out
}

// median is the majority in a square window, from sums over the picture.
func median(set []bool, w, h, n int) []bool {
	sums := make([]int32, (w+1)*(h+1))
	for y := range h {
		row := int32(0)
		for x := range w {
			if set[y*w+x] {
				row++
			}
			sums[(y+1)*(w+1)+x+1] = sums[y*(w+1)+x+1] + row
		}
	}
	out := make([]bool, len(set))
	for y := range h {
		y0, y1 := max(y-n, 0), min(y+n+1, h)
		for x := range w {
			x0, x1 := max(x-n, 0), min(x+n+1, w)
			in := sums[y1*(w+1)+x1] - sums[y0*(w+1)+x1] - sums[y1*(w+1)+x0] + sums[y0*(w+1)+x0]
			out[y*w+x] = 2*int(in) > (x1-x0)*(y1-y0)
		}
	}
	return out
}

// RemoveIslands takes from a class every connected piece (by sides) of fewer
// than least pixels; the pixels go to the nearest other class.
func (c *Canvas) RemoveIslands(name string, class uint8, least int) (*Change, error) {
	return c.removeIslands(name, class, least, false)
}

// KeepLargest takes from a class every connected piece but the largest; of
// equally large ones the first in reading order stays.
func (c *Canvas) KeepLargest(name string, class uint8) (*Change, error) {
	return c.removeIslands(name, class, 1, true)
}

func (c *Canvas) removeIslands(name string, class uint8, least int, largest bool) (*Change, error) {
	if err := c.checkReach(class, 1); err != nil {
		return nil, err
	}
	if least < 1 {
		return nil, errors.New("canvas: the least size of an island must be 1 pixel or more")
	}
	set := c.binary(class)
	pieces := components(set, c.w, c.h)
	best := 0
	for i, p := range pieces {
		if len(p.pixels) > len(pieces[best].pixels) {
			best = i
		}
	}
	for i, p := range pieces {
		if largest && i == best || !largest && len(p.pixels) >= least {
			continue
		}
		for _, k := range p.pixels {
			set[k] = false
		}
	}
	return c.reshape(name, class, set)
}

// FillHoles gives a class every hole in it of fewer than least pixels: a piece
// of other classes, connected by sides, that does not reach the picture's
// border.
func (c *Canvas) FillHoles(name string, class uint8, least int) (*Change, error) {
	if err := c.checkReach(class, 1); err != nil {
		return nil, err
	}
	if least < 1 {
		return nil, errors.New("canvas: the least size of a hole must be 1 pixel or more")
	}
	set := c.binary(class)
	for _, p := range components(inverted(set), c.w, c.h) {
		if p.border || len(p.pixels) >= least {
			continue
		}
		for _, k := range p.pixels {
			set[k] = true
		}
	}
	return c.reshape(name, class, set)
}

// Islands returns the sizes of the connected pieces of a class in reading order.
func (c *Canvas) Islands(class uint8) []int {
	var sizes []int
	for _, p := range components(c.binary(class), c.w, c.h) {
		sizes = append(sizes, len(p.pixels))
	}
	return sizes
}

// piece is a connected set of pixels.
type piece struct {
	pixels []int32
	border bool // reaches the border of the picture
}

// components returns the pieces of a set, connected by sides, in reading order
// of their first pixels.
func components(set []bool, w, h int) []piece {
	var pieces []piece
	seen := make([]bool, len(set))
	// All pixels share one array; each piece is a part of it.
	all := make([]int32, 0, 1024)
	for first, in := range set {
		if !in || seen[first] {
			continue
		}
		start := len(all)
		all = append(all, int32(first))
		seen[first] = true
		border := false
		for i := start; i < len(all); i++ {
			k := int(all[i])
			x, y := k%w, k/w
			border = border || x == 0 || y == 0 || x == w-1 || y == h-1
			visit := func(k int) {
				if set[k] && !seen[k] {
					seen[k] = true
					all = append(all, int32(k))
				}
			}
			if x > 0 {
				visit(k - 1)
			}
			if x < w-1 {
				visit(k + 1)
			}
			if y > 0 {
				visit(k - w)
			}
			if y < h-1 {
				visit(k + w)
			}
		}
		pieces = append(pieces, piece{all[start:len(all):len(all)], border})
	}
	return pieces
}
