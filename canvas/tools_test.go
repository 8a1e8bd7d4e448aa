package canvas_test

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"latentbrush/canvas"
)

// inBrush is the definition of a brush: a pixel belongs to it if its centre is
// at most size/2 from the centre of the brush, in the metric of the shape. All
// in half pixels, so that it is exact.
func inBrush(s canvas.Shape, size, x, y, ax, ay int) bool {
	dx, dy := 2*(x-ax), 2*(y-ay)
	if size%2 == 0 { // an even brush is centred on a pixel's corner
		dx, dy = dx+1, dy+1
	}
	switch s {
	case canvas.Square:
		return max(dx, -dx) < size && max(dy, -dy) < size
	case canvas.Diamond:
		return max(dx, -dx)+max(dy, -dy) <= size
	}
	return dx*dx+dy*dy <= size*size
}

func TestStampsMatchBruteForce(t *testing.T) {
	for _, shape := range []canvas.Shape{canvas.Round, canvas.Square, canvas.Diamond} {
		for size := 1; size <= 64; size++ {
			const side, mid = 80, 40
			e := newEasel(t, blank(side, side))
			e.Brush = canvas.Brush{Shape: shape, Size: size}
			e.drag(pts(mid+0.25, mid+0.25))
			for y := range side {
				for x := range side {
					want := inBrush(shape, size, x, y, mid, mid)
					if got, _ := e.c.ClassAt(x, y); (got == 1) != want {
						t.Fatalf("%v %d: pixel (%d,%d) painted is %v", shape, size, x-mid, y-mid, got == 1)
					}
				}
			}
		}
	}
}

func TestLargestBrush(t *testing.T) {
	for _, shape := range []canvas.Shape{canvas.Round, canvas.Square, canvas.Diamond} {
		e := newEasel(t, blank(600, 600))
		e.Brush = canvas.Brush{Shape: shape, Size: canvas.MaxBrush}
		e.drag(pts(300, 300))
		for y := range 600 {
			for x := range 600 {
				got, _ := e.c.ClassAt(x, y)
				if want := inBrush(shape, canvas.MaxBrush, x, y, 300, 300); (got == 1) != want {
					t.Fatalf("%v: pixel (%d,%d) painted is %v", shape, x, y, got == 1)
				}
			}
		}
	}
}

// A stroke is the union of the stamps along the lines between its events.
func TestStrokeIsUnionOfStamps(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 60 {
		const w, h = 70, 50
		shape, size := canvas.Shape(rng.IntN(3)), 1+rng.IntN(20)
		e := newEasel(t, blank(w, h))
		e.Brush = canvas.Brush{Shape: shape, Size: size}
		var path []canvas.Point
		for range 2 + rng.IntN(3) {
			path = append(path, canvas.Point{X: rng.Float64()*90 - 10, Y: rng.Float64()*70 - 10})
		}
		e.drag(path)
		want := make([]bool, w*h)
		anchor := func(p canvas.Point) (int, int) {
			if size%2 == 0 {
				p.X, p.Y = p.X+0.5, p.Y+0.5
			}
			return int(math.Floor(p.X)), int(math.Floor(p.Y))
		}
		for i := 1; i < len(path); i++ {
			x0, y0 := anchor(path[i-1])
			x1, y1 := anchor(path[i])
			bresenham(x0, y0, x1, y1, func(ax, ay int) {
				for y := range h {
					for x := range w {
						want[y*w+x] = want[y*w+x] || inBrush(shape, size, x, y, ax, ay)
					}
				}
			})
		}
		for i, k := range e.c.Labels().Pix {
			if (k == 1) != want[i] {
				t.Fatalf("%v %d along %v: pixel (%d,%d) painted is %v", shape, size, path, i%w, i/w, k == 1)
			}
		}
	}
}

func bresenham(x0, y0, x1, y1 int, fn func(x, y int)) {
	dx, dy := max(x1-x0, x0-x1), -max(y1-y0, y0-y1)
	sx, sy := 1, 1
	if x1 < x0 {
		sx = -1
	}
	if y1 < y0 {
		sy = -1
	}
	for err := dx + dy; ; {
		fn(x0, y0)
		if x0 == x1 && y0 == y1 {
			return
		}
		e2 := 2 * err
		if e2 > dy {
			err, x0 = err+dy, x0+sx
		}
		if e2 < dx {
			err, y0 = err+dx, y0+sy
		}
	}
}

func TestSizeSteps(t *testing.T) {
	size := 1
	var got []int
	for range 50 {
		size = canvas.LargerSize(size)
		got = append(got, size)
	}
	want := []int{
		2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 61, 67, 74,
		81, 89, 98, 108, 119, 131, 144, 158, 174, 191, 210, 231, 254, 279, 307, 338, 372, 409, 450, 495,
	}
	if !slices.Equal(got, want) {
		t.Errorf("the sizes are %v", got)
	}
	for range 3 {
		size = canvas.LargerSize(size)
	}
	if size != canvas.MaxBrush {
		t.Errorf("stops at %d", size)
	}
	for range 60 {
		size = canvas.SmallerSize(size)
	}
	if size != 1 {
		t.Errorf("stops at %d", size)
	}
	for size := 1; size <= canvas.MaxBrush; size++ {
		if back := canvas.SizeAt(canvas.TravelOf(size)); back != size {
			t.Fatalf("size %d comes back from the slider as %d", size, back)
		}
	}
	if canvas.SizeAt(0.4) != 50 || canvas.SizeAt(0.7) != 200 {
		t.Error("the slider's travel is not 40 % to 50 px, 70 % to 200 px")
	}
}

