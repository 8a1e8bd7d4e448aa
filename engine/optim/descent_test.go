package optim_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"latentbrush/engine/latent"
	"latentbrush/engine/optim"
)

// plain is W+ number by number.
type plain struct{ rows, dim int }

func (s plain) Size() int { return s.rows * s.dim }

func (s plain) Delta(x []float32) latent.Code {
	c := latent.New(s.rows, s.dim)
	copy(c.Data, x)
	return c
}

func (s plain) Pull(g latent.Code) []float32 { return append([]float32(nil), g.Data...) }

// bowl is the square of the distance from a target, with a hill added from a chosen
// evaluation on.
type bowl struct {
	target  latent.Code
	spoilAt int
	calls   int
}

func (b *bowl) evaluate(_ context.Context, w latent.Code, _ bool) (float64, latent.Code, error) {
	b.calls++
	g := w.Sub(b.target)
	loss := 0.0
	for _, v := range g.Data {
		loss += float64(v) * float64(v)
	}
	if b.spoilAt > 0 && b.calls >= b.spoilAt {
		loss += 100
	}
	return loss, g.Scale(2), nil
}

func (b *bowl) descent(stages ...optim.Stage) optim.Descent[optim.Progress] {
	return optim.Descent[optim.Progress]{
		Name: "test", Start: latent.New(2, 3), Stages: stages, Evaluate: b.evaluate,
		Measure: func(p optim.Progress) (optim.Progress, optim.Reason, bool) { return p, "", false },
		Repeat: func(_ context.Context, _ optim.Progress, p optim.Progress) (optim.Progress, error) {
			return p, nil
		},
	}
}

func ones() latent.Code {
	c := latent.New(2, 3)
	for i := range c.Data {
		c.Data[i] = 1
	}
	return c
}

