package metrics_test

import (
	"image"
	"image/color"
	"math"
	"testing"

	"latentbrush/engine/metrics"
)

var palette = color.Palette{color.Black, color.White, color.Gray{128}}

func labels(rows ...string) *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, len(rows[0]), len(rows)), palette)
	for y, r := range rows {
		for x, c := range r {
			m.Pix[y*m.Stride+x] = uint8(c - '0')
		}
	}
	return m
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestOverlapsAndMeanIoU(t *testing.T) {
	got := labels("0011", "0011")
	want := labels("0111", "0011")
	o := metrics.Overlaps(got, want, nil, 3)
	near(t, "IoU of 0", o[0].IoU(), 3.0/4)
	near(t, "IoU of 1", o[1].IoU(), 4.0/5)
	if !math.IsNaN(o[2].IoU()) {
		t.Errorf("an absent class has IoU %v, want NaN", o[2].IoU())
	}
	if m := metrics.MeanIoU(o); math.Abs(m-(0.75+0.8)/3) > 1e-6 {
		t.Errorf("mean IoU is %v, want the absent class to count 0", m)
	}
	near(t, "agreement", metrics.Agreement(got, want, nil), 7.0/8)
}

func TestRegionLimits(t *testing.T) {
	got, want := labels("0011"), labels("1011")
	region := image.NewAlpha(image.Rect(0, 0, 4, 1))
	region.Pix[2], region.Pix[3] = 255, 255
	near(t, "agreement in the region", metrics.Agreement(got, want, region), 1)
	near(t, "agreement in an empty region", metrics.Agreement(got, want, image.NewAlpha(region.Rect)), 1)
}

func TestBoundaryF1(t *testing.T) {
	want := labels("000000", "011100", "011100", "011100", "000000")
	moved := labels("000000", "001110", "001110", "001110", "000000")
	near(t, "F1 of itself", metrics.BoundaryF1(want, want, nil, 1, 0), 1)
	near(t, "F1 of a shift within tolerance", metrics.BoundaryF1(moved, want, nil, 1, 1), 1)
	// Of the eight boundary pixels of each 3×3 square, four fall on a boundary pixel
	// of the other when they are one pixel apart.
	near(t, "F1 of a shift", metrics.BoundaryF1(moved, want, nil, 1, 0), 4.0/8)
	if !math.IsNaN(metrics.BoundaryF1(want, want, nil, 2, 1)) {
		t.Error("a class without a boundary should have no score")
	}
}

func TestLeakPSNR(t *testing.T) {
	a := image.NewRGBA(image.Rect(0, 0, 4, 1))
	b := image.NewRGBA(a.Rect)
	region := image.NewAlpha(a.Rect)
	region.Pix[0] = 255
	b.Pix[0] = 100 // inside
	b.Pix[4] = 9   // outside
	leak := metrics.LeakOutside(a, b, region)
	near(t, "mean leak", leak.Mean, 1)
	near(t, "share", leak.Share, 1.0/3)
	near(t, "leak PSNR", leak.PSNR, 10*math.Log10(255*255/9.0))
	near(t, "PSNR", metrics.PSNR(a, b, nil), 10*math.Log10(255*255/(10081.0/12)))
	if !math.IsInf(metrics.PSNR(a, a, nil), 1) {
		t.Error("PSNR of equal pictures should be +Inf")
	}
	if l := metrics.LeakOutside(a, b, nil); l.Mean != 0 || !math.IsInf(l.PSNR, 1) {
		t.Errorf("a nil region has no outside, but the leak is %+v", l)
	}
}

func TestSeam(t *testing.T) {
	flat := image.NewRGBA(image.Rect(0, 0, 16, 16))
	edged := image.NewRGBA(flat.Rect)
	region := image.NewAlpha(flat.Rect)
	for y := 4; y < 12; y++ {
		for x := 4; x < 12; x++ {
			region.Pix[y*16+x] = 255
			for c := range 3 {
				edged.Pix[y*edged.Stride+4*x+c] = 200
			}
		}
	}
	near(t, "seam of nothing", metrics.Seam(flat, flat, region), 0)
	if s := metrics.Seam(flat, edged, region); s < 10 {
		t.Errorf("a hard edge has seam %v, want at least 10", s)
	}
}