// A stroke by speed is thinner the faster it is, and never thicker than the brush.
func TestBrushBySpeed(t *testing.T) {
	area := func(step float64) int {
		e := newEasel(t, blank(512, 512))
		e.Brush = canvas.Brush{Size: 40, BySpeed: true}
		var path []canvas.Point
		for x := 40.0; x <= 470; x += step {
			path = append(path, canvas.Point{X: x, Y: 256})
		}
		e.drag(path)
		for y := range 512 {
			if k, _ := e.c.ClassAt(255, y); k == 1 && (y < 236 || y > 276) {
				t.Fatalf("step %v: painted at row %d", step, y)
			}
		}
		return e.c.Count(1)
	}
	slow, middle, fast := area(0.5), area(8), area(40)
	if slow <= middle || middle <= fast || fast < 430*10 {
		t.Errorf("areas %d, %d, %d", slow, middle, fast)
	}
}

func referenceFill(m *image.Paletted, x, y int) []bool {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	in := make([]bool, w*h)
	class := m.Pix[y*w+x]
	in[y*w+x] = true
	for again := true; again; {
		again = false
		for i := range in {
			if in[i] || m.Pix[i] != class {
				continue
			}
			x, y := i%w, i/w
			if x > 0 && in[i-1] || x < w-1 && in[i+1] || y > 0 && in[i-w] || y < h-1 && in[i+w] {
				in[i], again = true, true
			}
		}
	}
	return in
}

func TestFillMatchesReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for i := range 100 {
		m := patches(40, 30, 3, rng)
		if i%2 == 0 { // noise gives the most crooked pieces
			for k := range m.Pix {
				m.Pix[k] = uint8(rng.IntN(2))
			}
		}
		x, y := rng.IntN(40), rng.IntN(30)
		e := newEasel(t, m)
		e.use(t, "fill")
		e.SetClass(7)
		e.FillEverywhere = i%5 == 4
		e.drag(pts(float64(x)+0.5, float64(y)+0.5))
		want := referenceFill(m, x, y)
		for k, in := range want {
			in = in || e.FillEverywhere && m.Pix[k] == m.Pix[y*40+x]
			if got := e.c.Labels().Pix[k] == 7; got != in {
				t.Fatalf("mask %d: pixel %d filled is %v", i, k, got)
			}
			if mark := e.c.MarkAt(k%40, k/40); mark.InRegion() != in {
				t.Fatalf("mask %d: pixel %d in the region is %v", i, k, mark.InRegion())
			}
		}
	}
}

func insidePolygon(p []canvas.Point, x, y float64) bool {
	in := false
	for i, j := 0, len(p)-1; i < len(p); j, i = i, i+1 {
		if (p[i].Y > y) != (p[j].Y > y) && x < (p[j].X-p[i].X)*(y-p[i].Y)/(p[j].Y-p[i].Y)+p[i].X {
			in = !in
		}
	}
	return in
}

func TestPolygonMatchesReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 200 {
		e := newEasel(t, blank(50, 40))
		e.use(t, "polygon")
		var p []canvas.Point
		for range 3 + rng.IntN(6) {
			p = append(p, canvas.Point{X: rng.Float64()*70 - 10, Y: rng.Float64()*60 - 10})
		}
		for _, q := range p {
			ev := canvas.Event{Kind: canvas.Press, At: q}
			e.Handle(ev)
			ev.Kind = canvas.Release
			e.Handle(ev)
		}
		e.send(canvas.Confirm, 0, 0)
		for i, k := range e.c.Labels().Pix {
			if want := insidePolygon(p, float64(i%50)+0.5, float64(i/50)+0.5); (k == 1) != want {
				t.Fatalf("%v: pixel (%d,%d) filled is %v", p, i%50, i/50, k == 1)
			}
		}
	}
}

func TestPolygonSteps(t *testing.T) {
	e := newEasel(t, blank(50, 50))
	e.use(t, "polygon")
	click := func(x, y float64, mods ...string) {
		e.send(canvas.Press, x, y, mods...)
		e.send(canvas.Release, x, y, mods...)
	}
	click(10, 10)
	click(40, 10)
	click(45, 45)
	click(0, 0, "right") // takes (45,45) back
	click(40, 40)
	e.send(canvas.Back, 0, 0) // takes (40,40) back
	click(40, 40)
	click(10, 40)
	if e.c.Count(1) != 0 {
		t.Fatal("painted before the polygon was finished")
	}
	click(10.5, 10.5) // closes
	if e.c.Count(1) != 900 {
		t.Errorf("%d pixels, not 900", e.c.Count(1))
	}
	before := pixels(e.c)
	click(1, 1)
	click(40, 2)
	click(30, 30)
	if !e.Busy() {
		t.Error("a polygon in progress is not busy")
	}
	e.send(canvas.Cancel, 0, 0)
	e.send(canvas.Confirm, 0, 0)
	if undo, _ := e.hist.Len(); !bytes.Equal(before, pixels(e.c)) || undo != 1 || e.Outline() != nil {
		t.Error("a cancelled polygon left something")
	}
}

