package window_test

import (
	"context"
	"errors"
	"image"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/driver/software"
	"fyne.io/fyne/v2/test"

	"latentbrush/app/gui/action"
	"latentbrush/app/gui/control"
	"latentbrush/app/gui/dialogs"
	"latentbrush/app/gui/look"
	"latentbrush/app/gui/window"
	"latentbrush/app/gui/window/windowtest"
	"latentbrush/assets/portrait"
	"latentbrush/canvas"
	"latentbrush/engine"
	"latentbrush/vectors"
)

// rig is a window on the puppet engine, in memory.
type rig struct {
	*window.Window
	t      *testing.T
	picker *dialogs.Script
	dir    string
	hold   sync.Mutex
}

func newRig(t *testing.T, change func(*window.Options)) *rig {
	t.Helper()
	test.NewTempApp(t)
	r := &rig{t: t, picker: &dialogs.Script{}, dir: t.TempDir()}
	r.baton(t)
	settings, err := window.LoadSettings(filepath.Join(r.dir, "settings.json"))
	if err != nil {
		t.Fatal(err)
	}
	settings.Language, settings.Variant = "en", look.Dark
	o := window.Options{
		Version: "test", Settings: settings, Picker: r.picker, Seed: 7,
		Library: filepath.Join(r.dir, "vectors"), Journals: filepath.Join(r.dir, "journals"),
		Open: func(context.Context, string) (window.Engine, error) {
			return &windowtest.Puppet{Size: 128, Steps: 25}, nil
		},
		Log: func(s string) { t.Log(s) },
	}
	if change != nil {
		change(&o)
	}
	win := test.NewTempWindow(t, nil)
	r.Window = window.New(win, o)
	win.Resize(fyne.NewSize(1280, 720))
	r.Start()
	t.Cleanup(func() { r.do(r.Shut) })
	r.wait("the first picture", func() bool { return r.Document() != nil && r.Document().HasPicture() })
	return r
}

// baton makes the test's goroutine the one that owns the widgets, except while it
// waits; work from other goroutines is done then, in order.
func (r *rig) baton(t *testing.T) {
	queue, quit, done := make(chan func(), 1<<16), make(chan struct{}), make(chan struct{})
	r.hold.Lock()
	go func() {
		defer close(done)
		for {
			select {
			case f := <-queue:
				r.hold.Lock()
				f()
				r.hold.Unlock()
			case <-quit:
				return
			}
		}
	}()
	do := func(f func()) {
		select {
		case queue <- f:
		case <-quit:
		}
	}
	control.SetDispatcher(control.Dispatcher{
		Do: do,
		Wait: func(f func()) {
			over := make(chan struct{})
			do(func() {
				defer close(over)
				f()
			})
			select {
			case <-over:
			case <-quit:
				<-done
			}
		},
	})
	t.Cleanup(func() {
		// Goroutines that still come find a window that is shut.
		r.hold.Unlock()
		time.Sleep(20 * time.Millisecond)
		control.SetDispatcher(control.Dispatcher{Do: func(func()) {}, Wait: func(func()) {}})
		close(quit)
		<-done
	})
}

// do runs f on the goroutine that owns the widgets, which the test's is.
func (r *rig) do(f func()) { f() }

// wait runs until ok, or fails the test.
func (r *rig) wait(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(90 * time.Second); time.Now().Before(end); {
		if ok() {
			return
		}
		r.hold.Unlock()
		time.Sleep(4 * time.Millisecond)
		r.hold.Lock()
	}
	r.t.Fatalf("waited in vain for %s", what)
}

// shot keeps a picture of the window where LATENTBRUSH_SHOTS says.
func (r *rig) shot(name string) {
	r.t.Helper()
	dir := os.Getenv("LATENTBRUSH_SHOTS")
	if dir == "" {
		return
	}
	var img image.Image
	r.do(func() { img = r.Fyne().Canvas().Capture() })
	f, err := os.Create(filepath.Join(dir, name+".png"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		r.t.Fatal(err)
	}
}

// stroke paints through picture points on the mask pane, as the mouse does.
func (r *rig) stroke(points ...canvas.Point) {
	r.do(func() {
		p := r.MaskPane()
		last := p.PositionOf(points[0])
		event := func(at fyne.Position) *desktop.MouseEvent {
			return &desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: at}, Button: desktop.MouseButtonPrimary}
		}
		p.MouseIn(event(last))
		p.MouseDown(event(last))
		for _, q := range points[1:] {
			at := p.PositionOf(q)
			p.Dragged(&fyne.DragEvent{PointEvent: fyne.PointEvent{Position: at}, Dragged: fyne.NewDelta(at.X-last.X, at.Y-last.Y)})
			last = at
		}
		p.MouseUp(event(last))
		p.DragEnd()
	})
}

