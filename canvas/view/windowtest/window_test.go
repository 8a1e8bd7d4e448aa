// Package windowtest drives panes in a real window by real pointer and key
// events.
//
// The test starts itself again as a small program that opens the window, on a
// virtual display of its own unless one is given, and moves the pointer and
// presses keys through xdotool. A second canvas, without a window, gets the same
// gestures; in the end both label maps must be equal pixel by pixel.
package windowtest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"latentbrush/canvas"
)

func TestMain(m *testing.M) {
	if side := os.Getenv("LATENTBRUSH_WINDOW"); side != "" {
		n, err := strconv.Atoi(side)
		if err != nil {
			fmt.Fprintln(os.Stderr, "LATENTBRUSH_WINDOW:", err)
			os.Exit(2)
		}
		program(n)
		return
	}
	os.Exit(m.Run())
}

// display returns the DISPLAY to use, starting a virtual one if there is none.
func display(t testing.TB) string {
	t.Helper()
	for _, tool := range []string{"xdotool", "import"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed: a window can be neither driven nor looked at", tool)
		}
	}
	if d := os.Getenv("DISPLAY"); d != "" {
		return d
	}
	if _, err := exec.LookPath("Xvfb"); err != nil {
		t.Skip("there is no DISPLAY, and Xvfb is not installed: no window can be opened")
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1600x1100x24", "-nolisten", "tcp")
	cmd.ExtraFiles = []*os.File{write}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb did not start: %v", err)
	}
	return ":" + strings.TrimSpace(line)
}

// rig is the program in its window, the hand on pointer and keys, and the second
// canvas.
type rig struct {
	t       testing.TB
	ask     io.WriteCloser // questions to the program
	answer  *bufio.Reader
	hand    io.WriteCloser // lines for xdotool
	window  string
	display string

	painter *canvas.Painter
	hist    *canvas.History
	view    *canvas.Viewport
	origin  canvas.Point    // of the window on the screen
	pane    canvas.Point    // the size of each pane in screen pixels
	corner  [2]canvas.Point // of the panes in the window
	now     int             // the pane that the pointer is in
	at      canvas.Point    // the pointer, relative to it
	down    bool
}

func start(t testing.TB, side int, env ...string) *rig {
	t.Helper()
	d := display(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LATENTBRUSH_WINDOW="+strconv.Itoa(side), "DISPLAY="+d, "LANG=en_US.UTF-8")
	cmd.Env = append(cmd.Env, env...)
	var trouble bytes.Buffer
	cmd.Stderr = &trouble
	ask, err1 := cmd.StdinPipe()
	answer, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	hand := exec.Command("xdotool", "-")
	hand.Env = append(os.Environ(), "DISPLAY="+d)
	pipe, err := hand.StdinPipe()
	if err := errors.Join(err, hand.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = ask.Close() // the program ends
		_ = pipe.Close()
		_ = hand.Wait()
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Logf("the program ended (%v), saying: %s", err, trouble.String())
		}
	})
	r := &rig{t: t, ask: ask, answer: bufio.NewReader(answer), hand: pipe, display: d}
	r.window = r.question("window")[0]

	c, err := canvas.New(labels(side))
	if err != nil {
		t.Fatal(err)
	}
	r.painter, r.hist = canvas.NewPainter(c), canvas.NewHistory()
	r.painter.OnCommit = r.hist.Push
	r.view = canvas.NewViewport(c.Bounds().Size())
	v := r.numbers("panes")
	r.pane = canvas.Point{X: v[0], Y: v[1]}
	r.corner = [2]canvas.Point{{X: v[2], Y: v[3]}, {X: v[4], Y: v[5]}}
	r.view.Fit(r.pane)
	// Moves are sent relative to the screen: only those go through the queue
	// of the pointer's own events, in order with the buttons.
	where := exec.Command("xdotool", "getwindowgeometry", "--shell", r.window)
	where.Env = append(os.Environ(), "DISPLAY="+d)
	out, err := where.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		at, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "X":
			r.origin.X = at
		case "Y":
			r.origin.Y = at
		}
	}
	r.do("windowfocus --sync %s", r.window)
	return r
}

// question asks the program and returns the words of its answer.
func (r *rig) question(q string) []string {
	r.t.Helper()
	if _, err := fmt.Fprintln(r.ask, q); err != nil {
		r.t.Fatalf("the program does not listen: %v", err)
	}
	line, err := r.answer.ReadString('\n')
	if err != nil {
		r.t.Fatalf("the program does not answer %q: %v", q, err)
	}
	return strings.Fields(line)
}

