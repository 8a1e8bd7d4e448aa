package edit_test

import (
	"image"
	"testing"

	"pgregory.net/rapid"

	"latentbrush/engine/edit"
)

// Against the definition: the chessboard distance to the nearest outside pixel.
func TestComposite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 14).Draw(t, "w"), rapid.IntRange(1, 14).Draw(t, "h")
		feather := rapid.IntRange(0, 5).Draw(t, "feather")
		region := image.NewAlpha(image.Rect(0, 0, w, h))
		for i := range region.Pix {
			if rapid.IntRange(0, 7).Draw(t, "set") != 0 {
				region.Pix[i] = 255
			}
		}
		a, b := image.NewRGBA(region.Rect), image.NewRGBA(region.Rect)
		for i := range a.Pix {
			a.Pix[i], b.Pix[i] = 40, 240
		}
		got, err := edit.Composite(a, b, region, feather)
		if err != nil {
			t.Fatal(err)
		}
		for y := range h {
			for x := range w {
				d := feather + 1
				for v := range h {
					for u := range w {
						if region.Pix[v*w+u] == 0 {
							d = min(d, max(max(u-x, x-u), max(v-y, y-v)))
						}
					}
				}
				full := feather + 1
				if want := uint8((40*(full-d) + 240*d + full/2) / full); got.Pix[y*got.Stride+4*x] != want {
					t.Fatalf("pixel (%d,%d) at depth %d of %d is %d, want %d", x, y, d, full, got.Pix[y*got.Stride+4*x], want)
				}
			}
		}
	})
	if _, err := edit.Composite(image.NewRGBA(image.Rect(0, 0, 2, 2)), image.NewRGBA(image.Rect(0, 0, 2, 2)), image.NewAlpha(image.Rect(0, 0, 3, 2)), 1); err == nil {
		t.Error("pictures of another size than the region accepted")
	}
}
