package graph

import (
	"fmt"
	"slices"
)

// ReduceSum sums over the axes, all when none is given. Axes may be counted from the end. With keep, the summed
// dimensions stay as 1.
func (g *Graph) ReduceSum(x *Value, axes []int, keep bool) *Value {
	return g.reduce("ReduceSum", x, axes, keep)
}

// ReduceMean averages over the axes; see ReduceSum.
func (g *Graph) ReduceMean(x *Value, axes []int, keep bool) *Value {
	return g.reduce("ReduceMean", x, axes, keep)
}

// ReduceMax returns the largest element over the axes; see ReduceSum. Equal largest elements share the derivative.
func (g *Graph) ReduceMax(x *Value, axes []int, keep bool) *Value {
	return g.reduce("ReduceMax", x, axes, keep)
}

// Sum returns the sum of all elements as a scalar.
func (g *Graph) Sum(x *Value) *Value { return g.ReduceSum(x, nil, false) }

// Mean returns the mean of all elements as a scalar.
func (g *Graph) Mean(x *Value) *Value { return g.ReduceMean(x, nil, false) }

// GlobalMean averages each channel of [N, C, H, W] to [N, C, 1, 1].
func (g *Graph) GlobalMean(x *Value) *Value { return g.ReduceMean(x, []int{-2, -1}, true) }

func (g *Graph) reduce(kind string, x *Value, axes []int, keep bool) *Value {
	if g.err != nil || !g.owns(kind, x) {
		return g.invalid
	}
	axes, err := sortedAxes(axes, len(x.shape))
	if err != nil {
		return g.fail(kind, "%v of shape %v", err, x.shape)
	}
	// Dimensions of 1 need no sum.
	axes = slices.DeleteFunc(axes, func(a int) bool { return x.shape[a] == 1 && keep })
	if len(axes) == 0 {
		return x
	}
	if n, ok := x.number(); ok {
		if kind == "ReduceSum" {
			for _, a := range axes {
				n *= float32(x.shape[a])
			}
		}
		return g.fill(n, keptShape(x.shape, axes, keep))
	}
	return g.apply(reduceOp{Kind: kind, Axes: axes, Keep: keep}, x)
}

func sortedAxes(axes []int, rank int) ([]int, error) {
	out := make([]int, 0, rank)
	if axes == nil {
		for a := range rank {
			out = append(out, a)
		}
		return out, nil
	}
	for _, a := range axes {
		r, err := axis(a, rank)
		if err != nil {
			return nil, err
		}
		if slices.Contains(out, r) {
			return nil, fmt.Errorf("axis %d is named twice", a)
		}
		out = append(out, r)
	}
	slices.Sort(out)
	return out, nil
}

