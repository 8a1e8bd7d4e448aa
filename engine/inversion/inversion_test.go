package inversion_test

import (
	"bytes"
	"context"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"latentbrush/engine/graph"
	"latentbrush/engine/inversion"
	"latentbrush/engine/latent"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/ort"
	"latentbrush/engine/stylegan2"
)

const dim = 16

// small is an encoder for the small test model, with made-up axes.
func small(t testing.TB, seed uint64) *inversion.Encoder {
	t.Helper()
	c := inversion.Config{
		Rows: 8, Dim: dim, Height: 32, Width: 32, Pool: 1, Axes: 4,
		Channels: []int{6, 8, 10, 12}, Pyramid: 6, Hidden: 16, RowHidden: 5,
	}
	mean := make([]float32, dim)
	axes := make([][]float32, c.Axes)
	for k := range axes {
		axes[k] = make([]float32, dim)
		axes[k][2*k], axes[k][2*k+1] = 0.6, float32(0.8-0.3*float64(k))
	}
	for i := range mean {
		mean[i] = float32(i) / 40
	}
	e, err := inversion.NewEncoder(c, mean, axes, seed)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func session(t testing.TB, model []byte) *ort.Session {
	t.Helper()
	rt, err := ort.Open(context.Background(), ort.Options{Device: ort.CPU, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	s, err := rt.NewSession(model, nil, nil, ort.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// toy draws codes along the axes and pictures that show them: four blobs whose
// brightness is a coordinate.
type toy struct{ e *inversion.Encoder }

func (s toy) Fill(_ context.Context, step int, pictures, codes []float32) error {
	r := rand.New(rand.NewPCG(uint64(step), 5))
	for n := range len(codes) / dim {
		code := codes[n*dim:][:dim]
		copy(code, s.e.Mean)
		picture := pictures[n*3*1024:][:3*1024]
		for k := range s.e.Axes {
			u := float32(r.NormFloat64())
			for d, v := range s.e.Basis[k*dim:][:dim] {
				code[d] += u * v
			}
			for y := range 16 {
				for x := range 16 {
					for c := range 3 {
						picture[c*1024+(y+16*(k/2))*32+x+16*(k%2)] = float32(math.Tanh(float64(u))) * float32(1+c) / 3
					}
				}
			}
		}
	}
	return nil
}

func trainer(t testing.TB, o inversion.TrainOptions) (*inversion.Trainer, *ort.Session) {
	t.Helper()
	tr, err := inversion.NewTrainer(small(t, 1), []float32{1, 1, 1, 1}, o)
	if err != nil {
		t.Fatal(err)
	}
	return tr, session(t, stepModel(t, tr))
}

func stepModel(t testing.TB, tr *inversion.Trainer) []byte {
	t.Helper()
	m, err := modeltest.Open(modeltest.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	gen, err := stylegan2.New(m)
	if err != nil {
		t.Fatal(err)
	}
	model, err := tr.Model(gen)
	if err != nil {
		t.Fatal(err)
	}
	return model
}

func options(steps int) inversion.TrainOptions {
	return inversion.TrainOptions{Steps: steps, Batch: 8, Rate: 3e-3, Pictures: 1, Resolution: 16}.Filled(32)
}

// Training lowers the loss on pictures it has not seen.
func TestTrainingLearns(t *testing.T) {
	o := options(150)
	o.Pictures = -1
	tr, s := trainer(t, o.Filled(32))
	samples := toy{tr.Encoder}
	before, err := tr.Evaluate(context.Background(), s, samples, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for !tr.Done() {
		if _, err := tr.Step(context.Background(), s, samples); err != nil {
			t.Fatal(err)
		}
	}
	after, err := tr.Evaluate(context.Background(), s, samples, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	// Four coordinates of variance one; the squashed brightness tells them.
	if before.Latent < 2 || after.Latent > 0.25*before.Latent {
		t.Errorf("loss %v before, %v after; want at most a quarter", before.Latent, after.Latent)
	}
}

// The gradients of the training step, with both terms, against central differences of
// its loss.
func TestTrainingGradient(t *testing.T) {
	tr, s := trainer(t, options(2))
	samples := toy{tr.Encoder}
	ctx := context.Background()
	// Away from the kinks: with biases of zero, even parts of a picture lie on them.
	for _, p := range tr.Encoder.Parameters() {
		if strings.HasSuffix(p.Name, ".bias") && !strings.HasPrefix(p.Name, "shared") && !strings.HasPrefix(p.Name, "rows") {
			for i := range p.Data {
				p.Data[i] = 0.4 * float32(1-2*(i%2))
			}
		}
	}
	if _, err := tr.Evaluate(ctx, s, samples, 3); err != nil {
		t.Fatal(err)
	}
	gradients := map[string][]float32{}
	for _, p := range tr.Encoder.Parameters() {
		gradients[p.Name] = append([]float32(nil), s.Output("d."+p.Name)...)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, p := range tr.Encoder.Parameters() {
		direction := make([]float32, len(p.Data))
		want := 0.0
		norm := 0.0
		for i := range direction {
			direction[i] = float32(r.NormFloat64())
			norm += float64(direction[i]) * float64(direction[i])
		}
		for i, d := range gradients[p.Name] {
			direction[i] /= float32(math.Sqrt(norm))
			want += float64(d) * float64(direction[i])
		}
		const h = 2e-3
		var v [2]float64
		kept := append([]float32(nil), p.Data...)
		for k, sign := range []float32{h, -h} {
			for i, d := range direction {
				p.Data[i] = kept[i] + sign*d
			}
			e, err := tr.Evaluate(ctx, s, samples, 3)
			if err != nil {
				t.Fatal(err)
			}
			v[k] = e.Loss
		}
		copy(p.Data, kept)
		if got := (v[0] - v[1]) / (2 * h); math.Abs(got-want) > 0.02*math.Abs(want)+2e-3 {
			t.Errorf("%s: gradient %v, differences %v", p.Name, want, got)
		}
	}
}

// A training that was saved in the middle and read again ends with the same weights.
func TestResumeIsTheSame(t *testing.T) {
	ctx := context.Background()
	whole, s := trainer(t, options(6))
	for !whole.Done() {
		if _, err := whole.Step(ctx, s, toy{whole.Encoder}); err != nil {
			t.Fatal(err)
		}
	}
	half, s := trainer(t, options(6))
	for range 3 {
		if _, err := half.Step(ctx, s, toy{half.Encoder}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "t.safetensors")
	if err := half.Save(path); err != nil {
		t.Fatal(err)
	}
	again := readTraining(t, path)
	for !again.Done() {
		if _, err := again.Step(ctx, s, toy{again.Encoder}); err != nil {
			t.Fatal(err)
		}
	}
	for i, p := range whole.Encoder.Parameters() {
		for j, v := range p.Data {
			if w := again.Encoder.Parameters()[i].Data[j]; v != w {
				t.Fatalf("%s[%d] is %v after resuming, %v without", p.Name, j, w, v)
			}
		}
	}
	if len(again.Curve) != 6 || again.Curve[2].Loss == 0 {
		t.Errorf("curve of %d points", len(again.Curve))
	}
}

func open(t testing.TB, path string) *safetensors.File {
	t.Helper()
	dir, name := filepath.Split(path)
	f, err := safetensors.Open(os.DirFS(dir), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func readTraining(t testing.TB, path string) *inversion.Trainer {
	t.Helper()
	tr, err := inversion.ReadTraining(open(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// answer runs an encoder.
func answer(t *testing.T, e *inversion.Encoder, seed uint64) []float32 {
	t.Helper()
	g := graph.New("encoder")
	code, err := e.Graph(g, g.Input("picture", 1, 3, e.Height, e.Width))
	if err != nil {
		t.Fatal(err)
	}
	g.Output("code", code)
	model, err := g.Model()
	if err != nil {
		t.Fatal(err)
	}
	s := session(t, model)
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range s.Input("picture") {
		s.Input("picture")[i] = float32(r.Float64()*2 - 1)
	}
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return append([]float32(nil), s.Output("code")...)
}

// A file gives back the encoder, in half precision nearly; an untrained one answers
// near the mean.
func TestEncoderFile(t *testing.T) {
	e := small(t, 7)
	e.Range = inversion.Range{PSNR: 21, Distance: 1.7}
	want := answer(t, e, 1)
	for i, v := range want {
		if math.Abs(float64(v-e.Mean[i%dim])) > 1.5 {
			t.Errorf("untrained answer %d is %v, the mean %v", i, v, e.Mean[i%dim])
		}
	}
	for _, half := range []bool{false, true} {
		f := file(t, e, half, nil)
		got, err := inversion.ReadEncoder(f)
		if err != nil {
			t.Fatal(err)
		}
		if got.Range != e.Range || got.Size() != e.Size() {
			t.Errorf("range %v, %d weights", got.Range, got.Size())
		}
		worst := 0.0
		for i, v := range answer(t, got, 1) {
			worst = max(worst, math.Abs(float64(v-want[i])))
		}
		if limit := map[bool]float64{false: 0, true: 5e-3}[half]; worst > limit {
			t.Errorf("half %v: the answer is off by %v", half, worst)
		}
		if _, err := inversion.ReadTraining(f); err == nil {
			t.Error("an encoder without a training was resumed")
		}
	}
	other := small(t, 8)
	if n := other.Transplant(e); n != e.Size() {
		t.Errorf("%d of %d weights were taken over", n, e.Size())
	}
	if v := answer(t, other, 1); math.Abs(float64(v[3]-want[3])) > 1e-5 {
		t.Errorf("after taking over all weights the answer is %v, want %v", v[3], want[3])
	}
	// In other axes of the same plane and about another mean in it.
	axes := make([][]float32, e.Axes)
	mean := append([]float32(nil), e.Mean...)
	for k := range axes {
		axes[k] = make([]float32, dim)
		a, b := e.Basis[(k/2*2)*dim:][:dim], e.Basis[(k/2*2+1)*dim:][:dim]
		for d := range axes[k] {
			if k%2 == 0 {
				axes[k][d] = 2 * (0.6*a[d] + 0.8*b[d])
			} else {
				axes[k][d] = 0.7*a[d] - 0.4*b[d]
			}
			mean[d] += 0.1 * a[d] * float32(k%2)
		}
	}
	orthogonal(axes)
	turned, err := inversion.NewEncoder(e.Config, mean, axes, 9)
	if err != nil {
		t.Fatal(err)
	}
	turned.Transplant(e)
	for i, v := range answer(t, turned, 1) {
		if math.Abs(float64(v-want[i])) > 1e-4 {
			t.Fatalf("in other axes answer %d is %v, want %v", i, v, want[i])
		}
	}
}

// orthogonal makes the second axis of each pair orthogonal to the first.
func orthogonal(axes [][]float32) {
	for k := 1; k < len(axes); k += 2 {
		product, square := float32(0), float32(0)
		for d, v := range axes[k-1] {
			product += v * axes[k][d]
			square += v * v
		}
		for d, v := range axes[k-1] {
			axes[k][d] -= v * product / square
		}
	}
}

// The same weights for wide pictures that are averaged first, whose sizes do not
// divide evenly.
func TestEncoderOddSizes(t *testing.T) {
	c := inversion.Config{
		Rows: 2, Dim: 3, Height: 60, Width: 84, Pool: 2, Axes: 1,
		Channels: []int{4, 5, 6}, Pyramid: 3, Hidden: 4, RowHidden: 2,
	}
	e, err := inversion.NewEncoder(c, make([]float32, 3), [][]float32{{1, 0, 0}}, 3)
	if err != nil {
		t.Fatal(err)
	}
	if got := answer(t, e, 1); len(got) != 6 || got[0] == 0 || got[1] != 0 {
		t.Errorf("answer %v", got)
	}
}

func file(t testing.TB, e *inversion.Encoder, half bool, change func(map[string]string)) *safetensors.File {
	t.Helper()
	meta, tensors, err := e.Tensors(half)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(meta)
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, meta, tensors...); err != nil {
		t.Fatal(err)
	}
	f, err := safetensors.NewFile("encoder.safetensors", bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestReadEncoderRefuses(t *testing.T) {
	for name, c := range map[string]struct{ key, value, want string }{
		"format":   {"format", "x", "latentbrush-encoder"},
		"version":  {"version", "2", "version"},
		"config":   {"config", "{", "config"},
		"empty":    {"config", "{}", "rows"},
		"channels": {"config", strings.Replace(`{"rows":8,"dim":16,"height":32,"width":32,"pool":1,"channels":[6,8,10,12],"pyramid":6,"hidden":16,"row_hidden":5,"axes":4}`, "12]", "13]", 1), "level3"},
		"huge":     {"config", `{"rows":64,"dim":4096,"height":4096,"width":4096,"pool":1,"channels":[2048,2048,2048],"pyramid":2048,"hidden":2048,"row_hidden":5,"axes":4}`, "too many"},
		"range":    {"range", `{"psnr":-1}`, "range"},
	} {
		f := file(t, small(t, 1), false, func(m map[string]string) { m[c.key] = c.value })
		if _, err := inversion.ReadEncoder(f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one about %q", name, err, c.want)
		}
	}
}

func FuzzReadEncoder(f *testing.F) {
	meta, _, err := small(f, 1).Tensors(false)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(meta["config"], `{"psnr":20,"distance":2}`)
	f.Fuzz(func(t *testing.T, config, limits string) {
		_, _ = inversion.ReadEncoder(file(t, small(t, 1), false, func(m map[string]string) { m["config"], m["range"] = config, limits }))
	})
}

// bowl is an evaluator with a known minimum: the picture is grey of the code's first
// number.
type bowl struct{ at latent.Code }

func (b bowl) Evaluate(_ context.Context, w latent.Code) (inversion.Evaluation, error) {
	d := w.Sub(b.at)
	return inversion.Evaluation{
		Loss: d.Norm() * d.Norm(), Gradient: d.Scale(2),
		Picture: func() *image.RGBA {
			img := image.NewRGBA(image.Rect(0, 0, 2, 2))
			for i := range img.Pix {
				img.Pix[i] = uint8(128 + 100*w.Data[0])
			}
			return img
		},
	}, nil
}

type free struct{ rows, dim int }

func (f free) Size() int { return f.rows * f.dim }
func (f free) Delta(x []float32) latent.Code {
	return latent.Code{Rows: f.rows, Dim: f.dim, Data: append([]float32(nil), x...)}
}
func (f free) Pull(g latent.Code) []float32 { return append([]float32(nil), g.Data...) }

func TestRunFindsTheMinimum(t *testing.T) {
	at := latent.New(2, 3)
	for i := range at.Data {
		at.Data[i] = float32(i)/5 - 0.5
	}
	target, err := bowl{at}.Evaluate(context.Background(), at)
	if err != nil {
		t.Fatal(err)
	}
	run := func(o inversion.Options) (last inversion.Step, n int) {
		o.Stages = []inversion.Stage{{Space: free{2, 3}, Steps: 60, Rate: 0.05}}
		for s, err := range inversion.Run(context.Background(), bowl{at}, latent.New(2, 3), target.Picture(), o) {
			if err != nil {
				t.Fatal(err)
			}
			last = s
			n++
		}
		return last, n
	}
	last, n := run(inversion.Options{})
	if n != 62 || last.Code.Distance(at) > 0.02 || last.Reason != inversion.ReasonSteps {
		t.Errorf("%d steps, distance %v, %s", n, last.Code.Distance(at), last.Reason)
	}
	// The ramps end at a rate of nearly zero, where nothing improves any more.
	if last, n := run(inversion.Options{Flat: 5, FlatShare: 0.5}); n > 61 || last.Reason != inversion.ReasonFlat {
		t.Errorf("%d steps, %s", n, last.Reason)
	}
	if last, n := run(inversion.Options{PSNR: 30}); n > 50 || last.Reason != inversion.ReasonGood || last.PSNR < 30 {
		t.Errorf("%d steps, %s, %.1f dB", n, last.Reason, last.PSNR)
	}
	// A prior holds the code back.
	if last, _ := run(inversion.Options{Prior: 6}); math.Abs(last.Code.Norm()-0.5*at.Norm()) > 0.03 {
		t.Errorf("with a prior as steep as the loss the code is %v long, want half of %v", last.Code.Norm(), at.Norm())
	}
}

func TestDifferencePicture(t *testing.T) {
	a, b := image.NewRGBA(image.Rect(0, 0, 3, 1)), image.NewRGBA(image.Rect(0, 0, 3, 1))
	b.Pix[4], b.Pix[9] = 64, 20
	d := inversion.DifferencePicture(a, b)
	if d.Pix[0] != 0 || d.Pix[4] != 255 || d.Pix[5] != 255 || d.Pix[8] <= 40 || d.Pix[3] != 255 {
		t.Errorf("difference %v", d.Pix)
	}
	if v := inversion.MeanDifference(a, b); math.Abs(v-84.0/9) > 1e-12 {
		t.Errorf("mean difference %v", v)
	}
}
