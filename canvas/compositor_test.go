package canvas_test

import (
	"errors"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"latentbrush/canvas"
)

var update = flag.Bool("update", false, "write the golden images anew")

// slope is a picture without two equal neighbours.
func slope(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			m.SetRGBA(x, y, color.RGBA{uint8(x * 5), uint8(y * 7), uint8(x*3 + y*2), 255})
		}
	}
	return m
}

// scene is a canvas with something of everything that can be shown.
func scene(t testing.TB, w, h int) (*canvas.Compositor, *easel) {
	t.Helper()
	rng := rand.New(rand.NewPCG(21, 22))
	e := newEasel(t, patches(w, h, 8, rng))
	e.SetSize(max(w/8, 3))
	e.SetClass(4)
	e.drag(pts(float64(w)*0.2, float64(h)*0.3, float64(w)*0.8, float64(h)*0.4))
	e.Layer = canvas.MarkKeep
	e.drag(pts(float64(w)*0.5, float64(h)*0.7, float64(w)*0.9, float64(h)*0.9))
	e.Layer = canvas.MarkFree
	e.drag(pts(float64(w)*0.1, float64(h)*0.9))
	e.Layer = canvas.Paint
	k := canvas.NewCompositor(e.c)
	if err := k.SetPicture(slope(w, h)); err != nil {
		t.Fatal(err)
	}
	before := image.NewRGBA(e.c.Bounds())
	draw.Draw(before, before.Rect, image.NewUniform(color.RGBA{200, 190, 170, 255}), image.Point{}, draw.Src)
	if err := k.SetBefore(before); err != nil {
		t.Fatal(err)
	}
	doubt := image.NewGray(e.c.Bounds())
	for i := range doubt.Pix {
		x, y := i%w-w/2, i/w-h/2
		doubt.Pix[i] = uint8(max(0, 255-6*int(math.Hypot(float64(x), float64(y)))))
	}
	if err := k.SetDoubt(doubt); err != nil {
		t.Fatal(err)
	}
	heat := image.NewGray(e.c.Bounds())
	for i := range heat.Pix {
		x, y := i%w-w/4, i/w-h/2
		heat.Pix[i] = uint8(max(0, 255-8*int(math.Hypot(float64(x), float64(y)))))
	}
	if err := k.SetHeat(heat); err != nil {
		t.Fatal(err)
	}
	return k, e
}

func full(k *canvas.Compositor, level int) *image.RGBA {
	m := image.NewRGBA(image.Rectangle{Max: k.Size(level)})
	k.Draw(m, image.Point{}, m.Rect, level)
	return m
}

// The blend is picture·(1−a) + colour·a, to one part in 256.
func TestOverlayBlend(t *testing.T) {
	k, e := scene(t, 40, 30)
	e.c.Protection.Hidden[4] = true
	for _, a := range []float64{0, 0.3, 0.5, 1} {
		k.SetLook(canvas.Look{Overlay: a})
		img, pic := full(k, 0), slope(40, 30)
		for i, class := range e.c.Labels().Pix {
			c := palette[class].(color.RGBA)
			for j, part := range []uint8{c.R, c.G, c.B} {
				a := a
				if class == 4 {
					a = 0
				}
				want := float64(pic.Pix[4*i+j])*(1-a) + float64(part)*a
				if got := float64(img.Pix[4*i+j]); math.Abs(got-want) > 1.5 {
					t.Fatalf("opacity %v, pixel %d: %v, not %v", a, i, got, want)
				}
			}
			if img.Pix[4*i+3] != 255 {
				t.Fatal("a pixel is not opaque")
			}
		}
	}
}

