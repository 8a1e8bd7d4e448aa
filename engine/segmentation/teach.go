package segmentation

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"math"
	"math/rand/v2"
	"time"

	"latentbrush/engine/latent"
	"latentbrush/engine/model"
	"latentbrush/engine/optim"
	"latentbrush/engine/stylegan2"
)

// Teaching fits a head to labelled latents. The generator is fixed, so the features of a
// latent are computed once and kept at their own resolutions. A step looks at a grid of rows
// and columns of a few pictures: rows and columns are drawn more densely where rare classes are,
// each pixel's weight makes up for it, and so a few thousand pixels stand for all. The
// first layer runs below the enlargement, as in [Apply], only the rows and columns of the grid are
// enlarged. All members of an ensemble are one graph; they see the same pixels and differ in
// their first weights.

// Unlabelled is the index of pixels that say nothing, so that a picture may be labelled in
// part. It cannot be used in models with 256 classes, where it is a class.
const Unlabelled = 255

// Pair is a latent and the labels of its picture. Pixels are class ids or [Unlabelled].
type Pair struct {
	// Name is used in errors.
	Name   string
	Code   latent.Code
	Labels *image.Paletted
}

// Session is a graph that is ready to run, as package ort makes them.
type Session interface {
	Input(name string) []float32
	Output(name string) []float32
	Run(ctx context.Context) error
	Close() error
}

// NewSession prepares the bytes of an ONNX model.
type NewSession func(model []byte) (Session, error)

// TeachOptions are the choices of [Teach]. Zero values mean the defaults.
type TeachOptions struct {
	// Members of the ensemble; default 10.
	Members int
	// Hidden are the sizes of the hidden layers; default 64, 32. Empty but not nil: a linear head.
	Hidden []int
	// Upsample is [model.UpsampleProgressive], the default, or [model.UpsampleBilinear].
	Upsample string
	// Seed decides the first weights and the pixels of each step.
	Seed uint64
	// MaxSteps bounds the number of updates; default 300. Teaching usually ends before.
	MaxSteps int
	// Rate is Adam's first rate; default 0.01.
	Rate float64
	// Decay is the share of the first layer's weights that each step of full rate takes away, a
	// guard against learning the few pictures by heart; default 0, none.
	Decay float64
	// Pictures in each step, default 4, and rows and columns of the grid laid over each, default 64.
	Pictures, Grid int
	// Memory is the largest number of bytes for the features that are kept; default 1.5 GiB.
	Memory int64
}

func (o TeachOptions) filled(man *model.Manifest) (TeachOptions, error) {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	def(&o.Members, 10)
	def(&o.MaxSteps, 300)
	def(&o.Pictures, 4)
	def(&o.Grid, 64)
	if o.Hidden == nil {
		o.Hidden = []int{64, 32}
	}
	if o.Rate == 0 {
		o.Rate = 0.01
	}
	if o.Memory == 0 {
		o.Memory = 3 << 29
	}
	if o.Upsample == "" {
		o.Upsample = model.UpsampleProgressive
	}
	for _, c := range []struct {
		name      string
		v, lo, hi int
	}{
		{"members", o.Members, 1, 64},
		{"steps", o.MaxSteps, 1, 1 << 20},
		{"pictures in a step", o.Pictures, 1, 256},
		{"grid", o.Grid, 4, 1024},
		{"hidden layers", len(o.Hidden), 0, 4},
	} {
		if c.v < c.lo || c.v > c.hi {
			return o, fmt.Errorf("segmentation: %s: %d, want %d to %d", c.name, c.v, c.lo, c.hi)
		}
	}
	for _, h := range o.Hidden {
		if h < 1 || h > model.MaxWidth {
			return o, fmt.Errorf("segmentation: hidden layer of %d, want 1 to %d", h, model.MaxWidth)
		}
	}
	if o.Upsample != model.UpsampleBilinear && o.Upsample != model.UpsampleProgressive {
		return o, fmt.Errorf("segmentation: upsampling %q, want %q or %q", o.Upsample, model.UpsampleBilinear, model.UpsampleProgressive)
	}
	if !(o.Rate > 0 && o.Rate <= 1) || !(o.Decay >= 0 && o.Decay < 1) {
		return o, fmt.Errorf("segmentation: rate %v and decay %v, want numbers from 0 to 1", o.Rate, o.Decay)
	}
	o.Grid = min(o.Grid, man.Resolution)
	return o, nil
}

// TeachStage is a part of teaching.
type TeachStage string

// The stages.
const (
	StageFeatures TeachStage = "features"
	StageTraining TeachStage = "training"
	StageDone     TeachStage = "done"
)

