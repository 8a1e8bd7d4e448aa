package engine

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"iter"
	"slices"
	"time"

	"latentbrush/engine/edit"
	"latentbrush/engine/graph"
	"latentbrush/engine/inversion"
	"latentbrush/engine/latent"
	"latentbrush/engine/loss"
	"latentbrush/engine/model"
	"latentbrush/engine/ort"
	"latentbrush/engine/stylegan2"
)

// EmbedRequest asks for the latent of a picture.
type EmbedRequest struct {
	// Picture in the size of the model's pictures; the package canvas/photo cuts one out
	// of a photo.
	Picture *image.RGBA
	// Start is the code to begin at. Empty means the encoder's answer, or the mean when
	// the bundle has no encoder.
	Start latent.Code
	// Settings of the optimisation; the zero value is the default.
	Settings EmbedSettings
}

// EmbedSettings of an embedding. Zero values mean those of [DefaultEmbedSettings],
// negative ones mean 0.
type EmbedSettings struct {
	// Steps is the number of updates.
	Steps int
	// Free looks in W+ without whitening and without the prior's metric, the official
	// formulation; Rate is then in the units of w.
	Free bool
	// Rate of Adam at its highest.
	Rate float64
	// PictureWeight multiplies the mean squared RGB difference of values in [−1,1],
	// PerceptualWeight the feature distance, Prior the mean square of the whitened
	// distance from the start.
	PictureWeight, PerceptualWeight, Prior float64
	// Flat ends the run when so many steps brought nothing, PSNR when the reconstruction
	// is as good as that, in dB.
	Flat int
	PSNR float64
	// PreviewEvery is the least time between steps with a picture.
	PreviewEvery time.Duration
}

// EmbedStep is one point of an embedding.
type EmbedStep = inversion.Step

// Fit says how well a model explains a photo.
type Fit = inversion.Fit

// DefaultEmbedSettings are what zero values of [EmbedSettings] stand for;
// docs/performance.md has the figures.
func DefaultEmbedSettings() EmbedSettings {
	return EmbedSettings{
		Steps: 100, Rate: 0.1, PictureWeight: 10, PerceptualWeight: 1, Prior: 0.02,
		Flat: 25, PreviewEvery: 100 * time.Millisecond,
	}
}

func (s EmbedSettings) filled() EmbedSettings {
	d := DefaultEmbedSettings()
	if s.Steps == 0 {
		s.Steps = d.Steps
	}
	if s.Flat == 0 {
		s.Flat = d.Flat
	}
	if s.PreviewEvery == 0 {
		s.PreviewEvery = d.PreviewEvery
	}
	for _, f := range []struct {
		value    *float64
		standard float64
	}{{&s.Rate, d.Rate}, {&s.PictureWeight, d.PictureWeight}, {&s.PerceptualWeight, d.PerceptualWeight}, {&s.Prior, d.Prior}} {
		if *f.value == 0 {
			*f.value = f.standard
		}
		*f.value = max(0, *f.value)
	}
	s.Steps, s.Flat = max(0, s.Steps), max(0, s.Flat)
	return s
}

// ErrNoEncoder is returned by [Engine.Encode] when the bundle has no encoder.
var ErrNoEncoder = errors.New("engine: the model has no encoder")

// photoSessions are the sessions of embedding. They belong to the queue's goroutine.
type photoSessions struct {
	step     *ort.Session // loss of a code against a picture, and its gradient
	features *ort.Session // perceptual features of a picture; nil without a network
	compared int          // feature maps that are compared
	encoder  *ort.Session
	limits   inversion.Range
}

func (p *photoSessions) close() error {
	var errs []error
	for _, s := range []*ort.Session{p.step, p.features, p.encoder} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	return errors.Join(errs...)
}

// pyramid are the box sizes at which pictures are compared when the bundle has no
// perceptual network.
var pyramid = []int{4, 16}

