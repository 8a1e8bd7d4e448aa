package graph_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"latentbrush/engine/graph"
)

// A move extends a computation by one operation on feature maps, as a graph and by the reference. x is the newest value
// and other an earlier one of any shape.
type move struct {
	name  string
	fits  func(x, other []int) bool
	graph func(g *graph.Graph, x, other *graph.Value) *graph.Value
	ref   func(x, other tensor) tensor
}

func always(_, _ []int) bool { return true }

// moves are smooth, so that a difference of the reference is a derivative everywhere.
var moves = []move{
	{
		"tanh", always,
		func(g *graph.Graph, x, _ *graph.Value) *graph.Value { return g.Tanh(x) },
		func(x, _ tensor) tensor { return refMap(x, math.Tanh) },
	},
	{
		"add", func(x, o []int) bool { return equalShapes(x, o) },
		func(g *graph.Graph, x, o *graph.Value) *graph.Value { return g.Add(x, o) },
		func(x, o tensor) tensor { return refBinary(x, o, func(a, b float64) float64 { return a + b }) },
	},
	{
		"mul", func(x, o []int) bool { return equalShapes(x, o) },
		func(g *graph.Graph, x, o *graph.Value) *graph.Value { return g.Mul(x, o) },
		func(x, o tensor) tensor { return refBinary(x, o, func(a, b float64) float64 { return a * b }) },
	},
	{
		"modulate", func(x, o []int) bool { return x[0] == o[0] && x[1] == o[1] },
		func(g *graph.Graph, x, o *graph.Value) *graph.Value { return g.Mul(x, g.GlobalMean(o)) },
		func(x, o tensor) tensor {
			n := float64(o.shape[2] * o.shape[3])
			return refBinary(x, refSum(o, []int{2, 3}, true), func(a, b float64) float64 { return a * b / n })
		},
	},
	{
		"conv", always,
		func(g *graph.Graph, x, _ *graph.Value) *graph.Value {
			w := kernel(x.Dim(1))
			return g.Conv(x, g.Const("w", w.floats(), w.shape...), nil, graph.ConvOptions{Pad: graph.AllSides(1)})
		},
		func(x, _ tensor) tensor { return refConv(x, kernel(x.shape[1]), window{1, 1, 1, 1, 1, 1, 0, 0}) },
	},
	{
		"down", func(x, _ []int) bool { return x[2] >= 3 && x[3] >= 3 },
		func(g *graph.Graph, x, _ *graph.Value) *graph.Value {
			w := kernel(x.Dim(1))
			return g.Conv(x, g.Const("w", w.floats(), w.shape...), nil, graph.ConvOptions{Stride: 2, Pad: graph.AllSides(1)})
		},
		func(x, _ tensor) tensor { return refConv(x, kernel(x.shape[1]), window{2, 1, 1, 1, 1, 1, 0, 0}) },
	},
	{
		"up", func(x, _ []int) bool { return x[2]*x[3] < 20 },
		func(g *graph.Graph, x, _ *graph.Value) *graph.Value { return g.UpsampleLinear(x, 2) },
		func(x, _ tensor) tensor { return refLinear(x, 2*x.shape[2], 2*x.shape[3], false) },
	},
	{
		"up, zero border", func(x, _ []int) bool { return x[2]*x[3] < 20 },
		func(g *graph.Graph, x, _ *graph.Value) *graph.Value { return g.UpsampleZeroBorder(x) },
		func(x, _ tensor) tensor { return refLinear(x, 2*x.shape[2], 2*x.shape[3], true) },
	},
	{
		"pool", func(x, _ []int) bool { return x[2]%2 == 0 && x[3]%2 == 0 },
		func(g *graph.Graph, x, _ *graph.Value) *graph.Value { return g.AveragePool(x, 2) },
		func(x, _ tensor) tensor { return refPool(x, 2) },
	},
	{
		"softmax", always,
		func(g *graph.Graph, x, _ *graph.Value) *graph.Value { return g.Softmax(x, 1) },
		func(x, _ tensor) tensor { return refMap(refLogSoftmax(x, 1), math.Exp) },
	},
	{
		"demodulate", always,
		func(g *graph.Graph, x, _ *graph.Value) *graph.Value {
			return g.Div(x, g.Sqrt(g.AddScalar(g.ReduceMean(g.Square(x), []int{1}, true), 0.5)))
		},
		func(x, _ tensor) tensor {
			n := float64(x.shape[1])
			m := refSum(refMap(x, func(v float64) float64 { return v * v }), []int{1}, true)
			return refBinary(x, m, func(a, b float64) float64 { return a / math.Sqrt(b/n+0.5) })
		},
	},
	{
		"turn", always,
		func(g *graph.Graph, x, _ *graph.Value) *graph.Value { return g.Transpose(x, 0, 1, 3, 2) },
		func(x, _ tensor) tensor { return refTranspose(x, 0, 1, 3, 2) },
	},
	{
		"double", func(x, o []int) bool { return equalShapes(x, o) && x[1] < 4 },
		func(g *graph.Graph, x, o *graph.Value) *graph.Value { return g.Concat(1, x, o) },
		func(x, o tensor) tensor { return refConcat(1, x, o) },
	},
	{
		"odd columns", func(x, _ []int) bool { return x[3] > 1 },
		func(g *graph.Graph, x, _ *graph.Value) *graph.Value {
			return g.Slice(x, graph.Range{Axis: 3, Start: 1, End: x.Dim(3), Step: 2})
		},
		func(x, _ tensor) tensor {
			return refPick(x, []int{x.shape[0], x.shape[1], x.shape[2], x.shape[3] / 2}, 0, func(at []int) []int {
				at[3] = 2*at[3] + 1
				return at
			})
		},
	},
}

