package graph

import (
	"fmt"
	"slices"
)

func equal(a, b []int) bool { return slices.Equal(a, b) }

// Reshape gives the elements, in their order, another shape of the same size. One dimension may be -1: it takes what
// the others leave.
func (g *Graph) Reshape(x *Value, shape ...int) *Value {
	if g.err != nil || !g.owns("Reshape", x) {
		return g.invalid
	}
	shape = slices.Clone(shape)
	if i := slices.Index(shape, -1); i >= 0 {
		shape[i] = 1
		if rest := size(shape); rest > 0 && x.Size()%rest == 0 {
			shape[i] = x.Size() / rest
		}
	}
	if err := checkShape(shape); err != nil {
		return g.fail("Reshape", "%v", err)
	}
	if size(shape) != x.Size() {
		return g.fail("Reshape", "shape %v has %d elements, %v has %d", x.shape, x.Size(), shape, size(shape))
	}
	if n, ok := x.number(); ok {
		return g.fill(n, shape)
	}
	if _, ok := x.op.(reshapeOp); ok {
		x = x.in[0]
	}
	if equal(shape, x.shape) {
		return x
	}
	return g.apply(reshapeOp{Shape: shape}, x)
}

type reshapeOp struct{ Shape []int }

func (o reshapeOp) name() string { return "Reshape" }

func (o reshapeOp) infer([]*Value) ([]int, error) { return o.Shape, nil }

func (o reshapeOp) write(w *writer, v *Value) {
	w.node("Reshape", []string{w.ref(v.in[0]), w.int64s(o.Shape)}, w.ref(v))
}

func (o reshapeOp) vjp(g *Graph, v, dy *Value, _ []bool) []*Value {
	return []*Value{g.Reshape(dy, v.in[0].shape...)}
}

func (o reshapeOp) fold(v *Value) []float32 { return v.in[0].floats() }

// Expand stretches dimensions of 1, and missing leading dimensions, to the shape. Binary operations stretch by
// themselves.
func (g *Graph) Expand(x *Value, shape ...int) *Value {
	if g.err != nil || !g.owns("Expand", x) {
		return g.invalid
	}
	if out, err := broadcast(x.shape, shape); err != nil || !equal(out, shape) {
		return g.fail("Expand", "shape %v does not stretch to %v", x.shape, shape)
	}
	if n, ok := x.number(); ok {
		return g.fill(n, shape)
	}
	if equal(shape, x.shape) {
		return x
	}
	return g.apply(expandOp{Shape: slices.Clone(shape)}, x)
}

type expandOp struct{ Shape []int }

func (o expandOp) name() string { return "Expand" }

func (o expandOp) infer([]*Value) ([]int, error) { return o.Shape, nil }

func (o expandOp) write(w *writer, v *Value) {
	w.node("Expand", []string{w.ref(v.in[0]), w.int64s(o.Shape)}, w.ref(v))
}

func (o expandOp) vjp(g *Graph, v, dy *Value, _ []bool) []*Value {
	return []*Value{g.unbroadcast(dy, v.in[0].shape)}
}

// Transpose reorders the axes: dimension i of the result is dimension perm[i] of x.
func (g *Graph) Transpose(x *Value, perm ...int) *Value {
	if g.err != nil || !g.owns("Transpose", x) {
		return g.invalid
	}
	sorted := slices.Sorted(slices.Values(perm))
	for i := range sorted {
		if sorted[i] != i || len(perm) != len(x.shape) {
			return g.fail("Transpose", "%v is not an order of the axes of shape %v", perm, x.shape)
		}
	}
	if len(perm) != len(x.shape) {
		return g.fail("Transpose", "%v is not an order of the axes of shape %v", perm, x.shape)
	}
	if t, ok := x.op.(transposeOp); ok {
		inner := make([]int, len(perm))
		for i, p := range perm {
			inner[i] = t.Perm[p]
		}
		x, perm = x.in[0], inner
	}
	if slices.IsSorted(perm) {
		return x
	}
	// Moving only dimensions of 1 does not move an element.
	var moved []int
	for _, p := range perm {
		if x.shape[p] > 1 {
			moved = append(moved, p)
		}
	}
	if slices.IsSorted(moved) {
		return g.Reshape(x, permuted(x.shape, perm)...)
	}
	return g.apply(transposeOp{Perm: slices.Clone(perm)}, x)
}

