package engine

import (
	"context"
	"fmt"
	"image"
	"slices"
	"strings"

	"latentbrush/engine/edit"
	"latentbrush/engine/graph"
	"latentbrush/engine/latent"
	"latentbrush/engine/loss"
	"latentbrush/engine/model"
	"latentbrush/engine/ort"
	"latentbrush/engine/segmentation"
	"latentbrush/engine/stylegan2"
)

// stepper is the session of an optimisation: one run gives the loss at a code, its
// gradient, and the picture and logits that the loss was computed from.
//
// Everything that differs between edits is an input: the weights of pixels, the
// targets and the weights of the terms. The targets of the perceptual term are
// features that the same graph computed at the origin, so no second network is
// needed.
type stepper struct {
	session  *ort.Session
	man      *model.Manifest // whose size it works at
	features int             // feature maps that are compared
	identity bool            // it has an identity term
	masked   bool            // the pictures are masked for a perceptual network
}

// featureResolution is the size of the generator's features that hold the picture
// when the bundle has no perceptual network.
const featureResolution = 64

// Networks are those that look at the picture of a step. Each may be nil.
type Networks struct {
	Perceptual *loss.Perceptual
	Identity   *loss.Readings
}

// StepGraph is the graph of one optimisation step. Its inputs are the code, the
// targets and the weights of pixels and terms; its outputs the loss and its terms, the
// gradient in the code, the picture, the logits and the compared features. Without a
// perceptual network the generator's own features are compared; without an identity
// network there is no such term.
func StepGraph(generator *stylegan2.Generator, labels *segmentation.Head, n Networks) (*graph.Graph, error) {
	return stepGraph(generator, labels, n, generator.Manifest())
}

// stepGraph is the step at the size of a manifest, the generator's own or that of half
// the size.
func stepGraph(generator *stylegan2.Generator, labels *segmentation.Head, n Networks, man *model.Manifest) (*graph.Graph, error) {
	if labels == nil {
		return nil, segmentation.ErrNoHead
	}
	g := graph.New("step")
	code := g.Input("code", man.Rows, man.WDim)
	syn, err := generator.Synthesis(g, code, man.Resolution)
	if err != nil {
		return nil, err
	}
	var logits *graph.Value
	if man.Resolution < generator.Manifest().Resolution {
		syn.Image = stylegan2.Crop(g, syn.Full, man.CropRect())
		logits, err = halfLogits(g, labels, syn.Features, man.Resolution, man.CropRect())
	} else {
		var head *segmentation.Output
		if head, err = labels.Apply(g, man, syn.Features); err == nil {
			logits = head.Logits
		}
	}
	if err != nil {
		return nil, err
	}
	h, w, k := syn.Image.Dim(2), syn.Image.Dim(3), logits.Dim(1)
	target := g.Input("target", 1, k, h, w)
	inside := g.Input("inside", 1, 1, h, w)
	outside := g.Input("outside", 1, 1, h, w)
	picture := g.Input("picture", 1, 3, h, w)
	pictureWeight := g.Input("picture_weight")
	perceptualWeight := g.Input("perceptual_weight")

	entropy := loss.CrossEntropy(g, logits, target, inside)
	squared := loss.Squared(g, syn.Image, picture, outside)

	var compared []*graph.Value
	var perceptual *graph.Value
	if n.Perceptual != nil {
		// LPIPS as EditGAN uses it: the region is black in both pictures.
		mask := g.Input("mask", 1, 1, h, w)
		blanked := g.AddScalar(g.Mul(g.AddScalar(syn.Image, 1), mask), -1)
		compared = n.Perceptual.Features(g, blanked)
		var targets []*graph.Value
		for i, f := range compared {
			targets = append(targets, g.Input(fmt.Sprintf("feature_target%d", i), f.Shape()...))
		}
		perceptual = loss.Distance(g, compared, targets)
	} else {
		r := min(featureResolution, man.Resolution)
		f := syn.Features[fmt.Sprintf("b%d.conv1", r)]
		compared = []*graph.Value{f}
		weights := padToSquare(g, outside, man.CropRect(), man.Resolution)
		if factor := man.Resolution / r; factor > 1 {
			weights = g.Scale(g.AveragePool(weights, factor), float32(factor*factor))
		}
		perceptual = loss.Absolute(g, f, g.Input("feature_target0", f.Shape()...), weights)
	}
	total := g.Add(entropy, g.Add(g.Mul(pictureWeight, squared), g.Mul(perceptualWeight, perceptual)))
	if n.Identity != nil {
		own := n.Identity.Identity(g, n.Identity.Values(g, syn.Image))
		identity := loss.Cosine(g, own, g.Input("identity_target", own.Shape()...))
		total = g.Add(total, g.Mul(g.Input("identity_weight"), identity))
		g.Output("identity", own)
		g.Output("identity_term", identity)
	}
	gradient, err := graph.Gradient(total, code)
	if err != nil {
		return nil, err
	}
	g.Output("loss", total)
	g.Output("cross_entropy", entropy)
	g.Output("squared", squared)
	g.Output("perceptual", perceptual)
	g.Output("gradient", gradient[0])
	g.Output("image", syn.Image)
	g.Output("logits", logits)
	for i, f := range compared {
		g.Output(fmt.Sprintf("feature%d", i), f)
	}
	return g, g.Err()
}

