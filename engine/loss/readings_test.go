package loss_test

import (
	"bytes"
	"encoding/json"
	"image"
	"maps"
	"math"
	"os"
	"strings"
	"testing"

	"latentbrush/engine/graph"
	"latentbrush/engine/loss"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/ort"
)

func readingsFixture(t testing.TB) *safetensors.File {
	t.Helper()
	f, err := safetensors.Open(os.DirFS("testdata"), "readings.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Readings, the distance of two identities and its gradient in the picture equal
// PyTorch's.
func TestReadingsAreThoseOfPyTorch(t *testing.T) {
	f := readingsFixture(t)
	r, err := loss.ReadReadings(f)
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string, shape ...int) []float32 {
		t.Helper()
		v, err := f.Float32s(name, shape...)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	g := graph.New("test")
	picture, other := g.Input("picture", 1, 3, 32, 32), g.Input("other", 1, 3, 32, 32)
	values, otherValues := r.Values(g, picture), r.Values(g, other)
	d := loss.Cosine(g, r.Identity(g, values), r.Identity(g, otherValues))
	gradient, err := graph.Gradient(d, picture)
	if err != nil {
		t.Fatal(err)
	}
	g.Output("values", values)
	g.Output("other_values", otherValues)
	g.Output("distance", d)
	g.Output("gradient", gradient[0])
	s := run(t, g, func(s *ort.Session) {
		copy(s.Input("picture"), read("picture", 1, 3, 32, 32))
		copy(s.Input("other"), read("other", 1, 3, 32, 32))
	})
	for name, want := range map[string][]float32{
		"values": read("values", 1, 6), "other_values": read("other_values", 1, 6),
		"distance": read("distance", 1), "gradient": read("gradient", 1, 3, 32, 32),
	} {
		difference, size := 0.0, 0.0
		for i, v := range s.Output(name) {
			difference += math.Pow(float64(v-want[i]), 2)
			size += math.Pow(float64(want[i]), 2)
		}
		if e := math.Sqrt(difference / size); !(e < 1e-4) {
			t.Errorf("%s differs by %v of its length, want at most 1e-4", name, e)
		}
	}
	if got, want := 1-r.Same(s.Output("values"), s.Output("other_values")), float64(s.Output("distance")[0]); math.Abs(got-want) > 1e-5 {
		t.Errorf("the distance of identities outside the graph is %v, in it %v", got, want)
	}
	if !r.HasIdentity() || len(r.Outputs) != 6 || r.Outputs[3].Identity || r.Outputs[0].R2 != 0.9 {
		t.Errorf("outputs are %+v", r.Outputs)
	}
}

func TestReadingsFit(t *testing.T) {
	r, err := loss.ReadReadings(readingsFixture(t))
	if err != nil {
		t.Fatal(err)
	}
	for size, want := range map[image.Point]bool{
		{X: 16, Y: 16}: true, {X: 32, Y: 32}: true, {X: 256, Y: 256}: true,
		{X: 8, Y: 8}: false, {X: 48, Y: 48}: false, {X: 32, Y: 16}: false,
	} {
		if got := r.Fits(size); got != want {
			t.Errorf("fits %v: %v, want %v", size, got, want)
		}
	}
}

// otherwise is the fixture's network with other metadata.
func otherwise(t testing.TB, meta map[string]string) *safetensors.File {
	t.Helper()
	f := readingsFixture(t)
	all := maps.Clone(f.Metadata())
	maps.Copy(all, meta)
	var tensors []safetensors.Tensor
	for _, name := range f.Names() {
		info, _ := f.Info(name)
		v, err := f.Float32s(name, info.Shape...)
		if err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, safetensors.Float32(name, v, info.Shape...))
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, all, tensors...); err != nil {
		t.Skip("the metadata cannot be written: ", err) // only under fuzzing
	}
	out, err := safetensors.NewFile("readings.safetensors", bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Skip("the metadata cannot be read: ", err)
	}
	return out
}

func TestReadReadingsRefuses(t *testing.T) {
	many, _ := json.Marshal(make([]loss.Reading, 7))
	for name, c := range map[string]struct{ key, value, want string }{
		"format":       {"format", "latentbrush-perceptual", "latentbrush-readings"},
		"no size":      {"size", "", "size"},
		"large size":   {"size", "100000", "size"},
		"small size":   {"size", "2", "nothing is left"},
		"another size": {"size", "32", "fc.weight"},
		"no outputs":   {"outputs", "[]", "outputs"},
		"broken":       {"outputs", "{", "outputs"},
		"too many":     {"outputs", string(many), "fc.weight"},
		"layers":       {"layers", `[{"pool":3}]`, "pool"},
	} {
		if _, err := loss.ReadReadings(otherwise(t, map[string]string{c.key: c.value})); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one about %q", name, err, c.want)
		}
	}
}

func FuzzReadReadings(f *testing.F) {
	m := readingsFixture(f).Metadata()
	f.Add(m["layers"], m["size"], m["outputs"])
	f.Fuzz(func(t *testing.T, layers, size, outputs string) {
		_, _ = loss.ReadReadings(otherwise(t, map[string]string{"layers": layers, "size": size, "outputs": outputs}))
	})
}
