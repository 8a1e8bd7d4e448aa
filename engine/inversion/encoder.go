package inversion

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"latentbrush/engine/graph"
	"latentbrush/engine/model/safetensors"
)

// Config is the shape of an encoder.
type Config struct {
	// Rows and Dim of the codes, Height and Width of the pictures.
	Rows   int `json:"rows"`
	Dim    int `json:"dim"`
	Height int `json:"height"`
	Width  int `json:"width"`
	// Pool is the side of the squares that are averaged before the first layer.
	Pool int `json:"pool"`
	// Channels of the levels of the backbone, each at half the size of the one before;
	// the last three feed the pyramid.
	Channels []int `json:"channels"`
	// Pyramid is the number of channels of the pyramid, Hidden that of the vector that
	// sums up the picture, RowHidden that of the smaller one for single rows.
	Pyramid   int `json:"pyramid"`
	Hidden    int `json:"hidden"`
	RowHidden int `json:"row_hidden"`
	// Axes is the number of principal axes that codes are given in.
	Axes int `json:"axes"`
}

// Limits of an encoder's configuration.
const (
	maxSide     = 4096
	maxRows     = 64
	maxDim      = 4096
	maxWidth    = 2048
	maxWeights  = 1 << 28
	minLevels   = 3
	maxLevels   = 8
	negative    = 0.1 // slope of the leaky ReLU
	encoderName = "latentbrush-encoder"
)

// DefaultConfig is the encoder that is trained for a model of this size: about two
// million weights at 256².
func DefaultConfig(rows, dim, height, width, axes int) Config {
	c := Config{
		Rows: rows, Dim: dim, Height: height, Width: width, Pool: 1, Axes: axes,
		Channels: []int{24, 48, 96, 160, 224}, Pyramid: 48, Hidden: 256, RowHidden: 48,
	}
	for 2*128 <= max(height, width)/c.Pool && height%(2*c.Pool) == 0 && width%(2*c.Pool) == 0 {
		c.Pool *= 2
	}
	return c
}

func (c Config) check() error {
	for _, v := range []struct {
		name     string
		value    int
		min, max int
	}{
		{"rows", c.Rows, 1, maxRows},
		{"dim", c.Dim, 1, maxDim},
		{"height", c.Height, 1, maxSide},
		{"width", c.Width, 1, maxSide},
		{"pool", c.Pool, 1, 64},
		{"pyramid", c.Pyramid, 1, maxWidth},
		{"hidden", c.Hidden, 1, maxWidth},
		{"row_hidden", c.RowHidden, 1, maxWidth},
		{"axes", c.Axes, 1, c.Dim},
		{"number of levels", len(c.Channels), minLevels, maxLevels},
	} {
		if v.value < v.min || v.value > v.max {
			return fmt.Errorf("inversion: encoder: %s is %d, want %d to %d", v.name, v.value, v.min, v.max)
		}
	}
	for _, n := range c.Channels {
		if n < 1 || n > maxWidth {
			return fmt.Errorf("inversion: encoder: %d channels, want 1 to %d", n, maxWidth)
		}
	}
	if c.Height%c.Pool != 0 || c.Width%c.Pool != 0 {
		return fmt.Errorf("inversion: encoder: a picture of %d×%d cannot be averaged over squares of %d", c.Width, c.Height, c.Pool)
	}
	total := 0
	for _, p := range c.layout() {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		if total += n; total > maxWeights {
			return errors.New("inversion: encoder: too many weights")
		}
	}
	return nil
}

// Parameter is a tensor that training changes.
type Parameter struct {
	Name  string
	Shape []int
	Data  []float32
	// scale is the standard deviation of the first values.
	scale float64
}

// size of a level, in cells.
func (c Config) level(i int) (h, w int) {
	h, w = c.Height/c.Pool, c.Width/c.Pool
	for range i + 1 {
		h, w = (h+1)/2, (w+1)/2
	}
	return h, w
}

// layout lists the parameters in the order in which the network uses them.
func (c Config) layout() []Parameter {
	var out []Parameter
	conv := func(name string, in, n, k int, gain float64) {
		out = append(out,
			Parameter{Name: name + ".weight", Shape: []int{n, in, k, k}, scale: gain * math.Sqrt(2/float64(in*k*k))},
			Parameter{Name: name + ".bias", Shape: []int{n}})
	}
	linear := func(name string, in, n int, gain float64) {
		out = append(out,
			Parameter{Name: name + ".weight", Shape: []int{in, n}, scale: gain / math.Sqrt(float64(in))},
			Parameter{Name: name + ".bias", Shape: []int{n}})
	}
	in := 3
	for i, n := range c.Channels {
		conv(fmt.Sprintf("level%d.down", i), in, n, 3, 1)
		if i > 0 {
			conv(fmt.Sprintf("level%d.block", i), n, n, 3, 0.3)
		}
		in = n
	}
	last := len(c.Channels) - 1
	h, w := c.level(last)
	for i := last; i > last-3; i-- {
		conv(fmt.Sprintf("lateral%d", i), c.Channels[i], c.Pyramid, 1, 0.7)
		conv(fmt.Sprintf("smooth%d", i), c.Pyramid, c.Pyramid, 3, 1)
	}
	linear("sum", 3*c.Pyramid*h*w, c.Hidden, math.Sqrt2)
	linear("shared", c.Hidden, c.Axes, 0.3)
	linear("single", c.Hidden, c.RowHidden, math.Sqrt2)
	linear("rows", c.RowHidden, c.Rows*c.Axes, 0.01)
	return out
}

