package window_test

import (
	"math"
	"testing"

	"fyne.io/fyne/v2"

	"latentbrush/canvas"
)

// The keys of painting and viewing do in the window what the canvas is tested for:
// sizes, classes, exact zooms, the overlay by tenths, contours, mirror.
func TestPaintingKeys(t *testing.T) {
	r := newRig(t, nil)
	p, v := r.Painter(), r.Stage().Viewport()
	r.over(r.MaskPane(), 60, 60)

	p.SetSize(1)
	want := 1
	for range 55 {
		r.press("]", fyne.KeyRightBracket)
		want = canvas.LargerSize(want)
		if p.Brush.Size != want {
			t.Fatalf("] gives %d px, not %d", p.Brush.Size, want)
		}
	}
	if p.Brush.Size != canvas.MaxBrush {
		t.Errorf("] stops at %d px", p.Brush.Size)
	}
	r.press("Shift+[", fyne.KeyLeftBracket)
	if p.Brush.Size != canvas.MaxBrush/2 {
		t.Errorf("Shift+[ gives %d px", p.Brush.Size)
	}
	r.press("[", fyne.KeyLeftBracket)
	if p.Brush.Size != canvas.SmallerSize(canvas.MaxBrush/2) {
		t.Errorf("[ gives %d px", p.Brush.Size)
	}
	p.SetSize(20)
	r.press("Shift+]", fyne.KeyRightBracket)
	if p.Brush.Size != 40 {
		t.Errorf("Shift+] gives %d px", p.Brush.Size)
	}

	class := p.Class()
	r.press(".", fyne.KeyPeriod)
	if p.Class() != class+1 {
		t.Errorf(". gives class %d after %d", p.Class(), class)
	}
	r.press("X", fyne.KeyX)
	if p.Class() != class {
		t.Errorf("X gives class %d, not %d", p.Class(), class)
	}
	r.press(",", fyne.KeyComma)
	if p.Class() != class-1 {
		t.Errorf(", gives class %d after %d", p.Class(), class)
	}

	for key, zoom := range map[string]float64{"1": 1, "2": 2, "3": 4, "4": 8} {
		r.press("Ctrl+"+key, fyne.KeyName(key))
		if v.Zoom() != zoom {
			t.Errorf("Ctrl+%s gives a zoom of %v", key, v.Zoom())
		}
	}
	r.press("Ctrl+0", fyne.Key0)
	if !v.Fitting() {
		t.Error("Ctrl+0 does not fit")
	}
	r.press("M", fyne.KeyM)
	if !v.Mirrored() {
		t.Error("M does not mirror")
	}
	r.press("M", fyne.KeyM)

	overlay := func() float64 { return r.PicturePane().Look().Overlay }
	for range 12 {
		r.press("A", fyne.KeyA)
	}
	for i := range 12 {
		if want := min(float64(i)/10, 1); math.Abs(overlay()-want) > 1e-9 {
			t.Errorf("after %d times D the overlay is %v", i, overlay())
		}
		r.press("D", fyne.KeyD)
	}
	r.press("A", fyne.KeyA)
	r.Table().Run("hold.overlay")
	if overlay() != 0.9 {
		t.Errorf("while it is hidden the overlay is kept as %v", overlay())
	}
	r.Table().End("hold.overlay")
	if overlay() != 0.9 {
		t.Errorf("after it was hidden the overlay is %v", overlay())
	}
	r.press("Shift+H", fyne.KeyH)
	if !r.PicturePane().Look().Contour || !r.MaskPane().Look().Contour {
		t.Error("Shift+H does not show contours in both panes")
	}
}

// Alt picks while it is held; letting go of it, and the window losing the keyboard,
// bring the tool back.
func TestHeldPickInWindow(t *testing.T) {
	r := newRig(t, nil)
	p := r.Painter()
	for _, end := range []struct {
		name string
		do   func()
	}{
		{"letting go", func() { r.Table().End("hold.pick") }},
		{"losing the keyboard", r.Blur},
	} {
		r.Table().Run("hold.pick")
		if p.Tool().ID() != "pick" {
			t.Fatalf("Alt gives the tool %s", p.Tool().ID())
		}
		end.do()
		if p.Tool().ID() != "brush" {
			t.Errorf("after %s the tool is %s", end.name, p.Tool().ID())
		}
	}
}

// A part copied in one picture is pasted into another.
func TestCopyBetweenSeeds(t *testing.T) {
	r := newRig(t, nil)
	p := r.Painter()
	class := p.Class()
	area := r.Document().Canvas().Count(class)
	r.Table().Run("mask.copy")
	first := r.Document().Canvas().LabelsCopy()
	r.press("Ctrl+R", fyne.KeyR)
	r.wait("another picture", func() bool { return string(r.Document().Canvas().Labels().Pix) != string(first.Pix) })
	c := r.Document().Canvas()
	missing := 0
	for i, k := range first.Pix {
		if k == class && c.Labels().Pix[i] != class {
			missing++
		}
	}
	if area == 0 || missing == 0 {
		t.Fatalf("%d pixels were copied, %d of them are not in the other picture", area, missing)
	}
	r.Table().Run("mask.paste")
	p.Handle(canvas.Event{Kind: canvas.Confirm})
	for i, k := range first.Pix {
		if k == class && c.Labels().Pix[i] != class {
			t.Fatalf("pixel %d of the part did not come along", i)
		}
	}
}
