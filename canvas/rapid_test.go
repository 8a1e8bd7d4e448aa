package canvas_test

import (
	"bytes"
	"errors"
	"image"
	"math"
	"testing"

	"pgregory.net/rapid"

	"latentbrush/canvas"
)

// Random walks over every way of changing a canvas, shrunk to the shortest when
// one fails: undo and redo lead to the very pixels, counts stay right, nothing
// stays open, and a canvas opened from the kept state goes on as this one.
func TestWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 90).Draw(t, "w"), rapid.IntRange(1, 90).Draw(t, "h")
		c, err := canvas.New(image.NewPaletted(image.Rect(0, 0, w, h), palette))
		if err != nil {
			t.Fatal(err)
		}
		p := canvas.NewPainter(c)
		hist := canvas.NewHistory()
		states := [][]byte{pixels(c)}
		p.OnCommit = func(ch *canvas.Change) {
			undo, _ := hist.Len()
			hist.Push(ch)
			states = append(states[:undo+1], pixels(c))
		}
		class := rapid.Uint8Range(0, 7)
		place := func() canvas.Point {
			return canvas.Point{
				X: rapid.Float64Range(-30, float64(w)+30).Draw(t, "x"),
				Y: rapid.Float64Range(-30, float64(h)+30).Draw(t, "y"),
			}
		}
		deliver := func(ch *canvas.Change, err error) {
			if err != nil && !errors.Is(err, canvas.ErrNoPart) {
				t.Fatal(err)
			}
			p.Deliver(ch)
		}
		ids := []string{"brush", "erase", "fill", "pick", "polygon", "lasso", "rectangle", "ellipse", "outline", "smooth", "move"}
		t.Repeat(map[string]func(*rapid.T){
			"tool": func(t *rapid.T) {
				if err := p.Use(rapid.SampledFrom(ids).Draw(t, "tool")); err != nil {
					t.Fatal(err)
				}
				p.SetClass(class.Draw(t, "class"))
				p.SetSize(rapid.IntRange(1, 60).Draw(t, "size"))
				p.Brush.Shape = canvas.Shape(rapid.IntRange(0, 2).Draw(t, "shape"))
			},
			"event": func(t *rapid.T) {
				p.Handle(canvas.Event{
					Kind:   canvas.EventKind(rapid.IntRange(0, int(canvas.Leave)).Draw(t, "kind")),
					At:     place(),
					Button: canvas.Button(rapid.IntRange(0, 1).Draw(t, "button")),
					Shift:  rapid.Bool().Draw(t, "shift"),
					Ctrl:   rapid.Bool().Draw(t, "ctrl"),
					Alt:    rapid.Bool().Draw(t, "alt"),
					Slack:  2,
				})
			},
			"protect": func(t *rapid.T) {
				k := class.Draw(t, "class")
				c.Protection.Locked[k] = !c.Protection.Locked[k]
				c.Protection.PreserveOthers = rapid.Bool().Draw(t, "preserve")
				c.Symmetry.On = rapid.Bool().Draw(t, "symmetry")
				c.Symmetry.Sum = rapid.IntRange(-5, 2*w+5).Draw(t, "sum")
				c.Symmetry.Pair(1, k)
			},
			"reshape": func(t *rapid.T) {
				p.Cancel()
				k, n := class.Draw(t, "class"), rapid.IntRange(1, 9).Draw(t, "n")
				switch rapid.IntRange(0, 4).Draw(t, "which") {
				case 0:
					deliver(c.Expand("expand", k, n, canvas.Box))
				case 1:
					deliver(c.Shrink("shrink", k, n, canvas.Cross))
				case 2:
					deliver(c.Smooth("smooth", k, n, canvas.Filter(n%3)))
				case 3:
					deliver(c.RemoveIslands("islands", k, n))
				case 4:
					deliver(c.FillHoles("holes", k, n))
				}
			},
			"undo": func(t *rapid.T) {
				p.Cancel()
				if _, err := hist.Undo(c); err != nil && !errors.Is(err, canvas.ErrNoStep) {
					t.Fatal(err)
				}
			},
			"redo": func(t *rapid.T) {
				p.Cancel()
				if _, err := hist.Redo(c); err != nil && !errors.Is(err, canvas.ErrNoStep) {
					t.Fatal(err)
				}
			},
			"": func(t *rapid.T) {
				var counts [256]int
				for _, k := range c.Labels().Pix {
					counts[k]++
				}
				for k, n := range counts {
					if c.Count(uint8(k)) != n {
						t.Fatalf("class %d: count %d, %d pixels", k, c.Count(uint8(k)), n)
					}
				}
				if c.Editing() {
					return
				}
				undo, _ := hist.Len()
				if !bytes.Equal(states[undo], pixels(c)) {
					t.Fatalf("the pixels are not those after %d changes", undo)
				}
				again, err := canvas.FromState(c.State())
				if err != nil || !bytes.Equal(pixels(again), pixels(c)) || again.Revision() != c.Revision() {
					t.Fatalf("the kept state opens as another canvas: %v", err)
				}
			},
		})
	})
}

