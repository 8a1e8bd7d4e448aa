package edit_test

import (
	"context"
	"errors"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"latentbrush/engine/edit"
	"latentbrush/engine/latent"
)

var palette = color.Palette{color.Black, color.White, color.Gray{90}}

func alpha(rows ...string) *image.Alpha {
	m := image.NewAlpha(image.Rect(0, 0, len(rows[0]), len(rows)))
	for y, r := range rows {
		for x, c := range r {
			if c == '#' {
				m.Pix[y*m.Stride+x] = 255
			}
		}
	}
	return m
}

func labels(w, h int, set func(x, y int) uint8) *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, w, h), palette)
	for y := range h {
		for x := range w {
			m.Pix[y*m.Stride+x] = set(x, y)
		}
	}
	return m
}

// Dilation against its definition, pixel by pixel.
func TestDilateIsASquare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 17).Draw(t, "w"), rapid.IntRange(1, 17).Draw(t, "h")
		n := rapid.IntRange(0, 9).Draw(t, "n")
		m := image.NewAlpha(image.Rect(0, 0, w, h))
		for i := range m.Pix {
			if rapid.IntRange(0, 9).Draw(t, "set") == 0 {
				m.Pix[i] = 255
			}
		}
		got := edit.Dilate(m, n)
		for y := range h {
			for x := range w {
				want := uint8(0)
				for v := max(0, y-n); v <= min(h-1, y+n); v++ {
					for u := max(0, x-n); u <= min(w-1, x+n); u++ {
						if m.Pix[v*m.Stride+u] != 0 {
							want = 255
						}
					}
				}
				if got.Pix[y*got.Stride+x] != want {
					t.Fatalf("pixel (%d,%d) after dilation by %d is %d, want %d", x, y, n, got.Pix[y*got.Stride+x], want)
				}
			}
		}
	})
}

func TestRegionRules(t *testing.T) {
	base := labels(8, 8, func(x, y int) uint8 {
		if x < 4 {
			return 1
		}
		return 0
	})
	painted := labels(8, 8, func(x, y int) uint8 {
		if x < 4 || (x == 5 && y == 5) {
			return 1
		}
		return 0
	})
	count := func(m *image.Alpha) int {
		n := 0
		for _, v := range m.Pix {
			if v != 0 {
				n++
			}
		}
		return n
	}
	r, err := edit.Region(base, painted, edit.RegionOptions{Dilation: 1})
	if err != nil || count(r) != 9 {
		t.Errorf("one changed pixel dilated by one gives %d pixels, %v; want 9", count(r), err)
	}
	r, err = edit.Region(base, base, edit.RegionOptions{Painted: alpha("........", "..#.....", "........", "........", "........", "........", "........", "........")})
	if err != nil || count(r) != 1 {
		t.Errorf("a painted pixel whose label stayed gives %d pixels, %v; want 1", count(r), err)
	}
	r, err = edit.Region(base, painted, edit.RegionOptions{WholeClasses: true})
	if err != nil || count(r) != 64 {
		t.Errorf("whole classes give %d pixels, %v; want all 64", count(r), err)
	}
	if _, err = edit.Region(base, base, edit.RegionOptions{Dilation: 3}); !errors.Is(err, edit.ErrEmptyRegion) {
		t.Errorf("nothing painted gives %v, want ErrEmptyRegion", err)
	}
	keep := image.NewAlpha(base.Rect)
	for i := range keep.Pix {
		keep.Pix[i] = 255
	}
	if _, err = edit.Region(base, painted, edit.RegionOptions{Keep: keep}); !errors.Is(err, edit.ErrEmptyRegion) {
		t.Errorf("a keep region over everything gives %v, want ErrEmptyRegion", err)
	}
	if _, err = edit.Region(base, labels(8, 7, func(int, int) uint8 { return 0 }), edit.RegionOptions{}); err == nil {
		t.Error("labels of another size accepted")
	}
	for size, want := range map[int]int{64: 1, 128: 1, 256: 2, 512: 3, 1024: 6} {
		if got := edit.DefaultDilation(size); got != want {
			t.Errorf("default dilation at %d² is %d, want %d", size, got, want)
		}
	}
}

// samples of a Gaussian with known axes: deviations 2, 1 and 0 along the coordinate
// axes of a rotated frame.
func samples(n int) [][]float32 {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([][]float32, n)
	for i := range out {
		a, b := 2*r.NormFloat64(), r.NormFloat64()
		out[i] = []float32{float32(5 + (a+b)/math.Sqrt2), float32(-1 + (a-b)/math.Sqrt2), 7}
	}
	return out
}