func permuted(shape, perm []int) []int {
	out := make([]int, len(perm))
	for i, p := range perm {
		out[i] = shape[p]
	}
	return out
}

type transposeOp struct{ Perm []int }

func (o transposeOp) name() string { return "Transpose" }

func (o transposeOp) infer(in []*Value) ([]int, error) { return permuted(in[0].shape, o.Perm), nil }

func (o transposeOp) write(w *writer, v *Value) {
	w.simple("Transpose", v, attrInts("perm", o.Perm...))
}

func (o transposeOp) vjp(g *Graph, _, dy *Value, _ []bool) []*Value {
	inverse := make([]int, len(o.Perm))
	for i, p := range o.Perm {
		inverse[p] = i
	}
	return []*Value{g.Transpose(dy, inverse...)}
}

func (o transposeOp) fold(v *Value) []float32 {
	in, from := v.in[0].floats(), v.in[0].shape
	strides := make([]int, len(from))
	n := 1
	for i := len(from) - 1; i >= 0; i-- {
		strides[i] = n
		n *= from[i]
	}
	out := make([]float32, len(in))
	at := make([]int, len(from))
	for i := range out {
		offset := 0
		for d, p := range o.Perm {
			offset += at[d] * strides[p]
		}
		out[i] = in[offset]
		for d := len(at) - 1; d >= 0; d-- {
			at[d]++
			if at[d] < v.shape[d] {
				break
			}
			at[d] = 0
		}
	}
	return out
}

// Concat joins tensors along the axis; their other dimensions agree.
func (g *Graph) Concat(along int, xs ...*Value) *Value {
	if g.err != nil || !g.owns("Concat", xs...) {
		return g.invalid
	}
	if len(xs) == 0 {
		return g.fail("Concat", "no tensors to join")
	}
	a, err := axis(along, len(xs[0].shape))
	if err != nil {
		return g.fail("Concat", "%v of shape %v", err, xs[0].shape)
	}
	if len(xs) == 1 {
		return xs[0]
	}
	return g.apply(concatOp{Axis: a}, xs...)
}

type concatOp struct{ Axis int }

func (o concatOp) name() string { return "Concat" }

func (o concatOp) infer(in []*Value) ([]int, error) {
	out := slices.Clone(in[0].shape)
	for _, v := range in[1:] {
		if len(v.shape) != len(out) {
			return nil, fmt.Errorf("shapes %v and %v do not join", in[0].shape, v.shape)
		}
		for i, d := range v.shape {
			if i == o.Axis {
				out[i] += d
			} else if d != out[i] {
				return nil, fmt.Errorf("shapes %v and %v do not join along axis %d", in[0].shape, v.shape, o.Axis)
			}
		}
	}
	return out, nil
}

func (o concatOp) write(w *writer, v *Value) { w.simple("Concat", v, attrInt("axis", o.Axis)) }

func (o concatOp) vjp(g *Graph, v, dy *Value, need []bool) []*Value {
	d := make([]*Value, len(v.in))
	at := 0
	for i, x := range v.in {
		n := x.shape[o.Axis]
		if need[i] {
			d[i] = g.Slice(dy, Range{Axis: o.Axis, Start: at, End: at + n})
		}
		at += n
	}
	return d
}

// A Range is the part Start ≤ i < End of an axis, every Step-th element of it; Step 0 counts as 1.
type Range struct{ Axis, Start, End, Step int }

