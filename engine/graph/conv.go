package graph

import (
	"fmt"
	"strconv"
)

// Sides are numbers of rows and columns at the edges of a picture.
type Sides struct{ Top, Left, Bottom, Right int }

// AllSides returns n on every side.
func AllSides(n int) Sides { return Sides{n, n, n, n} }

// ConvOptions describe a convolution: zeros around the input, the step between windows (0 counts as 1, in both
// directions) and the number of channel groups (0 counts as 1).
type ConvOptions struct {
	Stride int
	Pad    Sides
	Groups int
}

// Conv correlates x [N, C, H, W] with the weight [O, C/groups, kh, kw] and adds the bias [O], which may be nil. The
// result is [N, O, H', W'] with H' = ⌊(H + top + bottom − kh)/stride⌋ + 1.
func (g *Graph) Conv(x, weight, bias *Value, o ConvOptions) *Value {
	op := convOp{Stride: max(o.Stride, 1), Pad: o.Pad, Groups: max(o.Groups, 1)}
	if bias == nil {
		return g.apply(op, x, weight)
	}
	return g.apply(op, x, weight, bias)
}

// ConvTransposeOptions describe a transposed convolution: Pad rows and columns are cut off the edges of the result, and
// OutputPad adds that many at the bottom and right, which only the bias reaches unless windows do.
type ConvTransposeOptions struct {
	Stride    int
	Pad       Sides
	OutputPad [2]int
	Groups    int
}

// ConvTranspose is the adjoint of Conv: it adds x[n,c,i,j]·weight to the window at (i·stride, j·stride) of the result.
// x is [N, C, H, W], the weight [C, O/groups, kh, kw], the bias [O] or nil; the result is [N, O, H', W'] with
// H' = (H−1)·stride + kh − top − bottom + OutputPad.
func (g *Graph) ConvTranspose(x, weight, bias *Value, o ConvTransposeOptions) *Value {
	op := convTransposeOp{Stride: max(o.Stride, 1), Pad: o.Pad, Groups: max(o.Groups, 1), OutputPad: o.OutputPad}
	if bias == nil {
		return g.apply(op, x, weight)
	}
	return g.apply(op, x, weight, bias)
}

type convOp struct {
	Stride int
	Pad    Sides
	Groups int
}

func (convOp) name() string { return "Conv" }

func (o convOp) infer(in []*Value) ([]int, error) {
	x, w := in[0].shape, in[1].shape
	if err := checkConv(x, w, o.Pad); err != nil {
		return nil, err
	}
	if x[1] != w[1]*o.Groups || w[0]%o.Groups != 0 {
		return nil, fmt.Errorf("input %v and weight %v do not fit with %d groups: the weight takes %d channels", x, w, o.Groups, w[1]*o.Groups)
	}
	if err := checkBias(in, w[0]); err != nil {
		return nil, err
	}
	h := x[2] + o.Pad.Top + o.Pad.Bottom - w[2]
	l := x[3] + o.Pad.Left + o.Pad.Right - w[3]
	if h < 0 || l < 0 {
		return nil, fmt.Errorf("weight %v is larger than the padded input %v", w, x)
	}
	return []int{x[0], w[0], h/o.Stride + 1, l/o.Stride + 1}, nil
}

func checkConv(x, w []int, p Sides) error {
	if len(x) != 4 || len(w) != 4 {
		return fmt.Errorf("input %v and weight %v are not both of rank 4", x, w)
	}
	if min(p.Top, p.Left, p.Bottom, p.Right) < 0 {
		return fmt.Errorf("padding %v is negative", p)
	}
	return nil
}

func checkBias(in []*Value, channels int) error {
	if len(in) == 3 && !equal(in[2].shape, []int{channels}) {
		return fmt.Errorf("bias %v, expected [%d] for the weight %v", in[2].shape, channels, in[1].shape)
	}
	return nil
}

func (o convOp) write(w *writer, v *Value) {
	k := v.in[1].shape
	if w.uncropped[v.in[0]] {
		o.Pad.Bottom--
		o.Pad.Right--
	}
	w.simple("Conv", v, attrInts("kernel_shape", k[2], k[3]), attrInts("strides", o.Stride, o.Stride),
		attrInts("pads", o.Pad.Top, o.Pad.Left, o.Pad.Bottom, o.Pad.Right), attrInt("group", o.Groups))
}