func (r *rig) press(chord string, key fyne.KeyName) { r.do(func() { r.Chord(chord, key) }) }

// paintBrows raises the brows: a change that the puppet can follow.
func (r *rig) paintMouth() {
	r.do(func() {
		r.Painter().SetClass(portrait.MouthIn)
		r.Painter().SetSize(12)
	})
	r.stroke(canvas.Point{X: 54, Y: 86}, canvas.Point{X: 64, Y: 90}, canvas.Point{X: 74, Y: 86})
}

func TestMainJob(t *testing.T) {
	r := newRig(t, nil)
	before := r.Document().Current()
	r.paintMouth()
	if r.Document().Current() == before {
		t.Fatal("the stroke is not in the history")
	}
	r.press("Ctrl+Return", fyne.KeyReturn)
	r.wait("the run", func() bool { return r.Phase() == "done" })
	if n := r.RunSteps(); n < 20 {
		t.Fatalf("%d steps kept, want at least 20 of 25", n)
	}
	r.shot("run-done")
	r.do(func() { r.Scrub(3) })
	r.do(func() { r.Scrub(r.RunSteps() - 1) })
	r.do(r.AcceptEdit)
	r.wait("the edit", func() bool { return len(r.Document().Scene().Stack) == 1 })
	r.wait("its picture", r.SameAsDocument)

	// The slider moves the picture while it is dragged, and is one step of the history.
	shown := uint64(0)
	r.do(func() { shown = r.Shown() })
	nodes := len(r.Document().Nodes())
	r.do(func() {
		s := r.RowSlider(0)
		at := func(x float32) fyne.PointEvent { return fyne.PointEvent{Position: fyne.NewPos(x, 10)} }
		s.MouseDown(&desktop.MouseEvent{PointEvent: at(20), Button: desktop.MouseButtonPrimary})
		for x := float32(20); x < 60; x += 5 {
			s.Dragged(&fyne.DragEvent{PointEvent: at(x), Dragged: fyne.NewDelta(5, 0)})
		}
		s.DragEnd()
	})
	r.wait("the slider's picture", func() bool { return r.Shown() != shown && r.SameAsDocument() })
	if got := r.Document().Scene().Stack[0].Strength; got >= 0 {
		t.Errorf("strength %v, want a negative one", got)
	}
	if n := len(r.Document().Nodes()); n != nodes+1 {
		t.Errorf("the drag made %d steps of the history, want 1", n-nodes)
	}
	r.wait("the response strip", func() bool { return r.Strips() == 1 })
	r.shot("slider")
	if f := r.Fyne().Canvas().Focused(); f != nil && f != fyne.Focusable(r.MaskPane()) {
		t.Errorf("the slider left the keyboard with %T", f)
	}

	// Keep as vector: the name is asked for.
	r.press("Ctrl+Shift+V", fyne.KeyV)
	r.do(func() {
		e := r.Fyne().Canvas().Focused()
		for _, c := range "Wide mouth #test" {
			e.TypedRune(c)
		}
		e.TypedKey(&fyne.KeyEvent{Name: fyne.KeyReturn})
	})
	found := r.Library().Search(vectors.Query{})
	if len(found) != 1 || found[0].Name != "Wide mouth" || strings.Join(found[0].Tags, ",") != "test" {
		t.Fatalf("library: %+v", found)
	}

	// Save, export, and bring the exported state back into another picture.
	project, picture := filepath.Join(r.dir, "p.lbproj"), filepath.Join(r.dir, "out.png")
	r.picker.Paths = []string{project}
	r.press("Ctrl+S", fyne.KeyS)
	r.wait("the project", func() bool { return !r.Document().Dirty() })
	var code []float32
	r.do(func() {
		code = r.Document().Code().Data
		if err := r.Export(picture, "both", true); err != nil {
			t.Error(err)
		}
	})
	if _, err := os.Stat(filepath.Join(r.dir, "out-mask.png")); err != nil {
		t.Error(err)
	}
	r.press("Ctrl+R", fyne.KeyR)
	r.wait("another picture", func() bool { return len(r.Document().Scene().Stack) == 0 })
	r.do(func() { r.OpenPath(picture) })
	r.do(func() {
		if s := control.TopSheet(); s != nil {
			s.Close()
		}
	})
	if !r.Document().Dirty() {
		t.Error("another picture is no change to save")
	}
	r.do(func() { r.OpenPath(project) })
	for range 2 { // the question about unsaved changes: the last answer but one discards
		r.do(func() {
			if s := control.TopSheet(); s != nil {
				tapText(t, s, "Discard")
			}
		})
	}
	r.wait("the project again", func() bool { return r.Document().Path() == project })
	if got := r.Document().Code().Data; len(got) != len(code) || got[5] != code[5] {
		t.Error("the opened project has another code")
	}
}

