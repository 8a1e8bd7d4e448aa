package portrait

import (
	"flag"
	"hash/fnv"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden sheet")

func normal(seed, i uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, i))
	z := make([]float32, Count)
	for k := range z {
		z[k] = float32(r.NormFloat64())
	}
	return z
}

const cols, rows, cell = 6, 4, 80

// sheet draws the golden faces beside each other.
func sheet() (*image.RGBA, *image.Paletted) {
	b := image.Rect(0, 0, cols*cell, rows*cell)
	img, lab := image.NewRGBA(b), image.NewPaletted(b, Palette)
	for i := range cols * rows {
		a, l := Render(FromNormal(normal(99, uint64(i))), cell)
		at := image.Pt(i%cols*cell, i/cols*cell)
		r := image.Rectangle{at, at.Add(image.Pt(cell, cell))}
		draw.Draw(img, r, a, image.Point{}, draw.Src)
		for y := range cell {
			copy(lab.Pix[lab.PixOffset(at.X, at.Y+y):][:cell], l.Pix[y*l.Stride:])
		}
	}
	return img, lab
}

func readPNG(t *testing.T, name string) image.Image {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func writePNG(t *testing.T, name string, m image.Image) {
	t.Helper()
	f, err := os.Create(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	e := png.Encoder{CompressionLevel: png.BestCompression}
	if err := e.Encode(f, m); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestGolden protects every model trained on these pictures. Processors that
// fuse multiplication and addition may round a few values differently.
func TestGolden(t *testing.T) {
	img, lab := sheet()
	if *update {
		writePNG(t, "faces.png", img)
		writePNG(t, "masks.png", lab)
	}
	tolerance, labels := 0, 0
	if runtime.GOARCH != "amd64" {
		tolerance, labels = 3, 40
	}
	want := readPNG(t, "faces.png")
	wantLab := readPNG(t, "masks.png")
	if want.Bounds() != img.Bounds() || wantLab.Bounds() != lab.Bounds() {
		t.Fatalf("golden sheet is %v and %v, expected %v", want.Bounds(), wantLab.Bounds(), img.Bounds())
	}
	worst, wrong := 0, 0
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			a, b := img.RGBAAt(x, y), color.RGBAModel.Convert(want.At(x, y)).(color.RGBA)
			worst = max(worst, diff(a.R, b.R), diff(a.G, b.G), diff(a.B, b.B))
			if color.RGBAModel.Convert(wantLab.At(x, y)) != Palette[lab.ColorIndexAt(x, y)] {
				wrong++
			}
		}
	}
	if worst > tolerance || wrong > labels {
		t.Errorf("sheet differs from the golden one by up to %d of 255 and in %d labels, expected at most %d and %d", worst, wrong, tolerance, labels)
	}
}

// TestGolden256 does the same at the training size, for four faces.
func TestGolden256(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the checksum is that of amd64's rounding, this is " + runtime.GOARCH)
	}
	h := fnv.New64a()
	for i := range 4 {
		img, lab := Render(FromNormal(normal(98, uint64(i))), 256)
		h.Write(img.Pix)
		h.Write(lab.Pix)
	}
	const want = 0xac978202f4fc65e7
	if h.Sum64() != want {
		t.Errorf("checksum of four faces is %#x, expected %#x", h.Sum64(), uint64(want))
	}
}

func diff(a, b uint8) int { return max(int(a)-int(b), int(b)-int(a)) }

func TestDeterministic(t *testing.T) {
	p := FromNormal(normal(5, 1))
	a, la := Render(p, 96)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			Render(FromNormal(normal(6, uint64(i))), 96) // leaves other fields behind
			b, lb := Render(p, 96)
			if !slices.Equal(a.Pix, b.Pix) || !slices.Equal(la.Pix, lb.Pix) {
				t.Error("the same parameters gave two pictures")
			}
		})
	}
	wg.Wait()
	for i := 3; i < len(a.Pix); i += 4 {
		if a.Pix[i] != 255 {
			t.Fatal("picture is not opaque")
		}
	}
}

