// Package stylegan2 builds the StyleGAN2 generator as a graph.
//
// The generator (Karras et al., "Analyzing and Improving the Image Quality of
// StyleGAN", CVPR 2020) grows a picture from a learned 4 × 4 constant. Each
// convolution is steered by a style: an affine map of one row of the W+ code
// scales the convolution's input channels ("modulation"), and its output channels
// are scaled back to unit variance ("demodulation"). At every resolution a
// 1 × 1 convolution reads off a picture, and the pictures are summed coarse to fine.
//
// The textbook form folds both scalings into the weights. Here the activations are
// scaled instead, which is the same sum in another order:
//
//	y[o] = d[o] · Σ W[o,i] ∗ (s[i]·x[i]),  d[o] = 1/√(Σ s[i]²·M[o,i] + ε),  M[o,i] = Σ W[o,i,k]²
//
// so that weights are constants of the graph, which the runtime can lay out once, and the gradient
// in the code needs no gradient in any weight. The gain √2 of the activation goes into
// d, bias and noise, because max(x, 0.2·x) commutes with positive factors.
package stylegan2

import (
	"fmt"
	"math"

	"latentbrush/engine/graph"
	"latentbrush/engine/latent"
	"latentbrush/engine/model"
	"latentbrush/engine/model/safetensors"
)

// epsilon is added below the root of the demodulation, and in the
// normalisation of z.
const epsilon = 1e-8

const slope = 0.2

var gain = float32(math.Sqrt2)

// Generator knows the weights of a generator and puts them in graphs. The large ones stay in the bundle, which must be
// open until the last graph that uses them is written; small ones are kept and never changed. It may be used from several goroutines.
type Generator struct {
	man     *model.Manifest
	mapping []linear
	mean    []float32
	input   []float32 // the constant, [C, 4, 4]
	blocks  []block
}

// linear is y = weight·x + bias with gains folded in; weight is [out, in].
type linear struct {
	in, out      int
	weight, bias []float32
}

// weights reads a tensor from the bundle.
type weights func() ([]float32, error)

// affine is the map from a row of W+ to a style; its weight is [w_dim, out].
type affine struct {
	in, out int
	weight  weights
	bias    []float32
}

type block struct {
	resolution   int
	conv0, conv1 *layer // conv0 is nil at 4 × 4
	rgb          *layer
}

type layer struct {
	name        string
	in, out     int
	row         int // of W+
	up          bool
	affine      affine
	weight      weights   // [out, in, k, k]; [in, out, k, k] for up
	squares     []float32 // [in, out]: Mᵀ
	bias, noise []float32 // gain folded in; noise nil if there is none
	offset      []float32 // bias + noise, [out, r, r], for small maps
	blur        []float32 // [out, 1, 4, 4], up only
}

// New reads the generator's weights from a bundle.
func New(m *model.Model) (*Generator, error) {
	gen := &Generator{man: m.Manifest}
	if err := gen.load(m.Generator()); err != nil {
		return nil, fmt.Errorf("stylegan2: %w", err)
	}
	return gen, nil
}

type loader struct {
	f   *safetensors.File
	err error
}

func (l *loader) floats(name string, shape ...int) []float32 {
	if l.err != nil {
		return nil
	}
	data, err := l.f.Float32s(name, shape...)
	l.err = err
	return data
}

// scalar reads a single number stored as [] or [1].
func (l *loader) scalar(name string) float32 {
	if l.err == nil && l.f.Check(name, 1) == nil {
		return first(l.floats(name, 1))
	}
	return first(l.floats(name))
}

func first(x []float32) float32 {
	if len(x) == 0 {
		return 0
	}
	return x[0]
}

func (l *loader) linear(name string, in, out int, weightGain, biasGain float64) linear {
	return linear{
		in: in, out: out,
		weight: scaled(l.floats(name+"weight", out, in), weightGain),
		bias:   scaled(l.floats(name+"bias", out), biasGain),
	}
}