func TestLassoAndItsSubtraction(t *testing.T) {
	loop := pts(10, 10, 40, 10, 40, 40, 10, 40)
	e := newEasel(t, patches(50, 50, 8, rand.New(rand.NewPCG(4, 4))))
	e.use(t, "lasso")
	e.drag(loop)
	for y := range 50 {
		for x := range 50 {
			in := x >= 10 && x < 40 && y >= 10 && y < 40
			k, _ := e.c.ClassAt(x, y)
			if in && k != 1 || !in && k != e.c.Base().Pix[y*50+x] || in != e.c.MarkAt(x, y).InRegion() {
				t.Fatalf("(%d,%d) is %d", x, y, k)
			}
		}
	}
	e.drag(loop, "ctrl")
	if !bytes.Equal(e.c.Labels().Pix, e.c.Base().Pix) || e.c.MarkAt(20, 20) != 0 {
		t.Error("Ctrl did not bring the original back")
	}
}

func TestRectangleAndEllipse(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range 300 {
		a := image.Pt(rng.IntN(60)-10, rng.IntN(50)-10)
		b := image.Pt(rng.IntN(60)-10, rng.IntN(50)-10)
		shift := i%3 == 0
		name := []string{"rectangle", "ellipse"}[i%2]
		e := newEasel(t, blank(40, 30))
		e.use(t, name)
		var mods []string
		r := image.Rect(min(a.X, b.X), min(a.Y, b.Y), max(a.X, b.X)+1, max(a.Y, b.Y)+1)
		if shift {
			mods = append(mods, "shift")
			side := max(r.Dx(), r.Dy()) // grown away from the first corner
			if b.X < a.X {
				r.Min.X = r.Max.X - side
			} else {
				r.Max.X = r.Min.X + side
			}
			if b.Y < a.Y {
				r.Min.Y = r.Max.Y - side
			} else {
				r.Max.Y = r.Min.Y + side
			}
		}
		e.drag([]canvas.Point{{X: float64(a.X) + 0.3, Y: float64(a.Y) + 0.6}, {X: float64(b.X) + 0.9, Y: float64(b.Y) + 0.1}}, mods...)
		for k, class := range e.c.Labels().Pix {
			p := image.Pt(k%40, k/40)
			want := p.In(r)
			if name == "ellipse" {
				dx, dy := 2*p.X+1-r.Min.X-r.Max.X, 2*p.Y+1-r.Min.Y-r.Max.Y
				w, h := r.Dx(), r.Dy()
				want = dx*dx*h*h+dy*dy*w*w <= w*w*h*h
			}
			if (class == 1) != want {
				t.Fatalf("%s %v: pixel %v painted is %v", name, r, p, class == 1)
			}
		}
	}
}

func TestShiftClickLine(t *testing.T) {
	e := newEasel(t, blank(100, 60))
	e.SetSize(1)
	e.drag(pts(5.5, 5.5, 20.5, 9.5))
	e.drag(pts(90.5, 50.5), "shift")
	missing := 0
	bresenham(20, 9, 90, 50, func(x, y int) {
		if k, _ := e.c.ClassAt(x, y); k != 1 {
			missing++
		}
	})
	if missing > 0 || e.c.Count(1) != 16+71-1 {
		t.Errorf("%d pixels of the line are missing, %d painted", missing, e.c.Count(1))
	}
}

func TestOutlineAndFill(t *testing.T) {
	ring := pts(30, 10, 50, 30, 30, 50, 10, 30)
	for _, how := range []string{"tool", "right button"} {
		e := newEasel(t, blank(60, 60))
		e.SetSize(3)
		var mods []string
		if how == "tool" {
			e.use(t, "outline")
		} else {
			mods = append(mods, "right")
		}
		e.drag(append(slices.Clone(ring), ring[0]), mods...)
		if k, _ := e.c.ClassAt(30, 30); k != 1 {
			t.Errorf("%s: the inside is not filled", how)
		}
		if k, _ := e.c.ClassAt(30, 9); k != 1 {
			t.Errorf("%s: the outline is not painted", how)
		}
		if k, _ := e.c.ClassAt(8, 8); k != 0 {
			t.Errorf("%s: the outside is painted", how)
		}
		if undo, _ := e.hist.Len(); undo != 1 {
			t.Errorf("%s: %d steps", how, undo)
		}
	}
}