// Exactly the class-boundary pixels are drawn, of visible classes.
func TestContourPixels(t *testing.T) {
	k, e := scene(t, 50, 40)
	k.SetLook(canvas.Look{Overlay: 1, Contour: true})
	img, pic := full(k, 0), slope(50, 40)
	labels := e.c.Labels()
	drawn := 0
	for y := range 40 {
		for x := range 50 {
			class := labels.Pix[y*50+x]
			boundary := false
			for _, d := range []image.Point{{1, 0}, {-1, 0}, {0, 1}, {0, -1}} {
				if q := image.Pt(x, y).Add(d); q.In(labels.Rect) && labels.ColorIndexAt(q.X, q.Y) != class {
					boundary = true
				}
			}
			want := pic.RGBAAt(x, y)
			if boundary {
				want = palette[class].(color.RGBA)
				drawn++
			}
			if got := img.RGBAAt(x, y); got != want {
				t.Fatalf("(%d,%d) is %v, not %v", x, y, got, want)
			}
		}
	}
	if drawn == 0 {
		t.Fatal("no boundary in the scene")
	}
	// In the smaller levels every square with a boundary shows it.
	for level := 1; level <= canvas.MaxLevel; level++ {
		small := full(k, level)
		k.SetLook(canvas.Look{Overlay: 0})
		plain := full(k, level)
		k.SetLook(canvas.Look{Overlay: 1, Contour: true})
		for y := range small.Rect.Dy() {
			for x := range small.Rect.Dx() {
				boundary := false
				for j := y << level; j < min((y+1)<<level, 40); j++ {
					for i := x << level; i < min((x+1)<<level, 50); i++ {
						boundary = boundary || e.c.OnBoundary(i, j)
					}
				}
				got := small.RGBAAt(x, y)
				if inPalette := palette.Convert(got) == color.Color(got); boundary != inPalette || !boundary && got != plain.RGBAAt(x, y) {
					t.Fatalf("level %d: (%d,%d) is %v, boundary is %v", level, x, y, got, boundary)
				}
			}
		}
	}
}

func TestHatchingShowsTheRegion(t *testing.T) {
	k, e := scene(t, 64, 48)
	plain := full(k, 0)
	k.SetLook(canvas.Look{Region: true})
	img := full(k, 0)
	var in, keep int
	for y := range 48 {
		for x := range 64 {
			differs := img.RGBAAt(x, y) != plain.RGBAAt(x, y)
			m := e.c.MarkAt(x, y)
			if differs && !m.InRegion() && m&canvas.Keep == 0 {
				t.Fatalf("(%d,%d) is hatched outside of the region", x, y)
			}
			switch {
			case differs && m.InRegion():
				in++
			case differs:
				keep++
			}
		}
	}
	if in < 30 || keep < 30 {
		t.Errorf("%d pixels hatched in the region, %d in the keep layer", in, keep)
	}
}

// Heat and uncertainty are drawn exactly where they are strong enough, at every
// level that shows single pixels, and heat is the redder the more there is.
func TestHeatAndDoubt(t *testing.T) {
	k, _ := scene(t, 64, 48)
	plain := full(k, 0)
	k.SetLook(canvas.Look{Heat: true})
	hot := full(k, 0)
	k.SetLook(canvas.Look{Doubt: true})
	doubtful := full(k, 0)
	var warm, hatched, certain int
	for y := range 48 {
		for x := range 64 {
			v := max(0, 255-8*int(math.Hypot(float64(x-16), float64(y-24))))
			p, q := plain.RGBAAt(x, y), hot.RGBAAt(x, y)
			switch {
			case v < canvas.HeatFrom && p != q:
				t.Fatalf("(%d,%d) is coloured at a heat of %d", x, y, v)
			case v >= canvas.HeatFrom && p == q:
				t.Fatalf("(%d,%d) is not coloured at a heat of %d", x, y, v)
			case v > 240 && (q.R < 180 || q.G > 90):
				t.Fatalf("(%d,%d) is %v at a heat of %d: not red", x, y, q, v)
			case v >= canvas.HeatFrom:
				warm++
			}
			d, ok := k.Doubt(x, y)
			if !ok {
				t.Fatal("the uncertainty is not known")
			}
			differs := doubtful.RGBAAt(x, y) != p
			switch {
			case differs && d*255 < canvas.DoubtfulFrom:
				t.Fatalf("(%d,%d) is hatched at an uncertainty of %.2f", x, y, d)
			case differs:
				hatched++
			case d*255 < canvas.DoubtfulFrom:
				certain++
			}
		}
	}
	if warm < 500 || hatched < 200 || certain < 250 {
		t.Errorf("%d pixels warm, %d hatched, %d certain", warm, hatched, certain)
	}
	if _, ok := k.Doubt(64, 0); ok {
		t.Error("outside of the picture the uncertainty is known")
	}
}