func (e *Engine) buildEmbedding() error {
	p := &e.photo
	g := graph.New("embed")
	code := g.Input("code", e.info.Rows, e.info.Dim)
	syn, err := e.generator.Synthesis(g, code, 0)
	if err != nil {
		return err
	}
	h, w := syn.Image.Dim(2), syn.Image.Dim(3)
	picture := g.Input("picture", 1, 3, h, w)
	pictureWeight, perceptualWeight := g.Input("picture_weight"), g.Input("perceptual_weight")
	squared := g.Mean(g.Square(g.Sub(syn.Image, picture)))
	var perceptual *graph.Value
	if e.features != nil {
		compared := e.features.Features(g, syn.Image)
		var targets []*graph.Value
		for i, f := range compared {
			targets = append(targets, g.Input(fmt.Sprintf("feature_target%d", i), f.Shape()...))
		}
		perceptual = loss.Distance(g, compared, targets)
		p.compared = len(compared)
		fg := graph.New("features")
		for i, f := range e.features.Features(fg, fg.Input("picture", 1, 3, h, w)) {
			fg.Output(fmt.Sprintf("feature%d", i), f)
		}
		bytes, err := fg.Model()
		if err != nil {
			return err
		}
		if p.features, err = e.runtime.NewSession(bytes, nil, nil, ort.SessionOptions{Frugal: true, Device: ort.CPU}); err != nil {
			return err
		}
	} else {
		perceptual = g.Scalar(0)
		for _, f := range pyramid {
			if h%f == 0 && w%f == 0 && h > f && w > f {
				perceptual = g.Add(perceptual, g.Mean(g.Square(g.AveragePool(g.Sub(syn.Image, picture), f))))
			}
		}
	}
	total := g.Add(g.Mul(pictureWeight, squared), g.Mul(perceptualWeight, perceptual))
	gradient, err := graph.Gradient(total, code)
	if err != nil {
		return err
	}
	g.Output("loss", total)
	g.Output("squared", squared)
	g.Output("perceptual", perceptual)
	g.Output("gradient", gradient[0])
	g.Output("image", syn.Image)
	bytes, err := g.Model()
	if err != nil {
		return err
	}
	p.step, err = e.runtime.NewSession(bytes, nil, nil, ort.SessionOptions{KeepModel: e.runtime.Device() != ort.CPU})
	return err
}

// embedding is one run on the embedding session: an [inversion.Evaluator].
type embedding struct{ engine *Engine }

// aim sets the picture to be found. The caller holds the job token.
func (j embedding) aim(ctx context.Context, picture *image.RGBA, s EmbedSettings) error {
	e := j.engine
	return e.queue.do(ctx, false, func(ctx context.Context) error {
		p := &e.photo
		if p.step == nil {
			if err := e.buildEmbedding(); err != nil {
				return err
			}
		}
		tensor := stylegan2.Tensor(nil, picture)
		copy(p.step.Input("picture"), tensor)
		p.step.Input("picture_weight")[0] = float32(s.PictureWeight)
		p.step.Input("perceptual_weight")[0] = float32(s.PerceptualWeight)
		if p.features == nil {
			return nil
		}
		return p.features.Call(ctx, func() { copy(p.features.Input("picture"), tensor) }, func() {
			for i := range p.compared {
				copy(p.step.Input(fmt.Sprintf("feature_target%d", i)), p.features.Output(fmt.Sprintf("feature%d", i)))
			}
		})
	})
}

// Evaluate implements [inversion.Evaluator].
func (j embedding) Evaluate(ctx context.Context, w latent.Code) (inversion.Evaluation, error) {
	e := j.engine
	var v inversion.Evaluation
	err := e.queue.do(ctx, false, func(ctx context.Context) error {
		s := e.photo.step
		return s.Call(ctx, func() { copy(s.Input("code"), w.Data) }, func() {
			v = inversion.Evaluation{
				Terms:    inversion.Terms{Picture: float64(s.Output("squared")[0]), Perceptual: float64(s.Output("perceptual")[0])},
				Loss:     float64(s.Output("loss")[0]),
				Gradient: latent.Code{Rows: w.Rows, Dim: w.Dim, Data: s.Output("gradient")},
				Picture:  func() *image.RGBA { return stylegan2.Picture(nil, s.Output("image"), e.info.Width, e.info.Height) },
			}
		})
	})
	return v, err
}

