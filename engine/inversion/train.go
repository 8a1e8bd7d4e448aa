package inversion

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"latentbrush/engine/graph"
	"latentbrush/engine/latent"
	"latentbrush/engine/model/safetensors"
	"latentbrush/engine/stylegan2"
)

// TrainOptions of an encoder's training. Zero values mean the defaults.
type TrainOptions struct {
	// Steps is the number of updates, over which the rate falls; 4000.
	Steps int `json:"steps"`
	// Batch is the number of pictures of a step; 16.
	Batch int `json:"batch"`
	// Rate of Adam at its highest; 1e-3.
	Rate float64 `json:"rate"`
	// Pictures is how many pictures of a batch go through the generator for the term
	// that compares pictures; 1, negative for none. Resolution is that of the comparison;
	// 64 or less.
	Pictures   int `json:"pictures"`
	Resolution int `json:"resolution"`
	// PictureWeight multiplies the mean squared difference of those pictures; 1.
	PictureWeight float64 `json:"picture_weight"`
	// Seed of the first weights and of the order of the samples.
	Seed uint64 `json:"seed"`
}

// Filled has the defaults in place of zero values, for a model of this resolution.
func (o TrainOptions) Filled(resolution int) TrainOptions {
	for _, f := range []struct {
		value    *int
		standard int
	}{{&o.Steps, 4000}, {&o.Batch, 16}, {&o.Pictures, 1}, {&o.Resolution, min(64, resolution)}} {
		if *f.value == 0 {
			*f.value = f.standard
		}
	}
	if o.Rate == 0 {
		o.Rate = 1e-3
	}
	if o.PictureWeight == 0 {
		o.PictureWeight = 1
	}
	o.Pictures = min(max(o.Pictures, 0), o.Batch)
	return o
}

func (o TrainOptions) check() error {
	if o.Steps < 1 || o.Batch < 1 || o.Batch > 1024 || !(o.Rate > 0) || math.IsInf(o.Rate, 0) || !(o.PictureWeight >= 0) {
		return fmt.Errorf("inversion: training with %d steps, batches of %d, rate %g and picture weight %g", o.Steps, o.Batch, o.Rate, o.PictureWeight)
	}
	return nil
}

// Session runs a model's bytes: fixed inputs and outputs by name.
type Session interface {
	Input(name string) []float32
	Output(name string) []float32
	Run(ctx context.Context) error
}

// Point is the loss of one step.
type Point struct {
	Step int
	// Loss is the sum; Latent is the weighted squared error of the coordinates, Picture
	// the mean squared difference of the pictures.
	Loss, Latent, Picture float64
}

// Trainer trains an encoder on pictures whose codes are known.
//
// The latent term is Σ h_k·(û_k − u_k)², with h_k how much a picture changes, in mean
// squared difference, when its code moves by one deviation along axis k. So the loss
// is in the units of the picture from the first step, without a generator in the
// graph, and axes that no picture shows cost nothing. The picture term sends a few
// answers of each batch through the generator at low resolution and compares them
// with the pictures of the true codes; it sees what the first term, which looks at each
// axis by itself, cannot.
type Trainer struct {
	Encoder *Encoder
	Options TrainOptions
	// Importance is h, one number an axis.
	Importance []float32
	// Curve has a point for every step made.
	Curve []Point

	first, second [][]float32 // moments of Adam
}

// decay rates of Adam, and its epsilon.
const (
	beta1   = 0.9
	beta2   = 0.99
	epsilon = 1e-8
	warmUp  = 50 // steps
)

// NewTrainer starts a training. Importance has one number for each of the encoder's
// axes.
func NewTrainer(e *Encoder, importance []float32, o TrainOptions) (*Trainer, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if len(importance) != e.Axes {
		return nil, fmt.Errorf("inversion: importance of %d axes, the encoder has %d", len(importance), e.Axes)
	}
	t := &Trainer{Encoder: e, Options: o, Importance: importance}
	for _, p := range e.parameters {
		t.first = append(t.first, make([]float32, len(p.Data)))
		t.second = append(t.second, make([]float32, len(p.Data)))
	}
	return t, nil
}