func keptShape(shape, axes []int, keep bool) []int {
	var out []int
	for i, d := range shape {
		switch {
		case !slices.Contains(axes, i):
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	return out
}

// maxOnes is the longest axis that is summed by a product with ones.
const maxOnes = 1024

type reduceOp struct {
	Kind string
	Axes []int
	Keep bool
}

func (o reduceOp) name() string { return o.Kind }

func (o reduceOp) infer(in []*Value) ([]int, error) {
	return keptShape(in[0].shape, o.Axes, o.Keep), nil
}

func (o reduceOp) write(w *writer, v *Value) {
	keep := 0
	if o.Keep {
		keep = 1
	}
	x := v.in[0]
	if a := o.Axes[0]; o.Kind == "ReduceSum" && len(o.Axes) == 1 && a < len(x.shape)-1 && x.shape[a] <= maxOnes {
		// A product with a row of ones: the runtime sums over an axis that is not the last one several times slower.
		n := x.shape[a]
		flat, sum := w.temp(v), w.temp(v)
		w.node("Reshape", []string{w.ref(x), w.int64s([]int{size(x.shape[:a]), n, size(x.shape[a+1:])})}, flat)
		w.node("MatMul", []string{w.floats([]int{1, n}, slices.Repeat([]float32{1}, n)...), flat}, sum)
		w.node("Reshape", []string{sum, w.int64s(v.shape)}, w.ref(v))
		return
	}
	if o.Kind == "ReduceSum" {
		w.node(o.Kind, []string{w.ref(v.in[0]), w.int64s(o.Axes)}, w.ref(v), attrInt("keepdims", keep))
		return
	}
	w.simple(o.Kind, v, attrInts("axes", o.Axes...), attrInt("keepdims", keep))
}

func (o reduceOp) vjp(g *Graph, v, dy *Value, _ []bool) []*Value {
	x := v.in[0]
	kept := keptShape(x.shape, o.Axes, true)
	wide := g.Expand(g.Reshape(dy, kept...), x.shape...)
	switch o.Kind {
	case "ReduceMean":
		return []*Value{g.Expand(g.Scale(g.Reshape(dy, kept...), float32(v.Size())/float32(x.Size())), x.shape...)}
	case "ReduceMax":
		below := g.Step(g.Sub(g.Reshape(v, kept...), x), 0, 1)
		top := g.Sub(g.Scalar(1), below)
		share := g.Div(g.Reshape(dy, kept...), g.ReduceSum(top, o.Axes, true))
		return []*Value{g.Mul(top, share)}
	}
	return []*Value{wide}
}

func (o reduceOp) fold(v *Value) []float32 {
	in := v.in[0].floats()
	kept := keptShape(v.in[0].shape, o.Axes, true)
	sums := make([]float64, v.Size())
	first := make([]bool, v.Size())
	at := newCursor(kept, v.in[0].shape)
	for _, x := range in {
		i := at.next()
		switch {
		case o.Kind != "ReduceMax":
			sums[i] += float64(x)
		case !first[i] || float64(x) > sums[i]:
			sums[i], first[i] = float64(x), true
		}
	}
	out := make([]float32, len(sums))
	for i, s := range sums {
		if o.Kind == "ReduceMean" {
			s /= float64(len(in) / len(out))
		}
		out[i] = float32(s)
	}
	return out
}

// Softmax returns eˣ normalised to sum 1 along the axis.
func (g *Graph) Softmax(x *Value, axis int) *Value { return g.soft("Softmax", x, axis) }

// LogSoftmax returns the logarithm of Softmax.
func (g *Graph) LogSoftmax(x *Value, axis int) *Value { return g.soft("LogSoftmax", x, axis) }

// LogSumExp returns log Σ eˣ along the axis, which stays as 1.
func (g *Graph) LogSumExp(x *Value, a int) *Value {
	if g.err != nil || !g.owns("LogSumExp", x) {
		return g.invalid
	}
	a, err := axis(a, len(x.shape))
	if err != nil {
		return g.fail("LogSumExp", "%v of shape %v", err, x.shape)
	}
	// The largest element only shifts; no gradient flows through it.
	top := g.Detach(g.ReduceMax(x, []int{a}, true))
	return g.Add(g.Log(g.ReduceSum(g.Exp(g.Sub(x, top)), []int{a}, true)), top)
}

func (g *Graph) soft(kind string, x *Value, a int) *Value {
	if g.err != nil || !g.owns(kind, x) {
		return g.invalid
	}
	a, err := axis(a, len(x.shape))
	if err != nil {
		return g.fail(kind, "%v of shape %v", err, x.shape)
	}
	if a == len(x.shape)-1 {
		return g.apply(softmaxOp{Kind: kind, Axis: a}, x)
	}
	// The runtime transposes for any axis but the last; passes over the tensor as it lies are faster.
	y := g.Sub(x, g.LogSumExp(x, a))
	if kind == "Softmax" {
		return g.Exp(y)
	}
	return y
}

type softmaxOp struct {
	Kind string
	Axis int
}

func (o softmaxOp) name() string { return o.Kind }

func (o softmaxOp) infer(in []*Value) ([]int, error) { return in[0].shape, nil }

func (o softmaxOp) write(w *writer, v *Value) { w.simple(o.Kind, v, attrInt("axis", o.Axis)) }

func (o softmaxOp) vjp(g *Graph, y, dy *Value, _ []bool) []*Value {
	axes := []int{o.Axis}
	if o.Kind == "Softmax" {
		return []*Value{g.Mul(y, g.Sub(dy, g.ReduceSum(g.Mul(dy, y), axes, true)))}
	}
	return []*Value{g.Sub(dy, g.Mul(g.Exp(y), g.ReduceSum(dy, axes, true)))}
}
