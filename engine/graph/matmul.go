package graph

import "fmt"

// MatMul multiplies matrices: the last two dimensions are rows and columns, [.., m, k]·[.., k, n] = [.., m, n], and the
// dimensions before them broadcast. Both operands have rank 2 or more.
func (g *Graph) MatMul(a, b *Value) *Value { return g.apply(matMulOp{}, a, b) }

type matMulOp struct{}

func (matMulOp) name() string { return "MatMul" }

func (matMulOp) infer(in []*Value) ([]int, error) {
	a, b := in[0].shape, in[1].shape
	ra, rb := len(a), len(b)
	if ra < 2 || rb < 2 || a[ra-1] != b[rb-2] {
		return nil, fmt.Errorf("shapes %v and %v do not multiply", a, b)
	}
	batch, err := broadcast(a[:ra-2], b[:rb-2])
	if err != nil {
		return nil, fmt.Errorf("the leading dimensions of shapes %v and %v do not broadcast", a, b)
	}
	return append(batch, a[ra-2], b[rb-1]), nil
}

func (matMulOp) write(w *writer, v *Value) { w.simple("MatMul", v) }

func (matMulOp) vjp(g *Graph, v, dy *Value, need []bool) []*Value {
	a, b := v.in[0], v.in[1]
	d := make([]*Value, 2)
	if need[0] {
		d[0] = g.unbroadcast(g.MatMul(dy, g.swap(b)), a.shape)
	}
	if need[1] {
		if need[0] {
			a = g.ordered(a, b, d[0])
		}
		d[1] = g.unbroadcast(g.MatMul(g.swap(a), dy), b.shape)
	}
	return d
}

// swap transposes the last two dimensions.
func (g *Graph) swap(x *Value) *Value {
	perm := make([]int, len(x.shape))
	for i := range perm {
		perm[i] = i
	}
	n := len(perm)
	perm[n-1], perm[n-2] = n-2, n-1
	return g.Transpose(x, perm...)
}

// GemmOptions say which matrices Gemm transposes first.
type GemmOptions struct{ TransA, TransB bool }

// Gemm returns a·b + c for matrices a [m, k] and b [k, n], either of them transposed first when the options say so, and
// c nil or a tensor that broadcasts to [m, n].
func (g *Graph) Gemm(a, b, c *Value, o GemmOptions) *Value {
	op := gemmOp(o)
	if c == nil {
		return g.apply(op, a, b)
	}
	return g.apply(op, a, b, c)
}

type gemmOp GemmOptions

func (gemmOp) name() string { return "Gemm" }

func (o gemmOp) infer(in []*Value) ([]int, error) {
	a, b := in[0].shape, in[1].shape
	if len(a) != 2 || len(b) != 2 {
		return nil, fmt.Errorf("shapes %v and %v are not matrices", a, b)
	}
	m, k, k2, n := a[0], a[1], b[0], b[1]
	if o.TransA {
		m, k = k, m
	}
	if o.TransB {
		k2, n = n, k2
	}
	if k != k2 {
		return nil, fmt.Errorf("shapes %v and %v do not multiply (transposed first: %v, %v)", a, b, o.TransA, o.TransB)
	}
	out := []int{m, n}
	if len(in) == 3 {
		if s, err := broadcast(in[2].shape, out); err != nil || !equal(s, out) {
			return nil, fmt.Errorf("added shape %v does not broadcast to %v", in[2].shape, out)
		}
	}
	return out, nil
}

func (o gemmOp) write(w *writer, v *Value) {
	var attrs [][]byte
	if o.TransA {
		attrs = append(attrs, attrInt("transA", 1))
	}
	if o.TransB {
		attrs = append(attrs, attrInt("transB", 1))
	}
	w.simple("Gemm", v, attrs...)
}

func (o gemmOp) vjp(g *Graph, v, dy *Value, need []bool) []*Value {
	a, b := v.in[0], v.in[1]
	d := make([]*Value, len(v.in))
	if need[0] {
		if o.TransA {
			d[0] = g.Gemm(b, dy, nil, GemmOptions{TransA: o.TransB, TransB: true})
		} else {
			d[0] = g.Gemm(dy, b, nil, GemmOptions{TransB: !o.TransB})
		}
	}
	if need[1] {
		if o.TransB {
			d[1] = g.Gemm(dy, a, nil, GemmOptions{TransA: true, TransB: o.TransA})
		} else {
			d[1] = g.Gemm(a, dy, nil, GemmOptions{TransA: !o.TransA})
		}
	}
	if len(v.in) == 3 && need[2] {
		d[2] = g.unbroadcast(dy, v.in[2].shape)
	}
	return d
}
