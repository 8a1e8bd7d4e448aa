package loss_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"latentbrush/engine/graph"
	"latentbrush/engine/loss"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/ort"
)

const (
	classes = 4
	side    = 8
)

// run computes the model's outputs with the inputs that fill sets.
func run(t *testing.T, g *graph.Graph, fill func(s *ort.Session)) *ort.Session {
	t.Helper()
	rt, err := ort.Open(context.Background(), ort.Options{Device: ort.CPU})
	if err != nil {
		t.Fatal(err)
	}
	model, err := g.Model()
	if err != nil {
		t.Fatal(err)
	}
	s, err := rt.NewSession(model, nil, nil, ort.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	fill(s)
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

func normal(dst []float32, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 9))
	for i := range dst {
		dst[i] = float32(r.NormFloat64())
	}
}

func scene() (*image.Paletted, *image.Alpha, *image.Alpha) {
	painted := image.NewPaletted(image.Rect(0, 0, side, side), make(color.Palette, classes))
	region := image.NewAlpha(painted.Rect)
	free := image.NewAlpha(painted.Rect)
	for y := range side {
		for x := range side {
			painted.Pix[y*painted.Stride+x] = uint8((x/2 + y) % classes)
			if x >= 3 && y >= 2 && y < 6 {
				region.Pix[y*region.Stride+x] = 255
			}
			if y == 3 {
				free.Pix[y*free.Stride+x] = 255
			}
		}
	}
	return painted, region, free
}

// Cross-entropy and its gradient against the definition: the mean over the region of
// −log softmax at the painted class.
func TestCrossEntropy(t *testing.T) {
	g := graph.New("test")
	logits := g.Input("logits", 1, classes, side, side)
	target := g.Input("target", 1, classes, side, side)
	weights := g.Input("weights", 1, 1, side, side)
	l := loss.CrossEntropy(g, logits, target, weights)
	grad, err := graph.Gradient(l, logits)
	if err != nil {
		t.Fatal(err)
	}
	g.Output("loss", l)
	g.Output("gradient", grad[0])
	painted, region, _ := scene()
	s := run(t, g, func(s *ort.Session) {
		normal(s.Input("logits"), 1)
		if n := loss.Targets(s.Input("target"), s.Input("weights"), painted, region, classes); n != 20 {
			t.Errorf("%d pixels count, want 20", n)
		}
	})
	in := s.Input("logits")
	want := 0.0
	wantGradient := make([]float64, len(in))
	for y := range side {
		for x := range side {
			if region.Pix[y*region.Stride+x] == 0 {
				continue
			}
			i, sum := y*side+x, 0.0
			for c := range classes {
				sum += math.Exp(float64(in[c*side*side+i]))
			}
			k := int(painted.Pix[y*painted.Stride+x])
			want -= math.Log(math.Exp(float64(in[k*side*side+i]))/sum) / 20
			for c := range classes {
				wantGradient[c*side*side+i] = math.Exp(float64(in[c*side*side+i])) / sum / 20
				if c == k {
					wantGradient[c*side*side+i] -= 1.0 / 20
				}
			}
		}
	}
	if got := float64(s.Output("loss")[0]); math.Abs(got-want) > 1e-5 {
		t.Errorf("cross-entropy is %v, want %v", got, want)
	}
	for i, got := range s.Output("gradient") {
		if math.Abs(float64(got)-wantGradient[i]) > 1e-6 {
			t.Fatalf("gradient %d is %v, want %v", i, got, wantGradient[i])
		}
	}
}