// TestContinuous: a small step of any coordinate moves no pixel far.
func TestContinuous(t *testing.T) {
	const step, bound = .02, 60
	for _, f := range []uint64{0} {
		z := normal(11, f)
		a, _ := Render(FromNormal(z), 256)
		for i := range z {
			z[i] += step
			b, _ := Render(FromNormal(z), 256)
			z[i] -= step
			worst, moved := 0, false
			for k := range a.Pix {
				d := diff(a.Pix[k], b.Pix[k])
				worst, moved = max(worst, d), moved || d > 0
			}
			if worst > bound {
				t.Errorf("face %d: a step of %v in %s moves a pixel by %d, expected at most %d", f, step, Parameters[i].Name, worst, bound)
			}
		}
	}
}

// TestEveryParameterShows: each one changes the picture somewhere.
func TestEveryParameterShows(t *testing.T) {
	absent := []Index{Freckles, Age, Eyeshadow, HairRed, HairGrey, Fringe, BeardFull, Moustache, GlassesOn, EyeClose}
	for i := range Count {
		z := make([]float32, Count)
		for _, k := range absent {
			z[k] = -2
		}
		switch Index(i) { // what the parameter needs to be seen
		case HairSide, HairWave, HairVolume:
			z[HairLength] = 1
		case Moustache, EarSize:
			z[HairLength] = -2
		case GlassesSize, GlassesRound, GlassesDark:
			z[GlassesOn] = 2
		case Blush, Freckles:
			z[SkinTone] = -1
		}
		lo := slices.Clone(z)
		z[i], lo[i] = 2, -2
		a, _ := Render(FromNormal(z), 96)
		b, _ := Render(FromNormal(lo), 96)
		n := 0
		for k := range a.Pix {
			if diff(a.Pix[k], b.Pix[k]) >= 8 {
				n++
			}
		}
		if n < 20 {
			t.Errorf("%s changes %d values by 8 or more, expected 20", Parameters[i].Name, n)
		}
	}
}

// TestMaskExact compares labels with the covered area measured by rendering
// six times finer: where one class fills most of a pixel, it is the label.
func TestMaskExact(t *testing.T) {
	const n, f = 96, 6
	clear, wrong, all, other := 0, 0, 0, 0
	for i := range 4 {
		p := FromNormal(normal(12, uint64(i)))
		_, a := Render(p, n)
		_, b := Render(p, n*f)
		for y := range n {
			for x := range n {
				var count [classCount]int
				for v := range f {
					for u := range f {
						count[b.Pix[(y*f+v)*b.Stride+x*f+u]]++
					}
				}
				best := 0
				for c := range count {
					if count[c] > count[best] {
						best = c
					}
				}
				same := int(a.Pix[y*a.Stride+x]) == best
				all++
				if !same {
					other++
				}
				if count[best] >= f*f*4/5 {
					clear++
					if !same {
						wrong++
					}
				}
			}
		}
	}
	if r := float64(wrong) / float64(clear); r > .001 {
		t.Errorf("%d of %d pixels filled to 80 %% by one class have another label (%.4f), expected at most 0.001", wrong, clear, r)
	}
	if r := float64(other) / float64(all); r > .008 {
		t.Errorf("%d of %d labels are not the majority (%.4f), expected at most 0.008", other, all, r)
	}
	t.Logf("clear pixels %d, wrong %d; all %d, not majority %d", clear, wrong, all, other)
}

func TestClasses(t *testing.T) {
	if len(Classes) != 22 || int(classCount) != 22 || len(Palette) != 22 {
		t.Fatalf("%d classes, %d ids and %d colours, expected 22 of each", len(Classes), classCount, len(Palette))
	}
	names, colors := map[string]bool{}, map[color.RGBA]bool{}
	for i, c := range Classes {
		if int(c.ID) != i || names[c.Name] || colors[c.Color] || c.Color.A != 255 || c.Group == "" {
			t.Errorf("class %d: %+v is out of place, a duplicate or incomplete", i, c)
		}
		names[c.Name], colors[c.Color] = true, true
		q := Classes[c.Pair]
		if q.Pair != c.ID || q.Group != c.Group {
			t.Errorf("class %s is paired with %s, which is paired with %d", c.Name, q.Name, q.Pair)
		}
		left, right := c.Name[len(c.Name)-2:] == "_l", c.Name[len(c.Name)-2:] == "_r"
		if (left || right) != (c.Pair != c.ID) || left && q.Name != c.Name[:len(c.Name)-1]+"r" {
			t.Errorf("class %s has the pair %s", c.Name, q.Name)
		}
	}
}

