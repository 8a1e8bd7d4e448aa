package stylegan2_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"latentbrush/engine/checkpoint"
	"latentbrush/engine/graph"
	"latentbrush/engine/model"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/ort"
	"latentbrush/engine/segmentation"
	"latentbrush/engine/stylegan2"
)

// tolerance is relative to the largest number of the reference tensor.
const tolerance = 1e-4

func openRuntime(t testing.TB) *ort.Runtime {
	t.Helper()
	rt, err := ort.Open(t.Context(), ort.Options{Device: ort.CPU})
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

// run builds a model of the graph's outputs and runs it once.
func run(t testing.TB, rt *ort.Runtime, g *graph.Graph, inputs map[string][]float32) map[string][]float32 {
	t.Helper()
	bytes, err := g.Model()
	if err != nil {
		t.Fatal(err)
	}
	s, err := rt.NewSession(bytes, nil, nil, ort.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, data := range inputs {
		copy(s.Input(name), data)
	}
	if err := s.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	out := map[string][]float32{}
	for _, spec := range s.Outputs() {
		out[spec.Name] = append([]float32(nil), s.Output(spec.Name)...)
	}
	return out
}

// fixture is a file of testdata/make_fixtures.py.
type fixture struct {
	file  *safetensors.File
	model *model.Model
}

func openFixture(t *testing.T, name string) fixture {
	t.Helper()
	f, err := safetensors.Open(os.DirFS("testdata"), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	state := checkpoint.State{}
	var head []safetensors.Tensor
	for _, n := range f.Names() {
		info, _ := f.Info(n)
		data, err := f.Float32s(n, info.Shape...)
		if err != nil {
			t.Fatal(err)
		}
		if rest, ok := strings.CutPrefix(n, "head."); ok {
			head = append(head, safetensors.Float32(rest, data, info.Shape...))
		} else if !strings.HasPrefix(n, "expect.") {
			state[n] = checkpoint.Tensor{Shape: info.Shape, Data: data}
		}
	}
	meta := f.Metadata()
	var crop []int
	if err := json.Unmarshal([]byte(meta["crop"]), &crop); err != nil {
		t.Fatal(err)
	}
	clamp, err := strconv.ParseFloat(meta["clamp"], 64)
	if err != nil {
		t.Fatal(err)
	}
	var contents *model.Contents
	if strings.HasPrefix(name, "rosinality") {
		mean := state["latent_avg"].Data
		contents, err = checkpoint.Rosinality(state, mean, checkpoint.Options{Crop: crop})
	} else {
		contents, err = checkpoint.FromADA(state, checkpoint.ADA{Clamp: clamp}, checkpoint.Options{Crop: crop})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(meta["head"]), &contents.HeadMetadata); err != nil {
		t.Fatal(err)
	}
	contents.Head = head
	k, err := strconv.Atoi(contents.HeadMetadata["classes"])
	if err != nil {
		t.Fatal(err)
	}
	for i := range k {
		contents.Manifest.Classes = append(contents.Manifest.Classes,
			model.Class{ID: i, Name: fmt.Sprint("class ", i), Colour: model.Colour{R: uint8(i), A: 255}})
	}
	m, err := contents.Open()
	if err != nil {
		t.Fatal(err)
	}
	return fixture{f, m}
}

func (f fixture) expect(t *testing.T, name string) []float32 {
	t.Helper()
	info, ok := f.file.Info("expect." + name)
	if !ok {
		t.Fatalf("the fixture has no %s", name)
	}
	data, err := f.file.Float32s("expect."+name, info.Shape...)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// relative returns the largest difference over the largest reference number.
func relative(t testing.TB, got, want []float32) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d numbers, want %d", len(got), len(want))
	}
	var diff, top float64
	for i, w := range want {
		diff = math.Max(diff, math.Abs(float64(got[i])-float64(w)))
		top = math.Max(top, math.Abs(float64(w)))
		if got[i] != got[i] {
			return math.Inf(1)
		}
	}
	return diff / top
}

func TestAgainstPyTorch(t *testing.T) {
	rt := openRuntime(t)
	for _, name := range []string{"ada32.safetensors", "rosinality64.safetensors"} {
		t.Run(name, func(t *testing.T) { againstPyTorch(t, rt, openFixture(t, name), true) })
	}
}

// againstPyTorch compares picture, logits, loss and the gradient in W+, and with everything set
// also every feature map, the members of the head and the gradients in its weights.
func againstPyTorch(t *testing.T, rt *ort.Runtime, f fixture, everything bool) {
	worst := 0.0
	check := func(name string, got, want []float32) {
		t.Helper()
		d := relative(t, got, want)
		worst = math.Max(worst, d)
		if d > tolerance {
			t.Errorf("%s differs by %.2g", name, d)
		}
	}
	man := f.model.Manifest
	gen, err := stylegan2.New(f.model)
	if err != nil {
		t.Fatal(err)
	}
	z := f.expect(t, "z")
	w := gen.Map(z)
	check("w", w, f.expect(t, "w"))
	check("truncated w", gen.Truncate(w, 0.7), f.expect(t, "w_truncated"))

	g := graph.New("reference")
	if everything {
		g.Output("w", gen.MapGraph(g, g.Input("z", 1, man.ZDim)))
	}
	ws := g.Input("ws", man.Rows, man.WDim)
	syn, err := gen.Synthesis(g, ws, 0)
	if err != nil {
		t.Fatal(err)
	}
	head, err := segmentation.New(f.model)
	if err != nil {
		t.Fatal(err)
	}
	info := head.Info()
	// The weights are inputs here, so that their gradient can be asked.
	inputs := map[string][]float32{"ws": f.expect(t, "ws")}
	if everything {
		inputs["z"] = z
	}
	var trained []*graph.Value
	var trainedNames []string
	var params []segmentation.Params
	weights, _ := f.model.Head()
	input := func(name string, shape ...int) *graph.Value {
		data, err := weights.Float32s(name, shape...)
		if err != nil {
			t.Fatal(err)
		}
		if !everything {
			return nil
		}
		inputs[name] = data
		v := g.Input(name, shape...)
		if !strings.Contains(name, "running") {
			trained = append(trained, v)
			trainedNames = append(trainedNames, name)
		}
		return v
	}
	in := info.Inputs()
	for l, n := range append(append([]int(nil), info.Hidden...), info.Classes) {
		p, m := fmt.Sprintf("layers.%d.", l), info.Members
		layer := segmentation.Params{Weight: input(p+"weight", m, n, in), Bias: input(p+"bias", m, n)}
		if l < len(info.Norm) && info.Norm[l] {
			layer.Gain, layer.Shift = input(p+"norm.weight", m, n), input(p+"norm.bias", m, n)
			layer.Mean, layer.Variance = input(p+"norm.running_mean", m, n), input(p+"norm.running_var", m, n)
		}
		params = append(params, layer)
		in = n
	}
	if !everything {
		params = head.Params(g)
	}
	out, err := segmentation.Apply(g, info, params, syn.Features, man.Resolution, man.CropRect())
	if err != nil {
		t.Fatal(err)
	}
	fixed, err := head.Apply(g, man, syn.Features)
	if err != nil {
		t.Fatal(err)
	}

	size := man.Size()
	h, wd, k := size.Y, size.X, len(man.Classes)
	target, region := f.expect(t, "target"), f.expect(t, "region")
	hot := make([]float32, k*h*wd)
	outside := make([]float32, h*wd)
	var inside float32
	for i, r := range region {
		inside += r
		outside[i] = 1 - r
		hot[int(target[i])*h*wd+i] = r
	}
	logs := g.LogSoftmax(out.Logits, 1)
	ce := g.Scale(g.Sum(g.Mul(logs, g.Const("target", hot, 1, k, h, wd))), -1/inside)
	diff := g.Sub(syn.Image, g.Const("photo", f.expect(t, "photo"), 1, 3, h, wd))
	l2 := g.Scale(g.Sum(g.Mul(g.Square(diff), g.Const("outside", outside, 1, 1, h, wd))), 1/(3*(float32(h*wd)-inside)))
	loss := g.Add(ce, g.Scale(l2, 2))
	if !everything {
		trained, trainedNames = nil, nil
	}
	grads, err := graph.Gradient(loss, append([]*graph.Value{ws}, trained...)...)
	if err != nil {
		t.Fatal(err)
	}
	g.Output("image", syn.Image)
	g.Output("logits", out.Logits)
	g.Output("loss", loss)
	g.Output("grad.ws", grads[0])
	if everything {
		g.Output("fixed logits", fixed.Logits)
		g.Output("members", fixed.Members)
		g.Output("js", segmentation.Divergence(g, fixed.Members))
		for i, n := range trainedNames {
			g.Output("grad."+n, grads[i+1])
		}
		for _, feature := range man.Features()[1:] {
			g.Output("feature."+feature.Name, syn.Features[feature.Name])
		}
	}
	got := run(t, rt, g, inputs)
	for name, data := range got {
		switch name {
		case "fixed logits":
			check(name, data, f.expect(t, "logits"))
		case "members":
		case "js":
			want := f.expect(t, name)
			// With one member it is 0, up to rounding of entropies near 1.
			for i, v := range data {
				if math.Abs(float64(v-want[i])) > 1e-5 {
					t.Errorf("divergence at %d is %g, want %g", i, v, want[i])
					break
				}
			}
		default:
			check(name, data, f.expect(t, name))
		}
	}
	t.Logf("%d tensors, largest relative difference %.2g", len(got)+2, worst)
}
