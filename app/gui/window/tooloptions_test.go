package window_test

import (
	"testing"

	"latentbrush/canvas"
)

func marks(c *canvas.Canvas, m canvas.Mark) (n int) {
	for _, v := range c.Marks().Pix {
		if canvas.Mark(v)&m != 0 {
			n++
		}
	}
	return n
}

// The keep region is painted like a mask, erased with Alt and with the eraser, and
// seen on both panes while its tool is chosen.
func TestKeepRegionTool(t *testing.T) {
	r := newRig(t, nil)
	p, c := r.Painter(), r.Document().Canvas()
	p.SetSize(11)
	stroke := func(alt bool, x0, x1 float64) {
		p.Handle(canvas.Event{Kind: canvas.Press, At: canvas.Point{X: x0, Y: 40}, Alt: alt})
		p.Handle(canvas.Event{Kind: canvas.Drag, At: canvas.Point{X: x1, Y: 40}})
		p.Handle(canvas.Event{Kind: canvas.Release, At: canvas.Point{X: x1, Y: 40}})
	}
	painted := c.Count(p.Class())
	r.Table().Run("tool.keep")
	if !r.PicturePane().Look().Region || !r.MaskPane().Look().Region {
		t.Error("the layer is not seen on both panes")
	}
	stroke(false, 20, 100)
	full := marks(c, canvas.Keep)
	if full < 80*11 {
		t.Fatalf("%d pixels are kept", full)
	}
	stroke(true, 60, 120)
	half := marks(c, canvas.Keep)
	if half >= full || half == 0 {
		t.Errorf("with Alt %d of %d pixels are left", half, full)
	}
	r.Table().Run("tool.erase")
	if p.Layer != canvas.MarkKeep {
		t.Error("the eraser left the layer")
	}
	stroke(false, 20, 120)
	if n := marks(c, canvas.Keep); n != 0 {
		t.Errorf("the eraser left %d pixels", n)
	}
	if label, _ := r.Document().UndoLabel(); label.Key != "unmark" {
		t.Errorf("the history calls it %q", label.Key)
	}
	r.Table().Run("tool.erase")
	if p.Layer != canvas.Paint {
		t.Error("the eraser chosen again is not the ordinary one")
	}
	r.Table().Run("tool.brush")
	if r.PicturePane().Look().Region {
		t.Error("the picture is still hatched")
	}
	if n := c.Count(p.Class()); n != painted {
		t.Errorf("marking changed the class: %d pixels, not %d", n, painted)
	}
}

// Each tool shows its own options, and the brush its size only where it counts.
func TestToolOptions(t *testing.T) {
	r := newRig(t, nil)
	for tool, want := range map[string]int{"brush": 2, "fill": 1, "smooth": 1, "move": 1, "lasso": 1, "polygon": 1, "rectangle": 0, "keep": 8, "region": 8, "hand": 0} {
		r.Table().Run("tool." + tool)
		if got := r.Options(); len(got) != want {
			t.Errorf("%s shows %v", tool, got)
		}
	}
}

// A part is copied, comes into the hand of the move tool, and lands where it is put.
func TestCopyAndPastePart(t *testing.T) {
	r := newRig(t, nil)
	p, c := r.Painter(), r.Document().Canvas()
	class := p.Class()
	before := c.Count(class)
	if before == 0 {
		t.Fatal("nothing to copy")
	}
	r.Table().Run("mask.copy")
	if r.Copied() < before {
		t.Fatalf("%d of %d pixels copied", r.Copied(), before)
	}
	r.Table().Run("mask.paste")
	if p.Chosen().ID() != "move" || len(p.Outline()) == 0 {
		t.Fatalf("the tool is %s with %d outlines", p.Chosen().ID(), len(p.Outline()))
	}
	if got := r.Options(); len(got) != 3 {
		t.Errorf("with a part in hand the bar shows %v", got)
	}
	p.Nudge(0, 30)
	p.Handle(canvas.Event{Kind: canvas.Confirm})
	if n := c.Count(class); n <= before {
		t.Errorf("%d pixels of the class after pasting, %d before", n, before)
	}
}