func (o convOp) vjp(g *Graph, v, dy *Value, need []bool) []*Value {
	x, w := v.in[0], v.in[1]
	d := make([]*Value, len(v.in))
	if need[0] {
		d[0] = o.inputGradient(g, x, w, dy)
	}
	if need[1] {
		d[1] = g.weightGradient(x, dy, w.shape, o.Stride, o.Pad, o.Groups)
	}
	if len(v.in) == 3 && need[2] {
		d[2] = g.ReduceSum(dy, []int{0, 2, 3}, false)
	}
	return d
}

// inputGradient is a transposed convolution. With stride 1 that is a convolution with the weight turned round, which
// runtimes do faster when the turned weight is a constant.
func (o convOp) inputGradient(g *Graph, x, w, dy *Value) *Value {
	kh, kw := w.shape[2], w.shape[3]
	turned := Sides{kh - 1 - o.Pad.Top, kw - 1 - o.Pad.Left, kh - 1 - o.Pad.Bottom, kw - 1 - o.Pad.Right}
	if o.Stride == 1 && w.isConst() && min(turned.Top, turned.Left, turned.Bottom, turned.Right) >= 0 {
		return g.Conv(dy, g.turn(w, o.Groups), nil, ConvOptions{Pad: turned, Groups: o.Groups})
	}
	return g.ConvTranspose(dy, w, nil, ConvTransposeOptions{
		Stride: o.Stride, Pad: o.Pad, Groups: o.Groups,
		OutputPad: [2]int{
			(x.shape[2] + o.Pad.Top + o.Pad.Bottom - kh) % o.Stride,
			(x.shape[3] + o.Pad.Left + o.Pad.Right - kw) % o.Stride,
		},
	})
}

// turn returns the constant weight [O, C/groups, kh, kw] as [C, O/groups, kh, kw], rotated by half a turn.
func (g *Graph) turn(w *Value, groups int) *Value {
	o, c, kh, kw := w.shape[0]/groups, w.shape[1], w.shape[2], w.shape[3]
	shape := []int{groups * c, o, kh, kw}
	if n, ok := w.number(); ok {
		return g.fill(n, shape)
	}
	return g.derived("turn "+strconv.Itoa(w.id)+" "+strconv.Itoa(groups), shape, func() []float32 {
		in, k := w.floats(), kh*kw
		out := make([]float32, len(in))
		for gr := range groups {
			for i := range o {
				for j := range c {
					from := in[((gr*o+i)*c+j)*k:][:k]
					to := out[((gr*c+j)*o+i)*k:][:k]
					for t, x := range from {
						to[k-1-t] = x
					}
				}
			}
		}
		return out
	})
}

// weightGradient returns Σ over n, y, x of dy[n,o,y,x]·pad(x)[n,c,y·stride+a,x·stride+b] as [O, C/groups, kh, kw]: for
// each tap (a, b) of the kernel one matrix product of dy with a shifted slice of the input.
func (g *Graph) weightGradient(x, dy *Value, shape []int, stride int, pad Sides, groups int) *Value {
	n, h, l := dy.Dim(0), dy.Dim(2), dy.Dim(3)
	outs, ins := dy.Dim(1)/groups, x.Dim(1)/groups
	padded := g.Pad(x, 0, Margin{2, pad.Top, pad.Bottom}, Margin{3, pad.Left, pad.Right})
	left := g.Reshape(dy, n, groups, outs, h*l)
	taps := make([]*Value, 0, shape[2]*shape[3])
	for a := range shape[2] {
		for b := range shape[3] {
			part := g.Slice(padded,
				Range{Axis: 2, Start: a, End: a + (h-1)*stride + 1, Step: stride},
				Range{Axis: 3, Start: b, End: b + (l-1)*stride + 1, Step: stride})
			right := g.swap(g.Reshape(part, n, groups, ins, h*l))
			tap := g.ReduceSum(g.MatMul(left, right), []int{0}, true)
			taps = append(taps, g.Reshape(tap, groups*outs*ins, 1))
		}
	}
	return g.Reshape(g.Concat(1, taps...), shape...)
}

type convTransposeOp struct {
	Stride    int
	Pad       Sides
	Groups    int
	OutputPad [2]int
}

func (convTransposeOp) name() string { return "ConvTranspose" }

