package segmentation

import (
	"context"
	"fmt"
	"image"
	"slices"

	"latentbrush/engine/graph"
	"latentbrush/engine/latent"
	"latentbrush/engine/metrics"
	"latentbrush/engine/model"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/stylegan2"
)

// Tensors returns the head's weights as a file holds them; the metadata that belongs to them is
// Info().Metadata().
func (h *Head) Tensors() []safetensors.Tensor {
	var out []safetensors.Tensor
	h.each(func(name string, data []float32, shape ...int) {
		out = append(out, safetensors.Float32(name, data, shape...))
	})
	return out
}

// each calls do for every tensor of the head.
func (h *Head) each(do func(name string, data []float32, shape ...int)) {
	in, m := h.info.Inputs(), h.info.Members
	for l, out := range sizes(h.info) {
		w, p := h.layers[l], fmt.Sprintf("layers.%d.", l)
		do(p+"weight", w.weight, m, out, in)
		do(p+"bias", w.bias, m, out)
		if w.gain != nil {
			do(p+"norm.weight", w.gain, m, out)
			do(p+"norm.bias", w.shift, m, out)
			do(p+"norm.running_mean", w.mean, m, out)
			do(p+"norm.running_var", w.variance, m, out)
		}
		in = out
	}
}

// Member returns the head of one member of an ensemble.
func (h *Head) Member(i int) *Head {
	info := *h.info
	info.Members = 1
	out := &Head{info: &info}
	part := func(x []float32) []float32 {
		n := len(x) / h.info.Members
		return x[i*n:][:n:n]
	}
	for _, w := range h.layers {
		out.layers = append(out.layers, weights{
			weight: part(w.weight), bias: part(w.bias),
			gain: part(w.gain), shift: part(w.shift), mean: part(w.mean), variance: part(w.variance),
		})
	}
	return out
}

// Labeller labels latents with a head whose weights may change from call to call, as long as its
// description stays the same: what one needs to look at a head while it is taught.
type Labeller struct {
	man       *model.Manifest
	info      *model.HeadInfo
	session   Session
	uncertain bool
}

// NewLabeller prepares the generator and heads like head. With uncertain it also computes where
// the members of an ensemble disagree.
func NewLabeller(gen *stylegan2.Generator, head *Head, open NewSession, uncertain bool) (*Labeller, error) {
	man := gen.Manifest()
	g := graph.New("labels")
	s, err := gen.Synthesis(g, g.Input("code", man.Rows, man.WDim), 0)
	if err != nil {
		return nil, err
	}
	params := make([]Params, len(head.layers))
	in := head.info.Inputs()
	for l, n := range sizes(head.info) {
		p, m := fmt.Sprintf("layers.%d.", l), head.info.Members
		params[l] = Params{Weight: g.Input(p+"weight", m, n, in), Bias: g.Input(p+"bias", m, n)}
		if head.layers[l].gain != nil {
			params[l].Gain = g.Input(p+"norm.weight", m, n)
			params[l].Shift = g.Input(p+"norm.bias", m, n)
			params[l].Mean = g.Input(p+"norm.running_mean", m, n)
			params[l].Variance = g.Input(p+"norm.running_var", m, n)
		}
		in = n
	}
	out, err := Apply(g, head.info, params, s.Features, man.Resolution, man.CropRect())
	if err != nil {
		return nil, err
	}
	g.Output("logits", out.Logits)
	if uncertain {
		g.Output("divergence", Divergence(g, out.Members))
	}
	bytes, err := g.Model()
	if err != nil {
		return nil, err
	}
	session, err := open(bytes)
	if err != nil {
		return nil, err
	}
	return &Labeller{man: man, info: head.info, session: session, uncertain: uncertain}, nil
}

// Close frees the labeller.
func (l *Labeller) Close() error { return l.session.Close() }

