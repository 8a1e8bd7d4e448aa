package segmentation_test

import (
	"errors"
	"image"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"latentbrush/engine/graph"
	"latentbrush/engine/model"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/ort"
	"latentbrush/engine/segmentation"
)

// runGraph computes all outputs of g once on the CPU.
func runGraph(t *testing.T, g *graph.Graph, inputs map[string][]float32) map[string][]float32 {
	t.Helper()
	rt, err := ort.Open(t.Context(), ort.Options{Device: ort.CPU})
	if err != nil {
		t.Fatal(err)
	}
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

func random(seed uint64, n int) []float32 {
	rng := rand.New(rand.NewPCG(seed, 1))
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(rng.NormFloat64())
	}
	return out
}

// sample reads a square map of the given size at a pixel of the enlarged map, bilinearly with
// half-pixel centres and the edge repeated.
func sample(x []float32, size, enlarged, py, px int) float64 {
	at := func(p int) (int, int, float64) {
		f := (float64(p)+0.5)*float64(size)/float64(enlarged) - 0.5
		f = math.Min(math.Max(f, 0), float64(size-1))
		i := int(f)
		return i, min(i+1, size-1), f - float64(i)
	}
	y0, y1, fy := at(py)
	x0, x1, fx := at(px)
	v := func(y, x1 int) float64 { return float64(x[y*size+x1]) }
	return (1-fy)*((1-fx)*v(y0, x0)+fx*v(y0, x1)) + fy*((1-fx)*v(y1, x0)+fx*v(y1, x1))
}

// TestAgainstStackedFeatures enlarges and stacks all maps and applies the layers pixel
// by pixel, as the method is defined.
func TestAgainstStackedFeatures(t *testing.T) {
	for _, spec := range []modeltest.Spec{
		{Hidden: []int{}, Members: 1},
		{Hidden: []int{}, Members: 3},
		{Hidden: []int{6}, Members: 2, Norm: true, Crop: []int{3, 8, 32, 20}},
		{Hidden: []int{6, 4}, Members: 1, Norm: true},
	} {
		m, err := modeltest.Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		head, err := segmentation.New(m)
		if err != nil {
			t.Fatal(err)
		}
		info, man := head.Info(), m.Manifest
		g := graph.New("head")
		features := map[string]*graph.Value{}
		inputs := map[string][]float32{}
		for i, f := range man.Features() {
			features[f.Name] = g.Input(f.Name, 1, f.Channels, f.Resolution, f.Resolution)
			inputs[f.Name] = random(uint64(i), f.Channels*f.Resolution*f.Resolution)
		}
		out, err := head.Apply(g, man, features)
		if err != nil {
			t.Fatal(err)
		}
		g.Output("logits", out.Logits)
		g.Output("members", out.Members)
		got := runGraph(t, g, inputs)

		file, _ := m.Head()
		read := func(name string) []float32 {
			i, ok := file.Info(name)
			if !ok {
				return nil
			}
			data, err := file.Float32s(name, i.Shape...)
			if err != nil {
				t.Fatal(err)
			}
			return data
		}
		crop := man.CropRect()
		w, h, k := crop.Dx(), crop.Dy(), info.Classes
		sizes := append(append([]int(nil), info.Hidden...), k)
		for _, p := range []image.Point{{}, {w - 1, h - 1}, {w / 2, h / 3}, {1, h - 2}} {
			mean := make([]float64, k)
			for member := range info.Members {
				var x []float64
				for _, f := range info.Features {
					for c := range f.Channels {
						plane := inputs[f.Name][c*f.Resolution*f.Resolution:][:f.Resolution*f.Resolution]
						x = append(x, sample(plane, f.Resolution, man.Resolution, p.Y+crop.Min.Y, p.X+crop.Min.X))
					}
				}
				for l, n := range sizes {
					name := "layers." + string(rune('0'+l)) + "."
					weight, bias := read(name+"weight"), read(name+"bias")
					y := make([]float64, n)
					for o := range y {
						y[o] = float64(bias[member*n+o])
						for i, v := range x {
							y[o] += float64(weight[(member*n+o)*len(x)+i]) * v
						}
						if l == len(sizes)-1 {
							continue
						}
						y[o] = math.Max(y[o], 0)
						if gain := read(name + "norm.weight"); gain != nil {
							at := member*n + o
							y[o] = (y[o]-float64(read(name + "norm.running_mean")[at]))/math.Sqrt(float64(read(name + "norm.running_var")[at])+1e-5)*float64(gain[at]) + float64(read(name + "norm.bias")[at])
						}
					}
					x = y
				}
				for c, v := range x {
					mean[c] += v / float64(info.Members)
					at := ((member*k+c)*h+p.Y)*w + p.X
					if d := math.Abs(float64(got["members"][at]) - v); d > 1e-4 {
						t.Errorf("%v: member %d, class %d at %v is %g, want %g", spec.Hidden, member, c, p, got["members"][at], v)
					}
				}
			}
			for c, v := range mean {
				if d := math.Abs(float64(got["logits"][(c*h+p.Y)*w+p.X]) - v); d > 1e-4 {
					t.Errorf("%v: class %d at %v is %g, want %g", spec.Hidden, c, p, got["logits"][(c*h+p.Y)*w+p.X], v)
				}
			}
		}
	}
}

