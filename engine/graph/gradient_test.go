package graph_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"latentbrush/engine/graph"
)

// TestGradientPenalty differentiates a norm of a gradient in the weights of a small critic, as WGAN-GP does: the loss is
// (‖∂D/∂x‖ − 1)² for D(x) = Σ v·softplus(conv(x, w)).
func TestGradientPenalty(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	x := random(rng, -1, 1, 1, 2, 4, 4)
	w := random(rng, -1, 1, 3, 2, 3, 3)
	v := random(rng, -1, 1, 1, 3, 4, 4)

	g := graph.New("penalty")
	gx, gw := g.Input("x", x.shape...), g.Input("w", w.shape...)
	critic := g.Sum(g.Mul(g.Softplus(g.Conv(gx, gw, nil, graph.ConvOptions{Pad: graph.AllSides(1)})), g.Const("v", v.floats(), v.shape...)))
	slope, err := graph.Gradient(critic, gx)
	if err != nil {
		t.Fatal(err)
	}
	penalty := g.Square(g.AddScalar(g.Sqrt(g.Sum(g.Square(slope[0]))), -1))
	dw, err := graph.Gradient(penalty, gw, gx)
	if err != nil {
		t.Fatal(err)
	}
	g.Output("penalty", penalty)
	g.Output("dw", dw[0])
	g.Output("dx", dw[1])
	got := run(t, g, map[string]tensor{"x": x, "w": w})

	// By hand: ∂D/∂x is the transposed convolution of v·sigmoid(conv(x, w)).
	o := window{1, 1, 1, 1, 1, 1, 0, 0}
	want := func(x, w tensor) float64 {
		s := refMap(refConv(x, w, o), func(z float64) float64 { return 1 / (1 + math.Exp(-z)) })
		d := refConvTranspose(refBinary(s, v, func(a, b float64) float64 { return a * b }), w, o)
		norm := math.Sqrt(dot(d, d))
		return (norm - 1) * (norm - 1)
	}
	if p := want(x, w); math.Abs(got["penalty"].data[0]-p) > 1e-4*p {
		t.Errorf("penalty %v, want %v", got["penalty"].data[0], p)
	}
	for name, in := range map[string]tensor{"dw": w, "dx": x} {
		numeric := newTensor(in.shape...)
		for i, at := range in.data {
			const e = 1e-5
			in.data[i] = at + e
			plus := want(x, w)
			in.data[i] = at - e
			minus := want(x, w)
			in.data[i] = at
			numeric.data[i] = (plus - minus) / (2 * e)
		}
		if d := difference(got[name], numeric); d > 1e-4 {
			t.Errorf("%s is off by %.2g", name, d)
		}
	}
}

// nodes counts the nodes of a kind in a model: each is named "kind:result".
func nodes(t *testing.T, g *graph.Graph, kind string, outputs ...string) int {
	t.Helper()
	model, err := g.Model(outputs...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(model), kind+":")
}

func TestUnneededIsNotWritten(t *testing.T) {
	g := graph.New("parts")
	x, y := g.Input("x", 2), g.Input("y", 2)
	g.Output("exp", g.Exp(x))
	g.Output("sum", g.Add(g.Exp(x), g.Tanh(y)))
	g.Sigmoid(x)
	if n := nodes(t, g, "Sigmoid"); n != 0 {
		t.Errorf("%d nodes that no output needs", n)
	}
	if n := nodes(t, g, "Exp"); n != 1 {
		t.Errorf("%d nodes for equal operations, want 1", n)
	}
	if n := nodes(t, g, "Tanh", "exp"); n != 0 {
		t.Errorf("%d nodes that the chosen output does not need", n)
	}
	in, err := g.Inputs("exp")
	if err != nil || len(in) != 1 || in[0].Name() != "x" {
		t.Errorf("inputs of one output: %v, %v", in, err)
	}
	if _, err := g.Model("other"); err == nil || !strings.Contains(err.Error(), `"other"`) {
		t.Errorf("unknown output: %v", err)
	}
	got := run(t, g, map[string]tensor{"x": {[]int{2}, []float64{0, 1}}, "y": {[]int{2}, []float64{0, 0}}})
	if math.Abs(got["sum"].data[1]-math.E) > 1e-6 || math.Abs(got["exp"].data[1]-math.E) > 1e-6 {
		t.Errorf("got %v", got)
	}
}

// TestGradientIsSparse: values that do not depend on what is asked for cost nothing in the gradient.
func TestGradientIsSparse(t *testing.T) {
	g := graph.New("sparse")
	x, w := g.Input("x", 1, 2, 8, 8), g.Input("w", 2, 2, 3, 3)
	frozen := g.Const("frozen", weight(3, 2, 2, 3, 3).floats(), 2, 2, 3, 3)
	pad := graph.ConvOptions{Pad: graph.AllSides(1)}
	y := g.Conv(g.LeakyRelu(g.Conv(x, frozen, nil, pad), 0.2), w, nil, pad)
	d, err := graph.Gradient(g.Mean(y), w)
	if err != nil {
		t.Fatal(err)
	}
	g.Output("dw", d[0])
	if n := nodes(t, g, "Conv"); n != 1 {
		t.Errorf("%d convolutions, want only the one before the weight", n)
	}
	if n := nodes(t, g, "Clip"); n != 0 {
		t.Errorf("%d activations differentiated, want 0", n)
	}
}