// A locked class has the same pixels before and after 1000 random strokes.
func TestLockedClassesNeverChange(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	m := patches(120, 90, 8, rng)
	e := newEasel(t, m)
	locked := []uint8{2, 5}
	for _, k := range locked {
		e.c.Protection.Locked[k] = true
	}
	for range times(1000) {
		e.SetClass(uint8(rng.IntN(8)))
		e.Brush = canvas.Brush{Shape: canvas.Shape(rng.IntN(3)), Size: 1 + rng.IntN(40)}
		e.c.Symmetry.On = rng.IntN(3) == 0
		e.use(t, []string{"brush", "erase", "fill", "lasso", "rectangle", "ellipse", "outline", "smooth", "move"}[rng.IntN(9)])
		e.drag(pts(rng.Float64()*120, rng.Float64()*90, rng.Float64()*120, rng.Float64()*90, rng.Float64()*120, rng.Float64()*90))
		e.send(canvas.Confirm, 0, 0)
		k := uint8(rng.IntN(8))
		switch rng.IntN(6) {
		case 0:
			_, _ = e.c.Expand("", k, 2, canvas.Box)
		case 1:
			_, _ = e.c.Shrink("", k, 2, canvas.Cross)
		case 2:
			_, _ = e.c.Smooth("", k, 2, canvas.Median)
		}
	}
	painted := 0
	for i, was := range m.Pix {
		now := e.c.Labels().Pix[i]
		if (slices.Contains(locked, was) || slices.Contains(locked, now)) && was != now {
			t.Fatalf("pixel %d went from %d to %d", i, was, now)
		}
		if was != now {
			painted++
		}
	}
	if painted < 1000 {
		t.Errorf("only %d pixels were painted at all", painted)
	}
}

func TestPreserveOthers(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	e := newEasel(t, patches(100, 80, 8, rng))
	e.c.Protection.PreserveOthers = true
	for range 200 {
		class := uint8(1 + rng.IntN(7))
		e.SetClass(class)
		e.SetSize(1 + rng.IntN(30))
		e.use(t, []string{"brush", "erase", "fill", "lasso"}[rng.IntN(4)])
		before := bytes.Clone(e.c.Labels().Pix)
		e.drag(pts(rng.Float64()*100, rng.Float64()*80, rng.Float64()*100, rng.Float64()*80, rng.Float64()*100, rng.Float64()*80))
		for i, was := range before {
			if now := e.c.Labels().Pix[i]; now != was && was != 0 && was != class {
				t.Fatalf("painting %d took a pixel from %d", class, was)
			}
		}
	}
}

// What is painted with symmetry is symmetric, paired classes swapped.
func TestSymmetrySwapsPairs(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	for _, w := range []int{60, 61} {
		e := newEasel(t, blank(w, 50))
		s := &e.c.Symmetry
		s.On = true
		s.Pair(2, 3)
		s.Pair(4, 5)
		for i := range 300 {
			class := uint8(1 + rng.IntN(6))
			e.SetClass(class)
			e.Brush = canvas.Brush{Shape: canvas.Shape(rng.IntN(3)), Size: 1 + rng.IntN(12)}
			e.use(t, []string{"brush", "lasso", "rectangle", "ellipse", "outline", "erase", "fill"}[rng.IntN(7)])
			e.drag(pts(rng.Float64()*float64(w), rng.Float64()*50, rng.Float64()*float64(w), rng.Float64()*50, rng.Float64()*float64(w), rng.Float64()*50))
			for k, class := range e.c.Labels().Pix {
				x, y := k%w, k/w
				other, _ := e.c.ClassAt(w-1-x, y)
				if 2*x != w-1 && other != s.Pairs[class] {
					t.Fatalf("width %d, stroke %d: (%d,%d) is %d, its mirror %d", w, i, x, y, class, other)
				}
			}
		}
	}
}

func dilations(set []bool, w, h, n int, el canvas.Element) []bool {
	for range n {
		out := slices.Clone(set)
		for i, in := range set {
			if !in {
				continue
			}
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					x, y := i%w+dx, i/w+dy
					if x < 0 || y < 0 || x >= w || y >= h || el == canvas.Cross && dx*dy != 0 {
						continue
					}
					out[y*w+x] = true
				}
			}
		}
		set = out
	}
	return set
}

func TestExpandAndShrinkMatchReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	for i := range 80 {
		const w, h = 40, 30
		m := patches(w, h, 5, rng)
		n, el := 1+rng.IntN(5), canvas.Element(i%2)
		class := uint8(rng.IntN(5))
		locked := uint8(rng.IntN(5))
		set := make([]bool, w*h)
		rest := make([]bool, w*h)
		for k, v := range m.Pix {
			set[k], rest[k] = v == class, v != class
		}
		grown, eaten := dilations(set, w, h, n, el), dilations(rest, w, h, n, el)

		c := newCanvas(t, m)
		if locked != class {
			c.Protection.Locked[locked] = true
		}
		if _, err := c.Expand("expand", class, n, el); err != nil {
			t.Fatal(err)
		}
		for k, v := range m.Pix {
			want := grown[k] && (v == class || v != locked || locked == class)
			if got := c.Labels().Pix[k] == class; got != want {
				t.Fatalf("expand by %d: pixel %d is %v", n, k, got)
			}
		}
		c = newCanvas(t, m)
		if _, err := c.Shrink("shrink", class, n, el); err != nil {
			t.Fatal(err)
		}
		all := !slices.Contains(rest, true)
		for k := range m.Pix {
			want := set[k] && !eaten[k]
			if got := c.Labels().Pix[k] == class; got != want && !all {
				t.Fatalf("shrink by %d: pixel %d is %v", n, k, got)
			}
		}
		checkCounts(t, c)
	}
}