// Encoder is a convolutional network with a feature pyramid that answers a picture
// with a code in W+, after pSp (Richardson et al., "Encoding in Style", CVPR 2021) but
// small: instead of one head a row there is one vector that sums up three levels of
// the pyramid; a linear map of it is common to all rows, another one adds each row's
// difference. It answers in the principal axes of the model's W with unit deviations,
// as offset from the mean, so that an untrained encoder answers the mean and all
// coordinates are of one size.
//
// There is no batch normalisation, so there is no other mode for training than for
// use: the official tool gets that wrong.
//
// # File
//
// encoder.safetensors of a bundle holds
//
//	mean           [dim] F32
//	axes           [axes, dim] F32: code = mean + coordinates · axes
//	weights by name, F16 or F32, with the shapes that the configuration implies:
//	  level{i}.down.weight   [channels[i], channels[i−1] or 3, 3, 3], stride 2, padding 1
//	  level{i}.block.weight  [channels[i], channels[i], 3, 3], i ≥ 1: x + lrelu(conv(x))
//	  lateral{i}.weight      [pyramid, channels[i], 1, 1], the last three levels
//	  smooth{i}.weight       [pyramid, pyramid, 3, 3]
//	  sum.weight             [3·pyramid·h·w, hidden], h×w the size of the last level
//	  shared.weight          [hidden, axes]
//	  single.weight          [hidden, row_hidden]
//	  rows.weight            [row_hidden, rows·axes]
//	and a bias for each
//
// with the metadata "format": "latentbrush-encoder", "version": "1", "config": a JSON
// object as [Config], and optionally "range": a JSON object as [Range]. The slope of
// the leaky ReLU is 0.1.
type Encoder struct {
	Config
	// Mean of W [Dim], and Basis, its principal axes as long as their deviations [Axes·Dim].
	Mean, Basis []float32
	// Range of the model's own pictures; zero when it was not measured.
	Range Range

	parameters []Parameter
}

// NewEncoder returns an untrained encoder: its answer is near the mean for every
// picture. The axes are those of a prior of the model's W.
func NewEncoder(c Config, mean []float32, axes [][]float32, seed uint64) (*Encoder, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if len(mean) != c.Dim || len(axes) != c.Axes {
		return nil, fmt.Errorf("inversion: encoder: mean of %d numbers and %d axes, want %d and %d", len(mean), len(axes), c.Dim, c.Axes)
	}
	e := &Encoder{Config: c, Mean: append([]float32(nil), mean...)}
	for _, a := range axes {
		if len(a) != c.Dim {
			return nil, fmt.Errorf("inversion: encoder: an axis of %d numbers, want %d", len(a), c.Dim)
		}
		e.Basis = append(e.Basis, a...)
	}
	r := rand.New(rand.NewPCG(seed, 0x656e636f646572))
	for _, p := range c.layout() {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		p.Data = make([]float32, n)
		if p.scale > 0 {
			for i := range p.Data {
				p.Data[i] = float32(p.scale * r.NormFloat64())
			}
		}
		e.parameters = append(e.parameters, p)
	}
	return e, nil
}

// Parameters are the encoder's own tensors, in a fixed order.
func (e *Encoder) Parameters() []Parameter { return e.parameters }

// Size is the number of weights.
func (e *Encoder) Size() int {
	n := 0
	for _, p := range e.parameters {
		n += len(p.Data)
	}
	return n
}

// Graph adds the encoder with its weights as constants: pictures [n, 3, Height, Width]
// in [−1, 1] to codes [n, Rows, Dim].
func (e *Encoder) Graph(g *graph.Graph, pictures *graph.Value) (*graph.Value, error) {
	if pictures.Rank() != 4 || pictures.Dim(2) != e.Height || pictures.Dim(3) != e.Width {
		return nil, fmt.Errorf("inversion: encoder takes pictures of %d×%d, got %v", e.Width, e.Height, pictures.Shape())
	}
	if e.Pool > 1 {
		pictures = g.AveragePool(pictures, e.Pool)
	}
	i := 0
	u := e.network(g, pictures, func() *graph.Value {
		p := e.parameters[i]
		i++
		return g.Const("encoder."+p.Name, p.Data, p.Shape...)
	})
	code := e.code(g, u)
	return code, g.Err()
}

