package windowtest

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"os"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/app"
	"fyne.io/fyne/v2/driver"
	"fyne.io/fyne/v2/driver/desktop"

	"latentbrush/canvas"
	"latentbrush/canvas/view"
	"latentbrush/canvas/view/motion"
)

var palette = color.Palette{
	color.RGBA{20, 20, 20, 255},
	color.RGBA{230, 60, 60, 255},
	color.RGBA{60, 200, 80, 255},
	color.RGBA{70, 90, 240, 255},
	color.RGBA{240, 220, 60, 255},
}

// labels is the label map that both sides begin with: bands.
func labels(side int) *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, side, side), palette)
	for i := range m.Pix {
		m.Pix[i] = uint8(i / side * 3 / side)
	}
	return m
}

// cpuTicks is the processor time that this program has used, on all cores and
// with the drawing of the software driver, in hundredths of a second. It is 0
// where the system does not tell.
func cpuTicks() int {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	// The fields after the name of the program, which is in brackets; times in
	// user and kernel mode are the 14th and 15th of all (proc(5)).
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	kernel, _ := strconv.Atoi(fields[12])
	return user + kernel
}

// program opens two panes on a label map in a window and answers questions, a
// line each, until its input ends.
func program(side int) {
	c, err := canvas.New(labels(side))
	if err != nil {
		panic(err)
	}
	painter := canvas.NewPainter(c)
	hist := canvas.NewHistory()
	painter.OnCommit = hist.Push
	stage := view.NewStage(painter)
	picture := image.NewRGBA(c.Bounds())
	for y := range side {
		for x := range side {
			picture.SetRGBA(x, y, color.RGBA{uint8(x * 255 / side), uint8(y * 255 / side), 90, 255})
		}
	}
	if err := stage.SetPicture(picture); err != nil {
		panic(err)
	}
	pair := view.NewPair(stage)
	l := pair.Labels.Look()
	l.Region = false
	pair.Labels.SetLook(l)

	a := app.NewWithID("windowtest")
	w := a.NewWindow("Panes")
	w.SetPadded(false)
	w.SetContent(pair.Object)

	marks := 0
	stage.OnKeyDown = func(key *fyne.KeyEvent) {
		if key.Name == fyne.KeyF12 {
			marks++
		}
	}
	stage.OnRune = func(r rune) {
		switch r {
		case '.':
			painter.StepClass(1)
		case ']':
			painter.SetSize(canvas.LargerSize(painter.Brush.Size))
		case 'b':
			_ = painter.Use("brush")
		case 'p':
			_ = painter.Use("polygon")
		case 'g':
			_ = painter.Use("fill")
		case 'l':
			_ = painter.Use("lasso")
		case 'm':
			stage.SetMirror(!stage.Mirrored())
		case '0':
			stage.Fit()
		case '4':
			stage.ZoomTo(4)
		}
	}
	undo := func(fyne.Shortcut) { _, _ = hist.Undo(c) }
	redo := func(fyne.Shortcut) { _, _ = hist.Redo(c) }
	w.Canvas().AddShortcut(&fyne.ShortcutUndo{}, undo)
	w.Canvas().AddShortcut(&fyne.ShortcutRedo{}, redo)
	w.Canvas().AddShortcut(&desktop.CustomShortcut{KeyName: fyne.KeyZ, Modifier: fyne.KeyModifierControl | fyne.KeyModifierShift}, redo)

	// Each change waits for the frame that shows it: what is queued while
	// events are handled runs after the frame was drawn and shown.
	var moments []int64
	waiting, frames := 0, 0
	c.Subscribe(func(image.Rectangle) {
		waiting++
		if waiting == 1 {
			fyne.Do(func() {
				now := time.Now().UnixNano()
				for range waiting {
					moments = append(moments, now)
				}
				waiting = 0
				frames++
			})
		}
	})

	answer := func(question string) string {
		k := float64(w.Canvas().Scale())
		switch question {
		case "window":
			id := ""
			if native, ok := w.(driver.NativeWindow); ok {
				native.RunNative(func(ctx any) {
					if x, ok := ctx.(driver.X11WindowContext); ok {
						id = fmt.Sprint(x.WindowHandle)
					}
				})
			}
			return id
		case "panes":
			s := pair.Picture.Size()
			if s != pair.Labels.Size() {
				return "the panes differ in size"
			}
			p := a.Driver().AbsolutePositionForObject(pair.Picture)
			q := a.Driver().AbsolutePositionForObject(pair.Labels)
			r := func(v float32) int { return int(float64(v)*k + 0.5) }
			return fmt.Sprint(r(s.Width), r(s.Height), r(p.X), r(p.Y), r(q.X), r(q.Y))
		case "marks":
			return fmt.Sprint(marks)
		case "labels":
			return base64.StdEncoding.EncodeToString(c.Labels().Pix)
		case "view":
			v := stage.Viewport()
			return fmt.Sprint(v.Zoom(), v.Centre().X, v.Centre().Y)
		case "brush":
			ring := 0
			if pair.Picture.RingShown() || pair.Labels.RingShown() {
				ring = 1
			}
			return fmt.Sprint(painter.Brush.Size, painter.Class(), ring)
		case "steps":
			n, _ := hist.Len()
			return fmt.Sprint(n)
		case "width":
			return fmt.Sprint(int(float64(w.Canvas().Size().Width)*k + 0.5))
		case "clear":
			moments, frames = nil, 0
			return "ok"
		case "frames":
			return fmt.Sprint(frames)
		case "cpu":
			return fmt.Sprint(cpuTicks())
		case "moments":
			var b strings.Builder
			// The first is the press, not a motion.
			for _, m := range moments[min(1, len(moments)):] {
				fmt.Fprint(&b, m, " ")
			}
			return b.String()
		}
		return "unknown"
	}
	a.Lifecycle().SetOnStarted(func() {
		go func() {
			// The window has its scale only now; the panes are to be as
			// large in screen pixels at every scale.
			fyne.DoAndWait(func() {
				k := w.Canvas().Scale()
				w.Resize(fyne.NewSize(1200/k, 800/k))
			})
			time.Sleep(500 * time.Millisecond)
			fyne.DoAndWait(func() {
				if _, err := motion.Attach(w, func() *view.Stage { return stage }); err != nil {
					panic(err)
				}
			})
			in := bufio.NewScanner(os.Stdin)
			for in.Scan() {
				var out string
				fyne.DoAndWait(func() { out = answer(in.Text()) })
				fmt.Println(out)
			}
			fyne.Do(a.Quit)
		}()
	})
	w.Resize(fyne.NewSize(400, 300))
	w.ShowAndRun()
}