func TestSmoothClass(t *testing.T) {
	for _, f := range []canvas.Filter{canvas.Median, canvas.Open, canvas.Close} {
		m := blank(80, 80)
		area := 0
		for y := range 80 {
			for x := range 80 {
				if inBrush(canvas.Round, 32, x, y, 30, 30) {
					m.Pix[y*80+x] = 1
					area++
				}
			}
		}
		speck, pin := 70*80+70, 30*80+30
		if f != canvas.Close {
			m.Pix[speck] = 1
		}
		if f != canvas.Open {
			m.Pix[pin] = 0
		}
		c := newCanvas(t, m)
		if _, err := c.Smooth("smooth", 1, 1, f); err != nil {
			t.Fatal(err)
		}
		if f != canvas.Close && c.Labels().Pix[speck] == 1 {
			t.Errorf("filter %d: the speck is still there", f)
		}
		if f != canvas.Open && c.Labels().Pix[pin] != 1 {
			t.Errorf("filter %d: the pinhole is still there", f)
		}
		if got := c.Count(1); math.Abs(float64(got-area)) >= 0.02*float64(area) {
			t.Errorf("filter %d: the disc went from %d to %d pixels", f, area, got)
		}
	}
}

// Median, opening and closing against their definitions.
func TestFiltersMatchReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 10))
	const w, h = 30, 24
	for i := range 60 {
		m := blank(w, h)
		for k := range m.Pix {
			m.Pix[k] = uint8(rng.IntN(3) / 2)
		}
		m.Pix[0] = 0
		n := 1 + i%3
		f := canvas.Filter(i % 3)
		at := func(x, y int) bool { return x >= 0 && y >= 0 && x < w && y < h && m.Pix[y*w+x] == 1 }
		window := func(x, y int, fn func(x, y int)) {
			for j := y - n; j <= y+n; j++ {
				for i := x - n; i <= x+n; i++ {
					fn(i, j)
				}
			}
		}
		inside := func(x, y int) bool { return x >= 0 && y >= 0 && x < w && y < h }
		dilated := func(x, y int) bool {
			any := false
			window(x, y, func(i, j int) { any = any || at(i, j) })
			return any
		}
		eroded := func(x, y int) bool {
			all := true
			window(x, y, func(i, j int) { all = all && (!inside(i, j) || at(i, j)) })
			return all
		}
		c := newCanvas(t, m)
		if _, err := c.Smooth("", 1, n, f); err != nil {
			t.Fatal(err)
		}
		for y := range h {
			for x := range w {
				want := false
				switch f {
				case canvas.Median:
					in, of := 0, 0
					window(x, y, func(i, j int) {
						if inside(i, j) {
							of++
							if at(i, j) {
								in++
							}
						}
					})
					want = 2*in > of
				case canvas.Open:
					window(x, y, func(i, j int) { want = want || inside(i, j) && eroded(i, j) })
				case canvas.Close:
					want = true
					window(x, y, func(i, j int) { want = want && dilated(i, j) })
				}
				if got, _ := c.ClassAt(x, y); (got == 1) != want {
					t.Fatalf("filter %d of reach %d: (%d,%d) is %d", f, n, x, y, got)
				}
			}
		}
	}
}

// labelling is a reference: union of neighbours until nothing changes.
func labelling(in func(i int) bool, w, h int) map[int][]int {
	id := make([]int, w*h)
	for i := range id {
		id[i] = i
	}
	for again := true; again; {
		again = false
		for i := range id {
			if !in(i) {
				continue
			}
			for _, j := range []int{i + 1, i + w} {
				if j == i+1 && i%w == w-1 || j >= w*h || !in(j) || id[i] == id[j] {
					continue
				}
				id[i], id[j] = min(id[i], id[j]), min(id[i], id[j])
				again = true
			}
		}
	}
	pieces := make(map[int][]int)
	for i := range id {
		if in(i) {
			pieces[id[i]] = append(pieces[id[i]], i)
		}
	}
	return pieces
}

