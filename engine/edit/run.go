package edit

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"math"
	"time"

	"latentbrush/engine/latent"
	"latentbrush/engine/metrics"
	"latentbrush/engine/optim"
)

// Terms are the parts of a loss before their weights: each is a mean over the pixels
// that it looks at.
type Terms struct {
	// CrossEntropy of the labels against the painted ones, in nats per region pixel.
	CrossEntropy float64
	// Picture is the mean squared RGB difference outside the region, of values in
	// [−1,1].
	Picture float64
	// Perceptual is the feature distance outside the region.
	Perceptual float64
	// Identity is one minus the cosine of the identity features, 0 without a network.
	Identity float64
	// Prior is the mean square of the whitened coordinates of the difference.
	Prior float64
}

// Evaluation is what one run of the step graph gives at one code. Its gradient and
// whatever its functions read are valid until the evaluator's next call.
type Evaluation struct {
	// Terms without the prior, which [Run] adds.
	Terms Terms
	// Loss is the weighted sum of the terms without the prior.
	Loss float64
	// Gradient of Loss in the code.
	Gradient latent.Code
	// Picture and Labels of the code, converted when called.
	Picture func() *image.RGBA
	Labels  func() *image.Paletted
}

// Evaluator computes the loss of an edit and its gradient.
type Evaluator interface {
	Evaluate(ctx context.Context, w latent.Code) (Evaluation, error)
}

// Stage is a part of a run with its own space.
type Stage struct {
	Space Space
	// Steps is the number of updates of Adam.
	Steps int
	// Rate of Adam in the space's coordinates.
	Rate float64
}

// Problem is one edit.
type Problem struct {
	// Start is the code before the first step; Before is its picture and Base its
	// labels.
	Start  latent.Code
	Before *image.RGBA
	Base   *image.Paletted
	// Painted are the labels asked for, Region the pixels that may change.
	Painted *image.Paletted
	Region  *image.Alpha
	// Classes is the number of class ids.
	Classes int
}

// Options of a run. The zero value of a field other than Stages means off.
type Options struct {
	// Stages run one after the other, each from the best code of the one before.
	Stages []Stage
	// Prior is the weight of the mean square of the coordinates.
	Prior float64
	// Agreement ends the run when at least this share of the region's pixels has the
	// painted label in three steps in a row.
	Agreement float64
	// Flat ends a stage when the lowest loss has fallen by less than FlatShare of itself
	// over so many steps.
	Flat      int
	FlatShare float64
	// PreviewEvery is the least time between two steps that carry a picture; the first
	// and the last always do. Zero gives every step one.
	PreviewEvery time.Duration
}

// ClassScore is the intersection over union of one edited class in the region.
type ClassScore struct {
	Class uint8
	IoU   float64
}

// Step is one point of a run. Step 0 is the start, before any update.
type Step struct {
	Index, Total int
	Stage        int
	Terms        Terms
	Loss         float64
	// Scores of the classes that the edit touches, Agreement over the region's pixels
	// and Leak outside it.
	Scores    []ClassScore
	Agreement float64
	Leak      metrics.Leak
	Elapsed   time.Duration
	Remaining time.Duration
	// Code is this step's latent. It is the caller's to keep.
	Code latent.Code
	// Picture and Labels are nil in steps without a preview.
	Picture *image.RGBA
	Labels  *image.Paletted
	// Final marks the result of the run: the step with the lowest loss, which is step
	// Best, repeated with its picture and labels.
	Final bool
	Best  int
	// Reason says why the run ended, in the final step.
	Reason Reason
}

// Reason is why a run ended.
type Reason string

// The reasons.
const (
	ReasonSteps     Reason = "all steps made"
	ReasonAgreement Reason = "the labels agree"
	ReasonFlat      Reason = "the loss is flat"
)

// Run optimises the code of a problem. It yields a step for the start, one for every
// update, and a final one; or an error, which ends the run: the context's, the
// evaluator's, or a loss that is not a number.
func Run(ctx context.Context, ev Evaluator, p Problem, o Options) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		if err := run(ctx, ev, p, o, yield); err != nil && !errors.Is(err, errStopped) {
			yield(Step{}, err)
		}
	}
}

// errStopped says that the consumer of the iterator has had enough.
var errStopped = errors.New("edit: stopped")

func (p Problem) check() error {
	if p.Region == nil {
		return ErrEmptyRegion
	}
	size := p.Region.Rect.Size()
	for _, m := range []struct {
		what string
		img  image.Image
		ok   bool
	}{{"base labels", p.Base, p.Base != nil}, {"painted labels", p.Painted, p.Painted != nil}, {"picture", p.Before, p.Before != nil}} {
		if !m.ok {
			return fmt.Errorf("edit: %s are missing", m.what)
		}
		if got := m.img.Bounds().Size(); got != size {
			return fmt.Errorf("edit: %s are %d×%d, want %d×%d as the region", m.what, got.X, got.Y, size.X, size.Y)
		}
	}
	any := false
	for y := range size.Y {
		for x := range size.X {
			if c := p.Painted.Pix[y*p.Painted.Stride+x]; int(c) >= p.Classes {
				return fmt.Errorf("edit: painted label %d at (%d, %d) is not a class: the model has classes 0 to %d", c, x, y, p.Classes-1)
			}
			any = any || p.Region.Pix[y*p.Region.Stride+x] != 0
		}
	}
	if !any {
		return ErrEmptyRegion
	}
	return nil
}

