package inversion

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

// Terms are the parts of the loss before their weights.
type Terms struct {
	// Picture is the mean squared RGB difference of values in [−1,1].
	Picture float64
	// Perceptual is the feature distance.
	Perceptual float64
	// Prior is the mean square of the whitened coordinates relative to where the stage
	// began: the encoder's answer, or the mean.
	Prior float64
}

// Evaluation is what one run of the graph gives at one code. Its gradient and what
// Picture reads are valid until the evaluator's next call.
type Evaluation struct {
	// Terms without the prior, which [Run] adds; Loss is their weighted sum.
	Terms Terms
	Loss  float64
	// Gradient of Loss in the code.
	Gradient latent.Code
	// Picture of the code, converted when called.
	Picture func() *image.RGBA
}

// Evaluator computes the loss of an embedding and its gradient.
type Evaluator interface {
	Evaluate(ctx context.Context, w latent.Code) (Evaluation, error)
}

// Space is a linear family of differences in W+; the spaces of the package edit
// implement it.
type Space interface {
	Size() int
	Delta(x []float32) latent.Code
	Pull(g latent.Code) []float32
}

// Stage is a part of a run with its own space. The rate follows
// [optim.CosineRamps] over the stage.
type Stage struct {
	Space Space
	Steps int
	// Rate of Adam at its highest, in the space's coordinates.
	Rate float64
}

// Options of a run.
type Options struct {
	Stages []Stage
	// Prior is the weight of the mean square of the coordinates.
	Prior float64
	// Flat ends a stage early when the lowest loss has fallen by less than FlatShare of
	// itself over so many steps; 0 means never.
	Flat      int
	FlatShare float64
	// PSNR ends the run when the reconstruction is as good as that, in dB; 0 means never.
	PSNR float64
	// PreviewEvery is the least time between two steps that carry a picture; the first
	// and the last always do. Zero gives every step one.
	PreviewEvery time.Duration
}

// Step is one point of a run. Step 0 is the start, before any update.
type Step struct {
	Index, Total int
	Terms        Terms
	Loss         float64
	// PSNR of the reconstruction in dB over RGB in 8 bits, and Difference, the mean
	// absolute difference in levels of 255.
	PSNR, Difference float64
	Elapsed          time.Duration
	Remaining        time.Duration
	// Code is this step's latent. It is the caller's to keep.
	Code latent.Code
	// Picture is nil in steps without a preview.
	Picture *image.RGBA
	// Final marks the result: the step with the lowest loss, which is step Best, repeated
	// with its picture.
	Final  bool
	Best   int
	Reason Reason
}

// Reason is why a run ended.
type Reason string

// The reasons.
const (
	ReasonSteps Reason = "all steps made"
	ReasonFlat  Reason = "the loss is flat"
	ReasonGood  Reason = "the reconstruction is good enough"
)

// errStopped says that the consumer of the iterator has had enough.
var errStopped = errors.New("inversion: stopped")

// Run optimises a code until its picture is target. It yields a step for the start,
// one for every update, and a final one with the best code; or an error, which ends
// the run: the context's, the evaluator's, or a loss that is not a number.
func Run(ctx context.Context, ev Evaluator, start latent.Code, target *image.RGBA, o Options) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		r := runner{ev: ev, target: target, o: o, yield: yield, begun: time.Now()}
		if err := r.all(ctx, start); err != nil && !errors.Is(err, errStopped) {
			yield(Step{}, err)
		}
	}
}

type runner struct {
	ev     Evaluator
	target *image.RGBA
	o      Options
	yield  func(Step, error) bool
	begun  time.Time
	shown  time.Time
	index  int
	total  int
	best   float64
	result Step
	reason Reason
}

func (r *runner) all(ctx context.Context, start latent.Code) error {
	for i, s := range r.o.Stages {
		if s.Space == nil || s.Steps < 0 || !(s.Rate > 0) {
			return fmt.Errorf("embed: stage %d has no space, a negative number of steps or no rate", i)
		}
		r.total += s.Steps
	}
	if len(r.o.Stages) == 0 {
		return errors.New("embed: no stages were asked for")
	}
	base := start
	for _, s := range r.o.Stages {
		if err := r.stage(ctx, base, s); err != nil {
			return err
		}
		if base = r.result.Code; r.reason == ReasonGood {
			break
		}
	}
	final := r.result
	if final.Picture == nil {
		e, err := r.ev.Evaluate(ctx, final.Code)
		if err != nil {
			return err
		}
		final.Picture = e.Picture()
	}
	final.Final, final.Best, final.Index, final.Reason = true, final.Index, r.index, r.reason
	final.Elapsed, final.Remaining = time.Since(r.begun), 0
	final.Code = final.Code.Clone()
	if !r.yield(final, nil) {
		return errStopped
	}
	return nil
}

// stage makes one stage's updates. Coordinates are relative to base.
func (r *runner) stage(ctx context.Context, base latent.Code, s Stage) error {
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
			return fmt.Errorf("embed: loss of step %d is %v", r.index, e.Loss)
		}
		step := r.measure(e, code)
		if e.Loss < r.best {
			r.best, r.result = e.Loss, step
		}
		// The base of a later stage was a step of the stage before.
		if k > 0 || r.index == 0 {
			if !r.yield(step, nil) {
				return errStopped
			}
			r.index++
		}
		lowest = append(lowest, r.best)
		switch {
		case r.o.PSNR > 0 && step.PSNR >= r.o.PSNR:
			r.result, r.reason = step, ReasonGood
			return nil
		case k == s.Steps:
			r.reason = ReasonSteps
			return nil
		case r.o.Flat > 0 && k >= r.o.Flat && lowest[k-r.o.Flat]-r.best < r.o.FlatShare*math.Abs(r.best):
			r.reason = ReasonFlat
			return nil
		}
		gradient := s.Space.Pull(e.Gradient)
		f := float32(2 * r.o.Prior / float64(len(x)))
		for i, v := range x {
			gradient[i] += f * v
		}
		// The rate of the first update is not zero.
		if err := adam.Step(x, gradient, optim.CosineRamps(float64(k+1)/float64(s.Steps+1))); err != nil {
			return fmt.Errorf("embed: step %d: %w", r.index, err)
		}
	}
}

func (r *runner) measure(e Evaluation, code latent.Code) Step {
	now := time.Now()
	picture := e.Picture()
	s := Step{
		Index: r.index, Total: r.total, Terms: e.Terms, Loss: e.Loss, Code: code,
		PSNR: metrics.PSNR(r.target, picture, nil), Difference: MeanDifference(r.target, picture), Elapsed: now.Sub(r.begun),
	}
	if r.index > 0 {
		s.Remaining = s.Elapsed / time.Duration(r.index) * time.Duration(max(0, r.total-r.index))
	}
	if r.index == 0 || now.Sub(r.shown) >= r.o.PreviewEvery {
		s.Picture = picture
		r.shown = now
	}
	return s
}

func meanSquare(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return s / float64(max(1, len(x)))
}