func TestIslandsAndHoles(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 11))
	const w, h = 40, 30
	for i := range 60 {
		m := blank(w, h)
		for k := range m.Pix {
			if rng.IntN(10) < 5 {
				m.Pix[k] = 1
			}
		}
		least := 2 + rng.IntN(12)
		islands := labelling(func(i int) bool { return m.Pix[i] == 1 }, w, h)
		c := newCanvas(t, m)
		if got := len(c.Islands(1)); got != len(islands) {
			t.Fatalf("%d islands, not %d", got, len(islands))
		}
		if i%2 == 0 {
			want := 0
			for _, p := range islands {
				if len(p) >= least {
					want++
				}
			}
			if _, err := c.RemoveIslands("", 1, least); err != nil {
				t.Fatal(err)
			}
			got := c.Islands(1)
			if len(got) != want || len(got) > 0 && slices.Min(got) < least {
				t.Fatalf("islands of %v after removing those below %d; %d expected", got, least, want)
			}
			continue
		}
		want := slices.Clone(m.Pix)
		for _, p := range labelling(func(i int) bool { return m.Pix[i] != 1 }, w, h) {
			border := slices.ContainsFunc(p, func(i int) bool { return i%w == 0 || i%w == w-1 || i/w == 0 || i/w == h-1 })
			if border || len(p) >= least {
				continue
			}
			for _, i := range p {
				want[i] = 1
			}
		}
		if _, err := c.FillHoles("", 1, least); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, c.Labels().Pix) {
			t.Fatal("other holes were filled than by the reference")
		}
	}
}

func TestKeepLargest(t *testing.T) {
	m := patches(60, 40, 4, rand.New(rand.NewPCG(12, 12)))
	c := newCanvas(t, m)
	for class := range uint8(4) {
		sizes := c.Islands(class)
		if _, err := c.KeepLargest("", class); err != nil {
			t.Fatal(err)
		}
		if got := c.Islands(class); len(sizes) > 0 && (len(got) != 1 || got[0] < slices.Max(sizes)) {
			t.Errorf("class %d: islands %v, before %v", class, got, sizes)
		}
	}
}

// The smooth brush is a majority vote under the brush, read before it writes.
func TestSmoothBrushMatchesReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 13))
	const w, h = 50, 40
	for i := range 30 {
		m := patches(w, h, 5, rng)
		for range 150 {
			m.Pix[rng.IntN(w*h)] = uint8(rng.IntN(5))
		}
		e := newEasel(t, m)
		e.use(t, "smooth")
		e.SetSize(15)
		e.SmoothRadius = 1 + i%4
		x, y := rng.IntN(w), rng.IntN(h)
		e.drag(pts(float64(x)+0.5, float64(y)+0.5))
		for k, was := range m.Pix {
			px, py := k%w, k/w
			want := was
			if inBrush(canvas.Round, 15, px, py, x, y) {
				var votes [5]int
				for j := max(py-e.SmoothRadius, 0); j <= min(py+e.SmoothRadius, h-1); j++ {
					for i := max(px-e.SmoothRadius, 0); i <= min(px+e.SmoothRadius, w-1); i++ {
						votes[m.Pix[j*w+i]]++
					}
				}
				for class, n := range votes {
					if n > votes[want] || n == votes[want] && n > votes[was] && class < int(want) {
						want = uint8(class)
					}
				}
			}
			if got := e.c.Labels().Pix[k]; got != want {
				t.Fatalf("(%d,%d) went from %d to %d, not %d", px, py, was, got, want)
			}
		}
	}
}

func TestMovePart(t *testing.T) {
	m := blank(60, 50) // a square of class 2 with a 3 in it, half on 0, half on 1
	for y := range 50 {
		for x := range 60 {
			if x >= 30 {
				m.Pix[y*60+x] = 1
			}
			if x >= 25 && x < 35 && y >= 20 && y < 30 {
				m.Pix[y*60+x] = 2
			}
			if x >= 28 && x < 31 && y >= 22 && y < 25 {
				m.Pix[y*60+x] = 3
			}
		}
	}
	for _, hole := range []int{canvas.NoClass, 5} {
		e := newEasel(t, m)
		e.use(t, "move")
		e.HoleClass = hole
		e.MoveWith = func(k uint8) []uint8 { return []uint8{3} }
		e.drag(pts(26.5, 21.5, 36.5, 30.5, 36.7, 36.2)) // by (10, 15)
		if undo, _ := e.hist.Len(); undo != 0 {
			t.Fatal("the part was set down before it was confirmed")
		}
		e.send(canvas.Confirm, 0, 0)
		for y := range 50 {
			for x := range 60 {
				i := y*60 + x
				want := m.Pix[i]
				if want == 2 || want == 3 {
					switch {
					case hole != canvas.NoClass:
						want = uint8(hole)
					case x < 30:
						want = 0
					default:
						want = 1
					}
				}
				if sx, sy := x-10, y-15; sx >= 0 && sy >= 0 {
					if k := m.Pix[sy*60+sx]; k == 2 || k == 3 {
						want = k
					}
				}
				// In the middle of the hole both classes are equally near.
				if got := e.c.Labels().Pix[i]; got != want && !(hole == canvas.NoClass && (got == 0 || got == 1) && x > 26 && x < 33) {
					t.Fatalf("hole %d: (%d,%d) is %d, not %d", hole, x, y, got, want)
				}
			}
		}
		if undo, _ := e.hist.Len(); undo != 1 {
			t.Errorf("%d steps", undo)
		}
		if _, err := e.hist.Undo(e.c); err != nil || !bytes.Equal(e.c.Labels().Pix, m.Pix) {
			t.Error("undo did not bring the part back")
		}
	}
}