// Model is the training step as a graph: inputs "pictures" [batch, 3, h, w], averaged to
// the encoder's input size, "codes" [batch, dim], the w of each picture, and the
// parameters by name; outputs "loss", "latent", "picture" and the gradients as "d.name".
func (t *Trainer) Model(gen *stylegan2.Generator) ([]byte, error) {
	e, o := t.Encoder, t.Options
	g := graph.New("train")
	n := o.Batch
	pictures := g.Input("pictures", n, 3, e.Height/e.Pool, e.Width/e.Pool)
	codes := g.Input("codes", n, e.Dim)
	var weights []*graph.Value
	u := e.network(g, pictures, func() *graph.Value {
		p := e.parameters[len(weights)]
		v := g.Input(p.Name, p.Shape...)
		weights = append(weights, v)
		return v
	})
	whiten := make([]float32, e.Dim*e.Axes)
	for k := range e.Axes {
		axis := e.Basis[k*e.Dim:][:e.Dim]
		square := 0.0
		for _, v := range axis {
			square += float64(v) * float64(v)
		}
		for d, v := range axis {
			whiten[d*e.Axes+k] = float32(float64(v) / square)
		}
	}
	centred := g.Sub(codes, g.Const("mean", e.Mean, 1, e.Dim))
	target := g.Reshape(g.MatMul(centred, g.Const("whiten", whiten, e.Dim, e.Axes)), n, 1, e.Axes)
	importance := g.Const("importance", t.Importance, 1, 1, e.Axes)
	latent := g.Scale(g.Sum(g.Mul(g.Square(g.Sub(u, target)), importance)), 1/float32(n*e.Rows))
	picture := g.Scalar(0)
	if o.Pictures > 0 {
		answers := e.code(g, u)
		for i := range o.Pictures {
			answer := g.Reshape(g.Slice(answers, graph.Range{Axis: 0, Start: i, End: i + 1}), e.Rows, e.Dim)
			truth := g.Expand(g.Slice(codes, graph.Range{Axis: 0, Start: i, End: i + 1}), e.Rows, e.Dim)
			a, err := gen.Synthesis(g, answer, o.Resolution)
			if err != nil {
				return nil, err
			}
			b, err := gen.Synthesis(g, truth, o.Resolution)
			if err != nil {
				return nil, err
			}
			picture = g.Add(picture, g.Scale(g.Mean(g.Square(g.Sub(a.Image, b.Image))), 1/float32(o.Pictures)))
		}
	}
	total := g.Add(latent, g.Scale(picture, float32(o.PictureWeight)))
	gradients, err := graph.Gradient(total, weights...)
	if err != nil {
		return nil, err
	}
	g.Output("loss", total)
	g.Output("latent", latent)
	g.Output("picture", g.Add(picture, g.Scalar(0)))
	for i, p := range e.parameters {
		g.Output("d."+p.Name, gradients[i])
	}
	return g.Model()
}

// Samples gives pictures with their codes.
type Samples interface {
	// Fill sets the pictures [n, 3, h, w] and codes [n, dim] of a step, the same ones
	// whenever it is asked for that step.
	Fill(ctx context.Context, step int, pictures, codes []float32) error
}

// Done reports whether all steps were made.
func (t *Trainer) Done() bool { return len(t.Curve) >= t.Options.Steps }