func (e *Engine) checkPhoto(picture *image.RGBA) error {
	if picture == nil {
		return errors.New("embed: picture is missing")
	}
	if size := picture.Rect.Size(); size.X != e.info.Width || size.Y != e.info.Height {
		return fmt.Errorf("embed: picture is %d×%d, want %d×%d as the model's pictures", size.X, size.Y, e.info.Width, e.info.Height)
	}
	return nil
}

// Embed optimises a code until its picture is the given one. Cancel with ctx or by
// ending the loop. The steps carry the reconstruction's error; [Engine.Fit] judges the
// last one.
func (e *Engine) Embed(ctx context.Context, r EmbedRequest) iter.Seq2[EmbedStep, error] {
	return func(yield func(EmbedStep, error) bool) {
		release, err := e.begun(ctx)
		if err != nil {
			yield(EmbedStep{}, err)
			return
		}
		defer release()
		s := r.Settings.filled()
		start, stages, err := e.embedStages(ctx, r, s)
		j := embedding{e}
		if err == nil {
			err = j.aim(ctx, r.Picture, s)
		}
		if err != nil {
			yield(EmbedStep{}, err)
			return
		}
		for step, err := range inversion.Run(ctx, j, start, r.Picture, inversion.Options{
			Stages: stages, Prior: s.Prior, Flat: s.Flat, FlatShare: flatShare, PSNR: s.PSNR, PreviewEvery: s.PreviewEvery,
		}) {
			if !yield(step, err) || err != nil {
				return
			}
		}
	}
}

// embedStages finds where to begin and which spaces to look in: from a code, W+; from
// the mean, first all rows together, so that W+ begins among natural pictures.
func (e *Engine) embedStages(ctx context.Context, r EmbedRequest, s EmbedSettings) (latent.Code, []inversion.Stage, error) {
	if err := e.checkPhoto(r.Picture); err != nil {
		return latent.Code{}, nil, err
	}
	start, near := r.Start, true
	if start.Empty() {
		var err error
		switch start, err = e.encode(ctx, r.Picture); {
		case errors.Is(err, ErrNoEncoder):
			start, near = latent.Broadcast(e.generator.Mean(), e.info.Rows), false
		case err != nil:
			return start, nil, err
		}
	}
	if err := start.Check(e.info.Rows, e.info.Dim); err != nil {
		return start, nil, fmt.Errorf("embed: start: %w", err)
	}
	if s.Free {
		return start, []inversion.Stage{{Space: edit.Free(e.info.Rows, e.info.Dim), Steps: s.Steps, Rate: s.Rate}}, nil
	}
	p, err := e.Prior(ctx)
	if err != nil {
		return start, nil, err
	}
	rows, err := edit.PerRow(p, e.info.Rows, nil)
	if err != nil {
		return start, nil, err
	}
	if near {
		return start, []inversion.Stage{{Space: rows, Steps: s.Steps, Rate: s.Rate}}, nil
	}
	first := s.Steps / 2
	return start, []inversion.Stage{
		{Space: edit.Shared(p, e.info.Rows), Steps: first, Rate: s.Rate},
		{Space: rows, Steps: s.Steps - first, Rate: s.Rate},
	}, nil
}

// HasEncoder reports whether the bundle has an encoder.
func (e *Engine) HasEncoder() bool {
	f, err := e.model.Weights(model.EncoderFile)
	if err == nil {
		f.Close()
	}
	return err == nil
}

// Encode is the encoder's answer for a picture of the model's size, without any
// optimisation: within a moment and roughly. The error is [ErrNoEncoder] when the
// bundle has none.
func (e *Engine) Encode(ctx context.Context, picture *image.RGBA) (latent.Code, error) {
	if err := e.checkPhoto(picture); err != nil {
		return latent.Code{}, err
	}
	return e.encode(ctx, picture)
}

func (e *Engine) encode(ctx context.Context, picture *image.RGBA) (latent.Code, error) {
	code := latent.New(e.info.Rows, e.info.Dim)
	err := e.queue.do(ctx, false, func(ctx context.Context) error {
		if err := e.openEncoder(); err != nil {
			return err
		}
		s := e.photo.encoder
		return s.Call(ctx, func() { stylegan2.Tensor(s.Input("picture"), picture) }, func() { copy(code.Data, s.Output("code")) })
	})
	return code, err
}

