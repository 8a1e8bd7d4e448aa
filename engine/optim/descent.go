package optim

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"latentbrush/engine/latent"
)

// Space is a linear family of differences in W+: Δ = B·x. Its coordinates should be
// normalised so that a mean square of 1 is as far as the model's own latents spread.
type Space interface {
	// Size is the number of coordinates.
	Size() int
	// Delta is B·x.
	Delta(x []float32) latent.Code
	// Pull is Bᵀ·g, the gradient in x of a function whose gradient in W+ is g.
	Pull(g latent.Code) []float32
}

// Reason is why a descent ended.
type Reason string

// The reasons that every descent knows; [Descent.Measure] may give others.
const (
	ReasonSteps Reason = "all steps made"
	ReasonFlat  Reason = "the loss is flat"
)

// Stage is a part of a descent with its own space.
type Stage struct {
	Space Space
	// Steps is the number of updates of Adam.
	Steps int
	// Rate of Adam in the space's coordinates.
	Rate float64
	// Schedule multiplies the rate at t, the share of the stage that is done; nil is a
	// constant rate.
	Schedule func(t float64) float64
	// Begin is a guess of the coordinates, or nil. The first update jumps there; when the
	// loss is not lower there than at the base, it is made again from the base.
	Begin []float32
	// Coarse is handed to Evaluate: it may be quicker and less exact.
	Coarse bool
	// Continue goes on in the coordinates and with the moments of the stage before, whose
	// space must be the same, from its best code.
	Continue bool
}

// Progress is where a descent stands at one code.
type Progress struct {
	// Index counts the codes from 0, the start; Total is the number of updates of all
	// stages.
	Index, Total int
	Stage        int
	// Loss with the prior, Prior the mean square of the coordinates.
	Loss, Prior float64
	Elapsed     time.Duration
	Remaining   time.Duration
	// Code is the latent. It is the receiver's to keep.
	Code latent.Code
	// Preview says that a picture is due.
	Preview bool
	// Final marks the repeated best step, which was number Best; Reason says why the
	// descent ended.
	Final  bool
	Best   int
	Reason Reason
}

// Descent minimises a function of a latent code by gradient descent in one space
// after another, and yields a step S of the caller's kind for every code. It is what
// edits and embeddings have in common: the best step and not the last is the result,
// a flat loss ends a stage, pictures are made only as often as someone can look at
// them, and a context that ends does so within one step.
type Descent[S any] struct {
	// Name begins the errors.
	Name string
	// Start is the code before the first update.
	Start latent.Code
	// Stages run one after the other, each from the best code of the one before and with
	// coordinates relative to it.
	Stages []Stage
	// Prior is the weight of the mean square of the coordinates.
	Prior float64
	// Flat ends a stage when the lowest loss has fallen by less than FlatShare of itself
	// over so many steps; 0 means never.
	Flat      int
	FlatShare float64
	// PreviewEvery is the least time between two steps with a picture; the first and the
	// last always have one. Zero gives every step one.
	PreviewEvery time.Duration

	// Evaluate gives the loss without the prior and its gradient, which need be valid only
	// until the next call.
	Evaluate func(ctx context.Context, w latent.Code, coarse bool) (loss float64, gradient latent.Code, err error)
	// Measure makes the step of the code that was evaluated last. A reason ends the
	// descent with this step; take says that it is the result whatever its loss.
	Measure func(p Progress) (step S, end Reason, take bool)
	// Repeat turns the best step into the final one. When its picture is missing, it
	// has to be made again.
	Repeat func(ctx context.Context, best S, p Progress) (S, error)
}

// errStopped says that the consumer of the iterator has had enough.
var errStopped = errors.New("optim: stopped")

// Run yields a step for the start, one for every update, and a final one; or an error,
// which ends the run: the context's, Evaluate's, or a loss that is not a number.
func (d Descent[S]) Run(ctx context.Context) iter.Seq2[S, error] {
	return func(yield func(S, error) bool) {
		r := descending[S]{Descent: d, yield: yield, begun: time.Now()}
		if err := r.all(ctx); err != nil && !errors.Is(err, errStopped) {
			var none S
			yield(none, err)
		}
	}
}

type descending[S any] struct {
	Descent[S]
	yield func(S, error) bool
	begun time.Time
	shown time.Time
	index int
	total int

	lowest float64 // of the stage
	best   S
	result Progress // of best
	reason Reason
	ended  bool // by Measure

	// For a stage that continues: base, coordinates of the best code, and moments.
	base  latent.Code
	bestX []float32
	adam  *Adam
}

