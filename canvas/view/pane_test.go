package view_test

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/driver/software"
	"fyne.io/fyne/v2/test"
	"fyne.io/fyne/v2/widget"

	"latentbrush/canvas"
	"latentbrush/canvas/view"
)

var palette = color.Palette{
	color.RGBA{0, 0, 0, 255}, color.RGBA{230, 60, 60, 255}, color.RGBA{60, 200, 80, 255}, color.RGBA{70, 90, 240, 255},
}

// rig is a stage with two panes of 200×200 units in a test window.
type rig struct {
	t       *testing.T
	painter *canvas.Painter
	c       *canvas.Canvas
	stage   *view.Stage
	pair    *view.Pair
	window  fyne.Window
	hist    *canvas.History
}

func newRig(t *testing.T, side int) *rig {
	t.Helper()
	test.NewTempApp(t)
	c, err := canvas.New(image.NewPaletted(image.Rect(0, 0, side, side), palette))
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, c: c, painter: canvas.NewPainter(c), hist: canvas.NewHistory()}
	r.painter.OnCommit = r.hist.Push
	r.stage = view.NewStage(r.painter)
	picture := image.NewRGBA(c.Bounds())
	for y := range side {
		for x := range side {
			picture.SetRGBA(x, y, color.RGBA{uint8(x * 255 / side), uint8(y * 255 / side), 128, 255})
		}
	}
	if err := r.stage.SetPicture(picture); err != nil {
		t.Fatal(err)
	}
	r.pair = view.NewPair(r.stage)
	box := container.NewWithoutLayout(r.pair.Picture, r.pair.Labels)
	r.window = test.NewTempWindow(t, box)
	r.window.SetPadded(false)
	r.window.Resize(fyne.NewSize(400, 200))
	r.pair.Picture.Resize(fyne.NewSize(200, 200))
	r.pair.Labels.Resize(fyne.NewSize(200, 200))
	r.pair.Labels.Move(fyne.NewPos(200, 0))
	return r
}

func mouse(p fyne.Position, b desktop.MouseButton, m fyne.KeyModifier) *desktop.MouseEvent {
	return &desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: p}, Button: b, Modifier: m}
}

// at is the position in a pane of a place of the picture.
func at(p *view.Pane, x, y float64) fyne.Position { return p.PositionOf(canvas.Point{X: x, Y: y}) }

// stroke presses, drags and releases as the toolkit reports it.
func stroke(p *view.Pane, b desktop.MouseButton, m fyne.KeyModifier, path ...fyne.Position) {
	p.MouseIn(mouse(path[0], 0, 0))
	p.MouseDown(mouse(path[0], b, m))
	for _, q := range path[1:] {
		if b == desktop.MouseButtonSecondary {
			p.MouseMoved(mouse(q, b, 0)) // the toolkit never drags with it
		} else {
			p.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: q}})
		}
	}
	last := path[len(path)-1]
	p.MouseUp(mouse(last, b, m))
	if len(path) > 1 && b != desktop.MouseButtonSecondary {
		p.DragEnd()
	}
}

// count is the number of painted pixels of a class, and their bounds.
func (r *rig) count(class uint8) (int, image.Rectangle) {
	n, b := 0, image.Rectangle{}
	for i, k := range r.c.Labels().Pix {
		if k == class {
			n++
			x, y := i%r.c.Bounds().Dx(), i/r.c.Bounds().Dx()
			b = b.Union(image.Rect(x, y, x+1, y+1))
		}
	}
	return n, b
}

func TestPaintingInEitherPane(t *testing.T) {
	r := newRig(t, 100) // 200 units: the fit is 200 %
	if got := r.stage.Viewport().Zoom(); got != 2 {
		t.Fatalf("fitted zoom is %v", got)
	}
	r.painter.SetSize(4)
	stroke(r.pair.Picture, desktop.MouseButtonPrimary, 0, at(r.pair.Picture, 20, 20), at(r.pair.Picture, 40, 20))
	r.painter.SetClass(2)
	stroke(r.pair.Labels, desktop.MouseButtonPrimary, 0, at(r.pair.Labels, 20, 60), at(r.pair.Labels, 40, 60))
	if _, b := r.count(1); b != image.Rect(18, 18, 42, 22) {
		t.Errorf("the stroke in the picture covers %v", b)
	}
	if _, b := r.count(2); b != image.Rect(18, 58, 42, 62) {
		t.Errorf("the stroke in the labels covers %v", b)
	}
	if undo, _ := r.hist.Len(); undo != 2 {
		t.Errorf("%d steps", undo)
	}
}