// openEncoder builds the encoder's session if need be, on the queue's goroutine.
func (e *Engine) openEncoder() error {
	p := &e.photo
	if p.encoder != nil {
		return nil
	}
	f, err := e.model.Weights(model.EncoderFile)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoEncoder
	}
	if err != nil {
		return err
	}
	defer f.Close()
	enc, err := inversion.ReadEncoder(f)
	if err != nil {
		return err
	}
	g := graph.New("encoder")
	code, err := enc.Graph(g, g.Input("picture", 1, 3, e.info.Height, e.info.Width))
	if err != nil {
		return err
	}
	if got := code.Shape(); !slices.Equal(got, []int{1, e.info.Rows, e.info.Dim}) {
		return fmt.Errorf("engine: encoder gives codes of %v, the model has %d×%d", got[1:], e.info.Rows, e.info.Dim)
	}
	g.Output("code", code)
	bytes, err := g.Model()
	if err != nil {
		return err
	}
	if p.encoder, err = e.runtime.NewSession(bytes, nil, nil, ort.SessionOptions{KeepModel: e.runtime.Device() != ort.CPU}); err != nil {
		return err
	}
	p.limits = enc.Range
	return nil
}

// EncoderError is the share of a picture's variance that the picture of the encoder's
// answer does not explain: 0 for equal pictures, about 1 for an answer that says
// nothing. It is the score by which a crop box is proposed; an even background is easy
// to draw but has no variance to explain.
func (e *Engine) EncoderError(ctx context.Context, picture *image.RGBA) (float64, error) {
	code, err := e.Encode(ctx, picture)
	if err != nil {
		return 0, err
	}
	frame, err := e.Render(ctx, code, RenderOptions{})
	if err != nil {
		return 0, err
	}
	var sum, square [3]float64
	left := 0.0
	for y := range e.info.Height {
		a, b := picture.Pix[y*picture.Stride:], frame.Picture.Pix[y*frame.Picture.Stride:]
		for x := range e.info.Width {
			for c := range 3 {
				v, d := float64(a[4*x+c]), float64(a[4*x+c])-float64(b[4*x+c])
				sum[c] += v
				square[c] += v * v
				left += d * d
			}
		}
	}
	// The contrast of the faintest picture that counts, in levels.
	const faint = 8
	n := float64(e.info.Width * e.info.Height)
	variance := 3.0 * faint * faint
	for c := range 3 {
		variance += square[c]/n - sum[c]/n*sum[c]/n
	}
	return left / n / variance, nil
}

// Fit judges an embedding by its step: whether the photo is outside the model's range.
func (e *Engine) Fit(ctx context.Context, s EmbedStep) (Fit, error) {
	p, err := e.Prior(ctx)
	if err != nil {
		return Fit{}, err
	}
	f := Fit{PSNR: s.PSNR, Difference: s.Difference, Distance: p.Distance(s.Code), Limits: inversion.DefaultRange}
	err = e.queue.do(ctx, false, func(context.Context) error {
		switch err := e.openEncoder(); {
		case errors.Is(err, ErrNoEncoder):
			return nil
		case err != nil:
			return err
		}
		if e.photo.limits.PSNR > 0 {
			f.Limits = e.photo.limits
		}
		return nil
	})
	return f, err
}

// KeepLeftover adds what the embedding could not say of the photo to an edited picture
// outside region: where nothing was edited, the result is the photo. Inside the
// region's edge it fades out over feather pixels.
func KeepLeftover(photo, reconstruction, edited *image.RGBA, region *image.Alpha, feather int) (*image.RGBA, error) {
	l, err := inversion.NewLeftover(photo, reconstruction)
	if err != nil {
		return nil, err
	}
	whole, err := l.Add(edited)
	if err != nil || region == nil {
		return whole, err
	}
	return edit.Composite(whole, edited, region, feather)
}

// DifferencePicture shows where a reconstruction differs from its photo; see
// [inversion.DifferencePicture].
func DifferencePicture(photo, reconstruction *image.RGBA) *image.RGBA {
	return inversion.DifferencePicture(photo, reconstruction)
}