// Step makes one update in a session of the trainer's [Trainer.Model].
func (t *Trainer) Step(ctx context.Context, s Session, samples Samples) (Point, error) {
	k := len(t.Curve)
	if err := samples.Fill(ctx, k, s.Input("pictures"), s.Input("codes")); err != nil {
		return Point{}, err
	}
	for _, p := range t.Encoder.parameters {
		copy(s.Input(p.Name), p.Data)
	}
	if err := s.Run(ctx); err != nil {
		return Point{}, err
	}
	p := Point{k, float64(s.Output("loss")[0]), float64(s.Output("latent")[0]), float64(s.Output("picture")[0])}
	if math.IsNaN(p.Loss) || math.IsInf(p.Loss, 0) {
		return p, fmt.Errorf("inversion: loss of step %d is %v", k, p.Loss)
	}
	for _, q := range t.Encoder.parameters {
		for _, v := range s.Output("d." + q.Name) {
			if v != v || math.IsInf(float64(v), 0) {
				return p, fmt.Errorf("inversion: gradient of %s in step %d is %v", q.Name, k, v)
			}
		}
	}
	rate := t.rate(k)
	c1 := 1 - math.Pow(beta1, float64(k+1))
	c2 := 1 - math.Pow(beta2, float64(k+1))
	for i, q := range t.Encoder.parameters {
		m, v := t.first[i], t.second[i]
		for j, d := range s.Output("d." + q.Name) {
			m[j] = beta1*m[j] + (1-beta1)*d
			v[j] = beta2*v[j] + (1-beta2)*d*d
			q.Data[j] -= float32(rate * float64(m[j]) / c1 / (math.Sqrt(float64(v[j])/c2) + epsilon))
		}
	}
	t.Curve = append(t.Curve, p)
	return p, nil
}

// rate rises over the first steps and falls along a cosine over all of them.
func (t *Trainer) rate(k int) float64 {
	up := math.Min(1, float64(k+1)/warmUp)
	down := 0.5 + 0.5*math.Cos(math.Pi*float64(k)/float64(t.Options.Steps))
	return t.Options.Rate * up * (0.01 + 0.99*down)
}

// Transplant takes over the weights of another encoder wherever name and shape agree,
// and re-expresses the layers that answer in its principal axes in those of e. So an
// encoder of an earlier model is a start for a later one, and the answers stay the
// same codes as far as e's axes can say them. It returns how many weights were taken
// over.
func (e *Encoder) Transplant(from *Encoder) int {
	n := 0
	for _, p := range e.parameters {
		for _, q := range from.parameters {
			if q.Name != p.Name {
				continue
			}
			layer, kind, _ := strings.Cut(p.Name, ".")
			switch answers := layer == "shared" || layer == "rows"; {
			case !answers && slices.Equal(q.Shape, p.Shape):
				n += copy(p.Data, q.Data)
			case answers && e.Dim == from.Dim && len(p.Data)/e.Axes == len(q.Data)/from.Axes:
				for i := range len(p.Data) / e.Axes {
					var shift []float32
					if layer == "shared" && kind == "bias" {
						shift = from.Mean
					}
					e.express(p.Data[i*e.Axes:][:e.Axes], from, q.Data[i*from.Axes:][:from.Axes], shift)
				}
				n += len(p.Data)
			}
		}
	}
	return n
}

// express sets u to the coordinates of a difference of codes that has coordinates v in
// from's axes, or of the code mean + that difference.
func (e *Encoder) express(u []float32, from *Encoder, v, mean []float32) {
	if mean == nil && slices.Equal(e.Basis, from.Basis) {
		copy(u, v)
		return
	}
	w := make([]float64, e.Dim)
	for k, x := range v {
		for d, a := range from.Basis[k*e.Dim:][:e.Dim] {
			w[d] += float64(x) * float64(a)
		}
	}
	for d := range w {
		if mean != nil {
			w[d] += float64(mean[d]) - float64(e.Mean[d])
		}
	}
	for k := range u {
		sum, square := 0.0, 0.0
		for d, a := range e.Basis[k*e.Dim:][:e.Dim] {
			sum += float64(a) * w[d]
			square += float64(a) * float64(a)
		}
		u[k] = float32(sum / square)
	}
}

// Evaluate compares the answers with the codes of one step's samples on the mean of
// the importance-weighted squared error; it changes nothing.
func (t *Trainer) Evaluate(ctx context.Context, s Session, samples Samples, step int) (Point, error) {
	if err := samples.Fill(ctx, step, s.Input("pictures"), s.Input("codes")); err != nil {
		return Point{}, err
	}
	for _, p := range t.Encoder.parameters {
		copy(s.Input(p.Name), p.Data)
	}
	if err := s.Run(ctx); err != nil {
		return Point{}, err
	}
	return Point{step, float64(s.Output("loss")[0]), float64(s.Output("latent")[0]), float64(s.Output("picture")[0])}, nil
}

