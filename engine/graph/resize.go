package graph

import (
	"fmt"
	"strconv"
)

// UpsampleNearest repeats each pixel of [N, C, H, W] factor times in both directions.
func (g *Graph) UpsampleNearest(x *Value, factor int) *Value {
	if factor == 1 && g.err == nil && g.owns("UpsampleNearest", x) {
		return x
	}
	return g.apply(resizeOp{Mode: "nearest", Factor: factor}, x)
}

// UpsampleLinear enlarges [N, C, H, W] factor times in both directions, bilinearly with half-pixel centres; beyond the
// edge the edge pixel repeats (PyTorch's interpolate with align_corners=False).
func (g *Graph) UpsampleLinear(x *Value, factor int) *Value {
	if factor == 1 && g.err == nil && g.owns("UpsampleLinear", x) {
		return x
	}
	return g.apply(resizeOp{Mode: "linear", Factor: factor}, x)
}

// UpsampleZeroBorder doubles [N, C, H, W] in both directions, bilinearly with half-pixel centres, taking pixels beyond
// the edge as 0: the upsampling of StyleGAN2's image skip, FIR [1,3,3,1]/4 per axis on zeros inserted between pixels.
func (g *Graph) UpsampleZeroBorder(x *Value) *Value {
	if g.err != nil || !g.owns("UpsampleZeroBorder", x) {
		return g.invalid
	}
	if len(x.shape) != 4 {
		return g.fail("UpsampleZeroBorder", "input %v is not of rank 4", x.shape)
	}
	c := x.shape[1]
	return g.ConvTranspose(x, g.tent(c, 2), nil, ConvTransposeOptions{Stride: 2, Pad: AllSides(1), Groups: c})
}

// AveragePool averages windows of factor×factor pixels of [N, C, H, W], side by side; factor divides H and W.
func (g *Graph) AveragePool(x *Value, factor int) *Value {
	if factor == 1 && g.err == nil && g.owns("AveragePool", x) {
		return x
	}
	return g.apply(poolOp{Factor: factor}, x)
}

// ResizeLinear resamples [N, C, H, W] to h×w pixels, bilinearly with half-pixel centres and the edge pixel repeated
// beyond the edge, without a low-pass (PyTorch's interpolate with align_corners=False).
func (g *Graph) ResizeLinear(x *Value, h, w int) *Value {
	if g.err != nil || !g.owns("ResizeLinear", x) {
		return g.invalid
	}
	if len(x.shape) != 4 || h < 1 || w < 1 {
		return g.fail("ResizeLinear", "input %v cannot be resized to %d×%d", x.shape, h, w)
	}
	if f := h / x.shape[2]; f > 0 && x.shape[2]*f == h && x.shape[3]*f == w {
		return g.UpsampleLinear(x, f)
	}
	rows := g.interpolation(x.shape[2], h)
	cols := g.interpolation(x.shape[3], w)
	return g.MatMul(rows, g.MatMul(x, g.swap(cols)))
}

// interpolation returns the matrix [to, from] that resamples a row of pixels linearly.
func (g *Graph) interpolation(from, to int) *Value {
	key := fmt.Sprintf("interpolation %d %d", from, to)
	return g.derived(key, []int{to, from}, func() []float32 {
		m := make([]float32, to*from)
		for i := range to {
			at := (float64(i)+0.5)*float64(from)/float64(to) - 0.5
			at = min(max(at, 0), float64(from-1))
			j := min(int(at), max(from-2, 0))
			t := float32(at - float64(j))
			m[i*from+j] += 1 - t
			if from > 1 {
				m[i*from+j+1] += t
			}
		}
		return m
	})
}

// tent returns the depthwise kernel [c, 1, 2·factor, 2·factor] of bilinear interpolation.
func (g *Graph) tent(c, factor int) *Value {
	k := 2 * factor
	return g.derived("tent "+strconv.Itoa(c)+" "+strconv.Itoa(factor), []int{c, 1, k, k}, func() []float32 {
		row := make([]float32, k)
		for i := range factor {
			row[i] = (float32(i) + 0.5) / float32(factor)
			row[k-1-i] = row[i]
		}
		out := make([]float32, 0, c*k*k)
		for range c {
			for _, a := range row {
				for _, b := range row {
					out = append(out, a*b)
				}
			}
		}
		return out
	})
}