// A drag that leaves the window and comes back is one step and ends with
// DragEnd alone.
func TestStrokeOutsideAndBack(t *testing.T) {
	r := newRig(t, 100)
	p := r.pair.Picture
	r.painter.SetSize(3)
	p.MouseDown(mouse(at(p, 50, 50), desktop.MouseButtonPrimary, 0))
	for _, q := range []fyne.Position{at(p, 90, 50), fyne.NewPos(900, 100), fyne.NewPos(900, -300), at(p, 50, 10)} {
		p.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: q}})
	}
	p.DragEnd()
	if r.c.Editing() {
		t.Fatal("the stroke did not end")
	}
	if undo, _ := r.hist.Len(); undo != 1 {
		t.Errorf("%d steps", undo)
	}
	if k, _ := r.c.ClassAt(50, 10); k != 1 {
		t.Error("nothing painted after coming back")
	}
	// A release that nobody reported: the next move without a button ends it.
	p.MouseDown(mouse(at(p, 20, 80), desktop.MouseButtonSecondary, 0))
	p.MouseMoved(mouse(at(p, 30, 80), desktop.MouseButtonSecondary, 0))
	p.MouseMoved(mouse(at(p, 70, 80), 0, 0))
	if r.c.Editing() {
		t.Fatal("the stroke went on without a button")
	}
	if k, _ := r.c.ClassAt(60, 80); k == 1 {
		t.Error("the move without a button painted")
	}
}

func TestEscapeCancelsStroke(t *testing.T) {
	r := newRig(t, 100)
	p := r.pair.Picture
	p.MouseDown(mouse(at(p, 50, 50), desktop.MouseButtonPrimary, 0))
	p.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: at(p, 90, 50)}})
	if n, _ := r.count(1); n == 0 {
		t.Fatal("nothing painted")
	}
	p.TypedKey(&fyne.KeyEvent{Name: fyne.KeyEscape})
	p.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: at(p, 90, 90)}})
	p.DragEnd()
	if n, _ := r.count(1); n != 0 {
		t.Errorf("%d pixels are left", n)
	}
	if undo, _ := r.hist.Len(); undo != 0 {
		t.Errorf("%d steps", undo)
	}
}

// A stroke on the bare picture is seen while it is painted, and not after.
func TestStrokeShowsOnBarePicture(t *testing.T) {
	r := newRig(t, 100)
	p := r.pair.Picture
	l := p.Look()
	l.Overlay, l.Region = 0, false
	p.SetLook(l)
	r.painter.SetSize(20)
	p.MouseIn(mouse(at(p, 50, 50), 0, 0))
	p.MouseOut()
	bare := r.window.Canvas().Capture()
	differ := func() (n int) {
		img := r.window.Canvas().Capture()
		for x := 82; x < 118; x++ {
			if img.At(x, 104) != bare.At(x, 104) {
				n++
			}
		}
		return n
	}
	p.MouseDown(mouse(at(p, 50, 50), desktop.MouseButtonPrimary, 0))
	if n := differ(); n < 4 {
		t.Errorf("%d screen pixels show the stroke", n)
	}
	p.MouseUp(mouse(at(p, 50, 50), desktop.MouseButtonPrimary, 0))
	p.MouseOut()
	if n := differ(); n != 0 {
		t.Errorf("%d screen pixels show the stroke after its end", n)
	}
}