func TestPictureTerms(t *testing.T) {
	g := graph.New("test")
	a, b := g.Input("a", 1, 3, side, side), g.Input("b", 1, 3, side, side)
	weights := g.Input("weights", 1, 1, side, side)
	g.Output("squared", loss.Squared(g, a, b, weights))
	g.Output("absolute", loss.Absolute(g, a, b, weights))
	_, region, free := scene()
	var n int
	s := run(t, g, func(s *ort.Session) {
		normal(s.Input("a"), 1)
		normal(s.Input("b"), 2)
		n = loss.Weights(s.Input("weights"), region, false, free)
	})
	squared, absolute, count := 0.0, 0.0, 0
	for y := range side {
		for x := range side {
			if region.Pix[y*region.Stride+x] != 0 || free.Pix[y*free.Stride+x] != 0 {
				continue
			}
			count++
			for c := range 3 {
				i := (c*side+y)*side + x
				d := float64(s.Input("a")[i]) - float64(s.Input("b")[i])
				squared += d * d
				absolute += math.Abs(d)
			}
		}
	}
	if n != count {
		t.Errorf("%d pixels count, want %d", n, count)
	}
	if got, want := float64(s.Output("squared")[0]), squared/float64(3*count); math.Abs(got-want) > 1e-5*want {
		t.Errorf("squared term is %v, want %v", got, want)
	}
	if got, want := float64(s.Output("absolute")[0]), absolute/float64(3*count); math.Abs(got-want) > 1e-5*want {
		t.Errorf("absolute term is %v, want %v", got, want)
	}
}

// metadata of a small network: 3 → 4 → 5 channels, compared after both.
func metadata() map[string]string {
	return map[string]string{
		"format": "latentbrush-perceptual", "version": "1", "name": "tiny",
		"shift": "[0.1,0,-0.1]", "scale": "[0.5,1,2]",
		"layers": `[{"conv":"conv0","tap":"lin0"},{"pool":2},{"conv":"conv1","stride":2,"tap":"lin1"}]`,
	}
}

func perceptualFile(t testing.TB, meta map[string]string) (*safetensors.File, error) {
	t.Helper()
	values := func(n int, seed uint64, abs bool) []float32 {
		v := make([]float32, n)
		normal(v, seed)
		for i := range v {
			if abs {
				v[i] = float32(math.Abs(float64(v[i])))
			}
		}
		return v
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, meta,
		safetensors.Float32("conv0.weight", values(4*3*9, 1, false), 4, 3, 3, 3),
		safetensors.Float32("conv0.bias", values(4, 2, false), 4),
		safetensors.Float32("lin0.weight", values(4, 3, true), 4),
		safetensors.Float32("conv1.weight", values(5*4*9, 4, false), 5, 4, 3, 3),
		safetensors.Float32("conv1.bias", values(5, 5, false), 5),
	); err != nil {
		t.Fatal(err)
	}
	return safetensors.NewFile("perceptual.safetensors", bytes.NewReader(b.Bytes()), int64(b.Len()))
}

// The distance and its gradient, by central differences of the distance itself, and
// the features of the first layer by the definition.
func TestPerceptual(t *testing.T) {
	f, err := perceptualFile(t, metadata())
	if err != nil {
		t.Fatal(err)
	}
	p, err := loss.ReadPerceptual(f)
	if err != nil {
		t.Fatal(err)
	}
	g := graph.New("test")
	a, b := g.Input("a", 1, 3, side, side), g.Input("b", 1, 3, side, side)
	fa := p.Features(g, a)
	d := loss.Distance(g, fa, p.Features(g, b))
	grad, err := graph.Gradient(d, a)
	if err != nil {
		t.Fatal(err)
	}
	g.Output("distance", d)
	g.Output("gradient", grad[0])
	g.Output("features", fa[0])
	s := run(t, g, func(s *ort.Session) { normal(s.Input("a"), 7); normal(s.Input("b"), 8) })
	length := 0.0
	lin, err := f.Float32s("lin0.weight", 4)
	if err != nil {
		t.Fatal(err)
	}
	for c := range 4 {
		v := float64(s.Output("features")[c*side*side+9])
		length += v * v / float64(lin[c])
	}
	if math.Abs(length-1) > 1e-4 && length != 0 {
		t.Errorf("features before the channel weights have length² %v, want 1", length)
	}
	gradient := append([]float32(nil), s.Output("gradient")...)
	for _, i := range []int{0, 17, 70, 100, 191} {
		const h = 2e-3
		x := s.Input("a")[i]
		var v [2]float64
		for k, e := range []float32{h, -h} {
			s.Input("a")[i] = x + e
			if err := s.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			v[k] = float64(s.Output("distance")[0])
		}
		s.Input("a")[i] = x
		if want := (v[0] - v[1]) / (2 * h); math.Abs(float64(gradient[i])-want) > 2e-3+0.02*math.Abs(want) {
			t.Errorf("gradient %d is %v, differences give %v", i, gradient[i], want)
		}
	}
	copy(s.Input("b"), s.Input("a"))
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if v := s.Output("distance")[0]; v != 0 {
		t.Errorf("a picture's distance from itself is %v", v)
	}
}