// TestGradientOfTheUnrelated: what the loss does not depend on gets zeros of its shape.
func TestGradientOfTheUnrelated(t *testing.T) {
	g := graph.New("unrelated")
	x, y := g.Input("x", 2, 3), g.Input("y", 4)
	d, err := graph.Gradient(g.Sum(g.Mul(x, g.Sum(g.Detach(g.Exp(y))))), y, x)
	if err != nil {
		t.Fatal(err)
	}
	g.Output("dy", d[0])
	g.Output("dx", d[1])
	got := run(t, g, map[string]tensor{"x": newTensor(2, 3), "y": newTensor(4)})
	if len(got["dy"].data) != 4 || dot(got["dy"], got["dy"]) != 0 {
		t.Errorf("dy = %v", got["dy"])
	}
	for _, v := range got["dx"].data {
		if v != 4 {
			t.Errorf("dx = %v, want 4 everywhere", got["dx"].data)
			break
		}
	}
}

// TestConstantsAreFolded: operations on constants leave no node.
func TestConstantsAreFolded(t *testing.T) {
	g := graph.New("folded")
	a := weight(1, 2, 3)
	c := g.Const("a", a.floats(), 2, 3)
	x := g.Input("x", 3, 2)
	y := g.Add(g.Transpose(g.Sqrt(g.Square(c)), 1, 0), g.ReduceSum(g.Scale(c, 2), nil, false))
	g.Output("y", g.Add(g.Mul(g.Scalar(1), x), y))
	for _, kind := range []string{"Transpose", "Sqrt", "Mul", "ReduceSum"} {
		if n := nodes(t, g, kind); n != 0 {
			t.Errorf("%d nodes of %s", n, kind)
		}
	}
	if n := nodes(t, g, "Add"); n != 1 {
		t.Errorf("%d additions, want 1", n)
	}
	total := 0.0
	for _, v := range a.data {
		total += 2 * v
	}
	want := refMap(refTranspose(a, 1, 0), func(v float64) float64 { return math.Abs(v) + total })
	if got := run(t, g, map[string]tensor{"x": newTensor(3, 2)}); difference(got["y"], want) > 1e-6 {
		t.Errorf("got %v, want %v", got["y"].data, want.data)
	}
}

// TestOutputNames: an input, a constant and a value with two names can be outputs.
func TestOutputNames(t *testing.T) {
	g := graph.New("names")
	x := g.Input("x", 2)
	y := g.Exp(x)
	g.Output("same", x)
	g.Output("one", g.Fill(1, 2))
	g.Output("y", y)
	g.Output("again", y)
	g.Output("detached", g.Detach(y))
	got := run(t, g, map[string]tensor{"x": {[]int{2}, []float64{0, 1}}})
	for name, want := range map[string]float64{"same": 1, "one": 1, "y": math.E, "again": math.E, "detached": math.E} {
		if v := got[name].data[1]; math.Abs(v-want) > 1e-6 {
			t.Errorf("%s = %v, want %v", name, v, want)
		}
	}
}

// TestTies: equal largest elements share the derivative, so that it sums to what came in.
func TestTies(t *testing.T) {
	g := graph.New("ties")
	x := g.Input("x", 4)
	d, err := graph.Gradient(g.ReduceMax(x, nil, false), x)
	if err != nil {
		t.Fatal(err)
	}
	g.Output("dx", d[0])
	got := run(t, g, map[string]tensor{"x": {[]int{4}, []float64{2, 1, 2, 0}}})
	if want := (tensor{[]int{4}, []float64{0.5, 0, 0.5, 0}}); difference(got["dx"], want) > 1e-6 {
		t.Errorf("dx = %v, want %v", got["dx"].data, want.data)
	}
}

// TestBlockedStep holds the gradient of a ReLU between convolutions, whose step is a convolution, too, against one where
// something else stands between.
func TestBlockedStep(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	x, one := random(rng, -1, 1, 1, 16, 6, 6), tensor{[]int{1, 16, 6, 6}, make([]float64, 16*6*6)}
	for i := range one.data {
		one.data[i] = 1
	}
	build := func(between bool) *graph.Graph {
		g := graph.New("steps")
		in, ones := g.Input("x", x.shape...), g.Input("one", one.shape...)
		y := in
		for seed := range uint64(3) {
			if seed == 2 {
				y = g.UpsampleLinear(y, 2)
			}
			y = g.Conv(y, constant(g, seed, 16, 16, 3, 3), nil, graph.ConvOptions{Pad: graph.AllSides(1)})
			if seed == 1 {
				y = g.Add(y, g.Conv(in, constant(g, 7, 16, 16, 1, 1), nil, graph.ConvOptions{}))
			}
			if seed < 2 {
				y = g.Relu(y)
				if between {
					y = g.Mul(y, ones)
				}
			}
		}
		loss := g.Add(g.Sum(g.Square(y)), g.Sum(ones))
		d, err := graph.Gradient(loss, in)
		if err != nil {
			t.Fatal(err)
		}
		g.Output("dx", d[0])
		return g
	}
	inputs := map[string]tensor{"x": x, "one": one}
	g, plain := build(false), build(true)
	got, want := run(t, g, map[string]tensor{"x": x}), run(t, plain, inputs)
	if d := difference(got["dx"], want["dx"]); d > 1e-6 {
		t.Errorf("the gradient is off by %.2g", d)
	}
	if more := nodes(t, g, "Conv") - nodes(t, plain, "Conv"); more != 1 {
		t.Errorf("%d steps are convolutions, want that of the ReLU whose gradient is a convolution's, and not that below the enlarged map", more)
	}
}