func TestPriorFindsAxes(t *testing.T) {
	p, err := edit.NewPrior(samples(20000))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Axes) != 2 {
		t.Fatalf("%d axes, want 2: the third has no variance", len(p.Axes))
	}
	for j, want := range []float64{2, 1} {
		if math.Abs(p.Deviations[j]-want) > 0.05 {
			t.Errorf("deviation %d is %v, want %v ± 0.05", j, p.Deviations[j], want)
		}
	}
	// Whitened natural latents have unit spread, so their distance is near 1.
	sum := 0.0
	for _, s := range samples(2000) {
		c := latent.Broadcast(s, 3)
		sum += p.Distance(c) * p.Distance(c)
	}
	if rms := math.Sqrt(sum / 2000); math.Abs(rms-1) > 0.05 {
		t.Errorf("natural latents lie at distance %v, want 1 ± 0.05", rms)
	}
	if _, err := edit.NewPrior([][]float32{{1, 2}, {1, 2}}); err == nil {
		t.Error("samples without spread accepted")
	}
}

// Pull is the adjoint of Delta: ⟨Bx, g⟩ = ⟨x, Bᵀg⟩ for every space.
func TestSpacesAreAdjoint(t *testing.T) {
	p, err := edit.NewPrior(samples(500))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := edit.PerRow(p, 4, []int{1, 3})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	random := func() latent.Code {
		c := latent.New(4, 3)
		for i := range c.Data {
			c.Data[i] = float32(r.NormFloat64())
		}
		return c
	}
	spanned, err := edit.Spanned([]latent.Code{random(), random()})
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]edit.Space{"shared": edit.Shared(p, 4), "per row": rows, "free": edit.Free(4, 3), "spanned": spanned} {
		x := make([]float32, s.Size())
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		g := random()
		left, right := 0.0, 0.0
		for i, v := range s.Delta(x).Data {
			left += float64(v) * float64(g.Data[i])
		}
		for i, v := range s.Pull(g) {
			right += float64(v) * float64(x[i])
		}
		if math.Abs(left-right) > 1e-4*(1+math.Abs(left)) {
			t.Errorf("%s: ⟨Bx,g⟩ = %v, ⟨x,Bᵀg⟩ = %v", name, left, right)
		}
	}
	if d := rows.Delta(make([]float32, rows.Size())); d.Norm() != 0 {
		t.Error("the origin of a space is not the zero difference")
	}
	if _, err := edit.PerRow(p, 4, []int{4}); err == nil {
		t.Error("a row outside the code accepted")
	}
}

// bowl is an evaluator whose picture's labels follow the code's first number: it is a
// real optimisation with a known minimum, and worse from a chosen call on.
type bowl struct {
	target  latent.Code
	spoilAt int
	calls   int
	fail    error
}

func (b *bowl) Evaluate(ctx context.Context, w latent.Code) (edit.Evaluation, error) {
	b.calls++
	if b.fail != nil {
		return edit.Evaluation{}, b.fail
	}
	g := w.Sub(b.target)
	loss := 0.0
	for _, v := range g.Data {
		loss += float64(v) * float64(v)
	}
	if b.spoilAt > 0 && b.calls >= b.spoilAt {
		loss += 100
	}
	value := w.Data[0]
	return edit.Evaluation{
		Terms: edit.Terms{CrossEntropy: loss}, Loss: loss, Gradient: g.Scale(2),
		Picture: func() *image.RGBA { return image.NewRGBA(image.Rect(0, 0, 4, 4)) },
		Labels: func() *image.Paletted {
			return labels(4, 4, func(x, y int) uint8 {
				if float32(x) < 4*value {
					return 1
				}
				return 0
			})
		},
	}, nil
}

func problem() edit.Problem {
	region := image.NewAlpha(image.Rect(0, 0, 4, 4))
	for i := range region.Pix {
		region.Pix[i] = 255
	}
	return edit.Problem{
		Start: latent.New(2, 3), Before: image.NewRGBA(region.Rect), Classes: 2, Region: region,
		Base:    labels(4, 4, func(int, int) uint8 { return 0 }),
		Painted: labels(4, 4, func(int, int) uint8 { return 1 }),
	}
}

func target() latent.Code {
	c := latent.New(2, 3)
	for i := range c.Data {
		c.Data[i] = 1
	}
	return c
}

func TestRunReachesTheMinimum(t *testing.T) {
	var steps []edit.Step
	for s, err := range edit.Run(context.Background(), &bowl{target: target()}, problem(), edit.Options{Stages: []edit.Stage{{Space: edit.Free(2, 3), Steps: 200, Rate: 0.05}}}) {
		if err != nil {
			t.Fatal(err)
		}
		steps = append(steps, s)
	}
	if len(steps) != 202 {
		t.Fatalf("%d steps, want the start, 200 updates and the result", len(steps))
	}
	final := steps[201]
	if !final.Final || final.Reason != edit.ReasonSteps || final.Picture == nil || final.Labels == nil {
		t.Errorf("the last step is %+v, want the final one with its picture", final)
	}
	if d := final.Code.Sub(target()).Norm(); d > 0.02 {
		t.Errorf("result is %v from the minimum, want at most 0.02", d)
	}
	if steps[0].Agreement != 0 || final.Agreement != 1 || len(final.Scores) == 0 {
		t.Errorf("agreement went from %v to %v, want 0 to 1", steps[0].Agreement, final.Agreement)
	}
}