func equalShapes(a, b []int) bool { return fmt.Sprint(a) == fmt.Sprint(b) }

func kernel(channels int) tensor {
	return random(rand.New(rand.NewPCG(uint64(channels), 5)), -0.3, 0.3, channels, channels, 3, 3)
}

// TestRandomGraphs draws computations of a few operations, with values used several times, and checks value, gradient
// and second derivative.
func TestRandomGraphs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shape := []int{rapid.IntRange(1, 2).Draw(rt, "n"), rapid.IntRange(1, 3).Draw(rt, "c"), rapid.IntRange(1, 4).Draw(rt, "h"), rapid.IntRange(1, 4).Draw(rt, "w")}
		seed := rapid.Uint64().Draw(rt, "seed")
		rng := rand.New(rand.NewPCG(seed, 3))
		x := random(rng, -1, 1, shape...)

		// The reference is evaluated while drawing, for the shapes; the recipe repeats it elsewhere.
		type stepTaken struct {
			move  move
			other int
		}
		var recipe []stepTaken
		var names []string
		known := []tensor{x}
		for range rapid.IntRange(1, 6).Draw(rt, "steps") {
			newest := known[len(known)-1]
			other := rapid.IntRange(0, len(known)-1).Draw(rt, "other")
			var fitting []move
			for _, m := range moves {
				if m.fits(newest.shape, known[other].shape) {
					fitting = append(fitting, m)
				}
			}
			m := fitting[rapid.IntRange(0, len(fitting)-1).Draw(rt, "move")]
			recipe = append(recipe, stepTaken{m, other})
			names = append(names, fmt.Sprintf("%s(%d)", m.name, other))
			known = append(known, m.ref(newest, known[other]))
		}
		rt.Log(shape, strings.Join(names, " "))
		f := function{
			func(g *graph.Graph, in values) *graph.Value {
				all := values{in[0]}
				for _, s := range recipe {
					all = append(all, s.move.graph(g, all[len(all)-1], all[s.other]))
				}
				return all[len(all)-1]
			},
			func(in tensors) tensor {
				all := tensors{in[0]}
				for _, s := range recipe {
					all = append(all, s.move.ref(all[len(all)-1], all[s.other]))
				}
				return all[len(all)-1]
			},
		}
		check(rt, f, tensors{x}, rng)
	})
}
