package canvas_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"math/rand/v2"
	"testing"
	"time"

	"latentbrush/canvas"
)

// palette is eight classes, easily told apart.
var palette = color.Palette{
	color.RGBA{0, 0, 0, 255},
	color.RGBA{230, 60, 60, 255},
	color.RGBA{60, 200, 80, 255},
	color.RGBA{70, 90, 240, 255},
	color.RGBA{240, 220, 60, 255},
	color.RGBA{200, 80, 220, 255},
	color.RGBA{60, 210, 220, 255},
	color.RGBA{245, 245, 245, 255},
}

func blank(w, h int) *image.Paletted { return image.NewPaletted(image.Rect(0, 0, w, h), palette) }

// patches is a label map of random rectangles.
func patches(w, h, classes int, rng *rand.Rand) *image.Paletted {
	m := blank(w, h)
	for range 12 {
		x, y := rng.IntN(w), rng.IntN(h)
		dx, dy := 1+rng.IntN(w/2), 1+rng.IntN(h/2)
		k := uint8(rng.IntN(classes))
		for j := y; j < min(y+dy, h); j++ {
			for i := x; i < min(x+dx, w); i++ {
				m.Pix[j*w+i] = k
			}
		}
	}
	return m
}

func newCanvas(t testing.TB, m *image.Paletted) *canvas.Canvas {
	t.Helper()
	c, err := canvas.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// easel is a painter with a history, as an editor has them.
type easel struct {
	*canvas.Painter
	c    *canvas.Canvas
	hist *canvas.History
	now  time.Duration
}

func newEasel(t testing.TB, m *image.Paletted) *easel {
	t.Helper()
	c := newCanvas(t, m)
	e := &easel{Painter: canvas.NewPainter(c), c: c, hist: canvas.NewHistory()}
	e.OnCommit = e.hist.Push
	return e
}

func (e *easel) send(kind canvas.EventKind, x, y float64, mods ...string) {
	ev := canvas.Event{Kind: kind, At: canvas.Point{X: x, Y: y}, Time: e.now, Slack: 1}
	for _, m := range mods {
		switch m {
		case "shift":
			ev.Shift = true
		case "ctrl":
			ev.Ctrl = true
		case "alt":
			ev.Alt = true
		case "right":
			ev.Button = canvas.Secondary
		}
	}
	e.now += 8 * time.Millisecond
	e.Handle(ev)
}

// drag presses at the first point, goes through the others and releases at the
// last.
func (e *easel) drag(pts []canvas.Point, mods ...string) {
	e.send(canvas.Press, pts[0].X, pts[0].Y, mods...)
	for _, p := range pts[1:] {
		e.send(canvas.Drag, p.X, p.Y, mods...)
	}
	last := pts[len(pts)-1]
	e.send(canvas.Release, last.X, last.Y, mods...)
}

func (e *easel) use(t testing.TB, id string) {
	t.Helper()
	if err := e.Use(id); err != nil {
		t.Fatal(err)
	}
}

func pts(v ...float64) []canvas.Point {
	var out []canvas.Point
	for i := 0; i < len(v); i += 2 {
		out = append(out, canvas.Point{X: v[i], Y: v[i+1]})
	}
	return out
}

// pixels is everything an undo has to bring back.
func pixels(c *canvas.Canvas) []byte {
	s := c.State()
	return bytes.Join([][]byte{s.Base.Pix, s.Labels.Pix, s.Marks.Pix}, nil)
}

func checkCounts(t testing.TB, c *canvas.Canvas) {
	t.Helper()
	var want [256]int
	for _, k := range c.Labels().Pix {
		want[k]++
	}
	for k, n := range want {
		if c.Count(uint8(k)) != n {
			t.Fatalf("class %d: count says %d, there are %d", k, c.Count(uint8(k)), n)
		}
	}
}

func TestNewRefusesBadLabels(t *testing.T) {
	bad := blank(4, 4)
	bad.Pix[5] = 200
	for name, m := range map[string]*image.Paletted{
		"nil": nil, "no pixels": blank(0, 3), "class beyond palette": bad,
		"no palette": image.NewPaletted(image.Rect(0, 0, 2, 2), nil),
	} {
		if _, err := canvas.New(m); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestNewTakesSubImages(t *testing.T) {
	m := patches(40, 30, 8, rand.New(rand.NewPCG(1, 2)))
	sub := m.SubImage(image.Rect(7, 9, 31, 22)).(*image.Paletted)
	c := newCanvas(t, sub)
	for y := range 13 {
		for x := range 24 {
			if got, _ := c.ClassAt(x, y); got != m.ColorIndexAt(x+7, y+9) {
				t.Fatalf("(%d,%d) is %d", x, y, got)
			}
		}
	}
}

// A 400 px flick delivered as three events leaves no gap.
func TestFlickLeavesNoGap(t *testing.T) {
	for _, size := range []int{1, 2, 5, 24, 65} {
		e := newEasel(t, blank(512, 512))
		e.SetSize(size)
		e.drag(pts(50.5, 60.5, 180.2, 300.9, 450.5, 240.5))
		stop := pts(50.5, 60.5, 180.2, 300.9, 450.5, 240.5)
		for i := 1; i < len(stop); i++ {
			a, b := stop[i-1], stop[i]
			for k := 0.0; k <= 1; k += 0.0005 {
				x, y := a.X+(b.X-a.X)*k, a.Y+(b.Y-a.Y)*k
				hit := false
				// The line of stamps may run half a pixel beside the ideal line.
				for _, d := range pts(0, 0, -0.51, 0, 0.51, 0, 0, -0.51, 0, 0.51) {
					got, _ := e.c.ClassAt(int(x+d.X), int(y+d.Y))
					hit = hit || got == 1
				}
				if !hit {
					t.Fatalf("size %d: nothing painted at %.1f, %.1f", size, x, y)
				}
			}
		}
		if got := e.c.Islands(1); size > 1 && len(got) != 1 {
			t.Errorf("size %d: stroke in %d pieces", size, len(got))
		}
	}
}

// After painting, erasing returns the base labels byte for byte and untouches.
func TestEraseToOriginal(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	e := newEasel(t, patches(200, 150, 8, rng))
	for range 20 {
		e.SetClass(uint8(rng.IntN(8)))
		e.drag(pts(rng.Float64()*200, rng.Float64()*150, rng.Float64()*200, rng.Float64()*150))
	}
	if bytes.Equal(e.c.Labels().Pix, e.c.Base().Pix) {
		t.Fatal("nothing was painted")
	}
	e.use(t, "erase")
	e.SetSize(canvas.MaxBrush)
	e.drag(pts(0, 75, 200, 75))
	if !bytes.Equal(e.c.Labels().Pix, e.c.Base().Pix) {
		t.Error("labels differ from the base labels after erasing")
	}
	for _, v := range e.c.Marks().Pix {
		if v != 0 {
			t.Fatal("erased pixels are still touched")
		}
	}
	checkCounts(t, e.c)
}

// times is how often a random test repeats itself: fewer times under the race
// detector, and with -short.
func times(n int) int {
	if racing || testing.Short() {
		return n / 8
	}
	return n
}

// Random walks of do, undo and redo end in the state that a replay predicts.
func TestUndoWalk(t *testing.T) {
	// More than are ever kept would drop states the test still counts on.
	steps := times(10000)
	rng := rand.New(rand.NewPCG(5, 6))
	e := newEasel(t, patches(130, 100, 8, rng))
	states := [][]byte{pixels(e.c)} // states[i] is the state after i changes
	e.hist.MaxSteps = steps
	e.OnCommit = func(ch *canvas.Change) {
		undo, _ := e.hist.Len()
		e.hist.Push(ch)
		states = append(states[:undo+1], pixels(e.c))
	}
	for i := range steps {
		undo, redo := e.hist.Len()
		switch r := rng.IntN(10); {
		case r < 3 && undo > 0:
			if _, err := e.hist.Undo(e.c); err != nil {
				t.Fatal(err)
			}
			undo--
		case r < 5 && redo > 0:
			if _, err := e.hist.Redo(e.c); err != nil {
				t.Fatal(err)
			}
			undo++
		default:
			randomOperation(t, e, rng)
			undo, _ = e.hist.Len()
		}
		if !bytes.Equal(states[undo], pixels(e.c)) {
			t.Fatalf("step %d: the pixels are not those after %d changes", i, undo)
		}
	}
	checkCounts(t, e.c)
	for {
		if _, err := e.hist.Undo(e.c); errors.Is(err, canvas.ErrNoStep) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(states[0], pixels(e.c)) {
		t.Error("undoing everything does not give the first state")
	}
}

// randomOperation does one of everything that changes pixels.
func randomOperation(t testing.TB, e *easel, rng *rand.Rand) {
	t.Helper()
	b := e.c.Bounds()
	at := func() canvas.Point {
		return canvas.Point{X: rng.Float64()*float64(b.Dx()+40) - 20, Y: rng.Float64()*float64(b.Dy()+40) - 20}
	}
	must := func(ch *canvas.Change, err error) {
		if err != nil && !errors.Is(err, canvas.ErrNoPart) {
			t.Fatal(err)
		}
		e.Deliver(ch)
	}
	class := uint8(rng.IntN(len(e.c.Palette())))
	e.SetClass(class)
	e.Layer = []canvas.InkKind{canvas.Paint, canvas.Paint, canvas.Paint, canvas.MarkKeep, canvas.MarkFree, canvas.Unmark}[rng.IntN(6)]
	e.Brush = canvas.Brush{Shape: canvas.Shape(rng.IntN(3)), Size: 1 + rng.IntN(30), BySpeed: rng.IntN(4) == 0}
	e.c.Symmetry.On = rng.IntN(4) == 0
	var mods []string
	for _, m := range []string{"shift", "ctrl", "right"} {
		if rng.IntN(5) == 0 {
			mods = append(mods, m)
		}
	}
	switch k := rng.IntN(24); k {
	case 0, 1, 2, 3, 4, 5:
		e.use(t, []string{"brush", "erase", "lasso", "outline", "smooth", "brush"}[k])
		var path []canvas.Point
		for range 2 + rng.IntN(4) {
			path = append(path, at())
		}
		e.drag(path, mods...)
	case 6, 7:
		e.use(t, []string{"rectangle", "ellipse"}[k-6])
		e.drag([]canvas.Point{at(), at(), at()}, mods...)
	case 8:
		e.use(t, "fill")
		e.drag([]canvas.Point{at()}, mods...)
	case 9:
		e.use(t, "polygon")
		for range 3 + rng.IntN(4) {
			p := at()
			e.send(canvas.Press, p.X, p.Y)
			e.send(canvas.Release, p.X, p.Y)
		}
		e.send(canvas.Confirm, 0, 0)
	case 10:
		e.use(t, "move")
		e.drag([]canvas.Point{at(), at()}, mods...)
		e.drag([]canvas.Point{at(), at()}, mods...)
		e.send(canvas.Confirm, 0, 0)
	case 11:
		must(e.c.Expand("expand", class, 1+rng.IntN(4), canvas.Element(rng.IntN(2))))
	case 12:
		must(e.c.Shrink("shrink", class, 1+rng.IntN(4), canvas.Element(rng.IntN(2))))
	case 13:
		must(e.c.Smooth("smooth", class, 1+rng.IntN(3), canvas.Filter(rng.IntN(3))))
	case 14:
		must(e.c.RemoveIslands("islands", class, 1+rng.IntN(50)))
	case 15:
		must(e.c.FillHoles("holes", class, 1+rng.IntN(50)))
	case 16:
		must(e.c.Rebase("base", patches(b.Dx(), b.Dy(), 8, rng), rng.IntN(2) == 0))
	case 17:
		must(e.c.ResetRegion("region"))
	case 18:
		must(e.c.ResetLabels("labels"))
	case 19:
		p, err := e.c.Copy(class)
		if err != nil {
			return
		}
		q := at()
		must(e.c.Paste("paste", p, canvas.Transform{DX: q.X / 3, DY: q.Y / 3, ScaleX: 0.5 + rng.Float64(), ScaleY: 0.5 + rng.Float64(), Angle: rng.Float64() * 6}))
	case 20: // a stroke given up
		e.use(t, "brush")
		p := at()
		e.send(canvas.Press, p.X, p.Y)
		p = at()
		e.send(canvas.Drag, p.X, p.Y)
		e.send(canvas.Cancel, 0, 0)
	case 21:
		must(e.c.KeepLargest("largest", class))
	default:
		e.c.Protection.Locked[class] = !e.c.Protection.Locked[class] && rng.IntN(3) == 0
		e.c.Protection.PreserveOthers = rng.IntN(4) == 0
	}
	if e.c.Editing() {
		t.Fatal("an edit was left open")
	}
}

// 200 full-size strokes on 1024² use less than 256 MB and undo to the start.
func TestHistoryMemory(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	side := 1024
	if racing {
		side = 256
	}
	base := blank(side, side)
	for i := range base.Pix { // noise: the worst case for the code
		base.Pix[i] = uint8(rng.IntN(8))
	}
	e := newEasel(t, base)
	start := pixels(e.c)
	e.SetSize(canvas.MaxBrush)
	for i := range 200 {
		e.SetClass(uint8(i % 8))
		if i%20 == 0 {
			e.use(t, "brush")
			w := float64(side)
			e.drag(pts(0, w/4, w, w/4, w, w*3/4, 0, w*3/4))
		} else {
			e.use(t, "rectangle") // the same pixels at less cost
			e.drag(pts(0, 0, float64(side-1), float64(side-1)))
		}
	}
	undo, _ := e.hist.Len()
	if undo < 200 {
		t.Fatalf("%d steps kept", undo)
	}
	t.Logf("200 full-size strokes: %.1f MB", float64(e.hist.Bytes())/(1<<20))
	if e.hist.Bytes() >= 256<<20 {
		t.Errorf("%d bytes", e.hist.Bytes())
	}
	for range undo {
		if _, err := e.hist.Undo(e.c); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(start, pixels(e.c)) {
		t.Error("the start is not back byte for byte")
	}
}

// The worst case: every step changes every pixel by noise.
func TestHistoryMemoryOfNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	m := blank(1024, 1024)
	c := newCanvas(t, m)
	for i := range m.Pix {
		m.Pix[i] = uint8(rng.IntN(8))
	}
	ch, err := c.Rebase("noise", m, false)
	if err != nil {
		t.Fatal(err)
	}
	// Labels and base labels both change here; a stroke changes labels and
	// marks, and marks are runs.
	if per := ch.Size() / 2; 200*per >= 256<<20 {
		t.Errorf("one plane of noise costs %d bytes: 200 steps do not fit in 256 MB", per)
	}
}

func TestChangeOutOfOrderIsRefused(t *testing.T) {
	e := newEasel(t, blank(64, 64))
	var all []*canvas.Change
	e.OnCommit = func(ch *canvas.Change) { all = append(all, ch) }
	e.drag(pts(5, 5, 20, 20))
	e.drag(pts(25, 5, 20, 40))
	if err := all[0].Revert(e.c); !errors.Is(err, canvas.ErrStale) {
		t.Errorf("reverting the older change first: %v", err)
	}
	if err := all[1].Apply(e.c); !errors.Is(err, canvas.ErrStale) {
		t.Errorf("applying twice: %v", err)
	}
	edit, err := e.c.Begin(canvas.Ink{})
	if err != nil {
		t.Fatal(err)
	}
	if err := all[1].Revert(e.c); !errors.Is(err, canvas.ErrBusy) {
		t.Errorf("reverting during an edit: %v", err)
	}
	edit.Cancel()
	if err := all[1].Revert(e.c); err != nil {
		t.Error(err)
	}
	// A new change after an undo does not fit the old branch.
	e.drag(pts(50, 50, 55, 55))
	if err := all[1].Apply(e.c); !errors.Is(err, canvas.ErrStale) {
		t.Errorf("redo of an abandoned branch: %v", err)
	}
}

func TestChangeSurvivesMarshal(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	e := newEasel(t, patches(150, 90, 8, rng))
	var all []*canvas.Change
	e.OnCommit = func(ch *canvas.Change) { all = append(all, ch) }
	start := pixels(e.c)
	for range 60 {
		randomOperation(t, e, rng)
	}
	end := pixels(e.c)
	again, err := canvas.FromState(e.c.State())
	if err != nil {
		t.Fatal(err)
	}
	var merged *canvas.Change
	for i := len(all) - 1; i >= 0; i-- {
		b, err := all[i].MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var ch canvas.Change
		if err := ch.UnmarshalBinary(b); err != nil {
			t.Fatal(err)
		}
		if err := ch.Revert(again); err != nil {
			t.Fatal(err)
		}
		if merged == nil {
			merged = &ch
		} else if merged, err = canvas.Merge(&ch, merged, "all"); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(start, pixels(again)) {
		t.Error("reverting the read changes does not give the start")
	}
	if err := merged.Apply(again); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(end, pixels(again)) {
		t.Error("the merged change does not give the end")
	}
	checkCounts(t, again)
}

func FuzzChange(f *testing.F) {
	e := newEasel(f, blank(70, 66))
	e.OnCommit = func(ch *canvas.Change) {
		b, _ := ch.MarshalBinary()
		f.Add(b)
	}
	e.drag(pts(5, 5, 60, 60))
	e.use(f, "fill")
	e.drag(pts(1, 60))
	f.Fuzz(func(t *testing.T, b []byte) {
		var ch canvas.Change
		if ch.UnmarshalBinary(b) != nil {
			return
		}
		again, err := ch.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var two canvas.Change
		if err := two.UnmarshalBinary(again); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if _, err := canvas.Merge(&ch, &two, "x"); err == nil {
			t.Fatal("a change was merged with itself")
		}
	})
}