// code turns coordinates [n, rows, axes] into codes [n, rows, dim].
func (e *Encoder) code(g *graph.Graph, u *graph.Value) *graph.Value {
	c := g.MatMul(u, g.Const("encoder.axes", e.Basis, e.Axes, e.Dim))
	return g.Add(c, g.Const("encoder.mean", e.Mean, 1, 1, e.Dim))
}

// network is the part with parameters: pooled pictures to coordinates [n, rows, axes].
// next gives the parameters in the order of the layout.
func (e *Encoder) network(g *graph.Graph, x *graph.Value, next func() *graph.Value) *graph.Value {
	conv := func(x *graph.Value, stride, pad int) *graph.Value {
		weight := next()
		return g.Conv(x, weight, next(), graph.ConvOptions{Stride: stride, Pad: graph.AllSides(pad)})
	}
	linear := func(x *graph.Value) *graph.Value {
		weight := next()
		return g.Gemm(x, weight, next(), graph.GemmOptions{})
	}
	n := x.Dim(0)
	var levels []*graph.Value
	for i := range e.Channels {
		x = g.LeakyRelu(conv(x, 2, 1), negative)
		if i > 0 {
			x = g.Add(x, g.LeakyRelu(conv(x, 1, 1), negative))
		}
		levels = append(levels, x)
	}
	var top *graph.Value
	var parts []*graph.Value
	last := len(levels) - 1
	h, w := e.level(last)
	for i := last; i > last-3; i-- {
		lateral := conv(levels[i], 1, 0)
		if top != nil {
			lateral = g.Add(lateral, g.ResizeLinear(top, lateral.Dim(2), lateral.Dim(3)))
		}
		top = lateral
		p := g.LeakyRelu(conv(top, 1, 1), negative)
		// Down to the size of the last level.
		f := 1 << (last - i)
		if p.Dim(2) == h*f && p.Dim(3) == w*f {
			if f > 1 {
				p = g.AveragePool(p, f)
			}
		} else {
			p = g.ResizeLinear(p, h, w)
		}
		parts = append(parts, g.Reshape(p, n, e.Pyramid*h*w))
	}
	sum := g.LeakyRelu(linear(g.Concat(1, parts...)), negative)
	shared := g.Reshape(linear(sum), n, 1, e.Axes)
	single := g.LeakyRelu(linear(sum), negative)
	return g.Add(g.Reshape(linear(single), n, e.Rows, e.Axes), shared)
}

// Tensors are the encoder's file: metadata and tensors, the weights in half precision
// or in full.
func (e *Encoder) Tensors(half bool) (map[string]string, []safetensors.Tensor, error) {
	config, err := json.Marshal(e.Config)
	if err != nil {
		return nil, nil, err
	}
	meta := map[string]string{"format": encoderName, "version": "1", "config": string(config)}
	if e.Range.PSNR > 0 {
		r, err := json.Marshal(e.Range)
		if err != nil {
			return nil, nil, err
		}
		meta["range"] = string(r)
	}
	out := []safetensors.Tensor{
		safetensors.Float32("mean", e.Mean, e.Dim),
		safetensors.Float32("axes", e.Basis, e.Axes, e.Dim),
	}
	for _, p := range e.parameters {
		if half {
			out = append(out, safetensors.Float16(p.Name, p.Data, p.Shape...))
		} else {
			out = append(out, safetensors.Float32(p.Name, p.Data, p.Shape...))
		}
	}
	return meta, out, nil
}

// ReadEncoder reads an encoder's file.
func ReadEncoder(f *safetensors.File) (*Encoder, error) {
	m := f.Metadata()
	if m["format"] != encoderName {
		return nil, fmt.Errorf("inversion: %s: format is %q, want %q", f.Name(), m["format"], encoderName)
	}
	if m["version"] != "1" {
		return nil, fmt.Errorf("inversion: %s: version is %q, this program reads \"1\"", f.Name(), m["version"])
	}
	e := &Encoder{}
	if err := json.NewDecoder(strings.NewReader(m["config"])).Decode(&e.Config); err != nil {
		return nil, fmt.Errorf("inversion: %s: config: %w", f.Name(), err)
	}
	if err := e.Config.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	if text := m["range"]; text != "" {
		if err := json.Unmarshal([]byte(text), &e.Range); err != nil {
			return nil, fmt.Errorf("inversion: %s: range: %w", f.Name(), err)
		}
		if !(e.Range.PSNR > 0 && e.Range.Distance > 0) {
			return nil, fmt.Errorf("inversion: %s: range %s, want numbers above 0", f.Name(), text)
		}
	}
	var err error
	if e.Mean, err = f.Float32s("mean", e.Dim); err != nil {
		return nil, fmt.Errorf("inversion: %w", err)
	}
	if e.Basis, err = f.Float32s("axes", e.Axes, e.Dim); err != nil {
		return nil, fmt.Errorf("inversion: %w", err)
	}
	for _, p := range e.layout() {
		if p.Data, err = f.Float32s(p.Name, p.Shape...); err != nil {
			return nil, fmt.Errorf("inversion: %w", err)
		}
		e.parameters = append(e.parameters, p)
	}
	return e, nil
}
