package graph

import (
	"fmt"
	"slices"
)

// After returns x as a value that a run computes only when it has computed dep, which must have x's shape. The result
// is x, and gradients pass to x alone.
//
// Runtimes choose the order of operations that do not depend on each other, and like to follow a chain to its end: the
// gradient of a code would be the sum of what its rows give, so every layer's small sum would wait, with the large
// tensors that it is a sum of, until the chain through all layers is done. A gradient that goes on from a layer
// multiplied by After(scale, gradient of the scale) makes the sum come first and lets its tensors go.
//
// As 0·dep is added, a dep that is not finite makes the result NaN.
func (g *Graph) After(x, dep *Value) *Value { return g.apply(afterOp{}, x, dep) }

type afterOp struct{}

func (afterOp) name() string { return "After" }

func (afterOp) infer(in []*Value) ([]int, error) {
	if !equal(in[0].shape, in[1].shape) {
		return nil, fmt.Errorf("shapes %v and %v differ", in[0].shape, in[1].shape)
	}
	return in[0].shape, nil
}

func (afterOp) write(w *writer, v *Value) {
	zero := w.temp(v)
	w.node("Mul", []string{w.ref(v.in[1]), w.floats(nil, 0)}, zero)
	w.node("Add", []string{w.ref(v.in[0]), zero}, w.ref(v))
}

func (afterOp) vjp(_ *Graph, _, dy *Value, _ []bool) []*Value { return []*Value{dy} }

// orderedAt is how many times smaller than the other a factor is whose gradient is to be computed first.
const orderedAt = 64

// ordered returns a factor that waits for its own gradient d, if it is so much smaller than the other factor that
// waiting lets a large tensor go; otherwise the factor itself.
func (g *Graph) ordered(factor, other, d *Value) *Value {
	if g.err != nil || d == nil || factor.isConst() || d.isConst() || factor.Size() > other.Size()/orderedAt || !equal(factor.shape, d.shape) {
		return factor
	}
	return g.After(factor, d)
}

// deepestLast orders values by the longest way from an input, so that operands of one operation are written from the
// shallowest to the deepest. Of two operands a runtime computes the one first that was written last, so the gradient that
// came the longest way is there before it computes what else is added to it: what a colour layer or an activation's step
// gives is not kept for all resolutions while the gradient is on its way to them.
func deepestLast(values []*Value) []*Value {
	depth := make(map[*Value]int, len(values))
	for _, v := range values {
		for _, in := range v.in {
			depth[v] = max(depth[v], depth[in]+1)
		}
	}
	out := slices.Clone(values)
	slices.SortStableFunc(out, func(a, b *Value) int { return depth[a] - depth[b] })
	return out
}
