package photo_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"

	"latentbrush/canvas/photo"
)

// A PNG with transparency or 16 bits keeps both outside an edit, exactly; the edit looks
// as it did on white.
func TestPNGKeepsAll(t *testing.T) {
	const w, h = 67, 45
	for name, img := range kinds(w, h) {
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		p := decode(t, name, b.Bytes())
		if p.Preserves(photo.PNG) != photo.Exact {
			t.Errorf("%s: PNG preserves %v", name, p.Preserves(photo.PNG))
		}
		more := name == "alpha" || name == "alpha16" || name == "grey16" || name == "rgb16"
		if got := p.Preserves(photo.TIFF); got != photo.Exact && !more && name != "clear palette" || got == photo.Exact && more {
			t.Errorf("%s: TIFF preserves %v", name, got)
		}
		edited := image.NewRGBA(p.Picture.Rect)
		copy(edited.Pix, p.Picture.Pix)
		box := image.Rect(20, 10, 50, 30)
		for y := box.Min.Y; y < box.Max.Y; y++ {
			for x := box.Min.X; x < box.Max.X; x++ {
				c := p.Picture.RGBAAt(x, y)
				c.R -= c.R / 16
				edited.SetRGBA(x, y, c)
			}
		}
		b.Reset()
		if err := p.Encode(&b, edited); err != nil {
			t.Fatal(err)
		}
		back, err := png.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		again := decode(t, name, encodePNG(t, back))
		outside, off := 0, 0
		for y := range h {
			for x := range w {
				if !(image.Point{x, y}).In(box) {
					if color.NRGBA64Model.Convert(back.At(x, y)) != color.NRGBA64Model.Convert(img.At(x, y)) {
						outside++
					}
					continue
				}
				_, _, _, alpha := back.At(x, y).RGBA()
				if alpha > 0x4000 && !near(again.Picture.RGBAAt(x, y), edited.RGBAAt(x, y), 8) {
					off++
				}
			}
		}
		if outside > 0 || off > 0 {
			t.Errorf("%s: %d pixels changed outside the edit, %d of it are off", name, outside, off)
		}
	}
}

func encodePNG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