// Panning with Space and with the middle button keeps a polygon in progress.
func TestPanMidPolygon(t *testing.T) {
	r := newRig(t, 100)
	p := r.pair.Picture
	if err := r.painter.Use("polygon"); err != nil {
		t.Fatal(err)
	}
	click := func(x, y float64) { stroke(p, desktop.MouseButtonPrimary, 0, at(p, x, y)) }
	click(20, 20)
	click(80, 20)
	before := r.stage.Viewport().Centre()
	p.KeyDown(&fyne.KeyEvent{Name: fyne.KeySpace})
	stroke(p, desktop.MouseButtonPrimary, 0, fyne.NewPos(50, 50), fyne.NewPos(80, 60))
	p.KeyUp(&fyne.KeyEvent{Name: fyne.KeySpace})
	stroke(p, desktop.MouseButtonTertiary, 0, fyne.NewPos(50, 50), fyne.NewPos(60, 90))
	after := r.stage.Viewport().Centre()
	if math.Abs(before.X-after.X-20) > 1e-9 || math.Abs(before.Y-after.Y-25) > 1e-9 {
		t.Errorf("panned from %v to %v", before, after)
	}
	click(80, 80)
	p.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	if n, b := r.count(1); n < 1700 || n > 1900 || b != image.Rect(20, 20, 80, 80) {
		t.Errorf("the triangle has %d pixels in %v", n, b)
	}
}

func TestZoomKeepsPixelUnderPointer(t *testing.T) {
	r := newRig(t, 512)
	p := r.pair.Labels
	for _, pos := range []fyne.Position{{X: 31, Y: 160}, {X: 100, Y: 100}, {X: 190, Y: 7}} {
		for _, dir := range []float32{25, -25} {
			r.stage.ZoomTo(1)
			r.stage.Viewport().CentreOn(canvas.Point{X: 256, Y: 256})
			start := r.stage.Viewport().ToPicture(canvas.Point{X: float64(pos.X) + 0.5, Y: float64(pos.Y) + 0.5}, canvas.Point{X: 200, Y: 200})
			for range 20 {
				p.Scrolled(&fyne.ScrollEvent{PointEvent: fyne.PointEvent{Position: pos}, Scrolled: fyne.Delta{DY: dir}})
				now := at(p, start.X, start.Y)
				if d := math.Hypot(float64(now.X-pos.X)-0.5, float64(now.Y-pos.Y)-0.5); d >= 1 {
					t.Fatalf("at %v and zoom %.2f the pixel is %.2f px off", pos, r.stage.Viewport().Zoom(), d)
				}
			}
		}
	}
}

func TestWheelRangeAndSize(t *testing.T) {
	r := newRig(t, 100)
	p := r.pair.Picture
	turn := func(dx, dy float32, n int) {
		for range n {
			p.Scrolled(&fyne.ScrollEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(100, 100)}, Scrolled: fyne.Delta{DX: dx, DY: dy}})
		}
	}
	turn(0, 25, 60)
	if z := r.stage.Viewport().Zoom(); z != canvas.MaxZoom {
		t.Errorf("zoomed in to %v", z)
	}
	turn(0, -25, 60)
	if z := r.stage.Viewport().Zoom(); z != canvas.MinZoom {
		t.Errorf("zoomed out to %v", z)
	}
	r.painter.SetSize(9)
	turn(25, 0, 3) // with Shift the wheel turns sideways
	if r.painter.Brush.Size != 12 {
		t.Errorf("brush size is %d", r.painter.Brush.Size)
	}
	for _, z := range []float64{1, 2, 4, 8} {
		if r.stage.ZoomTo(z); r.stage.Viewport().Zoom() != z {
			t.Errorf("zoom is %v, not %v", r.stage.Viewport().Zoom(), z)
		}
	}
}

// Shift and drag resizes the brush, the ring follows, nothing is painted; Shift
// and click draws a line from the end of the last stroke.
func TestShiftDragAndShiftClick(t *testing.T) {
	r := newRig(t, 100)
	p := r.pair.Picture
	r.painter.SetSize(10)
	p.MouseIn(mouse(at(p, 50, 50), 0, 0))
	p.MouseDown(mouse(at(p, 50, 50), desktop.MouseButtonPrimary, fyne.KeyModifierShift))
	for i := range 11 {
		q := at(p, 50+float64(i), 50)
		p.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: q}})
		if want := 10 + 2*i; i > 1 && (r.painter.Brush.Size != want || math.Abs(p.RingRadius()-float64(want)) > 1) {
			t.Errorf("after %d px: size %d, ring %v", i, r.painter.Brush.Size, p.RingRadius())
		}
	}
	p.MouseUp(mouse(at(p, 60, 50), desktop.MouseButtonPrimary, fyne.KeyModifierShift))
	p.DragEnd()
	if n, _ := r.count(1); n != 0 {
		t.Fatalf("%d pixels painted by resizing", n)
	}
	r.painter.SetSize(2)
	stroke(p, desktop.MouseButtonPrimary, 0, at(p, 10, 10))
	stroke(p, desktop.MouseButtonPrimary, fyne.KeyModifierShift, at(p, 80, 10))
	if n, b := r.count(1); n != 144 || b != image.Rect(9, 9, 81, 11) {
		t.Errorf("the line has %d pixels in %v", n, b)
	}
}

