package graph_test

import (
	"math"
	"slices"
)

// The reference: every operation once more, straight from its definition, in float64 and without any cleverness.

type tensor struct {
	shape []int
	data  []float64
}

func newTensor(shape ...int) tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return tensor{slices.Clone(shape), make([]float64, n)}
}

// index turns a position into an offset.
func (t tensor) index(at ...int) int {
	i := 0
	for d, n := range t.shape {
		i = i*n + at[d]
	}
	return i
}

func (t tensor) at(at ...int) float64 { return t.data[t.index(at...)] }

// each calls f with every position of a shape, in order.
func each(shape []int, f func(at []int)) {
	at := make([]int, len(shape))
	n := 1
	for _, d := range shape {
		n *= d
	}
	for range n {
		f(at)
		for d := len(shape) - 1; d >= 0; d-- {
			at[d]++
			if at[d] < shape[d] {
				break
			}
			at[d] = 0
		}
	}
}

func refMap(x tensor, f func(float64) float64) tensor {
	y := newTensor(x.shape...)
	for i, v := range x.data {
		y.data[i] = f(v)
	}
	return y
}

// stretchedAt reads a tensor that is broadcast to a wider shape.
func (t tensor) stretchedAt(at []int) float64 {
	own := slices.Clone(at[len(at)-len(t.shape):])
	for d, n := range t.shape {
		if n == 1 {
			own[d] = 0
		}
	}
	return t.at(own...)
}

func refBinary(a, b tensor, f func(x, y float64) float64) tensor {
	rank := max(len(a.shape), len(b.shape))
	shape := make([]int, rank)
	for d := range shape {
		shape[d] = 1
		for _, t := range []tensor{a, b} {
			if i := d - rank + len(t.shape); i >= 0 {
				shape[d] = max(shape[d], t.shape[i])
			}
		}
	}
	y := newTensor(shape...)
	each(shape, func(at []int) { y.data[y.index(at...)] = f(a.stretchedAt(at), b.stretchedAt(at)) })
	return y
}

func refReduce(x tensor, axes []int, keep bool, start float64, f func(sum, v float64) float64) tensor {
	kept := slices.Clone(x.shape)
	for _, a := range axes {
		kept[a] = 1
	}
	y := newTensor(kept...)
	for i := range y.data {
		y.data[i] = start
	}
	each(x.shape, func(at []int) {
		to := slices.Clone(at)
		for _, a := range axes {
			to[a] = 0
		}
		i := y.index(to...)
		y.data[i] = f(y.data[i], x.at(at...))
	})
	if !keep {
		y.shape = nil
		for d, n := range kept {
			if !slices.Contains(axes, d) {
				y.shape = append(y.shape, n)
			}
		}
	}
	return y
}

func refSum(x tensor, axes []int, keep bool) tensor {
	return refReduce(x, axes, keep, 0, func(s, v float64) float64 { return s + v })
}

func refMax(x tensor, axes []int, keep bool) tensor {
	return refReduce(x, axes, keep, math.Inf(-1), math.Max)
}

func refLogSoftmax(x tensor, axis int) tensor {
	e := refMap(x, math.Exp)
	return refBinary(x, refMap(refSum(e, []int{axis}, true), math.Log), func(a, b float64) float64 { return a - b })
}

func refMatMul(a, b tensor) tensor {
	ra, rb := len(a.shape), len(b.shape)
	m, k, n := a.shape[ra-2], a.shape[ra-1], b.shape[rb-1]
	batch := refBinary(newTensor(a.shape[:ra-2]...), newTensor(b.shape[:rb-2]...), math.Max).shape
	y := newTensor(append(slices.Clone(batch), m, n)...)
	each(y.shape, func(at []int) {
		row, col := slices.Clone(at), slices.Clone(at)
		sum := 0.0
		for i := range k {
			row[len(at)-1], col[len(at)-2] = i, i
			sum += a.stretchedAt(row) * b.stretchedAt(col)
		}
		y.data[y.index(at...)] = sum
	})
	return y
}

type window struct {
	stride, top, left, bottom, right, groups int
	outH, outW                               int // output padding of a transposed convolution
}

