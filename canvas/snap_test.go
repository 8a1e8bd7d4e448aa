package canvas_test

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"latentbrush/canvas"
)

// disc is a picture of a bright disc with a soft shading on dark ground.
func disc(side int, cx, cy, r float64) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for y := range side {
		for x := range side {
			v := 40 + x/8
			if math.Hypot(float64(x)+0.5-cx, float64(y)+0.5-cy) <= r {
				v += 120
			}
			m.SetRGBA(x, y, color.RGBA{uint8(v), uint8(v), uint8(v), 255})
		}
	}
	return m
}

// A wavering stroke around a disc follows its rim to a pixel and a half, however far
// apart its events are; with Ctrl, and where there is no edge, it goes where the hand
// goes.
func TestStrokesSnapToEdges(t *testing.T) {
	rng := rand.New(rand.NewPCG(31, 32))
	const side, cx, cy, r = 200, 100, 100, 60
	wobbly := func(events int) []canvas.Point {
		var path []canvas.Point
		for i := range events + 1 {
			sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(events))
			d := r + rng.Float64()*10 - 5
			path = append(path, canvas.Point{X: cx + d*cos, Y: cy + d*sin})
		}
		return path
	}
	// far is the largest distance of a painted pixel from the rim.
	far := func(e *easel) (worst float64, n int) {
		for i, k := range e.c.Labels().Pix {
			if k == 1 {
				n++
				worst = max(worst, math.Abs(math.Hypot(float64(i%side)+0.5-cx, float64(i/side)+0.5-cy)-r))
			}
		}
		return worst, n
	}
	for _, events := range []int{400, 24} {
		e := newEasel(t, blank(side, side))
		e.SetPicture(disc(side, cx, cy, r))
		e.Snap = 10
		e.SetClass(1)
		e.SetSize(1)
		e.use(t, "brush")
		path := wobbly(events)
		e.drag(path)
		if worst, n := far(e); worst > 1.5 || n < 250 {
			t.Errorf("%d events: %d pixels painted, up to %.2f from the rim", events, n, worst)
		}
		free := newEasel(t, blank(side, side))
		free.SetClass(1)
		free.SetSize(1)
		free.drag(path)
		with := newEasel(t, blank(side, side))
		with.SetPicture(disc(side, cx, cy, r))
		with.Snap = 10
		with.SetClass(1)
		with.SetSize(1)
		with.drag(path, "ctrl")
		if string(with.c.Labels().Pix) != string(free.c.Labels().Pix) {
			t.Errorf("%d events: Ctrl does not let go of the edge", events)
		}
		if worst, _ := far(free); worst < 3 {
			t.Fatalf("the stroke wavers by %.1f only", worst)
		}
	}
	// In the soft shading there is nothing to hold on to.
	e := newEasel(t, blank(side, side))
	e.SetPicture(disc(side, cx, cy, r))
	e.Snap = 10
	e.SetClass(1)
	e.SetSize(1)
	e.drag(pts(95, 95, 110, 95))
	for x := 95; x <= 110; x++ {
		if k, _ := e.c.ClassAt(x, 95); k != 1 {
			t.Errorf("(%d, 95) is not painted", x)
		}
	}
	// A lasso around the disc takes it, and nothing more.
	e = newEasel(t, blank(side, side))
	e.SetPicture(disc(side, cx, cy, r))
	e.Snap = 10
	e.SetClass(1)
	e.use(t, "lasso")
	e.drag(wobbly(40))
	missed := 0
	for i, k := range e.c.Labels().Pix {
		d := math.Hypot(float64(i%side)+0.5-cx, float64(i/side)+0.5-cy)
		if math.Abs(d-r) > 1.5 && (k == 1) != (d < r) {
			missed++
		}
	}
	if missed > 0 {
		t.Errorf("%d pixels away from the rim are on the wrong side", missed)
	}
}

// guessOf makes a guess of each pixel by two functions.
func guessOf(c *canvas.Canvas, second func(x, y int) uint8, odds func(x, y int) uint8) *canvas.Guess {
	g := &canvas.Guess{Second: image.NewPaletted(c.Bounds(), c.Palette()), Odds: image.NewGray(c.Bounds())}
	for y := range c.Bounds().Dy() {
		for x := range c.Bounds().Dx() {
			g.Second.Pix[y*g.Second.Stride+x] = second(x, y)
			g.Odds.Pix[y*g.Odds.Stride+x] = odds(x, y)
		}
	}
	return g
}