// Label returns the labels of a code by a head, without a palette, and where the members
// disagree: the Jensen–Shannon divergence of every pixel in nats, row by row, nil unless the labeller
// was made for it. The divergence is valid until the next call.
func (l *Labeller) Label(ctx context.Context, head *Head, code latent.Code) (*image.Paletted, []float32, error) {
	if head.info.Members != l.info.Members || head.info.Classes != l.info.Classes || !slices.Equal(head.info.Hidden, l.info.Hidden) {
		return nil, nil, fmt.Errorf("segmentation: a head of %d members %v for %d classes, the labeller is for %d members %v and %d classes",
			head.info.Members, head.info.Hidden, head.info.Classes, l.info.Members, l.info.Hidden, l.info.Classes)
	}
	if err := code.Check(l.man.Rows, l.man.WDim); err != nil {
		return nil, nil, fmt.Errorf("segmentation: %w", err)
	}
	copy(l.session.Input("code"), code.Data)
	head.each(func(name string, data []float32, _ ...int) { copy(l.session.Input(name), data) })
	if err := l.session.Run(ctx); err != nil {
		return nil, nil, err
	}
	// A head may be taught other classes than the manifest lists.
	man := *l.man
	man.Classes = make([]model.Class, head.info.Classes)
	labels := Labels(nil, nil, l.session.Output("logits"), &man)
	labels.Palette = l.man.Palette()
	if !l.uncertain {
		return labels, nil, nil
	}
	return labels, l.session.Output("divergence"), nil
}

// Uncertainty is one number for a picture's divergences: the mean of the highest tenth of them (Zhang
// et al., "DatasetGAN"). The pictures where it is high are those worth labelling next.
func Uncertainty(divergence []float32) float64 {
	if len(divergence) == 0 {
		return 0
	}
	x := slices.Clone(divergence)
	slices.Sort(x)
	x = x[len(x)-max(1, len(x)/10):]
	s := 0.0
	for _, v := range x {
		s += float64(v)
	}
	return s / float64(len(x))
}

// Score says how well a head labels held-out pairs.
type Score struct {
	Pictures int `json:"pictures"`
	// MeanIoU is DatasetGAN's: intersections and unions summed over all pictures, the mean over all
	// classes, one that never occurs counting 0.
	MeanIoU float64 `json:"mean_iou"`
	// Accuracy is the share of pixels with the right class.
	Accuracy float64           `json:"pixel_accuracy"`
	Classes  []metrics.Overlap `json:"-"`
}

// Evaluate compares a head's labels with those of pairs, leaving out [Unlabelled] pixels.
func Evaluate(ctx context.Context, gen *stylegan2.Generator, head *Head, open NewSession, pairs []Pair) (Score, error) {
	l, err := NewLabeller(gen, head, open, false)
	if err != nil {
		return Score{}, err
	}
	defer l.Close()
	s := Score{Pictures: len(pairs), Classes: make([]metrics.Overlap, head.info.Classes)}
	right, all := 0, 0
	for _, p := range pairs {
		if err := CheckPair(gen.Manifest(), p, head.info.Classes); err != nil {
			return Score{}, err
		}
		got, _, err := l.Label(ctx, head, p.Code)
		if err != nil {
			return Score{}, err
		}
		region := image.NewAlpha(p.Labels.Rect)
		for y := range region.Rect.Dy() {
			for x := range region.Rect.Dx() {
				c := p.Labels.Pix[y*p.Labels.Stride+x]
				if int(c) >= head.info.Classes {
					continue
				}
				region.Pix[y*region.Stride+x] = 255
				all++
				if got.Pix[y*got.Stride+x] == c {
					right++
				}
			}
		}
		for c, o := range metrics.Overlaps(got, p.Labels, region, head.info.Classes) {
			s.Classes[c].Intersection += o.Intersection
			s.Classes[c].Union += o.Union
		}
	}
	s.MeanIoU = metrics.MeanIoU(s.Classes)
	s.Accuracy = float64(right) / float64(max(1, all))
	return s, nil
}
