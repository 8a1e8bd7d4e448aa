package window_test

import (
	"image"
	"image/color"
	"strings"
	"testing"

	"latentbrush/app/gui/control"
	"latentbrush/app/gui/golden"
	"latentbrush/app/gui/look"
	"latentbrush/assets/portrait"
	"latentbrush/canvas"
	"latentbrush/engine/latent"
)

// looks are the variants and languages that the window is drawn in; the tag is part of the file's name.
var looks = []struct {
	variant look.Variant
	lang    string
}{{look.Dark, "en"}, {look.Light, "en"}, {look.Dark, "ja"}, {look.Light, "ja"}}

// stillRig is a window with a painted stroke, two edits and nothing going on.
func stillRig(t *testing.T) *rig {
	r := newRig(t, nil)
	r.do(func() { r.Painter().SetClass(portrait.Hair) })
	r.do(func() {
		d := r.Document()
		for i, name := range []string{"Wider mouth", "Longer hair"} {
			delta := latent.New(d.Code().Rows, d.Code().Dim)
			for row := range delta.Rows {
				delta.Row(row)[i*3] = 0.4
			}
			if _, err := d.AddDelta(name, delta, []uint8{portrait.Hair}); err != nil {
				t.Fatal(err)
			}
		}
	})
	r.wait("the pictures", func() bool { return r.Still() })
	r.stroke(canvas.Point{X: 40, Y: 30}, canvas.Point{X: 64, Y: 26}, canvas.Point{X: 90, Y: 32})
	return r
}

// TestWindowGoldens draws the whole window in every variant and language.
func TestWindowGoldens(t *testing.T) {
	r := stillRig(t)
	for _, l := range looks {
		r.do(func() { r.Dress(l.variant, l.lang) })
		r.wait("the thumbnails", func() bool { return r.Still() })
		var img image.Image
		r.do(func() {
			r.Calm()
			img = r.Fyne().Canvas().Capture()
		})
		golden.Compare(t, "window-"+string(l.variant)+"-"+l.lang, half(img))
	}
}

// TestSheetGoldens draws the sheets that ask and show things, in the variants that differ most.
func TestSheetGoldens(t *testing.T) {
	r := stillRig(t)
	for _, l := range []int{0, 3} {
		r.do(func() { r.Dress(looks[l].variant, looks[l].lang) })
		for _, id := range []string{"help.keys", "file.export", "file.sheet", "file.timelapse", "file.card", "file.settings"} {
			var img image.Image
			r.do(func() {
				r.Calm()
				r.Table().Run(id)
				s := control.TopSheet()
				if s == nil {
					t.Fatalf("%s opens no sheet", id)
				}
				r.Fyne().Canvas().Unfocus()
				img = r.CaptureSheet(s)
				s.Close()
			})
			if img.Bounds().Dx() > 1000 {
				img = half(img)
			}
			golden.Compare(t, "sheet-"+strings.ReplaceAll(id, ".", "-")+"-"+string(looks[l].variant)+"-"+looks[l].lang, img)
		}
	}
}

// half is a picture at half its size, each pixel the mean of four, which keeps the files small and shows as much.
func half(img image.Image) image.Image {
	b := img.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx()/2, b.Dy()/2))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			var sum [3]uint32
			for i := range 4 {
				r, g, bl, _ := img.At(b.Min.X+2*x+i%2, b.Min.Y+2*y+i/2).RGBA()
				for k, v := range []uint32{r, g, bl} {
					sum[k] += v >> 8
				}
			}
			out.SetRGBA(x, y, color.RGBA{uint8(sum[0] / 4), uint8(sum[1] / 4), uint8(sum[2] / 4), 255})
		}
	}
	return out
}
