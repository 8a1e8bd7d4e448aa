package engine_test

import (
	"bytes"
	"context"
	"flag"
	"image"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/model"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/ort"
)

var update = flag.Bool("update", false, "make the reference numbers again with PyTorch (/usr/bin/python3)")

const officialFixture = "edit/testdata/official.safetensors"

// officialModel is a small model whose loss has every part: noise, an ensemble head
// with batch normalisation, a perceptual network.
func officialModel() model.Contents {
	c := modeltest.Contents(modeltest.Spec{Members: 3, Norm: true})
	r := latent.Z(11, 6*3*9+6+6+8*6*9+8)
	take := func(n int) []float32 {
		v := r[:n]
		r = r[n:]
		return v
	}
	positive := func(v []float32) []float32 {
		out := make([]float32, len(v))
		for i, x := range v {
			out[i] = x * x
		}
		return out
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, map[string]string{
		"format": "latentbrush-perceptual", "version": "1", "name": "random", "shift": "[0.1,0,-0.1]", "scale": "[0.5,1,2]",
		"layers": `[{"conv":"a","tap":"la"},{"pool":2},{"conv":"b","stride":2,"tap":"lb"}]`,
	},
		safetensors.Float32("a.weight", take(6*3*9), 6, 3, 3, 3), safetensors.Float32("a.bias", take(6), 6),
		safetensors.Float32("la.weight", positive(take(6)), 6),
		safetensors.Float32("b.weight", take(8*6*9), 8, 6, 3, 3), safetensors.Float32("b.bias", take(8), 8)); err != nil {
		panic(err)
	}
	if c.Files == nil {
		c.Files = map[string][]byte{}
	}
	c.Files["perceptual.safetensors"] = b.Bytes()
	return c
}

// The loss and its gradient equal the official formulation's, computed by PyTorch in
// double precision, once our weights are translated to its: means over the whole
// frame, pixels in [0,1].
func TestOfficialLossAndGradient(t *testing.T) {
	c := officialModel()
	m, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.OpenModel(context.Background(), m, engine.Options{Device: ort.CPU})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	start := e.Sample(1, 1)
	want := painted(t, e, start, e.Sample(2, 1))
	before, err := e.Render(context.Background(), start, engine.RenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	region, err := edit.Region(before.Labels, want, edit.RegionOptions{Dilation: -1})
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		makeOfficial(t, &c, start, want, region)
	}
	f, err := safetensors.Open(os.DirFS("."), officialFixture)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read := func(name string, shape ...int) []float32 {
		t.Helper()
		v, err := f.Float32s(name, shape...)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	at := latent.Code{Rows: start.Rows, Dim: start.Dim, Data: read("at", start.Rows, start.Dim)}
	terms, gradient := read("terms", 4), read("gradient", start.Rows, start.Dim)

	n, outside := region.Rect.Dx()*region.Rect.Dy(), 0
	for _, v := range region.Pix {
		if v == 0 {
			outside++
		}
	}
	share := float64(outside) / float64(n)
	ev, err := engine.NewEvaluator(context.Background(), e, start, want, 75*share/4, 150*share, 0)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ev.Evaluate(context.Background(), at)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][2]float64{
		"loss":          {v.Loss, float64(terms[0])},
		"cross-entropy": {v.Terms.CrossEntropy, float64(terms[1])},
		"MSE":           {v.Terms.Picture * share / 4, float64(terms[2])},
		"LPIPS":         {v.Terms.Perceptual, float64(terms[3])},
	} {
		if math.Abs(c[0]-c[1]) > 1e-4*math.Abs(c[1]) {
			t.Errorf("%s is %v, the official formulation gives %v", name, c[0], c[1])
		}
	}
	difference, size := 0.0, 0.0
	for i, g := range v.Gradient.Data {
		d := float64(g) - float64(gradient[i])
		difference += d * d
		size += float64(gradient[i]) * float64(gradient[i])
	}
	if r := math.Sqrt(difference / size); r > 1e-4 {
		t.Errorf("gradient differs by %v of its length, want at most 1e-4", r)
	}
}

func makeOfficial(t *testing.T, c *model.Contents, start latent.Code, painted *image.Paletted, region *image.Alpha) {
	t.Helper()
	dir := t.TempDir()
	bundle, problem := filepath.Join(dir, "bundle"), filepath.Join(dir, "problem.safetensors")
	if err := c.Write(bundle); err != nil {
		t.Fatal(err)
	}
	if err := safetensors.WriteFile(problem, nil,
		safetensors.Float32("code", start.Data, start.Rows, start.Dim),
		safetensors.Uint8("painted", painted.Pix, painted.Rect.Dy(), painted.Rect.Dx()),
		safetensors.Uint8("region", region.Pix, region.Rect.Dy(), region.Rect.Dx())); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("/usr/bin/python3", "edit/testdata/official.py", "check", bundle, problem, officialFixture).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
