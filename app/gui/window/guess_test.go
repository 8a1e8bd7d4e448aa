package window_test

import (
	"image"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"

	"latentbrush/canvas"
	"latentbrush/canvas/view"
)

// over brings the pointer over the middle of a pixel of a pane.
func (r *rig) over(p *view.Pane, x, y int) {
	at := p.PositionOf(canvas.Point{X: float64(x) + 0.5, Y: float64(y) + 0.5})
	e := &desktop.MouseEvent{PointEvent: fyne.PointEvent{Position: at}}
	p.MouseIn(e)
	p.MouseMoved(e)
}

// The model's confidence appears by itself beside class and pixel, hatches the panes
// when asked to, and goes with the picture it belongs to.
func TestConfidence(t *testing.T) {
	r := newRig(t, nil)
	r.wait("the confidence", r.GuessShown)
	p := r.MaskPane()
	r.over(p, 2, 2)
	if text := r.Readout(); !strings.Contains(text, "1.00") || !strings.Contains(text, "(2, 2)") {
		t.Errorf("in the corner the read-out says %q", text)
	}
	c := r.Document().Canvas()
	edge := image.Point{}
	for y := range 128 {
		for x := range 128 {
			if c.OnBoundary(x, y) && edge == (image.Point{}) {
				edge = image.Pt(x, y)
			}
		}
	}
	r.over(p, edge.X, edge.Y)
	if text := r.Readout(); !strings.Contains(text, "0.") || strings.Contains(text, "1.00") {
		t.Errorf("at the boundary %v the read-out says %q", edge, text)
	}
	r.Table().Run("view.doubt")
	for _, p := range r.Stage().Panes() {
		if !p.Look().Doubt {
			t.Error("a pane is not hatched")
		}
	}
	if !r.Table().Checked("view.doubt") {
		t.Error("the menu does not say that it is on")
	}
	r.press("Ctrl+R", fyne.KeyR)
	r.wait("another picture", func() bool { return !r.GuessShown() })
	r.wait("its confidence", r.GuessShown)
}

// Tab paints the area that the model nearly gave to another class, in one step.
func TestSuggestion(t *testing.T) {
	r := newRig(t, nil)
	r.wait("the guess", r.GuessShown)
	c := r.Document().Canvas()
	p := r.MaskPane()
	find := func() (x, y int) {
		for y := range 128 {
			for x := range 128 {
				if c.OnBoundary(x, y) {
					r.over(p, x, y)
					if _, ok := r.Stage().Suggestion(); ok {
						return x, y
					}
				}
			}
		}
		return -1, -1
	}
	if x, _ := find(); x >= 0 || p.AcceptsTab() {
		t.Fatal("something is suggested before it is asked for")
	}
	r.Table().Run("view.suggest")
	x, y := find()
	if x < 0 || !p.AcceptsTab() {
		t.Fatal("nothing is suggested at any boundary")
	}
	class, _ := r.Stage().Suggestion()
	was, _ := c.ClassAt(x, y)
	before := c.Count(class)
	p.KeyDown(&fyne.KeyEvent{Name: fyne.KeyTab})
	p.TypedKey(&fyne.KeyEvent{Name: fyne.KeyTab})
	if now, _ := c.ClassAt(x, y); now != class || now == was || c.Count(class) <= before {
		t.Fatalf("Tab made class %d of %d at (%d,%d), suggested was %d", now, was, x, y, class)
	}
	if label, _ := r.Document().UndoLabel(); label.Key != "suggestion" {
		t.Errorf("the history calls it %q", label.Key)
	}
	r.press("Ctrl+Z", fyne.KeyZ)
	if now, _ := c.ClassAt(x, y); now != was || c.Count(class) != before {
		t.Error("one undo does not take it back")
	}
}

// Where a run changed the picture outside of its region is coloured; a click on a
// coloured spot keeps that spot, and painting beside it goes on.
func TestLeakMap(t *testing.T) {
	r := newRig(t, nil)
	r.paintMouth()
	r.press("Ctrl+Return", fyne.KeyReturn)
	r.wait("the run", func() bool { return r.Phase() == "done" })
	r.AcceptEdit()
	r.wait("the picture", r.SameAsDocument)
	r.Table().Run("view.leak")
	if !r.PicturePane().Look().Heat || r.MaskPane().Look().Heat {
		t.Fatal("the leak is not shown on the picture alone")
	}
	m := r.Leak()
	if m == nil {
		t.Fatal("there is no leak map after a run")
	}
	spot, cold := image.Pt(-1, -1), image.Pt(-1, -1)
	for y := range 128 {
		for x := range 128 {
			switch v := m.GrayAt(x, y).Y; {
			case v >= 128:
				spot = image.Pt(x, y)
			case v == 0 && x < 20 && y < 20:
				cold = image.Pt(x, y)
			}
		}
	}
	if spot.X < 0 || cold.X < 0 {
		t.Fatalf("the puppet leaked nowhere (%v) or everywhere (%v): nothing can be clicked", spot, cold)
	}
	// The mouth was painted: what the run was asked to change is no leak.
	if v := m.GrayAt(64, 90).Y; v != 0 {
		t.Errorf("inside of the region the leak is %d", v)
	}
	c := r.Document().Canvas()
	labels := c.LabelsCopy()
	click := func(at image.Point) {
		p := r.PicturePane()
		e := &desktop.MouseEvent{
			PointEvent: fyne.PointEvent{Position: p.PositionOf(canvas.Point{X: float64(at.X) + 0.5, Y: float64(at.Y) + 0.5})},
			Button:     desktop.MouseButtonPrimary,
		}
		p.MouseIn(e)
		p.MouseDown(e)
		p.MouseUp(e)
	}
	click(spot)
	if c.MarkAt(spot.X, spot.Y)&canvas.Keep == 0 {
		t.Errorf("the spot at %v is not kept", spot)
	}
	if c.MarkAt(64, 90)&canvas.Keep != 0 {
		t.Error("what the run was asked to change is kept")
	}
	if string(labels.Pix) != string(c.Labels().Pix) {
		t.Error("the click painted")
	}
	if label, _ := r.Document().UndoLabel(); label.Key != "keep" {
		t.Errorf("the history calls it %q", label.Key)
	}
	r.Painter().SetSize(3)
	class := r.Painter().Class()
	if k, _ := c.ClassAt(cold.X, cold.Y); k == class {
		r.Painter().StepClass(1)
		class = r.Painter().Class()
	}
	click(cold)
	if k, _ := c.ClassAt(cold.X, cold.Y); k != class {
		t.Errorf("beside the leak a click paints class %d, not %d", k, class)
	}
	// Another picture has not leaked.
	r.press("Ctrl+R", fyne.KeyR)
	r.wait("another picture", func() bool { return r.Leak() != nil && r.Leak().GrayAt(spot.X, spot.Y).Y == 0 })
}

// Snapping goes through its reaches on the option bar, and its action switches it.
func TestSnapOption(t *testing.T) {
	r := newRig(t, nil)
	r.Table().Run("mask.snap")
	if r.Painter().Snap == 0 || !r.Table().Checked("mask.snap") {
		t.Error("the action does not switch snapping on")
	}
	r.Table().Run("mask.snap")
	if r.Painter().Snap != 0 {
		t.Error("the action does not switch snapping off")
	}
}