// Save writes all that a training needs to go on. The file is an encoder's file in full
// precision, too.
func (t *Trainer) Save(path string) error {
	meta, tensors, err := t.Encoder.Tensors(false)
	if err != nil {
		return err
	}
	options, err := json.Marshal(t.Options)
	if err != nil {
		return err
	}
	meta["training"] = string(options)
	for i, p := range t.Encoder.parameters {
		tensors = append(tensors,
			safetensors.Float32("adam.first."+p.Name, t.first[i], p.Shape...),
			safetensors.Float32("adam.second."+p.Name, t.second[i], p.Shape...))
	}
	curve := make([]float32, 0, 3*len(t.Curve))
	for _, p := range t.Curve {
		curve = append(curve, float32(p.Loss), float32(p.Latent), float32(p.Picture))
	}
	tensors = append(tensors,
		safetensors.Float32("importance", t.Importance, len(t.Importance)),
		safetensors.Float32("curve", curve, len(t.Curve), 3))
	return safetensors.WriteFile(path, meta, tensors...)
}

// ErrNoTraining is wrapped by the error about an encoder's file without a training.
var ErrNoTraining = errors.New("the file holds an encoder, but no training to go on with")

// ReadTraining reads what [Trainer.Save] wrote.
func ReadTraining(f *safetensors.File) (*Trainer, error) {
	e, err := ReadEncoder(f)
	if err != nil {
		return nil, err
	}
	text := f.Metadata()["training"]
	if text == "" {
		return nil, fmt.Errorf("inversion: %s: %w", f.Name(), ErrNoTraining)
	}
	var o TrainOptions
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return nil, fmt.Errorf("inversion: %s: training: %w", f.Name(), err)
	}
	importance, err := f.Float32s("importance", e.Axes)
	if err != nil {
		return nil, fmt.Errorf("inversion: %w", err)
	}
	t, err := NewTrainer(e, importance, o)
	if err != nil {
		return nil, err
	}
	for i, p := range e.parameters {
		if t.first[i], err = f.Float32s("adam.first."+p.Name, p.Shape...); err != nil {
			return nil, fmt.Errorf("inversion: %w", err)
		}
		if t.second[i], err = f.Float32s("adam.second."+p.Name, p.Shape...); err != nil {
			return nil, fmt.Errorf("inversion: %w", err)
		}
	}
	info, ok := f.Info("curve")
	if !ok || len(info.Shape) != 2 || info.Shape[1] != 3 {
		return nil, fmt.Errorf("inversion: %s: tensor curve: want a shape [steps, 3]", f.Name())
	}
	curve, err := f.Float32s("curve", info.Shape...)
	if err != nil {
		return nil, fmt.Errorf("inversion: %w", err)
	}
	for i := 0; i < len(curve); i += 3 {
		t.Curve = append(t.Curve, Point{i / 3, float64(curve[i]), float64(curve[i+1]), float64(curve[i+2])})
	}
	return t, nil
}

// Importance is how much pictures change along each axis: the mean over codes of the
// mean squared difference for a move of one deviation, by finite differences of half a
// deviation. Picture runs the generator. Axes below a hundredth of the mean count as
// that, so that no coordinate is left to chance.
func Importance(codes []latent.Code, e *Encoder, picture func(latent.Code) ([]float32, error)) ([]float32, error) {
	const h = 0.5
	out := make([]float32, e.Axes)
	for _, c := range codes {
		first, err := picture(c)
		if err != nil {
			return nil, err
		}
		first = append([]float32(nil), first...)
		for k := range e.Axes {
			axis := make([]float32, e.Dim)
			for i, v := range e.Basis[k*e.Dim:][:e.Dim] {
				axis[i] = h * v
			}
			moved, err := picture(c.Add(latent.Broadcast(axis, c.Rows)))
			if err != nil {
				return nil, err
			}
			sum := 0.0
			for i, v := range moved {
				d := float64(v - first[i])
				sum += d * d
			}
			out[k] += float32(sum / float64(len(moved)) / (h * h) / float64(len(codes)))
		}
	}
	mean := float32(0)
	for _, v := range out {
		mean += v / float32(len(out))
	}
	for k := range out {
		out[k] = max(out[k], mean/100)
	}
	return out, nil
}