// Releasing Alt and losing the focus both give the tool back.
func TestHeldPick(t *testing.T) {
	r := newRig(t, 100)
	p := r.pair.Picture
	stroke(p, desktop.MouseButtonPrimary, 0, at(p, 50, 50))
	r.painter.SetClass(3)
	for name, release := range map[string]func(){
		"release":    func() { p.KeyUp(&fyne.KeyEvent{Name: desktop.KeyAltLeft}) },
		"focus lost": func() { r.window.Canvas().Unfocus() },
	} {
		r.window.Canvas().Focus(p)
		p.KeyDown(&fyne.KeyEvent{Name: desktop.KeyAltLeft})
		if r.painter.Tool().ID() != "pick" {
			t.Fatal("Alt does not pick")
		}
		release()
		if r.painter.Tool().ID() != "brush" {
			t.Errorf("%s: the tool is %s", name, r.painter.Tool().ID())
		}
	}
	stroke(p, desktop.MouseButtonPrimary, fyne.KeyModifierAlt, at(p, 50, 50))
	if r.painter.Class() != 1 {
		t.Errorf("picked class %d", r.painter.Class())
	}
}

// Painting while mirrored lands on the pixel under the pointer.
func TestMirror(t *testing.T) {
	r := newRig(t, 100)
	p := r.pair.Labels
	r.stage.SetMirror(true)
	r.painter.SetSize(1)
	stroke(p, desktop.MouseButtonPrimary, 0, fyne.NewPos(41, 61)) // shown pixel (20, 30)
	if n, b := r.count(1); n != 1 || b != image.Rect(79, 30, 80, 31) {
		t.Errorf("painted %v", b)
	}
	img := r.window.Canvas().Capture()
	if c := color.RGBAModel.Convert(img.At(200+41, 61)).(color.RGBA); c.R < 150 {
		t.Errorf("under the pointer is %v", c)
	}
}

// The keys work while the pointer is over the pane, without a click; a text
// field keeps the focus until a click.
func TestFocus(t *testing.T) {
	r := newRig(t, 100)
	entry := widget.NewEntry()
	r.window.SetContent(container.NewBorder(entry, nil, nil, nil, r.pair.Picture))
	p := r.pair.Picture
	var runes []rune
	r.stage.OnRune = func(k rune) { runes = append(runes, k) }
	r.window.Canvas().Focus(entry)
	p.MouseIn(mouse(fyne.NewPos(50, 50), 0, 0))
	if r.window.Canvas().Focused() != entry {
		t.Error("the text field lost the focus to a passing pointer")
	}
	r.window.Canvas().Unfocus()
	p.MouseIn(mouse(fyne.NewPos(50, 50), 0, 0))
	r.window.Canvas().Focused().TypedRune('.')
	if string(runes) != "." {
		t.Errorf("typed %q", string(runes))
	}
	r.window.Canvas().Focus(entry)
	p.MouseDown(mouse(fyne.NewPos(50, 50), desktop.MouseButtonPrimary, 0))
	if r.window.Canvas().Focused() != p {
		t.Error("a click did not take the focus")
	}
	p.MouseUp(mouse(fyne.NewPos(50, 50), desktop.MouseButtonPrimary, 0))
}

