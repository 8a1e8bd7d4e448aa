package engine

import (
	"image"
	"image/color"
	"testing"
)

func TestHalving(t *testing.T) {
	m := image.NewAlpha(image.Rect(0, 0, 4, 4))
	m.Pix[m.PixOffset(3, 1)] = 1
	h := halfMask(m)
	if h.Rect != image.Rect(0, 0, 2, 2) || h.Pix[h.PixOffset(1, 0)] == 0 || h.Pix[h.PixOffset(0, 0)]|h.Pix[h.PixOffset(0, 1)]|h.Pix[h.PixOffset(1, 1)] != 0 {
		t.Errorf("one set pixel of 4×4 is halved to %v", h.Pix)
	}
	if halfMask(nil) != nil {
		t.Error("no mask was halved to one")
	}
	palette := color.Palette{color.Black, color.White, color.Gray{9}, color.Gray{99}}
	for _, c := range []struct {
		four [4]uint8
		want uint8
	}{{[4]uint8{1, 1, 2, 3}, 1}, {[4]uint8{0, 1, 1, 2}, 1}, {[4]uint8{0, 1, 2, 1}, 1}, {[4]uint8{0, 1, 2, 2}, 2}, {[4]uint8{3, 1, 2, 0}, 3}, {[4]uint8{0, 1, 1, 0}, 0}} {
		p := image.NewPaletted(image.Rect(0, 0, 2, 2), palette)
		copy(p.Pix, c.four[:])
		if got := halfLabels(p).Pix[0]; got != c.want {
			t.Errorf("labels %v are halved to %d, want %d", c.four, got, c.want)
		}
	}
}

// A coarse picture is the fine one plus what changed, enlarged.
func TestCoarseChangesAreAdded(t *testing.T) {
	fill := func(w int, v uint8) *image.RGBA {
		p := image.NewRGBA(image.Rect(0, 0, w, w))
		for i := range p.Pix {
			p.Pix[i] = v
			if i&3 == 3 {
				p.Pix[i] = 255
			}
		}
		return p
	}
	base := fill(8, 100)
	base.Pix[0] = 7 // detail that the half size does not have
	out := addEnlarged(base, fill(4, 90), fill(4, 130))
	if out.Pix[0] != 47 || out.Pix[4] != 140 || out.Pix[3] != 255 {
		t.Errorf("a change by 40 gives %v, want 47 at the detail and 140 elsewhere", out.Pix[:8])
	}
	if out := addEnlarged(base, fill(4, 250), fill(4, 30)); out.Pix[4] != 0 {
		t.Errorf("a change by -220 gives %d, want 0", out.Pix[4])
	}
	palette := color.Palette{color.Black, color.White}
	l := image.NewPaletted(image.Rect(0, 0, 4, 4), palette)
	l.Pix[1] = 1
	before, after := image.NewPaletted(image.Rect(0, 0, 2, 2), palette), image.NewPaletted(image.Rect(0, 0, 2, 2), palette)
	after.Pix[3] = 1
	got := addDoubled(l, before, after)
	if got.Pix[1] != 1 || got.Pix[0] != 0 || got.Pix[15] != 1 || got.Pix[10] != 1 || got.Pix[9] != 0 {
		t.Errorf("labels with a coarse change are %v", got.Pix)
	}
}