// TeachStep is one point of teaching: a pair whose features are ready, an update, or the end.
type TeachStep struct {
	Stage TeachStage
	// Index counts from 1 to Total within the stage; in training Total is the most that
	// there can be.
	Index, Total int
	// Loss is the class-balanced cross-entropy of this step's pixels in nats, the mean over the
	// members; Smoothed is its mean over the last steps.
	Loss, Smoothed float64
	// Rate of Adam in this step.
	Rate float64
	// Memory is the number of bytes of features that are kept.
	Memory  int64
	Elapsed time.Duration
	// Head makes a head of the weights after this step; nil before the first update. It must
	// be called before the next step.
	Head func() *Head
	// Reason says why training ended, in the last step.
	Reason string
}

// smoothing is the number of steps over which the loss is averaged, and flatShare the fall of
// that average, as a share of it, that counts as progress.
const (
	smoothing = 20
	flatShare = 0.1
)

// phases are the factors of the rate. A phase ends when the smoothed loss is flat.
var phases = []float64{1, 0.3, 0.1}

// momentum is the weight of a step in the running statistics of the normalisation.
const momentum = 0.1

// Teach fits a head for a generator to labelled latents, of which a few are enough. It yields a step
// for every pair, every update and the end, whose Head is the result; or an error, which ends it: a
// bad pair or option, or the context's. The same input and seed give the same head on the same
// device.
func Teach(ctx context.Context, gen *stylegan2.Generator, open NewSession, pairs []Pair, classes int, o TeachOptions) iter.Seq2[TeachStep, error] {
	return func(yield func(TeachStep, error) bool) {
		t := &teacher{ctx: ctx, gen: gen, open: open, pairs: pairs, classes: classes, yield: yield, begun: time.Now()}
		if err := t.run(o); err != nil && !errors.Is(err, errStopped) {
			yield(TeachStep{}, err)
		}
	}
}

// errStopped says that the consumer of the iterator has had enough.
var errStopped = errors.New("segmentation: stopped")

type teacher struct {
	ctx     context.Context
	gen     *stylegan2.Generator
	open    NewSession
	pairs   []Pair
	classes int
	o       TeachOptions
	yield   func(TeachStep, error) bool
	begun   time.Time

	info    *model.HeadInfo
	cache   *cache
	weights []float64 // of the classes
	samples []sampler // of the pairs
	net     *network
	rng     *rand.Rand
	losses  []float64
}

// CheckPair returns what is wrong with a pair for a generator and a number of classes, or nil.
func CheckPair(man *model.Manifest, p Pair, classes int) error {
	if err := p.Code.Check(man.Rows, man.WDim); err != nil {
		return fmt.Errorf("segmentation: pair %s: %w", p.Name, err)
	}
	if p.Labels == nil {
		return fmt.Errorf("segmentation: pair %s has no labels", p.Name)
	}
	size := man.Size()
	if got := p.Labels.Rect.Size(); got != size {
		return fmt.Errorf("segmentation: pair %s: labels are %d × %d, want %d × %d as the model's pictures", p.Name, got.X, got.Y, size.X, size.Y)
	}
	for y := range size.Y {
		for x, c := range p.Labels.Pix[y*p.Labels.Stride:][:size.X] {
			if int(c) >= classes && c != Unlabelled {
				return fmt.Errorf("segmentation: pair %s: pixel (%d, %d) has class %d, the classes are 0 to %d", p.Name, x, y, c, classes-1)
			}
		}
	}
	return nil
}

func (t *teacher) run(o TeachOptions) error {
	if err := t.prepare(o); err != nil {
		return err
	}
	defer t.net.session.Close()
	return t.train()
}

// prepare does everything before the first update.
func (t *teacher) prepare(o TeachOptions) error {
	man := t.gen.Manifest()
	var err error
	if t.o, err = o.filled(man); err != nil {
		return err
	}
	if t.classes < 2 || t.classes > model.MaxClasses {
		return fmt.Errorf("segmentation: %d classes, want 2 to %d", t.classes, model.MaxClasses)
	}
	if len(t.pairs) == 0 {
		return errors.New("segmentation: there are no labelled pairs to learn from")
	}
	for _, p := range t.pairs {
		if err := CheckPair(man, p, t.classes); err != nil {
			return err
		}
	}
	t.info = &model.HeadInfo{
		Members: t.o.Members, Hidden: t.o.Hidden, Classes: t.classes,
		Features: man.Features(), Upsample: t.o.Upsample,
	}
	for range t.o.Hidden {
		t.info.Norm = append(t.info.Norm, true)
	}
	if t.weights, err = balance(t.pairs, t.classes); err != nil {
		return err
	}
	for _, p := range t.pairs {
		t.samples = append(t.samples, newSampler(p.Labels, t.weights))
	}
	if err := t.collect(); err != nil {
		return err
	}
	t.rng = rand.New(rand.NewPCG(t.o.Seed, 0x7465616368))
	t.net, err = newNetwork(t)
	return err
}

