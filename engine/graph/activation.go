package graph

import (
	"fmt"
	"slices"
	"strconv"
)

// ScaledLeakyRelu returns LeakyRelu(scale·x + offsets) for x [N, C, H, W], a scale [N, C, 1, 1] or [1, C, 1, 1] without
// zeros, and offsets that broadcast to x. It is what a demodulated convolution ends with.
//
// It is one operation because its gradient needs x only in Σ dz·x, the gradient of the scale, dz being the gradient
// before the activation. The activation is homogeneous, y = y′·z, so dz·z = dy·y′·z = dy·y, and with
// z = scale·x + offsets
//
//	Σ dz·x = (Σ dy·y − Σ dz·offsets) / scale
//
// which asks for the result y, kept anyway for what follows, in the place of x. An activation that keeps only its result
// is the idea of Rota Bulò et al., "In-Place Activated BatchNorm for Memory-Optimized Training of DNNs", CVPR 2018.
func (g *Graph) ScaledLeakyRelu(x, scale *Value, slope float32, offsets ...*Value) *Value {
	if g.err == nil && !(slope > 0 && slope < 1) {
		return g.fail("ScaledLeakyRelu", "slope %v is outside (0, 1)", slope)
	}
	return g.apply(scaledOp{Slope: slope}, append([]*Value{x, scale}, offsets...)...)
}

type scaledOp struct{ Slope float32 }

func (scaledOp) name() string { return "ScaledLeakyRelu" }

func (scaledOp) infer(in []*Value) ([]int, error) {
	x, scale := in[0].shape, in[1].shape
	if len(x) != 4 || len(scale) != 4 || scale[0] != 1 && scale[0] != x[0] || scale[1] != x[1] || scale[2] != 1 || scale[3] != 1 {
		return nil, fmt.Errorf("scale %v is not one number for each channel of input %v", scale, x)
	}
	for _, v := range in[2:] {
		if out, err := broadcast(x, v.shape); err != nil || !equal(out, x) {
			return nil, fmt.Errorf("offset %v does not stretch to input %v", v.shape, x)
		}
	}
	return x, nil
}

func (o scaledOp) write(w *writer, v *Value) {
	at := w.temp(v)
	w.node("Mul", []string{w.ref(v.in[0]), w.ref(v.in[1])}, at)
	for _, offset := range v.in[2:] {
		sum := w.temp(v)
		w.node("Add", []string{at, w.ref(offset)}, sum)
		at = sum
	}
	w.node("LeakyRelu", []string{at}, w.ref(v), attrFloat("alpha", o.Slope))
}

func (o scaledOp) vjp(g *Graph, y, dy *Value, need []bool) []*Value {
	scale, offsets := y.in[1], y.in[2:]
	d := make([]*Value, len(y.in))
	dz := g.Mul(dy, g.Step(y, o.Slope, 1))
	for i, offset := range offsets {
		if need[2+i] {
			d[2+i] = g.unbroadcast(dz, offset.shape)
		}
	}
	if need[1] {
		sum := g.unbroadcast(g.Mul(dy, y), scale.shape)
		for _, part := range g.weighedSums(dz, offsets, scale.shape) {
			sum = g.Sub(sum, part)
		}
		d[1] = g.Div(sum, scale)
	}
	if need[0] {
		d[0] = g.Mul(dz, g.ordered(scale, dz, d[1]))
	}
	return d
}

// weighedSums returns the sums of dz times each weight, narrowed to the shape [., C, 1, 1]. Weights of one number for
// each channel and of one plane for all channels are summed in one pass over dz, a product with columns of ones
// and planes; others take two passes.
func (g *Graph) weighedSums(dz *Value, weights []*Value, shape []int) []*Value {
	if g.err != nil {
		return nil
	}
	var sums, planes, channels []*Value
	n, c, h, w := dz.shape[0], dz.shape[1], dz.shape[2], dz.shape[3]
	for _, v := range weights {
		switch {
		case v.Size() == c && v.Rank() >= 3 && v.Dim(-3) == c:
			channels = append(channels, v)
		case v.isConst() && v.Size() == h*w && v.Dim(-1) == w && v.Dim(-2) == h && n == 1:
			planes = append(planes, v)
		default:
			sums = append(sums, g.unbroadcast(g.Mul(dz, v), shape))
		}
	}
	if len(planes) == 0 {
		if len(channels) > 0 {
			all := g.unbroadcast(dz, shape)
			for _, v := range channels {
				sums = append(sums, g.Mul(all, g.Reshape(v, 1, c, 1, 1)))
			}
		}
		return sums
	}
	table := g.columns(planes, h*w)
	products := g.MatMul(g.Reshape(dz, c, h*w), table)
	for i := range planes {
		sums = append(sums, g.Reshape(g.Slice(products, Range{Axis: 1, Start: 1 + i, End: 2 + i}), shape...))
	}
	for _, v := range channels {
		all := g.Reshape(g.Slice(products, Range{Axis: 1, End: 1}), shape...)
		sums = append(sums, g.Mul(all, g.Reshape(v, 1, c, 1, 1)))
	}
	return sums
}

// columns returns the constant [n, 1 + len(planes)] whose first column is ones and whose others are the planes.
func (g *Graph) columns(planes []*Value, n int) *Value {
	key := "columns " + strconv.Itoa(n)
	for _, p := range planes {
		key += " " + strconv.Itoa(p.id)
	}
	planes = slices.Clone(planes)
	k := 1 + len(planes)
	return g.derived(key, []int{n, k}, func() []float32 {
		out := make([]float32, n*k)
		for i := range n {
			out[i*k] = 1
		}
		for j, p := range planes {
			for i, x := range p.floats() {
				out[i*k+1+j] = x
			}
		}
		return out
	})
}