// tapText taps the button with a text.
func tapText(t *testing.T, root fyne.CanvasObject, text string) {
	t.Helper()
	done := false
	walk(root, func(o fyne.CanvasObject) {
		if b, ok := o.(*control.Button); ok && b.Text == text && !done {
			done = true
			b.Tapped(nil)
		}
	})
	if !done {
		t.Errorf("there is no button %q", text)
	}
}

// walk visits o and all visible objects in it.
func walk(o fyne.CanvasObject, f func(fyne.CanvasObject)) {
	if o == nil || !o.Visible() {
		return
	}
	f(o)
	switch o := o.(type) {
	case *fyne.Container:
		for _, c := range o.Objects {
			walk(c, f)
		}
	case fyne.Widget:
		for _, c := range test.WidgetRenderer(o).Objects() {
			walk(c, f)
		}
	}
}

func TestPauseRepaintResumeCancel(t *testing.T) {
	r := newRig(t, func(o *window.Options) {
		o.Open = func(context.Context, string) (window.Engine, error) {
			return &windowtest.Puppet{Size: 64, Steps: 400, Pause: 2 * time.Millisecond}, nil
		}
	})
	r.do(func() { r.Painter().SetClass(portrait.MouthIn) })
	r.stroke(canvas.Point{X: 27, Y: 43}, canvas.Point{X: 37, Y: 45})
	r.press("Ctrl+Return", fyne.KeyReturn)
	r.wait("some steps", func() bool { return r.RunSteps() > 5 })
	r.press("Ctrl+P", fyne.KeyP)
	if r.Phase() != "paused" {
		t.Fatalf("phase %s after pause", r.Phase())
	}
	n := r.RunSteps()
	r.stroke(canvas.Point{X: 27, Y: 47}, canvas.Point{X: 37, Y: 49})
	r.press("Ctrl+Return", fyne.KeyReturn)
	r.wait("more steps", func() bool { return r.RunSteps() > n+5 })
	code := r.Document().Code()
	r.press("Escape", fyne.KeyEscape)
	r.wait("the end", func() bool { return r.Phase() == "idle" && r.SameAsDocument() })
	if !slices.Equal(code.Data, r.Document().Code().Data) {
		t.Error("cancelling changed the document")
	}
}

func TestLiveModeStartsByItself(t *testing.T) {
	r := newRig(t, nil)
	r.do(r.ToggleLive)
	r.paintMouth()
	r.wait("a run", func() bool { return r.Phase() == "running" || r.Phase() == "done" })
}

func TestUndoCrossesTheModel(t *testing.T) {
	r := newRig(t, nil)
	r.paintMouth()
	r.press("Ctrl+Return", fyne.KeyReturn)
	r.wait("the run", func() bool { return r.Phase() == "done" })
	r.do(r.AcceptEdit)
	r.wait("the edit", func() bool { return len(r.Document().Scene().Stack) == 1 })
	r.press("Ctrl+Z", fyne.KeyZ)
	if len(r.Document().Scene().Stack) != 0 {
		t.Fatal("undo left the edit")
	}
	r.press("Ctrl+Y", fyne.KeyY)
	if len(r.Document().Scene().Stack) != 1 {
		t.Fatal("redo did not bring the edit back")
	}
	for range 20 {
		r.press("Ctrl+Z", fyne.KeyZ)
	}
	if !r.Document().HasPicture() {
		t.Error("undo went back to no picture at all")
	}
}

// TestNothingOverlaps lays the window out at its smallest supported size and looks
// for things that lie over each other or stick out.
func TestNothingOverlaps(t *testing.T) {
	for _, lang := range []string{"en", "ja"} {
		t.Run(lang, func(t *testing.T) {
			r := newRig(t, func(o *window.Options) { o.Settings.Language = lang })
			r.wait("the strip", func() bool { return r.StripFilled() >= 14 })
			r.shot("small-" + lang)
			r.do(func() {
				for name, bar := range r.Bars() {
					checkBar(t, name, bar)
				}
			})
		})
	}
}

