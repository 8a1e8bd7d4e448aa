package graph_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"latentbrush/engine/graph"
	"latentbrush/engine/ort"
)

var runtime *ort.Runtime

func TestMain(m *testing.M) {
	rt, err := ort.Open(context.Background(), ort.Options{Device: ort.CPU})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	runtime = rt
	os.Exit(m.Run())
}

// tester is the part of testing.T that rapid.T shares.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// run computes all outputs of a graph.
func run(t tester, g *graph.Graph, inputs map[string]tensor) map[string]tensor {
	t.Helper()
	model, err := g.Model()
	if err != nil {
		t.Fatal(err)
	}
	s, err := runtime.NewSession(model, nil, nil, ort.SessionOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, spec := range s.Inputs() {
		to := s.Input(spec.Name)
		for i, x := range inputs[spec.Name].data {
			to[i] = float32(x)
		}
	}
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	out := map[string]tensor{}
	for _, spec := range s.Outputs() {
		y := newTensor(spec.Shape...)
		for i, x := range s.Output(spec.Name) {
			y.data[i] = float64(x)
		}
		out[spec.Name] = y
	}
	return out
}

// difference returns the largest difference between two tensors, relative to the largest element of the wanted one (or
// to 1 when that is smaller).
func difference(got, want tensor) float64 {
	if len(got.data) != len(want.data) {
		return math.Inf(1)
	}
	largest, off := 1.0, 0.0
	for i := range want.data {
		d := math.Abs(got.data[i] - want.data[i])
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		largest, off = max(largest, math.Abs(want.data[i])), max(off, d)
	}
	return off / largest
}

// random returns numbers between lo and hi that float32 holds exactly.
func random(rng *rand.Rand, lo, hi float64, shape ...int) tensor {
	t := newTensor(shape...)
	for i := range t.data {
		t.data[i] = float64(float32(lo + (hi-lo)*rng.Float64()))
	}
	return t
}

func (t tensor) floats() []float32 {
	out := make([]float32, len(t.data))
	for i, x := range t.data {
		out[i] = float32(x)
	}
	return out
}

func dot(a, b tensor) float64 {
	sum := 0.0
	for i := range a.data {
		sum += a.data[i] * b.data[i]
	}
	return sum
}

// A function is a computation twice: as a graph and by the reference.
type function struct {
	build func(g *graph.Graph, in []*graph.Value) *graph.Value
	ref   func(in []tensor) tensor
}

// scaledActivation is LeakyRelu(scale·x + offsets); the scale is 0.5 + s², and offsets of the given shapes are constants.
func scaledActivation(constants ...[]int) function {
	var fixed []tensor
	for i, shape := range constants {
		if shape != nil {
			fixed = append(fixed, random(rand.New(rand.NewPCG(3, uint64(i))), -1, 1, shape...))
		}
	}
	return function{
		func(g *graph.Graph, in []*graph.Value) *graph.Value {
			offsets := append([]*graph.Value(nil), in[2:]...)
			for _, f := range fixed {
				offsets = append(offsets, g.Const("fixed", f.floats(), f.shape...))
			}
			return g.ScaledLeakyRelu(in[0], g.AddScalar(g.Square(in[1]), 0.5), 0.2, offsets...)
		},
		func(in []tensor) tensor {
			y := refBinary(in[0], in[1], func(x, s float64) float64 { return x * (s*s + 0.5) })
			for _, f := range append(append([]tensor(nil), in[2:]...), fixed...) {
				y = refBinary(y, f, func(a, b float64) float64 { return a + b })
			}
			return refMap(y, func(x float64) float64 { return max(x, float64(float32(0.2))*x) })
		},
	}
}

// check compares the function of the inputs, its derivative and its second derivative with the reference and with
// differences of the reference. For y = f(x), weights R and directions S it takes
//
//	loss = Σ R·y,  slope = Σ S·∂loss/∂x,  ∂loss/∂x and ∂slope/∂x for every input.
func check(t tester, f function, inputs []tensor, rng *rand.Rand) {
	t.Helper()
	g := graph.New("check")
	feed := map[string]tensor{}
	values := make([]*graph.Value, len(inputs))
	for i, x := range inputs {
		name := fmt.Sprintf("x%d", i)
		feed[name] = x
		values[i] = g.Input(name, x.shape...)
	}
	y := f.build(g, values)
	if g.Err() != nil {
		t.Fatal(g.Err())
	}
	want := f.ref(inputs)
	if fmt.Sprint(y.Shape()) != fmt.Sprint(want.shape) {
		t.Fatalf("shape %v, want %v", y.Shape(), want.shape)
	}
	weights := random(rng, -1, 1, want.shape...)
	directions := make([]tensor, len(inputs))
	g.Output("y", y)
	loss := g.Sum(g.Mul(y, g.Const("weights", weights.floats(), want.shape...)))
	first, err := graph.Gradient(loss, values...)
	if err != nil {
		t.Fatal(err)
	}
	slope := g.Scalar(0)
	for i, d := range first {
		if fmt.Sprint(d.Shape()) != fmt.Sprint(values[i].Shape()) {
			t.Fatalf("gradient of %v has shape %v", values[i].Shape(), d.Shape())
		}
		g.Output(fmt.Sprintf("first%d", i), d)
		directions[i] = random(rng, -1, 1, inputs[i].shape...)
		slope = g.Add(slope, g.Sum(g.Mul(d, g.Const("direction", directions[i].floats(), inputs[i].shape...))))
	}
	second, err := graph.Gradient(slope, values...)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range second {
		g.Output(fmt.Sprintf("second%d", i), d)
	}
	got := run(t, g, feed)
	if d := difference(got["y"], want); d > 1e-5 {
		t.Errorf("value is off by %.2g\n got %v\nwant %v", d, got["y"].data, want.data)
	}

	lossAt := func(step float64, directions []tensor) float64 {
		moved := make([]tensor, len(inputs))
		for i, x := range inputs {
			moved[i] = newTensor(x.shape...)
			for j := range x.data {
				moved[i].data[j] = x.data[j] + step*directions[i].data[j]
			}
		}
		return dot(weights, f.ref(moved))
	}
	const (
		e       = 1e-4
		sampled = 40
	)
	unit := make([]tensor, len(inputs))
	both := make([]tensor, len(inputs))
	for i, x := range inputs {
		unit[i] = newTensor(x.shape...)
		both[i] = tensor{x.shape, append([]float64(nil), directions[i].data...)}
	}
	for i, x := range inputs {
		wantFirst, wantSecond := newTensor(x.shape...), newTensor(x.shape...)
		copy(wantFirst.data, got[fmt.Sprintf("first%d", i)].data)
		copy(wantSecond.data, got[fmt.Sprintf("second%d", i)].data)
		for n := range min(len(x.data), sampled) {
			j := n
			if len(x.data) > sampled {
				j = rng.IntN(len(x.data)) // a sample of a large input
			}
			unit[i].data[j] = 1
			wantFirst.data[j] = (lossAt(e, unit) - lossAt(-e, unit)) / (2 * e)
			// ∂²/∂s∂u = [L(s+u) − L(s−u) − L(u−s) + L(−s−u)] / 4e²
			both[i].data[j] = directions[i].data[j] + 1
			plus := lossAt(e, both) + lossAt(-e, both)
			both[i].data[j] = directions[i].data[j] - 1
			minus := lossAt(e, both) + lossAt(-e, both)
			wantSecond.data[j] = (plus - minus) / (4 * e * e)
			unit[i].data[j], both[i].data[j] = 0, directions[i].data[j]
		}
		if d := difference(got[fmt.Sprintf("first%d", i)], wantFirst); d > 1e-4 {
			t.Errorf("gradient in input %d is off by %.2g\n got %v\nwant %v", i, d, got[fmt.Sprintf("first%d", i)].data, wantFirst.data)
		}
		if d := difference(got[fmt.Sprintf("second%d", i)], wantSecond); d > 1e-3 {
			t.Errorf("second derivative in input %d is off by %.2g\n got %v\nwant %v", i, d, got[fmt.Sprintf("second%d", i)].data, wantSecond.data)
		}
	}
}

type (
	values  = []*graph.Value
	tensors = []tensor
)

func unary(build func(*graph.Graph, *graph.Value) *graph.Value, f func(float64) float64) function {
	return function{
		func(g *graph.Graph, in values) *graph.Value { return build(g, in[0]) },
		func(in tensors) tensor { return refMap(in[0], f) },
	}
}

func binary(build func(g *graph.Graph, a, b *graph.Value) *graph.Value, f func(a, b float64) float64) function {
	return function{
		func(g *graph.Graph, in values) *graph.Value { return build(g, in[0], in[1]) },
		func(in tensors) tensor { return refBinary(in[0], in[1], f) },
	}
}

// conv checks a convolution of inputs x, weight and, when there is a third, bias; frozen makes weight and bias
// constants, for which the gradient takes another way.
func conv(o window) function {
	pad := graph.Sides{Top: o.top, Left: o.left, Bottom: o.bottom, Right: o.right}
	return function{
		func(g *graph.Graph, in values) *graph.Value {
			return g.Conv(in[0], in[1], optional(in), graph.ConvOptions{Stride: o.stride, Pad: pad, Groups: o.groups})
		},
		func(in tensors) tensor {
			y := refConv(in[0], in[1], o)
			if len(in) == 3 {
				y = refBias(y, in[2])
			}
			return y
		},
	}
}

func convTranspose(o window) function {
	pad := graph.Sides{Top: o.top, Left: o.left, Bottom: o.bottom, Right: o.right}
	return function{
		func(g *graph.Graph, in values) *graph.Value {
			return g.ConvTranspose(in[0], in[1], optional(in), graph.ConvTransposeOptions{
				Stride: o.stride, Pad: pad, Groups: o.groups, OutputPad: [2]int{o.outH, o.outW},
			})
		},
		func(in tensors) tensor {
			y := refConvTranspose(in[0], in[1], o)
			if len(in) == 3 {
				y = refBias(y, in[2])
			}
			return y
		},
	}
}

func optional(in values) *graph.Value {
	if len(in) == 3 {
		return in[2]
	}
	return nil
}

// frozen makes all inputs but the first constants.
func frozen(f function, weights ...tensor) function {
	return function{
		func(g *graph.Graph, in values) *graph.Value {
			for i, w := range weights {
				in = append(in[:len(in):len(in)], g.Const(fmt.Sprintf("w%d", i), w.floats(), w.shape...))
			}
			return f.build(g, in)
		},
		func(in tensors) tensor { return f.ref(append(in[:len(in):len(in)], weights...)) },
	}
}

func weight(seed uint64, shape ...int) tensor {
	return random(rand.New(rand.NewPCG(seed, 1)), -1, 1, shape...)
}

type shapes = [][]int

func opCases() []struct {
	name   string
	lo, hi float64
	shapes shapes
	f      function
} {
	div := func(a, b float64) float64 { return a / b }
	sum := func(a, b float64) float64 { return a + b }
	sub := func(a, b float64) float64 { return a - b }
	mul := func(a, b float64) float64 { return a * b }
	return []struct {
		name   string
		lo, hi float64
		shapes shapes
		f      function
	}{
		{"Add", -2, 2, shapes{{2, 3}, {2, 3}}, binary((*graph.Graph).Add, sum)},
		{"Add/broadcast", -2, 2, shapes{{1, 3, 2, 2}, {3, 1, 1}}, binary((*graph.Graph).Add, sum)},
		{"Sub/broadcast", -2, 2, shapes{{3, 1}, {2, 1, 4}}, binary((*graph.Graph).Sub, sub)},
		{"Mul", -2, 2, shapes{{2, 3}, {2, 3}}, binary((*graph.Graph).Mul, mul)},
		{"Mul/channel", -2, 2, shapes{{2, 3, 2, 4}, {2, 3, 1, 1}}, binary((*graph.Graph).Mul, mul)},
		{"Mul/channel without batch", -2, 2, shapes{{1, 3, 2, 4}, {1, 3, 1, 1}}, binary((*graph.Graph).Mul, mul)},
		{"Mul/picture", -2, 2, shapes{{1, 3, 2, 4}, {1, 1, 2, 4}}, binary((*graph.Graph).Mul, mul)},
		{"Mul/scalar", -2, 2, shapes{{2, 3}, {}}, binary((*graph.Graph).Mul, mul)},
		{"Mul/outer", -2, 2, shapes{{3, 1}, {1, 4}}, binary((*graph.Graph).Mul, mul)},
		{"Div", 0.5, 2, shapes{{2, 3}, {2, 3}}, binary((*graph.Graph).Div, div)},
		{"Div/broadcast", 0.5, 2, shapes{{2, 1, 3}, {4, 1}}, binary((*graph.Graph).Div, div)},
		{"Neg", -2, 2, shapes{{2, 3}}, unary((*graph.Graph).Neg, func(x float64) float64 { return -x })},
		{"Square", -2, 2, shapes{{2, 3}}, unary((*graph.Graph).Square, func(x float64) float64 { return x * x })},
		{"Scale", -2, 2, shapes{{2, 3}}, unary(func(g *graph.Graph, x *graph.Value) *graph.Value { return g.Scale(g.Scale(x, 3), -0.5) }, func(x float64) float64 { return -1.5 * x })},
		{"AddScalar", -2, 2, shapes{{2, 3}}, unary(func(g *graph.Graph, x *graph.Value) *graph.Value { return g.AddScalar(x, 0.25) }, func(x float64) float64 { return x + 0.25 })},
		{"Sqrt", 0.5, 2, shapes{{5}}, unary((*graph.Graph).Sqrt, math.Sqrt)},
		{"Reciprocal", 0.5, 2, shapes{{5}}, unary((*graph.Graph).Reciprocal, func(x float64) float64 { return 1 / x })},
		{"Exp", -2, 2, shapes{{5}}, unary((*graph.Graph).Exp, math.Exp)},
		{"Log", 0.5, 2, shapes{{5}}, unary((*graph.Graph).Log, math.Log)},
		{"Abs", -2, 2, shapes{{3, 4}}, unary((*graph.Graph).Abs, math.Abs)},
		{"Relu", -2, 2, shapes{{3, 4}}, unary((*graph.Graph).Relu, func(x float64) float64 { return max(x, 0) })},
		{"LeakyRelu", -2, 2, shapes{{3, 4}}, unary(func(g *graph.Graph, x *graph.Value) *graph.Value { return g.LeakyRelu(x, 0.2) }, func(x float64) float64 { return max(x, float64(float32(0.2))*x) })},
		{"ScaledLeakyRelu", -2, 2, shapes{{1, 3, 4, 5}, {1, 3, 1, 1}}, scaledActivation(nil, nil)},
		{"ScaledLeakyRelu/offsets", -2, 2, shapes{{1, 3, 4, 5}, {1, 3, 1, 1}, {1, 3, 1, 1}, {1, 1, 4, 5}, {1, 3, 4, 5}}, scaledActivation(nil, nil)},
		{"ScaledLeakyRelu/constants", -2, 2, shapes{{1, 2, 2, 3}, {1, 2, 1, 1}}, scaledActivation([]int{1, 2, 1, 1}, []int{1, 1, 2, 3})},
		{"ScaledLeakyRelu/batch", -2, 2, shapes{{2, 2, 2, 3}, {2, 2, 1, 1}, {1, 2, 1, 1}}, scaledActivation([]int{1, 2, 1, 1}, []int{1, 1, 2, 3})},
		{"After", -2, 2, shapes{{2, 3}}, unary(func(g *graph.Graph, x *graph.Value) *graph.Value { return g.After(x, g.Exp(x)) }, func(x float64) float64 { return x })},
		{"Sigmoid", -2, 2, shapes{{5}}, unary((*graph.Graph).Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) })},
		{"Tanh", -2, 2, shapes{{5}}, unary((*graph.Graph).Tanh, math.Tanh)},
		{"Softplus", -2, 2, shapes{{5}}, unary((*graph.Graph).Softplus, func(x float64) float64 { return math.Log1p(math.Exp(x)) })},
		{"Pow", 0.5, 2, shapes{{5}}, unary(func(g *graph.Graph, x *graph.Value) *graph.Value { return g.Pow(x, 2.5) }, func(x float64) float64 { return math.Pow(x, 2.5) })},
		{"Pow/whole", -2, 2, shapes{{5}}, unary(func(g *graph.Graph, x *graph.Value) *graph.Value { return g.Pow(x, 3) }, func(x float64) float64 { return x * x * x })},
		{"Clip", -2, 2, shapes{{4, 5}}, unary(func(g *graph.Graph, x *graph.Value) *graph.Value { return g.Clip(x, -0.5, 1) }, func(x float64) float64 { return min(max(x, -0.5), 1) })},
		{"Step", -2, 2, shapes{{3, 4}}, unary(func(g *graph.Graph, x *graph.Value) *graph.Value { return g.Step(x, -0.5, 1) }, func(x float64) float64 {
			if x > 0 {
				return 1
			}
			return -0.5
		})},

		{"ReduceSum", -2, 2, shapes{{2, 3, 4}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.ReduceSum(in[0], []int{-1, 0}, false) },
			func(in tensors) tensor { return refSum(in[0], []int{0, 2}, false) },
		}},
		{"ReduceSum/squared", -2, 2, shapes{{2, 3, 4}}, function{
			func(g *graph.Graph, in values) *graph.Value {
				return g.Square(g.ReduceSum(in[0], []int{1}, true))
			},
			func(in tensors) tensor {
				return refMap(refSum(in[0], []int{1}, true), func(x float64) float64 { return x * x })
			},
		}},
		{"ReduceMean", -2, 2, shapes{{2, 3, 4}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.Square(g.ReduceMean(in[0], []int{2}, true)) },
			func(in tensors) tensor {
				return refMap(refSum(in[0], []int{2}, true), func(x float64) float64 { return x * x / 16 })
			},
		}},
		{"ReduceMax", -2, 2, shapes{{2, 3, 4}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.Square(g.ReduceMax(in[0], []int{1}, false)) },
			func(in tensors) tensor {
				return refMap(refMax(in[0], []int{1}, false), func(x float64) float64 { return x * x })
			},
		}},
		{"Sum", -2, 2, shapes{{2, 3}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.Square(g.Sum(in[0])) },
			func(in tensors) tensor {
				return refMap(refSum(in[0], []int{0, 1}, false), func(x float64) float64 { return x * x })
			},
		}},
		{"GlobalMean", -2, 2, shapes{{2, 3, 2, 4}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.Square(g.GlobalMean(in[0])) },
			func(in tensors) tensor {
				return refMap(refSum(in[0], []int{2, 3}, true), func(x float64) float64 { return x * x / 64 })
			},
		}},
		{"Softmax/last", -2, 2, shapes{{2, 3, 4}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.Softmax(in[0], -1) },
			func(in tensors) tensor { return refMap(refLogSoftmax(in[0], 2), math.Exp) },
		}},
		{"Softmax/channels", -2, 2, shapes{{2, 3, 2, 2}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.Softmax(in[0], 1) },
			func(in tensors) tensor { return refMap(refLogSoftmax(in[0], 1), math.Exp) },
		}},
		{"LogSoftmax/last", -2, 2, shapes{{2, 3, 4}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.LogSoftmax(in[0], 2) },
			func(in tensors) tensor { return refLogSoftmax(in[0], 2) },
		}},
		{"LogSoftmax/channels", -2, 2, shapes{{2, 3, 2, 2}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.LogSoftmax(in[0], 1) },
			func(in tensors) tensor { return refLogSoftmax(in[0], 1) },
		}},
		{"LogSumExp", -2, 2, shapes{{2, 3, 2, 2}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.LogSumExp(in[0], 1) },
			func(in tensors) tensor {
				return refMap(refSum(refMap(in[0], math.Exp), []int{1}, true), math.Log)
			},
		}},

		{"Reshape", -2, 2, shapes{{2, 6}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.Square(g.Reshape(in[0], 3, -1)) },
			func(in tensors) tensor {
				return refReshape(refMap(in[0], func(x float64) float64 { return x * x }), 3, 4)
			},
		}},
		{"Expand", -2, 2, shapes{{3, 1}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.Square(g.Expand(in[0], 2, 3, 4)) },
			func(in tensors) tensor {
				return refBinary(refMap(in[0], func(x float64) float64 { return x * x }), newTensor(2, 3, 4), sum)
			},
		}},
		{"Transpose", -2, 2, shapes{{2, 3, 4}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.Square(g.Transpose(in[0], 2, 0, 1)) },
			func(in tensors) tensor {
				return refTranspose(refMap(in[0], func(x float64) float64 { return x * x }), 2, 0, 1)
			},
		}},
		{"Concat", -2, 2, shapes{{2, 1, 2}, {2, 3, 2}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.Square(g.Concat(1, in[0], in[1], in[0])) },
			func(in tensors) tensor {
				return refMap(refConcat(1, in[0], in[1], in[0]), func(x float64) float64 { return x * x })
			},
		}},
		{"Slice", -2, 2, shapes{{2, 5, 7}}, function{
			func(g *graph.Graph, in values) *graph.Value {
				return g.Square(g.Slice(in[0], graph.Range{Axis: -1, Start: 1, End: 7, Step: 2}, graph.Range{Axis: 1, Start: 2, End: 4}))
			},
			func(in tensors) tensor {
				y := refPick(in[0], []int{2, 2, 3}, 0, func(at []int) []int { return []int{at[0], at[1] + 2, at[2]*2 + 1} })
				return refMap(y, func(x float64) float64 { return x * x })
			},
		}},
		{"Slice/step beyond the end", -2, 2, shapes{{8}}, function{
			func(g *graph.Graph, in values) *graph.Value {
				return g.Square(g.Slice(in[0], graph.Range{Start: 1, End: 8, Step: 3}))
			},
			func(in tensors) tensor {
				y := refPick(in[0], []int{3}, 0, func(at []int) []int { return []int{1 + 3*at[0]} })
				return refMap(y, func(x float64) float64 { return x * x })
			},
		}},
		{"Pad", -2, 2, shapes{{2, 3}}, function{
			func(g *graph.Graph, in values) *graph.Value {
				return g.Square(g.Pad(in[0], 1.5, graph.Margin{Axis: 0, Before: 1}, graph.Margin{Axis: 1, Before: 2, After: 1}))
			},
			func(in tensors) tensor {
				y := refPick(in[0], []int{3, 6}, 1.5, func(at []int) []int {
					if at[0] < 1 || at[1] < 2 || at[1] > 4 {
						return nil
					}
					return []int{at[0] - 1, at[1] - 2}
				})
				return refMap(y, func(x float64) float64 { return x * x })
			},
		}},
		{"Gather", -2, 2, shapes{{2, 4, 2}}, function{
			func(g *graph.Graph, in values) *graph.Value {
				return g.Square(g.Gather(in[0], 1, []int{3, 0, 3, 1, 3}))
			},
			func(in tensors) tensor {
				pick := []int{3, 0, 3, 1, 3}
				y := refPick(in[0], []int{2, 5, 2}, 0, func(at []int) []int { return []int{at[0], pick[at[1]], at[2]} })
				return refMap(y, func(x float64) float64 { return x * x })
			},
		}},

		{"MatMul", -2, 2, shapes{{3, 4}, {4, 2}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.MatMul(in[0], in[1]) },
			func(in tensors) tensor { return refMatMul(in[0], in[1]) },
		}},
		{"MatMul/batch", -2, 2, shapes{{2, 1, 3, 4}, {3, 4, 2}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.MatMul(in[0], in[1]) },
			func(in tensors) tensor { return refMatMul(in[0], in[1]) },
		}},
		{"Gemm", -2, 2, shapes{{3, 4}, {4, 2}, {2}}, function{
			func(g *graph.Graph, in values) *graph.Value {
				return g.Gemm(in[0], in[1], in[2], graph.GemmOptions{})
			},
			func(in tensors) tensor { return refBinary(refMatMul(in[0], in[1]), in[2], sum) },
		}},
		{"Gemm/transposed a", -2, 2, shapes{{4, 3}, {4, 2}}, function{
			func(g *graph.Graph, in values) *graph.Value {
				return g.Gemm(in[0], in[1], nil, graph.GemmOptions{TransA: true})
			},
			func(in tensors) tensor { return refMatMul(refTranspose(in[0], 1, 0), in[1]) },
		}},
		{"Gemm/transposed b", -2, 2, shapes{{3, 4}, {2, 4}, {3, 1}}, function{
			func(g *graph.Graph, in values) *graph.Value {
				return g.Gemm(in[0], in[1], in[2], graph.GemmOptions{TransB: true})
			},
			func(in tensors) tensor {
				return refBinary(refMatMul(in[0], refTranspose(in[1], 1, 0)), in[2], sum)
			},
		}},
		{"Gemm/both transposed", -2, 2, shapes{{4, 3}, {2, 4}}, function{
			func(g *graph.Graph, in values) *graph.Value {
				return g.Gemm(in[0], in[1], nil, graph.GemmOptions{TransA: true, TransB: true})
			},
			func(in tensors) tensor { return refMatMul(refTranspose(in[0], 1, 0), refTranspose(in[1], 1, 0)) },
		}},

		{"Conv", -1, 1, shapes{{2, 3, 4, 5}, {2, 3, 3, 3}, {2}}, conv(window{1, 1, 1, 1, 1, 1, 0, 0})},
		{"Conv/1×1", -1, 1, shapes{{2, 3, 2, 3}, {4, 3, 1, 1}}, conv(window{1, 0, 0, 0, 0, 1, 0, 0})},
		{"Conv/stride", -1, 1, shapes{{1, 2, 6, 5}, {3, 2, 3, 3}}, conv(window{2, 1, 1, 1, 1, 1, 0, 0})},
		{"Conv/uneven padding", -1, 1, shapes{{1, 2, 3, 4}, {2, 2, 2, 3}}, conv(window{1, 0, 2, 1, 0, 1, 0, 0})},
		{"Conv/groups", -1, 1, shapes{{2, 4, 3, 3}, {6, 2, 2, 2}, {6}}, conv(window{1, 1, 0, 0, 1, 2, 0, 0})},
		{"Conv/depthwise stride", -1, 1, shapes{{1, 3, 6, 6}, {3, 1, 4, 4}}, conv(window{2, 1, 1, 1, 1, 3, 0, 0})},
		{"Conv/constant weight", -1, 1, shapes{{2, 3, 4, 5}}, frozen(conv(window{1, 1, 1, 1, 1, 1, 0, 0}), weight(1, 2, 3, 3, 3), weight(2, 2))},
		{"Conv/constant weight, uneven", -1, 1, shapes{{1, 4, 3, 4}}, frozen(conv(window{1, 0, 1, 2, 0, 2, 0, 0}), weight(3, 6, 2, 3, 2))},
		{"Conv/constant weight, wide padding", -1, 1, shapes{{1, 2, 3, 3}}, frozen(conv(window{1, 2, 2, 2, 2, 1, 0, 0}), weight(4, 2, 2, 2, 2))},
		{"Conv/constant weight, stride", -1, 1, shapes{{1, 2, 7, 6}}, frozen(conv(window{2, 1, 0, 1, 1, 1, 0, 0}), weight(5, 3, 2, 3, 3))},
		{"ConvTranspose", -1, 1, shapes{{2, 2, 3, 2}, {2, 3, 3, 3}, {3}}, convTranspose(window{2, 0, 0, 0, 0, 1, 0, 0})},
		{"ConvTranspose/padding", -1, 1, shapes{{1, 2, 3, 3}, {2, 2, 3, 4}}, convTranspose(window{2, 1, 0, 0, 1, 1, 1, 0})},
		{"ConvTranspose/groups", -1, 1, shapes{{1, 4, 2, 3}, {4, 3, 2, 2}}, convTranspose(window{1, 0, 0, 0, 0, 2, 0, 0})},
		{"ConvTranspose/constant weight", -1, 1, shapes{{1, 2, 3, 3}}, frozen(convTranspose(window{2, 1, 1, 1, 1, 1, 1, 1}), weight(6, 2, 3, 3, 3))},

		{"ConvTranspose/phases", -1, 1, shapes{{1, 2, 16, 16}}, frozen(convTranspose(window{2, 0, 0, 0, 0, 1, 0, 0}), weight(7, 2, 3, 3, 3), weight(8, 3))},
		{"ConvTranspose/phases, then padding", -1, 1, shapes{{1, 2, 17, 16}}, upConv(weight(11, 2, 3, 3, 3), weight(12, 3, 1, 4, 4))},
		{"ConvTranspose/phases, even kernel", -1, 1, shapes{{2, 1, 16, 16}}, frozen(convTranspose(window{2, 0, 0, 0, 0, 1, 0, 0}), weight(9, 1, 2, 4, 2))},
		{"ConvTranspose/phases, padding", -1, 1, shapes{{1, 1, 18, 17}}, frozen(convTranspose(window{2, 2, 1, 1, 0, 1, 0, 0}), weight(10, 1, 2, 5, 4))},

		{"BatchNorm", 0.5, 2, shapes{{2, 3, 2, 2}, {3}, {3}, {3}, {3}}, function{
			func(g *graph.Graph, in values) *graph.Value {
				return g.BatchNorm(in[0], in[1], in[2], in[3], in[4], 0.125)
			},
			func(in tensors) tensor {
				y := refMap(in[0], func(x float64) float64 { return x })
				each(y.shape, func(at []int) {
					c := at[1]
					i := y.index(at...)
					y.data[i] = in[1].data[c]*(y.data[i]-in[3].data[c])/math.Sqrt(in[4].data[c]+0.125) + in[2].data[c]
				})
				return y
			},
		}},
		{"UpsampleNearest", -2, 2, shapes{{2, 2, 2, 3}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.Square(g.UpsampleNearest(in[0], 4)) },
			func(in tensors) tensor {
				y := refPick(in[0], []int{2, 2, 8, 12}, 0, func(at []int) []int { return []int{at[0], at[1], at[2] / 4, at[3] / 4} })
				return refMap(y, func(x float64) float64 { return x * x })
			},
		}},
		{"UpsampleLinear/2", -2, 2, shapes{{1, 2, 3, 2}}, linear(2)},
		{"UpsampleLinear/4", -2, 2, shapes{{2, 1, 2, 3}}, linear(4)},
		{"UpsampleLinear/3", -2, 2, shapes{{1, 2, 3, 2}}, linear(3)},
		{"UpsampleLinear/8", -2, 2, shapes{{1, 1, 2, 4}}, linear(8)},
		{"UpsampleLinear/16", -2, 2, shapes{{1, 1, 2, 2}}, linear(16)},
		{"UpsampleLinear/one pixel", -2, 2, shapes{{1, 2, 1, 1}}, linear(8)},
		{"UpsampleZeroBorder", -2, 2, shapes{{2, 3, 2, 3}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.Square(g.UpsampleZeroBorder(in[0])) },
			func(in tensors) tensor {
				return refMap(refLinear(in[0], 4, 6, true), func(x float64) float64 { return x * x })
			},
		}},
		{"ResizeLinear", -2, 2, shapes{{1, 2, 3, 4}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.Square(g.ResizeLinear(in[0], 5, 3)) },
			func(in tensors) tensor {
				return refMap(refLinear(in[0], 5, 3, false), func(x float64) float64 { return x * x })
			},
		}},
		{"AveragePool", -2, 2, shapes{{2, 2, 4, 6}}, function{
			func(g *graph.Graph, in values) *graph.Value { return g.Square(g.AveragePool(in[0], 2)) },
			func(in tensors) tensor {
				return refMap(refPool(in[0], 2), func(x float64) float64 { return x * x })
			},
		}},
	}
}

