package stylegan2_test

import (
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"testing"

	"latentbrush/engine/graph"
	"latentbrush/engine/latent"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/stylegan2"
)

func open(t *testing.T, s modeltest.Spec) *stylegan2.Generator {
	t.Helper()
	m, err := modeltest.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	gen, err := stylegan2.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return gen
}

func TestSample(t *testing.T) {
	gen := open(t, modeltest.Spec{})
	man := gen.Manifest()
	mean := latent.Broadcast(gen.Mean(), man.Rows)
	if d := gen.Sample(7, 0).Distance(mean); d > 1e-6 {
		t.Errorf("truncation 0 is %g from the mean", d)
	}
	full, half := gen.Sample(7, 1), gen.Sample(7, 0.5)
	if d := half.Distance(mean.Lerp(full, 0.5)); d > 1e-5 {
		t.Errorf("truncation 0.5 is %g from halfway", d)
	}
	if !slices.Equal(full.Data, gen.Sample(7, 1).Data) {
		t.Error("one seed gave two codes")
	}
	if full.Distance(gen.Sample(8, 1)) < 0.1 {
		t.Error("seeds 7 and 8 are hardly different")
	}
	// Only the direction of z counts.
	z := latent.Z(7, man.ZDim)
	long := make([]float32, len(z))
	for i, v := range z {
		long[i] = 3 * v
	}
	a, b := gen.Map(z), gen.Map(long)
	if d := relative(t, b, a); d > 1e-5 {
		t.Errorf("w of 3z differs from w of z by %g", d)
	}
}

// TestSizes renders every resolution with tables of odd channels, and the parts of a network.
func TestSizes(t *testing.T) {
	rt := openRuntime(t)
	for r := 32; r <= 1024; r *= 2 {
		channels := map[int]int{}
		for k, n := 4, 7; k <= r; k, n = k*2, max(n-1, 1) {
			channels[k] = n
		}
		gen := open(t, modeltest.Spec{Resolution: r, Channels: channels, Classes: -1, Crop: []int{1, 2, r, r - 3}})
		g := graph.New("sizes")
		code := gen.Sample(1, 1)
		in := g.Input("code", code.Rows, code.Dim)
		whole, err := gen.Synthesis(g, in, 0)
		if err != nil {
			t.Fatal(err)
		}
		part, err := gen.Synthesis(g, in, 16)
		if err != nil {
			t.Fatal(err)
		}
		if got := whole.Image.Shape(); !slices.Equal(got, []int{1, 3, r - 5, r - 1}) {
			t.Errorf("%d: the picture is %v", r, got)
		}
		if got := part.Image.Shape(); !slices.Equal(got, []int{1, 3, 16, 16}) {
			t.Errorf("%d: the small picture is %v", r, got)
		}
		if part.Features["b16.conv1"] != whole.Features["b16.conv1"] {
			t.Errorf("%d: the first layers are in the graph twice", r)
		}
		g.Output("image", whole.Image)
		g.Output("small", part.Image)
		for name, data := range run(t, rt, g, map[string][]float32{"code": code.Data}) {
			var sum, squares float64
			for _, v := range data {
				sum += float64(v)
				squares += float64(v) * float64(v)
			}
			n := float64(len(data))
			if v := squares/n - sum/n*sum/n; !(v > 1e-4 && v < 100) {
				t.Errorf("%d: %s has the variance %g", r, name, v)
			}
		}
	}
}

func TestSynthesisErrors(t *testing.T) {
	gen := open(t, modeltest.Spec{})
	g := graph.New("errors")
	if _, err := gen.Synthesis(g, g.Input("short", 4, 16), 0); err == nil || !strings.Contains(err.Error(), "[4 16], want [8, 16]") {
		t.Errorf("short code: %v", err)
	}
	code := g.Input("code", 8, 16)
	if _, err := gen.Synthesis(g, code, 48); err == nil || !strings.Contains(err.Error(), "48") {
		t.Errorf("resolution 48: %v", err)
	}
	styles := gen.Styles(g, code)
	styles["b8.conv0"] = g.Input("style", 1, 3)
	if _, err := gen.FromStyles(g, styles, 0); err == nil || !strings.Contains(err.Error(), "b8.conv0") {
		t.Errorf("wrong style: %v", err)
	}
}

func TestPicture(t *testing.T) {
	nan := float32(math.NaN())
	data := []float32{-1, 1, 0, -2, 2, nan, 0.5, -0.5, 0.001, 1e30, -1e30, -0.9999}
	img := stylegan2.Picture(nil, data, 2, 2)
	// v = ⌊127.5·x + 128⌋, limited; planes are red, green, blue.
	for i, want := range []color.RGBA{{0, 255, 128, 255}, {255, 0, 255, 255}, {128, 191, 0, 255}, {0, 64, 0, 255}} {
		if got := img.RGBAAt(i%2, i/2); got != want {
			t.Errorf("pixel %d is %v, want %v", i, got, want)
		}
	}
	back := stylegan2.Picture(nil, stylegan2.Tensor(nil, img), 2, 2)
	if !slices.Equal(back.Pix, img.Pix) {
		t.Errorf("8 bits → floats → 8 bits: %v, want %v", back.Pix, img.Pix)
	}
	if again := stylegan2.Picture(img, data, 2, 2); again != img || img.Rect != image.Rect(0, 0, 2, 2) {
		t.Error("a picture of the right size was replaced")
	}
}