// buildStepper builds a stepper, with the identity term only when it is asked for: its
// network costs time at any weight.
func (e *Engine) buildStepper(man *model.Manifest, identity bool) (*stepper, error) {
	n := Networks{Perceptual: e.features}
	if identity && e.identity != nil && e.identity.Fits(man.Size()) {
		n.Identity = e.identity
	}
	g, err := stepGraph(e.generator, e.head, n, man)
	if err != nil {
		return nil, err
	}
	bytes, err := g.Model()
	if err != nil {
		return nil, err
	}
	session, err := e.runtime.NewSession(bytes, nil, nil, ort.SessionOptions{KeepModel: e.runtime.Device() != ort.CPU})
	if err != nil {
		return nil, err
	}
	s := &stepper{session: session, man: man, masked: n.Perceptual != nil}
	for _, o := range session.Outputs() {
		if strings.HasPrefix(o.Name, "feature") {
			s.features++
		}
		s.identity = s.identity || o.Name == "identity"
	}
	return s, nil
}

// padToSquare undoes the crop of a map with zeros.
func padToSquare(g *graph.Graph, x *graph.Value, crop image.Rectangle, resolution int) *graph.Value {
	if crop.Dx() == resolution && crop.Dy() == resolution {
		return x
	}
	return g.Pad(x, 0,
		graph.Margin{Axis: 2, Before: crop.Min.Y, After: resolution - crop.Max.Y},
		graph.Margin{Axis: 3, Before: crop.Min.X, After: resolution - crop.Max.X})
}

// job is one optimisation: an [edit.Evaluator] whose targets stay in the sessions'
// inputs.
type job struct {
	engine *Engine
	origin Frame
	fine   aim
	// coarse is the same at half the resolution, and small the origin's picture and labels
	// there.
	coarse aim
	small  Frame
	// guess is a change of w to begin at, or nil.
	guess []float32
}

// aim is what a stepper is set to. The targets of the picture terms are what the same
// graph gives at the origin. They cost no run of their own when the optimisation begins
// there: the first evaluation leaves these terms out, which are zero at the origin and
// have no slope, and keeps its picture and features.
type aim struct {
	step *stepper
	// weights of the picture, the perceptual and the identity term, and whether the targets
	// are set.
	weights [3]float32
	set     bool
}

// begin finds the origin's labels and builds the stepper if need be. The caller holds
// the job token.
func (e *Engine) begin(ctx context.Context, origin latent.Code, o Settings) (*job, error) {
	if e.head == nil {
		return nil, segmentation.ErrNoHead
	}
	frame, err := e.Render(ctx, origin, RenderOptions{})
	if err != nil {
		return nil, err
	}
	j := &job{engine: e, origin: frame}
	return j, e.queue.do(ctx, false, func(context.Context) error {
		identity := o.IdentityWeight > 0 && e.identity != nil
		if e.step != nil && identity && !e.step.identity {
			if err := e.step.session.Close(); err != nil {
				return err
			}
			e.step = nil
		}
		if e.step == nil {
			if e.step, err = e.buildStepper(e.model.Manifest, identity); err != nil {
				return err
			}
		}
		j.fine.step = e.step
		return nil
	})
}

// aim sets the labels to be reached in a region and the weights of the terms.
func (j *job) aim(ctx context.Context, painted *image.Paletted, region, free *image.Alpha, o Settings) error {
	e := j.engine
	return e.queue.do(ctx, false, func(context.Context) error {
		j.fine.fill(painted, region, free, o)
		if o.Coarse <= 0 || !e.halves(64) {
			return nil
		}
		if e.stepHalf == nil {
			var err error
			if e.stepHalf, err = e.buildStepper(e.halved(), false); err != nil {
				return err
			}
		}
		j.coarse.step = e.stepHalf
		j.coarse.fill(halfLabels(painted), halfMask(region), halfMask(free), o)
		return nil
	})
}