func (r *descending[S]) all(ctx context.Context) error {
	for i, s := range r.Stages {
		if s.Space == nil || s.Steps < 0 || !(s.Rate > 0) {
			return fmt.Errorf("%s: stage %d has no space, a negative number of steps or no rate", r.Name, i)
		}
		r.total += s.Steps
	}
	if len(r.Stages) == 0 {
		return fmt.Errorf("%s: no stages were asked for", r.Name)
	}
	base := r.Start
	for i, s := range r.Stages {
		if s.Steps == 0 && (i > 0 || r.total > 0) {
			continue
		}
		if err := r.stage(ctx, i, base, s); err != nil {
			return err
		}
		if base = r.result.Code; r.ended {
			break
		}
	}
	p := r.result
	p.Index, p.Best, p.Final, p.Reason = r.index, r.result.Index, true, r.reason
	p.Code = p.Code.Clone()
	p.Elapsed, p.Remaining = time.Since(r.begun), 0
	final, err := r.Repeat(ctx, r.best, p)
	if err != nil {
		return err
	}
	if !r.yield(final, nil) {
		return errStopped
	}
	return nil
}

// stage makes one stage's updates. Coordinates are relative to base.
func (r *descending[S]) stage(ctx context.Context, number int, base latent.Code, s Stage) error {
	x := make([]float32, s.Space.Size())
	adam := NewAdam(len(x), s.Rate)
	if s.Continue && r.adam != nil {
		if len(r.bestX) != len(x) {
			return fmt.Errorf("%s: stage %d continues in a space of %d coordinates, the one before had %d", r.Name, number, len(x), len(r.bestX))
		}
		base, adam = r.base, r.adam
		adam.Rate = s.Rate
		copy(x, r.bestX)
	}
	r.base, r.adam = base, adam
	var first []float32 // gradient at the base, until the guess is known to be better
	var atBase float64
	// The best of a stage is measured by its own loss: the prior counts from base.
	r.lowest = math.Inf(1)
	var lowest []float64
	for k := 0; ; k++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		code := base.Add(s.Space.Delta(x))
		loss, gradient, err := r.Evaluate(ctx, code, s.Coarse)
		if err != nil {
			return err
		}
		p := Progress{Index: r.index, Total: r.total, Stage: number, Code: code, Prior: meanSquare(x)}
		p.Loss = loss + r.Prior*p.Prior
		if math.IsNaN(p.Loss) || math.IsInf(p.Loss, 0) {
			return fmt.Errorf("%s: loss of step %d is %v", r.Name, r.index, p.Loss)
		}
		step, end, take := r.measure(p)
		if p.Loss < r.lowest || take {
			r.lowest, r.best, r.result = min(r.lowest, p.Loss), step, p
			r.bestX = append(r.bestX[:0], x...)
		}
		// The base of a later stage was a step of the stage before.
		if k > 0 || r.index == 0 {
			if !r.yield(step, nil) {
				return errStopped
			}
			r.index++
		}
		lowest = append(lowest, r.lowest)
		switch {
		case end != "":
			r.reason, r.ended = end, true
			return nil
		case k == s.Steps:
			r.reason = ReasonSteps
			return nil
		case r.Flat > 0 && k >= r.Flat && lowest[k-r.Flat]-r.lowest < r.FlatShare*math.Abs(r.lowest):
			r.reason = ReasonFlat
			return nil
		}
		g := s.Space.Pull(gradient)
		f := float32(2 * r.Prior / float64(max(1, len(x))))
		for i, v := range x {
			g[i] += f * v
		}
		switch {
		case k == 0 && s.Begin != nil:
			first, atBase = g, p.Loss
			copy(x, s.Begin)
			continue
		case first != nil && p.Loss >= atBase:
			g = first
			clear(x)
		}
		first = nil
		factor := 1.0
		if s.Schedule != nil {
			// The rate of the first update is not that of t = 0, where a ramp is zero.
			factor = s.Schedule(float64(k+1) / float64(s.Steps+1))
		}
		if err := adam.Step(x, g, factor); err != nil {
			return fmt.Errorf("%s: step %d: %w", r.Name, r.index, err)
		}
	}
}

func (r *descending[S]) measure(p Progress) (S, Reason, bool) {
	now := time.Now()
	p.Elapsed = now.Sub(r.begun)
	if r.index > 0 {
		p.Remaining = p.Elapsed / time.Duration(r.index) * time.Duration(max(0, r.total-r.index))
	}
	if p.Preview = r.index == 0 || now.Sub(r.shown) >= r.PreviewEvery; p.Preview {
		r.shown = now
	}
	return r.Measure(p)
}

func meanSquare(x []float32) float64 {
	s := 0.0
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return s / float64(max(1, len(x)))
}