func TestReadoutAndCrosshair(t *testing.T) {
	r := newRig(t, 100)
	doubt := image.NewGray(r.c.Bounds())
	doubt.SetGray(30, 40, color.Gray{51})
	if err := r.stage.SetDoubt(doubt); err != nil {
		t.Fatal(err)
	}
	var last view.Readout
	var known bool
	r.stage.OnReadout = func(ro view.Readout, ok bool) { last, known = ro, ok }
	r.pair.Picture.MouseMoved(mouse(at(r.pair.Picture, 30.5, 40.5), 0, 0))
	if want := (view.Readout{Inside: true, X: 30, Y: 40, Confidence: 0.8, Known: true}); last != want || !known {
		t.Errorf("read %+v %v", last, known)
	}
	stroke(r.pair.Picture, desktop.MouseButtonPrimary, 0, at(r.pair.Picture, 30.5, 40.5))
	// The model said nothing of what is painted.
	want := view.Readout{Inside: true, X: 30, Y: 40, Class: 1, Mark: canvas.Touched}
	if last != want || !known {
		t.Errorf("read %+v %v", last, known)
	}
	// The other pane marks the same pixel: its neighbourhood is no longer plain.
	img := r.window.Canvas().Capture()
	white := 0
	for d := 4; d < 20; d++ {
		if c := color.RGBAModel.Convert(img.At(200+61+d, 81)).(color.RGBA); c.R > 200 && c.G > 200 && c.B > 200 {
			white++
		}
	}
	if white < 8 {
		t.Error("no cross at the pixel in the other pane")
	}
	r.pair.Picture.MouseOut()
	if known {
		t.Error("the pointer left and there is still a read-out")
	}
}

func TestSplitDividerFollowsPointer(t *testing.T) {
	r := newRig(t, 100)
	before := image.NewRGBA(r.c.Bounds())
	for i := range before.Pix {
		before.Pix[i] = 255
	}
	if err := r.stage.SetBefore(before); err != nil {
		t.Fatal(err)
	}
	r.stage.SetCompare(view.CompareSplit)
	p := r.pair.Picture
	p.MouseDown(mouse(fyne.NewPos(101, 50), desktop.MouseButtonPrimary, 0))
	for _, x := range []float32{120, 150, 40} {
		p.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: fyne.NewPos(x, 50)}})
		if got := r.stage.Divider() * 200; math.Abs(got-float64(x)) > 1 {
			t.Errorf("the divider is at %v, the pointer at %v", got, x)
		}
		img := r.window.Canvas().Capture()
		l := color.RGBAModel.Convert(img.At(int(x)-10, 20)).(color.RGBA)
		q := color.RGBAModel.Convert(img.At(int(x)+10, 20)).(color.RGBA)
		if l != (color.RGBA{255, 255, 255, 255}) || q == l {
			t.Errorf("left of the divider %v, right %v", l, q)
		}
	}
	p.DragEnd()
	if n, _ := r.count(1); n != 0 {
		t.Error("dragging the divider painted")
	}
	r.stage.SetCompare(view.CompareOff)
	r.stage.HoldBefore(true)
	if c := r.window.Canvas().Capture().At(150, 20); color.RGBAModel.Convert(c) != (color.RGBA{255, 255, 255, 255}) {
		t.Errorf("held before shows %v", c)
	}
	r.stage.HoldBefore(false)
}

func TestOverlaySteps(t *testing.T) {
	r := newRig(t, 100)
	p := r.pair.Picture
	for range 12 {
		p.StepOverlay(-1)
	}
	if p.Look().Overlay != 0 {
		t.Errorf("overlay %v", p.Look().Overlay)
	}
	for i := range 12 {
		p.StepOverlay(1)
		if want := min(float64(i+1)/10, 1); math.Abs(p.Look().Overlay-want) > 1e-12 {
			t.Errorf("overlay %v, not %v", p.Look().Overlay, want)
		}
	}
	p.StepOverlay(-3)
	r.stage.Peek(true)
	shown := color.RGBAModel.Convert(r.window.Canvas().Capture().At(101, 101)).(color.RGBA)
	if shown != (color.RGBA{127, 127, 128, 255}) {
		t.Errorf("peeking shows %v", shown)
	}
	r.stage.Peek(false)
	if p.Look().Overlay != 0.7 {
		t.Errorf("overlay %v after peeking", p.Look().Overlay)
	}
}