func (a *aim) fill(painted *image.Paletted, region, free *image.Alpha, o Settings) {
	s := a.step.session
	loss.Targets(s.Input("target"), s.Input("inside"), painted, region, len(a.step.man.Classes))
	n := loss.Weights(s.Input("outside"), region, false, free)
	a.weights = [3]float32{float32(o.PictureWeight), float32(o.PerceptualWeight), float32(o.IdentityWeight)}
	a.set = false
	if !a.step.masked {
		return
	}
	// The perceptual distance is a mean over the whole frame; this makes it one over what
	// is compared.
	mask := s.Input("mask")
	a.weights[1] *= float32(len(mask)) / float32(max(1, n))
	for i, v := range s.Input("outside") {
		mask[i] = 0
		if v != 0 {
			mask[i] = 1
		}
	}
}

// Evaluate implements [edit.Evaluator].
func (j *job) Evaluate(ctx context.Context, w latent.Code) (edit.Evaluation, error) {
	return j.at(ctx, &j.fine, w)
}

// EvaluateCoarse implements [edit.CoarseEvaluator]. Its picture is the origin's with the
// enlarged change, so that the detail that half the resolution lacks stays.
func (j *job) EvaluateCoarse(ctx context.Context, w latent.Code) (edit.Evaluation, error) {
	if j.coarse.step == nil {
		return j.Evaluate(ctx, w)
	}
	first := !j.coarse.set
	if first && !slices.Equal(w.Data, j.origin.Code.Data) {
		if _, err := j.EvaluateCoarse(ctx, j.origin.Code); err != nil {
			return edit.Evaluation{}, err
		}
		first = false
	}
	v, err := j.run(ctx, &j.coarse, w)
	if err != nil {
		return v, err
	}
	picture, labels := v.Picture, v.Labels
	if first {
		j.small = Frame{Picture: picture(), Labels: labels()}
	}
	v.Picture = func() *image.RGBA { return addEnlarged(j.origin.Picture, j.small.Picture, picture()) }
	v.Labels = func() *image.Paletted { return addDoubled(j.origin.Labels, j.small.Labels, labels()) }
	return v, nil
}

// at evaluates a code, after the origin if that has not been.
func (j *job) at(ctx context.Context, a *aim, w latent.Code) (edit.Evaluation, error) {
	if !a.set && !slices.Equal(w.Data, j.origin.Code.Data) {
		if _, err := j.run(ctx, a, j.origin.Code); err != nil {
			return edit.Evaluation{}, err
		}
	}
	return j.run(ctx, a, w)
}

func (j *job) run(ctx context.Context, a *aim, w latent.Code) (edit.Evaluation, error) {
	var v edit.Evaluation
	err := j.engine.queue.do(ctx, false, func(ctx context.Context) error {
		s, size := a.step.session, a.step.man.Size()
		return s.Call(ctx, func() {
			copy(s.Input("code"), w.Data)
			weights := a.weights
			if !a.set {
				weights = [3]float32{}
			}
			s.Input("picture_weight")[0], s.Input("perceptual_weight")[0] = weights[0], weights[1]
			if a.step.identity {
				s.Input("identity_weight")[0] = weights[2]
			}
		}, func() {
			v = edit.Evaluation{
				Terms:    edit.Terms{CrossEntropy: float64(s.Output("cross_entropy")[0])},
				Loss:     float64(s.Output("loss")[0]),
				Gradient: latent.Code{Rows: w.Rows, Dim: w.Dim, Data: s.Output("gradient")},
				Picture:  func() *image.RGBA { return stylegan2.Picture(nil, s.Output("image"), size.X, size.Y) },
				Labels:   func() *image.Paletted { return segmentation.Labels(nil, nil, s.Output("logits"), a.step.man) },
			}
			if a.set {
				v.Terms.Picture, v.Terms.Perceptual = float64(s.Output("squared")[0]), float64(s.Output("perceptual")[0])
				if a.step.identity {
					v.Terms.Identity = float64(s.Output("identity_term")[0])
				}
				return
			}
			copy(s.Input("picture"), s.Output("image"))
			for i := range a.step.features {
				copy(s.Input(fmt.Sprintf("feature_target%d", i)), s.Output(fmt.Sprintf("feature%d", i)))
			}
			if a.step.identity {
				copy(s.Input("identity_target"), s.Output("identity"))
			}
			a.set = true
		})
	})
	return v, err
}
