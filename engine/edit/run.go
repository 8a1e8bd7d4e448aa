package edit

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
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

// CoarseEvaluator is an evaluator that has a quicker and less exact form of itself for
// the coarse stages of a run.
type CoarseEvaluator interface {
	Evaluator
	EvaluateCoarse(ctx context.Context, w latent.Code) (Evaluation, error)
}

// Stage is a part of a run with its own space; see [optim.Stage].
type Stage = optim.Stage

// Problem is one edit.
type Problem struct {
	// Start is the code before the first step. Before is the picture that the outside of
	// the region is compared with and Base the labels that were painted over; a nil Before
	// is the picture of Start.
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
type Reason = optim.Reason

// The reasons.
const (
	ReasonSteps            = optim.ReasonSteps
	ReasonFlat             = optim.ReasonFlat
	ReasonAgreement Reason = "the labels agree"
)

// Run optimises the code of a problem. It yields a step for the start, one for every
// update, and a final one; or an error, which ends the run: the context's, the
// evaluator's, or a loss that is not a number.
func Run(ctx context.Context, ev Evaluator, p Problem, o Options) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		r, err := newRunner(ev, p, o)
		if err != nil {
			yield(Step{}, err)
			return
		}
		for step, err := range r.descent().Run(ctx) {
			if !yield(step, err) || err != nil {
				return
			}
		}
	}
}

func (p Problem) check() error {
	if p.Region == nil {
		return ErrEmptyRegion
	}
	size := p.Region.Rect.Size()
	for _, m := range []struct {
		what   string
		labels *image.Paletted
	}{{"base labels", p.Base}, {"painted labels", p.Painted}} {
		if m.labels == nil {
			return fmt.Errorf("edit: %s are missing", m.what)
		}
		if got := m.labels.Rect.Size(); got != size {
			return fmt.Errorf("edit: %s are %d×%d, want %d×%d as the region", m.what, got.X, got.Y, size.X, size.Y)
		}
	}
	if p.Before != nil && p.Before.Rect.Size() != size {
		got := p.Before.Rect.Size()
		return fmt.Errorf("edit: the picture is %d×%d, want %d×%d as the region", got.X, got.Y, size.X, size.Y)
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

// agreeing is how many steps in a row must agree with the paint to end a run.
const agreeing = 3

// runner measures the steps of one run.
type runner struct {
	ev      Evaluator
	p       Problem
	o       Options
	touched []uint8
	last    Evaluation
	stage   int
	agreed  int
}

func newRunner(ev Evaluator, p Problem, o Options) (*runner, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	total := 0
	for _, s := range o.Stages {
		total += s.Steps
	}
	if total == 0 {
		return nil, errors.New("edit: no steps were asked for")
	}
	return &runner{ev: ev, p: p, o: o, touched: touchedClasses(p)}, nil
}

func (r *runner) descent() optim.Descent[Step] {
	return optim.Descent[Step]{
		Name: "edit", Start: r.p.Start, Stages: r.o.Stages, Prior: r.o.Prior,
		Flat: r.o.Flat, FlatShare: r.o.FlatShare, PreviewEvery: r.o.PreviewEvery,
		Evaluate: func(ctx context.Context, w latent.Code, coarse bool) (float64, latent.Code, error) {
			var err error
			if c, ok := r.ev.(CoarseEvaluator); ok && coarse {
				r.last, err = c.EvaluateCoarse(ctx, w)
			} else {
				r.last, err = r.ev.Evaluate(ctx, w)
			}
			return r.last.Loss, r.last.Gradient, err
		},
		Measure: r.measure,
		Repeat:  r.repeat,
	}
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

func (r *runner) measure(p optim.Progress) (Step, Reason, bool) {
	e := r.last
	e.Terms.Prior = p.Prior
	labels, picture := e.Labels(), e.Picture()
	if r.p.Before == nil {
		r.p.Before = picture
	}
	s := Step{
		Index: p.Index, Total: p.Total, Stage: p.Stage, Terms: e.Terms, Loss: p.Loss, Code: p.Code,
		Agreement: metrics.Agreement(labels, r.p.Painted, r.p.Region),
		Leak:      metrics.LeakOutside(r.p.Before, picture, r.p.Region),
		Elapsed:   p.Elapsed, Remaining: p.Remaining,
	}
	overlaps := metrics.Overlaps(labels, r.p.Painted, r.p.Region, r.p.Classes)
	for _, c := range r.touched {
		if overlaps[c].Union > 0 {
			s.Scores = append(s.Scores, ClassScore{Class: c, IoU: overlaps[c].IoU()})
		}
	}
	if p.Preview {
		s.Picture, s.Labels = picture, labels
	}
	if r.stage != p.Stage || r.o.Agreement <= 0 || s.Agreement < r.o.Agreement {
		r.agreed = 0
	}
	r.stage = p.Stage
	if r.o.Agreement > 0 && s.Agreement >= r.o.Agreement {
		r.agreed++
	}
	if r.agreed >= agreeing {
		return s, ReasonAgreement, false
	}
	return s, "", false
}

func (r *runner) repeat(ctx context.Context, best Step, p optim.Progress) (Step, error) {
	if best.Picture == nil {
		e, err := r.ev.Evaluate(ctx, p.Code)
		if err != nil {
			return best, err
		}
		best.Picture, best.Labels = e.Picture(), e.Labels()
	}
	best.Index, best.Best, best.Final, best.Reason = p.Index, p.Best, true, p.Reason
	best.Elapsed, best.Remaining, best.Code = p.Elapsed, 0, p.Code
	return best, nil
}