// The official tool returns the last iterate; here a spoilt end does not win.
func TestRunReturnsTheBestStep(t *testing.T) {
	ev := &bowl{target: target(), spoilAt: 16}
	var all []edit.Step
	for s, err := range edit.Run(context.Background(), ev, problem(), edit.Options{Stages: []edit.Stage{{Space: edit.Free(2, 3), Steps: 60, Rate: 0.05}}}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	final := all[len(all)-1]
	if final.Best != 14 {
		t.Errorf("the best step is %d, want 14, the last before the loss was spoilt", final.Best)
	}
	if d := final.Code.Sub(all[14].Code).Norm(); d != 0 {
		t.Errorf("the result's code differs from step 14's by %v", d)
	}
	if all[60].Loss < final.Loss {
		t.Error("the injected last step is not worse: the test proves nothing")
	}
}

func TestRunEndsEarly(t *testing.T) {
	last := func(o edit.Options) edit.Step {
		var s edit.Step
		var err error
		for s, err = range edit.Run(context.Background(), &bowl{target: target()}, problem(), o) {
			if err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	s := last(edit.Options{Stages: []edit.Stage{{Space: edit.Free(2, 3), Steps: 500, Rate: 0.05}}, Agreement: 0.99})
	if s.Reason != edit.ReasonAgreement || s.Index > 40 {
		t.Errorf("ended at %d because %q, want agreement within 40 steps", s.Index, s.Reason)
	}
	s = last(edit.Options{Stages: []edit.Stage{{Space: edit.Free(2, 3), Steps: 5000, Rate: 0.05}}, Flat: 20, FlatShare: 1e-3})
	if s.Reason != edit.ReasonFlat || s.Index > 2000 {
		t.Errorf("ended at %d because %q, want a flat loss", s.Index, s.Reason)
	}
}

func TestRunStagesContinue(t *testing.T) {
	p, err := edit.NewPrior(samples(500))
	if err != nil {
		t.Fatal(err)
	}
	row, err := edit.PerRow(p, 2, []int{1})
	if err != nil {
		t.Fatal(err)
	}
	var final edit.Step
	var afterFirst latent.Code
	for s, err := range edit.Run(context.Background(), &bowl{target: target()}, problem(), edit.Options{Stages: []edit.Stage{{Space: edit.Shared(p, 2), Steps: 20, Rate: 0.02}, {Space: row, Steps: 20, Rate: 0.05}}}) {
		if err != nil {
			t.Fatal(err)
		}
		if s.Index == 20 {
			afterFirst = s.Code
		}
		final = s
	}
	for k, v := range final.Code.Row(0) {
		if v != afterFirst.Row(0)[k] {
			t.Fatalf("row 0 moved in a stage that may only move row 1")
		}
	}
	if final.Code.Sub(afterFirst).Norm() == 0 {
		t.Error("the second stage moved nothing")
	}
}

func TestRunCancelsAndRefuses(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ev := &bowl{target: target()}
	o := edit.Options{Stages: []edit.Stage{{Space: edit.Free(2, 3), Steps: 100, Rate: 0.05}}}
	var got error
	for s, err := range edit.Run(ctx, ev, problem(), o) {
		if err != nil {
			got = err
			break
		}
		if s.Index == 5 {
			cancel()
		}
	}
	if !errors.Is(got, context.Canceled) || ev.calls != 6 {
		t.Errorf("cancel gave %v after %d evaluations, want context.Canceled after 6", got, ev.calls)
	}
	n := 0
	for range edit.Run(context.Background(), ev, problem(), o) {
		if n++; n == 3 {
			break
		}
	}
	fail := errors.New("device lost")
	for name, c := range map[string]struct {
		change func(*edit.Problem, *edit.Options, *bowl)
		want   error
	}{
		"evaluator":     {func(_ *edit.Problem, _ *edit.Options, b *bowl) { b.fail = fail }, fail},
		"empty region":  {func(p *edit.Problem, _ *edit.Options, _ *bowl) { p.Region = image.NewAlpha(p.Region.Rect) }, edit.ErrEmptyRegion},
		"unknown class": {func(p *edit.Problem, _ *edit.Options, _ *bowl) { p.Painted.Pix[3] = 2 }, nil},
		"wrong size":    {func(p *edit.Problem, _ *edit.Options, _ *bowl) { p.Before = image.NewRGBA(image.Rect(0, 0, 5, 4)) }, nil},
		"no steps":      {func(_ *edit.Problem, o *edit.Options, _ *bowl) { o.Stages = nil }, nil},
	} {
		p, oo, b := problem(), o, &bowl{target: target()}
		c.change(&p, &oo, b)
		var got error
		for _, err := range edit.Run(context.Background(), b, p, oo) {
			got = err
		}
		if got == nil || (c.want != nil && !errors.Is(got, c.want)) {
			t.Errorf("%s: error %v, want %v", name, got, c.want)
		}
	}
}