func (o convTransposeOp) infer(in []*Value) ([]int, error) {
	x, w := in[0].shape, in[1].shape
	if err := checkConv(x, w, o.Pad); err != nil {
		return nil, err
	}
	if x[1] != w[0] || x[1]%o.Groups != 0 {
		return nil, fmt.Errorf("input %v and weight %v do not fit with %d groups", x, w, o.Groups)
	}
	for _, p := range o.OutputPad {
		if p < 0 || p >= o.Stride {
			return nil, fmt.Errorf("output padding %v is not below the stride %d", o.OutputPad, o.Stride)
		}
	}
	if err := checkBias(in, w[1]*o.Groups); err != nil {
		return nil, err
	}
	h := (x[2]-1)*o.Stride + w[2] - o.Pad.Top - o.Pad.Bottom + o.OutputPad[0]
	l := (x[3]-1)*o.Stride + w[3] - o.Pad.Left - o.Pad.Right + o.OutputPad[1]
	if h < 1 || l < 1 {
		return nil, fmt.Errorf("padding %v leaves nothing of input %v with weight %v", o.Pad, x, w)
	}
	return []int{x[0], w[1] * o.Groups, h, l}, nil
}

func (o convTransposeOp) write(w *writer, v *Value) {
	k := v.in[1].shape
	if o.Stride == 2 && o.Groups == 1 && o.OutputPad == [2]int{} && v.in[1].isConst() && min(k[2], k[3]) > 1 && v.shape[2]*v.shape[3] >= phasedPixels {
		o.writePhases(w, v)
		return
	}
	attrs := [][]byte{
		attrInts("kernel_shape", k[2], k[3]), attrInts("strides", o.Stride, o.Stride),
		attrInts("pads", o.Pad.Top, o.Pad.Left, o.Pad.Bottom, o.Pad.Right), attrInt("group", o.Groups),
	}
	if o.OutputPad != [2]int{} {
		attrs = append(attrs, attrInts("output_padding", o.OutputPad[0], o.OutputPad[1]))
	}
	w.simple("ConvTranspose", v, attrs...)
}

// phasedPixels is the size of picture from which ConvTranspose is written in phases.
const phasedPixels = 32 * 32

// writePhases writes a transposed convolution of stride 2 as four convolutions, one for each parity of row and column of
// the result, that see only the taps of the kernel that fall on that parity; they are then interleaved. That is the same
// arithmetic as ConvTranspose, in the runtime's fastest operation and without its pass that scatters columns: 1.7 times
// as fast on the CPU.
func (o convTransposeOp) writePhases(w *writer, v *Value) {
	x, weight := v.in[0], v.in[1]
	n, h, l := x.shape[0], x.shape[2], x.shape[3]
	outs, kh, kw := weight.shape[1], weight.shape[2], weight.shape[3]
	below, beside := (kh+1)/2-1, (kw+1)/2-1 // padding that makes the phases equally large
	h, l = h+below, l+beside
	var rows []string
	for a := range 2 {
		var parts []string
		for b := range 2 {
			taps := weight.phase(a, b)
			in := []string{w.ref(x), w.ref(taps)}
			if len(v.in) == 3 {
				in = append(in, w.ref(v.in[2]))
			}
			part, column := w.temp(v), w.temp(v)
			left := taps.shape[3] - 1
			if taps.shape[2]*taps.shape[3] == 1 && below+beside > 0 {
				// WebGPU takes a 1×1 convolution without padding above and left for a matrix product and forgets the
				// padding below and right. A tap of zero before the only one makes the kernel 1×2.
				taps = taps.afterZero()
				in[1], left = w.ref(taps), 1
			}
			w.node("Conv", in, part, attrInts("kernel_shape", taps.shape[2], taps.shape[3]),
				attrInts("pads", taps.shape[2]-1, left, below, beside))
			w.node("Reshape", []string{part, w.int64s([]int{n * outs * h * l, 1})}, column)
			parts = append(parts, column)
		}
		pairs, row := w.temp(v), w.temp(v)
		w.node("Concat", parts, pairs, attrInt("axis", 1))
		w.node("Reshape", []string{pairs, w.int64s([]int{n * outs * h, 2 * l})}, row)
		rows = append(rows, row)
	}
	both, whole := w.temp(v), w.temp(v)
	w.node("Concat", rows, both, attrInt("axis", 1))
	exact := o.Pad == Sides{} && v.shape[2] == 2*h && v.shape[3] == 2*l
	// An odd kernel leaves a row and a column of zeros too many. A convolution that pads with zeros takes them as they are.
	spare := o.Pad == Sides{} && v.shape[2] == 2*h-1 && v.shape[3] == 2*l-1 && len(v.in) == 2
	if users := w.users[v]; spare && len(users) == 1 && users[0] != nil && users[0].in[0] == v {
		if c, ok := users[0].op.(convOp); ok && c.Pad.Bottom > 0 && c.Pad.Right > 0 {
			w.uncropped[v], exact = true, true
		}
	}
	if exact {
		whole = w.ref(v)
	}
	w.node("Reshape", []string{both, w.int64s([]int{n, outs, 2 * h, 2 * l})}, whole)
	if whole != w.ref(v) {
		w.node("Slice", []string{
			whole, w.int64s([]int{o.Pad.Top, o.Pad.Left}),
			w.int64s([]int{o.Pad.Top + v.shape[2], o.Pad.Left + v.shape[3]}), w.int64s([]int{2, 3}),
		}, w.ref(v))
	}
}

