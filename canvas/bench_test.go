package canvas_test

import (
	"image"
	"math"
	"testing"

	"latentbrush/canvas"
)

func TestMeasure(t *testing.T) {
	figures, err := canvas.Measure()
	if err != nil {
		t.Fatal(err)
	}
	if len(figures) != 3 {
		t.Errorf("%d figures", len(figures))
	}
	for _, f := range figures {
		t.Logf("%s %.3f (goal %v)", f.Name, f.Value, f.Goal)
		if f.Value <= 0 {
			t.Errorf("%s is %v", f.Name, f.Value)
		}
	}
}

// One stroke event of radius 64 on 1024², to changed pixels.
func BenchmarkStrokeEvent(b *testing.B) {
	e := newEasel(b, blank(1024, 1024))
	e.SetSize(128)
	e.send(canvas.Press, 862, 512)
	for i := 0; b.Loop(); i++ {
		sin, cos := math.Sincos(float64(i) / 20)
		e.send(canvas.Drag, 512+350*cos, 512+350*sin)
	}
}

// The largest brush across the picture in one event.
func BenchmarkStrokeFlick(b *testing.B) {
	e := newEasel(b, blank(1024, 1024))
	e.SetSize(canvas.MaxBrush)
	e.send(canvas.Press, 0, 512)
	for i := 0; b.Loop(); i++ {
		e.send(canvas.Drag, float64(1024*((i+1)%2)), 512)
	}
}

func BenchmarkFill(b *testing.B) {
	c := newCanvas(b, blank(1024, 1024))
	for i := 0; b.Loop(); i++ {
		c.Fill("fill", 3, 3, canvas.Ink{Class: uint8(i%7) + 1}, false)
	}
}

func BenchmarkUndoRedo(b *testing.B) {
	e := newEasel(b, blank(1024, 1024))
	e.SetSize(canvas.MaxBrush)
	e.drag(pts(0, 256, 1024, 256, 1024, 768, 0, 768))
	for b.Loop() {
		if _, err := e.hist.Undo(e.c); err != nil {
			b.Fatal(err)
		}
		if _, err := e.hist.Redo(e.c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkComposite(b *testing.B) {
	k, _ := scene(b, 1024, 1024)
	m := image.NewRGBA(image.Rect(0, 0, 1024, 1024))
	for _, v := range []struct {
		name  string
		look  canvas.Look
		level int
	}{
		{"overlay", canvas.Look{Overlay: 0.5}, 0},
		{"region", canvas.Look{Overlay: 0.5, Region: true}, 0},
		{"contour", canvas.Look{Overlay: 1, Contour: true}, 0},
		{"quarter", canvas.Look{Overlay: 0.5}, 2},
	} {
		b.Run(v.name, func(b *testing.B) {
			k.SetLook(v.look)
			for b.Loop() {
				k.Draw(m, image.Point{}, image.Rectangle{Max: k.Size(v.level)}, v.level)
			}
		})
	}
}

func BenchmarkExpand(b *testing.B) {
	k, e := scene(b, 1024, 1024)
	_ = k
	for b.Loop() {
		ch, err := e.c.Expand("expand", 4, 8, canvas.Box)
		if err != nil {
			b.Fatal(err)
		}
		if err := ch.Revert(e.c); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSmoothBrush(b *testing.B) {
	_, e := scene(b, 1024, 1024)
	e.use(b, "smooth")
	e.SetSize(64)
	e.send(canvas.Press, 862, 512)
	for i := 0; b.Loop(); i++ {
		sin, cos := math.Sincos(float64(i) / 20)
		e.send(canvas.Drag, 512+350*cos, 512+350*sin)
	}
}