// TestProgressiveKeepsConstants: every way of enlarging must keep maps that are constant.
func TestProgressiveKeepsConstants(t *testing.T) {
	var answers [][]float32
	for _, upsample := range []string{model.UpsampleBilinear, model.UpsampleProgressive} {
		m, err := modeltest.Open(modeltest.Spec{Upsample: upsample})
		if err != nil {
			t.Fatal(err)
		}
		head, err := segmentation.New(m)
		if err != nil {
			t.Fatal(err)
		}
		g := graph.New("head")
		features := map[string]*graph.Value{}
		inputs := map[string][]float32{}
		for i, f := range m.Manifest.Features() {
			features[f.Name] = g.Input(f.Name, 1, f.Channels, f.Resolution, f.Resolution)
			area := f.Resolution * f.Resolution
			data := make([]float32, f.Channels*area)
			for c, v := range random(uint64(i), f.Channels) {
				for j := range area {
					data[c*area+j] = v
				}
			}
			inputs[f.Name] = data
		}
		out, err := head.Apply(g, m.Manifest, features)
		if err != nil {
			t.Fatal(err)
		}
		g.Output("logits", out.Logits)
		answers = append(answers, runGraph(t, g, inputs)["logits"])
	}
	for i, v := range answers[0] {
		if math.Abs(float64(v-answers[1][i])) > 1e-4 {
			t.Fatalf("logit %d: bilinear %g, progressive %g", i, v, answers[1][i])
		}
	}
}

func TestDivergence(t *testing.T) {
	g := graph.New("divergence")
	// Pixels: members agree; they contradict each other; one is certain, the other torn.
	const sure = 40
	members := g.Input("members", 2, 2, 1, 3)
	g.Output("js", segmentation.Divergence(g, members))
	js := runGraph(t, g, map[string][]float32{"members": {
		1, sure, sure, 2, 0, 0,
		1, 0, 0, 2, sure, 0,
	}})["js"]
	entropy := func(p float64) float64 { return -p*math.Log(p) - (1-p)*math.Log(1-p) }
	for i, want := range []float64{0, math.Ln2, entropy(0.75) - entropy(0.5)/2} {
		if math.Abs(float64(js[i])-want) > 1e-5 {
			t.Errorf("pixel %d: %g, want %g", i, js[i], want)
		}
	}
}

func TestLabels(t *testing.T) {
	man := modeltest.Contents(modeltest.Spec{Classes: 3, Crop: []int{0, 0, 32, 31}}).Manifest
	const w, h, k = 32, 31, 3
	logits := random(3, k*w*h)
	logits[0], logits[w*h], logits[2*w*h] = 1, 1, 1
	confidence := image.NewGray(image.Rect(0, 0, w, h))
	labels := segmentation.Labels(nil, confidence, logits, &man)
	if labels.Pix[0] != 0 {
		t.Errorf("of equal logits class %d was taken, want the lowest", labels.Pix[0])
	}
	if confidence.Pix[0] != 85 {
		t.Errorf("confidence %d of three equal classes, want 255/3", confidence.Pix[0])
	}
	for i, id := range labels.Pix {
		var sum float64
		for c := range k {
			if logits[c*w*h+i] > logits[int(id)*w*h+i] {
				t.Fatalf("pixel %d: class %d, but %d is larger", i, id, c)
			}
			sum += math.Exp(float64(logits[c*w*h+i] - logits[int(id)*w*h+i]))
		}
		if d := float64(confidence.Pix[i]) - 255/sum; math.Abs(d) > 0.51 {
			t.Fatalf("pixel %d: confidence %d, want %g", i, confidence.Pix[i], 255/sum)
		}
	}
	second, odds := segmentation.Second(labels, logits, &man)
	if second.Pix[0] != 1 || odds.Pix[0] != 255 {
		t.Errorf("of equal logits class %d comes second at odds of %d, want 1 at 255", second.Pix[0], odds.Pix[0])
	}
	for i, id := range second.Pix {
		if id == labels.Pix[i] {
			t.Fatalf("pixel %d: class %d is both first and second", i, id)
		}
		for c := range k {
			if uint8(c) != labels.Pix[i] && logits[c*w*h+i] > logits[int(id)*w*h+i] {
				t.Fatalf("pixel %d: class %d comes second, but %d is larger", i, id, c)
			}
		}
		want := 255 * math.Exp(float64(logits[int(id)*w*h+i]-logits[int(labels.Pix[i])*w*h+i]))
		if math.Abs(float64(odds.Pix[i])-want) > 0.51 {
			t.Fatalf("pixel %d: odds of %d, want %g", i, odds.Pix[i], want)
		}
	}
	if len(labels.Palette) != 3 {
		t.Errorf("%d colours", len(labels.Palette))
	}
	if again := segmentation.Labels(labels, nil, logits, &man); again != labels {
		t.Error("labels of the right size were replaced")
	}
}

func TestErrors(t *testing.T) {
	m, err := modeltest.Open(modeltest.Spec{Classes: -1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := segmentation.New(m); !errors.Is(err, segmentation.ErrNoHead) {
		t.Errorf("model without a head: %v", err)
	}
	if m, err = modeltest.Open(modeltest.Spec{}); err != nil {
		t.Fatal(err)
	}
	head, err := segmentation.New(m)
	if err != nil {
		t.Fatal(err)
	}
	g := graph.New("head")
	features := map[string]*graph.Value{}
	if _, err := head.Apply(g, m.Manifest, features); err == nil || !strings.Contains(err.Error(), "b4.const is missing") {
		t.Errorf("no features: %v", err)
	}
	for _, f := range m.Manifest.Features() {
		features[f.Name] = g.Input(f.Name, 1, f.Channels, f.Resolution, f.Resolution)
	}
	features["b8.conv1"] = g.Input("other", 1, 3, 8, 8)
	if _, err := head.Apply(g, m.Manifest, features); err == nil || !strings.Contains(err.Error(), "b8.conv1 is [1 3 8 8]") {
		t.Errorf("wrong channels: %v", err)
	}
}
