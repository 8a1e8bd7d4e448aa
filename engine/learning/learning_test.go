package learning

import (
	"context"
	"errors"
	"image"
	"image/color"
	"iter"
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"latentbrush/canvas/maskops"
	"latentbrush/engine"
	"latentbrush/engine/directions"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/loss"
	"latentbrush/engine/model"
	"latentbrush/vectors"
)

// toy is a model whose workings are known: a block on a ground. The mean of component 0
// over rows 0 and 1 is the block's width, component 1 moves it, component 0 of row 2 is
// the brightness of the ground, and the other components do nothing.
type toy struct{ edits int }

const (
	toySize = 48
	toyDim  = 6
)

func (*toy) Info() engine.Info {
	return engine.Info{
		Manifest: model.Manifest{
			ID: "toy", Truncation: model.Truncation{Psi: 0.8},
			Classes: []model.Class{{ID: 0, Name: "ground"}, {ID: 1, Name: "block"}, {ID: 2, Name: "line"}},
		},
		Fingerprint: "feed", Width: toySize, Height: toySize, Rows: 3, Dim: toyDim,
	}
}

func (*toy) Sample(seed uint64, psi float64) latent.Code {
	w := latent.Z(seed, toyDim)
	for k := range w {
		w[k] *= float32(psi)
	}
	return latent.Broadcast(w, 3)
}

func toyWidth(c latent.Code) float64 { return 16 + 3*float64(c.Row(0)[0]+c.Row(1)[0])/2 }

func (*toy) Render(ctx context.Context, c latent.Code, _ engine.RenderOptions) (engine.Frame, error) {
	if err := ctx.Err(); err != nil {
		return engine.Frame{}, err
	}
	rect := image.Rect(0, 0, toySize, toySize)
	f := engine.Frame{Code: c, Picture: image.NewRGBA(rect), Labels: image.NewPaletted(rect, color.Palette{color.Black, color.White, color.Gray{9}})}
	width, middle := toyWidth(c), 24+2*float64(c.Row(0)[1])
	ground := uint8(100 + 10*c.Row(2)[0])
	for y := range toySize {
		for x := range toySize {
			i := y*toySize + x
			shade := ground
			if math.Abs(float64(x)+0.5-middle) < width/2 && y >= 16 && y < 32 {
				f.Labels.Pix[i] = 1
				shade = 200
			}
			for k, v := range []uint8{shade, shade, shade, 255} {
				f.Picture.Pix[4*i+k] = v
			}
		}
	}
	return f, nil
}

// Edit knows the answer: the width that is painted, and something of its own.
func (m *toy) Edit(_ context.Context, r engine.EditRequest) iter.Seq2[engine.Step, error] {
	return func(yield func(engine.Step, error) bool) {
		m.edits++
		t := Statistic{terms: []term{{{function: "width", classes: [256]bool{1: true}}}}}
		code := r.Start.Clone()
		change := (t.Of(r.Painted)*toySize - toyWidth(code)) / 3
		for row := range code.Rows {
			code.Row(row)[0] += float32(change)
			code.Row(row)[2+m.edits%4] += 0.3
		}
		f, err := m.Render(context.Background(), code, engine.RenderOptions{})
		if yield(engine.Step{Index: 0, Total: r.Settings.Steps}, err) {
			yield(engine.Step{Index: r.Settings.Steps, Total: r.Settings.Steps, Code: code, Labels: f.Labels, Final: true}, err)
		}
	}
}

func (m *toy) Prior(context.Context) (*edit.Prior, error) {
	var samples [][]float32
	for i := range 2000 {
		samples = append(samples, m.Sample(uint64(1e9)+uint64(i), 1).Row(0))
	}
	return edit.NewPrior(samples)
}

func stat(t testing.TB, text string) Statistic {
	t.Helper()
	s, err := ParseStatistic(text, Names(&toy{}))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func run(t *testing.T, r Recipe) map[string]*Result {
	t.Helper()
	out := map[string]*Result{}
	for s, err := range r.Run(t.Context(), &toy{}) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Result != nil {
			out[s.Result.Spec.Name] = s.Result
		}
	}
	return out
}

// reading is a toy that reads the block's width and the ground's shade off its pictures.
type reading struct{ toy }