func TestMirrorAndCompare(t *testing.T) {
	k, _ := scene(t, 50, 40)
	l := canvas.Look{Overlay: 0.4, Region: true, Doubt: true}
	k.SetLook(l)
	straight := full(k, 0)
	l.Mirror = true
	k.SetLook(l)
	mirrored := full(k, 0)
	for y := range 40 {
		for x := range 50 {
			if mirrored.RGBAAt(49-x, y) != straight.RGBAAt(x, y) {
				t.Fatalf("(%d,%d) is not mirrored", x, y)
			}
		}
	}
	l.Compare, l.Divider = canvas.CompareSplit, 20
	k.SetLook(l)
	split := full(k, 0)
	for y := range 40 {
		for x := range 50 {
			want := mirrored.RGBAAt(x, y)
			if x < 20 {
				want = color.RGBA{200, 190, 170, 255}
			}
			if split.RGBAAt(x, y) != want {
				t.Fatalf("split: (%d,%d) is %v", x, y, split.RGBAAt(x, y))
			}
		}
	}
	l.Divider = 33
	if r := k.SetLook(l); r != image.Rect(20, 0, 33, 40) {
		t.Errorf("moving the divider redraws %v", r)
	}
	if r := k.SetLook(l); !r.Empty() {
		t.Errorf("the same look redraws %v", r)
	}
}

// Smaller levels are the means of squares.
func TestLevelsAreMeans(t *testing.T) {
	k, _ := scene(t, 53, 41)
	k.SetLook(canvas.Look{Overlay: 0.5, Region: true})
	base := full(k, 0)
	for level := 1; level <= canvas.MaxLevel; level++ {
		small := full(k, level)
		for y := range small.Rect.Dy() {
			for x := range small.Rect.Dx() {
				var sum [3]float64
				n := 0.0
				for j := y << level; j < min((y+1)<<level, 41); j++ {
					for i := x << level; i < min((x+1)<<level, 53); i++ {
						c := base.RGBAAt(i, j)
						sum[0], sum[1], sum[2] = sum[0]+float64(c.R), sum[1]+float64(c.G), sum[2]+float64(c.B)
						n++
					}
				}
				got := small.RGBAAt(x, y)
				for c, v := range []uint8{got.R, got.G, got.B} {
					if math.Abs(float64(v)-sum[c]/n) > 0.5001 {
						t.Fatalf("level %d (%d,%d): %v, mean %v", level, x, y, v, sum[c]/n)
					}
				}
			}
		}
	}
}