func scaled(x []float32, k float64) []float32 {
	if k != 1 {
		for i, v := range x {
			x[i] = float32(float64(v) * k)
		}
	}
	return x
}

func (gen *Generator) load(f *safetensors.File) error {
	man := gen.man
	l := &loader{f: f}
	in := man.ZDim
	for i := range man.MappingLayers {
		lr := man.MappingLRMul
		// The activation's gain √2 is folded in, as in the convolutions.
		gen.mapping = append(gen.mapping, l.linear(fmt.Sprintf("mapping.fc%d.", i), in, man.WDim,
			math.Sqrt2*lr/math.Sqrt(float64(in)), math.Sqrt2*lr))
		in = man.WDim
	}
	gen.mean = l.floats("mapping.w_avg", man.WDim)
	gen.input = l.floats("synthesis.b4.const", man.Channels[4], 4, 4)
	row := 0
	for r := 4; r <= man.Resolution; r *= 2 {
		b := block{resolution: r}
		if r > 4 {
			b.conv0 = gen.loadConv(l, r, "conv0", row)
			row++
		}
		b.conv1 = gen.loadConv(l, r, "conv1", row)
		row++
		b.rgb = gen.loadRGB(l, r, row)
		gen.blocks = append(gen.blocks, b)
	}
	return l.err
}

func (gen *Generator) loadConv(l *loader, r int, name string, row int) *layer {
	man := gen.man
	c := &layer{name: fmt.Sprintf("b%d.%s", r, name), row: row, up: name == "conv0", in: man.Channels[r], out: man.Channels[r]}
	if c.up {
		c.in = man.Channels[r/2]
	}
	p := "synthesis." + c.name + "."
	c.affine = gen.loadAffine(l, p, c.in)
	weight := l.floats(p+"weight", c.out, c.in, 3, 3)
	c.weight = func() ([]float32, error) {
		x, err := l.f.Float32s(p+"weight", c.out, c.in, 3, 3)
		if c.up && err == nil {
			x = swapped(x, c.out, c.in, 9)
		}
		return x, err
	}
	c.bias = scaled(l.floats(p+"bias", c.out), math.Sqrt2)
	if man.Noise == model.NoiseConst {
		strength := l.scalar(p + "noise_strength")
		noise := l.floats(p+"noise_const", r, r)
		if strength != 0 {
			c.noise = scaled(noise, math.Sqrt2*float64(strength))
		}
	}
	if l.err != nil {
		return c
	}
	c.squares = make([]float32, c.in*c.out)
	for o := range c.out {
		for i := range c.in {
			var sum float64
			for _, w := range weight[(o*c.in+i)*9:][:9] {
				sum += float64(w) * float64(w)
			}
			c.squares[i*c.out+o] = float32(sum)
		}
	}
	if c.noise != nil && c.out*r*r <= mergedOffset {
		for _, b := range c.bias {
			for _, n := range c.noise {
				c.offset = append(c.offset, b+n)
			}
		}
	}
	if c.up {
		c.blur = blur(c.out)
	}
	return c
}

// mergedOffset is the largest number of elements for which bias and noise become
// one constant; beyond it two passes that broadcast read less memory.
const mergedOffset = 1 << 18

// blur is the depthwise filter outer([1,3,3,1])/16 that follows the up-convolution.
func blur(channels int) []float32 {
	taps := [4]float32{1, 3, 3, 1}
	all := make([]float32, 0, 16*channels)
	for range channels {
		for _, a := range taps {
			for _, b := range taps {
				all = append(all, a*b/16)
			}
		}
	}
	return all
}

func (gen *Generator) loadRGB(l *loader, r, row int) *layer {
	c := &layer{name: fmt.Sprintf("b%d.torgb", r), row: row, in: gen.man.Channels[r], out: 3}
	p := "synthesis." + c.name + "."
	c.affine = gen.loadAffine(l, p, c.in)
	small := scaled(l.floats(p+"weight", 3, c.in, 1, 1), 1/math.Sqrt(float64(c.in)))
	c.weight = func() ([]float32, error) { return small, nil }
	c.bias = l.floats(p+"bias", 3)
	return c
}