// The area suggested is the connected one with the same second class at enough odds;
// nothing is suggested over what was painted or locked.
func TestSuggest(t *testing.T) {
	base := blank(40, 30)
	for y := range 30 {
		for x := 20; x < 40; x++ {
			base.Pix[y*40+x] = 1
		}
	}
	c := newCanvas(t, base)
	// Left of the border the model nearly said class 1 in a band of 5 pixels, and
	// in a spot apart class 3.
	g := guessOf(c, func(x, y int) uint8 {
		switch {
		case x >= 20:
			return 0
		case x < 10:
			return 3
		}
		return 1
	}, func(x, y int) uint8 {
		if x >= 15 && x < 20 || x >= 3 && x < 6 && y >= 3 && y < 6 {
			return 100
		}
		return 5
	})
	part, class, err := c.Suggest(g, 17, 10)
	if err != nil || part == nil || class != 1 || part.Bounds != image.Rect(15, 0, 20, 30) || part.Area() != 150 {
		t.Fatalf("suggested %+v, class %d, %v", part, class, err)
	}
	if part, class, _ = c.Suggest(g, 4, 4); part == nil || class != 3 || part.Bounds != image.Rect(3, 3, 6, 6) {
		t.Fatalf("suggested %+v, class %d", part, class)
	}
	if paths := part.Outline(); len(paths) != 1 || len(paths[0].Points) != 4 || !paths[0].Closed {
		t.Errorf("the outline of a square is %+v", paths)
	}
	for _, q := range []image.Point{{8, 20}, {12, 5}, {25, 5}, {-1, 5}, {5, 30}} {
		if part, _, err := c.Suggest(g, q.X, q.Y); part != nil || err != nil {
			t.Errorf("at %v %v is suggested, %v", q, part, err)
		}
	}
	ch, err := c.MarkPart("suggestion", part, canvas.Ink{Class: class})
	if err != nil || ch == nil || ch.Bounds() != image.Rect(3, 3, 6, 6) {
		t.Fatalf("painted %v, %v", ch, err)
	}
	if k, _ := c.ClassAt(4, 4); k != 3 || c.MarkAt(4, 4) != canvas.Touched {
		t.Errorf("class %d, mark %v", k, c.MarkAt(4, 4))
	}
	if part, _, _ := c.Suggest(g, 4, 4); part != nil {
		t.Error("what was painted is still suggested")
	}
	c.Protection.Locked[1] = true
	if part, _, _ := c.Suggest(g, 17, 10); part != nil {
		t.Error("a locked class is suggested")
	}
	g.Odds = image.NewGray(image.Rect(0, 0, 3, 3))
	if _, _, err := c.Suggest(g, 17, 10); err == nil {
		t.Error("a guess of another size is taken")
	}
}

// The outline of a part encloses exactly its pixels, holes left out, whatever their
// shape: filled by the even-odd rule it gives the part.
func TestPartOutline(t *testing.T) {
	rng := rand.New(rand.NewPCG(33, 34))
	for range times(200) {
		c := newCanvas(t, patches(30, 20, 3, rng))
		part, err := c.Copy(1)
		if err != nil {
			continue
		}
		in := make([]bool, 30*20)
		for _, path := range part.Outline() {
			if !path.Closed || len(path.Points) < 4 || len(path.Points)%2 != 0 {
				t.Fatalf("a line of %d corners", len(path.Points))
			}
			for y := range 20 {
				for x := range 30 {
					for i, a := range path.Points {
						b := path.Points[(i+1)%len(path.Points)]
						if a.X == b.X && a.X <= float64(x) && min(a.Y, b.Y) <= float64(y) && max(a.Y, b.Y) >= float64(y+1) {
							in[y*30+x] = !in[y*30+x]
						}
					}
				}
			}
		}
		for i, v := range in {
			if v != part.Contains(i%30, i/30) || v != (c.Labels().Pix[i] == 1) {
				t.Fatalf("(%d,%d): inside the outline %v", i%30, i/30, v)
			}
		}
	}
}
