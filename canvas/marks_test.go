package canvas_test

import (
	"image"
	"image/color"
	"testing"

	"latentbrush/canvas"
)

// On the keep and free layers Alt takes marks away, elsewhere it picks a class;
// the steps are called by what was done to the layer.
func TestAltOnLayers(t *testing.T) {
	c, err := canvas.New(image.NewPaletted(image.Rect(0, 0, 60, 40), color.Palette{color.Black, color.White, color.Gray{90}}))
	if err != nil {
		t.Fatal(err)
	}
	p := canvas.NewPainter(c)
	p.SetSize(7)
	var names []string
	p.OnCommit = func(ch *canvas.Change) { names = append(names, ch.Name()) }
	press := func(alt bool, x float64) {
		at := canvas.Point{X: x, Y: 20.5}
		p.Handle(canvas.Event{Kind: canvas.Press, At: at, Alt: alt})
		p.Handle(canvas.Event{Kind: canvas.Release, At: at})
	}
	for _, layer := range []canvas.InkKind{canvas.MarkKeep, canvas.MarkFree} {
		p.Layer = layer
		if p.AltTool() != "erase" {
			t.Errorf("Alt gives %s on layer %d", p.AltTool(), layer)
		}
		press(false, 20.5)
		if c.MarkAt(20, 20) == 0 {
			t.Errorf("layer %d is not marked", layer)
		}
		press(true, 20.5)
		if m := c.MarkAt(20, 20); m != 0 {
			t.Errorf("layer %d still has marks %b", layer, m)
		}
	}
	p.Layer = canvas.Paint
	press(false, 40.5)
	p.SetClass(2)
	press(true, 40.5)
	if p.Class() != 1 {
		t.Errorf("Alt picked class %d", p.Class())
	}
	want := []string{"keep", "unmark", "free", "unmark", "brush"}
	if len(names) != len(want) {
		t.Fatalf("steps %q, want %q", names, want)
	}
	for i := range want {
		if names[i] != want[i] {
			t.Errorf("step %d is called %q, want %q", i, names[i], want[i])
		}
	}
}

// MarkPart marks exactly the pixels of the part, also while symmetry is on.
func TestMarkPart(t *testing.T) {
	m := image.NewPaletted(image.Rect(0, 0, 50, 30), color.Palette{color.Black, color.White})
	inside := func(x, y int) bool { return (x-12)*(x-12)+(y-14)*(y-14) < 60 && x != 10 }
	for y := range 30 {
		for x := range 50 {
			if inside(x, y) {
				m.SetColorIndex(x, y, 1)
			}
		}
	}
	c, err := canvas.New(m)
	if err != nil {
		t.Fatal(err)
	}
	c.Symmetry.On = true
	part, err := c.Copy(1)
	if err != nil {
		t.Fatal(err)
	}
	ch, err := c.MarkPart("keep", part, canvas.Ink{Kind: canvas.MarkKeep, Class: 1})
	if err != nil || ch == nil {
		t.Fatal(ch, err)
	}
	for y := range 30 {
		for x := range 50 {
			if got := c.MarkAt(x, y) == canvas.Keep; got != inside(x, y) {
				t.Fatalf("(%d,%d) kept is %v", x, y, got)
			}
		}
	}
}