// Slice cuts a part out along the given axes and keeps the others whole.
func (g *Graph) Slice(x *Value, ranges ...Range) *Value {
	if g.err != nil || !g.owns("Slice", x) {
		return g.invalid
	}
	var kept []Range
	for _, r := range ranges {
		a, err := axis(r.Axis, len(x.shape))
		if err != nil {
			return g.fail("Slice", "%v of shape %v", err, x.shape)
		}
		r.Axis, r.Step = a, max(r.Step, 1)
		if r.Start < 0 || r.End > x.shape[a] || r.Start >= r.End {
			return g.fail("Slice", "[%d, %d) is not a part of axis %d of shape %v", r.Start, r.End, a, x.shape)
		}
		if slices.ContainsFunc(kept, func(k Range) bool { return k.Axis == a }) {
			return g.fail("Slice", "axis %d is named twice", a)
		}
		if r.Start != 0 || r.End != x.shape[a] || r.Step != 1 {
			kept = append(kept, r)
		}
	}
	if len(kept) == 0 {
		return x
	}
	if n, ok := x.number(); ok {
		shape, _ := sliceOp{Ranges: kept}.infer([]*Value{x})
		return g.fill(n, shape)
	}
	slices.SortFunc(kept, func(a, b Range) int { return a.Axis - b.Axis })
	return g.apply(sliceOp{Ranges: kept}, x)
}

type sliceOp struct{ Ranges []Range }

func (o sliceOp) name() string { return "Slice" }

func (o sliceOp) infer(in []*Value) ([]int, error) {
	out := slices.Clone(in[0].shape)
	for _, r := range o.Ranges {
		out[r.Axis] = (r.End - r.Start + r.Step - 1) / r.Step
	}
	return out, nil
}

func (o sliceOp) write(w *writer, v *Value) {
	var starts, ends, axes, steps []int
	for _, r := range o.Ranges {
		starts, ends = append(starts, r.Start), append(ends, r.End)
		axes, steps = append(axes, r.Axis), append(steps, r.Step)
	}
	w.node("Slice", []string{w.ref(v.in[0]), w.int64s(starts), w.int64s(ends), w.int64s(axes), w.int64s(steps)}, w.ref(v))
}

func (o sliceOp) vjp(g *Graph, v, dy *Value, _ []bool) []*Value {
	var margins []Margin
	for _, r := range o.Ranges {
		length := v.in[0].shape[r.Axis]
		if r.Step > 1 {
			dy = g.spread(dy, r.Axis, r.Step)
			if room := length - r.Start; dy.Dim(r.Axis) > room {
				dy = g.Slice(dy, Range{Axis: r.Axis, End: room})
			}
		}
		margins = append(margins, Margin{r.Axis, r.Start, length - r.Start - dy.Dim(r.Axis)})
	}
	return []*Value{g.Pad(dy, 0, margins...)}
}

// spread puts step−1 zeros after each element along the axis.
func (g *Graph) spread(x *Value, a, step int) *Value {
	shape := x.Shape()
	if len(shape) <= a {
		return g.invalid
	}
	split := slices.Insert(slices.Clone(shape), a+1, 1)
	shape[a] *= step
	return g.Reshape(g.Pad(g.Reshape(x, split...), 0, Margin{a + 1, 0, step - 1}), shape...)
}

// A Margin is what Pad adds before and after an axis.
type Margin struct{ Axis, Before, After int }

// Pad surrounds x with elements equal to fill.
func (g *Graph) Pad(x *Value, fill float32, margins ...Margin) *Value {
	if g.err != nil || !g.owns("Pad", x) {
		return g.invalid
	}
	before, after := make([]int, len(x.shape)), make([]int, len(x.shape))
	none := true
	for _, m := range margins {
		a, err := axis(m.Axis, len(x.shape))
		if err != nil {
			return g.fail("Pad", "%v of shape %v", err, x.shape)
		}
		if m.Before < 0 || m.After < 0 {
			return g.fail("Pad", "margins %d and %d of axis %d are negative", m.Before, m.After, a)
		}
		before[a] += m.Before
		after[a] += m.After
		none = none && m.Before == 0 && m.After == 0
	}
	if none {
		return x
	}
	return g.apply(padOp{Before: before, After: after, Fill: fill}, x)
}

