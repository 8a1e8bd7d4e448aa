package canvas

import (
	"fmt"
	"image"
)

// Guess is what a model holds likely besides its labels.
type Guess struct {
	// Second is the second most likely class of each pixel.
	Second *image.Paletted
	// Odds is the probability of that class divided by the probability of
	// the most likely one: 255 for as likely, 0 for impossible.
	Odds *image.Gray
}

// leastOdds is the odds below which a class is no suggestion: a twentieth.
const leastOdds = 13

func (g *Guess) check(c *Canvas) error {
	if g.Second == nil || g.Odds == nil || g.Second.Rect != c.Bounds() || g.Odds.Rect != c.Bounds() {
		return fmt.Errorf("canvas: the guess must cover %v with classes and odds", c.Bounds())
	}
	return nil
}

// Suggest returns the area around a pixel that the model nearly gave to another
// class, and that class: the pixels connected by their sides with the same painted
// and base class and the same second class, at odds of a twentieth or better. Where the artist painted something else than the model said,
// and where a class is locked, nothing is suggested; the part is nil.
func (c *Canvas) Suggest(g *Guess, x, y int) (part *Part, class uint8, err error) {
	if err := g.check(c); err != nil {
		return nil, 0, err
	}
	now, ok := c.ClassAt(x, y)
	if !ok {
		return nil, 0, nil
	}
	class = g.Second.Pix[y*g.Second.Stride+x]
	if class == now || int(class) >= len(c.Palette()) || c.Protection.Locked[class] || c.Protection.Locked[now] {
		return nil, 0, nil
	}
	like := func(x, y int) bool {
		i := y*c.w + x
		return c.labels.Pix[i] == now && c.base.Pix[i] == now &&
			g.Second.Pix[y*g.Second.Stride+x] == class && g.Odds.Pix[y*g.Odds.Stride+x] >= leastOdds
	}
	if !like(x, y) {
		return nil, 0, nil
	}
	in := make([]bool, c.w*c.h)
	in[y*c.w+x] = true
	queue := []image.Point{{X: x, Y: y}}
	for i := 0; i < len(queue); i++ {
		for _, s := range [4]image.Point{{X: 0, Y: -1}, {X: -1, Y: 0}, {X: 1, Y: 0}, {X: 0, Y: 1}} {
			q := queue[i].Add(s)
			if q.In(c.Bounds()) && !in[q.Y*c.w+q.X] && like(q.X, q.Y) {
				in[q.Y*c.w+q.X] = true
				queue = append(queue, q)
			}
		}
	}
	part, err = c.part(in)
	return part, class, err
}

// Contains reports whether a pixel of the picture belongs to the part, where it
// was taken.
func (p *Part) Contains(x, y int) bool {
	at := image.Pt(x, y)
	return at.In(p.Bounds) && p.in[(y-p.Bounds.Min.Y)*p.Bounds.Dx()+x-p.Bounds.Min.X]
}

// Outline returns the closed lines around the part, where it was taken, along
// the edges of its pixels.
func (p *Part) Outline() []Path {
	// Every edge of a pixel with the part on one side and not on the other,
	// directed so that the part lies on its right. At a corner where two
	// pixels touch two edges begin; the one that turns right is taken, so
	// that the lines do not cross.
	type edge struct {
		at  image.Point // where it begins
		dir uint8       // 0 right, 1 down, 2 left, 3 up
	}
	step := [4]image.Point{{X: 1}, {Y: 1}, {X: -1}, {Y: -1}}
	left := make(map[edge]bool) // not part of a line yet
	var order []edge
	add := func(e edge) {
		left[e] = true
		order = append(order, e)
	}
	for y := p.Bounds.Min.Y; y < p.Bounds.Max.Y; y++ {
		for x := p.Bounds.Min.X; x < p.Bounds.Max.X; x++ {
			if !p.Contains(x, y) {
				continue
			}
			if !p.Contains(x, y-1) {
				add(edge{image.Pt(x, y), 0})
			}
			if !p.Contains(x+1, y) {
				add(edge{image.Pt(x+1, y), 1})
			}
			if !p.Contains(x, y+1) {
				add(edge{image.Pt(x+1, y+1), 2})
			}
			if !p.Contains(x-1, y) {
				add(edge{image.Pt(x, y+1), 3})
			}
		}
	}
	var paths []Path
	for _, first := range order {
		if !left[first] {
			continue
		}
		path := Path{Closed: true}
		dir := uint8(4)
		for e := first; left[e]; {
			delete(left, e)
			if e.dir != dir {
				path.Points = append(path.Points, Point{float64(e.at.X), float64(e.at.Y)})
			}
			dir = e.dir
			at := e.at.Add(step[dir])
			for _, turn := range [3]uint8{1, 0, 3} {
				if next := (edge{at, (dir + turn) % 4}); left[next] {
					e = next
					break
				}
			}
		}
		if dir == first.dir {
			path.Points = path.Points[1:] // begun in the middle of a side
		}
		paths = append(paths, path)
	}
	return paths
}