// A part moved, scaled and turned by its handles; Cancel puts it back.
func TestMoveHandles(t *testing.T) {
	m := blank(100, 100)
	for y := 40; y < 60; y++ {
		for x := 30; x < 70; x++ {
			m.Pix[y*100+x] = 2
		}
	}
	e := newEasel(t, m)
	e.use(t, "move")
	e.drag(pts(50.5, 50.5))
	e.drag(pts(70, 60, 80, 65)) // a corner, half the size again from the middle
	if n := e.c.Count(2); n != 60*30 {
		t.Errorf("scaled to %d pixels, not %d", n, 60*30)
	}
	frame := e.Outline()
	turn := frame[1].Points[1]
	// From above the middle to its right: a quarter turn.
	e.drag(pts(turn.X, turn.Y, 90, 50))
	if n := e.c.Count(2); n != 60*30 {
		t.Errorf("turned to %d pixels, not %d", n, 60*30)
	}
	if k, _ := e.c.ClassAt(50, 22); k != 2 {
		t.Error("the part is not upright")
	}
	if k, _ := e.c.ClassAt(22, 50); k == 2 {
		t.Error("the part is still level")
	}
	if !e.Nudge(3, 0) {
		t.Error("nothing to nudge")
	}
	if k, _ := e.c.ClassAt(67, 50); k != 2 {
		t.Error("the part did not follow the arrow")
	}
	e.send(canvas.Cancel, 0, 0)
	if undo, _ := e.hist.Len(); undo != 0 || !bytes.Equal(e.c.Labels().Pix, m.Pix) {
		t.Error("Cancel did not put the part back")
	}
}

func TestCopyBetweenPictures(t *testing.T) {
	from := newCanvas(t, patches(60, 50, 6, rand.New(rand.NewPCG(14, 14))))
	p, err := from.Copy(3)
	if err != nil {
		t.Fatal(err)
	}
	if p.Area() != from.Count(3) {
		t.Errorf("took %d pixels of %d", p.Area(), from.Count(3))
	}
	e := newEasel(t, blank(80, 70))
	e.Float(p.Remap(map[uint8]uint8{3: 6}))
	if e.Tool().ID() != "move" || e.c.Count(6) != p.Area() {
		t.Errorf("floating %d pixels with %s", e.c.Count(6), e.Tool().ID())
	}
	e.Nudge(20, 20)
	e.use(t, "brush") // another tool sets it down
	if e.c.Count(6) != p.Area() {
		t.Errorf("%d pixels, not %d", e.c.Count(6), p.Area())
	}
	for y := range 50 {
		for x := range 60 {
			k, _ := from.ClassAt(x, y)
			if got, _ := e.c.ClassAt(x+20, y+20); (got == 6) != (k == 3) {
				t.Fatalf("(%d,%d) is %d", x+20, y+20, got)
			}
		}
	}
	if undo, _ := e.hist.Len(); undo != 1 {
		t.Errorf("%d steps", undo)
	}
	if _, err := from.Copy(7); err == nil {
		t.Error("copied a class without pixels")
	}
	if _, err := from.Paste("", p, canvas.Transform{ScaleX: math.NaN(), ScaleY: 1}); err == nil {
		t.Error("pasted by a transform that is no number")
	}
}

// The region is what was painted, plus free, minus keep; every tool feeds it.
func TestRegion(t *testing.T) {
	for _, tool := range []string{"brush", "fill", "polygon", "lasso", "rectangle", "ellipse", "outline"} {
		e := newEasel(t, blank(60, 60))
		e.use(t, tool)
		e.SetClass(3)
		e.SetSize(5)
		path := pts(10, 10, 50, 10, 50, 50, 10, 50)
		for _, layer := range []canvas.InkKind{canvas.Paint, canvas.MarkKeep, canvas.Unmark, canvas.MarkFree} {
			e.Layer = layer
			before := pixels(e.c)
			if tool == "polygon" {
				for _, p := range path {
					e.send(canvas.Press, p.X, p.Y)
					e.send(canvas.Release, p.X, p.Y)
				}
				e.send(canvas.Confirm, 0, 0)
			} else {
				e.drag(path)
			}
			if bytes.Equal(before, pixels(e.c)) {
				t.Fatalf("%s with ink %d changed nothing", tool, layer)
			}
			region := e.c.Region()
			for i, k := range e.c.Labels().Pix {
				want := k == 3 && layer != canvas.MarkKeep
				if (region.Pix[i] == 255) != want {
					t.Fatalf("%s with ink %d: pixel %d in the region is %v", tool, layer, i, !want)
				}
			}
		}
		ch, err := e.c.ResetRegion("reset")
		if err != nil || ch == nil || slices.Max(e.c.Region().Pix) != 0 || e.c.Count(3) == 0 {
			t.Errorf("%s: resetting the region: %v", tool, err)
		}
	}
}

