package engine_test

import (
	"context"
	"errors"
	"image"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"latentbrush/engine"
	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
	"latentbrush/engine/model/modeltest"
	"latentbrush/engine/ort"
)

func open(t testing.TB, spec modeltest.Spec) *engine.Engine {
	t.Helper()
	m, err := modeltest.Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.OpenModel(context.Background(), m, engine.Options{Device: ort.CPU})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// painted is an edit that the model can answer: the labels of another latent in a box.
func painted(t testing.TB, e *engine.Engine, from, to latent.Code) *image.Paletted {
	t.Helper()
	a, err := e.Render(context.Background(), from, engine.RenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Render(context.Background(), to, engine.RenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewPaletted(a.Labels.Rect, a.Labels.Palette)
	copy(out.Pix, a.Labels.Pix)
	w, h := out.Rect.Dx(), out.Rect.Dy()
	for y := h / 4; y < 3*h/4; y++ {
		for x := w / 4; x < 3*w/4; x++ {
			out.Pix[y*out.Stride+x] = b.Labels.Pix[y*b.Labels.Stride+x]
		}
	}
	return out
}

func TestRenderIsDeterministic(t *testing.T) {
	e := open(t, modeltest.Spec{Resolution: 64, Crop: []int{0, 8, 64, 56}})
	code := e.Sample(7, 0.7)
	a, err := e.Render(context.Background(), code, engine.RenderOptions{Confidence: true})
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Render(context.Background(), e.Sample(7, 0.7), engine.RenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if a.Picture.Rect != image.Rect(0, 0, 64, 48) || a.Labels.Rect != a.Picture.Rect || a.Confidence.Rect != a.Picture.Rect {
		t.Errorf("sizes %v, %v, %v, want 64×48", a.Picture.Rect, a.Labels.Rect, a.Confidence.Rect)
	}
	if string(a.Picture.Pix) != string(b.Picture.Pix) || string(a.Labels.Pix) != string(b.Labels.Pix) {
		t.Error("one seed gave two pictures")
	}
	if _, err := e.Render(context.Background(), latent.New(3, 4), engine.RenderOptions{}); !errors.Is(err, latent.ErrSize) {
		t.Errorf("a code of another size gave %v", err)
	}
}

func TestEditMovesTheLabels(t *testing.T) {
	for name, c := range map[string]struct {
		settings engine.Settings
		fall     float64 // of the loss, at least
	}{
		"two-stage": {engine.Settings{Search: engine.SearchTwoStage, Prior: 0.01, Rate: 0.1}, 0.9},
		"rows":      {engine.Settings{Search: engine.SearchPerRow, Prior: 0.01, Rate: 0.1}, 0.9},
		"free":      {engine.Settings{Search: engine.SearchFree, Prior: -1, Rate: 0.05}, 0.9},
		"shared":    {engine.Settings{Prior: 0.01, Rate: 0.1}, 0.95},
		// Two directions cannot do as much.
		"subspace": {engine.Settings{Search: engine.SearchSubspace, Prior: -1, Rate: 0.1}, 0.99},
	} {
		t.Run(name, func(t *testing.T) {
			s := c.settings
			e := open(t, modeltest.Spec{})
			start, other := e.Sample(1, 1), e.Sample(2, 1)
			s.Directions = []latent.Code{other.Sub(start), e.Sample(3, 1).Sub(start)}
			s.PictureWeight, s.PerceptualWeight = 0.05, -1
			want := painted(t, e, start, other)
			var first, final engine.Step
			n := 0
			for step, err := range e.Edit(context.Background(), engine.EditRequest{Start: start, Painted: want, Settings: s, Region: edit.RegionOptions{Dilation: -1}}) {
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 {
					first = step
				}
				n++
				final = step
			}
			if !final.Final || final.Picture == nil || final.Labels == nil {
				t.Fatalf("the run ended without a result after %d steps", n)
			}
			if final.Loss > c.fall*first.Loss || final.Agreement <= first.Agreement {
				t.Errorf("loss %v → %v, agreement %v → %v: want a loss of at most %v of the first and more agreement", first.Loss, final.Loss, first.Agreement, final.Agreement, c.fall)
			}
			if first.Leak.Mean != 0 {
				t.Errorf("the start leaks %v", first.Leak.Mean)
			}
		})
	}
}

// The first evaluation of an edit at its origin leaves the picture terms out. They are
// zero there and have no slope, so a second one with them gives the same numbers.
func TestFirstEvaluationIsExact(t *testing.T) {
	e := open(t, modeltest.Spec{})
	start := e.Sample(1, 1)
	want := painted(t, e, start, e.Sample(2, 1))
	ev, err := engine.NewEvaluator(context.Background(), e, start, want, 3, 0.7, 0)
	if err != nil {
		t.Fatal(err)
	}
	var loss [2]float64
	var gradient [2]latent.Code
	for i := range loss {
		v, err := ev.Evaluate(context.Background(), start)
		if err != nil {
			t.Fatal(err)
		}
		loss[i], gradient[i] = v.Loss, v.Gradient.Clone()
		if v.Terms.Picture != 0 || v.Terms.Perceptual != 0 {
			t.Errorf("evaluation %d has picture terms %v and %v at the origin, want 0", i, v.Terms.Picture, v.Terms.Perceptual)
		}
	}
	if d := gradient[0].Distance(gradient[1]); math.Abs(loss[0]-loss[1]) > 1e-6 || d > 1e-6*gradient[1].Norm() {
		t.Errorf("losses %v, gradients differ by %v of %v", loss, d, gradient[1].Norm())
	}
	// Away from the origin the targets are those of the origin.
	other, err := ev.Evaluate(context.Background(), e.Sample(3, 1))
	if err != nil || !(other.Terms.Picture > 0) || !(other.Terms.Perceptual > 0) {
		t.Errorf("away from the origin: terms %+v, %v", other.Terms, err)
	}
}

// A run with coarse steps, a guess, fewer axes and a falling rate ends where a plain one
// does, by the fine loss.
func TestEditOptions(t *testing.T) {
	e := open(t, modeltest.Spec{Resolution: 64, Crop: []int{0, 8, 64, 56}})
	start := e.Sample(1, 1)
	want := painted(t, e, start, e.Sample(2, 1))
	if _, err := e.LearnGuess(context.Background(), 40, nil); err != nil {
		t.Fatal(err)
	}
	plain := engine.Settings{Prior: 0.01, Rate: 0.1, PictureWeight: 0.05, PerceptualWeight: -1, Steps: 60, Flat: -1, NoGuess: true}
	loss := map[string]float64{}
	for name, change := range map[string]func(*engine.Settings){
		"plain":  func(*engine.Settings) {},
		"coarse": func(s *engine.Settings) { s.Coarse = 30 },
		"guess":  func(s *engine.Settings) { s.NoGuess = false },
		"fall":   func(s *engine.Settings) { s.Fall = true },
		"all":    func(s *engine.Settings) { s.Coarse, s.NoGuess, s.Fall, s.Axes = 30, false, true, 8 },
		"rows":   func(s *engine.Settings) { s.Search, s.Coarse, s.NoGuess = engine.SearchPerRow, 20, false },
		"stages": func(s *engine.Settings) { s.Search, s.Coarse, s.Fall = engine.SearchTwoStage, 20, true },
	} {
		s := plain
		change(&s)
		n := 0
		var first, final engine.Step
		for step, err := range e.Edit(context.Background(), engine.EditRequest{Start: start, Painted: want, Settings: s, Region: edit.RegionOptions{Dilation: -1}}) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if n == 0 {
				first = step
			}
			n++
			final = step
			if step.Picture != nil && (step.Picture.Rect != image.Rect(0, 0, 64, 48) || step.Labels.Rect != step.Picture.Rect) {
				t.Fatalf("%s: step %d shows %v and %v", name, step.Index, step.Picture.Rect, step.Labels.Rect)
			}
		}
		if n != 62 || !final.Final {
			t.Errorf("%s: %d steps, want the start, 60 updates and the result", name, n)
		}
		if first.Leak.Mean != 0 {
			t.Errorf("%s: the start leaks %v", name, first.Leak.Mean)
		}
		// The loss of what a run gives, by one measure for all.
		ev, err := engine.NewEvaluator(context.Background(), e, start, want, 0.05, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		v, err := ev.Evaluate(context.Background(), final.Code)
		if err != nil {
			t.Fatal(err)
		}
		loss[name] = v.Loss
		if name == "plain" {
			continue
		}
		if v.Terms.CrossEntropy > first.Terms.CrossEntropy {
			t.Errorf("%s: cross-entropy went from %v to %v", name, first.Terms.CrossEntropy, v.Terms.CrossEntropy)
		}
	}
	for _, name := range []string{"coarse", "guess", "fall"} {
		if loss[name] > 1.1*loss["plain"] {
			t.Errorf("%s ends at a loss of %v, plain at %v", name, loss[name], loss["plain"])
		}
	}
}

// The gradient that the step graph gives, against central differences of its loss.
func TestStepGradient(t *testing.T) {
	for name, spec := range map[string]modeltest.Spec{"square": {}, "cropped": {Crop: []int{0, 4, 32, 28}}} {
		t.Run(name, func(t *testing.T) {
			e := open(t, spec)
			start := e.Sample(1, 1)
			want := painted(t, e, start, e.Sample(2, 1))
			ev, err := engine.NewEvaluator(context.Background(), e, start, want, 3, 0.7, 0)
			if err != nil {
				t.Fatal(err)
			}
			at := start.AddScaled(0.2, e.Sample(4, 1).Sub(start))
			v, err := ev.Evaluate(context.Background(), at)
			if err != nil {
				t.Fatal(err)
			}
			gradient := v.Gradient.Clone()
			r := rand.New(rand.NewPCG(1, 1))
			for range 6 {
				d := latent.New(at.Rows, at.Dim)
				for i := range d.Data {
					d.Data[i] = float32(r.NormFloat64())
				}
				slope := 0.0
				for i, g := range gradient.Data {
					slope += float64(g) * float64(d.Data[i])
				}
				const h = 1e-3
				up, err := ev.Evaluate(context.Background(), at.AddScaled(h, d))
				if err != nil {
					t.Fatal(err)
				}
				high := up.Loss
				down, err := ev.Evaluate(context.Background(), at.AddScaled(-h, d))
				if err != nil {
					t.Fatal(err)
				}
				if got := (high - down.Loss) / (2 * h); math.Abs(got-slope) > 2e-3+0.02*math.Abs(slope) {
					t.Errorf("slope is %v, differences give %v", slope, got)
				}
			}
		})
	}
}

func TestEditCancelsWithinOneStep(t *testing.T) {
	e := open(t, modeltest.Spec{})
	start := e.Sample(1, 1)
	want := painted(t, e, start, e.Sample(2, 1))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	var last error
	for step, err := range e.Edit(ctx, engine.EditRequest{Start: start, Painted: want}) {
		if err != nil {
			last = err
			break
		}
		n++
		if step.Index == 3 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) || n != 4 {
		t.Errorf("cancel gave %v after %d steps, want context.Canceled after 4", last, n)
	}
	// The engine works on, and the next job gets the session.
	n = 0
	for _, err := range e.Edit(context.Background(), engine.EditRequest{Start: start, Painted: want, Settings: engine.Settings{Steps: 4}}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n == 0 {
		t.Error("no steps after a cancelled job")
	}
}

func TestEditRefusesBadInput(t *testing.T) {
	e := open(t, modeltest.Spec{})
	start := e.Sample(1, 1)
	f, err := e.Render(context.Background(), start, engine.RenderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wrong := image.NewPaletted(f.Labels.Rect, f.Labels.Palette)
	copy(wrong.Pix, f.Labels.Pix)
	wrong.Pix[5] = 99
	for name, r := range map[string]engine.EditRequest{
		"nothing painted": {Start: start, Painted: f.Labels},
		"no labels":       {Start: start},
		"wrong size":      {Start: start, Painted: image.NewPaletted(image.Rect(0, 0, 5, 5), f.Labels.Palette)},
		"unknown class":   {Start: start, Painted: wrong},
		"no code":         {Painted: wrong},
		"wrong code":      {Start: latent.New(1, 1), Painted: wrong},
		"unknown search":  {Start: start, Painted: painted(t, e, start, e.Sample(2, 1)), Settings: engine.Settings{Search: "x"}},
	} {
		var got error
		for _, err := range e.Edit(context.Background(), r) {
			got = err
		}
		if got == nil {
			t.Errorf("%s: no error", name)
		}
		if name == "nothing painted" && !errors.Is(got, edit.ErrEmptyRegion) {
			t.Errorf("%s: %v, want ErrEmptyRegion", name, got)
		}
	}
}

func TestRefineLowersItsLoss(t *testing.T) {
	e := open(t, modeltest.Spec{})
	without := e.Sample(1, 1)
	with := without.AddScaled(0.4, e.Sample(2, 1).Sub(without))
	var first, final engine.Step
	n := 0
	for s, err := range e.Refine(context.Background(), engine.RefineRequest{Without: without, With: with, Settings: engine.Settings{Flat: -1}}) {
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			first = s
		}
		n++
		final = s
	}
	if n != 32 {
		t.Errorf("%d steps, want the start, 30 updates and the result", n)
	}
	if first.Agreement != 1 {
		t.Errorf("the start agrees with its own labels on %v of the region", first.Agreement)
	}
	if final.Best == 0 || final.Loss >= first.Loss || final.Leak.Mean >= first.Leak.Mean {
		t.Errorf("best step %d, loss %v → %v and leak %v → %v, want both lower after the start", final.Best, first.Loss, final.Loss, first.Leak.Mean, final.Leak.Mean)
	}
}

// A slider stays live while an optimisation runs.
func TestRenderDuringAnEdit(t *testing.T) {
	e := open(t, modeltest.Spec{})
	start := e.Sample(1, 1)
	want := painted(t, e, start, e.Sample(2, 1))
	var wg sync.WaitGroup
	wg.Go(func() {
		for _, err := range e.Edit(context.Background(), engine.EditRequest{Start: start, Painted: want, Settings: engine.Settings{Flat: -1}}) {
			if err != nil {
				t.Error(err)
			}
		}
	})
	shown := make(chan engine.Frame, 100)
	live := e.Live(func(f engine.Frame, err error) {
		if err != nil {
			t.Error(err)
		}
		shown <- f
	})
	last := start
	for i := range 20 {
		last = start.AddScaled(float32(i)/20, e.Sample(5, 1).Sub(start))
		live.Show(last)
		time.Sleep(2 * time.Millisecond)
	}
	deadline := time.After(10 * time.Second)
	for {
		select {
		case f := <-shown:
			if f.Code.Distance(last) == 0 && !f.Preview {
				live.Close()
				wg.Wait()
				return
			}
		case <-deadline:
			t.Fatal("the last value was never shown")
		}
	}
}

func TestModelWithoutLabels(t *testing.T) {
	e := open(t, modeltest.Spec{Classes: -1})
	f, err := e.Render(context.Background(), e.Sample(1, 1), engine.RenderOptions{})
	if err != nil || f.Labels != nil || f.Picture == nil {
		t.Errorf("render without a head gave labels %v and %v", f.Labels, err)
	}
	var got error
	for _, err := range e.Edit(context.Background(), engine.EditRequest{Start: e.Sample(1, 1), Painted: image.NewPaletted(f.Picture.Rect, nil)}) {
		got = err
	}
	if got == nil {
		t.Error("an edit without a head was accepted")
	}
}

func TestWarm(t *testing.T) {
	e := open(t, modeltest.Spec{})
	if err := e.Warm(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := e.Warm(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled warm-up gave %v", err)
	}
	if err := open(t, modeltest.Spec{Classes: -1}).Warm(context.Background()); err != nil {
		t.Errorf("a model without labels has nothing to warm: %v", err)
	}
}

func TestClosedEngine(t *testing.T) {
	m, err := modeltest.Open(modeltest.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.OpenModel(context.Background(), m, engine.Options{Device: ort.CPU})
	if err != nil {
		t.Fatal(err)
	}
	code := e.Sample(1, 1)
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Render(context.Background(), code, engine.RenderOptions{}); !errors.Is(err, engine.ErrClosed) {
		t.Errorf("a closed engine gave %v", err)
	}
}