func all(t *testing.T, d optim.Descent[optim.Progress]) []optim.Progress {
	t.Helper()
	var out []optim.Progress
	for p, err := range d.Run(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// The start, every update and the result; the result is at the minimum.
func TestDescentReachesTheMinimum(t *testing.T) {
	b := &bowl{target: ones()}
	steps := all(t, b.descent(optim.Stage{Space: plain{2, 3}, Steps: 200, Rate: 0.05}))
	if len(steps) != 202 || b.calls != 201 {
		t.Fatalf("%d steps of %d evaluations, want 202 of 201", len(steps), b.calls)
	}
	for i, p := range steps[:201] {
		if p.Index != i || p.Total != 200 || p.Final {
			t.Fatalf("step %d says %d of %d, final %v", i, p.Index, p.Total, p.Final)
		}
	}
	last := steps[201]
	if !last.Final || last.Reason != optim.ReasonSteps || last.Code.Distance(ones()) > 0.02 {
		t.Errorf("the result is %v away because %q, want at most 0.02", last.Code.Distance(ones()), last.Reason)
	}
}

// A last step that is worse than one before it is not the result, in one stage or
// several; nor does the caller's later change of a step's code change the result.
func TestDescentReturnsTheBest(t *testing.T) {
	for name, stages := range map[string][]optim.Stage{
		"one stage":  {{Space: plain{2, 3}, Steps: 60, Rate: 0.005}},
		"two stages": {{Space: plain{2, 3}, Steps: 30, Rate: 0.005}, {Space: plain{2, 3}, Steps: 30, Rate: 0.005}},
	} {
		b := &bowl{target: ones()}
		d := b.descent(stages...)
		calls := 0
		d.Evaluate = func(ctx context.Context, w latent.Code, coarse bool) (float64, latent.Code, error) {
			calls++
			loss, g, err := b.evaluate(ctx, w, coarse)
			if calls == 61+len(stages)-1 { // the last update of all
				loss += 100
			}
			return loss, g, err
		}
		steps := all(t, d)
		last, worst := steps[len(steps)-1], steps[len(steps)-2]
		if worst.Loss < 100 {
			t.Fatalf("%s: the injected step has loss %v: the test proves nothing", name, worst.Loss)
		}
		if last.Best != worst.Index-1 || last.Loss > 10 || last.Code.Distance(steps[last.Best].Code) != 0 {
			t.Errorf("%s: result is step %d with loss %v, want step %d", name, last.Best, last.Loss, worst.Index-1)
		}
		if &last.Code.Data[0] == &steps[last.Best].Code.Data[0] {
			t.Errorf("%s: the result shares its numbers with a step", name)
		}
	}
}

// The prior draws the result towards the start: the minimum of (1−x)²·n + ρ·x² with
// ρ the prior's weight over n numbers is n/(n+ρ/n).
func TestDescentPrior(t *testing.T) {
	b := &bowl{target: ones()}
	d := b.descent(optim.Stage{Space: plain{2, 3}, Steps: 600, Rate: 0.02})
	d.Prior = 12
	steps := all(t, d)
	last := steps[len(steps)-1]
	for _, v := range last.Code.Data {
		if math.Abs(float64(v)-1.0/3) > 1e-3 {
			t.Fatalf("the result is %v, want 1/3", last.Code.Data)
		}
	}
	if math.Abs(last.Prior-1.0/9) > 1e-3 || math.Abs(last.Loss-(6*4.0/9+12.0/9)) > 1e-2 {
		t.Errorf("prior %v and loss %v, want 1/9 and 4", last.Prior, last.Loss)
	}
}

func TestDescentEnds(t *testing.T) {
	stage := optim.Stage{Space: plain{2, 3}, Steps: 5000, Rate: 0.05}
	b := &bowl{target: ones()}
	d := b.descent(stage)
	d.Flat, d.FlatShare = 20, 1e-3
	steps := all(t, d)
	if last := steps[len(steps)-1]; last.Reason != optim.ReasonFlat || len(steps) > 2000 {
		t.Errorf("ended after %d steps because %q, want a flat loss", len(steps), last.Reason)
	}

	// A step that ends the run and is taken is the result though its loss is not the
	// lowest.
	b = &bowl{target: ones(), spoilAt: 11}
	d = b.descent(stage)
	d.Measure = func(p optim.Progress) (optim.Progress, optim.Reason, bool) {
		if p.Index == 12 {
			return p, "enough", true
		}
		return p, "", false
	}
	steps = all(t, d)
	if last := steps[len(steps)-1]; len(steps) != 14 || last.Reason != "enough" || last.Best != 12 {
		t.Errorf("%d steps, result %d because %q, want 14, step 12", len(steps), last.Best, last.Reason)
	}

	// No update: the start is measured and is the result.
	b = &bowl{target: ones()}
	steps = all(t, b.descent(optim.Stage{Space: plain{2, 3}, Rate: 1}))
	if len(steps) != 2 || b.calls != 1 || steps[1].Code.Norm() != 0 {
		t.Errorf("without updates: %d steps of %d evaluations, want 2 of 1", len(steps), b.calls)
	}
}

func TestDescentPreviewsRarely(t *testing.T) {
	b := &bowl{target: ones()}
	d := b.descent(optim.Stage{Space: plain{2, 3}, Steps: 50, Rate: 0.05})
	d.PreviewEvery = time.Hour
	shown := 0
	for _, p := range all(t, d)[:51] {
		if p.Preview {
			shown++
		}
	}
	if shown != 1 {
		t.Errorf("%d previews within an hour, want the first only", shown)
	}
}

func TestDescentCancelsAndRefuses(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b := &bowl{target: ones()}
	d := b.descent(optim.Stage{Space: plain{2, 3}, Steps: 100, Rate: 0.05})
	var got error
	for p, err := range d.Run(ctx) {
		if got = err; p.Index == 5 {
			cancel()
		}
	}
	if !errors.Is(got, context.Canceled) || b.calls != 6 {
		t.Errorf("cancel gave %v after %d evaluations, want context.Canceled after 6", got, b.calls)
	}
	b.calls = 0
	for range d.Run(context.Background()) {
		if b.calls == 3 {
			break
		}
	}
	if b.calls != 3 {
		t.Errorf("%d evaluations after the loop was left at 3", b.calls)
	}
	nan := b.descent(d.Stages...)
	nan.Evaluate = func(_ context.Context, w latent.Code, _ bool) (float64, latent.Code, error) {
		return math.NaN(), w, nil
	}
	for name, bad := range map[string]optim.Descent[optim.Progress]{
		"no stage": b.descent(), "no space": b.descent(optim.Stage{Steps: 1, Rate: 1}), "no rate": b.descent(optim.Stage{Space: plain{2, 3}, Steps: 1}),
		"NaN": nan,
	} {
		var got error
		for _, err := range bad.Run(context.Background()) {
			got = err
		}
		if got == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A guess is jumped to by the first update; a bad one is taken back and costs nothing but
// that update.
func TestDescentBegins(t *testing.T) {
	b := &bowl{target: ones()}
	near := []float32{0.9, 0.9, 0.9, 0.9, 0.9, 0.9}
	far := []float32{-3, -3, -3, -3, -3, -3}
	steps := all(t, b.descent(optim.Stage{Space: plain{2, 3}, Steps: 40, Rate: 0.005, Begin: near}))
	if steps[0].Code.Norm() != 0 || steps[1].Code.Data[0] != 0.9 || steps[2].Code.Data[0] <= 0.9 {
		t.Errorf("codes begin with %v, %v, %v, want 0, the guess and more", steps[0].Code.Data[0], steps[1].Code.Data[0], steps[2].Code.Data[0])
	}
	plainly := all(t, b.descent(optim.Stage{Space: plain{2, 3}, Steps: 39, Rate: 0.005}))
	steps = all(t, b.descent(optim.Stage{Space: plain{2, 3}, Steps: 40, Rate: 0.005, Begin: far}))
	if steps[1].Code.Data[0] != -3 {
		t.Errorf("the bad guess was not tried: %v", steps[1].Code.Data[0])
	}
	for i := range 39 {
		if d := steps[i+2].Code.Distance(plainly[i+1].Code); d > 1e-6 {
			t.Fatalf("step %d after a bad guess differs by %v from step %d without one", i+2, d, i+1)
		}
	}
}

// A stage that continues makes the steps that one long stage would have made.
func TestDescentContinues(t *testing.T) {
	b := &bowl{target: ones()}
	d := b.descent(optim.Stage{Space: plain{2, 3}, Steps: 60, Rate: 0.005})
	d.Prior = 1
	long := all(t, d)
	var coarse []bool
	d = b.descent(optim.Stage{Space: plain{2, 3}, Steps: 20, Rate: 0.005, Coarse: true}, optim.Stage{Space: plain{2, 3}, Steps: 40, Rate: 0.005, Continue: true})
	d.Prior = 1
	d.Evaluate = func(ctx context.Context, w latent.Code, c bool) (float64, latent.Code, error) {
		coarse = append(coarse, c)
		return b.evaluate(ctx, w, c)
	}
	parts := all(t, d)
	for i := range long {
		if dist := long[i].Code.Distance(parts[i].Code); dist > 1e-5 || math.Abs(long[i].Loss-parts[i].Loss) > 1e-4 {
			t.Fatalf("step %d differs by %v, loss %v and %v", i, dist, long[i].Loss, parts[i].Loss)
		}
	}
	if len(coarse) != 62 || !coarse[20] || coarse[21] {
		t.Errorf("%d evaluations, the last coarse one is not number 20", len(coarse))
	}
}