// Tiles redrawn by dirty rectangles are the same as drawn from nothing, at every
// level and look.
func TestTilesFollowChanges(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	k, e := scene(t, 300, 270)
	tiles := make([]*canvas.Tiles, canvas.MaxLevel+1)
	for level := range tiles {
		tiles[level] = canvas.NewTiles(k)
		tiles[level].SetLevel(level)
	}
	e.c.Subscribe(func(r image.Rectangle) {
		for _, t := range tiles {
			t.Changed(r)
		}
	})
	l := canvas.Look{Overlay: 0.5, Region: true}
	for step := range times(120) {
		switch rng.IntN(5) {
		case 0:
			l.Contour = !l.Contour
		case 1:
			l.Mirror = !l.Mirror
		case 2:
			l.Compare, l.Divider = canvas.Compare(rng.IntN(2)), rng.IntN(300)
		}
		if r := k.SetLook(l); !r.Empty() {
			for _, t := range tiles {
				t.Spoil(r)
			}
		}
		randomOperation(t, e, rng)
		level := step % len(tiles)
		want := full(k, level)
		size := k.Size(level)
		tiles[level].Draw(image.Rectangle{Max: size}, func(int) {})
		for i := range tiles[level].Len() {
			tile := tiles[level].At(i)
			for y := tile.Bounds.Min.Y; y < tile.Bounds.Max.Y; y++ {
				for x := tile.Bounds.Min.X; x < tile.Bounds.Max.X; x++ {
					if tile.Image.RGBAAt(x-tile.Bounds.Min.X, y-tile.Bounds.Min.Y) != want.RGBAAt(x, y) {
						t.Fatalf("step %d, level %d, look %+v: (%d,%d) is stale", step, level, l, x, y)
					}
				}
			}
			if tile.Image.Rect.Min != (image.Point{}) || tile.Image.Stride != 4*tile.Bounds.Dx() || len(tile.Image.Pix) != tile.Image.Stride*tile.Bounds.Dy() {
				t.Fatal("a tile does not have exactly its own pixels")
			}
		}
	}
	// A small stroke redraws only its tiles.
	e.use(t, "brush")
	e.SetSize(5)
	drawn := 0
	e.drag(pts(20, 20, 30, 30))
	l.Mirror = false
	tiles[0].Spoil(k.SetLook(l))
	tiles[0].Draw(e.c.Bounds(), func(int) {})
	e.drag(pts(20, 20, 30, 30, 30, 25))
	tiles[0].Draw(e.c.Bounds(), func(int) { drawn++ })
	if drawn != 1 {
		t.Errorf("%d of %d tiles redrawn for a small stroke", drawn, tiles[0].Len())
	}
}

func TestCompositorRefusesOtherSizes(t *testing.T) {
	k, _ := scene(t, 40, 30)
	if k.SetPicture(image.NewRGBA(image.Rect(0, 0, 41, 30))) == nil ||
		k.SetBefore(image.NewRGBA(image.Rect(1, 0, 41, 30))) == nil ||
		k.SetDoubt(image.NewGray(image.Rect(0, 0, 40, 31))) == nil {
		t.Error("a picture of another size was taken")
	}
	if err := k.SetPicture(nil); err != nil {
		t.Error(err)
	}
	k.SetLook(canvas.Look{})
	if got := full(k, 0).RGBAAt(3, 3); got != (color.RGBA{128, 128, 128, 255}) {
		t.Errorf("without a picture it shows %v", got)
	}
}

// The looks as images, each drawn three times: what is left from a drawing must
// not show in the next.
func TestGoldenLooks(t *testing.T) {
	for name, l := range map[string]canvas.Look{
		"overlay":     {Overlay: 0.5},
		"labels":      {Overlay: 1, Region: true},
		"contour":     {Overlay: 1, Contour: true},
		"uncertainty": {Overlay: 0.3, Doubt: true},
		"heat":        {Overlay: 0.2, Heat: true},
		"mirror":      {Overlay: 0.5, Region: true, Mirror: true},
		"split":       {Overlay: 0.5, Compare: canvas.CompareSplit, Divider: 40},
	} {
		k, _ := scene(t, 96, 72)
		k.SetLook(l)
		m := image.NewRGBA(image.Rect(0, 0, 96, 72))
		for range 3 {
			k.Draw(m, image.Point{}, m.Rect, 0)
			golden(t, name, m)
		}
	}
}

// golden compares with testdata/name.png exactly: no arithmetic here depends on
// the machine.
func golden(t *testing.T, name string, m *image.RGBA) {
	t.Helper()
	path := filepath.Join("testdata", name+".png")
	if *update {
		writePNG(t, path, m)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	defer func() { _ = f.Close() }()
	want, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	differ := 0
	for y := range m.Rect.Dy() {
		for x := range m.Rect.Dx() {
			if color.RGBAModel.Convert(want.At(x, y)) != color.Color(m.RGBAAt(x, y)) {
				differ++
			}
		}
	}
	if differ > 0 || want.Bounds() != m.Rect {
		failed := filepath.Join("testdata", "failed", name+".png")
		writePNG(t, failed, m)
		t.Errorf("%d pixels differ from %s; drawn now: %s", differ, path, failed)
	}
}

func writePNG(t *testing.T, path string, m image.Image) {
	t.Helper()
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, m), f.Close()); err != nil {
		t.Fatal(err)
	}
}