func (*reading) Readings(_ context.Context, p *image.RGBA) ([]engine.Reading, error) {
	n := 0
	for x := range toySize {
		if p.Pix[4*(20*toySize+x)] == 200 {
			n++
		}
	}
	return []engine.Reading{
		{Reading: loss.Reading{Name: "ground", Identity: true, R2: 0.9}, Value: float64(p.Pix[0]) / 10},
		{Reading: loss.Reading{Name: "width", R2: 0.9}, Value: float64(n) / 3},
		{Reading: loss.Reading{Name: "noise", R2: 0.1}, Value: float64(n)},
	}, nil
}

func (*reading) SamePerson(a, b []engine.Reading) float64 {
	if a[0].Value == b[0].Value {
		return 1
	}
	return 0
}

// The generalisation test names what a vector changes, and not what cannot be read.
func TestGeneraliseReads(t *testing.T) {
	m := &reading{}
	p, err := NewProbe(t.Context(), m, 1, 6)
	if err != nil {
		t.Fatal(err)
	}
	delta := latent.New(3, toyDim)
	delta.Row(0)[0], delta.Row(1)[0] = 2, 2 // six pixels wider
	v := vectors.New("wider", vectors.Model{ID: "toy", Fingerprint: "feed"}, delta)
	if _, err := Generalise(t.Context(), m, p, v, nil, 0); err != nil {
		t.Fatal(err)
	}
	g := v.Generalisation
	if len(g.Readings) != 1 || g.Readings[0].Name != "width" || math.Abs(g.Readings[0].Change-2) > 0.4 || math.Abs(g.SamePerson-1) > 1e-9 {
		t.Errorf("readings changed by %+v, same person %v; want width by 2 and the same", g.Readings, g.SamePerson)
	}
}

func TestRecipeLearnsWhatIsThere(t *testing.T) {
	got := run(t, Recipe{Survey: 400, Edits: 8, Test: 12, Tile: 24, Vectors: []Spec{
		{Name: "op", Operation: "scale:block:1.25,1", Statistic: "width(block)", Classes: []string{"block"}},
		{Name: "local", Operation: "scale:block:1.25,1", Statistic: "width(block)", Classes: []string{"block"}, Local: true},
		{Name: "svm", Statistic: "width(block)", Classes: []string{"block"}},
		{Name: "regression", Method: ByRegression, Statistic: "width(block)", Classes: []string{"block"}, Amount: 1, Quiet: true},
		{Name: "move", Method: ByRegression, Statistic: "x(block)", Hold: []string{"width(block)"}, Classes: []string{"block"}, Rows: []int{0}},
		{Name: "both", Method: ByRegression, Statistic: "width(block)", Also: []Part{{"x(block)", 1.5}}, Classes: []string{"block"}},
		{Name: "nothing", Statistic: "area(line)", Classes: []string{"line"}},
		{Name: "wrong way", Operation: "scale:block:0.8,1", Statistic: "width(block)", Classes: []string{"block"}},
	}})
	wide := latent.New(3, toyDim)
	for r := range 3 {
		wide.Row(r)[0] = 1
	}
	for _, name := range []string{"op", "svm", "regression"} {
		r := got[name]
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		if c := r.Vector.Delta.Cosine(wide); c < 0.9 {
			t.Errorf("%s: cosine with the true direction is %.3f", name, c)
		}
		if g := r.Vector.Generalisation; g.Success != 1 || g.Seeds != 12 {
			t.Errorf("%s: success %.2f on %d", name, g.Success, g.Seeds)
		}
		c := r.Vector.Calibration
		if lo, hi, ok := c.Safe(); !ok || hi < 0.5 || lo > -0.5 || hi > safeReach {
			t.Errorf("%s: safe range %g…%g", name, lo, hi)
		}
		// The ground's brightness changes with row 2: that is the leak.
		if r.Trial.Leak < 3 {
			t.Errorf("%s: leak %.2f, but the ground changes", name, r.Trial.Leak)
		}
	}
	// What is learnt also is a part of the direction, and is told.
	if r := got["both"]; r.Err != nil || r.Vector.Learnt.Detail["also"] != "1.5 × x(block)" {
		t.Errorf("both: %v, %+v", r.Err, r.Vector)
	} else if c, alone := r.Vector.Delta.Cosine(wide), got["regression"].Vector.Delta.Cosine(wide); c > 0.85 || c < 0.55 || alone < 0.9 {
		t.Errorf("both: cosine with the width's direction %.3f, want about 0.71", c)
	}
	// A quarter wider than about 16 of 48 pixels.
	if e := got["op"].Vector.Calibration.UnitEffect * toySize; e < 3 || e > 5 {
		t.Errorf("unit effect is %.2f pixels, want about 4", e)
	}
	if e := got["regression"].Effect; e < 0.75 || e > 1.25 {
		t.Errorf("amount 1 changed the statistic by %.2f deviations", e)
	}
	if a := got["svm"].Vector.Learnt.Accuracy; a < 0.9 {
		t.Errorf("accuracy %.2f", a)
	}
	local := got["local"]
	if local.Trial.Leak > 0.5 || local.Vector.Generalisation.Success != 1 {
		t.Errorf("local: leak %.2f, success %.2f", local.Trial.Leak, local.Vector.Generalisation.Success)
	}
	if len(local.Vector.RowsUsed) != 2 || local.Vector.RowsUsed[1] != 1 {
		t.Errorf("local: rows %v, want 0 and 1", local.Vector.RowsUsed)
	}
	if move := got["move"]; move.Err != nil || math.Abs(move.Vector.Delta.Cosine(wide)) > 0.05 {
		t.Errorf("move: %v, cosine with what is held %.3f", move.Err, move.Vector.Delta.Cosine(wide))
	}
	for _, name := range []string{"nothing", "wrong way"} {
		if got[name].Err == nil {
			t.Errorf("%s was learnt", name)
		}
	}
	v := got["op"].Vector
	if v.Before == nil || v.After == nil || v.Sheet == nil || v.Learnt.Edits != 8 || v.Learnt.Detail["operation"] != "scale:block:1.25,1" || v.Model.Fingerprint != "feed" {
		t.Errorf("facts are missing: %+v", v.Facts)
	}
	if err := vectors.WriteFile(t.TempDir()+"/v.safetensors", v); err != nil {
		t.Error(err)
	}
}

