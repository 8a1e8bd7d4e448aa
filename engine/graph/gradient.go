package graph

import "fmt"

// Gradient extends the graph with the derivative of loss, which has one element, with respect to each value of wrt, and
// returns these derivatives, shaped like the values. Values may be inputs or results of operations; a constant is an
// error, since operations on constants are computed while building (make a weight that is to be trained an input). A
// value that the loss does not depend on gets zeros.
//
// At the kinks of piecewise functions (LeakyRelu, Relu, Abs, Clip) the derivative of one side is taken.
func Gradient(loss *Value, wrt ...*Value) ([]*Value, error) {
	g := loss.g
	if g.err != nil || !g.owns("Gradient", append([]*Value{loss}, wrt...)...) {
		return nil, g.err
	}
	if loss.Size() != 1 {
		return nil, g.failed("Gradient", "loss has shape %v, expected one element", loss.shape)
	}
	depends := make([]bool, loss.id+1)
	for _, v := range wrt {
		if v.isConst() {
			return nil, g.failed("Gradient", "%s %v is a constant, expected an input or a computed value", v.name, v.shape)
		}
		if v.id <= loss.id {
			depends[v.id] = true
		}
	}
	for _, v := range g.values[:loss.id+1] {
		if _, ok := v.op.(detachOp); ok {
			continue
		}
		for _, in := range v.in {
			depends[v.id] = depends[v.id] || depends[in.id]
		}
	}

	// Values are numbered in the order of computation, so going backwards meets a value after all its uses.
	grads := make([]*Value, loss.id+1)
	if depends[loss.id] {
		grads[loss.id] = g.fill(1, loss.shape)
	}
	for id := loss.id; id >= 0; id-- {
		v, dy := g.values[id], grads[id]
		if dy == nil || len(v.in) == 0 {
			continue
		}
		need := make([]bool, len(v.in))
		wanted := false
		for i, in := range v.in {
			need[i] = depends[in.id]
			wanted = wanted || need[i]
		}
		if !wanted {
			continue
		}
		for i, d := range v.op.vjp(g, v, dy, need) {
			if d == nil || !need[i] {
				continue
			}
			if g.err != nil {
				return nil, fmt.Errorf("%w (in the gradient of %s)", g.err, v.name)
			}
			in := v.in[i].id
			if grads[in] == nil {
				grads[in] = d
			} else {
				grads[in] = g.Add(grads[in], d)
			}
		}
	}
	out := make([]*Value, len(wrt))
	for i, v := range wrt {
		if v.id <= loss.id && grads[v.id] != nil {
			out[i] = grads[v.id]
		} else {
			out[i] = g.fill(0, v.shape)
		}
	}
	return out, g.err
}

func (g *Graph) failed(name, format string, args ...any) error {
	g.fail(name, format, args...)
	return g.err
}

// Detach returns x as a value that gradients do not pass.
func (g *Graph) Detach(x *Value) *Value { return g.apply(detachOp{}, x) }

type detachOp struct{}

func (detachOp) name() string                                { return "Detach" }
func (detachOp) infer(in []*Value) ([]int, error)            { return in[0].shape, nil }
func (detachOp) write(*writer, *Value)                       {}
func (detachOp) vjp(*Graph, *Value, *Value, []bool) []*Value { return nil }

// unbroadcast sums dy over the dimensions along which a tensor of the given shape was stretched to dy's shape.
func (g *Graph) unbroadcast(dy *Value, shape []int) *Value {
	axes := stretched(shape, dy.shape)
	if len(axes) == 0 {
		return g.Reshape(dy, shape...)
	}
	return g.Reshape(g.ReduceSum(dy, axes, true), shape...)
}

// stretched returns the axes of wide along which narrow is broadcast.
func stretched(narrow, wide []int) []int {
	var axes []int
	lead := len(wide) - len(narrow)
	for i, d := range wide {
		if i < lead && d != 1 || i >= lead && narrow[i-lead] != d {
			axes = append(axes, i)
		}
	}
	return axes
}
