// Package loss builds the terms of the method's objectives as graphs.
//
// A term is a few operations on values of a graph: logits, a picture, features. It is
// a scalar, and every term is a weighted mean over pixels whose weights are an input
// of the graph that sums to one. So the region of interest can change from run to run
// without a new graph, and the balance of the terms does not depend on how large the
// region is (the official code takes means over the whole frame, so that its picture
// term fades as the region grows).
package loss

import (
	"image"
	"math"

	"latentbrush/engine/graph"
)

// CrossEntropy is the mean negative log-likelihood, in nats, of target labels under
// logits [1,K,H,W]: Σ weights·logsumexp(logits) − Σ target·logits. weights [1,1,H,W]
// sum to one over the pixels that count, and target [1,K,H,W] holds each pixel's
// weight at its label's class and zero elsewhere; [Targets] fills both.
//
// Written this way the largest tensor passes through two reductions and no
// log-softmax, and the gradient in the logits is weights·softmax − target.
func CrossEntropy(g *graph.Graph, logits, target, weights *graph.Value) *graph.Value {
	return g.Sub(
		g.Sum(g.Mul(weights, g.LogSumExp(logits, 1))),
		g.Sum(g.Mul(target, logits)))
}

// Targets fills the inputs of [CrossEntropy] for painted labels inside region: target
// has classes·H·W numbers and weights H·W. It returns the number of pixels that
// count; with none, both are all zero.
func Targets(target, weights []float32, painted *image.Paletted, region *image.Alpha, classes int) int {
	clear(target)
	n := Weights(weights, region, true, nil)
	w, h := region.Rect.Dx(), region.Rect.Dy()
	if n == 0 {
		return 0
	}
	for y := range h {
		for x := range w {
			i := y*w + x
			if c := int(painted.Pix[y*painted.Stride+x]); weights[i] != 0 && c < classes {
				target[c*w*h+i] = weights[i]
			}
		}
	}
	return n
}

// Weights fills dst, H·W numbers, with equal weights that sum to one over the pixels
// inside region, or outside it; pixels set in free get none. It returns the number of
// pixels that count.
func Weights(dst []float32, region *image.Alpha, inside bool, free *image.Alpha) int {
	clear(dst)
	w, h := region.Rect.Dx(), region.Rect.Dy()
	n := 0
	for y := range h {
		for x := range w {
			if (region.Pix[y*region.Stride+x] != 0) == inside && (free == nil || free.Pix[y*free.Stride+x] == 0) {
				dst[y*w+x] = 1
				n++
			}
		}
	}
	for i, v := range dst {
		if v != 0 {
			dst[i] = 1 / float32(n)
		}
	}
	return n
}

// Squared is the weighted mean over pixels and channels of (a−b)² for a and b
// [1,C,H,W] and weights [1,1,H,W] that sum to one.
func Squared(g *graph.Graph, a, b, weights *graph.Value) *graph.Value {
	d := g.Sub(a, b)
	return g.Scale(g.Sum(g.Mul(weights, g.ReduceSum(g.Square(d), []int{1}, true))), 1/float32(max(1, a.Dim(1))))
}

// Absolute is the weighted mean over pixels and channels of |a−b|, the form in which
// DragGAN (Pan et al., 2023) holds the features of a generator outside a region.
func Absolute(g *graph.Graph, a, b, weights *graph.Value) *graph.Value {
	d := g.Sub(a, b)
	return g.Scale(g.Sum(g.Mul(weights, g.ReduceSum(g.Abs(d), []int{1}, true))), 1/float32(max(1, a.Dim(1))))
}

func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }
