package photo_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"

	"latentbrush/canvas/photo"
)

// direct solves the same equations densely, one channel.
func direct(t *testing.T, w, h int, free []bool, v []float32, channel int) []float64 {
	t.Helper()
	n := w * h
	a, b := mat.NewDense(n, n, nil), mat.NewVecDense(n, nil)
	for y := range h {
		for x := range w {
			k := y*w + x
			if !free[k] {
				a.Set(k, k, 1)
				b.SetVec(k, float64(v[3*k+channel]))
				continue
			}
			for _, d := range [4][2]int{{-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
				i, j := x+d[0], y+d[1]
				if i >= 0 && j >= 0 && i < w && j < h {
					a.Set(k, k, a.At(k, k)-1)
					a.Set(k, j*w+i, a.At(k, j*w+i)+1)
				}
			}
		}
	}
	var x mat.VecDense
	if err := x.SolveVec(a, b); err != nil {
		t.Fatal(err)
	}
	return x.RawVector().Data
}

// shapes of free cells.
var shapes = map[string]func(x, y, w, h int) bool{
	"box":  func(x, y, w, h int) bool { return x > 0 && y > 0 && x < w-1 && y < h-1 },
	"disc": func(x, y, w, h int) bool { return (2*x-w)*(2*x-w)+(2*y-h)*(2*y-h) < w*h*7/10 },
	"ring": func(x, y, w, h int) bool {
		r := (2*x-w)*(2*x-w) + (2*y-h)*(2*y-h)
		return r < w*h*7/10 && r > w*h/8
	},
	// Free up to two edges of the grid, through which nothing flows.
	"corner": func(x, y, w, h int) bool { return x < w-3 && y < h-4 },
	"thin":   func(x, y, w, h int) bool { return (x+y)%5 < 2 },
	"point":  func(x, y, w, h int) bool { return x == w/2 && y == h/2 },
}

// Multigrid agrees with a direct solution on every shape and size.
func TestMembraneIsTheDirectSolution(t *testing.T) {
	for name, shape := range shapes {
		for _, size := range [][2]int{{5, 4}, {16, 16}, {23, 17}, {24, 13}} {
			w, h := size[0], size[1]
			r := rand.New(rand.NewPCG(uint64(w), uint64(h)))
			free, v := make([]bool, w*h), make([]float32, 3*w*h)
			for k := range free {
				free[k] = shape(k%w, k/w, w, h)
				for c := range 3 {
					if !free[k] {
						v[3*k+c] = float32(40*r.NormFloat64() + 3*float64(k%w))
					}
				}
			}
			given := append([]float32(nil), v...)
			cycles := photo.SolveMembrane(w, h, free, v, 1e-4)
			worst := 0.0
			for c := range 3 {
				for k, want := range direct(t, w, h, free, given, c) {
					worst = max(worst, math.Abs(want-float64(v[3*k+c])))
				}
			}
			if worst > 2e-3 || cycles > 25 {
				t.Errorf("%s %d×%d: %.2g levels off after %d cycles", name, w, h, worst, cycles)
			}
		}
	}
}

func noisy(w, h int, seed uint64) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	r := rand.New(rand.NewPCG(seed, 1))
	for y := range h {
		for x := range w {
			v := 90 + 40*math.Sin(float64(x)/17) + 30*math.Cos(float64(y)/23)
			n := uint8(v + 20*r.Float64())
			img.SetRGBA(x, y, color.RGBA{n, n / 2, 255 - n, 255})
		}
	}
	return img
}

// edit of a 64×48 picture: a smooth bump inside a disc.
func bump(before *image.RGBA, lift int) (*image.RGBA, *image.Alpha) {
	after, region := image.NewRGBA(before.Rect), image.NewAlpha(before.Rect)
	copy(after.Pix, before.Pix)
	for y := range before.Rect.Dy() {
		for x := range before.Rect.Dx() {
			d := math.Hypot(float64(x)-32, float64(y)-24)
			if d > 14 {
				continue
			}
			region.SetAlpha(x, y, color.Alpha{255})
			c := before.RGBAAt(x, y)
			f := float64(lift) * (1 - d/14)
			c.R = uint8(min(255, float64(c.R)+f))
			after.SetRGBA(x, y, c)
		}
	}
	return after, region
}

// What is not in the region is the photo, byte for byte, for turned boxes and boxes
// that hang over the photo's edge, too; inside, the change arrives.
func TestPaste(t *testing.T) {
	shot := noisy(400, 300, 3)
	for name, c := range map[string]photo.Crop{
		"upright": {X: 190, Y: 150, Width: 256},
		"turned":  {X: 190, Y: 150, Width: 200, Angle: 0.3},
		"over":    {X: 20, Y: 30, Width: 300, Angle: -0.2},
		"small":   {X: 200, Y: 100, Width: 30},
	} {
		for _, replace := range []bool{false, true} {
			before, err := c.Cut(shot, 64, 48)
			if err != nil {
				t.Fatal(err)
			}
			after, region := bump(before, 60)
			kept := bytes.Clone(shot.Pix)
			out, box, err := photo.Paste(shot, c, before, after, region, photo.PasteOptions{Replace: replace})
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(kept, shot.Pix) {
				t.Fatalf("%s: the photo itself changed", name)
			}
			a := c.Align(64, 48)
			scale := c.Width / 64
			cx, cy := a[0]*32+a[1]*24+a[2], a[3]*32+a[4]*24+a[5]
			changed, outside, centre := 0, 0, 0.0
			for y := range 300 {
				for x := range 400 {
					p, q := out.RGBAAt(x, y), shot.RGBAAt(x, y)
					if p == q {
						continue
					}
					changed++
					d := math.Hypot(float64(x)+0.5-cx, float64(y)+0.5-cy) / scale
					if d > 15.5 || !(image.Point{x, y}).In(box) {
						outside++
					}
					if d < 3 {
						centre = max(centre, float64(p.R)-float64(q.R))
					}
				}
			}
			if outside > 0 || changed == 0 {
				t.Errorf("%s, replace %v: %d pixels changed, %d outside the region", name, replace, changed, outside)
			}
			if name != "over" && (centre < 45 || centre > 95) {
				t.Errorf("%s, replace %v: the centre rose by %v, want about 55", name, replace, centre)
			}
		}
	}
}

// An even change of the whole region, which a plain copy would show as a step, has no
// seam: the gradient of an even change is zero, so nothing is left of it.
func TestPasteHasNoSeam(t *testing.T) {
	shot := noisy(300, 300, 5)
	c := photo.Crop{X: 150, Y: 150, Width: 256}
	before, err := c.Cut(shot, 64, 48)
	if err != nil {
		t.Fatal(err)
	}
	after, region := bump(before, 0)
	for i := range after.Pix {
		if i%4 == 0 {
			after.Pix[i] += 30
		}
	}
	out, _, err := photo.Paste(shot, c, before, after, region, photo.PasteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range out.Pix {
		if d := int(v) - int(shot.Pix[i]); d > 1 || d < -1 {
			t.Fatalf("pixel %d changed by %d levels", i/4, d)
		}
	}
}

func TestPasteRefuses(t *testing.T) {
	shot := noisy(40, 30, 1)
	before := noisy(64, 48, 2)
	after, region := bump(before, 9)
	for name, f := range map[string]func() error{
		"no width": func() error {
			_, _, err := photo.Paste(shot, photo.Crop{}, before, after, region, photo.PasteOptions{})
			return err
		},
		"not a number": func() error {
			_, _, err := photo.Paste(shot, photo.Crop{X: math.NaN(), Width: 3}, before, after, region, photo.PasteOptions{})
			return err
		},
		"sizes": func() error {
			_, _, err := photo.Paste(shot, photo.Crop{Width: 9}, before, shot, region, photo.PasteOptions{})
			return err
		},
	} {
		if f() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	out, box, err := photo.Paste(shot, photo.Crop{X: 20, Y: 15, Width: 30}, before, after, image.NewAlpha(before.Rect), photo.PasteOptions{})
	if err != nil || !box.Empty() || !bytes.Equal(out.Pix, shot.Pix) {
		t.Errorf("an empty region: box %v, error %v", box, err)
	}
}

// A box at the photo's own pixels is the photo; a large one is its average.
func TestCut(t *testing.T) {
	shot := noisy(200, 160, 9)
	c := photo.Crop{X: 80, Y: 60, Width: 64}
	got, err := c.Cut(shot, 64, 48)
	if err != nil {
		t.Fatal(err)
	}
	for y := range 48 {
		for x := range 64 {
			if got.RGBAAt(x, y) != shot.RGBAAt(48+x, 36+y) {
				t.Fatalf("pixel (%d, %d) is %v, want %v", x, y, got.RGBAAt(x, y), shot.RGBAAt(48+x, 36+y))
			}
		}
	}
	// A linear ramp is reproduced by any scale and angle away from the edges.
	ramp := image.NewRGBA(image.Rect(0, 0, 400, 400))
	for y := range 400 {
		for x := range 400 {
			ramp.SetRGBA(x, y, color.RGBA{uint8(x / 2), uint8(y / 2), uint8((x + y) / 4), 255})
		}
	}
	for _, c := range []photo.Crop{{X: 200, Y: 200, Width: 237, Angle: 0.4}, {X: 190, Y: 210, Width: 90}, {X: 200, Y: 190, Width: 21, Angle: -1}} {
		got, err := c.Cut(ramp, 32, 32)
		if err != nil {
			t.Fatal(err)
		}
		a := c.Align(32, 32)
		for y := range 32 {
			for x := range 32 {
				px := a[0]*(float64(x)+.5) + a[1]*(float64(y)+.5) + a[2]
				py := a[3]*(float64(x)+.5) + a[4]*(float64(y)+.5) + a[5]
				p := got.RGBAAt(x, y)
				if math.Abs(float64(p.R)-px/2) > 1.2 || math.Abs(float64(p.G)-py/2) > 1.2 {
					t.Fatalf("%v: pixel (%d, %d) is %v, want %.1f, %.1f", c, x, y, p, px/2, py/2)
				}
			}
		}
		back := photo.AlignedCrop(a, 32, 32)
		if math.Abs(back.X-c.X)+math.Abs(back.Y-c.Y)+math.Abs(back.Width-c.Width)+math.Abs(back.Angle-c.Angle) > 1e-9 {
			t.Errorf("%v came back as %v", c, back)
		}
	}
	// One pixel, and a box beside the photo.
	dot := image.NewRGBA(image.Rect(0, 0, 1, 1))
	dot.SetRGBA(0, 0, color.RGBA{9, 8, 7, 255})
	for _, c := range []photo.Crop{photo.Middle(dot, 32, 32), {X: 9, Y: 9, Width: 2}} {
		got, err := c.Cut(dot, 32, 32)
		if err != nil {
			t.Fatal(err)
		}
		if got.RGBAAt(5, 30) != (color.RGBA{9, 8, 7, 255}) {
			t.Errorf("%v of one pixel is %v", c, got.RGBAAt(5, 30))
		}
	}
}

// The box is found where the score says: here how far the mean colour is from a red
// square's, and how much of the box it fills.
func TestPropose(t *testing.T) {
	shot := noisy(600, 400, 4)
	for y := 150; y < 330; y++ {
		for x := 330; x < 510; x++ {
			shot.SetRGBA(x, y, color.RGBA{255, 0, 0, 255})
		}
	}
	scored := 0
	c, v, err := photo.Propose(context.Background(), shot, 32, 32, photo.Search{}, func(_ context.Context, img *image.RGBA) (float64, error) {
		scored++
		sum := 0.0
		for y := range 32 {
			for x := range 32 {
				inside := x >= 4 && y >= 4 && x < 28 && y < 28
				if red := img.RGBAAt(x, y).G < 30; red != inside {
					sum++
				}
			}
		}
		return sum, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if scored > 180 || math.Hypot(c.X-420, c.Y-240) > 6 || c.Width < 225 || c.Width > 255 {
		t.Errorf("%d boxes, best %+v with %v, want one at (420, 240), 240 wide", scored, c, v)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := photo.Propose(ctx, shot, 32, 32, photo.Search{}, nil); err == nil {
		t.Error("a cancelled search gave no error")
	}
}

// A 12-megapixel photo with a box of 2400² and a region of half of it.
func BenchmarkPaste(b *testing.B) {
	shot := image.NewRGBA(image.Rect(0, 0, 4000, 3000))
	for i := range shot.Pix {
		shot.Pix[i] = uint8(i*7 + i>>9)
		if i%4 == 3 {
			shot.Pix[i] = 255
		}
	}
	before := noisy(256, 256, 1)
	for _, radius := range []float64{40, 127} {
		after, region := noisy(256, 256, 2), image.NewAlpha(before.Rect)
		for y := range 256 {
			for x := range 256 {
				if math.Hypot(float64(x)-128, float64(y)-128) < radius {
					region.SetAlpha(x, y, color.Alpha{255})
				}
			}
		}
		b.Run(fmt.Sprintf("radius%v", radius), func(b *testing.B) {
			for range b.N {
				if _, _, err := photo.Paste(shot, photo.Crop{X: 2000, Y: 1500, Width: 2400}, before, after, region, photo.PasteOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