func checkBar(t *testing.T, name string, bar fyne.CanvasObject) {
	t.Helper()
	type spot struct {
		o    fyne.CanvasObject
		x, w float32
		y, h float32
		text string
	}
	d := fyne.CurrentApp().Driver()
	base := d.AbsolutePositionForObject(bar)
	var spots []spot
	walk(bar, func(o fyne.CanvasObject) {
		var text string
		switch o := o.(type) {
		case *control.Button:
			text = o.AccessibilityLabel()
		case *control.Caption:
			text = o.Text
		case *control.Slider:
			text = o.Name
		case *control.MenuBar, *control.Chart:
			text = "bar"
		default:
			return
		}
		if text == "" {
			return
		}
		p := d.AbsolutePositionForObject(o)
		spots = append(spots, spot{o, p.X - base.X, o.Size().Width, p.Y - base.Y, o.Size().Height, text})
	})
	if len(spots) < 2 {
		t.Errorf("%s: only %d things found", name, len(spots))
	}
	for i, a := range spots {
		if a.x < -0.5 || a.x+a.w > bar.Size().Width+0.5 || a.y < -0.5 || a.y+a.h > bar.Size().Height+0.5 {
			t.Errorf("%s: %q sticks out: %v+%v × %v+%v in %v", name, a.text, a.x, a.w, a.y, a.h, bar.Size())
		}
		for _, b := range spots[i+1:] {
			if a.x+a.w > b.x+0.5 && b.x+b.w > a.x+0.5 && a.y+a.h > b.y+0.5 && b.y+b.h > a.y+0.5 {
				t.Errorf("%s: %q and %q overlap", name, a.text, b.text)
			}
		}
	}
}

func TestEverythingHasAName(t *testing.T) {
	r := newRig(t, nil)
	n := 0
	r.do(func() {
		walk(r.Root(), func(o fyne.CanvasObject) {
			if a, ok := o.(fyne.Accessible); ok {
				n++
				if strings.TrimSpace(a.AccessibilityLabel()) == "" {
					t.Errorf("%T has no accessible name", o)
				}
			}
		})
	})
	if n < 60 {
		t.Errorf("only %d accessible controls found", n)
	}
}

func TestEveryActionIsBound(t *testing.T) {
	r := newRig(t, nil)
	for _, a := range action.All {
		if a.Kind != action.Gesture && !r.Table().Bound(a.ID) {
			t.Errorf("%s does nothing", a.ID)
		}
	}
}

func TestLooks(t *testing.T) {
	if os.Getenv("LATENTBRUSH_SHOTS") == "" {
		t.Skip("pictures for people: set LATENTBRUSH_SHOTS to a folder")
	}
	for _, v := range []look.Variant{look.Light, look.Dark} {
		r := newRig(t, func(o *window.Options) {
			o.Settings.Variant = v
			o.Settings.Language = map[look.Variant]string{look.Light: "en", look.Dark: "ja"}[v]
			o.Open = func(context.Context, string) (window.Engine, error) { return &windowtest.Puppet{Size: 256}, nil }
		})
		p := &windowtest.Puppet{Size: 256}
		for i, name := range []string{"Smile", "Gaze right", "Longer hair", "Raise brows", "Open mouth"} {
			k := []portrait.Index{portrait.Smile, portrait.GazeX, portrait.HairLength, portrait.BrowRaise, portrait.MouthOpen}[i]
			d := p.Sample(1, 0)
			for row := range windowtest.Rows {
				d.Row(row)[k] = 1.2
			}
			w := vectors.New(name, r.Document().Space().Model, d)
			w.Calibration = vectors.Calibration{SafeLo: -1.4, SafeHi: 1.3}
			f, _ := p.Render(context.Background(), p.Sample(7, 0.7).Add(d), noOptions)
			w.After = f.Picture
			if _, err := r.Library().Add(w); err != nil {
				t.Fatal(err)
			}
		}
		r.do(func() {
			for _, e := range r.Library().Search(vectors.Query{})[:3] {
				r.ApplyVector(e.ID)
			}
		})
		r.do(func() {
			s := r.Document().Scene().Stack
			r.Document().SetStrength(s[0].ID, -0.4, true)
			r.Document().SetOn(s[1].ID, false)
			r.Document().SetStrength(s[2].ID, 1.35, true)
		})
		r.wait("the strips", func() bool { return r.StripFilled() >= 14 && r.Strips() > 0 })
		r.shot("look-" + string(v))
	}
}