// The same picture pixel is painted at every scale of the screen.
func TestHighDPI(t *testing.T) {
	for _, scale := range []float32{1, 1.25, 2} {
		r := newRig(t, 100)
		r.window.Canvas().(software.WindowlessCanvas).SetScale(scale)
		for _, p := range r.stage.Panes() {
			p.Refresh()
		}
		r.stage.ZoomTo(4)
		r.painter.SetSize(1)
		p := r.pair.Labels
		pos := at(p, 51.5, 50.5) // not under a line of the hatching
		stroke(p, desktop.MouseButtonPrimary, 0, pos)
		if n, b := r.count(1); n != 1 || b != image.Rect(51, 50, 52, 51) {
			t.Errorf("scale %v: painted %v", scale, b)
		}
		// One picture pixel is four screen pixels.
		p.MouseOut()
		img := r.window.Canvas().Capture()
		red := 0
		for i := range img.Bounds().Dx() {
			y := int(math.Floor(float64(pos.Y) * float64(scale)))
			if c := color.RGBAModel.Convert(img.At(i, y)).(color.RGBA); c.R > 200 && c.G < 100 && c.B < 100 && i > int(200*scale) {
				red++
			}
		}
		if red != 4 {
			t.Errorf("scale %v: the pixel is %d screen pixels wide", scale, red)
		}
	}
}

// Side by side, the first pane shows the picture before and the second the present
// one; held, every pane shows the one before. Ending it brings back what was there.
func TestCompareSideBySideAndHold(t *testing.T) {
	r := newRig(t, 100)
	before := image.NewRGBA(r.c.Bounds())
	draw.Draw(before, before.Rect, image.NewUniform(color.RGBA{10, 200, 30, 255}), image.Point{}, draw.Src)
	if err := r.stage.SetBefore(before); err != nil {
		t.Fatal(err)
	}
	was := color.RGBA{10, 200, 30, 255}
	see := func(when string, first, second bool) {
		t.Helper()
		img := r.window.Canvas().Capture()
		for i, want := range []bool{first, second} {
			got := color.RGBAModel.Convert(img.At(100+200*i, 100)).(color.RGBA)
			if (got == was) != want {
				t.Errorf("%s: pane %d shows %v", when, i, got)
			}
		}
	}
	see("at first", false, false)
	r.stage.SetCompare(view.CompareSideBySide)
	see("side by side", true, false)
	// The present picture is shown without the classes over it.
	if got := color.RGBAModel.Convert(r.window.Canvas().Capture().At(300, 100)).(color.RGBA); got != (color.RGBA{127, 127, 128, 255}) {
		t.Errorf("the present picture is shown as %v", got)
	}
	r.stage.HoldBefore(true)
	see("held", true, true)
	r.stage.HoldBefore(false)
	see("let go", true, false)
	r.stage.CycleCompare()
	if r.stage.Compare() != view.CompareOff {
		t.Errorf("after side by side comes %v", r.stage.Compare())
	}
	see("off", false, false)
	// With one pane hidden there is no side by side.
	r.pair.Labels.Hide()
	r.stage.CycleCompare()
	r.stage.CycleCompare()
	if r.stage.Compare() != view.CompareOff {
		t.Errorf("with one pane, after the split comes %v", r.stage.Compare())
	}
	r.pair.Labels.Show()
	// The label map itself is shown by the second pane again.
	if got := r.pair.Labels.Look().Overlay; got != 1 {
		t.Errorf("the labels are shown at %v", got)
	}
}

// A press that somebody else took neither paints nor leaves a gesture behind.
func TestPressTaken(t *testing.T) {
	r := newRig(t, 100)
	var got []canvas.Point
	r.stage.OnPress = func(p *view.Pane, at canvas.Point) bool {
		got = append(got, at)
		return p == r.pair.Picture
	}
	p := r.pair.Picture
	stroke(p, desktop.MouseButtonPrimary, 0, at(p, 20.5, 20.5), at(p, 40.5, 20.5))
	if n, _ := r.count(1); n != 0 {
		t.Errorf("%d pixels were painted", n)
	}
	stroke(r.pair.Labels, desktop.MouseButtonPrimary, 0, at(r.pair.Labels, 20.5, 20.5), at(r.pair.Labels, 40.5, 20.5))
	if n, _ := r.count(1); n == 0 {
		t.Error("nothing is painted in the other pane")
	}
	if len(got) != 2 || math.Floor(got[0].X) != 20 || math.Floor(got[0].Y) != 20 {
		t.Errorf("asked at %v", got)
	}
}