func (r *rig) numbers(q string) []float64 {
	r.t.Helper()
	var out []float64
	for _, w := range r.question(q) {
		v, err := strconv.ParseFloat(w, 64)
		if err != nil {
			r.t.Fatalf("%s: %v", q, err)
		}
		out = append(out, v)
	}
	return out
}

// do sends a line to xdotool, which does it at once.
func (r *rig) do(format string, a ...any) {
	r.t.Helper()
	if _, err := fmt.Fprintf(r.hand, format+"\n", a...); err != nil {
		r.t.Fatalf("xdotool does not listen: %v", err)
	}
}

// settle waits until the program has handled everything sent so far: a key that
// it counts comes after it.
func (r *rig) settle() {
	r.t.Helper()
	before := r.numbers("marks")[0]
	r.do("key F12")
	for range 1000 {
		if r.numbers("marks")[0] > before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.t.Fatal("the window gets no keys")
}

// move moves the pointer to a screen pixel of a pane.
func (r *rig) move(pane int, x, y float64) {
	r.t.Helper()
	r.now, r.at = pane, canvas.Point{X: math.Floor(x), Y: math.Floor(y)}
	x, y = r.at.X, r.at.Y
	r.do("mousemove %d %d", int(r.origin.X+r.corner[pane].X+x), int(r.origin.Y+r.corner[pane].Y+y))
	if r.down {
		r.painter.Handle(canvas.Event{Kind: canvas.Drag, At: r.place()})
	}
}

// place is the place of the picture that the pointer is at.
func (r *rig) place() canvas.Point {
	return r.view.ToPicture(canvas.Point{X: r.at.X + 0.5, Y: r.at.Y + 0.5}, r.pane)
}

func (r *rig) press() {
	r.t.Helper()
	r.do("mousedown 1")
	r.painter.Handle(canvas.Event{Kind: canvas.Press, At: r.place(), Slack: 7 / r.view.Zoom()})
	r.down = true
}

func (r *rig) release() {
	r.t.Helper()
	r.do("mouseup 1")
	r.painter.Handle(canvas.Event{Kind: canvas.Release, At: r.place()})
	r.down = false
}

// stroke paints along screen pixels of a pane.
func (r *rig) stroke(pane int, xy ...float64) {
	r.t.Helper()
	r.move(pane, xy[0], xy[1])
	r.press()
	for i := 2; i < len(xy); i += 2 {
		r.move(pane, xy[i], xy[i+1])
	}
	r.release()
}

// same compares the program's state with the second canvas.
func (r *rig) same(when string) {
	r.t.Helper()
	r.settle()
	want := r.painter.Canvas().Labels().Pix
	words := r.question("labels")
	got, err := base64.StdEncoding.DecodeString(words[0])
	if err != nil {
		r.t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		n, side := 0, r.painter.Canvas().Bounds().Dx()
		var where image.Rectangle
		for i := range got {
			if got[i] != want[i] {
				n++
				where = where.Union(image.Rect(i%side, i/side, i%side+1, i/side+1))
			}
		}
		r.t.Fatalf("%s: %d pixels differ, in %v; pane %v at %v, zoom %v", when, n, where, r.pane, r.corner, r.view.Zoom())
	}
	v := r.numbers("view")
	c := r.view.Centre()
	if math.Abs(v[0]-r.view.Zoom()) > 1e-9 || math.Abs(v[1]-c.X) > 1e-6 || math.Abs(v[2]-c.Y) > 1e-6 {
		r.t.Fatalf("%s: the view is %v, expected zoom %v about %v", when, v, r.view.Zoom(), c)
	}
	b := r.numbers("brush")
	if int(b[0]) != r.painter.Brush.Size || int(b[1]) != int(r.painter.Class()) {
		r.t.Fatalf("%s: size %v and class %v, expected %d and %d", when, b[0], b[1], r.painter.Brush.Size, r.painter.Class())
	}
	undo, _ := r.hist.Len()
	if steps := r.numbers("steps")[0]; int(steps) != undo {
		r.t.Fatalf("%s: %v steps, expected %d", when, steps, undo)
	}
}

// All that a hand does: paint in both panes, leave the window, pan
// by Space and by the middle button, zoom at the pointer, change the tool by
// keys, pick, draw a polygon with a pan in its middle, undo and redo.
func TestPaintPanZoomUndo(t *testing.T) {
	for _, scale := range []string{"1", "1.25", "2"} {
		t.Run("scale "+scale, func(t *testing.T) {
			r := start(t, 256, "FYNE_SCALE="+scale)
			w, h := r.pane.X, r.pane.Y

			r.stroke(0, w*0.3, h*0.4, w*0.5, h*0.45, w*0.6, h*0.6)
			r.same("a stroke in the picture")
			r.stroke(1, w*0.7, h*0.3, w*0.5, h*0.55)
			r.same("a stroke in the labels")

			// A quick curve: many positions within one frame.
			r.move(0, w*0.5+80, h*0.5)
			r.press()
			for i := range 200 {
				sin, cos := math.Sincos(float64(i) / 20)
				r.move(0, math.Round(w*0.5+80*cos), math.Round(h*0.5+60*sin))
			}
			r.release()
			r.same("a quick curve")

			// Out of the window, released outside.
			r.stroke(0, w*0.2, h*0.9, w*0.1, h+80)
			r.same("a stroke released outside")

			// Out of the window for several frames, and back.
			r.move(0, w*0.2, h*0.8)
			r.press()
			for _, q := range [][2]float64{{w * 0.3, h + 60}, {w * 0.5, h + 70}, {w * 0.4, h * 0.5}, {w * 0.2, h * 0.2}} {
				r.move(0, q[0], q[1])
				time.Sleep(60 * time.Millisecond)
			}
			r.release()
			r.same("a stroke that left the window and came back")

			// Out of the window, and released there after several frames: what
			// the pointer does when it is back is no stroke.
			r.move(1, w*0.8, h*0.8)
			r.press()
			r.move(1, w*0.9, h+90)
			time.Sleep(60 * time.Millisecond)
			r.release()
			for _, q := range [][2]float64{{w * 0.8, h * 0.6}, {w * 0.2, h * 0.6}} {
				r.move(1, q[0], q[1])
				time.Sleep(60 * time.Millisecond)
			}
			r.same("a stroke released outside after a while")

			// Escape in the middle of a stroke.
			r.move(0, w*0.6, h*0.2)
			r.press()
			r.move(0, w*0.7, h*0.3)
			r.settle()
			r.do("key Escape")
			r.painter.Handle(canvas.Event{Kind: canvas.Cancel})
			r.move(0, w*0.3, h*0.3)
			r.release()
			r.same("a stroke given up")

			// Zoom in at the pointer, five clicks of the wheel.
			r.move(1, w*0.4, h*0.6)
			r.settle() // the toolkit zooms where the pointer was a frame ago
			r.do("click --repeat 5 --delay 20 4")
			for range 5 {
				r.view.Step(1, canvas.Point{X: r.at.X + 0.5, Y: r.at.Y + 0.5}, r.pane)
			}
			r.same("zooming")
			r.stroke(1, w*0.3, h*0.3, w*0.5, h*0.5)
			r.same("a stroke after zooming")

			// Pan by Space and by the middle button.
			r.pan("keydown space", "mousedown 1", "mouseup 1", "keyup space")
			r.same("panning by Space")
			r.pan("", "mousedown 2", "mouseup 2", "")
			r.same("panning by the middle button")

			// Keys over the pane without a click: class, size, tool.
			r.move(0, w*0.5, h*0.5)
			r.key("period", func() { r.painter.StepClass(1) })
			r.key("bracketright", func() { r.painter.SetSize(canvas.LargerSize(r.painter.Brush.Size)) })
			r.stroke(0, w*0.5, h*0.5, w*0.7, h*0.5)
			r.same("another class and size")
			r.key("p", func() { _ = r.painter.Use("polygon") })
			for i, q := range [][2]float64{{0.2, 0.2}, {0.8, 0.25}, {0.6, 0.8}} {
				if i == 2 {
					r.pan("keydown space", "mousedown 1", "mouseup 1", "keyup space")
				}
				r.stroke(0, math.Round(w*q[0]), math.Round(h*q[1]))
			}
			r.key("Return", func() { r.painter.Handle(canvas.Event{Kind: canvas.Confirm}) })
			r.same("a polygon, panned in its middle")
			r.key("g", func() { _ = r.painter.Use("fill") })
			r.stroke(1, w*0.9, h*0.1)
			r.same("a fill")

			// Held Alt picks, and paints again when released.
			r.key("b", func() { _ = r.painter.Use("brush") })
			r.move(1, w*0.5, h*0.7)
			r.do("keydown alt")
			r.settle()
			r.do("mousedown 1")
			r.do("mouseup 1")
			r.do("keyup alt")
			if k, ok := r.painter.Canvas().ClassAt(int(r.place().X), int(r.place().Y)); ok {
				r.painter.SetClass(k)
			}
			r.settle()
			r.stroke(1, w*0.2, h*0.2, w*0.4, h*0.2)
			r.same("painting with the picked class")

			for range 7 {
				r.do("key ctrl+z")
				if _, err := r.hist.Undo(r.painter.Canvas()); err != nil {
					t.Fatal(err)
				}
			}
			r.same("undo")
			for i := range 4 {
				r.do("key %s", []string{"ctrl+y", "ctrl+shift+z"}[i%2])
				if _, err := r.hist.Redo(r.painter.Canvas()); err != nil {
					t.Fatal(err)
				}
			}
			r.same("redo")

			// What is on the screen is what is in the label map.
			r.do("mousemove 1500 1050") // out of the window
			r.settle()
			r.screen()
		})
	}
}

// The gestures with modifiers and the other buttons: sizing by dragging and by the
// wheel, straight lines, outlines that are filled, lassos that take back, polygons
// whose corners are taken away, and all of it mirrored.
func TestGestures(t *testing.T) {
	for _, scale := range []string{"1", "2"} {
		t.Run("scale "+scale, func(t *testing.T) {
			r := start(t, 256, "FYNE_SCALE="+scale)
			w, h := r.pane.X, r.pane.Y

			// Shift+drag sizes the brush and paints nothing; the ring stays.
			r.move(0, w*0.5, h*0.5)
			r.do("keydown shift")
			r.settle()
			r.do("mousedown 1")
			from, size := r.at.X, r.painter.Brush.Size
			for _, dx := range []float64{8, 20, 33} {
				r.move(0, from+dx, r.at.Y)
			}
			r.painter.SetSize(size + int(math.Round(2*(r.at.X-from)/r.view.Zoom())))
			r.same("Shift and a drag size the brush")
			if ring := r.numbers("brush")[2]; ring != 1 {
				t.Error("the ring is not shown while the brush is sized")
			}
			r.do("mouseup 1")
			r.do("keyup shift")
			r.same("sizing is over")

			// The wheel with Shift, two clicks up and five down.
			r.do("keydown shift")
			r.settle()
			r.do("click --repeat 2 --delay 20 4")
			r.do("click --repeat 5 --delay 20 5")
			r.do("keyup shift")
			for range 2 {
				r.painter.SetSize(canvas.LargerSize(r.painter.Brush.Size))
			}
			for range 5 {
				r.painter.SetSize(canvas.SmallerSize(r.painter.Brush.Size))
			}
			r.same("Shift and the wheel size the brush")

			// A straight line from the end of a stroke, in the other pane.
			r.stroke(0, w*0.2, h*0.3, w*0.3, h*0.3)
			r.settle()
			r.move(1, w*0.8, h*0.7)
			r.do("keydown shift")
			r.settle()
			r.do("mousedown 1")
			r.do("mouseup 1")
			r.settle()
			r.do("keyup shift")
			line := canvas.Event{Kind: canvas.Press, At: r.place(), Shift: true}
			r.painter.Handle(line)
			line.Kind = canvas.Release
			r.painter.Handle(line)
			r.same("Shift and a click draw a straight line")

			// An outline by the right button fills when it is released.
			r.key("period", func() { r.painter.StepClass(1) })
			ring := [][2]float64{{0.3, 0.55}, {0.5, 0.5}, {0.55, 0.75}, {0.35, 0.8}, {0.3, 0.58}}
			r.loop(1, "mousedown 3", "mouseup 3", canvas.Event{Button: canvas.Secondary}, ring)
			r.same("an outline by the right button")

			// A lasso fills, and with Ctrl brings the original back.
			r.key("l", func() { _ = r.painter.Use("lasso") })
			r.loop(0, "mousedown 1", "mouseup 1", canvas.Event{}, [][2]float64{{0.6, 0.2}, {0.9, 0.25}, {0.8, 0.5}, {0.62, 0.4}})
			r.same("a lasso")
			r.do("keydown ctrl")
			r.settle()
			r.loop(0, "mousedown 1", "mouseup 1", canvas.Event{Ctrl: true}, [][2]float64{{0.4, 0.2}, {0.75, 0.2}, {0.7, 0.7}, {0.4, 0.7}})
			r.do("keyup ctrl")
			r.same("a lasso with Ctrl")

			// A polygon loses corners by the right button and by Backspace, and is
			// given up by Escape.
			r.key("p", func() { _ = r.painter.Use("polygon") })
			corner := func(x, y float64) { r.stroke(0, math.Round(w*x), math.Round(h*y)) }
			corner(0.2, 0.2)
			corner(0.5, 0.2)
			corner(0.9, 0.9)
			r.do("mousedown 3")
			r.do("mouseup 3")
			r.settle()
			r.painter.Handle(canvas.Event{Kind: canvas.Press, At: r.place(), Button: canvas.Secondary})
			r.painter.Handle(canvas.Event{Kind: canvas.Release, At: r.place(), Button: canvas.Secondary})
			corner(0.5, 0.6)
			corner(0.1, 0.9)
			r.key("BackSpace", func() { r.painter.Handle(canvas.Event{Kind: canvas.Back}) })
			corner(0.2, 0.6)
			r.key("Return", func() { r.painter.Handle(canvas.Event{Kind: canvas.Confirm}) })
			r.same("a polygon whose corners were taken away")
			corner(0.3, 0.3)
			corner(0.7, 0.3)
			corner(0.7, 0.7)
			r.key("Escape", func() { r.painter.Handle(canvas.Event{Kind: canvas.Cancel}) })
			r.key("Return", func() { r.painter.Handle(canvas.Event{Kind: canvas.Confirm}) })
			r.same("a polygon given up")

			// Mirrored, the pixel under the pointer is painted.
			r.key("b", func() { _ = r.painter.Use("brush") })
			r.key("m", func() { r.view.SetMirror(true) })
			r.stroke(1, w*0.2, h*0.2, w*0.4, h*0.3)
			r.same("a stroke on the mirrored view")
			r.key("m", func() { r.view.SetMirror(false) })

			// Exact zooms, and fitting.
			r.move(0, w*0.4, h*0.6)
			r.settle()
			r.key("4", func() { r.view.ZoomTo(4, canvas.Point{X: r.at.X + 0.5, Y: r.at.Y + 0.5}, r.pane) })
			r.stroke(0, w*0.4, h*0.6, w*0.5, h*0.6)
			r.same("a stroke at 400 %")
			r.key("0", func() { r.view.Fit(r.pane) })
			r.same("fitting")

			for range 3 {
				r.do("key ctrl+z")
				if _, err := r.hist.Undo(r.painter.Canvas()); err != nil {
					t.Fatal(err)
				}
			}
			r.same("undo")
		})
	}
}

// loop drags along a way with a button, its events otherwise those of mods.
func (r *rig) loop(pane int, down, up string, mods canvas.Event, way [][2]float64) {
	r.t.Helper()
	send := func(kind canvas.EventKind) {
		e := mods
		e.Kind, e.At = kind, r.place()
		r.painter.Handle(e)
	}
	for i, q := range way {
		r.move(pane, math.Round(r.pane.X*q[0]), math.Round(r.pane.Y*q[1]))
		if i == 0 {
			r.do("%s", down)
			send(canvas.Press)
			continue
		}
		send(canvas.Drag)
	}
	r.do("%s", up)
	send(canvas.Release)
	r.settle()
}

// pan drags the view with the given keys and button.
func (r *rig) pan(before, down, up, after string) {
	r.t.Helper()
	r.move(r.now, math.Round(r.pane.X*0.5), math.Round(r.pane.Y*0.5))
	if before != "" {
		r.do("%s", before)
		r.settle()
	}
	r.do("%s", down)
	for range 5 {
		r.move(r.now, r.at.X+9, r.at.Y-6)
		r.view.Pan(9, -6, r.pane)
	}
	r.do("%s", up)
	if after != "" {
		r.settle()
		r.do("%s", after)
		r.settle()
	}
}

// key types a key and does the same with the second canvas.
func (r *rig) key(name string, do func()) {
	r.t.Helper()
	r.do("key %s", name)
	do()
	r.settle()
}

// classAt is the class shown by a screen pixel of a pane.
func (r *rig) classAt(x, y int) (uint8, bool) {
	p := r.view.ToPicture(canvas.Point{X: float64(x) + 0.5, Y: float64(y) + 0.5}, r.pane)
	return r.painter.Canvas().ClassAt(int(math.Floor(p.X)), int(math.Floor(p.Y)))
}

// screen compares what the second pane shows with the label map.
func (r *rig) screen() {
	r.t.Helper()
	shot := exec.Command("import", "-display", r.display, "-window", r.window, "-depth", "8", "rgba:-")
	pix, err := shot.Output()
	if err != nil {
		r.t.Fatalf("no picture of the window (is ImageMagick installed?): %v", err)
	}
	w := int(r.numbers("width")[0])
	checked, wrong, where := 0, 0, image.Rectangle{}
	for y := 3; y < int(r.pane.Y)-60; y += 5 {
		for x := 3; x < int(r.pane.X)-60; x += 5 {
			class, ok := r.classAt(x, y)
			// Tiles end on whole screen pixels: the edge of a class may lie
			// one beside.
			for _, d := range [][2]int{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
				near, there := r.classAt(x+d[0], y+d[1])
				ok = ok && there && near == class
			}
			if !ok {
				continue
			}
			i := 4 * ((y+int(r.corner[1].Y))*w + x + int(r.corner[1].X))
			red, green, blue, _ := palette[class].RGBA()
			checked++
			if pix[i] != uint8(red>>8) || pix[i+1] != uint8(green>>8) || pix[i+2] != uint8(blue>>8) {
				wrong++
				where = where.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	if checked < 500 || wrong > 0 {
		r.t.Errorf("%d of %d screen pixels do not show the class that is there, in %v of the pane", wrong, checked, where)
	}
}

// TestFrames measures, by real pointer events, the time from an event sent to
// the frame that shows it, and the frames per second while painting. It prints
// rows and fails only when nothing is presented: the speed of a shared machine
// is no property of the program.
func TestFrames(t *testing.T) {
	if testing.Short() {
		t.Skip("measuring takes ten seconds: left out by -short")
	}
	for _, m := range []struct {
		side int
		rows []string
	}{{1024, []string{"canvas.frame_ms_p50", "canvas.frame_ms_p95"}}, {512, []string{"canvas.fps"}}} {
		r := start(t, m.side)
		r.do("mousemove %d %d", int(r.origin.X+r.corner[0].X+100), int(r.origin.Y+r.corner[0].Y+100))
		r.settle()
		r.question("clear")
		busy := r.numbers("cpu")[0]
		r.do("mousedown 1")
		const moves = 400
		// Uneven pauses of 5 to 11 ms: even ones would fall into step with
		// the frames.
		pause := func(i int) time.Duration { return time.Duration(5+i*i%7) * time.Millisecond }
		sent := make([]time.Time, 0, moves)
		begin := time.Now()
		next := begin
		for i := range moves {
			sin, cos := math.Sincos(float64(i) / 15)
			x, y := r.corner[0].X+r.pane.X*(0.5+0.3*cos), r.corner[0].Y+r.pane.Y*(0.5+0.3*sin)
			sent = append(sent, time.Now())
			r.do("mousemove %d %d", int(r.origin.X+x), int(r.origin.Y+y))
			next = next.Add(pause(i))
			time.Sleep(time.Until(next))
		}
		took := time.Since(begin)
		r.do("mouseup 1")
		r.settle()
		frames := r.numbers("frames") // how many were presented
		busy = r.numbers("cpu")[0] - busy
		moments := r.numbers("moments") // when each motion was, in nanoseconds
		if len(moments) < moves || frames[0] == 0 {
			t.Fatalf("%d motions sent, %d presented in %v frames", moves, len(moments), frames[0])
		}
		var ms []float64
		for i, at := range sent {
			ms = append(ms, (moments[i]-float64(at.UnixNano()))/1e6)
		}
		slices.Sort(ms)
		// The processor time says what a frame costs also on a machine that
		// others use.
		t.Logf("%d²: %v frames in %.2f s, %.1f ms of processor time each; from the event to the frame %.1f ms (median), %.1f ms (95 %%), %.1f ms (worst)",
			m.side, frames[0], took.Seconds(), busy*10/frames[0], ms[len(ms)/2], ms[len(ms)*95/100], ms[len(ms)-1])
		for _, name := range m.rows {
			switch name {
			case "canvas.fps":
				fmt.Printf("%s %.1f\n", name, frames[0]/took.Seconds())
			case "canvas.frame_ms_p50":
				fmt.Printf("%s %.1f\n", name, ms[len(ms)/2])
			case "canvas.frame_ms_p95":
				fmt.Printf("%s %.1f\n", name, ms[len(ms)*95/100])
			}
		}
	}
}