// TestMonkey does random things and looks for a panic, for lost undo and for memory that grows without bound. It goes
// on for some seconds, or for as many actions as LATENTBRUSH_MONKEY says; LATENTBRUSH_SEED chooses another sequence.
func TestMonkey(t *testing.T) {
	n, seed, limit, long := 600, uint64(1), 20*time.Second, false
	for name, to := range map[string]func(uint64){
		"LATENTBRUSH_MONKEY": func(v uint64) { n, limit, long = int(v), time.Hour, true },
		"LATENTBRUSH_SEED":   func(v uint64) { seed = v },
	} {
		if text := os.Getenv(name); text != "" {
			v, err := strconv.ParseUint(text, 10, 31)
			if err != nil {
				t.Fatal(err)
			}
			to(v)
		}
	}
	t.Logf("seed %d", seed)
	r := newRig(t, func(o *window.Options) {
		o.Open = func(context.Context, string) (window.Engine, error) {
			return &windowtest.Puppet{Size: 32, Steps: 6}, nil
		}
	})
	rnd := rand.New(rand.NewPCG(seed, 1))
	skip := map[string]bool{
		"file.quit": true, "file.open": true, "file.save": true, "file.save-as": true, "file.export": true, "file.paste": true,
		"file.sweep": true, "file.sheet": true, "file.script": true, "file.timelapse": true, "latent.embed": true, "vector.import": true, "vector.export": true,
	}
	var ids []string
	for _, a := range action.All {
		if a.Kind != action.Gesture && !skip[a.ID] {
			ids = append(ids, a.ID)
		}
	}
	begun, done := time.Now(), 0
	var early, late runtime.MemStats
	// measure reads what lives. A long run leaves the toolkit time to forget the renderers of sheets that were closed,
	// which it keeps for FYNE_CACHE and looks for at most every 10 seconds, when it paints; a test paints nothing.
	measure := func(to *runtime.MemStats, when string) {
		if long {
			time.Sleep(11 * time.Second)
			r.do(func() {
				software.NewCanvas().Capture()
				r.Rebuild() // what is still seen lost its renderer, too
			})
		}
		runtime.GC()
		runtime.ReadMemStats(to)
		if dir := os.Getenv("LATENTBRUSH_HEAP"); dir != "" {
			f, err := os.Create(filepath.Join(dir, "heap-"+when))
			if err == nil {
				err = errors.Join(pprof.WriteHeapProfile(f), f.Close())
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
	for i := range n {
		if time.Since(begun) > limit {
			break
		}
		done++
		if i == n/4 {
			measure(&early, "early")
		}
		switch rnd.IntN(4) {
		case 0:
			pt := func() canvas.Point { return canvas.Point{X: rnd.Float64()*40 - 4, Y: rnd.Float64()*40 - 4} }
			r.stroke(pt(), pt(), pt())
		default:
			id := ids[rnd.IntN(len(ids))]
			r.do(func() {
				r.Table().Run(id)
				r.Table().End(id)
				for s := control.TopSheet(); s != nil; s = control.TopSheet() {
					s.Close()
				}
			})
		}
		if i%100 == 0 {
			r.do(func() { r.Fyne().Canvas().Unfocus() })
		}
	}
	r.wait("the runs to end", func() bool {
		return r.Phase() != "running"
	})
	r.do(func() { r.Table().Run("edit.cancel") })
	measure(&late, "late")
	// The history may hold what its limit allows, a handful of megabytes here; nothing else may grow. A short run does not
	// outlive what the toolkit keeps of closed sheets.
	bound := int64(64 << 20)
	if long {
		bound = 6 << 20
	}
	grown := int64(late.HeapAlloc) - int64(early.HeapAlloc)
	t.Logf("%d actions in %.0f s, the heap grew by %d kB from %d kB, history %d kB", done, time.Since(begun).Seconds(), grown>>10, early.HeapAlloc>>10, r.Document().HistoryBytes()>>10)
	if early.HeapAlloc > 0 && grown > bound+2*int64(r.Document().HistoryBytes()) {
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
	var steps int
	r.do(func() {
		d := r.Document()
		for id := d.Current(); id != 0; steps++ {
			node, _ := d.Node(id)
			id = node.Parent
		}
		for range steps + 5 {
			r.Table().Run("edit.undo")
		}
		if id, _ := d.Node(d.Current()); id.Parent != 0 {
			if root, _ := d.Node(id.Parent); root.Parent != 0 {
				t.Errorf("undo stopped at node %d, whose parent is no start", d.Current())
			}
		}
	})
	if steps < 50 && done > 300 {
		t.Errorf("only %d steps in the line of the history", steps)
	}
}

var noOptions = engine.RenderOptions{}