// Max-pooling inside a network: features after it against the definition.
func TestPerceptualMaxPool(t *testing.T) {
	meta := metadata()
	meta["layers"] = `[{"pool":2,"max":true},{"conv":"conv0","tap":"lin0"}]`
	f, err := perceptualFile(t, meta)
	if err != nil {
		t.Fatal(err)
	}
	pooled, err := loss.ReadPerceptual(f)
	if err != nil {
		t.Fatal(err)
	}
	meta["layers"] = `[{"conv":"conv0","tap":"lin0"}]`
	if f, err = perceptualFile(t, meta); err != nil {
		t.Fatal(err)
	}
	plain, err := loss.ReadPerceptual(f)
	if err != nil {
		t.Fatal(err)
	}
	// The shift and scale come first and are increasing in each channel, so pooling by
	// hand before them is the same.
	g := graph.New("test")
	x, y := g.Input("x", 1, 3, side, side), g.Input("y", 1, 3, side/2, side/2)
	a := pooled.Features(g, x)[0]
	grad, err := graph.Gradient(g.Sum(g.Square(a)), x)
	if err != nil {
		t.Fatal(err)
	}
	g.Output("pooled", a)
	g.Output("gradient", grad[0])
	g.Output("plain", plain.Features(g, y)[0])
	s := run(t, g, func(s *ort.Session) {
		normal(s.Input("x"), 3)
		for c := range 3 {
			for v := range side / 2 {
				for u := range side / 2 {
					m := float32(math.Inf(-1))
					for k := range 4 {
						m = max(m, s.Input("x")[(c*side+2*v+k/2)*side+2*u+k%2])
					}
					s.Input("y")[(c*side/2+v)*side/2+u] = m
				}
			}
		}
	})
	for i, want := range s.Output("plain") {
		if got := s.Output("pooled")[i]; math.Abs(float64(got-want)) > 1e-5 {
			t.Fatalf("feature %d is %v, want %v", i, got, want)
		}
	}
	// Only the largest of each square has a gradient.
	for i, d := range s.Output("gradient") {
		c, v, u := i/side/side, i/side%side, i%side
		if s.Input("x")[i] != s.Input("y")[(c*side/2+v/2)*side/2+u/2] && d != 0 {
			t.Fatalf("element %d is not the largest of its square and has gradient %v", i, d)
		}
	}
}

func TestReadPerceptualRefuses(t *testing.T) {
	for name, c := range map[string]struct{ key, value, want string }{
		"format":   {"format", "x", "latentbrush-perceptual"},
		"version":  {"version", "2", "version"},
		"scale":    {"scale", "[1,1]", "three numbers"},
		"zero":     {"scale", "[1,0,1]", "zero"},
		"layers":   {"layers", "[]", "layers"},
		"pool":     {"layers", `[{"pool":3}]`, "pool"},
		"no tap":   {"layers", `[{"conv":"conv0"}]`, "tap"},
		"channels": {"layers", `[{"conv":"conv1","tap":"lin0"}]`, "conv1.weight"},
		"missing":  {"layers", `[{"conv":"convX","tap":"lin0"}]`, "convX.weight"},
	} {
		meta := metadata()
		meta[c.key] = c.value
		f, err := perceptualFile(t, meta)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := loss.ReadPerceptual(f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one about %q", name, err, c.want)
		}
	}
}

func FuzzReadPerceptual(f *testing.F) {
	f.Add(metadata()["layers"], "[1,1,1]")
	f.Fuzz(func(t *testing.T, layers, scale string) {
		meta := metadata()
		meta["layers"], meta["scale"] = layers, scale
		file, err := perceptualFile(t, meta)
		if err != nil {
			return
		}
		_, _ = loss.ReadPerceptual(file)
	})
}