func refConv(x, w tensor, o window) tensor {
	n, c, h, l := x.shape[0], x.shape[1], x.shape[2], x.shape[3]
	outs, kh, kw := w.shape[0], w.shape[2], w.shape[3]
	y := newTensor(n, outs, (h+o.top+o.bottom-kh)/o.stride+1, (l+o.left+o.right-kw)/o.stride+1)
	each(y.shape, func(at []int) {
		group := at[1] / (outs / o.groups)
		sum := 0.0
		each([]int{c / o.groups, kh, kw}, func(k []int) {
			i, j := at[2]*o.stride+k[1]-o.top, at[3]*o.stride+k[2]-o.left
			if i >= 0 && i < h && j >= 0 && j < l {
				sum += x.at(at[0], group*(c/o.groups)+k[0], i, j) * w.at(at[1], k[0], k[1], k[2])
			}
		})
		y.data[y.index(at...)] = sum
	})
	return y
}

func refConvTranspose(x, w tensor, o window) tensor {
	n, c, h, l := x.shape[0], x.shape[1], x.shape[2], x.shape[3]
	outs, kh, kw := w.shape[1]*o.groups, w.shape[2], w.shape[3]
	y := newTensor(n, outs, (h-1)*o.stride+kh-o.top-o.bottom+o.outH, (l-1)*o.stride+kw-o.left-o.right+o.outW)
	each(x.shape, func(at []int) {
		group := at[1] / (c / o.groups)
		each(w.shape[1:], func(k []int) {
			i, j := at[2]*o.stride+k[1]-o.top, at[3]*o.stride+k[2]-o.left
			if i >= 0 && i < y.shape[2] && j >= 0 && j < y.shape[3] {
				y.data[y.index(at[0], group*w.shape[1]+k[0], i, j)] += x.at(at...) * w.at(at[1], k[0], k[1], k[2])
			}
		})
	})
	return y
}

func refBias(x, bias tensor) tensor {
	bias.shape = []int{len(bias.data), 1, 1}
	return refBinary(x, bias, func(a, b float64) float64 { return a + b })
}

func refReshape(x tensor, shape ...int) tensor { return tensor{shape, x.data} }

func refTranspose(x tensor, perm ...int) tensor {
	shape := make([]int, len(perm))
	for i, p := range perm {
		shape[i] = x.shape[p]
	}
	y := newTensor(shape...)
	each(shape, func(at []int) {
		from := make([]int, len(perm))
		for i, p := range perm {
			from[p] = at[i]
		}
		y.data[y.index(at...)] = x.at(from...)
	})
	return y
}

// refPick builds a tensor from positions of another; a nil position is the number fill.
func refPick(x tensor, shape []int, fill float64, from func(at []int) []int) tensor {
	y := newTensor(shape...)
	each(shape, func(at []int) {
		y.data[y.index(at...)] = fill
		if p := from(slices.Clone(at)); p != nil {
			y.data[y.index(at...)] = x.at(p...)
		}
	})
	return y
}

func refConcat(axis int, xs ...tensor) tensor {
	shape := slices.Clone(xs[0].shape)
	for _, x := range xs[1:] {
		shape[axis] += x.shape[axis]
	}
	y := newTensor(shape...)
	offset := 0
	for _, x := range xs {
		each(x.shape, func(at []int) {
			to := slices.Clone(at)
			to[axis] += offset
			y.data[y.index(to...)] = x.at(at...)
		})
		offset += x.shape[axis]
	}
	return y
}

// refLinear resamples bilinearly with half-pixel centres; beyond the edge lies the edge pixel, or 0 when zero is set.
func refLinear(x tensor, h, w int, zero bool) tensor {
	y := newTensor(x.shape[0], x.shape[1], h, w)
	pixel := func(n, c, i, j int) float64 {
		ci, cj := min(max(i, 0), x.shape[2]-1), min(max(j, 0), x.shape[3]-1)
		if zero && (ci != i || cj != j) {
			return 0
		}
		return x.at(n, c, ci, cj)
	}
	each(y.shape, func(at []int) {
		fy := (float64(at[2])+0.5)*float64(x.shape[2])/float64(h) - 0.5
		fx := (float64(at[3])+0.5)*float64(x.shape[3])/float64(w) - 0.5
		i, j := int(math.Floor(fy)), int(math.Floor(fx))
		ty, tx := fy-float64(i), fx-float64(j)
		n, c := at[0], at[1]
		y.data[y.index(at...)] = (1-ty)*((1-tx)*pixel(n, c, i, j)+tx*pixel(n, c, i, j+1)) +
			ty*((1-tx)*pixel(n, c, i+1, j)+tx*pixel(n, c, i+1, j+1))
	})
	return y
}

func refPool(x tensor, k int) tensor {
	y := newTensor(x.shape[0], x.shape[1], x.shape[2]/k, x.shape[3]/k)
	each(x.shape, func(at []int) {
		y.data[y.index(at[0], at[1], at[2]/k, at[3]/k)] += x.at(at...) / float64(k*k)
	})
	return y
}