// Along one axis only the statistic changes, along the second the outside as much: the
// quiet direction leaves the second.
func TestQuiet(t *testing.T) {
	q := mat.NewSymDense(3, []float64{0, 0, 0, 0, 3, 0, 0, 0, 0})
	x, err := quiet(q, []float64{1, 1, 0}, nil, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	// (10, 1/3.1, 0) scaled to a product of 2 with g.
	f := 2 / (10 + 1/3.1)
	for k, want := range []float64{10 * f, f / 3.1, 0} {
		if math.Abs(x[k]-want) > 1e-12 {
			t.Errorf("component %d is %g, want %g", k, x[k], want)
		}
	}
	if x, err = quiet(q, []float64{1, 1, 1}, [][]float64{{1, 0, 1}}, 0.1); err != nil {
		t.Fatal(err)
	}
	if math.Abs(x[0]+x[2]) > 1e-9 || math.Abs(x[0]+x[1]+x[2]-3) > 1e-9 {
		t.Errorf("%v moves along what is held", x)
	}
	if _, err := quiet(q, []float64{1, 0, 0}, [][]float64{{2, 0, 0}}, 0.1); err == nil {
		t.Error("a direction that is held as a whole was accepted")
	}
}

func TestRunStops(t *testing.T) {
	r := Recipe{Survey: 50, Vectors: []Spec{{Name: "a", Statistic: "x(block)", Classes: []string{"block"}}}}
	n := 0
	for range r.Run(t.Context(), &toy{}) {
		if n++; n == 3 {
			break
		}
	}
	if n != 3 {
		t.Errorf("%d steps after leaving the loop at 3", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range r.Run(ctx, &toy{}) {
		cancel()
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("a cancelled run ends with %v", last)
	}
}

func TestStripBeginsInTheMiddle(t *testing.T) {
	var order []float64
	for s, err := range Strip(t.Context(), &toy{}, latent.New(3, toyDim), latent.New(3, toyDim)) {
		if err != nil {
			t.Fatal(err)
		}
		order = append(order, s.Strength)
	}
	if len(order) != 5 || order[0] != 0 || order[1] != 1 || order[4] != -2 {
		t.Errorf("order %v", order)
	}
}

func TestCalibrateWithoutAStatistic(t *testing.T) {
	m := &toy{}
	s, err := NewSurvey(t.Context(), m, 64, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewProbe(t.Context(), m, 1, 6)
	if err != nil {
		t.Fatal(err)
	}
	delta := latent.New(3, toyDim)
	delta.Row(0)[0], delta.Row(1)[0] = 1, 1
	v := vectors.New("wide", modelOf(m), delta)
	if err := Calibrate(t.Context(), m, s, p, v, nil); err != nil {
		t.Fatal(err)
	}
	// Three pixels wider and sixteen high.
	want := 3. * 16 / (toySize * toySize)
	if e := v.Calibration.UnitEffect; math.Abs(e-want) > want/3 {
		t.Errorf("unit effect %.4f, want about %.4f", e, want)
	}
	if hi := v.Calibration.SafeHi; hi < 1 || hi >= safeReach {
		t.Errorf("safe up to %g", hi)
	}
}

func TestStatistic(t *testing.T) {
	labels := image.NewPaletted(image.Rect(0, 0, 10, 10), color.Palette{color.Black, color.White, color.Gray{9}})
	for x := 2; x < 7; x++ { // a V of the block, two pixels high
		y := 4 - abs(x-4)
		labels.Pix[y*10+x], labels.Pix[(y+1)*10+x] = 1, 1
	}
	labels.Pix[99] = 2
	for text, want := range map[string]float64{
		"area(block)":                 0.10,
		"area(block,line)":            0.11,
		"x(block)":                    0.45,
		"left(block)":                 0.2,
		"right(block)":                0.7,
		"top(block)":                  0.2,
		"bottom(block)":               0.6,
		"width(block)*2":              1,
		"height(block)/ width(block)": 0.8,
		"-y(block)+corners(block)":    -0.08,
		"y(line) - 0.95":              0,
		"2*area(line) + 1":            1.02,
	} {
		if got := stat(t, text).Of(labels); math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %g, want %g", text, got, want)
		}
	}
	clear(labels.Pix)
	for _, text := range []string{"x(block)", "1/area(block)", "corners(line)"} {
		if got := stat(t, text).Of(labels); !math.IsNaN(got) {
			t.Errorf("%s of nothing is %g", text, got)
		}
	}
	for text, want := range map[string]string{
		"":                             "empty",
		"area":                         "not a number",
		"area(":                        "not closed",
		"area()":                       "no class",
		"area(nose)":                   "no class",
		"size(block)":                  "no function",
		"area(block) x":                "expected",
		"area(block)+":                 "missing",
		"2e999":                        "not a number",
		strings.Repeat("1+", 40) + "1": "factors",
	} {
		if _, err := ParseStatistic(text, Names(&toy{})); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", text, err, want)
		}
	}
}

func abs(n int) int { return max(n, -n) }

func FuzzStatistic(f *testing.F) {
	for _, s := range []string{"area(block,line)", "-x(block) - 2*y(block)/height(line)", "corners(block)+1"} {
		f.Add(s)
	}
	labels, err := (&toy{}).Render(f.Context(), (&toy{}).Sample(1, 1), engine.RenderOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := ParseStatistic(text, Names(&toy{})); err == nil && math.IsInf(s.Of(labels.Labels), 0) {
			t.Fatal("an infinite value")
		}
	})
}

func TestReadRecipeRefuses(t *testing.T) {
	names := Names(&toy{})
	for text, want := range map[string]string{
		``:                             "well-formed",
		`{"vectors":[]}`:               "0 vectors",
		`{"vector":[]}`:                "unknown field",
		`{"survey":-1,"vectors":[{}]}`: "survey",
		`{"vectors":[{"name":"a"}]}`:   "statistic is empty",
		`{"vectors":[{"name":"a","method":"magic","statistic":"x(block)"}]}`:                                                   "no method",
		`{"vectors":[{"name":"a","statistic":"x(block)"}]}`:                                                                    "classes",
		`{"vectors":[{"name":"a","statistic":"x(block)","classes":["nose"]}]}`:                                                 "no class",
		`{"vectors":[{"name":"a","statistic":"x(block)","classes":["block"],"amount":11}]}`:                                    "amount",
		`{"vectors":[{"name":"a","statistic":"x(block)","classes":["block"],"operation":"turn:block:1"}]}`:                     "no operation",
		`{"vectors":[{"name":"","statistic":"x(block)","classes":["block"]}]}`:                                                 "name is empty",
		`{"vectors":[{"name":"a","statistic":"x(block)","classes":["block"],"hold":["x(nose)"]}]}`:                             "no class",
		`{"vectors":[{"name":"a","statistic":"x(block)","classes":["block"],"also":[{"statistic":"x(nose)"}]}]}`:               "no class",
		`{"vectors":[{"name":"a","statistic":"x(block)","classes":["block"],"also":[{"statistic":"x(block)","amount":-11}]}]}`: "-10 to 10",
	} {
		if _, err := ReadRecipe(strings.NewReader(text), names); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", text, err, want)
		}
	}
}