// phase returns those taps of a constant transposed weight [C, O, kh, kw] that write to rows of parity a and columns of
// parity b, as the weight [O, C, .., ..] of a convolution.
func (v *Value) phase(a, b int) *Value {
	ins, outs, kh, kw := v.shape[0], v.shape[1], v.shape[2], v.shape[3]
	h, l := (kh-a+1)/2, (kw-b+1)/2
	return v.g.derived(fmt.Sprintf("phase %d %d %d", v.id, a, b), []int{outs, ins, h, l}, func() []float32 {
		in := v.floats()
		out := make([]float32, 0, outs*ins*h*l)
		for o := range outs {
			for i := range ins {
				kernel := in[(i*outs+o)*kh*kw:]
				for y := h - 1; y >= 0; y-- {
					for x := l - 1; x >= 0; x-- {
						out = append(out, kernel[(a+2*y)*kw+b+2*x])
					}
				}
			}
		}
		return out
	})
}

// afterZero returns a constant 1×1 weight as a 1×2 weight that begins with zero.
func (v *Value) afterZero() *Value {
	outs, ins := v.shape[0], v.shape[1]
	return v.g.derived("after zero "+strconv.Itoa(v.id), []int{outs, ins, 1, 2}, func() []float32 {
		out := make([]float32, 2*outs*ins)
		for i, x := range v.floats() {
			out[2*i+1] = x
		}
		return out
	})
}

func (o convTransposeOp) vjp(g *Graph, v, dy *Value, need []bool) []*Value {
	x, w := v.in[0], v.in[1]
	d := make([]*Value, len(v.in))
	if need[0] {
		d[0] = g.Conv(dy, w, nil, ConvOptions{Stride: o.Stride, Pad: o.Pad, Groups: o.Groups})
	}
	if need[1] {
		d[1] = g.weightGradient(dy, x, w.shape, o.Stride, o.Pad, o.Groups)
	}
	if len(v.in) == 3 && need[2] {
		d[2] = g.ReduceSum(dy, []int{0, 2, 3}, false)
	}
	return d
}

// BatchNorm normalises each channel of [N, C, H, W] with stored statistics, as a trained network does at inference:
// gain·(x − mean)/√(variance + epsilon) + shift, all four [C].
func (g *Graph) BatchNorm(x, gain, shift, mean, variance *Value, epsilon float32) *Value {
	if g.err != nil || !g.owns("BatchNorm", x, gain, shift, mean, variance) {
		return g.invalid
	}
	if len(x.shape) != 4 {
		return g.fail("BatchNorm", "input %v is not of rank 4", x.shape)
	}
	for _, v := range []*Value{gain, shift, mean, variance} {
		if !equal(v.shape, x.shape[1:2]) {
			return g.fail("BatchNorm", "statistics %v, expected %v for input %v", v.shape, x.shape[1:2], x.shape)
		}
	}
	scale := g.Div(gain, g.Sqrt(g.AddScalar(variance, epsilon)))
	offset := g.Sub(shift, g.Mul(mean, scale))
	c := x.shape[1]
	return g.Add(g.Mul(x, g.Reshape(scale, 1, c, 1, 1)), g.Reshape(offset, 1, c, 1, 1))
}

// blockedBy is the largest number of channels that the CPU provider keeps side by side in its blocked layout.
const blockedBy = 16

// blocked reports whether the runtime has v in its blocked layout without a change of layout: the result of a
// convolution with constant weights, or of what passes the layout on, through at most the given number of operations.
func blocked(v *Value, most int) bool {
	if most == 0 || len(v.shape) != 4 || v.shape[1]%blockedBy != 0 {
		return false
	}
	switch o := v.op.(type) {
	case convOp:
		in := v.in[0].shape[1]
		return v.in[1].isConst() && (in%blockedBy == 0 && o.Groups == 1 || o.Groups == in)
	case resizeOp:
		return blocked(v.in[0], most-1)
	case unaryOp:
		return o.Kind == "Relu" && blocked(v.in[0], most-1)
	case binaryOp:
		return o.Kind == "Add" && equal(v.in[0].shape, v.in[1].shape) && blocked(v.in[0], most-1) && blocked(v.in[1], most-1)
	}
	return false
}