// TestEveryClassOccurs, and the pairs lie on their sides of the picture.
func TestEveryClassOccurs(t *testing.T) {
	var n [classCount]int
	var x [classCount]float64
	for i := range 40 {
		_, l := Render(FromNormal(normal(13, uint64(i))), 128)
		for k, c := range l.Pix {
			n[c]++
			x[c] += float64(k % 128)
		}
	}
	for i, c := range Classes {
		if n[i] < 40 {
			t.Errorf("%s has %d pixels in 40 pictures of 128², expected 40", c.Name, n[i])
		}
		if c.Pair > c.ID && x[i]/float64(n[i]) >= x[c.Pair]/float64(n[c.Pair]) {
			t.Errorf("%s does not lie left of %s", c.Name, Classes[c.Pair].Name)
		}
	}
}

func TestParameters(t *testing.T) {
	if len(Parameters) != Count || Count < 60 || Count > 70 {
		t.Fatalf("%d parameters, expected 60 to 70", len(Parameters))
	}
	seen := map[string]bool{}
	for i, p := range Parameters {
		if p.Name == "" || seen[p.Name] || p.Lo >= p.Hi || p.Presence && p.Hi != 1 ||
			!slices.Contains([]string{Identity, Expression, Pose, Light}, p.Group) {
			t.Errorf("parameter %d: %+v", i, p)
		}
		seen[p.Name] = true
	}
}

func TestFromNormal(t *testing.T) {
	nan := float32(math.NaN())
	inf := float32(math.Inf(1))
	mid := FromNormal(nil)
	if got, want := mid[FaceWidth], (Parameters[FaceWidth].Lo+Parameters[FaceWidth].Hi)/2; math.Abs(float64(got-want)) > 1e-6 {
		t.Errorf("coordinate 0 gives %v, expected the middle %v", got, want)
	}
	if mid != FromNormal([]float32{nan}) {
		t.Error("a coordinate that is not a number does not count as 0")
	}
	if a, b := FromNormal([]float32{inf}), FromNormal([]float32{Clip}); a != b {
		t.Error("coordinates are not clipped")
	}
	z := make([]float32, 300)
	z[Smile] = 1
	want := Parameters[Smile].Lo + (Parameters[Smile].Hi-Parameters[Smile].Lo)*.8413447
	if got := FromNormal(z)[Smile]; math.Abs(float64(got-want)) > 1e-5 {
		t.Errorf("smile at 1 is %v, expected %v", got, want)
	}
	z[GlassesOn] = -2
	if got := FromNormal(z)[GlassesOn]; got != 0 {
		t.Errorf("presence below 0 is %v, expected 0", got)
	}
}

func TestSizePanics(t *testing.T) {
	for _, n := range []int{0, -1, MaxSize + 1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("size %d did not panic", n)
				}
			}()
			Render(Params{}, n)
		}()
	}
}

// FuzzRender: any parameters at any size give a whole picture with known labels.
func FuzzRender(f *testing.F) {
	f.Add(uint8(1), uint64(0), float32(0))
	f.Add(uint8(33), uint64(7), float32(math.Inf(1)))
	f.Add(uint8(64), uint64(8), float32(math.NaN()))
	f.Add(uint8(17), uint64(9), float32(-1e30))
	f.Fuzz(func(t *testing.T, size uint8, seed uint64, scale float32) {
		n := int(size)%80 + 1
		var p Params
		r := rand.New(rand.NewPCG(seed, 1))
		for i := range p {
			p[i] = float32(r.NormFloat64()) * scale
		}
		img, lab := Render(p, n)
		if img.Rect != image.Rect(0, 0, n, n) || lab.Rect != img.Rect {
			t.Fatalf("size %d gave %v and %v", n, img.Rect, lab.Rect)
		}
		for _, c := range lab.Pix {
			if c >= classCount {
				t.Fatalf("label %d", c)
			}
		}
		q := p.bounded()
		for i, v := range q {
			lo := Parameters[i].Lo
			if Parameters[i].Presence {
				lo = 0
			}
			if !(v >= lo && v <= Parameters[i].Hi) {
				t.Fatalf("%s is %v after clamping", Parameters[i].Name, v)
			}
		}
	})
}

func BenchmarkRender256(b *testing.B) {
	var p [16]Params
	for i := range p {
		p[i] = FromNormal(normal(14, uint64(i)))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		Render(p[i%len(p)], 256)
	}
}
