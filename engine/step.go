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
	features int // feature maps that are compared
	width    int
	height   int
	classes  int
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
	if labels == nil {
		return nil, segmentation.ErrNoHead
	}
	man := generator.Manifest()
	g := graph.New("step")
	code := g.Input("code", man.Rows, man.WDim)
	syn, err := generator.Synthesis(g, code, 0)
	if err != nil {
		return nil, err
	}
	head, err := labels.Apply(g, man, syn.Features)
	if err != nil {
		return nil, err
	}
	h, w, k := syn.Image.Dim(2), syn.Image.Dim(3), head.Logits.Dim(1)
	target := g.Input("target", 1, k, h, w)
	inside := g.Input("inside", 1, 1, h, w)
	outside := g.Input("outside", 1, 1, h, w)
	picture := g.Input("picture", 1, 3, h, w)
	pictureWeight := g.Input("picture_weight")
	perceptualWeight := g.Input("perceptual_weight")

	entropy := loss.CrossEntropy(g, head.Logits, target, inside)
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
	g.Output("logits", head.Logits)
	for i, f := range compared {
		g.Output(fmt.Sprintf("feature%d", i), f)
	}
	return g, g.Err()
}

func (e *Engine) buildStepper() (*stepper, error) {
	g, err := StepGraph(e.generator, e.head, Networks{e.features, e.identity})
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
	size := e.info.Manifest.Size()
	s := &stepper{session: session, width: size.X, height: size.Y, classes: len(e.info.Manifest.Classes)}
	for _, o := range session.Outputs() {
		if strings.HasPrefix(o.Name, "feature") {
			s.features++
		}
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

// job is one optimisation on the stepper: an [edit.Evaluator] whose targets stay in
// the session's inputs. The targets of the picture terms are what the same graph gives
// at the origin. They cost no run of their own when the optimisation begins there: the
// first evaluation leaves these terms out, which are zero at the origin and have no
// slope, and keeps its picture and features.
type job struct {
	engine *Engine
	origin Frame
	// weights of the picture, the perceptual and the identity term, and whether the targets
	// are set.
	weights [3]float32
	aimed   bool
}

// begin finds the origin's labels and builds the stepper if need be. The caller holds
// the job token.
func (e *Engine) begin(ctx context.Context, origin latent.Code) (*job, error) {
	if e.head == nil {
		return nil, segmentation.ErrNoHead
	}
	frame, err := e.Render(ctx, origin, RenderOptions{})
	if err != nil {
		return nil, err
	}
	return &job{engine: e, origin: frame}, e.queue.do(ctx, false, func(context.Context) error {
		if e.step != nil {
			return nil
		}
		e.step, err = e.buildStepper()
		return err
	})
}

// aim sets the labels to be reached in a region and the weights of the terms.
func (j *job) aim(ctx context.Context, painted *image.Paletted, region, free *image.Alpha, o Settings) error {
	e := j.engine
	return e.queue.do(ctx, false, func(context.Context) error {
		s := e.step.session
		loss.Targets(s.Input("target"), s.Input("inside"), painted, region, e.step.classes)
		n := loss.Weights(s.Input("outside"), region, false, free)
		j.weights = [3]float32{float32(o.PictureWeight), float32(o.PerceptualWeight), float32(o.IdentityWeight)}
		j.aimed = false
		if e.features != nil {
			// The distance is a mean over the whole frame; this makes it one over what is
			// compared.
			all := e.step.width * e.step.height
			j.weights[1] *= float32(all) / float32(max(1, n))
			mask := s.Input("mask")
			for i, v := range s.Input("outside") {
				mask[i] = 0
				if v != 0 {
					mask[i] = 1
				}
			}
		}
		return nil
	})
}

// Evaluate implements [edit.Evaluator].
func (j *job) Evaluate(ctx context.Context, w latent.Code) (edit.Evaluation, error) {
	if !j.aimed && !slices.Equal(w.Data, j.origin.Code.Data) {
		if _, err := j.run(ctx, j.origin.Code); err != nil {
			return edit.Evaluation{}, err
		}
	}
	return j.run(ctx, w)
}

func (j *job) run(ctx context.Context, w latent.Code) (edit.Evaluation, error) {
	e := j.engine
	var v edit.Evaluation
	err := e.queue.do(ctx, false, func(ctx context.Context) error {
		s := e.step.session
		return s.Call(ctx, func() {
			copy(s.Input("code"), w.Data)
			weights := j.weights
			if !j.aimed {
				weights = [3]float32{}
			}
			s.Input("picture_weight")[0], s.Input("perceptual_weight")[0] = weights[0], weights[1]
			if e.identity != nil {
				s.Input("identity_weight")[0] = weights[2]
			}
		}, func() {
			v = edit.Evaluation{
				Terms:    edit.Terms{CrossEntropy: float64(s.Output("cross_entropy")[0])},
				Loss:     float64(s.Output("loss")[0]),
				Gradient: latent.Code{Rows: w.Rows, Dim: w.Dim, Data: s.Output("gradient")},
				Picture:  func() *image.RGBA { return stylegan2.Picture(nil, s.Output("image"), e.step.width, e.step.height) },
				Labels: func() *image.Paletted {
					return segmentation.Labels(nil, nil, s.Output("logits"), e.model.Manifest)
				},
			}
			if j.aimed {
				v.Terms.Picture, v.Terms.Perceptual = float64(s.Output("squared")[0]), float64(s.Output("perceptual")[0])
				if e.identity != nil {
					v.Terms.Identity = float64(s.Output("identity_term")[0])
				}
				return
			}
			copy(s.Input("picture"), s.Output("image"))
			for i := range e.step.features {
				copy(s.Input(fmt.Sprintf("feature_target%d", i)), s.Output(fmt.Sprintf("feature%d", i)))
			}
			if e.identity != nil {
				copy(s.Input("identity_target"), s.Output("identity"))
			}
			j.aimed = true
		})
	})
	return v, err
}