type resizeOp struct {
	Mode   string
	Factor int
}

func (o resizeOp) name() string {
	if o.Mode == "nearest" {
		return "UpsampleNearest"
	}
	return "UpsampleLinear"
}

func (o resizeOp) infer(in []*Value) ([]int, error) {
	x := in[0].shape
	if len(x) != 4 || o.Factor < 1 || o.Factor > 1<<16 {
		return nil, fmt.Errorf("input %v cannot be enlarged %d times", x, o.Factor)
	}
	return []int{x[0], x[1], x[2] * o.Factor, x[3] * o.Factor}, nil
}

func (o resizeOp) write(w *writer, v *Value) {
	scales := w.floats([]int{4}, 1, 1, float32(o.Factor), float32(o.Factor))
	in := []string{w.ref(v.in[0]), "", scales}
	if o.Mode == "nearest" {
		w.node("Resize", in, w.ref(v), attrString("mode", "nearest"), attrString("coordinate_transformation_mode", "asymmetric"), attrString("nearest_mode", "floor"))
		return
	}
	w.node("Resize", in, w.ref(v), attrString("mode", "linear"), attrString("coordinate_transformation_mode", "half_pixel"))
}

func (o resizeOp) vjp(g *Graph, v, dy *Value, _ []bool) []*Value {
	if o.Mode == "nearest" {
		return []*Value{g.Scale(g.AveragePool(dy, o.Factor), float32(o.Factor*o.Factor))}
	}
	x := v.in[0].shape
	if k := o.Factor; k%2 == 0 && k <= maxTent && x[2] > 1 && x[3] > 1 {
		// Each pixel of x gathers what it gave: a tent 2k wide, every k pixels. The edge pixels also get what went to
		// the pixels repeated beyond the edge.
		c := x[1]
		y := g.Conv(dy, g.tent(c, k), nil, ConvOptions{Stride: k, Pad: AllSides(3 * k / 2), Groups: c})
		return []*Value{g.foldEdges(g.foldEdges(y, 2), 3)}
	}
	rows := g.interpolation(x[2], v.shape[2])
	cols := g.interpolation(x[3], v.shape[3])
	return []*Value{g.MatMul(g.swap(rows), g.MatMul(dy, cols))}
}

// maxTent is the largest factor whose adjoint is a strided convolution; beyond it two matrix products are faster.
const maxTent = 8

// foldEdges adds the first element of an axis to the second and the last to the last but one, and drops them.
func (g *Graph) foldEdges(x *Value, a int) *Value {
	n := x.Dim(a)
	at := func(i, j int) *Value { return g.Slice(x, Range{Axis: a, Start: i, End: j}) }
	parts := []*Value{g.Add(at(0, 1), at(1, 2))}
	if n > 4 {
		parts = append(parts, at(2, n-2))
	}
	return g.Concat(a, append(parts, g.Add(at(n-2, n-1), at(n-1, n)))...)
}

type poolOp struct{ Factor int }

func (poolOp) name() string { return "AveragePool" }

func (o poolOp) infer(in []*Value) ([]int, error) {
	x := in[0].shape
	if len(x) != 4 || o.Factor < 1 || x[2]%o.Factor != 0 || x[3]%o.Factor != 0 {
		return nil, fmt.Errorf("input %v does not divide into windows of %d×%d", x, o.Factor, o.Factor)
	}
	return []int{x[0], x[1], x[2] / o.Factor, x[3] / o.Factor}, nil
}

func (o poolOp) write(w *writer, v *Value) {
	w.simple("AveragePool", v, attrInts("kernel_shape", o.Factor, o.Factor), attrInts("strides", o.Factor, o.Factor))
}

func (o poolOp) vjp(g *Graph, v, dy *Value, _ []bool) []*Value {
	return []*Value{g.Scale(g.UpsampleNearest(dy, o.Factor), 1/float32(o.Factor*o.Factor))}
}