// loadAffine finds the map from a row of W+ to the style; the bundle has its weight
// transposed.
func (gen *Generator) loadAffine(l *loader, prefix string, out int) affine {
	dim := gen.man.WDim
	if l.err == nil {
		l.err = l.f.Check(prefix+"affine.weight", out, dim)
	}
	return affine{
		in: dim, out: out,
		weight: func() ([]float32, error) {
			x, err := l.f.Float32s(prefix+"affine.weight", out, dim)
			if err != nil {
				return nil, err
			}
			return swapped(scaled(x, 1/math.Sqrt(float64(dim))), out, dim, 1), nil
		},
		bias: l.floats(prefix+"affine.bias", out),
	}
}

// swapped returns x of shape [a, b, k] as [b, a, k].
func swapped(x []float32, a, b, k int) []float32 {
	out := make([]float32, len(x))
	for i := range a {
		for j := range b {
			copy(out[(j*a+i)*k:][:k], x[(i*b+j)*k:][:k])
		}
	}
	return out
}

// Manifest returns the model's manifest, which must not be changed.
func (gen *Generator) Manifest() *model.Manifest { return gen.man }

// Mean returns the mean of w over random z, the centre of truncation.
func (gen *Generator) Mean() []float32 { return append([]float32(nil), gen.mean...) }

// Map returns w for z, which has z_dim components and must not be all zero.
func (gen *Generator) Map(z []float32) []float32 {
	if len(z) != gen.man.ZDim {
		panic(fmt.Sprintf("stylegan2: z has %d components, want %d", len(z), gen.man.ZDim))
	}
	var squares float64
	for _, v := range z {
		squares += float64(v) * float64(v)
	}
	norm := 1 / math.Sqrt(squares/float64(len(z))+epsilon)
	x := make([]float32, len(z))
	for i, v := range z {
		x[i] = float32(float64(v) * norm)
	}
	for _, l := range gen.mapping {
		y := make([]float32, l.out)
		for o := range y {
			sum := float64(l.bias[o])
			for i, w := range l.weight[o*l.in:][:l.in] {
				sum += float64(w) * float64(x[i])
			}
			y[o] = float32(max(sum, slope*sum))
		}
		x = y
	}
	return x
}

// Truncate returns mean + psi·(w − mean).
func (gen *Generator) Truncate(w []float32, psi float64) []float32 {
	out := make([]float32, len(w))
	for i, m := range gen.mean {
		out[i] = float32(float64(m) + psi*(float64(w[i])-float64(m)))
	}
	return out
}

// Sample returns the code of a random picture: [latent.Z] of the seed, mapped,
// truncated and repeated in every row. Psi 1 truncates nothing, 0 gives the mean.
func (gen *Generator) Sample(seed uint64, psi float64) latent.Code {
	w := gen.Truncate(gen.Map(latent.Z(seed, gen.man.ZDim)), psi)
	return latent.Broadcast(w, gen.man.Rows)
}

// MapGraph adds the mapping network to a graph: z [n, z_dim] to w [n, w_dim], without
// truncation. For many z at once it is faster than [Generator.Map].
func (gen *Generator) MapGraph(g *graph.Graph, z *graph.Value) *graph.Value {
	norm := g.Sqrt(g.AddScalar(g.ReduceMean(g.Square(z), []int{-1}, true), epsilon))
	x := g.Div(z, norm)
	for i, l := range gen.mapping {
		name := fmt.Sprintf("mapping.fc%d.", i)
		weight := g.Const(name+"weight", l.weight, l.out, l.in)
		bias := g.Const(name+"bias", l.bias, l.out)
		x = g.LeakyRelu(g.Gemm(x, weight, bias, graph.GemmOptions{TransB: true}), slope)
	}
	return x
}