// upConv is a transposed convolution and a depthwise filter, as in StyleGAN2.
func upConv(w, fir tensor) function {
	groups := fir.shape[0]
	return function{
		func(g *graph.Graph, in values) *graph.Value {
			y := g.ConvTranspose(in[0], g.Const("w", w.floats(), w.shape...), nil, graph.ConvTransposeOptions{Stride: 2})
			return g.Conv(y, g.Const("fir", fir.floats(), fir.shape...), nil, graph.ConvOptions{Pad: graph.AllSides(1), Groups: groups})
		},
		func(in tensors) tensor {
			y := refConvTranspose(in[0], w, window{2, 0, 0, 0, 0, 1, 0, 0})
			return refConv(y, fir, window{1, 1, 1, 1, 1, groups, 0, 0})
		},
	}
}

func linear(factor int) function {
	return function{
		func(g *graph.Graph, in values) *graph.Value { return g.Square(g.UpsampleLinear(in[0], factor)) },
		func(in tensors) tensor {
			y := refLinear(in[0], in[0].shape[2]*factor, in[0].shape[3]*factor, false)
			return refMap(y, func(x float64) float64 { return x * x })
		},
	}
}

func TestOperations(t *testing.T) {
	for _, c := range opCases() {
		t.Run(c.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(7, uint64(len(c.name))))
			var in []tensor
			for _, s := range c.shapes {
				in = append(in, random(rng, c.lo, c.hi, s...))
			}
			check(t, c.f, in, rng)
		})
	}
}
