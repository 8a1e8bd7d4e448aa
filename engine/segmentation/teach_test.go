package segmentation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"latentbrush/engine/graph"
	"latentbrush/engine/model"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/ort"
	"latentbrush/engine/stylegan2"
)

func opener(t testing.TB) NewSession {
	t.Helper()
	rt, err := ort.Open(context.Background(), ort.Options{Device: ort.CPU, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return func(model []byte) (Session, error) { return rt.NewSession(model, nil, nil, ort.SessionOptions{}) }
}

// random is a generator with a head of random weights, which is the truth of these tests.
func random(t testing.TB, s modeltest.Spec) (*model.Model, *stylegan2.Generator, *Head) {
	t.Helper()
	m, err := modeltest.Open(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	gen, err := stylegan2.New(m)
	if err != nil {
		t.Fatal(err)
	}
	head, err := New(m)
	if err != nil {
		t.Fatal(err)
	}
	return m, gen, head
}

func pairs(t testing.TB, gen *stylegan2.Generator, head *Head, from, n int) []Pair {
	t.Helper()
	l, err := NewLabeller(gen, head, opener(t), false)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var out []Pair
	for i := from; i < from+n; i++ {
		p := Pair{Name: fmt.Sprint(i), Code: gen.Sample(uint64(i), 1)}
		if p.Labels, _, err = l.Label(t.Context(), head, p.Code); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func teach(t testing.TB, gen *stylegan2.Generator, ps []Pair, classes int, o TeachOptions) (*Head, TeachStep) {
	t.Helper()
	var head *Head
	var last TeachStep
	for s, err := range Teach(t.Context(), gen, opener(t), ps, classes, o) {
		if err != nil {
			t.Fatal(err)
		}
		if last = s; s.Stage == StageDone {
			head = s.Head()
		}
	}
	if head == nil {
		t.Fatal("teaching ended without a head")
	}
	return head, last
}

var (
	spec  = modeltest.Spec{Seed: 3, Resolution: 32, Classes: 4, Members: 1, Hidden: []int{}, Crop: []int{0, 4, 32, 28}}
	quick = TeachOptions{Members: 2, Hidden: []int{16, 8}, Grid: 16, Pictures: 6, MaxSteps: 250, Rate: 0.03, Seed: 1}
)

// Labels made by a head that is known are learnt from a few pictures and found in others.
func TestTeachLearnsAKnownHead(t *testing.T) {
	simple := spec
	simple.Classes = 3
	_, gen, truth := random(t, simple)
	learn, held := pairs(t, gen, truth, 0, 24), pairs(t, gen, truth, 100, 12)
	for _, c := range []struct {
		name   string
		hidden []int
		up     string
	}{
		{"two hidden layers", quick.Hidden, model.UpsampleBilinear},
		{"linear", []int{}, model.UpsampleBilinear},
	} {
		o := quick
		o.Hidden, o.Upsample = c.hidden, c.up
		head, last := teach(t, gen, learn, 3, o)
		score, err := Evaluate(t.Context(), gen, head, opener(t), held)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: mIoU %.3f, accuracy %.3f after %d steps (%s), loss %.3f, %v", c.name, score.MeanIoU, score.Accuracy, last.Index, last.Reason, last.Smoothed, last.Elapsed.Round(time.Millisecond))
		if score.MeanIoU < 0.8 {
			t.Errorf("%s: mIoU on held-out latents is %.3f, want 0.8", c.name, score.MeanIoU)
		}
		var sum float64
		for _, o := range score.Classes {
			sum += float64(o.Intersection) / (1e-8 + float64(o.Union))
		}
		if math.Abs(sum/3-score.MeanIoU) > 1e-12 || score.Pictures != 12 {
			t.Errorf("score %+v does not agree with its classes", score)
		}
	}
}

func files(t *testing.T, h *Head) []byte {
	var out bytes.Buffer
	for _, x := range h.Tensors() {
		fmt.Fprintln(&out, x.Name, x.Shape)
		out.Write(x.Data)
	}
	return out.Bytes()
}

func TestTeachIsDeterministic(t *testing.T) {
	_, gen, truth := random(t, spec)
	learn := pairs(t, gen, truth, 0, 3)
	o := quick
	o.MaxSteps = 6
	a, _ := teach(t, gen, learn, 4, o)
	b, _ := teach(t, gen, learn, 4, o)
	if !bytes.Equal(files(t, a), files(t, b)) {
		t.Error("the same seed gave two heads")
	}
	o.Seed++
	if c, _ := teach(t, gen, learn, 4, o); bytes.Equal(files(t, a), files(t, c)) {
		t.Error("another seed gave the same head")
	}
}

func TestTeachStops(t *testing.T) {
	_, gen, truth := random(t, spec)
	learn := pairs(t, gen, truth, 0, 3)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got error
	after := 0
	for s, err := range Teach(ctx, gen, opener(t), learn, 4, quick) {
		if err != nil {
			got = err
			break
		}
		if ctx.Err() != nil {
			after++
		}
		if s.Stage == StageTraining && s.Index == 2 {
			cancel()
		}
	}
	if !errors.Is(got, context.Canceled) || after > 0 {
		t.Errorf("after the cancellation %d more steps and %v, want none and context.Canceled", after, got)
	}
	// A consumer may leave at any step.
	n := 0
	for range Teach(t.Context(), gen, opener(t), learn, 4, quick) {
		if n++; n == 5 {
			break
		}
	}
}

// The gradient of the loss in every kind of weight, through the statistics of the normalisation, against
// central differences.
func TestTeachGradient(t *testing.T) {
	_, gen, truth := random(t, spec)
	learn := pairs(t, gen, truth, 0, 2)
	tr := prepared(t, gen, learn, TeachOptions{Members: 2, Hidden: []int{6, 5}, Grid: 8, Pictures: 2, Seed: 4})
	defer tr.net.session.Close()
	rng := rand.New(rand.NewPCG(5, 6))
	for _, v := range tr.net.variables {
		for i := range v.data {
			v.data[i] += float32(0.3 * rng.NormFloat64())
		}
	}
	tr.fill()
	run := func() float64 {
		if err := tr.net.session.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The loss is the mean over the members, its gradient that of their sum.
		return float64(tr.net.session.Output("loss")[0]) * 2
	}
	run()
	gradients := map[string][]float32{}
	for _, v := range tr.net.variables {
		gradients[v.name] = slices.Clone(tr.net.session.Output("d " + v.name))
	}
	for _, v := range tr.net.variables {
		// Along a random direction, so that one difference looks at all elements.
		direction := make([]float32, len(v.data))
		want, norm := 0.0, 0.0
		for i := range direction {
			direction[i] = float32(rng.NormFloat64())
			norm += float64(direction[i]) * float64(direction[i])
		}
		norm = math.Sqrt(norm)
		for i := range direction {
			direction[i] /= float32(norm)
			want += float64(direction[i]) * float64(gradients[v.name][i])
		}
		const h = 2e-3
		base := slices.Clone(v.data)
		at := func(s float32) float64 {
			for i := range v.data {
				v.data[i] = base[i] + s*direction[i]
			}
			return run()
		}
		got := (at(h) - at(-h)) / (2 * h)
		copy(v.data, base)
		if math.Abs(got-want) > 2e-3+0.02*math.Abs(want) {
			t.Errorf("%s: slope %v by differences, %v by the gradient", v.name, got, want)
		}
	}
}

// prepared is a teacher before its first step.
func prepared(t testing.TB, gen *stylegan2.Generator, ps []Pair, o TeachOptions) *teacher {
	t.Helper()
	tr := &teacher{ctx: t.Context(), gen: gen, open: opener(t), pairs: ps, classes: 4, yield: func(TeachStep, error) bool { return true }, begun: time.Now()}
	if err := tr.prepare(o); err != nil {
		t.Fatal(err)
	}
	return tr
}

// The head that is returned is the one that was trained: with the statistics of one step its logits at the
// pixels of the grid are those that the training graph computed there.
func TestTaughtHeadIsTheTrainedOne(t *testing.T) {
	_, gen, truth := random(t, spec)
	learn := pairs(t, gen, truth, 0, 2)
	for _, up := range []string{model.UpsampleBilinear, model.UpsampleProgressive} {
		tr := prepared(t, gen, learn, TeachOptions{Members: 3, Hidden: []int{6, 5}, Grid: 8, Pictures: 1, Upsample: up, Seed: 4})
		rng := rand.New(rand.NewPCG(5, 6))
		for _, v := range tr.net.variables {
			for i := range v.data {
				v.data[i] += float32(0.3 * rng.NormFloat64())
			}
		}
		// The loss of one pixel after the other gives its logits' log-probabilities.
		tr.fill()
		target, weight := tr.net.session.Input("target"), tr.net.session.Input("weight")
		size := gen.Manifest().CropRect()
		rows, cols := []int{0, 3, 7, 8, 15, 16, 20, 23}, []int{0, 1, 5, 11, 17, 18, 30, 31}
		shifted := func(x []int, by int) []int {
			out := slices.Clone(x)
			for i := range out {
				out[i] += by
			}
			return out
		}
		tr.net.fillPicture(tr.cache, 1, 0, shifted(rows, size.Min.Y), shifted(cols, size.Min.X))
		clear(target)
		clear(weight)
		if err := tr.net.session.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		tr.net.updateStatistics()
		head := tr.net.head()
		members := logits(t, gen, head, learn[1])
		plane := size.Dx() * size.Dy()
		for i, y := range rows {
			for j, x := range cols {
				at, pixel := i*8+j, y*size.Dx()+x
				clear(target)
				clear(weight)
				weight[at] = 1
				target[2*64+at] = 1
				if err := tr.net.session.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				want := 0.0
				for m := range 3 {
					sum := 0.0
					for c := range 4 {
						sum += math.Exp(float64(members[(m*4+c)*plane+pixel]))
					}
					want += (math.Log(sum) - float64(members[(m*4+2)*plane+pixel])) / 3
				}
				if got := float64(tr.net.session.Output("loss")[0]); math.Abs(got-want) > 1e-4*(1+math.Abs(want)) {
					t.Fatalf("%s: pixel (%d, %d) has loss %v in training, %v by the head", up, x, y, got, want)
				}
			}
		}
		tr.net.session.Close()
	}
}

// logits returns each member's logits for a pair, [members, classes, h, w].
func logits(t *testing.T, gen *stylegan2.Generator, head *Head, p Pair) []float32 {
	t.Helper()
	out, _ := outputs(t, gen, head, p)
	return out
}

func outputs(t *testing.T, gen *stylegan2.Generator, head *Head, p Pair) (members, mean []float32) {
	t.Helper()
	man := gen.Manifest()
	g := graph.New("logits")
	s, err := gen.Synthesis(g, g.Input("code", man.Rows, man.WDim), 0)
	if err != nil {
		t.Fatal(err)
	}
	o, err := head.Apply(g, man, s.Features)
	if err != nil {
		t.Fatal(err)
	}
	g.Output("members", o.Members)
	g.Output("logits", o.Logits)
	bytes, err := g.Model()
	if err != nil {
		t.Fatal(err)
	}
	session, err := opener(t)(bytes)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	copy(session.Input("code"), p.Code.Data)
	if err := session.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(session.Output("members")), slices.Clone(session.Output("logits"))
}

// The fused ensemble gives the mean of what its members give alone.
func TestTaughtEnsembleIsTheMeanOfItsMembers(t *testing.T) {
	_, gen, truth := random(t, spec)
	learn := pairs(t, gen, truth, 0, 3)
	o := quick
	o.Members, o.MaxSteps = 3, 8
	head, _ := teach(t, gen, learn, 4, o)
	_, fused := outputs(t, gen, head, learn[0])
	sum := make([]float64, len(fused))
	var first []float32
	different := 0.0
	for i := range 3 {
		_, one := outputs(t, gen, head.Member(i), learn[0])
		for j, v := range one {
			sum[j] += float64(v) / 3
		}
		if first == nil {
			first = one
			continue
		}
		for j, v := range one {
			different = max(different, math.Abs(float64(v-first[j])))
		}
	}
	for j, v := range fused {
		if math.Abs(float64(v)-sum[j]) > 1e-4*(1+math.Abs(sum[j])) {
			t.Fatalf("logit %d is %v fused, the mean of the members is %v", j, v, sum[j])
		}
	}
	if different < 0.01 {
		t.Errorf("members differ by %v at most, want different members", different)
	}
	// Their disagreement is reported.
	l, err := NewLabeller(gen, head, opener(t), true)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, divergence, err := l.Label(t.Context(), head, learn[0].Code)
	if err != nil {
		t.Fatal(err)
	}
	u := Uncertainty(divergence)
	if top := float64(slices.Max(divergence)); !(u > 0 && u <= top && top <= math.Log(3)+1e-5) {
		t.Errorf("uncertainty %v of at most %v, want between 0 and log 3", u, top)
	}
	if _, _, err := l.Label(t.Context(), head.Member(0), learn[0].Code); err == nil {
		t.Error("a head of another shape was accepted")
	}
}

func TestTapsAreTheEnlargement(t *testing.T) {
	for _, progressive := range []bool{false, true} {
		for _, r := range []int{1, 2, 4, 16, 32} {
			for i, row := range taps(r, 32, progressive) {
				sum, at := 0.0, 0.0
				for _, p := range row {
					sum += float64(p.weight)
					at += float64(p.weight) * (float64(p.from) + 0.5) * 32 / float64(r)
				}
				// A linear ramp stays a ramp, except near the edges, which are repeated.
				if edge := 32 / r; math.Abs(sum-1) > 1e-6 || i >= edge && i < 32-edge && math.Abs(at-float64(i)-0.5) > 1e-4 {
					t.Errorf("progressive %v, %d → 32: pixel %d is at %v with weight %v", progressive, r, i, at, sum)
				}
			}
		}
	}
}

// The weights of drawn pixels stand for all pixels: on average the class-balanced sum over the
// picture.
func TestSamplingIsUnbiased(t *testing.T) {
	labels := image.NewPaletted(image.Rect(0, 0, 24, 16), nil)
	for y := range 16 {
		for x := range 24 {
			if y > 9 && x > 15 {
				labels.Pix[y*24+x] = 1
			}
			if y == 12 && x == 20 {
				labels.Pix[y*24+x] = 2
			}
			if y < 2 {
				labels.Pix[y*24+x] = Unlabelled
			}
		}
	}
	weights, err := balance([]Pair{{Labels: labels}}, 4)
	if err != nil {
		t.Fatal(err)
	}
	if weights[3] != 0 || !(weights[2] > weights[1] && weights[1] > weights[0]) {
		t.Errorf("weights %v", weights)
	}
	s := newSampler(labels, weights)
	rng := rand.New(rand.NewPCG(1, 2))
	var got, want [3]float64
	for _, c := range labels.Pix {
		if c < 3 {
			want[c] += weights[c] / (24 * 16)
		}
	}
	rows, cols := make([]int, 8), make([]int, 8)
	const n = 20000
	for range n {
		s.rows.draw(rng, rows)
		s.cols.draw(rng, cols)
		for _, y := range rows {
			for _, x := range cols {
				if c := labels.Pix[y*24+x]; c < 3 {
					got[c] += weights[c] / (s.rows.share[y] * 16 * s.cols.share[x] * 24 * 64 * n)
				}
			}
		}
	}
	for c := range want {
		if math.Abs(got[c]-want[c]) > 0.03*want[c] {
			t.Errorf("class %d: %v of the loss by sampling, %v by all pixels", c, got[c], want[c])
		}
	}
}

func TestTeachRefuses(t *testing.T) {
	_, gen, truth := random(t, spec)
	good := pairs(t, gen, truth, 0, 1)[0]
	with := func(change func(p *Pair)) []Pair {
		p := good
		p.Name = "left"
		p.Labels = &image.Paletted{Pix: slices.Clone(good.Labels.Pix), Stride: good.Labels.Stride, Rect: good.Labels.Rect}
		change(&p)
		return []Pair{good, p}
	}
	for _, c := range []struct {
		pairs   []Pair
		classes int
		o       TeachOptions
		says    string
	}{
		{nil, 4, quick, "no labelled pairs"},
		{with(func(p *Pair) { p.Code.Rows--; p.Code.Data = p.Code.Data[p.Code.Dim:] }), 4, quick, "pair left"},
		{with(func(p *Pair) { p.Labels.Rect = image.Rect(0, 0, 32, 20) }), 4, quick, "labels are 32 × 20, want 32 × 24"},
		{with(func(p *Pair) { p.Labels.Pix[35] = 7 }), 4, quick, "pixel (3, 1) has class 7, the classes are 0 to 3"},
		{with(func(p *Pair) { p.Labels = nil }), 4, quick, "pair left has no labels"},
		{with(func(p *Pair) {
			for i := range p.Labels.Pix {
				p.Labels.Pix[i] = Unlabelled
			}
		})[1:], 4, quick, "no pixel of any pair has a label"},
		{[]Pair{good}, 1, quick, "1 classes"},
		{[]Pair{good}, 4, TeachOptions{Members: 65}, "members: 65, want 1 to 64"},
		{[]Pair{good}, 4, TeachOptions{Hidden: []int{8, 0}}, "hidden layer of 0"},
		{[]Pair{good}, 4, TeachOptions{Memory: 1000}, "1 pairs take 0 MB"},
		{[]Pair{good}, 4, TeachOptions{Upsample: "cubic"}, `upsampling "cubic"`},
	} {
		var err error
		for _, err = range Teach(t.Context(), gen, opener(t), c.pairs, c.classes, c.o) {
			if err != nil {
				break
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want an error with %q, got %v", c.says, err)
		}
	}
}
