package inversion

import (
	"context"
	"image"
	"iter"
	"slices"
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

// Stage is a part of a run with its own space; see [optim.Stage]. A nil schedule
// stands for [optim.CosineRamps].
type Stage = optim.Stage

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
type Reason = optim.Reason

// The reasons.
const (
	ReasonSteps        = optim.ReasonSteps
	ReasonFlat         = optim.ReasonFlat
	ReasonGood  Reason = "the reconstruction is good enough"
)

// Run optimises a code until its picture is target. It yields a step for the start,
// one for every update, and a final one with the best code; or an error, which ends
// the run: the context's, the evaluator's, or a loss that is not a number.
func Run(ctx context.Context, ev Evaluator, start latent.Code, target *image.RGBA, o Options) iter.Seq2[Step, error] {
	stages := slices.Clone(o.Stages)
	for i := range stages {
		if stages[i].Schedule == nil {
			stages[i].Schedule = optim.CosineRamps
		}
	}
	var last Evaluation
	d := optim.Descent[Step]{
		Name: "embed", Start: start, Stages: stages, Prior: o.Prior,
		Flat: o.Flat, FlatShare: o.FlatShare, PreviewEvery: o.PreviewEvery,
		Evaluate: func(ctx context.Context, w latent.Code, _ bool) (float64, latent.Code, error) {
			var err error
			last, err = ev.Evaluate(ctx, w)
			return last.Loss, last.Gradient, err
		},
		Measure: func(p optim.Progress) (Step, Reason, bool) {
			picture := last.Picture()
			s := Step{
				Index: p.Index, Total: p.Total, Terms: last.Terms, Loss: p.Loss, Code: p.Code,
				PSNR: metrics.PSNR(target, picture, nil), Difference: MeanDifference(target, picture),
				Elapsed: p.Elapsed, Remaining: p.Remaining,
			}
			s.Terms.Prior = p.Prior
			if p.Preview {
				s.Picture = picture
			}
			if o.PSNR > 0 && s.PSNR >= o.PSNR {
				return s, ReasonGood, true
			}
			return s, "", false
		},
		Repeat: func(ctx context.Context, best Step, p optim.Progress) (Step, error) {
			if best.Picture == nil {
				e, err := ev.Evaluate(ctx, p.Code)
				if err != nil {
					return best, err
				}
				best.Picture = e.Picture()
			}
			best.Index, best.Best, best.Final, best.Reason = p.Index, p.Best, true, p.Reason
			best.Elapsed, best.Remaining, best.Code = p.Elapsed, 0, p.Code
			return best, nil
		},
	}
	return d.Run(ctx)
}