func FuzzReadRecipe(f *testing.F) {
	f.Add(`{"vectors":[{"name":"a","statistic":"x(block)","classes":["block"],"operation":"scale:block:1.2"}]}`)
	names := maskops.Names{"block": 1}
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := ReadRecipe(strings.NewReader(text), names); err == nil && len(r.Vectors) == 0 {
			t.Fatal("an empty recipe was accepted")
		}
	})
}

// The shipped recipe fits the classes of the default model, and has what was promised.
func TestFacesRecipe(t *testing.T) {
	r, err := FacesRecipe(portraitNames())
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Vectors) < 16 {
		t.Errorf("%d vectors, at least 16 expected", len(r.Vectors))
	}
	seen := map[string]bool{}
	for _, s := range r.Vectors {
		if seen[s.Name] {
			t.Errorf("%q is made twice", s.Name)
		}
		seen[s.Name] = true
	}
}

func TestFromExamples(t *testing.T) {
	m := &toy{}
	var codes []latent.Code
	var has []bool
	for i := range 60 {
		c := m.Sample(uint64(i), 1)
		codes, has = append(codes, c), append(has, c.Row(0)[0] > 0)
	}
	v, err := FromExamples(t.Context(), m, "Wide", codes, has)
	if err != nil {
		t.Fatal(err)
	}
	wide := latent.New(3, toyDim)
	for r := range 3 {
		wide.Row(r)[0] = 1
	}
	if c := v.Delta.Cosine(wide); c < 0.9 {
		t.Errorf("cosine %.3f", c)
	}
	// Half-normal means are ±√(2/π).
	if d := float64(v.Delta.Row(0)[0]); math.Abs(d-1.6) > 0.4 {
		t.Errorf("strength 1 is a step of %.2f, want about 1.6", d)
	}
	if v.Learnt.Accuracy < 0.8 || v.Learnt.How != "examples" {
		t.Errorf("learnt %+v", v.Learnt)
	}
	if _, err := FromExamples(t.Context(), m, "One", codes[:4], []bool{true, true, true, false}); !errors.Is(err, directions.ErrOneSided) {
		t.Errorf("error %v", err)
	}
	if _, err := FromExamples(t.Context(), m, "Size", []latent.Code{latent.New(1, 1)}, []bool{true}); !errors.Is(err, latent.ErrSize) {
		t.Errorf("error %v", err)
	}
}

// What shows in the block is its place, component 1: that comes over. Component 4 does
// nothing that one can see, and stays. (A level of leak is rounding.)
func TestTransferPartTakesWhatShowsThere(t *testing.T) {
	m := &toy{}
	code, reference := latent.New(3, toyDim), latent.New(3, toyDim)
	for r := range 3 {
		reference.Row(r)[1] = 3
		reference.Row(r)[4] = 2
	}
	got, err := TransferPart(t.Context(), m, code, reference, []uint8{1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := got.Delta.Row(0); math.Abs(float64(d[1])-3) > 0.5 || math.Abs(float64(d[4])) > 0.3 {
		t.Errorf("step %v, want 3 along component 1 alone", d)
	}
	if got.Left > 0.3 || got.Leak > 1 {
		t.Errorf("left %.2f, leak %.2f", got.Left, got.Leak)
	}
	if _, err := TransferPart(t.Context(), m, code, reference, []uint8{2}, nil); !errors.Is(err, edit.ErrEmptyRegion) {
		t.Errorf("a part that is in neither picture: %v", err)
	}
}