type padOp struct {
	Before, After []int
	Fill          float32
}

func (o padOp) name() string { return "Pad" }

func (o padOp) infer(in []*Value) ([]int, error) {
	out := slices.Clone(in[0].shape)
	for i := range out {
		out[i] += o.Before[i] + o.After[i]
	}
	return out, nil
}

func (o padOp) write(w *writer, v *Value) {
	pads := append(slices.Clone(o.Before), o.After...)
	w.node("Pad", []string{w.ref(v.in[0]), w.int64s(pads), w.floats(nil, o.Fill)}, w.ref(v))
}

func (o padOp) vjp(g *Graph, v, dy *Value, _ []bool) []*Value {
	var ranges []Range
	for a, n := range v.in[0].shape {
		ranges = append(ranges, Range{Axis: a, Start: o.Before[a], End: o.Before[a] + n})
	}
	return []*Value{g.Slice(dy, ranges...)}
}

// Gather picks elements along the axis: the i-th slice of the result is slice indices[i] of x. An index may come more
// than once.
func (g *Graph) Gather(x *Value, along int, indices []int) *Value {
	if g.err != nil || !g.owns("Gather", x) {
		return g.invalid
	}
	a, err := axis(along, len(x.shape))
	if err != nil {
		return g.fail("Gather", "%v of shape %v", err, x.shape)
	}
	if len(indices) == 0 {
		return g.fail("Gather", "no indices")
	}
	for _, i := range indices {
		if i < 0 || i >= x.shape[a] {
			return g.fail("Gather", "index %d is outside axis %d of shape %v", i, a, x.shape)
		}
	}
	return g.apply(gatherOp{Axis: a, Indices: slices.Clone(indices)}, x)
}

type gatherOp struct {
	Axis    int
	Indices []int
}

func (o gatherOp) name() string { return "Gather" }

func (o gatherOp) infer(in []*Value) ([]int, error) {
	out := slices.Clone(in[0].shape)
	out[o.Axis] = len(o.Indices)
	return out, nil
}

func (o gatherOp) write(w *writer, v *Value) {
	w.node("Gather", []string{w.ref(v.in[0]), w.int64s(o.Indices)}, w.ref(v), attrInt("axis", o.Axis))
}

// vjp scatters dy without a scatter: in round r, every slice of x fetches the slice of dy that took it for the r-th
// time, or a slice of zeros appended to dy.
func (o gatherOp) vjp(g *Graph, v, dy *Value, _ []bool) []*Value {
	n := v.in[0].shape[o.Axis]
	takers := make([][]int, n)
	rounds := 0
	for at, i := range o.Indices {
		takers[i] = append(takers[i], at)
		rounds = max(rounds, len(takers[i]))
	}
	padded := g.Pad(dy, 0, Margin{o.Axis, 0, 1})
	var sum *Value
	for r := range rounds {
		from := make([]int, n)
		for i, at := range takers {
			from[i] = len(o.Indices)
			if r < len(at) {
				from[i] = at[r]
			}
		}
		part := g.Gather(padded, o.Axis, from)
		if sum == nil {
			sum = part
		} else {
			sum = g.Add(sum, part)
		}
	}
	return []*Value{sum}
}

func (o gatherOp) fold(v *Value) []float32 {
	x := v.in[0]
	in, n := x.floats(), x.shape[o.Axis]
	outer, inner := size(x.shape[:o.Axis]), size(x.shape[o.Axis+1:])
	out := make([]float32, 0, v.Size())
	for i := range outer {
		for _, k := range o.Indices {
			out = append(out, in[(i*n+k)*inner:][:inner]...)
		}
	}
	return out
}