func run(ctx context.Context, ev Evaluator, p Problem, o Options, yield func(Step, error) bool) error {
	if err := p.check(); err != nil {
		return err
	}
	total := 0
	for i, s := range o.Stages {
		if s.Space == nil || s.Steps < 0 || !(s.Rate > 0) {
			return fmt.Errorf("edit: stage %d has no space, a negative number of steps or no rate", i)
		}
		total += s.Steps
	}
	if total == 0 {
		return errors.New("edit: no steps were asked for")
	}
	r := runner{ev: ev, p: p, o: o, yield: yield, total: total, begun: time.Now(), best: math.Inf(1), touched: touchedClasses(p)}
	base := p.Start
	for i, s := range o.Stages {
		if s.Steps == 0 {
			continue
		}
		r.stage = i
		if err := r.run(ctx, base, s); err != nil {
			return err
		}
		base = r.bestCode
		if r.reason == ReasonAgreement {
			break
		}
	}
	return r.finish(ctx)
}

// touchedClasses are the classes that appear where base and painted labels differ in
// the region, or all that the region holds when none does.
func touchedClasses(p Problem) []uint8 {
	var changed, held [256]bool
	any := false
	for y := range p.Region.Rect.Dy() {
		for x := range p.Region.Rect.Dx() {
			if p.Region.Pix[y*p.Region.Stride+x] == 0 {
				continue
			}
			b, q := p.Base.Pix[y*p.Base.Stride+x], p.Painted.Pix[y*p.Painted.Stride+x]
			held[q] = true
			if b != q {
				changed[b], changed[q], any = true, true, true
			}
		}
	}
	if !any {
		changed = held
	}
	var out []uint8
	for c, set := range changed {
		if set {
			out = append(out, uint8(c))
		}
	}
	return out
}

type runner struct {
	ev       Evaluator
	p        Problem
	o        Options
	yield    func(Step, error) bool
	total    int
	stage    int
	begun    time.Time
	shown    time.Time
	index    int
	touched  []uint8
	best     float64
	bestStep Step
	bestCode latent.Code
	agreed   int
	reason   Reason
}

// run makes one stage's updates. Coordinates are relative to base.
func (r *runner) run(ctx context.Context, base latent.Code, s Stage) error {
	x := make([]float32, s.Space.Size())
	adam := optim.NewAdam(len(x), s.Rate)
	// The best of a stage is measured by its own loss: the prior counts from base.
	r.best = math.Inf(1)
	var lowest []float64
	for k := 0; ; k++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		code := base.Add(s.Space.Delta(x))
		e, err := r.ev.Evaluate(ctx, code)
		if err != nil {
			return err
		}
		e.Terms.Prior = meanSquare(x)
		e.Loss += r.o.Prior * e.Terms.Prior
		if math.IsNaN(e.Loss) || math.IsInf(e.Loss, 0) {
			return fmt.Errorf("edit: loss of step %d is %v", r.index, e.Loss)
		}
		// The base of a later stage was a step of the stage before.
		repeated := k == 0 && r.index > 0
		step := r.measure(e, code)
		if e.Loss < r.best {
			r.best, r.bestStep, r.bestCode = e.Loss, step, code
		}
		if !repeated {
			if !r.yield(step, nil) {
				return errStopped
			}
			r.index++
		}
		lowest = append(lowest, r.best)
		if step.Agreement >= r.o.Agreement && r.o.Agreement > 0 {
			r.agreed++
		} else {
			r.agreed = 0
		}
		switch {
		case r.agreed >= 3:
			r.reason = ReasonAgreement
			return nil
		case r.o.Flat > 0 && k >= r.o.Flat && lowest[k-r.o.Flat]-r.best < r.o.FlatShare*math.Abs(r.best):
			r.reason = ReasonFlat
			return nil
		case k == s.Steps:
			r.reason = ReasonSteps
			return nil
		}
		gradient := s.Space.Pull(e.Gradient)
		f := float32(2 * r.o.Prior / float64(len(x)))
		for i, v := range x {
			gradient[i] += f * v
		}
		if err := adam.Step(x, gradient, 1); err != nil {
			return fmt.Errorf("edit: step %d: %w", r.index, err)
		}
	}
}

func (r *runner) measure(e Evaluation, code latent.Code) Step {
	now := time.Now()
	labels, picture := e.Labels(), e.Picture()
	s := Step{
		Index: r.index, Total: r.total, Stage: r.stage, Terms: e.Terms, Loss: e.Loss, Code: code,
		Agreement: metrics.Agreement(labels, r.p.Painted, r.p.Region),
		Leak:      metrics.LeakOutside(r.p.Before, picture, r.p.Region),
		Elapsed:   now.Sub(r.begun),
	}
	overlaps := metrics.Overlaps(labels, r.p.Painted, r.p.Region, r.p.Classes)
	for _, c := range r.touched {
		if overlaps[c].Union > 0 {
			s.Scores = append(s.Scores, ClassScore{Class: c, IoU: overlaps[c].IoU()})
		}
	}
	if r.index > 0 {
		s.Remaining = s.Elapsed / time.Duration(r.index) * time.Duration(max(0, r.total-r.index))
	}
	if r.index == 0 || now.Sub(r.shown) >= r.o.PreviewEvery {
		s.Picture, s.Labels = picture, labels
		r.shown = now
	}
	return s
}

func (r *runner) finish(ctx context.Context) error {
	final := r.bestStep
	if final.Picture == nil {
		e, err := r.ev.Evaluate(ctx, r.bestCode)
		if err != nil {
			return err
		}
		final.Picture, final.Labels = e.Picture(), e.Labels()
	}
	final.Best = final.Index
	final.Index = r.index
	final.Final = true
	final.Reason = r.reason
	final.Elapsed = time.Since(r.begun)
	final.Remaining = 0
	final.Code = final.Code.Clone()
	if !r.yield(final, nil) {
		return errStopped
	}
	return nil
}

func meanSquare(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return s / float64(len(x))
}