// Whatever the view, a place goes to the pane and back, zooming keeps the place
// under the pointer, and the picture stays in sight.
func TestViewport(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := image.Pt(rapid.IntRange(1, 2000).Draw(t, "w"), rapid.IntRange(1, 2000).Draw(t, "h"))
		pane := canvas.Point{X: float64(rapid.IntRange(64, 2000).Draw(t, "pw")), Y: float64(rapid.IntRange(64, 2000).Draw(t, "ph"))}
		v := canvas.NewViewport(size)
		v.Fit(pane)
		in := func(name string, lo, hi float64) float64 { return rapid.Float64Range(lo, hi).Draw(t, name) }
		// Steps about one place hold what was seen there at the first of them: the view
		// is on whole screen pixels, and half of one is much after twenty steps in.
		var held struct {
			at, place, centre canvas.Point
			zoom              float64
		}
		t.Repeat(map[string]func(*rapid.T){
			"zoom": func(t *rapid.T) {
				// A place of the pane that shows the picture.
				at := canvas.Point{X: math.Floor(in("x", 0, pane.X-1)) + 0.5, Y: math.Floor(in("y", 0, pane.Y-1)) + 0.5}
				p := v.ToPicture(at, pane)
				if p.X < 0 || p.Y < 0 || p.X > float64(size.X) || p.Y > float64(size.Y) {
					return
				}
				if held.at == at && held.centre == v.Centre() && held.zoom == v.Zoom() {
					p = held.place
				}
				n := rapid.IntRange(-20, 20).Draw(t, "n")
				v.Step(n, at, pane)
				held.at, held.place, held.centre, held.zoom = at, p, v.Centre(), v.Zoom()
				q := v.ToPane(p, pane)
				if math.Abs(q.X-at.X) >= 1.01 || math.Abs(q.Y-at.Y) >= 1.01 {
					t.Fatalf("the place under the pointer went from %v to %v", at, q)
				}
			},
			"pan":    func(t *rapid.T) { v.Pan(in("dx", -3000, 3000), in("dy", -3000, 3000), pane) },
			"mirror": func(t *rapid.T) { v.SetMirror(!v.Mirrored()); held.at = canvas.Point{} },
			"exact": func(t *rapid.T) {
				z := rapid.SampledFrom([]float64{1, 2, 4, 8}).Draw(t, "zoom")
				if v.ZoomTo(z, canvas.Point{}, pane); v.Zoom() != z {
					t.Fatalf("zoom %v", v.Zoom())
				}
			},
			"fit": func(t *rapid.T) {
				v.Fit(pane)
				a, b := v.ToPane(canvas.Point{}, pane), v.ToPane(canvas.Point{X: float64(size.X), Y: float64(size.Y)}, pane)
				if v.Zoom() > canvas.MinZoom && (min(a.X, b.X) < -1 || max(a.X, b.X) > pane.X+1 || a.Y < -1 || b.Y > pane.Y+1) {
					t.Fatalf("fitted to %v, %v in %v", a, b, pane)
				}
			},
			"": func(t *rapid.T) {
				if v.Zoom() < canvas.MinZoom || v.Zoom() > canvas.MaxZoom {
					t.Fatalf("zoom %v", v.Zoom())
				}
				if v.Visible(pane).Empty() {
					t.Fatalf("nothing of the picture is in sight at zoom %v, centre %v", v.Zoom(), v.Centre())
				}
				x, y := rapid.IntRange(0, size.X-1).Draw(t, "px"), rapid.IntRange(0, size.Y-1).Draw(t, "py")
				p := canvas.Point{X: float64(x) + 0.5, Y: float64(y) + 0.5}
				q := v.ToPicture(v.ToPane(p, pane), pane)
				if math.Abs(q.X-p.X) > 1e-6 || math.Abs(q.Y-p.Y) > 1e-6 {
					t.Fatalf("%v comes back as %v", p, q)
				}
			},
		})
	})
}