func TestRebase(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 15))
	e := newEasel(t, patches(50, 40, 5, rng))
	e.drag(pts(10, 10, 40, 30))
	e.Layer = canvas.MarkKeep
	e.drag(pts(5, 35))
	next := patches(50, 40, 5, rng)
	painted := bytes.Clone(e.c.Labels().Pix)
	ch, err := e.c.Rebase("keep", next, true)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(e.c.Labels().Pix, painted) || !bytes.Equal(e.c.Base().Pix, next.Pix) {
		t.Error("keeping what is painted")
	}
	if err := ch.Revert(e.c); err != nil {
		t.Fatal(err)
	}
	if _, err = e.c.Rebase("fresh", next, false); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(e.c.Labels().Pix, next.Pix) || e.c.MarkAt(25, 20) != 0 || e.c.MarkAt(5, 35) != canvas.Keep {
		t.Error("the new labels do not show, or marks are wrong")
	}
	checkCounts(t, e.c)
	if _, err := e.c.Rebase("size", blank(3, 3), false); err == nil {
		t.Error("took base labels of another size")
	}
}

// Every change is inside the rectangles announced for it.
func TestDirtyRectangles(t *testing.T) {
	rng := rand.New(rand.NewPCG(16, 16))
	e := newEasel(t, patches(140, 100, 8, rng))
	shadow := pixels(e.c)
	var dirty []image.Rectangle
	e.c.Subscribe(func(r image.Rectangle) { dirty = append(dirty, r) })
	n := 140 * 100
	for step := range times(600) {
		dirty = dirty[:0]
		switch rng.IntN(6) {
		case 0:
			_, _ = e.hist.Undo(e.c)
		case 1:
			_, _ = e.hist.Redo(e.c)
		default:
			randomOperation(t, e, rng)
		}
		now := pixels(e.c)
		for i := range now {
			if now[i] == shadow[i] {
				continue
			}
			p := image.Pt(i%n%140, i%n/140)
			if !slices.ContainsFunc(dirty, func(r image.Rectangle) bool { return p.In(r) }) {
				t.Fatalf("step %d: %v changed outside of %v", step, p, dirty)
			}
		}
		shadow = now
	}
	// And a small stroke has a small rectangle.
	dirty = dirty[:0]
	e.use(t, "brush")
	e.Brush = canvas.Brush{Size: 9}
	e.drag(pts(50, 50, 60, 50))
	area := image.Rectangle{}
	for _, r := range dirty {
		area = area.Union(r)
	}
	if area.Dx() > 20 || area.Dy() > 10 {
		t.Errorf("a stroke of 19×9 pixels announced %v", area)
	}
}

func TestHeldToolAndSwaps(t *testing.T) {
	e := newEasel(t, blank(50, 50))
	e.use(t, "polygon")
	e.send(canvas.Press, 5, 5)
	e.send(canvas.Release, 5, 5)
	e.Hold("pick")
	e.send(canvas.Press, 20, 20)
	e.send(canvas.Release, 20, 20)
	if e.Class() != 0 {
		t.Errorf("picked %d", e.Class())
	}
	e.LetGo()
	if e.Tool().ID() != "polygon" || e.Outline() == nil {
		t.Error("the polygon in progress is gone")
	}
	e.use(t, "fill")
	e.UsePrevious()
	if e.Tool().ID() != "polygon" {
		t.Errorf("the tool before is %s", e.Tool().ID())
	}
	e.SetClass(4)
	e.SetClass(6)
	e.SwapClass()
	if e.Class() != 4 {
		t.Errorf("the class before is %d", e.Class())
	}
	e.StepClass(-5)
	if e.Class() != 7 {
		t.Errorf("five classes down is %d", e.Class())
	}
	if err := e.Use("airbrush"); err == nil {
		t.Error("used a tool that does not exist")
	}
}

// A tool of one's own is one type.
type dots struct{}

func (dots) ID() string             { return "dots" }
func (dots) Outline() []canvas.Path { return nil }
func (dots) Handle(p *canvas.Painter, e canvas.Event) {
	if e.Kind != canvas.Press {
		return
	}
	if edit := p.Begin(p.Ink()); edit != nil {
		x, y := int(e.At.X), int(e.At.Y)
		edit.Span(y, x, x+1)
		edit.Span(y+2, x, x+1)
		p.Commit("dots")
	}
}

func Example_tool() {
	c, _ := canvas.New(image.NewPaletted(image.Rect(0, 0, 8, 8), palette))
	p := canvas.NewPainter(c)
	p.OnCommit = func(ch *canvas.Change) { fmt.Println(ch.Name(), ch.Bounds(), c.Count(1)) }
	p.AddTool(dots{})
	_ = p.Use("dots")
	p.Handle(canvas.Event{Kind: canvas.Press, At: canvas.Point{X: 3, Y: 4}})
	// Output: dots (3,4)-(4,7) 2
}