// balance returns each class's weight in the loss: one over the root of its share of the labelled
// pixels, scaled so that the mean over pixels is 1.
func balance(pairs []Pair, classes int) ([]float64, error) {
	counts := make([]float64, classes)
	total := 0.0
	for _, p := range pairs {
		size := p.Labels.Rect.Size()
		for y := range size.Y {
			for _, c := range p.Labels.Pix[y*p.Labels.Stride:][:size.X] {
				if int(c) < classes {
					counts[c]++
					total++
				}
			}
		}
	}
	if total == 0 {
		return nil, errors.New("segmentation: no pixel of any pair has a label")
	}
	sum := 0.0
	weights := make([]float64, classes)
	for c, n := range counts {
		if n > 0 {
			weights[c] = 1 / math.Sqrt(n/total)
			sum += weights[c] * n / total
		}
	}
	for c := range weights {
		weights[c] /= sum
	}
	return weights, nil
}

// collect computes the features of all pairs.
func (t *teacher) collect() error {
	var err error
	if t.cache, err = newCache(t.gen.Manifest(), len(t.pairs), t.o.Memory); err != nil {
		return err
	}
	f, err := newFeaturizer(t.gen, t.open)
	if err != nil {
		return err
	}
	defer f.session.Close()
	for i, p := range t.pairs {
		if err := f.run(t.ctx, p.Code, t.cache, i); err != nil {
			return err
		}
		s := TeachStep{Stage: StageFeatures, Index: i + 1, Total: len(t.pairs), Memory: t.cache.bytes(), Elapsed: time.Since(t.begun)}
		if !t.yield(s, nil) {
			return errStopped
		}
	}
	t.cache.standardise()
	return nil
}

func (t *teacher) train() error {
	n := 0
	last := TeachStep{}
	for p, factor := range phases {
		// Every later phase keeps time for one window.
		end := t.o.MaxSteps - smoothing*(len(phases)-1-p)
		if p == len(phases)-1 {
			end = t.o.MaxSteps
		}
		begun := n
		for n < end {
			if err := t.ctx.Err(); err != nil {
				return err
			}
			rate := factor
			if n < 5 {
				rate *= float64(n+1) / 5
			}
			loss, err := t.step(rate)
			if err != nil {
				return fmt.Errorf("segmentation: step %d: %w", n+1, err)
			}
			n++
			t.losses = append(t.losses, loss)
			smoothed := mean(t.losses[max(0, n-smoothing):])
			last = TeachStep{
				Stage: StageTraining, Index: n, Total: t.o.MaxSteps, Loss: loss, Smoothed: smoothed,
				Rate: rate * t.o.Rate, Memory: t.cache.bytes(), Elapsed: time.Since(t.begun), Head: t.net.head,
			}
			if !t.yield(last, nil) {
				return errStopped
			}
			if done := n - begun; done >= 2*smoothing {
				if before := mean(t.losses[n-2*smoothing : n-smoothing]); smoothed > (1-flatShare)*before {
					break
				}
			}
		}
	}
	last.Stage, last.Reason, last.Elapsed = StageDone, "the loss is flat", time.Since(t.begun)
	if n == t.o.MaxSteps {
		last.Reason = "all steps made"
	}
	if !t.yield(last, nil) {
		return errStopped
	}
	return nil
}

// step makes one update and returns the loss before it.
func (t *teacher) step(factor float64) (float64, error) {
	t.fill()
	s := t.net.session
	if err := s.Run(t.ctx); err != nil {
		return 0, err
	}
	loss := float64(s.Output("loss")[0])
	if math.IsNaN(loss) || math.IsInf(loss, 0) {
		return 0, fmt.Errorf("the loss is %v", loss)
	}
	for _, v := range t.net.variables {
		if v.decay {
			keep := float32(1 - t.o.Decay*factor)
			for i := range v.data {
				v.data[i] *= keep
			}
		}
		if err := v.adam.Step(v.data, s.Output("d "+v.name), factor); err != nil {
			return 0, fmt.Errorf("%s: %w", v.name, err)
		}
	}
	t.net.updateStatistics()
	return loss, nil
}

func mean(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s / float64(len(x))
}

// newAdam is Adam with a shorter memory of squares, since teaching takes few steps.
func newAdam(n int, rate float64) *optim.Adam {
	a := optim.NewAdam(n, rate)
	a.Beta2 = 0.99
	return a
}
