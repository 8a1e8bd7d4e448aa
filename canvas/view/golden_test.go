package view_test

import (
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/driver/desktop"
	"fyne.io/fyne/v2/test"

	"latentbrush/canvas"
)

// Each scene is drawn three times: what the first drawing leaves in caches must
// not show in the next. A differing image is written to testdata/failed.
func TestGolden(t *testing.T) {
	for name, arrange := range map[string]func(r *rig){
		"fit": func(r *rig) {},
		"zoom_200": func(r *rig) {
			r.stage.ZoomTo(2)
		},
		"zoom_1000_grid": func(r *rig) {
			r.stage.ZoomTo(10)
		},
		"zoom_20_smaller_level": func(r *rig) {
			r.stage.ZoomTo(0.2)
		},
		"mirrored_contour": func(r *rig) {
			r.stage.SetMirror(true)
			l := r.pair.Picture.Look()
			l.Contour, l.Overlay = true, 1
			r.pair.Picture.SetLook(l)
		},
		"ring_round": func(r *rig) {
			r.painter.SetSize(30)
			r.pair.Picture.MouseMoved(mouse(at(r.pair.Picture, 50, 60), 0, 0))
		},
		"ring_square": func(r *rig) {
			r.painter.SetSize(31)
			r.painter.Brush.Shape = canvas.Square
			r.pair.Picture.MouseMoved(mouse(at(r.pair.Picture, 50, 60), 0, 0))
		},
		"ring_diamond": func(r *rig) {
			r.painter.SetSize(30)
			r.painter.Brush.Shape = canvas.Diamond
			r.pair.Picture.MouseMoved(mouse(at(r.pair.Picture, 50, 60), 0, 0))
		},
		"polygon": func(r *rig) {
			_ = r.painter.Use("polygon")
			for _, q := range [][2]float64{{20, 70}, {60, 90}, {80, 60}} {
				stroke(r.pair.Labels, desktop.MouseButtonPrimary, 0, at(r.pair.Labels, q[0], q[1]))
			}
		},
		"move": func(r *rig) {
			_ = r.painter.Use("move")
			stroke(r.pair.Picture, desktop.MouseButtonPrimary, 0, at(r.pair.Picture, 30, 25), at(r.pair.Picture, 40, 45))
			r.pair.Picture.MouseOut()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, 100)
			r.painter.SetSize(14)
			stroke(r.pair.Picture, desktop.MouseButtonPrimary, 0, at(r.pair.Picture, 20, 20), at(r.pair.Picture, 70, 35))
			r.painter.SetClass(2)
			stroke(r.pair.Picture, desktop.MouseButtonPrimary, 0, at(r.pair.Picture, 30, 60), at(r.pair.Picture, 70, 60))
			r.painter.SetClass(3)
			r.pair.Picture.MouseOut()
			arrange(r)
			for range 3 {
				test.AssertImageMatches(t, name+".png", r.window.Canvas().Capture())
			}
		})
	}
}

// The ring's radius is half the brush times the zoom, to a pixel, as drawn.
func TestRingAsDrawn(t *testing.T) {
	r := newRig(t, 100)
	p := r.pair.Labels // black, where only the ring is light (smoothed edges make it grey)
	for _, zoom := range []float64{0.5, 1, 2, 4, 7.9} {
		for _, size := range []int{9, 20} {
			r.stage.ZoomTo(zoom)
			r.stage.Viewport().CentreOn(canvas.Point{X: 50, Y: 50})
			r.painter.SetSize(size)
			radius := float64(size) * zoom / 2
			if radius < 3 || radius > 90 {
				continue
			}
			p.MouseMoved(mouse(fyne.NewPos(100, 100), 0, 0))
			img := r.window.Canvas().Capture()
			// The middle of the light on each side, weighted by its strength.
			side := func(x0, x1 int) float64 {
				sum, weight := 0.0, 0.0
				for x := x0; x < x1; x++ {
					red, green, blue, _ := img.At(x, 100).RGBA()
					light := max(float64(min(red, green, blue)>>8)-0x30, 0) // the surround is darker
					sum, weight = sum+light*(float64(x)+0.5), weight+light
				}
				return sum / weight
			}
			got := (side(300, 400) - side(200, 300)) / 2
			if got < radius-1 || got > radius+1 {
				t.Errorf("zoom %v, size %d: the ring is drawn with radius %v, not %v", zoom, size, got, radius)
			}
		}
	}
}
